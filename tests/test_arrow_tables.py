"""Tables of other libraries, through Arrow: passed to functions, and converted from frames."""

import datetime as dt
import inspect
import io
import typing
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.text import Text

import musicapi_nb as mnb
from musicapi_nb import sonic
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames import Frames
from musicapi_nb.frames.arrow_tables import as_pandas
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library import Library
from musicapi_nb.library._request_key import request_key
from tests.library.helpers import acknowledged, buy, looked, song
from tests.report_tables import blind_answers, rated_songs
from tests.test_dask import studio_reply

Convert = Callable[[pd.DataFrame], Any]


class Capsule:
    """A table of an unknown library."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = pa.Table.from_pandas(table)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


LIBRARIES: dict[str, Convert] = {
    "polars": pl.DataFrame,
    "pyarrow": pa.Table.from_pandas,
    "batches": lambda table: pa.Table.from_pandas(table).to_reader(7),
    "duckdb": duckdb.from_df,
    "capsule": Capsule,
}


polars = LIBRARIES["polars"]  # the analyses are compared for one library: all take one way


@pytest.fixture(params=LIBRARIES)
def convert(request: pytest.FixtureRequest) -> Convert:
    return LIBRARIES[request.param]


@pytest.fixture(scope="module")
def frames() -> Frames:
    frames = mnb.flatten([studio_reply(number) for number in range(12)])
    style = pd.Series(["calm", "loud"] * (len(frames.songs) // 2), dtype=TEXT)
    songs = frames.songs.assign(requested_tags=frames.songs["prompt"])
    songs.insert(0, "style", style)
    songs["duration"] += np.arange(len(songs)) % 7
    times = pd.Timestamp("2026-05-01", tz="UTC") + pd.to_timedelta(np.arange(len(songs)), unit="h")
    songs["created_at"] = times.as_unit("us")  # pandas 2 makes nanoseconds
    return frames._replace(songs=songs)


def same(result: Any, expected: Any) -> None:
    """Compare two tables, or two series."""
    if isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(result, expected)
    else:
        pd.testing.assert_frame_equal(result, expected, check_column_type=False)


def texts_of(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.figure.findobj(Text)]


def test_analyses_of_songs_and_tags(frames: Frames) -> None:
    songs, tags, steps = frames.songs, frames.tags, frames.replaced_tags
    same(mnb.adherence(polars(songs), polars(tags)), mnb.adherence(songs, tags))
    same(
        mnb.adherence(polars(songs), polars(tags), by="style"),
        mnb.adherence(songs, tags, by="style"),
    )
    same(mnb.tag_fates(polars(songs), polars(tags)), mnb.tag_fates(songs, tags))
    same(mnb.near_misses(polars(songs), polars(tags)), mnb.near_misses(songs, tags))
    same(
        mnb.stability(polars(songs), polars(tags), by="style"),
        mnb.stability(songs, tags, by="style"),
    )
    same(mnb.tag_counts(polars(tags)), mnb.tag_counts(tags))
    same(mnb.cooccurrence(polars(tags), songs=polars(songs)), mnb.cooccurrence(tags, songs=songs))
    same(mnb.exclusive_sets(polars(tags)), mnb.exclusive_sets(tags))
    rewriting = mnb.substitutions(steps, songs=songs)
    same(mnb.substitutions(polars(steps), songs=polars(songs)), rewriting)
    graph = mnb.substitution_graph(polars(rewriting))
    assert graph.number_of_edges() == mnb.substitution_graph(rewriting).number_of_edges()
    plot = mnb.plots.substitutions(polars(rewriting))
    assert texts_of(plot) == texts_of(mnb.plots.substitutions(rewriting))


def test_analyses_of_outcomes(frames: Frames) -> None:
    songs, tags = rated_songs(seconds=9), frames.tags
    outcomes = ["duration", "rating"]
    effects = mnb.effects(songs, "mv", outcomes=outcomes)
    same(mnb.effects(polars(songs), "mv", outcomes=outcomes), effects)
    same(mnb.adjusted_means(polars(songs), "mv"), mnb.adjusted_means(songs, "mv"))
    same(
        mnb.effects(polars(frames.songs), "style", presence="jazz", tags=polars(tags)),
        mnb.effects(frames.songs, "style", presence="jazz", tags=tags),
    )
    same(
        mnb.variance(polars(songs), outcomes, within="mv"),
        mnb.variance(songs, outcomes, within="mv"),
    )
    weight = songs.assign(weight=songs["cell"] // 2 % 4 / 4.0).drop(columns=["mv", "block"])
    same(mnb.dose_response(polars(weight), "weight"), mnb.dose_response(weight, "weight"))
    same(mnb.drift(polars(frames.songs), "duration"), mnb.drift(frames.songs, "duration"))
    bought = songs.assign(song_position=songs.groupby("task_id").cumcount(), credits=10.0)
    same(mnb.costs(polars(bought), by="mv"), mnb.costs(bought, by="mv"))
    assert texts_of(mnb.plots.effects(polars(effects))) == texts_of(mnb.plots.effects(effects))
    durations = mnb.plots.durations(polars(songs), by="mv")
    assert texts_of(durations) == texts_of(mnb.plots.durations(songs, by="mv"))
    report = mnb.report(polars(songs), "mv", answers=polars(blind_answers(songs)))
    assert report.sentences == mnb.report(songs, "mv", answers=blind_answers(songs)).sentences


def test_measured_and_requested_sound(frames: Frames) -> None:
    songs = frames.songs.assign(bpm=120.0, requested_tags="120 bpm, in A minor")
    measures = frames.songs[["task_id", "song_id", "song_position"]].assign(
        tempo=np.arange(len(songs)) + 110.0, key="A minor", seconds=100.0
    )
    matches = mnb.sound_matches(songs, measures)
    assert matches["tempo_followed"].any()
    same(mnb.sound_matches(polars(songs), polars(measures)), matches)
    same(mnb.sound_adherence(polars(matches)), mnb.sound_adherence(matches))


def test_answers_of_a_blind_test() -> None:
    answers = blind_answers(rated_songs(), chance=0.8)
    scores = mnb.preference(answers).scores
    same(mnb.preference(polars(answers)).scores, scores)
    assert texts_of(mnb.plots.preference(polars(scores))) == texts_of(mnb.plots.preference(scores))


def test_plans_from_tables(convert: Convert) -> None:
    rows = pd.DataFrame({
        "description": ["rain on {place}", "snow on {place}", None],
        "place": pd.Series(["a roof", "a roof", "a lake"], dtype="category"),
        "take_note": pd.array([1, None, 3], dtype="Int64"),
        "make_instrumental": pd.array([True, None, False], dtype="boolean"),
    }).dropna(subset="description")  # fmt: skip
    plan = mnb.Plan.from_frame(sonic.Create, convert(rows))
    expected = mnb.Plan.from_frame(sonic.Create, rows)
    assert [cell.request for cell in plan] == [cell.request for cell in expected]
    assert plan.factors == expected.factors
    assert plan.factors["take_note"] == (1, None)
    variance = mnb.variance(rated_songs(), "duration", within="mv")
    assert repr(plan.dry_run(variance=convert(variance))) == repr(plan.dry_run(variance=variance))


LEVELS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int64(): st.integers(-(2**53), 2**53),
    pa.float64(): st.sampled_from([0.0, 0.1, 1 / 3, 1.0, 5.0, 1e16]),
    pa.decimal128(30, 20): st.sampled_from([Decimal("0.10"), Decimal("5.00"), Decimal(7) / 4]),
    pa.decimal128(38, 0): st.sampled_from([Decimal(5), Decimal(2**63 - 1)]),
    pa.string(): st.sampled_from(["", "NA", "nan", "5", "5.0", "007", "a\0b", "<NA>", "\u2028"]),
    pa.dictionary(pa.int32(), pa.string()): st.sampled_from(["calm", "loud"]),
}


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_plan_requests_do_not_depend_on_the_library_of_its_table(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(list(LEVELS)), min_size=1, max_size=3))
    columns = {f"c{number}": data.draw(_column(kind)) for number, kind in enumerate(kinds)}
    table = pa.table(columns)
    file = io.BytesIO()
    pq.write_table(table, file)
    base = {"description": "rain" + "".join(f" {{{name}}}" for name in columns)}
    values = {name: column.to_pylist() for name, column in columns.items()}
    expected = _purchases(pd.DataFrame(values, dtype=object), base)
    for source in (
        table,
        table.to_pandas(),
        table.to_pandas(types_mapper=pd.ArrowDtype),
        pd.read_parquet(file),
        pd.read_parquet(file, dtype_backend="numpy_nullable"),
        pl.from_arrow(table),
        pl.from_arrow(table).to_pandas(),
        duckdb.from_arrow(table),
    ):
        assert _purchases(source, base) == expected


@st.composite
def _column(draw: st.DrawFn, kind: pa.DataType) -> pa.Array:
    values = draw(st.lists(LEVELS[kind], min_size=3, max_size=3))
    if draw(st.booleans()):
        values[draw(st.integers(0, 2))] = None
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    return pa.array(values, kind)


def _purchases(table: Any, base: dict[str, str]) -> list[str]:
    plan = mnb.Plan.from_frame(sonic.Create, table, base=base)
    return [request_key(cell.request, cell.take) for cell in plan]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "shelf") as library:
        for number, request in enumerate([song("one"), song("two")]):
            entry = buy(library, request, f"t{number}").entry.id
            library.record_poll(entry, looked(acknowledged(request, f"t{number}")))
        yield library


def test_rows_of_songs_select_songs_of_a_library(convert: Convert, library: Library) -> None:
    songs = mnb.songs_frame(library)
    songs.insert(0, "style", pd.Series(["jazz", "jazz", "folk", None], dtype=TEXT))
    gallery = mnb.gallery(convert(songs), library=library)
    assert gallery.collection.factors == {"style": ("jazz", "folk", "(none)")}
    same(mnb.measures_frame(convert(songs)), mnb.measures_frame(songs))
    same(mnb.files_frame(convert(songs)), mnb.files_frame(songs))
    same(mnb.sung_lyrics(convert(songs), library=library), mnb.sung_lyrics(songs, library=library))


def test_public_functions_accept_arrow_tables() -> None:
    functions = {name: getattr(mnb, name) for name in mnb.__all__}
    functions |= {f"plots.{name}": getattr(mnb.plots, name) for name in mnb.plots.__all__}
    functions |= {f"Plan.{name}": value for name, value in inspect.getmembers(mnb.Plan, callable)}
    parameters = {
        f"{name}({parameter.name})": parameter.annotation
        for name, function in functions.items()
        if inspect.isfunction(inspect.unwrap(function)) or inspect.ismethod(function)
        for parameter in inspect.signature(function).parameters.values()
    }
    assert len(parameters) > 100
    pandas_alone = {name for name, kind in parameters.items() if str(kind).startswith("pd.Data")}
    assert {*pandas_alone} | {n for n, k in parameters.items() if k is pd.DataFrame} == set()


# --- the dtypes of columns --------------------------------------------------------------------


def dtypes_of(table: Any) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in as_pandas(table, "songs").dtypes.items()}


def test_columns_of_polars_get_our_dtypes() -> None:
    moment = dt.datetime(2026, 5, 1, 12, 30, tzinfo=dt.UTC)
    table = pl.DataFrame({
        "text": ["a", None],
        "tags": [["jazz", "spy"], None],
        "level": pl.Series(["calm", None], dtype=pl.Categorical),
        "choice": pl.Series(["calm", None], dtype=pl.Enum(["loud", "calm"])),
        "small": pl.Series([1, 2], dtype=pl.UInt8),
        "some": pl.Series([1, None], dtype=pl.Int32),
        "large": pl.Series([1, 2**64 - 1], dtype=pl.UInt64),
        "float": pl.Series([0.5, None], dtype=pl.Float32),
        "flag": [True, False],
        "some_flag": [True, None],
        "money": pl.Series([Decimal("1.50"), None], dtype=pl.Decimal(10, 2)),
        "moment": pl.Series([moment, None]).dt.convert_time_zone("Europe/Berlin"),
        "local": pl.Series([moment.replace(tzinfo=None), None]).cast(pl.Datetime("ms")),
        "day": [moment.date(), None],
        "length": [dt.timedelta(seconds=90), None],
        "nothing": [None, None],
        "pair": [{"a": 1, "b": None}, {"a": 2, "b": "x"}],
    })  # fmt: skip
    frame = as_pandas(table, "songs")
    assert dtypes_of(table) == {
        "text": str(TEXT),
        "tags": "object",
        "level": "category",
        "choice": "category",
        "small": "int64",
        "some": "Int64",
        "large": "uint64",
        "float": "float64",
        "flag": "bool",
        "some_flag": "boolean",
        "money": "float64",
        "moment": "datetime64[us, UTC]",
        "local": "datetime64[us]",
        "day": "datetime64[us]",
        "length": "timedelta64[us]",
        "nothing": "object",
        "pair": "object",
    }
    assert frame["tags"].tolist() == [["jazz", "spy"], None]
    assert type(frame["tags"][0]) is list
    assert frame["level"].cat.categories.dtype == TEXT
    assert frame["choice"].tolist()[0] == "calm"
    assert frame["large"][1] == 2**64 - 1
    assert frame["moment"][0] == moment
    assert frame["pair"].tolist() == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    missing = [*table.columns[:4], "some", "float", "some_flag", "money", "moment", "local", "day"]
    assert frame.loc[1, missing].isna().all()
    frame.loc[0, "small"] = 3  # it is the caller's own
    assert table["small"][0] == 1


def test_columns_of_duckdb_get_our_dtypes() -> None:
    query = """
        select 'a' as text, sum(range) as total, 1.25::decimal(20, 2) as money, avg(range) as mean,
               2::hugeint * 9223372036854775807 as huge, 7::ubigint as count,
               timestamptz '2026-05-01 12:30:00+02' as moment, date '2026-05-01' as day,
               'calm'::enum('loud', 'calm') as level, ['jazz', 'spy'] as tags,
               '{"a": 1}'::json as json, null as nothing,
               '00000000-0000-0000-0000-000000000001'::uuid as id
        from range(4)
    """
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'Asia/Tokyo'")
        frame = as_pandas(connection.sql(query), "songs")
    dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    text = dict.fromkeys(("text", "json", "id"), str(TEXT))
    numbers = {"total": "int64", "money": "float64", "mean": "float64", "count": "int64"}
    times = {"moment": "datetime64[us, UTC]", "day": "datetime64[us]"}
    objects = {"huge": "object", "tags": "object", "level": "category"}
    assert {name: dtypes[name] for name in {**text, **numbers, **times, **objects}} == {
        **text,
        **numbers,
        **times,
        **objects,
    }
    assert frame["moment"][0] == pd.Timestamp("2026-05-01 10:30", tz="UTC")
    assert frame["huge"][0] == 2 * (2**63 - 1)
    assert frame["nothing"].isna().all()


def test_rare_arrow_types_are_converted() -> None:
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), ["a", None])
    pieces = [pa.array(["a", None]).dictionary_encode(), pa.array(["b", "a"]).dictionary_encode()]
    table = pa.table({
        "runs": runs,
        "nanoseconds": pa.array([1, None, 3], pa.timestamp("ns", "UTC")),
        "half": pa.array([np.float16(0.5), None, np.float16(2)], pa.float16()),
        "clock": pa.array([dt.time(1), None, dt.time(2)], pa.time64("us")),
        "numbers": pa.array([7, None, 7]).dictionary_encode(),
    })  # fmt: skip
    frame = as_pandas(table, "songs")
    assert frame["runs"].tolist()[:2] == ["a", "a"]
    assert frame["runs"].isna()[2]
    assert str(frame["nanoseconds"].dtype) == "datetime64[ns, UTC]"
    assert frame["half"].dropna().tolist() == [0.5, 2.0]
    assert frame["clock"].tolist() == [dt.time(1), None, dt.time(2)]
    assert str(frame["numbers"].dtype) == "Int64"
    levels = as_pandas(pa.table({"level": pa.chunked_array(pieces)}), "songs")["level"]
    assert levels.astype(object).where(levels.notna(), None).tolist() == ["a", None, "b", "a"]


def test_tables_without_rows_or_columns() -> None:
    empty = mnb.songs_frame([])
    assert dtypes_of(pl.DataFrame(empty)) == {
        name: str(dtype) for name, dtype in empty.dtypes.items()
    }
    assert as_pandas(pl.DataFrame(), "songs").shape == (0, 0)
    assert as_pandas(pa.table({}), "songs").shape == (0, 0)


def test_unnamed_index_is_left_out() -> None:
    songs = pd.DataFrame({"a": [1, 2, 3]})
    assert list(as_pandas(pa.Table.from_pandas(songs[songs["a"] > 1]), "songs")) == ["a"]
    named = pa.Table.from_pandas(songs.set_index(pd.Index([3, 4, 9], name="row")))
    assert list(as_pandas(named, "songs")) == ["a", "row"]


# --- round trips ------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001
VALUES: dict[str, st.SearchStrategy[Any]] = {
    str(TEXT): st.none() | TEXTS,
    "category": st.none() | TEXTS,
    "int64": st.integers(-(2**63), 2**63 - 1),
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "float64": st.none() | st.floats(allow_nan=False),
    "bool": st.booleans(),
    "boolean": st.none() | st.booleans(),
    "datetime64[us, UTC]": st.none() | MOMENTS,
}
NAMES = dict(zip(VALUES, "abcdefgh", strict=True))  # DuckDB ignores the case of names


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Draw a table with our dtypes; a nullable one misses a value in its first row."""
    rows = draw(st.integers(1, 5))
    columns = {}
    for dtype, values in VALUES.items():
        cells = draw(st.lists(values, min_size=rows, max_size=rows))
        if dtype in {"Int64", "boolean"}:
            cells[0] = None
        kind: Any = TEXT if dtype == str(TEXT) else dtype
        if dtype == "category":
            kind = pd.CategoricalDtype(pd.Index(sorted({*cells} - {None}), dtype=TEXT))
        columns[NAMES[dtype]] = pd.Series(cells, dtype=kind)
    return pd.DataFrame(columns)


