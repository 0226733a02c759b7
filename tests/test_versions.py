"""Versions of Python and of other packages: errors about old ones, and support of all others."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import musicapi_nb
from musicapi_nb import requirements
from musicapi_nb.requirements import old_dependency

ROOT = Path(__file__).parents[1]
PACKAGE = Path(musicapi_nb.__file__).parent  # of the checkout, or installed
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_OLDER = "import sys; sys.version_info = (3, 10, 13, 'final', 0); sys.version = '3.10.13 (main)'; "
_MESSAGE = (
    "musicapi_nb needs Python 3.11 or newer, and this is Python 3.10.13: "
    "run it with a newer version, such as python3.12"
)


def _run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_older_python_gets_a_one_sentence_error() -> None:
    process = _run(f"{_OLDER} import musicapi_nb")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == f"ImportError: {_MESSAGE}"
    assert PROJECT["requires-python"] == ">=3.11"


def test_command_line_has_no_traceback_on_an_older_python() -> None:
    process = _run(f"{_OLDER} sys.argv = ['-m', 'library']; import musicapi_nb")  # as runpy does
    assert (process.returncode, process.stderr) == (1, f"{_MESSAGE}\n")


def test_version_check_parses_on_older_python() -> None:
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
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
        for folder in (PACKAGE, ROOT / "tests")
        for path in folder.rglob("*.py")
    }


def test_sql_has_no_numbered_placeholders() -> None:
    # Python 3.12.0 to 3.12.3 warn of `?1` with a sequence of values, and warnings are errors here.
    numbered = re.compile(r"[=(, ]\?[0-9]+\b")
    for path, texts in _texts().items():
        assert not [text for text in texts if numbered.search(text)], path


# --- packages that are too old ----------------------------------------------------------------


def _run_beside(folder: Path, installed: dict[str, str], code: str, source: str = "") -> str:
    """Run code beside packages with these versions and this source; return the last line."""
    extras = PROJECT["optional-dependencies"]
    dependencies = [*PROJECT["dependencies"], *extras["analysis"], *extras["plots"]]
    requires = "".join(f"Requires-Dist: {line}\n" for line in dependencies)
    for name, version in {**installed, "musicapi_nb": "0"}.items():
        file = folder / f"{name}-{version}.dist-info" / "METADATA"
        file.parent.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        file.write_text(text + requires * (name == "musicapi_nb"), encoding="utf-8")
    for name, version in installed.items():
        (folder / f"{name}.py").write_text(f"__version__ = {version!r}\n{source}", encoding="utf-8")
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stderr.splitlines()[-1]


def _floor(name: str) -> str:
    lines: list[str] = PROJECT["dependencies"]
    return next(line for line in lines if re.match(rf"{name}\b", line))


@pytest.mark.parametrize(
    ("package", "code"),
    [
        ("aiohttp", "import musicapi_nb; musicapi_nb.connect()"),
        ("pandas", "from musicapi_nb import songs_frame"),
        ("pandas", "from musicapi_nb.frames import flatten"),
        ("numpy", "from musicapi_nb.frames import flatten"),  # fails at the import of pandas
        ("msgspec", "from musicapi_nb import sonic"),
    ],
)
def test_error_names_an_old_package_and_the_upgrade_command(
    tmp_path: Path, package: str, code: str
) -> None:
    assert _run_beside(tmp_path, {package: "0.9"}, code) == (
        f"musicapi_nb.errors.OldDependency: {package} 0.9 is too old for musicapi_nb: "
        f'run `pip install "{_floor(package)}"`, then try again.'
    )


def test_error_says_what_helps_where_pyarrow_refuses_numpy(tmp_path: Path) -> None:
    refusal = "pyarrow requires NumPy 2.0 or newer, found 1.26.4"
    last = _run_beside(
        tmp_path,
        {"pyarrow": "26.0.1"},
        "from musicapi_nb import songs_frame",
        f"raise ImportError({refusal!r})",
    )
    assert last == (
        f"musicapi_nb.errors.OldDependency: pyarrow cannot be imported ({refusal}): run "
        '`pip install "pyarrow<26"`, or `pip install "numpy>=2"` if your other packages allow it, '
        "then try again."
    )


def test_function_that_needs_an_extra_names_an_old_package_of_it(tmp_path: Path) -> None:
    last = _run_beside(tmp_path, {"scipy": "0.9"}, "import musicapi_nb; musicapi_nb.costs([])")
    assert last.startswith(
        "musicapi_nb.errors.OldDependency: scipy 0.9 is too old for musicapi_nb: "
        'run `pip install "scipy>='
    )


def test_command_line_names_all_older_packages(tmp_path: Path) -> None:
    code = "from musicapi_nb.cli import main; main(['library'])"
    assert _run_beside(
        tmp_path, {"aiohttp": "3.8.6", "matplotlib": "3.5", "yarl": "1.2rc1"}, code
    ) == (
        "aiohttp 3.8.6, yarl 1.2rc1 and matplotlib 3.5 are too old for musicapi_nb: run "
        f'`pip install "{_floor("aiohttp")}" "{_floor("yarl")}" "matplotlib>=3.9"`, then try again.'
    )


def test_kernels_are_told_to_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "is_in_ipython", lambda: True)
    monkeypatch.setattr(metadata, "requires", lambda _: ['numpy>=999,<1000; extra == "new"'])
    assert str(old_dependency()) == (
        f"numpy {metadata.version('numpy')} is too old for musicapi_nb: "
        'run `%pip install "numpy<1000,>=999"`, then restart the kernel.'
    )
    assert old_dependency("pandas") is None


def test_copied_versions_are_those_of_the_project() -> None:
    for name, numbers in requirements.LOWEST.items():
        assert _floor(name) == f"{name}>={'.'.join(map(str, numbers))}"


def test_documented_versions_are_those_of_the_project() -> None:
    guide = (ROOT / "docs" / "guides" / "extras.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| (\S+) \| ([0-9.]+) \|$", guide, re.MULTILINE))
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for name in extras for line in extras[name])]
    floors = {line.partition("[")[0].partition(">")[0]: line.partition(">=")[2] for line in lines}
    assert len(table) > 10
    assert table == {name: floors[name] for name in table}


def test_other_import_errors_pass_unchanged(tmp_path: Path) -> None:
    last = _run_beside(tmp_path, {"aiohttp": "999"}, "import musicapi_nb; musicapi_nb.connect()")
    assert last.startswith("AttributeError: module 'aiohttp' has no attribute")


def test_installed_packages_are_new_enough() -> None:
    assert old_dependency(*(line.partition(">=")[0] for line in PROJECT["dependencies"])) is None
