"""What is seen on a plot, read from matplotlib's artists."""

from typing import Any

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.text import Text


def texts(ax: Any, *, placed: bool = False) -> list[Text]:
    """All words that are seen on the sheet of these axes; where they lie, if they are placed."""
    sheet = ax.figure.figure
    if placed:  # laying out takes longest
        sheet.draw_without_rendering()
    beyond = _beyond(sheet)
    return [
        text
        for text in sheet.findobj(Text)
        if text.get_text() and text.get_visible() and text not in beyond
    ]


def _beyond(sheet: Any) -> set[Text]:
    """Labels of ticks that lie outside of the limits: they are there, and not drawn."""
    result: set[Text] = set()
    all_axes = [*sheet.axes, *(child for ax in sheet.axes for child in ax.child_axes)]
    for axis in (axis for ax in all_axes for axis in (ax.xaxis, ax.yaxis)):
        axis.get_ticklabels(which="both")  # only then do ticks have their words
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                result |= {tick.label1, tick.label2}
    return result


def words(ax: Any) -> str:
    return "\n".join(text.get_text() for text in texts(ax))


def names(ax: Any) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def points(ax: Any, marker: str) -> list[float]:
    lines = [line for line in ax.lines if line.get_marker() == marker]
    return [float(x) for line in lines for x in np.asarray(line.get_xdata(), float)]


def spans(ax: Any, colour: str) -> list[list[float]]:
    """Where intervals of one colour begin and end, in the order of drawing."""
    lines = [line for line in ax.lines if to_hex(line.get_color()) == colour]
    result = [np.asarray(line.get_xdata(), float).tolist() for line in lines]
    return [span for span in result if len(span) == 2]
