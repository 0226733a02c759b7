"""plots.effects: what each level does against the baseline, with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from musicapi_nb.analysis.checks import require
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import counts, drawable, number_of, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from musicapi_nb.analysis.checks import ColumnKind

WHAT = "the table of effects (effects(frame, factor, ...))"
_COLUMNS: Mapping[str, ColumnKind] = {
    "factor": "text",
    "level": "text",
    "baseline": "text",
    "outcome": "text",
    "measure": "text",
    "estimate": "number",
    "low": "number",
    "high": "number",
    "p_adjusted": "number",
    "songs": "number",
    "tasks": "number",
    "baseline_songs": "number",
    "baseline_tasks": "number",
}
_MOST = 36
_ROW = 0.36
_BETWEEN = 0.8
_FAR = 2


class Line(NamedTuple):
    """A line of the chart: a level's row of the table, or the heading of an outcome."""

    name: str
    row: pd.Series[Any] | None


@figure.with_style
def effects(frame: pd.DataFrame, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `effects`: what each level does to each outcome, against the baseline.

    Points are the estimates, lines their intervals as the table has them; a point is filled where
    the interval leaves out "no effect". Outcomes of one unit (seconds; shares of songs) share a
    scale, so several units are several panels: then these are the `child_axes` of what is
    returned. `top` limits the rows (36, or as many as fit on axes that are given): those with the
    smallest adjusted p, in the table's order; the picture says how many more there are.

    Raises
    ------
    BadFrame
        The table lacks a column, or has it in another kind.
    """
    figure.check_top(top)
    require(frame, _COLUMNS, WHAT)
    if frame.empty:
        return figure.empty_plot(ax, "the table of effects has no rows")
    shown = _telling(frame, top or (_MOST if ax is None else _that_fit(frame, ax)))
    parts = _parts(shown)
    heights = [len(lines) * _ROW for _, lines in parts]
    ax = figure.new_axes(ax, sum(heights) + _BETWEEN * (len(parts) - 1) + 1.5)
    made = figure.stack_panels(ax, heights, _BETWEEN)
    for panel, (unit, lines) in zip(made, parts, strict=True):
        _draw_panel(panel, unit, lines)
    _explain(ax, made, frame, len(frame) - len(shown))
    return ax


def _telling(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    """The rows with the smallest p, in the table's order."""
    order = np.argsort(frame["p_adjusted"].fillna(2.0).to_numpy(float), kind="stable")
    return frame.iloc[np.sort(order[:most])]


def _that_fit(frame: pd.DataFrame, ax: Axes) -> int:
    """How many rows given axes hold, with the headings and the panels that they bring."""
    room = figure.size_inches(ax)[1]
    for number in range(min(len(frame), _MOST), 1, -1):
        parts = _parts(_telling(frame, number))
        lines = sum(len(of_part) for _, of_part in parts)
        if lines * _ROW + _BETWEEN * (len(parts) - 1) <= room:
            return number
    return 1


def _parts(frame: pd.DataFrame) -> list[tuple[str, list[Line]]]:
    """The lines of each panel, with the unit of its scale."""
    units = {outcome: _unit(rows_) for outcome, rows_ in frame.groupby("outcome", sort=False)}
    found: dict[str, list[Line]] = {}
    several = len(frame["level"].unique()) > 1
    for outcome, of_outcome in frame.groupby("outcome", sort=False):
        lines = found.setdefault(units[outcome], [])
        if several:
            lines.append(Line(str(outcome), None))
        name = "level" if several else "outcome"
        lines += [Line(str(row[name]), row) for _, row in of_outcome.iterrows()]
    return list(found.items())


def _unit(of_outcome: pd.DataFrame) -> str:
    outcome = str(of_outcome["outcome"].iloc[0])
    if (of_outcome["measure"] == "ratio").all():
        return "ratio"
    if outcome == "duration" or outcome.endswith("_seconds"):
        return "seconds"
    # the mean of a tag's presence is the share of songs that have it
    return "share" if outcome.startswith("tag: ") else outcome


def _draw_panel(ax: Axes, unit: str, lines: Sequence[Line]) -> None:
    places = range(len(lines))
    row_chart.shade_rows(ax, places, 0.5)
    none = 1.0 if unit == "ratio" else 0.0
    ax.axvline(none, color=figure.text_color(ax), lw=1, alpha=0.6)
    for place, line in zip(places, lines, strict=True):
        if line.row is not None:
            _draw_row(ax, place, line.row, unit, none)
    row_chart.name_rows(ax, places, [line.name for line in lines], figure.LABEL_INCHES)
    for tick, line in zip(ax.get_yticklabels(), lines, strict=True):
        tick.set_fontweight("bold" if line.row is None else "normal")
    ax.set_ylim(len(lines) - 0.5, -0.5)
    _scale(ax, unit, none)


def _draw_row(ax: Axes, place: float, row: pd.Series[Any], unit: str, none: float) -> None:
    estimate, low, high = (float(row[name]) for name in ("estimate", "low", "high"))
    sizes = f"{number_of(float(row['tasks']), 'task')}, {number_of(float(row['songs']), 'song')}"
    if math.isnan(estimate):
        row_chart.write_beside(ax, place, f"no estimate\n{sizes}")
        return
    if math.isfinite(low) and math.isfinite(high) and not (unit == "ratio" and low <= 0):
        ax.plot([low, high], [place, place], color=figure.BLUE, lw=2, solid_capstyle="butt")
    # nothing, or infinitely much, has no place on the scale; its numbers are written all the same
    if math.isfinite(estimate) and not (unit == "ratio" and estimate <= 0):
        is_clear = low > none or high < none
        ax.plot(
            estimate,
            place,
            "o",
            ms=7,
            color=figure.BLUE,
            mew=1.6,
            mec=figure.BLUE,
            mfc=figure.BLUE if is_clear else figure.background_color(ax),
        )
    number, word = _said(estimate, unit), _WORDS.get(unit, "")
    interval = f"[{_said(low, unit)}, {_said(high, unit)}]"
    note = f"{number}{word} {interval}, {_p(float(row['p_adjusted']))}"
    row_chart.write_beside(ax, place, f"{note}\n{sizes}")


_WORDS = {"seconds": " s", "share": " pp"}


def _said(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return "?" if math.isnan(value) else "\N{INFINITY}"
    if unit == "ratio":
        return f"\N{MULTIPLICATION SIGN}{value:.2f}"
    digits = {"seconds": f"{value:+.1f}", "share": f"{100 * value:+.0f}"}
    return digits.get(unit, f"{value:+.2g}").replace("-", "\N{MINUS SIGN}")


def _p(p: float) -> str:
    if math.isnan(p):
        return "p not known"
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"  # noqa: PLR2004 - as it is written


_AXES = {
    "ratio": "times the baseline",
    "seconds": "difference in seconds",
    "share": "difference in percentage points of songs",
}


def _scale(ax: Axes, unit: str, none: float) -> None:
    low, high = ax.get_xlim()
    if unit == "ratio":
        ax.set_xscale("log")
        positions = [float(x) for line in ax.lines for x in np.asarray(line.get_xdata(), float)]
        far = max(1.25, *(max(x, 1 / x) for x in positions if x > 0)) ** 1.08
        ax.set_xlim(1 / far, far)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if far > _FAR else (1, 1.25, 1.5, 8)))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"\N{MULTIPLICATION SIGN}{x:g}"))
    else:
        ax.set_xlim(min(low, none), max(high, none))
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _tick(x, unit)))
    ax.grid(axis="x", color=figure.GREY, alpha=0.18, lw=0.7)
    figure.explain_below(ax, _AXES.get(unit, f"difference in {drawable(unit)}"))


