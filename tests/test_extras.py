"""Extras: what works without one, and the error that names a missing one."""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import musicapi_nb as mnb
from musicapi_nb import errors, extras
from tests import extra_calls

ROOT = Path(__file__).parents[1]
PACKAGE = Path(mnb.__file__).parent  # of the checkout, or installed

# --- the table, pyproject.toml and the docstrings agree --------------------------------------


def _declared() -> dict[str, set[str]]:
    """Return the packages of each extra of pyproject.toml, and of none: ""."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = {**project["optional-dependencies"], "": project["dependencies"]}
    return {
        name: {re.split(r"[\[<>=!~ ]", row)[0] for row in rows}
        for name, rows in requirements.items()
    }


def test_table_and_pyproject_have_the_same_extras() -> None:
    declared = _declared()
    assert {*extras.PACKAGES, "lab", "all", ""} == {*declared}
    for extra, packages in extras.PACKAGES.items():
        assert set(packages) == declared[extra]
        assert not set(packages) & declared[""]


def test_extra_all_includes_every_other_extra() -> None:
    rows = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (row,) = rows["optional-dependencies"]["all"]
    named = set(re.findall(r"\w+", row.partition("[")[2]))
    assert named == {*extras.PACKAGES, "lab"}


def _functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(PACKAGE)}: {node.name}", node


def test_docstrings_name_the_extras_that_are_required() -> None:
    """Each documented function that requires an extra says so, and no other says it."""
    number = 0
    for place, node in _functions():
        doc = " ".join((ast.get_docstring(node) or "").split())
        says = set(re.findall(r"(?i)needs the extra `(\w+)`", doc))
        calls = [call for call in ast.walk(node) if isinstance(call, ast.Call)]
        required = {
            call.args[0].value  # type: ignore[attr-defined]
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id == "require_extra"
        }
        number += bool(says)
        if says or (required and len(doc) > 200 and not node.name.startswith("_")):
            assert says == required, place
    assert number >= 20


def test_every_public_function_has_a_call() -> None:
    calls = {name for group in extra_calls.CALLS.values() for name in group}
    of_the_session = {"connect", "enable_nested_asyncio", "load_ipython_extension"}
    for name in mnb.__all__:
        if inspect.isfunction(getattr(mnb, name)) and name not in of_the_session:
            assert name in calls


# --- without extras, and with one alone ------------------------------------------------------

# A process in which the packages of the extras cannot be imported; then those of one extra after
# the other can, and no longer when it has been tried, unless the next ones need them as well.
_CODE = """
import inspect, io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from musicapi_nb.extras import PACKAGES
blocked = {name for packages in PACKAGES.values() for name in packages}
sys.modules.update(dict.fromkeys(blocked))
from tests import extra_calls
import musicapi_nb as mnb
from musicapi_nb.cli import main
results = {}
with extra_calls.make_scene() as scene:
    results["none"] = extra_calls.outcomes(scene, extra_calls.CALLS)
    results["members"] = [name for name, _ in inspect.getmembers(mnb)] == dir(mnb)
    with redirect_stderr(io.StringIO()) as stderr:
        code = main(["report", "weights", "plan.csv"])
    results["command"] = [code, stderr.getvalue()]
    from IPython.core.completer import provisionalcompleter
    from IPython.core.interactiveshell import InteractiveShell
    shell = InteractiveShell.instance(colors="nocolor")
    shell.user_ns.update(mnb=mnb, run=scene.run)
    for cell in ("mnb.plots.effects", "from musicapi_nb.plots import effects", "run.effects('mv')"):
        with redirect_stdout(io.StringIO()) as stdout:
            shell.run_cell(cell)
        results[cell] = stdout.getvalue()
    with provisionalcompleter():
        results["completion"] = [
            completion.text
            for code in ("mnb.plots.eff", "mnb.effe")
            for completion in shell.Completer.completions(code, len(code))
        ]
    for extra, own, shared in (
        ("upload", "fsspec", "fsspec"),
        ("export", "mutagen", ""),
        ("plots", "matplotlib", ""),
        ("analysis", "scipy networkx", "scipy"),
        ("audio", "loky cloudpickle", "cloudpickle"),
        ("scale", "dask distributed", ""),
    ):
        for name in own.split():
            del sys.modules[name]
        results |= extra_calls.outcomes(scene, [extra])
        sys.modules.update(dict.fromkeys({*own.split()} - {*shared.split()}))
sys.__stdout__.write("\\n" + json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = str(tmp_path_factory.mktemp("home"))
    process = subprocess.run(
        [sys.executable, "-c", _CODE],
        env=os.environ
        | {"HOME": home, "IPYTHONDIR": home, "MPLCONFIGDIR": home}
        | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    results: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return results


def test_calls_without_extras_work_or_name_the_extra(results: dict[str, Any]) -> None:
    free = extra_calls.CALLS[""]
    assert results["none"][""] == dict.fromkeys(free, extra_calls.WORKS)
    for extra, packages in extras.PACKAGES.items():
        *others, last = packages
        names = f"{', '.join(others)} and {last} are" if others else f"{last} is"
        pronoun = "them" if others else "it"
        sentence = (
            f'{names} not installed: `pip install "musicapi_nb[{extra}]"` installs {pronoun}.'
        )
        assert results["none"][extra] == dict.fromkeys(extra_calls.CALLS[extra], sentence)


@pytest.mark.parametrize("extra", extras.PACKAGES)
def test_extra_is_sufficient_for_its_calls(results: dict[str, Any], extra: str) -> None:
    assert results[extra] == dict.fromkeys(extra_calls.CALLS[extra], extra_calls.WORKS)


def test_notebook_shows_only_the_line_and_the_error(results: dict[str, Any]) -> None:
    for cell in ("mnb.plots.effects", "from musicapi_nb.plots import effects", "run.effects('mv')"):
        package = "scipy and networkx are" if cell.startswith("run") else "matplotlib is"
        _, code, error = results[cell].strip().splitlines()
        assert code == f"----> 1 {cell}"
        assert error.startswith(f"MissingExtra: {package} not installed: `%pip install ")


def test_names_are_listed_and_completed_without_extras(results: dict[str, Any]) -> None:
    assert results["members"]
    assert results["completion"] == ["effects", "effects"]


def test_command_reports_a_missing_extra_as_a_usage_error(results: dict[str, Any]) -> None:
    code, text = results["command"]
    assert code == 2
    assert text.startswith("scipy and networkx are not installed: ")
    assert text.count("\n") == 1


def test_missing_extra_is_a_package_error_and_an_import_error() -> None:
    assert issubclass(errors.MissingExtra, errors.MusicAPIError)
    assert issubclass(errors.MissingExtra, ImportError)
    assert extras.missing_extra("plots") is None
