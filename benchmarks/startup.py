"""Time to start: the import, connect(), the first table, the first analysis, in fresh processes.

Each round is a pair of processes side by side: one imports aiohttp alone, the other runs a first
session on the simulator. Times are CPU time of the process, which other load changes least;
printed are medians of the rounds, and the ratio to the import of aiohttp. The first table and
analysis are measured in a notebook, in which tables are loaded while the song is made, and
without; "analysis" is what the first call takes longer than the second. Bytecode is compiled before
the first round, into a folder of its own.

    python benchmarks/startup.py [--check] [--rounds N] [--verbose]

With --check it exits 1 if a limit is exceeded, or if a module is loaded before it is needed;
--verbose lists the ten modules whose import takes longest.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

STEPS = ("import", "client", "connect", "song", "table", "analysis")
_OF_TABLES = frozenset({"pandas", "pyarrow", "scipy", "networkx", "matplotlib", "librosa", "numba"})
_OF_VIEWS = frozenset({"ipywidgets", "anywidget", "IPython", "tqdm", "mutagen", "mido", "PIL"})
_OF_SOUND = frozenset({"numpy", "soundfile"})
LATE: dict[str, frozenset[str]] = {
    "import": _OF_TABLES | _OF_VIEWS | _OF_SOUND | {"aiohttp", "msgspec", "sqlite3", "difflib"},
    "client": _OF_TABLES | _OF_VIEWS | _OF_SOUND | {"zipfile", "csv", "importlib.metadata"},
    "connect": _OF_TABLES | _OF_VIEWS | _OF_SOUND | {"zipfile", "csv", "importlib.metadata"},
    "song": _OF_TABLES | _OF_VIEWS,
    "table": frozenset(
        {"scipy", "networkx", "matplotlib", "librosa", "ipywidgets", "IPython", "packaging"}
    ),
    "analysis": frozenset({"networkx", "matplotlib", "librosa", "ipywidgets", "IPython"}),
}
"""Modules that no script has loaded after a step, since it does not need them yet."""
# Multiples of the import of aiohttp, which took 0.155 s where 0.1 s was the aim of a step.
_LIMITS = {
    "import": 1.2,
    "connect": 0.65,
    "table in a notebook": 0.65,
    "analysis in a notebook": 0.13,
}
_SHELL = "from IPython.core.interactiveshell import InteractiveShell as S; S.instance()"


def first_session(*, notebook: bool, modules: bool) -> None:
    """Run the steps in this process, and print the CPU seconds or the modules of each."""
    if notebook:
        exec(_SHELL)  # noqa: S102 - our own line
    start = time.process_time()

    def end(step: str) -> None:
        nonlocal start
        seconds = time.process_time() - start
        print("loaded:" if modules else "seconds:", step, *(sys.modules if modules else [seconds]))
        start = time.process_time()

    import musicapi_nb as mnb

    end("import")
    _ = mnb.connect  # loads the client, and with it aiohttp
    end("client")
    api = mnb.connect()
    end("connect")
    job = api.run("rain on a tin roof, slow jazz")
    job.result()
    end("song")
    mnb.songs_frame(job)
    end("table")
    mnb.adherence(job)
    end("analysis")
    mnb.adherence(job)
    end("again")


def _run(*arguments: str, folder: str, options: tuple[str, ...] = ()) -> tuple[str, str]:
    """Run Python in a process and a home of its own, below a folder that keeps the bytecode."""
    environment = {name: text for name, text in os.environ.items() if name != "MUSICAPI_KEY"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment |= {
        "HOME": tempfile.mkdtemp(dir=folder),  # a library in which nothing is bought yet
        "IPYTHONDIR": folder,
        "PYTHONPATH": str(ROOT),
        "PYTHONPYCACHEPREFIX": str(Path(folder) / "bytecode"),
    }
    process = subprocess.run(  # noqa: S603 - this script
        [sys.executable, *options, *arguments],
        cwd=environment["HOME"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return process.stdout, process.stderr


def _session(folder: str, *arguments: str) -> dict[str, list[str]]:
    output, _ = _run(str(Path(__file__)), "--session", *arguments, folder=folder)
    rows = (line.split() for line in output.splitlines())
    return {row[1]: row[2:] for row in rows if row[0] in {"loaded:", "seconds:"}}


def _round(folder: str) -> dict[str, float]:
    """Measure all steps once; return CPU seconds."""
    clock = "time.process_time()"
    code = f"import time; start = {clock}; import aiohttp; print({clock} - start)"
    seconds = {"aiohttp": float(_run("-c", code, folder=folder)[0])}
    for place, arguments in (("", ()), (" in a notebook", ("--notebook",))):
        steps = {name: float(row[0]) for name, row in _session(folder, *arguments).items()}
        steps["analysis"] = max(0.0, steps["analysis"] - steps.pop("again"))
        seconds |= {f"{name}{place}": value for name, value in steps.items()}
    return seconds


def _slowest(folder: str) -> list[str]:
    """Return the ten modules whose own import takes longest up to connect()."""
    code = "import musicapi_nb as mnb; mnb.connect().close()"
    _, times = _run("-c", code, folder=folder, options=("-X", "importtime"))
    rows = [line[len("import time:") :].split("|") for line in times.splitlines() if "|" in line]
    own = [(int(row[0]), row[2].strip()) for row in rows if row[0].strip().isdigit()]
    return [f"{time / 1000:8.1f} ms  {module}" for time, module in sorted(own, reverse=True)[:10]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    for name in ("--session", "--notebook", "--modules"):
        parser.add_argument(name, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.session:
        first_session(notebook=options.notebook, modules=options.modules)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        _round(folder)  # compiles the bytecode
        rounds = [_round(folder) for _ in range(options.rounds)]
        loaded = _session(folder, "--modules")
        slowest = _slowest(folder) if options.verbose else []
    misses = []
    print("step                    CPU ms   x aiohttp     limit")
    for step in rounds[0]:
        seconds = statistics.median(row[step] for row in rounds)
        ratio = statistics.median(row[step] / row["aiohttp"] for row in rounds)
        limit = _LIMITS.get(step)
        print(f"{step:22} {1000 * seconds:7.1f} {ratio:11.2f} {limit or '':>9}")
        if limit is not None and ratio > limit:
            misses.append(f"{step} takes {ratio:.2f} x aiohttp")
    for step, modules in LATE.items():
        if early := sorted(modules.intersection(loaded[step])):
            misses.append(f"{', '.join(early)} loaded after the step {step}")
    print("\n".join([*slowest, *misses]))
    return 1 if options.check and misses else 0


if __name__ == "__main__":
    raise SystemExit(main())
