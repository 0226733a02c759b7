"""Carries calls over one aiohttp session for each loop; knows what may be sent again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import aiohttp
import yarl

from musicapi_nb import wire
from musicapi_nb.errors import (
    ClientClosed,
    InvalidRequest,
    LostReply,
    MusicAPIError,
    Problem,
    RateLimited,
    RetiredOperation,
    ServerError,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
    replacement_for,
)
from musicapi_nb.secret import Secret

BASE_URL = "https://api.musicapi.ai"
LARGEST_REPLY = 32 * 1024 * 1024
_ATTEMPTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_TOLD = 0.5, 30.0, 60.0
_LONGEST_CAUSE = 200
_Result = TypeVar("_Result")


def checked_key(key: str, also: Secret | None = None) -> Secret:
    """Take a key, or say what is wrong with it without showing it; see `Secret` for `also`."""
    if not isinstance(key, str) or not key.strip():
        raise Unauthorized("there is no key")
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Unauthorized("the key holds a space or a character that no key has")
    return Secret(key, also)


def checked_url(url: str) -> str:
    """Take a base URL: https, or http on this machine; `/api/v1` at its end is understood."""
    base = _base(url) if isinstance(url, str) else None
    if base is None:
        wanted = (
            "should be https://host, without user or query (http only on this machine: the key "
            "would travel in clear text)"
        )
        raise InvalidRequest("the client's first request", [Problem("base_url", wanted)])
    return base


def _base(url: str) -> str | None:
    url = url.strip()
    if not url.isprintable() or " " in url:
        return None
    try:
        parts = yarl.URL(url)
    except ValueError:
        return None
    allowed = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.host or ""))
    if not allowed or not parts.host or parts.user or parts.password or parts.query_string:
        return None
    return str(parts.with_fragment(None)).rstrip("/").removesuffix("/api/v1").rstrip("/")


def checked_number(name: str, value: float, *, zero: bool = False) -> float:
    """Take a setting: a finite number above 0, or 0 itself where that means something."""
    good = isinstance(value, int | float) and math.isfinite(value)
    if not good or value < 0 or (value == 0 and not zero):
        problem = Problem(name, f"should be a number {'from 0 on' if zero else 'above 0'}")
        raise InvalidRequest("the client's first request", [problem])
    return float(value)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to reach the service, and for a whole reply (an upload takes about 20)."""

    connect: float = 10.0
    reply: float = 60.0

    def for_aiohttp(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=self.connect + self.reply, connect=self.connect)


@dataclasses.dataclass(frozen=True, slots=True)
class _ManagedSession:
    """A session, and the generator that closes it: by `aclose`, or when its loop ends."""

    session: aiohttp.ClientSession
    keeper: AsyncGenerator[aiohttp.ClientSession, None]

    async def close(self) -> None:
        await self.keeper.aclose()


async def _keeper(session: aiohttp.ClientSession) -> AsyncGenerator[aiohttp.ClientSession, None]:
    async with session:
        yield session


