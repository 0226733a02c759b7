import copy
import datetime as dt
import json
import math
import typing
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb import engines
from musicapi_nb.engines import (
    Price,
    Request,
    lyrics,
    nuro,
    operations,
    producer,
    riffusion,
    sonic,
    studio,
)
from musicapi_nb.engines.request import Group
from musicapi_nb.errors import InvalidRequest
from tests.valid_requests import (
    CDN,
    DESCRIBED,
    EXTENDED,
    FROM_CLIP,
    NAMES,
    STRENGTHS,
    STUDIO,
    TUNE,
    VALID,
    WRITTEN,
)

SAMPLE: dict[str, Any] = {
    **WRITTEN,
    "make_instrumental": False,
    "sample_clip_id": "c1",
    "chop_sample_start_s": 1,
    "chop_sample_end_s": 9,
}
SECTION: dict[str, Any] = {
    "clip_id": "c1",
    "mv": "sonic-v5",
    "infill_start_s": 10,
    "infill_end_s": 20,
}
IGNORED: dict[str, Any] = {
    "make_instrumental": True,
    "lyrics_strength": 0.5,
    "sound_strength": 0.5,
    "weirdness": 0.5,
}
NEWEST = {"sonic-v6", "sonic-v6-wild", "sonic-v6-mini"}
OLDER = set(sonic.MODELS) - NEWEST


def hard(request: Request) -> list[tuple[str, str]]:
    return [(problem.field, problem.message) for problem in request.problems() if problem.hard]


def advice(request: Request) -> list[tuple[str, str]]:
    return [(problem.field, problem.message) for problem in request.problems() if not problem.hard]


def fields(problems: list[tuple[str, str]]) -> list[str]:
    return [field for field, _ in problems]


# --- every operation ------------------------------------------------------------


@pytest.mark.parametrize(("request_", "path", "fixed", "songs", "credits_"), VALID, ids=NAMES[:-1])
def test_valid_request(
    request_: Request, path: str, fixed: dict[str, Any], songs: int | None, credits_: int | None
) -> None:
    request_.check()
    arguments = {name: getattr(request_, name) for name in request_.fields()}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    assert request_.body() == {**arguments, **fixed}
    assert (request_.path, request_.songs, request_.price()) == (path, songs, credits_)
    json.dumps(request_.body(), allow_nan=False)


def test_every_operation_has_a_valid_request() -> None:
    assert {type(case[0]) for case in VALID} | {studio.Extend} == set(operations())


def test_studio_extend_body() -> None:
    EXTENDED.check()
    assert EXTENDED.body() == {
        **STUDIO,
        **STRENGTHS,
        "lyrics_type": "generate",
        "config": {"mode": "continuation", "source": {"song_id": "s1"}, "context_length": 20},
    }


@pytest.mark.parametrize(
    "operation", operations(), ids=lambda kind: f"{kind.engine}.{kind.__name__}"
)
def test_declaration_is_complete(operation: type[Request]) -> None:
    assert operation.engine
    assert operation.operation
    assert operation.path.startswith("/api/v1/")
    assert (operation.__doc__ or "").strip()
    if operation.cost is not None:
        assert dt.date(2025, 1, 1) < operation.cost.read < dt.date(2027, 1, 1)
        assert operation.cost.source
    assert operation.fields_source
    for name, field in operation.fields().items():
        assert field.help.endswith("."), name
        assert dt.date(2025, 1, 1) < (field.source or operation.fields_source).read
        assert (field.kind in {"choice", "choices"}) == bool(field.choices), name
        assert (field.kind in {"segments", "requests"}) == bool(field.item), name


def test_operation_names_are_unique() -> None:
    names = [(kind.engine, kind.operation) for kind in operations()]
    assert len(set(names)) == len(names) == 47


@pytest.mark.parametrize(
    "operation", operations(), ids=lambda kind: f"{kind.engine}.{kind.__name__}"
)
def test_all_missing_fields_are_reported_at_once(operation: type[Request]) -> None:
    needed = {name for name, field in operation.fields().items() if field.required}
    missing = {name for name in needed if getattr(operation(), name) is None}
    assert missing <= set(fields(hard(operation())))
    if missing:
        with pytest.raises(InvalidRequest) as refused:
            operation().check()
        assert missing <= {problem.field for problem in refused.value.problems}
        assert all(problem.hard for problem in refused.value.problems)
        assert "was not sent and cost nothing" in str(refused.value)


