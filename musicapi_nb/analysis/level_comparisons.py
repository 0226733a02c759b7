"""Comparisons of the levels of a factor in one model of a table, before any inference. No I/O."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb.analysis.clusters import sum_by_code
from musicapi_nb.analysis.estimability import require_estimable
from musicapi_nb.analysis.linear_model import Comparer, Estimates, Measure, Signs, group_outcomes
from musicapi_nb.analysis.model_frame import (
    Cells,
    ModelMatrix,
    Outcome,
    OutcomeName,
    Units,
    baseline_code,
    pair_name,
    read_cells,
    read_outcomes,
    read_units,
)
from musicapi_nb.errors import InvalidArgument

SIZES = ("songs", "tasks", "baseline_songs", "baseline_tasks", "missing_songs")
_NAMES = ("factor", "level", "baseline", "outcome", "measure", *SIZES, "note")


class LevelComparisons(NamedTuple):
    """The rows of a table of comparisons, and the estimates for their figures.

    `rows` has the outcomes in order, each with all comparisons; `fits` the indexes of outcomes and
    their estimates, (comparisons, outcomes) each.
    """

    rows: pd.DataFrame
    fits: list[tuple[list[int], Estimates]]
    outcomes: int


def compare_levels(  # noqa: PLR0913 - the arguments of `effects`
    frame: pd.DataFrame,
    names: tuple[str, ...],
    outcomes: Sequence[OutcomeName],
    *,
    tags: pd.DataFrame | None = None,
    presence: Sequence[str] = (),
    factors: Sequence[str] | None = None,
    baseline: Any = None,
    measure: Measure = "difference",
    cluster: str | None = None,
    all_pairs: bool = False,
) -> LevelComparisons | None:
    """Compare the levels of a factor with the baseline, or all pairs; None with one level only.

    Arguments and errors are those of `effects`; in a pair, the earlier level is the baseline.
    """
    units = read_units(frame, names, factors, cluster, outcomes)
    results = read_outcomes(frame, outcomes, tags, presence, units)
    cells = read_cells(units, names)
    comparisons = _all_pairs(cells) if all_pairs else _comparisons(units, names, cells, baseline)
    if not comparisons:
        return None
    require_estimable(units, names, cells, comparisons)
    matrix = ModelMatrix(units, names, cells)
    fits, reasons = [], {}
    for group in group_outcomes(results):
        comparer = Comparer(units, cells, matrix, group.defined, comparisons)
        estimates = comparer.compare(group, measure)
        fits.append((group.indexes, estimates))
        for column, index in enumerate(group.indexes):
            reasons[index] = comparer.notes(estimates, column)
    rows = []
    for index, outcome in enumerate(results):
        sizes = sizes_of(units, cells, comparisons, outcome)
        for signs, size, note in zip(comparisons, sizes, reasons[index], strict=True):
            cell, base = cells.names[next(iter(signs))], cells.names[list(signs)[-1]]
            rows.append((pair_name(names), cell, base, outcome.name, measure, *size, note))
    return LevelComparisons(pd.DataFrame(rows, columns=list(_NAMES)), fits, len(results))


def _all_pairs(cells: Cells) -> list[Signs]:
    pairs = itertools.combinations(range(len(cells.names)), 2)
    return [{second: 1, first: -1} for first, second in pairs]


def _comparisons(units: Units, factor: Sequence[str], cells: Cells, baseline: Any) -> list[Signs]:
    """Return the signs of the cells of each comparison with the baseline."""
    terms = [units.terms[name] for name in factor]
    levels = (baseline,) if len(terms) == 1 else baseline or (None, None)
    if not isinstance(levels, tuple) or len(levels) != len(terms):
        raise InvalidArgument(f"baseline must be a pair of levels, not {baseline!r:.60}")
    base = [
        baseline_code(term.names, value, name)
        for term, value, name in zip(terms, levels, factor, strict=True)
    ]
    code = {cell: index for index, cell in enumerate(cells.levels)}
    result = []
    for cell in cells.levels:
        if any(level == first for level, first in zip(cell, base, strict=True)):
            continue
        if len(cell) == 1:
            result.append({code[cell]: 1, code[(base[0],)]: -1})
        else:
            result.append(
                {
                    code[cell]: 1,
                    code[(base[0], cell[1])]: -1,
                    code[(cell[0], base[1])]: -1,
                    code[(base[0], base[1])]: 1,
                }
            )
    return result


def sizes_of(
    units: Units, cells: Cells, comparisons: Sequence[Signs], outcome: Outcome
) -> list[tuple[int, ...]]:
    """Return the figures of `SIZES` of each comparison."""
    number = len(cells.names)
    songs = sum_by_code(cells.code, outcome.songs, number).astype("int64")
    missing = sum_by_code(cells.code, outcome.missing, number).astype("int64")
    with_songs = outcome.songs > 0
    pairs = np.unique(np.column_stack([cells.code, units.task])[with_songs], axis=0)
    tasks = np.bincount(pairs[:, 0], minlength=number)
    rows = []
    for signs in comparisons:
        cell, base = next(iter(signs)), list(signs)[-1]
        both = missing[list({cell, base})].sum()
        sizes = songs[cell], tasks[cell], songs[base], tasks[base], both
        rows.append(tuple(int(size) for size in sizes))
    return rows
