"""The library's SQLite database: opening, migrations, transactions."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from musicapi_nb.errors import (
    ClientClosed,
    LibraryDamaged,
    LibraryError,
    LibraryFull,
    LibraryLocked,
    LibraryReadOnly,
    LibraryTooNew,
    refuse_copy,
)
from musicapi_nb.library.file_system import has_shared_memory
from musicapi_nb.library.migrations import APPLICATION_ID, STEPS
from musicapi_nb.library.progress_mark import ProgressMark
from musicapi_nb.tasks.json_reader import clean

_SUFFIXES = ("", "-wal", "-shm")  # of the files of a database in WAL mode
_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"
_PRIMARY = 0xFF  # the low byte of an extended result code
_ERRORS: dict[int, tuple[type[LibraryError], str]] = {
    sqlite3.SQLITE_READONLY: (LibraryReadOnly, "cannot be written"),
    sqlite3.SQLITE_PERM: (LibraryReadOnly, "cannot be written"),
    sqlite3.SQLITE_CANTOPEN: (LibraryReadOnly, "cannot be opened for writing"),
    sqlite3.SQLITE_FULL: (LibraryFull, "is out of disk space"),
    sqlite3.SQLITE_BUSY: (LibraryLocked, "is locked by another program"),
    sqlite3.SQLITE_LOCKED: (LibraryLocked, "is locked by another program"),
    sqlite3.SQLITE_CORRUPT: (LibraryDamaged, "is damaged"),
    sqlite3.SQLITE_NOTADB: (LibraryDamaged, "is not an SQLite database"),
}


@contextlib.contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    """Turn sqlite3 errors about a path into LibraryError or a subclass."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
        error_type, message = _ERRORS.get(code, (LibraryError, "cannot be used"))
        raise error_type(f"the library {path} {message} ({error})") from error


class _Connection(sqlite3.Connection):
    """A connection that replaces halves of surrogate pairs, which SQLite refuses, by U+FFFD."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        try:
            return super().execute(sql, parameters)
        except UnicodeEncodeError:  # before anything was executed
            return super().execute(sql, _clean(parameters))

    def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
        return super().executemany(sql, map(_clean, rows))


def _clean(parameters: Any) -> Any:
    if isinstance(parameters, Mapping):
        return dict(zip(parameters, _clean(tuple(parameters.values())), strict=True))
    return tuple(clean(value) if isinstance(value, str) else value for value in parameters)


class Database:
    """One connection to the database file `path`, shared by the threads of one process.

    It waits `lock_timeout` seconds for another process that is writing. Without
    shared memory, as on network folders, a rollback journal takes the place of the WAL.
    """

    def __init__(
        self,
        path: Path,
        *,
        lock_timeout: float,
        read_only: bool = False,
        steps: Sequence[str] = STEPS,
    ) -> None:
        self.path: Path = path
        self.read_only: bool = read_only
        self._shared_memory = read_only or has_shared_memory(path.parent)
        self._lock = threading.RLock()
        self._writing = False  # whether the thread that has the lock is in a transaction
        self._durable: bool | None = None
        self._process = os.getpid()
        self._mark = ProgressMark(path.with_suffix(".mark"))
        self.has_mark: bool = self._mark.exists
        if not read_only:
            with contextlib.suppress(FileExistsError):  # SQLite would ignore a group's umask
                path.touch(exist_ok=False)
        connect = functools.partial(
            sqlite3.connect,
            timeout=lock_timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        with _sqlite_errors(path):
            self._connection: sqlite3.Connection | None = (
                _open_for_reading(path, connect) if read_only else connect(path)
            )
        try:
            with _sqlite_errors(path):
                if (
                    not self._shared_memory
                ):  # to leave WAL mode without it, if another machine set that
                    self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
                self._check(self._connection, len(steps))
                if read_only:
                    self._connection = _migrated_copy(self._connection, steps)
                else:
                    self._prepare(self._connection, steps, time.monotonic() + lock_timeout)
                    self._files = self._files_in_place()
        except BaseException:
            self._connection.close()
            raise

    __reduce_ex__: Callable[..., NoReturn] = refuse_copy

    def _check(self, connection: sqlite3.Connection, version_limit: int) -> None:
        check_kind(connection, self.path, version_limit)
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        # SQLite itself finds missing pages here, but not a last page that is cut off.
        if self.path.stat().st_size % page and not _has_journal(self.path):
            raise LibraryDamaged(f"the library {self.path} is damaged: its end is missing")
        self._mark.check(connection)

    def _prepare(
        self, connection: sqlite3.Connection, steps: Sequence[str], deadline: float
    ) -> None:
        _set_journal_mode(connection, "WAL" if self._shared_memory else "DELETE", deadline)
        connection.execute("PRAGMA locking_mode=NORMAL")
        connection.execute("PRAGMA fullfsync=1")  # macOS: also flush the drive's cache
        connection.execute("BEGIN IMMEDIATE")
        try:
            migrate(connection, steps)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        connection.execute(_CHECKPOINT).fetchall()  # else a copy of the file has no tables

    def _files_in_place(self) -> list[tuple[int, int]]:
        """Return device and inode of each of the database's files, found by its path."""
        suffixes = _SUFFIXES if self._shared_memory else ("",)
        stats = [os.stat(f"{self.path}{suffix}") for suffix in suffixes]  # noqa: PTH116 - before each purchase: a Path costs more than the call
        return [(stat.st_dev, stat.st_ino) for stat in stats]

    @property
    def is_in_place(self) -> bool:
        """Whether the open files are still those at its path: nobody moved or replaced them."""
        try:
            return self._files_in_place() == self._files
        except OSError:
            return False

    def check_in_place(self) -> None:
        """Raise if it is closed, read-only, or would not write into the library at its path."""
        _ = self.connection  # its files are gone once it is closed
        if self.read_only:
            raise LibraryReadOnly(f"the library {self.path} can only be read")
        if not self.is_in_place:
            raise LibraryError(
                f"the library {self.path} was deleted, moved or replaced while it was open, so "
                "nothing is bought. Put it back if that was a mistake; then close this session or "
                "library, and connect again"
            )

    @property
    def is_forked(self) -> bool:
        """Whether this process is a fork of the one that opened it, and cannot use it."""
        return self._process != os.getpid()

    @property
    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ClientClosed("the library is closed")
        self.check_process()
        return self._connection

    def check_process(self) -> None:
        if self.is_forked:
            raise LibraryError("a forked process cannot use its parent's library; open it again")

    @contextlib.contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Return a context manager for one transaction, exclusive among threads and processes.

        Within another transaction of the thread, it is part of that one. Once committed, it
        survives a killed process; if it is `durable`, also a power failure.
        """
        with self.read() as connection:
            if self.read_only:
                self.check_in_place()
            if self._writing:
                yield connection
                return
            try:  # from here on an interrupt leaves no transaction open
                self._writing = True
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._set_durable(connection, durable=durable or not self._shared_memory)
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                # Before the commit: nothing after it may fail, and the mark has no later event of
                # another process that is not on the disk yet.
                last = self._mark.last_event(connection) if durable else None
                connection.execute("COMMIT")
                if last is not None and self.is_in_place:
                    self._mark.write(last)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._writing = False

    def _set_durable(self, connection: sqlite3.Connection, *, durable: bool) -> None:
        if self._durable is not durable:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def verify(self) -> None:
        """Read all pages and raise LibraryDamaged if they do not fit together."""
        if self.rows("PRAGMA integrity_check(1)") != [("ok",)]:
            raise LibraryDamaged(f"the library {self.path} is damaged")

    def checkpoint(self) -> None:
        """Copy finished transactions into the database file; other processes need not wait."""
        self.rows(_CHECKPOINT)

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Return a context manager for queries without writes by other threads in between."""
        self.check_process()  # in a fork, the lock may be held for ever
        with self._lock, _sqlite_errors(self.path):
            yield self.connection

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.read() as connection:
            return connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        if self.is_forked:  # the connection is the parent's, and its lock may be held for ever
            self._connection = None
            return
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def check_kind(connection: sqlite3.Connection, path: Path, version_limit: int) -> None:
    """Raise, before anything is written, if the file is not a library or is a newer one."""
    connection.execute("BEGIN")  # one snapshot: another process may be creating it
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.execute("COMMIT")
    if application_id != APPLICATION_ID and (tables or application_id or version):
        raise LibraryDamaged(f"{path} is a database of another program, not a library")
    if version > version_limit:
        raise LibraryTooNew(
            f"the library {path} has version {version}; this package supports up to {version_limit}"
        )


