"""Functions of sound files over songs and folders: computed once, whatever happens to a process."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.errors import InvalidArgument, MissingFile, NoAudio
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library import Library, Measure
from musicapi_nb.measures.code_version import code_version
from musicapi_nb.measures.result_values import read_values
from musicapi_nb.measures.worker import Method, measure_file
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Song
from tests.library.helpers import ROOT, acknowledged, looked
from tests.library.helpers import song as song_request
from tests.measured_functions import ending, logged, size
from tests.raw_http_server import DONE


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_files(tmp_path / "sounds", 8)


def make_files(folder: Path, number: int) -> Path:
    """Write files of 1, 2, ... bytes that are named like sound."""
    (folder / "deep").mkdir(parents=True)
    for count in range(1, number + 1):
        parent = folder / "deep" if count % 2 else folder
        (parent / f"{count:03}.mp3").write_bytes(b"x" * count)
    (folder / "notes.txt").write_text("no sound", encoding="utf-8")
    (folder / ".hidden.mp3").write_bytes(b"")
    return folder


def computed(folder: Path) -> list[str]:
    log = folder.parent / "log"
    return sorted(log.read_text(encoding="utf-8").split()) if log.exists() else []


def test_files_of_folders_are_measured_once(library: Library, folder: Path) -> None:
    (folder / "twin.mp3").write_bytes(b"x" * 3)
    options: dict[str, Any] = {"name": "size", "library": library, "workers": 2, "progress": False}
    table = mnb.measure(folder, logged, **options)
    assert list(table.columns) == ["path", "size", "issue"]
    assert list(table.dtypes) == [TEXT, "Int64", TEXT]
    assert [Path(path).stat().st_size for path in table["path"]] == table["size"].tolist()
    assert len(table) == 9
    assert len(computed(folder)) == 8  # the twin has the same content
    assert table["issue"].isna().all()
    pd.testing.assert_frame_equal(mnb.measure(str(folder), logged, **options), table)
    (folder / "new.WAV").write_bytes(b"x" * 50)
    paths = [folder / "new.WAV", folder / "002.mp3"]
    assert mnb.measure(paths, logged, **options)["size"].tolist() == [50, 2]
    assert len(computed(folder)) == 9
    assert [measure.name for measure in library.measures()] == ["size"]


def test_errors_and_crashes_cost_one_song_each(
    library: Library, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def fragile(path: Path) -> float:
        number = logged(path)
        if number == 2:
            raise ValueError("too\n<small>")
        if number == 3:
            os._exit(7)
        if number == 4:
            os.kill(os.getpid(), 9)
        if number == 5:
            raise NoAudio("no sound in it")
        return number / 2 if number > 1 else float("nan")

    table = mnb.measure(folder, fragile, name="half", library=library, workers=1)
    by_name = table.set_index(table["path"].map(lambda path: Path(path).stem))
    end = "exit code 9" if sys.platform == "win32" else "SIGKILL"
    assert by_name["half"].dropna().to_dict() == {"006": 3.0, "007": 3.5, "008": 4.0}
    assert by_name["issue"].dropna().to_dict() == {
        "002": "ValueError: too <small>",
        "003": "the process that measured it ended: exit code 7",
        "004": f"the process that measured it ended: {end}",
        "005": "no sound in it",
    }
    assert "8/8 songs, 4 without a value" in capfd.readouterr().err
    before = computed(folder)
    again = mnb.measure(folder, fragile, name="half", library=library, workers=1)
    pd.testing.assert_frame_equal(again, table)
    # only what may end otherwise is tried again
    assert sorted((*before, "002.mp3", "003.mp3", "004.mp3")) == computed(folder)


def test_killed_process_loses_no_finished_song(tmp_path: Path) -> None:
    folder = make_files(tmp_path / "sounds", 40)
    # no `if __name__ == "__main__"`: a script without it works, too
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time, pathlib\n"
        "import musicapi_nb as mnb\n"
        "log, barrier = map(pathlib.Path, (sys.argv[2], sys.argv[4]))\n"
        "def size(path):\n"
        "    with log.open('a') as lines:\n"
        "        lines.write(path.name + chr(10))\n"
        "    while barrier.exists() and len(log.read_text().split()) >= 10:\n"
        "        time.sleep(0.01)\n"
        "    return path.stat().st_size\n"
        "library = mnb.Library(sys.argv[3])\n"
        "table = mnb.measure(sys.argv[1], size, name='size', library=library, progress=False)\n"
        "print(len(table.dropna(subset='size')))\n",
        encoding="utf-8",
    )
    log, barrier = tmp_path / "log", tmp_path / "barrier"
    barrier.touch()  # until the process has been killed, no file after the tenth is finished
    command = [sys.executable, *map(str, (script, folder, log, tmp_path / "library", barrier))]
    # What a killed process has in its temporary folder stays there.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    wait_until(lambda: len(computed(folder)) >= 10)
    process.kill()
    barrier.unlink()
    process.communicate()
    wait_until(lambda: steady(log))  # the workers have ended, too
    before = len(computed(folder))
    assert before < 40
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "40\n"
    assert len(set(computed(folder))) == 40
    repeated = len(computed(folder)) - 40
    assert repeated <= 2 * (os.cpu_count() or 1)  # those under way, or just ended


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.01)


def steady(log: Path) -> bool:
    size = log.stat().st_size
    time.sleep(0.1)
    return log.stat().st_size == size


def test_interrupt_ends_the_workers_and_keeps_what_is_done(library: Library, folder: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("a console event interrupts there")

    def slow(path: Path) -> int:
        if size(path) == 5:
            time.sleep(600)
        return logged(path)

    def interrupt() -> None:
        wait_until(lambda: len(computed(folder)) == 4)
        wait_until(lambda: len(library.measures()) == 1)
        wait_until(lambda: len(stored()) == 4)
        os.kill(os.getpid(), signal.SIGINT)

    def stored() -> list[tuple[Any, ...]]:
        return library._database.rows("SELECT json_extract(result, '$.slow') FROM measurements")

    files = sorted(folder.rglob("00*.mp3"), key=size)
    started = time.monotonic()
    thread = threading.Thread(target=interrupt)
    # a process that a shell starts in the background ignores Ctrl-C
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt, match="4 of 8 songs are done; the same call"):
            mnb.measure(files, slow, name="slow", library=library, workers=1, progress=False)
    finally:
        signal.signal(signal.SIGINT, handler)
    thread.join()
    assert time.monotonic() - started < 500
    assert sorted(stored()) == [(1,), (2,), (3,), (4,)]
    children = {process.name for process in multiprocessing.active_children()}
    assert children == set()


def test_process_that_may_have_no_children_measures_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers of Dask are such processes."""
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)  # type: ignore[attr-defined]
    table = mnb.measure(folder, lambda _: os.getpid(), name="process", progress=False)
    assert set(table["process"]) == {os.getpid()}


