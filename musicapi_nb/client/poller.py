"""Polls tasks until they finish: one scheduler for each event loop, no coroutine for each task."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from musicapi_nb import polling
from musicapi_nb.client.callbacks import ProgressCallback, notify, task_name, timeout_message
from musicapi_nb.client.purchasing import PurchaseCoordinator
from musicapi_nb.client.retry import is_transient
from musicapi_nb.client.transport import Transport
from musicapi_nb.engines import Request
from musicapi_nb.engines.values import number_of_seconds
from musicapi_nb.errors import MusicAPIError, WaitTimeout
from musicapi_nb.tasks import Task, task_list

# Consecutive failed polls (of five attempts each) before a wait fails.
_MAX_FAILED_POLLS = 4
# Seconds between checks of the ledger for tasks that were settled by a webhook.
_LEDGER_CHECK_SECONDS = 0.5
# Time limit of the last poll of a task, which is made at the deadline, in seconds.
_LAST_POLL_SECONDS = 10.0
# Simultaneous polls of one loop.
_MAX_POLLS = 50


@dataclasses.dataclass(slots=True, eq=False)
class PolledTask:
    """A task that is waited for: its latest state, and the error that ended the wait."""

    task: Task
    group: _WaitGroup
    failures: int = 0
    error: Exception | None = None

    def outcome(self) -> Task:
        """Return the task for a list: one that cannot be polled has the state "unknown"."""
        if self.error is None or isinstance(self.error, WaitTimeout):
            return self.task
        if not isinstance(self.error, MusicAPIError):
            raise self.error
        return msgspec.structs.replace(self.task, state="unknown", fail_reason=str(self.error))


@dataclasses.dataclass(slots=True, eq=False)
class _WaitGroup:
    """The tasks of one call of `Poller.wait`.

    `give_up` is the loop's time at which a poll that starts now is abandoned.
    """

    deadline: float
    progress: ProgressCallback | None
    give_up: float
    pending: int = 0
    late: bool = False
    finished: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)


class Poller:
    """The tasks that a client waits for, and its history of render times.

    `poll` asks once for the state of a task. The `coordinator`, if there is a ledger, records polls
    and provides past render times. With `watch_ledger`, a webhook receiver may record the end of a
    task there; such tasks are polled at once.
    """

    def __init__(
        self,
        transport: Transport,
        poll: Callable[[Task], Awaitable[Task]],
        coordinator: PurchaseCoordinator | None,
        *,
        watch_ledger: bool,
    ) -> None:
        self.transport = transport
        self.poll = poll
        self.coordinator = coordinator
        self._watch_ledger = watch_ledger
        self.history = polling.History()
        # The loops share the history, and any thread may ask for an ETA.
        self.lock = threading.RLock()
        self._prepared: set[polling.TaskKind] = set()
        self._replayed: set[tuple[str | None, str | None]] = set()
        self.accepted: dict[str, float] = {}
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopPoller] = (
            weakref.WeakKeyDictionary()
        )

    def record_acceptance(self, task: Task, seconds_ago: float = 0.0) -> None:
        """Record that a task was accepted some seconds ago, by the service's clock."""
        if not task.finished:
            self.accepted.setdefault(_task_key(task), self.transport.now() - seconds_ago)

    def accepted_at(self, task: Task) -> float | None:
        """Return the time of acceptance of a task by the service's clock; None if unknown."""
        return self.accepted.get(_task_key(task))

    def eta(self, task: Task | Request) -> polling.Eta:
        """Estimate the seconds of the service's clock until a task finishes."""
        age = 0.0
        if isinstance(task, Task):
            if (accepted := self.accepted_at(task)) is None:
                return polling.Eta(None, None, "unknown")
            age = self.transport.now() - accepted
        with self.lock:
            self._replay(kind := _kind(task))
            return self.history.eta(kind, age)

    async def wait(
        self, tasks: Iterable[Task], deadline: float, progress: ProgressCallback | None
    ) -> list[PolledTask]:
        """Poll tasks until each has finished or failed, or until the deadline.

        `deadline` is in seconds of the service's clock. Returns the tasks in their order.
        """
        deadline = number_of_seconds("deadline", deadline)
        tasks = task_list(tasks)
        kinds = {_kind(task) for task in tasks if not task.finished} - self._prepared
        if kinds:
            await asyncio.to_thread(self._prepare, kinds)
        loop = asyncio.get_running_loop()
        # A poll under way at the deadline may still be answered.
        timeout = deadline / self.transport.speed + self.transport.timeouts.reply
        group = _WaitGroup(deadline, progress, loop.time() + timeout)
        polled = [PolledTask(task, group) for task in tasks]
        pending = [item for item in polled if not item.task.finished]
        if not pending:
            return polled
        loop_poller = self._loops.setdefault(loop, _LoopPoller(self))
        timer = loop.call_later(deadline / self.transport.speed, loop_poller.expire, group, pending)
        watching = None
        if self._watch_ledger and self.coordinator is not None:
            watching = loop.create_task(loop_poller.watch_ledger(self.coordinator, group, pending))
        try:
            loop_poller.add(group, pending)
            await group.finished.wait()
        finally:
            timer.cancel()
            if watching is not None:
                watching.cancel()
            loop_poller.drop(pending)
        return polled

    def _prepare(self, kinds: Iterable[polling.TaskKind]) -> None:
        """Learn from past times and compute the first schedules: 50 ms, too long for the loop."""
        with self.lock:
            for kind in kinds:
                self._replay(kind)
                self.history.schedule(kind, polling.POLL_COST, polling.MIN_INTERVAL)
                self._prepared.add(kind)

    def _replay(self, kind: polling.TaskKind) -> None:
        operation = kind.engine, kind.operation
        if operation in self._replayed or kind.engine is None or kind.operation is None:
            return
        self._replayed.add(operation)
        if self.coordinator is None:
            return
        for past in self.coordinator.past_render_times(kind.engine, kind.operation):
            self.history.learn(polling.TaskKind(*operation, past.model), past.low, past.high)


