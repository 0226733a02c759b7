"""Adherence: matching, fates, measures and intervals over tasks."""

import functools
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

from musicapi_nb import adherence, effects, frames, near_misses, tag_fates
from musicapi_nb.analysis.ratio_estimator import ratio_sums, ratios, t_quantile, wilson_bounds
from musicapi_nb.analysis.tag_matching import TagReader, match_tags
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.tasks import Replacement, Song
from musicapi_nb.tasks.html import tag_marks
from musicapi_nb.tasks.tags import unique_tags
from tests.replies import NAMES, sample

Pair = tuple[str, str]


def tables(
    *rows: tuple[str, str, str | None, Sequence[str]], **columns: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return songs and tags of (task, song, requested, returned); other columns come first."""
    state = columns.pop("state", "succeeded")
    songs = pd.DataFrame(
        {
            **columns,
            "task_id": pd.Series([row[0] for row in rows], dtype=TEXT),
            "song_id": pd.Series([row[1] for row in rows], dtype=TEXT),
            "prompt": pd.Series([row[2] for row in rows], dtype=TEXT),
            "state": pd.Series(state, index=range(len(rows)), dtype=TEXT),
        }
    )
    cells = [(row[0], row[1], index, tag) for row in rows for index, tag in enumerate(row[3])]
    tags = pd.DataFrame(cells, columns=["task_id", "song_id", "position", "tag"])
    return songs, tags.astype({"task_id": TEXT, "song_id": TEXT, "tag": TEXT})


def as_tuples(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows = frame.astype(object).where(frame.notna(), None)
    return list(rows.itertuples(index=False, name=None))


SMALL = tables(
    ("t1", "a", "jazz, Bossa Nova, spy", ["Jazz", "bossa nova", "mpb", "2010s"]),
    ("t1", "b", "jazz, Bossa Nova, spy", ["spy jazz", "bossa-nova"]),
    ("t2", "c", None, ["house"]),
    ("t3", "d", "drone", []),
    mood=pd.Series(["calm", "calm", "dark", "dark"], dtype=TEXT),
)


# --- fates and measures of a small table, by hand ---------------------------------------------


def test_fates_of_requested_and_added_tags() -> None:
    songs, tags = SMALL
    result = tag_fates(songs, tags, requested_tags="prompt")
    assert list(result.columns) == ["mood", "task_id", "song_id", "tag", "returned", "fate"]
    assert as_tuples(result) == [
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


def test_match_by_words_keeps_several_tags_by_one() -> None:
    songs, tags = SMALL
    result = tag_fates(songs, tags, requested_tags="prompt", match="words")
    second = result[result["song_id"] == "b"]
    assert second["returned"].tolist() == ["spy jazz", "bossa-nova", "spy jazz"]
    assert set(second["fate"]) == {"kept"}
    counts = adherence(songs, tags, requested_tags="prompt", match="words").iloc[1]
    assert counts[["requested", "returned", "kept", "dropped", "added"]].tolist() == [3, 2, 3, 0, 0]
    assert counts[["recall", "precision", "jaccard"]].tolist() == [1.0, 1.0, 1.0]


def test_measures_by_song() -> None:
    songs, tags = SMALL
    result = adherence(songs, tags, requested_tags="prompt")
    assert as_tuples(result) == [
        ("calm", "t1", "a", 3, 4, 2, 0, 1, 0, 0, 2, 2 / 3, 1 / 2, 2 / 5, None),
        ("calm", "t1", "b", 3, 2, 1, 0, 2, 0, 0, 1, 1 / 3, 1 / 2, 1 / 4, None),
        ("dark", "t2", "c", 0, 1, 0, 0, 0, 0, 0, 1, None, 0.0, 0.0, None),
        ("dark", "t3", "d", 1, 0, 0, 0, 1, 0, 0, 0, 0.0, None, 0.0, None),
    ]


def test_measures_by_level_are_means_over_songs() -> None:
    songs, tags = SMALL
    result = adherence(songs, tags, requested_tags="prompt", by="mood")
    assert result[["mood", "measure", "tasks", "songs"]].to_numpy().tolist() == [
        ["calm", "recall", 1, 2],
        ["calm", "precision", 1, 2],
        ["calm", "jaccard", 1, 2],
        ["dark", "recall", 1, 1],
        ["dark", "precision", 1, 1],
        ["dark", "jaccard", 2, 2],
    ]
    assert result["estimate"].tolist() == pytest.approx([1 / 2, 1 / 2, 13 / 40, 0, 0, 0])
    assert result["low"].isna().tolist() == [True] * 5 + [False]


def test_interval_computed_by_hand() -> None:
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
    recall = adherence(songs, tags, requested_tags="prompt", by="one").iloc[0]
    mean = 7 / 12
    left = [2 - 2 * mean, 0.5 - 2 * mean, 1 - 2 * mean]
    variance = 3 / 2 * sum(item * item for item in left) / 6**2
    cases = mean * (1 - mean) / variance * (stats.t.ppf(0.975, 5) / stats.t.ppf(0.975, 2)) ** 2
    z = stats.norm.ppf(0.975)
    middle = (mean + z * z / 2 / cases) / (1 + z * z / cases)
    half = z / (1 + z * z / cases)
    half *= math.sqrt(mean * (1 - mean) / cases + z * z / 4 / cases**2)
    assert recall["estimate"] == pytest.approx(mean)
    assert recall["low"] == pytest.approx(middle - half, abs=1e-7)
    assert recall["high"] == pytest.approx(middle + half, abs=1e-7)


# --- matching ----------------------------------------------------------------------------------


def test_requested_tags_are_read_from_texts_and_lists() -> None:
    reader = TagReader([], "tag", None)

    def texts(requested: Any) -> list[str]:
        return [tag.text for tag in reader.read(requested)]

    assert texts(" jazz ,, slow   swing;spy\nJazz ") == ["jazz", "slow swing", "spy"]
    assert texts(["rock, hard", " x "]) == ["rock, hard", "x"]
    assert texts(None) == texts(math.nan) == texts(pd.NA) == texts("") == []
    assert unique_tags(("Lo-Fi", "jazz", "lo fi", "JAZZ")) == ("Lo-Fi", "jazz")
    for bad in (3, 0.5, b"jazz", ["jazz", 3]):
        with pytest.raises(InvalidArgument, match="a text or a list of texts"):
            reader.read(bad)


def test_match_by_words_prefers_the_equal_tag() -> None:
    assert match_tags(("jazz", "nova bossa"), ("spy jazz", "jazz", "bossa-nova"), "words") == (1, 2)


def test_match_function_assigns_distinct_tags() -> None:
    fits = {("a", "x"), ("a", "y"), ("b", "x"), ("c", "x")}
    result = match_tags(("a", "b", "c"), ("x", "y"), lambda first, second: (first, second) in fits)
    assert result == (1, 0, None)


@settings(max_examples=40, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4))))
def test_match_function_finds_a_maximum_matching(fits: set[tuple[int, int]]) -> None:
    names = ("0", "1", "2", "3", "4")
    result = match_tags(names, names, lambda first, second: (int(first), int(second)) in fits)
    used = [index for index in result if index is not None]
    assert len(used) == len(set(used))
    assert all((first, index) in fits for first, index in enumerate(result) if index is not None)
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
def test_fates_agree_with_song_cards(requested: list[str], returned: list[str], data: Any) -> None:
    if data is not None:
        returned += data.draw(st.lists(st.sampled_from(requested).map(str.swapcase), max_size=3))
    requested.insert(0, "jazz")
    returned = list(unique_tags(returned))
    song = Song(tags=tuple(returned), replacements=(Replacement(", ".join(requested), ()),))
    marks = [item for item in tag_marks(song) if isinstance(item, tuple)]
    result = tag_fates(*tables(("t", "s", ", ".join(requested), returned)), requested_tags="prompt")
    rows = [tuple(row) for row in result[["tag", "returned", "fate"]].to_numpy()]
    dropped = {tag for tag, _, fate in rows if fate in {"dropped", "violated"}}
    added = {tag for tag, _, fate in rows if fate == "added"}
    assert {tag for tag, mark in marks if mark == "dropped"} == dropped
    assert {tag for tag, mark in marks if mark == "added"} == added
    assert len(marks) == len(returned) + sum(mark == "dropped" for _, mark in marks)


# --- what must hold of any table -----------------------------------------------------------------

tag_lists = st.lists(st.sampled_from(["a", "b c", "C", "b", "d", "B-C", "e"]), max_size=6)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(tag_lists, tag_lists, st.booleans()), max_size=6),
    st.sampled_from(["tag", "words", lambda first, second: first[0] == second[0]]),
)
def test_kept_and_dropped_sum_to_requested(
    cases: list[tuple[list[str], list[str], bool]], match: Any
) -> None:
    rows = [
        (f"t{index // 2}", f"s{index}", ",".join(requested), returned)
        for index, (requested, returned, _) in enumerate(cases)
    ]
    songs, tags = tables(*rows, state=["succeeded" if item[2] else "failed" for item in cases])
    if not any(requested and good for requested, _, good in cases):
        return
    result = adherence(songs, tags, requested_tags="prompt", match=match)
    fates = tag_fates(songs, tags, requested_tags="prompt", match=match)
    assert len(result) == sum(item[2] for item in cases)
    assert result.attrs["songs_left_out"] == fates.attrs["songs_left_out"]
    assert result.attrs["songs_left_out"] == len(cases) - len(result)
    hits = result["kept"] + result["split"]
    assert (hits + result["dropped"] == result["requested"]).all()
    assert (result["added"] <= result["returned"]).all()
    if callable(match):
        assert (result["kept"] + result["added"] == result["returned"]).all()
    for fate in ("kept", "split", "dropped", "added"):
        assert (fates["fate"] == fate).sum() == result[fate].sum()
    shares = result[["recall", "precision", "jaccard"]]
    assert shares.isna().equals(
        pd.DataFrame(
            {
                "recall": result["requested"] == 0,
                "precision": result["returned"] == 0,
                "jaccard": result["requested"] + result["returned"] == 0,
            }
        )
    )
    defined = shares.to_numpy()[shares.notna().to_numpy()]
    assert ((defined >= 0) & (defined <= 1)).all()
    assert not (result["jaccard"] > result["recall"]).any()


def test_requested_tags_by_song_or_cell() -> None:
    songs, tags = SMALL
    expected = adherence(songs, tags, requested_tags="prompt")
    texts: dict[Any, Any] = dict(zip(songs["song_id"], songs["prompt"], strict=True))
    assert adherence(songs, tags, requested_tags=texts).equals(expected)
    assert adherence(songs, tags, requested_tags=pd.Series(texts)).equals(expected)
    lists = {
        key: text.split(", ") if isinstance(text, str) else None for key, text in texts.items()
    }
    assert adherence(songs, tags, requested_tags=lists).equals(expected)
    cells = songs.assign(cell=[4, 4, 5, 6])
    by_cell = {4: "jazz, Bossa Nova, spy", 5: None, 6: "drone"}
    result = adherence(cells[["cell", *songs.columns]], tags, requested_tags=by_cell)
    assert result.drop(columns="cell").equals(expected)


def test_songs_without_state_and_tags_are_left_out() -> None:
    songs, tags = SMALL
    unsaid = songs.drop(columns="state").assign(duration=1.0)
    result = adherence(unsaid, tags, requested_tags="prompt")
    assert result["song_id"].tolist() == ["a", "b", "c"]
    assert result.attrs["songs_left_out"] == 1
    share = effects(unsaid, "mood", tags=tags, presence="house", outcomes=())
    assert share[["songs", "baseline_songs", "missing_songs"]].to_numpy().tolist() == [[1, 2, 1]]


def test_index_and_factor_names_do_not_matter() -> None:
    songs, tags = SMALL
    expected = adherence(songs, tags, requested_tags="prompt", by="mood")
    indexed = songs.set_index("mood", drop=False), tags.set_index("task_id", drop=False)
    pd.testing.assert_frame_equal(adherence(*indexed, requested_tags="prompt", by="mood"), expected)
    for name in ("cases", "hits", "tags"):
        result = adherence(
            songs.rename(columns={"mood": name}), tags, requested_tags="prompt", by=name
        )
        pd.testing.assert_frame_equal(result, expected.rename(columns={"mood": name}))
    twice = adherence(songs, tags, requested_tags="prompt", by=["mood", "mood"])
    pd.testing.assert_frame_equal(twice, expected)


def test_categorical_and_object_columns_give_equal_results() -> None:
    songs, tags = SMALL
    expected = adherence(songs[:2], tags, requested_tags="prompt", by="mood")
    keys = dict.fromkeys(("task_id", "song_id"), "category")
    held = songs.astype({**keys, "mood": "category"}), tags.astype(keys)
    filtered = [item[item["task_id"] == "t1"] for item in held]
    before = [item.copy() for item in filtered]
    result = adherence(filtered[0], filtered[1], requested_tags="prompt", by="mood")
    pd.testing.assert_frame_equal(result.astype({"mood": TEXT}), expected)
    for first, second in zip(filtered, before, strict=True):
        pd.testing.assert_frame_equal(first, second)
    loose = adherence(
        songs[:2].astype(object), tags.astype(object), requested_tags="prompt", by="mood"
    )
    pd.testing.assert_frame_equal(loose.astype({"mood": TEXT}), expected)


def test_lone_surrogates_are_replaced() -> None:
    songs, tags = SMALL
    result = tag_fates(songs, tags, requested_tags=dict.fromkeys("abcd", "x\ud800"))
    assert set(result["tag"][result["fate"] == "dropped"]) == {"x\ufffd"}


def test_dtypes_with_sample_replies() -> None:
    replies = [sample(name) for name in NAMES]
    songs, tags = frames.songs_frame(replies), frames.tags_frame(replies)
    songs = songs.dropna(subset="song_id").drop_duplicates(["task_id", "song_id"])
    for table in (songs, songs.head(0), songs.assign(state="failed")):
        by_song = adherence(table, tags, requested_tags="prompt")
        assert list(by_song.dtypes) == [TEXT] * 2 + ["int64"] * 8 + ["float64"] * 4
        fates = tag_fates(table, tags, requested_tags="prompt")
        assert list(fates.dtypes) == [TEXT] * 5
        by_level = adherence(table, tags, requested_tags="prompt", by=["engine"], cluster="song_id")
        kinds = [TEXT, TEXT, "float64", "float64", "float64", "int64", "int64"]
        assert list(by_level.dtypes) == kinds
        for result in (by_song, fates, by_level):
            assert list(result.index) == list(range(len(result)))
    failed = adherence(songs.assign(state="failed"), tags, requested_tags="prompt", by="engine")
    assert failed["estimate"].isna().all()
    assert set(failed["engine"]) == set(songs["engine"].dropna())
    assert not failed["songs"].any()


def test_ten_thousand_tags_are_fast() -> None:
    rows = [
        (f"t{index // 2}", f"s{index}", f"tag {index}, other", [f"tag {index}", f"new {index}"])
        for index in range(10_000)
    ]
    songs, tags = tables(*rows, one=1)
    result = adherence(songs, tags, requested_tags="prompt", by="one")
    assert result["estimate"].tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 3])


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
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
            "'task_id' is int64 in songs.*text in tags",
        ),
        (lambda s, t: (s.assign(song_id=[[1]] * 4), t), BadFrame, "'song_id'.*single values"),
        (lambda _, t: ("songs", t), InvalidArgument, "songs.*str"),
        (lambda s, t: (s.rename(columns={"mood": "fate"}), t), BadFrame, "'fate'"),
    ],
)
def test_invalid_tables_are_refused(
    spoil: Callable[..., Any], kind: type[Exception], message: str
) -> None:
    songs, tags = spoil(*SMALL)
    with pytest.raises(kind, match=message):
        tag_fates(songs, tags, requested_tags="prompt")


def list_column(table: pd.DataFrame) -> "pd.Series[Any]":
    return pd.Series([["a"]] * len(table), dtype=object)


def test_invalid_arguments_are_refused() -> None:
    songs, tags = SMALL
    with pytest.raises(BadFrame, match=r"no entry for 3 of 4 songs.*'b'"):
        tag_fates(songs, tags, requested_tags={"a": "jazz"})
    wishes: list[tuple[dict[str, Any], str]] = [
        ({"requested_tags": 3}, "requested_tags must be .* not an object of type int"),
        ({"match": "sound"}, "'sound'"),
        ({"by": []}, "by must name at least one column"),
        ({"by": 3}, "by must be a name .* not 3"),
        ({"by": "mood", "level": 95}, "level .* not 95"),
    ]
    for bad, message in wishes:
        wish: dict[str, Any] = {"requested_tags": "prompt", **bad}
        with pytest.raises(InvalidArgument, match=message):
            adherence(songs, tags, **wish)
    with pytest.raises(BadFrame, match="lacks column 'genre'"):
        adherence(songs, tags, requested_tags="prompt", by="genre")
    with pytest.raises(BadFrame, match="by has 'songs', a column of the result"):
        adherence(songs, tags, requested_tags="prompt", by="songs")
    with pytest.raises(BadFrame, match=r"'mood'.*single values"):
        adherence(songs.assign(mood=list_column(songs)), tags, requested_tags="prompt", by="mood")
    songs, tags = songs.assign(task_id=None), tags.assign(task_id=None)
    with pytest.raises(BadFrame, match="task_id"):
        adherence(songs, tags, requested_tags="prompt", by="mood")
    result = adherence(songs, tags, requested_tags="prompt", by="mood", cluster="song_id")
    assert result["tasks"].tolist() == result["songs"].tolist()


# --- intervals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_t_quantiles_against_scipy(level: float) -> None:
    for degrees in (*range(1, 90), 300, 10**6):
        assert t_quantile(level, degrees) == pytest.approx(
            stats.t.ppf((1 + level) / 2, degrees), rel=3e-6
        )


@given(st.integers(1, 200), st.floats(0, 1), st.sampled_from([0.8, 0.95]))
def test_wilson_bounds_against_statsmodels(n: int, share: float, level: float) -> None:
    hits = round(share * n)
    low, high = wilson_bounds(np.array(hits / n), np.array(float(n)), level)
    expected = proportion_confint(hits, n, 1 - level, method="wilson")
    assert (float(low), float(high)) == pytest.approx(expected, abs=1e-12)


def test_interval_of_single_song_tasks_is_wilsons() -> None:
    hits = np.array([1.0] * 30 + [0.0] * 10)
    sums = ratio_sums(np.zeros(40, "int64"), np.arange(40), hits, np.ones(40), 1)
    share, low, high = (float(item[0]) for item in ratios(sums, 0.95))
    # the variance over 40 tasks is 40/39 of p (1 - p) / 40, and the ratio of quantiles is 1
    expected = proportion_confint(30 * 39 / 40, 39, method="wilson")
    assert (share, low, high) == pytest.approx((0.75, *expected), abs=1e-9)


def coverage(runs: int, tasks: int, alike: float, cluster: str | None) -> float:
    """Return how often the interval of the recall of one tag contains the chance that it is kept.

    A song agrees with the first of its task with probability `alike`, else it is drawn anew. Each
    run is a level, so that all are estimated at once.
    """
    rng = np.random.default_rng(5)
    chance, number = 0.6, runs * tasks
    is_kept = rng.random((number, 2)) < chance
    is_kept[:, 1] = np.where(rng.random(number) < alike, is_kept[:, 0], is_kept[:, 1])
    rows = [
        (f"t{index}", f"{index}{song}", "jazz", ["jazz"] if is_kept[index, song] else [])
        for index in range(number)
        for song in (0, 1)
    ]
    songs, tags = tables(*rows, run=np.arange(2 * number) // (2 * tasks))
    result = adherence(songs, tags, requested_tags="prompt", by="run", cluster=cluster)
    recall = result[result["measure"] == "recall"]
    assert len(recall) == runs
    return float(((recall["low"] <= chance) & (chance <= recall["high"])).mean())


def test_coverage_requires_clustering_by_task() -> None:
    # the standard error of a coverage of 0.95 is 0.011 over 400 runs
    assert 0.925 <= coverage(400, 40, 0.8, None) <= 0.98
    assert coverage(400, 40, 0.8, "song_id") < 0.89


def test_more_tasks_narrow_the_interval() -> None:
    widths = []
    for tasks in (4, 16, 64):
        rows = [
            (f"t{index}", f"{index}{song}", "x", ["x"] if index % 2 else [])
            for index in range(tasks)
            for song in "ab"
        ]
        result = adherence(*tables(*rows, one=1), requested_tags="prompt", by="one").iloc[0]
        assert result["estimate"] == 0.5
        widths.append(result["high"] - result["low"])
    assert widths[0] > widths[1] > widths[2]


# --- levels ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "levels",
    [
        pd.Series(["b", "a", None, "b"], dtype=TEXT),
        pd.Series(pd.Categorical(["x", "y", None, "x"], categories=["y", "x", "z"])),
        pd.Series([1.5, None, 2.0, 1.5]),
        pd.Series([1, None, 2, 1], dtype="Int64"),
        pd.Series([True, False, True, True]),
        pd.Series(pd.to_datetime(["2026-11-22", "NaT", "2026-11-23", "NaT"], utc=True)),
    ],
    ids=lambda levels: str(levels.dtype),
)
def test_levels_of_any_dtype_keep_their_order(levels: "pd.Series[Any]") -> None:
    songs, tags = SMALL
    songs = songs.assign(mood=levels)
    result = adherence(songs, tags, requested_tags="prompt", by="mood")
    expected = levels.drop_duplicates().repeat(3).reset_index(drop=True).rename("mood")
    pd.testing.assert_series_equal(result["mood"], expected)
    both = adherence(songs, tags, requested_tags="prompt", by=["mood", "song_id"])
    alone = adherence(songs, tags, requested_tags="prompt")
    assert both["estimate"][::3].fillna(9).tolist() == alone["recall"].fillna(9).tolist()


# --- negations, aliases, near misses ---------------------------------------------------------


def test_negative_tags_are_avoided_or_violated() -> None:
    songs, tags = tables(
        ("t1", "a", "jazz, no bass", ["jazz", "drums"]),
        ("t2", "b", "slow jazz", ["jazz", "slow", "piano"]),
        ("t3", "c", "jazz", ["drums"]),
        one=1,
    )
    songs["negative_tags"] = ["drums", "drums, vocals", None]
    fates = tag_fates(songs, tags, requested_tags="prompt")
    assert as_tuples(fates[["song_id", "tag", "returned", "fate"]]) == [
        ("a", "jazz", "jazz", "kept"),
        ("a", "no bass", None, "avoided"),
        ("a", "no drums", "drums", "violated"),
        ("a", "drums", "drums", "added"),
        ("b", "slow jazz", "slow, jazz", "split"),
        ("b", "no drums", None, "avoided"),
        ("b", "no vocals", None, "avoided"),
        ("b", "piano", "piano", "added"),
        ("c", "jazz", None, "dropped"),
        ("c", "drums", "drums", "added"),
    ]
    by_song = adherence(songs, tags, requested_tags="prompt")
    assert by_song["requested"].tolist() == [3, 3, 1]
    assert by_song["recall"].tolist() == [1, 1, 0]
    assert by_song["avoidance"].fillna(-1).tolist() == [0.5, 1, -1]
    assert by_song["precision"].tolist() == [1 / 2, 2 / 3, 0]
    by_level = adherence(songs, tags, requested_tags="prompt", by="one")
    assert by_level["measure"].tolist() == ["recall", "precision", "jaccard", "avoidance"]
    assert by_level["estimate"].iloc[3] == 0.75
    assert by_level["songs"].iloc[3] == 2
    none = tag_fates(songs.drop(columns="negative_tags"), tags, requested_tags="prompt")
    assert "no drums" not in set(none["tag"])
    given = tag_fates(
        songs.drop(columns="negative_tags"),
        tags,
        requested_tags="prompt",
        negative_tags={"a": ["piano"], "b": "piano", "c": None},
    )
    assert given[given["tag"].isin(["piano", "no piano"])]["fate"].tolist() == [
        "avoided",
        "violated",
        "added",
    ]


def test_column_without_any_tag_is_refused() -> None:
    songs, tags = SMALL
    for call in (tag_fates, adherence, functools.partial(adherence, by="mood"), near_misses):
        with pytest.raises(BadFrame, match=r"'requested_tags' has no tags for any song.*Pass"):
            call(songs.assign(requested_tags=None), tags)
        with pytest.raises(BadFrame, match="requested_tags has no tags"):
            call(songs, tags, requested_tags=dict.fromkeys("abcd"))
        with pytest.raises(BadFrame, match="lacks column 'requested_tags'"):
            call(songs, tags)
        expected = call(songs, tags, requested_tags="prompt")
        pd.testing.assert_frame_equal(
            call(songs.assign(requested_tags=songs.prompt), tags), expected
        )


def test_aliases_make_tags_equal() -> None:
    songs, tags = tables(("t", "a", "Jazzz, boom-bap", ["Boom Bap", "smooth", "jazz"]))
    fates = tag_fates(songs, tags, requested_tags="prompt", aliases={"jazzz": "jazz"})
    assert fates["fate"].tolist() == ["kept", "kept", "added"]
    assert fates["tag"].tolist() == ["Jazzz", "boom-bap", "smooth"]
    reverse = tag_fates(songs, tags, requested_tags="prompt", aliases={"Jazz": "jazzz"})
    assert reverse["returned"].tolist() == ["jazz", "Boom Bap", "smooth"]
    for bad in (3, {"a": 1}, {"": "b"}, {"a": "b", "b": "c"}):
        with pytest.raises(InvalidArgument, match="aliases"):
            tag_fates(songs, tags, requested_tags="prompt", aliases=bad)  # type: ignore[arg-type]


def test_near_misses_are_pairs_of_one_song() -> None:
    songs, tags = tables(
        ("t1", "a", "melodik tekno, slow", ["melodic techno", "slow", "piano"]),
        ("t1", "b", "melodik tekno", ["Melodic Techno"]),
        ("t2", "c", "accordion", ["accordeon"]),
        ("t3", "d", "melodic tehcno", ["house"]),
    )
    result = near_misses(songs, tags, requested_tags="prompt")
    assert as_tuples(result[["requested", "returned", "songs"]]) == [
        ("melodik tekno", "melodic techno", 2),
        ("accordion", "accordeon", 1),
    ]
    assert result["similarity"].between(0.8, 1).all()
    with pytest.raises(InvalidArgument, match="min_similarity"):
        near_misses(songs, tags, requested_tags="prompt", min_similarity=2)
    assert near_misses(*tables(("t", "a", "x", ["x"])), requested_tags="prompt").empty
