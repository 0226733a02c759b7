"""Typed declarations of the replies that come in bulk: finished songs of studio and of sonic.

msgspec decodes such a reply several times faster than `tasks.parse_task`, which has to parse all
others. A reply that is accepted here gives the same result with `parse_task`; tests compare them.
No I/O.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence
from http import HTTPStatus
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Meta

from musicapi_nb.frames.schema import TASKS
from musicapi_nb.tasks import Issue, StoredReply, Task
from musicapi_nb.tasks.json_reader import LATEST, as_number
from musicapi_nb.tasks.parse_songs import silence_issue
from musicapi_nb.tasks.requested_tags import negative_tags, requested_tags
from musicapi_nb.tasks.tags import split_tags

TASK_CELLS = {name: column for name, column in TASKS.items() if column.source is not None}
"""The columns of tasks that are computed row by row."""
_from_iso_format = dt.datetime.fromisoformat
_YEARS = range(dt.MINYEAR + 1, dt.MAXYEAR)
_EmptyText: TypeAlias = Literal[""] | None
_UnixSeconds: TypeAlias = Annotated[int, Meta(ge=0, lt=int(LATEST))]


class UntypedReply(ValueError):
    """The reply differs from the declarations, so `tasks.parse_task` has to read it."""


class Rows(NamedTuple):
    """One decoded reply: the cells of its task and of each song, and the songs (for their tags).

    Cells are in the order of `schema.TASKS` and `schema.SONGS`, without `reply`; moments are
    microseconds since 1970 or datetimes; blank texts count as missing.
    """

    task: Sequence[Any]
    song_rows: Sequence[Sequence[Any]]
    songs: Sequence[Any]
    issues: tuple[Issue, ...] = ()


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

    model: ClassVar[None] = None
    state_word: ClassVar[None] = None

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

    replacements: ClassVar[tuple[()]] = ()

    def __post_init__(self) -> None:
        self.created_at = _moment(self.created_at)
        seconds = as_number(self.duration) if self.duration else 0.0
        if seconds is None or seconds < 0:
            raise UntypedReply
        self.duration = seconds or None
        if self.raw_tags and self.raw_tags.lstrip()[:1] in {"[", "{"}:  # JSON perhaps
            raise UntypedReply

    @property
    def tags(self) -> list[str]:
        return list(split_tags(self.raw_tags or ""))

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


class _StudioSongs(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    songs: Annotated[list[_StudioSong], Meta(min_length=1)]


class _StudioTask(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    task_id: str | None = None
    notify_hook: Any = UNSET
    action: Any = UNSET
    status: Literal["SUCCESS"]
    fail_reason: _EmptyText = None
    submit_time: _UnixSeconds | None = None
    start_time: _UnixSeconds | None = None
    finish_time: _UnixSeconds | None = None
    progress: Literal["100%"] | None = None
    data: _StudioSongs


class _Reply(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    code: Any = UNSET
    message: Any = UNSET
    task_id: str | msgspec.UnsetType | None = UNSET  # sonic; studio has it under `data`
    data: _StudioTask | Annotated[list[_SonicSong], Meta(min_length=1)]


def _extra_getter(song_type: Any) -> tuple[Callable[[Any], msgspec.Struct], set[str]]:
    """Return a function that makes a struct of a song's fields without a column, and the others."""
    fields = msgspec.structs.fields(song_type)
    names = sorted(field.name for field in fields if field.default is UNSET)
    extra_type = msgspec.defstruct("Extra", [(name, Any, UNSET) for name in names], gc=False)
    values = attrgetter(*names)
    columns = {field.encode_name for field in fields if field.default is not UNSET}
    return lambda song: extra_type(*values(song)), columns


_studio_extra, _STUDIO_FIELDS = _extra_getter(_StudioSong)
_sonic_extra, _SONIC_FIELDS = _extra_getter(_SonicSong)
# What `tasks.parse_task` reads from songs of any engine: an undeclared one of these is not extra.
_PARSED_FIELDS = (
    "audio_url clip_id created_at duration error error_detail error_message error_type extended "
    "fail_reason finished full genre gpt_description_prompt id image_path image_url lyrics mood mv "
    "prompt replaced replaced_tags song_path sound state status tags timestamp title video_path "
    "video_url wav_url"
)


def _split_extra(payload: Any) -> list[dict[str, Any]]:
    """Remove the fields without a column from the songs of a decoded reply, and return them."""
    data = payload["data"]
    is_sonic = isinstance(data, list)
    songs = data if is_sonic else data["data"]["songs"]
    declared = _SONIC_FIELDS if is_sonic else _STUDIO_FIELDS
    extras = [{name: song.pop(name) for name in song.keys() - declared} for song in songs]
    if any(not extra.keys().isdisjoint(_PARSED_FIELDS.split()) for extra in extras):
        raise UntypedReply
    return extras


