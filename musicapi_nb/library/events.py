"""Append events and update the tables derived from them. The only module that writes either."""

from __future__ import annotations

import functools
import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from musicapi_nb.engines.values import whole_number
from musicapi_nb.errors import InvalidTransition
from musicapi_nb.ledger_types import Entry, EntryState
from musicapi_nb.library.entry import ACTIVE_STATES, Event, apply_event, check_allowed

_FIELDS = Entry.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_INSERT = f"INSERT INTO entries ({_COLUMNS}, active) VALUES (?{', ?' * len(_FIELDS)})"  # noqa: S608 - our own names
_DERIVED_TABLES = ("entries", "cells", "budgets", "attachments", "ratings", "blind_tests", "trials")
_TABLES_OF_TRIGGERS = ("totals", "files")  # emptied last, since emptying the others changes them
# What events that do not concern a purchase change, by their kind.
_UNBOUND = {
    "budget": (
        "INSERT INTO budgets (name, credits, assume) VALUES (:name, :credits, :assume) "
        "ON CONFLICT (name) DO UPDATE SET credits=excluded.credits, assume=excluded.assume"
    ),
    "cell": (
        "INSERT OR REPLACE INTO cells (experiment, cell, entry) VALUES (:experiment, :cell, :entry)"
    ),
    "attached": (
        "INSERT OR REPLACE INTO attachments (song, media, sha256, size, suffix, note) "
        "VALUES (:song, :media, :sha256, :size, :suffix, :note)"
    ),
    "rated": (
        "INSERT OR REPLACE INTO ratings "
        "(song, song_id, task_id, position, stars, note, at, simulated) "
        "VALUES (:song, :song_id, :task_id, :position, :stars, :note, :at, :simulated)"
    ),
    "answered": (
        "UPDATE trials SET answer=:answer, chosen=:chosen, seconds=:seconds, answered_at=:at "
        "WHERE test=:test AND number=:number"
    ),
}
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_SIMULATED, _BUDGETS, _REFUNDED = (
    _FIELDS.index(name) for name in ("simulated", "budgets", "refunded")
)


def as_json(value: Any) -> str:
    """Encode JSON. NaN and lone surrogates survive a round trip through the json module."""
    try:
        encoded = msgspec.json.encode(value)
    except (UnicodeEncodeError, msgspec.MsgspecError, OverflowError):
        return _ENCODER.encode(value)
    # msgspec turns NaN into null, so anything that contains null goes through the json module.
    return _ENCODER.encode(value) if b"null" in encoded else encoded.decode()


# --- entries -------------------------------------------------------------------------------


