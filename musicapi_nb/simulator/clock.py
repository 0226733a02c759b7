"""The simulator's time: it runs faster than ours, or stands still until moved by hand."""

import asyncio
import threading
import time

_EPSILON = 1e-6


class SimulatedClock:
    """Unix seconds of the simulated service.

    ``speed`` is simulated seconds per real second; 0 is a clock that only ``advance`` moves, which
    is what a test wants. ``epoch`` is the instant it starts at (unix seconds; default: now).
    Safe to read and to advance from any thread.
    """

    def __init__(self, speed: float = 60.0, epoch: float | None = None) -> None:
        self._lock = threading.Lock()
        self._base = time.time() if epoch is None else epoch
        self._since = time.monotonic()
        self._speed = _checked(speed)
        self._sleepers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def now(self) -> float:
        """Unix seconds, simulated."""
        with self._lock:
            return self._now()

    @property
    def speed(self) -> float:
        """Simulated seconds per real second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        with self._lock:
            self._base, self._since = self._now(), time.monotonic()
            self._speed = _checked(speed)
        self._wake()

    def advance(self, seconds: float) -> None:
        """Move the clock on by simulated ``seconds``, without waiting."""
        if seconds < 0:
            raise ValueError("a clock is only moved forward")
        with self._lock:
            self._base += seconds
        self._wake()

    async def sleep(self, seconds: float) -> None:
        """Return after simulated ``seconds``, however the clock came to pass them."""
        until = self.now() + seconds
        moved = asyncio.Event()
        with self._lock:
            self._sleepers[moved] = asyncio.get_running_loop()
        try:
            while (left := until - self.now()) > _EPSILON:
                speed = self._speed
                try:
                    await asyncio.wait_for(moved.wait(), left / speed if speed else None)
                except TimeoutError:
                    continue
                moved.clear()
        finally:
            with self._lock:
                del self._sleepers[moved]

    def _now(self) -> float:
        return self._base + (time.monotonic() - self._since) * self._speed

    def _wake(self) -> None:
        with self._lock:
            sleepers = list(self._sleepers.items())
        for moved, loop in sleepers:
            loop.call_soon_threadsafe(moved.set)


def _checked(speed: float) -> float:
    if speed < 0:
        raise ValueError("speed is simulated seconds per real second, 0 or more")
    return float(speed)