_decode_reply = msgspec.json.Decoder(_Reply).decode
_decode_json = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="deterministic").encode
_TaskExtra: Any = msgspec.defstruct(
    "TaskExtra", ["action", "code", "message", "notify_hook", "task_id"], gc=False
)
_UNKNOWN_TASK = Task()
_song_cells = attrgetter(
    *("title", "tags_text", "duration", "model", "audio_url", "image_url", "video_url"),
    *("created_at", "lyrics", "prompt"),
)


def decode_reply(text: bytes | str, base: Task = _UNKNOWN_TASK) -> Rows:
    """Decode a reply about finished songs of studio or sonic.

    Parameters
    ----------
    base
        The task as it was known before the reply.

    Raises
    ------
    Exception
        `tasks.parse_task` has to read this reply.
    """
    extras = None
    try:
        reply = _decode_reply(text)
    except msgspec.ValidationError:  # probably an undeclared field
        payload = _decode_json(text)
        extras = _split_extra(payload)
        reply = msgspec.convert(payload, _Reply)
    return _rows(reply, base, extras)


def decode_stored(stored: StoredReply) -> Rows:
    """Decode a stored reply; raises as `decode_reply`, or if the library contradicts the reply."""
    rows = decode_reply(stored.raw or "", stored.base)
    cells = dict(zip(TASK_CELLS, rows.task, strict=True))
    if rows.issues or any(cells[name] != value for name, value in stored.overrides.items()):
        raise UntypedReply
    return rows


def _rows(reply: _Reply, base: Task, extras: Iterable[Any] | None) -> Rows:
    """Return the rows of a reply; raises if it contradicts what was known of the task."""
    task: Any
    times: Sequence[float | None]
    task, code, message = reply.data, reply.code, reply.message
    is_sonic = isinstance(task, list)
    if is_sonic:
        engine, songs, task_id = "sonic", task, nonblank(reply.task_id or None)
        times, state_word, progress = (None,) * 6, None, None
        extra = _TaskExtra(UNSET, code, message, UNSET, reply.task_id)
    else:
        engine, songs, task_id = "studio", task.data.songs, nonblank(task.task_id)
        times, state_word, progress = _times(task), task.status, 1.0 if task.progress else None
        extra = _TaskExtra(task.action, code, message, task.notify_hook, UNSET)
    if (
        code == HTTPStatus.ACCEPTED  # "keep asking", whatever else the reply states
        or not (is_sonic or reply.task_id is UNSET)
        or base.engine not in {None, engine}
        or len(songs) < (base.expected or 1)
        or len({song.id for song in songs}) < len(songs)  # repeated, or without id
        or (base.id and task_id and base.id != task_id)
    ):
        raise UntypedReply
    task_id, operation, simulated = base.id or task_id, base.operation, base.simulated
    request = repr(base.request) if base.request else None
    silent = sum(not nonblank(song.audio_url) for song in songs)
    if silent and not all(map(_is_identified, songs)):  # its songs are searched elsewhere, too
        raise UntypedReply
    issues = (silence_issue(silent, len(songs)),) if silent else ()
    state = "running" if silent else "succeeded"
    task_row = (
        *(task_id, len(songs), engine, operation, state, *times, None, None),
        *(base.price, base.price, state_word),
        *(base.expected, progress, simulated, len(issues), request, None, _json_text(extra)),
    )
    credits_ = None if silent or base.price is None else base.price / len(songs)
    if extras is None:
        extras = map(_sonic_extra if is_sonic else _studio_extra, songs)
    song_rows = [
        (
            *(task_id, song.id, engine, operation, "succeeded", *_song_cells(song)),
            *(
                requested_tags(song, base.request),
                negative_tags(_repeated_fields(song, extra), base.request),
                credits_,
                position,
            ),
            *(song.state_word, None, simulated, _json_text(extra)),
        )
        for position, (song, extra) in enumerate(zip(songs, extras, strict=True))
    ]
    return Rows(task_row, song_rows, songs, issues)


def _is_identified(song: Any) -> bool:
    return any(map(nonblank, (song.id, song.audio_url, song.lyrics)))


def _repeated_fields(song: Any, extra: Any) -> dict[str, Any]:
    """Return the fields of the request that a reply repeats."""
    if isinstance(extra, dict):
        return extra
    return {"negative_tags": getattr(song, "negative_tags", None)}


def _times(task: _StudioTask) -> tuple[float | None, ...]:
    """Return the cells from `submitted_at` to `total_seconds`; raises if they are reversed."""
    submitted, started, finished = task.submit_time, task.start_time, task.finish_time
    return (
        *(time * 1_000_000 if time else None for time in (submitted, started, finished)),
        *(_seconds(submitted, started), _seconds(started, finished), _seconds(submitted, finished)),
    )


def _seconds(start: int | None, end: int | None) -> float | None:
    if not (start and end):
        return None
    if end < start:
        raise UntypedReply
    return float(end - start)


def _json_text(extra: msgspec.Struct | dict[str, Any]) -> str | None:
    text = _encode(extra).decode()
    return text if text != "{}" else None
