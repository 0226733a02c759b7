"""The median of values in clusters, with an interval. No I/O."""

import bisect

import numpy as np

from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.ratio_estimator import ratio_sums, ratios

_HALF = 0.5


def clustered_median(values: Floats, cluster: Ints, level: float) -> tuple[float, float, float]:
    """Return the median of values, (rows,), and its lower and upper bound; NaN without values.

    The interval holds all t for which the share of values up to t may be one half, by the interval
    of a share over clusters (see `ratios`): Woodruff, J. Am. Stat. Assoc. 47, 1952, without his
    approximation. It assumes no distribution. A bound is infinite if the clusters are too few to
    exclude any value, and missing for a single cluster.
    """
    if not len(values):
        return np.nan, np.nan, np.nan
    median = float(np.median(values))
    if len(np.unique(cluster)) == 1:
        return median, np.nan, np.nan
    thresholds = np.array([-np.inf, *np.unique(values), np.inf])
    group, ones = np.zeros(len(values), dtype="int64"), np.ones(len(values))

    def bounds(index: int) -> tuple[float, float]:
        hits = (values <= thresholds[index]).astype("float64")
        _, low, high = ratios(ratio_sums(group, cluster, hits, ones, 1), level)
        return float(low[0]), float(high[0])

    # the last threshold has a share of 1, and is infinite: nothing excludes larger values
    numbers = range(len(thresholds) - 1)
    first = bisect.bisect_left(numbers, x=True, key=lambda index: bounds(index)[1] >= _HALF)
    last = bisect.bisect_left(numbers, x=True, key=lambda index: bounds(index)[0] > _HALF)
    return median, float(thresholds[first]), float(thresholds[last])
