"""A mark beside the database of how far it had come, to notice a database that lost purchases."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from musicapi_nb.errors import LibraryDamaged

_LAST_EVENT = "SELECT id, at FROM events ORDER BY id DESC LIMIT 1"


class ProgressMark:
    """A file with the number and time of the last event that reached the disk.

    It may be behind the database, and never ahead: it is written after a durable commit.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @staticmethod
    def last_event(connection: sqlite3.Connection) -> bytes | None:
        """Return the mark of the last event; None if there is none."""
        row = connection.execute(_LAST_EVENT).fetchone()
        return row and _text(*row)

    @property
    def exists(self) -> bool:
        return self._path.exists()

    def write(self, mark: bytes) -> None:
        """Write a mark. All have one length, so that none is ever half new."""
        with contextlib.suppress(OSError):  # it is then behind
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o666)
            try:
                os.write(file, mark)
            finally:
                os.close(file)

    def check(self, connection: sqlite3.Connection) -> None:
        """Raise LibraryDamaged if the database lacks the event of the mark."""
        try:
            mark = self._path.read_bytes()
            number = int(mark.split()[0])
        except (OSError, ValueError, IndexError):
            return
        tables = connection.execute("SELECT 1 FROM sqlite_schema WHERE name='events'").fetchall()
        query = "SELECT id, at FROM events WHERE id=?"
        row = connection.execute(query, (number,)).fetchone() if tables else None
        if row is None or _text(*row) != mark:
            raise LibraryDamaged(
                f"the library {self._path.parent} lost purchases: its database was deleted, comes "
                "from an older copy, or lacks its library.sqlite-wal. They would be bought again. "
                f"Restore the latest database; or delete {self._path.name} to continue without them"
            )


def _text(number: int, at: float) -> bytes:
    return b"%020d %020.6f" % (number, at)
