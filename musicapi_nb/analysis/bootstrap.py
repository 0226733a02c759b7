"""Resampled tasks: bootstrap intervals and permutation p-values of differences of means."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from musicapi_nb.analysis.array_types import Floats, Ints

Measure: TypeAlias = Literal["difference", "ratio"]
MIN_TASKS = 3
"""Tasks that an interval needs in each level: two tasks often resample to a single one."""
_MAX_ARRAY_SIZE = 4_000_000
_TOLERANCE = 1e-9
_MAX_EXPONENT = 700.0  # beyond, exp overflows


class Sums(NamedTuple):
    """Values of one level summed by task, (tasks,) each; `block` numbers each task's block."""

    total: Floats
    songs: Floats
    block: Ints

    @property
    def mean(self) -> float:
        return float(self.total.sum() / self.songs.sum()) if len(self.total) else math.nan


class Resamples(NamedTuple):
    """Mean and variance of a level, and of each of its resamples, (draws,)."""

    mean: float
    variance: float
    means: Floats
    variances: Floats


def resample(sums: Sums, draws: int, seed: Sequence[int]) -> Resamples:
    """Draw as many tasks as there are, with replacement, `draws` times."""
    number = len(sums.total)
    # centred, so that squares lose no digits
    moments = _moments(sums.total - sums.mean * sums.songs, sums.songs)
    rng = np.random.default_rng(seed)
    chances = np.full(number, 1 / max(number, 1))
    drawn_sums = [
        rng.multinomial(number, chances, size).astype("float64") @ moments
        for size in _batches(draws, number)
    ]
    mean, variance = _mean_and_variance(moments.sum(axis=0), number)
    means, variances = _mean_and_variance(np.concatenate(drawn_sums), number)
    return Resamples(sums.mean + float(mean), float(variance), sums.mean + means, variances)


