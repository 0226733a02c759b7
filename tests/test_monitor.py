"""The monitor's actions and buttons without a page, and the bar of scripts and terminals."""

import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import musicapi_nb as mnb
from musicapi_nb import MusicAPI, sonic
from musicapi_nb.library import Library
from musicapi_nb.notebook.experiment_run import ExperimentRun
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import Simulator
from musicapi_nb.widgets.monitor import Action, Bar, BarState, Monitor, follow

PLAN_BASE = {"custom_mode": False, "gpt_description_prompt": "{style}, rain", "mv": "sonic-v5"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Session]:
    session = mnb.connect(
        simulator=Simulator(seconds=(1, 1.2), speed=3000), library=tmp_path / "library"
    )
    assert session.simulator is not None
    session.simulator.faults.arm("wrong_type_download", times=None)  # skip downloads
    yield session
    session.close()


def two_cell_run(api: Session) -> ExperimentRun:
    plan = mnb.Plan.grid(sonic.Create, base=PLAN_BASE, factors={"style": ["jazz", "rock"]})
    return api.experiment("harbour", plan, budget=100, deadline=1e7)


def enabled_actions(run: ExperimentRun) -> list[str]:
    return [action.label for action in run.actions() if action.enabled]


def wait_until(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.01)


def test_actions_follow_experiment_state(api: Session) -> None:
    run = two_cell_run(api)
    labels = [action.label for action in run.actions()]
    assert labels == ["Start", "Pause", "Resume", "Stop (keeps what is paid)"]
    assert enabled_actions(run) == ["Start"]
    assert api.simulator is not None
    api.simulator.clock.speed = 0
    run.start()
    wait_until(lambda: run.progress.state == "running")
    assert enabled_actions(run) == ["Pause", "Stop (keeps what is paid)"]
    run.pause()
    wait_until(lambda: run.progress.state == "paused")
    assert enabled_actions(run) == ["Resume", "Stop (keeps what is paid)"]
    run.cancel()
    wait_until(lambda: run.job is not None and run.job.done())
    assert enabled_actions(run) == ["Run the rest"]
    assert not run.done()
    api.simulator.clock.speed = 3000
    run.start().result()
    assert run.done()


def test_watcher_is_called_for_start_and_end(api: Session) -> None:
    run, states = two_cell_run(api), list[str]()
    run.watch(lambda: states.append(run.progress.state))
    assert states == []
    run.start().result()
    wait_until(lambda: "ended" in states)


def test_failing_button_shows_error_and_sends_nothing(api: Session) -> None:
    run = two_cell_run(api)
    widget = Monitor(run)._display_()
    api.library.close()  # type: ignore[union-attr]
    widget._receive(widget, {"click": 0}, [])
    assert "closed" in widget.problem
    assert api.simulator is not None
    assert len(api.simulator.request_log.posts) == 0


def test_double_click_starts_once(api: Session) -> None:
    run = two_cell_run(api)
    widget = Monitor(run)._display_()
    for _ in range(2):
        widget._receive(widget, {"click": 0}, [])
    assert run.job is not None
    run.job.result()
    assert api.simulator is not None
    assert len(api.simulator.request_log.posts) == 2


def test_simultaneous_starts_share_one_job(api: Session) -> None:
    run = two_cell_run(api)
    barrier = threading.Barrier(2)
    jobs: list[object] = []

    def start() -> None:
        barrier.wait()
        jobs.append(run.start())

    threads = [threading.Thread(target=start) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert jobs[0] is jobs[1]
    assert run.job is not None
    run.job.result()
    assert api.simulator is not None
    assert len(api.simulator.request_log.posts) == 2


def test_monitor_has_repr_and_html_of_its_work(api: Session) -> None:
    run = two_cell_run(api)
    assert repr(Monitor(run)) == repr(run)
    assert Monitor(run)._repr_html_() == run._repr_html_()


def test_bar_follows_job(api: Session, capsys: pytest.CaptureFixture[str]) -> None:
    request = sonic.Create(custom_mode=False, gpt_description_prompt="rain", mv="sonic-v5")
    job = api.run(request, deadline=1e7)
    bar = mnb.monitor(job)
    assert isinstance(bar, Bar)
    job.result()
    wait_until(lambda: bar._has_ended)
    output = capsys.readouterr().err
    assert "sonic.create" in output
    assert "2/2" in output
    assert [action.enabled for action in job.actions()] == [False]


class _FailingWork:
    title = "\x1b[31m<b>odd</b>"

    def watch(self, callback: Callable[[], None]) -> None:
        callback()

    def actions(self) -> tuple[Action, ...]:
        return ()

    def bar_state(self) -> BarState:
        return BarState(1, 3, "cells", "2 failed")

    def done(self) -> bool:
        return False

    def _repr_html_(self) -> str:
        return ""


def test_bar_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    bar = follow(_FailingWork())
    bar.show(BarState(3, 3, "cells", ""), is_final=True)
    output = capsys.readouterr().err
    assert "\x1b[31m" not in output
    assert "1/3" in output
    assert "2 failed" in output


def test_two_threads_draw_one_bar(capsys: pytest.CaptureFixture[str]) -> None:
    bar, barrier = Bar("harbour"), threading.Barrier(2)

    def show() -> None:
        barrier.wait()
        bar.show(BarState(1, 2, "songs", ""), is_final=False)

    threads = [threading.Thread(target=show) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(2):
        bar.show(BarState(2, 2, "songs", ""), is_final=True)
    line, end = capsys.readouterr().err.split("\n")
    assert (line.rstrip()[-9:], end) == ("2/2 songs", "")


async def test_experiment_in_plain_asyncio_prints_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    plan = mnb.Plan.grid(sonic.Create, base=PLAN_BASE, factors={"style": ["jazz", "rock"]})
    async with Simulator(seconds=(1, 1.2), speed=3000) as sim:
        sim.faults.arm("wrong_type_download", times=None)
        with Library(tmp_path) as library:
            async with MusicAPI("key", base_url=sim.url, speed=3000, ledger=library) as client:
                experiment = mnb.Experiment("harbour", plan, client, library, deadline=1e7)
                await experiment.run(mnb.progress_bar())
    assert "harbour" in stderr.getvalue()
    assert "2/2" in stderr.getvalue()
    assert "40 credits" in stderr.getvalue()


def test_script_prints_bar(tmp_path: Path) -> None:
    code = """if True:
        import musicapi_nb as mnb
        from musicapi_nb import sonic
        from musicapi_nb.simulator import Simulator
        api = mnb.connect(simulator=Simulator(speed=3000, seconds=(1, 1.2)), library="library")
        request = sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt="rain")
        job = api.run(request, deadline=1e7)
        mnb.monitor(job)
        job.result()
        api.close()
    """
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=600, check=True
    )
    line, end = process.stderr.decode().split("\n")  # in text mode, "\r" would be "\n"
    assert end == ""  # one bar, drawn over itself
    states = line.split("\r")
    assert all(state.strip() == "" or state.startswith("sonic.create: ") for state in states)
    assert "2/2 songs" in states[-1]
    assert "/s" not in line
