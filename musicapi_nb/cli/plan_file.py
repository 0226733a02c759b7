"""Plans in files: CSV or Parquet, one request per row, its fields and factors in columns."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from musicapi_nb import markup
from musicapi_nb.cli.request_arguments import operation_of, parse_field, parse_fields
from musicapi_nb.engines import Request
from musicapi_nb.engines.arguments import field_name
from musicapi_nb.errors import (
    InvalidArgument,
    InvalidPlan,
    InvalidRequest,
    MissingFile,
    Problem,
    UnreadableFile,
)
from musicapi_nb.paths import local_path
from musicapi_nb.plan import Plan
from musicapi_nb.plan.frames import read_rows, restore_integers
from musicapi_nb.plan.validation import to_python

_PARQUET = frozenset({".parquet", ".pq"})
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_OPERATION_COLUMNS = ("engine", "operation")


class RowProblem(NamedTuple):
    """A problem, and the rows of the file that have it, from 1; none: it is of the whole plan."""

    rows: tuple[int, ...]
    problem: Problem

    def __str__(self) -> str:
        rows = ", ".join(map(str, self.rows[:_MOST_ROWS]))
        rest = f" and {len(self.rows) - _MOST_ROWS:,} more" * (len(self.rows) > _MOST_ROWS)
        where = f"row{'s' * (len(self.rows) > 1)} {rows}{rest}: " if self.rows else ""
        advice = "" if self.problem.hard else "advice: "
        return markup.one_line(f"{where}{advice}{self.problem}")


_MOST_ROWS = 8


class PlanFile(NamedTuple):
    """A plan that was read, None if it cannot be made; its problems; the row of each cell."""

    plan: Plan | None
    problems: tuple[RowProblem, ...]
    rows: tuple[int, ...] = ()

    @property
    def refused(self) -> tuple[RowProblem, ...]:
        """The problems because of which nothing is sent."""
        return tuple(problem for problem in self.problems if problem.problem.hard)

    def checked(self) -> Plan:
        """Return the plan; InvalidPlan if anything in it would be refused."""
        if self.refused or self.plan is None:
            problems = {problem: rows for rows, problem in self.refused}
            raise InvalidPlan(problems, "row")
        return self.plan


def read_plan(args: argparse.Namespace) -> PlanFile:
    """Read the plan of a command.

    Columns are fields of the request, or factors that fill {placeholders} in texts, also in those
    of `--set`. Columns `engine` and `operation`, or the options of this name, say what each row
    requests. Rows of several operations become one plan for each, bought one after the other.

    Raises
    ------
    MissingFile, UnreadableFile
        There is no such file, or it is no table.
    InvalidArgument
        An option is wrong.
    """
    path = local_path(args.plan)
    frame = _read_table(path)
    plan: Plan | None = None
    problems: list[RowProblem] = []
    rows: list[int] = []
    incomplete = frozenset(frame.columns[frame.isna().any()])
    for kind, numbers in _rows_by_operation(frame, args).items():
        part = frame.iloc[numbers].drop(columns=[*_OPERATION_COLUMNS], errors="ignore")
        part = part.dropna(axis="columns", how="all").reset_index(drop=True)
        part_plan, faults, cell_rows = _read_part(kind, part, incomplete, args)
        problems += [
            RowProblem(tuple(numbers[row] + 1 for row in indices), problem)
            for indices, problem in faults
        ]
        rows += [numbers[row] + 1 for row in cell_rows]
        if part_plan is not None:
            plan = part_plan if plan is None else plan + part_plan
    return PlanFile(plan, tuple(problems), tuple(rows))


def _read_table(path: Path) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if suffix not in {*_SEPARATORS, *_PARQUET}:
        raise InvalidArgument(f"{path.name}: a plan must be a .csv, .tsv or .parquet file")
    if not path.is_file():
        raise MissingFile(f"there is no file {path}")
    try:
        if suffix in _PARQUET:
            # else pandas makes floats of large integers where one is missing, and drops digits
            return pd.read_parquet(path, dtype_backend="numpy_nullable")
        return pd.read_csv(
            path,
            sep=_SEPARATORS[suffix],
            dtype=str,
            encoding="utf-8-sig",
            keep_default_na=False,  # a song may be called "NA" or "None"
            na_values=[""],
            index_col=False,
        )
    except (OSError, ValueError) as error:  # also those of pandas and pyarrow
        raise UnreadableFile(f"{path} cannot be read as a table ({error})") from error


def _rows_by_operation(
    frame: pd.DataFrame, args: argparse.Namespace
) -> Mapping[type[Request], list[int]]:
    rows: dict[tuple[str | None, str | None], list[int]] = {}
    defaults = (args.engine, args.operation)
    columns = [
        [to_python(value) for value in frame[name]] if name in frame else [None] * len(frame)
        for name in _OPERATION_COLUMNS
    ]
    for number, names in enumerate(zip(*columns, strict=True)):
        engine, operation = (None if name is None else str(name).strip() for name in names)
        rows.setdefault((engine or defaults[0], operation or defaults[1]), []).append(number)
    if not rows:
        raise InvalidArgument(f"{args.plan} has no rows")
    kinds: dict[type[Request], list[int]] = {}
    for names, numbers in rows.items():
        try:
            kind = operation_of(*names)
        except InvalidArgument as error:
            raise InvalidArgument(f"row {numbers[0] + 1}: {error.message}") from None
        kinds.setdefault(kind, []).extend(numbers)
    return {kind: sorted(numbers) for kind, numbers in kinds.items()}


_Faults = list[tuple[Sequence[int], Problem]]


def _read_part(
    kind: type[Request], frame: pd.DataFrame, incomplete: Collection[Any], args: argparse.Namespace
) -> tuple[Plan | None, _Faults, list[int]]:
    """Return the plan of the rows of one operation, its problems, and the row of each cell."""
    base = parse_fields(kind, args.fields)
    parsed, faults = _parse_texts(kind, frame, incomplete)
    if faults:
        return None, faults, []
    try:
        plan = Plan.from_frame(kind, parsed, base=base, repeats=args.repeats, seed=args.seed)
    except InvalidPlan as error:
        return None, list(zip(error.rows, error.problems, strict=True)), []
    cell_rows = _cell_rows(plan, read_rows(kind, parsed, base)[0])
    faults = [
        (sorted({cell_rows[order] for order in orders}), problem)
        for problem, orders in plan.grouped_problems().items()
    ]
    return plan, faults, cell_rows


def _cell_rows(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the row of each cell; cells of equal rows are counted off in order."""
    by_levels: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        by_levels.setdefault(repr(dict(row)), []).append(number)
    counts: dict[str, int] = {}
    numbers = []
    for cell in plan:
        key = repr(dict(cell.levels))
        equal = by_levels[key]
        numbers.append(equal[counts.get(key, 0) % len(equal)])
        counts[key] = counts.get(key, 0) + 1
    return numbers


