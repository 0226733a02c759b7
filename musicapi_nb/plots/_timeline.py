"""plots.timeline: the tasks of a run over time, one line from submit to end for each."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from musicapi_nb import markup
from musicapi_nb.analysis.checks import dtype_text, require
from musicapi_nb.analysis.source_tables import Source, table_of
from musicapi_nb.errors import BadFrame
from musicapi_nb.plots import figure, row_chart

_LABEL = "the table of tasks (tasks_frame)"
_TIMES = ("submitted_at", "started_at", "finished_at")
_ROW_INCHES = 0.26
_MAX_NAMED = 30
_UNNAMED_INCHES = 6.0
_QUEUE_COLOR, _RENDER_COLOR = "#9aa4ad", figure.BLUE


# marker and colour of the end of a task, by its legend text
_ENDS = {
    "succeeded": ("o", figure.GREEN),
    "failed": ("X", figure.RED),
    "ended in another state": ("d", figure.GREY),
    "not finished": (">", "#5b6570"),
}


@figure.plot
def timeline(frame: Source, *, ax: Axes | None = None) -> Axes:
    """Draw tasks over time, each as a line from its submit over its start to its end.

    `frame` is a table, a run, or whatever else `tasks_frame` accepts.
    Tasks are ordered by submit time; up to 30 are named (by `cell` if there is one, else
    `task_id`). Tasks that have not finished extend to the last time of the table. Only studio
    reports times; those without a time zone are read as UTC. Tasks without a submit time are
    left out and counted in a note. BadFrame is raised if the table lacks `state` or a column of
    times, or if one of these holds no times.
    """
    frame = table_of(frame, "tasks")
    require(frame, {"state": "text", **dict.fromkeys(_TIMES, "any")}, _LABEL)
    for name in _TIMES:
        if frame[name].notna().any() and not pd.api.types.is_datetime64_any_dtype(frame[name]):
            raise BadFrame(f"column {name!r} of {_LABEL} is {dtype_text(frame[name])}, not times")
    key = next((name for name in ("cell", "task_id") if name in frame.columns), None)
    tasks = frame if key is None else frame[frame[key].isna() | ~frame[key].duplicated()]
    tasks = tasks.assign(**{name: pd.to_datetime(tasks[name], utc=True) for name in _TIMES})
    timed = tasks[tasks["submitted_at"].notna()].sort_values("submitted_at", kind="stable")
    if timed.empty:
        return figure.empty_plot(ax, "no task has a submit time (only studio reports times)")
    is_named = len(timed) <= figure.rows_that_fit(ax, 0.16, _MAX_NAMED)
    rows = _ROW_INCHES * max(2, len(timed))
    ax = figure.new_axes(ax, 1.7 + (rows if is_named else _UNNAMED_INCHES))
    start = timed["submitted_at"].min()
    _draw_tasks(ax, timed, start, thin=not is_named)
    _name_tasks(ax, timed, key if is_named else None)
    figure.title(ax, f"Timeline of {markup.plural(len(timed), 'task')}", above=16)
    figure.explain_below(
        ax,
        f"time since the first submit, {markup.format_datetime(start)} UTC",
        row_chart.left_out_note(len(tasks) - len(timed), "task", "a submit time"),
    )
    return ax


def _draw_tasks(ax: Axes, tasks: pd.DataFrame, start: pd.Timestamp, *, thin: bool) -> None:
    submitted, started, finished = (
        (tasks[name] - start).dt.total_seconds().to_numpy(float, na_value=np.nan) for name in _TIMES
    )
    last = float(np.nanmax(np.concatenate([submitted, started, finished])))
    y = np.arange(len(tasks))
    unfinished = np.isnan(finished)
    end = np.where(unfinished, last, finished)
    render_start = np.where(np.isnan(started), end, started)
    row_inches = _UNNAMED_INCHES / len(tasks) if thin else _ROW_INCHES
    width = float(np.clip(72 * row_inches * 0.5, 0.5, 7))
    ax.hlines(y, submitted, render_start, color=_QUEUE_COLOR, lw=width)
    ax.hlines(y, render_start, end, color=_RENDER_COLOR, lw=width)
    handles = [
        Line2D([], [], color=color, lw=5, solid_capstyle="butt", label=label)
        for color, label in ((_QUEUE_COLOR, "in the queue"), (_RENDER_COLOR, "rendering"))
    ]
    states = tasks["state"].astype(object).to_numpy()
    states = np.where(np.isin(states, ["succeeded", "failed"]), states, "ended in another state")
    states = np.where(unfinished, "not finished", states)
    size: dict[str, Any] = {"ms": 3, "mew": 0} if thin else {"ms": 8, "mew": 0.8}
    for meaning, (marker, color) in _ENDS.items():
        if (mask := states == meaning).any():
            style: dict[str, Any] = {"marker": marker, "color": color, "ls": ""}
            ax.plot(end[mask], y[mask], mec=figure.background_color(ax), **style, **size)
            handles.append(Line2D([], [], ms=7, label=f"{meaning}: {mask.sum():,}", **style))
    figure.legend(ax, handles, columns=5)
    figure.time_axis(ax, [0, last])


def _name_tasks(ax: Axes, tasks: pd.DataFrame, key: str | None) -> None:
    if key is not None:
        names = map(row_chart.level_text, tasks[key])
        row_chart.name_rows(ax, [f"cell {name}" if key == "cell" else name for name in names])
        return
    ax.set_ylim(len(tasks) - 0.5, -0.5)
    ax.spines["left"].set_visible(False)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel("tasks by submit time", fontsize=figure.TEXT, color=figure.text_color(ax))
