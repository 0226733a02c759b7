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

_MICROSECONDS = 1_000_000
_EmptyText: TypeAlias = Literal[""] | None
_UnixSeconds: TypeAlias = Annotated[int, Meta(ge=0, lt=int(LATEST))]


class UntypedReply(ValueError):
    """The reply differs from the declarations, so `tasks.parse_task` has to read it."""


# --- songs -----------------------------------------------------------------------------------


class _Song(msgspec.Struct, kw_only=True, gc=False):
    """What both engines state about a song, by the attributes of `tasks.Song`."""

    title: str | None = None
    lyrics: str | None = None
    created_at: Any = None  # text, replaced by a datetime
    error_type: _EmptyText = None
    error_detail: _EmptyText = None

    state: ClassVar[str] = "succeeded"
    fail_reason: ClassVar[None] = None
    simulated: ClassVar[bool] = False  # the task has it


class _Step(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The attributes of `tasks.Replacement`; the song sets `source`."""

    tags: list[str] | None = None
    type: str | None = None
    source: Any = UNSET


class _StudioSong(
    _Song, rename={"audio_url": "song_path", "image_url": "image_path", "video_url": "video_path"}
):
    finished: bool
    id: str | None = None
    prompt: str | None = None
    audio_url: str | None = None
    image_url: str | None = None
    video_url: str | None = None
    duration: Annotated[float, Meta(ge=0)] | None = None
    tags: list[str] | None = None
    replaced_tags: dict[str, _Step] | None = None

    engine: ClassVar[str] = "studio"
    model: ClassVar[None] = None
    state_word: ClassVar[None] = None

    def __post_init__(self) -> None:
        if not self.finished:
            raise UntypedReply
        self.created_at = _moment(self.created_at)
        self.duration = self.duration or None  # 0 states no duration
        self.tags = _nonblank_tags(self.tags)
        for source, step in self.replaced_tags.items() if self.replaced_tags else ():
            if step.source is not UNSET:  # an unknown field that is named so
                raise UntypedReply
            step.source = source
            step.tags = _nonblank_tags(step.tags)

    @property
    def tags_text(self) -> str:
        return ", ".join(self.tags or ())

    @property
    def replacements(self) -> Collection[_Step]:
        return self.replaced_tags.values() if self.replaced_tags else ()


class _SonicSong(
    _Song,
    rename={
        "id": "clip_id",
        "model": "mv",
        "prompt": "gpt_description_prompt",
        "raw_tags": "tags",
        "state_word": "state",
    },
):
    state_word: Literal["succeeded"]
    raw_tags: str | None
    id: str | None = None
    model: str | None = None
    prompt: str | None = None
    audio_url: str | None = None
    image_url: str | None = None
    video_url: str | None = None
    duration: float | str | None = None

    engine: ClassVar[str] = "sonic"
    replacements: ClassVar[tuple[()]] = ()

    def __post_init__(self) -> None:
        self.created_at = _moment(self.created_at)
        seconds = as_number(self.duration) if self.duration else 0.0
        if seconds is None or seconds < 0:
            raise UntypedReply
        self.duration = seconds or None

    @property
    def tags(self) -> list[str]:
        return [tag for part in (self.raw_tags or "").split(",") if (tag := part.strip())]

    @property
    def tags_text(self) -> str | None:
        return self.raw_tags if self.tags else None


def _moment(text: Any) -> dt.datetime | None:
    if text is None or text == "":
        return None
    moment = dt.datetime.fromisoformat(text)
    # `tasks.parse_task` takes digits alone for Unix seconds; another zone may leave the last year
    if text[4] != "-" or not dt.MINYEAR < moment.year < dt.MAXYEAR:
        raise UntypedReply
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def nonblank(text: str | None) -> str | None:
    return text if text and not text.isspace() else None


def _nonblank_tags(tags: list[str] | None) -> list[str]:
    if not tags or all(map(str.strip, tags)):
        return tags or []
    return [tag for tag in tags if tag.strip()]


# --- songs with their extra fields -------------------------------------------------------------


class _FullStudioSong(_StudioSong, forbid_unknown_fields=True):
    """A studio song, with its documented fields that have no column."""

    artist: Any = UNSET
    artist_image: Any = UNSET
    attribution: Any = UNSET
    audio_conditioning_type: Any = UNSET
    description: Any = UNSET
    disliked: Any = UNSET
    error_code: Any = UNSET
    error_id: Any = UNSET
    generation_id: Any = UNSET
    liked: Any = UNSET
    likes: Any = UNSET
    original_song_path: Any = UNSET
    plays: Any = UNSET
    publishable: Any = UNSET
    published_at: Any = UNSET
    user_id: Any = UNSET
    user_tags: Any = UNSET


class _FullSonicSong(_SonicSong, forbid_unknown_fields=True):
    """A sonic song, with its documented fields that have no column."""

    negative_tags: Any = UNSET
    style_weight: Any = UNSET
    weirdness_constraint: Any = UNSET


def _extra_getter(full: type[_Song], base: type[_Song]) -> Callable[[_Song], msgspec.Struct]:
    names = sorted(set(full.__struct_fields__) - set(base.__struct_fields__))
    extra_type = msgspec.defstruct("Extra", [(name, Any, UNSET) for name in names], gc=False)
    values = attrgetter(*names)
    return lambda song: extra_type(*values(song))


_EXTRA_OF: dict[type[_Song], Callable[[_Song], msgspec.Struct]] = {
    _FullStudioSong: _extra_getter(_FullStudioSong, _StudioSong),
    _FullSonicSong: _extra_getter(_FullSonicSong, _SonicSong),
}
# Fields that `tasks.parse_task` reads from a song of some engine: never extra ones.
_PARSED = frozenset(
    [
        "audio_url",
        "clip_id",
        "created_at",
        "duration",
        "error",
        "error_detail",
        "error_message",
        "error_type",
        "extended",
        "fail_reason",
        "finished",
        "full",
        "genre",
        "gpt_description_prompt",
        "id",
        "image_path",
        "image_url",
        "lyrics",
        "mood",
        "mv",
        "prompt",
        "replaced_tags",
        "song_path",
        "sound",
        "state",
        "status",
        "tags",
        "timestamp",
        "title",
        "video_path",
        "video_url",
    ]
)


def _unknown_fields(song: _Song, raw_song: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a song, as decoded from JSON, that its type does not declare.

    Raises
    ------
    UntypedReply
        `tasks.parse_task` reads one of them.
    """
    names = raw_song.keys() - set(song.__struct_encode_fields__)
    if not names.isdisjoint(_PARSED):
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
    songs: Sequence[_Song]
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


_decode_full = msgspec.json.Decoder(_Reply[_FullStudioSong, _FullSonicSong]).decode
_decode_open = msgspec.json.Decoder(_Reply[_StudioSong, _SonicSong]).decode
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
        task = _task(_decode_full(text))
        extras = [_EXTRA_OF[type(song)](song) for song in task.songs]
    except msgspec.ValidationError:
        task = _task(_decode_open(text))
        data = _decode_json(text)["data"]
        raw_songs = data if isinstance(data, list) else data["data"]["songs"]
        extras = list(map(_unknown_fields, task.songs, raw_songs))
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
