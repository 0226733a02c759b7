import datetime as dt
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from musicapi_nb import tasks
from musicapi_nb.engines import Request, lyrics, nuro, sonic, studio
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks import Replacement, Song, Task, parse_submit_reply, parse_task
from tests import replies
from tests.replies import SONIC, STUDIO, replace_at, sample, without

DESCRIBED = sonic.Create(custom_mode=False, gpt_description_prompt="rain", mv="sonic-v5")
LYRICS = "[Verse]\n(lyrics shortened)\n[Chorus]\n(lyrics shortened)"
STUDIO_ID = "1938c07e-be59-4cfe-af63-55c22201e10b"


def clip(**fields: Any) -> dict[str, Any]:
    audio_url = "https://cdn1.suno.ai/c1.mp3"
    return {"clip_id": "c1", "state": "succeeded", "title": "One", "audio_url": audio_url, **fields}


def clips(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"code": 200, "data": list(items), "message": "success", **fields}


def submitted(request: Request = DESCRIBED) -> Task:
    return parse_submit_reply({"message": "success", "task_id": "t1"}, request)


def in_studio(**fields: Any) -> Any:
    """Return the studio sample with some fields of its task replaced."""
    return replace_at(sample(STUDIO), ("data",), lambda task: {**task, **fields})


def in_song(**fields: Any) -> Any:
    """Return the studio sample with some fields of its first song replaced."""
    return replace_at(sample(STUDIO), ("data", "data", "songs", 0), lambda song: {**song, **fields})


# --- every sample ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "engine", "state", "songs"),
    [
        ("lyrics_success.json", "lyrics", "succeeded", 2),
        ("nuro_get_running.json", "nuro", "running", 1),
        ("nuro_get_success.json", "nuro", "succeeded", 1),
        ("producer_get_not_ready.json", None, "pending", 0),
        ("producer_get_success_2025.json", "producer", "succeeded", 1),
        ("producer_get_success_2026.json", "producer", "succeeded", 1),
        ("riffusion_get_success.json", "riffusion", "succeeded", 1),
        ("sonic_get_not_ready.json", None, "pending", 0),
        ("sonic_get_success_2024.json", "sonic", "succeeded", 1),
        ("sonic_get_success_2025.json", "sonic", "succeeded", 1),
        ("studio_get_success.json", "studio", "succeeded", 2),
        ("webhook_sonic_completed.json", "sonic", "succeeded", 1),
        ("webhook_failed.json", "sonic", "failed", 0),
        ("nuro_error.json", None, "failed", 0),
        ("nuro_submit_ack.json", None, "pending", 0),
        ("producer_submit_ack.json", None, "pending", 0),
        ("sonic_submit_ack.json", None, "pending", 0),
        ("sonic_submit_ack_schema_with_code.json", None, "pending", 0),
        ("stems_submit_ack.json", None, "pending", 0),
        ("studio_submit_ack.json", "studio", "pending", 0),
        ("create_voice_task_completed.json", None, "succeeded", 0),
        ("credits.json", None, "succeeded", 0),
        ("midi_success.json", None, "succeeded", 0),
        ("persona_success.json", None, "succeeded", 0),
        ("upload_success.json", None, "succeeded", 0),
        ("wav_success.json", None, "succeeded", 0),
        ("aligned_lyrics_success.json", None, "succeeded", 0),
        ("batch_ack.json", None, "pending", 0),
        ("bpm_success.json", None, "succeeded", 0),
        ("create_voice_ack.json", None, "pending", 0),
        ("ack_data_task_id.json", None, "pending", 0),
        ("data_object_status.json", None, "succeeded", 1),
        ("download_files_list.json", None, "succeeded", 0),
        ("producer_get_success_sibling_2026.json", "producer", "succeeded", 1),
        ("producer_make_lyrics.json", None, "succeeded", 1),
        ("replace_section_pair.json", "sonic", "running", 4),
        ("sonic_v6_success.json", "sonic", "succeeded", 2),
        ("midi_not_ready.json", None, "pending", 0),
        ("producer_download_success.json", None, "succeeded", 1),
        ("producer_get_failed_2026.json", None, "failed", 0),
        ("stems_get_success.json", "sonic", "succeeded", 2),
        ("upload_extend_ack.json", None, "pending", 0),
        ("upload_extend_failed.json", None, "failed", 0),
        ("upload_extend_get_running.json", "sonic", "running", 4),
        ("upload_extend_get_success.json", "sonic", "succeeded", 4),
        ("upsample_tags_success.json", None, "succeeded", 0),
        ("vox_success.json", None, "succeeded", 0),
    ],
)
def test_samples(name: str, engine: str | None, state: str, songs: int) -> None:
    payload = sample(name)
    task = parse_task(payload)
    assert (task.engine, task.state, len(task.songs)) == (engine, state, songs)
    assert task.raw is payload
    assert payload == sample(name), "reading changed the reply"
    # riffusion's timestamp is a placeholder, the only invalid value in the samples
    assert [issue.where for issue in task.issues] == (
        ["data[0].created_at"] if name.startswith("riffusion") else []
    )


