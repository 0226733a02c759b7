"""Tasks as the ledger stores them: the raw reply, and facts that it does not contain."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from musicapi_nb.engines import Request
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.ledger_types import Entry, EntryState
from musicapi_nb.library import events
from musicapi_nb.library._request_key import from_json
from musicapi_nb.library.database import Database
from musicapi_nb.library.events import as_json
from musicapi_nb.tasks import Song, StoredReply, Task

_CHUNK = 128  # tasks of one query
_MAX_DEPTH = 50  # levels; documented replies have 8 at most
_MAX_BRACKETS = 300  # with fewer, no part can be nested too deeply
_MAX_BODY = 200_000  # characters; the page of a proxy can be long
_TASK_FIELDS = ("state", "state_word", "fail_reason", "refunded")
_WITH_REPLIES = """
    SELECT entries.id, requests.data, latest.data, replies.raw FROM entries
    JOIN events AS requests ON requests.id = entries.request_event
    LEFT JOIN events AS replies ON replies.id = entries.reply_event
    LEFT JOIN events AS latest ON latest.id = (
        SELECT max(id) FROM events WHERE entry = entries.id
        AND kind IN ('accepted', 'polled', 'done', 'failed', 'refused', 'charged', 'adopted')
    )
    WHERE entries.id IN (SELECT value FROM json_each(?))
"""


# --- writing -------------------------------------------------------------------------------


def to_event(task: Task) -> dict[str, Any]:
    """Return the attributes of a task that an event stores beside the raw reply."""
    data = {name: value for name in _TASK_FIELDS if (value := getattr(task, name)) is not None}
    if task.id is not None:
        data["task_id"] = task.id
    if task.fail_reason is not None:
        data["note"] = task.fail_reason
    if task.parts and (price := task.price) is not None:  # some of them may have cost nothing
        data |= {"price": price, "reserve": price}
        if price == 0 and task.state == "failed":
            data["refunded"] = True
    return data


def raw_text(task: Task) -> str | None:
    """Return the raw reply as JSON text; parts that are nested too deeply are replaced."""
    return None if task.raw is None else _json_text(task.raw)


def error_to_event(error: BaseException) -> dict[str, Any]:
    """Return what an event stores of an error: its message, and the body of the reply as text."""
    if not isinstance(error, MusicAPIError):
        return {"note": f"{error!r:.300}"}
    body = error.body
    if isinstance(body, bytes):
        body = body.decode(errors="replace")
    if body is not None and not isinstance(body, str):
        body = _json_text(body)
    return {"note": error.message, "body": body and body[:_MAX_BODY]}


def _json_text(value: Any) -> str:
    try:
        text = as_json(value)
    except (ValueError, TypeError, RecursionError):
        return as_json(_limit_depth(value, _MAX_DEPTH))
    # The limit depends on the JSON reader, and stored text must be readable by all of them.
    if text.count("[") + text.count("{") > _MAX_BRACKETS:
        return as_json(_limit_depth(value, _MAX_DEPTH))
    return text


def _limit_depth(value: Any, depth: int) -> Any:
    if isinstance(value, dict | list) and not depth:
        return "(nested too deeply to be stored)"
    if isinstance(value, dict):
        return {str(name): _limit_depth(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_limit_depth(item, depth - 1) for item in value]
    return value if isinstance(value, str | int | float | None) else repr(value)


# --- reading -------------------------------------------------------------------------------


def request_of(connection: sqlite3.Connection, entry: Entry) -> Request | None:
    """Return the request; None if this version does not know its operation, or it is unknown."""
    row = connection.execute("SELECT data FROM events WHERE id=?", (entry.request_event,))
    return _request_in(row.fetchone()[0])


def _request_in(data: str) -> Request | None:
    """Return the request in the data of the event that created an entry; None without one."""
    request = json.loads(data).get("request")  # an adopted task may have none
    return None if request is None else from_json(request)


def task_of(connection: sqlite3.Connection, entry: Entry) -> Task:
    """Return the task of an entry as last polled."""
    ((_, *columns),) = connection.execute(_WITH_REPLIES, (f"[{entry.id}]",))
    return _stored_reply(entry, *columns).task()


def task_with(
    connection: sqlite3.Connection, name: str, *, simulated: bool
) -> tuple[Entry, Task] | None:
    """Return the entry and task with this id, or of the first reply that has it as its own."""
    of_task = "WHERE task_id=? AND simulated=? AND state != 'not_run'"
    by_task = events.entries(connection, of_task, name, simulated)
    # Replies may name songs of earlier tasks, but never of later ones.
    raw = "(SELECT raw FROM events WHERE events.id = reply_event)"
    where = f"WHERE simulated=? AND state != 'not_run' AND instr({raw}, ?) ORDER BY id"
    for entry in by_task or events.entries(connection, where, simulated, name):
        task = task_of(connection, entry)
        if by_task or name in _own_ids(task):
            return entry, task
    return None


def song_with(database: Database, name: str) -> Song | None:
    """Return the song with this id; of two, that of the service and not a simulator's."""
    for simulated in (False, True):
        with database.read() as connection:
            result = task_with(connection, name, simulated=simulated)
        songs = result[1].songs if result else ()
        if song := next((song for song in songs if song.id == name), None):
            return song
    return None


