"""Tests of connect() and jobs over the real HTTP of an embedded simulator."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiohttp import web

import musicapi_nb as mnb
from musicapi_nb import account, lyrics, nuro, sonic
from musicapi_nb.errors import (
    ClientClosed,
    InvalidRequest,
    LostReply,
    MusicAPIError,
    OverBudget,
    TaskNotFound,
    Unauthorized,
    WaitTimeout,
)
from musicapi_nb.library import Library
from musicapi_nb.notebook import Session, nest_asyncio
from musicapi_nb.notebook import session as session_module
from musicapi_nb.notebook._connect import current_session
from musicapi_nb.notebook.event_loop import BackgroundLoop
from musicapi_nb.simulator import EmbeddedSimulator, ReplyOptions, Simulator
from tests.stderr import lines_of

SONG = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain, slow jazz")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    session = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=2000))
    yield session
    session.close()


def _simulator(api: Session) -> Simulator:
    assert api.simulator is not None
    return api.simulator


# --- connect -------------------------------------------------------------------------------


def test_without_a_key_it_connects_to_the_simulator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    api = mnb.connect()
    try:
        assert api.simulated
        assert "simulator" in capsys.readouterr().out
        assert _simulator(api).reply_options.webhook_hosts == "loopback"
        assert mnb.connect() is api
    finally:
        api.close()


def test_with_a_key_it_connects_to_the_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MUSICAPI_KEY", "sk-secret-key-0001")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # refuses: nothing leaves this machine
    monkeypatch.setattr(session_module, "_BALANCE_SECONDS", 0.1)
    api = mnb.connect()
    try:
        output = capsys.readouterr().out
        assert output.startswith("MusicAPI · balance unknown (no answer from api.musicapi.ai")
        assert "a song request costs 20" in output
        assert api.base_url == "https://api.musicapi.ai"
        assert not api.simulated
        assert api.simulator is None
        assert (tmp_path / "musicapi-library" / ".gitignore").read_text(encoding="utf-8") == "*\n"
        assert "secret-key" not in output + repr(api) + api._repr_html_() + str(vars(api))
    finally:
        api.close()


@pytest.mark.parametrize("way", ["connect", "run", "current", "library"])
def test_threads_share_a_session_and_its_spend_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    together = threading.Barrier(6)
    sessions: set[Session] = set()
    refused: list[OverBudget] = []

    def work(number: int) -> None:
        together.wait()
        if way == "current":
            sessions.add(current_session())
            return
        path = tmp_path / "l" if way != "library" else str(tmp_path / "l")
        session = mnb.connect(simulator=simulator.url, library=path, spend_limit=10)
        sessions.add(session)
        try:
            if way == "run":
                session.run(nuro.Instrumental(description=f"{number}", duration=30)).result()
        except OverBudget as error:
            refused.append(error)

    with EmbeddedSimulator(Simulator(seconds=(1, 1.2), speed=2000)) as simulator:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (session,) = sessions
        session.close()
        assert len(simulator.request_log.posts) == (way == "run")
    assert len(refused) == (5 if way == "run" else 0)


def test_another_host_needs_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    with pytest.raises(Unauthorized):
        mnb.connect(base_url="https://example.com")


def test_closed_session_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    first = mnb.connect()
    first.close()
    first.close()
    with pytest.raises(ClientClosed):
        first.credits()
    second = mnb.connect()
    try:
        assert second is not first
    finally:
        second.close()


def test_different_arguments_open_different_sessions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    rich, poor = Simulator(), Simulator(balance=3)
    sessions = [
        mnb.connect(simulator=rich),
        mnb.connect(simulator=poor),
        mnb.connect(),
        mnb.connect(library="one"),
        mnb.connect(library="two"),
        mnb.connect(library="one", spend_limit=5),
    ]
    try:
        assert len({id(session) for session in sessions}) == len(sessions)
        assert mnb.connect(simulator=poor) is sessions[1]
        assert mnb.connect(library=tmp_path / "one") is sessions[3]
        assert sessions[1].credits().result().total == 3
    finally:
        for session in sessions:
            session.close()


def test_close_ends_the_thread() -> None:
    before = threading.active_count()
    api = mnb.connect(simulator=Simulator())
    assert api.credits().result().total > 0
    assert threading.active_count() > before
    api.close()
    assert threading.active_count() == before


def test_process_without_close_exits_silently(tmp_path: Path) -> None:
    code = """if True:
        import logging
        logging.getLogger("asyncio").setLevel(logging.ERROR)  # no warnings on a slow machine
        import musicapi_nb as mnb
        from musicapi_nb import sonic
        api = mnb.connect()
        request = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain")
        under_way = api.run(request)
        print(api.credits().result().total > 0)
    """
    process = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={"PATH": "", "HOME": str(tmp_path)},
    )
    assert lines_of(process.stderr) == []
    assert process.stdout.splitlines()[-1] == "True"
    assert process.returncode == 0


def test_process_without_close_records_its_purchase(tmp_path: Path) -> None:
    code = """if True:
        import sys, musicapi_nb as mnb
        from musicapi_nb import sonic
        request = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain")
        api = mnb.connect("sk-some-key-0001", base_url=sys.argv[1])
        job = api.run(request)
        sys.stdin.readline()
    """
    with EmbeddedSimulator(Simulator(seconds=(1, 1.2), speed=60)) as simulator:
        simulator.faults.arm("slow_reply", seconds=60.0)
        process = subprocess.Popen(
            [sys.executable, "-X", "dev", "-W", "error", "-c", code, simulator.url],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        _wait_until(lambda: bool(simulator.request_log.posts))
        output = process.communicate("end\n", timeout=180)[1]
        (charge,) = simulator.accounts.charges("sk-some-key-0001")
    # the reply may take longer than the second after which it is announced
    assert all(line.startswith("Waiting up to") for line in lines_of(output))
    (folder,) = tmp_path.iterdir()  # a folder per host
    assert folder.name == f"musicapi-library-127.0.0.1-{simulator.port}"
    with Library(folder) as library:
        ((state, task_id),) = [(entry.state, entry.task_id) for entry in library.entries()]
    assert (state, task_id) == ("accepted", charge.task_id)


def test_webhooks_reach_a_receiver_of_the_same_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    monkeypatch.setenv("MUSICAPI_WEBHOOK_SECRET", "from-the-environment-1")
    background = BackgroundLoop()

    async def listen() -> web.AppRunner:
        runner = web.AppRunner(mnb.webhooks.app(library), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner

    with Library(tmp_path / "library") as library:
        runner = background.submit(listen()).result()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
        reply_options = ReplyOptions(webhook_hosts="loopback")
        sim = Simulator(seconds=(1, 1.2), speed=2000, reply_options=reply_options)
        api = mnb.connect(simulator=sim, library=library.path, webhook=url)
        try:
            assert mnb.connect(simulator=sim, library=library.path, webhook=url) is api
            api.run(SONG).result()
            assert {sent.status for sent in sim.webhooks.sent} <= {200, None}
            assert sim.webhooks.sent[0].url.startswith(f"{url}?purchase=1-")
        finally:
            api.close()
            background.submit(runner.cleanup()).result()
            background.stop()


@pytest.mark.parametrize(
    "settings",
    [
        {"webhook": "https://example.com/hooks"},
        {"webhook": "https://example.com/hooks", "webhook_secret": "too-short"},
        {"webhook": "ftp://example.com/hooks", "webhook_secret": "long-enough-for-that"},
        {"webhook_secret": "long-enough-for-that"},
    ],
)
def test_invalid_webhook_settings_raise(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    for name in ("MUSICAPI_KEY", "MUSICAPI_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    threads = threading.active_count()
    with pytest.raises(InvalidRequest, match="webhook"):
        mnb.connect(**settings)  # type: ignore[arg-type]
    assert threading.active_count() == threads


# --- jobs ----------------------------------------------------------------------------------


def test_result_returns_the_task(api: Session) -> None:
    task = api.run(SONG).result()
    assert task.state == "succeeded"
    assert len(task.songs) == 2
    assert all(song.simulated for song in task.songs)


async def test_job_can_be_awaited_on_several_loops(api: Session) -> None:
    job = api.run(SONG)
    first, second = await asyncio.gather(job, job)
    assert first is second
    on_another_loop = await asyncio.to_thread(lambda: asyncio.run(_await(job)))
    assert on_another_loop is first


async def _await(job: mnb.Job[mnb.Task]) -> mnb.Task:
    return await job


async def test_cancelled_await_does_not_end_the_job(api: Session) -> None:
    job = api.run(SONG)
    waiting = asyncio.ensure_future(_await(job))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await job).state == "succeeded"


def test_result_timeout_does_not_end_the_job(api: Session) -> None:
    _simulator(api).faults.arm("stuck")
    job = api.run(SONG)
    with pytest.raises(WaitTimeout, match=r"not done after 0\.1 s"):
        job.result(timeout=0.1)
    assert not job.done()


def test_result_on_the_background_loop_raises(api: Session) -> None:
    job = api.run(SONG)

    async def deadlock(_: object) -> mnb.Task:
        return job.result()

    with pytest.raises(MusicAPIError, match="use await"):
        api._job(deadlock, title="deadlock").result()


def test_invalid_request_raises_with_every_problem(api: Session) -> None:
    with pytest.raises(InvalidRequest) as raised:
        api.run(sonic.Create(custom_mode=True, mv="sonic-v4", title="t" * 81))
    assert [problem.field for problem in raised.value.problems] == ["title", "prompt"]
    assert _posts(api) == 0


def _posts(api: Session) -> int:
    return len(_simulator(api).request_log.posts)


def test_error_is_displayed_by_the_job(api: Session) -> None:
    _simulator(api).faults.arm("lost_reply")
    job = api.run(SONG)
    with pytest.raises(LostReply):
        job.result()
    assert isinstance(job.exception(), LostReply)
    assert "The connection broke before the answer" in job._repr_html_()
    assert "may have cost credits" in job._repr_html_()
    assert "LostReply" in repr(job)
    assert _posts(api) == 1


def test_cancelled_job_displays_that_the_task_continues(api: Session) -> None:
    _simulator(api).faults.arm("stuck")
    job = api.run(SONG)
    api.credits().result()
    _wait_until(lambda: job.task is not None)
    assert job.cancel()
    assert job.task is not None
    assert job.task.id is not None
    assert job.task.id in job._repr_html_()
    assert "keeps running on the service" in job._repr_html_()


def _wait_until(condition: "object") -> None:
    """Spin until a condition holds; the test's own timeout is the limit."""
    assert callable(condition)
    lock = threading.Event()
    for _ in range(12_000):  # a minute
        if condition():
            return
        lock.wait(0.005)
    raise AssertionError("the condition never held")


