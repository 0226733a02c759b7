"""Asked against returned tags: matching, fates, measures, and intervals that respect tasks."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import linear_sum_assignment
from statsmodels.stats.proportion import proportion_confint

from musicapi_nb import frames
from musicapi_nb.analysis import adherence, effects, tag_fates
from musicapi_nb.analysis.ratio_estimator import ratio_sums, ratios, t_quantile, wilson_bounds
from musicapi_nb.analysis.tag_matching import match_tags, split_tags
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.tasks import Replacement, Song
from musicapi_nb.tasks.html import tag_marks
from musicapi_nb.tasks.tags import unique_tags
from tests.replies import NAMES, sample

Pair = tuple[str, str]


def tables(
    *rows: tuple[str, str, str | None, Sequence[str]], **columns: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Songs and tags of (task, song, asked, returned); further columns stand before the keys."""
    state = columns.pop("state", "succeeded")
    songs = pd.DataFrame(
        {
            **columns,
            "task_id": pd.Series([row[0] for row in rows], dtype="str"),
            "song_id": pd.Series([row[1] for row in rows], dtype="str"),
            "prompt": pd.Series([row[2] for row in rows], dtype="str"),
            "state": pd.Series(state, index=range(len(rows)), dtype="str"),
        }
    )
    cells = [(row[0], row[1], at, tag) for row in rows for at, tag in enumerate(row[3])]
    tags = pd.DataFrame(cells, columns=["task_id", "song_id", "position", "tag"])
    return songs, tags.astype({"task_id": "str", "song_id": "str", "tag": "str"})


