"""The states of all cells of an experiment, with running totals."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

from musicapi_nb.experiment.progress import ENDED, CellState, Failure
from musicapi_nb.library import STATES, Entry, EntryState
from musicapi_nb.plan import Cell
from musicapi_nb.polling import TaskKind
from musicapi_nb.tasks import Task

_MAX_FAILURES = 5


class CellTracker:
    """States and totals of all cells. One event loop writes them, any thread may read them.

    `accepted` has the indexes of the cells that the service is rendering, and `kinds` a sample
    request of each kind. `to_buy` counts the cells of each kind still to buy, `cost` is their
    credits in total, and `assume` counts for a cell without a known price.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self.states = [CellState(price=cell.request.price()) for cell in cells]
        self.tasks: dict[int, Task] = {}
        self.assume = 0
        self.counts: dict[EntryState, int] = dict.fromkeys(STATES, 0)
        self.counts["planned"] = len(cells)
        self.spent = self.reserved = self.held = self.bought = self.finished = 0
        self.from_library = 0
        self.blocks = len({cell.block for cell in cells})
        self.accepted: set[int] = set()
        self.kinds = {TaskKind.of(cell.request): cell.request for cell in cells}
        self.to_buy = collections.Counter(TaskKind.of(cell.request) for cell in cells)
        self.cost = sum(state.price or 0 for state in self.states)
        self._unfinished = collections.Counter(cell.block for cell in cells)
        self.failures: collections.deque[Failure] = collections.deque(maxlen=_MAX_FAILURES)

    def update(self, index: int, new: CellState) -> None:
        """Replace the state of a cell."""
        old = self.states[index]
        if new == old:
            return
        self._count(index, old, -1)
        self.states[index] = new
        self._count(index, new, 1)
        if (new.is_failure, new.state, new.reason) != (old.is_failure, old.state, old.reason):
            self._note_failure(self.cells[index].order, old, new)

    def update_all(self, entries: Iterable[Entry | None], budget: str) -> None:
        """Replace the states by those stored in the library."""
        for index, entry in enumerate(entries):
            if entry is not None:
                self.update(index, self.states[index].with_entry(entry, budget))

    def _note_failure(self, order: int, old: CellState, new: CellState) -> None:
        if old.is_failure:  # a new deque: another thread may be reading the old one
            others = (failure for failure in self.failures if failure.cell != order)
            self.failures = collections.deque(others, maxlen=_MAX_FAILURES)
        if new.is_failure:
            self.failures.appendleft(Failure(order, new.state, new.reason or "no reason given"))

    def _count(self, index: int, state: CellState, sign: int) -> None:
        self.counts[state.state] += sign
        if state.to_buy:
            self.to_buy[TaskKind.of(self.cells[index].request)] += sign
            self.cost += sign * (state.price or 0)
        if state.state == "accepted":
            (self.accepted.add if sign > 0 else self.accepted.discard)(index)
        self.spent += sign * state.spent
        self.reserved += sign * state.reserved
        self.held += sign * state.held
        self.from_library += sign * state.bought_before
        self.bought += 0 if state.bought_before else sign * (state.spent + state.reserved)
        if state.state in ENDED:
            self.finished += sign
            self._unfinished[self.cells[index].block] -= sign

    def credits(self, indexes: Iterable[int]) -> int:
        """Sum the prices of these cells."""
        prices = (self.states[index].price for index in indexes)
        return sum(self.assume if price is None else price for price in prices)

    @property
    def blocks_done(self) -> int:
        return sum(not count for count in list(self._unfinished.values()))
