"""Fit the strengths of levels to choices among songs, with ties and a first-position effect.

The model is that of Bradley and Terry (Biometrika 39, 1952) for two songs and of Luce (Individual
Choice Behavior, 1959) for more: a song is chosen with a probability proportional to exp(utility),
which is the strength of its level, plus the order effect if the song is at the first position
(Davidson and Beaver, Biometrics 33, 1977). "No difference" has the mean utility of the trial's
songs plus a constant (Davidson, J. Am. Stat. Assoc. 65, 1970; for more than two songs Firth,
Kosmidis and Turner, arXiv:1909.07123, 2019). No I/O.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from musicapi_nb.analysis.array_types import Flags, Floats, Ints

PRIOR_SD = math.sqrt(10)
"""Standard deviation of the normal prior of each parameter: a level that always won is finite."""
TIE = -1
_MAX_ITERATIONS, _TOLERANCE, _MAX_STEP = 60, 1e-9, 2.0
_NEGLIGIBLE = 1e-9


class Choices(NamedTuple):
    """Answered trials as arrays of integers from 0.

    `level` and `task`: of the song at each position, (trials, positions), -1 for no song.
    `chosen`: position of the chosen song, or `TIE`. `question`: equal for a trial and its repeats.
    `listener`: who answered; (trials,) each.
    """

    level: Ints
    task: Ints
    chosen: Ints
    question: Ints
    listener: Ints


class Fit(NamedTuple):
    """The posterior mode and what its variance is computed from.

    Parameters are the strengths of the levels, then the order effect, then the constant of ties.
    `alternatives` are the design rows, (trials, positions + 1, parameters), with "no difference"
    last; `chances` their fitted probabilities; `weights` 1 / number of answers to a question.
    """

    choices: Choices
    estimate: Floats
    precision: Floats
    alternatives: Floats
    chances: Floats
    weights: Floats
    has_order: bool

    @property
    def levels(self) -> int:
        return len(self.estimate) - 2

    @property
    def order(self) -> int:
        """Index of the order effect among the parameters."""
        return self.levels

    @property
    def tie(self) -> int:
        """Index of the constant of ties among the parameters."""
        return self.levels + 1


def fit_choices(choices: Choices, levels: int) -> Fit:
    """Maximise the posterior by Newton's method; the log-posterior is concave.

    A repeated question counts as one answer: its answers share the weight. The order effect is
    left out where no answer can separate it from the strengths.
    """
    alternatives, available = _alternatives(choices, levels)
    has_order = _is_order_separable(alternatives, available, levels)
    if not has_order:
        alternatives[:, :, levels] = 0.0
    weights = 1.0 / np.bincount(choices.question)[choices.question]
    positions = choices.level.shape[1]
    picked = np.where(choices.chosen == TIE, positions, choices.chosen)
    chosen = alternatives[np.arange(len(picked)), picked]
    estimate = np.zeros(levels + 2)
    for _ in range(_MAX_ITERATIONS):
        chances = _chances(alternatives, available, estimate)
        mean = np.einsum("ta,tap->tp", chances, alternatives)
        gradient = weights @ (chosen - mean) - estimate / PRIOR_SD**2
        precision = _precision(alternatives, chances, mean, weights)
        if np.abs(gradient).max() < _TOLERANCE:
            break
        step = np.linalg.solve(precision, gradient)
        estimate = estimate + step * min(1.0, _MAX_STEP / max(np.abs(step).max(), _TOLERANCE))
    return Fit(choices, estimate, precision, alternatives, chances, weights, has_order)


def residual_scores(fit: Fit) -> Floats:
    """Return the score of each answer, its gradient of the log-likelihood: (trials, parameters)."""
    positions = fit.choices.level.shape[1]
    picked = np.where(fit.choices.chosen == TIE, positions, fit.choices.chosen)
    chosen = fit.alternatives[np.arange(len(picked)), picked]
    return np.asarray(chosen - np.einsum("ta,tap->tp", fit.chances, fit.alternatives))


def _alternatives(choices: Choices, levels: int) -> tuple[Floats, Flags]:
    """Return the design rows of the songs and of "no difference", and which of them exist."""
    trials, positions = choices.level.shape
    present = choices.level >= 0
    rows = np.zeros((trials, positions + 1, levels + 2))
    rows[:, :-1] = np.eye(levels + 2)[choices.level] * present[:, :, None]
    rows[:, 0, levels] = 1.0
    rows[:, -1] = rows[:, :-1].sum(axis=1) / present.sum(axis=1)[:, None]
    rows[:, -1, levels + 1] = 1.0
    return rows, np.column_stack([present, np.ones(trials, dtype=bool)])


def _is_order_separable(alternatives: Floats, available: Flags, levels: int) -> bool:
    """Check that the first position is not a linear function of the levels within trials."""
    songs = alternatives[:, :-1, : levels + 1] - alternatives[:, -1:, : levels + 1]
    rows = songs[available[:, :-1]]
    strengths, order = rows[:, :levels], rows[:, levels]
    coefficients = np.linalg.lstsq(strengths, order, rcond=None)[0]
    return bool(np.square(order - strengths @ coefficients).sum() > _NEGLIGIBLE)


def _chances(alternatives: Floats, available: Flags, estimate: Floats) -> Floats:
    utility = np.where(available, alternatives @ estimate, -np.inf)
    power = np.exp(utility - utility.max(axis=1, keepdims=True))
    return np.asarray(power / power.sum(axis=1, keepdims=True))


def _precision(alternatives: Floats, chances: Floats, mean: Floats, weights: Floats) -> Floats:
    """Return the negative Hessian of the log-posterior, (parameters, parameters)."""
    size = alternatives.shape[2]
    rows = alternatives.reshape(-1, size)
    squares = (rows * (weights[:, None] * chances).reshape(-1, 1)).T @ rows
    return np.asarray(squares - (mean * weights[:, None]).T @ mean + np.eye(size) / PRIOR_SD**2)


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
