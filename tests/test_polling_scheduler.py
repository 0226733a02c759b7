"""polling: the scheduler asks about all tasks in flight as a naive model would."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb.polling import MIN_INTERVAL, History, Prior, Scheduler, TaskKind

STUDIO = TaskKind("studio", "custom", "studio-v1")
FAULT_KINDS = (STUDIO, TaskKind("sonic", "create"), TaskKind("nuro"))


class Naive:
    """The same promises, kept by going through all tasks each time."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.flights: dict[int, tuple[TaskKind, float, float]] = {}  # kind, submitted, last try
        self.asked: set[int] = set()

    def planned(self, task: int) -> float:
        key, submitted, tried = self.flights[task]
        return submitted + self.history.schedule(key, min_interval=MIN_INTERVAL).after(tried)

    def waiting(self) -> list[int]:
        return sorted(self.flights.keys() - self.asked, key=lambda task: (self.planned(task), task))

    def due(self, now: float) -> list[int]:
        out = [task for task in self.waiting() if self.planned(task) <= now]
        self.asked.update(out)
        return out

    def back(self, task: int, now: float, *, gone: bool) -> None:
        self.asked.discard(task)
        key, submitted, _ = self.flights.pop(task)
        if not gone:
            self.flights[task] = (key, submitted, now - submitted)


acts = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "wait", "wait", "seen", "seen", "end", "missed", "cancel"]),
        st.integers(0, 10**6),
    ),
    max_size=60,
)


@given(acts)
def test_the_heap_does_what_going_through_all_tasks_does(acts: list[tuple[str, int]]) -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    naive, now = Naive(scheduler.history), 0.0
    for number, (act, figure) in enumerate(acts):
        asked = sorted(naive.asked)
        if act == "add":
            key, age = FAULT_KINDS[figure % 3], figure % 50
            scheduler.add(number, key, now - age, now)
            naive.flights[number] = (key, now - age, 0.0)
        elif act == "wait":
            now += figure % 90
            assert scheduler.due(now) == naive.due(now)
        elif act == "cancel" and naive.flights:
            task = sorted(naive.flights)[figure % len(naive.flights)]
            scheduler.cancel(task)
            naive.back(task, now, gone=True)
        elif act in {"seen", "end", "missed"} and asked:
            task = asked[figure % len(asked)]
            if act == "missed":
                scheduler.retry_later(task, now)
            else:
                scheduler.record_poll(task, now, finished=act == "end")
            naive.back(task, now, gone=act == "end")
        waiting = naive.waiting()
        assert len(scheduler) == len(naive.flights)
        assert scheduler.next_due() == (naive.planned(waiting[0]) if waiting else None)


def run(
    scheduler: Scheduler[int], took: list[float], key: TaskKind = STUDIO
) -> tuple[list[float], float]:
    """When each poll of a batch left, all tasks sent at once; the mean lag."""
    for task in range(len(took)):
        scheduler.add(task, key, 0.0, 0.0)
    left, lag, now = [], 0.0, 0.0
    while (due := scheduler.next_due()) is not None:
        assert due < 1e5
        now = max(now, due)
        for task in scheduler.due(now):
            left.append(now)
            scheduler.record_poll(task, now, finished=took[task] <= now)
            lag += max(now - took[task], 0.0) / len(took)
    return left, lag


def times(count: int) -> list[float]:
    chance = random.Random(count)
    return [50.0 * chance.lognormvariate(0.0, 0.35) for _ in range(count)]


def test_a_running_batch_learns_from_its_first_tasks() -> None:
    history = History(lambda _: Prior(200.0, 0.5))
    first = history.schedule(STUDIO).after(0.0)
    run(Scheduler(history), times(60))
    assert history.schedule(STUDIO).after(0.0) < first
    assert history.schedule(STUDIO).median == pytest.approx(50.0, rel=0.15)


def test_tasks_in_flight_follow_what_others_show() -> None:
    history = History(lambda _: Prior(20.0, 0.3))
    scheduler: Scheduler[str] = Scheduler(history)
    for number in range(40):
        scheduler.add(f"early-{number}", STUDIO, 0.0, 0.0)
    scheduler.add("late", STUDIO, 90.0, 90.0)
    planned = history.schedule(STUDIO, min_interval=MIN_INTERVAL).after(0.0) + 90.0
    for task in scheduler.due(90.0):
        scheduler.record_poll(task, 90.0, finished=False)  # all of them take longer than thought

    assert "late" not in scheduler.due(planned)
    assert "late" in scheduler


def test_the_allowed_rate_is_kept_and_nobody_is_forgotten() -> None:
    took = times(400)
    left, _ = run(Scheduler(History(), rate=5.0), took)

    for begin, instant in enumerate(left):
        within = [other for other in left[begin:] if other < instant + 10.0]
        assert len(within) <= 10.0 * 5.0 + 3.5  # half a second may be made up for
    assert len(left) >= len(took)


