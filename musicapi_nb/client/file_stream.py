"""Streams a link to a file; after an interruption, only the rest if the host offers that."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import urlsplit

import aiohttp
import yarl

from musicapi_nb import wire
from musicapi_nb.client.network import PrivateAddressError
from musicapi_nb.client.transport import Transport
from musicapi_nb.errors import (
    CertificateRefused,
    DownloadFailed,
    MusicAPIError,
    RateLimited,
    ServerError,
    Unreachable,
)

_CHUNK = 256 * 1024
_MIN_SPEED = 4_096  # bytes per second; a slower host could hold a download for days
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity"}  # the length is then that of the file
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_Result = TypeVar("_Result")


async def stream(transport: Transport, url: str, path: Path, max_bytes: int) -> None:
    """Write what a link leads to into a file, in up to five attempts.

    Raise `DownloadFailed` if the host refuses, is too slow or busy, or leads to a private address,
    and `Unreachable` if it did not answer or the download was interrupted.
    """
    download = _Download(transport, url, path, max_bytes)
    queue = transport.host_queue(urlsplit(url).netloc)
    async with queue.slots:
        try:
            await transport.retry.call(
                lambda: queue.attempt(download.attempt), throttle=queue.pause
            )
        except RateLimited as error:
            raise DownloadFailed(
                f"{short_url(url)} is not available now: {error.message}. The song is not lost; "
                "download it again later"
            ) from None


class _Download:
    """A file of which `_written` bytes are on disk.

    `_etag` is the HTTP tag of its version, `_validator` what If-Range takes: that, or a time.
    """

    def __init__(self, transport: Transport, url: str, path: Path, max_bytes: int) -> None:
        self._transport = transport
        self._url = url
        self._path = path
        self._max_bytes = max_bytes
        self._written = 0
        self._validator = self._etag = ""

    async def attempt(self) -> None:
        transport, name = self._transport, short_url(self._url)
        connect, silence = transport.timeouts
        try:
            session = await transport.session("file")
            timeout = aiohttp.ClientTimeout(connect=connect, sock_read=silence)
            async with asyncio.timeout(connect + silence) as limit:
                reply = await transport.links.open(
                    session, "GET", self._url, headers=self._headers(), timeout=timeout
                )
                async with reply:
                    await self._write(reply, self._offset(reply), limit)
        except MusicAPIError:  # some are OSErrors as well
            raise
        except PrivateAddressError as error:
            raise DownloadFailed(
                f"{name} leads to this machine or a private network ({error}), where the service "
                "has no files; nothing was asked there"
            ) from None
        except aiohttp.TooManyRedirects:
            raise DownloadFailed(f"{name} redirects too many times") from None
        except (aiohttp.InvalidURL, UnicodeError):  # a host such as ".a" has no IDNA form
            raise DownloadFailed(f"{name} cannot be downloaded") from None
        except aiohttp.ClientConnectorCertificateError:
            raise CertificateRefused(f"the certificate of {name} is not trusted") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            way = transport.network.describe_proxy(yarl.URL(self._url))
            raise Unreachable(f"{name} was interrupted{way} ({type(error).__name__})") from None

    def _headers(self) -> dict[str, str]:
        if not (self._written and self._validator):
            return _HEADERS
        return {**_HEADERS, "Range": f"bytes={self._written}-", "If-Range": self._validator}

    def _offset(self, reply: aiohttp.ClientResponse) -> int:
        """Return at which byte of the file the body of a reply begins; raise if it is an error."""
        status = reply.status
        content_range = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", ""))
        if status == 206 and content_range:  # noqa: PLR2004 - Partial Content
            first, last, size = map(int, content_range.groups())
            # Some hosts ignore If-Range and send the rest of another version.
            same = not first or reply.headers.get("ETag", self._etag) == self._etag
            if first in {0, self._written} and last + 1 == size and same:
                return first
        if status in {206, 416} and self._written:
            self._written = 0  # the next attempt asks for the complete file
            raise Unreachable(f"{short_url(self._url)} was interrupted, and has changed since")
        if status != 200:  # noqa: PLR2004
            raise _status_error(reply, short_url(self._url))
        etag = reply.headers.get("ETag", "")  # If-Range takes no weak tag
        modified = reply.headers.get("Last-Modified", "")
        self._etag = etag
        resumable = reply.headers.get("Accept-Ranges", "").lower() == "bytes"
        self._validator = (etag if etag.startswith('"') else modified) if resumable else ""
        return 0

    async def _write(
        self, reply: aiohttp.ClientResponse, offset: int, limit: asyncio.Timeout
    ) -> None:
        """Write the body from `offset` on; extend the time limit as long as it is fast enough."""
        if offset + (reply.content_length or 0) > self._max_bytes:
            raise self._too_large_error()
        with disk_errors():  # not in a thread, which might create it after a cancellation
            file = self._path.open("r+b" if offset else "wb")
        silence = self._transport.timeouts.reply
        limit.reschedule(asyncio.get_running_loop().time() + silence)
        received, self._written = 0, offset
        try:
            file.seek(offset)
            async for chunk in reply.content.iter_chunked(_CHUNK):
                if self._written + len(chunk) > self._max_bytes:
                    raise self._too_large_error()
                await on_disk(functools.partial(file.write, chunk))
                self._written += len(chunk)
                received += len(chunk)
                if received >= _MIN_SPEED * silence:
                    received = 0
                    limit.reschedule(asyncio.get_running_loop().time() + silence)
            await on_disk(lambda: _sync(file))
        except asyncio.CancelledError:
            if limit.expired() and received:
                name, speed = short_url(self._url), received / silence
                raise DownloadFailed(f"{name} is too slow ({speed:,.0f} bytes/s)") from None
            raise
        finally:
            with contextlib.suppress(OSError):  # the write has already reported a full disk
                file.close()

    def _too_large_error(self) -> DownloadFailed:
        return DownloadFailed(f"{short_url(self._url)} is larger than {self._max_bytes:,} bytes")


def _status_error(
    reply: aiohttp.ClientResponse, name: str
) -> DownloadFailed | RateLimited | ServerError:
    status, message = reply.status, f"{name} answered {reply.status}"
    headers = {key.lower(): value for key, value in reply.headers.items()}
    pause = wire.retry_after(headers, time.time())
    if status == 429 or (status == 503 and pause is not None):  # noqa: PLR2004
        wish = "" if pause is None else f" and asks to wait {pause:,.0f} s"
        busy = RateLimited(f"the host answered {status}{wish}", status=429)  # waits like a 429
        busy.retry_after = pause
        return busy
    if status >= 500:  # noqa: PLR2004
        return ServerError(message, status=status)
    return DownloadFailed(f"{message}; poll the task again for a fresh link", status=status)


async def on_disk(work: Callable[[], _Result]) -> _Result:
    """Run disk work in a thread. OSError becomes DownloadFailed."""
    with disk_errors():
        return await asyncio.to_thread(work)


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        raise DownloadFailed(f"cannot write{where}: {error.strerror or error}") from None


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def short_url(url: str) -> str:
    """Return a link without user and query, which may hold a password or signature."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
