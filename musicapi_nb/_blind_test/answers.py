"""preferences_frame: the answers of blind tests as a DataFrame."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import pandas as pd

from musicapi_nb._blind_test.store import BlindDesign, Trial, list_designs, load_trials
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.schema import Column, build_frame, document_columns
from musicapi_nb.library import Library

LETTERS = ("a", "b", "c", "d")


class HasTrials(Protocol):
    """A blind test: its design and its trials."""

    @property
    def design(self) -> BlindDesign: ...
    def trials(self) -> Sequence[Trial]: ...


class AnswerRow(NamedTuple):
    """An answered trial with the factor and the listener of its test."""

    trial: Trial
    design: BlindDesign


def _listener(row: AnswerRow) -> str | None:
    name = row.design.settings.get("listener")
    return None if name is None else str(name)


def _chosen_level(row: AnswerRow) -> str | None:
    return None if row.trial.chosen is None else row.trial.songs[row.trial.chosen].level


def _column_per_song(attribute: str, description: str) -> dict[str, Column[AnswerRow]]:
    def column(index: int, letter: str) -> Column[AnswerRow]:
        def value(row: AnswerRow) -> str | None:
            songs = row.trial.songs
            return str(getattr(songs[index], attribute)) if index < len(songs) else None

        return Column("str", value, f"{description} of song {letter.upper()}")

    return {f"{attribute}_{letter}": column(index, letter) for index, letter in enumerate(LETTERS)}


ANSWERS: Mapping[str, Column[AnswerRow]] = {
    "test": Column("str", lambda row: row.trial.test, "name of the test"),
    "trial": Column("int64", lambda row: row.trial.number, "number of the trial, from 1"),
    "repeat_of": Column(
        "Int64",
        lambda row: row.trial.repeat_of,
        "number of the trial with the same songs in another order; missing: no repeat",
    ),
    "factor": Column("str", lambda row: row.design.factor, "factor that the test compares"),
    "listener": Column("str", _listener, "who answered; missing: not named"),
    "chosen_level": Column("str", _chosen_level, "level of the chosen song; missing: a tie"),
    "tie": Column("bool", lambda row: row.trial.answer == "tie", "whether no difference was heard"),
    "chosen_position": Column(
        "Int64", lambda row: row.trial.chosen, "position of the chosen song, 0 is A; missing: a tie"
    ),
    "seconds": Column(
        "float64", lambda row: row.trial.seconds, "from the moment the songs could be played"
    ),
    "answered_at": Column(
        "datetime64[us, UTC]", lambda row: row.trial.answered_at, "time of the answer"
    ),
    **_column_per_song("level", "level of the factor"),
    **_column_per_song("task", "task id"),
    **_column_per_song("song", "library key"),
}


@document_columns(ANSWERS)
def preferences_frame(source: HasTrials | Library, name: str | None = None) -> pd.DataFrame:
    """Tabulate the answers of blind tests: one row per answered trial, in order.

    `source` is a blind test, or a library: then all its tests, or the test `name`. Pairs have
    missing values in the columns of songs C and D; a catch trial has one song at all positions. The
    table reveals which level is which, so
    read it after the test has ended.

    Raises
    ------
    InvalidArgument
        `source` is neither a blind test nor a library, or has no test `name`.
    """
    if isinstance(source, Library):
        designs, trials = list_designs(source), load_trials(source, name)
    elif hasattr(source, "design") and callable(getattr(source, "trials", None)):
        designs, trials = [source.design], [*source.trials()]
    else:
        raise InvalidArgument(
            "preferences_frame() takes a blind test or a library, "
            f"not an object of type {type(source).__name__}"
        )
    by_name = {design.name: design for design in designs}
    if name is not None and name not in by_name:
        names = ", ".join(by_name) or "none"
        raise InvalidArgument(f"there is no blind test {name!r}; there are: {names}")
    answered = (trial for trial in trials if trial.answer in {"chosen", "tie"})
    return build_frame(ANSWERS, (AnswerRow(trial, by_name[trial.test]) for trial in answered))
