"""What asking costs: the learned schedule against fixed intervals, back-off and the oracle.

A discrete-event simulation with the package's own scheduler; no request is made. Tasks take
log-normal times (median 50 s, sigma 0.35). The cost of a task is c x polls + lag, lag being the
seconds from its end to the poll that notices it. Every policy meets the same tasks, and learns
from nothing but its own polls. Figures are ratios over the oracle, which knows the distribution
but not the tasks: medians of the rounds, each with a seed of its own.

    python benchmarks/polling.py [--check] [--rounds N]

Exits 1 with --check where a limit is passed, naming the figure.
"""

from __future__ import annotations

import argparse
import copy
import heapq
import math
import random
import statistics
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, NamedTuple

from musicapi_nb import polling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MEDIAN, SIGMA = 50.0, 0.35
PACE = 3.0  # the service takes one create in 3 s
PRICES = (0.5, 1.0, 2.0, 4.0)
PAST, BATCH, ROUNDS = 500, 100, 5
KEY = polling.TaskKind("studio", "custom", "studio-v1")
# What a prior says of the median, and what may be lost by it. All at once is harder: the first
# looks are all made before anything was learned.
PRIORS = (
    ("fair prior", MEDIAN, 1.25),
    ("prior x 2", MEDIAN * 2, 1.5),
    ("prior / 2", MEDIAN / 2, 1.5),
)
LEARNED = 1.08
MANY, BYTES = 10_000, 600


class Spent(NamedTuple):
    """What a batch came to: polls and seconds of lag of all tasks together."""

    polls: int
    lag: float

    def cost(self, poll_cost: float) -> float:
        return poll_cost * self.polls + self.lag


