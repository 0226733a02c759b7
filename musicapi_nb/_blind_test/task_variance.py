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
- A variance of tasks below 0 counts as 0. Its standard error, divided by the number of tasks less
  one, is added; without it, five tasks with many answers each covered 92 %.
- Student's t has Satterthwaite's degrees of freedom (Biometrics Bull. 2, 1946), between the number
  of tasks less one, if all variance is that of tasks, and the number of answers less one. The part
  of tasks counts there with its standard error added, since it is often estimated as 0.

Listeners are clusters in the same way: each likes a level, or the first position, more or less than
others do.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from musicapi_nb._blind_test.bradley_terry import Fit, residual_scores
from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.ratio_estimator import t_quantile

_NEGLIGIBLE = 1e-12


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


class Residuals(NamedTuple):
    """What all contrasts of a fit need; a question is a trial and its repeats.

    `covariance` of the parameters if answers are independent; `scores` of each question,
    (questions, parameters); `centred`: design rows less their expectation, (trials, alternatives,
    parameters); `gradients`: by how much a song's utility moves the expected score of its trial,
    (trials, positions, parameters); `totals`: these summed by cluster, (clusters, parameters),
    for each kind of cluster.
    """

    fit: Fit
    clusters: tuple[Clusters, ...]
    covariance: Floats
    scores: Floats
    centred: Floats
    gradients: Floats
    totals: tuple[Floats, ...]


def residuals_of(fit: Fit, clusters: Sequence[Clusters]) -> Residuals:
    """Prepare the contrasts of a fit."""
    rows, chances = fit.alternatives, fit.chances
    centred = rows - np.einsum("ta,tap->tp", chances, rows)[:, None, :]
    present = fit.choices.level >= 0
    shares = chances[:, -1] / present.sum(axis=1)  # a tie has the mean utility of the songs
    moves = chances[:, :-1, None] * centred[:, :-1] + shares[:, None, None] * centred[:, -1:]
    gradients = moves * (present * fit.weights[:, None])[:, :, None]
    totals = []
    for kind in clusters:
        trial, position = np.nonzero(kind.labels >= 0)
        total = np.zeros((kind.number, gradients.shape[2]))
        np.add.at(total, kind.labels[trial, position], gradients[trial, position])
        totals.append(total)
    scores = _sum_by_question(fit, residual_scores(fit))
    covariance: Floats = np.linalg.inv(fit.precision).astype("float64")
    return Residuals(fit, tuple(clusters), covariance, scores, centred, gradients, tuple(totals))


def estimate_contrast(
    residuals: Residuals, weights: Floats, smallest: Sequence[int], level: float
) -> Contrast:
    """Estimate the combination of parameters with these weights, (parameters,).

    `smallest` is the number of clusters of each kind that the contrast depends on: of the level
    that has fewest. The interval is NaN if there is only one.
    """
    fit = residuals.fit
    estimate = float(weights @ fit.estimate)
    if min(smallest) <= 1:
        return Contrast(estimate)
    direction = residuals.covariance @ weights
    projected = _project(residuals, direction)
    # what independent answers have, with the prior
    base = float(weights @ direction) - projected.reduction
    variance, cautious = base, base
    squares = base**2 / max(len(projected.variances) - 1, 1)
    for kind, total, number in zip(residuals.clusters, residuals.totals, smallest, strict=True):
        moves = _by_cluster(residuals, kind, residuals.gradients @ direction)
        excess, error = _excess(projected, moves, total)
        variance += excess + error / (number - 1)
        cautious += excess + error
        squares += (excess + error) ** 2 / (number - 1)
    return _interval(estimate, math.sqrt(variance), cautious**2 / squares, level)


def _interval(estimate: float, error: float, degrees: float, level: float) -> Contrast:
    from scipy.special import stdtr  # noqa: PLC0415 - slow to load

    half = float(t_quantile(level, degrees)) * error
    p = 2 * float(stdtr(max(degrees, 1.0), -abs(estimate) / error))
    return Contrast(estimate, estimate - half, estimate + half, p)


