"""Blind tests in a library: write a design once, write each answer once, read both back."""

import contextlib
import dataclasses
import datetime as dt
import functools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from musicapi_nb.errors import InvalidArgument, InvalidTransition
from musicapi_nb.library import Library, events

Answer: TypeAlias = Literal["chosen", "tie", "skipped"]


class TrialSong(NamedTuple):
    """A song of a trial: its key in the library, its task id, and its level of the factor."""

    song: str
    task: str
    level: str


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One question of a blind test, and its answer if there is one."""

    test: str
    number: int  # from 1
    repeat_of: int | None  # number of the trial that has the same songs in another order
    songs: tuple[TrialSong, ...]  # in the order of their positions: A, B, ...
    answer: Answer | None = None  # "skipped" if the audio was missing
    chosen: int | None = None  # position of the chosen song, from 0
    seconds: float | None = None  # from the moment all songs could be played
    answered_at: dt.datetime | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class BlindDesign:
    """How a blind test was drawn: name, factor, time, and settings as JSON values."""

    name: str
    factor: str
    drawn_at: dt.datetime
    settings: Mapping[str, Any]


def save_blind_test(
    library: Library, name: str, factor: str, settings: Mapping[str, Any], trials: Sequence[Trial]
) -> BlindDesign:
    """Write a blind test unless one has this name; return the design under this name.

    InvalidArgument if the name is blank or the trials are not numbered from 1.
    """
    numbers = [trial.number for trial in trials]
    if not name.strip() or not trials or numbers != [*range(1, len(trials) + 1)]:
        raise InvalidArgument("a blind test needs a name, and trials numbered from 1")
    rows = [
        {"repeat_of": trial.repeat_of, "shown": [song._asdict() for song in trial.songs]}
        for trial in trials
    ]
    data = {"name": name, "factor": factor, "settings": dict(settings), "trials": rows}
    with _open_appender(library) as append:
        if load_design(library, name) is None:
            append("drawn", data)
    return next(design for design in list_designs(library) if design.name == name)


def save_answer(  # noqa: PLR0913 - the fields of an answer
    library: Library,
    test: str,
    number: int,
    answer: Answer,
    *,
    chosen: int | None = None,
    seconds: float | None = None,
) -> bool:
    """Write an answer durably (fsync) before returning; False if the trial had one already.

    InvalidTransition if there is no such trial, InvalidArgument if `chosen` does not fit the
    answer. After a LibraryError the trial is still open.
    """
    with _open_appender(library) as append:
        trials = load_trials(library, test)
        trial = next((trial for trial in trials if trial.number == number), None)
        if trial is None:
            raise InvalidTransition(f"the blind test {test!r} has no trial {number}")
        _check_answer(trial, answer, chosen)
        if trial.answer is not None:
            return False
        finite = seconds if seconds is not None and math.isfinite(seconds) else None
        data = {"test": test, "number": number, "answer": answer, "chosen": chosen}
        append("answered", {**data, "seconds": finite})
    return True


def load_design(library: Library, test: str) -> BlindDesign | None:
    """Return the design of a blind test, or None if the library has no test of this name."""
    return next((design for design in list_designs(library) if design.name == test), None)


def list_designs(library: Library) -> list[BlindDesign]:
    """Return all blind tests of a library, oldest first."""
    rows = _rows(library, "SELECT name, factor, at, settings FROM blind_tests ORDER BY at, name")
    return [
        BlindDesign(name, factor, dt.datetime.fromtimestamp(moment, dt.UTC), json.loads(settings))
        for name, factor, moment, settings in rows
    ]


def load_trials(library: Library, test: str | None = None) -> list[Trial]:
    """Return the trials of one test, or of all tests, ordered by test and number."""
    rows = _rows(
        library,
        "SELECT test, number, repeat_of, shown, answer, chosen, seconds, answered_at "
        "FROM trials WHERE ? IS NULL OR test=? ORDER BY test, number",
        test,
        test,
    )
    trials = []
    for name, number, repeat_of, song_list, answer, chosen, seconds, moment in rows:
        songs = tuple(TrialSong(**song) for song in json.loads(song_list))
        answered_at = None if moment is None else dt.datetime.fromtimestamp(moment, dt.UTC)
        trials.append(Trial(name, number, repeat_of, songs, answer, chosen, seconds, answered_at))
    return trials


def _check_answer(trial: Trial, answer: Answer, chosen: int | None) -> None:
    if answer not in get_args(Answer):
        raise InvalidArgument(f"answer must be 'chosen', 'tie' or 'skipped', not {answer!r:.40}")
    if answer != "chosen" and chosen is not None:
        raise InvalidArgument(f"the answer {answer!r} has no chosen song, not {chosen!r:.40}")
    last = len(trial.songs) - 1
    if answer == "chosen" and (isinstance(chosen, bool) or chosen not in range(last + 1)):
        raise InvalidArgument(f"position {chosen!r:.40} does not exist (0 to {last})")


@contextlib.contextmanager
def _open_appender(library: Library) -> Iterator[Callable[[str, Mapping[str, Any]], None]]:
    """Open a durable write transaction and yield a function that appends an event to it.

    This function and `_rows` alone use private parts of the library.
    """
    owner = library._process_lock.id  # noqa: SLF001
    with library._database.write(durable=True) as connection:  # noqa: SLF001
        yield functools.partial(events.append_unbound, connection, owner=owner)


def _rows(library: Library, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return library._database.rows(sql, *parameters)  # noqa: SLF001
