"""Song, and the follow-up requests that can be made from one. No I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from musicapi_nb import markup
from musicapi_nb.engines import Field, Request, operations
from musicapi_nb.engines.arguments import field_name
from musicapi_nb.engines.fields import canonical_model
from musicapi_nb.errors import InvalidRequest, Problem
from musicapi_nb.public_names import missing_name
from musicapi_nb.tasks import requested_tags
from musicapi_nb.tasks.song_actions import session_of

State: TypeAlias = Literal["pending", "running", "succeeded", "failed", "unknown"]
STATE_LABELS: Mapping[State, str] = {
    "pending": "in the queue",
    "running": "being made",
    "succeeded": "ready",
    "failed": "failed",
    "unknown": "unknown",
}
"""States in words for people."""
FINAL: frozenset[State] = frozenset({"succeeded", "failed"})

_UPLOAD_SUFFIX = "_upload"
_CLIP_KINDS = ("clip", "clips")
_KEEPS_LYRICS = frozenset({"cover", "cover_upload", "replace_section"})


# What people try, and what it is called.
_OTHER_NAMES = {
    **dict.fromkeys(("tags_requested", "tags_asked", "asked_tags"), "song.requested_tags"),
    **dict.fromkeys(("url", "link", "audio", "mp3"), "song.audio_url, or song.save()"),
    **dict.fromkeys(("download", "export", "write"), "song.save(path)"),
    **dict.fromkeys(("stars", "rating"), "song.rate(5), and api.library.rating(song)"),
    **dict.fromkeys(("show", "listen", "player"), "song.play()"),
    **dict.fromkeys(("length", "seconds"), "song.duration"),
    **dict.fromkeys(("text", "words"), "song.lyrics"),
    **dict.fromkeys(("styles", "genre"), "song.tags"),
    **dict.fromkeys(("compare", "likeness", "similarity"), "mnb.likeness([song, other_song])"),
    **dict.fromkeys(("cost", "credits", "price"), 'mnb.songs_frame(song)["credits"]'),
}


class Issue(msgspec.Struct, frozen=True):
    """A part of a reply that was not understood: its path in the reply, and the reason."""

    where: str
    message: str


WHOLE_REPLY = "(reply)"
"""The `where` of an issue about no single part."""


class Replacement(msgspec.Struct, frozen=True):
    """One step in which the service rewrote tags: its input text, and the resulting tags."""

    source: str
    tags: tuple[str, ...]
    type: str | None = None


class Song(msgspec.Struct, frozen=True, kw_only=True):
    """One song, or one text of a lyrics reply.

    Attributes
    ----------
    id
        The service's clip id; follow-up requests refer to it.
    position
        Index in its task, from 0.
    state, state_word
        Our state, and the service's own word for it if it gave one.
    tags, tags_text
        The returned tags as a tuple, and as the service's own text.
    duration
        Seconds of audio; None while unknown.
    replacements
        How the service rewrote the requested tags, in order (studio only).
    uploaded
        True for an uploaded clip; follow-up requests then use the upload variant.
    request
        The request that made the song; None if it is unknown.
    extra
        Fields of the reply without an attribute here, and fields that could not be parsed.
    """

    id: str | None = None
    task_id: str | None = None
    engine: str | None = None
    position: int = 0
    state: State = "unknown"
    state_word: str | None = None
    title: str | None = None
    tags: tuple[str, ...] = ()
    tags_text: str | None = None
    lyrics: str | None = None
    prompt: str | None = None
    model: str | None = None
    duration: float | None = None
    audio_url: str | None = None
    image_url: str | None = None
    video_url: str | None = None
    created_at: dt.datetime | None = None
    replacements: tuple[Replacement, ...] = ()
    fail_reason: str | None = None
    simulated: bool = False
    uploaded: bool = False
    request: Request | None = None
    extra: Mapping[str, Any] = {}

    @property
    def finished(self) -> bool:
        """True if the song will not change any more."""
        return self.state in FINAL

    @property
    def requested_tags(self) -> str | None:
        """The requested tags as the service read them, else as requested; None if unknown."""
        return requested_tags.requested_tags(self, self.request)

    @property
    def negative_tags(self) -> str | None:
        """The tags that the song should avoid, as requested; None if none are known."""
        return requested_tags.negative_tags(self.extra, self.request)

    def save(self, to: Path | str = ".") -> Path:
        """Write the audio to a file, or into a folder under the song's title; return the path.

        The file comes from the library of the open session, else from the song's link: see
        `api.download`.

        Raises
        ------
        ClientClosed
            No session is open: `api = mnb.connect()`.
        """
        return session_of(self).save_song(self, to)

    def play(self) -> Any:
        """Return a player of this song, with its stars and note."""
        return session_of(self).show_player(self)

    def rate(self, stars: int | None = None, *, note: str | None = None) -> Any:
        """Rate the song with 1 to 5 stars, 0 for none, in the library of the open session."""
        return session_of(self).rate_song(self, stars, note)

    def note(self, text: str) -> Any:
        """Write a note about the song into the library of the open session; "" deletes it."""
        return session_of(self).rate_song(self, None, text)

    def extend(self, **fields: Any) -> Request:
        """Return the request that continues this song, by default from its end.

        Like every follow-up method, it sends nothing. It fills in what is known of the song (id,
        model, title, tags); `fields` override that, and a field given as None is not sent.

        Raises
        ------
        InvalidRequest
            The song is not finished, or its engine has no such operation.
        """
        return _follow_up(self, "extend", fields)

    def concat(self, **fields: Any) -> Request:
        """Return the request that joins this extension with the song it extends."""
        return _follow_up(self, "concat", fields)

    def cover(self, **fields: Any) -> Request:
        """Return the request that re-sings this song; pass `tags` (producer: `instruction`)."""
        return _follow_up(self, "cover", fields)

    def remaster(self, **fields: Any) -> Request:
        """Return the request that renders this song again."""
        return _follow_up(self, "remaster", fields)

    def replace(self, **fields: Any) -> Request:
        """Return the request that regenerates a section of this song."""
        section = self.engine == "sonic"
        return _follow_up(self, "replace_section" if section else "replace", fields)

    def add_vocals(self, **fields: Any) -> Request:
        """Return the request that adds vocals to this song."""
        return _follow_up(self, "add_vocals", fields)

    def add_instrumental(self, **fields: Any) -> Request:
        """Return the request that adds instruments to this song."""
        return _follow_up(self, "add_instrumental", fields)

    def sample(self, start: float, end: float, **fields: Any) -> Request:
        """Return the request for a new song that samples `start` to `end` (seconds) of this one."""
        section = {"chop_sample_start_s": start, "chop_sample_end_s": end}
        return _follow_up(self, "sample", section | fields)

    def mashup(self, other: Song, **fields: Any) -> Request:
        """Return the request for a new song that combines this one and another."""
        return _follow_up(self, "mashup", fields, [other])

    def persona(self, **fields: Any) -> Request:
        """Return the request that creates a persona with this song's voice."""
        return _follow_up(self, "create_persona", fields)

    def stems(self, *, full: bool = False) -> Request:
        """Return the request that separates this song into a few tracks, or many (`full`)."""
        return _follow_up(self, "stems_full" if full else "stems_basic", {})

    def wav(self) -> Request:
        """Return the request for a WAV link of this song."""
        return _follow_up(self, "wav", {})

    def midi(self) -> Request:
        """Return the request for this song's notes as MIDI."""
        return _follow_up(self, "midi", {})

    def bpm(self) -> Request:
        """Return the request for this song's tempo in beats per minute."""
        return _follow_up(self, "bpm", {})

    def vox(self, **fields: Any) -> Request:
        """Return the request for this song's vocals alone."""
        return _follow_up(self, "vox", fields)

    def aligned_lyrics(self) -> Request:
        """Return the request for the time of each word of this song."""
        return _follow_up(self, "aligned_lyrics", {})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_name("a song", name, dir(type(self)), _OTHER_NAMES, songs="song")

    def __hash__(self) -> int:  # `extra` has no hash
        return hash((self.id, self.task_id, self.position, self.simulated))

    def __repr__(self) -> str:
        length = None if self.duration is None else markup.format_duration(self.duration)
        facts = (STATE_LABELS[self.state], length, self.tags_text, self.id)
        listed = ", ".join(fact for fact in facts if fact)
        return markup.one_line(f"<Song {self.title or '(untitled)'!r}: {listed}>")

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.render(self)


