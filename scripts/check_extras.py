"""
Install the package without extras and with each alone, and check what works in each environment.

    python scripts/check_extras.py [WHEEL] [--python 3.12]

Each environment, in build/extras, runs the calls of tests/extra_calls.py: those that need nothing
more work, and the others are refused in the sentence that names their extra. Printed are the
packages of each environment and their size in 10^6 bytes, without bytecode. Exits with 1 if a call
does otherwise.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import install_packages

_ROOT = Path(__file__).resolve().parent.parent
_FOLDER = _ROOT / "build" / "extras"
_CALLS = _ROOT / "tests" / "extra_calls.py"
_INCLUDED = {"scale": ("upload",)}  # dask requires fsspec


def _extras() -> list[str]:
    text = (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return ["", *tomllib.loads(text)["project"]["optional-dependencies"]]


def _make_environment(uv: str, source: str, extra: str, python: str) -> Path:
    """Make an environment with the package and an extra; return its python."""
    folder = _FOLDER / (extra or "none")
    shutil.rmtree(folder, ignore_errors=True)
    interpreter = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    requirement = f"{source}[{extra}]" if extra else source
    for command in (
        ("venv", "--python", python, folder),
        ("pip", "install", "--python", interpreter, requirement),
    ):
        subprocess.run([uv, "--quiet", *map(str, command)], check=True)  # noqa: S603 - ours
    return interpreter


def _size(folder: Path) -> tuple[int, float]:
    """Return the number of packages of an environment, and their size in 10^6 bytes."""
    packages = len([*folder.rglob("site-packages/*.dist-info")])
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return packages, sum(path.stat().st_size for path in files) / 1e6


def _outcomes(python: Path) -> dict[str, dict[str, str]]:
    """Run all calls in an environment; return what became of them, by the extra they need."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "MUSICAPI_KEY"}
    }
    process = subprocess.run(  # noqa: S603 - ours
        [str(python), str(_CALLS)],
        cwd=_FOLDER,
        env=environment | {"HOME": str(_FOLDER)},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        sys.exit(process.stderr)
    outcomes: dict[str, dict[str, str]] = json.loads(process.stdout.splitlines()[-1])
    return outcomes


def _misses(extra: str, outcomes: dict[str, dict[str, str]]) -> list[str]:
    """Return the calls that do other than they should where this extra is installed."""
    misses = []
    for needed, calls in outcomes.items():
        works = needed in {"", extra, *_INCLUDED.get(extra, ())} or extra == "all"
        for name, outcome in calls.items():
            refused = f'`pip install "musicapi_nb[{needed}]"`' in outcome
            if not (outcome == "works" if works else refused):
                misses.append(f"{extra or 'no extra'}: {name}: {outcome}")
    return misses


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", default=str(_ROOT), metavar="WHEEL")
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    uv = install_packages.find_uv()
    if uv is None:
        sys.exit("This needs uv: pip install uv")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    misses = []
    print("extra      packages      MB")
    for extra in _extras():
        python = _make_environment(uv, options.source, extra, options.python)
        packages, size = _size(python.parents[1] / ("Lib" if os.name == "nt" else "lib"))
        print(f"{extra or 'none':10} {packages:8} {size:7.0f}", flush=True)
        misses += _misses(extra, _outcomes(python))
    print("\n".join(misses) or "Each call works, or names the extra that it needs.")
    return 1 if misses else 0


if __name__ == "__main__":
    raise SystemExit(main())
