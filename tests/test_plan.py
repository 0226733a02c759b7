"""Plans: cells, takes, blocks, templates, frames, and refused arguments."""

import itertools
import pickle
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.engines import Request, nuro, sonic, studio
from musicapi_nb.errors import InvalidArgument, InvalidPlan, InvalidRequest, MusicAPIError
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library._request_key import request_key
from musicapi_nb.plan import Plan
from musicapi_nb.plan.templates import BadTemplate, parse

DESCRIPTION = "gpt_description_prompt"
BASE: dict[str, Any] = {
    "custom_mode": False,
    DESCRIPTION: "{style} about {topic}",
    "mv": "sonic-v6",
}
STYLES, TOPICS = ["jazz", "punk", "fado"], ["rain", "tea"]
FACTORS = {"style": STYLES, "topic": TOPICS}
DESIGNS: list[Callable[..., Plan]] = [Plan.grid, Plan.pairwise, Plan.one_at_a_time]


def texts(plan: Plan) -> list[Any]:
    return [getattr(cell.request, DESCRIPTION) for cell in plan]


def fill(text: Any, **levels: Any) -> Any:
    """Return what a template becomes with these levels."""
    factors = {name: [level] for name, level in levels.items()}
    plan = Plan.grid(sonic.Create, base={**BASE, DESCRIPTION: text}, factors=factors)
    return getattr(plan.cells[0].request, DESCRIPTION)


def refusal(make: Callable[[], Any]) -> str:
    with pytest.raises(InvalidPlan) as caught:
        make()
    return str(caught.value)


# --- cells -----------------------------------------------------------------------------------


def test_grid_buys_every_combination_in_each_block() -> None:
    plan = Plan.grid(sonic.Create, base=BASE, factors=FACTORS, repeats=3)

    assert len(plan) == 18
    assert plan.blocks == 3
    expected = {f"{style} about {topic}" for style in STYLES for topic in TOPICS}
    for block in (1, 2, 3):
        cells = [cell for cell in plan if cell.block == block]
        assert {getattr(cell.request, DESCRIPTION) for cell in cells} == expected
        assert {cell.take for cell in cells} == {block}
    assert [cell.order for cell in plan] == list(range(18))
    assert [cell.block for cell in plan] == sorted(cell.block for cell in plan)


def test_factor_of_a_field_sets_it_and_fills_texts() -> None:
    factors = {"mv": ["sonic-v6", "sonic-v6-mini"], "make_instrumental": [True, None]}
    plan = Plan.grid(
        sonic.Create, base={"custom_mode": False, DESCRIPTION: "made by {mv}"}, factors=factors
    )

    for cell in plan:
        assert cell.request == sonic.Create(
            custom_mode=False, gpt_description_prompt=f"made by {cell.levels['mv']}", **cell.levels
        )
    assert plan.check().empty


def test_grid_without_factors_is_takes_of_one_request() -> None:
    plan = Plan.grid(
        sonic.Create,
        base={"custom_mode": False, DESCRIPTION: "rain", "mv": "sonic-v6"},
        factors={},
        repeats=4,
    )

    assert [cell.take for cell in plan] == [1, 2, 3, 4]
    assert len({repr(cell.request) for cell in plan}) == 1


def test_one_at_a_time_changes_one_factor_from_the_base() -> None:
    plan = Plan.one_at_a_time(sonic.Create, base=BASE, factors=FACTORS)

    assert sorted(texts(plan)) == [
        "fado about rain",
        "jazz about rain",
        "jazz about tea",
        "punk about rain",
    ]


def test_one_at_a_time_starts_from_the_base_value() -> None:
    plan = Plan.one_at_a_time(
        sonic.Create,
        base={"custom_mode": False, DESCRIPTION: "rain", "mv": "sonic-v6-mini"},
        factors={
            "mv": ["sonic-v6", "sonic-v6-mini", "sonic-v6-wild"],
            "make_instrumental": [False, True],
        },
    )

    levels = {(cell.levels["mv"], cell.levels["make_instrumental"]) for cell in plan}
    assert levels == {
        ("sonic-v6-mini", False),
        ("sonic-v6", False),
        ("sonic-v6-wild", False),
        ("sonic-v6-mini", True),
    }