# --- limits ------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "field", "limit", "others"),
    [
        *(
            (sonic.Create, "prompt", limit, {**WRITTEN, "mv": mv})
            for mv, limit in [
                ("sonic-v4-5", 5000),
                ("sonic-v4-5-plus", 5000),
                ("sonic-v5", 5000),
                ("sonic-v5-5", 5000),
                ("sonic-v6", 5000),
                ("chirp-v5", 5000),
            ]
        ),
        *(
            (sonic.Cover, "tags", limit, {**FROM_CLIP, "mv": mv})
            for mv, limit in [("sonic-v4-5", 1000), ("sonic-v5-5", 1000), ("sonic-v6-mini", 1000)]
        ),
        (sonic.Create, "title", 80, WRITTEN),
        (sonic.Create, "gpt_description_prompt", 400, DESCRIBED),
        (sonic.CreatePersona, "name", 80, {"clip_id": "c1"}),
        (sonic.CreatePersona, "description", 200, {"name": "Ada", "clip_id": "c1"}),
        (sonic.CreatePersona, "styles", 2000, {"name": "Ada", "clip_id": "c1"}),
        (sonic.ReplaceSection, "tags", 1000, SECTION),
        (sonic.Sample, "prompt", 5000, {**SAMPLE, "mv": "sonic-v4-5-all"}),
        (producer.Create, "title", 80, {"sound": "jazz"}),
        (producer.Create, "lyrics", 5000, {}),
        (producer.Cover, "title", 80, {"clip_id": "c1", "instruction": "as jazz"}),
        (riffusion.Create, "lyrics", 3000, {"custom_mode": True}),
        (riffusion.Create, "sound", 200, {"custom_mode": True}),
        (riffusion.Create, "prompt", 200, {"custom_mode": False}),
        (lyrics.Make, "description", 120, {}),
        (nuro.Vocal, "lyrics", 2000, {}),
    ],
)
def test_character_limits(
    operation: type[Request], field: str, limit: int, others: Mapping[str, Any]
) -> None:
    below, exactly, above = (
        operation(**{**others, field: "é" * length}) for length in (limit - 1, limit, limit + 1)
    )
    assert field not in fields(hard(below)) + fields(advice(below))
    assert field not in fields(hard(exactly))
    assert field in fields(advice(exactly)), "the service may mean fewer"
    assert hard(above) == [(field, f"1 character too many ({limit + 1:,} of {limit:,})")]


@pytest.mark.parametrize(
    ("operation", "field", "older", "limit", "others"),
    [
        *(
            (sonic.Create, "prompt", 3000, 5000, {**WRITTEN, "mv": mv})
            for mv in ("sonic-v3-5", "sonic-v4", "chirp-v4")
        ),
        *(
            (sonic.Cover, "tags", 200, 1000, {**FROM_CLIP, "mv": mv})
            for mv in ("sonic-v3-5", "chirp-v3-5", "sonic-v4")
        ),
        (sonic.ReplaceSection, "tags", 200, 1000, {**SECTION, "mv": "sonic-v4"}),
    ],
)
def test_limits_of_older_models_are_advice(
    operation: type[Request], field: str, older: int, limit: int, others: Mapping[str, Any]
) -> None:
    """Another model renders them now, so the service may accept more."""
    below, exactly, above, largest, over = (
        operation(**{**others, field: "é" * length})
        for length in (older - 1, older, older + 1, limit, limit + 1)
    )
    assert field not in fields(hard(below)) + fields(advice(below))
    assert field in fields(advice(exactly))
    was = f"1 character too many ({older + 1:,} of the {older:,} that {others['mv']} took)"
    assert (field, was) in advice(above)
    assert hard(largest) == []
    assert hard(over) == [(field, f"1 character too many ({limit + 1:,} of {limit:,})")]