def _tick(value: float, unit: str) -> str:
    scaled = round(100 * value if unit == "share" else value, 9)
    text = f"{scaled:+g}" if scaled else "0"
    return text.replace("-", "\N{MINUS SIGN}")


def _explain(ax: Axes, made: Sequence[Axes], frame: pd.DataFrame, more: int) -> None:
    factors = row_chart.JOINT.join(dict.fromkeys(frame["factor"]))
    baselines = " or ".join(dict.fromkeys(frame["baseline"]))
    levels = list(dict.fromkeys(frame["level"]))
    against = f"{levels[0]} against {baselines}" if len(levels) == 1 else f"against {baselines}"
    figure.title(
        made[0], shortened(f"Effects of {factors}, {against}", 6.5, figure.TITLE), above=16
    )
    keys = [
        Line2D([], [], color=figure.BLUE, marker="o", lw=2, ms=7, mew=1.6, mfc=fill, label=words)
        for fill, words in (
            (figure.BLUE, '"no effect" lies outside the interval'),
            (figure.background_color(ax), '"no effect" lies within it'),
        )
    ]
    figure.legend(made[0], keys)
    sizes = counts(("task", list(frame["baseline_tasks"])), ("song", list(frame["baseline_songs"])))
    last = made[-1]
    figure.explain_below(
        last,
        last.get_xlabel(),
        shortened(f"the baseline {baselines}: {sizes}; p as adjusted", 7, figure.TEXT),
        f"the rows with the smallest p, and {number_of(more, 'more row')} not drawn"
        if more
        else "",
    )
