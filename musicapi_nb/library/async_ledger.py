"""The ledger's steps for event loops, written by group commit on a thread."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from musicapi_nb.engines import Request
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.ledger_types import Claim, Entry, PurchaseTerms
from musicapi_nb.library import queries
from musicapi_nb.library.database import Database
from musicapi_nb.library.group_commit import GroupCommit
from musicapi_nb.library.ledger import Ledger
from musicapi_nb.library.notifications import Notification, NotificationResult
from musicapi_nb.library.rate_limit import RateLimits
from musicapi_nb.tasks import Task

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


class LibraryAsyncLedger:
    """The `AsyncLedger` of a library. Steps of one turn of the loop share a transaction."""

    def __init__(
        self, ledger: Ledger, database: Database, rate_limits: RateLimits, group_commit: GroupCommit
    ) -> None:
        self._ledger = ledger
        self._database = database
        self._rate_limits = rate_limits
        self._add = group_commit.add

    async def find(self, request: Request, terms: PurchaseTerms) -> Claim | None:
        return await self._add(lambda: self._ledger.find(request, terms), durable=False)

    async def claim(self, request: Request, terms: PurchaseTerms) -> Claim:
        return await self._run_or_undo(
            lambda: self._ledger.claim(request, terms), self._ledger.undo_claim, durable=True
        )

    async def claim_repost(self, request: Request, terms: PurchaseTerms) -> Claim:
        return await self._run_or_undo(
            lambda: self._ledger.claim_repost(request, terms), self._ledger.undo_claim, durable=True
        )

    async def record_accepted(self, entry: int, task: Task) -> Entry:
        return await self._add(lambda: self._ledger.record_accepted(entry, task), durable=True)

    async def record_poll(self, entry: int, task: Task) -> Entry:
        return await self._add(lambda: self._ledger.record_poll(entry, task), durable=False)

    async def record_repost(self, entry: int, task: Task) -> Entry:
        return await self._add(lambda: self._ledger.record_poll(entry, task), durable=True)

    async def record_refused(self, entry: int, error: MusicAPIError) -> Entry:
        return await self._add(lambda: self._ledger.record_refused(entry, error), durable=True)

    async def record_uncertain(self, entry: int, error: BaseException) -> Entry:
        return await self._add(lambda: self._ledger.record_uncertain(entry, error), durable=True)

    async def record_unsent(self, entry: int, error: BaseException) -> Entry:
        return await self._add(lambda: self._ledger.record_unsent(entry, error), durable=True)

    async def record_unchanged(self, entry: int) -> Entry:
        return await self._add(lambda: self._ledger.record_unchanged(entry), durable=True)

    def record_interrupted(self, entry: int, error: BaseException) -> None:
        self._ledger.record_uncertain(entry, error)

    async def apply_notification(
        self, notification: Notification, read: Callable[[Task], Task]
    ) -> NotificationResult:
        return await self._add(
            lambda: self._ledger.apply_notification(notification, read), durable=True
        )

    async def finished_entries(self, entries: Sequence[int]) -> Sequence[int]:
        return await asyncio.to_thread(queries.finished_entries, self._database, entries)

    async def reserve_slot(self, name: str, interval: float) -> float:
        step = functools.partial(self._rate_limits.reserve, name, interval)
        release = functools.partial(self._rate_limits.release, name)
        return await self._run_or_undo(step, release, durable=False)

    def release_slot(self, name: str, slot: float) -> None:
        self._run_later(functools.partial(self._rate_limits.release, name, slot), durable=False)

    async def throttle(self, name: str, seconds: float) -> float:
        return await self._add(lambda: self._rate_limits.throttle(name, seconds), durable=False)

    async def paused_until(self, name: str) -> float:
        return await asyncio.to_thread(self._rate_limits.paused_until, name)

    async def flush(self) -> None:
        """Wait until all earlier steps have been committed."""
        await self._add(lambda: None, durable=True)

    async def _run_or_undo(
        self, step: Callable[[], _Result], undo: Callable[[_Result], object], *, durable: bool
    ) -> _Result:
        """Run a step. If the caller is cancelled before it has the result, undo it."""
        results: list[_Result] = []

        def run() -> _Result:
            results[:] = [step()]  # a step whose commit failed is run again
            return results[0]

        def undo_all() -> None:
            for result in results:
                undo(result)

        try:
            return await self._add(run, durable=durable)
        except asyncio.CancelledError:
            self._run_later(undo_all, durable=durable)
            raise

    def _run_later(self, step: Callable[[], object], *, durable: bool) -> None:
        """Run a step after those that were added before it, and do not wait for it."""
        with contextlib.suppress(MusicAPIError):  # closed: claims are then uncertain
            self._add(step, durable=durable).add_done_callback(_log_failure)


def _log_failure(step: asyncio.Future[object]) -> None:
    if not step.cancelled() and (error := step.exception()) is not None:
        _log.warning("A claim or slot could not be given back: %s", error)
