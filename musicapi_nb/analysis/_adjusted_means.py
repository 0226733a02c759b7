"""Adjusted means: the mean of each level of a factor, with the other factors equal."""

from collections.abc import Sequence

import pandas as pd

from musicapi_nb.analysis._effects import factor_names
from musicapi_nb.analysis.checks import as_frame, check_level
from musicapi_nb.analysis.level_comparisons import SIZES, sizes_of
from musicapi_nb.analysis.linear_model import Comparer, Signs, group_outcomes
from musicapi_nb.analysis.model_frame import (
    ModelMatrix,
    OutcomeName,
    pair_name,
    read_cells,
    read_outcomes,
    read_tables,
    read_units,
)
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.extras import require_extra

_FIGURES = ("mean", "low", "high", "degrees")
_COLUMNS = {
    **dict.fromkeys(("factor", "level", "outcome"), "str"),
    **dict.fromkeys(_FIGURES, "float64"),
    **dict.fromkeys(("songs", "tasks", "missing_songs"), "int64"),
}


def adjusted_means(  # noqa: PLR0913 - all but two are keywords
    frame: Source,
    factor: str | tuple[str, str],
    *,
    outcomes: Sequence[OutcomeName] = ("duration",),
    tags: Source | None = None,
    presence: Sequence[str] = (),
    factors: Sequence[str] | None = None,
    level: float = 0.95,
    cluster: str | None = None,
) -> pd.DataFrame:
    """Estimate the mean of each level of a factor, as if all tasks of the table had this level.

    The model is that of `effects`, where the arguments are described: the other factors and the
    blocks count as they occur in the whole table, for every level alike. With two factors there is
    a row for each combination of their levels.

    Needs the extra `analysis`.

    Returns
    -------
    pandas.DataFrame
        One row for each outcome and level: `factor, level, outcome` (str), `mean, low, high`
        (float64; in units of the outcome, shares 0 to 1; missing for a level without values),
        `degrees` (float64), `songs, tasks, missing_songs` (int64).
    """
    require_extra("analysis")
    names = factor_names(factor)
    check_level(level)
    frame, tags = read_tables(frame, names, outcomes, tags, presence)
    units = read_units(frame, names, factors, cluster, outcomes)
    results = read_outcomes(frame, outcomes, tags, presence, units)
    cells = read_cells(units, names)
    matrix = ModelMatrix(units, names, cells)
    themselves: list[Signs] = [{cell: 1} for cell in range(len(cells.names))]
    if not themselves:
        return as_frame(pd.DataFrame(columns=list(_COLUMNS)), _COLUMNS)
    rows: dict[int, pd.DataFrame] = {}
    for group in group_outcomes(results):
        comparer = Comparer(units, cells, matrix, group.defined, themselves)
        figures = comparer.adjusted_means(group, level)
        for column, index in enumerate(group.indexes):
            sizes = pd.DataFrame(sizes_of(units, cells, themselves, results[index]), columns=SIZES)
            means = {
                name: figure[:, column] for name, figure in zip(_FIGURES, figures, strict=True)
            }
            rows[index] = sizes.assign(
                factor=pair_name(names), level=cells.names, outcome=results[index].name, **means
            )
    table = pd.concat([rows[index] for index in sorted(rows)]) if rows else pd.DataFrame()
    return as_frame(table if len(table) else pd.DataFrame(columns=list(_COLUMNS)), _COLUMNS)