def _open_for_reading(path: Path, connect: Callable[..., sqlite3.Connection]) -> sqlite3.Connection:
    """Connect without writing to the folder."""
    address = f"{path.as_uri()}?mode=ro"
    connection = connect(address, uri=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except sqlite3.OperationalError as error:  # SQLite cannot create its shared memory there
        connection.close()
        if _has_journal(path):
            raise LibraryReadOnly(
                f"the last steps of the library {path} are in its -wal file, which cannot be read "
                "in a read-only folder; copy the whole folder and open the copy"
            ) from error
        return connect(f"{address}&immutable=1", uri=True)
    return connection


def _migrated_copy(connection: sqlite3.Connection, steps: Sequence[str]) -> sqlite3.Connection:
    """Return the connection, or a copy in memory if an older version of the package made it."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not 0 < version < len(steps):
        return connection
    copy = sqlite3.connect(
        ":memory:", isolation_level=None, check_same_thread=False, factory=_Connection
    )
    try:
        with contextlib.closing(connection):
            connection.backup(copy)
        migrate(copy, steps)
    except BaseException:
        copy.close()
        raise
    return copy


def _has_journal(path: Path) -> bool:
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


def _set_journal_mode(connection: sqlite3.Connection, mode: str, deadline: float) -> None:
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode={mode}")
        except sqlite3.OperationalError as error:
            # two processes create the same library: SQLite does not wait here
            busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= deadline:
                raise
            time.sleep(0.005)
        else:
            return


def migrate(connection: sqlite3.Connection, steps: Sequence[str]) -> None:
    """Run the scripts that this database has not run yet, in the open transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for script in steps[version:]:
        for statement in _statements(script):
            connection.execute(statement)
    if version < len(steps):
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    # Also if nothing changes: a read-only file raises here, and not at the first purchase.
    connection.execute(f"PRAGMA user_version={len(steps)}")


def _statements(script: str) -> Iterator[str]:
    """Split a script into statements; `executescript` would commit the transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
