"""plots.effects: the effect of each level against the baseline, with intervals."""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from musicapi_nb import markup
from musicapi_nb.analysis.checks import require
from musicapi_nb.audio.units import LABELS, difference_unit, label_text
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import format_counts, outcome_text, shorten, to_drawable

_LABEL = "the table of effects (effects(frame, factor, ...))"
_TEXTS = ("factor", "level", "baseline", "outcome", "measure")
_NUMBERS = (*("estimate", "p_adjusted"), *("songs", "tasks", "baseline_songs", "baseline_tasks"))
_MAX_ROWS = 36
_ROW_INCHES = 0.36
_GAP_INCHES = 0.8
_MIN_P = 0.05  # of an adjusted p that does not count as an effect
_WIDE_RATIO = 2  # beyond, ticks are 1, 2, 5 times a power of ten
_AXIS_LABELS = {
    "ratio": "times the baseline",
    "seconds": "difference in seconds",
    "share": "difference in percentage points of songs",
}
_SUFFIXES = {"seconds": " s", "share": " pp"}


_DETECTABLE: dict[str, Any] = {"color": figure.GREY, "alpha": 0.28, "solid_capstyle": "butt"}

Line: TypeAlias = tuple[str, pd.Series | None]
"""A line of the chart: its name, and its row of the table; None for the heading of an outcome."""


@figure.plot
def effects(
    frame: Table,
    *,
    simultaneous: bool = False,
    detectable: bool = False,
    top: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the table of `effects`: each level's effect on each outcome, against the baseline.

    Points are the estimates; a point is filled if its adjusted p is below 0.05. Lines are the
    intervals of each row alone, or, if `simultaneous`, those that hold for all rows of the table
    together (`joint_low`, `joint_high`); an arrow leads to a bound outside the picture. With
    `detectable`, a grey bar behind each row reaches to the effect that such data find in 80 % of
    experiments: smaller ones may exist and not show. Outcomes of one unit (seconds; shares of
    songs) share a scale; several units are several panels, the `child_axes` of the result. `top`
    limits the rows to those with the smallest adjusted p, in the table's order (default: 36, or as
    many as fit on the given axes); a note counts the others. BadFrame is raised if a column is
    missing or of another kind.
    """
    bounds = ("joint_low", "joint_high") if simultaneous else ("low", "high")
    numbers = (*_NUMBERS, *bounds, *(["detectable"] if detectable else ()))
    frame = require(
        frame, {**dict.fromkeys(_TEXTS, "text"), **dict.fromkeys(numbers, "number")}, _LABEL
    )
    if frame.empty:
        return figure.empty_plot(ax, "the table of effects has no rows")
    frame = frame.assign(low=frame[bounds[0]], high=frame[bounds[1]])
    visible = _smallest_p(frame, top or (_MAX_ROWS if ax is None else _count_fitting(frame, ax)))
    parts = _split_by_unit(visible)
    heights = [len(lines) * _ROW_INCHES for lines in parts.values()]
    ax = figure.new_axes(ax, sum(heights) + _GAP_INCHES * (len(parts) - 1) + 1.5)
    panels = figure.stack_panels(ax, heights, _GAP_INCHES)
    for panel, (unit, lines) in zip(panels, parts.items(), strict=True):
        _draw_panel(panel, unit, lines, detectable=detectable)
    _explain(panels, frame, len(frame) - len(visible), simultaneous=simultaneous)
    figure.legend(panels[0], _handles(ax, detectable=detectable))
    return ax


def _smallest_p(frame: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return the rows with the smallest p, in the table's order."""
    order = np.argsort(frame["p_adjusted"].to_numpy(float), kind="stable")  # NaN comes last
    return frame.iloc[np.sort(order[:number])]


def _count_fitting(frame: pd.DataFrame, ax: Axes) -> int:
    """Return how many rows fit on the given axes, with their headings and panels."""
    available = figure.panels_inches(ax)
    for number in range(min(len(frame), _MAX_ROWS), 1, -1):
        parts = _split_by_unit(_smallest_p(frame, number))
        lines = sum(map(len, parts.values()))
        if lines * _ROW_INCHES + _GAP_INCHES * (len(parts) - 1) <= available:
            return number
    return 1


