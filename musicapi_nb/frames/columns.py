"""The columns of every frame, declared once: a dtype, a cell of a row, a line of doc."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import pandas as pd

from musicapi_nb.tasks.part import clean

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from musicapi_nb.frames.reading import Read
    from musicapi_nb.tasks import Issue, Replacement, Song, Task

Row = TypeVar("Row")
Frame = TypeVar("Frame", bound=Callable[..., pd.DataFrame])
_EXCERPT = 200


class SongRow(NamedTuple):
    """One song and the task that it belongs to."""

    task: Task
    song: Song


class TagRow(NamedTuple):
    """One tag of a song."""

    task: Task
    song: Song
    position: int
    tag: str


class StepRow(NamedTuple):
    """One tag that a step of the rewriting made; no tag where it made none."""

    task: Task
    song: Song
    step: int
    replacement: Replacement
    position: int | None
    tag: str | None


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

    read: Read
    issue: Issue


# --- cells ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column: its pandas dtype, its cell of a row, and what it holds."""

    dtype: str
    cell: Callable[[Row], Any]
    about: str

    def series(self, rows: Iterable[Row]) -> pd.Series[Any]:
        cells = (self.cell(row) for row in rows)
        if self.dtype == _TEXT:
            cells = (clean(cell) if cell else None for cell in cells)
        return pd.Series(list(cells), dtype=self.dtype)


_TEXT, _SECONDS, _SHARE = "str", "float64", "float64"
_COUNT, _SOME_COUNT = "int64", "Int64"
_FLAG, _SOME_FLAG = "bool", "boolean"
_MOMENT = "datetime64[us, UTC]"


def _as_json(values: Mapping[str, Any]) -> str | None:
    """Write what has no column of its own as one JSON object; a value JSON cannot hold is named."""
    if not values:
        return None
    return "{" + ", ".join(f"{_dumps(str(key))}: {_dumps(values[key])}" for key in values) + "}"


