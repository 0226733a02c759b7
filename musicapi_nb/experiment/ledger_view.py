"""What the library knows of an experiment's cells, and the rows for those that are not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from musicapi_nb.library import ACTIVE_STATES, request_key

if TYPE_CHECKING:
    from musicapi_nb.library import Budget, Entry, Library
    from musicapi_nb.plan import Cell


class ExperimentLedger:
    """The cells of one experiment in one library; to be called where waiting is allowed.

    Parameters
    ----------
    simulated
        Whether a simulator is asked: its purchases and its budget are kept apart.
    """

    def __init__(
        self, library: Library, name: str, cells: Sequence[Cell], *, simulated: bool
    ) -> None:
        self.library = library
        self.name = name
        self.budget_name = f"experiment {name}{' (simulated)' * simulated}"
        self._cells = cells
        self._simulated = simulated
        self._request_keys = [request_key(cell.request, cell.take) for cell in cells]

    def budget(self) -> Budget | None:
        """The budget of this name, where there is one."""
        return self.library.budgets().get(self.budget_name)

    def tightest(self, names: Sequence[str]) -> Budget | None:
        """Of some budgets the one with the fewest credits left; None where there is none."""
        known = self.library.budgets()
        found = [known[name] for name in names if name in known]
        return min(found, key=lambda budget: budget.left, default=None)

    def read(self) -> list[Entry | None]:
        """For each cell the purchase that counts: one that lives, else the latest."""
        wanted = set(self._request_keys)
        known: dict[str, Entry] = {}
        for entry in self.library.entries():
            if entry.request_key in wanted and entry.simulated is self._simulated:
                before = known.get(entry.request_key)
                if before is None or before.state not in ACTIVE_STATES:
                    known[entry.request_key] = entry
        return [known.get(name) for name in self._request_keys]

    def join(self) -> list[Entry | None]:
        """As `read`; what was bought elsewhere becomes the experiment's, too."""
        found = self.read()
        here = self.library.cells(self.name)
        for cell, entry in zip(self._cells, found, strict=True):
            if entry and entry.state in ACTIVE_STATES and here.get(entry.request_key) != entry.id:
                self._plan(cell)
        return found

    def without_files(self) -> set[int]:
        """Entries with finished songs whose files are not all here."""
        return {missing.entry.id for missing in self.library.missing_files()}

    def others(self) -> int:
        """Purchases of this experiment's name that are no cells of this plan."""
        wanted = set(self._request_keys)
        return sum(
            entry.state in ACTIVE_STATES and entry.simulated is self._simulated
            for entry in self.library.entries(experiment=self.name)
            if entry.request_key not in wanted
        )

    def not_run(self, whys: Mapping[int, str]) -> None:
        """Write down which cells will not be bought, and why; what is said already stays."""
        found = self.read()
        for at, why in whys.items():
            last = found[at]
            if last is not None and (last.state, last.note) == ("not_run", why):
                continue
            if last is not None and last.state == "failed" and last.refunded is not True:
                continue  # bought elsewhere meanwhile, and paid for
            entry = self._plan(self._cells[at])
            if entry.state == "planned":  # else somebody has bought it meanwhile
                self.library.record_skipped(entry.id, why)

    def _plan(self, cell: Cell) -> Entry:
        return self.library.plan(
            cell.request, cell.take, simulated=self._simulated, experiment=self.name
        )
