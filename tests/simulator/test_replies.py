"""Replies have the keys and types of the documented examples, in every state of a task."""

from typing import Any

import pytest

from musicapi_nb.simulator import Simulator
from tests.replies import sample
from tests.simulator.caller import CREATE, STUDIO, VOCAL, Caller
from tests.simulator.conftest import EPOCH


def shape_of(value: Any) -> Any:
    """Return keys and types, in order; integers and floats count as one type."""
    if isinstance(value, dict):
        return {name: shape_of(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape_of(item) for item in value]
    return "number" if type(value) in (int, float) else type(value).__name__


async def test_sonic_reply_of_2025_matches_the_sample(caller: Caller) -> None:
    reply = await caller.finished(await caller.submit({**CREATE, "gpt_description_prompt": "x"}))
    expected = sample("sonic_get_success_2025.json")
    for clip in reply["data"]:
        assert shape_of({**clip, "gpt_description_prompt": None}) == shape_of(expected["data"][0])
    assert len(reply["data"]) == 2
    assert set(reply) == set(expected)
    assert (reply["code"], reply["message"]) == (expected["code"], expected["message"])


async def test_sonic_reply_of_2024_matches_the_sample(caller: Caller) -> None:
    caller.sim.reply_options.sonic_form = "2024"
    reply = await caller.finished(
        await caller.submit({"custom_mode": True, "prompt": "[Verse]\nla", "mv": "sonic-v3-5"})
    )
    expected = sample("sonic_get_success_2024.json")["data"][0]
    assert [shape_of(clip) for clip in reply["data"]] == [shape_of(expected)] * 2
    assert reply["data"][0]["video_url"].startswith(caller.sim.url)


async def test_studio_reply_matches_the_sample(caller: Caller) -> None:
    reply = await caller.finished(await caller.submit(STUDIO, "studio/create"), "studio")
    expected = sample("studio_get_success.json")
    blank: dict[str, Any] = {"replaced_tags": {}, "tags": []}
    for song in reply["data"]["data"]["songs"]:
        example = expected["data"]["data"]["songs"][0]
        assert shape_of({**song, **blank}) == shape_of({**example, **blank})
        for step in song["replaced_tags"].values():
            assert set(step) == {"tags", "type"}
            assert step["type"] == "tags"
    reply["data"]["data"] = expected["data"]["data"] = {}
    assert shape_of(reply) == shape_of(expected)


async def test_nuro_reply_matches_the_samples(caller: Caller) -> None:
    task_id = await caller.submit(VOCAL, "nuro/create")
    early = (await caller.get(f"nuro/task/{task_id}")).body
    assert shape_of(early) == shape_of(sample("nuro_get_running.json"))
    done = await caller.finished(task_id, "nuro")
    assert shape_of(done) == shape_of(sample("nuro_get_success.json"))


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
async def test_submit_reply_matches_the_sample(
    caller: Caller, path: str, body: Any, name: str
) -> None:
    reply = await caller.post(path, body)
    assert reply.status == 200
    assert shape_of(reply.body) == shape_of(sample(name))


async def test_persona_and_credits_match_the_samples(caller: Caller) -> None:
    clip = (await caller.clips(CREATE))[0]
    persona = await caller.post(
        "sonic/persona",
        {"name": "Ada", "description": "low and warm", "continue_clip_id": clip["clip_id"]},
    )
    assert shape_of(persona.body) == shape_of(sample("persona_success.json"))
    assert shape_of((await caller.get("get-credits")).body) == shape_of(sample("credits.json"))


async def test_ack_can_have_a_code(caller: Caller) -> None:
    caller.sim.reply_options.ack_form = "code"
    reply = await caller.post("sonic/create", CREATE)
    assert shape_of(reply.body) == shape_of(sample("sonic_submit_ack_schema_with_code.json"))


@pytest.mark.parametrize(
    ("path", "body"),
    [("sonic/create", CREATE), ("nuro/create", VOCAL), ("producer/create", {"sound": "pop"})],
)
async def test_ack_can_have_its_task_id_below_data(caller: Caller, path: str, body: Any) -> None:
    caller.sim.reply_options.ack_form = "data"
    reply = await caller.post(path, body)
    assert shape_of(reply.body) == {"data": {"task_id": "str"}}
    engine = path.partition("/")[0]
    assert (await caller.get(f"{engine}/task/{reply.body['data']['task_id']}")).status in (200, 202)
    batch = (await caller.post("sonic/batch", {"items": [CREATE]})).body
    assert batch["submitted"] == 1


async def test_running_tasks_can_be_processing(caller: Caller) -> None:
    caller.sim.reply_options.running_word = "processing"
    sonic, nuro = await caller.submit(CREATE), await caller.submit(VOCAL, "nuro/create")
    caller.sim.clock.advance(12)
    assert (await caller.get(f"nuro/task/{nuro}")).body["status"] == "processing"
    caller.sim.clock.advance(31)
    clips = (await caller.get(f"sonic/task/{sonic}")).body["data"]
    assert {clip["state"] for clip in clips} == {"processing"}
    assert (await caller.finished(sonic))["data"][0]["state"] == "succeeded"


async def test_sonic_task_passes_through_all_states(sim: Simulator, caller: Caller) -> None:
    task_id = await caller.submit(CREATE)
    history: list[tuple[str, ...]] = []
    for _ in range(250):
        reply = await caller.get(f"sonic/task/{task_id}")
        states = (
            ("202", reply.body["type"])
            if reply.status == 202
            else tuple(sorted(clip["state"] for clip in reply.body["data"]))
        )
        if not history or history[-1] != states:
            history.append(states)
        sim.clock.advance(1)
    assert history == [
        ("202", "not_ready"),
        ("pending", "pending"),
        ("running", "running"),
        ("running", "succeeded"),
        ("succeeded", "succeeded"),
    ]


async def running_clips(caller: Caller, task_id: str) -> list[dict[str, Any]]:
    for _ in range(100):
        reply = await caller.get(f"sonic/task/{task_id}")
        if reply.status == 200 and reply.body["data"][0]["state"] == "running":
            clips: list[dict[str, Any]] = reply.body["data"]
            return clips
        caller.sim.clock.advance(2)
    raise AssertionError("the task never ran")


async def test_running_clip_has_a_temporary_stream(caller: Caller) -> None:
    task_id = await caller.submit(CREATE)
    clip = (await running_clips(caller, task_id))[0]
    assert clip["duration"] is None
    async with caller.session.get(clip["audio_url"]) as stream:
        assert stream.status == 200
    done = (await caller.finished(task_id))["data"][0]
    assert done["audio_url"] != clip["audio_url"]
    async with caller.session.get(clip["audio_url"]) as stream:
        assert stream.status == 404


async def test_running_clip_can_have_no_audio(caller: Caller) -> None:
    caller.sim.reply_options.sonic_running_audio = "empty"
    clips = await running_clips(caller, await caller.submit(CREATE))
    assert {clip["audio_url"] for clip in clips} == {""}


async def test_clips_can_be_hidden_until_all_are_done(caller: Caller) -> None:
    caller.sim.reply_options.sonic_unfinished = "not_ready"
    task_id = await caller.submit(CREATE)
    for _ in range(300):
        reply = await caller.get(f"sonic/task/{task_id}")
        if reply.status == 200:
            assert {clip["state"] for clip in reply.body["data"]} == {"succeeded"}
            return
        caller.sim.clock.advance(1)
    pytest.fail("the task never finished")


async def test_model_can_return_in_the_upstream_spelling(caller: Caller) -> None:
    caller.sim.reply_options.mv_spelling = "chirp"
    assert (await caller.clips(CREATE))[0]["mv"] == "chirp-v5"


async def test_studio_times_follow_the_simulated_clock(sim: Simulator, caller: Caller) -> None:
    task_id = await caller.submit(STUDIO, "studio/create")
    states: dict[str, dict[str, Any]] = {}
    for _ in range(150):
        data = (await caller.get(f"studio/task/{task_id}")).body["data"]
        states.setdefault(data["status"], {**data, "now": sim.clock.now()})
        sim.clock.advance(1)
    assert list(states) == ["NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS", "SUCCESS"]
    first, started, done = states["NOT_START"], states["IN_PROGRESS"], states["SUCCESS"]
    assert (first["start_time"], first["finish_time"], first["progress"]) == (0, 0, "0%")
    assert done["submit_time"] == int(EPOCH)
    assert 0 <= started["now"] - started["start_time"] <= 1
    assert 0 <= done["now"] - done["finish_time"] <= 1
    assert 8 <= done["start_time"] - done["submit_time"] <= 40
    assert 35 <= done["finish_time"] - done["start_time"] <= 85


@pytest.mark.parametrize(
    ("choice", "expected"), [("null", None), ("empty", {}), ("songs", ["", ""])]
)
async def test_unfinished_studio_task_has_three_forms(
    caller: Caller, choice: Any, expected: Any
) -> None:
    caller.sim.reply_options.studio_unfinished = choice
    task_id = await caller.submit(STUDIO, "studio/create")
    caller.sim.clock.advance(45)
    data = (await caller.get(f"studio/task/{task_id}")).body["data"]
    assert data["status"] == "IN_PROGRESS"
    inner = data["data"]
    assert ([song["song_path"] for song in inner["songs"]] if inner else inner) == expected


async def test_studio_reply_can_be_nested(caller: Caller) -> None:
    caller.sim.reply_options.studio_wrapper = True
    reply = await caller.finished(await caller.submit(STUDIO, "studio/create"), "studio")
    assert len(reply["handledData"]["data"]["songs"]) == 2
    assert "data" not in reply


async def test_engines_take_their_typical_time(sim: Simulator, caller: Caller) -> None:
    totals: dict[str, list[float]] = {"sonic": [], "studio": [], "nuro": []}
    for body, engine in ((CREATE, "sonic"), (STUDIO, "studio"), (VOCAL, "nuro")):
        for _ in range(21):
            await caller.submit(body, f"{engine}/create")
    for task in sim.service.catalog.tasks.values():
        totals[task.engine].append(task.timing.finished - task.timing.submitted)
    medians = {engine: sorted(seconds)[10] for engine, seconds in totals.items()}
    assert medians["sonic"] == pytest.approx(120, abs=25)
    assert medians["studio"] == pytest.approx(66, abs=14)
    assert medians["nuro"] == pytest.approx(30, abs=8)
    assert all(len(set(seconds)) > 5 for seconds in totals.values())
