"""The columns of every frame, declared once: a dtype, a cell of a row, a line of doc."""

from __future__ import annotations

import dataclasses
import datetime as dt
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec
import pandas as pd
import pyarrow as pa

from musicapi_nb.frames.builders import ARROW_TYPES, MOMENT, POOL, column_builder
from musicapi_nb.tasks import Issue
from musicapi_nb.tasks.json_reader import clean

if TYPE_CHECKING:
    from musicapi_nb.frames.inputs import ParsedReply

Row = TypeVar("Row")
Frame = TypeVar("Frame", bound=Callable[..., pd.DataFrame])
_EXCERPT = 200


class SongRow(msgspec.Struct, gc=False):
    """One song and its task, with the attributes of `tasks.Song` and `tasks.Task`."""

    task: Any
    song: Any
    position: int
    extra: Mapping[str, Any] | msgspec.Struct


class Rated(Protocol):
    """What was said of a song; `library.Rating` fulfils it."""

    @property
    def task_id(self) -> str | None: ...
    @property
    def song_id(self) -> str | None: ...
    @property
    def position(self) -> int: ...
    @property
    def stars(self) -> int | None: ...
    @property
    def note(self) -> str: ...
    @property
    def at(self) -> dt.datetime: ...
    @property
    def simulated(self) -> bool: ...


class IssueRow(NamedTuple):
    """One thing that was not understood."""

    parsed: ParsedReply
    issue: Issue


# --- cells ---------------------------------------------------------------------------------


class ColumnDoc(Protocol):
    """What a docstring says of a column."""

    @property
    def dtype(self) -> str: ...
    @property
    def about(self) -> str: ...


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnSpec:
    """A column that is not made by the row: its pandas dtype, and what it holds."""

    dtype: str
    about: str


