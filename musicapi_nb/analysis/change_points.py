"""Change points of a series by ranks: binary segmentation with permutation tests. No I/O."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Floats

MIN_TASKS = 5
"""Values that a period has at least."""
_MAX_PERMUTATIONS = 9999
_MAX_EXCEEDANCES = 100  # then p is precise enough
_BATCH, _MAX_ARRAY_SIZE = 1000, 4_000_000
_TOLERANCE = 1e-9


class Period(NamedTuple):
    """A part of a series without a change, and p of the change at its start; NaN for the first."""

    tasks: slice
    p: float


def find_periods(values: Floats, false_alarms: float) -> list[Period]:
    """Split a series, (tasks,), into periods in order; the series may be empty.

    The whole series is tested at `false_alarms`. Each part is tested at its share of the values of
    that level: whatever the true changes are, the parts between them together report a false one
    with at most that chance.
    """
    changes: dict[int, float] = {}
    parts = [(0, len(values))]
    while parts:
        start, end = parts.pop()
        split, p = _best_split(values[start:end])
        if p <= false_alarms * (end - start) / max(len(values), 1):
            changes[start + split] = p
            parts += [(start, start + split), (start + split, end)]
    starts = [0, *sorted(changes)]
    ends = [*starts[1:], len(values)]
    return [
        Period(slice(start, end), changes.get(start, math.nan))
        for start, end in zip(starts, ends, strict=True)
        if end > start
    ]


def _best_split(values: Floats) -> tuple[int, float]:
    """Return where the ranks change most, and the p-value of that change.

    The statistic is the largest standardised difference of mean ranks before and after a split
    (Pettitt, Appl. Stat. 28, 1979, standardised at each split). Its distribution without a change
    is that of the values in random order; p has many permutations where it is small (Besag and
    Clifford, Biometrika 78, 1991).
    """
    number = len(values)
    if number < 2 * MIN_TASKS:
        return 0, math.inf
    ranks = pd.Series(values).rank().to_numpy() - (number + 1) / 2
    splits = np.arange(MIN_TASKS, number - MIN_TASKS + 1)
    scale = 1 / np.sqrt(splits * (number - splits))
    differences = np.abs(np.cumsum(ranks)[splits - 1]) * scale
    largest = float(differences.max())
    rng = np.random.default_rng(number)
    batch = max(min(_BATCH, _MAX_ARRAY_SIZE // number), 1)
    exceedances = permutations = 0
    while permutations < _MAX_PERMUTATIONS and exceedances < _MAX_EXCEEDANCES:
        rows = np.tile(ranks, (min(batch, _MAX_PERMUTATIONS - permutations), 1))
        sums = np.abs(np.cumsum(rng.permuted(rows, axis=1), axis=1)[:, splits - 1]) * scale
        exceedances += int((sums.max(axis=1) >= largest * (1 - _TOLERANCE)).sum())
        permutations += len(rows)
    return int(splits[differences.argmax()]), (1 + exceedances) / (1 + permutations)
