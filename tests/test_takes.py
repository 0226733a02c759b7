"""A take is bought once, whatever happens to replies, callers, kernels and the ledger."""

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

from musicapi_nb import MusicAPI, Task, errors, lyrics, nuro, producer, sonic
from musicapi_nb.client.sound import check_audio
from musicapi_nb.library import Entry, Library
from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from tests.library.helpers import record_commits
from tests.raw_http_server import TASK_ID, Connection, answers, peer, reply
from tests.raw_http_server import client as peer_client
from tests.replies import sample

KEY = "sk-of-an-account-0001"
GONE = "http://127.0.0.1:9"  # nothing answers at the discard port
SONG = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain, slow jazz")
BEAT = nuro.Instrumental(description="harbour at night", duration=30)
UPLOADED = sonic.UploadExtend(
    url="https://example.com/a.mp3",
    custom_mode=True,
    mv="sonic-v5",
    prompt="[Verse] rain",
    continue_at=10,
)


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(speed=3000, seconds=(1.0, 1.5)) as simulator:
        yield simulator


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened


def client(sim: Simulator, library: Library, *budgets: str) -> MusicAPI:
    return MusicAPI(KEY, base_url=sim.url, speed=sim.speed, pace=0, ledger=library, budgets=budgets)


async def posted(sim: Simulator) -> None:
    """Run the loop until a purchase has arrived."""
    for _ in range(100_000):
        if sim.request_log.posts:
            return
        await asyncio.sleep(0)
    raise AssertionError("nothing arrived")


def states(library: Library) -> list[str]:
    return [entry.state for entry in library.entries()]


# --- takes ---------------------------------------------------------------------------------


async def test_take_is_bought_once_and_returned_again(sim: Simulator, library: Library) -> None:
    async with client(sim, library) as api:
        first = await api.run(SONG)
        again = await api.run(SONG)
    async with client(sim, library) as api:
        later = await api.run(sonic.Create(**{name: getattr(SONG, name) for name in SONG.fields()}))

    assert len(sim.request_log.paid) == 1
    assert not first.bought_before
    assert again.bought_before
    assert later.bought_before
    assert [song.id for song in later.songs] == [song.id for song in first.songs]
    assert later.songs == first.songs
    assert states(library) == ["done"]


async def test_other_take_or_request_is_bought(sim: Simulator, library: Library) -> None:
    async with client(sim, library) as api:
        bought = [await api.run(SONG), await api.run(SONG, take=2), await api.run(BEAT)]
    assert len({task.id for task in bought}) == 3
    assert len(sim.request_log.paid) == 3
    assert not any(task.bought_before for task in bought)


async def test_simultaneous_runs_of_one_take_buy_once(sim: Simulator, library: Library) -> None:
    async with client(sim, library) as first, client(sim, library) as two:
        results = await asyncio.gather(*(api.run(SONG) for api in (first, two) for _ in range(10)))
    assert len(sim.request_log.paid) == 1
    assert len({task.id for task in results}) == 1
    assert sum(not task.bought_before for task in results) == 1


@pytest.mark.parametrize(
    ("response", "outcomes", "posts"),
    [
        (reply({**sample("upload_extend_failed.json")}), ["failed", "failed"], 1),
        (reply({"error": "The prompt is refused."}, 400), [errors.MusicAPIError, "pending"], 2),
    ],
    ids=["charged", "refused"],
)
async def test_waiting_submit_shares_the_outcome_unless_free(
    library: Library, response: bytes, outcomes: list[Any], posts: int
) -> None:
    left, arrived, go = [response, reply()], asyncio.Event(), asyncio.Event()

    async def behave(connection: Connection) -> None:
        await connection.request()
        arrived.set()
        await go.wait()
        await connection.send(left.pop(0))

    async with peer(behave) as server, peer_client(server.url, ledger=library) as api:
        first = asyncio.create_task(api.submit(UPLOADED))
        await arrived.wait()
        two = asyncio.create_task(api.submit(UPLOADED))
        for _ in range(20):  # by then the second caller has joined
            await library.commit(lambda: None)
        go.set()
        results = await asyncio.gather(first, two, return_exceptions=True)
    assert server.posts == posts
    assert results[1].bought_before is (posts == 1)  # type: ignore[union-attr]
    for result, expected in zip(results, outcomes, strict=True):
        if isinstance(expected, type):
            assert isinstance(result, expected)
        else:
            assert isinstance(result, Task)
            assert result.state == expected


