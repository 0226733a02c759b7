"""plots.timeline: a run as it went, a line for each task from submit to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from musicapi_nb import markup
from musicapi_nb.analysis.checks import require
from musicapi_nb.errors import BadFrame
from musicapi_nb.plots import figure, row_chart, time_axis
from musicapi_nb.plots.text import number_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WHAT = "the table of tasks (tasks_frame)"
_TIMES = ("submitted_at", "started_at", "finished_at")
_ROW = 0.26
_MOST_NAMED = 30
_MANY_INCHES = 6.0
_WAITS, _RENDERS = "#9aa4ad", figure.BLUE


class End(NamedTuple):
    """How the end of a task is marked."""

    marker: str
    colour: str
    means: str


_ENDS = {"succeeded": End("o", figure.GREEN, "succeeded"), "failed": End("X", figure.RED, "failed")}
_OTHER = End("d", figure.GREY, "ended in another state")
_GOING = End(">", "#5b6570", "not finished")


@figure.with_style
def timeline(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw a table of tasks over time: each a line from its submit over its start to its end.

    Tasks stand in the order of their submits, all of them; up to 30 are named (`cell` where there
    is one, else `task_id`). A task that has not finished goes to the last time in the table. Only
    studio states times; those without a zone are taken as UTC. Tasks without a submit time are left
    out and counted on the picture.

    Raises
    ------
    BadFrame
        The table lacks `state` or a column of times, or one of them holds no times.
    """
    require(frame, {"state": "text", **dict.fromkeys(_TIMES, "any")}, WHAT)
    for name in _TIMES:
        if frame[name].notna().any() and not pd.api.types.is_datetime64_any_dtype(frame[name]):
            raise BadFrame(f"column {name!r} of {WHAT} is {frame[name].dtype}, not times")
    tasks = _one_a_task(frame).assign(
        **{name: pd.to_datetime(frame[name], utc=True) for name in _TIMES}
    )
    kept = tasks[tasks["submitted_at"].notna()]
    if kept.empty:
        return figure.empty_plot(ax, "no task has a submit time (only studio states times)")
    kept = kept.sort_values("submitted_at", kind="stable")
    named = len(kept) <= (
        _MOST_NAMED if ax is None else figure.rows_that_fit(ax, 0.16, _MOST_NAMED)
    )
    ax = figure.new_axes(ax, 1.7 + (_ROW * max(2, len(kept)) if named else _MANY_INCHES))
    start = kept["submitted_at"].min()
    _draw(ax, kept, start, thin=not named)
    _name(ax, kept, named=named)
    figure.title(ax, f"Timeline of {number_of(len(kept), 'task')}", above=16)
    gone = len(tasks) - len(kept)
    figure.explain_below(
        ax,
        f"time since the first submit, {markup.format_datetime(start)} UTC",
        f"{number_of(gone, 'task')} without a submit time left out" if gone else "",
    )
    return ax


def _one_a_task(frame: pd.DataFrame) -> pd.DataFrame:
    """Each task once; without a name, each row is one."""
    key = _key(frame)
    return frame if key is None else frame[frame[key].isna() | ~frame[key].duplicated()]


def _key(frame: pd.DataFrame) -> str | None:
    return next((name for name in ("cell", "task_id") if name in frame.columns), None)


def _draw(ax: Axes, tasks: pd.DataFrame, start: pd.Timestamp, *, thin: bool) -> None:
    submitted, begun, ended = (_seconds(tasks[name], start) for name in _TIMES)
    last = float(np.nanmax(np.concatenate([submitted, begun, ended])))
    places = np.arange(len(tasks))
    going = np.isnan(ended)
    until = np.where(going, last, ended)
    first = np.where(np.isnan(begun), until, begun)
    width = 72 * (_MANY_INCHES / len(tasks) if thin else _ROW) * 0.5
    width = float(np.clip(width, 0.5, 7))
    ax.hlines(places, submitted, first, color=_WAITS, lw=width)
    ax.hlines(places, first, until, color=_RENDERS, lw=width)
    states = tasks["state"].astype(object).to_numpy()
    keys = [
        Line2D([], [], color=colour, lw=5, solid_capstyle="butt", label=words)
        for colour, words in ((_WAITS, "in the queue"), (_RENDERS, "rendering"))
    ]
    ends = {state: (~going) & (states == state) for state in _ENDS}
    other = ~going & ~np.any(list(ends.values()), axis=0)
    marked = [(_ENDS[state], which) for state, which in ends.items()]
    for end, of_end in [*marked, (_OTHER, other), (_GOING, going)]:
        if of_end.any():
            ax.plot(
                until[of_end],
                places[of_end],
                end.marker,
                color=end.colour,
                ms=3 if thin else 8,
                mec=figure.background_color(ax),
                mew=0 if thin else 0.8,
            )
            label = f"{end.means}: {of_end.sum():,}"
            keys.append(
                Line2D([], [], ls="", marker=end.marker, color=end.colour, ms=7, label=label)
            )
    figure.legend(ax, keys, columns=5)
    time_axis.seconds(ax, 0, last)


def _seconds(column: pd.Series[pd.Timestamp], start: pd.Timestamp) -> Floats:
    return np.asarray((column - start).dt.total_seconds().to_numpy(float, na_value=np.nan))


def _name(ax: Axes, tasks: pd.DataFrame, *, named: bool) -> None:
    ax.set_ylim(len(tasks) - 0.5, -0.5)
    ax.spines["left"].set_visible(False)
    key = _key(tasks)
    if named and key is not None:
        names = [f"cell {name}" if key == "cell" else row_chart.level(name) for name in tasks[key]]
        row_chart.name_rows(ax, range(len(tasks)), names, figure.LABEL_INCHES)
        return
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel(
        "tasks, in the order of their submits", fontsize=figure.TEXT, color=figure.text_color(ax)
    )
