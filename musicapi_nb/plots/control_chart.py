"""plots.drift: a control chart of each outcome, with its periods."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from musicapi_nb import markup
from musicapi_nb.analysis._drift import Series, read_series
from musicapi_nb.analysis.checks import dtype_text, require
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.errors import BadFrame
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plots import figure
from musicapi_nb.plots.text import outcome_text, shorten

_LABEL = "the table of drift (drift(frame, outcomes))"
_TIMES = ("start", "end")
_NUMBERS = (
    *("period", "mean", "low", "high", "p", "lower_limit", "upper_limit"),
    *("outside", "tasks", "missing_tasks"),
)
_PANEL_INCHES, _GAP_INCHES = 1.7, 0.75
_MIN_PANEL_INCHES = 1.2
_MAX_OUTCOMES = 6


@figure.plot
def drift(
    frame: Table,
    tasks: Source | None = None,
    *,
    time: str | None = None,
    top: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the table of `drift` as control charts, one panel for each outcome.

    A thick line is the mean of a period, its band the interval; thin lines are the control limits
    of single tasks. A vertical line marks each change, with its p. `tasks`, what `drift` was
    given, adds a dot for each task; `time` is its column of times. Several outcomes are the
    `child_axes` of the result. `top` limits them to the first ones (default: 6, or as many as fit
    on the given axes); a note counts the others. BadFrame is raised if a column is missing or of
    another kind.
    """
    frame = require(
        frame,
        {"outcome": "text", **dict.fromkeys(_TIMES, "any"), **dict.fromkeys(_NUMBERS, "number")},
        _LABEL,
    )
    for name in _TIMES:
        if len(frame) and not pd.api.types.is_datetime64_any_dtype(frame[name]):
            raise BadFrame(f"column {name!r} of {_LABEL} is {dtype_text(frame[name])}, not times")
    if frame.empty:
        return figure.empty_plot(ax, "the table of drift has no periods")
    outcomes = list(dict.fromkeys(frame["outcome"]))
    limit = figure.rows_that_fit(ax, _MIN_PANEL_INCHES + _GAP_INCHES, _MAX_OUTCOMES)
    visible = outcomes[: top or limit]
    series = {} if tasks is None else {s.outcome: s for s in read_series(tasks, visible, time=time)}
    heights = [_PANEL_INCHES] * len(visible)
    ax = figure.new_axes(ax, sum(heights) + _GAP_INCHES * (len(visible) - 1) + 1.6)
    panels = figure.stack_panels(ax, heights, _GAP_INCHES)
    drawn = frame[frame["outcome"].isin(visible)]
    dates = drawn["start"].min(), drawn["end"].max()
    for panel, name in zip(panels, visible, strict=True):
        _draw_panel(
            panel, name, frame[frame["outcome"] == name], series.get(name), _date_range(*dates)
        )
    _explain(ax, panels, dates, has_dots=bool(series), hidden=len(outcomes) - len(visible))
    return ax


def _days(moment: Any) -> float:
    """Return a time on matplotlib's axis of dates."""
    return float(date2num(moment))  # type: ignore[no-untyped-call]


def _date_range(first: pd.Timestamp, last: pd.Timestamp) -> tuple[float, float]:
    low, high = _days(first), _days(last)
    pad = max(0.02 * (high - low), 1 / 24)
    return low - pad, high + pad


