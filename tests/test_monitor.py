"""The monitor's words, its buttons without a page, and the bar of scripts and terminals."""

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
    handle = mnb.connect(
        simulator=Simulator(seconds=(1, 1.2), speed=3000), library=tmp_path / "library"
    )
    assert handle.simulator is not None
    handle.simulator.faults.arm("wrong_type_download", times=None)  # no time for files
    yield handle
    handle.close()


def made(api: Session) -> ExperimentRun:
    plan = mnb.Plan.grid(sonic.Create, base=PLAN_BASE, factors={"style": ["jazz", "rock"]})
    return api.experiment("harbour", plan, budget=100, deadline=1e7)


def possible(what: ExperimentRun) -> list[str]:
    return [action.word for action in what.actions() if action.possible]


def until(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.01)


def test_what_can_be_done_about_an_experiment_follows_its_state(api: Session) -> None:
    run = made(api)
    words = [action.word for action in run.actions()]
    assert words == ["Start", "Pause", "Resume", "Cancel"]
    assert possible(run) == ["Start"]
    assert api.simulator is not None
    api.simulator.clock.speed = 0
    run.start()
    until(lambda: run.progress.state == "running")
    assert possible(run) == ["Pause", "Cancel"]
    run.pause()
    until(lambda: run.progress.state == "paused")
    assert possible(run) == ["Resume", "Cancel"]
    run.cancel()
    until(lambda: run.job is not None and run.job.done())
    assert possible(run) == ["Start again"]
    assert not run.done()
    api.simulator.clock.speed = 3000
    run.start().result()
    assert run.done()


def test_a_watcher_hears_of_every_start_and_its_end(api: Session) -> None:
    run, seen = made(api), list[str]()
    run.watch(lambda: seen.append(run.progress.state))
    assert seen == []
    run.start().result()
    until(lambda: "ended" in seen)


def test_a_button_that_fails_says_so_in_place_and_costs_nothing(api: Session) -> None:
    run = made(api)
    monitor = Monitor(run)
    monitor._row(with_card=False)
    api.library.close()  # type: ignore[union-attr]
    monitor._buttons[0].click()
    assert "closed" in monitor._problem.value
    assert api.simulator is not None
    assert len(api.simulator.request_log.posts) == 0


def test_a_double_click_starts_once(api: Session) -> None:
    run = made(api)
    monitor = Monitor(run)
    monitor._row(with_card=False)
    for _ in range(2):
        monitor._buttons[0].click()
    assert run.job is not None
    run.job.result()
    assert api.simulator is not None
    assert len(api.simulator.request_log.posts) == 2


def test_two_threads_that_start_it_at_once_share_one_job(api: Session) -> None:
    run = made(api)
    together = threading.Barrier(2)
    jobs: list[object] = []

    def start() -> None:
        together.wait()
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


def test_shown_as_text_it_is_what_it_follows(api: Session) -> None:
    run = made(api)
    assert repr(Monitor(run)) == repr(run)
    assert Monitor(run)._repr_html_() == run._repr_html_()


def test_a_job_is_followed_by_a_bar(api: Session, capsys: pytest.CaptureFixture[str]) -> None:
    request = sonic.Create(custom_mode=False, gpt_description_prompt="rain", mv="sonic-v5")
    job = api.run(request, deadline=1e7)
    bar = mnb.monitor(job)
    assert isinstance(bar, Bar)
    job.result()
    until(lambda: bar._line is None)
    said = capsys.readouterr().err
    assert "sonic.create" in said
    assert "2/2" in said
    assert [action.possible for action in job.actions()] == [False]


class _Failing:
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


def test_a_bar_holds_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    bar = follow(_Failing())
    bar.show(BarState(3, 3, "cells", ""), over=True)
    said = capsys.readouterr().err
    assert "\x1b[31m" not in said
    assert "1/3" in said
    assert "2 failed" in said


async def test_an_experiment_in_plain_asyncio_prints_a_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    plan = mnb.Plan.grid(sonic.Create, base=PLAN_BASE, factors={"style": ["jazz", "rock"]})
    async with Simulator(seconds=(1, 1.2), speed=3000) as sim:
        sim.faults.arm("wrong_type_download", times=None)
        with Library(tmp_path) as library:
            async with MusicAPI("key", base_url=sim.url, speed=3000, ledger=library) as client:
                experiment = mnb.Experiment("harbour", plan, client, library, deadline=1e7)
                await experiment.run(mnb.progress_bar())
    assert "harbour" in written.getvalue()
    assert "2/2" in written.getvalue()
    assert "40 credits" in written.getvalue()


def test_a_script_sees_a_bar_and_needs_no_notebook(tmp_path: Path) -> None:
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
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "sonic.create" in done.stderr
    assert "2/2" in done.stderr
    assert "Traceback" not in done.stderr