def test_whoever_is_due_longest_goes_first() -> None:
    scheduler: Scheduler[int] = Scheduler(History(), rate=1.0)
    for task in range(20):
        scheduler.add(task, STUDIO, float(task), float(task))
    asked: list[int] = []
    now = 500.0
    while len(asked) < 20:
        asked += scheduler.due(now)
        now = max(now + 0.1, scheduler.next_due() or 0.0)
    assert asked == list(range(20))


def test_a_poll_gets_dearer_where_the_rate_binds_and_cheap_again() -> None:
    scheduler: Scheduler[int] = Scheduler(History(), rate=2.0)
    assert scheduler.poll_cost == 1.0
    dearest, took = 0.0, times(200)
    for task in range(len(took)):
        scheduler.add(task, STUDIO, 0.0, 0.0)
    now = 0.0
    while (due := scheduler.next_due()) is not None:
        now = max(now, due)
        for task in scheduler.due(now):
            scheduler.record_poll(task, now, finished=took[task] <= now)
        dearest = max(dearest, scheduler.poll_cost)
    assert dearest > 5.0
    assert scheduler.poll_cost == 1.0


def test_without_a_rate_all_that_is_due_comes_at_once_or_as_many_as_wanted() -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    for task in range(50):
        scheduler.add(task, STUDIO, 0.0, 0.0)
    assert scheduler.due(1000.0, most=20) == list(range(20))
    assert scheduler.due(1000.0) == list(range(20, 50))
    assert scheduler.next_due() is None  # all are being asked about


def test_a_poll_that_says_nothing_is_repeated_later_and_teaches_nothing() -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    scheduler.add(1, STUDIO, 0.0, 0.0)
    version = scheduler.history.version(STUDIO)
    assert scheduler.due(100.0) == [1]
    scheduler.retry_later(1, 100.0)
    assert scheduler.history.version(STUDIO) == version
    due = scheduler.next_due()
    assert due is not None
    assert 100.0 + MIN_INTERVAL <= due <= 130.0


def test_a_time_that_the_service_states_is_believed_over_the_poll_s() -> None:
    history = History()
    for task in range(30):
        scheduler: Scheduler[int] = Scheduler(history)
        scheduler.add(task, STUDIO, 0.0, 0.0)
        scheduler.due(200.0)
        scheduler.record_poll(task, 200.0, finished=True, took=50.0 + task / 10)
    eta = history.eta(STUDIO, 0.0)
    assert eta.low is not None
    assert eta.high is not None
    assert 40.0 < eta.low < 51.5 < eta.high < 65.0


def test_many_tasks_in_flight_are_small() -> None:
    count = 2000
    names = [f"task-{number}" for number in range(count)]
    scheduler: Scheduler[str] = Scheduler(History())
    scheduler.add("first", STUDIO, 0.0, 0.0)
    scheduler.next_due()
    tracemalloc.start()
    for name in names:
        scheduler.add(name, STUDIO, 0.0, 0.0)
    due = scheduler.next_due()
    assert due is not None
    for name in scheduler.due(due):
        scheduler.record_poll(name, due, finished=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / count < 600


def test_cancelled_tasks_leave_nothing_behind() -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    for task in range(5000):
        scheduler.add(task, STUDIO, 0.0, 0.0)
        if task >= 10:
            scheduler.cancel(task)
    assert len(scheduler) == 10
    assert len(scheduler._heap) < 200
    assert scheduler.due(1000.0) == list(range(10))


def test_wrong_use_is_refused() -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    scheduler.add(1, STUDIO, 0.0, 0.0)
    with pytest.raises(ValueError, match="in flight"):
        scheduler.add(1, STUDIO, 0.0, 0.0)
    with pytest.raises(KeyError):
        scheduler.cancel(2)
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="rate"):
            Scheduler(History(), rate=wrong)
        with pytest.raises(ValueError, match="poll_cost"):
            Scheduler(History(), poll_cost=wrong)


def test_who_is_hurried_is_due_at_once_and_then_as_planned() -> None:
    scheduler: Scheduler[str] = Scheduler(History())
    for task in ("rain", "snow"):
        scheduler.add(task, STUDIO, 0.0, 0.0)
    planned = scheduler.next_due()
    assert planned is not None
    assert planned > 1.0
    scheduler.poll_now("snow", 1.0)
    assert scheduler.due(1.0) == ["snow"]
    scheduler.poll_now("snow", 1.0)  # it is being asked about
    assert scheduler.due(1.0) == []
    scheduler.record_poll("snow", 1.0, finished=False)
    assert scheduler.due(1.0) == []
    assert sorted(scheduler.due(10 * planned)) == ["rain", "snow"]
