"""Operations about one clip, file, text or voice, and the older /suno ones."""

from typing import Any

import pytest

from musicapi_nb.simulator import Simulator
from tests.replies import sample
from tests.simulator.caller import CREATE, Caller
from tests.simulator.test_replies import shape_of

CUSTOM: dict[str, Any] = {
    "custom_mode": True,
    "prompt": "[Verse]\nla li lo\nlu\n\n[Chorus]\nhey",
    "mv": "sonic-v5",
    "tags": "pop, female vocals",
    "title": "Two Kettles",
}
URL = "https://example.org/my-voice.mp3"


@pytest.fixture
async def clip(caller: Caller) -> dict[str, Any]:
    return (await caller.clips(CUSTOM))[0]


@pytest.fixture
def clip_id(clip: dict[str, Any]) -> str:
    return str(clip["clip_id"])


async def fetch(caller: Caller, url: str) -> tuple[int, str, bytes]:
    async with caller.session.get(url) as reply:
        return reply.status, reply.headers.get("Content-Type", ""), await reply.read()


def spent(sim: Simulator) -> list[int]:
    """Return the charges after that of the clip itself."""
    return [charge.credits for charge in sim.accounts.charges()][1:]


async def test_wav_request_is_repeated_until_ready(
    sim: Simulator, caller: Caller, clip_id: str
) -> None:
    link = f"{sim.url}/media/audio/{clip_id}.wav"
    assert (await fetch(caller, link))[0] == 404
    first = await caller.post("sonic/wav", {"clip_id": clip_id})
    assert (first.status, first.body["data"]["wav_url"]) == (202, "")
    assert (await caller.post("sonic/wav", {"clip_id": clip_id})).status == 202
    sim.clock.advance(20)
    ready = await caller.post("sonic/wav", {"clip_id": clip_id})
    assert (ready.status, shape_of(ready.body)) == (200, shape_of(sample("wav_success.json")))
    assert ready.body["data"]["wav_url"] == link
    status, kind, content = await fetch(caller, link)
    assert (status, kind, content[:4]) == (200, "audio/wav", b"RIFF")
    assert spent(sim) == [2]
    # The file is ready; another order is another charge.
    assert (await caller.post("sonic/wav", {"clip_id": clip_id})).status == 200
    assert spent(sim) == [2, 2]


async def test_each_repeated_call_can_be_charged(
    sim: Simulator, caller: Caller, clip_id: str
) -> None:
    sim.reply_options.repeat_charge = "each"
    for _ in range(3):
        await caller.post("sonic/midi", {"clip_id": clip_id})
    assert spent(sim) == [1, 1, 1]


async def test_unfinished_wav_can_be_an_empty_link(caller: Caller, clip_id: str) -> None:
    caller.sim.reply_options.wav_unfinished = "empty"
    reply = await caller.post("sonic/wav", {"clip_id": clip_id})
    assert (reply.status, reply.body["data"]) == (200, {"wav_url": ""})


@pytest.mark.parametrize(("choice", "status"), [("202", 202), ("text", 200)])
async def test_midi_request_is_repeated_until_ready(
    sim: Simulator, caller: Caller, clip_id: str, choice: Any, status: int
) -> None:
    sim.reply_options.midi_unfinished = choice
    reply = await caller.post("sonic/midi", {"clip_id": clip_id})
    assert (reply.status, reply.body["code"]) == (status, status)
    assert reply.body["data"]["midi_url"] == "generating midi..."
    sim.clock.advance(60)
    reply = await caller.post("sonic/midi", {"clip_id": clip_id})
    expected = sample("midi_success.json")
    note = expected["data"]["instruments"][0]["notes"][0]
    assert set(reply.body) == set(expected)
    for instrument in reply.body["data"]["instruments"]:
        assert all(shape_of(row) == shape_of(note) for row in instrument["notes"])
    status, kind, content = await fetch(caller, reply.body["data"]["midi_url"])
    assert (status, kind, content[:4]) == (200, "audio/midi", b"MThd")
    assert spent(sim) == [1]


