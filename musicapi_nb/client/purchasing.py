"""Buys through a ledger: each take once, written down before it leaves and after it arrives."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from musicapi_nb.client.archive import MediaStore
from musicapi_nb.client.callbacks import name
from musicapi_nb.engines import Request
from musicapi_nb.errors import MusicAPIError, UncertainPurchase, Unreachable
from musicapi_nb.tasks import Task

_LOOK_SECONDS = 0.2
_BOUGHT = frozenset({"accepted", "done", "failed"})
# Without a pace only a pause can be in the way; so long nobody asks again whether there is one.
_FREE_SECONDS = 0.05
_log = logging.getLogger(__name__)


class Entry(Protocol):
    """A purchase, as the ledger numbers it."""

    @property
    def id(self) -> int: ...
    @property
    def request_key(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def sent_at(self) -> float | None: ...
    @property
    def accepted_at(self) -> float | None: ...


class Claim(Protocol):
    """What a ledger says about a take: buy, have, join or uncertain."""

    @property
    def kind(self) -> str: ...
    @property
    def entry(self) -> Entry: ...
    @property
    def task(self) -> Task | None: ...


class Ledger(MediaStore, Protocol):
    """What the client reports to; `library.Library` fulfils it.

    `together(method, ...)` calls a method with the next group commit of the loop, and gives a
    future of its outcome.
    """

    def entry(self, number: int, /) -> Any: ...
    def together(
        self, method: Callable[..., Any], /, *values: Any, durable: bool = True, **named: Any
    ) -> asyncio.Future[Any]: ...
    def find(
        self, request: Request, take: int = 1, *, simulated: bool = False, retry_failed: bool = True
    ) -> Any: ...
    def claim(  # noqa: PLR0913 - as `Library.claim`
        self,
        request: Request,
        take: int = 1,
        *,
        simulated: bool = False,
        budgets: Sequence[str] = (),
        experiment: str | None = None,
        retry_failed: bool = True,
    ) -> Any: ...
    def claim_repost(self, request: Request, take: int = 1, *, simulated: bool = False) -> Any: ...
    def record_accepted(self, entry: int, task: Task) -> Any: ...
    def record_poll(self, entry: int, task: Task) -> Any: ...
    def record_refused(self, entry: int, error: MusicAPIError) -> Any: ...
    def record_uncertain(self, entry: int, error: BaseException) -> Any: ...
    def record_unchanged(self, entry: int) -> Any: ...
    def record_unsent(self, entry: int, error: BaseException | None = None) -> Any: ...
    def finished_entries(self, entries: Sequence[int]) -> Sequence[int]: ...
    def unfinished(self, *, simulated: bool | None = None) -> Sequence[Any]: ...
    def render_times(
        self, engine: str, operation: str, *, simulated: bool = False
    ) -> Sequence[Any]: ...
    def reserve_slot(self, interval: float, *, name: str = "") -> float: ...
    def release_slot(self, at: float, *, name: str = "") -> None: ...
    def throttle(self, retry_after: float = 1.0, *, name: str = "") -> float: ...
    def paused_until(self, *, name: str = "") -> float: ...


@dataclasses.dataclass(frozen=True, slots=True)
class PurchaseTerms:
    """Which take is bought, out of which budgets, for which experiment, and (`again`) how often.

    Without `again`, what failed or was refused before is not bought anew.
    """

    take: int = 1
    budgets: tuple[str, ...] = ()
    experiment: str | None = None
    retry_failed: bool = True


class TakenMeanwhile(Exception):
    """The take need not be bought: it was before, or while this one waited for its turn.

    `entry` is what was joined by that.
    """

    def __init__(self, entry: int) -> None:
        super().__init__(f"see entry {entry}")
        self.entry = entry


class PurchaseCoordinator:
    """The takes that one client buys, and the tasks that it looks after.

    Parameters
    ----------
    ledger, budgets
        Where they are written down, and the names of the budgets that have to cover them.
    simulated
        Whether they are a simulator's, and so kept apart.
    pace
        The name of the pace that all clients of one service share.
    since
        Told how many of our seconds ago a task was accepted that was bought before.
    """

    def __init__(
        self,
        ledger: Ledger,
        budgets: Sequence[str],
        *,
        simulated: bool,
        pace: str,
        since: Callable[[Task, float], None],
    ) -> None:
        self._ledger = ledger
        self._budgets = tuple(budgets)
        self._simulated = simulated
        self._pace = pace
        self._since = since
        self._turns: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            weakref.WeakKeyDictionary()
        )
        self._free_until = 0.0  # on the monotonic clock
        self._entries: dict[str, int] = {}
        # What came of purchases whose end the ledger could not write: it calls them "sending".
        self._unwritten: dict[int, Task | None] = {}

    @property
    def shelf(self) -> MediaStore:
        """Where files go."""
        return self._ledger

    async def find(
        self, request: Request, terms: PurchaseTerms, joined: int | None = None
    ) -> Task | None:
        """The task of a take that was bought before or is under way; None: it has to be bought.

        While another job or kernel is sending it, this waits for what comes of that. Of an entry
        that was `joined`, a failure is what came of it: who asked once does not buy twice.

        Raises
        ------
        UncertainPurchase
            It may have been bought, and a person has to say.
        """
        while True:
            claim: Claim | None = await self._ledger.together(
                self._ledger.find,
                request,
                terms.take,
                simulated=self._simulated,
                retry_failed=terms.retry_failed and joined is None,
            )
            if claim is None or (terms.retry_failed and _came_to_nothing(claim.entry, joined)):
                return None
            task = claim.task or self._unwritten.get(claim.entry.id)
            if task is not None:
                # of an operation that only the caller knows the ledger cannot make the request
                known = msgspec.structs.replace(task, request=request)
                return self._known(claim.entry, known)
            if claim.kind == "uncertain" or claim.entry.id in self._unwritten:
                raise _unsettled(request, terms.take, claim.entry.id)
            joined = claim.entry.id
            await asyncio.sleep(_LOOK_SECONDS)

    def _known(self, entry: Entry, task: Task) -> Task:
        if task.id is not None:
            self._entries[task.id] = entry.id
        if entry.accepted_at is not None:
            self._since(task, max(time.time() - entry.accepted_at, 0.0))
        return msgspec.structs.replace(task, bought_before=True)

    async def buy(
        self, request: Request, terms: PurchaseTerms, post: Callable[[Entry], Awaitable[Task]]
    ) -> Task:
        """Claim a take, send it, and write down what came of it.

        `post` is told which entry it is written down as.

        Raises
        ------
        TakenMeanwhile
            It was not claimed, or its reply was lost but its webhook came: see `find`.
        OverBudget
            A budget does not cover it; nothing was sent.
        """
        ledger = self._ledger
        claim = await self._claim_or_undo(
            ledger.record_unsent,
            ledger.claim,
            request,
            terms.take,
            simulated=self._simulated,
            budgets=(*self._budgets, *terms.budgets),
            experiment=terms.experiment,
            retry_failed=terms.retry_failed,
        )
        if claim.kind != "buy":
            raise TakenMeanwhile(claim.entry.id)
        entry = claim.entry.id
        try:
            task = await post(claim.entry)
        except Unreachable as error:
            await self._record(ledger.record_unsent, entry, error)
            raise
        except MusicAPIError as error:
            outcome = ledger.record_uncertain if error.may_have_cost else ledger.record_refused
            now = await self._record(outcome, entry, error)
            if error.may_have_cost and now is not None and now.state in _BOUGHT:
                raise TakenMeanwhile(entry) from None  # its webhook came before
            raise
        except BaseException as error:  # the loop ends: there is no next turn to write it in
            ledger.record_uncertain(entry, error)
            raise
        await self._record(ledger.record_accepted, entry, task)
        if task.id is not None:
            self._entries[task.id] = entry
        return task

    async def repost(
        self, task: Task, request: Request, post: Callable[[], Awaitable[Task]]
    ) -> Task:
        """Send what was accepted without a task once more, and write down what came of it.

        While another job or kernel is asking, and once one has its answer, nothing is sent: the
        task is as they know it.

        Raises
        ------
        UncertainPurchase
            The reply to an earlier repeat was lost, and a person has to say.
        InvalidTransition
            The ledger knows of no such purchase.
        """
        ledger = self._ledger
        claim = await self._claim_or_undo(
            ledger.record_unchanged,
            ledger.claim_repost,
            request,
            task.take,
            simulated=self._simulated,
        )
        entry = claim.entry.id
        if claim.kind == "uncertain":
            raise _unsettled(request, task.take, entry)
        if claim.kind != "repost":
            return self._unwritten.get(entry) or claim.task or task
        try:
            found = await post()
        except MusicAPIError as error:
            if error.may_have_cost:
                await self._record(ledger.record_uncertain, entry, error)
            else:  # it never left, or was refused: what was accepted before is as it was
                await self._record(ledger.record_unchanged, entry)
            raise
        except BaseException as error:  # the loop ends: there is no next turn to write it in
            ledger.record_uncertain(entry, error)
            raise
        await self._record(ledger.record_poll, entry, found, durable=False)
        return found

    async def _claim_or_undo(
        self, undo: Callable[[int], Any], step: Callable[..., Claim], *values: Any, **named: Any
    ) -> Claim:
        """Ask the ledger whether to send; undone if the loop ends before the answer is here."""
        ledger, found = self._ledger, list[Claim]()

        def claim() -> Claim:
            found.clear()  # a step whose commit failed may be taken again
            found.append(step(*values, **named))
            return found[0]

        def let_go() -> None:
            for claimed in found:
                entry = claimed.entry
                if claimed.kind in {"buy", "repost"} and ledger.entry(entry.id) == entry:
                    undo(entry.id)

        try:
            answer: Claim = await ledger.together(claim)
        except asyncio.CancelledError:
            with contextlib.suppress(MusicAPIError):  # closed: it is uncertain from then on
                ledger.together(let_go)
            raise
        return answer

    async def _record(
        self,
        step: Callable[..., Any],
        entry: int,
        outcome: Task | MusicAPIError | None = None,
        *,
        durable: bool = True,
    ) -> Entry | None:
        """Write down what came of a purchase; who bought it is to have that all the same."""
        told = [] if outcome is None else [outcome]
        try:
            now: Entry = await self._ledger.together(step, entry, *told, durable=durable)
        except MusicAPIError as error:
            if outcome is None or isinstance(outcome, MusicAPIError):
                self._unwritten[entry], said = None, str(outcome or "it is as it was")
            else:
                self._unwritten[entry] = outcome
                said = f"{name(outcome)} was accepted, keep its id"
            _log.error("The ledger could not note of entry %s (%s): %s", entry, error, said)
            return None
        return now

    async def wait_for_slot(
        self, request: Request, terms: PurchaseTerms, interval: float
    ) -> Task | None:
        """Wait for one's place among all processes on the ledger.

        What need not be bought does not queue: its task is returned at once, as by `find`. Where
        there is nothing to queue for, no pace and no pause, the claim tells that as well.
        """
        if interval == 0 and await self._is_unthrottled():
            return None
        known = await self.find(request, terms)
        if known is None:
            await self.wait_in_queue(interval)
        return known

    async def _is_unthrottled(self) -> bool:
        if time.monotonic() < self._free_until:
            return True
        async with self._queue_lock():
            if time.monotonic() >= self._free_until:  # the first of a crowd asks for all
                place = await self._reserve_slot(0)
                if place > time.time():
                    await self._ledger.together(
                        self._ledger.release_slot, place, durable=False, name=self._pace
                    )
                    return False
                self._free_until = time.monotonic() + _FREE_SECONDS
        return True

    async def wait_in_queue(self, interval: float) -> None:
        """Wait for a place: one at a time, for what was leased before a pause began is void."""
        if interval == 0:
            await self._wait_for(await self._reserve_slot(interval))
            return
        async with self._queue_lock():
            while True:
                place = await self._reserve_slot(interval)
                await self._wait_for(place)
                paused = await asyncio.to_thread(self._ledger.paused_until, name=self._pace)
                if paused <= place:
                    return

    def _queue_lock(self) -> asyncio.Lock:
        return self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    async def _reserve_slot(self, interval: float) -> float:
        place: float = await self._ledger.together(
            self._ledger.reserve_slot, interval, durable=False, name=self._pace
        )
        return place

    async def _wait_for(self, place: float) -> None:
        try:
            await asyncio.sleep(max(0.0, place - time.time()))
        except asyncio.CancelledError:
            self._ledger.release_slot(place, name=self._pace)
            raise

    async def throttle(self, seconds: float) -> None:
        """After a 429: pause for all on the ledger, then go slower for a while."""
        await self._ledger.together(self._ledger.throttle, seconds, durable=False, name=self._pace)
        self._free_until = 0.0

    async def record_poll(self, task: Task) -> None:
        """Write down a look at a task of this ledger."""
        entry = self._entries.get(task.id or "")
        if entry is None:
            return
        try:
            await self._ledger.together(self._ledger.record_poll, entry, task, durable=False)
        except MusicAPIError as error:  # its end can be looked up again, its songs are here now
            _log.warning("The ledger could not note how %s is doing: %s", name(task), error)

    async def settled_elsewhere(self, tasks: Sequence[Task]) -> list[Task]:
        """Those of these tasks whose end the ledger knows already: somebody else heard of it."""
        named = ((self._entries.get(task.id or ""), task) for task in tasks)
        entries = {entry: task for entry, task in named if entry is not None}
        try:
            ended = await asyncio.to_thread(self._ledger.finished_entries, list(entries))
        except MusicAPIError as error:  # it is asked about all the same
            _log.warning("The ledger could not say what has ended: %s", error)
            return []
        return [entries[entry] for entry in ended]

    def past_render_times(
        self, engine: str, operation: str
    ) -> list[tuple[str | None, float, float]]:
        """How long past tasks took: see `Waiting`."""
        times = self._ledger.render_times(engine, operation, simulated=self._simulated)
        return [(each.model, each.low, each.high) for each in times]

    def unfinished(self) -> list[Task]:
        """Tasks that the ledger knows as accepted, of this and of earlier kernels."""
        found = self._ledger.unfinished(simulated=self._simulated)
        return [self._known(each.entry, each.task) for each in found]


def _came_to_nothing(entry: Entry, joined: int | None) -> bool:
    """Whether what was joined was refused or never left; this is then it, or an older one."""
    return joined is not None and (entry.state == "refused" or entry.id < joined)


def _unsettled(request: Request, take: int, entry: int) -> UncertainPurchase:
    what = f"{request.engine}.{request.operation} (take {take})"
    return UncertainPurchase(
        f"{what} may have been bought: the reply to it was lost (entry {entry})", entry=entry
    )
