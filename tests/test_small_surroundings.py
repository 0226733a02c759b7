"""Sets, dicts, asyncio, `with`, addresses and worker processes take what the package returns."""

import asyncio
import concurrent.futures
import copy
import multiprocessing
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import musicapi_nb as mnb
from musicapi_nb import errors, lyrics, nuro, producer, sonic, tasks
from musicapi_nb.engines import Request
from musicapi_nb.errors import Problem
from musicapi_nb.library import Library
from musicapi_nb.notebook.session import Session
from musicapi_nb.tasks import Song, Task
from tests.exports.songs import add

BEAT = nuro.Instrumental(description="rain", duration=30)
REQUESTS: list[Request] = [
    BEAT,
    sonic.Create(custom_mode=True, mv="sonic-v6", prompt="la", extra={"new": [1, {"x": 2}]}),
    sonic.Mashup(mashup_clip_ids=["a", "b"]),
    nuro.Instrumental(segments=[nuro.Segment(name="intro", duration=10)]),
    producer.Create(sound="rain"),
    lyrics.Make(description="rain"),
]


@pytest.fixture
def session() -> Iterator[Session]:
    session = mnb.connect()
    yield session
    session.close()


# --- sets and dicts --------------------------------------------------------------------------


@pytest.mark.parametrize("request_", REQUESTS, ids=range(6))
def test_equal_requests_are_one_key(request_: Request) -> None:
    again = msgspec.structs.replace(request_)
    assert again is not request_
    assert {request_: 1}[again] == 1
    assert len({request_, again, sonic.Create(custom_mode=False)}) == 2


def test_equal_numbers_are_one_key() -> None:
    first = sonic.Create(style_weight=1.0)
    second = sonic.Create(style_weight=1)
    assert first == second
    assert hash(first) == hash(second)


def test_songs_and_tasks_are_keys(tmp_path: Path) -> None:
    with Library(tmp_path / "library") as library:
        add(library, "One", "Two")
        (task,), (again,) = library.tasks(), library.tasks()
    assert len({*task.songs, *again.songs}) == 2
    assert {task: "x"}[again] == "x"
    assert len({Song(id="a"), Song(id="a", extra={"x": [1]}), Song(id="b")}) == 3


# --- asyncio ---------------------------------------------------------------------------------


async def test_task_group_takes_jobs(session: Session) -> None:
    job = session.run(BEAT)
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(job), group.create_task(job)]
        other = group.create_task(session.credits())
    assert waits[0].result() is waits[1].result()
    assert other.result().total > 0


async def test_asyncio_waits_for_jobs(session: Session) -> None:
    jobs = [session.run(BEAT, take=take) for take in (1, 2)]
    assert len({task.id for task in await asyncio.gather(*jobs, *jobs)}) == 2
    done, pending = await asyncio.wait([asyncio.create_task(job) for job in jobs])
    assert {wait.result().id for wait in done} == {job.result().id for job in jobs}
    assert not pending
    for next_task in asyncio.as_completed(jobs):
        assert (await next_task).state == "succeeded"


async def test_ended_wait_does_not_end_the_job(session: Session) -> None:
    job = session.run(BEAT)
    wait = asyncio.create_task(job)
    await asyncio.sleep(0)
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(job, 0)
    assert (await job).state == "succeeded"


async def test_failed_job_fails_its_tasks(session: Session) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(session.run(sonic.Create()))
    assert caught.group_contains(errors.InvalidRequest)


def test_job_can_be_run(session: Session) -> None:
    assert asyncio.run(session.run(BEAT)).state == "succeeded"
    with pytest.raises(RuntimeError):
        session.credits().send(None)


# --- connect ---------------------------------------------------------------------------------


def test_session_closes_at_the_end_of_a_block() -> None:
    with mnb.connect() as session:
        assert session.run(BEAT).result().state == "succeeded"
    with pytest.raises(errors.ClientClosed):
        session.credits()


@pytest.mark.parametrize("address", ["localhost:8080", "127.0.0.1:9", "api.musicapi.ai", "x"])
@pytest.mark.parametrize("argument", ["simulator", "base_url"])
def test_address_without_scheme_is_refused_before_a_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argument: str, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    settings: dict[str, Any] = {argument: address}
    with pytest.raises(errors.InvalidRequest, match=f"lacks http:// or https:// before {address}"):
        mnb.connect(key="sk-4711" if argument == "base_url" else None, **settings)
    assert list(tmp_path.iterdir()) == []


# --- wrong arguments -------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [None, 5, sonic.Create, [BEAT], {"prompt": "x"}])
def test_other_than_a_request_is_refused_before_it_is_sent(session: Session, thing: Any) -> None:
    for buy in (session.run, session._client.submit, session._client.run):
        with pytest.raises(
            errors.InvalidArgument,
            match=r"a request is needed|a request of it is sonic\.Create\(\.\.\.\)",
        ):
            asyncio.run(_await(buy(thing)))
    assert _posts(session) == []


