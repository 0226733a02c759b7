"""Fit the strengths of the levels of a factor, and compare them."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from musicapi_nb._blind_test.bradley_terry import Choices, Fit, fit_choices
from musicapi_nb._blind_test.comparisons import Answers, compare_pairs
from musicapi_nb._blind_test.task_variance import (
    Clusters,
    Contrast,
    Residuals,
    estimate_contrast,
    residuals_of,
)
from musicapi_nb.analysis.array_types import Flags, Ints

MIN_LISTENERS = 5
"""With fewer listeners, intervals are about these listeners, not about listeners in general."""


class LevelModel(NamedTuple):
    """A fit to the levels that are compared with one another, by their index among all levels."""

    fit: Fit
    codes: dict[int, int]
    tasks: Ints
    residuals: Residuals
    listeners: int
    confidence: float

    def contrast(self, weights: Mapping[int, float], tasks: int) -> Contrast:
        """Estimate a sum of parameters, of which the least certain depends on this many tasks."""
        vector = np.zeros(len(self.fit.estimate))
        vector[list(weights)] = list(weights.values())
        numbers = [tasks] + [self.listeners] * (len(self.residuals.clusters) - 1)
        return estimate_contrast(self.residuals, vector, numbers, self.confidence)

    def score(self, level: int) -> Contrast:
        """Estimate a strength relative to the mean of the levels; NaN if it has none."""
        if level not in self.codes:
            return Contrast(math.nan)
        size, code = len(self.codes), self.codes[level]
        weights = {new: (new == code) - 1 / size for new in range(size)}
        return self.contrast(weights, int(self.tasks.min()))

    def difference(self, level: int, versus: int) -> Contrast:
        """Estimate the difference of the strengths of two levels that have scores."""
        left, right = self.codes[level], self.codes[versus]
        return self.contrast({left: 1.0, right: -1.0}, int(self.tasks[[left, right]].min()))

    def shared(self, parameter: int) -> Contrast:
        """Estimate the order effect or the constant of ties."""
        return self.contrast({parameter: 1.0}, int(self.tasks.sum()))


def _largest_component(answers: Answers, notes: list[str]) -> Flags:
    """Mark the levels that are compared with one another, directly or through others."""
    import networkx as nx  # noqa: PLC0415 - slow to load

    table = compare_pairs(answers.choices)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(answers.levels)))
    graph.add_edges_from(zip(table["level"], table["versus"], strict=True))
    component: set[int] = max(nx.connected_components(graph), key=len, default=set())
    connected = np.zeros(len(answers.levels), dtype=bool)
    connected[list(component)] = len(component) > 1
    missing = [name for name, inside in zip(answers.levels, connected, strict=True) if not inside]
    if missing:
        notes.append(
            f"Never compared with the other levels, so without a score: {', '.join(missing)}."
        )
    return connected


def fit_levels(answers: Answers, confidence: float, notes: list[str]) -> LevelModel | None:
    """Fit the strengths of the levels that are compared; None if there are none.

    `notes` gets what is missing or uncertain.
    """
    connected = _largest_component(answers, notes)
    if not connected.any():
        return None
    index = {int(old): new for new, old in enumerate(np.flatnonzero(connected))}
    used = (answers.choices.level >= 0) & connected[answers.choices.level]
    # a trial connects its levels, so all of them are in the component, or none is
    choices = Choices(*(array[used.any(axis=1)] for array in answers.choices))
    codes = np.array([index.get(old, -1) for old in range(len(connected))] + [-1])
    question = np.unique(choices.question, return_inverse=True)[1]
    task = np.where(choices.level >= 0, choices.task, -1)
    choices = choices._replace(level=codes[choices.level], task=task, question=question)
    fit = fit_choices(choices, len(index))
    tasks = np.array(
        [len(np.unique(task[choices.level == number])) for number in range(len(index))]
    )
    clusters = [Clusters(task, int(task.max()) + 1)]
    if answers.listeners >= MIN_LISTENERS:
        clusters += _listener_clusters(choices, len(index), answers.listeners)
    elif answers.listeners > 1:
        notes.append(
            f"The intervals are about these {answers.listeners} listeners; from {MIN_LISTENERS} "
            "listeners on they are about listeners in general."
        )
    single = [answers.levels[old] for old, new in index.items() if tasks[new] == 1]
    if single:
        notes.append(
            f"Only one task has songs of: {', '.join(single)}. The difference to another song of "
            "the same level is unknown, so there are no intervals for it."
        )
    if not fit.has_order:
        notes.append(
            "Each level was always at the same position, so a preference for a position cannot be "
            "told from one for a level."
        )
    return LevelModel(fit, index, tasks, residuals_of(fit, clusters), answers.listeners, confidence)


def _listener_clusters(choices: Choices, levels: int, listeners: int) -> list[Clusters]:
    """Return the clusters of listeners: how each likes a level, and the first position."""
    listener = choices.listener[:, None]
    liking = np.where(choices.level >= 0, listener * levels + choices.level, -1)
    first = np.full(choices.level.shape, -1)
    first[:, 0] = choices.listener
    return [Clusters(liking, listeners * levels), Clusters(first, listeners)]
