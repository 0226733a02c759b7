"""Cost of the ledger: CPU time of tasks with and without it, and memory of tasks in flight.

A plain aiohttp server in another process accepts every create and answers every poll with two
finished songs, whose files are not downloaded. The CPU seconds of this process are compared. In
each round both ways run the same number of tasks, alternating every 500 tasks, so that other load
affects both. The figure is the median of the rounds. Each round checks that both ways finish every
task, and that the ledger has all of them as done.

Before each purchase the library checks that its open database is still the file at its path. The
share of this check is the number of checks of a task, counted in a further turn, times the CPU time
of one, over the CPU time of a task with the ledger.

Memory in flight is what Python allocates (tracemalloc) for accepted tasks that `resume` waits for,
before their first poll is due, less the memory of the tasks themselves (parsed replies and
requests). It includes all that client, scheduler and ledger keep for a task, but not SQLite's
cache, which does not grow with the tasks.

    python benchmarks/journal.py [--check] [--tasks N] [--rounds N]

Twice as many tasks are in flight. With --check it exits 1 and names each figure above its limit.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import multiprocessing
import statistics
import sys
import tempfile
import time
import tracemalloc
from typing import TYPE_CHECKING, Any
from unittest import mock

from aiohttp import web

from musicapi_nb import Library, MusicAPI, sonic, tasks
from musicapi_nb.library.database import Database

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

KEY = "sk-benchmark-0000001"
AT_ONCE, TURN = 50, 500
RATIO, BYTES, CHECK_SHARE = 1.35, 600, 0.02
CHECKS = 20_000  # timed at once: one takes microseconds
LYRICS = "[Verse]\nPaint on the harbour wall dries slow\n" * 20


def serve(pipe: Connection) -> None:
    """Send the port, then answer until killed."""
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    numbers = itertools.count()

    async def create(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"message": "success", "task_id": f"task-{next(numbers)}"})

    async def poll(request: web.Request) -> web.Response:
        task = request.match_info["task"]
        clips = [_clip(task, position) for position in (0, 1)]
        return web.json_response({"code": 200, "message": "success", "data": clips})

    app = web.Application()
    app.add_routes(
        [web.post("/api/v1/sonic/create", create), web.get("/api/v1/sonic/task/{task}", poll)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pipe.send(runner.addresses[0][1])
    await asyncio.Event().wait()


def _clip(task: str, position: int) -> dict[str, Any]:
    return {
        "clip_id": f"{task}-{position}",
        "state": "succeeded",
        "title": "Harbour Lamps",
        "tags": "spy jazz, bossa nova, vocal jazz, 2010s",
        "lyrics": LYRICS,
        "duration": "104.88",
        "mv": "sonic-v6",
        "created_at": "2025-10-12T13:13:02.488Z",
        "audio_url": f"https://cdn1.suno.ai/{task}-{position}.mp3",
    }


def song(number: int) -> sonic.Create:
    return sonic.Create(
        custom_mode=False, mv="sonic-v6", gpt_description_prompt=f"rain number {number}"
    )


async def bring(api: MusicAPI, numbers: range) -> None:
    """Run tasks, some at once, and check that each has its songs."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> bool:
        async with places:
            task = await api.run(song(number), deadline=1e12)
        return task.state == "succeeded" and len(task.songs) == 2  # noqa: PLR2004 - two clips

    ended = await asyncio.gather(*map(one, numbers))
    if not all(ended):
        raise AssertionError(f"{ended.count(False)} tasks did not end in two songs")


class Client(MusicAPI):
    """A client that downloads no files: they are no part of the ledger."""

    async def _archive(self, task: tasks.Task) -> None:
        """Leave the links alone."""


def client(port: int, library: Library | None) -> Client:
    return Client(KEY, base_url=f"http://127.0.0.1:{port}", pace=0, speed=1e5, ledger=library)


async def compare(port: int, number: int, library: Library) -> tuple[float, float]:
    """Return the CPU seconds of some tasks with the ledger, and of as many without."""
    with_, without = client(port, library), client(port, None)
    spent = {with_: 0.0, without: 0.0}
    async with with_, without:
        for turn, start in enumerate(range(0, number, TURN)):
            for api in (with_, without) if turn % 2 else (without, with_):
                begun = time.process_time()
                await bring(api, range(start, min(start + TURN, number)))
                if api is with_:
                    await library.commit(lambda: None)
                spent[api] += time.process_time() - begun
    return spent[with_], spent[without]