def _draw_panel(
    ax: Axes, outcome: str, periods: pd.DataFrame, series: Series | None, reach: tuple[float, float]
) -> None:
    ink = figure.text_color(ax)
    if series is not None and len(series.times):
        dots: dict[str, Any] = {"color": figure.GREY, "alpha": 0.55, "ms": 3.2, "mew": 0}
        ax.plot([_days(moment) for moment in series.times], series.task_means, "o", **dots)
    starts, ends = ([_days(moment) for moment in periods[name]] for name in _TIMES)
    figures = periods[["mean", "low", "high", "lower_limit", "upper_limit"]].to_numpy(float)
    # a period lasts until the next one begins
    for x, end, row in zip(starts, [*starts[1:], ends[-1]], figures, strict=True):
        span = [x, max(end, x + 1e-6)]
        mean, low, high, *limits = (float(value) for value in row)
        ax.plot(span, [mean, mean], color=figure.BLUE, lw=2.2, solid_capstyle="butt")
        if math.isfinite(low) and math.isfinite(high):
            ax.fill_between(span, low, high, color=figure.BLUE, alpha=0.22, lw=0)
        for limit in filter(math.isfinite, limits):
            ax.plot(span, [limit, limit], color=figure.ORANGE, lw=1.1)
    ax.margins(y=0.14)
    for x, p in zip(starts[1:], periods["p"].to_numpy(float)[1:], strict=True):
        ax.axvline(x, color=figure.RED, lw=1.3, ls=(0, (4, 2)))
        text = "p < 0.001" if p < 0.001 else f"p {p:.2g}"  # noqa: PLR2004 - the limit as written
        options = {"fontsize": figure.SMALL, "ha": "center", "va": "bottom"}
        figure.write(ax, x, 1.01, text, transform=ax.get_xaxis_transform(), **options)
    _scale(ax, outcome, periods, reach)
    tasks = markup.plural(periods["tasks"].sum(), "task")
    changes = markup.plural(len(periods) - 1, "change") if len(periods) > 1 else "no change"
    outside = int(periods["outside"].sum())
    notes = [tasks, changes, f"{outside:,} outside\nthe limits" if outside else ""]
    if missing := int(periods["missing_tasks"].max()):
        notes.append(f"{missing:,} left out")
    style = {"fontsize": figure.SMALL, "alpha": 0.75, "linespacing": 1.4, "color": ink}
    note = "\n".join(filter(None, notes))
    figure.write(ax, 1.02, 0.5, note, transform=ax.transAxes, clip_on=False, **style)


def _scale(ax: Axes, outcome: str, periods: pd.DataFrame, reach: tuple[float, float]) -> None:
    ax.set_xlim(*reach)
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)
    ax.yaxis.set_major_locator(MaxNLocator(4))
    means = periods[["mean", "low", "high"]].to_numpy(float)
    is_share = periods["lower_limit"].isna().all() and np.nanmin(means) >= 0 >= np.nanmax(means) - 1
    if is_share:
        ax.set_ylim(-0.04, 1.04)
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    elif outcome == "duration" or outcome.endswith("_seconds"):
        ax.yaxis.set_major_formatter(lambda y, _: figure.format_mmss(y))
    ax.grid(axis="y", color=figure.GREY, alpha=0.18, lw=0.7)
    name = shorten(outcome_text(outcome), 1.3, figure.TEXT)
    ax.set_ylabel(name, fontsize=figure.TEXT, color=figure.text_color(ax))


def _explain(
    ax: Axes,
    panels: Sequence[Axes],
    dates: tuple[pd.Timestamp, pd.Timestamp],
    *,
    has_dots: bool,
    hidden: int,
) -> None:
    handles: list[Any] = [
        Line2D([], [], color=figure.BLUE, lw=2.2, label="mean of a period"),
        Patch(color=figure.BLUE, alpha=0.22, lw=0, label="its interval"),
        Line2D([], [], color=figure.ORANGE, lw=1.1, label="limits of a task"),
        Line2D([], [], color=figure.RED, lw=1.3, ls=(0, (4, 2)), label="change"),
    ]
    if has_dots:
        dot: dict[str, Any] = {"marker": "o", "ls": "", "ms": 4, "color": figure.GREY}
        handles.append(Line2D([], [], label="task", **dot))
    columns = figure.legend_columns(ax, len(handles), 1.7)
    figure.legend(panels[0], handles, columns, above=12)
    lines = math.ceil(len(handles) / columns)
    figure.title(panels[0], "Outcomes over time", above=15 + 15 * lines)
    first, last = (markup.format_datetime(moment) for moment in dates)
    more = f"and {markup.plural(hidden, 'more outcome')} not drawn"
    figure.explain_below(
        panels[-1], f"time of the task, {first} to {last} UTC", more if hidden else ""
    )
