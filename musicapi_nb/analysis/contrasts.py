"""Intervals of the difference and ratio of two shares, and adjusted p-values. No I/O."""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from musicapi_nb.analysis.array_types import Floats

Correction: TypeAlias = Literal["holm", "bh"]


class Share(NamedTuple):
    """A share with its interval."""

    share: float
    low: float
    high: float


def difference_interval(share: Share, baseline: Share) -> tuple[float, float]:
    """Return the interval of share - baseline (Newcombe, Stat. Med. 17, 1998, method 10)."""
    estimate = share.share - baseline.share
    lower = np.hypot(share.share - share.low, baseline.high - baseline.share)
    upper = np.hypot(share.high - share.share, baseline.share - baseline.low)
    return float(estimate - lower), float(estimate + upper)


def ratio_interval(share: Share, baseline: Share) -> tuple[float, float]:
    """Return the interval of share / baseline; `baseline.share` is above 0.

    Donner and Zou, Stat. Methods Med. Res. 21, 2012, in a form that does not divide by 0.
    """
    inverse = _lower_ratio(baseline, share)
    return _lower_ratio(share, baseline), 1 / inverse if inverse > 0 else np.inf


def _lower_ratio(share: Share, baseline: Share) -> float:
    product = share.share * baseline.share
    low = share.low * (2 * share.share - share.low)
    high = baseline.high * (2 * baseline.share - baseline.high)
    # the smaller root of high * r**2 - 2 * product * r + low = 0, for either sign of high
    root = product + np.sqrt(max(product * product - low * high, 0.0))
    return float(low / root) if root > 0 else 0.0


def adjust_p_values(p: Floats, correction: Correction | None) -> Floats:
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
    elif correction == "bh" and len(tested):
        from scipy.stats import false_discovery_control  # noqa: PLC0415 - takes a second to load

        result[tested] = false_discovery_control(p[tested], method="bh")
    return result