def listed(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows = frame.astype(object).where(frame.notna(), None)
    return list(rows.itertuples(index=False, name=None))


SMALL = tables(
    ("t1", "a", "jazz, Bossa Nova, spy", ["Jazz", "bossa nova", "mpb", "2010s"]),
    ("t1", "b", "jazz, Bossa Nova, spy", ["spy jazz", "bossa-nova"]),
    ("t2", "c", None, ["house"]),
    ("t3", "d", "drone", []),
    mood=["calm", "calm", "dark", "dark"],
)


# --- fates and measures of a small table, by hand ---------------------------------------------


def test_fates_of_each_asked_and_added_tag() -> None:
    songs, tags = SMALL
    found = tag_fates(songs, tags, requested="prompt")
    assert list(found.columns) == ["mood", "task_id", "song_id", "tag", "returned", "fate"]
    assert listed(found) == [
        ("calm", "t1", "a", "jazz", "Jazz", "kept"),
        ("calm", "t1", "a", "Bossa Nova", "bossa nova", "kept"),
        ("calm", "t1", "a", "spy", None, "dropped"),
        ("calm", "t1", "a", "mpb", "mpb", "added"),
        ("calm", "t1", "a", "2010s", "2010s", "added"),
        ("calm", "t1", "b", "jazz", None, "dropped"),
        ("calm", "t1", "b", "Bossa Nova", "bossa-nova", "kept"),
        ("calm", "t1", "b", "spy", None, "dropped"),
        ("calm", "t1", "b", "spy jazz", "spy jazz", "added"),
        ("dark", "t2", "c", "house", "house", "added"),
        ("dark", "t3", "d", "drone", None, "dropped"),
    ]


def test_by_words_one_returned_tag_keeps_several() -> None:
    songs, tags = SMALL
    found = tag_fates(songs, tags, requested="prompt", match="words")
    second = found[found["song_id"] == "b"]
    assert second["returned"].tolist() == ["spy jazz", "bossa-nova", "spy jazz"]
    assert set(second["fate"]) == {"kept"}
    counts = adherence(songs, tags, requested="prompt", match="words").iloc[1]
    assert counts[["requested", "returned", "kept", "dropped", "added"]].tolist() == [3, 2, 3, 0, 0]
    assert counts[["recall", "precision", "jaccard"]].tolist() == [1.0, 1.0, 1.0]


def test_measures_of_each_song() -> None:
    songs, tags = SMALL
    found = adherence(songs, tags, requested="prompt")
    assert listed(found) == [
        ("calm", "t1", "a", 3, 4, 2, 1, 2, 2 / 3, 1 / 2, 2 / 5),
        ("calm", "t1", "b", 3, 2, 1, 2, 1, 1 / 3, 1 / 2, 1 / 4),
        ("dark", "t2", "c", 0, 1, 0, 0, 1, None, 0.0, 0.0),
        ("dark", "t3", "d", 1, 0, 0, 1, 0, 0.0, None, 0.0),
    ]


def test_measures_by_level_are_means_over_songs_that_have_them() -> None:
    songs, tags = SMALL
    found = adherence(songs, tags, requested="prompt", by="mood")
    assert found[["mood", "measure", "tasks", "songs"]].to_numpy().tolist() == [
        ["calm", "recall", 1, 2],
        ["calm", "precision", 1, 2],
        ["calm", "jaccard", 1, 2],
        ["dark", "recall", 1, 1],
        ["dark", "precision", 1, 1],
        ["dark", "jaccard", 2, 2],
    ]
    assert found["estimate"].tolist() == pytest.approx([1 / 2, 1 / 2, 13 / 40, 0, 0, 0])
    assert found["low"].isna().tolist() == [True] * 5 + [False]


def test_an_interval_by_hand() -> None:
    # recalls 1, 1 | 1/2, 0 | 1/2, 1/2: the mean is 7/12, the sums over tasks 2, 1/2, 1
    songs, tags = tables(
        ("t1", "a", "x, y", ["x", "y"]),
        ("t1", "b", "x, y", ["x", "y"]),
        ("t2", "c", "x, y", ["x"]),
        ("t2", "d", "x, y", []),
        ("t3", "e", "x, y", ["y"]),
        ("t3", "f", "x, y", ["x"]),
        one=[1] * 6,
    )
    recall = adherence(songs, tags, requested="prompt", by="one").iloc[0]
    mean = 7 / 12
    left = [2 - 2 * mean, 0.5 - 2 * mean, 1 - 2 * mean]
    variance = 3 / 2 * sum(each * each for each in left) / 6**2
    cases = mean * (1 - mean) / variance * (stats.t.ppf(0.975, 5) / stats.t.ppf(0.975, 2)) ** 2
    z = stats.norm.ppf(0.975)
    middle = (mean + z * z / 2 / cases) / (1 + z * z / cases)
    half = z / (1 + z * z / cases)
    half *= math.sqrt(mean * (1 - mean) / cases + z * z / 4 / cases**2)
    assert recall["estimate"] == pytest.approx(mean)
    assert recall["low"] == pytest.approx(middle - half, abs=1e-7)
    assert recall["high"] == pytest.approx(middle + half, abs=1e-7)


# --- matching ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requested", "returned", "kept"),
    [
        ("Lo-Fi", "lo fi", True),
        ("  bossa\u00a0nova ", "bossa nova", True),
        ("ROSSSTRASSE", "roßstraße", True),
        ("cafe\u0301", "café", True),
        ("\uff4a\uff41zz", "jazz", True),
        ("🎷 jazz", "🎷 Jazz", True),
        ('"spy"', '"SPY"', True),
        ("jazz", "spy jazz", False),
        ("lofi", "lo-fi", False),
        ("-", "-", True),
    ],
)
def test_what_is_one_tag(requested: str, returned: str, *, kept: bool) -> None:
    assert match_tags((requested,), (returned,), "tag") == ((0,) if kept else (None,))


def test_split_and_distinct() -> None:
    assert split_tags(" jazz ,, slow   swing;spy\nJazz ") == ("jazz", "slow swing", "spy", "Jazz")
    assert split_tags(["rock, hard", " x "]) == ("rock, hard", "x")
    assert split_tags(None) == split_tags(math.nan) == split_tags(pd.NA) == split_tags("") == ()
    assert unique_tags(("Lo-Fi", "jazz", "lo fi", "JAZZ")) == ("Lo-Fi", "jazz")
    for bad in (3, 0.5, b"jazz", ["jazz", 3]):
        with pytest.raises(InvalidArgument, match="a text or a list of texts"):
            split_tags(bad)


def test_words_prefer_the_same_tag() -> None:
    assert match_tags(("jazz", "nova bossa"), ("spy jazz", "jazz", "bossa-nova"), "words") == (1, 2)


