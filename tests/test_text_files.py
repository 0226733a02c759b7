"""Check that all code states the encoding of text files: it would be another one on Windows."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("musicapi_nb", "tests", "scripts", "benchmarks")
# `open(path)` and `Path("...").open()` are checked by Ruff, which does not know the types of names.
_TEXT_MODES = frozenset({"r", "w", "a", "x", "r+", "w+", "a+", "x+"})
_ENCODING_POSITION = {"read_text": 0, "write_text": 1}


def calls_without_encoding(code: str) -> Iterator[int]:
    """Yield the lines of methods that read or write text in the encoding of the system."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if any(keyword.arg == "encoding" for keyword in node.keywords):
            continue
        match node.func.attr, node.args:
            case ("read_text" | "write_text") as method, arguments:
                if len(arguments) <= _ENCODING_POSITION[method]:
                    yield node.lineno
            case "open", [ast.Constant(value=mode)] if mode in _TEXT_MODES and not node.keywords:
                yield node.lineno


def test_methods_that_read_or_write_text_state_its_encoding() -> None:
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    places = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in [*paths, ROOT / "conftest.py"]
        for line in calls_without_encoding(path.read_text(encoding="utf-8"))
    ]
    assert places == [], "pass encoding='utf-8'"


@pytest.mark.parametrize(
    "code",
    ["p.read_text()", "p.write_text('')", "p.write_text('', errors='ignore')", "p.open('a')"],
)
def test_the_check_finds_calls_without_encoding(code: str) -> None:
    assert list(calls_without_encoding(f"\n{code}")) == [2]


@pytest.mark.parametrize(
    "code",
    ["p.read_text('ascii')", "p.write_text('', encoding='utf-8')", "p.open('rb')", "p.open()"],
)
def test_the_check_accepts_an_encoding_and_bytes(code: str) -> None:
    assert list(calls_without_encoding(code)) == []
