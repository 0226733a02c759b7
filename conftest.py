"""What holds for every test run: no key, folders of its own, a loud word on what did not run."""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
import sandbox
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_FOLDERS = pytest.StashKey[Path]()


class _ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """
    A file's tests stay together on one worker, and browser tests in two halves.

    A notebook's cells share a kernel; each half shares one JupyterLab and one Chromium.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if not file.startswith("tests/browser/"):
            return file
        return f"tests/browser: {'a to f' if Path(file).stem < 'test_g' else 'g to z'}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByFile(config, log)


def pytest_configure(config: pytest.Config) -> None:
    # Notebooks would buy songs: without a key everything talks to the simulator.
    for name in ("MUSICAPI_KEY", "MUSICAPI_SIMULATOR"):
        os.environ.pop(name, None)
    config.stash[_FOLDERS] = Path(tempfile.mkdtemp(prefix="musicapi-nb-tests-"))
    os.environ.update(sandbox.environment(config.stash[_FOLDERS]))
    _leave_nothing_beside_notebooks(config.stash[_FOLDERS])


def _leave_nothing_beside_notebooks(folder: Path) -> None:
    """Let nbval's kernels work elsewhere: a library beside a notebook would outlive the run."""
    startup = Path(os.environ["IPYTHONDIR"]) / "profile_default" / "startup"
    startup.mkdir(parents=True)
    # Only nbval starts kernels in the notebooks' own folder; others chose theirs.
    code = f"""import os
if os.path.samefile(".", {str(Path(__file__).parent / "notebooks")!r}):
    os.chdir({str(folder)!r})
"""
    (startup / "elsewhere.py").write_text(code)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_FOLDERS], ignore_errors=True)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None, None, None]:
    yield  # everything else first: only the line that counts the tests comes after this
    skipped = terminalreporter.stats.get("skipped", [])
    not_run = [report for report in skipped if "browser" in report.keywords]
    if not_run:
        terminalreporter.section("NOT RUN: browser tests", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(not_run)} tests in JupyterLab and Chromium were NOT RUN: no chromium,"
            " chromium-browser or google-chrome on PATH.\n"
            "Install one and run again; CI=1 makes this a failure.",
            red=True,
        )
        terminalreporter.section("NOT RUN: browser tests", sep="!", red=True, bold=True)
