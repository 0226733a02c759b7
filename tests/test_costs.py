"""Credits of tasks and songs, and what songs cost: against the simulator's bills."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import musicapi_nb as mnb
from musicapi_nb import lyrics, sonic, studio, tasks
from musicapi_nb.errors import LostReply, MusicAPIError
from musicapi_nb.library import Library
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Task
from tests.library.helpers import FAILED, FAILED_UNSAID, Unpriced, acknowledged, buy, looked, song
from tests.raw_http_server import KEY, client

STYLES, STUDIO = "spy jazz, slow, vibraphone", "studio32-v1.5"


class Bought(NamedTuple):
    """A library filled over HTTP, the tasks as the client returned them, and the bills."""

    library: Library
    tasks: list[Task]
    charged: int
    refunded: int
    in_doubt: int


async def _fill(library: Library) -> Bought:
    made: list[Task] = []
    async with Simulator(speed=3000, seconds=(1, 1.2), seed=4) as sim:
        sim.faults.arm("wrong_type_download", times=None)
        sim.reply_options.sonic_failure = "api_error"  # says whether it was refunded
        async with client(sim.url, speed=sim.speed, ledger=library, reply_timeout=30) as api:
            sim.faults.arm("lost_reply")
            with contextlib.suppress(LostReply):
                await api.run(song("lost"))
            in_doubt = sum(charge.credits for charge in sim.accounts.charges())
            made.append(await api.run(song("one")))
            made.append(await api.run(studio.Description(prompt=STYLES, model_type=STUDIO)))
            made.append(await api.run(lyrics.Make(description="rain")))
            for number, refund in enumerate((True, False)):
                sim.faults.arm("task_fails", refund=refund)
                made.append(await api.run(song(f"fails {number}")))
            sim.faults.arm("one_clip_fails")
            made.append(await api.run(song("half")))
            sim.accounts.deposit(KEY, 45 - sim.accounts.get(KEY).balance)  # two of three items
            made.append(await api.run(sonic.Batch(items=[song("a"), song("b"), song("c")])))
        charges = sim.accounts.charges()
    charged = sum(charge.credits for charge in charges)
    refunded = sum(charge.credits for charge in charges if charge.refunded)
    return Bought(library, made, charged, refunded, in_doubt)


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bought]:
    with Library(tmp_path_factory.mktemp("costs") / "library") as library:
        yield asyncio.run(_fill(library))


def test_credits_of_tasks_add_up_to_the_bills(bought: Bought) -> None:
    spent = bought.charged - bought.refunded - bought.in_doubt
    account = bought.library.account()
    assert (account.spent, account.refunded) == (spent, bought.refunded)
    assert account.uncertain == bought.in_doubt
    for source in (bought.library, bought.tasks):
        frame = mnb.tasks_frame(source)
        assert frame["credits"].sum() == spent
        assert frame["price"].sum() == spent + bought.refunded
        assert frame["credits"].notna().all()


def test_credits_of_a_task_are_shared_over_the_songs_that_were_delivered(bought: Bought) -> None:
    for source in (bought.library, bought.tasks):
        tables = mnb.flatten(source)
        songs = tables.songs.set_index("reply")
        credits_ = songs["credits"].groupby(level=0).sum(min_count=1)
        delivered = songs["state"].eq("succeeded").groupby(level=0).any()
        by_task = tables.tasks.set_index("reply").loc[delivered[delivered].index, "credits"]
        assert (credits_[by_task.index] == by_task).all()
        (half,) = songs.index[songs["state"] == "failed"]
        assert songs.loc[half, "credits"].fillna(-1).tolist() == [20, -1]


def test_credits_are_missing_where_they_are_unknown(tmp_path: Path) -> None:
    request = song("x")
    raw = looked(acknowledged(request)).raw
    assert mnb.tasks_frame(raw)[["price", "credits"]].isna().all(axis=None)
    assert mnb.songs_frame(raw)["credits"].isna().all()
    pending = acknowledged(request)
    assert mnb.tasks_frame(pending)["credits"].tolist() == [20]
    unpriced = acknowledged(Unpriced())
    assert (unpriced.credits, looked(unpriced).credits_per_song) == (None, None)
    with Library(tmp_path / "library") as library:
        lost = library.claim(request).entry.id
        assert library.task(lost).credits is None
        library.record_uncertain(lost, MusicAPIError("lost"))
        assert library.task(lost).credits is None
        assert (library.entry(lost).charged, library.entry(lost).in_doubt) == (None, 20)
        library.resolve(lost, charged=False)
        assert (library.entry(lost).charged, library.entry(lost).in_doubt) == (0, 0)
        second = buy(library, song("y"), "t2").entry.id
        library.record_poll(second, looked(acknowledged(song("y"), "t2"), FAILED_UNSAID))
        assert library.task(second).credits == 20
        library.resolve(second, charged=False)
        assert library.task(second).credits == 0
    assert looked(pending, FAILED).credits == 0
    assert looked(tasks.parse_task(raw)).credits is None