@dataclasses.dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: its pandas dtype, its cell of a row, and what it holds."""

    dtype: str
    cell: Callable[[Row], Any]
    about: str

    def values(self, rows: Iterable[Row]) -> Any:
        """Return the cells of these rows as a pandas array."""
        builder = column_builder(self.dtype)
        cells = [self.cell(row) for row in rows]
        if self.dtype == _TEXT:
            cells = [cell or None for cell in cells]
        builder.extend(array(self.dtype, cells))
        return builder.values()


def array(dtype: str, cells: Sequence[Any]) -> pa.Array:
    """Return cells as an Arrow array that extends a column of this pandas dtype.

    Moments are datetimes, or microseconds since 1970.
    """
    if dtype == MOMENT:
        return pa.array(cells, pa.timestamp("us", "UTC"), memory_pool=POOL).view(pa.int64())
    try:
        return pa.array(cells, ARROW_TYPES[dtype], memory_pool=POOL)
    except UnicodeEncodeError:  # halves of surrogate pairs
        cells = [clean(cell) if cell else None for cell in cells]
        return pa.array(cells, ARROW_TYPES[dtype], memory_pool=POOL)


_TEXT, _SECONDS, _SHARE = "str", "float64", "float64"
_COUNT, _SOME_COUNT = "int64", "Int64"
_FLAG, _SOME_FLAG = "bool", "boolean"
_NAME = "category"


def _as_json(extra: Mapping[str, Any] | msgspec.Struct | None) -> str | None:
    """Return fields without a column as one JSON object, or None if there are none.

    A value that JSON cannot hold is replaced by a text that names its type.
    """
    if isinstance(extra, msgspec.Struct):  # decoded by msgspec, so that it can be encoded too
        try:
            text = _encode(extra).decode()
        except (OverflowError, RecursionError):  # integers beyond 64 bits
            fields = msgspec.structs.asdict(extra).items()
            return _as_json({name: value for name, value in fields if value is not msgspec.UNSET})
        return None if text == "{}" else text
    if not extra:
        return None
    try:
        return _dump(extra)
    except (RecursionError, TypeError, ValueError):
        members = (f"{_dump(str(key))}:{_dump_or_name(extra[key])}" for key in extra)
        return f"{{{','.join(members)}}}"


_encode = msgspec.json.Encoder(order="deterministic").encode
_dump = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def _dump_or_name(value: Any) -> str:
    try:
        return _dump(value)
    except (RecursionError, TypeError, ValueError) as error:
        return json.dumps(f"({type(value).__name__} that cannot be written as JSON: {error})")


def _excerpt(given: Any) -> str | None:
    """Return the beginning of a reply, as text."""
    if given is None or isinstance(given, str):
        return given[:_EXCERPT] if given else None
    if isinstance(given, bytes | bytearray):
        return given[:_EXCERPT].decode("utf-8", "replace")
    shown = ""
    try:
        for piece in json.JSONEncoder(ensure_ascii=False, default=repr).iterencode(given):
            shown += piece
            if len(shown) >= _EXCERPT:
                break
    except (RecursionError, TypeError, ValueError):
        shown += f"... ({type(given).__name__})"
    return shown[:_EXCERPT]


TASKS: Mapping[str, Column[Any]] = {
    "task_id": Column(_TEXT, attrgetter("id"), "missing where a raw reply names none"),
    "songs": Column(_COUNT, lambda task: len(task.songs), "songs in the reply, final or not"),
    "engine": Column(_TEXT, attrgetter("engine"), "missing where a raw reply does not tell"),
    "operation": Column(_TEXT, attrgetter("operation"), "missing for raw replies"),
    "state": Column(_TEXT, attrgetter("state"), "pending, running, succeeded, failed or unknown"),
    "submitted_at": Column(MOMENT, attrgetter("submitted_at"), "as the service states it"),
    "started_at": Column(MOMENT, attrgetter("started_at"), "likewise"),
    "finished_at": Column(MOMENT, attrgetter("finished_at"), "likewise"),
    "queue_seconds": Column(_SECONDS, attrgetter("queue_seconds"), "submission to start"),
    "render_seconds": Column(_SECONDS, attrgetter("render_seconds"), "start to end"),
    "total_seconds": Column(_SECONDS, attrgetter("total_seconds"), "submission to end"),
    "fail_reason": Column(_TEXT, attrgetter("fail_reason"), "the service's words"),
    "refunded": Column(_SOME_FLAG, attrgetter("refunded"), "missing if nothing is said"),
    "state_word": Column(_TEXT, attrgetter("state_word"), "the service's own word"),
    "expected": Column(_SOME_COUNT, attrgetter("expected"), "songs that were asked for"),
    "progress": Column(_SHARE, attrgetter("progress"), "0.0 to 1.0"),
    "simulated": Column(_FLAG, attrgetter("simulated"), "made by the embedded simulator"),
    "issues": Column(_COUNT, lambda task: len(task.issues), "its rows in issues_frame"),
    "request": Column(
        _TEXT, lambda task: repr(task.request) if task.request else None, "what was asked, as code"
    ),
    "answer": Column(
        _TEXT, lambda task: _as_json(task.answer), "what came instead of songs, as JSON text"
    ),
    "extra": Column(
        _TEXT, lambda task: _as_json(task.extra), "fields without a column, as JSON text"
    ),
}

SONGS: Mapping[str, Column[SongRow]] = {
    "task_id": Column(_TEXT, attrgetter("task.id"), "missing where a raw reply names none"),
    "song_id": Column(_TEXT, attrgetter("song.id"), "the clip id, for follow-up requests"),
    "engine": Column(_TEXT, attrgetter("song.engine"), "missing where a raw reply tells none"),
    "operation": Column(_TEXT, attrgetter("task.operation"), "missing for raw replies"),
    "state": Column(
        _TEXT, attrgetter("song.state"), "pending, running, succeeded, failed or unknown"
    ),
    "title": Column(_TEXT, attrgetter("song.title"), "as the service has it"),
    "tags_text": Column(_TEXT, attrgetter("song.tags_text"), "all tags as one text"),
    "duration": Column(_SECONDS, attrgetter("song.duration"), "seconds of music"),
    "model": Column(_TEXT, attrgetter("song.model"), "as the service names it"),
    "audio_url": Column(_TEXT, attrgetter("song.audio_url"), "may be a passing stream"),
    "image_url": Column(_TEXT, attrgetter("song.image_url"), "the cover"),
    "video_url": Column(_TEXT, attrgetter("song.video_url"), "mostly missing"),
    "created_at": Column(MOMENT, attrgetter("song.created_at"), "as the service states it"),
    "lyrics": Column(_TEXT, attrgetter("song.lyrics"), "the whole text"),
    "prompt": Column(_TEXT, attrgetter("song.prompt"), "the description it was made from"),
    "song_position": Column(_COUNT, attrgetter("position"), "in its task, from 0"),
    "state_word": Column(_TEXT, attrgetter("song.state_word"), "the service's own word"),
    "fail_reason": Column(_TEXT, attrgetter("song.fail_reason"), "the service's words"),
    "simulated": Column(
        _FLAG,
        lambda row: row.song.simulated or row.task.simulated,
        "made by the embedded simulator",
    ),
    "extra": Column(
        _TEXT, lambda row: _as_json(row.extra), "fields without a column, as JSON text"
    ),
}

_TASK = ColumnSpec(_NAME, "as in songs_frame")
_SONG = ColumnSpec(_NAME, "as in songs_frame")

TAGS: Mapping[str, ColumnSpec] = {
    "task_id": _TASK,
    "song_id": _SONG,
    "position": ColumnSpec(_COUNT, "of the tag in its song, from 0"),
    "tag": ColumnSpec(_TEXT, "one tag"),
}

STEPS: Mapping[str, ColumnSpec] = {
    "task_id": _TASK,
    "song_id": _SONG,
    "step": ColumnSpec(_COUNT, "of the rewriting, in order, from 0"),
    "source": ColumnSpec(_NAME, "the text that the step read"),
    "type": ColumnSpec(_NAME, "the service's word for the step"),
    "position": ColumnSpec(_SOME_COUNT, "of the tag in its step, from 0; missing: no tags"),
    "tag": ColumnSpec(_TEXT, "one tag that the step made; missing: no tags"),
}

DURATIONS: Mapping[str, ColumnDoc] = {
    "task_id": SONGS["task_id"],
    "song_id": SONGS["song_id"],
    "duration": SONGS["duration"],
    "queue_seconds": ColumnSpec(_SECONDS, "its task's, from submission to start"),
    "render_seconds": ColumnSpec(_SECONDS, "its task's, from start to end"),
    "total_seconds": ColumnSpec(_SECONDS, "its task's, from submission to end"),
}

RATINGS: Mapping[str, Column[Rated]] = {
    "task_id": Column(_TEXT, attrgetter("task_id"), "as in songs_frame"),
    "song_id": Column(_TEXT, attrgetter("song_id"), "as in songs_frame"),
    "song_position": Column(_COUNT, attrgetter("position"), "as in songs_frame"),
    "rating": Column(_SOME_COUNT, attrgetter("stars"), "1 to 5; missing: a note alone"),
    "note": Column(_TEXT, attrgetter("note"), "missing where there is none"),
    "rated_at": Column(MOMENT, attrgetter("at"), "when the last of both was said"),
    "simulated": Column(_FLAG, attrgetter("simulated"), "a song of the simulator"),
}

ISSUES: Mapping[str, Column[IssueRow]] = {
    "source": Column(_TEXT, attrgetter("parsed.source"), "the file; missing: given as a value"),
    "reply": Column(
        _COUNT, attrgetter("parsed.position"), "which of the input, or line of the file, from 0"
    ),
    "task_id": Column(_TEXT, attrgetter("parsed.task_id"), "missing where the reply names none"),
    "where": Column(_TEXT, attrgetter("issue.where"), "in the reply; missing: all of it"),
    "message": Column(_TEXT, attrgetter("issue.message"), "what is odd about it"),
    "excerpt": Column(
        _TEXT, lambda row: _excerpt(row.parsed.reply), f"the reply's first {_EXCERPT} characters"
    ),
}


def build_frame(columns: Mapping[str, Column[Row]], rows: Iterable[Row]) -> pd.DataFrame:
    kept = list(rows)
    return pd.DataFrame({name: column.values(kept) for name, column in columns.items()})


def document_columns(columns: Mapping[str, ColumnDoc]) -> Callable[[Frame], Frame]:
    """Append the columns to a frame's docstring."""
    lines = (f"{name} : {column.dtype}\n    {column.about}" for name, column in columns.items())
    section = "\n".join(("Columns", "-------", *lines))

    def documented(frame: Frame) -> Frame:
        frame.__doc__ = f"{inspect.cleandoc(frame.__doc__ or '')}\n\n{section}"
        return frame

    return documented
