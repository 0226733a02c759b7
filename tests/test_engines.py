import copy
import datetime as dt
import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb import engines
from musicapi_nb.engines import (
    Field,
    Price,
    Request,
    lyrics,
    nuro,
    operations,
    sonic,
    studio,
)
from musicapi_nb.errors import InvalidRequest
from tests.asked import (
    DESCRIBED,
    EXTENDED,
    FROM_CLIP,
    NAMES,
    STRENGTHS,
    STUDIO,
    VALID,
    WRITTEN,
)


def hard(request: Request) -> list[tuple[str, str]]:
    return [(problem.field, problem.message) for problem in request.problems() if problem.hard]


def advice(request: Request) -> list[tuple[str, str]]:
    return [(problem.field, problem.message) for problem in request.problems() if not problem.hard]


def fields(problems: list[tuple[str, str]]) -> list[str]:
    return [field for field, _ in problems]


# --- every operation --------------------------------------------------------------------------


@pytest.mark.parametrize(("request_", "path", "fixed", "songs", "credits_"), VALID, ids=NAMES[:-1])
def test_a_valid_request(
    request_: Request,
    path: str,
    fixed: dict[str, Any],
    songs: int | None,
    credits_: int | None,
) -> None:
    request_.check()
    given_ = {name: getattr(request_, name) for name in request_.fields()}
    given_ = {name: value for name, value in given_.items() if value is not None}
    assert request_.body() == {**given_, **fixed}
    assert (request_.path, request_.songs, request_.price()) == (path, songs, credits_)
    json.dumps(request_.body(), allow_nan=False)


def test_every_operation_is_tried() -> None:
    assert {type(case[0]) for case in VALID} | {studio.Extend} == set(operations())


def test_studio_extend_puts_its_source_into_config() -> None:
    EXTENDED.check()
    assert EXTENDED.body() == {
        **STUDIO, **STRENGTHS, "lyrics_type": "generate",
        "config": {"mode": "continuation", "source": {"song_id": "s1"}, "context_length": 20},
    }  # fmt: skip


@pytest.mark.parametrize(
    "operation", operations(), ids=lambda kind: f"{kind.engine}.{kind.__name__}"
)
def test_what_a_declaration_says(operation: type[Request]) -> None:
    assert operation.engine
    assert operation.operation
    assert operation.path.startswith("/api/v1/")
    assert (operation.__doc__ or "").strip()
    if operation.cost is not None:
        assert dt.date(2025, 1, 1) < operation.cost.read < dt.date(2027, 1, 1)
        assert operation.cost.source
    for name, field in operation.fields().items():
        assert field.help.endswith("."), name
        assert (field.kind in {"choice", "choices"}) == bool(field.choices), name
        assert (field.kind in {"segments", "requests"}) == bool(field.item), name


def test_no_two_operations_share_a_name() -> None:
    names = [(kind.engine, kind.operation) for kind in operations()]
    assert len(set(names)) == len(names) == 45


@pytest.mark.parametrize(
    "operation", operations(), ids=lambda kind: f"{kind.engine}.{kind.__name__}"
)
def test_all_that_is_missing_is_named_at_once(operation: type[Request]) -> None:
    needed = {name for name, field in operation.fields().items() if field.required}
    missing = {name for name in needed if getattr(operation(), name) is None}
    assert missing <= set(fields(hard(operation())))
    if missing:
        with pytest.raises(InvalidRequest) as refused:
            operation().check()
        assert missing <= {problem.field for problem in refused.value.problems}
        assert all(problem.hard for problem in refused.value.problems)
        assert "was not sent and cost nothing" in str(refused.value)


