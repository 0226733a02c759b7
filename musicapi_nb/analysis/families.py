"""Families of tests: p-values and quantiles that hold for all rows of a table together. No I/O."""

import collections
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.errors import InvalidArgument

Correction: TypeAlias = Literal["max-t", "holm", "bh"]
_DRAWS = 20_000
_MAX_NORMALS = 10_000_000
_STEPS = 60  # of a bisection


class PValues(NamedTuple):
    """p-values of m contrasts and several outcomes, (m, outcomes), of one design.

    `correlation`, (m, m), is that of the contrasts within an outcome. NaN is not tested.
    """

    p: Floats
    correlation: Floats


class Family:
    """All tests of a table, for step-down max-t tests and simultaneous intervals.

    Each p is turned into a normal score; within an outcome the scores have the correlation of the
    design, across outcomes they count as independent, which can only overstate the largest one
    (Royen, Far East J. Theor. Stat. 48, 2014). Tail probabilities are simulated from fixed seeds,
    and are never above those of Sidak's inequality (J. Am. Stat. Assoc. 62, 1967).
    """

    def __init__(self, groups: Sequence[PValues]) -> None:
        self._scores = [_scores(group.p) for group in groups]
        self._correlations = [group.correlation for group in groups]
        self._draws: dict[int, Floats] = {}
        self._maxima: dict[tuple[int, int], Floats] = {}

    def adjust(self) -> list[Floats]:
        """Return step-down adjusted p, (m, outcomes) of each group; NaN stays NaN.

        Westfall and Young, Resampling-Based Multiple Testing, 1993, algorithm 2.8, with normal
        scores; the joint distribution is that of Hothorn, Bretz and Westfall, Biom. J. 50, 2008.
        """
        adjusted = [np.full(scores.shape, math.nan) for scores in self._scores]
        tests = [
            (float(scores[row, column]), group, row, column)
            for group, scores in enumerate(self._scores)
            for row, column in np.argwhere(~np.isnan(scores)).tolist()
        ]
        masks = {(group, column): 0 for _, group, _, column in tests}
        for _, group, row, column in tests:
            masks[group, column] |= 1 << row
        sets = collections.Counter((group, mask) for (group, _), mask in masks.items())
        previous = 0.0
        for score, group, row, column in sorted(tests, reverse=True):
            previous = max(previous, self._tail(sets, score))
            adjusted[group][row, column] = previous
            mask = masks[group, column]
            sets[group, mask] -= 1
            if not sets[group, mask]:
                del sets[group, mask]
                self._maxima.pop((group, mask), None)
            masks[group, column] = mask & ~(1 << row)
            if masks[group, column]:
                sets[group, masks[group, column]] += 1
        return adjusted

    def joint_p(self, level: float) -> float:
        """Return the p that the smallest p of all tests undercuts with the chance 1 - level.

        Intervals at this error each hold together at `level`.
        """
        sets: collections.Counter[tuple[int, int]] = collections.Counter()
        for group, scores in enumerate(self._scores):
            for column in scores.T:
                mask = sum(1 << int(row) for row in np.flatnonzero(~np.isnan(column)))
                if mask:
                    sets[group, mask] += 1
        number = sum(mask.bit_count() * count for (_, mask), count in sets.items())
        if number <= 1:
            return 1 - level
        low, high = (float(_to_score(np.array(p))) for p in (1 - level, (1 - level) / number))
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._tail(sets, middle) > 1 - level else (low, middle)
        return float(_to_p(np.array(high)))

    def _tail(self, sets: collections.Counter[tuple[int, int]], score: float) -> float:
        """Return the chance that a score of these sets of contrasts is at least this large."""
        single = float(_to_p(np.array(score)))
        log = 0.0
        for (group, mask), count in sets.items():
            number = mask.bit_count()
            tail = -math.expm1(number * math.log1p(-single)) if single < 1 else 1.0
            if number > 1:
                maxima = self._maxima_of(group, mask)
                hits = len(maxima) - int(np.searchsorted(maxima, score))
                tail = min(tail, (1 + hits) / (1 + len(maxima)))
            if tail >= 1:
                return 1.0
            log += count * math.log1p(-tail)
        return -math.expm1(log)

    def _maxima_of(self, group: int, mask: int) -> Floats:
        key = group, mask
        if key not in self._maxima:
            if group not in self._draws:
                self._draws[group] = _draw(self._correlations[group])
            draws = self._draws[group]
            columns = [row for row in range(draws.shape[1]) if mask >> row & 1]
            self._maxima[key] = np.sort(draws[:, columns].max(axis=1))
        return self._maxima[key]


def check_correction(correction: Any) -> None:
    """Raise InvalidArgument unless it is a correction of p-values, or None."""
    if correction is not None and correction not in get_args(Correction):
        raise InvalidArgument(
            f'correction must be "max-t", "holm", "bh" or None, not {correction!r}'
        )


def _draw(correlation: Floats) -> Floats:
    """Return absolute normal draws with this correlation, (draws, m)."""
    number = len(correlation)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    size = min(_DRAWS, max(_MAX_NORMALS // max(number, 1), 1_000))
    draws: Floats = np.abs(np.random.default_rng(0).normal(size=(size, number)) @ root.T)
    return draws


def _scores(p: Floats) -> Floats:
    return np.where(np.isnan(p), math.nan, _to_score(np.nan_to_num(p, nan=1.0)))


def _to_score(p: Floats) -> Floats:
    from scipy.special import ndtri  # noqa: PLC0415 - slow to load

    scores: Floats = -ndtri(p / 2)
    return scores


def _to_p(score: Floats) -> Floats:
    from scipy.special import ndtr  # noqa: PLC0415 - slow to load

    p: Floats = 2 * ndtr(-score)
    return p


def adjust_p_values(p: Floats, correction: Literal["holm", "bh"]) -> Floats:
    """Adjust p-values for multiple comparisons; NaN stays NaN and is not counted.

    "holm" controls the family-wise error rate (Holm, Scand. J. Stat. 6, 1979), "bh" the false
    discovery rate (Benjamini and Hochberg, J. R. Stat. Soc. B 57, 1995).
    """
    result = p.copy()
    tested = np.flatnonzero(~np.isnan(p))
    if correction == "holm":
        order = tested[np.argsort(p[tested], kind="stable")]
        steps = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
        result[order] = np.minimum(steps, 1.0)
    elif len(tested):
        from scipy.stats import false_discovery_control  # noqa: PLC0415 - takes a second to load

        result[tested] = false_discovery_control(p[tested], method="bh")
    return result