def test_a_function_keeps_as_many_as_can_have_one_each() -> None:
    fits = {("a", "x"), ("a", "y"), ("b", "x"), ("c", "x")}
    found = match_tags(("a", "b", "c"), ("x", "y"), lambda one, other: (one, other) in fits)
    assert found == (1, 0, None)


@settings(max_examples=40, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4))))
def test_a_function_matches_as_many_as_any_way_can(fits: set[tuple[int, int]]) -> None:
    names = ("0", "1", "2", "3", "4")
    found = match_tags(names, names, lambda one, other: (int(one), int(other)) in fits)
    used = [at for at in found if at is not None]
    assert len(used) == len(set(used))
    assert all((one, at) in fits for one, at in enumerate(found) if at is not None)
    table = np.zeros((5, 5))
    for pair in fits:
        table[pair] = 1
    assert len(used) == table[linear_sum_assignment(-table)].sum()


texts = st.text(st.characters(codec="utf-8", exclude_characters=",;\n\r"), max_size=6)
some_tags = st.lists(texts.filter(str.strip), min_size=1, max_size=5)


@settings(max_examples=30, deadline=None)
@given(some_tags, some_tags, st.data())
@example(["Jazz", "spy"], ["jazz", "mpb"], None)
@example(["Lo-Fi", "\uff4a\uff41zz", "-"], ["lo fi", "Jazz", "-", "--"], None)
def test_the_cards_say_the_same(asked: list[str], returned: list[str], data: Any) -> None:
    if data is not None:
        returned += data.draw(st.lists(st.sampled_from(asked).map(str.swapcase), max_size=3))
    returned = list(unique_tags(returned))
    song = Song(tags=tuple(returned), replacements=(Replacement(", ".join(asked), ()),))
    shown = [each for each in tag_marks(song, None) if isinstance(each, tuple)]
    found = tag_fates(*tables(("t", "s", ", ".join(asked), returned)), requested="prompt")
    said = [
        (row.returned if row.fate == "kept" else row.tag, row.fate) for row in found.itertuples()
    ]
    assert sorted(shown) == sorted((str(tag), fate) for tag, fate in said)


# --- what must hold of any table -----------------------------------------------------------------

some = st.lists(st.sampled_from(["a", "b c", "C", "b", "d", "B-C", "e"]), max_size=6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(some, some, st.booleans()), max_size=6),
    st.sampled_from(["tag", "words", lambda one, other: one[0] == other[0]]),
)
def test_kept_and_dropped_are_what_was_asked(
    given_: list[tuple[list[str], list[str], bool]], match: Any
) -> None:
    rows = [
        (f"t{at // 2}", f"s{at}", ",".join(asked), returned)
        for at, (asked, returned, _) in enumerate(given_)
    ]
    songs, tags = tables(*rows, state=["succeeded" if each[2] else "failed" for each in given_])
    found = adherence(songs, tags, requested="prompt", match=match)
    fates = tag_fates(songs, tags, requested="prompt", match=match)
    assert len(found) == sum(each[2] for each in given_)
    assert found.attrs["songs_left_out"] == fates.attrs["songs_left_out"]
    assert found.attrs["songs_left_out"] == len(given_) - len(found)
    assert (found["kept"] + found["dropped"] == found["requested"]).all()
    assert (found["added"] <= found["returned"]).all()
    assert (found["returned"] - found["added"] <= found["kept"]).all()
    if match != "words":
        assert (found["kept"] + found["added"] == found["returned"]).all()
    for fate in ("kept", "dropped", "added"):
        assert (fates["fate"] == fate).sum() == found[fate].sum()
    shares = found[["recall", "precision", "jaccard"]]
    assert shares.isna().equals(
        pd.DataFrame(
            {
                "recall": found["requested"] == 0,
                "precision": found["returned"] == 0,
                "jaccard": found["requested"] + found["returned"] == 0,
            }
        )
    )
    known = shares.to_numpy()[shares.notna().to_numpy()]
    assert ((known >= 0) & (known <= 1)).all()
    assert not (found["jaccard"] > found["recall"]).any()


