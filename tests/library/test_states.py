"""Random sequences of steps: the ledger agrees with a simple model."""

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
from musicapi_nb.library.entry import Event, apply_event, is_allowed
from musicapi_nb.tasks import Task
from tests.library.helpers import (
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
    "adopted",
    "superseded",
)


class Ledgers(RuleBasedStateMachine):
    """A library and its model: entry to [request, state, refunded, in the budget, reposts]."""

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

    def live(self, prompt: str) -> int | None:
        numbers = [
            entry_id
            for entry_id, row in self.model.items()
            if row[0] == prompt and row[1] in ACTIVE_STATES
        ]
        assert len(numbers) <= 1
        return numbers[0] if numbers else None

    def charged(self) -> list[list[Any]]:
        """Return the rows of what was charged or may be, and not refunded."""
        states = ("sending", "accepted", "reposting", "done", "uncertain")
        rows = self.model.values()
        return [row for row in rows if row[1] in states or (row[1] == "failed" and not row[2])]

    def credits_held(self) -> int:
        held: int = sum(1 + row[4] for row in self.charged() if row[3])
        return PRICE * held

    def pick(self, number: int, *states: str) -> int | None:
        numbers = [entry_id for entry_id, row in self.model.items() if row[1] in states]
        return numbers[number % len(numbers)] if numbers else None

    @rule(prompt=st.sampled_from("abcde"))
    def plan(self, prompt: str) -> None:
        number = self.live(prompt)
        entry = self.library.plan(song(prompt))
        assert number in {None, entry.id}
        self.model.setdefault(entry.id, [prompt, "planned", None, False, 0])

    @rule(prompt=st.sampled_from("abcde"), budget=st.booleans(), retry_failed=st.booleans())
    def claim(self, prompt: str, *, budget: bool, retry_failed: bool) -> None:
        number = self.live(prompt)
        ended = [
            entry_id
            for entry_id, row in self.model.items()
            if row[0] == prompt and row[1] in {"failed", "refused"}
        ]
        planned = number is None or self.model[number][1] == "planned"
        unrefunded = ended and self.model[max(ended)][1:3] == ["failed", None]
        had = planned and ended and (unrefunded or not retry_failed)
        buys = planned and not had
        if buys and budget and self.credits_held() + PRICE > LIMIT:
            with pytest.raises(OverBudget):
                self.library.claim(
                    song(prompt), PurchaseTerms(budgets=("b",), retry_failed=retry_failed)
                )
            return
        claim = self.library.claim(
            song(prompt),
            PurchaseTerms(budgets=tuple(["b"] if budget else []), retry_failed=retry_failed),
        )
        if buys:
            assert claim.kind == "buy"
            assert number in {None, claim.entry.id}
            self.model[claim.entry.id] = [prompt, "sending", None, budget, 0]
            return
        assert claim.entry.id == (max(ended) if had else number)
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
        entry = self.pick(number, "sending", "uncertain")
        if entry is not None:
            self.library.record_accepted(
                entry, acknowledged(song(self.model[entry][0]), f"t{entry}")
            )
            self.model[entry][1] = "accepted"
            self.tasks.add(entry)

    @rule(number=st.integers(0, 9))
    def accepted_without_a_task(self, number: int) -> None:
        entry = self.pick(number, "sending")
        if entry is not None:
            self.library.record_accepted(entry, Task(request=song(self.model[entry][0])))
            self.model[entry][1] = "accepted"
            self.repeated.add(entry)

    @rule(prompt=st.sampled_from("abcde"))
    def ask_again(self, prompt: str) -> None:
        number = self.live(prompt)
        ended = [
            entry_id
            for entry_id, row in self.model.items()
            if row[0] == prompt and row[1] in {"failed", "refused"}
        ]
        if (number is None and not ended) or (number and self.model[number][1] == "planned"):
            with pytest.raises(InvalidTransition, match="buy it with run"):
                self.library.claim_repost(song(prompt))
            return
        entry = number or max(ended)
        row = self.model[entry]
        asks = row[1] == "accepted" and entry not in self.tasks
        if asks and row[3] and self.credits_held() + PRICE > LIMIT:
            with pytest.raises(OverBudget, match="may charge each repetition"):
                self.library.claim_repost(song(prompt))
            return
        claim = self.library.claim_repost(song(prompt))
        assert claim.entry.id == entry
        assert (claim.kind == "repost") is asks
        if asks:
            row[1] = "reposting"
            row[4] += 1

    @rule(number=st.integers(0, 9), step=st.sampled_from(["still_accepted", "uncertain"]))
    def reposted(self, number: int, step: str) -> None:
        entry = self.pick(number, "reposting")
        if entry is not None and step == "uncertain":
            self.library.record_uncertain(entry, LostReply("lost"))
            self.model[entry][1] = "uncertain"
        elif entry is not None:
            self.library.record_unchanged(entry)
            self.model[entry][1] = "accepted"
            self.model[entry][4] -= 1

    @rule(number=st.integers(0, 9), step=st.sampled_from(["refused", "uncertain", "unsent"]))
    def receive_outcome(self, number: int, step: str) -> None:
        entry = self.pick(number, "sending")
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
    def polled(self, number: int, reply: Any) -> None:
        entry = self.pick(number, "accepted", "reposting", "failed", "done")
        if entry is None:
            return
        task = acknowledged(song(self.model[entry][0]), f"t{entry}")
        task = looked(task) if reply is None else looked(task, reply)
        self.library.record_poll(entry, task)
        row = self.model[entry]
        if row[1] in {"accepted", "reposting"}:
            self.tasks.add(entry)
        if row[1] == "reposting" and not task.finished:
            row[1] = "accepted"
        elif row[1] in {"accepted", "reposting"} and task.finished:
            row[1] = "done" if task.state == "succeeded" else "failed"
            row[2] = task.refunded if row[1] == "failed" else None
        elif row[1] == "failed" and task.refunded is not None:
            row[2] = row[2] or task.refunded

    @rule(number=st.integers(0, 9), way=st.sampled_from(["charged", "free", "balance", "task"]))
    def resolve(self, number: int, way: str) -> None:
        entry = self.pick(number, *STATES)
        if entry is None:
            return
        ways: dict[str, dict[str, Any]] = {
            "charged": {"charged": True},
            "free": {"charged": False},
            "balance": {"before": 100, "after": 100 - PRICE},
            "task": {"task_id": f"t{entry}"},
        }
        row = self.model[entry]
        forgotten = row[1] == "accepted" or row[1:3] == ["failed", None]
        doubtful = row[1] == "uncertain" or (forgotten and way != "task")
        if not doubtful:
            with pytest.raises(InvalidTransition):
                self.library.resolve(entry, **ways[way])
            return
        self.library.resolve(entry, **ways[way])
        if way == "task":
            row[1] = "accepted"
            self.tasks.add(entry)
        elif way == "free" and row[1] == "uncertain" and entry in self.repeated:
            row[1] = "accepted"  # the repost cost nothing; the first request was accepted
            row[4] -= 1
        elif way == "free":
            row[1:3] = ["refused", None] if row[1] == "uncertain" else ["failed", True]
        else:
            row[1:3] = ["failed", False]

    @precondition(lambda self: self.model)
    @rule()
    def reopen(self) -> None:
        self.library.close()
        self.library = Library(self.folder)
        for row in self.model.values():
            if row[1] in {"sending", "reposting"}:
                row[1] = "uncertain"

    @rule(number=st.integers(0, 9))
    def cancel(self, number: int) -> None:
        entry = self.pick(number, "planned")
        if entry is not None:
            self.library.record_skipped(entry, "cancelled")
            self.model[entry][1] = "not_run"

    @rule(number=st.integers(1, 30), state=st.sampled_from(["running", "succeeded"]))
    def adopt(self, number: int, state: str) -> None:
        """Adopt a reply about a task: of a purchase, of one whose reply was lost, or of none."""
        songs = [{"clip_id": f"{number}-{position}", "state": state} for position in range(2)]
        songs = [{**song, "audio_url": "https://a.example/a.mp3"} for song in songs]
        adoption = self.library.adopt({"code": 200, "data": songs, "task_id": f"t{number}"})
        assert not adoption.issues

    @invariant()
    def each_task_is_listed_once(self) -> None:
        ids = [task.id for task in self.library.tasks() if task.id]
        assert len(ids) == len(set(ids))

    @invariant()
    def library_matches_the_model(self) -> None:
        entries = {entry.id: entry for entry in self.library.entries() if not entry.adopted}
        states = {entry_id: (entry.state, entry.refunded) for entry_id, entry in entries.items()}
        assert states == {entry_id: (row[1], row[2]) for entry_id, row in self.model.items()}
        assert self.library.budgets()["b"].held == self.credits_held() <= LIMIT
        account = self.library.account()
        charged = [
            row
            for row in self.model.values()
            if row[1] in {"accepted", "reposting", "done", "failed"}
        ]
        assert account.refunded == PRICE * sum(row[2] is True for row in charged)
        assert account.spent == PRICE * len(charged) - account.refunded
        in_doubt = sum(row[1] in {"sending", "uncertain"} for row in self.model.values())
        assert account.uncertain == PRICE * (in_doubt + sum(row[4] for row in self.charged()))
        assert sum(entry.in_doubt for entry in entries.values()) == account.uncertain
        tasks = [self.library.task(entry.id) for entry in entries.values()]
        # of a purchase in doubt, nobody knows what its task cost
        assert sum(task.credits or 0 for task in tasks) == account.spent
        unknown = [entry.state for entry in entries.values() if entry.charged is None]
        assert set(unknown) <= {"sending", "uncertain"}
        assert len(unknown) == sum(task.credits is None for task in tasks) == in_doubt
        unfinished = [work.entry for work in self.library.unfinished()]
        assert {entry.id for entry in unfinished if not entry.adopted} == {
            entry_id for entry_id, row in self.model.items() if row[1] == "accepted"
        }


TestLedgers = Ledgers.TestCase
TestLedgers.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", [None, *STATES])
def test_event_is_applied_or_refused(state: Any, kind: str) -> None:
    entry = None if state is None else Entry(1, 1, "i", "sonic", "create", state)
    event = Event(
        id=2,
        recorded_at=5.0,
        kind=kind,
        entry=1,
        owner="o",
        data={"request": {"engine": "sonic", "operation": "create"}, "request_key": "i", "take": 1},
    )
    if is_allowed(entry, kind):
        assert apply_event(entry, event)[0].owner == "o"
    else:
        with pytest.raises(InvalidTransition, match=kind):
            apply_event(entry, event)


def test_ended_entry_changes_only_by_its_refund() -> None:
    over = set(STATES) - OPEN_STATES
    for state in over:
        entry = Entry(1, 1, "i", "sonic", "create", state)
        follows = {kind for kind in KINDS if is_allowed(entry, kind)}
        assert follows == ({"charged", "refunded"} if state == "failed" else set())
    with contextlib.suppress(InvalidTransition):
        apply_event(None, Event(id=1, recorded_at=0.0, kind="done", entry=1))
        pytest.fail("nothing is done that was never begun")
