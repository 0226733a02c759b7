"""Effects: estimates, intervals over tasks, p-values, invalid tables."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.api import OLS
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

import musicapi_nb as mnb
from musicapi_nb.analysis import effects
from musicapi_nb.analysis.bootstrap import Sums, permutation_p, resample
from musicapi_nb.analysis.clusters import cluster_codes, level_codes, sum_by_code
from musicapi_nb.analysis.contrasts import (
    Share,
    adjust_p_values,
    difference_interval,
    ratio_interval,
)
from musicapi_nb.errors import BadFrame, InvalidArgument

if TYPE_CHECKING:
    from musicapi_nb.analysis.contrasts import Correction

Floats = NDArray[np.float64]
NUMBERS = ["estimate", "low", "high", "p", "p_adjusted", "mean", "baseline_mean"]


def songs_of(values: Mapping[str, Any], **columns: Any) -> pd.DataFrame:
    """Return songs of {level: [[durations of a task], ...]}, with a cell for each task."""
    tasks = [(level, task) for level, item in values.items() for task in item]
    rows = [
        (cell, level, f"t{cell}", f"s{cell}.{index}", "succeeded", duration)
        for cell, (level, task) in enumerate(tasks)
        for index, duration in enumerate(task)
    ]
    names = ["cell", "style", "task_id", "song_id", "state", "duration"]
    return pd.DataFrame(rows, columns=names).assign(**columns)


def row_of(frame: pd.DataFrame, name: Any) -> Any:
    return frame.loc[name]


def tag_table(songs: pd.DataFrame, tags: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return the tags table of songs from the tags of each."""
    keys = songs[["cell", "task_id", "song_id"]].to_numpy().tolist()
    rows = [
        (*key, index, tag)
        for key, item in zip(keys, tags, strict=True)
        for index, tag in enumerate(item)
    ]
    names = ["cell", "task_id", "song_id", "position", "tag"]
    dtypes = {"task_id": "str", "song_id": "str", "tag": "str"}
    return pd.DataFrame(rows, columns=names).astype(dtypes)


THREE = {
    "jazz": [[100.0, 110.0], [120.0, 130.0], [140.0, 150.0]],
    "rock": [[200.0, 210.0], [180.0], [220.0, 240.0], [205.0, 215.0]],
    "folk": [[101.0, 109.0], [121.0, 131.0], [150.0, math.nan], [math.nan, math.nan]],
}


# --- figures -------------------------------------------------------------------------------


def test_table_computed_by_hand() -> None:
    result = effects(songs_of(THREE), "style").set_index("level")
    assert result.index.tolist() == ["rock", "folk"]
    rock, folk = row_of(result, "rock"), row_of(result, "folk")
    assert rock["baseline_mean"] == 125
    assert rock["mean"] == pytest.approx(1470 / 7)
    assert rock["estimate"] == pytest.approx(210 - 125)
    assert folk["estimate"] == pytest.approx(612 / 5 - 125)
    counts = ["songs", "tasks", "baseline_songs", "baseline_tasks", "missing_songs"]
    assert rock[counts].tolist() == [7, 4, 6, 3, 0]
    assert folk[counts].tolist() == [5, 3, 6, 3, 3]
    assert rock["low"] < 85 < rock["high"]
    assert rock["p"] == pytest.approx(1 / 35)  # of 35 ways to deal three of seven, the one seen
    assert rock["p_adjusted"] == pytest.approx(2 / 35)
    assert set(result["factor"]) == {"style"}
    assert set(result["baseline"]) == {"jazz"}
    assert set(result["measure"]) == {"difference"}
    quotient = effects(songs_of(THREE), "style", measure="ratio")
    quotient = row_of(quotient.set_index("level"), "rock")
    assert quotient["estimate"] == pytest.approx(210 / 125)
    assert 1 < quotient["low"] < 210 / 125 < quotient["high"]
    assert quotient["p"] == rock["p"]


@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=5),
    st.lists(st.integers(0, 9), min_size=2, max_size=5),
)
@settings(max_examples=20, deadline=None)
def test_enumerated_p_against_scipy(left_side: list[int], right_side: list[int]) -> None:
    def welch(first: Floats, second: Floats) -> float:
        error = math.sqrt(np.var(first, ddof=1) / len(first) + np.var(second, ddof=1) / len(second))
        off = abs(np.mean(first) - np.mean(second))
        if error < 1e-9:
            return 1e9 if off > 1e-9 else 0.0
        return float(np.round(off / error, 9))

    reference = stats.permutation_test(
        (left_side, right_side), welch, vectorized=False, alternative="greater", n_resamples=np.inf
    )
    values = {
        "a": [[float(item)] for item in left_side],
        "b": [[float(item)] for item in right_side],
    }
    result = effects(songs_of(values), "style", correction=None)
    assert result["p"][0] == pytest.approx(reference.pvalue)


