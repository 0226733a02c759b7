"""Tables of users with any text dtype: the same results as with frames, and no changes to them.

pandas 2 makes texts objects, and its tables may share memory with those they are made of.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pytest

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.errors import BadFrame
from musicapi_nb.frames.text_dtype import TEXT
from tests.test_pandas_options import analyses, flat_frames, studio_songs

Tables: TypeAlias = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]

DTYPES: dict[str, Any] = {
    "object": object,
    "object with None": None,
    "string[python]": pd.StringDtype("python"),
    "Arrow string": pd.ArrowDtype(pa.string()),
    "category": "category",
}
every_dtype = pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)


def is_text(column: pd.Series) -> bool:
    return column.dtype == TEXT or isinstance(column.dtype, pd.CategoricalDtype)


def converted(frame: pd.DataFrame, dtype: Any) -> pd.DataFrame:
    """Return a table with another dtype of text; None: objects, with None where it is missing."""
    texts = {str(name): column.astype(object) for name, column in frame.items() if is_text(column)}
    if dtype is None:
        texts = {name: column.where(column.notna(), None) for name, column in texts.items()}
    elif dtype == "category":  # in order of appearance: categories have an order, which counts
        texts = {name: column.astype(categories(column)) for name, column in texts.items()}
    else:
        texts = {name: column.astype(dtype) for name, column in texts.items()}
    return frame.assign(**texts)


def categories(column: pd.Series) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(pd.Index(column.dropna().unique()))


def cells(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Return the values of a table by column, None where one is missing."""
    rows = frame.astype(object).where(frame.notna(), None)
    return {str(name): rows[name].tolist() for name in rows}


@pytest.fixture(scope="module")
def study() -> Tables:
    flat = flat_frames()
    songs = studio_songs(flat)
    songs["half"] = songs["half"].where(songs["task_id"] != "t8")  # a level without a name
    return songs, flat.tags, flat.replaced_tags


@pytest.fixture(scope="module")
def usual(study: Tables) -> dict[str, pd.DataFrame]:
    return analyses(*study)


@every_dtype
def test_results_do_not_depend_on_the_text_dtype(
    study: Tables, usual: dict[str, pd.DataFrame], dtype: Any
) -> None:
    results = analyses(*(converted(table, dtype) for table in study))
    for name, result in results.items():
        expected = cells(usual[name])
        for column, values in cells(result).items():  # tags in another order are rounded otherwise
            assert values == pytest.approx(expected[column], abs=1e-9), (name, column)
        own = [column for column in result if column not in {"half", "task_id", "song_id"}]
        assert result[own].dtypes.equals(usual[name][own].dtypes), name


def test_missing_text_stays_missing(usual: dict[str, pd.DataFrame]) -> None:
    words = {"nan", "None", "<NA>", "NaN"}
    for name, result in usual.items():
        values = {value for column in cells(result).values() for value in column}
        assert not words & {value for value in values if isinstance(value, str)}, name


@pytest.mark.parametrize("dtype", [TEXT, object], ids=["text", "object"])
def test_tables_of_users_are_not_modified(study: Tables, dtype: Any) -> None:
    given = [converted(table, dtype) for table in study]
    copies = [table.copy(deep=True) for table in given]
    for result in analyses(*given).values():
        overwrite(result)
    for table, copy in zip(given, copies, strict=True):
        pd.testing.assert_frame_equal(table, copy)


def overwrite(table: pd.DataFrame) -> None:
    """Write to every column of a table, and add one: no warning, since it is the user's own."""
    cells: Any = table.iloc
    for position in range(len(table.columns) if len(table) else 0):
        cells[0, position] = cells[-1, position]
    table["added"] = 1


def test_frames_of_the_same_replies_share_no_writable_memory() -> None:
    flattener = mnb.Flattener()
    reply = {"task_id": "t1", "data": [{"clip_id": "c1", "tags": "jazz, spy", "duration": 9.5}]}
    other = {"task_id": "t2", "data": [{"clip_id": "c2", "tags": "folk", "duration": 3.5}]}
    flattener.add([reply, other])
    first, copies = flattener.frames(), flattener.frames()
    for frame in first:
        overwrite(frame)
    for frame, copy in zip(flattener.frames(), copies, strict=True):
        pd.testing.assert_frame_equal(frame, copy)
    assert cells(copies.songs)["song_id"] == ["c1", "c2"]


@every_dtype
def test_a_plan_reads_texts_of_any_dtype(dtype: Any) -> None:
    rows = pd.DataFrame(
        {
            "prompt": pd.Series(["[Verse]\nRain", "[Verse]\nSun", "[Verse]\nRain"], dtype=TEXT),
            "tags": pd.Series(["jazz", None, "folk"], dtype=TEXT),
        }
    )
    base = {"custom_mode": True, "title": "x", "mv": "sonic-v5"}
    plans = [
        mnb.Plan.from_frame(sonic.Create, table, base=base)
        for table in (rows, converted(rows, dtype))
    ]
    assert [cell.request for cell in plans[1]] == [cell.request for cell in plans[0]]
    assert [cell.levels["tags"] for cell in plans[1]] == ["jazz", None, "folk"]
    pd.testing.assert_frame_equal(plans[1].frame(), plans[0].frame())


@every_dtype
def test_errors_call_every_text_dtype_text(study: Tables, dtype: Any) -> None:
    songs = converted(study[0], dtype)
    kind = "category" if dtype == "category" else "text"
    with pytest.raises(BadFrame, match=f"'title' .* is {kind}, not number"):
        mnb.effects(songs, "half", outcomes="title")


@pytest.mark.parametrize("make", [mnb.songs_frame, mnb.tasks_frame, mnb.tags_frame])
def test_text_columns_behave_as_in_pandas(make: Callable[[Any], pd.DataFrame]) -> None:
    reply = {"task_id": "t1", "data": [{"clip_id": "c1", "tags": "jazz, spy", "title": "A B"}]}
    frame = make([reply, {**reply, "task_id": "t2"}])
    for column in (frame[name] for name in frame.columns[frame.dtypes == TEXT]):
        assert column.str.upper().notna().equals(column.notna())
        assert column.fillna("none").notna().all()
        assert (column == "no such text").dtype == bool  # missing texts are NaN, not NA
