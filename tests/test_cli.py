"""The command line, over the simulator's real HTTP: it asks, buys once, and says what happened."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from musicapi_nb import lyrics, sonic
from musicapi_nb.cli import main
from musicapi_nb.cli.plan_file import read_plan
from musicapi_nb.library import Library
from musicapi_nb.notebook import Session
from musicapi_nb.simulator import EmbeddedSimulator, Simulator

SONG = ("run", "rain on a tin roof")
KEY = "sk-of-an-account-0001"


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(speed=3000, balance=100_000, seconds=(1.0, 1.2))) as sim:
        yield sim


@pytest.fixture
def sim(running: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    monkeypatch.setenv("MUSICAPI_SIMULATOR", running.url)
    running.request_log.posts.clear()
    yield running
    running.faults.clear()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Run a command with --json on a library of its own; return its exit code and its object."""

    def run(*arguments: str) -> tuple[int, Any]:
        code = main([*arguments, "--json", "--library", str(tmp_path / "library")])
        return code, json.loads(capsys.readouterr().out)

    return run


Run = Callable[..., tuple[int, Any]]


def test_a_song_is_bought_once_and_saved(sim: Simulator, run: Run, tmp_path: Path) -> None:
    code, first = run(*SONG, "--set", "model=sonic-v5", "--yes", "--save", str(tmp_path / "songs"))
    assert (code, first["command"], first["paid"]) == (0, "run", 20)
    assert not first["bought_before"]
    assert [song["model"] for song in first["songs"]] == ["sonic-v5"] * 2
    assert all(Path(song["file"]).stat().st_size for song in first["songs"])
    code, second = run(*SONG, "--set", "mv=sonic-v5")  # nothing to ask
    assert (code, second["paid"], second["bought_before"]) == (0, 0, True)
    assert [song["song_id"] for song in second["songs"]] == [
        song["song_id"] for song in first["songs"]
    ]
    assert len(sim.request_log.posts) == 1
    code, library = run("library")
    assert (code, library["purchases"]) == (0, {"done": 1})
    assert library["simulated_account"]["spent"] == 20
    code, listed = run("library", "list", "--last", "1")
    assert (code, len(listed["songs"]), listed["command"]) == (0, 1, "library list")
    code, export = run("export", str(tmp_path / "files"))
    assert (code, export["counts"]) == (0, {"written": 2})
    code, adoption = run("library", "adopt", first["task_id"], "--engine", "sonic")
    assert (code, adoption["unchanged"]) == (0, 1)
    assert len(sim.request_log.posts) == 1


def test_without_a_terminal_nothing_is_bought_without_yes(sim: Simulator, run: Run) -> None:
    code, refused = run(*SONG)
    assert code == 3
    assert "20 credits" in refused["message"]
    assert "--yes" in refused["message"]
    assert not sim.request_log.posts


@pytest.mark.parametrize(("answer", "posts"), [("y\n", 1), ("\n", 0), ("", 0), ("no\n", 0)])
def test_on_a_terminal_the_answer_decides(
    sim: Simulator, run: Run, monkeypatch: pytest.MonkeyPatch, answer: str, posts: int
) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal(answer))
    sim.faults.arm("wrong_type_download", times=None)
    assert run(*SONG)[0] == (0 if posts else 3)
    assert len(sim.request_log.posts) == posts


