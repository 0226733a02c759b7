"""The states of all cells, with their sums kept as they change."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from typing import TYPE_CHECKING

from musicapi_nb.experiment.progress import ENDED, CellState, Failure
from musicapi_nb.library import STATES
from musicapi_nb.polling import TaskKind
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from musicapi_nb.library import EntryState
    from musicapi_nb.plan import Cell

_LAST = 5


class CellTracker:
    """What is known of every cell; written by one loop, read by any thread.

    Attributes
    ----------
    accepted
        The cells that are being made.
    kinds, to_buy, cost
        A request of each kind, how many of each are to be bought, and their credits in all.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self.states = [CellState(price=cell.request.price()) for cell in cells]
        self.tasks: dict[int, Task] = {}
        self.counts: dict[EntryState, int] = dict.fromkeys(STATES, 0)
        self.counts["planned"] = len(cells)
        self.spent = self.reserved = self.held = self.bought = self.before = self.ended = 0
        self.blocks = len({cell.block for cell in cells})
        self.accepted: set[int] = set()
        self.kinds = {TaskKind.of(cell.request): cell.request for cell in cells}
        self.to_buy = collections.Counter(TaskKind.of(cell.request) for cell in cells)
        self.cost = sum(state.price or 0 for state in self.states)
        self._open = collections.Counter(cell.block for cell in cells)
        self.failures: collections.deque[Failure] = collections.deque(maxlen=_LAST)

    def update(self, at: int, now: CellState) -> None:
        """Replace what is known of a cell."""
        before = self.states[at]
        if now == before:
            return
        self._count(at, before, -1)
        self.states[at] = now
        self._count(at, now, 1)
        if (now.is_failure, now.state, now.reason) != (
            before.is_failure,
            before.state,
            before.reason,
        ):
            self._note_failure(self.cells[at].order, before, now)

    def _note_failure(self, order: int, before: CellState, now: CellState) -> None:
        if before.is_failure:  # a new deque: another thread may be reading the old one
            others = (failure for failure in self.failures if failure.cell != order)
            self.failures = collections.deque(others, maxlen=_LAST)
        if now.is_failure:
            failure = Failure(order, now.state, now.reason or "no reason was given")
            self.failures.appendleft(failure)

    def _count(self, at: int, state: CellState, one: int) -> None:
        self.counts[state.state] += one
        if state.to_buy:
            self.to_buy[TaskKind.of(self.cells[at].request)] += one
            self.cost += one * (state.price or 0)
        if state.state == "accepted":
            (self.accepted.add if one > 0 else self.accepted.discard)(at)
        self.spent += one * state.spent
        self.reserved += one * state.reserved
        self.held += one * state.held
        self.before += one * state.before
        self.bought += 0 if state.before else one * (state.spent + state.reserved)
        if state.state in ENDED:
            self.ended += one
            self._open[self.cells[at].block] -= one

    @property
    def blocks_done(self) -> int:
        return sum(not number for number in list(self._open.values()))