@pytest.mark.parametrize(
    ("operation", "field", "low", "high", "step", "others"),
    [
        (nuro.Vocal, "duration", 30, 240, 1, {"lyrics": "la"}),
        (nuro.Instrumental, "duration", 1, 60, 1, {"description": "calm"}),
        (nuro.Instrumental, "duration", 30, 120, 1, {"description": "calm", "version": "v2.0"}),
        (sonic.Extend, "continue_at", 0, None, 0.1, FROM_CLIP),
        *(
            (kind, "duration", 10, 360, 1, others)
            for kind, others in [
                (sonic.Create, WRITTEN),
                (sonic.Cover, FROM_CLIP),
                (sonic.PersonaMusic, {**WRITTEN, "persona_id": "p1"}),
                (sonic.UploadCover, {**WRITTEN, "url": TUNE}),
            ]
        ),
        *(
            (sonic.Create, name, 0, 1, 0.01, WRITTEN)
            for name in ("style_weight", "weirdness_constraint")
        ),
        (sonic.Cover, "audio_weight", 0, 1, 0.01, FROM_CLIP),
        (sonic.Vox, "vocal_end_s", 5.5, 35, 0.5, {"clip_id": "c1", "vocal_start_s": 5}),
        *(
            (producer.Create, name, low, 1, 0.01, {"sound": "jazz", "cover_url": TUNE})
            for name, low in [
                ("sound_strength", 0.2),
                ("cover_strength", 0.2),
                ("weirdness", 0),
                ("lyrics_strength", 0),
            ]
        ),
        (producer.Create, "length", 1, 240, 1, {"sound": "jazz"}),
        (riffusion.Create, "vocal_variation", 0, 1, 0.01, {"custom_mode": True, "lyrics": "la"}),
        (studio.Description, "seed", -1, None, 1, STUDIO),
        *(
            (studio.Description, name, 0, 1, 0.01, STUDIO)
            for name in (
                *STRENGTHS,
                "song_section_start",
                "song_section_end",
                "lyrics_placement_start",
                "lyrics_placement_end",
            )
        ),
    ],
)
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
def test_lists_have_at_most_five_items(field: str) -> None:
    choices = nuro.Instrumental.fields()[field].choices

    def wrong(items: Any) -> list[str]:
        return fields(hard(nuro.Instrumental(**{"description": "calm", field: items})))

    for count in (1, 4, 5):
        assert wrong(choices[:count]) == []
    assert wrong(choices[:6]) == [field]
    assert wrong(["no such thing", choices[0]]) == [field]


def test_unlisted_choice_is_a_problem_or_advice() -> None:
    assert fields(hard(nuro.Vocal(lyrics="la", gender="Robot"))) == ["gender"]
    newer = sonic.Create(**{**DESCRIBED, "mv": "sonic-v9"})
    assert hard(newer) == []
    assert fields(advice(newer)) == ["mv"]
    for model in NEWEST:
        assert sonic.Create(**{**DESCRIBED, "mv": model}).problems() == ()


@pytest.mark.parametrize(
    ("request_", "renderer"),
    [
        *((sonic.Create(**{**DESCRIBED, "mv": model}), "sonic-v6") for model in sorted(OLDER)),
        *((sonic.Create(**{**DESCRIBED, "mv": model}), model) for model in sorted(NEWEST)),
        (sonic.Create(**{**DESCRIBED, "mv": "chirp-v5"}), "sonic-v6"),
        (sonic.Mashup(**{**WRITTEN, "mv": "sonic-v4-5-all"}), "sonic-v6"),
        *(
            (kind(mv=model), "Lyria 3 Pro")
            for kind in (producer.Create, producer.Cover, producer.Extend, producer.Replace)
            for model in (None, "Lyria 3 Pro", "Lyria 3 preview", "FUZZ-3-Demo", "FUZZ-0.8")
        ),
        (riffusion.Create(custom_mode=True, mv="FUZZ-1.0"), "FUZZ-1.0"),
    ],
    ids=repr,
)
def test_older_models_are_rendered_by_a_newer_one(request_: Any, renderer: str) -> None:
    assert request_.fields()["mv"].renderer_of(request_.mv) == renderer
    about_model = [message for field, message in advice(request_) if field == "mv"]
    canonical = (request_.mv or renderer).replace("chirp-", "sonic-")
    aliased = [f"is {request_.mv}, an older model that the service renders with {renderer}"]
    assert about_model == ([] if canonical == renderer else aliased)
    assert "mv" not in fields(hard(request_))


