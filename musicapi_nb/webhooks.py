"""Receives the service's webhooks: proves whose they are, and settles tasks in a library."""

from __future__ import annotations

import asyncio
import collections
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
from musicapi_nb.library import Notification
from musicapi_nb.secret import Secret
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from musicapi_nb.library import Library, NotificationResult

LARGEST = 1024 * 1024
"""Bytes of a body; a documented one has some thousands."""
MAX_AGE = 300.0
_PATIENCE = 10.0  # seconds for a whole body
_LINGER = 1.0  # seconds for what is too much to stop coming
_REMEMBERED = 10_000
_LONGEST_ID = 200
_STREAMING, _COMPLETED, _FAILED = "song.streaming", "song.completed", "song.failed"
_PLATFORMS = {"suno": "sonic", "nuro": "nuro", "producer": "producer"}  # service.md 12
_log = logging.getLogger(__name__)


def app(
    library: Library, *, secret: str | None = None, max_age: float = MAX_AGE, older: bool = False
) -> web.Application:
    """Make the application that the service's webhooks are sent to.

    It takes POSTs on every path: run it alone (`aiohttp.web.run_app`), or below a prefix of
    another application (`add_subapp`). What is signed with the secret, is new and is about a
    purchase of the library is written down there: `song.streaming` as progress, `song.completed`
    and `song.failed` as the end, with the refund. A purchase whose reply was lost is accepted by
    it. Whoever waits for the task, in whatever process, asks about it at once.

    Answered are 200 (written down, known already, or of a kind that nothing is known of), 400 (no
    JSON object with a task id), 401 (no good signature, too old, from the future), 404 (no
    purchase of this library), 408, 409 (another purchase's task), 413 and 503 (the library cannot
    be written: send it again). All but 200 change nothing.

    Parameters
    ----------
    library
        The library that purchases are written down in; it stays open.
    secret
        That of the client's `webhook_secret`; else the environment's MUSICAPI_WEBHOOK_SECRET.
    max_age
        Seconds between a webhook's signing and its arrival, in either direction.
    older
        Whether the older `X-Signature` will do, which has no age: what is caught on the way can
        be sent again at any time.

    Raises
    ------
    InvalidRequest
        There is no secret, or one that is too short.
    """
    what = "webhooks.app()"
    if not isinstance(max_age, int | float) or not 0 < max_age < float("inf"):
        raise InvalidRequest(what, [Problem("max_age", "should be a number of seconds above 0")])
    known = os.environ.get(webhook_signing.SECRET_VARIABLE) if secret is None else secret
    receiver = _Receiver(library, webhook_signing.parse_secret(known, what), max_age, older=older)
    made = web.Application()
    made.router.add_post("/{path:.*}", receiver.answer)
    return made


