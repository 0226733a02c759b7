"""The code of the page on Colab, with a stand-in for google.colab, on one machine and the next."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import musicapi_nb as mnb
from musicapi_nb.simulator import EmbeddedSimulator, Simulator

_ROOT = Path(__file__).parents[1]
_STAND_IN = _ROOT / "tests" / "colab"
_PAGE = (_ROOT / "docs" / "guides" / "colab.md").read_text(encoding="utf-8")


def _run_page(machine: Path, google_drive: Path, simulator: str) -> str:
    """Run the page in an empty working directory, as on a new machine; return what it prints."""
    machine.mkdir()
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", _PAGE, re.MULTILINE | re.DOTALL))
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=machine,
        env=os.environ
        | {
            "PYTHONPATH": f"{_ROOT}{os.pathsep}{_STAND_IN}",
            "MUSICAPI_SIMULATOR": simulator,
            "COLAB_DRIVE": str(google_drive),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.stderr == ""
    return process.stdout


def test_next_machine_restores_the_songs_at_no_cost(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Colab's machines have Linux")
    google_drive = tmp_path / "My Drive of an account"
    (google_drive / "MyDrive").mkdir(parents=True)
    with EmbeddedSimulator(Simulator(speed=2500, seconds=(1.0, 1.2))) as simulator:
        first = _run_page(tmp_path / "one", google_drive, simulator.url)
        second = _run_page(tmp_path / "two", google_drive, simulator.url)
        assert len(simulator.request_log.paid) == 1
    (titles,) = re.findall(r"^\[.*\]$", first, re.MULTILINE)
    assert titles in second
    with mnb.Library(google_drive / "MyDrive" / "musicapi-library") as library:
        assert library.counts() == {"done": 1}
        assert library.verify() == []
