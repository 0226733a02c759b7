"""Create environments with the built wheel in build/wheel, and run Python in them.

None of them imports the package from the checkout.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import install_packages

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "build" / "dist"
FOLDER = ROOT / "build" / "wheel"
_LOCATION = (
    "import musicapi_nb, sysconfig; print(musicapi_nb.__file__, sysconfig.get_path('purelib'))"
)


def find_built(suffix: str) -> Path:
    """Return the file in build/dist with the suffix `.whl` or `.tar.gz`; exit if there is none."""
    for path in DIST.glob(f"*{suffix}"):
        return path
    sys.exit(f"{DIST} has no {suffix} file: run scripts/check_wheel.py first.")


def make_environment(name: str, python: str, *requirements: str) -> Path:
    """Create an environment and install requirements into it; return the path of its interpreter.

    `python` is a version such as "3.12".
    """
    uv = install_packages.find_uv()
    if uv is None:
        sys.exit("uv is required: pip install uv")
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    _run(uv, "venv", "--quiet", "--python", python, folder)
    interpreter = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    _run(uv, "pip", "install", "--quiet", "--python", interpreter, *requirements)
    location, site_packages = run_isolated(interpreter, "-c", _LOCATION, capture=True).split()
    if not Path(location).is_relative_to(site_packages):
        sys.exit(f"Python imports {location} instead of the installed wheel.")
    return interpreter


def run_isolated(
    python: Path, *arguments: str | Path, cwd: Path = FOLDER, capture: bool = False
) -> str:
    """Run Python without the checkout on its path; return its output if `capture` is set."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = os.pathsep.join([str(python.parent), environment["PATH"]])
    process = subprocess.run(  # noqa: S603 - ours
        [str(python), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE if capture else None,
    )
    return process.stdout or ""


def _run(*command: str | Path) -> None:
    subprocess.run([str(part) for part in command], check=True)  # noqa: S603 - ours
