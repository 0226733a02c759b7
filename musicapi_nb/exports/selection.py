"""Which songs are meant, and what the library knows of each: its purchase, its timed lyrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.library.media_files import song_key
from musicapi_nb.tasks import Song, Task
from musicapi_nb.widgets.song_audio import no_audio_reason
from musicapi_nb.widgets.songs_of import songs_of

if TYPE_CHECKING:
    from musicapi_nb.experiment import Experiment
    from musicapi_nb.library import Entry, Library
    from musicapi_nb.widgets.songs_of import SongItem

_ALIGNED = "aligned_lyrics"


@dataclasses.dataclass(frozen=True, slots=True)
class Chosen:
    """The songs to be exported, by their keys, in order.

    Attributes
    ----------
    left_out
        What was given but has nothing to export, by its title, and why.
    experiment
        Whose songs they are, if they were given as one.
    """

    songs: Mapping[str, tuple[Song, Task]]
    left_out: Sequence[tuple[str, str]]
    known: Known
    experiment: Experiment | None = None

    @property
    def library(self) -> Library:
        return self.known.library

    @property
    def tasks(self) -> list[Task]:
        """Each task once, in the order of its first song."""
        return list({id(task): task for _, task in self.songs.values()}.values())


def choose(what: Any, library: Library | None) -> Chosen:
    """Find the finished songs of what was given (see `export`).

    Raises
    ------
    InvalidArgument
        It holds no songs, or no library is known that has their files.
    """
    shown = songs_of(what, library)
    if shown.library is None:
        raise InvalidArgument("audio comes from a library: give library=api.library, or a library")
    known = _known(shown.library)
    songs: dict[str, tuple[Song, Task]] = {}
    left_out = []
    for item in shown.items:
        if item.song.state == "succeeded" and item.song.engine != "lyrics":
            songs.setdefault(song_key(item.song), (item.song, known.task(item)))
        elif not shown.refreshable:  # of a library or an experiment, all that is finished is meant
            left_out.append((item.title, no_audio_reason(item.song) or f"It is {item.song.state}."))
    return Chosen(songs, left_out, known, shown.experiment)


# --- what the library knows of them ----------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """The library's entries by task, the alignments of lyrics by song, tasks made again."""

    library: Library
    entries: Mapping[tuple[str | None, bool], Entry]
    alignments: Mapping[tuple[str, bool], Sequence[Mapping[str, Any]]]
    tasks: dict[int, Task] = dataclasses.field(default_factory=dict)

    def entry(self, song: Song, task: Task | None) -> Entry | None:
        """The purchase that made a song."""
        return self.entries.get((song.task_id or (task.id if task else None), song.simulated))

    def task(self, item: SongItem) -> Task:
        """The task of a song; a song that was given alone has it from the library."""
        song, given = item.song, item.task
        entry = self.entry(song, given)
        if given is not None and (given.request is not None or entry is None):
            return given
        if entry is None:
            return Task(
                id=song.task_id,
                engine=song.engine,
                state=song.state,
                songs=(song,),
                simulated=song.simulated,
            )
        if entry.id not in self.tasks:
            self.tasks[entry.id] = self.library.task(entry.id)
        return self.tasks[entry.id]


def _known(library: Library) -> Known:
    entries = library.entries()
    return Known(
        library,
        {(entry.task_id, entry.simulated): entry for entry in entries if entry.task_id},
        dict(_alignments(library, entries)),
    )


def _alignments(
    library: Library, entries: Iterable[Entry]
) -> Iterable[tuple[tuple[str, bool], Sequence[Mapping[str, Any]]]]:
    for entry in entries:
        if entry.operation != _ALIGNED or entry.state != "done":
            continue
        clip = asked(library, entry).get("clip_id")
        alignment = library.task(entry.id).answer.get("alignment")
        if isinstance(clip, str) and isinstance(alignment, list):
            yield (clip, entry.simulated), alignment


def asked(library: Library, entry: Entry) -> Mapping[str, Any]:
    """The fields that were asked for, also of an operation that this version does not know."""
    first = next((event for event in library.events(entry.id) if "request" in event.data), None)
    fields: Mapping[str, Any] = first.data["request"]["fields"] if first else {}
    return fields
