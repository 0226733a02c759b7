"""The simulator's records of tasks and songs, and the types that describe an operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from musicapi_nb.simulator.replies import Answer, Json, Links, ack
from musicapi_nb.simulator.reply_options import ReplyOptions
from musicapi_nb.simulator.rules import Body, check_fields, choice, invalid
from musicapi_nb.simulator.tasks import Phase, Song, Task


@dataclass(slots=True)
class PendingFile:
    """A file that clients request until it is ready, and whether the next request is paid for."""

    ready_at: float
    paid: bool = False


@dataclass(slots=True)
class Catalog:
    """All tasks, songs and personas, and the keys that own them.

    ``owners`` maps the id of a song, persona, extracted voice or batch to its key; ``formats`` maps
    a song to the formats made beside its own, such as ``wav``; ``pending_files`` is keyed by
    operation, key and body. ``seconds`` are the shortest and longest song where a request names no
    length.
    """

    options: ReplyOptions
    seconds: tuple[float, float]
    now: Callable[[], float]
    tasks: dict[str, Task] = field(default_factory=dict)
    songs: dict[str, Song] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict, repr=False)
    personas: dict[str, str] = field(default_factory=dict)
    task_of: dict[str, str] = field(default_factory=dict)
    formats: dict[str, set[str]] = field(default_factory=dict)
    pending_files: dict[tuple[str, str, str], PendingFile] = field(default_factory=dict, repr=False)
    batches: dict[str, tuple[Answer, ...]] = field(default_factory=dict)

    def add(self, song: Song, key: str, task_id: str = "") -> None:
        self.songs[song.song_id] = song
        self.owners[song.song_id] = key
        self.task_of[song.song_id] = task_id

    def has(self, name: str) -> bool:
        """Return whether an id is of a task, song, persona, extracted voice or batch."""
        return name in self.tasks or name in self.owners

    def song(self, song_id: Any, key: str) -> Song | None:
        return self.songs.get(song_id) if self.owners.get(song_id) == key else None

    def phase(self, song_id: str) -> Phase:
        """Return the state of a song; an upload, which no task made, is ready."""
        task = self.tasks.get(self.task_of.get(song_id, ""))
        if task is None:
            return Phase.SUCCEEDED
        index = [song.song_id for song in task.songs].index(song_id)
        return task.song_phase(index, self.now())

    def is_purged(self, song_id: str) -> bool:
        task, after = self.tasks.get(self.task_of.get(song_id, "")), self.options.purged_after
        return task is not None and after is not None and self.now() > task.timing.finished + after


@dataclass(frozen=True, slots=True)
class Call:
    """One request; ``seed`` determines all random choices made for it."""

    body: Body
    key: str = field(repr=False)
    catalog: Catalog
    links: Links
    seed: str = ""

    @property
    def options(self) -> ReplyOptions:
        return self.catalog.options

    def song(self, name: str) -> Song | None:
        """Return the song whose id is in a field of the body, if the account owns it."""
        return self.catalog.song(self.body.get(name), self.key)

    def own_song(self, name: str) -> Song | None:
        """Return the song of a field; refuse the request if the account does not own it."""
        song = self.song(name)
        self.check_owned(name, owned=song is not None)
        return song

    def check_owned(self, name: str, *, owned: bool) -> None:
        """Refuse an id that the account does not own, unless unknown ids are accepted."""
        if not owned and self.options.unknown_clip == "refuse":
            raise invalid(f"The '{name}' field is invalid.")


Check = Callable[[Call], None]
Make = Callable[[Call], Any]


class Wait(NamedTuple):
    """How clients wait for a file: by the same request again, until ``seconds`` (a range) passed.

    ``repeats_free`` says that a repeated request costs nothing even after it was answered,
    ``unready_free`` that only the answer with the file costs something.
    """

    seconds: tuple[float, float] = (0.0, 0.0)
    unready: Callable[[Call], Answer] = lambda _: Answer(202, {"type": "not_ready"})
    repeats_free: bool = False
    unready_free: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of POST and its effect.

    Exactly one of three fields is set: ``answer`` replies at once, or with ``wait`` once a file is
    ready; ``make`` makes the songs of a task (a tuple), or its outcome if it has none;
    ``items_path`` is the path to which each item of a batch is sent. ``median`` is the typical time
    of the first song in seconds, ``queued`` the share of it in the queue; ``steps`` names the two
    steps of a request that uploads a file first.
    """

    name: str
    price: int
    check: Check
    make: Make | None = None
    median: float = 106.0
    queued: float = 0.12
    answer: Callable[[Call], Json] | None = None
    wait: Wait | None = None
    items_path: str = ""
    steps: tuple[str, ...] = ()
    ack: Callable[[Task, ReplyOptions], Json] = ack


Choice = Callable[[Body], Operation]
"""Chooses among the operations of one path by the body."""
Table = Mapping[str, Operation | Choice]


def by_task_type(operations: Mapping[str, Operation]) -> Choice:
    """Choose by ``task_type``, create_music by default; refuse an unknown one."""

    def choose(body: Body) -> Operation:
        check_fields(body, {"task_type": choice(*operations)})
        return operations[body.get("task_type") or "create_music"]

    return choose
