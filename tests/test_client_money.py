"""However a submit ends, there is one POST at most, and its possible cost is reported."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from musicapi_nb import nuro, sonic
from musicapi_nb.client import MusicAPI
from musicapi_nb.engines import Request
from musicapi_nb.errors import (
    InvalidArgument,
    InvalidRequest,
    LostReply,
    MusicAPIError,
    NoSubscription,
    OutOfCredits,
    RateLimited,
    RejectedRequest,
    ServerError,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)
from tests.raw_http_server import (
    ACK,
    KEY,
    SONG,
    TASK_ID,
    Behaviour,
    Connection,
    Peer,
    answers,
    client,
    peer,
    reply,
    timeless,
    until,
    world,
)

WHAT_TO_DO = r"compare api\.credits\(\) with your earlier balance before you send it again"


async def submit_error(api: MusicAPI) -> MusicAPIError:
    with pytest.raises(MusicAPIError) as caught:
        await api.submit(SONG)
    return caught.value


# --- cut off -------------------------------------------------------------------------------


def _cut_request(number: int, *, reset: bool) -> Behaviour:
    async def behave(connection: Connection) -> None:
        await connection.until(number)
        if reset:
            connection.reset()

    return behave


async def _whole_request() -> bytes:
    async with world(answers(reply())) as (server, api):
        await api.submit(SONG)
        return server.received


@pytest.mark.parametrize("reset", [False, True])
async def test_request_cut_off_at_any_point_is_sent_once(*, reset: bool) -> None:
    complete = await _whole_request()
    head = complete.index(b"\r\n\r\n") + 4
    for number in {0, 1, 5, head - 2, head, head + 1, len(complete) - 1, len(complete)}:
        async with world(_cut_request(number, reset=reset)) as (server, api):
            error = await submit_error(api)
        assert isinstance(error, LostReply), number
        assert error.may_have_cost
        assert len(server.connections) == 1
        assert server.posts <= 1


def _cut_reply(data: bytes, *, reset: bool) -> Behaviour:
    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)
        if reset:
            connection.reset()

    return behave


async def test_reply_cut_off_at_any_byte_is_lost_and_not_resent() -> None:
    complete = reply()
    for number in range(len(complete)):
        async with world(_cut_reply(complete[:number], reset=number % 2 == 0)) as (server, api):
            error = await submit_error(api)
        assert isinstance(error, LostReply), number
        assert error.may_have_cost
        assert server.posts == len(server.connections) == 1


def _chunked(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


async def test_chunked_reply_cut_off_at_any_byte_is_lost_and_not_resent() -> None:
    complete = _chunked(json.dumps(ACK).encode())
    for number in range(len(complete)):
        async with world(_cut_reply(complete[:number], reset=False)) as (server, api):
            error = await submit_error(api)
        assert isinstance(error, LostReply), number
        assert server.posts == 1
    async with world(_cut_reply(complete, reset=False)) as (_, api):
        assert (await api.submit(SONG)).id == TASK_ID


async def test_lost_reply_says_what_to_do() -> None:
    async with world(_cut_reply(b"", reset=False)) as (_, api):
        with pytest.raises(LostReply, match=r"(?i)" + WHAT_TO_DO) as caught:
            await api.submit(SONG)
    assert "The connection broke before the answer came" in str(caught.value)
    assert "not sent twice" in str(caught.value)


# --- replies -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 499, 500, 502, 503, 504, 520, 599])
@pytest.mark.parametrize("body", [b"", b"<html><title>Bad gateway</title>", b'{"error": "Oh."}'])
async def test_server_error_may_have_cost(status: int, body: bytes) -> None:
    async with world(answers(reply(body, status))) as (server, api):
        error = await submit_error(api)
    assert error.may_have_cost
    assert isinstance(error, ServerError) == (status >= 500)
    assert server.posts == 1
    assert WHAT_TO_DO.replace("\\", "") in str(error)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("where", ["itself", "another host", "another scheme", "nowhere"])
async def test_redirected_submit_is_not_followed(status: int, where: str) -> None:
    async with peer(answers(reply())) as other:
        to = {
            "itself": "/api/v1/sonic/create",
            "another host": f"{other.url}/taken",
            "another scheme": "file:///etc/passwd",
        }
        headers = {"Location": to[where]} if where in to else {}
        async with world(answers(reply(b"", status, headers))) as (server, api):
            error = await submit_error(api)
        assert isinstance(error, UnexpectedReply)
        assert error.may_have_cost
        assert WHAT_TO_DO.replace("\\", "") in str(error)
        assert server.posts == len(server.requests) == 1
        assert other.connections == []


@pytest.mark.parametrize("status", [301, 307])
async def test_redirect_is_named(status: int) -> None:
    headers = {"Location": "https://new.example.org/api/v1/sonic/create?token=abc"}
    async with world(answers(reply(b"", status, headers))) as (_, api):
        error = await submit_error(api)
    assert "redirects to https://new.example.org, where nothing was sent" in str(error)
    assert "abc" not in str(error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"code": 403, "message": "The remaining credits are not enough."}, OutOfCredits),
        ({"code": 429, "msg": "Too many requests."}, RateLimited),
        ({"code": "401", "detail": "Invalid key.", "data": None}, Unauthorized),
        ({"success": False, "error": {"code": 403, "message": "No subscription"}}, NoSubscription),
        ({"statusCode": 400, "status": "error", "errors": [{"msg": "too long"}]}, RejectedRequest),
    ],
)
async def test_refusal_inside_a_success_costs_nothing(
    body: dict[str, Any], kind: type[MusicAPIError]
) -> None:
    async with world(answers(reply(body))) as (server, api):
        error = await submit_error(api)
    assert type(error) is kind
    assert not error.may_have_cost
    assert "inside a reply of HTTP 200" in str(error)
    assert server.posts == 1


@pytest.mark.parametrize(
    "body",
    [
        {"code": 500, "message": "Internal error"},
        {"code": 408, "message": "Timeout"},
        {"code": 403, "status": 200, "message": "?"},
        {"code": 403, "status": "running", "message": "?"},
        {"code": 403, "success": True, "message": "?"},
        {"code": 403, "message": "?", "data": {"credits": 1}},
        {"code": 403, "message": "?", "job": "j-1"},
        {"success": False, "error": {"message": "tags too long"}},
        {"message": "The remaining credits are not enough."},
    ],
)
async def test_unproven_refusal_may_have_cost(body: dict[str, Any]) -> None:
    async with world(answers(reply(body))) as (server, api):
        error = await submit_error(api)
    assert isinstance(error, UnexpectedReply)
    assert error.may_have_cost
    assert server.posts == 1


async def test_task_id_beside_an_error_code_is_accepted() -> None:
    body = {"code": 429, "message": "slow", "task_id": TASK_ID}
    async with world(answers(reply(body))) as (server, api):
        assert (await api.submit(SONG)).id == TASK_ID
    assert server.posts == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b"\xff\xfe{", b"<p>Hello</p>", b'{"task_', b"nul"])
async def test_unreadable_submit_reply_may_have_cost(status: int, body: bytes) -> None:
    async with world(answers(reply(b"" if status == 204 else body, status))) as (server, api):
        error = await submit_error(api)
    assert isinstance(error, UnexpectedReply)
    assert error.may_have_cost
    assert WHAT_TO_DO.replace("\\", "") in str(error)
    assert server.posts == 1


@pytest.mark.parametrize("body", [{}, [], None, {"message": "success"}, {"task_id": ""}, "yes"])
async def test_submit_reply_without_task_id_may_have_cost(body: object) -> None:
    async with world(answers(reply(body))) as (server, api):
        error = await submit_error(api)
    assert isinstance(error, UnexpectedReply)
    assert error.may_have_cost
    assert error.body == body
    assert server.posts == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 422, 429])
async def test_refused_submit_costs_nothing_and_is_not_resent(status: int) -> None:
    for complete in (True, False):  # the status decides, even if the body is incomplete
        data = reply({"error": "No."}, status, {"Retry-After": "0"})
        async with world(_cut_reply(data if complete else data[:-3], reset=False)) as (server, api):
            error = await submit_error(api)
        assert not isinstance(error, LostReply)
        assert not error.may_have_cost
        assert error.status == status
        assert "may have cost" not in str(error)
        assert server.posts == 1


async def test_interim_reply_and_http_1_0_are_understood() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    old = b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(ACK).encode()
    for data in (interim + reply(), reply(http="1.0"), old):
        async with world(_cut_reply(data, reset=False)) as (server, api):
            assert (await api.submit(SONG)).id == TASK_ID
        assert server.posts == 1


async def test_endless_headers_and_bodies_are_cut_short() -> None:
    def endless(start: bytes, forever: bytes) -> Behaviour:
        async def behave(connection: Connection) -> None:
            await connection.request()
            await connection.send(start)
            while True:
                await connection.send(forever)

        return behave

    head = b"HTTP/1.1 200 OK\r\n"
    for start, forever in (
        (head, b"X: y\r\n" * 100),
        (head + b"X: ", b"y" * 65536),
        (b"HTTP/1.1 200 ", b"O" * 65536),
        (head + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
    ):
        async with world(endless(start, forever)) as (server, api):
            error = await submit_error(api)
        assert error.may_have_cost
        assert server.posts == 1


# --- time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n", reply()[:-5]])
async def test_silent_server_is_a_lost_reply(sent: bytes) -> None:
    async def stall(connection: Connection) -> None:
        await connection.request()
        await connection.send(sent)
        await connection.drain()

    async with world(stall, connect_timeout=0.5, reply_timeout=0.1) as (server, api):
        error = await submit_error(api)
        await until(lambda: server.posts)  # a busy machine may pass it on after the time limit
    assert isinstance(error, LostReply)
    assert error.may_have_cost
    assert server.posts == 1


@pytest.mark.filterwarnings("ignore:Sending a large body")  # larger than any buffer
async def test_server_that_does_not_read_is_a_lost_reply() -> None:
    async def deaf(connection: Connection) -> None:
        await connection.until(1)
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    lyrics = "la " * 1000
    big = sonic.Create(
        custom_mode=True, prompt=lyrics, mv="sonic-v5", extra={"x": "y" * 20_000_000}
    )
    async with world(deaf, connect_timeout=0.5, reply_timeout=0.1) as (server, api):
        with pytest.raises(LostReply):
            await api.submit(big)
        await until(lambda: server.posts)
        assert server.posts == 1


@contextlib.contextmanager
def full_backlog() -> Iterator[socket.socket]:
    """A listening socket with a full queue, to which connecting never succeeds."""
    with contextlib.ExitStack() as opened:
        listening = opened.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                waiting.connect(listening.getsockname())
        yield listening


async def test_failed_connection_costs_nothing() -> None:
    with full_backlog() as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with client(url, connect_timeout=0.02) as api:
            error = await submit_error(api)
    assert isinstance(error, Unreachable)
    assert not error.may_have_cost


# --- retries -------------------------------------------------------------------------------


async def test_refused_connection_is_retried_and_bought_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = Peer(answers(reply()))
    await server.start()
    await server.stop()  # the port is closed

    async def nothing() -> None:
        pass

    async with client(server.url) as api:
        pauses = timeless(api, monkeypatch, [nothing, nothing, server.start])
        assert (await api.submit(SONG)).id == TASK_ID
    await server.stop()
    assert server.posts == 1
    assert len(pauses) == 3


async def test_host_that_stays_down_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Peer(answers(reply()))
    await server.start()
    await server.stop()
    async with client(server.url) as api:
        pauses = timeless(api, monkeypatch)
        with pytest.raises(Unreachable, match="No connection to") as caught:
            await api.submit(SONG)
    assert isinstance(caught.value, ConnectionError)
    assert not caught.value.may_have_cost
    assert len(pauses) == 4


async def test_failed_lookup_costs_nothing() -> None:
    async with client("https://no-such-host.invalid") as api:
        error = await submit_error(api)
    assert isinstance(error, Unreachable)
    assert not error.may_have_cost


async def test_failed_handshake_costs_nothing_and_sends_no_request() -> None:
    async def speaks_no_tls(connection: Connection) -> None:
        await connection.until(1)
        await connection.send(reply())

    async def hangs_up(connection: Connection) -> None:
        await connection.until(1)

    for behaviour in (speaks_no_tls, hangs_up):
        async with peer(behaviour) as server:
            async with client(server.url.replace("http:", "https:")) as api:
                error = await submit_error(api)
            assert isinstance(error, Unreachable)
            assert not error.may_have_cost
            assert server.posts == 0
            assert KEY.encode() not in server.received


async def test_invalid_request_is_not_sent() -> None:
    async with world(answers(reply())) as (server, api):
        for wrong in (sonic.Create(), nuro.Vocal(lyrics="x" * 3000), sonic.Concat()):
            with pytest.raises(InvalidRequest):
                await api.submit(wrong)
            with pytest.raises(InvalidRequest):
                await api.run(wrong)
        assert server.connections == []


async def test_budget_without_a_ledger_is_not_ignored() -> None:
    async with world(answers(reply())) as (server, api):
        for buy in (api.submit, api.run):
            with pytest.raises(InvalidArgument, match="need a ledger"):
                await buy(SONG, budgets=["b"])
    async with peer(answers(reply())) as server, client(server.url, budgets=["b"]) as api:
        with pytest.raises(InvalidArgument, match="need a ledger"):
            await api.submit(SONG)
        assert server.connections == []


class WithoutPrice(Request, frozen=True, kw_only=True):
    """An operation of a user, whose price cannot be computed."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "without_price"
    path: ClassVar[str] = "/api/v1/sonic/create"

    def price(self) -> int:
        raise KeyError("no price list")


