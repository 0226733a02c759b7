"""Task: the latest state of one request. No I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import force_setattr, replace

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.public_names import missing_name
from musicapi_nb.tasks.answer_html import summarize_answer
from musicapi_nb.tasks.song import FINAL, STATE_LABELS, Issue, Song, State
from musicapi_nb.tasks.song_tuple import Songs

_SONG_NAMES = ("audio_url", "duration", "lyrics", "requested_tags", "tags", "tags_text", "title")
# What people try, and what it is called.
_OTHER_NAMES = {
    "status": "task.state",
    "song": "task.songs[0]",
    **dict.fromkeys(("cost", "costs"), "task.credits"),
    **dict.fromkeys(("error", "reason", "message"), "task.fail_reason"),
    **dict.fromkeys(("json", "reply", "response"), "task.raw"),
    **dict.fromkeys(("seconds", "time"), "task.total_seconds"),
    **dict.fromkeys(("wait", "result"), "api.wait(task)"),
    **{name: f"task.songs[0].{name}" for name in _SONG_NAMES},
    **{verb: f"task.songs[0].{verb}()" for verb in ("play", "save", "extend", "cover", "stems")},
    "rate": "task.songs[0].rate(5)",
}


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one request, as of the latest reply about it.

    Attributes
    ----------
    state
        "succeeded" or "failed" only when every expected song is final; one good and one failed
        song make it "succeeded". An unfamiliar word of the service gives "unknown"; the word is in
        `state_word`.
    songs
        The songs so far; each has the task's `request`, or that of its part of a batch.
    expected
        Number of songs that the request makes; None if unknown.
    submitted_at, started_at, finished_at
        Aware times as stated by the service (studio only), else None.
    progress
        0.0 to 1.0 if the service states it.
    refunded
        True or False if the service says whether it refunded the credits, else None.
    answer
        Result of an operation without songs (`persona_id`, `clip_id`, links, measurements).
    parts
        The tasks of a batch; each can also be waited for separately.
    issues
        Parts of the reply that were not understood; they stay in `extra` and `raw`.
    raw
        The reply as decoded from JSON.
    take
        Take number of the request.
    bought_before
        True if the library already had it, so that it cost nothing this time.
    price
        Credits charged when it was accepted, without the parts of a batch that cost nothing; None
        if unknown. Of a task from a library, that is what the ledger recorded.
    """

    id: str | None = None
    engine: str | None = None
    operation: str | None = None
    state: State = "pending"
    state_word: str | None = None
    songs: tuple[Song, ...] = Songs()
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
    price: int | None = None

    def __post_init__(self) -> None:
        songs = self.songs
        request = None if self.parts else self.request  # else the parts say which request it was
        if request is not None and any(song.request is None for song in songs):
            songs = Songs(
                song if song.request is not None else replace(song, request=request)
                for song in songs
            )
        elif isinstance(songs, Songs):
            return
        force_setattr(self, "songs", Songs(songs))

    @property
    def name(self) -> str:
        """Engine and operation, such as "sonic.create"; "task" if neither is known."""
        return ".".join(part for part in (self.engine, self.operation) if part) or "task"

    @property
    def clip(self) -> Song | None:
        """The uploaded clip named in the answer, for follow-ups: `task.clip.extend(...)`."""
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
        """True if it has no id to poll, so that the same request must be sent again instead."""
        return self.id is None and self.request is not None and self.request.poll_by_repost

    @property
    def finished(self) -> bool:
        """True if nothing more will come: every expected song is final, or the task failed."""
        return self.state in FINAL

    @property
    def credits(self) -> int | None:
        """Credits that it cost: its price, or 0 if it was refunded; None if unknown."""
        return 0 if self.state == "failed" and self.refunded else self.price

    @property
    def credits_per_song(self) -> float | None:
        """Its credits, shared over the songs that succeeded.

        None if there are none, if the credits are unknown, and until the task is finished.
        """
        songs = sum(song.state == "succeeded" for song in self.songs)
        if not (self.finished and songs) or self.credits is None:
            return None
        return self.credits / songs

    @property
    def queue_seconds(self) -> float | None:
        """Seconds from submission to start, as stated by the service."""
        return _seconds_between(self.submitted_at, self.started_at)

    @property
    def render_seconds(self) -> float | None:
        """Seconds from start to end, as stated by the service."""
        return _seconds_between(self.started_at, self.finished_at)

    @property
    def total_seconds(self) -> float | None:
        """Seconds from submission to end, as stated by the service."""
        return _seconds_between(self.submitted_at, self.finished_at)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise missing_name("a task", name, dir(type(self)), _OTHER_NAMES, songs="task")

    def __hash__(self) -> int:  # dicts have no hash
        return hash((self.id, self.engine, self.take, self.simulated))

    def __repr__(self) -> str:
        songs = f"{len(self.songs)} song{'' if len(self.songs) == 1 else 's'}"
        result = summarize_answer(self.answer) if self.answer and not self.songs else songs
        tasks = f"{len(self.parts)} tasks" if self.parts else None
        facts = [STATE_LABELS[self.state], tasks, result, self.fail_reason, self.id]
        return markup.one_line(f"<Task {self.name}: {', '.join(fact for fact in facts if fact)}>")

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.render(self)


class Tasks(list[Task]):
    """Tasks that were under way, shown as cards in a notebook and as one line each elsewhere."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self)) or "nothing under way"

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.stack(*(markup.Html(task._repr_html_()) for task in self)) or markup.caption(
            "Nothing under way."
        )


def _seconds_between(start: dt.datetime | None, end: dt.datetime | None) -> float | None:
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds()


def task_list(tasks: Any) -> list[Task]:
    """Return tasks as a list; InvalidArgument if an item is something else, such as an id."""
    items: list[Any] = (
        [tasks] if isinstance(tasks, str) or not isinstance(tasks, Iterable) else list(tasks)
    )
    for item in items:
        if not isinstance(item, Task):
            raise InvalidArgument(
                f"a task is needed, not {item!r:.60}; api.poll(task_id, engine=...) returns one"
            )
    return items


def tasks_of_songs(songs: Iterable[Song]) -> list[Task]:
    """Return the tasks of songs, as far as the songs know them: each with those of its songs.

    A song without a task id is alone in its task.
    """
    groups: dict[Any, list[Song]] = {}
    for song in songs:
        key: Any = (song.task_id, song.engine, song.simulated) if song.task_id else id(song)
        groups.setdefault(key, []).append(song)
    return [_task_of_songs(group) for group in groups.values()]


def _task_of_songs(songs: list[Song]) -> Task:
    first = songs[0]
    states = {song.state for song in songs}
    state: State = first.state if len(states) == 1 else "running"
    if len(states) > 1 and states <= FINAL:
        state = "succeeded"
    return Task(
        id=first.task_id,
        engine=first.engine,
        operation=first.request.operation if first.request else None,
        state=state,
        songs=tuple(songs),
        expected=first.request.songs if first.request else None,
        request=first.request,
        simulated=first.simulated,
    )
