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
from tests.library.helpers import rebuilt_is_the_same
from tests.raw_http_server import KEY, SONG, Connection, client, peer, reply

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


STEPS = b', "failed_step": "extend", "steps": {"upload": {"success": true}, "extend": {}}}'


async def test_refusal_that_breaks_off_in_its_steps_is_uncertain(tmp_path: Path) -> None:
    whole = reply(b'{"error": "No."' + STEPS, 400)

    async def behave(connection: Connection) -> None:
        await connection.request()
        await connection.send(whole[:-cut])

    with Library(tmp_path) as library:
        for cut, state in ((1, "uncertain"), (40, "uncertain"), (len(STEPS), "refused")):
            async with peer(behave) as server, client(server.url, ledger=library) as api:
                with pytest.raises(MusicAPIError) as caught:
                    await api.submit(CONTINUED, take=cut)
                assert caught.value.may_have_cost is (state == "uncertain")
                assert server.posts == 1
            assert library.entries()[-1].state == state


# --- batches -------------------------------------------------------------------------------


def creates(count: int) -> list[sonic.Create]:
    return [
        sonic.Create(custom_mode=False, mv="sonic-v5", gpt_description_prompt=f"rain {number}")
        for number in range(count)
    ]


async def account_of_batch(sim: Simulator, folder: Path, items: int) -> tuple[int, int, int, str]:
    """Buy a batch; return the credits that the service took, those spent and held, the state."""
    with Library(folder) as library:
        library.set_budget("b", 1000)
        async with client(
            sim.url, speed=sim.speed, ledger=library, budgets=["b"], simulated=True
        ) as api:
            await api.run(sonic.Batch(items=creates(items)), deadline=1e7)
        took = sum(charge.credits for charge in sim.accounts.charges() if not charge.refunded)
        spent, held = library.account(simulated=True).spent, library.budgets()["b"].held
        rebuilt_is_the_same(library)
        return took, spent, held, library.entries()[0].state


@pytest.mark.parametrize(("balance", "took"), [(1000, 60), (45, 40), (25, 20), (5, 0)])
async def test_refused_items_of_a_batch_are_not_counted(
    tmp_path: Path, balance: int, took: int
) -> None:
    async with Simulator(speed=3000, balance=balance, seconds=(1, 1.2)) as sim:
        account = await account_of_batch(sim, tmp_path, 3)
    assert account == (took, took, took, "done" if took else "failed")


async def test_batch_that_was_refused_whole_is_bought_again(tmp_path: Path) -> None:
    batch = sonic.Batch(items=creates(3))
    async with Simulator(speed=3000, balance=5, seconds=(1, 1.2)) as sim:
        with Library(tmp_path) as library:
            async with client(sim.url, speed=sim.speed, ledger=library) as api:
                refused = await api.run(batch, deadline=1e7)
                assert refused.state == "failed"
                sim.accounts.deposit(KEY, 100)
                assert (await api.run(batch, deadline=1e7)).state == "succeeded"
            assert library.account().spent == 60


async def test_refunded_items_of_a_batch_are_not_counted(tmp_path: Path) -> None:
    options = ReplyOptions(sonic_failure="api_error")
    async with Simulator(speed=3000, seconds=(1, 1.2), reply_options=options) as sim:
        sim.faults.arm("task_fails", refund=True)
        account = await account_of_batch(sim, tmp_path, 3)
    assert account == (40, 40, 40, "done")


async def test_failed_items_of_a_batch_without_a_refund_are_counted(tmp_path: Path) -> None:
    async with Simulator(speed=3000, seconds=(1, 1.2)) as sim:
        sim.faults.arm("task_fails", refund=False)
        account = await account_of_batch(sim, tmp_path, 2)
    assert account == (40, 40, 40, "done")


async def test_items_that_are_only_null_are_counted(tmp_path: Path) -> None:
    """Nothing says that they were refused: a budget rather counts too much."""
    options = ReplyOptions(batch_tasks="ids")
    async with Simulator(speed=3000, balance=45, seconds=(1, 1.2), reply_options=options) as sim:
        took, spent, held, _ = await account_of_batch(sim, tmp_path, 3)
    assert took == 40
    assert spent == held == 60
