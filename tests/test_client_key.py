"""The key is sent to the service and appears nowhere else."""

import asyncio
import base64
import contextlib
import copy
import functools
import gc
import json
import logging
import pickle
import traceback
import types
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from musicapi_nb.client import MusicAPI
from musicapi_nb.errors import MusicAPIError, Unauthorized
from musicapi_nb.library import Library
from musicapi_nb.secret import Secret
from musicapi_nb.simulator import Simulator
from tests.raw_http_server import (
    ACK,
    AGES,
    DONE,
    KEY,
    SONG,
    TASK_ID,
    Connection,
    Peer,
    answers,
    client,
    names,
    once_each,
    peer,
    reply,
    timeless,
    until,
)

SPELLINGS = [
    KEY,
    json.dumps(KEY)[1:-1],
    json.dumps(KEY)[1:-1].replace("/", "\\/"),
    json.dumps(KEY)[1:-1].replace("+", "\\u002B").replace("/", "\\u002f"),
    quote(KEY, safe=""),
    repr(KEY)[1:-1],
]
SECRET = "what-webhooks-are-signed-with"  # noqa: S105 - of these tests alone
# Long enough not to occur by chance: no useful part of the key may remain.
PARTS = ["9aZ+q", "KEY-4711", base64.b64encode(KEY.encode()).decode()]


def assert_keyless(*texts: object) -> None:
    for item in texts:
        text = item.decode("latin-1") if isinstance(item, bytes) else str(item)
        for spelling in SPELLINGS + PARTS:
            assert spelling not in text


def _texts_of(error: MusicAPIError) -> list[object]:
    """Return all texts of an error and of its chained causes."""
    texts_of_error: list[object] = [str(error), repr(error), error.args, error.message, error.body]
    texts_of_error += [error.request_id, repr(vars(error)), getattr(error, "__notes__", "")]
    texts_of_error += traceback.format_exception(error)
    texts_of_error += [repr(frame.f_locals) for frame in _our_frames(error)]
    chained: BaseException | None = error
    while chained is not None:
        texts_of_error += [str(chained), repr(chained)]
        chained = chained.__cause__ or (
            None if chained.__suppress_context__ else chained.__context__
        )
    return texts_of_error


