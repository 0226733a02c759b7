"""Group commit: steps that are added in one turn of a loop share one transaction."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from musicapi_nb.errors import ClientClosed, MusicAPIError
from musicapi_nb.library.database import Database

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)
# If this many steps wait, more are coming: a short delay makes one batch of them, and the loop and
# the writer thread compete less (as PostgreSQL's commit_siblings and commit_delay; seconds).
_MIN_CROWD, _DELAY = 5, 0.005
_CHECKPOINT_SECONDS = 0.25  # at least, between checkpoints: each writes the database file


@dataclasses.dataclass(slots=True)
class _Step:
    """One step that waits for its commit, and the future for its outcome."""

    call: Callable[[], Any]
    durable: bool
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


class GroupCommit:
    """Takes steps from any loop and writes them in batches on one thread.

    New steps collect while a batch is written, so that many steps cost one flush to disk.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._waiting: collections.deque[_Step] = collections.deque()
        self._writing = False
        self._starting: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()
        self._closed = False
        self._next_checkpoint = 0.0  # time.monotonic()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="musicapi-library")

    def add(self, call: Callable[[], _Result], *, durable: bool) -> asyncio.Future[_Result]:
        """Write a step with the next batch. The future has its outcome once it is committed.

        The future need not be awaited. A batch with a durable step survives a power failure.
        """
        self._database.check_process()  # a fork has no writer thread, and the lock may be held
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()
        with self._lock:
            if self._closed:
                raise ClientClosed("the library is closed")
            self._waiting.append(_Step(call, durable, future))
            # A loop may end before its callback runs, which must not keep others from starting.
            start = not self._writing and loop not in self._starting
            if start:
                self._starting.add(loop)
        if start:
            loop.call_soon(self._start, loop)  # after the other steps of this turn
        return future

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._starting.discard(loop)
            if self._writing or not self._waiting:
                return
            self._writing = True
        self._submit()

    def _submit(self) -> None:
        try:
            self._writer.submit(self._write_all)
        except RuntimeError:  # Python is exiting, and has shut down all executors before our atexit
            self._write_all()

    def _write_all(self) -> None:
        while True:
            if len(self._waiting) >= _MIN_CROWD and not self._closed:
                time.sleep(_DELAY)
            with self._lock:
                batch = list(self._waiting)
                self._waiting.clear()
                if not batch:
                    self._writing = False
                    return
            try:
                self._write(batch)
            except BaseException as error:  # noqa: BLE001 - each waiting caller receives it
                for step in batch:
                    step.error = error
            _set_futures(batch)
            if not self._waiting and time.monotonic() >= self._next_checkpoint:
                self._next_checkpoint = time.monotonic() + _CHECKPOINT_SECONDS
                with contextlib.suppress(MusicAPIError):  # the next one includes it
                    self._database.checkpoint()

    def _write(self, batch: Iterable[_Step]) -> None:
        durable = any(step.durable for step in batch)
        with self._database.write(durable=durable) as connection:
            for step in batch:
                connection.execute("SAVEPOINT step")
                try:
                    step.result = step.call()
                except Exception as error:
                    if not connection.in_transaction:  # SQLite has undone it: the disk is full
                        raise
                    connection.execute("ROLLBACK TO step")
                    step.error = error
                connection.execute("RELEASE step")

    async def run(
        self,
        step: Callable[[], _Result],
        *,
        durable: bool = True,
        undo: Callable[[_Result], object] | None = None,
    ) -> _Result:
        """Add a step and wait for its result; see `ledger_types.Ledger.commit`."""
        results: list[_Result] = []

        def run() -> _Result:
            results.append(step())
            return results[0]

        def undo_all() -> None:
            for result in results:
                if undo is not None:
                    undo(result)

        try:
            return await self.add(run, durable=durable)
        except asyncio.CancelledError:
            if undo is not None:
                self.run_later(undo_all, durable=durable)
            raise

    def run_later(self, step: Callable[[], object], *, durable: bool = True) -> None:
        """Add a step after all earlier ones, and do not wait for it."""
        with contextlib.suppress(MusicAPIError):  # closed: claims are then uncertain
            self.add(step, durable=durable).add_done_callback(_log_failure)

    def close(self) -> None:
        """Write the waiting steps, then refuse new ones."""
        with self._lock:
            self._closed = True
        self._submit()
        self._writer.shutdown()  # waits for it


def _log_failure(step: asyncio.Future[object]) -> None:
    if not step.cancelled() and (error := step.exception()) is not None:
        _log.warning("A claim or slot could not be given back: %s", error)


def _set_futures(batch: Iterable[_Step]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[_Step]] = {}
    for step in batch:
        by_loop.setdefault(step.future.get_loop(), []).append(step)
    for loop, steps in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has ended; its steps are written
            loop.call_soon_threadsafe(_set_futures_of_loop, steps)


def _set_futures_of_loop(steps: list[_Step]) -> None:
    for step in steps:
        if step.future.done():  # its caller was cancelled; the step is still written
            continue
        if step.error is not None:
            step.future.set_exception(step.error)
        else:
            step.future.set_result(step.result)
