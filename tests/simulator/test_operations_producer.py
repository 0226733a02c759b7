"""Producer and its forerunner riffusion: songs, uploads, downloads, retired tasks."""

from typing import Any

import pytest

from musicapi_nb.simulator import Simulator
from tests.replies import sample
from tests.simulator.caller import CREATE, VOCAL, Caller
from tests.simulator.test_replies import shape_of

SOUND: dict[str, Any] = {"sound": "deep house, flute", "title": "Sea", "length": 3}
RIFFUSION: dict[str, Any] = {"custom_mode": False, "prompt": "surf rock", "mv": "FUZZ-1.1"}
URL = "https://example.org/a.mp3"


async def produce(caller: Caller, body: dict[str, Any], path: str = "create") -> Any:
    task_id = await caller.submit(body, f"producer/{path}")
    return await caller.finished(task_id, "producer")


async def test_producer_reply_matches_the_sample(sim: Simulator, caller: Caller) -> None:
    ack = await caller.post("producer/create", SOUND)
    assert shape_of(ack.body) == shape_of(sample("producer_submit_ack.json"))
    early = await caller.get(f"producer/task/{ack.body['task_id']}")
    assert (early.status, early.body) == (202, sample("producer_get_not_ready.json"))
    done = await caller.finished(ack.body["task_id"], "producer")
    assert shape_of(done) == shape_of(sample("producer_get_success_2025.json"))
    song = done["data"][0]
    assert (song["title"], song["sound"], song["duration"]) == ("Sea", "deep house, flute", 3)
    async with caller.session.get(song["audio_url"]) as audio:
        assert (audio.status, audio.headers["Content-Type"]) == (200, "audio/mpeg")
    assert [charge.credits for charge in sim.accounts.charges()] == [12]


async def test_producer_reply_of_2026_has_a_status(sim: Simulator, caller: Caller) -> None:
    sim.reply_options.producer_form = "2026"
    sim.faults.arm("unknown_state")
    task_id = await caller.submit(SOUND, "producer/create")
    statuses = []
    for _ in range(60):
        reply = await caller.get(f"producer/task/{task_id}")
        statuses.append(reply.body["status"])
        sim.clock.advance(3)
    assert list(dict.fromkeys(statuses)) == ["PENDING", "MASTERING", "SUCCESS"]
    assert set(reply.body) == set(sample("producer_get_success_2026.json"))
    async with caller.session.get(reply.body["data"][0]["wav_url"]) as audio:
        assert audio.headers["Content-Type"] == "audio/wav"


@pytest.mark.parametrize("form", ["2025", "2026"])
async def test_failed_producer_task_is_refunded(sim: Simulator, caller: Caller, form: Any) -> None:
    sim.reply_options.producer_form = form
    sim.faults.arm("task_fails", message="no room")
    failed = await produce(caller, SOUND)
    assert (failed["message"], failed["already_refunded"]) == ("no room", True)
    assert failed.get("status", failed.get("type")) in ("FAILED", "api_error")
    assert await caller.credits() == 1000


async def test_producer_extends_and_replaces(sim: Simulator, caller: Caller) -> None:
    first = (await produce(caller, SOUND))["data"][0]
    extend = {"task_type": "extend_music", "clip_id": first["clip_id"], "starts_at": 2}
    longer = (await produce(caller, {**extend, "extend_s": 1, "length": 4}))["data"][0]
    assert (longer["title"], longer["duration"]) == ("Sea", 3)
    section = {
        "task_type": "replace_music",
        "clip_id": first["clip_id"],
        "starts_at": 1,
        "ends_at": 2,
    }
    replaced = (await produce(caller, section))["data"][0]
    assert replaced["duration"] == 3
    uploaded = (await produce(caller, {"audio_url": URL}, "upload"))["data"][0]["clip_id"]
    wrong = await caller.post("producer/create", {**extend, "clip_id": uploaded})
    assert "'extend_upload_music'" in wrong.body["message"]
    right = {**extend, "clip_id": uploaded, "task_type": "extend_upload_music"}
    assert (await caller.post("producer/create", right)).status == 200
    assert sim.accounts.charged("key-a") == 12 * 4 + 2


