"""The figures of a report: estimates of all factors and outcomes, tested as one family. No I/O."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb._report.blind_figures import BlindComparisons, compare_blind
from musicapi_nb._report.outcomes import BLIND_TEST, ReportOutcome, TableName, table_with_values
from musicapi_nb._report.tables import ReportTables, records
from musicapi_nb.analysis._adjusted_means import adjusted_means
from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.analysis.checks import as_frame
from musicapi_nb.analysis.clusters import level_codes
from musicapi_nb.analysis.families import Family, PValues
from musicapi_nb.analysis.inference import POWER, figures_of
from musicapi_nb.analysis.level_comparisons import LevelComparisons, compare_levels
from musicapi_nb.analysis.linear_model import Estimates, t_quantile
from musicapi_nb.analysis.model_frame import BLOCK, OutcomeName, outcome_columns
from musicapi_nb.errors import BadFrame, InvalidArgument

LEVEL = 0.95
ERROR = 0.05
MAX_PAIRED_LEVELS = 6
"""Of more levels, each is compared with the first one only."""
MAX_TASKS = 10_000
_ROUNDING = 9  # decimals; equal prices give no difference
_SINGLE = ("estimate", "low", "high", "joint_low", "joint_high", "p", "p_adjusted", "detectable")
_BOUNDS = ("low", "high", "joint_low", "joint_high")
COLUMNS = {
    **dict.fromkeys(("factor", "outcome", "unit", "level", "baseline"), "str"),
    **dict.fromkeys((*_SINGLE, "margin"), "float64"),
    "verdict": "str",
    "more_needed": "Int64",
    **dict.fromkeys(
        ("songs", "tasks", "baseline_songs", "baseline_tasks", "missing_songs"), "Int64"
    ),
    "note": "str",
}
_EMPTY_ROW = {name: math.nan if kind == "float64" else None for name, kind in COLUMNS.items()}


class Missing(NamedTuple):
    """An outcome of a factor without data."""

    factor: str
    outcome: ReportOutcome


class Figures(NamedTuple):
    """All figures of a page; `tests` is their number, `missing` has the outcomes without data.

    `rows` are those of the table by factor and outcome, as dicts.
    """

    table: pd.DataFrame
    rows: dict[tuple[str, str], list[dict[str, Any]]]
    levels: dict[str, list[str]]
    missing: list[Missing]
    tests: int


class _Fit(NamedTuple):
    """Comparisons of one factor in one table, and the outcomes they are of."""

    factor: str
    outcomes: list[ReportOutcome]
    compared: LevelComparisons
    means: pd.DataFrame


def collect_figures(
    tables: ReportTables, outcomes: Sequence[ReportOutcome], baseline: Any
) -> Figures:
    """Estimate all factors and outcomes, and correct their p as one family."""
    fits: list[_Fit] = []
    blind: list[BlindComparisons] = []
    missing: list[Missing] = []
    notes: list[dict[str, Any]] = []
    for factor, column in tables.columns.items():
        levels = tables.levels[factor]
        reference = _reference(factor, levels, baseline, len(tables.columns))
        by_table: dict[TableName, list[ReportOutcome]] = {}
        for outcome in outcomes:
            table = table_with_values(outcome, tables.frames)
            answers = None
            if outcome is BLIND_TEST:
                names = {factor, column}
                answers = compare_blind(tables.frames["answers"], names, levels, reference)
            if answers is not None:
                blind.append(answers._replace(factor=factor))
            elif table is None or column not in tables.frames[table].columns:
                missing.append(Missing(factor, outcome))
            else:
                by_table.setdefault(table, []).append(outcome)
        for name, parts in by_table.items():
            try:
                fits.append(_fit(tables.frames[name], factor, column, parts, reference))
            except BadFrame as error:
                note = {"factor": factor, "note": error.message, "verdict": "not decided"}
                notes += [{**note, "outcome": part.name, "unit": part.unit} for part in parts]
    rows, tests = _infer(fits, blind, tables.levels)
    order = {outcome.name: index for index, outcome in enumerate(outcomes)}
    factors = list(tables.columns)
    rows = [{**_EMPTY_ROW, **row} for row in (*rows, *notes)]
    rows.sort(key=lambda row: (factors.index(row["factor"]), order[row["outcome"]]))
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["factor"], row["outcome"]), []).append(row)
    frame = as_frame(pd.DataFrame(rows, columns=list(COLUMNS)), COLUMNS)
    return Figures(frame, grouped, tables.levels, missing, tests)


def _reference(factor: str, levels: Sequence[str], baseline: Any, factors: int) -> str | None:
    """Return the level that the others are compared with; None to compare all pairs."""
    if baseline is not None:
        if str(baseline) in levels:
            return str(baseline)
        if factors == 1:
            raise InvalidArgument(
                f"baseline {baseline!r:.60} is not a level of {factor!r:.60}: {', '.join(levels)}"
            )
    return levels[0] if len(levels) > MAX_PAIRED_LEVELS else None


def _fit(
    frame: pd.DataFrame,
    factor: str,
    column: str,
    outcomes: list[ReportOutcome],
    reference: str | None,
) -> _Fit:
    names = [outcome.column for outcome in outcomes]
    compared = compare_levels(
        frame, (column,), names, baseline=reference, all_pairs=reference is None
    )
    if compared is None:
        raise BadFrame(f"only {level_codes(frame, column)[1][0]} has songs with values")
    means = adjusted_means(frame, column, outcomes=names)
    number = len(means) // len(names)
    parts = [means[start : start + number] for start in range(0, len(means), number)]
    if BLOCK in frame.columns:
        parts = [
            part if part["low"].notna().all() else _means_of_blocks(frame, column, name, part)
            for name, part in zip(names, parts, strict=True)
        ]
    return _Fit(factor, outcomes, compared, pd.concat(parts, ignore_index=True))


def _means_of_blocks(
    frame: pd.DataFrame, column: str, outcome: OutcomeName, means: pd.DataFrame
) -> pd.DataFrame:
    """Return the adjusted means over the blocks of which several tasks have a value.

    A block with one such task says nothing about chance: the interval of the mean over all blocks
    does not exist then, but that over the others, which the differences come from, may. `means`
    are returned if it does not.
    """
    has_value = frame[outcome_columns([outcome])].notna().all(axis=1)
    task = next(name for name in ("cell", "task_id") if name in frame.columns)
    tasks = frame[task].where(has_value).groupby(frame[BLOCK]).transform("nunique")
    others = frame[has_value & (tasks > 1)]
    try:
        retried = adjusted_means(others, column, outcomes=[outcome])
    except BadFrame:
        return means
    has_levels = retried["level"].tolist() == means["level"].tolist()
    return retried.assign(missing_songs=means["missing_songs"]) if has_levels else means


def _infer(
    fits: Sequence[_Fit], blind: Sequence[BlindComparisons], levels: dict[str, list[str]]
) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of the table, with p and intervals of one family, and the number of tests."""
    estimates = [part for fit in fits for _, part in fit.compared.fits]
    groups = [PValues(part.p, part.correlation) for part in estimates]
    # without the correlation of pairs: it counts as none, which can only overstate the largest
    groups += [PValues(part.p[:, None], np.eye(len(part.p))) for part in blind]
    family = Family(groups)
    joint_level = 1 - family.joint_p(LEVEL)
    adjusted = family.adjust()
    rows: list[dict[str, Any]] = []
    position = 0
    for fit in fits:
        number = len(fit.compared.fits)
        rows += _rows_of_fit(fit, adjusted[position : position + number], joint_level)
        position += number
    for part, p_adjusted in zip(blind, adjusted[position:], strict=True):
        rows += part.rows(p_adjusted[:, 0], joint_level, levels[part.factor])
    for row in rows:
        if row.get("baseline") is not None:
            row["verdict"] = _verdict(row)
            row["more_needed"] = _more_needed(row, joint_level)
    tests = sum(int((~np.isnan(group.p)).sum()) for group in groups)
    return rows, tests


