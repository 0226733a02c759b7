"""Adoption: songs that were bought elsewhere become entries without a purchase."""

from __future__ import annotations

import itertools
import sqlite3
from collections import defaultdict
from typing import Any

from msgspec.structs import replace

from musicapi_nb.engines import model_of
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.ledger_types import Adoption, AdoptionIssue, Entry
from musicapi_nb.library import events, stored_tasks
from musicapi_nb.library._request_key import to_json
from musicapi_nb.library.database import Database
from musicapi_nb.tasks import Task

_BATCH = 256  # replies of one transaction
_NOTHING_TO_ADOPT = "it names no task, and has no song with an id"
_NO_REPLY = "a task id has no reply: api.adopt(...) of a session asks the service for it"


def adopt(database: Database, owner: str, source: Any, *, simulated: bool) -> Adoption:
    """Adopt the tasks of a source; see `Library.adopt`."""
    from musicapi_nb.frames.inputs import parse_replies  # noqa: PLC0415 - loads pandas
    from musicapi_nb.frames.task_ids import has_task_ids  # noqa: PLC0415 - as above

    if has_task_ids(source):
        raise InvalidArgument(_NO_REPLY)
    database.check_in_place()
    adopter = Adopter(database, owner, simulated=simulated)
    replies = parse_replies(source)
    while batch := list(itertools.islice(replies, _BATCH)):
        with database.write(durable=True) as connection:
            for parsed in batch:
                if parsed.task is None or not _can_be_adopted(parsed.task):
                    issue = parsed.issues[0].message if parsed.task is None else _NOTHING_TO_ADOPT
                    adopter.issues.append(AdoptionIssue(parsed.origin, parsed.task_id, issue))
                else:
                    adopter.adopt(connection, parsed.task)
    return adopter.result()


def adopt_task(database: Database, connection: sqlite3.Connection, owner: str, task: Task) -> bool:
    """Adopt one task, in the open transaction; return whether that changed anything."""
    adopter = Adopter(database, owner, simulated=task.simulated)
    adopter.adopt(connection, task)
    return not adopter.result().unchanged


def _can_be_adopted(task: Task) -> bool:
    """Return whether a task can be recognized again: by its id, or by those of its songs."""
    return bool(task.id) or (task.raw is not None and bool(_song_ids(task)))


def _song_ids(task: Task) -> frozenset[str]:
    return frozenset(song.id for song in task.songs if song.id)


class Adopter:
    """The entries of adopted tasks, and the counts of changes."""

    def __init__(self, database: Database, owner: str, *, simulated: bool) -> None:
        self._database, self._owner, self._simulated = database, owner, simulated
        self._songs: _SongIndex | None = None
        self._has_unnamed: bool | None = None  # whether there are entries without a task id
        self._batches: dict[tuple[str | None, bool], int] | None = None  # by ids of their parts
        self._entries: dict[int, str] = {}  # what was done with each
        self.issues: list[AdoptionIssue] = []

    def result(self) -> Adoption:
        done = list(self._entries.values())
        counts = {name: done.count(name) for name in ("new", "updated", "unchanged")}
        return Adoption(tuple(self._entries), **counts, issues=tuple(self.issues))

    def adopt(self, connection: sqlite3.Connection, task: Task) -> None:
        """Record a task, unless the library has all of it."""
        simulated = task.simulated or self._simulated
        entry = self._entry_of(connection, task, simulated=simulated)
        batch = self._batch_of(connection, task, simulated=simulated) if entry is None else None
        if batch is not None:
            self._entries.setdefault(batch, "unchanged")
            return
        if entry is not None and not _tells_more(connection, entry, task):
            self._entries.setdefault(entry.id, "unchanged")
            return
        if entry is not None and _is_outdated(entry, task):  # only its id is new
            task = replace(stored_tasks.task_of(connection, entry), id=task.id)
        after = events.append_to(
            connection,
            "adopted",
            _event_data(task, simulated=simulated),
            entry,
            owner=self._owner,
            raw=stored_tasks.raw_text(task),
        )
        if self._songs is not None:
            self._songs.add(after, task)
        if task.parts:
            self._batches = None
        if entry is None:
            self._entries[after.id] = "new"
        elif self._entries.get(after.id) != "new":
            self._entries[after.id] = "updated"

    def _entry_of(
        self, connection: sqlite3.Connection, task: Task, *, simulated: bool
    ) -> Entry | None:
        """Return the entry of a task: the one with its id, else the one with its songs."""
        if task.id is not None:
            of_task = "WHERE task_id=? AND simulated=? AND state != 'not_run'"
            for entry in events.entries(connection, of_task, task.id, simulated):
                if not (entry.engine and task.engine) or entry.engine == task.engine:
                    return entry
        if self._has_unnamed is None:
            self._has_unnamed = _has_unnamed(connection)
        if self._songs is None and (task.id is None or self._has_unnamed):
            self._songs = _SongIndex(self._database)
        if self._songs is None:
            return None
        number = self._songs.find(task, simulated=simulated)
        return None if number is None else events.entry(connection, number)

    def _batch_of(
        self, connection: sqlite3.Connection, task: Task, *, simulated: bool
    ) -> int | None:
        """Return the entry of the batch that has a task as one of its parts."""
        if task.id is None:
            return None
        if self._batches is None:
            of_batches = "WHERE operation='batch' AND state != 'not_run' AND reply_event NOT NULL"
            batches = events.entries(connection, of_batches)
            self._batches = {
                (part.id, entry.simulated): entry.id
                for entry, batch in stored_tasks.tasks_of(self._database, batches)
                for part in batch.parts
            }
        return self._batches.get((task.id, simulated))


