"""Fetches a file whole or not at all, and without the key."""

from __future__ import annotations

import asyncio
import contextlib
import filecmp
import functools
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

import aiohttp

from musicapi_nb.errors import DownloadFailed, ServerError, Unreachable

if TYPE_CHECKING:
    from musicapi_nb.client.transport import Transport

Media: TypeAlias = Literal["audio", "image", "video"]

_CHUNK = 256 * 1024
_HEAD = 16
_LONGEST_STEM = 50  # characters, of up to four bytes each; a name has at most 255 bytes
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}  # so that a length is the file's
_Result = TypeVar("_Result")
_MAGIC: dict[Media, tuple[tuple[int, bytes, str], ...]] = {
    "audio": (
        (0, b"ID3", ".mp3"),
        (0, b"\xff\xfb", ".mp3"),
        (0, b"\xff\xf3", ".mp3"),
        (0, b"\xff\xf2", ".mp3"),
        (0, b"\xff\xfa", ".mp3"),
        (8, b"WAVE", ".wav"),
        (4, b"ftyp", ".m4a"),
        (0, b"fLaC", ".flac"),
        (0, b"OggS", ".ogg"),
    ),
    "image": (
        (0, b"\x89PNG\r\n\x1a\n", ".png"),
        (0, b"\xff\xd8\xff", ".jpg"),
        (0, b"GIF8", ".gif"),
        (8, b"WEBP", ".webp"),
        (4, b"ftypavif", ".avif"),
    ),
    "video": ((4, b"ftyp", ".mp4"), (0, b"\x1aE\xdf\xa3", ".webm")),
}


def suffix_of(head: bytes, media: Media) -> str | None:
    """The file suffix that the first bytes of a file speak of; None when it is no such media."""
    for offset, magic, suffix in _MAGIC[media]:
        if head[offset : offset + len(magic)] == magic:
            return suffix
    return None


async def fetch(
    transport: Transport, url: str, target: Path, *, media: Media, max_bytes: int
) -> Path:
    """Fetch a URL into `target`; a folder gets the file under the name that the URL ends in.

    Written under a temporary name beside the target, checked, then moved. The key is never
    sent: links are public, and a link is free to lead to any host.

    Raises
    ------
    DownloadFailed
        The link is no http(s) address or dead, the file is too large or is no such media.
    Unreachable
        The host did not answer, or the file broke off, five times.
    """
    if not _is_web(url):
        raise DownloadFailed(f"not an http(s) address: {url[:80]!r}")
    beside = await _on_disk(lambda: _beside(target))
    try:
        head = await transport.with_retries(
            lambda: _stream(transport, url, beside, max_bytes), paid=False
        )
        suffix = suffix_of(head, media)
        if suffix is None:
            raise DownloadFailed(f"what {_short(url)} sent is no {media} (starts {head[:8]!r})")
        return await _on_disk(lambda: _place(beside, target, url, suffix))
    finally:
        # not in a thread: a second cancellation would leave the file behind
        beside.unlink(missing_ok=True)


def _is_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        return False


async def _on_disk(work: Callable[[], _Result]) -> _Result:
    """Do what touches the disk beside the loop, and say what went wrong there."""
    with _disk_errors():
        return await asyncio.to_thread(work)


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise DownloadFailed(f"cannot write{where}: {error.strerror or error}") from None


def _beside(target: Path) -> Path:
    """Name a file in the folder where the target will be; the folder is made."""
    mark = f"{secrets.token_hex(8)}.part"
    if target.is_dir():
        return target / f".download-{mark}"
    target.parent.mkdir(parents=True, exist_ok=True)
    # A library tells by the beginning of a name whose unfinished file it is.
    return target.with_name(f"{target.name[:_LONGEST_STEM]}.{mark}")


def _place(beside: Path, target: Path, url: str, suffix: str) -> Path:
    """Move the whole file to where it belongs; in a folder, under a name that any disk takes."""
    if target.is_dir():
        target = _name_in(target, url, suffix, beside)
    return beside.replace(target)


def _name_in(folder: Path, url: str, suffix: str, whole: Path) -> Path:
    """Choose a name by the end of the URL; another one where a different file has it already."""
    path = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", path.rpartition(".")[0] or path)[:80] or "file"
    target = folder / f"{stem}{suffix}"
    if not target.exists() or filecmp.cmp(target, whole, shallow=False):
        return target
    with whole.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return folder / f"{stem}-{digest[:12]}{suffix}"


async def _stream(transport: Transport, url: str, beside: Path, max_bytes: int) -> bytes:
    """Stream to a file; return its first bytes."""
    try:
        session = await transport.session()
        async with session.get(
            url, max_redirects=5, timeout=_patient(transport), headers=_HEADERS
        ) as reply:
            _check_status(reply, url)
            if (reply.content_length or 0) > max_bytes:
                raise _too_large(url, max_bytes)
            return await _write(reply, beside, max_bytes, url)
    except aiohttp.TooManyRedirects:
        raise DownloadFailed(f"{_short(url)} redirects without end") from None
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        raise DownloadFailed(f"{_short(url)} is no address that can be fetched") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unreachable(f"{_short(url)} broke off ({type(error).__name__})") from None


def _patient(transport: Transport) -> aiohttp.ClientTimeout:
    """No limit on the whole file, but on silence."""
    times = transport.timeouts
    return aiohttp.ClientTimeout(total=None, connect=times.connect, sock_read=times.reply)


def _check_status(reply: aiohttp.ClientResponse, url: str) -> None:
    if reply.status >= 500:  # noqa: PLR2004
        raise ServerError(f"{_short(url)} answered {reply.status}", status=reply.status)
    if reply.status != 200:  # noqa: PLR2004
        raise DownloadFailed(
            f"{_short(url)} answered {reply.status}; ask about the task again for a fresh link",
            status=reply.status,
        )


async def _write(reply: aiohttp.ClientResponse, beside: Path, max_bytes: int, url: str) -> bytes:
    written, head = 0, b""
    with _disk_errors():
        file = beside.open("wb")  # here, since a thread might make it after we were cancelled
    try:
        async for chunk in reply.content.iter_chunked(_CHUNK):
            written += len(chunk)
            if written > max_bytes:
                raise _too_large(url, max_bytes)
            head += chunk[: _HEAD - len(head)]
            await _on_disk(functools.partial(file.write, chunk))
        await _on_disk(lambda: _sync(file))
    finally:
        with contextlib.suppress(OSError):  # a full disk was reported by the write already
            file.close()
    return head


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _too_large(url: str, max_bytes: int) -> DownloadFailed:
    return DownloadFailed(f"{_short(url)} is larger than the {max_bytes:,} bytes allowed")


def _short(url: str) -> str:
    """A link without its query, which may hold a signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