async def checks_of_a_task(port: int, library: Library) -> float:
    """Return how often the place of the library is checked for one task."""
    check = vars(Database)["_files_in_place"]
    with mock.patch.object(Database, "_files_in_place", autospec=True, side_effect=check) as checks:
        async with client(port, library) as api:
            await bring(api, range(-TURN, 0))
            await library.commit(lambda: None)
    return checks.call_count / TURN


def seconds_of_a_check(library: Library) -> float:
    begun = time.process_time()
    for _ in range(CHECKS):
        if library.notice:
            raise AssertionError(library.notice)
    return (time.process_time() - begun) / CHECKS


def round_(port: int, number: int) -> tuple[float, float, float]:
    """Return the CPU seconds with and without the ledger, and those of the checks of the former."""
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        on, off = asyncio.run(compare(port, number, library))
        if library.counts() != {"done": number}:
            raise AssertionError(f"the ledger has {library.counts()}")
        checks = asyncio.run(checks_of_a_task(port, library))
        if checks < 1:
            raise AssertionError(f"a task is bought with {checks:.2f} checks")
        return on, off, number * checks * seconds_of_a_check(library)


def cpu_figures(number: int, rounds: int) -> tuple[float, float]:
    """Print and return CPU with the ledger over CPU without, and the share of the checks."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        port = ours.recv()
        ratios, shares = [], []
        for index in range(rounds):
            on, off, checks = round_(port, number)
            ratios.append(on / off)
            shares.append(checks / on)
            print(
                f"round {index + 1}: {on:.2f} s with, {off:.2f} s without: {on / off:.2f}; "
                f"{checks:.3f} s for checks of the place: {checks / on:.2%}"
            )
    finally:
        server.terminate()
    ratio, share = statistics.median(ratios), statistics.median(shares)
    print(f"{number:,} tasks: CPU with the ledger / without = {ratio:.2f} (limit {RATIO})")
    print(f"checks of the library's place: {share:.2%} of CPU (limit {CHECK_SHARE:.0%})")
    return ratio, share


def in_flight(number: int) -> float:
    """Print and return the bytes of a task in flight in addition to the task itself."""
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        with library.transaction():
            for index in range(number):
                ack = {"message": "success", "task_id": f"{index:036d}"}  # as long as a UUID
                claim = library.claim(song(index))
                library.record_accepted(claim.entry.id, tasks.parse_submit_reply(ack, song(index)))
        tracemalloc.start()
        tasks_kept = library.tasks("accepted")
        by_themselves = _traced()
        if len(tasks_kept) != number:
            raise AssertionError(f"the ledger gives {len(tasks_kept)} tasks")
        del tasks_kept
        figure = (asyncio.run(_waited_for(library)) - by_themselves) / number
        tracemalloc.stop()
    print(f"{number:,} tasks in flight: {figure:.0f} bytes each beside the reply (limit {BYTES})")
    return figure


async def _waited_for(library: Library) -> int:
    """Return the bytes allocated while the ledger's tasks are waited for, once they are stable."""
    before, last, now = _traced(), -1, 0
    # At this speed no poll is due before a busy machine is done.
    async with MusicAPI(KEY, base_url="http://127.0.0.1:9", speed=1e-3, ledger=library) as api:
        waiting = asyncio.create_task(api.resume(deadline=1e12))
        while now != last:
            await asyncio.sleep(1)
            last, now = now, _traced()
        if waiting.done():
            raise AssertionError("nothing is in flight any more")
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
    return now - before


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    size = in_flight(2 * options.tasks)
    cpu, share = cpu_figures(options.tasks, options.rounds)
    missed = [f"bytes a task: {size:.0f}, at most {BYTES}"] * (size > BYTES)
    missed += [f"CPU ratio: {cpu:.2f}, at most {RATIO}"] * (cpu > RATIO)
    missed += [f"checks of the place: {share:.2%}, at most {CHECK_SHARE:.0%}"] * (
        share > CHECK_SHARE
    )
    if options.check and missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
