"""Looks at an experiment before its end: limits, type I error, and stopping at whole blocks."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from musicapi_nb import MusicAPI, studio
from musicapi_nb.analysis.sequential import planned_looks, sequential_looks, spending_limits
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.experiment import Experiment, StopRule
from musicapi_nb.library import Library
from musicapi_nb.plan import Plan
from musicapi_nb.simulator import Simulator

KEY = "sk-of-an-account-0001"


# --- limits --------------------------------------------------------------------------------


def test_limits_against_published_bounds() -> None:
    # O'Brien-Fleming type spending of 0.05 at five equal looks: Lan and DeMets 1983; the program
    # of Reboussin et al., Control. Clin. Trials 21, 2000
    limits = spending_limits([0.2, 0.4, 0.6, 0.8, 1.0], 0.05)
    bounds = stats.norm.isf(limits / 2)
    assert bounds == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)
    assert spending_limits([1.0], 0.05) == pytest.approx([0.05])


def test_all_looks_together_err_in_five_percent() -> None:
    looks = planned_looks(30, 2)
    assert looks[:2] == [2, 4]
    assert looks[-1] == 30
    bounds = stats.norm.isf(spending_limits([look / 30 for look in looks], 0.05) / 2)
    sums = np.random.default_rng(0).normal(size=(20_000, 30)).cumsum(axis=1)
    scores = np.abs(sums[:, np.array(looks) - 1] / np.sqrt(looks))
    assert (scores > bounds).any(axis=1).mean() == pytest.approx(0.05, abs=0.005)
    assert planned_looks(5, 1) == [2, 3, 4, 5]
    assert planned_looks(3, 9) == [3]


def blocks_table(effect: float, *, blocks: int = 12, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (2 * block + side, block + 1, 1, "ab"[side], f"t{block}{side}", f"s{block}{side}")
        for block in range(blocks)
        for side in range(2)
    ]
    frame = pd.DataFrame(rows, columns=["cell", "block", "take", "mv", "task_id", "song_id"])
    return frame.assign(duration=rng.normal(180, 5, len(frame)) + effect * (frame["mv"] == "b"))


def test_looks_end_with_the_deciding_look() -> None:
    large = sequential_looks(blocks_table(25.0), "mv", blocks=12, every=2)
    assert large["decided"].tolist() == [False] * (len(large) - 1) + [True]
    assert large["block"].iloc[-1] < 12
    assert (large["share"] == large["block"] / 12).all()
    none = sequential_looks(blocks_table(0.0), "mv", blocks=12, every=2)
    assert none["block"].tolist() == [2, 4, 6, 8, 10, 12]
    assert not none["decided"].any()
    early = sequential_looks(blocks_table(0.0)[:8], "mv", blocks=12, every=2)
    pd.testing.assert_frame_equal(early, none[:2])
    assert sequential_looks(blocks_table(0.0)[:0], "mv", blocks=12).empty
    with pytest.raises(BadFrame, match="'voice'"):
        sequential_looks(blocks_table(0.0), "voice", blocks=12)


def test_type_1_error_of_looks_at_tables() -> None:
    wrong = [
        sequential_looks(blocks_table(0.0, blocks=10, seed=seed), "mv", blocks=10, every=3)[
            "decided"
        ].any()
        for seed in range(120)
    ]
    assert np.mean(wrong) <= 0.1  # 5 %, and three standard errors; benchmarks/coverage.py has more


# --- experiments ---------------------------------------------------------------------------


def design(repeats: int) -> Plan:
    return Plan.grid(
        studio.Description,
        base={"prompt": "{way}", "model_type": "studio130-v1.5"},
        factors={"way": ["techno", "house"]},
        repeats=repeats,
    )


async def run_rule(folder: Path, rule: StopRule, repeats: int, **options: Any) -> Any:
    """Run a plan with a stop rule; return the experiment, its tables and the simulator's books."""
    async with Simulator(speed=3000, balance=100_000, seconds=(1.0, 1.2)) as sim:
        sim.faults.arm("wrong_type_download", times=None)  # no audio is made, which takes longest
        with Library(folder) as library:
            async with MusicAPI(
                KEY, base_url=sim.url, speed=sim.speed, pace=0, ledger=library
            ) as api:
                before = (await api.credits()).total
                run = Experiment("houses", design(repeats), api, library, stop=rule, **options)
                await run.run()
                looks, frame, progress = run.looks(), run.frame(), run.progress
                again = Experiment("houses", design(repeats), api, library, stop=rule, **options)
                await again.run()
                spent = before - (await api.credits()).total
                return looks, frame, progress, again.frame(), spent


