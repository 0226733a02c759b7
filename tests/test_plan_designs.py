"""Designs cover what they promise in about as few rows as are known; their effects are told."""

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
from musicapi_nb.plan import DryRun, Effects, Plan, designs, orthogonal_arrays
from musicapi_nb.simulator import Simulator

X = "\N{MULTIPLICATION SIGN}"
sizes_of = st.lists(st.integers(1, 5), min_size=1, max_size=7)


def covers(rows: Sequence[Sequence[int]], sizes: Sequence[int]) -> bool:
    return all(
        {(row[one], row[two]) for row in rows}
        == set(itertools.product(range(sizes[one]), range(sizes[two])))
        for one, two in itertools.combinations(range(len(sizes)), 2)
    )


def plan_of(make: Callable[..., Plan], sizes: Sequence[int], **more: Any) -> Plan:
    names = "abcdefghij"[: len(sizes)]
    factors = {name: range(size) for name, size in zip(names, sizes, strict=True)}
    text = "".join(f"{{{name}}}" for name in names)
    base = {"custom_mode": False, "mv": "sonic-v5", "gpt_description_prompt": text}
    return make(sonic.Create, base=base, factors=factors, **more)


def plan_from(rows: Sequence[Sequence[int]], **more: Any) -> Plan:
    names = list("abcdefghij"[: len(rows[0])])
    base = {"prompt": "".join(f"{{{name}}}" for name in names), "model_type": "studio32-v1.5"}
    return Plan.from_frame(
        studio.Description, pd.DataFrame(list(rows), columns=names), base=base, **more
    )


# --- covering arrays and squares -------------------------------------------------------------


@given(sizes=sizes_of, seed=st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_pairwise_covers_every_pair(sizes: list[int], seed: int) -> None:
    rows = designs.pairwise(sizes, random.Random(seed))

    assert covers(rows, sizes)
    assert len(rows) <= math.prod(sizes)
    assert rows == designs.pairwise(sizes, random.Random(seed))


# The fewest rows that are published (tables of covering arrays; AETG's own figures where the
# array is of mixed levels), and how many more are let pass here.
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
    rows = designs.pairwise(sizes, random.Random(1))

    assert covers(rows, sizes)
    assert len(rows) <= fewest + slack
    if slack == 0:
        assert len(rows) == fewest


def test_a_wide_pairwise_takes_seconds() -> None:
    started = time.process_time()
    rows = designs.pairwise([10] * 20, random.Random(0))

    assert covers(rows, [10] * 20)
    assert len(rows) <= 215  # AETG's published figure is 194
    assert time.process_time() - started < 40


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 27])
def test_an_orthogonal_array_holds_every_pair_once(levels: int) -> None:
    columns = orthogonal_arrays.widest(levels)
    rows = orthogonal_arrays.orthogonal(levels, columns)

    assert len(rows) == levels**2
    assert covers(rows, [levels] * columns)
    known = {6: 3, 10: 3, 12: 4}
    assert columns == known.get(levels, levels + 1)


@given(
    levels=st.sampled_from([2, 3, 4, 5, 7, 8]), factors=st.integers(3, 9), seed=st.integers(0, 9)
)
@settings(max_examples=30, deadline=None)
def test_latin_plans_are_squares(levels: int, factors: int, seed: int) -> None:
    if factors > levels + 1:
        with pytest.raises(InvalidPlan, match=f"for {levels + 1} factors at most, not {factors}"):
            plan_of(Plan.latin, [levels] * factors, seed=seed)
        return
    plan = plan_of(Plan.latin, [levels] * factors, seed=seed)

    rows = [tuple(cell.levels.values()) for cell in plan]
    assert len(rows) == levels**2
    assert covers(rows, [levels] * factors)


def test_seeds_give_other_squares() -> None:
    squares = {
        frozenset(tuple(cell.levels.values()) for cell in plan_of(Plan.latin, [4] * 3, seed=seed))
        for seed in range(20)
    }
    assert len(squares) > 5


