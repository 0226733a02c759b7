"""Figures and axes of plots: size, style, text, legends and scales.

Plots are dark on white, also in a dark notebook: a saved picture cannot adapt to the theme it is
viewed in, and no single text colour is readable on both white and black. On axes passed by the
user, the text colour follows their background.

Colours: Okabe and Ito, "Color Universal Design" (2008), distinguishable with colour blindness.
"""

import functools
import io
import operator
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator
from matplotlib.transforms import ScaledTranslation

from musicapi_nb import markup
from musicapi_nb.analysis.checks import check_top
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.plots.text import fonts

GREEN, BLUE, RED, PURPLE = "#009E73", "#0072B2", "#D55E00", "#CC79A7"
ORANGE, SKY, GREY = "#E69F00", "#56B4E9", "#7f7f7f"

SMALL, TEXT, TITLE = 8.0, 9.0, 11.0
WIDTH = 7.6
LABEL_INCHES = 2.2
_AROUND_INCHES = 1.5  # for the title, the legend and the notes of a picture on given axes
_DARK, _LIGHT, _WHITE = "#1f2328", "#f0f2f4", "#ffffff"
_DPI = 100
_MIDDLE_LIGHTNESS = 0.5
_LETTER_INCHES = 0.075  # average width of a letter of size TEXT
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_MIN_MMSS_RANGE = 6  # seconds; below, ticks are seconds
_MAX_TIME_TICKS = 8

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class PlotAxes(Axes):
    """Axes that a notebook shows as a picture if they are a cell's last value.

    pyplot does not know them: nothing is shown twice, and they are freed with their last reference.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]] | None:
        return self.figure._repr_png_() if isinstance(self.figure, PlotFigure) else None


class PlotFigure(Figure):
    """The figure of a plot, shown by a notebook as well."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """Draw at twice the displayed size, for high-resolution screens."""
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=2 * _DPI)
        width, height = self.get_size_inches()
        return file.getvalue(), {"width": round(width * _DPI), "height": round(height * _DPI)}


def plot(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Check `top`; draw with matplotlib's defaults and our fonts, not with the user's settings."""

    @functools.wraps(function)
    def draw(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        for name in kwargs.keys() & {"top", "top_sets"}:
            check_top(kwargs[name], 1)
        style: dict[Any, Any] = {"font.family": list(fonts()), "text.parse_math": False}
        with matplotlib.style.context(style, after_reset=True):
            return function(*args, **kwargs)

    return draw


def new_axes(ax: Axes | None, height: float, width: float = WIDTH) -> Axes:
    """Return the given axes, or axes of a new figure of this size in inches."""
    if ax is None:
        figure = PlotFigure((width, height), dpi=_DPI, layout="constrained", facecolor=_WHITE)
        ax = figure.add_subplot(axes_class=PlotAxes)
    elif not isinstance(ax, Axes):
        raise InvalidArgument(f"ax must be Axes, such as plt.gca(), not {type(ax).__name__}")
    despine(ax)
    return ax


def despine(ax: Axes) -> None:
    """Reduce the frame to two thin lines with small tick labels."""
    color = text_color(ax)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[:].set_color(color)
    ax.spines[:].set_alpha(0.4)
    ax.tick_params(length=3, labelsize=TEXT, color=color, labelcolor=color, which="both")


def hide_axes(ax: Axes) -> None:
    """Hide the frame and the ticks; title and text stay."""
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])


def text_color(ax: Axes) -> str:
    """Return the text colour that is readable on these axes."""
    for owner in (ax.patch, ax.figure.patch):
        red, green, blue, alpha = to_rgba(owner.get_facecolor())
        if owner.get_visible() and alpha > 0:
            is_light = 0.3 * red + 0.59 * green + 0.11 * blue > _MIDDLE_LIGHTNESS
            return _DARK if is_light else _LIGHT
    return _DARK


def background_color(ax: Axes) -> str:
    """Return the background colour that goes with the text colour, such as for marker edges."""
    return _WHITE if text_color(ax) == _DARK else _DARK


def is_dark(ax: Axes) -> bool:
    """Return whether the background is dark, so that the text is light."""
    return text_color(ax) == _LIGHT


def ink_on(background: Any) -> str:
    """Return the dark or the light ink, whichever has the higher contrast on a colour (WCAG)."""
    return max(_DARK, _WHITE, key=lambda ink: _contrast(ink, background))


def _contrast(one: Any, other: Any) -> float:
    darker, lighter = sorted(map(_luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: Any) -> float:
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color))  # noqa: PLR2004 - sRGB
    return float(sum(map(operator.mul, (0.2126, 0.7152, 0.0722), linear)))


def size_inches(ax: Axes) -> tuple[float, float]:
    """Return the width and height of the area within the axes in the current layout."""
    root = ax.figure.figure
    root.draw_without_rendering()
    box = ax.get_window_extent()
    return box.width / root.dpi, box.height / root.dpi


