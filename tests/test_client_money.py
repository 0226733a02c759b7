"""However an exchange ends: one POST for a submit at most, and the truth about what it cost."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from musicapi_nb import nuro, sonic
from musicapi_nb.client import MusicAPI
from musicapi_nb.errors import (
    Closed,
    ContentRefused,
    InvalidRequest,
    LostReply,
    MusicAPIError,
    NoSubscription,
    OutOfCredits,
    RateLimited,
    ServerError,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)
from musicapi_nb.simulator import KINDS, Simulator
from musicapi_nb.tasks import Task
from tests.peers import (
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
)

WHAT_TO_DO = r"compare api\.credits\(\) with the balance before, and only then ask again"


@contextlib.asynccontextmanager
async def world(behaviour: Behaviour, **settings: float) -> AsyncIterator[tuple[Peer, MusicAPI]]:
    async with peer(behaviour) as here, client(here.url, **settings) as api:
        yield here, api


async def lost(api: MusicAPI) -> MusicAPIError:
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
    async with world(answers(reply())) as (here, api):
        await api.submit(SONG)
        return here.received


@pytest.mark.parametrize("reset", [False, True])
async def test_a_request_cut_off_at_any_point_is_lost_and_sent_once(*, reset: bool) -> None:
    whole = await _whole_request()
    head = whole.index(b"\r\n\r\n") + 4
    for number in {0, 1, 5, head - 2, head, head + 1, len(whole) - 1, len(whole)}:
        async with world(_cut_request(number, reset=reset)) as (here, api):
            error = await lost(api)
        assert isinstance(error, LostReply), number
        assert error.may_have_cost
        assert len(here.connections) == 1
        assert here.posts <= 1


def _cut_reply(data: bytes, *, reset: bool) -> Behaviour:
    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(data)
        if reset:
            connection.reset()

    return behave


async def test_a_reply_cut_off_at_any_byte_is_lost_and_the_request_sent_once() -> None:
    whole = reply()
    for number in range(len(whole)):
        async with world(_cut_reply(whole[:number], reset=number % 2 == 0)) as (here, api):
            error = await lost(api)
        assert isinstance(error, LostReply), number
        assert error.may_have_cost
        assert here.posts == len(here.connections) == 1


def _chunked(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


async def test_a_chunked_reply_cut_off_at_any_byte_is_lost_and_the_request_sent_once() -> None:
    whole = _chunked(json.dumps(ACK).encode())
    for number in range(len(whole)):
        async with world(_cut_reply(whole[:number], reset=False)) as (here, api):
            error = await lost(api)
        assert isinstance(error, LostReply), number
        assert here.posts == 1
    async with world(_cut_reply(whole, reset=False)) as (_, api):
        assert (await api.submit(SONG)).id == TASK_ID


async def test_a_lost_reply_says_what_to_do() -> None:
    async with world(_cut_reply(b"", reset=False)) as (_, api):
        with pytest.raises(LostReply, match=r"(?i)" + WHAT_TO_DO) as caught:
            await api.submit(SONG)
    assert "POST /api/v1/sonic/create" in str(caught.value)
    assert "not sent again" in str(caught.value)


# --- what is answered ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 499, 500, 502, 503, 504, 520, 599])
@pytest.mark.parametrize("body", [b"", b"<html><title>Bad gateway</title>", b'{"error": "Oh."}'])
async def test_a_failing_server_leaves_the_cost_open(status: int, body: bytes) -> None:
    async with world(answers(reply(body, status))) as (here, api):
        error = await lost(api)
    assert error.may_have_cost
    assert isinstance(error, ServerError) == (status >= 500)
    assert here.posts == 1
    assert WHAT_TO_DO.replace("\\", "") in str(error)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize("where", ["itself", "another host", "another scheme", "nowhere"])
async def test_a_redirected_submit_is_not_followed(status: int, where: str) -> None:
    async with peer(answers(reply())) as other:
        to = {"itself": "/api/v1/sonic/create", "another host": f"{other.url}/taken",
              "another scheme": "file:///etc/passwd"}  # fmt: skip
        headers = {"Location": to[where]} if where in to else {}
        async with world(answers(reply(b"", status, headers))) as (here, api):
            error = await lost(api)
        assert isinstance(error, UnexpectedReply)
        assert error.may_have_cost
        assert WHAT_TO_DO.replace("\\", "") in str(error)
        assert here.posts == len(here.requests) == 1
        assert other.connections == []


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [b"", b"\xff\xfe{", b"<p>Hello</p>", b'{"task_', b"nul"])
async def test_an_unreadable_ack_leaves_the_cost_open(status: int, body: bytes) -> None:
    async with world(answers(reply(b"" if status == 204 else body, status))) as (here, api):
        error = await lost(api)
    assert isinstance(error, UnexpectedReply)
    assert error.may_have_cost
    assert WHAT_TO_DO.replace("\\", "") in str(error)
    assert here.posts == 1


@pytest.mark.parametrize("body", [{}, [], None, {"message": "success"}, {"task_id": ""}, "yes"])
async def test_an_ack_without_a_task_id_leaves_the_cost_open_and_is_kept(body: object) -> None:
    async with world(answers(reply(body))) as (here, api):
        error = await lost(api)
    assert isinstance(error, UnexpectedReply)
    assert error.may_have_cost
    assert error.body == body
    assert here.posts == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 422, 429])
async def test_a_refused_submit_cost_nothing_and_is_not_sent_again(status: int) -> None:
    for whole in (True, False):  # the status alone settles it, however much of the body comes
        data = reply({"error": "No."}, status, {"Retry-After": "0"})
        async with world(_cut_reply(data if whole else data[:-3], reset=False)) as (here, api):
            error = await lost(api)
        assert not isinstance(error, LostReply)
        assert not error.may_have_cost
        assert error.status == status
        assert "may have cost" not in str(error)
        assert here.posts == 1


async def test_an_interim_answer_and_an_old_protocol_are_understood() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    old = b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(ACK).encode()
    for data in (interim + reply(), reply(http="1.0"), old):
        async with world(_cut_reply(data, reset=False)) as (here, api):
            assert (await api.submit(SONG)).id == TASK_ID
        assert here.posts == 1


async def test_headers_without_end_and_bodies_without_end_are_cut_short() -> None:
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
        async with world(endless(start, forever)) as (here, api):
            error = await lost(api)
        assert error.may_have_cost
        assert here.posts == 1


# --- time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n", reply()[:-5]])
async def test_a_silent_server_loses_the_reply_once(sent: bytes) -> None:
    async def stall(connection: Connection) -> None:
        await connection.request()
        await connection.send(sent)
        await connection.drain()

    async with world(stall, connect_timeout=0.05, reply_timeout=0.05) as (here, api):
        error = await lost(api)
    assert isinstance(error, LostReply)
    assert error.may_have_cost
    assert here.posts == 1


@pytest.mark.filterwarnings("ignore:Sending a large body")  # large, so that no buffer takes it
async def test_a_server_that_does_not_read_loses_the_request_once() -> None:
    async def deaf(connection: Connection) -> None:
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    lyrics = "la " * 1000
    big = sonic.Create(
        custom_mode=True, prompt=lyrics, mv="sonic-v5", extra={"x": "y" * 20_000_000}
    )
    async with world(deaf, connect_timeout=0.05, reply_timeout=0.1) as (here, api):
        with pytest.raises(LostReply):
            await api.submit(big)
        assert len(here.connections) == 1


@contextlib.contextmanager
def full_backlog() -> Iterator[socket.socket]:
    """A listening socket whose queue is full: to connect to it takes for ever."""
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


async def test_a_connection_that_never_comes_about_cost_nothing() -> None:
    with full_backlog() as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with client(url, connect_timeout=0.02) as api:
            error = await lost(api)
    assert isinstance(error, Unreachable)
    assert not error.may_have_cost


# --- the only thing that is sent again -----------------------------------------------------


async def test_a_refused_connection_is_tried_again_and_bought_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Peer(answers(reply()))
    await here.start()
    await here.stop()  # the port is known, and closed

    async def nothing() -> None:
        pass

    async with client(here.url) as api:
        pauses = timeless(api, monkeypatch, [nothing, nothing, here.start])
        assert (await api.submit(SONG)).id == TASK_ID
    await here.stop()
    assert here.posts == 1
    assert len(pauses) == 3


async def test_a_host_that_stays_down_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    here = Peer(answers(reply()))
    await here.start()
    await here.stop()
    async with client(here.url) as api:
        pauses = timeless(api, monkeypatch)
        with pytest.raises(Unreachable, match="cannot be reached") as caught:
            await api.submit(SONG)
    assert isinstance(caught.value, ConnectionError)
    assert not caught.value.may_have_cost
    assert len(pauses) == 4


async def test_a_lookup_that_fails_cost_nothing() -> None:
    async with client("https://no-such-host.invalid") as api:
        error = await lost(api)
    assert isinstance(error, Unreachable)
    assert not error.may_have_cost


async def test_a_failing_handshake_cost_nothing_and_shows_no_request() -> None:
    async def speaks_no_tls(connection: Connection) -> None:
        await connection.until(1)
        await connection.send(reply())

    async def hangs_up(connection: Connection) -> None:
        await connection.until(1)

    for behaviour in (speaks_no_tls, hangs_up):
        async with peer(behaviour) as here:
            async with client(here.url.replace("http:", "https:")) as api:
                error = await lost(api)
            assert isinstance(error, Unreachable)
            assert not error.may_have_cost
            assert here.posts == 0
            assert KEY.encode() not in here.received


async def test_an_invalid_request_does_not_leave() -> None:
    async with world(answers(reply())) as (here, api):
        for wrong in (sonic.Create(), nuro.Vocal(lyrics="x" * 3000), sonic.Concat()):
            with pytest.raises(InvalidRequest):
                await api.submit(wrong)
            with pytest.raises(InvalidRequest):
                await api.run(wrong)
        assert here.connections == []


# --- connections that are kept -------------------------------------------------------------


async def test_a_submit_never_takes_a_connection_that_the_server_may_be_closing() -> None:
    async def once_each(connection: Connection) -> None:
        first = await connection.request()
        assert first is not None
        body = {"credits": 5, "extra_credits": 0} if first.startswith(b"GET") else ACK
        await connection.send(reply(body))
        await connection.request()  # a second one on the same connection is left unanswered

    async with world(once_each) as (here, api):
        await api.credits()
        for _ in range(3):
            assert (await api.submit(SONG)).id == TASK_ID
    assert here.posts == 3
    for connection in here.connections:
        assert connection.received.count(b"HTTP/1.1\r\n") == 1


async def test_a_submit_does_not_wait_behind_other_connections() -> None:
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


# --- who is cancelled, who closes -----------------------------------------------------------


class Held:
    """A behaviour: takes a request, says so, and answers when told to."""

    def __init__(self, data: bytes) -> None:
        self.arrived, self.go, self._data = asyncio.Event(), asyncio.Event(), data

    async def __call__(self, connection: Connection) -> None:
        await connection.request()
        self.arrived.set()
        await self.go.wait()
        await connection.send(self._data)


async def _cancelled(task: "asyncio.Task[Task]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_while_it_is_sent_the_task_reaches_progress() -> None:
    held, seen = Held(reply()), list[Task]()
    async with world(held) as (here, api):
        submitting = asyncio.create_task(api.submit(SONG, progress=seen.append))
        await held.arrived.wait()
        await _cancelled(submitting)
        held.go.set()
    assert [task.id for task in seen] == [TASK_ID]
    assert here.posts == 1


@pytest.mark.parametrize("how", ["submit", "run"])
async def test_cancelled_without_progress_the_task_is_logged(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held(reply())
    async with world(held) as (here, api):
        submitting = asyncio.create_task(getattr(api, how)(SONG))
        await held.arrived.wait()
        await _cancelled(submitting)
        held.go.set()
    assert f"sonic task {TASK_ID}" in caplog.text
    assert here.posts == 1


@pytest.mark.parametrize("progress", [None, lambda _: None])
async def test_cancelled_and_then_lost_is_logged(
    progress: None, caplog: pytest.LogCaptureFixture
) -> None:
    held = Held(b"")
    async with world(held) as (here, api):
        submitting = asyncio.create_task(api.submit(SONG, progress=progress))
        await held.arrived.wait()
        await _cancelled(submitting)
        held.go.set()
    assert "may have cost credits" in caplog.text
    assert here.posts == 1


async def test_cancelled_while_waiting_for_songs_a_run_logs_its_task(
    caplog: pytest.LogCaptureFixture,
) -> None:
    polled = asyncio.Event()

    async def never_done(connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            if request.startswith(b"GET"):
                polled.set()
            await connection.send(reply() if request.startswith(b"POST") else reply({}, 202))

    async with world(never_done) as (_, api):
        running = asyncio.create_task(api.run(SONG))
        await polled.wait()
        await _cancelled(running)
    assert f"sonic task {TASK_ID}" in caplog.text


async def test_cancelled_before_its_turn_nothing_leaves() -> None:
    async with world(answers(reply()), pace=1000, speed=1) as (here, api):
        await api.submit(SONG)
        waiting = asyncio.create_task(api.submit(SONG))
        await asyncio.sleep(0)
        await _cancelled(waiting)
    assert here.posts == 1


async def test_cancelled_between_two_attempts_to_connect_nothing_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, paused = Peer(answers(reply())), asyncio.Event()
    await here.start()
    await here.stop()

    async def pause() -> None:
        paused.set()
        await asyncio.Event().wait()

    async with client(here.url) as api:
        timeless(api, monkeypatch, [pause])
        submitting = asyncio.create_task(api.submit(SONG))
        await paused.wait()
        await here.start()
        await _cancelled(submitting)
    await here.stop()
    assert here.connections == []


async def test_closing_waits_for_the_reply_to_what_was_sent() -> None:
    held = Held(reply())
    async with peer(held) as here:
        api = client(here.url)
        submitting = asyncio.create_task(api.submit(SONG))
        await held.arrived.wait()
        closing = asyncio.create_task(api.close())
        await asyncio.sleep(0)
        with pytest.raises(Closed):
            await api.submit(SONG)
        held.go.set()
        await closing
        assert (await submitting).id == TASK_ID
        assert here.posts == 1


async def test_closing_stops_what_waits_for_its_turn() -> None:
    async with peer(answers(reply())) as here:
        api = client(here.url, pace=0.05, speed=1)
        await api.submit(SONG)
        waiting = asyncio.create_task(api.submit(SONG))
        await asyncio.sleep(0)
        await api.close()
        with pytest.raises(Closed):
            await waiting
        assert here.posts == 1


async def test_a_failing_callback_costs_nobody_the_task(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Task) -> None:
        raise ZeroDivisionError

    async with world(answers(reply())) as (here, api):
        assert (await api.submit(SONG, progress=broken)).id == TASK_ID
    assert here.posts == 1
    assert TASK_ID in caplog.text


def test_a_loop_that_ends_meanwhile_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        held = Held(reply())
        async with peer(held) as here:
            api = client(here.url)
            submitting = asyncio.create_task(api.submit(SONG))
            await held.arrived.wait()
            await _cancelled(submitting)

    asyncio.run(main())
    assert "may have cost credits" in caplog.text


# --- against the simulator: what it charged ------------------------------------------------


SUBMIT_FAULTS = sorted(
    name for name, kind in KINDS.items() if kind.stage != "media" and kind.method in (None, "POST")
)
FREE = {
    "too_many_requests": RateLimited,
    "wrong_key": Unauthorized,
    "no_subscription": NoSubscription,
    "refused_content": ContentRefused,
}


@pytest.mark.parametrize("kind", SUBMIT_FAULTS)
async def test_no_mishap_makes_a_submit_pay_twice(kind: str) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm(kind, method="POST")
        async with client(sim.url, speed=sim.speed) as api:
            with contextlib.suppress(MusicAPIError):
                await api.submit(SONG)
        charged = len(sim.accounts.charges())
        assert len(sim.traffic.posts) == 1
        assert charged <= 1


@pytest.mark.parametrize("kind", sorted(FREE))
async def test_what_the_service_refuses_is_free_and_said_to_be(kind: str) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm(kind, method="POST")
        async with client(sim.url, speed=sim.speed) as api:
            with pytest.raises(FREE[kind]) as caught:
                await api.submit(SONG)
        assert not caught.value.may_have_cost
        assert sim.accounts.charges() == ()


@pytest.mark.parametrize("kind", ["lost_reply", "error_after", "cut_body", "garbage_body",
                                  "html_body", "empty_body"])  # fmt: skip
async def test_what_was_charged_behind_our_back_may_have_cost(kind: str) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm(kind, method="POST")
        async with client(sim.url, speed=sim.speed) as api:
            with pytest.raises(MusicAPIError) as caught:
                await api.submit(SONG)
        assert caught.value.may_have_cost
        assert len(sim.accounts.charges()) == 1


async def test_an_empty_account_is_told_so() -> None:
    async with Simulator(speed=100_000, balance=1) as sim, client(sim.url) as api:
        with pytest.raises(OutOfCredits) as caught:
            await api.submit(SONG)
    assert not caught.value.may_have_cost
