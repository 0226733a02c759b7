"""Replies other than plain songs: answers, pairs, steps, batches, and their HTML."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from musicapi_nb import sonic
from musicapi_nb.engines import Field, Request
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks import Task, parse_submit_reply, parse_task, update_parts
from tests.replies import any_text, expand, json_values, sample

LINK = "https://cdn1.suno.ai/c.wav"


class Measure(Request, frozen=True, kw_only=True):
    """An operation with an immediate reply and no songs."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "measure"
    path: ClassVar[str] = "/api/v1/sonic/measure"
    reply: ClassVar[Literal["task", "immediate"]] = "immediate"
    songs: ClassVar[int | None] = 0


class Fetch(Measure, frozen=True, kw_only=True):
    """An operation that is repeated until its answer is ready."""

    operation: ClassVar[str] = "fetch"
    poll_by_repost: ClassVar[bool] = True


class Many(Measure, frozen=True, kw_only=True):
    """An operation that consists of requests."""

    operation: ClassVar[str] = "many"
    reply: ClassVar[Literal["task", "immediate"]] = "task"

    items: Annotated[Sequence[sonic.Create] | None, Field(help="The creates.")] = None


class Voice(Measure, frozen=True, kw_only=True):
    """An operation whose answer is the result of a task."""

    operation: ClassVar[str] = "voice"
    reply: ClassVar[Literal["task", "immediate"]] = "task"


# --- answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bpm", "vox", "aligned_lyrics", "upsample_tags"])
@pytest.mark.parametrize("flat", [False, True])
def test_answer_in_data_or_at_top_level(name: str, *, flat: bool) -> None:
    payload = sample(f"{name}_success.json")
    answer = payload["data"]
    if flat:
        payload = {"code": 200, "message": "success", **answer}
    for task in (parse_task(payload), parse_submit_reply(payload, Measure())):
        assert task.state == "succeeded"
        fields = {**task.extra, **task.answer} if flat else dict(task.answer)
        assert answer.items() <= fields.items()
        assert len(task.answer) >= len(answer) - 1  # a status next to the answer is not part of it
        assert task.issues == ()


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ({"message": "success", "data": LINK}, {"data": LINK}),
        ({"code": 200, "data": [{"word": "a"}]}, {"data": [{"word": "a"}]}),
        ({"mp3": LINK, "message": "success"}, {"mp3": LINK}),
        ({"code": 200, "data": {"mp3": {"url": LINK}}}, {"mp3": {"url": LINK}}),
    ],
)
def test_undocumented_shapes_are_answers(reply: dict[str, Any], answer: dict[str, Any]) -> None:
    for kind in (Measure, Fetch):
        task = parse_submit_reply(reply, kind())
        assert (task.state, dict(task.answer)) == ("succeeded", answer)


def test_error_with_status_200_is_not_an_answer() -> None:
    with pytest.raises(UnexpectedReply, match="no such clip") as caught:
        parse_submit_reply({"error": "no such clip", "hint": "x"}, Measure())
    assert caught.value.may_have_cost


def test_downloaded_clip_is_a_song() -> None:
    task = parse_submit_reply(sample("producer_download_success.json"), Measure())
    assert [song.audio_url for song in task.songs] == [
        "https://storage.googleapis.com/(shortened)/audio.wav"
    ]


@pytest.mark.parametrize(
    ("status", "state"), [("PENDING", "pending"), ("RUNNING", "running"), ("FAILED", "failed")]
)
def test_status_takes_precedence_over_answer(status: str, state: str) -> None:
    voice = parse_submit_reply(sample("create_voice_ack.json"), Voice())
    assert (voice.state, voice.extra["warning"]) == ("pending", "(advice about how long it keeps)")
    reply = {"code": 200, "status": status, "data": {"persona_id": None}, "message": "no"}
    assert parse_task(reply, task=voice).state == state
    assert (
        parse_task({"code": 200, "data": {"persona_id": "", "name": ""}}, task=voice).state
        == "pending"
    )
    done = parse_task(
        {**sample("create_voice_task_completed.json"), "status": "SUCCESS"}, task=voice
    )
    assert (done.state, done.answer["persona_id"]) == ("succeeded", "(persona id)")


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("generating midi...", "pending"),
        ("Processing", "pending"),
        ("NOT_READY", "pending"),
        ("generation failed", "failed"),
        ("midi/c.mid", "succeeded"),
        (LINK, "succeeded"),
        ("", "pending"),
        (None, "pending"),
    ],
)
def test_readiness_depends_on_the_link(text: str | None, state: str) -> None:
    task = parse_submit_reply({"code": 200, "data": {"midi_url": text}}, Fetch())
    assert task.state == state
    assert bool(task.issues) == (text == "midi/c.mid")


