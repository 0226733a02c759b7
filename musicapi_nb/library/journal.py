"""Events written, and what they amount to kept beside them: the only place that writes either."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from musicapi_nb.library.states import Entry, Event, after

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping

COLUMNS = Entry.__struct_fields__
_ALL = ", ".join(COLUMNS)
_INSERT = f"INSERT INTO entries ({_ALL}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - our own names
# What an event after the first can change.
_CHANGING = ("experiment", "cell", "price", "reserve", "budgets", "state", "owner", "task_id",
             "refunded", "planned_at", "sent_at", "accepted_at", "looked_at", "ended_at", "note",
             "reply")  # fmt: skip
_UPDATE = f"UPDATE entries SET {', '.join(f'{name}=?' for name in _CHANGING)} WHERE id=?"  # noqa: S608 - as above


def as_json(value: Any) -> str:
    """Write JSON in ASCII, with NaN and halves of surrogate pairs as Python reads them."""
    return json.dumps(value, separators=(",", ":"))


def entries(connection: sqlite3.Connection, where: str, *values: Any) -> list[Entry]:
    """Read entries; `where` is SQL of our own."""
    rows = connection.execute(f"SELECT {_ALL} FROM entries {where}", values)  # noqa: S608 - our own names
    return [_entry(row) for row in rows]


def entry(connection: sqlite3.Connection, number: int) -> Entry | None:
    return next(iter(entries(connection, "WHERE id=?", number)), None)


def _entry(row: tuple[Any, ...]) -> Entry:
    values = dict(zip(COLUMNS, row, strict=True))
    values["simulated"] = bool(values["simulated"])
    values["budgets"] = tuple(json.loads(values["budgets"]))
    if values["refunded"] is not None:
        values["refunded"] = bool(values["refunded"])
    return Entry(**values)


def _values(known: Entry, names: Iterable[str]) -> list[Any]:
    return [as_json(known.budgets) if name == "budgets" else getattr(known, name) for name in names]


def write(  # noqa: PLR0913 - an event has these parts
    connection: sqlite3.Connection,
    kind: str,
    data: Mapping[str, Any],
    *,
    at: float,
    owner: str | None = None,
    about: Entry | None = None,
    new: bool = False,
) -> Event:
    """Append an event and apply it, in the transaction that is open.

    Parameters
    ----------
    about
        The entry that it changes.
    new
        Whether it begins a new entry.

    Raises
    ------
    WrongStep
        The entry cannot take it; nothing was written.
    """
    number = about.id if about else None
    if new:
        (number,) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM entries").fetchone()
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
    event = Event(id=last + 1, at=at, kind=kind, entry=number, owner=owner, data=data)
    changed = after(about, event) if number is not None else None
    connection.execute(
        "INSERT INTO events (id, at, kind, entry, owner, data) VALUES (?, ?, ?, ?, ?, ?)",
        (event.id, at, kind, number, owner, as_json(data)),
    )
    if changed is None:
        _apply_other(connection, event)
    else:
        _apply(connection, about, changed)
    return event


def _apply(connection: sqlite3.Connection, before: Entry | None, now: Entry) -> None:
    if before is None:
        connection.execute(_INSERT, _values(now, COLUMNS))
    else:
        connection.execute(_UPDATE, [*_values(now, _CHANGING), now.id])
    if now.experiment is not None and (before is None or before.experiment is None):
        place_cell(connection, now.experiment, now.cell or now.identity, now.id)
    _hold(connection, before, now)


def place_cell(connection: sqlite3.Connection, experiment: str, cell: str, number: int) -> None:
    connection.execute(
        "INSERT INTO cells (experiment, cell, entry) VALUES (?, ?, ?) "
        "ON CONFLICT (experiment, cell) DO UPDATE SET entry=excluded.entry",
        (experiment, cell, number),
    )


def _hold(connection: sqlite3.Connection, before: Entry | None, now: Entry) -> None:
    """Let the budgets follow what the entry holds."""
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


def events(connection: sqlite3.Connection, number: int | None = None) -> Iterator[Event]:
    """Read the events, all of them or those of one entry, in the order in which they happened."""
    where = "" if number is None else "WHERE entry=?"
    rows = connection.execute(
        f"SELECT id, at, kind, entry, owner, data FROM events {where} ORDER BY id",  # noqa: S608 - our own
        () if number is None else (number,),
    )
    for row in rows:
        yield Event(
            id=row[0], at=row[1], kind=row[2], entry=row[3], owner=row[4], data=json.loads(row[5])
        )


def rebuild(connection: sqlite3.Connection) -> None:
    """Make the tables beside the events anew, from the events alone."""
    for table in ("entries", "cells", "budgets", "attached"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
    known: dict[int, Entry] = {}
    for event in list(events(connection)):
        if event.entry is None:
            _apply_other(connection, event)
            continue
        before = known.get(event.entry)
        known[event.entry] = after(before, event)
        _apply(connection, before, known[event.entry])
