"""Whatever happens in whatever order: the ledger says what a plain model of it says."""

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from musicapi_nb.errors import ContentRefused, InvalidTransition, LostReply, OverBudget, Unreachable
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import ACTIVE_STATES, OPEN_STATES, STATES, Entry, Library
from musicapi_nb.library.entry import Event, allowed, apply_event
from musicapi_nb.tasks import Task
from tests.library.world import (
    FAILED,
    FAILED_UNSAID,
    PRICE,
    RUNNING,
    acknowledged,
    looked,
    rebuilt_is_the_same,
    song,
)

LIMIT = 6 * PRICE
KINDS = (
    "planned",
    "sending",
    "accepted",
    "reposting",
    "polled",
    "done",
    "failed",
    "refused",
    "uncertain",
    "unsent",
    "not_run",
    "charged",
    "refunded",
)


class Ledgers(RuleBasedStateMachine):
    """A library and its model: entry to [request, state, refunded, is it in the budget]."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.library = Library(self.folder)
        self.library.set_budget("b", LIMIT)
        self.model: dict[int, list[Any]] = {}
        self.tasks: set[int] = set()  # entries whose task has an id
        self.repeated: set[int] = set()  # entries accepted without a task

    def teardown(self) -> None:
        rebuilt_is_the_same(self.library)
        self.library.close()
        shutil.rmtree(self.folder)

    def live(self, words: str) -> int | None:
        found = [
            at for at, one in self.model.items() if one[0] == words and one[1] in ACTIVE_STATES
        ]
        assert len(found) <= 1
        return found[0] if found else None

    def held(self) -> int:
        counted = ("sending", "accepted", "reposting", "done", "uncertain")
        held = [
            one
            for one in self.model.values()
            if one[3] and (one[1] in counted or (one[1] == "failed" and one[2] is not True))
        ]
        return PRICE * len(held)

    def some(self, number: int, *states: str) -> int | None:
        found = [at for at, one in self.model.items() if one[1] in states]
        return found[number % len(found)] if found else None

    @rule(words=st.sampled_from("abcde"))
    def plan(self, words: str) -> None:
        known = self.live(words)
        entry = self.library.plan(song(words))
        assert known in {None, entry.id}
        self.model.setdefault(entry.id, [words, "planned", None, False])

    @rule(words=st.sampled_from("abcde"), budget=st.booleans(), retry_failed=st.booleans())
    def claim(self, words: str, *, budget: bool, retry_failed: bool) -> None:
        known = self.live(words)
        ended = [
            at
            for at, one in self.model.items()
            if one[0] == words and one[1] in {"failed", "refused"}
        ]
        planned = known is None or self.model[known][1] == "planned"
        had = planned and not retry_failed and ended
        buys = planned and not had
        if buys and budget and self.held() + PRICE > LIMIT:
            with pytest.raises(OverBudget):
                self.library.claim(
                    song(words), PurchaseTerms(budgets=("b",), retry_failed=retry_failed)
                )
            return
        claim = self.library.claim(
            song(words),
            PurchaseTerms(budgets=tuple(["b"] if budget else []), retry_failed=retry_failed),
        )
        if buys:
            assert claim.kind == "buy"
            assert known in {None, claim.entry.id}
            self.model[claim.entry.id] = [words, "sending", None, budget]
            return
        assert claim.entry.id == (max(ended) if had else known)
        kinds = {
            "sending": "join",
            "accepted": "join",
            "reposting": "join",
            "uncertain": "uncertain",
        }
        assert claim.kind == kinds.get(self.model[claim.entry.id][1], "have")
        assert (claim.task is None) is (claim.entry.state in {"sending", "uncertain"})

    @rule(number=st.integers(0, 9))
    def accepted(self, number: int) -> None:
        entry = self.some(number, "sending", "uncertain")
        if entry is not None:
            self.library.record_accepted(
                entry, acknowledged(song(self.model[entry][0]), f"t{entry}")
            )
            self.model[entry][1] = "accepted"
            self.tasks.add(entry)

    @rule(number=st.integers(0, 9))
    def accepted_without_a_task(self, number: int) -> None:
        entry = self.some(number, "sending")
        if entry is not None:
            self.library.record_accepted(entry, Task(request=song(self.model[entry][0])))
            self.model[entry][1] = "accepted"
            self.repeated.add(entry)

    @rule(words=st.sampled_from("abcde"))
    def ask_again(self, words: str) -> None:
        known = self.live(words)
        ended = [
            at
            for at, one in self.model.items()
            if one[0] == words and one[1] in {"failed", "refused"}
        ]
        if (known is None and not ended) or (known and self.model[known][1] == "planned"):
            with pytest.raises(InvalidTransition, match="buy it with run"):
                self.library.claim_repost(song(words))
            return
        claim = self.library.claim_repost(song(words))
        assert claim.entry.id == (known or max(ended))
        asks = self.model[claim.entry.id][1] == "accepted" and claim.entry.id not in self.tasks
        assert (claim.kind == "repost") is asks
        if asks:
            self.model[claim.entry.id][1] = "reposting"

    @rule(number=st.integers(0, 9), step=st.sampled_from(["still_accepted", "uncertain"]))
    def asked(self, number: int, step: str) -> None:
        entry = self.some(number, "reposting")
        if entry is not None and step == "uncertain":
            self.library.record_uncertain(entry, LostReply("lost"))
            self.model[entry][1] = "uncertain"
        elif entry is not None:
            self.library.record_unchanged(entry)
            self.model[entry][1] = "accepted"

    @rule(number=st.integers(0, 9), step=st.sampled_from(["refused", "uncertain", "unsent"]))
    def answered(self, number: int, step: str) -> None:
        entry = self.some(number, "sending")
        if entry is None:
            return
        error = {
            "refused": ContentRefused("no"),
            "uncertain": LostReply("lost"),
            "unsent": Unreachable("no host"),
        }[step]
        getattr(self.library, f"record_{step}")(entry, error)
        self.model[entry][1] = "not_run" if step == "unsent" else step

    @rule(number=st.integers(0, 9), reply=st.sampled_from([RUNNING, None, FAILED, FAILED_UNSAID]))
    def seen(self, number: int, reply: Any) -> None:
        entry = self.some(number, "accepted", "reposting", "failed", "done")
        if entry is None:
            return
        task = acknowledged(song(self.model[entry][0]), f"t{entry}")
        task = looked(task) if reply is None else looked(task, reply)
        self.library.record_poll(entry, task)
        one = self.model[entry]
        if one[1] in {"accepted", "reposting"}:
            self.tasks.add(entry)
        if one[1] == "reposting" and not task.finished:
            one[1] = "accepted"
        elif one[1] in {"accepted", "reposting"} and task.finished:
            one[1] = "done" if task.state == "succeeded" else "failed"
            one[2] = task.refunded if one[1] == "failed" else None
        elif one[1] == "failed" and one[2] is None:
            one[2] = task.refunded

    @rule(number=st.integers(0, 9), way=st.sampled_from(["charged", "free", "balance", "task"]))
    def resolve(self, number: int, way: str) -> None:
        entry = self.some(number, *STATES)
        if entry is None:
            return
        ways: dict[str, dict[str, Any]] = {
            "charged": {"charged": True},
            "free": {"charged": False},
            "balance": {"before": 100, "after": 100 - PRICE},
            "task": {"task_id": f"t{entry}"},
        }
        one = self.model[entry]
        forgotten = one[1] == "accepted" or one[1:3] == ["failed", None]
        doubtful = one[1] == "uncertain" or (forgotten and way != "task")
        if not doubtful:
            with pytest.raises(InvalidTransition):
                self.library.resolve(entry, **ways[way])
            return
        self.library.resolve(entry, **ways[way])
        if way == "task":
            one[1] = "accepted"
            self.tasks.add(entry)
        elif way == "free" and one[1] == "uncertain" and entry in self.repeated:
            one[1] = "accepted"  # the repeat cost nothing; the first was accepted all the same
        elif way == "free":
            one[1:3] = ["refused", None] if one[1] == "uncertain" else ["failed", True]
        else:
            one[1:3] = ["failed", False]

    @precondition(lambda self: self.model)
    @rule()
    def reopen(self) -> None:
        self.library.close()
        self.library = Library(self.folder)
        for one in self.model.values():
            if one[1] in {"sending", "reposting"}:
                one[1] = "uncertain"

    @rule(number=st.integers(0, 9))
    def cancel(self, number: int) -> None:
        entry = self.some(number, "planned")
        if entry is not None:
            self.library.record_skipped(entry, "cancelled")
            self.model[entry][1] = "not_run"

    @invariant()
    def the_library_says_what_the_model_says(self) -> None:
        entries = {entry.id: entry for entry in self.library.entries()}
        states = {at: (entry.state, entry.refunded) for at, entry in entries.items()}
        assert states == {at: (one[1], one[2]) for at, one in self.model.items()}
        assert self.library.budgets()["b"].held == self.held() <= LIMIT
        account = self.library.account()
        charged = [
            one
            for one in self.model.values()
            if one[1] in {"accepted", "reposting", "done", "failed"}
        ]
        assert account.refunded == PRICE * sum(one[2] is True for one in charged)
        assert account.spent == PRICE * len(charged) - account.refunded
        assert {found.entry.id for found in self.library.unfinished()} == {
            at for at, one in self.model.items() if one[1] == "accepted"
        }


TestLedgers = Ledgers.TestCase
TestLedgers.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", [None, *STATES])
def test_an_event_follows_or_is_refused_and_nothing_else(state: Any, kind: str) -> None:
    entry = None if state is None else Entry(1, 1, "i", "sonic", "create", state)
    event = Event(
        id=2,
        at=5.0,
        kind=kind,
        entry=1,
        owner="o",
        data={"request": {"engine": "sonic", "operation": "create"}, "request_key": "i", "take": 1},
    )
    if allowed(entry, kind):
        assert apply_event(entry, event)[0].owner == "o"
    else:
        with pytest.raises(InvalidTransition, match=kind):
            apply_event(entry, event)


def test_what_is_over_stays_over_but_for_its_refund() -> None:
    over = set(STATES) - OPEN_STATES
    for state in over:
        entry = Entry(1, 1, "i", "sonic", "create", state)
        follows = {kind for kind in KINDS if allowed(entry, kind)}
        assert follows == ({"charged", "refunded"} if state == "failed" else set())
    with contextlib.suppress(InvalidTransition):
        apply_event(None, Event(id=1, at=0.0, kind="done", entry=1))
        pytest.fail("nothing is done that was never begun")
