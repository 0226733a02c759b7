"""Experiments from the command line: interrupted and killed, each request is bought once."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb.cli import main
from musicapi_nb.simulator import EmbeddedSimulator, Simulator

ROWS = 12
PLAN = ("--set", "description={topic}, spy jazz")
Run = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    # A song takes about half a second, so that a signal arrives in the middle of an experiment.
    with EmbeddedSimulator(Simulator(speed=300, balance=100_000, seconds=(1.0, 1.2))) as sim:
        sim.faults.arm("wrong_type_download", times=None)  # audio would take longer than the rest
        yield sim


@pytest.fixture
def sim(running: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    monkeypatch.setenv("MUSICAPI_SIMULATOR", running.url)
    running.request_log.posts.clear()
    return running


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, Any]:
        code = main([*arguments, "--json", "--library", str(tmp_path / "library")])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def plan(tmp_path: Path) -> str:
    path = tmp_path / "plan.csv"
    path.write_text(
        "\n".join(["topic", *(f"harbour {number}" for number in range(ROWS))]), encoding="utf-8"
    )
    return str(path)


def test_after_an_interrupt_and_a_kill_the_rest_is_bought(
    sim: Simulator, run: Run, plan: str, tmp_path: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGKILL")
    options = (plan, *PLAN, "--yes", "--budget", "1000", "--concurrency", "1")
    folder = ("--json", "--library", str(tmp_path / "library"))
    command = "start"
    for number in (signal.SIGINT, signal.SIGTERM):
        code, stopped = _stop(number, "experiment", command, "storm", *options, *folder)
        assert code == 130
        assert "paid for" in json.loads(stopped)["message"]
        command = "resume"
    code, _ = _stop(signal.SIGKILL, "experiment", "resume", "storm", *options, *folder)
    assert code == -signal.SIGKILL
    paid = len(sim.request_log.posts)
    assert 0 < paid < ROWS
    code, resumed = run("experiment", "resume", "storm", plan, *PLAN, "--yes")
    counts = resumed["counts"]  # the kill may have hit a request that was under way
    assert code == (4 if "uncertain" in counts else 0)
    assert counts["done"] + counts.get("uncertain", 0) == ROWS
    texts = Counter(json.dumps(post.body, sort_keys=True) for post in sim.request_log.posts)
    assert len(texts) == ROWS
    assert set(texts.values()) == {1}
    assert resumed["budget"] == 1000
    assert run("experiment", "status", "storm")[1]["counts"] == counts
    run("experiment", "resume", "storm", plan, *PLAN)
    assert len(sim.request_log.posts) == ROWS


def _stop(number: signal.Signals, *arguments: str) -> tuple[int, str]:
    """Send a signal to a command after its first finished request; return its code and output."""
    command = [sys.executable, "-m", "musicapi_nb", *arguments]
    # a process inherits that Ctrl-C is ignored, as it is in the background of a shell
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    finally:
        signal.signal(signal.SIGINT, handler)
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("storm: "):
                process.send_signal(number)
                break
        output, errors = process.communicate()
        assert "Traceback" not in errors
        return process.returncode, output


def test_an_experiment_keeps_its_budget_and_names_failed_rows(
    sim: Simulator, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("topic,mv\na harbour,sonic-v5\na pier,sonic-v99\n", encoding="utf-8")
    code, refused = run("experiment", "start", "pier", str(path), *PLAN, "--budget", "100")
    assert code == 3
    assert "2 requests for 40 credits" in refused["message"]
    code, small = run("experiment", "start", "pier", str(path), *PLAN, "--budget", "39", "--yes")
    assert (code, small["error"]) == (3, "OverBudget")
    assert not sim.request_log.posts
    code, ended = run("experiment", "start", "pier", str(path), *PLAN, "--budget", "40", "--yes")
    assert (code, ended["counts"], ended["remaining"]) == (3, {"done": 1, "refused": 1}, 20)
    assert [(failure["row"], failure["state"]) for failure in ended["failures"]] == [(2, "refused")]
    page = tmp_path / "report.html"
    code, report = run("report", "pier", str(path), *PLAN, "--save", str(page))
    assert (code, report["path"]) == (0, str(page))
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("part", ["resume", "status"])
def test_an_unknown_experiment_is_wrong_usage(
    sim: Simulator, run: Run, plan: str, part: str
) -> None:
    run("run", "rain", "--yes")
    code, refused = run("experiment", part, "strom", *((plan, *PLAN) if part == "resume" else ()))
    assert (code, refused["error"]) == (2, "InvalidArgument")
    assert len(sim.request_log.posts) == 1


def test_a_plan_with_problems_buys_nothing(sim: Simulator, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("topic,duration\na harbour,30\na pier,soon\n", encoding="utf-8")
    code, refused = run("experiment", "start", "pier", str(path), *PLAN, "--budget", "9", "--yes")
    assert code == 1
    assert "(row 2)" in refused["message"]
    assert not sim.request_log.posts