# --- rules across fields ------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "wrong"),
    [
        (sonic.Create(custom_mode=False, mv="sonic-v5"), ["gpt_description_prompt"]),
        (sonic.Create(**{**DESCRIBED, "gpt_description_prompt": "  "}), ["gpt_description_prompt"]),
        (sonic.Create(custom_mode=True, mv="sonic-v5"), ["prompt"]),
        (sonic.Create(custom_mode=True, mv="sonic-v5", make_instrumental=True), []),
        (sonic.Create(**{**DESCRIBED, "mv": "sonic-v4-5-all"}), ["mv"]),
        (sonic.Extend(**WRITTEN), ["continue_clip_id"]),
        (sonic.PersonaMusic(**WRITTEN), ["persona_id"]),
        (sonic.CreatePersona(name="Ada"), ["clip_id"]),
        (sonic.CreatePersona(name="Ada", continue_clip_id="c1"), []),
        (
            sonic.CreatePersona(name="Ada", clip_id="c1", continue_clip_id="c2"),
            ["continue_clip_id"],
        ),
        (sonic.Upload(url="file:///a.mp3"), ["url"]),
        (sonic.Create(**{**WRITTEN, "auto_lyrics": True, "prompt": None}), ["prompt"]),
        (sonic.Create(**DESCRIBED, auto_lyrics=True), ["auto_lyrics"]),
        (sonic.Create(**DESCRIBED, auto_lyrics=False), []),
        (sonic.Create(**{**WRITTEN, "use_suno_cdn": "false"}), ["use_suno_cdn"]),
        (sonic.Create(**{**WRITTEN, "vocal_gender": "female"}), ["vocal_gender"]),
        (sonic.Create(**{**WRITTEN, "duration": 60.5}), ["duration"]),
        (
            sonic.AddVocals(**FROM_CLIP, overpainting_start_s=9, overpainting_end_s=9),
            ["overpainting_end_s"],
        ),
        (sonic.Remaster(mv="sonic-v5"), ["continue_clip_id"]),
        (
            sonic.Remaster(
                continue_clip_id="c1",
                mv="sonic-v5",
                variation_category="loud",  # type: ignore[arg-type]  # on purpose
            ),
            ["variation_category"],
        ),
        (sonic.UploadExtend(**WRITTEN), ["url"]),
        (sonic.UploadCover(**WRITTEN, url=TUNE), []),
        (sonic.UploadCover(**WRITTEN, url=TUNE, extra={"audio_weight": 1}), ["extra"]),
        (sonic.Sample(**{**SAMPLE, "make_instrumental": None}), ["make_instrumental"]),
        (sonic.Sample(**{**SAMPLE, "sample_clip_id": None}), ["sample_clip_id"]),
        (sonic.Sample(**{**SAMPLE, "sample_clip_id": None, "url": TUNE}), []),
        (sonic.Sample(**SAMPLE, url=TUNE), ["url"]),
        (sonic.Sample(**{**SAMPLE, "chop_sample_end_s": 1}), ["chop_sample_end_s"]),
        (sonic.Mashup(**WRITTEN), ["mashup_clip_ids"]),
        *(
            (sonic.Mashup(**{**WRITTEN, "mashup_clip_ids": ids}), ["mashup_clip_ids"] * wrong)
            for ids, wrong in [
                ((), 1),
                (["c1"], 1),
                (("c1", "c2"), 0),
                (["c1", "c2", "c3"], 1),
                (["c1", " "], 1),
                (["c1", None], 1),
                ("c1", 1),
            ]
        ),
        (sonic.ReplaceSection(**{**SECTION, "infill_end_s": 10}), ["infill_end_s"]),
        (
            sonic.CreatePersona(name="Ada", clip_id="c1", vocal_start_s=9, vocal_end_s=8),
            ["vocal_end_s"],
        ),
        (sonic.Download(clip_id="c1"), ["formats"]),
        (sonic.Download(clip_id="c1", formats=[]), ["formats"]),
        (sonic.Download(clip_id="c1", formats=["flac"]), ["formats"]),  # type: ignore[list-item]
        (sonic.Batch(), ["items"]),
        *(
            (sonic.Batch(items=[sonic.Create(**DESCRIBED)] * count), ["items"] * wrong)
            for count, wrong in [(0, 1), (1, 0), (10, 0), (11, 1)]
        ),
        (
            sonic.Batch(items=[sonic.Create(**DESCRIBED), sonic.Create(title="x" * 81)]),
            ["items"] * 2,  # no text, and a long title
        ),
        (producer.Create(title="Rain"), ["sound"]),
        (producer.Create(lyrics="la"), []),
        (producer.Extend(sound="jazz"), ["clip_id", "starts_at"]),
        (producer.Replace(sound="jazz"), ["clip_id", "starts_at", "ends_at"]),
        (producer.Cover(), ["clip_id", "instruction"]),
        (producer.Cover(clip_id="c1", instruction="as jazz", strength=1.1), ["strength"]),
        (producer.Replace(sound="jazz", clip_id="c1", starts_at=5, ends_at=5), ["ends_at"]),
        (producer.Download(clip_id="c1", format="m4a"), ["format"]),
        (riffusion.Create(custom_mode=False), ["prompt"]),
        (riffusion.Create(custom_mode=True, lyrics="la", task_type="remaster"), ["task_type"]),
        (
            riffusion.Create(
                custom_mode=True,
                lyrics="la",
                task_type="replace_music",
                continue_clip_id="c1",
                replace_start_time=9,
                replace_end_time=8,
            ),
            ["replace_end_time"],
        ),
        (studio.Custom(**STUDIO), ["lyrics"]),
        (studio.Extend(**STUDIO, song_id="s1", lyrics_type="user"), ["lyrics"]),
        (studio.Extend(**STUDIO, song_id="s1", mode="sideways"), ["mode"]),
        (
            studio.Description(**STUDIO, song_section_start=0.5, song_section_end=0.5),
            ["song_section_end"],
        ),
        (studio.Description(**STUDIO, lyrics_placement_start=0, lyrics_placement_end=0.95), []),
        (nuro.Instrumental(description="x" * 199, version="v2.0"), []),
        (nuro.Instrumental(description="x" * 200, version="v2.0"), ["description"]),
        (nuro.Instrumental(description="loud" * 50), []),
        (
            nuro.Instrumental(description="x", segments=[nuro.Segment(name="verse", duration=30)]),
            ["segments"],
        ),
    ],
    ids=lambda value: f"{value!r:.60}~{len(repr(value))}",
)
def test_rules(request_: Request, wrong: list[str]) -> None:
    assert fields(hard(request_)) == wrong


