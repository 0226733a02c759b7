"""Which requests are accepted and refused, and with which message."""

from typing import Any

import pytest

from musicapi_nb.simulator import Simulator
from musicapi_nb.simulator.rules import REFUSALS
from tests.simulator.caller import CREATE, STUDIO, VOCAL, Caller

CUSTOM = {"custom_mode": True, "prompt": "[Verse]\nla la", "mv": "sonic-v5"}
BGM = {"type": "bgm", "description": "calm piano"}


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "key-a"])
async def test_missing_or_malformed_key_is_401(sim: Simulator, header: str | None) -> None:
    async with Caller(sim, None) as nobody:
        headers = {} if header is None else {"Authorization": header}
        async with nobody.session.get(f"{sim.url}/api/v1/get-credits", headers=headers) as reply:
            body = await reply.json()
    assert reply.status == 401
    message = "header is missing." if header is None else "Invalid authorization format."
    assert body["message"].endswith(message)


async def test_each_key_has_its_own_account(sim: Simulator, caller: Caller) -> None:
    sim.accounts.open("key-b", credits=50, extra_credits=7)
    task_id = await caller.submit(CREATE)
    async with Caller(sim, "key-b") as other:
        assert (await other.get("get-credits")).body == {"credits": 50, "extra_credits": 7}
        stolen = await other.get(f"sonic/task/{task_id}")
    assert (stolen.status, stolen.body["message"]) == (400, "task not found.")
    assert await caller.credits() == 980


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("sonic/task/nope", 400, "task not found."),
        ("sonic/task/", 400, "missing task id."),
        ("sonic/task", 400, "missing task id."),
        ("studio/task/nope", 400, "task not found."),
        ("nuro/task/nope", 404, "task not found."),
        ("nothing/here", 404, "There is no /api/v1/nothing/here here."),
    ],
)
async def test_unknown_tasks_and_paths(
    caller: Caller, path: str, status: int, message: str
) -> None:
    reply = await caller.get(path)
    assert (reply.status, reply.body["message"]) == (status, message)


async def test_task_is_polled_with_its_engine(caller: Caller) -> None:
    task_id = await caller.submit(CREATE)
    assert (await caller.get(f"studio/task/{task_id}")).status == 400


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mv": "sonic-v4-5-all"}, "The 'mv' field is invalid. The model should be 'sonic-v3-5', "),
        ({"mv": None}, "The 'mv' field is invalid."),
        ({"custom_mode": "yes"}, "The 'custom_mode' field should be boolean."),
        ({"custom_mode": None}, "The 'custom_mode' field should be boolean."),
        ({"make_instrumental": "no"}, "The 'make_instrumental' field should be boolean."),
        ({"use_suno_cdn": "false"}, "The 'use_suno_cdn' field should be boolean."),
        ({"title": "t" * 81}, "The title character length should be less than 80."),
        ({"tags": "t" * 1001}, "The tags character length should be less than 1000."),
        (
            {"tags": "t" * 201, "mv": "sonic-v4"},
            "The tags character length should be less than 200.",
        ),
        ({"prompt": "p" * 5001}, "The prompt character length should be less than 5000."),
        (
            {"prompt": "p" * 3001, "mv": "sonic-v3-5"},
            "The prompt character length should be less than 3000.",
        ),
        (
            {"gpt_description_prompt": "d" * 401},
            "The 'gpt_description_prompt' character length should be less than 400.",
        ),
        ({"style_weight": 1.01}, "The 'style_weight' field should be a number from 0 to 1."),
        ({"weirdness_constraint": -0.01}, "The 'weirdness_constraint' field should be a number"),
        ({"vocal_gender": "x"}, "The 'vocal_gender' field is invalid."),
        ({"duration": 361}, "The 'duration' field should be an integer from 10 to 360."),
        ({"webhook_url": "http://example.org"}, "The 'webhook_url' field should be"),
        ({"task_type": "make_music"}, "The 'task_type' field is invalid."),
        (
            {"task_type": "persona_music"},
            "The 'persona_id' field is required when task_type = persona_music.",
        ),
        (
            {"task_type": "extend_music", "continue_clip_id": "c"},
            "The 'continue_at' field is required when task_type = extend_music.",
        ),
        (
            {"task_type": "cover_music"},
            "The 'continue_clip_id' field is required when task_type = cover_music.",
        ),
        ({"custom_mode": True}, "The 'prompt' field is required when custom_mode = true."),
        ({"gpt_description_prompt": ""}, "The 'gpt_description_prompt' field is required when"),
        ({"auto_lyrics": True}, "The 'auto_lyrics' field requires custom_mode = true."),
        (
            {"task_type": "concat_music", "duration": 60, "continue_clip_id": "c"},
            "The 'duration' field is not supported when task_type = concat_music.",
        ),
        (
            {"task_type": "cover_music", "continue_clip_id": "unknown"},
            "The 'continue_clip_id' field is invalid.",
        ),
    ],
)
async def test_sonic_refusal_is_400_and_free(
    caller: Caller, change: dict[str, Any], message: str
) -> None:
    caller.sim.reply_options.undeclared = "refuse"
    caller.sim.reply_options.remix_fields = "required"
    reply = await caller.post("sonic/create", {**CREATE, **change})
    assert reply.status == 400
    assert reply.body["message"].startswith(message)
    assert reply.body["error"] == reply.body["message"]
    assert await caller.credits() == 1000