def durations(count: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [MEDIAN * math.exp(chance.gauss(0, SIGMA)) for _ in range(count)]


def follow(after: Callable[[float], float], took: Sequence[float]) -> Spent:
    """Tasks that are each polled by a rule: the next age to look at after this age."""
    polls, lag = 0, 0.0
    for end in took:
        age = 0.0
        while age < end:
            age = after(age)
            polls += 1
        lag += age - end
    return Spent(polls, lag)


def batch(scheduler: polling.Scheduler[int], took: Sequence[float], pace: float) -> Spent:
    """Tasks that are sent `pace` seconds apart and polled as the scheduler says."""
    polls, lag, sent, now = 0, 0.0, 0, 0.0
    while sent < len(took) or len(scheduler):
        due = scheduler.next_due()
        if due is None or (sent < len(took) and sent * pace <= due):
            now = max(now, sent * pace)
            scheduler.add(sent, KEY, sent * pace, now)
            sent += 1
            continue
        now = max(now, due)
        for task in scheduler.due(now):
            end = task * pace + took[task]
            polls += 1
            lag += max(now - end, 0.0) if end <= now else 0.0
            scheduler.record_poll(task, now, finished=end <= now)
    return Spent(polls, lag)


def queue(interval: float, took: Sequence[float], pace: float, rate: float) -> Spent:
    """Fixed intervals where only `rate` polls a second may leave: who waits longest goes first."""
    heap = [(interval + task * pace, task) for task in range(len(took))]
    polls, lag, now = 0, 0.0, 0.0
    while heap:
        due, task = heapq.heappop(heap)
        now, polls = max(due, now + 1 / rate), polls + 1
        late = now - task * pace - took[task]
        if late < 0:
            heapq.heappush(heap, (now + interval, task))
        else:
            lag += late
    return Spent(polls, lag)


def believing(median: float) -> polling.History:
    """A history with nothing in it, and a prior that is as unsure as the package's own."""
    return polling.History(lambda _: polling.Prior(median, 0.5))


def learned(seed: int) -> polling.History:
    """A history with an earlier batch in it, seen through that batch's own polls."""
    history = believing(MEDIAN)
    batch(polling.Scheduler(history), durations(PAST, seed + 1_000_000), PACE)
    return history


def oracle(poll_cost: float) -> polling.Schedule:
    times = [0.2 * k for k in range(5 * 400)]
    left = [1.0] + [0.5 * math.erfc(math.log(t / MEDIAN) / SIGMA / 2**0.5) for t in times[1:]]
    return polling.optimal_schedule(times, left, poll_cost)


def backing_off(first: float, factor: float, longest: float) -> Callable[[float], float]:
    """Pauses of `first` seconds, each `factor` times the one before, to `longest`."""
    ages, pause = [first], first
    while ages[-1] < MEDIAN * 100:
        pause = min(pause * factor, longest)
        ages.append(ages[-1] + pause)
    return lambda age: next(each for each in ages if each > age)


def every(interval: float) -> Callable[[float], float]:
    return lambda age: age + interval


def one_round(poll_cost: float, seed: int, past: polling.History) -> dict[str, Spent]:
    took = durations(BATCH, seed)

    def run(history: polling.History, pace: float) -> Spent:
        return batch(polling.Scheduler(history, poll_cost=poll_cost), took, pace)

    fixed = (follow(every(k / 2), took) for k in range(4, 240))
    return {
        "oracle": follow(oracle(poll_cost).after, took),
        "learned": run(copy.deepcopy(past), PACE),
        "learned, at once": run(copy.deepcopy(past), 0.0),
        **{f"cold, {name}": run(believing(median), PACE) for name, median, _ in PRIORS},
        **{f"at once, {name}": run(believing(median), 0.0) for name, median, _ in PRIORS},
        "best fixed": min(fixed, key=lambda spent: spent.cost(poll_cost)),
        **{f"fixed {k} s": follow(every(k), took) for k in (5, 15, 25)},
        "back-off": follow(backing_off(1, 1.5, 30), took),
    }


def compare(rounds: int) -> dict[str, list[float]]:
    """Print the table; the ratios over the oracle by policy, one for each price."""
    pasts = [learned(seed) for seed in range(rounds)]
    ratios: dict[str, list[float]] = {}
    cells: dict[str, list[str]] = {}
    for poll_cost in PRICES:
        runs = [one_round(poll_cost, seed, past) for seed, past in enumerate(pasts)]
        for name in runs[0]:
            ratio, polls, lag = (
                statistics.median(values)
                for values in (
                    [run[name].cost(poll_cost) / run["oracle"].cost(poll_cost) for run in runs],
                    [run[name].polls / BATCH for run in runs],
                    [run[name].lag / BATCH for run in runs],
                )
            )
            ratios.setdefault(name, []).append(ratio)
            cells.setdefault(name, []).append(f"{ratio:.2f} ({polls:4.1f}, {lag:4.1f} s)")
    print(f"Cost over the oracle's, and (polls, lag) of a task; {rounds} rounds of {BATCH} tasks,")
    print(f"one in {PACE:g} s or all at once; learned: from {PAST} tasks of an earlier batch.")
    print(f"{'c':20}" + "".join(f"{poll_cost:>20g}" for poll_cost in PRICES))
    for name, row in cells.items():
        print(f"{name:20}" + "".join(f"{each:>20}" for each in row))
    return ratios


def bound() -> None:
    """Print what is left of it where the allowed rate binds."""
    print("\nWhere the rate binds (10 tasks a second, 20 polls a second): polls and lag of a task")
    count, pace, rate = 4000, 0.1, 20.0
    took = durations(count, 1)
    rows = {f"fixed {k} s": queue(k, took, pace, rate) for k in (5, 15, 25)}
    rows["learned"] = batch(polling.Scheduler(learned(1), rate=rate), took, pace)
    for name, spent in rows.items():
        print(f"{name:20}{spent.polls / count:6.2f}{spent.lag / count:8.2f} s")


def weigh() -> float:
    """Print CPU and memory of many tasks in flight; bytes of one, beyond its name."""
    took = durations(MANY, 2)
    begin = time.process_time()
    spent = batch(polling.Scheduler(polling.History()), took, 0.0)
    cpu = time.process_time() - begin
    names = [f"task-{k}" for k in range(MANY)]
    scheduler: polling.Scheduler[str] = polling.Scheduler(polling.History())
    scheduler.add("first", KEY, 0.0, 0.0)
    tracemalloc.start()
    for name in names:
        scheduler.add(name, KEY, 0.0, 0.0)
    now = scheduler.next_due() or 0.0
    for name in scheduler.due(now):
        scheduler.record_poll(name, now, finished=False)
    size = tracemalloc.get_traced_memory()[1] / MANY
    tracemalloc.stop()
    print(f"\n{MANY:,} tasks at once, from a cold start: {1e6 * cpu / spent.polls:.0f} us a poll,")
    print(f"{size:.0f} bytes a task in flight at most (limit {BYTES})")
    return size


def main() -> int:
    parser = argparse.ArgumentParser(description="What asking costs, over the optimum.")
    parser.add_argument("--check", action="store_true", help="exit 1 where a limit is passed")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"at least {ROUNDS}")
    options = parser.parse_args()

    ratios = compare(max(options.rounds, ROUNDS))
    bound()
    size = weigh()
    limits = {"learned": LEARNED, "learned, at once": LEARNED}
    for name, _, limit in PRIORS:
        limits |= {f"cold, {name}": limit, f"at once, {name}": limit}
    missed = [
        f"{name} at c = {poll_cost:g}: {ratio:.3f}, limit {limit}"
        for name, limit in limits.items()
        for poll_cost, ratio in zip(PRICES, ratios[name], strict=True)
        if not ratio <= limit
    ]
    if size > BYTES:
        missed.append(f"bytes a task: {size:.0f}, limit {BYTES}")
    print("\n" + ("\n".join(f"MISSED {each}" for each in missed) or "All within the limits."))
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