def test_two_processes_measure_the_same_songs(tmp_path: Path) -> None:
    folder = make_files(tmp_path / "sounds", 30)
    code = (
        "import sys, musicapi_nb as mnb\n"
        "def size(path):\n"
        "    return path.stat().st_size\n"
        "library = mnb.Library(sys.argv[2])\n"
        "table = mnb.measure(sys.argv[1], size, name='size', library=library, workers=1)\n"
        "print(table['size'].sum())\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(folder), str(tmp_path / "library")]
    two = [
        subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    results = [process.communicate(timeout=180) for process in two]
    assert [output for output, _ in results] == ["465\n"] * 2, results
    with Library(tmp_path / "library") as library:
        assert library._database.rows("SELECT count(*) FROM measurements") == [(30,)]


def test_versions_are_measures_of_their_own(library: Library, folder: Path) -> None:
    options: dict[str, Any] = {"name": "size", "library": library, "workers": 1, "progress": False}
    files = [folder / "002.mp3", folder / "004.mp3"]
    versions: list[tuple[Callable[[Path], Any], str | None, list[Any]]] = [
        (size, None, [2, 4]),
        (lambda path: path.stat().st_size * 10, None, [20, 40]),
        (lambda path: "far" if path.stat().st_size > 3 else 5, "v3", ["5", "far"]),
        (lambda _: None, "v3", ["5", "far"]),  # the version says that nothing has changed
        (size, None, [2, 4]),
    ]
    for function, version, expected in versions:
        table = mnb.measure(files, function, version=version, **options)
        assert table["size"].tolist() == expected
    assert library._database.rows("SELECT count(*) FROM measurements") == [(6,)]
    for wrong in ("", 5, "x" * 200):
        with pytest.raises(InvalidArgument, match="version must be a text"):
            mnb.measure(files, len, version=wrong, **options)  # type: ignore[arg-type]


def test_mappings_are_columns_with_the_name_of_the_measure(library: Library, folder: Path) -> None:
    def judge(path: Path) -> dict[str, Any]:
        number = size(path)
        return {"score": number / 4, "loud": number > 2, "word": "yes", "none": None}

    files = [folder / "002.mp3", folder / "004.mp3"]
    table = mnb.measure(files, judge, name="judge", library=library, workers=1, progress=False)
    assert table.dtypes.iloc[1:-1].to_dict() == {
        "judge_score": "float64",
        "judge_loud": "boolean",
        "judge_word": TEXT,
        "judge_none": "float64",
    }
    assert table["judge_loud"].tolist() == [False, True]


# --- sources -------------------------------------------------------------------------------


def test_songs_of_a_session_are_downloaded_for_free(tmp_path: Path) -> None:
    simulator = Simulator(seconds=(1, 1.2), speed=3000, seed=1)
    fault = simulator.faults.arm("wrong_type_download", times=None)
    api = mnb.connect(simulator=simulator, library=tmp_path / "library")
    library = api.library
    assert library is not None
    plan = mnb.Plan.grid(
        sonic.Create,
        base={"custom_mode": False, "gpt_description_prompt": "rain"},
        factors={"mv": ["sonic-v5", "sonic-v4-5"]},
    )
    run = api.experiment("rain", plan)
    run.start().result()
    songs = [song for task in run.tasks() for song in task.songs]
    assert library.missing_files(["audio"])
    simulator.faults.disarm(fault)
    posts = len(simulator.request_log.posts)

    first = mnb.measure(songs[0], ending, name="ending", workers=1, progress=False)
    assert first["ending"].tolist() == [".mp3"], first["issue"].iloc[0]
    fault = simulator.faults.arm("wrong_type_download", times=None)
    table = mnb.measure(run, ending, name="ending", workers=1, progress=False)
    assert list(table.columns[:5]) == ["cell", "block", "take", "mv", "task_id"]
    assert list(table.columns[-3:]) == ["title", "ending", "issue"]
    assert table["ending"].fillna("").tolist() == [".mp3", "", "", ""]
    assert table["issue"].isna().tolist() == [True, False, False, False]
    simulator.faults.disarm(fault)
    table = mnb.measure(run, ending, name="ending", workers=1, progress=False)
    assert table["ending"].tolist() == [".mp3"] * 4
    pd.testing.assert_series_equal(run.measures()["ending"], table["ending"])
    selected = mnb.measure(run.songs().iloc[1:3], ending, name="ending", progress=False)
    pd.testing.assert_frame_equal(selected, table.iloc[1:3].reset_index(drop=True))
    assert len(simulator.request_log.posts) == posts
    assert {file.media for file in library.missing_files()} == {"image"}
    api.close()


def test_songs_of_a_session_without_library_are_downloaded_each_time() -> None:
    api = mnb.connect(simulator=Simulator(seconds=(1, 1.2), speed=3000, seed=1), library=False)
    job = api.run("rain")
    job.result()

    def read(path: Path) -> int:
        time.sleep(0.2)  # the last download has ended by now
        return len(path.read_bytes())

    tables = [mnb.measure(job, read, name="length", workers=2, progress=False) for _ in range(2)]
    assert tables[0]["issue"].isna().all()
    assert tables[0]["length"].gt(1000).all()
    pd.testing.assert_frame_equal(tables[0], tables[1])
    api.close()


def test_songs_without_sound_are_rows_that_say_why() -> None:
    failed = looked(
        acknowledged(song_request(), "t1"), {"type": "api_error", "message": "no <luck>"}
    )
    pending = acknowledged(song_request(), "t2")
    done = looked(acknowledged(song_request(), "t3"), DONE)
    table = mnb.measure([failed, pending, done], ending, name="ending", progress=False)
    assert table["task_id"].tolist()[:3] == ["t1", "t2", "t3"]
    assert table["ending"].isna().all()
    assert str(table["ending"].dtype) == "float64"
    assert table["issue"].tolist()[:3] == [
        "no <luck>",
        "No audio yet: the song is still being made.",
        "no file in the library, and no session is open to download it",
    ]
    empty = mnb.measure([], ending, name="ending", progress=False)
    assert list(empty.columns) == list(table.columns)
    assert empty.dtypes.equals(table.dtypes)


def test_without_a_library_values_last_as_long_as_the_process(folder: Path) -> None:
    table = mnb.measure(folder, logged, workers=1, progress=False)
    assert "logged" in table  # the name of the function
    again = mnb.measure(folder, logged, name="logged", workers=1, progress=False)
    pd.testing.assert_frame_equal(table, again)
    assert len(computed(folder)) == 8


def test_read_only_library_is_read_and_not_written(
    tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [folder / "002.mp3", folder / "004.mp3"]
    with Library(tmp_path / "l") as library:
        mnb.measure(files[:1], logged, name="size", library=library, workers=1, progress=False)
        library._database.read_only = True  # as if the folder could not be written
        for _ in range(2):
            table = mnb.measure(
                files, logged, name="size", library=library, workers=1, progress=False
            )
            assert table["size"].tolist() == [2, 4]
            assert str(table["size"].dtype) == "Int64"
        assert library._database.rows("SELECT count(*) FROM measurements") == [(1,)]
    assert computed(folder) == ["002.mp3", "004.mp3"]
    assert [record.message for record in caplog.records if "not stored" in record.message][2:] == []
    assert "can only be read" in caplog.text


def test_wrong_arguments_are_refused_before_anything_is_computed(
    library: Library, folder: Path
) -> None:
    for name in (
        "",
        "two words",
        "1st",
        "title",
        "cell",
        "lambda",
        "audio_features",
        "_x",
        "tempo",
        "x" * 101,
        5,
    ):
        with pytest.raises(InvalidArgument, match=r"name must be letters|choose another name"):
            mnb.measure(folder, logged, name=name, library=library)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=r"name must be .*, not '<lambda>'"):
        mnb.measure(folder, lambda _: 5, library=library)
    with pytest.raises(InvalidArgument, match="function must be callable"):
        mnb.measure(folder, 5, name="size", library=library)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="number of processes"):
        mnb.measure(folder, logged, name="size", workers=0)
    with pytest.raises(InvalidArgument, match="library must be a Library"):
        mnb.measure(folder, logged, name="size", library="songs")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match=r"distributed\.Client"):
        mnb.measure(folder, logged, name="size", library=library, client="tcp://here")
    lock = threading.Lock()
    with pytest.raises(InvalidArgument, match="cannot be sent to a worker"):
        mnb.measure(folder, lambda _: lock.locked(), name="size", library=library)
    with pytest.raises(MissingFile, match="there is no file"):
        mnb.measure(str(folder / "absent.mp3"), logged, name="size")
    (folder / "empty").mkdir()
    with pytest.raises(MissingFile, match="has no sound file"):
        mnb.measure(folder / "empty", logged, name="size")
    with pytest.raises(InvalidArgument, match="songs come from"):
        mnb.measure(5, logged, name="size")
    assert computed(folder) == []
    assert library.measures() == []  # tables show what they showed before


