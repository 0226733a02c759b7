"""Experiments over the simulator's real HTTP: each cell is bought once, within the budget."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb import MusicAPI, errors, lyrics, nuro, sonic, studio
from musicapi_nb.engines.request import Price
from musicapi_nb.experiment import Experiment, Progress
from musicapi_nb.experiment.eta import estimate_remaining
from musicapi_nb.experiment.ledger_view import ExperimentLedger
from musicapi_nb.ledger_types import PurchaseTerms
from musicapi_nb.library import Library
from musicapi_nb.plan import Plan
from musicapi_nb.polling import Eta
from musicapi_nb.simulator import Simulator

KEY = "sk-of-an-account-0001"
LONG_DEADLINE = 1e7  # simulated seconds that no slow machine reaches
PRICE = 20
BASE = {"custom_mode": False, "gpt_description_prompt": "{style}, rain on a tin roof"}
FACTORS = {"style": ["jazz", "rock"], "mv": ["sonic-v5", "sonic-v4-5"]}


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(speed=3000, balance=100_000, seconds=(1.0, 1.2)) as simulator:
        disable_files(simulator)
        yield simulator


def disable_files(sim: Simulator) -> None:
    """Make all file links fail, because synthesizing audio takes longer than all the rest."""
    sim.faults.arm("wrong_type_download", times=None)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


def client(sim: Simulator, library: Library, **settings: Any) -> MusicAPI:
    return MusicAPI(KEY, base_url=sim.url, speed=sim.speed, pace=0, ledger=library, **settings)


def plan(repeats: int = 1, factors: dict[str, Any] | None = None) -> Plan:
    return Plan.grid(sonic.Create, base=BASE, factors=factors or FACTORS, repeats=repeats)


class Unpriced(lyrics.Make, frozen=True, kw_only=True):
    cost: ClassVar[Price | None] = None


@contextlib.asynccontextmanager
async def experiment(
    sim: Simulator, library: Library, design: Plan, name: str = "harbour", **settings: Any
) -> AsyncIterator[Experiment]:
    async with client(sim, library) as api:
        yield Experiment(name, design, api, library, **{"deadline": LONG_DEADLINE, **settings})


async def run_to_end(sim: Simulator, library: Library, design: Plan, **settings: Any) -> Experiment:
    async with experiment(sim, library, design, **settings) as run:
        return await run.run()


def states(run: Experiment) -> dict[str, int]:
    return dict(Counter(run.frame()["state"]))


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until a condition holds."""
    for _ in range(60_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("the condition never held")


def check_ledgers_agree(sim: Simulator, library: Library) -> None:
    """Check the library against the charges that the simulator recorded."""
    charged = Counter(charge.task_id for charge in sim.accounts.charges(KEY))
    assert all(count == 1 for count in charged.values())
    task_ids = {entry.task_id for entry in library.entries() if entry.task_id}
    assert task_ids <= set(charged)
    lost = len(charged) - len(task_ids)
    assert lost <= len(library.entries("uncertain"))


# --- a run ---------------------------------------------------------------------------------


async def test_every_cell_is_bought_once(sim: Simulator, library: Library) -> None:
    updates: list[Progress] = []
    async with experiment(sim, library, plan(repeats=2)) as run:
        assert run.progress.state == "new"
        await run.run(updates.append)

    assert len(sim.request_log.paid) == 8
    check_ledgers_agree(sim, library)
    assert states(run) == {"done": 8}
    assert run.failures().empty
    progress = run.progress
    assert (progress.state, progress.finished) == ("ended", 8)
    assert (progress.blocks_done, progress.blocks) == (2, 2)
    assert (progress.spent, progress.reserved, progress.bought) == (8 * PRICE, 0, 8 * PRICE)
    assert progress.remaining is None
    assert updates[0].counts == {"planned": 8}
    assert all(sum(update.counts.values()) == 8 for update in updates)
    assert [update.finished for update in updates] == sorted(update.finished for update in updates)
    assert len(library.entries(experiment="harbour")) == 8


def test_eta_follows_from_pace_concurrency_and_slowest_cell() -> None:
    fresh, late = Eta(20.0, 40.0, "learned"), Eta(0.0, 300.0, "published")
    assert estimate_remaining([], [], 3.0, 8) == (0.0, 0.0, "learned")
    assert estimate_remaining([fresh], [], 3.0, 8) == (20.0, 40.0, "learned")
    # the last one is sent after 27 s, or once eight others are rendered; then it is rendered
    assert estimate_remaining([fresh], [(fresh, 10)], 3.0, 8) == (27 + 20, 40 + 40, "learned")
    assert estimate_remaining([late], [(fresh, 10)], 3.0, 8) == (47.0, 300.0, "published")
    overdue, unknown = Eta(None, None, "longer"), Eta(None, None, "unknown")
    assert estimate_remaining([fresh], [(overdue, 1)], 3.0, 8) == overdue
    assert estimate_remaining([unknown], [(fresh, 1)], 3.0, 8) == unknown


async def test_progress_has_an_eta_while_running(sim: Simulator, library: Library) -> None:
    updates: list[Progress] = []
    async with experiment(sim, library, plan(repeats=2)) as run:
        assert run.progress.eta is None
        await run.run(updates.append)
    assert run.progress.eta is None
    first = updates[0].eta
    assert first is not None
    assert first.basis == "published"
    assert first.low == 120 / sim.speed  # eight at once take as long as one
    etas = [update.eta for update in updates if update.eta is not None]
    assert etas[-1].basis == "learned"


async def test_frames_have_the_factors_of_each_songs_cell(sim: Simulator, library: Library) -> None:
    design = plan(repeats=2)
    run = await run_to_end(sim, library, design)
    songs = run.songs()
    assert songs.columns[:5].tolist() == ["cell", "block", "take", "style", "mv"]
    assert len(songs) == 16
    entries = {entry.task_id: entry for entry in library.entries()}
    for row in songs.to_dict("records"):
        cell = design.cells[row["cell"]]
        request = library.request(entries[row["task_id"]].id)
        assert isinstance(request, sonic.Create)
        assert (request.mv, entries[row["task_id"]].take) == (row["mv"], row["take"])
        assert str(request.gpt_description_prompt).startswith(row["style"])
        assert (cell.levels["style"], cell.block) == (row["style"], row["block"])
    tags = run.tags()
    assert set(tags["song_id"]) == set(songs["song_id"])
    merged = tags.merge(songs, on="song_id")
    assert (merged["cell_x"] == merged["cell_y"]).all()
    assert run.durations()["duration"].gt(0).all()


async def test_replaced_tags_of_studio_have_factors(sim: Simulator, library: Library) -> None:
    design = Plan.grid(
        studio.Description,
        base={"prompt": "a song about {topic}", "model_type": "studio130-v1.5"},
        factors={"topic": ["ships", "rain"]},
    )
    run = await run_to_end(sim, library, design)
    steps = run.replaced_tags()
    assert not steps.empty
    assert set(steps["topic"]) <= {"ships", "rain"}
    assert steps.groupby("song_id", observed=True)["topic"].nunique().eq(1).all()


async def test_factor_named_like_a_result_column_is_renamed(
    sim: Simulator, library: Library
) -> None:
    design = Plan.grid(
        nuro.Instrumental, base={"description": "harbour"}, factors={"duration": [30, 60]}
    )
    run = await run_to_end(sim, library, design)
    for frame in (run.songs(), run.durations(), run.tags(), run.frame()):
        assert frame.columns.is_unique
        assert set(frame["duration_requested"]) <= {30, 60}
    assert run.durations()["duration"].dtype == "float64"


async def test_tasks_without_id_have_factors(sim: Simulator, library: Library) -> None:
    design = Plan.grid(lyrics.Make, factors={"description": ["a lighthouse", "a storm"]})
    run = await run_to_end(sim, library, design)
    songs = run.songs()
    assert states(run) == {"done": 2}
    assert set(songs["description"]) == {"a lighthouse", "a storm"}


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


async def test_empty_frames_keep_columns_and_dtypes(
    sim: Simulator, library: Library, tmp_path: Path
) -> None:
    sim.faults.arm("task_fails")
    full = await run_to_end(sim, library, plan())
    with Library(tmp_path / "other") as empty_library:
        async with experiment(sim, empty_library, plan()) as new:
            for name in ("songs", "tags", "replaced_tags", "durations", "failures"):
                empty = getattr(new, name)()
                assert len(empty) == 0
                assert dtypes(empty) == dtypes(getattr(full, name)())
            assert dtypes(new.frame()) == dtypes(full.frame())
            assert set(new.frame()["state"]) == {"planned"}
    assert sim.request_log.count("POST") == 4


async def test_empty_plan_ends_at_once(sim: Simulator, library: Library) -> None:
    run = await run_to_end(sim, library, Plan((), {}, "nothing"), budget=0)
    assert run.progress.state == "ended"
    assert run.songs().empty
    assert run.frame().empty
    assert "no requests" in repr(run)
    assert run._repr_html_()
    assert sim.request_log.total == 0


# --- refused before anything is sent -------------------------------------------------------


async def test_invalid_plan_raises_with_all_problems(sim: Simulator, library: Library) -> None:
    design = Plan.grid(
        sonic.Create,
        base={"custom_mode": False},
        factors={"mv": ["sonic-v5"], "gpt_description_prompt": ["x" * 5000, None]},
    )
    async with experiment(sim, library, design) as run:
        with pytest.raises(errors.InvalidPlan) as raised:
            await run.run()
        assert len(raised.value.problems) > 1
        html = run._repr_html_()
        assert all(problem.message[:20] in html for problem in raised.value.problems)
        assert run.frame()["state"].tolist() == ["planned", "planned"]
    assert sim.request_log.total == 0
    assert library.entries() == []


async def test_budget_below_one_block_raises(sim: Simulator, library: Library) -> None:
    async with experiment(sim, library, plan(2), budget=4 * PRICE - 1) as run:
        with pytest.raises(errors.OverBudget, match=r"79 credits does not cover round 1 .*80"):
            await run.run()
    assert sim.request_log.total == 0
    assert library.budgets() == {}


async def test_unwritable_library_raises(sim: Simulator, tmp_path: Path) -> None:
    closed = Library(tmp_path / "closed")
    closed.close()
    async with experiment(sim, closed, plan()) as run:
        with pytest.raises(errors.MusicAPIError):
            await run.run()
    assert sim.request_log.total == 0


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("", {}),
        (3, {}),
        ("x", {"budget": -1}),
        ("x", {"budget": True}),
        ("x", {"budget": 1.5}),
        ("x", {"concurrency": 0}),
        ("x", {"concurrency": None}),
        ("x", {"assume": "1"}),
    ],
)
async def test_invalid_arguments_raise(
    sim: Simulator, library: Library, name: Any, settings: dict[str, Any]
) -> None:
    async with client(sim, library) as api:
        with pytest.raises(errors.InvalidArgument):
            Experiment(name, plan(), api, library, **settings)
        with pytest.raises(errors.InvalidArgument):
            Experiment("x", [1], api, library)  # type: ignore[arg-type]


