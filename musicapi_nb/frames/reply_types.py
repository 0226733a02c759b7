"""Typed declarations of the replies that come in bulk: finished songs of studio and of sonic.

msgspec decodes such a reply several times faster than `tasks.parse_task`, which has to parse all
others. Whatever is accepted here, `parse_task` would understand alike: tests compare the two.
No I/O.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from http import HTTPStatus
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta

from musicapi_nb.frames.schema import SongRow
from musicapi_nb.tasks import StoredReply
from musicapi_nb.tasks.json_reader import LATEST, as_number
from musicapi_nb.tasks.tags import split_at_commas

_MICROSECONDS = 1_000_000
_from_iso_format = dt.datetime.fromisoformat
_YEARS = range(dt.MINYEAR + 1, dt.MAXYEAR)
_EmptyText: TypeAlias = Literal[""] | None
_UnixSeconds: TypeAlias = Annotated[int, Meta(ge=0, lt=int(LATEST))]


class UntypedReply(ValueError):
    """The reply differs from the declarations, so `tasks.parse_task` has to read it."""


# --- songs -----------------------------------------------------------------------------------


class _StudioSong(
    msgspec.Struct,
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
    rename={"audio_url": "song_path", "image_url": "image_path", "video_url": "video_path"},
):
    """A finished song of studio, by the attributes of `tasks.Song`.

    Fields are in the service's order, which decodes fastest; UNSET ones have no column.
    """

    id: str | None = None
    tags: list[str] | None = None
    liked: Any = UNSET
    likes: Any = UNSET
    plays: Any = UNSET
    title: str | None = None
    artist: Any = UNSET
    lyrics: str | None = None
    prompt: str | None = None
    user_id: Any = UNSET
    disliked: Any = UNSET
    duration: Annotated[float, Meta(ge=0)] | None = None
    error_id: Any = UNSET
    finished: bool
    audio_url: str | None = None
    user_tags: Any = UNSET
    created_at: Any = None  # text, replaced by a datetime
    error_code: Any = UNSET
    error_type: _EmptyText = None
    image_url: str | None = None
    video_url: str | None = None
    attribution: Any = UNSET
    description: Any = UNSET
    publishable: Any = UNSET
    artist_image: Any = UNSET
    error_detail: _EmptyText = None
    published_at: Any = UNSET
    generation_id: Any = UNSET
    replaced_tags: dict[str, _Step] | None = None
    original_song_path: Any = UNSET
    audio_conditioning_type: Any = UNSET

    engine: ClassVar[str] = "studio"
    state: ClassVar[str] = "succeeded"
    state_word: ClassVar[None] = None
    fail_reason: ClassVar[None] = None
    model: ClassVar[None] = None
    simulated: ClassVar[bool] = False  # the task has it

    def __post_init__(self) -> None:
        if not self.finished:
            raise UntypedReply
        self.created_at = _moment(self.created_at)
        self.duration = self.duration or None  # 0 states no duration
        if not all(map(str.strip, self.tags or ())):
            self.tags = _nonblank_tags(self.tags)
        if self.replaced_tags:
            for source, step in self.replaced_tags.items():
                if step.source is not UNSET:  # an unknown field of this name
                    raise UntypedReply
                step.source = source
                if not all(map(str.strip, step.tags or ())):
                    step.tags = _nonblank_tags(step.tags)

    @property
    def tags_text(self) -> str:
        return ", ".join(self.tags or ())

    @property
    def replacements(self) -> Collection[_Step]:
        return self.replaced_tags.values() if self.replaced_tags else ()


class _Step(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The attributes of `tasks.Replacement`; the song sets `source`."""

    tags: list[str] | None = None
    type: str | None = None
    source: Any = UNSET


