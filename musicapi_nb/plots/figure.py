"""The sheet that every plot is drawn on: its size, its look, and how it shows itself.

Plots are dark on white, also in a dark notebook: a saved picture cannot know the theme it will be
looked at in, and no single ink is readable on both white and near-black. On axes that are given,
the ink follows their background instead.

Colours: Okabe and Ito, "Color Universal Design" (2008), told apart by the colour-blind.
"""

from __future__ import annotations

import functools
import io
import textwrap
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.plots.text import fonts

GREEN, BLUE, RED, PURPLE = "#009E73", "#0072B2", "#D55E00", "#CC79A7"
ORANGE, SKY, GREY = "#E69F00", "#56B4E9", "#7f7f7f"

SMALL, TEXT, TITLE = 8.0, 9.0, 11.0
WIDTH = 7.6
LABEL_INCHES = 2.2
_DARK, _LIGHT, _WHITE = "#1f2328", "#f0f2f4", "#ffffff"
_DPI = 100
_MIDDLE = 0.5
_LETTER = 0.075  # inches of a letter of TEXT, on average

Given = ParamSpec("Given")
Made = TypeVar("Made")


class PlotAxes(Axes):
    """Axes that a notebook shows as a picture when they are a cell's last value.

    They are not known to pyplot: nothing shows twice, and nothing is kept once they are forgotten.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]] | None:
        figure = self.figure
        return figure._repr_png_() if isinstance(figure, PlotFigure) else None


class PlotFigure(Figure):
    """The figure of a plot, which a notebook shows as well."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Draw at twice the size that it is shown at, for sharp screens."""
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=2 * _DPI)
        width, height = self.get_size_inches()
        return file.getvalue(), {"width": round(width * _DPI), "height": round(height * _DPI)}


def with_style(function: Callable[Given, Made]) -> Callable[Given, Made]:
    """Draw with matplotlib's defaults and our fonts; the user's settings stay as they are."""

    @functools.wraps(function)
    def within(*args: Given.args, **named: Given.kwargs) -> Made:
        look: dict[Any, Any] = {"font.family": list(fonts()), "text.parse_math": False}
        with matplotlib.style.context(look, after_reset=True):
            return function(*args, **named)

    return within


def new_axes(ax: Axes | None, height: float, width: float = WIDTH) -> Axes:
    """Axes to draw on: those given, or new ones on a sheet of so many inches."""
    if ax is None:
        figure = PlotFigure(
            figsize=(width, height), dpi=_DPI, layout="constrained", facecolor=_WHITE
        )
        ax = figure.add_subplot(axes_class=PlotAxes)
    elif not isinstance(ax, Axes):
        raise InvalidArgument(
            f"ax is matplotlib Axes, such as plt.gca(), not a {type(ax).__name__}"
        )
    despine(ax)
    return ax


def despine(ax: Axes) -> None:
    """Leave what carries meaning: two thin lines, small labels."""
    colour = text_color(ax)
    ax.spines[["top", "right"]].set_visible(False)
    for spine in ax.spines.values():
        spine.set_color(colour)
        spine.set_alpha(0.4)
    ax.tick_params(length=3, labelsize=TEXT, color=colour, labelcolor=colour, which="both")


def hide_axes(ax: Axes) -> None:
    """Hide lines and ticks; title and words stay."""
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])


def text_color(ax: Axes) -> str:
    """The colour of words that can be read on these axes."""
    for owner in (ax.patch, ax.figure.patch):
        red, green, blue, alpha = to_rgba(owner.get_facecolor())
        if owner.get_visible() and alpha > 0:
            return _DARK if 0.3 * red + 0.59 * green + 0.11 * blue > _MIDDLE else _LIGHT
    return _DARK


def background_color(ax: Axes) -> str:
    """The background that goes with the ink: what stands out from lines has an edge of it."""
    return _WHITE if text_color(ax) == _DARK else _DARK


def size_inches(ax: Axes) -> tuple[float, float]:
    """Width and height of what lies within the axes, as they are laid out now."""
    root = ax.figure.figure
    root.draw_without_rendering()
    box = ax.get_window_extent()
    return box.width / root.dpi, box.height / root.dpi


def title(ax: Axes, words: str, *, above: float = 0) -> None:
    """A heading at the left; `above` leaves points between for a legend."""
    ax.set_title(
        words, loc="left", fontsize=TITLE, fontweight="bold", color=text_color(ax), pad=8 + above
    )


def explain_below(ax: Axes, axis: str, *notes: str) -> None:
    """What the horizontal axis means and, under it, what there is to know."""
    wide = ax.figure.figure.get_size_inches()[0] - LABEL_INCHES
    if not isinstance(ax.figure, PlotFigure):
        wide = size_inches(ax)[0]
    letters = max(24, int(wide / _LETTER))
    lines = [
        textwrap.fill(words, letters, subsequent_indent="    ") for words in (axis, *notes) if words
    ]
    note = "\n".join(lines)
    ax.set_xlabel(note, loc="left", fontsize=TEXT, color=text_color(ax), linespacing=1.5)


def stack_panels(ax: Axes, heights: list[float], between: float) -> list[Axes]:
    """Axes one under the other within `ax`, of so many inches or, in given axes, as it fits."""
    if len(heights) == 1:
        return [ax]
    hide_axes(ax)
    gaps = between * (len(heights) - 1)
    if not isinstance(ax.figure, PlotFigure):
        room = max(size_inches(ax)[1] - gaps, sum(heights) / 10)
        heights = [room * height / sum(heights) for height in heights]
    whole = sum(heights) + gaps
    made, top = [], 1.0
    for height in heights:
        panel = ax.inset_axes((0, top - height / whole, 1, height / whole))
        panel.patch.set_alpha(0)
        despine(panel)
        made.append(panel)
        top -= (height + between) / whole
    return made


def legend(ax: Axes, handles: Any, columns: int = 3) -> None:
    """Above the axes, beneath the title."""
    ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=columns,
        frameon=False,
        fontsize=TEXT,
        labelcolor=text_color(ax),
        borderaxespad=0.2,
        handletextpad=0.5,
        columnspacing=1.6,
    )


def empty_plot(ax: Axes | None, why: str) -> Axes:
    """Axes that say in words that there is nothing to show."""
    ax = new_axes(ax, 1.4)
    hide_axes(ax)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.text(
        0.5,
        0.5,
        f"Nothing to show: {why}.",
        ha="center",
        va="center",
        wrap=True,
        fontsize=TEXT,
        color=text_color(ax),
    )
    return ax


def check_top(top: int | None) -> None:
    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise InvalidArgument(f"top is a whole number from 1 on, or None, not {top!r:.40}")


def rows_that_fit(ax: Axes | None, row: float, most: int) -> int:
    """How many rows of so many inches given axes hold; a sheet of our own grows up to `most`."""
    return most if ax is None else max(1, min(most, int(size_inches(ax)[1] / row)))
