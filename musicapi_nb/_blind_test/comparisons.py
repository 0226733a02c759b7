"""Read rows of `preferences_frame` as arrays of choices, and count who won against whom."""

import itertools
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb._blind_test.answers import ANSWERS, LETTERS
from musicapi_nb._blind_test.bradley_terry import TIE, Choices
from musicapi_nb.analysis.array_types import Flags, Ints
from musicapi_nb.analysis.checks import ColumnKind, dtype_text, require
from musicapi_nb.analysis.clusters import row_codes
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.arrow_tables import as_pandas
from musicapi_nb.frames.text_dtype import TEXT

_LABEL = "the table of answers (preferences_frame(...))"
_SONG_KINDS: dict[str, ColumnKind] = {"level": "text", "task": "key", "song": "key"}
_KINDS: dict[str, ColumnKind] = {
    "test": "key",
    "trial": "number",
    "repeat_of": "number",
    "factor": "text",
    "tie": "any",
    "chosen_position": "number",
    **{f"{name}_{letter}": kind for name, kind in _SONG_KINDS.items() for letter in LETTERS},
}


class Answers(NamedTuple):
    """Answers about one factor: `choices` index `levels`; catch trials are counted apart.

    `repeats` are repeated trials whose first trial was answered, `agreeing` those with its answer.
    """

    levels: list[str]
    choices: Choices
    listeners: int
    catch_trials: int
    catch_ties: int
    repeats: int
    agreeing: int


def rows_of_factor(frame: Any, factor: str | None) -> tuple[pd.DataFrame, str]:
    """Return the rows of a factor and its name; it may be None if the frame has one factor."""
    frame = as_pandas(frame, "frame")
    if not isinstance(frame, pd.DataFrame) or not set(ANSWERS) - {"listener"} <= set(frame.columns):
        raise InvalidArgument("preference() takes a frame that preferences_frame() returned")
    require(frame, _KINDS, _LABEL)
    if factor is not None:
        rows = frame[(frame["factor"] == factor).fillna(False).astype("bool")]
        return rows.reset_index(drop=True), str(factor)
    factors = list(dict.fromkeys(frame["factor"].dropna()))
    if len(factors) > 1:
        raise InvalidArgument(f"the frame has the factors {', '.join(factors)}; pass factor=...")
    return frame.reset_index(drop=True), factors[0] if factors else "no factor"


def read_answers(rows: pd.DataFrame) -> Answers:
    """Read rows of one factor; BadFrame if the answer of a row is impossible."""
    level, levels = _codes(rows, "level")
    task, _ = _codes(rows, "task")
    song, _ = _codes(rows, "song")
    present = level >= 0
    chosen = _chosen_positions(rows, present)
    if rows[["test", "trial"]].isna().any(axis=None):
        raise BadFrame(
            f"{_LABEL} has answers without the name of their test or number of the trial"
        )
    if (present & (task < 0)).any():
        raise BadFrame(f"{_LABEL} has songs without a task")
    # a catch trial plays one song several times
    first = song[np.arange(len(song)), present.argmax(axis=1)][:, None]
    is_catch = ((song == first) & (song >= 0) | ~present).all(axis=1)
    used = ~is_catch
    choices = Choices(
        level=level[used],
        task=task[used],
        chosen=chosen[used],
        question=_renumber(_questions(rows)[used]),
        listener=_renumber(_listeners(rows)[used]),
    )
    listeners = int(choices.listener.max(initial=-1)) + 1
    catches = int(is_catch.sum()), int((chosen[is_catch] == TIE).sum())
    return Answers(levels, choices, listeners, *catches, *_count_repeats(rows))


def compare_pairs(choices: Choices) -> pd.DataFrame:
    """Tabulate comparisons of two songs of different levels, decided by a choice or a tie.

    Columns: `trial`; `question`; `level` and `versus`, the lower index first; `win` of `level` (1,
    0, or 0.5 for a tie).
    """
    parts = []
    is_tie = choices.chosen == TIE
    for left, right in itertools.combinations(range(choices.level.shape[1]), 2):
        level, versus = choices.level[:, left], choices.level[:, right]
        is_decided = is_tie | (choices.chosen == left) | (choices.chosen == right)
        trial = np.flatnonzero((level >= 0) & (versus >= 0) & (level != versus) & is_decided)
        win = np.where(is_tie, 0.5, choices.chosen == left)[trial]
        level, versus = level[trial], versus[trial]
        columns = {
            "trial": trial,
            "question": choices.question[trial],
            "level": np.minimum(level, versus),
            "versus": np.maximum(level, versus),
            "win": np.where(level < versus, win, 1 - win),
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def _codes(rows: pd.DataFrame, name: str) -> tuple[Ints, list[str]]:
    """Number the values of a column of each song in their order of occurrence: -1 if missing."""
    values = rows[[f"{name}_{letter}" for letter in LETTERS]].astype("object")
    texts = values.map(str).where(values.notna(), None)
    codes, names = pd.factorize(texts.to_numpy().ravel())
    return codes.reshape(len(rows), len(LETTERS)).astype("int64"), [str(name) for name in names]


def _renumber(codes: Ints) -> Ints:
    """Number the codes that occur from 0."""
    return np.unique(codes, return_inverse=True)[1].astype("int64")


def _chosen_positions(rows: pd.DataFrame, present: Flags) -> Ints:
    if len(rows) and rows["tie"].dtype != bool:
        raise BadFrame(f"column 'tie' of {_LABEL} is {dtype_text(rows['tie'])}, not bool")
    position = rows["chosen_position"].to_numpy("float64", na_value=np.nan)
    chosen = np.where(rows["tie"].to_numpy(bool), TIE, position)
    is_position = np.isin(chosen, range(len(LETTERS)))
    index = np.where(is_position, chosen, 0).astype("int64")
    is_chosen = is_position & present[np.arange(len(rows)), index]
    impossible = ~(is_chosen | (chosen == TIE)) | (present.sum(axis=1) < 2)  # noqa: PLR2004 - a pair
    if impossible.any():
        row = rows.iloc[int(impossible.argmax())]
        raise BadFrame(
            f"{_LABEL} has an impossible answer: trial {row['trial']} of {row['test']!r:.60} needs "
            "two or more songs, and a tie or the position of one of them"
        )
    return np.where(is_chosen, index, TIE).astype("int64")


def _questions(rows: pd.DataFrame) -> Ints:
    """Number the questions: a repeat has the number of the trial that it repeats."""
    original = rows["repeat_of"].astype("Float64").fillna(rows["trial"].astype("Float64"))
    return row_codes(pd.DataFrame({"test": rows["test"].astype(TEXT), "trial": original}))[0]


def _listeners(rows: pd.DataFrame) -> Ints:
    if "listener" not in rows.columns:  # a table of an earlier version
        return np.zeros(len(rows), dtype="int64")
    names = rows["listener"].astype("object")
    return pd.factorize(names.map(str).where(names.notna(), ""))[0].astype("int64")


def _count_repeats(rows: pd.DataFrame) -> tuple[int, int]:
    """Count repeated trials whose first trial was answered, and those with the same answer."""
    answers = {
        (row["test"], row["trial"]): "tie"
        if row["tie"]
        else row[f"song_{LETTERS[int(row['chosen_position'])]}"]
        for row in rows.to_dict("records")
    }
    repeats = rows.dropna(subset=["repeat_of"])[["test", "trial", "repeat_of"]]
    pairs = [
        (answers[test, trial], answers[test, original])
        for test, trial, original in repeats.itertuples(index=False)
        if (test, original) in answers
    ]
    return len(pairs), sum(again == before for again, before in pairs)
