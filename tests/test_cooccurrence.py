"""Counts of tags, pairs and exclusive sets: by hand, against scipy, and over tasks."""

import itertools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from musicapi_nb import cooccurrence, exclusive_sets, frames, tag_counts
from musicapi_nb.analysis.hypergeometric import fisher_p
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.text_dtype import TEXT
from tests.replies import NAMES, sample

PAIR_DTYPES = [TEXT, TEXT, *["int64"] * 4, *["float64"] * 9]
COUNT_DTYPES = [TEXT, "int64", "int64", "float64", "float64", "float64"]
Songs = list[tuple[str, list[str]]]


def table(songs: Songs) -> pd.DataFrame:
    """Return the tags table of songs, each given as (task, tags)."""
    rows = [(task, f"s{index}", tag) for index, (task, tags) in enumerate(songs) for tag in tags]
    return pd.DataFrame(rows, columns=["task_id", "song_id", "tag"], dtype=TEXT)


SMALL: Songs = [
    ("t1", ["jazz", "mpb", "spy"]),
    ("t1", ["jazz", "mpb"]),
    ("t2", ["jazz", "spy"]),
    ("t2", ["jazz"]),
    ("t3", ["house", "jazz"]),
    ("t3", ["house"]),
]


# --- by hand --------------------------------------------------------------------------------


def test_tag_counts_of_a_small_table() -> None:
    result = tag_counts(table(SMALL))
    assert result[["tag", "songs", "tasks"]].to_numpy().tolist() == [
        ["jazz", 5, 3],
        ["house", 2, 1],
        ["mpb", 2, 1],
        ["spy", 2, 2],
    ]
    assert result["share"].tolist() == pytest.approx([5 / 6, 1 / 3, 1 / 3, 1 / 3])
    assert list(result.dtypes) == COUNT_DTYPES


def test_pairs_of_a_small_table() -> None:
    result = cooccurrence(table(SMALL))
    assert list(result.dtypes) == PAIR_DTYPES
    columns = ["tag", "other_tag", "songs", "tag_songs", "other_songs", "joint_songs"]
    assert result[columns].to_numpy().tolist() == [
        ["jazz", "mpb", 6, 5, 2, 2],
        ["jazz", "spy", 6, 5, 2, 2],
        ["jazz", "house", 6, 5, 2, 1],
        ["house", "jazz", 6, 2, 5, 1],
        ["house", "mpb", 6, 2, 2, 0],
        ["house", "spy", 6, 2, 2, 0],
        ["mpb", "jazz", 6, 2, 5, 2],
        ["mpb", "spy", 6, 2, 2, 1],
        ["mpb", "house", 6, 2, 2, 0],
        ["spy", "jazz", 6, 2, 5, 2],
        ["spy", "mpb", 6, 2, 2, 1],
        ["spy", "house", 6, 2, 2, 0],
    ]
    result = result[result["joint_songs"] > 0]
    assert result["support"].tolist() == pytest.approx((result["joint_songs"] / 6).tolist())
    assert result["conditional"].tolist() == pytest.approx([0.4, 0.4, 0.2, 0.5, 1, 0.5, 1, 0.5])
    assert result["lift"].tolist() == pytest.approx([1.2, 1.2, 0.6, 0.6, 1.2, 1.5, 1.2, 1.5])


def test_interval_computed_by_hand() -> None:
    # of the songs with jazz, by task: 2, 2, 1; with spy too: 1, 1, 0
    row = cooccurrence(table(SMALL)).iloc[1]
    share = 2 / 5
    left = sum((y - share * x) ** 2 for y, x in ((1, 2), (1, 2), (0, 1)))
    variance = 3 / 2 * left / 5**2
    cases = share * (1 - share) / variance * (stats.t.ppf(0.975, 4) / stats.t.ppf(0.975, 2)) ** 2
    z2 = stats.norm.ppf(0.975) ** 2
    cases = min(cases, 5)
    middle = (share + z2 / 2 / cases) / (1 + z2 / cases)
    half = np.sqrt(z2 * (share * (1 - share) / cases + z2 / 4 / cases**2)) / (1 + z2 / cases)
    assert row["low"] == pytest.approx(middle - half, abs=1e-7)
    assert row["high"] == pytest.approx(middle + half, abs=1e-7)
    assert np.isnan(cooccurrence(table(SMALL))["low"].iloc[3])  # house: one task alone