def test_every_sample_is_tested() -> None:
    (marks,) = (mark for mark in test_samples.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]  # set by pytest
    assert sorted(case[0] for case in marks.args[1]) == replies.NAMES


def test_sonic_2025() -> None:
    (song,) = parse_task(sample(SONIC)).songs
    clip_id = "30264033-2b01-43a7-8779-2a834b067486"
    assert song == Song(
        id=clip_id,
        engine="sonic",
        state="succeeded",
        state_word="succeeded",
        title="Sunshine in My Pocket",
        tags=("electric with claps and synths", "happy", "pop"),
        tags_text="electric with claps and synths, happy, pop",
        lyrics=LYRICS,
        model="chirp-v5",
        duration=104.88,
        audio_url=f"https://cdn1.suno.ai/{clip_id}.mp3",
        image_url=f"https://cdn2.suno.ai/image_{clip_id}.jpeg",
        created_at=dt.datetime(2025, 10, 12, 13, 13, 2, 488000, tzinfo=dt.UTC),
        extra={"negative_tags": None, "style_weight": None, "weirdness_constraint": None},
    )


def test_studio() -> None:
    task = parse_task(sample(STUDIO))
    assert (task.id, task.state_word, task.progress) == (STUDIO_ID, "SUCCESS", 1.0)
    assert task.submitted_at == dt.datetime(2024, 11, 22, 1, 48, 43, tzinfo=dt.UTC)
    assert (task.queue_seconds, task.render_seconds, task.total_seconds) == (16, 50, 66)
    assert task.fail_reason is None
    assert [song.position for song in task.songs] == [0, 1]
    assert {song.task_id for song in task.songs} == {STUDIO_ID}
    first = task.songs[0]
    assert first.duration == 130.794666666667
    assert first.video_url is None
    assert first.extra["artist"] == "QuietTrombone0000"
    middle = ("jazz", "vocal jazz", "bossa nova", "mpb", "samba-jazz", "2010s")
    assert first.replacements == (
        Replacement("jazz, bossa nova, spy", middle, "tags"),
        Replacement(", ".join(middle), first.tags, "tags"),
    )
    assert task.extra["action"] == "studio-generate"


def test_nuro() -> None:
    (song,) = parse_task(sample("nuro_get_success.json")).songs
    assert song.id == song.task_id == "4c35433b-1649-433d-b513-8422af70fbaa"
    assert song.tags == ("Pop", "Dynamic/Energetic")
    assert song.tags_text == "Pop, Dynamic/Energetic"
    assert song.duration == 199.04325
    assert song.extra == {"gender": "Female", "timbre": "Sweet_AUDIO_TIMBRE"}


def test_nuro_without_task_id() -> None:
    reply = {
        name: value for name, value in sample("nuro_get_success.json").items() if name != "task_id"
    }
    task = parse_task(reply)
    assert (task.id, task.state, len(task.songs)) == (None, "succeeded", 1)
    running = parse_task(without(sample("nuro_get_running.json"), ("task_id",)))
    assert (running.state, len(running.songs), running.issues) == ("running", 1, ())
    assert parse_task({"audio_url": "https://cdn.example/a.wav"}).issues[0].where == "(reply)"


