"""plots.upset: how many songs have exactly these tags, for the combinations that occur.

After Lex, Gehlenborg, Strobelt, Vuillemot and Pfister, "UpSet: Visualization of Intersecting Sets"
(IEEE Transactions on Visualization and Computer Graphics 20, 2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import labels, number_of, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

WHAT = "the series of exclusive sets (exclusive_sets(tags))"
_MOST_SETS = 20
_MOST_COMBINATIONS = 24
_ROW = 0.27
_COLUMN = 0.3
_DOTS_SHARE = 0.78  # of the width; the rest is for the bars of the tags
_BARS = 1.7
_BETWEEN = 0.12
_LONG = 1000


class Sets(NamedTuple):
    """What is drawn: combinations (columns) of tags (rows), the largest first."""

    tags: list[str]
    sizes: NDArray[np.int64]
    has: NDArray[np.bool_]
    songs: NDArray[np.int64]
    all_songs: int
    more_tags: int
    more_combinations: int
    more_songs: int


@figure.with_style
def upset(
    sets: pd.Series[int],
    *,
    top: int | None = None,
    top_sets: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the series of `exclusive_sets`: a bar for each combination of tags, dots for its tags.

    Combinations stand by their songs, tags by all songs that have them. `top` limits the
    combinations (24) and `top_sets` the tags (20, the most frequent): with fewer tags, songs
    that differ in the others alone are one combination. The picture says what was left out. Bars of
    combinations, dots, and bars of tags are the three `child_axes` of what is returned.

    Raises
    ------
    InvalidArgument
        It is no Series.
    BadFrame
        Its index has levels that are not True or False, or no names of their own; or its values
        are no numbers.
    """
    figure.check_top(top)
    figure.check_top(top_sets)
    has, songs = _checked(sets)
    if not songs.sum():
        return figure.empty_plot(ax, "no songs are counted in the exclusive sets")
    most, most_tags = _MOST_COMBINATIONS, _MOST_SETS
    if ax is not None:
        wide, high = figure.size_inches(ax)
        most = min(most, max(1, int(wide * _DOTS_SHARE / _COLUMN)))
        most_tags = min(most_tags, max(1, int(high / 2 / _ROW)))
    found = _found(has, songs, top or most, top_sets or most_tags)
    tall = _ROW * len(found.tags)
    ax = figure.new_axes(ax, tall + _BARS + 1.3, max(6.2, _COLUMN * len(found.songs) + 4.6))
    figure.hide_axes(ax)
    share = tall / (tall + _BARS + _BETWEEN)
    bars = ax.inset_axes((1 - _DOTS_SHARE, share + 0.03, _DOTS_SHARE, 0.97 - share))
    dots = ax.inset_axes((1 - _DOTS_SHARE, 0, _DOTS_SHARE, share))
    sizes = ax.inset_axes((0, 0, 0.2, share))
    for part in (bars, dots, sizes):
        part.patch.set_alpha(0)
        figure.despine(part)
    _draw_bars(bars, found)
    _draw_dots(dots, found)
    _draw_sizes(sizes, found)
    _explain(ax, bars, found)
    return ax


