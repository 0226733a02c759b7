"""One rate limit for all processes on a library: slots, reserved through its database."""

from __future__ import annotations

import sqlite3
import time
from typing import NamedTuple

from musicapi_nb.library.database import Database

MAX_SLOWDOWN = 16.0
MAX_PAUSE = 300.0  # seconds
_RECOVERY = 0.95  # of the slowdown remains after each reserved slot
_MIN_INTERVAL = 0.05  # seconds: the base of a slowdown where there is no interval
_CLOCK_JITTER = 1.0  # seconds that clocks of one machine may seem to run backwards
_NEGLIGIBLE = 0.001  # seconds


class _RateLimit(NamedTuple):
    """The stored state: unix seconds, and the factor by which the interval is extended."""

    next_slot: float
    asked_at: float
    slowdown: float
    paused_until: float


class RateLimits:
    """The rate limits of a library, by name. Times are unix seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, name: str, interval: float, now: float | None = None) -> float:
        """Reserve the next slot, not before `now`, `interval` seconds after the last.

        The interval is extended for a while after `throttle`. Reserve one slot at a time: a slot
        from before a `throttle` is void (see `paused_until`).
        """
        now = time.time() if now is None else now
        with self._database.write() as connection:
            return _reserve(connection, name, interval, now)

    def release(self, name: str, slot: float) -> None:
        """Release a reserved slot for the next request."""
        with self._database.write() as connection:
            connection.execute("INSERT INTO released_slots (name, at) VALUES (?, ?)", (name, slot))

    def throttle(self, name: str, seconds: float, now: float | None = None) -> float:
        """After a 429: pause for some seconds, at most `MAX_PAUSE`, then double the interval.

        A 429 that arrives during the pause does not double it again, because it belongs to the same
        requests. The interval recovers with each reserved slot. Returns the end of the pause.
        """
        now = time.time() if now is None else now
        with self._database.write() as connection:
            next_slot, asked_at, slowdown, pause = _read(connection, name, now)
            if now >= pause:
                slowdown = min(2 * slowdown, MAX_SLOWDOWN)
            pause = max(pause, now + min(max(seconds, 0.0), MAX_PAUSE))
            state = _RateLimit(max(next_slot, pause), max(asked_at, now), slowdown, pause)
            _write(connection, name, state)
            return pause

    def paused_until(self, name: str) -> float:
        """Return the end of the last pause; 0.0 if there was none."""
        with self._database.read() as connection:
            return _read(connection, name, 0.0).paused_until


def _reserve(connection: sqlite3.Connection, name: str, interval: float, now: float) -> float:
    next_slot, asked_at, slowdown, paused_until = _read(connection, name, now)
    gap = interval + (slowdown - 1) * max(interval, _MIN_INTERVAL)
    clock_set_back = now < asked_at - _CLOCK_JITTER
    if gap < _NEGLIGIBLE and max(next_slot, paused_until) <= now and not clock_set_back:
        return now  # no limit: nothing to write
    if clock_set_back:  # move all times by the same amount
        next_slot, paused_until = next_slot - (asked_at - now), min(paused_until, now)
        connection.execute("DELETE FROM released_slots WHERE name=?", (name,))
    (released,) = connection.execute(
        "SELECT min(at) FROM released_slots WHERE name=? AND at >= ?",
        (name, max(now, paused_until)),
    ).fetchone()
    connection.execute(
        "DELETE FROM released_slots WHERE name=? AND at <= ?", (name, released or now)
    )
    if released is not None:
        return float(released)
    slot = max(now, next_slot, paused_until)
    slowdown = 1 + (slowdown - 1) * _RECOVERY
    _write(connection, name, _RateLimit(slot + gap, now, slowdown, paused_until))
    return slot


def _read(connection: sqlite3.Connection, name: str, now: float) -> _RateLimit:
    row = connection.execute(
        "SELECT next_slot, asked_at, slowdown, paused_until FROM rate_limits WHERE name=?", (name,)
    ).fetchone()
    return _RateLimit(*row) if row else _RateLimit(now, now, 1.0, 0.0)


def _write(connection: sqlite3.Connection, name: str, state: _RateLimit) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO rate_limits "
        "(name, next_slot, asked_at, slowdown, paused_until) VALUES (?, ?, ?, ?, ?)",
        (name, *state),
    )
