"""DataFrames of plans: make frames of cells and problems, and read levels from frames."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidArgument, Problem
from musicapi_nb.plan.cells import Cell, PlanProblem
from musicapi_nb.plan.validation import coerce_int, name_problems, to_python

_INTEGER_COLUMNS = frozenset({"block", "order", "take", "price", "songs"})
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
    return pd.DataFrame(
        {
            name: _series(values, integer=name in _INTEGER_COLUMNS)
            for name, values in columns.items()
        }
    )


def _varying_fields(requests: Sequence[Request]) -> Iterable[tuple[str, list[Any]]]:
    kinds = dict.fromkeys(type(request) for request in requests)
    columns = {
        name: [getattr(request, name, None) for request in requests]
        for kind in kinds
        for name in kind.fields()
    }
    yield from _varying_columns(columns)
    names = dict.fromkeys(name for request in requests for name in request.extra)
    yield from _varying_columns(
        {name: [request.extra.get(name) for request in requests] for name in names}
    )


def _varying_columns(columns: Mapping[str, list[Any]]) -> Iterable[tuple[str, list[Any]]]:
    for name, values in columns.items():
        if any(value != values[0] for value in values):
            yield name, values


def _unused_name(name: str, columns: Mapping[str, Any]) -> str:
    while name in columns:
        name += "_"
    return name


def _series(values: Sequence[Any], *, integer: bool = False) -> pd.Series:
    """Give values of one type its nullable dtype; mixed types and lists stay objects."""
    kinds = {type(value) for value in values if value is not None}
    dtype = "object"
    if integer or kinds == {int}:
        if all(value is None or -(2**63) <= value < 2**63 for value in values):
            dtype = "Int64"
    elif kinds == {str}:
        values, dtype = [_to_encodable(value) for value in values], "str"
    elif kinds == {bool}:
        dtype = "boolean"
    elif kinds and kinds <= {int, float}:
        dtype = "float64"
    return pd.Series(list(values), dtype=dtype)


def _to_encodable(value: str | None) -> str | None:
    """Replace lone surrogates, which Arrow cannot store, by "?"; problems() reports them."""
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")


def problems_frame(problems: Sequence[PlanProblem]) -> pd.DataFrame:
    cells = [problem.cell for problem in problems]
    positions = {
        name: pd.Series([getattr(cell, name) if cell else None for cell in cells], dtype="Int64")
        for name in ("order", "block", "take")
    }
    texts = {
        "field": [_to_encodable(row.problem.field) or None for row in problems],
        "message": [_to_encodable(row.problem.message) for row in problems],
    }
    hard = pd.Series([row.problem.hard for row in problems], dtype="bool")
    columns = {name: pd.Series(values, dtype="str") for name, values in texts.items()}
    return pd.DataFrame({**positions, **columns, "hard": hard})


def read_rows(
    kind: type[Request], frame: Any, base: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return each row as levels by column name, and the problems of the columns."""
    if not isinstance(frame, pd.DataFrame):
        raise InvalidArgument(f"from_frame takes a pandas DataFrame, not {type(frame).__name__}")
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
    field = kind.fields().get(name)
    only_whole = all(value is None or _is_whole_float(value) for value in values)
    if None in values and only_whole and not (field and field.kind in _FLOAT_KINDS):
        return [None if value is None else int(value) for value in values]
    return values


def _is_whole_float(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()