@pytest.mark.parametrize(
    ("request_", "field", "refused", "advised"),
    [
        (sonic.Create(**WRITTEN), "mv", {"sonic-v4-5-all"}, OLDER),
        (sonic.Sample(**SAMPLE), "mv", set(), OLDER),
        (sonic.Mashup(**WRITTEN, mashup_clip_ids=["c1", "c2"]), "mv", set(), OLDER),
        (sonic.Remaster(continue_clip_id="c1"), "mv", set(), OLDER),
        (sonic.ReplaceSection(**SECTION), "mv", set(), OLDER),
        (sonic.Cover(**FROM_CLIP, vocal_gender="m"), "vocal_gender", set(), set()),
        (sonic.AddVocals(**FROM_CLIP, overpainting_end_s=9), "overpainting_end_s", set(), set()),
        (
            sonic.Remaster(continue_clip_id="c1", variation_category="high"),
            "variation_category",
            set(),
            set(),
        ),
    ],
    ids=["create", "sample", "mashup", "remaster", "section", "gender", "painted", "variation"],
)
def test_models_by_operation(
    request_: Request, field: str, refused: set[str], advised: set[str]
) -> None:
    models = [*sonic.MODELS, *(["sonic-v4-5-all"] if field == "mv" else [])]
    variants = {mv: msgspec.structs.replace(request_, mv=mv) for mv in models}
    variants |= {
        mv.replace("sonic", "chirp"): msgspec.structs.replace(request_, mv=mv) for mv in models
    }
    for mv, request in variants.items():
        spelt = mv.replace("chirp", "sonic")
        assert (field in fields(hard(request))) == (spelt in refused), mv
        if spelt in sonic.MODELS:
            assert (field in fields(advice(request))) == (spelt in advised), mv


@pytest.mark.parametrize("mv", ["sonic-v3-5", "sonic-v4-5", "chirp-v5-5", "sonic-v5", "sonic-v6"])
def test_models_that_the_docs_exclude_draw_advice(mv: str) -> None:
    messages = [message for _, message in advice(sonic.Remaster(continue_clip_id="c1", mv=mv))]
    excluded = mv not in {"sonic-v5", "sonic-v6"}
    listed = "the docs list sonic-v4, sonic-v4-5-plus, sonic-v5 and v6 here"
    assert (listed in messages) == excluded


def test_batch_consists_of_its_creates() -> None:
    creates = [sonic.Create(**DESCRIBED, extra={"newer": 1}), sonic.Create(**WRITTEN)]
    batch = sonic.Batch(items=creates)
    assert batch.body() == {"items": [create.body() for create in creates]}
    assert batch.price() == 40
    assert sonic.Batch().price() is None
    invalid: Any = sonic.Batch(items=[sonic.Create(**DESCRIBED, prompt="la"), sonic.Extend()])  # type: ignore[list-item]  # on purpose
    assert advice(invalid)[0][0] == "items"
    assert advice(invalid)[0][1].startswith("[0] prompt: belongs to custom_mode=True")
    assert fields(hard(invalid)) == ["items"]
    assert "not a Create" in hard(invalid)[0][1]


def test_item_of_a_batch_names_its_webhook() -> None:
    item = sonic.Create(**DESCRIBED, extra={"webhook_url": "https://example.org/hooks"})
    batch = sonic.Batch(items=[item])
    batch.check()
    assert batch.body()["items"][0]["webhook_url"] == "https://example.org/hooks"


def test_lists_are_readable_in_html() -> None:
    create = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain")
    html = sonic.Batch(items=[create, create])._repr_html_()
    assert "items[1]" in html
    assert "c1, c2" in sonic.Mashup(mashup_clip_ids=["c1", "c2"])._repr_html_()


