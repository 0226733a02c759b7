"""Dose response: how an outcome changes with each unit of a numeric factor."""

import functools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Flags, Floats
from musicapi_nb.analysis.checks import as_frame, check_level, finite_values, require
from musicapi_nb.analysis.contrasts import p_of_t
from musicapi_nb.analysis.estimability import require_error, require_separable
from musicapi_nb.analysis.families import Correction, Family, PValues, check_correction
from musicapi_nb.analysis.inference import inference_columns
from musicapi_nb.analysis.least_squares import Design
from musicapi_nb.analysis.linear_model import Estimates, Group, group_outcomes, symmetric_interval
from musicapi_nb.analysis.model_frame import (
    LABEL,
    ModelMatrix,
    OutcomeName,
    Units,
    read_cells,
    read_outcomes,
    read_tables,
    read_units,
)
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.extras import require_extra

_COLUMNS = {
    **dict.fromkeys(("factor", "outcome"), "str"),
    **dict.fromkeys(("slope", "low", "high", "p", "p_adjusted"), "float64"),
    **dict.fromkeys(("joint_low", "joint_high", "detectable", "p_linear"), "float64"),
    **dict.fromkeys(("mean", "mean_dose", "lowest", "highest", "degrees"), "float64"),
    **dict.fromkeys(("doses", "songs", "tasks", "missing_songs"), "int64"),
}
_MAX_POWER = 4  # of the polynomial that the line is tested against


def dose_response(  # noqa: PLR0913 - all but two are keywords
    frame: Source,
    factor: str,
    *,
    outcomes: Sequence[OutcomeName] = ("duration",),
    tags: Source | None = None,
    presence: Sequence[str] = (),
    factors: Sequence[str] | None = None,
    level: float = 0.95,
    correction: Correction | None = "max-t",
    cluster: str | None = None,
) -> pd.DataFrame:
    """Estimate how outcomes change with each unit of a numeric factor, and whether in a line.

    The model is that of `effects`, where the arguments are described, with the factor as a number:
    its slope holds while the other factors and the block stay the same. Shares change by shares.
    `adjusted_means` has the mean at each dose, without a line through them.

    `p_linear` tests the line against polynomials of up to the fourth degree (as far as there are
    doses) by a max-t test of their coefficients: a small one means that the outcome does not change
    in a line, so that the slope is only the average change. It is missing with two doses.

    Songs whose factor is missing are left out, and counted as missing. BadFrame is raised as by
    `effects`, and if the factor is not numeric.

    Needs the extra `analysis`.

    Returns
    -------
    pandas.DataFrame
        One row for each outcome: `factor, outcome` (str), `slope, low, high` (float64; units of the
        outcome per unit of the factor), `p, p_adjusted, joint_low, joint_high, detectable` (as in
        `effects`), `p_linear`, `mean, mean_dose` (the line passes through both), `lowest, highest`
        (doses), `degrees` (of freedom), `doses, songs, tasks, missing_songs` (int64).
    """
    require_extra("analysis")
    if not isinstance(factor, str):
        raise InvalidArgument(f"factor must be the name of one column, not {factor!r:.60}")
    check_level(level)
    check_correction(correction)
    frame, tags = read_tables(frame, (factor,), outcomes, tags, presence)
    require(frame, {factor: "number"}, LABEL)
    dose = finite_values(frame[factor])
    has_dose = np.isfinite(dose)
    part, dose = frame[has_dose], dose[has_dose]
    units = read_units(part, (factor,), factors, cluster, outcomes)
    results = read_outcomes(part, outcomes, tags, presence, units)
    if any(outcome.divisors is not None for outcome in results):
        raise InvalidArgument("a pair of columns has no slope; pass single columns as outcomes")
    doses = np.unique(dose)
    if len(doses) <= 1:
        return as_frame(pd.DataFrame(columns=list(_COLUMNS)), _COLUMNS)
    by_unit = np.zeros(units.number)
    by_unit[units.row] = dose
    lines = _Lines(units, factor, by_unit, len(doses))
    lines.require_estimable()
    rows, fits = [], [(group.indexes, lines.fit(group)) for group in group_outcomes(results)]
    for outcome in results:
        defined = np.isfinite(outcome.values)
        applied = by_unit[defined] if defined.any() else np.full(1, math.nan)
        tasks = len(np.unique(units.task[defined]))
        missing = outcome.missing.sum() + (~has_dose).sum()
        sizes = len(np.unique(applied)), outcome.songs.sum(), tasks, missing
        rows.append((factor, outcome.name, applied.mean(), applied.min(), applied.max(), *sizes))
    names = ["factor", "outcome", "mean_dose", "lowest", "highest"]
    table = pd.DataFrame(rows, columns=[*names, "doses", "songs", "tasks", "missing_songs"])
    columns = inference_columns(fits, len(results), "difference", level, correction)
    for name, figures in columns.items():
        table["slope" if name == "estimate" else name] = figures.reshape(-1)
    table["p_linear"] = math.nan
    for group in group_outcomes(results):
        table.loc[group.indexes, "p_linear"] = lines.test(group)
    return as_frame(table, _COLUMNS)


