"""preference: strengths of levels estimated from blind answers, with intervals and checks.

Strengths follow Bradley and Terry (Biometrika 39, 1952): level i is chosen over level j with
probability 1 / (1 + exp(s_j - s_i)). A tie counts as half a win for each. The song chosen of four
wins over each of the other three, which is the same model under Luce's choice axiom (Individual
Choice Behavior, 1959). The intervals do not treat these three as independent answers, since they
come from resampled tasks. Comparisons of two songs of the same level are left out.

Each strength has a weak normal prior (mean 0, standard deviation `bradley_terry.PRIOR_SD`), so
that a level that always won has a finite strength. The prior also makes the strengths sum to 0:
each is relative to the mean of all levels.
"""

import dataclasses
import itertools
import math
from statistics import NormalDist
from typing import Any, NamedTuple, TypeAlias

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from musicapi_nb import markup
from musicapi_nb._blind_test.answers import ANSWERS, LETTERS
from musicapi_nb._blind_test.bradley_terry import (
    fit_strengths,
    minimum_detectable_effect,
    standard_errors,
)
from musicapi_nb.analysis.ratio_estimator import wilson_bounds
from musicapi_nb.errors import InvalidArgument

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]

_FEW_ANSWERS = 10
_TIE = 0.5
_SCORE_DTYPES = {
    "level": "str",
    **dict.fromkeys(("score", "low", "high"), "float64"),
    **dict.fromkeys(("answers", "wins", "ties", "losses", "tasks"), "int64"),
}
_PAIR_DTYPES = {
    **dict.fromkeys(("level", "versus"), "str"),
    **dict.fromkeys(("answers", "wins", "ties", "losses"), "int64"),
    **dict.fromkeys(("share", "detectable"), "float64"),
}
_CHECK_DTYPES = {
    "check": "str",
    **dict.fromkeys(("estimate", "low", "high", "by_chance"), "float64"),
    "n": "int64",
}


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Preference:
    """Estimated preferences between the levels of a factor.

    Attributes
    ----------
    scores
        One row per level, best first. `score`: log-strength relative to the mean of the levels,
        with its interval `low` to `high`; `answers`: answers that compared it with another level;
        `wins`, `ties`, `losses`: comparisons of two songs; `tasks`: tasks its songs came from.
    pairs
        One row per pair of levels. `share`: comparisons that `level` won against `versus` (a tie
        is half a win); `detectable`: smallest difference from 0.5 that this many independent
        answers detect with 80 % power at 5 %, two-sided. Answers from few tasks detect less.
    checks
        Three rows: how often the first position was chosen (ties excluded; `by_chance` is what a
        listener without preference gives), how often a repeated trial got the same answer, and
        the smallest detectable difference for the mean number of answers per pair of levels.
        `low` and `high` are 95 % Wilson intervals.
    notes
        Sentences about what is missing or uncertain.
    """

    factor: str
    scores: pd.DataFrame
    pairs: pd.DataFrame
    checks: pd.DataFrame
    notes: tuple[str, ...]

    def __repr__(self) -> str:
        scores = ", ".join(
            f"{row.level} {row.score:+.2f} [{row.low:+.2f}, {row.high:+.2f}]"
            for row in self.scores.itertuples()
        )
        return markup.one_line(f"<Preference by {self.factor}: {scores or 'no answers'}>")

    def _repr_html_(self) -> str:
        notes = [markup.notice(note, "neutral") for note in self.notes]
        tables = self._tables() if len(self.scores) else [markup.text("No answers yet.")]
        return markup.card(f"Preference by {self.factor}", *tables, *notes)

    def _tables(self) -> list[markup.Html]:
        scores: list[Any] = [
            (row.level, _signed(row.score), _interval(row.low, row.high), row.answers)
            for row in self.scores.itertuples()
        ]
        pairs: list[Any] = [
            (row.level, _percent(row.share), row.versus, row.answers)
            for row in self.pairs.itertuples()
        ]
        checks: list[Any] = [
            (row.check, _percent(row.estimate), _percent(row.by_chance), row.n)
            for row in self.checks.itertuples()
        ]
        caption = "strength on a log scale, 0 is the mean of all levels"
        return [
            markup.table(["level", "score", "interval", "answers"], scores, caption),
            markup.table(["level", "wins", "against", "answers"], pairs),
            markup.table(["check", "estimate", "by chance", "of"], checks),
        ]


