"""Waits for all tasks of a client: one scheduler for each loop, no coroutine for each task."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from musicapi_nb import polling
from musicapi_nb.client.callbacks import name, notify, unfinished
from musicapi_nb.client.transport import is_transient
from musicapi_nb.engines import Request
from musicapi_nb.errors import MusicAPIError, WaitTimeout
from musicapi_nb.tasks import Task

if TYPE_CHECKING:
    from musicapi_nb.client.callbacks import ProgressCallback
    from musicapi_nb.client.transport import Transport

# A poll gives up after five attempts; so many polls in a row may, before a wait does.
_FAILED_POLLS = 4
# So often it is looked whether a webhook has settled a task: a question to the ledger alone.
_LISTEN_SECONDS = 0.5
# Polls of one loop under way at once.
_AT_ONCE = 50


class PolledTask:
    """A task that is waited for: as last seen, and the error that ended the wait for it."""

    __slots__ = ("call", "error", "failures", "task")

    def __init__(self, task: Task, call: _WaitGroup) -> None:
        self.task = task
        self.call = call
        self.failures = 0
        self.error: Exception | None = None

    def as_seen(self) -> Task:
        """The task, of many: one that cannot be asked about says so, at no cost to the others."""
        if self.error is None or isinstance(self.error, WaitTimeout):
            return self.task
        if not isinstance(self.error, MusicAPIError):
            raise self.error
        return msgspec.structs.replace(self.task, state="unknown", fail_reason=str(self.error))


class _WaitGroup:
    """One call of `Waiting.wait`: how long it goes on, and how many tasks are left."""

    def __init__(self, deadline: float, progress: ProgressCallback | None, last: float) -> None:
        self.deadline = deadline
        self.progress = progress
        self.last = last  # the loop's instant at which a poll under way is given up
        self.left = 0
        self.late = False
        self.over = asyncio.Event()


class Poller:
    """What a client waits for, and what it has learned of how long that takes.

    Parameters
    ----------
    transport
        Whose clock and patience hold.
    poll
        Asks once about a task.
    looked
        Writes down what a poll said.
    past
        Past render times of an engine's operation, oldest first: the model, and the seconds at
        which a task was last seen unfinished, and first seen finished.
    told
        Which of some tasks have ended by somebody else's word (a webhook's): those are asked
        about at once. None: nobody else hears of them.
    """

    def __init__(
        self,
        transport: Transport,
        poll: Callable[[Task], Awaitable[Task]],
        looked: Callable[[Task], Awaitable[None]],
        past: Callable[[str, str], Sequence[tuple[str | None, float, float]]],
        told: Callable[[Sequence[Task]], Awaitable[Sequence[Task]]] | None = None,
    ) -> None:
        self.transport = transport
        self.poll = poll
        self.looked = looked
        self._past = past
        self.told = told
        self.history = polling.History()
        # Loops learn from one another, and any thread may ask for an ETA.
        self.lock = threading.RLock()
        self._known: set[polling.TaskKind] = set()
        self._replayed: set[tuple[str | None, str | None]] = set()
        self._accepted: dict[str, float] = {}
        self._watches: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopPoller] = (
            weakref.WeakKeyDictionary()
        )

    def accepted(self, task: Task, ago: float = 0.0) -> None:
        """Note that a task was accepted so many seconds of the service's clock ago."""
        if not task.finished:
            self._accepted.setdefault(_name(task), self.transport.now() - ago)

    def accepted_at(self, task: Task) -> float | None:
        """When a task was accepted, on the service's clock; None where that is not known."""
        return self._accepted.get(_name(task))

    def ended(self, task: Task) -> None:
        """Forget when it was accepted."""
        self._accepted.pop(_name(task), None)

    def eta(self, what: Task | Request) -> polling.Eta:
        """How many seconds of the service's clock it still takes, as far as is known."""
        age = 0.0
        if isinstance(what, Task):
            if (accepted := self.accepted_at(what)) is None:
                return polling.Eta(None, None, "unknown")
            age = self.transport.now() - accepted
        with self.lock:
            self._replay(key := _key(what))
            return self.history.eta(key, age)

    async def wait(
        self, tasks: Iterable[Task], deadline: float, progress: ProgressCallback | None
    ) -> list[PolledTask]:
        """Ask about tasks until each is finished or given up, or the deadline has come.

        `deadline` is in seconds of the service's clock. What came of them is in their order.
        """
        # A poll under way at the deadline may still be answered, but not be tried again.
        patience = deadline / self.transport.speed + self.transport.timeouts.reply
        call = _WaitGroup(deadline, progress, asyncio.get_running_loop().time() + patience)
        found = [PolledTask(task, call) for task in tasks]
        left = [waited for waited in found if not waited.task.finished]
        if not left:
            return found
        keys = {_key(waited.task) for waited in left} - self._known
        if keys:
            await asyncio.to_thread(self._get_to_know, keys)
        loop = asyncio.get_running_loop()
        watch = self._watches.setdefault(loop, _LoopPoller(self))
        late = loop.call_later(deadline / self.transport.speed, watch.late, call, left)
        listening = loop.create_task(watch.listen(call, left)) if self.told else None
        try:
            watch.add(call, left)
            await call.over.wait()
        finally:
            late.cancel()
            if listening is not None:
                listening.cancel()
            watch.drop(left)
        return found

    def _get_to_know(self, keys: Iterable[polling.TaskKind]) -> None:
        """Learn from the past, and make the first schedules: 50 ms that no loop should stand."""
        with self.lock:
            for key in keys:
                self._replay(key)
                self.history.schedule(key, polling.POLL_COST, polling.MIN_INTERVAL)
                self._known.add(key)

    def _replay(self, key: polling.TaskKind) -> None:
        kind = key.engine, key.operation
        if kind in self._replayed or key.engine is None or key.operation is None:
            return
        self._replayed.add(kind)
        for model, after, by in self._past(key.engine, key.operation):
            self.history.learn(polling.TaskKind(*kind, model), after, by)