def test_nuro_running_has_no_song_fields_yet() -> None:
    task = parse_task(sample("nuro_get_running.json"))
    (song,) = task.songs
    assert task.progress == 0.45
    assert not task.finished
    assert (song.duration, song.audio_url, song.lyrics, song.tags) == (None, None, None, ())


def test_producer_tags_are_in_sound() -> None:
    (song,) = parse_task(sample("producer_get_success_2025.json")).songs
    assert song.tags_text == "emotional pop with gentle piano"
    assert song.extra == {"seed": "3966900172"}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("credits.json", {"credits": 50, "extra_credits": 0}),
        ("persona_success.json", {"persona_id": "c08806c1-34fa-4290-a78d-0c623eb1dd1c"}),
        ("upload_success.json", {"clip_id": "cfbc3d3c-2add-4265-bcdf-924092096e3d"}),
        ("create_voice_task_completed.json", {"persona_id": "(persona id)", "name": "(name)"}),
        (
            "wav_success.json",
            {"wav_url": "https://cdn1.suno.ai/8ce9770b-ec3b-4029-a3e3-4b8db20da7d1.wav"},
        ),
        ("midi_success.json", sample("midi_success.json")["data"]),
    ],
)
def test_answers(name: str, answer: dict[str, Any]) -> None:
    task = parse_task(sample(name))
    assert task.answer == answer
    assert task.finished


# --- one value in several formats ------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "duration", "issues"),
    [
        (179, 179.0, 0),
        (104.88, 104.88, 0),
        ("104.88", 104.88, 0),
        (" 60 ", 60.0, 0),
        ("1e2", 100.0, 0),
        (None, None, 0),
        ("", None, 0),
        (0, None, 0),
        ("0", None, 0),
        ("two minutes", None, 1),
        (-1, None, 1),
        (True, None, 1),
        ([60], None, 1),
        (math.nan, None, 1),
        (math.inf, None, 1),
        ("NaN", None, 1),
        (10**400, None, 1),
        ("1_000", None, 1),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_duration(value: Any, duration: float | None, issues: int) -> None:
    task = parse_task(clips(clip(duration=value)))
    (song,) = task.songs
    assert song.duration == duration
    assert len(task.issues) == issues
    assert ("duration" in song.extra) == bool(issues), "what was not understood stays"


@pytest.mark.parametrize(
    ("value", "tags", "text", "issues"),
    [
        ("pop", ("pop",), "pop", 0),
        ("pop,  slow jazz ,", ("pop", "slow jazz"), "pop,  slow jazz ,", 0),
        (["pop", "slow, jazz"], ("pop", "slow, jazz"), "pop, slow, jazz", 0),
        ([], (), None, 0),
        ("", (), None, 0),
        (None, (), None, 0),
        (["pop", 5], ("pop",), "pop", 1),
        ({"a": 1}, (), None, 1),
        ('["pop", "slow jazz"]', ("pop", "slow jazz"), "pop, slow jazz", 0),
        ('["pop", 5]', ("pop",), "pop", 1),
        ('{"genre": "pop"}', (), None, 1),
        ("[pop], slow", ("[pop]", "slow"), "[pop], slow", 0),
        ("[" * 9_000, ("[" * 9_000,), "[" * 9_000, 0),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_tags(value: Any, tags: tuple[str, ...], text: str | None, issues: int) -> None:
    task = parse_task(clips(clip(tags=value)))
    (song,) = task.songs
    assert (song.tags, song.tags_text, len(task.issues)) == (tags, text, issues)
    assert ("tags" in song.extra) == bool(issues)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2025-10-12T13:13:02.488Z", dt.datetime(2025, 10, 12, 13, 13, 2, 488000, dt.UTC)),
        ("2024-11-22T01:48:41.839599+00:00", dt.datetime(2024, 11, 22, 1, 48, 41, 839599, dt.UTC)),
        ("2025-10-12T13:13:02+02:00", dt.datetime(2025, 10, 12, 11, 13, 2, tzinfo=dt.UTC)),
        ("2025-10-12T13:13:02", dt.datetime(2025, 10, 12, 13, 13, 2, tzinfo=dt.UTC)),
        (1732240123, dt.datetime(2024, 11, 22, 1, 48, 43, tzinfo=dt.UTC)),
        ("1732240123", dt.datetime(2024, 11, 22, 1, 48, 43, tzinfo=dt.UTC)),
        (0, None),
        ("0", None),
        ("", None),
        (None, None),
    ],
    ids=repr,
)
def test_timestamps(value: Any, time: dt.datetime | None) -> None:
    task = parse_task(clips(clip(created_at=value)))
    assert task.songs[0].created_at == time
    assert task.issues == ()


@pytest.mark.parametrize(
    "value", ["yesterday", -1, 1e300, math.inf, [2025], True, "0001-01-01T00:00:00+14:00"], ids=repr
)
def test_invalid_timestamps(value: Any) -> None:
    task = parse_task(clips(clip(created_at=value)))
    assert task.songs[0].created_at is None
    assert [issue.where for issue in task.issues] == ["data[0].created_at"]
    assert task.songs[0].extra["created_at"] == value


@pytest.mark.parametrize(
    ("value", "progress", "issues"),
    [
        ("100%", 1.0, 0),
        ("0%", 0.0, 0),
        ("20 %", 0.2, 0),
        ("", None, 0),
        (45, 0.45, 0),
        ("half", None, 1),
        ([1], None, 1),
        ("900%", None, 1),
        ("-1%", None, 1),
    ],
)
def test_studio_progress(value: Any, progress: float | None, issues: int) -> None:
    task = parse_task(in_studio(progress=value))
    assert (task.progress, len(task.issues)) == (progress, issues)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("pending", "pending"),
        ("running", "running"),
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("SUCCEEDED", "succeeded"),
        (" Running ", "running"),
        ("paused", "unknown"),
        ("瞬", "unknown"),
    ],
)
def test_clip_states_keep_their_word(word: str, state: str) -> None:
    task = parse_task(clips(clip(state=word)))
    assert task.songs[0].state == task.state == state
    assert task.songs[0].state_word == word
    assert task.finished == (state in {"succeeded", "failed"})


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("NOT_START", "pending"),
        ("SUBMITTED", "pending"),
        ("QUEUED", "pending"),
        ("IN_PROGRESS", "running"),
        ("FAILURE", "failed"),
        ("UNKNOWN", "unknown"),
        ("REVIEW", "unknown"),
    ],
)
def test_studio_states(word: str, state: str) -> None:
    task = parse_task(in_studio(status=word, data=None))
    assert (task.state, task.state_word) == (state, word)


