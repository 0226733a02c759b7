"""Songs bought without a library are adopted into one, over real HTTP: nothing is bought."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.client import MusicAPI
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.library import Library
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import EmbeddedSimulator, Simulator
from musicapi_nb.tasks import Task
from tests.raw_http_server import KEY

RAIN = sonic.Create(mv="sonic-v6", custom_mode=False, gpt_description_prompt="rain on tin")
SNOW = sonic.Create(mv="sonic-v6", custom_mode=False, gpt_description_prompt="snow on tin")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with EmbeddedSimulator(Simulator(speed=4000, seconds=(1, 1.2))) as running:
        yield running


@pytest.fixture(scope="module")
def bought(simulator: Simulator) -> list[Task]:
    """Two tasks that were bought without a library."""
    with mnb.connect(simulator=simulator.url, library=False) as elsewhere:
        jobs = [elsewhere.run(request) for request in (RAIN, SNOW)]
        return [job.result() for job in jobs]


@pytest.fixture
def api(simulator: Simulator, bought: list[Task], tmp_path: Path) -> Iterator[Session]:
    assert bought
    with mnb.connect(simulator=simulator.url, library=tmp_path / "library") as session:
        yield session


def library_of(api: Session) -> Library:
    assert api.library is not None
    return api.library


def test_ids_become_songs_with_files_and_nothing_is_bought(
    api: Session, simulator: Simulator, bought: list[Task]
) -> None:
    posts = len(simulator.request_log.posts)
    simulator.faults.arm("dead_link")  # until its task is polled again
    ids = [f"sonic:{bought[0].id}", str(bought[1].id), "no-such-task", "sonic:.."]
    adoption = api.adopt(ids, engine="sonic").result()
    assert (adoption.new, adoption.missing_files) == (2, 0)
    assert [issue.task_id for issue in adoption.issues] == ["no-such-task", ".."]
    library = library_of(api)
    songs = [song for task in library.tasks() for song in task.songs]
    assert [song.id for song in songs] == [song.id for task in bought for song in task.songs]
    assert all(song.simulated and library.file_of(song) for song in songs)
    assert library.account(simulated=True) == library.account()
    assert api.songs(1)[0].id == bought[1].songs[0].id

    polls = simulator.request_log.count("GET", "/task/")
    again = api.adopt(ids[:2], engine="sonic").result()
    assert (again.new, again.updated, again.unchanged) == (0, 0, 2)
    assert simulator.request_log.count("GET", "/task/") == polls
    assert len(simulator.request_log.posts) == posts


def test_a_request_whose_reply_was_adopted_is_bought_once(
    api: Session, simulator: Simulator, bought: list[Task]
) -> None:
    """A reply does not prove which request made it, so the request counts as not bought."""
    posts = len(simulator.request_log.posts)
    api.adopt(bought).result()
    first = api.run(RAIN).result()
    assert len(simulator.request_log.posts) == posts + 1
    assert first.id != bought[0].id
    api.adopt(f"sonic:{first.id}").result()
    assert api.run(RAIN).result().id == first.id
    assert len(simulator.request_log.posts) == posts + 1
    assert str(library_of(api).account(simulated=True)) == "20 credits spent"


def test_replies_in_a_file_get_their_files_and_missing_ones_come_later(
    api: Session, simulator: Simulator, bought: list[Task], tmp_path: Path
) -> None:
    file = tmp_path / "replies.ndjson"
    file.write_text(
        "\n".join(json.dumps({**task.raw, "task_id": task.id}) for task in bought), encoding="utf-8"
    )
    fault = simulator.faults.arm("media_error", times=None)
    adoption = api.adopt(file).result()
    assert (adoption.new, adoption.missing_files) == (2, 8)
    assert "8 files could not be downloaded" in repr(adoption)
    simulator.faults.disarm(fault)
    api.resume().result()
    assert library_of(api).missing_files() == []
    assert api.adopt(file).result().unchanged == 2


async def test_the_plain_client_waits_for_an_unfinished_task(
    simulator: Simulator, tmp_path: Path
) -> None:
    async with MusicAPI(KEY, base_url=simulator.url, speed=4000, simulated=True) as elsewhere:
        task = await elsewhere.submit(RAIN)
        with pytest.raises(InvalidArgument, match="needs a ledger"):
            await elsewhere.adopt(task)
    with Library(tmp_path) as library:
        async with MusicAPI(
            KEY, base_url=simulator.url, speed=4000, simulated=True, ledger=library
        ) as client:
            adoption = await client.adopt(task)
            assert (adoption.new, adoption.missing_files) == (1, 0)
            assert [entry.state for entry in library.entries()] == ["done"]
            with pytest.raises(InvalidArgument, match="needs an engine"):
                await client.adopt(str(task.id))


def test_after_a_merge_nothing_that_either_bought_is_bought_again(
    simulator: Simulator, tmp_path: Path
) -> None:
    requests = {
        name: sonic.Create(mv="sonic-v6", custom_mode=False, gpt_description_prompt=name)
        for name in ("only here", "both", "only there")
    }
    songs: dict[tuple[str, str], list[str | None]] = {}
    for folder, names in (("here", ("only here", "both")), ("there", ("both", "only there"))):
        with mnb.connect(simulator=simulator.url, library=tmp_path / folder) as session:
            jobs = {name: session.run(requests[name]) for name in names}
            for name, job in jobs.items():
                songs[folder, name] = [song.id for song in job.result().songs]
    posts = len(simulator.request_log.posts)
    with mnb.connect(simulator=simulator.url, library=tmp_path / "here") as api:
        merge = library_of(api).merge(tmp_path / "there")
        assert (merge.new, merge.files, merge.missing_files) == (2, 8, 0)
        bought = {name: api.run(request).result() for name, request in requests.items()}
        again = api.run(requests["both"], take=2).result()
        ids = {name: [song.id for song in task.songs] for name, task in bought.items()}
        assert ids["only there"] == songs["there", "only there"]
        assert (ids["only here"], ids["both"]) == (
            songs["here", "only here"],
            songs["here", "both"],
        )
        assert [song.id for song in again.songs] == songs["there", "both"]
        assert str(library_of(api).account(simulated=True)) == "80 credits spent"
        assert library_of(api).missing_files() == []
    assert len(simulator.request_log.posts) == posts


def test_an_experiment_of_a_merged_library_buys_nothing(
    simulator: Simulator, tmp_path: Path
) -> None:
    base = {"mv": "sonic-v6", "custom_mode": False, "gpt_description_prompt": "{weather}"}
    plan = mnb.Plan.grid(sonic.Create, base=base, factors={"weather": ["hail", "fog"]})
    hail = plan.cells[0].request
    with mnb.connect(simulator=simulator.url, library=tmp_path / "there") as elsewhere:
        elsewhere.experiment("weather", plan, budget=100).start().result()
    with mnb.connect(simulator=simulator.url, library=tmp_path / "here") as api:
        own = api.run(hail).result()
        library_of(api).merge(tmp_path / "there")
        posts = len(simulator.request_log.posts)
        run = api.experiment("weather", plan, budget=100)
        run.start().result()
        assert len(simulator.request_log.posts) == posts
        assert [task.state for task in run.tasks()] == ["succeeded"] * 2
        assert own.id in {task.id for task in run.tasks()}
        assert str(library_of(api).account(simulated=True)) == "60 credits spent"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nonsense", "needs an engine: engine='sonic', or 'sonic:nonsense'"),
        (["sonik:abc"], "'sonik:abc' is not one of lyrics, nuro, producer"),
        (mnb.songs_frame([]), "is a DataFrame"),
    ],
)
def test_unknown_source_is_an_error(api: Session, source: object, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        api.adopt(source).result()
    with pytest.raises(InvalidArgument, match="engine='account' is not one of"):
        api.adopt("abc", engine="account").result()