async def test_lost_202_is_charged(sim: Simulator, caller: Caller, clip_id: str) -> None:
    sim.faults.arm("error_after", page=False)
    assert (await caller.post("sonic/wav", {"clip_id": clip_id})).status == 502
    assert (await caller.post("sonic/wav", {"clip_id": clip_id})).status == 202
    assert spent(sim) == [2]


async def test_download_offers_the_requested_formats(
    sim: Simulator, caller: Caller, clip_id: str
) -> None:
    body = {"clip_id": clip_id, "formats": ["mp3", "m4a", "wav"]}
    assert (await caller.post("sonic/download", body)).status == 202
    sim.clock.advance(30)
    assert spent(sim) == []  # until the files are there
    reply = (await caller.post("sonic/download", body)).body
    assert shape_of(reply["data"]["files"][0]) == {"format": "str", "url": "str"}
    assert set(reply["data"]) == {"clip_id", "files"}
    links = {file["format"]: file["url"] for file in reply["data"]["files"]}
    assert list(links) == body["formats"]
    replies = [await fetch(caller, link) for link in links.values()]
    assert [reply[0] for reply in replies] == [200, 404, 200]  # the simulator makes no M4A
    assert [replies[0][1], replies[2][1]] == ["audio/mpeg", "audio/wav"]
    assert spent(sim) == [2]
    sim.reply_options.download_form = "links"
    older = (await caller.post("sonic/download", body)).body["data"]
    assert older == {f"{name}_url": link for name, link in links.items()}
    assert spent(sim) == [2, 2]  # of each call that is answered with the files
    assert (await caller.post("sonic/download", {**body, "formats": ["mp3"]})).status == 202
    assert spent(sim) == [2, 2]
    for wrong in ([], "mp3", ["flac"], None):
        assert (await caller.post("sonic/download", {**body, "formats": wrong})).status == 400


async def test_preparing_a_download_needs_credits_only_at_its_end(
    sim: Simulator, caller: Caller, clip_id: str
) -> None:
    body = {"clip_id": clip_id, "formats": ["mp3"]}
    account = sim.accounts.get("key-a")
    account.credits = 1
    assert (await caller.post("sonic/download", body)).status == 202
    sim.clock.advance(30)
    assert (await caller.post("sonic/download", body)).status == 403
    account.credits = 2
    assert (await caller.post("sonic/download", body)).status == 200
    assert account.balance == 0


async def test_purged_source_is_404(sim: Simulator, caller: Caller, clip_id: str) -> None:
    sim.reply_options.purged_after = 86_400
    body = {"clip_id": clip_id, "formats": ["mp3"]}
    assert (await caller.post("sonic/download", body)).status == 202
    sim.clock.advance(86_401)
    reply = await caller.post("sonic/download", body)
    assert (reply.status, reply.body["type"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "choice", "count"),
    [("basic", "2/12", 2), ("basic", "4/24", 4), ("full", "2/12", 12), ("full", "4/24", 24)],
)
async def test_number_of_stems_depends_on_the_option(
    caller: Caller, clip_id: str, path: str, choice: Any, count: int
) -> None:
    caller.sim.reply_options.stems = choice
    ack = await caller.post(f"sonic/stems/{path}", {"clip_id": clip_id})
    assert shape_of(ack.body) == shape_of(sample("stems_submit_ack.json"))
    stems = (await caller.finished(ack.body["task_id"]))["data"]
    assert len({stem["clip_id"] for stem in stems}) == len({stem["title"] for stem in stems})
    assert len(stems) == count
    assert "Vocals)" in stems[0]["title"]
    assert all(stem["title"].startswith("Two Kettles (") for stem in stems)
    assert spent(caller.sim) == [{"basic": 30, "full": 75}[path]]


async def test_failed_stems_are_refunded(sim: Simulator, caller: Caller, clip_id: str) -> None:
    sim.faults.arm("task_fails")
    task_id = await caller.submit({"clip_id": clip_id}, "sonic/stems/full")
    stems = (await caller.finished(task_id))["data"]
    assert {stem["state"] for stem in stems} == {"failed"}
    assert await caller.credits() == 980


