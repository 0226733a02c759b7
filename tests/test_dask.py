import gzip
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import dask
import distributed
import pandas as pd
import pytest

from musicapi_nb import analysis, frames
from musicapi_nb.errors import InvalidArgument, MissingExtra, MusicAPIError
from musicapi_nb.simulator.tag_rewriting import studio_steps
from tests.replies import NAMES, STUDIO, sample
from tests.test_flatten import as_bytes


def studio_reply(number: int) -> bytes:
    """A studio reply whose tags went through the simulator's rules."""
    rng = Random(f"spread {number}")  # noqa: S311 - from a seed
    reply = sample(STUDIO)
    reply["data"]["task_id"] = f"task {number}"
    asked = rng.choice(["spy jazz, slow", "jazz, bossa nova", "rock, guitar, fast"])
    for at, song in enumerate(reply["data"]["data"]["songs"]):
        steps = studio_steps(asked, rng, first=at == 0)
        song |= {"id": f"song {number} {at}", "prompt": asked, "tags": list(steps[-1].tags)}
        song["replaced_tags"] = {
            step.source: {"tags": list(step.tags), "type": "tags"} for step in steps
        }
    return as_bytes(reply)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of all three kinds, with other engines' replies and broken ones among them."""
    made = tmp_path_factory.mktemp("replies")
    portions = [[studio_reply(number) for number in range(at, at + 30)] for at in (0, 30, 60)]
    portions[0] += [as_bytes(sample(name)) for name in NAMES if name != STUDIO]
    portions[1] += [b"{cut off", b"<html>busy</html>"]
    (made / "a.ndjson").write_bytes(b"\n".join(portions[0]))
    (made / "b.NDJSON.gz").write_bytes(gzip.compress(b"\n".join(portions[1])))
    frames.write_parquet(frames.flatten([]), made / "c", raw=portions[2])
    (made / "c" / "replies.parquet").rename(made / "c.parquet")
    (made / "d.ndjson").touch()
    (made / "notes.txt").write_text("none of them")
    return made


@pytest.fixture(scope="module")
def local(folder: Path) -> frames.Frames:
    return frames.flatten([folder / name for name in ("a.ndjson", "b.NDJSON.gz", "c.parquet")])


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.Client]:
    """Two processes."""
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as two,
        distributed.Client(two) as client,
    ):
        yield client


@pytest.mark.usefixtures("cluster")
def test_frames_from_two_processes_are_the_local_ones(folder: Path, local: frames.Frames) -> None:
    spread = frames.dask_frames(folder)
    for name, made in spread._asdict().items():
        assert made.npartitions == 4
        found = made.compute().reset_index(drop=True)
        pd.testing.assert_frame_equal(found, getattr(local, name), obj=name)


@pytest.mark.usefixtures("cluster")
def test_analyses_that_reduce_find_the_same(folder: Path, local: frames.Frames) -> None:
    spread = frames.dask_frames(str(folder))
    here, there = (made.songs[made.songs["engine"] == "studio"] for made in (local, spread))
    tags, far = (made.tags.dropna(subset=["task_id"]) for made in (local, spread))
    for found, wanted in (
        (analysis.tag_counts(far), analysis.tag_counts(tags)),
        (analysis.cooccurrence(far), analysis.cooccurrence(tags)),
        (
            analysis.adherence(there, far, requested="prompt", by="prompt"),
            analysis.adherence(here, tags, requested="prompt", by="prompt"),
        ),
        (analysis.substitutions(spread.replaced_tags), analysis.substitutions(local.replaced_tags)),
    ):
        pd.testing.assert_frame_equal(found, wanted)
    pd.testing.assert_series_equal(
        analysis.exclusive_sets(far, top=4), analysis.exclusive_sets(tags, top=4)
    )


def test_nothing_is_read_before_it_is_asked_for(folder: Path) -> None:
    spread = frames.dask_frames([folder / "a.ndjson"])
    assert list(spread.songs.columns) == list(frames.songs_frame([]).columns)
    assert spread.songs.npartitions == 1


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file of replies"):
        frames.dask_frames(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"absent\.ndjson"):
        frames.dask_frames([tmp_path / "absent.ndjson"])
    with pytest.raises(InvalidArgument, match="expected a path"):
        frames.dask_frames(5)  # type: ignore[arg-type]


def test_without_dask_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['dask'] = None\n"
        "import musicapi_nb as mnb\n"
        f"mnb.dask_frames({str(tmp_path)!r})\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'musicapi_nb[scale]'" in said.stderr
    assert issubclass(MissingExtra, MusicAPIError)
    assert issubclass(MissingExtra, ImportError)
