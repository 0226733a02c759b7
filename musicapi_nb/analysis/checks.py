"""What an analysis is given: that a table has the columns it needs, of kinds it can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd
from pandas.api import types

from musicapi_nb.errors import MusicAPIError, WrongType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Kind: TypeAlias = Literal["text", "number", "any"]
_IS: Mapping[Kind, Callable[[pd.Series[Any]], bool]] = {
    "text": lambda column: (
        types.is_string_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype)
    ),
    "number": lambda column: types.is_numeric_dtype(column) and not types.is_bool_dtype(column),
    "any": lambda _: True,
}


class BadFrame(MusicAPIError, ValueError):
    """A table lacks a column that is needed, or has it in a kind that cannot be used."""


def require(frame: pd.DataFrame, columns: Mapping[str, Kind], what: str) -> None:
    """Check a table before anything is made of it; `what` names it and where it comes from.

    A column without any value is of every kind: an empty table has no kinds to speak of.

    Raises
    ------
    WrongType
        It is no DataFrame.
    BadFrame
        It lacks columns (all are named), has two of one name, or has one of another kind.
    """
    if not isinstance(frame, pd.DataFrame):
        raise WrongType(f"{what} is a {type(frame).__name__}, not a DataFrame")
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        has = ", ".join(map(str, frame.columns)) or "none"
        raise BadFrame(f"{what} lacks {_named(missing)}; it has the columns {has}")
    for name, kind in columns.items():
        if (number := list(frame.columns).count(name)) > 1:
            raise BadFrame(f"{what} has {number} columns named {name!r}")
        column = frame[name]
        if column.notna().any() and not _IS[kind](column):
            raise BadFrame(f"column {name!r} of {what} is {column.dtype}, not {kind}")


def _named(names: list[str]) -> str:
    return f"column{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"
