"""The state of a cell, its changes after a reply or an error, and an experiment's progress."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Literal, TypeAlias

from musicapi_nb.errors import (
    ClientClosed,
    LibraryError,
    MusicAPIError,
    OverBudget,
    TaskNotFound,
    UncertainPurchase,
    Unreachable,
)
from musicapi_nb.library import Entry, EntryState
from musicapi_nb.plan import Cell
from musicapi_nb.polling import Eta
from musicapi_nb.tasks import Task

RunState: TypeAlias = Literal["new", "running", "paused", "ended", "stopped", "cancelled"]
ENDED: frozenset[EntryState] = frozenset({"done", "failed", "refused", "uncertain"})
UNDER_WAY: frozenset[EntryState] = frozenset({"sending", "accepted", "reposting", "uncertain"})
_NO_REASON: frozenset[EntryState] = frozenset({"planned", "sending", "accepted", "reposting"})

_RUN_AGAIN = "Run the experiment again to buy it."
_WAIT_AGAIN = "It is paid for and not lost: run the experiment again to wait for it."
_TASK_NOT_FOUND = (
    "The service no longer has this task. Settle it with api.library.resolve({entry}, charged=True "
    "or False); after charged=False, running the experiment again buys it."
)
_SETTLE = (
    "Not retried automatically. Settle it with api.library.resolve({entry}, task_id='...'), or "
    "before=..., after=... (balances), or charged=True or False; then run the experiment again."
)
_REFUND_UNKNOWN = (
    "Not retried automatically: no refund was reported. If the credits came back, call "
    "api.library.resolve({entry}, charged=False) and run the experiment again."
)
_NOT_REFUNDED = (
    "Not retried automatically: its credits are spent. To buy it again: "
    "api.library.resolve({entry}, charged=True), then "
    "api.run(plan.cells[{order}].request, take={take})."
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellState:
    """The state of one plan cell.

    `state` is the ledger's: "planned" until the service has accepted the request. `reason` says
    why it has no songs, or not all of them, and `advice` what to do, if the error gave more
    specific advice than the state. `price` and `held` are credits: of the purchase (None: unknown),
    and reserved in the experiment's budget. `refunded` is None if the service did not report it.
    `maybe_charged` tells that it may have cost credits although its state does not show that, and
    `bought_before` that it was bought before this run.
    """

    state: EntryState = "planned"
    reason: str | None = None
    advice: str | None = None
    price: int | None = None
    held: int = 0
    entry: int | None = None
    task_id: str | None = None
    refunded: bool | None = None
    maybe_charged: bool = False
    bought_before: bool = False

    @property
    def spent(self) -> int:
        """Credits spent."""
        charged = self.state == "done" or (self.state == "failed" and self.refunded is not True)
        return (self.price or 0) if charged else 0

    @property
    def reserved(self) -> int:
        """Credits of a purchase that is under way or uncertain."""
        return (self.price or 0) if self.state in UNDER_WAY else 0

    @property
    def may_have_cost(self) -> bool:
        """Whether credits were or may have been spent."""
        failed = self.state == "failed" and self.refunded is not True
        return failed or self.maybe_charged or self.state in UNDER_WAY

    @property
    def to_buy(self) -> bool:
        """Whether a run buys it: never bought, or certain to have cost nothing."""
        refunded = self.state == "failed" and self.refunded is True
        return refunded or self.state in {"planned", "sending", "refused", "not_run"}

    @property
    def is_failure(self) -> bool:
        """Whether it ended without songs, or is no longer being polled."""
        if self.state == "done":
            return False
        return self.state in ENDED or self.state == "not_run" or self.reason is not None

    def what_to_do(self, cell: Cell) -> str:
        """Return the advice for this cell, in one or two sentences."""
        if self.state == "uncertain":
            return _SETTLE.format(entry=self.entry)
        if self.state in {"accepted", "reposting", "sending"}:
            return (self.advice or _WAIT_AGAIN).format(entry=self.entry)
        if self.state == "failed" and self.refunded is None:
            return _REFUND_UNKNOWN.format(entry=self.entry)
        if self.state == "failed" and not self.refunded:
            return _NOT_REFUNDED.format(entry=self.entry, order=cell.order, take=cell.take)
        return self.advice or _RUN_AGAIN

    def with_entry(self, entry: Entry, budget: str | None) -> CellState:
        """Return the state stored in the library; an unchanged state keeps its reason."""
        unchanged = self.state == entry.state
        note = None if entry.state in _NO_REASON else entry.note
        return CellState(
            state=entry.state,
            reason=(unchanged and self.reason) or note,
            advice=self.advice if unchanged else None,
            price=entry.price if entry.price is not None else self.price,
            held=entry.held if budget in entry.budgets else 0,
            entry=entry.id,
            task_id=entry.task_id,
            refunded=entry.refunded,
            bought_before=self.bought_before,
        )

    def with_task(self, task: Task, held: int) -> CellState:
        """Return the state after a reply about the cell's task."""
        state: EntryState = "accepted"
        if task.finished:
            state = "done" if task.state == "succeeded" else "failed"
        return dataclasses.replace(
            self,
            state=state,
            reason=task.fail_reason,
            advice=None,
            maybe_charged=False,
            held=0 if state == "failed" and task.refunded is True else held,
            task_id=task.id,
            refunded=task.refunded,
        )

    def with_error(self, error: BaseException, held: int) -> CellState:
        """Return the state after an error; the library's state overrides it when the run ends.

        `held` is what the experiment's budget reserves for a purchase that may have been made.
        """
        reason = error.message if isinstance(error, MusicAPIError) else f"{error!r:.300}"
        advice = (error.advice or None) if isinstance(error, MusicAPIError) else None
        if not self.to_buy:  # if it is finished, only the download of its files failed
            if self.state != "accepted":
                return self
            advice = _TASK_NOT_FOUND if isinstance(error, TaskNotFound) else _WAIT_AGAIN
            return dataclasses.replace(self, reason=reason, advice=advice)
        failed = dataclasses.replace(self, reason=reason, advice=advice)
        if isinstance(error, UncertainPurchase):
            return dataclasses.replace(failed, state="uncertain", entry=error.entry)
        if isinstance(error, OverBudget | Unreachable):
            return dataclasses.replace(failed, state="not_run")
        if isinstance(error, LibraryError | ClientClosed) or not isinstance(error, MusicAPIError):
            # Only the library shows whether the request was sent, if it can still be read.
            maybe_charged = not isinstance(error, ClientClosed)
            return dataclasses.replace(failed, state="planned", maybe_charged=maybe_charged)
        state: EntryState = "uncertain" if error.may_have_cost else "refused"
        return dataclasses.replace(
            failed, state=state, held=held if state == "uncertain" else self.held
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """A cell without songs: its `order` in the plan, its state and the reason."""

    cell: int
    state: EntryState
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of an experiment.

    Attributes
    ----------
    state
        "ended": every cell was tried; "stopped": the rest could not be run (`stop_reason`).
    counts
        Number of cells by ledger state; states without cells are omitted.
    finished
        Number of cells that are done, failed, refused or uncertain.
    from_library
        Number of cells bought before this run.
    spent, reserved
        Credits spent by all cells, and credits of cells that are under way or uncertain.
    bought
        Credits that this run spent or reserved.
    budget, remaining
        The experiment's budget in credits, and the unused part of it; None without a budget.
    budget_spent, budget_held, budget_other
        The used parts of the budget: spent, on hold, and by purchases outside of the plan.
        Purchases that were made before, or elsewhere, are in none of them.
    blocks_done
        Number of blocks in which every cell is finished.
    started, seconds
        When this run began (UTC), and its duration so far in seconds of real time.
    eta
        Estimated seconds of real time until it ends, while it runs.
    failures
        The latest failures, newest first.
    stop_reason
        Why the remaining cells were not run.
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
    budget_spent: int
    budget_held: int
    budget_other: int
    blocks_done: int
    blocks: int
    started: dt.datetime | None
    seconds: float
    eta: Eta | None
    failures: tuple[Failure, ...]
    stop_reason: str | None
