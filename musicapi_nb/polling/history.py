"""Observed render times by kind of task, and the schedules and ETAs derived from them."""

from __future__ import annotations

import dataclasses
import math
import operator
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Literal, NamedTuple

from musicapi_nb import markup
from musicapi_nb.engines import Request, model_of
from musicapi_nb.polling import change, posterior
from musicapi_nb.polling._optimal_schedule import Schedule, optimal_schedule
from musicapi_nb.polling.posterior import Prior, prior, published_range

# Seconds of lag that one poll may save. At 1, tasks are polled less often than the service's docs
# allow and noticed sooner: sonic 6.6 polls and 6.4 s of lag (every 20 s: 7.9 and 10.0), nuro 3.3
# polls and 2.9 s (every 7.5 s: 4.8 and 3.8).
POLL_COST = 1.0

_MEMORY = 150.0  # tasks of one kind; older ones fade, because the service changes
_MIN_FINISHED = 5  # finished tasks of an operation before an ETA is given
_MIN_PAST = 30  # finished tasks of one kind before a change from them is looked for
_TAIL = 0.02  # below this survival an ETA would be a guess about a tail
# The posterior is recomputed when the finished tasks or the polls have grown by these factors:
# 10,000 tasks cost about 80 updates.
_GROWTH = (1.15, 1.5)
_NO_COUNTS = (0, 0)


class TaskKind(NamedTuple):
    """Tasks with similar render times: the same model, else operation, else engine."""

    engine: str | None
    operation: str | None = None
    model: str | None = None

    @classmethod
    def of(cls, request: Request) -> TaskKind:
        """Return the kind of task that a request creates."""
        return cls(request.engine, request.operation, model_of(request))


class Eta(NamedTuple):
    """Seconds until an unfinished task finishes, from `low` to `high`.

    `basis` is "learned" (four of five tasks end within the range), "published" (the service's
    docs), "longer" (already later than usual: no numbers) or "unknown".
    """

    low: float | None
    high: float | None
    basis: Literal["learned", "published", "longer", "unknown"]

    def on_clock(self, speed: float) -> Eta:
        """Convert to a clock that runs `speed` times slower."""
        if self.low is None or self.high is None:
            return self
        return Eta(self.low / speed, self.high / speed, self.basis)

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return "longer than usual" if self.basis == "longer" else ""
        return f"{markup.format_estimate(self.low, self.high)} left"


@dataclasses.dataclass(slots=True, eq=False)
class _Observations:
    """Log likelihoods of the tasks of one kind observed so far."""

    logs: list[float] = dataclasses.field(default_factory=lambda: [0.0] * posterior.SIZE)
    pending: Counter[change.Observation] = dataclasses.field(default_factory=Counter)
    finished: int = 0
    weight: float = 0.0
    longest: float = 0.0
    cusums: list[change.Cusum] = dataclasses.field(
        default_factory=lambda: [change.Cusum(ratio) for ratio in change.RATIOS]
    )

    def forget_all_but(self, recent: Iterable[change.Observation]) -> None:
        """Start again from these observations."""
        self.pending = Counter(recent)
        self.logs, self.weight = [0.0] * posterior.SIZE, 0.0
        self.cusums = [change.Cusum(ratio) for ratio in change.RATIOS]

    def log_likelihoods(self) -> list[float]:
        """Fold in pending observations and return the sums; old ones fade beyond `_MEMORY`."""
        for (since, until, done), count in self.pending.items():
            likelihood = posterior.finished_likelihood if done else posterior.unfinished_likelihood
            scaled = map(operator.mul, likelihood(since, until), repeat(count))
            self.logs = list(map(operator.add, self.logs, scaled))
            self.weight += count * done
        self.pending.clear()
        if self.weight > _MEMORY:
            self.logs = [log * _MEMORY / self.weight for log in self.logs]
            self.weight = _MEMORY
        return self.logs


class _Estimate(NamedTuple):
    """The survival function and schedules of one kind of task at one version."""

    version: tuple[int, ...]
    survival: list[float]
    hazard: list[float]  # cumulative
    schedules: dict[tuple[float, float], Schedule]


