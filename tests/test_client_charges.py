"""What the simulator charged, beside what the client says that it may have cost."""

import contextlib

import pytest

from musicapi_nb.errors import (
    ContentRefused,
    MusicAPIError,
    NoSubscription,
    OutOfCredits,
    RateLimited,
    Unauthorized,
)
from musicapi_nb.simulator import KINDS, Simulator
from tests.peers import SONG, client

SUBMIT_FAULTS = sorted(
    name for name, kind in KINDS.items() if kind.stage != "media" and kind.method in (None, "POST")
)
FREE = {
    "too_many_requests": RateLimited,
    "wrong_key": Unauthorized,
    "no_subscription": NoSubscription,
    "queue_full": RateLimited,
    "refused_content": ContentRefused,
}


@pytest.mark.parametrize("kind", SUBMIT_FAULTS)
async def test_no_mishap_makes_a_submit_pay_twice(kind: str) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm(kind, method="POST")
        async with client(sim.url, speed=sim.speed) as api:
            with contextlib.suppress(MusicAPIError):
                await api.submit(SONG)
        charged = len(sim.accounts.charges())
        assert len(sim.traffic.posts) == 1
        assert charged <= 1


@pytest.mark.parametrize("kind", sorted(FREE))
async def test_what_the_service_refuses_is_free_and_said_to_be(kind: str) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm(kind, method="POST")
        async with client(sim.url, speed=sim.speed) as api:
            with pytest.raises(FREE[kind]) as caught:
                await api.submit(SONG)
        assert not caught.value.may_have_cost
        assert sim.accounts.charges() == ()


@pytest.mark.parametrize("kind", ["lost_reply", "error_after", "cut_body", "garbage_body",
                                  "html_body", "empty_body"])  # fmt: skip
async def test_what_was_charged_behind_our_back_may_have_cost(kind: str) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm(kind, method="POST")
        async with client(sim.url, speed=sim.speed) as api:
            with pytest.raises(MusicAPIError) as caught:
                await api.submit(SONG)
        assert caught.value.may_have_cost
        assert len(sim.accounts.charges()) == 1


async def test_an_empty_account_is_told_so() -> None:
    async with Simulator(speed=100_000, balance=1) as sim, client(sim.url) as api:
        with pytest.raises(OutOfCredits) as caught:
            await api.submit(SONG)
    assert not caught.value.may_have_cost
