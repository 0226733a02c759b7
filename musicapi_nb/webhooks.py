"""An aiohttp application that receives the service's webhooks and records them in a library."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from musicapi_nb import tasks, webhook_signing, wire
from musicapi_nb.errors import InvalidRequest, MusicAPIError, Problem, UnexpectedReply
from musicapi_nb.library import Library, Notification
from musicapi_nb.public_names import public_names
from musicapi_nb.secret import Secret, as_secret
from musicapi_nb.tasks import Task

__all__ = ["MAX_AGE", "MAX_BODY_BYTES", "app"]

MAX_BODY_BYTES = 1024 * 1024
"""Documented webhooks have a few thousand bytes."""
MAX_AGE = 300.0
_BODY_TIMEOUT = 10.0  # seconds for a whole body
_DRAIN_TIMEOUT = 1.0  # seconds to read the rest of a body that is too large
_COMPLETED, _FAILED = "song.completed", "song.failed"
_PLATFORMS = {"suno": "sonic", "nuro": "nuro", "producer": "producer"}  # service.md 12
_log = logging.getLogger(__name__)


def app(
    library: Library,
    *,
    secret: str | Secret | None = None,
    max_age: float = MAX_AGE,
    allow_legacy: bool = False,
) -> web.Application:
    """Return an application that receives the service's webhooks.

    It accepts POSTs on every path: run it alone (`aiohttp.web.run_app`), or under a prefix of
    another application (`add_subapp`). A webhook that is signed with the secret, recent, and about
    a purchase in the library is recorded: `song.streaming` as progress, `song.completed` and
    `song.failed` as the end, with the refund. It also recovers a purchase whose reply was lost.
    Clients that wait for the task, in any process, poll it at once.

    It answers 200 (recorded, already recorded, or of an unknown kind), 400 (not a JSON object with
    a task id), 401 (wrong or missing signature, too old, or from the future), 404 (no such purchase
    in the library), 408, 409 (the task belongs to another purchase), 413, or 503 (the library
    cannot be written: send it again). Only a 200 changes anything.

    Parameters
    ----------
    library
        The library of the purchases; it is not closed.
    secret
        The client's `webhook_secret`. Default: the environment variable MUSICAPI_WEBHOOK_SECRET.
    max_age
        Maximum seconds between signing and arrival, in either direction.
    allow_legacy
        Whether to accept the older `X-Signature`, which has no timestamp: an intercepted webhook
        can then be sent again at any time.

    Raises
    ------
    InvalidRequest
        The secret is missing or too short, or `max_age` is invalid.
    """
    if secret is None:
        secret = os.getenv(webhook_signing.SECRET_VARIABLE)
    secret = as_secret(secret)
    caller = "webhooks.app()"
    if not isinstance(max_age, int | float) or not 0 < max_age < float("inf"):
        raise InvalidRequest(caller, [Problem("max_age", "should be a number of seconds above 0")])
    parsed = webhook_signing.parse_secret(secret, caller)
    receiver = _Receiver(library, parsed, max_age, allow_legacy)
    application = web.Application()
    application.router.add_post("/{path:.*}", receiver.handle)
    return application


class _Rejected(Exception):
    """A webhook is answered with this status, for this reason."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class _Receiver:
    """Receives webhooks for one library."""

    library: Library
    secret: Secret
    max_age: float
    allow_legacy: bool

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            status = await self._receive(request)
        except _Rejected as rejected:
            _log.warning("Rejected a webhook: %s", rejected.reason)
            response = web.json_response({"error": rejected.reason}, status=rejected.status)
            if rejected.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return await _answer_and_disconnect(request, response)
            return response
        return web.json_response({"status": status})

    async def _receive(self, request: web.Request) -> str:
        body = await self._authenticate(request)
        payload, task_id = _parse_body(self.secret.redact_body(body))
        return await self._record(self._notification(request, payload, task_id), payload)

    async def _authenticate(self, request: web.Request) -> bytes:
        """Return the body if its signature is right; that of an unsigned webhook is not read."""
        timestamp = request.headers.get("X-Webhook-Timestamp", "")
        signature = request.headers.get("X-Webhook-Signature")
        legacy = signature is None and self.allow_legacy
        if legacy:
            signature = request.headers.get("X-Signature", "").removeprefix("sha256=") or None
        if signature is None:
            raise _Rejected(HTTPStatus.UNAUTHORIZED, "the signature is missing")
        body = await _read_body(request)
        if legacy:
            expected = webhook_signing.legacy_signature(self.secret, body)
        else:
            expected = webhook_signing.signature(self.secret, timestamp, body)
        if not webhook_signing.signatures_match(expected, signature):
            raise _Rejected(HTTPStatus.UNAUTHORIZED, "the signature is wrong")
        if not legacy:
            self._check_age(timestamp)
        return body

    def _check_age(self, timestamp: str) -> None:
        if not re.fullmatch(r"[0-9]{1,12}", timestamp, re.ASCII):
            raise _Rejected(HTTPStatus.UNAUTHORIZED, "the timestamp is not a Unix time in seconds")
        if abs(time.time() - int(timestamp)) > self.max_age:
            raise _Rejected(HTTPStatus.UNAUTHORIZED, "the timestamp is too old or in the future")

    def _notification(
        self, request: web.Request, payload: dict[str, Any], task_id: str
    ) -> Notification:
        platform = payload.get("platform")
        engine = _PLATFORMS.get(platform) if isinstance(platform, str) else None
        tokens = request.query.getall(webhook_signing.TOKEN_PARAMETER, [])
        if not tokens:
            return Notification(task_id, engine)
        entry_id = webhook_signing.entry_id_of(tokens[0]) if len(tokens) == 1 else None
        if entry_id is None:
            raise _Rejected(HTTPStatus.NOT_FOUND, "the URL names no purchase")
        return Notification(
            task_id,
            engine,
            entry_id,
            lambda entry: webhook_signing.signatures_match(
                webhook_signing.purchase_token(self.secret, entry), tokens[0]
            ),
        )

    async def _record(self, notification: Notification, payload: dict[str, Any]) -> str:
        try:
            update = _updater(payload, notification.task_id)
            result = await self.library.commit(
                lambda: self.library.apply_notification(notification, update)
            )
        except MusicAPIError as error:  # the library is closed, locked or full
            _log.error("The library could not record a webhook: %s", error)
            reason = "the library cannot be written at the moment"
            raise _Rejected(HTTPStatus.SERVICE_UNAVAILABLE, reason) from None
        if result.kind == "unknown":
            raise _Rejected(HTTPStatus.NOT_FOUND, "the library has no such purchase")
        if result.kind == "conflict":
            _log.warning(
                "A webhook about task %r names another purchase; check both: %s",
                notification.task_id,
                result.entry,
            )
            raise _Rejected(HTTPStatus.CONFLICT, "the task does not belong to this purchase")
        return "already recorded" if result.kind == "unchanged" else "recorded"


