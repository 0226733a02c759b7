"""Merging: everything of another library becomes part of this one."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from musicapi_nb import markup
from musicapi_nb.errors import InvalidArgument, LibraryError, MissingFile
from musicapi_nb.library import events, stored_tasks
from musicapi_nb.library.adoption import Adopter
from musicapi_nb.library.database import Database
from musicapi_nb.library.default_folder import DATABASE
from musicapi_nb.library.html import format_bytes
from musicapi_nb.library.measurements import copy_measurements
from musicapi_nb.library.media_files import MediaFiles, attachment, is_complete
from musicapi_nb.library.merged_purchases import PurchaseMerger, RenumberedTake
from musicapi_nb.library.process_lock import ProcessLock
from musicapi_nb.paths import absolute_path

_LOCK_TIMEOUT = 10.0  # seconds
_MAX_TAKES = 10  # that a card lists


@dataclasses.dataclass(frozen=True, slots=True)
class Merge:
    """What was taken over from another library.

    Attributes
    ----------
    new, updated, unchanged
        Number of its purchases and adopted tasks that were not here; of those that were, and have
        ended or changed since; and of the others.
    files, size
        Number of songs' files that were copied, and their bytes.
    missing_files
        Number of files that it lacks as well, or that are damaged there.
    ratings, answers
        Number of ratings and of blind answers that were taken over.
    takes
        Takes that both libraries had bought: those of the other have new numbers.
    renamed_tests
        New names, by old name, of blind tests whose name another test has here.
    """

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    files: int = 0
    size: int = 0
    missing_files: int = 0
    ratings: int = 0
    answers: int = 0
    takes: tuple[RenumberedTake, ...] = ()
    renamed_tests: dict[str, str] = dataclasses.field(default_factory=dict)

    def _facts(self) -> list[str]:
        facts = [f"{markup.plural(self.new, 'task')} new"]
        facts += [f"{self.updated:,} updated"] if self.updated else []
        facts += [f"{self.unchanged:,} there before"] if self.unchanged else []
        if self.files:
            facts.append(f"{markup.plural(self.files, 'file')} ({format_bytes(self.size)}) copied")
        if self.missing_files:
            facts.append(f"{markup.plural(self.missing_files, 'file')} missing there")
        facts += [markup.plural(self.ratings, "rating")] if self.ratings else []
        facts += [markup.plural(self.answers, "blind answer")] if self.answers else []
        return facts

    def _remarks(self) -> list[str]:
        remarks = [
            f"{item.operation}, take {item.take} there, is take {item.new_take} here"
            for item in self.takes[:_MAX_TAKES]
        ]
        more = len(self.takes) - _MAX_TAKES
        remarks += [f"so are {more:,} more, see .takes"] if more > 0 else []
        return remarks + [
            f"the blind test {old!r} is called {new!r} here"
            for old, new in self.renamed_tests.items()
        ]

    def __repr__(self) -> str:
        lines = [f"<Merge: {', '.join(self._facts())}>"]
        return "\n".join(map(markup.one_line, [*lines, *(f"- {text}" for text in self._remarks())]))

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.card(
            "Merged", *map(markup.caption, self._remarks()), facts=markup.facts(*self._facts())
        )


class _Other(NamedTuple):
    """Another library, open for reading."""

    path: Path
    database: Database
    files: MediaFiles
    process_lock: ProcessLock


@dataclasses.dataclass(slots=True)
class _Copies:
    """The files of songs in the other library, as event data, and the copied files."""

    attachments: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    new: int = 0
    size: int = 0
    missing: int = 0


def merge(
    database: Database, files: MediaFiles, process_lock: ProcessLock, other: str | os.PathLike[str]
) -> Merge:
    """Merge the library in the folder `other` into that of `database`; see `Library.merge`."""
    database.check_in_place()
    with _open(other, database.path.parent) as source:
        _check_settled(source)
        copies = _copy_files(database, files, process_lock.id, source)
        with database.write(durable=True):
            result = _merge_tables(database, process_lock, source, copies.attachments)
    return dataclasses.replace(
        result, files=copies.new, size=copies.size, missing_files=copies.missing
    )


@contextlib.contextmanager
def _open(folder: str | os.PathLike[str], target: Path) -> Iterator[_Other]:
    """Open a library for reading, in one snapshot."""
    path = absolute_path(folder)
    if not (path / DATABASE).is_file():
        raise MissingFile(f"there is no library in {path}")
    if path.samefile(target):
        raise InvalidArgument("a library cannot be merged into itself; pass the other folder")
    with contextlib.closing(
        Database(path / DATABASE, lock_timeout=_LOCK_TIMEOUT, read_only=True)
    ) as database:
        process_lock = ProcessLock(path / "open", read_only=True)
        with database.read() as connection:
            connection.execute("BEGIN")
            yield _Other(path, database, MediaFiles(path / "files", process_lock), process_lock)


def _check_settled(source: _Other) -> None:
    """Raise if an open session on the other library is sending a request."""
    connection = source.database.connection
    sent = events.entries_in_state(connection, "sending")
    sent += events.entries_in_state(connection, "reposting")
    alive = [entry for entry in sent if entry.owner and source.process_lock.is_alive(entry.owner)]
    if alive:
        raise LibraryError(
            f"an open session is sending {markup.plural(len(alive), 'request')} of the library "
            f"{source.path}, so it cannot be merged now. Wait for the reply or close that session, "
            "then merge again; nothing was changed"
        )


# --- files -----------------------------------------------------------------------------------


def _copy_files(database: Database, files: MediaFiles, owner: str, source: _Other) -> _Copies:
    """Copy the files that this library lacks, before anything refers to them."""
    query = "SELECT song, media, sha256, size, suffix, note FROM attachments"
    complete = {
        (song, media)
        for song, media, *columns, _ in database.rows(query)
        if is_complete(files.ref(*columns))
    }
    copies = _Copies()
    for song, media, *columns, note in source.database.rows(f"{query} ORDER BY song, media"):
        if (song, media) in complete:
            continue
        if not copies.attachments and not database.has_mark:
            with database.write(durable=True) as target:  # else its files look like a lost database
                events.append_unbound(target, "merging", {}, owner=owner)
        is_new = not is_complete(files.ref(*columns))
        file = files.copy(source.files.ref(*columns))
        if file is None:
            copies.missing += 1
            continue
        copies.new += is_new
        copies.size += file.size * is_new
        copies.attachments.append(attachment(song, media, file, note))
    return copies


# --- tables ----------------------------------------------------------------------------------


def _merge_tables(
    database: Database,
    process_lock: ProcessLock,
    source: _Other,
    attachments: Iterable[dict[str, Any]],
) -> Merge:
    """Merge all but the files, in the open transaction."""
    connection, target, owner = source.database.connection, database.connection, process_lock.id
    _merge_budgets(connection, target, owner)
    purchases = PurchaseMerger(connection, target, process_lock)
    purchases.merge()
    adopter = Adopter(database, owner, simulated=False)
    where = "WHERE request_key='' AND state != 'not_run' ORDER BY id"
    adopted = events.entries(connection, where)
    for _, task in stored_tasks.tasks_of(source.database, adopted):
        adopter.adopt(target, task)
    counts = adopter.result()
    for data in attachments:
        events.append_unbound(target, "attached", data, owner=owner)
    ratings = _merge_ratings(connection, target, owner)
    answers, renamed = _merge_blind_tests(connection, target, owner)
    copy_measurements(connection, target)
    return Merge(
        new=purchases.new + counts.new,
        updated=purchases.updated + counts.updated,
        unchanged=purchases.unchanged + counts.unchanged,
        takes=tuple(purchases.takes),
        ratings=ratings,
        answers=answers,
        renamed_tests=renamed,
    )


def _merge_budgets(source: sqlite3.Connection, target: sqlite3.Connection, owner: str) -> None:
    """Take over the budgets of other names; the limit of one that is here stays."""
    names = {name for (name,) in target.execute("SELECT name FROM budgets")}
    rows = source.execute("SELECT name, credits, assume FROM budgets ORDER BY name")
    for name, credits_, assume in rows.fetchall():
        if name not in names:
            data = {"name": name, "credits": credits_, "assume": assume}
            events.append_unbound(target, "budget", data, owner=owner)


def _merge_ratings(source: sqlite3.Connection, target: sqlite3.Connection, owner: str) -> int:
    """Take over the ratings that are later than those of the same songs here; count them."""
    latest = dict(
        target.execute(
            "SELECT json_extract(data, '$.song'), max(at) FROM events WHERE kind='rated' GROUP BY 1"
        )
    )
    cursor = source.execute(
        "SELECT song, song_id, task_id, position, stars, note, simulated, at FROM ratings "
        "ORDER BY at, song"
    )
    names = [column[0] for column in cursor.description]
    later = 0
    for row in cursor.fetchall():
        data: dict[str, Any] = dict(zip(names, row, strict=True))
        at = data.pop("at")
        data["simulated"] = bool(data["simulated"])
        if at > latest.get(data["song"], 0.0):
            events.append_unbound(target, "rated", data, owner=owner, at=at)
            later += 1
    return later


def _merge_blind_tests(
    source: sqlite3.Connection, target: sqlite3.Connection, owner: str
) -> tuple[int, dict[str, str]]:
    """Take over blind tests, and the answers to trials that have none here."""
    names_here = {
        event.identity: event.data["name"] for event in events.events_of_kind(target, "drawn")
    }
    names = {name for (name,) in target.execute("SELECT name FROM blind_tests")}
    new_names: dict[str, str] = {}  # by the name in the other library
    for event in list(events.events_of_kind(source, "drawn")):
        name = event.data["name"]
        if event.identity in names_here:
            new_names[name] = names_here[event.identity]
            continue
        new_names[name] = new = _free_name(name, names)
        names.add(new)
        data = {**event.data, "name": new, "origin": event.identity[1]}
        by = event.owner or owner
        events.append_unbound(target, "drawn", data, owner=by, at=event.recorded_at)
    answers = 0
    query = "SELECT test, number, answer, chosen, seconds, answered_at FROM trials"
    for test, number, answer, chosen, seconds, at in source.execute(
        f"{query} WHERE answer IS NOT NULL ORDER BY answered_at, test, number"
    ).fetchall():
        is_open = "SELECT 1 FROM trials WHERE test=? AND number=? AND answer IS NULL"
        if test in new_names and target.execute(is_open, (new_names[test], number)).fetchone():
            data = {"test": new_names[test], "number": number, "answer": answer, "chosen": chosen}
            events.append_unbound(
                target, "answered", {**data, "seconds": seconds}, owner=owner, at=at
            )
            answers += 1
    return answers, {old: new for old, new in new_names.items() if old != new}


def _free_name(name: str, names: set[str]) -> str:
    """Return a name that no test has: "mood", else "mood (2)"."""
    number, free = 2, name
    while free in names:
        free = f"{name} ({number})"
        number += 1
    return free
