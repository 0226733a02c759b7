"""Drift: whether, and when, outcomes of the service have changed over time."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.change_points import Period, find_periods
from musicapi_nb.analysis.checks import (
    ColumnKind,
    as_frame,
    check_level,
    dtype_text,
    finite_values,
    names_of,
    require,
)
from musicapi_nb.analysis.clusters import cluster_codes, row_codes, sum_by_code
from musicapi_nb.analysis.ratio_estimator import cluster_sums, ratios, t_quantile
from musicapi_nb.analysis.song_keys import require_unique
from musicapi_nb.analysis.source_tables import Source, table_of, table_with
from musicapi_nb.errors import BadFrame
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.arrow_tables import as_pandas

_LABEL = "the frame of drift"
_COLUMNS = {
    "outcome": "str",
    "period": "int64",
    **dict.fromkeys(("start", "end"), "datetime64[us, UTC]"),
    **dict.fromkeys(("mean", "low", "high", "change", "p"), "float64"),
    **dict.fromkeys(("lower_limit", "upper_limit"), "float64"),
    **dict.fromkeys(("outside", "tasks", "missing_tasks"), "int64"),
}
_TIMES = ("submitted_at", "created_at")
# Of the individuals chart: three standard deviations; the mean of |x - y| of two normal values is
# 1.128 of them (Montgomery, Introduction to Statistical Quality Control, 2019, 6.4).
_LIMIT_SDS, _MEAN_RANGE = 3.0, 1.128


def drift(  # noqa: PLR0913 - keyword arguments with defaults
    frame: Source,
    outcomes: Sequence[str],
    *,
    time: str | None = None,
    within: Sequence[str] = (),
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Find when outcomes of tasks changed: the service, its load or its models.

    The tasks in order of time are split into periods where the ranks of their means change most:
    binary segmentation, each split tested by permutation of the tasks (after Pettitt, Appl. Stat.
    28, 1979). In a series without a change, a change is reported in at most 1 - `level` of cases;
    a segment is tested at its share of that, so the same holds for additional changes. Ranks make
    the test valid for any distribution, but tasks must be independent: slow hours or days are
    changes, too. A period has at least five tasks. The intervals of means ignore that the periods
    were chosen from the same tasks.

    Limits are those of a control chart of single values (Montgomery, Introduction to Statistical
    Quality Control, 2019, 6.4): the mean, minus and plus 3 / 1.128 of the mean difference of
    neighbouring tasks. About 3 in 1,000 normal values are outside, more of skewed ones. Shares,
    values that are all within 0 and 1, have none.

    Needs the extra `analysis`.

    Parameters
    ----------
    frame
        A run, or whatever else `songs_frame` accepts. Or a table: one row for each song or task,
        such as `run.songs()` or `tasks_frame(...)`. Songs of a task are averaged.
    outcomes
        Columns of numbers or of True and False, such as `render_seconds`, the `recall` of
        `adherence`, or `df.assign(failed=df["state"] == "failed")`.
    time
        The column of times; default `submitted_at`, else `created_at`. Times without a time zone
        are read as UTC. The first one of a task counts; tasks without a time or a finite value are
        left out and counted.
    within
        Factors: differences between their cells do not count as change. Needed if levels were not
        tried in random order.
    cluster
        The column that identifies tasks; default `cell`, else `task_id`.

    Returns
    -------
    pandas.DataFrame
        One row for each period of each outcome, by time: `outcome` (str), `period` (int64, from 1),
        `start, end` (UTC; of the first and last task), `mean, low, high` (float64; with `within`,
        at the cells' average), `change` (float64: from the mean of the period before), `p`
        (float64: of the change at its start, not adjusted for the others), `lower_limit,
        upper_limit` (float64), `outside` (int64: tasks outside the limits), `tasks, missing_tasks`
        (int64; the latter of all periods).
    """
    require_extra("analysis")
    outcomes, within = names_of(outcomes, "outcomes"), names_of(within, "within")
    check_level(level)
    rows = []
    for series in read_series(frame, outcomes, time=time, within=within, cluster=cluster):
        periods = find_periods(series.task_means, 1 - level)
        means = [float(series.task_means[period.tasks].mean()) for period in periods]
        changes = np.diff(means, prepend=math.nan)
        for number, (period, mean, change) in enumerate(zip(periods, means, changes, strict=True)):
            rows.append((series.outcome, number + 1, *_row(series, period, mean, change, level)))
    return as_frame(pd.DataFrame(rows, columns=list(_COLUMNS)), _COLUMNS)