async def test_a_price_that_cannot_be_computed_loses_no_task() -> None:
    async with world(answers(reply(ACK))) as (_, api):
        task = await api.submit(WithoutPrice())
        assert (task.id, task.price) == (TASK_ID, None)


# --- connections ---------------------------------------------------------------------------


async def test_submit_never_reuses_a_connection() -> None:
    async def once_each(connection: Connection) -> None:
        first = await connection.request()
        assert first is not None
        body = {"credits": 5, "extra_credits": 0} if first.startswith(b"GET") else ACK
        await connection.send(reply(body))
        await connection.request()  # a second request on the same connection gets no reply

    async with world(once_each) as (server, api):
        await api.credits()
        for _ in range(3):
            assert (await api.submit(SONG)).id == TASK_ID
    assert server.posts == 3
    for connection in server.connections:
        assert connection.received.count(b"HTTP/1.1\r\n") == 1


async def test_submit_does_not_wait_for_other_connections() -> None:
    held = asyncio.Event()
    waiting = 0

    async def slow_polls(connection: Connection) -> None:
        nonlocal waiting
        request = await connection.request()
        if request and request.startswith(b"GET"):
            waiting += 1
            if waiting == 100:
                held.set()
            await asyncio.Event().wait()
        await connection.send(reply())

    async with world(slow_polls) as (_, api):
        polls = [asyncio.create_task(api.poll(f"id{n}", engine="sonic")) for n in range(110)]
        await held.wait()
        assert (await api.submit(SONG)).id == TASK_ID
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)