@given(
    repeats=st.integers(1, 4),
    seed=st.integers(-5, 5),
    sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    design=st.sampled_from(DESIGNS),
    used=st.integers(0, 4),
)
@settings(max_examples=60, deadline=None)
def test_no_two_cells_are_the_same_purchase(
    repeats: int, seed: int, sizes: list[int], design: Callable[..., Plan], used: int
) -> None:
    factors = {f"f{index}": range(size) for index, size in enumerate(sizes)}
    text = "song " + " ".join(f"{{f{index}}}" for index in range(min(used, len(sizes))))
    plan = design(
        sonic.Create, base={**BASE, DESCRIPTION: text}, factors=factors, repeats=repeats, seed=seed
    )

    takes: dict[str, list[int]] = {}
    for cell in plan:
        takes.setdefault(repr(cell.request), []).append(cell.take)
    for numbers in takes.values():
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
    per_block = Counter(cell.block for cell in plan)
    assert set(per_block.values()) == {len(plan) // repeats}
    levels = [
        {tuple(cell.levels.values()) for cell in plan if cell.block == block + 1}
        for block in range(repeats)
    ]
    assert all(block_levels == levels[0] for block_levels in levels)


def test_equal_requests_in_one_block_give_advice() -> None:
    frame = pd.DataFrame({"style": ["jazz", "punk", "jazz"], "topic": "rain"})
    plan = Plan.from_frame(sonic.Create, frame, base=BASE, repeats=2)

    takes = sorted((cell.take, cell.block) for cell in plan if "jazz" in str(cell.request))
    assert takes == [(1, 1), (2, 1), (3, 2), (4, 2)]
    (advice,) = plan.advice
    assert "1 of 3 combinations send the same request" in advice.message


def test_takes_follow_the_library_keys() -> None:
    frame = pd.DataFrame({"continue_at": pd.Series([30, 30.0, 31], dtype="object")})
    base = {"custom_mode": True, "mv": "sonic-v6", "prompt": "la", "continue_clip_id": "c"}
    plan = Plan.from_frame(sonic.Extend, frame, base=base, repeats=2)

    assert len({request_key(cell.request, cell.take) for cell in plan}) == len(plan) == 6
    assert sorted(cell.take for cell in plan) == [1, 1, 2, 2, 3, 4]


def test_request_that_is_not_json_is_still_a_cell() -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    invalid = {"nan": float("inf"), "object": object(), "endless": endless}
    for extra in ({name: value} for name, value in invalid.items()):
        plan = Plan.grid(sonic.Create, base={**BASE, "extra": extra}, factors=FACTORS)
        with pytest.raises(InvalidPlan, match="extra: cannot be written as JSON"):
            plan.check()


def test_repeats_and_seed_do_not_change_the_takes() -> None:
    short, long = (
        Plan.grid(sonic.Create, base=BASE, factors=FACTORS, repeats=repeats) for repeats in (2, 3)
    )
    reseeded = Plan.grid(sonic.Create, base=BASE, factors=FACTORS, repeats=3, seed=1)

    assert long.cells[: len(short)] == short.cells
    bought = {(repr(cell.request), cell.take) for cell in long}
    assert {(repr(cell.request), cell.take) for cell in reseeded} == bought
    assert texts(reseeded) != texts(long)
    assert texts(long)[:6] != texts(long)[6:12]


_SCRIPT = """
from musicapi_nb.engines import sonic
from musicapi_nb.library._request_key import request_key
from musicapi_nb.plan import Plan
factors = {name: list("abcd"[:size]) for name, size in zip("uvwxyz", (4, 3, 3, 2, 4, 3))}
base = {"custom_mode": False, "mv": "sonic-v6", "gpt_description_prompt": "{u}{v}{w}{x}{y}{z}"}
for make in (Plan.grid, Plan.pairwise, Plan.one_at_a_time):
    print([cell for cell in make(sonic.Create, base=base, factors=factors, repeats=2, seed=7)])
factors = {name: list("abcd") for name in "uvwxy"}
base["gpt_description_prompt"] = "{u}{v}{w}{x}{y}"
print(list(Plan.latin(sonic.Create, base=base, factors=factors, seed=7)))
"""


def test_seed_gives_the_same_plan_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("0", "1", "4242")
    }

    (output,) = outputs
    assert output.count("Cell(") > 800


