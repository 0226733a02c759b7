"""plots.costs: what a song, a kept tag or an hour of music costs, level by level."""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from musicapi_nb import markup
from musicapi_nb.analysis.checks import require
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import format_counts, to_drawable

_LABEL = "the table of costs (costs(source, by=...))"
_NUMBERS = ("estimate", "low", "high", "units", "tasks", "songs", "credits")
_MAX_LEVELS = 24
_ROW_INCHES = 0.36
_GAP_INCHES = 0.75
_WIDE = 4.0  # times the largest estimate: an interval beyond is cut, with an arrow
_MONEY = {"estimate": "money", "low": "money_low", "high": "money_high"}


@figure.plot
def costs(frame: Table, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `costs`: a panel for each measure, a row for each level.

    Points are the estimates, lines their intervals; an arrow leads to a bound that is far outside
    or infinite. Measures that are missing everywhere are left out. If the table has money, the
    scales are money. `top` limits the levels to the first ones (default: 24, or as many as fit on
    the given axes); a note counts the others. The panels are the `child_axes` of the result.
    BadFrame is raised if a column is missing or of another kind.
    """
    frame = require(frame, {"measure": "text", **dict.fromkeys(_NUMBERS, "number")}, _LABEL)
    by = frame.columns[: list(frame.columns).index("measure")].astype(str).tolist()
    has_money = {*_MONEY.values(), "currency"} <= {*frame.columns}
    if has_money:
        frame = frame.assign(**{name: frame[column] for name, column in _MONEY.items()})
    shown = frame[frame["units"].notna()]
    measures = list(dict.fromkeys(shown["measure"]))
    if not measures:
        return figure.empty_plot(ax, "no cost is known")
    groups = row_chart.groups(frame, by)
    row_inches = _ROW_INCHES * len(measures)
    visible = groups[: top or figure.rows_that_fit(ax, row_inches * 1.3, _MAX_LEVELS)]
    heights = [_ROW_INCHES * len(visible)] * len(measures)
    ax = figure.new_axes(ax, sum(heights) + _GAP_INCHES * (len(measures) - 1) + 1.3)
    panels = figure.stack_panels(ax, heights, _GAP_INCHES)
    currency = str(frame["currency"].iloc[0]) if has_money else "credits"
    for panel, measure in zip(panels, measures, strict=True):
        rows = [group.rows[group.rows["measure"] == measure].iloc[0] for group in visible]
        _draw_panel(panel, rows)
        row_chart.name_rows(panel, [group.name for group in visible])
        unit = measure.removeprefix("credits ")
        figure.explain_below(panel, to_drawable(f"{currency or 'money'} {unit}"))
    names = to_drawable(row_chart.SEPARATOR.join(by))
    figure.title(panels[0], f"Costs by {names}" if by else "Costs")
    figure.explain_below(
        panels[-1],
        panels[-1].get_xlabel(),
        "lines are intervals",
        row_chart.hidden_levels_note(len(groups), len(visible)),
    )
    return ax


def _draw_panel(ax: Axes, rows: list[pd.Series]) -> None:
    row_chart.shade_rows(ax, len(rows))
    limit = _limit(rows)
    for y, row in enumerate(rows):
        _draw_row(ax, y, row, limit)
    ax.set_xlim(0, limit)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    figure.grid(ax)


def _limit(rows: list[pd.Series]) -> float:
    """Return the right end of the scale: beyond all bounds, unless one is very far away."""
    numbers = [float(row[name]) for row in rows for name in ("estimate", "low", "high")]
    finite = [number for number in numbers if math.isfinite(number)]
    estimates = [number for row in rows if math.isfinite(number := float(row["estimate"]))]
    largest = max(finite, default=1.0)
    return 1.06 * (min(largest, _WIDE * max(estimates)) if estimates else largest) or 1.0


def _draw_row(ax: Axes, y: float, row: pd.Series, limit: float) -> None:
    estimate, low, high = (float(row[name]) for name in ("estimate", "low", "high"))
    sizes = format_counts(("task", [int(row["tasks"])]), ("song", [int(row["songs"])]))
    if not math.isnan(low):
        end = min(high, limit)
        ax.plot([low, end], [y, y], color=figure.BLUE, lw=2, solid_capstyle="butt")
        if high > limit:
            ax.plot(limit, y, ">", color=figure.BLUE, ms=6, clip_on=False)
    if math.isfinite(estimate):
        edge: dict[str, Any] = {"mec": figure.background_color(ax), "mew": 0.8}
        ax.plot(estimate, y, "o", color=figure.BLUE, ms=7, **edge)
    interval = "" if math.isnan(low) else f" [{_format(low)}, {_format(high)}]"
    value = "no estimate" if math.isnan(estimate) else _format(estimate)
    row_chart.write_beside(ax, y, f"{value}{interval}\n{sizes}")


def _format(value: float) -> str:
    if math.isinf(value):
        return "\N{INFINITY}"
    return markup.one_line(f"{value:,.0f}" if value >= 100 else f"{value:.3g}")  # noqa: PLR2004 - three digits
