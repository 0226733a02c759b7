"""polling: the dynamic programme finds the same optimum as brute force."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb.polling import optimal_schedule


def expected_cost(
    times: list[float], survival: list[float], polled: tuple[int, ...]
) -> tuple[float, float]:
    """Return polls and lag of a schedule; tasks end midway between two grid points."""
    polls = lag = 0.0
    for since, until in itertools.pairwise((0, *polled)):
        polls += survival[since]
        for k in range(since, until):
            ends = (times[k] + times[k + 1]) / 2
            lag += (survival[k] - survival[k + 1]) * (times[until] - ends)
    return polls, lag


def all_schedules(times: list[float], min_interval: float) -> list[tuple[int, ...]]:
    """Return every schedule that keeps the minimum interval; each ends with the last point."""
    last = len(times) - 1
    schedules = [
        (*indexes, last)
        for count in range(last)
        for indexes in itertools.combinations(range(1, last), count)
    ]
    return [
        polled
        for polled in schedules
        if all(
            end == last or times[end] >= times[start] + min_interval
            for start, end in itertools.pairwise((0, *polled))
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
def test_no_other_schedule_costs_less(
    case: tuple[list[float], list[float]], poll_cost: float, min_interval: float
) -> None:
    times, survival = case
    schedule = optimal_schedule(times, survival, poll_cost, min_interval)
    costs = {
        polled: poll_cost * polls + lag
        for polled in all_schedules(times, min_interval)
        for polls, lag in [expected_cost(times, survival, polled)]
    }
    indexes, index = [], 0
    while index < len(times) - 1:
        index = schedule.next_index[index]
        indexes.append(index)

    assert costs[tuple(indexes)] == pytest.approx(min(costs.values()), abs=1e-9)
    polls, lag = expected_cost(times, survival, tuple(indexes))
    assert schedule.polls == pytest.approx(polls)
    assert schedule.lag == pytest.approx(lag, abs=1e-9)


def test_expensive_polls_are_rarer() -> None:
    times = [0.5 * k for k in range(600)]
    survival = [1.0] + [0.5 * math.erfc(math.log(t / 50) / 0.35 / 2**0.5) for t in times[1:]]
    plans = [
        optimal_schedule(times, survival, poll_cost) for poll_cost in (0.5, 1.0, 2.0, 4.0, 1000.0)
    ]

    assert [plan.polls for plan in plans] == sorted((p.polls for p in plans), reverse=True)
    assert [plan.lag for plan in plans] == sorted(plan.lag for plan in plans)
    assert plans[-1].polls == pytest.approx(1.0, abs=0.02)
    assert {plan.median for plan in plans} == {50.0}


def test_next_poll_between_and_beyond_grid_points() -> None:
    times = [1.0, 10.0, 20.0, 40.0]
    schedule = optimal_schedule(times, [1.0, 0.6, 0.3, 0.0], 0.1)
    assert [schedule.next_poll(age) for age in (0.0, 5.0, 10.0, 15.0)] == [10.0, 20.0, 20.0, 40.0]
    assert [schedule.next_poll(age) for age in (40.0, 100.0)] == [60.0, 120.0]