@settings(max_examples=40, deadline=None)
@given(tables())
def test_round_trips_preserve_tables(table: pd.DataFrame) -> None:
    for name, convert in LIBRARIES.items():
        result = as_pandas(convert(table), "songs")
        if name in {"polars", "duckdb"}:  # they have other categories, in another order
            result["b"] = result["b"].cat.set_categories(table["b"].cat.categories)
        pd.testing.assert_frame_equal(result, table, check_column_type=False)


def test_round_trips_preserve_our_frames(convert: Convert, frames: Frames) -> None:
    for name, frame in frames._asdict().items():
        result = as_pandas(convert(frame), name)
        nullable = {
            column: frame[column].dtype
            for column in frame
            if str(frame[column].dtype) in {"Int64", "boolean"} and frame[column].notna().all()
        }
        categories = {
            str(column): dtype
            for column, dtype in frame.dtypes.items()
            if isinstance(dtype, pd.CategoricalDtype)
        }
        same(result.astype({**nullable, **categories}), frame)


# --- refused arguments --------------------------------------------------------------------------


class Pandas1:
    """A table of a library that has a conversion method, but no Arrow interface."""

    columns: typing.ClassVar = ["a"]

    def to_pandas(self) -> pd.DataFrame:
        return pd.DataFrame({"a": [1]})


