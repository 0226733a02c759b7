"""The model of blind answers: closed forms, statsmodels, choix, coverage, hostile tables."""

import math
from collections.abc import Sequence
from typing import Any

import choix
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from musicapi_nb._blind_test.answers import ANSWERS
from musicapi_nb._blind_test.bradley_terry import fit_choices
from musicapi_nb._blind_test.preference import Preference, preference
from musicapi_nb._blind_test.task_variance import Clusters, estimate_contrast, residuals_of
from musicapi_nb.errors import MusicAPIError
from tests.blind_answers import answer, answered_frame, simulated_choices

PAIR = (("x", "1"), ("y", "2"))


def numbered(answers: Sequence[tuple[Sequence[tuple[str, str]], int | None]]) -> pd.DataFrame:
    return answered_frame(
        [answer(n, songs, chosen) for n, (songs, chosen) in enumerate(answers, 1)]
    )


def difference(result: Preference) -> Any:
    (row,) = result.pairs.itertuples()
    return row


# --- agreement ------------------------------------------------------------------------------


def test_ties_follow_davidson() -> None:
    # Davidson's estimates of two levels: log(wins / losses), and ties / sqrt(wins * losses)
    answers = [(PAIR, 0)] * 400 + [(PAIR, 1)] * 100 + [(PAIR, None)] * 300
    answers += [(PAIR[::-1], 1)] * 400 + [(PAIR[::-1], 0)] * 100 + [(PAIR[::-1], None)] * 300
    result = preference(numbered(answers))
    assert difference(result).difference == pytest.approx(math.log(4), abs=0.01)
    checks = result.checks.set_index("check")["estimate"]
    constant = 300 / math.sqrt(400 * 100)
    assert checks["no difference between two equal songs"] == pytest.approx(
        constant / (2 + constant), abs=0.002
    )
    assert checks["chose A of two equal songs"] == pytest.approx(0.5, abs=1e-6)


def test_order_effect_is_taken_out() -> None:
    # log-odds of x: 1 + 0.5 if it is first, 1 - 0.5 if it is second; x is first in 3 of 4 trials
    answers: list[Any] = []
    for songs, number, log_odds in ((PAIR, 3000, 1.5), (PAIR[::-1], 1000, 0.5)):
        wins = round(number / (1 + math.exp(-log_odds)))
        x = 0 if songs is PAIR else 1
        answers += [(songs, x)] * wins + [(songs, 1 - x)] * (number - wins)
    result = preference(numbered(answers))
    assert difference(result).difference == pytest.approx(1.0, abs=0.01)
    first = result.checks.set_index("check").loc["chose A of two equal songs"]
    assert first["estimate"] == pytest.approx(1 / (1 + math.exp(-0.5)), abs=0.002)
    assert first["p"] < 1e-6


def test_best_of_four_follows_luce() -> None:
    levels = ["a", "b", "c", "d"]
    answers: list[Any] = []
    for turn in range(4):
        songs = [(level, level) for level in levels[turn:] + levels[:turn]]
        for level, times in zip(levels, (40, 30, 20, 10), strict=True):
            answers += [(songs, [name for name, _ in songs].index(level))] * times
    scores = preference(numbered(answers)).scores.set_index("level")["score"]
    expected = np.log([40, 30, 20, 10])
    np.testing.assert_allclose(scores[levels], expected - expected.mean(), atol=0.02)


def test_scores_agree_with_choix() -> None:
    levels = ["a", "b", "c", "d"]
    wins = {("a", "b"): 9, ("b", "a"): 4, ("a", "c"): 8, ("c", "a"): 2, ("b", "d"): 7}
    wins |= {("d", "b"): 5, ("c", "d"): 6, ("d", "c"): 6, ("a", "d"): 3, ("d", "a"): 1}
    answers: list[Any] = []
    for (winner, loser), times in wins.items():
        songs = [(winner, winner), (loser, loser)]
        answers += [(songs, 0), (songs[::-1], 1)] * times  # both orders alike: no order effect
    scores = preference(numbered(answers)).scores.set_index("level")["score"]
    data = []
    for (winner, loser), times in wins.items():
        data += [(levels.index(winner), levels.index(loser))] * 2 * times
    expected = choix.opt_pairwise(4, data, alpha=0.05)  # the prior of variance 10
    # the prior also leaves ties a small chance
    np.testing.assert_allclose(scores[levels], expected - expected.mean(), atol=0.01)


def test_strengths_and_errors_agree_with_statsmodels() -> None:
    rng = np.random.default_rng(4)
    choices = simulated_choices([0.8, 0.0, -0.8], 60, 1500, rng, order=0.4)
    fit = fit_choices(choices, 3)
    rows = fit.alternatives[:, 0, [0, 1, 3]] - fit.alternatives[:, 1, [0, 1, 3]]
    result = sm.Logit(choices.chosen == 0, rows).fit(
        disp=False, cov_type="cluster", cov_kwds={"groups": choices.task}
    )
    first, second, order = result.params
    estimate = fit.estimate
    assert estimate[0] - estimate[2] == pytest.approx(first, abs=0.01)
    assert estimate[1] - estimate[2] == pytest.approx(second, abs=0.01)
    assert estimate[3] == pytest.approx(order, abs=0.01)
    residuals = residuals_of(fit, [Clusters(choices.task, 180)])
    for index, weights in enumerate(([1, 0, -1, 0, 0], [0, 1, -1, 0, 0])):
        contrast = estimate_contrast(residuals, np.array(weights, float), [60], 0.95)
        error = (contrast.high - contrast.low) / 2 / 1.98
        assert error == pytest.approx(result.bse[index], rel=0.15)


