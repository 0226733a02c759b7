"""What a frame is given: tasks, raw replies, files; each reply read, understood or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

from musicapi_nb.errors import InvalidArgument, UnexpectedReply
from musicapi_nb.frames import io
from musicapi_nb.tasks import Issue, StoredReply, Task, parse_task
from musicapi_nb.wire import decode


class HasTasks(Protocol):
    """What knows its tasks: a frame is made of all of them."""

    def tasks(self) -> Iterable[Task]: ...


class HasReplies(Protocol):
    """What has the replies about its tasks, such as a library: they are read many at once."""

    def replies(self) -> Iterable[StoredReply]: ...


Reply: TypeAlias = Task | Mapping[str, Any] | str | bytes | bytearray | Path | HasTasks | HasReplies
Replies: TypeAlias = Reply | Iterable[Reply]
"""What every frame takes: tasks, replies (decoded or as they came), files of them, a library."""

_ALONE = (Task, Mapping, str, bytes, bytearray, Path)
# What JSON knows besides objects is a reply too, if a bad one: a line of a file may hold it.
_BAD = (type(None), bool, int, float, list)
_REPLIES = (*_ALONE, *_BAD)
_KNOWING = ("replies", "tasks")  # the methods of `HasReplies` and `HasTasks`


class Item(NamedTuple):
    """One reply as it was given, and where it stood."""

    source: str | None
    place: int
    given: Any


class ParsedReply(NamedTuple):
    """One reply: where it stood, as it came, what was understood of it and what was not."""

    source: str | None
    place: int
    given: Any
    task: Task | None
    task_id: str | None
    issues: tuple[Issue, ...]


def items(given: Replies) -> Iterator[Item]:
    """Find the replies in what was given, one after the other, without reading them.

    Raises
    ------
    InvalidArgument
        It, or an item of it, is neither a task, nor a reply, nor a path.
    """
    for place, item in enumerate(_items(given)):
        if isinstance(item, bytes):  # what comes by the ten thousands is looked at once
            yield Item(None, place, item)
        elif (path := _path(item)) is not None:
            yield from (Item(str(path), at, line) for at, line in io.lines(path))
        elif isinstance(item, _REPLIES):
            yield Item(None, place, item)
        elif (known := _known_to(item)) is not None:
            yield from (Item(None, at, each) for at, each in enumerate(known))
        else:
            raise _wrong(item, f"item {place}")


def shares(given: Replies) -> Callable[[Sequence[Item]], float]:
    """Tell, told of each batch of items in turn, which share of all was read; 1 if unknown."""
    path = _path(given)
    if path is not None and path.suffix.lower() == ".ndjson":
        whole = path.stat().st_size
    elif isinstance(given, list | tuple):
        whole = len(given)
    else:
        return lambda _: 1.0
    done = 0

    def share(batch: Sequence[Item]) -> float:
        nonlocal done
        done += len(batch) if path is None else sum(len(item.given) for item in batch)
        return min(1.0, done / whole)

    return share


def parse_replies(given: Replies) -> Iterator[ParsedReply]:
    """Read what was given, one after the other; nothing of it is left out."""
    return map(parse_reply, items(given))


def _items(given: object) -> Iterable[object]:
    if isinstance(given, _ALONE) or _has_tasks(given):
        return (given,)
    # iterating a table, of whatever library, yields its columns and not its rows
    if isinstance(given, Iterable) and not hasattr(given, "columns"):
        return given
    raise _wrong(given, "this")


def _has_tasks(item: object) -> bool:
    # asked of the type: a table with a column of this name has it as an attribute
    return any(callable(getattr(type(item), name, None)) for name in _KNOWING)


def _known_to(item: Any) -> Iterable[StoredReply | Task] | None:
    method = next((name for name in _KNOWING if callable(getattr(type(item), name, None))), None)
    return cast("Iterable[StoredReply | Task]", getattr(item, method)()) if method else None


def _wrong(value: object, what: str) -> InvalidArgument:
    return InvalidArgument(
        f"{what} is a {type(value).__name__}; a frame is made of tasks, of raw replies "
        "(dict, str, bytes), of an iterable of these, of a library, or of the path of an .ndjson, "
        ".ndjson.gz or .parquet file"
    )


def _path(item: object) -> Path | None:
    if isinstance(item, Path):
        return item
    # no JSON text ends like this
    if isinstance(item, str) and item.lower().endswith(io.SUFFIXES) and item.isprintable():
        return Path(item)
    return None


def parse_reply(item: Item) -> ParsedReply:
    """Read one reply, whatever its shape."""
    source, place, given = item
    if isinstance(given, StoredReply):
        given = given.task()
    if isinstance(given, Task):
        return ParsedReply(source, place, given.raw, given, given.id, given.issues)
    if source is not None:
        given = given.strip()
    try:
        task = parse_task(_payload(given))
    except UnexpectedReply as error:
        return ParsedReply(
            source, place, given, None, _named(error.body), (Issue("", error.message),)
        )
    return ParsedReply(source, place, given, task, task.id, task.issues)


def _named(payload: Any) -> str | None:
    task_id = payload.get("task_id") if isinstance(payload, dict) else None
    return task_id if isinstance(task_id, str) else None


def _payload(given: Any) -> Any:
    if isinstance(given, bytearray):
        given = bytes(given)
    if isinstance(given, str | bytes):
        return decode(given)
    return dict(given) if isinstance(given, Mapping) else given