class _SonicSong(
    msgspec.Struct,
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
    rename={
        "id": "clip_id",
        "model": "mv",
        "prompt": "gpt_description_prompt",
        "raw_tags": "tags",
        "state_word": "state",
    },
):
    """A finished song of sonic, declared as `_StudioSong` is."""

    id: str | None = None
    state_word: Literal["succeeded"]
    title: str | None = None
    raw_tags: str | None
    lyrics: str | None = None
    image_url: str | None = None
    audio_url: str | None = None
    video_url: str | None = None
    created_at: Any = None  # text, replaced by a datetime
    prompt: str | None = None
    duration: float | str | None = None
    negative_tags: Any = UNSET
    style_weight: Any = UNSET
    weirdness_constraint: Any = UNSET
    model: str | None = None
    error_type: _EmptyText = None
    error_detail: _EmptyText = None

    engine: ClassVar[str] = "sonic"
    state: ClassVar[str] = "succeeded"
    fail_reason: ClassVar[None] = None
    simulated: ClassVar[bool] = False  # the task has it
    replacements: ClassVar[tuple[()]] = ()

    def __post_init__(self) -> None:
        self.created_at = _moment(self.created_at)
        seconds = as_number(self.duration) if self.duration else 0.0
        if seconds is None or seconds < 0:
            raise UntypedReply
        self.duration = seconds or None

    @property
    def tags(self) -> list[str]:
        return list(split_at_commas(self.raw_tags or ""))

    @property
    def tags_text(self) -> str | None:
        return self.raw_tags if self.tags else None


def _moment(text: Any) -> dt.datetime | None:
    if text is None or text == "":
        return None
    moment = _from_iso_format(text)
    # to `tasks.parse_task`, digits alone are Unix seconds; at the limits, a time zone may overflow
    if text[4] != "-" or moment.year not in _YEARS:
        raise UntypedReply
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def nonblank(text: str | None) -> str | None:
    return text if text and not text.isspace() else None


def _nonblank_tags(tags: list[str] | None) -> list[str]:
    return [tag for tag in tags or () if tag.strip()]


# --- fields without a column -------------------------------------------------------------------


class _OpenStudioSong(_StudioSong, forbid_unknown_fields=False):
    """A studio song that may have undeclared fields."""


class _OpenSonicSong(_SonicSong, forbid_unknown_fields=False):
    """A sonic song that may have undeclared fields."""


def _extra_getter(song_type: Any) -> Callable[[Any], msgspec.Struct]:
    """Return a function that makes a struct of the UNSET fields of a song."""
    fields = msgspec.structs.fields(song_type)
    names = sorted(field.name for field in fields if field.default is UNSET)
    extra_type = msgspec.defstruct("Extra", [(name, Any, UNSET) for name in names], gc=False)
    values = attrgetter(*names)
    return lambda song: extra_type(*values(song))


_studio_extra = _extra_getter(_StudioSong)
_sonic_extra = _extra_getter(_SonicSong)
# Fields of a song that have a column, and others that `tasks.parse_task` reads from some engine.
_COLUMN_FIELDS = {
    song_type: {
        field.encode_name
        for field in msgspec.structs.fields(song_type)
        if field.default is not UNSET
    }
    for song_type in (_OpenStudioSong, _OpenSonicSong)
}
_PARSED_FIELDS = (
    "audio_url clip_id created_at duration error error_detail error_message error_type extended "
    "fail_reason finished full genre gpt_description_prompt id image_path image_url lyrics mood mv "
    "prompt replaced_tags song_path sound state status tags timestamp title video_path video_url"
)


