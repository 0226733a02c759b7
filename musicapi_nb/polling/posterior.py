"""Bayesian posterior of render times: log-normal with unknown median and spread.

Times, medians and spreads lie on fixed grids. A belief is one list of weights, and an interval or
an unfinished task is as good an observation as an exact time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from operator import add, mul, sub, truediv
from typing import NamedTuple

# Service docs, faq and nuro-instruction: "about 2 minutes" (2 to 4), "about 30 seconds".
_PUBLISHED = {"sonic": (120.0, 240.0), "nuro": (30.0, 30.0)}

_STEP = 0.02  # of log time: 1 s at 50 s, far below the lag aimed at
TIMES = tuple(math.exp(_STEP * k) for k in range(480))  # 1 s to 4 h, in seconds
HORIZON = len(TIMES) - 1

_STRIDE = 3  # medians are 6 % apart
_FIRST, _MEDIANS = 69, 98  # from 4 s to 22 min
# Spreads of log time and their prior weights. A published "2 to 4 minutes" is about 0.3.
_SPREADS = ((0.08, 1), (0.15, 2), (0.25, 4), (0.35, 4), (0.5, 3), (0.75, 2), (1.1, 1))
SIZE = len(_SPREADS) * _MEDIANS
_NEGLIGIBLE = 1e-3 / SIZE  # weights too small to change a schedule

# Share of outliers: tasks outside any log-normal, spread evenly over log time. They keep a single
# outlier from moving the posterior, and the pauses for an overdue task from collapsing.
_OUTLIERS = 0.01
_REACH = _FIRST + _STRIDE * (_MEDIANS - 1)


def _survival_table(spread: float) -> tuple[float, ...]:
    """P(unfinished) by steps of log time from the median, starting at -_REACH."""
    scale = _STEP / (spread * math.sqrt(2))
    return tuple(0.5 * math.erfc(k * scale) for k in range(-_REACH, len(TIMES) - _FIRST))


_TABLES = tuple(_survival_table(spread) for spread, _ in _SPREADS)
_OUTLIER_SURVIVAL = tuple(_OUTLIERS * (1 - k / (HORIZON + 20)) for k in range(len(TIMES)))


def grid_index(seconds: float) -> int:
    """Return the index of the last grid time that is not after `seconds`."""
    return min(int(math.log(seconds) / _STEP + 1e-9), HORIZON) if seconds > 1 else 0


def nearest_grid_index(seconds: float) -> int:
    """Return the index of the grid time that is nearest to `seconds`."""
    return min(round(math.log(seconds) / _STEP), HORIZON) if seconds > 1 else 0


@lru_cache(maxsize=128)
def _survival_at(k: int) -> tuple[float, ...]:
    """P(unfinished at grid time k) for each spread and median, outliers included."""
    share, outliers = 1 - _OUTLIERS, _OUTLIER_SURVIVAL[k]
    columns: list[float] = []
    for table in _TABLES:
        # The row of the last median begins k steps in; medians rise as offsets fall.
        columns += table[k : k + _STRIDE * _MEDIANS : _STRIDE][::-1]
    return tuple([share * survival + outliers for survival in columns])


def finished_likelihood(after: int, by: int) -> list[float]:
    """Return log likelihoods of finishing by grid time `by`, given unfinished at `after`.

    One number for each pair of spread and median, at most 0. Neighbouring grid times stand for
    an exact time.
    """
    before = _survival_at(after)
    return list(map(math.log, map(truediv, map(sub, before, _survival_at(by)), before)))


def unfinished_likelihood(since: int, until: int) -> list[float]:
    """Return log likelihoods of being unfinished at `until`, given unfinished at `since`."""
    return list(map(math.log, map(truediv, _survival_at(until), _survival_at(since))))


class Prior(NamedTuple):
    """Belief about an engine's render times before any was observed.

    `median` is in seconds. `spread` is the standard deviation of the logarithm of that median:
    with 0.5, being wrong by a factor of 1.65 is ordinary.
    """

    median: float
    spread: float


# sonic: between "about 2" and "2 to 4 minutes". studio: the one reply with times in the docs
# (16 s queued, 50 s rendered), hence a wider spread. Nothing is published for the others.
_PRIORS = {
    "sonic": Prior(math.sqrt(120.0 * 170.0), 0.5),
    "nuro": Prior(30.0, 0.5),
    "studio": Prior(66.0, 0.6),
}
_DEFAULT = Prior(60.0, 0.8)


def prior(engine: str | None) -> Prior:
    """Return the prior of an engine, wide enough for a few tasks to correct it."""
    return _PRIORS.get(engine or "", _DEFAULT)


def published_range(engine: str | None) -> tuple[float, float] | None:
    """Return the published render time in seconds, from and to, or None if there is none."""
    return _PUBLISHED.get(engine or "")


@lru_cache(maxsize=64)
def prior_weights(prior: Prior) -> tuple[float, ...]:
    """Return the weights of a prior; a fifth is much wider, as published times may be outdated."""
    middle = math.log(min(max(prior.median, 1.0), TIMES[HORIZON])) / _STEP
    spread = max(prior.spread, 0.05) / _STEP
    medians = [
        0.8 / spread * math.exp(-0.5 * (offset / spread) ** 2)
        + 0.2 / (spread + 50) * math.exp(-0.5 * (offset / (spread + 50)) ** 2)
        for offset in (_FIRST + _STRIDE * i - middle for i in range(_MEDIANS))
    ]
    return _normalize([weight * density for _, weight in _SPREADS for density in medians])


def update(weights: Sequence[float], log_likelihoods: Sequence[float]) -> tuple[float, ...]:
    """Return the posterior weights after an observation (Bayes' rule)."""
    top = max(log_likelihoods)
    return _normalize(list(map(mul, weights, (math.exp(log - top) for log in log_likelihoods))))


_KIN = 0.25  # typical distance of related kinds' medians: standard deviation of their log
_WIDTH = int(3 * _KIN / (_STEP * _STRIDE))
_KERNEL = tuple(
    math.exp(-0.5 * (k * _STEP * _STRIDE / _KIN) ** 2) for k in range(-_WIDTH, _WIDTH + 1)
)


def related_prior(weights: Sequence[float], prior: Sequence[float]) -> tuple[float, ...]:
    """Return a prior for one kind of task from the posterior `weights` of related kinds.

    Four fifths: the posterior, blurred by a quarter. One fifth: the original `prior`, in case
    this kind behaves differently.
    """
    wider: list[float] = []
    for row in range(0, SIZE, _MEDIANS):
        padded = [0.0] * _WIDTH + list(weights[row : row + _MEDIANS]) + [0.0] * _WIDTH
        total = [0.0] * _MEDIANS
        for k, weight in enumerate(_KERNEL):
            total = list(map(add, total, map(mul, padded[k : k + _MEDIANS], repeat(weight))))
        wider.extend(total)
    return tuple(0.8 * a + 0.2 * b for a, b in zip(_normalize(wider), prior, strict=True))


def _normalize(weights: Sequence[float]) -> tuple[float, ...]:
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)


def survival(weights: Sequence[float]) -> list[float]:
    """Return P(unfinished) at each of `TIMES`, averaged over the weights, without outliers."""
    total, mass = [0.0] * len(TIMES), 0.0
    for index, table in enumerate(_TABLES):
        row = weights[index * _MEDIANS : (index + 1) * _MEDIANS]
        relevant = [i for i, weight in enumerate(row) if weight > _NEGLIGIBLE]
        if relevant:
            first, end = relevant[0], relevant[-1] + 1
            part = row[first:end][::-1]
            begin, width = _STRIDE * (_MEDIANS - end), _STRIDE * (end - first)
            total = [
                before + sum(map(mul, part, table[k : k + width : _STRIDE]))
                for k, before in enumerate(total, begin)
            ]
            mass += sum(part)
    return [probability / mass for probability in total]


def with_outliers(survival: Iterable[float]) -> list[float]:
    """Add the share of outliers to a survival function."""
    pairs = zip(survival, _OUTLIER_SURVIVAL, strict=True)
    return [(1 - _OUTLIERS) * probability + outlier for probability, outlier in pairs]