# --- limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "field", "limit", "others"),
    [
        *((sonic.Create, "prompt", limit, {**WRITTEN, "mv": mv})
          for mv, limit in [("sonic-v3-5", 3000), ("sonic-v4", 3000), ("chirp-v4", 3000),
                            ("sonic-v4-5", 5000), ("sonic-v4-5-plus", 5000), ("sonic-v5", 5000),
                            ("sonic-v5-5", 5000), ("sonic-v6", 5000), ("chirp-v5", 5000)]),
        *((sonic.Cover, "tags", limit, {**FROM_CLIP, "mv": mv})
          for mv, limit in [("sonic-v3-5", 200), ("chirp-v3-5", 200), ("sonic-v4", 200),
                            ("sonic-v4-5", 1000), ("sonic-v5-5", 1000), ("sonic-v6-mini", 1000)]),
        (sonic.Create, "title", 80, WRITTEN),
        (sonic.Create, "gpt_description_prompt", 400, DESCRIBED),
        (sonic.CreatePersona, "name", 80, {"clip_id": "c1"}),
        (sonic.CreatePersona, "description", 200, {"name": "Ada", "clip_id": "c1"}),
        (lyrics.Make, "description", 120, {}),
        (nuro.Vocal, "lyrics", 2000, {}),
    ],
)  # fmt: skip
def test_character_limits(
    operation: type[Request], field: str, limit: int, others: Mapping[str, Any]
) -> None:
    below, exactly, above = (
        operation(**{**others, field: "é" * length}) for length in (limit - 1, limit, limit + 1)
    )
    assert field not in fields(hard(below)) + fields(advice(below))
    assert field not in fields(hard(exactly))
    assert field in fields(advice(exactly)), "the service may mean fewer"
    assert hard(above) == [(field, f"has {limit + 1} characters, the limit is {limit}")]


@pytest.mark.parametrize(
    ("operation", "field", "low", "high", "step", "others"),
    [
        (nuro.Vocal, "duration", 30, 240, 1, {"lyrics": "la"}),
        (nuro.Instrumental, "duration", 1, 60, 1, {"description": "calm"}),
        (nuro.Instrumental, "duration", 30, 120, 1, {"description": "calm", "version": "v2.0"}),
        (sonic.Extend, "continue_at", 0, None, 0.1, FROM_CLIP),
        (studio.Description, "seed", -1, None, 1, STUDIO),
        *((studio.Description, name, 0, 1, 0.01, STUDIO)
          for name in (*STRENGTHS, "song_section_start", "song_section_end",
                       "lyrics_placement_start", "lyrics_placement_end")),
    ],
)  # fmt: skip
def test_ranges(  # noqa: PLR0913 - a case is a row of the table
    *,
    operation: type[Request],
    field: str,
    low: float,
    high: float | None,
    step: float,
    others: Mapping[str, Any],
) -> None:
    for value in (low, low + step, *((high - step, high) if high is not None else (1_000,))):
        assert hard(operation(**{**others, field: value})) == [], value
    for value in (low - step, *((high + step,) if high is not None else ())):
        assert fields(hard(operation(**{**others, field: value}))) == [field], value


@pytest.mark.parametrize("field", ["genre", "mood", "instrument", "theme"])
def test_at_most_five_of_a_list(field: str) -> None:
    choices = nuro.Instrumental.fields()[field].choices

    def wrong(items: Any) -> list[str]:
        return fields(hard(nuro.Instrumental(**{"description": "calm", field: items})))

    for count in (1, 4, 5):
        assert wrong(choices[:count]) == []
    assert wrong(choices[:6]) == [field]
    assert wrong(["no such thing", choices[0]]) == [field]


def test_choices_are_hard_or_open() -> None:
    assert fields(hard(nuro.Vocal(lyrics="la", gender="Robot"))) == ["gender"]
    newer = sonic.Create(**{**DESCRIBED, "mv": "sonic-v9"})
    assert hard(newer) == []
    assert fields(advice(newer)) == ["mv"]
    for known in (*sonic.MODELS, "chirp-v5"):
        assert sonic.Create(**{**DESCRIBED, "mv": known}).problems() == ()


