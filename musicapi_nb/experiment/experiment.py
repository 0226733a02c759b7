"""Experiment: a plan bought into a library block by block, within a budget."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.client import MusicAPI
from musicapi_nb.client.hooks import Hooks
from musicapi_nb.engines.values import number_of_seconds, whole_number
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
from musicapi_nb.experiment.progress import ENDED, UNDER_WAY, CellState, Progress, RunState
from musicapi_nb.experiment.result_frames import ResultFrames
from musicapi_nb.experiment.runner import Runner
from musicapi_nb.experiment.stop_rule import Looks, StopRule
from musicapi_nb.experiment.tracker import CellTracker
from musicapi_nb.library import STATES, Library, Rating
from musicapi_nb.plan import Plan
from musicapi_nb.polling import Eta
from musicapi_nb.tasks import Task
from musicapi_nb.tasks.json_reader import clean

if TYPE_CHECKING:
    import pandas as pd

_WITH_TASK = frozenset({"accepted", "done", "failed"})
_log = logging.getLogger(__name__)


class Experiment(ResultFrames):
    """A plan whose cells are each bought once; running it again continues where it stopped.

    Cells bought earlier with the same request and take come from the library at no cost, accepted
    ones are waited for, and the rest is bought. A failed cell is bought again only if its credits
    were refunded, an uncertain one not until it is settled. A changed plan under the same name
    keeps the cells that both plans contain; the other purchases stay in the library.

    Parameters
    ----------
    name
        Name of the experiment in the library, also of its budget.
    plan, client, library
        What to buy and through which client; the client's ledger must be this library.
    budget
        Credits for all runs of this name together. None: the budget set by an earlier run, or no
        limit. A block is started only if the budget covers all of its cells.
    assume
        Credits to count for a cell without a known price; the dry run may propose a figure.
    concurrency
        Maximum number of cells bought or waited for at once.
    deadline
        Maximum wait for one cell's songs, in seconds of the service's clock.
    stop
        A `StopRule`: no further block is bought once an effect is decided.
    hooks
        `client.hooks.Hooks`, called when a cell or the budget has ended.

    Raises
    ------
    InvalidArgument
        The name, a number or the plan is invalid, or the client has another ledger.
    """

    def __init__(  # noqa: PLR0913 - independent settings
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
        stop: StopRule | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip() or name != clean(name):
            raise InvalidArgument(f"name must be text such as 'harbour', not {name!r:.40}")
        if not isinstance(plan, Plan):
            raise InvalidArgument(f"plan must be a Plan such as Plan.grid(...), not {plan!r:.60}")
        if client.ledger is not library:
            raise InvalidArgument("client must have this library: MusicAPI(..., ledger=library)")
        self.name = name
        self.plan = plan
        self.budget = None if budget is None else _number("budget", budget, 0)
        self.concurrency: int = _number("concurrency", concurrency, 1)
        self.library = library
        self._assume = None if assume is None else _number("assume", assume, 0)
        self._deadline = number_of_seconds("deadline", deadline)
        self._client = client
        self._tracker = CellTracker(plan.cells)
        self._cached_ledger: ExperimentLedger | None = None
        self._looks = None if stop is None else Looks(stop, plan, self)
        self._hooks = hooks or Hooks()
        self._outside_plan = 0
        self._held_outside = 0
        self._runner: Runner | None = None
        self._callback: Callable[[Progress], None] | None = None

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._runner is not None and self._runner.running

    # --- running ---------------------------------------------------------------------------

    def check(self) -> None:
        """Check that it can be run, and read the library; nothing is sent.

        Stores the budget, which also shows whether the library can be written.

        Raises
        ------
        InvalidPlan
            The plan has problems; the error lists all of them.
        OverBudget
            The budget is unused and does not cover the next block.
        UnknownPrice
            There is a budget, some cells have no known price, and `assume` was not given.
        LibraryError
            The library cannot be written.
        """
        self.plan.check()
        ledger, tracker = self._ledger, self._tracker
        stored, limit = self.library.budgets().get(ledger.budget_name), self.budget
        if stored is not None:
            limit = stored.credits if limit is None else limit
            self._assume = stored.assume if self._assume is None else self._assume
        if limit is not None:
            self._check_prices()
        tracker.assume = self._assume or 0
        held = stored.held if stored else 0
        with self.library.transaction():  # raises if the library cannot be written
            tracker.update_all(ledger.read_entries(), ledger.budget_name)
            self._outside_plan = ledger.count_outside_plan()
            if limit is not None:
                if not held:
                    self._check_first_block(limit)
                self.library.set_budget(ledger.budget_name, limit, assume=self._assume)
        self.budget = limit
        self._held_outside = held - sum(state.held for state in tracker.states)

    @property
    def _ledger(self) -> ExperimentLedger:
        if self._cached_ledger is None:  # only after plan.check(): a bad request has no key
            simulated = self._client.simulated
            self._cached_ledger = ExperimentLedger(
                self.library, self.name, self.plan.cells, simulated=simulated
            )
        return self._cached_ledger

    def _check_prices(self) -> None:
        unpriced = [cell.request for cell in self.plan.cells if cell.request.price() is None]
        if unpriced and self._assume is None:
            assumed = unpriced[0].assumed_price()
            raise UnknownPrice(
                f"{markup.plural(len(unpriced), 'request')} without a known price, and "
                f"{self.name!r} has a budget: pass assume=..., the credits to count for each"
                + (f", such as {assumed.proposal}" if assumed else "")
            )

    def _check_first_block(self, limit: int) -> None:
        tracker = self._tracker
        for block in tracker.blocks_to_buy():
            cost = tracker.credits(block)
            if cost > limit:
                raise OverBudget(
                    f"the budget of {limit:,} credits does not cover round "
                    f"{self.plan.cells[block[0]].block} of {self.name!r} ({cost:,} credits), and "
                    "only whole rounds are bought"
                )
            if cost:
                return

    async def run(
        self, progress: Callable[[Progress], None] | None = None, *, check: bool = True
    ) -> Experiment:
        """Buy the cells and wait for their songs, until all are finished or none can be bought.

        A failed cell raises nothing; see `failures()`. If the coroutine is cancelled, it stops
        waiting, and everything paid for stays in the library.

        Parameters
        ----------
        progress
            Called on this event loop with a `Progress` after every change.
        check
            False if `check()` was just called.

        Raises
        ------
        MusicAPIError
            See `check`; or it is already running.
        """
        if self.running:
            raise MusicAPIError(f"the experiment {self.name!r} is already running")
        runner = Runner(self._tracker, self._client, self._notify, self._hooks, self._looks)
        self._runner, self._callback = runner, progress
        try:
            if check:
                await asyncio.to_thread(self.check)
            await runner.run(self._ledger, self.concurrency, self._deadline)
        except asyncio.CancelledError:
            runner.cancelled = True
            raise
        finally:
            runner.running = False
            if runner.started is None:  # check() failed
                self._runner = None
            self._notify()
        return self

    def pause(self) -> None:
        """Stop buying; keep waiting for songs already bought. Call it on the loop that runs it."""
        if self._runner and self._runner.running:
            self._runner.pause()

    def resume(self) -> None:
        """Continue after `pause`."""
        if self._runner and self._runner.running:
            self._runner.resume()

    def cancel(self) -> None:
        """End the run: stop buying, and stop waiting for songs already bought.

        Everything paid for stays in the library; running again waits for it.
        """
        if self._runner and self._runner.running:
            self._runner.cancel()

    def _notify(self) -> None:
        if self._callback is None:
            return
        try:
            self._callback(self.progress)
        except Exception:  # noqa: BLE001 - a faulty callback must not end a paid run
            _log.exception("The progress callback of %r failed", self.name)

    # --- state and tables ------------------------------------------------------------------

    @property
    def progress(self) -> Progress:
        """The current progress. Thread-safe."""
        tracker, runner = self._tracker, self._runner
        states = list(tracker.states)  # another thread may be changing them
        counts = collections.Counter(state.state for state in states)
        in_budget = collections.Counter[bool]()
        for state in states:
            in_budget[state.state in UNDER_WAY] += state.held
        remaining = None
        if self.budget is not None:
            remaining = max(self.budget - self._held_outside - in_budget.total(), 0)
        final = runner is not None and (runner.stopped or not runner.running)
        cells = list(zip(tracker.cells, states, strict=True))
        unfinished = {cell.block for cell, state in cells if state.state not in ENDED}
        blocks = len({cell.block for cell in tracker.cells})
        return Progress(
            name=self.name,
            state=self._state(),
            cells=len(cells),
            counts={state: counts[state] for state in STATES if counts[state]},
            finished=sum(counts[state] for state in ENDED),
            from_library=sum(state.bought_before for state in states),
            spent=sum(state.spent for state in states),
            reserved=sum(state.reserved for state in states),
            bought=sum(state.spent + state.reserved for state in states if not state.bought_before),
            budget=self.budget,
            remaining=remaining,
            budget_spent=in_budget[False],
            budget_held=in_budget[True],
            budget_other=self._held_outside,
            blocks_done=blocks - len(unfinished),
            blocks=blocks,
            started=runner.started if runner else None,
            seconds=runner.seconds if runner else 0.0,
            eta=self._eta(states, remaining),
            failures=tuple(tracker.failures),
            stop_reason=runner.stop_reason if runner and final else None,
        )

    def _eta(self, states: Sequence[CellState], remaining: int | None) -> Eta | None:
        if self._state() != "running":
            return None
        tracker, client = self._tracker, self._client
        to_buy = [index for index, state in enumerate(states) if state.to_buy]
        cost = sum(states[index].price or 0 for index in to_buy)
        share = 1.0 if remaining is None or cost <= remaining else remaining / cost
        requests = {tracker.kinds[index]: tracker.cells[index].request for index in to_buy}
        counts = collections.Counter(tracker.kinds[index] for index in to_buy)
        tasks = [
            tracker.tasks.get(i) for i, state in enumerate(states) if state.state == "accepted"
        ]
        eta = estimate_remaining(
            [client.eta(task) for task in tasks if task],
            [(client.eta(requests[kind]), share * count) for kind, count in counts.items()],
            client.pace,
            self.concurrency,
        )
        return eta.on_clock(client.speed)

    def _state(self) -> RunState:
        runner = self._runner
        if runner is None:
            return "new"
        if self.running:
            return "paused" if runner.paused else "running"
        if runner.cancelled:
            return "cancelled"
        return "stopped" if runner.stop_reason else "ended"

    @markup.safe_repr
    def __repr__(self) -> str:
        return html.line(self.progress)

    @markup.html_repr
    def _repr_html_(self) -> str:
        problems = [str(problem) for problem in self.plan.grouped_problems() if problem.hard]
        if self.running and (pause := self._client.pause_notice()):
            problems.append(pause)
        return html.card(self.progress, problems, self._outside_plan)

    def refresh(self) -> Progress:
        """Read the cells' states from the library, unless a run is under way."""
        invalid = any(problem.hard for problem in self.plan.grouped_problems())
        if not self.running and not invalid:
            with contextlib.suppress(ClientClosed):  # then the states in memory are the newest
                self._tracker.update_all(self._ledger.read_entries(), self._ledger.budget_name)
        return self.progress

    def tasks_of_cells(self) -> dict[int, Task]:
        """Return the tasks of the cells that have one, by index of the cell in the plan."""
        self.refresh()
        tasks = self._tracker.tasks
        for index, state in enumerate(self._tracker.states):
            task = tasks.get(index)
            stale = task is None or (state.state in {"done", "failed"} and not task.finished)
            if stale and state.entry is not None and state.state in _WITH_TASK:
                tasks[index] = self.library.task(state.entry)
        return dict(sorted(tasks.items()))

    def frame(self) -> pd.DataFrame:
        """Return one row per cell: cell, block, take, the factors, then its state.

        Columns after the factors: state, songs (finished ones), failed, price (missing: unknown),
        credits (spent), refunded (missing: not reported), bought_before (before this run), reason,
        task_id, entry. `failed` and `credits` are missing until the task has ended, so that they
        can be outcomes: `effects(run.frame(), "mv", outcomes=["failed", ("credits", "songs")])`.
        """
        from musicapi_nb.experiment.frames import states_frame  # noqa: PLC0415 - loads pandas

        tasks = self.tasks_of_cells()
        return states_frame(self.plan, self._tracker.states, tasks)

    def looks(self) -> pd.DataFrame:
        """Return the looks of the stop rule at the complete blocks so far.

        Columns: block (the last one looked at), share (of all blocks), p, p_limit (what this look
        may spend), decided.
        """
        if self._looks is None:
            raise InvalidArgument(f"{self.name!r} has no stop rule; pass stop=StopRule(...)")
        self.refresh()
        cells = zip(self._tracker.cells, self._tracker.states, strict=True)
        open_blocks = [cell.block for cell, state in cells if state.state not in ENDED]
        return self._looks.table(min(open_blocks, default=self.plan.blocks + 1) - 1)

    def failures(self) -> pd.DataFrame:
        """Return one row for each cell without songs.

        Columns after cell, block, take and the factors: state, reason, may_have_cost,
        what_to_do, task_id, entry. While it runs, waiting and accepted cells are not listed.
        """
        from musicapi_nb.experiment.frames import failures_frame  # noqa: PLC0415 - loads pandas

        self.refresh()
        return failures_frame(self.plan, self._tracker.states, running=self.running)

    def tasks(self) -> list[Task]:
        """Return the tasks of the cells that have one, in the order of the plan."""
        return list(self.tasks_of_cells().values())

    def result_frame(self, name: str) -> pd.DataFrame:
        from musicapi_nb.experiment.frames import join_library, result_frame  # noqa: PLC0415 - loads pandas

        if name == "cells":
            return self.frame()
        if name in {"measures", "files"}:
            songs = result_frame("songs", self.plan, self.tasks_of_cells(), ())
            return join_library(name, songs, self.library)
        return result_frame(name, self.plan, self.tasks_of_cells(), self._ratings())

    def _ratings(self) -> list[Rating]:
        with contextlib.suppress(ClientClosed):  # as in `refresh`
            return self.library.ratings()
        return []


def _number(name: str, value: Any, minimum: int) -> int:
    number = whole_number(value, minimum)
    if number is None:
        raise InvalidArgument(f"{name} must be a whole number >= {minimum}, not {value!r:.40}")
    return number