class Transport:
    """Sends calls and reads their replies.

    Parameters
    ----------
    base_url, secret, timeouts
        Where, as whom, and how patiently.
    speed
        How many times faster than ours the service's clock runs (the simulator's does): every
        wait is divided by it.
    """

    def __init__(self, base_url: str, secret: Secret, timeouts: Timeouts, speed: float) -> None:
        self.base_url = base_url
        self.secret = secret
        self.timeouts = timeouts
        self.speed = speed
        self.closed = False
        self._sessions: dict[tuple[asyncio.AbstractEventLoop, bool], _ManagedSession] = {}

    async def session(self, *, paid: bool = False) -> aiohttp.ClientSession:
        """The running loop's session for paid calls, or for others; made at its first use.

        A paid call gets a connection of its own: on a kept one, which the server may be closing
        at that moment, it could get lost. Nor does it ever wait behind downloads.
        """
        if self.closed:
            raise ClientClosed("the client is closed")
        for where in [where for where in self._sessions if where[0].is_closed()]:
            self._sessions.pop(where, None)
        where = (asyncio.get_running_loop(), paid)
        if where not in self._sessions:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=True) if paid else None,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self.timeouts.for_aiohttp(),
                headers={"User-Agent": "musicapi_nb"},
            )
            self._sessions[where] = kept = _ManagedSession(session, _keeper(session))
            await anext(kept.keeper)
        return self._sessions[where].session

    async def close(self) -> None:
        """Close the sessions of all loops."""
        self.closed = True
        here = asyncio.get_running_loop()
        for (loop, _), kept in list(self._sessions.items()):
            if loop is not here and loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(kept.close(), loop)
                with contextlib.suppress(TimeoutError):  # a loop that someone blocks
                    await asyncio.wait_for(asyncio.wrap_future(closing), self.timeouts.connect)
            else:
                with contextlib.suppress(RuntimeError):  # sockets of a loop that is gone
                    await kept.close()
        self._sessions.clear()

    def now(self) -> float:
        """Seconds of the service's clock, from some instant on."""
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait for seconds of the service's clock."""
        await asyncio.sleep(seconds / self.speed)

    async def exchange(self, call: wire.Call, read: Callable[[int, Any], _Result]) -> _Result:
        """Send a call; return what `read` makes of its status and payload.

        A GET is tried again while that can help. A paid call is tried again only when no
        connection came about, so that it provably never left.

        Raises
        ------
        Unreachable
            No connection came about, or a GET stayed without a reply.
        LostReply
            A paid call may have arrived, but its reply did not.
        MusicAPIError
            The reply is an error, or `read` could make nothing of it.
        """
        return await self.with_retries(lambda: self.send(call, read), paid=call.paid)

    async def with_retries(
        self, attempt: Callable[[], Awaitable[_Result]], *, paid: bool
    ) -> _Result:
        """Make an attempt, and again while the error `is_transient`, at most five times in all."""
        for number in range(1, _ATTEMPTS):
            try:
                return await attempt()
            except MusicAPIError as error:
                if not is_transient(error, paid=paid):
                    raise
                await self.sleep(_pause(error, number))
        return await attempt()

    async def send(self, call: wire.Call, read: Callable[[int, Any], _Result]) -> _Result:
        """Make one attempt of `exchange`."""
        try:
            status, headers, body = await self._carried(call)
            payload = wire.read_response(
                status,
                headers,
                body,
                paid=call.paid,
                poll_by_repost=call.poll_by_repost,
                now=time.time(),
            )
            return read(status, payload)
        except MusicAPIError as error:
            if isinstance(error, RetiredOperation) and (living := replacement_for(call.path)):
                error.set_message(f"{error.message.rstrip('. ')}; {living}")
            self.secret.redact_error(error)
            raise

    async def _carried(self, call: wire.Call) -> tuple[int, Mapping[str, str], bytes]:
        session = await self.session(paid=call.paid)
        try:
            async with session.request(
                call.method,
                f"{self.base_url}{call.path}",
                data=call.body,
                headers={**_headers(call), **self.secret.auth_headers()},
                allow_redirects=False,  # a redirect would carry key and request elsewhere
            ) as reply:
                body = await _body(reply, paid=call.paid)
        except _NEVER_LEFT as error:
            cause = self._cause(error)
            raise Unreachable(f"{self.base_url} cannot be reached ({cause})") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            what, cause = f"{call.method} {call.path}", self._cause(error)
            if call.paid:
                raise LostReply(
                    f"the reply to {what} was lost ({cause})", may_have_cost=True
                ) from None
            raise Unreachable(f"no reply to {what} ({cause})") from None
        clean = self.secret.redact
        headers = {name.lower(): clean(value) for name, value in reply.headers.items()}
        return reply.status, headers, self.secret.redact_body(body)

    def _cause(self, error: BaseException) -> str:
        said = " ".join(self.secret.redact(str(error)).split())[:_LONGEST_CAUSE]
        return f"{type(error).__name__}: {said}" if said else type(error).__name__


# Raised by aiohttp while it looks up, connects or shakes hands: not a byte of the request left.
_NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


def _headers(call: wire.Call) -> dict[str, str]:
    accepted = {"Accept": "application/json"}
    return {**accepted, "Content-Type": "application/json"} if call.body is not None else accepted


def is_transient(error: MusicAPIError, *, paid: bool = False) -> bool:
    """Whether the same call may be made again, and may then end otherwise."""
    if paid:
        return isinstance(error, Unreachable)
    return isinstance(error, Unreachable | RateLimited | ServerError | UnexpectedReply)


def _pause(error: MusicAPIError, number: int) -> float:
    """Seconds until the next attempt: as told, up to a cap, or doubling; with jitter."""
    if (told := error.retry_after) is not None:
        return min(told, _LONGEST_TOLD) + random.uniform(0.0, _FIRST_PAUSE)  # noqa: S311
    return min(_FIRST_PAUSE * 2.0**number, _LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311


async def _body(reply: aiohttp.ClientResponse, *, paid: bool) -> bytes:
    """Read a reply's body; of a refused paid call, which the status alone settles, what came."""
    try:
        return await read_bounded(reply.content, LARGEST_REPLY)
    except (aiohttp.ClientError, TimeoutError, OSError):
        if paid and wire.refuses(reply.status):
            return b""
        raise


async def read_bounded(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Read a body, at most `limit` bytes of it."""
    parts: list[bytes] = []
    left = limit
    while left > 0 and (part := await content.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