def test_plans_are_immutable_values() -> None:
    plan = Plan.grid(sonic.Create, base=BASE, factors=FACTORS, repeats=2)

    assert plan == Plan.grid(sonic.Create, base=BASE, factors=FACTORS, repeats=2)
    assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301 - our own bytes
    with pytest.raises(AttributeError):
        plan.cells = ()  # type: ignore[misc]  # frozen


def test_changing_a_list_later_does_not_change_the_plan() -> None:
    genre = ["jazz"]
    factors = {"genre": [genre, ["rock", "pop"]]}
    plan = Plan.grid(nuro.Instrumental, base={"description": "calm"}, factors=factors)
    genre.append("polka")

    sent = {tuple(cell.request.body()["genre"]) for cell in plan}
    assert sent == {("jazz",), ("rock", "pop")}
    assert not plan.check()["hard"].any()


def test_sum_appends_blocks_and_continues_takes() -> None:
    first = Plan.grid(sonic.Create, base=BASE, factors=FACTORS)
    second = Plan.grid(
        sonic.Create, base=BASE, factors={"style": ["jazz", "ska"], "topic": ["rain"]}, repeats=2
    )
    total = first + second

    assert len(total) == 10
    assert total.blocks == 3
    assert [cell.order for cell in total] == list(range(10))
    jazz = [(cell.block, cell.take) for cell in total if "jazz about rain" in str(cell.request)]
    assert jazz == [(1, 1), (2, 2), (3, 3)]
    assert total.factors == {"style": (*STYLES, "ska"), "topic": tuple(TOPICS)}
    with pytest.raises(TypeError):
        _ = first + 1  # type: ignore[operator]  # unsupported


def test_sum_of_two_operations() -> None:
    total = Plan.grid(sonic.Create, base=BASE, factors=FACTORS) + Plan.grid(
        studio.Description,
        base={"prompt": "{style}", "model_type": "studio130-v1.5"},
        factors={"style": STYLES},
    )
    frame = total.frame()

    assert set(frame["operation"]) == {"sonic.Create", "studio.Description"}
    assert frame["topic"].isna().sum() == 3
    assert total.dry_run().credits == 6 * 20 + 3 * 15


# --- templates -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "levels", "filled"),
    [
        ("{a}", {"a": "x"}, "x"),
        ("{a}{a} {b}", {"a": "x", "b": 2}, "xx 2"),
        ("{a} of {b}", {"a": 0.5, "b": None}, "0.5 of "),
        ("{a}", {"a": None}, None),
        ("{{a}} {a}", {"a": "x"}, "{a} x"),
        ("{{{a}}}", {"a": "x"}, "{x}"),
        ("plain text", {"a": "x"}, "plain text"),
        ("{My Style}", {"My Style": "x"}, "x"),
        ("{a}", {"a": "{b} {{ {0} }"}, "{b} {{ {0} }"),
        ("{a}", {"a": "%s $x ${x} \\1"}, "%s $x ${x} \\1"),
        ("{été}", {"été": "chaud"}, "chaud"),
        ("{v1.5}", {"v1.5": "x"}, "x"),
    ],
)
def test_placeholders_are_filled(text: str, levels: dict[str, Any], filled: str | None) -> None:
    assert fill(text, **levels) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{b}", "{b}, which is not a factor"),
        ("{styl}", "did you mean {style}?"),
        ("{ style }", "did you mean {style}?"),
        ("{style.upper}", "without attribute"),
        ("{style.__class__.__mro__}", "without attribute"),
        ("{style[0]}", "index"),
        ("{style!r}", "conversion"),
        ("{style:>10}", "format"),
        ("{}", "an empty placeholder {} at character 0"),
        ("{0}", "{0}, which is not a factor"),
        ("{style", "an unmatched {"),
        ("style}", "an unmatched }"),
        ("{{style}", "an unmatched }"),
        ("{a{style}}", "an unmatched {"),
    ],
)
def test_template_fault_names_the_field(text: str, message: str) -> None:
    error = refusal(lambda: fill(text, style="jazz"))

    assert f"{DESCRIPTION}: " in error
    assert message in error