def test_unsupported_result_is_refused_at_once(folder: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"must return a number, a text.*this one is a list"):
        mnb.measure(folder, lambda path: [path.name], name="size", workers=1, progress=False)


# --- values and versions -------------------------------------------------------------------


def test_values_are_converted_to_plain_types() -> None:
    values = {
        "a": np.float32(0.5),
        "b": np.int64(3),
        "c": np.bool_(True),
        "d": np.array(2.5),
        "e": float("nan"),
        "f": float("inf"),
        "g": pd.NA,
        "h": pd.NaT,
        "i": 2**70,
        "j": np.str_("x"),
        "k": "",
    }
    expected = [0.5, 3, True, 2.5, None, None, None, None, 2.0**70, "x", ""]
    result = read_values("m", values, prefix=False)
    assert list(result.values()) == expected
    assert [type(value) for value in result.values()] == [type(value) for value in expected]
    assert read_values("m", {"a": 1}) == {"m_a": 1}
    assert read_values("m", {}) == {}
    assert read_values("m", None) == {"m": None}
    for wrong in (
        [1],
        (1,),
        {"a": {"b": 1}},
        {"a b": 1},
        {"a" * 101: 1},
        {1: 2},
        1j,
        b"x",
        np.arange(2),
        {1, 2},
    ):
        with pytest.raises(InvalidArgument, match="a measure must return"):
            read_values("m", wrong)


