"""Worker processes that measure files: a crash costs one file, an interrupt ends them all."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Generator, Iterable, Iterator
from multiprocessing import connection as connections
from pathlib import Path
from typing import Any, TypeAlias

from musicapi_nb.errors import InvalidArgument, MusicAPIError
from musicapi_nb.measures.worker import Method, Outcome, dump_method, measure_file, serve

PendingFiles: TypeAlias = Iterable[Path | None]
"""Files to measure; None says that the next one is not there yet."""
Outcomes: TypeAlias = Generator[tuple[Path, Outcome], None, None]
"""Files and their outcomes, as they end; to be closed."""

_WAIT = 0.05  # seconds, for a file that is not there yet
_MAX_WAIT = 1.0  # seconds for an outcome: Windows sees no Ctrl-C before
_END = 2.0  # seconds for idle workers to end by themselves
# A worker is one thread: several of them share the cores better than their libraries would.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


def measure_files(method: Method, files: PendingFiles, workers: int | None) -> Outcomes:
    """Measure files in worker processes; yield each with its outcome, as they end.

    Files are taken from the iterable when a worker is idle. At most `workers` processes run, by
    default one for each core; they are ended when the iterator is closed. Within a process that
    may have no children, such as that of a Dask worker, files are measured in turn.

    Raises
    ------
    InvalidArgument
        The function cannot be sent to a worker, or returned something other than values.
    """
    if multiprocessing.current_process().daemon:
        return ((path, measure_file(method, path)) for path in files if path is not None)
    import loky  # noqa: PLC0415 - takes 0.1 s

    cores = loky.cpu_count()
    number = workers or cores
    return _measure_files(files, _Pool(dump_method(method), number, max(1, cores // number)))


def _measure_files(files: PendingFiles, pool: _Pool) -> Outcomes:
    try:
        for path in files:
            if path is None:
                yield from pool.wait(_WAIT)
                continue
            while not pool.has_room:
                yield from pool.wait(_MAX_WAIT)
            pool.start(path)
        while pool.busy:
            yield from pool.wait(_MAX_WAIT)
        pool.close()
    finally:
        pool.stop()


class _Pool:
    """Workers that are started as they are needed; those in `busy` are measuring a file."""

    def __init__(self, content: bytes, number: int, threads: int) -> None:
        self._content, self._number, self._threads = content, number, threads
        self._idle: list[_Worker] = []
        self.busy: dict[Any, _Worker] = {}  # by connection

    @property
    def has_room(self) -> bool:
        return len(self.busy) < self._number

    def start(self, path: Path) -> None:
        worker = self._idle.pop() if self._idle else _Worker(self._content, self._threads)
        self.busy[worker.connection] = worker
        worker.start(path)

    def wait(self, seconds: float) -> Iterator[tuple[Path, Outcome]]:
        """Wait up to `seconds` for workers; yield what they have sent."""
        if not self.busy:
            time.sleep(seconds)  # Windows cannot wait for nothing
        for connection in connections.wait([*self.busy], seconds) if self.busy else ():
            worker = self.busy[connection]
            if (outcome := worker.read()) is None:  # it has just started
                continue
            del self.busy[connection]
            if not worker.has_ended:
                self._idle.append(worker)
            yield worker.path, outcome

    def close(self) -> None:
        """Let idle workers end by themselves."""
        for worker in self._idle:
            worker.connection.close()
        for worker in self._idle:
            worker.process.join(_END)

    def stop(self) -> None:
        """End all workers at once."""
        for worker in (*self._idle, *self.busy.values()):
            worker.stop()


class _Worker:
    """A process, and the file that it measures or measured last."""

    def __init__(self, content: bytes, threads: int) -> None:
        from loky.backend import context  # noqa: PLC0415 - as above

        # loky, so that scripts need no `if __name__ == "__main__"`.
        loky = context.get_context("loky")
        self.connection, worker_end = loky.Pipe()
        self.process = loky.Process(target=serve, args=(worker_end, content), daemon=True)
        self.process.env = dict.fromkeys(_THREADS, str(threads))
        self.path = Path()
        self._has_loaded = False
        self.has_ended = False
        self.process.start()
        worker_end.close()

    def start(self, path: Path) -> None:
        self.path = path
        with contextlib.suppress(OSError):  # it has ended: reading says so
            self.connection.send(path)

    def read(self) -> Outcome | None:
        """Return its message: the outcome of its file, or None if it is ready to start."""
        try:
            message = self.connection.recv()
        except (EOFError, OSError):
            self.has_ended = True
            self.process.join(_END)
            reason = _exit_reason(self.process.exitcode)
            if not self._has_loaded:
                raise MusicAPIError(
                    f"a worker process could not start ({reason}); workers=1 needs the least memory"
                ) from None
            return Outcome(error=f"the process that measured it ended: {reason}")
        if not self._has_loaded:
            self._has_loaded = True
            if message is None:
                return None
            raise InvalidArgument(f"the function cannot be loaded in a worker process ({message})")
        if isinstance(message, str):
            raise InvalidArgument(message)
        outcome: Outcome = message
        return outcome

    def stop(self) -> None:
        if self.process.is_alive():
            self.process.terminate()
        self.connection.close()
        self.process.join(_END)


def _exit_reason(code: int | None) -> str:
    """Return why a process has ended: -11 is "SIGSEGV"."""
    if code is None or code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
