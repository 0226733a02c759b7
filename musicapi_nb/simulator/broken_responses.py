"""Responses changed by faults: missing, truncated, garbled, or a proxy's page."""

import email.utils
import time
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from musicapi_nb.simulator.media import File
from musicapi_nb.simulator.replies import Answer

_PAGE = """<!DOCTYPE html>
<html><head><title>{status} Bad gateway</title></head>
<body><h1>{status}</h1><p>The server behind this proxy gave no usable answer.</p></body></html>
"""
_GARBAGE = bytes(range(128, 256)) * 2


class NoResponse(web.Response):
    """Stands for a response that is never sent, because the connection is already closed."""


def close_connection(request: web.Request, *, reset: bool) -> NoResponse:
    """Close the connection without a response, in order or with a reset."""
    if request.transport is not None:
        if reset:
            request.transport.abort()
        else:
            request.transport.close()
    return NoResponse()


async def send_truncated(request: web.Request, file: File) -> web.StreamResponse:
    """Announce the whole length, send half, close the connection."""
    response = web.StreamResponse()
    response.content_length = len(file.content)
    response.content_type = file.content_type
    await response.prepare(request)
    await response.write(file.content[: len(file.content) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def alter_body(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON body without its ``code``, or with undocumented keys."""
    if kind == "code_missing":
        return {name: value for name, value in body.items() if name != "code"}
    return {**body, "trace_id": "sim-extra", "queue": {"position": 3}}


def too_many_requests(answer: Answer, settings: Mapping[str, Any]) -> web.Response:
    """Answer 429; ``Retry-After``, if any, is in real seconds."""
    headers: dict[str, str] = {}
    after = settings["retry_after"]
    if after is not None and settings["retry_as_date"]:
        headers["Retry-After"] = email.utils.formatdate(time.time() + after, usegmt=True)
    elif after is not None:
        headers["Retry-After"] = str(after)
    return web.json_response(answer.body, status=answer.status, headers=headers)


def proxy_page(status: int) -> web.Response:
    """Answer as a proxy that cannot reach the service."""
    return web.Response(status=status, text=_PAGE.format(status=status), content_type="text/html")


def unreadable_response(kind: str) -> web.Response:
    """Answer 200 with garbage, an HTML page or an empty body instead of JSON."""
    if kind == "garbage_body":
        return web.Response(body=_GARBAGE, content_type="application/json")
    if kind == "html_body":
        return proxy_page(200)
    return web.Response(body=b"", content_type="application/json")
