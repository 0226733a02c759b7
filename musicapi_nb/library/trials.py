"""Blind tests: their draw, kept once, and each answer, on disk when the call returns."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from musicapi_nb.errors import WrongStep, WrongType
from musicapi_nb.library import events

if TYPE_CHECKING:
    from musicapi_nb.library.database import Database
    from musicapi_nb.library.process_lock import ProcessLock

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


class Trials:
    """The blind tests of a `Library`."""

    _database: Database
    _process_lock: ProcessLock

    def keep_draw(
        self, name: str, factor: str, settings: Mapping[str, Any], trials: Sequence[Trial]
    ) -> BlindDesign:
        """Keep the draw of a new test; one of that name that is there already stays as it is.

        Parameters
        ----------
        settings
            JSON values that tell how it was drawn.

        Raises
        ------
        WrongType
            No name, no trials, or trials that do not count from 1.
        LibraryError
            It could not be written.
        """
        if not name.strip() or [trial.number for trial in trials] != [
            *range(1, max(len(trials), 1) + 1)
        ]:
            raise WrongType("a blind test has a name, and trials that count from 1")
        data = {
            "name": name,
            "factor": factor,
            "settings": dict(settings),
            "trials": [
                {"repeat_of": trial.repeat_of, "shown": [_row(shown) for shown in trial.shown]}
                for trial in trials
            ],
        }
        with self._database.write(durable=True) as connection:
            if self.blind_design(name) is None:
                events.append_unbound(connection, "drawn", data, owner=self._process_lock.id)
        design = self.blind_design(name)
        if design is None:
            raise WrongStep(f"the blind test {name!r} was not kept")
        return design

    def answer_trial(
        self,
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
        WrongStep
            There is no such trial.
        WrongType
            A position that it does not have, or one where none is meant.
        LibraryError
            It could not be written; the trial is still open.
        """
        with self._database.write(durable=True) as connection:
            trial = next((each for each in self.trials(test) if each.number == number), None)
            if trial is None:
                raise WrongStep(f"there is no trial {number} in a blind test {test!r}")
            _check(trial, answer, chosen)
            if trial.answer is not None:
                return False
            took = seconds if seconds is not None and math.isfinite(seconds) else None
            data = {
                "test": test,
                "number": number,
                "answer": answer,
                "chosen": chosen,
                "seconds": took,
            }
            events.append_unbound(connection, "answered", data, owner=self._process_lock.id)
        return True

    def blind_design(self, test: str) -> BlindDesign | None:
        """How a test was drawn; None when there is none of that name."""
        return next((each for each in self.blind_tests() if each.name == test), None)

    def blind_tests(self) -> list[BlindDesign]:
        """All blind tests, in the order in which they were drawn."""
        rows = self._database.rows(
            "SELECT name, factor, at, settings FROM blind_tests ORDER BY at, name"
        )
        return [
            BlindDesign(name, factor, dt.datetime.fromtimestamp(at, dt.UTC), json.loads(settings))
            for name, factor, at, settings in rows
        ]

    def trials(self, test: str | None = None) -> list[Trial]:
        """The trials of a test, or of all, in the order in which they are asked."""
        rows = self._database.rows(
            "SELECT test, number, repeat_of, shown, answer, chosen, seconds, answered_at "
            "FROM trials WHERE ?1 IS NULL OR test=?1 ORDER BY test, number",
            test,
        )
        return [_trial(*row) for row in rows]


def _row(shown: Shown) -> dict[str, str]:
    return {"song": shown.song, "task": shown.task, "level": shown.level}


def _check(trial: Trial, answer: Answer, chosen: int | None) -> None:
    if answer not in {"chosen", "tie", "left out"}:
        raise WrongType(f"an answer is 'chosen', 'tie' or 'left out', not {answer!r:.40}")
    places = range(len(trial.shown))
    good = chosen in places and not isinstance(chosen, bool) if answer == "chosen" else not chosen
    if not good or (answer != "chosen" and chosen is not None):
        raise WrongType(f"{chosen!r:.40} is no position that {answer!r} can name")


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
