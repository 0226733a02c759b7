"""Detection of a change of render times: cumulative sums that show when a past no longer fits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TypeAlias

Observation: TypeAlias = tuple[int, int, bool]
"""A task unfinished at one grid time, and whether it was finished at another one."""

RATIOS = (4.0, 0.25)
"""Changes that are looked for: tasks end four times as often at any age, or a quarter as often."""

# A sum of a stable kind of task exceeds the limit about once in exp(limit) excursions from 0. With
# it, nine tasks in a row that end far too early, or seven far too late, are a change.
_LIMIT = 12.0
_MIN_SURVIVAL = 0.01  # later ages count as this one: a stuck task is not a change


@dataclasses.dataclass(slots=True, eq=False)
class Cusum:
    """Cumulative sum of log likelihood ratios for one change of the hazard, and what made it.

    After Gandy, Kvaløy, Bottle and Zhou, "Risk-adjusted monitoring of time to event" (Biometrika
    97, 2010), for ages known as intervals. Tasks in flight count as well, so that the first tasks
    of a batch to finish, which are its quickest, are not taken for a change. `recent` holds the
    observations since the sum last was 0, where the change most likely began.
    """

    ratio: float
    total: float = 0.0
    recent: list[Observation] = dataclasses.field(default_factory=list)

    @property
    def has_change(self) -> bool:
        """Whether the past no longer fits."""
        return self.total > _LIMIT

    def add(self, observation: Observation, hazard: Sequence[float]) -> None:
        """Add an observation; `hazard` is the cumulative one that is expected, on the grid."""
        since, until, finished = observation
        self.total += _log_ratio(self.ratio, hazard[until] - hazard[since], finished=finished)
        if self.total > 0:
            self.recent.append(observation)
        else:
            self.total = 0.0
            self.recent.clear()


def _log_ratio(ratio: float, exposure: float, *, finished: bool) -> float:
    if not finished:
        return (1 - ratio) * exposure
    if exposure <= 0:
        return math.log(ratio)
    return math.log(math.expm1(-ratio * exposure) / math.expm1(-exposure))


def cumulative_hazard(survival: Sequence[float]) -> list[float]:
    """Return -log of a survival function, level in its far tail."""
    return [-math.log(max(probability, _MIN_SURVIVAL)) for probability in survival]
