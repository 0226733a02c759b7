"""Cancelling and closing during a submit: no song is lost, none is bought by accident."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from musicapi_nb.client import in_flight
from musicapi_nb.errors import ClientClosed
from musicapi_nb.library import Library
from musicapi_nb.tasks import Task
from tests.raw_http_server import (
    SONG,
    TASK_ID,
    Connection,
    Peer,
    answers,
    client,
    peer,
    reply,
    timeless,
    world,
)


class Held:
    """A behaviour that reports a request and answers once `go` is set."""

    def __init__(self, data: bytes) -> None:
        self.arrived, self.go, self._data = asyncio.Event(), asyncio.Event(), data

    async def __call__(self, connection: Connection) -> None:
        await connection.request()
        self.arrived.set()
        await self.go.wait()
        await connection.send(self._data)


async def _cancelled(task: "asyncio.Task[Task]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_task_of_a_cancelled_submit_reaches_progress() -> None:
    held, tasks_seen = Held(reply()), list[Task]()
    async with world(held) as (server, api):
        submitting = asyncio.create_task(api.submit(SONG, progress=tasks_seen.append))
        await held.arrived.wait()
        await _cancelled(submitting)
        held.go.set()
    assert [task.id for task in tasks_seen] == [TASK_ID]
    assert server.posts == 1


@pytest.mark.parametrize("how", ["submit", "run"])
async def test_task_of_a_cancelled_submit_is_logged(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held(reply())
    async with world(held) as (server, api):
        submitting = asyncio.create_task(getattr(api, how)(SONG))
        await held.arrived.wait()
        await _cancelled(submitting)
        held.go.set()
    assert f"sonic task {TASK_ID}" in caplog.text
    assert server.posts == 1


@pytest.mark.parametrize("progress", [None, lambda _: None])
async def test_lost_reply_of_a_cancelled_submit_is_logged(
    progress: None, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held(b"")
    async with world(held) as (server, api):
        submitting = asyncio.create_task(api.submit(SONG, progress=progress))
        await held.arrived.wait()
        await _cancelled(submitting)
        held.go.set()
    assert "may have cost credits" in caplog.text
    assert server.posts == 1


async def test_cancelled_run_logs_its_task(caplog: pytest.LogCaptureFixture) -> None:
    polled = asyncio.Event()

    async def never_done(connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            if request.startswith(b"GET"):
                polled.set()
            await connection.send(reply() if request.startswith(b"POST") else reply({}, 202))

    async with world(never_done) as (_, api):
        running = asyncio.create_task(api.run(SONG))
        await polled.wait()
        await _cancelled(running)
    assert f"sonic task {TASK_ID}" in caplog.text


async def test_submit_cancelled_in_the_queue_is_not_sent() -> None:
    async with world(answers(reply()), pace=1000, speed=1) as (server, api):
        await api.submit(SONG)
        waiting = asyncio.create_task(api.submit(SONG))
        await asyncio.sleep(0)
        await _cancelled(waiting)
    assert server.posts == 1


async def test_submit_cancelled_between_attempts_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, paused = Peer(answers(reply())), asyncio.Event()
    await server.start()
    await server.stop()

    async def pause() -> None:
        paused.set()
        await asyncio.Event().wait()

    async with client(server.url) as api:
        timeless(api, monkeypatch, [pause])
        submitting = asyncio.create_task(api.submit(SONG))
        await paused.wait()
        await server.start()
        await _cancelled(submitting)
    await server.stop()
    assert server.connections == []


async def test_closing_waits_for_replies() -> None:
    held = Held(reply())
    async with peer(held) as server:
        api = client(server.url)
        submitting = asyncio.create_task(api.submit(SONG))
        await held.arrived.wait()
        closing = asyncio.create_task(api.close())
        await asyncio.sleep(0)
        with pytest.raises(ClientClosed):
            await api.submit(SONG)
        held.go.set()
        await closing
        assert (await submitting).id == TASK_ID
        assert server.posts == 1


async def test_closing_stops_queued_submits() -> None:
    async with peer(answers(reply())) as server:
        api = client(server.url, pace=0.05, speed=1)
        await api.submit(SONG)
        waiting = asyncio.create_task(api.submit(SONG))
        await asyncio.sleep(0)
        await api.close()
        with pytest.raises(ClientClosed):
            await waiting
        assert server.posts == 1


async def test_slot_that_comes_while_closing_is_not_used() -> None:
    held = Held(reply())
    async with peer(held) as server:
        api = client(server.url, pace=0.05, speed=1)
        first = asyncio.create_task(api.submit(SONG))
        await held.arrived.wait()
        second = asyncio.create_task(api.submit(SONG))
        closing = asyncio.create_task(api.close())
        with pytest.raises(ClientClosed):
            await second
        held.go.set()
        await closing
        assert (await first).id == TASK_ID
        assert server.posts == 1


async def test_failing_callback_does_not_lose_the_task(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Task) -> None:
        raise ZeroDivisionError

    async with world(answers(reply())) as (server, api):
        assert (await api.submit(SONG, progress=broken)).id == TASK_ID
    assert server.posts == 1
    assert TASK_ID in caplog.text


def test_loop_that_ends_during_a_submit_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        held = Held(reply())
        async with peer(held) as server:
            api = client(server.url)
            submitting = asyncio.create_task(api.submit(SONG))
            await held.arrived.wait()
            await _cancelled(submitting)

    asyncio.run(main())
    assert "may have cost credits" in caplog.text


async def test_long_wait_of_closing_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "NOTICE_AFTER", 0.0)
    texts: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(in_flight._log, "warning", lambda text, *_: texts.put_nowait(text))
    held = Held(reply())
    async with world(held) as (server, api):
        submitting = asyncio.create_task(api.submit(SONG))
        await held.arrived.wait()
        closing = asyncio.create_task(api.close())
        assert "for the reply to a paid request" in await texts.get()
        held.go.set()
        await closing
        assert (await submitting).id == TASK_ID
    assert server.posts == 1


async def test_short_wait_of_closing_is_not_announced(caplog: pytest.LogCaptureFixture) -> None:
    async with world(answers(reply())) as (_, api):
        submitting = asyncio.create_task(api.submit(SONG))
        await asyncio.sleep(0)
        await api.close()
        await asyncio.gather(submitting, return_exceptions=True)
    assert not caplog.text


_SCRIPT = """
import sys, time
import musicapi_nb as mnb
from musicapi_nb.simulator import Simulator
simulator = Simulator()
simulator.faults.arm("slow_reply", seconds=1e6)
api = mnb.connect(library=sys.argv[1], simulator=simulator)
api.run("rain on tin")
while not simulator.request_log.posts:
    time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_interrupt_at_exit_leaves_the_request_uncertain(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(tmp_path / "library")],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process:
        notice = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert notice.startswith("Waiting up to 69 s for the reply to a paid request. Ctrl-C stops")
    assert "Traceback" not in rest
    with Library(tmp_path / "library") as library:
        assert [entry.state for entry in library.entries()] == ["uncertain"]
