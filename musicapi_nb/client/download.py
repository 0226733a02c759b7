"""Downloads a file completely or not at all, and without the API key."""

from __future__ import annotations

import filecmp
import hashlib
import logging
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from musicapi_nb.client.file_stream import on_disk, short_url, stream
from musicapi_nb.client.file_type import SUFFIXES, read_head, suffix_of
from musicapi_nb.client.transport import Transport
from musicapi_nb.errors import DownloadFailed, InvalidArgument
from musicapi_nb.filenames import fold, unique_stem
from musicapi_nb.ledger_types import Media, MediaStore
from musicapi_nb.paths import target_path
from musicapi_nb.tasks import Song

_LONGEST_STEM = 50  # characters, of up to four bytes each; a name has at most 255 bytes
_log = logging.getLogger(__name__)


async def fetch(
    transport: Transport, source: Song | str, to: Path | str, *, media: Media, max_bytes: int
) -> Path:
    """Download a song's file, or a URL; in a folder, under the title or the URL's last part.

    The file is written under a temporary name in the same folder, checked, then renamed. The key
    is never sent: links are public and may lead to any host. Raise `DownloadFailed` if the link is
    not http(s), leads to a private address or has expired, or the file is too large or of another
    kind, or the host is busy or too slow, and `Unreachable` if
    the host did not answer or the download was interrupted, five times.
    """
    url = link_of(source, media)
    if not _is_web(url):
        raise DownloadFailed(f"not an http(s) address: {url[:80]!r}")
    target = await on_disk(lambda: _destination(to))
    temporary = await on_disk(lambda: _temporary(target))
    try:
        await stream(transport, url, temporary, max_bytes)
        head = await on_disk(lambda: read_head(temporary))
        suffix = suffix_of(head, media)
        if suffix is None:
            raise DownloadFailed(f"{short_url(url)} is not {media} (it starts {head[:8]!r})")
        return await on_disk(lambda: _move(temporary, target, suffix, source))
    finally:
        # not in a thread: a second cancellation would leave the file behind
        temporary.unlink(missing_ok=True)


async def copy_stored(
    store: MediaStore | None, source: Any, to: Path | str, media: Media
) -> Path | None:
    """Copy a song's file out of a library, named as `fetch` does; None without an intact file."""
    if store is None or not isinstance(source, Song):
        return None
    return await on_disk(lambda: _copy_stored(store, source, to, media))


def _copy_stored(store: MediaStore, song: Song, to: Path | str, media: Media) -> Path | None:
    stored = store.intact_file_of(song, media)
    if stored is None:
        return None
    target = _destination(to)
    temporary = _temporary(target)
    try:
        shutil.copyfile(stored, temporary)
        return _move(temporary, target, stored.suffix, song)
    finally:
        temporary.unlink(missing_ok=True)


def _is_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        return False


def _destination(to: Path | str) -> Path:
    """Return the path to write to; a text that ends in a slash is a folder, which is created."""
    path = target_path(to)
    if str(to).endswith(("/", os.sep)):
        path.mkdir(parents=True, exist_ok=True)
    return path


def _temporary(target: Path) -> Path:
    """Return a temporary path in the folder of the target, which is created."""
    suffix = f"{secrets.token_hex(8)}.part"
    if target.is_dir():
        return target / f".download-{suffix}"
    target.parent.mkdir(parents=True, exist_ok=True)
    # The library recognizes by the start of a name which process is writing the file.
    return target.with_name(f"{target.name[:_LONGEST_STEM]}.{suffix}")


def _move(temporary: Path, target: Path, suffix: str, source: Song | str) -> Path:
    """Move the complete file to the target; in a folder, under a portable name."""
    if target.is_dir():
        if isinstance(source, Song):
            target = _titled_path_in(target, source, suffix, temporary)
        else:
            target = _path_in(target, source, suffix, temporary)
    elif target.exists() and not filecmp.cmp(target, temporary, shallow=False):
        _log.warning("%s was replaced by the download", target)
    if target.suffix.lower() in SUFFIXES - {suffix}:
        _log.warning("the content of %s is that of a %s file", target, suffix)
    return temporary.replace(target)


def _titled_path_in(folder: Path, song: Song, suffix: str, source: Path) -> Path:
    """Reserve a name as an export gives it, "Tin Roof.mp3", or return the file of equal content."""
    used: set[str] = set()
    while True:
        stem = unique_stem(song.title, used)
        target = folder / f"{stem}{suffix}"
        try:
            target.open("xb").close()  # the other song of a pair has the same title
        except FileExistsError:
            if target.is_file() and filecmp.cmp(target, source, shallow=False):
                return target
            used.add(fold(stem))
        else:
            return target


def _path_in(folder: Path, url: str, suffix: str, source: Path) -> Path:
    """Derive a name from the URL. If another file has it, append part of the content's hash."""
    path = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", path.rpartition(".")[0] or path)[:80] or "file"
    target = folder / f"{stem}{suffix}"
    if not target.exists() or filecmp.cmp(target, source, shallow=False):
        return target
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return folder / f"{stem}-{digest[:12]}{suffix}"


def link_of(source: Any, media: Media) -> str:
    """Return the link to a file of a finished song, or the source itself if it is one."""
    if isinstance(source, str):
        return source
    if not isinstance(source, Song):
        kind = type(source).__name__
        raise InvalidArgument(f"pass a song, such as task.songs[0], or a URL, not a {kind}")
    if media == "audio" and not source.finished:
        raise DownloadFailed("the song is not finished; wait for its task first")
    url: str | None = getattr(source, f"{media}_url")
    if not url:
        raise DownloadFailed(f"the song has no {media} link")
    return url