# --- finished or not ------------------------------------------------------------


def test_one_finished_clip_of_two_is_running() -> None:
    task = parse_task(clips(clip(), clip(clip_id="c2", state="running")), task=submitted())
    assert task.state == "running"
    assert not task.finished
    assert [song.finished for song in task.songs] == [True, False]


def test_missing_expected_song_is_running() -> None:
    assert parse_task(clips(clip()), task=submitted()).state == "running"
    assert parse_task(clips(clip(), clip(clip_id="c2")), task=submitted()).state == "succeeded"
    assert parse_task(clips(clip())).state == "succeeded", "nothing is known to be expected"


def test_one_failed_clip_of_two_is_succeeded() -> None:
    reply = clips(clip(), clip(clip_id="c2", state="failed", error_message="too long"))
    task = parse_task(reply, task=submitted())
    assert (task.state, task.fail_reason) == ("succeeded", None)
    assert [song.state for song in task.songs] == ["succeeded", "failed"]
    assert task.songs[1].fail_reason == "too long"


def test_all_clips_failed() -> None:
    failed = [
        clip(clip_id=name, state="failed", error_message=reason)
        for name, reason in (("c1", "loud"), ("c2", "long"), ("c3", "loud"))
    ]
    task = parse_task(clips(*failed), task=submitted())
    assert (task.state, task.fail_reason) == ("failed", "loud; long")


def test_unknown_state_and_running_clip_is_running() -> None:
    assert (
        parse_task(clips(clip(state="paused"), clip(clip_id="c2", state="running"))).state
        == "running"
    )
    assert parse_task(clips(clip(state="paused"), clip(clip_id="c2"))).state == "unknown"


def test_pending_clips_are_pending() -> None:
    task = parse_task(clips(clip(state="pending"), clip(state="pending")))
    assert task.state == "pending"


