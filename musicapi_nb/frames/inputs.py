"""Accepted inputs of the frames: replies, files of replies, and the parsing of one reply."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeGuard, cast

import pandas as pd

from musicapi_nb.errors import InvalidArgument, UnexpectedReply
from musicapi_nb.frames.files import SUFFIXES, Damage, find_files, path_of, read_file
from musicapi_nb.frames.texts import holds_replies, split_replies
from musicapi_nb.paths import local_path
from musicapi_nb.tasks import Issue, Song, StoredReply, Task, parse_task, tasks_of_songs
from musicapi_nb.wire import decode


class HasTasks(Protocol):
    """Anything with a method `tasks`, such as a job."""

    def tasks(self) -> Iterable[Task]: ...


class HasReplies(Protocol):
    """Anything with a method `replies`, such as a library; it is preferred to `tasks`."""

    def replies(self) -> Iterable[StoredReply]: ...


class HasFrames(Protocol):
    """Anything that makes its frames itself, such as an experiment, which puts its factors first.

    The names are those of `Frames`, "ratings", "measures" and "files". Within a list it counts as
    its tasks.
    """

    def result_frame(self, name: str) -> pd.DataFrame: ...
    def tasks(self) -> Iterable[Task]: ...


Reply: TypeAlias = (
    Task
    | Song
    | Mapping[str, Any]
    | str
    | bytes
    | bytearray
    | os.PathLike[str]
    | HasTasks
    | HasReplies
)
Replies: TypeAlias = Reply | Iterable[Reply]
"""Input of every frame: tasks, songs, jobs, replies (decoded or raw), files of these, a library."""

_SINGLE_TYPES = (Task, Song, Mapping, str, bytes, bytearray, os.PathLike)
# Other JSON values are accepted as items, because a line of a file may hold one; each is an issue.
_ITEM_TYPES = (*_SINGLE_TYPES, type(None), bool, int, float, list)
_METHODS = ("replies", "tasks")  # of HasReplies and HasTasks
_LONG_TEXT = 1_000_000  # is split at once, because it may hold very many replies

Item: TypeAlias = tuple[str, Any]
"""Where an unread reply is from, such as "7" or "polls.ndjson:7", and the reply."""


class ParsedReply(NamedTuple):
    """One reply, the task parsed from it (None if it is not a reply), and its issues."""

    origin: str
    reply: Any
    task: Task | None
    task_id: str | None
    issues: tuple[Issue, ...]


def iter_items(replies: Replies, numbers: Iterator[int]) -> Iterator[Item]:
    """Yield the replies of an input without parsing them; `numbers` numbers its items.

    Raises
    ------
    InvalidArgument
        The input, or an item of it, is not a task, a reply, a library or a path.
    MissingFile
        There is no such file, or no file of replies in a folder.
    """
    songs: list[Song] = []
    for item in _as_iterable(replies):
        number = str(next(numbers))
        if isinstance(item, bytes) and len(item) < _LONG_TEXT:
            yield number, item  # the usual case for long inputs
        elif isinstance(item, Song):
            songs.append(item)  # songs of one task may be apart
        elif (path := _as_path(item)) is not None:
            for file in find_files(path):
                yield from ((f"{file}{place}", reply) for place, reply in read_file(file))
        elif isinstance(item, str | bytes | bytearray):
            text = (number, bytes(item) if isinstance(item, bytearray) else item)
            yield from [text] if len(item) < _LONG_TEXT else split_item(text)
        elif isinstance(item, list) and holds_replies(item):
            yield from ((f"{number}[{index}]", reply) for index, reply in enumerate(item))
        elif isinstance(item, _ITEM_TYPES):
            yield number, item
        elif (method := _reply_method(item)) is not None:
            name = type(item).__name__
            yield from ((f"{name}[{index}]", reply) for index, reply in enumerate(method()))
        else:
            raise _wrong_type_error(item, f"item {number}")
    yield from (("songs", task) for task in tasks_of_songs(songs))


def has_frames(source: object) -> TypeGuard[HasFrames]:
    """Return whether a source makes its frames itself."""
    # looked up on the type: a table has its columns as attributes, whatever their names
    return callable(getattr(type(source), "result_frame", None))


def refuse_words(replies: object) -> None:
    """Raise InvalidArgument if a text can be no reply and no path, such as "nonsense"."""
    if isinstance(replies, str) and not set(replies) & set('{["<') and _as_path(replies) is None:
        raise InvalidArgument(
            f"the text {replies!r:.60} is neither a reply nor a file of replies; "
            "issues_frame(...) lists replies that were not understood"
        )


def split_item(item: Item) -> Iterator[Item]:
    """Yield the replies in a text; another item is one reply."""
    origin, reply = item
    if isinstance(reply, str | bytes):
        yield from ((f"{origin}{place}", part) for place, part in split_replies(reply))
    else:
        yield item


def parse_replies(replies: Replies) -> Iterator[ParsedReply]:
    """Parse every reply of an input, in order."""
    for item in iter_items(replies, itertools.count()):
        yield from map(parse_reply, split_item(item))


def parse_reply(item: Item) -> ParsedReply:
    """Parse one reply of any shape; what cannot be parsed is an issue."""
    origin, reply = item
    task_id = None
    try:
        if isinstance(reply, StoredReply):
            reply = reply.task()
        if isinstance(reply, Task):
            return ParsedReply(origin, reply.raw, reply, reply.id, reply.issues)
        if isinstance(reply, Damage):
            return ParsedReply(origin, None, None, None, (Issue("", reply.message),))
        task = parse_task(_payload(reply))
        return ParsedReply(origin, reply, task, task.id, task.issues)
    except UnexpectedReply as error:
        message = error.message
        task_id = error.body.get("task_id") if isinstance(error.body, dict) else None
        task_id = task_id if isinstance(task_id, str) else None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - one reply must not prevent the others
        message = f"the reply cannot be parsed ({type(error).__name__}: {error})"
    return ParsedReply(origin, reply, None, task_id, (Issue("", message),))


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


def type_text(value: object) -> str:
    """Return the type of a value without songs, and for a session a hint at its library."""
    hint = ", whose songs are those of its library: pass api.library"
    has_library = _reply_method(getattr(value, "library", None)) is not None
    return f"a {type(value).__name__}{hint if has_library else ''}"


def _wrong_type_error(value: object, subject: str) -> InvalidArgument:
    return InvalidArgument(
        f"{subject} is {type_text(value)}; a frame is made of tasks, songs, jobs or raw "
        "replies (dict, str, bytes), of an iterable of these, of an experiment, of a library, or "
        f"of the path of a file ({', '.join(SUFFIXES)}) or folder of replies"
    )


def _as_path(item: object) -> Path | None:
    if isinstance(item, os.PathLike):
        return local_path(item)
    return path_of(item) if isinstance(item, str) else None


def _payload(reply: Any) -> Any:
    if isinstance(reply, str | bytes):
        return decode(reply)
    return dict(reply) if isinstance(reply, Mapping) else reply
