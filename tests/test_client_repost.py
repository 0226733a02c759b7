"""Reposts: sent only after an explicit "not ready", and never after a lost reply."""

import asyncio
import contextlib
import datetime as dt
import re
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from musicapi_nb import MusicAPI, Task
from musicapi_nb.client.poller import Poller
from musicapi_nb.engines import Price, Request
from musicapi_nb.errors import (
    InvalidTransition,
    LibraryFull,
    LostReply,
    MusicAPIError,
    OverBudget,
    RateLimited,
    RetiredOperation,
    Unauthorized,
    UncertainPurchase,
    UnexpectedReply,
    WaitTimeout,
)
from musicapi_nb.library import Account, Entry, Library
from tests.library.helpers import (
    python,
    read_line,
    rebuilt_is_the_same,
    record_commits,
    wait_for_end,
)
from tests.raw_http_server import (
    AGES,
    CLIP,
    Behaviour,
    Connection,
    Peer,
    answers,
    client,
    peer,
    reply,
    until,
)

LINK = "https://cdn1.suno.ai/c.mid"
READY = {"code": 200, "message": "success", "data": {"midi_url": LINK, "instruments": []}}
WAITING = reply({"type": "not_ready"}, 202)
DONE = reply(READY)


class Chart(Request, frozen=True, kw_only=True):
    """An operation that is reposted until it is ready."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "chart"
    path: ClassVar[str] = "/api/v1/sonic/chart"
    reply: ClassVar[Literal["task", "immediate"]] = "immediate"
    songs: ClassVar[int | None] = 0
    poll_by_repost: ClassVar[bool] = True


class Once(Chart, frozen=True, kw_only=True):
    """The same operation, but without reposts."""

    operation: ClassVar[str] = "once"
    poll_by_repost: ClassVar[bool] = False


CHART = Chart()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened
        rebuilt_is_the_same(opened)


@contextlib.asynccontextmanager
async def world(
    behaviour: Behaviour, library: Library | None = None, **settings: Any
) -> AsyncIterator[tuple[Peer, MusicAPI]]:
    async with (
        peer(behaviour) as server,
        client(server.url, speed=20_000, ledger=library, **settings) as api,
    ):
        yield server, api


def kinds(library: Library) -> list[str]:
    return [event.kind for event in library.events() if event.entry is not None]


def answers_then_cuts(*replies: bytes) -> Behaviour:
    """Answer in turn, and cut off the last reply."""
    left = list(replies)

    async def behave(connection: Connection) -> None:
        await connection.request()
        if left:
            await connection.send(left.pop(0))
        else:
            connection.reset()

    return behave


async def test_steps_of_a_repost_are_durable(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(answers(WAITING, WAITING, DONE), library) as (_, api):
        commits = record_commits(library, monkeypatch)
        assert (await api.run(CHART, deadline=AGES)).state == "succeeded"
    assert [commit for commit in commits if commit[0]] == [
        ("sending", True),
        ("accepted", True),
        ("reposting", True),
        ("polled", True),
        ("reposting", True),
        ("done", True),
    ]


# --- ready and not ready -------------------------------------------------------------------


NOT_READY = {
    "202": WAITING,
    "202 without a body": reply(b"", 202),
    "202 with a page": reply(b"<html>wait</html>", 202),
    "code 202": reply({"code": 202, "type": "not_ready", "error": "Task is still processing."}),
    "text": reply(b"generating midi..."),
    "text for a link": reply({"code": 200, "data": {"midi_url": "generating midi..."}}),
    "no link yet": reply({"message": "success", "data": {"wav_url": None}}),
    "message": reply({"code": 200, "message": "generating midi..."}),
    "text for data": reply({"message": "success", "data": "still being processed"}),
    "message, and no data": reply({"code": 200, "message": "not ready", "data": None}),
    "status": reply({"status": "running", "data": None}),
}


@pytest.mark.parametrize("response", NOT_READY.values(), ids=NOT_READY)
@pytest.mark.parametrize("with_ledger", [False, True], ids=["plain", "ledger"])
async def test_request_is_reposted_until_ready(
    response: bytes, library: Library, *, with_ledger: bool
) -> None:
    """Only an explicit "not ready" is reposted."""
    tasks_seen: list[Task] = []
    async with world(answers(response, response, DONE), library if with_ledger else None) as (
        server,
        api,
    ):
        task = await api.run(CHART, deadline=AGES, progress=tasks_seen.append)
    assert (task.state, task.id, task.answer) == ("succeeded", None, READY["data"])
    assert server.posts == len(server.requests) == 3
    assert {body for _, body in _bodies(server)} == {b"{}"}
    waited = "running" if b"running" in response else "pending"
    assert [first_run.state for first_run in tasks_seen] == [waited, waited, "succeeded"]
    if with_ledger:
        assert kinds(library) == ["sending", "accepted", "reposting", "polled", "reposting", "done"]


def _bodies(server: Peer) -> list[tuple[bytes, bytes]]:
    return re.findall(rb"(POST) .*?\r\n\r\n(.*?)(?=POST|$)", server.received, re.DOTALL)


async def test_immediate_answer_is_requested_once(library: Library) -> None:
    async with world(answers(DONE), library) as (server, api):
        first, again = await api.run(CHART), await api.run(CHART)
    assert server.posts == 1
    assert (first.bought_before, again.bought_before) == (False, True)
    assert again.answer == first.answer == READY["data"]


@pytest.mark.parametrize(
    "response",
    [NOT_READY["202"], NOT_READY["message"], NOT_READY["text for data"]],
    ids=["2", "m", "t"],
)
async def test_operation_without_repost_is_never_reposted(
    response: bytes, library: Library
) -> None:
    async with world(answers(response), library) as (server, api):
        with pytest.raises(UnexpectedReply) as caught:
            await api.run(Once())
        with pytest.raises(UncertainPurchase):
            await api.run(Once())
    assert caught.value.may_have_cost
    assert server.posts == 1


async def test_unknown_words_are_an_answer_with_an_issue() -> None:
    response = reply({"code": 200, "data": {"midi_url": "c.mid"}})
    async with world(answers(response)) as (server, api):
        task = await api.run(CHART)
    assert server.posts == 1
    assert task.state == "succeeded"
    assert [issue.where for issue in task.issues] == ["data"]


@pytest.mark.parametrize(
    "response",
    [
        {"code": 200, "data": {"midi_url": "failed to generate"}},
        {"type": "failed", "message": "failed to generate"},
    ],
)
async def test_failed_repost_is_not_repeated(response: dict[str, Any], library: Library) -> None:
    async with world(answers(WAITING, reply(response)), library) as (server, api):
        task = await api.run(CHART, deadline=AGES)
    assert (task.state, task.fail_reason) == ("failed", "failed to generate")
    assert server.posts == 2
    assert library.entries()[0].state == "failed"


# --- money ---------------------------------------------------------------------------------


@pytest.mark.parametrize("with_ledger", [False, True], ids=["plain", "ledger"])
async def test_repost_with_a_lost_reply_is_not_repeated(
    library: Library, *, with_ledger: bool
) -> None:
    async with world(answers_then_cuts(WAITING), library if with_ledger else None) as (server, api):
        with pytest.raises(LostReply) as caught:
            await api.run(CHART, deadline=AGES)
        assert caught.value.may_have_cost
        assert server.posts == 2
        if with_ledger:
            with pytest.raises(UncertainPurchase):
                await api.run(CHART)
            assert [entry.state for entry in library.entries()] == ["uncertain"]
            assert await api.resume() == []
    assert server.posts == 2


# None of these is an explicit "not ready".
SILENT = {
    "no data": {"code": 200, "message": "success", "data": None},
    "an empty list": {"code": 200, "message": "success", "data": []},
    "an empty object": {"code": 200, "message": "success", "data": {}},
    "nothing": {},
    "success alone": {"status": "succeeded", "data": None},
    "success in words": {"message": "Your file was generated successfully.", "data": None},
    "past": {"message": "The request was processed."},
    "a clip": {"code": 200, "data": [{"clip_id": "c", "state": "archived"}]},
    "a flat song": {"status": "archived", "audio_url": None},
    "an unknown word": {"status": "archived", "data": None},
}


@pytest.mark.parametrize("response", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
async def test_reply_without_not_ready_is_not_reposted(
    response: dict[str, Any], library: Library, *, first: bool
) -> None:
    replies = [reply(response), DONE] if first else [WAITING, reply(response), DONE]
    async with world(answers(*replies), library) as (server, api):
        with pytest.raises(UnexpectedReply, match="may have cost"):
            await api.run(CHART, deadline=AGES)
    assert server.posts == len(replies) - 1
    assert [entry.state for entry in library.entries()] == ["uncertain"]


@pytest.mark.parametrize(
    "response",
    [
        reply({"error": "Oh."}, 500),
        reply(b"{", 200),
        reply({"odd": 1, "error": "x"}),
        reply([]),
        reply({"message": "failed to generate"}),
        reply(b"an error occurred while processing your request"),
        reply(b"try again later"),
        reply(b"<html>still generating</html>"),
    ],
    ids=["500", "cut off", "unknown", "list", "in passing", "a proxy", "its advice", "a page"],
)
async def test_repost_of_unknown_outcome_is_not_repeated(response: bytes, library: Library) -> None:
    async with world(answers(WAITING, response), library) as (server, api):
        with pytest.raises(MusicAPIError, match="may have cost"):
            await api.run(CHART, deadline=AGES)
    assert server.posts == 2
    assert [entry.state for entry in library.entries()] == ["uncertain"]


async def test_refused_repost_leaves_it_accepted(library: Library) -> None:
    refusal = reply({"error": "Invalid authorization format."}, 401)
    async with world(answers(WAITING, refusal, DONE), library) as (server, api):
        with pytest.raises(Unauthorized):
            await api.run(CHART, deadline=AGES)
        assert [entry.state for entry in library.entries()] == ["accepted"]
        (task,) = await api.resume(deadline=AGES)
    assert task.answer == READY["data"]
    assert server.posts == 3


async def test_reposts_wait_after_429(library: Library) -> None:
    busy = reply({"error": "Too many."}, 429, {"Retry-After": "0"})
    async with world(answers(WAITING, busy, WAITING, busy, DONE), library) as (server, api):
        task = await api.run(CHART, deadline=AGES)
    assert task.state == "succeeded"
    assert server.posts == 5


async def test_constant_429_ends_the_wait_after_four_reposts(library: Library) -> None:
    busy = reply({"error": "Too many."}, 429, {"Retry-After": "0"})
    async with world(answers(WAITING, busy), library) as (server, api):
        with pytest.raises(RateLimited):
            await api.run(CHART, deadline=AGES)
    assert server.posts == 1 + 4
    assert library.rate_limits.paused_until(server.url) > 0
    assert [entry.state for entry in library.entries()] == ["accepted"]


async def test_answer_to_a_repost_survives_a_power_failure(library: Library) -> None:
    """It may have been charged, and cannot be asked for a second time."""
    modes, recorded = [""], []

    def trace(statement: str) -> None:
        if statement.startswith("PRAGMA synchronous"):
            modes.append(statement)
        elif statement.startswith("INSERT INTO events") and "'done'" in statement:
            recorded.append(modes[-1])

    library._database.connection.set_trace_callback(trace)
    async with world(answers(WAITING, DONE), library) as (_, api):
        await api.run(CHART, deadline=AGES)
    assert recorded == ["PRAGMA synchronous=FULL"]


class FullLibrary(Library):
    """A library whose disk is full when the answer to a repost arrives."""

    def record_poll(self, entry: int, task: "Task") -> Entry:
        raise LibraryFull(f"no room for entry {entry}, task {task.id}")


async def test_unwritten_answer_to_a_repost_is_kept_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with FullLibrary(tmp_path) as library:
        async with world(answers(WAITING, DONE), library) as (server, api):
            accepted = await api.submit(CHART)
            polled = [await api.poll(accepted) for _ in range(3)]
    assert [task.answer for task in polled] == [READY["data"]] * 3
    assert server.posts == 2
    assert "could not record entry 1" in caplog.text
    assert "Nothing was sent" not in caplog.text


# --- budgets -------------------------------------------------------------------------------


async def test_budget_covers_each_repost(library: Library) -> None:
    library.set_budget("b", 5, assume=2)
    async with world(answers(WAITING), library, budgets=["b"]) as (server, api):
        task = await api.poll(await api.submit(CHART))
        assert library.budgets()["b"].held == 4
        for poll in (api.poll(task), api.wait(task, deadline=AGES)):
            with pytest.raises(OverBudget, match="may charge each repetition") as caught:
                await poll
            assert "Nothing was sent" in str(caught.value)
        assert server.posts == 2
        assert [entry.state for entry in library.entries()] == ["accepted"]
        library.set_budget("b", 6, assume=2)
        await api.poll(task)
    assert server.posts == 3
    assert library.budgets()["b"].held == 6


@pytest.mark.parametrize(
    ("response", "held"),
    [
        (reply({"error": "slow down"}, 429), 2),
        (reply({"error": "invalid key"}, 401), 2),
        (reply({"error": "gone"}, 410), 2),
        (reply({"error": "broken"}, 500), 4),
        (WAITING, 4),
        (DONE, 4),
    ],
)
async def test_budget_releases_a_repost_that_was_refused(
    library: Library, response: bytes, held: int
) -> None:
    library.set_budget("b", 100, assume=2)
    async with world(answers(WAITING, response), library, budgets=["b"]) as (server, api):
        task = await api.submit(CHART)
        with contextlib.suppress(MusicAPIError):
            await api.poll(task)
        assert server.posts == 2
    assert library.budgets()["b"].held == held


async def test_budget_releases_a_lost_repost_that_was_not_charged(library: Library) -> None:
    library.set_budget("b", 100, assume=2)
    async with world(answers_then_cuts(WAITING, WAITING), library, budgets=["b"]) as (_, api):
        task = await api.poll(await api.submit(CHART))
        with pytest.raises(LostReply):
            await api.poll(task)
    assert library.budgets()["b"].held == 6
    library.resolve(library.entries()[0].id, charged=False)
    assert library.budgets()["b"].held == 4
    claim = library.claim_repost(CHART)
    assert library.budgets()["b"].held == 6
    library.undo_claim(claim)
    assert library.budgets()["b"].held == 4
    assert library.entries()[0].state == "accepted"


class Steady(Chart, frozen=True, kw_only=True):
    """An operation with a price, whose request is repeated until its result is ready."""

    operation: ClassVar[str] = "steady"
    cost: ClassVar[Price | None] = Price(3, dt.date(2026, 11, 1), "an invoice")


@pytest.mark.parametrize("budgets", [[], ["b"]])
async def test_account_counts_each_repost_as_uncertain(
    library: Library, budgets: list[str]
) -> None:
    library.set_budget("b", 100)
    replies = [WAITING, WAITING, reply({"error": "slow down"}, 429), WAITING, DONE]
    async with world(answers(*replies), library, budgets=budgets) as (_, api):
        task = await api.submit(Steady())
        assert library.account() == Account(spent=3)
        await api.poll(task)
        assert library.account() == Account(spent=3, uncertain=3)
        with contextlib.suppress(MusicAPIError):
            await api.poll(task)  # refused: it costs nothing
        assert library.account() == Account(spent=3, uncertain=3)
        await api.poll(task)
        await api.poll(task)
    assert library.account() == Account(spent=3, uncertain=9)
    assert library.budgets()["b"].held == (12 if budgets else 0)
    assert "9 uncertain" in repr(library)


async def test_account_counts_a_lost_repost_until_it_is_settled(library: Library) -> None:
    async with world(answers_then_cuts(WAITING, WAITING), library) as (_, api):
        task = await api.poll(await api.submit(Steady()))
        with pytest.raises(LostReply):
            await api.poll(task)
    assert library.account() == Account(uncertain=9)
    library.resolve(1, charged=False)
    assert library.account() == Account(spent=3, uncertain=3)
    library.undo_claim(library.claim_repost(Steady()))
    assert library.account() == Account(spent=3, uncertain=3)


async def test_purchase_without_a_budget_is_reposted_at_will(library: Library) -> None:
    library.set_budget("of others", 0)
    async with world(answers(*[WAITING] * 4, DONE), library) as (server, api):
        assert (await api.run(CHART, deadline=AGES)).finished
    assert server.posts == 5
    assert library.budgets()["of others"].held == 0


# --- several kernels -----------------------------------------------------------------------


def hold_last(*replies: bytes) -> tuple[Behaviour, asyncio.Event, asyncio.Event]:
    """Answer in turn, the last request only after an event. Return both events."""
    left, arrived, go = list(replies), asyncio.Event(), asyncio.Event()

    async def behave(connection: Connection) -> None:
        await connection.request()
        response = left.pop(0)
        if not left:
            arrived.set()
            await go.wait()
        await connection.send(response)

    return behave, arrived, go


async def test_repost_under_way_survives_its_caller(library: Library) -> None:
    behaviour, arrived, go = hold_last(WAITING, DONE)
    async with world(behaviour, library) as (server, api):
        running = asyncio.create_task(api.run(CHART, deadline=AGES))
        await arrived.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert [entry.state for entry in library.entries()] == ["reposting"]
        go.set()
        await api.close()
    assert [entry.state for entry in library.entries()] == ["done"]
    assert server.posts == 2


async def test_one_of_two_kernels_reposts_and_both_have_the_answer(library: Library) -> None:
    behaviour, arrived, go = hold_last(WAITING, DONE)
    tasks_seen: list[Task] = []
    async with (
        world(behaviour, library) as (server, api),
        client(server.url, speed=20_000, ledger=library) as other,
    ):
        first_run = asyncio.create_task(api.run(CHART, deadline=AGES))
        await arrived.wait()
        two = asyncio.create_task(other.run(CHART, deadline=AGES, progress=tasks_seen.append))
        await until(lambda: len(tasks_seen) > 2)
        go.set()
        tasks = await asyncio.gather(first_run, two)
    assert [task.answer for task in tasks] == [READY["data"]] * 2
    assert server.posts == 2


async def test_takes_are_reposted_separately(library: Library) -> None:
    async with world(answers(WAITING, WAITING, DONE, DONE), library) as (server, api):
        tasks = await asyncio.gather(*(api.run(CHART, take=take, deadline=AGES) for take in (1, 2)))
    assert [task.take for task in tasks] == [1, 2]
    assert server.posts == 4
    assert [entry.state for entry in library.entries()] == ["done", "done"]


async def test_later_kernel_continues_reposting(tmp_path: Path) -> None:
    async with peer(answers(WAITING, WAITING, DONE)) as server:
        first = Library(tmp_path)
        with first:
            async with client(server.url, speed=20_000, ledger=first) as api:
                waiting = await api.poll(await api.submit(CHART))
        assert (waiting.state, server.posts) == ("pending", 2)
        with Library(tmp_path) as later:
            (unfinished,) = later.unfinished()
            assert (unfinished.entry.task_id, unfinished.task.poll_by_repost) == (None, True)
            async with client(server.url, speed=20_000, ledger=later) as api:
                task = await api.run(CHART, deadline=AGES)
            assert task.bought_before
            assert task.answer == READY["data"]
            rebuilt_is_the_same(later)
    assert server.posts == 3


async def test_repost_can_continue_after_the_deadline(library: Library) -> None:
    async with world(answers(WAITING), library) as (server, api):
        with pytest.raises(WaitTimeout, match=r"sonic\.chart \(take 1\) is not finished") as caught:
            await api.run(CHART, deadline=1.0)
        assert caught.value.task.poll_by_repost
        assert server.posts == 1  # a repost may be charged, so there is no last poll
    assert [entry.state for entry in library.entries()] == ["accepted"]


async def test_an_abandoned_repost_is_not_repeated() -> None:
    reposts: list[Task] = []

    async def poll(task: Task) -> Task:
        reposts.append(task)
        raise TimeoutError

    task = Task(engine=CHART.engine, operation=CHART.operation, request=CHART, expected=1)
    assert task.poll_by_repost
    async with client("http://127.0.0.1:1") as api, asyncio.timeout(60):
        poller = Poller(api._transport, poll, None, watch_ledger=False)
        (polled,) = await poller.wait([task], 1000, None)
    assert isinstance(polled.error, WaitTimeout)
    assert reposts == [task]


async def test_purchase_of_another_library_is_not_reposted(library: Library) -> None:
    async with world(answers(WAITING, DONE)) as (server, plain):
        task = await plain.submit(CHART)
        async with client(server.url, speed=20_000, ledger=library) as api:
            with pytest.raises(InvalidTransition, match="buy it with run"):
                await api.wait(task, deadline=AGES)
        assert server.posts == 1
        assert (await plain.wait(task, deadline=AGES)).answer == READY["data"]


async def test_finished_answer_is_not_reposted_by_a_poll() -> None:
    async with world(answers(DONE)) as (server, api):
        task = await api.run(CHART)
        assert await api.poll(task) is task
    assert server.posts == 1


KERNEL = """
import asyncio, sys
from musicapi_nb.library import Account, Entry, Library
from tests.raw_http_server import AGES, client
from tests.test_client_repost import CHART
async def main():
    with Library(sys.argv[2]) as library:
        async with client(sys.argv[1], speed=20_000, ledger=library) as api:
            task = await api.poll(await api.submit(CHART))
            print(task.state, flush=True)
            sys.stdin.readline()
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
async def test_kernel_killed_between_reposts_is_continued_by_another(tmp_path: Path) -> None:
    async with peer(answers(WAITING, WAITING, WAITING, DONE)) as server:
        kernel = python(KERNEL, server.url, str(tmp_path))
        assert await asyncio.to_thread(read_line, kernel) == "pending"
        kernel.kill()
        wait_for_end(kernel)
        with Library(tmp_path) as library:
            assert [entry.state for entry in library.entries()] == ["accepted"]
            async with client(server.url, speed=20_000, ledger=library) as api:
                (task,) = await api.resume(deadline=AGES)
            assert task.answer == READY["data"]
            assert [entry.state for entry in library.entries()] == ["done"]
    assert server.posts == 4


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
async def test_kernel_killed_during_a_repost_leaves_it_uncertain(tmp_path: Path) -> None:
    behaviour, arrived, _ = hold_last(WAITING, DONE)
    async with peer(behaviour) as server:
        kernel = python(KERNEL, server.url, str(tmp_path))
        await arrived.wait()
        kernel.kill()
        wait_for_end(kernel)
        with Library(tmp_path) as library:
            assert [entry.state for entry in library.entries()] == ["uncertain"]
            async with client(server.url, speed=20_000, ledger=library) as api:
                assert await api.resume() == []
                with pytest.raises(UncertainPurchase):
                    await api.run(CHART)
            assert server.posts == 2
            assert library.resolve(1, charged=False).state == "accepted"  # like the first
            assert library.account().unpriced == 1
            rebuilt_is_the_same(library)