def _split_by_unit(frame: pd.DataFrame) -> dict[str, list[Line]]:
    """Return the lines of each panel by the unit of its scale."""
    panels: dict[str, list[Line]] = {}
    several = len(frame["level"].unique()) > 1
    for outcome, rows in frame.groupby("outcome", sort=False, observed=True):
        lines = panels.setdefault(_unit(rows), [])
        if several:
            lines.append((outcome_text(outcome), None))
        names = rows["level"].map(str) if several else rows["outcome"].map(outcome_text)
        lines += [(name, row) for name, (_, row) in zip(names, rows.iterrows(), strict=True)]
    return panels


def _unit(rows: pd.DataFrame) -> str:
    if (rows["measure"] == "ratio").all():
        return "ratio"
    outcome = str(rows["outcome"].iloc[0])
    if outcome == "duration" or outcome.endswith("_seconds"):
        return "seconds"
    # the mean presence of a tag is the share of songs that have it
    return "share" if outcome.startswith("tag: ") else outcome


def _draw_panel(ax: Axes, unit: str, lines: Sequence[Line], *, detectable: bool) -> None:
    row_chart.shade_rows(ax, len(lines))
    no_effect = 1.0 if unit == "ratio" else 0.0
    ax.axvline(no_effect, color=figure.text_color(ax), lw=1, alpha=0.6)
    row_chart.name_rows(ax, [name for name, _ in lines])
    for y, (tick, (_, row)) in enumerate(zip(ax.get_yticklabels(), lines, strict=True)):
        tick.set_fontweight("bold" if row is None else "normal")
        if row is not None:
            _draw_row(ax, y, row, unit)
        if row is not None and detectable:
            _draw_detectable(ax, y, float(row["detectable"]), unit)
    _scale(ax, unit, no_effect)
    for y, (_, row) in enumerate(lines):
        if row is not None and unit == "ratio":
            _draw_open_interval(ax, y, float(row["low"]), float(row["high"]))


def _draw_open_interval(ax: Axes, y: float, low: float, high: float) -> None:
    """Draw the interval of a ratio that reaches 0 or infinity, which are not on a log scale."""
    opens = [low <= 0, math.isinf(high)]
    if opens[0] == opens[1] or math.isnan(low):  # drawn already, or everything is possible
        return
    left, right = ax.get_xlim()
    ends = [left if opens[0] else low, right if opens[1] else high]
    if ends[0] < ends[1]:
        ax.plot(ends, [y, y], color=figure.BLUE, lw=2, solid_capstyle="butt")
        for end, is_open, marker in zip(ends, opens, "<>", strict=True):
            if is_open:
                ax.plot(end, y, marker, ms=6, color=figure.BLUE, clip_on=False)
        ax.set_xlim(left, right)


def _draw_detectable(ax: Axes, y: float, effect: float, unit: str) -> None:
    """Draw a bar up to the effect that would be found, in both directions."""
    if math.isfinite(effect):
        low = 1 / effect if unit == "ratio" else -effect
        ax.plot([low, effect], [y, y], lw=13, zorder=1, **_DETECTABLE)


def _draw_row(ax: Axes, y: float, row: pd.Series, unit: str) -> None:
    estimate, low, high = (float(row[name]) for name in ("estimate", "low", "high"))
    sizes = f"{markup.plural(row['tasks'], 'task')}, {markup.plural(row['songs'], 'song')}"
    if math.isnan(estimate):
        row_chart.write_beside(ax, y, f"no estimate\n{sizes}")
        return
    # 0 and infinity are not on a log scale, but their numbers are written
    is_log = unit == "ratio"
    if math.isfinite(low) and math.isfinite(high) and not (is_log and low <= 0):
        ax.plot([low, high], [y, y], color=figure.BLUE, lw=2, solid_capstyle="butt")
    if math.isfinite(estimate) and not (is_log and estimate <= 0):
        is_clear = float(row["p_adjusted"]) < _MIN_P
        fill = figure.BLUE if is_clear else figure.background_color(ax)
        ax.plot(estimate, y, "o", ms=7, color=figure.BLUE, mew=1.6, mec=figure.BLUE, mfc=fill)
    interval = f"[{_format_value(low, unit)}, {_format_value(high, unit)}]"
    value = _format_value(estimate, unit) + _suffix(unit)
    p = _format_p(float(row["p_adjusted"]))
    row_chart.write_beside(ax, y, f"{value} {interval}, {p}\n{sizes}")


