"""What a run without a browser or its tools left out is said at its end, with the reasons."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_TESTS = """\
import pytest

@pytest.mark.browser
def test_with_a_browser():
    pytest.skip("there is no chromium")

@pytest.mark.browser
def test_of_accessibility():
    assert True
    pytest.skip("axe-core is not installed; run npm ci")

def test_of_another_kind():
    pytest.skip("Windows cannot fork")
"""


def test_skipped_browser_tests_are_listed_with_their_reasons(tmp_path: Path) -> None:
    shutil.copy(_ROOT / "conftest.py", tmp_path)
    shutil.copytree(_ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "test_some.py").write_text(_TESTS, encoding="utf-8")
    options = ("-q", "-c", "none.toml", "-o", "pythonpath=scripts", "-o", "markers=browser")
    (tmp_path / "none.toml").touch()
    command = [sys.executable, "-m", "pytest", *options, "test_some.py"]
    process = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},  # of the plugins that conftest.py loads
        capture_output=True,
        text=True,
        check=False,
    )
    text = process.stdout
    assert "2 tests in JupyterLab and Chromium were NOT RUN, or not to their end:" in text
    end = text[text.index("NOT RUN, or") :]
    assert "\n  axe-core is not installed; run npm ci\n  there is no chromium\n" in end
    assert "Windows" not in end