@pytest.mark.parametrize("form", ["mp3", "wav"])
async def test_producer_downloads_are_tasks(sim: Simulator, caller: Caller, form: str) -> None:
    song = (await produce(caller, SOUND))["data"][0]
    body = {"clip_id": song["clip_id"], "format": form}
    (file,) = (await produce(caller, body, "download"))["data"]
    assert set(file) == {"audio_url"}
    async with caller.session.get(file["audio_url"]) as audio:
        assert (audio.status, file["audio_url"][-3:]) == (200, form)
    assert sim.accounts.charges()[-1].credits == 2
    assert (await caller.post("producer/download", {**body, "format": "ogg"})).status == 400


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"sound": ""}, "'sound' and 'lyrics'"),
        ({"title": "t" * 80}, "title"),
        ({"mv": "sonic-v5"}, "'mv'"),
        ({"length": 241}, "'length'"),
        ({"seed": 1.5}, "'seed'"),
        ({"sound_strength": 0.1}, "'sound_strength'"),
        ({"weirdness": 1.1}, "'weirdness'"),
        ({"task_type": "extend_music"}, "'clip_id'"),
        ({"task_type": "replace_music", "clip_id": "x"}, "'starts_at'"),
        ({"task_type": "extend_music", "clip_id": "unknown"}, "'clip_id'"),
        ({"task_type": "sing"}, "'task_type'"),
        ({"webhook_url": "http://example.org"}, "'webhook_url'"),
    ],
)
async def test_producer_refuses(caller: Caller, change: dict[str, Any], word: str) -> None:
    caller.sim.reply_options.undeclared = "refuse"
    reply = await caller.post("producer/create", {**SOUND, **change})
    assert (reply.status, word in reply.body["message"]) == (400, True)
    assert await caller.credits() == 1000


async def test_producer_renders_all_models_as_lyria(caller: Caller) -> None:
    assert (await produce(caller, SOUND))["data"][0]["mv"] == "Lyria 3 Pro"
    for model in ("Lyria 3 Pro", "FUZZ-2.0", "FUZZ-0.8"):
        assert (await produce(caller, {**SOUND, "mv": model}))["data"][0]["mv"] == model
    caller.sim.reply_options.mv_spelling = "renderer"
    renamed = await produce(caller, {**SOUND, "mv": "FUZZ-1.0"})
    assert renamed["data"][0]["mv"] == "Lyria 3 Pro"


async def test_producer_covers(sim: Simulator, caller: Caller) -> None:
    first = (await produce(caller, SOUND))["data"][0]
    body = {"task_type": "cover_music", "clip_id": first["clip_id"], "instruction": "slow jazz"}
    cover = (await produce(caller, {**body, "strength": 0.3}))["data"][0]
    assert (cover["title"], cover["duration"]) == ("Sea", 3)
    assert cover["clip_id"] != first["clip_id"]
    uploaded = (await produce(caller, {"audio_url": URL}, "upload"))["data"][0]["clip_id"]
    wrong = await caller.post("producer/create", {**body, "clip_id": uploaded})
    assert "'cover_upload_music'" in wrong.body["message"]
    of_upload = {**body, "task_type": "cover_upload_music", "clip_id": uploaded}
    assert (await produce(caller, of_upload))["data"][0]["state"] == "succeeded"
    for change, word in (
        ({"instruction": ""}, "'instruction'"),
        ({"strength": 1.5}, "'strength'"),
        ({"cover_strength": -0.1}, "'cover_strength'"),
    ):
        refused = await caller.post("producer/create", {**body, **change})
        assert (refused.status, word in refused.body["message"]) == (400, True)
    sim.reply_options.retired = frozenset(["producer.cover_music"])
    assert (await caller.post("producer/create", body)).status == 410


@pytest.mark.parametrize(
    ("choice", "change", "instrumental"),
    [
        ("ignored", {"make_instrumental": True}, False),
        ("obeyed", {"make_instrumental": True}, True),
        ("ignored", {"sound": "deep house, instrumental, no vocals"}, True),
        ("ignored", {"sound": "deep house, no vocals", "lyrics": "[Verse]\nla"}, False),
    ],
)
async def test_producer_ignores_make_instrumental(
    caller: Caller, choice: Any, change: dict[str, Any], *, instrumental: bool
) -> None:
    caller.sim.reply_options.producer_instrumental = choice
    song = (await produce(caller, {**SOUND, **change}))["data"][0]
    assert (song["lyrics"] == "[Instrumental]") == instrumental