def test_binomial_check_is_that_of_listening_tests() -> None:
    answers: list[Any] = [(PAIR, 0)] * 8 + [(PAIR[::-1], 1)] * 8 + [(PAIR, 1)] * 4 + [(PAIR, None)]
    checks = preference(numbered(answers)).checks.set_index("check")
    chosen = checks.loc["choice of x"]
    assert (chosen["estimate"], chosen["n"], chosen["by_chance"]) == (0.8, 20, 0.5)
    assert chosen["p"] == pytest.approx(binomtest(16, 20, 0.5).pvalue)
    first = checks.loc["chose A"]
    assert first["p"] == pytest.approx(binomtest(8, 20, 0.5).pvalue)


# --- what is counted --------------------------------------------------------------------------


def varied(trials: int, *, repeat: bool = False, catches: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    rows = []
    for number in range(1, trials + 1):
        songs = [("x", f"x{number % 7}"), ("y", f"y{number % 5}")][:: 1 if number % 2 else -1]
        chosen = [level for level, _ in songs].index("x" if rng.random() < 0.7 else "y")
        rows.append(answer(number, songs, chosen))
        if repeat:
            swapped = answer(number + trials, songs[::-1], 1 - chosen, repeat_of=number)
            rows.append(swapped)
    song = ("x", "x1")
    rows += [answer(900 + n, [song, song], None if n % 2 else 0) for n in range(catches)]
    return answered_frame(rows)


def test_repeats_count_once() -> None:
    once, twice = preference(varied(40)), preference(varied(40, repeat=True))
    for column in ("answers", "share", "detectable"):
        assert twice.pairs[column].tolist() == once.pairs[column].tolist()
    assert twice.scores["answers"].tolist() == once.scores["answers"].tolist() == [40, 40]
    assert twice.pairs["wins"][0] == 2 * once.pairs["wins"][0]
    assert difference(twice).difference == pytest.approx(difference(once).difference, abs=0.15)
    width = [row.high - row.low for row in map(difference, (twice, once))]
    assert width[0] > 0.9 * width[1]
    assert twice.checks.set_index("check").loc["choice of x", "n"] == 40


def test_catch_trials_are_a_check_and_no_answer() -> None:
    without, with_catches = preference(varied(30)), preference(varied(30, catches=6))
    pd.testing.assert_frame_equal(without.scores, with_catches.scores)
    pd.testing.assert_frame_equal(without.pairs, with_catches.pairs)
    caught = with_catches.checks.set_index("check").loc["no difference in a check question"]
    assert (caught["estimate"], caught["n"]) == (0.5, 6)
    only = preference(answered_frame([answer(1, [("x", "1"), ("x", "1")], None)]))
    assert only.scores["score"].isna().all()


def test_every_pair_has_an_interval_and_holm_corrects() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number in range(1, 121):
        a, b = rng.choice(["p", "q", "r", "s"], 2, replace=False)
        better = min(a, b) if rng.random() < 0.85 else max(a, b)
        songs = [(str(level), f"{level}{rng.integers(9)}") for level in (a, b)]
        rows.append(answer(number, songs, int(better == b)))
    pairs = preference(answered_frame(rows)).pairs
    assert len(pairs) == 6
    assert pairs[["low", "high", "p"]].notna().all(axis=None)
    assert pairs["difference"].between(pairs["low"], pairs["high"]).all()
    assert (pairs["difference"] >= 0).all()  # the better level comes first
    excludes = (pairs["low"] > 0) | (pairs["high"] < 0)
    assert ((pairs["p"] < 0.05) == excludes).all()
    ordered = pairs.sort_values("p")
    holm = np.minimum(np.maximum.accumulate(ordered["p"] * np.arange(6, 0, -1)), 1)
    np.testing.assert_allclose(ordered["p_adjusted"], holm)
    narrow = preference(answered_frame(rows), level=0.5).pairs
    assert (narrow["high"] - narrow["low"] < pairs["high"] - pairs["low"]).all()


def test_position_that_cannot_be_separated_is_noted() -> None:
    result = preference(numbered([(PAIR, 0)] * 9 + [(PAIR, 1)] * 3))
    assert any("same position" in note for note in result.notes)
    assert difference(result).difference == pytest.approx(math.log(3), abs=0.15)
    checks = result.checks.set_index("check")["estimate"]
    assert pd.isna(checks["chose A of two equal songs"])


def pooled(listeners: int, *, own_taste: float) -> pd.DataFrame:
    """Return the answers of listeners to tests of their own, of the same songs."""
    rng = np.random.default_rng(2)
    frames = []
    for listener in range(listeners):
        taste = own_taste * (-1) ** listener
        rows = []
        for number in range(1, 41):
            songs = [("x", f"x{number % 10}"), ("y", f"y{number % 10}")][:: rng.choice([-1, 1])]
            wins = rng.random() < 1 / (1 + math.exp(-0.6 - taste))
            chosen = [level for level, _ in songs].index("x" if wins else "y")
            rows.append(answer(number, songs, chosen, test=f"t{listener}"))
        frames.append(answered_frame(rows, listener=f"Listener {listener}"))
    return pd.concat(frames, ignore_index=True)


def test_listeners_who_differ_widen_the_interval() -> None:
    width = []
    for frame in (pooled(6, own_taste=0), pooled(6, own_taste=1.5)):
        assert frame["listener"].nunique() == 6
        row = difference(preference(frame))
        width.append(row.high - row.low)
        assert preference(frame).notes == ()
    assert width[1] > 1.5 * width[0]
    differing = pooled(6, own_taste=1.5)
    unnamed = difference(preference(differing.drop(columns="listener")))  # an earlier table
    assert unnamed.high - unnamed.low < 0.7 * width[1]
    few = preference(pooled(3, own_taste=0))
    assert any("about these 3 listeners" in note for note in few.notes)


# --- hostile tables -----------------------------------------------------------------------------

_CELLS = st.one_of(
    st.none(),
    st.integers(-2, 5),
    st.sampled_from(["x", "y", "", "<b>", "nan"]),
    st.floats(width=16),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changed_tables_give_a_result_or_our_error(data: st.DataObject) -> None:
    frame = varied(6, repeat=True, catches=2)
    names = data.draw(st.lists(st.sampled_from(list(ANSWERS)), min_size=1, max_size=3))
    for name in names:
        column = frame[name].astype("object").tolist()
        for index in data.draw(st.lists(st.integers(0, len(column) - 1), max_size=4)):
            column[index] = data.draw(_CELLS)
        frame[name] = pd.Series(column, index=frame.index)
        if data.draw(st.booleans()):
            frame[name] = frame[name].infer_objects()
    frame = frame.sample(frac=1, replace=data.draw(st.booleans()), random_state=1)
    try:
        result = preference(frame)
    except MusicAPIError:
        return
    repr(result)
    result._repr_html_()
    assert len(result.scores) >= len(set(result.pairs["level"]))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_answers_give_consistent_tables(data: st.DataObject) -> None:
    levels = ["u", "v", "w", "z"]
    rows = []
    for number in range(1, data.draw(st.integers(1, 12)) + 1):
        size = data.draw(st.sampled_from([2, 4]))
        songs = [
            (data.draw(st.sampled_from(levels)), f"{data.draw(st.integers(0, 2))}")
            for _ in range(size)
        ]
        songs = [(level, f"{level}{task}") for level, task in songs]
        chosen = data.draw(st.none() | st.integers(0, size - 1))
        rows.append(answer(number, songs, chosen))
    result = preference(answered_frame(rows))
    complete = result.pairs.dropna(subset=["low"])
    assert complete["difference"].between(complete["low"], complete["high"]).all()
    assert result.pairs["p_adjusted"].dropna().between(0, 1).all()
    assert (result.pairs["answers"] <= len(rows)).all()
    scored = result.scores["score"].notna().sum()
    assert len(result.pairs) == scored * (scored - 1) // 2


def test_impossible_answers_are_refused_by_trial() -> None:
    frame = varied(5)
    for column, value in (("chosen_position", 3), ("chosen_position", None), ("level_b", None)):
        broken = frame.copy()
        broken.loc[3, column] = value
        with pytest.raises(MusicAPIError, match=r"trial 4 of 't'"):
            preference(broken)
    repeated = varied(3, repeat=True)
    for column in ("trial", "test"):
        with pytest.raises(MusicAPIError, match="number of the trial"):
            preference(repeated.assign(**{column: repeated[column].where(repeated.index != 3)}))
    with pytest.raises(MusicAPIError, match="level"):
        preference(frame, level=2)


# --- coverage -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("tasks", "trials"), [(5, 60), (12, 60)])
def test_intervals_cover_the_true_difference(tasks: int, trials: int) -> None:
    """300 tables each; 1,000 tables of many cases are in benchmarks/coverage_preference.py."""
    rng = np.random.default_rng(tasks)
    weights = np.array([1.0, -1.0, 0.0, 0.0])
    covered = errors = 0
    for _ in range(300):
        choices = simulated_choices([0.0, 0.0], tasks, trials, rng, task_sd=0.7, song_sd=0.7)
        fit = fit_choices(choices, 2)
        residuals = residuals_of(fit, [Clusters(choices.task, 2 * tasks)])
        contrast = estimate_contrast(residuals, weights, [tasks], 0.95)
        covered += contrast.low <= 0 <= contrast.high
        errors += contrast.p <= 0.05
    assert 0.91 <= covered / 300 <= 0.99
    assert errors == 300 - covered
