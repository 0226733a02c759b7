"""Which songs may be compared: those of an experiment, a library, tasks or a frame, by a factor."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from musicapi_nb import markup
from musicapi_nb._blind_test.design import Candidate
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.library.media_files import song_key
from musicapi_nb.tasks import Song, Task
from musicapi_nb.widgets.song_audio import no_audio_reason

if TYPE_CHECKING:
    from musicapi_nb.experiment import Experiment
    from musicapi_nb.library import Library

_OWN = ("cell", "block", "take")
_LONGEST = 200  # characters of a level
_HOW = (
    "a blind test is made of an experiment, of tasks, of a library, or of a frame such as "
    "run.songs()"
)


class LeftOut(NamedTuple):
    """A song that is not in the test, and why."""

    song: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Entrants:
    """All songs that may be drawn, and those that may not.

    `name` is what the test is called unless it is named.
    """

    candidates: tuple[Candidate, ...]
    songs: Mapping[str, Song]
    left_out: tuple[LeftOut, ...]
    library: Library
    name: str


class _Made(NamedTuple):
    """A task with its level and what else was asked; no level where nobody knows it."""

    task: Task
    level: str | None
    like: tuple[str, ...]
    songs: tuple[Song, ...]


def entrants(what: Any, factor: str, library: Library | None = None) -> Entrants:
    """Find the songs and their levels.

    Raises
    ------
    InvalidArgument
        It has no songs or not that factor, or there is no library to keep answers in.
    """
    if not isinstance(factor, str) or not factor:
        raise InvalidArgument(
            f"factor is the name of what is compared, such as 'mv', not {factor!r:.40}"
        )
    experiment = _experiment(what)
    if experiment is not None:
        made = list(_of_experiment(experiment, factor))
        return _sorted(made, experiment.library, f"{experiment.name} by {factor}")
    kept = library if library is not None else what if _is_library(what) else None
    if kept is None or not _is_library(kept):
        raise InvalidArgument(
            "a blind test keeps its answers in a library: give library=api.library"
        )
    if hasattr(what, "columns"):
        made = list(_of_frame(what, factor, kept))
    else:
        made = list(_of_tasks(list(_tasks(what)), factor))
    keys = sorted(song_key(song) for one in made for song in one.songs)
    digest = hashlib.sha256("\n".join(keys).encode("utf-8", "replace")).hexdigest()
    name = f"library by {factor}" if what is kept else f"{factor} {digest[:8]}"
    return _sorted(made, kept, name)


def _experiment(what: Any) -> Experiment | None:
    from musicapi_nb.experiment import Experiment as Kind  # noqa: PLC0415 - loaded with an experiment

    given = getattr(what, "experiment", what)  # a Run has one
    return given if isinstance(given, Kind) else None


def _is_library(what: Any) -> bool:
    from musicapi_nb.library import Library as Kind  # noqa: PLC0415 - loads SQLite

    return isinstance(what, Kind)


def in_words(level: Any) -> str:
    """Say a level in words; nothing and blank texts are named."""
    if level is None:
        return "(none)"
    return markup.one_line(str(level), _LONGEST) or "(blank)"


def _sorted(made: Sequence[_Made], library: Library, name: str) -> Entrants:
    candidates: dict[str, Candidate] = {}
    songs: dict[str, Song] = {}
    left_out: list[LeftOut] = []
    for one in made:
        if not one.songs:
            why = one.task.fail_reason or f"its task is {one.task.state} and has no songs"
            left_out.append(LeftOut(one.task.id or "", why))
        for song in one.songs:
            key = song_key(song)
            why = _why_not(song, one)
            if why:
                left_out.append(LeftOut(key, why))
            elif key not in candidates:
                task = one.task.id or key
                candidates[key] = Candidate(key, task, one.level or "", one.like)
                songs[key] = song
    return Entrants(tuple(candidates.values()), songs, tuple(left_out), library, name)


def _why_not(song: Song, made: _Made) -> str:
    if song.engine == "lyrics" or song.state != "succeeded":
        return no_audio_reason(song) or f"it is {song.state}"
    return "" if made.level is not None else "its level of the factor is not known"


# --- where they are ------------------------------------------------------------------------


def _of_experiment(experiment: Experiment, factor: str) -> Iterator[_Made]:
    plan = experiment.plan
    if factor not in plan.factors:
        raise InvalidArgument(
            f"{experiment.name!r} has no factor {factor!r}; it has {', '.join(plan.factors)}"
        )
    others = [name for name in plan.factors if name != factor]
    for at, task in experiment.tasks_of_cells().items():
        cell = plan.cells[at]
        like = (*(in_words(cell.levels.get(name)) for name in others), f"block {cell.block}")
        level = in_words(cell.levels[factor]) if factor in cell.levels else None
        yield _Made(task, level, like, task.songs)


def _tasks(what: Any) -> Iterator[Task]:
    if isinstance(what, Task):
        yield what
    elif callable(getattr(type(what), "tasks", None)):
        yield from what.tasks()
    elif isinstance(what, Iterable) and not isinstance(what, str | bytes | dict):
        for part in what:
            yield from _tasks(part)
    elif isinstance(task := getattr(what, "task", None), Task):  # a job's
        yield task
    else:
        raise InvalidArgument(f"{what!r:.60} is no task; {_HOW}")


def _of_tasks(tasks: Sequence[Task], factor: str) -> Iterator[_Made]:
    asked = [_asked(task) for task in tasks]
    if tasks and not any(factor in fields for fields in asked):
        known = sorted({name for fields in asked for name in fields})
        raise InvalidArgument(f"no request has a field {factor!r}; there are {', '.join(known)}")
    others = sorted({name for fields in asked for name in fields} - {factor})
    varied = [name for name in others if len({fields.get(name) for fields in asked}) > 1]
    for task, fields in zip(tasks, asked, strict=True):
        like = (*(fields.get(name, "") for name in varied), "")
        yield _Made(task, fields.get(factor), like, task.songs)


def _asked(task: Task) -> dict[str, str]:
    """What was asked, field by field, in words."""
    known = {"engine": task.engine or "", "operation": task.operation or ""}
    fields = msgspec.structs.asdict(task.request) if task.request is not None else {}
    return {**known, **{name: in_words(value) for name, value in fields.items()}}


def _of_frame(frame: Any, factor: str, library: Library) -> Iterator[_Made]:
    names = [str(name) for name in frame.columns]
    needed = {"task_id", "song_position", factor}
    if not needed <= set(names):
        lacking = ", ".join(sorted(needed - set(names)))
        raise InvalidArgument(f"the frame has no column {lacking}; {_HOW}")
    before = names[: names.index("task_id")]
    others = [name for name in before if name not in {*_OWN, factor}]
    known = {
        (task.id, song.position): (task, song) for task in library.tasks() for song in task.songs
    }
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    for row in rows:
        found = known.get((row["task_id"], row["song_position"]))
        if found is None:
            raise InvalidArgument(
                f"the library has no song {row['song_position']} of task {row['task_id']!r}"
            )
        like = (*(in_words(row[name]) for name in others), in_words(row.get("block")))
        level = None if row[factor] is None else in_words(row[factor])
        yield _Made(found[0], level, like, (found[1],))
