"""How many files of one host are downloaded at once, and for how long it asks to be left alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from musicapi_nb.client.retry import LONGEST_PAUSE
from musicapi_nb.errors import RateLimited

_MAX_DOWNLOADS = 4
_SHORTEST_PAUSE = 1.0  # real seconds: some hosts say 0


class HostQueue:
    """The downloads of one event loop from one host.

    After a refusal (429, or 503 with Retry-After), nothing is begun until the pause and the
    downloads under way have ended; then one is tried alone. `sleep` waits for real seconds.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.slots: asyncio.Semaphore = asyncio.Semaphore(_MAX_DOWNLOADS)
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._running = 0
        self._idle = asyncio.Event()
        self._resume_at = 0.0  # on the monotonic clock; 0 if the host does not refuse

    async def pause(self, seconds: float) -> None:
        """Begin no attempt for some seconds."""
        pause = max(seconds, _SHORTEST_PAUSE)
        self._resume_at = max(self._resume_at, time.monotonic() + pause)

    async def attempt(self, download: Callable[[], Awaitable[None]]) -> None:
        """Await a download when the host accepts one, or raise `RateLimited` if that is far off."""
        if self._resume_at:
            async with self._turn:
                await self._wait_for_host()
                await download()
            return
        self._running += 1
        self._idle.clear()
        try:
            await download()
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def _wait_for_host(self) -> None:
        await self._idle.wait()
        pause = self._resume_at - time.monotonic()
        if pause > LONGEST_PAUSE:
            error = RateLimited(f"the host asks to wait {pause:,.0f} s", status=429)
            error.retry_after = pause
            raise error
        await self._sleep(max(pause, 0.0))
        self._resume_at = 0.0