async def test_bought_take_does_not_queue(sim: Simulator, library: Library) -> None:
    async with client(sim, library) as api, client(sim, library) as fresh, asyncio.timeout(60):
        first = await api.run(SONG)
        library.rate_limits.throttle(sim.url, 300)
        again = [await first.run(SONG) for first in (api, fresh)]
        assert [task.id for task in again] == [first.id, first.id]
        # the unused slot goes to the next purchase
        assert library.rate_limits.reserve(sim.url, 0) == library.rate_limits.paused_until(sim.url)
    assert len(sim.request_log.paid) == 1


async def test_purchase_takes_three_ledger_steps(
    sim: Simulator, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = record_commits(library, monkeypatch)
    async with client(sim, library) as api:
        await api.run(lyrics.Make(description="a lighthouse keeper"))
    assert commits == [("", False), ("sending", True), ("accepted done", True)]


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (None, ("accepted", True)),
        ("lost_reply", ("uncertain", True)),
        ("refused_content", ("refused", True)),
        ("too_many_requests", ("refused", True)),
    ],
)
async def test_steps_that_decide_about_money_are_durable(
    sim: Simulator,
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
    fault: str | None,
    outcome: tuple[str, bool],
) -> None:
    """Slots, pauses, searches and polls can be repeated, and are not flushed to disk."""
    commits = record_commits(library, monkeypatch)
    if fault:
        sim.faults.arm(fault)
    async with client(sim, library) as api:
        with contextlib.suppress(errors.MusicAPIError):
            await api.run(SONG)
        assert commits[:3] == [("", False), ("sending", True), outcome]
        assert {kinds for kinds, durable in commits if not durable} <= {"", "polled", "done"}
        assert not any(durable for kinds, durable in commits if kinds in {"", "polled", "done"})


