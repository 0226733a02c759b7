"""The size of an experiment: smallest effects of a design, and repeats for an effect."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from musicapi_nb import effects, repeats_needed, sonic, variance
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.plan import Plan

BASE = {"custom_mode": True, "prompt": "{voice}"}
FACTORS = {
    "mv": ["sonic-v6", "sonic-v6-mini"],
    "tags": ["jazz", "rock", "folk"],
    "voice": ["m", "f"],
}


def grid(repeats: int) -> Plan:
    return Plan.grid(sonic.Create, base=BASE, factors=FACTORS, repeats=repeats)


def test_two_levels_agree_with_the_formula_of_a_paired_test() -> None:
    for repeats in (4, 11, 30):
        degrees = repeats - 1
        quantiles = stats.t.ppf(0.975, degrees) + stats.t.ppf(0.8, degrees)
        difference = quantiles * math.sqrt(2 / repeats) * 5 * math.sqrt((1 + 0.5) / 2)
        assert repeats_needed(difference * 1.0001, 5) == repeats
        assert repeats_needed(difference * 0.9999, 5) == repeats + 1
    by_share = {icc: repeats_needed(0.1, 0.5, icc=icc) for icc in (0.0, 0.3, 0.6, 0.9)}
    assert list(by_share.values()) == sorted(by_share.values())
    assert by_share[0.0] == pytest.approx(198, abs=3)  # (1.96 + 0.84)^2 * 2 * 0.125 / 0.01
    assert repeats_needed(100, 1) == 2


def test_dry_run_states_the_smallest_effect_of_each_factor() -> None:
    run = grid(3).dry_run()
    sizes = {effect.factor: effect.task_sds for effect in run.smallest_effects}
    degrees = 36 - 7
    quantiles = stats.t.ppf(0.975, degrees) + stats.t.ppf(0.8, degrees)
    assert sizes["mv"] == pytest.approx(quantiles * math.sqrt(4 / 36))
    assert sizes["tags"] > sizes["mv"] * math.sqrt(1.5)  # fewer tasks a level, two comparisons
    assert "smallest effect: mv: 0.84 sd, 42 points of a share; tags: 1.1 sd" in repr(run)
    assert "80 % of experiments" in run._repr_html_()
    once = Plan.grid(sonic.Create, base=BASE, factors={"voice": ["m", "f"]}).dry_run()
    assert "voice: none, no repeats to measure chance with" in repr(once)


def test_size_in_units_of_earlier_songs() -> None:
    rng = np.random.default_rng(0)
    songs = pd.DataFrame({"task_id": np.repeat([f"t{index}" for index in range(200)], 2)})
    songs["song_id"] = [f"s{index}" for index in range(400)]
    songs["duration"] = np.repeat(rng.normal(180, 12, 200), 2) + rng.normal(0, 9, 400)
    table = variance(songs, ["duration"])
    run = grid(3).dry_run(variance=table)
    task_sd = songs.groupby("task_id")["duration"].mean().std()
    assert run.deviations is not None
    assert run.deviations["duration"] == pytest.approx(task_sd, rel=0.001)
    assert f"mv: duration {0.9665 * task_sd:.2g}" in repr(run)
    with pytest.raises(InvalidArgument, match=r"table of mnb.variance.*'outcome'"):
        grid(3).dry_run(variance=songs)


def test_experiments_of_the_stated_size_have_the_stated_power() -> None:
    plan = grid(3)
    size = next(effect for effect in plan.dry_run().smallest_effects if effect.factor == "tags")
    rows = [(cell.order, cell.block, cell.take, *cell.levels.values()) for cell in plan.cells]
    tasks = pd.DataFrame(rows, columns=["cell", "block", "take", *plan.factors])
    rng = np.random.default_rng(1)
    values = rng.normal(size=(80, len(tasks)))
    values += size.task_sds * (tasks["tags"] == "rock").to_numpy()
    found = []
    for durations in values:
        frame = tasks.assign(duration=durations)
        result = effects(frame, "tags", baseline="jazz").set_index("level")
        found.append(result["p_adjusted"]["rock"] < 0.05)
    assert 0.68 <= np.mean(found) <= 0.93


def test_repeats_of_a_plan() -> None:
    plan = grid(1)
    needed = repeats_needed(0.9, 1, icc=1, plan=plan, factor="mv")
    sizes = [
        next(effect.task_sds for effect in grid(repeats).dry_run().smallest_effects)
        for repeats in (needed - 1, needed)
    ]
    assert sizes[0] > 0.9 >= sizes[1]
    # beyond the designs that are computed, the line goes on
    many = repeats_needed(0.2, 1, icc=1, plan=plan, factor="mv")
    exact = next(effect.task_sds for effect in grid(many).dry_run().smallest_effects)
    assert exact == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ({"difference": 0}, "difference must be a number above 0"),
        ({"sd": "5"}, "sd must be a number"),
        ({"power": 1}, "power must be"),
        ({"icc": 2}, "icc must be a correlation"),
        ({"songs": 0}, "songs must be"),
        ({"difference": 1e-9}, "no number of repeats"),
        ({"plan": grid(1)}, r"factor must be one that varies in the plan \(mv, tags, voice\)"),
        ({"plan": grid(1), "factor": "title"}, "factor must be one that varies"),
    ],
)
def test_invalid_sizes_are_refused(arguments: dict[str, Any], pattern: str) -> None:
    with pytest.raises(InvalidArgument, match=pattern):
        repeats_needed(**{"difference": 1.0, "sd": 1.0, **arguments})
