"""plots.durations and plots.latencies: how long songs are, and how long one waits for them.

These show what was measured, song by song or task by task, and estimate nothing; what a level does
to a mean, with its interval, is `analysis.effects` and `plots.effects`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from musicapi_nb.analysis.checks import require
from musicapi_nb.errors import BadFrame
from musicapi_nb.plots import figure, row_chart, time_axis
from musicapi_nb.plots.text import drawable, number_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SONGS = "the table of songs (run.songs(), songs_frame or durations_frame)"
_TASKS = "the table of times (run.durations(), durations_frame or tasks_frame)"
_ROW = 0.56
_MOST_LEVELS = 24
_MOST_DOTS = 150
_BINS = 72
_TALL = 0.5
_LOOKS = {
    "queue_seconds": ("queue", figure.RED),
    "render_seconds": ("render", figure.BLUE),
    "total_seconds": ("in all", figure.GREEN),
}


class Row(NamedTuple):
    """One row of the chart: its name, its values in seconds, and what is said beside it."""

    name: str
    seconds: Floats
    colour: str
    note: str


@figure.with_style
def durations(
    frame: pd.DataFrame,
    *,
    by: str | Sequence[str] | None = None,
    top: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how long songs are (column `duration`, seconds), a row for each level of `by`.

    Levels stand in their order: a categorical's own, else as they come. Every song is a dot (a
    level of more than 150 has the outline of its dots); the bar under them holds the middle half,
    the diamond is the median. Songs without a duration are left out and counted on the picture.
    `top` limits the levels: the first 24, or as many as fit on axes that are given.

    Raises
    ------
    BadFrame
        The table lacks `duration` or a column of `by`, or its durations are no numbers.
    """
    figure.check_top(top)
    by = row_chart.columns(by)
    require(frame, {"duration": "number", **dict.fromkeys(by, "any")}, _SONGS)
    kept = frame[_finite(frame["duration"])]
    if kept.empty:
        return figure.empty_plot(ax, "no song has a duration")
    found = row_chart.groups(kept, by)
    shown = found[: top or figure.rows_that_fit(ax, _ROW * 0.8, _MOST_LEVELS)]
    ax = figure.new_axes(ax, 1.4 + _ROW * len(shown))
    _draw(ax, [_songs_row(group) for group in shown], 1)
    figure.title(ax, f"Length of songs{_by_words(by)}")
    gone = len(frame) - len(kept)
    figure.explain_below(
        ax,
        "minutes and seconds of music",
        _KEY.format(one="a song"),
        _more(len(found), len(shown)),
        f"{number_of(gone, 'song')} without a duration left out" if gone else "",
    )
    return ax


