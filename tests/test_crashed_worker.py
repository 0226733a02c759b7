"""A crashed worker must end the run and name the test; by default, xdist 3.8 waits forever."""

import subprocess
import sys
from pathlib import Path

_CONFIGURATION = Path(__file__).parents[1] / "pyproject.toml"
_CRASH = """\
import os

def test_before(): pass
def test_crash(): os._exit(1)
def test_after(): pass
"""


def test_a_crashed_worker_ends_the_run(tmp_path: Path) -> None:
    for name in ("one", "two", "three", "four"):
        (tmp_path / f"test_{name}.py").write_text("def test_nothing(): pass\n", encoding="utf-8")
    (tmp_path / "test_crash.py").write_text(_CRASH, encoding="utf-8")
    options = (f"--config-file={_CONFIGURATION}", f"--rootdir={tmp_path}", "-p", "no:cacheprovider")
    process = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-n", "2", "--dist=loadfile", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert process.returncode == 1, process.stdout + process.stderr
    assert "crashed while running 'test_crash.py::test_crash'" in process.stdout