async def _read_body(request: web.Request) -> bytes:
    """Read a body of at most `MAX_BODY_BYTES`."""
    too_large = _Rejected(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {MAX_BODY_BYTES} bytes"
    )
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large
    try:
        async with asyncio.timeout(_BODY_TIMEOUT):
            return await request.clone(client_max_size=MAX_BODY_BYTES + 1).read()
    except web.HTTPRequestEntityTooLarge:
        raise too_large from None
    except TimeoutError:
        raise _Rejected(HTTPStatus.REQUEST_TIMEOUT, "the body did not arrive in time") from None


async def _answer_and_disconnect(
    request: web.Request, response: web.Response
) -> web.StreamResponse:
    """Answer now, and close the connection without reading the whole body.

    Up to another `MAX_BODY_BYTES` are read first, because closing a connection with unread data
    resets it, and the client may then not see the answer.
    """
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    remaining = MAX_BODY_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_TIMEOUT):
            async for part in request.content.iter_any():
                remaining -= len(part)
                if remaining <= 0:
                    break
    request.protocol.force_close()
    return response


def _parse_body(body: bytes) -> tuple[dict[str, Any], str]:
    """Return the JSON object of a body and its task id."""
    try:
        payload = wire.decode(body)
    except UnexpectedReply:
        raise _Rejected(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
    if not isinstance(payload, dict):
        payload = {}
    # First its own field: a webhook of nuro is itself a song, inside which no task id is sought.
    own = {"task_id": payload.get("task_id")}
    task_id = tasks.find_task_id(own) or tasks.find_task_id(payload)
    if task_id is None:
        raise _Rejected(HTTPStatus.BAD_REQUEST, "the body is not a JSON object with a task_id")
    return payload, task_id


def _updater(payload: dict[str, Any], task_id: str) -> Callable[[Task], Task]:
    """Return a function that updates a task from the webhook about `task_id`.

    A payload that cannot be parsed, or of an unknown event, only proves that the task exists; its
    state is left to the next poll.
    """
    event = payload.get("event")

    def update(stored: Task) -> Task:
        stored = msgspec.structs.replace(stored, id=task_id)
        try:
            task = tasks.parse_task(payload, task=stored)
        except UnexpectedReply:
            task = msgspec.structs.replace(stored, raw=payload)
        if event == _FAILED and task.state != "failed":
            return tasks.mark_failed(task, "the service gave no reason")
        if event not in (_COMPLETED, _FAILED) and task.finished:
            return msgspec.structs.replace(task, state="running", fail_reason=None)
        return task

    return update


if not TYPE_CHECKING:
    __getattr__, __dir__ = public_names(__name__, __all__)