def _parse_texts(
    kind: type[Request], frame: pd.DataFrame, incomplete: Collection[Any]
) -> tuple[pd.DataFrame, _Faults]:
    """Return the table with the texts of fields as the values that the fields take.

    A factor whose texts are all numbers becomes numbers. Integers are restored in columns that are
    `incomplete` in the whole file, because a missing value elsewhere may have made them floats.
    """
    faults: _Faults = []
    columns: dict[Any, list[Any]] = {}
    for name in frame.columns:
        values = [to_python(value) for value in frame[name]]
        if isinstance(name, str) and field_name(kind, name) in kind.fields():
            for row, value in enumerate(values):
                if isinstance(value, str) and "{" not in value:
                    try:
                        values[row] = parse_field(kind, name, value)
                    except InvalidRequest as error:
                        faults += [([row], problem) for problem in error.problems]
        elif (numbers := _numbers(values)) is not None:
            values = numbers
        columns[name] = restore_integers(kind, str(name), values) if name in incomplete else values
    return pd.DataFrame(columns, dtype=object), faults


def _numbers(values: Sequence[Any]) -> list[Any] | None:
    """Return texts as numbers if that loses nothing; "007" stays a text."""
    numbers: list[Any] = []
    for value in values:
        number = value
        if isinstance(value, str):
            try:
                number = int(value) if value.lstrip("-").isdigit() else float(value)
            except ValueError:
                return None
            if str(number) != value:
                return None
        numbers.append(number)
    return numbers
