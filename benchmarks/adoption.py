"""Time to adopt replies, and to merge two libraries, as CPU time beside that of simpler work.

Adopting is compared with parsing the same replies, which it has to do anyway; merging with buying
the purchases that are merged (claim, accepted task, finished task: three transactions' events).
Twice the work may take twice the time, and a little more. Adopting or merging again, which changes
nothing, is compared with the first time. Half of the merged requests were bought in both libraries.

Figures are medians of the rounds; each round checks what it has timed.

    python benchmarks/adoption.py [--check] [--replies N] [--rounds N]

With --check it exits 1 and names each figure above its limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from musicapi_nb import Library, sonic, tasks
from musicapi_nb.frames.inputs import parse_replies

LYRICS = "[Verse]\nPaint on the harbour wall dries slow\n" * 20
LIMITS = {
    "adopt / parse": 4.0,
    "adopt twice as many / adopt": 2.4,
    "adopt again / adopt": 1.5,
    "merge / buy": 1.5,
    "merge twice as many / merge": 2.4,
    "merge again / merge": 0.8,
}


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def reply(name: str) -> dict[str, Any]:
    """Return a finished reply of two songs."""
    song: dict[str, Any] = {
        "state": "succeeded",
        "title": "Rain",
        "tags": "jazz, slow",
        "lyrics": LYRICS,
    }
    song |= {"audio_url": "https://cdn.example/a.mp3", "duration": 184.2}
    clips = [{**song, "clip_id": f"{name}-{position}"} for position in range(2)]
    return {"code": 200, "data": clips, "task_id": name}


def buy(library: Library, name: str, size: int) -> None:
    """Buy requests, every other of which has the same text whatever the name."""
    with library.transaction():
        for number in range(size):
            text = f"{name if number % 2 else 'both'} {number}"
            request = sonic.Create(custom_mode=False, gpt_description_prompt=text, mv="sonic-v5")
            entry = library.claim(request).entry.id
            accepted = {"message": "success", "task_id": f"{name}-{number}"}
            task = tasks.parse_submit_reply(accepted, request)
            library.record_accepted(entry, task)
            answer = reply(f"{name}-{number}")
            library.record_poll(entry, tasks.parse_task(answer, task=task))


def adopting(folder: Path, size: int) -> dict[str, float]:
    texts = [json.dumps(reply(f"t{number}")) for number in range(2 * size)]
    parsing, _ = cpu_seconds(lambda: [*parse_replies(texts[:size])])
    with Library(folder / "once") as once, Library(folder / "twice") as twice:
        first, adoption = cpu_seconds(lambda: once.adopt(texts[:size]))
        again, unchanged = cpu_seconds(lambda: once.adopt(texts[:size]))
        double, _ = cpu_seconds(lambda: twice.adopt(texts))
    if (adoption.new, unchanged.unchanged) != (size, size):
        sys.exit(f"wrong counts: {adoption}, {unchanged}")
    return {
        "adopt": first,
        "adopt / parse": first / parsing,
        "adopt twice as many / adopt": double / first,
        "adopt again / adopt": again / first,
    }


def merging(folder: Path, size: int) -> dict[str, float]:
    seconds = {}
    buying = again = 0.0
    for number in (1, 2):
        with (
            Library(folder / f"target{number}") as target,
            Library(folder / f"source{number}") as source,
        ):
            buy(target, "target", number * size)
            bought, _ = cpu_seconds(lambda: buy(source, "source", number * size))  # noqa: B023 - called at once
            seconds[number], merge = cpu_seconds(lambda: target.merge(source))
            again, _ = cpu_seconds(lambda: target.merge(source))
            buying, again = (bought, again) if number == 1 else (buying, again / 2)
            if (merge.new, target.account().spent) != (number * size, 2 * number * size * 20):
                sys.exit(f"wrong counts: {merge}, {target.account()}")
    return {
        "merge": seconds[1],
        "merge / buy": seconds[1] / buying,
        "merge twice as many / merge": seconds[2] / seconds[1],
        "merge again / merge": again / seconds[1],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--replies", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    rounds: list[dict[str, float]] = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            rounds.append(adopting(path, options.replies) | merging(path, options.replies))
    missed = []
    for name in rounds[0]:
        figure = statistics.median(figures[name] for figures in rounds)
        limit = LIMITS.get(name)
        if limit is None:
            print(f"{name} {options.replies:,} tasks: {figure:.2f} s CPU")
            continue
        print(f"{name}: {figure:.2f} x (limit {limit})")
        missed += [f"{name}: {figure:.2f} x, at most {limit}"] * (figure > limit)
    if options.check and missed:
        sys.exit("missed: " + "; ".join(missed))


if __name__ == "__main__":
    main()