async def test_client_without_the_library_would_buy_again(
    sim: Simulator, library: Library, tmp_path: Path
) -> None:
    with Library(tmp_path / "other") as other:
        async with client(sim, other) as elsewhere, MusicAPI(KEY, base_url=sim.url) as nowhere:
            for api in (elsewhere, nowhere):
                with pytest.raises(errors.InvalidArgument, match="ledger=library"):
                    Experiment("harbour", plan(), api, library)
    assert sim.request_log.posts == []


async def test_second_run_at_once_raises(sim: Simulator, library: Library) -> None:
    async with experiment(sim, library, plan()) as run:
        first = asyncio.create_task(run.run())
        await until(lambda: run.running)
        with pytest.raises(errors.MusicAPIError, match="already running"):
            await run.run()
        await first
    assert len(sim.request_log.paid) == 4


# --- the budget ----------------------------------------------------------------------------


async def test_budget_stops_at_whole_blocks(sim: Simulator, library: Library) -> None:
    run = await run_to_end(sim, library, plan(repeats=4), budget=2 * 4 * PRICE + 3 * PRICE)
    assert sim.accounts.charged(KEY) == 8 * PRICE
    frame = run.frame()
    assert set(frame[frame["block"] <= 2]["state"]) == {"done"}
    assert set(frame[frame["block"] > 2]["state"]) == {"not_run"}
    failures = run.failures()
    assert len(failures) == 8
    assert (
        failures["reason"].str.contains(r"60 credits of the budget .*round 3 \(80 credits\)").all()
    )
    assert not failures["may_have_cost"].any()
    assert (run.progress.remaining, run.progress.state) == (3 * PRICE, "stopped")
    assert len(library.entries("not_run", experiment="harbour")) == 8

    extended = await run_to_end(sim, library, plan(repeats=4), budget=4 * 4 * PRICE)
    assert states(extended) == {"done": 16}
    assert sim.accounts.charged(KEY) == 16 * PRICE
    assert (extended.progress.remaining, extended.progress.from_library) == (0, 8)


