"""Webhooks of the simulated service: signed; where armed late, twice, out of order or never."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from musicapi_nb.simulator.clock import SimulatedClock
from musicapi_nb.simulator.faults import STAGES, Faults
from musicapi_nb.simulator.replies import Answer
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.songs import make_id
from musicapi_nb.simulator.tasks import Task
from musicapi_nb.simulator.validation import WEBHOOK_LIMIT, Body, invalid

_PLATFORMS = {"sonic": "suno", "nuro": "nuro", "producer": "producer"}
"""Engine to the word that a webhook has for it; the others send none (service.md 12)."""
_DEFAULT_SECRET = "what the service signs with when it is given none"  # noqa: S105 - made up
_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(slots=True, eq=False)
class Delivery:
    """One webhook as it left; ``status`` is None until it is answered, if it is."""

    event: str
    task_id: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None = None


def check(body: Body, options: ReplyOptions) -> None:
    """Refuse an address that the service would not call."""
    url = body.get("webhook_url")
    if url is None:
        return
    try:
        parts = urlsplit(url) if isinstance(url, str) and len(url) <= WEBHOOK_LIMIT else None
    except ValueError:  # half an IPv6 address
        parts = None
    local = options.webhook_hosts == "loopback" and parts and parts.hostname in _LOOPBACK
    if parts is None or not parts.hostname or not (parts.scheme == "https" or local):
        raise invalid("The 'webhook_url' field should be a public https URL.")


class WebhookSender:
    """Sends the webhooks of one simulator, in the simulated clock.

    ``sent`` has every one that left, oldest first. They are signed with real unix seconds: whoever
    receives them lives in our time. What waits when the simulator stops is not sent any more.
    """

    def __init__(
        self,
        clock: SimulatedClock,
        faults: Faults,
        options: ReplyOptions,
        reply: Callable[[Task, float], Answer],
    ) -> None:
        self.sent: list[Delivery] = []
        self._clock = clock
        self._faults = faults
        self._options = options
        self._reply = reply
        self._session: aiohttp.ClientSession | None = None
        self._senders: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Be able to send, from the running loop."""
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=_TIMEOUT)

    async def stop(self) -> None:
        """Send no more."""
        session, self._session = self._session, None
        for sender in (senders := list(self._senders)):
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        if session is not None:
            await session.close()

    def follow(self, task: Task, path: str) -> None:
        """Report what becomes of a task, if it was made with an address for that."""
        if task.body.get("webhook_url") is None or task.engine not in _PLATFORMS:
            return
        struck = {
            kind: fault.settings
            for kind in STAGES["webhook"]
            if (fault := self._faults.strike(kind, "POST", path))
        }
        if self._session is None or "webhook_lost" in struck:
            return
        sender = asyncio.get_running_loop().create_task(self._follow(task, struck))
        self._senders.add(sender)
        sender.add_done_callback(self._senders.discard)

    async def _follow(self, task: Task, struck: Mapping[str, Mapping[str, Any]]) -> None:
        moments = list(_moments(task))
        if "webhook_out_of_order" in struck:
            moments = [(moments[-1][0], event, at) for _, event, at in reversed(moments)]
        late = struck.get("webhook_late", {}).get("seconds", 0.0)
        for due, event, at in moments:
            await self._clock.sleep(max(due + late - self._clock.now(), 0.0))
            for _ in range(2 if "webhook_twice" in struck else 1):
                await self._send(task, event, at)

    async def _send(self, task: Task, event: str, at: float) -> None:
        body = json.dumps(self._body(task, event, at)).encode()
        headers = {
            "Content-Type": "application/json",
            **_headers(task, event, body, self._options.webhook_signature),
        }
        sent = Delivery(event, task.task_id, str(task.body["webhook_url"]), headers, body)
        self.sent.append(sent)
        if self._session is None:
            return
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session.post(
                sent.url, data=body, headers=headers, allow_redirects=False
            ) as reply:
                sent.status = reply.status

    def _body(self, task: Task, event: str, at: float) -> dict[str, Any]:
        named = {"task_id": task.task_id, "platform": _PLATFORMS[task.engine], "event": event}
        if event == "song.failed":
            refund = {"message": task.failure, "refund_processed": task.refunded}
            return {"event": event, "type": "failed", **refund, **named}
        more: dict[str, Any] = {}
        if task.engine == "nuro":
            prompt = task.body.get("description") or task.body.get("lyrics") or ""
            more = {"prompt": prompt, "theme": "", "instrument": task.body.get("instrument") or ""}
        return {**self._reply(task, at).body, **more, **named}


def _moments(task: Task) -> list[tuple[float, str, float]]:
    """When what is sent, and the instant that it tells of."""
    timing = task.timing
    moments = [(timing.running, "song.streaming", timing.running)]
    if task.fails_at is not None:
        if task.fails_at <= timing.running:
            moments = []
        moments.append((task.fails_at, "song.failed", task.fails_at))
    elif not task.stuck:
        moments.append((timing.finished, "song.completed", timing.finished))
    return moments


def _headers(task: Task, event: str, body: bytes, signature: str) -> dict[str, str]:
    asked = task.body.get("webhook_secret")
    secret = asked if asked and signature != "default" else _DEFAULT_SECRET
    if signature == "older":
        return {"X-Signature": _hmac(secret, body)}
    named = make_id(f"{task.task_id}/{event}")
    stamp = str(int(time.time()))
    headers = {
        "X-Webhook-Id": named,
        "Idempotency-Key": named,
        "X-Webhook-Event": event,
        "X-Webhook-Timestamp": stamp,
    }
    if signature != "none":
        signed = _hmac(secret, f"{stamp}.".encode() + body)
        headers["X-Webhook-Signature"] = f"sha256={signed}"
    return headers


def _hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
