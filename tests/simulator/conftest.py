"""A simulator whose clock moves only when a test advances it, and a client with an account."""

from collections.abc import AsyncIterator

import pytest

from musicapi_nb.simulator import Simulator
from tests.simulator.caller import Caller

EPOCH = 1_732_240_123.0


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(speed=0, epoch=EPOCH, seconds=(3, 4)) as simulator:
        yield simulator


@pytest.fixture
async def caller(sim: Simulator) -> AsyncIterator[Caller]:
    async with Caller(sim, "key-a") as client:
        yield client
