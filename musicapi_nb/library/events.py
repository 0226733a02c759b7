"""Events written, and what they amount to kept beside them: the only place that writes either."""

from __future__ import annotations

import functools
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from musicapi_nb.library.entry import ACTIVE_STATES, Entry, Event, apply_event, check

if TYPE_CHECKING:
    from musicapi_nb.library.entry import EntryState

_FIELDS = Entry.__struct_fields__
_ALL = ", ".join(_FIELDS)
_INSERT = f"INSERT INTO entries ({_ALL}, live) VALUES (?{', ?' * len(_FIELDS)})"  # noqa: S608 - our own names
_ONE = f"SELECT {_ALL} FROM entries WHERE id=?"  # noqa: S608 - our own names
_EVENT = "INSERT INTO events (at, kind, owner, data, raw, entry) VALUES (?, ?, ?, ?, ?, ?)"
_NEXT = "(SELECT coalesce(max(id), 0) + 1 FROM events)"
_FIRST_EVENT = (
    "INSERT INTO events (at, kind, owner, data, raw, entry, id) "  # noqa: S608 - our own
    f"VALUES (?, ?, ?, ?, ?, {_NEXT}, {_NEXT})"
)
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_SIMULATED, _BUDGETS, _REFUNDED = (
    _FIELDS.index(name) for name in ("simulated", "budgets", "refunded")
)


def as_json(value: Any) -> str:
    """Write JSON; NaN and halves of surrogate pairs as Python's own module reads them again."""
    try:
        quick = msgspec.json.encode(value)
    except (UnicodeEncodeError, msgspec.MsgspecError, OverflowError):
        return _ENCODER.encode(value)
    # NaN becomes null there; whatever holds a null is written by the slower hand
    return _ENCODER.encode(value) if b"null" in quick else quick.decode()


def entries(connection: sqlite3.Connection, where: str, *values: Any) -> list[Entry]:
    """Read entries; `where` is SQL of our own."""
    rows = connection.execute(f"SELECT {_ALL} FROM entries {where}", values)  # noqa: S608 - our own names
    return [_entry(row) for row in rows]


def in_state(connection: sqlite3.Connection, state: EntryState) -> list[Entry]:
    """Read the entries in a state that something may still come of, by its index."""
    return entries(connection, "WHERE state=? AND ended_at IS NULL ORDER BY id", state)


def entry(connection: sqlite3.Connection, number: int) -> Entry | None:
    row = connection.execute(_ONE, (number,)).fetchone()
    return _entry(row) if row else None


def _entry(row: tuple[Any, ...]) -> Entry:
    values = list(row)
    values[_SIMULATED] = bool(values[_SIMULATED])
    values[_BUDGETS] = tuple(json.loads(values[_BUDGETS])) if values[_BUDGETS] != "[]" else ()
    if values[_REFUNDED] is not None:
        values[_REFUNDED] = bool(values[_REFUNDED])
    return Entry(*values)


def _row(known: Entry) -> list[Any]:
    """What the table keeps of an entry."""
    row = [*msgspec.structs.astuple(known), _live(known)]
    row[_BUDGETS] = as_json(known.budgets) if known.budgets else "[]"
    return row


def _live(known: Entry) -> bool | None:
    return True if known.state in ACTIVE_STATES else None


def append(  # noqa: PLR0913 - an event has these parts
    connection: sqlite3.Connection,
    kind: str,
    data: Mapping[str, Any],
    *,
    owner: str,
    about: int | None = None,
    raw: str | None = None,
    new: bool = False,
) -> Event:
    """Write one event, and nothing that follows from it; a `new` entry has its number."""
    at = time.time()
    values = (at, kind, owner, as_json(data), raw)
    if new:
        about = number = connection.execute(_FIRST_EVENT, values).lastrowid
    else:
        number = connection.execute(_EVENT, (*values, about)).lastrowid
    return Event(id=number or 0, at=at, kind=kind, entry=about, owner=owner, data=data, raw=raw)


def append_to(  # noqa: PLR0913 - as append
    connection: sqlite3.Connection,
    kind: str,
    data: Mapping[str, Any],
    about: Entry | None,
    *,
    owner: str,
    raw: str | None = None,
) -> Entry:
    """Append an event about an entry (None: a new one) and apply it; return the entry.

    Raises
    ------
    InvalidTransition
        The entry cannot take it; nothing was written.
    """
    check(about, kind)
    event = append(
        connection,
        kind,
        data,
        owner=owner,
        about=about.id if about else None,
        raw=raw,
        new=about is None,
    )
    return _apply(connection, about, event)


def append_unbound(
    connection: sqlite3.Connection, kind: str, data: Mapping[str, Any], *, owner: str
) -> None:
    """Append an event that is about no purchase, and apply it."""
    _apply_other(connection, append(connection, kind, data, owner=owner))


