"""preferences_frame: the answers of blind tests as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from musicapi_nb._blind_test.store import list_designs, load_trials
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.schema import Column, build_frame, document_columns
from musicapi_nb.library import Library

if TYPE_CHECKING:
    import pandas as pd

    from musicapi_nb._blind_test.store import BlindDesign, Shown, Trial

PLACES = ("a", "b", "c", "d")


class HasTrials(Protocol):
    """A blind test: its design, and its trials in the order of asking."""

    @property
    def design(self) -> BlindDesign: ...

    def trials(self) -> Sequence[Trial]: ...


class AnswerRow(NamedTuple):
    """One answered trial, and the factor that its test compares."""

    trial: Trial
    factor: str


def _chosen(row: AnswerRow) -> Shown | None:
    return None if row.trial.chosen is None else row.trial.shown[row.trial.chosen]


def _place(at: int, part: str) -> Callable[[AnswerRow], str | None]:
    def cell(row: AnswerRow) -> str | None:
        shown = row.trial.shown
        return str(getattr(shown[at], part)) if at < len(shown) else None

    return cell


def _places(part: str, about: str) -> dict[str, Column[AnswerRow]]:
    return {
        f"{part}_{letter}": Column("str", _place(at, part), f"{about} {letter.upper()}")
        for at, letter in enumerate(PLACES)
    }


ANSWERS: Mapping[str, Column[AnswerRow]] = {
    "test": Column("str", lambda row: row.trial.test, "its name"),
    "trial": Column("int64", lambda row: row.trial.number, "from 1, as they were asked"),
    "repeat_of": Column(
        "Int64",
        lambda row: row.trial.repeat_of,
        "the trial with the same songs in another order; missing: none before",
    ),
    "factor": Column("str", lambda row: row.factor, "what the test compares"),
    "chosen_level": Column(
        "str",
        lambda row: chosen.level if (chosen := _chosen(row)) else None,
        "of the song that was chosen; missing: a tie",
    ),
    "tie": Column("bool", lambda row: row.trial.answer == "tie", "no difference was heard"),
    "chosen_position": Column(
        "Int64", lambda row: row.trial.chosen, "from 0, which is A; missing: a tie"
    ),
    "seconds": Column("float64", lambda row: row.trial.seconds, "from hearing it to the answer"),
    "answered_at": Column("datetime64[us, UTC]", lambda row: row.trial.answered_at, "when"),
    **_places("level", "of the factor, of song"),
    **_places("task", "the task that made song"),
    **_places("song", "the library's name of song"),
}


@document_columns(ANSWERS)
def preferences_frame(source: HasTrials | Library, name: str | None = None) -> pd.DataFrame:
    """Make a table of blind tests: one row for every answered trial, in the order of asking.

    It is made of a test or of a library (`name`: of the test of that name alone). A pair has
    missing values under c and d. To look at it before a test has ended tells the levels.

    Raises
    ------
    InvalidArgument
        What was given has no blind tests, or none of that name.
    """
    if isinstance(source, Library):
        designs, trials = list_designs(source), load_trials(source, name)
    elif callable(getattr(type(source), "trials", None)) and hasattr(source, "design"):
        designs, trials = [source.design], [*source.trials()]
    else:
        raise InvalidArgument(
            f"this is a {type(source).__name__}; preferences are asked of a blind test or a library"
        )
    factors = {design.name: design.factor for design in designs}
    if name is not None and name not in factors:
        raise InvalidArgument(
            f"there is no blind test {name!r}; there are {', '.join(factors) or 'none'}"
        )
    return build_frame(
        ANSWERS,
        (
            AnswerRow(trial, factors[trial.test])
            for trial in trials
            if trial.answer in {"chosen", "tie"}
        ),
    )
