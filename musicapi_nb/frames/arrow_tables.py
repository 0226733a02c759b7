"""Convert tables of other libraries to pandas DataFrames through the Arrow PyCapsule interface."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from musicapi_nb import markup
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.text_dtype import TEXT, text_values


class HasArrowStream(Protocol):
    """A table with the Arrow PyCapsule interface, such as one of polars, pyarrow or DuckDB.

    https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html
    """

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Table: TypeAlias = pd.DataFrame | HasArrowStream
"""A pandas DataFrame, or a table of another library with the Arrow PyCapsule interface."""

_PANDAS = (pd.DataFrame, pd.Series, pd.Index)
_INDEX = re.compile(r"__index_level_\d+__")  # pyarrow's name of an index without a name
_CONVERSIONS = {
    "LazyFrame": "call .collect()",
    "Series": "call .to_frame()",
    **dict.fromkeys(("dict", "list", "ndarray", "recarray"), "call pd.DataFrame(...)"),
    **dict.fromkeys(("str", "PosixPath", "WindowsPath"), "read the file, as by pd.read_csv(...),"),
}


def as_pandas(source: Any, label: str, *, exact: bool = False) -> Any:
    """Convert a table of another library to a pandas DataFrame; return other objects unchanged.

    Columns get the dtypes of the package's own frames. Text becomes str; integers become int64, or
    Int64 if values are missing; decimal numbers become float64; booleans become bool or boolean;
    dictionaries of texts become categories; times become datetime64 in microseconds, in UTC if they
    have a time zone. Lists and structs become Python lists and dicts. An unnamed index that pandas
    wrote to the Arrow table is left out.

    `label` names the argument in messages. A Dask table is returned as it is. If `exact`, decimal
    numbers of a fixed scale are Decimal, as in tables that pandas reads, not float64.

    Raises
    ------
    InvalidArgument
        The source must be computed first, such as a polars LazyFrame; or it is a single column; or
        it cannot be read.
    BadFrame
        Two columns have the same name, or a polars column contains Python objects.
    """
    kind = type(source)
    if isinstance(source, _PANDAS) or hasattr(kind, "to_delayed"):
        return source
    if not hasattr(kind, "__arrow_c_stream__"):
        if hasattr(kind, "columns"):
            raise InvalidArgument(no_table_text(source, label))
        return source
    _refuse_objects(source, label)
    try:
        table = pa.RecordBatchReader.from_stream(source).read_all()
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, pa.ArrowInvalid) and "non-struct" in str(error):
            raise InvalidArgument(no_table_text(source, label)) from None
        # DuckDB runs the query of a relation only now, so the error may come from the query
        raise InvalidArgument(
            f"{label}, {_type_text(source)}, cannot be read: {markup.one_line(str(error), 300)}"
        ) from error
    return _to_pandas(table, label, exact=exact)


def _refuse_objects(source: Any, label: str) -> None:
    """Raise BadFrame if a polars DataFrame has a column of Python objects.

    Arrow has no type for them. polars exports their addresses, and older versions crash.
    """
    schema = getattr(source, "schema", None)
    names = schema.items() if isinstance(schema, Mapping) else ()
    if name := next((name for name, dtype in names if str(dtype) == "Object"), None):
        raise BadFrame(
            f"column {name!r} of {label} contains Python objects: convert it to text or numbers, "
            "or drop it"
        )


def no_table_text(source: Any, label: str) -> str:
    """Return the message about an argument that is not a table, and how to convert it."""
    text = f"{label} is {_type_text(source)}, not a DataFrame"
    if conversion := _CONVERSIONS.get(type(source).__name__):
        return f"{text}: {conversion} first"
    method = next(
        (name for name in ("compute", "to_pandas", "toPandas") if hasattr(type(source), name)), ""
    )
    return f"{text}: call .{method}() first" if method else text


def _type_text(source: Any) -> str:
    library = type(source).__module__.partition(".")[0].lstrip("_")
    name = type(source).__name__
    return f"a {name}" if library == "builtins" else f"a {library} {name}"


def _to_pandas(table: pa.Table, label: str, *, exact: bool) -> pd.DataFrame:
    names = Counter(table.column_names)
    if repeated := [name for name, number in names.items() if number > 1]:
        raise BadFrame(
            f"{label} has {names[repeated[0]]} columns named {repeated[0]!r}: rename or drop one"
        )
    columns: dict[str, Any] = {}
    for field, column in zip(table.schema, table.columns, strict=True):
        if _INDEX.fullmatch(field.name):
            continue
        columns[field.name] = _values(column, exact=exact)
    return pd.DataFrame(columns, index=pd.RangeIndex(len(table)), copy=False)


def _values(column: pa.ChunkedArray, *, exact: bool) -> Any:  # noqa: PLR0911 - one for each dtype
    """Convert a column to a pandas or numpy array."""
    column = _decoded(column)
    kind = column.type
    if types.is_dictionary(kind):
        if _is_text(kind.value_type):
            return _categories(column, ordered=kind.ordered)
        return _values(column.cast(kind.value_type), exact=exact)
    if _is_text(kind):
        return text_values(_large_text(column))
    if types.is_integer(kind):
        return _integers(column)
    if types.is_decimal(kind) and not exact:
        return _decimals(column)
    if types.is_floating(kind):
        return column.cast(pa.float64()).to_numpy().copy()  # because users may write to the frame
    if types.is_boolean(kind):
        return _numbers(column, pd.BooleanDtype())
    if types.is_timestamp(kind) or types.is_date(kind):
        return _times(column)
    if types.is_duration(kind):
        return column.to_pandas().array
    return pd.Series(column.to_pylist(), dtype=object).array


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without extension type and run-end encoding."""
    if isinstance(column.type, pa.BaseExtensionType) and column.type != pa.uuid():
        column = column.cast(column.type.storage_type)
    if types.is_run_end_encoded(column.type):
        chunks = [pc.run_end_decode(chunk) for chunk in column.chunks]
        column = pa.chunked_array(chunks, column.type.value_type)
    return column


