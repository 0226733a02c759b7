"""Comparisons of adjusted means: estimates, p and intervals from one model. No I/O."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from musicapi_nb.analysis.array_types import Flags, Floats
from musicapi_nb.analysis.contrasts import (
    Interval,
    Means,
    Share,
    combined_interval,
    common_design_effect,
    mean_ratio_interval,
    p_of_intervals,
    p_of_t,
    share_ratio_interval,
)
from musicapi_nb.analysis.least_squares import Design
from musicapi_nb.analysis.model_frame import Cells, ModelMatrix, Outcome, Units

Measure: TypeAlias = Literal["difference", "ratio"]
Signs: TypeAlias = dict[int, int]
"""A comparison: 1 or -1 for each of its cells, the compared one first, the baseline last."""


_NO_VALUE = "no song of a level has a value"
_ALIASED = "aliased with the other factors"
_ONE_TASK = "a level has one task only"
_NO_SPREAD = "the tasks of a level are all alike"
_ROUNDING = 1e-12
_LEVEL = 0.95  # of the interval whose width shows the error of a difference of shares


class Estimates(NamedTuple):
    """Comparisons of some outcomes, (comparisons, outcomes) each; NaN where not estimable.

    `interval` takes quantiles of Student's t of that shape. `correlation` is that of the
    comparisons, (comparisons, comparisons); `error` is the standard error of the difference.
    """

    estimate: Floats
    mean: Floats
    baseline_mean: Floats
    p: Floats
    degrees: Floats
    error: Floats
    interval: Callable[[Floats], Interval]
    correlation: Floats


class Group(NamedTuple):
    """Outcomes of one kind with values in the same units, (units,); `indexes` are their places."""

    defined: Flags
    indexes: list[int]
    outcomes: list[Outcome]

    def values(self) -> Floats:
        """Return the outcomes' values, (units with values, outcomes)."""
        return np.column_stack([outcome.values[self.defined] for outcome in self.outcomes])


def group_outcomes(outcomes: Sequence[Outcome]) -> Iterator[Group]:
    """Group outcomes that can be computed together."""
    groups: dict[tuple[bytes, bool, int], Group] = {}
    for index, outcome in enumerate(outcomes):
        defined = np.isfinite(outcome.values)
        alone = -1 if outcome.divisors is None else index
        key = defined.tobytes(), outcome.is_share, alone
        group = groups.setdefault(key, Group(defined, [], []))
        group.indexes.append(index)
        group.outcomes.append(outcome)
    yield from groups.values()


