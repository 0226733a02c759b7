"""SQL queries about a library, and the types of their rows."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.ledger_types import Entry, EntryState, FileRef, Media, RenderTime
from musicapi_nb.library import events, media_files
from musicapi_nb.library.database import Database
from musicapi_nb.library.entry import STATES
from musicapi_nb.library.html import Account
from musicapi_nb.library.stored_tasks import tasks_of
from musicapi_nb.tasks import Song

ARCHIVED_MEDIA: tuple[Media, ...] = ("audio", "image")
WITH_TASKS: tuple[EntryState, ...] = ("accepted", "reposting", "done", "failed")
# Older render times say little: the service changes.
_MAX_RENDER_TIMES = 1000
_URGENT_FIRST: tuple[EntryState, ...] = (
    "uncertain",
    *(state for state in STATES if state != "uncertain"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class MissingFile:
    """A file of a finished song that the library lacks."""

    entry: Entry
    song: Song
    media: Media
    url: str


@dataclasses.dataclass(frozen=True, slots=True)
class DamagedFile:
    """A file that is missing or damaged, the song it belongs to, and the damage."""

    song: str
    media: str
    file: FileRef
    problem: str


def states(state: EntryState | None, default: tuple[EntryState, ...]) -> tuple[EntryState, ...]:
    """Return the states that a query is about."""
    if state is None:
        return default
    if state not in STATES:
        raise InvalidArgument(f"{state!r} is not a state; the states are {', '.join(STATES)}")
    return (state,)


def entries(
    connection: sqlite3.Connection, states: Sequence[EntryState], experiment: str | None = None
) -> list[Entry]:
    """Return entries in any of the states, oldest first; of an experiment, one for each cell."""
    marks = ", ".join("?" * len(states))
    if experiment is None:
        return events.entries(connection, f"WHERE state IN ({marks}) ORDER BY id", *states)
    cells = "id IN (SELECT entry FROM cells WHERE experiment=?)"
    where = f"WHERE {cells} AND state IN ({marks}) ORDER BY id"
    return events.entries(connection, where, experiment, *states)


def entries_by_key(
    connection: sqlite3.Connection, request_keys: Collection[str], *, simulated: bool
) -> list[Entry]:
    """Return the entries with these request keys, oldest first."""
    where = "WHERE request_key IN (SELECT value FROM json_each(?)) AND simulated=? ORDER BY id"
    return events.entries(connection, where, json.dumps([*request_keys]), simulated)


def finished_entries(database: Database, entries: Sequence[int]) -> list[int]:
    """Return those of the given entries that have ended."""
    sql = (
        "SELECT id FROM entries WHERE ended_at IS NOT NULL "
        "AND id IN (SELECT value FROM json_each(?))"
    )
    return [number for (number,) in database.rows(sql, str(list(entries)))]


def counts(connection: sqlite3.Connection, experiment: str | None = None) -> dict[EntryState, int]:
    where = "" if experiment is None else "WHERE id IN (SELECT entry FROM cells WHERE experiment=?)"
    rows = connection.execute(
        f"SELECT state, count(*) FROM entries {where} GROUP BY state",  # noqa: S608 - our own names
        () if experiment is None else (experiment,),
    )
    by_state = dict(rows.fetchall())
    return {state: by_state[state] for state in _URGENT_FIRST if state in by_state}


def account(connection: sqlite3.Connection, *, simulated: bool) -> Account:
    row = connection.execute(
        """
        SELECT
            coalesce(sum(price) FILTER (WHERE state IN ('accepted', 'reposting', 'done')
                OR (state = 'failed' AND refunded IS NOT 1)), 0),
            coalesce(sum(price) FILTER (WHERE state = 'failed' AND refunded IS 1), 0),
            coalesce(sum(price) FILTER (WHERE state IN ('uncertain', 'sending')), 0),
            count(*) FILTER (WHERE price IS NULL
                AND state NOT IN ('planned', 'not_run', 'refused'))
        FROM entries WHERE simulated = ?
        """,
        (simulated,),
    ).fetchone()
    return Account(*row)


def missing_files(
    database: Database, files: media_files.MediaFiles, media: Sequence[Media]
) -> Iterator[MissingFile]:
    rows = database.rows("SELECT song, media, sha256, size, suffix FROM attachments")
    present = {
        (song, kind) for song, kind, *ref in rows if media_files.is_complete(files.ref(*ref))
    }
    with database.read() as connection:
        done = events.entries(connection, "WHERE state='done' ORDER BY id")
    for entry, task in tasks_of(database, done):
        for song in task.songs:
            for kind in media:
                url = getattr(song, f"{kind}_url")
                key = media_files.song_key(song), kind
                if song.state == "succeeded" and url and key not in present:
                    yield MissingFile(entry, song, kind, url)


def attached_file(
    connection: sqlite3.Connection, files: media_files.MediaFiles, song: str, media: str
) -> FileRef | None:
    row = connection.execute(
        "SELECT sha256, size, suffix FROM attachments WHERE song=? AND media=?", (song, media)
    ).fetchone()
    return files.ref(*row) if row else None


def damaged_files(database: Database, files: media_files.MediaFiles) -> Iterator[DamagedFile]:
    rows = database.rows(
        "SELECT song, media, sha256, size, suffix FROM attachments ORDER BY song, media"
    )
    for song, media, *columns in rows:
        ref = files.ref(*columns)
        problem = media_files.damage(ref)
        if problem is not None:
            yield DamagedFile(song, media, ref, problem)


def render_times(
    connection: sqlite3.Connection,
    engine: str,
    operation: str,
    model: str | None,
    *,
    simulated: bool,
) -> list[RenderTime]:
    rows = connection.execute(
        "SELECT accepted_at, polled_at, ended_at, model FROM entries WHERE engine=? AND operation=?"
        " AND (?3 IS NULL OR model=?3) AND simulated=? AND state='done' "
        "ORDER BY ended_at DESC LIMIT ?",
        (engine, operation, model, simulated, _MAX_RENDER_TIMES),
    )
    return [
        RenderTime(max((polled or start) - start, 0.0), max(end - start, 0.0), row_model)
        for start, polled, end, row_model in reversed(rows.fetchall())
    ]
