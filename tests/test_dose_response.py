"""Dose response: slopes, the test of the line, what is refused."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from musicapi_nb import dose_response
from musicapi_nb.errors import BadFrame, InvalidArgument

DOSES = (0.1, 0.3, 0.5, 0.9)


def doses_table(
    curve: Callable[[float], float], *, seed: int = 0, blocks: int = 5, spread: float = 3.0
) -> pd.DataFrame:
    """Return two songs for each task of a plan with the factors `weight` and `mv`."""
    rng = np.random.default_rng(seed)
    rows = []
    grid = itertools.product(range(1, blocks + 1), DOSES, ("v4", "v5"))
    for cell, (block, weight, mv) in enumerate(grid):
        mean = 100 + curve(weight) + 8 * (mv == "v5") + rng.normal(0, spread)
        rows += [
            (cell, block, 1, weight, mv, f"t{cell}", f"s{cell}.{song}", mean + rng.normal(0, 1))
            for song in range(2)
        ]
    names = ["cell", "block", "take", "weight", "mv", "task_id", "song_id", "duration"]
    return pd.DataFrame(rows, columns=names)


def test_slope_against_statsmodels() -> None:
    frame = doses_table(lambda weight: 20 * weight)[:-6]
    (row,) = dose_response(frame, "weight").to_dict("records")
    tasks = frame.groupby("cell", as_index=False).agg(
        {"weight": "first", "mv": "first", "block": "first", "duration": "mean"}
    )
    dummies = [
        pd.get_dummies(tasks[name], drop_first=True, dtype=float) for name in ("mv", "block")
    ]
    matrix = np.column_stack([np.ones(len(tasks)), tasks["weight"], *dummies])
    reference = sm.OLS(tasks["duration"].to_numpy(), matrix).fit(cov_type="HC2")
    assert row["slope"] == pytest.approx(reference.params[1])
    error = (row["high"] - row["low"]) / 2 / stats.t.ppf(0.975, row["degrees"])
    assert error == pytest.approx(reference.bse[1])
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["slope"]) / error, row["degrees"]))
    sizes = {
        "doses": 4,
        "songs": 74,
        "tasks": 37,
        "missing_songs": 0,
        "lowest": 0.1,
        "highest": 0.9,
    }
    assert {name: row[name] for name in sizes} == sizes
    assert row["mean"] == pytest.approx(tasks["duration"].mean())
    assert row["mean_dose"] == pytest.approx(tasks["weight"].mean())


def test_curvature_is_found_and_a_line_is_not() -> None:
    lines = [
        dose_response(doses_table(lambda dose: 20 * dose, seed=seed), "weight")
        for seed in range(60)
    ]
    p_values = pd.concat(lines)["p_linear"]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    bent = dose_response(doses_table(lambda weight: 80 * (weight - 0.5) ** 2), "weight")
    assert bent["p_linear"].item() < 0.001
    step = dose_response(doses_table(lambda weight: 9.0 * (weight > 0.2)), "weight")
    assert step["p_linear"].item() < 0.05
    two = doses_table(lambda weight: weight)
    assert math.isnan(
        dose_response(two[two["weight"].isin(DOSES[:2])], "weight")["p_linear"].item()
    )


def test_shares_and_several_outcomes() -> None:
    rng = np.random.default_rng(3)
    frame = doses_table(lambda weight: 20 * weight, blocks=20)
    frame["has"] = rng.random(len(frame)) < frame["weight"]
    frame["always"] = True
    rows = dose_response(frame, "weight", outcomes=["duration", "has", "always"]).set_index(
        "outcome"
    )
    _, has, always = rows.to_dict("records")
    assert has["slope"] == pytest.approx(1, abs=0.25)
    assert always["slope"] == pytest.approx(0)
    assert always["low"] < -0.005
    assert always["p"] == pytest.approx(1)
    assert (rows["p_adjusted"] >= rows["p"]).all()
    assert (rows["joint_low"] < rows["low"]).all()
    tags = frame.loc[frame["has"], ["task_id", "song_id"]].assign(tag="jazz")
    present = dose_response(
        frame.assign(state="succeeded"), "weight", outcomes=(), tags=tags, presence=["Jazz"]
    )
    assert present["slope"].item() == pytest.approx(has["slope"])


def test_missing_doses_and_tables_without_a_slope() -> None:
    frame = doses_table(lambda weight: 20 * weight)
    partial = frame.assign(weight=frame["weight"].mask(frame["cell"] < 8))
    row = dose_response(partial, "weight").iloc[0]
    assert (row["missing_songs"], row["songs"]) == (16, 64)
    assert dose_response(frame.assign(weight=0.5), "weight").empty
    assert dose_response(frame[:0], "weight").empty
    full = dose_response(frame, "weight")
    assert dose_response(frame[:0], "weight").dtypes.equals(full.dtypes)
    lost = dose_response(frame.assign(duration=math.nan), "weight").iloc[0]
    assert np.isnan([lost["slope"], lost["low"], lost["p"], lost["p_linear"]]).all()
    with pytest.raises(BadFrame, match=r"'weight' .* not number"):
        dose_response(frame.assign(weight="high"), "weight")
    with pytest.raises(BadFrame, match="weight cannot be distinguished from that of mv"):
        dose_response(frame.assign(mv=frame["weight"]), "weight")
    with pytest.raises(BadFrame, match="no degrees of freedom"):
        dose_response(frame[frame["cell"].isin([0, 2])], "weight")
    with pytest.raises(InvalidArgument, match="no slope"):
        dose_response(frame.assign(a=1.0), "weight", outcomes=[("duration", "a")])
    with pytest.raises(InvalidArgument, match="one column"):
        dose_response(frame, ("weight", "mv"))  # type: ignore[arg-type]  # as for effects