def _signed(value: Any) -> str | None:
    return None if math.isnan(value) else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _interval(low: Any, high: Any) -> str | None:
    return None if math.isnan(low) else f"{_signed(low)} to {_signed(high)}"


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

    The intervals of the scores are percentiles over `draws` bootstrap resamples. Tasks are
    resampled within their level, not answers, since songs of one task are alike; a comparison
    has the product of its two tasks' counts as its weight (Owen, The pigeonhole bootstrap, Ann.
    Appl. Stat. 1, 2007). Where few answers agree by chance such an interval is too narrow, so it
    is widened to at least the interval for independent comparisons (from the curvature of the
    log-posterior). The shares in `checks` have Wilson intervals: positions are drawn separately
    for each trial.

    Parameters
    ----------
    factor
        May be omitted if the frame has one factor.
    level
        Confidence level of the intervals of the scores.
    seed
        Seed of the resamples.

    Raises
    ------
    InvalidArgument
        The frame lacks columns of `preferences_frame`, or has several factors.
    """
    rows, name = _rows_of_factor(frame, factor)
    comparisons = _compare(rows)
    notes: list[str] = []
    scores = _scores(comparisons, draws, level, seed, notes)
    pairs = _pairs(comparisons)
    checks = _checks(rows, pairs)
    if 0 < len(rows) < _FEW_ANSWERS:
        notes.append(f"{len(rows)} answers are few: read the intervals, not the scores.")
    return Preference(name, scores, pairs, checks, tuple(notes))


class _Comparisons(NamedTuple):
    """Comparisons of two songs of different levels.

    `table` has one row each: `answer` (row of the frame), `first` and `second` (indices into
    `levels`), `first_task` and `second_task` (indices into `task_levels`, which holds each task's
    level), and `win` (1: the first song won, 0.5: a tie).
    """

    levels: list[str]
    task_levels: Integers
    table: pd.DataFrame


def _rows_of_factor(frame: pd.DataFrame, factor: str | None) -> tuple[pd.DataFrame, str]:
    if not isinstance(frame, pd.DataFrame) or not set(ANSWERS) <= set(frame.columns):
        raise InvalidArgument("preference() takes a frame that preferences_frame() returned")
    if factor is not None:
        return frame[frame["factor"] == factor].reset_index(drop=True), factor
    factors = list(dict.fromkeys(frame["factor"].dropna()))
    if len(factors) > 1:
        raise InvalidArgument(f"the frame has the factors {', '.join(factors)}; pass factor=...")
    return frame.reset_index(drop=True), factors[0] if factors else "no factor"


def _compare(rows: pd.DataFrame) -> _Comparisons:
    """Reduce each answer to comparisons of two songs of different levels."""
    records: list[tuple[Any, ...]] = []
    levels: dict[str, int] = {}
    for answer, row in enumerate(rows.to_dict("records")):
        songs = [
            (levels.setdefault(row[f"level_{letter}"], len(levels)), str(row[f"task_{letter}"]))
            for letter in LETTERS
            if not pd.isna(row[f"level_{letter}"])
        ]
        if row["tie"]:
            win, pairs = _TIE, list(itertools.combinations(songs, 2))
        else:
            chosen = songs.pop(int(row["chosen_position"]))
            win, pairs = 1.0, [(chosen, song) for song in songs]
        records += [(answer, *a, *b, win) for a, b in pairs if a[0] != b[0]]
    columns = ["answer", "first", "first_task", "second", "second_task", "win"]
    table = pd.DataFrame(records, columns=columns)
    tasks, indices = np.unique([table["first_task"], table["second_task"]], return_inverse=True)
    table["first_task"], table["second_task"] = indices.reshape(2, -1)
    table = table.astype({**dict.fromkeys(columns, "int64"), "win": "float64"})
    task_levels = np.zeros(len(tasks), dtype=np.int64)
    for side in ("first", "second"):
        task_levels[table[f"{side}_task"]] = table[side]
    return _Comparisons(list(levels), task_levels, table)


def _win_matrix(comparisons: _Comparisons, weights: Floats) -> Floats:
    """Sum wins of each level over each other one, for rows of weights: (draws, levels, levels)."""
    size, draws = len(comparisons.levels), len(weights)
    first, second, win = (comparisons.table[name].to_numpy() for name in ("first", "second", "win"))
    wins = np.zeros((size * size, draws))
    np.add.at(wins, first * size + second, (weights * win).T)
    np.add.at(wins, second * size + first, (weights * (1 - win)).T)
    return wins.T.reshape(draws, size, size)


def _scores(
    comparisons: _Comparisons, draws: int, level: float, seed: int, notes: list[str]
) -> pd.DataFrame:
    levels, table = comparisons.levels, comparisons.table
    wins = _win_matrix(comparisons, np.ones((1, len(table))))[0]
    connected = _largest_component(comparisons, notes)
    compared = wins * np.outer(connected, connected)
    strengths = np.where(connected, fit_strengths(compared[None])[0], np.nan)
    multiplicities = _resample_tasks(comparisons, draws, seed, notes)
    low, high = _percentiles(comparisons, connected, multiplicities, level)
    errors = standard_errors(compared, strengths)
    half_width = NormalDist().inv_cdf((1 + level) / 2) * errors
    is_tie: Floats = np.asarray(table["win"] == _TIE, dtype=np.float64)
    ties = 2 * _win_matrix(comparisons, is_tie[None])[0]
    clear_wins = wins - ties / 2
    answers = [
        table.loc[(table["first"] == index) | (table["second"] == index), "answer"].nunique()
        for index in range(len(levels))
    ]
    columns = {
        "level": levels,
        "score": strengths,
        "low": np.minimum(low, strengths - half_width),
        "high": np.maximum(high, strengths + half_width),
        "answers": answers,
        "wins": clear_wins.sum(axis=1),
        "ties": ties.sum(axis=1),
        "losses": clear_wins.sum(axis=0),
        "tasks": np.bincount(comparisons.task_levels, minlength=len(levels)),
    }
    frame = pd.DataFrame(columns).astype(_SCORE_DTYPES)
    return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _largest_component(comparisons: _Comparisons, notes: list[str]) -> NDArray[np.bool_]:
    """Mark the levels that are compared with one another, directly or through others."""
    levels, table = comparisons.levels, comparisons.table
    graph = nx.Graph()
    graph.add_nodes_from(range(len(levels)))
    graph.add_edges_from(zip(table["first"], table["second"], strict=True))
    component: set[int] = max(nx.connected_components(graph), key=len, default=set())
    connected = np.zeros(len(levels), dtype=bool)
    connected[list(component)] = len(component) > 1
    missing = [name for name, inside in zip(levels, connected, strict=True) if not inside]
    if missing:
        notes.append(
            f"Never compared with the other levels, so without a score: {', '.join(missing)}."
        )
    return connected


def _resample_tasks(comparisons: _Comparisons, draws: int, seed: int, notes: list[str]) -> Floats:
    """Return how often each task is drawn, (draws, tasks); no draws if a level has one task."""
    levels, task_levels, _ = comparisons
    counts = np.bincount(task_levels, minlength=len(levels))
    single = [name for name, count in zip(levels, counts, strict=True) if count == 1]
    if single and draws > 0:
        notes.append(
            f"Only one task has songs of: {', '.join(single)}. The difference to another song of "
            "the same level is unknown, so there are no intervals."
        )
        draws = 0
    rng = np.random.default_rng(seed)
    multiplicities = np.zeros((max(draws, 0), len(task_levels)))
    # In the order of the first tasks, so that the names of the levels have no influence.
    for level in dict.fromkeys(task_levels.tolist()):
        tasks = np.flatnonzero(task_levels == level)
        shares = np.full(len(tasks), 1 / len(tasks))
        multiplicities[:, tasks] = rng.multinomial(len(tasks), shares, len(multiplicities))
    return multiplicities


def _percentiles(
    comparisons: _Comparisons, connected: NDArray[np.bool_], multiplicities: Floats, level: float
) -> tuple[Floats, Floats]:
    """Return the interval of each connected level's strength over resamples; NaN without any."""
    first, second = (comparisons.table[name].to_numpy() for name in ("first_task", "second_task"))
    wins = _win_matrix(comparisons, multiplicities[:, first] * multiplicities[:, second])
    strengths = fit_strengths(wins * np.outer(connected, connected))
    low, high = np.full((2, len(connected)), np.nan)
    tail = (1 - level) / 2
    for index in np.flatnonzero(connected):
        sample = strengths[~np.isnan(strengths[:, index]), index]
        if len(sample):
            low[index], high[index] = np.quantile(sample, [tail, 1 - tail])
    return low, high


