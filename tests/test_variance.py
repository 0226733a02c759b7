"""Variance components: estimates, intervals, invalid tables."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.formula.api import mixedlm, ols
from statsmodels.stats.anova import anova_lm

import musicapi_nb as mnb
from musicapi_nb import variance
from musicapi_nb.analysis.ratio_estimator import t_quantile
from musicapi_nb.analysis.variance_components import nested_sums
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.text_dtype import TEXT

Floats = NDArray[np.float64]
FIGURES = [
    "variance_between",
    "variance_within",
    "icc",
    "low",
    "high",
    "design_effect",
    "effective_songs",
    "effective_songs_low",
    "effective_songs_high",
]


def songs_of(tasks: list[list[float]], cells: list[str] | None = None) -> pd.DataFrame:
    """Return songs of tasks, given as the durations and the cell of each task."""
    cells = cells or ["x"] * len(tasks)
    rows = [
        (f"t{index}", cell, seconds)
        for index, (task, cell) in enumerate(zip(tasks, cells, strict=True))
        for seconds in task
    ]
    frame = pd.DataFrame(rows, columns=["task_id", "style", "duration"])
    return frame.astype({"task_id": TEXT, "style": TEXT, "duration": "float64"})


def only(frame: pd.DataFrame) -> Any:
    assert len(frame) == 1
    return frame.iloc[0]


def mean_squares(frame: pd.DataFrame) -> tuple[float, float, int]:
    """Return mean squares between and within tasks by statsmodels, and degrees between."""
    cells, tasks = (ols(f"duration ~ C({name})", frame).fit() for name in ("style", "task_id"))
    table = anova_lm(cells, tasks)
    degrees = int(table["df_diff"].iloc[1])
    return table["ss_diff"].iloc[1] / degrees, tasks.mse_resid, degrees


# --- figures -------------------------------------------------------------------------------


def test_table_computed_by_hand() -> None:
    result = only(variance(songs_of([[1, 3], [5, 7], [9, 11]])))
    # squares: between 2 * (16 + 0 + 16) / 2 = 32, within (2 + 2 + 2) / 3 = 2
    assert result["variance_within"] == pytest.approx(2)
    assert result["variance_between"] == pytest.approx((32 - 2) / 2)
    assert result["icc"] == pytest.approx(15 / 17)
    assert result["design_effect"] == pytest.approx(32 / 17)
    assert result["effective_songs"] == pytest.approx(17 / 16)
    assert result[["tasks", "songs", "missing_songs"]].tolist() == [3, 6, 0]
    assert result["low"] < 15 / 17 < result["high"] < 1


def test_icc_can_be_negative() -> None:
    result = only(variance(songs_of([[1, 9], [2, 8.5], [0, 10.2], [3, 7.5]])))
    assert result["variance_between"] < 0
    assert result["icc"] < 0
    assert result["effective_songs"] > 2
    assert -1 <= result["low"] < result["icc"] < result["high"] <= 1


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_mean_squares_against_scipy_and_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, 12)
    sizes[:2] = 2, 3
    tasks = [(rng.normal(0, 3) + rng.normal(0, 2, size)).tolist() for size in sizes]
    flat = only(variance(songs_of(tasks)))
    ratio = stats.f_oneway(*map(np.array, tasks)).statistic
    usual = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / 11
    assert flat["icc"] == pytest.approx((ratio - 1) / (ratio + usual - 1))
    frame = songs_of(tasks, ["x", "y", "z"] * 4)
    result = only(variance(frame, within="style"))
    between, within, degrees = mean_squares(frame)
    assert degrees == 9
    cells = [sizes[index::3] for index in range(3)]
    usual = (sizes.sum() - sum((item**2).sum() / item.sum() for item in cells)) / 9
    assert result["variance_within"] == pytest.approx(within)
    assert result["variance_between"] == pytest.approx((between - within) / usual)


def test_balanced_table_agrees_with_reml() -> None:
    rng = np.random.default_rng(3)
    tasks = [(170 + rng.normal(0, 12) + rng.normal(0, 8, 2)).tolist() for _ in range(40)]
    frame = songs_of(tasks)
    result = only(variance(frame))
    reference = mixedlm("duration ~ 1", frame, groups=frame["task_id"]).fit()
    assert result["variance_between"] == pytest.approx(reference.cov_re.iloc[0, 0], rel=1e-3)
    assert result["variance_within"] == pytest.approx(reference.scale, rel=1e-3)


def test_interval_is_the_jackknife_of_the_log_ratio() -> None:
    rng = np.random.default_rng(8)
    sizes = [2, 1, 2, 3, 2, 2, 1, 2]
    tasks = [(rng.normal(0, 3) + rng.normal(0, 2, size)).tolist() for size in sizes]
    cells = ["x", "x", "x", "y", "y", "y", "alone", "also"]

    def log_ratio(chosen: list[int]) -> float:
        rows = songs_of([tasks[index] for index in chosen], [cells[index] for index in chosen])
        between, within, _ = mean_squares(rows)
        return math.log(between / within)

    informative = [
        index for index in range(8) if index != 6
    ]  # a song alone in its cell says nothing
    without = [
        log_ratio([second for second in range(8) if second != index]) for index in informative
    ]
    error = math.sqrt((len(informative) - 1) * float(np.var(without)))
    reach = float(stats.t.ppf(0.95, 4)) * error
    usual = ((5 - 9 / 5) + (7 - 17 / 7)) / 4
    ends = [math.exp(log_ratio(list(range(8))) + side * reach) for side in (-1, 1)]
    result = only(variance(songs_of(tasks, cells), within=["style"], level=0.9))
    expected = [(end - 1) / (end + usual - 1) for end in ends]
    assert [result["low"], result["high"]] == pytest.approx(expected)
    assert t_quantile(0.9, 4) == pytest.approx(float(stats.t.ppf(0.95, 4)))


@pytest.mark.parametrize(
    ("draw", "least"),
    [
        (lambda rng, *shape: rng.normal(size=shape), 0.93),
        (lambda rng, *shape: rng.exponential(size=shape) - 1, 0.89),
    ],
    ids=["normal", "skewed"],
)
@pytest.mark.parametrize("icc", [0.0, 0.6])
def test_coverage_of_intervals(draw: Callable[..., Floats], least: float, icc: float) -> None:
    rng = np.random.default_rng(2)
    names = [f"y{index}" for index in range(300)]
    shared = draw(rng, 30, 1, 300) * math.sqrt(icc)
    values = (shared + draw(rng, 30, 2, 300) * math.sqrt(1 - icc)).reshape(60, 300)
    frame = pd.DataFrame(values, columns=names).assign(task_id=np.repeat(np.arange(30), 2))
    result = variance(frame[rng.random(60) > 0.07], names)
    assert least <= ((result["low"] <= icc) & (icc <= result["high"])).mean() <= 0.98
    assert result["icc"].mean() == pytest.approx(icc, abs=0.06)


# --- outcomes of 0 and 1, and what tasks are worth -------------------------------------------


def binary_pairs(
    rng: np.random.Generator, tasks: int, share: float, icc: float, tables: int
) -> pd.DataFrame:
    """Return tables of pairs of 0/1 outcomes with this correlation, one column each."""
    shape = (tasks, 2, tables)
    shared = rng.random((tasks, 1, tables)) < share
    is_shared = rng.random(shape) < math.sqrt(icc)
    values = np.where(is_shared, shared, rng.random(shape) < share).reshape(2 * tasks, tables)
    frame = pd.DataFrame(values.astype(float), columns=[f"y{k}" for k in range(tables)])
    return frame.assign(task_id=np.repeat(np.arange(tasks), 2))


@pytest.mark.parametrize("tasks", [5, 10, 40])
@pytest.mark.parametrize(("share", "icc"), [(0.5, 0.3), (0.7, 0.0), (0.7, 0.9), (0.95, 0.6)])
def test_coverage_of_intervals_of_binary_outcomes(tasks: int, share: float, icc: float) -> None:
    frame = binary_pairs(np.random.default_rng(4), tasks, share, icc, 200)
    names = [str(name) for name in frame if name != "task_id"]
    varied = [name for name in names if frame[name].std() > 0]
    result = variance(frame, varied)
    assert result["low"].notna().all()
    covered = (result["low"] <= icc + 1e-9) & (icc <= result["high"] + 1e-9)
    assert covered.mean() >= 0.94
    effective = 2 / (1 + icc)
    low, high = result["effective_songs_low"], result["effective_songs_high"]
    is_inside = (low <= effective + 1e-9) & (effective <= high + 1e-9)
    assert is_inside.equals(covered)
    if (tasks, share) == (40, 0.5):
        assert (result["high"] - result["low"]).median() < 0.65


def test_binary_outcome_computed_by_hand() -> None:
    frame = songs_of([[1, 1], [1, 1], [0, 0], [1, 0]])
    result = only(variance(frame))
    # one pair of 4 differs within tasks; of 24 pairs of two tasks 8 + 4 + 2 do
    assert result["icc"] == pytest.approx(1 - (1 / 4) / (14 / 24))
    assert -1 <= result["low"] < result["icc"] < result["high"] <= 1
    for same in (
        frame.assign(duration=frame["duration"] == 1),
        frame.assign(duration=5 - 3 * frame["duration"]),
    ):
        pd.testing.assert_series_equal(only(variance(same))[FIGURES[2:]], result[FIGURES[2:]])


def test_binary_pairs_that_always_agree_or_differ_have_bounds() -> None:
    alike = only(variance(songs_of([[1.0, 1.0]] * 5 + [[0.0, 0.0]] * 4)))
    assert (alike["icc"], alike["high"]) == (1, 1)
    assert 0.1 < alike["low"] < 0.6
    assert alike["effective_songs_low"] == 1
    unlike = only(variance(songs_of([[1.0, 0.0]] * 8)))
    assert unlike["icc"] < 0
    assert unlike["low"] == -1
    assert unlike["effective_songs_high"] == math.inf


def test_effective_songs_of_larger_tasks() -> None:
    rng = np.random.default_rng(5)
    tasks = [(rng.normal(0, 1) + rng.normal(0, 1, 4)).tolist() for _ in range(30)]
    result = only(variance(songs_of(tasks)))
    assert result["songs_per_task"] == 4
    for suffix, icc in (("", "icc"), ("_low", "high"), ("_high", "low")):
        expected = 4 / (1 + 3 * result[icc])
        assert result[f"effective_songs{suffix}"] == pytest.approx(expected)
    assert only(variance(songs_of([[1.0], [2.0], [4.0]])))["songs_per_task"] == 2


# --- what changes nothing ------------------------------------------------------------------


@given(
    st.lists(st.lists(st.integers(0, 400).map(float), min_size=1, max_size=3), max_size=8),
    st.randoms(use_true_random=False),
)
@settings(max_examples=25, deadline=None)
def test_cell_means_units_and_row_order_do_not_matter(tasks: list[list[float]], rng: Any) -> None:
    cells = [rng.choice(["x", "y"]) for _ in tasks]
    frame = songs_of(tasks, cells)
    plain = variance(frame, within=["style"])
    order = rng.sample(list(frame.index), len(frame))
    moved = frame.loc[order]
    np.testing.assert_allclose(
        variance(moved, within=["style"])[FIGURES], plain[FIGURES], rtol=1e-6, atol=1e-9
    )
    shift = np.where(frame["style"] == "x", 0.0, 512.0)
    apart = variance(frame.assign(duration=frame["duration"] + shift), within=["style"])
    doubled = variance(frame.assign(duration=2 * frame["duration"]), within=["style"])
    scale = [4, 4, *[1] * 7]
    for variant, factor in ((apart, [1] * 9), (doubled, scale)):
        np.testing.assert_allclose(variant[FIGURES], plain[FIGURES] * factor, rtol=1e-5, atol=1e-7)
    defined = plain.dropna(subset=["low"])
    assert (defined["low"] <= defined["icc"]).all()
    assert (defined["icc"] <= defined["high"]).all()


# --- tables as they come -------------------------------------------------------------------


def test_undefined_estimates_are_missing() -> None:
    full = variance(songs_of([[1, 3], [5, 7], [9, 11]]))
    frames = {
        "nothing": songs_of([]),
        "one song": songs_of([[1.0]]),
        "one task": songs_of([[1.0, 3.0]]),
        "no pair": songs_of([[1.0], [2.0], [4.0]]),
        "all alike": songs_of([[3.3, 3.3]] * 5),
        "all failed": songs_of([[math.nan, math.nan]] * 3),
        "of no reply": mnb.durations_frame([]),
    }
    for name, frame in frames.items():
        result = variance(frame)
        assert result.dtypes.equals(full.dtypes), name
        assert result[["icc", "low", "high", "effective_songs"]].isna().all(axis=None), name
        assert result["songs"][0] + result["missing_songs"][0] == len(frame)
    pairs = only(variance(songs_of([[3.3, 3.3], [1.1, 1.1], [9.7, 9.7]])))
    assert (pairs["icc"], pairs["effective_songs"], pairs["variance_within"]) == (1, 1, 0)
    assert math.isnan(pairs["low"])
    assert len(variance(songs_of([]), ())) == 0
    assert variance(songs_of([]), ()).dtypes.equals(full.dtypes)


def test_several_outcomes_and_missing_songs() -> None:
    frame = songs_of([[1, 3], [5, math.nan], [9, 11], [math.nan, math.nan]])
    rating = pd.array([1, 2, 5, None, 4, None, 3, 3], dtype="Int64")
    result = variance(frame.assign(rating=rating), ["rating", "duration"])
    assert result["outcome"].tolist() == ["rating", "duration"]
    assert result[["tasks", "songs", "missing_songs"]].to_numpy().tolist() == [[4, 6, 2], [3, 5, 3]]
    apart = nested_sums(np.array([1.0, 3, 5, 9, 11]), np.array([0, 0, 1, 2, 2]), np.zeros(5, int))
    assert result["icc"][1] == apart.icc


def test_invalid_tables_are_refused() -> None:
    frame = songs_of([[1, 3], [5, 7]])
    with pytest.raises(BadFrame, match="columns 'mv', 'rating'"):
        variance(frame, "rating", within="mv")
    with pytest.raises(BadFrame, match=r"'style' .* is text, not number"):
        variance(frame, "style")
    with pytest.raises(BadFrame, match="a task has songs of several levels of style"):
        variance(frame.assign(style=list("abab")), within=["style"])
    with pytest.raises(BadFrame, match=r"4 of 4 rows .* have no 'task_id'"):
        variance(frame.assign(task_id=pd.Series([None] * 4, dtype=TEXT)))
    twice = frame.assign(song_id=["a", "b", "c", "c"])
    with pytest.raises(BadFrame, match=r"2 rows .* task_id 't1', song_id 'c'"):
        variance(twice)
    assert variance(twice.assign(song_id=pd.Series([None] * 4, dtype=TEXT)))["songs"][0] == 4
    lists = frame.assign(cell=[0, 0, 1, 1], task_id=pd.Series([["t"]] * 4, dtype=object))
    with pytest.raises(BadFrame, match=r"'task_id' .* single values"):
        variance(lists)
    with pytest.raises(InvalidArgument, match=r"outcomes must be .* not None"):
        variance(frame, None)  # type: ignore[arg-type]  # as people do
    with pytest.raises(InvalidArgument, match=r"level .* not 2"):
        variance(frame, level=2)
