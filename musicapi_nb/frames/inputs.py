"""Accepted inputs of the frames: replies, files of replies, and the parsing of one reply."""

import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, cast

import pyarrow as pa
import pyarrow.parquet as pq

from musicapi_nb.errors import InvalidArgument, UnexpectedReply
from musicapi_nb.tasks import Issue, StoredReply, Task, parse_task
from musicapi_nb.wire import decode


class HasTasks(Protocol):
    """Anything with a method `tasks`, such as an experiment."""

    def tasks(self) -> Iterable[Task]: ...


class HasReplies(Protocol):
    """Anything with a method `replies`, such as a library; it is preferred to `tasks`."""

    def replies(self) -> Iterable[StoredReply]: ...


Reply: TypeAlias = Task | Mapping[str, Any] | str | bytes | bytearray | Path | HasTasks | HasReplies
Replies: TypeAlias = Reply | Iterable[Reply]
"""Input of every frame: tasks, replies (decoded or raw), files of replies, a library."""

SUFFIXES = (".ndjson", ".ndjson.gz", ".parquet")
"""How names of files of replies end, in any case."""
REPLY_COLUMN = "reply"
BATCH_ROWS = 1000
_SINGLE_TYPES = (Task, Mapping, str, bytes, bytearray, Path)
# Other JSON values are accepted as items, because a line of a file may hold one; each is an issue.
_ITEM_TYPES = (*_SINGLE_TYPES, type(None), bool, int, float, list)
_METHODS = ("replies", "tasks")  # of HasReplies and HasTasks


class Item(NamedTuple):
    """One unread reply; `position` counts items of the input, or lines of the file `source`."""

    source: str | None
    position: int
    reply: Any


class ParsedReply(NamedTuple):
    """One reply, the task parsed from it (None if it is not a reply), and its issues."""

    source: str | None
    position: int
    reply: Any
    task: Task | None
    task_id: str | None
    issues: tuple[Issue, ...]


def iter_items(replies: Replies) -> Iterator[Item]:
    """Yield the replies of an input without parsing them.

    Raises
    ------
    InvalidArgument
        The input, or an item of it, is not a task, a reply, a library or a path.
    """
    for index, item in enumerate(_as_iterable(replies)):
        if isinstance(item, bytes):  # the usual case for long inputs
            yield Item(None, index, item)
        elif (path := _as_path(item)) is not None:
            yield from (Item(str(path), line_index, line) for line_index, line in read_lines(path))
        elif isinstance(item, _ITEM_TYPES):
            yield Item(None, index, item)
        elif (method := _reply_method(item)) is not None:
            yield from (Item(None, number, reply) for number, reply in enumerate(method()))
        else:
            raise _wrong_type_error(item, f"item {index}")


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the replies of a file, each with its line (or row) number from 0; skip blank lines.

    Raises
    ------
    FileNotFoundError
        The file does not exist.
    InvalidArgument
        A Parquet file without a column `reply` of bytes.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        yield from _rows(path)
        return
    with gzip.open(path, "rb") if name.endswith(".gz") else path.open("rb") as file:
        for number, line in enumerate(file):
            if not line.isspace():
                yield number, line


def _rows(path: Path) -> Iterator[tuple[int, bytes]]:
    with pq.ParquetFile(path) as file:
        types = dict(zip(file.schema_arrow.names, file.schema_arrow.types, strict=True))
        if types.get(REPLY_COLUMN) not in {pa.binary(), pa.large_binary()}:
            raise InvalidArgument(
                f"{path} has no column {REPLY_COLUMN!r} of bytes; write_parquet(..., raw=replies) "
                "writes such a file, replies.parquet"
            )
        numbers = itertools.count()
        for batch in file.iter_batches(BATCH_ROWS, columns=[REPLY_COLUMN]):
            yield from ((next(numbers), reply or b"") for reply in batch[REPLY_COLUMN].to_pylist())


def parse_replies(replies: Replies) -> Iterator[ParsedReply]:
    """Parse every reply of an input, in order."""
    return map(parse_reply, iter_items(replies))


def parse_reply(item: Item) -> ParsedReply:
    """Parse one reply of any shape."""
    source, position, reply = item
    if isinstance(reply, StoredReply):
        reply = reply.task()
    if isinstance(reply, Task):
        return ParsedReply(source, position, reply.raw, reply, reply.id, reply.issues)
    if source is not None:
        reply = reply.strip()
    try:
        task = parse_task(_payload(reply))
    except UnexpectedReply as error:
        task_id = error.body.get("task_id") if isinstance(error.body, dict) else None
        task_id = task_id if isinstance(task_id, str) else None
        return ParsedReply(source, position, reply, None, task_id, (Issue("", error.message),))
    return ParsedReply(source, position, reply, task, task.id, task.issues)


def _as_iterable(replies: object) -> Iterable[object]:
    if isinstance(replies, _SINGLE_TYPES) or _reply_method(replies):
        return (replies,)
    # iterating over a table of any library yields its columns, not its rows
    if isinstance(replies, Iterable) and not hasattr(replies, "columns"):
        return replies
    raise _wrong_type_error(replies, "this")


def _reply_method(item: object) -> Callable[[], Iterable[StoredReply | Task]] | None:
    # looked up on the type: a table has its columns as attributes, whatever their names
    names = (name for name in _METHODS if callable(getattr(type(item), name, None)))
    name = next(names, None)
    return cast("Callable[[], Iterable[StoredReply | Task]]", getattr(item, name)) if name else None


def _wrong_type_error(value: object, subject: str) -> InvalidArgument:
    return InvalidArgument(
        f"{subject} is a {type(value).__name__}; a frame is made of tasks, of raw replies "
        "(dict, str, bytes), of an iterable of these, of a library, or of the path of an .ndjson, "
        ".ndjson.gz or .parquet file"
    )


def _as_path(item: object) -> Path | None:
    """Return the path of a file; a text is one only if it ends like a file of replies."""
    if isinstance(item, Path):
        return item
    # no JSON text ends like this
    if isinstance(item, str) and item.lower().endswith(SUFFIXES) and item.isprintable():
        return Path(item)
    return None


def _payload(reply: Any) -> Any:
    if isinstance(reply, bytearray):
        reply = bytes(reply)
    if isinstance(reply, str | bytes):
        return decode(reply)
    return dict(reply) if isinstance(reply, Mapping) else reply
