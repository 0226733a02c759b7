"""Sets, dicts, asyncio, `with`, addresses and worker processes take what the package returns."""

import asyncio
import concurrent.futures
import multiprocessing
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
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


# --- pickle ----------------------------------------------------------------------------------

TASK = tasks.parse_submit_reply({"message": "success", "task_id": "t1"}, REQUESTS[1])
ERRORS: list[errors.MusicAPIError] = [
    errors.MusicAPIError("x", status=500, request_id="r", body={"a": 1}, may_have_cost=True),
    errors.InvalidRequest("sonic.Create", [Problem("mv", "is wrong")]),
    errors.InvalidPlan({Problem("mv", "is wrong"): (0, 1, 2)}),
    errors.TaskFailed("it failed", refunded=True, status=500),
    errors.UncertainPurchase("lost", entry=7),
    errors.WaitTimeout("late", task=TASK),
    errors.MissingExtra("fsspec", "upload"),
    errors.RateLimited("slow"),
]


def test_every_class_of_errors_survives_pickle() -> None:
    classes: list[Any] = [value for value in vars(errors).values() if isinstance(value, type)]
    for cls in classes:
        if not issubclass(cls, errors.MusicAPIError):
            continue
        error = cls.__new__(cls, "what happened")
        errors.MusicAPIError.__init__(error, "what happened", status=418)
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
        assert (type(copy), copy.args, vars(copy)) == (cls, error.args, vars(error))


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_survives_pickle(error: errors.MusicAPIError) -> None:
    error.retry_after = 3.0
    error.add_note("a note")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - made here
        assert type(copy) is type(error)
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)


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