@pytest.mark.parametrize(
    "change",
    [
        {"title": "t" * 79},
        {"gpt_description_prompt": "d" * 399},
        {"style_weight": 1, "weirdness_constraint": 0.0},
        {"mv": "chirp-v5"},
        {"mv": "sonic-v6-wild", "vocal_gender": "f"},
        {"duration": 10},
    ],
)
async def test_sonic_accepts_values_within_the_limits(
    caller: Caller, change: dict[str, Any]
) -> None:
    assert (await caller.post("sonic/create", {**CREATE, **change})).status == 200


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("sonic/lyrics", {}, "description is required."),
        (
            "sonic/lyrics",
            {"description": "d" * 120},
            "The description character length should be less than 120.",
        ),
        ("sonic/persona", {"name": "Ada"}, "name and continue_clip_id are required fields."),
        (
            "sonic/persona",
            {"name": "A" * 80, "clip_id": "c"},
            "The name character length should be less than 80.",
        ),
        (
            "sonic/persona",
            {"name": "Ada", "clip_id": "c", "description": "d" * 200},
            "The description character length should be less than 200.",
        ),
        ("sonic/upload", {"url": "a.mp3"}, "The 'url' field should be a URL."),
        ("sonic/upload", {"url": "https://x.invalid/a.mp3"}, "The audio URL is not reachable."),
        ("studio/create", {**STUDIO, "prompt": ""}, "The 'prompt' field is required."),
        ("studio/create", {**STUDIO, "lyrics_type": "any"}, "The 'lyrics_type' field is invalid."),
        ("studio/create", {**STUDIO, "lyrics_type": "user"}, "The 'lyrics' field is required"),
        ("studio/create", {**STUDIO, "prompt_strength": 2}, "The 'prompt_strength' field should"),
        ("studio/create", {**STUDIO, "model_type": "x"}, "The 'model_type' field is invalid."),
        ("studio/create", {**STUDIO, "config": {"mode": "x"}}, "The 'config.mode' field"),
        (
            "studio/create",
            {**STUDIO, "config": {"mode": "precede"}},
            "The 'config.source.song_id' field is required",
        ),
        ("nuro/create", {"type": "song"}, "type must be vocal or bgm"),
        ("nuro/create", {"type": "vocal"}, "lyrics is required"),
        ("nuro/create", {**VOCAL, "lyrics": "a" * 2001}, "lyrics must be at most 2000"),
        (
            "nuro/create",
            {**VOCAL, "duration": 29},
            "Duration must be between 30 and 240 seconds for vocal songs",
        ),
        ("nuro/create", {**VOCAL, "genre": "Polka"}, "genre is not supported: Polka"),
        ("nuro/create", {**VOCAL, "lyrics": "привет"}, "Only Chinese and English"),
        ("nuro/create", {**BGM, "mood": ["calm"] * 6}, "mood must be a list of at most 5"),
        ("nuro/create", {**BGM, "duration": 61}, "Duration must be between 1 and 60"),
        ("nuro/create", {**BGM, "segments": []}, "segments needs version v2.0"),
        (
            "nuro/create",
            {**BGM, "version": "v2.0", "segments": [{"name": "intro", "duration": 10}]},
            "Duration must be between 30 and 120 seconds for all segments together",
        ),
    ],
)
async def test_refusals_of_other_paths_are_400_and_free(
    caller: Caller, path: str, body: dict[str, Any], message: str
) -> None:
    reply = await caller.post(path, body)
    assert reply.status == 400
    assert reply.body["message"].startswith(message)
    assert await caller.credits() == 1000


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null"])
async def test_body_must_be_a_json_object(caller: Caller, body: bytes) -> None:
    url = f"{caller.sim.url}/api/v1/sonic/create"
    async with caller.session.post(url, data=body) as reply:
        assert reply.status == 400
        assert "JSON object" in (await reply.json())["message"]