@pytest.mark.parametrize(
    ("make", "sizes", "words"),
    [
        (Plan.latin, [3, 3], "a Latin square needs three factors or more"),
        (Plan.latin, [3, 3, 4], "the same number of levels, two or more; they have 3, 3, 4"),
        (Plan.latin, [1, 1, 1], "two or more; they have 1, 1, 1"),
        (Plan.latin, [6] * 4, "with 6 levels each a square is known here for 3 factors at most"),
        (Plan.latin, [400] * 3, "would have 160,000 cells"),
        (Plan.pairwise, [3], "there should be two or more"),
        (Plan.pairwise, [400, 400, 2], "would have 160,000 cells"),
        (Plan.pairwise, [300] * 10, "10 factors of up to 300 levels are too many"),
        (Plan.one_at_a_time, [], "nothing to change one at a time"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_designs_that_do_not_exist(make: Callable[..., Plan], sizes: list[int], words: str) -> None:
    with pytest.raises(InvalidPlan, match=r"factors|would have") as caught:
        plan_of(make, sizes)
    assert words in str(caught.value)


# --- effects ---------------------------------------------------------------------------------


def told(plan: Plan) -> Effects:
    return plan.dry_run().effects


def verdicts(found: Effects) -> dict[str, str]:
    return {effect.name: effect.verdict for effect in found.effects}


def test_a_grid_separates_everything() -> None:
    found = told(plan_of(Plan.grid, [3, 2, 2], repeats=2))

    assert set(verdicts(found).values()) == {"clear"}
    assert set(verdicts(found)) == {"a", "b", "c", f"a {X} b", f"a {X} c", f"b {X} c"}
    assert str(found).startswith("The effects of a, b and c: told apart from everything else.")


def test_half_of_a_grid_mixes_each_effect_with_an_interaction() -> None:
    found = told(plan_of(Plan.latin, [2] * 3))

    for one, two, three in ("abc", "bac", "cab"):
        assert found[one].verdict == "if alone"
        assert found[one].looks_like == ((two, three),)
        assert found[two, three].verdict == "no"
        assert found[three, two].looks_like == ((one,),)
    assert f"The effect of a: told apart only if there is no b {X} c." in str(found)
    assert f"The interaction a {X} b: cannot be told from the effect of c." in str(found)


def test_interactions_that_look_like_each_other() -> None:
    """Half of a 2 x 2 x 2 x 2 grid, chosen by its parity: pairs are aliased with pairs."""
    rows = [row for row in itertools.product(range(2), repeat=4) if sum(row) % 2 == 0]
    found = told(plan_from(rows))

    assert {found[name].verdict for name in "abcd"} == {"clear"}
    assert found["a", "b"].verdict == "if alone"
    assert found["a", "b"].looks_like == (("c", "d"),)
    assert f"The interaction a {X} b: told apart only if there is no c {X} d." in str(found)


def test_one_at_a_time_sees_no_interaction() -> None:
    found = told(plan_of(Plan.one_at_a_time, [3, 2, 2]))

    for one, two in itertools.combinations("abc", 2):
        assert found[one, two].verdict == "no"
        assert found[one, two].gaps
    assert found["a"].verdict == "if alone"
    assert "unseen, for some of their levels never meet" in str(found)


def test_factors_that_change_together_are_confounded() -> None:
    found = told(plan_from([(0, 0, 0), (1, 1, 0), (0, 0, 1), (1, 1, 1)]))

    assert (found["a"].verdict, found["a"].looks_like) == ("no", (("b",),))
    assert (found["b"].verdict, found["b"].looks_like) == ("no", (("a",),))
    assert found["c"].verdict == "clear"
    assert "The effect of a: cannot be told from b." in str(found)


def test_a_factor_nested_in_another_is_partly_seen() -> None:
    found = told(plan_from([(0, 0), (0, 1), (1, 2), (1, 3)]))

    assert (found["a"].verdict, found["a"].looks_like) == ("no", (("b",),))
    assert (found["b"].verdict, found["b"].looks_like) == ("partly", (("a",),))


def test_what_changes_with_the_block_is_confounded_with_it() -> None:
    both = plan_of(Plan.grid, [2, 1]) + plan_of(Plan.grid, [2, 1])
    assert told(both)["a"].verdict == "clear"

    first, second = plan_from([(0, 0), (1, 0)]), plan_from([(0, 1), (1, 1)])
    found = told(first + second)
    assert found["a"].verdict == "clear"
    assert (found["b"].verdict, found["b"].looks_like) == ("no", (("block",),))
    assert "The effect of b: cannot be told from block" in str(found)


def test_constant_factors_are_said_to_be_so() -> None:
    found = told(plan_of(Plan.grid, [2, 1]))
    assert found.constant == ("b",)
    assert "b: the same in every cell." in str(found)
    with pytest.raises(KeyError):
        _ = found["b"]
    assert str(told(plan_of(Plan.grid, [1]))).startswith("No factor has two levels")


def test_a_factor_of_very_many_levels_is_set_against_each_other_one() -> None:
    nested = told(plan_from([(at, at % 3) for at in range(300)]))
    assert nested.too_long == ("a",)
    assert (nested["b"].verdict, nested["b"].looks_like) == ("no", (("a",),))
    crossed = told(plan_from([(at % 250, at % 3) for at in range(700)]))
    assert crossed["b"].verdict == "clear"
    assert "a: more than 200 levels" in str(crossed)


def _dummies(rows: np.ndarray[Any, Any], columns: Sequence[int]) -> np.ndarray[Any, Any]:
    """0/1 columns of every combination of levels: another coding than the one that is tested."""
    keys = [tuple(row[list(columns)]) for row in rows]
    return np.array([[key == wanted for wanted in sorted(set(keys))] for key in keys], dtype=float)


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
def test_verdicts_agree_with_ranks_of_another_coding(
    cells: list[tuple[int, ...]], split: int
) -> None:
    parts = [part for part in (cells[:split], cells[split:]) if part]
    plan = plan_from(parts[0]) if len(parts) == 1 else plan_from(parts[0]) + plan_from(parts[1])
    found = told(plan)

    blocked = [(block, *row) for block, part in enumerate(parts) for row in part]
    rows = np.array(blocked)
    varying = [at for at in range(1, 5) if len({row[at] for row in blocked}) > 1]
    sizes = {at: len({row[at] for row in blocked}) for at in varying}
    block, mains = _dummies(rows, [0]), {at: _dummies(rows, [at]) for at in varying}
    pairs = {pair: _dummies(rows, pair) for pair in itertools.combinations(varying, 2)}
    name = {at: "xabcd"[at] for at in varying}
    assert set(verdicts(found)) == {
        *name.values(),
        *(f"{name[one]} {X} {name[two]}" for one, two in pairs),
    }

    for at in varying:
        others = [mains[other] for other in varying if other != at]
        added = _rank(block, *mains.values()) - _rank(block, *others)
        verdict = found[name[at]].verdict
        assert (added == sizes[at] - 1) == (verdict in {"clear", "if alone"})
        assert (added == 0) == (verdict == "no")
    for (one, two), both in pairs.items():
        full = (sizes[one] - 1) * (sizes[two] - 1)
        beside = [columns for pair, columns in pairs.items() if pair != (one, two)]
        every = _rank(block, *mains.values(), *pairs.values())
        among = every - _rank(block, *mains.values(), *beside)
        alone = _rank(block, *mains.values(), both) - _rank(block, *mains.values())
        effect = found[name[one], name[two]]
        assert (among == full) == (effect.verdict == "clear")
        assert (alone == full) == (effect.verdict in {"clear", "if alone"})
        assert (alone == 0) == (effect.verdict == "no")
        met = len({(row[one], row[two]) for row in blocked})
        if met == sizes[one] * sizes[two] and len(parts) == 1:
            assert not effect.gaps


# --- dry run ---------------------------------------------------------------------------------


def test_a_dry_run_tells_songs_credits_share_and_time() -> None:
    run = plan_of(Plan.grid, [3, 2], repeats=3).dry_run(300)

    assert isinstance(run, DryRun)
    assert (run.cells, run.blocks, run.songs, run.credits) == (18, 3, 36, 360)
    assert (run.balance, run.share, run.blocks_covered) == (300, 1.2, 2)
    assert run.seconds == 17 * 3.0
    for words in (
        "18, in 3 blocks",
        "300 credits; this would take 120% of it: enough for 2 of 3",
        "0:51 to submit all, one each 3 s",
    ):
        assert words in repr(run)
        assert words in run._repr_html_()
    with pytest.raises(AttributeError):
        run.cells = 1  # type: ignore[misc]  # that is what is shown


def test_without_a_balance_there_is_no_share() -> None:
    run = plan_of(Plan.grid, [3, 2]).dry_run()

    assert (run.balance, run.share, run.blocks_covered) == (None, None, None)
    assert "balance" not in repr(run)


def test_an_empty_balance_pays_for_nothing() -> None:
    run = plan_of(Plan.grid, [2]).dry_run(0, pace=0)

    assert (run.share, run.blocks_covered, run.seconds) == (math.inf, 0, 0)
    assert "0 credits: enough for 0 of 1 blocks" in repr(run)


def test_an_unknown_price_is_said_and_never_nought() -> None:
    class Newer(sonic.Create, frozen=True, kw_only=True):
        """An operation whose price nobody has published."""

        operation = "newer"
        cost = None

    plan = plan_of(Plan.grid, [3])
    newer = Plan.grid(Newer, factors={"mv": ["sonic-v5", "sonic-v4"]})
    run = (plan + newer).dry_run(1000)

    assert (run.credits, run.credits_unknown, run.blocks_covered) == (60, 2, None)
    assert "at least 60; the price of 2 cells is not known" in repr(run)
    assert "what share of it is not known" in repr(run)
    assert "credits: unknown" in repr(newer.dry_run(10))
    assert "credits unknown" in newer._repr_html_()
    assert newer.frame()["price"].isna().all()


def test_what_would_be_refused_is_told_with_its_cells() -> None:
    plan = Plan.grid(
        lyrics.Make, base={"description": "{what}"}, factors={"what": ["rain", "x" * 400, ""]}
    )
    run = plan.dry_run()

    assert run.refused_cells == 2
    assert {problem.field for problem in run.refused} == {"description"}
    bad = [cell.order for cell in plan if cell.levels["what"] != "rain"]
    assert sorted(order for orders in run.refused.values() for order in orders) == bad
    assert "2 cells would be refused" in repr(run)
    assert "400 characters" in run._repr_html_()


def test_a_missing_balance_is_not_known() -> None:
    assert plan_of(Plan.grid, [2]).dry_run(float("nan")).balance is None


async def test_a_handle_is_asked_for_its_balance() -> None:
    simulator = Simulator(balance=120)

    def dry() -> DryRun:
        api = connect(simulator=simulator)
        try:
            return plan_of(Plan.grid, [3, 2]).dry_run(api)
        finally:
            api.close()

    run = await asyncio.to_thread(dry)
    assert (run.balance, run.share) == (120, 1.0)


@pytest.mark.parametrize("api", [Balance(100, 20), 120, 120.0, np.int64(120)], ids=repr)
def test_a_balance_or_a_number_will_do(api: Any) -> None:
    assert plan_of(Plan.grid, [3, 2]).dry_run(api).share == 1.0


@pytest.mark.parametrize(
    "api",
    ["120", True, -1, float("inf"), object()],
    ids=["text", "bool", "negative", "infinite", "object"],
)
def test_anything_else_is_no_balance(api: Any) -> None:
    with pytest.raises(InvalidArgument, match="handle or a number of credits"):
        plan_of(Plan.grid, [2]).dry_run(api)


def test_a_plain_client_is_not_asked() -> None:
    with pytest.raises(InvalidArgument, match=r"await client\.credits"):
        plan_of(Plan.grid, [2]).dry_run(MusicAPI("some-key"))


@pytest.mark.parametrize("pace", [-1, float("nan"), "3", True, None])
def test_a_pace_is_seconds(pace: Any) -> None:
    with pytest.raises(InvalidArgument, match="seconds between two submits"):
        plan_of(Plan.grid, [2]).dry_run(pace=pace)