@pytest.mark.parametrize("deadline", [None, "60", float("nan"), True, [1]])
def test_wrong_deadline_is_refused_before_anything_is_bought(
    session: Session, deadline: Any
) -> None:
    for wait in (session.run, session._client.run):
        with pytest.raises(errors.InvalidArgument, match="deadline is a number of seconds"):
            asyncio.run(_await(wait(BEAT, deadline=deadline)))
    assert _posts(session) == []
    with pytest.raises(errors.InvalidArgument, match="deadline is a number of seconds"):
        session.wait([], deadline=deadline).result()


def test_deadline_may_be_any_number(session: Session) -> None:
    number: Any = np.int64(1800)
    assert session.run(BEAT, deadline=number).result().state == "succeeded"
    assert session.run(BEAT, deadline=float("inf")).result(timeout=number).finished


async def _await(result: Any) -> Any:
    return await result


def _posts(session: Session) -> list[Any]:
    assert session.simulator is not None
    return list(session.simulator.request_log.posts)


@pytest.mark.parametrize("thing", [None, 5, "no-such", [BEAT], object()])
def test_other_than_a_task_or_song_is_refused(session: Session, thing: Any) -> None:
    for call in (session.wait, session.poll, lambda wrong: session.download(wrong, "x")):
        with pytest.raises(errors.MusicAPIError) as caught:
            call(thing).result()
        assert not caught.value.may_have_cost


@pytest.mark.parametrize("number", ["2", float("nan"), [1], 2.5])
def test_wrong_number_of_songs_or_seconds_is_refused(session: Session, number: Any) -> None:
    with pytest.raises(errors.InvalidArgument, match="last must be a number"):
        session.songs(number)
    if number != 2.5:
        with pytest.raises(errors.InvalidArgument, match="timeout is a number"):
            session.credits().result(number)


@pytest.mark.parametrize("text", ["no-such", "<html></html>", b"[1"])
def test_text_without_songs_is_an_error_of_the_gallery(text: str | bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match="no task was understood"):
        mnb.gallery(text)


@pytest.mark.parametrize("take", [10**30, 2.5, 0, "2", float("nan")])
def test_wrong_take_is_refused_before_it_is_sent(tmp_path: Path, take: Any) -> None:
    with mnb.connect(library=tmp_path) as session:
        with pytest.raises(errors.InvalidRequest, match="take: must be a whole number"):
            session.run(BEAT, take=take).result()
        assert _posts(session) == []


def test_take_of_a_column_with_gaps_is_a_take(tmp_path: Path) -> None:
    with mnb.connect(library=tmp_path) as session:
        task = session.run(BEAT, take=2.0).result()  # type: ignore[arg-type]
        assert session.run(BEAT, take=2).result().id == task.id
        assert len(_posts(session)) == 1


# --- pickle ----------------------------------------------------------------------------------

TASK = tasks.parse_submit_reply({"message": "success", "task_id": "t1"}, REQUESTS[1])
ERRORS: list[errors.MusicAPIError] = [
    errors.MusicAPIError("x", status=500, request_id="r", body={"a": 1}, may_have_cost=True),
    errors.InvalidRequest("sonic.Create", [Problem("mv", "is wrong")]),
    errors.InvalidPlan({Problem("mv", "is wrong"): (0, 1, 2)}),
    errors.TaskFailed("it failed", refunded=True, status=500),
    errors.UncertainPurchase("lost", entry=7),
    errors.WaitTimeout("late", task=TASK),
    errors.MissingExtra("fsspec is not installed"),
    errors.RateLimited("slow"),
]


def test_every_class_of_errors_survives_pickle() -> None:
    classes: list[Any] = [value for value in vars(errors).values() if isinstance(value, type)]
    for cls in classes:
        if not issubclass(cls, errors.MusicAPIError):
            continue
        error = cls.__new__(cls, "what happened")
        errors.MusicAPIError.__init__(error, "what happened", status=418)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
        assert (type(again), again.args, vars(again)) == (cls, error.args, vars(error))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_survives_pickle(error: errors.MusicAPIError) -> None:
    error.retry_after = 3.0
    error.add_note("a note")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - made here
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_live_objects_refuse_to_be_copied(tmp_path: Path) -> None:
    with mnb.connect(library=tmp_path) as session:
        for live in (session, session.library, session._client, session.run(BEAT)):
            for duplicate in (pickle.dumps, copy.deepcopy):
                with pytest.raises(errors.InvalidArgument, match="connections of this process"):
                    duplicate(live)
        assert session.run(BEAT).result().state == "succeeded"


def _work(request: Request, task: Task) -> tuple[Request, Task]:
    if request == BEAT:
        request.check()
        raise errors.UncertainPurchase("lost in a worker", entry=3)
    return request, task


def test_worker_processes_take_and_return_them() -> None:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        for request in REQUESTS[1:]:
            assert pool.submit(_work, request, TASK).result() == (request, TASK)
        with pytest.raises(errors.UncertainPurchase, match="lost in a worker") as caught:
            pool.submit(_work, BEAT, TASK).result()
    assert caught.value.entry == 3
