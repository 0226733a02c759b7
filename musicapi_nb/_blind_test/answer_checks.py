"""Check the answers of a blind test: positions, repeats, catch trials, and against chance."""

import math
from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb._blind_test.bradley_terry import TIE, Choices, minimum_detectable_effect
from musicapi_nb._blind_test.comparisons import Answers
from musicapi_nb._blind_test.level_model import LevelModel
from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.analysis.checks import as_frame
from musicapi_nb.analysis.ratio_estimator import wilson_bounds

_DTYPES = {
    "check": "str",
    **dict.fromkeys(("estimate", "low", "high", "by_chance"), "float64"),
    "n": "int64",
    "p": "float64",
}


def check_answers(
    answers: Answers,
    model: LevelModel | None,
    scores: pd.DataFrame,
    pairs: pd.DataFrame,
    confidence: float,
) -> pd.DataFrame:
    """Tabulate the checks of a test; see `Preference.checks`."""
    choices = answers.choices
    clear = choices.chosen != TIE
    songs = (choices.level >= 0).sum(axis=1)[clear]
    chance = float((1 / songs).mean()) if clear.any() else math.nan
    first = int((choices.chosen == 0).sum())

    def share(name: str, hits: int, n: int, by_chance: float = math.nan) -> tuple[Any, ...]:
        interval = _wilson(hits, n, confidence)
        return name, *interval, by_chance, n, _binomial_p(hits, n, by_chance)

    checks = [
        share("chose A", first, int(clear.sum()), chance),
        _equal_songs("chose A of two equal songs", model, "order"),
        _equal_songs("no difference between two equal songs", model, "tie"),
        share("same answer to a repeated question", answers.agreeing, answers.repeats),
        share("no difference in a check question", answers.catch_ties, answers.catch_trials),
    ]
    if model is not None and len(model.codes) == 2:  # noqa: PLR2004 - a test of two levels
        better = scores["level"].iloc[0]
        counts = _first_answers(choices, answers.levels.index(better))
        checks.append(share(f"choice of {better}", *counts))
    number = float(pairs["answers"].mean()) if len(pairs) else 0.0
    effect = minimum_detectable_effect(number)
    missing = (math.nan,) * 3
    checks.append(
        ("smallest detectable difference", effect, *missing, math.floor(number), math.nan)
    )
    return as_frame(pd.DataFrame(checks, columns=list(_DTYPES)), _DTYPES)


def _first_answers(choices: Choices, level: int) -> tuple[int, int, float]:
    """Count the clear first answers to questions that chose a level, all, and their chance."""
    _, first = np.unique(choices.question, return_index=True)
    has_level = (choices.level == level)[first]
    present = (choices.level >= 0)[first]
    mixed = has_level.any(axis=1) & (present & ~has_level).any(axis=1)
    used = mixed & (choices.chosen[first] != TIE)
    chosen = has_level[used, choices.chosen[first][used]]
    chances: Floats = has_level[used].sum(axis=1) / present[used].sum(axis=1)
    return int(chosen.sum()), len(chosen), float(chances.mean()) if len(chosen) else math.nan


def _equal_songs(name: str, model: LevelModel | None, parameter: str) -> tuple[Any, ...]:
    """Return a share among answers about two songs of equal strength, from the model."""
    if model is None or (parameter == "order" and not model.fit.has_order):
        return (name, *(math.nan,) * 4, 0, math.nan)
    answers = len(np.unique(model.fit.choices.question))
    if parameter == "order":
        contrast = model.shared(model.fit.order)
        shift, chance, p = 0.0, 0.5, contrast.p
    else:  # two equal songs tie with odds exp(constant) to 2
        contrast = model.shared(model.fit.tie)
        shift, chance, p = math.log(2), math.nan, math.nan
    return name, *(_logistic(value - shift) for value in contrast[:3]), chance, answers, p


def _logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(value, -700, 700))))


def _wilson(hits: int, n: int, confidence: float) -> tuple[float, float, float]:
    """Return a share and its Wilson interval; NaN if n is 0."""
    if not n:
        return math.nan, math.nan, math.nan
    share = hits / n
    low, high = wilson_bounds(np.asarray(share), np.asarray(float(n)), confidence)
    return share, float(low), float(high)


def _binomial_p(hits: int, n: int, chance: float) -> float:
    """Return the two-sided exact binomial p of a share by chance."""
    if not n or math.isnan(chance):
        return math.nan
    from scipy.stats import binomtest  # noqa: PLC0415 - slow to load

    return float(binomtest(hits, n, chance).pvalue)