@pytest.mark.parametrize("level", [True, ("a", "b"), {"a": 1}, b"x", object()])
def test_only_text_and_numbers_can_be_inserted(level: Any) -> None:
    error = refusal(lambda: fill("{style}", style=level))

    assert f"{DESCRIPTION}: uses {{style}}" in error
    assert type(level).__name__ in error


def test_levels_of_a_text_field_are_templates() -> None:
    plan = Plan.grid(
        sonic.Create,
        base={"custom_mode": False, "mv": "sonic-v6"},
        factors={DESCRIPTION: ["{style} about rain", "rain, {style}", "{{rain}}"], "style": STYLES},
    )

    assert set(texts(plan)) == {
        *(f"{style} about rain" for style in STYLES),
        *(f"rain, {style}" for style in STYLES),
        "{rain}",
    }
    frame = plan.frame()
    assert set(frame[DESCRIPTION]) == {"{style} about rain", "rain, {style}", "{{rain}}"}
    assert set(frame[f"{DESCRIPTION}_sent"]) == set(texts(plan))


def test_template_cannot_be_inserted_into_another() -> None:
    factors = {"title": ["{style} song", "a {{b}}"], "style": STYLES}

    def make(**fields: Any) -> Plan:
        base = {"custom_mode": True, "mv": "sonic-v6", **fields}
        return Plan.grid(sonic.Create, base=base, factors=factors)

    assert "prompt: uses {title}, whose level is itself a template" in refusal(
        lambda: make(prompt="[Verse] {title}")
    )
    assert {cell.request.body()["title"] for cell in make()} >= {"a {b}", "jazz song"}


def test_extra_texts_are_filled() -> None:
    plan = Plan.grid(
        sonic.Create,
        base={**BASE, DESCRIPTION: "rain", "extra": {"newer": "{style}", "count": 1, "none": None}},
        factors={"style": ["jazz", None]},
    )

    sent = [dict(cell.request.extra) for cell in plan]
    assert {"newer": "jazz", "count": 1, "none": None} in sent
    assert {"count": 1, "none": None} in sent
    assert set(plan.frame()["newer"].dropna()) == {"jazz"}
    assert "extra, newer: " in refusal(
        lambda: Plan.grid(sonic.Create, base={"extra": {"newer": "{a}"}}, factors={})
    )


@given(st.text(alphabet="{}ab.[]!:0 ", max_size=12))
@settings(max_examples=300)
def test_any_text_is_filled_or_refused(text: str) -> None:
    """Compare with a parser that reads braces from the left, token by token."""
    levels = {"a": "1", "b": "{a}"}
    tokens = {"{{": "{", "}}": "}", "{a}": "1", "{b}": "{a}"}
    expected, rest = "", text
    while rest:
        token = next((token for token in tokens if rest.startswith(token)), rest[0])
        if token in {"{", "}"}:
            with pytest.raises(BadTemplate, match=r"."):
                parse(text).fill(levels)
            return
        expected += tokens.get(token, token)
        rest = rest[len(token) :]

    assert (parse(text).fill(levels) or "") == expected


# --- from a frame ----------------------------------------------------------------------------


