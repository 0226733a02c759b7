"""Rate limiter, loops, sessions and settings of a client."""

import asyncio
import contextlib
import gc
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Self

import pytest

from musicapi_nb.client import BASE_URL, MusicAPI
from musicapi_nb.client.rate_limit import LocalRateLimiter
from musicapi_nb.errors import ClientClosed, InvalidRequest, MusicAPIError
from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from tests.raw_http_server import AGES, KEY, SONG, Connection, answers, client, peer, reply

INTERVAL = 0.03
CLOCK_TICK = 0.002  # asyncio may wake this much early


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(speed=100_000, balance=10_000)) as running:
        yield running


# --- rate limit ----------------------------------------------------------------------------


class Arrivals:
    """A behaviour that records the time and content of each POST."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.asked: list[bytes] = []

    async def __call__(self, connection: Connection) -> None:
        if request := await connection.request():
            self.times.append(time.monotonic())
            self.asked.append(request)
            await connection.send(reply())

    def assert_paced(self, start: float) -> None:
        """Assert that no request came before its slot."""
        early = [start + slot * INTERVAL - arrival for slot, arrival in enumerate(self.times)]
        assert max(early) < CLOCK_TICK


def _song(number: int) -> Any:
    return type(SONG)(custom_mode=False, gpt_description_prompt=f"song {number:02}", mv="sonic-v5")


async def test_submits_are_ordered_and_spaced() -> None:
    arrivals = Arrivals()
    async with peer(arrivals) as server, client(server.url, pace=INTERVAL * 10, speed=10) as api:
        start = time.monotonic()
        await asyncio.gather(*(api.submit(_song(number)) for number in range(10)))
    arrivals.assert_paced(start)
    assert len(arrivals.asked) == 10
    for number, request in enumerate(arrivals.asked):
        assert f"song {number:02}".encode() in request


async def test_free_calls_are_not_rate_limited() -> None:
    async with (
        asyncio.timeout(20),
        peer(answers(reply({"credits": 1}))) as server,
        client(server.url, pace=3600, speed=1) as api,
    ):
        for _ in range(5):
            await api.credits()


async def test_invalid_request_takes_no_slot() -> None:
    async with (
        asyncio.timeout(20),
        peer(answers(reply())) as server,
        client(server.url, pace=3600, speed=1) as api,
    ):
        for _ in range(3):
            with pytest.raises(InvalidRequest):
                await api.submit(type(SONG)())
        await api.submit(SONG)


def test_loops_share_one_rate_limit() -> None:
    times: list[float] = []
    lock = threading.Lock()
    pace = LocalRateLimiter(INTERVAL)

    async def take() -> None:
        for _ in range(4):
            await pace.acquire()
            with lock:
                times.append(time.monotonic())

    start = time.monotonic()
    threads = [threading.Thread(target=lambda: asyncio.run(take())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == 12
    early = [start + slot * INTERVAL - arrival for slot, arrival in enumerate(sorted(times))]
    assert max(early) < CLOCK_TICK


def test_slots_are_spaced_on_any_clock() -> None:
    pace = LocalRateLimiter(3.0)
    assert [pace.reserve(100.0) for _ in range(4)] == [100.0, 103.0, 106.0, 109.0]
    assert pace.reserve(200.0) == 200.0
    assert pace.reserve(200.5) == 203.0
    assert [LocalRateLimiter(0.0).reserve(5.0) for _ in range(3)] == [5.0] * 3


def test_released_slot_is_reserved_next_unless_past() -> None:
    pace = LocalRateLimiter(3.0)
    places = [pace.reserve(0.0) for _ in range(5)]
    for slot in (places[4], places[1], places[2]):
        pace.release(slot)
    assert [pace.reserve(4.0) for _ in range(3)] == [6.0, 12.0, 15.0]


async def test_cancelled_waiter_does_not_delay_the_next() -> None:
    pace = LocalRateLimiter(3600.0)
    await pace.acquire()
    waiting = [asyncio.create_task(pace.acquire()) for _ in range(50)]
    await asyncio.sleep(0)
    for first in waiting:
        first.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    now = time.monotonic()
    assert pace.reserve(now) - now <= 3600.0


# --- loops and sessions --------------------------------------------------------------------


@contextlib.contextmanager
def nothing_left_open() -> Iterator[None]:
    """Fail on any warning, including those of the garbage collector."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        for _ in range(3):
            gc.collect()
    assert [str(warning.message) for warning in caught] == []


