"""publish: a local file put where the service can fetch it, and checked before anything is paid."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp

from musicapi_nb import markup
from musicapi_nb.client.download import suffix_of
from musicapi_nb.errors import InvalidArgument, MissingExtra, PublishFailed

_HEAD = 4096  # bytes that are compared
_PATIENCE = aiohttp.ClientTimeout(total=60, connect=20)
_SIGNED_FOR = 86_400


async def publish(  # noqa: PLR0913 - each is a choice of its own
    path: str | os.PathLike[str],
    to: str,
    *,
    url: str | None = None,
    expires: int = _SIGNED_FOR,
    local: bool = False,
    options: Mapping[str, Any] | None = None,
) -> str:
    """Copy an audio file to storage that the internet reads, and return its address there.

    The service takes no files: `sonic.Upload(url=...)` and its like name an address that the
    service fetches from. This is the way to one:

        url = await mnb.publish("demo.mp3", "s3://bucket/songs/", url="https://cdn.example/songs/")
        task = await api.run(sonic.Upload(url=url))

    The file is named by its own name and the hash of its bytes, so that nothing else there is
    overwritten, and what is there already is not sent again. Before the address is returned, it
    is asked for the first bytes of the file, as the service will: nothing was paid by then.
    Whoever has the address can hear the file, and it stays there until you delete it.

    Parameters
    ----------
    path
        An audio file: MP3, WAV, M4A, FLAC or Ogg. `sonic.Upload` takes MP3 and WAV.
    to
        The folder, as fsspec names it: "s3://bucket/songs/", "gs://...", "sftp://...", a mounted
        web folder. Each kind but local folders needs its package (s3fs, gcsfs, ...).
    url
        The public address of that folder. Left out: one that the storage signs, for `expires`
        seconds, where it can (S3, Google Cloud Storage, Azure).
    local
        Whether an address of this machine or a private network will do: for a simulator.
    options
        Given to fsspec for this storage (`{"profile": "music"}`).

    Raises
    ------
    PublishFailed
        The file is no audio; the storage did not take it; or the address is private, does not
        answer, or answers with something else. Nothing was paid.
    MissingExtra
        fsspec, or the package of this storage, is not installed.
    """
    source, head, name = await asyncio.to_thread(_looked_at, path)
    if url is not None:
        _check_address(url, local=local)
    remote, size = await asyncio.to_thread(_put, source, to, name, dict(options or {}))
    address = await asyncio.to_thread(_address, remote, name, url, expires)
    await _check_answer(address, head, size, local=local)
    return address


def _looked_at(path: str | os.PathLike[str]) -> tuple[Path, bytes, str]:
    """Where an audio file is, its first bytes, and the name that it gets."""
    source = Path(path).expanduser()
    try:
        with source.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PublishFailed(f"{source} cannot be read ({error.strerror or error})") from None
    suffix = suffix_of(head, "audio")
    if suffix is None:
        raise PublishFailed(f"{source} is no audio (it starts {head[:8]!r})")
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", source.stem).strip("_")[:60] or "audio"
    return source, head, f"{stem}-{digest[:12]}{suffix}"


def _put(source: Path, to: str, name: str, options: dict[str, Any]) -> tuple[tuple[Any, str], int]:
    """Copy the file into the folder; return the file system and the path there, and the bytes."""
    try:
        import fsspec  # noqa: PLC0415 - only who publishes needs it
    except ImportError:
        raise MissingExtra("fsspec", "upload") from None
    try:
        system, folder = fsspec.core.url_to_fs(to, **options)
        target = f"{folder.rstrip('/')}/{name}"
        size = source.stat().st_size
        if not system.exists(target) or system.size(target) != size:
            system.makedirs(folder, exist_ok=True)
            system.put_file(str(source), target)
    except Exception as error:  # each kind of storage has errors of its own
        raise PublishFailed(
            f"{_shown(to)} did not take the file ({type(error).__name__}: {error!s:.200})"
        ) from error
    return (system, target), size


def _address(remote: tuple[Any, str], name: str, url: str | None, expires: int) -> str:
    if url is not None:
        return f"{url.rstrip('/')}/{quote(name)}"
    system, target = remote
    try:
        signed = system.sign(target, expiration=expires)
    except NotImplementedError:
        kind = type(system).__name__
        raise PublishFailed(
            f"{kind} signs no addresses: give url=, the public address of that folder"
        ) from None
    except Exception as error:  # as above
        raise PublishFailed(
            f"the storage signed no address ({type(error).__name__}: {error!s:.200})"
        ) from error
    return str(signed)


def _check_address(address: str, *, local: bool) -> None:
    """Refuse, before anything is copied, what is no address of the web."""
    if not isinstance(address, str) or markup.web_url(address) is None:
        raise InvalidArgument(f"url should be a public https:// address, not {address!r:.80}")
    parts = urlsplit(address)
    if parts.query or parts.fragment:
        raise InvalidArgument("url is the address of a folder: leave off what follows ? or #")
    if not local and is_private(parts.hostname or ""):
        raise _private(address)


def is_private(host: str) -> bool:
    """Whether a name or number, by itself, is of this machine or a private network."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        last = host.rstrip(".").lower().rpartition(".")[2]
        return last in {"", "localhost", "local", "internal", "lan", "home", "test"} or (
            "." not in host.rstrip(".")
        )


def _private(address: str) -> PublishFailed:
    return PublishFailed(
        f"{_shown(address)} is of this machine or a private network, where the service cannot "
        "reach it: put the file on public storage"
    )


async def _check_answer(address: str, head: bytes, size: int, *, local: bool) -> None:
    """Ask for the first bytes, as the service will ask for all of them."""
    asked = {"Range": f"bytes=0-{_HEAD - 1}", "Accept-Encoding": "identity"}
    try:
        await _check_host(address, local=local)
        async with (
            aiohttp.ClientSession(timeout=_PATIENCE) as session,
            session.get(address, headers=asked, max_redirects=5) as reply,
        ):
            await _check_host(str(reply.url), local=local)
            if reply.status not in {200, 206}:
                raise PublishFailed(
                    f"{_shown(address)} answered {reply.status}: the file is there, but not public",
                    status=reply.status,
                )
            begins = await _read(reply)
            stated = _stated(reply)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise PublishFailed(f"{_shown(address)} does not answer ({type(error).__name__})") from None
    if begins != head or (stated is not None and stated != size):
        raise PublishFailed(
            f"{_shown(address)} answers with something else than the file (it starts "
            f"{begins[:8]!r}): does url= name the folder that the file was copied to?"
        )


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    content = b""
    async for chunk in reply.content.iter_any():
        content += chunk
        if len(content) >= _HEAD:
            break
    return content[:_HEAD]


def _stated(reply: aiohttp.ClientResponse) -> int | None:
    """The bytes of the whole file, where the reply says so."""
    if reply.status != 206:  # noqa: PLR2004 - a part
        return reply.content_length
    total = reply.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isascii() and total.isdigit() else None


async def _check_host(address: str, *, local: bool) -> None:
    if local:
        return
    host = urlsplit(address).hostname or ""
    if is_private(host):
        raise _private(address)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    if any(is_private(str(numbers[0]).partition("%")[0]) for *_, numbers in found):
        raise _private(address)


def _shown(address: str) -> str:
    """An address without user and query, which may hold a password or a signature."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
