"""Replies that are no songs, or more than songs: answers, pairs, steps, batches; how each shows."""

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
from tests.replies import any_text, grown, json_values, sample

LINK = "https://cdn1.suno.ai/c.wav"


class Measure(Request, frozen=True, kw_only=True):
    """An operation that answers at once, without a song."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "measure"
    path: ClassVar[str] = "/api/v1/sonic/measure"
    reply: ClassVar[Literal["task", "immediate"]] = "immediate"
    songs: ClassVar[int | None] = 0


class Fetch(Measure, frozen=True, kw_only=True):
    """One that is asked again until it is there."""

    operation: ClassVar[str] = "fetch"
    poll_by_repost: ClassVar[bool] = True


class Many(Measure, frozen=True, kw_only=True):
    """One that is made of requests."""

    operation: ClassVar[str] = "many"
    reply: ClassVar[Literal["task", "immediate"]] = "task"

    items: Annotated[Sequence[sonic.Create] | None, Field(help="The creates.")] = None


class Voice(Measure, frozen=True, kw_only=True):
    """One whose answer is waited for as a task."""

    operation: ClassVar[str] = "voice"
    reply: ClassVar[Literal["task", "immediate"]] = "task"


# --- answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bpm", "vox", "aligned_lyrics", "upsample_tags"])
@pytest.mark.parametrize("flat", [False, True])
def test_an_answer_may_lie_in_data_or_beside_the_code(name: str, *, flat: bool) -> None:
    payload = sample(f"{name}_success.json")
    answer = payload["data"]
    if flat:
        payload = {"code": 200, "message": "success", **answer}
    for task in (parse_task(payload), parse_submit_reply(payload, Measure())):
        assert task.state == "succeeded"
        kept = {**task.extra, **task.answer} if flat else dict(task.answer)
        assert answer.items() <= kept.items()
        assert len(task.answer) >= len(answer) - 1  # a status beside the answer is no part of it
        assert task.issues == ()


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"message": "success", "data": LINK}, {"data": LINK}),
        ({"code": 200, "data": [{"word": "a"}]}, {"data": [{"word": "a"}]}),
        ({"mp3": LINK, "message": "success"}, {"mp3": LINK}),
        ({"code": 200, "data": {"mp3": {"url": LINK}}}, {"mp3": {"url": LINK}}),
    ],
)
def test_shapes_that_are_documented_nowhere_are_answers_all_the_same(
    said: dict[str, Any], answer: dict[str, Any]
) -> None:
    for kind in (Measure, Fetch):
        task = parse_submit_reply(said, kind())
        assert (task.state, dict(task.answer)) == ("succeeded", answer)


def test_an_error_in_a_200_is_no_answer() -> None:
    with pytest.raises(UnexpectedReply, match="no such clip") as caught:
        parse_submit_reply({"error": "no such clip", "hint": "x"}, Measure())
    assert caught.value.may_have_cost


def test_a_clip_that_is_fetched_is_a_song_and_not_an_answer() -> None:
    task = parse_submit_reply(sample("producer_download_success.json"), Measure())
    assert [song.audio_url for song in task.songs] == [
        "https://storage.googleapis.com/(shortened)/audio.wav"
    ]


@pytest.mark.parametrize(
    ("status", "state"), [("PENDING", "pending"), ("RUNNING", "running"), ("FAILED", "failed")]
)
def test_the_status_of_a_task_holds_its_answer_back(status: str, state: str) -> None:
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
    ("words", "state"),
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
def test_a_link_is_there_when_it_is_a_link(words: str | None, state: str) -> None:
    task = parse_submit_reply({"code": 200, "data": {"midi_url": words}}, Fetch())
    assert task.state == state
    assert bool(task.issues) == (words == "midi/c.mid")


def test_a_link_that_is_missing_is_waited_for_only_where_one_can_ask_again() -> None:
    assert parse_submit_reply({"code": 200, "data": {"wav_url": None, "n": 1}}, Measure()).finished


@given(st.text(max_size=30))
def test_whatever_stands_for_a_link_is_one_state_and_kept(words: str) -> None:
    task = parse_submit_reply({"code": 200, "data": {"midi_url": words}}, Fetch())
    assert task.state in {"pending", "succeeded", "failed"}
    assert task.answer == {"midi_url": words}


# --- pairs ---------------------------------------------------------------------------------


def test_pairs_are_songs_that_say_which_they_are() -> None:
    task = parse_task(sample("upload_extend_get_success.json"))
    assert [(song.id, song.position, song.extra["pair"]) for song in task.songs] == [
        ("(clip id 1)", 0, "extended"),
        ("(clip id 3)", 1, "full"),
        ("(clip id 2)", 2, "extended"),
        ("(clip id 4)", 3, "full"),
    ]
    assert task._repr_html_().count(">full<") == 2


def test_a_pair_is_finished_when_the_whole_song_is_there() -> None:
    task = parse_task(sample("upload_extend_get_running.json"))
    assert [song.state for song in task.songs] == ["succeeded", "pending", "running", "pending"]
    failed = {"extended": {"clip_id": "c", "state": "failed"}, "full": None}
    assert parse_task({"code": 200, "data": [failed]}).state == "failed"


# --- steps ---------------------------------------------------------------------------------


def test_the_steps_of_an_upload_lead_to_its_task() -> None:
    ack = sample("upload_extend_ack.json")
    for said in (ack, {**ack, "task_id": None}):
        task = parse_submit_reply(said, sonic.Extend())
        assert (task.id, task.state, task.issues) == ("(task id)", "pending", ())
        assert task.extra["steps"] == ack["steps"]
        assert task.answer == {"clip_id": "(clip id)"}


@pytest.mark.parametrize("code", [200, 400])
def test_a_step_that_failed_says_so_and_keeps_the_clip_of_the_one_before(code: int) -> None:
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
def test_an_item_of_a_batch_however_it_is_told(item: Any, id_: str | None, state: str) -> None:
    batch = parse_task({"message": "success", "batch_id": "b", "tasks": [item, "other"]})
    assert (batch.parts[0].id, batch.parts[0].state) == (id_, state)
    assert batch.parts[0].raw is not None or item is None
    assert batch.state in {"pending", "running"}


def test_a_batch_is_done_when_all_its_tasks_are_and_is_read_again_as_it_was() -> None:
    batch = parse_task(sample("batch_ack.json"))
    done = sample("sonic_get_success_2025.json")
    first = parse_task(done, task=batch.parts[0])
    half = update_parts(batch, [first, batch.parts[1]])
    assert (half.state, half.progress, len(half.songs)) == ("running", 0.5, 1)
    whole = update_parts(half, [first, parse_task(done, task=batch.parts[1])])
    assert (whole.state, len(whole.songs), whole.songs[1].position) == ("succeeded", 2, 1)
    assert parse_task(whole.raw) == whole


def test_a_task_of_a_batch_knows_what_was_asked_of_it() -> None:
    songs = [sonic.Create(title="One"), sonic.Create(title="Two")]
    one, two = parse_submit_reply(sample("batch_ack.json"), Many(items=songs)).parts
    assert [one.request, two.request] == songs
    assert (one.name, one.expected) == ("sonic.create", 2)
    first_clip = {"code": 200, "data": [{"clip_id": "c", "state": "succeeded"}]}
    assert not parse_task(first_clip, task=one).finished
    (alone,) = parse_submit_reply({"batch_id": "b", "tasks": ["x"]}, Many(items=songs)).parts
    assert (alone.request, alone.expected) == (None, 2)


# --- producer and riffusion -----------------------------------------------------------------


def test_producer_in_upper_case_and_its_refund() -> None:
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
    shown = msgspec.structs.replace(song, extra=extra)._repr_html_()
    assert ">wav</a>" in shown
    assert "javascript" not in shown


def test_riffusion_says_its_tags_as_sound_and_keeps_the_rest() -> None:
    payload = sample("riffusion_get_success.json")
    clip = {**payload["data"][0], "sound": "folk, harp", "vocal_variation": 0.5}
    song = parse_task({**payload, "data": [clip]}).songs[0]
    assert song.tags == ("folk", "harp")
    assert song.extra["vocal_variation"] == 0.5


# --- how it shows --------------------------------------------------------------------------

HOSTILE = "<img src=x onerror=alert(1)>"


def test_a_task_without_songs_says_its_answer() -> None:
    task = parse_submit_reply(sample("bpm_success.json"), Measure())
    assert repr(task) == "<Task sonic.measure: succeeded, avg_bpm 92.5, max_bpm 96, min_bpm 90>"
    shown = task._repr_html_()
    assert "avg_bpm" in shown
    assert "92.5" in shown


def test_sound_is_played_links_open_and_lists_fold() -> None:
    wav = parse_task(sample("wav_success.json"))._repr_html_()
    assert "<audio" in wav
    assert 'rel="noopener noreferrer"' in wav
    words = parse_task(sample("aligned_lyrics_success.json"))._repr_html_()
    assert "<summary" in words
    assert "alignment (2)" in words
    assert "0.98" in words
    midi = parse_task(sample("midi_success.json"))._repr_html_()
    assert "Synth Voice" in midi
    assert re.search(r">\d+ items?<", midi)
    assert "<audio" not in midi


def test_a_long_address_is_shown_by_its_host_and_its_end() -> None:
    url = f"https://cdn.example.com/{'a' * 80}/0123456789-name.wav?token=1"
    shown = parse_task({"data": {"wav_url": url}})._repr_html_()
    assert f'href="{url}"' in shown
    label = re.findall(r">(cdn\.example\.com/[^<]*)<", shown)[0]
    assert label.endswith("name.wav?token=1")
    assert len(label) < 50


def test_figures_stand_in_lines_and_objects_below_each_other() -> None:
    shown = parse_task({"data": {"wave": [0.5, 0.25], "nested": [[1], {"a": 2}]}})._repr_html_()
    assert "[0.5, 0.25]" in shown
    assert "[\n [" in shown


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
def test_a_hostile_answer_is_escaped(name: str, value: Any) -> None:
    task = parse_task({"code": 200, "data": {name: value, "x": "y"}}, task=Task(id="t"))
    shown = task._repr_html_()
    assert "<img" not in shown
    assert 'href="javascript' not in shown
    assert 'src="javascript' not in shown
    assert repr(task).isprintable()


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(any_text, json_values, min_size=1, max_size=4))
@example({"a": [{"b": 10**400}], "c": float("inf")})
def test_any_answer_shows_itself(answer: dict[str, Any]) -> None:
    task = Task(state="succeeded", answer=grown(answer))
    repr(task).encode()
    task._repr_html_().encode()


def test_what_is_not_ready_says_how_to_go_on() -> None:
    task = parse_submit_reply({"code": 202}, Fetch(), status=202)
    assert "api.wait(task)" in task._repr_html_()
    assert task.poll_by_repost


def test_a_batch_shows_what_became_of_each_of_its_tasks() -> None:
    batch = parse_task({"batch_id": "b", "tasks": ["x", {"error": HOSTILE}]})
    assert "2 tasks" in repr(batch)
    shown = batch._repr_html_()
    assert "&lt;img" in shown
    assert "<img" not in shown
