"""How often the intervals of `costs` cover: part of benchmarks/coverage.py.

A task of two songs costs 20 credits. It fails with some chance, and half of the failures are
refunded; a song of the others fails with another. Songs are liked with a chance, alike within a
task by a correlation of 0.4. Their lengths vary between tasks and songs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

import musicapi_nb as mnb
from musicapi_nb.analysis.array_types import Floats

Limits = tuple[float, float] | None
Row = tuple[str, str, float, Limits]
"""Case, what was measured, its value, and the limits of it."""

COVERAGE = (0.93, 0.985)
_PRICE, _SONGS = 20.0, 2
_REFUNDED, _CORRELATION = 0.5, 0.4
_SPREAD = 0.3  # standard deviation of the logarithm of a length
_TASKS = (5, 10, 30, 100)
_ENOUGH = 10  # tasks


def costs_case(tables: int) -> Iterator[Row]:
    """Credits per song, per liked song and per hour of music."""
    for tasks in _TASKS:
        limits = COVERAGE if tasks >= _ENOUGH else None
        for failed, half in ((0.02, 0.02), (0.1, 0.1), (0.3, 0.1)):
            rng = np.random.default_rng(tasks)
            frame = _cells(rng, tasks, tables, failed, half)
            truth = _PRICE * (1 - _REFUNDED * failed) / ((1 - failed) * (_SONGS - half))
            case = f"costs per song, {failed:.0%} fail, {tasks} tasks"
            yield from _figures(case, frame, "credits per song", truth, limits)
        for liked in (0.5, 0.2, 0.1, 0.05):
            frame = _songs(np.random.default_rng(tasks), tasks, tables, liked)
            case = f"costs per liked song, {liked:.0%} are, {tasks} tasks"
            measure = "credits per song with 4 stars or more"
            yield from _figures(case, frame, measure, _PRICE / (_SONGS - 0.1) / liked, limits)
        frame = _songs(np.random.default_rng(tasks), tasks, tables, 0.5)
        case = f"costs per hour, {tasks} tasks"
        truth = _PRICE / ((_SONGS - 0.1) * np.exp(_SPREAD**2 / 2) / 20)
        yield from _figures(case, frame, "credits per hour of music", truth, limits)


def _figures(
    case: str, frame: pd.DataFrame, measure: str, truth: float, limits: Limits
) -> Iterator[Row]:
    table = mnb.costs(frame, ["table", "mv"])
    rows = table[table["measure"] == measure]
    has_interval = rows["low"].notna()
    inside = (rows["low"] <= truth + 1e-9) & (truth - 1e-9 <= rows["high"])
    yield case, "coverage", float(inside[has_interval].mean()), limits
    yield case, "missing", float(1 - has_interval.mean()), None
    yield case, "no upper bound", float(np.isinf(rows["high"][has_interval]).mean()), None


def _cells(
    rng: np.random.Generator, tasks: int, tables: int, failed: float, half: float
) -> pd.DataFrame:
    """Draw tables as of `run.frame()`."""
    number = tasks * tables
    is_failed = rng.random(number) < failed
    refunded = is_failed & (rng.random(number) < _REFUNDED)
    songs = np.where(rng.random(number) < half, _SONGS - 1, _SONGS)
    return pd.DataFrame(
        {
            "cell": np.arange(number),
            "table": np.arange(number) // tasks,
            "mv": "sonic-v6",
            "state": np.where(is_failed, "failed", "done"),
            "songs": np.where(is_failed, 0, songs),
            "price": _PRICE,
            "credits": np.where(refunded, 0.0, _PRICE),
            "refunded": refunded,
        }
    )


def _songs(rng: np.random.Generator, tasks: int, tables: int, liked: float) -> pd.DataFrame:
    """Draw tables as of `songs_frame`: a song of every tenth task failed."""
    number = tasks * tables
    shape = number, _SONGS
    is_liked = np.where(
        rng.random(shape) < np.sqrt(_CORRELATION),
        rng.random((number, 1)) < liked,
        rng.random(shape) < liked,
    )
    delivered = np.ones(shape, dtype=bool)
    delivered[:, 1] = rng.random(number) >= 0.1  # noqa: PLR2004 - every tenth
    hours = np.exp((_normal(rng, (number, 1)) + _normal(rng, shape)) * _SPREAD / np.sqrt(2)) / 20
    return pd.DataFrame(
        {
            "task_id": np.arange(number).repeat(_SONGS).astype("str"),
            "song_id": np.arange(number * _SONGS).astype("str"),
            "table": np.arange(number).repeat(_SONGS) // tasks,
            "mv": "sonic-v6",
            "state": np.where(delivered, "succeeded", "failed").reshape(-1),
            "duration": 3600 * hours.reshape(-1),
            "rating": np.where(is_liked, 5.0, 2.0).reshape(-1),
            "credits": np.where(delivered, _PRICE / delivered.sum(1)[:, None], np.nan).reshape(-1),
        }
    )


def _normal(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.normal(size=shape)
