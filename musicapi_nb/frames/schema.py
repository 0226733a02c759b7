"""The columns of every frame: name, pandas dtype, cell of a row, and description."""

import dataclasses
import functools
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

import pandas as pd
import pyarrow as pa

from musicapi_nb.frames.builders import ARROW_TYPES, MOMENT, POOL, column_builder
from musicapi_nb.frames.inputs import ParsedReply
from musicapi_nb.tasks import Issue, Song, Task
from musicapi_nb.tasks.json_reader import clean

Row = TypeVar("Row")
Frame = TypeVar("Frame", bound=Callable[..., pd.DataFrame])
_EXCERPT = 200


class SongRow(NamedTuple):
    """A song and its task."""

    task: Task
    song: Song


class IssueRow(NamedTuple):
    """An issue and the reply that has it."""

    parsed: ParsedReply
    issue: Issue


@dataclasses.dataclass(frozen=True)
class Column(Generic[Row]):
    """A column of a frame: pandas dtype, source of its cells, and description.

    The source is a path in a row ("song.title") or a function of a row. It is None if the column
    is not computed row by row.
    """

    dtype: str
    source: str | Callable[[Row], Any] | None
    about: str

    @functools.cached_property
    def cell(self) -> Callable[[Row], Any]:
        """The function that returns the cell of a row."""
        return self.source if callable(self.source) else attrgetter(self.source or "")

    def values(self, rows: Iterable[Row]) -> Any:
        """Return the cells of these rows as a pandas array; empty text is missing."""
        cells = [self.cell(row) for row in rows]
        if self.dtype == _TEXT:
            cells = [cell or None for cell in cells]
        builder = column_builder(self.dtype)
        builder.extend(array(self.dtype, cells))
        return builder.values()


def array(dtype: str, cells: Sequence[Any]) -> pa.Array:
    """Return cells as an Arrow array that extends a column of this pandas dtype.

    Moments are datetimes, or integers: microseconds since 1970.
    """
    if len(cells) > 1 and cells[0] is cells[-1] and cells.count(cells[0]) == len(cells):
        return pa.repeat(array(dtype, cells[:1])[0], len(cells), memory_pool=POOL)
    if dtype == MOMENT:
        return pa.array(cells, pa.timestamp("us", "UTC"), memory_pool=POOL).view(pa.int64())
    try:
        return pa.array(cells, ARROW_TYPES[dtype], memory_pool=POOL)
    except UnicodeEncodeError:  # half of a surrogate pair
        cells = [clean(cell) if cell else None for cell in cells]
        return pa.array(cells, ARROW_TYPES[dtype], memory_pool=POOL)


def build_frame(columns: Mapping[str, Column[Row]], rows: Iterable[Row]) -> pd.DataFrame:
    """Return a frame with these columns and one row for each of `rows`."""
    rows = list(rows)
    return pd.DataFrame({name: column.values(rows) for name, column in columns.items()})


def document_columns(columns: Mapping[str, Column[Any]]) -> Callable[[Frame], Frame]:
    """Return a decorator that lists the columns in the docstring of a frame function."""
    lines = (f"{name} : {column.dtype}\n    {column.about}" for name, column in columns.items())
    section = "\n".join(("Columns", "-------", *lines))

    def add_section(frame: Frame) -> Frame:
        frame.__doc__ = f"{inspect.cleandoc(frame.__doc__ or '')}\n\n{section}"
        return frame

    return add_section


_TEXT, _SECONDS, _SHARE = "str", "float64", "float64"
_COUNT, _SOME_COUNT = "int64", "Int64"
_FLAG, _SOME_FLAG = "bool", "boolean"
_NAME = "category"


def _as_json(fields: Mapping[str, Any]) -> str | None:
    """Return fields as one JSON object, or None if there are none.

    A value that JSON cannot hold is replaced by a text that names its type.
    """
    if not fields:
        return None
    try:
        return _dump(fields)
    except (RecursionError, TypeError, ValueError):
        members = (f"{_dump(str(name))}:{dump_or_name(fields[name])}" for name in fields)
        return f"{{{','.join(members)}}}"


_dump = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def dump_or_name(value: Any) -> str:
    """Return a value as JSON, or, if it has no such form, a JSON text that names its type."""
    try:
        return _dump(value)
    except (RecursionError, TypeError, ValueError) as error:
        return json.dumps(f"({type(value).__name__} that cannot be written as JSON: {error})")


