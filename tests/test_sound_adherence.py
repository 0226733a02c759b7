"""Requested sound beside measured sound: relations, shares, medians, chance; and their sources."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb import effects, sound_adherence, sound_matches
from musicapi_nb.analysis.clustered_median import clustered_median
from musicapi_nb.analysis.sound_relations import tempo_relations
from musicapi_nb.errors import BadFrame
from musicapi_nb.tasks import Song

ROWS = (
    # style, task, tags, length, tempo, key, seconds
    ("slow", "t1", "jazz, 90 bpm, Am", 30, 91.0, "A minor", 30.1),
    ("slow", "t1", "jazz, 90 bpm, Am", 30, 180.5, "C major", 33.0),
    ("slow", "t2", "jazz, 90 bpm, Am", None, 45.0, "E minor", 33.0),
    ("slow", "t2", "jazz, 90 bpm, Am", None, 60.2, None, 33.0),
    ("fast", "t3", "rock, 140-150 bpm, C# major", None, 154.0, "Db major", None),
    ("fast", "t3", "rock, 140-150 bpm, C# major", None, None, "C# minor", 50.0),
    ("fast", "t4", "rock, 140 bpm, 150 bpm", 60, 141.0, "F minor", 60.0),
    ("fast", "t4", "rock", None, 100.0, "F minor", 60.0),
)


def songs_table() -> pd.DataFrame:
    names = ["style", "task_id", "requested_tags", "length", "tempo", "key", "seconds"]
    frame = pd.DataFrame(ROWS, columns=names)
    frame.insert(2, "song_id", [f"s{index}" for index in range(len(frame))])
    return frame


def test_relations_and_deviations_of_each_song() -> None:
    matches = sound_matches(songs_table())
    assert matches["tempo_relation"].fillna("?").tolist() == [
        *("exact", "double", "half", "two thirds"),
        *("exact", "?", "?", "?"),
    ]
    assert matches["tempo_deviation"].round(2).tolist()[:5] == [1.11, 100.56, -50, -33.11, 2.67]
    assert matches["tempo_followed"].tolist()[:5] == [True, False, False, False, True]
    relations = ["exact", "relative", "fifth", "?", "exact", "parallel", "?", "?"]
    assert matches["key_relation"].fillna("?").tolist() == relations
    assert matches["duration_deviation"].round(1).dropna().tolist() == [0.1, 3.0, 0.0]
    assert matches["duration_followed"].dropna().tolist() == [True, False, True]
    assert matches["requested_tempo"].tolist()[4] == 145
    assert matches["request_conflicts"].dropna().tolist() == [
        "several tempi: '140 bpm' in requested_tags, '150 bpm' in requested_tags"
    ]
    assert matches["request_sources"][0] == (
        "tempo: '90 bpm' in requested_tags; key: 'Am' in requested_tags; duration: '30' in length"
    )


def test_a_tempo_of_zero_or_less_was_not_measured() -> None:
    measured = sound_matches(songs_table().assign(tempo=[90.0, 0.0, -1.0, np.inf] * 2))
    assert measured["measured_tempo"].dropna().tolist() == [90.0, 90.0]


def test_shares_count_what_was_measured_and_unknown_apart() -> None:
    table: Any = sound_adherence(songs_table()).set_index("property")
    assert table.loc["tempo", ["songs", "tasks", "unknown"]].tolist() == [5, 3, 1]
    assert table.loc["tempo", ["followed", "related"]].tolist() == [0.4, 0.8]
    assert table.loc["key", ["followed", "related", "unknown"]].tolist() == [2 / 5, 1, 1]
    assert table.loc["duration", ["followed", "songs"]].tolist() == [2 / 3, 3]
    assert table.loc["tempo", ["deviation", "unit"]].tolist() == [
        pytest.approx(33.11, abs=0.01),
        "%",
    ]
    assert table.loc["duration", ["deviation", "unit"]].tolist() == [pytest.approx(0.1), "s"]
    assert "instrumental" not in table.index
    assert table["low"].between(0, table["followed"]).all()
    assert sound_adherence(songs_table()).attrs["conflicting_songs"] == 1


def test_levels_are_rows_and_the_table_of_matches_gives_the_same() -> None:
    rows = sound_adherence(songs_table(), by="style")
    assert rows[["style", "property"]].to_numpy().tolist() == [
        *(["slow", "tempo"], ["slow", "key"], ["slow", "duration"]),
        *(["fast", "tempo"], ["fast", "key"], ["fast", "duration"]),
    ]
    pd.testing.assert_frame_equal(rows, sound_adherence(sound_matches(songs_table()), by="style"))
    by_request = sound_adherence(songs_table(), by="requested_key")
    assert by_request.loc[by_request["property"] == "key", "requested_key"].tolist() == [
        *("A minor", "C# major")
    ]


def test_chance_is_the_share_of_songs_dealt_to_the_requests() -> None:
    frame = pd.DataFrame(
        {
            "task_id": ["t1", "t2", "t3", "t4"],
            "song_id": list("abcd"),
            "requested_tags": ["90 bpm", "90 bpm", "120 bpm", "150 bpm"],
            "tempo": [90.0, 91, 120, 90],
        }
    )
    (row,) = sound_adherence(frame).to_dict("records")
    follow = [
        [abs(tempo / bpm - 1) <= 0.04 for tempo in frame["tempo"]] for bpm in (90, 90, 120, 150)
    ]
    assert row["chance"] == np.mean(follow)
    assert row["followed"] == 0.75
    same = sound_adherence(frame.assign(requested_tags="90 bpm"))
    assert same["chance"].isna().all()
    levels = sound_adherence(
        frame.assign(level=frame["requested_tags"])[["level", *frame]], by="level"
    )
    assert levels["chance"].tolist() == [0.75, 0.25, 0]


def test_measures_come_from_a_second_table_in_any_order() -> None:
    frame = songs_table()
    measured = ["task_id", "song_id", "tempo", "key", "seconds"]
    measures = frame[measured].iloc[::-1].iloc[1:]
    songs = frame.drop(columns=["tempo", "key", "seconds"])
    matches, expected = sound_matches(songs, measures), sound_matches(frame)
    pd.testing.assert_frame_equal(matches.iloc[:-1], expected.iloc[:-1])
    assert matches["measured_tempo"].isna().iloc[-1]


def test_factor_is_not_shown_as_a_measured_value() -> None:
    frame = songs_table().rename(columns={"style": "tempo", "tempo": "tempo_measured"})
    matches = sound_matches(frame)
    assert matches["tempo"].tolist() == [*["slow"] * 4, *["fast"] * 4]
    assert matches["measured_tempo"].tolist()[0] == 91


def test_singing_is_unknown_without_a_measure_of_it() -> None:
    requested: Any = [True, False, *[None] * 6]
    frame = songs_table().assign(make_instrumental=requested, vocal_share=0.1)
    row: Any = sound_adherence(frame).set_index("property").loc["instrumental"]
    assert (row["songs"], row["unknown"]) == (0, 2)
    assert np.isnan(row["followed"])
    for measured in ([True, True, *[None] * 6], [1, 1, 0, 0.5, *[None] * 4]):
        column = pd.Series(measured, dtype="boolean" if measured[0] is True else "float64")
        matches = sound_matches(frame.assign(instrumental=column))
        assert matches["instrumental_followed"].dropna().tolist() == [True, False]


def test_songs_that_did_not_succeed_are_left_out() -> None:
    frame = songs_table().assign(state=["succeeded", "failed", *["succeeded"] * 6])
    matches = sound_matches(frame)
    assert len(matches) == 7
    assert matches.attrs["songs_left_out"] == 1


def test_unusable_tables_say_why() -> None:
    frame = songs_table()
    with pytest.raises(BadFrame, match=r"nothing was measured.*audio_features"):
        sound_matches(frame.drop(columns=["tempo", "key", "seconds"]))
    with pytest.raises(BadFrame, match="no song requested a tempo, key, duration or instrumental"):
        sound_adherence(frame.assign(requested_tags="jazz").drop(columns="length"))
    with pytest.raises(BadFrame, match="'tempo' of the table of measures"):
        sound_matches(frame.assign(tempo="fast"))
    with pytest.raises(BadFrame, match="rename the column"):
        sound_matches(frame.rename(columns={"style": "measured_key"}))
    with pytest.raises(BadFrame, match="this song is duplicated"):
        sound_matches(pd.concat([frame, frame]))
    empty = sound_matches(frame[:0])
    assert list(empty.columns) == list(sound_matches(frame).columns)
    assert sound_adherence(frame[:0]).empty


def test_followed_requests_are_an_outcome_of_effects() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"{model}{task}", model, f"{model}{task}{song}", 90 if rng.random() < share else 130)
        for model, share in (("a", 0.9), ("b", 0.3))
        for task, song in itertools.product(range(12), range(2))
    ]
    frame = pd.DataFrame(rows, columns=["task_id", "mv", "song_id", "tempo"])
    frame = frame[["mv", "task_id", "song_id", "tempo"]].assign(requested_tags="90 bpm")
    matches = sound_matches(frame)
    (row,) = effects(matches, "mv", outcomes=["tempo_followed"]).to_dict("records")
    assert row["estimate"] < -0.3
    assert row["p"] < 0.01
    shares = sound_adherence(matches, by="mv")["followed"].tolist()
    assert shares == pytest.approx([row["baseline_mean"], row["mean"]])


def test_songs_know_their_requests() -> None:
    request = mnb.sonic.Create(
        custom_mode=True, prompt="hey", tags="jazz, 90 bpm, in F# minor", duration=30
    )
    songs = [
        Song(id=f"s{index}", task_id="t1", position=index, state="succeeded", request=request)
        for index in range(2)
    ]
    measures = pd.DataFrame(
        {"task_id": "t1", "song_id": ["s0", "s1"], "tempo": [90.0, 135], "key": ["Gbm", "A major"]}
    )
    matches = sound_matches(songs, measures)
    assert matches["tempo_relation"].tolist() == ["exact", "three halves"]
    assert matches["key_relation"].tolist() == ["exact", "relative"]
    assert matches["requested_duration"].tolist() == [30, 30]


@given(st.floats(20, 400), st.floats(0, 50), st.floats(10, 500))
def test_relation_of_tempi(low: float, width: float, measured: float) -> None:
    arrays = [np.array([figure]) for figure in (low, low + width, measured)]
    (relation,) = tempo_relations(*arrays)
    if low * 0.961 <= measured <= (low + width) * 1.039:
        assert relation == "exact"
    if relation == "exact":
        assert low * 0.9599 <= measured <= (low + width) * 1.0401
    scaled = [array * factor for array, factor in zip(arrays, (1, 1, 2), strict=True)]
    if width == 0 and relation == "exact":
        assert tempo_relations(*scaled) == ["double"]


finite = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(st.integers(0, 8), finite), min_size=1, max_size=40))
def test_median_lies_within_its_interval(rows: list[tuple[int, float]]) -> None:
    cluster, values = (np.array(column) for column in zip(*rows, strict=True))
    median, low, high = clustered_median(values, cluster, 0.95)
    assert median == np.median(values)
    if len(set(cluster.tolist())) == 1:
        assert np.isnan([low, high]).all()
    else:
        assert low <= median <= high
    wider: Any = clustered_median(values, cluster, 0.99)
    if not np.isnan(low):
        assert wider[1] <= low
        assert wider[2] >= high


def test_median_of_many_tasks_is_narrow() -> None:
    values = np.random.default_rng(1).normal(10, 1, size=400)
    median, low, high = clustered_median(values, np.arange(400) // 2, 0.95)
    assert median - 0.3 < low < median < high < median + 0.3