def test_job_cancelled_before_the_reply_still_gets_its_task(api: Session) -> None:
    _simulator(api).faults.arm("slow_reply", seconds=400.0)
    job = api.run(SONG)
    _wait_until(lambda: _posts(api) == 1)
    assert job.task is None
    job.cancel()
    _wait_until(lambda: job.task is not None)
    assert _posts(api) == 1


def test_text_and_html_follow_the_state_of_the_job(api: Session, tmp_path: Path) -> None:
    simulator = Simulator(speed=5)  # the estimate, of some minutes, is shown for most of a minute
    simulator.faults.arm("stuck")
    with mnb.connect(simulator=simulator, library=tmp_path / "slow") as slow:
        stuck = slow.run(SONG)
        assert "sonic.create" in repr(stuck)
        _wait_until(lambda: stuck.task is not None)
        assert re.search(r"(in the queue|being made), \d:\d\d", repr(stuck))
        estimate = r"\d:\d\d, (about \d+|up) to \d+ (min|s) left \(simulated time\)"
        assert re.search(estimate, stuck._repr_html_())
        stuck.cancel()
    finished = api.run(SONG)
    task = finished.result()
    assert finished._repr_html_() == task._repr_html_()
    assert repr(finished) == f"<Job sonic.create: {task!r}>"


