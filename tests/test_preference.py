"""Blind tests: balanced designs, answers as rows, and scores with honest intervals."""

import dataclasses
import itertools
import math
import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb._blind_test.answers import preferences_frame
from musicapi_nb._blind_test.bradley_terry import minimum_detectable_effect
from musicapi_nb._blind_test.design import Candidate, Kind, draw_trials
from musicapi_nb._blind_test.outcome import outcome_text
from musicapi_nb._blind_test.preference import Preference, preference
from musicapi_nb._blind_test.store import Answer, Trial, TrialSong
from musicapi_nb.errors import InvalidArgument, NothingToCompare
from tests.blind_answers import NOW, AnsweredTest, answer


def simulate(
    strength: dict[str, float], trials: int, *, size: int = 2, tasks: int = 12, seed: int = 0
) -> pd.DataFrame:
    """Simulate a listener who chooses by the strengths of the levels."""
    rng = random.Random(seed)
    rows = []
    for number in range(1, trials + 1):
        levels = rng.sample(sorted(strength), size)
        weights = [math.exp(strength[level]) for level in levels]
        (chosen,) = rng.choices(range(size), weights)
        songs = [(level, f"{level}/{rng.randrange(tasks)}") for level in levels]
        rows.append(answer(number, songs, chosen))
    return preferences_frame(AnsweredTest(rows))


def scores_by_level(result: Preference) -> dict[str, float]:
    return dict(zip(result.scores["level"], result.scores["score"], strict=True))


# --- scores --------------------------------------------------------------------------------


def test_score_difference_is_the_log_odds_of_wins() -> None:
    songs = [("x", "1"), ("y", "2")]
    rows = [answer(number, songs, 0 if number <= 30 else 1) for number in range(1, 41)]
    scores = scores_by_level(preference(preferences_frame(AnsweredTest(rows))))
    assert scores["x"] - scores["y"] == pytest.approx(math.log(3), abs=0.03)  # shrunk by the prior
    assert scores["x"] + scores["y"] == pytest.approx(0)


def test_tie_is_half_a_win_for_each() -> None:
    songs = [("x", "1"), ("y", "2")]
    ties = [answer(number, songs, None) for number in range(1, 9)]
    wins = [answer(number, songs, number % 2) for number in range(1, 9)]
    tied, split = (preference(preferences_frame(AnsweredTest(rows))) for rows in (ties, wins))
    for result in (tied, split):
        assert scores_by_level(result) == pytest.approx({"x": 0, "y": 0})
    assert tied.scores["ties"].tolist() == [8, 8]
    assert tied.pairs["share"].tolist() == [0.5]
    assert split.scores["wins"].tolist() == [4, 4]


@settings(max_examples=10, deadline=None)
@given(
    st.permutations(["low", "below", "above", "high"]),
    st.sampled_from([2, 4]),
    st.integers(0, 10_000),
)
def test_scores_recover_the_true_order(order: list[str], size: int, seed: int) -> None:
    strength = dict(zip(order, (-1.5, -0.5, 0.5, 1.5), strict=True))
    result = preference(simulate(strength, 1500, size=size, seed=seed))
    assert result.scores["level"].tolist() == order[::-1]
    assert scores_by_level(result) == pytest.approx(strength, abs=0.6)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_intervals_contain_the_score_whatever_the_names_or_positions(data: st.DataObject) -> None:
    levels = ["u", "v", "w"][: data.draw(st.integers(2, 3))]
    size = data.draw(st.sampled_from([2, 4]))
    song_lists = st.lists(
        st.tuples(st.sampled_from(levels), st.integers(0, 3)),
        min_size=size,
        max_size=size,
        unique=True,
    )
    trials = data.draw(
        st.lists(st.tuples(song_lists, st.none() | st.integers(0, size - 1)), max_size=12)
    )

    def frame(
        name: Callable[[str], str] = str, order: Callable[[list[Any]], list[Any]] = list
    ) -> pd.DataFrame:
        rows = []
        for number, (songs, chosen) in enumerate(trials, 1):
            positions = order(list(range(size)))
            rows.append(
                answer(
                    number,
                    [(name(songs[i][0]), f"{songs[i][0]}{songs[i][1]}") for i in positions],
                    None if chosen is None else positions.index(chosen),
                )
            )
        return preferences_frame(AnsweredTest(rows))

    scores = preference(frame(), "mv").scores.set_index("level")
    complete = scores.dropna(subset=["score", "low"])
    assert complete["score"].between(complete["low"], complete["high"]).all()
    renamed = preference(frame(lambda level: {"u": "3", "v": "1", "w": "2"}[level]), "mv")
    back = renamed.scores.assign(level=renamed.scores["level"].map({"3": "u", "1": "v", "2": "w"}))
    variants = [back.set_index("level")]
    if size == 2:  # of four songs, one is the first and three are not
        swapped = preference(frame(order=lambda positions: positions[::-1]), "mv")
        variants.append(swapped.scores.set_index("level"))
    for variant in variants:
        columns = ["score", "low", "high", "answers", "wins", "ties", "losses", "tasks"]
        expected, actual = (
            frame[columns].astype("float64").sort_index() for frame in (scores, variant)
        )
        np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_more_tasks_narrow_the_intervals() -> None:
    strength = {"x": 0.4, "y": -0.4}
    few, many = (preference(simulate(strength, 200, tasks=tasks)) for tasks in (2, 60))
    assert preference(simulate(strength, 200, tasks=60)).scores.equals(many.scores)
    width = float((many.scores["high"] - many.scores["low"]).mean())
    assert 0 < width < 1.5
    assert not few.scores["low"].isna().any()


