"""Sonic operations that build on other songs: results, refusals, prices."""

from typing import Any

import pytest

from musicapi_nb.simulator import Simulator
from musicapi_nb.simulator.rules import KNOWN_RECORDING, REFUSALS, UNREACHABLE
from tests.simulator.caller import CREATE, Caller
from tests.simulator.conftest import EPOCH

CUSTOM: dict[str, Any] = {"custom_mode": True, "prompt": "[Verse]\nla la", "mv": "sonic-v5"}
SECTION = {"infill_start_s": 1, "infill_end_s": 2, "infill_lyrics": "[Bridge]\noh"}
URL = "https://example.org/my-tune.mp3"
UPLOAD = {**CUSTOM, "url": URL}
EXTEND = {**UPLOAD, "continue_at": 2}
CHOP = {"chop_sample_start_s": 0, "chop_sample_end_s": 2, "make_instrumental": False}


@pytest.fixture
async def clip(caller: Caller) -> str:
    clips = await caller.clips({**CUSTOM, "title": "Two Kettles", "tags": "organ"})
    return str(clips[0]["clip_id"])


async def make_songs(caller: Caller, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    reply = await caller.finished(await caller.submit(body, path))
    clips: list[dict[str, Any]] = reply["data"]
    return clips


def song(sim: Simulator, clip_id: str) -> Any:
    return sim.service.catalog.songs[clip_id]


@pytest.mark.parametrize(
    ("task_type", "count"),
    [("remaster", 1), ("remaster", 2), ("add_vocals", 2), ("add_instrumental", 2)],
)
async def test_clip_is_edited(caller: Caller, clip: str, task_type: str, count: Any) -> None:
    sim = caller.sim
    if task_type == "remaster":
        sim.reply_options.remaster_clips = count
    body = {"task_type": task_type, "mv": "sonic-v5", "continue_clip_id": clip}
    clips = await caller.clips(body)
    assert len(clips) == count
    assert {(clip["title"], clip["state"]) for clip in clips} == {("Two Kettles", "succeeded")}
    copy, source = song(sim, clips[0]["clip_id"]), song(sim, clip)
    assert copy.recording.seed == source.recording.seed
    assert copy.details["parent"] == clip
    assert sim.accounts.charges()[-1].credits == 15


async def test_high_variation_is_another_performance(
    sim: Simulator, caller: Caller, clip: str
) -> None:
    body = {"task_type": "remaster", "mv": "sonic-v5", "continue_clip_id": clip}
    clips = await caller.clips({**body, "variation_category": "high"})
    assert song(sim, clips[0]["clip_id"]).recording.seed != song(sim, clip).recording.seed


async def test_vocals_are_added_to_an_instrumental(sim: Simulator, caller: Caller) -> None:
    bare = (await caller.clips({**CREATE, "make_instrumental": True}))[0]
    body = {
        **CUSTOM,
        "task_type": "add_vocals",
        "continue_clip_id": bare["clip_id"],
        "vocal_gender": "m",
    }
    with_vocals = (await caller.clips(body))[0]
    assert with_vocals["lyrics"] == "[Verse]\nla la"
    assert not song(sim, with_vocals["clip_id"]).instrumental
    assert "male vocals" in song(sim, with_vocals["clip_id"]).recording.tags


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mv": "sonic-v5-5"}, "The 'mv' field is invalid. The model should be 'sonic-v4', "),
        ({"continue_clip_id": ""}, "The 'continue_clip_id' field is required when task_type = re"),
        ({"duration": 20}, "The 'duration' field is not supported when task_type = remaster."),
        ({"variation_category": "odd"}, "The 'variation_category' field is invalid."),
        (
            {"mv": "sonic-v4", "variation_category": "high"},
            "The 'variation_category' field is not supported by sonic-v4.",
        ),
        (
            {"task_type": "add_vocals", "overpainting_start_s": 1, "overpainting_end_s": 2},
            "The 'overpainting_start_s' field needs an uploaded clip.",
        ),
        (
            {"task_type": "add_vocals", "overpainting_start_s": 2, "overpainting_end_s": 1},
            "The 'overpainting_start_s' field should be less than 'overpainting_end_s'.",
        ),
        (
            {"task_type": "add_vocals", "mv": "sonic-v6", "overpainting_start_s": 2},
            "The 'overpainting_start_s' field is not supported by sonic-v6.",
        ),
    ],
)
async def test_edit_is_refused_with_a_message(
    caller: Caller, clip: str, change: dict[str, Any], message: str
) -> None:
    before = await caller.credits()
    body = {"task_type": "remaster", "mv": "sonic-v5", "continue_clip_id": clip, **change}
    reply = await caller.post("sonic/create", body)
    assert reply.status == 400
    assert reply.body["message"].startswith(message)
    assert await caller.credits() == before