class Comparer:
    """Compares the adjusted means of cells, for outcomes with values in the same units."""

    def __init__(
        self,
        units: Units,
        cells: Cells,
        matrix: ModelMatrix,
        defined: Flags,
        comparisons: Sequence[Signs],
    ) -> None:
        self._defined, self._requested = defined, comparisons
        self._code = cells.code[defined]
        self._design = Design(matrix.array[defined], units.task[defined])
        means = matrix.means(self._averaged(matrix, comparisons))
        contrasts = np.array([_signed_sum(means, signs) for signs in comparisons])
        self.estimable = self._design.estimable(contrasts) & bool(defined.any())
        self._rows = np.flatnonzero(self.estimable)
        self._comparisons = [comparisons[row] for row in self._rows.tolist()]
        self._contrasts = self._design.contrasts(contrasts[self._rows])
        has_mean = self._design.estimable(means)
        self._means = self._design.contrasts(np.where(has_mean[:, None], means, 0.0))

    def _averaged(self, matrix: ModelMatrix, comparisons: Sequence[Signs]) -> Flags:
        """Return the units over which adjusted means average, (units,).

        All, unless the others' blocks or levels never meet those of the baseline.
        """
        baseline = list(comparisons[0])[-1]
        moved = matrix.moved(self._defined, baseline)
        averaged = self._defined.copy()
        averaged[self._defined] = self._design.estimable(moved)
        return averaged if averaged.any() else self._defined

    def compare(self, group: Group, measure: Measure) -> Estimates:
        """Compare cells; a comparison with a cell that is not estimable is NaN."""
        values = group.values()
        if group.outcomes[0].is_share:
            estimates = self._compare_shares(values, measure)
        else:
            estimates = self._compare_means(group, values, measure)
        return self._place_rows(estimates)

    def notes(self, estimates: Estimates, column: int) -> list[str | None]:
        """Say of each comparison why an outcome has no estimate or interval; None if it has."""
        present = set(self._code.tolist())
        reasons: list[str | None] = []
        for row, signs in enumerate(self._requested):
            reason = None
            if not present.issuperset(signs):
                reason = _NO_VALUE
            elif not self.estimable[row]:
                reason = _ALIASED
            elif np.isnan(estimates.degrees[row, column]):
                reason = _ONE_TASK
            elif np.isnan(estimates.p[row, column]):
                reason = _NO_SPREAD
            reasons.append(reason)
        return reasons

    def adjusted_means(self, group: Group, level: float) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the adjusted mean of each cell, its bounds and degrees: (cells, outcomes) each."""
        values = group.values()
        means, variances, _ = self._errors(group, values)
        degrees = np.broadcast_to(self._means.degrees[:, None], means.shape)
        quantile = t_quantile(level, degrees)
        missing = ~self.estimable  # here, each comparison is a cell
        if group.outcomes[0].is_share:
            means = _as_shares(means)
            weights = (self._means.weights**2).sum(axis=0)[:, None]
            weights[missing] = np.nan  # not 0, by which it would be divided
            (share,) = common_design_effect([means], [weights], variances)
            low, high = share.bounds(quantile)
        else:
            error = np.where(variances > 0, np.sqrt(variances), np.nan)
            low, high = symmetric_interval(means, error, quantile)
        for column in (means, low, high):
            column[missing] = np.nan
        return means, low, high, degrees

    def _errors(self, group: Group, values: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the mean of each cell with its variance, and the comparisons' variances."""
        divisors = group.outcomes[0].divisors
        if divisors is None:
            residuals = self._design.residuals(values)
            return (
                self._means.weights.T @ values,
                self._design.variances(self._means, residuals),
                self._design.variances(self._contrasts, residuals),
            )
        # a ratio of two means is linearised (Cochran, Sampling Techniques, 3rd ed. 1977, 6.3)
        both = np.column_stack([values[:, 0], divisors[self._defined]])
        total, divisor = (self._means.weights.T @ both).T
        least = _ROUNDING * np.abs(both[:, 1]).max(initial=0.0)
        divisor = np.where(divisor > least, divisor, np.nan)
        residuals = self._design.residuals(both)
        parts = (residuals[:, :1] - residuals[:, 1:] * total / divisor) / divisor
        parts *= self._means.adjusted
        signed = [_signed_sum(parts.T, signs) for signs in self._comparisons]
        joint = np.reshape(signed, (len(signed), len(parts))).T
        ones = np.ones((len(values), 1))
        return (
            (total / divisor)[:, None],
            self._design.variances(self._means._replace(adjusted=parts), ones),
            self._design.variances(self._contrasts._replace(adjusted=joint), ones),
        )

    def _compare_means(self, group: Group, values: Floats, measure: Measure) -> Estimates:
        means, variances, variance = self._errors(group, values)
        mean, base = self._sides(means)
        degrees = np.broadcast_to(self._contrasts.degrees[:, None], variance.shape)
        error = np.where(~np.isnan(degrees) & (variance > 0), np.sqrt(variance), np.nan)
        estimate = mean - base
        interval = functools.partial(symmetric_interval, estimate, error)
        p = p_of_t(estimate / error, degrees)
        if measure == "ratio":
            first = variances[[next(iter(signs)) for signs in self._comparisons]]
            second = variances[[list(signs)[-1] for signs in self._comparisons]]
            both = Means(mean, base, first, second, (first + second - variance) / 2)
            positive = (mean >= 0) & (base >= 0)
            estimate = np.where(positive, _ratio(mean, base), np.nan)
            interval = functools.partial(_ratio_interval, both, positive & ~np.isnan(error))
        figures = estimate, mean, base, p, degrees, error
        return Estimates(*figures, interval, self._contrasts.correlation)

    def _compare_shares(self, values: Floats, measure: Measure) -> Estimates:
        cells = _as_shares(self._means.weights.T @ values)
        mean, base = self._sides(cells)
        variance = self._design.variances(self._contrasts, self._design.residuals(values))
        degrees = np.broadcast_to(self._contrasts.degrees[:, None], variance.shape)
        parts = [
            self._shares(signs, cells, weights, row)
            for signs, weights, row in zip(
                self._comparisons, self._contrasts.weights.T, variance, strict=True
            )
        ]
        signs = [tuple(signs.values()) for signs in self._comparisons]
        difference = functools.partial(_share_intervals, signs, parts)
        p = np.where(np.isnan(degrees), np.nan, p_of_intervals(difference, degrees))
        estimate, interval = mean - base, difference
        if measure == "ratio":
            estimate = _ratio(mean, base)
            interval = functools.partial(_share_ratio_intervals, parts)
        quantile = t_quantile(_LEVEL, degrees)
        low, high = difference(quantile)
        figures = estimate, mean, base, p, degrees, (high - low) / (2 * quantile)
        return Estimates(*figures, interval, self._contrasts.correlation)

    def _shares(
        self, signs: Signs, cells: Floats, weights: Floats, variance: Floats
    ) -> list[Share]:
        """Return the shares of a comparison; tasks of other cells count with the baseline's."""
        squares = [float((weights[self._code == cell] ** 2).sum()) for cell in signs]
        squares[-1] += float((weights**2).sum()) - sum(squares)
        sums = [np.asarray(square) for square in squares]
        return common_design_effect([cells[cell] for cell in signs], sums, variance)

    def _sides(self, cells: Floats) -> tuple[Floats, Floats]:
        """Return the first value of each comparison, and the value that it is compared with."""
        first = [next(iter(signs)) for signs in self._comparisons]
        others = [dict(list(signs.items())[1:]) for signs in self._comparisons]
        base = [-_signed_sum(cells, signs) for signs in others]
        return cells[first], np.array(base).reshape(len(first), cells.shape[1])

    def _place_rows(self, estimates: Estimates) -> Estimates:
        """Put the rows in their places among all comparisons; the others are NaN."""
        rows, number = self._rows, len(self._requested)
        if len(rows) == number:
            return estimates

        def place(values: Floats) -> Floats:
            result = np.full((number, values.shape[1]), np.nan)
            result[rows] = values
            return result

        def interval(quantile: Floats) -> Interval:
            low, high = estimates.interval(quantile[rows])
            return place(low), place(high)

        correlation = np.eye(number)
        correlation[np.ix_(rows, rows)] = estimates.correlation
        return Estimates(
            place(estimates.estimate),
            place(estimates.mean),
            place(estimates.baseline_mean),
            place(estimates.p),
            place(estimates.degrees),
            place(estimates.error),
            interval,
            correlation,
        )


