"""Webhooks of the simulator: when they are sent, how they are signed, and their faults."""

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
    """The address of a receiver that accepts everything."""
    sim.reply_options.webhook_hosts = "loopback"
    site = web.Application()
    site.router.add_post("/hooks", _accept)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    await runner.cleanup()


async def _accept(_: web.Request) -> web.Response:
    return web.Response(status=204)


async def wait_for_webhooks(sim: Simulator, number: int) -> list[Delivery]:
    """Wait until ``number`` webhooks were answered; return them."""
    for _ in range(12_000):  # a minute
        if [delivery.status for delivery in sim.webhooks.sent] == [204] * number:
            return sim.webhooks.sent
        await asyncio.sleep(0.005)
    raise AssertionError(sim.webhooks.sent)


async def run_task(
    sim: Simulator, caller: Caller, address: str, number: int = 2, body: Any = CREATE
) -> list[Delivery]:
    hook = {"webhook_url": address, "webhook_secret": SECRET}
    await caller.submit({**body, **hook}, "nuro/create" if body is VOCAL else "sonic/create")
    sim.clock.advance(LONG_AFTER)
    return await wait_for_webhooks(sim, number)


def events(sim: Simulator) -> list[str]:
    return [delivery.event for delivery in sim.webhooks.sent]


async def test_task_sends_streaming_and_completed(
    sim: Simulator, caller: Caller, address: str
) -> None:
    first, last = await run_task(sim, caller, address)
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


async def test_no_webhook_before_the_task_runs(
    sim: Simulator, caller: Caller, address: str
) -> None:
    await caller.submit({**CREATE, "webhook_url": address})
    sim.clock.advance(1)
    await asyncio.sleep(0.02)
    assert sim.webhooks.sent == []


async def test_failed_webhook_reports_the_refund(
    sim: Simulator, caller: Caller, address: str
) -> None:
    sim.faults.arm("task_fails", refund=True, message="No luck.")
    *_, last = await run_task(sim, caller, address)
    assert json.loads(last.body) == {
        "event": "song.failed",
        "type": "failed",
        "message": "No luck.",
        "refund_processed": True,
        "task_id": last.task_id,
        "platform": "suno",
    }


async def test_nuro_webhook_has_more_fields(sim: Simulator, caller: Caller, address: str) -> None:
    *_, last = await run_task(sim, caller, address, body=VOCAL)
    body = json.loads(last.body)
    assert (body["platform"], body["status"]) == ("nuro", "succeeded")
    assert {"prompt", "theme", "instrument"} <= set(body)


async def test_stuck_task_sends_no_final_webhook(
    sim: Simulator, caller: Caller, address: str
) -> None:
    sim.faults.arm("stuck")
    await run_task(sim, caller, address, 1)
    assert events(sim) == ["song.streaming"]


async def test_no_webhook_without_address_or_from_studio(
    sim: Simulator, caller: Caller, address: str
) -> None:
    await caller.submit(CREATE)
    await caller.submit({**STUDIO, "webhook_url": address}, "studio/create")
    await run_task(sim, caller, address)
    assert len(sim.webhooks.sent) == 2


async def test_webhooks_can_be_late_double_out_of_order_and_lost(
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
    await wait_for_webhooks(sim, 4)
    assert events(sim) == [*["song.completed"] * 2, *["song.streaming"] * 2]
    assert len({delivery.headers["X-Webhook-Id"] for delivery in sim.webhooks.sent}) == 2


@pytest.mark.parametrize("signature", ["default", "older", "none"])
async def test_webhook_signature_options(
    sim: Simulator, caller: Caller, address: str, signature: Any
) -> None:
    sim.reply_options.webhook_signature = signature
    *_, last = await run_task(sim, caller, address)
    ours = hmac.new(SECRET.encode(), last.body, hashlib.sha256).hexdigest()
    assert last.headers.get("X-Signature") == (ours if signature == "older" else None)
    assert ("X-Webhook-Signature" in last.headers) == (signature == "default")
    assert ("X-Webhook-Timestamp" in last.headers) == (signature != "older")


async def test_webhook_without_secret_is_signed_with_the_default(
    sim: Simulator, caller: Caller, address: str
) -> None:
    await caller.submit({**CREATE, "webhook_url": address})
    sim.clock.advance(LONG_AFTER)
    *_, last = await wait_for_webhooks(sim, 2)
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
async def test_address_must_be_public_https(sim: Simulator, caller: Caller, url: Any) -> None:
    reply = await caller.post("sonic/create", {**CREATE, "webhook_url": url})
    assert reply.status == 400
    assert "'webhook_url'" in reply.body["message"]
    assert sim.request_log.paid == ()


async def test_unreachable_webhook_address_is_harmless(sim: Simulator, caller: Caller) -> None:
    sim.reply_options.webhook_hosts = "loopback"
    await caller.submit({**CREATE, "webhook_url": "http://127.0.0.1:9/"})
    sim.clock.advance(LONG_AFTER)
    for _ in range(12_000):  # a minute
        if len(sim.webhooks.sent) == 2:
            break
        await asyncio.sleep(0.005)
    assert [delivery.status for delivery in sim.webhooks.sent] == [None, None]


async def test_stopped_simulator_sends_no_webhooks() -> None:
    simulator = Simulator(speed=0)
    async with simulator, Caller(simulator, "k") as caller:
        await caller.submit({**CREATE, "webhook_url": "https://example.org/"})
    simulator.clock.advance(LONG_AFTER)
    await asyncio.sleep(0.02)
    assert simulator.webhooks.sent == []
    async with simulator:
        pass
