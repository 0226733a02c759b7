"""What is believed of render times: log-normal, with unknown median and spread, learned by Bayes.

Everything lives on fixed grids, so that a belief is one list of weights, an interval or an
unfinished task is as good an observation as an exact time, and no table is computed twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from operator import add, mul, sub, truediv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musicapi_nb.polling.priors import Prior

_STEP = 0.02  # of the logarithm of time: 1 s at 50 s, far below the lag that is aimed at
TIMES = tuple(math.exp(_STEP * k) for k in range(480))  # 1 s to 4 h, in seconds
HORIZON = len(TIMES) - 1

_STRIDE = 3  # medians are 6 % apart
_FIRST, _MEDIANS = 69, 98  # from 4 s to 22 min
# The spread of log-normal times and its prior weight. A published "2 to 4 minutes" is about 0.3.
_SPREADS = ((0.08, 1), (0.15, 2), (0.25, 4), (0.35, 4), (0.5, 3), (0.75, 2), (1.1, 1))
SIZE = len(_SPREADS) * _MEDIANS
_SLIGHT = 1e-3 / SIZE  # weights that change no schedule

# The share of tasks that no log-normal foresees: evenly spread over the logarithm of time. It
# keeps one odd task from moving the belief, and the pauses for an overdue task from collapsing.
_ODD = 0.01
_REACH = _FIRST + _STRIDE * (_MEDIANS - 1)


def _survival_table(spread: float) -> tuple[float, ...]:
    """P(not finished) by steps of log time from the median, -_REACH first."""
    scale = _STEP / (spread * math.sqrt(2))
    return tuple(0.5 * math.erfc(k * scale) for k in range(-_REACH, len(TIMES) - _FIRST))


_TABLES = tuple(_survival_table(spread) for spread, _ in _SPREADS)
_ODD_LEFT = tuple(_ODD * (1 - k / (HORIZON + 20)) for k in range(len(TIMES)))


def cell(seconds: float) -> int:
    """The last point of the grid that is not after `seconds`."""
    return min(int(math.log(seconds) / _STEP + 1e-9), HORIZON) if seconds > 1 else 0


@lru_cache(maxsize=128)
def _left(k: int) -> tuple[float, ...]:
    """P(not finished at time k), for every spread and median, odd tasks included."""
    share, odd = 1 - _ODD, _ODD_LEFT[k]
    columns: list[float] = []
    for table in _TABLES:
        # The row of the last median begins k steps in; medians go up while offsets go down.
        columns += table[k : k + _STRIDE * _MEDIANS : _STRIDE][::-1]
    return tuple([share * each + odd for each in columns])


def finished(after: int, by: int) -> list[float]:
    """Log likelihoods of being finished at grid time `by`, given that one was not at `after`.

    One figure for each pair of spread and median, never above 0. An exact time is a pair of
    neighbours.
    """
    before = _left(after)
    return list(map(math.log, map(truediv, map(sub, before, _left(by)), before)))


def survived(since: int, until: int) -> list[float]:
    """Log likelihoods of being unfinished at `until`, given that one was at `since`."""
    return list(map(math.log, map(truediv, _left(until), _left(since))))


@lru_cache(maxsize=64)
def start(prior: Prior) -> tuple[float, ...]:
    """Weights of a prior; a fifth of it is far wider, since what is published may be stale."""
    middle = math.log(min(max(prior.median, 1.0), TIMES[HORIZON])) / _STEP
    spread = max(prior.spread, 0.05) / _STEP
    medians = [
        0.8 / spread * math.exp(-0.5 * (away / spread) ** 2)
        + 0.2 / (spread + 50) * math.exp(-0.5 * (away / (spread + 50)) ** 2)
        for away in (_FIRST + _STRIDE * i - middle for i in range(_MEDIANS))
    ]
    return _normal([weight * each for _, weight in _SPREADS for each in medians])


def learn(weights: Sequence[float], logs: Sequence[float]) -> tuple[float, ...]:
    """Bayes: the weights after seeing something of these log likelihoods."""
    top = max(logs)
    return _normal(list(map(mul, weights, (math.exp(each - top) for each in logs))))


_KIN = 0.25  # how far apart relatives' medians usually are, as a log standard deviation
_WIDTH = int(3 * _KIN / (_STEP * _STRIDE))
_KERNEL = tuple(
    math.exp(-0.5 * (k * _STEP * _STRIDE / _KIN) ** 2) for k in range(-_WIDTH, _WIDTH + 1)
)


def relative(weights: Sequence[float], prior: Sequence[float]) -> tuple[float, ...]:
    """The belief about a group of tasks of whose relatives `weights` were learned.

    Mostly like them, give or take a quarter; with one chance in five not like them at all.
    """
    wider: list[float] = []
    for row in range(0, SIZE, _MEDIANS):
        padded = [0.0] * _WIDTH + list(weights[row : row + _MEDIANS]) + [0.0] * _WIDTH
        total = [0.0] * _MEDIANS
        for k, weight in enumerate(_KERNEL):
            total = list(map(add, total, map(mul, padded[k : k + _MEDIANS], repeat(weight))))
        wider.extend(total)
    return tuple(0.8 * one + 0.2 * two for one, two in zip(_normal(wider), prior, strict=True))


def _normal(weights: Sequence[float]) -> tuple[float, ...]:
    total = math.fsum(weights)
    return tuple(each / total for each in weights)


def survival(weights: Sequence[float]) -> list[float]:
    """P(not finished) at each of `TIMES`, odd tasks left out, all that is unsure averaged."""
    total, kept = [0.0] * len(TIMES), 0.0
    for number, table in enumerate(_TABLES):
        row = weights[number * _MEDIANS : (number + 1) * _MEDIANS]
        told = [i for i, weight in enumerate(row) if weight > _SLIGHT]
        if told:
            first, last = told[0], told[-1] + 1
            part = row[first:last][::-1]
            begin, width = _STRIDE * (_MEDIANS - last), _STRIDE * (last - first)
            total = [
                before + sum(map(mul, part, table[k : k + width : _STRIDE]))
                for k, before in enumerate(total, begin)
            ]
            kept += sum(part)
    return [each / kept for each in total]


def with_odd_ones(survival: Iterable[float]) -> list[float]:
    """P(not finished), tasks that no log-normal foresees included."""
    return [(1 - _ODD) * each + odd for each, odd in zip(survival, _ODD_LEFT, strict=True)]
