"""Questions to a library: what is there, what is missing, what it cost, how long it took."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from musicapi_nb.library import events, media_files
from musicapi_nb.library.entry import STATES
from musicapi_nb.library.html import Account
from musicapi_nb.library.ledger import tasks_of
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb.library.database import Database
    from musicapi_nb.library.entry import Entry, EntryState

Media: TypeAlias = Literal["audio", "image", "video"]
MEDIA: tuple[Media, ...] = ("audio", "image")
WITH_TASKS: tuple[EntryState, ...] = ("accepted", "reposting", "done", "failed")


@dataclasses.dataclass(frozen=True, slots=True)
class Unfinished:
    """A purchase that the service still works on, and its task as last seen."""

    entry: Entry
    task: Task


@dataclasses.dataclass(frozen=True, slots=True)
class MissingFile:
    """A file that a finished song should have here."""

    entry: Entry
    song: Song
    media: Media
    url: str


# What is longer ago says little: the service changes.
_RECENT = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class RenderTime:
    """Seconds from acceptance to the end, known to lie between two looks.

    `low` is the last look that found it unfinished (0.0: there was none), `high` the first one
    that found it finished.
    """

    low: float
    high: float
    model: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """Credits that may be used, and those that are taken: spent, under way, perhaps spent.

    `assume` is what a request counts whose price is not known; None: it is refused.
    """

    name: str
    credits: int
    held: int
    assume: int | None = None

    @property
    def left(self) -> int:
        return max(self.credits - self.held, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class DamagedFile:
    """A file that is missing or not what it was, of which song it is, and what is wrong."""

    song: str
    media: str
    file: media_files.FileRef
    what: str


def entries(
    connection: sqlite3.Connection, states: Sequence[EntryState], experiment: str | None
) -> list[Entry]:
    """Entries in any of the states, oldest first; of an experiment, one for each cell."""
    marks = ", ".join("?" * len(states))
    if experiment is None:
        return events.entries(connection, f"WHERE state IN ({marks}) ORDER BY id", *states)
    of = "id IN (SELECT entry FROM cells WHERE experiment=?)"
    where = f"WHERE {of} AND state IN ({marks}) ORDER BY id"
    return events.entries(connection, where, experiment, *states)


def counts(connection: sqlite3.Connection, experiment: str | None) -> dict[EntryState, int]:
    of = "" if experiment is None else "WHERE id IN (SELECT entry FROM cells WHERE experiment=?)"
    rows = connection.execute(
        f"SELECT state, count(*) FROM entries {of} GROUP BY state",  # noqa: S608 - our own words
        () if experiment is None else (experiment,),
    )
    found = dict(rows.fetchall())
    return {state: found[state] for state in _URGENT_FIRST if state in found}


_URGENT_FIRST: tuple[EntryState, ...] = (
    "uncertain",
    *(state for state in STATES if state != "uncertain"),
)


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
    store: Database, shelf: media_files.Files, media: Sequence[Media]
) -> Iterator[MissingFile]:
    rows = store.rows("SELECT song, media, sha256, size, suffix FROM attached")
    there = {(song, kind) for song, kind, *named in rows if media_files.is_whole(shelf.ref(*named))}
    with store.read() as connection:
        done = events.entries(connection, "WHERE state='done' ORDER BY id")
    for entry, task in tasks_of(store, done):
        for song in task.songs:
            for kind in media:
                url = getattr(song, f"{kind}_url")
                if (
                    song.state == "succeeded"
                    and url
                    and (media_files.song_key(song), kind) not in there
                ):
                    yield MissingFile(entry, song, kind, url)


def attached(
    connection: sqlite3.Connection, store: media_files.Files, song: str, media: str
) -> media_files.FileRef | None:
    row = connection.execute(
        "SELECT sha256, size, suffix FROM attached WHERE song=? AND media=?", (song, media)
    ).fetchone()
    return store.ref(*row) if row else None


def damaged(store: Database, shelf: media_files.Files) -> Iterator[DamagedFile]:
    rows = store.rows("SELECT song, media, sha256, size, suffix FROM attached ORDER BY song, media")
    for song, media, *named in rows:
        ref = shelf.ref(*named)
        what = media_files.damage(ref)
        if what is not None:
            yield DamagedFile(song, media, ref, what)


def render_times(
    connection: sqlite3.Connection, name: tuple[str, str], model: str | None, *, simulated: bool
) -> list[RenderTime]:
    rows = connection.execute(
        "SELECT accepted_at, polled_at, ended_at, model FROM entries WHERE engine=? AND operation=?"
        " AND (?3 IS NULL OR model=?3) AND simulated=? AND state='done' "
        "ORDER BY ended_at DESC LIMIT ?",
        (*name, model, simulated, _RECENT),
    )
    return [
        RenderTime(max((looked or start) - start, 0.0), max(end - start, 0.0), of)
        for start, looked, end, of in reversed(rows.fetchall())
    ]


def budgets(connection: sqlite3.Connection) -> list[Budget]:
    rows = connection.execute("SELECT name, credits, held, assume FROM budgets ORDER BY name")
    return [Budget(*row) for row in rows]
