"""
Install the package with its tools into .venv, which is made if there is none.

    python3 scripts/install_packages.py GROUP [--newest]

GROUP is a dependency group of pyproject.toml. Versions are those of requirements/dev.txt, or with
--newest the newest that pyproject.toml allows. uv installs them in a few seconds; it is used if it
is on PATH or if pip can get it. Otherwise pip does the same in about a minute. Both look where pip
is configured to look. Nothing is written outside this folder.
"""

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "dev.txt"
# A group cannot name extras of its own project in a way that pip and uv both understand.
EXTRAS = {"demo": "[plots]", "dev": "[all]", "bench": "", "hooks": "", "release": ""}
_VENV = ROOT / ".venv"
_BIN = _VENV / ("Scripts" if os.name == "nt" else "bin")
_PYTHON = str(_BIN / "python")
# Once .venv exists, make runs this script by the Python there, which has no pip; this one may.
_BASE_PYTHON = str(
    Path(sys.base_prefix, "python.exe")
    if os.name == "nt"
    else Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
)
CACHE = ROOT / "build" / "cache" / "uv"  # on the disk of .venv: its files are linked, not copied
# Settings of pip, the variable of uv for each, and what separates several values there.
_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
_SECTIONS = ("global", "install", ":env:")  # later ones win
# Required by jupyter-events, and loaded by all that reads a notebook: it builds a grammar for 0.9 s
# to check international addresses, of which no notebook has any. jsonschema does without it.
_SLOW = "rfc3987-syntax"

_NO_VENV = """\
{python} cannot make a virtual environment. Debian and Ubuntu have that in python3-venv:
    sudo apt install python3-venv"""
_NO_INSTALLER = """\
There is neither uv nor pip for {python}. Install one of them; on Debian and Ubuntu:
    sudo apt install python3-venv"""
_NOT_INSTALLED = """\
The packages could not be installed; the lines above say why. What helps:
- no connection: packages come from PyPI, or from where `pip config list` says
- pyproject.toml and requirements/dev.txt disagree: make lock
- an index without the versions of requirements/dev.txt: make NEWEST=1 ... takes those it has"""


def groups(project: dict[str, Any], name: str) -> Iterator[str]:
    """Yield the names of a dependency group and of the groups that it includes."""
    yield name
    for entry in project["dependency-groups"][name]:
        if isinstance(entry, dict):
            yield from groups(project, entry["include-group"])


def requirements(project: dict[str, Any], name: str) -> list[str]:
    """Return the requirements of a dependency group and of the groups that it includes."""
    entries = [project["dependency-groups"][group] for group in groups(project, name)]
    return [entry for group in entries for entry in group if isinstance(entry, str)]


def uv_environment(settings: str) -> dict[str, str]:
    """Return uv's environment variables for the lines that `pip config list` prints."""
    variables = {}
    for section in _SECTIONS:
        for line in settings.splitlines():
            key, _, value = line.partition("=")
            name = key.removeprefix(f"{section}.")
            if name != key and name in _VARIABLES:
                variable, separator = _VARIABLES[name]
                variables[variable] = separator.join(str(ast.literal_eval(value)).split())
    return variables


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder."""
    return subprocess.run(command, cwd=ROOT, text=True, check=False, **options)  # noqa: S603 - ours


def _succeeds(*command: str) -> bool:
    try:
        return run(*command, capture_output=True).returncode == 0
    except OSError:
        return False


def make_environment() -> None:
    """Make .venv, unless it has a Python of this one's version."""
    same = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    if _succeeds(_PYTHON, "-c", same):
        return
    # pip would take 4 s; whether it is needed is decided later.
    process = run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(_VENV))
    if process.returncode:
        sys.exit(_NO_VENV.format(python=sys.executable))


def find_pip(*, ensure: bool) -> tuple[str, ...] | None:
    """Return the command of a pip that installs into .venv, which gets one if `ensure` is set."""
    for python in (sys.executable, _BASE_PYTHON):
        pip = (python, "-m", "pip", "--python", _PYTHON)
        if _succeeds(*pip, "--version"):
            return pip
    if ensure and _succeeds(_PYTHON, "-m", "ensurepip"):
        return (_PYTHON, "-m", "pip")
    return None


def find_uv() -> str | None:
    """Return the path of uv, which pip puts into .venv if there is none there or on PATH."""
    path = f"{_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if not shutil.which("uv", path=path) and (pip := find_pip(ensure=True)):
        run(*pip, "install", "--quiet", "--no-compile", "uv", capture_output=True)
    return shutil.which("uv", path=path)


def settings_for_uv() -> dict[str, str]:
    """Return environment variables with which uv looks where pip is configured to look."""
    pip = find_pip(ensure=False)
    settings = run(*pip, "config", "list", capture_output=True).stdout if pip else ""
    return {
        "UV_CACHE_DIR": str(CACHE),
        # As pip does: the newest version of all indexes, not of the first that has the package.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        **uv_environment(settings),
        **os.environ,
    }


def _install_by_uv(uv: str, arguments: list[str]) -> bool:
    environment = settings_for_uv()
    target = ("--quiet", "--python", _PYTHON)
    try:
        if run(uv, "pip", "install", *target, *arguments, env=environment).returncode:
            return False
        run(uv, "pip", "uninstall", *target, _SLOW, env=environment, capture_output=True)
    except OSError as error:
        print(error, file=sys.stderr)
        return False
    finally:
        shutil.rmtree(CACHE, ignore_errors=True)
    return True


def _install_by_pip(pip: tuple[str, ...], arguments: list[str]) -> bool:
    # Compiling all files would take a third of the time; the first import compiles what it needs.
    if run(*pip, "install", "--quiet", "--no-compile", *arguments).returncode:
        return False
    run(*pip, "uninstall", "--quiet", "--yes", _SLOW, capture_output=True)
    return True


def _install(arguments: list[str]) -> bool:
    if (uv := find_uv()) and _install_by_uv(uv, arguments):
        return True
    if pip := find_pip(ensure=True):
        reason = "uv failed" if uv else "There is no uv on PATH, and pip could not get it"
        print(f"{reason}: installing by pip, which needs a minute or two.", file=sys.stderr)
        return _install_by_pip(pip, arguments)
    if not uv:
        sys.exit(_NO_INSTALLER.format(python=sys.executable))
    return False


def _mark(names: Iterable[str], project: dict[str, Any], *, newest: bool) -> None:
    """Write the stamps that make compares with pyproject.toml; the others are no longer true."""
    suffixes = ("-newest", "") if newest else ("", "-newest")
    for name in project["dependency-groups"]:
        (_VENV / f".{name}{suffixes[1]}").unlink(missing_ok=True)
    for name in names:
        (_VENV / f".{name}{suffixes[0]}").touch()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("group", choices=EXTRAS)
    parser.add_argument("--newest", action="store_true")
    options = parser.parse_args()

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    versions = ["--upgrade"] if options.newest else ["--constraint", str(LOCK)]
    package = ["--editable", f".{EXTRAS[options.group]}"]
    make_environment()
    print(f"Installing into {_VENV.name}, for {options.group} ...", flush=True)
    if not _install([*versions, *package, *requirements(project, options.group)]):
        sys.exit(_NOT_INSTALLED)
    _mark(groups(project, options.group), project, newest=options.newest)


if __name__ == "__main__":
    main()
