"""Credits of tasks and songs, and what songs cost: against the simulator's bills."""

import asyncio
import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb import lyrics, sonic, studio, tasks
from musicapi_nb.errors import BadFrame, InvalidArgument, LostReply, MusicAPIError
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


def costs_of(source: Any, measure: str = "credits per song", **options: Any) -> pd.DataFrame:
    table = mnb.costs(source, **options)
    return table[table["measure"] == measure].reset_index(drop=True)


def levels_of(source: Any, by: str, measure: str = "credits per song") -> dict[Any, Any]:
    """Return the rows of a measure by level."""
    rows = costs_of(source, measure, by=by).to_dict("records")
    return {row[by]: row for row in rows}


def test_costs_of_a_library_are_its_account(bought: Bought) -> None:
    account = bought.library.account()
    (row,) = costs_of(bought.library).to_dict("records")
    assert (row["credits"], row["refunded"], row["in_doubt"]) == (
        account.spent,
        account.refunded,
        account.uncertain,
    )
    assert (row["tasks"], row["failed"], row["songs"], row["units"]) == (7, 2, 9, 9)
    assert row["estimate"] == pytest.approx(account.spent / 9)
    assert row["low"] < row["estimate"] < row["high"]
    by_engine = levels_of(bought.library, "engine")
    assert sum(row["credits"] for row in by_engine.values()) == account.spent
    assert by_engine["sonic"]["in_doubt"] == account.uncertain
    assert by_engine["studio"]["estimate"] == 7.5
    assert by_engine["lyrics"]["songs"] == 0
    assert math.isnan(by_engine["lyrics"]["estimate"])


def test_kept_tags_are_those_of_tag_fates(bought: Bought) -> None:
    rows = levels_of(bought.tasks, "engine", "credits per kept tag")
    for engine in ("sonic", "studio"):
        songs = [task for task in bought.tasks if task.engine == engine]
        kept = mnb.tag_fates(songs)["fate"].isin(["kept", "split"]).sum()
        assert rows[engine]["units"] == kept
        if kept:
            assert rows[engine]["estimate"] == pytest.approx(rows[engine]["credits"] / kept)
    assert math.isnan(rows["lyrics"]["units"])  # texts have no tags


def test_liked_songs_hours_and_money_are_counted(bought: Bought) -> None:
    measure = "credits per song with 4 stars or more"
    assert costs_of(bought.tasks, measure).empty  # nobody rated them
    library, song_ = bought.library, bought.tasks[1].songs[0]
    library.rate(song_, 4)
    (row,) = costs_of(library, measure, price=0.01, currency="EUR").to_dict("records")
    assert (row["rated"], row["units"], row["estimate"]) == (1, 1, 117)
    assert (row["money"], row["money_spent"], row["currency"]) == (1.17, 1.17, "EUR")
    assert row["money_low"] == pytest.approx(row["low"] / 100)
    (row,) = costs_of(library, "credits per song with 5 stars", stars=5).to_dict("records")
    assert (row["units"], row["high"]) == (0, math.inf)
    assert 0 < row["low"] < 117
    assert math.isnan(row["estimate"])
    library.rate(song_, 0)
    songs = mnb.songs_frame(library).query("engine != 'lyrics' and state == 'succeeded'")
    hours = songs["duration"].sum() / 3600
    (row,) = costs_of(library, "credits per hour of music").to_dict("records")
    assert row["units"] == pytest.approx(hours)
    assert row["estimate"] == pytest.approx(117 / hours)


def test_a_table_of_songs_is_summed_by_task_and_level(bought: Bought) -> None:
    songs = mnb.songs_frame(bought.tasks).query("engine == 'sonic'")
    rows = levels_of(songs[songs["song_position"] < 2], "song_position")
    assert (rows[0]["credits"], rows[0]["songs"]) == (40, 3)
    assert all(math.isnan(rows[0][name]) for name in ("refunded", "in_doubt", "difference"))
    assert rows[1]["difference"] == pytest.approx(20 / 2 - 40 / 3)
    assert "no degrees of freedom" in levels_of(songs, "song_position")[1]["note"]
    with pytest.raises(BadFrame, match="counts failed songs"):
        mnb.costs(mnb.tasks_frame(bought.tasks))