def test_asked_may_come_from_songs_or_cells() -> None:
    songs, tags = SMALL
    wanted = adherence(songs, tags, requested="prompt")
    texts: dict[Any, Any] = dict(zip(songs["song_id"], songs["prompt"], strict=True))
    assert adherence(songs, tags, requested=texts).equals(wanted)
    assert adherence(songs, tags, requested=pd.Series(texts)).equals(wanted)
    lists = {key: split_tags(text) for key, text in texts.items()}
    assert adherence(songs, tags, requested=lists).equals(wanted)
    cells = songs.assign(cell=[4, 4, 5, 6])
    by_cell = {4: "jazz, Bossa Nova, spy", 5: None, 6: "drone"}
    found = adherence(cells[["cell", *songs.columns]], tags, requested=by_cell)
    assert found.drop(columns="cell").equals(wanted)


def test_without_a_state_songs_without_tags_are_not_judged_as_in_effects() -> None:
    songs, tags = SMALL
    unsaid = songs.drop(columns="state").assign(duration=1.0)
    found = adherence(unsaid, tags, requested="prompt")
    assert found["song_id"].tolist() == ["a", "b", "c"]
    assert found.attrs["songs_left_out"] == 1
    share = effects(unsaid, "mood", tags=tags, presence="house", outcomes=())
    assert share[["songs", "baseline_songs", "missing_songs"]].to_numpy().tolist() == [[1, 2, 1]]


def test_how_a_table_is_indexed_and_what_its_columns_are_called_is_no_matter() -> None:
    songs, tags = SMALL
    wanted = adherence(songs, tags, requested="prompt", by="mood")
    indexed = songs.set_index("mood", drop=False), tags.set_index("task_id", drop=False)
    pd.testing.assert_frame_equal(adherence(*indexed, requested="prompt", by="mood"), wanted)
    for name in ("cases", "hits", "tags"):
        found = adherence(songs.rename(columns={"mood": name}), tags, requested="prompt", by=name)
        pd.testing.assert_frame_equal(found, wanted.rename(columns={"mood": name}))
    twice = adherence(songs, tags, requested="prompt", by=["mood", "mood"])
    pd.testing.assert_frame_equal(twice, wanted)


def test_a_filtered_table_of_categories_and_one_of_objects_say_the_same() -> None:
    songs, tags = SMALL
    wanted = adherence(songs[:2], tags, requested="prompt", by="mood")
    keys = dict.fromkeys(("task_id", "song_id"), "category")
    held = songs.astype({**keys, "mood": "category"}), tags.astype(keys)
    kept = [each[each["task_id"] == "t1"] for each in held]
    before = [each.copy() for each in kept]
    found = adherence(kept[0], kept[1], requested="prompt", by="mood")
    pd.testing.assert_frame_equal(found.astype({"mood": "str"}), wanted)
    for one, other in zip(kept, before, strict=True):
        pd.testing.assert_frame_equal(one, other)
    loose = adherence(songs[:2].astype(object), tags.astype(object), requested="prompt", by="mood")
    pd.testing.assert_frame_equal(loose.astype({"mood": "str"}), wanted)


def test_halves_of_characters_are_replaced() -> None:
    songs, tags = SMALL
    found = tag_fates(songs, tags, requested=dict.fromkeys("abcd", "x\ud800"))
    assert set(found["tag"][found["fate"] == "dropped"]) == {"x\ufffd"}


def test_the_sample_replies_and_their_dtypes() -> None:
    replies = [sample(name) for name in NAMES]
    songs, tags = frames.songs_frame(replies), frames.tags_frame(replies)
    songs = songs.dropna(subset="song_id").drop_duplicates(["task_id", "song_id"])
    for table in (songs, songs.head(0), songs.assign(state="failed")):
        by_song = adherence(table, tags, requested="prompt")
        assert list(by_song.dtypes.astype(str)) == ["str"] * 2 + ["int64"] * 5 + ["float64"] * 3
        fates = tag_fates(table, tags, requested="prompt")
        assert list(fates.dtypes.astype(str)) == ["str"] * 5
        by_level = adherence(table, tags, requested="prompt", by=["engine"], cluster="song_id")
        kinds = ["str", "str", "float64", "float64", "float64", "int64", "int64"]
        assert list(by_level.dtypes.astype(str)) == kinds
        for found in (by_song, fates, by_level):
            assert list(found.index) == list(range(len(found)))
    failed = adherence(songs.assign(state="failed"), tags, requested="prompt", by="engine")
    assert failed["estimate"].isna().all()
    assert set(failed["engine"]) == set(songs["engine"].dropna())
    assert not failed["songs"].any()


