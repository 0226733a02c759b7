"""Hooks are called once for what ends, and none of their faults costs a song."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import musicapi_nb as mnb
from musicapi_nb import errors, sonic
from musicapi_nb.engines import Request
from musicapi_nb.notebook import Session
from musicapi_nb.plan import Plan
from musicapi_nb.simulator import Simulator

PLAN = Plan.grid(sonic.Create, factors={"description": ["rain", "snow", "sun"]}, repeats=2)


@pytest.fixture
def calls() -> list[tuple[Any, ...]]:
    return []


@pytest.fixture
def api(tmp_path: Path, calls: list[tuple[Any, ...]]) -> Iterator[Session]:
    async def on_task(task: mnb.Task) -> None:
        calls.append(("task", task.id))

    def on_failure(request: Request, error: errors.MusicAPIError) -> None:
        calls.append(("failure", type(request), type(error)))

    session = mnb.connect(
        simulator=Simulator(speed=3000, balance=100_000, seconds=(1.0, 1.2)),
        library=tmp_path / "library",
        spend_limit=150,
        on_task=on_task,
        on_failure=on_failure,
        on_budget=lambda message: calls.append(("budget", message)),
    )
    with session:
        assert session.simulator is not None
        session.simulator.faults.arm("wrong_type_download", times=None)
        yield session


def test_a_session_calls_its_hooks(api: Session, calls: list[tuple[Any, ...]]) -> None:
    assert api.simulator is not None
    task = api.run("rain").result()
    assert calls == [("task", task.id)]
    api.simulator.faults.arm("task_fails")
    api.run("snow").result()
    api.simulator.faults.arm("lost_reply")
    with pytest.raises(errors.LostReply):
        api.run("sun").result()
    assert calls[1:] == [
        ("failure", sonic.Create, errors.TaskFailed),
        ("failure", sonic.Create, errors.LostReply),
    ]


def test_experiment_without_hooks_calls_the_hooks_of_its_session(
    api: Session, calls: list[tuple[Any, ...]]
) -> None:
    run = api.experiment("weather", PLAN, budget=80)
    run.start().result()
    kinds = [call[0] for call in calls]
    assert kinds == ["task"] * 3 + ["budget"]
    assert calls[-1][1] == run.progress.stop_reason
    assert {call[1] for call in calls[:3]} == {task.id for task in run.tasks()}


def test_experiment_hooks_replace_session_hooks(api: Session, calls: list[tuple[Any, ...]]) -> None:
    songs: list[mnb.Task] = []
    api.experiment("weather", PLAN, budget=60, on_task=songs.append).start().result()
    assert (len(songs), calls) == (3, [])


@pytest.mark.parametrize("fault", [ValueError("faulty"), SystemExit(1)])
def test_a_faulty_hook_costs_no_song(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: BaseException
) -> None:
    def on_task(_: mnb.Task) -> None:
        raise fault

    simulator = Simulator(speed=3000, balance=1000, seconds=(1.0, 1.2))
    with (
        caplog.at_level(logging.ERROR, "musicapi_nb.client.hooks"),
        mnb.connect(simulator=simulator, library=tmp_path / "library", on_task=on_task) as api,
    ):
        simulator.faults.arm("wrong_type_download", times=None)
        run = api.experiment("weather", PLAN).start().result()
        assert run.progress.counts == {"done": 6}
        assert len(api.run("rain", take=3).result().songs) == 2
    assert len(simulator.request_log.posts) == 7
    records = [record for record in caplog.records if record.name == "musicapi_nb.client.hooks"]
    assert len(records) == 7
    assert [bool(record.exc_info) for record in records] == [True] + [False] * 6


def test_non_function_is_refused() -> None:
    with pytest.raises(errors.InvalidArgument, match="on_task"):
        mnb.connect(on_task="print")  # type: ignore[arg-type]
