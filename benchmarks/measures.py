"""Processor time and memory of `audio_features`: of 250 and of 1,000 songs of 30 s.

40 songs are rendered by the simulator. The others have the same sound, and a tag at their end that
makes them other files. Each run is a process of its own with an empty library. Measured are the
processor time of the workers and of the process that started them, the memory of the largest
worker and of that process, and how long a second call takes, which must compute nothing. Then a
run of the smaller size is killed (-9) halfway and started again: together, the two compute each
song once, but for those that were under way.

The memory of a worker is an upper bound: the system counts that of the process it was forked from.
Processor time does not depend on what else the machine does, as far as its caches allow. The time
per song at the two sizes says whether it is linear.

    python benchmarks/measures.py [--check] [--songs N]

With --check it exits 1 and names each figure above its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SONGS = 1_000
RENDERS, SECONDS = 40, 30.0
MAX_SONG = 0.5  # seconds of processor time per song, in all
MAX_OWN_SHARE = 0.02  # of that, in the process that started the workers
MAX_RATIO = 1.2  # of the figures per song, and of memory, at the larger size / at the smaller
MAX_SECOND_SHARE = 0.02  # time of a call that computes nothing / of one that computes all
_ID3_BYTES = 128

# Runs in a process of its own: its memory and processor time are those of one call.
_CALL = """
import json, resource, sys, time
import musicapi_nb as mnb
from musicapi_nb.measures import engine  # loaded before the clock starts

def used(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime

folder, path = sys.argv[1:]
with mnb.Library(path) as library:
    mnb.audio_features  # as above
    start, own = time.perf_counter(), used(resource.RUSAGE_SELF)
    table = mnb.audio_features(folder, library=library, progress=False)
    figures = {
        "seconds": time.perf_counter() - start,
        "own": used(resource.RUSAGE_SELF) - own,
        "workers": used(resource.RUSAGE_CHILDREN),
        "own_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "worker_memory": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "songs": int(table["seconds"].notna().sum()),
    }
print(json.dumps(figures))
"""
# As above, and each song that is started is a line of a file.
_KILLED = """
import sys
import musicapi_nb as mnb
from musicapi_nb.measures.feature_columns import read_features

folder, path, log = sys.argv[1:]

def tempo(path):
    with open(log, "a") as file:
        file.write(path.name + chr(10))
    return read_features(path)["tempo"]

with mnb.Library(path) as library:
    mnb.measure(folder, tempo, name="bpm", library=library, progress=False)
"""


def write_songs(folder: Path, number: int) -> None:
    """Write songs as MP3: renders of the simulator, and copies with a tag of their own."""
    from musicapi_nb.simulator.music.recording import Recording
    from musicapi_nb.simulator.music.synthesis import encode, samples_of

    styles = (("spy jazz", "bossa nova"), ("rock",), ("ambient", "slow"), ("disco", "fast"))
    renders = []
    for index in range(min(RENDERS, number)):
        recording = Recording(f"song {index}", styles[index % len(styles)], SECONDS, index % 2 == 0)
        renders.append(encode(samples_of(recording), "mp3"))
    folder.mkdir()
    for index in range(number):
        tag = b"TAG" + f"song {index}".encode().ljust(_ID3_BYTES - 3, b"\0")
        (folder / f"{index:04}.mp3").write_bytes(renders[index % len(renders)] + tag)


def call(folder: Path, library: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", _CALL, str(folder), str(library)]
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 - ourselves
    figures: dict[str, Any] = json.loads(result.stdout)
    return figures


def stored(library: Path) -> int:
    """Count what a library has stored so far; 0 before it exists."""
    path = library / "library.sqlite"
    if not path.exists():
        return 0
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM measurements").fetchone()[0])
    except sqlite3.OperationalError:  # it is being created
        return 0
    finally:
        connection.close()


def kill_halfway(folder: Path, library: Path, number: int) -> tuple[int, int]:
    """Kill a run when half of its songs are stored, and run it again.

    Return how many were stored at the kill, and how many computations the two runs started.
    """
    log = library.with_suffix(".log")
    command = [sys.executable, "-c", _KILLED, str(folder), str(library), str(log)]
    process = subprocess.Popen(command)  # noqa: S603 - ourselves
    while stored(library) < number // 2 and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    before = stored(library)
    subprocess.run(command, check=True)  # noqa: S603 - ourselves
    if stored(library) != number:
        sys.exit(f"{stored(library)} of {number} songs are stored after the second run")
    return before, len(log.read_text(encoding="utf-8").splitlines())


def measure(number: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return figures and their limits."""
    sizes = (number // 4, number)
    runs = {}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for size in sizes:
            write_songs(root / str(size), size)
            runs[size] = call(root / str(size), root / f"library {size}")
            if runs[size]["songs"] != size:
                sys.exit(f"{runs[size]['songs']} of {size} songs have a value")
        second = call(root / str(number), root / f"library {number}")
        before, started = kill_halfway(root / str(sizes[0]), root / "killed", sizes[0])
    totals = {size: (run["own"] + run["workers"]) / size for size, run in runs.items()}
    small, large = (runs[size] for size in sizes)
    per_worker = large["workers"] / number
    figures = {
        f"processor seconds per song, {sizes[0]:,} songs": totals[sizes[0]],
        f"processor seconds per song, {number:,} songs": totals[number],
        "the latter / the former": totals[number] / totals[sizes[0]],
        "share of the process that starts the workers": large["own"] / number / totals[number],
        "memory of a worker, MB, at most": large["worker_memory"],
        "memory of a worker: many / few songs": large["worker_memory"] / small["worker_memory"],
        "memory of the process, MB": large["own_memory"],
        "memory of the process: many / few songs": large["own_memory"] / small["own_memory"],
        "second call / first": second["seconds"] / large["seconds"],
        "songs computed by the second call": second["workers"] / per_worker,
        "stored when it was killed, share": before / sizes[0],
        "songs computed twice because of the kill": started - sizes[0],
    }
    limits = {
        f"processor seconds per song, {number:,} songs": MAX_SONG,
        "the latter / the former": MAX_RATIO,
        "share of the process that starts the workers": MAX_OWN_SHARE,
        "memory of a worker: many / few songs": MAX_RATIO,
        "memory of the process: many / few songs": MAX_RATIO,
        "second call / first": MAX_SECOND_SHARE,
        "songs computed by the second call": 0.5,
        "songs computed twice because of the kill": 2 * (os.cpu_count() or 1),  # those under way
    }
    return figures, limits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--songs", type=int, default=SONGS)
    options = parser.parse_args()
    figures, limits = measure(options.songs)
    for name, value in figures.items():
        limit = f"  (at most {limits[name]:g})" if name in limits else ""
        print(f"{name:55} {value:10.3f}{limit}")
    missed = [
        f"{name} {figures[name]:.3f}" for name, limit in limits.items() if figures[name] > limit
    ]
    if options.check and missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
