"""Group commit: the steps that are asked for in one turn of a loop share one transaction."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from musicapi_nb.errors import ClientClosed

if TYPE_CHECKING:
    from musicapi_nb.library.database import Database

_Result = TypeVar("_Result")

# Where so many wait, more are coming: one batch of them takes less than two, and the loop and the
# writer get less in each other's way (PostgreSQL's commit_siblings and commit_delay, seconds).
_CROWD, _GATHERING = 5, 0.005


@dataclasses.dataclass(slots=True)
class _Step:
    """One step that waits for its commit, and where its outcome goes."""

    call: Callable[[], Any]
    durable: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        if self.future.done():  # its caller was cancelled; the step is written all the same
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class GroupCommit:
    """Takes steps from any loop, and writes them in batches on a thread of its own.

    While one batch is written the next one gathers: many at once cost one flush to disk.
    """

    def __init__(self, store: Database) -> None:
        self._database = store
        self._lock = threading.Lock()
        self._waiting: collections.deque[_Step] = collections.deque()
        self._writing = False
        self._starting: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._closed = False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="musicapi-library")

    def add(self, call: Callable[[], _Result], *, durable: bool) -> asyncio.Future[_Result]:
        """Write a step with the next batch; the future has its outcome once it is committed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()
        with self._lock:
            if self._closed:
                raise ClientClosed("the library is closed")
            self._waiting.append(_Step(call, durable, loop, future))
            # A loop may end before its call comes: it must not keep the others from starting.
            start = not self._writing and loop not in self._starting
            if start:
                self._starting.add(loop)
        if start:
            loop.call_soon(self._start, loop)  # after the others of this turn
        return future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._starting.discard(loop)
            if self._writing or not self._waiting:
                return
            self._writing = True
        self._write_soon()

    def _write_soon(self) -> None:
        try:
            self._writer.submit(self._write_all)
        except RuntimeError:  # Python is ending, and has ended all executors before our atexit
            self._write_all()

    def _write_all(self) -> None:
        while True:
            if len(self._waiting) >= _CROWD and not self._closed:
                time.sleep(_GATHERING)
            with self._lock:
                batch = list(self._waiting)
                self._waiting.clear()
                if not batch:
                    self._writing = False
                    return
            try:
                self._write(batch)
            except BaseException as error:  # noqa: BLE001 - whatever it is, each waiter is told
                for step in batch:
                    step.error = error
            _tell(batch)

    def _write(self, batch: list[_Step]) -> None:
        try:
            with self._database.write(durable=any(step.durable for step in batch)) as connection:
                for step in batch:
                    written = connection.total_changes
                    try:
                        step.result = step.call()
                    except Exception as error:
                        if connection.total_changes != written or not connection.in_transaction:
                            raise _HalfDone from error
                        step.error = error
        except _HalfDone:
            for step in batch:  # one by one: what failed half-way takes nobody else with it
                self._write_alone(step)

    def _write_alone(self, step: _Step) -> None:
        step.error = None
        try:
            with self._database.write(durable=step.durable):
                step.result = step.call()
        except BaseException as error:  # noqa: BLE001 - the waiter is told
            step.error = error

    def close(self) -> None:
        """Write what waits, then take no more."""
        with self._lock:
            self._closed = True
        self._write_soon()
        self._writer.shutdown()  # waits for it


class _HalfDone(Exception):
    """A step failed after it had written something."""


def _tell(batch: Iterable[_Step]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Step]] = {}
    for step in batch:
        by_loop.setdefault(step.loop, []).append(step)
    for loop, steps in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended; what was written is written
            loop.call_soon_threadsafe(_tell_all, steps)


def _tell_all(steps: list[_Step]) -> None:
    for step in steps:
        step.tell()
