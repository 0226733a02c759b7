"""What is shown of tasks, songs, experiments and libraries: one item a song, with its factors."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.errors import WrongType
from musicapi_nb.markup.escape import TITLE_LIMIT, attribute
from musicapi_nb.tasks import Song, Task
from musicapi_nb.tasks.html import fated
from musicapi_nb.widgets import audio

if TYPE_CHECKING:
    from musicapi_nb.experiment import Experiment
    from musicapi_nb.library import Library, Rating
    from musicapi_nb.plan import Cell

_TAG_LIMIT, _TAGS_LIMIT = 60, 40
_LYRICS_LIMIT = 6_000
_FATES: dict[markup.Fate, int] = {"plain": 0, "kept": 1, "added": 2, "dropped": 3}
_ALONE = (Task, Song, Mapping, str, bytes, bytearray, Path)


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One song, its task where it is known, and the levels of its factors in words.

    A task that has no songs is one item, too: its song has the task's state and reason.
    """

    song: Song
    task: Task | None = None
    levels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def title(self) -> str:
        """What it is called, tamed; "(untitled)" where nothing shows."""
        title = self.song.title
        if title is None or markup.is_blank(title):
            return "(untitled)"
        return attribute(title, TITLE_LIMIT)

    @property
    def seed(self) -> str:
        """What its gradient is made from."""
        return self.song.id or f"{self.song.task_id}/{self.song.position}"

    @property
    def model(self) -> str:
        asked = getattr(self.task.request, "mv", None) if self.task else None
        return self.song.model or asked or self.song.engine or ""


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """All that is shown.

    Attributes
    ----------
    factors
        Name to levels in words, in the order given.
    library
        Where ratings are kept and files are, or None.
    without
        Cells and tasks that have no song to show (yet).
    live
        Whether looking again may find more.
    """

    items: tuple[Item, ...]
    factors: Mapping[str, tuple[str, ...]]
    library: Library | None
    name: str
    without: int = 0
    live: bool = False


def read(what: Any, library: Library | None = None) -> Shown:
    """Find the songs of tasks, songs, jobs, raw replies, an experiment or a library.

    Raises
    ------
    WrongType
        It, or a part of it, is none of these.
    """
    if isinstance(what, Shown):
        return what if library is None else dataclasses.replace(what, library=library)
    if isinstance(shown := getattr(what, "songs_shown", None), Shown):  # a gallery
        return read(shown, library)
    experiment = experiment_of(what)
    if experiment is not None:
        return _of_experiment(experiment, library)
    if (kept := _library(what)) is not None:
        items, without = _of_tasks(kept.tasks())
        return Shown(items, {}, library or kept, f"library {kept.path.name}", without, live=True)
    items, without = _of_tasks(_parts(what))
    return Shown(items, {}, library, "", without)


def experiment_of(what: Any) -> Experiment | None:
    """The experiment that was given, by itself or as a run of it."""
    given = getattr(what, "experiment", what)  # a Run has one
    return given if _is_a(given, "musicapi_nb.experiment", "Experiment") else None


def _library(what: Any) -> Library | None:
    return what if _is_a(what, "musicapi_nb.library", "Library") else None


