"""Every shape of reply: each sample is read without loss, and unknown shapes lose nothing.

A success is never reported without its songs, and a paid submit is never uncertain if a task id is
anywhere in its reply.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from musicapi_nb import lyrics, nuro, producer, riffusion, sonic, studio, tasks
from musicapi_nb.engines import Request
from musicapi_nb.errors import ServerError, UncertainPurchase, UnexpectedReply, WaitTimeout
from musicapi_nb.library import Library
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import StoredReply, Task, parse_submit_reply, parse_task
from musicapi_nb.wire import read_response
from tests import replies
from tests.raw_http_server import AGES, CLIP, DONE, SONG, answers, client, peer, reply
from tests.replies import NAMES, sample
from tests.valid_requests import SECTION

UUID = "468d0e42-f7a6-40ce-9a4c-37db56b13b99"


# --- every sample ----------------------------------------------------------------------------


class Content(NamedTuple):
    """What a sample states: task id, state, songs as (id, state), and the answer."""

    id: str | None = None
    state: str = "succeeded"
    songs: tuple[tuple[str | None, str], ...] = ()
    answer: Mapping[str, Any] | None = None


def succeeded(*ids: str | None) -> tuple[tuple[str | None, str], ...]:
    return tuple((song_id, "succeeded") for song_id in ids)


def acknowledged(task_id: str) -> Content:
    return Content(task_id, "pending")


def answered(**answer: Any) -> Content:
    return Content(answer=answer)


def data_of(name: str) -> Content:
    return Content(answer=sample(name)["data"])


_NURO = "4c35433b-1649-433d-b513-8422af70fbaa"
_SONIC_2025 = "30264033-2b01-43a7-8779-2a834b067486"
CONTENTS: Mapping[str, Content] = {
    "ack_data_task_id.json": acknowledged("task-vocal-1"),
    "aligned_lyrics_success.json": data_of("aligned_lyrics_success.json"),
    "batch_ack.json": acknowledged("(batch id)"),
    "bpm_success.json": answered(avg_bpm=92.5, max_bpm=96, min_bpm=90),
    "create_voice_ack.json": acknowledged("(task id)"),
    "create_voice_task_completed.json": answered(persona_id="(persona id)", name="(name)"),
    "credits.json": answered(credits=50, extra_credits=0),
    "data_object_status.json": Content(songs=succeeded(None)),
    "download_files_list.json": data_of("download_files_list.json"),
    "lyrics_success.json": Content(songs=succeeded(None, None)),
    "midi_not_ready.json": Content(state="pending", answer=None),
    "midi_success.json": data_of("midi_success.json"),
    "nuro_error.json": Content(state="failed"),
    "nuro_get_running.json": Content(_NURO, "running", ((_NURO, "running"),)),
    "nuro_get_success.json": Content(_NURO, songs=succeeded(_NURO)),
    "nuro_submit_ack.json": acknowledged("b1eac403-06cb-4e58-971d-835d3b321508"),
    "persona_success.json": answered(persona_id="c08806c1-34fa-4290-a78d-0c623eb1dd1c"),
    "producer_download_success.json": Content(songs=succeeded(None)),
    "producer_get_failed_2026.json": Content(state="failed"),
    "producer_get_not_ready.json": Content(state="pending"),
    "producer_get_success_2025.json": Content(
        songs=succeeded("74dc7bf7-56bf-457c-a4a3-3fa12f05d727")
    ),
    "producer_get_success_2026.json": Content(songs=succeeded("(clip id)")),
    "producer_get_success_sibling_2026.json": Content(
        songs=succeeded("41111111-1111-4111-8111-111111111111")
    ),
    "producer_make_lyrics.json": Content(songs=succeeded("d1111111-1111-4111-8111-111111111111")),
    "producer_submit_ack.json": acknowledged("6d7253ac-916e-49a8-b288-91ffa7f8a8cd"),
    "replace_section_pair.json": Content(
        state="running",
        songs=(
            *succeeded("21111111-1111-4111-8111-111111111111"),
            *succeeded("31111111-1111-4111-8111-111111111111"),
            *succeeded("22111111-1111-4111-8111-111111111111"),
            (None, "pending"),
        ),
    ),
    "riffusion_get_success.json": Content(songs=succeeded("3b497e86-c6cf-4598-b999-94a1bfa912f6")),
    "sonic_get_not_ready.json": Content(state="pending"),
    "sonic_get_success_2024.json": Content(songs=succeeded("26c9c592-0566-46cf-bb71-91ac1deaa7b5")),
    "sonic_get_success_2025.json": Content(songs=succeeded(_SONIC_2025)),
    "sonic_submit_ack.json": acknowledged(UUID),
    "sonic_submit_ack_schema_with_code.json": acknowledged(UUID),
    "sonic_v6_success.json": Content(
        songs=(
            ("a1111111-1111-4111-8111-111111111111", "succeeded"),
            ("b1111111-1111-4111-8111-111111111111", "failed"),
        )
    ),
    "stems_get_success.json": Content(songs=succeeded("(clip id 1)", "(clip id 2)")),
    "stems_submit_ack.json": acknowledged("af0b3e97-0905-4827-a3c9-a31976873120"),
    "studio_get_success.json": Content(
        "1938c07e-be59-4cfe-af63-55c22201e10b",
        songs=succeeded(
            "6b021760-9c10-413b-b2df-b379496cb37c", "9016648c-7bf7-4bdb-81de-95da35e58822"
        ),
    ),
    "studio_submit_ack.json": acknowledged("c29531f3-97eb-41b9-b563-a6e222d5a1b2"),
    "upload_extend_ack.json": Content("(task id)", "pending", answer={"clip_id": "(clip id)"}),
    "upload_extend_failed.json": Content(state="failed", answer={"clip_id": "(clip id)"}),
    "upload_extend_get_running.json": Content(
        state="running",
        songs=(
            ("(clip id 1)", "succeeded"),
            (None, "pending"),
            ("(clip id 2)", "running"),
            (None, "pending"),
        ),
    ),
    "upload_extend_get_success.json": Content(
        songs=succeeded("(clip id 1)", "(clip id 3)", "(clip id 2)", "(clip id 4)")
    ),
    "upload_success.json": answered(clip_id="cfbc3d3c-2add-4265-bcdf-924092096e3d"),
    "upsample_tags_success.json": data_of("upsample_tags_success.json"),
    "vox_success.json": data_of("vox_success.json"),
    "wav_success.json": data_of("wav_success.json"),
    "webhook_failed.json": Content("(task id)", "failed"),
    "webhook_sonic_completed.json": Content("(task id)", songs=succeeded(_SONIC_2025)),
}


@pytest.mark.parametrize("name", NAMES)
def test_sample_is_read_without_loss(name: str) -> None:
    content = CONTENTS[name]
    task = parse_task(sample(name))
    assert (task.id, task.state) == (content.id, content.state)
    assert tuple((song.id, song.state) for song in task.songs) == content.songs
    if name != "midi_not_ready.json":  # a text in place of the link
        assert dict(task.answer) == (content.answer or {})
    for song in task.songs:
        playable = song.state == "succeeded" and "lyrics" not in name
        assert (song.audio_url is not None) == playable
        assert song.lyrics is not None or song.audio_url is not None or not song.finished


def test_pairs_of_a_replaced_section() -> None:
    task = parse_task(sample("replace_section_pair.json"))
    assert [song.extra["pair"] for song in task.songs] == ["replaced", "full"] * 2
    assert [song.position for song in task.songs] == [0, 1, 2, 3]
    assert task.songs[1].duration == 104.88
    assert task.issues == ()


def test_one_pair_of_two_is_not_all() -> None:
    reply_ = sample("replace_section_pair.json")
    one = {**reply_, "data": reply_["data"][:1]}
    task = parse_task(one, task=Task(id="t", engine="sonic", expected=2))
    assert (task.state, len(task.songs)) == ("running", 2)
    assert [issue.message for issue in task.issues] == ["only 1 of 2 expected songs"]
    assert parse_task(one, task=Task(id="t", engine="sonic", expected=1)).finished


def test_lyrics_of_producer_need_no_audio() -> None:
    task = parse_task(sample("producer_make_lyrics.json"), task=Task(id="t", engine="producer"))
    (song,) = task.songs
    assert (task.state, task.issues) == ("succeeded", ())
    assert (song.engine, song.title, song.lyrics) == ("lyrics", "Ours", "[Verse]\nour words")


def test_downloaded_files_have_players() -> None:
    task = parse_submit_reply(sample("download_files_list.json"), sonic.Download(clip_id="c"))
    assert task.state == "succeeded"
    assert [file["format"] for file in task.answer["files"]] == ["wav", "mp3"]
    html = task._repr_html_()
    assert html.count("<audio") == 2
    signed = [{"format": "mp3", "url": "https://cdn.example/x?token=1"}, {"format": "zip"}]
    assert Task(answer={"files": signed})._repr_html_().count("<audio") == 1
    hostile = [{"format": "mp3", "url": "javascript:alert(1)"}, {"format": 3, "url": None}]
    assert "<audio" not in Task(answer={"files": hostile})._repr_html_()


@pytest.mark.parametrize(
    ("files", "state", "issues"),
    [
        ([{"format": "wav", "url": ""}], "succeeded", 1),
        ([{"format": "wav", "url": "https://x/a.wav"}, {"url": None}], "succeeded", 1),
        ([{"format": "wav", "url": "processing"}], "pending", 0),
        ([{"format": "wav", "url": "conversion failed"}], "failed", 0),
        ([{"format": "wav", "url": "https://x/a.wav"}], "succeeded", 0),
        ([], "succeeded", 1),
    ],
)
def test_files_are_ready_with_their_links(files: Any, state: str, issues: int) -> None:
    """Only an explicit "not ready" is pending: asking again could be charged."""
    task = parse_submit_reply({"data": {"files": files}}, sonic.Download(clip_id="c"))
    assert (task.state, len(task.issues)) == (state, issues)


# --- single shapes -----------------------------------------------------------------------------

POLLED = Task(id="t", engine="sonic", operation="create", expected=1)


@pytest.mark.parametrize(
    ("data", "state"),
    [
        ({"status": "processing", "audio_url": None}, "running"),
        ({"status": "PROCESSING", "task_id": "t"}, "running"),
        ({"status": "succeeded", "audio_url": "https://cdn.example/a.mp3"}, "succeeded"),
        ({"audio_url": "https://cdn.example/a.mp3"}, "succeeded"),
        ({"audio_url": "https://audiopipe.suno.ai/?item_id=c"}, "running"),
        ({"status": "succeeded", "audio_url": ""}, "running"),
        ({"status": "failed", "task_id": "t", "error": "no luck"}, "failed"),
        ({"status": "failed", "odd": 1, "error": "no luck"}, "failed"),
    ],
)
def test_object_with_a_status(data: dict[str, Any], state: str) -> None:
    task = parse_task({"code": 200, "data": data, "message": "success"}, task=POLLED)
    assert task.state == state
    if state == "failed":
        assert task.fail_reason == "no luck"


@pytest.mark.parametrize(
    ("payload", "messages"),
    [
        ({"data": [{**CLIP, "audio_url": None}]}, ["1 of 1 songs succeeded without audio"]),
        ({"status": "SUCCESS", "data": []}, ["a success without songs or an answer"]),
        ({"data": {"stems": 3}}, ["a success without songs"]),
        ({"data": [{**CLIP, "state": "cooked"}]}, ["the unfamiliar word 'cooked'"]),
        ({"data": [{"title": "Rain"}]}, ["no known state"]),
    ],
)
def test_incomplete_success_is_an_issue_and_not_finished(payload: Any, messages: list[str]) -> None:
    task = parse_task({"code": 200, "message": "success", **payload}, task=POLLED)
    assert not task.finished
    assert [issue.message for issue in task.issues] == messages


def test_unknown_answer_without_a_request_is_an_issue() -> None:
    task = parse_task({"code": 200, "data": {"stems": 3}}, task=Task(id="t", engine="sonic"))
    assert (task.state, dict(task.answer)) == ("succeeded", {"stems": 3})
    assert [issue.message for issue in task.issues] == ["unfamiliar fields, taken as the answer"]


def test_songs_found_deeper_are_each_counted_once() -> None:
    songs = [CLIP, {**CLIP, "clip_id": "d"}]
    reply_ = {"status": "ok", "result": {"songs": songs, "clips": songs, "source": {"clip": CLIP}}}
    task = parse_task(reply_, task=POLLED)
    assert (task.state, [song.id for song in task.songs]) == ("succeeded", ["c", "d"])
    only_source = {"code": 200, "data": [], "request": {"source": {**CLIP, "clip_id": "old"}}}
    assert parse_task(only_source, task=POLLED).songs == ()


def test_link_of_another_name_is_the_audio() -> None:
    clip = {**CLIP, "audio_url": None, "wav_url": "https://cdn.example/a.wav"}
    task = parse_task({"data": [clip]}, task=POLLED)
    assert (task.state, task.songs[0].audio_url) == ("succeeded", "https://cdn.example/a.wav")


@pytest.mark.parametrize("detail", ["no such clip", [{"loc": ["body"], "msg": "no such clip"}]])
def test_detail_of_an_error_is_in_the_message(detail: Any) -> None:
    with pytest.raises(UnexpectedReply, match="no such clip"):
        parse_task({"detail": detail})
    with pytest.raises(ValueError, match="no such clip") as caught:
        read_response(400, {}, json.dumps({"detail": detail}).encode(), paid=True)
    assert "Nothing was charged" in str(caught.value)


@pytest.mark.parametrize(("flag", "note"), [(True, "(retriable"), (False, "(not retriable")])
def test_retriable_is_shown(*, flag: bool, note: str) -> None:
    body = {"type": "failed", "error": "no capacity", "retriable": flag}
    task = parse_task(body, task=POLLED)
    assert note in (task.fail_reason or "")
    with pytest.raises(Exception, match="no capacity") as caught:
        read_response(502, {}, json.dumps(body).encode(), paid=True)
    assert note in str(caught.value)


# --- acknowledgements ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "task_id", "issues"),
    [
        ({"data": {"task_id": "t1"}}, "t1", 0),
        ({"code": 200, "data": {"task_id": "t1", "status": "queued"}}, "t1", 0),
        ({"taskId": "t1", "message": "success"}, "t1", 1),
        ({"data": {"taskId": "t1"}}, "t1", 1),
        ({"data": {"task-id": 17, "eta": 3}}, "17", 1),
        ({"task_id": ["t1"]}, "t1", 1),
        ({"task_ids": ["t1"]}, "t1", 1),
        ({"data": [{"task_id": "t1"}]}, "t1", 1),
        ([{"task_id": "t1"}], "t1", 1),
        ({"task": {"id": UUID}}, UUID, 1),
        ({"id": UUID, "created": 3}, UUID, 1),
        ({"code": 0, "data": UUID}, UUID, 1),
        ({"code": 0, "data": [UUID]}, UUID, 1),
        ({"error": "slow", "result": {"task_id": "t1"}}, "t1", 1),
        ({"code": 500, "message": "slow", "task_id": "t1"}, "t1", 1),
        (
            {"data": [{"clip_id": c, "state": "pending", "task_id": "t1"} for c in ("c", "d")]},
            "t1",
            1,
        ),
        ({"data": {"task_id": "t1", "clips": [{"clip_id": "c", "state": "pending"}]}}, "t1", 2),
    ],
    ids=repr,
)
def test_acknowledgement_of_any_shape(payload: Any, task_id: str, issues: int) -> None:
    task = parse_submit_reply(payload, SONG)
    assert (task.id, task.state, len(task.issues)) == (task_id, "pending", issues)
    assert {song.task_id for song in task.songs} <= {task_id}
    restored = StoredReply(Task(id=task.id, request=SONG), json.dumps(payload), {}).task()
    assert restored.id == task_id
    assert restored.state in {"pending", "running"}


@pytest.mark.parametrize(
    "payload",
    [
        {"data": "success"},
        {"data": "https://cdn.example/12345678"},
        {"message": "success", "user": {"id": UUID}},
        {"request_id": UUID},
        {"data": [{"clip_id": UUID, "state": "pending"}]},
        {"created_at": "2026-11-30T08:00:00Z", "ok": True},
    ],
    ids=repr,
)
def test_other_ids_are_not_task_ids(payload: Any) -> None:
    with pytest.raises(UnexpectedReply, match="may have cost"):
        parse_submit_reply(payload, SONG)


def test_several_task_ids_are_a_batch() -> None:
    task = parse_submit_reply({"data": [{"task_id": "a"}, {"task_id": "b"}]}, SONG)
    assert [part.id for part in task.parts] == ["a", "b"]
    done = parse_task(DONE, task=task.parts[0])
    joined = tasks.update_parts(task, [done, task.parts[1]])
    assert (joined.state, len(joined.songs)) == ("running", 2)
    restored = parse_task(joined.raw, task=Task(id=task.id, engine="sonic", request=SONG))
    assert [part.state for part in restored.parts] == ["succeeded", "pending"]


# --- any shape -----------------------------------------------------------------------------------

_CREATE = sonic.Create(custom_mode=False, gpt_description_prompt="rain", mv="sonic-v6")
_EXTEND = sonic.UploadExtend(url="https://example.org/a.mp3", auto_concat=True)
_UPLOAD = sonic.Upload(url="https://example.org/a.mp3")
SONG_REPLIES: Mapping[str, Request] = {
    "data_object_status.json": nuro.Vocal(lyrics="la"),
    "lyrics_success.json": lyrics.Make(description="rain"),
    "nuro_get_success.json": nuro.Vocal(lyrics="la"),
    "producer_get_success_2025.json": producer.Create(sound="jazz"),
    "producer_get_success_2026.json": producer.Create(sound="jazz"),
    "producer_get_success_sibling_2026.json": producer.Create(sound="jazz"),
    "replace_section_pair.json": sonic.ReplaceSection(clip_id="c"),
    "riffusion_get_success.json": riffusion.Create(custom_mode=True, lyrics="la", sound="jazz"),
    "sonic_get_success_2024.json": _CREATE,
    "sonic_get_success_2025.json": _CREATE,
    "sonic_v6_success.json": _CREATE,
    "stems_get_success.json": sonic.StemsBasic(clip_id="c"),
    "studio_get_success.json": studio.Description(prompt="rain"),
    "upload_extend_get_running.json": _EXTEND,
    "upload_extend_get_success.json": _EXTEND,
    "webhook_sonic_completed.json": _CREATE,
}
ANSWER_REPLIES: Mapping[str, Request] = {
    "aligned_lyrics_success.json": sonic.AlignedLyrics(clip_id="c"),
    "bpm_success.json": sonic.Bpm(clip_id="c"),
    "create_voice_task_completed.json": sonic.CreateVoice(audio_url="https://example.org/a.mp3"),
    "download_files_list.json": sonic.Download(clip_id="c"),
    "midi_success.json": sonic.Midi(clip_id="c"),
    "persona_success.json": sonic.CreatePersona(name="n", clip_id="c"),
    "upload_success.json": _UPLOAD,
    "upsample_tags_success.json": sonic.UpsampleTags(tags="jazz"),
    "vox_success.json": sonic.Vox(clip_id="c"),
    "wav_success.json": sonic.Wav(clip_id="c"),
}
ACKNOWLEDGEMENTS: Mapping[str, Request] = {
    "ack_data_task_id.json": _CREATE,
    "create_voice_ack.json": sonic.CreateVoice(audio_url="https://example.org/a.mp3"),
    "nuro_submit_ack.json": nuro.Vocal(lyrics="la"),
    "producer_submit_ack.json": producer.Create(sound="jazz"),
    "sonic_submit_ack.json": _CREATE,
    "sonic_submit_ack_schema_with_code.json": _CREATE,
    "stems_submit_ack.json": sonic.StemsBasic(clip_id="c"),
    "studio_submit_ack.json": studio.Description(prompt="rain"),
    "upload_extend_ack.json": _EXTEND,
}
_NAMES = st.sampled_from(
    ["data", "result", "results", "response", "payload", "output", "songs", "clips", "x"]
)


@st.composite
def wrapped(draw: st.DrawFn, reply_: Any, names: st.SearchStrategy[str] = _NAMES) -> Any:
    """Draw a reply that is one or two levels deeper, in a list, or under an unknown name."""
    for _ in range(draw(st.integers(1, 2))):
        name = draw(names)
        how = draw(st.sampled_from(("object", "envelope", "list", "list in object", "inside")))
        inner = reply_.get("data") if isinstance(reply_, dict) else None
        if how == "inside" and isinstance(inner, dict | list):
            if isinstance(inner, list) and draw(st.booleans()):
                reply_ = {**reply_, "data": [{name: item} for item in inner]}
            else:
                reply_ = {**reply_, "data": {name: inner}}
        elif how == "envelope":
            reply_ = {"code": 200, "message": "success", name: reply_}
        elif how == "list":
            reply_ = [reply_]
        elif how == "list in object":
            reply_ = {name: [reply_]}
        else:
            reply_ = {name: reply_}
    return reply_


def bases(request: Request) -> Iterator[Task]:
    """Yield what may be known of a task when a reply about it arrives."""
    yield Task(
        id="t",
        engine=request.engine,
        operation=request.operation,
        expected=request.songs,
        request=request,
    )
    yield Task(id="t", engine=request.engine)
    yield Task()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SONG_REPLIES)), st.data())
def test_success_is_never_reported_without_its_songs(name: str, data: st.DataObject) -> None:
    request = SONG_REPLIES[name]
    payload = data.draw(wrapped(sample(name), _NAMES | replies.keys))  # also known names
    for base in bases(request):
        plain = parse_task(sample(name), task=base)
        task = parse_task(payload, task=base)
        songs = [(song.id, song.audio_url, song.lyrics) for song in task.songs]
        known = [(song.id, song.audio_url, song.lyrics) for song in plain.songs]
        assert len(songs) == len(known) or task.state != "succeeded"
        if task.state == "succeeded":
            assert plain.state == "succeeded"
            assert [song[1:] for song in songs] == [song[1:] for song in known]
        else:
            assert task.issues or plain.state != "succeeded"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(ANSWER_REPLIES)), st.data())
def test_success_is_never_reported_without_its_answer(name: str, data: st.DataObject) -> None:
    request = ANSWER_REPLIES[name]
    payload = data.draw(wrapped(sample(name)))
    known = parse_task(sample(name)).answer
    base = next(bases(request))
    try:
        if request.reply == "immediate":
            task = parse_submit_reply(payload, request)
        else:
            task = parse_task(payload, task=base)
    except UnexpectedReply:
        return  # reported, and a repeated request could cost credits
    assert task.state == "succeeded"
    assert known.items() <= task.answer.items() or json.dumps(known) in json.dumps(task.answer)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(ACKNOWLEDGEMENTS)), st.data())
def test_acknowledgement_is_never_uncertain(name: str, data: st.DataObject) -> None:
    ack = json.loads(replies.sample_text(name).replace("(task id)", UUID))
    task_id = parse_submit_reply(ack, ACKNOWLEDGEMENTS[name]).id
    payload = data.draw(wrapped(ack))
    task = parse_submit_reply(payload, ACKNOWLEDGEMENTS[name])
    assert (task.id, task.state, task.parts) == (task_id, "pending", ())
    inner = payload.get("data") if isinstance(payload, dict) else None
    assert task.issues or (isinstance(inner, dict) and inner["task_id"] == task_id)


# --- over HTTP -----------------------------------------------------------------------------------

_PAIRS = sample("replace_section_pair.json")
_JOINED = {**_PAIRS, "data": [_PAIRS["data"][0]] * 2}
_REPLACE = replace(SECTION, auto_concat=True)


async def test_replaced_section_is_waited_for_until_it_is_joined(tmp_path: Path) -> None:
    behaviour = answers(reply(), reply(_PAIRS), reply(_PAIRS), reply(_JOINED))
    with Library(tmp_path) as library:
        async with (
            peer(behaviour) as server,
            client(server.url, speed=20_000, ledger=library) as api,
        ):
            task = await api.wait(await api.submit(_REPLACE), deadline=AGES)
        assert (server.posts, len(server.requests)) == (1, 4)
        assert [song.extra["pair"] for song in task.songs] == ["replaced", "full"] * 2
        assert (task.state, task.issues) == ("succeeded", ())
        assert [entry.state for entry in library.entries()] == ["done"]


async def test_simulated_section_and_files(tmp_path: Path) -> None:
    """The simulator, which is written separately, answers the same shapes."""
    with Library(tmp_path) as library:
        async with (
            Simulator(speed=20_000) as sim,
            client(sim.url, speed=20_000, ledger=library, simulated=True) as api,
        ):
            song = (await api.run(_CREATE, deadline=AGES)).songs[0]
            again = song.replace(**{**_REPLACE.body(), "clip_id": song.id})
            task = await api.wait(await api.submit(again), deadline=AGES)
            files = await api.run(sonic.Download(clip_id=song.id, formats=["mp3", "wav"]))
    assert [song.extra["pair"] for song in task.songs] == ["replaced", "full"] * 2
    assert (task.state, task.issues, files.issues) == ("succeeded", (), ())
    assert files._repr_html_().count("<audio") == 2


ACKS = {
    "in data": {"data": {"task_id": UUID}},
    "camel case": {"taskId": UUID},
    "list": {"task_id": [UUID]},
    "deep": {"result": {"job": [{"id": UUID}]}},
    "bare list": [{"task_id": UUID}],
    "beside an error": {"code": 500, "message": "slow", "task_id": UUID},
}


@pytest.mark.parametrize("ack", ACKS.values(), ids=ACKS)
async def test_acknowledgement_of_unknown_shape_is_one_purchase(ack: Any, tmp_path: Path) -> None:
    """The next kernel continues with the id that was anywhere in the reply."""
    async with peer(answers(reply(ack), reply({"type": "not_ready"}, 202), reply(DONE))) as server:
        with Library(tmp_path) as library:
            async with client(server.url, speed=20_000, ledger=library) as api:
                accepted = await api.submit(SONG)
            assert (accepted.id, accepted.state) == (UUID, "pending")
            (entry,) = library.entries()
            assert (entry.state, entry.task_id) == ("accepted", UUID)
        with Library(tmp_path) as library:
            async with client(server.url, speed=20_000, ledger=library) as api:
                accepted = await api.submit(SONG)
                assert (accepted.id, accepted.bought_before) == (UUID, True)
                task = await api.wait(accepted, deadline=AGES)
            assert [song.id for song in task.songs] == ["c", "d"]
            assert [entry.state for entry in library.entries()] == ["done"]
    assert server.posts == 1
    assert [target.rpartition("/")[2] for _, target in server.requests[1:]] == [UUID, UUID]


async def test_several_task_ids_are_all_polled_also_by_the_next_kernel(tmp_path: Path) -> None:
    ack = reply({"data": [{"task_id": "a"}, {"task_id": "b"}]})
    async with peer(answers(ack, reply(DONE))) as server:
        with Library(tmp_path) as library:
            async with client(server.url, speed=20_000, ledger=library) as api:
                await api.submit(SONG)
        with Library(tmp_path) as library:
            async with client(server.url, speed=20_000, ledger=library) as api:
                (task,) = await api.resume(deadline=AGES)
            assert [(part.id, part.state) for part in task.parts] == [
                ("a", "succeeded"),
                ("b", "succeeded"),
            ]
            assert [entry.state for entry in library.entries()] == ["done"]
    assert server.posts == 1
    assert {target.rpartition("/")[2] for _, target in server.requests[1:]} == {"a", "b"}


async def test_reply_without_a_task_id_stays_uncertain(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        async with (
            peer(answers(reply({"message": "success", "request_id": UUID}))) as server,
            client(server.url, ledger=library) as api,
        ):
            with pytest.raises(UnexpectedReply, match="may have cost"):
                await api.submit(SONG)
            with pytest.raises(UncertainPurchase):
                await api.submit(SONG)
    assert server.posts == 1


INCOMPLETE = {
    "no audio": [{**CLIP, "audio_url": ""}, {**CLIP, "clip_id": "d", "audio_url": None}],
    "one song": [CLIP],
    "no songs": {"stems": 2},
    "unknown words": [{**CLIP, "state": "cooked"}] * 2,
}


@pytest.mark.parametrize("data", INCOMPLETE.values(), ids=INCOMPLETE)
async def test_incomplete_success_is_asked_again_until_the_deadline(
    data: Any, tmp_path: Path
) -> None:
    strange = reply({"code": 200, "message": "success", "data": data})
    with Library(tmp_path) as library:
        async with (
            peer(answers(reply(), strange)) as server,
            client(server.url, speed=20_000, ledger=library) as api,
        ):
            task = await api.submit(SONG)
            with pytest.raises(WaitTimeout, match="not understood: ") as caught:
                await api.wait(task, deadline=20_000)  # one real second
        assert caught.value.task.issues
        assert [entry.state for entry in library.entries()] == ["accepted"]
        assert len(server.requests) - server.posts > 1
        async with (
            peer(answers(reply(DONE))) as later,
            client(later.url, speed=20_000, ledger=library) as api,
        ):
            task = await api.wait(await api.submit(SONG), deadline=AGES)
        assert (task.state, len(task.songs)) == ("succeeded", 2)
        assert [entry.state for entry in library.entries()] == ["done"]
    assert (server.posts, later.posts) == (1, 0)


async def test_deeper_songs_end_the_wait() -> None:
    clips: Any = DONE["data"]
    deeper = {"code": 200, "data": {"clips": [{"clip": clip} for clip in clips]}}
    async with peer(answers(reply(), reply(deeper))) as server, client(server.url) as api:
        task = await api.wait(await api.submit(SONG), deadline=AGES)
    assert (task.state, [song.id for song in task.songs]) == ("succeeded", ["c", "d"])
    assert [issue.where for issue in task.issues] == ["data.clips[0].clip"]
    assert server.posts == 1


@pytest.mark.parametrize("flag", [True, False])
async def test_retriable_refusal_of_unknown_outcome_is_not_resent(
    *, flag: bool, tmp_path: Path
) -> None:
    body = {"type": "upstream_error", "error": "no answer", "retriable": flag}
    with Library(tmp_path) as library:
        async with (
            peer(answers(reply(body, 502), reply())) as server,
            client(server.url, ledger=library) as api,
        ):
            with pytest.raises(ServerError, match="retriable, the service says"):
                await api.submit(SONG)
            with pytest.raises(UncertainPurchase):
                await api.submit(SONG)
    assert server.posts == 1
