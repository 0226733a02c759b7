"""What was seen of render times, by kind of task, and what follows: schedules and ETAs."""

from __future__ import annotations

import math
import operator
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Literal, NamedTuple

from musicapi_nb import markup
from musicapi_nb.engines import Request, model_of
from musicapi_nb.polling import _optimal_schedule, posterior
from musicapi_nb.polling import priors as docs

if TYPE_CHECKING:
    from musicapi_nb.polling._optimal_schedule import Schedule
    from musicapi_nb.polling.priors import Prior

# At 1 the service is asked less often than its docs allow, and ends are noticed sooner: sonic 6.6
# polls and 6.4 s of lag (every 20 s: 7.9 and 10.0), nuro 3.3 and 2.9 s (every 7.5 s: 4.8 and 3.8).
POLL_COST = 1.0

# The service changes: beyond so many tasks of one kind the older ones fade.
_MEMORY = 150.0
# An ETA is promised from so many finished tasks of the same operation on.
_ENOUGH = 5
# What so few tasks live to see is a guess about a tail, and no ground for figures.
_TAIL = 0.02
# A belief is looked at afresh when so many times more tasks ended, or looks were made, than at
# the last time: 10,000 tasks cost some 80 updates.
_NEWS = (1.15, 1.5)


_NONE = (0, 0)


class TaskKind(NamedTuple):
    """What kind of task: those of one model, else operation, else engine are expected alike."""

    engine: str | None
    operation: str | None = None
    model: str | None = None

    @classmethod
    def of(cls, request: Request) -> TaskKind:
        """The kind of task that a request makes."""
        return cls(request.engine, request.operation, model_of(request))


class Eta(NamedTuple):
    """How many seconds a task that is unfinished now still takes, from and to.

    `basis` says why: "learned" (four tasks of five end within the range), "published" (as the
    service's docs say), "longer" (it takes longer than usual: no figures) or "unknown".
    """

    low: float | None
    high: float | None
    basis: Literal["learned", "published", "longer", "unknown"]

    def on_clock(self, speed: float) -> Eta:
        """The same on a clock that runs so many times slower."""
        if self.low is None or self.high is None:
            return self
        return Eta(self.low / speed, self.high / speed, self.basis)

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return "longer than usual" if self.basis == "longer" else ""
        low, high = (markup.format_duration(seconds) for seconds in (self.low, self.high))
        if low == high:
            return f"about {high} more"
        return f"{low} to {high} more" if round(self.low) else f"up to {high} more"


class _Seen:
    """What was seen of one kind of tasks."""

    __slots__ = ("finished", "logs", "longest", "new", "weight")

    def __init__(self) -> None:
        self.logs = [0.0] * posterior.SIZE
        self.new: Counter[tuple[int, int, bool]] = Counter()
        self.finished = 0
        self.weight = self.longest = 0.0

    def settle(self) -> list[float]:
        """The log likelihoods of everything seen, the old fading when there is much of it."""
        for (since, until, done), count in self.new.items():
            logs = (posterior.finished if done else posterior.survived)(since, until)
            self.logs = list(map(operator.add, self.logs, map(operator.mul, logs, repeat(count))))
            self.weight += count * done
        self.new.clear()
        if self.weight > _MEMORY:
            self.logs = [each * _MEMORY / self.weight for each in self.logs]
            self.weight = _MEMORY
        return self.logs


class _View(NamedTuple):
    """What follows for one kind of tasks from what was seen up to a version."""

    version: tuple[int, ...]
    survival: list[float]
    schedules: dict[tuple[float, float], Schedule]