async def test_rerun_with_exhausted_budget_records_nothing_new(
    sim: Simulator, library: Library
) -> None:
    for _ in range(2):
        await run_to_end(sim, library, plan(repeats=2), budget=4 * PRICE)
    before = len(library.entries())
    run = await run_to_end(sim, library, plan(repeats=2))  # the stored budget still applies
    assert run.budget == 4 * PRICE
    assert states(run) == {"done": 4, "not_run": 4}
    assert len(library.entries()) == before == 8
    assert sim.accounts.charged(KEY) == 4 * PRICE


async def test_refunded_credits_buy_another_block(sim: Simulator, library: Library) -> None:
    sim.reply_options.sonic_failure = "api_error"  # the reply reports a refund
    sim.faults.arm("task_fails", times=4)
    run = await run_to_end(sim, library, plan(repeats=2), budget=4 * PRICE)
    assert states(run) == {"failed": 4, "done": 4}
    assert run.failures()["what_to_do"].str.contains("again").all()
    assert not run.failures()["may_have_cost"].any()
    assert sim.accounts.charged(KEY) - sim.accounts.refunded(KEY) == 4 * PRICE
    assert run.progress.remaining == 0


async def test_budget_holds_with_concurrency_64(sim: Simulator, library: Library) -> None:
    sim.faults.arm("lost_reply", times=3, after=5)
    design = plan(repeats=40)
    async with experiment(sim, library, design, budget=1010, concurrency=64) as run:
        await run.run()
    assert sim.accounts.charged(KEY) == 12 * 4 * PRICE  # of 1010, whole blocks
    assert run.progress.reserved == 3 * PRICE
    check_ledgers_agree(sim, library)