def cells(tasks: int, lost: int) -> pd.DataFrame:
    """Return the cells of two models, of which the second lost some songs without a refund."""
    frame = pd.DataFrame({"cell": range(2 * tasks), "block": 1, "take": 1})
    frame["mv"] = ["a", "b"] * tasks
    frame["state"], frame["songs"], frame["price"] = "done", 2, 20
    hit = frame.index[frame["mv"] == "b"][:lost]
    frame.loc[hit, "state"] = "failed"
    frame.loc[hit, "songs"] = 0
    return frame.assign(credits=frame["price"], refunded=False)


def test_levels_are_compared_by_the_model_of_effects() -> None:
    frame = cells(30, 12)
    first, second = levels_of(frame, "mv").values()
    assert (first["estimate"], second["estimate"]) == pytest.approx((10, 600 / 36))
    assert first["low"] == 10  # no song was lost, so it cannot cost less
    assert 10 < first["high"] < 12.5
    effect = mnb.effects(frame, "mv", outcomes=[("credits", "songs")]).iloc[0]
    names = ["difference", "difference_low", "difference_high", "p"]
    expected = effect[["estimate", "low", "high", "p"]].tolist()
    assert [second[name] for name in names] == pytest.approx(expected)
    assert second["p"] < 0.02
    assert costs_of(frame, by=["mv", "block"])["difference"].isna().all()


def test_only_cells_that_have_ended_are_in_ratios() -> None:
    frame = cells(3, 0)
    frame["credits"] = frame["credits"].astype("Int64")
    frame["state"] = ["done", "done", "accepted", "uncertain", "planned", "failed"]
    frame["songs"] = [2, 2, 0, 0, 0, 0]
    frame.loc[[2, 3, 4], "credits"] = None  # as long as a cell has not ended
    frame.loc[5, "credits"] = 0
    frame.loc[5, "refunded"] = True
    (row,) = costs_of(frame).to_dict("records")
    assert (row["tasks"], row["failed"], row["songs"], row["unpriced"]) == (4, 1, 4, 0)
    assert (row["credits"], row["refunded"], row["in_doubt"]) == (60, 20, 20)
    assert (row["units"], row["estimate"]) == (4, 10)  # without the task that is under way
    unknown = costs_of(frame.assign(credits=None, price=None).convert_dtypes())
    assert unknown["unpriced"].tolist() == [4]
    assert unknown["estimate"].isna().all()


def test_wrong_arguments_of_costs_are_refused(bought: Bought) -> None:
    wrong: list[dict[str, Any]] = [
        {"stars": 0},
        {"stars": True},
        {"price": -1},
        {"price": "1"},
        {"price": math.nan},
        {"price": 10**400},
        {"currency": "EUR"},
        {"price": 1, "currency": 3},
        {"level": 2},
        {"by": 3},
    ]
    for options in wrong:
        with pytest.raises(InvalidArgument):
            mnb.costs(bought.tasks, **options)
    hostile = mnb.costs(bought.tasks, price=1, currency="\ud800")  # no encoding has this
    assert set(hostile["currency"]) == {"\ufffd"}
    with pytest.raises(BadFrame, match="lacks column 'mood'"):
        mnb.costs(bought.tasks, "mood")
    simulated = mnb.songs_frame(bought.tasks)
    simulated.loc[0, "simulated"] = True
    with pytest.raises(BadFrame, match="do not add up"):
        mnb.costs(simulated)
    assert len(mnb.costs(simulated, "simulated")) == 2 * 2  # per song and per hour
    assert mnb.costs([])["estimate"].isna().tolist() == [True]
    assert mnb.costs(simulated[:0], "simulated").empty