def test_unchanged_player_is_not_redrawn(api: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    redraws: list[object] = []
    monkeypatch.setattr("IPython.display.update_display", lambda *_, **__: redraws.append(1))

    async def endless(_: object) -> None:
        await asyncio.Event().wait()

    job = api._job(endless, title="endless")
    job._display_ids.append("some-display-id")
    ready = mnb.Song(id="a", state="succeeded", audio_url="https://cdn1.suno.ai/a.mp3")
    rendering = mnb.Task(songs=(ready, mnb.Song(id="b", state="running")), state="running")

    def count_redraws(task: mnb.Task) -> int:
        before = len(redraws)
        api._background.loop.call_soon_threadsafe(job.update, task)
        api.credits().result()  # by then the loop has run the update
        return len(redraws) - before

    assert count_redraws(rendering) == 1
    assert count_redraws(msgspec.structs.replace(rendering, progress=0.5)) == 0
    silent = mnb.Task(songs=(mnb.Song(id="a", state="succeeded"),), state="running")
    assert [count_redraws(silent), count_redraws(silent)] == [1, 1], "nothing is playing"
    assert count_redraws(rendering) == 1
    assert count_redraws(msgspec.structs.replace(rendering, songs=(ready, ready))) == 1


def test_credits_lyrics_poll_wait_and_download(api: Session, tmp_path: Path) -> None:
    before = api.credits().result()
    texts = api.run(lyrics.Make(description="a lighthouse keeper")).result()
    assert len(texts.songs) == 2
    assert texts.songs[0].lyrics
    assert before.total - api.credits().result().total == 2

    task = api.run(nuro.Instrumental(description="harbour", duration=30)).result()
    assert api.poll(task).result().songs == task.songs
    assert task.id is not None
    assert api.poll(task.id, engine="nuro").result().state == "succeeded"
    assert api.wait([task, task]).result() == [task, task]
    assert api.wait(task).result() == task
    path = api.download(task.songs[0], tmp_path).result()
    assert path.parent == tmp_path
    assert path.read_bytes()[8:12] == b"WAVE"


def test_unknown_task_raises_task_not_found(api: Session) -> None:
    with pytest.raises(TaskNotFound, match="task not found"):
        api.poll("00000000-0000-0000-0000-000000000000", engine="sonic").result()


def test_account_credits_has_an_immediate_answer(api: Session) -> None:
    task = api.run(account.Credits()).result()
    assert task.answer["credits"] > 0


# --- nested asyncio ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nest2", "kernel", "patched", "expected"),
    [
        ((1, 7, 4), (7, 4, 0), False, "nest_asyncio2"),
        ((1, 7, 3), None, False, "nest_asyncio2"),
        ((1, 7, 2), (6, 31, 0), False, "nest_asyncio"),
        (None, (7, 0, 1), False, "nest_asyncio"),
        (None, None, False, "nest_asyncio"),
        (None, (7, 1, 0), False, None),
        ((1, 7, 2), (7, 4, 0), False, None),
        ((1, 7, 4), (7, 4, 0), True, None),
    ],
)
def test_nested_asyncio_depends_on_installed_versions(
    monkeypatch: pytest.MonkeyPatch,
    nest2: tuple[int, ...] | None,
    kernel: tuple[int, ...] | None,
    patched: bool,  # noqa: FBT001 - a parameter of the table above
    expected: str | None,
) -> None:
    versions = {"nest-asyncio2": nest2, "ipykernel": kernel}
    monkeypatch.setattr(nest_asyncio, "_version", lambda package: versions[package] or (0,))
    monkeypatch.setitem(sys.modules, "ipykernel", sys.modules[__name__])
    if patched:
        monkeypatch.setattr(asyncio, "_nest_patched", True, raising=False)
    if expected is not None:
        assert nest_asyncio._choose() == expected
    else:
        with pytest.raises(mnb.errors.NestingRefused, match="lose every cell") as raised:
            nest_asyncio._choose()
        assert "job.result()" in str(raised.value)