def test_many_tasks_agree_with_welch() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(190, 20, 300), rng.normal(184, 30, 200)
    frame = songs_of({"a": first[:, None].tolist(), "b": second[:, None].tolist()})
    (result,) = effects(frame, "style", baseline="b", draws=8000).to_dict("records")
    reference = stats.ttest_ind(first, second, equal_var=False)
    assert result["p"] == pytest.approx(reference.pvalue, abs=0.004)
    between = reference.confidence_interval(0.95)
    wide = between.high - between.low
    assert result["low"] == pytest.approx(between.low, abs=0.05 * wide)
    assert result["high"] == pytest.approx(between.high, abs=0.05 * wide)


def test_variance_against_statsmodels_clusters() -> None:
    rng = np.random.default_rng(1)
    songs = rng.integers(1, 4, 25)
    task = np.repeat(np.arange(25), songs)
    values = rng.normal(180, 10, len(task)) + rng.normal(0, 20, 25)[task]
    sums = Sums(sum_by_code(task, values), songs.astype("float64"), np.zeros(25, dtype="int64"))
    result = resample(sums, 4000, (0,))
    reference = OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": task})
    assert result.mean == pytest.approx(reference.params[0])
    assert result.variance == pytest.approx(reference.bse[0] ** 2)
    assert np.var(result.means) == pytest.approx(result.variance, rel=0.15)
    assert result.means.mean() == pytest.approx(result.mean, abs=0.5)


def test_permutations_stay_within_blocks() -> None:
    values = {"a": [[1.0], [11.0], [21.0]], "b": [[2.0], [12.0], [22.0]]}
    frame = songs_of(values, block=pd.Series([1, 2, 3] * 2))
    paired, free = (effects(item, "style")["p"][0] for item in (frame, frame.drop(columns="block")))
    assert paired == pytest.approx(2 / 8)
    assert free > 0.5
    alone = frame.assign(block=[1, 2, 3, 4, 5, 6])
    assert math.isnan(effects(alone, "style")["p"][0])
    across = frame.assign(pair=[1, 2, 3, 4, 5, 6]).replace({"pair": {4: 4}})
    assert effects(across, "style", cluster="pair")["p"][0] == pytest.approx(2 / 8)


