"""Many steps of one turn of the loop are one commit, and each has its own outcome."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from musicapi_nb.errors import ClientClosed, InvalidTransition, LibraryFull, LostReply, OverBudget
from musicapi_nb.library import Library
from tests.library.world import PRICE, RUNNING, acknowledged, looked, rebuilt_is_the_same, song


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as opened:
        yield opened


def commits(library: Library) -> list[str]:
    """Every transaction that SQLite begins from now on."""
    begun: list[str] = []

    def note(statement: str) -> None:
        if statement.startswith(("BEGIN", "PRAGMA synchronous")):
            begun.append(statement)

    library._database.connection.set_trace_callback(note)
    return begun


async def test_one_turn_is_one_commit(library: Library) -> None:
    begun = commits(library)
    claims = await asyncio.gather(
        *(library.together(library.claim, song(str(number))) for number in range(200))
    )
    assert [claim.kind for claim in claims] == ["buy"] * 200
    assert begun.count("BEGIN IMMEDIATE") == 1
    assert library.counts() == {"sending": 200}


async def test_a_durable_step_is_flushed_to_disk(library: Library) -> None:
    begun = commits(library)
    claim = await library.together(library.claim, song())
    task = acknowledged(song())
    await library.together(library.record_accepted, claim.entry.id, task)
    assert begun == ["PRAGMA synchronous=FULL", "BEGIN IMMEDIATE", "BEGIN IMMEDIATE"]
    begun.clear()
    await library.together(
        library.record_poll, claim.entry.id, looked(task, RUNNING), durable=False
    )
    assert begun == ["PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE"]
    begun.clear()
    claim = library.claim(song("b"))
    library.record_accepted(claim.entry.id, acknowledged(song("b"), "t2"))
    assert begun[0] == "PRAGMA synchronous=FULL"


async def test_durability_does_not_depend_on_the_name_of_a_step(library: Library) -> None:
    def seen() -> int:
        return 1

    begun = commits(library)
    await library.together(seen)
    await library.together(library.claim, song(), durable=False)
    assert begun == [
        "PRAGMA synchronous=FULL",
        "BEGIN IMMEDIATE",
        "PRAGMA synchronous=NORMAL",
        "BEGIN IMMEDIATE",
    ]


async def test_one_durable_step_makes_its_whole_batch_durable(library: Library) -> None:
    begun = commits(library)
    await asyncio.gather(
        library.together(library.claim, song("a"), durable=False),
        library.together(library.claim, song("b"), durable=True),
    )
    assert begun == ["PRAGMA synchronous=FULL", "BEGIN IMMEDIATE"]


async def test_each_has_its_own_outcome(library: Library) -> None:
    library.set_budget("b", 3 * PRICE)
    outcomes = await asyncio.gather(
        *(library.together(library.claim, song(str(at)), budgets=["b"]) for at in range(5)),
        library.together(library.record_uncertain, 99, LostReply("lost")),
        return_exceptions=True,
    )
    kinds = [getattr(outcome, "kind", type(outcome)) for outcome in outcomes]
    assert kinds == ["buy", "buy", "buy", OverBudget, OverBudget, InvalidTransition]
    assert library.budgets()["b"].held == 3 * PRICE
    rebuilt_is_the_same(library)


async def test_a_step_that_fails_half_way_takes_nobody_with_it(library: Library) -> None:
    def halfway() -> None:
        library.claim(song("half"))
        raise RuntimeError("half-way")

    outcomes = await asyncio.gather(
        library.together(library.claim, song("a")),
        library.together(halfway),
        library.together(library.claim, song("b")),
        return_exceptions=True,
    )
    assert isinstance(outcomes[1], RuntimeError)
    assert len(library.entries()) == 2
    rebuilt_is_the_same(library)


async def test_a_commit_that_fails_is_told_to_everybody(library: Library) -> None:
    connection = library._database.connection
    library.claim(song())
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages}")
    words = "x" * 20_000
    outcomes = await asyncio.gather(
        *(library.together(library.claim, song(f"{words} {at}")) for at in range(3)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [LibraryFull] * 3
    connection.execute("PRAGMA max_page_count=100000")
    assert library.counts() == {"sending": 1}


async def test_who_leaves_does_not_unwrite_it(library: Library) -> None:
    claiming = library.together(library.claim, song())
    claiming.cancel()
    await library.flushed()
    assert library.counts() == {"sending": 1}


async def test_flushed_waits_for_all_that_was_given(library: Library) -> None:
    claim = library.claim(song())
    task = acknowledged(song())
    library.together(library.record_accepted, claim.entry.id, task)
    for _ in range(10):
        library.together(library.record_poll, claim.entry.id, looked(task, RUNNING))
    library.together(library.record_poll, claim.entry.id, looked(task))
    await library.flushed()
    kinds = [event.kind for event in library.events()]
    assert kinds == ["sending", "accepted", *["polled"] * 10, "done"]


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    opened = Library(tmp_path)

    async def main() -> None:
        opened.together(opened.claim, song())
        opened.close()
        with pytest.raises(ClientClosed):
            opened.together(opened.claim, song("b"))

    asyncio.run(main())
    with Library(tmp_path) as again:
        assert again.counts() == {"uncertain": 1}


def test_a_loop_that_ends_early_stops_nobody(library: Library) -> None:
    async def leave(number: int) -> None:
        library.together(library.claim, song(f"left {number}"))

    async def stay() -> None:
        await library.together(library.claim, song("stayed"))

    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave(0))  # its call to write never comes
    asyncio.run(stay())
    loop.close()
    assert library.counts() == {"sending": 2}


def test_many_loops_and_threads_at_once(library: Library) -> None:
    async def work(name: str) -> None:
        for turn in range(5):
            await asyncio.gather(
                *(library.together(library.claim, song(f"{name} {turn} {at}")) for at in range(20))
            )

    def loops(name: str) -> None:
        asyncio.run(work(name))

    def plain() -> None:
        for at in range(50):
            library.claim(song(f"plain {at}"))

    threads = [threading.Thread(target=loops, args=(f"loop {at}",)) for at in range(3)]
    threads.append(threading.Thread(target=plain))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert library.counts() == {"sending": 350}
    rebuilt_is_the_same(library)


def test_a_transaction_is_all_or_nothing(library: Library) -> None:
    def stumble() -> None:
        with library.transaction():
            library.plan(song("a"), experiment="e")
            library.plan(song("b"), experiment="e")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        stumble()
    assert library.counts() == {}
    begun = commits(library)
    with library.transaction():
        for number in range(30):
            library.plan(song(str(number)), experiment="e")
    assert begun.count("BEGIN IMMEDIATE") == 1
    assert library.counts(experiment="e") == {"planned": 30}


def test_an_interrupt_leaves_nothing_behind(library: Library) -> None:
    def interrupted() -> None:
        with library.transaction():
            library.claim(song())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    library._database.connection.execute("BEGIN IMMEDIATE")  # as one between two lines leaves it
    assert library.claim(song("b")).kind == "buy"
    assert len(library.entries()) == 1