class Series(NamedTuple):
    """The mean of an outcome over the songs of each task, in order of time: (tasks,) each."""

    outcome: str
    times: Any  # pd.DatetimeIndex
    task_means: Floats
    is_share: bool
    missing: int


def read_series(
    source: Source,
    outcomes: Sequence[str],
    *,
    time: str | None,
    within: Sequence[str] = (),
    cluster: str | None = None,
) -> Iterator[Series]:
    """Yield the series of each outcome, or raise BadFrame."""
    source = as_pandas(source, "frame")
    columns = [time] if time else _TIMES
    tables = (table_with(source, [name, *outcomes, *within]) for name in columns)
    frame = next(
        (
            table
            for table in tables
            if {*outcomes} <= {*table.columns} and not {*columns}.isdisjoint(table.columns)
        ),
        None,
    )
    frame = table_of(source, "songs") if frame is None else frame
    time = time or next((name for name in _TIMES if name in frame.columns), _TIMES[0])
    kinds: dict[str, ColumnKind] = {time: "any", **dict.fromkeys(within, "key")}
    require(frame, {**kinds, **dict.fromkeys(outcomes, "number or boolean")}, _LABEL)
    require_unique(frame, _LABEL)
    if frame[time].notna().any() and not types.is_datetime64_any_dtype(frame[time]):
        raise BadFrame(f"column {time!r} of {_LABEL} is {dtype_text(frame[time])}, not times")
    task = cluster_codes(frame, cluster, _LABEL)
    number = int(task.max(initial=-1)) + 1
    cell = row_codes(frame[list(within)])[0] if within else np.zeros(len(frame), dtype="int64")
    times = pd.to_datetime(frame[time], utc=True).groupby(task).min().reindex(range(number))
    for name in outcomes:
        values = finite_values(frame[name])
        finite = np.isfinite(values)
        centred = values - _cell_offsets(values[finite], cell[finite], cell)
        songs = sum_by_code(task[finite], np.ones(int(finite.sum())), number)
        total = sum_by_code(task[finite], centred[finite], number)
        usable = np.flatnonzero((songs > 0) & times.notna().to_numpy())
        usable = usable[np.argsort(times.to_numpy()[usable], kind="stable")]
        is_share = bool(((values[finite] >= 0) & (values[finite] <= 1)).all()) and not within
        moments = pd.DatetimeIndex(times.iloc[usable])
        mean = total[usable] / songs[usable]
        yield Series(name, moments, mean, is_share, number - len(usable))


def _cell_offsets(values: Floats, value_cell: Ints, cell: Ints) -> Floats:
    """Return how far the mean of each row's cell is from that of all values: (rows,)."""
    if not len(values):
        return np.zeros(len(cell))
    number = int(cell.max(initial=0)) + 1
    songs = sum_by_code(value_cell, np.ones(len(values)), number)
    means = sum_by_code(value_cell, values, number) / np.maximum(songs, 1)
    offsets: Floats = (means - values.mean())[cell]
    return offsets


def _row(
    series: Series, period: Period, mean: float, change: float, level: float
) -> tuple[Any, ...]:
    values = series.task_means[period.tasks]
    low, high = _mean_interval(series, values, mean, level)
    lower, upper = math.nan, math.nan
    if not series.is_share and len(values) > 1:
        reach = _LIMIT_SDS / _MEAN_RANGE * float(np.abs(np.diff(values)).mean())
        lower, upper = mean - reach, mean + reach
    outside = int(((values < lower) | (values > upper)).sum())
    times = series.times[period.tasks]
    estimates = mean, low, high, change, period.p, lower, upper
    return (times[0], times[-1], *estimates, outside, len(values), series.missing)


def _mean_interval(
    series: Series, values: Floats, mean: float, level: float
) -> tuple[float, float]:
    """Return Student's interval of a mean, or Wilson's of a share, or NaN for one task."""
    number = len(values)
    if number < 2:  # noqa: PLR2004 - no spread
        return math.nan, math.nan
    if series.is_share:
        sums = cluster_sums(np.zeros(number, "int64"), values, np.ones(number), 1)
        # as many cases as the variance shows, since a task's share of several cases varies less
        is_binary = bool(np.isin(values, (0.0, 1.0)).all())
        _, low, high = ratios(sums, level, None if is_binary else np.inf)
        return float(low[0]), float(high[0])
    reach = float(t_quantile(level, number - 1)) * float(values.std(ddof=1)) / math.sqrt(number)
    return mean - reach, mean + reach
