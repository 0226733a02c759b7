"""A pytest plugin that fails a run which leaves temporary files behind, and names the tests."""

import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from xdist.workermanage import WorkerController

_SECONDS = 10  # for processes that are ending
_FIRST_SEEN = pytest.StashKey[dict[str, str]]()
_LEFT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIRST_SEEN] = {}
    config.stash[_LEFT] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """Record the test after which a file first exists; a shared fixture may have made it."""
    try:
        return (yield)
    finally:
        for name in _names():
            item.config.stash[_FIRST_SEEN].setdefault(name, item.nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    output = getattr(node, "workeroutput", {})  # a worker that crashed has none
    node.config.stash[_LEFT] += output.get("temporary files", [])


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    stash, left = session.config.stash, _names()
    end = time.monotonic() + _SECONDS
    while left and time.monotonic() < end:
        time.sleep(0.1)
        left = _names()
    stash[_LEFT] += [f"{name}, after {stash[_FIRST_SEEN].get(name, 'the tests')}" for name in left]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["temporary files"] = stash[_LEFT]
    elif stash[_LEFT] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if left := terminalreporter.config.stash[_LEFT]:
        terminalreporter.section("TEMPORARY FILES LEFT BEHIND", sep="!", red=True, bold=True)
        for line in left:
            terminalreporter.line(line, red=True)


def _names() -> list[str]:
    return sorted(path.name for path in Path(tempfile.gettempdir()).iterdir())