def test_level_that_always_won_has_a_finite_score() -> None:
    rows = [answer(number, [("x", f"x{number}"), ("y", f"y{number}")], 0) for number in range(1, 7)]
    result = preference(preferences_frame(AnsweredTest(rows)))
    assert 1 < scores_by_level(result)["x"] < 4
    assert np.isfinite(result.scores[["low", "high"]].to_numpy()).all()
    assert any("few" in note for note in result.notes)


def test_few_agreeing_answers_have_wide_intervals() -> None:
    rows = [  # 2 : 2 wins in each task
        answer(index + 1, [("x", f"x{index % 2}"), ("y", f"y{index % 2}")], index // 2)
        for index in range(4)
    ]
    result = preference(preferences_frame(AnsweredTest(rows)))
    assert result.scores["score"].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert (result.scores["high"] - result.scores["low"] > 1).all()
    assert result.pairs["answers"].tolist() == [4]


def test_levels_never_compared_have_no_score_and_are_named() -> None:
    rows = [
        answer(number, [("x", f"x{number}"), ("y", f"y{number}")], number % 2)
        for number in range(1, 5)
    ]
    rows += [answer(5, [("z", "z1"), ("other", "o1")], 0), answer(6, [("q", "1"), ("q", "2")], 0)]
    result = preference(preferences_frame(AnsweredTest(rows)))
    scores = result.scores.set_index("level")["score"]
    assert scores[["x", "y"]].notna().all()
    assert scores[["z", "other", "q"]].isna().all()
    assert any(
        all(name in note for name in ("z", "other", "q")) and "Never compared" in note
        for note in result.notes
    )


def test_level_with_one_task_gives_no_interval() -> None:
    rows = [
        answer(number, [("x", "single"), ("y", f"y{number}")], number % 2)
        for number in range(1, 30)
    ]
    result = preference(preferences_frame(AnsweredTest(rows)))
    assert result.scores["score"].notna().all()
    assert result.scores["low"].isna().all()
    assert "Only one task has songs of: x" in result.notes[0]


def test_dtypes_are_the_same_without_answers() -> None:
    empty = preferences_frame(AnsweredTest([]))
    full = simulate({"x": 0.0, "y": 0.0}, 5)
    assert empty.dtypes.equals(full.dtypes)
    without, complete = preference(empty), preference(full)
    for name in ("scores", "pairs", "checks"):
        assert getattr(without, name).dtypes.equals(getattr(complete, name).dtypes)
    assert len(without.scores) == len(without.pairs) == 0
    assert without.checks["n"].tolist() == [0] * 6
    assert without.checks[["estimate", "low", "high", "p"]].isna().all(axis=None)
    assert "no answers" in repr(without)
    assert "Preference by" in without._repr_html_()


# --- checks --------------------------------------------------------------------------------


def test_order_bias_and_self_consistency_are_counted() -> None:
    pair = [("x", "1"), ("y", "2")]
    rows = [
        answer(1, pair, 0),
        answer(2, pair, 1),
        answer(3, pair, None),
        answer(4, pair[::-1], 1, repeat_of=1),  # x again
        answer(5, pair[::-1], 1, repeat_of=2),  # x, but y the first time
        answer(6, pair[::-1], None, repeat_of=3),  # a tie again
        answer(7, pair[::-1], 0, repeat_of=99),  # repeats a trial without an answer
    ]
    checks = preference(preferences_frame(AnsweredTest(rows))).checks.set_index("check")
    first = checks.loc["chose A"]
    repeated = checks.loc["same answer to a repeated question"]
    assert (first["estimate"], first["n"], first["by_chance"]) == (2 / 5, 5, 0.5)
    assert (repeated["estimate"], repeated["n"]) == (2 / 3, 3)
    for check in (first, repeated):
        assert 0 < check["low"] < check["estimate"] < check["high"] < 1
    four = [("x", "1"), ("y", "2"), ("z", "3"), ("x", "4")]
    of_four = preference(preferences_frame(AnsweredTest([answer(1, four, 3), answer(2, four, 0)])))
    assert of_four.checks["by_chance"][0] == 0.25


def test_detectable_effect_matches_formula_and_simulation() -> None:
    assert math.isnan(minimum_detectable_effect(0))
    assert math.isnan(minimum_detectable_effect(3))
    assert minimum_detectable_effect(100) == pytest.approx(0.138, abs=0.001)
    assert minimum_detectable_effect(24) == pytest.approx(0.27, abs=0.005)
    effects = [minimum_detectable_effect(n) for n in (5, 10, 100, 1000)]
    assert effects == sorted(effects, reverse=True)
    # Simulated: about 80 % of the tests detect the effect.
    hits = np.random.default_rng(0).binomial(100, 0.5 + minimum_detectable_effect(100), 20_000)
    assert np.mean(np.abs(hits - 50) / 5 > 1.96) == pytest.approx(0.8, abs=0.03)


def test_other_frames_and_objects_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="preferences_frame"):
        preference(pd.DataFrame({"level": []}))
    answers = simulate({"x": 0.0, "y": 0.0}, 3)
    two_factors = pd.concat([answers, answers.assign(factor="tags")])
    with pytest.raises(InvalidArgument, match="mv, tags"):
        preference(two_factors)
    assert preference(two_factors, "tags").factor == "tags"
    with pytest.raises(InvalidArgument, match="str"):
        preferences_frame("library")  # type: ignore[arg-type]  # a likely mistake
    with pytest.raises(InvalidArgument, match="no blind test 'u'; there are: t"):
        preferences_frame(AnsweredTest([answer(1, [("x", "1"), ("y", "2")], 0)]), "u")


