"""When to look: the dynamic programme that weighs the price of a look against the lag it saves."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

# Nobody waits longer than this because a guess was bad, however dear a look is.
_LONGEST = 300.0
_HALF = 0.5


class Schedule(NamedTuple):
    """The best next look after every unfinished one, for tasks of one kind.

    `polls` and `lag` (seconds) are what a task costs on average if the belief is true; half of
    the tasks are believed to take `median` seconds or less.
    """

    times: Sequence[float]
    following: tuple[int, ...]
    polls: float
    lag: float
    median: float

    def after(self, age: float) -> float:
        """At what age to look next, in seconds, if the last look (or the submit) was at `age`."""
        here = bisect_left(self.times, age)
        if here >= len(self.times) - 1:
            return age + min(self.times[-1] - self.times[-2], _LONGEST)
        return min(self.times[self.following[here]], age + _LONGEST)


def optimal_schedule(
    times: Sequence[float], survival: Sequence[float], poll_cost: float, min_interval: float = 0.0
) -> Schedule:
    """The schedule that minimises price x looks + lag.

    Parameters
    ----------
    times
        Instants at which one may look, in seconds, ascending; looks begin after the first.
    survival
        The probability of being unfinished at each of them, never rising.
    poll_cost
        What a look costs, in seconds of lag.
    min_interval
        Seconds between two looks at least.

    Notes
    -----
    With W[i] for the cost still to come after an unfinished look at i, weighted by the
    probability S[i] of getting there, and A for the integral of S,

        W[i] = min over j > i of  price S[i] + (t[j] - t[i]) S[i] - (A[j] - A[i]) + W[j]

    which is the lowest of straight lines in S[i], with slope t[j] and intercept W[j] - A[j]. Going
    backwards slopes fall and S[i] rises, so the lines form a convex hull that is walked once: the
    exact optimum in linear time.
    """
    size = len(times)
    area = _integral(times, survival)
    cost, height, following = [0.0] * size, [0.0] * size, [size - 1] * size
    hull: deque[int] = deque()
    entering = size - 1
    for i in range(size - 2, -1, -1):
        while entering > i and (times[entering] >= times[i] + min_interval or entering == size - 1):
            height[entering] = cost[entering] - area[entering]
            _insert(hull, entering, times, height)
            entering -= 1
        left = survival[i]
        while len(hull) > 1 and (height[hull[1]] - height[hull[0]]) <= left * (
            times[hull[0]] - times[hull[1]]
        ):
            hull.popleft()
        j = following[i] = hull[0]
        cost[i] = left * (poll_cost + times[j] - times[i]) + area[i] + height[j]
    polls = _looks(following, survival)
    return Schedule(
        times=times,
        following=tuple(following),
        polls=polls,
        lag=max(cost[0] - poll_cost * polls, 0.0),
        median=next((t for t, s in zip(times, survival, strict=True) if s <= _HALF), times[-1]),
    )


def _insert(hull: deque[int], new: int, times: Sequence[float], height: Sequence[float]) -> None:
    """Add a line to the hull; drop those that it makes useless."""
    while len(hull) > 1:
        one, two = hull[-2], hull[-1]
        # `two` is never lowest if `new` undercuts `one` before `two` does.
        if (height[new] - height[one]) * (times[one] - times[two]) > (height[two] - height[one]) * (
            times[one] - times[new]
        ):
            break
        hull.pop()
    hull.append(new)


def _integral(times: Sequence[float], survival: Sequence[float]) -> list[float]:
    area = [0.0]
    for i in range(1, len(times)):
        step = (times[i] - times[i - 1]) * (survival[i] + survival[i - 1]) / 2
        area.append(area[-1] + step)
    return area


def _looks(following: Sequence[int], survival: Sequence[float]) -> float:
    looks, i = 0.0, 0
    while i < len(following) - 1:
        looks += survival[i]
        i = following[i]
    return looks