def test_ten_thousand_tags() -> None:
    rows = [
        (f"t{at // 2}", f"s{at}", f"tag {at}, other", [f"tag {at}", f"new {at}"])
        for at in range(10_000)
    ]
    songs, tags = tables(*rows, one=1)
    found = adherence(songs, tags, requested="prompt", by="one")
    assert found["estimate"].tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 3])


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "kind", "says"),
    [
        (lambda s, t: (s.drop(columns="song_id"), t), BadFrame, "'song_id'"),
        (lambda s, t: (s, t.drop(columns="tag")), BadFrame, "'tag'"),
        (lambda s, t: (s, t.assign(tag=3)), BadFrame, "'tag'.*int64"),
        (lambda s, t: (s.drop(columns="prompt"), t), BadFrame, "'prompt'"),
        (lambda s, t: (s.assign(prompt=3), t), InvalidArgument, "'prompt'.*int"),
        (lambda s, t: (pd.concat([s, s]), t), BadFrame, "2 rows.*task_id 't1', song_id 'a'"),
        (lambda s, t: (s.assign(song_id=None), t), BadFrame, "2 rows.*song_id None"),
        (
            lambda s, t: (s.assign(task_id=1), t),
            BadFrame,
            "'task_id' is int64 in songs.*str in tags",
        ),
        (lambda s, t: (s.assign(song_id=[[1]] * 4), t), BadFrame, "'song_id'.*single values"),
        (lambda _, t: ([], t), InvalidArgument, "songs.*list"),
        (lambda s, t: (s.rename(columns={"mood": "fate"}), t), BadFrame, "'fate'"),
    ],
)
def test_bad_tables(spoil: Callable[..., Any], kind: type[Exception], says: str) -> None:
    songs, tags = spoil(*SMALL)
    with pytest.raises(kind, match=says):
        tag_fates(songs, tags, requested="prompt")


def listed_in(table: pd.DataFrame) -> "pd.Series[Any]":
    return pd.Series([["a"]] * len(table), dtype=object)


def test_bad_wishes() -> None:
    songs, tags = SMALL
    with pytest.raises(BadFrame, match=r"no entry for 3 of 4 songs.*'b'"):
        tag_fates(songs, tags, requested={"a": "jazz"})
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"requested": 3}, "requested is a int"),
        ({"match": "sound"}, "'sound'"),
        ({"by": []}, "by names no column"),
        ({"by": 3}, "by is 3; it is a name"),
        ({"by": "mood", "level": 95}, "level is 95"),
    ]
    for bad, says in wishes:
        wish: dict[str, Any] = {"requested": "prompt", **bad}
        with pytest.raises(InvalidArgument, match=says):
            adherence(songs, tags, **wish)
    with pytest.raises(BadFrame, match="lacks column 'genre'"):
        adherence(songs, tags, requested="prompt", by="genre")
    with pytest.raises(BadFrame, match="by has 'songs', which the result has too"):
        adherence(songs, tags, requested="prompt", by="songs")
    with pytest.raises(BadFrame, match=r"'mood'.*single values"):
        adherence(songs.assign(mood=listed_in(songs)), tags, requested="prompt", by="mood")
    songs, tags = songs.assign(task_id=None), tags.assign(task_id=None)
    with pytest.raises(BadFrame, match="task_id"):
        adherence(songs, tags, requested="prompt", by="mood")
    found = adherence(songs, tags, requested="prompt", by="mood", cluster="song_id")
    assert found["tasks"].tolist() == found["songs"].tolist()


# --- intervals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_students_quantiles(level: float) -> None:
    for degrees in (*range(1, 90), 300, 10**6):
        assert t_quantile(level, degrees) == pytest.approx(
            stats.t.ppf((1 + level) / 2, degrees), rel=3e-6
        )