def test_a_question_that_cannot_be_shown_buys_nothing(
    sim: Simulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stderr:
        monkeypatch.setattr("sys.stdin", _Terminal("y\n"))
        monkeypatch.setattr("sys.stderr", stderr)
        code, refused = run(*SONG)
    assert (code, refused["may_have_cost"]) == (3, False)
    assert "--yes" in refused["message"]
    assert not sim.request_log.posts


class _Terminal:
    def __init__(self, line: str | None) -> None:
        self._line = line

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        if self._line is None:
            raise KeyboardInterrupt
        return self._line


def test_a_folder_that_cannot_be_written_is_refused_before_buying(
    sim: Simulator, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for folder in ("file", "file/songs", "null\0", ""):
        code, refused = run(*SONG, "--yes", "--save", str(tmp_path / folder) if folder else " ")
        assert (code, refused["may_have_cost"]) == (2, False), folder
    assert not sim.request_log.posts


def test_an_interrupt_before_the_wait_may_have_cost(
    sim: Simulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.faults.arm("lost_reply")
    send = Session.run

    def interrupt(session: Session, *arguments: Any, **options: Any) -> Any:
        send(session, *arguments, **options)
        while not sim.request_log.posts:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "run", interrupt)
    code, interrupted = run(*SONG, "--yes")
    assert (code, interrupted["may_have_cost"]) == (130, True)
    assert "does not buy it twice" in interrupted["message"]
    assert len(sim.request_log.posts) == 1
    assert len(run("library")[1]["uncertain"]) == 1


def test_an_interrupt_at_the_question_buys_nothing(
    sim: Simulator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal(None))
    code, interrupted = run(*SONG)
    assert (code, interrupted["message"]) == (130, "Stopped; nothing was bought.")
    assert not sim.request_log.posts


def test_a_lost_reply_is_uncertain_and_not_sent_again(sim: Simulator, run: Run) -> None:
    sim.faults.arm("lost_reply")
    code, lost = run(*SONG, "--yes")
    assert (code, lost["error"], lost["may_have_cost"]) == (4, "LostReply", True)
    code, again = run(*SONG, "--yes")
    assert (code, again["error"]) == (4, "UncertainPurchase")
    assert len(sim.request_log.posts) == 1
    (uncertain,) = run("library")[1]["uncertain"]
    assert uncertain["credits"] == 20
    entry = str(uncertain["entry"])
    for unclear in ("--balance 100 95", "--task-id=", "--balance 80 100"):
        code, refused = run("library", "resolve", entry, *unclear.split())
        assert (code, refused["may_have_cost"]) == (2, False) or code == 3, unclear
        assert run("library")[1]["uncertain"] == [uncertain]
    assert run("library", "resolve", entry, "--balance", "100", "80")[1]["state"] == "failed"
    assert not run("library")[1]["uncertain"]
    assert run("library", "resolve", entry, "--no-charged")[0] == 3  # it is settled
    assert len(sim.request_log.posts) == 1


def test_uncharged_purchase_is_bought_by_the_next_run(sim: Simulator, run: Run) -> None:
    sim.faults.arm("lost_reply")
    run(*SONG, "--yes")
    (uncertain,) = run("library")[1]["uncertain"]
    code, settled = run("library", "resolve", str(uncertain["entry"]), "--no-charged")
    assert (code, settled["entry"]) == (0, uncertain["entry"])
    code, bought = run(*SONG, "--yes")
    assert (code, bought["bought_before"]) == (0, False)
    assert len(sim.request_log.posts) == 2


def test_another_library_is_merged(sim: Simulator, run: Run, tmp_path: Path) -> None:
    run(*SONG, "--yes")
    (tmp_path / "library").rename(tmp_path / "other")
    code, refused = run("library", "merge", str(tmp_path / "other"))
    assert (code, refused["error"]) == (2, "MissingFile")  # there is no library to merge it into
    run("run", "a lighthouse", "--yes")
    code, merged = run("library", "merge", str(tmp_path / "other"))
    assert (code, merged["new"], merged["unchanged"]) == (0, 1, 0)
    assert run(*SONG)[1]["bought_before"]
    assert run("library", "merge", str(tmp_path / "other"))[1]["new"] == 0
    assert len(sim.request_log.posts) == 2


COMMAND = (sys.executable, "-m", "musicapi_nb")


@pytest.mark.usefixtures("sim")
@pytest.mark.parametrize("arguments", [["library", "--library", "library"], ["--help"]])
def test_closed_output_pipe_is_no_error(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    run(*SONG, "--yes")
    command = [*COMMAND, *arguments]
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        process = subprocess.run(
            command, stdout=stdout, stderr=subprocess.PIPE, cwd=tmp_path, check=False
        )
    assert (process.returncode, process.stderr) == (0, b"")


def test_unwritable_output_does_not_crash(sim: Simulator, tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("/dev/full is a device of Linux")
    sim.faults.arm("wrong_type_download", times=None)
    song = [*COMMAND, *SONG, "--yes", "--library", str(tmp_path / "library")]
    closed = subprocess.run(
        ["/bin/sh", "-c", '"$@" 2>&-', "sh", *song], capture_output=True, text=True, check=False
    )
    assert closed.returncode == 0
    assert closed.stdout.startswith("Paid: 20 credits")
    with Path("/dev/full").open("wb") as full:
        again = subprocess.run(song, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
        assert (again.returncode, again.stdout.splitlines()[0]) == (
            0,
            "From the library: bought before, nothing was paid.",
        )
        process = subprocess.run(song, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert process.returncode == 3
    assert process.stderr.splitlines()[-1] == (
        "The result could not be written: No space left on device. Repeat the command to print "
        "it again; nothing is bought twice."
    )
    assert len(sim.request_log.posts) == 1


def test_closed_terminal_does_not_end_a_paid_command(sim: Simulator, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no pty")
    sim.faults.arm("wrong_type_download", times=None)
    command = [*COMMAND, *SONG, "--yes", "--json", "--library", str(tmp_path / "library")]
    master, slave = os.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, text=True) as process:
        os.close(slave)
        while not sim.request_log.posts:
            time.sleep(0.01)
        os.close(master)
        output = process.communicate()[0]
    assert (process.returncode, json.loads(output)["paid"]) == (0, 20)


def test_a_second_signal_ends_the_wait_for_a_reply(
    sim: Simulator, run: Run, tmp_path: Path
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no SIGHUP")
    sim.faults.arm("slow_reply", seconds=1e9)
    command = [*COMMAND, *SONG, "--yes", "--json", "--library", str(tmp_path / "library")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stderr is not None
        while not sim.request_log.posts:
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        assert any("for the reply to a paid request" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate()
    assert "Traceback" not in errors
    stopped = json.loads(output)
    assert (process.returncode, stopped["may_have_cost"]) == (130, True)
    assert "may have cost credits" in stopped["message"]
    assert len(run("library")[1]["uncertain"]) == 1


def test_a_failed_song_is_a_failure(sim: Simulator, run: Run) -> None:
    sim.faults.arm("task_fails")
    code, failed = run(*SONG, "--yes")
    assert (code, failed["state"], failed["refunded"]) == (3, "failed", None)  # nobody said
    assert failed["paid"] == 20


def test_a_wait_that_ends_early_is_continued(sim: Simulator, run: Run) -> None:
    sim.faults.arm("wrong_type_download", times=None)
    code, late = run(*SONG, "--yes", "--deadline", "0")
    assert (code, late["error"]) == (5, "WaitTimeout")
    assert run(*SONG)[0] == 0
    assert len(sim.request_log.posts) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "rain", "--set", "tgas=jazz"), "did you mean tags?"),
        (("run", "rain", "--set", "tags"), "NAME=VALUE"),
        (("run", "rain", "--set", "mv=a", "--set", "mv=b"), "is repeated"),
        (("run", "rain", "--set", "duration="), "needs a value"),
        (("run", "rain", "--set", "extra=["), "extra"),
        (("run", "rain", "--engine", "sonik"), "engines: sonic"),
        (("run", "rain", "--operation", "Creat"), "not an engine or operation"),
        (("run", "--request", "missing.json"), "there is no file"),
        (("run",), "custom_mode"),
        (("library",), "no library"),
        (("plan", "check", "missing.csv"), "there is no file"),
        (("plan", "check", "plan.xlsx"), ".parquet"),
    ],
)
def test_wrong_usage_sends_nothing(
    sim: Simulator, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, refused = run(*arguments)
    assert code == 2
    assert message in refused["message"]
    assert not sim.request_log.posts


def test_a_request_comes_from_a_file(sim: Simulator, run: Run, tmp_path: Path) -> None:
    sim.faults.arm("wrong_type_download", times=None)
    request = {"engine": "producer", "operation": "Create", "description": "slow jazz"}
    (tmp_path / "request.json").write_text(json.dumps(request), encoding="utf-8")
    code, made = run("run", "--request", str(tmp_path / "request.json"), "--yes")
    assert (code, made["operation"]) == (0, "producer.create")
    (tmp_path / "request.json").write_text("[1]", encoding="utf-8")
    assert run("run", "--request", str(tmp_path / "request.json"))[0] == 2


def test_key_is_not_an_option_and_is_never_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MUSICAPI_KEY", KEY)
    with pytest.raises(SystemExit) as exit_:
        main(["run", "--key", KEY])
    assert exit_.value.code == 2
    capsys.readouterr()
    folder = str(tmp_path / "library")
    assert main(["run", "rain", "--simulator", "--json", "--library", folder]) == 3
    output = "".join(capsys.readouterr())
    assert "simulator" in output
    assert KEY not in output
    with Library(folder) as library:
        assert not library.entries()


def test_text_of_the_service_cannot_steer_a_terminal(
    sim: Simulator, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sim.faults.arm("wrong_type_download", times=None)
    title = "\x1b[31mRed\x07 \u202e"
    folder = ["--library", str(tmp_path / "library")]
    main(["run", "--set", "lyrics=rain", "--set", f"title={title}", "--yes", *folder])
    main(["library", "list", *folder])
    output = "".join(capsys.readouterr())
    assert "Red" in output
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", output.replace("\r", ""))


# --- plans -----------------------------------------------------------------------------------

TEXT = ("--set", "gpt_description_prompt={topic}, jazz")


def write(path: Path, *lines: str) -> str:
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_problems_of_a_plan_name_their_rows(run: Run, tmp_path: Path) -> None:
    rows = ["topic,mv,duration", "a harbour,sonic-v5,30", "NA,sonic-v5,soon", "a pier,sonic-v5,"]
    code, checked = run("plan", "check", write(tmp_path / "plan.csv", *rows), *TEXT)
    assert code == 1
    (problem,) = [problem for problem in checked["problems"] if problem["hard"]]
    assert (problem["rows"], problem["field"]) == ([2], "duration")
    code, checked = run(
        "plan", "check", write(tmp_path / "b.csv", "description", "rain", "a {mood}")
    )
    assert (code, checked["requests"]) == (1, None)
    assert checked["problems"][0]["rows"] == [2]


def test_csv_and_parquet_make_the_same_plan(run: Run, tmp_path: Path) -> None:
    rows = ["topic,mv,instrumental,duration", "sea,sonic-v5,true,30", "007,sonic-v4,false,40"]
    frame = pd.DataFrame(
        {
            "topic": ["sea", "007"],
            "mv": ["sonic-v5", "sonic-v4"],
            "instrumental": [True, False],
            "duration": [30, 40],
        }
    )
    frame.to_parquet(tmp_path / "plan.parquet")
    options = (*TEXT, "--repeats", "2", "--balance", "70")
    results = [
        run("plan", "dry-run", str(path), *options)
        for path in (write(tmp_path / "plan.csv", *rows), tmp_path / "plan.parquet")
    ]
    assert results[0] == results[1]
    code, dry_run = results[0]
    assert (code, dry_run["requests"], dry_run["credits"], dry_run["songs"]) == (0, 4, 80, 8)
    assert (dry_run["rounds"], dry_run["rounds_covered"]) == (2, 1)


def test_rows_may_be_of_several_operations(run: Run, tmp_path: Path) -> None:
    rows = [
        "engine,operation,description,model",
        "sonic,Create,a harbour,sonic-v5",
        "producer,Create,a pier,",
        "sonic,Create,a lighthouse,sonic-v55",
    ]
    code, checked = run("plan", "check", write(tmp_path / "plan.csv", *rows))
    assert (code, checked["requests"]) == (0, 3)
    models = [problem for problem in checked["problems"] if "sonic-v55" in problem["message"]]
    assert models[0]["rows"] == [3]
    rows[2] = "produzer,Create,a pier,"
    code, refused = run("plan", "check", write(tmp_path / "plan.csv", *rows))
    assert (code, refused["message"].split(":")[0]) == (2, "row 2")


@pytest.mark.parametrize(
    ("dtype", "last"), [("Int64", 2**53 + 1), ("float64", 6), ("object", 2**53 + 1)]
)
def test_the_format_of_a_plan_changes_no_number(tmp_path: Path, dtype: str, last: int) -> None:
    plan = pd.DataFrame({
        "operation": ["sonic.Create", "sonic.Create", "lyrics.Make"],
        "description": ["harbour {pier}", "harbour {pier}", "rain"],
        "pier": pd.Series([5, last, None], dtype=dtype),  # float64: pandas has 5.0
    })  # fmt: skip
    plan.to_csv(tmp_path / "plan.csv", index=False)
    table = pa.Table.from_pandas(plan, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), tmp_path / "plan.parquet")  # as by others
    expected = [
        lyrics.Make(description="rain"),
        *(sonic.Create(f"harbour {pier}") for pier in (5, last)),
    ]
    for name in ("plan.csv", "plan.parquet"):
        options = argparse.Namespace(
            plan=str(tmp_path / name), engine=None, operation=None, fields=[], repeats=1, seed=0
        )
        requests = [cell.request for cell in read_plan(options).checked()]
        assert sorted(map(repr, requests)) == sorted(map(repr, expected))
