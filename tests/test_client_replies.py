"""Free calls are retried a few times, and every fault ends in one clear error."""

import asyncio
import datetime as dt
import email.utils
import json

import pytest

from musicapi_nb.client import MusicAPI
from musicapi_nb.client.transport import LARGEST_REPLY
from musicapi_nb.errors import (
    ContentRefused,
    InvalidRequest,
    MusicAPIError,
    RateLimited,
    RejectedRequest,
    ServerError,
    TaskNotFound,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)
from musicapi_nb.simulator import Simulator
from tests.raw_http_server import (
    DONE,
    Connection,
    Peer,
    answers,
    client,
    once_each,
    peer,
    reply,
    timeless,
)

BALANCE = {"credits": 50, "extra_credits": 7}


async def balance_error(api: MusicAPI) -> MusicAPIError:
    with pytest.raises(MusicAPIError) as caught:
        await api.credits()
    assert "\n" not in str(caught.value)
    assert not caught.value.may_have_cost
    return caught.value


# --- retries -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoilt",
    [
        reply(b"", 500),
        reply(b"<html>", 502),
        reply(b"", 503),
        reply({"error": "x"}, 504),
        reply(b"", 429),
        reply(b"", 200),
        reply(b"<html>", 200),
        reply(b"\x80\xff", 200),
        reply({"unheard": "of"}, 200),
        reply([], 200),
        reply(BALANCE)[:-4],
        b"",
        b"HTTP/1.1 2",
        b"\x16\x03\x01garbage\r\n\r\n",
        reply(b"", 307, {"Location": "/elsewhere"}),
    ],
)
async def test_free_call_is_retried_after_a_transient_fault(
    spoilt: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour = once_each(spoilt, spoilt, reply(BALANCE))
    async with peer(behaviour) as server, client(server.url) as api:
        pauses = timeless(api, monkeypatch)
        assert (await api.credits()).total == 57
    # aiohttp itself repeats a GET once if the connection closes without a reply
    assert len(pauses) in ((1, 2) if spoilt in (b"", b"HTTP/1.1 2") else (2,))
    assert [target for _, target in server.requests] == ["/api/v1/get-credits"] * 3


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(b"", 500), ServerError),
        (reply(b"", 429), RateLimited),
        (reply(b"<title>Oops</title>"), UnexpectedReply),
        (reply(b""), UnexpectedReply),
        (reply({"credits": "many"}), UnexpectedReply),
        (reply(BALANCE)[:-1], Unreachable),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Unreachable),
        (b"", Unreachable),
    ],
)
async def test_lasting_fault_is_one_error_after_five_attempts(
    answer: bytes, kind: type[MusicAPIError], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with peer(once_each(answer)) as server, client(server.url) as api:
        pauses = timeless(api, monkeypatch)
        assert type(await balance_error(api)) is kind
    # as above: aiohttp may double each attempt
    assert len(pauses) == 4
    assert 5 <= len(server.requests) <= 10


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, RejectedRequest), (401, Unauthorized), (403, MusicAPIError), (404, RejectedRequest)],
)
async def test_refusal_is_not_retried(
    status: int, kind: type[MusicAPIError], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with peer(answers(reply({"error": "No."}, status))) as server, client(server.url) as api:
        pauses = timeless(api, monkeypatch)
        assert isinstance(await balance_error(api), kind)
    assert pauses == []
    assert len(server.requests) == 1


async def _pauses(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    async with peer(answers(answer)) as server, client(server.url) as api:
        pauses = timeless(api, monkeypatch)
        await balance_error(api)
    return pauses


async def test_delays_grow_with_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [await _pauses(reply(b"", 503), monkeypatch) for _ in range(8)]
    for index, (low, high) in enumerate([(0.5, 1), (1, 2), (2, 4), (4, 8)]):
        delays = [run[index] for run in runs]
        assert all(low <= pause <= high for pause in delays)
        assert len(set(delays)) > 1


async def test_retry_after_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    for named, low, high in (("7", 7, 8), ("0", 0, 1), ("86400", 60, 61), ("1e400", 0.5, 8)):
        pauses = await _pauses(reply(b"", 429, {"Retry-After": named}), monkeypatch)
        assert all(low <= pause <= high for pause in pauses), named
    assert len(set(pauses)) == len(pauses) == 4


async def test_retry_after_can_be_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=30)
    named = email.utils.format_datetime(soon, usegmt=True)
    pauses = await _pauses(reply(b"", 429, {"Retry-After": named}), monkeypatch)
    assert all(20 < pause <= 31 for pause in pauses)
    long_ago = "Thu, 01 Jan 1970 00:00:00 GMT"
    pauses = await _pauses(reply(b"", 429, {"Retry-After": long_ago}), monkeypatch)
    assert all(0 <= pause <= 1 for pause in pauses)


async def test_delays_follow_the_service_clock() -> None:
    hour = reply(b"", 429, {"Retry-After": "60"})
    async with (
        asyncio.timeout(30),
        peer(answers(hour, hour, reply(BALANCE))) as server,
        client(server.url, speed=100_000) as api,
    ):
        assert (await api.credits()).credits == 50


# --- one clear error -----------------------------------------------------------------------


async def test_unreachable_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Peer(answers(b""))
    await server.start()
    await server.stop()
    async with client(server.url) as api:
        timeless(api, monkeypatch)
        error = await balance_error(api)
    assert isinstance(error, Unreachable)
    assert server.url.removeprefix("http://") in str(error)
    assert "Check the network" in str(error)


async def test_silent_host_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(connection: Connection) -> None:
        await connection.drain()

    async with (
        peer(silent) as server,
        client(server.url, connect_timeout=0.02, reply_timeout=0.02) as api,
    ):
        timeless(api, monkeypatch)
        assert isinstance(await balance_error(api), Unreachable)


async def test_endless_reply_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0

    async def endless(connection: Connection) -> None:
        nonlocal sent
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await connection.send(b"100000\r\n" + b'"' * 0x100000 + b"\r\n")
            sent += 0x100000

    async with peer(endless) as server, client(server.url) as api:
        monkeypatch.setattr("musicapi_nb.client.retry._ATTEMPTS", 1)
        assert isinstance(await balance_error(api), UnexpectedReply)
    assert LARGEST_REPLY <= sent < 2 * LARGEST_REPLY


async def test_unknown_task_is_reported() -> None:
    async with Simulator(speed=100_000) as sim, client(sim.url) as api:
        for engine in ("sonic", "studio", "nuro"):
            with pytest.raises(TaskNotFound) as caught:
                await api.poll("no-such-id", engine=engine)
            assert isinstance(caught.value, LookupError)
        assert sim.request_log.total == 3


@pytest.mark.parametrize(
    "task_id", ["../../get-credits", "a?b=c", "a#b", "a\r\nX: y", "%2e%2e", "雨"]
)
async def test_unusual_id_is_one_path_segment(task_id: str) -> None:
    async with peer(answers(reply(DONE))) as server, client(server.url) as api:
        await api.poll(task_id, engine="sonic")
    ((method, target),) = server.requests
    assert method == "GET"
    assert target.startswith("/api/v1/sonic/task/")
    assert target.count("/") == 5
    assert "?" not in target


async def test_task_without_engine_or_id_is_not_polled() -> None:
    async with peer(answers(reply(DONE))) as server, client(server.url) as api:
        for task_id, engine in (("", "sonic"), ("x", None), ("x", ""), ("..", "sonic")):
            with pytest.raises(InvalidRequest):
                await api.poll(task_id, engine=engine)
        assert server.connections == []


@pytest.mark.parametrize("kind", ["wrong_key", "refused_content"])
async def test_simulator_refusal_is_understood(kind: str) -> None:
    async with Simulator(speed=100_000) as sim, client(sim.url) as api:
        sim.faults.arm(kind, method="GET")
        error = await balance_error(api)
    assert isinstance(error, Unauthorized if kind == "wrong_key" else ContentRefused)


# --- failed tasks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason", "refunded"),
    [
        (
            reply(
                {"message": "Task failed due to timeout. Credits were previously refunded."}, 504
            ),
            "Task failed due to timeout",
            True,
        ),
        (
            reply({"type": "api_error", "message": "System error.", "already_refunded": True}),
            "System error",
            True,
        ),
        (
            reply({"type": "failed", "error": "No luck.", "refund_processed": False}),
            "No luck",
            False,
        ),
        (reply({"type": "timeout", "message": "Too slow."}), "Too slow", None),
    ],
)
async def test_failed_task_has_a_reason(
    answer: bytes, reason: str, *, refunded: bool | None
) -> None:
    async with peer(answers(answer)) as server, client(server.url) as api:
        task = await api.poll("some-id", engine="sonic")
    assert (task.id, task.state, task.refunded) == ("some-id", "failed", refunded)
    assert reason in (task.fail_reason or "")
    assert len(server.requests) == 1


# --- balance -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "total"),
    [
        (BALANCE, 57),
        ({"credits": 3}, 3),
        ({"credits": 0, "extra_credits": None}, 0),
        ({"credits": 2.5, "extra_credits": 1}, 3.5),
    ],
)
async def test_balance_is_read(payload: object, total: float) -> None:
    async with peer(answers(reply(payload))) as server, client(server.url) as api:
        assert (await api.credits()).total == total


@pytest.mark.parametrize(
    "payload",
    [{}, [], {"credits": True}, {"credits": None}, {"credits": [5]}, {"extra_credits": 5}],
)
async def test_invalid_balance_is_an_error(
    payload: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with peer(answers(reply(payload))) as server, client(server.url) as api:
        timeless(api, monkeypatch)
        error = await balance_error(api)
    assert isinstance(error, UnexpectedReply)
    assert json.dumps(error.body) == json.dumps(payload)
