"""What the ledger costs: the same tasks to their end with it and without, in one run.

A bare aiohttp server in a process of its own acknowledges every create and answers every poll with
two finished songs without links. The client's CPU seconds are compared, side by side, the order
turned about from round to round: medians of the rounds. Before any figure is printed it is checked
that both ways end every task, and that the ledger has each of them as done.

    python benchmarks/journal.py [--check] [--tasks N] [--rounds N]

Exits 1 with --check where a limit is passed, naming the figure.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from musicapi_nb import Library, MusicAPI, sonic

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

AT_ONCE = 50
MOST = 1.35
LYRICS = "[Verse]\nPaint on the harbour wall dries slow\n" * 20


def serve(pipe: Connection) -> None:
    """Answer until killed; send the port first."""
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
    app.add_routes([web.post("/api/v1/sonic/create", create),
                    web.get("/api/v1/sonic/task/{task}", poll)])  # fmt: skip
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
        "mv": "sonic-v5",
        "created_at": "2025-10-12T13:13:02.488Z",
    }


async def run(port: int, tasks: int, ledger: Library | None) -> float:
    """Bring tasks to their end; return the CPU seconds of this process."""
    api = MusicAPI("sk-benchmark-0000001", base_url=f"http://127.0.0.1:{port}", pace=0, speed=1e5,
                   ledger=ledger)  # fmt: skip
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> bool:
        request = sonic.Create(
            custom_mode=False, mv="sonic-v5", gpt_description_prompt=f"rain number {number}"
        )
        async with places:
            task = await api.run(request, deadline=1e12)
        return task.state == "succeeded" and len(task.songs) == 2  # noqa: PLR2004 - two clips

    async with api:
        start = time.process_time()
        ended = await asyncio.gather(*(one(number) for number in range(tasks)))
        spent = time.process_time() - start
    if not all(ended):
        raise AssertionError(f"{ended.count(False)} tasks did not end in two songs")
    return spent


def with_ledger(port: int, tasks: int) -> float:
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        start = time.process_time()
        asyncio.run(run(port, tasks, library))
        spent = time.process_time() - start
        if library.counts()["done"] != tasks:
            raise AssertionError(f"the ledger has {library.counts()}")
        return spent


def without_ledger(port: int, tasks: int) -> float:
    start = time.process_time()
    asyncio.run(run(port, tasks, None))
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        port = ours.recv()
        rounds = []
        for number in range(given.rounds):
            ways = [with_ledger, without_ledger]
            spent = {way: way(port, given.tasks) for way in (ways if number % 2 else ways[::-1])}
            rounds.append((spent[with_ledger], spent[without_ledger]))
            print(f"round {number + 1}: {rounds[-1][0]:.2f} s with, {rounds[-1][1]:.2f} s without")
    finally:
        server.terminate()
    ratio = statistics.median(on / off for on, off in rounds)
    print(f"{given.tasks:,} tasks: CPU with the ledger / without = {ratio:.2f} (limit {MOST})")
    if given.check and ratio > MOST:
        sys.exit(f"missed: CPU ratio {ratio:.2f}, at most {MOST}")


if __name__ == "__main__":
    main()
