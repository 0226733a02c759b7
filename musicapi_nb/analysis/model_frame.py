"""The rows of a table as the rows of a model: factors, tasks and outcomes."""

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from pandas.api import types

from musicapi_nb.analysis.array_types import Flags, Floats, Ints
from musicapi_nb.analysis.checks import finite_values, names_of, require
from musicapi_nb.analysis.clusters import cluster_codes, level_codes, sum_by_code
from musicapi_nb.analysis.song_keys import presence_values, require_unique
from musicapi_nb.analysis.source_tables import Source, table_of, table_with
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames import (
    durations_frame,
    replaced_tags_frame,
    songs_frame,
    tags_frame,
    tasks_frame,
)
from musicapi_nb.frames.arrow_tables import as_pandas

LABEL = "the frame"
BLOCK = "block"
_CELL_COLUMNS = ("cell", BLOCK, "take")
_TIME_SUFFIX = "_seconds"

OutcomeName: TypeAlias = str | tuple[str, str]
"""A column, or two: the sum of the first divided by that of the second."""


class Term(NamedTuple):
    """A factor of the model: the level of each unit, (units,), and the levels' names."""

    code: Ints
    names: list[str]


class Units(NamedTuple):
    """Rows of the model: the tasks, or their parts if a factor varies within tasks.

    `row` has the unit of each row of the table; `task` and the terms have a value for each unit.
    """

    row: Ints
    task: Ints
    terms: dict[str, Term]

    @property
    def number(self) -> int:
        return len(self.task)

    def without(self, name: str) -> "Units":
        """Return the units of a model without one of its terms."""
        return self._replace(terms={key: term for key, term in self.terms.items() if key != name})


class Outcome(NamedTuple):
    """An outcome of each unit: its mean over the songs with a value, NaN without any.

    For an outcome per another one, `values` and `divisors` are sums; else `divisors` is None.
    `songs` counts the values, `missing` the rows without one: (units,) each.
    """

    name: str
    values: Floats
    divisors: Floats | None
    is_share: bool
    songs: Floats
    missing: Floats


def read_units(
    frame: pd.DataFrame,
    factor: Sequence[str],
    factors: Sequence[str] | None,
    cluster: str | None,
    outcomes: Any,
) -> Units:
    """Read the terms of the model: `factor`, the other factors that vary, and the block.

    `factors` default to those of the plan: the columns of an experiment's tables between `take`
    and the first result or outcome.
    """
    require(frame, dict.fromkeys(factor, "key"), LABEL)
    others = (
        plan_factors(frame, outcome_columns(outcome_names(outcomes)))
        if factors is None
        else names_of(factors, "factors")
    )
    names = dict.fromkeys((*factor, *others))
    if BLOCK in frame.columns:
        names[BLOCK] = None
    require(frame, dict.fromkeys(names, "key"), LABEL)
    require_unique(frame, LABEL)
    codes = {name: level_codes(frame, name) for name in names}
    task = cluster_codes(frame, cluster, LABEL)
    keys = np.column_stack([task, *(code for code, _ in codes.values())])
    _, first, row = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    terms = {
        name: Term(code[first], levels)
        for name, (code, levels) in codes.items()
        if name in factor or len(levels) > 1
    }
    return Units(row.reshape(-1).astype("int64"), task[first], terms)


def plan_factors(frame: pd.DataFrame, outcomes: Iterable[str] = ()) -> list[str]:
    """Return the plan's factors: the columns between those of the cell and the first result.

    The tables of an experiment have them there, and none of them is named like a result. Outcomes
    are results, too.
    """
    names = [str(name) for name in frame.columns]
    lead = [names.index(name) for name in _CELL_COLUMNS if name in names]
    if "cell" not in names or len(lead) == 1:
        return []
    start = max(lead) + 1
    results = {*_result_columns(), *outcomes}
    return list(itertools.takewhile(lambda name: name not in results, names[start:]))


@functools.cache
def _result_columns() -> frozenset[str]:
    tables = (songs_frame, tags_frame, replaced_tags_frame, durations_frame, tasks_frame)
    return frozenset(str(name) for table in tables for name in table([]).columns)


