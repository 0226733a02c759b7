"""The reply that made a purchase uncertain is kept, and a task id in it is offered."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb.errors import MusicAPIError, UncertainPurchase
from musicapi_nb.library import Library
from tests.library.helpers import rebuilt_is_the_same
from tests.raw_http_server import DONE, KEY, SONG, TASK_ID, answers, client, peer, reply


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as opened:
        yield opened
        rebuilt_is_the_same(opened)


async def submit(library: Library, *replies: bytes) -> MusicAPIError:
    """Submit twice; return the first error, and check the second."""
    async with peer(answers(*replies)) as server, client(server.url, ledger=library) as api:
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