def _excerpt(reply: Any) -> str | None:
    """Return the first characters of a raw or decoded reply."""
    if isinstance(reply, bytes | bytearray):
        reply = reply[: 4 * _EXCERPT].decode(json.detect_encoding(reply[:4]), "replace")
    if reply is None or isinstance(reply, str):
        return reply.strip()[:_EXCERPT] if reply else None
    try:
        return json.dumps(reply, ensure_ascii=False, default=repr)[:_EXCERPT]
    except Exception:  # noqa: BLE001 - the repr of any object
        return f"a {type(reply).__name__} that cannot be written as JSON"


_REPLY: Column[Any] = Column(
    _TEXT, None, 'the reply, from 0: "7" of the input, "polls.ndjson:7" of a file, "[7]" of a list'
)

TASKS: Mapping[str, Column[Task]] = {
    "task_id": Column(_TEXT, "id", "missing if a raw reply has none"),
    "songs": Column(_COUNT, lambda task: len(task.songs), "songs in the reply, in any state"),
    "engine": Column(_TEXT, "engine", "missing if a raw reply does not show it"),
    "operation": Column(_TEXT, "operation", "missing for raw replies"),
    "state": Column(_TEXT, "state", "pending, running, succeeded, failed or unknown"),
    "submitted_at": Column(MOMENT, "submitted_at", "as the service states it, in UTC"),
    "started_at": Column(MOMENT, "started_at", "as the service states it, in UTC"),
    "finished_at": Column(MOMENT, "finished_at", "as the service states it, in UTC"),
    "queue_seconds": Column(_SECONDS, "queue_seconds", "from submission to start"),
    "render_seconds": Column(_SECONDS, "render_seconds", "from start to end"),
    "total_seconds": Column(_SECONDS, "total_seconds", "from submission to end"),
    "fail_reason": Column(_TEXT, "fail_reason", "in the service's words"),
    "refunded": Column(_SOME_FLAG, "refunded", "missing if the service does not say"),
    "price": Column(_SOME_COUNT, "price", "credits charged on acceptance; missing if unknown"),
    "credits": Column(_SOME_COUNT, "credits", "the price, or 0 if refunded; missing if unknown"),
    "state_word": Column(_TEXT, "state_word", "the service's own word"),
    "expected": Column(_SOME_COUNT, "expected", "number of songs requested"),
    "progress": Column(_SHARE, "progress", "0.0 to 1.0"),
    "simulated": Column(_FLAG, "simulated", "made by the embedded simulator"),
    "issues": Column(_COUNT, lambda task: len(task.issues), "number of its rows in issues_frame"),
    "request": Column(_TEXT, lambda task: task.request and repr(task.request), "as code"),
    "answer": Column(_TEXT, lambda task: _as_json(task.answer), "a reply without songs, as JSON"),
    "extra": Column(_TEXT, lambda task: _as_json(task.extra), "other fields, as JSON"),
    "reply": _REPLY,
}

SONGS: Mapping[str, Column[SongRow]] = {
    "task_id": Column(_TEXT, "task.id", "missing if a raw reply has none"),
    "song_id": Column(_TEXT, "song.id", "its id at the service, for follow-up requests"),
    "engine": Column(_TEXT, "song.engine", "missing if a raw reply does not show it"),
    "operation": Column(_TEXT, "task.operation", "missing for raw replies"),
    "state": Column(_TEXT, "song.state", "pending, running, succeeded, failed or unknown"),
    "title": Column(_TEXT, "song.title", "the title"),
    "tags_text": Column(_TEXT, "song.tags_text", "all tags as one text"),
    "duration": Column(_SECONDS, "song.duration", "seconds of music"),
    "model": Column(_TEXT, "song.model", "the service's name of the model"),
    "audio_url": Column(_TEXT, "song.audio_url", "may be a temporary stream"),
    "image_url": Column(_TEXT, "song.image_url", "the cover picture"),
    "video_url": Column(_TEXT, "song.video_url", "usually missing"),
    "created_at": Column(MOMENT, "song.created_at", "as the service states it, in UTC"),
    "lyrics": Column(_TEXT, "song.lyrics", "the complete lyrics"),
    "prompt": Column(_TEXT, "song.prompt", "the description the song was made from"),
    "requested_tags": Column(
        _TEXT,
        "song.requested_tags",
        "as the service read them, else as requested; missing if neither is known",
    ),
    "negative_tags": Column(
        _TEXT, "song.negative_tags", "requested not to come; missing if none are known"
    ),
    "credits": Column(
        "float64",
        lambda row: row.task.credits_per_song if row.song.state == "succeeded" else None,
        "its task's, shared over the songs that succeeded; missing for others, and if unknown",
    ),
    "song_position": Column(_COUNT, "song.position", "of the song in its task, from 0"),
    "state_word": Column(_TEXT, "song.state_word", "the service's own word"),
    "fail_reason": Column(_TEXT, "song.fail_reason", "in the service's words"),
    "simulated": Column(_FLAG, "song.simulated", "made by the embedded simulator"),
    "extra": Column(
        _TEXT, lambda row: _as_json(row.song.extra), "fields without a column, as JSON"
    ),
    "reply": _REPLY,
}

