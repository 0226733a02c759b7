"""plots.cooccurrence: a heat map of the tags that occur together."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from musicapi_nb import markup
from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.analysis.checks import ColumnKind, require
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plots import figure
from musicapi_nb.plots.text import percent, shorten_labels

_LABEL = "the table of co-occurrence (cooccurrence(tags))"
_TEXTS = ("tag", "other_tag")
_NUMBERS = ("songs", "tag_songs", "other_songs", "joint_songs", "conditional", "low", "high")
_TESTED = ("lift", "p_adjusted")
_MARKED = 0.05  # the share of false marks that is accepted
_MAX_TAGS = 24
_MAX_TAGS_WITH_TEXT = 9
# ColorBrewer's Blues (Harrower and Brewer 2003), safe for colour blindness, without the near-white
# end: blank cells are pairs without a row.
# On dark axes it is reversed: shares of 0 are dark there, too, but lighter than blank cells.
_COLORMAP = ListedColormap(colormaps["Blues"](np.linspace(0.1, 1, 256)))
_DARK_COLORMAP = ListedColormap(colormaps["Blues_r"](np.linspace(0.08, 1, 256)))
_CELL_INCHES, _TEXT_CELL_INCHES = 0.27, 0.62
_ABOVE, _BELOW = "\N{BLACK UP-POINTING TRIANGLE}", "\N{BLACK DOWN-POINTING TRIANGLE}"


class Cells(NamedTuple):
    """Shares with their intervals, lift and p, (tags, tags) each, NaN for pairs without a row.

    `songs` counts those with each tag: (tags,).
    """

    songs: pd.Series
    conditional: Floats
    low: Floats
    high: Floats
    lift: Floats
    p_adjusted: Floats


@figure.plot
def cooccurrence(frame: Table, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `cooccurrence` as a heat map.

    A cell is the share of the songs with the row's tag that have the column's tag too. Tags that
    occur together stand together: they are ordered by average linkage of their Jaccard indices,
    with optimal order of the leaves (Bar-Joseph, Gifford and Jaakkola, Bioinformatics 17, 2001). Up
    to nine tags, each share is written with its interval. A triangle marks pairs with `p_adjusted`
    of at most 0.05: up if they occur together more often than independent tags, down if less. Blank
    cells have no row in the table. `top` limits the tags to the most frequent ones (default: 24, or
    as many as fit on the given axes); a note counts the others. BadFrame is raised if a column is
    missing or of another kind. It needs the extra `analysis` as well, to order the tags.
    """
    require_extra("analysis")
    columns: dict[str, ColumnKind] = dict.fromkeys(_TEXTS, "text")
    columns.update(dict.fromkeys((*_NUMBERS, *_TESTED), "number"))
    frame = require(frame, columns, _LABEL)
    if frame.empty:
        return figure.empty_plot(ax, "the table of co-occurrence has no pairs of tags")
    tag_songs = _count_songs(frame)
    top = top or figure.rows_that_fit(ax, 0.2, _MAX_TAGS)
    cells = _read_cells(frame, tag_songs.head(top))
    has_text = len(cells.songs) <= _MAX_TAGS_WITH_TEXT and ax is None
    cell_inches = _TEXT_CELL_INCHES if has_text else _CELL_INCHES
    side = cell_inches * max(4, len(cells.songs))
    ax = figure.new_axes(ax, side * 0.8 + 3.0, side + 3.6)
    _draw_map(ax, cells)
    _write_cells(ax, cells, has_text=has_text)
    _explain(ax, len(tag_songs), len(cells.songs), int(frame["songs"].max()), has_text=has_text)
    return ax


def _count_songs(frame: pd.DataFrame) -> pd.Series:
    """Return the songs of each tag, most frequent first, then alphabetically."""
    first, second = frame.set_index("tag")["tag_songs"], frame.set_index("other_tag")["other_songs"]
    counts: pd.Series = pd.concat([second, first]).groupby(level=0).first()
    return counts.sort_values(ascending=False, kind="stable")


