"""Decides which tasks in flight to poll now, with one heap for all of them."""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Hashable
from typing import Generic, TypeVar

from musicapi_nb.polling._optimal_schedule import Schedule
from musicapi_nb.polling.history import POLL_COST, History, TaskKind

T = TypeVar("T", bound=Hashable)

MIN_INTERVAL = 2.0
"""Minimum seconds between two polls of one task."""


@dataclasses.dataclass(slots=True, eq=False)
class _Flight(Generic[T]):
    """One task in flight. Ages are in seconds; `due` is infinite while a poll is under way."""

    task: T
    kind: TaskKind
    submitted: float
    order: int
    last_poll: float = 0.0
    last_attempt: float = 0.0
    due: float = math.inf


class Scheduler(Generic[T]):
    """Returns the tasks to poll at a given time, and learns from the results. Not thread-safe.

    It has no clock: every `now` and `submitted_at` is in seconds of the service's time, counted
    from any origin.

    Results of polls are added to the `history`. `poll_cost` is that of one poll, in seconds of lag.
    """

    def __init__(self, history: History, *, poll_cost: float = POLL_COST) -> None:
        self.history = history
        self._poll_cost = poll_cost
        self._flights: dict[T, _Flight[T]] = {}
        # A heap entry is valid only while its time equals the flight's `due`.
        self._heap: list[tuple[float, int, _Flight[T]]] = []
        self._added = 0
        self._schedules: dict[TaskKind, tuple[tuple[int, ...], Schedule]] = {}
        self._stale: set[TaskKind] = set()

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, task: object) -> bool:
        return task in self._flights

    def add(self, task: T, kind: TaskKind, submitted_at: float, now: float) -> None:
        """Add a task. One submitted long ago, by an earlier kernel, is due soon."""
        if task in self._flights:
            raise ValueError(f"{task!r} is already in flight")
        flight = _Flight(task, kind, min(submitted_at, now), self._added)
        self._added += 1
        self._flights[task] = flight
        self._enqueue(flight)

    def cancel(self, task: T) -> None:
        """Remove a task without learning from it: it failed, or nobody waits for it."""
        flight = self._flights.pop(task)
        flight.due = math.nan
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
        return self._heap[0][0] if self._heap else None

    def due(self, now: float, limit: int | None = None) -> list[T]:
        """Return at most `limit` tasks to poll now, longest overdue first.

        Report the result of each with :meth:`record_poll`, :meth:`retry_later` or :meth:`cancel`.
        """
        self._replan()
        tasks: list[T] = []
        self._drop_outdated()
        while self._heap and self._heap[0][0] <= now and (limit is None or len(tasks) < limit):
            flight = heapq.heappop(self._heap)[2]
            flight.due = math.inf
            tasks.append(flight.task)
            self._drop_outdated()
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
        schedule = self.history.schedule(kind, self._poll_cost, MIN_INTERVAL)
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
                flight.due = flight.submitted + schedule.next_poll(flight.last_attempt)
        self._stale.clear()
        self._rebuild_heap()

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