@pytest.mark.parametrize("reason", ["copyrighted", "inappropriate", "review"])
async def test_refused_content_is_403_with_the_documented_message(
    caller: Caller, reason: str
) -> None:
    reply = await caller.post("sonic/create", {**CUSTOM, "prompt": f"la simulate {reason} la"})
    assert (reply.status, reply.body["message"]) == (403, REFUSALS[reason])
    assert await caller.credits() == 1000


async def test_lyrics_without_letters_are_refused(caller: Caller) -> None:
    reply = await caller.post("sonic/create", {**CUSTOM, "prompt": "1 2 3 !"})
    assert (reply.status, reply.body["message"]) == (403, REFUSALS["lyrics_format"])


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        ("all", {"type", "error", "message"}),
        ("type_error", {"type", "error"}),
        ("message", {"message"}),
        ("detail", {"detail"}),
        ("retriable", {"type", "error", "retriable"}),
        ("refund", {"type", "message", "refund_processed"}),
        ("envelope", {"code", "message", "data"}),
    ],
)
async def test_error_body_has_seven_forms(caller: Caller, choice: Any, keys: set[str]) -> None:
    caller.sim.reply_options.error_body = choice
    assert set((await caller.post("sonic/create", {})).body) == keys


async def test_errors_can_say_whether_to_retry_and_use_newer_types(caller: Caller) -> None:
    caller.sim.reply_options.error_body = "retriable"
    caller.sim.reply_options.error_types = "2026"
    caller.sim.faults.arm("wrong_key")
    caller.sim.faults.arm("too_many_requests", after=1)
    wrong, hurried = [(await caller.post("sonic/create", CREATE)).body for _ in range(2)]
    assert wrong == {"type": "unauthorized", "error": "Invalid API key", "retriable": False}
    assert (hurried["type"], hurried["retriable"]) == ("rate_limited", True)


async def test_nuro_error_has_the_documented_form(caller: Caller) -> None:
    reply = await caller.post("nuro/create", {**VOCAL, "duration": 1})
    assert reply.body == {
        "type": "bad_request",
        "message": "Duration must be between 30 and 240 seconds for vocal songs",
        "refund_processed": False,
    }


async def test_custom_mode_echoes_title_and_lyrics(caller: Caller) -> None:
    clips = await caller.clips({**CUSTOM, "title": "Two Kettles", "tags": "folk, banjo"})
    assert {clip["title"] for clip in clips} == {"Two Kettles"}
    assert {clip["lyrics"] for clip in clips} == {"[Verse]\nla la"}