def test_columns_set_fields_or_fill_texts() -> None:
    frame = pd.DataFrame(
        {
            "prompt": pd.Series(["a {style} tune", "{style}", None], dtype=TEXT),
            "style": pd.Series(["jazz", None, "ska"], dtype="category"),
            "seed": pd.Series([1, None, 3], dtype="Int64"),
            "prompt_strength": [0.5, float("nan"), 1.0],
            "bypass_prompt_optimization": pd.Series([True, None, False], dtype="boolean"),
            "song_section_start": pd.Series([0.25, None, None], dtype="object"),
            "year": [1990, None, 2020],
        }
    )
    plan = Plan.from_frame(
        studio.Description, frame, base={"model_type": "studio32-v1.5", "negative_prompt": "{year}"}
    )
    sent = {cell.levels["year"]: cell.request for cell in plan}

    assert sent[1990] == studio.Description(
        model_type="studio32-v1.5",
        negative_prompt="1990",
        prompt="a jazz tune",
        seed=1,
        prompt_strength=0.5,
        bypass_prompt_optimization=True,
        song_section_start=0.25,
    )
    assert sent[None] == studio.Description(model_type="studio32-v1.5", prompt_strength=None)
    assert sent[2020] == studio.Description(
        model_type="studio32-v1.5",
        negative_prompt="2020",
        seed=3,
        prompt_strength=1.0,
        bypass_prompt_optimization=False,
    )


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Series([1, 2], dtype="int64"), [1, 2]),
        (pd.Series([1, pd.NA], dtype="Int64"), [1, None]),
        (pd.Series([1.0, float("nan")]), [1, None]),
        (pd.Series([1.5, float("nan")]), [1.5, None]),
        (pd.Series([1, np.int8(2), None], dtype="object"), [1, 2, None]),
        (pd.Series(np.array([3, 4], dtype="uint8"), dtype="category"), [3, 4]),
    ],
)
def test_numbers_become_python_numbers(column: "pd.Series[Any]", expected: list[Any]) -> None:
    plan = Plan.from_frame(studio.Description, pd.DataFrame({"seed": column}))
    seeds = sorted((cell.request.seed for cell in plan), key=repr)  # type: ignore[attr-defined]

    assert seeds == sorted(expected, key=repr)
    assert {type(value) for value in seeds} == {type(value) for value in expected}


def test_lists_in_a_frame_reach_the_request(tmp_path: Any) -> None:
    frame = pd.DataFrame({"genre": [["jazz"], ["rock", "pop"]], "description": "calm"})
    frame.to_parquet(tmp_path / "plan.parquet")
    plan = Plan.from_frame(nuro.Instrumental, pd.read_parquet(tmp_path / "plan.parquet"))

    assert {tuple(cell.request.body()["genre"]) for cell in plan} == {("jazz",), ("rock", "pop")}
    assert not plan.check().hard.any()


def test_unused_column_gives_advice() -> None:
    frame = pd.DataFrame({"band": ["a", "b"], DESCRIPTION: ["a", "b"], "mv": "sonic-v6"})
    plan = Plan.from_frame(sonic.Create, frame, base={"custom_mode": False})

    problems = plan.check()
    assert list(problems["field"]) == ["factor 'band'"]
    assert "has no effect: it is not a field" in problems["message"][0]
    assert problems["order"].isna().all()
    assert not problems["hard"].any()


def test_bad_template_in_a_frame_names_field_and_rows() -> None:
    frame = pd.DataFrame({DESCRIPTION: ["{a}", "fine", "{b}", "{b}", "{b}"], "a": "x"})

    error = refusal(lambda: Plan.from_frame(sonic.Create, frame))
    assert f"{DESCRIPTION}: uses {{b}}" in error
    assert "(rows 2 to 4)" in error


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"mv": []}), "the frame has no rows"),
        (pd.DataFrame(index=[0, 1]), "the frame has no columns"),
        (pd.DataFrame([["a", "b"]], columns=["mv", "mv"]), "column 'mv': is duplicated"),
        (pd.DataFrame({0: ["a"]}), "column: 0 should be a name"),
        (pd.DataFrame({"take": [1]}), "column 'take': is a column of plan.frame()"),
        (pd.DataFrame({"title": ["a"]}), "column 'title': is in base too"),
        (pd.DataFrame({"extra": ["a"]}), "column 'extra': cannot vary as a whole"),
    ],
)
def test_invalid_frames_are_refused(frame: pd.DataFrame, message: str) -> None:
    assert message in refusal(lambda: Plan.from_frame(sonic.Create, frame, base={"title": "x"}))


