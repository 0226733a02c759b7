"""Fit Bradley-Terry strengths, and compute the smallest detectable effect. No I/O."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

PRIOR_SD = math.sqrt(10)
_MAX_ITERATIONS, _TOLERANCE, _MAX_STEP = 60, 1e-10, 2.0


def fit_strengths(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit log-strengths to wins of shape (draws, levels, levels); return (draws, levels).

    Newton's method on the concave log-posterior. Levels without comparisons are NaN.
    """
    draws, size, _ = wins.shape
    games = wins + wins.transpose(0, 2, 1)
    strengths = np.zeros((draws, size))
    for _ in range(_MAX_ITERATIONS):
        chances = 1 / (1 + np.exp(strengths[:, None, :] - strengths[:, :, None]))
        gradient = (wins - games * chances).sum(axis=2) - strengths / PRIOR_SD**2
        if not size or np.abs(gradient).max(initial=0.0) < _TOLERANCE:
            break
        step = np.linalg.solve(_neg_hessian(games, chances), gradient[:, :, None])[:, :, 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        strengths += step * np.minimum(1.0, _MAX_STEP / np.maximum(longest, _TOLERANCE))
    return np.where(games.sum(axis=2) > 0, strengths, np.nan)


def standard_errors(
    wins: NDArray[np.float64], strengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return standard errors of fitted strengths, (levels,), for independent comparisons."""
    filled = np.nan_to_num(strengths)
    chances = 1 / (1 + np.exp(filled[None, None, :] - filled[None, :, None]))
    hessian = _neg_hessian((wins + wins.T)[None], chances)[0]
    covariance = np.linalg.inv(hessian) if len(hessian) else hessian
    # The strengths sum to 0, so what all of them share does not count.
    centering = np.eye(len(filled)) - 1 / max(len(filled), 1)
    return np.asarray(np.sqrt(np.diag(centering @ covariance @ centering)))


def _neg_hessian(games: NDArray[np.float64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the negative Hessian of the log-posterior, (draws, levels, levels)."""
    weights = games * chances * (1 - chances)
    identity = np.eye(games.shape[1])
    diagonal = weights.sum(axis=2)[:, :, None] * identity
    return np.asarray(diagonal - weights + identity / PRIOR_SD**2)


def minimum_detectable_effect(n: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return the smallest difference d of a share from 0.5 that n comparisons detect.

    Solves the normal approximation of a two-sided test against one half,
    d * sqrt(n) = z(1 - alpha/2) * 0.5 + z(power) * sqrt((0.5 + d) * (0.5 - d)), in closed form.
    NaN if n is too small for any d up to 0.5.
    """
    if n <= 0:
        return math.nan
    normal = NormalDist()
    critical, z_power = normal.inv_cdf(1 - alpha / 2) / 2, normal.inv_cdf(power)
    if critical > 0.5 * math.sqrt(n):
        return math.nan
    # The larger root of (d sqrt(n) - critical)^2 = z_power^2 (1/4 - d^2).
    scale = n + z_power**2
    root = math.sqrt(scale / 4 - critical**2)
    return (math.sqrt(n) * critical + z_power * root) / scale
