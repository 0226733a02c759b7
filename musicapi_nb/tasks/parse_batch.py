"""Many tasks in one reply: read one by one, and what they make of the whole. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from musicapi_nb.engines import Request
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.json_reader import JsonReader, clean, describe
from musicapi_nb.tasks.models import Task
from musicapi_nb.tasks.parse_songs import mark_failed

if TYPE_CHECKING:
    from musicapi_nb.tasks.models import State

Read: TypeAlias = "Callable[..., Task]"


def batch_of(part: JsonReader, task: Task, read: Read) -> Task:
    """Read many tasks in one reply; how each is told is not documented, so any way will do."""
    items = part.rest.pop("tasks")
    ones = _asked(task, len(items))
    parts = [
        _part(item, f"tasks[{at}]", part, one, read)
        for at, (item, one) in enumerate(zip(items, ones, strict=True))
    ]
    ids = ",".join(one.id for one in parts if one.id)
    name = part.text("batch_id")
    return joined(msgspec.structs.replace(task, id=task.id or name or ids or None), parts)


def _asked(task: Task, number: int) -> list[Task]:
    """So many tasks as they were asked for, as far as the batch's request tells."""
    asked = _requests(task.request) if task.request else []
    songs = {request.songs for request in asked}
    one = Task(
        engine=task.engine,
        expected=songs.pop() if len(songs) == 1 else None,
        simulated=task.simulated,
        take=task.take,
    )
    if len(asked) != number:  # which of them is which is then not known
        return [one] * number
    return [
        msgspec.structs.replace(
            one, request=request, operation=request.operation, expected=request.songs
        )
        for request in asked
    ]


def _requests(batch: Request) -> list[Request]:
    """The requests that a request is made of."""
    values = (getattr(batch, name) for name in batch.fields())
    lists = (value for value in values if isinstance(value, list | tuple))
    return next(([*one] for one in lists if all(isinstance(item, Request) for item in one)), [])


def _part(item: Any, where: str, batch: JsonReader, task: Task, read: Read) -> Task:
    fields = {"task_id": item} if isinstance(item, str) else item
    if not isinstance(fields, dict):
        batch.issue(where, f"{describe(item)} instead of a task")
        fields = {}
    named = JsonReader(fields, where, batch.issues).text("task_id", "id", "taskId")
    task = msgspec.structs.replace(task, id=named, raw=item)
    reply = fields.get("reply", {**fields, "task_id": named} if named else fields)
    if isinstance(reply, dict):  # a batch in a batch in a batch ... is none of the service's
        reply = {name: value for name, value in reply.items() if name != "tasks"}
    try:
        found = read(reply, task=task)
    except UnexpectedReply as error:
        words = next(
            (fields[name] for name in ("error", "message") if isinstance(fields.get(name), str)),
            error.message,
        )
        found = task if named and not fields.get("error") else mark_failed(task, clean(words))
    if found.id is None and not found.finished:
        batch.issue(where, "names no task that could be waited for")
        found = mark_failed(found, "the reply names no task for it")
    return found


def joined(batch: Task, parts: Sequence[Task]) -> Task:
    """A batch as its tasks make it: all their songs, finished when all of them are."""
    songs = [song for part in parts for song in part.songs]
    over = all(part.finished for part in parts)
    states = {part.state for part in parts}
    state: State = "pending" if states <= {"pending"} else "running"
    if over and parts:
        state = "succeeded" if "succeeded" in states else "failed"
    reasons = dict.fromkeys(part.fail_reason for part in parts if part.fail_reason)
    return msgspec.structs.replace(
        batch,
        parts=tuple(parts),
        songs=tuple(msgspec.structs.replace(song, position=at) for at, song in enumerate(songs)),
        state=state,
        progress=sum(part.finished for part in parts) / len(parts) if parts else None,
        fail_reason="; ".join(reasons) or None if state == "failed" else None,
    )


def with_parts(batch: Task, parts: Sequence[Task]) -> Task:
    """The batch with newer replies about its tasks; they are put into its `raw` as well."""
    items = batch.raw["tasks"] if isinstance(batch.raw, dict) else []
    told = [
        {**(item if isinstance(item, dict) else {}), "task_id": part.id, "reply": part.raw}
        if part.id is not None and part.raw is not item
        else item
        for item, part in zip(items, parts, strict=True)
    ]
    now = joined(batch, parts)
    return msgspec.structs.replace(now, raw={**batch.raw, "tasks": told})
