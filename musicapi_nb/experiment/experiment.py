"""Experiment: a plan bought cell by cell into a library, block after block, within a budget."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from musicapi_nb.errors import (
    ClientClosed,
    InvalidArgument,
    MusicAPIError,
    OverBudget,
    UnknownPrice,
)
from musicapi_nb.experiment import html
from musicapi_nb.experiment.eta import estimate_remaining
from musicapi_nb.experiment.ledger_view import ExperimentLedger
from musicapi_nb.experiment.progress import Progress, of_entry
from musicapi_nb.experiment.runner import Runner, Settings
from musicapi_nb.experiment.tracker import CellTracker
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    import pandas as pd

    from musicapi_nb.client import MusicAPI
    from musicapi_nb.experiment.progress import RunState
    from musicapi_nb.library import Library
    from musicapi_nb.plan import Plan
    from musicapi_nb.polling import Eta

_log = logging.getLogger(__name__)


class Experiment:
    """A plan, bought once: run again, here or in another kernel, it goes on where it was.

    What was bought under the same requests and takes comes from the library at no cost, what was
    accepted is waited for, and the rest is bought. A failed cell is bought again only where its
    credits came back, an uncertain one never before it is settled. With another plan under the
    same name, cells that both plans hold are not bought again; the others stay in the library.

    Parameters
    ----------
    name
        Its name in the library: of the purchases, and of the budget.
    plan, client, library
        What to buy, by whom; the client's ledger has to be this library.
    budget
        Credits for the experiment in all, over all runs of this name. None: as it was set in an
        earlier run, else no limit. Blocks are started only while it covers all of their cells.
    assume
        Credits that a cell without a known price counts in the budget.
    concurrency
        How many cells are bought or waited for at once.
    deadline
        Seconds of the service's clock to wait for one cell's songs.

    Raises
    ------
    InvalidArgument
        A name, a number or a plan that cannot be used.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        name: str,
        plan: Plan,
        client: MusicAPI,
        library: Library,
        *,
        budget: int | None = None,
        assume: int | None = None,
        concurrency: int = 8,
        deadline: float = 1800.0,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise InvalidArgument(f"an experiment has a name, such as 'harbour', not {name!r:.40}")
        _check_plan(plan)
        self.name = name
        self.plan = plan
        self.budget = _number("budget", budget, 0)
        self.concurrency = _number("concurrency", concurrency, 1) or 1
        self.library = library
        self._assume = _number("assume", assume, 0)
        self._deadline = deadline
        self._client = client
        self._board = CellTracker(plan.cells)
        self._known: ExperimentLedger | None = None
        self._others = 0
        self._held = 0
        self._runner: Runner | None = None
        self._running = False
        self._paused = self._cancelled = False
        self._started: dt.datetime | None = None
        self._clock = 0.0
        self._seconds: float | None = None
        self._watcher: Callable[[Progress], None] | None = None

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._running

    # --- running ---------------------------------------------------------------------------

    def check(self) -> None:
        """Refuse what could not be run, before anything is sent; look what the library has.

        It writes the budget down, and so finds out whether the library can be written.

        Raises
        ------
        InvalidPlan
            The plan has problems: all of them.
        OverBudget
            Nothing of the budget is used, and it does not cover the next block.
        UnknownPrice
            There is a budget, and cells have no known price, and `assume` is not given.
        LibraryError
            The library cannot be written.
        """
        self.plan.check()
        records = self._records
        before = records.budget()
        held, limit, assume = (before.held if before else 0), self.budget, self._assume
        if before is not None:
            limit = before.credits if limit is None else limit
            assume = before.assume if assume is None else assume
        self._assume = assume
        if limit is not None:
            self._check_prices()
        with self.library.transaction():  # fails here where it cannot be written
            self._see(records)
            self._others = records.others()
            if limit is not None:
                self._check_first_block(limit, held)
                self.library.set_budget(records.budget_name, limit, assume=assume)
        self.budget = limit
        self._held = held - self._board.held

    def _see(self, records: ExperimentLedger) -> None:
        for at, entry in enumerate(records.read()):
            if entry is not None:
                self._board.update(at, of_entry(entry, records.budget_name, self._board.states[at]))

    @property
    def _records(self) -> ExperimentLedger:
        if self._known is None:  # not before the plan was checked: a bad request has no identity
            simulated = self._client.simulated
            self._known = ExperimentLedger(
                self.library, self.name, self.plan.cells, simulated=simulated
            )
        return self._known

    def _check_prices(self) -> None:
        unknown = sum(state.price is None for state in self._board.states)
        if unknown and self._assume is None:
            raise UnknownPrice(
                f"the price of {unknown} cells is not known, and {self.name!r} has a budget: "
                "give assume=..., the credits to count for each"
            )

    def _check_first_block(self, limit: int, held: int) -> None:
        if held:
            return
        for block in sorted({cell.block for cell in self.plan.cells}):
            cost = sum(
                (state.price if state.price is not None else self._assume or 0)
                for cell, state in zip(self.plan.cells, self._board.states, strict=True)
                if cell.block == block and state.to_buy
            )
            if cost > limit:
                raise OverBudget(
                    f"the budget of {limit} credits is below what block {block} of {self.name!r} "
                    f"costs ({cost}), and blocks are bought whole"
                )
            if cost:
                return

    async def run(self, progress: Callable[[Progress], None] | None = None) -> Experiment:
        """Buy and wait until there is nothing left to do, or nothing more can be done.

        No cell's failure is raised: `failures()` has them. Cancelled from outside, it stops
        waiting; what was paid for is in the library.

        Parameters
        ----------
        progress
            Called on this loop with a `Progress` whenever something has changed.

        Raises
        ------
        MusicAPIError
            See `check`; or it runs already.
        """
        if self._running:
            raise MusicAPIError(f"the experiment {self.name!r} is running already")
        self._running, self._paused, self._cancelled, self._runner = True, False, False, None
        self._watcher = progress
        try:
            await asyncio.to_thread(self.check)
            settings = Settings(self.concurrency, self._deadline, self._assume or 0)
            self._runner = Runner(self._board, self._records, self._client, settings, self._tell)
            self._started, self._seconds = dt.datetime.now(dt.UTC), None
            self._clock = time.monotonic()
            if self._paused:  # while the library was looked at
                self._runner.pause()
            if self._cancelled:
                self._runner.cancel()
            await self._runner.run()
        except asyncio.CancelledError:
            self._cancelled = True
            raise
        finally:
            self._running = False
            if self._started is not None:
                self._seconds = time.monotonic() - self._clock
            self._tell()
        return self

    def pause(self) -> None:
        """Buy nothing new; go on waiting for what was bought. Call it on the loop that runs it."""
        self._paused = self._running
        if self._running and self._runner:
            self._runner.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False
        if self._running and self._runner:
            self._runner.resume()

    def cancel(self) -> None:
        """End the run: buy nothing new, and stop waiting for what was bought.

        What was paid for stays in the library; running again waits for it.
        """
        self._cancelled = self._cancelled or self._running
        if self._running and self._runner:
            self._runner.cancel()

    def _tell(self) -> None:
        if self._watcher is None:
            return
        try:
            self._watcher(self.progress)
        except Exception:  # noqa: BLE001 - whatever a person's own function raises
            _log.exception("The progress callback of %r failed", self.name)

    # --- looking ---------------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """How it is doing, as a plain value; from any thread."""
        board, runner = self._board, self._runner
        counts = {state: number for state, number in board.counts.items() if number}
        left = None if self.budget is None else max(self.budget - self._held - board.held, 0)
        seconds = self._seconds
        if seconds is None:
            seconds = time.monotonic() - self._clock if self._started else 0.0
        return Progress(
            name=self.name,
            state=self._state(),
            cells=len(board.cells),
            counts=counts,
            finished=board.ended,
            from_library=board.before,
            spent=board.spent,
            reserved=board.reserved,
            bought=board.bought,
            budget=self.budget,
            remaining=left,
            blocks_done=board.blocks_done,
            blocks=board.blocks,
            started=self._started,
            seconds=seconds,
            eta=self._eta(left),
            failures=tuple(board.failures),
            stop_reason=runner.stop_reason
            if runner and (runner.stopped or not self._running)
            else None,
        )

    def _eta(self, left: int | None) -> Eta | None:
        if self._state() != "running":
            return None
        board, client = self._board, self._client
        tasks = [board.tasks.get(at) for at in list(board.accepted)]
        share = 1.0 if left is None or board.cost <= left else left / board.cost
        to_buy = [
            (client.eta(board.kinds[kind]), share * number)
            for kind, number in list(board.to_buy.items())
            if number
        ]
        eta = estimate_remaining(
            [client.eta(task) for task in tasks if task], to_buy, client.pace, self.concurrency
        )
        return eta.on_clock(client.speed)

    def _state(self) -> RunState:
        if self._running:
            return "paused" if self._paused else "running"
        if self._runner is None:
            return "new"
        if self._cancelled:
            return "cancelled"
        return "stopped" if self._runner.stop_reason else "ended"

    def __repr__(self) -> str:
        return html.line(self.progress)

    def _repr_html_(self) -> str:
        problems = [str(problem) for problem in self.plan.grouped_problems() if problem.hard]
        return html.card(self.progress, problems, self._others)

    def look(self) -> Progress:
        """Ask the library how the cells are doing, unless a run knows better."""
        bad = any(problem.hard for problem in self.plan.grouped_problems())
        if not self._running and not bad:
            with contextlib.suppress(
                ClientClosed
            ):  # then what is known here is all that can be told
                self._see(self._records)
        return self.progress

    def tasks_of_cells(self) -> dict[int, Task]:
        """The task of each cell that has one, by the cell's place in the plan, from 0."""
        self.look()
        tasks = self._board.tasks
        for at, state in enumerate(self._board.states):
            known = tasks.get(at)
            stale = known is None or (state.state in {"done", "failed"} and not known.finished)
            if stale and state.entry is not None and state.state in _WITH_TASK:
                tasks[at] = self.library.task(state.entry)
        return dict(sorted(tasks.items()))

    def frame(self) -> pd.DataFrame:
        """One row a cell: cell, block, take, the factors, then its state.

        Columns after the factors: state, songs (ready ones), price (missing: not known),
        refunded (missing: nothing said), bought_before (before this run), why, task_id, entry.
        """
        from musicapi_nb.experiment.frames import states_frame  # noqa: PLC0415 - loads pandas

        tasks = self.tasks_of_cells()
        return states_frame(self.plan, self._board.states, tasks)

    def failures(self) -> pd.DataFrame:
        """One row for each cell that did not end in songs.

        Columns after cell, block, take and the factors: state, reason, may_have_cost,
        what_to_do, task_id, entry. Cells that wait or are under way are none while it runs.
        """
        from musicapi_nb.experiment.frames import failures_frame  # noqa: PLC0415 - loads pandas

        self.look()
        return failures_frame(self.plan, self._board.states, running=self._running)

    def songs(self) -> pd.DataFrame:
        """`songs_frame` of all cells, after the columns cell, block, take and the factors.

        A factor whose name is a column of any result frame is called `<name>_asked` in all.
        """
        return self._joined("songs_frame")

    def tags(self) -> pd.DataFrame:
        """`tags_frame` of all cells, with the columns of `songs` before it."""
        return self._joined("tags_frame")

    def replaced_tags(self) -> pd.DataFrame:
        """`replaced_tags_frame` of all cells, with the columns of `songs` before it."""
        return self._joined("replaced_tags_frame")

    def durations(self) -> pd.DataFrame:
        """`durations_frame` of all cells, with the columns of `songs` before it."""
        return self._joined("durations_frame")

    def _joined(self, name: str) -> pd.DataFrame:
        from musicapi_nb import frames  # noqa: PLC0415 - loads pandas
        from musicapi_nb.experiment.frames import joined  # noqa: PLC0415 - loads pandas

        return joined(getattr(frames, name), self.plan, self.tasks_of_cells())


_WITH_TASK = frozenset({"accepted", "done", "failed"})


def _check_plan(plan: Any) -> None:
    from musicapi_nb.plan import Plan  # noqa: PLC0415 - loads numpy

    if not isinstance(plan, Plan):
        raise InvalidArgument(
            f"an experiment runs a Plan, such as Plan.grid(...), not {plan!r:.60}"
        )


def _number(name: str, value: Any, fewest: int) -> int | None:
    if value is None and name != "concurrency":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not fewest <= value < math.inf:
        raise InvalidArgument(f"{name} is a whole number from {fewest} on, not {value!r:.40}")
    return value