def _own_ids(task: Task) -> set[str | None]:
    """Return the ids of the songs, parts, uploaded clip or persona that a task has made."""
    made = {task.answer.get(field) for field in ("clip_id", "persona_id", "vox_audio_id")}
    return {song.id for song in task.songs} | {part.id for part in task.parts} | made


def tasks_of(database: Database, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Task]]:
    """Yield entries and their tasks. The database is not locked while replies are parsed."""
    return ((entry, reply.task()) for entry, reply in replies_of(database, entries))


def latest_tasks(database: Database, states: Sequence[EntryState]) -> Iterator[Task]:
    """Yield the tasks in these states, newest first. Entries are read as they are needed."""
    where = "WHERE state IN (SELECT value FROM json_each(?)) AND id < ? ORDER BY id DESC LIMIT 32"
    number = sys.maxsize
    while True:
        with database.read() as connection:
            latest = events.entries(connection, where, json.dumps(states), number)
        if not latest:
            return
        number = latest[-1].id
        yield from (task for _, task in tasks_of(database, latest))


def replies_of(database: Database, entries: Sequence[Entry]) -> Iterator[tuple[Entry, StoredReply]]:
    """Yield entries and the latest reply about each."""
    for start in range(0, len(entries), _CHUNK):
        chunk = {entry.id: entry for entry in entries[start : start + _CHUNK]}
        rows = {row[0]: row[1:] for row in database.rows(_WITH_REPLIES, str(list(chunk)))}
        for number, entry in chunk.items():
            yield entry, _stored_reply(entry, *rows[number])


def _stored_reply(
    entry: Entry, request_data: str, latest: str | None, raw: str | None
) -> StoredReply:
    data: Mapping[str, Any] = json.loads(latest) if latest else {}
    if entry.state in {"failed", "refused", "not_run"}:
        data = {**data, "state": "failed", "fail_reason": entry.note}
        data |= {"refunded": entry.refunded} if entry.refunded is not None else {}
    return restore(entry, _request_in(request_data), data, raw)


def restore(
    entry: Entry, request: Request | None, data: Mapping[str, Any], raw: str | None
) -> StoredReply:
    """Return the stored reply of an entry, given the data and raw text of its events."""
    overrides = {name: data[name] for name in _TASK_FIELDS if name in data}
    return StoredReply(base_task(entry, request), raw, overrides)


def base_task(entry: Entry, request: Request | None) -> Task:
    """Return the task of an entry as it is without a reply."""
    return Task(
        id=entry.task_id,
        engine=entry.engine or None,
        operation=entry.operation or None,
        expected=request.songs if request else None,
        request=request,
        simulated=entry.simulated,
        take=entry.take,
        price=entry.charged,
    )
