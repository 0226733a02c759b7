"""polling: the scheduler behaves like a naive model that scans all tasks."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicapi_nb.polling import MIN_INTERVAL, History, Prior, Scheduler, TaskKind

STUDIO = TaskKind("studio", "custom", "studio-v1")
FAULT_KINDS = (STUDIO, TaskKind("sonic", "create"), TaskKind("nuro"))


class Naive:
    """The same behaviour, implemented by scanning all tasks on each call."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.flights: dict[int, tuple[TaskKind, float, float]] = {}  # kind, submitted, last attempt
        self.polled: set[int] = set()

    def planned(self, task: int) -> float:
        kind, submitted, last_attempt = self.flights[task]
        return submitted + self.history.schedule(kind, min_interval=MIN_INTERVAL).next_poll(
            last_attempt
        )

    def waiting(self) -> list[int]:
        return sorted(
            self.flights.keys() - self.polled, key=lambda task: (self.planned(task), task)
        )

    def due(self, now: float) -> list[int]:
        tasks = [task for task in self.waiting() if self.planned(task) <= now]
        self.polled.update(tasks)
        return tasks

    def record(self, task: int, now: float, *, removed: bool) -> None:
        self.polled.discard(task)
        kind, submitted, _ = self.flights.pop(task)
        if not removed:
            self.flights[task] = (kind, submitted, now - submitted)


actions = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "wait", "wait", "poll", "poll", "end", "retry", "cancel"]),
        st.integers(0, 10**6),
    ),
    max_size=60,
)


@given(actions)
def test_scheduler_equals_naive_model(actions: list[tuple[str, int]]) -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    naive, now = Naive(scheduler.history), 0.0
    for number, (action, value) in enumerate(actions):
        polled = sorted(naive.polled)
        if action == "add":
            kind, age = FAULT_KINDS[value % 3], value % 50
            scheduler.add(number, kind, now - age, now)
            naive.flights[number] = (kind, now - age, 0.0)
        elif action == "wait":
            now += value % 90
            assert scheduler.due(now) == naive.due(now)
        elif action == "cancel" and naive.flights:
            task = sorted(naive.flights)[value % len(naive.flights)]
            scheduler.cancel(task)
            naive.record(task, now, removed=True)
        elif action in {"poll", "end", "retry"} and polled:
            task = polled[value % len(polled)]
            if action == "retry":
                scheduler.retry_later(task, now)
            else:
                scheduler.record_poll(task, now, finished=action == "end")
            naive.record(task, now, removed=action == "end")
        waiting = naive.waiting()
        assert len(scheduler) == len(naive.flights)
        assert scheduler.next_due() == (naive.planned(waiting[0]) if waiting else None)


def run(
    scheduler: Scheduler[int], took: list[float], kind: TaskKind = STUDIO
) -> tuple[list[float], float]:
    """Poll a batch that is submitted at once; return the times of polls and the mean lag."""
    for task in range(len(took)):
        scheduler.add(task, kind, 0.0, 0.0)
    polls, lag, now = [], 0.0, 0.0
    while (due := scheduler.next_due()) is not None:
        assert due < 1e5
        now = max(now, due)
        for task in scheduler.due(now):
            polls.append(now)
            scheduler.record_poll(task, now, finished=took[task] <= now)
            lag += max(now - took[task], 0.0) / len(took)
    return polls, lag


def times(count: int) -> list[float]:
    chance = random.Random(count)
    return [50.0 * chance.lognormvariate(0.0, 0.35) for _ in range(count)]


def test_batch_learns_from_its_first_tasks() -> None:
    history = History(lambda _: Prior(200.0, 0.5))
    first = history.schedule(STUDIO).next_poll(0.0)
    run(Scheduler(history), times(60))
    assert history.schedule(STUDIO).next_poll(0.0) < first
    assert history.schedule(STUDIO).median == pytest.approx(50.0, rel=0.15)


