"""How fast paid requests may leave."""

from __future__ import annotations

import asyncio
import heapq
import threading
import time


class RateLimiter:
    """Lets one request pass for each interval, in the order of asking, over all loops.

    Parameters
    ----------
    interval
        Seconds between two requests; 0 for no limit.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._next = 0.0
        self._given_back: list[float] = []
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Take the next place: an instant on the clock of `now`, not before it."""
        with self._lock:
            while self._given_back:
                place = heapq.heappop(self._given_back)
                if place >= now:
                    return place
            place = max(now, self._next)
            self._next = place + self.interval
        return place

    def release(self, place: float) -> None:
        """Let somebody else have a place."""
        with self._lock:
            heapq.heappush(self._given_back, place)

    async def acquire(self) -> None:
        """Wait for one's place; who is cancelled meanwhile does not hold up the next."""
        now = time.monotonic()
        place = self.reserve(now)
        try:
            await asyncio.sleep(place - now)
        except asyncio.CancelledError:
            self.release(place)
            raise
