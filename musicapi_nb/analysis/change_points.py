"""Change points of a series by ranks: binary segmentation with permutation tests. No I/O."""

import math
from typing import NamedTuple

import numpy as np

from musicapi_nb.analysis.array_types import Floats

MIN_TASKS = 5
"""Values that a period has at least."""
_PERMUTATIONS = 9999
_ENOUGH = 100  # as large statistics: p is known well enough
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
    ranks = _centred_ranks(values)
    splits = np.arange(MIN_TASKS, number - MIN_TASKS + 1)
    scale = 1 / np.sqrt(splits * (number - splits))
    differences = np.abs(np.cumsum(ranks)[splits - 1]) * scale
    split, most = int(splits[differences.argmax()]), float(differences.max())
    rng = np.random.default_rng(number)
    batch = max(min(_BATCH, _MAX_ARRAY_SIZE // number), 1)
    as_large = drawn = 0
    while drawn < _PERMUTATIONS and as_large < _ENOUGH:
        rows = np.tile(ranks, (min(batch, _PERMUTATIONS - drawn), 1))
        sums = np.abs(np.cumsum(rng.permuted(rows, axis=1), axis=1)[:, splits - 1]) * scale
        as_large += int((sums.max(axis=1) >= most * (1 - _TOLERANCE)).sum())
        drawn += len(rows)
    return split, (1 + as_large) / (1 + drawn)


def _centred_ranks(values: Floats) -> Floats:
    """Return the ranks of values less their mean; equal values share a rank."""
    _, code, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[code] - (len(values) + 1) / 2
    return ranks
