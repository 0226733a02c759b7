"""Plans that compare model ids of one renderer: the advice, its price, where it is displayed."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import pytest

from musicapi_nb.engines import producer, sonic
from musicapi_nb.notebook import connect
from musicapi_nb.plan import DryRun, Plan
from musicapi_nb.simulator import Simulator

BASE = {"custom_mode": False, "gpt_description_prompt": "{mood} jazz"}
MOODS = ["sad", "happy"]


def compare(models: Sequence[Any], repeats: int = 1) -> Plan:
    factors = {"mv": models, "mood": MOODS}
    return Plan.grid(sonic.Create, base=BASE, factors=factors, repeats=repeats)


def advice(plan: Plan) -> list[str]:
    """Return the advice about the whole plan."""
    problems = plan.problems()
    assert not problems["hard"].any()
    return problems["message"][problems["order"].isna()].tolist()


async def test_duplicate_cells_are_priced_wherever_a_plan_is_displayed() -> None:
    plan = compare(["sonic-v6", "sonic-v5"])

    def dry_run() -> DryRun:
        with contextlib.closing(connect(simulator=Simulator(balance=100))) as api:
            return plan.dry_run(api)

    run = await asyncio.to_thread(dry_run)
    expected = (
        "mv: one model, sonic-v6, renders sonic-v5, sonic-v6; comparing these finds nothing: "
        "40 credits for the same again (2 of the requests)"
    )
    assert run.credits == 80
    for text in (repr(run), run._repr_html_(), plan._repr_html_()):
        assert expected in text
    rows = plan.check()
    assert rows["message"][rows["order"].isna()].tolist() == [expected.removeprefix("mv: ")]


@pytest.mark.parametrize(("repeats", "credits_"), [(1, 40), (2, 80), (3, 120)])
def test_repeats_are_bought_again_too(repeats: int, credits_: int) -> None:
    (message,) = advice(compare(["sonic-v5", "sonic-v6"], repeats))
    assert f"{credits_} credits for the same again ({2 * repeats} of the requests)" in message


def test_each_further_id_is_bought_again() -> None:
    (message,) = advice(
        compare(["sonic-v4", "sonic-v4-5", "sonic-v5", "sonic-v6", "sonic-v6-wild"])
    )
    assert "sonic-v4, sonic-v4-5, sonic-v5, sonic-v6;" in message
    assert "120 credits" in message
    many = ["sonic-v3-5", "sonic-v4", "sonic-v4-5", "sonic-v4-5-plus", "sonic-v5", "sonic-v6"]
    assert "sonic-v4-5-plus and 2 more;" in advice(compare(many))[0]


@pytest.mark.parametrize(
    "models",
    [["sonic-v6", "sonic-v6-wild"], ["sonic-v6", "sonic-v6-wild", "sonic-v6-mini"], ["sonic-v5"]],
)
def test_different_models_give_no_advice(models: list[str]) -> None:
    assert advice(compare(models, 2)) == []


def test_two_spellings_of_a_model_are_one_model() -> None:
    (message,) = advice(compare(["sonic-v6", "chirp-v6"]))
    assert "one model, sonic-v6, renders chirp-v6, sonic-v6" in message


def test_default_and_older_ids_of_producer_are_one_model() -> None:
    factors = {"mv": [None, "Lyria 3 Pro", "FUZZ-2.0"], "mood": MOODS}
    plan = Plan.grid(producer.Create, base={"sound": "{mood}"}, factors=factors)

    (message,) = advice(plan)
    assert message.startswith("one model, Lyria 3 Pro, renders FUZZ-2.0, Lyria 3 Pro, no model;")
    assert "48 credits for the same again (4 of the requests)" in message


def test_models_may_come_from_texts_or_other_plans() -> None:
    factors = {"model": ["sonic-v6", "sonic-v5"]}
    base = {"custom_mode": False, "gpt_description_prompt": "jazz", "mv": "{model}"}
    (message,) = advice(Plan.grid(sonic.Create, base=base, factors=factors))
    assert "20 credits for the same again (1 of the requests)" in message

    (message,) = advice(compare(["sonic-v6"]) + compare(["sonic-v5"]))
    assert "40 credits for the same again" in message


def test_no_price_where_other_factors_vary_with_the_model() -> None:
    factors = {"mv": ["sonic-v6", "sonic-v5", "sonic-v6-wild"], "mood": "abc", "place": "xyz"}
    base = {**BASE, "gpt_description_prompt": "{mood} {place}"}
    plan = Plan.latin(sonic.Create, base=base, factors={n: list(v) for n, v in factors.items()})

    (message,) = advice(plan)
    assert message.endswith("comparing these finds nothing")


def test_unknown_price_is_not_zero() -> None:
    class Newer(sonic.Create, frozen=True, kw_only=True):
        """An operation without a published price."""

        operation = "newer"
        cost = None

    plan = Plan.grid(Newer, base=BASE, factors={"mv": ["sonic-v6", "sonic-v5"], "mood": MOODS})
    (message,) = advice(plan)
    assert "an unknown price for the same again" in message


def test_levels_of_other_types_are_reported_as_before() -> None:
    plan = compare([3, ["sonic-v6"], "sonic-v6", "sonic-v5"])
    assert {order for orders in plan.dry_run().refused.values() for order in orders} == {
        cell.order for cell in plan if not isinstance(cell.levels["mv"], str)
    }
    assert "40 credits for the same again" in repr(plan.dry_run())