# --- follow-up requests ------------------------------------------------------------------------


def _follow_up(
    song: Song, operation: str, fields: Mapping[str, Any], others: Sequence[Song] = ()
) -> Request:
    """Build the request of an operation on a song (and `others`); `fields` take precedence."""
    name = f"{song.engine or 'song'}.{operation}"
    for clip in (song, *others):
        if (problem := _not_ready_problem(clip)) is not None:
            raise InvalidRequest(name, [problem])
    types = {
        request_type.operation: request_type
        for request_type in operations()
        if request_type.engine == song.engine and _clip_field(request_type) is not None
    }
    uploaded = types.get(f"{operation}{_UPLOAD_SUFFIX}") if song.uploaded else None
    request_type = uploaded or types.get(operation)
    if request_type is None:
        offered = ", ".join(sorted({name.removesuffix(_UPLOAD_SUFFIX) for name in types}))
        noun = "uploaded audio" if song.uploaded else "a song"
        engine = song.engine or "this engine"
        message = f"{engine} does not offer this for {noun}; it offers {offered or 'nothing'}"
        raise InvalidRequest(name, [Problem("", message)])
    filled = dict(_filled_fields(song, request_type, others, fields))
    names = {field_name(request_type, name) for name in fields}
    return request_type(**{name: filled[name] for name in filled if name not in names}, **fields)


def _not_ready_problem(song: Song) -> Problem | None:
    if song.id is None:
        return Problem("", "the song has no id, which a follow-up request needs")
    if song.state in {"pending", "running"}:
        return Problem("", "the song is not finished; wait for its task first")
    if song.state == "failed":
        return Problem("", "the song failed, so there is nothing to continue from")
    return None


def _clip_field(request_type: type[Request]) -> tuple[str, Field] | None:
    fields = request_type.fields().items()
    return next(((name, field) for name, field in fields if field.kind in _CLIP_KINDS), None)


def _filled_fields(
    song: Song, request_type: type[Request], others: Sequence[Song], overrides: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an operation that a song can fill in."""
    fields = request_type.fields()
    if (clip := _clip_field(request_type)) is not None:
        name, field = clip
        ids = tuple(clip.id for clip in (song, *others))
        yield name, song.id if field.kind == "clip" else ids
    values: dict[str, Any] = {"continue_at": song.duration, "name": song.title}
    if "ends_at" not in fields:  # not of a section to replace
        values["starts_at"] = song.duration
    model = canonical_model(song.model)
    if "mv" in fields and model in fields["mv"].choices:
        values["mv"] = fields["mv"].renderer_of(model)
    if overrides.get("custom_mode", True):  # otherwise a description replaces these fields
        values |= {"custom_mode": True, "title": song.title, "tags": song.tags_text}
        values |= {"prompt": song.lyrics} if request_type.operation in _KEEPS_LYRICS else {}
    for name, value in values.items():
        if name in fields and value not in (None, ""):
            yield name, value
