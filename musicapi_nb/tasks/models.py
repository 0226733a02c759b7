"""Task, Song and their parts: frozen values, and how each shows itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.tasks import answer_html
from musicapi_nb.tasks.follow_up import follow_up
from musicapi_nb.tasks.html import song_card, task_html

State: TypeAlias = Literal["pending", "running", "succeeded", "failed", "unknown"]
FINAL: frozenset[State] = frozenset({"succeeded", "failed"})


class Issue(msgspec.Struct, frozen=True):
    """A part of a reply that was not understood: where it stands, and what is odd about it."""

    where: str
    message: str


class Replacement(msgspec.Struct, frozen=True):
    """One step in which the service rewrote tags: the text it read, and the tags it made of it."""

    source: str
    tags: tuple[str, ...]
    type: str | None = None


class Song(msgspec.Struct, frozen=True, kw_only=True):
    """One song (or one text of a lyrics reply).

    Attributes
    ----------
    id
        The service's clip id: what follow-up requests want.
    position
        Place in its task, counted from 0.
    state, state_word
        Ours, and the service's own word where it gave one.
    tags, tags_text
        The tags one by one, and as one text as the service wrote it.
    duration
        Seconds of music; None while it is not known.
    replacements
        How the service rewrote the asked tags, in order (studio only).
    uploaded
        Whether it is a clip that was uploaded: what is made of one is asked for by other words.
    extra
        Every field of the reply that has no place above, and those that were not understood.
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
    extra: Mapping[str, Any] = {}

    @property
    def finished(self) -> bool:
        """Whether the service will not change this song any more."""
        return self.state in FINAL

    def extend(self, **fields: Any) -> Request:
        """The request that continues this song, from its end unless `continue_at` says else.

        Like all methods that make a request of a song: nothing is sent; what is known of the song
        (its id, model, title, tags) is filled in, and `fields` win over it.

        Raises
        ------
        InvalidRequest
            The song is not ready, or its engine has no such operation.
        """
        return follow_up(self, "extend", fields)

    def concat(self, **fields: Any) -> Request:
        """The request that joins this song, an extension, with what it extends."""
        return follow_up(self, "concat", fields)

    def cover(self, **fields: Any) -> Request:
        """The request that sings this song anew; give the `tags` of the other style."""
        return follow_up(self, "cover", fields)

    def remaster(self, **fields: Any) -> Request:
        """The request that renders this song anew, as it is."""
        return follow_up(self, "remaster", fields)

    def replace(self, **fields: Any) -> Request:
        """The request that makes a part of this song anew."""
        section = self.engine == "sonic"
        return follow_up(self, "replace_section" if section else "replace", fields)

    def add_vocals(self, **fields: Any) -> Request:
        """The request that sings over this song."""
        return follow_up(self, "add_vocals", fields)

    def add_instrumental(self, **fields: Any) -> Request:
        """The request that puts instruments under this song."""
        return follow_up(self, "add_instrumental", fields)

    def sample(self, start: float, end: float, **fields: Any) -> Request:
        """The request for a new song around this one's part from `start` to `end`, in seconds."""
        part = {"chop_sample_start_s": start, "chop_sample_end_s": end}
        return follow_up(self, "sample", part | fields)

    def mashup(self, other: Song, **fields: Any) -> Request:
        """The request for a new song out of this one and another."""
        return follow_up(self, "mashup", fields, [other])

    def persona(self, **fields: Any) -> Request:
        """The request that makes a persona of this song's voice."""
        return follow_up(self, "create_persona", fields)

    def stems(self, *, full: bool = False) -> Request:
        """The request that separates this song: a few tracks, or many."""
        return follow_up(self, "stems_full" if full else "stems_basic", {})

    def wav(self) -> Request:
        """The request for a link to this song as WAV."""
        return follow_up(self, "wav", {})

    def midi(self) -> Request:
        """The request for this song's notes."""
        return follow_up(self, "midi", {})

    def bpm(self) -> Request:
        """The request for this song's beats per minute."""
        return follow_up(self, "bpm", {})

    def vox(self, **fields: Any) -> Request:
        """The request for this song's voice alone."""
        return follow_up(self, "vox", fields)

    def aligned_lyrics(self) -> Request:
        """The request for the time of each word of this song."""
        return follow_up(self, "aligned_lyrics", {})

    def __repr__(self) -> str:
        length = markup.format_duration(self.duration) if self.duration is not None else None
        facts = (self.state, length, self.tags_text, self.id)
        said = ", ".join(fact for fact in facts if fact)
        return markup.one_line(f"<Song {self.title or '(untitled)'!r}: {said}>")

    def _repr_html_(self) -> str:
        return song_card(self)


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request.

    Attributes
    ----------
    state
        "succeeded" or "failed" only when every expected song is final; one good song beside a
        failed one is "succeeded". Words that are not known give "unknown", kept in `state_word`.
    expected
        How many songs the request makes; None where that is not known.
    submitted_at, started_at, finished_at
        Aware instants as the service states them (studio only), else None.
    progress
        0.0 to 1.0 where the service says it.
    refunded
        Whether the service says that it gave the credits back; None where it says nothing.
    answer
        What an operation without songs returned (`persona_id`, `clip_id`, links, figures).
    parts
        Of a batch, the tasks that it made; each can be waited for on its own as well.
    issues
        Parts of the reply that were not understood; they stay in `extra` and `raw`.
    raw
        The reply as decoded from JSON.
    take
        Which take of the request it is.
    bought_before
        Whether a library had it: this time it cost nothing.
    """

    id: str | None = None
    engine: str | None = None
    operation: str | None = None
    state: State = "pending"
    state_word: str | None = None
    songs: tuple[Song, ...] = ()
    expected: int | None = None
    submitted_at: dt.datetime | None = None
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    progress: float | None = None
    fail_reason: str | None = None
    refunded: bool | None = None
    answer: Mapping[str, Any] = {}
    parts: tuple[Task, ...] = ()
    issues: tuple[Issue, ...] = ()
    extra: Mapping[str, Any] = {}
    raw: Any = None
    request: Request | None = None
    simulated: bool = False
    take: int = 1
    bought_before: bool = False

    @property
    def name(self) -> str:
        """Engine and operation, such as "sonic.create"; "task" where neither is known."""
        return ".".join(part for part in (self.engine, self.operation) if part) or "task"

    @property
    def clip(self) -> Song | None:
        """The uploaded clip that the answer names, to go on from: `task.clip.extend(...)`."""
        clip_id = self.answer.get("clip_id")
        if not isinstance(clip_id, str) or not clip_id:
            return None
        return Song(
            id=clip_id,
            task_id=self.id,
            engine=self.engine,
            state=self.state,
            simulated=self.simulated,
            uploaded=True,
        )

    @property
    def poll_by_repost(self) -> bool:
        """Whether it has no task to ask about: the request itself is how to ask again."""
        return self.id is None and self.request is not None and self.request.poll_by_repost

    @property
    def finished(self) -> bool:
        """Whether nothing more will come: every expected song is final, or the task failed."""
        return self.state in FINAL

    @property
    def queue_seconds(self) -> float | None:
        """Seconds from submission to start, as the service states them."""
        return _between(self.submitted_at, self.started_at)

    @property
    def render_seconds(self) -> float | None:
        """Seconds from start to end, as the service states them."""
        return _between(self.started_at, self.finished_at)

    @property
    def total_seconds(self) -> float | None:
        """Seconds from submission to end, as the service states them."""
        return _between(self.submitted_at, self.finished_at)

    def __repr__(self) -> str:
        songs = f"{len(self.songs)} song{'' if len(self.songs) == 1 else 's'}"
        made = answer_html.line(self.answer) if self.answer and not self.songs else songs
        tasks = f"{len(self.parts)} tasks" if self.parts else None
        facts = [self.state, tasks, made, self.fail_reason, self.id]
        return markup.one_line(f"<Task {self.name}: {', '.join(fact for fact in facts if fact)}>")

    def _repr_html_(self) -> str:
        return task_html(self)


def _between(start: dt.datetime | None, end: dt.datetime | None) -> float | None:
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds()
