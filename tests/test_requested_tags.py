"""The columns `requested_tags` and `negative_tags` of `songs_frame`."""

import json
from typing import Any

import pytest

from musicapi_nb import frames
from musicapi_nb.engines import Request, nuro, producer, riffusion, sonic, studio
from musicapi_nb.tasks import StoredReply, Task, parse_task
from tests.replies import SONIC, STUDIO, sample

SONIC_TAGS = sonic.Create(custom_mode=True, prompt="la", tags="slow jazz", negative_tags="drums")


class _Library:
    """A library of one stored reply."""

    def __init__(self, base: Task, raw: str) -> None:
        self._reply = StoredReply(base, raw, {})

    def replies(self) -> list[StoredReply]:
        return [self._reply]


def _columns(reply: Any) -> list[tuple[Any, Any]]:
    table = frames.songs_frame(reply).astype(object)
    table = table.where(table.notna(), None)
    return list(zip(table["requested_tags"], table["negative_tags"], strict=True))


def _raw(name: str) -> dict[str, Any]:
    return dict(sample(name))


@pytest.mark.parametrize(
    ("request_", "tags", "negative"),
    [
        (SONIC_TAGS, "slow jazz", "drums"),
        (sonic.Create(custom_mode=False, gpt_description_prompt="rain"), "rain", None),
        (sonic.Create(custom_mode=True, gpt_description_prompt="rain", tags=" "), None, None),
        (sonic.Create(custom_mode=False, gpt_description_prompt="rain", tags="a"), "a, rain", None),
        (riffusion.Create(custom_mode=True, sound="dub"), "dub", None),
        (riffusion.Create(custom_mode=False, prompt="dub for a walk"), "dub for a walk", None),
        (producer.Create(sound="warm, dub"), "warm, dub", None),
        (
            studio.Custom(prompt="spy jazz", negative_prompt="drums", lyrics="la"),
            "spy jazz",
            "drums",
        ),
        (nuro.Vocal(genre="Folk", mood="Happy"), "Folk, Happy", None),
        (nuro.Instrumental(genre=("folk", "jazz"), description="calm"), "folk, jazz, calm", None),
        (sonic.Wav(clip_id="c"), None, None),
        (None, None, None),
    ],
)
def test_request_names_the_tags(
    request_: Request | None, tags: str | None, negative: str | None
) -> None:
    task = Task(id="t", request=request_, engine="sonic")
    parsed = parse_task({"code": 200, "data": [{"clip_id": "c", "state": "succeeded"}]}, task=task)
    assert _columns(parsed) == [(tags, negative)]


@pytest.mark.parametrize("name", [SONIC, STUDIO])
@pytest.mark.parametrize("request_", [None, SONIC_TAGS])
def test_decoded_and_parsed_replies_agree(name: str, request_: Request | None) -> None:
    reply = _raw(name)
    base = Task(request=request_)
    assert _columns(_Library(base, json.dumps(reply))) == _columns(parse_task(reply, task=base))
    assert _columns(json.dumps(reply)) == _columns(reply)


def test_reply_of_studio_shows_what_was_read() -> None:
    song = {"id": "s", "replaced_tags": {"spy jazz": {"tags": ["jazz"]}}, "prompt": "other"}
    reply = {"code": "success", "data": {"status": "SUCCESS", "data": {"songs": [song]}}}
    assert _columns(reply) == [("spy jazz", None)]
    del song["replaced_tags"]
    assert _columns(reply) == [("other", None)]


def test_reply_of_sonic_repeats_tags_to_avoid() -> None:
    clip: dict[str, Any] = {
        "clip_id": "c",
        "tags": "jazz",
        "negative_tags": "drums",
        "state": "succeeded",
    }
    assert _columns({"code": 200, "data": [clip]}) == [(None, "drums")]
    for value in (None, "", " ", 5, ["drums"]):
        clip["negative_tags"] = value
        assert _columns({"code": 200, "data": [clip]}) == [(None, None)]
        assert _columns(json.dumps({"code": 200, "data": [clip]})) == [(None, None)]


def test_songs_of_a_batch_have_the_tags_of_their_part() -> None:
    parts = [
        parse_task(
            {"code": 200, "data": [{"clip_id": f"c{tags}", "state": "succeeded"}]},
            task=Task(id=tags, request=sonic.Create(custom_mode=True, tags=tags)),
        )
        for tags in ("dub", "folk")
    ]
    songs = tuple(song for part in parts for song in part.songs)
    assert _columns(Task(id="b", parts=tuple(parts), songs=songs)) == [
        ("dub", None),
        ("folk", None),
    ]