def write(ax: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Write a text in the readable colour; `options` override those of `Axes.text`."""
    defaults = {"fontsize": TEXT, "color": text_color(ax), "va": "center"}
    ax.text(x, y, text, **{**defaults, **options})


def title(ax: Axes, text: str, *, above: float = 0) -> None:
    """Set the title at the left; `above` leaves room for a legend below it, in points."""
    style: dict[str, Any] = {"fontsize": TITLE, "fontweight": "bold", "color": text_color(ax)}
    ax.set_title(text, loc="left", pad=8 + above, **style)


def explain_below(ax: Axes, axis_label: str, *notes: str) -> None:
    """Write the label of the x axis and, below it, the notes that are not empty."""
    if isinstance(ax.figure, PlotFigure):
        width = ax.figure.get_size_inches()[0] - LABEL_INCHES
    else:
        width = size_inches(ax)[0]
    letters = max(24, int(width / _LETTER_INCHES))
    texts = filter(None, (axis_label, *notes))
    label = "\n".join(textwrap.fill(text, letters, subsequent_indent="    ") for text in texts)
    ax.set_xlabel(label, loc="left", fontsize=TEXT, color=text_color(ax), linespacing=1.5)


def panels_inches(ax: Axes) -> float:
    """Return the height that panels within given axes have beside the title and the notes."""
    return size_inches(ax)[1] - _AROUND_INCHES


def stack_panels(ax: Axes, heights: list[float], gap: float) -> list[Axes]:
    """Stack axes within `ax`, of these heights in inches, scaled to fit."""
    if len(heights) == 1:
        return [ax]
    hide_axes(ax)
    gaps = gap * (len(heights) - 1)
    if not isinstance(ax.figure, PlotFigure):
        available = max(panels_inches(ax) - gaps, sum(heights) / 10)
        heights = [available * height / sum(heights) for height in heights]
    total = sum(heights) + gaps
    panels, top = [], 1.0
    for height in heights:
        panels.append(inset(ax, (0, top - height / total, 1, height / total)))
        top -= (height + gap) / total
    return panels


def inset(ax: Axes, box: tuple[float, float, float, float]) -> Axes:
    """Return transparent axes within `ax`: left, bottom, width, height as shares of its area."""
    panel = ax.inset_axes(box)
    panel.patch.set_alpha(0)
    despine(panel)
    return panel


def legend(ax: Axes, handles: Any, columns: int = 3, *, above: float = 0) -> None:
    """Add a legend above the axes, below the title; `above` leaves room below it, in points."""
    raised = ax.transAxes + ScaledTranslation(0, above / 72, ax.figure.dpi_scale_trans)
    position: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1.0)}
    position["bbox_transform"] = raised
    spaces: dict[str, Any] = {"borderaxespad": 0.2, "handletextpad": 0.5, "columnspacing": 1.6}
    text: dict[str, Any] = {"fontsize": TEXT, "labelcolor": text_color(ax)}
    ax.legend(handles=handles, ncols=columns, frameon=False, **position, **spaces, **text)


def legend_columns(ax: Axes, entries: int, inches: float) -> int:
    """Return how many entries of this width fit beside each other; all on a new figure."""
    if isinstance(ax.figure, PlotFigure):
        return entries
    return max(1, min(entries, int(size_inches(ax)[0] / inches)))


def grid(ax: Axes) -> None:
    """Add thin vertical grid lines."""
    ax.grid(axis="x", color=GREY, alpha=0.18, lw=0.7)


def empty_plot(ax: Axes | None, reason: str) -> Axes:
    """Return axes with a text instead of a plot: there is nothing to show for this reason."""
    ax = new_axes(ax, 1.4)
    hide_axes(ax)
    style = {"ha": "center", "wrap": True, "transform": ax.transAxes}
    write(ax, 0.5, 0.5, f"Nothing to show: {reason}.", **style)
    return ax


def rows_that_fit(ax: Axes | None, row_inches: float, limit: int) -> int:
    """Return how many rows fit on the given axes; a new figure (None) grows to hold `limit`."""
    return limit if ax is None else max(1, min(limit, int(size_inches(ax)[1] / row_inches)))


def time_axis(ax: Axes, values: Sequence[float]) -> None:
    """Scale the x axis to values in seconds, with ticks at round times; it spans 1 s at least."""
    low, high = min(values), max(values)
    if high - low < 1:
        low = max((low + high) / 2 - 0.5, min(low, 0.0))
        high = low + 1
    pad = 0.02 * (high - low)
    ax.set_xlim(low - pad, high + pad)
    grid(ax)
    if high - low < _MIN_MMSS_RANGE:
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.xaxis.set_major_formatter("{x:g} s")
        return
    fitting = [step for step in _TIME_STEPS if (high - low) / step <= _MAX_TIME_TICKS]
    days = (high - low) // (_MAX_TIME_TICKS * 86400) + 1
    ax.xaxis.set_major_locator(MultipleLocator(fitting[0] if fitting else days * 86400))
    ax.xaxis.set_major_formatter(lambda x, _: format_mmss(x))


def format_mmss(seconds: float) -> str:
    """Format seconds as m:ss; an axis may begin below zero."""
    text = markup.format_duration(abs(seconds))
    return text if seconds >= 0 else f"\N{MINUS SIGN}{text}"
