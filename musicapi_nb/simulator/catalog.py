"""What the simulator remembers, and what an operation is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from musicapi_nb.simulator.replies import Answer, Json, Links, ack
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.songs import Brief
from musicapi_nb.simulator.tasks import Engine, Phase, Song, Task, Timing
from musicapi_nb.simulator.validation import Body, invalid

Timer = Callable[[float, int, Random], Timing]


@dataclass(slots=True)
class Asked:
    """A call that is repeated until its file is there, or that is free when it is repeated."""

    ready_at: float
    paid: bool = True


@dataclass(slots=True)
class Catalog:
    """What the simulator remembers: tasks, songs and personas, and to which key they belong."""

    options: ReplyOptions
    seconds: tuple[float, float]
    now: Callable[[], float]
    tasks: dict[str, Task] = field(default_factory=dict)
    songs: dict[str, Song] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict, repr=False)
    """Whose a song, a persona, an extracted voice or a batch is."""
    personas: dict[str, str] = field(default_factory=dict)
    task_of: dict[str, str] = field(default_factory=dict)
    files: dict[str, set[str]] = field(default_factory=dict)
    """Forms in which a song was made beside its own: ``wav``, ``mid`` and so on."""
    asked: dict[tuple[str, str, str], Asked] = field(default_factory=dict, repr=False)
    """By operation, key and body."""
    batches: dict[str, tuple[Answer, ...]] = field(default_factory=dict)

    def keep(self, song: Song, key: str, task_id: str = "") -> None:
        """Remember a song and whose it is."""
        self.songs[song.song_id] = song
        self.owners[song.song_id] = key
        self.task_of[song.song_id] = task_id

    def song(self, song_id: Any, key: str) -> Song | None:
        """Give a song, if it belongs to this key."""
        return self.songs.get(song_id) if self.owners.get(song_id) == key else None

    def phase(self, song_id: str) -> Phase:
        """Where a song stands; what no task has made (an upload) is there."""
        task = self.tasks.get(self.task_of.get(song_id, ""))
        if task is None:
            return Phase.SUCCEEDED
        index = [song.song_id for song in task.songs].index(song_id)
        return task.song_phase(index, self.now())

    def purged(self, song_id: str) -> bool:
        """Whether the source of a song is gone."""
        task, after = self.tasks.get(self.task_of.get(song_id, "")), self.options.purged_after
        return task is not None and after is not None and self.now() > task.timing.finished + after


@dataclass(frozen=True, slots=True)
class Call:
    """One accepted request on its way to being carried out."""

    body: Body
    key: str = field(repr=False)
    seed: str
    catalog: Catalog
    links: Links

    def song(self, name: str) -> Song | None:
        """Give the song that a field of the body names."""
        return self.catalog.song(self.body.get(name), self.key)


class Wait(NamedTuple):
    """How a call is repeated: simulated seconds until its file is there, the answer until then."""

    seconds: tuple[float, float] = (0.0, 0.0)
    unready: Callable[[Call], Answer] = lambda _: Answer(202, {"type": "not_ready"})
    repeats_free: bool = False
    """Whether it costs nothing more even once it has been answered."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a POST asks for, and what becomes of it.

    One of: ``answer`` replies at once (or, with ``wait``, once the file is there); ``sing`` makes
    the songs of a task of ``engine``, ``result`` what a task without songs gives; ``each`` is the
    path that every one of the body's items is sent to. ``steps`` names the parts of a request
    that does two things in one; the first of them uploads.
    """

    name: str
    price: int
    check: Callable[[Body, Catalog, str], None]
    engine: Engine | None = None
    sing: Callable[[Call], tuple[Song, ...]] | None = None
    timer: Timer | None = None
    answer: Callable[[Call], Json] | None = None
    wait: Wait | None = None
    result: Callable[[Call], Any] | None = None
    each: str = ""
    steps: tuple[str, ...] = ()
    ack: Callable[[Task, ReplyOptions], Json] = ack


Choice = Callable[[Body], Operation]
"""One path serves several operations, told apart in the body."""
Table = Mapping[str, Operation | Choice]


def owned(body: Body, name: str, catalog: Catalog, key: str) -> Song | None:
    """Give the clip that a field names; refuse one that the account does not own."""
    clip = catalog.song(body.get(name), key)
    if clip is None and catalog.options.unknown_clip == "refuse":
        raise invalid(f"The '{name}' field is invalid.")
    return clip


def brief(call: Call, source: Song | None = None) -> Brief:
    """Put together what a song is made from."""
    return Brief(call.body, call.seed, call.catalog.seconds, source)


def only_body(check: Callable[[Body], None]) -> Callable[[Body, Catalog, str], None]:
    """Check what can be seen in the body alone."""

    def checked(body: Body, _world: Catalog, _key: str) -> None:
        check(body)

    return checked


def by_task_type(operations: Mapping[str, Operation]) -> Choice:
    """Choose by ``task_type``; the check of ``create_music`` refuses what is none of them."""

    def chosen(body: Body) -> Operation:
        return operations.get(str(body.get("task_type"))) or operations["create_music"]

    return chosen