async def _use(api: MusicAPI) -> None:
    await api.credits()
    await api.wait(await api.submit(SONG), deadline=AGES)
    await asyncio.gather(*(api.credits() for _ in range(5)))


def test_client_works_on_several_loops(sim: Simulator) -> None:
    with nothing_left_open():
        api = client(sim.url, speed=sim.speed)
        for _ in range(3):
            asyncio.run(_use(api))
        assert len(api._transport._sessions) <= 2  # sessions of closed loops are dropped
        asyncio.run(api.close())
        del api
    assert len(sim.request_log.posts) == 3


def test_unclosed_client_leaves_nothing_open(sim: Simulator) -> None:
    with nothing_left_open():
        asyncio.run(_use(client(sim.url, speed=sim.speed)))


def test_client_context_leaves_nothing_open(sim: Simulator) -> None:
    async def main() -> None:
        async with client(sim.url, speed=sim.speed) as api:
            await _use(api)

    with nothing_left_open():
        asyncio.run(main(), debug=True)


class Thread:
    """A loop in a thread, as in the notebook package."""

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        return self

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    def __exit__(self, *_: object) -> None:
        self.run(self.loop.shutdown_asyncgens())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


def test_client_serves_two_loops_at_once_and_closes_both(sim: Simulator) -> None:
    with nothing_left_open(), Thread() as first, Thread() as other:
        api = client(sim.url, speed=sim.speed)
        both = [
            asyncio.run_coroutine_threadsafe(_use(api), thread.loop) for thread in (first, other)
        ]
        for using in both:
            using.result(timeout=30)
        assert len({loop for loop, _ in api._transport._sessions}) == 2
        first.run(api.close())
        assert not api._transport._sessions
        for thread in (first, other):
            with pytest.raises(ClientClosed):
                thread.run(api.credits())
    assert len(sim.request_log.posts) == 2


def test_closing_waits_for_submits_of_another_loop(sim: Simulator) -> None:
    sim.faults.arm("slow_reply", seconds=sim.speed * 0.2)
    with nothing_left_open(), Thread() as first, Thread() as other:
        api = client(sim.url, speed=sim.speed)
        submitting = asyncio.run_coroutine_threadsafe(api.submit(SONG), first.loop)
        while not sim.request_log.posts:
            pass
        other.run(api.close())
        assert submitting.result(timeout=0).id


async def test_loop_has_one_session() -> None:
    async with peer(answers(reply({"credits": 1}))) as server, client(server.url) as api:
        for _ in range(5):
            await api.credits()
        assert len(server.connections) == 1
        assert await api._transport.session() is await api._transport.session()
        assert await api._transport.session("paid") is not await api._transport.session()


async def test_simultaneous_calls_share_a_session() -> None:
    async with client("http://127.0.0.1:1") as api:
        sessions = await asyncio.gather(*(api._transport.session() for _ in range(5)))
    assert len(set(map(id, sessions))) == 1


CALLS: list[Callable[[MusicAPI], Coroutine[Any, Any, object]]] = [
    lambda api: api.submit(SONG),
    lambda api: api.run(SONG),
    lambda api: api.credits(),
    lambda api: api.poll("some-id", engine="sonic"),
    lambda api: api.download("http://127.0.0.1:1/x.mp3", "/tmp/never"),  # noqa: S108 - not made
]


async def test_closed_client_sends_nothing() -> None:
    async with peer(answers(reply())) as server:
        api = client(server.url, pace=3600, speed=1)
        await api.submit(SONG)
        await api.close()
        await api.close()
        for call in CALLS:
            with pytest.raises(ClientClosed, match="closed"):
                await call(api)
        assert server.posts == len(server.requests) == 1