class _Projection(NamedTuple):
    """Residuals of each question along a direction, (questions,), and their variances.

    `information` of each question times the direction, and this times the covariance (`fitted`),
    (questions, parameters); `reduction`: by how much repeats lessen the sum of variances.
    """

    residuals: Floats
    variances: Floats
    information: Floats
    fitted: Floats
    leverage: Floats
    reduction: float


def _project(residuals: Residuals, direction: Floats) -> _Projection:
    fit, centred = residuals.fit, residuals.centred
    weighted = fit.chances * (centred @ direction)
    information = _sum_by_question(fit, np.einsum("ta,tap->tp", weighted, centred))
    fitted = information @ residuals.covariance
    variances = information @ direction
    leverage = np.einsum("qp,qp->q", fitted, information)
    along = residuals.scores @ direction
    repeated = np.bincount(fit.choices.question) > 1
    expected = float((variances - leverage)[repeated].sum())
    ratio = min(1.0, _square(along[repeated]) / expected) if expected > 0 else 1.0
    reduced = np.where(repeated, ratio * variances, variances)
    reduction = float((variances - reduced).sum())
    return _Projection(along, reduced, information, fitted, leverage, reduction)


def _excess(projected: _Projection, moves: Any, totals: Floats) -> tuple[float, float]:
    """Return the variance that shared clusters add, and its standard error if there is none.

    Both are at least 0. With F (`moves`, sparse) the derivatives of the residuals by the effects
    of clusters, the products of residuals are weighted by F F', without its diagonal.
    """
    residuals, variances = projected.residuals, projected.variances
    size = np.asarray(moves.multiply(moves).sum(axis=1)).ravel()
    load = _square(np.asarray(moves.sum(axis=0))) - float(size.sum())
    products = _square(residuals @ moves) - np.square(residuals) @ size
    fitted = moves.T @ projected.fitted
    bias = (fitted * (moves.T @ projected.information)).sum() - size @ projected.leverage
    # F less what the fit takes of each cluster's effect, without forming (questions, clusters)
    explained = moves @ totals
    norms = (
        size
        - 2 * np.einsum("qp,qp->q", explained, projected.fitted)
        + np.einsum("qp,pr,qr->q", projected.fitted, totals.T @ totals, projected.fitted)
    )
    slope = _square((moves.T @ moves).toarray() - fitted @ totals.T) - size @ norms
    if slope <= _NEGLIGIBLE * size.sum() ** 2 or load <= 0:
        return 0.0, 0.0
    weighted = moves.T @ moves.multiply(variances[:, None]).tocsr()
    noise = 2 * (_square(weighted.data) - np.square(variances * size).sum())
    scale = load / slope
    return max((products + bias) * scale, 0.0), math.sqrt(max(noise, 0.0)) * scale


def _by_cluster(residuals: Residuals, clusters: Clusters, values: Floats) -> Any:
    """Sum values of songs, (trials, positions), to a sparse matrix (questions, clusters)."""
    from scipy.sparse import csr_array  # noqa: PLC0415 - slow to load

    trial, position = np.nonzero(clusters.labels >= 0)
    question = residuals.fit.choices.question[trial]
    cell = (question, clusters.labels[trial, position])
    shape = (len(residuals.scores), clusters.number)
    return csr_array((values[trial, position], cell), shape=shape)


def _square(values: Floats) -> float:
    return float(np.square(values).sum())


def _sum_by_question(fit: Fit, values: Floats) -> Floats:
    """Sum values of trials by question, each with the weight of its answer."""
    question = fit.choices.question
    result = np.zeros((int(question.max(initial=-1)) + 1, values.shape[1]))
    np.add.at(result, question, values * fit.weights[:, None])
    return result
