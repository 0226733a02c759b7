"""Get the songs of tasks, jobs, experiments, a library or table rows."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.experiment import Experiment
from musicapi_nb.frames.arrow_tables import as_pandas, no_table_text
from musicapi_nb.frames.measures import column_names
from musicapi_nb.library import Library, Rating
from musicapi_nb.library.media_files import song_key
from musicapi_nb.markup.escape import TITLE_LIMIT, plain_attribute
from musicapi_nb.plan import Plan
from musicapi_nb.tasks import Song, Task
from musicapi_nb.tasks.song_actions import SongMedia, actions_of, media_of

_RAW_REPLIES = (Mapping, str, bytes, bytearray, Path)
_ACCEPTED = (
    "songs come from tasks, songs, jobs, raw replies, an iterable of these, an experiment, a "
    "library, or rows of songs_frame"
)
_FRAME_KEYS = ("task_id", "song_position")
_LATEST = "These are the latest {:,} purchases; library.tasks() with library=library shows all."
_NOT_FACTORS = frozenset({"cell", "block", "take"})


@dataclasses.dataclass(frozen=True, slots=True)
class SongItem:
    """One song with its task and the levels of its factors, as text.

    A task without songs is one item: its song carries the task's state and failure reason.
    """

    song: Song
    task: Task | None = None
    levels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    block: str = ""
    cell: int | None = None  # of the experiment's plan, from 0

    @property
    def title(self) -> str:
        """The title as one safe line; "(untitled)" if it is blank."""
        title = self.song.title or ""
        return "(untitled)" if markup.is_blank(title) else plain_attribute(title, TITLE_LIMIT)

    @property
    def model(self) -> str:
        """The model of the reply, else of the request, else the engine."""
        return self.song.model or getattr(self.request, "mv", None) or self.song.engine or ""

    @property
    def request(self) -> Request | None:
        """The request that made the song, or that failed to; None if it is unknown."""
        return self.song.request or (self.task.request if self.task else None)


@dataclasses.dataclass(frozen=True, slots=True)
class SongCollection:
    """Songs of one or several sources, with the library of their files and ratings."""

    items: tuple[SongItem, ...]
    factors: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)  # levels
    library: Library | None = None
    name: str = ""  # such as "experiment harbour"
    without_songs: int = 0  # tasks and plan cells that have no song to show (yet)
    note: str = ""  # which songs of the source are not among these
    refreshable: bool = False  # whether reading the source again may give more songs
    finished: int = 0  # purchases of the source that had ended just before it was read
    experiment: Experiment | None = None  # if the source was one

    def media(self, song: Song) -> SongMedia:
        """Return the files of a song: of the library, else of the song's session."""
        return media_of(song) if self.library is None else self.library.media(song)

    def ratings(self, stored: Mapping[str, Rating] | None = None) -> dict[int, Rating]:
        """Return the library's ratings of these songs, by index; `stored` are all its ratings."""
        if stored is None:
            ratings = self.library.ratings() if self.library else []
            stored = {rating.key: rating for rating in ratings}
        keys = ((index, song_key(item.song)) for index, item in enumerate(self.items))
        return {index: stored[key] for index, key in keys if key in stored}


def songs_of(
    source: Any, library: Library | None = None, *, latest: int | None = None
) -> SongCollection:
    """Collect the songs of a source.

    It may be a task, song, job, raw reply, experiment or experiment run, library, gallery, rows of
    `songs_frame`, or an iterable of these; InvalidArgument if it is none of them. `library`
    replaces the one that the source has; songs from elsewhere have that of the open session which
    holds them. Of a library as the source, only the `latest` purchases are read, if that is not
    None.
    """
    if isinstance(source, Library) and latest is not None:
        return _read_latest(source, library, latest)
    collection = _read_whole(source, library) or _merge([source], library)
    if collection.library is None and collection.items:
        session_library = _session_library(collection.items[0].song)
        collection = dataclasses.replace(collection, library=session_library)
    return collection


