"""publish: upload a local file to storage from which the service can download it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import yarl

from musicapi_nb import markup
from musicapi_nb.client.file_stream import short_url
from musicapi_nb.client.file_type import read_head, suffix_of
from musicapi_nb.client.network import LinkOpener, Network, PrivateAddressError
from musicapi_nb.errors import InvalidArgument, PublishFailed
from musicapi_nb.extras import require_extra
from musicapi_nb.paths import local_path

_HEAD = 4096  # bytes to compare
_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=20)
_SIGNATURE_SECONDS = 86_400
# Statuses of a server that does not implement HEAD. It is not known whether the service then tries
# GET. If it refuses the URL, that costs nothing; a refusal here would leave no way to try.
_WITHOUT_HEAD = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})


async def publish(  # noqa: PLR0913 - independent settings
    path: str | os.PathLike[str],
    to: str,
    *,
    url: str | None = None,
    expires: int = _SIGNATURE_SECONDS,
    local: bool = False,
    options: Mapping[str, Any] | None = None,
    network: Network | None = None,
) -> str:
    """Copy an audio file to public storage and return its URL.

    The service takes no files: `sonic.Upload(url=...)` and similar requests name a URL that the
    service downloads from. This function provides one:

        url = await mnb.publish("demo.mp3", "s3://bucket/songs/", url="https://cdn.example/songs/")
        task = await api.run(sonic.Upload(url=url))

    The stored name contains the hash of the content, so no other file is overwritten, and a file
    that is already there is not uploaded again. Before the URL is returned, it is asked by HEAD, as
    the service does first, and the first bytes of the file are downloaded from it. Anyone with the
    URL can hear the file, and it stays there until you delete it.

    Needs the extra `upload`.

    Parameters
    ----------
    path
        An audio file: MP3, WAV, AIFF, M4A, AAC, FLAC or Ogg. `sonic.Upload` takes MP3 and WAV.
    to
        The folder as an fsspec URL: "s3://bucket/songs/", "gs://...", "sftp://...", or a local
        folder that a web server publishes. Remote storage needs its package (s3fs, gcsfs, ...).
    url
        The public URL of that folder. By default the storage signs a URL that is valid for
        `expires` seconds, if it can. Azure's answers HEAD; those of S3 and Google Cloud Storage
        answer GET only, which is reported: the service refuses them.
    local
        Accept a URL on this machine or a private network, for a simulator.
    options
        Options of fsspec for this storage (`{"profile": "music"}`).
    network
        `MusicAPI.network` of a client: the URL is asked through its proxy.

    Raises
    ------
    PublishFailed
        The file is not audio, the storage refused it, or the URL is private, refuses HEAD, does
        not answer or returns something else. Nothing was paid.
    MissingExtra
        The extra `upload` is not installed.
    """
    require_extra("upload")
    source, head, name = await asyncio.to_thread(_read_source, path)
    if url is not None:
        _check_url(url, local=local)
    remote, size = await asyncio.to_thread(_upload, source, to, name, dict(options or {}))
    public = await asyncio.to_thread(_public_url, remote, name, url, expires)
    await _check_content(public, head, size, network or Network(), local=local)
    return public


def _read_source(path: str | os.PathLike[str]) -> tuple[Path, bytes, str]:
    """Return the path of an audio file, its first bytes, and the name to store it under."""
    source = local_path(path)
    try:
        head = read_head(source)
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise PublishFailed(f"{source} cannot be read ({error.strerror or error})") from None
    suffix = suffix_of(head, "audio")
    if suffix is None:
        raise PublishFailed(f"{source} is not audio (it starts {head[:8]!r})")
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", source.stem).strip("_")[:60] or "audio"
    return source, head[:_HEAD], f"{stem}-{digest[:12]}{suffix}"


def _upload(
    source: Path, to: str, name: str, options: dict[str, Any]
) -> tuple[tuple[Any, str], int]:
    """Copy the file into the folder; return the file system, the path there, and the size."""
    import fsspec  # noqa: PLC0415 - only who publishes needs it

    try:
        system, folder = fsspec.core.url_to_fs(to, **options)
        target = f"{folder.rstrip('/')}/{name}"
        size = source.stat().st_size
        if not system.exists(target) or system.size(target) != size:
            system.makedirs(folder, exist_ok=True)
            system.put_file(str(source), target)
    except Exception as error:  # each kind of storage has its own errors
        raise PublishFailed(
            f"{short_url(to)} refused the file ({type(error).__name__}: {error!s:.200})"
        ) from error
    return (system, target), size


def _public_url(remote: tuple[Any, str], name: str, url: str | None, expires: int) -> str:
    if url is not None:
        return f"{url.rstrip('/')}/{quote(name)}"
    system, target = remote
    try:
        signed = system.sign(target, expiration=expires)
    except NotImplementedError:
        kind = type(system).__name__
        raise PublishFailed(
            f"{kind} cannot sign URLs: pass url=, the public URL of the folder"
        ) from None
    except Exception as error:  # as above
        raise PublishFailed(
            f"the storage could not sign a URL ({type(error).__name__}: {error!s:.200})"
        ) from error
    return str(signed)


def _check_url(url: str, *, local: bool) -> None:
    """Raise, before anything is copied, if a folder's URL cannot be used."""
    if not isinstance(url, str) or markup.web_url(url) is None:
        raise InvalidArgument(f"url must be a public https:// URL, not {url!r:.80}")
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise InvalidArgument("url must be that of a folder, without ? and #")
    if not local and markup.is_private(parts.hostname or ""):
        raise _private_url_error(url)