def _rows_of_fit(fit: _Fit, adjusted: Sequence[Floats], joint_level: float) -> list[dict[str, Any]]:
    figures: dict[int, dict[str, Floats]] = {}
    for (indexes, part), p_adjusted in zip(fit.compared.fits, adjusted, strict=True):
        columns = _columns(part, p_adjusted, joint_level)
        for column, index in enumerate(indexes):
            figures[index] = {name: values[:, column] for name, values in columns.items()}
    comparisons, all_means = records(fit.compared.rows), records(fit.means)
    number, levels = (len(part) // len(fit.outcomes) for part in (comparisons, all_means))
    rows = []
    for index, outcome in enumerate(fit.outcomes):
        common = {"factor": fit.factor, "outcome": outcome.name, "unit": outcome.unit}
        means = all_means[levels * index : levels * (index + 1)]
        names = ("level", "low", "high", "songs", "tasks", "missing_songs")
        rows += [
            {
                **common,
                "estimate": round(mean["mean"], _ROUNDING),
                **{name: mean[name] for name in names},
                **_within(outcome.limits, mean, "low", "high"),
            }
            for mean in means
        ]
        margin = _margin(outcome, means)
        for index_of_row, record in enumerate(comparisons[number * index : number * (index + 1)]):
            values = {
                name: float(figures[index][name][index_of_row]) for name in (*_SINGLE, "degrees")
            }
            values["fixed"] = outcome.fixed
            values["estimate"] = round(values["estimate"], _ROUNDING)
            values |= _within((-outcome.span, outcome.span), values, *_BOUNDS)
            rows.append({**record, **common, **values, "margin": margin})
    return rows


def _within(limits: tuple[float, float], figures: dict[str, Any], *names: str) -> dict[str, float]:
    """Clip intervals to possible values, which does not change their coverage."""
    low, high = limits
    return {name: float(np.clip(figures[name], low, high)) for name in names}


def _columns(part: Estimates, p_adjusted: Floats, joint_level: float) -> dict[str, Floats]:
    return figures_of(part, p_adjusted, "difference", (LEVEL, joint_level, joint_level))


def _margin(outcome: ReportOutcome, means: Sequence[dict[str, Any]]) -> float:
    """Return the smallest difference that matters, in units of the outcome."""
    if not outcome.relative:
        return outcome.margin
    values = [mean["mean"] for mean in means if not math.isnan(mean["mean"])]
    return outcome.margin * abs(float(np.mean(values))) if values else math.nan


def _verdict(row: dict[str, Any]) -> str:
    """Decide a comparison: "difference", "no difference" or "not decided".

    There is no difference that matters if the interval, which holds together with all others of
    the page, is within the margin.
    """
    if row["p_adjusted"] <= ERROR:
        return "difference"
    if math.isnan(row["p_adjusted"]):
        has_price = row.get("fixed") and not math.isnan(row["estimate"])
        return (
            ("difference" if row["estimate"] else "no difference") if has_price else "not decided"
        )
    largest = max(abs(row["joint_low"]), abs(row["joint_high"]))
    return "no difference" if largest <= row["margin"] else "not decided"


def _more_needed(row: dict[str, Any], joint_level: float) -> Any:
    """Return how many more tasks a level needs to find the margin in 80 % of experiments.

    Of a blind test it is the number of answers.

    The standard error falls with the square root of the number of tasks, and the degrees of
    freedom grow with it, as in `repeats_needed`; the family of the page stays. None if it is
    decided, if these tasks can find the margin already, or if there would be more than 10,000.
    """
    numbers = (row["detectable"], row["margin"], row["degrees"])
    if row["verdict"] != "not decided":
        return None
    if not all(map(math.isfinite, numbers)):
        return row.get("needed")  # of a blind test
    tasks = min(row["tasks"], row["baseline_tasks"])

    def detectable(number: int) -> float:
        growth = number / tasks
        quantiles = _quantiles(row["degrees"] * growth, joint_level)
        ratio = quantiles / _quantiles(row["degrees"], joint_level)
        return float(row["detectable"] * ratio / math.sqrt(growth))

    low, high = tasks, tasks + MAX_TASKS
    if row["margin"] <= 0 or detectable(low) <= row["margin"] or detectable(high) > row["margin"]:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if detectable(middle) <= row["margin"] else (middle, high)
    return high - tasks


def _quantiles(degrees: float, joint_level: float) -> float:
    values = t_quantile(np.array([joint_level, 2 * POWER - 1]), np.array([degrees, degrees]))  # type: ignore[arg-type]
    return float(values.sum())
