"""Check that effects can be estimated from a table, and explain why not. No I/O."""

from collections.abc import Callable, Sequence

import numpy as np

from musicapi_nb.analysis.least_squares import Design
from musicapi_nb.analysis.linear_model import Comparer, Signs
from musicapi_nb.analysis.model_frame import BLOCK, Cells, ModelMatrix, Units, pair_name
from musicapi_nb.errors import BadFrame

_MAX_NAMES = 8


def require_estimable(
    units: Units, factor: Sequence[str], cells: Cells, comparisons: Sequence[Signs]
) -> None:
    """Raise BadFrame, with the reason, if no comparison of the cells can be estimated."""

    def is_estimable(units: Units) -> bool:
        matrix = ModelMatrix(units, factor, cells)
        everything = np.ones(units.number, dtype=bool)
        return bool(Comparer(units, cells, matrix, everything, comparisons).estimable.any())

    missing = set(range(len(cells.names))) - set(cells.code.tolist())
    if len(factor) > 1 and missing and not is_estimable(units):
        raise BadFrame(
            f"the interaction {pair_name(factor)} cannot be estimated: too few combinations of "
            f"their levels occur ({cells.names[min(missing)]} does not), or they are aliased with "
            "another factor"
        )
    require_separable(units, factor, is_estimable)
    require_error(units, factor, ModelMatrix(units, factor, cells))


def require_separable(
    units: Units, factor: Sequence[str], is_estimable: Callable[[Units], bool]
) -> None:
    """Raise BadFrame if an effect is aliased; the message names the terms that hide it."""
    if is_estimable(units):
        return
    others = [name for name in units.terms if name not in factor]
    causes = [name for name in others if is_estimable(units.without(name))]
    hidden = f" and {len(others) - _MAX_NAMES} more" if len(others) > _MAX_NAMES else ""
    together = f"several factors together ({', '.join(others[:_MAX_NAMES])}{hidden})"
    names = " and ".join(causes) if causes else together
    advice = "leave a factor without an effect out with factors=[...]"
    if causes == [BLOCK]:
        advice = (
            "the levels were bought in different blocks, at different times; if that does not "
            f"matter, drop the column {BLOCK!r}"
        )
    raise BadFrame(
        f"the effect of {pair_name(factor)} cannot be distinguished from that of {names}, with "
        f"which it is aliased: {advice}"
    )


def require_error(units: Units, factor: Sequence[str], matrix: ModelMatrix) -> None:
    """Raise BadFrame if the model has as many parameters as there are tasks."""
    tasks = len(np.unique(units.task))
    if Design(matrix.array, units.task).rank >= tasks:
        raise BadFrame(
            f"the effect of {pair_name(factor)} cannot be tested: {tasks} tasks leave "
            f"no degrees of freedom beside the levels of {', '.join(units.terms)}; buy repeats, or "
            "leave factors without an effect out with factors=[...]"
        )