def test_random_permutations_agree_with_enumeration() -> None:
    rng = np.random.default_rng(0)
    p_values = []
    for seed in range(400):
        values = rng.normal(size=(2, 10))
        first, second = (Sums(item, np.ones(10), np.arange(10) // 5) for item in values)
        p_values.append(permutation_p(first, second, 199, (seed,)))
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert min(p_values) >= 1 / 200


@pytest.mark.parametrize("seed", range(5))
def test_corrections_against_statsmodels(seed: int) -> None:
    # few cases with many ties: statsmodels runs the garbage collector each time, which is slow
    rng = np.random.default_rng(seed)
    p = rng.choice([0.0, 0.001, 0.01, 0.04, 0.2, 1.0, math.nan, *rng.random(6)], 4 * seed)
    tested = ~np.isnan(p)
    for ours, theirs in (("holm", "holm"), ("bh", "fdr_bh")):
        result = adjust_p_values(p, ours)  # type: ignore[arg-type]  # a word of the pair above
        assert np.isnan(result[~tested]).all()
        if tested.any():
            np.testing.assert_allclose(result[tested], multipletests(p[tested], method=theirs)[1])
    np.testing.assert_array_equal(adjust_p_values(p, None), p)


def test_correction_covers_all_rows() -> None:
    frame = songs_of(THREE).assign(other=lambda rows: rows["duration"] * (rows["cell"] % 2))
    corrections: list[Correction | None] = ["holm", "bh", None]
    by = {
        item: effects(frame, "style", outcomes=["duration", "other"], correction=item)
        for item in corrections
    }
    plain = by[None]["p"].to_numpy()
    assert by[None]["outcome"].tolist() == ["duration", "duration", "other", "other"]
    np.testing.assert_allclose(by["holm"]["p_adjusted"], multipletests(plain, method="holm")[1])
    np.testing.assert_allclose(by["bh"]["p_adjusted"], multipletests(plain, method="fdr_bh")[1])


# --- coverage ------------------------------------------------------------------------------


def simulate(
    rng: np.random.Generator,
    tasks: tuple[int, int],
    outcomes: int,
    draw: Callable[[Floats], Floats],
) -> pd.DataFrame:
    """Return tasks of levels a and b, of two songs with correlation 0.7; some songs are missing."""
    alike = 0.7
    number = sum(tasks)
    shared = rng.normal(size=(number, 1, outcomes)) * math.sqrt(alike)
    noise = rng.normal(size=(number, 2, outcomes)) * math.sqrt(1 - alike)
    values = draw(shared + noise).reshape(2 * number, outcomes)
    frame = pd.DataFrame(values, columns=[f"y{index}" for index in range(outcomes)])
    frame["style"] = np.repeat(["a", "b"], [2 * item for item in tasks])
    frame["task_id"] = np.repeat([f"t{index:02}" for index in range(number)], 2)
    frame["song_id"] = [f"s{index:03}" for index in range(2 * number)]
    return frame[rng.random(2 * number) >= 0.07]


@pytest.mark.parametrize(
    ("tasks", "draw", "true"),
    [((15, 15), lambda z: z, 0.0), ((15, 40), lambda z: 60 * np.exp(0.3 * z), 0.0)],
    ids=["normal", "skewed"],
)
def test_coverage_of_mean_intervals(
    tasks: tuple[int, int], draw: Callable[[Floats], Floats], true: float
) -> None:
    rng = np.random.default_rng(11)
    by_task, by_song = [], []
    for seed in range(8):
        frame = simulate(rng, tasks, 50, draw)
        ask = functools.partial(
            effects, frame, "style", outcomes=list(frame.columns[:50]), draws=199, seed=seed
        )
        by_task.append(ask())
        if seed < 3:
            by_song.append(ask(cluster="song_id"))
    right, wrong = pd.concat(by_task), pd.concat(by_song)
    holds = [((item["low"] <= true) & (true <= item["high"])).mean() for item in (right, wrong)]
    assert 0.93 <= holds[0] <= 0.97
    assert holds[1] <= 0.91  # what songs for tasks would give
    assert 0.03 <= (right["p"] <= 0.05).mean() <= 0.07
    assert (wrong["p"] <= 0.05).mean() >= 0.09


@pytest.mark.parametrize(("first", "second"), [(0.05, 0.05), (0.1, 0.5), (0.9, 0.6)])
def test_coverage_of_share_intervals(first: float, second: float) -> None:
    rng = np.random.default_rng(5)
    names = [f"tag {index}" for index in range(60)]
    held: dict[str, list[Any]] = {"difference": [], "ratio": []}
    for seed in range(4):
        frame = simulate(rng, (20, 30), 60, stats.norm.cdf)
        bound = np.where(frame["style"] == "a", first, second)[:, None]
        row, index = np.nonzero(frame[frame.columns[:60]].to_numpy() < bound)
        keys = frame[["task_id", "song_id"]]
        tags = pd.concat(
            [keys.iloc[row].assign(tag=np.array(names)[index]), keys.assign(tag="any")]
        )
        for measure, true in (("difference", first - second), ("ratio", first / second)):
            result = effects(
                frame,
                "style",
                outcomes=(),
                tags=tags,
                presence=names,
                baseline="b",
                measure=measure,  # type: ignore[arg-type]
                draws=1,
                seed=seed,
            )
            defined = result.dropna(subset=["low"])
            assert len(defined) > 40
            held[measure].append((defined["low"] <= true) & (true <= defined["high"]))
    for item in held.values():
        assert 0.93 <= np.concatenate(item).mean() <= 1


# --- shares --------------------------------------------------------------------------------


def test_presence_is_defined_for_succeeded_songs() -> None:
    frame = songs_of({"a": [[1.0, 2.0], [3.0, 4.0], [5.0]], "b": [[1.0, 2.0], [3.0, 4.0], [5.0]]})
    frame.loc[9, "state"] = "failed"
    frame["state"] = frame["state"].astype("str")
    song_tags = [
        ["Spy  Jazz", "x"],
        ["spy-jazz"],
        ["SPY JAZZ", "spy jazz"],
        ["jazz"],
        [],
        ["x"],
        ["spy jazz"],
        ["y"],
        [],
        [],
    ]
    tags = tag_table(frame, song_tags)
    ask = functools.partial(effects, tags=tags, presence=["spy jazz", "never"], outcomes=())
    result = ask(frame, "style").set_index("outcome")
    assert result.index.tolist() == ["tag: spy jazz", "tag: never"]
    row = row_of(result, "tag: spy jazz")
    assert (row["mean"], row["baseline_mean"]) == (1 / 4, 3 / 5)
    assert row[["songs", "tasks", "baseline_songs", "missing_songs"]].tolist() == [4, 2, 5, 1]
    assert row["estimate"] == pytest.approx(1 / 4 - 3 / 5)
    never = row_of(result, "tag: never")
    assert never["low"] < never["estimate"] == 0 < never["high"]
    assert never["p"] == 1
    relative = ask(frame, "style", measure="ratio").set_index("outcome")
    assert relative.loc["tag: spy jazz", "estimate"] == pytest.approx(5 / 12)
    assert relative.loc["tag: never", ["estimate", "low", "high"]].isna().all()
    # without a state, songs without any tag have no defined presence
    without = ask(frame.drop(columns="state"), "style").set_index("outcome")
    assert row_of(without, "tag: spy jazz")[
        ["songs", "baseline_songs", "missing_songs"]
    ].tolist() == [3, 4, 3]


def test_share_intervals_against_published_values() -> None:
    # Newcombe 1998, table II: 56/70 against 48/80
    first, second = (
        Share(k / n, *map(float, proportion_confint(k, n, method="wilson")))
        for k, n in ((56, 70), (48, 80))
    )
    assert difference_interval(first, second) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference_interval(second, first) == pytest.approx((-0.3339, -0.0524), abs=5e-5)
    low, high = ratio_interval(first, second)
    assert ratio_interval(second, first) == pytest.approx((1 / high, 1 / low))
    # the bounds are where the hypothesis p1 - r * p2 = 0 meets the bound of that difference
    for r, sides in ((low, (first.low, second.high)), (high, (first.high, second.low))):
        off = first.share - r * second.share
        reach = math.hypot(first.share - sides[0], r * (second.share - sides[1]))
        assert abs(off) == pytest.approx(reach)
    empty = Share(0.0, 0.0, 0.2)
    assert ratio_interval(empty, first)[0] == 0 < ratio_interval(empty, first)[1] < 1
    assert ratio_interval(first, empty)[1] == math.inf


# --- what changes nothing ------------------------------------------------------------------


VALUES = st.lists(
    st.lists(st.integers(1, 300).map(float), min_size=1, max_size=3), min_size=1, max_size=6
)


@given(VALUES, VALUES, st.sampled_from(["difference", "ratio"]))
@example([[1.0]] * 3, [[1.0], [1.0], [1.0, 140.0, 300.0]], "ratio")  # a bound beyond exp(700)
@settings(max_examples=12, deadline=None)
def test_swapping_level_and_baseline_inverts_the_effect(
    first: list[list[float]], second: list[list[float]], measure: Any
) -> None:
    frame = songs_of({"a": first, "b": second})
    tags = tag_table(frame, [["low"] if value < 150 else [] for value in frame["duration"]])
    ask = functools.partial(
        effects, frame, "style", tags=tags, presence="low", measure=measure, draws=99
    )
    forth, back = ask(baseline="a"), ask(baseline="b")

    def turned(values: pd.Series) -> Any:
        return -values if measure == "difference" else 1 / values

    both = forth["estimate"].notna() & back["estimate"].notna() & (forth["estimate"] != 0)
    for ours, theirs in (("estimate", "estimate"), ("low", "high"), ("high", "low")):
        right = turned(back.loc[both, theirs].replace(0, math.nan))
        defined = right.notna()
        np.testing.assert_allclose(forth.loc[both, ours][defined], right[defined], atol=1e-9)
    np.testing.assert_allclose(forth["p"], back["p"])
    assert forth[["songs", "tasks"]].equals(
        back[["baseline_songs", "baseline_tasks"]].set_axis(["songs", "tasks"], axis=1)
    )


@given(st.data(), st.tuples(VALUES, VALUES, VALUES))
@settings(max_examples=12, deadline=None)
def test_level_names_and_row_order_do_not_matter(
    data: st.DataObject, values: tuple[list[list[float]], ...]
) -> None:
    frame = songs_of(dict(zip("abc", values, strict=True)))
    tags = tag_table(frame, [["low"] if value < 150 else ["high"] for value in frame["duration"]])
    frame = frame.assign(block=frame["cell"] % 2)
    ask = functools.partial(effects, factor="style", tags=tags, presence=["low"], draws=60)
    plain = ask(frame, baseline="a")
    shuffled = frame.loc[data.draw(st.permutations(list(frame.index)))]
    names = {"a": "z", "b": "10", "c": "9"}
    renamed = ask(frame.replace({"style": names}), baseline="z")
    np.testing.assert_allclose(renamed[NUMBERS], plain[NUMBERS])
    again = ask(shuffled, baseline="a")
    sort = ["outcome", "level"]
    left, right = (item.sort_values(sort).reset_index(drop=True) for item in (plain, again))
    np.testing.assert_allclose(left[NUMBERS], right[NUMBERS], rtol=1e-9, atol=1e-9)
    pd.testing.assert_frame_equal(left.drop(columns=NUMBERS), right.drop(columns=NUMBERS))
    defined = plain.dropna(subset=["low", "high"])
    assert (defined["low"] <= defined["estimate"] + 1e-9).all()
    assert (defined["estimate"] <= defined["high"] + 1e-9).all()
    assert plain["p"].dropna().between(0, 1).all()


def test_seed_determines_results() -> None:
    frame = songs_of(
        {
            "a": [[float(index), index + 3.0] for index in range(9)],
            "b": [[2.0 * index] for index in range(9)],
        }
    )
    ask = functools.partial(effects, frame, "style", draws=100)
    pd.testing.assert_frame_equal(ask(seed=1), ask(seed=1))
    assert not ask(seed=1).equals(ask(seed=2))
    wide, narrow = (ask(level=level, draws=2000).loc[0] for level in (0.99, 0.8))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


# --- tables as they come -------------------------------------------------------------------


def test_level_order_and_missing_level() -> None:
    frame = songs_of({"b": [[1.0]], "a": [[2.0]], "c": [[3.0]]})
    assert effects(frame, "style")["level"].tolist() == ["a", "c"]
    ordered = frame.assign(style=pd.Categorical(frame["style"], ["c", "a", "b"]))
    result = effects(ordered, "style")
    assert (result["level"].tolist(), set(result["baseline"])) == (["a", "b"], {"c"})
    incomplete = frame.assign(
        style=pd.Series([None, "x", " "], dtype="str"), on=[True, False, True]
    )
    assert effects(incomplete, "style", baseline="x")["level"].tolist() == ["(none)", "(blank)"]
    assert effects(incomplete, "on", baseline=False)[["level", "baseline"]].iloc[0].tolist() == [
        "True",
        "False",
    ]
    assert level_codes(frame[:0], "style")[1] == []


def test_few_tasks_have_no_interval() -> None:
    frame = songs_of(
        {
            "a": [[1.0, 2.0], [3.0, 5.0]],
            "b": [[4.0], [9.0], [8.0]],
            "c": [[7.0, 7.0]],
            "d": [[math.nan]],
        }
    )
    result = effects(frame, "style").set_index("level")
    assert result["estimate"].tolist()[:2] == pytest.approx([7 - 2.75, 7 - 2.75])
    assert result[["low", "high"]].isna().all(axis=None)
    assert result.loc["d", ["estimate", "p", "mean"]].isna().all()
    assert result["tasks"].tolist() == [3, 1, 0]
    endless = frame.assign(duration=frame["duration"].replace(9.0, math.inf))
    first = row_of(effects(endless, "style"), 0)
    assert (first["mean"], first["missing_songs"]) == (6, 1)
    pd.testing.assert_frame_equal(
        effects(endless.replace(math.inf, 1e200), "style"), effects(endless, "style")
    )
    constant = row_of(effects(songs_of({"a": [[5.0]] * 4, "b": [[5.0]] * 4}), "style"), 0)
    assert (constant["estimate"], constant["p"]) == (0, 1)
    assert math.isnan(constant["low"])


def test_tables_of_the_package_are_accepted() -> None:
    replies = [
        {
            "task_id": f"t{index}",
            "code": 200,
            "data": [
                {
                    "clip_id": f"c{index}{song}",
                    "state": "succeeded",
                    "duration": str(100 + 9 * index + song),
                    "tags": "slow, \N{FIRE}" if index % 2 else 'a "b", slow',
                }
                for song in range(2)
            ],
        }
        for index in range(8)
    ]
    songs = mnb.songs_frame(replies)
    songs["asked"] = songs["task_id"].map(lambda name: "hot" if int(name[1:]) % 2 else "cold")
    result = effects(songs, "asked", tags=mnb.tags_frame(replies), presence=["\N{FIRE}", "slow"])
    assert result["estimate"].tolist() == pytest.approx([9, 1, 0])
    assert result["tasks"].tolist() == [4, 4, 4]
    rated = songs.assign(rating=pd.array([1, None, 3, 4] * 4, dtype="Int64"))
    assert effects(rated, "asked", outcomes="rating")["missing_songs"].tolist() == [4]


def test_empty_table_has_all_columns_and_dtypes() -> None:
    full = effects(songs_of(THREE), "style")
    for frame in (songs_of(THREE)[:0], mnb.songs_frame([]).assign(style="x"), songs_of(THREE)[:1]):
        nothing = effects(frame, "style")
        assert nothing.dtypes.equals(full.dtypes)
        assert len(nothing) == 0
    empty = mnb.tags_frame([])
    no_tags = effects(songs_of(THREE), "style", tags=empty, presence=["x"], outcomes=())
    assert no_tags["estimate"].tolist() == [0, 0]
    lost = songs_of(THREE).assign(state="failed", duration=math.nan)
    failed = effects(lost, "style", tags=empty, presence=["x"])
    assert failed[["estimate", "low", "high", "p"]].isna().all(axis=None)
    assert failed["songs"].tolist() == [0] * 4
    assert failed.dtypes.equals(full.dtypes)


def test_invalid_tables_are_refused() -> None:
    frame = songs_of(THREE)
    tags = tag_table(frame, [["x"]] * len(frame))

    def assert_refused(pattern: str, frame: Any, factor: str = "style", **named: Any) -> None:
        with pytest.raises((BadFrame, InvalidArgument), match=pattern):
            effects(frame, factor, **named)

    assert_refused("column 'mv'", frame, "mv")
    assert_refused("'duration' .* is str, not number", frame.assign(duration="long"))
    assert_refused("no level 'metal'; it has jazz, rock, folk", frame, baseline="metal")
    assert_refused("a task has songs of style 'jazz' and 'rock'", frame.assign(cell=1, task_id="t"))
    assert_refused("no 'cell' or 'task_id' column", frame.drop(columns=["cell", "task_id"]))
    by_task = frame.drop(columns="cell")
    by_task["task_id"] = by_task["task_id"].where(by_task["task_id"] != "t1")
    assert_refused("2 of 21 rows .* have no 'task_id'", by_task)
    assert_refused("cell 0 .* several tasks", frame.assign(cell=0))
    assert_refused("given together", frame, tags=tags)
    assert_refused("given together", frame, presence=["x"])
    assert_refused("column 'song_id'", frame, presence=["x"], tags=tags.drop(columns="song_id"))
    assert_refused("column 'tag'", frame, presence=["x"], tags=tags.drop(columns="tag"))
    for name in ("block", "cell", "state"):
        twice = pd.concat([frame.assign(block=1), frame[["cell"]].set_axis([name], axis=1)], axis=1)
        assert_refused(f"2 columns named '{name}'", twice, presence="x", tags=tags)
    duplicated = pd.concat([frame, frame[:1]])
    assert_refused(
        "2 rows .* cell 0, task_id 't0', song_id 's0.0', so this song is duplicated", duplicated
    )
    lists = pd.Series([["x"]] * len(frame), dtype=object)
    assert_refused("'style' .* is object, not single values", frame.assign(style=lists))
    assert_refused("'duration' .* is complex128, not number", frame.assign(duration=1j))
    assert_refused(
        "'task_id' is int64 in .* and str in", frame.assign(task_id=1), presence="x", tags=tags
    )
    assert_refused("factor must be", frame, ["style"])  # type: ignore[arg-type]  # as people do
    assert_refused("presence must be a name .* not .3.", frame, presence=[3], tags=tags)
    assert_refused("measure must be .* not 'odds'", frame, measure="odds")
    assert_refused("correction must be .* not 'none'", frame, correction="none")
    assert_refused("draws must be .* not 0", frame, draws=0)
    assert_refused("level .* not 95", frame, level=95)
    assert_refused("is a list, not a DataFrame", [])
    assert len(cluster_codes(by_task, cluster="song_id")) == 21