def _is_text(kind: pa.DataType) -> bool:
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(is_text)


def _large_text(column: pa.ChunkedArray) -> pa.Array:
    """Return texts as one array, because pandas would join the chunks in every operation."""
    try:
        return column.cast(pa.large_string()).combine_chunks()
    except pa.ArrowNotImplementedError:  # string_view, before pyarrow 20
        return pa.array(column.to_pylist(), pa.large_string())


def _categories(column: pa.ChunkedArray, *, ordered: bool) -> pd.Categorical:
    """Convert a dictionary of texts to categories; nulls in the dictionary are missing values."""
    encoded = column.unify_dictionaries().combine_chunks()
    texts = text_values(_large_text(pa.chunked_array([encoded.dictionary])))
    codes = pc.coalesce(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    dtype = pd.CategoricalDtype(pd.Index(texts, dtype=TEXT), ordered)
    return pd.Categorical.from_codes(codes, dtype=dtype)


def _integers(column: pa.ChunkedArray) -> Any:
    """Convert integers to int64, or to uint64 if they do not fit."""
    try:
        return _numbers(column.cast(pa.int64()), pd.Int64Dtype())
    except pa.ArrowInvalid:
        return _numbers(column.cast(pa.uint64()), pd.UInt64Dtype())


def _numbers(column: pa.ChunkedArray, nullable: Any) -> Any:
    """Convert a column to numpy, or to this nullable dtype if values are missing."""
    return nullable.__from_arrow__(column) if column.null_count else column.to_numpy().copy()


def _decimals(column: pa.ChunkedArray) -> Any:
    """Convert decimals to float64, or to int64 without decimal places (such as sums of DuckDB)."""
    if column.type.scale > 0:
        return column.cast(pa.float64()).to_numpy().copy()
    try:
        return _integers(column.cast(pa.int64()))
    except pa.ArrowInvalid:  # too large: Python integers, because keys must stay exact
        values = [None if value is None else int(value) for value in column.to_pylist()]
        return pd.Series(values, dtype=object).array


def _times(column: pa.ChunkedArray) -> Any:
    """Convert times to microseconds, or to nanoseconds if they are that precise."""
    zone = getattr(column.type, "tz", None)
    try:
        column = column.cast(pa.timestamp("us", zone and "UTC"))
    except pa.ArrowInvalid:
        column = column.cast(pa.timestamp("ns", zone and "UTC"))
    unit = column.type.unit
    values = column.cast(pa.timestamp(unit)).to_numpy().astype(f"M8[{unit}]")
    times = pd.DatetimeIndex(values)
    return (times.tz_localize("UTC") if zone else times).array