def _apply(connection: sqlite3.Connection, about: Entry | None, event: Event) -> Entry:
    """Keep what the event makes of its entry."""
    now, changed = apply_event(about, event)
    if about is None:
        connection.execute(_INSERT, _row(now))
    elif changed:  # only these: an index on a column that is not named is left alone
        if "budgets" in changed:
            changed["budgets"] = as_json(now.budgets)
        if (now.state in ACTIVE_STATES) is not (about.state in ACTIVE_STATES):
            changed["live"] = _live(now)
        connection.execute(_update(*changed), (*changed.values(), now.id))
    if now.experiment is not None and (about is None or about.experiment is None):
        place_cell(connection, now.experiment, now.cell or now.request_key, now.id)
    _update_budgets(connection, about, now)
    return now


@functools.cache
def _update(*columns: str) -> str:
    marks = ", ".join([f"{column}=?" for column in columns])
    return f"UPDATE entries SET {marks} WHERE id=?"  # noqa: S608 - our own names


def place_cell(connection: sqlite3.Connection, experiment: str, cell: str, number: int) -> None:
    connection.execute(
        "INSERT INTO cells (experiment, cell, entry) VALUES (?, ?, ?) "
        "ON CONFLICT (experiment, cell) DO UPDATE SET entry=excluded.entry",
        (experiment, cell, number),
    )


def _update_budgets(connection: sqlite3.Connection, before: Entry | None, now: Entry) -> None:
    """Let the budgets follow what the entry holds."""
    if not now.budgets:
        return
    more = now.held - (before.held if before else 0)
    if more:
        connection.executemany(
            "UPDATE budgets SET held = held + ? WHERE name=?",
            [(more, name) for name in now.budgets],
        )


def _apply_other(connection: sqlite3.Connection, event: Event) -> None:
    data = event.data
    if event.kind == "budget":
        connection.execute(
            "INSERT INTO budgets (name, credits, assume) VALUES (:name, :credits, :assume) "
            "ON CONFLICT (name) DO UPDATE SET credits=excluded.credits, assume=excluded.assume",
            dict(data),
        )
    elif event.kind == "cell":
        place_cell(connection, data["experiment"], data["cell"], data["entry"])
    elif event.kind == "attached":
        connection.execute(
            "INSERT INTO attached (song, media, sha256, size, suffix) "
            "VALUES (:song, :media, :sha256, :size, :suffix) ON CONFLICT (song, media) "
            "DO UPDATE SET sha256=excluded.sha256, size=excluded.size, suffix=excluded.suffix",
            dict(data),
        )
    elif event.kind == "rated":
        _rate(connection, event)
    elif event.kind == "drawn":
        _draw(connection, event)
    elif event.kind == "answered":
        connection.execute(
            "UPDATE trials SET answer=:answer, chosen=:chosen, seconds=:seconds, answered_at=:at "
            "WHERE test=:test AND number=:number",
            {**data, "at": event.at},
        )


def _rate(connection: sqlite3.Connection, event: Event) -> None:
    if event.data["stars"] is None and not event.data["note"]:
        connection.execute("DELETE FROM ratings WHERE song=?", (event.data["song"],))
        return
    connection.execute(
        "INSERT INTO ratings (song, song_id, task_id, position, stars, note, at, simulated) "
        "VALUES (:song, :song_id, :task_id, :position, :stars, :note, :at, :simulated) "
        "ON CONFLICT (song) DO UPDATE SET song_id=excluded.song_id, task_id=excluded.task_id, "
        "position=excluded.position, stars=excluded.stars, note=excluded.note, at=excluded.at",
        {**event.data, "at": event.at},
    )


def _draw(connection: sqlite3.Connection, event: Event) -> None:
    data = event.data
    connection.execute(
        "INSERT INTO blind_tests (name, factor, at, settings) VALUES (?, ?, ?, ?)",
        (data["name"], data["factor"], event.at, as_json(data["settings"])),
    )
    connection.executemany(
        "INSERT INTO trials (test, number, repeat_of, shown) VALUES (?, ?, ?, ?)",
        [
            (data["name"], number, trial["repeat_of"], as_json(trial["shown"]))
            for number, trial in enumerate(data["trials"], 1)
        ],
    )


def events(connection: sqlite3.Connection, number: int | None = None) -> Iterator[Event]:
    """Read the events, all of them or those of one entry, in the order in which they happened."""
    where = "" if number is None else "WHERE entry=?"
    rows = connection.execute(
        f"SELECT id, at, kind, entry, owner, data, raw FROM events {where} ORDER BY id",  # noqa: S608 - our own
        () if number is None else (number,),
    )
    for row in rows:
        yield Event(
            id=row[0],
            at=row[1],
            kind=row[2],
            entry=row[3],
            owner=row[4],
            data=json.loads(row[5]),
            raw=row[6],
        )


def rebuild(connection: sqlite3.Connection) -> None:
    """Make the tables beside the events anew, from the events alone."""
    tables = ("entries", "cells", "budgets", "attached", "ratings", "blind_tests", "trials")
    for table in tables:
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    known: dict[int, Entry] = {}
    for event in list(events(connection)):
        if event.entry is None:
            _apply_other(connection, event)
            continue
        before = known.get(event.entry)
        known[event.entry] = _apply(connection, before, event)