# --- rules across fields ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "wrong"),
    [
        (sonic.Create(custom_mode=False, mv="sonic-v5"), ["gpt_description_prompt"]),
        (sonic.Create(**{**DESCRIBED, "gpt_description_prompt": "  "}),
         ["gpt_description_prompt"]),
        (sonic.Create(custom_mode=True, mv="sonic-v5"), ["prompt"]),
        (sonic.Create(custom_mode=True, mv="sonic-v5", make_instrumental=True), []),
        (sonic.Create(**{**DESCRIBED, "mv": "sonic-v4-5-all"}), ["mv"]),
        (sonic.Extend(**WRITTEN), ["continue_clip_id", "continue_at"]),
        (sonic.PersonaMusic(**WRITTEN), ["persona_id"]),
        (sonic.CreatePersona(name="Ada"), ["clip_id"]),
        (sonic.CreatePersona(name="Ada", continue_clip_id="c1"), []),
        (sonic.CreatePersona(name="Ada", clip_id="c1", continue_clip_id="c2"),
         ["continue_clip_id"]),
        (sonic.Upload(url="file:///a.mp3"), ["url"]),
        (studio.Custom(**STUDIO), ["lyrics"]),
        (studio.Extend(**STUDIO, song_id="s1", lyrics_type="user"), ["lyrics"]),
        (studio.Extend(**STUDIO, song_id="s1", mode="sideways"), ["mode"]),
        (studio.Description(**STUDIO, song_section_start=0.5, song_section_end=0.5),
         ["song_section_end"]),
        (studio.Description(**STUDIO, lyrics_placement_start=0, lyrics_placement_end=0.95), []),
        (nuro.Instrumental(description="x" * 199, version="v2.0"), []),
        (nuro.Instrumental(description="x" * 200, version="v2.0"), ["description"]),
        (nuro.Instrumental(description="loud" * 50), []),
        (nuro.Instrumental(description="x", segments=[nuro.Segment(name="verse", duration=30)]),
         ["segments"]),
    ],
    ids=lambda value: repr(value)[:90],
)  # fmt: skip
def test_rules(request_: Request, wrong: list[str]) -> None:
    assert fields(hard(request_)) == wrong


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ([("intro", 30)], 0), ([("intro", 29)], 1), ([("intro", 5), ("verse", 25)], 0),
        ([("intro", 4), ("verse", 26)], 1), ([("verse", 120)], 0), ([("verse", 121)], 2),
        ([("solo", 30)], 1), ([("verse", 60), ("chorus", 60)], 0),
        ([("verse", 60), ("chorus", 61)], 1), ([], 1),
    ],
    ids=repr,
)  # fmt: skip
def test_segments(parts: list[tuple[str, int]], wrong: int) -> None:
    segments = [nuro.Segment(name=name, duration=duration) for name, duration in parts]
    request = nuro.Instrumental(description="calm", version="v2.0", segments=segments)
    assert fields(hard(request)) == ["segments"] * wrong
    assert request.body()["segments"] == [
        {"name": name, "duration": duration} for name, duration in parts
    ]


def test_advice_does_not_stop_a_request() -> None:
    request = sonic.Create(**DESCRIBED, title="Rain", tags="jazz")
    request.check()
    assert fields(advice(request)) == ["title", "tags"]
    assert fields(advice(nuro.Vocal(lyrics="too short"))) == ["lyrics", ""]
    fields_of_first = nuro.Instrumental(description="calm", version="v2.0", mood=["calm"])
    assert "mood" in fields(advice(fields_of_first))


def test_everything_wrong_is_said_at_once() -> None:
    wrong: dict[str, Any] = {
        "prompt": "x" * 3001,
        "title": "x" * 81,
        "tags": "x" * 201,
        "make_instrumental": "no",
    }
    request = sonic.Create(custom_mode=True, mv="sonic-v4", **wrong)
    assert sorted(fields(hard(request))) == ["make_instrumental", "prompt", "tags", "title"]
    with pytest.raises(InvalidRequest) as refused:
        request.check()
    for field in ("make_instrumental", "prompt", "tags", "title"):
        assert f"{field}: " in str(refused.value)


