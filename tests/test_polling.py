"""polling: published ranges, learning from render times, and the ETA."""

import math
import random
import statistics
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb import polling
from musicapi_nb.polling import History, Prior, TaskKind, posterior
from musicapi_nb.polling.history import _age_at

SONIC = TaskKind("sonic", "create", "sonic-v5")
STUDIO = TaskKind("studio", "custom", "studio-v1")

engines = st.sampled_from(
    ["sonic", "studio", "nuro", "producer", "riffusion", "unknown-engine", "", None]
)
ages = st.floats(0, 1e6)
kinds = st.builds(
    TaskKind, engines, st.sampled_from(["create", "extend"]), st.sampled_from(["a", "b"])
)
# Anything a library may hold: absurd times, ends before polls, unfinished tasks.
pasts = st.lists(st.tuples(kinds, ages, st.none() | ages, ages), max_size=12)


def history_with_prior(median: float, spread: float = 0.5) -> History:
    return History(lambda _: Prior(median, spread))


def times(seed: int, count: int, median: float = 50.0, sigma: float = 0.35) -> list[float]:
    chance = random.Random(seed)
    return [median * math.exp(chance.gauss(0, sigma)) for _ in range(count)]


def learned(
    history: History, took: list[float], kind: TaskKind = STUDIO, interval: float = 10.0
) -> History:
    """Return the history after tasks that were polled at fixed intervals."""
    for seconds in took:
        history.learn(kind, seconds // interval * interval, (seconds // interval + 1) * interval)
    return history


def median(history: History, kind: TaskKind = STUDIO) -> float:
    """Return the estimated median render time of a kind of task."""
    return _age_at(history._estimate(kind).survival, 0.5)


# published ranges


@given(engines)
def test_published_range_is_valid_or_none(engine: str | None) -> None:
    seconds = polling.published_range(engine)
    assert seconds is None or (0 < seconds[0] <= seconds[1] and math.isfinite(seconds[1]))


def test_no_range_without_a_published_time() -> None:
    assert polling.published_range("studio") is None
    assert polling.published_range(None) is None


@pytest.mark.parametrize(
    ("engine", "low", "high"), [("sonic", 120, 240), ("nuro", 25, 35), ("studio", 60, 72)]
)
def test_new_history_starts_from_the_published_times(engine: str, low: float, high: float) -> None:
    assert low <= median(History(), TaskKind(engine)) <= high


# learning


def test_observations_correct_a_wrong_prior_gradually() -> None:
    for prior in (25.0, 100.0):
        errors = [
            statistics.mean(
                abs(math.log(median(learned(history_with_prior(prior), times(seed, count))) / 50.0))
                for seed in range(10)
            )
            for count in (0, 3, 20, 200)
        ]
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < 0.03


def test_one_task_does_not_override_the_prior() -> None:
    history = history_with_prior(120.0, spread=0.3)
    history.learn(STUDIO, 20.0, 60.0)
    assert 60.0 < median(history) < 115.0


def test_stuck_task_is_polled_rarely() -> None:
    schedule = learned(history_with_prior(50.0), times(1, 300)).schedule(STUDIO)
    assert schedule.next_poll(60.0) - 60.0 < 10.0
    assert schedule.next_poll(400.0) - 400.0 > 20.0


def test_one_outlier_hardly_moves_the_median() -> None:
    history = learned(history_with_prior(50.0), times(2, 30))
    before = median(history)
    history.learn(STUDIO, 3000.0, 3000.0)
    assert median(history) == pytest.approx(before, rel=0.05)


def test_unfinished_tasks_count_as_evidence() -> None:
    history = history_with_prior(50.0)
    before, first = median(history), history.schedule(STUDIO).next_poll(0.0)
    for _ in range(20):
        history.learn(STUDIO, 120.0, None)

    assert median(history) > 120.0
    assert history.schedule(STUDIO).next_poll(0.0) > first
    assert before < 60.0


def test_many_polls_of_a_task_equal_one_interval() -> None:
    often, once = history_with_prior(50.0), history_with_prior(50.0)
    for since, after in ((0.0, 20.0), (20.0, 40.0), (40.0, 70.0)):
        often.learn(STUDIO, after, None, since=since)
    often.learn(STUDIO, 70.0, 80.0, since=70.0)
    once.learn(STUDIO, 70.0, 80.0)

    assert often._weights(STUDIO) == pytest.approx(once._weights(STUDIO))


def test_exact_time_is_more_informative_than_an_interval() -> None:
    exact, rough = history_with_prior(50.0), history_with_prior(50.0)
    for seconds in times(3, 15):
        exact.learn(STUDIO, seconds, seconds)
        rough.learn(STUDIO, 0.0, 150.0)

    assert abs(median(exact) - 50.0) < 8.0
    assert _width(exact) < 0.7 * _width(rough)


def _width(history: History) -> float:
    for _ in range(5):  # an ETA needs finished tasks; these carry no information
        history.learn(TaskKind("studio", "custom", "other"), 0.0, 1e4)
    eta = history.eta(STUDIO, 0.0)
    assert eta.low is not None
    assert eta.high is not None
    return math.log(eta.high / eta.low)


def test_closer_kinds_have_more_influence() -> None:
    took = times(4, 40, median=150.0)
    far = median(learned(history_with_prior(50.0), took, TaskKind("studio", "extend", "other")))
    near = median(learned(history_with_prior(50.0), took, TaskKind("studio", "custom", "other")))
    same_kind = median(learned(history_with_prior(50.0), took, STUDIO))
    stranger = learned(history_with_prior(50.0), took, SONIC)

    assert 52.0 < far <= near <= same_kind * 1.02
    assert median(stranger) == median(history_with_prior(50.0))
    assert same_kind == pytest.approx(150.0, rel=0.1)


def test_tasks_of_the_same_kind_override_related_kinds() -> None:
    history = learned(
        history_with_prior(50.0), times(5, 300, median=200.0), TaskKind("studio", "custom", "slow")
    )
    assert median(learned(history, times(6, 30))) == pytest.approx(50.0, rel=0.12)


def test_changed_render_times_are_followed() -> None:
    history = learned(history_with_prior(50.0), times(7, 5000))
    median(history)  # folds the observations in
    learned(history, times(8, 300, median=100.0))
    assert median(history) > 75.0


def test_learned_schedule_is_close_to_the_optimum() -> None:
    spread = 0.35 * math.sqrt(2)
    truth = [0.5 * math.erfc(math.log(time / 50.0) / spread) for time in posterior.TIMES]
    history = learned(history_with_prior(50.0), times(9, 500))
    for poll_cost in (0.5, 1.0, 2.0, 4.0):
        optimum = polling.optimal_schedule(posterior.TIMES, truth, poll_cost)
        schedule, cost, age, survival = history.schedule(STUDIO, poll_cost), 0.0, 0.0, 1.0
        while survival > 1e-4:
            after = schedule.next_poll(age)
            cost += poll_cost * survival + _expected_lag(truth, age, after)
            age, survival = after, truth[posterior.grid_index(after * 1.0001)]
        assert cost <= 1.06 * (poll_cost * optimum.polls + optimum.lag)


def _expected_lag(survival: list[float], since: float, until: float) -> float:
    """Return the expected lag of tasks that end between two polls."""
    inside = [k for k, t in enumerate(posterior.TIMES) if since * 0.9999 <= t <= until * 1.0001]
    return sum(
        (survival[k] - survival[k + 1])
        * (until - (posterior.TIMES[k] + posterior.TIMES[k + 1]) / 2)
        for k in inside[:-1]
    )


@given(pasts, kinds, st.sampled_from([0.1, 1.0, 30.0, 1e6]))
def test_any_history_gives_endless_polls_with_bounded_pauses(
    past: list[tuple[TaskKind, float, float | None, float]], kind: TaskKind, poll_cost: float
) -> None:
    history = History()
    for learned_kind, after, by, since in past:
        history.learn(learned_kind, after, by, since=since)
    schedule = history.schedule(kind, poll_cost, 2.0)

    assert math.isfinite(schedule.polls + schedule.lag + schedule.median)
    assert schedule.polls >= 0.99
    age = 0.0
    for _ in range(60):
        after = schedule.next_poll(age)
        assert 1.99 <= after - age <= 300.01
        age = after


@given(pasts, kinds, ages)
def test_any_history_gives_a_valid_eta_or_none(
    past: list[tuple[TaskKind, float, float | None, float]], kind: TaskKind, age: float
) -> None:
    history = History()
    for learned_kind, after, by, since in past:
        history.learn(learned_kind, after, by, since=since)
    eta = history.eta(kind, age)

    if eta.basis in {"longer", "unknown"}:
        assert eta.low is eta.high is None
    else:
        assert eta.low is not None
        assert eta.high is not None
        assert 0.0 <= eta.low <= eta.high < math.inf


@pytest.mark.parametrize("age", [math.nan, math.inf, -1.0])
def test_invalid_age_is_refused(age: float) -> None:
    history = History()
    with pytest.raises(ValueError, match="age"):
        history.learn(SONIC, age, None)
    with pytest.raises(ValueError, match="age"):
        history.learn(SONIC, 0.0, age)
    assert history.version(SONIC) == History().version(SONIC)


def test_little_new_data_keeps_the_schedule() -> None:
    history = learned(history_with_prior(50.0), times(10, 1000))
    before = history.schedule(STUDIO)
    learned(history, times(11, 5))
    assert history.schedule(STUDIO) is before
    learned(history, times(12, 400))
    assert history.schedule(STUDIO) is not before


@pytest.mark.parametrize(("engine", "took", "docs"), [("sonic", 150.0, 15.0), ("nuro", 30.0, 5.0)])
def test_default_poll_cost_polls_no_more_often_than_documented(
    engine: str, took: float, docs: float
) -> None:
    kind = TaskKind(engine, "create", "any")
    history = learned(History(), times(13, 300, median=took), kind, interval=1.0)
    assert history.schedule(kind, polling.POLL_COST, polling.MIN_INTERVAL).polls <= took / docs


# the ETA


def test_without_history_the_eta_is_the_published_range() -> None:
    history = History()
    assert history.eta(SONIC, 0.0) == (120.0, 240.0, "published")
    assert history.eta(SONIC, 150.0) == (0.0, 90.0, "published")
    assert history.eta(SONIC, 241.0) == (None, None, "longer")
    assert history.eta(TaskKind("nuro"), 10.0) == (20.0, 20.0, "published")
    assert history.eta(STUDIO, 10.0) == (None, None, "unknown")


def test_eta_needs_finished_tasks_of_the_operation() -> None:
    history = learned(History(), times(14, 4))
    learned(history, times(15, 50), TaskKind("studio", "extend", "studio-v1"))
    assert history.eta(STUDIO, 10.0).basis == "unknown"
    learned(history, times(16, 1), TaskKind("studio", "custom", "another"))
    assert history.eta(STUDIO, 10.0).basis == "learned"


def test_no_figures_beyond_the_longest_task() -> None:
    history = learned(History(), times(17, 200))
    assert history.eta(STUDIO, 60.0).basis == "learned"
    assert history.eta(STUDIO, 1000.0) == (None, None, "longer")

    history.learn(STUDIO, 5000.0, 5000.0)  # one outlier does not change that
    assert history.eta(STUDIO, 1000.0) == (None, None, "longer")


@pytest.mark.parametrize(
    ("count", "rounds", "least"), [(6, 60, 0.72), (30, 20, 0.75), (300, 8, 0.76)]
)
def test_four_of_five_tasks_end_within_their_eta(count: int, rounds: int, least: float) -> None:
    hits = total = 0
    for seed in range(rounds):
        history = learned(history_with_prior(50.0), times(100 + seed, count))
        chance = random.Random(seed)
        for end in times(500 + seed, 100):
            age = chance.uniform(0.0, end)
            eta = history.eta(STUDIO, age)
            if eta.low is not None and eta.high is not None:
                total += 1
                hits += age + eta.low <= end <= age + eta.high
    assert total > 80 * rounds
    assert least <= hits / total <= 0.88


# changes of the service


def two_kinds(seed: int, count: int) -> list[float]:
    """Return times around 45 or 180 s, as if one kind of task were two."""
    chance = random.Random(seed)
    return [chance.choice((45.0, 180.0)) * math.exp(chance.gauss(0, 0.1)) for _ in range(count)]


def exactly_learned(history: History, took: list[float]) -> list[int]:
    """Learn exact times; return the number of tasks at which the past was forgotten."""
    forgotten = []
    for number, seconds in enumerate(took):
        before = history.version(STUDIO)
        history.learn(STUDIO, seconds, seconds)
        if history.version(STUDIO) < before:
            forgotten.append(number)
    return forgotten


@pytest.mark.parametrize(
    ("before", "after", "sigma"),
    [(60.0, 150.0, 0.2), (150.0, 60.0, 0.2), (60.0, 150.0, 0.35), (150.0, 60.0, 0.35)],
)
@pytest.mark.parametrize("past", [60, 300])
def test_eta_is_right_again_within_twenty_tasks_after_a_jump(
    before: float, after: float, sigma: float, past: int
) -> None:
    hits = total = late = 0
    for seed in range(8):
        history = History()
        exactly_learned(history, times(seed, past, before, sigma))
        exactly_learned(history, times(100 + seed, 20, after, sigma))
        chance = random.Random(seed)
        for end in times(200 + seed, 50, after, sigma):
            eta = history.eta(STUDIO, age := chance.uniform(0.0, end))
            if eta.low is None or eta.high is None:
                late += 1
                continue
            total += 1
            hits += age + eta.low <= end <= age + eta.high
    assert late <= 0.03 * total
    assert 0.72 <= hits / total <= 0.9


@pytest.mark.parametrize(
    ("draw", "most"),
    [
        (lambda seed, count: times(seed, count, 120.0, 0.3), 0),
        (lambda seed, count: times(seed, count, 120.0, 0.8), 0),
        (two_kinds, 2),  # fourteen short ones in a row look like a change
    ],
    ids=["narrow", "wide", "two kinds"],
)
def test_steady_render_times_are_not_forgotten(
    draw: Callable[[int, int], list[float]], most: int
) -> None:
    forgotten = [exactly_learned(History(), draw(seed, 1000)) for seed in range(3)]
    assert sum(map(len, forgotten)) <= most


def test_stuck_tasks_are_not_a_change() -> None:
    history = History()
    assert exactly_learned(history, times(18, 300)) == []
    for _ in range(3):
        assert exactly_learned(history, [9000.0, *times(19, 5)]) == []
    assert median(history) == pytest.approx(50.0, rel=0.1)


def test_unfinished_tasks_show_a_slower_service() -> None:
    history = History()
    exactly_learned(history, times(20, 300, 60.0, 0.2))
    for _ in range(8):  # all in flight at once, and none has finished
        history.learn(STUDIO, 140.0, None, since=0.0)
    assert median(history) > 120.0
