"""Charts with one row for each level: their groups, row labels, notes and stripes."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from musicapi_nb import markup
from musicapi_nb.plots import figure
from musicapi_nb.plots.text import shorten_labels

SEPARATOR = " \N{MIDDLE DOT} "
MISSING = "(missing)"


class Group(NamedTuple):
    """The rows of one level, or of one combination of levels."""

    name: str
    rows: pd.DataFrame


def groups(frame: pd.DataFrame, by: Sequence[str]) -> list[Group]:
    """Group rows by level, categories in their order, other levels as they occur."""
    if not by:
        return [Group("all", frame)]
    is_ordered = all(isinstance(frame[name].dtype, pd.CategoricalDtype) for name in by)
    # a missing level is a level too
    grouped = frame.groupby(list(by), sort=is_ordered, dropna=False, observed=True)
    return [Group(SEPARATOR.join(map(level_text, key)), rows) for key, rows in grouped]


def level_text(value: Any) -> str:
    """Return a level as text."""
    is_missing = pd.api.types.is_scalar(value) and bool(pd.isna(value))
    return MISSING if is_missing else str(value)


def hidden_levels_note(total: int, visible: int) -> str:
    """Return a note about the levels that are not drawn, or an empty text."""
    hidden = markup.plural(total - visible, "more level")
    note = f"the first {markup.plural(visible, 'level')}, and {hidden} not drawn"
    return note if total > visible else ""


def left_out_note(number: int, noun: str, missing: str) -> str:
    """Return a note about rows without data, or an empty text."""
    return f"{markup.plural(number, noun)} without {missing} left out" if number else ""


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Write the name of each row at its left, from the top down."""
    labels = shorten_labels(names, figure.LABEL_INCHES, figure.TEXT)
    ax.set_yticks(range(len(labels)), labels, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(labels) - 0.5, -0.5)


def write_beside(ax: Axes, y: float, text: str) -> None:
    """Write a note at the right of a row."""
    options = {"fontsize": figure.SMALL, "alpha": 0.75, "clip_on": False, "linespacing": 1.35}
    figure.write(ax, 1.02, y, text, transform=ax.get_yaxis_transform(), **options)


def draw_interval(ax: Axes, y: float, figures: Sequence[float], color: str, marker: str) -> None:
    """Draw an estimate with its lower and upper bound; NaN values are left out."""
    estimate, low, high = figures
    if math.isfinite(low) and math.isfinite(high):
        ax.plot([low, high], [y, y], color=color, lw=2, solid_capstyle="butt")
    if math.isfinite(estimate):
        edge: dict[str, Any] = {"mec": figure.background_color(ax), "mew": 0.8}
        ax.plot(estimate, y, marker, color=color, ms=6.5, **edge)


def shade_rows(ax: Axes, rows: int, height: float = 1) -> None:
    """Shade every second row of this height, to guide the eye from its name to its note."""
    for row in range(1, rows, 2):
        low = row * height - 0.5
        ax.axhspan(low, low + height, color=figure.GREY, alpha=0.07, lw=0, zorder=0)
