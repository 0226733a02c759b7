"""Blind tests: their draw, kept once, and each answer, on disk when the call returns."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from musicapi_nb.errors import InvalidArgument, InvalidTransition
from musicapi_nb.library import Library, events

Answer: TypeAlias = Literal["chosen", "tie", "left out"]


@dataclasses.dataclass(frozen=True, slots=True)
class Shown:
    """A song in a trial: its name among the library's files, its task, the level of the factor."""

    song: str
    task: str
    level: str


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One question of a blind test, and its answer once it has one.

    Attributes
    ----------
    number
        From 1, in the order in which they are asked.
    repeat_of
        The number of the trial with the same songs in another order; None: asked first here.
    shown
        The songs by position.
    answer, chosen
        What was said, and the position (from 0) of the song that was chosen. "left out": the
        audio could not be had when it was to be asked.
    seconds
        From the moment it could be heard to the answer.
    """

    test: str
    number: int
    repeat_of: int | None
    shown: tuple[Shown, ...]
    answer: Answer | None = None
    chosen: int | None = None
    seconds: float | None = None
    answered_at: dt.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class BlindDesign:
    """How a test was drawn: its name, the factor, and whatever else was written down then."""

    name: str
    factor: str
    drawn_at: dt.datetime
    settings: Mapping[str, Any]


def save_blind_test(
    library: Library, name: str, factor: str, settings: Mapping[str, Any], trials: Sequence[Trial]
) -> BlindDesign:
    """Keep the draw of a new test; one of that name that is there already stays as it is.

    Parameters
    ----------
    settings
        JSON values that tell how it was drawn.

    Raises
    ------
    InvalidArgument
        No name, no trials, or trials that do not count from 1.
    LibraryError
        It could not be written.
    """
    if not name.strip() or [trial.number for trial in trials] != [
        *range(1, max(len(trials), 1) + 1)
    ]:
        raise InvalidArgument("a blind test has a name, and trials that count from 1")
    data = {
        "name": name,
        "factor": factor,
        "settings": dict(settings),
        "trials": [
            {"repeat_of": trial.repeat_of, "shown": [_row(shown) for shown in trial.shown]}
            for trial in trials
        ],
    }
    with _writing(library) as append:
        if load_design(library, name) is None:
            append("drawn", data)
    design = load_design(library, name)
    if design is None:
        raise InvalidTransition(f"the blind test {name!r} was not kept")
    return design


def save_answer(  # noqa: PLR0913 - the fields of an answer
    library: Library,
    test: str,
    number: int,
    answer: Answer,
    *,
    chosen: int | None = None,
    seconds: float | None = None,
) -> bool:
    """Keep an answer; on disk, also after a loss of power, when this returns.

    The first answer to a trial stands: False says that there was one.

    Raises
    ------
    InvalidTransition
        There is no such trial.
    InvalidArgument
        A position that it does not have, or one where none is meant.
    LibraryError
        It could not be written; the trial is still open.
    """
    with _writing(library) as append:
        trial = next((each for each in load_trials(library, test) if each.number == number), None)
        if trial is None:
            raise InvalidTransition(f"there is no trial {number} in a blind test {test!r}")
        _check(trial, answer, chosen)
        if trial.answer is not None:
            return False
        took = seconds if seconds is not None and math.isfinite(seconds) else None
        data = {"test": test, "number": number, "answer": answer, "chosen": chosen, "seconds": took}
        append("answered", data)
    return True


def load_design(library: Library, test: str) -> BlindDesign | None:
    """How a test was drawn; None when there is none of that name."""
    return next((each for each in list_designs(library) if each.name == test), None)


def list_designs(library: Library) -> list[BlindDesign]:
    """All blind tests, in the order in which they were drawn."""
    rows = _rows(library, "SELECT name, factor, at, settings FROM blind_tests ORDER BY at, name")
    return [
        BlindDesign(name, factor, dt.datetime.fromtimestamp(at, dt.UTC), json.loads(settings))
        for name, factor, at, settings in rows
    ]


def load_trials(library: Library, test: str | None = None) -> list[Trial]:
    """The trials of a test, or of all, in the order in which they are asked."""
    rows = _rows(
        library,
        "SELECT test, number, repeat_of, shown, answer, chosen, seconds, answered_at "
        "FROM trials WHERE ?1 IS NULL OR test=?1 ORDER BY test, number",
        test,
    )
    return [_trial(*row) for row in rows]


@contextlib.contextmanager
def _writing(library: Library) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """Open a durable write transaction and yield a function that appends an event in it."""
    with library._database.write(durable=True) as connection:  # noqa: SLF001 - the only place that writes

        def append(kind: str, data: Mapping[str, Any]) -> None:
            events.append_unbound(connection, kind, data, owner=library._process_lock.id)  # noqa: SLF001

        yield append


def _rows(library: Library, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return library._database.rows(sql, *parameters)  # noqa: SLF001 - the only place that reads


def _row(shown: Shown) -> dict[str, str]:
    return {"song": shown.song, "task": shown.task, "level": shown.level}


def _check(trial: Trial, answer: Answer, chosen: int | None) -> None:
    if answer not in {"chosen", "tie", "left out"}:
        raise InvalidArgument(f"an answer is 'chosen', 'tie' or 'left out', not {answer!r:.40}")
    places = range(len(trial.shown))
    good = chosen in places and not isinstance(chosen, bool) if answer == "chosen" else not chosen
    if not good or (answer != "chosen" and chosen is not None):
        raise InvalidArgument(f"{chosen!r:.40} is no position that {answer!r} can name")


def _trial(  # noqa: PLR0913, PLR0917 - a row of the table
    test: str,
    number: int,
    repeat_of: int | None,
    shown: str,
    answer: Answer | None,
    chosen: int | None,
    seconds: float | None,
    answered_at: float | None,
) -> Trial:
    moment = None if answered_at is None else dt.datetime.fromtimestamp(answered_at, dt.UTC)
    songs = tuple(Shown(**each) for each in json.loads(shown))
    return Trial(test, number, repeat_of, songs, answer, chosen, seconds, moment)
