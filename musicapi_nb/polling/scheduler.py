"""All tasks in flight: which to ask about now, and when to come back. One heap, no coroutines."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

from musicapi_nb.polling.history import POLL_COST

if TYPE_CHECKING:
    from musicapi_nb.polling._optimal_schedule import Schedule
    from musicapi_nb.polling.history import History, TaskKind

T = TypeVar("T", bound=Hashable)

# Two looks at one task are at least so many seconds apart, however sure its end is.
MIN_INTERVAL = 2.0
# Where the allowed rate binds, the price of a poll goes up in such steps, to 38 times at most
# (then hardly a task is asked about twice), and down again where it leaves some of the rate.
_DEARER, _DEAREST, _SLACK = 1.5, 9, 0.9


class _Flight(Generic[T]):
    """One task in flight, with its ages at the last look and try; due never while asked about."""

    __slots__ = ("due", "key", "looked", "order", "submitted", "task", "tried")

    def __init__(self, task: T, key: TaskKind, submitted: float, order: int) -> None:
        self.task = task
        self.key = key
        self.submitted = submitted
        self.order = order
        self.looked = self.tried = 0.0
        self.due = math.inf


class Scheduler(Generic[T]):
    """Tells about which tasks to ask, and when; learns from what was seen.

    It has no clock: every `now` and `submitted_at` is in seconds of the service's time, on one
    scale of the caller's choice. Not shared between threads.

    Parameters
    ----------
    history
        Where past render times are, and where what is seen is told.
    poll_cost
        What one poll is worth in seconds of noticing later.
    rate
        Polls per second allowed for all tasks together; None for no limit. When so many tasks are
        in flight that it would be passed, a poll becomes dearer for all, and who has been due
        longest goes first.
    min_interval
        Seconds between two polls of one task at least.
    """

    def __init__(
        self,
        history: History,
        *,
        poll_cost: float = POLL_COST,
        rate: float | None = None,
        min_interval: float = MIN_INTERVAL,
    ) -> None:
        for name, value in (
            ("poll_cost", poll_cost),
            ("rate", rate),
            ("min_interval", min_interval),
        ):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is a number above 0, not {value}")
        self.history = history
        self._poll_cost, self._rate, self._min_interval = poll_cost, rate, min_interval
        self._flights: dict[T, _Flight[T]] = {}
        # An entry counts while its instant is the flight's own; others are left over.
        self._heap: list[tuple[float, int, _Flight[T]]] = []
        self._added = 0
        self._plans: dict[TaskKind, tuple[tuple[int, ...], Schedule]] = {}
        self._crowd: dict[TaskKind, int] = {}
        self._stale: set[TaskKind] = set()
        self._level = self._weighed = 0
        self._late = False
        self._free = -math.inf  # when the allowed rate lets the next poll pass

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, task: object) -> bool:
        return task in self._flights

    @property
    def poll_cost(self) -> float:
        """What a poll is worth at present, in seconds of lag: more than asked if the rate binds."""
        return self._poll_cost * _DEARER**self._level

    def add(self, task: T, key: TaskKind, submitted_at: float, now: float) -> None:
        """Take a task in; one that was submitted long ago (another kernel's) is asked soon."""
        if task in self._flights:
            raise ValueError(f"{task!r} is in flight already")
        flight = _Flight(task, key, min(submitted_at, now), self._added)
        self._added += 1
        self._flights[task] = flight
        self._crowd[key] = self._crowd.get(key, 0) + 1
        self._enter(flight)

    def cancel(self, task: T) -> None:
        """Ask no more about a task: it failed (its time says nothing), or nobody waits for it."""
        flight = self._flights.pop(task)
        flight.due = math.nan
        self._crowd[flight.key] -= 1
        if not self._crowd[flight.key]:
            del self._crowd[flight.key]
            self._plans.pop(flight.key, None)
            self._stale.discard(flight.key)
        if len(self._heap) > 2 * len(self._flights) + 64:
            self._tidy()

    def poll_now(self, task: T, now: float) -> None:
        """Ask about a task next, whatever its schedule: somebody else says that it has ended."""
        self._replan()
        flight = self._flights[task]
        if flight.due < math.inf:  # else it is being asked about
            flight.due = now
            heapq.heappush(self._heap, (now, flight.order, flight))

    def next_due(self) -> float | None:
        """When to call :meth:`due` next; None while there is nothing to wait for."""
        self._replan()
        self._drop_dead()
        return max(self._heap[0][0], self._free) if self._heap else None

    def due(self, now: float, most: int | None = None) -> list[T]:
        """The tasks to ask about now, longest due first, `most` of them.

        Each is then waited for: it comes back with :meth:`seen`, :meth:`missed` or
        :meth:`cancel`.
        """
        self._replan()
        out: list[T] = []
        self._drop_dead()
        while self._heap and self._heap[0][0] <= now and (most is None or len(out) < most):
            if self._rate is not None:
                if self._free > now:
                    break
                # Half a second's worth may be made up for after a pause, no more.
                self._free = max(self._free, now - 0.5) + 1 / self._rate
            flight = heapq.heappop(self._heap)[2]
            flight.due = math.inf
            out.append(flight.task)
            self._drop_dead()
        self._weigh(late=bool(self._heap) and self._heap[0][0] <= now)
        return out

    def record_poll(
        self, task: T, now: float, *, finished: bool, took: float | None = None
    ) -> None:
        """Tell what a poll said; a task that finished well is forgotten here, and learned from.

        `took` is how many seconds it took, where the service says so.
        """
        flight = self._flights[task]
        age = max(now - flight.submitted, flight.looked)
        if finished:
            after, by = flight.looked, age
            if took is not None and 0 <= took < math.inf:
                after = by = took
            self.history.learn(flight.key, after, by, since=min(flight.looked, after))
            self._schedule(flight.key)
            self.cancel(task)
        else:
            self.history.learn(flight.key, age, None, since=flight.looked)
            flight.looked = flight.tried = age
            self._enter(flight)

    def retry_later(self, task: T, now: float) -> None:
        """A poll said nothing (the network is down): ask again, a usual pause later."""
        flight = self._flights[task]
        flight.tried = max(now - flight.submitted, flight.tried)
        self._enter(flight)

    def _enter(self, flight: _Flight[T]) -> None:
        flight.due = flight.submitted + self._schedule(flight.key).after(flight.tried)
        heapq.heappush(self._heap, (flight.due, flight.order, flight))

    def _schedule(self, key: TaskKind) -> Schedule:
        version = self.history.version(key)
        known = self._plans.get(key)
        if known is not None and known[0] == version:
            return known[1]
        schedule = self.history.schedule(key, self.poll_cost, self._min_interval)
        self._plans[key] = (version, schedule)
        if known is not None:
            self._stale.add(key)
        return schedule

    def _replan(self) -> None:
        """Let tasks in flight follow what was learned since their next poll was set."""
        if not self._stale:
            return
        for flight in self._flights.values():
            if flight.key in self._stale and flight.due < math.inf:
                schedule = self._schedule(flight.key)
                due = flight.submitted + schedule.after(flight.tried)
                # Where the rate binds, whoever has a place in the queue keeps it.
                flight.due = min(due, flight.due) if self._level else due
        self._stale.clear()
        self._tidy()

    def _weigh(self, *, late: bool) -> None:
        """Make a poll as dear as needed for the allowed rate to suffice, on average.

        Dearer only while tasks are kept waiting: a crowd that is not due yet leaves polls unused.
        Polls that are set already stay as they are, for the same reason.
        """
        size = len(self._flights)
        grown = abs(size - self._weighed) * 20 > self._weighed
        if self._rate is None or not (grown or late != self._late):
            return
        self._weighed, self._late, level = size, late, self._level
        while late and level < _DEAREST and self._demand(level) > self._rate:
            level += 1
        while level > 0 and self._demand(level - 1) < _SLACK * self._rate:
            level -= 1
        if level != self._level:
            self._level = level
            self._plans.clear()

    def _demand(self, level: int) -> float:
        """Polls per second that all tasks in flight need together at a level of the price."""
        total, poll_cost = 0.0, self._poll_cost * _DEARER**level
        for key, count in self._crowd.items():
            schedule = self.history.schedule(key, poll_cost, self._min_interval)
            total += count * schedule.polls / (schedule.median + schedule.lag)
        return total

    def _drop_dead(self) -> None:
        while self._heap and self._heap[0][0] != self._heap[0][2].due:
            heapq.heappop(self._heap)

    def _tidy(self) -> None:
        self._heap = [
            (flight.due, flight.order, flight)
            for flight in self._flights.values()
            if flight.due < math.inf
        ]
        heapq.heapify(self._heap)
