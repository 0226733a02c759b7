"""The songs to export, and the library's data about each of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.experiment import Experiment
from musicapi_nb.library import Entry, Library
from musicapi_nb.library.media_files import song_key
from musicapi_nb.measures.alignments import Alignments, library_alignments
from musicapi_nb.tasks import Song, Task, tasks_of_songs
from musicapi_nb.widgets.song_audio import no_audio_reason
from musicapi_nb.widgets.songs_of import SongItem, songs_of


@dataclasses.dataclass(frozen=True, slots=True)
class LibraryIndex:
    """The library's entries by task, aligned lyrics by song, and tasks read from it."""

    library: Library
    entries: Mapping[tuple[str | None, bool], Entry]
    alignments: Alignments
    tasks: dict[int, Task] = dataclasses.field(default_factory=dict)

    def entry(self, song: Song, task: Task | None) -> Entry | None:
        """Return the purchase of a song."""
        return self.entries.get((song.task_id or (task.id if task else None), song.simulated))

    def task(self, item: SongItem) -> Task:
        """Return the task of a song; a song without one gets it from the library."""
        song, task = item.song, item.task
        entry = self.entry(song, task)
        if entry is None:
            return task or tasks_of_songs([song])[0]
        if task is not None and task.request is not None:
            return task
        if entry.id not in self.tasks:
            self.tasks[entry.id] = self.library.task(entry.id)
        return self.tasks[entry.id]


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """The songs to export, with their tasks by song key, and what the library stores about them.

    `skipped` has title and reason of songs that cannot be exported; `experiment` is the source
    of the songs if that was one.
    """

    songs: Mapping[str, tuple[Song, Task]]
    skipped: Sequence[tuple[str, str]]
    index: LibraryIndex
    experiment: Experiment | None = None

    @property
    def tasks(self) -> list[Task]:
        """Each task once, in the order of its first song."""
        return list({id(task): task for _, task in self.songs.values()}.values())


def select_songs(source: Any, library: Library | None) -> Selection:
    """Return the finished songs of a source; InvalidArgument if it has no songs or library."""
    collection = songs_of(source, library)
    if collection.library is None:
        raise InvalidArgument("audio files come from a library: pass library=api.library")
    entries = collection.library.entries()
    index = LibraryIndex(
        collection.library,
        {(entry.task_id, entry.simulated): entry for entry in entries if entry.task_id},
        library_alignments(collection.library, entries),
    )
    songs: dict[str, tuple[Song, Task]] = {}
    skipped = []
    for item in collection.items:
        if item.song.state == "succeeded" and item.song.engine != "lyrics":
            songs.setdefault(song_key(item.song), (item.song, index.task(item)))
        elif not collection.refreshable:  # a library or experiment means: its finished songs
            reason = no_audio_reason(item.song) or f"The song is {item.song.state}."
            skipped.append((item.title, reason))
    return Selection(songs, skipped, index, collection.experiment)


def requested_fields(library: Library, entry: Entry) -> Mapping[str, Any]:
    """Return the fields of a request, also of an operation that this version does not declare."""
    event = next((event for event in library.events(entry.id) if "request" in event.data), None)
    fields: Mapping[str, Any] = event.data["request"]["fields"] if event else {}
    return fields