async def test_description_mode_makes_up_title_and_lyrics(caller: Caller) -> None:
    clip = (await caller.clips(CREATE))[0]
    assert clip["title"]
    assert {"[Verse]", "[Chorus]"} <= set(clip["lyrics"].split("\n"))


async def test_auto_lyrics_writes_from_the_prompt(caller: Caller) -> None:
    clip = (await caller.clips({**CUSTOM, "auto_lyrics": True}))[0]
    assert "[Chorus]" in clip["lyrics"]


async def test_instrumental_lyrics_are_a_marker(caller: Caller) -> None:
    clips = await caller.clips({**CREATE, "make_instrumental": True})
    assert {clip["lyrics"] for clip in clips} == {"[Instrumental]"}
    songs = await caller.studio_songs({**STUDIO, "lyrics_type": "instrumental"})
    assert {song["lyrics"] for song in songs} == {"[Instrumental]"}


async def test_extend_and_concat_build_on_a_clip(caller: Caller) -> None:
    first = (await caller.clips({**CUSTOM, "title": "Two Kettles", "duration": 20}))[0]
    extension = {
        **CUSTOM,
        "task_type": "extend_music",
        "prompt": "[Bridge]\nmore",
        "continue_at": 15,
        "continue_clip_id": first["clip_id"],
        "duration": 12,
    }
    longer = (await caller.clips(extension))[0]
    assert longer["title"] == "Two Kettles"
    joined = await caller.clips(
        {"task_type": "concat_music", "continue_clip_id": longer["clip_id"]}
    )
    assert [clip["duration"] for clip in joined] == ["27"]
    assert joined[0]["lyrics"] == "[Verse]\nla la\n\n[Bridge]\nmore"


async def test_concat_requires_an_extended_clip(caller: Caller) -> None:
    clip = (await caller.clips(CREATE))[0]
    reply = await caller.post(
        "sonic/create", {"task_type": "concat_music", "continue_clip_id": clip["clip_id"]}
    )
    assert (reply.status, reply.body["message"]) == (
        400,
        "The 'continue_clip_id' field should be an extended clip.",
    )


async def test_cover_inherits_title_and_tags(caller: Caller) -> None:
    first = (await caller.clips({**CUSTOM, "title": "Two Kettles", "tags": "organ"}))[0]
    body = {**CUSTOM, "task_type": "cover_music", "continue_clip_id": first["clip_id"]}
    cover = (await caller.clips(body))[0]
    assert cover["title"] == "Two Kettles"
    assert "organ" in cover["tags"]


async def test_cover_without_lyrics_inherits_them(caller: Caller) -> None:
    first = (await caller.clips({**CUSTOM, "prompt": "[Verse]\nkeep me"}))[0]
    cover = {"custom_mode": False, "mv": "sonic-v5", "continue_clip_id": first["clip_id"]}
    clip = (await caller.clips({**cover, "task_type": "cover_music"}))[0]
    assert clip["lyrics"] == "[Verse]\nkeep me"


async def test_instrumental_needs_no_lyrics(caller: Caller) -> None:
    body = {"custom_mode": True, "make_instrumental": True, "mv": "sonic-v5", "tags": "organ"}
    assert (await caller.clips(body))[0]["lyrics"] == "[Instrumental]"


async def test_uploaded_clip_requires_upload_task_types(caller: Caller) -> None:
    upload = (await caller.post("sonic/upload", {"url": "https://example.org/my-tune.mp3"})).body
    body = {**CUSTOM, "continue_clip_id": upload["clip_id"], "continue_at": 5}
    refused = await caller.post("sonic/create", {**body, "task_type": "extend_music"})
    assert (refused.status, "'extend_upload_music'" in refused.body["message"]) == (400, True)
    for task_type in ("extend_upload_music", "cover_upload_music"):
        clips = await caller.clips({**body, "task_type": task_type})
        assert clips[0]["title"] == "My Tune"


