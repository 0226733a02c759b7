"""Task ids among the items of a source of replies, such as "sonic:TASKID"."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from musicapi_nb.engines import operations
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.files import path_of
from musicapi_nb.tasks import Task

_TASK_ID = re.compile(r"(?:([a-z]+):)?([\w.~-]{1,200})", re.ASCII)


class TaskId(NamedTuple):
    """The id of a task, and its engine."""

    engine: str
    id: str


def split_task_ids(source: Any, engine: str | None) -> tuple[list[TaskId], list[Any]]:
    """Return the task ids in a source, such as "sonic:TASKID", and the other items.

    `engine` is that of ids without one; InvalidArgument if they have none, or an unknown one.
    """
    if engine is not None:
        _check_engine(engine, f"engine={engine!r:.40}")
    single = isinstance(source, str | bytes | bytearray | Mapping | Task)
    is_table = hasattr(source, "columns")  # iterating over it yields its columns
    items = list(source) if isinstance(source, Iterable) and not (single or is_table) else [source]
    ids: list[TaskId] = []
    others: list[Any] = []
    for item in items:
        match = _task_id_match(item)
        if match is None:
            others.append(item)
            continue
        name = match[1] or engine
        if name is None:
            raise InvalidArgument(
                f"the task id {match[0]!r:.60} needs an engine: engine='sonic', or "
                f"'sonic:{match[0]:.60}'"
            )
        _check_engine(name, f"the engine of the task id {match[0]!r:.60}")
        ids.append(TaskId(name, match[2]))
    return list(dict.fromkeys(ids)), others


def _check_engine(engine: str, subject: str) -> None:
    engines = sorted({operation.engine for operation in operations()} - {"account"})
    if engine not in engines:
        raise InvalidArgument(f"{subject} is not one of {', '.join(engines)}")


def _task_id_match(item: Any) -> re.Match[str] | None:
    if not isinstance(item, str):
        return None
    match = _TASK_ID.fullmatch(item.strip())
    return match if match and path_of(item.strip()) is None else None


def has_task_ids(source: Any) -> bool:
    """Return whether a source is a task id, or a list that has one."""
    items = source if isinstance(source, list | tuple | set | frozenset) else [source]
    return any(_task_id_match(item) for item in items)