class History:
    """Observed render times and the estimates made from them. Not thread-safe.

    A library's past is added with :meth:`learn`, oldest first; tasks older than some hundred of
    a kind hardly count, and those before a sudden change are forgotten. A :class:`Scheduler` adds
    its polls, unfinished tasks included. `priors` returns the prior belief about an engine.
    """

    def __init__(self, priors: Callable[[str | None], Prior] = prior) -> None:
        self._priors = priors
        self._observations: dict[TaskKind, _Observations] = {}
        self._estimates: dict[TaskKind, _Estimate] = {}
        # Finished tasks and polls that count, by kind, by engine and operation, and by engine.
        self._counts: dict[tuple[str | None, ...], list[int]] = {}

    def learn(self, kind: TaskKind, after: float, by: float | None, *, since: float = 0.0) -> None:
        """Add an observation of one task, in seconds since its submit.

        It was last observed unfinished at `after` (0: never polled), and first observed finished at
        `by`: equal to `after` if the exact time is known, None if it is still unfinished. Up to
        `since` it was already reported as unfinished.
        """
        for seconds in (after, since, 0.0 if by is None else by):
            if not 0 <= seconds < math.inf:
                raise ValueError(f"an age must be a finite number of seconds >= 0, not {seconds}")
        observations = self._observations.setdefault(kind, _Observations())
        index = posterior.grid_index if after == by else posterior.nearest_grid_index
        start = posterior.nearest_grid_index(since)
        until = max(index(after), start)
        new: list[change.Observation] = [(start, until, False)] if until > start else []
        if by is not None:
            end = min(max(posterior.nearest_grid_index(by), until + 1), posterior.HORIZON)
            if end > until:
                new.append((until, end, True))
            observations.finished += 1
            observations.longest = max(observations.longest, by)
        recent = self._after_change(kind, new)
        observations.pending.update(new)
        self._count(kind, by is not None, 1)
        if recent:
            observations.forget_all_but(recent)
            finished, polls = self._counts[kind]
            self._count(kind, sum(done for *_, done in recent) - finished, len(recent) - polls)

    def _after_change(
        self, kind: TaskKind, new: Iterable[change.Observation]
    ) -> Sequence[change.Observation]:
        """Return the observations of a kind since a change that the new ones show, or none."""
        if self._counts.get(kind, _NO_COUNTS)[0] < _MIN_PAST:
            return ()
        hazard = self._estimate(kind).hazard
        for cusum in self._observations[kind].cusums:
            for observation in new:
                cusum.add(observation, hazard)
            if cusum.has_change:
                return cusum.recent
        return ()

    def _count(self, kind: TaskKind, finished: int, polls: int) -> None:
        for group in (kind, kind[:2], kind[:1]):
            counts = self._counts.setdefault(group, [0, 0])
            counts[0] += finished
            counts[1] += polls

    def version(self, kind: TaskKind) -> tuple[int, ...]:
        """Return a value that changes when there is enough new data to update the estimate."""
        counts = self._counts.get(kind, _NO_COUNTS)
        groups = [counts]
        if counts[0] < _MIN_FINISHED**2:  # related kinds matter while this one has little data
            groups += [self._counts.get(wider, _NO_COUNTS) for wider in (kind[:2], kind[:1])]
        return tuple(
            math.floor(math.log(1 + count, growth))
            for group in groups
            for count, growth in zip(group, _GROWTH, strict=True)
        )

    def schedule(
        self, kind: TaskKind, poll_cost: float = POLL_COST, min_interval: float = 0.0
    ) -> Schedule:
        """Return the polling schedule of a kind; `poll_cost` and `min_interval` in seconds."""
        estimate = self._estimate(kind)
        schedule = estimate.schedules.get((poll_cost, min_interval))
        if schedule is None:
            survival = posterior.with_outliers(estimate.survival)
            schedule = optimal_schedule(posterior.TIMES, survival, poll_cost, min_interval)
            estimate.schedules[poll_cost, min_interval] = schedule
        return schedule

    def eta(self, kind: TaskKind, age: float) -> Eta:
        """Estimate the remaining seconds of a task that is unfinished at `age` seconds."""
        finished, longest = self._count_finished(kind)
        if finished < _MIN_FINISHED:
            published = published_range(kind.engine)
            if published is None:
                return Eta(None, None, "unknown")
            low, high = published
            if age > high:
                return Eta(None, None, "longer")
            return Eta(max(low - age, 0.0), high - age, "published")
        survival = self._estimate(kind).survival
        unfinished = _survival_at(survival, age)
        if age > longest or unfinished < _TAIL:
            return Eta(None, None, "longer")
        low, high = (_age_at(survival, unfinished * share) - age for share in (0.9, 0.1))
        return Eta(max(low, 0.0), max(high, 0.0), "learned")

    def _count_finished(self, kind: TaskKind) -> tuple[int, float]:
        """Count the finished tasks of the operation, and return the longest time of any."""
        related = [group for key, group in self._observations.items() if key[:2] == kind[:2]]
        longest = max((observations.longest for observations in related), default=0.0)
        return sum(observations.finished for observations in related), longest

    def _estimate(self, kind: TaskKind) -> _Estimate:
        version, estimate = self.version(kind), self._estimates.get(kind)
        if estimate is None or estimate.version != version:
            survival = posterior.survival(self._weights(kind))
            hazard = change.cumulative_hazard(posterior.with_outliers(survival))
            estimate = _Estimate(version, survival, hazard, {})
            self._estimates[kind] = estimate
        return estimate

    def _weights(self, kind: TaskKind) -> Sequence[float]:
        """Return the posterior: the prior, updated by the engine, the operation, then the kind."""
        prior = posterior.prior_weights(self._priors(kind.engine))
        weights: Sequence[float] = prior
        past = self._observations.items()
        for related in (
            (group for key, group in past if key[:1] == kind[:1] and key[:2] != kind[:2]),
            (group for key, group in past if key[:2] == kind[:2] and key != kind),
        ):
            logs = _total(related)
            if logs is not None:
                weights = posterior.related_prior(posterior.update(weights, logs), prior)
        logs = _total(group for key, group in past if key == kind)
        return weights if logs is None else posterior.update(weights, logs)


def _total(observations: Iterable[_Observations]) -> list[float] | None:
    logs = [item.log_likelihoods() for item in observations]
    return list(map(sum, zip(*logs, strict=True))) or None


def _survival_at(survival: Sequence[float], age: float) -> float:
    """Return P(unfinished at `age`), interpolated between grid times."""
    k = posterior.grid_index(age)
    if k == posterior.HORIZON:
        return survival[k]
    share = (age - posterior.TIMES[k]) / (posterior.TIMES[k + 1] - posterior.TIMES[k])
    return survival[k] + min(max(share, 0.0), 1.0) * (survival[k + 1] - survival[k])


def _age_at(survival: Sequence[float], probability: float) -> float:
    """Return the age in seconds at which P(unfinished) has fallen to `probability`."""
    k = bisect_left(survival, -probability, key=operator.neg)
    if k == 0 or k > posterior.HORIZON:
        return posterior.TIMES[min(k, posterior.HORIZON)]
    fall = survival[k - 1] - survival[k]
    share = (survival[k - 1] - probability) / fall if fall > 0 else 1.0
    return posterior.TIMES[k - 1] + share * (posterior.TIMES[k] - posterior.TIMES[k - 1])
