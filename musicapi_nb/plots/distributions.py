"""plots.durations and plots.latencies: lengths of songs, and waiting times of tasks.

These draw single songs or tasks and estimate nothing; for effects on means, with intervals, see
`analysis.effects` and `plots.effects`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from musicapi_nb import markup
from musicapi_nb.analysis.array_types import Flags, Floats
from musicapi_nb.analysis.checks import names_of, require
from musicapi_nb.analysis.clusters import cluster_codes
from musicapi_nb.analysis.source_tables import Source, table_of
from musicapi_nb.errors import BadFrame
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import to_drawable

By: TypeAlias = str | Sequence[str] | None
_SONGS = "the table of songs (run.songs(), songs_frame or durations_frame)"
_TASKS = "the table of times (run.durations(), durations_frame or tasks_frame)"
_ROW_INCHES = 0.56
_MAX_LEVELS = 24
_MAX_DOTS = 150
_BINS = 72
_CLOUD_HEIGHT = 0.5
_MEASURES = {
    "queue_seconds": ("queue", figure.RED),
    "render_seconds": ("render", figure.BLUE),
    "total_seconds": ("total", figure.GREEN),
}


class Row(NamedTuple):
    """A row of the chart: name, values in seconds, and the note beside it."""

    name: str
    seconds: Floats
    color: str
    note: str


@figure.plot
def durations(
    frame: Source, *, by: By = None, top: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the lengths of songs (column `duration`, seconds), one row for each level of `by`.

    `frame` is a table, a run, or whatever else `durations_frame` accepts.
    Categories keep their order, other levels are in their order of occurrence. Each song is a dot
    (for more than 150, the outline of the dots is drawn); the bar below is the middle half, the
    diamond the median. Songs without a duration are left out and counted in a note. `top` limits
    the levels to the first ones (default: 24, or as many as fit on the given axes). BadFrame is
    raised if the table lacks `duration` or a column of `by`, or if durations are not numbers.
    """
    by = names_of(by or [], "by")
    frame = table_of(frame, "durations")
    require(frame, {"duration": "number", **dict.fromkeys(by, "any")}, _SONGS)
    songs = frame[_is_finite(frame["duration"])]
    if songs.empty:
        return figure.empty_plot(ax, "no song has a duration")
    rows = [[_song_row(group)] for group in row_chart.groups(songs, by)]
    note = row_chart.left_out_note(len(frame) - len(songs), "song", "a duration")
    return _draw_chart(ax, rows, top, _MAX_LEVELS, f"Length of songs{_by_text(by)}", "song", note)


