"""Fixtures for pytest: ``pytest_plugins = ["musicapi_nb.testing"]`` in a conftest.py or a test.

Code under test cannot spend credits: while a test uses a fixture of this module, there is no key
in the environment, and `connect()` reaches the simulator.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from musicapi_nb import library
from musicapi_nb.notebook import Session, connect
from musicapi_nb.notebook._connect import SIMULATOR_VARIABLE
from musicapi_nb.notebook.session_html import KEY_VARIABLE
from musicapi_nb.simulator import EmbeddedSimulator, Simulator

_SPEED = 3000.0  # songs of minutes are ready after some hundredths of a second


@pytest.fixture
def musicapi_simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Simulator]:
    """Run a fast simulator, to which `connect()` connects; a library that nobody names is new.

    Songs last 1 to 1.5 s. `faults.arm` makes it fail, and `request_log.paid` lists what was bought.
    """
    simulator = Simulator(speed=_SPEED, balance=100_000, seconds=(1.0, 1.5))

    def default_folder(name: str = library.LIBRARY) -> Path:
        return tmp_path / name

    with EmbeddedSimulator(simulator):
        monkeypatch.delenv(KEY_VARIABLE, raising=False)
        monkeypatch.setenv(SIMULATOR_VARIABLE, simulator.url)
        for module in ("musicapi_nb.library", "musicapi_nb.library.library"):
            monkeypatch.setattr(f"{module}.default_folder", default_folder)
        yield simulator


@pytest.fixture
def musicapi_session(musicapi_simulator: Simulator) -> Iterator[Session]:
    """Connect to `musicapi_simulator`, with a new library in the test's `tmp_path`."""
    with contextlib.redirect_stdout(io.StringIO()):  # the test's own output is the user's
        session = connect(simulator=musicapi_simulator.url)
    with session:
        yield session