def test_error_of_a_function_is_one_escaped_line() -> None:
    def fail(_: Path) -> None:
        raise RuntimeError("a\x1b[31m\nb" + "x" * 1000)

    outcome = measure_file(Method("m", fail), Path("x"))
    assert outcome.error is not None
    assert "\n" not in outcome.error
    assert "\x1b" not in outcome.error
    assert len(outcome.error) <= 501
    assert not outcome.final


_LIMIT = 3


def _scale(size: int) -> int:
    return size * _LIMIT


def test_version_follows_the_code_and_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(factor: int) -> Callable[[Path], int]:
        return lambda path: path.stat().st_size * factor

    def uses_global(path: Path) -> int:
        return _scale(path.stat().st_size)

    assert code_version(make(2)) == code_version(make(2))
    assert code_version(make(2)) != code_version(make(3))
    before = code_version(uses_global)
    monkeypatch.setitem(globals(), "_LIMIT", 4)
    assert code_version(uses_global) != before  # a constant of a function that it calls
    monkeypatch.setitem(globals(), "_LIMIT", 3)
    assert code_version(uses_global) == before
    namespaces: list[dict[str, Any]] = [{}, {}, {}]
    codes = (
        "def f(path, a=1):\n    return a in {'x', 'y', 'z'}\n",
        "# moved\n\ndef f(path, a=1):\n    return a in {'x', 'y', 'z'}  # with a comment\n",
        "def f(path, a=2):\n    return a in {'x', 'y', 'z'}\n",
    )
    for code, namespace in zip(codes, namespaces, strict=True):
        exec(code, namespace)  # noqa: S102 - as a notebook does
    versions = [code_version(namespace["f"]) for namespace in namespaces]
    assert versions[0] == versions[1] != versions[2]


