import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import dask
import distributed
import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb import frames
from musicapi_nb.errors import InvalidArgument, MissingExtra, MusicAPIError
from musicapi_nb.simulator.tag_rewriting import studio_steps
from tests.measured_functions import size
from tests.replies import NAMES, STUDIO, sample
from tests.test_flatten import as_bytes


def studio_reply(number: int) -> bytes:
    """Return a studio reply with tags rewritten by the simulator's rules."""
    rng = Random(f"spread {number}")  # noqa: S311 - from a seed
    reply = sample(STUDIO)
    reply["data"]["task_id"] = f"task {number}"
    requested = rng.choice(["spy jazz, slow", "jazz, bossa nova", "rock, guitar, fast"])
    for index, song in enumerate(reply["data"]["data"]["songs"]):
        steps = studio_steps(requested, rng, first=index == 0)
        song |= {"id": f"song {number} {index}", "prompt": requested, "tags": list(steps[-1].tags)}
        song["replaced_tags"] = {
            step.source: {"tags": list(step.tags), "type": "tags"} for step in steps
        }
    return as_bytes(reply)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write files of all three formats, with broken replies and replies of other engines."""
    root = tmp_path_factory.mktemp("replies")
    portions = [
        [studio_reply(number) for number in range(start, start + 30)] for start in (0, 30, 60)
    ]
    portions[0] += [as_bytes(sample(name)) for name in NAMES if name != STUDIO]
    portions[1] += [b"{cut off", b"<html>busy</html>"]
    (root / "a.ndjson").write_bytes(b"\n".join(portions[0]))
    (root / "b.NDJSON.gz").write_bytes(gzip.compress(b"\n".join(portions[1])))
    frames.write_parquet(frames.flatten([]), root / "c", raw=portions[2])
    (root / "c" / "replies.parquet").rename(root / "c.parquet")
    (root / "d.ndjson").touch()
    (root / "notes.txt").write_text("not a file of replies", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def local(folder: Path) -> frames.Frames:
    return frames.flatten([folder / name for name in ("a.ndjson", "b.NDJSON.gz", "c.parquet")])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[distributed.Client]:
    """Start a cluster of two processes."""
    folder = str(tmp_path_factory.mktemp("dask"))
    with (
        dask.config.set({"distributed.worker.daemon": False, "temporary-directory": folder}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as two,
        distributed.Client(two) as client,
    ):
        yield client


@pytest.mark.usefixtures("cluster")
def test_frames_of_two_processes_equal_local_frames(folder: Path, local: frames.Frames) -> None:
    distributed_frames = frames.dask_frames(folder)
    for name, frame in distributed_frames._asdict().items():
        assert frame.npartitions == 4
        computed = frame.compute().reset_index(drop=True)
        pd.testing.assert_frame_equal(computed, getattr(local, name), obj=name)


@pytest.mark.usefixtures("cluster")
def test_reducing_analyses_give_the_local_results(folder: Path, local: frames.Frames) -> None:
    distributed_frames = frames.dask_frames(str(folder))
    local_songs, dask_songs = (
        flat.songs[flat.songs["engine"] == "studio"] for flat in (local, distributed_frames)
    )
    local_tags, dask_tags = (
        flat.tags.dropna(subset=["task_id"]) for flat in (local, distributed_frames)
    )
    for result, expected in (
        (mnb.tag_counts(dask_tags), mnb.tag_counts(local_tags)),
        (mnb.cooccurrence(dask_tags), mnb.cooccurrence(local_tags)),
        (
            mnb.adherence(dask_songs, dask_tags, requested_tags="prompt", by="prompt"),
            mnb.adherence(local_songs, local_tags, requested_tags="prompt", by="prompt"),
        ),
        (
            mnb.substitutions(distributed_frames.replaced_tags),
            mnb.substitutions(local.replaced_tags),
        ),
    ):
        pd.testing.assert_frame_equal(result, expected)
    pd.testing.assert_series_equal(
        mnb.exclusive_sets(dask_tags, top=4), mnb.exclusive_sets(local_tags, top=4)
    )


def test_files_are_read_only_when_computed(folder: Path) -> None:
    distributed_frames = frames.dask_frames([folder / "a.ndjson"])
    assert list(distributed_frames.songs.columns) == list(frames.songs_frame([]).columns)
    assert distributed_frames.songs.npartitions == 1


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file of replies"):
        frames.dask_frames(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"absent\.ndjson"):
        frames.dask_frames([tmp_path / "absent.ndjson"])
    with pytest.raises(InvalidArgument, match="expected a path"):
        frames.dask_frames(5)  # type: ignore[arg-type]


def test_missing_dask_names_the_extra(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['dask'] = None\n"
        "import musicapi_nb as mnb\n"
        f"mnb.dask_frames({str(tmp_path)!r})\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert 'dask is not installed: `pip install "musicapi_nb[scale]"`' in process.stderr
    assert issubclass(MissingExtra, MusicAPIError)
    assert issubclass(MissingExtra, ImportError)


@pytest.mark.usefixtures("cluster")
def test_files_are_measured_by_the_workers_of_a_cluster(
    cluster: distributed.Client, tmp_path: Path
) -> None:
    (tmp_path / "sounds").mkdir()
    for count in range(1, 31):
        (tmp_path / "sounds" / f"{count:02}.mp3").write_bytes(b"x" * count)

    def judge(path: Path) -> dict[str, int]:
        if size(path) == 4:
            raise ValueError("four")
        return {"size": size(path), "process": os.getpid()}

    with mnb.Library(tmp_path / "library") as library:
        table = mnb.measure(
            tmp_path / "sounds", judge, name="m", library=library, client=cluster, progress=False
        )
        assert table["m_size"].fillna(4).tolist() == list(range(1, 31))
        assert table["issue"].dropna().tolist() == ["ValueError: four"]
        assert os.getpid() not in set(table["m_process"])
        assert len(library._database.rows("SELECT * FROM measurements")) == 29
        with pytest.raises(InvalidArgument, match="a measure must return"):
            mnb.measure(
                tmp_path / "sounds", lambda _: [], name="m", library=library, client=cluster
            )
