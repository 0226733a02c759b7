"""Refuses effects that a table cannot show, and says why. No I/O."""

from collections.abc import Sequence

import numpy as np

from musicapi_nb.analysis.least_squares import Design
from musicapi_nb.analysis.linear_model import Comparer, Signs
from musicapi_nb.analysis.model_frame import BLOCK, Cells, ModelMatrix, Units, pair_name
from musicapi_nb.errors import BadFrame


def require_estimable(
    units: Units, factor: Sequence[str], cells: Cells, comparisons: Sequence[Signs]
) -> None:
    """Raise BadFrame, with the reason, if no comparison of the cells can be estimated."""
    name = pair_name(factor)
    if not _is_estimable(units, factor, cells, comparisons):
        missing = set(range(len(cells.names))) - set(cells.code.tolist())
        if len(factor) > 1 and missing:
            first = cells.names[min(missing)]
            raise BadFrame(
                f"the interaction {name} cannot be estimated: too few combinations of their "
                f"levels occur ({first} does not), or they are aliased with another factor"
            )
        raise BadFrame(_alias_message(units, factor, cells, comparisons))
    tasks = len(np.unique(units.task))
    if Design(ModelMatrix(units, factor, cells).values, units.task).rank >= tasks:
        raise BadFrame(
            f"the effect of {name} has no error to be judged by: {tasks} tasks leave no degree of "
            f"freedom beside the levels of {', '.join(units.terms)}; buy repeats, or leave factors "
            "without an effect out with factors=[...]"
        )


def _is_estimable(
    units: Units, factor: Sequence[str], cells: Cells, comparisons: Sequence[Signs]
) -> bool:
    matrix = ModelMatrix(units, factor, cells)
    everything = np.ones(units.number, dtype=bool)
    return bool(Comparer(units, cells, matrix, everything, comparisons).estimable.any())


def _alias_message(
    units: Units, factor: Sequence[str], cells: Cells, comparisons: Sequence[Signs]
) -> str:
    others = [name for name in units.terms if name not in factor]
    causes = [
        name
        for name in others
        if _is_estimable(
            units._replace(terms={key: term for key, term in units.terms.items() if key != name}),
            factor,
            cells,
            comparisons,
        )
    ]
    names = " and ".join(causes) if causes else f"several factors together ({', '.join(others)})"
    advice = "leave a factor without an effect out with factors=[...]"
    if causes == [BLOCK]:
        advice = (
            "the levels were bought in different blocks, at different times; if that does not "
            f"matter, drop the column {BLOCK!r}"
        )
    return (
        f"the effect of {pair_name(factor)} cannot be told from that of {names}, with which it is "
        f"aliased: {advice}"
    )