async def test_persona_adds_its_styles(caller: Caller) -> None:
    clip = (await caller.clips({**CUSTOM, "tags": "organ, flute"}))[0]
    persona = await caller.post(
        "sonic/persona", {"name": "Ada", "clip_id": clip["clip_id"], "styles": "harp"}
    )
    body = {**CUSTOM, "task_type": "persona_music", "persona_id": persona.body["persona_id"]}
    assert "harp" in (await caller.clips(body))[0]["tags"]
    async with Caller(caller.sim, "key-b") as other:
        assert (await other.post("sonic/create", body)).status == 400


async def test_unknown_clip_can_be_accepted(caller: Caller) -> None:
    caller.sim.reply_options.unknown_clip = "accept"
    for body in (
        {"task_type": "concat_music", "continue_clip_id": "gone"},
        {**CUSTOM, "task_type": "extend_music", "continue_clip_id": "gone", "continue_at": 3},
        {**CUSTOM, "task_type": "persona_music", "persona_id": "gone"},
    ):
        assert (await caller.clips(body))[0]["state"] == "succeeded"


async def test_studio_extends_own_songs(caller: Caller) -> None:
    song = (await caller.studio_songs(STUDIO))[0]
    config = {"mode": "precede", "source": {"song_id": song["id"]}, "context_length": 1}
    songs = await caller.studio_songs({**STUDIO, "config": config})
    assert [extended["title"] for extended in songs] == [
        f"{song['title']} ext v1.2.1",
        f"{song['title']} ext v1.2.2",
    ]
    assert songs[0]["audio_conditioning_type"] == "precede"
    stranger = {"mode": "precede", "source": {"song_id": "unknown"}}
    assert (await caller.post("studio/create", {**STUDIO, "config": stranger})).status == 400


async def test_studio_defaults_can_be_switched_off(caller: Caller) -> None:
    bare = {"prompt": "jazz", "lyrics_type": "generate"}
    assert (await caller.post("studio/create", bare)).status == 200
    caller.sim.reply_options.studio_defaults = False
    reply = await caller.post("studio/create", bare)
    assert (reply.status, reply.body["message"]) == (
        400,
        "The 'prompt_strength' field is required.",
    )


async def test_studio_echoes_lyrics_and_prompt(caller: Caller) -> None:
    body = {**STUDIO, "lyrics_type": "user", "lyrics": "[Verse]\nla"}
    songs = await caller.studio_songs(body)
    assert {(song["lyrics"], song["prompt"]) for song in songs} == {
        ("[Verse]\nla", STUDIO["prompt"])
    }


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ({**VOCAL, "duration": 33, "genre": "Jazz", "gender": "Male"}, 33),
        (BGM, 60),
        ({**BGM, "duration": 7, "genre": ["jazz", "funk"]}, 7),
        (
            {
                **BGM,
                "version": "v2.0",
                "segments": [{"name": "intro", "duration": 10}, {"name": "chorus", "duration": 25}],
            },
            35,
        ),
    ],
)
async def test_nuro_song_has_the_requested_length(
    caller: Caller, body: dict[str, Any], seconds: float
) -> None:
    done = await caller.finished(await caller.submit(body, "nuro/create"), "nuro")
    assert done["duration"] == seconds
    assert done["lyrics"] == body.get("lyrics", "")
    genre = body.get("genre", done["genre"])
    assert done["genre"] == (", ".join(genre) if isinstance(genre, list) else genre)
    assert done["gender"] == (body.get("gender", "") or done["gender"])


async def test_each_reply_has_its_own_request_id(caller: Caller) -> None:
    ids = [(await caller.get("get-credits")).headers["X-Request-ID"] for _ in range(3)]
    assert len(set(ids)) == 3


async def test_other_methods_are_405_and_other_paths_404(caller: Caller) -> None:
    async with caller.session.delete(f"{caller.sim.url}/api/v1/sonic/create") as reply:
        assert reply.status == 405
    async with caller.session.get(f"{caller.sim.url}/elsewhere") as reply:
        assert (reply.status, "message" in await reply.json()) == (404, True)
