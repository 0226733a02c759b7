"""A clip that a reply lists twice is one song and an issue, however the reply is read."""

import json
from typing import Any

import pytest

import musicapi_nb as mnb
from musicapi_nb import sonic, tasks

REQUEST = sonic.Create(custom_mode=False, gpt_description_prompt="x", mv="sonic-v5")
CLIP = {
    "clip_id": "c1",
    "state": "succeeded",
    "title": "t",
    "tags": "jazz",
    "duration": 3.0,
    "audio_url": "https://x.example/a.mp3",
}
OTHER = {**CLIP, "clip_id": "c2"}
STUDIO = {"id": "c1", "finished": True, "song_path": "https://x.example/a.mp3", "tags": ["jazz"]}


def _reply(*clips: dict[str, Any]) -> dict[str, Any]:
    return {"code": 200, "data": list(clips), "message": "x"}


def _studio(*clips: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"task_id": "t", "status": "SUCCESS", "data": {"songs": list(clips)}}}


@pytest.mark.parametrize(
    ("reply", "ids"),
    [
        (_reply(CLIP, OTHER, CLIP), ["c1", "c2"]),
        (_reply(CLIP, CLIP, CLIP, OTHER), ["c1", "c2"]),
        (_reply(OTHER, CLIP, {**OTHER, "title": "another title"}), ["c2", "c1"]),
        (_reply({**CLIP, "state": "running"}, CLIP, OTHER), ["c1", "c2"]),
        (_studio(STUDIO, {**STUDIO, "id": "c2"}, STUDIO), ["c1", "c2"]),
        (_reply(*({**clip, "sound": "slow jazz"} for clip in (CLIP, OTHER, CLIP))), ["c1", "c2"]),
    ],
    ids=range(6),
)
def test_repeated_clip_is_one_song_and_an_issue(reply: dict[str, Any], ids: list[str]) -> None:
    task = tasks.parse_task(reply)
    assert [song.id for song in task.songs] == ids
    assert [song.state for song in task.songs] == ["succeeded"] * 2
    assert "is listed more than once" in str(task.issues)
    inputs: list[Any] = [reply, json.dumps(reply), json.dumps(reply).encode(), [reply, task]]
    for replies in inputs:
        frames = mnb.flatten(replies, polls="all")
        count = len(replies) if isinstance(replies, list) else 1
        assert frames.songs["song_id"].tolist() == ids * count
        assert frames.durations["song_id"].tolist() == ids * count
        assert len(frames.tags) == 2 * count
        assert frames.issues["message"].str.contains("listed more than once").sum() >= count


def test_repeated_clip_does_not_stand_for_a_missing_one() -> None:
    accepted = tasks.parse_submit_reply({"message": "success", "task_id": "t"}, REQUEST)
    task = tasks.parse_task(_reply(CLIP, CLIP), task=accepted)
    assert (len(task.songs), task.state, task.expected) == (1, "running", 2)
    task = tasks.parse_task(_reply(CLIP, CLIP, OTHER), task=accepted)
    assert (len(task.songs), task.state) == (2, "succeeded")


@pytest.mark.parametrize("clip", [{**CLIP, "clip_id": None}, {**CLIP, "clip_id": ""}])
def test_clips_without_id_are_separate_songs(clip: dict[str, Any]) -> None:
    task = tasks.parse_task(_reply(clip, clip))
    assert len(task.songs) == 2
    assert "more than once" not in str(task.issues)
    assert len(mnb.songs_frame(json.dumps(_reply(clip, clip)))) == 2