def _is_a(value: Any, module: str, name: str) -> bool:
    """Whether a value is of a class; one of a module that nobody has loaded is not."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


def _of_experiment(experiment: Experiment, library: Library | None) -> Shown:
    kept = library or experiment.library
    tasks = experiment.tasks_of_cells()
    items: list[Item] = []
    without = 0
    for at, cell in enumerate(experiment.plan.cells):
        found = _task_items(tasks[at], _levels(cell)) if at in tasks else []
        items += found
        without += not found
    factors = {
        name: tuple(dict.fromkeys(level_words(level) for level in levels))
        for name, levels in experiment.plan.factors.items()
    }
    name = f"experiment {experiment.name}"
    return Shown(tuple(items), factors, kept, name, without, live=True)


def _levels(cell: Cell) -> dict[str, str]:
    return {name: level_words(level) for name, level in cell.levels.items()}


def level_words(level: Any) -> str:
    """Say a level in words; None and blank texts are named."""
    if level is None:
        return "(none)"
    words = markup.plain(str(level), TITLE_LIMIT)
    return words or "(blank)"


def _parts(what: Any) -> Iterable[Any]:
    if isinstance(what, _ALONE) or _is_job(what) or callable(getattr(type(what), "tasks", None)):
        return (what,)
    if isinstance(what, Iterable) and not hasattr(what, "columns"):
        return what
    raise _wrong(what)


def _is_job(what: Any) -> bool:
    return callable(getattr(type(what), "result", None)) and hasattr(what, "task")


def _of_tasks(parts: Iterable[Any]) -> tuple[tuple[Item, ...], int]:
    items: list[Item] = []
    without = 0
    for part in parts:
        if isinstance(part, Song):
            items.append(Item(part))
            continue
        for task in _tasks(part):
            found = _task_items(task, {})
            items += found
            without += not found
    return tuple(items), without


def _tasks(part: Any) -> Sequence[Task]:
    if isinstance(part, Task):
        return [part]
    if _is_job(part):
        done = part.result() if part.done() else part.task
        if done is None:
            raise WrongType("this job has no task yet; await it first")
        return [one for each in _as_list(done) for one in _tasks(each)]
    if isinstance(part, (Mapping, str, bytes, bytearray, Path)):
        from musicapi_nb.frames.inputs import parse_replies  # noqa: PLC0415 - loads pandas

        return [read.task for read in parse_replies(part) if read.task is not None]
    if callable(getattr(type(part), "tasks", None)):
        return list(part.tasks())
    raise _wrong(part)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _wrong(what: object) -> WrongType:
    return WrongType(
        f"this is a {type(what).__name__}; a gallery is made of tasks, songs, jobs, raw replies, "
        "of an iterable of these, of an experiment, or of a library"
    )


def _task_items(task: Task, levels: Mapping[str, str]) -> list[Item]:
    if task.songs:
        return [Item(song, task, levels) for song in task.songs]
    if task.answer or task.state == "succeeded":  # such as a persona: nothing to hear
        return []
    stand_in = Song(
        task_id=task.id,
        engine=task.engine,
        state=task.state,
        state_word=task.state_word,
        title=getattr(task.request, "title", None),
        fail_reason=task.fail_reason,
        simulated=task.simulated,
    )
    return [Item(stand_in, task, levels)]


# --- what travels ------------------------------------------------------------------------------


def columns(shown: Shown) -> dict[str, Any]:
    """The light facts of all songs, by columns: what is filtered, sorted and grouped by.

    `tags` holds for each song 4 x the tag's number in `tag_words`, plus its fate: 0 as it is,
    1 kept, 2 added, 3 dropped.
    """
    items = shown.items
    tag_words: dict[str, int] = {}  # as they came: what is shown of two may be the same
    return {
        "title": [item.title for item in items],
        "seconds": [
            None if item.song.duration is None else round(item.song.duration, 1) for item in items
        ],
        "state": [item.song.state for item in items],
        "model": [markup.plain(item.model, _TAG_LIMIT) for item in items],
        "heard": [
            int(item.song.state == "succeeded" and item.song.engine != "lyrics") for item in items
        ],
        "made": [_date(item.song) for item in items],
        "simulated": [int(item.song.simulated) for item in items],
        "words": [int(not markup.is_blank(item.song.lyrics)) for item in items],
        "place": [_place(item) for item in items],
        "tags": [_tags(item, tag_words) for item in items],
        "tag_words": [_word(tag) for tag in tag_words],
        "factors": [
            _factor(name, levels, items)
            for name, levels in shown.factors.items()
            if len(levels) > 1
        ],
    }


def _date(song: Song) -> str:
    return markup.moment(song.created_at).partition(",")[0]


def _place(item: Item) -> str:
    many = len(item.task.songs) if item.task else 0
    return f"{item.song.position + 1} of {many}" if many > 1 else ""


def _tags(item: Item, known: dict[str, int]) -> list[int]:
    found = []
    for each in list(fated(item.song, item.task))[:_TAGS_LIMIT]:
        tag = each if isinstance(each, str) else each[0]
        fate = 0 if isinstance(each, str) else _FATES[each[1]]
        found.append(4 * known.setdefault(tag, len(known)) + fate)
    return found


def _word(tag: str) -> str:
    return "(blank)" if markup.is_blank(tag) else markup.plain(tag, _TAG_LIMIT)


def _factor(name: str, levels: Sequence[str], items: Sequence[Item]) -> dict[str, Any]:
    numbers = {level: number for number, level in enumerate(levels)}
    return {
        "name": markup.plain(name, _TAG_LIMIT),
        "levels": list(levels),
        "of": [numbers.get(item.levels.get(name, ""), -1) for item in items],
    }


def detail(item: Item, library: Library | None, rating: Rating | None) -> dict[str, Any]:
    """What a card shows besides: facts, picture, where its audio is or why there is none."""
    song = item.song
    on_file = song.state == "succeeded" and library is not None and library.file_of(song)
    why = "" if on_file else audio.why_none(song)
    lyrics = song.lyrics if song.lyrics and not markup.is_blank(song.lyrics) else ""
    return {
        "gradient": markup.gradient(item.seed),
        "cover": _picture(song),
        "audio": "file" if on_file else "" if why else "link",
        "url": None if on_file or why else audio.link(song),
        "why": attribute(why),
        "note": rating.note if rating else "",
        "lyrics": attribute(lyrics, _LYRICS_LIMIT),
    }


def _picture(song: Song) -> str | None:
    return markup.web_url(song.image_url)
