"""Prices, charges and refunds."""

import asyncio
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musicapi_nb.simulator import Accounts, SimulatedClock, Simulator
from musicapi_nb.simulator.rules import OUT_OF_CREDITS
from tests.simulator.caller import CREATE, STUDIO, VOCAL, Caller


@pytest.mark.parametrize(
    ("path", "body", "price"),
    [
        ("sonic/create", CREATE, 20),
        ("studio/create", STUDIO, 15),
        ("nuro/create", VOCAL, 10),
        ("sonic/lyrics", {"description": "a kettle"}, 2),
        ("sonic/upload", {"url": "https://example.org/a.mp3"}, 2),
    ],
)
async def test_each_operation_has_its_price(
    sim: Simulator, caller: Caller, path: str, body: Any, price: int
) -> None:
    reply = await caller.post(path, body)
    assert await caller.credits() == 1000 - price
    (charge,) = sim.accounts.charges("key-a")
    assert (charge.path, charge.credits, charge.refunded) == (f"/api/v1/{path}", price, False)
    assert charge.task_id in (reply.body.get("task_id"), reply.body.get("data"), None)


async def test_prices_of_requests_that_build_on_a_clip(sim: Simulator, caller: Caller) -> None:
    clip = (await caller.clips(CREATE))[0]["clip_id"]
    custom = {"custom_mode": True, "prompt": "la", "mv": "sonic-v5", "continue_clip_id": clip}
    extended = (await caller.clips({**custom, "task_type": "extend_music", "continue_at": 2}))[0]
    await caller.submit({**custom, "task_type": "cover_music"})
    await caller.submit({"task_type": "concat_music", "continue_clip_id": extended["clip_id"]})
    await caller.post("sonic/persona", {"name": "Ada", "clip_id": clip})
    assert [charge.credits for charge in sim.accounts.charges()] == [20, 15, 15, 2, 1]


async def test_out_of_credits_is_403_and_takes_nothing(sim: Simulator) -> None:
    sim.accounts.open("poor", credits=30)
    async with Caller(sim, "poor") as poor:
        await poor.submit(CREATE)
        reply = await poor.post("sonic/create", CREATE)
        assert (reply.status, reply.body["message"]) == (403, OUT_OF_CREDITS)
        assert await poor.credits() == 10
        sim.accounts.deposit("poor", 10)
        await poor.submit(CREATE)
        assert await poor.credits() == 0


async def test_packs_are_spent_first_and_refunded_first(sim: Simulator) -> None:
    sim.accounts.open("rich", credits=100, extra_credits=15)
    sim.faults.arm("task_fails")
    async with Caller(sim, "rich") as rich:
        await rich.submit(CREATE)
        assert (await rich.get("get-credits")).body == {"credits": 95, "extra_credits": 0}
        sim.clock.advance(600)
        assert (await rich.get("get-credits")).body == {"credits": 100, "extra_credits": 15}


async def test_refund_comes_when_the_task_fails_even_unpolled(
    sim: Simulator, caller: Caller
) -> None:
    sim.faults.arm("task_fails")
    await caller.submit(CREATE)
    sim.clock.advance(30)
    assert await caller.credits() == 980
    sim.clock.advance(570)
    assert await caller.credits() == 1000
    (charge,) = sim.accounts.charges()
    assert charge.refunded_at is not None
    assert charge.charged_at + 30 < charge.refunded_at < charge.charged_at + 200


async def test_failed_task_can_keep_the_credits(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("task_fails", refund=False)
    await caller.submit(CREATE)
    sim.clock.advance(600)
    assert await caller.credits() == 980


async def test_single_failed_clip_is_not_refunded(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("one_clip_fails")
    clips = await caller.clips(CREATE)
    assert [clip["state"] for clip in clips] == ["succeeded", "failed"]
    assert await caller.credits() == 980


async def test_refused_request_is_not_charged(sim: Simulator, caller: Caller) -> None:
    for kind in (
        "wrong_key",
        "no_subscription",
        "refused_content",
        "too_many_requests",
        "queue_full",
    ):
        sim.faults.arm(kind)
        assert (await caller.post("sonic/create", CREATE)).status in (401, 403, 429)
    assert sim.accounts.charges() == ()


async def test_balances_add_up_under_random_faults(sim: Simulator) -> None:
    sim.faults.arm("task_fails", times=None, probability=0.4)
    sim.faults.arm("lost_reply", times=None, probability=0.2)
    sim.accounts.open("a", credits=150, extra_credits=35)

    async def ask(caller: Caller, body: Any, path: str) -> None:
        try:
            await caller.post(path, body)
        except aiohttp.ClientError:
            return  # the reply is lost, the charge remains

    async with Caller(sim, "a") as a, Caller(sim, "b") as b:
        work = [
            (a, CREATE, "sonic/create"),
            (b, STUDIO, "studio/create"),
            (b, VOCAL, "nuro/create"),
        ]
        await asyncio.gather(*(ask(*call) for call in work * 12))
        for seconds in (20, 100, 500):
            sim.clock.advance(seconds)
            for key, granted in (("a", 185), ("b", 1000)):
                account, accounts = sim.accounts.get(key), sim.accounts
                assert account.granted == granted
                spent = accounts.charged(key) - accounts.refunded(key)
                assert account.balance == granted - spent
                assert account.credits >= 0 <= account.extra_credits
    assert sim.accounts.refunded("a") + sim.accounts.refunded("b") > 0
    assert sim.accounts.charged("a") >= 140


@given(
    prices=st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=30),
    pots=st.tuples(st.integers(0, 200), st.integers(0, 200)),
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_sequence_of_charges_and_refunds_adds_up(
    prices: list[tuple[int, bool]], pots: tuple[int, int]
) -> None:
    clock = SimulatedClock(0)
    accounts = Accounts(clock, 0)
    account = accounts.open("k", credits=pots[0], extra_credits=pots[1])
    for price, refund in prices:
        before = account.balance
        charge = accounts.charge("k", "/p", "o", price)
        assert (charge is None) == (price > before)
        if charge and refund:
            accounts.refund_at(charge, clock.now() + 5)
        clock.advance(1)
        accounts.settle()
        spent = accounts.charged("k") - accounts.refunded("k")
        assert account.balance == sum(pots) - spent
        assert min(account.credits, account.extra_credits) >= 0


def test_account_opens_once() -> None:
    accounts = Accounts(SimulatedClock(0), 5)
    assert accounts.get("k").balance == 5
    with pytest.raises(ValueError, match="deposit"):
        accounts.open("k", credits=1)
    assert "k'" not in repr(accounts.get("k"))


async def test_rate_limit_applies_to_creates() -> None:
    async with Simulator(speed=0, rate_limit=3) as sim, Caller(sim, "k") as paced:
        await paced.submit(CREATE)
        assert (await paced.post("sonic/create", CREATE)).status == 429
        assert (await paced.post("sonic/lyrics", {"description": "x"})).status == 200
        sim.clock.advance(3)
        await paced.submit(CREATE)
        assert sim.accounts.charged("k") == 42