# --- values of the wrong kind -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "wrong"),
    [
        (sonic.Create, {"custom_mode": "false"}), (sonic.Create, {"custom_mode": 1}),
        (sonic.Create, {"mv": 5}), (sonic.Create, {"title": ["a"]}),
        (sonic.Create, {"tags": ["jazz", "spy"]}), (sonic.Create, {"prompt": b"la"}),
        (sonic.Extend, {"continue_at": "30"}), (sonic.Extend, {"continue_at": True}),
        (sonic.Extend, {"continue_at": math.nan}), (sonic.Extend, {"continue_at": math.inf}),
        (studio.Description, {"seed": 1.5}), (studio.Description, {"prompt_strength": math.nan}),
        (nuro.Vocal, {"duration": 30.5}), (nuro.Instrumental, {"genre": "jazz"}),
        (nuro.Instrumental, {"mood": [5]}),
        (nuro.Instrumental, {"version": "v2.0", "segments": [{"name": "verse"}]}),
        (sonic.Create, {"title": "half \ud800"}), (lyrics.Make, {"description": "\udfff"}),
    ],
    ids=repr,
)  # fmt: skip
def test_wrong_values_are_problems_of_their_field(
    operation: type[Request], wrong: dict[str, Any]
) -> None:
    (*_, field) = wrong
    assert field in fields(hard(operation(**wrong)))


def test_a_list_of_tags_is_told_how_to_be_text() -> None:
    request = sonic.Create(**WRITTEN, tags=["jazz"])  # type: ignore[arg-type]  # on purpose
    ((field, message),) = hard(request)
    assert field == "tags"
    assert '", ".join(tags)' in message


any_value = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(),
              st.text(st.characters(exclude_categories=())), st.binary(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(operations()), st.data())
def test_any_values_are_judged_and_what_passes_can_be_sent(
    operation: type[Request], data: st.DataObject
) -> None:
    names = [*operation.fields(), "extra"]
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=5))
    extras = st.dictionaries(st.text(), any_value, max_size=3)
    values: dict[str, Any] = {
        name: data.draw(extras if name == "extra" else any_value) for name in chosen
    }
    request = operation(**values)
    if not hard(request):
        json.dumps(request.body(), allow_nan=False).encode()
    repr(request)
    request._repr_html_().encode()


# --- unknown fields, extra -----------------------------------------------------------------------


def test_an_unknown_field_names_the_near_one_and_the_way_through() -> None:
    with pytest.raises(InvalidRequest, match=r"titel: no such field; did you mean title\?.*extra"):
        sonic.Create(titel="x")  # type: ignore[call-arg]  # on purpose
    with pytest.raises(InvalidRequest) as refused:
        sonic.Create(xyzzy=1, tag="jazz")  # type: ignore[call-arg]  # on purpose
    assert [problem.field for problem in refused.value.problems] == ["xyzzy", "tag"]
    assert isinstance(refused.value, ValueError)


def test_extra_is_passed_through() -> None:
    request = sonic.Create(**DESCRIBED, extra={"voice": "f", "weights": [1, {"a": None}]})
    assert hard(request) == []
    assert request.body() == {
        **DESCRIBED, "task_type": "create_music", "voice": "f", "weights": [1, {"a": None}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"title": "x"}, "give title= itself"),
        ({"task_type": "cover_music"}, "another operation than create"),
        ({"new": math.nan}, "cannot be written as JSON"),
        ({"new": object()}, "cannot be written as JSON"),
        ({"new": {1, 2}}, "cannot be written as JSON"),
    ],
    ids=["own field", "fixed field", "NaN", "object", "set"],
)
def test_extra_that_clashes(extra: dict[str, Any], words: str) -> None:
    ((field, message),) = hard(sonic.Create(**DESCRIBED, extra=extra))
    assert field == "extra"
    assert words in message


@pytest.mark.parametrize("extra", [5, "text", None, [("a", 1)], {5: 1}], ids=repr)
def test_extra_that_is_no_dict_of_fields(extra: Any) -> None:
    with pytest.raises(InvalidRequest, match="extra: should be a dict"):
        sonic.Create(**DESCRIBED, extra=extra)


def test_extra_with_half_a_surrogate_pair() -> None:
    request = sonic.Create(**DESCRIBED, extra={"new": "\ud800"})
    assert fields(hard(request)) == ["extra"]


