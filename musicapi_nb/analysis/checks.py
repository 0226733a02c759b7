"""What an analysis is given: that a table has the columns it needs, of kinds it can use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from musicapi_nb.errors import BadFrame, InvalidArgument

if TYPE_CHECKING:
    from numpy.typing import NDArray

ColumnKind: TypeAlias = Literal["text", "number", "key", "any"]
_IS: Mapping[ColumnKind, Callable[[pd.Series[Any]], bool]] = {
    "text": lambda column: (
        types.is_string_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype)
    ),
    "number": lambda column: (
        types.is_numeric_dtype(column)
        and not types.is_bool_dtype(column)
        and not types.is_complex_dtype(column)
    ),
    "key": lambda column: column.dtype != object or all(map(types.is_hashable, column)),
    "any": lambda _: True,
}
_SAYS: Mapping[ColumnKind, str] = {
    "text": "text",
    "number": "number",
    "key": "single values (it holds lists or the like)",
    "any": "anything",
}
_MOST = 1e100


def require(frame: pd.DataFrame, columns: Mapping[str, ColumnKind], what: str) -> None:
    """Check a table before anything is made of it; `what` names it and where it comes from.

    A "key" is anything that rows can be told apart by: a text, a number, a moment, but no list. A
    column without any value is of every kind: an empty table has no kinds to speak of.

    Raises
    ------
    InvalidArgument
        It is no DataFrame.
    BadFrame
        It lacks columns (all are named), has two of one name, or has one of another kind.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InvalidArgument(f"{what} is a {type(frame).__name__}, not a DataFrame")
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        has = ", ".join(map(str, frame.columns)) or "none"
        raise BadFrame(f"{what} lacks {_named(missing)}; it has the columns {has}")
    for name, kind in columns.items():
        if (number := list(frame.columns).count(name)) > 1:
            raise BadFrame(f"{what} has {number} columns named {name!r}")
        column = frame[name]
        if column.notna().any() and not _IS[kind](column):
            raise BadFrame(f"column {name!r} of {what} is {column.dtype}, not {_SAYS[kind]}")


def names_of(given: Any, what: str) -> list[str]:
    """Read the names of columns or tags: one text is one name; repeats count once.

    Raises
    ------
    InvalidArgument
        It is neither a text nor texts.
    """
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
        raise InvalidArgument(f"{what} is {given!r}; it is a name or a list of names")
    return list(dict.fromkeys(names))


def level_names(by: Any, taken: Iterable[str]) -> list[str]:
    """Read `by`: the columns whose levels are the rows of a result, which has the columns `taken`.

    Raises
    ------
    InvalidArgument
        It names no column.
    BadFrame
        The result has a column of such a name.
    """
    names = names_of(by, "by")
    if not names:
        raise InvalidArgument("by names no column; it names those that make a row")
    require_no_conflict(names, taken, "by")
    return names


def require_no_conflict(names: Iterable[Any], taken: Iterable[str], what: str) -> None:
    """See to it that columns which are carried over are not called like the result's own."""
    twice = sorted({str(name) for name in names} & set(taken))
    if twice:
        raise BadFrame(f"{what} has {twice[0]!r}, which the result has too: rename the column")


def finite_values(column: pd.Series[Any]) -> NDArray[np.float64]:
    """Read a numeric column: (rows,); missing where it is not finite, or beyond all measure.

    The squares of figures of 1e100 or more could not be summed.
    """
    values = column.to_numpy("float64", na_value=np.nan)
    return np.where(np.abs(values) < _MOST, values, np.nan)


def _named(names: list[str]) -> str:
    return f"column{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"
