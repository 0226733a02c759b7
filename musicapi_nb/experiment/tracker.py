"""The states of all cells of an experiment, with running totals."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Sequence

from musicapi_nb.experiment.progress import CellState, Failure
from musicapi_nb.library import Entry
from musicapi_nb.plan import Cell
from musicapi_nb.polling import TaskKind
from musicapi_nb.tasks import Task

_MAX_FAILURES = 5


class CellTracker:
    """The states of all cells. One event loop writes them, any thread may read them.

    `assume` is the number of credits that count for a cell without a known price.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = cells
        self.kinds = [TaskKind.of(cell.request) for cell in cells]
        self.states = [CellState(price=cell.request.price()) for cell in cells]
        self.tasks: dict[int, Task] = {}
        self.assume = 0
        self.failures: collections.deque[Failure] = collections.deque(maxlen=_MAX_FAILURES)

    def update(self, index: int, new: CellState) -> None:
        """Replace the state of a cell."""
        old, self.states[index] = self.states[index], new
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

    def blocks_to_buy(self) -> list[list[int]]:
        """Return the indexes of the cells to buy, block by block."""
        blocks = itertools.groupby(enumerate(self.cells), lambda cell: cell[1].block)
        cells = ([index for index, _ in block if self.states[index].to_buy] for _, block in blocks)
        return [block for block in cells if block]

    def credits(self, indexes: Iterable[int]) -> int:
        """Sum the prices of these cells."""
        prices = (self.states[index].price for index in indexes)
        return sum(self.assume if price is None else price for price in prices)