async def test_bpm_has_minimum_average_and_maximum(
    sim: Simulator, caller: Caller, clip_id: str
) -> None:
    reply = (await caller.post("sonic/bpm", {"clip_id": clip_id})).body
    assert set(reply) == {"code", "message", "data"}
    tempo = reply["data"]
    assert 40 < tempo["min_bpm"] < tempo["avg_bpm"] < tempo["max_bpm"] < 220
    assert spent(sim) == [1]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("breaks", ["[Verse]\nla ", "li ", "lo\n", "lu\n\n", "[Chorus]\nhey\n"]),
        ("plain", ["la", "li", "lo", "lu", "hey"]),
    ],
)
async def test_aligned_lyrics_span_the_song_and_repeats_are_free(
    sim: Simulator, caller: Caller, clip: dict[str, Any], choice: Any, words: list[str]
) -> None:
    sim.reply_options.aligned_words = choice
    sim.reply_options.singing = "exact"
    replies = [
        (await caller.post("sonic/aligned-lyrics", {"clip_id": clip["clip_id"]})).body
        for _ in range(2)
    ]
    assert replies[0] == replies[1]
    alignment = replies[0]["data"]["alignment"]
    assert [row["word"] for row in alignment] == words
    instants = [instant for row in alignment for instant in (row["start_s"], row["end_s"])]
    assert instants == sorted(instants)
    assert 0 < instants[0] < instants[-1] < float(clip["duration"])
    assert spent(sim) == [1]


async def test_instrumental_has_no_aligned_words(caller: Caller) -> None:
    clip = (await caller.clips({**CREATE, "make_instrumental": True}))[0]
    reply = await caller.post("sonic/aligned-lyrics", {"clip_id": clip["clip_id"]})
    assert reply.body["data"] == {"alignment": []}


async def test_extracted_voice_can_make_a_persona(
    sim: Simulator, caller: Caller, clip_id: str
) -> None:
    body = {"clip_id": clip_id, "vocal_start_s": 1, "vocal_end_s": 3}
    vox = (await caller.post("sonic/vox", body)).body["data"]
    assert set(vox) == {
        "vox_audio_id",
        "status",
        "source_clip_id",
        "vocal_start_s",
        "vocal_end_s",
        "wave_response",
    }
    assert (vox["vocal_start_s"], vox["vocal_end_s"]) == (1, 3)
    assert all(0 <= level <= 1 for level in vox["wave_response"])
    assert max(vox["wave_response"]) > 0  # there is a voice
    persona = {"name": "Ada", "clip_id": clip_id, "vox_audio_id": vox["vox_audio_id"]}
    assert (await caller.post("sonic/persona", persona)).status == 200
    stranger = await caller.post("sonic/persona", {**persona, "vox_audio_id": "x"})
    assert stranger.body["message"] == "The 'vox_audio_id' field is invalid."
    too_long = await caller.post("sonic/vox", {**body, "vocal_end_s": 32})
    assert (too_long.status, "at most 30" in too_long.body["message"]) == (400, True)
    assert spent(sim) == [1, 1]


async def test_upsampled_tags_start_with_the_requested_tags(sim: Simulator, caller: Caller) -> None:
    reply = (await caller.post("sonic/upsample-tags", {"tags": "surf rock, tin whistle"})).body
    tags = reply["data"]["upsampled_tags"].split(", ")
    assert tags[:2] == ["surf rock", "tin whistle"]
    assert {"garage rock", "1960s"} <= set(tags)
    assert (await caller.post("sonic/upsample-tags", {"tags": " "})).status == 400
    assert [charge.credits for charge in sim.accounts.charges()] == [1]


async def test_finished_voice_is_an_object(sim: Simulator, caller: Caller) -> None:
    ack = (await caller.post("sonic/create-voice", {"audio_url": URL})).body
    assert set(ack) == {"message", "task_id", "warning"}
    assert (await caller.get(f"sonic/task/{ack['task_id']}")).status == 202
    done = await caller.finished(ack["task_id"])
    expected = sample("create_voice_task_completed.json")
    assert shape_of(done["data"]) == shape_of(expected["data"])
    assert done["data"]["name"] == "My Voice"
    body = {**CUSTOM, "task_type": "persona_music", "persona_id": done["data"]["persona_id"]}
    assert (await caller.post("sonic/create", body)).status == 200
    assert sim.accounts.charges()[0].credits == 4
    for wrong in ({}, {"audio_url": "my.mp3"}, {"audio_url": "http://[/x"}):
        assert (await caller.post("sonic/create-voice", wrong)).status == 400


