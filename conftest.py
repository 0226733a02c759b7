"""Configuration of every test run: no key, separate folders, a warning about tests not run."""

import gc
import itertools
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
import weakref
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import sandbox
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from musicapi_nb.library import database

pytest_plugins = ("tests.temporary_files",)
_FOLDERS = pytest.StashKey[Path]()
_NUMBERS = itertools.count()
_UNCLOSED: list[str] = []
"""The tests that left connections to a library open."""
_CONNECTIONS: "weakref.WeakSet[_WatchedConnection]" = weakref.WeakSet()
# The workers share the processors: threads of one matrix product would wait for each other. Set
# before numpy is imported; kernels and other processes that tests start inherit it.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
# Each process that a test starts would compile the package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Processes that tests start buffer their output, as those of users do.
os.environ.pop("PYTHONUNBUFFERED", None)
# These files take longest, and start first: the last one to end should be a short one.
_LONGEST = (
    "tests/browser/",
    "tests/test_kill.py",
    "notebooks/02",
    "notebooks/",
    "tests/test_docs.py",
    "tests/test_demo.py",
    "tests/test_many_songs.py",
    "tests/test_experiment.py",
    "tests/test_flatten.py",
    "tests/test_surroundings.py",
    "tests/simulator/test_operations.py",
    "tests/test_sequential.py",
    "tests/test_adherence.py",
    "tests/test_substitutions.py",
    "tests/library/test_processes.py",
)
# A busy machine must not fail a property test.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


class _WatchedConnection(database._Connection):  # noqa: SLF001 - all connections use it
    """
    A connection that records its test if it is garbage-collected before it is closed.

    Python 3.13 warns about such connections in whichever test is running at that time.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._test = os.environ.get("PYTEST_CURRENT_TEST", "")
        super().__init__(*arguments, **options)
        _CONNECTIONS.add(self)

    @property
    def is_open(self) -> bool:
        try:
            return self.total_changes >= 0
        except sqlite3.ProgrammingError:
            return False

    def __del__(self) -> None:
        if self.is_open:
            _UNCLOSED.append(self._test)


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """
    Keep the tests of a file on one worker, and split the browser tests into two groups.

    The cells of a notebook share a kernel; each group shares one JupyterLab and one Chromium.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if not file.startswith("tests/browser/"):
            return file
        return f"tests/browser: {'a to f' if Path(file).stem < 'test_g' else 'g to z'}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        places = [place for place, file in enumerate(_LONGEST) if item.nodeid.startswith(file)]
        return min(places, default=len(_LONGEST))

    items.sort(key=rank)


def pytest_configure(config: pytest.Config) -> None:
    # With a key, notebooks would buy songs; without one everything uses the simulator.
    for name in ("MUSICAPI_KEY", "MUSICAPI_SIMULATOR"):
        os.environ.pop(name, None)
    # pytest's own folders, in which those of failed tests stay, are where they always are.
    root = os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    # A short name: the path of a socket below it has at most 104 characters on macOS.
    config.stash[_FOLDERS] = Path(tempfile.mkdtemp(prefix="mnb-", dir=root))
    os.environ.update(sandbox.environment(config.stash[_FOLDERS]))
    _move_temporary_files(config.stash[_FOLDERS] / "tmp")
    # Libraries that no test names are in the home folder.
    os.environ["HOME"] = os.environ["USERPROFILE"] = str(config.stash[_FOLDERS])
    _move_notebook_kernels(config.stash[_FOLDERS])
    database._Connection = _WatchedConnection  # type: ignore[misc]  # noqa: SLF001


@pytest.fixture(autouse=True)
def _no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail at once on names that are not this machine's: a resolver may take seconds to do so."""
    resolve = socket.getaddrinfo

    def resolve_local(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or "localhost"
        if name == "localhost" or name[-1].isdigit() or ":" in name:  # an address
            return resolve(host, *arguments, **options)
        raise socket.gaierror(socket.EAI_NONAME, f"tests look up no name: {name}")

    monkeypatch.setattr(socket, "getaddrinfo", resolve_local)


@pytest.fixture(autouse=True)
def _own_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a home folder, and with it a library, of its own."""
    number = next(_NUMBERS)
    home = request.config.stash[_FOLDERS] / f"home-{number}"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))


@pytest.fixture(autouse=True)
def _sessions_are_closed() -> Iterator[None]:
    """Close the sessions that a test leaves open, which later tests would use, and fail."""
    before = _open_sessions()
    yield
    left = [session for session in _open_sessions() if session not in before]
    for session in left:
        session.close()
    if left:
        pytest.fail(f"the test left sessions open: {left}", pytrace=False)


def _open_sessions() -> list[Any]:
    session = sys.modules.get("musicapi_nb.notebook.session")  # which most tests need not load
    return list(session.open_sessions.values()) if session else []


@pytest.fixture(autouse=True, scope="module")
def _libraries_are_closed() -> Iterator[None]:
    """Fail if libraries of this file, or of an earlier one, were left open."""
    yield
    if any(connection.is_open for connection in _CONNECTIONS):
        gc.collect()  # what something still refers to, such as a session, stays
    unclosed = sorted(set(_UNCLOSED))
    _UNCLOSED.clear()
    if unclosed:
        pytest.fail(f"these tests do not close a library that they open: {unclosed}")


def _move_temporary_files(folder: Path) -> None:
    """Let this process and those that it starts write temporary files below a folder."""
    folder.mkdir()
    os.environ.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)))
    tempfile.tempdir = None  # it is asked for again


def _move_notebook_kernels(folder: Path) -> None:
    """
    Run nbval's kernels in another folder, so that no library is left beside the notebooks.

    Their temporary folders are left to the system, as a user's are, so they are made there, too.
    """
    startup = Path(os.environ["IPYTHONDIR"]) / "profile_default" / "startup"
    startup.mkdir(parents=True)
    # Only nbval starts kernels in the notebooks' folder.
    code = f"""import os, tempfile
if os.path.samefile(".", {str(Path(__file__).parent / "notebooks")!r}):
    os.chdir({str(folder)!r})
    for name in ("TMPDIR", "TEMP", "TMP"):
        os.environ[name] = {str(folder)!r}
    tempfile.tempdir = None
"""
    (startup / "notebook_folder.py").write_text(code, encoding="utf-8")


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_FOLDERS], ignore_errors=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    yield  # print this section last, just before the line that counts the tests
    skipped = terminalreporter.stats.get("skipped", [])
    not_run = [report for report in skipped if "browser" in report.keywords]
    if not_run:
        reasons = sorted({_reason(report) for report in not_run})
        terminalreporter.section("NOT RUN: browser tests", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(not_run)} tests in JupyterLab and Chromium were NOT RUN, or not to their end:\n"
            + "".join(f"  {reason}\n" for reason in reasons)
            + "Install what is missing and run again; CI=1 makes this a failure.",
            red=True,
        )
        terminalreporter.section("NOT RUN: browser tests", sep="!", red=True, bold=True)


def _reason(report: pytest.TestReport) -> str:
    """Return why a test was skipped."""
    *_, text = cast("tuple[str, int, str]", report.longrepr)
    return text.removeprefix("Skipped: ")
