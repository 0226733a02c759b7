"""Group commit: the steps of one turn of the loop are one commit, and each has its outcome."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from musicapi_nb.client.rate_limit import SharedRateLimiter
from musicapi_nb.errors import (
    ClientClosed,
    InvalidTransition,
    LibraryError,
    LibraryFull,
    LostReply,
    OverBudget,
)
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Claim, Library
from tests.library.helpers import PRICE, RUNNING, acknowledged, looked, rebuilt_is_the_same, song

_Result = TypeVar("_Result")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as opened:
        yield opened


def record_statements(library: Library) -> list[str]:
    """Record the start and durability of every later transaction."""
    statements: list[str] = []

    def record(statement: str) -> None:
        if statement.startswith(("BEGIN", "PRAGMA synchronous")):
            statements.append(statement)

    library._database.connection.set_trace_callback(record)
    return statements


def add(
    library: Library, call: Callable[[], _Result], *, durable: bool = True
) -> asyncio.Future[_Result]:
    """Add a step to the next group commit."""
    return library._group_commit.add(call, durable=durable)


def claim(library: Library, prompt: str = "rain", *, durable: bool = True) -> asyncio.Future[Claim]:
    step = partial(library.claim, song(prompt))
    return library._group_commit.add(step, durable=durable)


async def test_one_turn_is_one_commit(library: Library) -> None:
    statements = record_statements(library)
    claims = await asyncio.gather(
        *(library.commit(partial(library.claim, song(str(number)))) for number in range(200))
    )
    assert [claim.kind for claim in claims] == ["buy"] * 200
    assert statements.count("BEGIN IMMEDIATE") == 1
    assert library.counts() == {"sending": 200}


async def test_durable_steps_are_flushed_to_disk(library: Library) -> None:
    task = acknowledged(song())
    statements = record_statements(library)
    entry = (await library.commit(lambda: library.claim(song()))).entry.id
    await library.commit(lambda: library.record_accepted(entry, task))
    assert statements == ["PRAGMA synchronous=FULL", "BEGIN IMMEDIATE", "BEGIN IMMEDIATE"]
    statements.clear()
    await library.commit(lambda: library.record_poll(entry, looked(task, RUNNING)), durable=False)
    assert statements == ["PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE"]
    statements.clear()
    claim = library.claim(song("b"))
    library.record_accepted(claim.entry.id, acknowledged(song("b"), "t2"))
    assert statements[0] == "PRAGMA synchronous=FULL"


async def test_durability_does_not_depend_on_the_name_of_a_step(library: Library) -> None:
    def record_poll() -> int:
        return 1

    statements = record_statements(library)
    await add(library, record_poll)
    await claim(library, durable=False)
    assert statements == [
        "PRAGMA synchronous=FULL",
        "BEGIN IMMEDIATE",
        "PRAGMA synchronous=NORMAL",
        "BEGIN IMMEDIATE",
    ]


async def test_one_durable_step_makes_its_whole_batch_durable(library: Library) -> None:
    statements = record_statements(library)
    await asyncio.gather(claim(library, "a", durable=False), claim(library, "b", durable=True))
    assert statements == ["PRAGMA synchronous=FULL", "BEGIN IMMEDIATE"]


async def test_each_step_has_its_own_outcome(library: Library) -> None:
    library.set_budget("b", 3 * PRICE)
    terms = PurchaseTerms(budgets=("b",))
    outcomes = await asyncio.gather(
        *(library.commit(partial(library.claim, song(str(number)), terms)) for number in range(5)),
        library.commit(lambda: library.record_uncertain(99, LostReply("lost"))),
        return_exceptions=True,
    )
    kinds = [getattr(outcome, "kind", type(outcome)) for outcome in outcomes]
    assert kinds == ["buy", "buy", "buy", OverBudget, OverBudget, InvalidTransition]
    assert library.budgets()["b"].held == 3 * PRICE
    rebuilt_is_the_same(library)


async def test_step_that_fails_after_writing_affects_no_other(library: Library) -> None:
    def fail() -> None:
        library.claim(song("half"))
        raise RuntimeError("half-way")

    outcomes = await asyncio.gather(
        claim(library, "a"), add(library, fail), claim(library, "b"), return_exceptions=True
    )
    assert isinstance(outcomes[1], RuntimeError)
    assert len(library.entries()) == 2
    rebuilt_is_the_same(library)


async def test_failed_commit_reaches_every_caller(library: Library) -> None:
    connection = library._database.connection
    library.claim(song())
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages}")
    prompt = "x" * 20_000
    outcomes = await asyncio.gather(
        *(claim(library, f"{prompt} {number}") for number in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [LibraryFull] * 3
    connection.execute("PRAGMA max_page_count=100000")
    assert library.counts() == {"sending": 1}


async def test_error_of_the_commit_itself_reaches_every_caller(library: Library) -> None:
    connection = library._database.connection
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("CREATE TEMP TABLE parents (id INTEGER PRIMARY KEY)")
    connection.execute(
        "CREATE TEMP TABLE children (id REFERENCES parents DEFERRABLE INITIALLY DEFERRED)"
    )

    def violate() -> None:  # found out by COMMIT
        connection.execute("INSERT INTO children VALUES (1)")

    outcomes = await asyncio.gather(
        claim(library, "a"), add(library, violate), claim(library, "b"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [LibraryError] * 3
    assert library.entries() == []
    assert (await claim(library, "a")).kind == "buy"


async def test_failed_step_does_not_change_the_durability_of_its_batch(library: Library) -> None:
    def fail() -> None:
        library.claim(song("half"))
        raise RuntimeError("half-way")

    statements = record_statements(library)
    await asyncio.gather(claim(library, "a"), add(library, fail), return_exceptions=True)
    assert statements == ["PRAGMA synchronous=FULL", "BEGIN IMMEDIATE"]
    assert [entry.state for entry in library.entries()] == ["sending"]


async def test_cancelled_caller_does_not_undo_a_step(library: Library) -> None:
    claim(library).cancel()
    await library.commit(lambda: None)
    assert library.counts() == {"sending": 1}


async def test_claim_of_a_cancelled_caller_is_undone(library: Library) -> None:
    claiming = asyncio.create_task(
        library.commit(lambda: library.claim(song()), undo=library.undo_claim)
    )
    await asyncio.sleep(0)
    claiming.cancel()
    await asyncio.gather(claiming, return_exceptions=True)
    await library.commit(lambda: None)
    assert library.counts() == {"not_run": 1}
    rebuilt_is_the_same(library)


async def test_slot_of_a_cancelled_caller_is_released(library: Library) -> None:
    limits = SharedRateLimiter(library, "", 1000.0)
    reserving = asyncio.create_task(limits.acquire())
    await asyncio.sleep(0)
    reserving.cancel()
    await asyncio.gather(reserving, return_exceptions=True)
    await library.commit(lambda: None)
    first = library.rate_limits.reserve("", 1000.0, 0.0)
    assert library.rate_limits.reserve("", 1000.0, 0.0) - first >= 1000.0
    assert library._database.rows("SELECT * FROM released_slots") == []


async def test_claim_that_was_sent_meanwhile_is_not_undone(library: Library) -> None:
    bought = library.claim(song())
    library.record_accepted(bought.entry.id, acknowledged(song()))
    library.undo_claim(bought)
    assert library.counts() == {"accepted": 1}


async def test_flush_waits_for_all_earlier_steps(library: Library) -> None:
    entry = library.claim(song()).entry.id
    task = acknowledged(song())
    running, done = looked(task, RUNNING), looked(task)
    add(library, partial(library.record_accepted, entry, task))
    for _ in range(10):
        add(library, partial(library.record_poll, entry, running))
    add(library, partial(library.record_poll, entry, done))
    await library.commit(lambda: None)
    kinds = [event.kind for event in library.events()]
    assert kinds == ["sending", "accepted", *["polled"] * 10, "done"]


def test_closing_writes_waiting_steps(tmp_path: Path) -> None:
    opened = Library(tmp_path)

    async def main() -> None:
        claim(opened)
        opened.close()
        with pytest.raises(ClientClosed):
            claim(opened, "b")

    asyncio.run(main())
    with Library(tmp_path) as reopened:
        assert reopened.counts() == {"uncertain": 1}


def test_loop_that_ends_early_does_not_stop_others(library: Library) -> None:
    async def leave() -> None:
        claim(library, "left")

    async def stay() -> None:
        await claim(library, "stayed")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())  # its callback that starts writing never runs
    asyncio.run(stay())
    loop.close()
    assert library.counts() == {"sending": 2}


def test_many_loops_and_threads_at_once(library: Library) -> None:
    async def work(name: str) -> None:
        for turn in range(5):
            await asyncio.gather(
                *(claim(library, f"{name} {turn} {number}") for number in range(20))
            )

    def run_loop(name: str) -> None:
        asyncio.run(work(name))

    def claim_in_thread() -> None:
        for number in range(50):
            library.claim(song(f"thread {number}"))

    threads = [threading.Thread(target=run_loop, args=(f"loop {number}",)) for number in range(3)]
    threads.append(threading.Thread(target=claim_in_thread))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert library.counts() == {"sending": 350}
    rebuilt_is_the_same(library)


def test_transaction_is_all_or_nothing(library: Library) -> None:
    terms = PurchaseTerms(experiment="e")

    def fail() -> None:
        with library.transaction():
            library.plan(song("a"), terms)
            library.plan(song("b"), terms)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        fail()
    assert library.counts() == {}
    statements = record_statements(library)
    with library.transaction():
        for number in range(30):
            library.plan(song(str(number)), terms)
    assert statements.count("BEGIN IMMEDIATE") == 1
    assert library.counts(experiment="e") == {"planned": 30}


def test_interrupt_leaves_no_transaction_open(library: Library) -> None:
    def interrupt() -> None:
        with library.transaction():
            library.claim(song())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    library._database.connection.execute("BEGIN IMMEDIATE")  # as an interrupt could leave it
    assert library.claim(song("b")).kind == "buy"
    assert len(library.entries()) == 1
