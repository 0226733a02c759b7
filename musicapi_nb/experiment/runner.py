"""One run of an experiment: decides which cell starts when, and records the outcomes."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import datetime as dt
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol

from musicapi_nb.client import MusicAPI
from musicapi_nb.client.hooks import Hooks
from musicapi_nb.client.retry import LONGEST_PAUSE
from musicapi_nb.errors import (
    ClientClosed,
    LibraryError,
    MusicAPIError,
    NoSubscription,
    OutOfCredits,
    OverBudget,
    RateLimited,
    TaskNotFound,
    Unauthorized,
    Unreachable,
    WaitTimeout,
)
from musicapi_nb.experiment.ledger_view import ExperimentLedger
from musicapi_nb.experiment.tracker import CellTracker
from musicapi_nb.tasks import Task

_ATTEMPTS = 6  # per cell after refusals that charge nothing, such as a full queue
_FIRST_DELAY, _MAX_DELAY = 3.0, 300.0  # seconds of the service's clock
_MAX_ACCOUNT_ERRORS = 3  # consecutive errors about the account or the network, not the cell
_log = logging.getLogger(__name__)


class Gate(Protocol):
    """Looks at an experiment after some of its blocks."""

    def is_look(self, block: int) -> bool: ...

    def reason_to_stop(self, block: int) -> str | None:
        """Return why no further block is to be bought; called in a thread."""


class Runner:
    """Buys and waits for the cells of an experiment, once.

    `paused` and `cancelled` may be set before `run`. Once `stopped`, no further cell is bought,
    because of `stop_reason`.
    """

    def __init__(
        self,
        tracker: CellTracker,
        client: MusicAPI,
        notify: Callable[[], None],
        hooks: Hooks,
        gate: Gate | None = None,
    ) -> None:
        self._tracker = tracker
        self._client = client
        self._notify = notify
        self._hooks = hooks
        self._gate = gate
        self._passed: set[int] = set()
        self._ledger: ExperimentLedger
        self._concurrency, self._deadline = 1, 0.0
        self._paid: collections.deque[int] = collections.deque()
        self._queue: collections.deque[int] = collections.deque()
        self._blocks: collections.deque[Sequence[int]] = collections.deque()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._over_budget: list[int] = []
        self._budgets: tuple[str, ...] = ()
        self._changed = asyncio.Event()
        self._delayed_until = 0.0
        self._account_errors = 0
        self.running = True
        self.paused = self.cancelled = self.stopped = False
        self.stop_reason: str | None = None
        self.started: dt.datetime | None = None
        self._start = self._end = 0.0

    @property
    def seconds(self) -> float:
        """Seconds of real time since `run` began, until it ended."""
        return (self._end or time.monotonic()) - self._start if self.started else 0.0

    def pause(self) -> None:
        self.paused = True
        self._cancel_unsent()
        self._report_change()

    def resume(self) -> None:
        self.paused = False
        self._report_change()

    def cancel(self) -> None:
        self.cancelled = True
        self.stop_reason = "the experiment was cancelled before this request was sent"
        self._report_change()

    def _report_change(self) -> None:
        """Wake the run, and call its progress callback."""
        self._changed.set()
        self._notify()

    # --- the run ---------------------------------------------------------------------------

    async def run(self, ledger: ExperimentLedger, concurrency: int, deadline: float) -> None:
        self._ledger, self._concurrency, self._deadline = ledger, concurrency, deadline
        self.started, self._start = dt.datetime.now(dt.UTC), time.monotonic()
        try:
            await self._load()
            self._notify()
            try:
                while await self._fill():
                    await self._changed.wait()
                    self._changed.clear()
            finally:
                await self._cancel_all()
            await self._finish()
            if self.stop_reason and self._is_stopped_by_budget():
                await self._hooks.report_budget(self.stop_reason)
        finally:
            self._end = time.monotonic()

    async def _load(self) -> None:
        """Read the library, and sort the cells into paid ones and blocks to buy."""
        ledger, tracker, states = self._ledger, self._tracker, self._tracker.states
        if ledger.budget_name in await asyncio.to_thread(ledger.library.budgets):
            self._budgets = (ledger.budget_name,)
        tracker.update_all(await asyncio.to_thread(ledger.link_purchases), ledger.budget_name)
        for index, state in enumerate(states):
            bought = state.state in {"accepted", "reposting", "done", "uncertain", "failed"}
            bought_before = bought and not state.to_buy
            tracker.update(index, dataclasses.replace(state, bought_before=bought_before))
        missing = await asyncio.to_thread(ledger.library.missing_files, experiment=ledger.name)
        unsaved = {file.entry.id for file in missing}
        accepted = [i for i, cell in enumerate(states) if cell.state in {"accepted", "reposting"}]
        done = [
            i for i, cell in enumerate(states) if cell.state == "done" and cell.entry in unsaved
        ]
        self._paid.extend(accepted + done)
        self._blocks.extend(tracker.blocks_to_buy())

    async def _fill(self) -> bool:
        """Start the cells that may start; return whether there is anything to wait for."""
        while self._has_free_slot() and (index := await self._next()) is not None:
            # _next may have waited, and the run may have been paused or cancelled meanwhile.
            held_back = self.paused and self._tracker.states[index].to_buy
            if held_back or not self._has_free_slot():
                self._put_back(index)
                break
            self._start_cell(index)
        if self.cancelled:
            return False
        waiting = self._paid or (not self.stopped and (self._queue or self._blocks))
        return bool(self._running) or bool(self.paused and waiting)

    def _has_free_slot(self) -> bool:
        return len(self._running) < self._concurrency and not self.cancelled

    async def _next(self) -> int | None:
        if self._paid:  # waited for even if the run is paused or stopped
            return self._paid.popleft()
        if self.stopped or self.paused:
            return None
        while not self._queue and self._blocks:
            block = self._blocks[0]
            if not await self._may_continue(block) or not await self._is_covered(block):
                return None
            self._queue.extend(self._blocks.popleft())
        return self._queue.popleft() if self._queue else None

    async def _may_continue(self, block: Sequence[int]) -> bool:
        """Return whether a block may be bought after a look at the blocks before it.

        A look waits until nothing is under way, and stops the run if it finds a reason.
        """
        before = self._tracker.cells[block[0]].block - 1
        if self._gate is None or before in self._passed or not self._gate.is_look(before):
            return True
        if self._running:
            return False
        reason = await asyncio.to_thread(self._gate.reason_to_stop, before)
        if reason is not None:
            self._stop(reason)
            return False
        self._passed.add(before)
        return True

    def _put_back(self, index: int) -> None:
        queue = self._queue if self._tracker.states[index].to_buy else self._paid
        queue.appendleft(index)

    async def _is_covered(self, block: Sequence[int]) -> bool:
        """Return whether all budgets cover a whole block in addition to the cells started before.

        Sets or clears `stop_reason`. Reserved credits may be refunded, so this is checked again
        whenever a cell has ended.
        """
        budgets = await asyncio.to_thread(self._ledger.library.budgets)
        names = (*self._budgets, *self._client.budgets)
        limits = [budgets[name] for name in names if name in budgets]
        if not limits:
            return True
        budget = min(limits, key=lambda budget: budget.remaining)
        cost = self._tracker.credits(block)
        unclaimed = [index for index in self._running if self._tracker.states[index].to_buy]
        if cost + self._tracker.credits((*self._queue, *unclaimed)) <= budget.remaining:
            self.stop_reason = None
            return True
        number = self._tracker.cells[block[0]].block
        name = "the budget" if budget.name in self._budgets else f"{budget.name!r}"
        self.stop_reason = (
            f"the remaining {budget.remaining} credits of {name} do not cover round {number} "
            f"({cost} credits)"
        )
        return False

    def _is_stopped_by_budget(self) -> bool:
        return bool(self._over_budget) or not (self.stopped or self.cancelled)

    # --- one cell --------------------------------------------------------------------------

    def _start_cell(self, index: int) -> None:
        task = asyncio.create_task(self._run_cell(index))
        self._running[index] = task
        task.add_done_callback(lambda done: self._end_cell(index, done))

    def _end_cell(self, index: int, task: asyncio.Task[None]) -> None:
        self._running.pop(index, None)
        if task.cancelled():
            self._put_back(index)
        self._changed.set()

    async def _run_cell(self, index: int) -> None:
        for attempt in itertools.count(1):
            try:
                await self._wait_for_delay()
                await self._buy(index)
            except MusicAPIError as error:
                bought = not self._tracker.states[index].to_buy
                if attempt < _ATTEMPTS and _may_retry(error, bought=bought):
                    self._delay(error, attempt)
                    continue
                self._record_error(index, error)
                if not isinstance(error, OverBudget):  # reported once, when the run ends
                    await self._hooks.report_error(self._tracker.cells[index].request, error)
            except Exception as error:  # noqa: BLE001 - one cell must not end the others
                _log.exception("cell %s of the experiment failed", self._tracker.cells[index].order)
                self._record_error(index, error)
            return

    async def _buy(self, index: int) -> None:
        cell = self._tracker.cells[index]
        task = await self._client.run(
            cell.request,
            take=cell.take,
            budgets=self._budgets,
            experiment=self._ledger.name,
            # Never buy a cell again that was already bought, even if it has failed since.
            retry_failed=self._tracker.states[index].to_buy,
            deadline=self._deadline,
            progress=lambda task: self._record_task(index, task),
        )
        self._record_task(index, task)
        await self._hooks.report_task(cell.request, task)

    def _record_task(self, index: int, task: Task) -> None:
        old = self._tracker.states[index]
        self._account_errors = 0
        self._tracker.tasks[index] = task
        reserves = self._budgets and not task.bought_before
        new = old.with_task(task, self._tracker.credits([index]) if reserves else old.held)
        if task.bought_before and old.to_buy:  # by another process since this run began
            new = dataclasses.replace(new, bought_before=True)
        self._tracker.update(index, new)
        if index in self._queue and not new.to_buy:  # the request was sent just before a pause
            self._queue.remove(index)
            self._paid.appendleft(index)
        if new != old:
            self._report_change()

    def _record_error(self, index: int, error: BaseException) -> None:
        held = self._tracker.credits([index]) if self._budgets else 0
        self._tracker.update(index, self._tracker.states[index].with_error(error, held))
        reason = error.message if isinstance(error, MusicAPIError) else repr(error)
        if isinstance(error, OverBudget):
            self._over_budget.append(index)
        # After a pause asked for, every other cell would wait, and be refused as well.
        pause = error.retry_after if isinstance(error, RateLimited) else None
        final = OutOfCredits | OverBudget | ClientClosed | LibraryError
        if isinstance(error, final) or (pause is not None and pause > LONGEST_PAUSE):
            self._stop(reason)
        elif isinstance(error, Unauthorized | NoSubscription | Unreachable):
            self._account_errors += 1
            if self._account_errors >= _MAX_ACCOUNT_ERRORS:
                self._stop(f"{reason} ({self._account_errors} times in a row)")
        else:
            self._account_errors = 0
        self._report_change()

    def _stop(self, reason: str) -> None:
        """Start no further cell; those under way continue."""
        self.stopped = True
        self.stop_reason = reason

    async def _wait_for_delay(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._delayed_until - loop.time()) > 0:  # noqa: ASYNC110 - may be extended
            await asyncio.sleep(wait)

    def _delay(self, error: MusicAPIError, attempt: int) -> None:
        """Delay all purchases: by `error.retry_after`, else with exponential back-off."""
        seconds = error.retry_after
        if seconds is None:
            seconds = _FIRST_DELAY * 2.0 ** (attempt - 1)
        until = asyncio.get_running_loop().time() + min(seconds, _MAX_DELAY) / self._client.speed
        self._delayed_until = max(self._delayed_until, until)

    # --- the end ---------------------------------------------------------------------------

    def _cancel_unsent(self) -> None:
        """Cancel cells that are not bought yet; a sent one still reports its task."""
        for index, task in list(self._running.items()):
            if self._tracker.states[index].to_buy:
                task.cancel()

    async def _cancel_all(self) -> None:
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _finish(self) -> None:
        """Record the cells that were not run, and read the library's final states."""
        ledger, states = self._ledger, self._tracker.states
        default = self.stop_reason or "unknown reason"
        unbought = (*self._queue, *itertools.chain(*self._blocks))
        reasons = {index: default for index in unbought if states[index].to_buy}
        reasons |= {index: states[index].reason or default for index in self._over_budget}
        with contextlib.suppress(LibraryError, ClientClosed):  # then the run stopped because of it
            if reasons:
                await asyncio.to_thread(ledger.record_not_run, reasons)
            self._tracker.update_all(
                await asyncio.to_thread(ledger.read_entries), ledger.budget_name
            )
        self._notify()


def _may_retry(error: MusicAPIError, *, bought: bool) -> bool:
    if bought:  # polling costs nothing
        final = WaitTimeout | TaskNotFound | LibraryError | ClientClosed | Unauthorized
        return not isinstance(error, final)
    # The client retries a 429 itself, but not a 403 (full queue).
    return isinstance(error, RateLimited) and error.status != HTTPStatus.TOO_MANY_REQUESTS