def test_producer_status_applies_to_clips_without_state() -> None:
    reply = sample("producer_get_success_2026.json")
    assert parse_task(reply).songs[0].state == "succeeded"
    running = parse_task({**reply, "status": "RUNNING"})
    assert (running.state, running.songs[0].state) == ("running", "running")
    failed = parse_task({**reply, "status": "FAILED", "message": "gone, refunded", "data": []})
    assert (failed.state, failed.fail_reason) == ("failed", "gone, refunded")


@pytest.mark.parametrize("code", [None, 200, "200", "success"], ids=repr)
def test_code_may_be_missing_or_text(code: Any) -> None:
    reply = clips(clip())
    del reply["code"]
    assert parse_task(reply if code is None else {**reply, "code": code}).state == "succeeded"


@pytest.mark.parametrize("payload", [{}, {"type": "not_ready"}, {"code": 200, "data": [clip()]}])
def test_202_is_pending_with_any_body(payload: dict[str, Any]) -> None:
    task = parse_task(payload, status=202, task=submitted())
    assert (task.id, task.state, task.songs) == ("t1", "pending", ())


def test_empty_clip_list_is_pending() -> None:
    assert parse_task(clips()).state == "pending"
    assert parse_task({"code": 200, "data": None, "message": "success"}).state == "pending"
    assert parse_task({"code": 200, "data": {}, "message": "success"}).state == "pending"


# --- studio ------------------------------------------------------------


@pytest.mark.parametrize("where", [("data",), ("data", "data")], ids=["outer", "inner"])
@pytest.mark.parametrize("nothing", [None, {}])
def test_studio_without_data_is_pending(where: replies.Path_, nothing: Any) -> None:
    reply = in_studio(status="QUEUED", progress="0%", start_time=0, finish_time=0)
    task = parse_task(
        replace_at(reply, where, lambda _: nothing), task=submitted(studio.Description())
    )
    assert (task.state, task.songs, task.issues) == ("pending", (), ())
    assert task.finished_at is None


def test_studio_in_progress() -> None:
    reply = in_studio(status="IN_PROGRESS", progress="50%", finish_time=0)
    for index in (0, 1):
        reply = replace_at(
            reply,
            ("data", "data", "songs", index),
            lambda song: {**song, "finished": False, "song_path": "", "duration": 0},
        )
    task = parse_task(reply, task=submitted(studio.Description()))
    assert task.state == "running"
    assert {song.state for song in task.songs} == {"running"}
    assert {song.audio_url for song in task.songs} == {None}
    assert {song.duration for song in task.songs} == {None}
    assert (task.queue_seconds, task.render_seconds, task.total_seconds) == (16, None, None)


def test_studio_success_waits_for_every_song() -> None:
    reply = in_song(finished=False, song_path="")
    assert parse_task(reply).state == "running"


def test_studio_with_one_failed_song() -> None:
    task = parse_task(in_song(error_detail="flagged", error_type="content", song_path=""))
    assert task.state == "succeeded"
    assert [song.state for song in task.songs] == ["failed", "succeeded"]
    assert task.songs[0].fail_reason == "flagged"
    assert task.songs[0].extra["error_type"] == "content"


def test_studio_failure() -> None:
    task = parse_task(in_studio(status="FAILURE", fail_reason="no capacity", data=None))
    assert (task.state, task.fail_reason, task.songs) == ("failed", "no capacity", ())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda reply: {"handledData": reply["data"]},
        lambda reply: {"code": "success", "handledData": {"data": reply["data"]}},
        lambda reply: {"handledData": {"data": reply["data"]["data"]}},
        lambda reply: {"data": reply["data"], "handledData": reply["data"]},
    ],
    ids=["alone", "envelope", "bare", "both"],
)
def test_studio_under_handled_data(wrap: Any) -> None:
    task = parse_task(wrap(sample(STUDIO)))
    assert (task.engine, task.state, len(task.songs)) == ("studio", "succeeded", 2)
    assert all(len(song.replacements) == 2 for song in task.songs)


@pytest.mark.parametrize("name", ["task_id", "progress", "submit_time", "finish_time", "data"])
def test_studio_without_a_field(name: str) -> None:
    issues = parse_task(without(sample(STUDIO), ("data", name))).issues
    assert [issue.message for issue in issues] == (
        ["a success without songs or an answer"] if name == "data" else []
    )


