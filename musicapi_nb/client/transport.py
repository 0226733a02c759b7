"""HTTP: one aiohttp session for each event loop, and the errors of failed exchanges."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import re
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, Literal, NamedTuple, NoReturn, TypeAlias, TypeVar

import aiohttp
import yarl

from musicapi_nb import wire
from musicapi_nb.client.host_queue import HostQueue
from musicapi_nb.client.network import LinkOpener, Network, check_host, is_loopback
from musicapi_nb.client.retry import RetryPolicy
from musicapi_nb.engines.values import plain_value
from musicapi_nb.errors import (
    CertificateRefused,
    ClientClosed,
    InvalidRequest,
    LostReply,
    MusicAPIError,
    Problem,
    RetiredOperation,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
    refuse_copy,
)
from musicapi_nb.refusals import replacement_for
from musicapi_nb.secret import HiddenBytes, Secret

BASE_URL = "https://api.musicapi.ai"
LARGEST_REPLY = 32 * 1024 * 1024
_OPERATION = "the client's first request"
_LONGEST_CAUSE = 200
# aiohttp raises these during lookup, connect or TLS handshake: no byte of the request was sent.
# ClientHttpProxyError: the proxy refused the tunnel through which it would have been sent.
_UNSENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)
_Result = TypeVar("_Result")
_Closer: TypeAlias = AsyncGenerator[aiohttp.ClientSession, None]
_Purpose: TypeAlias = Literal["paid", "free", "file"]
_LoopKey: TypeAlias = tuple[asyncio.AbstractEventLoop, _Purpose]


def parse_key(key: Secret, other: Secret | None = None) -> Secret:
    """Check an API key; see `Secret` for `other`. Errors do not show the key."""
    secret, problem = key.as_api_key(other)
    if problem:
        raise Unauthorized(problem)
    return secret


def parse_base_url(url: str) -> str:
    """Check a base URL and drop a trailing `/api/v1`: https, or http on this machine."""
    text = url.strip() if isinstance(url, str) else ""
    with contextlib.suppress(ValueError):
        parts = yarl.URL(text)
        check_host(parts)
        secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.host))
        plain = text.isprintable() and not (parts.user or parts.password or parts.query_string)
        if parts.host and secure and plain and " " not in text:
            return str(parts.with_fragment(None)).rstrip("/").removesuffix("/api/v1").rstrip("/")
    if "//" not in text and "@" not in text:
        message = f"lacks http:// or https:// before {text:.80}"
        raise InvalidRequest(_OPERATION, [Problem("base_url", message)])
    message = (
        "must be https://host, without user or query (http only on this machine: it would "
        "send the key in clear text)"
    )
    raise InvalidRequest(_OPERATION, [Problem("base_url", message)])


def parse_number(name: str, value: float, *, zero: bool = False) -> float:
    """Check a setting: a finite number above 0, or 0 itself if `zero` is allowed."""
    value = plain_value(value)
    valid = isinstance(value, int | float) and math.isfinite(value)
    if not valid or value < 0 or (value == 0 and not zero):
        problem = Problem(name, f"must be a number, {'0 or more' if zero else 'more than 0'}")
        raise InvalidRequest(_OPERATION, [problem])
    return float(value)


class Timeouts(NamedTuple):
    """Seconds to connect, and for a whole reply (an upload takes about 20)."""

    connect: float
    reply: float


async def _closer(session: aiohttp.ClientSession) -> _Closer:
    """Close a session when this generator is closed: by `close`, or by the end of its loop."""
    async with session:
        yield session


async def _close(closer: _Closer) -> None:
    await closer.aclose()


class Transport:
    """Sends calls and reads their replies. `retry` decides which calls are sent again."""

    def __init__(  # noqa: PLR0913 - independent settings
        self,
        base_url: str,
        secret: Secret,
        timeouts: Timeouts,
        retry: RetryPolicy,
        network: Network,
        *,
        simulated: bool,
    ) -> None:
        self.base_url = base_url
        self.network = network
        self.links: LinkOpener = LinkOpener(network, yarl.URL(base_url), local=simulated)
        self._hosts: dict[tuple[asyncio.AbstractEventLoop, str], HostQueue] = {}
        self.secret = secret
        self.timeouts = timeouts
        self.retry = retry
        self.speed: float = retry.speed
        self.closed: bool = False
        self._process = os.getpid()
        self._sessions: dict[_LoopKey, tuple[aiohttp.ClientSession, _Closer]] = {}

    __reduce_ex__: Callable[..., NoReturn] = refuse_copy

    async def session(self, purpose: _Purpose = "free") -> aiohttp.ClientSession:
        """Return the running loop's session for paid calls, for free ones, or for files.

        Each paid call opens a connection. On a reused one, which the server may be closing at that
        moment, the call could get lost; and it would wait behind downloads.
        """
        if self.closed:
            raise ClientClosed("the client is closed")
        for key in [key for key in self._sessions if key[0].is_closed()]:
            self._sessions.pop(key, None)
        key = (asyncio.get_running_loop(), purpose)
        if key not in self._sessions:
            from musicapi_nb import __version__  # noqa: PLC0415 - takes 8 ms

            connect, reply = self.timeouts
            session = aiohttp.ClientSession(
                connector=self._connector(purpose),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=connect + reply, connect=connect),
                headers={"User-Agent": f"musicapi_nb/{__version__}"},
            )
            closer = _closer(session)
            self._sessions[key] = session, closer
            await anext(closer)
        return self._sessions[key][0]

    def _connector(self, purpose: _Purpose) -> aiohttp.TCPConnector | None:
        if purpose == "file":
            return self.links.connector()
        return aiohttp.TCPConnector(limit=0, force_close=True) if purpose == "paid" else None

    def host_queue(self, host: str) -> HostQueue:
        """Return the running loop's queue of downloads from a host."""
        for key in [key for key in self._hosts if key[0].is_closed()]:
            self._hosts.pop(key, None)
        key = (asyncio.get_running_loop(), host)
        retry = self.retry
        return self._hosts.setdefault(
            key, HostQueue(lambda seconds: retry.sleep(seconds * retry.speed))
        )

    async def close(self) -> None:
        """Close the sessions of all loops."""
        self.closed = True
        running = asyncio.get_running_loop()
        for (loop, _), (_, closer) in list(self._sessions.items()):
            if loop is not running and self._process != os.getpid():
                continue  # a fork: its parent runs that loop
            if loop is not running and loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(_close(closer), loop)
                with contextlib.suppress(TimeoutError):  # something blocks that loop
                    await asyncio.wait_for(asyncio.wrap_future(closing), self.timeouts.connect)
            else:
                with contextlib.suppress(RuntimeError):  # the loop of these sockets is closed
                    await closer.aclose()
        self._sessions.clear()

    def now(self) -> float:
        """Return seconds of the service's clock, from an arbitrary start."""
        return time.monotonic() * self.speed

    async def exchange(self, call: wire.Call, parse: Callable[[int, Any], _Result]) -> _Result:
        """Send a call, again where `RetryPolicy` allows it; return what `parse` returns.

        `parse` is called with the status and the payload of the reply. Raise `LostReply` if a paid
        call may have arrived but its reply did not, `Unreachable` if there was no connection or no
        reply to a GET, and another `MusicAPIError` if the reply is one or cannot be parsed.
        """
        return await self.retry.call(lambda: self.send(call, parse), paid=call.paid)

    async def send(self, call: wire.Call, parse: Callable[[int, Any], _Result]) -> _Result:
        """Send a call once; as `exchange`."""
        try:
            status, headers, body = await self._http(call)
            payload = wire.read_response(
                status,
                headers,
                body,
                paid=call.paid,
                poll_by_repost=call.poll_by_repost,
                now=time.time(),
            )
            try:
                return parse(status, payload)
            except UnexpectedReply:
                refusal = wire.refusal_in(payload, status, headers, body, time.time())
                if refusal is None:
                    raise
                raise refusal from None
        except MusicAPIError as error:
            if isinstance(error, RetiredOperation) and (advice := replacement_for(call.path)):
                error.set_message(f"{error.message.rstrip('. ')}; {advice}")
            self.secret.redact_error(error)
            raise

    async def _http(self, call: wire.Call) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers (names in lower case) and body, without the key."""
        session = await self.session("paid" if call.paid else "free")
        url = yarl.URL(f"{self.base_url}{call.path}", encoded=True)
        network = self.network.options(url)
        received = bytearray()
        try:
            async with session.request(
                call.method,
                url,
                data=call.body and HiddenBytes(call.body),
                headers={**_headers(call), **self.secret.auth_headers()},
                allow_redirects=False,  # a redirect would take key and request elsewhere
                **network,
            ) as reply:
                body = await _body(reply, received, paid=call.paid)
        except _UNSENT as error:
            way, cause = self.network.describe_proxy(url), self._unsent_cause(error)
            refused = isinstance(error, aiohttp.ClientConnectorCertificateError)
            kind = CertificateRefused if refused else Unreachable
            unsent = kind(f"No connection to {url.authority}{way} ({cause})")
            if call.paid and not refused:
                unsent.advice = f"Nothing was charged; run the cell again. {kind.advice}"
            raise unsent from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            cause = self._cause(error)
            if call.paid:
                message = f"The connection broke before the answer came ({cause})"
                start = self.secret.redact_cut_body(bytes(received)) or None
                raise LostReply(message, body=start, may_have_cost=True) from None
            raise Unreachable(
                f"No answer to {call.method} {call.path}, which is free ({cause})"
            ) from None
        redact = self.secret.redact
        headers = {name.lower(): redact(value) for name, value in reply.headers.items()}
        return reply.status, headers, self.secret.redact_body(body)

    def _unsent_cause(self, error: BaseException) -> str:
        """Explain in plain words why there is no connection, if the cause is a common one."""
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return "its name was not found"
        reason = getattr(error, "os_error", None)
        if not isinstance(reason, OSError) or isinstance(reason, ssl.SSLError) or not reason.errno:
            return self._cause(error)
        return os.strerror(reason.errno).lower()

    def _cause(self, error: BaseException) -> str:
        text = re.sub(r"//[^/@\s]*@", "//", self.secret.redact(str(error)))  # a proxy's password
        text = " ".join(text.split())[:_LONGEST_CAUSE]
        return text or type(error).__name__


def _headers(call: wire.Call) -> dict[str, str]:
    headers = {"Accept": "application/json"}
    return headers if call.body is None else {**headers, "Content-Type": "application/json"}


async def _body(reply: aiohttp.ClientResponse, received: bytearray, *, paid: bool) -> bytes:
    """Read a reply's body, also into `received`, which has the start of one that breaks off.

    It may break off if the status alone says that a paid call failed, but not in a list of steps:
    one may be done, and charged.
    """
    try:
        async for part in bounded_parts(reply.content, LARGEST_REPLY):
            received += part
    except (aiohttp.ClientError, TimeoutError, OSError):
        if paid and wire.refuses(reply.status) and b"step" not in received:
            return b""
        raise
    return bytes(received)


async def bounded_parts(content: aiohttp.StreamReader, limit: int) -> AsyncIterator[bytes]:
    """Yield a body in parts, at most `limit` bytes of it."""
    while limit > 0 and (part := await content.read(limit)):
        limit -= len(part)
        yield part