@figure.plot
def latencies(
    frame: Source, *, by: By = None, top: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the queue and render times of tasks, two rows for each level of `by`.

    `frame` is a table, a run, or whatever else `durations_frame` accepts.
    The columns are `queue_seconds` and `render_seconds`, or else `total_seconds`. Each task
    (column `cell` if there is one, else `task_id`, else `reply`) counts once, regardless of its
    number of songs. Only studio reports these times. Levels, dots and `top` (12) are as for
    `durations`. BadFrame is raised if the table lacks a column of `by`, identifies no tasks, or has
    none of the three columns of times, or one that holds no numbers.
    """
    by = names_of(by or [], "by")
    frame = table_of(frame, "durations")
    require(frame, dict.fromkeys(by, "any"), _TASKS)
    tasks = _distinct_tasks(frame, by)
    measures = [name for name in _MEASURES if name in tasks and _is_finite(tasks[name]).any()]
    if len(measures) > 1:
        measures = [name for name in measures if name != "total_seconds"]
    if not measures:
        return figure.empty_plot(ax, "no task has times (only studio reports them)")
    timed = tasks[np.any([_is_finite(tasks[name]) for name in measures], axis=0)]
    rows = [_task_rows(group, measures) for group in row_chart.groups(timed, by)]
    note = row_chart.left_out_note(len(tasks) - len(timed), "task", "times")
    title = f"Time of tasks{_by_text(by)}"
    return _draw_chart(ax, rows, top, _MAX_LEVELS // 2, title, "task", note)


def _is_finite(column: pd.Series) -> Flags:
    is_finite: Flags = np.isfinite(column.to_numpy(dtype=float, na_value=np.nan))
    return is_finite


def _by_text(by: Sequence[str]) -> str:
    return f" by {to_drawable(row_chart.SEPARATOR.join(by))}" if by else ""


def _distinct_tasks(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return each task once: a table of songs repeats its times for each song."""
    times = [name for name in _MEASURES if name in frame.columns]
    if not times:
        raise BadFrame(f"{_TASKS} has none of the columns {', '.join(map(repr, _MEASURES))}")
    require(frame, dict.fromkeys(times, "number"), _TASKS)
    is_first = ~pd.Series(cluster_codes(frame, label=_TASKS)).duplicated().to_numpy()
    return frame.loc[is_first, list(dict.fromkeys([*by, *times]))]


def _song_row(group: row_chart.Group) -> Row:
    values = group.rows["duration"].to_numpy(float)
    median = figure.format_mmss(float(np.median(values)))
    note = f"median {median}\n{markup.plural(len(values), 'song')}"
    return Row(group.name, values, figure.BLUE, note)


def _task_rows(group: row_chart.Group, measures: Sequence[str]) -> list[Row]:
    rows = []
    for index, measure in enumerate(measures):
        name, color = _MEASURES[measure]
        values = group.rows[measure].to_numpy(float, na_value=np.nan)
        values, note = values[np.isfinite(values)], "no times"
        if len(values):
            median, ninth = (_format_time(float(np.percentile(values, q))) for q in (50, 90))
            tasks = markup.plural(len(values), "task")
            note = f"median {median}, 90 % within {ninth}\n{tasks}"
        label = f"{group.name}{row_chart.SEPARATOR}{name}" if index == 0 else name
        rows.append(Row(label, values, color, note))
    return rows


def _format_time(seconds: float) -> str:
    # m:ss is too coarse for a few seconds
    return figure.format_mmss(seconds) if seconds >= 10 else f"{seconds:.1f} s"  # noqa: PLR2004


def _draw_chart(  # noqa: PLR0913, PLR0917 - what differs between songs and tasks
    ax: Axes | None,
    levels: Sequence[list[Row]],
    top: int | None,
    max_levels: int,
    title: str,
    item: str,
    note: str,
) -> Axes:
    """Draw the rows of the first levels; each level has the same number of rows."""
    per_level = len(levels[0])
    row_inches = _ROW_INCHES * per_level
    visible = levels[: top or figure.rows_that_fit(ax, row_inches * 0.8, max_levels)]
    rows = [row for level in visible for row in level]
    ax = figure.new_axes(ax, 1.4 + row_inches * len(visible))
    row_chart.shade_rows(ax, len(visible), per_level)
    values = np.concatenate([row.seconds for row in rows])
    edges = np.linspace(values.min(), max(values.max(), values.min() + 1e-3), _BINS + 1)
    for y, row in enumerate(rows):
        if len(row.seconds):
            _draw_dots(ax, y, row, edges)
            _draw_summary(ax, y, row)
        row_chart.write_beside(ax, y, row.note)
    row_chart.name_rows(ax, [row.name for row in rows])
    figure.time_axis(ax, values.tolist())
    figure.title(ax, title)
    key = f"dot: a {item} (outline: many); bar: middle half; diamond: median"
    hidden = row_chart.hidden_levels_note(len(levels), len(visible))
    figure.explain_below(ax, "minutes and seconds", key, hidden, note)
    return ax


def _draw_dots(ax: Axes, y: float, row: Row, edges: Floats) -> None:
    """Stack the dots above the row's line, or draw the outline of many."""
    floor = y + 0.14
    if len(row.seconds) > _MAX_DOTS:
        counts, _ = np.histogram(row.seconds, edges)
        heights = floor - _CLOUD_HEIGHT * counts / counts.max()
        ax.stairs(heights, edges, baseline=floor, fill=True, color=row.color, alpha=0.45, lw=0)
        return
    bins = np.clip(np.digitize(row.seconds, edges) - 1, 0, _BINS - 1)
    order = np.argsort(bins, kind="stable")
    level = np.arange(len(order)) - np.searchsorted(bins[order], bins[order], side="left")
    step = min(0.12, _CLOUD_HEIGHT / (level.max() + 1))
    style: dict[str, Any] = {"color": row.color, "alpha": 0.6, "mew": 0}
    ax.plot(row.seconds[order], floor - 0.06 - step * level, "o", ms=3.6, **style)


def _draw_summary(ax: Axes, y: float, row: Row) -> None:
    low, median, high = np.percentile(row.seconds, (25, 50, 75))
    line = y + 0.28
    ax.plot([low, high], [line, line], lw=4, color=row.color, solid_capstyle="butt")
    fill = figure.background_color(ax)
    ax.plot(median, line, "D", ms=6, mfc=fill, mec=row.color, mew=1.6)
