"""What a frame is given: tasks, raw replies, files; each reply read, understood or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, cast

from musicapi_nb.errors import UnexpectedReply, WrongType
from musicapi_nb.tasks import Issue, Task, read
from musicapi_nb.wire import decode

if TYPE_CHECKING:
    from collections.abc import Iterator


class HasTasks(Protocol):
    """What knows its tasks, such as a library: a frame is made of all of them."""

    def tasks(self) -> Iterable[Task]: ...


Reply: TypeAlias = Task | Mapping[str, Any] | str | bytes | bytearray | Path | HasTasks
Replies: TypeAlias = Reply | Iterable[Reply]
"""What every frame takes: tasks, replies (decoded or as they came), .ndjson files, a library."""

_ALONE = (Task, Mapping, str, bytes, bytearray, Path)
# What JSON knows besides objects is a reply too, if a bad one: a line of a file may hold it.
_BAD = (type(None), bool, int, float, list)


class Read(NamedTuple):
    """One reply: where it stood, as it came, what was understood of it and what was not."""

    source: str | None
    place: int
    given: Any
    task: Task | None
    task_id: str | None
    issues: tuple[Issue, ...]


def read_all(given: Replies) -> Iterator[Read]:
    """Read what was given, one after the other; nothing of it is left out.

    Raises
    ------
    WrongType
        It, or an item of it, is neither a task, nor a reply, nor a path.
    """
    for place, item in enumerate(_items(given)):
        path = _path(item)
        if path is not None:
            yield from _read_file(path)
        elif isinstance(item, (*_ALONE, *_BAD)):
            yield _read_one(None, place, item)
        elif (known := _tasks_of(item)) is not None:
            yield from (_read_one(None, at, task) for at, task in enumerate(known))
        else:
            raise _wrong(item, f"item {place}")


def _items(given: object) -> Iterable[object]:
    if isinstance(given, _ALONE) or _has_tasks(given):
        return (given,)
    # iterating a table, of whatever library, yields its columns and not its rows
    if isinstance(given, Iterable) and not hasattr(given, "columns"):
        return given
    raise _wrong(given, "this")


def _has_tasks(item: object) -> bool:
    # asked of the type: a table with a column of this name has it as an attribute
    return callable(getattr(type(item), "tasks", None))


def _tasks_of(item: Any) -> Iterable[Task] | None:
    return cast("HasTasks", item).tasks() if _has_tasks(item) else None


def _wrong(value: object, what: str) -> WrongType:
    return WrongType(
        f"{what} is a {type(value).__name__}; a frame is made of tasks, of raw replies "
        "(dict, str, bytes), of an iterable of these, of a library, or of the path of an .ndjson "
        "file"
    )


def _path(item: object) -> Path | None:
    if isinstance(item, Path):
        return item
    # no JSON text ends like this
    if isinstance(item, str) and item.lower().endswith(".ndjson") and item.isprintable():
        return Path(item)
    return None


def _read_file(path: Path) -> Iterator[Read]:
    with path.open("rb") as file:
        for place, line in enumerate(file):
            if reply := line.strip():
                yield _read_one(str(path), place, reply)


def _read_one(source: str | None, place: int, given: Any) -> Read:
    if isinstance(given, Task):
        return Read(source, place, given.raw, given, given.id, given.issues)
    try:
        task = read(_payload(given))
    except UnexpectedReply as error:
        return Read(source, place, given, None, _named(error.body), (Issue("", error.message),))
    return Read(source, place, given, task, task.id, task.issues)


def _named(payload: Any) -> str | None:
    task_id = payload.get("task_id") if isinstance(payload, dict) else None
    return task_id if isinstance(task_id, str) else None


def _payload(given: Any) -> Any:
    if isinstance(given, bytearray):
        given = bytes(given)
    if isinstance(given, str | bytes):
        return decode(given)
    return dict(given) if isinstance(given, Mapping) else given
