"""How often the intervals of `sound_adherence` cover, and how often a useless factor is found.

Songs request 100 bpm and 60 s. Their measured tempo is within 4 % in a known share of songs, and
their length misses by a distance of which the median is known. `coverage.py` runs it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import musicapi_nb as mnb

Floats = NDArray[np.float64]
Limits = tuple[float, float] | None
Row = tuple[str, str, float, Limits]
"""Case, what was measured, its value, and the limits of it."""

_AT_LEAST, _TYPE_1, _MEDIAN = (0.93, 1.0), (0.0, 0.07), (0.93, 0.985)
_LEVEL, _ENOUGH, _SONGS = 0.05, 10, 2
_DISTANCES: dict[str, tuple[Callable[[Floats], Floats], float]] = {
    "normal": (np.abs, 0.67449),
    "log-normal": (np.exp, 1.0),
    "heavy tails": (lambda values: np.abs(values) ** 1.5, 0.67449**1.5),
}
"""From standard normal values to distances in seconds, with their median."""


def sound_case(tables: int) -> Iterator[Row]:
    """Yield all figures."""
    yield from _shares(tables)
    yield from _medians(tables)
    yield from _factors(tables)


def _songs(levels: NDArray[np.int64], tempo: Floats, seconds: Floats) -> pd.DataFrame:
    """Return a table of songs; `levels` of the tasks, other values (tasks, songs)."""
    task = np.repeat(np.arange(len(levels)), _SONGS)
    return pd.DataFrame(
        {
            "level": levels[task],
            "task_id": [f"t{number}" for number in task],
            "song_id": [f"s{number}" for number in range(len(task))],
            "song_position": np.tile(np.arange(_SONGS), len(levels)),
            "requested_tags": "100 bpm",
            "length": 60,
            "tempo": tempo.reshape(-1),
            "seconds": seconds.reshape(-1),
        }
    )


def _tempi(rng: np.random.Generator, tasks: int, share: float, icc: float) -> Floats:
    """Draw tempi that follow the request in a share of songs: (tasks, songs)."""
    shared = rng.random((tasks, 1)) < share
    single = rng.random((tasks, _SONGS)) < share
    followed = np.where(rng.random((tasks, _SONGS)) < math.sqrt(icc), shared, single)
    return np.where(followed, 101.0, 130.0)


def _shares(tables: int) -> Iterator[Row]:
    for share, icc, tasks in itertools.product((0.5, 0.8, 0.95), (0.3, 0.9), (5, 10, 30)):
        tempo = _tempi(np.random.default_rng(0), tasks * tables, share, icc)
        levels = np.arange(tasks * tables) // tasks
        rows = mnb.sound_adherence(_songs(levels, tempo, np.full(tempo.shape, np.nan)), by="level")
        rows = rows[rows["property"] == "tempo"]
        inside = (rows["low"] <= share) & (share <= rows["high"])
        case = f"sound, share {share}, icc {icc}, {tasks} tasks"
        yield case, "coverage", float(inside.mean()), _AT_LEAST if tasks >= _ENOUGH else None


def _medians(tables: int) -> Iterator[Row]:
    for kind, icc, tasks in itertools.product(_DISTANCES, (0.3, 0.9), (5, 10, 30)):
        rng = np.random.default_rng(1)
        number = tasks * tables
        values = rng.normal(size=(number, 1)) * math.sqrt(icc)
        values = values + rng.normal(size=(number, _SONGS)) * math.sqrt(1 - icc)
        distance, median = _DISTANCES[kind]
        seconds = 60 + distance(values)
        levels = np.arange(number) // tasks
        rows = mnb.sound_adherence(
            _songs(levels, np.full(seconds.shape, 100.0), seconds), by="level"
        )
        rows = rows[rows["property"] == "duration"]
        inside = (rows["deviation_low"] <= median) & (median <= rows["deviation_high"])
        case = f"sound, median of {kind} distances, icc {icc}, {tasks} tasks"
        limits = _MEDIAN if tasks >= _ENOUGH else None
        yield case, "coverage", float(inside.mean()), limits


def _factors(tables: int) -> Iterator[Row]:
    """Effects of a factor that does nothing, on what was followed and on the deviation."""
    for share, tasks in itertools.product((0.5, 0.9), (10, 30)):
        wrong = []
        for table in range(tables):
            rng = np.random.default_rng(table)
            tempo = _tempi(rng, 2 * tasks, share, 0.6)
            tempo = tempo * np.exp(0.01 * rng.normal(size=tempo.shape))
            frame = _songs(np.arange(2 * tasks) % 2, tempo, np.full(tempo.shape, 60.0))
            matches = mnb.sound_matches(frame.assign(level=frame["level"].map({0: "a", 1: "b"})))
            outcomes = ["tempo_followed", "tempo_deviation"]
            rows = mnb.effects(matches, "level", outcomes=outcomes, correction=None)
            wrong.append((rows["p"] <= _LEVEL).to_numpy())
        for outcome, share_wrong in zip(outcomes, np.mean(wrong, axis=0), strict=True):
            case = f"sound, {outcome} {share}, {tasks} tasks a level"
            yield case, "type I", float(share_wrong), _TYPE_1