def read_tables(
    source: Source, factor: Sequence[str], outcomes: Any, tags: Source | None, presence: Any
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the table with the factor and the outcomes, and that of the tags."""
    columns = [*factor, *outcome_columns(outcome_names(outcomes))]
    source = as_pandas(source, "frame")
    frame = table_with(source, columns)
    if tags is None and presence and frame is not source:
        tags = source
    return frame, None if tags is None else table_of(tags, "tags")


def read_outcomes(
    frame: pd.DataFrame, outcomes: Any, tags: pd.DataFrame | None, presence: Any, units: Units
) -> list[Outcome]:
    """Read columns, pairs of columns and the presence of tags as outcomes of the units."""
    names = outcome_names(outcomes)
    presence = names_of(presence, "presence")
    if bool(presence) != (tags is not None):
        raise InvalidArgument("presence=[...] and tags=run.tags() must be given together")
    require(frame, dict.fromkeys(outcome_columns(names), "number or boolean"), LABEL)
    result = []
    for name in names:
        if isinstance(name, str):
            values = finite_values(frame[name])
            result.append(_mean_of(name, values, units, is_share=_is_share(frame[name], values)))
        else:
            values, divisors = (finite_values(frame[part]) for part in name)
            result.append(_ratio_of(" / ".join(name), values, divisors, units))
    if tags is not None:
        result += [
            _mean_of(f"tag: {tag}", values, units, is_share=True)
            for tag, values in presence_values(frame, tags, presence, LABEL).items()
        ]
    return result


def outcome_names(outcomes: Any) -> list[OutcomeName]:
    names = [outcomes] if isinstance(outcomes, str) else outcomes
    is_list = isinstance(names, Sequence) or hasattr(names, "__iter__")
    names = list(names) if is_list else [None]
    for name in names:
        parts = (name,) if isinstance(name, str) else name
        if not isinstance(parts, tuple) or not all(isinstance(part, str) for part in parts):
            break
        if not isinstance(name, str) and len(parts) != 2:  # noqa: PLR2004 - a and b
            break
    else:
        return list(dict.fromkeys(names))
    raise InvalidArgument(
        "outcomes must be a column or a list of columns and pairs of columns, such as "
        f"['duration', ('credits', 'songs')], not {outcomes!r:.80}"
    )


def outcome_columns(names: Iterable[OutcomeName]) -> list[str]:
    return [name for pair in names for name in ((pair,) if isinstance(pair, str) else pair)]


def _is_share(column: pd.Series, values: Floats) -> bool:
    """Return whether values are shares of 0 to 1; seconds never are."""
    if types.is_bool_dtype(column):
        return True
    finite = values[np.isfinite(values)]
    is_time = str(column.name).endswith(_TIME_SUFFIX)
    return not is_time and bool(((finite >= 0) & (finite <= 1)).all())


def _mean_of(name: str, values: Floats, units: Units, *, is_share: bool) -> Outcome:
    finite = np.isfinite(values)
    songs = sum_by_code(units.row[finite], np.ones(finite.sum()), units.number)
    total = sum_by_code(units.row[finite], values[finite], units.number)
    missing = sum_by_code(units.row[~finite], np.ones((~finite).sum()), units.number)
    means = np.divide(total, songs, out=np.full(units.number, np.nan), where=songs > 0)
    return Outcome(name, means, None, is_share, songs, missing)


def _ratio_of(name: str, values: Floats, divisors: Floats, units: Units) -> Outcome:
    defined = np.isfinite(values) & np.isfinite(divisors)
    counts = _mean_of(name, np.where(defined, values, np.nan), units, is_share=False)
    sums = [
        sum_by_code(units.row[defined], part[defined], units.number) for part in (values, divisors)
    ]
    total, divisor = (np.where(counts.songs > 0, part, np.nan) for part in sums)
    return counts._replace(values=total, divisors=divisor)


class Cells(NamedTuple):
    """The levels of a factor, or the combinations of the levels of two.

    `code` has the cell of each unit, (units,); `levels` the codes of each cell's levels.
    """

    code: Ints
    levels: list[tuple[int, ...]]
    names: list[str]


def read_cells(units: Units, factor: Sequence[str]) -> Cells:
    """Number the levels of a factor, or the combinations of two factors' levels."""
    terms = [units.terms[name] for name in factor]
    levels = list(itertools.product(*(range(len(term.names)) for term in terms)))
    shape = [len(term.names) for term in terms]
    code = np.ravel_multi_index([term.code for term in terms], shape)
    names = [
        pair_name([term.names[index] for term, index in zip(terms, cell, strict=True)])
        for cell in levels
    ]
    return Cells(code.astype("int64"), levels, names)


class ModelMatrix:
    """The matrix of a model, (units, parameters): 1, some columns, and the levels of other terms.

    `columns` describe the factor: by default an indicator for each cell. With the cells of two
    factors, their interaction is included.
    """

    def __init__(
        self, units: Units, factor: Sequence[str], cells: Cells, columns: Floats | None = None
    ) -> None:
        self._cells = len(cells.names)
        columns = _indicators(cells.code, self._cells) if columns is None else columns
        terms = [term for name, term in units.terms.items() if name not in factor]
        parts = [_indicators(term.code, len(term.names)) for term in terms]
        self.array: Floats = np.concatenate([np.ones((units.number, 1)), columns, *parts], axis=1)

    def moved(self, units: Flags, cell: int) -> Floats:
        """Return the rows of some units, (units,), as if they were in one cell."""
        rows = self.array[units].copy()
        rows[:, 1 : 1 + self._cells] = np.arange(self._cells) == cell
        return rows

    def means(self, units: Flags) -> Floats:
        """Return the contrasts of adjusted means, (cells, parameters).

        The adjusted mean of a cell is the mean that the model predicts if all of these units,
        (units,), were in that cell.
        """
        row = self.array[units].sum(axis=0) / max(int(units.sum()), 1)
        rows = np.repeat(row[None], self._cells, axis=0)
        rows[:, 1 : 1 + self._cells] = np.eye(self._cells)
        return rows


def _indicators(code: Ints, number: int) -> Floats:
    columns: Floats = (code[:, None] == np.arange(number)).astype("float64")
    return columns


def pair_name(factor: Sequence[str]) -> str:
    """Return the name of an effect: of a factor, or of the interaction of two."""
    return " \N{MULTIPLICATION SIGN} ".join(factor)


def baseline_code(names: Sequence[str], baseline: Any, factor: str) -> int:
    """Return the code of the baseline level; default the first."""
    if baseline is None or not names:
        return 0
    if str(baseline) not in names:
        raise BadFrame(f"{factor} has no level {baseline!r}; it has {', '.join(names)}")
    return names.index(str(baseline))