async def test_client_budget_also_stops_at_whole_blocks(sim: Simulator, library: Library) -> None:
    library.set_budget("evening", 7 * PRICE)
    async with client(sim, library, budgets=("evening",)) as api:
        run = await Experiment(
            "harbour", plan(repeats=2), api, library, deadline=LONG_DEADLINE
        ).run()
    assert states(run) == {"done": 4, "not_run": 4}
    assert (
        run.failures()["reason"]
        .str.contains(r"60 credits of 'evening' .*round 2 \(80 credits\)")
        .all()
    )
    assert run.progress.state == "stopped"
    assert sim.accounts.charged(KEY) == 4 * PRICE


async def test_unknown_prices_need_assume(sim: Simulator, library: Library) -> None:
    design = Plan.grid(Unpriced, factors={"description": ["a storm"]})
    async with experiment(sim, library, design, budget=50) as run:
        with pytest.raises(errors.UnknownPrice, match="1 request without a known price"):
            await run.run()
        assert sim.request_log.total == 0
    assumed = Plan.grid(sonic.Download, base={"clip_id": "c1"}, factors={"formats": [["mp3"]]})
    async with experiment(sim, library, assumed, "files", budget=50) as run:
        with pytest.raises(errors.UnknownPrice, match=r"such as assume=2 \(docs of the vendor"):
            run.check()
    run = await run_to_end(sim, library, design, budget=50, assume=7)
    assert states(run) == {"done": 1}
    assert run.progress.remaining == 43


# --- faults --------------------------------------------------------------------------------


async def test_failing_cell_stops_no_other(sim: Simulator, library: Library) -> None:
    sim.faults.arm("task_fails", after=0)
    sim.faults.arm("lost_reply", after=2)
    sim.faults.arm("refused_content", after=4)
    sim.faults.arm("one_clip_fails", after=6)
    run = await run_to_end(sim, library, plan(repeats=3), concurrency=1)
    assert states(run) == {"done": 9, "failed": 1, "uncertain": 1, "refused": 1}
    failures = run.failures().set_index("state")
    assert failures.loc["uncertain", "may_have_cost"]
    assert failures.loc["failed", "may_have_cost"]
    assert not failures.loc["refused", "may_have_cost"]
    entry = library.entries("uncertain")[0].id
    assert f"library.resolve({entry}, " in str(failures.loc["uncertain", "what_to_do"])
    partial = run.frame().query("songs == 1")
    assert len(partial) == 1
    assert partial["state"].tolist() == ["done"]
    check_ledgers_agree(sim, library)
    assert {failure.state for failure in run.progress.failures} == {
        "failed",
        "uncertain",
        "refused",
    }


