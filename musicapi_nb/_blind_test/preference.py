"""preference: strengths of levels estimated from blind answers, with intervals and checks."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb import markup
from musicapi_nb._blind_test.answer_checks import check_answers
from musicapi_nb._blind_test.bradley_terry import minimum_detectable_effect
from musicapi_nb._blind_test.comparisons import Answers, compare_pairs, read_answers, rows_of_factor
from musicapi_nb._blind_test.level_model import LevelModel, fit_levels
from musicapi_nb.analysis.checks import as_frame, check_level
from musicapi_nb.analysis.families import adjust_p_values
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.arrow_tables import Table

_FEW_ANSWERS = 10
_SCORE_DTYPES = {
    "level": "str",
    **dict.fromkeys(("score", "low", "high"), "float64"),
    **dict.fromkeys(("answers", "wins", "ties", "losses", "tasks"), "int64"),
}
_PAIR_DTYPES = {
    **dict.fromkeys(("level", "versus"), "str"),
    **dict.fromkeys(("answers", "wins", "ties", "losses"), "int64"),
    **dict.fromkeys(("share", "detectable"), "float64"),
    **dict.fromkeys(("difference", "low", "high", "p", "p_adjusted"), "float64"),
}


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Preference:
    """Estimated preferences between the levels of a factor.

    Attributes
    ----------
    scores
        One row per level, best first. `score`: log-strength relative to the mean of the levels,
        with its interval `low` to `high`; `answers`: answers that compared it with another level,
        a repeated trial counted once; `wins`, `ties`, `losses`: comparisons of two songs, with
        those of repeats; `tasks`: tasks its songs came from.
    pairs
        One row per pair of levels with scores, `level` better than `versus`. `share`: comparisons
        that `level` won (a tie is half a win); `difference` of the scores, with its interval
        `low` to `high`, its `p`, and `p_adjusted` for the number of pairs (Holm); `answers` that
        compared the two; `detectable`: smallest difference of a share from 0.5 that this many
        independent answers detect with 80 % power at 5 %, two-sided. Answers from few tasks
        detect less.
    checks
        Shares with their interval, what they are `by_chance`, and `p` of a difference from that:
        how often the first position was chosen (ties excluded); the same of two equal songs, from
        the model; how often two equal songs sound alike; how often a repeated trial got the same
        answer; how often no difference was heard in catch trials; of two levels, how often the
        better one was chosen, with the exact binomial test of listening tests, in which answers
        are independent; and the smallest detectable difference for the mean number of answers per
        pair of levels.
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

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.card(f"Preference by {self.factor}", *self.blocks())

    def blocks(self) -> list[markup.Html]:
        """Return the tables and notes, for a card."""
        notes = [markup.notice(note, "neutral") for note in self.notes]
        return [*(self._tables() if len(self.scores) else [markup.text("No answers yet.")]), *notes]

    def _tables(self) -> list[markup.Html]:
        scores: list[Any] = [
            (row.level, _signed(row.score), _interval(row.low, row.high), row.answers)
            for row in self.scores.itertuples()
        ]
        pairs: list[Any] = [
            (
                f"{row.level} against {row.versus}",
                _signed(row.difference),
                _interval(row.low, row.high),
                _p_text(row.p_adjusted),
                _percent(row.share),
                row.answers,
            )
            for row in self.pairs.itertuples()
        ]
        checks: list[Any] = [
            (row.check, _percent(row.estimate), _percent(row.by_chance), row.n, _p_text(row.p))
            for row in self.checks[self.checks["n"] > 0].itertuples()
        ]
        caption = "how clearly each was preferred (log scale, 0 is the mean of all)"
        pair_head = ["pair", "difference", "interval", "adjusted p", "wins", "answers"]
        return [
            markup.table(["level", "score", "interval", "answers"], scores, caption),
            markup.table(pair_head, pairs, "p is adjusted for the number of pairs"),
            markup.table(["check", "estimate", "by chance", "of", "p"], checks),
        ]


def _signed(value: Any) -> str | None:
    return None if math.isnan(value) else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _interval(low: Any, high: Any) -> str | None:
    return None if math.isnan(low) else f"{_signed(low)} to {_signed(high)}"


def _percent(value: Any) -> str | None:
    return None if math.isnan(value) else f"{value:.0%}"