def test_extra_may_not_replace_what_extend_builds() -> None:
    request = studio.Extend(**STUDIO, song_id="s1", extra={"config": {"mode": "regular"}})
    assert fields(hard(request)) == ["extra"]


# --- price and standing ---------------------------------------------------------------------------


def test_an_unknown_price_is_none_and_never_zero() -> None:
    class Free(sonic.Upload, frozen=True, kw_only=True):
        cost: ClassVar[Price | None] = None

    assert Free(url="https://example.org/a.mp3").price() is None


@pytest.mark.parametrize(
    ("request_", "word"),
    [(studio.Description(**STUDIO), "unavailable"), (nuro.Vocal(lyrics="x" * 300), "retired")],
    ids=["studio", "nuro"],
)
def test_standing_is_advice_where_it_is_chosen(request_: Request, word: str) -> None:
    request_.check()
    ((field, message),) = advice(request_)
    assert field == ""
    assert message.startswith(word)
    assert word in request_._repr_html_()
    assert sonic.Create(**DESCRIBED).problems() == ()


def test_the_table_of_operations_says_price_and_standing() -> None:
    lines = {line.split()[0]: line for line in repr(operations()).splitlines()}
    assert len(lines) == 45
    assert "20 credits" in lines["sonic.Create"]
    assert "unavailable" in lines["studio.Custom"]


# --- a value ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [*(case[0] for case in VALID), EXTENDED,
     sonic.Create(**DESCRIBED, extra={"new": [1, "é\n"]}),
     nuro.Instrumental(description="calm", version="v2.0",
                       segments=(nuro.Segment(name="verse", duration=30),))],
    ids=repr,
)  # fmt: skip
def test_repr_evaluates_back(request_: Request) -> None:
    names = {kind.engine: getattr(engines, kind.engine) for kind in operations()}
    again = eval(repr(request_), {**names, "Segment": nuro.Segment})  # noqa: S307 - our own text
    assert again == request_
    assert type(again) is type(request_)
    assert again.body() == request_.body()


def test_a_request_is_frozen_and_copies_by_replacing() -> None:
    request = sonic.Create(**DESCRIBED)
    with pytest.raises(AttributeError, match="immutable"):
        request.title = "x"  # type: ignore[misc]  # on purpose
    other = msgspec.structs.replace(request, gpt_description_prompt="snow")
    assert (request.gpt_description_prompt, other.gpt_description_prompt) == ("rain on tin", "snow")
    assert copy.copy(request) == request


def test_building_a_body_leaves_the_declaration_alone() -> None:
    body = studio.Description(**STUDIO).body()
    body["config"]["mode"] = "changed"
    assert studio.Description(**STUDIO).body()["config"] == {"mode": "regular"}


# --- adding an operation is one class ----------------------------------------------------------


class Bpm(Request, frozen=True, kw_only=True):
    """Count the beats of a clip."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "bpm"
    path: ClassVar[str] = "/api/v1/sonic/bpm"
    fixed: ClassVar[Mapping[str, Any]] = {"precise": True}
    cost: ClassVar[Price | None] = Price(1, dt.date(2026, 10, 7), "public client")

    clip_id: Annotated[
        str | None, Field(kind="clip", required=True, limit=36, help="The clip.")
    ] = None
    window: Annotated[float | None, Field(kind="seconds", maximum=30, help="Seconds.")] = None


def test_adding_an_operation_is_one_class() -> None:
    assert list(Bpm.fields()) == ["clip_id", "window"]
    assert fields(hard(Bpm())) == ["clip_id"]
    assert fields(hard(Bpm(clip_id="x" * 37, window=31))) == ["clip_id", "window"]
    request = Bpm(clip_id="c1", window=30, extra={"newer": 1})
    request.check()
    assert request.body() == {"precise": True, "clip_id": "c1", "window": 30, "newer": 1}
    assert request.price() == 1
    assert repr(request) == "sonic.Bpm(clip_id='c1', window=30, extra={'newer': 1})"
    assert "sonic.Bpm" in request._repr_html_()
    with pytest.raises(InvalidRequest, match="did you mean window"):
        Bpm(windw=3)  # type: ignore[call-arg]  # on purpose
