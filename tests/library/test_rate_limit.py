"""The rate limit of all processes on a library."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musicapi_nb.library import Library

NOW = 1_700_000_000.0


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path) as opened:
        yield opened


def reserve_slots(
    library: Library, number: int, interval: float = 3.0, now: float = NOW
) -> list[float]:
    return [library.rate_limits.reserve("", interval, now) - NOW for _ in range(number)]


def test_slots_are_an_interval_apart_and_not_in_the_past(library: Library) -> None:
    assert reserve_slots(library, 3) == [0, 3, 6]
    assert reserve_slots(library, 2, now=NOW + 100) == [100, 103]
    assert reserve_slots(library, 3, interval=0, now=NOW + 200) == [200, 200, 200]


def test_no_interval_writes_nothing(library: Library) -> None:
    def statements_written(now: float) -> int:
        before = library._database.connection.total_changes
        library.rate_limits.reserve("", 0, now)
        return library._database.connection.total_changes - before

    assert statements_written(NOW) == 0
    library.rate_limits.throttle("", 10, NOW)
    assert library.rate_limits.reserve("", 0, NOW) == NOW + 10
    assert statements_written(NOW + 1) > 0
    eased = [statements_written(NOW + 20 + second) for second in range(100)]
    assert all(eased[:70])
    assert not any(eased[90:])  # the interval has recovered


def test_libraries_share_a_rate_limit_but_names_do_not(library: Library) -> None:
    with Library(library.path) as other:
        assert reserve_slots(library, 1) == [0]
        assert reserve_slots(other, 1) == [3]
        assert other.rate_limits.reserve("simulator", 3.0, NOW) == NOW


def test_threads_get_different_slots(library: Library) -> None:
    barrier = threading.Barrier(16)

    def reserve_many(_: int) -> float:
        barrier.wait()
        return library.rate_limits.reserve("", 1.0, NOW) - NOW

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(reserve_many, range(16))) == list(range(16))


def test_released_slot_is_reserved_next(library: Library) -> None:
    assert reserve_slots(library, 4) == [0, 3, 6, 9]
    library.rate_limits.release("", NOW + 6)
    library.rate_limits.release("", NOW + 3)
    assert reserve_slots(library, 3) == [3, 6, 12]
    library.rate_limits.release("", NOW + 12)
    assert reserve_slots(library, 1, now=NOW + 50) == [50]  # it is in the past
    assert reserve_slots(library, 1, now=NOW + 50) == [53]


def test_throttle_pauses_slows_down_and_recovers(library: Library) -> None:
    assert reserve_slots(library, 1) == [0]
    assert library.rate_limits.throttle("", 10.0, NOW) == NOW + 10
    assert library.rate_limits.paused_until("") == NOW + 10
    after = reserve_slots(library, 200)
    gaps = [late - early for early, late in itertools.pairwise(after)]
    assert after[0] == 10
    assert gaps[0] == pytest.approx(6.0)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] == pytest.approx(3.0, abs=0.01)


def test_refusals_during_a_pause_count_once(library: Library) -> None:
    for _ in range(5):
        library.rate_limits.throttle("", 2.0, NOW)
    first, second = reserve_slots(library, 2)
    assert second - first == pytest.approx(6.0)
    library.rate_limits.throttle("", 2.0, NOW + 20)
    first, second = reserve_slots(library, 2, now=NOW + 20)
    assert first == 22
    assert second - first == pytest.approx(11.4, abs=0.1)  # it had started to recover


def test_pause_and_slowdown_are_limited(library: Library) -> None:
    assert library.rate_limits.throttle("", 1e9, NOW) == NOW + 300
    for number in range(20):
        library.rate_limits.throttle("", 1.0, NOW + 1000 * (number + 1))
    now = NOW + 30_000
    first, second = reserve_slots(library, 2, now=now)
    assert second - first == pytest.approx(48.0)


def test_slots_released_before_a_pause_are_void(library: Library) -> None:
    assert reserve_slots(library, 2) == [0, 3]
    library.rate_limits.throttle("", 10.0, NOW)
    library.rate_limits.release("", NOW + 3)
    assert reserve_slots(library, 1)[0] >= 10


def test_throttle_works_without_an_interval(library: Library) -> None:
    library.rate_limits.throttle("", 0.0, NOW)
    first, second = reserve_slots(library, 2, interval=0.0)
    assert second > first


def test_clock_set_back_does_not_block(library: Library) -> None:
    reserve_slots(library, 10, now=NOW + 86_400)
    assert reserve_slots(library, 1) == [30]
    assert reserve_slots(library, 1) == [33]


steps = st.lists(
    st.tuples(st.sampled_from(["place", "slow", "later"]), st.floats(0, 20)), max_size=30
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_slots_are_never_closer_than_the_interval(
    library: Library, steps: list[tuple[str, float]]
) -> None:
    now, slots, name = NOW, [], repr(steps)
    for kind, value in steps:
        if kind == "place":
            slots.append(library.rate_limits.reserve(name, 3.0, now))
            assert slots[-1] >= now
        elif kind == "slow":
            library.rate_limits.throttle(name, value, now)
        else:
            now += value
    gaps = [late - early for early, late in itertools.pairwise(slots)]
    assert all(gap >= 3.0 - 1e-6 for gap in gaps)
