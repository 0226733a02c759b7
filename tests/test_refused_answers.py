"""A reply that reports an error is never a success, and no id beside the error is a task's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb import lyrics, producer, sonic, tasks, wire
from musicapi_nb.engines import Request
from musicapi_nb.errors import MusicAPIError, UnexpectedReply
from musicapi_nb.library import Library
from tests.library.helpers import rebuilt_is_the_same
from tests.raw_http_server import SONG, TASK_ID, answers, client, peer, reply

CLIP_ID = "11111111-2222-3333-4444-000000000001"
REQUESTS: list[Request] = [
    SONG,
    lyrics.Make(description="rain"),
    sonic.Wav(clip_id=CLIP_ID),
    sonic.Midi(clip_id=CLIP_ID),
    sonic.Bpm(clip_id=CLIP_ID),
    sonic.Download(clip_id=CLIP_ID, formats=["mp3"]),
    sonic.Upload(url="https://example.org/a.mp3"),
    sonic.Batch(items=[SONG, SONG]),
]
ERRORS: list[dict[str, Any]] = [
    {"msg": "Insufficient credits"},
    {"detail": "Insufficient credits"},
    {"detail": [{"loc": ["body", "clip_id"], "msg": "field required"}]},
    {"errors": ["Insufficient credits"]},
    {"errors": [{"message": "Insufficient credits"}], "data": None},
    {"data": {"message": "Insufficient credits"}},
    {"success": False, "reason": "Insufficient credits"},
    {"success": "false", "reason": "Insufficient credits"},
    {"success": False, "data": {"reason": "Insufficient credits"}},
    {"ok": False, "reason": "Insufficient credits"},
    {"code": "500", "reason": "Insufficient credits"},
    {"code": "error", "data": "quota-exceeded-0001"},
    {"code": -1, "msg": "Insufficient credits"},
    {"status": "error", "reason": "Insufficient credits"},
    {"status": 500, "title": "Internal Server Error", "traceId": "00-4bf92f35-01"},
    {"error": "Insufficient credits", "id": "req_12345678"},
    {"success": False, "message": "Insufficient credits", "id": "req_12345678"},
    {"success": False, "message": "Insufficient credits", "request_id": "req_12345678"},
    {"code": 500, "message": "Insufficient credits", "data": {"id": "req_12345678"}},
    {"code": 500, "data": "error-12345678"},
    {"code": "success", "data": "Request 4711 was refused"},
    {"message": "not queued", "task_id": 0},
    {"message": "not queued", "task_id": "null"},
    {"code": 500, "message": "not queued", "data": {"task_id": "undefined"}},
]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as opened:
        yield opened
        rebuilt_is_the_same(opened)


@pytest.mark.parametrize("body", ERRORS, ids=str)
async def test_error_is_no_success(library: Library, body: dict[str, Any]) -> None:
    async with peer(answers(reply(body))) as server, client(server.url, ledger=library) as api:
        for request in REQUESTS:
            with pytest.raises(UnexpectedReply) as caught:
                await api.submit(request)
            assert caught.value.may_have_cost
        assert server.posts == len(REQUESTS)
    assert [entry.state for entry in library.entries()] == ["uncertain"] * len(REQUESTS)
    assert {entry.task_id for entry in library.entries()} == {None}


@pytest.mark.parametrize(
    "body", [{"code": "403", "msg": "Not enough credits"}, {"code": 403, "ok": False, "msg": "No"}]
)
async def test_refusal_by_any_code_field_is_one_for_all_operations(
    library: Library, body: dict[str, Any]
) -> None:
    async with peer(answers(reply(body))) as server, client(server.url, ledger=library) as api:
        for request in REQUESTS:
            with pytest.raises(MusicAPIError) as caught:
                await api.submit(request)
            assert not caught.value.may_have_cost
    assert {entry.state for entry in library.entries()} == {"refused"}


@pytest.mark.parametrize(
    "body",
    [
        {"success": False, "wav_url": "https://cdn.example.org/a.wav"},
        {"code": 500, "data": {"wav_url": "https://cdn.example.org/a.wav"}},
        {"errors": ["late"], "data": {"wav_url": "https://cdn.example.org/a.wav"}},
    ],
)
def test_known_answer_beside_an_error_is_kept(body: dict[str, Any]) -> None:
    task = tasks.parse_submit_reply(body, sonic.Wav(clip_id=CLIP_ID))
    assert (task.state, dict(task.answer)) == (
        "succeeded",
        {"wav_url": "https://cdn.example.org/a.wav"},
    )


def test_error_about_an_uploaded_file_is_not_its_result() -> None:
    uploading = tasks.Task(
        id=TASK_ID, engine="producer", request=producer.Upload(audio_url="https://a.example/a.mp3")
    )
    for body in ({"success": False, "data": {"reason": "busy"}}, {"code": "500", "reason": "busy"}):
        with pytest.raises(UnexpectedReply):
            tasks.parse_task(body, task=uploading)
    assert not tasks.parse_task({"data": {"message": "in the queue"}}, task=uploading).finished


# --- which id is the task's ----------------------------------------------------------------

EXTENDED = sonic.Extend(
    continue_clip_id=CLIP_ID, continue_at=9.0, custom_mode=False, prompt="rain", mv="sonic-v5"
)


@pytest.mark.parametrize(
    "body",
    [
        {"message": "success", "request": {"task_id": "of-the-source-1"}, "data": {"id": TASK_ID}},
        {"code": 200, "data": {"source": {"task_id": "of-the-source-1"}, "id": TASK_ID}},
        {"code": 200, "data": {"original": {"task_id": "of-the-source-1"}, "taskId": TASK_ID}},
        {"input": {"params": {"task_id": "of-the-source-1"}}, "job": {"task_id": TASK_ID}},
        {"id": CLIP_ID, "data": {"id": TASK_ID}},
    ],
)
def test_id_of_a_source_is_not_the_task(body: dict[str, Any]) -> None:
    assert tasks.parse_submit_reply(body, EXTENDED).id == TASK_ID


@pytest.mark.parametrize(
    "body",
    [
        {"message": "success", "request": {"task_id": "of-the-source-1"}},
        {"message": "success", "data": {"id": CLIP_ID}},
        {"message": "success", "id": CLIP_ID},
    ],
)
def test_id_of_a_source_is_not_a_task_id(body: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedReply) as caught:
        tasks.parse_submit_reply(body, EXTENDED)
    assert caught.value.may_have_cost


@pytest.mark.parametrize("task_id", [TASK_ID, "20000001", 3])
def test_task_named_beside_an_error_is_the_task(task_id: object) -> None:
    body = {"success": False, "error": "queue is slow", "data": {"task_id": task_id}}
    assert tasks.parse_submit_reply(body, SONG).id == str(task_id)


@pytest.mark.parametrize(
    ("payload", "denies"),
    [
        ({}, False),
        ([], False),
        ({"success": True, "code": 200, "status": "success", "error": None}, False),
        ({"success": None, "code": "success", "errors": []}, False),
        ({"status": "processing", "code": 0}, False),
        ({"status": False}, True),
        ({"error": {"message": "no"}}, True),
        ({"statusCode": "503"}, True),
        ({"code": "FAILED"}, True),
    ],
)
def test_denied_success(payload: Any, *, denies: bool) -> None:
    assert wire.denies_success(payload) is denies
