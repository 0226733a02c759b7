"""Fetches a file whole or not at all, and without the key."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

import aiohttp

from musicapi_nb.errors import DownloadFailed, ServerError, Unreachable

if TYPE_CHECKING:
    from musicapi_nb.client.transport import Transport

Media: TypeAlias = Literal["audio", "image", "video"]

_CHUNK = 256 * 1024
_HEAD = 16
_MAGIC: dict[Media, tuple[tuple[int, bytes, str], ...]] = {
    "audio": (
        (0, b"ID3", ".mp3"), (0, b"\xff\xfb", ".mp3"), (0, b"\xff\xf3", ".mp3"),
        (0, b"\xff\xf2", ".mp3"), (0, b"\xff\xfa", ".mp3"), (8, b"WAVE", ".wav"),
        (4, b"ftyp", ".m4a"), (0, b"fLaC", ".flac"), (0, b"OggS", ".ogg"),
    ),
    "image": (
        (0, b"\x89PNG\r\n\x1a\n", ".png"), (0, b"\xff\xd8\xff", ".jpg"), (0, b"GIF8", ".gif"),
        (8, b"WEBP", ".webp"), (4, b"ftypavif", ".avif"),
    ),
    "video": ((4, b"ftyp", ".mp4"), (0, b"\x1aE\xdf\xa3", ".webm")),
}  # fmt: skip


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
    if urlsplit(url).scheme not in {"http", "https"}:
        raise DownloadFailed(f"not an http(s) address: {url[:80]!r}")
    beside = await asyncio.to_thread(_beside, target)
    try:
        head = await transport.retried(
            lambda: _stream(transport, url, beside, max_bytes), paid=False
        )
        suffix = suffix_of(head, media)
        if suffix is None:
            raise DownloadFailed(f"what {_short(url)} sent is no {media} (starts {head[:8]!r})")
        return await asyncio.to_thread(_place, beside, target, url, suffix)
    finally:
        await asyncio.to_thread(beside.unlink, missing_ok=True)


def _beside(target: Path) -> Path:
    """Make an empty file in the folder where the target will be."""
    folder = target if target.is_dir() else target.parent
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".download-{secrets.token_hex(8)}"
    beside.touch(exist_ok=False)
    return beside


def _place(beside: Path, target: Path, url: str, suffix: str) -> Path:
    """Move the whole file to where it belongs; in a folder, under a name that any disk takes."""
    if target.is_dir():
        stem = re.sub(r"[^\w-]+", "_", Path(unquote(urlsplit(url).path)).stem)[:80]
        target = target / f"{stem or 'file'}{suffix}"
    return beside.replace(target)


async def _stream(transport: Transport, url: str, beside: Path, max_bytes: int) -> bytes:
    """Stream to a file; return its first bytes."""
    try:
        async with transport.session().get(
            url, max_redirects=5, timeout=_patient(transport), headers={"Accept": "*/*"}
        ) as reply:
            _check_status(reply, url)
            if (reply.content_length or 0) > max_bytes:
                raise _too_large(url, max_bytes)
            return await _write(reply, beside, max_bytes, url)
    except aiohttp.TooManyRedirects:
        raise DownloadFailed(f"{_short(url)} redirects without end") from None
    except aiohttp.InvalidURL:
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
    with beside.open("wb") as file:
        async for chunk in reply.content.iter_chunked(_CHUNK):
            written += len(chunk)
            if written > max_bytes:
                raise _too_large(url, max_bytes)
            head = head or chunk[:_HEAD]
            await asyncio.to_thread(file.write, chunk)
        await asyncio.to_thread(os.fsync, file.fileno())
    return head


def _too_large(url: str, max_bytes: int) -> DownloadFailed:
    return DownloadFailed(f"{_short(url)} is larger than the {max_bytes:,} bytes allowed")


def _short(url: str) -> str:
    """A link without its query, which may hold a signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