def closed_relation() -> Any:
    with duckdb.connect() as connection:
        return connection.sql("select 1 as a")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pl.LazyFrame({"a": [1]}), r"songs is a polars LazyFrame, .*call \.collect\(\) first"),
        (pl.Series("a", ["x"]), r"songs is a polars Series, .*call \.to_frame\(\) first"),
        (pa.chunked_array([["x"]]), "songs is a pyarrow ChunkedArray, not a DataFrame"),
        (Pandas1(), r"songs is a tests Pandas1, .*call \.to_pandas\(\) first"),
        (closed_relation(), "songs, a duckdb .*, cannot be read: .*closed"),
        (duckdb.sql("select 'x'::varchar::int as a"), "songs, a duckdb .*, cannot be read: Conv"),
        (duckdb.sql("select 1 as a, 2 as a"), "songs has 2 columns named 'a': rename or drop one"),
        (
            pl.DataFrame({"a": pl.Series([Pandas1()], dtype=pl.Object)}),
            "column 'a' of songs contains Python objects: convert it to text",
        ),
    ],
)  # fmt: skip
def test_error_for_other_objects_says_how_to_convert_them(table: Any, message: str) -> None:
    for call in (
        lambda: mnb.adherence(table, table),
        lambda: mnb.gallery(table),
        lambda: mnb.sung_lyrics(table),
    ):
        with pytest.raises((InvalidArgument, BadFrame), match=message):
            call()
