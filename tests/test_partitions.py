"""Map-reduce: the sums of partitions are those of the whole table."""

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dask
import dask.dataframe as dd
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musicapi_nb import adherence, cooccurrence, exclusive_sets, substitutions, tag_counts
from musicapi_nb.analysis.partitions import map_reduce, sum_by_key
from musicapi_nb.analysis.ratio_estimator import SUMS, ratio_sums
from musicapi_nb.errors import BadFrame
from musicapi_nb.frames.text_dtype import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.usefixtures("synchronous_dask")
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
def synchronous_dask() -> Iterator[None]:
    """Count partitions one after the other: starting threads takes longer than counting."""
    with dask.config.set(scheduler="synchronous"):
        yield


def tables(cases: Rows) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return songs and tags, sorted by task."""
    ordered = sorted(cases, key=lambda row: row[0])
    songs = pd.DataFrame(
        {
            "mood": pd.Series([row[1] for row in ordered], dtype=TEXT),
            "task_id": pd.Series([f"t{row[0]}" for row in ordered], dtype=TEXT),
            "song_id": pd.Series([f"s{index}" for index in range(len(ordered))], dtype=TEXT),
            "prompt": pd.Series([", ".join(row[2]) for row in ordered], dtype=TEXT),
        }
    )
    cells = [
        (f"t{row[0]}", f"s{index}", tag) for index, row in enumerate(ordered) for tag in row[3]
    ]
    tags = pd.DataFrame(cells, columns=["task_id", "song_id", "tag"], dtype=TEXT)
    return songs, tags


def in_partitions(frame: pd.DataFrame) -> Any:
    """Split into three partitions, each task in one of them; a partition may be empty."""
    position = frame["task_id"].str[1:].astype("int64") % 3
    return dd.from_map(functools.partial(_part, frame, position), range(3), meta=frame.head(0))


def _part(frame: pd.DataFrame, position: "pd.Series[int]", number: int) -> pd.DataFrame:
    return frame[position == number]


def assert_equal_tables(result: pd.DataFrame, expected: pd.DataFrame, keys: list[str]) -> None:
    """Compare values; partitions come in another order than the rows of the whole table."""
    pd.testing.assert_frame_equal(
        result.sort_values(keys).reset_index(drop=True),
        expected.sort_values(keys).reset_index(drop=True),
    )


@settings(max_examples=5, deadline=None)
@given(rows)
def test_adherence_by_partition(cases: Rows) -> None:
    songs, tags = tables([(0, "calm", ["spy"], ["spy"]), *cases])
    make: Callable[..., pd.DataFrame] = functools.partial(
        adherence, requested_tags="prompt", by="mood"
    )
    assert_equal_tables(
        make(in_partitions(songs), in_partitions(tags)), make(songs, tags), ["mood", "measure"]
    )


@settings(max_examples=4, deadline=None)
@given(rows)
def test_counts_by_partition(songs: Rows) -> None:
    _, tags = tables(songs)
    assert_equal_tables(tag_counts(in_partitions(tags)), tag_counts(tags), ["tag"])
    assert_equal_tables(cooccurrence(in_partitions(tags)), cooccurrence(tags), ["tag", "other_tag"])
    assert_equal_tables(
        cooccurrence(in_partitions(tags), top=2), cooccurrence(tags, top=2), ["tag", "other_tag"]
    )
    pd.testing.assert_series_equal(exclusive_sets(in_partitions(tags)), exclusive_sets(tags))


@settings(max_examples=5, deadline=None)
@given(rows)
def test_substitutions_by_partition(cases: Rows) -> None:
    songs, tags = tables(cases)
    # the source of a song's second step is the result of the first
    first = songs[["task_id", "song_id", "prompt"]].merge(tags, how="left")
    first = first.rename(columns={"prompt": "source"}).assign(step=0)
    built = first.dropna().groupby("song_id")["tag"].agg(", ".join)
    second = first.dropna().assign(step=1, source=lambda rows: rows["song_id"].map(built))
    texts = {"source": TEXT, "tag": TEXT}
    steps = pd.concat([first.astype(texts), second.astype(texts)], ignore_index=True)
    result, expected = (
        substitutions(steps_, songs=songs_, requested_tags="mood", min_count=0)
        for steps_, songs_ in ((in_partitions(steps), in_partitions(songs)), (steps, songs))
    )
    keys = ["step", "source", "target", "kind"]
    pd.testing.assert_frame_equal(result[keys], expected[keys])
    pd.testing.assert_frame_equal(result, expected, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 2)), min_size=1))
def test_sums_of_partitions_add_up(cases: list[tuple[int, int, int]]) -> None:
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

    total = map_reduce(count, frame, keys=["group"])
    parts = sum_by_key([count(frame[frame["task"] % 3 == index]) for index in range(3)], ["group"])
    pd.testing.assert_frame_equal(parts, total)
    assert list(total.columns) == ["group", *SUMS]
    assert total["cases"].sum() == len(frame) + frame["hits"].sum()
    assert total["tasks"].sum() == len(frame.groupby(["group", "task"]))


def test_missing_keys_are_counted() -> None:
    names = pd.DataFrame({"source": ["a", None], "target": [None, "b"]}, dtype=TEXT)
    counts = names.assign(count=[1.0, 2.0])
    total = sum_by_key([counts, counts.iloc[::-1], counts], ["source", "target"])
    pd.testing.assert_frame_equal(total, counts.assign(count=[3.0, 6.0]))


def test_partitions_must_match() -> None:
    songs, tags = tables([(0, "calm", ["jazz"], ["jazz"])])
    with pytest.raises(BadFrame, match="all tables must be Dask tables, or none"):
        adherence(in_partitions(songs), tags, requested_tags="prompt", by="mood")
    with pytest.raises(BadFrame, match="3 and 1 partitions"):
        adherence(in_partitions(songs), dd.from_pandas(tags, 1), requested_tags="prompt", by="mood")


def test_error_of_a_partition_names_its_column() -> None:
    songs, tags = tables([(0, "calm", ["jazz"], ["jazz"])])
    with pytest.raises(BadFrame, match="lacks column 'tag'"):
        adherence(
            in_partitions(songs),
            in_partitions(tags.drop(columns="tag")),
            requested_tags="prompt",
            by="mood",
        )
