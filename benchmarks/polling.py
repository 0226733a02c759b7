"""Cost of polling: the learned schedule against fixed intervals, back-off and an oracle.

A discrete-event simulation with the package's scheduler; no request is sent. Render times are
log-normal (median 50 s, sigma 0.35). The cost of a task is c x polls + lag, where lag is the
seconds from its end to the poll that notices it. Every policy gets the same tasks and learns only
from its own polls. Results are ratios to the oracle, which knows the distribution but not the
individual tasks; each is the median of several rounds with different seeds.

    python benchmarks/polling.py [--check] [--rounds N]

With --check, exits 1 if a limit is exceeded and prints the result.
"""

from __future__ import annotations

import argparse
import copy
import math
import random
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import NamedTuple

from musicapi_nb import polling

MEDIAN, SIGMA = 50.0, 0.35
PACE = 3.0  # the service accepts one create every 3 s
POLL_COSTS = (0.5, 1.0, 2.0, 4.0)
PAST, BATCH, ROUNDS = 500, 100, 5
KIND = polling.TaskKind("studio", "custom", "studio-v1")
# Name, prior median, and limit of the cost ratio. Submitting all at once is harder: the first
# polls all happen before anything was learned.
PRIORS = (
    ("fair prior", MEDIAN, 1.25),
    ("prior x 2", MEDIAN * 2, 1.5),
    ("prior / 2", MEDIAN / 2, 1.5),
)
LEARNED = 1.08
MANY, BYTES = 10_000, 600


class Cost(NamedTuple):
    """Polls and seconds of lag of all tasks of a batch."""

    polls: int
    lag: float

    def total(self, poll_cost: float) -> float:
        return poll_cost * self.polls + self.lag


