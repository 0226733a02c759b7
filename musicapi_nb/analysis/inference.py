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
        critical = level if correction is None else joint_level
        figures = figures_of(estimates, p_adjusted, measure, (level, joint_level, critical))
        for name, values in figures.items():
            put(name, indexes, values)
    if correction in {"holm", "bh"}:
        p = columns["p"]
        columns["p_adjusted"] = adjust_p_values(p.reshape(-1), correction).reshape(p.shape)
    return columns


def figures_of(
    estimates: Estimates, p_adjusted: Floats, measure: Measure, levels: tuple[float, float, float]
) -> dict[str, Floats]:
    """Return the columns of figures of some estimates, (comparisons, outcomes) each.

    `levels` of confidence are those of a single interval, of intervals that hold together, and of
    the interval that leaves out 0 where a difference is found.
    """
    level, joint_level, critical_level = levels
    low, high = estimates.interval(t_quantile(level, estimates.degrees))
    joint_low, joint_high = estimates.interval(t_quantile(joint_level, estimates.degrees))
    critical = t_quantile(critical_level, estimates.degrees)
    detectable = (critical + t_quantile(2 * POWER - 1, estimates.degrees)) * estimates.error
    if measure == "ratio":
        base = estimates.baseline_mean
        detectable = 1 + detectable / np.where(base > 0, base, math.nan)
    return {
        "estimate": estimates.estimate,
        "low": low,
        "high": high,
        "p": estimates.p,
        "p_adjusted": p_adjusted,
        "joint_low": joint_low,
        "joint_high": joint_high,
        "detectable": detectable,
        "mean": estimates.mean,
        "baseline_mean": estimates.baseline_mean,
        "degrees": estimates.degrees,
    }