async def test_unsupported_field_can_be_ignored(caller: Caller) -> None:
    body = {**CREATE, "mv": "sonic-v4", "vocal_gender": "f"}
    reply = await caller.post("sonic/create", body)
    assert reply.body["message"] == "The 'vocal_gender' field is not supported by sonic-v4."
    caller.sim.reply_options.unfit = "ignore"
    assert (await caller.post("sonic/create", body)).status == 200


async def test_use_suno_cdn_can_be_required(caller: Caller) -> None:
    caller.sim.reply_options.use_suno_cdn = "required"
    reply = await caller.post("sonic/create", CREATE)
    assert (reply.status, "'use_suno_cdn'" in reply.body["message"]) == (400, True)
    assert (await caller.post("sonic/create", {**CREATE, "use_suno_cdn": False})).status == 200


async def test_older_models_can_return_as_v6(caller: Caller) -> None:
    caller.sim.reply_options.mv_spelling = "renderer"
    assert (await caller.clips(CREATE))[0]["mv"] == "sonic-v6"
    assert (await caller.clips({**CREATE, "mv": "sonic-v6-mini"}))[0]["mv"] == "sonic-v6-mini"


async def songs_of_model(model: str) -> list[dict[str, Any]]:
    async with Simulator(speed=0, epoch=EPOCH, seconds=(3, 4), seed=5) as sim:
        async with Caller(sim, "k") as caller:
            clips = await caller.clips({**CREATE, "mv": model, "tags": "sad, jazz"})
        return [{**clip, "mv": "", "image_url": "", "audio_url": ""} for clip in clips]


@pytest.mark.parametrize("model", ["sonic-v3-5", "sonic-v4-5-plus", "sonic-v5", "chirp-v5-5"])
async def test_older_models_are_rendered_as_v6_is(model: str) -> None:
    # The same account, seed and request, but for the model: not one tag or word differs.
    assert await songs_of_model(model) == await songs_of_model("sonic-v6")


async def test_v6_wild_is_another_renderer() -> None:
    assert await songs_of_model("sonic-v6-wild") != await songs_of_model("sonic-v6")


@pytest.mark.parametrize(
    ("path", "body", "last"),
    [
        ("sonic/upload-extend", EXTEND, "extend"),
        ("sonic/upload-cover", UPLOAD, "cover"),
        ("sonic/sample", {**UPLOAD, **CHOP}, "sample"),
    ],
)
async def test_upload_and_create_reports_its_steps(
    sim: Simulator, caller: Caller, path: str, body: dict[str, Any], last: str
) -> None:
    ack = (await caller.post(path, body)).body
    assert ack["steps"]["upload"]["success"]
    assert ack["steps"][last] == {"success": True, "task_id": ack["task_id"]}
    clips = (await caller.finished(ack["task_id"]))["data"]
    assert [clip["title"] for clip in clips] == ["My Tune", "My Tune"]
    lineage = song(sim, clips[0]["clip_id"]).details["parent"]
    assert lineage == ack["steps"]["upload"]["clip_id"]
    assert await caller.credits() == 983


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://nowhere.invalid/a.mp3", UNREACHABLE),
        ("https://example.org/simulate-recording.mp3", KNOWN_RECORDING),
    ],
)
async def test_refused_file_costs_nothing(caller: Caller, url: str, problem: str) -> None:
    body = {**UPLOAD, "url": url}
    reply = await caller.post("sonic/upload-cover", body)
    assert (reply.status, reply.body["failed_step"]) == (200, "upload")
    assert reply.body["steps"] == {"upload": {"success": False, "error": problem}}
    assert "task_id" not in reply.body
    alone = await caller.post("sonic/upload", {"url": url})
    assert (alone.status, alone.body["message"]) == (400, problem)
    assert await caller.credits() == 1000