async def test_failed_voice_is_refunded(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("task_fails", message="two speakers")
    reply = await caller.finished(await caller.submit({"audio_url": URL}, "sonic/create-voice"))
    assert reply == {"type": "api_error", "message": "two speakers", "already_refunded": True}
    assert await caller.credits() == 1000


async def test_upload_with_callback_is_a_task(caller: Caller) -> None:
    body = {"url": URL, "callback_url": "https://example.org/hook"}
    done = await caller.finished(await caller.submit(body, "sonic/upload"))
    clip = done["data"]["clip_id"]
    cover = {**CUSTOM, "task_type": "cover_upload_music", "continue_clip_id": clip}
    assert (await caller.post("sonic/create", cover)).status == 200
    assert await caller.credits() == 983


@pytest.mark.parametrize(
    "path", ["wav", "midi", "bpm", "vox", "aligned-lyrics", "stems/basic", "stems/full"]
)
async def test_clip_is_required_and_must_be_owned(caller: Caller, clip_id: str, path: str) -> None:
    before = await caller.credits()
    missing = await caller.post(f"sonic/{path}", {})
    assert missing.body["message"] == "The 'clip_id' field is required."
    unknown = await caller.post(f"sonic/{path}", {"clip_id": "unknown"})
    assert (unknown.status, unknown.body["message"]) == (400, "The 'clip_id' field is invalid.")
    assert (await caller.post(f"sonic/{path}", {"clip_id": {}})).status == 400
    async with Caller(caller.sim, "key-b") as other:
        assert (await other.post(f"sonic/{path}", {"clip_id": clip_id})).status == 400
    assert await caller.credits() == before


async def test_older_paths_return_the_same_songs(sim: Simulator, caller: Caller) -> None:
    task_id = await caller.submit(CREATE, "suno/create")
    sim.clock.advance(600)
    old, new = [await caller.get(f"{path}/{task_id}") for path in ("suno/clip", "sonic/task")]
    assert old.body == new.body
    link = f"https://suno.com/song/{new.body['data'][0]['clip_id']}"
    shared = (await caller.post("suno/get-song", {"share_link": link})).body
    assert shared["audio_url"] == new.body["data"][0]["audio_url"]
    assert shared["song_title"] == new.body["data"][0]["title"]
    assert [charge.credits for charge in sim.accounts.charges()] == [20]


async def test_older_lyrics_are_a_task(sim: Simulator, caller: Caller) -> None:
    ack = (await caller.post("suno/make-lyrics", {"prompt": "a kettle"})).body
    task_id = ack["data"]["task_id"]
    early = (await caller.get(f"suno/get-lyrics/{task_id}")).body
    assert early["data"] == {"title": "", "text": "", "status": "running"}
    sim.clock.advance(60)
    late = (await caller.get(f"suno/get-lyrics/{task_id}")).body
    assert late["data"]["status"] == "complete"
    assert "[Chorus]" in late["data"]["text"]
    assert (await caller.post("suno/make-lyrics", {"prompt": "p" * 120})).status == 400
    sim.faults.arm("task_fails")
    failing = (await caller.post("suno/make-lyrics", {"prompt": "x"})).body["data"]["task_id"]
    sim.clock.advance(60)
    assert (await caller.get(f"suno/get-lyrics/{failing}")).body["type"] == "api_error"


async def test_uploaded_clip_has_audio_and_stems(sim: Simulator, caller: Caller) -> None:
    clip_id = (await caller.post("sonic/upload", {"url": URL})).body["clip_id"]
    link = f"{sim.url}/media/audio/{clip_id}.mp3"
    assert (await fetch(caller, link))[:2] == (200, "audio/mpeg")
    task_id = await caller.submit({"clip_id": clip_id}, "sonic/stems/basic")
    stems = (await caller.finished(task_id))["data"]
    assert stems[1]["title"] == "My Voice (Drums)"
    assert (await fetch(caller, stems[1]["audio_url"]))[0] == 200
