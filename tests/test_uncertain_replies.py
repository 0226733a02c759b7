"""The reply that made a purchase uncertain is kept, and a task id in it is offered."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from musicapi_nb.errors import LostReply, MusicAPIError, UncertainPurchase
from musicapi_nb.library import Library
from musicapi_nb.secret import Secret
from tests.library.helpers import rebuilt_is_the_same
from tests.raw_http_server import (
    DONE,
    KEY,
    SONG,
    TASK_ID,
    Behaviour,
    answers,
    client,
    once_each,
    peer,
    reply,
)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as opened:
        yield opened
        rebuilt_is_the_same(opened)


async def submit(
    library: Library, *replies: bytes, behave: Callable[..., Behaviour] = answers
) -> MusicAPIError:
    """Submit twice; return the first error, and check the second."""
    async with peer(behave(*replies)) as server, client(server.url, ledger=library) as api:
        with pytest.raises(MusicAPIError) as caught:
            await api.submit(SONG)
        with pytest.raises(UncertainPurchase) as again:
            await api.submit(SONG)
        assert server.posts == 1
    entry = library.entries()[0]
    assert entry.state == "uncertain"
    assert entry.note is not None
    assert entry.note in str(again.value)
    return caught.value


NAMED: list[tuple[Any, int]] = [
    ({"error": "Internal error", "task_id": TASK_ID}, 500),
    ({"type": "internal", "detail": {"job": {"taskId": TASK_ID}}}, 502),
    ([{"message": "late"}, {"data": {"task_id": TASK_ID}}], 503),
    (b'<html>Error while {"task_id": "%s"} was queued' % TASK_ID.encode(), 504),
    (b"\xff\xfe taskId=%s \x00" % TASK_ID.encode(), 500),
    (b'{"message": "success", "task_id": "%s", "more": ' % TASK_ID.encode(), 200),
]


@pytest.mark.parametrize(("body", "status"), NAMED)
async def test_named_task_is_offered_and_waited_for(
    library: Library, body: Any, status: int
) -> None:
    error = await submit(library, reply(body, status))
    assert f"library.resolve(1, task_id='{TASK_ID}')" in error.message
    assert TASK_ID in json.dumps(library.events(1)[-1].data)
    assert TASK_ID in library._repr_html_()
    library.resolve(1, task_id=TASK_ID)
    async with peer(answers(reply(DONE))) as server, client(server.url, ledger=library) as api:
        task = await api.run(SONG)
        assert (task.id, task.state) == (TASK_ID, "succeeded")
        assert server.posts == 0


BODIES: list[tuple[Any, int, str]] = [
    (b"<html>Bad gateway</html>", 502, "Bad gateway"),
    ({"message": "success"}, 200, '"success"'),
    (b"\xff\xfe\x00 broken", 500, "broken"),
    (b"[" * 5000 + b"]" * 5000, 200, "[["),
    (b'{"error": "half \\ud800 of a pair", "n": NaN}', 500, "half"),
    (b"x" * 1_000_000, 500, "xxxx"),
]


@pytest.mark.parametrize(("body", "status", "part"), BODIES)
async def test_body_is_kept_without_a_task(
    library: Library, body: Any, status: int, part: str
) -> None:
    error = await submit(library, reply(body, status))
    assert "names a task" not in error.message
    stored = library.events(1)[-1].data["body"]
    assert part in stored
    assert len(stored) <= 200_000


def broken_off(start: bytes, *, chunked: bool = False, status: int = 200) -> bytes:
    """Return a reply that announces more than it sends."""
    if chunked:
        head = f"HTTP/1.1 {status} OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        return head.encode() + b"%x\r\n%s\r\n" % (len(start), start)
    return f"HTTP/1.1 {status} OK\r\nContent-Length: 900000\r\n\r\n".encode() + start


CUT: list[tuple[bytes, bool, int]] = [
    (f'{{"code": 200, "data": {{"task_id": "{TASK_ID}", "more'.encode(), False, 200),
    (f'{{"message": "success", "task_id": "{TASK_ID}"'.encode(), True, 200),
    (f'{{"taskIds": "{TASK_ID}", "taskId": "{TASK_ID}" '.encode(), False, 201),
    (f'{{"task_id":"{TASK_ID}"}}'.encode(), False, 200),
    (f"<p>Queued, task id follows: taskId={TASK_ID}<br".encode(), True, 500),
    (b"x" * 400_000 + f'"task_id": "{TASK_ID}", '.encode(), False, 200),
]


@pytest.mark.parametrize(("start", "chunked", "status"), CUT, ids=range(len(CUT)))
async def test_start_of_a_reply_that_breaks_off_is_kept(
    library: Library, start: bytes, *, chunked: bool, status: int
) -> None:
    data = broken_off(start, chunked=chunked, status=status)
    error = await submit(library, data, behave=once_each)
    assert isinstance(error, LostReply)
    assert error.body == start
    stored = library.events(1)[-1].data["body"]
    assert start.decode().startswith(stored[:100_000])
    assert f"library.resolve(1, task_id='{TASK_ID}')" in error.message
    assert library.resolve(1, task_id=TASK_ID).state == "accepted"


@pytest.mark.parametrize("length", [0, 1, 3, 8, len(TASK_ID) - 1, len(TASK_ID)])
async def test_half_of_a_task_id_is_not_offered(library: Library, length: int) -> None:
    start = b'{"message": "success", "task_id": "' + TASK_ID[:length].encode()
    error = await submit(library, broken_off(start), behave=once_each)
    assert "names a task" not in error.message
    assert start.decode() in library.events(1)[-1].data["body"]


async def test_reply_that_breaks_off_before_its_body_is_only_lost(library: Library) -> None:
    error = await submit(library, broken_off(b""), behave=once_each)
    assert (type(error), error.body) == (LostReply, None)


def test_part_of_a_key_at_the_end_of_a_cut_body_is_not_kept() -> None:
    secret = Secret(KEY, Secret("a-webhook-secret-of-32-characters"))
    for spelling in (
        KEY,
        json.dumps(KEY)[1:-1],
        quote(KEY, safe=""),
        "a-webhook-secret-of-32-chara",
    ):
        for length in range(1, len(spelling) + 1):
            cut = secret.redact_cut_body(b'{"Authorization":"Bearer ' + spelling[:length].encode())
            left = cut.decode().removeprefix('{"Authorization":"Bearer ')
            assert left == "[key]" or spelling.startswith(left)
            assert len(left) < 8
    assert Secret("rain").redact_cut_body(b"it may rai") == b"it may rai"


async def test_task_that_is_named_by_a_number_is_offered(library: Library) -> None:
    error = await submit(library, reply({"error": "late", "task_id": 4711, "job_id": 5}, 500))
    assert "library.resolve(1, task_id='4711')" in error.message


async def test_body_of_a_refusal_is_kept(library: Library) -> None:
    refusal = reply({"error": "Too long", "fields": ["lyrics"]}, 400)
    async with peer(answers(refusal)) as server, client(server.url, ledger=library) as api:
        with pytest.raises(MusicAPIError):
            await api.submit(SONG)
    assert library.entries()[0].state == "refused"
    assert "lyrics" in library.events(1)[-1].data["body"]


async def test_key_in_the_body_is_not_kept(library: Library) -> None:
    await submit(library, reply({"error": "bad", "authorization": f"Bearer {KEY}"}, 500))
    stored = library.events(1)[-1].data["body"]
    assert "authorization" in stored
    assert KEY not in stored
    assert json.dumps(KEY)[1:-1] not in stored