def _p_text(p: Any) -> str | None:
    if math.isnan(p):
        return None
    return "< 0.001" if p < 0.001 else f"{p:.2g}"  # noqa: PLR2004 - the limit as written


def preference(frame: Table, factor: str | None = None, *, level: float = 0.95) -> Preference:
    """Estimate which levels are preferred, from rows of `preferences_frame`.

    A Bradley-Terry model with ties (Davidson 1970) and an effect of the first position, which is
    so taken out of the scores; "best of four" is its extension to several songs (Luce 1959).
    Intervals and p count tasks, not answers, since songs of one task are alike: they are those of
    a two-way cluster sandwich over the tasks of the songs of a trial, with Student's t. From
    five listeners on, listeners are clusters too. A repeated trial counts as one
    answer, and catch trials (one song played twice) are left to `checks`. See the documentation,
    "Statistics", for formulas and measured coverage.

    Needs the extra `analysis`.

    Parameters
    ----------
    factor
        May be omitted if the frame has one factor.
    level
        Confidence level of the intervals of scores, pairs and checks.

    Raises
    ------
    InvalidArgument
        The frame lacks columns of `preferences_frame`, or has several factors.
    BadFrame
        A column is of another kind, or a row has an impossible answer.
    """
    require_extra("analysis")
    level = check_level(level)
    rows, name = rows_of_factor(frame, factor)
    answers = read_answers(rows)
    notes: list[str] = []
    model = fit_levels(answers, level, notes)
    scores = _scores(answers, model)
    pairs = _pairs(answers, model, scores["level"].tolist())
    checks = check_answers(answers, model, scores, pairs, level)
    if 0 < len(rows) < _FEW_ANSWERS:
        notes.append(f"{len(rows)} answers are few: read the intervals, not the scores.")
    return Preference(name, scores, pairs, checks, tuple(notes))


def _scores(answers: Answers, model: LevelModel | None) -> pd.DataFrame:
    table = compare_pairs(answers.choices)
    lower, upper = (
        table.rename(columns={side: "index"})[["index", "question", "win"]]
        for side in ("level", "versus")
    )
    sides = pd.concat([lower, upper.assign(win=1 - upper["win"])])
    present = answers.choices.level >= 0
    rows = []
    for index, name in enumerate(answers.levels):
        compared = sides[sides["index"] == index]
        wins = [int((compared["win"] == result).sum()) for result in (1, 0.5, 0)]
        has_level = present & (answers.choices.level == index)
        tasks = len(np.unique(answers.choices.task[has_level]))
        rows.append((name, *_estimate(model, index), compared["question"].nunique(), *wins, tasks))
    frame = as_frame(pd.DataFrame(rows, columns=list(_SCORE_DTYPES)), _SCORE_DTYPES)
    return frame.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _estimate(model: LevelModel | None, level: int) -> tuple[float, float, float]:
    return (math.nan,) * 3 if model is None else model.score(level)[:3]


def _pairs(answers: Answers, model: LevelModel | None, order: Sequence[str]) -> pd.DataFrame:
    """Compare each two levels that have scores; those of `order` first are the better ones."""
    if model is None:
        return as_frame(dict.fromkeys(_PAIR_DTYPES, ()), _PAIR_DTYPES)
    table = compare_pairs(answers.choices)
    count = np.bincount(answers.choices.question)
    rows: list[tuple[Any, ...]] = []
    indices = [answers.levels.index(name) for name in order]
    for better, worse in itertools.combinations([i for i in indices if i in model.codes], 2):
        low, high = sorted((better, worse))
        compared = table[(table["level"] == low) & (table["versus"] == high)]
        win = compared["win"] if better == low else 1 - compared["win"]
        weights = 1 / count[compared["question"]]
        share = float((win * weights).sum() / weights.sum()) if len(compared) else math.nan
        number = compared["question"].nunique()
        wins = [int((win == result).sum()) for result in (1, 0.5, 0)]
        contrast = model.difference(better, worse)
        names = answers.levels[better], answers.levels[worse]
        effect = minimum_detectable_effect(number)
        rows.append((*names, number, *wins, share, effect, *contrast, math.nan))
    frame = as_frame(pd.DataFrame(rows, columns=list(_PAIR_DTYPES)), _PAIR_DTYPES)
    frame["p_adjusted"] = adjust_p_values(frame["p"].to_numpy("float64"), "holm")
    return frame