# --- frame, problems, check ------------------------------------------------------------------


def test_frame_has_one_row_per_cell_and_fixed_dtypes() -> None:
    factors = {"style": ["jazz", None], "mv": ["sonic-v6", "sonic-v6-mini"], "bpm": [90, 120.5]}
    plan = Plan.grid(
        sonic.Create,
        base={"custom_mode": False, DESCRIPTION: "{style} at {bpm}"},
        factors=factors,
        repeats=2,
    )
    frame = plan.frame()

    assert frame.dtypes.to_dict() == {
        "block": "Int64",
        "order": "Int64",
        "take": "Int64",
        "style": TEXT,
        "mv": TEXT,
        "bpm": "float64",
        DESCRIPTION: TEXT,
        "price": "Int64",
        "songs": "Int64",
    }
    assert list(frame["order"]) == list(range(16))
    assert frame["price"].sum() == 320
    for cell, row in zip(plan, frame.itertuples(), strict=True):
        assert (cell.block, cell.take, cell.levels["mv"]) == (row.block, row.take, row.mv)
        assert getattr(cell.request, DESCRIPTION) == getattr(row, DESCRIPTION)


def test_unknown_number_of_songs_is_missing_not_zero() -> None:
    plan = Plan.grid(sonic.Concat, factors={"continue_clip_id": ["a", "b"]})

    assert plan.frame()["songs"].isna().all()
    assert plan.dry_run().songs == 0
    assert plan.dry_run().songs_unknown == 2
    assert "plus an unknown number from 2 requests" in repr(plan.dry_run())


def test_check_lists_every_problem_of_every_cell() -> None:
    plan = Plan.grid(
        sonic.Create,
        base={"custom_mode": False},
        factors={DESCRIPTION: ["fine", "x" * 401, None], "mv": ["sonic-v6", 5]},
    )

    with pytest.raises(InvalidPlan) as caught:
        plan.check()
    error = caught.value
    assert isinstance(error, InvalidRequest | ValueError | MusicAPIError)
    by_field = {
        (problem.field, problem.message[:12]): places
        for problem, places in zip(error.problems, error.rows, strict=True)
    }
    frame = plan.frame()
    long, missing = frame[DESCRIPTION].str.len() > 400, frame[DESCRIPTION].isna()
    assert list(by_field[DESCRIPTION, "1 character "]) == frame.index[long].tolist()
    assert list(by_field[DESCRIPTION, "is required "]) == frame.index[missing].tolist()
    assert list(by_field["mv", "should be te"]) == frame.index[frame["mv"] == 5].tolist()
    long_text = "1 character too many (401 of 400)"
    for text in ("the plan was not sent and cost nothing", long_text, "(requests "):
        assert text in str(error)

    problems = plan.problems()
    assert len(problems) == 2 + 2 + 3
    assert problems.dtypes.to_dict() == {
        "order": "Int64",
        "block": "Int64",
        "take": "Int64",
        "field": TEXT,
        "message": TEXT,
        "hard": "bool",
    }


def test_check_returns_the_advice_of_a_valid_plan() -> None:
    base = {"model_type": "studio32-v1.5"}
    plan = Plan.grid(studio.Description, base=base, factors={"prompt": ["a", "b"]})

    advice = plan.check()
    assert list(advice["order"]) == [0, 1]
    assert advice["message"].str.startswith("not offered now").all()
    assert list(Plan.grid(sonic.Create, base=BASE, factors=FACTORS).check().columns) == list(advice)


def test_problems_name_ranges_of_cells() -> None:
    plan = Plan.grid(sonic.Create, base={**BASE, "mv": None}, factors=FACTORS)
    assert "(requests 0 to 5)" in refusal(plan.check)
    single = Plan.grid(sonic.Create, base={"custom_mode": False, "mv": "sonic-v6"}, factors={})
    assert "(request 0)" in refusal(single.check)


