"""polling: the dynamic programme finds what trying everything finds."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb.polling import optimal_schedule


def spent(times: list[float], survival: list[float], looks: tuple[int, ...]) -> tuple[float, float]:
    """Polls and lag of looks at these points, tasks ending in the middle between two points."""
    polls = lag = 0.0
    for since, until in itertools.pairwise((0, *looks)):
        polls += survival[since]
        for k in range(since, until):
            ends = (times[k] + times[k + 1]) / 2
            lag += (survival[k] - survival[k + 1]) * (times[until] - ends)
    return polls, lag


def everything(times: list[float], min_interval: float) -> list[tuple[int, ...]]:
    """Every choice of looks that keeps the pauses; the last point is always one of them."""
    last = len(times) - 1
    chosen = [
        (*some, last)
        for count in range(last)
        for some in itertools.combinations(range(1, last), count)
    ]
    return [
        looks
        for looks in chosen
        if all(
            two == last or times[two] >= times[one] + min_interval
            for one, two in itertools.pairwise((0, *looks))
        )
    ]


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    size = draw(st.integers(2, 9))
    steps = draw(st.lists(st.floats(0.1, 20.0), min_size=size - 1, max_size=size - 1))
    falls = draw(st.lists(st.sampled_from([0.0, 0.2, 1.0, 3.0]), min_size=size, max_size=size))
    total = sum(falls) or 1.0
    survival = [1.0]
    for fall in falls[:-1]:
        survival.append(max(survival[-1] - fall / total, 0.0))
    return list(itertools.accumulate([1.0, *steps])), survival


@given(cases(), st.sampled_from([0.01, 0.5, 2.0, 100.0]), st.sampled_from([0.0, 3.0, 15.0]))
def test_no_other_looks_cost_less(
    case: tuple[list[float], list[float]], poll_cost: float, min_interval: float
) -> None:
    times, survival = case
    schedule = optimal_schedule(times, survival, poll_cost, min_interval)
    costs = {
        looks: poll_cost * polls + lag
        for looks in everything(times, min_interval)
        for polls, lag in [spent(times, survival, looks)]
    }
    looks, here = [], 0
    while here < len(times) - 1:
        here = schedule.following[here]
        looks.append(here)

    assert costs[tuple(looks)] == pytest.approx(min(costs.values()), abs=1e-9)
    polls, lag = spent(times, survival, tuple(looks))
    assert schedule.polls == pytest.approx(polls)
    assert schedule.lag == pytest.approx(lag, abs=1e-9)


def test_a_dearer_look_is_taken_more_rarely() -> None:
    times = [0.5 * k for k in range(600)]
    left = [1.0] + [0.5 * math.erfc(math.log(t / 50) / 0.35 / 2**0.5) for t in times[1:]]
    plans = [optimal_schedule(times, left, poll_cost) for poll_cost in (0.5, 1.0, 2.0, 4.0, 1000.0)]

    assert [plan.polls for plan in plans] == sorted((p.polls for p in plans), reverse=True)
    assert [plan.lag for plan in plans] == sorted(plan.lag for plan in plans)
    assert plans[-1].polls == pytest.approx(1.0, abs=0.02)
    assert {plan.median for plan in plans} == {50.0}


def test_between_points_and_beyond_them_there_is_a_next_look() -> None:
    times = [1.0, 10.0, 20.0, 40.0]
    schedule = optimal_schedule(times, [1.0, 0.6, 0.3, 0.0], 0.1)
    assert [schedule.after(age) for age in (0.0, 5.0, 10.0, 15.0)] == [10.0, 20.0, 20.0, 40.0]
    assert [schedule.after(age) for age in (40.0, 100.0)] == [60.0, 120.0]
