"""Sends the signed webhooks of the simulated service; faults make them late, double or lost."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from musicapi_nb.simulator.clock import SimulatedClock
from musicapi_nb.simulator.faults import Faults
from musicapi_nb.simulator.replies import Answer
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.rules import WEBHOOK_LIMIT, Body, invalid
from musicapi_nb.simulator.songs import make_id
from musicapi_nb.simulator.tasks import Task

_PLATFORMS = {"sonic": "suno", "nuro": "nuro", "producer": "producer"}
"""Engine to its ``platform`` in a webhook; the other engines send none (service.md 12)."""
_DEFAULT_SECRET = "the service's default webhook secret"  # noqa: S105 - made up
_TIMEOUT = aiohttp.ClientTimeout(total=10.0)
_PUBLIC = re.compile(r"https://[\w.-]+(:\d+)?([/?#]|$)")
_LOOPBACK = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?([/?#]|$)")


@dataclass(slots=True, eq=False)
class Delivery:
    """One webhook that was sent; ``status`` is the receiver's answer, None without one."""

    event: str
    task_id: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int | None = None


def check(body: Body, options: ReplyOptions) -> None:
    """Refuse a ``webhook_url`` that the service would not call."""
    url = body.get("webhook_url")
    if url is None:
        return
    known = isinstance(url, str) and len(url) <= WEBHOOK_LIMIT
    local = options.webhook_hosts == "loopback" and known and _LOOPBACK.match(url)
    if not (known and _PUBLIC.match(url)) and not local:
        raise invalid("The 'webhook_url' field should be a public https URL.")


@dataclass(slots=True)
class WebhookSender:
    """Sends the webhooks of one simulator at simulated times.

    ``sent`` has every webhook that was sent, oldest first. They are signed with real unix seconds,
    because the receiver's clock is real. Webhooks that are due after the simulator stops are
    dropped. ``reply`` returns the reply to a poll at an instant.
    """

    clock: SimulatedClock
    faults: Faults
    options: ReplyOptions
    reply: Callable[[Task, float], Answer]
    sent: list[Delivery] = field(default_factory=list)
    _session: aiohttp.ClientSession | None = None
    _senders: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self) -> None:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=_TIMEOUT)

    async def stop(self) -> None:
        """Drop the webhooks that are still due."""
        session, self._session = self._session, None
        senders = list(self._senders)
        for sender in senders:
            sender.cancel()
        await asyncio.gather(*senders, return_exceptions=True)
        if session is not None:
            await session.close()

    def follow(self, task: Task, path: str) -> None:
        """Send the webhooks of a task that was made with a ``webhook_url``."""
        if task.body.get("webhook_url") is None or task.engine not in _PLATFORMS:
            return
        faults = self.faults.strike_all("webhook", path)
        if self._session is None or "webhook_lost" in faults:
            return
        sender = asyncio.get_running_loop().create_task(self._send_all(task, faults))
        self._senders.add(sender)
        sender.add_done_callback(self._senders.discard)

    async def _send_all(self, task: Task, faults: Mapping[str, Mapping[str, Any]]) -> None:
        events = _events(task)
        due = [instant for instant, _ in events]
        if "webhook_out_of_order" in faults:
            events, due = events[::-1], due[-1:] * len(due)
        delay = faults.get("webhook_late", {}).get("seconds", 0.0)
        for send_at, (instant, event) in zip(due, events, strict=True):
            await self.clock.sleep(max(send_at + delay - self.clock.now(), 0.0))
            for _ in range(2 if "webhook_twice" in faults else 1):
                await self._send(task, event, instant)

    async def _send(self, task: Task, event: str, instant: float) -> None:
        body = json.dumps(self._body(task, event, instant)).encode()
        headers = {
            "Content-Type": "application/json",
            **_headers(task, event, body, self.options.webhook_signature),
        }
        delivery = Delivery(event, task.task_id, str(task.body["webhook_url"]), headers, body)
        self.sent.append(delivery)
        if self._session is None:
            return
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self._session.post(
                delivery.url, data=body, headers=headers, allow_redirects=False
            ) as reply:
                delivery.status = reply.status

    def _body(self, task: Task, event: str, instant: float) -> dict[str, Any]:
        ids = {"task_id": task.task_id, "platform": _PLATFORMS[task.engine], "event": event}
        if event == "song.failed":
            refund = {"message": task.failure, "refund_processed": task.refunded}
            return {"event": event, "type": "failed", **refund, **ids}
        prompt: dict[str, Any] = {}
        if task.engine == "nuro":
            text = task.body.get("description") or task.body.get("lyrics") or ""
            prompt = {"prompt": text, "theme": "", "instrument": task.body.get("instrument") or ""}
        return {**self.reply(task, instant).body, **prompt, **ids}


def _events(task: Task) -> list[tuple[float, str]]:
    timing = task.timing
    streaming = [(timing.running, "song.streaming")]
    if task.fails_at is not None:
        failed = (task.fails_at, "song.failed")
        return [failed] if task.fails_at <= timing.running else [*streaming, failed]
    return streaming if task.stuck else [*streaming, (timing.finished, "song.completed")]


def _headers(task: Task, event: str, body: bytes, signature: str) -> dict[str, str]:
    requested = task.body.get("webhook_secret")
    secret = requested if requested and signature != "default" else _DEFAULT_SECRET
    if signature == "older":
        return {"X-Signature": _hmac(secret, body)}
    webhook_id = make_id(f"{task.task_id}/{event}")
    timestamp = str(int(time.time()))
    headers = {
        "X-Webhook-Id": webhook_id,
        "Idempotency-Key": webhook_id,
        "X-Webhook-Event": event,
        "X-Webhook-Timestamp": timestamp,
    }
    if signature != "none":
        digest = _hmac(secret, f"{timestamp}.".encode() + body)
        headers["X-Webhook-Signature"] = f"sha256={digest}"
    return headers


def _hmac(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
