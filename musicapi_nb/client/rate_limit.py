"""When paid requests may leave: at most one in each interval."""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
import weakref

from musicapi_nb.ledger_types import Ledger

_LONG_WAIT = 5.0  # seconds that deserve an explanation
# Without an interval only a pause can delay a request. Seconds until that is checked again.
_RECHECK = 0.05


class LocalRateLimiter:
    """Lets one paid request of a client pass per `interval` (seconds); 0 means no limit.

    It is shared by the client's event loops. Slots go in the order of calls.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._next = 0.0
        self._released: list[float] = []
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Return the next slot, not before `now`, on the clock of `now`."""
        with self._lock:
            while self._released:
                slot = heapq.heappop(self._released)
                if slot >= now:
                    return slot
            slot = max(now, self._next)
            self._next = slot + self.interval
        return slot

    def release(self, slot: float) -> None:
        """Release a slot for the next request."""
        with self._lock:
            heapq.heappush(self._released, slot)

    async def acquire(self) -> None:
        """Wait for a slot. A cancelled waiter releases its slot."""
        now = time.monotonic()
        slot = self.reserve(now)
        try:
            await asyncio.sleep(slot - now)
        except asyncio.CancelledError:
            self.release(slot)
            raise


class SharedRateLimiter:
    """A rate limiter of all processes that share a ledger and the `name`, a client's base URL."""

    def __init__(self, ledger: Ledger, name: str, interval: float) -> None:
        self.interval = interval
        self._ledger = ledger
        self._slots = ledger.rate_limits
        self._name = name
        self._unthrottled_until = 0.0  # on the monotonic clock
        self._paused_until = 0.0  # unix time
        self._locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            weakref.WeakKeyDictionary()
        )

    async def acquire(self) -> None:
        """Wait for a slot. A cancelled waiter releases its slot.

        With an interval, one request of a loop waits at a time: a slot that was reserved before a
        pause began is void.
        """
        if self.interval == 0:
            await self._wait_until(await self._reserve())
            return
        async with self._queue_lock():
            while True:
                await self._wait_until(slot := await self._reserve())
                if await asyncio.to_thread(self._slots.paused_until, self._name) <= slot:
                    return

    async def is_free(self) -> bool:
        """Return whether requests need not wait: no interval, and no pause after a 429.

        The result is remembered for a moment, so that the ledger is not read for each request.
        """
        if self.interval != 0:
            return False
        if time.monotonic() < self._unthrottled_until:
            return True
        async with self._queue_lock():
            if time.monotonic() >= self._unthrottled_until:  # one check serves all waiting callers
                slot = await self._reserve()
                if slot > time.time():
                    self._release_later(slot)
                    return False
                self._unthrottled_until = time.monotonic() + _RECHECK
        return True

    async def throttle(self, seconds: float) -> None:
        """Pause all users of the ledger for some seconds, then slow down for a while."""
        self._paused_until = await self._ledger.commit(
            lambda: self._slots.throttle(self._name, seconds), durable=False
        )
        self._unthrottled_until = 0.0

    def pause_notice(self) -> str:
        """Return until when nothing is sent, because the service asked for that; else ""."""
        if self._paused_until <= time.time():
            return ""
        clock = time.strftime("%H:%M:%S", time.localtime(self._paused_until))
        return f"Nothing is bought until {clock}: the service asked for fewer requests (429)."

    async def _reserve(self) -> float:
        return await self._ledger.commit(
            lambda: self._slots.reserve(self._name, self.interval),
            durable=False,
            undo=self._release,
        )

    def _release(self, slot: float) -> None:
        self._slots.release(self._name, slot)

    def _release_later(self, slot: float) -> None:
        self._ledger.commit_later(lambda: self._release(slot), durable=False)

    async def _wait_until(self, slot: float) -> None:
        try:
            if slot - time.time() > _LONG_WAIT:  # perhaps a pause after another kernel's 429
                self._paused_until = await asyncio.to_thread(self._slots.paused_until, self._name)
            await asyncio.sleep(max(0.0, slot - time.time()))
        except asyncio.CancelledError:
            self._release_later(slot)
            raise

    def _queue_lock(self) -> asyncio.Lock:
        """Return the lock of the running loop, which lets one request wait for a slot at a time."""
        return self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