def test_malformed_replaced_tags_are_issues() -> None:
    steps: dict[str, Any] = {
        "a": None,
        "b": ["x"],
        "c": {"tags": "x, y", "why": 1},
        "d": {"tags": []},
    }
    task = parse_task(in_song(replaced_tags=steps))
    song = task.songs[0]
    assert song.replacements == (
        Replacement("a", ()),
        Replacement("b", ()),
        Replacement("c", ("x", "y")),
        Replacement("d", ()),
    )
    assert [issue.where for issue in task.issues] == ["data.data.songs[0].replaced_tags.b"]
    assert song.extra["replaced_tags"] == {"b": ["x"], "c": {"why": 1}}


# --- failures ------------------------------------------------------------


@pytest.mark.parametrize("word", ["failed", "timeout", "forbidden", "api_error", "bad_request"])
@pytest.mark.parametrize("says", ["message", "error"])
@pytest.mark.parametrize(
    ("refund", "refunded"),
    [
        ({}, None),
        ({"refund_processed": True}, True),
        ({"already_refunded": True}, True),
        ({"refund_processed": False}, False),
    ],
)
def test_failed_task_with_status_200(
    word: str, says: str, refund: dict[str, Any], *, refunded: bool | None
) -> None:
    task = parse_task({"type": word, says: "no luck", **refund}, task=submitted())
    assert (task.state, task.state_word) == ("failed", word)
    assert (task.fail_reason, task.refunded) == ("no luck", refunded)
    assert task.finished


def test_failure_without_message_has_a_reason() -> None:
    assert parse_task({"type": "failed"}).fail_reason


def test_mark_failed() -> None:
    task = tasks.mark_failed(submitted(), "timed out", refunded=True)
    assert (task.id, task.state, task.fail_reason) == ("t1", "failed", "timed out")
    assert task.refunded is True


def test_new_reply_replaces_all_but_the_identity() -> None:
    first = parse_task(
        {"type": "failed", "message": "no", "refund_processed": True}, task=submitted()
    )
    later = parse_task({"type": "not_ready"}, status=202, task=first)
    assert (later.fail_reason, later.refunded, later.progress) == (None, None, None)
    assert (later.id, later.engine, later.operation, later.expected, later.request) == (
        "t1",
        "sonic",
        "create",
        2,
        DESCRIBED,
    )


# --- webhooks ------------------------------------------------------------


def test_webhook_body_has_task_and_engine() -> None:
    done = parse_task(sample("webhook_sonic_completed.json"))
    assert (done.id, done.engine, done.songs[0].task_id) == ("(task id)", "sonic", "(task id)")
    assert done.extra["event"] == "song.completed"
    failed = parse_task(sample("webhook_failed.json"))
    assert (failed.id, failed.fail_reason) == ("(task id)", "(provider message)")
    assert failed.refunded is True


def test_nuro_webhook_has_more_fields() -> None:
    body = {
        **sample("nuro_get_success.json"),
        "platform": "nuro",
        "event": "song.completed",
        "prompt": "rain",
        "theme": None,
        "instrument": None,
    }
    task = parse_task(body)
    assert (task.engine, task.state, task.songs[0].prompt) == ("nuro", "succeeded", "rain")
    assert task.songs[0].extra["event"] == "song.completed"


# --- acknowledgements ------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "task_id"),
    [
        (sample("sonic_submit_ack.json"), "468d0e42-f7a6-40ce-9a4c-37db56b13b99"),
        (sample("sonic_submit_ack_schema_with_code.json"), "468d0e42-f7a6-40ce-9a4c-37db56b13b99"),
        (sample("studio_submit_ack.json"), "c29531f3-97eb-41b9-b563-a6e222d5a1b2"),
        (sample("nuro_submit_ack.json"), "b1eac403-06cb-4e58-971d-835d3b321508"),
        ({"task_id": "t1", "message": "success", "warning": "slow", "eta": 9}, "t1"),
        ({"task_id": 17, "message": "success"}, "17"),
    ],
)
def test_acknowledgements(payload: dict[str, Any], task_id: str) -> None:
    task = parse_submit_reply(payload, DESCRIBED, simulated=True)
    assert (task.id, task.state, task.finished) == (task_id, "pending", False)
    assert (task.engine, task.operation, task.expected) == ("sonic", "create", 2)
    assert task.request is DESCRIBED
    assert task.simulated


