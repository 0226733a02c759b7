"""The library's database: opened, brought up to date, written in whole steps by many at once."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from musicapi_nb.errors import (
    ClientClosed,
    LibraryDamaged,
    LibraryError,
    LibraryFull,
    LibraryLocked,
    LibraryReadOnly,
    LibraryTooNew,
)
from musicapi_nb.library.migrations import APPLICATION_ID, STEPS

_HEADER = 100  # bytes: SQLite, Database File Format, 1.3
_PRIMARY = 0xFF  # the low byte of an extended result code
_ERRORS: dict[int, tuple[type[LibraryError], str]] = {
    sqlite3.SQLITE_READONLY: (LibraryReadOnly, "cannot be written"),
    sqlite3.SQLITE_PERM: (LibraryReadOnly, "cannot be written"),
    sqlite3.SQLITE_CANTOPEN: (LibraryReadOnly, "cannot be opened for writing"),
    sqlite3.SQLITE_FULL: (LibraryFull, "has no room left"),
    sqlite3.SQLITE_BUSY: (LibraryLocked, "is held by another program"),
    sqlite3.SQLITE_LOCKED: (LibraryLocked, "is held by another program"),
    sqlite3.SQLITE_CORRUPT: (LibraryDamaged, "is damaged"),
    sqlite3.SQLITE_NOTADB: (LibraryDamaged, "is no SQLite database"),
}


class _SqliteErrors:
    """Turns what SQLite raises about `path` into an error of the family; to be used again."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, sqlite3.Error):
            code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
            family, words = _ERRORS.get(code, (LibraryError, "could not be used"))
            raise family(f"the library {self._path} {words} ({error})") from error


class _Nested:
    """A part of the transaction that its thread has open; to be used again."""

    __slots__ = ("_database",)

    def __init__(self, store: Database) -> None:
        self._database = store

    def __enter__(self) -> sqlite3.Connection:
        return self._database.connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.told.__exit__(kind, error, traceback)


class Database:
    """One connection to the database, shared by the threads of one process.

    Parameters
    ----------
    path
        The database file; made when there is none.
    lock_timeout
        Seconds to wait for another process that is writing.
    """

    def __init__(self, path: Path, *, lock_timeout: float, steps: Sequence[str] = STEPS) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._writer: int | None = None  # the thread whose transaction is open
        self._part = _Nested(self)
        self._version: tuple[int] | None = None
        self.generation = 0
        """Another one: what was read before may have changed by other hands than ours."""
        self._durable: bool | None = None
        self._process = os.getpid()
        self.told = _SqliteErrors(path)
        _check_length(path)
        with self.told:
            self._connection: sqlite3.Connection | None = sqlite3.connect(
                path, timeout=lock_timeout, isolation_level=None, check_same_thread=False
            )
        try:
            with self.told:
                self._prepare(self._connection, steps, time.monotonic() + lock_timeout)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(
        self, connection: sqlite3.Connection, steps: Sequence[str], deadline: float
    ) -> None:
        check_kind(connection, self.path, len(steps))
        if any(row[0] != "ok" for row in connection.execute("PRAGMA quick_check(1)")):
            raise LibraryDamaged(f"the library {self.path} is damaged")
        _to_wal(connection, deadline)
        connection.execute("PRAGMA fullfsync=1")  # macOS: through the drive's own cache too
        connection.execute("BEGIN IMMEDIATE")
        try:
            migrate(connection, steps)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    @property
    def forked(self) -> bool:
        """Whether this process got it by forking; nothing of it can be used here."""
        return self._process != os.getpid()

    @property
    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise ClientClosed("the library is closed")
        if self.forked:
            raise LibraryError("a forked process cannot use its parent's library; open it anew")
        return self._connection

    def write(self, *, durable: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        """One transaction, alone among all threads and processes; within another, a part of it.

        Parameters
        ----------
        durable
            Whether it has to outlive a loss of power once it is committed; a killed process
            loses nothing either way.
        """
        if self._writer == threading.get_ident():
            return self._part
        return self._transaction(durable=durable)

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        with self._lock, self.told:
            connection = self.connection
            try:  # from here on an interrupt, wherever it comes, leaves no transaction open
                self._writer = threading.get_ident()
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._set_durable(connection, durable=durable)
                connection.execute("BEGIN IMMEDIATE")
                version = connection.execute("PRAGMA data_version").fetchone()
                if version != self._version:  # another connection has written since
                    self._version = version
                    self.generation += 1
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self.generation += 1
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._writer = None

    def _set_durable(self, connection: sqlite3.Connection, *, durable: bool) -> None:
        if self._durable is not durable:
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Several questions that no other thread's step comes between."""
        with self._lock, self.told:
            yield self.connection

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, self.told:
            return self.connection.execute(sql, values).fetchall()

    def close(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None and not self.forked:
                connection.close()


def check_kind(connection: sqlite3.Connection, path: Path, known: int) -> None:
    """Refuse, before anything is written, what is no library or a newer one."""
    connection.execute("BEGIN")  # as of one moment: another process may be making it just now
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.execute("COMMIT")
    if mark != APPLICATION_ID and (tables or mark or version):
        raise LibraryDamaged(f"{path} is a database of another program, not a library")
    if version > known:
        raise LibraryTooNew(f"the library {path} has version {version}; this package knows {known}")


def _check_length(path: Path) -> None:
    """Refuse a file that was cut off; SQLite reads zeros where its last page should be."""
    if _journal(path):  # what is missing may stand there
        return
    try:
        with path.open("rb") as file:
            head, size = file.read(_HEADER), os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return
    except OSError as error:
        raise LibraryReadOnly(f"the library {path} cannot be opened ({error.strerror})") from error
    if len(head) == _HEADER and head[24:28] == head[92:96]:  # else the number is not kept
        page, pages = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
        page = 65_536 if page == 1 else page
        if size < page * pages and not _journal(path):
            raise LibraryDamaged(f"the library {path} is cut off: {size} of {page * pages} bytes")


def _journal(path: Path) -> bool:
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


def _to_wal(connection: sqlite3.Connection, deadline: float) -> None:
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            # two that make the same new library at once: SQLite does not wait here by itself
            busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= deadline:
                raise
            time.sleep(0.005)
        else:
            return


def migrate(connection: sqlite3.Connection, steps: Sequence[str]) -> None:
    """Take the steps that this database has not taken yet, in the transaction that is open."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for script in steps[version:]:
        for statement in _statements(script):
            connection.execute(statement)
    if version < len(steps):
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={len(steps)}")


def _statements(script: str) -> Iterator[str]:
    """Split a script; `executescript` would commit the transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