async def test_ledgers_agree_after_all_faults_together(sim: Simulator, library: Library) -> None:
    for kind in (
        "drop_before",
        "lost_reply",
        "error_after",
        "server_error",
        "cut_body",
        "garbage_body",
        "html_body",
        "empty_body",
        "refused_content",
        "task_fails",
        "one_clip_fails",
        "duration_text",
        "unknown_state",
        "extra_keys",
        "code_missing",
        "too_many_requests",
    ):
        sim.faults.arm(kind, times=None, probability=0.05, method="POST")
    for kind in ("server_error", "too_many_requests", "cut_body", "html_body"):
        sim.faults.arm(kind, times=None, probability=0.04, method="GET")
    design = plan(repeats=10)
    run = await run_to_end(sim, library, design, budget=40 * PRICE, concurrency=16)
    check_ledgers_agree(sim, library)
    frame = run.frame()
    assert set(frame["state"]) <= {"done", "failed", "refused", "uncertain"}
    assert len(run.failures()) == (frame["state"] != "done").sum() > 0
    assert run.failures()["reason"].notna().all()
    assert sim.accounts.charged(KEY) <= 40 * PRICE

    sim.faults.clear()
    disable_files(sim)
    posts = len(sim.request_log.posts)
    again = await run_to_end(sim, library, design, budget=40 * PRICE)
    refused = int((frame["state"] == "refused").sum())
    assert len(sim.request_log.posts) - posts == refused
    assert (again.frame()["state"] == "uncertain").sum() == (frame["state"] == "uncertain").sum()
    assert "refused" not in set(again.frame()["state"])
    check_ledgers_agree(sim, library)


async def test_429_is_retried_later(sim: Simulator, library: Library) -> None:
    sim.faults.arm("too_many_requests", times=5, method="POST")
    run = await run_to_end(sim, library, plan())
    assert states(run) == {"done": 4}
    assert sim.accounts.charged(KEY) == 4 * PRICE


async def test_full_queue_is_retried_later(sim: Simulator, library: Library) -> None:
    sim.faults.arm("queue_full", times=4)
    lyrics_text = " ".join(["rain on the roof"] * 30)
    design = Plan.grid(nuro.Vocal, base={"lyrics": lyrics_text}, factors={"genre": ["Folk", "Pop"]})
    run = await run_to_end(sim, library, design)
    assert states(run) == {"done": 2}
    assert len(sim.request_log.posts) == 6
    assert len(sim.accounts.charges()) == 2
    check_ledgers_agree(sim, library)


async def test_endless_429_is_given_up_at_no_cost(sim: Simulator, library: Library) -> None:
    sim.faults.arm("too_many_requests", times=None, method="POST")
    run = await run_to_end(sim, library, plan(factors={"style": ["jazz"], "mv": ["sonic-v5"]}))
    assert states(run) == {"refused": 1}
    assert sim.accounts.charged(KEY) == 0
    assert len(sim.request_log.posts) == len(library.entries("refused")) < 20


async def test_without_credits_no_cell_is_started(library: Library) -> None:
    async with Simulator(speed=3000, balance=5 * PRICE, seconds=(1.0, 1.2)) as sim:
        disable_files(sim)
        run = await run_to_end(sim, library, plan(repeats=5), concurrency=2)
        assert len(sim.request_log.posts) <= 5 + 2
        assert sim.accounts.get(KEY).balance == 0
    counts = states(run)
    assert counts["done"] == 5
    assert counts["not_run"] >= 13
    assert run.progress.state == "stopped"
    assert "credits" in str(run.progress.stop_reason)
    assert run.failures()["reason"].str.contains("redit").all()


async def test_unreachable_host_stops_the_run(sim: Simulator, library: Library) -> None:
    await sim.stop()
    run = await run_to_end(sim, library, plan(repeats=25), concurrency=2)
    assert states(run) == {"not_run": 100}
    assert "in a row" in str(run.progress.stop_reason)
    assert len(library.entries()) < 200
    await sim.start()
    assert states(await run_to_end(sim, library, plan(repeats=2))) == {"done": 8}


async def test_wait_timeout_is_reported(sim: Simulator, library: Library) -> None:
    sim.faults.arm("stuck")
    run = await run_to_end(sim, library, plan(), deadline=9000.0)
    assert states(run) == {"done": 3, "accepted": 1}
    (failure,) = run.failures().to_dict("records")
    assert failure["may_have_cost"]
    assert "not finished after 9000 s" in failure["reason"]
    assert "not lost" in failure["what_to_do"]
    assert len(sim.request_log.paid) == 4


