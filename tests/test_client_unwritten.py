"""An outcome that the library could not store is kept, and stored with the next step that works."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb import errors, nuro, sonic
from musicapi_nb.client import MusicAPI
from musicapi_nb.library import Entry, Library
from musicapi_nb.tasks import Task
from tests.library.helpers import rebuilt_is_the_same
from tests.raw_http_server import (
    AGES,
    DONE,
    SONG,
    TASK_ID,
    Connection,
    Peer,
    answers,
    client,
    peer,
    reply,
)

BEAT = nuro.Instrumental(description="harbour at night", duration=30)
MIDI = sonic.Midi(clip_id="11111111-2222-3333-4444-000000000001")
LINK = "https://cdn1.suno.ai/c.mid"
CHART = reply({"code": 200, "message": "success", "data": {"midi_url": LINK, "instruments": []}})


class Lock:
    """Another program that locks a library's database."""

    def __init__(self, path: Path) -> None:
        self._path = path / "library.sqlite"
        self._connection: sqlite3.Connection | None = None

    def hold(self) -> None:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library", lock_timeout=0.05) as opened:
        yield opened
        rebuilt_is_the_same(opened)


@pytest.fixture
def lock(library: Library) -> Iterator[Lock]:
    other = Lock(library.path)
    yield other
    other.release()


@contextlib.asynccontextmanager
async def world(
    library: Library, lock: Lock, *replies: bytes | None, locked: int = 1
) -> AsyncIterator[tuple[Peer, MusicAPI]]:
    """Serve replies in turn, None by a reset; the database is locked before number `locked`."""
    left, count = list(replies), 0

    async def behave(connection: Connection) -> None:
        nonlocal count
        while await connection.request() is not None:
            count += 1
            if count == locked:
                lock.hold()
            response = left.pop(0) if len(left) > 1 else left[0]
            if response is None:
                connection.reset()
                return
            await connection.send(response)

    async with peer(behave) as server, client(server.url, ledger=library) as api:
        yield server, api


def states(library: Library) -> list[tuple[str, str | None]]:
    return [(entry.state, entry.task_id) for entry in library.entries()]


OUTCOMES: list[tuple[bytes | None, tuple[str, str | None]]] = [
    (reply(), ("accepted", TASK_ID)),
    (reply({"error": "The prompt is refused."}, 400), ("refused", None)),
    (reply({"error": "Insufficient credits"}, 403), ("refused", None)),
    (None, ("uncertain", None)),
    (reply(b"<html>Bad gateway", 502), ("uncertain", None)),
]
IDS = ["accepted", "refused", "no credits", "lost", "server error"]