def test_nested_asyncio_run_works_in_a_running_loop() -> None:
    code = """if True:
        import asyncio, musicapi_nb as mnb
        async def inner(): return 42
        async def outer():
            print(mnb.enable_nested_asyncio())
            return asyncio.run(inner())
        print(asyncio.run(outer()))
    """
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False
    )
    assert process.stdout.split() == ["nest_asyncio2", "42"], process.stderr


def _kernel(simulator: Simulator, folder: Path) -> Session:
    """Open a session as a kernel does on a service that outlives it."""
    library = Library(folder)
    client = mnb.MusicAPI(
        "sk-some-key-0001", base_url=simulator.url, speed=simulator.speed, ledger=library
    )
    return Session(client, BackgroundLoop(), library=library)


def test_paid_task_is_resumed_from_the_library(tmp_path: Path) -> None:
    with EmbeddedSimulator(Simulator(speed=600)) as simulator:
        first = _kernel(simulator, tmp_path)
        job = first.run(SONG)
        _wait_until(lambda: job.task is not None)
        first.close()

        second = _kernel(simulator, tmp_path)
        (resumed,) = second.resume().result()
        again = second.run(SONG).result()
        second_take = second.run(SONG, take=2).result()
        second.close()
        assert len(simulator.request_log.posts) == 2
    assert job.task is not None
    assert resumed.id == again.id == job.task.id != second_take.id
    assert again.state == "succeeded"
    assert "already in your library, free" in again._repr_html_()


def test_spend_limit_covers_the_whole_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    api = mnb.connect(
        simulator=Simulator(seconds=(1, 1.2), speed=2000), library=tmp_path, spend_limit=45
    )
    try:
        jobs = [api.run(SONG, take=take) for take in (1, 2, 3)]
        errors = [job.exception() for job in jobs if _is_done_after_wait(job)]
        assert [type(error).__name__ for error in errors].count("OverBudget") == 1
        assert _simulator(api).accounts.charged("simulated-account") == 40
    finally:
        api.close()


