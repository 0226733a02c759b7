"""What each step of a first session loads, and that every imported package is declared."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import musicapi_nb
from musicapi_nb.notebook import early_loading

ROOT = Path(__file__).parents[1]
PACKAGE = Path(musicapi_nb.__file__).parent  # of the checkout, or installed
sys.path.append(str(ROOT / "benchmarks"))

from startup import LATE, STEPS  # noqa: E402 - found on the path above

# Not installed by the package: the program that runs it, or one of two that do the same.
_SURROUNDINGS = {"marimo", "pytest"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Run a first session in a process; return the modules that are loaded after each step."""
    process = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "startup.py"), "--session", "--modules"],
        env=os.environ | {"HOME": str(tmp_path_factory.mktemp("home")), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = (line.split() for line in process.stdout.splitlines() if line.startswith("loaded: "))
    return {step: set(modules) for _, step, *modules in lines}


@pytest.mark.parametrize("step", LATE)
def test_modules_are_loaded_late(loaded: dict[str, set[str]], step: str) -> None:
    assert step in STEPS
    assert "musicapi_nb" in loaded[step]
    assert not LATE[step] & loaded[step]


def test_modules_that_should_be_late_exist() -> None:
    for module in set[str]().union(*LATE.values()):
        assert importlib.util.find_spec(module), module


def _imported() -> Iterator[tuple[str, Path]]:
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((alias.name.partition(".")[0], path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0], path


def test_imported_packages_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(row for name in extras for row in extras[name])]
    declared = {re.split(r"[\[<>=!~ ]", row)[0].lower().replace("_", "-") for row in requirements}
    distributions = packages_distributions()
    own = {*sys.stdlib_module_names, "musicapi_nb"}
    for package, path in _imported():
        if package not in own | _SURROUNDINGS:
            names = {name.lower().replace("_", "-") for name in distributions.get(package, [])}
            assert names & declared, f"{path.relative_to(PACKAGE)} imports {package}: not declared"


# --- tables are loaded while the first song of a notebook is made ----------------------------

_CODE = """
import os, sys, threading
{shell}
import musicapi_nb as mnb
from musicapi_nb.simulator import Simulator
api = mnb.connect(library=False, simulator=Simulator(speed=5000))
job = api.run("rain on tin")
{then}
"""
_SHELL = "from IPython.core.interactiveshell import InteractiveShell as S; S.instance()"
_LOADED = """
for thread in threading.enumerate():
    if thread.name == "musicapi_nb tables":
        thread.join()
print({"pandas", "musicapi_nb.frames", "scipy.special"} & set(sys.modules))
"""
_FORK = """
child = os.fork()
if child == 0:
    import pandas
    os._exit(0 if "musicapi_nb.frames" in sys.modules else 3)
print(os.waitpid(child, 0)[1])
"""


def _output(shell: str, then: str, home: Path) -> str:
    """Run code after the first request; return its last line. Warnings are errors."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", _CODE.format(shell=shell, then=then)],
        env=os.environ | {"HOME": str(home), "IPYTHONDIR": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout.splitlines()[-1]


_GALLERY = """
from musicapi_nb.notebook.live_songs import _open_gallery
from musicapi_nb.tasks.song_actions import actions_of
task = job.result()
gallery = _open_gallery(task, actions_of(task.songs[0]))
print(type(gallery).__name__)
"""


def test_songs_that_are_ready_before_the_tables_are_shown_live(tmp_path: Path) -> None:
    assert _output(_SHELL, _GALLERY, tmp_path) == "Gallery"


def test_gallery_may_be_opened_while_tables_are_loaded(tmp_path: Path) -> None:
    assert _output(_SHELL, "print(len(api.gallery().collection.items) <= 2)", tmp_path) == "True"


def test_packages_that_a_thread_loads_import_none_of_their_modules() -> None:
    """A cell that imports one of them then waits for the thread, and the thread for the cell."""
    parents = {name.rpartition(".")[0] for name in early_loading._MODULES}
    packages = sorted(parent for parent in parents if parent.startswith("musicapi_nb."))
    assert packages == ["musicapi_nb.analysis", "musicapi_nb.frames"]
    for package in packages:
        file = PACKAGE.parent / package.replace(".", "/") / "__init__.py"
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imported = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
        assert [module for module in imported if (module or "").startswith(package)] == []


def test_scripts_load_no_tables(tmp_path: Path) -> None:
    assert _output("", _LOADED, tmp_path) == "set()"


def test_notebooks_load_tables_early(tmp_path: Path) -> None:
    loaded = _output(_SHELL, _LOADED, tmp_path)
    assert all(name in loaded for name in ("pandas", "musicapi_nb.frames", "scipy.special"))


def test_process_may_end_while_tables_are_loaded(tmp_path: Path) -> None:
    assert _output(_SHELL, "print('ends')", tmp_path) == "ends"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_child_may_load_what_its_parent_was_loading(tmp_path: Path) -> None:
    code = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)" + _FORK
    assert _output(_SHELL, code, tmp_path) == "0"
