"""DataFrames of plans: make frames of cells and problems, and read levels from frames."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidArgument, Problem
from musicapi_nb.frames.arrow_tables import as_pandas, no_table_text
from musicapi_nb.frames.no_problems import say_if_empty
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.plan.cells import Cell, PlanProblem
from musicapi_nb.plan.validation import coerce_int, name_problems, to_python

_INTEGER_COLUMNS = ("block", "order", "take", "price", "songs")
_DTYPES: dict[str, Any] = {
    "integer": "Int64",
    "whole seconds": "Int64",
    "string": TEXT,
    "boolean": "boolean",
    "floating": "float64",
    "mixed-integer-float": "float64",
}
_PROBLEMS: dict[str, Any] = {
    **dict.fromkeys(("order", "block", "take"), "Int64"),
    **dict.fromkeys(("field", "message"), TEXT),
    "hard": "bool",
}
_FLOAT_KINDS = frozenset({"fraction", "number", "seconds"})


def cells_frame(cells: Sequence[Cell], factors: Iterable[str]) -> pd.DataFrame:
    columns: dict[str, Sequence[Any]] = {
        "block": [cell.block for cell in cells],
        "order": [cell.order for cell in cells],
        "take": [cell.take for cell in cells],
    }
    columns |= {name: [cell.levels.get(name) for cell in cells] for name in factors}
    operations = [f"{cell.request.engine}.{type(cell.request).__name__}" for cell in cells]
    if len(set(operations)) > 1:
        columns["operation"] = operations
    for name, values in _varying_fields([cell.request for cell in cells]):
        if columns.get(name) != values:
            columns[_unused_name(f"{name}_sent" if name in columns else name, columns)] = values
    columns["price"] = [cell.request.price() for cell in cells]
    columns["songs"] = [cell.request.songs for cell in cells]
    return pd.DataFrame({name: _series(values) for name, values in columns.items()}).astype(
        dict.fromkeys(_INTEGER_COLUMNS, "Int64")
    )


def _varying_fields(requests: Sequence[Request]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the declared fields, then the undeclared ones, that differ between requests."""
    kinds = dict.fromkeys(type(request) for request in requests)
    fields = dict.fromkeys(name for kind in kinds for name in kind.fields())
    undeclared = dict.fromkeys(name for request in requests for name in request.extra)
    columns = [(name, [getattr(request, name, None) for request in requests]) for name in fields]
    columns += [(name, [request.extra.get(name) for request in requests]) for name in undeclared]
    for name, values in columns:
        if any(value != values[0] for value in values):
            yield name, values


def _unused_name(name: str, columns: Mapping[str, Any]) -> str:
    while name in columns:
        name += "_"
    return name


def _series(values: Sequence[Any]) -> pd.Series:
    """Give values of one type its nullable dtype; mixed types and lists stay objects."""
    dtype = _DTYPES.get(pd.api.types.infer_dtype(values, skipna=True), "object")
    if dtype == TEXT:
        values = [_to_encodable(value) for value in values]
    if dtype == "Int64" and not all(-(2**63) <= value < 2**63 for value in values if value):
        dtype = "object"
    series: pd.Series = pd.Series(list(values), dtype=dtype)
    return series


def _to_encodable(value: str | None) -> str | None:
    """Replace lone surrogates, which Arrow cannot store, by "?"; problems() reports them."""
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")


def problems_frame(problems: Sequence[PlanProblem]) -> pd.DataFrame:
    rows = []
    for cell, problem in problems:
        position = (cell.order, cell.block, cell.take) if cell else (None, None, None)
        texts = _to_encodable(problem.field) or None, _to_encodable(problem.message)
        rows.append((*position, *texts, problem.hard))
    frame = pd.DataFrame(rows, columns=list(_PROBLEMS), dtype="object").astype(_PROBLEMS)
    return say_if_empty(frame)


def read_rows(
    kind: type[Request], frame: Any, base: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return each row as levels by column name, and the problems of the columns."""
    frame = as_pandas(frame, "frame", exact=True)
    if not isinstance(frame, pd.DataFrame):
        raise InvalidArgument(no_table_text(frame, "frame"))
    problems = name_problems(frame.columns, base, "column")
    if not len(frame):
        problems.append(Problem("", "the frame has no rows"))
    if not len(frame.columns):
        problems.append(Problem("", "the frame has no columns"))
    if problems:
        return [], problems
    columns = {str(name): _levels(kind, str(name), frame[name].tolist()) for name in frame.columns}
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows], []


def _levels(kind: type[Request], name: str, column: Sequence[Any]) -> list[Any]:
    """Convert a column to Python values; integers that a missing value made floats are restored."""
    values = [coerce_int(kind, name, to_python(value)) for value in column]
    return restore_integers(kind, name, values) if None in values else values


def restore_integers(kind: type[Request], name: str, values: Sequence[Any]) -> list[Any]:
    """Convert a column to integers if all its values are whole floats; else return it unchanged.

    pandas makes floats of the integers of a column with missing values.
    """
    field = kind.fields().get(name)
    numbers = [value for value in values if value is not None]
    only_whole = all(isinstance(value, float) and value.is_integer() for value in numbers)
    if only_whole and not (field and field.kind in _FLOAT_KINDS):
        return [None if value is None else int(value) for value in values]
    return [*values]
