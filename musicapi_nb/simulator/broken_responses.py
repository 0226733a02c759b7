"""Responses changed by faults: missing, truncated, garbled, or a proxy's page."""

import email.utils
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from musicapi_nb.simulator.media import File

_PAGE = """<!DOCTYPE html>
<html><head><title>{status} Bad gateway</title></head>
<body><h1>{status}</h1><p>The server behind this proxy gave no usable answer.</p></body></html>
"""
UNREADABLE = {
    "garbage_body": File(bytes(range(128, 256)) * 2, "application/json"),
    "html_body": File(_PAGE.format(status=200).encode(), "text/html"),
    "empty_body": File(b"", "application/json"),
}
"""Fault to what it sends instead of JSON."""


class NoResponse(web.Response):
    """Stands for a response that is never sent, because the connection is already closed."""


def close_connection(request: web.Request, *, reset: bool) -> NoResponse:
    if transport := request.transport:
        (transport.abort if reset else transport.close)()
    return NoResponse()


async def send_truncated(request: web.Request, file: File) -> web.StreamResponse:
    """Announce the whole length, send half, close the connection."""
    response = web.StreamResponse()
    response.content_length = len(file.content)
    response.content_type = file.content_type
    await response.prepare(request)
    await response.write(file.content[: len(file.content) // 2])
    if transport := request.transport:
        transport.close()
    return response


def retry_after(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the header ``Retry-After`` of a 429, if any, in real seconds."""
    after = settings["retry_after"]
    if after is None:
        return {}
    date = email.utils.formatdate(time.time() + after, usegmt=True)
    return {"Retry-After": date if settings["retry_as_date"] else str(after)}


def proxy_page(status: int) -> web.Response:
    return web.Response(status=status, text=_PAGE.format(status=status), content_type="text/html")