class _Lines:
    """Models with a factor as a number."""

    def __init__(self, units: Units, factor: str, dose: Floats, doses: int) -> None:
        self._units, self._factor, self._dose = units, factor, dose
        self._power = min(doses - 1, _MAX_POWER)

    def require_estimable(self) -> None:
        """Raise BadFrame, with the reason, if the slope cannot be estimated."""
        everything = np.ones(self._units.number, dtype=bool)

        def is_estimable(units: Units) -> bool:
            design, contrasts = self._design(units, everything, 1)
            return bool(design.estimable(contrasts).all())

        require_separable(self._units, (self._factor,), is_estimable)
        require_error(self._units, (self._factor,), self._matrix(self._units, everything, 1))

    def fit(self, group: Group) -> Estimates:
        """Estimate the slope of outcomes with values in the same units: (1, outcomes) each."""
        design, contrasts = self._design(self._units, group.defined, 1)
        values = group.values()
        missing = np.full((1, values.shape[1]), math.nan)
        if not (len(values) and design.estimable(contrasts).all()):
            interval = functools.partial(symmetric_interval, missing, missing)
            nothing = missing, missing, missing, missing, missing, missing
            return Estimates(*nothing, interval, np.eye(1))
        scale = float(np.std(self._dose[group.defined])) or 1.0
        prepared = design.contrasts(contrasts / scale)
        slope = prepared.weights.T @ values
        variance = design.variances(prepared, design.residuals(values))
        if group.outcomes[0].is_share:
            # where all tasks agree, one more hit and one more miss (Agresti and Coull, Am. Stat.
            # 52, 1998) show how much they might have varied
            share = 1 / (len(values) + 2)
            least = share * (1 - share) * (prepared.weights**2).sum(axis=0)[:, None]
            variance = np.where(values.min(axis=0) == values.max(axis=0), least, variance)
        degrees = np.broadcast_to(prepared.degrees[:, None], variance.shape)
        error = np.where(~np.isnan(degrees) & (variance > 0), np.sqrt(variance), math.nan)
        interval = functools.partial(symmetric_interval, slope, error)
        means = values.mean(axis=0)[None]
        p = p_of_t(slope / error, degrees)
        return Estimates(slope, means, missing, p, degrees, error, interval, np.eye(1))

    def test(self, group: Group) -> Floats:
        """Return the p of curvature of each outcome, (outcomes,); NaN where it is not testable."""
        nothing = np.full(len(group.outcomes), math.nan)
        power = min(self._power, len(np.unique(self._dose[group.defined])) - 1)
        if power <= 1:
            return nothing
        design, contrasts = self._design(self._units, group.defined, power)
        curves = contrasts[1:]
        curves = curves[design.estimable(curves)]
        if not len(curves):
            return nothing
        values = group.values()
        prepared = design.contrasts(curves)
        variance = design.variances(prepared, design.residuals(values))
        error = np.where(variance > 0, np.sqrt(variance), math.nan)
        p = p_of_t(prepared.weights.T @ values / error, prepared.degrees[:, None])
        adjusted = [
            Family([PValues(column[:, None], prepared.correlation)]).adjust()[0].min()
            for column in p.T
        ]
        return np.array(adjusted)

    def _design(self, units: Units, defined: Flags, power: int) -> tuple[Design, Floats]:
        """Return the design, and the contrasts of the coefficients of each power, (power, ...)."""
        matrix = self._matrix(units, defined, power).array
        contrasts = np.zeros((power, matrix.shape[1]))
        contrasts[:, 1 : 1 + power] = np.eye(power)
        return Design(matrix[defined], units.task[defined]), contrasts

    def _matrix(self, units: Units, defined: Flags, power: int) -> ModelMatrix:
        """Return the model matrix with the factor's powers, standardised and orthogonal."""
        centred = self._dose - self._dose[defined].mean() if defined.any() else self._dose
        scale = float(np.std(self._dose[defined])) if defined.any() else 0.0
        line = centred / (scale or 1.0)
        columns = [line]
        for degree in range(2, power + 1):
            lower = np.column_stack([np.ones(len(line)), *columns])
            curve = line**degree
            fitted = np.linalg.lstsq(lower[defined], curve[defined], rcond=None)[0]
            columns.append(curve - lower @ fitted)
        cells = read_cells(units, (self._factor,))
        return ModelMatrix(units, (self._factor,), cells, np.column_stack(columns))