def test_operations_with_webhook_or_repost() -> None:
    hooked = {kind for kind in operations() if kind.webhook}
    for kind in hooked:
        assert kind.reply == "task"
        assert kind.engine in {"sonic", "nuro", "producer"}
        assert "webhook_url" not in kind.fields()
    tasks = {kind for kind in operations() if kind.reply == "task"}
    without = {kind for kind in tasks - hooked if kind.engine in {"sonic", "nuro", "producer"}}
    assert without == {sonic.StemsBasic, sonic.StemsFull, sonic.Batch}
    again = {kind for kind in operations() if kind.poll_by_repost}
    assert again == {sonic.Midi, sonic.Wav, sonic.Download}
    assert {kind.reply for kind in again} == {"immediate"}


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ([("intro", 30)], 0),
        ([("intro", 29)], 1),
        ([("intro", 5), ("verse", 25)], 0),
        ([("intro", 4), ("verse", 26)], 1),
        ([("verse", 120)], 0),
        ([("verse", 121)], 2),
        ([("solo", 30)], 1),
        ([("verse", 60), ("chorus", 60)], 0),
        ([("verse", 60), ("chorus", 61)], 1),
        ([], 1),
    ],
    ids=repr,
)
def test_segments(parts: list[tuple[str, int]], wrong: int) -> None:
    segments = [nuro.Segment(name=name, duration=duration) for name, duration in parts]
    request = nuro.Instrumental(description="calm", version="v2.0", segments=segments)
    assert fields(hard(request)) == ["segments"] * wrong
    assert request.body()["segments"] == [
        {"name": name, "duration": duration} for name, duration in parts
    ]


def test_advice_does_not_block_a_request() -> None:
    request = sonic.Create(**DESCRIBED, prompt="la")
    request.check()
    assert fields(advice(request)) == ["prompt"]
    assert fields(advice(nuro.Vocal(lyrics="too short"))) == ["lyrics", ""]
    fields_of_first = nuro.Instrumental(description="calm", version="v2.0", mood=["calm"])
    assert "mood" in fields(advice(fields_of_first))


@pytest.mark.parametrize(
    ("request_", "advised"),
    [
        (producer.Create(sound="jazz", **IGNORED), dict.fromkeys(IGNORED, "has no effect")),
        (
            producer.Extend(clip_id="c1", starts_at=1, lyrics="la", weirdness=0),
            {"weirdness": "has"},
        ),
        (producer.Extend(clip_id="c1", starts_at=1), {"instruction": "may be wanted"}),
        (producer.Extend(clip_id="c1", starts_at=1, sound="jazz"), {}),
        (producer.Replace(clip_id="c1", starts_at=1, ends_at=2, instruction="a trumpet"), {}),
        (sonic.Create(**DESCRIBED, title="Rain", tags="jazz"), {}),
        (
            sonic.Extend(continue_clip_id="c1", mv="sonic-v6"),
            {
                "custom_mode": "may be wanted by the service",
                "continue_at": "may be wanted by the service",
            },
        ),
        (
            sonic.Cover(continue_clip_id="c1", mv="sonic-v6"),
            {"custom_mode": "may be wanted by the service"},
        ),
        (sonic.Extend(**FROM_CLIP, continue_at=0), {}),
        (sonic.UploadExtend(**WRITTEN, url=TUNE), {"continue_at": "may be wanted by the service"}),
        (sonic.UploadCover(**WRITTEN, url=TUNE, auto_concat=True), {}),
        (
            sonic.Mashup(**WRITTEN, mashup_clip_ids=["c1", "c1"]),
            {"mashup_clip_ids": "has the same song twice"},
        ),
    ],
    ids=repr,
)
def test_advice_about_fields(request_: Request, advised: dict[str, str]) -> None:
    request_.check()
    messages = dict(advice(request_))
    assert messages.keys() == advised.keys()
    assert all(messages[name].startswith(text) for name, text in advised.items())


def test_all_problems_are_reported_at_once() -> None:
    wrong: dict[str, Any] = {
        "prompt": "x" * 5001,
        "title": "x" * 81,
        "tags": "x" * 1001,
        "make_instrumental": "no",
    }
    request = sonic.Create(custom_mode=True, mv="sonic-v4", **wrong)
    assert sorted(fields(hard(request))) == ["make_instrumental", "prompt", "tags", "title"]
    with pytest.raises(InvalidRequest) as refused:
        request.check()
    for field in ("make_instrumental", "prompt", "tags", "title"):
        assert f"{field}: " in str(refused.value)


