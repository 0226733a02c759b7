"""Measured values as columns of tables, and as outcomes of analyses, over one experiment."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.measures import rename_measured
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library import Library, Measure, Measurement
from musicapi_nb.library.measurements import dtypes_of
from musicapi_nb.measures.song_sounds import song_table
from musicapi_nb.notebook.experiment_run import ExperimentRun
from musicapi_nb.notebook.session import Session
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Song
from musicapi_nb.widgets.songs_of import SongCollection, songs_of
from tests.library.test_measurements import add_sound
from tests.measured_functions import size
from tests.test_experiment import disable_files

KEYS = ["task_id", "song_id", "song_position", "simulated"]
LEAD = ["cell", "block", "take", "bpm", "mv"]


class Story(NamedTuple):
    api: Session
    library: Library
    run: ExperimentRun
    songs: list[Song]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Run an experiment, and store measurements of all of its songs but the last."""
    simulator = Simulator(seconds=(1, 1.2), speed=3000, seed=1)
    disable_files(simulator)
    api = mnb.connect(simulator=simulator, library=tmp_path_factory.mktemp("measures") / "l")
    base = {"custom_mode": False, "gpt_description_prompt": "{bpm} bpm, rain"}
    factors = {"bpm": [60, 90, 120], "mv": ["sonic-v5", "sonic-v4-5"]}
    run = api.experiment(
        "tempi", mnb.Plan.grid(sonic.Create, base=base, factors=factors, repeats=2)
    )
    run.start().result()
    library = api.library
    assert library is not None
    songs = [song for task in run.tasks() for song in task.songs]
    bpm = run.songs()["bpm"].tolist()
    for index, song in enumerate(songs[:-1]):
        values = {"tempo": bpm[index] + index % 3, "key": "A minor", "vocal": index % 2 == 0}
        store(library, song, values, f"sound {index}")
    yield Story(api, library, run, songs)
    api.close()


def store(library: Library, song: Song, values: dict[str, Any], content: str) -> None:
    name = add_sound(library, song, content.encode())
    measure = Measure("sound", "1", dtypes_of(values))
    library.use_measure(measure)
    library.store_measurements(measure, [Measurement(name, values)])


def test_run_has_its_factors_first_and_the_measures_last(story: Story) -> None:
    frame = story.run.measures()
    assert list(frame.columns) == [*LEAD, *KEYS, "tempo", "key", "vocal"]
    pd.testing.assert_frame_equal(frame[[*LEAD, *KEYS]], story.run.songs()[[*LEAD, *KEYS]])
    dtypes = frame.dtypes[["bpm", "tempo", "key", "vocal"]].tolist()
    assert dtypes == ["Int64", "Int64", TEXT, "boolean"]
    assert len(frame) == 24
    assert frame[["tempo", "key", "vocal"]].isna().sum().tolist() == [1, 1, 1]
    assert frame["tempo"].isna().iloc[-1]
    assert story.run.job is not None
    for source in (story.run, story.run.experiment, story.run.job):
        pd.testing.assert_frame_equal(mnb.measures_frame(source), frame)


def test_every_source_finds_the_library(story: Story) -> None:
    frame = story.run.measures().drop(columns=LEAD)
    for source in (story.library, story.run.tasks(), story.songs):
        pd.testing.assert_frame_equal(
            mnb.measures_frame(source).sort_values(KEYS, ignore_index=True),
            frame.sort_values(KEYS, ignore_index=True),
        )
    rows = story.run.songs().iloc[5:9]
    selected = story.run.measures().iloc[5:9].reset_index(drop=True)
    pd.testing.assert_frame_equal(mnb.measures_frame(rows), selected)
    without_factors = mnb.measures_frame(rows[["song_position", "song_id", "task_id", "simulated"]])
    pd.testing.assert_frame_equal(without_factors, selected.drop(columns=LEAD))


def test_without_library_or_rows_there_are_no_measures(story: Story) -> None:
    raw = {"code": 200, "data": [{"clip_id": "c1", "duration": "104.88"}]}
    assert list(mnb.measures_frame(raw).columns) == KEYS
    empty = mnb.measures_frame(story.run.songs()[:0])
    assert list(empty.columns) == [*LEAD, *KEYS]
    assert mnb.measures_frame([]).empty
    with pytest.raises(InvalidArgument, match="this one lacks song_id"):
        mnb.measures_frame(story.run.songs().drop(columns="song_id"))


