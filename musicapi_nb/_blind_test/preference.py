"""What blind answers amount to: strengths of levels, how sure they are, and how far to trust them.

Strengths follow Bradley and Terry (Biometrika 39, 1952): level i is chosen over level j with
probability 1 / (1 + exp(s_j - s_i)). A tie counts as half a win for each. Of four songs the chosen
one wins over each of the other three: under Luce's choice axiom (Individual Choice Behavior, 1959)
that is the same model, and the intervals do not take these three for three answers, since they
come from resampled tasks. Songs of equal levels say nothing about levels and are left out.

Each s has a weak normal prior (mean 0, standard deviation `estimates.PRIOR_SD`), so that a level
that always won has a finite strength; it also makes the strengths sum to 0, so that each is
relative to the mean of all levels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb import markup
from musicapi_nb._blind_test.answers import ANSWERS, PLACES
from musicapi_nb._blind_test.bradley_terry import detectable, errors, strengths, wilson
from musicapi_nb.errors import InvalidArgument

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FIRST = "first position chosen"
_SAME = "answered alike when asked again"
_LEAST = "smallest difference it could have shown"
_SCORES = {
    "level": "str",
    "score": "float64",
    "low": "float64",
    "high": "float64",
    "answers": "int64",
    "wins": "int64",
    "ties": "int64",
    "losses": "int64",
    "tasks": "int64",
}
_PAIRS = {
    "level": "str",
    "other": "str",
    "answers": "int64",
    "wins": "int64",
    "ties": "int64",
    "losses": "int64",
    "share": "float64",
    "detectable": "float64",
}
_CHECKS = {
    "check": "str",
    "estimate": "float64",
    "low": "float64",
    "high": "float64",
    "by_chance": "float64",
    "n": "int64",
}


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Preference:
    """What the answers amount to.

    Attributes
    ----------
    scores
        One row a level, best first. `score`: log-strength relative to the mean of the levels,
        with its interval `low` to `high`; `answers` in which it was compared with another level;
        `wins`, `ties` and `losses` in comparisons of two songs; `tasks` that it was heard from.
    pairs
        One row for each two levels: `share` of the comparisons that `level` won (a tie is half a
        win), and the smallest difference from 0.5 that so many answers could have shown
        (`detectable`, see `estimates`); answers of few tasks show less.
    checks
        One row each: how often the first position was chosen (of all answers but ties;
        `by_chance`: what position alone would give), how often a repeated trial was answered
        alike, and the smallest difference in the probability of winning, from 0.5, that as many
        answers as two levels have on average could have shown with 80 % power at 5 %, two-sided.
        With their 95 % intervals, where they have one.
    notes
        What is missing or uncertain, in sentences.
    """

    factor: str
    scores: pd.DataFrame
    pairs: pd.DataFrame
    checks: pd.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        best = ", ".join(
            f"{row.level} {row.score:+.2f} [{row.low:+.2f}, {row.high:+.2f}]"
            for row in self.scores.itertuples()
        )
        return markup.one_line(f"<Preference by {self.factor}: {best or 'no answers'}>")

    def _repr_html_(self) -> str:
        scores, pairs, checks = (_rows(each) for each in (self.scores, self.pairs, self.checks))
        tables = [
            markup.table(
                ["level", "score", "interval", "answers"],
                [(row.level, _figure(row.score), _between(row), row.answers) for row in scores],
                "strength on a log scale, 0 is the mean of all levels",
            ),
            markup.table(
                ["level", "wins", "against", "answers"],
                [(row.level, _percent(row.share), row.other, row.answers) for row in pairs],
            ),
            markup.table(
                ["check", "found", "by chance", "of"],
                [
                    (row.check, _percent(row.estimate), _percent(row.by_chance), row.n)
                    for row in checks
                ],
            ),
        ]
        shown = tables if scores else [markup.text("No answers yet.")]
        notes = [markup.notice(note, "neutral") for note in self.notes]
        return markup.card(f"Preference by {self.factor}", *shown, *notes)


def _rows(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples())


def _figure(value: Any) -> str | None:
    return None if math.isnan(value) else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _between(row: Any) -> str | None:
    return None if math.isnan(row.low) else f"{_figure(row.low)} to {_figure(row.high)}"


def _percent(value: Any) -> str | None:
    return None if math.isnan(value) else f"{value:.0%}"


def preference(
    frame: pd.DataFrame,
    factor: str | None = None,
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Preference:
    """Estimate which levels are preferred, from rows of `preferences_frame`.

    The intervals of the scores are percentiles over `draws` resamples. Tasks are resampled within
    their level, not answers, since songs of one task are alike; a comparison counts as often as
    its two tasks were drawn, multiplied (Owen, The pigeonhole bootstrap, Ann. Appl. Stat. 1,
    2007). Where few answers of few tasks agree by chance that is too narrow: then the interval is
    the one that independent comparisons give (the curvature of the log-posterior). The shares in
    `checks` have Wilson intervals: positions are drawn anew for each trial, whatever the task.

    Parameters
    ----------
    factor
        Which factor; it may be left out where the frame has one.
    level
        Of the intervals of the scores.
    seed
        Determines the resamples.

    Raises
    ------
    InvalidArgument
        The frame has not the columns of `preferences_frame`, or several factors.
    """
    rows, name = _of_factor(frame, factor)
    data = _compared(rows)
    notes: list[str] = []
    scores = _scores(data, _Settings(draws, level, seed), notes)
    pairs = _pairs(data)
    checks = _checks(rows, pairs)
    if 0 < len(rows) < _FEW:
        notes.append(f"{len(rows)} answers are few: read the intervals, not the scores.")
    return Preference(name, scores, pairs, checks, tuple(notes))


_FEW = 10


class _Settings(NamedTuple):
    draws: int
    level: float
    seed: int


class _Data(NamedTuple):
    """Comparisons of two songs of different levels, as numbers of levels and of tasks.

    `wins` is 1 for the first of the two, 0.5 for a tie; `answer` is the row it comes from.
    """

    levels: list[str]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    wins: Floats
    answer: NDArray[np.int64]
    first_task: NDArray[np.int64]
    second_task: NDArray[np.int64]
    task_level: NDArray[np.int64]


def _of_factor(frame: pd.DataFrame, factor: str | None) -> tuple[pd.DataFrame, str]:
    if not isinstance(frame, pd.DataFrame) or not set(ANSWERS) <= set(frame.columns):
        raise InvalidArgument("preference() reads what preferences_frame() made")
    if factor is not None:
        return frame[frame["factor"] == factor].reset_index(drop=True), factor
    factors = list(dict.fromkeys(frame["factor"].dropna()))
    if len(factors) > 1:
        raise InvalidArgument(f"the frame has the factors {', '.join(factors)}; say factor=...")
    return frame.reset_index(drop=True), factors[0] if factors else "no factor"


def _compared(rows: pd.DataFrame) -> _Data:
    """Reduce each answer to comparisons of two songs of different levels."""
    found: list[tuple[str, str, float, int, str, str]] = []
    seen: dict[str, None] = {}
    for at, row in enumerate(rows.to_dict("records")):
        shown = [
            (row[f"level_{letter}"], row[f"task_{letter}"])
            for letter in PLACES
            if not pd.isna(row[f"level_{letter}"])
        ]
        seen.update(dict.fromkeys(level for level, _ in shown))
        if row["tie"]:
            both = [
                (one, other, 0.5)
                for number, one in enumerate(shown)
                for other in shown[number + 1 :]
            ]
        else:
            best = int(row["chosen_position"])
            both = [
                (shown[best], other, 1.0) for number, other in enumerate(shown) if number != best
            ]
        found += [
            (one[0], other[0], win, at, str(one[1]), str(other[1]))
            for one, other, win in both
            if one[0] != other[0]
        ]
    levels = list(seen)
    of_task = {
        task: levels.index(name)
        for one, other, _, _, first, second in found
        for task, name in ((second, other), (first, one))
    }
    tasks = {task: at for at, task in enumerate(sorted(of_task))}

    def column(values: Sequence[Any], dtype: type) -> NDArray[Any]:
        return np.array(values, dtype=dtype)

    return _Data(
        levels,
        column([levels.index(each[0]) for each in found], np.int64),
        column([levels.index(each[1]) for each in found], np.int64),
        column([each[2] for each in found], np.float64),
        column([each[3] for each in found], np.int64),
        column([tasks[each[4]] for each in found], np.int64),
        column([tasks[each[5]] for each in found], np.int64),
        column([of_task[task] for task in tasks], np.int64),
    )


# --- scores --------------------------------------------------------------------------------


def _won(data: _Data, weights: Floats) -> Floats:
    """Wins of each level over each other, for each row of weights: (draws, levels, levels)."""
    size, draws = len(data.levels), len(weights)
    won = np.zeros((size * size, draws))
    np.add.at(won, data.first * size + data.second, (weights * data.wins).T)
    np.add.at(won, data.second * size + data.first, (weights * (1 - data.wins)).T)
    return won.T.reshape(draws, size, size)


def _scores(data: _Data, settings: _Settings, notes: list[str]) -> pd.DataFrame:
    won = _won(data, np.ones((1, len(data.wins))))[0]
    joined = _largest_group(data.levels, won + won.T, notes)
    won_within = _within(won, joined)
    point = np.where(joined, strengths(won_within[None])[0], np.nan)
    low, high = _interval(data, joined, settings, notes)
    reach = NormalDist().inv_cdf((1 + settings.level) / 2) * errors(won_within, point)
    ties = _won(data, np.where(data.wins == 0.5, 1.0, 0.0)[None])[0] * 2  # noqa: PLR2004 - half
    clear = won - ties / 2
    rows = {
        "level": data.levels,
        "score": point,
        "low": np.minimum(low, point - reach),
        "high": np.maximum(high, point + reach),
        "answers": [_answers(data, at) for at in range(len(data.levels))],
        "wins": clear.sum(axis=1),
        "ties": ties.sum(axis=1),
        "losses": clear.sum(axis=0),
        "tasks": np.bincount(data.task_level, minlength=len(data.levels)),
    }
    made = pd.DataFrame(rows).sort_values("score", ascending=False, kind="stable")
    return made.reset_index(drop=True).astype(_SCORES)


def _answers(data: _Data, level: int) -> int:
    return len(set(data.answer[(data.first == level) | (data.second == level)].tolist()))


def _within(won: Floats, joined: NDArray[np.bool_]) -> Floats:
    return won * joined[..., :, None] * joined[..., None, :]


def _largest_group(levels: Sequence[str], met: Floats, notes: list[str]) -> NDArray[np.bool_]:
    """Which levels are compared with one another, directly or through others."""
    near = (met > 0) | np.eye(len(levels), dtype=bool)
    for _ in levels:
        near = near @ near
    widest = max(near, key=lambda row: row.sum(), default=np.zeros(0, dtype=bool))
    joined: NDArray[np.bool_] = np.asarray(widest & (widest.sum() > 1), dtype=bool)
    out = [name for name, inside in zip(levels, joined, strict=True) if not inside]
    if out:
        notes.append(f"Never compared with the other levels, so without a score: {', '.join(out)}.")
    return joined


def _interval(
    data: _Data, joined: NDArray[np.bool_], settings: _Settings, notes: list[str]
) -> tuple[Floats, Floats]:
    """Percentiles over resampled tasks; missing where a level was heard from one task alone."""
    size = len(data.levels)
    tasks = np.bincount(data.task_level, minlength=size)
    missing = np.full(size, np.nan)
    if not len(data.wins) or settings.draws < 1:
        return missing, missing
    alone = [name for name, number in zip(data.levels, tasks, strict=True) if number == 1]
    if alone:
        notes.append(
            f"Heard from one task alone: {', '.join(alone)}. How much another song of the same "
            "level would differ cannot be told, so there are no intervals."
        )
        return missing, missing
    rng = np.random.default_rng(settings.seed)
    drawn = np.zeros((settings.draws, len(data.task_level)))
    # in the order of their first task: the names of the levels decide nothing
    for level in dict.fromkeys(data.task_level.tolist()):
        own = np.flatnonzero(data.task_level == level)
        drawn[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), settings.draws)
    won = _won(data, drawn[:, data.first_task] * drawn[:, data.second_task])
    found = np.where(joined, strengths(_within(won, joined)), np.nan)
    low, high = missing.copy(), missing.copy()
    tail = (1 - settings.level) / 2
    for at in range(size):
        known = found[~np.isnan(found[:, at]), at]
        if len(known):
            low[at], high[at] = np.quantile(known, [tail, 1 - tail])
    return low, high


# --- checks --------------------------------------------------------------------------------


def _pairs(data: _Data) -> pd.DataFrame:
    rows = []
    for one in range(len(data.levels)):
        for other in range(one + 1, len(data.levels)):
            ahead = (data.first == one) & (data.second == other)
            behind = (data.first == other) & (data.second == one)
            wins = np.concatenate([data.wins[ahead], 1 - data.wins[behind]])
            if len(wins):
                answers = len(set(data.answer[ahead | behind].tolist()))
                counts = [int((wins == value).sum()) for value in (1, 0.5, 0)]
                rows.append(
                    (
                        data.levels[one],
                        data.levels[other],
                        answers,
                        *counts,
                        wins.mean(),
                        detectable(answers),
                    )
                )
    return pd.DataFrame(rows, columns=list(_PAIRS)).astype(_PAIRS)


def _checks(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    clear = rows[~rows["tie"]]
    shown = clear[[f"level_{letter}" for letter in PLACES]].notna().sum(axis=1)
    chance = float((1 / shown).mean()) if len(clear) else math.nan
    first = int((clear["chosen_position"] == 0).sum())
    alike, repeats = _repeats(rows)
    number = float(pairs["answers"].mean()) if len(pairs) else 0.0
    found = [
        (_FIRST, *wilson(first, len(clear)), chance, len(clear)),
        (_SAME, *wilson(alike, repeats), math.nan, repeats),
        (_LEAST, detectable(number), math.nan, math.nan, math.nan, math.floor(number)),
    ]
    return pd.DataFrame(found, columns=list(_CHECKS)).astype(_CHECKS)


def _repeats(rows: pd.DataFrame) -> tuple[int, int]:
    """How many repeated trials were answered alike, and how many there were."""
    said: dict[tuple[str, int], str] = {}
    for row in rows.to_dict("records"):
        at = row["chosen_position"]
        said[row["test"], row["trial"]] = (
            "a tie" if row["tie"] else str(row[f"song_{PLACES[int(at)]}"])
        )
    again = rows[rows["repeat_of"].notna()]
    both = [
        (said.get((test, int(of))), said[test, trial])
        for test, trial, of in zip(again["test"], again["trial"], again["repeat_of"], strict=True)
    ]
    known = [(one, other) for one, other in both if one is not None]
    return sum(one == other for one, other in known), len(known)
