"""Replies against the documented examples: same keys, same kinds of value, phase by phase."""

from typing import Any

import pytest

from musicapi_nb.simulator import Simulator
from tests.replies import sample
from tests.simulator.caller import CREATE, STUDIO, VOCAL, Caller
from tests.simulator.conftest import EPOCH


def shape(value: Any) -> Any:
    """Keys and kinds, in order; whole and broken numbers are one kind."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return "number" if type(value) in (int, float) else type(value).__name__


async def test_sonic_2025_has_the_keys_and_kinds_of_the_sample(caller: Caller) -> None:
    reply = await caller.finished(await caller.submit({**CREATE, "gpt_description_prompt": "x"}))
    known = sample("sonic_get_success_2025.json")
    for clip in reply["data"]:
        assert shape({**clip, "gpt_description_prompt": None}) == shape(known["data"][0])
    assert len(reply["data"]) == 2
    assert set(reply) == set(known)
    assert (reply["code"], reply["message"]) == (known["code"], known["message"])


async def test_sonic_2024_has_the_keys_and_kinds_of_the_sample(caller: Caller) -> None:
    caller.sim.reply_options.sonic_form = "2024"
    reply = await caller.finished(
        await caller.submit({"custom_mode": True, "prompt": "[Verse]\nla", "mv": "sonic-v3-5"})
    )
    known = sample("sonic_get_success_2024.json")["data"][0]
    assert [shape(clip) for clip in reply["data"]] == [shape(known)] * 2
    assert reply["data"][0]["video_url"].startswith(caller.sim.url)


async def test_studio_has_the_keys_and_kinds_of_the_sample(caller: Caller) -> None:
    reply = await caller.finished(await caller.submit(STUDIO, "studio/create"), "studio")
    known = sample("studio_get_success.json")
    blank: dict[str, Any] = {"replaced_tags": {}, "tags": []}
    for song in reply["data"]["data"]["songs"]:
        example = known["data"]["data"]["songs"][0]
        assert shape({**song, **blank}) == shape({**example, **blank})
        for step in song["replaced_tags"].values():
            assert set(step) == {"tags", "type"}
            assert step["type"] == "tags"
    for each in (reply, known):
        each["data"]["data"] = {}
    assert shape(reply) == shape(known)


async def test_nuro_has_the_keys_and_kinds_of_the_samples(caller: Caller) -> None:
    task_id = await caller.submit(VOCAL, "nuro/create")
    early = (await caller.get(f"nuro/task/{task_id}")).body
    assert shape(early) == shape(sample("nuro_get_running.json"))
    done = await caller.finished(task_id, "nuro")
    assert shape(done) == shape(sample("nuro_get_success.json"))


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("sonic/create", CREATE, "sonic_submit_ack.json"),
        ("studio/create", STUDIO, "studio_submit_ack.json"),
        ("nuro/create", VOCAL, "nuro_submit_ack.json"),
        ("sonic/lyrics", {"description": "a song about a kettle"}, "lyrics_success.json"),
        ("sonic/upload", {"url": "https://example.org/a.mp3"}, "upload_success.json"),
    ],
)
async def test_answers_have_the_shape_of_the_samples(
    caller: Caller, path: str, body: Any, name: str
) -> None:
    reply = await caller.post(path, body)
    assert reply.status == 200
    assert shape(reply.body) == shape(sample(name))


async def test_persona_and_credits_have_the_shape_of_the_samples(caller: Caller) -> None:
    clip = (await caller.clips(CREATE))[0]
    persona = await caller.post(
        "sonic/persona",
        {"name": "Ada", "description": "low and warm", "continue_clip_id": clip["clip_id"]},
    )
    assert shape(persona.body) == shape(sample("persona_success.json"))
    assert shape((await caller.get("get-credits")).body) == shape(sample("credits.json"))


async def test_the_ack_may_carry_a_code(caller: Caller) -> None:
    caller.sim.reply_options.ack_code = True
    reply = await caller.post("sonic/create", CREATE)
    assert shape(reply.body) == shape(sample("sonic_submit_ack_schema_with_code.json"))


async def test_sonic_lives_through_202_pending_running_one_done_both_done(
    sim: Simulator, caller: Caller
) -> None:
    task_id = await caller.submit(CREATE)
    seen: list[tuple[str, ...]] = []
    for _ in range(250):
        reply = await caller.get(f"sonic/task/{task_id}")
        states = (
            ("202", reply.body["type"])
            if reply.status == 202
            else tuple(sorted(clip["state"] for clip in reply.body["data"]))
        )
        if not seen or seen[-1] != states:
            seen.append(states)
        sim.clock.advance(1)
    assert seen == [
        ("202", "not_ready"),
        ("pending", "pending"),
        ("running", "running"),
        ("running", "succeeded"),
        ("succeeded", "succeeded"),
    ]


async def running(caller: Caller, task_id: str) -> list[dict[str, Any]]:
    for _ in range(100):
        reply = await caller.get(f"sonic/task/{task_id}")
        if reply.status == 200 and reply.body["data"][0]["state"] == "running":
            clips: list[dict[str, Any]] = reply.body["data"]
            return clips
        caller.sim.clock.advance(2)
    raise AssertionError("it never ran")


async def test_a_running_clip_has_a_stream_that_is_gone_when_it_is_done(caller: Caller) -> None:
    task_id = await caller.submit(CREATE)
    clip = (await running(caller, task_id))[0]
    assert clip["duration"] is None
    async with caller.session.get(clip["audio_url"]) as stream:
        assert stream.status == 200
    done = (await caller.finished(task_id))["data"][0]
    assert done["audio_url"] != clip["audio_url"]
    async with caller.session.get(clip["audio_url"]) as stream:
        assert stream.status == 404


async def test_a_running_clip_may_have_no_audio(caller: Caller) -> None:
    caller.sim.reply_options.sonic_running_audio = "empty"
    clips = await running(caller, await caller.submit(CREATE))
    assert {clip["audio_url"] for clip in clips} == {""}


async def test_clips_may_stay_hidden_until_all_are_done(caller: Caller) -> None:
    caller.sim.reply_options.sonic_unfinished = "not_ready"
    task_id = await caller.submit(CREATE)
    for _ in range(300):
        reply = await caller.get(f"sonic/task/{task_id}")
        if reply.status == 200:
            assert {clip["state"] for clip in reply.body["data"]} == {"succeeded"}
            return
        caller.sim.clock.advance(1)
    pytest.fail("it never finished")


async def test_the_model_may_come_back_in_the_upstream_spelling(caller: Caller) -> None:
    caller.sim.reply_options.mv_spelling = "chirp"
    assert (await caller.clips(CREATE))[0]["mv"] == "chirp-v5"


async def test_studio_times_are_those_of_the_simulated_clock(
    sim: Simulator, caller: Caller
) -> None:
    task_id = await caller.submit(STUDIO, "studio/create")
    seen: dict[str, dict[str, Any]] = {}
    for _ in range(150):
        data = (await caller.get(f"studio/task/{task_id}")).body["data"]
        seen.setdefault(data["status"], {**data, "at": sim.clock.now()})
        sim.clock.advance(1)
    assert list(seen) == ["NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS", "SUCCESS"]
    first, started, done = seen["NOT_START"], seen["IN_PROGRESS"], seen["SUCCESS"]
    assert (first["start_time"], first["finish_time"], first["progress"]) == (0, 0, "0%")
    assert done["submit_time"] == int(EPOCH)
    assert 0 <= started["at"] - started["start_time"] <= 1
    assert 0 <= done["at"] - done["finish_time"] <= 1
    assert 8 <= done["start_time"] - done["submit_time"] <= 40
    assert 35 <= done["finish_time"] - done["start_time"] <= 85


@pytest.mark.parametrize(
    ("choice", "expected"), [("null", None), ("empty", {}), ("songs", ["", ""])]
)
async def test_unfinished_studio_has_three_looks(
    caller: Caller, choice: Any, expected: Any
) -> None:
    caller.sim.reply_options.studio_unfinished = choice
    task_id = await caller.submit(STUDIO, "studio/create")
    caller.sim.clock.advance(45)
    data = (await caller.get(f"studio/task/{task_id}")).body["data"]
    assert data["status"] == "IN_PROGRESS"
    inner = data["data"]
    assert ([song["song_path"] for song in inner["songs"]] if inner else inner) == expected


async def test_studio_may_wrap_its_object(caller: Caller) -> None:
    caller.sim.reply_options.studio_wrapper = True
    reply = await caller.finished(await caller.submit(STUDIO, "studio/create"), "studio")
    assert len(reply["handledData"]["data"]["songs"]) == 2
    assert "data" not in reply


async def test_sonic_takes_about_two_minutes_studio_one_nuro_half(
    sim: Simulator, caller: Caller
) -> None:
    totals: dict[str, list[float]] = {"sonic": [], "studio": [], "nuro": []}
    for body, engine in ((CREATE, "sonic"), (STUDIO, "studio"), (VOCAL, "nuro")):
        for _ in range(21):
            await caller.submit(body, f"{engine}/create")
    for task in sim.service.catalog.tasks.values():
        totals[task.engine].append(task.timing.finished - task.timing.submitted)
    medians = {engine: sorted(each)[10] for engine, each in totals.items()}
    assert medians["sonic"] == pytest.approx(120, abs=25)
    assert medians["studio"] == pytest.approx(66, abs=14)
    assert medians["nuro"] == pytest.approx(30, abs=8)
    assert all(len(set(each)) > 5 for each in totals.values())