# --- invalid arguments -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factors": {"style": []}}, "factor 'style': has no levels"),
        ({"factors": {"style": "jazz"}}, "factor 'style': should be a list of levels, not 'jazz'"),
        ({"factors": {"style": 3}}, "factor 'style': should be a list of levels"),
        ({"factors": {"style": {"jazz", "ska"}}}, "factor 'style': is a set, which has no order"),
        ({"factors": {"style": ["a", "b", "a"]}}, "factor 'style': has the level 'a' twice"),
        ({"factors": {"style": [1, 1.0]}}, "level 1.0, equal to 1, twice"),
        ({"factors": {"style": [["a"], ["a"]]}}, "level ('a',) twice"),
        ({"factors": {1: ["a"]}}, "factor: 1 should be a name"),
        ({"factors": {"": ["a"]}}, "factor: '' should be a name"),
        ({"factors": {"block": ["a"]}}, "factor 'block': is a column of plan.frame()"),
        ({"factors": {"\ud800": ["a"]}}, "contains half of a surrogate pair"),
        ({"factors": {"mv": ["sonic-v6"]}}, "factor 'mv': is in base too"),
        ({"factors": {"extra": [{}]}}, "factor 'extra': cannot vary as a whole"),
        ({"base": {"tgas": "x"}, "factors": {}}, "base, tgas: no such field; did you mean tags?"),
        ({"base": {"extra": 1}, "factors": {}}, "base, extra: should be a dict"),
        ({"base": {1: "x"}, "factors": {}}, "base: 1 is not a field name"),
        ({"repeats": 0}, "repeats: should be a whole number from 1, not 0"),
        ({"repeats": 2.0}, "repeats: should be a whole number"),
        ({"repeats": True}, "repeats: should be a whole number"),
        ({"seed": "x"}, "seed: should be a whole number, not 'x'"),
        ({"seed": None}, "seed: should be a whole number"),
        ({"repeats": 10**9}, "would have 6,000,000,000 requests; the limit is 100,000"),
        (
            {"factors": {f"f{index}": range(10) for index in range(5000)}},
            "would have far too many requests; the limit is 100,000; Plan.pairwise needs far fewer",
        ),
    ],
)
def test_invalid_plans_are_refused(arguments: dict[str, Any], message: str) -> None:
    error = refusal(
        lambda: Plan.grid(sonic.Create, **{"base": BASE, "factors": FACTORS, **arguments})
    )

    assert message in error
    assert "cost nothing" in error


