import asyncio
import threading

import pytest

from musicapi_nb.simulator import SimulatedClock


def test_clock_of_speed_0_moves_only_by_advance() -> None:
    clock = SimulatedClock(0, epoch=100)
    assert (clock.now(), clock.now()) == (100, 100)
    clock.advance(7.5)
    assert clock.now() == 107.5
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


def test_time_never_goes_back_when_speed_changes() -> None:
    clock = SimulatedClock(1e6, epoch=0)
    before = clock.now()
    clock.speed = 0
    stopped = clock.now()
    assert before <= stopped == clock.now()
    clock.speed = 1e6
    assert clock.now() >= stopped
    with pytest.raises(ValueError, match="0 or more"):
        clock.speed = -1


async def test_sleeper_wakes_when_another_thread_advances_the_clock() -> None:
    clock = SimulatedClock(0, epoch=0)
    sleeper = asyncio.create_task(clock.sleep(10))
    await asyncio.sleep(0)
    for _ in range(2):
        assert not sleeper.done()
        mover = threading.Thread(target=clock.advance, args=(5,))
        mover.start()
        mover.join()
    await asyncio.wait_for(sleeper, 5)
    assert clock.now() == 10


async def test_sleeper_wakes_on_a_fast_clock() -> None:
    clock = SimulatedClock(1e6)
    before = clock.now()
    await asyncio.wait_for(clock.sleep(5000), 5)
    assert clock.now() - before >= 4999.9


async def test_higher_speed_wakes_a_sleeper_earlier() -> None:
    clock = SimulatedClock(1e-3)
    sleeper = asyncio.create_task(clock.sleep(1000))
    await asyncio.sleep(0)
    clock.speed = 1e6
    await asyncio.wait_for(sleeper, 5)
