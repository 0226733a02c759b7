"""Means over pairs of songs, with intervals from the jackknife over tasks. No I/O."""

import math

import numpy as np

from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.clusters import sum_by_code
from musicapi_nb.analysis.contrasts import Share, share_ratio_interval
from musicapi_nb.analysis.ratio_estimator import t_quantile

_MIN_TASKS = 3  # two tasks leave no pair when one is left out


def mean_of_pairs(
    total: Floats, pairs: Floats, tasks_per_pair: int, level: float
) -> tuple[float, float, float]:
    """Return a mean over pairs, within 0 and 1, with its bounds.

    `total` and `pairs` are the sum over the pairs of each task and their number, (tasks,) each; a
    pair of songs of two tasks is counted in both. The standard error is that of the jackknife over
    tasks (Arvesen, Ann. Math. Stat. 40, 1969), the interval has Wilson's form with Student's t.
    Bounds are NaN with fewer than three tasks.
    """
    share, tasks = _share_of_pairs(total, pairs, tasks_per_pair)
    bounds = share.bounds(t_quantile(level, tasks - 1)) if tasks else (math.nan, math.nan)
    return float(share.share), float(bounds[0]), float(bounds[1])


def _share_of_pairs(total: Floats, pairs: Floats, tasks_per_pair: int) -> tuple[Share, int]:
    """Return the mean with its number of independent cases, and that of tasks; 0 if too few."""
    defined = pairs.sum() > 0
    share = np.clip(total.sum() / pairs.sum(), 0.0, 1.0) if defined else math.nan
    mean = np.asarray(share, dtype="float64")
    remaining = (pairs.sum() - tasks_per_pair * pairs)[pairs > 0]
    number = len(remaining)
    if number < _MIN_TASKS or not (remaining > 0).all():
        return Share(mean, np.asarray(math.nan)), 0
    replicates = (total.sum() - tasks_per_pair * total[pairs > 0]) / remaining
    variance = (number - 1) * np.var(replicates)
    inner = mean * (1 - mean)
    # equal replicates: count each task as one case
    cases = inner / variance if variance > 0 and inner > 0 else number
    return Share(mean, np.asarray(cases, dtype="float64")), number


def binary_icc_interval(
    ones: Floats, songs: Floats, cell: Ints, level: float
) -> tuple[float, float]:
    """Return the interval of the intraclass correlation of a 0/1 outcome, or NaN.

    `ones` and `songs` of each task, (tasks,) each, with the cell it is in. The correlation is
    1 - D / B, with the share D of the pairs of songs of one task that differ, and B of those of two
    tasks of a cell (Fleiss and Cuzick, Appl. Psychol. Meas. 3, 1979, with B in place of their
    2 p (1 - p), which is biased where cells have few tasks). The interval is that of a ratio of two
    shares.
    """
    all_ones, all_songs = (sum_by_code(cell, values)[cell] for values in (ones, songs))
    zeros, other_ones, other_songs = songs - ones, all_ones - ones, all_songs - songs
    differ, tasks = _share_of_pairs(2 * ones * zeros, songs * (songs - 1), 1)
    total = ones * (other_songs - other_ones) + zeros * other_ones
    expected, expected_tasks = _share_of_pairs(total, songs * other_songs, 2)
    if not (tasks and expected_tasks and expected.share > 0):
        return math.nan, math.nan
    low, high = share_ratio_interval(differ, expected, t_quantile(level, tasks - 1))
    return max(1 - float(high), -1.0), 1 - float(low)
