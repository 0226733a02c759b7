"""One pace for all processes on a library: places in time, leased through its database."""

from __future__ import annotations

import sqlite3

MOST_SLOWED = 16.0
LONGEST_PAUSE = 300.0
_EASING = 0.95  # of what is too slow, after each place that was handed out
_LEAST = 0.05  # seconds: what "slower" is measured in where there is no interval
_STEP = 1.0  # seconds that clocks of one machine may seem to run backwards
_NOTHING = 0.001  # seconds that keep nobody apart


def reserve(connection: sqlite3.Connection, name: str, interval: float, now: float) -> float:
    """Hand out the next place, not before `now`; instants are unix seconds."""
    following, asked, slowness, paused = _read(connection, name, now)
    gap = interval + (slowness - 1) * max(interval, _LEAST)
    if gap < _NOTHING and max(following, paused) <= now and asked - _STEP <= now:
        return now  # no pace to be kept: nothing to write down
    if now < asked - _STEP:  # the clock was set back, and every instant with it
        following, paused = following - (asked - now), min(paused, now)
        connection.execute("DELETE FROM places WHERE name=?", (name,))
    (free,) = connection.execute(
        "SELECT min(at) FROM places WHERE name=? AND at >= ?", (name, max(now, paused))
    ).fetchone()
    connection.execute("DELETE FROM places WHERE name=? AND at <= ?", (name, free or now))
    if free is not None:
        return float(free)
    found = max(now, following, paused)
    _keep(connection, name, (found + gap, now, 1 + (slowness - 1) * _EASING, paused))
    return found


def release(connection: sqlite3.Connection, name: str, at: float) -> None:
    """Let somebody else have a place."""
    connection.execute("INSERT INTO places (name, at) VALUES (?, ?)", (name, at))


def throttle(connection: sqlite3.Connection, name: str, wait: float, now: float) -> float:
    """Pause for `wait` seconds, at most `LONGEST_PAUSE`, and go at half the pace from then on.

    Refusals that come during the pause are of the same crowd: they do not slow it once more.
    Returns the end of the pause.
    """
    following, asked, slowness, paused = _read(connection, name, now)
    if now >= paused:
        slowness = min(2 * slowness, MOST_SLOWED)
    paused = max(paused, now + min(max(wait, 0.0), LONGEST_PAUSE))
    _keep(connection, name, (max(following, paused), max(asked, now), slowness, paused))
    return paused


def paused_until(connection: sqlite3.Connection, name: str) -> float:
    """The end of the last pause; 0.0 when there was none."""
    return _read(connection, name, 0.0)[3]


def _read(connection: sqlite3.Connection, name: str, now: float) -> tuple[float, ...]:
    row: tuple[float, ...] | None = connection.execute(
        "SELECT next, asked, slowness, paused FROM paces WHERE name=?", (name,)
    ).fetchone()
    return row or (now, now, 1.0, 0.0)


def _keep(connection: sqlite3.Connection, name: str, values: tuple[float, ...]) -> None:
    connection.execute(
        "INSERT INTO paces (name, next, asked, slowness, paused) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET next=excluded.next, asked=excluded.asked, "
        "slowness=excluded.slowness, paused=excluded.paused",
        (name, *values),
    )
