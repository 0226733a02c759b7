"""The simulator's clock: faster than real time, or moved by hand."""

import asyncio
import contextlib
import threading
import time

_EPSILON = 1e-6


class SimulatedClock:
    """Unix seconds of the simulated service.

    ``speed`` is simulated seconds per real second; at 0 only ``advance`` moves the clock, which
    suits tests. ``epoch`` is the instant it starts at (unix seconds; default: now). Safe to read
    and to advance from any thread.
    """

    def __init__(self, speed: float = 60.0, epoch: float | None = None) -> None:
        self._lock = threading.RLock()
        self._base = time.time() if epoch is None else epoch
        self._since = time.monotonic()
        self._speed = _check_speed(speed)
        self._sleepers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def now(self) -> float:
        with self._lock:
            return self._base + (time.monotonic() - self._since) * self._speed

    def at(self, unix: float) -> float:
        """Return what a clock of this speed showed at a real instant (unix seconds)."""
        return self.now() - max(0.0, time.time() - unix) * self._speed

    @property
    def speed(self) -> float:
        """Simulated seconds per real second; may be set."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        with self._lock:
            self._base, self._since = self.now(), time.monotonic()
            self._speed = _check_speed(speed)
        self._wake()

    def advance(self, seconds: float) -> None:
        """Move the clock forward by simulated ``seconds`` at once."""
        if seconds < 0:
            raise ValueError("The clock only moves forward: seconds must be 0 or more.")
        with self._lock:
            self._base += seconds
        self._wake()

    async def sleep(self, seconds: float) -> None:
        """Return once simulated ``seconds`` have passed, by speed or by ``advance``."""
        until = self.now() + seconds
        moved = asyncio.Event()
        with self._lock:
            self._sleepers[moved] = asyncio.get_running_loop()
        try:
            while (remaining := until - self.now()) > _EPSILON:
                speed = self._speed
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(moved.wait(), remaining / speed if speed else None)
                moved.clear()
        finally:
            with self._lock:
                del self._sleepers[moved]

    def _wake(self) -> None:
        with self._lock:
            sleepers = list(self._sleepers.items())
        for moved, loop in sleepers:
            loop.call_soon_threadsafe(moved.set)


def _check_speed(speed: float) -> float:
    if speed < 0:
        raise ValueError("speed must be 0 or more (simulated seconds per real second).")
    return float(speed)