def test_all_problems_of_the_arguments_are_listed_at_once() -> None:
    with pytest.raises(InvalidPlan) as caught:
        Plan.grid(
            sonic.Create,
            base={"tgas": "x", "mvv": "y"},
            factors={"a": [], "b": [1, 1]},
            repeats=0,
            seed="s",  # type: ignore[arg-type]  # invalid on purpose
        )

    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["factor 'a'", "factor 'b'", "base, tgas", "base, mvv", "repeats", "seed"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Plan.grid("sonic.Create", factors={}),  # type: ignore[arg-type]
        lambda: Plan.grid(Request, factors={}),
        lambda: Plan.grid(dict, factors={}),  # type: ignore[arg-type]
        lambda: Plan.grid(sonic.Create(mv="sonic-v6"), factors={}),  # type: ignore[arg-type]
        lambda: Plan.grid(sonic.Create, factors=["mv"]),  # type: ignore[arg-type]
        lambda: Plan.grid(sonic.Create, base=["mv"], factors={}),  # type: ignore[arg-type]
        lambda: Plan.one_at_a_time(sonic.Create, base="mv", factors={}),  # type: ignore[arg-type]
        lambda: Plan.from_frame(sonic.Create, {"mv": ["sonic-v6"]}),  # type: ignore[arg-type]
    ],
    ids=["text", "root", "dict", "request", "factors", "base", "one_at_a_time", "frame"],
)
def test_arguments_of_wrong_types_are_refused(make: Callable[[], Plan]) -> None:
    with pytest.raises(InvalidArgument, match=r"sonic\.Create|dict such as|DataFrame"):
        make()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((pd.DataFrame({"mv": ["sonic-v6"]}), sonic.Create), "class comes before the table"),
        ((sonic.Create, {"mv": ["sonic-v6"]}), r"a dict, .*: call pd\.DataFrame\(\.\.\.\) first"),
        ((sonic.Create, [{"mv": "sonic-v6"}]), r"a list, .*: call pd\.DataFrame\(\.\.\.\) first"),
        (
            (sonic.Create, "plan.csv"),
            r"a str, .*: read the file, as by pd\.read_csv\(\.\.\.\), first",
        ),
    ],
    ids=["order", "dict", "list", "path"],
)
def test_from_frame_says_what_makes_a_table(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Plan.from_frame(*arguments)


def test_a_factor_without_end_is_refusal() -> None:
    def endless() -> Any:
        yield from itertools.count()

    error = refusal(lambda: Plan.grid(sonic.Create, base=BASE, factors={"style": endless()}))
    assert "would have 100,001 requests" in error


def test_numpy_and_pandas_levels_become_python_values() -> None:
    frame = pd.DataFrame({"style": ["jazz", "ska", None, "jazz"]})
    plan = Plan.grid(
        studio.Description,
        base={"prompt": "{style}", "model_type": "studio32-v1.5"},
        factors={"style": frame["style"].unique(), "seed": np.arange(2)},
    )

    assert plan.factors == {"style": ("jazz", "ska", None), "seed": (0, 1)}
    assert {type(cell.request.seed) for cell in plan} == {int}  # type: ignore[attr-defined]


# --- output ---------------------------------------------------------------------

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.mark.parametrize("source", ["level", "name", "message"])
def test_hostile_levels_and_names_are_escaped(source: str) -> None:
    base = {**BASE, DESCRIPTION: "{style}"}
    if source == "message":
        base["mv"] = HOSTILE
    factors = {"style": [HOSTILE if source == "level" else "jazz"]}
    factors |= {HOSTILE: ["a"]} if source == "name" else {}
    plan = Plan.grid(sonic.Create, base=base, factors=factors)

    for html in (plan._repr_html_(), plan.dry_run(10)._repr_html_()):
        assert "<script" not in html
        assert "<img" not in html
    assert "&lt;script" in plan._repr_html_()
    for text in (repr(plan), repr(plan.dry_run())):
        assert "\x1b" not in text


def test_plan_repr_and_card() -> None:
    plan = Plan.grid(sonic.Create, base=BASE, factors=FACTORS, repeats=3)

    assert repr(plan) == (
        "<Plan: grid of sonic.Create, 18 requests in 3 rounds: style (3) x topic (2)>"
    )
    html = plan._repr_html_()
    for text in (
        "Plan: grid of sonic.Create",
        "18 requests in 3 rounds",
        "36 songs",
        "360 credits",
        "jazz | punk | fado",
    ):
        assert text in html


def test_long_plan_has_a_short_card() -> None:
    frame = pd.DataFrame(
        {DESCRIPTION: ["x" * (401 + index) for index in range(50)], "mv": "sonic-v6"}
    )
    plan = Plan.from_frame(sonic.Create, frame, base={"custom_mode": False})

    html = plan._repr_html_()
    assert "and 42 more" in html
    assert len(html) < 20_000
    assert plan.problems()["hard"].sum() == 50
    assert "and 30 more: plan.problems() lists them all" in repr(plan.dry_run())


def test_ten_thousand_cells_are_fast() -> None:
    factors = {"style": range(100), "topic": range(100)}
    started = time.process_time()
    plan = Plan.grid(sonic.Create, base=BASE, factors=factors)
    plan.check()
    plan.frame()
    plan.dry_run(1_000_000)

    assert len(plan) == 10_000
    # about 1.2 s on two slow cores; a quadratic step would take minutes
    assert time.process_time() - started < 15