# --- values of the wrong kind ------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "wrong"),
    [
        (sonic.Create, {"custom_mode": "false"}),
        (sonic.Create, {"custom_mode": 1}),
        (sonic.Create, {"mv": 5}),
        (sonic.Create, {"title": ["a"]}),
        (sonic.Create, {"tags": ["jazz", "spy"]}),
        (sonic.Create, {"prompt": b"la"}),
        (sonic.Extend, {"continue_at": "30"}),
        (sonic.Extend, {"continue_at": True}),
        (sonic.Extend, {"continue_at": math.nan}),
        (sonic.Extend, {"continue_at": math.inf}),
        (studio.Description, {"seed": 1.5}),
        (studio.Description, {"prompt_strength": math.nan}),
        (nuro.Vocal, {"duration": 30.5}),
        (nuro.Instrumental, {"genre": "jazz"}),
        (nuro.Instrumental, {"mood": [5]}),
        (nuro.Instrumental, {"version": "v2.0", "segments": [{"name": "verse"}]}),
        (sonic.Mashup, {"mashup_clip_ids": ["c1", "\ud800"]}),
        (sonic.Mashup, {"mashup_clip_ids": "c1, c2"}),
        (sonic.Batch, {"items": [{"mv": "x"}]}),
        (sonic.Batch, {"items": sonic.Create()}),
        (producer.Create, {"seed": 7.5}),
        (producer.Create, {"seed": True}),
        (sonic.Download, {"formats": "mp3"}),
        (riffusion.Create, {"continue_at": 30.5}),
        (sonic.Create, {"title": "half \ud800"}),
        (lyrics.Make, {"description": "\udfff"}),
    ],
    ids=repr,
)
def test_wrong_value_is_a_problem_of_its_field(
    operation: type[Request], wrong: dict[str, Any]
) -> None:
    (*_, field) = wrong
    assert field in fields(hard(operation(**wrong)))


def test_list_of_tags_gets_a_hint_to_join() -> None:
    request = sonic.Create(**WRITTEN, tags=["jazz"])  # type: ignore[arg-type]  # on purpose
    ((field, message),) = hard(request)
    assert field == "tags"
    assert '", ".join(tags)' in message


any_value = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(exclude_categories=())),
        st.binary(max_size=3),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(operations()), st.data())
def test_any_request_that_passes_can_be_sent(operation: type[Request], data: st.DataObject) -> None:
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


# --- unknown fields, extra ------------------------------------------------------------


def test_unknown_field_error_suggests_a_name_and_extra() -> None:
    with pytest.raises(InvalidRequest, match=r"titel: no such field; did you mean title\?.*extra"):
        sonic.Create(titel="x")  # type: ignore[call-arg]  # on purpose
    with pytest.raises(InvalidRequest) as refused:
        sonic.Create(xyzzy=1, tag="jazz")  # type: ignore[call-arg]  # on purpose
    assert [problem.field for problem in refused.value.problems] == ["xyzzy", "tag"]
    assert isinstance(refused.value, ValueError)


def test_extra_is_sent() -> None:
    request = sonic.Create(**DESCRIBED, extra={"voice": "f", "weights": [1, {"a": None}]})
    assert hard(request) == []
    assert request.body() == {
        **DESCRIBED,
        **CDN,
        "task_type": "create_music",
        "voice": "f",
        "weights": [1, {"a": None}],
    }


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({"title": "x"}, "pass title=..."),
        ({"task_type": "cover_music"}, "choose another operation"),
        ({"new": math.nan}, "cannot be written as JSON"),
        ({"new": object()}, "cannot be written as JSON"),
        ({"new": {1, 2}}, "cannot be written as JSON"),
    ],
    ids=["own field", "fixed field", "NaN", "object", "set"],
)
def test_extra_that_clashes(extra: dict[str, Any], text: str) -> None:
    ((field, message),) = hard(sonic.Create(**DESCRIBED, extra=extra))
    assert field == "extra"
    assert text in message


@pytest.mark.parametrize("extra", [5, "text", None, [("a", 1)], {5: 1}], ids=repr)
def test_extra_must_be_a_dict_of_fields(extra: Any) -> None:
    with pytest.raises(InvalidRequest, match="extra: should be a dict"):
        sonic.Create(**DESCRIBED, extra=extra)


def test_extra_with_lone_surrogate() -> None:
    request = sonic.Create(**DESCRIBED, extra={"new": "\ud800"})
    assert fields(hard(request)) == ["extra"]


def test_extra_cannot_replace_constants() -> None:
    request = studio.Extend(**STUDIO, song_id="s1", extra={"config": {"mode": "regular"}})
    assert fields(hard(request)) == ["extra"]


# --- price and availability ------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "proposal"),
    [
        (sonic.Sample, "assume=14 (docs of the vendor's sibling host, 2026-09)"),
        (sonic.Mashup, "assume=14 (docs of the vendor's sibling host, 2026-09)"),
        (sonic.ReplaceSection, "assume=10 (docs of the vendor's sibling host, 2026-09)"),
        (sonic.Download, "assume=2 (docs of the vendor's sibling host, 2026-09)"),
        (
            sonic.UploadCover,
            "assume=14 (the sibling host's price of a cover; none for uploads, 2026-09)",
        ),
        (
            sonic.UploadExtend,
            "assume=10 (the sibling host's price of an extend; none for uploads, 2026-09)",
        ),
        (
            producer.Cover,
            "assume=12 (the price of producer's create; none is known for covers, 2026-10)",
        ),
    ],
)
def test_unknown_price_has_an_assumption(operation: type[Request], proposal: str) -> None:
    request = operation()
    price = request.assumed_price()
    assert request.price() is None
    assert price is not None
    assert price.proposal == proposal
    assert "credits unknown" in request._repr_html_()


