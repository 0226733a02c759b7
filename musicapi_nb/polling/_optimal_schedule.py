"""The dynamic programme that balances the cost of polling against the delay it saves."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

_MAX_PAUSE = 300.0  # seconds; bounds the delay when the estimate is wrong
_HALF = 0.5


class Schedule(NamedTuple):
    """The optimal next poll after each unsuccessful one, for tasks of one kind.

    `polls` and `lag` (seconds) are the expected cost of one task under the estimated
    distribution, and `median` (seconds) is that distribution's median.
    """

    times: Sequence[float]
    next_index: tuple[int, ...]
    polls: float
    lag: float
    median: float

    def next_poll(self, age: float) -> float:
        """Return the age in seconds of the next poll after one (or the submit) at `age`."""
        index = bisect_left(self.times, age)
        if index >= len(self.times) - 1:
            return age + min(self.times[-1] - self.times[-2], _MAX_PAUSE)
        return min(self.times[self.next_index[index]], age + _MAX_PAUSE)


def optimal_schedule(
    times: Sequence[float], survival: Sequence[float], poll_cost: float, min_interval: float = 0.0
) -> Schedule:
    """Return the schedule that minimises poll_cost x polls + lag.

    `times` are those of possible polls in seconds, ascending; the first one is never polled.
    `survival` is the probability that the task is unfinished at each, never increasing. `poll_cost`
    is in seconds of lag, and two polls are at least `min_interval` seconds apart.

    Notes
    -----
    Let W[i] be the expected cost still to come after an unsuccessful poll at i, weighted by the
    probability S[i] of reaching it, c the cost of a poll, and A the integral of S. Then

        W[i] = min over j > i of  c S[i] + (t[j] - t[i]) S[i] - (A[j] - A[i]) + W[j]

    of which only t[j] S[i] + W[j] - A[j] depends on j. The last time, where W is 0, is always
    allowed as j. As i falls, S[i] grows, so that early times gain on late ones: the best j never
    rises, and the later ones need not be compared.
    """
    size = len(times)
    area = _integral(times, survival)
    remaining = [-area[-1]] * size  # W[j] - A[j]
    next_index = [size - 1] * size
    for i in range(size - 2, -1, -1):
        first = bisect_left(times, times[i] + min_interval, i + 1, size - 1)
        end = next_index[i + 1] + 1
        pairs = zip(times[first:end], remaining[first:end], strict=True)
        costs = [time * survival[i] + rest for time, rest in pairs]
        lowest = min(costs)
        next_index[i] = first + costs.index(lowest)
        remaining[i] = (poll_cost - times[i]) * survival[i] + lowest
    polls = _expected_polls(next_index, survival)
    return Schedule(
        times=times,
        next_index=tuple(next_index),
        polls=polls,
        lag=max(remaining[0] - poll_cost * polls, 0.0),
        median=next((t for t, s in zip(times, survival, strict=True) if s <= _HALF), times[-1]),
    )


def _integral(times: Sequence[float], survival: Sequence[float]) -> list[float]:
    area = [0.0]
    for i in range(1, len(times)):
        step = (times[i] - times[i - 1]) * (survival[i] + survival[i - 1]) / 2
        area.append(area[-1] + step)
    return area


def _expected_polls(next_index: Sequence[int], survival: Sequence[float]) -> float:
    polls, i = 0.0, 0
    while i < len(next_index) - 1:
        polls += survival[i]
        i = next_index[i]
    return polls
