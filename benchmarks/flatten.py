"""Time and memory of `flatten`, compared with four other ways and with `orjson.loads` alone.

Each figure comes from a fresh process that has imported the libraries and holds the replies as
bytes. The process runs `orjson.loads` over them (results dropped), then its way once, cold. The
ratio of the two is reported, because the speed of a shared machine varies. The ways take turns;
figures are medians over the rounds. Before any figure is printed, the tables of all ways are
compared: songs, tags, replaced tags and durations. Ours also makes the other columns and frames.

Memory is the peak resident memory while flattening minus the resident memory before, which
includes the replies and the libraries after a first use.

Cases (optional fields, shuffled keys, a mix of engines ...) are timed in one process, in turns with
the uniform case.

    make .venv/.bench
    .venv/bin/python benchmarks/flatten.py [--check] [--sizes N ...] [--rounds N]

With --check, the exit code is 1 if a limit is exceeded.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from generated import CASES, replies
from ways import WAYS, comparable_tables, loads_alone

OURS = "ours"
SIZES = (1_000, 10_000, 100_000)
BASE, ADDED = 10_000, 100
# limits, the first five as of 10,000 replies
MAX_RATIO = 3.8  # time / time of orjson.loads alone; the aim is 2.8
MIN_SPEEDUP = {"json_normalize": 6.0}  # at least 1.0 for every other way
MAX_MEMORY = 1.7  # peak memory / raw bytes
MAX_APPEND = 0.06  # time to append 100 replies to 10,000 / time to flatten 10,100
MAX_CASE = {"unknown fields": 2.5}  # time / time of the uniform case
MAX_OTHER_CASE = 1.5
MAX_GROWTH = 1.3  # time per reply at 100,000 / at 1,000
MAX_ACCESS = 2.0  # time of random rows / the same from contiguous columns
CASE_ROUNDS = 5
SEPARATOR = b"\0"  # no JSON text contains it
_IMPORTS = ("orjson", "polars", "duckdb", "pyarrow.json", "pyarrow.compute", "musicapi_nb.frames")

Figures = dict[str, Any]


# --- one figure, in a process of its own ---------------------------------------------------


def seconds(function: Callable[[Sequence[bytes]], Any], raw_replies: Sequence[bytes]) -> float:
    start = time.perf_counter()
    function(raw_replies)
    return time.perf_counter() - start


def time_way(way: str, raw_replies: list[bytes], *, digest: bool = False) -> Figures:
    alone = seconds(loads_alone, raw_replies)
    start = time.perf_counter()
    tables = WAYS[way](raw_replies)
    own_time = time.perf_counter() - start
    digest_text = digest_of(tables) if digest else None
    return {"ratio": own_time / alone, "alone": alone, "digest": digest_text}


def digest_of(tables: Any) -> str:
    digest = hashlib.sha256()
    for name, table in comparable_tables(tables).items():
        digest.update(f"{name} {list(table.columns)} {len(table)}".encode())
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def peak_memory(way: str, raw_replies: list[bytes]) -> Figures:
    WAYS[way](raw_replies[:64])
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets the peak
    tables = WAYS[way](raw_replies)
    peak = _resident("VmHWM")
    del tables
    return {"ratio": (peak - before) / sum(map(len, raw_replies))}


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def time_access(raw_replies: list[bytes]) -> Figures:
    """Time random rows of the songs frame, and of a copy with contiguous columns."""
    import pyarrow as pa

    from musicapi_nb.frames import flatten

    songs = flatten(raw_replies).songs
    columns = {}
    for name in songs.columns:
        if isinstance(songs[name].dtype, pd.StringDtype):
            text = pa.chunked_array(songs[name].array.__arrow_array__()).combine_chunks()
            columns[name] = pd.Series(pd.array(text, dtype=songs[name].dtype))
        else:
            columns[name] = songs[name].copy()
    contiguous = pd.DataFrame(columns)
    pd.testing.assert_frame_equal(songs, contiguous)
    rng = np.random.default_rng(0)
    samples = [rng.integers(0, len(songs), 100) for _ in range(50)]
    rows = rng.integers(0, len(songs), 500).tolist()
    times: dict[str, list[float]] = {"songs": [], "contiguous": []}
    for _ in range(5):
        for name, frame in (("songs", songs), ("contiguous", contiguous)):
            start = time.perf_counter()
            for sample in samples:
                frame.iloc[sample]
            for row in rows:
                frame.iloc[row]
            times[name].append(time.perf_counter() - start)
    return {"ratio": statistics.median(times["songs"]) / statistics.median(times["contiguous"])}


def time_append(raw_replies: list[bytes]) -> Figures:
    """Time appending and the new frames, relative to flattening all replies again."""
    from musicapi_nb.frames import Flattener, flatten

    base, added = raw_replies[:BASE], raw_replies[BASE : BASE + ADDED]
    flattener = Flattener()
    flattener.add(base)
    flattener.frames()
    start = time.perf_counter()
    flattener.add(added)
    appended = flattener.frames()
    append_time = time.perf_counter() - start
    start = time.perf_counter()
    rebuilt = flatten(base + added)
    rebuild_time = time.perf_counter() - start
    for name, table in rebuilt._asdict().items():
        pd.testing.assert_frame_equal(getattr(appended, name), table)
    return {"ratio": append_time / rebuild_time}


def time_case(case: str, uniform: list[bytes]) -> Figures:
    """Time a case in turns with the uniform case, warm."""
    from musicapi_nb.frames import flatten

    varied = replies(len(uniform), case)
    flatten(varied[:64])
    case_times, uniform_times, alone = [], [], []
    for _ in range(CASE_ROUNDS):
        uniform_times.append(seconds(flatten, uniform))
        case_times.append(seconds(flatten, varied))
        alone.append(seconds(loads_alone, varied))
    case_time = statistics.median(case_times)
    return {
        "ratio": case_time / statistics.median(uniform_times),
        "to_orjson": case_time / statistics.median(alone),
    }


def run_child(figure: str, way: str, path: str) -> None:
    for name in _IMPORTS:
        importlib.import_module(name)
    raw_replies = Path(path).read_bytes().split(SEPARATOR)
    measures: dict[str, Callable[[], Figures]] = {
        "time": lambda: time_way(way, raw_replies),
        "time and digest": lambda: time_way(way, raw_replies, digest=True),
        "memory": lambda: peak_memory(way, raw_replies),
        "access": lambda: time_access(raw_replies),
        "append": lambda: time_append(raw_replies),
        "case": lambda: time_case(way, raw_replies),
    }
    print(json.dumps(measures[figure]()))


def measure(figure: str, way: str, path: Path) -> Figures:
    """Run one measurement in a fresh process; exit with its error if it fails."""
    command = [sys.executable, __file__, "--child", figure, way, str(path)]
    process = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if process.returncode:
        sys.exit(
            f"{process.stderr}\nThe measurement {figure!r} of {way!r} failed (exit code "
            f"{process.returncode}).\nIts libraries are installed by: make .venv/.bench"
        )
    figures: Figures = json.loads(process.stdout)
    return figures


# --- all figures ---------------------------------------------------------------------------


def compare_ways(path: Path, rounds: int) -> dict[str, list[Figures]]:
    """Return the times of each way, round by round; raises if their tables differ."""
    times: dict[str, list[Figures]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS:
            times[way].append(measure("time" if number else "time and digest", way, path))
    digests = {way: figures[0]["digest"] for way, figures in times.items()}
    different = [way for way, digest in digests.items() if digest != digests[OURS]]
    if different:
        raise AssertionError(f"{', '.join(different)} made other tables than ours")
    return times


def median_ratio(figures: list[Figures]) -> float:
    return float(statistics.median(figure["ratio"] for figure in figures))


def report_size(size: int, path: Path, rounds: int) -> tuple[float, list[str]]:
    """Print the figures of one size; return the ratio of ours, and the exceeded limits."""
    times = compare_ways(path, rounds)
    raw = path.stat().st_size
    alone = statistics.median(figure["alone"] for way in times.values() for figure in way)
    print(
        f"{size:,} replies of {raw / size / 1000:.1f} KB; "
        f"orjson.loads alone {alone / size * 1e6:.1f} us each"
    )
    ours = median_ratio(times[OURS])
    limits = [("ours / orjson.loads", ours, MAX_RATIO)]
    for way, figures in times.items():
        ratio = median_ratio(figures)
        ratios = sorted(figure["ratio"] for figure in figures)
        line = f"  {way:16}{ratio:7.2f} x orjson.loads ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        if way != OURS:
            line += f"{ratio / ours:8.2f} x ours"
            limits.append((f"ours / {way}", ours / ratio, 1 / MIN_SPEEDUP.get(way, 1.0)))
        print(line)
    memory = median_ratio([measure("memory", OURS, path) for _ in range(3)])
    print(f"  peak memory {memory:.2f} x the raw bytes")
    limits.append(("peak memory / raw bytes", memory, MAX_MEMORY))
    return ours, exceeded(limits, f" at {size:,}") if size >= BASE else []


def report_cases(path: Path) -> list[str]:
    """Print the figures of the varied cases; return the exceeded limits."""
    limits = []
    print(f"varied replies, {BASE:,} each:")
    for case in CASES:
        figures = measure("case", case, path)
        print(
            f"  {case:16}{figures['ratio']:7.2f} x the time of the uniform case,"
            f"{figures['to_orjson']:7.2f} x orjson.loads"
        )
        limits.append((case, figures["ratio"], MAX_CASE.get(case, MAX_OTHER_CASE)))
    return exceeded(limits, " / the uniform case")


def report_rest(path: Path, rounds: int, ratios: dict[int, float]) -> list[str]:
    """Print the figures that belong to no single size; return the exceeded limits."""
    access = median_ratio([measure("access", OURS, path) for _ in range(rounds)])
    append = median_ratio([measure("append", OURS, path) for _ in range(rounds)])
    print(f"random rows: {access:.2f} x the time of contiguous columns")
    print(f"appending {ADDED} to {BASE:,}: {append:.1%} of flattening all again")
    limits = [("random rows", access, MAX_ACCESS), ("appending", append, MAX_APPEND)]
    if {SIZES[0], SIZES[-1]} <= ratios.keys():
        growth = ratios[SIZES[-1]] / ratios[SIZES[0]]
        print(f"a reply at {SIZES[-1]:,} takes {growth:.2f} x the time at {SIZES[0]:,}")
        limits.append(("time per reply", growth, MAX_GROWTH))
    return exceeded(limits)


def exceeded(limits: list[tuple[str, float, float]], suffix: str = "") -> list[str]:
    return [
        f"{name}{suffix}: {value:.2f}, limit {limit:.2f}"
        for name, value, limit in limits
        if value > limit
    ]


def write(path: Path, raw_replies: list[bytes]) -> Path:
    path.write_bytes(SEPARATOR.join(raw_replies))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        run_child(*arguments.child)
        return 0
    failures: list[str] = []
    ratios: dict[int, float] = {}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for size in arguments.sizes:
            path = write(folder / f"{size}.replies", replies(size))
            ratios[size], exceeded_limits = report_size(size, path, arguments.rounds)
            failures += exceeded_limits
            path.unlink()
        failures += report_cases(write(folder / "base.replies", replies(BASE)))
        path = write(folder / "append.replies", replies(BASE + ADDED))
        failures += report_rest(path, arguments.rounds, ratios)
    for failure in failures:
        print(f"EXCEEDED: {failure}")
    return 1 if arguments.check and failures else 0


if __name__ == "__main__":
    sys.exit(main())
