"""The two replies that come in bulk, finished songs of sonic and studio, read straight to columns.

A reply is taken here only if it has one of the two shapes to the letter, holds nothing unknown and
nothing unfinished. `tasks.read` reads all others, and would read these alike: that they agree is
tested on any reply at all.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from itertools import chain, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec
import pyarrow as pa
from msgspec import UNSET, Meta, UnsetType

from musicapi_nb.frames import escapes
from musicapi_nb.tasks.part import as_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Reply = TypeVar("Reply")
Clip = TypeVar("Clip")
Cells: TypeAlias = Iterable[Any] | pa.Array

# What has a column; and what has none, and is written down again as it came.
_Text: TypeAlias = str | None
_RestText: TypeAlias = str | UnsetType | None
_RestFlag: TypeAlias = bool | UnsetType | None
_RestCount: TypeAlias = int | UnsetType | None
# JSON writers agree on how such a number is spelled
_RestShare: TypeAlias = Literal[0, 1] | Annotated[float, Meta(gt=0.001, lt=1)] | UnsetType | None
_Blank: TypeAlias = Literal[""] | None
_Length: TypeAlias = Annotated[float, Meta(ge=0)] | None
_Moment: TypeAlias = Annotated[int, Meta(ge=0, lt=4_102_444_800)] | None  # as `tasks.part` reads it
_NULL = msgspec.Raw(b"null")
_MICROSECONDS = 1_000_000
_FIRST = int(dt.datetime(1, 1, 1, tzinfo=dt.UTC).timestamp()) * _MICROSECONDS
_LAST = int(dt.datetime(9999, 12, 31, tzinfo=dt.UTC).timestamp()) * _MICROSECONDS


class Odd(Exception):
    """A value that a type cannot tell from those which are understood here."""


class Lists(NamedTuple):
    """What a song has many of: how many for each, and then all one after the other."""

    per_song: Cells
    tag: Cells
    per_song_steps: Cells
    source: Cells
    type: Cells
    per_step: Cells
    made: Cells


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Shape(Generic[Reply, Clip]):
    """How one shape of reply becomes columns, each made of many replies (or songs) at once.

    What is not said here is missing, 0 or False.
    """

    decode: Callable[[bytes | str], Reply]
    songs_of: Callable[[Reply], Sequence[Clip]]
    tasks: Mapping[str, Callable[[Sequence[Reply]], Cells]]
    songs: Mapping[str, Callable[[Sequence[Clip]], Cells]]
    lists: Callable[[Sequence[Clip]], Lists]


def _always(value: Any) -> Callable[[Sequence[Any]], Cells]:
    return lambda items: repeat(value, len(items))


def _none_blank(texts: list[_Text]) -> list[_Text]:
    """The same texts; Odd if one is white space alone: that says nothing, and is read as None."""
    if any(map(str.isspace, filter(None, texts))):
        raise Odd
    return texts


def _texts(name: str) -> Callable[[Sequence[Any]], Cells]:
    get = attrgetter(name)
    return lambda values: _none_blank([text or None for text in map(get, values)])


def _lyrics(songs: Sequence[Any]) -> Cells:
    """As `_texts` does it."""
    try:
        array = escapes.texts([song.lyrics for song in songs])
    except (ValueError, msgspec.MsgspecError):
        raise Odd from None
    if escapes.has_blank(array):
        raise Odd
    return array


def _rests(kind: type[msgspec.Struct]) -> Callable[[Sequence[Any]], Cells]:
    """Write down those fields of a value that `kind` has, by name, as JSON objects."""
    names = sorted(kind.__struct_fields__)
    fields: Any = attrgetter(*names)
    of = msgspec.defstruct("Rest", [(name, Any, UNSET) for name in names], gc=False)
    write = msgspec.json.Encoder().encode

    def rests(values: Sequence[Any]) -> Cells:
        written = [write(of(*fields(value))) for value in values]
        return [None if text == b"{}" else text for text in written]

    return rests


def _moments(name: str) -> Callable[[Sequence[Any]], Cells]:
    """Microseconds since 1970; Odd if one is no plain ISO 8601 with a zone."""
    get = attrgetter(name)

    def moments(values: Sequence[Any]) -> Cells:
        try:
            texts = pa.array(list(map(get, values)), pa.string())
            found = texts.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        except pa.ArrowInvalid:
            raise Odd from None
        known = found.drop_null().to_numpy() if found.null_count else found.to_numpy()
        if len(known) and not _FIRST <= known.min() <= known.max() < _LAST:
            raise Odd
        return found

    return moments


# --- studio --------------------------------------------------------------------------------


class _Step(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    tags: list[str] | None = None
    type: _Text = None


class _StudioSongRest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    artist: _RestText = UNSET
    artist_image: _RestText = UNSET
    attribution: _RestText = UNSET
    audio_conditioning_type: _RestText = UNSET
    description: _RestText = UNSET
    disliked: _RestFlag = UNSET
    error_code: _RestText = UNSET
    error_id: _RestText = UNSET
    generation_id: _RestText = UNSET
    liked: _RestFlag = UNSET
    likes: _RestCount = UNSET
    original_song_path: _RestText = UNSET
    plays: _RestCount = UNSET
    publishable: _RestFlag = UNSET
    published_at: _RestText = UNSET
    user_id: _RestText = UNSET
    user_tags: list[str] | UnsetType | None = UNSET


class _StudioSong(_StudioSongRest, forbid_unknown_fields=True, kw_only=True, gc=False):
    id: _Text = None
    tags: list[str] | None = None
    title: _Text = None
    lyrics: msgspec.Raw = _NULL
    prompt: _Text = None
    duration: _Length = None
    finished: bool
    song_path: _Text = None
    created_at: _Text = None
    error_type: _Blank = None
    image_path: _Text = None
    video_path: _Text = None
    error_detail: _Blank = None
    replaced_tags: dict[str, _Step] | None = None


class _StudioSongs(msgspec.Struct, forbid_unknown_fields=True):
    songs: Annotated[list[_StudioSong], Meta(min_length=1)]


class _StudioRest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    action: _RestText = UNSET
    code: _RestText = UNSET
    message: _RestText = UNSET
    notify_hook: _RestText = UNSET


class _StudioTask(_StudioRest, forbid_unknown_fields=True, kw_only=True):
    task_id: _Text = None
    status: Literal["SUCCESS"]
    fail_reason: _Text = None
    submit_time: _Moment = None
    start_time: _Moment = None
    finish_time: _Moment = None
    progress: Literal["100%"] | None = None
    data: _StudioSongs


class _StudioReply(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    data: _StudioTask
    code: _RestText = UNSET
    message: _RestText = UNSET


_studio_reply = msgspec.json.Decoder(_StudioReply).decode


def _studio(given: bytes | str) -> _StudioTask:
    reply = _studio_reply(given)
    task = reply.data
    if task.code is not UNSET or task.message is not UNSET:
        raise Odd
    for song in task.data.songs:
        if not song.finished:
            raise Odd
    task.code, task.message = reply.code, reply.message
    return task


def _micro(seconds: int | None) -> int | None:
    return seconds * _MICROSECONDS if seconds else None


def _seconds(start: int | None, end: int | None) -> float | None:
    return float(end - start) if start and end and end >= start else None


def _studio_lists(songs: Sequence[_StudioSong]) -> Lists:
    tags = [song.tags or () for song in songs]
    replaced = [song.replaced_tags or {} for song in songs]
    steps = list(chain.from_iterable(map(dict.values, replaced)))
    made = [step.tags or () for step in steps]
    return Lists(
        per_song=list(map(len, tags)),
        tag=list(chain.from_iterable(tags)),
        per_song_steps=list(map(len, replaced)),
        source=[source or None for source in chain.from_iterable(replaced)],
        type=_none_blank([step.type or None for step in steps]),
        per_step=list(map(len, made)),
        made=list(chain.from_iterable(made)),
    )


STUDIO: Shape[_StudioTask, _StudioSong] = Shape(
    decode=_studio,
    songs_of=lambda task: task.data.songs,
    tasks={
        "task_id": _texts("task_id"),
        "engine": _always("studio"),
        "state": _always("succeeded"),
        "submitted_at": lambda tasks: [_micro(t.submit_time) for t in tasks],
        "started_at": lambda tasks: [_micro(t.start_time) for t in tasks],
        "finished_at": lambda tasks: [_micro(t.finish_time) for t in tasks],
        "queue_seconds": lambda tasks: [_seconds(t.submit_time, t.start_time) for t in tasks],
        "render_seconds": lambda tasks: [_seconds(t.start_time, t.finish_time) for t in tasks],
        "total_seconds": lambda tasks: [_seconds(t.submit_time, t.finish_time) for t in tasks],
        "state_word": lambda tasks: [task.status for task in tasks],
        "progress": lambda tasks: [1.0 if task.progress else None for task in tasks],
        "extra": _rests(_StudioRest),
    },
    songs={
        "song_id": _texts("id"),
        "engine": _always("studio"),
        "state": _always("succeeded"),
        "title": _texts("title"),
        "tags_text": lambda songs: [", ".join(song.tags or ()) or None for song in songs],
        "duration": lambda songs: [song.duration or None for song in songs],
        "audio_url": _texts("song_path"),
        "image_url": _texts("image_path"),
        "video_url": _texts("video_path"),
        "created_at": _moments("created_at"),
        "lyrics": _lyrics,
        "prompt": _texts("prompt"),
        "extra": _rests(_StudioSongRest),
    },
    lists=_studio_lists,
)


# --- sonic ---------------------------------------------------------------------------------


class _SonicSongRest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    negative_tags: _RestText = UNSET
    style_weight: _RestShare = UNSET
    weirdness_constraint: _RestShare = UNSET


class _SonicSong(_SonicSongRest, forbid_unknown_fields=True, kw_only=True, gc=False):
    clip_id: _Text = None
    state: Literal["succeeded"]
    title: _Text = None
    tags: str | None
    lyrics: msgspec.Raw = _NULL
    image_url: _Text = None
    audio_url: _Text = None
    video_url: _Text = None
    created_at: _Text = None
    gpt_description_prompt: _Text = None
    mv: _Text = None
    duration: _Length | str = None


class _SonicRest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    code: Literal[200] | UnsetType = UNSET
    message: _RestText = UNSET
    task_id: _RestText = UNSET


class _SonicReply(_SonicRest, forbid_unknown_fields=True, kw_only=True):
    data: Annotated[list[_SonicSong], Meta(min_length=1)]


def _tags_of(text: str | None) -> list[str]:
    return [tag for part in (text or "").split(",") if (tag := part.strip())]


def _length(value: float | str | None) -> float | None:
    if isinstance(value, str):
        if not value:
            return None
        value = as_number(value)
        if value is None or value < 0:
            raise Odd
    return value or None


def _sonic_lists(songs: Sequence[_SonicSong]) -> Lists:
    tags = [_tags_of(song.tags) for song in songs]
    return Lists(
        per_song=list(map(len, tags)),
        tag=list(chain.from_iterable(tags)),
        per_song_steps=[0] * len(songs),
        source=(), type=(), per_step=(), made=(),
    )  # fmt: skip


SONIC: Shape[_SonicReply, _SonicSong] = Shape(
    decode=msgspec.json.Decoder(_SonicReply).decode,
    songs_of=lambda reply: reply.data,
    tasks={
        "task_id": _texts("task_id"),
        "engine": _always("sonic"),
        "state": _always("succeeded"),
        "extra": _rests(_SonicRest),
    },
    songs={
        "song_id": _texts("clip_id"),
        "engine": _always("sonic"),
        "state": _always("succeeded"),
        "title": _texts("title"),
        "tags_text": lambda songs: [song.tags if _tags_of(song.tags) else None for song in songs],
        "duration": lambda songs: [_length(song.duration) for song in songs],
        "model": _texts("mv"),
        "audio_url": _texts("audio_url"),
        "image_url": _texts("image_url"),
        "video_url": _texts("video_url"),
        "created_at": _moments("created_at"),
        "lyrics": _lyrics,
        "prompt": _texts("gpt_description_prompt"),
        "state_word": lambda songs: [song.state for song in songs],
        "extra": _rests(_SonicSongRest),
    },
    lists=_sonic_lists,
)

SHAPES: Sequence[Shape[Any, Any]] = (SONIC, STUDIO)
