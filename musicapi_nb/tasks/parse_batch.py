"""Parse a reply that holds many tasks, and derive the state of the batch. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from musicapi_nb import wire
from musicapi_nb.engines import Request
from musicapi_nb.engines.values import whole_number
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.json_reader import JsonReader, clean, describe
from musicapi_nb.tasks.parse_songs import mark_failed
from musicapi_nb.tasks.song import State
from musicapi_nb.tasks.task import Task

ParseTask: TypeAlias = Callable[..., Task]


def parse_batch(reader: JsonReader, task: Task, parse_task: ParseTask) -> Task:
    """Parse the tasks of a batch. Their shape is undocumented, so any known shape is accepted."""
    items = reader.rest.pop("tasks")
    submitted = _submitted_parts(task, len(items))
    parts = [
        _parse_part(item, f"tasks[{index}]", reader, part, parse_task)
        for index, (item, part) in enumerate(zip(items, submitted, strict=True))
    ]
    ids = ",".join(part.id for part in parts if part.id)
    batch_id = reader.text("batch_id")
    return _join(replace(task, id=task.id or batch_id or ids or None), parts)


def _submitted_parts(batch: Task, count: int) -> list[Task]:
    """Return `count` tasks as they were submitted, with their requests if those match in number."""
    requests = _requests(batch.request) if batch.request else []
    expected = {request.songs for request in requests}
    if count == 1 and not requests:
        expected = {batch.expected}
    part = Task(
        engine=batch.engine,
        expected=expected.pop() if len(expected) == 1 else None,
        simulated=batch.simulated,
        take=batch.take,
    )
    if len(requests) != count:
        return [part] * count
    return [
        replace(
            part,
            request=request,
            operation=request.operation,
            expected=request.songs,
            price=price_of(request),
        )
        for request in requests
    ]


def price_of(request: Request) -> int | None:
    """Return the price of a request that was sent; None if unknown, or if its class raises."""
    try:
        return whole_number(request.price())
    except Exception:  # noqa: BLE001 - of a user's class; the reply must not be lost for it
        return None


def _requests(batch: Request) -> list[Request]:
    """Return the requests that a batch request consists of."""
    values = (getattr(batch, name) for name in batch.fields())
    lists = (list(value) for value in values if isinstance(value, list | tuple))
    return next((items for items in lists if all(isinstance(item, Request) for item in items)), [])


def _parse_part(
    item: Any, where: str, batch: JsonReader, task: Task, parse_task: ParseTask
) -> Task:
    fields = {"task_id": item} if isinstance(item, str) else item
    if not isinstance(fields, dict):
        batch.issue(where, f"{describe(item)} instead of a task")
        fields = {}
    task_id = JsonReader(fields, where, batch.issues).text("task_id", "id", "taskId")
    task = replace(task, id=task_id, raw=item)
    reply = fields.get("reply", {**fields, "task_id": task_id} if task_id else fields)
    if isinstance(reply, dict):  # the service never nests batches; guard against recursion
        reply = {name: value for name, value in reply.items() if name != "tasks"}
    try:
        part = parse_task(reply, task=task)
    except UnexpectedReply as error:
        if not fields.get("error"):
            batch.issue(where, error.message)
        reason = wire.find_message(fields) or error.message
        part = task if task_id and not fields.get("error") else mark_failed(task, clean(reason))
    if part.id is None and not part.finished:
        batch.issue(where, "has no task id to wait for")
        part = mark_failed(part, "the reply gives no task id for it")
    return part


def _join(batch: Task, parts: Sequence[Task]) -> Task:
    """Return the batch with the songs of all parts; it is finished when all parts are."""
    songs = [song for part in parts for song in part.songs]
    states = {part.state for part in parts}
    state: State = "pending" if states <= {"pending"} else "running"
    if parts and all(part.finished for part in parts):
        state = "succeeded" if "succeeded" in states else "failed"
    reasons = dict.fromkeys(part.fail_reason for part in parts if part.fail_reason)
    price = _price_of(parts)
    return replace(
        batch,
        parts=tuple(parts),
        songs=tuple(replace(song, position=position) for position, song in enumerate(songs)),
        state=state,
        progress=sum(part.finished for part in parts) / len(parts) if parts else None,
        price=batch.price if price is None else price,
        fail_reason="; ".join(reasons) or None if state == "failed" else None,
    )


def _price_of(parts: Sequence[Task]) -> int | None:
    """Return the price of the parts of a batch that may have cost something; None if unknown."""
    prices = [part.price for part in parts]
    charged = [part.price for part in parts if _may_cost(part)]
    return None if not prices or None in prices else sum(filter(None, charged))


def _may_cost(part: Task) -> bool:
    """Return whether a part of a batch may have been charged: it was not refused or refunded."""
    if part.state != "failed" or part.id is not None:
        return part.refunded is not True
    reply = part.raw if isinstance(part.raw, dict) else {}
    code = reply.get("code")
    if isinstance(code, int):
        return not wire.refuses(code)
    return not reply.get("error") and reply.get("status") != "failed"


def update_parts(batch: Task, parts: Sequence[Task]) -> Task:
    """Return the batch with newer states of its parts; their replies are added to its `raw`."""
    # an acknowledgement of unknown shape is replaced by the documented one
    raw = batch.raw if isinstance(batch.raw, dict) and "tasks" in batch.raw else {}
    items = raw.get("tasks", [None] * len(parts))
    replies = [
        {**(item if isinstance(item, dict) else {}), "task_id": part.id, "reply": part.raw}
        if part.id is not None and part.raw is not item
        else item
        for item, part in zip(items, parts, strict=True)
    ]
    return replace(_join(batch, parts), raw={**raw, "tasks": replies})