async def test_failed_second_step_keeps_the_upload(sim: Simulator, caller: Caller) -> None:
    sim.reply_options.step_failure = 400
    sim.faults.arm("step_fails", step=2, message="no room")
    reply = await caller.post("sonic/upload-extend", EXTEND)
    assert (reply.status, reply.body["failed_step"]) == (400, "extend")
    clip_id = reply.body["steps"]["upload"]["clip_id"]
    assert sim.service.catalog.song(clip_id, "key-a") is not None
    assert [charge.credits for charge in sim.accounts.charges()] == [2]


@pytest.mark.parametrize("path", ["sonic/upload-extend", "sonic/upload-cover"])
async def test_auto_concat_returns_pairs(sim: Simulator, caller: Caller, path: str) -> None:
    task_id = await caller.submit({**EXTEND, "auto_concat": True}, path)
    states = []
    for _ in range(120):
        reply = await caller.get(f"sonic/task/{task_id}")
        if reply.status == 200:
            pairs = reply.body["data"]
            first = [pair["extended"]["state"] for pair in pairs]
            full = [pair["full"] and pair["full"]["state"] for pair in pairs]
            states.append((*first, *full))
        sim.clock.advance(3)
    assert ("succeeded", "succeeded", None, None) in states
    assert states[-1] == ("succeeded",) * 4
    assert sorted(states[0][:2]) == ["pending", "pending"]
    for pair in pairs:
        assert float(pair["full"]["duration"]) > float(pair["extended"]["duration"])
        async with caller.session.get(pair["full"]["audio_url"]) as audio:
            assert audio.status == 200


async def test_sample_needs_either_a_file_or_a_clip(caller: Caller, clip: str) -> None:
    body = {**CUSTOM, **CHOP, "sample_clip_id": clip, "mv": "sonic-v4-5-all"}
    reply = await caller.post("sonic/sample", body)
    assert set(reply.body) == {"message", "task_id"}
    for both in ({**body, "url": URL}, {**CUSTOM, **CHOP}):
        refused = await caller.post("sonic/sample", both)
        assert refused.body["message"].startswith("Exactly one of 'url' and 'sample_clip_id'")
    backwards = await caller.post("sonic/sample", {**body, "chop_sample_start_s": 3})
    assert backwards.status == 400


async def test_mashup_has_two_parents(sim: Simulator, caller: Caller, clip: str) -> None:
    other = (await caller.clips({**CUSTOM, "title": "Rain", "tags": "flute"}))[0]["clip_id"]
    body = {"mashup_clip_ids": [clip, other], "custom_mode": False, "mv": "sonic-v4-5-all"}
    clips = await make_songs(caller, "sonic/mashup", body)
    assert clips[0]["title"] == "Two Kettles x Rain"
    assert clips[0]["lyrics"] == "[Verse]\nla la"
    assert {"organ", "flute"} <= set(clips[0]["tags"].split(", ") + clips[1]["tags"].split(", "))
    assert song(sim, clips[0]["clip_id"]).details["parents"] == (clip, other)
    for wrong in ([clip], [clip, clip, other], [clip, "unknown"], "ab", [1, 2]):
        reply = await caller.post("sonic/mashup", {**body, "mashup_clip_ids": wrong})
        assert (reply.status, "'mashup_clip_ids'" in reply.body["message"]) == (400, True)


