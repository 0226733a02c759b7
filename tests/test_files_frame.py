"""The files of songs as a table: of a library, an experiment, jobs, tasks, songs and rows."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.errors import ClientClosed
from musicapi_nb.library import Library
from musicapi_nb.notebook.experiment_run import ExperimentRun
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import Simulator

KEYS = ["task_id", "song_id", "song_position", "simulated"]
FILES = ["media", "path", "size", "sha256", "note", "missing"]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    simulator = Simulator(seconds=(1, 1.2), speed=3000)
    folder = tmp_path_factory.mktemp("files") / "library"
    with mnb.connect(simulator=simulator, library=folder) as session:
        yield session


@pytest.fixture(scope="module")
def run(api: Session) -> ExperimentRun:
    base = {"custom_mode": False, "gpt_description_prompt": "rain"}
    plan = mnb.Plan.grid(sonic.Create, base=base, factors={"mv": ["sonic-v5", "sonic-v4-5"]})
    run = api.experiment("rain", plan)
    run.start().result()
    return run


def library_of(api: Session) -> Library:
    assert api.library is not None
    return api.library


def test_a_run_has_its_factors_first(api: Session, run: ExperimentRun) -> None:
    frame = run.files()
    assert list(frame.columns) == ["cell", "block", "take", "mv", *KEYS, *FILES]
    assert frame["media"].tolist() == ["audio", "image"] * 4
    assert not frame["missing"].any()
    for row in frame.itertuples():
        path = Path(str(row.path))
        assert path.stat().st_size == row.size
        assert path.stem == row.sha256
        assert path == library_of(api).file_of(str(row.song_id), row.media)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(mnb.files_frame(run), frame)


def test_every_source_finds_the_library(api: Session, run: ExperimentRun) -> None:
    frame = run.files()[[*KEYS, *FILES]].sort_values([*KEYS, "media"], ignore_index=True)
    songs = [song for task in run.tasks() for song in task.songs]
    for source in (library_of(api), run.job, run.tasks(), songs, run.songs()):
        files = mnb.files_frame(source)[[*KEYS, *FILES]]  # type: ignore[arg-type]
        pd.testing.assert_frame_equal(files.sort_values([*KEYS, "media"], ignore_index=True), frame)
    songs_table = mnb.songs_frame(library_of(api))
    files = mnb.files_frame(songs_table)
    audio = files[files["media"] == "audio"].set_index(["task_id", "song_position"])["path"]
    joined = songs_table.join(audio, on=["task_id", "song_position"])
    assert all(Path(path).is_file() for path in joined["path"])


def test_missing_files_are_rows_and_unfinished_songs_are_not(
    api: Session, run: ExperimentRun, tmp_path: Path
) -> None:
    first = run.tasks()[0].songs[0]
    path = library_of(api).file_of(first)
    assert path is not None
    hidden = path.rename(tmp_path / "hidden.mp3")
    try:
        row = mnb.files_frame([first]).iloc[0]
    finally:
        hidden.rename(path)
    assert (row["media"], row["missing"], row["sha256"]) == ("audio", True, path.stem)
    assert pd.isna(row["path"])
    raw = {"code": 200, "data": [{"clip_id": "c", "state": "running"}, {"clip_id": "d"}]}
    assert list(mnb.files_frame(raw).columns) == [*KEYS, *FILES]
    assert mnb.files_frame(raw).empty
    finished = {"clip_id": "e", "state": "succeeded", "audio_url": "https://a.example/e.mp3"}
    rows = mnb.files_frame({"code": 200, "data": [finished]})
    assert rows[["media", "missing"]].to_numpy().tolist() == [["audio", True]]


def test_closed_library_raises_client_closed(tmp_path: Path) -> None:
    with mnb.connect(simulator=Simulator(), library=tmp_path) as api:
        run = api.experiment("rain", mnb.Plan.grid(sonic.Create, factors={"description": ["a"]}))
    for table in (run.files, run.measures):
        with pytest.raises(ClientClosed):
            table()