def count_finished(library: Library, experiment: Experiment | None = None) -> int:
    """Return how many purchases of a library, or of an experiment in it, have ended."""
    counts = library.counts(experiment=experiment.name if experiment else None)
    return counts.get("done", 0) + counts.get("failed", 0)


def _session_library(song: Song) -> Library | None:
    """Return the library of the open session that holds a song."""
    session = actions_of(song)
    if session is None or not session.holds(song):
        return None
    return session.library if isinstance(session.library, Library) else None


def _read_whole(source: Any, library: Library | None) -> SongCollection | None:
    """Read a source that has factors, a library or a name; return None for any other."""
    if isinstance(source, SongCollection):
        return source if library is None else dataclasses.replace(source, library=library)
    if isinstance(collection := getattr(source, "collection", None), SongCollection):  # a gallery
        return _read_whole(collection, library)
    experiment = getattr(source, "experiment", source)  # an experiment run has one
    if isinstance(experiment, Experiment):
        return _read_experiment(experiment, library)
    if isinstance(source, Library):
        finished = count_finished(source)
        collection = _merge(source.tasks(), library or source)
        name = f"library {source.path.name}"
        return dataclasses.replace(collection, name=name, refreshable=True, finished=finished)
    source = as_pandas(source, "songs")
    return _read_frame(source, library) if hasattr(source, "columns") else None


def _read_latest(source: Library, library: Library | None, number: int) -> SongCollection:
    """Read the latest purchases of a library, oldest first."""
    finished = count_finished(source)
    latest = source.latest_tasks()
    tasks = list(itertools.islice(latest, number))[::-1]
    note = _LATEST.format(number) if next(latest, None) else ""
    collection = _merge(tasks, library or source)
    name = f"library {source.path.name}"
    return dataclasses.replace(
        collection, name=name, note=note, refreshable=True, finished=finished
    )


def _read_experiment(experiment: Experiment, library: Library | None) -> SongCollection:
    finished = count_finished(experiment.library, experiment)
    tasks = experiment.tasks_of_cells()
    items: list[SongItem] = []
    without_songs = 0
    factors, levels_of_cells = read_levels(experiment.plan)
    for index, cell in enumerate(experiment.plan.cells):
        songs = _task_items(tasks.get(index), levels_of_cells[index], f"block {cell.block}")
        items += (dataclasses.replace(item, cell=index) for item in songs)
        without_songs += not songs
    return SongCollection(
        items=tuple(items),
        factors=factors,
        library=library or experiment.library,
        name=f"experiment {experiment.name}",
        without_songs=without_songs,
        refreshable=True,
        finished=finished,
        experiment=experiment,
    )


def _read_frame(frame: pd.DataFrame, library: Library | None) -> SongCollection:
    """Look up the library's songs that the rows name; columns before `task_id` are factors."""
    if not isinstance(frame, pd.DataFrame):
        raise InvalidArgument(no_table_text(frame, "songs"))
    names = column_names(frame)
    if not set(_FRAME_KEYS) <= set(names):
        raise InvalidArgument(
            "a table selects songs by its columns task_id and song_position, as songs_frame has "
            "them; this one lacks them"
        )
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    library = library or (_session_library(_song_of_row(rows[0])) if rows else None)
    if library is None:
        if not rows:
            return SongCollection(())
        raise InvalidArgument(
            "no open session has the songs of this table: connect() to their library, or give "
            "library=api.library"
        )
    songs = {
        (task.id, song.position): (song, task) for task in library.tasks() for song in task.songs
    }
    factors = [name for name in names[: names.index("task_id")] if name not in _NOT_FACTORS]
    items = []
    for row in rows:
        task_id, position = (row[key] for key in _FRAME_KEYS)
        if (task_id, position) not in songs:
            raise InvalidArgument(f"the library has no song {position} of task {task_id!r}")
        song, task = songs[task_id, position]
        row_levels = {name: level_text(row[name]) for name in factors}
        items.append(SongItem(song, task, row_levels, level_text(row.get("block"))))
    levels_of = {
        name: tuple(dict.fromkeys(item.levels[name] for item in items)) for name in factors
    }
    return SongCollection(tuple(items), levels_of, library)


