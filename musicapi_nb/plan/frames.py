"""A plan to and from DataFrames: its cells, their problems, and a frame's rows as levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from musicapi_nb.engines import Request
from musicapi_nb.errors import InvalidArgument, Problem
from musicapi_nb.plan.validation import fitted, name_problems, plain

if TYPE_CHECKING:
    from musicapi_nb.plan.cells import Cell
    from musicapi_nb.plan.plan import PlanProblem


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
    for name, values in _varying([cell.request for cell in cells]):
        if columns.get(name) != values:
            columns[_free(f"{name}_sent" if name in columns else name, columns)] = values
    columns["price"] = [cell.request.price() for cell in cells]
    columns["songs"] = [cell.request.songs for cell in cells]
    return pd.DataFrame(
        {name: _series(values, whole=name in _WHOLE) for name, values in columns.items()}
    )


_WHOLE = frozenset({"block", "order", "take", "price", "songs"})


def _varying(requests: Sequence[Request]) -> Iterable[tuple[str, list[Any]]]:
    kinds = dict.fromkeys(type(request) for request in requests)
    for name in dict.fromkeys(name for kind in kinds for name in kind.fields()):
        values = [getattr(request, name, None) for request in requests]
        if any(value != values[0] for value in values):
            yield name, values
    extras = [request.extra for request in requests]
    for name in dict.fromkeys(name for extra in extras for name in extra):
        values = [extra.get(name) for extra in extras]
        if any(value != values[0] for value in values):
            yield name, values


def _free(name: str, taken: Mapping[str, Any]) -> str:
    while name in taken:
        name += "_"
    return name


def _series(values: Sequence[Any], *, whole: bool = False) -> pd.Series[Any]:
    """Columns of one kind get its dtype; mixed ones and lists stay objects."""
    kinds = {type(value) for value in values if value is not None}
    if whole or kinds == {int}:
        fits = all(value is None or -(2**63) <= value < 2**63 for value in values)
        return pd.Series(list(values), dtype="Int64" if fits else "object")
    if kinds == {str}:
        return pd.Series([_carried(value) for value in values], dtype="str")
    if kinds == {bool}:
        return pd.Series(list(values), dtype="boolean")
    if kinds and kinds <= {int, float}:
        return pd.Series(list(values), dtype="float64")
    return pd.Series(list(values), dtype="object")


def _carried(value: str | None) -> str | None:
    """What no arrow string can hold is shown as a question mark; problems() names it."""
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")


def problems_frame(problems: Sequence[PlanProblem]) -> pd.DataFrame:
    cells = [found.cell for found in problems]
    whole = {
        name: pd.Series([getattr(cell, name) if cell else None for cell in cells], dtype="Int64")
        for name in ("order", "block", "take")
    }
    words = {
        "field": [_carried(found.problem.field) or None for found in problems],
        "message": [_carried(found.problem.message) for found in problems],
    }
    hard = pd.Series([found.problem.hard for found in problems], dtype="bool")
    texts = {name: pd.Series(values, dtype="str") for name, values in words.items()}
    return pd.DataFrame({**whole, **texts, "hard": hard})


def read_rows(
    kind: type[Request], frame: Any, base: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Each row of a frame as levels, column name to value; and what is wrong with the columns."""
    if not isinstance(frame, pd.DataFrame):
        raise InvalidArgument(f"from_frame takes a pandas DataFrame, not {type(frame).__name__}")
    problems = name_problems(frame.columns, base, "column")
    if not len(frame):
        problems.append(Problem("", "the frame has no rows"))
    if not len(frame.columns):
        problems.append(Problem("", "the frame has no columns"))
    if problems:
        return [], problems
    columns = {str(name): _column(kind, str(name), frame[name].tolist()) for name in frame.columns}
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows], []


_FLOATS = frozenset({"fraction", "number", "seconds"})


def _column(kind: type[Request], name: str, given: Sequence[Any]) -> list[Any]:
    """Plain values; whole numbers that a missing neighbour has made floats are whole again."""
    values = [fitted(kind, name, plain(value)) for value in given]
    field = kind.fields().get(name)
    whole = all(value is None or _is_whole(value) for value in values)
    if None in values and whole and not (field and field.kind in _FLOATS):
        return [None if value is None else int(value) for value in values]
    return values


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()
