"""Intervals of differences and ratios of means and of shares, and the p that agrees. No I/O.

Every function takes the two-sided quantile of Student's t, so that intervals of any level, and the
level at which an interval touches "no effect", have one formula. Arrays broadcast.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.analysis.ratio_estimator import score_bounds

Interval: TypeAlias = tuple[Floats, Floats]
_LARGEST_QUANTILE = 1e4
_ROUNDING = 1e-12
_STEPS = 60  # of a bisection


class Share(NamedTuple):
    """Shares with their effective numbers of independent cases."""

    share: Floats
    cases: Floats

    def bounds(self, quantile: Floats) -> Interval:
        return score_bounds(self.share, self.cases, quantile)


def common_design_effect(
    shares: Sequence[Floats], weights: Sequence[Floats], variance: Floats
) -> list[Share]:
    """Return shares with the cases that explain the `variance` of their difference.

    `weights` are the sums of squared weights of each share's tasks in the difference. If tasks
    were independent cases, they would give a variance of sum(p * (1 - p) * weight); the ratio of
    `variance` to it is the design effect of all shares. A share of 0 or 1 has no variance to
    show, so its tasks count as cases.
    """
    inner = [share * (1 - share) for share in shares]
    naive = sum((p * weight for p, weight in zip(inner, weights, strict=True)), np.zeros(()))
    defined = (naive > 0) & (variance > 0)
    effect = np.where(defined, variance / np.where(defined, naive, 1.0), 1.0)
    return [
        Share(share, 1 / (weight * np.where(p > 0, effect, 1.0)))
        for share, p, weight in zip(shares, inner, weights, strict=True)
    ]


def combined_interval(signs: Sequence[int], shares: Sequence[Share], quantile: Floats) -> Interval:
    """Return the interval of a sum of signed shares.

    Newcombe, Stat. Med. 17, 1998, method 10; for more than two, Zou and Donner, Stat. Med. 27,
    2008.
    """
    estimate = sum(sign * part.share for sign, part in zip(signs, shares, strict=True))
    below, above = np.zeros(()), np.zeros(())
    for sign, part in zip(signs, shares, strict=True):
        low, high = part.bounds(quantile)
        reach = (part.share - low, high - part.share)[:: 1 if sign > 0 else -1]
        below, above = np.hypot(below, reach[0]), np.hypot(above, reach[1])
    return np.asarray(estimate - below), np.asarray(estimate + above)


def share_ratio_interval(share: Share, baseline: Share, quantile: Floats) -> Interval:
    """Return the interval of share / baseline: 0 to infinity where both are 0.

    Donner and Zou, Stat. Methods Med. Res. 21, 2012, in a form that does not divide by 0.
    """
    bounds, base_bounds = share.bounds(quantile), baseline.bounds(quantile)
    low = _lower_ratio(share.share, bounds, baseline.share, base_bounds)
    inverse = _lower_ratio(baseline.share, base_bounds, share.share, bounds)
    return low, np.divide(1.0, inverse, out=np.full(inverse.shape, np.inf), where=inverse > 0)


def _lower_ratio(
    share: Floats, bounds: Interval, baseline: Floats, base_bounds: Interval
) -> Floats:
    product = share * baseline
    low = bounds[0] * (2 * share - bounds[0])
    high = base_bounds[1] * (2 * baseline - base_bounds[1])
    # the smaller root of high * r**2 - 2 * product * r + low = 0, for either sign of high
    root = product + np.sqrt(np.maximum(product * product - low * high, 0.0))
    return np.divide(low, root, out=np.zeros(np.shape(root)), where=root > 0)


class Means(NamedTuple):
    """Two means (the second is the baseline's), their variances and covariance."""

    mean: Floats
    baseline: Floats
    variance: Floats
    baseline_variance: Floats
    covariance: Floats


def mean_ratio_interval(means: Means, quantile: Floats) -> Interval:
    """Return the interval of mean / baseline for means of 0 or more, within 0 to infinity.

    Fieller, J. R. Stat. Soc. B 16, 1954: the ratios r for which mean - r * baseline may be 0. It
    leaves out 1 where the interval of the difference leaves out 0, and has no upper bound where
    the baseline may be 0.
    """
    square = quantile**2
    a = means.baseline**2 - square * means.baseline_variance
    b = means.mean * means.baseline - square * means.covariance
    c = means.mean**2 - square * means.variance
    root = np.sqrt(np.maximum(b * b - a * c, 0.0))
    bounded = a > 0
    divisor = np.where(bounded, a, 1.0)
    # beyond the root of a parabola that opens downwards, every ratio is possible
    negative = np.where(a < 0, a, -1.0)
    open_low = np.where((c > 0) & (a < 0), (b - root) / negative, 0.0)
    low = np.where(bounded, np.where(c > 0, (b - root) / divisor, 0.0), open_low)
    high = np.where(bounded, (b + root) / divisor, np.inf)
    return np.maximum(low, 0.0), np.maximum(high, 0.0)


def p_of_t(t: Floats, degrees: Floats) -> Floats:
    """Return the two-sided p of Student's t; NaN stays NaN."""
    from scipy.special import stdtr  # noqa: PLC0415 - slow to load

    p: Floats = 2 * stdtr(degrees, -np.abs(t))
    return p


def p_of_intervals(interval: Callable[[Floats], Interval], degrees: Floats) -> Floats:
    """Return the two-sided p at which the interval of a difference just contains 0."""
    low = np.zeros(np.shape(degrees))
    high = np.full(np.shape(degrees), _LARGEST_QUANTILE)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        below, above = interval(middle)
        outside = (below > _ROUNDING) | (above < -_ROUNDING)
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    return p_of_t(low, degrees)