async def test_unsent_purchase_is_recorded_durably(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = record_commits(library, monkeypatch)
    async with MusicAPI(KEY, base_url=GONE, speed=1000, pace=0, ledger=library) as api:
        with pytest.raises(errors.Unreachable):
            await api.run(SONG)
    assert commits[:3] == [("", False), ("sending", True), ("unsent", True)]


async def test_immediate_answer_is_stored(sim: Simulator, library: Library) -> None:
    request = lyrics.Make(description="a lighthouse keeper")
    async with client(sim, library) as api:
        first, again = await api.run(request), await api.run(request)
    assert len(sim.request_log.paid) == 1
    assert again.songs == first.songs


async def test_reading_the_balance_is_not_recorded(sim: Simulator, library: Library) -> None:
    async with client(sim, library) as api:
        await api.credits()
    assert library.entries() == []


# --- lost replies, refusals, unreachable hosts -----------------------------------------------


@pytest.mark.parametrize("fault", ["lost_reply", "error_after", "drop_before"])
async def test_lost_reply_is_never_resent(sim: Simulator, library: Library, fault: str) -> None:
    sim.faults.arm(fault)
    async with client(sim, library) as api:
        with pytest.raises(errors.MusicAPIError) as lost:
            await api.run(SONG)
        assert lost.value.may_have_cost
        for _ in range(3):
            with pytest.raises(errors.UncertainPurchase, match="may have been bought") as unsettled:
                await api.run(SONG)
        assert len(sim.request_log.posts) == 1
        assert states(library) == ["uncertain"]

        library.resolve(unsettled.value.entry, charged=False)
        assert (await api.run(SONG)).state == "succeeded"
    assert len(sim.request_log.posts) == 2


async def test_lost_reply_resolved_by_task_id_is_waited_for(
    sim: Simulator, library: Library
) -> None:
    sim.faults.arm("lost_reply")
    async with client(sim, library) as api:
        with pytest.raises(errors.LostReply):
            await api.run(SONG)
        (charge,) = sim.accounts.charges(KEY)
        (entry,) = library.entries()
        library.resolve(entry.id, task_id=charge.task_id)
        task = await api.run(SONG)
    assert (task.id, task.state, len(task.songs)) == (charge.task_id, "succeeded", 2)
    assert len(sim.request_log.posts) == 1


@pytest.mark.parametrize("fault", ["refused_content", "wrong_key"])
async def test_refusal_costs_nothing_and_can_be_retried(
    sim: Simulator, library: Library, fault: str
) -> None:
    sim.faults.arm(fault)
    async with client(sim, library) as api:
        with pytest.raises(errors.MusicAPIError) as refused:
            await api.run(SONG)
        assert not refused.value.may_have_cost
        assert states(library) == ["refused"]
        await api.run(SONG)
    assert sim.accounts.charged(KEY) == 20
    assert sorted(states(library)) == ["done", "refused"]


async def test_429_throttles_everybody_and_is_retried(sim: Simulator, library: Library) -> None:
    sim.faults.arm("too_many_requests", times=3)
    async with client(sim, library) as api:
        assert (await api.run(SONG)).state == "succeeded"
    assert len(sim.request_log.posts) == 4
    assert sim.accounts.charged(KEY) == 20
    assert sorted(states(library)) == ["done", "refused", "refused", "refused"]
    assert library.rate_limits.paused_until(sim.url) > 0


async def test_constant_429_is_given_up(sim: Simulator, library: Library) -> None:
    sim.faults.arm("too_many_requests", times=None)
    async with client(sim, library) as api:
        with pytest.raises(errors.RateLimited):
            await api.run(SONG)
    assert len(sim.request_log.posts) == 9
    assert sim.accounts.charged(KEY) == 0


async def test_unsent_request_is_sent_when_the_host_returns(library: Library) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    api = MusicAPI(KEY, base_url=f"http://127.0.0.1:{port}", speed=1000, pace=0, ledger=library)
    async with api:
        with pytest.raises(errors.Unreachable):
            await api.run(SONG)
        assert "uncertain" not in states(library)
        async with Simulator(speed=1000, port=port, seconds=(1.0, 1.5)) as sim:
            assert (await api.run(SONG)).state == "succeeded"
            assert len(sim.request_log.posts) == 1


async def test_failed_take_can_be_bought_again(sim: Simulator, library: Library) -> None:
    sim.faults.arm("task_fails")
    async with client(sim, library) as api:
        assert (await api.run(BEAT)).state == "failed"
        assert (await api.run(BEAT)).state == "succeeded"
    assert sim.accounts.charged(KEY) - sim.accounts.refunded(KEY) == 10


# --- cancelled callers and killed kernels ----------------------------------------------------


async def test_cancelled_caller_does_not_lose_the_purchase(
    sim: Simulator, library: Library
) -> None:
    sim.faults.arm("slow_reply", seconds=300.0)
    async with client(sim, library) as api:
        buying = asyncio.create_task(api.run(SONG))
        await posted(sim)
        buying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await buying
        task = await api.run(SONG)
    assert task.state == "succeeded"
    assert len(sim.request_log.posts) == 1


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 5, 6, 8, 10, 20, 50, 100, 200])
def test_loop_that_ends_while_buying_leaves_no_claim(tmp_path: Path, turns: int) -> None:
    """A sent request is uncertain; an unsent one is bought by the next loop."""
    posts = []

    async def buy(turns: int | None = None) -> None:
        async with peer(answers(reply())) as server, asyncio.timeout(20):
            api = peer_client(server.url, ledger=library)
            buying = asyncio.create_task(api.submit(SONG))
            if turns is None:
                with contextlib.suppress(errors.UncertainPurchase):
                    await buying
            else:
                for _ in range(turns):
                    await asyncio.sleep(0)
                for under_way in (buying, *api._in_flight.tasks):
                    under_way.cancel()
                await asyncio.gather(buying, *api._in_flight.tasks, return_exceptions=True)
            await api.close()
            posts.append(server.posts)

    with Library(tmp_path) as library:
        asyncio.run(buy(turns))
        asyncio.run(buy())
        left = set(states(library))
    assert left <= {"accepted", "uncertain", "not_run"}
    assert sum(posts) == 1 or (sum(posts) == 0 and "uncertain" in left)