class History:
    """Render times seen so far, and what to expect from them.

    Not shared between threads. Whoever keeps a library tells the past with :meth:`learn`, oldest
    first (what is more than some hundred tasks of a kind ago counts for little); a
    :class:`Scheduler` tells what it sees, unfinished tasks included.

    Parameters
    ----------
    priors
        The belief about an engine before anything was seen.
    """

    def __init__(self, priors: Callable[[str | None], Prior] = docs.prior) -> None:
        self._priors = priors
        self._seen: dict[TaskKind, _Seen] = {}
        self._views: dict[TaskKind, _View] = {}
        # Finished tasks and looks, by key and by its beginnings: operations and engines.
        self._counts: dict[tuple[str | None, ...], list[int]] = {}

    def learn(self, key: TaskKind, after: float, by: float | None, *, since: float = 0.0) -> None:
        """Take in one task's end, or that it has not come yet.

        Parameters
        ----------
        key
            The kind of task.
        after
            Seconds after its submit at which it was last seen unfinished (0: never looked).
        by
            Seconds at which it was first seen finished; the same as `after` where the service
            says exactly when. None for a task that is still unfinished at `after`.
        since
            Up to which age, in seconds, the same task was told to be unfinished before.
        """
        for seconds in (after, since, 0.0 if by is None else by):
            if not 0 <= seconds < math.inf:
                raise ValueError(f"an age is a finite number of seconds from 0 on, not {seconds}")
        seen = self._seen.setdefault(key, _Seen())
        before, last = posterior.cell(since), max(posterior.cell(after), posterior.cell(since))
        if last > before:
            seen.new[before, last, False] += 1
        if by is not None:
            end = min(max(posterior.cell(by) + 1, last + 1), posterior.HORIZON)
            if end > last:
                seen.new[last, end, True] += 1
            seen.finished += 1
            seen.longest = max(seen.longest, by)
        for ring in (key, key[:2], key[:1]):
            counts = self._counts.setdefault(ring, [0, 0])
            counts[0] += by is not None
            counts[1] += 1

    def version(self, key: TaskKind) -> tuple[int, ...]:
        """Changes when enough was seen to make up one's mind afresh about such tasks."""
        counts = self._counts.get(key, _NONE)
        rings = [counts]
        if counts[0] < _ENOUGH**2:  # relatives are asked while one's own kind says little
            rings += [self._counts.get(wider, _NONE) for wider in (key[:2], key[:1])]
        return tuple(
            math.floor(math.log(1 + each, news))
            for ring in rings
            for each, news in zip(ring, _NEWS, strict=True)
        )

    def schedule(
        self, key: TaskKind, poll_cost: float = POLL_COST, min_interval: float = 0.0
    ) -> Schedule:
        """When to ask about tasks of this kind; `price` and `shortest` in seconds."""
        view = self._view(key)
        known = view.schedules.get((poll_cost, min_interval))
        if known is None:
            survival = posterior.with_odd_ones(view.survival)
            known = _optimal_schedule.optimal_schedule(
                posterior.TIMES, survival, poll_cost, min_interval
            )
            view.schedules[poll_cost, min_interval] = known
        return known

    def eta(self, key: TaskKind, age: float) -> Eta:
        """How much longer a task takes that is still unfinished at `age` seconds."""
        finished, longest = self._ends(key)
        if finished < _ENOUGH:
            published_range = docs.published_range(key.engine)
            if published_range is None:
                return Eta(None, None, "unknown")
            if age > published_range[1]:
                return Eta(None, None, "longer")
            return Eta(max(published_range[0] - age, 0.0), published_range[1] - age, "published")
        survival = self._view(key).survival
        left = _at(survival, age)
        if age > longest or left < _TAIL:
            return Eta(None, None, "longer")
        low, high = (_when(survival, left * share) - age for share in (0.9, 0.1))
        return Eta(max(low, 0.0), max(high, 0.0), "learned")

    def _ends(self, key: TaskKind) -> tuple[int, float]:
        """How many tasks of the operation were seen to end, and after how long at most."""
        kin = [seen for other, seen in self._seen.items() if other[:2] == key[:2]]
        return sum(seen.finished for seen in kin), max((seen.longest for seen in kin), default=0.0)

    def _view(self, key: TaskKind) -> _View:
        version, view = self.version(key), self._views.get(key)
        if view is None or view.version != version:
            view = _View(version, posterior.survival(self._weights(key)), {})
            self._views[key] = view
        return view

    def _weights(self, key: TaskKind) -> Sequence[float]:
        prior = posterior.start(self._priors(key.engine))
        weights: Sequence[float] = prior
        for kin in (
            (seen for k, seen in self._seen.items() if k[:1] == key[:1] and k[:2] != key[:2]),
            (seen for k, seen in self._seen.items() if k[:2] == key[:2] and k != key),
        ):
            logs = _total(kin)
            if logs is not None:
                weights = posterior.relative(posterior.learn(weights, logs), prior)
        logs = _total(self._seen[k] for k in (key,) if k in self._seen)
        return weights if logs is None else posterior.learn(weights, logs)


def _total(kin: Iterable[_Seen]) -> list[float] | None:
    total: list[float] | None = None
    for seen in kin:
        logs = seen.settle()
        total = logs if total is None else list(map(operator.add, total, logs))
    return total


def _at(survival: Sequence[float], age: float) -> float:
    """P(not finished at `age`), between the points of the grid as well."""
    k = posterior.cell(age)
    if k == posterior.HORIZON:
        return survival[k]
    share = (age - posterior.TIMES[k]) / (posterior.TIMES[k + 1] - posterior.TIMES[k])
    return survival[k] + min(max(share, 0.0), 1.0) * (survival[k + 1] - survival[k])


def _when(survival: Sequence[float], left: float) -> float:
    """At what age, in seconds, the probability of being unfinished has fallen to `left`."""
    k = bisect_left(survival, -left, key=operator.neg)
    if k == 0 or k > posterior.HORIZON:
        return posterior.TIMES[min(k, posterior.HORIZON)]
    fall = survival[k - 1] - survival[k]
    share = (survival[k - 1] - left) / fall if fall > 0 else 1.0
    return posterior.TIMES[k - 1] + share * (posterior.TIMES[k] - posterior.TIMES[k - 1])
