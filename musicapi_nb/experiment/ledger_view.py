"""The library's entries for the cells of one experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from musicapi_nb.library import (
    ACTIVE_STATES,
    Entry,
    Library,
    PurchaseTerms,
    live_entries,
    request_key,
)
from musicapi_nb.plan import Cell


def budget_name(name: str, *, simulated: bool) -> str:
    """Return the name of an experiment's budget in the library."""
    return f"experiment {name}{' (simulated)' * simulated}"


class ExperimentLedger:
    """Reads and writes the entries of an experiment's cells. Its methods block.

    Purchases from a simulator, and their budget, are kept separate.
    """

    def __init__(
        self, library: Library, name: str, cells: Sequence[Cell], *, simulated: bool
    ) -> None:
        self.library = library
        self.name = name
        self.budget_name = budget_name(name, simulated=simulated)
        self._cells = cells
        self._simulated = simulated
        self._request_keys = [request_key(cell.request, cell.take) for cell in cells]

    def read_entries(self) -> list[Entry | None]:
        """Return each cell's entry: the live one, else the latest."""
        return live_entries(self.library, self._request_keys, simulated=self._simulated)

    def link_purchases(self) -> list[Entry | None]:
        """Read the entries, and link purchases made outside the experiment to it."""
        with self.library.transaction():
            entries = self.read_entries()
            linked = self.library.cells(self.name)
            for cell, entry in zip(self._cells, entries, strict=True):
                active = entry is not None and entry.state in ACTIVE_STATES
                if entry and active and linked.get(entry.request_key) != entry.id:
                    self._plan(cell)
        return entries

    def count_outside_plan(self) -> int:
        """Count purchases under this name that belong to an earlier plan."""
        keys = set(self._request_keys)
        return sum(
            entry.state in ACTIVE_STATES and entry.simulated is self._simulated
            for entry in self.library.entries(experiment=self.name)
            if entry.request_key not in keys
        )

    def record_not_run(self, reasons: Mapping[int, str]) -> None:
        """Record why cells (indices) were not bought; skip recorded cells."""
        with self.library.transaction():
            entries = self.read_entries()
            for index, reason in reasons.items():
                latest = entries[index]
                if latest is not None and (latest.state, latest.note) == ("not_run", reason):
                    continue
                if latest is not None and latest.failed_and_charged:
                    continue  # bought elsewhere in the meantime, and paid for
                entry = self._plan(self._cells[index])
                if entry.state == "planned":  # else bought elsewhere in the meantime
                    self.library.record_skipped(entry.id, reason)

    def _plan(self, cell: Cell) -> Entry:
        terms = PurchaseTerms(cell.take, experiment=self.name, simulated=self._simulated)
        return self.library.plan(cell.request, terms)