@pytest.mark.parametrize("concurrency", [1, 8])
async def test_experiment_stops_at_a_whole_block(tmp_path: Path, concurrency: int) -> None:
    rule = StopRule(factor="way", outcome="tag: house", every=2)
    looks, frame, progress, again, spent = await run_rule(
        tmp_path / "library", rule, 20, concurrency=concurrency
    )
    assert looks["decided"].tolist()[-1:] == [True]
    last = int(looks["block"].iloc[-1])
    assert 2 < last < 20
    states = frame.groupby(frame["block"] <= last)["state"].agg(set).to_dict()
    assert states == {True: {"done"}, False: {"not_run"}}
    assert progress.state == "stopped"
    assert progress.stop_reason is not None
    assert f"decided after round {last} of 20: way changes tag: house (p " in progress.stop_reason
    # the second run buys nothing, and every purchase was charged once
    assert again["state"].tolist() == frame["state"].tolist()
    assert spent == frame["credits"].sum() == 2 * last * frame["price"].iloc[0]


async def test_undecided_experiment_runs_to_its_end(tmp_path: Path) -> None:
    rule = StopRule(factor="way", outcome="failed", every=2)
    looks, frame, progress, _, spent = await run_rule(tmp_path / "library", rule, 4)
    assert looks["block"].tolist() == [2, 4]
    assert not looks["decided"].any()
    assert progress.state == "ended"
    assert set(frame["state"]) == {"done"}
    assert spent == frame["price"].sum()


async def test_rule_and_budget_stop_at_the_first_of_both(tmp_path: Path) -> None:
    rule = StopRule(factor="way", outcome="tag: house", every=2)
    price = design(1).cells[0].request.price()
    assert price is not None
    _, frame, progress, _, spent = await run_rule(
        tmp_path / "library", rule, 20, budget=6 * price + 1
    )
    assert set(frame[frame["block"] <= 3]["state"]) == {"done"}
    assert set(frame[frame["block"] > 3]["state"]) == {"not_run"}
    assert "do not cover round 4" in str(progress.stop_reason)
    assert spent == 6 * price


async def test_rule_that_cannot_be_tested_stops_the_purchases(tmp_path: Path) -> None:
    rule = StopRule(factor="way", outcome="title")  # a text
    _, frame, progress, _, _ = await run_rule_without_looks(tmp_path / "library", rule)
    assert set(frame[frame["block"] <= 2]["state"]) == {"done"}
    assert set(frame[frame["block"] > 2]["state"]) == {"not_run"}
    assert "could not be tested after round 2: column 'title'" in str(progress.stop_reason)


async def run_rule_without_looks(folder: Path, rule: StopRule) -> Any:
    async with Simulator(speed=3000, balance=100_000, seconds=(1.0, 1.2)) as sim:
        sim.faults.arm("wrong_type_download", times=None)
        with Library(folder) as library:
            async with MusicAPI(
                KEY, base_url=sim.url, speed=sim.speed, pace=0, ledger=library
            ) as api:
                run = await Experiment("houses", design(4), api, library, stop=rule).run()
                return None, run.frame(), run.progress, None, None


async def test_invalid_rules_are_refused(tmp_path: Path) -> None:
    with Library(tmp_path / "library") as library:
        async with MusicAPI(KEY, base_url="http://127.0.0.1:9", ledger=library) as api:

            def assert_refused(pattern: str, rule: Any) -> None:
                with pytest.raises(InvalidArgument, match=pattern):
                    Experiment("houses", design(4), api, library, stop=rule)

            assert_refused("no factor 'mv' that varies; it has way", StopRule(factor="mv"))
            assert_refused(r"not a column of songs\(\)", StopRule(factor="way", outcome="loud"))
            assert_refused("must be a StopRule", {"factor": "way"})
            plain = Experiment("houses", design(4), api, library)
            with pytest.raises(InvalidArgument, match="has no stop rule"):
                plain.looks()
    invalid: dict[str, Any] = {"every": 0, "level": 95, "outcome": 3}
    for name, value in invalid.items():
        with pytest.raises(InvalidArgument, match=name):
            StopRule(factor="way", **{name: value})
