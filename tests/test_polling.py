"""polling: what is published, what is learned from render times, and the ETA."""

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb import polling
from musicapi_nb.polling import History, Prior, TaskKind, posterior
from musicapi_nb.polling.history import _when

SONIC = TaskKind("sonic", "create", "sonic-v5")
STUDIO = TaskKind("studio", "custom", "studio-v1")

engines = st.sampled_from(
    ["sonic", "studio", "nuro", "producer", "riffusion", "unheard-of", "", None]
)
ages = st.floats(0, 1e6)
keys = st.builds(
    TaskKind, engines, st.sampled_from(["create", "extend"]), st.sampled_from(["a", "b"])
)
# Whatever a library may hold: absurd times, ends before looks, tasks without an end.
pasts = st.lists(st.tuples(keys, ages, st.none() | ages, ages), max_size=12)


def believing(median: float, spread: float = 0.5) -> History:
    return History(lambda _: Prior(median, spread))


def times(seed: int, count: int, median: float = 50.0, sigma: float = 0.35) -> list[float]:
    chance = random.Random(seed)
    return [median * math.exp(chance.gauss(0, sigma)) for _ in range(count)]


def told(
    history: History, took: list[float], key: TaskKind = STUDIO, every: float = 10.0
) -> History:
    """The history after tasks that were looked at in fixed intervals."""
    for seconds in took:
        history.learn(key, seconds // every * every, (seconds // every + 1) * every)
    return history


def median(history: History, key: TaskKind = STUDIO) -> float:
    """What half of the tasks of a kind are believed to take."""
    return _when(history._view(key).survival, 0.5)


# what is published


@given(engines)
def test_what_is_usual_is_a_range_or_not_known(engine: str | None) -> None:
    published_range = polling.published_range(engine)
    assert published_range is None or (
        0 < published_range[0] <= published_range[1] and math.isfinite(published_range[1])
    )


def test_nothing_is_said_where_nothing_is_published() -> None:
    assert polling.published_range("studio") is None
    assert polling.published_range(None) is None


@pytest.mark.parametrize(
    ("engine", "low", "high"), [("sonic", 120, 240), ("nuro", 25, 35), ("studio", 60, 72)]
)
def test_a_new_library_starts_from_what_the_docs_say(engine: str, low: float, high: float) -> None:
    assert low <= median(History(), TaskKind(engine)) <= high


# what is learned


def test_what_is_seen_corrects_a_wrong_prior_step_by_step() -> None:
    for prior in (25.0, 100.0):
        errors = [
            statistics.mean(
                abs(math.log(median(told(believing(prior), times(seed, count))) / 50.0))
                for seed in range(10)
            )
            for count in (0, 3, 20, 200)
        ]
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < 0.03


def test_one_task_does_not_overrule_what_is_published() -> None:
    history = believing(120.0, spread=0.3)
    history.learn(STUDIO, 20.0, 60.0)
    assert 60.0 < median(history) < 115.0


def test_a_stuck_task_is_not_asked_about_all_the_time() -> None:
    schedule = told(believing(50.0), times(1, 300)).schedule(STUDIO)
    assert schedule.after(60.0) - 60.0 < 10.0
    assert schedule.after(400.0) - 400.0 > 20.0


def test_one_odd_task_moves_little() -> None:
    history = told(believing(50.0), times(2, 30))
    before = median(history)
    history.learn(STUDIO, 3000.0, 3000.0)
    assert median(history) == pytest.approx(before, rel=0.05)


def test_unfinished_tasks_are_evidence_too() -> None:
    history = believing(50.0)
    before, first = median(history), history.schedule(STUDIO).after(0.0)
    for _ in range(20):
        history.learn(STUDIO, 120.0, None)

    assert median(history) > 120.0
    assert history.schedule(STUDIO).after(0.0) > first
    assert before < 60.0


def test_many_looks_at_a_task_say_what_one_says() -> None:
    often, once = believing(50.0), believing(50.0)
    for since, after in ((0.0, 20.0), (20.0, 40.0), (40.0, 70.0)):
        often.learn(STUDIO, after, None, since=since)
    often.learn(STUDIO, 70.0, 80.0, since=70.0)
    once.learn(STUDIO, 70.0, 80.0)

    assert often._weights(STUDIO) == pytest.approx(once._weights(STUDIO))


def test_an_exact_time_says_more_than_an_interval() -> None:
    exact, rough = believing(50.0), believing(50.0)
    for seconds in times(3, 15):
        exact.learn(STUDIO, seconds, seconds)
        rough.learn(STUDIO, 0.0, 150.0)

    assert abs(median(exact) - 50.0) < 8.0
    assert _width(exact) < 0.7 * _width(rough)


def _width(history: History) -> float:
    for _ in range(5):  # an ETA needs ends; these say nothing of when
        history.learn(TaskKind("studio", "custom", "other"), 0.0, 1e4)
    eta = history.eta(STUDIO, 0.0)
    assert eta.low is not None
    assert eta.high is not None
    return math.log(eta.high / eta.low)


def test_relatives_are_listened_to_the_closer_the_more_and_one_s_own_kind_most() -> None:
    took = times(4, 40, median=150.0)
    far = median(told(believing(50.0), took, TaskKind("studio", "extend", "other")))
    near = median(told(believing(50.0), took, TaskKind("studio", "custom", "other")))
    own = median(told(believing(50.0), took, STUDIO))
    stranger = told(believing(50.0), took, SONIC)

    assert 52.0 < far <= near <= own * 1.02
    assert median(stranger) == median(believing(50.0))
    assert own == pytest.approx(150.0, rel=0.1)


def test_own_tasks_overrule_relatives() -> None:
    history = told(
        believing(50.0), times(5, 300, median=200.0), TaskKind("studio", "custom", "slow")
    )
    assert median(told(history, times(6, 30))) == pytest.approx(50.0, rel=0.12)


def test_a_service_that_changes_is_followed() -> None:
    history = told(believing(50.0), times(7, 5000))
    median(history)  # taken in: later tasks are news
    told(history, times(8, 300, median=100.0))
    assert median(history) > 75.0


def test_what_was_learned_costs_little_more_than_the_truth() -> None:
    spread = 0.35 * math.sqrt(2)
    truth = [0.5 * math.erfc(math.log(each / 50.0) / spread) for each in posterior.TIMES]
    history = told(believing(50.0), times(9, 500))
    for poll_cost in (0.5, 1.0, 2.0, 4.0):
        optimal_schedule = polling.optimal_schedule(posterior.TIMES, truth, poll_cost)
        schedule, spent, age, left = history.schedule(STUDIO, poll_cost), 0.0, 0.0, 1.0
        while left > 1e-4:
            after = schedule.after(age)
            spent += poll_cost * left + _unseen(truth, age, after)
            age, left = after, truth[posterior.cell(after * 1.0001)]
        assert spent <= 1.06 * (poll_cost * optimal_schedule.polls + optimal_schedule.lag)


def _unseen(survival: list[float], since: float, until: float) -> float:
    """Expected lag of the tasks that end between two looks."""
    inside = [k for k, t in enumerate(posterior.TIMES) if since * 0.9999 <= t <= until * 1.0001]
    return sum(
        (survival[k] - survival[k + 1])
        * (until - (posterior.TIMES[k] + posterior.TIMES[k + 1]) / 2)
        for k in inside[:-1]
    )


@given(pasts, keys, st.sampled_from([0.1, 1.0, 30.0, 1e6]))
def test_whatever_was_seen_looks_go_on_and_pauses_are_bounded(
    past: list[tuple[TaskKind, float, float | None, float]], key: TaskKind, poll_cost: float
) -> None:
    history = History()
    for kind, after, by, since in past:
        history.learn(kind, after, by, since=since)
    schedule = history.schedule(key, poll_cost, 2.0)

    assert math.isfinite(schedule.polls + schedule.lag + schedule.median)
    assert schedule.polls >= 0.99
    age = 0.0
    for _ in range(60):
        after = schedule.after(age)
        assert 1.99 <= after - age <= 300.01
        age = after


@given(pasts, keys, ages)
def test_whatever_was_seen_an_eta_is_a_range_or_none(
    past: list[tuple[TaskKind, float, float | None, float]], key: TaskKind, age: float
) -> None:
    history = History()
    for kind, after, by, since in past:
        history.learn(kind, after, by, since=since)
    eta = history.eta(key, age)

    if eta.basis in {"longer", "unknown"}:
        assert eta.low is eta.high is None
    else:
        assert eta.low is not None
        assert eta.high is not None
        assert 0.0 <= eta.low <= eta.high < math.inf


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_a_time_that_is_none_is_refused(wrong: float) -> None:
    history = History()
    with pytest.raises(ValueError, match="age"):
        history.learn(SONIC, wrong, None)
    with pytest.raises(ValueError, match="age"):
        history.learn(SONIC, 0.0, wrong)
    assert history.version(SONIC) == History().version(SONIC)


def test_little_news_changes_no_mind() -> None:
    history = told(believing(50.0), times(10, 1000))
    before = history.schedule(STUDIO)
    told(history, times(11, 5))
    assert history.schedule(STUDIO) is before
    told(history, times(12, 400))
    assert history.schedule(STUDIO) is not before


@pytest.mark.parametrize(("engine", "took", "docs"), [("sonic", 150.0, 15.0), ("nuro", 30.0, 5.0)])
def test_the_usual_price_asks_no_more_often_than_the_docs_recommend(
    engine: str, took: float, docs: float
) -> None:
    key = TaskKind(engine, "create", "any")
    history = told(History(), times(13, 300, median=took), key, every=1.0)
    assert history.schedule(key, polling.POLL_COST, polling.MIN_INTERVAL).polls <= took / docs


# the ETA


def test_without_a_past_an_eta_is_what_is_published() -> None:
    history = History()
    assert history.eta(SONIC, 0.0) == (120.0, 240.0, "published")
    assert history.eta(SONIC, 150.0) == (0.0, 90.0, "published")
    assert history.eta(SONIC, 241.0) == (None, None, "longer")
    assert history.eta(TaskKind("nuro"), 10.0) == (20.0, 20.0, "published")
    assert history.eta(STUDIO, 10.0) == (None, None, "unknown")


def test_an_eta_waits_for_evidence_of_the_same_operation() -> None:
    history = told(History(), times(14, 4))
    told(history, times(15, 50), TaskKind("studio", "extend", "studio-v1"))
    assert history.eta(STUDIO, 10.0).basis == "unknown"
    told(history, times(16, 1), TaskKind("studio", "custom", "another"))
    assert history.eta(STUDIO, 10.0).basis == "learned"


def test_beyond_all_that_was_seen_no_figure_is_given() -> None:
    history = told(History(), times(17, 200))
    assert history.eta(STUDIO, 60.0).basis == "learned"
    assert history.eta(STUDIO, 1000.0) == (None, None, "longer")

    history.learn(STUDIO, 5000.0, 5000.0)  # one odd task is no ground for figures either
    assert history.eta(STUDIO, 1000.0) == (None, None, "longer")


@pytest.mark.parametrize(
    ("count", "rounds", "least"), [(6, 60, 0.72), (30, 20, 0.75), (300, 8, 0.76)]
)
def test_four_of_five_tasks_end_within_their_eta(count: int, rounds: int, least: float) -> None:
    hits = total = 0
    for seed in range(rounds):
        history = told(believing(50.0), times(100 + seed, count))
        chance = random.Random(seed)
        for end in times(500 + seed, 100):
            age = chance.uniform(0.0, end)
            eta = history.eta(STUDIO, age)
            if eta.low is not None and eta.high is not None:
                total += 1
                hits += age + eta.low <= end <= age + eta.high
    assert total > 80 * rounds
    assert least <= hits / total <= 0.88