def _is_done_after_wait(job: mnb.Job[mnb.Task]) -> bool:
    with contextlib.suppress(MusicAPIError):
        job.result()
    return job.done()


def test_simulators_of_two_kernels_return_different_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    ids = []
    for take in (1, 2):
        api = mnb.connect(library=tmp_path)
        job = api.run(SONG, take=take)
        _wait_until(lambda job=job: job.task is not None)
        assert job.task is not None
        ids.append(job.task.id)
        api.close()
    assert ids[0] != ids[1]


def test_spend_limit_without_library_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    with pytest.raises(InvalidRequest, match="spend_limit"):
        mnb.connect(spend_limit=100, library=False)


def test_embedded_simulator_has_a_separate_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with mnb.connect() as api:
        assert api.library is not None
        assert api.library.path == Path.home() / "musicapi-library-simulated"
    with mnb.connect(library=False) as without, mnb.connect(simulator=Simulator()) as own:
        assert without.library is None
        assert own.library is None
    with pytest.raises(InvalidRequest, match="library: is a folder"):
        mnb.connect(library=True)  # type: ignore[arg-type]


def test_unusable_library_raises_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").write_text("this is no database " * 100, encoding="utf-8")
    with EmbeddedSimulator(Simulator()) as simulator:
        with pytest.raises(mnb.errors.LibraryError):
            mnb.connect("sk-some-key-0001", base_url=simulator.url, library=tmp_path)
        assert simulator.request_log.total == 0


# --- the cards of an experiment ------------------------------------------------------------------


class _Output:
    """Cards as the front end shows them: the latest HTML of each display id."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cards: dict[str, str] = {}
        kernel = SimpleNamespace(kernel=object())
        monkeypatch.setattr("IPython.get_ipython", lambda: kernel)
        monkeypatch.setattr("IPython.display.display", self._show)
        monkeypatch.setattr("IPython.display.update_display", self._show)

    def _show(self, value: Any, *, display_id: str = "", raw: bool = False) -> None:
        self.cards[display_id] = value["text/html"] if raw else value._repr_html_()


def test_cards_follow_the_experiment_through_later_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = mnb.Plan.grid(
        sonic.Create,
        base={"custom_mode": False, "gpt_description_prompt": "{topic}"},
        factors={"mv": ["sonic-v6"], "topic": ["rain", "tide"]},
    )
    output = _Output(monkeypatch)
    with EmbeddedSimulator(Simulator(speed=600)) as simulator:
        api = _kernel(simulator, tmp_path)
        simulator.faults.arm("lost_reply")
        run = api.experiment("harbour", plan)
        run._ipython_display_()
        assert sum("Nothing is sent until you start it" in card for card in output.cards.values())
        run.start()._ipython_display_()
        run.result()
        followed = {name: card for name, card in output.cards.items() if name}
        assert len(followed) == 2
        assert all("1 uncertain" in card for card in followed.values())

        (uncertain,) = api.library.entries("uncertain")  # type: ignore[union-attr]
        api.library.resolve(uncertain.id, charged=False)  # type: ignore[union-attr]
        run.start().result()
        _wait_until(lambda: all("complete" in output.cards[name] for name in followed))
        assert not any("uncertain" in output.cards[name] for name in followed)

        later = api.experiment("harbour", plan).dry_run
        assert (later.credits, later.bought, later.paid) == (0, 2, 40)
        assert "credits: 0 to pay: all 2 requests are in the library (40 paid before)" in repr(
            later
        )
        api.close()


def test_job_says_that_songs_are_ready_while_files_are_saved(tmp_path: Path) -> None:
    saving: list[tuple[str, str, str]] = []
    with EmbeddedSimulator(Simulator(speed=600)) as simulator:
        api = _kernel(simulator, tmp_path)
        job = api.run(SONG)

        def watch() -> None:
            if job.task is not None and job.task.finished and not job.done():
                saving.append((job._repr_html_(), repr(job), job.bar_state().text))

        job.watch(watch)
        job.result()
        api.close()
    card, line, text = saving[0]
    assert "Songs are ready · saving the audio to your library…" in card
    assert "left" not in card.partition("max-width:420px")[2].partition("max-width")[0]
    assert "succeeded" not in card
    assert line == "<Job sonic.create: ready, saving the audio to your library…>"
    assert text == "Songs are ready, saving the audio to your library…"