def entries(connection: sqlite3.Connection, where: str, *parameters: Any) -> list[Entry]:
    """Read entries. `where` is trusted SQL."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM entries {where}", parameters)  # noqa: S608 - our own names
    return [_from_row(row) for row in rows]


def entries_in_state(connection: sqlite3.Connection, state: EntryState) -> list[Entry]:
    """Read the entries in one of the open states, through its index."""
    return entries(connection, "WHERE state=? AND ended_at IS NULL ORDER BY id", state)


def entry(connection: sqlite3.Connection, number: int) -> Entry | None:
    return next(iter(entries(connection, "WHERE id=?", number)), None)


def require_entry(connection: sqlite3.Connection, number: int) -> Entry:
    """Return an entry; InvalidTransition if there is none."""
    whole = whole_number(number)  # also one of a frame's column
    result = None if whole is None or whole >= 2**63 else entry(connection, whole)
    if result is None:
        raise InvalidTransition(f"the library has no entry {number}")
    return result


def _from_row(row: tuple[Any, ...]) -> Entry:
    values = list(row)
    values[_SIMULATED] = bool(values[_SIMULATED])
    values[_BUDGETS] = tuple(json.loads(values[_BUDGETS])) if values[_BUDGETS] != "[]" else ()
    if values[_REFUNDED] is not None:
        values[_REFUNDED] = bool(values[_REFUNDED])
    return Entry(*values)


def _to_row(entry: Entry) -> list[Any]:
    row = [*msgspec.structs.astuple(entry), _active(entry)]
    row[_BUDGETS] = as_json(entry.budgets) if entry.budgets else "[]"
    return row


def _active(entry: Entry) -> bool | None:
    return True if entry.state in ACTIVE_STATES and not entry.adopted else None


# --- appending -----------------------------------------------------------------------------


def _append(  # noqa: PLR0913 - the columns of an event
    connection: sqlite3.Connection,
    kind: str,
    data: Mapping[str, Any],
    *,
    owner: str,
    number: int | None,
    raw: str | None = None,
    at: float | None = None,
) -> Event:
    """Append an event about entry `number`; 0: a new entry, whose number is the event's id.

    `at` is the time (unix seconds) of an event that another library recorded, else it is now.
    """
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
    number = last + 1 if number == 0 else number
    moment = time.time() if at is None else at
    event = Event(last + 1, moment, kind, number, owner, data, raw)
    connection.execute(
        "INSERT INTO events (id, at, kind, entry, owner, data, raw) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (event.id, event.recorded_at, kind, number, owner, as_json(data), raw),
    )
    return event


def append_to(  # noqa: PLR0913 - the columns of an event
    connection: sqlite3.Connection,
    kind: str,
    data: Mapping[str, Any],
    entry: Entry | None,
    *,
    owner: str,
    raw: str | None = None,
    at: float | None = None,
) -> Entry:
    """Append an event about an entry (None: a new one) and apply it; return the entry.

    Raise `InvalidTransition`, before anything is written, if the event may not follow.
    """
    check_allowed(entry, kind)
    number = entry.id if entry else 0
    event = _append(connection, kind, data, owner=owner, number=number, raw=raw, at=at)
    return _apply(connection, entry, event)


def append_unbound(
    connection: sqlite3.Connection,
    kind: str,
    data: Mapping[str, Any],
    *,
    owner: str,
    at: float | None = None,
) -> None:
    """Append an event that does not concern a purchase, and apply it."""
    _apply_unbound(connection, _append(connection, kind, data, owner=owner, number=None, at=at))


# --- applying ------------------------------------------------------------------------------


def _apply(connection: sqlite3.Connection, before: Entry | None, event: Event) -> Entry:
    """Update the derived tables by an event about an entry; return the entry."""
    after, changes = apply_event(before, event)
    if before is None:
        connection.execute(_INSERT, _to_row(after))
    elif changes:  # naming only these columns spares the indexes on others
        if "budgets" in changes:
            changes["budgets"] = as_json(after.budgets)
        if _active(after) is not _active(before):
            changes["active"] = _active(after)
        connection.execute(_update(*changes), (*changes.values(), after.id))
    if after.experiment is not None and (before is None or before.experiment is None):
        cell = {"experiment": after.experiment, "cell": after.request_key, "entry": after.id}
        connection.execute(_UNBOUND["cell"], cell)
    _update_budgets(connection, before, after)
    return after


@functools.cache
def _update(*columns: str) -> str:
    assignments = ", ".join([f"{column}=?" for column in columns])
    return f"UPDATE entries SET {assignments} WHERE id=?"  # noqa: S608 - our own names


def _update_budgets(connection: sqlite3.Connection, before: Entry | None, after: Entry) -> None:
    """Add the change of the credits that an entry holds to its budgets."""
    if not after.budgets:
        return
    difference = after.held - (before.held if before else 0)
    if difference:
        connection.executemany(
            "UPDATE budgets SET held = held + ? WHERE name=?",
            [(difference, name) for name in after.budgets],
        )


def _apply_unbound(connection: sqlite3.Connection, event: Event) -> None:
    values = {"note": "", **event.data, "at": event.recorded_at}
    if event.kind == "drawn":
        _insert_blind_test(connection, event)
    elif event.kind == "rated" and values["stars"] is None and not values["note"]:
        connection.execute("DELETE FROM ratings WHERE song=:song", values)
    elif event.kind in _UNBOUND:
        connection.execute(_UNBOUND[event.kind], values)


def _insert_blind_test(connection: sqlite3.Connection, event: Event) -> None:
    data = event.data
    connection.execute(
        "INSERT INTO blind_tests (name, factor, at, settings) VALUES (?, ?, ?, ?)",
        (data["name"], data["factor"], event.recorded_at, as_json(data["settings"])),
    )
    connection.executemany(
        "INSERT INTO trials (test, number, repeat_of, shown) VALUES (?, ?, ?, ?)",
        [
            (data["name"], number, trial["repeat_of"], as_json(trial["shown"]))
            for number, trial in enumerate(data["trials"], 1)
        ],
    )


# --- reading -------------------------------------------------------------------------------


def events(connection: sqlite3.Connection, number: int | None = None) -> Iterator[Event]:
    """Yield all events, or those of one entry, in the order in which they were appended."""
    where = "" if number is None else "WHERE entry=?"
    return _read_events(connection, where, *([] if number is None else [number]))


def events_of_kind(connection: sqlite3.Connection, kind: str) -> Iterator[Event]:
    """Yield the events of a kind, in the order in which they were appended."""
    return _read_events(connection, "WHERE kind=?", kind)


def _read_events(connection: sqlite3.Connection, where: str, *parameters: Any) -> Iterator[Event]:
    rows = connection.execute(
        f"SELECT id, at, kind, entry, owner, data, raw FROM events {where} ORDER BY id",  # noqa: S608 - our own names
        parameters,
    )
    for event_id, at, kind, entry_id, owner, data, raw in rows:
        yield Event(event_id, at, kind, entry_id, owner, json.loads(data), raw)


def rebuild(connection: sqlite3.Connection) -> None:
    """Recreate the derived tables from the events."""
    for table in (*_DERIVED_TABLES, *_TABLES_OF_TRIGGERS):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    latest: dict[int, Entry] = {}
    for event in list(events(connection)):
        if event.entry is None:
            _apply_unbound(connection, event)
        else:
            latest[event.entry] = _apply(connection, latest.get(event.entry), event)


def latest_ended(connection: sqlite3.Connection, key: str, *, simulated: bool) -> Entry | None:
    """Return the latest failed or refused entry of a request."""
    where = (
        "WHERE request_key=? AND simulated=? AND active IS NULL AND state IN ('failed', 'refused')"
    )
    latest = f"{where} ORDER BY id DESC LIMIT 1"
    return next(iter(entries(connection, latest, key, simulated)), None)


def is_unsettled(connection: sqlite3.Connection, entry: Entry) -> bool:
    """Return whether it failed without a reported refund, and no person has settled it."""
    settled = (
        "SELECT 1 FROM events WHERE entry=? AND kind='charged' "
        "AND json_extract(data, '$.state') IS NULL"  # with a state, it is from a reply
    )
    return entry.failed_and_charged and not connection.execute(settled, (entry.id,)).fetchone()
