"""plots.adherence: how much of what was asked came back, level by level."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from musicapi_nb.analysis.checks import require
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import counts, drawable, number_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WHAT = "the table of adherence (adherence(songs, tags, requested=..., by=...))"
_MOST = 24
_ROW = 0.52
_APART = 0.24


class Look(NamedTuple):
    """How a measure is drawn, and what it means."""

    colour: str
    marker: str
    means: str


_LOOKS = {
    "recall": Look(figure.BLUE, "o", "recall: of the asked tags, came back"),
    "precision": Look(figure.RED, "s", "precision: of the tags that came, were asked"),
    "jaccard": Look(figure.GREEN, "^", "Jaccard: shared of all"),
}


@figure.with_style
def adherence(frame: pd.DataFrame, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `adherence(..., by=...)`: a row for each level, in the table's order.

    Points are the estimates, lines their intervals, as the table has them (0 to 1). `top` limits
    the levels that are drawn (24, or as many as fit on axes that are given): the first ones; the
    picture says how many more there are.

    Raises
    ------
    BadFrame
        The table lacks a column, or has it in another kind; one row a song (`by=None`) is not
        what is drawn here.
    """
    figure.check_top(top)
    require(
        frame,
        {
            "measure": "text",
            "estimate": "number",
            "low": "number",
            "high": "number",
            "tasks": "number",
            "songs": "number",
        },
        WHAT,
    )
    by = row_chart.before(frame, "measure", WHAT)
    if frame.empty:
        return figure.empty_plot(ax, "the table of adherence has no rows")
    found = row_chart.groups(frame, by)
    shown = found[: top or figure.rows_that_fit(ax, _ROW * 0.8, _MOST)]
    ax = figure.new_axes(ax, 1.6 + _ROW * len(shown))
    row_chart.shade_rows(ax, range(len(shown)), 0.5)
    used = [name for name in _LOOKS if name in set(frame["measure"])]
    offsets = {name: _APART * (at - (len(used) - 1) / 2) for at, name in enumerate(used)}
    for place, group in enumerate(shown):
        _draw_level(ax, place, group.rows, offsets)
    row_chart.name_rows(ax, range(len(shown)), [group.name for group in shown], figure.LABEL_INCHES)
    ax.set(xlim=(-0.02, 1.02), ylim=(len(shown) - 0.5, -0.5))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    ax.grid(axis="x", color=figure.GREY, alpha=0.18, lw=0.7)
    figure.legend(ax, [_key(_LOOKS[name]) for name in used], columns=1)
    figure.title(
        ax, f"Adherence by {drawable(row_chart.JOINT.join(by))}", above=13.5 * len(used) + 2
    )
    more = len(found) - len(shown)
    figure.explain_below(
        ax,
        "share of tags; the line is the interval",
        f"the first {number_of(len(shown), 'level')}, and {number_of(more, 'more level')} not drawn"
        if more
        else "",
    )
    return ax


def _draw_level(ax: Axes, place: float, of_level: pd.DataFrame, offsets: dict[str, float]) -> None:
    numbers = of_level[["estimate", "low", "high"]].to_numpy(dtype=float, na_value=math.nan)
    for measure, (estimate, low, high) in zip(of_level["measure"], numbers, strict=True):
        look = _LOOKS.get(str(measure))
        if look is None:
            continue
        at = place + offsets[str(measure)]
        if not math.isfinite(estimate):
            ax.text(
                0,
                at,
                f"{measure}: not defined here",
                va="center",
                fontsize=figure.SMALL,
                color=figure.text_color(ax),
                alpha=0.75,
            )
            continue
        if math.isfinite(low) and math.isfinite(high):
            ax.plot([low, high], [at, at], color=look.colour, lw=2, solid_capstyle="butt")
        ax.plot(
            estimate,
            at,
            look.marker,
            color=look.colour,
            ms=6,
            mec=figure.background_color(ax),
            mew=0.8,
        )
    sizes = counts(("task", list(of_level["tasks"])), ("song", list(of_level["songs"])))
    row_chart.write_beside(ax, place, sizes.replace(", ", "\n"))


def _key(look: Look) -> Line2D:
    return Line2D([], [], color=look.colour, marker=look.marker, lw=2, ms=6, label=look.means)
