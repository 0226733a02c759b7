"""plots.cooccurrence: which tags come together, as a map of shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from musicapi_nb.analysis.checks import require
from musicapi_nb.plots import figure
from musicapi_nb.plots.text import labels, number_of, percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from musicapi_nb.analysis.checks import ColumnKind

    Floats = NDArray[np.float64]

WHAT = "the table of co-occurrence (cooccurrence(tags))"
_COLUMNS: Mapping[str, ColumnKind] = {
    "tag": "text",
    "other_tag": "text",
    "songs": "number",
    "tag_songs": "number",
    "other_songs": "number",
    "conditional": "number",
    "low": "number",
    "high": "number",
}
_MOST = 24
_MOST_WRITTEN = 9
# ColorBrewer's Blues (Harrower and Brewer 2003), safe for the colour-blind, without its near-white
# end: what has no row is blank.
_MAP = ListedColormap(colormaps["Blues"](np.linspace(0.1, 1, 256)))
_CELL = 0.27
_WIDE_CELL = 0.62
_MORE, _LESS = "\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}"


class Shares(NamedTuple):
    """The map's cells, a row for each tag: NaN where the table has no row."""

    tags: list[str]
    sizes: dict[str, int]
    conditional: Floats
    low: Floats
    high: Floats
    overall: Floats


@figure.with_style
def cooccurrence(frame: pd.DataFrame, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `cooccurrence` as a map.

    A cell is the share of the songs with the row's tag that have the column's tag too. Tags stand
    by how many songs have them. Up to nine tags, each share is written with its interval. A
    triangle marks a pair whose interval leaves out the column's share of all songs: up if they
    come together more often than that, down if less. A blank cell has no row in the table.
    `top` limits the tags: the 24 most frequent, or as many as fit on axes that are given; the
    picture says how many more there are.

    Raises
    ------
    BadFrame
        The table lacks a column, or has it in another kind.
    """
    figure.check_top(top)
    require(frame, _COLUMNS, WHAT)
    if frame.empty:
        return figure.empty_plot(ax, "no two tags come together in the table of co-occurrence")
    sizes = _sizes(frame)
    number = top or figure.rows_that_fit(ax, 0.2, _MOST)
    shares = _shares(frame, sizes, number)
    is_written = len(shares.tags) <= _MOST_WRITTEN and ax is None
    cell = _WIDE_CELL if is_written else _CELL
    side = cell * max(4, len(shares.tags))
    ax = figure.new_axes(ax, side * 0.8 + 3.0, side + 3.6)
    _draw(ax, shares)
    _mark(ax, shares, written=is_written)
    _explain(ax, shares, len(sizes), int(frame["songs"].max()), written=is_written)
    return ax


def _sizes(frame: pd.DataFrame) -> dict[str, int]:
    """Songs of each tag, the most frequent first, in the alphabet's order between equals."""
    found = dict(zip(frame["tag"], frame["tag_songs"], strict=True))
    found |= dict(zip(frame["other_tag"], frame["other_songs"], strict=True))
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _shares(frame: pd.DataFrame, sizes: dict[str, int], number: int) -> Shares:
    tags = list(sizes)[:number]
    at = {tag: place for place, tag in enumerate(tags)}
    rows = frame[frame["tag"].isin(at) & frame["other_tag"].isin(at)]
    down = rows["tag"].map(at).to_numpy(int)
    across = rows["other_tag"].map(at).to_numpy(int)

    def cells(column: str) -> Floats:
        made = np.full((len(tags), len(tags)), np.nan)
        made[down, across] = rows[column].to_numpy(float)
        return made

    overall = np.array([sizes[tag] for tag in tags]) / float(frame["songs"].max())
    return Shares(tags, sizes, cells("conditional"), cells("low"), cells("high"), overall)


def _draw(ax: Axes, shares: Shares) -> None:
    most = np.nanmax(shares.conditional, initial=0.0)
    image = ax.imshow(
        np.ma.masked_invalid(shares.conditional),
        cmap=_MAP,
        vmin=0,
        vmax=max(_step(most), 0.05),
        aspect="auto",
        interpolation="nearest",
    )
    number = len(shares.tags)
    for at in range(number):
        ax.add_patch(Rectangle((at - 0.5, at - 0.5), 1, 1, lw=0, fc=figure.GREY, alpha=0.15))
    names = labels(shares.tags, 1.9, figure.TEXT)
    counted = [
        f"{name} ({shares.sizes[tag]:,})" for name, tag in zip(names, shares.tags, strict=True)
    ]
    ax.set_yticks(range(number), counted, parse_math=False)
    ax.set_xticks(
        range(number), names, parse_math=False, rotation=45, ha="right", rotation_mode="anchor"
    )
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    scale = ax.inset_axes((1.03, 0, 0.025, 1))
    bar = ax.figure.colorbar(image, cax=scale, format=PercentFormatter(1, decimals=0, symbol=" %"))
    bar.outline.set_visible(False)
    scale.tick_params(length=0, labelsize=figure.SMALL, labelcolor=figure.text_color(ax))


def _step(share: float) -> float:
    """The next tenth: the scale ends at a round number."""
    return min(1.0, math.ceil(share * 10 - 1e-9) / 10)


def _mark(ax: Axes, shares: Shares, *, written: bool) -> None:
    top = ax.images[0].get_clim()[1] or 1.0
    above = shares.low > shares.overall
    is_below = shares.high < shares.overall
    for down, across in zip(*np.nonzero(np.isfinite(shares.conditional)), strict=True):
        share = float(shares.conditional[down, across])
        sign = _MORE if above[down, across] else _LESS if is_below[down, across] else ""
        words = sign
        if written:
            low, high = shares.low[down, across], shares.high[down, across]
            words = f"{percent(share)} {sign}".rstrip() + f"\n{100 * low:.0f} to {100 * high:.0f}"
        if words:
            # the map is dark from about half of its length on
            colour = "#ffffff" if share > 0.55 * top else "#1f2328"
            ax.text(
                across,
                down,
                words,
                ha="center",
                va="center",
                color=colour,
                fontsize=figure.SMALL if written else 6.5,
                linespacing=1.4,
            )


def _explain(ax: Axes, shares: Shares, tags: int, songs: int, *, written: bool) -> None:
    figure.title(ax, "Tags that come together")
    more = tags - len(shares.tags)
    figure.explain_below(
        ax,
        "",
        "colour: of the songs with the row's tag, the share that has the column's",
        "second line of a cell: its interval, in percent" if written else "",
        f"{_MORE} more often, {_LESS} less often than in all songs, beyond the interval",
        f"{number_of(songs, 'song')} in all; (n): songs with the tag; blank: no row in the table",
        f"the {len(shares.tags)} most frequent tags, and {number_of(more, 'more tag')} not drawn"
        if more
        else "",
    )
