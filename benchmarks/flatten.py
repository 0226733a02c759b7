"""How long replies take to become frames: ours, four other ways, and `orjson.loads` alone.

Every figure comes from a process of its own that has imported its libraries, holds the replies as
bytes, and has flattened nothing yet. It runs `orjson.loads` alone over them, results dropped, and
then its way once: the ratio of these two, since a shared machine changes its speed from one moment
to the next. The ways take turns; medians of the rounds. What each way made is compared before a
figure is printed: songs, tags, replaced tags and durations as the other ways make them, while ours
makes all its columns and six frames.

Memory is the highest resident memory while flattening, less what was resident before: the replies,
and libraries that have flattened 64 replies, so that what they load once does not count.

    pip install -e '.[bench]'
    python benchmarks/flatten.py [--check] [--sizes N ...] [--rounds N]

Exits 1 with --check where a limit is passed, naming the figure.
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
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from generated import replies
from ways import WAYS, orjson_alone, same_shape

OURS = "ours"
SIZES = (1_000, 10_000, 100_000)
COLD, NORMALIZE, MEMORY, GROWTH, ACCESS, APPEND = 3.0, 8.0, 1.7, 1.3, 2.0, 0.05
BASE, MORE = 10_000, 100
_IMPORTS = ("orjson", "polars", "duckdb", "pyarrow.json", "pyarrow.compute", "musicapi_nb.frames")


# --- one figure, in a process of its own ---------------------------------------------------


def timed(way: str, given: list[bytes], *, digest: bool) -> dict[str, Any]:
    begun = time.perf_counter()
    orjson_alone(given)
    alone = time.perf_counter() - begun
    begun = time.perf_counter()
    made = WAYS[way](given)
    seconds = time.perf_counter() - begun
    return {
        "ratio": seconds / alone,
        "seconds": seconds,
        "alone": alone,
        "digest": digested(made) if digest else None,
    }


def digested(made: Any) -> str:
    whole = hashlib.sha256()
    for name, table in same_shape(made).items():
        whole.update(f"{name} {list(table.columns)} {len(table)}".encode())
        whole.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return whole.hexdigest()


def memory(way: str, given: list[bytes]) -> dict[str, Any]:
    WAYS[way](given[:64])
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far is forgotten
    made = WAYS[way](given)
    highest = _resident("VmHWM")
    del made
    return {"bytes": highest - before, "raw": sum(map(len, given))}


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def access(given: list[bytes]) -> dict[str, Any]:
    """Random rows of the songs frame, and of the same frame with each column in one piece."""
    import pyarrow as pa

    from musicapi_nb.frames import flatten

    made = flatten(given).songs
    pieces = {}
    for name in made.columns:
        if made[name].dtype == "str":
            one = pa.chunked_array(made[name].array.__arrow_array__()).combine_chunks()
            pieces[name] = pd.Series(pd.array(one, dtype=made[name].dtype))
        else:
            pieces[name] = made[name].copy()
    whole = pd.DataFrame(pieces)
    pd.testing.assert_frame_equal(made, whole)
    rng = np.random.default_rng(0)
    many = [rng.integers(0, len(made), 100) for _ in range(50)]
    few = rng.integers(0, len(made), 500).tolist()
    seconds: dict[str, list[float]] = {"made": [], "whole": []}
    for _ in range(5):
        for name, frame in (("made", made), ("whole", whole)):
            begun = time.perf_counter()
            for rows in many:
                frame.iloc[rows]
            for row in few:
                frame.iloc[row]
            seconds[name].append(time.perf_counter() - begun)
    of_made, of_whole = (statistics.median(each) for each in seconds.values())
    return {"ratio": of_made / of_whole}


def append(given: list[bytes]) -> dict[str, Any]:
    """Add to frames that are there, frames included, against making all of them anew."""
    from musicapi_nb.frames import Flattener, flatten

    base, more = given[:BASE], given[BASE : BASE + MORE]
    flattener = Flattener()
    flattener.add(base)
    flattener.frames()
    begun = time.perf_counter()
    flattener.add(more)
    grown = flattener.frames()
    added = time.perf_counter() - begun
    begun = time.perf_counter()
    whole = flatten(base + more)
    rebuilt = time.perf_counter() - begun
    for name, table in whole._asdict().items():
        pd.testing.assert_frame_equal(getattr(grown, name), table)
    return {"ratio": added / rebuilt}


def child(what: str, way: str, path: str) -> None:
    for name in _IMPORTS:
        importlib.import_module(name)
    given = Path(path).read_bytes().splitlines()
    does = {
        "timed": lambda: timed(way, given, digest=False),
        "digested": lambda: timed(way, given, digest=True),
        "memory": lambda: memory(way, given),
        "access": lambda: access(given),
        "append": lambda: append(given),
    }
    print(json.dumps(does[what]()))


def ask(what: str, way: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", what, way, str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    found: dict[str, Any] = json.loads(said.stdout)
    return found


# --- all figures ---------------------------------------------------------------------------


def compare(path: Path, rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What each way took, round by round; raises where they do not make the same."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in WAYS:
            found[way].append(ask("timed" if number else "digested", way, path))
    digests = {way: each[0]["digest"] for way, each in found.items()}
    different = [way for way, digest in digests.items() if digest != digests[OURS]]
    if different:
        raise AssertionError(f"{', '.join(different)} made other tables than ours")
    return found


def middle(found: list[dict[str, Any]], name: str) -> float:
    return float(statistics.median(each[name] for each in found))


def measure(size: int, path: Path, rounds: int) -> list[str]:
    """Print the figures of one size; return those that miss their limit."""
    found = compare(path, rounds)
    raw = path.stat().st_size
    alone = statistics.median(each["alone"] for way in found.values() for each in way)
    print(
        f"{size:,} replies of {raw / size / 1000:.1f} KB; "
        f"orjson.loads alone {alone / size * 1e6:.1f} us each"
    )
    missed = []
    ours = middle(found[OURS], "ratio")
    for way, each in found.items():
        times = middle(each, "ratio")
        faster = times / ours
        least, most = min(one["ratio"] for one in each), max(one["ratio"] for one in each)
        print(
            f"  {way:16}{times:7.2f} x orjson.loads ({least:.2f} to {most:.2f})"
            + (f"{faster:8.2f} x ours" if way != OURS else "")
        )
        if way == OURS and size >= BASE and times > COLD:
            missed.append(f"ours at {size:,}: {times:.2f} x orjson.loads, limit {COLD}")
        limit = NORMALIZE if way == "json_normalize" else 1.0
        if way != OURS and size >= BASE and faster < limit:
            missed.append(f"ours at {size:,}: {way} takes {faster:.2f} x as long, limit {limit}")
    took = [ask("memory", OURS, path) for _ in range(3)]
    peak = statistics.median(each["bytes"] / each["raw"] for each in took)
    print(f"  peak memory {peak:.2f} x the raw bytes")
    if size >= BASE and peak > MEMORY:
        missed.append(f"peak memory at {size:,}: {peak:.2f} x the raw bytes, limit {MEMORY}")
    per_task[size] = middle(found[OURS], "ratio")
    return missed


per_task: dict[int, float] = {}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(*given.child)
        return 0
    missed = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        paths = {}
        for size in {*given.sizes, BASE + MORE}:
            paths[size] = folder / f"{size}.ndjson"
            paths[size].write_bytes(b"\n".join(replies(size)) + b"\n")
        for size in given.sizes:
            missed += measure(size, paths[size], given.rounds)
        missed += finish(paths[BASE + MORE], given.rounds)
    for each in missed:
        print(f"MISSED: {each}")
    return 1 if given.check and missed else 0


def finish(path: Path, rounds: int) -> list[str]:
    """What does not belong to one size."""
    rows = middle([ask("access", OURS, path) for _ in range(rounds)], "ratio")
    share = middle([ask("append", OURS, path) for _ in range(rounds)], "ratio")
    print(f"random rows {rows:.2f} x those of one contiguous frame")
    print(f"{MORE} added to {BASE:,}: {share:.1%} of making all anew")
    figures = [("random rows", rows, ACCESS), ("appending", share, APPEND)]
    if {SIZES[0], SIZES[-1]} <= per_task.keys():
        growth = per_task[SIZES[-1]] / per_task[SIZES[0]]
        print(f"a task at {SIZES[-1]:,} takes {growth:.2f} x what it takes at {SIZES[0]:,}")
        figures.append(("time of a task", growth, GROWTH))
    return [
        f"{name}: {value:.2f}, limit {limit}" for name, value, limit in figures if value > limit
    ]


if __name__ == "__main__":
    sys.exit(main())
