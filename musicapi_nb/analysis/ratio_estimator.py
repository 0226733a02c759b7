"""Ratio estimator over clusters: sums that add up over partitions, and intervals. No I/O."""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.clusters import sum_by_code

SUMS = ("tasks", "hits", "cases", "hits2", "cross", "cases2")
"""Number of clusters; sums over clusters of hits, cases, hits^2, hits * cases and cases^2."""


def ratio_sums(
    group: Ints, cluster: Ints, hits: Floats, cases: Floats, groups: int
) -> dict[str, Floats]:
    """Sum rows to clusters, and clusters to groups: each of `SUMS`, (groups,).

    A cluster counts in a group where it has cases (above 0).
    """
    clusters = int(cluster.max(initial=0)) + 1
    pairs, row = np.unique(group * clusters + cluster, return_inverse=True)
    hits, cases = sum_by_code(row, hits, len(pairs)), sum_by_code(row, cases, len(pairs))
    return cluster_sums(pairs // clusters, hits, cases, groups)


def cluster_sums(group: Ints, hits: Floats, cases: Floats, groups: int) -> dict[str, Floats]:
    """Sum clusters, one value each, to groups: each of `SUMS`, (groups,)."""
    terms = ((cases > 0).astype(float), hits, cases, hits**2, hits * cases, cases**2)
    return {name: sum_by_code(group, term, groups) for name, term in zip(SUMS, terms, strict=True)}


def ratios(
    sums: Mapping[str, Any] | pd.DataFrame,
    level: float,
    max_cases: Any = None,
    variance_factor: Any = 1.0,
) -> tuple[Floats, Floats, Floats]:
    """Estimate hits / cases from `SUMS`: estimate, lower and upper bound, each of their shape.

    The variance is that of a ratio of sums over clusters, linearised (Cochran, Sampling
    Techniques, 3rd ed. 1977, 6.3): cases of one cluster may be correlated. The interval is
    Wilson's for the effective number of cases, that is, of independent cases with this variance,
    reduced by the squared ratio of t quantiles because the variance is estimated from few
    clusters (Korn and Graubard, Survey Methodology 24, 1998), and at most `max_cases` (default:
    cases). Where all or none of the cases are hits, the clusters count as cases. The interval is
    NaN for a single cluster. `variance_factor` multiplies the variance.
    """
    n, y, x, yy, xy, xx = (np.asarray(sums[name], dtype=float) for name in SUMS)
    max_cases = x if max_cases is None else np.asarray(max_cases, dtype=float)
    defined, several = x > 0, n > 1
    share = np.divide(y, x, out=np.full(x.shape, np.nan), where=defined)
    p = np.clip(np.nan_to_num(share), 0.0, 1.0)
    squares = np.maximum(yy - 2 * p * xy + p * p * xx, 0.0) * np.asarray(variance_factor, float)
    has_interval = defined & several
    variance = np.zeros(x.shape)
    np.divide(squares * n, (n - 1) * x * x, out=variance, where=has_interval)
    inner = p * (1 - p)
    effective = np.divide(inner, variance, out=np.full(x.shape, np.inf), where=variance > 0)
    # fractional cases round down, to the wider interval
    reduction = (t_quantile(level, np.floor(x - 1)) / t_quantile(level, n - 1)) ** 2
    size = np.where(inner > 0, np.minimum(effective * reduction, max_cases), n)
    bounds = wilson_bounds(p, np.where(several, size, 1.0), level)
    low, high = np.where(has_interval, bounds, np.nan)
    return share, low, high


def wilson_bounds(share: Any, cases: Any, level: float) -> tuple[Floats, Floats]:
    """Return Wilson's interval of shares of `cases` each; these are above 0, and may be fractional.

    Wilson, J. Am. Stat. Assoc. 22, 1927.
    """
    return score_bounds(share, cases, NormalDist().inv_cdf((1 + level) / 2))


def score_bounds(share: Any, cases: Any, quantile: Any) -> tuple[Floats, Floats]:
    """Return the score interval of shares for any two-sided quantile, such as Student's."""
    z2 = np.square(quantile) / cases
    middle = (share + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
    return np.clip(middle - half, 0.0, share), np.clip(middle + half, share, 1.0)


def t_quantile(level: float, degrees: Any) -> Floats:
    """Return the two-sided quantile of Student's t; fewer than 1 degree of freedom counts as 1."""
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to load

    quantile: Floats = stdtrit(np.maximum(degrees, 1.0), (1 + level) / 2)
    return quantile
