"""Songs of every kind of source, with their tasks, factor levels and library."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.library import Library
from musicapi_nb.simulator import Simulator
from musicapi_nb.widgets.gallery import gallery
from musicapi_nb.widgets.songs_of import read_levels, songs_of
from tests.library.helpers import FAILED, acknowledged, buy, looked, song
from tests.test_gallery import finished_tasks


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "shelf") as library:
        yield library


def titles_of(source: Any) -> list[str]:
    return [item.title for item in songs_of(source).items]


def test_every_source_of_songs_is_accepted(tmp_path: Path) -> None:
    two = finished_tasks(2)
    titles = ["Song 0a", "Song 0b", "Song 1a", "Song 1b"]
    raw = [task.raw for task in two]
    sources = (two, iter(two), raw, json.dumps(raw[0]).encode(), two[0].songs, two[0].songs[0])
    for source in sources:
        shown_titles = titles_of(source)
        assert shown_titles == titles[: len(shown_titles)]
        assert shown_titles
    (tmp_path / "r.ndjson").write_text("\n".join(map(json.dumps, raw)), encoding="utf-8")
    assert titles_of(str(tmp_path / "r.ndjson")) == titles
    assert titles_of([]) == []
    assert titles_of([two[0].songs, [two[1]]]) == titles
    for wrong_type in (3, None, [3], {"a": 3}.items()):
        with pytest.raises(InvalidArgument, match="songs come from"):
            songs_of(wrong_type)


def test_frame_rows_select_songs_of_library(library: Library) -> None:
    requests = [song("one"), song("two")]
    for number, request in enumerate(requests):
        entry = buy(library, request, f"t{number}").entry.id
        library.record_poll(entry, looked(acknowledged(request, f"t{number}")))
    frame = mnb.songs_frame(library)
    frame.insert(0, "style", ["jazz", "jazz", "folk", None])
    rows = songs_of(frame.iloc[1:], library)
    assert [item.song.position for item in rows.items] == [1, 0, 1]
    assert rows.factors == {"style": ("jazz", "folk", "(none)")}
    with pytest.raises(InvalidArgument, match="no open session has the songs of this table"):
        songs_of(frame)
    assert songs_of(frame[:0]).items == ()
    with pytest.raises(InvalidArgument, match=r"songs is a dask DataFrame, .*call \.compute\(\)"):
        songs_of(dd.from_pandas(frame, npartitions=1), library)
    with pytest.raises(InvalidArgument, match="columns task_id and song_position"):
        songs_of(frame.drop(columns="task_id"), library=library)
    with pytest.raises(InvalidArgument, match="has no song 7 of task 't0'"):
        songs_of(frame.assign(task_id="t0", song_position=7), library=library)


def test_tasks_without_songs_have_a_placeholder_or_are_counted() -> None:
    failed = looked(acknowledged(song(), "t8"), FAILED)
    pending = acknowledged(song(), "t9")
    collection = songs_of([failed, pending])
    states = [(item.song.state, item.song.fail_reason) for item in collection.items]
    assert states == [("failed", "no luck"), ("pending", None)]
    persona = looked(acknowledged(song()), {"code": 200, "persona_id": "p1"})
    assert (songs_of(persona).items, songs_of(persona).without_songs) == ((), 1)


def test_jobs_galleries_and_experiments_keep_their_factors(tmp_path: Path) -> None:
    simulator = Simulator(seconds=(1, 1.2), speed=600, seed=1)
    api = mnb.connect(simulator=simulator, library=tmp_path / "l")
    base = {"custom_mode": False, "mv": "sonic-v5", "gpt_description_prompt": "{style} rain"}
    plan = mnb.Plan.grid(sonic.Create, base=base, factors={"style": ["jazz", None]})
    run = api.experiment("harbour", plan)
    job = run.start()
    job.result()
    song_job = api.run(song())
    song_job.result()

    collection = songs_of(run)
    assert collection.experiment is run.experiment
    assert (collection.name, collection.refreshable) == ("experiment harbour", True)
    assert {(item.levels["style"], item.block) for item in collection.items} == {
        ("jazz", "block 1"),
        ("(none)", "block 1"),
    }
    for source in (run.experiment, job, gallery(run), collection):
        assert songs_of(source).items == collection.items
        assert songs_of(source).library is api.library
    mixed = songs_of([run, song_job])
    assert len(mixed.items) == 6
    assert mixed.factors == {"style": ("jazz", "(none)")}
    assert mixed.library is api.library
    assert len(songs_of(api.library).items) == 6
    api.close()


def test_runs_jobs_and_songs_are_accepted_wherever_songs_are(tmp_path: Path) -> None:
    """One experiment on one simulator: frames, analyses, gallery and export of each source."""
    simulator = Simulator(seconds=(1, 1.2), speed=600, seed=1)
    api = mnb.connect(simulator=simulator, library=tmp_path / "l")
    base = {"custom_mode": True, "mv": "sonic-v5", "title": "Rain", "prompt": "[Verse] la"}
    factors = {"tags": ["slow jazz, spy", "folk, banjo"]}
    plan = mnb.Plan.grid(sonic.Create, base=base, factors=factors, repeats=2)
    run = api.experiment("rain", plan)
    library = api.library
    assert library is not None
    job = run.start()
    job.result()
    assert (job.state, len(job.songs), len(run.tasks())) == ("ready", 8, 4)
    rated = run.tasks()[0].songs[0]
    library.rate(rated, 5, note="warm")

    songs = run.songs()
    assert songs["rating"].tolist()[0] == 5
    assert songs["rating"].isna().sum() == 7
    assert run.ratings()[["cell", "tags", "rating", "note"]].to_numpy().tolist() == [
        [0, "slow jazz, spy", 5, "warm"]
    ]
    pd.testing.assert_frame_equal(mnb.ratings_frame(run), run.ratings())
    for source in (run, run.experiment, job):
        pd.testing.assert_frame_equal(mnb.songs_frame(source), songs)
        pd.testing.assert_frame_equal(mnb.flatten(source).tags, run.tags())
    assert mnb.tasks_frame(run)["tags"].tolist() == run.frame()["tags"].tolist()
    plain = mnb.songs_frame(run.tasks())
    for jobs in ([run], [job], run.tasks(), job.songs, list(job.songs), library):
        pd.testing.assert_frame_equal(
            mnb.songs_frame(jobs)[["task_id", "song_id", "requested_tags", "song_position"]],
            plain[["task_id", "song_id", "requested_tags", "song_position"]],
        )
    # songs of one task may be apart, and beside their task
    assert len(mnb.songs_frame([*job.songs[::2], *job.songs[1::2]])) == 8

    pd.testing.assert_frame_equal(mnb.adherence(run), mnb.adherence(songs, run.tags()))
    pd.testing.assert_frame_equal(
        run.effects("tags", presence=["jazz"]),
        mnb.effects(songs, "tags", tags=run.tags(), presence=["jazz"]),
    )
    by_cell = mnb.effects(run, "tags", outcomes=[("credits", "songs")])
    pd.testing.assert_frame_equal(
        by_cell, mnb.effects(run.frame(), "tags", outcomes=[("credits", "songs")])
    )
    for analyse in (mnb.tag_fates, mnb.near_misses, mnb.tag_counts, mnb.cooccurrence):
        assert len(analyse(run)) == len(analyse(library))
    assert mnb.drift(library, ["duration"])["tasks"].sum() == 4
    assert mnb.variance(job.songs)["songs"].item() == 8
    assert mnb.stability(run, by="tags")["songs"].sum() == 8
    with pytest.raises(InvalidArgument, match="needs its table of tags"):
        mnb.adherence(songs)

    # rows of a table, and songs alone, belong to the open session that holds them
    assert [item.song for item in songs_of(songs[songs.rating >= 4]).items] == [rated]
    for selected in (songs[songs.rating >= 4], rated, [rated], run.tasks()):
        assert songs_of(selected).library is library
    assert len(mnb.export(tmp_path / "out", job.songs).songs) == 8
    api.close()
    assert songs_of(rated).library is None
    with pytest.raises(InvalidArgument, match="no open session has the songs"):
        songs_of(songs)


def test_levels_that_begin_alike_stay_apart() -> None:
    lyrics = [f"[Verse] {'rain ' * 40}{end}" for end in ("a", "b")]
    plan = mnb.Plan.grid(
        sonic.Create,
        base={"custom_mode": True, "tags": "jazz"},
        factors={"prompt": lyrics, "duration": [30, None]},
    )
    factors, levels = read_levels(plan)
    first, second = factors["prompt"]
    assert second == f"{first} (2)"
    assert len(first) < 130
    assert factors["duration"] == ("30", "(none)")
    for cell, texts in zip(plan.cells, levels, strict=True):
        assert texts["prompt"] == (first, second)[lyrics.index(cell.levels["prompt"])]
        assert texts["duration"] == ("30" if cell.levels["duration"] else "(none)")
