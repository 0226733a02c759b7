"""
Install the package and a group of development tools into .venv, which is created if it is missing.

    python3 scripts/install_packages.py GROUP [--newest]

GROUP is a dependency group of pyproject.toml. The versions are those of requirements/dev.txt, or
with --newest the newest that pyproject.toml allows. uv installs them in a few seconds if it is on
PATH or if pip can install it; otherwise pip installs them in about a minute. Both use the indexes
that pip is configured to use. Nothing is written outside this folder.
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
# The extras that each group needs. A group cannot include extras of its own project in a way that
# both pip and uv understand.
EXTRAS = {"demo": "[plots]", "dev": "[all]", "bench": "", "hooks": "", "release": ""}
_VENV = ROOT / ".venv"
_BIN = _VENV / ("Scripts" if os.name == "nt" else "bin")
_PYTHON = str(_BIN / "python")
# make runs this script with the Python of .venv, if it exists. That one has no pip; this one may
# have it.
_BASE_PYTHON = str(
    Path(sys.base_prefix, "python.exe")
    if os.name == "nt"
    else Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
)
CACHE = ROOT / "build" / "cache" / "uv"  # on the same disk as .venv, so that files are linked
# Settings of pip, and for each the variable of uv and the separator of its values.
_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
}
_SECTIONS = ("global", "install", ":env:")  # later ones override earlier ones
# jupyter-events requires this package, and everything that reads a notebook loads it. It takes 0.9
# s to build a grammar for international addresses, which notebooks do not have. jsonschema works
# without it.
_SLOW_PACKAGE = "rfc3987-syntax"

_NO_VENV = """\
{python} cannot create a virtual environment. On Debian and Ubuntu, install python3-venv:
    sudo apt install python3-venv"""
_NO_FOLDER = """\
{folder} cannot be written: {reason}. Everything is installed there: use a copy of the project in a
folder of your own."""
_NO_INSTALLER = """\
{python} has neither uv nor pip. Install one of them; on Debian and Ubuntu:
    sudo apt install python3-venv"""
_NOT_INSTALLED = """\
The packages could not be installed; the lines above say why. Possible causes:
- no connection to PyPI, or to the index in `pip config list`
- requirements/dev.txt does not match pyproject.toml: run make lock
- the index lacks versions in requirements/dev.txt: make NEWEST=1 ... installs those that it has"""


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
    """Convert the output of `pip config list` to uv's environment variables."""
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
    """Create .venv, unless it exists with the same version of Python."""
    comparison = f"import sys; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    if _succeeds(_PYTHON, "-c", comparison):
        return
    try:
        _VENV.mkdir(exist_ok=True)
    except OSError as error:
        sys.exit(_NO_FOLDER.format(folder=_VENV, reason=error.strerror))
    # Installing pip takes 4 s, so `find_pip` does it only if it is needed.
    process = run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(_VENV))
    if process.returncode:
        sys.exit(_NO_VENV.format(python=sys.executable))


def find_pip(*, ensure: bool) -> tuple[str, ...] | None:
    """Return the command of a pip that can install into .venv; None if there is none.

    If `ensure` is set and no other Python has pip, it is installed into .venv.
    """
    for python in (sys.executable, _BASE_PYTHON):
        pip = (python, "-m", "pip", "--python", _PYTHON)
        if _succeeds(*pip, "--version"):
            return pip
    if ensure and _succeeds(_PYTHON, "-m", "ensurepip"):
        return (_PYTHON, "-m", "pip")
    return None


def find_uv() -> str | None:
    """Return the path of uv, which is installed into .venv if needed; None if pip cannot get it."""
    path = f"{_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if not shutil.which("uv", path=path) and (pip := find_pip(ensure=True)):
        run(*pip, "install", "--quiet", "--no-compile", "uv", capture_output=True)
    return shutil.which("uv", path=path)


def settings_for_uv() -> dict[str, str]:
    """Return environment variables with which uv uses the indexes that pip is configured to use."""
    pip = find_pip(ensure=False)
    settings = run(*pip, "config", "list", capture_output=True).stdout if pip else ""
    return {
        "UV_CACHE_DIR": str(CACHE),
        # As pip does: the newest version of all indexes, not of the first index with the package.
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
        run(uv, "pip", "uninstall", *target, _SLOW_PACKAGE, env=environment, capture_output=True)
    except OSError as error:
        print(error, file=sys.stderr)
        return False
    finally:
        shutil.rmtree(CACHE, ignore_errors=True)
    return True


def _install_by_pip(pip: tuple[str, ...], arguments: list[str]) -> bool:
    # Compiling all files takes a third of the time; imports compile the modules that they need.
    if run(*pip, "install", "--quiet", "--no-compile", *arguments).returncode:
        return False
    run(*pip, "uninstall", "--quiet", "--yes", _SLOW_PACKAGE, capture_output=True)
    return True


def _install(arguments: list[str]) -> bool:
    if (uv := find_uv()) and _install_by_uv(uv, arguments):
        return True
    if pip := find_pip(ensure=True):
        reason = "uv failed" if uv else "There is no uv on PATH, and pip could not install it"
        print(f"{reason}: installing with pip, which takes a minute or two.", file=sys.stderr)
        return _install_by_pip(pip, arguments)
    if not uv:
        sys.exit(_NO_INSTALLER.format(python=sys.executable))
    return False


def _write_stamps(names: Iterable[str], project: dict[str, Any], *, newest: bool) -> None:
    """Write the stamp files of these groups for make, and delete those of the other versions."""
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
    print(f"Installing the group {options.group} into {_VENV.name} ...", flush=True)
    if not _install([*versions, *package, *requirements(project, options.group)]):
        sys.exit(_NOT_INSTALLED)
    _write_stamps(groups(project, options.group), project, newest=options.newest)


if __name__ == "__main__":
    main()
