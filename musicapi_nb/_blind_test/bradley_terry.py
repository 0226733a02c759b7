"""Numbers behind answers: strengths fitted to wins, a share's interval, what a test could show."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRIOR_SD = math.sqrt(10)
_ROUNDS, _CLOSE, _STRIDE = 60, 1e-10, 2.0


def strengths(won: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit log-strengths to wins of shape (draws, levels, levels): (draws, levels).

    Newton's method on the concave log-posterior; a level that was compared with none is missing.
    """
    draws, size, _ = won.shape
    met = won + won.transpose(0, 2, 1)
    found = np.zeros((draws, size))
    for _ in range(_ROUNDS):
        chance = 1 / (1 + np.exp(found[:, None, :] - found[:, :, None]))
        slope = (won - met * chance).sum(axis=2) - found / PRIOR_SD**2
        if not size or np.abs(slope).max(initial=0.0) < _CLOSE:
            break
        step = np.linalg.solve(_bend(met, chance), slope[:, :, None])[:, :, 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        found += step * np.minimum(1.0, _STRIDE / np.maximum(longest, _CLOSE))
    return np.where(met.sum(axis=2) > 0, found, np.nan)


def _bend(met: NDArray[np.float64], chance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The curvature of the log-posterior, turned positive."""
    spread = met * chance * (1 - chance)
    own = np.eye(met.shape[1])
    return np.asarray(spread.sum(axis=2)[:, :, None] * own - spread + own / PRIOR_SD**2)


def errors(won: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard errors of fitted strengths, (levels,), as if all comparisons were independent."""
    known = np.nan_to_num(found)
    chance = 1 / (1 + np.exp(known[None, None, :] - known[None, :, None]))
    bend = _bend((won + won.T)[None], chance)[0]
    spread = np.linalg.inv(bend) if len(bend) else bend
    # their mean is known to be 0, so what all share does not count
    centred = np.eye(len(known)) - 1 / max(len(known), 1)
    return np.asarray(np.sqrt(np.diag(centred @ spread @ centred)))


def detectable(n: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """The smallest difference d from 0.5 that n independent comparisons show with this power.

    The normal approximation of a two-sided test of a share against one half:
    d * sqrt(n) = z(1 - alpha/2) * 0.5 + z(power) * sqrt((0.5 + d) * (0.5 - d)). Missing where n is
    so small that not even certainty would be shown.
    """
    if n <= 0:
        return math.nan
    normal = NormalDist()
    critical, reach = normal.inv_cdf(1 - alpha / 2) / 2, normal.inv_cdf(power)
    if critical > 0.5 * math.sqrt(n):
        return math.nan
    low, high = 0.0, 0.5
    for _ in range(60):  # halved until no digit is left
        d = (low + high) / 2
        if d * math.sqrt(n) < critical + reach * math.sqrt(0.25 - d * d):
            low = d
        else:
            high = d
    return high


def wilson(hits: float, n: int) -> tuple[float, float, float]:
    """A share with its 95 % interval (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    if not n:
        return math.nan, math.nan, math.nan
    z = NormalDist().inv_cdf(0.975)
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return share, min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share)