def test_quickest_tasks_of_a_batch_are_not_a_change() -> None:
    history = History()
    for seconds in times(300):
        history.learn(STUDIO, seconds, seconds)
    took = [50.0 * random.Random(seed).lognormvariate(0.0, 0.35) for seed in range(400)]
    polls, lag = run(Scheduler(history), took)
    assert len(polls) < 6 * len(took)
    assert lag < 6.0
    # every finished task counts: none was forgotten
    counted = History()
    for seconds in times(300) + took:
        counted.learn(STUDIO, seconds, seconds)
    assert history.version(STUDIO)[0] == counted.version(STUDIO)[0]


def test_tasks_in_flight_follow_a_new_schedule() -> None:
    history = History(lambda _: Prior(20.0, 0.3))
    scheduler: Scheduler[str] = Scheduler(history)
    for number in range(40):
        scheduler.add(f"early-{number}", STUDIO, 0.0, 0.0)
    scheduler.add("late", STUDIO, 90.0, 90.0)
    planned = history.schedule(STUDIO, min_interval=MIN_INTERVAL).next_poll(0.0) + 90.0
    for task in scheduler.due(90.0):
        scheduler.record_poll(task, 90.0, finished=False)  # all take longer than expected

    assert "late" not in scheduler.due(planned)
    assert "late" in scheduler


def test_longest_overdue_task_goes_first() -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    for task in range(20):
        scheduler.add(task, STUDIO, float(task), float(task))
    polled: list[int] = []
    now = 500.0
    while len(polled) < 20:
        polled += scheduler.due(now, limit=1)
        now = max(now + 0.1, scheduler.next_due() or 0.0)
    assert polled == list(range(20))


def test_all_due_tasks_or_the_limit_are_returned() -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    for task in range(50):
        scheduler.add(task, STUDIO, 0.0, 0.0)
    assert scheduler.due(1000.0, limit=20) == list(range(20))
    assert scheduler.due(1000.0) == list(range(20, 50))
    assert scheduler.next_due() is None  # all are being polled


def test_failed_poll_is_retried_later_and_not_learned_from() -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    scheduler.add(1, STUDIO, 0.0, 0.0)
    version = scheduler.history.version(STUDIO)
    assert scheduler.due(100.0) == [1]
    scheduler.retry_later(1, 100.0)
    assert scheduler.history.version(STUDIO) == version
    due = scheduler.next_due()
    assert due is not None
    assert 100.0 + MIN_INTERVAL <= due <= 130.0


def test_reported_render_time_overrides_the_time_of_the_poll() -> None:
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


def test_tasks_in_flight_use_little_memory() -> None:
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


def test_cancelled_tasks_are_removed_from_the_heap() -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    for task in range(5000):
        scheduler.add(task, STUDIO, 0.0, 0.0)
        if task >= 10:
            scheduler.cancel(task)
    assert len(scheduler) == 10
    assert len(scheduler._heap) < 200
    assert scheduler.due(1000.0) == list(range(10))


def test_invalid_use_raises() -> None:
    scheduler: Scheduler[int] = Scheduler(History())
    scheduler.add(1, STUDIO, 0.0, 0.0)
    with pytest.raises(ValueError, match="in flight"):
        scheduler.add(1, STUDIO, 0.0, 0.0)
    with pytest.raises(KeyError):
        scheduler.cancel(2)


def test_poll_now_makes_a_task_due_once() -> None:
    scheduler: Scheduler[str] = Scheduler(History())
    for task in ("rain", "snow"):
        scheduler.add(task, STUDIO, 0.0, 0.0)
    planned = scheduler.next_due()
    assert planned is not None
    assert planned > 1.0
    scheduler.poll_now("snow", 1.0)
    assert scheduler.due(1.0) == ["snow"]
    scheduler.poll_now("snow", 1.0)  # a poll is under way
    assert scheduler.due(1.0) == []
    scheduler.record_poll("snow", 1.0, finished=False)
    assert scheduler.due(1.0) == []
    assert sorted(scheduler.due(10 * planned)) == ["rain", "snow"]
