"""Request keys are stable, and requests survive a round trip through JSON."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb import nuro, sonic, studio
from musicapi_nb.engines import Request, described_song, operations
from musicapi_nb.engines.fields import Field
from musicapi_nb.errors import InvalidRequest
from musicapi_nb.library import request_key
from musicapi_nb.library._request_key import from_json, key_of_json, to_json
from tests.library.helpers import ROOT, song

_texts = st.text(st.characters(codec="utf-8"), max_size=12)
_numbers = st.integers(-5, 300) | st.floats(0, 1, allow_nan=False)
_json = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)


def _values(field: Field) -> st.SearchStrategy[Any]:
    strategies: dict[str, st.SearchStrategy[Any]] = {
        "switch": st.booleans(),
        "integer": st.integers(0, 300),
        "whole seconds": st.integers(0, 300),
        "fraction": st.floats(0, 1),
        "number": _numbers,
        "seconds": st.floats(0, 300),
        "choices": st.lists(_texts, max_size=3),
        "clips": st.lists(_texts, max_size=3),
        "requests": st.lists(
            st.builds(
                sonic.Create,
                title=st.none() | _texts,
                duration=st.none() | st.integers(0, 300),
                extra=st.dictionaries(st.just("new"), _json),
            ),
            max_size=2,
        ),
        "segments": st.lists(
            st.builds(nuro.Segment, name=_texts, duration=st.integers(1, 99)), max_size=3
        ),
    }
    return st.none() | strategies.get(field.kind, _texts)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    kind = draw(st.sampled_from(operations()))
    fields = {name: draw(_values(field)) for name, field in kind.fields().items()}
    extra = draw(st.dictionaries(st.sampled_from(["new", "ünew"]), _json, max_size=2))
    return kind(**fields, extra=extra)


@given(requests(), st.integers(1, 50))
def test_requests_are_restored(request_: Request, take: int) -> None:
    back = from_json(json.loads(json.dumps(to_json(request_))))
    assert back is not None
    assert type(back) is type(request_)
    assert back.body() == request_.body()
    assert request_key(back, take) == request_key(request_, take)


@given(requests(), requests())
def test_only_equal_requests_have_equal_keys(request: Request, other: Request) -> None:
    assert request_key(request, 1) != request_key(request, 2)
    if request_key(request) == request_key(other):
        assert (type(request), request.body()) == (type(other), other.body())
    else:
        written = [
            json.dumps([kind.path, kind.operation, kind.body(), _defaults(kind)], sort_keys=True)
            for kind in (request, other)
        ]
        assert written[0] != written[1]


def _defaults(request: Request) -> list[str]:
    """Return the fields whose default is sent."""
    declared = [name for name, field in request.fields().items() if field.default is not None]
    return [name for name in declared if getattr(request, name) is None]


def test_default_is_no_part_of_the_key() -> None:
    request = sonic.Concat(continue_clip_id="c1")
    assert request.body()["use_suno_cdn"] is False
    assert to_json(request)["fields"] == {"continue_clip_id": "c1"}
    # fixed: purchases of versions that did not send it would be bought again
    assert request_key(request) == (
        "22d2a773d16ef7e140a020bc0bd4273dde89ef551278ea09969079df6c2cf52c"
    )
    assert request_key(sonic.Concat(continue_clip_id="c1", use_suno_cdn=False)) == (
        "404a0030278a4ffebf31e7b41e253ee645fe2f518e4bd146ab3a2895a20d3fd4"
    )


def test_key_is_equal_in_every_process_and_version() -> None:
    code = "from tests.library.helpers import song\nfrom musicapi_nb.library import request_key\n"
    code += "print(request_key(song('grün', 'sonic-v5'), 3))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # fixed: if the key changed, songs would be bought again
    assert done.stdout.strip() == request_key(song("grün"), 3)
    assert request_key(song("grün"), 3) == (
        "7deb3ba09b4a1800e5181e80b5cb9589cce99356ea4b8d901ffce7be64b9a5e5"
    )


def test_default_model_is_part_of_the_key() -> None:
    request = described_song("rain on tin")
    # fixed: with another default model, cells that name none would buy other songs
    assert request_key(request) == (
        "2bda2a0ad6c66934be6b9a4bb755cf8ceaa87a8252324035967b0f9a291de276"
    )
    assert request_key(request) == request_key(
        sonic.Create(custom_mode=False, mv="sonic-v6", gpt_description_prompt="rain on tin")
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"gpt_description_prompt": "rain on tin"},
        {"prompt": "la la", "mv": "sonic-v5"},
        {"prompt": "la la", "custom_mode": True, "model": "sonic-v6"},
        {"items": [{"prompt": "la la"}]},
    ],
)
def test_stored_request_keeps_its_key(fields: dict[str, Any]) -> None:
    operation = "batch" if "items" in fields else "create"
    stored = {"engine": "sonic", "operation": operation, "fields": fields}
    request = from_json(stored)
    assert request is not None
    assert to_json(request) == stored
    assert request_key(request, 2) == key_of_json(stored, 2)


def test_equal_numbers_have_equal_keys() -> None:
    request = sonic.Create(extra={"weight": 1, "deep": [{"a": 2.0}]})
    assert request_key(request) == request_key(
        sonic.Create(extra={"deep": [{"a": 2}], "weight": 1.0})
    )
    assert request_key(request) != request_key(
        sonic.Create(extra={"weight": True, "deep": [{"a": 2}]})
    )


def test_new_field_keeps_the_key() -> None:
    assert request_key(sonic.Create(mv="sonic-v5", extra={"title": "x"})) == request_key(
        sonic.Create(mv="sonic-v5", title="x")
    )


def test_unset_field_stays_unset() -> None:
    request = studio.Description(prompt_strength=None)
    assert from_json(to_json(request)) == request
    assert "prompt_strength" not in request.body()


def test_unknown_operation_is_none() -> None:
    assert from_json({"engine": "sonic", "operation": "of_a_newer_version", "fields": {}}) is None


def test_value_of_another_type_is_restored() -> None:
    unexpected: Any = 5
    request = sonic.Create(title=unexpected)
    assert from_json(to_json(request)) == request


@pytest.mark.parametrize("take", [0, -1, 1.0, True, "1", None])
def test_take_starts_at_one(take: Any) -> None:
    with pytest.raises(InvalidRequest, match="whole number, 1 or more"):
        request_key(song(), take)
