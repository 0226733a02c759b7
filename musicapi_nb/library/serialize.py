"""Tasks as the ledger keeps them: the raw reply, and what a reply alone does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from musicapi_nb import tasks
from musicapi_nb.engines import Request
from musicapi_nb.library.events import as_json

if TYPE_CHECKING:
    from musicapi_nb.library.entry import Entry

_DEEPEST = 50  # levels; documented replies have 8 at most
_MANY = 300  # brackets: with fewer, nothing can be nested beyond measure
_SAID = ("state", "state_word", "fail_reason", "refunded")


def written(task: tasks.Task) -> dict[str, Any]:
    """What an event keeps of a task beside the raw reply."""
    data = {name: value for name in _SAID if (value := getattr(task, name)) is not None}
    if task.id is not None:
        data["task_id"] = task.id
    if task.fail_reason is not None:
        data["note"] = task.fail_reason
    return data


def raw_text(task: tasks.Task) -> str | None:
    """The raw reply as JSON text; of what is nested beyond measure, all that is not."""
    if task.raw is None:
        return None
    try:
        text = as_json(task.raw)
    except (ValueError, TypeError, RecursionError):
        return as_json(_writable(task.raw, _DEEPEST))
    # How deep can be read depends on who reads: what is written here is not to fail elsewhere.
    if text.count("[") + text.count("{") > _MANY:
        return as_json(_writable(task.raw, _DEEPEST))
    return text


def _writable(value: Any, depth: int) -> Any:
    if isinstance(value, dict | list) and not depth:
        return "(nested too deeply to be kept)"
    if isinstance(value, dict):
        return {str(name): _writable(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_writable(item, depth - 1) for item in value]
    return value if isinstance(value, str | int | float | None) else repr(value)


def kept(
    entry: Entry, request: Request | None, data: Mapping[str, Any], raw: str | None
) -> tasks.StoredReply:
    """What the ledger has of a task."""
    known = tasks.Task(
        id=entry.task_id,
        engine=entry.engine,
        operation=entry.operation,
        expected=request.songs if request else None,
        request=request,
        simulated=entry.simulated,
        take=entry.take,
    )
    return tasks.StoredReply(known, raw, {name: data[name] for name in _SAID if name in data})
