"""
Run the tests with the lowest versions that pyproject.toml allows, on the lowest Python.

    python3 scripts/test_floors.py [ARGUMENTS OF PYTEST]

uv installs them into build/floors; pip can only choose the newest versions. Without arguments, all
tests run except those in Chromium, of the documentation and of killed processes. These take the
longest and use no functions of other packages that the other tests do not use.
"""

import os
import shutil
import sys
import tomllib
from typing import Any

from install_packages import EXTRAS, ROOT, find_uv, requirements, run, settings_for_uv

_FOLDER = ROOT / "build" / "floors"
_BIN = _FOLDER / ("Scripts" if os.name == "nt" else "bin")
_TESTS = (
    "tests",
    "--ignore=tests/browser",
    "--ignore=tests/test_docs.py",
    "--ignore=tests/test_kill.py",
)
_NO_UV = (
    "Only uv can install the lowest versions. It is not on PATH, and pip could not install it. "
    "Install it from https://docs.astral.sh/uv/, then try again."
)


def _install(uv: str, project: dict[str, Any]) -> bool:
    environment = settings_for_uv()
    python = project["project"]["requires-python"].removeprefix(">=")
    shutil.rmtree(_FOLDER, ignore_errors=True)
    commands = (
        ("venv", "--quiet", "--python", python, str(_FOLDER)),
        (
            *("pip", "install", "--quiet", "--python", str(_FOLDER)),
            *("--resolution", "lowest-direct", "--constraint", "requirements/floors.txt"),
            *("--editable", f".{EXTRAS['dev']}", *requirements(project, "dev")),
        ),
    )
    return all(run(uv, *command, env=environment).returncode == 0 for command in commands)


def main() -> None:
    uv = find_uv()
    if uv is None:
        sys.exit(_NO_UV)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    print(f"Installing the lowest versions into {_FOLDER.relative_to(ROOT)} ...", flush=True)
    if not _install(uv, project):
        sys.exit("The lowest versions cannot be installed together; the lines above say why.")
    arguments = sys.argv[1:] or [*_TESTS, "-ra", "-n", "4"]
    environment = {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    sys.exit(run(str(_BIN / "python"), "-m", "pytest", *arguments, env=environment).returncode)


if __name__ == "__main__":
    main()