async def test_closing_ends_polls() -> None:
    polled = asyncio.Event()

    async def behave(connection: Connection) -> None:
        await connection.request()
        polled.set()
        await connection.drain()

    async with peer(behave) as server:
        api = client(server.url)
        polling = asyncio.create_task(api.poll("some-id", engine="sonic"))
        await polled.wait()
        await api.close()
        with pytest.raises(MusicAPIError):
            await polling


async def test_cookies_are_not_kept() -> None:
    baked = reply({"credits": 1}, headers={"Set-Cookie": "session=1; Path=/"})
    async with peer(answers(baked)) as server, client(server.url) as api:
        await api.credits()
        await api.credits()
    assert b"ookie" not in server.received


async def test_clients_leak_no_memory() -> None:
    async with peer(answers(reply({"credits": 1}))) as server:

        async def use_client() -> None:
            async with client(server.url) as api:
                await api.credits()
            server.connections.clear()

        await use_client()
        tracemalloc.start()
        try:
            await use_client()
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(20):
                await use_client()
            gc.collect()
            expand = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert expand < 20 * 10_000


# --- settings ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.musicapi.ai", "https://api.musicapi.ai"),
        ("https://api.musicapi.ai/", "https://api.musicapi.ai"),
        ("https://api.musicapi.ai/api/v1", "https://api.musicapi.ai"),
        ("https://api.musicapi.ai/api/v1/", "https://api.musicapi.ai"),
        ("https://proxy.example/music/api/v1/", "https://proxy.example/music"),
        ("HTTPS://API.MusicAPI.ai", "https://api.musicapi.ai"),
        ("https://api.musicapi.ai:8443", "https://api.musicapi.ai:8443"),
        (" https://api.musicapi.ai\n", "https://api.musicapi.ai"),
        ("http://127.0.0.1:8765", "http://127.0.0.1:8765"),
        ("http://127.5.5.5:8765/api/v1", "http://127.5.5.5:8765"),
        ("http://localhost:8765", "http://localhost:8765"),
        ("http://[::1]:8765/", "http://[::1]:8765"),
    ],
)
def test_base_url_is_normalized(url: str, base: str) -> None:
    assert MusicAPI(KEY, base_url=url).base_url == base


def test_default_base_url_is_the_service() -> None:
    assert MusicAPI(KEY).base_url == BASE_URL == "https://api.musicapi.ai"


@pytest.mark.parametrize(
    "url",
    [
        "http://api.musicapi.ai",
        "http://192.168.1.5:8000",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1@evil.example",
        "http://[::2]",
        "http://0.0.0.0",
        "api.musicapi.ai",
        "//api.musicapi.ai",
        "ftp://api.musicapi.ai",
        "file:///etc",
        "javascript:1",
        "https://",
        "https://:443",
        "https:///path",
        "https://user:pass@api.musicapi.ai",
        "",
        "https://user@api.musicapi.ai",
        "https://api.musicapi.ai?key=1",
        "https://api.musicapi.ai:99999",
        "https://[::1",
        "https://a b.example",
        "https://.example",
        "https://a..example",
        f"https://{'a' * 64}.example",
        "https://api.musicapi.ai\r\nHost: evil",
        None,
        7,
    ],
)
def test_base_url_that_would_leak_the_key_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="base_url") as caught:
        MusicAPI(KEY, base_url=url)
    assert isinstance(caught.value, ValueError)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "/", "/api/v1", "/api/v1/", "/behind/a/proxy"])
async def test_paths_are_appended_to_the_base_url(path: str) -> None:
    async with peer(answers(reply({"credits": 1}))) as server, client(server.url + path) as api:
        await api.credits()
    expected = "/behind/a/proxy" if "proxy" in path else ""
    assert server.requests == [("GET", f"{expected}/api/v1/get-credits")]


@pytest.mark.parametrize("name", ["connect_timeout", "reply_timeout", "pace", "speed"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "3", None])
def test_invalid_setting_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=name):
        client(BASE_URL, **{name: value})


@pytest.mark.parametrize("name", ["connect_timeout", "reply_timeout", "speed"])
def test_zero_timeout_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=name):
        client(BASE_URL, **{name: 0})