def _our_frames(error: BaseException) -> Iterator[types.FrameType]:
    """Return the frames whose variables a verbose traceback shows."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "/musicapi_nb/" in frame.f_code.co_filename:
            yield frame


def echoing(head: str, body: bytes = b"{}") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


ECHOES = [
    *(
        echoing(f"{status} No", json.dumps({name: f"Bad key: {KEY}"}).encode())
        for status in (400, 401, 403, 429, 500, 302)
        for name in ("error", "message", "detail")
    ),
    *(echoing("401 No", f'{{"error": "{spelling}"}}'.encode()) for spelling in SPELLINGS[1:5]),
    *(echoing("401 No", spelling.encode()) for spelling in SPELLINGS),
    echoing("401 No", b"x" * 480 + f" {KEY} ".encode() + b"y" * 100),
    echoing("401 No", f"<html><title>{KEY}</title>{KEY}</html>".encode()),
    echoing("200 OK", f"<html><title>{KEY}</title>{KEY}</html>".encode()),
    echoing("200 OK", f'{{"key": "{KEY}'.encode()),
    echoing("200 OK", json.dumps({"seen": KEY}).encode()),
    echoing("200 OK", json.dumps([KEY]).encode()),
    echoing(f"401 No\r\nX-Request-Id: {KEY}"),
    echoing(f"500 No\r\nCF-Ray: {KEY}"),
    echoing(f"307 Go\r\nLocation: http://localhost/?{KEY}"),
    echoing(f"200 OK\r\nAuthorization Bearer {KEY}"),
    echoing(f"200 OK\r\nX: {KEY}\x00"),
    f"HTTP/1.1 2OO {KEY}\r\n\r\n".encode(),
    KEY.encode() + b"\r\n\r\n",
]


CALLS: list[Callable[[MusicAPI], Awaitable[object]]] = [
    lambda api: api.submit(SONG),
    lambda api: api.credits(),
    lambda api: api.poll("some-id", engine="sonic"),
]


@pytest.mark.parametrize("echo", ECHOES, ids=range(len(ECHOES)))
async def test_echoed_key_is_not_shown(
    echo: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with peer(once_each(echo)) as server, client(server.url) as api:
        timeless(api, monkeypatch)
        for call in CALLS:
            with pytest.raises(MusicAPIError) as caught:
                await call(api)
            assert_keyless(*_texts_of(caught.value))
    assert KEY.encode() in server.received  # the service did receive it
    assert_keyless(caplog.text, *(vars(record) for record in caplog.records))


async def test_echoed_key_does_not_reach_a_task() -> None:
    ack = {**ACK, "warning": f"The key {KEY} expires soon."}
    clip = {"clip_id": "c", "state": "succeeded", "title": KEY, "note": KEY}
    async with peer(answers(reply(ack))) as server, client(server.url) as api:
        task = await api.submit(SONG)
    assert task.id == TASK_ID
    assert_keyless(repr(task), task.raw, task.extra, task._repr_html_())
    async with (
        peer(answers(reply({**DONE, "data": [clip, clip]}))) as server,
        client(server.url) as api,
    ):
        task = await api.poll(task)
    assert_keyless(repr(task), task.raw, task.songs, task._repr_html_())


async def test_short_key_damages_no_reply() -> None:
    for key in ("1", "e", "task", "success", TASK_ID[:8]):
        async with (
            peer(answers(reply())) as server,
            MusicAPI(key, base_url=server.url, pace=0) as api,
        ):
            assert (await api.submit(SONG)).id == TASK_ID
    secret = Secret("short")
    assert secret.redact("Bad key: 'short'. shorter") == "Bad key: '[key]'. shorter"


async def test_short_key_is_redacted_in_errors() -> None:
    echo = reply({"error": "Bad key 'tiny-key'."}, 401, {"X-Request-Id": "tiny-key"})
    async with (
        peer(answers(echo)) as server,
        MusicAPI("tiny-key", base_url=server.url, pace=0) as api,
    ):
        for call in CALLS:
            with pytest.raises(Unauthorized) as caught:
                await call(api)
            error = caught.value
            texts_of_error = (
                str(error),
                repr(error),
                error.body,
                *traceback.format_exception(error),
            )
            assert "tiny-key" not in str(texts_of_error)
            assert "Bad key '[key]'" in str(error)


async def test_lost_reply_does_not_show_the_key(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with peer(once_each(b"")) as server, client(server.url) as api:
        timeless(api, monkeypatch)
        for call in CALLS:
            with pytest.raises(MusicAPIError) as caught:
                await call(api)
            assert_keyless(*_texts_of(caught.value))
        await server.stop()
        for call in CALLS:  # this raises
            with pytest.raises(MusicAPIError) as caught:
                await call(api)
            assert_keyless(*_texts_of(caught.value))
    assert_keyless(caplog.text)


def _all_frames(error: BaseException | None) -> Iterator[types.FrameType]:
    """Return the frames of an error and of all that led to it, those of aiohttp included."""
    while error is not None:
        yield from (frame for frame, _ in traceback.walk_tb(error.__traceback__))
        error = error.__cause__ or error.__context__


def _has_requests(server: Peer, number: int) -> bool:
    return len(server.requests) == number


async def test_cancelled_call_does_not_show_key_and_secret(tmp_path: Path) -> None:
    async def say_nothing(connection: Connection) -> None:
        await connection.drain()

    with Library(tmp_path) as library:
        async with (
            peer(say_nothing) as server,
            client(
                server.url, ledger=library, webhook="http://localhost/", webhook_secret=SECRET
            ) as api,
        ):
            for number, call in enumerate(CALLS, 1):
                asking = asyncio.ensure_future(call(api))
                await until(functools.partial(_has_requests, server, number))
                sending = next(iter(api._in_flight.tasks), asking)
                sending.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await sending
                files = [frame.f_code.co_filename for frame in _all_frames(caught.value)]
                assert any("aiohttp" in file for file in files)
                for frame in _all_frames(caught.value):
                    assert_keyless(repr(frame.f_locals))
                    assert SECRET not in repr(frame.f_locals)
                await asyncio.wait([asking])
    assert SECRET.encode() in server.received


async def test_client_does_not_expose_the_key() -> None:
    api = client("http://127.0.0.1:1")
    reachable: list[object] = [api]
    for item in reachable:
        assert_keyless(repr(item), str(item))
        with contextlib.suppress(TypeError):
            values = list(vars(item).values())
            assert_keyless(vars(item))
            reachable += [
                value for value in values if type(value).__module__.startswith("musicapi_nb")
            ]
    assert len(reachable) > 3
    for give in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as caught:
            give(api._transport.secret)
        assert_keyless(*traceback.format_exception(caught.value))
        if give is not copy.copy:
            with pytest.raises(TypeError):
                give(api)
    await api.close()


@pytest.mark.parametrize(
    "bad",
    [
        "",
        " ",
        "\n",
        "a b",
        "kéy-of-mine",
        "key\nof-mine",
        "key\x00x",
        "key\x7f",
        "Basic x",
        "雨",
        None,
        7,
        b"bytes-key",
    ],
)
def test_invalid_key_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        MusicAPI(bad)
    assert "MUSICAPI_KEY" in str(caught.value)
    if isinstance(bad, str) and len(bad.strip()) > 4:
        assert bad.strip() not in "".join(traceback.format_exception(caught.value))


async def test_white_space_around_a_key_is_trimmed() -> None:
    async with peer(answers(reply())) as server, MusicAPI(f" {KEY}\n", base_url=server.url) as api:
        await api.submit(SONG)
    assert f"Authorization: Bearer {KEY}\r\n".encode() in server.received


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirected_call_does_not_leak_the_key(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with peer(answers(reply())) as other:
        away = reply(b"", status, {"Location": f"{other.url.replace('127.0.0.1', 'localhost')}/x"})
        async with peer(answers(away)) as server, client(server.url) as api:
            timeless(api, monkeypatch)
            for call in CALLS:
                with pytest.raises(MusicAPIError):
                    await call(api)
    assert other.connections == []


async def test_download_sends_no_key(tmp_path: Path) -> None:
    sound = reply(b"ID3" + b"\0" * 100)
    async with peer(answers(sound)) as other:
        away = reply(b"", 302, {"Location": f"{other.url.replace('127.0.0.1', 'localhost')}/x.mp3"})
        async with peer(answers(sound, away)) as server, client(server.url, simulated=True) as api:
            for name in ("from-the-api-host", "redirected"):
                await api.download(f"{server.url}/{name}.mp3", tmp_path)
        assert len(server.requests) == 2
        assert len(other.requests) == 1
        assert_keyless(server.received, other.received)
        assert b"authorization" not in (server.received + other.received).lower()
    assert_keyless(*names(tmp_path))


async def test_simulator_files_are_downloaded_without_the_key(tmp_path: Path) -> None:
    async with Simulator(speed=100_000, seconds=(1, 1)) as sim:
        async with client(sim.url, speed=sim.speed) as api:
            task = await api.run(SONG, deadline=AGES)
            sim.faults.arm("redirect_media")
            for song in task.songs:
                await api.download(song, tmp_path)
        assert sim.request_log.count("GET", "/media/") == 3
        assert sim.request_log.media_authorized == 0
    assert_keyless(*names(tmp_path))


def test_warnings_do_not_show_the_key() -> None:
    async def main() -> None:
        async with peer(once_each(b"")) as server:
            api = client(server.url)
            with contextlib.suppress(MusicAPIError):
                await api.submit(SONG)
            del api  # not closed

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(main(), debug=True)
        gc.collect()
    assert_keyless(*(warning.message for warning in caught))