def test_version_is_the_same_in_every_process() -> None:
    code = (
        "import functools\n"
        "from musicapi_nb.measures.code_version import code_version\n"
        "LIMIT = ('a', 2.5)\n"
        "@functools.cache\n"
        "def model(): return LIMIT\n"
        "def f(path): return path in {'x', 'y', 'z'} and model() and f\n"
        "class Judge:\n"
        "    def __init__(self): self.limit = 5\n"
        "    def __call__(self, path): return self.limit\n"
        "    def score(self, path): return -self.limit\n"
        "print(*map(code_version, (f, len, functools.partial(f, 1), Judge(), Judge().score)))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(set(outputs.pop().split())) == 5


def test_song_is_measured_by_its_file(library: Library) -> None:
    """A library's own songs need no session; a measure of another name is a column of its own."""
    song = Song(id="c1", task_id="t1", state="succeeded")
    path = library.temporary_path()
    path.write_bytes(b"12345")
    library.attach(song, "audio", library.add_file(path, ".mp3"))
    for name in ("size", "again"):
        table = mnb.measure(song, size, name=name, library=library, workers=1, progress=False)
        assert table[name].tolist() == [5]
    assert library.measured_values([song]) == [{"again": 5, "size": 5}]
    assert all(isinstance(item, Measure) for item in library.measures())