class _Refused(Exception):
    """A webhook is not taken: with this status, for this reason."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class _Receiver:
    """Takes webhooks for one library."""

    def __init__(self, library: Library, secret: Secret, max_age: float, *, older: bool) -> None:
        self._library = library
        self._secret = secret
        self._max_age = max_age
        self._older = older
        self._taken: collections.OrderedDict[tuple[str, ...], None] = collections.OrderedDict()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        try:
            said = await self._taken_in(request)
        except _Refused as refused:
            _log.warning("A webhook was refused: %s", refused.why)
            response = web.json_response({"error": refused.why}, status=refused.status)
            if refused.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return await _cut_off(request, response)
            return response
        return web.json_response({"status": said})

    async def _taken_in(self, request: web.Request) -> str:
        signed = self._signed_by(request)
        body = await _body(request)
        if not webhook_signing.signatures_match(self._expected(request, body), signed):
            raise _Refused(HTTPStatus.UNAUTHORIZED, "the signature is wrong")
        self._check_age(request)
        payload, task_id = _read(self._secret.redact_body(body))
        event = payload.get("event")
        event = event[:_LONGEST_ID] if isinstance(event, str) else None  # it is remembered
        # A sender who tries again may sign anew, and one name may serve all events of a task.
        names: list[tuple[str, ...]] = [("signature", signed)]
        if named := request.headers.get("X-Webhook-Id"):
            names.append(("id", named[:_LONGEST_ID], task_id, str(event)))
        if any(name in self._taken for name in names):
            return "known already"
        heard = await self._heard(self._word(request, payload, task_id), payload, event)
        self._remember(names)
        return "known already" if heard.kind == "same" else "written down"

    def _signed_by(self, request: web.Request) -> str:
        """The signature that it came with, before anything of its body is read."""
        signed = request.headers.get("X-Webhook-Signature")
        if signed is None and self._older:
            signed = request.headers.get("X-Signature", "").removeprefix("sha256=") or None
        if signed is None:
            raise _Refused(HTTPStatus.UNAUTHORIZED, "there is no signature")
        return signed

    def _expected(self, request: web.Request, body: bytes) -> str:
        if "X-Webhook-Signature" not in request.headers:
            return webhook_signing.legacy_signature(self._secret, body)
        return webhook_signing.signature(
            self._secret, request.headers.get("X-Webhook-Timestamp", ""), body
        )

    def _check_age(self, request: web.Request) -> None:
        if "X-Webhook-Signature" not in request.headers:
            return
        stamp = request.headers.get("X-Webhook-Timestamp", "")
        if not re.fullmatch(r"[0-9]{1,12}", stamp, re.ASCII):
            raise _Refused(HTTPStatus.UNAUTHORIZED, "its timestamp is no unix time in seconds")
        if abs(time.time() - int(stamp)) > self._max_age:
            raise _Refused(HTTPStatus.UNAUTHORIZED, "it was signed too long ago, or not yet")

    def _word(self, request: web.Request, payload: dict[str, Any], task_id: str) -> Notification:
        platform = payload.get("platform")
        engine = _PLATFORMS.get(platform) if isinstance(platform, str) else None
        intents = request.query.getall(webhook_signing.TOKEN_PARAMETER, [])
        if not intents:
            return Notification(task_id, engine)
        number = webhook_signing.entry_id_of(intents[0]) if len(intents) == 1 else None
        if number is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "its address names no purchase")
        return Notification(
            task_id,
            engine,
            number,
            lambda entry: webhook_signing.signatures_match(
                webhook_signing.purchase_token(self._secret, entry), intents[0]
            ),
        )

    async def _heard(
        self, word: Notification, payload: dict[str, Any], event: object
    ) -> NotificationResult:
        try:
            heard = await self._library.async_ledger.apply_notification(
                word, _reader(payload, event)
            )
        except MusicAPIError as error:  # closed, locked, full
            _log.error("The library could not note a webhook: %s", error)
            why = "the library cannot be written just now"
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, why) from None
        if heard.kind == "unknown":
            raise _Refused(HTTPStatus.NOT_FOUND, "the library has no such purchase")
        if heard.kind == "other":
            entry = heard.entry
            _log.warning(
                "A webhook named task %r with entry %s (%s, task %r); look at both",
                word.task_id,
                entry and entry.id,
                entry and entry.state,
                entry and entry.task_id,
            )
            raise _Refused(HTTPStatus.CONFLICT, "the purchase and the task do not belong together")
        return heard

    def _remember(self, names: list[tuple[str, ...]]) -> None:
        self._taken.update(dict.fromkeys(names))
        while len(self._taken) > _REMEMBERED:
            self._taken.popitem(last=False)


async def _body(request: web.Request) -> bytes:
    """Read a body of a bearable length."""
    large = _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"it has more than {LARGEST} bytes")
    if (request.content_length or 0) > LARGEST:
        raise large
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE):
            async for part in request.content.iter_any():
                body += part
                if len(body) > LARGEST:
                    raise large
    except TimeoutError:
        raise _Refused(HTTPStatus.REQUEST_TIMEOUT, "its body did not arrive") from None
    return bytes(body)


async def _cut_off(request: web.Request, response: web.Response) -> web.Response:
    """Answer now, and close the connection whatever else would come.

    What is on its way is let in, up to as much again: closed at once, a connection takes the
    answer with it.
    """
    response.force_close()
    await response.prepare(request)
    await response.write_eof()
    left = LARGEST
    try:
        async with asyncio.timeout(_LINGER):
            async for part in request.content.iter_any():
                left -= len(part)
                if left <= 0:
                    break
    except TimeoutError:
        pass
    request.protocol.force_close()
    return response


def _read(body: bytes) -> tuple[dict[str, Any], str]:
    """The object of a body, and the id of its task."""
    try:
        payload = wire.decode(body)
    except UnexpectedReply:
        raise _Refused(HTTPStatus.BAD_REQUEST, "its body is no JSON") from None
    task_id = payload.get("task_id") if isinstance(payload, dict) else None
    if not isinstance(task_id, str) or not task_id.strip() or len(task_id) > _LONGEST_ID:
        raise _Refused(HTTPStatus.BAD_REQUEST, "its body is no object with a task_id")
    return payload, task_id


def _reader(payload: dict[str, Any], event: object) -> Callable[[Task], Task]:
    """What makes of a task as known the task as the webhook tells it.

    What cannot be read, or is of an event that nothing is known of, proves that there is such a
    task; how it is doing is left to the next poll.
    """

    def read(known: Task) -> Task:
        try:
            task = tasks.parse_task(payload, task=known)
        except UnexpectedReply:
            task = msgspec.structs.replace(known, raw=payload)
        if event == _FAILED and task.state != "failed":
            return tasks.mark_failed(task, None)
        if event not in (_COMPLETED, _FAILED) and task.finished:
            return msgspec.structs.replace(task, state="running", fail_reason=None)
        return task

    return read