def _has_unnamed(connection: sqlite3.Connection) -> bool:
    query = "SELECT 1 FROM entries WHERE request_key='' AND task_id IS NULL LIMIT 1"
    return connection.execute(query).fetchone() is not None


def _is_outdated(entry: Entry, task: Task) -> bool:
    """Return whether a reply cannot be the latest: the task has ended, or has songs."""
    ended = entry.state != "accepted"
    return ended and (not task.finished or (entry.state, task.state) == ("done", "failed"))


def _tells_more(connection: sqlite3.Connection, entry: Entry, task: Task) -> bool:
    """Return whether the library lacks a reply. Its own purchases are never changed by one."""
    if not entry.adopted:
        return False
    if entry.task_id is None and task.id is not None:
        return True
    if task.raw is None:  # only the HTTP status of a reply showed a failure
        return entry.state == "accepted" and task.state == "failed"
    if _is_outdated(entry, task):
        return False
    query = "SELECT 1 FROM events WHERE entry=? AND raw=?"
    raw = stored_tasks.raw_text(task)
    return connection.execute(query, (entry.id, raw)).fetchone() is None


def _event_data(task: Task, *, simulated: bool) -> dict[str, Any]:
    data = stored_tasks.to_event(task)
    if task.raw is None and task.state != "failed":  # without a reply: the service can be asked
        data = {"task_id": task.id}
    request = task.request
    data |= {"request_key": "", "simulated": simulated, "take": task.take}
    data |= {"engine": task.engine or "", "operation": task.operation or ""}
    return (
        data
        if request is None
        else data | {"request": to_json(request), "model": model_of(request)}
    )


class _SongIndex:
    """Which entries have which songs: replies without a task id are recognized by their songs."""

    def __init__(self, database: Database) -> None:
        self._entries: defaultdict[tuple[str, bool], set[int]] = defaultdict(set)
        self._unnamed: dict[int, frozenset[str]] = {}  # entries without a task id
        with database.read() as connection:
            entries = events.entries(connection, "WHERE reply_event IS NOT NULL ORDER BY id")
        for entry, task in stored_tasks.tasks_of(database, entries):
            if entry.state != "not_run":
                self.add(entry, task)

    def add(self, entry: Entry, task: Task) -> None:
        ids = _song_ids(task)
        for song in ids:
            self._entries[song, entry.simulated].add(entry.id)
        self._unnamed.pop(entry.id, None)
        if entry.adopted and entry.task_id is None:
            self._unnamed[entry.id] = ids

    def find(self, task: Task, *, simulated: bool) -> int | None:
        """Return the entry that a task is about.

        That is an entry with all of its songs, if the task or the entry has no id; or an adopted
        entry without an id, all of whose songs the task has.
        """
        ids = _song_ids(task)
        if not ids:
            return None
        having = [self._entries.get((song, simulated), set()) for song in ids]
        complete = set.intersection(*having)
        if task.id is not None:
            complete &= self._unnamed.keys()
        if complete:
            return min(complete)
        parts = [number for number in set.union(*having) if self._unnamed.get(number, {""}) <= ids]
        return min(parts, default=None)


def supersede_adopted(connection: sqlite3.Connection, entry: Entry, owner: str) -> None:
    """Hide the adopted entry of a task that turns out to be a purchase of this library.

    For example an uncertain purchase, whose task was adopted before it was resolved by that id.
    """
    if entry.task_id is None or entry.adopted:
        return
    # "+": not through the index of request keys, which has all adopted entries under one key
    of_task = "WHERE task_id=? AND simulated=? AND +request_key='' AND state != 'not_run'"
    for adopted in events.entries(connection, of_task, entry.task_id, entry.simulated):
        if adopted.engine in {"", entry.engine}:
            note = f"its task is that of entry {entry.id}"
            events.append_to(connection, "superseded", {"note": note}, adopted, owner=owner)


def purchase_of_task(connection: sqlite3.Connection, adopted: Entry) -> Entry | None:
    """Return the purchase that superseded an adopted entry."""
    of_task = "WHERE task_id=? AND simulated=? AND +request_key != '' ORDER BY id DESC"
    purchases = events.entries(connection, of_task, adopted.task_id, adopted.simulated)
    return next((entry for entry in purchases if adopted.engine in {"", entry.engine}), None)


def adopted_numbers(database: Database) -> int:
    """Return how many entries are adopted."""
    query = "SELECT count(*) FROM entries WHERE request_key='' AND state != 'not_run'"
    return int(database.rows(query)[0][0])
