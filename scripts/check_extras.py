"""
Install the package without extras and with each extra alone, and check what works.

    python scripts/check_extras.py [WHEEL] [--python 3.12]

Each environment, in build/extras, runs the calls of tests/extra_calls.py. A call must work if its
extra is installed; otherwise its error must name the extra. The script prints the number of
packages of each environment and their size in 10^6 bytes, without bytecode. It exits with 1 if a
call fails this check.
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
    """Run all calls in an environment; return their outcomes by the extra that they need."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PYTHONPATH", "MUSICAPI_KEY"}
    }
    process = subprocess.run(  # noqa: S603 - ours
        [str(python), "-P", str(_CALLS)],  # without -P, tests/typing is the module typing
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


def _failures(extra: str, outcomes: dict[str, dict[str, str]]) -> list[str]:
    """Return a line for each call with a wrong outcome in the environment of this extra."""
    failures = []
    for needed, calls in outcomes.items():
        works = needed in {"", extra, *_INCLUDED.get(extra, ())} or extra == "all"
        for name, outcome in calls.items():
            refused = f'`pip install "musicapi_nb[{needed}]"`' in outcome
            if not (outcome == "works" if works else refused):
                failures.append(f"{extra or 'no extra'}: {name}: {outcome}")
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", nargs="?", default=str(_ROOT), metavar="WHEEL")
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    uv = install_packages.find_uv()
    if uv is None:
        sys.exit("uv is required: pip install uv")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    failures = []
    print("extra      packages      MB")
    for extra in _extras():
        python = _make_environment(uv, options.source, extra, options.python)
        packages, size = _size(python.parents[1] / ("Lib" if os.name == "nt" else "lib"))
        print(f"{extra or 'none':10} {packages:8} {size:7.0f}", flush=True)
        failures += _failures(extra, _outcomes(python))
    print("\n".join(failures) or "Each call works or names the extra that it needs.")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