@pytest.mark.parametrize(("response", "expected"), OUTCOMES, ids=IDS)
async def test_outcome_is_written_at_close(
    library: Library,
    lock: Lock,
    response: bytes | None,
    expected: tuple[str, str | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with world(library, lock, response) as (server, api):
        with contextlib.suppress(errors.MusicAPIError):
            await api.submit(SONG)
        assert states(library) == [("sending", None)]
        lock.release()
    assert states(library) == [expected]
    assert server.posts == 1
    assert "could not record entry 1" in caplog.text
    assert "Nothing was sent" not in caplog.text


@pytest.mark.parametrize(("response", "expected"), OUTCOMES, ids=IDS)
async def test_outcome_is_written_before_the_next_purchase(
    library: Library, lock: Lock, response: bytes | None, expected: tuple[str, str | None]
) -> None:
    accepted = reply({"id": "beat-1", "message": "success", "task_id": "beat-1"})
    async with world(library, lock, response, accepted) as (server, api):
        with contextlib.suppress(errors.MusicAPIError):
            await api.submit(SONG)
        lock.release()
        await api.submit(BEAT)
        assert states(library) == [expected, ("accepted", "beat-1")]
    assert server.posts == 2


async def test_refused_purchase_is_bought_once_it_is_written(library: Library, lock: Lock) -> None:
    refusal = reply({"error": "The prompt is refused."}, 400)
    async with world(library, lock, refusal, reply()) as (server, api):
        with pytest.raises(errors.RejectedRequest):
            await api.submit(SONG)
        with pytest.raises(errors.LibraryLocked):
            await api.submit(SONG)
        assert server.posts == 1
        lock.release()
        assert (await api.submit(SONG)).id == TASK_ID
    assert states(library) == [("refused", None), ("accepted", TASK_ID)]


async def test_songs_that_finish_under_the_lock_are_written(library: Library, lock: Lock) -> None:
    async with world(library, lock, reply(), reply(DONE)) as (server, api):
        task = await api.wait(await api.submit(SONG), deadline=AGES)
        assert task.state == "succeeded"
        assert states(library) == [("sending", None)]
        lock.release()
    assert states(library) == [("done", TASK_ID)]
    assert [song.id for song in library.tasks()[0].songs] == [song.id for song in task.songs]
    assert server.posts == 1


async def test_end_that_comes_under_the_lock_is_written(library: Library, lock: Lock) -> None:
    async with world(library, lock, reply(), reply(DONE), locked=2) as (_, api):
        await api.wait(await api.submit(SONG), deadline=AGES)
        assert states(library) == [("accepted", TASK_ID)]
        lock.release()
    assert states(library) == [("done", TASK_ID)]


async def test_answer_to_a_repost_is_written(library: Library, lock: Lock) -> None:
    waiting = reply({"type": "not_ready"}, 202)
    async with world(library, lock, waiting, CHART, locked=2) as (server, api):
        task = await api.poll(await api.submit(MIDI))
        assert task.finished
        assert [entry.state for entry in library.entries()] == ["reposting"]
        lock.release()
    assert [entry.state for entry in library.entries()] == ["done"]
    assert library.tasks()[0].answer == task.answer
    assert server.posts == 2


async def test_many_outcomes_are_written_in_one_go(library: Library, lock: Lock) -> None:
    replies = [reply({"message": "success", "task_id": f"t{number}"}) for number in range(8)]
    async with world(library, lock, *replies) as (server, api):
        bought = [api.submit(SONG, take=take) for take in range(1, 9)]
        results: list[Any] = await asyncio.gather(*bought, return_exceptions=True)
        lock.release()
    tasks = {task.id for task in results if not isinstance(task, BaseException)}
    assert tasks == {entry.task_id for entry in library.entries() if entry.state == "accepted"}
    assert len(tasks) == server.posts


async def test_purchase_settled_meanwhile_is_not_changed(
    library: Library, lock: Lock, caplog: pytest.LogCaptureFixture
) -> None:
    async with world(library, lock, None) as (_, api):
        with pytest.raises(errors.LostReply):
            await api.submit(SONG)
        lock.release()
        library.record_uncertain(1, errors.LostReply("in another kernel"))
        library.resolve(1, task_id="t9")
    assert states(library) == [("accepted", "t9")]
    assert "could not record" in caplog.text


async def test_outcome_that_cannot_be_written_at_close_is_logged(
    library: Library, lock: Lock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        async with world(library, lock, reply()) as (_, api):
            await api.submit(SONG)
            caplog.clear()
    lock.release()
    assert "The library lacks the outcome of entry 1" in caplog.text
    assert f"{TASK_ID} was accepted, keep its id" in caplog.text


@pytest.mark.parametrize(
    "fault", [TypeError("a defect"), UnicodeEncodeError("utf-8", "?", 0, 1, "")]
)
async def test_outcome_survives_a_defect_of_the_ledger(
    library: Library, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    record, faults = library.record_accepted, [fault, fault]

    def fail(entry: int, task: Task) -> Entry:
        if faults:
            raise faults.pop()
        return record(entry, task)

    monkeypatch.setattr(library, "record_accepted", fail)
    other = reply({"message": "success", "task_id": "t2"})
    async with peer(answers(reply(), other)) as server, client(server.url, ledger=library) as api:
        assert (await api.submit(SONG)).id == TASK_ID
        assert (await api.submit(SONG, take=2)).id == "t2"
        assert server.posts == 2
    assert states(library) == [("accepted", TASK_ID), ("accepted", "t2")]


async def test_outcome_survives_an_interrupt_while_it_is_written(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, kinds = library.commit, [KeyboardInterrupt, asyncio.CancelledError]

    async def interrupt(step: Any, **options: Any) -> Any:
        if len(library.entries("sending")) == 1 and kinds:
            raise kinds.pop()
        return await commit(step, **options)

    async with peer(answers(reply())) as server, client(server.url, ledger=library) as api:
        monkeypatch.setattr(library, "commit", interrupt)
        coordinator = api._coordinator
        assert coordinator is not None
        claim = library.claim(SONG)
        accepted = Task(id=TASK_ID, engine="sonic", operation="create", request=SONG)
        for kind in (asyncio.CancelledError, KeyboardInterrupt):
            with pytest.raises(kind):
                await coordinator._record(library.record_accepted, claim.entry.id, accepted)
        assert states(library) == [("sending", None)]
        assert server.posts == 0
    assert states(library) == [("accepted", TASK_ID)]
