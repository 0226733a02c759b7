"""Designs: coverage, near-minimal sizes, alias structure, and dry runs."""

import asyncio
import itertools
import math
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.client import Balance, MusicAPI
from musicapi_nb.engines import lyrics, sonic, studio
from musicapi_nb.errors import InvalidArgument, InvalidPlan
from musicapi_nb.notebook import connect
from musicapi_nb.plan import Aliasing, DryRun, Plan, designs, orthogonal_arrays
from musicapi_nb.simulator import Simulator

X = "\N{MULTIPLICATION SIGN}"
sizes_of = st.lists(st.integers(1, 5), min_size=1, max_size=7)


def covers_all_pairs(rows: Sequence[Sequence[int]], sizes: Sequence[int]) -> bool:
    return all(
        {(row[i], row[j]) for row in rows}
        == set(itertools.product(range(sizes[i]), range(sizes[j])))
        for i, j in itertools.combinations(range(len(sizes)), 2)
    )


def plan_of(make: Callable[..., Plan], sizes: Sequence[int], **arguments: Any) -> Plan:
    names = "abcdefghij"[: len(sizes)]
    factors = {name: range(size) for name, size in zip(names, sizes, strict=True)}
    text = "".join(f"{{{name}}}" for name in names)
    base = {"custom_mode": False, "mv": "sonic-v5", "gpt_description_prompt": text}
    return make(sonic.Create, base=base, factors=factors, **arguments)


def plan_from(rows: Sequence[Sequence[int]]) -> Plan:
    names = list("abcdefghij"[: len(rows[0])])
    base = {"prompt": "".join(f"{{{name}}}" for name in names), "model_type": "studio32-v1.5"}
    frame = pd.DataFrame(list(rows), columns=names)
    return Plan.from_frame(studio.Description, frame, base=base)


# --- covering arrays and squares -------------------------------------------------------------


@given(sizes=sizes_of, seed=st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_pairwise_covers_every_pair(sizes: list[int], seed: int) -> None:
    rows = designs.covering_array(sizes, random.Random(seed))

    assert covers_all_pairs(rows, sizes)
    assert len(rows) <= math.prod(sizes)
    assert rows == designs.covering_array(sizes, random.Random(seed))


# The fewest rows published (tables of covering arrays; AETG's figures for mixed levels), and how
# many more are accepted here.
@pytest.mark.parametrize(
    ("sizes", "fewest", "slack"),
    [
        ([2] * 3, 4, 0),
        ([2] * 10, 6, 0),
        ([2] * 100, 10, 0),
        ([3] * 4, 9, 0),
        ([4] * 5, 16, 0),
        ([9] * 10, 81, 0),
        ([12, 5, 4, 3], 60, 0),
        ([3, 3, 2, 2], 9, 0),
        ([3] * 5, 11, 2),
        ([3] * 13, 15, 4),
        ([4] * 6, 19, 5),
        ([6] * 4, 37, 7),
        ([4] * 15 + [3] * 17 + [2] * 29, 41, 2),
        ([4] + [3] * 39 + [2] * 35, 28, 4),
    ],
    ids=lambda value: None if isinstance(value, int) else f"{value[:5]} of {len(value)}",
)
def test_pairwise_is_near_the_smallest_known(sizes: list[int], fewest: int, slack: int) -> None:
    rows = designs.covering_array(sizes, random.Random(1))

    assert covers_all_pairs(rows, sizes)
    assert len(rows) <= fewest + slack
    if slack == 0:
        assert len(rows) == fewest


def test_wide_pairwise_is_fast() -> None:
    started = time.process_time()
    rows = designs.covering_array([10] * 20, random.Random(0))

    assert covers_all_pairs(rows, [10] * 20)
    assert len(rows) <= 215  # AETG's published figure is 194
    assert time.process_time() - started < 40


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 27])
def test_orthogonal_array_contains_every_pair_once(levels: int) -> None:
    columns = orthogonal_arrays.max_columns(levels)
    rows = orthogonal_arrays.orthogonal_array(levels, columns)

    assert len(rows) == levels**2
    assert covers_all_pairs(rows, [levels] * columns)
    exceptions = {6: 3, 10: 3, 12: 4}
    assert columns == exceptions.get(levels, levels + 1)