_SONG_ID: Column[Any] = Column(_NAME, None, "as in songs_frame")

TAGS: Mapping[str, Column[Any]] = {
    "task_id": _SONG_ID,
    "song_id": _SONG_ID,
    "position": Column(_COUNT, None, "of the tag in its song, from 0"),
    "tag": Column(_TEXT, None, "one tag"),
    "reply": _SONG_ID,
}

STEPS: Mapping[str, Column[Any]] = {
    "task_id": _SONG_ID,
    "song_id": _SONG_ID,
    "step": Column(_COUNT, None, "number of the rewriting step, from 0"),
    "source": Column(_NAME, None, "the text that the step read"),
    "type": Column(_NAME, None, "the service's word for the step"),
    "position": Column(_SOME_COUNT, None, "of the tag in its step, from 0; missing without tag"),
    "tag": Column(_TEXT, None, "one resulting tag; missing if the step left no tags"),
    "reply": _SONG_ID,
}

DURATIONS: Mapping[str, Column[Any]] = {
    "task_id": SONGS["task_id"],
    "song_id": SONGS["song_id"],
    "duration": SONGS["duration"],
    "queue_seconds": Column(_SECONDS, None, "of the task, from submission to start"),
    "render_seconds": Column(_SECONDS, None, "of the task, from start to end"),
    "total_seconds": Column(_SECONDS, None, "of the task, from submission to end"),
    "reply": _REPLY,
}

RATINGS: Mapping[str, Column[Any]] = {
    "task_id": Column(_TEXT, "task_id", "as in songs_frame"),
    "song_id": Column(_TEXT, "song_id", "as in songs_frame"),
    "song_position": Column(_COUNT, "position", "as in songs_frame"),
    "rating": Column(_SOME_COUNT, "stars", "1 to 5 stars; missing if there is only a note"),
    "note": Column(_TEXT, "note", "missing if there is none"),
    "rated_at": Column(MOMENT, "at", "time of the latest change of rating or note"),
    "simulated": Column(_FLAG, "simulated", "made by the embedded simulator"),
}

FILES: Mapping[str, Column[Any]] = {
    "media": Column(_TEXT, "media", "audio, image or video"),
    "path": Column(_TEXT, "path", "of the file in the library; missing if the file is"),
    "size": Column(_SOME_COUNT, "size", "bytes; missing if the library never had the file"),
    "sha256": Column(_TEXT, "sha256", "hash of its bytes, in 64 hexadecimal digits"),
    "note": Column(_TEXT, "note", "what is odd about it, such as another length than stated"),
    "missing": Column(_FLAG, "missing", "it is not there, or is incomplete"),
}

ISSUES: Mapping[str, Column[IssueRow]] = {
    "reply": Column(_TEXT, "parsed.origin", "as in songs_frame; a file, if all of it is meant"),
    "task_id": Column(_TEXT, "parsed.task_id", "missing if the reply has none"),
    "where": Column(_TEXT, "issue.where", "path in the reply; missing if the whole reply is meant"),
    "message": Column(_TEXT, "issue.message", "what was not understood"),
    "excerpt": Column(_TEXT, lambda row: _excerpt(row.parsed.reply), "the start of the reply"),
}
