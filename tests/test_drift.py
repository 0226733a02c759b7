"""Drift: periods of an outcome over time, false alarms, shifts found, invalid tables."""

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

import musicapi_nb as mnb
from musicapi_nb import drift
from musicapi_nb.analysis.change_points import MIN_TASKS, find_periods
from musicapi_nb.errors import BadFrame, InvalidArgument

Floats = NDArray[np.float64]
START = pd.Timestamp("2026-11-01T08:00:00Z")


def tasks_of(*parts: Floats | list[float], songs: int = 2) -> pd.DataFrame:
    """Return the songs of one task an hour, all with the task's value."""
    values = np.concatenate([np.asarray(part, float) for part in parts])
    number = np.arange(len(values))
    return pd.DataFrame(
        {
            "task_id": np.repeat([f"t{index}" for index in number], songs),
            "created_at": (START + pd.to_timedelta(number, unit="h")).repeat(songs),
            "seconds": np.repeat(values, songs),
        }
    )


def noise(seed: int, number: int, mean: float = 60.0, sd: float = 5.0) -> Floats:
    return np.random.default_rng(seed).normal(mean, sd, number)


def test_shift_is_dated() -> None:
    frame = tasks_of(noise(1, 40), noise(2, 30, 75.0))

    result = drift(frame, ["seconds"])

    assert result["period"].tolist() == [1, 2]
    assert result["tasks"].tolist() == [40, 30]
    assert result["start"].tolist() == [START, START + pd.Timedelta(hours=40)]
    assert result["end"].tolist() == [START + pd.Timedelta(hours=hour) for hour in (39, 69)]
    first, second = (frame["seconds"].iloc[rows] for rows in (slice(80), slice(80, None)))
    assert result["mean"].tolist() == pytest.approx([first.mean(), second.mean()])
    assert result["change"][1] == pytest.approx(second.mean() - first.mean())
    assert math.isnan(result["change"][0])
    assert result["p"][1] < 0.001
    interval = stats.t.interval(0.95, 39, first.mean(), stats.sem(first.iloc[::2]))
    assert [result["low"][0], result["high"][0]] == pytest.approx(list(interval))


def test_limits_are_those_of_the_individuals_chart() -> None:
    result = drift(tasks_of([10, 12, 11, 9, 10, 50, 11, 10, 12]), "seconds").iloc[0]
    ranges = [2, 1, 2, 1, 40, 39, 1, 2]
    reach = 3 * np.mean(ranges) / 1.128
    assert result["upper_limit"] == pytest.approx(15 + reach)
    assert result["lower_limit"] == pytest.approx(15 - reach)
    assert result["outside"] == 1


@pytest.mark.parametrize(
    ("draw", "tasks"),
    [
        (lambda rng, tasks: rng.normal(size=tasks), 30),
        (lambda rng, tasks: np.exp(rng.normal(size=tasks)), 60),
        (lambda rng, tasks: (rng.random(tasks) < 0.8).astype(float), 60),
    ],
    ids=["normal", "log-normal", "share"],
)
def test_series_without_a_change_rarely_shows_one(
    draw: Callable[[Any, int], Floats], tasks: int
) -> None:
    periods = [
        len(find_periods(draw(np.random.default_rng([seed, 5]), tasks), 0.05))
        for seed in range(300)
    ]
    # 5 %; 8 % of 300 would be exceeded by chance once in a hundred
    assert np.mean(np.array(periods) > 1) <= 0.08


def test_shift_of_one_standard_deviation_is_found() -> None:
    positions = []
    for seed in range(60):
        values = noise(seed, 80, 0.0, 1.0)
        values[40:] += 1
        positions += [period.tasks.start for period in find_periods(values, 0.05)[1:]]
    near = np.abs(np.array(positions) - 40) <= 15
    assert near.sum() >= 50
    assert (~near).sum() <= 8