# --- resumed or shared ---------------------------------------------------------------------


async def test_rerun_in_another_kernel_costs_nothing(sim: Simulator, tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        sim.faults.clear()
        first = await run_to_end(sim, library, plan(2), budget=500)
        assert library.missing_files() == []
    posts, total = len(sim.request_log.posts), sim.request_log.total
    with Library(tmp_path) as reopened:
        async with experiment(sim, reopened, plan(2), budget=500) as again:
            assert len(again.songs()) == 16  # before it is run
            await again.run()
        pd.testing.assert_frame_equal(again.songs(), first.songs())
        assert again.progress.from_library == 8
        assert again.progress.bought == 0
        assert again.frame()["bought_before"].all()
    assert (len(sim.request_log.posts), sim.request_log.total) == (posts, total)


async def test_missing_files_are_downloaded_by_a_rerun(sim: Simulator, library: Library) -> None:
    await run_to_end(sim, library, plan())
    assert len(library.missing_files()) == 4 * 2 * 2
    sim.faults.clear()
    run = await run_to_end(sim, library, plan())
    assert library.missing_files() == []
    assert states(run) == {"done": 4}
    assert len(sim.request_log.posts) == 4


async def test_lost_kernel_is_continued_by_the_next(sim: Simulator, tmp_path: Path) -> None:
    design = plan(repeats=5)
    for stop_at in itertools.count(4, 4):
        with Library(tmp_path) as library:
            async with client(sim, library) as api:
                run = Experiment(
                    "harbour", design, api, library, budget=20 * PRICE, deadline=LONG_DEADLINE
                )
                running = asyncio.create_task(run.run())
                await until(lambda: running.done() or len(sim.request_log.posts) >= stop_at)  # noqa: B023 - awaited here
                finished = running.done()
                library.close()  # as if the process died here
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        if finished:
            break
    charges = sim.accounts.charges(KEY)
    with Library(tmp_path) as library:
        check_ledgers_agree(sim, library)
        counts = Counter(entry.state for entry in library.entries(experiment="harbour"))
        assert counts["done"] + counts["uncertain"] == 20
        assert len(charges) <= 20


async def test_cell_bought_outside_is_linked_to_the_experiment(
    sim: Simulator, library: Library
) -> None:
    design = plan()
    async with client(sim, library) as api:
        await api.run(design.cells[2].request)
    run = await run_to_end(sim, library, design)
    assert run.frame()["bought_before"].tolist() == [False, False, True, False]
    assert len(library.entries("done", experiment="harbour")) == 4
    assert len(sim.request_log.paid) == 4


async def test_changed_plan_keeps_common_cells(sim: Simulator, library: Library) -> None:
    await run_to_end(sim, library, plan())
    changed = plan(repeats=2, factors={**FACTORS, "style": ["jazz", "folk"]})
    run = await run_to_end(sim, library, changed)
    assert (run.progress.from_library, run.progress.bought) == (2, 6 * PRICE)
    assert "2 purchases of this name belong to an earlier plan" in run._repr_html_()


async def test_simulated_purchases_and_budget_are_separate(
    sim: Simulator, library: Library
) -> None:
    async with client(sim, library, simulated=True) as api:
        await Experiment(
            "harbour", plan(), api, library, budget=4 * PRICE, deadline=LONG_DEADLINE
        ).run()
    run = await run_to_end(sim, library, plan(), budget=4 * PRICE)
    assert states(run) == {"done": 4}
    assert run.progress.from_library == 0


async def test_two_concurrent_runs_buy_each_cell_once(sim: Simulator, tmp_path: Path) -> None:
    with Library(tmp_path) as library_a, Library(tmp_path) as library_b:
        runs = await asyncio.gather(
            run_to_end(sim, library_a, plan(5), budget=400),
            run_to_end(sim, library_b, plan(5), budget=400),
        )
        assert all(states(run) == {"done": 20} for run in runs)
        assert len(sim.request_log.paid) == 20
        check_ledgers_agree(sim, library_a)


async def test_cell_failed_in_another_kernel_is_not_bought_again(
    sim: Simulator, tmp_path: Path
) -> None:
    design = plan(factors={"style": ["jazz"], "mv": ["sonic-v5", "sonic-v4-5"]})
    sim.faults.arm("slow", seconds=1e6, method="POST")
    sim.faults.arm("task_fails", refund=False)
    with Library(tmp_path) as library_a, Library(tmp_path) as library_b:
        first = asyncio.create_task(run_to_end(sim, library_a, design, concurrency=1))
        await until(lambda: sim.request_log.posts)
        second = asyncio.create_task(run_to_end(sim, library_b, design))
        await until(lambda: library_b.counts().get("failed"))
        sim.clock.advance(1e6)
        for run in await asyncio.gather(first, second):
            assert states(run) == {"done": 1, "failed": 1}
            assert run.failures()["may_have_cost"].all()
    assert len(sim.request_log.paid) == 2


async def test_cell_failed_in_another_kernel_is_not_recorded_as_not_run(
    sim: Simulator, library: Library
) -> None:
    sim.faults.arm("task_fails", refund=False)
    run = await run_to_end(sim, library, plan(), concurrency=1)
    cells = ExperimentLedger(library, run.name, run.plan.cells, simulated=False)
    before = cells.read_entries()
    cells.record_not_run(dict.fromkeys(range(4), "the budget is used up"))
    assert cells.read_entries() == before
    assert states(await run_to_end(sim, library, plan())) == {"done": 3, "failed": 1}
    assert len(sim.request_log.paid) == 4


# --- pause, resume, cancel, concurrency ----------------------------------------------------


async def test_concurrency_is_kept(sim: Simulator, library: Library) -> None:
    highest = 0

    def count_accepted(progress: Progress) -> None:
        nonlocal highest
        highest = max(highest, progress.counts.get("accepted", 0))

    async with experiment(sim, library, plan(repeats=6), concurrency=3) as run:
        await run.run(count_accepted)
    assert highest == 3


async def test_pause_stops_buying_until_resume(sim: Simulator, library: Library) -> None:
    async with experiment(sim, library, plan(repeats=5), concurrency=4) as run:
        running = asyncio.create_task(run.run())
        await until(lambda: run.progress.counts.get("accepted", 0) >= 2)
        run.pause()
        assert run.progress.state == "paused"
        await until(lambda: not {"sending", "accepted"} & run.progress.counts.keys())
        posts = len(sim.request_log.posts)
        assert 2 <= posts < 20
        for _ in range(2000):
            await asyncio.sleep(0)
        assert len(sim.request_log.posts) == posts
        assert not running.done()
        run.resume()
        await running
    assert states(run) == {"done": 20}
    assert len(sim.request_log.paid) == 20
    check_ledgers_agree(sim, library)


@pytest.mark.parametrize("pause", [True, False], ids=["paused", "running"])
async def test_cell_that_fails_elsewhere_while_queued_is_not_bought_again(
    sim: Simulator, tmp_path: Path, *, pause: bool
) -> None:
    design = plan(factors={"style": ["jazz"], "mv": ["sonic-v5", "sonic-v4-5"]})
    lasting, failing = design.cells
    sim.reply_options.sonic_failure = "api_error"  # the reply reports a refund
    sim.faults.arm("task_fails", after=1)
    with Library(tmp_path) as library_a, Library(tmp_path) as library_b:
        async with (
            experiment(sim, library_a, design, concurrency=1) as run,
            client(sim, library_b) as api,
        ):
            for cell in design.cells:
                await api.submit(cell.request, take=cell.take)
            sim.faults.arm("slow", seconds=1e6, method="GET")
            running = asyncio.create_task(run.run())
            await until(lambda: sim.request_log.total > 2)
            if pause:
                run.pause()
            assert (await api.run(failing.request, take=failing.take)).refunded
            sim.clock.advance(1e6)
            await until(lambda: running.done() or run.progress.finished == 2)
            run.cancel()
            await running
            assert states(run) == {"done": 1, "failed": 1}
            assert library_b.find(lasting.request, PurchaseTerms(take=lasting.take)) is not None
            assert library_b.find(failing.request, PurchaseTerms(take=failing.take)) is None
    assert len(sim.request_log.posts) == 2


async def test_pause_before_the_first_purchase(sim: Simulator, library: Library) -> None:
    async with experiment(sim, library, plan()) as run:
        running = asyncio.create_task(run.run())
        await until(lambda: run.running)
        run.pause()
        await until(lambda: run.progress.started is not None)
        for _ in range(500):
            await asyncio.sleep(0)
        assert sim.request_log.total == 0
        run.cancel()
        await running
    assert states(run) == {"not_run": 4}
    assert sim.request_log.total == 0


async def test_cancel_keeps_paid_songs(sim: Simulator, library: Library) -> None:
    async with experiment(sim, library, plan(repeats=5), concurrency=4) as run:
        running = asyncio.create_task(run.run())
        await until(lambda: run.progress.finished >= 5)
        run.cancel()
        await running
        assert run.progress.state == "cancelled"
    counts = states(run)
    assert counts["not_run"] >= 1
    assert sum(count for state, count in counts.items() if state != "not_run") == len(
        sim.request_log.paid
    )
    stopped = run.failures().query("state == 'not_run'")
    assert stopped["reason"].str.contains("cancelled").all()
    again = await run_to_end(sim, library, plan(repeats=5))
    assert states(again) == {"done": 20}
    assert len(sim.request_log.paid) == 20


async def test_closed_client_stops_the_run(sim: Simulator, library: Library) -> None:
    async with client(sim, library) as api:
        run = Experiment(
            "harbour", plan(repeats=5), api, library, concurrency=2, deadline=LONG_DEADLINE
        )
        running = asyncio.create_task(run.run())
        await until(lambda: run.progress.finished >= 3)
        await api.close()
        await running
    assert run.progress.state == "stopped"
    assert run.failures()["reason"].str.contains("closed").any()
    check_ledgers_agree(sim, library)


async def test_failing_callback_does_not_end_the_run(
    sim: Simulator, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Progress) -> None:
        raise RuntimeError("a mistake in the callback")

    async with experiment(sim, library, plan()) as run:
        await run.run(broken)
    assert states(run) == {"done": 4}
    assert "a mistake in the callback" in caplog.text


# --- in a notebook -------------------------------------------------------------------------


def test_session_runs_an_experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    simulator = Simulator(speed=3000, seconds=(1.0, 1.2))
    disable_files(simulator)
    api = mnb.connect(simulator=simulator, library=tmp_path / "library")
    try:
        run = api.experiment("harbour", plan(), budget=4 * PRICE)
        assert "Dry run" in run._repr_html_()
        assert "not started" in repr(run)
        assert not simulator.request_log.posts
        with pytest.raises(errors.MusicAPIError, match="not started"):
            run.result()
        job = run.start()
        run.pause()
        assert run.start() is job
        run.resume()
        assert run.result(60) is run.experiment
        assert "4 done" in run._repr_html_()
        assert "4 done" in repr(job)
        assert len(run.songs()) == 8
        assert (len(run.tags()) > 0, len(run.durations()), len(run.failures())) == (True, 8, 0)
        assert run.frame()["state"].eq("done").all()
        assert run.replaced_tags().columns[:3].tolist() == ["cell", "block", "take"]
        again = api.experiment("harbour", plan(repeats=2), budget=4 * PRICE)
        again.start()
        again.cancel()
        assert again.result(60).progress.spent == 4 * PRICE
        assert len(simulator.request_log.paid) == 4
        with pytest.raises(errors.OverBudget):
            api.experiment("other", plan(repeats=2), budget=1).start()
    finally:
        api.close()


def test_experiment_without_library_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUSICAPI_KEY", raising=False)
    api = mnb.connect(simulator=Simulator())
    try:
        with pytest.raises(errors.InvalidArgument, match="An experiment needs a library"):
            api.experiment("harbour", plan())
    finally:
        api.close()


# --- display -------------------------------------------------------------------------------


async def test_card_has_counts_credits_and_advice(sim: Simulator, library: Library) -> None:
    sim.faults.arm("lost_reply")
    async with experiment(sim, library, plan(2), budget=4 * PRICE) as run:
        assert "Nothing is sent until you start it" in run._repr_html_()
        await run.run()
    html = run._repr_html_()
    for text in (
        "1 uncertain",
        "3 done",
        "4 not sent",
        "round 2 of 2",
        "budget of 80: 60 spent, 20 on hold, 0 left",
        "do not cover round 2",
        "run.failures() says how to settle",
    ):
        assert text in html
    assert "3 done" in repr(run)


async def test_hostile_levels_and_names_are_escaped(sim: Simulator, library: Library) -> None:
    bad = "<script>alert(1)</script>"
    design = plan(factors={"style": [bad, '"><img src=x onerror=alert(1)>'], "mv": ["sonic-v5"]})
    sim.faults.arm("refused_content", times=None)
    run = await run_to_end(sim, library, design, name=bad)
    for html in (run._repr_html_(), design._repr_html_()):
        assert "<script" not in html
        assert "<img" not in html
    assert run.failures()["style"].tolist().count(bad) == 1
