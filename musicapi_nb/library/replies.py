"""Tasks as the ledger keeps them: the raw reply, and what a reply alone does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from musicapi_nb import tasks
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.library.journal import as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from musicapi_nb.engines import Request
    from musicapi_nb.library.states import Entry

_SAID = ("state", "state_word", "fail_reason", "refunded")


def written(task: tasks.Task, *, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What an event keeps of a task; a raw reply that `before` holds already is not kept twice."""
    data = {name: value for name in _SAID if (value := getattr(task, name)) is not None}
    if task.id is not None:
        data["task_id"] = task.id
    if task.fail_reason is not None:
        data["note"] = task.fail_reason
    if task.raw is not None and not (before and before.get("raw") == task.raw):
        data["raw"] = _writable(task.raw)
    return data


def _writable(raw: Any) -> Any:
    try:
        as_json(raw)
    except (ValueError, TypeError, RecursionError):
        return {"unwritable": f"{raw!r:.200}"}
    return raw


def read_task(entry: Entry, request: Request | None, data: Mapping[str, Any]) -> tasks.Task:
    """Make the task again, as it was last seen."""
    known = tasks.Task(
        id=entry.task_id,
        engine=entry.engine,
        operation=entry.operation,
        expected=request.songs if request else None,
        request=request,
        simulated=entry.simulated,
    )
    said = {name: data[name] for name in _SAID if name in data}
    try:
        task = tasks.read(data["raw"], task=known) if "raw" in data else known
    except UnexpectedReply:  # a reply that was told to be a failure by its status
        task = msgspec.structs.replace(known, raw=data["raw"])
    if any(getattr(task, name) != value for name, value in said.items()):
        task = msgspec.structs.replace(task, **said)
    return task


def model_of(request: Request) -> str | None:
    """The model that a request names."""
    model = getattr(request, "mv", None) or getattr(request, "model_type", None)
    return model if isinstance(model, str) else None
