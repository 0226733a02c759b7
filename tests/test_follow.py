"""Follow-up requests of a song, with known fields filled in."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from musicapi_nb import producer, sonic
from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidRequest
from musicapi_nb.tasks import Song, Task

SONG = Song(
    id="clip-1",
    engine="sonic",
    state="succeeded",
    title="Rain",
    tags=("spy jazz", "vibraphone"),
    tags_text="spy jazz, vibraphone",
    lyrics="[Verse]\nrain",
    model="chirp-v5",
    duration=118.5,
)
CLIP = Song(id="clip-1", engine="sonic", state="succeeded", uploaded=True)

FOLLOW_UPS: dict[type[Request], Callable[[Song], Request]] = {
    sonic.Extend: lambda song: song.extend(prompt="more"),
    sonic.Concat: lambda song: song.concat(),
    sonic.Cover: lambda song: song.cover(tags="bossa nova"),
    sonic.Remaster: lambda song: song.remaster(),
    sonic.ReplaceSection: lambda song: song.replace(
        infill_start_s=10, infill_end_s=20, infill_lyrics="sun"
    ),
    sonic.AddVocals: lambda song: song.add_vocals(prompt="la"),
    sonic.AddInstrumental: lambda song: song.add_instrumental(),
    sonic.Sample: lambda song: song.sample(5, 15, make_instrumental=False, prompt="la"),
    sonic.Mashup: lambda song: song.mashup(SONG, prompt="la"),
    sonic.CreatePersona: lambda song: song.persona(describe="a low voice"),
    sonic.StemsBasic: lambda song: song.stems(),
    sonic.StemsFull: lambda song: song.stems(full=True),
    sonic.Wav: lambda song: song.wav(),
    sonic.Midi: lambda song: song.midi(),
    sonic.Bpm: lambda song: song.bpm(),
    sonic.Vox: lambda song: song.vox(),
    sonic.AlignedLyrics: lambda song: song.aligned_lyrics(),
}


@pytest.mark.parametrize(
    "request_type", FOLLOW_UPS, ids=lambda request_type: request_type.operation
)
def test_follow_up_request_is_valid(request_type: type[Request]) -> None:
    request_ = FOLLOW_UPS[request_type](SONG)
    assert type(request_) is request_type
    assert [str(problem) for problem in request_.problems() if problem.hard] == []
    assert "clip-1" in str(request_.body())


def test_known_fields_are_filled_in() -> None:
    assert SONG.extend(prompt="more").body() == {
        "task_type": "extend_music",
        "custom_mode": True,
        "mv": "sonic-v6",
        "use_suno_cdn": False,
        "prompt": "more",
        "title": "Rain",
        "tags": "spy jazz, vibraphone",
        "continue_clip_id": "clip-1",
        "continue_at": 118.5,
    }


def test_cover_keeps_the_lyrics() -> None:
    request_ = SONG.cover(tags="bossa nova")
    assert (request_.body()["prompt"], request_.body()["tags"]) == ("[Verse]\nrain", "bossa nova")


def test_arguments_take_precedence() -> None:
    request_ = SONG.extend(prompt="more", mv="sonic-v6", continue_at=60, title=None).body()
    assert (request_["mv"], request_["continue_at"]) == ("sonic-v6", 60)
    assert "title" not in request_
    assert SONG.cover(styles="bossa nova") == SONG.cover(tags="bossa nova")
    with pytest.raises(InvalidRequest, match="tags: is given as styles and as tags; give one"):
        SONG.cover(styles="bossa nova", tags="jazz")


def test_description_mode_fills_in_no_text() -> None:
    request_ = SONG.cover(custom_mode=False, gpt_description_prompt="as bossa nova").body()
    assert not {"prompt", "title", "tags"} & request_.keys()


def test_unsupported_model_is_not_filled_in() -> None:
    request_ = Song(id="c", engine="sonic", state="succeeded", model="moon-1").extend(prompt="more")
    assert request_.body()["mv"] == "sonic-v6"  # as of any request that names no model


@pytest.mark.parametrize(
    ("request_", "task_type"),
    [
        (CLIP.extend(prompt="more", mv="sonic-v5", continue_at=30), "extend_upload_music"),
        (CLIP.cover(prompt="la", mv="sonic-v5"), "cover_upload_music"),
    ],
)
def test_uploaded_clip_uses_the_upload_variant(request_: Request, task_type: str) -> None:
    assert request_.body()["task_type"] == task_type
    request_.check()


def test_task_clip_gives_follow_ups() -> None:
    task = Task(
        id="t", engine="sonic", operation="upload", state="succeeded", answer={"clip_id": "clip-9"}
    )
    assert task.clip is not None
    assert task.clip.cover(prompt="la", mv="sonic-v5").body()["continue_clip_id"] == "clip-9"
    assert Task(id="t", answer={"clip_id": 9}).clip is None


def test_follow_ups_depend_on_the_engine() -> None:
    song = Song(id="c", engine="producer", state="succeeded", title="Rain")
    assert type(song.extend()) is producer.Extend
    long = msgspec.structs.replace(song, model="FUZZ-2.0", duration=118.5)
    assert long.extend(instruction="strings") == producer.Extend(
        clip_id="c", starts_at=118.5, instruction="strings", title="Rain", mv="Lyria 3 Pro"
    )
    assert long.cover(instruction="as jazz") == producer.Cover(
        clip_id="c", instruction="as jazz", title="Rain", mv="Lyria 3 Pro"
    )
    assert "starts_at" not in long.replace(instruction="a trumpet").body()
    upload = msgspec.structs.replace(long, uploaded=True)
    assert type(upload.cover(instruction="as jazz")) is producer.CoverUpload
    with pytest.raises(InvalidRequest, match=r"offers .*extend") as caught:
        song.stems()
    assert "producer" in str(caught.value)
    text = Song(id="c", engine="lyrics", state="succeeded")
    with pytest.raises(InvalidRequest, match="offers nothing"):
        text.extend()


@pytest.mark.parametrize(
    ("song", "message"),
    [
        ({"id": None}, "no id"),
        ({"state": "running"}, "wait for its task"),
        ({"state": "failed"}, "failed"),
    ],
)
def test_unfinished_song_is_refused(song: dict[str, Any], message: str) -> None:
    unready = Song(**{"id": "c", "engine": "sonic", "state": "succeeded", **song})
    with pytest.raises(InvalidRequest, match=message):
        unready.extend()
    with pytest.raises(InvalidRequest, match=message):
        SONG.mashup(unready)


def test_misspelled_field_is_reported() -> None:
    with pytest.raises(InvalidRequest, match="did you mean title"):
        SONG.cover(titel="Rain")