@pytest.mark.parametrize("task_type", ["music_variation", "swap_music_vocals", "swap_music_sound"])
async def test_retired_task_is_410_until_offered_again(caller: Caller, task_type: str) -> None:
    clip = (await produce(caller, SOUND))["data"][0]["clip_id"]
    body = {"task_type": task_type, "clip_id": clip}
    reply = await caller.post("producer/create", body)
    assert (reply.status, reply.body["type"]) == (410, "gone")
    assert await caller.credits() == 988
    caller.sim.reply_options.retired = frozenset()
    assert (await caller.post("producer/create", body)).status == 200


@pytest.mark.parametrize(
    ("engine", "body"),
    [("sonic", CREATE), ("nuro", VOCAL), ("riffusion", RIFFUSION), ("producer", SOUND)],
)
async def test_any_engine_can_be_retired(caller: Caller, engine: str, body: Any) -> None:
    earlier = await caller.submit(body, f"{engine}/create")
    before = await caller.credits()
    caller.sim.reply_options.retired = frozenset([engine])
    assert (await caller.post(f"{engine}/create", body)).status == 410
    assert await caller.credits() == before
    assert (await caller.get(f"{engine}/task/{earlier}")).status in (200, 202)


async def test_riffusion_shows_finished_songs(sim: Simulator, caller: Caller) -> None:
    task_id = await caller.submit(RIFFUSION, "riffusion/create")
    statuses = []
    for _ in range(60):
        reply = await caller.get(f"riffusion/task/{task_id}")
        statuses.append(len(reply.body["data"]) if reply.status == 200 else 0)
        sim.clock.advance(2)
    assert list(dict.fromkeys(statuses)) == [0, 1, 2]
    expected = sample("riffusion_get_success.json")
    assert shape_of({**reply.body, "data": reply.body["data"][:1]}) == shape_of(expected)
    assert await caller.credits() == 988


async def test_riffusion_can_show_unfinished_songs(caller: Caller) -> None:
    caller.sim.reply_options.riffusion_unfinished = "clips"
    task_id = await caller.submit(RIFFUSION, "riffusion/create")
    caller.sim.clock.advance(20)
    clips = (await caller.get(f"riffusion/task/{task_id}")).body["data"]
    assert [(clip["state"], clip["audio_url"]) for clip in clips] == [("running", "")] * 2
    caller.sim.faults.arm("task_fails")
    failing = await caller.submit(RIFFUSION, "riffusion/create")
    assert (await caller.finished(failing, "riffusion"))["type"] == "api_error"


async def test_riffusion_builds_on_uploads(caller: Caller) -> None:
    upload = await caller.post("riffusion/upload", {"url": URL})
    assert shape_of(upload.body) == shape_of(sample("upload_success.json"))
    body = {**RIFFUSION, "continue_clip_id": upload.body["clip_id"], "continue_at": 2}
    wrong = await caller.post("riffusion/create", {**body, "task_type": "swap_music_sound"})
    assert "'swap_upload_music_sound'" in wrong.body["message"]
    for task_type in ("extend_upload_music", "swap_upload_music_sound"):
        reply = await caller.post("riffusion/create", {**body, "task_type": task_type})
        assert reply.status == 200


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"custom_mode": None}, "'custom_mode'"),
        ({"prompt": ""}, "'prompt'"),
        ({"prompt": "p" * 201}, "prompt"),
        ({"custom_mode": True}, "'lyrics' and 'sound'"),
        ({"vocal_variation": 2}, "'vocal_variation'"),
        ({"mv": "FUZZ-2.0"}, "'mv'"),
        ({"task_type": "replace_music", "continue_clip_id": "x"}, "'replace_start_time'"),
    ],
)
async def test_riffusion_refuses(caller: Caller, change: dict[str, Any], word: str) -> None:
    reply = await caller.post("riffusion/create", {**RIFFUSION, **change})
    assert (reply.status, word in reply.body["message"]) == (400, True)
    assert await caller.credits() == 1000
