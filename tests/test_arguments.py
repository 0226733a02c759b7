"""New requests from what a person writes: a text, synonyms, and fields that are left out."""

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import musicapi_nb as mnb
from musicapi_nb.engines import (
    Request,
    documentation,
    lyrics,
    nuro,
    operations,
    producer,
    riffusion,
    sonic,
    studio,
)
from musicapi_nb.engines.arguments import field_synonyms
from musicapi_nb.engines.request import restore
from musicapi_nb.errors import InvalidRequest

NAMES = [f"{kind.engine}.{kind.__name__}" for kind in operations()]


def of(operation: Callable[..., Any], *args: Any, **fields: Any) -> Request:
    """Make a request; type checkers know neither texts without a name nor synonyms."""
    request: Request = operation(*args, **fields)
    return request


def sent(request: Request) -> dict[str, Any]:
    return {name: getattr(request, name) for name, _ in request._set_fields()}


# --- what is left out ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "mode"),  # custom_mode
    [
        (of(sonic.Create, "slow jazz"), False),
        (sonic.Create(gpt_description_prompt="slow jazz", tags="jazz", title="Rain"), False),
        (sonic.Create(prompt="la la"), True),
        (sonic.Create(prompt="rain", auto_lyrics=True), True),
        (sonic.Create(tags="slow jazz", make_instrumental=True), True),
        (sonic.PersonaMusic(persona_id="p1", prompt="la la"), True),
        (riffusion.Create(prompt="slow jazz"), False),
        (riffusion.Create(lyrics="la la", sound="slow jazz"), True),
        (sonic.Create(prompt="la la", custom_mode=False), False),  # the person decides
        (sonic.Create(prompt="la la", gpt_description_prompt=" "), True),  # blank is no text
        # valid without a mode, so that purchases without one exist: it stays unset
        (sonic.Extend(continue_clip_id="c1", prompt="la la"), None),
    ],
    ids=repr,
)
def test_mode_follows_from_the_text(request_: Any, mode: bool | None) -> None:  # noqa: FBT001
    assert request_.custom_mode is mode
    assert request_.body().get("custom_mode") is mode


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            sonic.Create(prompt="la", gpt_description_prompt="jazz"),
            "True to use prompt, False to use gpt_description_prompt; or give one of them",
        ),
        (
            sonic.Create(title="Rain"),
            "or a text that implies it: gpt_description_prompt=... or prompt=...",
        ),
        (riffusion.Create(), "or a text that implies it: prompt=... or lyrics=..."),
    ],
    ids=repr,
)
def test_mode_is_asked_for_if_no_text_decides(request_: Request, message: str) -> None:
    [problem] = [problem for problem in request_.problems() if problem.field == "custom_mode"]
    assert problem.hard
    assert message in problem.message


def test_newest_model_is_part_of_the_request() -> None:
    request = of(sonic.Create, "slow jazz")
    assert repr(request) == (
        "sonic.Create(custom_mode=False, mv='sonic-v6', gpt_description_prompt='slow jazz')"
    )
    assert request.body()["mv"] == "sonic-v6"
    assert request == sonic.Create(
        custom_mode=False, mv="sonic-v6", gpt_description_prompt="slow jazz"
    )
    filled = {kind for kind in operations() if sent(kind()).get("mv")}
    named = {kind for kind in operations() if "mv" in kind.fields() and kind.engine == "sonic"}
    assert filled == named
    assert len(filled) == 14


def test_none_stays_unset() -> None:
    request = sonic.Create(mv=None, custom_mode=None, prompt="la la")
    assert sent(request) == {"prompt": "la la"}
    assert {problem.field for problem in request.problems() if problem.hard} == {
        "mv",
        "custom_mode",
    }


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda request: pickle.loads(pickle.dumps(request)),  # noqa: S301 - our own
        lambda request: msgspec.structs.replace(request, title=None),
    ],
    ids=["copy", "deepcopy", "pickle", "replace"],
)
def test_stored_request_gets_no_default(copied: Callable[[Request], Request]) -> None:
    stored = restore(sonic.Create, {"prompt": "la la"})
    assert sent(stored) == {"prompt": "la la"}
    assert copied(stored) == stored
    batch = restore(sonic.Batch, {"items": [{"prompt": "la la"}]})
    assert sent(batch.items[0]) == {"prompt": "la la"}  # type: ignore[attr-defined]


# --- other names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "fields", "field"),
    [
        (sonic.Create, {"model": "sonic-v5"}, "mv"),
        (sonic.Create, {"lyrics": "la la"}, "prompt"),
        (sonic.Create, {"description": "slow jazz"}, "gpt_description_prompt"),
        *((sonic.Create, {name: "jazz"}, "tags") for name in ("styles", "style", "genre")),
        *((sonic.Create, {name: 30}, "duration") for name in ("length", "seconds")),
        (sonic.Sample, {"instrumental": True}, "make_instrumental"),
        (producer.Create, {"styles": "jazz"}, "sound"),
        (producer.Create, {"duration": 30}, "length"),
        (studio.Description, {"model": "studio32-v1.5"}, "model_type"),
        (nuro.Vocal, {"seconds": 60}, "duration"),
        (riffusion.Create, {"tags": "jazz"}, "sound"),
    ],
)
def test_synonym_sets_the_field(
    operation: type[Request], fields: dict[str, Any], field: str
) -> None:
    [value] = fields.values()
    assert of(operation, **fields) == of(operation, **{field: value})
    assert getattr(of(operation, **fields), field) == value


