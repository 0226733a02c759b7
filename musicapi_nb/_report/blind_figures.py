"""The figures of a blind test: shares of choices, from the model of `preference`. No I/O."""

import itertools
import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb._blind_test.preference import Preference, preference
from musicapi_nb._report.outcomes import BLIND_TEST
from musicapi_nb._report.tables import records
from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.analysis.inference import POWER

_HALF = 0.5
_FIRST_OF_EQUAL = "chose A of two equal songs"
_FARTHEST, _STEPS = 40.0, 60  # of a bisection of log-odds


class BlindComparisons(NamedTuple):
    """The answers about a factor, their `preference`, and the pairs to compare, with their p."""

    factor: str
    answers: pd.DataFrame
    result: Preference
    pairs: list[tuple[str, str]]
    p: Floats

    def rows(
        self, p_adjusted: Floats, joint_level: float, order: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return the rows of the levels, then of the pairs.

        `levels` of confidence are those of a single interval and of intervals that hold joined.
        Estimates of levels are shares of the choices against the mean of the other levels, those
        of pairs how much that share is above one half.
        """
        single, joint = self.result, preference(self.answers, level=joint_level)
        power = preference(self.answers, level=2 * POWER - 1)
        choices = _Choices.of(single)
        common = {"factor": self.factor, "outcome": BLIND_TEST.name, "unit": BLIND_TEST.unit}
        rows = []
        number = len(single.scores)
        scores = {row["level"]: row for row in records(single.scores)}
        for level in (name for name in order if name in scores):
            score = scores[level]
            against = number / (number - 1) if number > 1 else 1.0
            figures = {
                name: choices.share(against * score[column])
                for name, column in (("estimate", "score"), ("low", "low"), ("high", "high"))
            }
            sizes = {"songs": score["answers"], "tasks": score["tasks"]}
            rows.append({**common, "level": level, **figures, **sizes})
        tables = [_oriented(part.pairs) for part in (single, joint, power)]
        for (level, baseline), p, adjusted in zip(self.pairs, self.p, p_adjusted, strict=True):
            alone, joined, needed = (table[level, baseline] for table in tables)
            half = (joined["high"] - joined["low"] + needed["high"] - needed["low"]) / 2
            rows.append(
                {
                    **common,
                    "level": level,
                    "baseline": baseline,
                    "estimate": choices.share(alone["difference"]) - _HALF,
                    "low": choices.share(alone["low"]) - _HALF,
                    "high": choices.share(alone["high"]) - _HALF,
                    "joint_low": choices.share(joined["low"]) - _HALF,
                    "joint_high": choices.share(joined["high"]) - _HALF,
                    "p": float(p),
                    "p_adjusted": float(adjusted),
                    "detectable": choices.share(half) - _HALF,
                    "degrees": math.nan,
                    "needed": choices.answers_needed(int(alone["answers"]), half),
                    "margin": BLIND_TEST.margin,
                    "songs": alone["answers"],
                    "baseline_songs": alone["answers"],
                    "tasks": scores[level]["tasks"],
                    "baseline_tasks": scores[baseline]["tasks"],
                    "note": None if not math.isnan(p) else "a level has one task only",
                }
            )
        return rows


def compare_blind(
    answers: pd.DataFrame, factors: Collection[str], levels: Sequence[str], reference: str | None
) -> BlindComparisons | None:
    """Read the answers about a factor, by any of its names; None without two compared levels."""
    answers = answers[answers["factor"].isin(list(factors))]
    if not len(answers):
        return None
    answers = answers.assign(factor=str(next(iter(answers["factor"]))))
    result = preference(answers)
    table = _oriented(result.pairs)
    order = [*levels, *sorted({level for pair in table for level in pair} - {*levels})]
    pairs = [
        (second, first)
        for first, second in itertools.combinations(order, 2)
        if (second, first) in table and reference in {None, first, second}
    ]
    if reference is not None:
        pairs = [(a, b) if b == reference else (b, a) for a, b in pairs]
    if not pairs:
        return None
    p = np.array([table[pair]["p"] for pair in pairs])
    return BlindComparisons("", answers, result, pairs, p)


def _oriented(pairs: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the rows of `Preference.pairs` by (level, versus), in both directions."""
    rows = {}
    for row in records(pairs):
        rows[row["level"], row["versus"]] = row
        turned = {"difference": -row["difference"], "low": -row["high"], "high": -row["low"]}
        rows[row["versus"], row["level"]] = {**row, **turned}
    return rows


class _Choices(NamedTuple):
    """From a difference of two scores to the share of the choices, if half start with each.

    `order` is what the first position adds to a score.
    """

    order: float

    @classmethod
    def of(cls, result: Preference) -> "_Choices":
        checks = result.checks.set_index("check")["estimate"]
        first = float(checks.get(_FIRST_OF_EQUAL, math.nan))
        return cls(math.log(first / (1 - first)) if 0 < first < 1 else 0.0)

    def share(self, difference: float) -> float:
        return (_logistic(difference + self.order) + _logistic(difference - self.order)) / 2

    def difference(self, share: float) -> float:
        low, high = 0.0, _FARTHEST
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.share(middle) < share else (low, middle)
        return high

    def answers_needed(self, answers: int, detectable: float) -> int | None:
        """Return how many more answers show the margin; None if these can.

        The standard error falls with the square root of the answers, if tasks grow with them.
        """
        margin = self.difference(_HALF + BLIND_TEST.margin)
        if not detectable > margin:  # or NaN
            return None
        return math.ceil(answers * (detectable / margin) ** 2) - answers


def _logistic(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
