"""One run of an experiment: which cell starts when, and what becomes of it. Plain asyncio."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

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
from musicapi_nb.experiment.progress import of_entry, of_error, of_task
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from musicapi_nb.client import MusicAPI
    from musicapi_nb.experiment.ledger_view import ExperimentLedger
    from musicapi_nb.experiment.tracker import CellTracker
    from musicapi_nb.library import Entry

_ATTEMPTS = 6  # of one cell that is told to slow down: nothing was charged
_FIRST_PAUSE, _LONGEST_PAUSE = 3.0, 300.0  # seconds of the service's clock
_IN_A_ROW = 3  # refusals that are about the account or the network, not about the cell
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What a person decided."""

    concurrency: int
    deadline: float
    assume: int


class Runner:
    """Buys and waits for the cells of a board, once.

    Attributes
    ----------
    why
        What kept cells from being run, from the moment on that is known.
    """

    def __init__(
        self,
        board: CellTracker,
        records: ExperimentLedger,
        client: MusicAPI,
        settings: Settings,
        tell: Callable[[], None],
    ) -> None:
        self._board = board
        self._records = records
        self._client = client
        self._settings = settings
        self._tell = tell
        self._paid: collections.deque[int] = collections.deque()
        self._queue: collections.deque[int] = collections.deque()
        self._blocks: collections.deque[Sequence[int]] = collections.deque()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._over_budget: list[int] = []
        self._budgets: tuple[str, ...] = ()
        self._changed = asyncio.Event()
        self._slow_until = 0.0
        self._in_a_row = 0
        self.paused = self.cancelled = self.stopped = False
        self.stop_reason: str | None = None

    # --- told from outside -----------------------------------------------------------------

    def pause(self) -> None:
        self.paused = True
        self._call_back()
        self._note()

    def resume(self) -> None:
        self.paused = False
        self._note()

    def cancel(self) -> None:
        self.cancelled = True
        self.stop_reason = "the experiment was cancelled before"
        self._note()

    def _note(self) -> None:
        self._changed.set()
        self._tell()

    # --- the run ---------------------------------------------------------------------------

    async def run(self) -> None:
        await self._load()
        self._tell()
        try:
            while await self._fill():
                await self._changed.wait()
                self._changed.clear()
        finally:
            await self._let_go()
        await self._end()

    async def _load(self) -> None:
        together = self._records.library.together
        if await together(self._records.budget) is not None:
            self._budgets = (self._records.budget_name,)
        self._see(await together(self._records.join))
        states = self._board.states
        for at, state in enumerate(states):
            bought = state.state in {"accepted", "reposting", "done", "uncertain", "failed"}
            self._board.update(at, dataclasses.replace(state, before=bought and not state.to_buy))
        self._paid.extend(
            at for at, state in enumerate(states) if state.state in {"accepted", "reposting"}
        )
        bare = await together(self._records.without_files)
        self._paid.extend(
            at for at, state in enumerate(states) if state.state == "done" and state.entry in bare
        )
        for _, cells in itertools.groupby(enumerate(self._board.cells), lambda each: each[1].block):
            left = [at for at, _ in cells if states[at].to_buy]
            if left:
                self._blocks.append(left)

    def _see(self, found: Sequence[Entry | None]) -> None:
        """Take over what the library says."""
        budget = self._records.budget_name
        for at, entry in enumerate(found):
            if entry is not None:
                self._board.update(at, of_entry(entry, budget, self._board.states[at]))

    async def _fill(self) -> bool:
        """Start what may be started; tell whether anything is to be waited for."""
        while self._may_start() and (at := await self._next()) is not None:
            held = self.paused and self._board.states[at].to_buy
            if held or not self._may_start():  # told so meanwhile
                self._put_back(at)
                break
            self._start(at)
        if self.cancelled:
            return False
        waiting = self._paid or (not self.stopped and (self._queue or self._blocks))
        return bool(self._running) or bool(self.paused and waiting)

    def _may_start(self) -> bool:
        return len(self._running) < self._settings.concurrency and not self.cancelled

    async def _next(self) -> int | None:
        if self._paid:
            return self._paid.popleft()
        if self.stopped or self.paused:  # what is paid for is waited for all the same
            return None
        while not self._queue and self._blocks:
            if not await self._covers(self._blocks[0]):
                return None
            self._queue.extend(self._blocks.popleft())
        return self._queue.popleft() if self._queue else None

    def _put_back(self, at: int) -> None:
        (self._queue if self._board.states[at].to_buy else self._paid).appendleft(at)

    async def _covers(self, block: Sequence[int]) -> bool:
        """Whether every budget pays for all of a block, beside what was started before it.

        Credits that are under way may come back: it is asked again whenever a cell has ended.
        """
        names = (*self._budgets, *self._client.budgets)
        budget = await self._records.library.together(self._records.tightest, names)
        if budget is None:
            return True
        cost = sum(map(self._cost, block))
        claimed_next = [at for at in self._running if self._board.states[at].to_buy]
        pending = sum(map(self._cost, (*self._queue, *claimed_next)))
        if cost + pending <= budget.left:
            self.stop_reason = None
            return True
        number = self._board.cells[block[0]].block
        which = "the budget" if budget.name in self._budgets else f"{budget.name!r}"
        short = f"what is left of {which} ({budget.left} credits)"
        self.stop_reason = f"{short} does not cover block {number} ({cost})"
        return False

    def _cost(self, at: int) -> int:
        price = self._board.states[at].price
        return self._settings.assume if price is None else price

    # --- one cell --------------------------------------------------------------------------

    def _start(self, at: int) -> None:
        task = asyncio.create_task(self._cell(at))
        self._running[at] = task
        task.add_done_callback(lambda ended: self._ended(at, ended))

    def _ended(self, at: int, task: asyncio.Task[None]) -> None:
        self._running.pop(at, None)
        if task.cancelled():
            self._put_back(at)
        self._changed.set()

    async def _cell(self, at: int) -> None:
        for attempt in itertools.count(1):
            try:
                await self._turn()
                await self._run(at)
            except MusicAPIError as error:
                bought = not self._board.states[at].to_buy
                if attempt < _ATTEMPTS and _try_again(error, bought=bought):
                    self._slow_down(error, attempt)
                    continue
                self._failed(at, error)
            except Exception as error:  # noqa: BLE001 - one cell never ends the others
                _log.exception("cell %s of the experiment failed", self._board.cells[at].order)
                self._failed(at, error)
            return

    async def _run(self, at: int) -> None:
        cell = self._board.cells[at]
        task = await self._client.run(
            cell.request,
            take=cell.take,
            budgets=self._budgets,
            experiment=self._records.name,
            # what was bought is waited for; should it have failed meanwhile, that is its end
            retry_failed=self._board.states[at].to_buy,
            deadline=self._settings.deadline,
            progress=lambda task: self._seen(at, task),
        )
        self._seen(at, task)

    def _seen(self, at: int, task: Task) -> None:
        known = self._board.states[at]
        self._in_a_row = 0
        self._board.tasks[at] = task
        held = self._cost(at) if self._budgets and not task.bought_before else known.held
        now = of_task(known, task, held)
        if task.bought_before and known.to_buy:  # by somebody else, since this run began
            now = dataclasses.replace(now, before=True)
        self._board.update(at, now)
        if at in self._queue and not now.to_buy:  # it left just before a pause
            self._queue.remove(at)
            self._paid.appendleft(at)
        if now != known:
            self._note()

    def _failed(self, at: int, error: BaseException) -> None:
        known = self._board.states[at]
        now = of_error(known, error, self._cost(at) if self._budgets else 0)
        self._board.update(at, now)
        why = error.message if isinstance(error, MusicAPIError) else repr(error)
        if isinstance(error, OverBudget):
            self._over_budget.append(at)
        if isinstance(error, OutOfCredits | OverBudget | ClientClosed | LibraryError):
            self._stop(why)
        elif isinstance(error, Unauthorized | NoSubscription | Unreachable):
            self._in_a_row += 1
            if self._in_a_row >= _IN_A_ROW:
                self._stop(f"{why} ({self._in_a_row} times in a row)")
        else:
            self._in_a_row = 0
        self._note()

    def _stop(self, why: str) -> None:
        """Start no new cell; those under way go on."""
        self.stopped = True
        self.stop_reason = why

    def _call_back(self) -> None:
        """Take cells back that wait to be bought; one that has left still tells `_seen`."""
        for at, task in list(self._running.items()):
            if self._board.states[at].to_buy:
                task.cancel()

    # --- pace ------------------------------------------------------------------------------

    async def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._slow_until - loop.time()) > 0:  # noqa: ASYNC110 - it may be put off
            await asyncio.sleep(wait)

    def _slow_down(self, error: MusicAPIError, attempt: int) -> None:
        """Let nobody buy for a while, as long as told, up to a cap."""
        told = error.retry_after
        pause = _FIRST_PAUSE * 2.0 ** (attempt - 1) if told is None else told
        until = asyncio.get_running_loop().time()
        until += min(pause, _LONGEST_PAUSE) / self._client.speed
        self._slow_until = max(self._slow_until, until)

    # --- the end ---------------------------------------------------------------------------

    async def _let_go(self) -> None:
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _end(self) -> None:
        """Write down what is not run, and let the library have the last word."""
        why = self.stop_reason or "nothing says why"
        states = self._board.states
        left = {
            at: why for at in (*self._queue, *itertools.chain(*self._blocks)) if states[at].to_buy
        }
        left |= {at: states[at].reason or why for at in self._over_budget}
        with contextlib.suppress(LibraryError, ClientClosed):  # that is why it stopped
            together = self._records.library.together
            if left:
                await together(self._records.not_run, left, durable=False)
            self._see(await together(self._records.read))
        self._tell()


def _try_again(error: MusicAPIError, *, bought: bool) -> bool:
    if bought:  # asking costs nothing
        final = WaitTimeout | TaskNotFound | LibraryError | ClientClosed | Unauthorized
        return not isinstance(error, final)
    # after a 429 the client has tried again itself; it does not after a 403 (a full queue)
    return isinstance(error, RateLimited) and error.status != HTTPStatus.TOO_MANY_REQUESTS
