"""Every wait has an end: busy, slow and interrupted file hosts, and a service that asks to wait."""

import asyncio
import contextlib
import email.utils
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import musicapi_nb as mnb
from musicapi_nb.errors import DownloadFailed, RateLimited, Unreachable
from musicapi_nb.experiment import Experiment
from musicapi_nb.library import Library
from musicapi_nb.notebook.event_loop import BackgroundLoop
from musicapi_nb.notebook.session import Session
from musicapi_nb.plan import Plan
from tests.raw_http_server import (
    AGES,
    KEY,
    SONG,
    Connection,
    Peer,
    answers,
    client,
    names,
    once_each,
    peer,
    reply,
    timeless,
    until,
)

SOUND = b"ID3\x04" + bytes(range(256)) * 4000
HALF = 400_000
BASE = {"custom_mode": False, "gpt_description_prompt": "rain on tin"}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened


# --- busy hosts ----------------------------------------------------------------------------


class BusyHost:
    """A service whose file host answers 429 or 503 to more than `limit` simultaneous requests."""

    def __init__(self, limit: int, status: int = 429, retry_after: str = "1") -> None:
        self.limit, self.refusal = limit, reply(b"", status, {"Retry-After": retry_after})
        self.running = self.most = self.refused = self.tasks = 0

    async def __call__(self, connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            await connection.send(await self._answer(request))

    async def _answer(self, request: bytes) -> bytes:
        if request.startswith(b"POST"):
            self.tasks += 1
            return reply({"message": "success", "task_id": f"t{self.tasks}"})
        if b"/task/" in request:
            host = re.search(rb"Host: (\S+)", request)
            assert host is not None
            number = re.findall(rb"/task/t(\d+)", request)[0].decode()
            link = f"http://{host[1].decode()}/files/{number}"
            clips = [
                {"clip_id": f"{number}-{part}", "state": "succeeded", "title": "T"}
                | {"audio_url": f"{link}-{part}.m4a", "image_url": f"{link}-{part}.jpg"}
                for part in (1, 2)
            ]
            return reply({"code": 200, "message": "success", "data": clips})
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.running > self.limit:
                self.refused += 1
                return self.refusal
            for _ in range(20):
                await asyncio.sleep(0)
            if b".jpg" in request:
                return reply(b"\xff\xd8\xff" + request)
            return reply(b"\0\0\0\x20ftypM4A " + request)
        finally:
            self.running -= 1


@pytest.mark.parametrize(
    ("host", "takes"),
    [
        (BusyHost(9), 20),
        (BusyHost(2, retry_after="0"), 20),
        (BusyHost(1, 503, "2"), 20),
        (BusyHost(3), 100),
    ],
    ids=["idle", "two", "one at a time", "200 songs"],
)
async def test_resume_leaves_no_file_missing(
    host: BusyHost, takes: int, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = host.limit
    async with peer(host) as server:
        async with client(server.url, ledger=library) as api:
            for take in range(1, takes + 1):
                await api.submit(SONG, take=take)
        async with client(server.url, ledger=library) as api:
            timeless(api, monkeypatch)
            tasks = await api.resume(deadline=AGES)
    assert sum(len(task.songs) for task in tasks) == 2 * takes
    assert library.missing_files() == []
    assert host.most <= 4
    assert (host.refused > 0) == (limit < 4)


@pytest.mark.parametrize(
    "retry_after",
    ["86400", "301", email.utils.formatdate(time.time() + 90_000)],
    ids=["a day", "over five minutes", "a date"],
)
async def test_host_that_asks_for_a_long_pause_is_asked_once(
    retry_after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = reply(b"", 429, {"Retry-After": retry_after})
    async with peer(answers(refusal)) as server, client(server.url) as api:
        pauses = timeless(api, monkeypatch)
        for number in range(9):
            with pytest.raises(DownloadFailed, match=r"asks to wait .* download it again later"):
                await api.download(f"{server.url}/{number}.mp3", tmp_path)
        assert len(server.requests) == 1
        assert pauses == []


async def test_busy_host_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = reply(b"", 429, {"Retry-After": "30"})
    async with peer(answers(refusal)) as server, client(server.url) as api:
        pauses = timeless(api, monkeypatch)
        with pytest.raises(DownloadFailed, match="answered 429 and asks to wait 30 s"):
            await api.download(f"{server.url}/a.mp3", tmp_path)
    assert len(server.requests) == 9
    assert [round(pause / api.speed) for pause in pauses] == [30] * 8


# --- interrupted downloads -----------------------------------------------------------------

OFFER = {"Accept-Ranges": "bytes", "ETag": '"v1"'}
MODIFIED = {"Accept-Ranges": "bytes", "Last-Modified": "Wed, 21 Oct 2026 07:28:00 GMT"}


def cut(headers: dict[str, str]) -> bytes:
    complete = reply(SOUND, 200, headers)
    return complete[: complete.index(b"\r\n\r\n") + 4 + HALF]


def part(first: int, body: bytes = SOUND, **headers: str) -> bytes:
    span = {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"}
    return reply(body[first:], 206, {**span, **headers})


def ranges(received: bytes) -> list[bytes]:
    return re.findall(rb"(?im)^range: bytes=(\d+-)\r$", received)


async def test_interrupted_download_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It continues with the first missing byte, of the same version of the file."""

    async def serve(connection: Connection) -> None:
        request = await connection.request()
        assert request is not None
        offset = ranges(request)
        await connection.send(part(int(offset[0][:-1])) if offset else cut(OFFER))

    async with peer(serve) as server, client(server.url) as api:
        timeless(api, monkeypatch)
        path = await api.download(f"{server.url}/a.mp3", tmp_path)
    assert path.read_bytes() == SOUND
    assert len(server.requests) == 2
    (offset,) = ranges(server.received)
    assert 0 < int(offset[:-1]) <= HALF
    assert b'If-Range: "v1"' in server.received


@pytest.mark.parametrize(
    "headers", [{}, {"ETag": '"v1"'}, {"Accept-Ranges": "bytes", "ETag": 'W/"v1"'}]
)
async def test_download_starts_again_where_no_range_is_offered(
    headers: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with peer(once_each(cut(headers), reply(SOUND))) as server, client(server.url) as api:
        timeless(api, monkeypatch)
        path = await api.download(f"{server.url}/a.mp3", tmp_path)
    assert path.read_bytes() == SOUND
    assert ranges(server.received) == []


@pytest.mark.parametrize(
    "second",
    [
        reply(SOUND[::-1], 200, OFFER),  # another version, complete; its start is no audio
        reply(SOUND, 416),
        part(7),
        reply(SOUND[9:], 206),
        reply(SOUND[9:], 206, {"Content-Range": "bytes 9-10/x"}),
    ],
    ids=range(5),
)
async def test_another_part_is_not_appended(
    second: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour = once_each(cut(OFFER), second, reply(SOUND))
    async with peer(behaviour) as server, client(server.url) as api:
        timeless(api, monkeypatch)
        if b" 200 " in second[:20]:
            with pytest.raises(DownloadFailed, match="is not audio"):
                await api.download(f"{server.url}/a.mp3", tmp_path)
        else:
            path = await api.download(f"{server.url}/a.mp3", tmp_path)
            assert path.read_bytes() == SOUND


@pytest.mark.parametrize(
    ("offer", "etag", "parts"),
    [(OFFER, '"v1"', 1), (OFFER, '"v2"', 2), (OFFER, 'W/"v1"', 2), (MODIFIED, '"v2"', 2)],
    ids=["same", "another", "weak", "a tag where none was"],
)
async def test_part_of_another_version_is_not_appended(
    offer: dict[str, str], etag: str, parts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some hosts ignore If-Range."""
    other = SOUND[:4] + bytes(len(SOUND) - 4)

    async def serve(connection: Connection) -> None:
        request = await connection.request()
        assert request is not None
        if len(server.requests) == 1:
            await connection.send(cut(offer))
        elif offset := ranges(request):
            body = SOUND if parts == 1 else other
            await connection.send(part(int(offset[0][:-1]), body, ETag=etag))
        else:
            await connection.send(reply(other))

    async with peer(serve) as server, client(server.url) as api:
        timeless(api, monkeypatch)
        path = await api.download(f"{server.url}/a.mp3", tmp_path)
    assert path.read_bytes() == (SOUND if parts == 1 else other)
    assert len(server.requests) == 1 + parts


async def test_range_of_everything_is_accepted(tmp_path: Path) -> None:
    async with peer(answers(part(0))) as server, client(server.url) as api:
        path = await api.download(f"{server.url}/a.mp3", tmp_path)
    assert path.read_bytes() == SOUND


# --- closing -------------------------------------------------------------------------------


class CoverHost:
    """A service that sends only the start of a cover until `go` is set."""

    def __init__(self) -> None:
        self.go, self.begun = asyncio.Event(), asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            host = re.search(rb"Host: (\S+)", request)
            assert host is not None
            if request.startswith(b"POST"):
                await connection.send(reply())
            elif b".jpg" in request:
                picture = reply(b"\xff\xd8\xff" + bytes(9_000))
                await connection.send(picture[:5_000])
                self.begun.set()
                await self.go.wait()
                await connection.send(picture[5_000:])
            else:
                link = f"http://{host[1].decode()}/a"
                clips = [
                    {"clip_id": f"c{number}", "state": "succeeded", "image_url": f"{link}.jpg"}
                    | {"audio_url": "(not checked here)"}
                    for number in (1, 2)
                ]
                await connection.send(reply({"code": 200, "message": "success", "data": clips}))


async def test_closing_during_a_download_is_quiet_and_resume_continues(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    host = CoverHost()
    async with peer(host) as server:
        async with client(server.url, ledger=library, reply_timeout=2) as api:
            running = asyncio.create_task(api.run(SONG))
            await host.begun.wait()
            caplog.clear()
        await asyncio.wait([running])
        assert [record for record in caplog.records if record.levelname != "INFO"] == []
        assert [file.media for file in library.missing_files(["image"])] == ["image"] * 2
        host.go.set()
        async with client(server.url, ledger=library) as api:
            assert await api.resume(deadline=AGES) == []
        assert server.posts == 1
    assert library.missing_files(["image"]) == []


def test_session_closes_quietly_during_a_download(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host, loop = CoverHost(), asyncio.new_event_loop()
    server = loop.run_until_complete(_start(host))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        library = Library(tmp_path / "library")
        api = Session(client(server.url, ledger=library), BackgroundLoop(), library=library)
        api.run(SONG)
        asyncio.run_coroutine_threadsafe(host.begun.wait(), loop).result(60)
        caplog.clear()
        api.close()
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == []


async def _start(host: CoverHost) -> Peer:
    server = Peer(host)
    await server.start()
    return server


# --- slow hosts ----------------------------------------------------------------------------


async def test_trickling_file_ends(tmp_path: Path) -> None:
    async def trickle(connection: Connection) -> None:
        await connection.request()
        await connection.send(reply(SOUND)[:900])
        while True:
            await connection.send(b"x")
            await asyncio.sleep(0.01)

    async with peer(trickle) as server, client(server.url, reply_timeout=1) as api:
        with pytest.raises(DownloadFailed, match=r"is too slow \([1-9][\d,]* bytes/s\)"):
            await api.download(f"{server.url}/a.mp3", tmp_path)
    assert len(server.requests) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-A: "])
async def test_trickling_head_ends(
    start: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def trickle(connection: Connection) -> None:
        await connection.request()
        await connection.send(start)
        while True:
            await connection.send(b"a: b\r\n" if start.endswith(b"\n") else b"x")
            await asyncio.sleep(0.02)

    settings = {"connect_timeout": 0.1, "reply_timeout": 0.2}
    async with peer(trickle) as server, client(server.url, **settings) as api:
        pauses = timeless(api, monkeypatch)
        with pytest.raises(Unreachable, match="was interrupted"):
            await api.download(f"{server.url}/a.mp3", tmp_path)
    assert len(pauses) == 4  # between five attempts; on a busy machine one may end unconnected
    assert 1 <= len(server.requests) <= 5


async def test_fast_file_may_take_longer_than_a_reply(tmp_path: Path) -> None:
    async def serve(connection: Connection) -> None:
        await connection.request()
        data = reply(SOUND)
        for start in range(0, len(data), len(data) // 12):
            await connection.send(data[start : start + len(data) // 12])
            await asyncio.sleep(0.1)

    # The file takes 1.3 seconds.
    async with peer(serve) as server, client(server.url, reply_timeout=1) as api:
        path = await api.download(f"{server.url}/a.mp3", tmp_path)
    assert path.read_bytes() == SOUND


# --- a service that asks to wait -----------------------------------------------------------


@pytest.mark.parametrize(
    "retry_after",
    ["86400", "301", email.utils.formatdate(time.time() + 90_000, usegmt=True)],
    ids=["a day", "over five minutes", "a date"],
)
async def test_long_pause_is_an_error_at_once(
    retry_after: str, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    body: Any = {"message": "too many requests today"}
    refusal = reply(body, 429, {"Retry-After": retry_after})
    async with peer(answers(refusal)) as server, client(server.url, ledger=library) as api:
        pauses = timeless(api, monkeypatch)
        with pytest.raises(RateLimited, match="too many requests today; it asks to wait") as caught:
            await api.run(SONG)
        assert not caught.value.may_have_cost
        assert re.fullmatch(r"Nothing is bought until [\d:]{8}: .*\(429\)\.", api.pause_notice())
        assert server.posts == 1
        assert pauses == []
    assert [entry.state for entry in library.entries()] == ["refused"]


def test_card_says_until_when_nothing_is_bought(tmp_path: Path) -> None:
    """Also if another kernel's request was refused."""
    url = "http://127.0.0.1:1"
    with contextlib.closing(mnb.connect(KEY, base_url=url, library=tmp_path / "library")) as api:
        with Library(tmp_path / "library") as other:
            end = other.rate_limits.throttle(url, 200)
        job = api.run(SONG)
        deadline = time.monotonic() + 60  # of a busy machine
        while "until" not in repr(job) and time.monotonic() < deadline:
            time.sleep(0.02)
        texts = [repr(job), job._repr_html_()]
        job.cancel()
    clock = time.strftime("%H:%M:%S", time.localtime(end))
    assert all(f"Nothing is bought until {clock}" in text for text in texts)


async def test_long_pause_stops_an_experiment(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = reply({"message": "too many requests today"}, 429, {"Retry-After": "86400"})
    plan = Plan.grid(type(SONG), base=BASE, factors={"mv": ["sonic-v5"]}, repeats=9)
    async with peer(answers(refusal)) as server, client(server.url, ledger=library) as api:
        timeless(api, monkeypatch)
        experiment = Experiment("busy", plan, api, library, concurrency=1)
        progress = (await experiment.run()).progress
    assert progress.state == "stopped"
    assert "it asks to wait 1 day" in str(progress.stop_reason)
    assert server.posts == 1
    assert progress.counts == {"refused": 1, "not_run": 8}


async def test_card_of_an_experiment_says_until_when_nothing_is_bought(library: Library) -> None:
    async with peer(answers(reply())) as server, client(server.url, ledger=library) as api:
        end = library.rate_limits.throttle(server.url, 200)
        plan = Plan.grid(type(SONG), base=BASE, factors={"mv": ["sonic-v5"]}, repeats=2)
        experiment = Experiment("paused", plan, api, library)
        running = asyncio.create_task(experiment.run())
        await until(lambda: api.pause_notice() or running.done())
        card = experiment._repr_html_()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert f"until {time.strftime('%H:%M:%S', time.localtime(end))}" in card
    assert server.posts == 0