def test_missing_link_is_ready_without_repost() -> None:
    assert parse_submit_reply({"code": 200, "data": {"wav_url": None, "n": 1}}, Measure()).finished


@given(st.text(max_size=30))
def test_any_text_in_place_of_a_link(text: str) -> None:
    task = parse_submit_reply({"code": 200, "data": {"midi_url": text}}, Fetch())
    assert task.state in {"pending", "succeeded", "failed"}
    assert task.answer == {"midi_url": text}


# --- pairs ---------------------------------------------------------------------------------


def test_pairs_are_labelled_songs() -> None:
    task = parse_task(sample("upload_extend_get_success.json"))
    assert [(song.id, song.position, song.extra["pair"]) for song in task.songs] == [
        ("(clip id 1)", 0, "extended"),
        ("(clip id 3)", 1, "full"),
        ("(clip id 2)", 2, "extended"),
        ("(clip id 4)", 3, "full"),
    ]
    assert task._repr_html_().count(">full<") == 2


def test_pair_is_finished_with_its_full_song() -> None:
    task = parse_task(sample("upload_extend_get_running.json"))
    assert [song.state for song in task.songs] == ["succeeded", "pending", "running", "pending"]
    failed = {"extended": {"clip_id": "c", "state": "failed"}, "full": None}
    assert parse_task({"code": 200, "data": [failed]}).state == "failed"


# --- steps ---------------------------------------------------------------------------------


def test_steps_give_the_task_id() -> None:
    ack = sample("upload_extend_ack.json")
    for reply in (ack, {**ack, "task_id": None}):
        task = parse_submit_reply(reply, sonic.Extend())
        assert (task.id, task.state, task.issues) == ("(task id)", "pending", ())
        assert task.extra["steps"] == ack["steps"]
        assert task.answer == {"clip_id": "(clip id)"}


@pytest.mark.parametrize("code", [200, 400])
def test_failed_step_keeps_the_uploaded_clip(code: int) -> None:
    task = parse_submit_reply({**sample("upload_extend_failed.json"), "code": code}, sonic.Extend())
    why = "the step 'extend' failed: (error) (done, and perhaps charged: upload)"
    assert (task.state, task.fail_reason, task.refunded) == ("failed", why, None)
    assert task.answer == {"clip_id": "(clip id)"}
    assert task.extra["failed_step"] == "extend"


# --- batches -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "id_", "state"),
    [
        ("x", "x", "pending"),
        ({"task_id": "x"}, "x", "pending"),
        ({"id": "x", "status": "queued"}, "x", "pending"),
        ({"task_id": "x", "message": "success", "index": 3}, "x", "pending"),
        ({"task_id": "x", "state": "whatever"}, "x", "pending"),
        ({"task_id": "x", "status": "failed", "error": "no"}, "x", "failed"),
        ({"error": "no", "code": 400}, None, "failed"),
        ({"success": False, "message": "no"}, None, "failed"),
        ({}, None, "failed"),
        (None, None, "failed"),
        ({"tasks": [{"tasks": []}]}, None, "failed"),
    ],
)
def test_batch_item_shapes(item: Any, id_: str | None, state: str) -> None:
    batch = parse_task({"message": "success", "batch_id": "b", "tasks": [item, "other"]})
    assert (batch.parts[0].id, batch.parts[0].state) == (id_, state)
    assert batch.parts[0].raw is not None or item is None
    assert batch.state in {"pending", "running"}


def test_batch_is_finished_with_all_its_parts() -> None:
    batch = parse_task(sample("batch_ack.json"))
    done = sample("sonic_get_success_2025.json")
    first = parse_task(done, task=batch.parts[0])
    half = update_parts(batch, [first, batch.parts[1]])
    assert (half.state, half.progress, len(half.songs)) == ("running", 0.5, 1)
    complete = update_parts(half, [first, parse_task(done, task=batch.parts[1])])
    assert (complete.state, len(complete.songs), complete.songs[1].position) == ("succeeded", 2, 1)
    assert parse_task(complete.raw) == complete


def test_batch_part_has_its_request() -> None:
    songs = [sonic.Create(title="One"), sonic.Create(title="Two")]
    first_part, second_part = parse_submit_reply(sample("batch_ack.json"), Many(items=songs)).parts
    assert [first_part.request, second_part.request] == songs
    assert (first_part.name, first_part.expected) == ("sonic.create", 2)
    first_clip = {"code": 200, "data": [{"clip_id": "c", "state": "succeeded"}]}
    assert not parse_task(first_clip, task=first_part).finished
    (alone,) = parse_submit_reply({"batch_id": "b", "tasks": ["x"]}, Many(items=songs)).parts
    assert (alone.request, alone.expected) == (None, 2)


