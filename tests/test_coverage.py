"""Seeded simulations: bias, type I error and coverage of effects in the package's own designs.

`benchmarks/coverage.py` has many more cases and tables.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from musicapi_nb import dose_response, effects, sonic
from musicapi_nb.plan import Plan

Floats = NDArray[np.float64]

TABLES = 300
FACTORS = {
    "mv": ["sonic-v6", "sonic-v6-mini"],
    "tags": ["jazz", "rock", "folk"],
    "topic": ["rain", "sea", "hill"],
}
ADDED = {"rock": 3.0, "folk": -2.0, "sea": 1.0, "hill": 4.0}
BASE = {"custom_mode": True, "prompt": "x", "title": "{topic}"}


def songs_of(tasks: pd.DataFrame, values: Floats) -> tuple[pd.DataFrame, list[str]]:
    """Return two songs for each task, and the names of their outcomes, one for each table."""
    frame = tasks.loc[tasks.index.repeat(2)].reset_index(drop=True)
    frame["task_id"] = [f"t{index // 2}" for index in range(len(frame))]
    frame["song_id"] = [f"s{index}" for index in range(len(frame))]
    names = [f"y{index}" for index in range(values.shape[-1])]
    outcomes = pd.DataFrame(values.reshape(len(frame), -1), columns=names)
    return pd.concat([frame, outcomes], axis=1), names


def draw(rng: np.random.Generator, tasks: int, *, skewed: bool = False) -> Floats:
    """Draw pairs of songs correlated by 0.6: (tasks, songs, tables)."""
    shared = rng.normal(size=(tasks, 1, TABLES)) * math.sqrt(0.6)
    values: Floats = shared + rng.normal(size=(tasks, 2, TABLES)) * math.sqrt(0.4)
    return (np.exp(0.5 * values) - math.exp(0.125)) / 0.604 if skewed else values


def plan_of(design: str) -> pd.DataFrame:
    options: dict[str, Any] = {"base": BASE, "repeats": 8, "factors": FACTORS}
    if design == "latin":
        options["factors"] = {**FACTORS, "mv": [*FACTORS["mv"], "sonic-v6-wild"]}
    plan = getattr(Plan, design)(sonic.Create, **options)
    rows = [(cell.order, cell.block, cell.take, *cell.levels.values()) for cell in plan.cells]
    tasks = pd.DataFrame(rows, columns=["cell", "block", "take", *plan.factors])
    if design != "grid":
        return tasks
    chance = np.where((tasks["mv"] == "sonic-v6-mini") & (tasks["tags"] == "rock"), 0.6, 0.05)
    lost = np.random.default_rng(0).random(len(tasks)) < chance
    return tasks[~lost].reset_index(drop=True)


@pytest.mark.parametrize("skewed", [False, True], ids=["normal", "skewed"])
@pytest.mark.parametrize("design", ["one_at_a_time", "pairwise", "latin", "grid"])
def test_a_factor_without_effect_beside_others_with_one(design: str, skewed: bool) -> None:  # noqa: FBT001 - of pytest
    tasks = plan_of(design)
    added = np.asarray(sum(tasks[name].map(ADDED).fillna(0.0) for name in ("tags", "topic")))
    values = draw(np.random.default_rng(1), len(tasks), skewed=skewed) + added[:, None, None]
    frame, names = songs_of(tasks, values)
    rows = effects(frame, "mv", outcomes=names, correction=None)
    assert abs(rows["estimate"].mean()) < 0.1
    # 5 %, and three standard errors of 300 tables
    assert 0.012 <= (rows["p"] <= 0.05).mean() <= 0.088
    covered = ((rows["low"] <= 0) & (rows["high"] >= 0)).mean()
    assert 0.912 <= covered <= 0.988


def test_power_of_a_grid_of_three_blocks() -> None:
    grid = itertools.product(range(1, 4), range(2), range(3), range(2))
    tasks = pd.DataFrame(list(grid), columns=["block", "mv", "tags", "voice"])
    tasks.insert(0, "cell", range(len(tasks)))
    tasks = tasks.astype(dict.fromkeys(("mv", "tags", "voice"), str))
    noise = np.random.default_rng(2).normal(size=(len(tasks), 1, TABLES))
    added = np.asarray((tasks["mv"] == "1") + 3.0 * (tasks["tags"] == "1"))
    frame, names = songs_of(tasks, np.repeat(noise + added[:, None, None], 2, axis=1))
    assert (effects(frame, "mv", outcomes=names, correction=None)["p"] <= 0.05).mean() > 0.76


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.9, 0.6), (0.3, 0.05), (0.98, 0.98)])
@pytest.mark.parametrize("tasks", [5, 10])
def test_shares_of_few_tasks(shares: tuple[float, float], tasks: int) -> None:
    rng = np.random.default_rng(3)
    design = pd.DataFrame({"cell": range(2 * tasks), "style": ["a", "b"] * tasks})
    chance = np.where(design["style"] == "b", *shares)[:, None, None]
    shape = (2 * tasks, 2, TABLES)
    shared = rng.random((2 * tasks, 1, TABLES)) < chance
    hits = np.where(rng.random(shape) < math.sqrt(0.6), shared, rng.random(shape) < chance)
    frame, names = songs_of(design, hits.astype("float64"))
    for measure, truth in (("difference", shares[0] - shares[1]), ("ratio", shares[0] / shares[1])):
        rows = effects(frame, "style", outcomes=names, correction=None, measure=measure)  # type: ignore[arg-type]  # words of the pairs above
        assert rows[["low", "high"]].notna().all(axis=None)
        assert ((rows["low"] <= truth + 1e-12) & (truth - 1e-12 <= rows["high"])).mean() >= 0.91


def test_slopes_of_few_blocks() -> None:
    rng = np.random.default_rng(4)
    doses = np.tile([0.1, 0.3, 0.5, 0.9], 6)
    design = pd.DataFrame({"cell": range(24), "weight": doses, "block": np.arange(24) // 4})
    frame, names = songs_of(design, draw(rng, 24) + 2 * doses[:, None, None])
    rows = dose_response(frame, "weight", outcomes=names, correction=None)
    assert 0.912 <= ((rows["low"] <= 2) & (rows["high"] >= 2)).mean() <= 0.988
    assert (rows["p_linear"] <= 0.05).mean() <= 0.088


def find_any(levels: int, blocks: int, outcomes: int, tables: Sequence[int]) -> float:
    """Return how often a table without any effect has an adjusted p below 0.05."""
    cells = np.arange(levels * blocks)
    style = [f"L{index:02}" for index in range(levels)] * blocks
    tasks = pd.DataFrame({"cell": cells, "block": cells // levels, "style": style})
    found = []
    for table in tables:
        values = draw(np.random.default_rng(table), len(cells))[:, :, :outcomes]
        frame, names = songs_of(tasks, values)
        rows = effects(frame, "style", outcomes=names)
        found.append((rows["p_adjusted"] <= 0.05).any())
    return float(np.mean(found))


def test_family_wise_error() -> None:
    assert find_any(6, 6, 3, range(60)) <= 0.14  # 5 %, and three standard errors of 60 tables