def _private_url_error(url: str) -> PublishFailed:
    return PublishFailed(
        f"{short_url(url)} is on this machine or a private network, where the service cannot "
        "reach it; use public storage"
    )


async def _check_content(
    url: str, head: bytes, size: int, network: Network, *, local: bool
) -> None:
    """Ask for the file by HEAD, then download its first bytes and compare them with the file.

    The service probes by HEAD and refuses a URL that answers 403 or 404 ("Audio URL is not
    accessible": public clients, read 2026-11-29).
    """
    headers = {"Range": f"bytes=0-{_HEAD - 1}", "Accept-Encoding": "identity"}
    links = LinkOpener(network, local=local)
    try:
        async with aiohttp.ClientSession(connector=links.connector(), timeout=_TIMEOUT) as session:
            async with await links.open(session, "HEAD", url) as probe:
                pass
            async with await links.open(session, "GET", url, headers=headers) as reply:
                if reply.status not in {200, 206}:
                    raise PublishFailed(
                        f"{short_url(url)} answered {reply.status}: the uploaded file is not "
                        "public",
                        status=reply.status,
                    )
                content = await _read(reply)
                total = _total_bytes(reply)
    except PrivateAddressError:
        raise _private_url_error(url) from None
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:  # a host ".a"
        way = network.describe_proxy(yarl.URL(url))
        untrusted = isinstance(error, aiohttp.ClientConnectorCertificateError)
        advice = ": its certificate is not trusted here; set SSL_CERT_FILE" if untrusted else ""
        raise PublishFailed(
            f"{short_url(url)} does not answer{way} ({type(error).__name__}){advice}"
        ) from None
    if content != head or (total is not None and total != size):
        raise PublishFailed(
            f"{short_url(url)} returned something other than the file (it starts "
            f"{content[:8]!r}); check that url= is the folder that it was copied to"
        )
    if not probe.ok and probe.status not in _WITHOUT_HEAD:
        raise PublishFailed(
            f"{short_url(url)} answers GET, but HEAD returns {probe.status}. The service "
            "sends HEAD first and would refuse it. Signed URLs of S3 and Google Cloud Storage "
            "answer GET only: make the folder public (or put a CDN before it) and pass its URL as "
            "url=",
            status=probe.status,
        )


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    content = b""
    async for chunk in reply.content.iter_any():
        content += chunk
        if len(content) >= _HEAD:
            break
    return content[:_HEAD]


def _total_bytes(reply: aiohttp.ClientResponse) -> int | None:
    """Return the size of the complete file, if the reply states it."""
    if reply.status != 206:  # noqa: PLR2004 - Partial Content
        return reply.content_length
    total = reply.headers.get("Content-Range", "").rpartition("/")[2]
    return int(total) if total.isascii() and total.isdigit() else None
