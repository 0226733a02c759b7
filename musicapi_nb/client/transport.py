"""Carries calls over one aiohttp session for each loop; knows what may be sent again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ipaddress
import random
import time
import weakref
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import aiohttp

from musicapi_nb import wire
from musicapi_nb.errors import (
    Closed,
    InvalidRequest,
    LostReply,
    MusicAPIError,
    Problem,
    RateLimited,
    ServerError,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

BASE_URL = "https://api.musicapi.ai"
LARGEST_REPLY = 32 * 1024 * 1024
_ATTEMPTS = 5
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_TOLD = 0.5, 30.0, 60.0
_Result = TypeVar("_Result")


class Secret:
    """The key: printable nowhere, readable only where a call is sent."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def __repr__(self) -> str:
        return "[key]"

    def __reduce__(self) -> Any:
        raise TypeError("the key is not to be pickled")

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.__value}"}

    def removed_from(self, body: bytes) -> bytes:
        """Take the key out of what a server may have echoed."""
        return body.replace(self.__value.encode(), b"[key]")


def checked_key(key: str) -> Secret:
    """Take a key, or say what is wrong with it without showing it."""
    if not isinstance(key, str) or not key.strip():
        raise Unauthorized("there is no key")
    key = key.strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise Unauthorized("the key holds a space or a character that no key has")
    return Secret(key)


def checked_url(url: str) -> str:
    """Take a base URL: https, or http on this machine; `/api/v1` at its end is understood."""
    parts = urlsplit(url if isinstance(url, str) else "")
    base = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/api/v1')}"
    if parts.scheme == "https" and parts.hostname:
        return base
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return base
    problem = Problem("base_url", "should be https://... (http only on this machine: the key "
                      "would travel in clear text)")  # fmt: skip
    raise InvalidRequest("the client's first request", [problem])


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
        self._sessions: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, aiohttp.ClientSession
        ] = weakref.WeakKeyDictionary()

    def session(self) -> aiohttp.ClientSession:
        """The running loop's session, made at its first use."""
        if self.closed:
            raise Closed("the client is closed")
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            session = self._sessions[loop] = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self.timeouts.for_aiohttp(),
                headers={"User-Agent": "musicapi_nb"},
            )
        return session

    async def close(self) -> None:
        """Close the sessions of all loops."""
        self.closed = True
        for loop, session in list(self._sessions.items()):
            if loop is asyncio.get_running_loop() or loop.is_closed():
                with contextlib.suppress(RuntimeError):  # sockets of a loop that is gone
                    await session.close()
            else:
                closing = asyncio.run_coroutine_threadsafe(session.close(), loop)
                await asyncio.wait_for(asyncio.wrap_future(closing), self.timeouts.connect)
        self._sessions.clear()

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

        async def attempt() -> _Result:
            return read(*await self._once(call))

        return await self.retried(attempt, paid=call.paid)

    async def retried(self, attempt: Callable[[], Awaitable[_Result]], *, paid: bool) -> _Result:
        """Make an attempt, and again while the error `is_transient`, at most five times in all."""
        for number in range(1, _ATTEMPTS):
            try:
                return await attempt()
            except MusicAPIError as error:
                if not is_transient(error, paid=paid):
                    raise
                await self.sleep(_pause(error, number))
        return await attempt()

    async def _once(self, call: wire.Call) -> tuple[int, Any]:
        try:
            async with self.session().request(
                call.method,
                f"{self.base_url}{call.path}",
                data=call.body,
                headers={**_headers(call), **self.secret.headers()},
                allow_redirects=False,  # a redirect would carry key and request elsewhere
            ) as reply:
                body = await read_bounded(reply.content, LARGEST_REPLY)
        except _NEVER_LEFT as error:
            raise Unreachable(f"{self.base_url} cannot be reached ({_cause(error)})") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if call.paid:
                raise LostReply(
                    f"the reply to {call.method} {call.path} was lost ({_cause(error)})",
                    may_have_cost=True,
                ) from None
            raise Unreachable(f"no reply to {call.method} {call.path} ({_cause(error)})") from None
        headers = {name.lower(): value for name, value in reply.headers.items()}
        body = self.secret.removed_from(body)
        return reply.status, wire.read(reply.status, headers, body, paid=call.paid, now=time.time())


# Raised by aiohttp while it looks up, connects or shakes hands: not a byte of the request left.
_NEVER_LEFT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


def _headers(call: wire.Call) -> dict[str, str]:
    accepted = {"Accept": "application/json"}
    return {**accepted, "Content-Type": "application/json"} if call.body is not None else accepted


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def is_transient(error: MusicAPIError, *, paid: bool = False) -> bool:
    """Whether the same call may be made again, and may then end otherwise."""
    if paid:
        return isinstance(error, Unreachable)
    return isinstance(error, Unreachable | RateLimited | ServerError | UnexpectedReply)


def _pause(error: MusicAPIError, number: int) -> float:
    """Seconds until the next attempt: as told, up to a cap, or doubling, with jitter."""
    told = error.retry_after if isinstance(error, RateLimited) else None
    if told is not None:
        return min(told, _LONGEST_TOLD)
    return min(_FIRST_PAUSE * 2.0**number, _LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311


async def read_bounded(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Read a body, at most `limit` bytes of it."""
    parts: list[bytes] = []
    left = limit
    while left > 0 and (part := await content.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
