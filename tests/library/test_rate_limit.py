"""One pace for all who share a library."""

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


def places(library: Library, number: int, interval: float = 3.0, now: float = NOW) -> list[float]:
    return [library.rate_limits.reserve("", interval, now) - NOW for _ in range(number)]


def test_places_are_an_interval_apart_and_not_in_the_past(library: Library) -> None:
    assert places(library, 3) == [0, 3, 6]
    assert places(library, 2, now=NOW + 100) == [100, 103]
    assert places(library, 3, interval=0, now=NOW + 200) == [200, 200, 200]


def test_where_there_is_no_pace_nothing_is_written(library: Library) -> None:
    def written(now: float) -> int:
        before = library._database.connection.total_changes
        library.rate_limits.reserve("", 0, now)
        return library._database.connection.total_changes - before

    assert written(NOW) == 0
    library.rate_limits.throttle("", 10, NOW)
    assert library.rate_limits.reserve("", 0, NOW) == NOW + 10
    assert written(NOW + 1) > 0
    eased = [written(NOW + 20 + second) for second in range(100)]
    assert all(eased[:70])
    assert not any(eased[90:])  # it is as fast again as it was


def test_two_libraries_of_one_folder_share_it_and_names_do_not(library: Library) -> None:
    with Library(library.path) as other:
        assert places(library, 1) == [0]
        assert places(other, 1) == [3]
        assert other.rate_limits.reserve("simulator", 3.0, NOW) == NOW


def test_many_threads_get_different_places(library: Library) -> None:
    barrier = threading.Barrier(16)

    def take(_: int) -> float:
        barrier.wait()
        return library.rate_limits.reserve("", 1.0, NOW) - NOW

    with ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(take, range(16))) == list(range(16))


def test_a_place_given_back_is_the_next_ones(library: Library) -> None:
    assert places(library, 4) == [0, 3, 6, 9]
    library.rate_limits.release("", NOW + 6)
    library.rate_limits.release("", NOW + 3)
    assert places(library, 3) == [3, 6, 12]
    library.rate_limits.release("", NOW + 12)
    assert places(library, 1, now=NOW + 50) == [50]  # it has passed
    assert places(library, 1, now=NOW + 50) == [53]


def test_after_a_429_all_wait_and_go_slower_and_recover(library: Library) -> None:
    assert places(library, 1) == [0]
    assert library.rate_limits.throttle("", 10.0, NOW) == NOW + 10
    assert library.rate_limits.paused_until("") == NOW + 10
    after = places(library, 200)
    gaps = [late - early for early, late in itertools.pairwise(after)]
    assert after[0] == 10
    assert gaps[0] == pytest.approx(6.0)
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[-1] == pytest.approx(3.0, abs=0.01)


def test_many_refusals_of_one_crowd_slow_it_once(library: Library) -> None:
    for _ in range(5):
        library.rate_limits.throttle("", 2.0, NOW)
    first, second = places(library, 2)
    assert second - first == pytest.approx(6.0)
    library.rate_limits.throttle("", 2.0, NOW + 20)
    first, second = places(library, 2, now=NOW + 20)
    assert first == 22
    assert second - first == pytest.approx(11.4, abs=0.1)  # it had begun to recover


def test_a_pause_has_a_longest_and_a_slowness_a_most(library: Library) -> None:
    assert library.rate_limits.throttle("", 1e9, NOW) == NOW + 300
    for number in range(20):
        library.rate_limits.throttle("", 1.0, NOW + 1000 * (number + 1))
    now = NOW + 30_000
    first, second = places(library, 2, now=now)
    assert second - first == pytest.approx(48.0)


def test_places_given_back_before_a_pause_are_void(library: Library) -> None:
    assert places(library, 2) == [0, 3]
    library.rate_limits.throttle("", 10.0, NOW)
    library.rate_limits.release("", NOW + 3)
    assert places(library, 1)[0] >= 10


def test_without_an_interval_a_429_still_slows(library: Library) -> None:
    library.rate_limits.throttle("", 0.0, NOW)
    first, second = places(library, 2, interval=0.0)
    assert second > first


def test_a_clock_set_back_does_not_stop_anybody(library: Library) -> None:
    places(library, 10, now=NOW + 86_400)
    assert places(library, 1) == [30]
    assert places(library, 1) == [33]


steps = st.lists(
    st.tuples(st.sampled_from(["place", "slow", "later"]), st.floats(0, 20)), max_size=30
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_no_two_are_closer_than_the_interval(
    library: Library, steps: list[tuple[str, float]]
) -> None:
    now, taken, name = NOW, [], repr(steps)
    for kind, value in steps:
        if kind == "place":
            taken.append(library.rate_limits.reserve(name, 3.0, now))
            assert taken[-1] >= now
        elif kind == "slow":
            library.rate_limits.throttle(name, value, now)
        else:
            now += value
    gaps = [late - early for early, late in itertools.pairwise(taken)]
    assert all(gap >= 3.0 - 1e-6 for gap in gaps)
