"""Downloads a file completely or not at all, and without the API key."""

from __future__ import annotations

import asyncio
import contextlib
import filecmp
import functools
import hashlib
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import unquote, urlsplit

import aiohttp

from musicapi_nb.client.file_type import SUFFIXES, read_head, suffix_of
from musicapi_nb.client.transport import Transport
from musicapi_nb.errors import DownloadFailed, ServerError, Unreachable
from musicapi_nb.ledger_types import Media
from musicapi_nb.paths import local_path

_CHUNK = 256 * 1024
_LONGEST_STEM = 50  # characters, of up to four bytes each; a name has at most 255 bytes
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}  # the length is then that of the file
_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


async def fetch(
    transport: Transport, url: str, to: Path | str, *, media: Media, max_bytes: int
) -> Path:
    """Download a URL to a file; in a folder, under the last part of the URL.

    The file is written under a temporary name in the same folder, checked, then renamed. The key
    is never sent: links are public and may lead to any host. Raise `DownloadFailed` if the link is
    not http(s) or has expired, or the file is too large or of another kind, and `Unreachable` if
    the host did not answer or the download was interrupted, five times.
    """
    if not _is_web(url):
        raise DownloadFailed(f"not an http(s) address: {url[:80]!r}")
    target = await _on_disk(lambda: _destination(to))
    temporary = await _on_disk(lambda: _temporary(target))
    try:
        await transport.retry.call(lambda: _stream(transport, url, temporary, max_bytes))
        head = await _on_disk(lambda: read_head(temporary))
        suffix = suffix_of(head, media)
        if suffix is None:
            raise DownloadFailed(f"{_short_url(url)} is not {media} (it starts {head[:8]!r})")
        return await _on_disk(lambda: _move(temporary, target, url, suffix))
    finally:
        # not in a thread: a second cancellation would leave the file behind
        temporary.unlink(missing_ok=True)


def _is_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        return False


async def _on_disk(work: Callable[[], _Result]) -> _Result:
    """Run disk work in a thread. OSError becomes DownloadFailed."""
    with _disk_errors():
        return await asyncio.to_thread(work)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise DownloadFailed(f"cannot write{where}: {error.strerror or error}") from None


def _destination(to: Path | str) -> Path:
    """Return the path to write to; a text that ends in a slash is a folder, which is created."""
    path = local_path(to)
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


def _move(temporary: Path, target: Path, url: str, suffix: str) -> Path:
    """Move the complete file to the target; in a folder, under a portable name."""
    if target.is_dir():
        target = _path_in(target, url, suffix, temporary)
    elif target.exists() and not filecmp.cmp(target, temporary, shallow=False):
        _log.warning("%s was replaced by the download", target)
    if target.suffix.lower() in SUFFIXES - {suffix}:
        _log.warning("the content of %s is that of a %s file", target, suffix)
    return temporary.replace(target)


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


async def _stream(transport: Transport, url: str, target: Path, max_bytes: int) -> None:
    try:
        session = await transport.session()
        times = transport.timeouts  # the time without data is limited, not that of the whole file
        timeout = aiohttp.ClientTimeout(connect=times.connect, sock_read=times.reply)
        async with session.get(url, max_redirects=5, timeout=timeout, headers=_HEADERS) as reply:
            _check_status(reply, url)
            if (reply.content_length or 0) > max_bytes:
                raise _too_large_error(url, max_bytes)
            await _write(reply, target, max_bytes, url)
    except aiohttp.TooManyRedirects:
        raise DownloadFailed(f"{_short_url(url)} redirects too often") from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise DownloadFailed(f"{_short_url(url)} cannot be downloaded") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable(f"{_short_url(url)} was interrupted ({type(error).__name__})") from None


def _check_status(reply: aiohttp.ClientResponse, url: str) -> None:
    if reply.status >= 500:  # noqa: PLR2004
        raise ServerError(f"{_short_url(url)} answered {reply.status}", status=reply.status)
    if reply.status != 200:  # noqa: PLR2004
        raise DownloadFailed(
            f"{_short_url(url)} answered {reply.status}; poll the task again for a fresh link",
            status=reply.status,
        )


async def _write(reply: aiohttp.ClientResponse, path: Path, max_bytes: int, url: str) -> None:
    written = 0
    with _disk_errors():
        file = path.open("wb")  # not in a thread, which might create it after a cancellation
    try:
        async for chunk in reply.content.iter_chunked(_CHUNK):
            written += len(chunk)
            if written > max_bytes:
                raise _too_large_error(url, max_bytes)
            await _on_disk(functools.partial(file.write, chunk))
        await _on_disk(lambda: _sync(file))
    finally:
        with contextlib.suppress(OSError):  # the write has already reported a full disk
            file.close()


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _too_large_error(url: str, max_bytes: int) -> DownloadFailed:
    return DownloadFailed(f"{_short_url(url)} is larger than {max_bytes:,} bytes")


def _short_url(url: str) -> str:
    """Return a link without user and query, which may hold a password or signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