@pytest.mark.parametrize(
    "payload",
    [
        {"message": "success"},
        {},
        [],
        "id",
        None,
        {"task_id": ""},
        {"task_id": None},
        {"task_id": "  ", "message": "success"},
        {"code": "success", "message": "", "data": ""},
        {"code": 200, "data": None},
        {"task_id": ["1 2", {}, True]},
        clips(clip()),
        {"error": "no"},
    ],
    ids=repr,
)
def test_acknowledgement_without_id_may_have_cost(payload: Any) -> None:
    with pytest.raises(UnexpectedReply, match="may have cost") as caught:
        parse_submit_reply(payload, DESCRIBED)
    assert caught.value.may_have_cost
    assert caught.value.body is payload


def test_immediate_reply_needs_no_id() -> None:
    task = parse_submit_reply(sample("lyrics_success.json"), lyrics.Make(description="rain"))
    assert (task.engine, task.operation, task.state) == ("lyrics", "make", "succeeded")
    assert task.songs[0].title == "Whisper of Shadows"
    upload = parse_submit_reply(
        sample("upload_success.json"), sonic.Upload(url="https://example.org/a.mp3")
    )
    assert upload.answer["clip_id"]
    assert (upload.engine, upload.finished) == ("sonic", True)


def test_task_from_acknowledgement_to_song() -> None:
    request = nuro.Vocal(lyrics="la")
    task = parse_submit_reply(sample("nuro_submit_ack.json"), request)
    for name, state in (
        ("nuro_get_running.json", "running"),
        ("nuro_get_success.json", "succeeded"),
    ):
        task = parse_task(sample(name), task=task)
        assert (task.state, task.operation, task.request) == (state, "vocal", request)
        assert task.id == "b1eac403-06cb-4e58-971d-835d3b321508", "the id that was asked about"


# --- unknown content ------------------------------------------------------------


def test_unknown_fields_survive() -> None:
    payload = clips(clip(mood_ring={"hue": 3}), eta=5)
    task = parse_task(payload)
    assert task.songs[0].extra["mood_ring"] == {"hue": 3}
    assert task.extra["eta"] == 5
    assert task.raw is payload


def test_unknown_fields_in_studio_data_survive() -> None:
    reply = replace_at(sample(STUDIO), ("data", "data"), lambda data: {**data, "album": "x"})
    assert parse_task(reply).extra["data"] == {"album": "x"}


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        5,
        {},
        {"success": True},
        {"error": "Internal Server Error."},
        {"code": 500, "message": "no"},
    ],
    ids=repr,
)
def test_unknown_shapes(payload: Any) -> None:
    with pytest.raises(UnexpectedReply) as caught:
        parse_task(payload)
    assert caught.value.body is payload
    assert not caught.value.may_have_cost


def test_message_of_an_unknown_shape_is_in_the_error() -> None:
    with pytest.raises(UnexpectedReply, match="the queue caught fire"):
        parse_task({"error": "the queue caught fire"})


def test_unknown_fields_of_an_acknowledgement_are_issues() -> None:
    task = parse_task({"task_id": "t1", "weather": "fine", "eta": 3})
    assert (task.id, task.state, task.extra["eta"]) == ("t1", "pending", 3)
    assert [issue.where for issue in task.issues] == ["eta", "weather"]


@pytest.mark.parametrize(
    ("word", "state", "reason"),
    [("failed", "failed", "no voice"), ("PENDING", "pending", None), ("RUNNING", "running", None)],
)
def test_status_without_songs(word: str, state: str, reason: str | None) -> None:
    task = parse_task({"task_id": "t1", "status": word, "message": "no voice", "progress": 10})
    assert (task.state, task.state_word, task.fail_reason) == (state, word, reason)
    assert (task.songs, task.progress) == ((), 0.1)


