"""Reducing by parts: the sums of parts are the sums of the whole, and no rows travel."""

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dask
import dask.dataframe as dd
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb.analysis import adherence, cooccurrence, exclusive_sets, substitutions, tag_counts
from musicapi_nb.analysis.partitions import map_reduce, sum_by_key
from musicapi_nb.analysis.ratio_estimator import SUMS, ratio_sums
from musicapi_nb.errors import BadFrame

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("here")
TAGS = ("jazz", "spy", "mpb", "pop rock", "2010s")
rows = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["calm", "dark", None]),
        st.lists(st.sampled_from(TAGS), max_size=4),
        st.lists(st.sampled_from(TAGS), max_size=4, unique=True),
    ),
    min_size=1,
    max_size=20,
)
Rows = list[tuple[int, str | None, list[str], list[str]]]


@pytest.fixture(scope="module")
def here() -> Iterator[None]:
    """Parts are counted one after the other: starting threads takes longer than counting."""
    with dask.config.set(scheduler="synchronous"):
        yield


def tables(given_: Rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Songs and tags, by task."""
    ordered = sorted(given_, key=lambda row: row[0])
    songs = pd.DataFrame(
        {
            "mood": pd.Series([row[1] for row in ordered], dtype="str"),
            "task_id": pd.Series([f"t{row[0]}" for row in ordered], dtype="str"),
            "song_id": pd.Series([f"s{at}" for at in range(len(ordered))], dtype="str"),
            "prompt": pd.Series([", ".join(row[2]) for row in ordered], dtype="str"),
        }
    )
    cells = [(f"t{row[0]}", f"s{at}", tag) for at, row in enumerate(ordered) for tag in row[3]]
    tags = pd.DataFrame(cells, columns=["task_id", "song_id", "tag"], dtype="str")
    return songs, tags


def in_parts(frame: pd.DataFrame) -> Any:
    """Three parts, a task's rows in one of them; a part may be empty."""
    place = frame["task_id"].str[1:].astype("int64") % 3
    return dd.from_map(functools.partial(_part, frame, place), range(3), meta=frame.head(0))


def _part(frame: pd.DataFrame, place: "pd.Series[int]", number: int) -> pd.DataFrame:
    return frame[place == number]


def alike(found: pd.DataFrame, wanted: pd.DataFrame, keys: list[str]) -> None:
    """Of the same values; parts are met in another order than the whole."""
    pd.testing.assert_frame_equal(
        found.sort_values(keys).reset_index(drop=True),
        wanted.sort_values(keys).reset_index(drop=True),
    )


@settings(max_examples=5, deadline=None)
@given(rows)
def test_adherence_by_parts(given_: Rows) -> None:
    songs, tags = tables(given_)
    make: Callable[..., pd.DataFrame] = functools.partial(adherence, requested="prompt", by="mood")
    alike(make(in_parts(songs), in_parts(tags)), make(songs, tags), ["mood", "measure"])


@settings(max_examples=4, deadline=None)
@given(rows)
def test_counts_of_tags_and_pairs_by_parts(given_: Rows) -> None:
    _, tags = tables(given_)
    alike(tag_counts(in_parts(tags)), tag_counts(tags), ["tag"])
    alike(cooccurrence(in_parts(tags)), cooccurrence(tags), ["tag", "other_tag"])
    alike(cooccurrence(in_parts(tags), top=2), cooccurrence(tags, top=2), ["tag", "other_tag"])
    pd.testing.assert_series_equal(exclusive_sets(in_parts(tags)), exclusive_sets(tags))


@settings(max_examples=5, deadline=None)
@given(rows)
def test_substitutions_by_parts(given_: Rows) -> None:
    songs, tags = tables(given_)
    # each song's own tags in two steps: the second reads what the first made
    first = songs[["task_id", "song_id", "prompt"]].merge(tags, how="left")
    first = first.rename(columns={"prompt": "source"}).assign(step=0)
    made = first.dropna().groupby("song_id")["tag"].agg(", ".join)
    second = first.dropna().assign(step=1, source=lambda rows: rows["song_id"].map(made))
    steps = pd.concat([first, second], ignore_index=True).astype({"source": "str", "tag": "str"})
    found, wanted = (
        substitutions(steps_, songs=songs_, requested="mood", min_count=0)
        for steps_, songs_ in ((in_parts(steps), in_parts(songs)), (steps, songs))
    )
    keys = ["step", "source", "target", "kind"]
    pd.testing.assert_frame_equal(found[keys], wanted[keys])
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 2)), min_size=1))
def test_sums_of_parts_add_up(cases: list[tuple[int, int, int]]) -> None:
    frame = pd.DataFrame(cases, columns=["group", "task", "hits"]).astype("int64")

    def count(part: pd.DataFrame) -> pd.DataFrame:
        sums = ratio_sums(
            part["group"].to_numpy(),
            part["task"].to_numpy(),
            part["hits"].to_numpy(float),
            part["hits"].to_numpy(float) + 1,
            4,
        )
        return pd.DataFrame({"group": range(4), **sums})

    whole = map_reduce(count, frame, keys=["group"])
    parts = sum_by_key([count(frame[frame["task"] % 3 == at]) for at in range(3)], ["group"])
    pd.testing.assert_frame_equal(parts, whole)
    assert list(whole.columns) == ["group", *SUMS]
    assert whole["cases"].sum() == len(frame) + frame["hits"].sum()
    assert whole["tasks"].sum() == len(frame.groupby(["group", "task"]))


def test_missing_names_are_counted_like_any_other() -> None:
    counts = pd.DataFrame({"source": ["a", None], "target": [None, "b"], "count": [1.0, 2.0]})
    total = sum_by_key([counts, counts.iloc[::-1], counts], ["source", "target"])
    pd.testing.assert_frame_equal(total, counts.assign(count=[3.0, 6.0]))


def test_parts_must_fit() -> None:
    songs, tags = tables([(0, "calm", ["jazz"], ["jazz"])])
    with pytest.raises(BadFrame, match="some are not"):
        adherence(in_parts(songs), tags, requested="prompt", by="mood")
    with pytest.raises(BadFrame, match="3 and 1 partitions"):
        adherence(in_parts(songs), dd.from_pandas(tags, 1), requested="prompt", by="mood")


def test_an_error_of_a_part_names_its_column() -> None:
    songs, tags = tables([(0, "calm", ["jazz"], ["jazz"])])
    with pytest.raises(BadFrame, match="lacks column 'tag'"):
        adherence(
            in_parts(songs), in_parts(tags.drop(columns="tag")), requested="prompt", by="mood"
        )