def durations(count: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [MEDIAN * math.exp(chance.gauss(0, SIGMA)) for _ in range(count)]


def follow(next_poll: Callable[[float], float], took: Sequence[float]) -> Cost:
    """Poll each task by a rule that returns the age of the next poll."""
    polls, lag = 0, 0.0
    for end in took:
        age = 0.0
        while age < end:
            age = next_poll(age)
            polls += 1
        lag += age - end
    return Cost(polls, lag)


def batch(scheduler: polling.Scheduler[int], took: Sequence[float], pace: float) -> Cost:
    """Submit tasks `pace` seconds apart and poll them by the scheduler."""
    polls, lag, sent, now = 0, 0.0, 0, 0.0
    while sent < len(took) or len(scheduler):
        due = scheduler.next_due()
        if due is None or (sent < len(took) and sent * pace <= due):
            now = max(now, sent * pace)
            scheduler.add(sent, KIND, sent * pace, now)
            sent += 1
            continue
        now = max(now, due)
        for task in scheduler.due(now):
            end = task * pace + took[task]
            polls += 1
            lag += max(now - end, 0.0) if end <= now else 0.0
            scheduler.record_poll(task, now, finished=end <= now)
    return Cost(polls, lag)


def history_with_prior(median: float) -> polling.History:
    """Return an empty history with a prior as wide as the package's."""
    return polling.History(lambda _: polling.Prior(median, 0.5))


def learned(seed: int) -> polling.History:
    """Return a history that learned from an earlier batch through its polls."""
    history = history_with_prior(MEDIAN)
    batch(polling.Scheduler(history), durations(PAST, seed + 1_000_000), PACE)
    return history


def oracle(poll_cost: float) -> polling.Schedule:
    times = [0.2 * k for k in range(5 * 400)]
    survival = [1.0] + [0.5 * math.erfc(math.log(t / MEDIAN) / SIGMA / 2**0.5) for t in times[1:]]
    return polling.optimal_schedule(times, survival, poll_cost)


def back_off(first: float, factor: float, longest: float) -> Callable[[float], float]:
    """Return a rule with pauses that grow by `factor` from `first` to `longest` seconds."""
    ages, pause = [first], first
    while ages[-1] < MEDIAN * 100:
        pause = min(pause * factor, longest)
        ages.append(ages[-1] + pause)
    return lambda age: next(later for later in ages if later > age)


def fixed_interval(interval: float) -> Callable[[float], float]:
    return lambda age: age + interval


def run_round(poll_cost: float, seed: int, past: polling.History) -> dict[str, Cost]:
    took = durations(BATCH, seed)

    def run(history: polling.History, pace: float) -> Cost:
        return batch(polling.Scheduler(history, poll_cost=poll_cost), took, pace)

    fixed = (follow(fixed_interval(k / 2), took) for k in range(4, 240))
    return {
        "oracle": follow(oracle(poll_cost).next_poll, took),
        "learned": run(copy.deepcopy(past), PACE),
        "learned, at once": run(copy.deepcopy(past), 0.0),
        **{f"cold, {name}": run(history_with_prior(median), PACE) for name, median, _ in PRIORS},
        **{f"at once, {name}": run(history_with_prior(median), 0.0) for name, median, _ in PRIORS},
        "best fixed": min(fixed, key=lambda cost: cost.total(poll_cost)),
        **{f"fixed {k} s": follow(fixed_interval(k), took) for k in (5, 15, 25)},
        "back-off": follow(back_off(1, 1.5, 30), took),
    }


def compare(rounds: int) -> dict[str, list[float]]:
    """Print the table and return each policy's ratios to the oracle, one for each poll cost."""
    pasts = [learned(seed) for seed in range(rounds)]
    ratios: dict[str, list[float]] = {}
    cells: dict[str, list[str]] = {}
    for poll_cost in POLL_COSTS:
        runs = [run_round(poll_cost, seed, past) for seed, past in enumerate(pasts)]
        for name in runs[0]:
            ratio, polls, lag = (
                statistics.median(values)
                for values in (
                    [run[name].total(poll_cost) / run["oracle"].total(poll_cost) for run in runs],
                    [run[name].polls / BATCH for run in runs],
                    [run[name].lag / BATCH for run in runs],
                )
            )
            ratios.setdefault(name, []).append(ratio)
            cells.setdefault(name, []).append(f"{ratio:.2f} ({polls:4.1f}, {lag:4.1f} s)")
    print(
        f"Cost relative to the oracle, and (polls, lag) per task; {rounds} rounds of {BATCH} tasks,"
    )
    print(f"one every {PACE:g} s or all at once; learned: from {PAST} tasks of an earlier batch.")
    print(f"{'c':20}" + "".join(f"{poll_cost:>20g}" for poll_cost in POLL_COSTS))
    for name, row in cells.items():
        print(f"{name:20}" + "".join(f"{cell:>20}" for cell in row))
    return ratios


def weigh() -> float:
    """Print CPU and memory of many tasks in flight; return bytes per task beyond its name."""
    took = durations(MANY, 2)
    begin = time.process_time()
    cost = batch(polling.Scheduler(polling.History()), took, 0.0)
    cpu = time.process_time() - begin
    names = [f"task-{k}" for k in range(MANY)]
    scheduler: polling.Scheduler[str] = polling.Scheduler(polling.History())
    scheduler.add("first", KIND, 0.0, 0.0)
    tracemalloc.start()
    for name in names:
        scheduler.add(name, KIND, 0.0, 0.0)
    now = scheduler.next_due() or 0.0
    for name in scheduler.due(now):
        scheduler.record_poll(name, now, finished=False)
    size = tracemalloc.get_traced_memory()[1] / MANY
    tracemalloc.stop()
    print(f"\n{MANY:,} tasks at once, from a cold start: {1e6 * cpu / cost.polls:.0f} us per poll,")
    print(f"{size:.0f} bytes per task in flight at most (limit {BYTES})")
    return size


def main() -> int:
    parser = argparse.ArgumentParser(description="Cost of polling relative to the optimum.")
    parser.add_argument("--check", action="store_true", help="exit 1 if a limit is exceeded")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"at least {ROUNDS}")
    options = parser.parse_args()

    ratios = compare(max(options.rounds, ROUNDS))
    size = weigh()
    limits = {"learned": LEARNED, "learned, at once": LEARNED}
    for name, _, limit in PRIORS:
        limits |= {f"cold, {name}": limit, f"at once, {name}": limit}
    failures = [
        f"{name} at c = {poll_cost:g}: {ratio:.3f}, limit {limit}"
        for name, limit in limits.items()
        for poll_cost, ratio in zip(POLL_COSTS, ratios[name], strict=True)
        if not ratio <= limit
    ]
    if size > BYTES:
        failures.append(f"bytes per task: {size:.0f}, limit {BYTES}")
    print(
        "\n"
        + ("\n".join(f"EXCEEDED {failure}" for failure in failures) or "All within the limits.")
    )
    return 1 if failures and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