@pytest.mark.parametrize(
    ("operation", "field"),
    [
        (sonic.Create, "gpt_description_prompt"),
        (producer.Create, "sound"),
        (lyrics.Make, "description"),
        (studio.Instrumental, "prompt"),
        (nuro.Instrumental, "description"),
        (riffusion.Create, "prompt"),
    ],
)
def test_text_without_a_name_is_the_description(operation: type[Request], field: str) -> None:
    assert of(operation, "slow jazz") == of(operation, **{field: "slow jazz"})


def test_synonym_stands_for_one_field() -> None:
    for kind in operations():
        listed = [name for field in kind.fields().values() for name in field.synonyms]
        assert len(listed) == len(set(listed)), kind
        assert not field_synonyms(kind).keys() & kind.fields().keys()
    # a field's own name is not a synonym there
    assert sent(sonic.CreatePersona(styles="jazz")) == {"styles": "jazz"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: of(sonic.Create, model="a", mv="b"), "mv: is given as model and as mv; give one"),
        (lambda: of(sonic.Create, style="a", genre="b"), "tags: is given as style and as genre"),
        (lambda: of(sonic.Create, "a", description="b"), "is given as a text and as description"),
        (lambda: of(sonic.Create, modle="sonic-v5"), "modle: no such field; did you mean mv?"),
        (lambda: of(sonic.Create, lyric="la"), "did you mean prompt?"),
        (lambda: of(sonic.Create, Title="Rain"), "did you mean title?"),
        (lambda: of(sonic.Create, "a", "b"), 'one text, then fields by name: sonic.Create("slow'),
        (lambda: of(sonic.Create, ["jazz"]), "takes one text, then fields by name"),
        (lambda: of(sonic.Wav, "c1"), "fields are passed by name: sonic.Wav(clip_id=...)"),
        (lambda: of(mnb.account.Credits, 5), "fields are passed by name: account.Credits(extra="),
    ],
)
def test_wrong_arguments_are_explained(make: Callable[[], Request], message: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make()
    assert message in str(refused.value)
    assert "was not sent and cost nothing" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("v5", "sonic-v5"),
        ("V6", "sonic-v6"),
        ("sonic v5", "sonic-v5"),
        ("Sonic_V4.5-plus", "sonic-v4-5-plus"),
        ("v5.5", "sonic-v5-5"),
    ],
)
def test_abbreviated_model_is_not_sent(text: str, choice: str) -> None:
    with pytest.raises(InvalidRequest, match=f"did you mean '{choice}'"):
        of(sonic.Create, "jazz", mv=text).check()


@pytest.mark.parametrize("model", ["sonic-v7", "v7", "chirp-v5", "sonic-v5", "moon-1"])
def test_model_of_a_later_version_is_sent(model: str) -> None:
    of(sonic.Create, "jazz", mv=model).check()


# --- help ------------------------------------------------------------------------------------


def test_signature_is_short() -> None:
    text = str(inspect.signature(sonic.Create))
    assert text.startswith("(text: str = None, /, *, gpt_description_prompt: str = None, prompt: ")
    assert "mv: str = 'sonic-v6'" in text
    assert "duration: int = None" in text
    assert len(text) < 600
    assert str(inspect.signature(sonic.Wav)) == "(*, clip_id: str = None, extra: dict = {})"


@pytest.mark.parametrize("operation", operations(), ids=NAMES)
def test_docstring_is_made_from_the_declaration(operation: type[Request]) -> None:
    text = inspect.getdoc(operation) or ""
    assert text.startswith(inspect.cleandoc(vars(operation)["__doc__"]))
    for name, field in operation.fields().items():
        assert f"\n{name} : " in text
        assert all(f"{synonym}=" in text for synonym in field.synonyms)
        shown = " ".join(text.split())
        assert " ".join(field.help.split()) in shown
        assert all(repr(choice) in shown for choice in field.choices)
    assert "Price: " in text
    assert all(len(line) <= 100 for line in text.splitlines() if not line.startswith(">>>"))


class _Api:
    def run(self, request: Request) -> None:
        request.check()


class _Song:
    def __init__(self, id_: str) -> None:
        self.id = id_


@pytest.mark.parametrize("operation", operations(), ids=NAMES)
def test_example_of_the_docstring_is_valid(operation: type[Request]) -> None:
    names = {name: getattr(mnb, name) for name in mnb.__all__}
    names |= {"api": _Api(), "song": _Song("c1"), "other": _Song("c2")}
    eval(documentation.example(operation), names)  # noqa: S307 - our own code
