"""Estimates, intervals and p-values of contrasts of a fit whose answers are not independent.

Two answers that share a task are alike, whichever song of the trial it is: the variance of a
contrast is that of independent answers plus what pairs of answers add that share a task. For
trials of two songs this is the two-way cluster sandwich V(a) + V(b) - V(ab), which sums the
products of residuals over pairs of answers with a common cluster (Cameron, Gelbach and Miller,
J. Bus. Econ. Stat. 29, 2011), with changes that make it right for few tasks:

- The products of an answer with itself are replaced by its variance under the model, so that the
  variance is never below that of independent answers. The answers to a repeated question are
  one answer, with the mean of their observed squares if this is less.
- The products are weighted by how much each task moves each answer, and corrected for the bias of
  fitted residuals, by their expectations if tasks have effects of one variance (a minimum norm
  quadratic estimate: Rao, J. Am. Stat. Assoc. 67, 1972).
- A variance of tasks below 0 counts as 0, and a quarter of its standard error is added, without
  which five tasks with many answers each covered 92 %.
- Student's t has Satterthwaite's degrees of freedom (Biometrics Bull. 2, 1946), between the number
  of tasks less one, if all variance is that of tasks, and the number of answers less one. The part
  of tasks counts there with its standard error added, since it is often estimated as 0.

Listeners are clusters in the same way: each likes a level, or the first position, more or less than
others do.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from musicapi_nb._blind_test.bradley_terry import Fit, residual_scores
from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.ratio_estimator import t_quantile

_NEGLIGIBLE = 1e-12
_ERROR_SHARE = 0.25


class Contrast(NamedTuple):
    """A linear combination of parameters: its estimate, interval, and p of a difference from 0."""

    estimate: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan


class Clusters(NamedTuple):
    """A kind of cluster, such as tasks: the cluster of each song, (trials, positions), or -1."""

    labels: Ints
    number: int


def estimate_contrast(
    fit: Fit, weights: Floats, clusters: Sequence[Clusters], smallest: Sequence[int], level: float
) -> Contrast:
    """Estimate the combination of parameters with these weights, (parameters,).

    `smallest` is the number of clusters of each kind that the contrast depends on: of the level
    that has fewest. The interval is NaN if there is only one.
    """
    estimate = float(weights @ fit.estimate)
    if min(smallest) <= 1:
        return Contrast(estimate)
    direction = np.linalg.solve(fit.precision, weights).astype("float64")
    spread = _Spread.along(fit, direction)
    # what independent answers have, with the prior
    base = float(weights @ direction) - float(spread.model_variances.sum() - spread.variances.sum())
    variance, cautious, squares = base, base, base**2 / max(len(spread.variances) - 1, 1)
    for kind, number in zip(clusters, smallest, strict=True):
        excess, error = spread.excess(kind)
        variance += excess + _ERROR_SHARE * error
        cautious += excess + error
        squares += (excess + error) ** 2 / (number - 1)
    return _interval(estimate, math.sqrt(variance), cautious**2 / squares, level)


def _interval(estimate: float, error: float, degrees: float, level: float) -> Contrast:
    from scipy.special import stdtr  # noqa: PLC0415 - slow to load

    half = float(t_quantile(level, degrees)) * error
    p = 2 * float(stdtr(max(degrees, 1.0), -abs(estimate) / error))
    return Contrast(estimate, estimate - half, estimate + half, p)


class _Spread(NamedTuple):
    """What a contrast needs of each question, for a direction in the space of parameters.

    `residuals` and their variances, (questions,); `information` of each question times the
    direction, and this times the covariance (`fitted`), (questions, parameters); `gradients`: by
    how much a song's utility moves the expected score of its trial, (trials, positions,
    parameters).
    """

    fit: Fit
    direction: Floats
    residuals: Floats
    model_variances: Floats
    variances: Floats
    information: Floats
    fitted: Floats
    gradients: Floats

    @classmethod
    def along(cls, fit: Fit, direction: Floats) -> "_Spread":
        rows, chances = fit.alternatives, fit.chances
        centred = rows - np.einsum("ta,tap->tp", chances, rows)[:, None, :]
        information = _sum_by_question(
            fit, np.einsum("ta,tap->tp", chances * (centred @ direction), centred)
        )
        fitted = information @ np.linalg.inv(fit.precision)
        present = fit.choices.level >= 0
        shares = chances[:, -1] / present.sum(axis=1)  # a tie has the mean utility of the songs
        moves = chances[:, :-1, None] * centred[:, :-1] + shares[:, None, None] * centred[:, -1:]
        residuals = _sum_by_question(fit, residual_scores(fit)) @ direction
        variances = information @ direction
        leverage = np.einsum("qp,qp->q", fitted, information)
        repeated = np.bincount(fit.choices.question) > 1
        observed = np.square(residuals[repeated]).sum()
        expected = (variances - leverage)[repeated].sum()
        ratio = min(1.0, observed / expected) if expected > 0 else 1.0
        return cls(
            fit,
            direction,
            residuals,
            variances,
            np.where(repeated, ratio * variances, variances),
            information,
            fitted,
            moves * (present * fit.weights[:, None])[:, :, None],
        )

    def excess(self, clusters: Clusters) -> tuple[float, float]:
        """Return the variance that shared clusters add, and its standard error if there is none.

        Both are at least 0. With F the derivatives of the residuals by the effects of clusters,
        the products of residuals are weighted by F F', without its diagonal.
        """
        moves = self._by_cluster(clusters, self.gradients @ self.direction)
        totals = self._total_gradients(clusters)
        expected = moves - self.fitted @ totals.T
        size = np.square(moves).sum(axis=1)
        products = _square(self.residuals @ moves) - np.square(self.residuals) @ size
        leverage = np.einsum("qp,qp->q", self.fitted, self.information)
        bias = ((moves.T @ self.fitted) * (moves.T @ self.information)).sum() - size @ leverage
        slope = _square(moves.T @ expected) - size @ np.square(expected).sum(axis=1)
        load = _square(moves.sum(axis=0)) - size.sum()
        if slope <= _NEGLIGIBLE * size.sum() ** 2 or load <= 0:
            return 0.0, 0.0
        weighted = moves.T @ (moves * self.variances[:, None])
        noise = 2 * (_square(weighted) - np.square(self.variances * size).sum())
        scale = load / slope
        return max((products + bias) * scale, 0.0), math.sqrt(max(noise, 0.0)) * scale

    def _by_cluster(self, clusters: Clusters, values: Floats) -> Floats:
        """Sum values of songs, (trials, positions), to (questions, clusters)."""
        trial, position = np.nonzero(clusters.labels >= 0)
        result = np.zeros((len(self.residuals), clusters.number))
        cell = (self.fit.choices.question[trial], clusters.labels[trial, position])
        np.add.at(result, cell, values[trial, position])
        return result

    def _total_gradients(self, clusters: Clusters) -> Floats:
        """Sum the gradients of each cluster over all trials, (clusters, parameters)."""
        trial, position = np.nonzero(clusters.labels >= 0)
        result = np.zeros((clusters.number, self.gradients.shape[2]))
        np.add.at(result, clusters.labels[trial, position], self.gradients[trial, position])
        return result


def _square(values: Floats) -> float:
    return float(np.square(values).sum())


def _sum_by_question(fit: Fit, values: Floats) -> Floats:
    """Sum values of trials by question, each with the weight of its answer."""
    question = fit.choices.question
    result = np.zeros((int(question.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(result, question, values * fit.weights[:, None])
    return result