def test_hostile_levels_are_escaped() -> None:
    rows = [answer(1, [("<b>x</b>", "1"), ("y", "2")], 0)]
    result = preference(preferences_frame(AnsweredTest(rows)))
    assert "<b>x" not in result._repr_html_()
    assert "&lt;b&gt;x" in result._repr_html_()
    assert mnb.preference is preference
    assert mnb.preferences_frame is preferences_frame


def test_only_answered_designare_rows() -> None:
    unanswered = Trial("t", 2, None, (TrialSong("s", "1", "x"), TrialSong("s2", "2", "y")))
    skipped = dataclasses.replace(unanswered, number=3, answer="skipped")
    frame = preferences_frame(
        AnsweredTest([answer(1, [("x", "1"), ("y", "2")], 1), unanswered, skipped]), "t"
    )
    (row,) = frame.to_dict("records")
    assert (row["chosen_level"], row["chosen_position"], row["tie"]) == ("y", 1, False)
    assert (row["level_a"], row["task_b"], row["song_a"]) == ("x", "2", "1 of x")
    assert pd.isna(row["level_c"])
    assert row["answered_at"] == pd.Timestamp(NOW)


# --- design ------------------------------------------------------------------------------


def candidates(levels: int, tasks: int, *, groups: int = 1, songs: int = 2) -> list[Candidate]:
    return [
        Candidate(
            f"{level}/{group}/{task}/{song}",
            f"{level}/{group}/{task}",
            f"level {level}",
            (f"group {group}", f"block {task}"),
        )
        for level, group, task, song in itertools.product(
            range(levels), range(groups), range(tasks), range(songs)
        )
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 5),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 40),
    st.sampled_from(["pairs", "best_of_four"]),
    st.booleans(),
    st.integers(0, 99),
)
def test_design_is_balanced_matched_and_reproducible(  # noqa: PLR0913, PLR0917 - drawn arguments
    levels: int,
    tasks: int,
    groups: int,
    trials: int,
    kind: Kind,
    swap: bool,  # noqa: FBT001
    seed: int,
) -> None:
    songs = candidates(levels, tasks, groups=groups)
    design = draw_trials(songs, trials, kind=kind, swap_repeats=swap, seed=seed)
    assert design == draw_trials(songs, trials, kind=kind, swap_repeats=swap, seed=seed)
    assert len(design) == trials
    size = 2 if kind == "pairs" else 4
    first_pass = [trial for trial in design if trial.repeat_of is None]
    assert len(first_pass) == (-(-trials // 2) if swap else trials)
    level_counts: Counter[str] = Counter()
    for trial in first_pass:
        assert len({song.key for song in trial.songs}) == size
        assert len({song.level for song in trial.songs}) == min(size, levels)
        assert trial.matched == (len({song.covariates for song in trial.songs}) == 1)
        assert trial.matched
        level_counts.update(song.level for song in trial.songs)
    counts = [level_counts[f"level {level}"] for level in range(levels)]
    assert max(counts) - min(counts) <= max(2, levels - 1)
    for index, trial in enumerate(design[len(first_pass) :], len(first_pass)):
        assert trial.repeat_of is not None
        assert trial.songs == design[trial.repeat_of].songs[::-1]
        assert index - trial.repeat_of >= trials // 4


@pytest.mark.parametrize("kind", ["pairs", "best_of_four"])
def test_catch_trials_play_one_song_and_change_no_other_trial(kind: Kind) -> None:
    songs = candidates(2, 6)
    plain = draw_trials(songs, 20, kind=kind, swap_repeats=True, seed=3)
    design = draw_trials(songs, 20, kind=kind, swap_repeats=True, catch_trials=5, seed=3)
    assert len(design) == 25
    assert sum(trial.is_catch for trial in design) == 5
    others = [trial for trial in design if not trial.is_catch]
    assert [trial.songs for trial in others] == [trial.songs for trial in plain]
    for trial in others[10:]:
        assert trial.repeat_of is not None
        assert trial.songs == design[trial.repeat_of].songs[::-1]
    places = {
        tuple(trial.is_catch for trial in draw_trials(songs, 20, catch_trials=5, seed=seed))
        for seed in range(5)
    }
    assert len(places) == 5


def test_positions_and_songs_are_balanced() -> None:
    songs = candidates(2, 6)
    design = draw_trials(songs, 24, seed=3)
    first = Counter(trial.songs[0].level for trial in design)
    assert first == {"level 0": 12, "level 1": 12}
    song_counts = Counter(song.key for trial in design for song in trial.songs)
    assert set(song_counts.values()) == {2}
    pair_counts = Counter(frozenset(song.key for song in trial.songs) for trial in design)
    assert max(pair_counts.values()) == 1
    assert draw_trials(songs, 24, seed=3) != draw_trials(songs, 24, seed=4)


def test_order_of_a_trial_does_not_predict_the_next() -> None:
    for seed in range(20):
        levels = [trial.songs[0].level for trial in draw_trials(candidates(2, 6), 24, seed=seed)]
        repeats = sum(level == following for level, following in itertools.pairwise(levels))
        assert 2 < repeats < 21


def test_unmatched_songs_are_drawn_as_close_as_possible() -> None:
    songs = [
        Candidate("a", "1", "x", ("jazz", "rain", "block 1")),
        Candidate("b", "2", "y", ("folk", "rain", "block 2")),
        Candidate("c", "3", "y", ("folk", "sea", "block 1")),
    ]
    design = draw_trials(songs, 6)
    assert {frozenset(song.key for song in trial.songs) for trial in design} == {frozenset("ab")}
    assert not any(trial.matched for trial in design)


def test_too_few_songs_or_levels_are_refused() -> None:
    with pytest.raises(NothingToCompare, match="all songs have level 'level 0'"):
        draw_trials(candidates(1, 3), 4)
    with pytest.raises(NothingToCompare, match="there are no songs"):
        draw_trials([], 4)
    with pytest.raises(NothingToCompare, match="needs 4 songs, but there are 2"):
        draw_trials(candidates(2, 1, songs=1), 4, kind="best_of_four")


def test_designs_of_thousands_of_songs_are_fast() -> None:
    songs = [
        Candidate(str(n), str(n // 2), f"level {n % 2}", (f"unique {n}", "block 1"))
        for n in range(5_000)
    ]
    design = draw_trials(songs, 24)
    assert len({song.key for trial in design for song in trial.songs}) == 48


def test_the_outcome_says_when_a_preference_is_clear() -> None:
    def trial(number: int, chosen: int | None, levels: str = "xy") -> Trial:
        songs = tuple(
            TrialSong(f"s{level}{number}", f"t{level}{number}", level) for level in levels
        )
        answer: Answer = "tie" if chosen is None else "chosen"
        return Trial("test", number, None, songs, answer, chosen)

    clear = preference(simulate({"x": 3.0, "y": -3.0}, 60, tasks=60))
    text = outcome_text([trial(1, 0), trial(2, 0), trial(3, 1), trial(4, None)], clear, None)
    assert text == (
        "You preferred x in 2, y in 1, no difference in 1. This is hardly chance: x to y."
    )
    even = preference(simulate({"x": 0.0, "y": 0.0}, 12, tasks=12, seed=1))
    text = outcome_text([trial(1, 1)], even, "anna")
    assert re.fullmatch(
        r"anna preferred y in 1, x in 0\. Too few to tell: 12 independent answers could show only "
        r"a preference of \d\d % or more\.",
        text,
    )
    same = dataclasses.replace(trial(1, 0), songs=(trial(1, 0).songs[0],) * 2)
    assert outcome_text([same], even, None) == "No question was answered."
