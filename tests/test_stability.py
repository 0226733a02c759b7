"""Stability: similarity of tags and durations, intervals, invalid tables."""

import functools
import itertools
import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import musicapi_nb as mnb
from musicapi_nb import stability, variance
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.text_dtype import TEXT

Tasks = Sequence[Sequence[Sequence[str]]]
BOUNDS = [
    "jaccard_within_low",
    "jaccard_within_high",
    "jaccard_between_low",
    "jaccard_between_high",
]
TWO: Tasks = [[["a", "b"], ["a", "c"]], [["a", "b"], ["b", "a"]]]


def song_tables(prompts: dict[str, Tasks]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return songs and tags of {prompt: [task: [song: [tag, ...], ...], ...]}."""
    songs, tags, cell = [], [], 0
    for prompt, tasks in prompts.items():
        for task in tasks:
            for index, has in enumerate(task):
                key = (cell, f"t{cell}", f"s{cell}.{index}")
                songs.append((*key[:1], prompt, *key[1:], "succeeded", 100.0 + cell + 3 * index))
                tags += [(*key, position, tag) for position, tag in enumerate(has)]
            cell += 1
    return (
        pd.DataFrame(songs, columns=["cell", "prompt", "task_id", "song_id", "state", "duration"])
        .astype({"cell": "int64", "prompt": TEXT, "task_id": TEXT, "song_id": TEXT})
        .astype({"state": TEXT, "duration": "float64"}),
        pd.DataFrame(tags, columns=["cell", "task_id", "song_id", "position", "tag"]).astype(
            {"cell": "int64", "task_id": TEXT, "song_id": TEXT, "tag": TEXT}
        ),
    )


def only(frame: pd.DataFrame) -> Any:
    assert len(frame) == 1
    return frame.iloc[0]


def mean_jaccard(tasks: Tasks) -> tuple[float, float]:
    """Return the mean Jaccard index within and between tasks, computed pair by pair."""
    songs = [(index, set(song)) for index, task in enumerate(tasks) for song in task if song]
    inside: list[float] = []
    outside: list[float] = []
    for (first, subset), (second, extra) in itertools.combinations(songs, 2):
        (inside if first == second else outside).append(len(subset & extra) / len(subset | extra))
    return tuple(np.mean(item) if item else math.nan for item in (inside, outside))  # type: ignore[return-value]  # two of them


# --- figures -------------------------------------------------------------------------------


def test_table_computed_by_hand() -> None:
    songs, tags = song_tables({"jazz": TWO, "rock": [[["x"]]]})
    result = stability(songs, tags, by="prompt")
    assert result["prompt"].tolist() == ["jazz", "rock"]
    jazz, rock = (only(result[result["prompt"] == name]) for name in ("jazz", "rock"))
    assert jazz["jaccard_within"] == pytest.approx((1 / 3 + 1) / 2)
    assert jazz["jaccard_between"] == pytest.approx((1 + 1 + 1 / 3 + 1 / 3) / 4)
    assert jazz[["tasks", "songs", "common_tags"]].tolist() == [2, 4, 1]
    # durations 100, 103 and 101, 104: squares within 4.5 each, between tasks 2 * 0.5
    assert jazz["duration_sd_within"] == pytest.approx(math.sqrt(4.5))
    assert jazz["duration_sd_between"] == 0
    assert jazz[BOUNDS].isna().all()  # of two tasks
    assert rock[["tasks", "songs", "common_tags"]].tolist() == [1, 1, 1]
    assert rock[["jaccard_within", "jaccard_between", "duration_sd_within"]].isna().all()


SETS = st.lists(
    st.lists(st.lists(st.sampled_from("abcde"), max_size=4), min_size=1, max_size=3), max_size=6
)


@given(SETS, st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_means_and_jackknife_bounds_computed_directly(tasks: Tasks, rng: Any) -> None:
    if not tasks:
        return
    songs, tags = song_tables({"p": tasks})
    result = only(stability(songs, tags, by="prompt"))
    means = mean_jaccard(tasks)
    assert [result["jaccard_within"], result["jaccard_between"]] == pytest.approx(
        means, nan_ok=True
    )
    for name, which in (("within", 0), ("between", 1)):
        low, high = result[f"jaccard_{name}_low"], result[f"jaccard_{name}_high"]
        if not math.isnan(low):
            assert 0 <= low <= means[which] <= high <= 1
        without = [
            mean_jaccard([*tasks[:index], *tasks[index + 1 :]])[which]
            for index in range(len(tasks))
        ]
        changed = [
            part
            for part, task in zip(without, tasks, strict=True)
            if sum(map(bool, task)) > 1 - which
        ]
        p, spread = means[which], (len(changed) - 1) * float(np.var(changed)) if changed else 0.0
        if len(changed) > 2 and not np.isnan(changed).any() and spread > 1e-12 and 0 < p < 1:
            # Wilson's bounds are where the distance is t standard errors of the bound itself
            t2 = float(stats.t.ppf(0.975, len(changed) - 1)) ** 2
            for bound in (low, high):
                error2 = bound * (1 - bound) * spread / (p * (1 - p))
                assert (p - bound) ** 2 == pytest.approx(t2 * error2, abs=1e-9)
    order = rng.sample(list(songs.index), len(songs)), rng.sample(list(tags.index), len(tags))
    again = stability(songs.loc[order[0]], tags.loc[order[1]], by="prompt")
    np.testing.assert_allclose(
        again.drop(columns="prompt").iloc[0].astype("float64"),
        result.drop("prompt").astype("float64"),
        atol=1e-9,
    )


def test_duration_deviations_agree_with_variance() -> None:
    rng = np.random.default_rng(0)
    songs, tags = song_tables({"p": [[["x"]] * 2 for _ in range(12)], "q": [[["x"]] * 2] * 3})
    songs["duration"] = rng.normal(0, 9, 15)[songs["cell"]] + rng.normal(180, 4, len(songs))
    songs.loc[3, "duration"] = math.nan
    result = stability(songs, tags, by="prompt")
    for index, name in enumerate("pq"):
        reference = only(variance(songs[songs["prompt"] == name]))
        assert result["duration_sd_within"][index] == pytest.approx(
            math.sqrt(reference["variance_within"])
        )
        expected = math.sqrt(max(reference["variance_between"], 0))
        assert result["duration_sd_between"][index] == pytest.approx(expected)


@pytest.mark.parametrize("alike", [1.0, 1000.0], ids=["tasks differ", "tasks alike"])
def test_coverage_of_intervals(alike: float) -> None:
    rng = np.random.default_rng(6)
    base = np.linspace(0.9, 0.05, 14)

    def drawn(*shape: int) -> NDArray[np.bool_]:
        chance = rng.beta(base * alike, (1 - base) * alike, (*shape, 1, 14))
        return rng.random((*shape, 2, 14)) < chance

    large = drawn(20_000, 2)

    def index(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
        shared, either = (first & second).sum(axis=1), (first | second).sum(axis=1)
        return float((shared[either > 0] / either[either > 0]).mean())

    true = {
        "within": index(large[:, 0, 0], large[:, 0, 1]),
        "between": index(large[:, 0, 0], large[:, 1, 0]),
    }
    has = drawn(400, 8).reshape(400 * 16, 14)
    row, tag = np.nonzero(has)
    songs = pd.DataFrame({"task_id": np.repeat(np.arange(3200), 2), "song_id": np.arange(6400)})
    songs = songs.assign(prompt=songs["task_id"] // 8, duration=1.0)
    tags = songs[["task_id", "song_id"]].iloc[row].assign(tag=np.array(list("abcdefghijklmn"))[tag])
    result = stability(songs, tags, by="prompt")
    for name, value in true.items():
        low, high = result[f"jaccard_{name}_low"], result[f"jaccard_{name}_high"]
        assert 0.92 <= ((low <= value) & (value <= high)).mean() <= 0.985


# --- tables as they come -------------------------------------------------------------------


def test_failed_and_untagged_songs_are_not_compared() -> None:
    songs, tags = song_tables({"p": [*TWO, [["zzz"], []]]})
    songs.loc[4, "state"] = "failed"
    result = only(stability(songs, tags, by="prompt"))
    assert result[["tasks", "songs", "common_tags"]].tolist() == [3, 5, 1]
    assert result["jaccard_between"] == pytest.approx(2 / 3)
    lost = songs.assign(state="failed")
    nothing = only(stability(lost, tags, by="prompt"))
    assert nothing[["tasks", "songs", "common_tags"]].tolist() == [0, 0, 0]
    assert nothing["jaccard_within"] != nothing["jaccard_within"]
    # failed songs may share a missing id, since their tags are not used
    lost["song_id"] = pd.Series([None] * len(lost), dtype=TEXT)
    assert len(stability(lost, tags, by="prompt")) == 1


def test_spelling_is_ignored() -> None:
    copy = [
        [["Lo-Fi", "a, b"], ["lo fi", "A,  B"]],
        [["LO FI", "a, b", "a, b"], ["lo-fi", "a, b"]],
        [["lo  fi", "a, b"]],
    ]
    result = only(stability(*song_tables({"p": copy}), by="prompt"))
    assert (result["jaccard_within"], result["jaccard_between"], result["common_tags"]) == (1, 1, 2)
    assert result["jaccard_between_low"] < 1 == result["jaccard_between_high"]
    unusual = only(
        stability(*song_tables({"p": [[["\N{FIRE}", '"x"'], ["\N{FIRE}"]]]}), by="prompt")
    )
    assert (unusual["jaccard_within"], unusual["common_tags"]) == (0.5, 1)


def test_prompt_of_several_columns() -> None:
    songs, tags = song_tables({"p": TWO, "q": TWO})
    songs["loud"] = pd.array([True, True, None, None] * 2, dtype="boolean")
    result = stability(songs, tags, by=["prompt", "loud"])
    assert list(result.columns[:2]) == ["prompt", "loud"]
    assert result["loud"].dtype == "boolean"
    assert result["tasks"].tolist() == [1, 1, 1, 1]
    assert result["jaccard_within"].tolist() == pytest.approx([1 / 3, 1] * 2)


def test_empty_table_has_all_columns_and_dtypes() -> None:
    songs, tags = song_tables({"p": TWO})
    full = stability(songs, tags, by="prompt")
    for empty, subset in ((songs[:0], tags), (songs[:0], tags[:0])):
        nothing = stability(empty, subset, by="prompt")
        assert len(nothing) == 0
        assert nothing.dtypes.equals(full.dtypes)
    untagged = stability(songs, tags[:0], by="prompt")
    assert untagged.dtypes.equals(full.dtypes)
    assert untagged[["jaccard_within", "jaccard_between"]].isna().all(axis=None)
    two = [{"clip_id": f"c{index}", "state": "succeeded", "tags": "a, b"} for index in range(2)]
    reply = {"task_id": "t", "code": 200, "data": two}
    raw = stability(mnb.songs_frame(reply), mnb.tags_frame(reply), by="engine")
    assert only(raw)["jaccard_within"] == 1


def test_large_tables_are_fast() -> None:
    rng = np.random.default_rng(0)
    number = 4000
    keys = pd.DataFrame(
        {
            "task_id": np.repeat(np.arange(number // 2), 2).astype(str),
            "song_id": np.arange(number).astype(str),
        }
    )
    tags = keys.loc[np.repeat(keys.index, 6)].assign(tag=rng.integers(0, 10_000, 6 * number))
    tags["tag"] = tags["tag"].map("tag {}".format)
    start = time.process_time()
    result = only(stability(keys.assign(prompt="p", duration=1.0), tags, by="prompt"))
    assert time.process_time() - start < 10
    assert 0 < result["jaccard_between"] < 0.01
    assert result["common_tags"] == 0


def test_invalid_tables_are_refused() -> None:
    songs, tags = song_tables({"p": TWO})
    ask = functools.partial(stability, songs, tags)
    with pytest.raises(BadFrame, match="column 'mv'"):
        ask(by="mv")
    with pytest.raises(InvalidArgument, match="by must name at least one column"):
        ask(by=[])
    with pytest.raises(BadFrame, match=r"by has .songs., a column of the result"):
        ask(by=["prompt", "songs"])
    with pytest.raises(InvalidArgument, match=r"level .* not 0"):
        ask(by="prompt", level=0)
    with pytest.raises(BadFrame, match=r"'tag' of tags .* is int64, not text"):
        stability(songs, tags.assign(tag=1), by="prompt")
    with pytest.raises(BadFrame, match="'duration'"):
        stability(songs.drop(columns="duration"), tags, by="prompt")
    with pytest.raises(
        BadFrame, match=r"2 rows of songs .* song_id 's0.0', so this song is duplicated"
    ):
        stability(pd.concat([songs, songs[:1]]), tags, by="prompt")
    with pytest.raises(BadFrame, match="no 'cell' or 'task_id' column"):
        stability(songs.drop(columns=["cell", "task_id"]), tags, by="prompt")


def test_likeness_has_the_means_and_intervals_of_other_similarities() -> None:
    tasks: Tasks = [
        [["a", "b"], ["a", "c"]],
        [["a", "b"], ["b", "d"]],
        [["a"], ["a", "c"]],
        [["d", "b"], ["c"]],
    ]
    songs, tags = song_tables({"one": tasks, "two": tasks[:1]})
    rows = list(songs.itertuples())
    sets = tags.groupby("song_id")["tag"].agg(set)
    pairs = pd.DataFrame(
        [
            (one.task_id, one.song_id, other.task_id, other.song_id, jaccard(one, other, sets))
            for one, other in itertools.combinations(rows, 2)
        ],
        columns=["task_id", "song_id", "other_task_id", "other_song_id", "likeness"],
    )
    table = stability(songs, tags, by="prompt", likeness=pairs)
    for name in ("within", "between"):
        for bound in ("", "_low", "_high"):
            expected = table[f"jaccard_{name}{bound}"].tolist()
            figures = table[f"likeness_{name}{bound}"].tolist()
            assert figures == pytest.approx(expected, nan_ok=True), (name, bound)
    assert table["likeness_pairs"].tolist() == [28, 1]  # without those of two prompts
    unknown = stability(songs, tags, by="prompt", likeness=pairs.assign(likeness=np.nan))
    assert unknown["likeness_pairs"].tolist() == [0, 0]
    assert unknown[["likeness_within", "likeness_between"]].isna().all(axis=None)
    with pytest.raises(BadFrame, match="lacks column 'other_song_id'"):
        stability(songs, tags, by="prompt", likeness=pairs.drop(columns="other_song_id"))


def jaccard(one: Any, other: Any, sets: Any) -> float:
    first, second = sets[one.song_id], sets[other.song_id]
    return len(first & second) / len(first | second)