def _read_cells(frame: pd.DataFrame, songs: pd.Series) -> Cells:
    def matrix(name: str) -> Floats:
        table = frame.pivot_table(name, "tag", "other_tag", aggfunc="last", observed=True)
        return table.reindex(index=songs.index, columns=songs.index).to_numpy(float)

    counts = songs.to_numpy(float)
    joint = np.nan_to_num(matrix("joint_songs"))
    songs = songs.iloc[_seriate(joint / np.maximum(counts[:, None] + counts - joint, 1.0))]
    return Cells(songs, *(matrix(name) for name in ("conditional", "low", "high", *_TESTED)))


def _seriate(similarity: Floats) -> list[int]:
    """Order rows so that similar ones are neighbours.

    `similarity` is symmetric, (rows, rows), from 0 to 1.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage  # noqa: PLC0415 - slow to load

    number = len(similarity)
    if number < 3:  # noqa: PLR2004 - all orders are equal
        return list(range(number))
    distances = 1 - similarity[np.triu_indices(number, 1)]
    order: list[int] = leaves_list(linkage(distances, "average", optimal_ordering=True)).tolist()
    # of the two directions, the one that starts with the more frequent tags
    return order if sum(order[: number // 2]) <= sum(order[-(number // 2) :]) else order[::-1]


def _draw_map(ax: Axes, cells: Cells) -> None:
    highest = float(np.nanmax(cells.conditional, initial=0.0))
    image = ax.imshow(
        np.ma.masked_invalid(cells.conditional),
        cmap=_DARK_COLORMAP if figure.is_dark(ax) else _COLORMAP,
        vmin=0,
        vmax=max(min(1.0, math.ceil(highest * 10 - 1e-9) / 10), 0.05),  # a round number
        aspect="auto",
        interpolation="nearest",
    )
    number = len(cells.songs)
    for index in range(number):
        corner = index - 0.5, index - 0.5
        # hatched, so that the diagonal does not look like a cell without a row
        style: dict[str, Any] = {"lw": 0, "fc": "none", "ec": figure.GREY, "hatch": "////"}
        ax.add_patch(Rectangle(corner, 1, 1, alpha=0.55, **style))
    labels = shorten_labels(map(str, cells.songs.index), 1.9, figure.TEXT)
    counted = [f"{label} ({count:,})" for label, count in zip(labels, cells.songs, strict=True)]
    ax.set_yticks(range(number), counted, parse_math=False)
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(number), labels, parse_math=False, **slanted)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    scale = ax.inset_axes((1.03, 0, 0.025, 1))
    percents = PercentFormatter(1, decimals=0, symbol=" %")
    ax.figure.colorbar(image, cax=scale, format=percents).outline.set_visible(False)
    scale.tick_params(length=0, labelsize=figure.SMALL, labelcolor=figure.text_color(ax))


def _write_cells(ax: Axes, cells: Cells, *, has_text: bool) -> None:
    top = ax.images[0].get_clim()[1] or 1.0
    is_marked = cells.p_adjusted <= _MARKED
    above, below = is_marked & (cells.lift > 1), is_marked & (cells.lift < 1)
    for row, column in zip(*np.nonzero(np.isfinite(cells.conditional)), strict=True):
        share = float(cells.conditional[row, column])
        sign = _ABOVE if above[row, column] else _BELOW if below[row, column] else ""
        text = sign
        if has_text:
            low, high = cells.low[row, column], cells.high[row, column]
            text = f"{percent(share)} {sign}".rstrip() + f"\n{100 * low:.0f} to {100 * high:.0f}"
        if text:
            color = figure.ink_on(ax.images[0].cmap(share / top))
            size = figure.SMALL if has_text else 6.5
            options = {"ha": "center", "color": color, "fontsize": size, "linespacing": 1.4}
            figure.write(ax, column, row, text, **options)


def _explain(ax: Axes, total: int, visible: int, songs: int, *, has_text: bool) -> None:
    figure.title(ax, "Tags that occur together")
    hidden = markup.plural(total - visible, "more tag")
    figure.explain_below(
        ax,
        "",
        "colour: of the songs with the row's tag, the share with the column's tag",
        "second line of a cell: its interval, in percent" if has_text else "",
        f"{_ABOVE} more often, {_BELOW} less often than independent tags (p_adjusted ≤ 0.05)",
        f"{markup.plural(songs, 'song')}; (n): songs with the tag; blank: no row in the table",
        f"the {visible} most frequent tags, and {hidden} not drawn" if total > visible else "",
    )
