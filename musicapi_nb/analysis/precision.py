"""How precisely a design compares levels, before there are any outcomes. No I/O."""

from collections.abc import Mapping, Sequence

import numpy as np

from musicapi_nb.analysis.families import Family, PValues
from musicapi_nb.analysis.least_squares import Design
from musicapi_nb.analysis.model_frame import ModelMatrix, Term, Units, read_cells


def comparison_precision(
    codes: Mapping[str, Sequence[int]], factor: str, level: float
) -> tuple[float, float, float]:
    """Return the precision of the least precise comparison of a level with the first one.

    `codes` have the level of each task by factor and block. The result is the standard error in
    standard deviations of a task, the degrees of freedom (NaN: no error, or aliased), and the p
    below which a comparison is found at this confidence level, corrected for all levels.
    """
    terms = {
        name: Term(np.asarray(code, dtype="int64"), [str(i) for i in range(max(code) + 1)])
        for name, code in codes.items()
        if name == factor or max(code) > min(code)
    }
    number = len(codes[factor])
    task = np.arange(number)
    units = Units(task, task, terms)
    cells = read_cells(units, (factor,))
    matrix = ModelMatrix(units, (factor,), cells)
    means = matrix.means(np.ones(number, dtype=bool))
    contrasts = means[1:] - means[0]
    design = Design(matrix.array, task)
    if design.rank >= number or not design.estimable(contrasts).all():
        return np.nan, np.nan, np.nan
    prepared = design.contrasts(contrasts)
    errors = np.sqrt((prepared.weights**2).sum(axis=0))
    p = Family([PValues(np.full((len(errors), 1), 0.5), prepared.correlation)]).joint_p(level)
    worst = int(np.argmax(errors))
    return float(errors[worst]), float(prepared.degrees[worst]), p
