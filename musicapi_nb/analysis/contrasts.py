"""Two shares against each other, and p-values of a family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Correction: TypeAlias = Literal["holm", "bh"]


class Share(NamedTuple):
    """A share with its interval."""

    share: float
    low: float
    high: float


def difference(one: Share, other: Share) -> tuple[float, float]:
    """The interval of one share less another, made of theirs (Newcombe, Stat. Med. 17, 1998)."""
    estimate = one.share - other.share
    below = np.hypot(one.share - one.low, other.high - other.share)
    above = np.hypot(one.high - one.share, other.share - other.low)
    return float(estimate - below), float(estimate + above)


def ratio(one: Share, other: Share) -> tuple[float, float]:
    """The interval of one share by another above 0, made of theirs.

    Donner and Zou, Stat. Methods Med. Res. 21, 2012, in a form that does not divide by 0.
    """
    return _lower(one, other), 1 / inverse if (inverse := _lower(other, one)) > 0 else np.inf


def _lower(one: Share, other: Share) -> float:
    both = one.share * other.share
    low, high = one.low * (2 * one.share - one.low), other.high * (2 * other.share - other.high)
    # the lesser root of high * r**2 - 2 * both * r + low = 0, whatever the sign of high
    root = both + np.sqrt(max(both * both - low * high, 0.0))
    return float(low / root) if root > 0 else 0.0


def adjust_p_values(p: Floats, correction: Correction | None) -> Floats:
    """Adjust p-values for their number; missing ones stay missing and are not counted.

    "holm" bounds the chance of any false find (Holm, Scand. J. Stat. 6, 1979), "bh" the expected
    share of false finds among all (Benjamini and Hochberg, J. R. Stat. Soc. B 57, 1995).
    """
    found = p.copy()
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    number = len(order)
    if correction == "holm":
        raised = np.maximum.accumulate(p[order] * np.arange(number, 0, -1))
    elif correction == "bh":
        share = p[order] * number / np.arange(1, number + 1)
        raised = np.minimum.accumulate(share[::-1])[::-1]
    else:
        return found
    found[order] = np.minimum(raised, 1.0)
    return found