def test_measures_are_outcomes_of_analyses(story: Story) -> None:
    effects = story.run.effects("bpm", outcomes=["tempo", "duration", "vocal"])
    tempo = effects[effects["outcome"] == "tempo"]
    joined = story.run.songs().merge(story.run.measures(), on=[*LEAD, *KEYS])
    by_hand = mnb.effects(joined, "bpm", outcomes=["tempo", "duration", "vocal"], factors=["mv"])
    pd.testing.assert_frame_equal(effects, by_hand)
    assert tempo["estimate"].dropna().round(0).tolist() == [30, 60]
    assert set(tempo["tasks"].dropna()) == {4}
    slope = mnb.dose_response(story.run, "bpm", outcomes=["tempo"])
    assert np.isclose(slope["slope"].iloc[0], 1, atol=0.05)
    assert "tempo" in set(mnb.variance(story.run, outcomes="tempo", within=["bpm"])["outcome"])
    assert set(mnb.drift(story.run, ["tempo", "duration"])["outcome"]) == {"tempo", "duration"}
    models = mnb.effects(story.library, "song_position", outcomes="tempo")  # of songs_frame
    assert set(models["outcome"]) == {"tempo"}


def test_requests_of_every_source_are_compared_with_the_measures(story: Story) -> None:
    matches = mnb.sound_matches(story.run)
    assert list(matches.columns[:9]) == [*LEAD, *KEYS[:3], "requested_tempo"]
    assert matches["requested_tempo"].tolist() == matches["bpm"].tolist()
    followed = matches["tempo_followed"]
    assert followed[:-1].all()
    assert followed.isna().tolist() == [*[False] * 23, True]
    assert matches.attrs["songs_left_out"] == 0
    (row,) = mnb.sound_adherence(story.run).to_dict("records")
    assert (row["property"], row["songs"], row["unknown"]) == ("tempo", 23, 1)
    assert row["followed"] == 1
    assert row["chance"] == pytest.approx(1 / 3, abs=0.02)
    levels = mnb.sound_adherence(story.run, by=["bpm", "mv"])
    assert levels[["bpm", "mv"]].drop_duplicates().shape == (6, 2)
    for source in (story.library, story.run.tasks(), iter(story.songs)):
        (other,) = mnb.sound_adherence(source).to_dict("records")
        assert (other["songs"], other["unknown"]) == (23, 1)


def test_factors_named_like_columns_of_measures_stay(story: Story) -> None:
    songs = story.run.songs().iloc[:4]
    names = {"bpm": "issue", "mv": "likeness", "block": "other_title", "take": "_profile"}
    songs = songs.rename(columns=names)
    for table in (
        mnb.measure(songs, size, name="size", workers=1, progress=False),
        mnb.likeness(songs, workers=1, progress=False),
        mnb.sung_lyrics(songs.rename(columns={"likeness": "sung_share"})),
    ):
        assert table.columns.is_unique
        assert table.iloc[0, 1:5].tolist() == songs.iloc[0, 1:5].tolist()
        assert table.columns[-1] == "issue_measured"


def test_names_of_measures_differ_from_all_others() -> None:
    measured = pd.DataFrame({"fx": [1], "fx_measured": [2], "mood": [3]})
    renamed = rename_measured(measured, ["fx", "fx_measured_measured"])
    assert list(renamed) == ["fx_measured_measured_measured", "fx_measured", "mood"]


@pytest.mark.parametrize("read", [mnb.measures_frame, mnb.files_frame, mnb.sung_lyrics])
def test_table_with_two_columns_of_one_name_is_refused(
    story: Story, read: Callable[[pd.DataFrame], object]
) -> None:
    songs = mnb.songs_frame(story.songs)
    with pytest.raises(InvalidArgument, match="the table has 2 columns 'task_id'"):
        read(pd.concat([songs, songs], axis=1))


def test_lists_of_runs_may_have_factors_named_like_columns(story: Story) -> None:
    song = dataclasses.replace(songs_of(story.run).items[0], levels={"title": "a"})
    collection = SongCollection((song,), {"title": ("a",)}, story.library)
    assert list(song_table(collection, [story.run])) == ["title_requested", *KEYS, "title"]


def test_measured_column_never_replaces_a_factor(story: Story) -> None:
    measure = Measure("bpm", "1", {"bpm": "float64"})
    name = add_sound(story.library, story.songs[0], b"sound 0")
    story.library.use_measure(measure)
    story.library.store_measurements(measure, [Measurement(name, {"bpm": 61.5})])
    frame = story.run.measures()
    assert frame["bpm"].tolist() == story.run.songs()["bpm"].tolist()
    assert frame["bpm_measured"].dropna().tolist() == [61.5]
