"""Time to open, show and read a library of 100, of 10,000 and of 100,000 purchases.

Each purchase is written through the library itself: claim, accepted task, finished task with two
songs, and the records of their audio and cover files (the files themselves do not exist). One in
ten extends a song of the purchase before. Opening, repr, the last songs and the first page of the
gallery show a page, so they must take as long with 100,000 purchases as with 10,000. `lineage` and
`flatten` read everything, so they may take ten times as long, and a little more.

While everything is read, another process starts a write transaction every 5 ms. Its longest wait
is a figure, too: nobody who buys may wait for somebody who reads.

In each round the sizes take turns; figures are medians of the rounds. Each round checks what it
has timed: counts, songs, trees and rows.

    python benchmarks/library.py [--check] [--sizes N ...] [--rounds N]

With --check it exits 1 and names each figure above its limit.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import multiprocessing
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import musicapi_nb as mnb
from musicapi_nb import Library, sonic, tasks
from musicapi_nb.engines import Request
from musicapi_nb.ledger_types import FileRef, PurchaseTerms
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import Simulator

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

SIZES = (100, 10_000, 100_000)
MAX_PAGE_RATIO = 1.5  # time of what shows a page, at the largest size / at the second largest
MAX_READ_RATIO = 1.2  # time for each purchase of what reads all, likewise
MAX_WAIT = 0.5  # seconds that a writer waits while everything is read
EXTENDED = 10  # one purchase in so many is made from a song of the one before
LAST, BATCH = 12, 1_000
LYRICS = "[Verse]\nPaint on the harbour wall dries slow\n" * 20

Figures = dict[str, float]


# --- libraries -----------------------------------------------------------------------------


def build(folder: Path, size: int) -> None:
    """Fill a library with finished purchases."""
    with Library(folder) as library:
        for start in range(0, size, BATCH):
            with library.transaction():
                for number in range(start, min(start + BATCH, size)):
                    _buy(library, number)


def _buy(library: Library, number: int) -> None:
    request = _request(number)
    task = tasks.parse_submit_reply({"message": "success", "task_id": f"task-{number}"}, request)
    clips = [_clip(number, position) for position in (0, 1)]
    reply = {"code": 200, "message": "success", "data": clips}
    finished = tasks.parse_task(reply, task=task)
    entry = library.claim(request, PurchaseTerms(simulated=True)).entry
    library.record_accepted(entry.id, task)
    library.record_poll(entry.id, finished)
    for song in finished.songs:
        for media in ("audio", "image"):
            sha256 = f"{song.id}-{media}".ljust(64, "0")
            library.attach(song, media, FileRef(sha256, 3_000_000, Path("song.mp3")))


def _request(number: int) -> Request:
    if number % EXTENDED:
        return sonic.Create(
            custom_mode=False, mv="sonic-v6", gpt_description_prompt=f"rain number {number}"
        )
    return sonic.Extend(
        custom_mode=True,
        mv="sonic-v6",
        continue_clip_id=f"clip-{number - 1}-0",
        continue_at=30,
        prompt=f"rain number {number}",
    )


def _clip(number: int, position: int) -> dict[str, Any]:
    return {
        "clip_id": f"clip-{number}-{position}",
        "state": "succeeded",
        "title": f"Harbour Lamps {number}",
        "tags": "spy jazz, bossa nova, vocal jazz, 2010s",
        "lyrics": LYRICS,
        "duration": "104.88",
        "mv": "sonic-v6",
        "created_at": "2025-10-12T13:13:02.488Z",
        "audio_url": f"http://127.0.0.1:9/{number}-{position}.mp3",
        "image_url": f"http://127.0.0.1:9/{number}-{position}.jpg",
    }


# --- what is timed -------------------------------------------------------------------------


def page_figures(folder: Path, size: int) -> Figures:
    """Time what shows a page, in seconds."""
    figures: Figures = {}
    with timed(figures, "open"):
        library = Library(folder)
    with library:
        with timed(figures, "repr"):
            text = repr(library)
        check(f"{size} done" in text, text)
        with timed(figures, "card"):
            html = library._repr_html_()
        check(f"{size:,} done" in html, html)
    with contextlib.redirect_stdout(io.StringIO()):  # it says where the library is
        session = mnb.connect(simulator=Simulator(), library=folder)
    try:
        figures |= _session_figures(session, size)
    finally:
        session.close()
    return figures


def _session_figures(session: Session, size: int) -> Figures:
    figures: Figures = {}
    with timed(figures, "songs"):
        songs = session.songs(LAST)
    check([song.id for song in songs] == _last_ids(size), songs)
    with timed(figures, "gallery"):
        html = session.gallery()._repr_html_()
    check("Harbour Lamps" in html, html)
    return figures


def _last_ids(size: int) -> list[str]:
    return [f"clip-{size - 1 - index // 2}-{index % 2}" for index in range(LAST)]


def read_figures(folder: Path, size: int) -> Figures:
    """Time what reads everything, in seconds, and the longest wait of a writer meanwhile."""
    figures: Figures = {}
    with Library(folder) as library, writing(folder) as longest_wait:
        with timed(figures, "lineage"):
            lineage = library.lineage()
        check(len(lineage.trees) == size // EXTENDED - 1, lineage)
        with timed(figures, "flatten"):
            frames = mnb.flatten(library)
        check(len(frames.songs) == 2 * size, frames)
        check(len(frames.issues) == 0, frames.issues)
        figures["wait"] = longest_wait()
    return figures


@contextlib.contextmanager
def timed(figures: Figures, name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    figures[name] = time.perf_counter() - start


def check(holds: object, value: object) -> None:
    if not holds:
        raise AssertionError(f"this was timed, and it is wrong: {value!r:.500}")


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[Callable[[], float]]:
    """Start write transactions in another process; yield a function that ends it.

    The function returns the longest time that a transaction took to start.
    """
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_write, args=(str(folder), theirs), daemon=True)
    process.start()
    ours.recv()

    def longest_wait() -> float:
        ours.send("end")
        return float(ours.recv())

    try:
        yield longest_wait
    finally:
        process.terminate()
        process.join()


def _write(folder: str, pipe: Connection) -> None:
    path, longest = f"{folder}/library.sqlite", 0.0
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=600)) as connection:
        pipe.send("started")
        while not pipe.poll(0.005):
            start = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            longest = max(longest, time.perf_counter() - start)
            connection.execute("ROLLBACK")
    pipe.send(longest)


# --- report --------------------------------------------------------------------------------


def medians(
    measure: Callable[[Path, int], Figures], folders: dict[int, Path], rounds: int
) -> dict[int, Figures]:
    """Measure all sizes by turns; return the medians by size."""
    measured: dict[int, list[Figures]] = {size: [] for size in folders}
    for turn in range(rounds + 1):  # the first one loads modules and files, and is dropped
        for size in sorted(folders, reverse=bool(turn % 2)):
            figures = measure(folders[size], size)
            if turn:
                measured[size].append(figures)
    return {
        size: {name: statistics.median(figures[name] for figures in turns) for name in turns[0]}
        for size, turns in measured.items()
    }


def report(pages: dict[int, Figures], reads: dict[int, Figures]) -> list[str]:
    """Print all figures; return those above their limits."""
    *_, smaller, larger = sorted(pages)
    missed = []
    for figures, limit in ((pages, MAX_PAGE_RATIO), (reads, MAX_READ_RATIO * larger / smaller)):
        for name in figures[larger]:
            times = ", ".join(
                f"{figures[size][name] * 1000:,.1f} ms at {size:,}" for size in sorted(figures)
            )
            if name == "wait":
                print(f"{name}: {times} (limit {MAX_WAIT * 1000:.0f} ms)")
                longest = figures[larger][name]
                missed += [f"{name}: {longest:.2f} s, at most {MAX_WAIT}"] * (longest > MAX_WAIT)
                continue
            ratio = figures[larger][name] / figures[smaller][name]
            print(f"{name}: {times}; {ratio:.2f} x (limit {limit:.3g})")
            missed += [f"{name}: {ratio:.2f} x, at most {limit:.3g}"] * (ratio > limit)
    return missed


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if len(set(options.sizes)) < 2:  # noqa: PLR2004 - a ratio has two sides
        parser.error("--sizes needs two sizes")
    with tempfile.TemporaryDirectory() as folder:
        folders = {size: Path(folder) / str(size) for size in options.sizes}
        for size, path in folders.items():
            start = time.perf_counter()
            build(path, size)
            print(f"{size:,} purchases were written in {time.perf_counter() - start:.0f} s")
        measure = functools.partial(medians, folders=folders, rounds=options.rounds)
        missed = report(measure(page_figures), measure(read_figures))
    if options.check and missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
