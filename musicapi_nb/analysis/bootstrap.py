"""What resampled tasks tell about a difference of means: its interval, and its p by permutation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

Measure: TypeAlias = Literal["difference", "ratio"]
FEWEST = 3
"""Tasks that an interval needs in each level: two tasks too often resample to a single one."""
_CELLS = 4_000_000
_CLOSE = 1e-9


class Sums(NamedTuple):
    """The values of one level summed by task: (tasks,) each; `block` numbers each task's block."""

    total: Floats
    songs: Floats
    block: Ints

    @property
    def mean(self) -> float:
        return float(self.total.sum() / self.songs.sum()) if len(self.total) else math.nan


class Resamples(NamedTuple):
    """The mean of a level, its variance, and both again for each resample: (draws,)."""

    mean: float
    variance: float
    means: Floats
    variances: Floats


def resample(sums: Sums, draws: int, seed: Sequence[int]) -> Resamples:
    """Draw as many tasks as there are, with replacement, `draws` times."""
    number = len(sums.total)
    # around the mean, so that no digits are lost in the squares
    columns = _columns(sums.total - sums.mean * sums.songs, sums.songs)
    rng = np.random.default_rng(seed)
    even = np.full(number, 1 / max(number, 1))
    rows = max(_CELLS // max(number, 1), 1)
    found = [
        rng.multinomial(number, even, min(rows, draws - start)).astype("float64") @ columns
        for start in range(0, draws, rows)
    ]
    mean, variance = _moments(columns.sum(axis=0), number)
    means, variances = _moments(np.concatenate(found), number)
    return Resamples(sums.mean + float(mean), float(variance), sums.mean + means, variances)


def _columns(total: Floats, songs: Floats) -> Floats:
    return np.column_stack([total, songs, total * total, total * songs, songs * songs])


def _moments(columns: Floats, tasks: float) -> tuple[Floats, Floats]:
    """A mean of songs and its variance over tasks, linearised (Cochran 1977, 6.3)."""
    total, songs, totals2, cross, songs2 = np.moveaxis(columns, -1, 0)
    mean = total / songs
    spread = np.maximum(totals2 - 2 * mean * cross + mean * mean * songs2, 0.0)
    return mean, spread / songs**2 * (tasks / (tasks - 1) if tasks > 1 else math.nan)


def interval(
    level: Resamples, baseline: Resamples, measure: Measure, confidence: float
) -> tuple[float, float]:
    """The studentised cluster bootstrap (bootstrap-t: Efron and Tibshirani 1993, 12.5).

    For a ratio on the log scale. Missing where a mean has no logarithm, where all tasks are alike
    or where the tasks are so few that no bound can be told.
    """
    estimate, error = _contrast(
        measure, level.mean, level.variance, baseline.mean, baseline.variance
    )
    if not (np.isfinite(estimate) and error > 0):
        return math.nan, math.nan
    means, errors = _contrast(
        measure, level.means, level.variances, baseline.means, baseline.variances
    )
    off = means - estimate
    alone = ~(errors > _CLOSE * error)  # one task, drawn again and again
    far = np.where(off == 0, 0.0, np.copysign(np.inf, off))
    t = np.sort(np.where(alone, far, off / np.where(alone, 1.0, errors)))
    least = max(int((len(t) + 1) * (1 - confidence) / 2), 1)
    low, high = estimate - t[-least] * error, estimate - t[least - 1] * error
    if not (np.isfinite(low) and np.isfinite(high)):
        return math.nan, math.nan
    return (float(np.exp(low)), float(np.exp(high))) if measure == "ratio" else (low, high)


def _contrast(
    measure: Measure,
    mean: Floats | float,
    variance: Floats | float,
    base: Floats | float,
    base_variance: Floats | float,
) -> tuple[Floats, Floats]:
    """The difference, or the logarithm of the ratio, with its standard error."""
    if measure == "difference":
        return np.asarray(mean - base), np.sqrt(np.asarray(variance + base_variance))
    one, other = np.asarray(mean), np.asarray(base)
    logs = np.log(np.where(one > 0, one, 1.0)) - np.log(np.where(other > 0, other, 1.0))
    found = np.where(other > 0, np.where(one > 0, logs, -np.inf), np.inf)
    one, other = np.where(one > 0, one, 1.0), np.where(other > 0, other, 1.0)
    return found, np.sqrt(variance / one**2 + base_variance / other**2)


# --- permutation ---------------------------------------------------------------------------


def permutation_p(one: Sums, other: Sums, draws: int, seed: Sequence[int]) -> float:
    """How often levels dealt anew to the tasks, within blocks, differ at least as much; two-sided.

    The difference is measured by its own standard error, so that it holds also where the levels
    differ in spread alone (Janssen, Stat. Probab. Lett. 36, 1997; Chung and Romano, Ann. Stat. 41,
    2013). All rearrangements are gone through where they are no more than `draws`; else p is
    (1 + hits) / (1 + draws), never 0 (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010).
    Missing where nothing can be rearranged.
    """
    total, songs, block = (np.concatenate(pair) for pair in zip(one, other, strict=True))
    first = np.arange(len(total)) < len(one.total)
    order = np.argsort(block, kind="stable")
    total, songs, block, first = total[order], songs[order], block[order], first[order]
    number = _arrangements(block, first)
    if number <= 1:
        return math.nan
    columns = _columns(total - total.sum() / songs.sum() * songs, songs)
    seen = _difference(first[None].astype("float64"), columns)[0]
    if number <= draws:
        return float(np.mean(_as_far(_difference(_all(block, first), columns), seen)))
    rng = np.random.default_rng(seed)
    rows = max(_CELLS // len(total), 1)
    hits = sum(
        int(
            _as_far(
                _difference(_dealt(block, first, min(rows, draws - start), rng), columns), seen
            ).sum()
        )
        for start in range(0, draws, rows)
    )
    return (1 + hits) / (1 + draws)


def _as_far(found: Floats, seen: float) -> Flags:
    far = np.abs(seen)
    return np.asarray(np.abs(found) >= (far if math.isinf(far) else far * (1 - _CLOSE)))


def _difference(first: Floats, columns: Floats) -> Floats:
    """Studentised differences of means, for each row that says (1 or 0) which tasks are first."""
    inside = first @ columns
    numbers = first[:1].sum(), (1 - first[:1]).sum()
    mean, variance = _moments(inside, numbers[0])
    other, other_variance = _moments(columns.sum(axis=0) - inside, numbers[1])
    off = mean - other
    if min(numbers) == 1:  # one task alone has no spread to measure by
        return off
    error = np.sqrt(variance + other_variance)
    # all tasks of each level alike: as far apart as can be, or not at all
    scale = np.sqrt(columns[:, 2].sum() / len(columns)) / columns[:, 1].mean()
    flat = error <= _CLOSE * scale
    t = off / np.where(flat, 1.0, error)
    apart = np.where(np.abs(off) > _CLOSE * scale, np.copysign(np.inf, off), 0.0)
    return np.where(flat, apart, t)


def _arrangements(block: Ints, first: Flags) -> int:
    sizes = [
        (int((block == each).sum()), int(first[block == each].sum())) for each in np.unique(block)
    ]
    return math.prod(math.comb(size, taken) for size, taken in sizes)


def _all(block: Ints, first: Flags) -> Floats:
    found = np.zeros((1, 0))
    for each in np.unique(block):
        inside = first[block == each]
        chosen = list(itertools.combinations(range(len(inside)), int(inside.sum())))
        part = np.zeros((len(chosen), len(inside)))
        for at, places in enumerate(chosen):
            part[at, list(places)] = 1
        found = np.hstack([np.repeat(found, len(part), axis=0), np.tile(part, (len(found), 1))])
    return found


def _dealt(block: Ints, first: Flags, draws: int, rng: np.random.Generator) -> Floats:
    # blocks stand together, so ranking block + chance shuffles the tasks within each block
    order = np.argsort(block + rng.random((draws, len(block))), axis=1)
    return first[order].astype("float64")