def _checked(sets: Any) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Which tags each combination has, a column each, and its songs."""
    if not isinstance(sets, pd.Series):
        raise InvalidArgument(f"{WHAT} is a {type(sets).__name__}, not a Series")
    if sets.notna().any() and not pd.api.types.is_numeric_dtype(sets):
        raise BadFrame(f"{WHAT} holds {sets.dtype}, not numbers of songs")
    names = [str(name) for name in sets.index.names]
    if None in sets.index.names or len(set(names)) < len(names):
        raise BadFrame(f"the index of {WHAT} needs a level for each tag, named after it")
    has = sets.index.to_frame(index=False)
    for name in has.columns:
        if len(has) and not pd.api.types.is_bool_dtype(has[name]):
            raise BadFrame(f"level {name!r} of {WHAT} is {has[name].dtype}, not True or False")
    return has, sets.fillna(0).to_numpy(np.int64)


def _found(has: pd.DataFrame, songs: NDArray[np.int64], most: int, most_tags: int) -> Sets:
    is_in = has.to_numpy(bool)
    sizes = songs @ is_in
    order = np.argsort(-sizes, kind="stable")
    chosen = order[:most_tags]
    kinds, kind_of = np.unique(is_in[:, chosen], axis=0, return_inverse=True)
    counted = np.zeros(len(kinds), np.int64)
    np.add.at(counted, kind_of.reshape(-1), songs)
    # between equals, fewer tags first, then the more frequent ones
    ranks = np.lexsort((*(~kinds.T)[::-1], kinds.sum(axis=1), -counted))
    ranks = ranks[counted[ranks] > 0]
    shown, rest = ranks[:most], ranks[most:]
    return Sets(
        [str(has.columns[at]) for at in chosen],
        sizes[chosen],
        kinds[shown],
        counted[shown],
        int(songs.sum()),
        len(order) - len(chosen),
        len(rest),
        int(counted[rest].sum()),
    )


def _draw_bars(ax: Axes, found: Sets) -> None:
    places = np.arange(len(found.songs))
    colours = [figure.BLUE if has.any() else figure.GREY for has in found.has]
    ax.bar(places, found.songs, width=0.62, color=colours)
    # long numbers are wider than their bars, and stand upright
    is_long = found.songs.max() >= _LONG
    for place, number in zip(places, found.songs, strict=True):
        ax.annotate(
            f"{number:,}",
            (place, number),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            rotation=90 if is_long else 0,
            fontsize=figure.SMALL,
            color=figure.text_color(ax),
        )
    ax.set(
        xlim=(-0.6, max(len(places), 6) - 0.4),
        xticks=[],
        ylim=(0, found.songs.max() * (1.35 if is_long else 1.12)),
    )
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.set_ylabel("songs", fontsize=figure.TEXT, color=figure.text_color(ax))
    ax.spines["bottom"].set_visible(False)


def _draw_dots(ax: Axes, found: Sets) -> None:
    tags, combinations = len(found.tags), len(found.songs)
    row_chart.shade_rows(ax, range(tags), 0.5)
    across, down = np.nonzero(np.ones((combinations, tags), bool))
    is_in = found.has[across, down]
    ax.plot(across[~is_in], down[~is_in], "o", ms=5.5, color=figure.GREY, alpha=0.25, mew=0)
    for at, has in enumerate(found.has):
        inside = np.nonzero(has)[0]
        if len(inside) > 1:
            ax.plot([at, at], [inside[0], inside[-1]], color=figure.text_color(ax), lw=1.6)
    ax.plot(across[is_in], down[is_in], "o", ms=7, color=figure.text_color(ax), mew=0)
    ax.set(xlim=(-0.6, max(combinations, 6) - 0.4), ylim=(tags - 0.5, -0.5), xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set_visible(False)


def _draw_sizes(ax: Axes, found: Sets) -> None:
    places = range(len(found.tags))
    row_chart.shade_rows(ax, places, 0.5)
    ax.barh(list(places), found.sizes, height=0.55, color=figure.SKY)
    row_chart.name_rows(ax, places, _counted(found), figure.LABEL_INCHES)
    ax.set(xlim=(0, max(found.sizes.max(), 1)), ylim=(len(places) - 0.5, -0.5), xticks=[])
    ax.spines["bottom"].set_visible(False)


def _counted(found: Sets) -> list[str]:
    names = labels(found.tags, 1.7, figure.TEXT)
    return [f"{name} ({size:,})" for name, size in zip(names, found.sizes, strict=True)]


def _explain(ax: Axes, bars: Axes, found: Sets) -> None:
    figure.title(bars, "Songs with exactly these tags")
    figure.explain_below(
        ax,
        f"{number_of(found.all_songs, 'song')}; (n): all songs with the tag",
        "no dot, grey bar: none of these tags" if not found.has.any(axis=1).all() else "",
        f"{number_of(found.more_combinations, 'more combination')} not drawn "
        f"({number_of(found.more_songs, 'song')}, {percent(found.more_songs / found.all_songs)})"
        if found.more_combinations
        else "",
        f"the {number_of(len(found.tags), 'most frequent tag')}; {found.more_tags:,} more "
        f"{'is' if found.more_tags == 1 else 'are'} not told apart"
        if found.more_tags
        else "",
    )