def t_quantile(level: float, degrees: Floats) -> Floats:
    """Return the two-sided quantile of Student's t; NaN stays NaN."""
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to load

    quantile: Floats = stdtrit(degrees, (1 + level) / 2)
    return quantile


def _signed_sum(rows: Floats, signs: Signs) -> Floats:
    total: Floats = np.asarray(sum(sign * rows[cell] for cell, sign in signs.items()))
    return total


def _as_shares(figures: Floats) -> Floats:
    """Cut predictions to 0 to 1; rounding errors of 0 and 1 are removed."""
    cut: Floats = np.clip(np.round(figures, 12), 0.0, 1.0)
    return cut


def _ratio(mean: Floats, base: Floats) -> Floats:
    """Divide; NaN where both are 0, infinity where the baseline is."""
    beyond = np.where(mean > 0, np.inf, np.nan)
    return np.divide(mean, base, out=beyond, where=base > 0)


def symmetric_interval(estimate: Floats, error: Floats, quantile: Floats) -> Interval:
    """Return the bounds at a quantile of Student's t."""
    return estimate - quantile * error, estimate + quantile * error


def _ratio_interval(means: Means, defined: Flags, quantile: Floats) -> Interval:
    low, high = mean_ratio_interval(means, quantile)
    return np.where(defined, low, np.nan), np.where(defined, high, np.nan)


def _share_intervals(
    signs: Sequence[tuple[int, ...]], parts: Sequence[Sequence[Share]], quantile: Floats
) -> Interval:
    return _stack(
        quantile, [combined_interval(*row) for row in zip(signs, parts, quantile, strict=True)]
    )


def _share_ratio_intervals(parts: Sequence[Sequence[Share]], quantile: Floats) -> Interval:
    return _stack(
        quantile,
        [
            share_ratio_interval(share, base, row)
            for (share, base), row in zip(parts, quantile, strict=True)
        ],
    )


def _stack(quantile: Floats, rows: Sequence[Interval]) -> Interval:
    """Stack the bounds of comparisons; NaN where the quantile is."""
    low, high = (np.array([row[side] for row in rows]).reshape(quantile.shape) for side in (0, 1))
    missing = np.isnan(quantile)
    return np.where(missing, np.nan, low), np.where(missing, np.nan, high)