@figure.with_style
def latencies(
    frame: pd.DataFrame,
    *,
    by: str | Sequence[str] | None = None,
    top: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how long tasks waited and were rendered, two rows for each level of `by`.

    It reads `queue_seconds` and `render_seconds` where a table has them, else `total_seconds`, and
    counts each task (column `cell` where there is one, else `task_id`) once, however many songs it
    has. Only studio states these times. Levels, dots and `top` (12) are as in `durations`.

    Raises
    ------
    BadFrame
        The table lacks a column of `by`, names no tasks, has none of the three columns of times, or
        one that holds no numbers.
    """
    figure.check_top(top)
    by = row_chart.columns(by)
    require(frame, dict.fromkeys(by, "any"), _TASKS)
    tasks = _one_a_task(frame, by)
    measures = [name for name in _LOOKS if name in tasks and _finite(tasks[name]).any()]
    if len(measures) > 1:
        measures = [name for name in measures if name != "total_seconds"]
    if not measures:
        return figure.empty_plot(ax, "no task has times (only studio states them)")
    timed = tasks[_any_of(tasks, measures)]
    found = row_chart.groups(timed, by)
    row = _ROW * len(measures)
    shown = found[: top or figure.rows_that_fit(ax, row * 0.8, _MOST_LEVELS // 2)]
    ax = figure.new_axes(ax, 1.4 + row * len(shown))
    _draw(ax, [row for group in shown for row in _task_rows(group, measures)], len(measures))
    figure.title(ax, f"Time that tasks took{_by_words(by)}")
    gone = len(tasks) - len(timed)
    figure.explain_below(
        ax,
        "minutes and seconds",
        _KEY.format(one="a task"),
        _more(len(found), len(shown)),
        f"{number_of(gone, 'task')} without times left out" if gone else "",
    )
    return ax


_KEY = "dot: {one} (outline: many); bar: the middle half; diamond: the median"


def _finite(column: pd.Series[float]) -> NDArray[np.bool_]:
    is_finite: NDArray[np.bool_] = np.isfinite(column.to_numpy(dtype=float, na_value=np.nan))
    return is_finite


def _any_of(frame: pd.DataFrame, measures: Sequence[str]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.any([_finite(frame[name]) for name in measures], axis=0)
    return found


def _by_words(by: Sequence[str]) -> str:
    return f" by {drawable(row_chart.JOINT.join(by))}" if by else ""


def _more(found: int, shown: int) -> str:
    more = number_of(found - shown, "more level")
    return f"the first {number_of(shown, 'level')}, and {more} not drawn" if found > shown else ""


def _one_a_task(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Each task once: in a table of songs its times stand beside each of them."""
    times = [name for name in _LOOKS if name in frame.columns]
    if not times:
        raise BadFrame(f"{_TASKS} has none of the columns {', '.join(map(repr, _LOOKS))}")
    key = "cell" if "cell" in frame.columns else "task_id"
    require(frame, {key: "any", **dict.fromkeys(times, "number")}, _TASKS)
    if frame[key].isna().any():
        raise BadFrame(
            f"column {key!r} of {_TASKS} has missing values; without it a task's songs cannot be "
            "told from songs of different tasks"
        )
    return frame[list(dict.fromkeys([key, *by, *times]))].drop_duplicates(key)


def _songs_row(group: row_chart.Group) -> Row:
    values = group.rows["duration"].to_numpy(float)
    median = time_axis.format_mmss(float(np.median(values)))
    return Row(
        group.name, values, figure.BLUE, f"median {median}\n{number_of(len(values), 'song')}"
    )


def _task_rows(group: row_chart.Group, measures: Sequence[str]) -> list[Row]:
    made = []
    for at, measure in enumerate(measures):
        word, colour = _LOOKS[measure]
        column = group.rows[measure]
        values = column.to_numpy(dtype=float, na_value=np.nan)[_finite(column)]
        name = f"{group.name}{row_chart.JOINT}{word}" if at == 0 else word
        tasks = number_of(len(values), "task")
        note = f"median {_time(values, 50)}, 9 in 10 by {_time(values, 90)}\n{tasks}"
        made.append(Row(name, values, colour, note if len(values) else "no times"))
    return made


def _time(values: Floats, percentile: float) -> str:
    value = float(np.percentile(values, percentile)) if len(values) else np.nan
    return time_axis.format_mmss(value) if value >= 10 else f"{value:.1f} s"  # noqa: PLR2004 - m:ss is coarse there


def _draw(ax: Axes, chart: Sequence[Row], of_level: int) -> None:
    every = np.concatenate([row.seconds for row in chart])
    edges = np.linspace(every.min(), max(every.max(), every.min() + 1e-3), _BINS + 1)
    # levels, not rows, are striped
    centers = np.arange(len(chart) / of_level) * of_level + (of_level - 1) / 2
    row_chart.shade_rows(ax, centers.tolist(), of_level / 2)
    for place, row in enumerate(chart):
        if len(row.seconds):
            _cloud(ax, place, row, edges)
            _summary(ax, place, row)
        row_chart.write_beside(ax, place, row.note)
    names = [row.name for row in chart]
    row_chart.name_rows(ax, range(len(chart)), names, figure.LABEL_INCHES)
    ax.set_ylim(len(chart) - 0.5, -0.5)
    time_axis.seconds(ax, float(every.min()), float(every.max()))


def _cloud(ax: Axes, place: float, row: Row, edges: Floats) -> None:
    """Dots stacked over the row's line; of many, their outline."""
    floor = place + 0.14
    if len(row.seconds) > _MOST_DOTS:
        tall, _ = np.histogram(row.seconds, edges)
        heights = floor - _TALL * tall / tall.max()
        ax.stairs(heights, edges, baseline=floor, fill=True, color=row.colour, alpha=0.45, lw=0)
        return
    bins = np.clip(np.digitize(row.seconds, edges) - 1, 0, _BINS - 1)
    order = np.argsort(bins, kind="stable")
    sorted_bins = bins[order]
    nth = np.arange(len(order)) - np.searchsorted(sorted_bins, sorted_bins, side="left")
    step = min(0.12, _TALL / (nth.max() + 1))
    ax.plot(
        row.seconds[order],
        floor - 0.06 - step * nth,
        "o",
        ms=3.6,
        color=row.colour,
        alpha=0.6,
        mew=0,
    )


def _summary(ax: Axes, place: float, row: Row) -> None:
    low, middle, high = np.percentile(row.seconds, (25, 50, 75))
    under = place + 0.28
    ax.plot([low, high], [under, under], lw=4, color=row.colour, solid_capstyle="butt")
    ax.plot(middle, under, "D", ms=6, mfc=figure.background_color(ax), mec=row.colour, mew=1.6)
