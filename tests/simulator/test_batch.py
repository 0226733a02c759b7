"""Batches: each item is a request with its own result and charge."""

from typing import Any

import pytest

from musicapi_nb.simulator import Simulator
from tests.simulator.caller import CREATE, Caller

LONG = {**CREATE, "gpt_description_prompt": "d" * 400}


async def test_batch_items_succeed_and_fail_individually(sim: Simulator, caller: Caller) -> None:
    reply = await caller.post("sonic/batch", {"items": [CREATE, LONG, "x", CREATE]})
    assert reply.status == 200
    assert (reply.body["message"], reply.body["submitted"]) == ("success", 2)
    tasks = reply.body["tasks"]
    assert [task["status"] for task in tasks] == ["submitted", "failed", "failed", "submitted"]
    assert [bool(task["task_id"]) for task in tasks] == [True, False, False, True]
    assert "less than 400" in tasks[1]["message"]
    assert [charge.credits for charge in sim.accounts.charges()] == [20, 20]
    assert {charge.task_id for charge in sim.accounts.charges()} == {
        tasks[0]["task_id"],
        tasks[3]["task_id"],
    }
    assert (await caller.finished(tasks[0]["task_id"]))["data"][0]["state"] == "succeeded"
    assert len(sim.request_log.paid) == 1  # one POST


async def test_batch_can_be_polled(sim: Simulator, caller: Caller) -> None:
    ack = (await caller.post("sonic/batch", {"items": [CREATE, LONG]})).body
    path = f"sonic/batch?batch_id={ack['batch_id']}"
    early = (await caller.get(path)).body
    assert [task["status"] for task in early["tasks"]] == ["pending", "failed"]
    sim.clock.advance(600)
    late = (await caller.get(path)).body["tasks"]
    assert late[0]["status"] == "succeeded"
    assert len(late[0]["data"]) == 2
    async with Caller(sim, "key-b") as other:
        assert (await other.get(path)).body["message"] == "batch not found."
    assert (await caller.get("sonic/batch")).body["message"] == "missing batch id."


async def test_batch_tasks_can_be_plain_ids(sim: Simulator, caller: Caller) -> None:
    sim.reply_options.batch_tasks = "ids"
    ack = (await caller.post("sonic/batch", {"items": [LONG, CREATE]})).body
    assert ack["tasks"][0] is None
    assert (await caller.get(f"sonic/task/{ack['tasks'][1]}")).status == 202
    polled = (await caller.get(f"sonic/batch?batch_id={ack['batch_id']}")).body
    assert polled["tasks"] == ack["tasks"]


async def test_credits_can_run_out_within_a_batch(sim: Simulator) -> None:
    sim.accounts.open("poor", credits=45)
    async with Caller(sim, "poor") as poor:
        ack = (await poor.post("sonic/batch", {"items": [CREATE] * 3})).body
        assert ack["submitted"] == 2
        assert ack["tasks"][2]["code"] == 403
        assert await poor.credits() == 5


@pytest.mark.parametrize("items", [None, [], [CREATE] * 11, {"a": 1}])
async def test_batch_holds_one_to_ten_items(caller: Caller, items: Any) -> None:
    reply = await caller.post("sonic/batch", {"items": items})
    assert (reply.status, "1 to 10" in reply.body["message"]) == (400, True)


async def test_retired_engine_refuses_each_item(sim: Simulator, caller: Caller) -> None:
    sim.reply_options.retired = frozenset(["sonic"])
    ack = (await caller.post("sonic/batch", {"items": [CREATE]})).body
    assert (ack["submitted"], ack["tasks"][0]["code"]) == (0, 410)


async def test_batch_counts_once_for_the_rate_limit() -> None:
    async with Simulator(speed=0, rate_limit=3) as sim, Caller(sim, "k") as paced:
        assert (await paced.post("sonic/batch", {"items": [CREATE] * 3})).body["submitted"] == 3
        assert (await paced.post("sonic/batch", {"items": [CREATE]})).status == 429


async def test_each_item_of_a_batch_can_have_its_webhook(sim: Simulator, caller: Caller) -> None:
    sim.faults.arm("webhook_lost", times=2)
    address = {"webhook_url": "https://example.org/hook"}
    wrong = {**CREATE, "webhook_url": "http://example.org/hook"}
    ack = (await caller.post("sonic/batch", {"items": [{**CREATE, **address}, CREATE, wrong]})).body
    assert [bool(task["task_id"]) for task in ack["tasks"]] == [True, True, False]
    assert "'webhook_url'" in ack["tasks"][2]["message"]
    assert len(sim.faults.armed) == 1  # it met the one webhook
