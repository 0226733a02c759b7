"""Means over pairs of songs, with intervals from the jackknife over tasks. No I/O."""

import math

import numpy as np

from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.clusters import sum_by_code
from musicapi_nb.analysis.contrasts import Share, ratio_interval
from musicapi_nb.analysis.ratio_estimator import score_bounds, t_quantile

_MIN_TASKS = 3  # two tasks leave no pair when one is left out


def mean_of_pairs(total: Floats, pairs: Floats, tasks_per_pair: int, level: float) -> Share:
    """Return a mean over pairs, within 0 and 1, with its bounds.

    `total` and `pairs` are the sum over the pairs of each task and their number, (tasks,) each; a
    pair of songs of two tasks is counted in both. The standard error is that of the jackknife over
    tasks (Arvesen, Ann. Math. Stat. 40, 1969), the interval has Wilson's form with Student's t.
    Bounds are NaN with fewer than three tasks.
    """
    if not pairs.sum() > 0:
        return Share(math.nan, math.nan, math.nan)
    mean = min(max(float(total.sum() / pairs.sum()), 0.0), 1.0)
    remaining = (pairs.sum() - tasks_per_pair * pairs)[pairs > 0]
    number = len(remaining)
    if number < _MIN_TASKS or not (remaining > 0).all():
        return Share(mean, math.nan, math.nan)
    replicates = (total.sum() - tasks_per_pair * total[pairs > 0]) / remaining
    variance = (number - 1) * float(np.var(replicates))
    inner = mean * (1 - mean)
    # equal replicates: count each task as one case
    size = inner / variance if variance > 0 and inner > 0 else float(number)
    low, high = score_bounds(mean, size, t_quantile(level, number - 1))
    return Share(mean, float(low), float(high))


def binary_icc_interval(ones: Floats, songs: Floats, cell: Ints, level: float) -> Share:
    """Return the intraclass correlation of a 0/1 outcome with its bounds, or NaN.

    `ones` and `songs` of each task, (tasks,) each, with the cell it is in. It is 1 - D / B, with
    the share D of the pairs of songs of one task that differ, and B of those of two tasks of a cell
    (Fleiss and Cuzick, Appl. Psychol. Meas. 3, 1979, with B in place of 2 p (1 - p), which is
    biased where cells have few tasks). The interval is that of a ratio of two shares.
    """
    all_ones, all_songs = (sum_by_code(cell, values)[cell] for values in (ones, songs))
    zeros, other_ones, other_songs = songs - ones, all_ones - ones, all_songs - songs
    differ = mean_of_pairs(2 * ones * zeros, songs * (songs - 1), 1, level)
    total = ones * (other_songs - other_ones) + zeros * other_ones
    expected = mean_of_pairs(total, songs * other_songs, 2, level)
    if not expected.share > 0 or math.isnan(differ.low) or math.isnan(expected.low):
        return Share(math.nan, math.nan, math.nan)
    low, high = ratio_interval(differ, expected)
    return Share(1 - differ.share / expected.share, max(1 - high, -1.0), 1 - low)