def _dumps(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
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


TASKS: Mapping[str, Column[Task]] = {
    "task_id": Column(_TEXT, lambda task: task.id, "missing where a raw reply names none"),
    "songs": Column(_COUNT, lambda task: len(task.songs), "songs in the reply, final or not"),
    "engine": Column(_TEXT, lambda task: task.engine, "missing where a raw reply does not tell"),
    "operation": Column(_TEXT, lambda task: task.operation, "missing for raw replies"),
    "state": Column(
        _TEXT, lambda task: task.state, "pending, running, succeeded, failed or unknown"
    ),
    "submitted_at": Column(_MOMENT, lambda task: task.submitted_at, "as the service states it"),
    "started_at": Column(_MOMENT, lambda task: task.started_at, "likewise"),
    "finished_at": Column(_MOMENT, lambda task: task.finished_at, "likewise"),
    "queue_seconds": Column(_SECONDS, lambda task: task.queue_seconds, "submission to start"),
    "render_seconds": Column(_SECONDS, lambda task: task.render_seconds, "start to end"),
    "total_seconds": Column(_SECONDS, lambda task: task.total_seconds, "submission to end"),
    "fail_reason": Column(_TEXT, lambda task: task.fail_reason, "the service's words"),
    "refunded": Column(_SOME_FLAG, lambda task: task.refunded, "missing if nothing is said"),
    "state_word": Column(_TEXT, lambda task: task.state_word, "the service's own word"),
    "expected": Column(_SOME_COUNT, lambda task: task.expected, "songs that were asked for"),
    "progress": Column(_SHARE, lambda task: task.progress, "0.0 to 1.0"),
    "simulated": Column(_FLAG, lambda task: task.simulated, "made by the embedded simulator"),
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
    "task_id": Column(_TEXT, lambda row: row.task.id, "missing where a raw reply names none"),
    "song_id": Column(_TEXT, lambda row: row.song.id, "the clip id, for follow-up requests"),
    "engine": Column(_TEXT, lambda row: row.song.engine, "missing where a raw reply tells none"),
    "operation": Column(_TEXT, lambda row: row.task.operation, "missing for raw replies"),
    "state": Column(
        _TEXT, lambda row: row.song.state, "pending, running, succeeded, failed or unknown"
    ),
    "title": Column(_TEXT, lambda row: row.song.title, "as the service has it"),
    "tags_text": Column(_TEXT, lambda row: row.song.tags_text, "all tags as one text"),
    "duration": Column(_SECONDS, lambda row: row.song.duration, "seconds of music"),
    "model": Column(_TEXT, lambda row: row.song.model, "as the service names it"),
    "audio_url": Column(_TEXT, lambda row: row.song.audio_url, "may be a passing stream"),
    "image_url": Column(_TEXT, lambda row: row.song.image_url, "the cover"),
    "video_url": Column(_TEXT, lambda row: row.song.video_url, "mostly missing"),
    "created_at": Column(_MOMENT, lambda row: row.song.created_at, "as the service states it"),
    "lyrics": Column(_TEXT, lambda row: row.song.lyrics, "the whole text"),
    "prompt": Column(_TEXT, lambda row: row.song.prompt, "the description it was made from"),
    "song_position": Column(_COUNT, lambda row: row.song.position, "in its task, from 0"),
    "state_word": Column(_TEXT, lambda row: row.song.state_word, "the service's own word"),
    "fail_reason": Column(_TEXT, lambda row: row.song.fail_reason, "the service's words"),
    "simulated": Column(_FLAG, lambda row: row.song.simulated, "made by the embedded simulator"),
    "extra": Column(
        _TEXT, lambda row: _as_json(row.song.extra), "fields without a column, as JSON text"
    ),
}

TAGS: Mapping[str, Column[TagRow]] = {
    "task_id": Column(_TEXT, lambda row: row.task.id, "as in songs_frame"),
    "song_id": Column(_TEXT, lambda row: row.song.id, "as in songs_frame"),
    "position": Column(_COUNT, lambda row: row.position, "of the tag in its song, from 0"),
    "tag": Column(_TEXT, lambda row: row.tag, "one tag"),
}

STEPS: Mapping[str, Column[StepRow]] = {
    "task_id": Column(_TEXT, lambda row: row.task.id, "as in songs_frame"),
    "song_id": Column(_TEXT, lambda row: row.song.id, "as in songs_frame"),
    "step": Column(_COUNT, lambda row: row.step, "of the rewriting, in order, from 0"),
    "source": Column(_TEXT, lambda row: row.replacement.source, "the text that the step read"),
    "type": Column(_TEXT, lambda row: row.replacement.type, "the service's word for the step"),
    "position": Column(
        _SOME_COUNT, lambda row: row.position, "of the tag in its step, from 0; missing: no tags"
    ),
    "tag": Column(_TEXT, lambda row: row.tag, "one tag that the step made; missing: no tags"),
}

DURATIONS: Mapping[str, Column[SongRow]] = {
    "task_id": SONGS["task_id"],
    "song_id": SONGS["song_id"],
    "duration": SONGS["duration"],
    "queue_seconds": Column(
        _SECONDS, lambda row: row.task.queue_seconds, "its task's, from submission to start"
    ),
    "render_seconds": Column(
        _SECONDS, lambda row: row.task.render_seconds, "its task's, from start to end"
    ),
    "total_seconds": Column(
        _SECONDS, lambda row: row.task.total_seconds, "its task's, from submission to end"
    ),
}

RATINGS: Mapping[str, Column[Rated]] = {
    "task_id": Column(_TEXT, lambda rated: rated.task_id, "as in songs_frame"),
    "song_id": Column(_TEXT, lambda rated: rated.song_id, "as in songs_frame"),
    "song_position": Column(_COUNT, lambda rated: rated.position, "as in songs_frame"),
    "rating": Column(_SOME_COUNT, lambda rated: rated.stars, "1 to 5; missing: a note alone"),
    "note": Column(_TEXT, lambda rated: rated.note, "missing where there is none"),
    "rated_at": Column(_MOMENT, lambda rated: rated.at, "when the last of both was said"),
    "simulated": Column(_FLAG, lambda rated: rated.simulated, "a song of the simulator"),
}

ISSUES: Mapping[str, Column[IssueRow]] = {
    "source": Column(_TEXT, lambda row: row.read.source, "the file; missing: given as a value"),
    "reply": Column(
        _COUNT, lambda row: row.read.place, "which of the input, or line of the file, from 0"
    ),
    "task_id": Column(_TEXT, lambda row: row.read.task_id, "missing where the reply names none"),
    "where": Column(_TEXT, lambda row: row.issue.where, "in the reply; missing: all of it"),
    "message": Column(_TEXT, lambda row: row.issue.message, "what is odd about it"),
    "excerpt": Column(
        _TEXT, lambda row: _excerpt(row.read.given), f"the reply's first {_EXCERPT} characters"
    ),
}


def build(columns: Mapping[str, Column[Row]], rows: Iterable[Row]) -> pd.DataFrame:
    kept = list(rows)
    return pd.DataFrame({name: column.series(kept) for name, column in columns.items()})


def shows(columns: Mapping[str, Column[Row]]) -> Callable[[Frame], Frame]:
    """Append the columns to a frame's docstring."""
    lines = (f"{name} : {column.dtype}\n    {column.about}" for name, column in columns.items())
    section = "\n".join(("Columns", "-------", *lines))

    def documented(frame: Frame) -> Frame:
        frame.__doc__ = f"{inspect.cleandoc(frame.__doc__ or '')}\n\n{section}"
        return frame

    return documented