async def test_costs_of_an_experiment_count_its_failed_tasks(tmp_path: Path) -> None:
    prompts = [STYLES, "slow jazz, brushes"]
    plan = mnb.Plan.grid(
        studio.Description, base={"model_type": STUDIO}, factors={"prompt": prompts}, repeats=3
    )
    async with Simulator(speed=3000, seconds=(1, 1.2), seed=2) as sim:
        sim.faults.arm("wrong_type_download", times=None)
        sim.faults.arm("task_fails", refund=False, after=2)
        with Library(tmp_path / "library") as library:
            async with client(sim.url, speed=sim.speed, ledger=library, reply_timeout=30) as api:
                run = await mnb.Experiment("costs", plan, api, library, deadline=1e7).run()
                tasks = run.tasks()
                library.rate(tasks[0].songs[0], 5)
                library.rate(tasks[1].songs[1], 2)
                table = run.costs("prompt_requested")
                totals = run.costs()
                ratings = run.result_frame("ratings")
        spent = sum(charge.credits for charge in sim.accounts.charges())
    per_song = table[table["measure"] == "credits per song"]
    assert per_song["credits"].sum() == totals["credits"].iloc[0] == spent == 90
    assert table["prompt_requested"].drop_duplicates().tolist() == prompts
    assert totals["failed"].tolist() == [1] * 4
    by_measure = {row["measure"]: row for row in totals.to_dict("records")}
    assert by_measure["credits per song"]["estimate"] == 90 / 10
    assert by_measure["credits per song with 4 stars or more"]["units"] == 1
    assert by_measure["credits per song"]["rated"] == len(ratings) == 2
    kept = mnb.tag_fates(tasks)["fate"].isin(["kept", "split"]).sum()
    assert by_measure["credits per kept tag"]["estimate"] == pytest.approx(90 / kept)
    assert per_song["difference"].isna().tolist() == [True, False]


STATES = ("done", "failed", "accepted", "sending", "uncertain", "planned", "refused", "not_run")


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(STATES),
            st.sampled_from([None, 0, 2, 20]),
            st.integers(0, 4),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_levels_add_up_and_intervals_hold_the_estimate(rows: list[tuple[Any, ...]]) -> None:
    frame = pd.DataFrame(rows, columns=["mv", "state", "price", "songs", "refunded"])
    frame["price"] = frame["price"].astype("Int64")
    frame["songs"] = frame["songs"].where(frame["state"] == "done", 0).astype("int64")
    frame["refunded"] = frame["refunded"] & (frame["state"] == "failed")
    frame["credits"] = frame["price"].where(frame["state"].isin(["done", "failed"]))
    frame["credits"] = frame["credits"].mask(frame["refunded"], 0)
    frame.insert(0, "cell", range(len(frame)))
    (whole,) = costs_of(frame).to_dict("records")
    table = costs_of(frame, by="mv")
    for name in ("tasks", "failed", "songs", "credits", "refunded", "in_doubt", "unpriced"):
        assert table[name].sum() == whole[name]
    spent = frame["price"].where(frame["state"].isin(["done", "failed", "accepted"]), 0)
    assert whole["credits"] + whole["refunded"] == spent.fillna(0).sum()
    in_doubt = frame["price"].where(frame["state"].isin(["sending", "uncertain"]), 0)
    assert whole["in_doubt"] == in_doubt.fillna(0).sum()
    for row in (whole, *table.to_dict("records")):
        if not math.isnan(row["low"]):
            assert 0 <= row["low"] <= row["high"]
            assert math.isnan(row["estimate"]) or row["low"] <= row["estimate"] <= row["high"]


def test_intervals_cover_the_cost_of_a_song() -> None:
    rng = np.random.default_rng(3)
    tasks, tables = 20, 400
    frame = cells(tasks * tables // 2, 0).assign(mv="a", table=np.arange(tasks * tables) // tasks)
    is_failed = rng.random(len(frame)) < 0.15  # without a refund
    frame["songs"] = np.where(is_failed, 0, 2)
    table = costs_of(frame, by=["table", "mv"])
    truth = 20 / (0.85 * 2)
    covered = (table["low"] <= truth) & (truth <= table["high"])
    assert 0.92 < covered.mean() < 0.99
    assert (table["estimate"].mean() - truth) / truth < 0.02
