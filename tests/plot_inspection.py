"""Texts, markers and lines of a plot, read from matplotlib's artists."""

from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.text import Text


def visible_texts(ax: Any, *, laid_out: bool = False) -> list[Text]:
    """Return the visible texts of a figure; with their positions if laid out."""
    sheet = ax.figure.figure
    if laid_out:  # layout is slow
        sheet.draw_without_rendering()
    beyond = _hidden_tick_labels(sheet)
    return [
        text
        for text in sheet.findobj(Text)
        if text.get_text() and text.get_visible() and text not in beyond
    ]


def _hidden_tick_labels(sheet: Any) -> set[Text]:
    """Return the labels of ticks beyond the limits, which are not drawn."""
    result: set[Text] = set()
    all_axes = [*sheet.axes, *(child for ax in sheet.axes for child in ax.child_axes)]
    for axis in (axis for ax in all_axes for axis in (ax.xaxis, ax.yaxis)):
        axis.get_ticklabels(which="both")  # creates the labels of ticks
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                result |= {tick.label1, tick.label2}
    return result


def all_text(ax: Any) -> str:
    return "\n".join(text.get_text() for text in visible_texts(ax))


def row_labels(ax: Any) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def marker_positions(ax: Any, marker: str) -> list[float]:
    lines = [line for line in ax.lines if line.get_marker() == marker]
    return [float(x) for line in lines for x in np.asarray(line.get_xdata(), float)]


def intervals(ax: Any, colour: str) -> list[list[float]]:
    """Return the ends of the intervals of one colour, in drawing order."""
    lines = [line for line in ax.lines if to_hex(line.get_color()) == colour]
    result = [np.asarray(line.get_xdata(), float).tolist() for line in lines]
    return [span for span in result if len(span) == 2]
