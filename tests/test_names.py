"""Check that the package and its tests name things plainly; CONTRIBUTING states the rules."""

import ast
import collections
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]

# Words that say nothing about a value: use the noun of its type instead.
FILLER = """
    asked drawn each every first_one found given got heard here it kept known laid left_over made
    many meant more most none odd one other own place put said same seen shown some such taken that
    there these thing things this those told wanted what whatever who whole whom whose words stuff
    at
"""
# Participles, adverbs and prepositions that say nothing about what a function returns or does.
VAGUE = """
    added after alike answered asked before behind beside between boxed called carried claimed
    counted drawn drawn_in ended fated found given heard joined kept known laid listed looked made
    meant named noted past plainly put read_ reduced said seen shown spelled spoken stated taken
    told told_apart uncut understood wanted worn
"""
FILLER_WORDS = frozenset(FILLER.split())
VAGUE_FUNCTIONS = frozenset(VAGUE.split())


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def notebook_code(path: Path) -> str:
    """Return the code of all cells, with an empty line for each magic."""
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    lines = "\n".join(code).splitlines()
    return "\n".join("" if line.startswith("%") else line for line in lines)


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield each variable, argument and loop target with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg) and node.arg not in {"self", "cls"}:
            yield node.arg, node.lineno


def filler_names(folder: str) -> tuple[list[str], int]:
    """Return the places of filler names, and the number of all bound names."""
    places: list[str] = []
    total = 0
    for path in sources(folder):
        for name, line in bound_names(ast.parse(path.read_text(encoding="utf-8"))):
            if name == "_":
                continue
            total += 1
            if name.strip("_") in FILLER_WORDS:
                places.append(f"{path.relative_to(ROOT)}:{line}: {name}")
    return places, total


@pytest.mark.parametrize(("folder", "limit"), [("musicapi_nb", 0.015), ("tests", 0.03)])
def test_variables_are_named_after_what_they_hold(folder: str, limit: float) -> None:
    places, total = filler_names(folder)
    assert len(places) <= limit * total, f"{len(places)} of {total}:\n" + "\n".join(places[:40])


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem
)
def test_variables_of_notebooks_are_named_after_what_they_hold(path: Path) -> None:
    tree = ast.parse(notebook_code(path))
    names = {name for name, _ in bound_names(tree)}
    assert names
    filler = names & FILLER_WORDS
    assert not filler


def test_private_functions_say_what_they_do() -> None:
    vague = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in sources("musicapi_nb")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("_")
        and node.name.strip("_") in VAGUE_FUNCTIONS
    ]
    assert len(vague) <= 10, "\n".join(vague)


def test_module_names_are_rarely_used_twice() -> None:
    folders = collections.defaultdict(list)
    for path in sources("musicapi_nb"):
        if not path.stem.startswith("__"):
            folders[path.stem.lstrip("_")].append(str(path.parent.relative_to(ROOT)))
    doubled = {stem: paths for stem, paths in folders.items() if len(paths) > 1}
    assert len(doubled) <= 8, doubled


def test_modules_stay_short() -> None:
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources("musicapi_nb")
    }
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines" for path, lines in lengths.items() if lines > 420
    ]
    assert not long, "\n".join(long)


def test_the_check_finds_a_filler_name() -> None:
    tree = ast.parse("def f(told):\n    for each in told:\n        found = [x for x in each]\n")
    names = {name for name, _ in bound_names(tree)}
    assert names & FILLER_WORDS == {"told", "each", "found"}
    assert "x" in names