# --- producer and riffusion -----------------------------------------------------------------


def test_producer_status_and_refund() -> None:
    failed = parse_task(
        sample("producer_get_failed_2026.json"), task=Task(id="t", engine="producer")
    )
    assert (failed.state, failed.refunded) == ("failed", True)
    assert failed.fail_reason == "(reason). Credits were refunded."
    waiting = parse_task({"code": 200, "status": "PENDING", "data": None}, task=Task(id="t"))
    assert waiting.state == "pending"
    song = parse_task(sample("producer_get_success_2026.json")).songs[0]
    assert song.extra["wav_url"].endswith("-wav.wav")
    extra = {"wav_url": LINK, "odd_url": "javascript:alert(1)"}
    html = msgspec.structs.replace(song, extra=extra)._repr_html_()
    assert ">wav</a>" in html
    assert "javascript" not in html


def test_riffusion_tags_are_in_sound() -> None:
    payload = sample("riffusion_get_success.json")
    clip = {**payload["data"][0], "sound": "folk, harp", "vocal_variation": 0.5}
    song = parse_task({**payload, "data": [clip]}).songs[0]
    assert song.tags == ("folk", "harp")
    assert song.extra["vocal_variation"] == 0.5


# --- HTML --------------------------------------------------------------------------

HOSTILE = "<img src=x onerror=alert(1)>"


def test_task_without_songs_shows_its_answer() -> None:
    task = parse_submit_reply(sample("bpm_success.json"), Measure())
    assert repr(task) == "<Task sonic.measure: ready, avg_bpm 92.5, max_bpm 96, min_bpm 90>"
    html = task._repr_html_()
    assert "avg_bpm" in html
    assert "92.5" in html


def test_answer_blocks_by_type() -> None:
    wav = parse_task(sample("wav_success.json"))._repr_html_()
    assert "<audio" in wav
    assert 'rel="noopener noreferrer"' in wav
    text = parse_task(sample("aligned_lyrics_success.json"))._repr_html_()
    assert "<summary" in text
    assert "alignment (2)" in text
    assert "0.98" in text
    midi = parse_task(sample("midi_success.json"))._repr_html_()
    assert "Synth Voice" in midi
    assert re.search(r">\d+ items?<", midi)
    assert "<audio" not in midi


def test_long_url_is_shortened() -> None:
    url = f"https://cdn.example.com/{'a' * 80}/0123456789-name.wav?token=1"
    html = parse_task({"data": {"wav_url": url}})._repr_html_()
    assert f'href="{url}"' in html
    label = re.findall(r">(cdn\.example\.com/[^<]*)<", html)[0]
    assert label.endswith("name.wav?token=1")
    assert len(label) < 50


def test_nested_lists_as_json() -> None:
    html = parse_task({"data": {"wave": [0.5, 0.25], "nested": [[1], {"a": 2}]}})._repr_html_()
    assert "[0.5, 0.25]" in html
    assert "[\n [" in html


@pytest.mark.parametrize("name", ["wav_url", HOSTILE])
@pytest.mark.parametrize(
    "value",
    [
        HOSTILE,
        "javascript:alert(1)",
        [HOSTILE],
        {HOSTILE: HOSTILE},
        [{HOSTILE: HOSTILE}],
        f"https://x.org/{HOSTILE}.wav",
        HOSTILE * 100,
        [[HOSTILE]],
        10**5000,
        float("nan"),
    ],
    ids=["text", "script", "list", "object", "objects", "link", "long", "deep", "huge", "nan"],
)
def test_hostile_answer_is_escaped(name: str, value: Any) -> None:
    task = parse_task({"code": 200, "data": {name: value, "x": "y"}}, task=Task(id="t"))
    html = task._repr_html_()
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert 'src="javascript' not in html
    assert repr(task).isprintable()


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(any_text, json_values, min_size=1, max_size=4))
@example({"a": [{"b": 10**400}], "c": float("inf")})
def test_any_answer_has_repr_and_html(answer: dict[str, Any]) -> None:
    task = Task(state="succeeded", answer=expand(answer))
    repr(task).encode()
    task._repr_html_().encode()


def test_not_ready_card_says_what_to_do() -> None:
    task = parse_submit_reply({"code": 202}, Fetch(), status=202)
    assert "api.wait(task)" in task._repr_html_()
    assert task.poll_by_repost


def test_batch_card_lists_its_parts() -> None:
    batch = parse_task({"batch_id": "b", "tasks": ["x", {"error": HOSTILE}]})
    assert "2 tasks" in repr(batch)
    html = batch._repr_html_()
    assert "&lt;img" in html
    assert "<img" not in html
