"""wait and run: polling until every expected song is final."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from musicapi_nb import lyrics, nuro, sonic, studio
from musicapi_nb.client import MusicAPI
from musicapi_nb.client.poller import Poller
from musicapi_nb.errors import (
    InvalidRequest,
    MusicAPIError,
    TaskNotFound,
    Unauthorized,
    Unreachable,
    WaitTimeout,
)
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Library
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Task
from tests.raw_http_server import (
    ACK,
    AGES,
    CLIP,
    DONE,
    SONG,
    Behaviour,
    Connection,
    answers,
    client,
    once_each,
    peer,
    reply,
    timeless,
    until,
)

NOT_READY = reply({"type": "not_ready"}, 202)
SPEED = 20_000  # a simulated song takes two minutes, which are six real milliseconds


def pending(name: str = "some-id", engine: str = "sonic") -> Task:
    return Task(id=name, engine=engine, expected=2)


def clips(*changes: Mapping[str, object]) -> bytes:
    return reply(
        {
            "code": 200,
            "data": [{**CLIP, "clip_id": f"c{n}", **change} for n, change in enumerate(changes)],
        }
    )


class Script:
    """A behaviour that answers the polls of each task from a list; the last reply repeats."""

    def __init__(self, **replies: list[bytes]) -> None:
        self._left = {name.replace("_", "-"): left for name, left in replies.items()}
        self.polls: list[str] = []

    async def __call__(self, connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            result = re.search(rb"/task/(\S+)", request)
            assert result
            name = result[1].decode()
            self.polls.append(name)
            left = self._left[name]
            await connection.send(left.pop(0) if len(left) > 1 else left[0])


# --- one task ------------------------------------------------------------------------------


async def test_wait_ends_when_every_song_is_final() -> None:
    running = {"state": "running", "audio_url": ""}
    script = [NOT_READY, clips(running, running), clips({}), clips({}, running), clips({}, {})]
    tasks_seen: list[Task] = []
    async with peer(answers(*script)) as server, client(server.url) as api:
        task = await api.wait(pending(), deadline=AGES, progress=tasks_seen.append)
    assert [song.state for song in task.songs] == ["succeeded", "succeeded"]
    assert len(server.requests) == len(tasks_seen) == 5
    assert [first.state for first in tasks_seen] == ["pending"] + 3 * ["running"] + ["succeeded"]
    assert [first.finished for first in tasks_seen] == [False] * 4 + [True]
    assert tasks_seen[-1] == task


async def test_one_failed_clip_of_two_is_no_error() -> None:
    script = clips({}, {"state": "failed", "audio_url": None, "error": "No luck."})
    async with peer(answers(NOT_READY, script)) as server, client(server.url) as api:
        task = await api.wait(pending(), deadline=AGES)
    assert task.state == "succeeded"
    assert [song.state for song in task.songs] == ["succeeded", "failed"]


async def test_finished_task_is_not_polled() -> None:
    async with peer(answers(b"")) as server, client(server.url) as api:
        done = Task(id="x", engine="sonic", state="succeeded")
        assert await api.wait(done) is done
        assert await api.wait([done, done]) == [done, done]
        assert await api.wait([]) == []
        assert server.connections == []


class Late:
    """A behaviour that answers "not ready" until a task has a certain age."""

    def __init__(self, seconds: float, speed: float) -> None:
        self._seconds, self._speed = seconds, speed
        self._first: dict[bytes, float] = {}
        self.ages: list[float] = []

    async def __call__(self, connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            now = time.monotonic()
            if request.startswith(b"POST"):
                number = f"task-{len(self._first)}"
                self._first[number.encode()] = now
                await connection.send(reply({**ACK, "task_id": number}))
                continue
            result = re.search(rb"/task/(\S+)", request)
            assert result
            age = (now - self._first[result[1]]) * self._speed
            self.ages.append(age)
            await connection.send(reply(DONE) if age >= self._seconds else NOT_READY)


async def test_first_poll_waits_until_songs_can_be_ready() -> None:
    late = Late(0, speed=400)
    async with peer(late) as server, client(server.url, speed=400) as api:
        assert api.eta(SONG) == (120, 240, "published")
        assert (await api.run(SONG, deadline=AGES)).finished
        assert late.ages[0] > 30  # sonic takes two minutes


async def test_history_learns_from_waits() -> None:
    late = Late(20, speed=400)
    async with peer(late) as server, client(server.url, speed=400) as api:
        for _ in range(6):
            await api.run(SONG, deadline=AGES)
        low, high, basis = api.eta(SONG)
        assert basis == "learned"
        assert low is not None
        assert high is not None
        assert low < high < 120
        submitted = await api.submit(SONG)
        assert api.eta(submitted).basis == "learned"
        assert api.eta(Task(id="a stranger's", engine="sonic")).basis == "unknown"
        late.ages.clear()
        await api.wait(submitted, deadline=AGES)
        assert api.eta(submitted).basis == "unknown"  # it has finished


async def test_task_of_unknown_age_is_not_learned_from() -> None:
    async with peer(answers(reply(DONE))) as server, client(server.url) as api:
        for number in range(8):
            await api.wait(Task(id=f"t{number}", engine="sonic", operation="create", request=SONG))
        assert api.eta(SONG).basis == "published"


async def test_stated_render_time_is_learned_at_any_age() -> None:
    request = studio.Description(prompt="rain", model_type="studio32-v1.5")
    async with Simulator(speed=SPEED, balance=10_000) as sim:
        async with client(sim.url, speed=SPEED) as api:
            tasks = await asyncio.gather(*(api.submit(request) for _ in range(8)))
        async with client(sim.url, speed=SPEED) as api:
            assert api.eta(request).basis == "unknown"
            await api.wait(tasks, deadline=AGES)
            assert api.eta(request).basis == "learned"


async def test_history_learns_from_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library(tmp_path) as library:
        now = 1000.0
        monkeypatch.setattr("musicapi_nb.library.events.time.time", lambda: now)
        for number in range(12):
            task = Task(id=f"t{number}", engine="sonic", operation="create", request=SONG)
            entry = library.claim(SONG, PurchaseTerms(take=number + 1)).entry.id
            library.record_accepted(entry, task)
            now += 30
            library.record_poll(entry, msgspec.structs.replace(task, state="running"))
            now += 4
            library.record_poll(entry, msgspec.structs.replace(task, state="succeeded"))
        async with client("http://127.0.0.1:1", ledger=library, speed=1) as api:
            low, high, basis = api.eta(SONG)
            assert basis == "learned"
            assert low is not None
            assert high is not None
            assert 25 < low < high < 45
            assert api.eta(nuro.Vocal(lyrics="la " * 200)).basis == "published"
        async with client("http://127.0.0.1:1", ledger=library, speed=60) as api:
            assert api.eta(SONG).basis == "published"  # the speed of that clock is unknown


@pytest.mark.parametrize("state", ["mastering", ""])
async def test_unknown_state_is_polled_further(state: str) -> None:
    unknown = clips({"state": state, "audio_url": ""}, {"state": state, "audio_url": ""})
    async with peer(answers(unknown, unknown, clips({}, {}))) as server, client(server.url) as api:
        assert (await api.wait(pending(), deadline=AGES)).state == "succeeded"
    assert len(server.requests) == 3


async def test_stuck_task_is_returned_at_the_deadline() -> None:
    script = clips({}, {"state": "running", "audio_url": ""})
    async with peer(answers(script)) as server, client(server.url) as api:
        with pytest.raises(WaitTimeout) as caught:
            await api.wait(pending(), deadline=1000)  # one second
    assert isinstance(caught.value, TimeoutError)
    last = caught.value.task
    assert isinstance(last, Task)
    assert [song.finished for song in last.songs] == [True, False]
    assert "1 of 2 songs ready" in str(caught.value)
    assert "some-id" in str(caught.value)
    assert "not lost" in str(caught.value)


async def test_deadline_holds_with_a_silent_server() -> None:
    async def silent(connection: Connection) -> None:
        await connection.drain()

    settings = {"connect_timeout": 30, "reply_timeout": 0.1}
    async with peer(silent) as server, client(server.url, **settings) as api:
        async with asyncio.timeout(20):  # five attempts would take 150 s
            with pytest.raises(WaitTimeout):
                await api.wait(pending(), deadline=100)  # a tenth of a second


async def test_tasks_are_polled_once_more_at_the_deadline() -> None:
    async with peer(answers(clips({}, {}))) as server, client(server.url) as api:
        # more tasks than can be polled at once
        tasks = [pending(f"task-{number}") for number in range(120)]
        ended = await api.wait(tasks, deadline=0.001)
        assert {task.state for task in ended} == {"succeeded"}
    assert len(server.requests) == len(tasks)


async def test_an_abandoned_poll_is_repeated_at_the_deadline() -> None:
    """On a busy machine, a poll may be abandoned before the deadline is noticed."""
    outcomes: list[Task | Exception] = [
        TimeoutError(),
        msgspec.structs.replace(pending(), state="succeeded"),
    ]

    async def poll(_: Task) -> Task:
        if isinstance(outcome := outcomes.pop(0), Exception):
            raise outcome
        return outcome

    async with client("http://127.0.0.1:1") as api, asyncio.timeout(60):
        poller = Poller(api._transport, poll, None, watch_ledger=False)
        (polled,) = await poller.wait([pending()], 1000, None)
    assert (polled.error, polled.task.state, outcomes) == (None, "succeeded", [])


async def test_zero_deadline_polls_nothing() -> None:
    async with peer(answers(NOT_READY)) as server, client(server.url) as api:
        with pytest.raises(WaitTimeout):
            await api.wait(pending(), deadline=0)
        assert server.connections == []


# --- faults --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        reply(b"", 500),
        reply(b"<html>", 502),
        reply(b"", 429),
        reply([1]),
        reply(b"{"),
        reply({"odd": 1}),
    ],
)
async def test_outage_is_survived(spoilt: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    outage = [spoilt] * 15  # three polls of five attempts each
    behaviour = once_each(NOT_READY, *outage, NOT_READY, *outage, reply(DONE))
    async with peer(behaviour) as server, client(server.url) as api:
        timeless(api, monkeypatch)
        assert (await api.wait(pending(), deadline=AGES)).state == "succeeded"


async def test_lasting_outage_is_one_error_that_names_the_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with peer(once_each(b"")) as server, client(server.url) as api:
        await server.stop()
        pauses = timeless(api, monkeypatch)
        with pytest.raises(Unreachable, match="about sonic task some-id"):
            await api.wait(pending(), deadline=AGES)
        with pytest.raises(Unreachable, match="about sonic task some-id") as caught:
            await api.wait(pending(), deadline=10**9)
    assert "sonic task some-id" in repr(caught.value)
    assert len(pauses) == 2 * 4 * 4


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(reply({"message": "task not found."}, 400), TaskNotFound), (reply(b"", 401), Unauthorized)],
)
async def test_permanent_error_ends_the_wait(answer: bytes, kind: type[MusicAPIError]) -> None:
    async with peer(answers(answer)) as server, client(server.url) as api:
        with pytest.raises(kind):
            await api.wait(pending(), deadline=AGES)
    assert len(server.requests) == 1


async def test_task_without_an_id_cannot_be_waited_for() -> None:
    async with peer(answers(NOT_READY)) as server, client(server.url) as api:
        with pytest.raises(InvalidRequest):
            await api.wait(Task(engine="sonic"))


async def test_failing_callback_does_not_end_the_wait(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Task) -> None:
        raise ZeroDivisionError

    async with peer(answers(NOT_READY, reply(DONE))) as server, client(server.url) as api:
        assert (await api.wait(pending(), deadline=AGES, progress=broken)).finished
        assert [
            first.finished for first in await api.wait([pending()], deadline=AGES, progress=broken)
        ] == [True]
    assert "ZeroDivisionError" in caplog.text


# --- many tasks ----------------------------------------------------------------------------


async def test_stalled_task_does_not_delay_others() -> None:
    finished: list[str | None] = []
    release = asyncio.Event()

    async def behave(connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            if b"/task/stalled" in request:
                await release.wait()
            await connection.send(reply(DONE))

    def see(task: Task) -> None:
        finished.append(task.id)
        if len(finished) == 20:
            release.set()

    tasks = [pending("stalled"), *(pending(f"quick-{n}") for n in range(20))]
    async with peer(behave) as server, client(server.url) as api:
        done = await api.wait(tasks, deadline=AGES, progress=see)
    assert [task.id for task in done] == [task.id for task in tasks]
    assert finished[-1] == "stalled"


async def test_tasks_of_a_list_have_separate_outcomes() -> None:
    running = {"state": "running", "audio_url": ""}
    script = Script(
        good=[NOT_READY, reply(DONE)],
        half=[clips({}, running)],
        gone=[clips({}, running), reply({"message": "task not found."}, 400)],
        failed=[reply({"type": "failed", "message": "No luck.", "refund_processed": True})],
    )
    names = ["gone", "good", "half", "failed"]
    async with peer(script) as server, client(server.url, speed=SPEED) as api:
        result = dict(zip(names, await api.wait(map(pending, names), deadline=40_000), strict=True))
    assert {name: task.state for name, task in result.items()} == {
        "good": "succeeded",
        "half": "running",
        "gone": "unknown",
        "failed": "failed",
    }
    assert [task.id for task in result.values()] == names
    assert [song.finished for song in result["half"].songs] == [True, False]
    assert [song.finished for song in result["gone"].songs] == [True, False]  # as last polled
    assert "task not found" in (result["gone"].fail_reason or "")
    assert result["failed"].refunded


async def test_age_of_an_earlier_task_comes_from_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Library(tmp_path) as library:
        now = time.time() - 100
        with monkeypatch.context() as earlier:
            earlier.setattr("musicapi_nb.library.events.time.time", lambda: now)
            entry = library.claim(SONG).entry.id
            library.record_accepted(
                entry, Task(id="t", engine="sonic", operation="create", request=SONG)
            )
        async with client("http://127.0.0.1:1", ledger=library, speed=1) as api:
            low, high, basis = api.eta(await api.submit(SONG))
        assert basis == "published"
        assert low is not None
        assert high is not None
        assert 0 <= low <= 20  # of 120 to 240 seconds
        assert 100 <= high <= 140


async def test_unreadable_past_does_not_prevent_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Library(tmp_path) as library:
        api = client("http://127.0.0.1:1", ledger=library, speed=1)
    async with api:  # the library is closed
        assert api.eta(SONG) == (120, 240, "published")
    assert "closed" in caplog.text


async def test_nuro_failure_as_http_error_is_a_failed_task() -> None:
    async with Simulator(speed=SPEED) as sim, client(sim.url, speed=SPEED) as api:
        sim.reply_options.nuro_failure = "error"
        sim.faults.arm("task_fails")
        task = await api.run(nuro.Vocal(lyrics="la la la " * 50), deadline=AGES)
        assert (task.state, task.refunded) == ("failed", True)
        assert "failed" in (task.fail_reason or "")


async def test_many_tasks_need_no_coroutine_each() -> None:
    async with peer(answers(NOT_READY)) as server, client(server.url, speed=1) as api:
        before = len(asyncio.all_tasks())
        waiting = asyncio.create_task(api.wait([pending(f"t{n}") for n in range(5_000)]))
        await until(lambda: api._poller._loops)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == before + 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert server.connections == []


async def test_polls_above_the_limit_take_turns() -> None:
    release, under_way, maximum = asyncio.Event(), 0, 0

    async def behave(connection: Connection) -> None:
        nonlocal under_way, maximum
        while await connection.request() is not None:
            under_way += 1
            maximum = max(maximum, under_way)
            if under_way == 50:
                release.set()
            await release.wait()
            under_way -= 1
            await connection.send(reply(DONE))

    async with peer(behave) as server, client(server.url, speed=SPEED) as api:
        done = await api.wait([pending(f"t{n}") for n in range(120)], deadline=AGES)
        assert all(task.state == "succeeded" for task in done)
        assert maximum == 50


async def test_task_is_not_polled_while_a_reply_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script(slow=[NOT_READY, NOT_READY, reply(DONE)], quick=[NOT_READY])
    library = Library(tmp_path)
    async with (
        peer(script) as server,
        client(server.url, speed=1e7, ledger=library) as api,
        contextlib.AsyncExitStack() as stack,
    ):  # all polls are due at once
        stack.callback(library.close)
        before, after = [], []

        async def looked(task: Task) -> None:
            if task.id != "slow":
                return
            before.append(script.polls.count("slow"))
            others = script.polls.count("quick")
            await until(lambda: script.polls.count("quick") > others + 3)
            after.append(script.polls.count("slow"))

        monkeypatch.setattr(api._coordinator, "record_poll", looked)
        tasks = [pending("slow"), pending("quick")]
        for task in tasks:
            api._poller.record_acceptance(task)
        both = asyncio.create_task(api.wait(tasks, deadline=1e12))
        await until(lambda: len(after) == 3)
        assert before == after == [1, 2, 3]
        both.cancel()
        await asyncio.gather(both, return_exceptions=True)


async def test_task_waited_for_twice_is_returned_to_both() -> None:
    async with (
        peer(answers(NOT_READY, NOT_READY, reply(DONE))) as server,
        client(server.url) as api,
    ):
        first, (other,) = await asyncio.gather(
            api.wait(pending(), deadline=AGES), api.wait([pending()], deadline=AGES)
        )
        assert first.state == other.state == "succeeded"


async def test_cancelling_one_wait_does_not_affect_others() -> None:
    release = asyncio.Event()

    async def behave(connection: Connection) -> None:
        while await connection.request() is not None:
            await release.wait()
            await connection.send(reply(DONE))

    async with peer(behave) as server, client(server.url, speed=SPEED) as api:
        first, other = (
            asyncio.create_task(api.wait(pending(name), deadline=AGES)) for name in ("a", "b")
        )
        await until(lambda: len(server.requests) == 2)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        release.set()
        assert (await other).state == "succeeded"


def test_client_waits_on_successive_loops() -> None:
    async def once() -> Task:
        async with peer(answers(reply(DONE))) as server:
            api = client(server.url)
            return await api.wait(pending(), deadline=AGES)

    assert asyncio.run(once()).finished
    assert asyncio.run(once()).finished


async def test_cancelled_wait_ends_its_polls() -> None:
    polled = asyncio.Event()

    async def behave(connection: Connection) -> None:
        while await connection.request() is not None:
            await connection.send(NOT_READY)
            polled.set()

    async with peer(behave) as server, client(server.url, speed=SPEED) as api:
        waiting = asyncio.create_task(api.wait([pending("a"), pending("b")]))
        await polled.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(asyncio.all_tasks()) <= 1 + len(server.connections)


# --- against the simulator -----------------------------------------------------------------


REQUESTS = [
    SONG,
    sonic.Create(custom_mode=True, prompt="la la", mv="sonic-v5"),
    studio.Description(
        prompt="rain",
        model_type="studio32-v1.5",
        prompt_strength=0.5,
        clarity_strength=0.25,
        lyrics_strength=0.5,
        generation_quality=0.75,
    ),
    nuro.Vocal(lyrics="la la la " * 50),
    lyrics.Make(description="rain"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=repr)
async def test_every_engine_is_submitted_and_polled(request_: sonic.Create) -> None:
    async with Simulator(speed=SPEED) as sim, client(sim.url, speed=SPEED, simulated=True) as api:
        task = await api.run(request_, deadline=AGES)
        assert task.state == "succeeded"
        assert len(task.songs) == request_.songs
        assert all(song.finished for song in task.songs)
        assert task.request == request_
        assert task.simulated
        assert not task.issues
        assert len(sim.accounts.charges()) == 1


async def test_simultaneous_runs_submit_once_each() -> None:
    async with Simulator(speed=SPEED, balance=10_000) as sim:
        async with client(sim.url, speed=SPEED) as api:
            submitted = await asyncio.gather(*(api.submit(SONG) for _ in range(40)))
            done = await api.wait(submitted, deadline=AGES)
        assert [task.id for task in done] == [task.id for task in submitted]
        assert len({task.id for task in done}) == len(sim.request_log.posts) == 40
        assert all(task.state == "succeeded" for task in done)


async def _run(api: MusicAPI, deadline: float = AGES) -> Task:
    return await api.run(SONG, deadline=deadline)


@pytest.mark.parametrize(
    ("kind", "judge"),
    [
        ("task_fails", lambda task: task.state == "failed" and task.refunded is not False),
        (
            "one_clip_fails",
            lambda task: [song.state for song in task.songs] == ["succeeded", "failed"],
        ),
        ("duration_text", lambda task: all(song.duration > 0 for song in task.songs)),
        ("unknown_state", lambda task: task.state == "succeeded"),
        ("code_missing", lambda task: task.state == "succeeded"),
        ("extra_keys", lambda task: task.state == "succeeded"),
    ],
)
async def test_service_fault_is_understood(kind: str, judge: Callable[[Task], bool]) -> None:
    async with Simulator(speed=SPEED) as sim, client(sim.url, speed=SPEED) as api:
        sim.faults.arm(kind)
        assert judge(await _run(api))


async def test_stuck_task_can_be_waited_for_again() -> None:
    async with Simulator(speed=SPEED) as sim, client(sim.url, speed=SPEED) as api:
        sim.faults.arm("stuck")
        with pytest.raises(WaitTimeout) as caught:
            await _run(api, deadline=600)
        (again,) = await api.wait([caught.value.task], deadline=600)
        assert not again.finished
        assert len(sim.accounts.charges()) == 1


async def test_known_facts_of_a_task_are_kept() -> None:
    async with peer(answers(reply(DONE))) as server, client(server.url) as api:
        task = msgspec.structs.replace(pending(), operation="create", request=SONG)
        result = await api.poll(task)
    assert (result.operation, result.request, result.expected) == ("create", SONG, 2)


def _flaky(interval: int) -> Behaviour:
    count = 0

    async def behave(connection: Connection) -> None:
        nonlocal count
        while await connection.request() is not None:
            count += 1
            if count % interval:
                return
            await connection.send(NOT_READY if count < 5 * interval else reply(DONE))

    return behave


async def test_unreliable_network_still_finishes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer(_flaky(7)) as server, client(server.url) as api:
        timeless(api, monkeypatch)
        assert (await api.wait(pending(), deadline=AGES)).state == "succeeded"