class _LoopPoller:
    """The tasks of one loop: a timer for the next polls, and the polls under way."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._now = poller.transport.now
        self._scheduler: polling.Scheduler[PolledTask] = polling.Scheduler(poller.history)
        self._polls: dict[PolledTask, asyncio.Task[None]] = {}
        self._kinds: dict[polling.TaskKind, polling.TaskKind] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, group: _WaitGroup, tasks: Sequence[PolledTask]) -> None:
        now = self._now()
        with self._poller.lock:
            for polled in tasks:
                kind = _kind(polled.task)
                kind = self._kinds.setdefault(kind, kind)  # equal kinds share one object
                accepted = self._poller.accepted_at(polled.task)
                self._scheduler.add(polled, kind, now if accepted is None else accepted, now)
        group.pending = len(tasks)
        self._arm()

    def expire(self, group: _WaitGroup, tasks: Iterable[PolledTask]) -> None:
        """Poll unfinished tasks once more at the deadline, then give up.

        A task may have finished since its last poll, above all if this process was slow. A deadline
        of 0 polls nothing, and reposts are not repeated, because they may be charged.
        """
        group.late = True
        limit = min(_LAST_POLL_SECONDS, self._poller.transport.timeouts.reply)
        group.give_up = asyncio.get_running_loop().time() + limit
        for polled in tasks:
            if polled not in self._scheduler or polled in self._polls:
                continue
            if not group.deadline or polled.task.poll_by_repost:
                self._give_up(polled)
            else:
                with self._poller.lock:
                    self._scheduler.poll_now(polled, self._now())
        self._arm()

    async def watch_ledger(
        self, coordinator: PurchaseCoordinator, group: _WaitGroup, tasks: Iterable[PolledTask]
    ) -> None:
        """Poll tasks at once that have ended according to a webhook; the poll confirms it."""
        hurried: set[PolledTask] = set()
        while not group.finished.is_set():
            await asyncio.sleep(_LEDGER_CHECK_SECONDS)
            pending = {
                polled.task.id: polled
                for polled in tasks
                if polled in self._scheduler and polled not in hurried
            }
            for task in await coordinator.settled_elsewhere(
                [polled.task for polled in pending.values()]
            ):
                polled = pending[task.id]
                hurried.add(polled)  # once only: after that poll, the schedule decides
                if polled in self._scheduler:
                    with self._poller.lock:
                        self._scheduler.poll_now(polled, self._now())
            self._arm()

    def drop(self, tasks: Iterable[PolledTask]) -> None:
        """Stop polling: nobody waits for these tasks."""
        for polled in tasks:
            if polled in self._scheduler:
                self._scheduler.cancel(polled)
                if (poll := self._polls.pop(polled, None)) is not None:
                    poll.cancel()
        self._arm()

    def _arm(self) -> None:
        """Set the timer for the next poll."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if len(self._polls) >= _MAX_POLLS:
            return
        with self._poller.lock:
            due = self._scheduler.next_due()
        if due is not None:
            delay = max(due - self._now(), 0.0) / self._poller.transport.speed
            self._timer = asyncio.get_running_loop().call_later(delay, self._start_polls)

    def _start_polls(self) -> None:
        with self._poller.lock:
            due = self._scheduler.due(self._now(), _MAX_POLLS - len(self._polls))
        for polled in due:
            self._polls[polled] = asyncio.create_task(self._poll(polled))
        self._arm()

    async def _poll(self, polled: PolledTask) -> None:
        try:
            await self._poll_once(polled)
        except Exception as error:  # noqa: BLE001 - raised or reported by `wait`
            self._end(polled, error)
        self._polls.pop(polled, None)
        if polled in self._scheduler and polled.group.late:
            self._give_up(polled)
        self._arm()

    async def _poll_once(self, polled: PolledTask) -> None:
        try:
            async with asyncio.timeout_at(polled.group.give_up):
                task = await self._poller.poll(polled.task)
        except TimeoutError:  # the deadline has passed, or is about to
            if polled in self._scheduler:
                if polled.task.poll_by_repost:  # a second repost might be charged again
                    self._give_up(polled)
                else:
                    with self._poller.lock:
                        self._scheduler.retry_later(polled, self._now())
            return
        except MusicAPIError as error:  # the task continues while the network is down
            polled.failures += 1
            lost = error.may_have_cost  # a repost, which may be charged
            if polled.failures == _MAX_FAILED_POLLS or lost or not is_transient(error):
                error.set_message(f"{error.message.rstrip('. ')} (about {task_name(polled.task)})")
                raise
            with self._poller.lock:
                self._scheduler.retry_later(polled, self._now())
            return
        now = self._now()
        polled.failures = 0
        polled.task = task
        if self._poller.coordinator is not None:
            await self._poller.coordinator.record_poll(task)
        notify(polled.group.progress, task)
        self._learn(polled, task, now)  # from here on it may be due again
        if task.finished:
            self._end(polled)

    def _learn(self, polled: PolledTask, task: Task, now: float) -> None:
        """Report a poll to the scheduler. Without the task's age, only its own figure counts."""
        duration = task.total_seconds
        age_known = self._poller.accepted_at(task) is not None
        with self._poller.lock:
            if task.state == "succeeded" and (age_known or duration is not None):
                self._scheduler.record_poll(polled, now, finished=True, took=duration)
            elif task.finished:
                self._scheduler.cancel(polled)
            elif age_known:
                self._scheduler.record_poll(polled, now, finished=False)
            else:
                self._scheduler.retry_later(polled, now)

    def _give_up(self, polled: PolledTask) -> None:
        message = timeout_message(polled.task, polled.group.deadline)
        self._end(polled, WaitTimeout(message, task=polled.task))

    def _end(self, polled: PolledTask, error: Exception | None = None) -> None:
        polled.error = error
        if polled in self._scheduler:
            self._scheduler.cancel(polled)
        if polled.task.finished:
            self._poller.accepted.pop(_task_key(polled.task), None)
        polled.group.pending -= 1
        if not polled.group.pending:
            polled.group.finished.set()


def _kind(task: Task | Request) -> polling.TaskKind:
    request = task.request if isinstance(task, Task) else task
    return (
        polling.TaskKind.of(request) if request else polling.TaskKind(task.engine, task.operation)
    )


def _task_key(task: Task) -> str:
    """Return what identifies a task: its id, or the request and take."""
    return task.id or f"{task.request!r} take {task.take}"
