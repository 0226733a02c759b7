"""Columns of estimates: intervals, p adjusted for the table, detectable difference. No I/O."""

import math
from collections.abc import Sequence

import numpy as np

from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.analysis.families import Correction, Family, PValues, adjust_p_values
from musicapi_nb.analysis.linear_model import Estimates, Measure, t_quantile

POWER = 0.8
"""The share of experiments that find the detectable difference."""


def inference_columns(
    fits: Sequence[tuple[list[int], Estimates]],
    outcomes: int,
    measure: Measure,
    level: float,
    correction: Correction | None,
) -> dict[str, Floats]:
    """Return the columns of figures, (outcomes, comparisons) each."""
    columns: dict[str, Floats] = {}

    def put(name: str, indexes: list[int], values: Floats) -> None:
        if name not in columns:
            columns[name] = np.full((outcomes, len(values)), math.nan)
        columns[name][indexes] = values.T

    family = Family([PValues(estimates.p, estimates.correlation) for _, estimates in fits])
    joint_level = 1 - family.joint_p(level)
    adjusted = family.adjust() if correction == "max-t" else [estimates.p for _, estimates in fits]
    for (indexes, estimates), p_adjusted in zip(fits, adjusted, strict=True):
        low, high = estimates.interval(t_quantile(level, estimates.degrees))
        critical = t_quantile(joint_level, estimates.degrees)
        joint_low, joint_high = estimates.interval(critical)
        if correction is None:
            critical = t_quantile(level, estimates.degrees)
        detectable = (critical + t_quantile(2 * POWER - 1, estimates.degrees)) * estimates.error
        if measure == "ratio":
            base = estimates.baseline_mean
            detectable = 1 + detectable / np.where(base > 0, base, math.nan)
        for name, values in (
            ("estimate", estimates.estimate),
            ("low", low),
            ("high", high),
            ("p", estimates.p),
            ("p_adjusted", p_adjusted),
            ("joint_low", joint_low),
            ("joint_high", joint_high),
            ("detectable", detectable),
            ("mean", estimates.mean),
            ("baseline_mean", estimates.baseline_mean),
            ("degrees", estimates.degrees),
        ):
            put(name, indexes, values)
    if correction in {"holm", "bh"}:
        p = columns["p"]
        columns["p_adjusted"] = adjust_p_values(p.reshape(-1), correction).reshape(p.shape)
    return columns