@pytest.mark.parametrize("operation", [sonic.Create, riffusion.Upload, sonic.Batch])
def test_no_assumption_about_other_prices(operation: type[Request]) -> None:
    assert operation().assumed_price() is None


@pytest.mark.parametrize("seed", [7, "7"], ids=repr)
def test_producer_takes_seeds_as_numbers_and_as_text(seed: int | str) -> None:
    request = producer.Create(sound="jazz", seed=seed)
    assert request.problems() == ()
    assert request.body()["seed"] == seed


def test_default_is_sent_unless_the_field_is_set() -> None:
    assert sonic.Concat(continue_clip_id="c1").body()["use_suno_cdn"] is False
    assert sonic.Concat(continue_clip_id="c1", use_suno_cdn=True).body()["use_suno_cdn"] is True
    assert "use_suno_cdn" not in repr(sonic.Concat(continue_clip_id="c1"))


def test_unknown_price_is_none() -> None:
    class Free(sonic.Upload, frozen=True, kw_only=True):
        cost: ClassVar[Price | None] = None

    assert Free(url="https://example.org/a.mp3").price() is None


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        (studio.Description(**STUDIO), "not offered now"),
        (nuro.Vocal(lyrics="x" * 300), "may be gone"),
        (riffusion.Upload(url=TUNE), "deprecated"),
        (sonic.CreatePersona(name="Ada", clip_id="c1"), "may be gone"),
    ],
    ids=["studio", "nuro", "riffusion", "persona"],
)
def test_availability_is_advice(request_: Request, word: str) -> None:
    request_.check()
    ((field, message),) = advice(request_)
    assert field == ""
    assert message.startswith(word)
    assert word in request_._repr_html_()
    assert sonic.Create(**DESCRIBED).problems() == ()


def test_operations_table_shows_price_and_availability() -> None:
    text = repr(operations())
    lines = {line.split()[0]: line for line in text.splitlines() if "credit" in line}
    assert len(lines) == 47
    headings = [line for line in text.splitlines() if line and "credit" not in line]
    assert headings == list(typing.get_args(Group))
    assert "20 credits" in lines["sonic.Create"]
    assert "not offered now" in lines["studio.Custom"]
    html = operations()._repr_html_()
    assert "sonic.CreatePersona: may be gone" in html  # only this one of the engine
    assert "studio: not offered now" in html


# --- requests as values ------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        *(case[0] for case in VALID),
        EXTENDED,
        sonic.Create(**DESCRIBED, extra={"new": [1, "é\n"]}),
        nuro.Instrumental(
            description="calm", version="v2.0", segments=(nuro.Segment(name="verse", duration=30),)
        ),
    ],
    ids=repr,
)
def test_repr_can_be_evaluated(request_: Request) -> None:
    names = {kind.engine: getattr(engines, kind.engine) for kind in operations()}
    again = eval(repr(request_), {**names, "Segment": nuro.Segment})  # noqa: S307 - our own text
    assert again == request_
    assert type(again) is type(request_)
    assert again.body() == request_.body()


def test_request_is_frozen() -> None:
    request = sonic.Create(**DESCRIBED)
    with pytest.raises(AttributeError, match="immutable"):
        request.title = "x"  # type: ignore[misc]  # on purpose
    other = msgspec.structs.replace(request, gpt_description_prompt="snow")
    assert (request.gpt_description_prompt, other.gpt_description_prompt) == ("rain on tin", "snow")
    assert copy.copy(request) == request


def test_body_does_not_share_constants() -> None:
    body = studio.Description(**STUDIO).body()
    body["config"]["mode"] = "changed"
    assert studio.Description(**STUDIO).body()["config"] == {"mode": "regular"}


def test_missing_field_says_what_to_give() -> None:
    messages = {
        f"{operation.engine}.{operation.__name__} {problem.field}": problem.message
        for operation in operations()
        for problem in operation().problems()
        if problem.message.startswith("is required") and "; give" in problem.message
    }
    assert messages["sonic.Download formats"] == "is required; give a list of mp3, m4a, wav"
    assert messages["sonic.Wav clip_id"] == "is required (Song); give the id of a song"
    assert messages["nuro.Vocal lyrics"] == "is required; give text"
    model = messages["studio.Custom model_type"]
    assert model.startswith("is required (Model); give one of studio130-v1.5, ")
    assert messages["sonic.Batch items"].endswith("; give a list of requests")
    assert not any(message.endswith(".") for message in messages.values())
