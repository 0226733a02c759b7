"""Several real processes on one library, some of which are killed."""

import os
import random
import signal
import sys
from pathlib import Path

import pytest

from musicapi_nb.errors import LibraryError, LostReply
from musicapi_nb.library import Library
from tests.library.helpers import (
    PRICE,
    acknowledged,
    buy,
    python,
    read_line,
    rebuilt_is_the_same,
    send_line,
    song,
    wait_for_end,
)

CLAIMS = """
import sys
from musicapi_nb.library import Library
from tests.library.helpers import song
with Library(sys.argv[1]) as library:
    print(library.claim(song()).kind, flush=True)
    sys.stdin.readline()
"""
RACES = """
import sys
from musicapi_nb.errors import OverBudget
from musicapi_nb.library import Library
from musicapi_nb.ledger_types import PurchaseTerms
from tests.library.helpers import song
with Library(sys.argv[1]) as library:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(60):
        try:
            claim = library.claim(song(str(number)), PurchaseTerms(budgets=("b",)))
            print(number, claim.kind, flush=True)
        except OverBudget:
            print(number, "over", flush=True)
    sys.stdin.readline()
"""
WORKS = """
import sys
from musicapi_nb.errors import LostReply
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Library
from tests.library.helpers import acknowledged, looked, song
with Library(sys.argv[1]) as library:
    for number in range(100_000):
        request = song(str(number))
        claim = library.claim(request, PurchaseTerms(budgets=("b",)))
        if claim.kind != "buy":
            continue
        entry = claim.entry.id
        print("sending", entry, flush=True)
        if number % 5 == 4:
            library.record_uncertain(entry, LostReply("lost"))
            continue
        task = acknowledged(request, f"t{entry}")
        library.record_accepted(entry, task)
        print("accepted", entry, flush=True)
        library.record_poll(entry, looked(task))
        print("done", entry, flush=True)
"""
OPENS = """
import sys
from musicapi_nb.library import Library
print("ready", flush=True)
sys.stdin.readline()
with Library(sys.argv[1]) as library:
    print("open", flush=True)
    sys.stdin.readline()
"""
PLACES = """
import sys
from musicapi_nb.library import Library
with Library(sys.argv[1]) as library:
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(40):
        print(library.rate_limits.reserve("", 3.0, 1_000_000.0), flush=True)
"""


