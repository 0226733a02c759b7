"""Decides which tasks in flight to poll now, with one heap for all of them."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from musicapi_nb.polling._optimal_schedule import Schedule
from musicapi_nb.polling.history import POLL_COST, History, TaskKind

T = TypeVar("T", bound=Hashable)

MIN_INTERVAL = 2.0
"""Minimum seconds between two polls of one task."""
# While the rate limit binds, the cost of a poll rises in steps of this factor, at most 9 times
# (x 38: hardly any task is polled twice), and falls again when part of the rate stays unused.
_COST_STEP, _MAX_LEVEL, _TARGET_LOAD = 1.5, 9, 0.9


class _Flight(Generic[T]):
    """One task in flight. Ages are in seconds; `due` is infinite while a poll is under way."""

    __slots__ = ("due", "kind", "last_attempt", "last_poll", "order", "submitted", "task")

    def __init__(self, task: T, kind: TaskKind, submitted: float, order: int) -> None:
        self.task = task
        self.kind = kind
        self.submitted = submitted
        self.order = order
        self.last_poll = self.last_attempt = 0.0
        self.due = math.inf


class Scheduler(Generic[T]):
    """Returns the tasks to poll at a given time, and learns from the results. Not thread-safe.

    It has no clock: every `now` and `submitted_at` is in seconds of the service's time, counted
    from any origin.

    Parameters
    ----------
    history
        Past render times; results of polls are added to it.
    poll_cost
        Cost of one poll, in seconds of lag.
    rate
        Maximum polls per second of all tasks together, or None. If the tasks in flight need
        more, polls become more expensive for all and the longest overdue task goes first.
    min_interval
        Minimum seconds between two polls of one task.
    """

    def __init__(
        self,
        history: History,
        *,
        poll_cost: float = POLL_COST,
        rate: float | None = None,
        min_interval: float = MIN_INTERVAL,
    ) -> None:
        options = {"poll_cost": poll_cost, "rate": rate, "min_interval": min_interval}
        for name, value in options.items():
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be a finite number above 0, not {value}")
        self.history = history
        self._poll_cost, self._rate, self._min_interval = poll_cost, rate, min_interval
        self._flights: dict[T, _Flight[T]] = {}
        # A heap entry is valid only while its time equals the flight's `due`.
        self._heap: list[tuple[float, int, _Flight[T]]] = []
        self._added = 0
        self._schedules: dict[TaskKind, tuple[tuple[int, ...], Schedule]] = {}
        self._kind_counts: dict[TaskKind, int] = {}
        self._stale: set[TaskKind] = set()
        self._level = 0
        self._adjusted_size, self._adjusted_overdue = 0, False
        self._next_slot = -math.inf  # when the rate limit allows the next poll

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, task: object) -> bool:
        return task in self._flights

    @property
    def poll_cost(self) -> float:
        """Current cost of a poll in seconds of lag; raised while the rate limit binds."""
        return self._poll_cost * _COST_STEP**self._level

    def add(self, task: T, kind: TaskKind, submitted_at: float, now: float) -> None:
        """Add a task. One submitted long ago, by an earlier kernel, is due soon."""
        if task in self._flights:
            raise ValueError(f"{task!r} is already in flight")
        flight = _Flight(task, kind, min(submitted_at, now), self._added)
        self._added += 1
        self._flights[task] = flight
        self._kind_counts[kind] = self._kind_counts.get(kind, 0) + 1
        self._enqueue(flight)

    def cancel(self, task: T) -> None:
        """Remove a task without learning from it: it failed, or nobody waits for it."""
        flight = self._flights.pop(task)
        flight.due = math.nan
        self._kind_counts[flight.kind] -= 1
        if not self._kind_counts[flight.kind]:
            del self._kind_counts[flight.kind]
            self._schedules.pop(flight.kind, None)
            self._stale.discard(flight.kind)
        if len(self._heap) > 2 * len(self._flights) + 64:
            self._rebuild_heap()

    def poll_now(self, task: T, now: float) -> None:
        """Make a task due at once: a webhook reported its end."""
        self._replan()
        flight = self._flights[task]
        if flight.due < math.inf:  # else a poll is under way
            flight.due = now
            heapq.heappush(self._heap, (now, flight.order, flight))

    def next_due(self) -> float | None:
        """Return when to call :meth:`due` next, or None if no task waits for a poll."""
        self._replan()
        self._drop_outdated()
        return max(self._heap[0][0], self._next_slot) if self._heap else None

    def due(self, now: float, limit: int | None = None) -> list[T]:
        """Return at most `limit` tasks to poll now, longest overdue first.

        Report the result of each with :meth:`record_poll`, :meth:`retry_later` or :meth:`cancel`.
        """
        self._replan()
        tasks: list[T] = []
        self._drop_outdated()
        while self._heap and self._heap[0][0] <= now and (limit is None or len(tasks) < limit):
            if self._rate is not None:
                if self._next_slot > now:
                    break
                # After a pause, at most half a second of unused slots may be caught up.
                self._next_slot = max(self._next_slot, now - 0.5) + 1 / self._rate
            flight = heapq.heappop(self._heap)[2]
            flight.due = math.inf
            tasks.append(flight.task)
            self._drop_outdated()
        self._adjust_cost(overdue=bool(self._heap) and self._heap[0][0] <= now)
        return tasks

    def record_poll(
        self, task: T, now: float, *, finished: bool, took: float | None = None
    ) -> None:
        """Record the result of a poll. A finished task is learned from and removed.

        `took` is the render time in seconds, if the service reports it.
        """
        flight = self._flights[task]
        age = max(now - flight.submitted, flight.last_poll)
        if finished:
            after, by = flight.last_poll, age
            if took is not None and 0 <= took < math.inf:
                after = by = took
            self.history.learn(flight.kind, after, by, since=min(flight.last_poll, after))
            self._schedule(flight.kind)
            self.cancel(task)
        else:
            self.history.learn(flight.kind, age, None, since=flight.last_poll)
            flight.last_poll = flight.last_attempt = age
            self._enqueue(flight)

    def retry_later(self, task: T, now: float) -> None:
        """Reschedule a task whose poll gave no answer, such as a network failure."""
        flight = self._flights[task]
        flight.last_attempt = max(now - flight.submitted, flight.last_attempt)
        self._enqueue(flight)

    def _enqueue(self, flight: _Flight[T]) -> None:
        schedule = self._schedule(flight.kind)
        flight.due = flight.submitted + schedule.next_poll(flight.last_attempt)
        heapq.heappush(self._heap, (flight.due, flight.order, flight))

    def _schedule(self, kind: TaskKind) -> Schedule:
        version = self.history.version(kind)
        cached = self._schedules.get(kind)
        if cached is not None and cached[0] == version:
            return cached[1]
        schedule = self.history.schedule(kind, self.poll_cost, self._min_interval)
        self._schedules[kind] = (version, schedule)
        if cached is not None:
            self._stale.add(kind)
        return schedule

    def _replan(self) -> None:
        """Move tasks in flight to the newest schedule of their kind."""
        if not self._stale:
            return
        for flight in self._flights.values():
            if flight.kind in self._stale and flight.due < math.inf:
                schedule = self._schedule(flight.kind)
                due = flight.submitted + schedule.next_poll(flight.last_attempt)
                # While the rate limit binds, no task loses its position in the queue.
                flight.due = min(due, flight.due) if self._level else due
        self._stale.clear()
        self._rebuild_heap()

    def _adjust_cost(self, *, overdue: bool) -> None:
        """Choose the cost of a poll so that the expected demand fits the rate limit.

        It rises only while tasks are overdue: before that, a large batch leaves slots unused.
        Polls that are already scheduled keep their time, for the same reason.
        """
        size = len(self._flights)
        resized = abs(size - self._adjusted_size) * 20 > self._adjusted_size
        if self._rate is None or not (resized or overdue != self._adjusted_overdue):
            return
        self._adjusted_size, self._adjusted_overdue, level = size, overdue, self._level
        while overdue and level < _MAX_LEVEL and self._demand(level) > self._rate:
            level += 1
        while level > 0 and self._demand(level - 1) < _TARGET_LOAD * self._rate:
            level -= 1
        if level != self._level:
            self._level = level
            self._schedules.clear()

    def _demand(self, level: int) -> float:
        """Return the polls per second that all tasks in flight need at a cost level."""
        total, poll_cost = 0.0, self._poll_cost * _COST_STEP**level
        for kind, count in self._kind_counts.items():
            schedule = self.history.schedule(kind, poll_cost, self._min_interval)
            total += count * schedule.polls / (schedule.median + schedule.lag)
        return total

    def _drop_outdated(self) -> None:
        while self._heap and self._heap[0][0] != self._heap[0][2].due:
            heapq.heappop(self._heap)

    def _rebuild_heap(self) -> None:
        self._heap = [
            (flight.due, flight.order, flight)
            for flight in self._flights.values()
            if flight.due < math.inf
        ]
        heapq.heapify(self._heap)