def _batches(draws: int, tasks: int) -> Iterator[int]:
    """Split draws so that no array of (draws, tasks) gets too large."""
    rows = max(_MAX_ARRAY_SIZE // max(tasks, 1), 1)
    for start in range(0, draws, rows):
        yield min(rows, draws - start)


def _moments(total: Floats, songs: Floats) -> Floats:
    return np.column_stack([total, songs, total * total, total * songs, songs * songs])


def _mean_and_variance(moments: Floats, tasks: float) -> tuple[Floats, Floats]:
    """Return the mean over songs and its variance over tasks, linearised (Cochran 1977, 6.3).

    `moments` are those of `_moments`, summed over tasks: (..., 5).
    """
    total, songs, total2, cross, songs2 = np.moveaxis(moments, -1, 0)
    mean = total / songs
    squares = np.maximum(total2 - 2 * mean * cross + mean * mean * songs2, 0.0)
    return mean, squares / songs**2 * (tasks / (tasks - 1) if tasks > 1 else math.nan)


def bootstrap_interval(
    level: Resamples, baseline: Resamples, measure: Measure, confidence: float
) -> tuple[float, float]:
    """Return the studentised cluster bootstrap interval (bootstrap-t: Efron and Tibshirani 1993).

    Ratios are computed on the log scale. NaN if a mean has no logarithm, if all tasks are equal,
    or if too few tasks leave a bound infinite.
    """
    estimate, error = _contrast(measure, *level[:2], *baseline[:2])
    if not (np.isfinite(estimate) and error > 0):
        return math.nan, math.nan
    estimates, errors = _contrast(measure, *level[2:], *baseline[2:])
    offsets = estimates - estimate
    degenerate = ~(errors > _TOLERANCE * error)  # one task drawn repeatedly
    infinite = np.where(offsets == 0, 0.0, np.copysign(np.inf, offsets))
    t = np.sort(np.where(degenerate, infinite, offsets / np.where(degenerate, 1.0, errors)))
    tail = max(int((len(t) + 1) * (1 - confidence) / 2), 1)
    low, high = estimate - t[-tail] * error, estimate - t[tail - 1] * error
    if not (np.isfinite(low) and np.isfinite(high)):
        return math.nan, math.nan
    if measure == "ratio":
        low, high = np.exp(np.clip((low, high), -_MAX_EXPONENT, _MAX_EXPONENT))
    return float(low), float(high)


def _contrast(
    measure: Measure,
    mean: Floats | float,
    variance: Floats | float,
    base_mean: Floats | float,
    base_variance: Floats | float,
) -> tuple[Floats, Floats]:
    """Return the difference, or the log ratio, with its standard error."""
    if measure == "difference":
        return np.asarray(mean - base_mean), np.sqrt(np.asarray(variance + base_variance))
    top, bottom = np.where(mean > 0, mean, 1.0), np.where(base_mean > 0, base_mean, 1.0)
    logs = np.where(mean > 0, np.log(top) - np.log(bottom), -np.inf)
    error = np.sqrt(variance / top**2 + base_variance / bottom**2)
    return np.where(base_mean > 0, logs, np.inf), error


def permutation_p(level: Sums, baseline: Sums, draws: int, seed: Sequence[int]) -> float:
    """Return the two-sided p-value of permuting levels over tasks, within blocks.

    The statistic is the difference divided by its standard error, which is valid also if the
    levels differ in variance alone (Janssen, Stat. Probab. Lett. 36, 1997; Chung and Romano, Ann.
    Stat. 41, 2013). Up to `draws` arrangements are enumerated; beyond, p is
    (1 + hits) / (1 + draws), never 0 (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010).
    NaN if there is a single arrangement.
    """
    total, songs, block = (np.concatenate(pair) for pair in zip(level, baseline, strict=True))
    first = np.arange(len(total)) < len(level.total)
    order = np.argsort(block, kind="stable")
    total, songs, block, first = total[order], songs[order], block[order], first[order]
    tasks_of = [np.flatnonzero(block == number) for number in np.unique(block)]
    blocks = [(tasks, int(first[tasks].sum())) for tasks in tasks_of]
    number = math.prod(math.comb(len(tasks), chosen) for tasks, chosen in blocks)
    if number <= 1:
        return math.nan
    moments = _moments(total - total.sum() / songs.sum() * songs, songs)
    observed = abs(_t_statistics(first[None].astype("float64"), moments)[0])
    threshold = observed if math.isinf(observed) else observed * (1 - _TOLERANCE)
    if number <= draws:
        t = _t_statistics(_all_arrangements(blocks, len(first)), moments)
        return float(np.mean(np.abs(t) >= threshold))
    rng = np.random.default_rng(seed)
    hits = 0
    for size in _batches(draws, len(total)):
        # blocks are contiguous: ranking block + chance shuffles the tasks within each block
        shuffled = np.argsort(block + rng.random((size, len(block))), axis=1)
        t = _t_statistics(first[shuffled].astype("float64"), moments)
        hits += int((np.abs(t) >= threshold).sum())
    return (1 + hits) / (1 + draws)


def _t_statistics(first: Floats, moments: Floats) -> Floats:
    """Return studentised differences of means; each row of `first` marks a level's tasks by 1."""
    sums = first @ moments
    sizes = first[:1].sum(), (1 - first[:1]).sum()
    mean, variance = _mean_and_variance(sums, sizes[0])
    base_mean, base_variance = _mean_and_variance(moments.sum(axis=0) - sums, sizes[1])
    difference = mean - base_mean
    if min(sizes) == 1:  # a single task has no variance to divide by
        return difference
    error = np.sqrt(variance + base_variance)
    # without variance within both levels, any difference is infinitely many standard errors
    scale = np.sqrt(moments[:, 2].sum() / len(moments)) / moments[:, 1].mean()
    constant = error <= _TOLERANCE * scale
    infinite = np.copysign(np.inf, difference)
    limit = np.where(np.abs(difference) > _TOLERANCE * scale, infinite, 0.0)
    return np.where(constant, limit, difference / np.where(constant, 1.0, error))


def _all_arrangements(blocks: Sequence[tuple[Ints, int]], number: int) -> Floats:
    """Mark each choice of tasks from the blocks by 1: (arrangements, `number` of tasks)."""
    choices = itertools.product(*(itertools.combinations(*block) for block in blocks))
    chosen = np.array([list(itertools.chain(*parts)) for parts in choices], dtype="int64")
    rows = np.zeros((len(chosen), number))
    np.put_along_axis(rows, chosen, 1.0, axis=1)
    return rows
