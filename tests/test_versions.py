"""Versions of Python and of other packages: what older and newer ones need, and refuse."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_OLDER = "import sys; sys.version_info = (3, 10, 13, 'final', 0); sys.version = '3.10.13 (main)'; "
_SENTENCE = (
    "musicapi_nb needs Python 3.11 or newer, and this is Python 3.10.13: run it with a newer one, "
    "such as python3.12"
)


def _run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_older_python_is_refused_in_a_sentence() -> None:
    process = _run(f"{_OLDER} import musicapi_nb")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == f"ImportError: {_SENTENCE}"
    assert PROJECT["requires-python"] == ">=3.11"


def test_command_line_has_no_traceback_on_an_older_python() -> None:
    process = _run(f"{_OLDER} sys.argv = ['-m', 'library']; import musicapi_nb")  # as runpy does
    assert (process.returncode, process.stderr) == (1, f"{_SENTENCE}\n")


def test_older_python_can_read_the_refusal() -> None:
    source = (ROOT / "musicapi_nb" / "__init__.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 8))
    first = [ast.unparse(node) for node in ast.parse(source).body[1:4]]
    assert first[:2] == ["from __future__ import annotations", "import sys"]
    assert first[2].startswith("if sys.version_info < (3, 11):")


def _texts() -> dict[Path, list[str]]:
    return {
        path: [
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        for folder in ("musicapi_nb", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }


def test_no_sql_numbers_its_placeholders() -> None:
    # Python 3.12.0 to 3.12.3 warn of `?1` with a sequence of values, and warnings are errors here.
    numbered = re.compile(r"[=(, ]\?[0-9]+\b")
    for path, texts in _texts().items():
        assert not [text for text in texts if numbered.search(text)], path