@given(
    levels=st.sampled_from([2, 3, 4, 5, 7, 8]), factors=st.integers(3, 9), seed=st.integers(0, 9)
)
@settings(max_examples=30, deadline=None)
def test_latin_plans_are_squares(levels: int, factors: int, seed: int) -> None:
    if factors > levels + 1:
        with pytest.raises(InvalidPlan, match=f"for at most {levels + 1} factors, not {factors}"):
            plan_of(Plan.latin, [levels] * factors, seed=seed)
        return
    plan = plan_of(Plan.latin, [levels] * factors, seed=seed)

    rows = [tuple(cell.levels.values()) for cell in plan]
    assert len(rows) == levels**2
    assert covers_all_pairs(rows, [levels] * factors)


def test_seeds_give_different_squares() -> None:
    squares = {
        frozenset(tuple(cell.levels.values()) for cell in plan_of(Plan.latin, [4] * 3, seed=seed))
        for seed in range(20)
    }
    assert len(squares) > 5


@pytest.mark.parametrize(
    ("make", "sizes", "message"),
    [
        (Plan.latin, [3, 3], "a Latin square needs three factors or more"),
        (
            Plan.latin,
            [3, 3, 4],
            "the same number of levels, two or more, in all factors; they have 3, 3, 4",
        ),
        (Plan.latin, [1, 1, 1], "two or more, in all factors; they have 1, 1, 1"),
        (
            Plan.latin,
            [6] * 4,
            "Latin squares of 6 levels are available for at most 3 factors, not 4",
        ),
        (Plan.latin, [400] * 3, "would have 160,000 requests"),
        (Plan.pairwise, [3], "pairwise needs two factors or more"),
        (Plan.pairwise, [400, 400, 2], "would have 160,000 requests"),
        (Plan.pairwise, [300] * 10, "10 factors of up to 300 levels are too many"),
        (Plan.one_at_a_time, [], "one_at_a_time needs at least one factor"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_impossible_designs_are_refused(
    make: Callable[..., Plan], sizes: list[int], message: str
) -> None:
    with pytest.raises(InvalidPlan, match=r"factor|would have") as caught:
        plan_of(make, sizes)
    assert message in str(caught.value)


# --- aliasing ---------------------------------------------------------------------------------


def aliasing_of(plan: Plan) -> Aliasing:
    return plan.dry_run().aliasing


def verdicts(aliasing: Aliasing) -> dict[str, str]:
    return {effect.name: effect.verdict for effect in aliasing.effects}


def test_all_effects_of_a_grid_are_clear() -> None:
    aliasing = aliasing_of(plan_of(Plan.grid, [3, 2, 2], repeats=2))

    assert set(verdicts(aliasing).values()) == {"clear"}
    assert set(verdicts(aliasing)) == {"a", "b", "c", f"a {X} b", f"a {X} c", f"b {X} c"}
    assert aliasing.rows() == [(f"a, b, c, a {X} b, a {X} c, b {X} c", "yes", "")]


def test_half_of_a_grid_aliases_main_effects_with_interactions() -> None:
    aliasing = aliasing_of(plan_of(Plan.latin, [2] * 3))

    for main, first, second in ("abc", "bac", "cab"):
        assert aliasing[main].verdict == "conditional"
        assert aliasing[main].aliased_with == ((first, second),)
        assert aliasing[first, second].verdict == "aliased"
        assert aliasing[second, first].aliased_with == ((main,),)
    assert ("a", "only if interactions are zero", f"b {X} c") in aliasing.rows()
    assert (f"a {X} b", "no", "c") in aliasing.rows()
    assert f"a {X} b: no (aliased with c)" in str(aliasing)


def test_interactions_aliased_with_each_other() -> None:
    """Half of a 2 x 2 x 2 x 2 grid, chosen by parity, aliases pairs with pairs."""
    rows = [row for row in itertools.product(range(2), repeat=4) if sum(row) % 2 == 0]
    aliasing = aliasing_of(plan_from(rows))

    assert {aliasing[name].verdict for name in "abcd"} == {"clear"}
    assert aliasing["a", "b"].verdict == "conditional"
    assert aliasing["a", "b"].aliased_with == (("c", "d"),)
    assert (f"a {X} b", "only if other interactions are zero", f"c {X} d") in aliasing.rows()


def test_one_at_a_time_estimates_no_interaction() -> None:
    aliasing = aliasing_of(plan_of(Plan.one_at_a_time, [3, 2, 2]))

    for pair in itertools.combinations("abc", 2):
        assert aliasing[pair].verdict == "aliased"
        assert aliasing[pair].missing_combinations
    assert aliasing["a"].verdict == "conditional"
    assert "no; some combinations of levels are missing" in str(aliasing)


def test_factors_that_change_together_are_aliased() -> None:
    aliasing = aliasing_of(plan_from([(0, 0, 0), (1, 1, 0), (0, 0, 1), (1, 1, 1)]))

    assert (aliasing["a"].verdict, aliasing["a"].aliased_with) == ("aliased", (("b",),))
    assert (aliasing["b"].verdict, aliasing["b"].aliased_with) == ("aliased", (("a",),))
    assert aliasing["c"].verdict == "clear"
    assert "a: no (aliased with b)" in str(aliasing)


def test_nested_factor_is_partly_estimable() -> None:
    aliasing = aliasing_of(plan_from([(0, 0), (0, 1), (1, 2), (1, 3)]))

    assert (aliasing["a"].verdict, aliasing["a"].aliased_with) == ("aliased", (("b",),))
    assert (aliasing["b"].verdict, aliasing["b"].aliased_with) == ("partial", (("a",),))


def test_factor_that_changes_with_the_block_is_aliased_with_it() -> None:
    blocks = plan_of(Plan.grid, [2, 1]) + plan_of(Plan.grid, [2, 1])
    assert aliasing_of(blocks)["a"].verdict == "clear"

    first, second = plan_from([(0, 0), (1, 0)]), plan_from([(0, 1), (1, 1)])
    aliasing = aliasing_of(first + second)
    assert aliasing["a"].verdict == "clear"
    assert (aliasing["b"].verdict, aliasing["b"].aliased_with) == ("aliased", (("block",),))
    assert "b: no (aliased with block)" in str(aliasing)


def test_constant_factors_are_listed() -> None:
    aliasing = aliasing_of(plan_of(Plan.grid, [2, 1]))
    assert aliasing.constant == ("b",)
    assert ("b", "no, the same in all requests", "") in aliasing.rows()
    with pytest.raises(KeyError):
        _ = aliasing["b"]
    single = aliasing_of(plan_of(Plan.grid, [1]))
    assert single.effects == ()
    assert single.rows() == [("a", "no, the same in all requests", "")]
    assert "estimable" in plan_of(Plan.grid, [1]).dry_run()._repr_html_()
    assert "estimable" not in plan_of(Plan.grid, []).dry_run()._repr_html_()


def test_effects_aliased_with_several_together_are_marked() -> None:
    rows = aliasing_of(plan_of(Plan.pairwise, [3, 3, 2], seed=0)).rows()
    assert ("a, b", "only if interactions are zero", "several effects together") in rows


def test_factor_of_very_many_levels_is_compared_with_each_single_factor() -> None:
    nested = aliasing_of(plan_from([(row, row % 3) for row in range(300)]))
    assert nested.too_many_levels == ("a",)
    assert (nested["b"].verdict, nested["b"].aliased_with) == ("aliased", (("a",),))
    crossed = aliasing_of(plan_from([(row % 250, row % 3) for row in range(700)]))
    assert crossed["b"].verdict == "clear"
    assert "a: not computed, more than 200 levels" in str(crossed)


def test_effects_of_very_large_designs_are_not_computed() -> None:
    levels = aliasing_of(
        plan_from([(row % 199, row % 200, row % 198, row % 197) for row in range(300)])
    )
    assert verdicts(levels) == dict.fromkeys("abcd", "not computed")
    assert levels.rows() == [("a, b, c, d", "not computed, too many levels", "")]

    third_of_a_grid = list(itertools.product(range(16), repeat=3))[::3]
    interactions = verdicts(aliasing_of(plan_from(third_of_a_grid)))
    assert {interactions[name] for name in "abc"} == {"conditional"}
    assert interactions[f"a {X} b"] == "not computed"


def _dummies(rows: np.ndarray[Any, Any], columns: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return 0/1 columns of every combination of levels, unlike the contrasts under test."""
    keys = [tuple(row[list(columns)]) for row in rows]
    levels = sorted(set(keys))
    return np.array([[key == level for level in levels] for key in keys], dtype=float)


def _rank(*parts: np.ndarray[Any, Any]) -> int:
    return int(np.linalg.matrix_rank(np.concatenate(parts, axis=1))) if parts else 0


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)),
        min_size=2,
        max_size=24,
    ),
    st.integers(1, 23),
)
@settings(max_examples=80, deadline=None)
def test_verdicts_match_ranks_of_dummy_coding(cells: list[tuple[int, ...]], split: int) -> None:
    parts = [part for part in (cells[:split], cells[split:]) if part]
    plan = plan_from(parts[0]) if len(parts) == 1 else plan_from(parts[0]) + plan_from(parts[1])
    aliasing = aliasing_of(plan)

    blocked = [(block, *row) for block, part in enumerate(parts) for row in part]
    rows = np.array(blocked)
    varying = [i for i in range(1, 5) if len({row[i] for row in blocked}) > 1]
    sizes = {i: len({row[i] for row in blocked}) for i in varying}
    block, mains = _dummies(rows, [0]), {i: _dummies(rows, [i]) for i in varying}
    pairs = {pair: _dummies(rows, pair) for pair in itertools.combinations(varying, 2)}
    name = {i: "xabcd"[i] for i in varying}
    assert set(verdicts(aliasing)) == {
        *name.values(),
        *(f"{name[i]} {X} {name[j]}" for i, j in pairs),
    }

    for i in varying:
        others = [mains[j] for j in varying if j != i]
        added = _rank(block, *mains.values()) - _rank(block, *others)
        verdict = aliasing[name[i]].verdict
        assert (added == sizes[i] - 1) == (verdict in {"clear", "conditional"})
        assert (added == 0) == (verdict == "aliased")
    for (i, j), columns in pairs.items():
        full = (sizes[i] - 1) * (sizes[j] - 1)
        others = [matrix for pair, matrix in pairs.items() if pair != (i, j)]
        total = _rank(block, *mains.values(), *pairs.values())
        added_to_all = total - _rank(block, *mains.values(), *others)
        added_to_mains = _rank(block, *mains.values(), columns) - _rank(block, *mains.values())
        effect = aliasing[name[i], name[j]]
        assert (added_to_all == full) == (effect.verdict == "clear")
        assert (added_to_mains == full) == (effect.verdict in {"clear", "conditional"})
        assert (added_to_mains == 0) == (effect.verdict == "aliased")
        combinations = len({(row[i], row[j]) for row in blocked})
        if combinations == sizes[i] * sizes[j] and len(parts) == 1:
            assert not effect.missing_combinations


# --- dry run ---------------------------------------------------------------------------------


def test_dry_run_sums_songs_credits_share_and_time() -> None:
    run = plan_of(Plan.grid, [3, 2], repeats=3).dry_run(300)

    assert isinstance(run, DryRun)
    assert (run.cells, run.blocks, run.songs, run.credits) == (18, 3, 36, 360)
    assert (run.balance, run.share, run.blocks_covered) == (300, 1.2, 2)
    assert run.seconds == 17 * 3.0
    for text in (
        "18, in 3 rounds",
        "300 credits; the plan needs 120% of it: enough for 2 of 3",
        "about 51 s to send all, one every 3 s, then about 2 to 4 min",
    ):
        assert text in repr(run)
        assert text in run._repr_html_()
    with pytest.raises(AttributeError):
        run.cells = 1  # type: ignore[misc]  # frozen


def test_unknown_balance_has_no_share() -> None:
    run = plan_of(Plan.grid, [3, 2]).dry_run()

    assert (run.balance, run.share, run.blocks_covered) == (None, None, None)
    assert "balance" not in repr(run)


def test_empty_balance_covers_no_block() -> None:
    run = plan_of(Plan.grid, [2]).dry_run(0, pace=0)

    assert (run.share, run.blocks_covered, run.seconds) == (math.inf, 0, 0)
    assert "0 credits: enough for 0 of 1 round" in repr(run)


def test_unknown_price_is_not_zero() -> None:
    class Newer(sonic.Create, frozen=True, kw_only=True):
        """An operation without a published price."""

        operation = "newer"
        cost = None

    plan = plan_of(Plan.grid, [3])
    newer = Plan.grid(Newer, factors={"mv": ["sonic-v5", "sonic-v4"]})
    run = (plan + newer).dry_run(1000)

    assert (run.credits, run.credits_unknown, run.blocks_covered) == (60, 2, None)
    assert "at least 60; the price of 2 requests is unknown" in repr(run)
    assert "the plan's share is unknown" in repr(run)
    assert "credits: unknown" in repr(newer.dry_run(10))
    assert "credits unknown" in newer._repr_html_()
    assert newer.frame()["price"].isna().all()


def test_assumed_price_is_proposed() -> None:
    factors = {"continue_at": [10, 20, 30]}
    base = {"custom_mode": True, "prompt": "la", "mv": "sonic-v6", "url": "https://example.org/a"}
    plan = Plan.grid(sonic.UploadExtend, base=base, factors=factors)
    run = plan.dry_run(1000)

    assert (run.credits, run.credits_unknown, run.blocks_covered) == (0, 3, None)
    assert run.assumed_price is not None
    assert run.assumed_price.credits == 10
    assert "credits: unknown; 30 with assume=10 (the sibling host's price of an" in repr(run)
    assert "assume=10" in run._repr_html_()


def test_refused_cells_are_listed() -> None:
    plan = Plan.grid(
        lyrics.Make, base={"description": "{topic}"}, factors={"topic": ["rain", "x" * 400, ""]}
    )
    run = plan.dry_run()

    assert run.refused_cells == 2
    assert {problem.field for problem in run.refused} == {"description"}
    orders = [cell.order for cell in plan if cell.levels["topic"] != "rain"]
    assert sorted(itertools.chain.from_iterable(run.refused.values())) == orders
    assert "problems: 2 of 3 requests would be refused" in repr(run)
    assert "(400 of 120)" in run._repr_html_()


def test_nan_balance_is_unknown() -> None:
    assert plan_of(Plan.grid, [2]).dry_run(float("nan")).balance is None


async def test_session_is_asked_for_its_balance() -> None:
    simulator = Simulator(balance=120)

    def dry_run() -> DryRun:
        api = connect(simulator=simulator)
        try:
            return plan_of(Plan.grid, [3, 2]).dry_run(api)
        finally:
            api.close()

    run = await asyncio.to_thread(dry_run)
    assert (run.balance, run.share) == (120, 1.0)


@pytest.mark.parametrize(
    "api",
    [Balance(100, 20), 120, 120.0, np.int64(120)],
    ids=["balance", "integer", "float", "numpy"],
)
def test_balance_may_be_a_number_or_a_balance(api: Any) -> None:
    assert plan_of(Plan.grid, [3, 2]).dry_run(api).share == 1.0


@pytest.mark.parametrize(
    "api",
    ["120", True, -1, float("inf"), object()],
    ids=["text", "bool", "negative", "infinite", "object"],
)
def test_other_balances_are_refused(api: Any) -> None:
    with pytest.raises(InvalidArgument, match="or a number of credits"):
        plan_of(Plan.grid, [2]).dry_run(api)


def test_plain_client_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"await client\.credits"):
        plan_of(Plan.grid, [2]).dry_run(MusicAPI("some-key"))


@pytest.mark.parametrize("pace", [-1, float("nan"), "3", True, None])
def test_invalid_pace_is_refused(pace: Any) -> None:
    with pytest.raises(InvalidArgument, match="seconds between two submits"):
        plan_of(Plan.grid, [2]).dry_run(pace=pace)