def test_min_songs_and_top_limit_pairs() -> None:
    tags = table(SMALL)
    total = cooccurrence(tags)
    subset = cooccurrence(tags, min_songs=2).drop(columns="p_adjusted")
    expected = total[total["joint_songs"] >= 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(subset, expected.drop(columns="p_adjusted"))
    top = cooccurrence(tags, top=2)
    assert top[["tag", "other_tag"]].to_numpy().tolist() == [["jazz", "house"], ["house", "jazz"]]
    assert cooccurrence(tags, top=1).empty


def test_exclusive_sets_of_a_small_table() -> None:
    result = exclusive_sets(table(SMALL), top=3)
    assert result.name == "songs"
    assert result.dtype == "int64"
    assert list(result.index.names) == ["jazz", "house", "mpb"]
    assert {str(dtype) for dtype in result.reset_index().dtypes[:3]} == {"bool"}
    assert list(result.items()) == [
        ((True, False, False), 2),
        ((True, False, True), 2),
        ((False, True, False), 1),
        ((True, True, False), 1),
    ]
    empty = exclusive_sets(table(SMALL), among=["spy", "polka"])
    assert empty.to_dict() == {(False, False): 4, (True, False): 2}
    assert exclusive_sets(table(SMALL), among=["jazz"]).to_dict() == {(True,): 5, (False,): 1}


# --- what must hold of any table ------------------------------------------------------------

names = st.sampled_from(["a", "b", "c", "d", "é, è", '"q"', "🎷", "x y"])
songs = st.lists(
    st.tuples(st.integers(0, 4).map(lambda index: f"t{index}"), st.lists(names, max_size=6)),
    max_size=12,
)


@settings(max_examples=20, deadline=None)
@given(songs, st.integers(0, 4))
def test_counts_against_python_counters(rows: Songs, top: int) -> None:
    tags = table(rows)
    sets = [set(has) for _, has in rows if has]
    singles = Counter(tag for has in sets for tag in has)
    doubles = Counter(pair for has in sets for pair in itertools.permutations(has, 2))
    doubles.update(dict.fromkeys(itertools.permutations(singles, 2), 0))  # some never meet
    pairs, single = cooccurrence(tags), tag_counts(tags)
    assert dict(zip(single["tag"], single["songs"], strict=True)) == singles
    keys = zip(pairs["tag"], pairs["other_tag"], strict=True)
    assert dict(zip(keys, pairs["joint_songs"], strict=True)) == doubles
    assert (pairs["tag_songs"] == pairs["tag"].map(singles)).all()
    assert (pairs["other_songs"] == pairs["other_tag"].map(singles)).all()
    assert (pairs["songs"] == len(sets)).all()
    for frame, share in ((pairs, "conditional"), (single, "share")):
        defined = frame[frame["low"].notna()]
        assert ((defined["low"] >= 0) & (defined["low"] <= defined[share])).all()
        assert ((defined[share] <= defined["high"]) & (defined["high"] <= 1)).all()
    exact = exclusive_sets(tags, top=top)
    chosen = single["tag"].head(top).tolist()
    expected = Counter(tuple(tag in has for tag in chosen) for has in sets) if chosen else {}
    assert exact.to_dict() == expected
    assert exact.is_monotonic_decreasing


def test_pairs_against_a_sparse_product() -> None:
    rng = np.random.default_rng(1)
    has = rng.random((300, 20)) < rng.random(20) * 0.5
    tags = table(
        [
            (f"t{index // 2}", [f"{tag:02}" for tag in np.flatnonzero(row)])
            for index, row in enumerate(has)
        ]
    )
    both = sparse.csr_array(has.astype(int))
    counts = (both.T @ both).toarray()
    result = cooccurrence(tags)
    first, second = result["tag"].astype(int), result["other_tag"].astype(int)
    assert (counts[first, second] == result["joint_songs"]).all()
    assert len(result) == 20 * 19


def test_large_tables_are_fast() -> None:
    rng = np.random.default_rng(0)
    number = 20_000
    tags = pd.DataFrame(
        {
            "task_id": np.repeat([f"t{index // 2}" for index in range(number)], 6),
            "song_id": np.repeat([f"s{index}" for index in range(number)], 6),
            "tag": [f"tag {index}" for index in rng.integers(0, 10_000, 6 * number)],
        }
    )
    start = time.process_time()
    result = cooccurrence(tags)  # 3 to 6 s
    assert time.process_time() - start < 20
    assert len(result) > 500_000
    assert (result["joint_songs"] <= result[["tag_songs", "other_songs"]].min(axis=1)).all()


# --- intervals ------------------------------------------------------------------------------


def correlated_songs(runs: int, tasks: int, chance: float) -> pd.DataFrame:
    """Return songs with one tag of their run, and by chance a second; a task's songs are equal."""
    rng = np.random.default_rng(7)
    rows: Songs = []
    for run in range(runs):
        for task, has in enumerate(rng.random(tasks) < chance):
            rows += [(f"{run}/{task}", [f"a{run}", *([f"b{run}"] if has else [])])] * 2
    return table(rows)


def test_coverage_requires_clustering_by_task() -> None:
    chance, covered = 0.4, {}
    tags = correlated_songs(400, 40, chance)
    for cluster in (None, "song_id"):
        result = cooccurrence(tags, cluster=cluster)
        pairs = result[result["tag"].str.startswith("a") & (result["joint_songs"] > 0)]
        assert len(pairs) == 400
        covered[cluster] = ((pairs["low"] <= chance) & (chance <= pairs["high"])).mean()
    # the standard error of a coverage of 0.95 is 0.011 over 400 runs
    assert 0.925 <= covered[None] <= 0.985
    assert covered["song_id"] < 0.89


def test_correlated_songs_widen_intervals() -> None:
    tags = correlated_songs(1, 200, 0.4)
    tasks, songs = (tag_counts(tags, cluster=cluster).iloc[1] for cluster in (None, "song_id"))
    assert tasks["share"] == songs["share"]
    wider = (tasks["high"] - tasks["low"]) / (songs["high"] - songs["low"])
    assert wider == pytest.approx(np.sqrt(2), abs=0.03)


# --- songs without tags, spellings, categories ------------------------------------------------


def songs_of(tags: pd.DataFrame, *more: str) -> pd.DataFrame:
    """Return a songs table of tagged songs, and of `more` songs without tags."""
    songs = tags[["task_id", "song_id"]].drop_duplicates()
    extra = pd.DataFrame({"task_id": [f"t{song}" for song in more], "song_id": more}, dtype=TEXT)
    return pd.concat([songs, extra], ignore_index=True).assign(state="succeeded")


def test_songs_without_tags_are_in_the_denominator() -> None:
    tags = table(SMALL)
    songs = songs_of(tags, "x", "y")
    assert tag_counts(tags, songs=songs)["share"].tolist() == [5 / 8, 2 / 8, 2 / 8, 2 / 8]
    pairs = cooccurrence(tags, songs=songs)
    assert set(pairs["songs"]) == {8}
    assert pairs["lift"].iloc[0] == pytest.approx(2 * 8 / (5 * 2))
    assert exclusive_sets(tags, songs=songs, among=["jazz"]).to_dict() == {(True,): 5, (False,): 3}
    failed = songs.assign(state=["failed"] * 2 + ["succeeded"] * 6)
    assert tag_counts(tags, songs=failed)["songs"].tolist() == [3, 2, 1]  # without songs of t1
    few = tags.head(0)
    assert tag_counts(few, songs=songs).empty
    assert exclusive_sets(few, songs=songs, among=["jazz"]).to_dict() == {(False,): 8}
    with pytest.raises(BadFrame, match="2 rows of songs"):
        tag_counts(tags, songs=pd.concat([songs, songs]))


def test_spellings_of_one_tag_are_one_row() -> None:
    tags = table([("t1", ["Hip-Hop", "hip hop"]), ("t2", ["hip hop"]), ("t3", ["hiphop", "80s"])])
    counts = tag_counts(tags)
    assert counts[["tag", "songs"]].to_numpy().tolist() == [["hip hop", 3], ["80s", 1]]
    assert set(cooccurrence(tags)["tag"]) == {"hip hop", "80s"}
    assert exclusive_sets(tags, among=["HipHop"]).to_dict() == {(True,): 3}


def test_categories_and_groups_are_counted() -> None:
    tags = table(
        [("t1", ["jazz", "funk", "happy"]), ("t2", ["cheerful", "slow"]), ("t3", ["joyful"])]
    )
    by_category = tag_counts(tags, by="category")
    assert dict(zip(by_category["tag"], by_category["songs"], strict=True)) == {
        "genre": 1,
        "mood": 3,
        "tempo": 1,
    }
    assert tag_counts(tags, by="group")["tag"].iloc[0] == "happy"
    pairs = cooccurrence(tags, by="category")
    assert set(pairs["tag"]) == {"genre", "mood", "tempo"}
    with pytest.raises(InvalidArgument, match='"group", not'):
        tag_counts(tags, by="colour")  # type: ignore[arg-type]  # as people do


# --- independence -----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_fisher_p_against_scipy(size: int, one: float, two: float, joint: float) -> None:
    first, second = round(one * size), round(two * size)
    least, most = max(first + second - size, 0), min(first, second)
    both = least + round(joint * (most - least))
    tails = (
        stats.hypergeom.sf(both - 1, size, first, second),
        stats.hypergeom.cdf(both, size, first, second),
    )
    (p,) = fisher_p(*(np.array([float(n)]) for n in (both, size, first, second)))
    assert p == pytest.approx(min(1.0, 2 * min(tails)), abs=1e-9)


def independent_tags(
    seed: int, tasks: int, correlation: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return tags and songs: 24 independent tags, whose two songs of a task correlate."""
    rng = np.random.default_rng(seed)
    shares = 1 / (np.arange(24) + 1.5)
    shared, own = rng.random((tasks, 1, 24)) < shares, rng.random((tasks, 2, 24)) < shares
    has = np.where(rng.random((tasks, 2, 24)) < np.sqrt(correlation), shared, own)
    task, song, tag = np.nonzero(has)
    tags = pd.DataFrame({"task_id": task, "song_id": 2 * task + song, "tag": tag}).astype(TEXT)
    tags["tag"] = "tag " + tags["tag"] + "x"
    numbers = np.arange(2 * tasks)
    songs = pd.DataFrame({"task_id": numbers // 2, "song_id": numbers}).astype(TEXT)
    return tags, songs.assign(state="succeeded")


@pytest.mark.parametrize(("tasks", "correlation"), [(10, 0.9), (50, 0.3), (100, 0.9)])
def test_independent_tags_are_rarely_marked(tasks: int, correlation: float) -> None:
    marked, tested = 0, []
    for seed in range(12):
        tags, songs = independent_tags(seed, tasks, correlation)
        pairs = cooccurrence(tags, songs=songs, top=24)
        marked += int((pairs["p_adjusted"] <= 0.05).any())
        tested.append((pairs["p"] <= 0.05).mean())
    assert marked <= 2  # 5 % of charts: more than 2 of 12 have a chance of 2 %
    assert np.mean(tested) <= 0.05


def test_tags_that_avoid_or_seek_each_other_are_marked() -> None:
    rows: Songs = []
    for index in range(200):
        has = ["a"] if index % 2 else ["b"]
        rows.append((f"t{index // 2 // 2}", [*has, *(["c"] if index % 10 == 1 else []), "any"]))
    table_of_pairs = cooccurrence(table(rows))
    names = zip(table_of_pairs["tag"], table_of_pairs["other_tag"], strict=True)
    pairs: dict[Any, dict[Any, Any]] = dict(
        zip(names, table_of_pairs.to_dict("records"), strict=True)
    )
    apart = pairs["a", "b"]
    assert (apart["joint_songs"], apart["lift"]) == (0, 0)
    assert apart["lift_high"] < 0.2
    assert apart["p_adjusted"] < 1e-6
    together = pairs["c", "a"]
    assert together["lift"] == 2
    assert together["lift_low"] > 1
    assert together["p_adjusted"] < 0.01
    assert pairs["a", "any"]["p"] == 1
    one_task = table([("t", ["a", "b"]), ("t", ["a"])])
    assert cooccurrence(one_task)[["p", "p_adjusted"]].isna().all(axis=None)


# --- other input ----------------------------------------------------------------------------


def test_empty_tables_have_all_columns() -> None:
    for tags in (frames.tags_frame([]), table([]), table([("t", [])])):
        assert list(cooccurrence(tags).dtypes) == PAIR_DTYPES
        assert list(tag_counts(tags).dtypes) == COUNT_DTYPES
        assert exclusive_sets(tags).empty
        assert exclusive_sets(tags, among=["jazz"]).index.names == ["jazz"]
        assert not len(cooccurrence(tags)) + len(tag_counts(tags))


def test_index_and_dtypes_do_not_matter() -> None:
    tags = table(SMALL)
    keys = dict.fromkeys(("task_id", "song_id"), "category")
    for variant in (tags.set_index("task_id", drop=False), tags.astype(object), tags.astype(keys)):
        pd.testing.assert_frame_equal(cooccurrence(variant), cooccurrence(tags))
        pd.testing.assert_frame_equal(tag_counts(variant), tag_counts(tags))
        pd.testing.assert_series_equal(exclusive_sets(variant), exclusive_sets(tags))


def test_sample_replies() -> None:
    tags = frames.tags_frame([sample(name) for name in NAMES])
    number = len(tags[["task_id", "song_id"]].drop_duplicates())
    assert set(cooccurrence(tags, cluster="song_id")["songs"]) == {number}
    assert exclusive_sets(tags).sum() == number


def test_tasks_of_an_experiment_are_its_cells() -> None:
    tags = table([("t1", ["a"]), ("t1", ["a", "b"])])
    tags.insert(0, "cell", [0, 1, 1])
    tags["song_id"] = "s"
    tags["task_id"] = None
    result = tag_counts(tags)
    assert result["songs"].tolist() == [2, 1]
    assert result["tasks"].tolist() == [2, 1]


GIVEN = table(SMALL)
LISTS = pd.Series([["s"]] * len(GIVEN), dtype=object)


@pytest.mark.parametrize("count", [cooccurrence, tag_counts, exclusive_sets])
@pytest.mark.parametrize(
    ("tags", "kind", "message"),
    [
        (GIVEN.drop(columns="tag"), BadFrame, "'tag'"),
        (GIVEN.assign(tag=1.5), BadFrame, "'tag'.*float64"),
        (GIVEN.assign(task_id=None, song_id=None), BadFrame, "neither task nor song"),
        (GIVEN.assign(song_id=LISTS), BadFrame, "'song_id'.*single values"),
        ("tags", InvalidArgument, "tags.*str"),
    ],
)
def test_invalid_tables_are_refused(
    count: Callable[[Any], Any], tags: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        count(tags)


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(BadFrame, match="task_id"):
        cooccurrence(GIVEN.assign(task_id=None))
    with pytest.raises(InvalidArgument, match="level"):
        tag_counts(GIVEN, level=0)
    for top in (-1, 2.5):
        with pytest.raises(InvalidArgument, match="top must be"):
            cooccurrence(GIVEN, top=top)  # type: ignore[arg-type]  # as people do
        with pytest.raises(InvalidArgument, match="top must be"):
            exclusive_sets(GIVEN, top=top)  # type: ignore[arg-type]  # as people do
    with pytest.raises(InvalidArgument, match=r"among must be .* not \[3\]"):
        exclusive_sets(GIVEN, among=[3])  # type: ignore[list-item]  # as people do
    with pytest.raises(InvalidArgument, match="list of tags"):
        exclusive_sets(GIVEN, among="jazz")
