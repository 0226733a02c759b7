"""What the simulator tells unasked: when, signed how, to whom, and what goes wrong with it."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from musicapi_nb.simulator import Delivery, Simulator
from tests.simulator.caller import CREATE, LONG_AFTER, STUDIO, VOCAL, Caller

SECRET = "whsec-of-the-caller"  # noqa: S105 - made up


@pytest.fixture
async def address(sim: Simulator) -> AsyncIterator[str]:
    """Where somebody listens who agrees to everything."""
    sim.reply_options.webhook_hosts = "loopback"
    site = web.Application()
    site.router.add_post("/hooks", _agreed)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    await runner.cleanup()


async def _agreed(_: web.Request) -> web.Response:
    return web.Response(status=204)


async def sent(sim: Simulator, number: int) -> list[Delivery]:
    """Wait until so many have been answered."""
    for _ in range(2000):
        if [one.status for one in sim.webhooks.sent] == [204] * number:
            return sim.webhooks.sent
        await asyncio.sleep(0.005)
    raise AssertionError(sim.webhooks.sent)


async def ended(
    sim: Simulator, caller: Caller, address: str, number: int = 2, body: Any = CREATE
) -> list[Delivery]:
    hook = {"webhook_url": address, "webhook_secret": SECRET}
    await caller.submit({**body, **hook}, "nuro/create" if body is VOCAL else "sonic/create")
    sim.clock.advance(LONG_AFTER)
    return await sent(sim, number)


def events(sim: Simulator) -> list[str]:
    return [one.event for one in sim.webhooks.sent]


async def test_a_task_tells_that_it_can_be_heard_and_that_it_is_done(
    sim: Simulator, caller: Caller, address: str
) -> None:
    first, last = await ended(sim, caller, address)
    body, running = json.loads(last.body), json.loads(first.body)
    poll = (await caller.get(f"sonic/task/{last.task_id}")).body
    assert (first.event, last.event) == ("song.streaming", "song.completed")
    assert body == {**poll, "task_id": last.task_id, "platform": "suno", "event": last.event}
    assert "running" in {clip["state"] for clip in running["data"]}
    assert first.url == address
    stamp = last.headers["X-Webhook-Timestamp"]
    signed = hmac.new(SECRET.encode(), stamp.encode() + b"." + last.body, hashlib.sha256)
    assert last.headers["X-Webhook-Signature"] == f"sha256={signed.hexdigest()}"
    assert abs(int(stamp) - time.time()) < 30
    assert last.headers["X-Webhook-Id"] == last.headers["Idempotency-Key"]
    assert last.headers["X-Webhook-Event"] == last.event
    assert first.headers["X-Webhook-Id"] != last.headers["X-Webhook-Id"]


async def test_nothing_is_told_before_its_time(
    sim: Simulator, caller: Caller, address: str
) -> None:
    await caller.submit({**CREATE, "webhook_url": address})
    sim.clock.advance(1)
    await asyncio.sleep(0.02)
    assert sim.webhooks.sent == []


async def test_a_failure_is_told_with_its_refund(
    sim: Simulator, caller: Caller, address: str
) -> None:
    sim.faults.arm("task_fails", refund=True, message="No luck.")
    *_, last = await ended(sim, caller, address)
    assert json.loads(last.body) == {
        "event": "song.failed",
        "type": "failed",
        "message": "No luck.",
        "refund_processed": True,
        "task_id": last.task_id,
        "platform": "suno",
    }


async def test_nuro_tells_more(sim: Simulator, caller: Caller, address: str) -> None:
    *_, last = await ended(sim, caller, address, body=VOCAL)
    body = json.loads(last.body)
    assert (body["platform"], body["status"]) == ("nuro", "succeeded")
    assert {"prompt", "theme", "instrument"} <= set(body)


async def test_what_is_stuck_tells_no_end(sim: Simulator, caller: Caller, address: str) -> None:
    sim.faults.arm("stuck")
    await ended(sim, caller, address, 1)
    assert events(sim) == ["song.streaming"]


async def test_without_an_address_or_from_studio_nothing_is_told(
    sim: Simulator, caller: Caller, address: str
) -> None:
    await caller.submit(CREATE)
    await caller.submit({**STUDIO, "webhook_url": address}, "studio/create")
    await ended(sim, caller, address)
    assert len(sim.webhooks.sent) == 2


async def test_late_twice_out_of_order_and_lost(
    sim: Simulator, caller: Caller, address: str
) -> None:
    sim.faults.arm("webhook_lost")
    sim.faults.arm("webhook_twice", after=1)
    sim.faults.arm("webhook_out_of_order", after=1)
    sim.faults.arm("webhook_late", after=1, seconds=10_000.0)
    for _ in range(2):
        await caller.submit({**CREATE, "webhook_url": address})
    sim.clock.advance(LONG_AFTER)
    await asyncio.sleep(0.02)
    assert sim.webhooks.sent == []
    sim.clock.advance(10_000)
    await sent(sim, 4)
    assert events(sim) == [*["song.completed"] * 2, *["song.streaming"] * 2]
    assert len({one.headers["X-Webhook-Id"] for one in sim.webhooks.sent}) == 2


@pytest.mark.parametrize("signature", ["default", "older", "none"])
async def test_other_signatures(
    sim: Simulator, caller: Caller, address: str, signature: Any
) -> None:
    sim.reply_options.webhook_signature = signature
    *_, last = await ended(sim, caller, address)
    ours = hmac.new(SECRET.encode(), last.body, hashlib.sha256).hexdigest()
    assert last.headers.get("X-Signature") == (ours if signature == "older" else None)
    assert ("X-Webhook-Signature" in last.headers) == (signature == "default")
    assert ("X-Webhook-Timestamp" in last.headers) == (signature != "older")


async def test_without_a_secret_it_signs_with_its_own(
    sim: Simulator, caller: Caller, address: str
) -> None:
    await caller.submit({**CREATE, "webhook_url": address})
    sim.clock.advance(LONG_AFTER)
    *_, last = await sent(sim, 2)
    assert last.headers["X-Webhook-Signature"].startswith("sha256=")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "http://127.0.0.1/",
        "ftp://127.0.0.1/",
        "https://",
        "rain",
        "",
        7,
        ["https://example.org"],
        "https://example.org/" + "x" * 1024,
    ],
)
async def test_an_address_that_is_not_public_https_is_refused_and_not_charged(
    sim: Simulator, caller: Caller, url: Any
) -> None:
    reply = await caller.post("sonic/create", {**CREATE, "webhook_url": url})
    assert reply.status == 400
    assert "'webhook_url'" in reply.body["message"]
    assert sim.request_log.paid == ()


async def test_who_does_not_answer_harms_nobody(sim: Simulator, caller: Caller) -> None:
    sim.reply_options.webhook_hosts = "loopback"
    await caller.submit({**CREATE, "webhook_url": "http://127.0.0.1:9/"})
    sim.clock.advance(LONG_AFTER)
    for _ in range(2000):
        if len(sim.webhooks.sent) == 2:
            break
        await asyncio.sleep(0.005)
    assert [one.status for one in sim.webhooks.sent] == [None, None]


async def test_a_stopped_simulator_tells_nothing_more() -> None:
    simulator = Simulator(speed=0)
    async with simulator, Caller(simulator, "k") as caller:
        await caller.submit({**CREATE, "webhook_url": "https://example.org/"})
    simulator.clock.advance(LONG_AFTER)
    await asyncio.sleep(0.02)
    assert simulator.webhooks.sent == []
    async with simulator:
        pass
