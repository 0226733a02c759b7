"""Library: all purchases, their tasks, and the files of their songs, in one folder."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Self

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.errors import ClientClosed, InvalidArgument, LibraryError, LibraryReadOnly
from musicapi_nb.ledger_types import (
    Entry,
    EntryState,
    Media,
    MissingFile,
    PurchaseTerms,
    RenderTime,
    Unfinished,
)
from musicapi_nb.library import budgets, events, html, ratings, stored_tasks, totals
from musicapi_nb.library.adoption import adopted_numbers
from musicapi_nb.library.budgets import Budget
from musicapi_nb.library.database import Database
from musicapi_nb.library.default_folder import DATABASE, default_folder
from musicapi_nb.library.entry import STATES, Event, states_of
from musicapi_nb.library.group_commit import GroupCommit
from musicapi_nb.library.imports import Imports
from musicapi_nb.library.ledger import Ledger
from musicapi_nb.library.lineage import Lineage, build_lineage
from musicapi_nb.library.listed_names import ListedNames
from musicapi_nb.library.measurements import Measurements
from musicapi_nb.library.media_files import DamagedFile, MediaFiles, damage, disk_errors
from musicapi_nb.library.process_lock import ProcessLock
from musicapi_nb.library.rate_limit import RateLimits
from musicapi_nb.library.ratings import Rating
from musicapi_nb.library.song_files import SongFiles
from musicapi_nb.library.totals import Account
from musicapi_nb.paths import absolute_path
from musicapi_nb.tasks import Song, StoredReply, Task

_WITH_TASKS: tuple[EntryState, ...] = ("accepted", "reposting", "done", "failed")


class Library(SongFiles, Measurements, Imports, ListedNames):
    """A folder with one database and the media files of songs; created if it does not exist.

    All methods may be called from any thread. Several libraries, in one process or in many, may be
    open on one folder. A folder that cannot be written is opened for reading: purchases are then
    refused. A closed library may be moved: nothing in it contains its path.

    Parameters
    ----------
    path
        The folder. Default: `musicapi-library` in the working directory or above it, if there is
        one, else in the home folder.
    lock_timeout
        Seconds to wait for another process that is writing.

    Attributes
    ----------
    commit, commit_later
        Run a step of a purchase, in a transaction of a loop's turn; see `ledger_types.Ledger`.
    rate_limits
        The slots of paid requests, shared by all processes on the folder.

    Raises
    ------
    LibraryReadOnly, LibraryFull, LibraryLocked, LibraryDamaged, LibraryTooNew
        The folder cannot be used. Nothing was changed.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, lock_timeout: float = 10.0
    ) -> None:
        path = default_folder() if path is None else path
        self._display_path = str(path)
        self._closed = True  # until it is open
        self.path: Path = absolute_path(path)  # the working directory may change
        try:
            self._open(lock_timeout)
        except LibraryReadOnly:  # raised again if there is no library to read
            self._open(lock_timeout, read_only=True)
        self.rate_limits: RateLimits = RateLimits(self._database)
        self._group_commit = GroupCommit(self._database)
        self.commit, self.commit_later = self._group_commit.run, self._group_commit.run_later
        self._closed = False

    def _open(self, lock_timeout: float, *, read_only: bool = False) -> None:
        with contextlib.ExitStack() as undo, disk_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            if next(self.path.iterdir(), None) is None:  # else git may know other files in it
                (self.path / ".gitignore").write_text("*\n", encoding="ascii")
            path = self.path / DATABASE
            database = Database(path, lock_timeout=lock_timeout, read_only=read_only)
            undo.callback(database.close)
            process_lock = ProcessLock(self.path / "open", read_only=read_only)
            undo.callback(process_lock.close)
            Ledger.__init__(self, database, process_lock)
            self._files = MediaFiles(self.path / "files", process_lock)
            if not read_only:
                self._files.prepare(database)
            self.recover()
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write pending steps and close. A purchase that is being sent becomes uncertain."""
        if not self._closed:
            self._closed = True
            if not self._database.is_forked:  # else the writer thread is in the parent process
                self._group_commit.close()
            self._process_lock.close()
            self._database.close()

    @contextlib.contextmanager
    def _read_current(self) -> Iterator[sqlite3.Connection]:
        """Mark as uncertain the purchases that ended processes were sending, then read."""
        self.recover()
        with self._database.read() as connection:
            yield connection

    # --- entries and tasks -----------------------------------------------------------------

    def entry(self, number: int) -> Entry:
        """Return an entry in its current state."""
        with self._read_current() as connection:
            return events.require_entry(connection, number)

    def entries(
        self, state: EntryState | None = None, *, experiment: str | None = None
    ) -> list[Entry]:
        """Return entries, oldest first; of an experiment, the latest of each cell.

        Each try of a request that was refused or not sent is an entry; `counts` has the last ones.
        """
        return self._entries(states_of(state, STATES), experiment)

    def _entries(self, states: Sequence[EntryState], experiment: str | None = None) -> list[Entry]:
        where = (
            "WHERE state IN (SELECT value FROM json_each(?)) AND (? IS NULL OR id IN "
            "(SELECT entry FROM cells WHERE experiment=?)) ORDER BY id"
        )
        with self._read_current() as connection:
            return events.entries(connection, where, json.dumps(states), experiment, experiment)

    def entries_by_key(
        self, request_keys: Collection[str], *, simulated: bool = False
    ) -> list[Entry]:
        """Return the entries with these request keys (see `request_key`), oldest first."""
        where = "WHERE request_key IN (SELECT value FROM json_each(?)) AND simulated=? ORDER BY id"
        with self._read_current() as connection:
            return events.entries(connection, where, json.dumps([*request_keys]), simulated)

    def entries_by_task(self, task_ids: Collection[str], *, simulated: bool = False) -> list[Entry]:
        """Return the entries with these task ids, oldest first."""
        where = (
            "WHERE task_id IN (SELECT value FROM json_each(?)) AND simulated=? "
            "AND state != 'not_run' ORDER BY id"
        )
        with self._read_current() as connection:
            return events.entries(connection, where, json.dumps([*task_ids]), simulated)

    def tasks(
        self, state: EntryState | None = None, *, experiment: str | None = None
    ) -> list[Task]:
        """Return the tasks of entries, with their songs; by default of all that have one."""
        entries = self._entries(states_of(state, _WITH_TASKS), experiment)
        return [task for _, task in stored_tasks.tasks_of(self._database, entries)]

    def latest_tasks(self) -> Iterator[Task]:
        """Return `tasks()`, newest first; only replies that are asked for are parsed."""
        self.recover()
        return stored_tasks.latest_tasks(self._database, _WITH_TASKS)

    def replies(self) -> Iterator[StoredReply]:
        """Yield the latest raw reply about each of `tasks()`, as input for tables."""
        entries = self._entries(_WITH_TASKS)
        return (reply for _, reply in stored_tasks.replies_of(self._database, entries))

    def task(self, entry: int) -> Task:
        """Return the task of an entry, as last polled."""
        with self._database.read() as connection:
            return stored_tasks.task_of(connection, events.require_entry(connection, entry))

    def holds(self, song: Song | str) -> bool:
        """Return whether it has the task of a song, or a file of it."""
        if isinstance(song, str):
            has_task = stored_tasks.song_with(self._database, song) is not None
        else:
            has_task = totals.has_task(self._database, song.task_id, simulated=song.simulated)
        return has_task or self._attached_file(song, "audio") is not None

    def task_with(self, name: str, *, simulated: bool = False) -> tuple[Entry, Task] | None:
        """Return the task that has this id, or whose reply has: of a song, part, clip, persona."""
        with self._database.read() as connection:
            return stored_tasks.task_with(connection, name, simulated=simulated)

    def request(self, entry: int) -> Request | None:
        """Return the request of an entry; None if this version does not know its operation."""
        with self._database.read() as connection:
            return stored_tasks.request_of(connection, events.require_entry(connection, entry))

    def next_take(self, request: Request, first: int = 1, *, simulated: bool = False) -> int:
        """Return the first take from `first` on that was not bought, or that is uncertain."""
        with self._database.write():  # one transaction for all takes
            take = first
            while claim := self.find(request, PurchaseTerms(take=take, simulated=simulated)):
                if claim.kind == "uncertain":
                    break
                take += 1
            return take

    def unfinished(self, *, simulated: bool | None = None) -> list[Unfinished]:
        """Return accepted purchases that have not ended; None: real and simulated ones."""
        with self._read_current() as connection:
            accepted = events.entries_in_state(connection, "accepted")
        return [
            Unfinished(entry, task)
            for entry, task in stored_tasks.tasks_of(self._database, accepted)
            if simulated is None or entry.simulated is simulated
            if entry.task_id is not None or not entry.adopted  # else nobody can be asked for it
        ]

    def finished_entries(self, entries: Sequence[int]) -> list[int]:
        """Return those of the given entries that have ended."""
        return totals.finished_entries(self._database, entries)

    def cells(self, experiment: str) -> dict[str, int]:
        """Return the entry of each plan cell of an experiment, by request key."""
        rows = self._database.rows("SELECT cell, entry FROM cells WHERE experiment=?", experiment)
        return dict(rows)

    def events(self, entry: int | None = None) -> list[Event]:
        """Return all events, or those of one entry, in the order in which they were appended."""
        with self._database.read() as connection:
            number = None if entry is None else events.require_entry(connection, entry).id
            return list(events.events(connection, number))

    def lineage(self, of: Song | Task | str | None = None) -> Lineage:
        """Return which songs were made from which, as trees with the credits of each branch.

        Parameters
        ----------
        of
            A song or task of the library, or an id (of a song, a persona, an uploaded clip), to
            return only the tree that contains it.
        """
        target = of if isinstance(of, str | None) else of.id
        return build_lineage(stored_tasks.tasks_of(self._database, self._entries(STATES)), target)

    def counts(self, *, experiment: str | None = None) -> dict[EntryState, int]:
        """Return the number of purchases in each state, uncertain ones first."""
        self.recover()
        return totals.counts(self._database, experiment)

    def account(self, *, simulated: bool = False) -> Account:
        """Return the credits spent, refunded and in doubt, of the service or of simulators."""
        self.recover()
        return totals.account(self._database, simulated=simulated)

    def render_times(
        self, engine: str, operation: str, *, simulated: bool = False
    ) -> list[RenderTime]:
        """Return the latest 1,000 render times of an operation, oldest first."""
        return totals.render_times(self._database, engine, operation, simulated=simulated)

    # --- budgets ---------------------------------------------------------------------------

    def set_budget(self, name: str, credits_: int, *, assume: int | None = None) -> Budget:
        """Create a budget or change its limit. Credits that it holds stay held.

        Parameters
        ----------
        assume
            Credits that a request of unknown price counts; None: such requests are refused.
        """
        data = budgets.budget_event(name, credits_, assume)
        with self._database.write(durable=True) as connection:
            events.append_unbound(connection, "budget", data, owner=self._process_lock.id)
        return self.budgets()[name]

    def budgets(self) -> dict[str, Budget]:
        """Return all budgets by name."""
        with self._read_current() as connection:
            return budgets.budgets(connection)

    # --- files -----------------------------------------------------------------------------

    def missing_files(
        self, media: Sequence[Media] = ("audio", "image"), *, experiment: str | None = None
    ) -> list[MissingFile]:
        """Return the files of finished songs that are missing or incomplete, with their links."""
        entries = self._entries(["done"], experiment)
        return [
            MissingFile(entry, song, kind, url)
            for entry, task in stored_tasks.tasks_of(self._database, entries)
            for song in task.songs
            for kind in media
            if song.state == "succeeded" and (url := getattr(song, f"{kind}_url"))
            if self.file_of(song, kind) is None
        ]

    def verify(self) -> list[DamagedFile]:
        """Read every byte; return missing and damaged files. LibraryDamaged: the database is."""
        self._database.verify()
        rows = self._database.rows(
            "SELECT song, media, sha256, size, suffix FROM attachments ORDER BY song, media"
        )
        files = [(song, media, self._files.ref(*columns)) for song, media, *columns in rows]
        return [DamagedFile(*file, text) for file in files if (text := damage(file[2]))]

    def disk_used(self) -> int:
        """Return the bytes of the database and of the songs' files, as it has recorded them."""
        database = sum(path.stat().st_size for path in self.path.glob(f"{DATABASE}*"))
        return database + totals.disk_used(self._database)

    def rebuild(self) -> None:
        """Recreate the derived tables from the events."""
        with self._database.write(durable=True) as connection:
            events.rebuild(connection)

    # --- ratings ---------------------------------------------------------------------------

    def rate(
        self, song: Song | str, stars: int | None = None, *, note: str | None = None
    ) -> Rating:
        """Rate a song. The rating survives a power failure once this returns.

        Parameters
        ----------
        song
            A song, or the id of one of the library.
        stars
            1 to 5; 0 removes the stars; None leaves them unchanged.
        note
            A text of at most 4,000 characters; "" removes the note; None leaves it unchanged.

        Raises
        ------
        InvalidArgument
            Invalid stars or note, a song without id and task id, or an id that is unknown.
        LibraryError
            It could not be written. The previous rating still holds.
        """
        named = self._named_song(song)
        if isinstance(named, str):
            raise InvalidArgument(f"the library has no song {named!r:.60}")
        return ratings.rate(self._database, self._process_lock.id, named, stars, note)

    def rating(self, song: Song | str) -> Rating | None:
        """Return the rating of a song; None without one."""
        return ratings.rating_of(self._database, song)

    def ratings(self) -> list[Rating]:
        """Return all ratings, oldest first."""
        return ratings.all_ratings(self._database)

    # --- display ---------------------------------------------------------------------------

    @property
    def notice(self) -> str:
        """Why purchases cannot be recorded now; "" if they can."""
        try:
            self._database.check_in_place()
        except (ClientClosed, LibraryError) as error:
            return error.message
        return ""

    def _overview(self) -> html.Overview:
        with self._read_current() as connection:
            uncertain = events.entries_in_state(connection, "uncertain")
        return html.Overview(
            self._display_path,
            self.counts(),
            self.account(),
            self.account(simulated=True),
            self.disk_used(),
            uncertain,
            self.notice,
            self.file_notes(),
            adopted_numbers(self._database),
        )

    @markup.safe_repr
    def __repr__(self) -> str:
        closed = f"<Library {self._display_path}: closed>"
        return markup.one_line(closed) if self._closed else html.line(self._overview())

    @markup.html_repr
    def _repr_html_(self) -> str:
        if self._closed:
            return markup.card("Library", facts=markup.facts(self._display_path, "closed"))
        return html.card(self._overview())