def _pairs(comparisons: _Comparisons) -> pd.DataFrame:
    table = comparisons.table
    ordered = pd.DataFrame(
        {
            "level": table[["first", "second"]].min(axis=1),
            "versus": table[["first", "second"]].max(axis=1),
            "answer": table["answer"],
            "win": table["win"].where(table["first"] < table["second"], 1 - table["win"]),
        }
    )
    rows: list[tuple[Any, ...]] = []
    groups: Any = ordered.groupby(["level", "versus"])
    for indices, group in groups:
        names = [comparisons.levels[index] for index in indices]
        answers = group["answer"].nunique()
        results = [(group["win"] == result).sum() for result in (1, _TIE, 0)]
        effect = minimum_detectable_effect(answers)
        rows.append((*names, answers, *results, group["win"].mean(), effect))
    return pd.DataFrame(rows, columns=list(_PAIR_DTYPES)).astype(_PAIR_DTYPES)


def _checks(rows: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    clear = rows[~rows["tie"]]
    songs = clear[[f"level_{letter}" for letter in LETTERS]].notna().sum(axis=1)
    by_chance = float((1 / songs).mean()) if len(clear) else math.nan
    first = int((clear["chosen_position"] == 0).sum())
    agreeing, repeats = _count_repeats(rows)
    answers = float(pairs["answers"].mean()) if len(pairs) else 0.0
    effect = minimum_detectable_effect(answers)
    checks = [
        ("first position chosen", *_wilson(first, len(clear)), by_chance, len(clear)),
        ("same answer to a repeated trial", *_wilson(agreeing, repeats), math.nan, repeats),
        ("smallest detectable difference", effect, *(math.nan,) * 3, math.floor(answers)),
    ]
    return pd.DataFrame(checks, columns=list(_CHECK_DTYPES)).astype(_CHECK_DTYPES)


def _wilson(hits: int, n: int) -> tuple[float, float, float]:
    """Return a share and its 95 % Wilson interval; NaN if n is 0."""
    if not n:
        return math.nan, math.nan, math.nan
    share = hits / n
    low, high = wilson_bounds(np.asarray(share), np.asarray(float(n)), 0.95)
    return share, float(low), float(high)


def _count_repeats(rows: pd.DataFrame) -> tuple[int, int]:
    """Count repeated trials with the same answer, and all whose first trial was answered."""
    answers = {
        (row["test"], row["trial"]): "tie"
        if row["tie"]
        else str(row[f"song_{LETTERS[int(row['chosen_position'])]}"])
        for row in rows.to_dict("records")
    }
    repeats = rows.dropna(subset=["repeat_of"])[["test", "trial", "repeat_of"]]
    pairs = [
        (answers[test, trial], answers[test, original])
        for test, trial, original in repeats.itertuples(index=False)
        if (test, original) in answers
    ]
    return sum(again == before for again, before in pairs), len(pairs)