def _song_of_row(row: Mapping[Any, Any]) -> Song:
    return Song(
        id=row.get("song_id"),
        task_id=row["task_id"],
        position=row["song_position"],
        simulated=bool(row.get("simulated")),
    )


def _merge(elements: Iterable[Any], library: Library | None) -> SongCollection:
    items: list[SongItem] = []
    factors: dict[str, tuple[str, ...]] = {}
    without_songs = 0
    for element in elements:
        if isinstance(element, Song):
            items.append(SongItem(element))
        elif isinstance(element, Task):
            songs = _task_items(element)
            items += songs
            without_songs += not songs
        else:
            part = _read_whole(element, library) or _merge(_tasks(element), library)
            items += part.items
            without_songs += part.without_songs
            library = library or part.library
            for name, levels in part.factors.items():
                factors[name] = tuple(dict.fromkeys((*factors.get(name, ()), *levels)))
    return SongCollection(tuple(items), factors, library, without_songs=without_songs)


def _tasks(element: Any) -> Iterable[Any]:
    """Return the tasks of raw replies, of anything with a method `tasks`, or an iterable."""
    if isinstance(element, _RAW_REPLIES):
        from musicapi_nb.frames.inputs import parse_replies  # noqa: PLC0415 - loads pandas

        replies = list(parse_replies(element))
        tasks = [reply.task for reply in replies if reply.task is not None]
        if replies and not tasks:
            reason = replies[0].issues[0].message
            raise InvalidArgument(f"no task was understood ({reason}); {_ACCEPTED}")
        return tasks
    if callable(getattr(type(element), "tasks", None)):
        return list(element.tasks())
    if isinstance(element, Iterable):
        return element
    from musicapi_nb.frames.inputs import type_text  # noqa: PLC0415 - loads pandas

    raise InvalidArgument(f"this is {type_text(element)}; {_ACCEPTED}")


def _task_items(
    task: Task | None, levels: Mapping[str, str] | None = None, block: str = ""
) -> list[SongItem]:
    """Return the songs of a task; one in its place if it is pending or failed."""
    if task is None:
        return []
    songs = task.songs
    if not songs and not task.answer and task.state != "succeeded":  # a persona has no songs
        placeholder = Song(
            task_id=task.id,
            engine=task.engine,
            state=task.state,
            state_word=task.state_word,
            title=getattr(task.request, "title", None),
            fail_reason=task.fail_reason,
            simulated=task.simulated,
        )
        songs = (placeholder,)
    return [SongItem(song, task, levels or {}, block) for song in songs]


def read_levels(plan: Plan) -> tuple[dict[str, tuple[str, ...]], list[dict[str, str]]]:
    """Return the levels of each factor of a plan as text, and those of each of its cells."""
    factors = {name: distinct_texts(levels) for name, levels in plan.factors.items()}
    cells = []
    for cell in plan.cells:
        texts = {}
        for name, level in cell.levels.items():
            levels = plan.factors.get(name, ())
            same = (
                text
                for text, other in zip(factors.get(name, ()), levels, strict=True)
                if other is level or (type(other) is type(level) and other == level)
            )
            texts[name] = next(same, level_text(level))
        cells.append(texts)
    return factors, cells


def distinct_texts(values: Iterable[Any]) -> tuple[str, ...]:
    """Return a short text for each value; those that begin alike, such as lyrics, get a number."""
    texts: list[str] = []
    counts = Counter[str]()
    for value in values:
        text = level_text(value)
        counts[text] += 1
        texts.append(f"{text} ({counts[text]})" if counts[text] > 1 else text)
    return tuple(texts)


def level_text(level: Any) -> str:
    """Return a factor level as text: "(none)" for None, "(blank)" for blank text."""
    if level is None:
        return "(none)"
    return markup.one_line(str(level), TITLE_LIMIT) or "(blank)"