def _open_extra(song: Any, raw_song: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a song, as decoded from JSON, that have no column."""
    names = raw_song.keys() - _COLUMN_FIELDS[type(song)]
    if not names.isdisjoint(_PARSED_FIELDS.split()):
        raise UntypedReply
    return {name: raw_song[name] for name in names}


# --- replies ---------------------------------------------------------------------------------

_Studio = TypeVar("_Studio", bound=_StudioSong)
_Sonic = TypeVar("_Sonic", bound=_SonicSong)


class _StudioSongs(msgspec.Struct, Generic[_Studio], forbid_unknown_fields=True, gc=False):
    songs: Annotated[list[_Studio], Meta(min_length=1)]


class _StudioTask(
    msgspec.Struct, Generic[_Studio], kw_only=True, forbid_unknown_fields=True, gc=False
):
    status: Literal["SUCCESS"]
    data: _StudioSongs[_Studio]
    task_id: str | None = None
    fail_reason: str | None = None
    submit_time: _UnixSeconds | None = None
    start_time: _UnixSeconds | None = None
    finish_time: _UnixSeconds | None = None
    progress: Literal["100%"] | None = None
    action: Any = UNSET
    notify_hook: Any = UNSET


class _Reply(msgspec.Struct, Generic[_Studio, _Sonic], forbid_unknown_fields=True, gc=False):
    data: _StudioTask[_Studio] | Annotated[list[_Sonic], Meta(min_length=1)]
    task_id: str | msgspec.UnsetType | None = UNSET  # sonic; studio has it under `data`
    code: Any = UNSET
    message: Any = UNSET


class _TaskExtra(msgspec.Struct, gc=False):
    action: Any
    code: Any
    message: Any
    notify_hook: Any
    task_id: Any


class TypedTask(msgspec.Struct, kw_only=True, gc=False):
    """A task by the attributes of `tasks.Task`; its times are microseconds since 1970."""

    id: str | None
    engine: str
    songs: Sequence[_StudioSong] | Sequence[_SonicSong]
    extra: msgspec.Struct
    state: str = "succeeded"
    state_word: str | None = None
    submitted_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    progress: float | None = None
    operation: str | None = None
    expected: int | None = None
    request: Any = None
    simulated: bool = False
    fail_reason: None = None
    refunded: None = None
    answer: None = None
    issues: tuple[()] = ()

    @property
    def queue_seconds(self) -> float | None:
        return _seconds_between(self.submitted_at, self.started_at)

    @property
    def render_seconds(self) -> float | None:
        return _seconds_between(self.started_at, self.finished_at)

    @property
    def total_seconds(self) -> float | None:
        return _seconds_between(self.submitted_at, self.finished_at)


def _seconds_between(start: int | None, end: int | None) -> float | None:
    if start is None or end is None or end < start:
        return None
    return (end - start) / _MICROSECONDS


_decode_closed = msgspec.json.Decoder(_Reply[_StudioSong, _SonicSong]).decode
_decode_open = msgspec.json.Decoder(_Reply[_OpenStudioSong, _OpenSonicSong]).decode
_decode_json = msgspec.json.Decoder().decode


def decode_reply(text: bytes | str) -> tuple[TypedTask, list[SongRow]]:
    """Decode a reply about finished songs of studio or sonic.

    Raises
    ------
    ValueError
        `tasks.parse_task` has to read this reply.
    RecursionError
        It is nested too deeply.
    """
    extras: list[Any]
    try:
        task = _task(_decode_closed(text))
        extra_of = _studio_extra if task.engine == "studio" else _sonic_extra
        extras = [extra_of(song) for song in task.songs]
    except msgspec.ValidationError:
        task = _task(_decode_open(text))
        data = _decode_json(text)["data"]
        raw_songs = data if isinstance(data, list) else data["data"]["songs"]
        extras = list(map(_open_extra, task.songs, raw_songs))
    rows = [
        SongRow(task, song, position, extra)
        for position, (song, extra) in enumerate(zip(task.songs, extras, strict=True))
    ]
    return task, rows


def _task(reply: _Reply[Any, Any]) -> TypedTask:
    if reply.code == HTTPStatus.ACCEPTED:  # "keep asking", whatever else the reply states
        raise UntypedReply
    data = reply.data
    if isinstance(data, list):
        extra = _TaskExtra(UNSET, reply.code, reply.message, UNSET, reply.task_id)
        task_id = nonblank(reply.task_id or None)
        return TypedTask(id=task_id, engine="sonic", songs=data, extra=extra)
    if reply.task_id is not UNSET:
        raise UntypedReply
    return TypedTask(
        id=nonblank(data.task_id),
        engine="studio",
        songs=data.data.songs,
        extra=_TaskExtra(data.action, reply.code, reply.message, data.notify_hook, UNSET),
        state_word=data.status,
        submitted_at=_microseconds(data.submit_time),
        started_at=_microseconds(data.start_time),
        finished_at=_microseconds(data.finish_time),
        progress=1.0 if data.progress else None,
    )


def _microseconds(unix_seconds: int | None) -> int | None:
    return unix_seconds * _MICROSECONDS if unix_seconds else None


def decode_stored(stored: StoredReply) -> tuple[TypedTask, list[SongRow]]:
    """Decode a stored reply and add what the library knows about its task.

    Raises
    ------
    ValueError, RecursionError
        As `decode_reply`; also where the library contradicts the reply.
    """
    task, rows = decode_reply(stored.raw or "")
    base = stored.base
    if (
        base.engine not in {None, task.engine}
        or len(task.songs) < (base.expected or 1)
        or (base.id and task.id and base.id != task.id)
    ):
        raise UntypedReply
    task.id = base.id or task.id
    task.operation = base.operation
    task.expected = base.expected
    task.request = base.request
    task.simulated = base.simulated
    if any(getattr(task, name) != value for name, value in stored.overrides.items()):
        raise UntypedReply
    return task, rows
