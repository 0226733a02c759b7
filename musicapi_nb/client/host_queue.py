"""How many files of one host are downloaded at once, and for how long it asks to be left alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from musicapi_nb.client.retry import LONGEST_PAUSE
from musicapi_nb.errors import RateLimited

_MAX_DOWNLOADS = 4


class HostQueue:
    """The downloads of one event loop from one host.

    After a refusal (429, or 503 with Retry-After), attempts are made one at a time, until one
    succeeds. `sleep` waits for real seconds.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        self.slots = asyncio.Semaphore(_MAX_DOWNLOADS)
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._resume_at = 0.0  # on the monotonic clock; 0 if the host does not refuse

    async def pause(self, seconds: float) -> None:
        """Begin no attempt for some seconds."""
        self._resume_at = max(self._resume_at, time.monotonic() + seconds)

    async def attempt(self, download: Callable[[], Awaitable[None]]) -> None:
        """Await a download when the host accepts one, or raise `RateLimited` if that is far off."""
        if not self._resume_at:
            await download()
            return
        async with self._turn:
            pause = self._resume_at - time.monotonic()
            if pause > LONGEST_PAUSE:
                error = RateLimited(f"the host asks to wait {pause:,.0f} s")
                error.retry_after = pause
                raise error
            await self._sleep(max(pause, 0.0))
            self._resume_at = 0.0
            await download()