def test_purchase_of_an_ended_process_is_uncertain(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        other = python(CLAIMS, str(tmp_path))
        assert read_line(other) == "buy"
        assert library.claim(song()).kind == "join"
        assert library.counts() == {"sending": 1}
        other.kill()
        wait_for_end(other)
        claim = library.claim(song())
        assert claim.kind == "uncertain"
        assert claim.entry.note is not None
        assert "ended before the reply was recorded" in claim.entry.note
        assert [path.name for path in (tmp_path / "open").iterdir()] == [
            f"{library._process_lock.id}.lock"
        ]


def test_opening_and_reading_find_ended_processes(tmp_path: Path) -> None:
    other = python(CLAIMS, str(tmp_path))
    assert read_line(other) == "buy"
    with Library(tmp_path) as library:
        assert library.counts() == {"sending": 1}
        other.kill()
        wait_for_end(other)
        assert library.counts() == {"uncertain": 1}
    other = python(CLAIMS, str(tmp_path))
    assert read_line(other) == "uncertain"
    send_line(other)
    assert wait_for_end(other) == 0


def test_purchase_sent_while_closing_is_uncertain(tmp_path: Path) -> None:
    with Library(tmp_path) as first, Library(tmp_path) as second:
        number = first.claim(song()).entry.id
        assert second.claim(song()).kind == "join"
        first.close()
        assert second.claim(song()).kind == "uncertain"
        # a process that was taken for dead can still record its outcome
        assert second.record_accepted(number, acknowledged(song())).state == "accepted"


def test_two_processes_buy_each_take_once_within_one_budget(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        library.set_budget("b", 41 * PRICE - 1)
        others = [python(RACES, str(tmp_path)) for _ in range(2)]
        assert [read_line(other) for other in others] == ["ready", "ready"]
        for other in others:
            send_line(other)
        outcomes = [[read_line(other) for _ in range(60)] for other in others]
        for number in range(60):
            kinds = sorted(lines[number].split()[1] for lines in outcomes)
            assert kinds in (["buy", "join"], ["over", "over"]), number
        bought = sum(line.endswith("buy") for lines in outcomes for line in lines)
        assert bought == 40
        assert library.budgets()["b"].held == 40 * PRICE
        assert library.counts() == {"sending": 40}
        for other in others:
            send_line(other)
            assert wait_for_end(other) == 0
        rebuilt_is_the_same(library)


def test_two_processes_share_one_rate_limit(tmp_path: Path) -> None:
    others = [python(PLACES, str(tmp_path)) for _ in range(2)]
    assert [read_line(other) for other in others] == ["ready", "ready"]
    for other in others:
        send_line(other)
    places = [float(read_line(other)) for other in others for _ in range(40)]
    assert sorted(places) == [1_000_000.0 + 3.0 * number for number in range(80)]
    assert [wait_for_end(other) for other in others] == [0, 0]


def test_library_created_by_two_processes_at_once_is_one(tmp_path: Path) -> None:
    others = [python(OPENS, str(tmp_path / "l")) for _ in range(3)]
    assert {read_line(other) for other in others} == {"ready"}
    for other in others:
        send_line(other)
    assert {read_line(other) for other in others} == {"open"}
    for other in others:
        send_line(other)
        assert wait_for_end(other) == 0


def test_process_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        library.set_budget("b", 10**9)
    draw = random.Random(20)  # noqa: S311 - no secret
    reported: dict[str, set[int]] = {"sending": set(), "accepted": set(), "done": set()}
    for _ in range(8):
        worker = python(WORKS, str(tmp_path))
        for _ in range(draw.randrange(100)):
            _note_line(reported, read_line(worker))
        worker.kill()
        assert worker.stdout is not None
        for line in worker.stdout.read().split("\n")[:-1]:
            _note_line(reported, line)
        wait_for_end(worker)
        _assert_nothing_lost(tmp_path, reported)
    assert min(len(entries) for entries in reported.values()) > 50


def _note_line(reported: dict[str, set[int]], line: str) -> None:
    kind, number = line.split()
    reported[kind].add(int(number))


def _assert_nothing_lost(path: Path, reported: dict[str, set[int]]) -> None:
    with Library(path) as library:
        state = {entry.id: entry.state for entry in library.entries()}
        assert reported["done"] <= {number for number in state if state[number] == "done"}
        assert reported["accepted"] <= {
            number for number in state if state[number] in {"accepted", "done"}
        }
        assert reported["sending"] <= set(state)
        assert "sending" not in state.values()
        request_keys = [
            entry.request_key for entry in library.entries() if entry.state != "refused"
        ]
        assert len(request_keys) == len(set(request_keys))
        assert library.budgets()["b"].held == PRICE * len(state)
        for unfinished in library.unfinished():
            assert unfinished.task.id == f"t{unfinished.entry.id}"
        rebuilt_is_the_same(library)


def test_forked_child_neither_uses_nor_holds_the_library(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows cannot fork")
    code = """
import asyncio, os, sys, signal, warnings
from concurrent.futures import ThreadPoolExecutor
warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside a thread: that is shown
from musicapi_nb.errors import LibraryError
from musicapi_nb.library import Library
from tests.library.helpers import song
library = Library(sys.argv[1])
async def main():
    await library.commit(lambda: library.claim(song()))
asyncio.run(main())
child = os.fork()
if child == 0:
    try:
        library.claim(song("other"))
    except LibraryError as error:
        message = error.message
    async def use():
        async with asyncio.timeout(20):
            await library.commit(lambda: library.claim(song("other")))
    # In another thread: the fork may have happened while the parent's loop ran in this one.
    with ThreadPoolExecutor(1) as executor:
        error = executor.submit(asyncio.run, use()).exception()
    library.close()
    print(os.getpid(), message == getattr(error, "message", error), message, flush=True)
    signal.pause()
os.kill(os.getpid(), signal.SIGKILL) if sys.stdin.readline() else None
"""
    parent = python(code, str(tmp_path))
    child, same, *message = read_line(parent).split()
    assert same == "True"  # as the error of a coroutine, which must not wait forever
    assert "forked" in message
    with Library(tmp_path) as library:
        assert library.claim(song()).kind == "join"
        send_line(parent)
        parent.wait(timeout=180)
        assert library.claim(song()).kind == "uncertain"
    os.kill(int(child), signal.SIGKILL)
    parent.communicate()


def test_deleted_lock_file_makes_purchase_uncertain(tmp_path: Path) -> None:
    with Library(tmp_path) as first, Library(tmp_path) as second:
        first.claim(song())
        for lock in (tmp_path / "open").iterdir():
            lock.unlink()
        assert second.claim(song()).kind == "uncertain"


def test_reopened_library_continues(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        number = buy(library, song()).entry.id
        library.record_uncertain(library.claim(song("lost")).entry.id, LostReply("lost"))
    with Library(tmp_path) as library:
        (unfinished,) = library.unfinished()
        assert (unfinished.entry.id, unfinished.task) == (number, acknowledged(song()))
        assert library.claim(song()).kind == "join"
        assert library.claim(song("lost")).kind == "uncertain"
        with pytest.raises(LibraryError, match="is accepted"):
            library.record_skipped(number, "no")