class _LoopPoller:
    """What one loop waits for: a timer for the next polls, and the polls under way."""

    def __init__(self, waiting: Poller) -> None:
        self._waiting = waiting
        self._now = waiting.transport.now
        self._scheduler: polling.Scheduler[PolledTask] = polling.Scheduler(waiting.history)
        self._polls: dict[PolledTask, asyncio.Task[None]] = {}
        self._keys: dict[polling.TaskKind, polling.TaskKind] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, call: _WaitGroup, tasks: Sequence[PolledTask]) -> None:
        now = self._now()
        with self._waiting.lock:
            for waited in tasks:
                key = _key(waited.task)
                key = self._keys.setdefault(key, key)  # one object for all that are alike
                accepted = self._waiting.accepted_at(waited.task)
                self._scheduler.add(waited, key, now if accepted is None else accepted, now)
        call.left = len(tasks)
        self._arm()

    def late(self, call: _WaitGroup, tasks: Iterable[PolledTask]) -> None:
        """The deadline has come; polls under way are waited for."""
        call.late = True
        for waited in tasks:
            if waited in self._scheduler and waited not in self._polls:
                self._give_up(waited)
        self._arm()

    async def listen(self, call: _WaitGroup, tasks: Iterable[PolledTask]) -> None:
        """Ask at once about what has ended by somebody else's word; a poll confirms it."""
        heard: set[PolledTask] = set()
        while self._waiting.told is not None and not call.over.is_set():
            await asyncio.sleep(_LISTEN_SECONDS)
            left = {
                waited.task.id: waited
                for waited in tasks
                if waited in self._scheduler and waited not in heard
            }
            for task in await self._waiting.told([waited.task for waited in left.values()]):
                waited = left[task.id]
                heard.add(waited)  # whatever the poll says: from then on the schedule decides
                if waited in self._scheduler:
                    with self._waiting.lock:
                        self._scheduler.poll_now(waited, self._now())
            self._arm()

    def drop(self, tasks: Iterable[PolledTask]) -> None:
        """Ask no more: nobody waits."""
        for waited in tasks:
            if waited in self._scheduler:
                self._scheduler.cancel(waited)
                if (poll := self._polls.pop(waited, None)) is not None:
                    poll.cancel()
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if len(self._polls) >= _AT_ONCE:
            return
        with self._waiting.lock:
            due = self._scheduler.next_due()
        if due is not None:
            pause = max(due - self._now(), 0.0) / self._waiting.transport.speed
            self._timer = asyncio.get_running_loop().call_later(pause, self._ask_due)

    def _ask_due(self) -> None:
        with self._waiting.lock:
            due = self._scheduler.due(self._now(), _AT_ONCE - len(self._polls))
        for waited in due:
            self._polls[waited] = asyncio.create_task(self._ask(waited))
        self._arm()

    async def _ask(self, waited: PolledTask) -> None:
        try:
            await self._poll(waited)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self._end(waited, error)
        self._polls.pop(waited, None)
        if waited in self._scheduler and waited.call.late:
            self._give_up(waited)
        self._arm()

    async def _poll(self, waited: PolledTask) -> None:
        try:
            async with asyncio.timeout_at(waited.call.last):
                task = await self._waiting.poll(waited.task)
        except TimeoutError:
            return  # it is late
        except MusicAPIError as error:  # the task goes on while the network is down
            waited.failures += 1
            lost = error.may_have_cost  # of what is asked for again by paying, perhaps
            if waited.failures == _FAILED_POLLS or lost or not is_transient(error):
                error.set_message(f"{error.message.rstrip('. ')} (about {name(waited.task)})")
                raise
            with self._waiting.lock:
                self._scheduler.retry_later(waited, self._now())
            return
        now = self._now()
        waited.failures = 0
        waited.task = task
        await self._waiting.looked(task)
        notify(waited.call.progress, task)
        self._learn(waited, task, now)  # from here on it may be due again
        if task.finished:
            self._end(waited)

    def _learn(self, waited: PolledTask, task: Task, now: float) -> None:
        """Tell the scheduler what was seen; of a task of unknown age only what it says itself."""
        took = task.total_seconds
        aged = self._waiting.accepted_at(task) is not None
        with self._waiting.lock:
            if task.state == "succeeded" and (aged or took is not None):
                self._scheduler.record_poll(waited, now, finished=True, took=took)
            elif task.finished:
                self._scheduler.cancel(waited)
            elif aged:
                self._scheduler.record_poll(waited, now, finished=False)
            else:
                self._scheduler.retry_later(waited, now)

    def _give_up(self, waited: PolledTask) -> None:
        call = waited.call
        self._end(waited, WaitTimeout(unfinished(waited.task, call.deadline), task=waited.task))

    def _end(self, waited: PolledTask, error: Exception | None = None) -> None:
        waited.error = error
        if waited in self._scheduler:
            self._scheduler.cancel(waited)
        if waited.task.finished:
            self._waiting.ended(waited.task)
        waited.call.left -= 1
        if not waited.call.left:
            waited.call.over.set()


def _key(what: Task | Request) -> polling.TaskKind:
    request = what.request if isinstance(what, Task) else what
    return (
        polling.TaskKind.of(request) if request else polling.TaskKind(what.engine, what.operation)
    )


def _name(task: Task) -> str:
    """What tells a task from others: its id, or what was asked for."""
    return task.id or f"{task.request!r} take {task.take}"
