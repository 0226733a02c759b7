"""Buying: wait for a slot, claim in the ledger, send once, record the outcome."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from musicapi_nb.client.callbacks import ProgressCallback, notify, task_name
from musicapi_nb.client.in_flight import InFlight
from musicapi_nb.client.rate_limit import LocalRateLimiter, SharedRateLimiter
from musicapi_nb.client.retry import RetryPolicy
from musicapi_nb.engines import Request
from musicapi_nb.errors import (
    InvalidArgument,
    InvalidTransition,
    LibraryError,
    MusicAPIError,
    RateLimited,
    UncertainPurchase,
    Unreachable,
)
from musicapi_nb.ledger_types import Claim, Entry, Ledger, PurchaseTerms, RenderTime
from musicapi_nb.tasks import Task
from musicapi_nb.tasks.reply_search import task_id_of_body

_RECHECK_SECONDS = 0.2  # how often to check whether another process has the reply
_BOUGHT = frozenset({"accepted", "done", "failed"})
_NOT_BOUGHT_AGAIN = (
    "%s (take %s) failed before and was not bought again: no refund was reported (entry %s). Run "
    "another take, or api.library.resolve(%s, charged=True or False) and run it again to buy it."
)
_log = logging.getLogger(__name__)
_Outcome = TypeVar("_Outcome", Task, MusicAPIError)
_Result = TypeVar("_Result")


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """A paid request that is ready to be sent.

    `post` makes one POST. It receives the ledger entry of the purchase, if there is a ledger.
    """

    request: Request
    terms: PurchaseTerms
    post: Callable[[Entry | None], Awaitable[Task]]
    progress: ProgressCallback | None = None

    @property
    def name(self) -> str:
        return f"{self.request.engine}.{self.request.operation}"


class _Unwritten(NamedTuple):
    """A step that the ledger could not store, to be called with the entry and the outcome."""

    step: Callable[[int, Any], Entry]
    outcome: Any  # a task or an error

    def __str__(self) -> str:
        if isinstance(self.outcome, Task):
            return f"{task_name(self.outcome)} was accepted, keep its id"
        message = self.outcome.message if isinstance(self.outcome, MusicAPIError) else None
        return message or repr(self.outcome)


class Purchaser:
    """Buys without a ledger: each order is sent.

    `accepted` is called with each accepted task, and the real seconds since it was accepted.
    """

    def __init__(
        self,
        limiter: LocalRateLimiter | SharedRateLimiter,
        retry: RetryPolicy,
        in_flight: InFlight,
        accepted: Callable[[Task, float], None],
    ) -> None:
        self._limiter = limiter
        self._retry = retry
        self._in_flight = in_flight
        self._accepted = accepted
        self._throttle: Callable[[float], Awaitable[None]] | None = None  # for a 429

    async def buy(self, order: Order) -> Task:
        """Buy an order when its slot comes, or return the task of an existing purchase.

        It is sent again only if it provably never reached the service or was refused by a 429. It
        is not sent if a budget does not cover it (`OverBudget`), or if the ledger cannot tell
        whether this take was bought (`UncertainPurchase`).
        """
        task = None
        while task is None:
            task = await self._retry.call(
                lambda: self._buy_in_turn(order), paid=True, throttle=self._throttle
            )
        return task

    async def repost(self, task: Task, post: Callable[[], Awaitable[Task]]) -> Task:
        """Send a request again, by `post`, whose last reply was "not ready".

        With a ledger, nothing is sent while another process does it, once one has the answer, or
        after the reply to an earlier repost was lost (`UncertainPurchase`).
        """
        return await self._retry.call(lambda: self._repost_in_turn(task, post), paid=True)

    async def _buy_in_turn(self, order: Order) -> Task | None:
        if order.terms.budgets:
            raise InvalidArgument("budgets need a ledger: MusicAPI(..., ledger=library)")
        await self._wait_for_slot()
        return await self._in_flight.shield(self._send(order), order.name, order.progress)

    async def _send(self, order: Order) -> Task:
        task = await order.post(None)
        self._announce(task, order)
        return task

    async def _repost_in_turn(self, task: Task, post: Callable[[], Awaitable[Task]]) -> Task:
        await self._wait_for_slot()
        return await self._in_flight.shield(self._repost(task, post), task.name)

    async def _repost(self, task: Task, post: Callable[[], Awaitable[Task]]) -> Task:  # noqa: ARG002 - unused without a ledger
        return await post()

    async def _wait_for_slot(self) -> None:
        self._in_flight.check_open()
        await self._limiter.acquire()
        self._in_flight.check_open()

    def _announce(self, task: Task, order: Order) -> None:
        self._accepted(task, 0.0)
        notify(order.progress, task)


class PurchaseCoordinator(Purchaser):
    """Buys through a ledger: each take once, recorded before it is sent and after its reply."""

    def __init__(  # noqa: PLR0913 - those of Purchaser, and the ledger
        self,
        ledger: Ledger,
        limiter: SharedRateLimiter,
        retry: RetryPolicy,
        in_flight: InFlight,
        accepted: Callable[[Task, float], None],
        *,
        simulated: bool,
    ) -> None:
        super().__init__(limiter, retry, in_flight, accepted)
        self._ledger = ledger
        self._shared_limiter = limiter
        self._throttle = limiter.throttle
        self.pause_notice = limiter.pause_notice
        self._simulated = simulated
        self._entries: dict[str, int] = {}  # by task id
        # By entry: the step that the ledger failed to store, and its outcome as last known.
        self._unwritten: dict[int, _Unwritten] = {}
        self._rewriting = False

    # --- buying ----------------------------------------------------------------------------

    async def _buy_in_turn(self, order: Order) -> Task | None:
        """Return the task, or None if the purchase that was waited for ended without a charge."""
        self._in_flight.check_open()
        # Without a rate limit to wait for, the claim finds existing purchases as well.
        if not await self._shared_limiter.is_free():
            task = await self._find(order)
            if task is not None:
                return task
            await self._limiter.acquire()
        self._in_flight.check_open()
        claim = await self._in_flight.shield(
            self._claim_and_send(order), order.name, order.progress
        )
        if claim.kind == "buy":
            return claim.task
        return await self._find(order, joined=claim.entry.id)

    async def _find(self, order: Order, *, joined: int | None = None) -> Task | None:
        """Return the task of an existing purchase, or None if it must be bought.

        Waits while another process is sending it. If the caller already waited for the entry
        `joined`, its failure is final: one call never buys twice. Raise `UncertainPurchase` if it
        may have been bought.
        """
        terms = order.terms
        while True:
            current = dataclasses.replace(terms, retry_failed=terms.retry_failed and joined is None)
            find = functools.partial(self._ledger.find, order.request, current)
            claim = await self._commit(find, durable=False)
            if claim is None or (terms.retry_failed and _cost_nothing(claim.entry, joined)):
                return None
            entry = claim.entry
            task = self._unwritten_task(entry.id) or claim.task
            if task is not None:
                # The ledger cannot decode the request of an operation that it does not know.
                task = self.remember(entry, msgspec.structs.replace(task, request=order.request))
                if entry.failed_and_charged and terms.retry_failed:
                    _log.warning(_NOT_BOUGHT_AGAIN, entry.name, entry.take, entry.id, entry.id)
                notify(order.progress, task)
                return task
            if claim.kind == "uncertain" or entry.id in self._unwritten:
                raise _uncertain_error(entry)
            joined = entry.id
            await asyncio.sleep(_RECHECK_SECONDS)

    async def _claim_and_send(self, order: Order) -> Claim:
        """Claim an order and, if it is to be bought, send it; the claim then has the task."""
        ledger = self._ledger
        claim = await self._commit(
            lambda: ledger.claim(order.request, order.terms), undo=ledger.undo_claim
        )
        if claim.kind != "buy":
            return claim
        entry = claim.entry.id
        try:
            task = await order.post(claim.entry)
        except Unreachable as error:
            await self._record(ledger.record_unsent, entry, error)
            raise
        except MusicAPIError as error:
            if not error.may_have_cost:
                await self._record(ledger.record_refused, entry, error)
                raise
            if (task_id := task_id_of_body(error.body)) is not None:
                hint = f"its reply names a task: api.library.resolve({entry}, task_id={task_id!r})"
                error.set_message(f"{error.message.rstrip('. ')}; {hint}")
            latest = await self._record(ledger.record_uncertain, entry, error)
            if latest is None or latest.state not in _BOUGHT:
                raise
            return Claim("join", latest)  # its webhook came before
        except BaseException as error:  # the loop is ending: only now can this be recorded
            self._record_interrupted(entry, error)
            raise
        await self._record(ledger.record_accepted, entry, task)
        if task.id is not None:
            self._entries[task.id] = entry
        self._announce(task, order)
        return dataclasses.replace(claim, task=task)

    # --- reposts ---------------------------------------------------------------------------

    async def _repost_in_turn(self, task: Task, post: Callable[[], Awaitable[Task]]) -> Task:
        try:
            return await super()._repost_in_turn(task, post)
        except RateLimited as error:  # not sent again here: the next poll is a repost anyway
            await self._shared_limiter.throttle(self._retry.seconds_to_pause(error))
            raise

    async def _repost(self, task: Task, post: Callable[[], Awaitable[Task]]) -> Task:
        if task.request is None:
            raise TypeError("a task without a request cannot be sent again")
        terms = PurchaseTerms(take=task.take, simulated=self._simulated)
        ledger = self._ledger
        claim_repost = functools.partial(ledger.claim_repost, task.request, terms)
        claim = await self._commit(claim_repost, undo=ledger.undo_claim)
        entry = claim.entry.id
        if claim.kind == "uncertain":
            raise _uncertain_error(claim.entry)
        if claim.kind != "repost":
            return self._unwritten_task(entry) or claim.task or task
        try:
            latest = await post()
        except MusicAPIError as error:
            if error.may_have_cost:
                await self._record(ledger.record_uncertain, entry, error)
            else:  # it was refused or never left: what was accepted before is unchanged
                await self._record(lambda entry, _: ledger.record_unchanged(entry), entry, error)
            raise
        except BaseException as error:  # the loop is ending: only now can this be recorded
            self._record_interrupted(entry, error)
            raise
        await self._record(ledger.record_poll, entry, latest)
        return latest

    # --- the ledger ------------------------------------------------------------------------

    async def _commit(
        self,
        step: Callable[[], _Result],
        *,
        durable: bool = True,
        undo: Callable[[_Result], object] | None = None,
    ) -> _Result:
        """Run a step of the ledger, after another attempt at the outcomes that it lacks."""
        await self._write_unwritten()
        return await self._ledger.commit(step, durable=durable, undo=undo)

    async def _record(
        self, step: Callable[[int, _Outcome], Entry], entry: int, outcome: _Outcome
    ) -> Entry | None:
        """Record an outcome. If the ledger cannot, keep it until it can, and log it."""
        try:
            latest = await self._commit(lambda: step(entry, outcome))
        except Exception as error:  # noqa: BLE001 - of any kind: the caller must have the outcome
            self._keep_unwritten(step, entry, outcome, getattr(error, "message", repr(error)))
            return None
        except BaseException:  # the step is written all the same, unless it fails
            self._keep_unwritten(step, entry, outcome, "perhaps: the loop is ending")
            raise
        if notice := self._ledger.notice:
            _log.error("Entry %s: %s. %s", entry, _Unwritten(step, outcome), notice)
        return latest

    def _record_interrupted(self, entry: int, error: BaseException) -> None:
        try:
            self._ledger.record_uncertain(entry, error)
        except MusicAPIError as failure:
            self._keep_unwritten(self._ledger.record_uncertain, entry, error, failure.message)

    def _keep_unwritten(
        self, step: Callable[[int, Any], Entry], entry: int, outcome: Any, reason: str
    ) -> None:
        self._unwritten[entry] = unwritten = _Unwritten(step, outcome)
        message = "The library could not record entry %s (%s) and tries again later: %s"
        _log.error(message, entry, reason, unwritten)

    def _unwritten_task(self, entry: int) -> Task | None:
        outcome = getattr(self._unwritten.get(entry), "outcome", None)
        return outcome if isinstance(outcome, Task) else None

    async def _write_unwritten(self) -> None:
        """Try again to record the outcomes that the ledger could not store."""
        if not self._unwritten or self._rewriting:
            return
        self._rewriting = True
        try:
            for entry, unwritten in list(self._unwritten.items()):
                try:
                    await self._ledger.commit(
                        functools.partial(unwritten.step, entry, unwritten.outcome)
                    )
                except InvalidTransition as error:  # settled by another process in the meantime
                    _log.warning("%s; not recorded: %s", error.message, unwritten)
                if self._unwritten.get(entry) is unwritten:  # else it has changed meanwhile
                    del self._unwritten[entry]
        except Exception as error:  # noqa: BLE001 - as above; tried again with the next step
            _log.debug("The library lacks outcomes: %r", error)
        finally:
            self._rewriting = False

    async def close(self) -> None:
        """Record what could not be recorded before; log what still cannot be."""
        await self._write_unwritten()
        for entry, unwritten in self._unwritten.items():
            message = "The library lacks the outcome of entry %s; see library.resolve: %s"
            _log.error(message, entry, unwritten)

    async def record_poll(self, task: Task) -> None:
        """Record the result of polling a task of this ledger."""
        entry = self._entries.get(task.id or "")
        if entry is None:
            return
        record = self._ledger.record_poll
        if (unwritten := self._unwritten.get(entry)) is not None:
            self._unwritten[entry] = _Unwritten(unwritten.step, task)
        try:  # a poll can be repeated
            await self._commit(lambda: record(entry, task), durable=False)
        except MusicAPIError as error:  # the caller has its songs
            if task.finished and isinstance(error, LibraryError):
                self._unwritten.setdefault(entry, _Unwritten(record, task))
            name, reason = task_name(task), error.message
            _log.warning("The library could not record a poll of %s: %s", name, reason)

    async def settled_elsewhere(self, tasks: Sequence[Task]) -> list[Task]:
        """Return those of the given tasks that a webhook has ended in the ledger."""
        pairs = ((self._entries.get(task.id or ""), task) for task in tasks)
        entries = {entry: task for entry, task in pairs if entry is not None}
        try:
            finished = await asyncio.to_thread(self._ledger.finished_entries, list(entries))
            return [entries[entry] for entry in finished]
        except MusicAPIError as error:  # the tasks are polled anyway
            _log.warning("Finished tasks could not be read from the library: %s", error.message)
            return []

    def past_render_times(self, engine: str, operation: str) -> Sequence[RenderTime]:
        """Return the render times of past tasks, oldest first."""
        if self._retry.speed != 1:  # the ledger has real times, of simulators of any speed
            return ()
        try:
            return self._ledger.render_times(engine, operation, simulated=self._simulated)
        except MusicAPIError as error:  # tasks are waited for anyway
            _log.warning("Past render times could not be read from the library: %s", error.message)
            return ()

    def unfinished(self) -> list[Task]:
        """Return the accepted tasks in the ledger, also those of earlier kernels."""
        purchases = self._ledger.unfinished(simulated=self._simulated)
        return [self.remember(purchase.entry, purchase.task) for purchase in purchases]

    def remember(self, entry: Entry, task: Task) -> Task:
        """Remember entry and acceptance of a task, and return it marked as bought before."""
        if task.id is not None:
            self._entries[task.id] = entry.id
        if entry.accepted_at is not None:
            self._accepted(task, max(time.time() - entry.accepted_at, 0.0))
        return msgspec.structs.replace(task, bought_before=True)


def _cost_nothing(entry: Entry, joined: int | None) -> bool:
    """Return whether the entry `joined`, if there is one, ended without being charged.

    It did if the current `entry` is refused, or is an older one (`joined` was then never sent).
    """
    return joined is not None and (entry.state == "refused" or entry.id < joined)


def _uncertain_error(entry: Entry) -> UncertainPurchase:
    return UncertainPurchase(
        f"{entry.name} (take {entry.take}) may have been bought (entry {entry.id}): "
        f"{entry.note or 'the reply to it was lost'}",
        entry=entry.id,
    )
