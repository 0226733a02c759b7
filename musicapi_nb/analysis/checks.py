"""Checks of the tables and arguments that analyses read, and the dtypes of those they return."""

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.arrow_tables import Table, as_pandas, no_table_text
from musicapi_nb.frames.text_dtype import as_dtype
from musicapi_nb.public_names import similar_name

ColumnKind: TypeAlias = Literal["text", "number", "number or boolean", "key", "any"]
_MAX_MAGNITUDE = 1e100


def require(frame: Table, columns: Mapping[str, ColumnKind], label: str) -> pd.DataFrame:
    """Return a table as a DataFrame, or raise BadFrame if it lacks columns of these kinds.

    Duplicated columns also raise BadFrame. `label` names the table in the message. A "key" column
    holds hashable values (texts, numbers, times). A column without any value passes as every kind,
    since empty tables often lack dtypes.
    """
    frame = as_pandas(frame, label)
    if not isinstance(frame, pd.DataFrame):
        raise InvalidArgument(no_table_text(frame, label))
    counts = collections.Counter(frame.columns)
    if missing := [name for name in columns if name not in counts]:
        raise BadFrame(_lacks_text(frame, missing, label))
    for name, kind in columns.items():
        if (number := counts[name]) > 1:
            raise BadFrame(f"{label} has {number} columns named {name!r}")
        column = frame[name]
        if column.notna().any() and not _has_kind(column, kind):
            text = "single values (it holds lists or other unhashable objects)"
            text = text if kind == "key" else kind
            raise BadFrame(f"column {name!r} of {label} is {dtype_text(column)}, not {text}")
    return frame


def _lacks_text(frame: pd.DataFrame, missing: Sequence[str], label: str) -> str:
    names = list(map(str, frame.columns))
    plural = "s" if len(missing) > 1 else ""
    near = similar_name(missing[0], names)
    hint = f" (did you mean {near!r}?)" if near else ""
    return (
        f"{label} lacks column{plural} {', '.join(map(repr, missing))}{hint}; it has the columns "
        f"{', '.join(names) or 'none'}"
    )


def _has_kind(column: pd.Series, kind: ColumnKind) -> bool:
    if kind == "text":
        return isinstance(column.dtype, pd.CategoricalDtype) or _is_text(column)
    if kind in {"number", "number or boolean"}:
        if types.is_bool_dtype(column):
            return kind == "number or boolean"
        return types.is_numeric_dtype(column) and not types.is_complex_dtype(column)
    return kind == "any" or column.dtype != object or all(map(types.is_hashable, column))


def _is_text(column: pd.Series) -> bool:
    # pandas does not treat a column of objects with missing values as text
    return types.is_string_dtype(column.dropna() if column.dtype == object else column)


def dtype_text(column: pd.Series) -> str:
    """Return the dtype of a column for messages: "text" for all dtypes of text."""
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    return "text" if not is_category and _is_text(column) else str(column.dtype)


def names_of(names: Any, argument: str) -> list[str]:
    """Return one name or an iterable of names as a list without repeats, or raise."""
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise InvalidArgument(f"{argument} must be a name or a list of names, not {names!r}")
    return list(dict.fromkeys(names))


def level_names(by: Any, result_columns: Iterable[str]) -> list[str]:
    """Return the columns of `by`, which must differ from the `result_columns`."""
    names = names_of(by, "by")
    if not names:
        raise InvalidArgument("by must name at least one column")
    no_conflict(names, result_columns, "by")
    return names


def no_conflict(names: Iterable[Any], result_columns: Iterable[str], label: str) -> None:
    """Raise BadFrame if a column to carry over has the name of a result column."""
    conflicts = sorted({str(name) for name in names} & set(result_columns))
    if conflicts:
        raise BadFrame(f"{label} has {conflicts[0]!r}, a column of the result: rename the column")


def check_level(level: float) -> float:
    """Return the confidence level as a float, or raise InvalidArgument."""
    if not isinstance(level, int | float) or not 0 < level < 1:
        raise InvalidArgument(f"level (of confidence) must be between 0 and 1, not {level!r}")
    return float(level)


def check_top(top: Any, least: int) -> None:
    """Raise InvalidArgument unless `top` is None or a whole number of at least `least`."""
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < least):
        raise InvalidArgument(f"top must be a whole number >= {least} or None, not {top!r:.40}")


def finite_values(column: pd.Series) -> Floats:
    """Return a numeric column as floats, (rows,); NaN where not finite or beyond 1e100.

    The squares of larger values could not be summed.
    """
    values = column.to_numpy("float64", na_value=np.nan)
    return np.where(np.abs(values) < _MAX_MAGNITUDE, values, np.nan)


def as_frame(data: Any, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Build a table with exactly these columns and dtypes from a mapping or table of columns."""
    return pd.DataFrame(
        {name: pd.Series(data[name], dtype=as_dtype(kind)) for name, kind in dtypes.items()}
    )
