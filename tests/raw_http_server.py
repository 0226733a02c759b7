"""HTTP servers that misbehave byte by byte, and a client with short delays."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from musicapi_nb import sonic
from musicapi_nb.client import MusicAPI

KEY = 'sk_live/9aZ+q"7\\w==KEY-4711'  # all characters that some encoder escapes
SONG = sonic.Create(custom_mode=False, gpt_description_prompt="rain on tin", mv="sonic-v5")
TASK_ID = "11111111-2222-3333-4444-555555555555"
AGES = 1e7  # simulated seconds: a deadline that no slow machine reaches
ACK = {"message": "success", "task_id": TASK_ID}
CLIP = {
    "clip_id": "c",
    "state": "succeeded",
    "title": "Rain",
    "tags": "jazz",
    "audio_url": "https://cdn1.suno.ai/c.mp3",
    "duration": 60.0,
}
DONE = {"code": 200, "message": "success", "data": [CLIP, {**CLIP, "clip_id": "d"}]}

_REQUEST_LINE = re.compile(rb"^(GET|POST) (\S+) HTTP/1\.1\r\n", re.MULTILINE)


def reply(
    body: Any = ACK, status: int = 200, headers: Mapping[str, str] | None = None, http: str = "1.1"
) -> bytes:
    """Return a complete HTTP reply; `body` is bytes or a JSON value."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/{http} {status} Whatever", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + content


class Connection:
    """An accepted connection, and all bytes received on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.received = b""
        self._read = 0

    async def _more(self) -> bool:
        part = await self.reader.read(65536)
        self.received += part
        return bool(part)

    async def until(self, number: int) -> None:
        """Wait for a number of bytes, or the end."""
        while len(self.received) < number and await self._more():
            pass

    async def request(self) -> bytes | None:
        """Wait for the next complete request; None at the end of the connection."""
        while (size := _size(self.received[self._read :])) is None:
            if not await self._more():
                return None
        start, self._read = self._read, self._read + size
        return self.received[start : self._read]

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read(self) -> bytes:
        """Return the next bytes, outside of requests; b"" at the end."""
        return await self.reader.read(65536)

    async def drain(self) -> None:
        """Read until the other side closes."""
        with contextlib.suppress(ConnectionError):
            while await self._more():
                pass

    def reset(self) -> None:
        self.writer.transport.abort()


def _size(data: bytes) -> int | None:
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    length = re.search(rb"(?i)content-length: (\d+)", head)
    body = int(length[1]) if length else 0
    return len(head) + len(end) + body if len(rest) >= body else None


Behaviour: TypeAlias = Callable[[Connection], Awaitable[None]]


class Peer:
    """A server on 127.0.0.1 that runs a behaviour for each connection."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.connections: list[Connection] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and target of every received request line."""
        return [
            (method.decode(), target.decode())
            for connection in self.connections
            for method, target in _REQUEST_LINE.findall(connection.received)
        ]

    @property
    def posts(self) -> int:
        return sum(method == "POST" for method, _ in self.requests)

    @property
    def received(self) -> bytes:
        return b"".join(connection.received for connection in self.connections)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for serving in self._serving:
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for connection in self.connections:
            connection.writer.close()
            with contextlib.suppress(ConnectionError):
                await connection.writer.wait_closed()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(reader, writer)
        self.connections.append(connection)
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        try:
            # `stop` cancels it, which asyncio would log as an error
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await self._behaviour(connection)
            writer.close()
        finally:
            self._serving.discard(serving)


@contextlib.asynccontextmanager
async def peer(behaviour: Behaviour) -> AsyncIterator[Peer]:
    server = Peer(behaviour)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def answers(*replies: bytes) -> Behaviour:
    """Answer requests in turn, over any number of connections; the last reply repeats."""
    left = list(replies)

    async def behave(connection: Connection) -> None:
        while await connection.request() is not None:
            await connection.send(left.pop(0) if len(left) > 1 else left[0])

    return behave


def once_each(*replies: bytes) -> Behaviour:
    """Answer one request per connection, then close it; the last reply repeats."""
    left = list(replies)

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(left.pop(0) if len(left) > 1 else left[0])

    return behave


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Pass all bytes of a connection to a port of this machine, and the answers back."""
    there, here = await asyncio.open_connection("127.0.0.1", port)
    returning = asyncio.create_task(_copy(there, writer))
    await _copy(reader, here)
    returning.cancel()
    here.close()
    writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


def client(base_url: str, **settings: Any) -> MusicAPI:
    """Return a client with delays of milliseconds, and timeouts that no busy machine reaches."""
    chosen = {"pace": 0, "speed": 1000, "connect_timeout": 60, "reply_timeout": 60, **settings}
    return MusicAPI(KEY, base_url=base_url, **chosen)


def names(folder: Path) -> list[str]:
    """Return the names in a folder, including hidden files."""
    return sorted(path.name for path in folder.iterdir())


@contextlib.asynccontextmanager
async def world(behaviour: Behaviour, **settings: float) -> AsyncIterator[tuple[Peer, MusicAPI]]:
    """Yield a misbehaving server and a client of it."""
    async with peer(behaviour) as server, client(server.url, **settings) as api:
        yield server, api


async def until(condition: Callable[[], object]) -> None:
    """Run the loop and its threads until a condition holds."""
    for _ in range(1_000_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition never held")


class Pauses(list[float]):
    """Replaces the delay between attempts: records it and returns at once."""

    def __init__(self, meanwhile: Iterable[Callable[[], Awaitable[None]]] = ()) -> None:
        super().__init__()
        self._meanwhile = iter(meanwhile)

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        if (happens := next(self._meanwhile, None)) is not None:
            await happens()
        await asyncio.sleep(0)


def timeless(
    api: MusicAPI,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Iterable[Callable[[], Awaitable[None]]] = (),
) -> Pauses:
    """Replace the delays of a client; run one of `meanwhile` in each."""
    pauses = Pauses(meanwhile)
    monkeypatch.setattr(api._transport.retry, "sleep", pauses)
    return pauses
