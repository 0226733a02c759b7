"""plots.adherence: how many of the requested tags were returned, level by level."""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from musicapi_nb.analysis.checks import require
from musicapi_nb.errors import BadFrame
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import format_counts, to_drawable

_LABEL = "the table of adherence (adherence(songs, tags, requested_tags=..., by=...))"
_NUMBERS = ("estimate", "low", "high", "tasks", "songs")
_MAX_LEVELS = 24
_ROW_INCHES = 0.52
_OFFSET = 0.24  # between the measures of a row


# colour, marker and legend text of each measure
_STYLES = {
    "recall": (figure.BLUE, "o", "recall: share of requested tags that were returned"),
    "precision": (figure.RED, "s", "precision: share of returned tags that were requested"),
    "jaccard": (figure.GREEN, "^", "Jaccard: tags that were both, of all tags"),
}


@figure.plot
def adherence(frame: Table, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `adherence(..., by=...)`, one row for each level in the table's order.

    Points are the estimates, lines their intervals. `top` limits the levels to the first ones
    (default: 24, or as many as fit on the given axes); a note counts the others. BadFrame is
    raised if a column is missing or of another kind, as in the table of single songs (`by=None`).
    """
    frame = require(frame, {"measure": "text", **dict.fromkeys(_NUMBERS, "number")}, _LABEL)
    by = frame.columns[: list(frame.columns).index("measure")].astype(str).tolist()
    if not by:
        raise BadFrame(f"{_LABEL} has no column of levels before 'measure'")
    if frame.empty:
        return figure.empty_plot(ax, "the table of adherence has no rows")
    groups = row_chart.groups(frame, by)
    visible = groups[: top or figure.rows_that_fit(ax, _ROW_INCHES * 0.8, _MAX_LEVELS)]
    ax = figure.new_axes(ax, 1.6 + _ROW_INCHES * len(visible))
    row_chart.shade_rows(ax, len(visible))
    measures = [name for name in _STYLES if name in set(frame["measure"])]
    middle = (len(measures) - 1) / 2
    offsets = {name: _OFFSET * (index - middle) for index, name in enumerate(measures)}
    for y, group in enumerate(visible):
        _draw_level(ax, y, group.rows, offsets)
    row_chart.name_rows(ax, [group.name for group in visible])
    ax.set_xlim(-0.02, 1.02)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    figure.grid(ax)
    lines = [
        Line2D([], [], color=color, marker=marker, lw=2, ms=6, label=meaning)
        for color, marker, meaning in map(_STYLES.__getitem__, measures)
    ]
    figure.legend(ax, lines, columns=1)
    names = to_drawable(row_chart.SEPARATOR.join(by))
    figure.title(ax, f"Adherence by {names}", above=13.5 * len(measures) + 2)
    note = row_chart.hidden_levels_note(len(groups), len(visible))
    figure.explain_below(ax, "share of tags; lines are intervals", note)
    return ax


def _draw_level(ax: Axes, y: float, rows: pd.DataFrame, offsets: dict[str, float]) -> None:
    numbers = rows[["estimate", "low", "high"]].to_numpy(dtype=float, na_value=math.nan)
    for measure, (estimate, low, high) in zip(rows["measure"], numbers, strict=True):
        if measure not in _STYLES:
            continue
        color, marker, _ = _STYLES[measure]
        line = y + offsets[measure]
        if not math.isfinite(estimate):
            text = f"{measure}: not defined here"
            figure.write(ax, 0, line, text, fontsize=figure.SMALL, alpha=0.75)
            continue
        if math.isfinite(low) and math.isfinite(high):
            ax.plot([low, high], [line, line], color=color, lw=2, solid_capstyle="butt")
        edge: dict[str, Any] = {"mec": figure.background_color(ax), "mew": 0.8}
        ax.plot(estimate, line, marker, color=color, ms=6, **edge)
    sizes = format_counts(("task", list(rows["tasks"])), ("song", list(rows["songs"])))
    row_chart.write_beside(ax, y, sizes.replace(", ", "\n"))