async def test_later_kernel_resumes_accepted_tasks(sim: Simulator, library: Library) -> None:
    async with client(sim, library) as api:
        accepted = [await api.submit(SONG), await api.submit(BEAT)]
    async with client(sim, library) as api:
        resumed = await api.resume()
        assert await api.resume() == []
    assert {task.id for task in resumed} == {task.id for task in accepted}
    assert all(task.state == "succeeded" for task in resumed)
    assert states(library) == ["done", "done"]


async def test_without_a_ledger_nothing_is_resumed(sim: Simulator) -> None:
    async with MusicAPI(KEY, base_url=sim.url) as api:
        assert await api.resume() == []


BUYER = """if True:
    import asyncio, sys
    from musicapi_nb import MusicAPI, sonic
    from musicapi_nb.library import Entry, Library
    url, folder = sys.argv[1:]
    song = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain, slow jazz")
    async def buy():
        with Library(folder) as library:
            async with MusicAPI("sk-of-an-account-0001", base_url=url, speed=3000, pace=0,
                                ledger=library) as api:
                print("ready", flush=True)
                sys.stdin.readline()
                task = await api.run(song)
                print(task.id, task.bought_before, flush=True)
    asyncio.run(buy())
"""


def buyer(sim: Simulator, folder: Path) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        [sys.executable, "-c", BUYER, sim.url, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def say_go(started: subprocess.Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.write("go\n")
    started.stdin.flush()


def test_two_processes_buy_one_take_once(tmp_path: Path) -> None:
    with EmbeddedSimulator(Simulator(speed=3000, seconds=(1.0, 1.5))) as sim:
        both = [buyer(sim, tmp_path), buyer(sim, tmp_path)]
        for first in both:
            say_go(first)
        response = [first.communicate(timeout=180)[0].split() for first in both]
        assert len(sim.request_log.paid) == 1
    assert response[0][0] == response[1][0]
    assert sorted(bought_before for _, bought_before in response) == ["False", "True"]


def test_kernel_killed_while_buying_leaves_it_uncertain(tmp_path: Path) -> None:
    with EmbeddedSimulator(Simulator(speed=3000, seconds=(1.0, 1.5))) as sim:
        sim.faults.arm("slow_reply", seconds=1e9)
        first = buyer(sim, tmp_path)
        say_go(first)
        asyncio.run(posted(sim))
        first.kill()
        first.communicate(timeout=180)

        async def ask() -> None:
            with Library(tmp_path) as library:
                assert states(library) == ["uncertain"]
                async with client(sim, library) as api:
                    with pytest.raises(errors.UncertainPurchase):
                        await api.run(SONG)

        asyncio.run(ask())
        assert len(sim.request_log.posts) == 1


# --- budgets and ledger failures -------------------------------------------------------------


async def test_budget_is_not_exceeded_by_one_credit(sim: Simulator, library: Library) -> None:
    library.set_budget("evening", 100)
    async with client(sim, library, "evening") as api:
        results = await asyncio.gather(
            *(api.run(SONG, take=take) for take in range(1, 65)), return_exceptions=True
        )
    assert sim.accounts.charged(KEY) == 100
    assert sum(isinstance(outcome, errors.OverBudget) for outcome in results) == 59


async def test_refunded_credits_can_be_spent_again(sim: Simulator, library: Library) -> None:
    library.set_budget("evening", 20)
    sim.faults.arm("task_fails")
    sim.reply_options.sonic_failure = "api_error"
    async with client(sim, library, "evening") as api:
        failed = await api.run(SONG)
        assert (failed.state, failed.refunded) == ("failed", True)
        assert (await api.run(SONG)).state == "succeeded"
        with pytest.raises(errors.OverBudget):
            await api.run(SONG, take=2)
    assert library.budgets()["evening"].remaining == 0


async def test_invalid_request_leaves_no_trace(sim: Simulator, library: Library) -> None:
    async with client(sim, library) as api:
        with pytest.raises(errors.InvalidRequest):
            await api.run(sonic.Create(custom_mode=False))
    assert library.entries() == []
    assert sim.request_log.total == 0


async def test_failing_ledger_stops_the_purchase(sim: Simulator, tmp_path: Path) -> None:
    closed = Library(tmp_path / "closed")
    closed.close()
    async with client(sim, closed) as api:
        with pytest.raises(errors.MusicAPIError):
            await api.run(SONG)
    assert sim.request_log.total == 0


async def test_ledger_failing_after_the_purchase_keeps_the_task(
    sim: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    library = Library(tmp_path / "gone")
    sim.faults.arm("slow_reply", seconds=300.0)
    async with client(sim, library) as api:
        buying = asyncio.create_task(api.submit(SONG))
        await posted(sim)
        library.close()
        with caplog.at_level(logging.ERROR):
            task = await buying
    assert task.id is not None
    assert task.id in caplog.text
    assert f"{task.id} was accepted" in caplog.text
    with Library(tmp_path / "gone") as again:
        assert states(again) == ["uncertain"]


class Forgetful(Library):
    """A library whose disk is full when the reply arrives."""

    def record_accepted(self, entry: int, task: Task) -> Entry:
        raise errors.LibraryFull(f"no room for entry {entry}, task {task.id}")

    def record_uncertain(self, entry: int, error: BaseException) -> Entry:
        raise errors.LibraryFull(f"no room for entry {entry}: {error}")


async def test_unwritten_outcome_is_kept_in_memory(sim: Simulator, tmp_path: Path) -> None:
    with Forgetful(tmp_path / "full") as library:
        async with client(sim, library) as api:
            first, again = await api.run(SONG), await api.run(SONG)
            assert first.id == again.id
            assert again.state == "succeeded"
            sim.faults.arm("lost_reply")
            with pytest.raises(errors.LostReply):
                await api.run(BEAT)
            with pytest.raises(errors.UncertainPurchase):
                await api.run(BEAT)
    assert len(sim.request_log.paid) == 2


class Interrupted(Forgetful):
    """A full library; the loop ends as soon as it first refuses to record an outcome."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.end_loop: Callable[[], object] = lambda: None

    def record_accepted(self, entry: int, task: Task) -> Entry:
        end_loop, self.end_loop = self.end_loop, lambda: None
        end_loop()
        return super().record_accepted(entry, task)


@pytest.mark.parametrize("replied", [False, True])
async def test_unwritten_outcome_survives_the_end_of_the_loop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, replied: bool
) -> None:
    arrived, loop = asyncio.Event(), asyncio.get_running_loop()

    async def behave(connection: Connection) -> None:
        await connection.request()
        if replied:
            await connection.send(reply())
        else:
            arrived.set()
            await connection.drain()

    with Interrupted(tmp_path) as library:
        async with peer(behave) as server, peer_client(server.url, ledger=library) as api:
            buying = asyncio.create_task(api.submit(SONG))

            def cancel_all() -> None:
                for under_way in (buying, *api._in_flight.tasks):
                    under_way.cancel()

            library.end_loop = lambda: loop.call_soon_threadsafe(cancel_all)
            if not replied:
                await arrived.wait()
                cancel_all()
            with pytest.raises(asyncio.CancelledError):
                await buying
            async with asyncio.timeout(20):
                if replied:
                    assert (await api.submit(SONG)).id == TASK_ID
                else:
                    with pytest.raises(errors.UncertainPurchase):
                        await api.submit(SONG)
            assert server.posts == 1
    assert "could not record entry 1" in caplog.text
    assert (f"task {TASK_ID} was accepted, keep its id" in caplog.text) is replied


# --- failures --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [SONG, BEAT, producer.Create(sound="rain"), sonic.Batch(items=[SONG, SONG])],
    ids=["sonic", "nuro", "producer", "batch"],
)
async def test_failure_without_a_refund_is_not_bought_again(
    sim: Simulator, library: Library, request_: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sim.faults.arm("task_fails", times=None, refund=False)
    async with client(sim, library) as api:
        runs = [await api.run(request_) for _ in range(3)]
    async with client(sim, library) as api:
        runs.append(await api.run(request_))
    assert [task.state for task in runs] == ["failed"] * 4
    assert sum(post.path.startswith("/api/") for post in sim.request_log.posts) == 1
    assert "library.resolve(1, charged=True or False)" in caplog.text
    assert "not bought again" in runs[-1]._repr_html_()
    assert "not bought again" not in runs[0]._repr_html_()


async def test_settled_failure_is_bought_again_once(sim: Simulator, library: Library) -> None:
    sim.faults.arm("task_fails", times=2, refund=False)
    async with client(sim, library) as api:
        await api.run(SONG)
        library.resolve(1, charged=False)
        runs = [await api.run(SONG) for _ in range(3)]
        assert {task.id for task in runs} == {library.entries()[-1].task_id}
        library.resolve(library.entries()[-1].id, charged=True)
        assert (await api.run(SONG)).state == "succeeded"
    assert len(sim.request_log.posts) == 3


async def test_next_press_of_the_form_skips_a_failure(sim: Simulator, library: Library) -> None:
    sim.faults.arm("task_fails", refund=False)
    async with client(sim, library) as api:
        await api.run(SONG)
    assert library.next_take(SONG) == 2


# --- rate limit and files --------------------------------------------------------------------


async def test_clients_on_one_library_share_a_rate_limit(sim: Simulator, library: Library) -> None:
    first, two = (
        MusicAPI(KEY, ledger=library, base_url=sim.url, speed=sim.speed, pace=300.0)
        for _ in range(2)
    )
    async with first, two:
        start = sim.clock.now()
        await asyncio.gather(
            *(api.submit(BEAT, take=take) for take, api in enumerate((first, two, first, two), 1))
        )
    # Without a shared limit, two requests of each would take one pace; a busy machine delays them.
    arrivals = sorted(arrival.arrived_at - start for arrival in sim.request_log.posts)
    assert all(after > 300 * number - 10 for number, after in enumerate(arrivals))


async def test_finished_songs_are_archived(sim: Simulator, library: Library) -> None:
    async with client(sim, library) as api:
        task = await api.run(SONG)
        before = sim.request_log.count("GET", "/media/")
        await api.run(SONG)
        assert sim.request_log.count("GET", "/media/") == before == 4
    for song in task.songs:
        audio, cover = library.file_of(song), library.file_of(song, "image")
        assert audio is not None
        assert cover is not None
        assert soundfile.info(audio).duration == pytest.approx(song.duration, abs=0.1)
    assert library.missing_files() == []
    assert sim.request_log.media_authorized == 0


@pytest.mark.parametrize("fault", ["dead_link", "truncated_download", "media_error"])
async def test_failed_archive_download_is_retried(
    sim: Simulator, library: Library, fault: str
) -> None:
    sim.faults.arm(fault)
    async with client(sim, library) as api:
        await api.run(BEAT)
    assert library.missing_files() == []
    assert library.verify() == []


async def test_invalid_audio_is_not_archived(
    sim: Simulator, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    sim.faults.arm("wrong_type_download", times=None)
    async with client(sim, library) as api:
        task = await api.run(BEAT)
        assert task.state == "succeeded"
        assert [missing.media for missing in library.missing_files()] == ["audio"]
        assert "not in the library" in caplog.text
        sim.faults.clear()
        await api.run(BEAT)
    assert library.missing_files() == []


def test_audio_is_decoded_and_its_length_compared(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, [0.0] * 8000, 8000)
    assert check_audio(path, 1.0) == ""
    assert check_audio(path, None) == ""
    assert "lasts 1.0 s instead of the stated 60.0 s" in check_audio(path, 60.0)
    path.write_bytes(b"RIFF....WAVE" + b"no audio at all" * 100)
    with pytest.raises(errors.DownloadFailed, match="cannot be decoded"):
        check_audio(path, 1.0)
