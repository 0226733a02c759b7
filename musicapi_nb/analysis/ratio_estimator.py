"""Shares over clusters: sums that add up over parts of the data, and intervals made of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from musicapi_nb.errors import InvalidArgument

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SUMS = ("tasks", "hits", "cases", "hits2", "cross", "cases2")
"""Clusters; the sums over clusters of hits, of cases, of their squares and of their product."""
_EXACT = 60


def check_level(level: float) -> float:
    if not isinstance(level, int | float) or not 0 < level < 1:
        raise InvalidArgument(f"level is {level!r}; the level of an interval lies between 0 and 1")
    return float(level)


def ratio_sums(
    group: Ints, cluster: Ints, hits: Floats, of: Floats, groups: int
) -> dict[str, Floats]:
    """Sum rows to clusters and these to groups: each of `SUMS`, (groups,).

    A cluster counts in a group where it has cases (`of` above 0).
    """
    clusters = int(cluster.max(initial=-1)) + 1
    pairs, row = np.unique(group * max(clusters, 1) + cluster, return_inverse=True)
    y = np.bincount(row, hits, len(pairs))
    x = np.bincount(row, of, len(pairs))
    at = pairs // max(clusters, 1)
    each = ((x > 0).astype(float), y, x, y * y, x * y, x * x)
    found: dict[str, Floats] = {}
    for name, values in zip(SUMS, each, strict=True):
        found[name] = np.bincount(at, weights=values, minlength=groups).astype(np.float64)
    return found


def ratios(
    sums: Mapping[str, Any] | pd.DataFrame, level: float, most: Any = None, doubt: Any = 1.0
) -> tuple[Floats, Floats, Floats]:
    """Estimate hits / cases with its interval from `SUMS`, element by element.

    The variance is that of a ratio of sums over clusters, linearised (Cochran, Sampling
    Techniques, 3rd ed. 1977, 6.3), so cases of one cluster may be as alike as they like. The
    interval is Wilson's (J. Am. Stat. Assoc. 22, 1927) for as many independent cases as would
    have this variance, lessened by the ratio of the t quantiles since the variance itself comes
    from few clusters (Korn and Graubard, Survey Methodology 24, 1998). There are never more such
    cases than `most` (default: than cases). Where all or none are hits the clusters count as the
    cases. One cluster tells nothing about others: the interval is missing. `doubt` multiplies the
    variance.
    """
    n, y, x, yy, xy, xx = (np.asarray(sums[name], dtype=float) for name in SUMS)
    most = x if most is None else np.asarray(most, dtype=float)
    known, several = x > 0, n > 1
    share = np.divide(y, x, out=np.full(x.shape, np.nan), where=known)
    p = np.clip(np.nan_to_num(share), 0.0, 1.0)
    spread = np.maximum(yy - 2 * p * xy + p * p * xx, 0.0) * np.asarray(doubt, dtype=float)
    variance = np.divide(spread * n, (n - 1) * x * x, out=np.zeros(x.shape), where=known & several)
    inner = p * (1 - p)
    alike = np.divide(inner, variance, out=np.full(x.shape, np.inf), where=variance > 0)
    few = (_students(level, x - 1) / _students(level, n - 1)) ** 2
    size = np.where(inner > 0, np.minimum(alike * few, most), n)
    low, high = wilson_bounds(p, np.where(several, size, 1.0), level)
    return (share, np.where(known & several, low, np.nan), np.where(known & several, high, np.nan))


def wilson_bounds(p: Floats, n: Floats, level: float) -> tuple[Floats, Floats]:
    """Wilson's interval of shares of n cases each, n above 0 and not necessarily whole."""
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return np.clip(middle - half, 0.0, p), np.clip(middle + half, p, 1.0)


def _students(level: float, degrees: Floats) -> Floats:
    # non-whole cases of attributed hits round down, to the wider side
    whole = np.maximum(np.floor(degrees), 1).astype("int64")
    found, at = np.unique(np.minimum(whole, 10**6), return_inverse=True)
    return np.array([t_quantile(level, int(each)) for each in found])[at].reshape(whole.shape)


@functools.lru_cache(maxsize=4096)
def t_quantile(level: float, degrees: int) -> float:
    """The t within which a share `level` of Student's distribution lies, two-sided.

    For few degrees the closed form of the distribution is inverted, else the normal quantile is
    expanded (Abramowitz and Stegun 1964, 26.7.3, 26.7.4 and 26.7.5).
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    if degrees > _EXACT:
        v = float(degrees)
        return (
            z
            + (z**3 + z) / (4 * v)
            + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
            + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
        )
    low, high = 0.0, math.pi / 2
    for _ in range(60):  # halved until no digit is left
        angle = (low + high) / 2
        low, high = (angle, high) if _within(angle, degrees) < level else (low, angle)
    return math.tan((low + high) / 2) * math.sqrt(degrees)


def _within(angle: float, degrees: int) -> float:
    """The share of Student's distribution within sqrt(degrees) * tan(angle) of 0."""
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2
    term, total = (cosine if odd else 1.0), 0.0
    for at in range(1 + odd, degrees, 2):
        total += term
        term *= cosine * cosine * at / (at + 1)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def as_frame(columns: Mapping[str, Any], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Put columns into a frame of exactly these names and dtypes, its index from 0."""
    return pd.DataFrame(
        {name: pd.Series(columns[name], dtype=dtype) for name, dtype in dtypes.items()}
    )


def as_text(dtype: Any) -> Any:
    """The dtype, or "str" for any kind of text: a table in parts has another one."""
    return "str" if isinstance(dtype, pd.StringDtype) else dtype