def test_several_changes_are_found_and_parts_are_periods() -> None:
    values = np.concatenate([noise(1, 30), noise(2, 30, 90), noise(3, 30), noise(4, 30, 40)])
    result = drift(tasks_of(values), "seconds")
    assert len(result) == 4
    assert result["tasks"].sum() == 120
    np.testing.assert_allclose(result["tasks"], 30, atol=2)


@given(st.lists(st.integers(0, 3).map(float), max_size=40))
@settings(max_examples=40, deadline=None)
def test_periods_cover_the_series_and_ignore_units(values: list[float]) -> None:
    series = np.array(values, dtype=float)
    periods = find_periods(series, 0.2)
    assert [index for period in periods for index in range(*period.tasks.indices(40))] == list(
        range(len(series))
    )
    if len(periods) > 1:
        assert min(period.tasks.stop - period.tasks.start for period in periods) >= MIN_TASKS
    assert find_periods(np.exp(series), 0.2) == periods or len(periods) <= 1


def test_failures_are_a_share() -> None:
    state = ["succeeded"] * 40 + ["failed", "succeeded", "failed", "failed"] * 5
    frame = tasks_of(np.zeros(60), songs=1).assign(state=state)
    result = drift(frame.assign(failed=frame["state"] == "failed"), "failed")
    assert result["mean"].tolist() == pytest.approx([0, 0.75])
    assert (result["low"] >= 0).all()
    assert (result["high"] <= 1).all()
    assert result[["lower_limit", "upper_limit"]].isna().all(axis=None)


def test_levels_do_not_count_as_change() -> None:
    frame = tasks_of(noise(1, 30), noise(2, 30, 90)).assign(mv=["v4"] * 60 + ["v5"] * 60)
    assert len(drift(frame, "seconds")) == 2
    result = drift(frame, "seconds", within=["mv"])
    assert len(result) == 1
    assert result["mean"][0] == pytest.approx(frame["seconds"].mean())


def test_row_order_does_not_matter_and_incomplete_tasks_are_counted() -> None:
    frame = tasks_of(noise(1, 30), noise(2, 30, 90))
    plain = drift(frame, "seconds")
    pd.testing.assert_frame_equal(drift(frame.sample(frac=1, random_state=1), "seconds"), plain)
    lost = frame.assign(created_at=frame["created_at"].where(frame["task_id"] != "t3"))
    lost.loc[lost["task_id"] == "t5", "seconds"] = math.inf
    result = drift(lost, "seconds")
    assert result["tasks"].tolist() == [28, 30]
    assert result["missing_tasks"].tolist() == [2, 2]
    # one song of a task without a time: the other one dates it
    partly = frame.assign(created_at=frame["created_at"].where(frame.index != 6))
    pd.testing.assert_frame_equal(drift(partly, "seconds"), plain)


def test_empty_tables_have_all_columns_and_dtypes() -> None:
    full = drift(tasks_of(noise(1, 30)), ["seconds"])
    for empty in (
        drift(tasks_of([]), "seconds"),
        drift(tasks_of([1.0]), ()),
        drift(mnb.tasks_frame([]), "render_seconds"),
        drift(tasks_of([math.nan] * 12), "seconds"),
    ):
        assert len(empty) == 0
        assert empty.dtypes.equals(full.dtypes)
    assert len(drift(tasks_of([3.0]), "seconds")) == 1


def test_invalid_tables_are_refused() -> None:
    frame = tasks_of(noise(1, 30))
    with pytest.raises(BadFrame, match="'submitted_at'"):
        drift(frame.drop(columns="created_at"), "seconds")
    with pytest.raises(BadFrame, match=r"'created_at' .* not times"):
        drift(frame.assign(created_at=1.0), "seconds")
    with pytest.raises(BadFrame, match=r"'task_id' .* not number"):
        drift(frame, "task_id")
    with pytest.raises(InvalidArgument, match="level"):
        drift(frame, "seconds", level=95)
    assert len(drift(frame.rename(columns={"created_at": "day"}), "seconds", time="day")) == 1