def test_task_id_that_is_not_text_is_an_issue() -> None:
    task = parse_task({**clips(clip()), "task_id": ["t1"]})
    assert task.id is None
    assert [issue.where for issue in task.issues] == ["task_id"]


def test_different_task_id_in_studio_is_in_extra() -> None:
    task = parse_task(sample(STUDIO), task=submitted(studio.Description()))
    assert (task.id, task.extra["task_id"]) == ("t1", STUDIO_ID)
    assert {song.task_id for song in task.songs} == {"t1"}


@pytest.mark.parametrize("results", [[], ["odd"]])
def test_empty_answer_may_have_cost(results: list[Any]) -> None:
    with pytest.raises(UnexpectedReply, match="may have cost"):
        parse_submit_reply({"code": 200, "results": results}, lyrics.Make(description="rain"))


def test_refusal_in_submit_reply_is_a_failed_task() -> None:
    task = parse_submit_reply(sample("nuro_error.json"), nuro.Vocal(lyrics="la"))
    assert (task.state, task.refunded) == ("failed", False)


def test_invalid_clips_are_issues() -> None:
    task = parse_task(clips("odd", clip(), None))
    assert [song.id for song in task.songs] == ["c1"]
    assert task.songs[0].position == 1
    assert [issue.where for issue in task.issues] == ["data[0]", "data[2]"]


def test_data_that_is_not_a_list_of_songs() -> None:
    task = parse_task(in_studio(data={"songs": "none yet"}))
    assert task.songs == ()
    assert [issue.where for issue in task.issues] == ["data.data.songs"]


# --- any reply ------------------------------------------------------------


def outcome(make: Callable[[], Task]) -> Task | UnexpectedReply:
    try:
        return make()
    except UnexpectedReply as error:
        return error


def assert_consistent(task: Task, payload: Any) -> None:
    assert task.raw is payload
    assert task.id is None or task.id.strip()
    texts = [task.id, task.fail_reason, task.state_word]
    for issue in task.issues:
        texts += [issue.where, issue.message]
    for song in task.songs:
        assert song.duration is None or 0 < song.duration < math.inf
        assert song.created_at is None or song.created_at.tzinfo is dt.UTC
        texts += [
            *song.tags,
            song.tags_text,
            song.title,
            song.lyrics,
            song.audio_url,
            song.id,
            song.model,
            song.state_word,
            song.fail_reason,
            *map(str, song.replacements),
        ]
        song._repr_html_().encode()
    for text in texts:
        assert text is None or text.encode()
    if task.state == "succeeded" and task.songs:
        assert all(song.finished for song in task.songs)
        assert len(task.songs) >= (task.expected or 1)
    repr(task).encode()
    task._repr_html_().encode()


@settings(max_examples=150, deadline=None)
@given(
    replies.malformed_replies(), st.sampled_from([None, submitted()]), st.sampled_from([200, 202])
)
@example({"data": [{"replaced_tags": {"\ud800": 1}}]}, None, 200)
@example({"task_id": "\ud800", "message": "success"}, None, 200)
def test_any_reply_is_a_task_or_unexpected(reply: Any, task: Task | None, status: int) -> None:
    payload = replies.expand(reply)
    parsed = outcome(lambda: parse_task(payload, status=status, task=task))
    if isinstance(parsed, Task):
        assert_consistent(parsed, payload)
    else:
        assert parsed.body is payload
        assert str(parsed).encode()


@settings(max_examples=100, deadline=None)
@given(replies.malformed_replies(), st.sampled_from([DESCRIBED, lyrics.Make(), nuro.Vocal()]))
@example({"code": replies.HUGE, "message": "success"}, DESCRIBED)
@example({"code": replies.DEEP, "message": "success"}, DESCRIBED)
@example({"success": replies.DEEP, "error": {"code": replies.HUGE}}, DESCRIBED)
@example({"data": {"task_id": replies.HUGE}}, DESCRIBED)
@example({"task_id": replies.HUGE}, lyrics.Make())
def test_any_submit_reply_has_an_id_or_may_have_cost(reply: Any, request: Request) -> None:
    parsed = outcome(lambda: parse_submit_reply(replies.expand(reply), request))
    if isinstance(parsed, Task):
        assert parsed.id or parsed.finished
    else:
        assert parsed.may_have_cost