# --- batches -------------------------------------------------------------------------------


class Many(Request, frozen=True, kw_only=True):
    """An operation that creates several tasks."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "many"
    path: ClassVar[str] = "/api/v1/sonic/batch"


def batches(polls: Mapping[str, list[bytes]], ack: Any) -> Behaviour:
    """Answer a submit with `ack`, and the polls of each task in turn."""

    async def behave(connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            if request.startswith(b"POST"):
                await connection.send(reply(ack))
                continue
            task = request.split(b" ")[1].rpartition(b"/")[2].decode()
            left = polls[task]
            await connection.send(left.pop(0) if len(left) > 1 else left[0])

    return behave


async def test_batch_is_polled_task_by_task_and_restored(library: Library) -> None:
    items = [{"index": 0, "task_id": "x"}, "y", {"index": 2, "error": "no lyrics"}, "z"]
    ack = {"message": "success", "batch_id": "b1", "submitted": 2, "tasks": items}
    silent = {**CLIP, "audio_url": "(no link)"}
    songs = {
        name: {"code": 200, "data": [{**silent, "clip_id": f"{name}{n}"} for n in (1, 2)]}
        for name in "xy"
    }
    gone = reply({"error": "task not found."}, 400)
    polls = {
        "x": [WAITING, reply(songs["x"])],
        "y": [WAITING, WAITING, reply(songs["y"])],
        "z": [gone],
    }
    async with world(batches(polls, ack), library) as (server, api):
        task = await api.submit(Many())
        assert (task.id, task.state, len(task.parts)) == ("b1", "running", 4)
        task = await api.wait(task, deadline=AGES)
        again = await api.run(Many())
        alone = await api.wait(task.parts[0])
    assert task.state == "succeeded"
    assert [song.id for song in task.songs] == ["x1", "x2", "y1", "y2"]
    assert [song.task_id for song in task.songs] == ["x", "x", "y", "y"]
    assert [part.state for part in task.parts] == ["succeeded", "succeeded", "failed", "failed"]
    assert again.songs == task.songs
    assert again.parts == task.parts
    assert alone.songs == task.parts[0].songs
    assert server.posts == 1


# --- retired -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("engine", "message"),
    [("riffusion", "successor is the engine producer"), ("nuro", "use sonic or")],
)
async def test_retired_engine_suggests_a_replacement(engine: str, message: str) -> None:
    class Gone(Request, frozen=True, kw_only=True):
        path: ClassVar[str] = f"/api/v1/{engine}/create"

    async with world(answers(reply({"error": "This is retired."}, 410))) as (server, api):
        with pytest.raises(RetiredOperation, match=f"This is retired; .*{message}") as caught:
            await api.run(Gone())
    assert not caught.value.may_have_cost
    assert server.posts == 1
