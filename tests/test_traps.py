"""Plans that would buy the same again, and factors that are named after a synonym."""

from typing import Any

import pandas as pd
import pytest

from musicapi_nb.engines import sonic
from musicapi_nb.errors import InvalidPlan, Problem
from musicapi_nb.plan import Plan

TEXT = "gpt_description_prompt"


def warnings(plan: Plan) -> list[Problem]:
    problems = plan.grouped_problems()
    assert not any(problem.hard for problem in problems)
    return [problem for problem in problems if problem.warn]


def grid(base: dict[str, Any], factors: dict[str, Any], repeats: int = 1) -> Plan:
    return Plan.grid(sonic.Create, base=base, factors=factors, repeats=repeats)


@pytest.mark.parametrize(("repeats", "price"), [(1, "40 credits"), (2, "80 credits")])
def test_factor_without_effect_is_a_warning_with_its_price(repeats: int, price: str) -> None:
    factors = {"models": ["sonic-v6", "sonic-v6-wild"], TEXT: ["jazz", "ska"]}
    plan = grid({}, factors, repeats)

    [warning] = warnings(plan)
    count = 2 * repeats
    assert str(warning) == (
        "factor 'models': has no effect: it is not a field (did you mean mv?) and no template uses "
        f"{{models}}; {price} for the same again ({count} of the requests)"
    )
    notice = "border-left:3px solid rgba(210,153,34"
    for page in (plan._repr_html_(), plan.dry_run()._repr_html_()):
        assert f"{price} for the same again" in page
        assert notice in page.partition("has no effect")[0]
    assert f"{price} for the same again" in repr(plan.dry_run())
    assert list(plan.check()["message"]) == [warning.message]


def test_factor_that_sets_its_field_and_fills_a_text_is_a_warning() -> None:
    base = {"custom_mode": False, TEXT: "a song about {prompt}"}
    plan = grid(base, {"prompt": ["rain", "snow"]})

    [warning] = warnings(plan)
    assert str(warning) == (
        "factor 'prompt': sets the field prompt and also fills {prompt} in gpt_description_prompt, "
        "in requests of 40 credits; to fill the text alone, call it topic"
    )
    assert not warnings(grid({TEXT: "a song about {topic}"}, {"topic": ["rain", "snow"]}))
    both = {TEXT: "a song about {topic}", "title": "{topic}"}  # written twice on purpose
    assert not warnings(grid(both, {"topic": ["rain", "snow"]}))


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (
            {"use_suno_cdn": [None, False, True], TEXT: ["jazz", "ska"]},
            "sends the same with None and with False: 40 credits for the same again",
        ),
        ({"a": ["x", "xy"], "b": ["yz", "z"]}, "20 credits for the same again (1 of the requests)"),
    ],
)
def test_levels_that_send_the_same_are_a_warning(factors: dict[str, Any], message: str) -> None:
    base = {} if TEXT in factors else {TEXT: "{a}{b}"}
    [warning] = warnings(grid(base, factors))
    assert message in warning.message


def test_label_in_a_frame_is_no_warning() -> None:
    frame = pd.DataFrame({TEXT: ["jazz", "ska"], "label": ["first", "second"]})
    plan = Plan.from_frame(sonic.Create, frame)
    assert not warnings(plan)
    assert "has no effect" in plan.check()["message"][0]


def test_factor_may_have_a_synonym_as_its_name() -> None:
    plan = grid({"description": "slow jazz"}, {"model": ["sonic-v6", "sonic-v6-wild"]})
    named = grid({TEXT: "slow jazz"}, {"mv": ["sonic-v6", "sonic-v6-wild"]})

    assert [cell.request for cell in plan] == [cell.request for cell in named]
    assert list(plan.factors) == ["model"]
    assert not warnings(plan)
    frame = pd.DataFrame({"styles": ["jazz", "ska"], "lyrics": "la la"})
    tags = {cell.request.tags for cell in Plan.from_frame(sonic.Create, frame)}  # type: ignore[attr-defined]
    assert tags == {"jazz", "ska"}


def test_synonym_that_fills_a_text_sets_no_field() -> None:
    plan = grid({TEXT: "{style} about rain"}, {"style": ["jazz", "ska"]})
    assert {cell.request.tags for cell in plan} == {None}  # type: ignore[attr-defined]
    assert {getattr(cell.request, TEXT) for cell in plan} == {"jazz about rain", "ska about rain"}
    nested = grid({}, {TEXT: ["{style} band", "{style} trio"], "style": ["jazz", "ska"]})
    assert {cell.request.tags for cell in nested} == {None}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("base", "factors", "message"),
    [
        ({"mv": "sonic-v6"}, {"model": ["a", "b"]}, "factor 'model': is mv, which base sets too"),
        ({}, {"mv": ["a"], "model": ["b"]}, "factor 'model': is mv, which another factor sets too"),
        ({}, {"style": ["a"], "genre": ["b"]}, "'genre': is tags, which factor 'style' sets too"),
        ({"mv": "a", "model": "b"}, {"tags": ["a"]}, "mv: is given as mv and as model; give one"),
    ],
)
def test_field_that_is_set_twice_is_refused(
    base: dict[str, Any], factors: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidPlan) as refused:
        grid(base, factors)
    assert message in str(refused.value)
