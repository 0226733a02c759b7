"""What can be asked of a library, and how it shows itself; nothing here changes it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.library import events, html, queries
from musicapi_nb.library.entry import STATES
from musicapi_nb.library.ledger import replies_of, request_of, require_entry, task_of, tasks_of
from musicapi_nb.library.lineage import lineage
from musicapi_nb.tasks import Song, StoredReply, Task

if TYPE_CHECKING:
    from musicapi_nb.library.database import Database
    from musicapi_nb.library.entry import Entry, EntryState, Event
    from musicapi_nb.library.html import Account
    from musicapi_nb.library.ledger import Ledger
    from musicapi_nb.library.lineage import Lineage
    from musicapi_nb.library.media_files import Files

DATABASE = "library.sqlite"


class Records:
    """The questions of a `Library`."""

    path: Path
    _shown: str
    _database: Database
    _files: Files
    _ledger: Ledger
    _closed = False

    def entry(self, number: int) -> Entry:
        """One entry as it is now."""
        with self._reading() as connection:
            return require_entry(connection, number)

    def entries(
        self, state: EntryState | None = None, *, experiment: str | None = None
    ) -> list[Entry]:
        """Entries, oldest first; of an experiment, the latest of each of its cells."""
        with self._reading() as connection:
            return queries.entries(connection, _states(state, STATES), experiment)

    def tasks(
        self, state: EntryState | None = None, *, experiment: str | None = None
    ) -> list[Task]:
        """The tasks of entries, with their songs; those that have one when no state is named."""
        with self._reading() as connection:
            found = queries.entries(connection, _states(state, queries.WITH_TASKS), experiment)
        return [task for _, task in tasks_of(self._database, found)]

    def replies(self) -> Iterator[StoredReply]:
        """The last reply about each of `tasks()`, as it came: what tables are made of."""
        with self._reading() as connection:
            found = queries.entries(connection, queries.WITH_TASKS, None)
        return (reply for _, reply in replies_of(self._database, found))

    def task(self, entry: int) -> Task:
        """The task of one entry, as last seen."""
        with self._database.read() as connection:
            return task_of(connection, require_entry(connection, entry))

    def finished_entries(self, entries: Sequence[int]) -> list[int]:
        """Those of these entries of which nothing more will come."""
        sql = (
            "SELECT id FROM entries WHERE ended_at IS NOT NULL "
            "AND id IN (SELECT value FROM json_each(?))"
        )
        return [number for (number,) in self._database.rows(sql, str(list(entries)))]

    def request(self, entry: int) -> Request | None:
        """What was asked; None where this version does not know the operation."""
        with self._database.read() as connection:
            return request_of(connection, require_entry(connection, entry))

    def cells(self, experiment: str) -> dict[str, int]:
        """The entry of each cell of an experiment."""
        rows = self._database.rows("SELECT cell, entry FROM cells WHERE experiment=?", experiment)
        return dict(rows)

    def events(self, entry: int | None = None) -> list[Event]:
        """What happened, in order: to everything, or to one entry."""
        with self._database.read() as connection:
            return list(events.events(connection, entry))

    def lineage(self, of: Song | Task | str | None = None) -> Lineage:
        """What was made from what, as trees with the credits of each branch.

        Parameters
        ----------
        of
            A song or task of the library, or an id (of a song, a persona, an uploaded clip): then
            only the tree that it is of.
        """
        with self._reading() as connection:
            found = queries.entries(connection, STATES, None)
        return lineage(tasks_of(self._database, found), of if isinstance(of, str | None) else of.id)

    def counts(self, *, experiment: str | None = None) -> dict[EntryState, int]:
        """How many entries are in each state, uncertain ones first."""
        with self._reading() as connection:
            return queries.counts(connection, experiment)

    def account(self, *, simulated: bool = False) -> Account:
        """Credits spent, refunded and in doubt; simulated ones are an account of their own."""
        with self._reading() as connection:
            return queries.account(connection, simulated=simulated)

    def render_times(
        self, engine: str, operation: str, model: str | None = None, *, simulated: bool = False
    ) -> list[queries.RenderTime]:
        """How long the last 1,000 took, oldest first; of any model when none is named."""
        with self._database.read() as connection:
            return queries.render_times(connection, (engine, operation), model, simulated=simulated)

    def disk_used(self) -> int:
        """Bytes of the database and all files."""
        return self._files.on_disk() + sum(
            path.stat().st_size for path in self.path.glob(f"{DATABASE}*")
        )

    # --- how it shows itself ---------------------------------------------------------------

    def _overview(self) -> html.Overview:
        with self._reading() as connection:
            return html.Overview(
                self._shown,
                queries.counts(connection, None),
                queries.account(connection, simulated=False),
                queries.account(connection, simulated=True),
                self.disk_used(),
                events.in_state(connection, "uncertain"),
            )

    def __repr__(self) -> str:
        if self._closed:
            return markup.one_line(f"<Library {self._shown}: closed>")
        return html.line(self._overview())

    def _repr_html_(self) -> str:
        if self._closed:
            return markup.card("Library", facts=markup.facts(self._shown, "closed"))
        return html.card(self._overview())

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Read, after what dead processes left in sending was called uncertain."""
        self._ledger.recover()
        with self._database.read() as connection:
            yield connection


def _states(state: EntryState | None, otherwise: tuple[EntryState, ...]) -> tuple[EntryState, ...]:
    if state is None:
        return otherwise
    if state not in STATES:
        raise InvalidArgument(f"{state!r} is no state; there are {', '.join(STATES)}")
    return (state,)