def _format_value(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "?" if math.isnan(value) else "\N{INFINITY}"
    if unit == "ratio":
        return f"\N{MULTIPLICATION SIGN}{value:.2f}"
    texts = {"seconds": f"{value:+.1f}", "share": f"{100 * value:+.0f}"}
    if label := LABELS.get(unit):
        digits = (label.digits or 1) + 2 * (label.factor != 1)  # shares are not in percent here
        texts[unit] = f"{value:+.{digits}f}"
    return texts.get(unit, f"{value:+.2g}").replace("-", "\N{MINUS SIGN}")


def _suffix(unit: str) -> str:
    label = LABELS.get(unit)
    has_unit = label and label.unit and label.factor == 1
    text = f" {difference_unit(label.unit)}" if label and has_unit else ""
    return _SUFFIXES.get(unit, text)


def _format_p(p: float) -> str:
    if math.isnan(p):
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"  # noqa: PLR2004 - the limit as written


def _scale(ax: Axes, unit: str, no_effect: float) -> None:
    low, high = ax.get_xlim()
    if unit == "ratio":
        ax.set_xscale("log")
        values = [float(x) for line in ax.lines for x in np.asarray(line.get_xdata(), float)]
        limit = max(1.25, *(max(x, 1 / x) for x in values if x > 0)) ** 1.08
        ax.set_xlim(1 / limit, limit)
        multiples = (1, 2, 5) if limit > _WIDE_RATIO else (1, 1.25, 1.5, 8)
        ax.xaxis.set_major_locator(LogLocator(subs=multiples))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_formatter("\N{MULTIPLICATION SIGN}{x:g}")
    else:
        ax.set_xlim(min(low, no_effect), max(high, no_effect))
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.xaxis.set_major_formatter(lambda x, _: _format_tick(x, unit))
    figure.grid(ax)
    figure.explain_below(ax, _AXIS_LABELS.get(unit, f"difference in {_axis_name(unit)}"))


def _axis_name(outcome: str) -> str:
    if outcome not in LABELS:
        return to_drawable(outcome_text(outcome))
    text = label_text(outcome, difference=True)
    return text[:1].lower() + text[1:]


def _format_tick(value: float, unit: str) -> str:
    scaled = round(100 * value if unit == "share" else value, 9)
    text = f"{scaled:+g}" if scaled else "0"
    return text.replace("-", "\N{MINUS SIGN}")


def _handles(ax: Axes, *, detectable: bool) -> list[Line2D]:
    """Return the handles of the legend."""
    style: dict[str, Any] = {"color": figure.BLUE, "marker": "o", "lw": 2, "ms": 7, "mew": 1.6}
    handles = [
        Line2D([], [], mfc=figure.BLUE, label="adjusted p below 0.05", **style),
        Line2D([], [], mfc=figure.background_color(ax), label="not below 0.05", **style),
    ]
    if detectable:
        handles.append(Line2D([], [], lw=8, label="found in less than 80 %", **_DETECTABLE))
    return handles


def _explain(
    panels: Sequence[Axes], frame: pd.DataFrame, hidden: int, *, simultaneous: bool
) -> None:
    factors = row_chart.SEPARATOR.join(dict.fromkeys(frame["factor"]))
    baselines = " or ".join(dict.fromkeys(frame["baseline"]))
    levels = list(dict.fromkeys(frame["level"]))
    against = f"{levels[0]} against {baselines}" if len(levels) == 1 else f"against {baselines}"
    text = shorten(f"Effects of {factors}, {against}", 6.5, figure.TITLE)
    figure.title(panels[0], text, above=16)
    tasks, songs = list(frame["baseline_tasks"]), list(frame["baseline_songs"])
    sizes = format_counts(("task", tasks), ("song", songs))
    baseline = shorten(f"baseline {baselines}: {sizes}", 7, figure.TEXT)
    intervals = "intervals hold together" if simultaneous else "intervals hold row by row"
    note = f"the rows with the smallest p, and {markup.plural(hidden, 'more row')} not drawn"
    label = panels[-1].get_xlabel()
    figure.explain_below(
        panels[-1], label, baseline, f"p is adjusted; {intervals}", note if hidden else ""
    )