async def test_replaced_section_keeps_the_duration(
    sim: Simulator, caller: Caller, clip: str
) -> None:
    body = {**SECTION, "clip_id": clip, "mv": "sonic-v5"}
    clips = await make_songs(caller, "sonic/replace-section", body)
    assert [clip["lyrics"] for clip in clips] == ["[Verse]\nla la\n\n[Bridge]\noh"] * 2
    assert float(clips[0]["duration"]) == song(sim, clip).duration
    for change, word in (
        ({"infill_end_s": 1}, "infill_start_s"),
        ({"infill_start_s": 90, "infill_end_s": 99}, "within the song"),
        ({"mv": "sonic-v3-5"}, "'mv'"),
        ({"clip_id": "unknown"}, "'clip_id'"),
        ({"auto_concat": "yes"}, "'auto_concat'"),
    ):
        reply = await caller.post("sonic/replace-section", {**body, **change})
        assert (reply.status, word in reply.body["message"]) == (400, True)
    reply = await caller.post(
        "sonic/replace-section", {**body, "infill_lyrics": "simulate copyrighted"}
    )
    assert (reply.status, reply.body["message"]) == (403, REFUSALS["copyrighted"])


async def test_replaced_section_comes_with_its_song_once_joined(
    sim: Simulator, caller: Caller, clip: str
) -> None:
    body = {**SECTION, "clip_id": clip, "mv": "sonic-v6", "auto_concat": True}
    task_id = await caller.submit(body, "sonic/replace-section")
    joining = False
    for _ in range(150):
        sim.clock.advance(2)
        pairs = (await caller.get(f"sonic/task/{task_id}")).body.get("data", [])
        replaced = {pair["replaced"]["state"] for pair in pairs}
        joining |= replaced == {"succeeded"} and pairs[0]["full"] is None
        if pairs and all(pair["full"] for pair in pairs):
            break
    assert joining
    assert [set(pair) for pair in pairs] == [{"replaced", "full"}] * 2
    assert [float(pair["replaced"]["duration"]) for pair in pairs] == [1, 1]
    whole = pairs[0]["full"]
    assert float(whole["duration"]) == song(sim, clip).duration
    assert whole["lyrics"] == "[Verse]\nla la\n\n[Bridge]\noh"
    async with caller.session.get(whole["audio_url"]) as audio:
        assert audio.status == 200


async def test_edits_accept_unknown_clips(caller: Caller) -> None:
    caller.sim.reply_options.unknown_clip = "accept"
    section = {"infill_start_s": 1, "infill_end_s": 2, "clip_id": "gone", "mv": "sonic-v5"}
    for path, body in (
        ("sonic/create", {"task_type": "remaster", "continue_clip_id": "x", "mv": "sonic-v5"}),
        ("sonic/create", {"task_type": "add_vocals", "continue_clip_id": "x", "mv": "sonic-v5"}),
        ("sonic/mashup", {"mashup_clip_ids": ["x", "y"], "custom_mode": False, "mv": "sonic-v5"}),
        ("sonic/replace-section", section),
        ("sonic/stems/basic", {"clip_id": "gone"}),
    ):
        assert (await make_songs(caller, path, body))[0]["state"] == "succeeded"


async def test_failing_pairs_are_refunded(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("task_fails")
    task_id = await caller.submit({**EXTEND, "auto_concat": True}, "sonic/upload-extend")
    pairs = (await caller.finished(task_id))["data"]
    states = [(pair["extended"]["state"], pair["full"]["state"]) for pair in pairs]
    assert states == [("failed", "failed")] * 2
    assert await caller.credits() == 1000


async def test_joined_song_can_fail_alone(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("one_clip_fails")
    task_id = await caller.submit({**EXTEND, "auto_concat": True}, "sonic/upload-extend")
    pairs = (await caller.finished(task_id))["data"]
    assert [pair["extended"]["state"] for pair in pairs] == ["succeeded", "succeeded"]
    assert [pair["full"]["state"] for pair in pairs] == ["succeeded", "failed"]
