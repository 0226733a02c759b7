"""How a cell is doing, what an error makes of it, and the progress of them all. Pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from musicapi_nb.errors import (
    ClientClosed,
    LibraryError,
    MusicAPIError,
    OverBudget,
    TaskNotFound,
    UncertainPurchase,
    Unreachable,
)
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from musicapi_nb.library import Entry, EntryState
    from musicapi_nb.plan import Cell
    from musicapi_nb.polling import Eta

RunState: TypeAlias = Literal["new", "running", "paused", "ended", "stopped", "cancelled"]
ENDED: frozenset[EntryState] = frozenset({"done", "failed", "refused", "uncertain"})
UNDER_WAY: frozenset[EntryState] = frozenset({"sending", "accepted", "reposting", "uncertain"})

_AGAIN = "Run the experiment again: it is then bought."
_WAIT_AGAIN = "It was paid for and is not lost: run the experiment again to wait for it."
_FORGOTTEN = (
    "The service does not know its task any more: library.resolve({entry}, charged=True or False) "
    "settles it; with False, running the experiment again buys it."
)
_SETTLE = (
    "It is not sent again by itself. Settle it: library.resolve({entry}, task_id='...'), or "
    "before=..., after=... (balances), or charged=True or False; then run the experiment again."
)
_PAID_FAILURE = (
    "It is not bought again by itself: nobody said that the credits came back. If they did, "
    "library.resolve({entry}, charged=False), then run the experiment again."
)
_LOST_FAILURE = (
    "Its credits are spent, and it is not bought again by itself: "
    "api.run(plan.cells[{order}].request, take={take}) buys it."
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellState:
    """How one cell is doing.

    Attributes
    ----------
    state
        The ledger's word; "planned" until the service has accepted it.
    reason
        Why it did not end in songs, or not in all of them.
    advice
        What to do, where the error said more than its state does.
    price, held
        Credits; None where the price is not known, and what the experiment's budget holds.
    entry, task_id
        Its numbers in the library and at the service.
    refunded
        Of a failed one; None where nobody said so.
    doubtful
        Whether it may have cost something although its state does not say so.
    before
        Whether it had been bought before this run.
    """

    state: EntryState = "planned"
    reason: str | None = None
    advice: str | None = None
    price: int | None = None
    held: int = 0
    entry: int | None = None
    task_id: str | None = None
    refunded: bool | None = None
    doubtful: bool = False
    before: bool = False

    @property
    def spent(self) -> int:
        """Credits that are gone."""
        gone = self.state == "done" or (self.state == "failed" and self.refunded is not True)
        return (self.price or 0) if gone else 0

    @property
    def reserved(self) -> int:
        """Credits of what is under way, or perhaps spent."""
        return (self.price or 0) if self.state in UNDER_WAY else 0

    @property
    def may_have_cost(self) -> bool:
        """Whether credits were spent, or may have been."""
        failed = self.state == "failed" and self.refunded is not True
        return failed or self.doubtful or self.state in UNDER_WAY

    @property
    def to_buy(self) -> bool:
        """Whether a run buys it: it never was, or is known to have cost nothing."""
        failed = self.state == "failed" and self.refunded is True
        return failed or self.state in {"planned", "sending", "refused", "not_run"}

    @property
    def is_failure(self) -> bool:
        """Whether it has come to an end without songs, or nobody waits for it any more."""
        if self.state == "done":
            return False
        return self.state in ENDED or self.state == "not_run" or self.reason is not None

    def what_to_do(self, cell: Cell) -> str:
        """The way out, in a sentence."""
        if self.state == "uncertain":
            return _SETTLE.format(entry=self.entry)
        if self.state in {"accepted", "reposting", "sending"}:
            return (self.advice or _WAIT_AGAIN).format(entry=self.entry)
        if self.state == "failed" and self.refunded is None:
            return _PAID_FAILURE.format(entry=self.entry)
        if self.state == "failed" and not self.refunded:
            return _LOST_FAILURE.format(order=cell.order, take=cell.take)
        return self.advice or _AGAIN


def of_entry(entry: Entry, budget: str | None, known: CellState) -> CellState:
    """The state that the library knows; of the same state, what is known beside it is kept."""
    same = known.state == entry.state
    return CellState(
        state=entry.state,
        reason=known.reason if same and known.reason else _said(entry),
        advice=known.advice if same else None,
        price=entry.price if entry.price is not None else known.price,
        held=entry.held if budget in entry.budgets else 0,
        entry=entry.id,
        task_id=entry.task_id,
        refunded=entry.refunded,
        before=known.before,
    )


def _said(entry: Entry) -> str | None:
    return (
        entry.note if entry.state not in {"planned", "sending", "accepted", "reposting"} else None
    )


def of_task(known: CellState, task: Task, held: int) -> CellState:
    """The state that a reply about its task means."""
    state: EntryState = "accepted"
    if task.finished:
        state = "done" if task.state == "succeeded" else "failed"
    return dataclasses.replace(
        known,
        state=state,
        reason=task.fail_reason,
        advice=None,
        doubtful=False,
        held=0 if state == "failed" and task.refunded is True else held,
        task_id=task.id,
        refunded=task.refunded,
    )


def of_error(known: CellState, error: BaseException, held: int) -> CellState:
    """The state that an error means; the library has the last word at the end of the run.

    `held` is what the experiment's budget holds for a purchase that may have been made.
    """
    reason = error.message if isinstance(error, MusicAPIError) else f"{error!r:.300}"
    advice = (error.advice or None) if isinstance(error, MusicAPIError) else None
    change = dataclasses.replace
    if not known.to_buy:  # of a finished one only the files were still to come
        way_out = _FORGOTTEN if isinstance(error, TaskNotFound) else _WAIT_AGAIN
        return change(known, reason=reason, advice=way_out) if known.state == "accepted" else known
    if isinstance(error, UncertainPurchase):
        return change(known, state="uncertain", reason=reason, entry=error.entry)
    if isinstance(error, OverBudget | Unreachable):
        return change(known, state="not_run", reason=reason, advice=advice)
    if isinstance(error, LibraryError | ClientClosed) or not isinstance(error, MusicAPIError):
        # whether it left is what the library knows, if it can still be read
        doubtful = not isinstance(error, ClientClosed)
        return change(known, state="planned", reason=reason, advice=advice, doubtful=doubtful)
    if error.may_have_cost:
        return change(known, state="uncertain", reason=reason, held=held)
    return change(known, state="refused", reason=reason, advice=advice)


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A cell that did not end in songs: its `order` in the plan, its state, and reason."""

    cell: int
    state: EntryState
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How an experiment is doing.

    Attributes
    ----------
    state
        "ended": all was tried that could be; "stopped": the rest could not be run (`stop_reason`).
    counts
        Cells by the ledger's state; those of no cell are left out.
    finished
        Cells of which nothing more will come: done, failed, refused, uncertain.
    from_library
        Cells that had been bought before this run.
    spent, reserved
        Credits of all cells that are gone, and of those under way or in doubt.
    bought
        Credits that this run spent or reserved.
    budget, remaining
        Credits of the experiment's budget, and what of it can still be used; None: no budget.
    blocks_done
        Blocks of which every cell has ended.
    started, seconds
        When this run began, and how long it has gone on or went, on our clock.
    eta
        How long it still takes on our clock, as a range, while it runs; see `polling.Eta`.
    failures
        The last ones, newest first.
    stop_reason
        Why cells were not run.
    """

    name: str
    state: RunState
    cells: int
    counts: Mapping[EntryState, int]
    finished: int
    from_library: int
    spent: int
    reserved: int
    bought: int
    budget: int | None
    remaining: int | None
    blocks_done: int
    blocks: int
    started: dt.datetime | None
    seconds: float
    eta: Eta | None
    failures: tuple[Failure, ...]
    stop_reason: str | None
