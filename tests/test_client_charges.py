"""What the simulator charged, compared with what the client reports."""

import contextlib
from pathlib import Path
from typing import Literal

import pytest

from musicapi_nb import sonic
from musicapi_nb.errors import (
    ContentRefused,
    MusicAPIError,
    NoSubscription,
    OutOfCredits,
    RateLimited,
    Unauthorized,
)
from musicapi_nb.library import Library
from musicapi_nb.simulator import FAULT_KINDS, ReplyOptions, Simulator
from tests.raw_http_server import KEY, SONG, client

SUBMIT_FAULTS = sorted(
    name
    for name, kind in FAULT_KINDS.items()
    if kind.stage != "media" and kind.method in (None, "POST")
)
FREE = {
    "too_many_requests": RateLimited,
    "wrong_key": Unauthorized,
    "no_subscription": NoSubscription,
    "queue_full": RateLimited,
    "refused_content": ContentRefused,
}


@pytest.mark.parametrize("kind", SUBMIT_FAULTS)
async def test_fault_never_charges_twice(kind: str) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm(kind, method="POST")
        async with client(sim.url, speed=sim.speed) as api:
            with contextlib.suppress(MusicAPIError):
                await api.submit(SONG)
        charged = len(sim.accounts.charges())
        assert len(sim.request_log.posts) == 1
        assert charged <= 1


@pytest.mark.parametrize("kind", sorted(FREE))
async def test_refusal_is_free_and_says_so(kind: str) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm(kind, method="POST")
        async with client(sim.url, speed=sim.speed) as api:
            with pytest.raises(FREE[kind]) as caught:
                await api.submit(SONG)
        assert not caught.value.may_have_cost
        assert sim.accounts.charges() == ()


@pytest.mark.parametrize(
    "kind", ["lost_reply", "error_after", "cut_body", "garbage_body", "html_body", "empty_body"]
)
async def test_lost_reply_after_a_charge_may_have_cost(kind: str) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm(kind, method="POST")
        async with client(sim.url, speed=sim.speed) as api:
            with pytest.raises(MusicAPIError) as caught:
                await api.submit(SONG)
        assert caught.value.may_have_cost
        assert len(sim.accounts.charges()) == 1


async def test_empty_account_is_reported() -> None:
    async with Simulator(speed=100_000, balance=1) as sim, client(sim.url) as api:
        with pytest.raises(OutOfCredits) as caught:
            await api.submit(SONG)
    assert not caught.value.may_have_cost


CONTINUED = sonic.UploadExtend(
    custom_mode=False,
    gpt_description_prompt="rain",
    mv="sonic-v5",
    continue_at=9.0,
    url="https://example.org/rain.mp3",
)


@pytest.mark.parametrize("status", [200, 400])
async def test_failed_step_after_a_charged_one_is_not_a_refusal(
    status: Literal[200, 400], tmp_path: Path
) -> None:
    async with Simulator(speed=100_000, reply_options=ReplyOptions(step_failure=status)) as sim:
        sim.faults.arm("step_fails", step=2)
        with Library(tmp_path) as library:
            async with client(sim.url, speed=sim.speed, ledger=library) as api:
                before = await api.credits()
                task = await api.submit(CONTINUED)
                after = await api.credits()
            (entry,) = library.entries()
            assert (entry.state, entry.refunded, library.account().unpriced) == ("failed", None, 1)
            assert "(done, and perhaps charged: upload)" in str(entry.note)
            assert sim.service.catalog.song(task.answer["clip_id"], KEY) is not None
            library.resolve(entry.id, before=before, after=after)
            assert (library.account().spent, library.account().unpriced) == (2, 0)


async def test_failed_first_step_follows_the_status(tmp_path: Path) -> None:
    async with Simulator(speed=100_000) as sim:
        sim.faults.arm("step_fails", times=2)
        with Library(tmp_path) as library:
            async with client(sim.url, speed=sim.speed, ledger=library) as api:
                assert (await api.submit(CONTINUED)).state == "failed"
                sim.reply_options.step_failure = 400
                with pytest.raises(MusicAPIError, match="This step failed"):
                    await api.submit(CONTINUED, take=2)
            assert [entry.state for entry in library.entries()] == ["failed", "refused"]
        assert sim.accounts.charges() == ()