@given(st.integers(1, 200), st.floats(0, 1), st.sampled_from([0.8, 0.95]))
def test_wilsons_bounds(n: int, share: float, level: float) -> None:
    hits = round(share * n)
    low, high = wilson_bounds(np.array(hits / n), np.array(float(n)), level)
    wanted = proportion_confint(hits, n, 1 - level, method="wilson")
    assert (float(low), float(high)) == pytest.approx(wanted, abs=1e-12)


def test_tasks_of_one_song_have_about_wilsons_interval() -> None:
    hits = np.array([1.0] * 30 + [0.0] * 10)
    sums = ratio_sums(np.zeros(40, "int64"), np.arange(40), hits, np.ones(40), 1)
    share, low, high = (float(each[0]) for each in ratios(sums, 0.95))
    # the variance over 40 tasks is 40/39 of p (1 - p) / 40, and no quantile is lessened
    wanted = proportion_confint(30 * 39 / 40, 39, method="wilson")
    assert (share, low, high) == pytest.approx((0.75, *wanted), abs=1e-9)


def coverage(runs: int, tasks: int, alike: float, cluster: str | None) -> float:
    """How often the interval of the recall of one asked tag holds the chance that it is kept.

    A song agrees with the first of its task with probability `alike`, else it is drawn anew. Each
    run is a level, so that all are done at once.
    """
    rng = np.random.default_rng(5)
    chance, number = 0.6, runs * tasks
    kept = rng.random((number, 2)) < chance
    kept[:, 1] = np.where(rng.random(number) < alike, kept[:, 0], kept[:, 1])
    rows = [
        (f"t{at}", f"{at}{song}", "jazz", ["jazz"] if kept[at, song] else [])
        for at in range(number)
        for song in (0, 1)
    ]
    songs, tags = tables(*rows, run=np.arange(2 * number) // (2 * tasks))
    found = adherence(songs, tags, requested="prompt", by="run", cluster=cluster)
    recall = found[found["measure"] == "recall"]
    assert len(recall) == runs
    return float(((recall["low"] <= chance) & (chance <= recall["high"])).mean())


def test_intervals_cover_as_often_as_they_say_only_if_tasks_are_respected() -> None:
    # the standard error of a coverage of 0.95 is 0.011 over 400 runs
    assert 0.925 <= coverage(400, 40, 0.8, None) <= 0.98
    assert coverage(400, 40, 0.8, "song_id") < 0.89


def test_a_task_more_and_the_interval_is_narrower() -> None:
    widths = []
    for tasks in (4, 16, 64):
        rows = [
            (f"t{at}", f"{at}{song}", "x", ["x"] if at % 2 else [])
            for at in range(tasks)
            for song in "ab"
        ]
        found = adherence(*tables(*rows, one=1), requested="prompt", by="one").iloc[0]
        assert found["estimate"] == 0.5
        widths.append(found["high"] - found["low"])
    assert widths[0] > widths[1] > widths[2]


# --- levels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "levels",
    [
        pd.Series(["b", "a", None, "b"], dtype="str"),
        pd.Series(pd.Categorical(["x", "y", None, "x"], categories=["y", "x", "z"])),
        pd.Series([1.5, None, 2.0, 1.5]),
        pd.Series([1, None, 2, 1], dtype="Int64"),
        pd.Series([True, False, True, True]),
        pd.Series(pd.to_datetime(["2026-11-22", "NaT", "2026-11-23", "NaT"], utc=True)),
    ],
    ids=lambda levels: str(levels.dtype),
)
def test_levels_of_any_kind_come_in_their_order_and_a_missing_one_is_one(
    levels: "pd.Series[Any]",
) -> None:
    songs, tags = SMALL
    songs = songs.assign(mood=levels)
    found = adherence(songs, tags, requested="prompt", by="mood")
    wanted = levels.drop_duplicates().repeat(3).reset_index(drop=True).rename("mood")
    pd.testing.assert_series_equal(found["mood"], wanted)
    both = adherence(songs, tags, requested="prompt", by=["mood", "song_id"])
    alone = adherence(songs, tags, requested="prompt")
    assert both["estimate"][::3].fillna(9).tolist() == alone["recall"].fillna(9).tolist()
