"""How fast paid requests may leave."""

from __future__ import annotations

import asyncio
import threading
import time


class Pace:
    """Lets one request pass for each interval, in the order of asking, over all loops.

    Parameters
    ----------
    interval
        Seconds between two requests; 0 for no limit.
    """

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Take the next place; return the seconds until it comes."""
        with self._lock:
            place = max(now, self._next)
            self._next = place + self.interval
        return place - now

    async def turn(self) -> None:
        """Wait for one's place."""
        await asyncio.sleep(self.reserve(time.monotonic()))
