"""plots.upset: the number of songs with exactly each combination of tags.

After Lex, Gehlenborg, Strobelt, Vuillemot and Pfister, "UpSet: Visualization of Intersecting Sets"
(IEEE Transactions on Visualization and Computer Graphics 20, 2014).
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from musicapi_nb import markup
from musicapi_nb.analysis.array_types import Flags, Ints
from musicapi_nb.analysis.checks import dtype_text
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import percent, shorten_labels

_LABEL = "the series of exclusive sets (exclusive_sets(tags))"
_MAX_TAGS = 20
_MAX_COMBINATIONS = 24
_ROW_INCHES, _COLUMN_INCHES = 0.27, 0.3
_MATRIX_SHARE = 0.78  # of the width; the rest is for the bars of tags
_BARS_INCHES, _GAP_INCHES = 1.7, 0.12
_LONG_NUMBER = 1000


class Sets(NamedTuple):
    """What is drawn: combinations (columns) of tags (rows), largest first."""

    tags: list[str]
    tag_songs: Ints
    has_tag: Flags
    songs: Ints
    total_songs: int
    hidden_tags: int
    hidden_combinations: int
    hidden_songs: int


@figure.plot
def upset(
    sets: pd.Series, *, top: int | None = None, top_sets: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the series of `exclusive_sets`: a bar for each combination, dots for its tags.

    Combinations and tags are ordered by the number of songs that have them. `top` limits the
    combinations (24) and `top_sets` the tags (20, the most frequent): songs that differ only in
    other tags become one combination. A note counts the omitted ones. The bars of combinations, the
    dots, and the bars of tags are the three `child_axes` of the result. BadFrame is raised if the
    index levels do not have distinct names or are not True and False, or if the values are not
    numbers.
    """
    has_tag, songs = _read_sets(sets)
    if not songs.sum():
        return figure.empty_plot(ax, "no songs are counted in the exclusive sets")
    max_combinations, max_tags = _MAX_COMBINATIONS, _MAX_TAGS
    if ax is not None:
        width, height = figure.size_inches(ax)
        columns = int(width * _MATRIX_SHARE / _COLUMN_INCHES)
        max_combinations = max(1, min(max_combinations, columns))
        max_tags = max(1, min(max_tags, int(height / 2 / _ROW_INCHES)))
    visible = _select(has_tag, songs, top or max_combinations, top_sets or max_tags)
    rows = _ROW_INCHES * len(visible.tags)
    width = max(6.2, _COLUMN_INCHES * len(visible.songs) + 4.6)
    ax = figure.new_axes(ax, rows + _BARS_INCHES + 1.3, width)
    figure.hide_axes(ax)
    share = rows / (rows + _BARS_INCHES + _GAP_INCHES)
    left = 1 - _MATRIX_SHARE
    bars = figure.inset(ax, (left, share + 0.03, _MATRIX_SHARE, 0.97 - share))
    _draw_bars(bars, visible)
    _draw_dots(figure.inset(ax, (left, 0, _MATRIX_SHARE, share)), visible)
    _draw_sizes(figure.inset(ax, (0, 0, 0.2, share)), visible)
    _explain(ax, bars, visible)
    return ax


def _read_sets(sets: Any) -> tuple[pd.DataFrame, Ints]:
    """Return the tags of each combination, one bool column each, and its songs."""
    if not isinstance(sets, pd.Series):
        raise InvalidArgument(f"{_LABEL} is a {type(sets).__name__}, not a Series")
    if not len(sets):  # the index may lack the levels of tags, then
        return pd.DataFrame(), np.zeros(0, dtype="int64")
    if sets.notna().any() and not pd.api.types.is_numeric_dtype(sets):
        raise BadFrame(f"{_LABEL} holds {dtype_text(sets)}, not numbers of songs")
    names = [str(name) for name in sets.index.names]
    if None in sets.index.names or len(set(names)) < len(names):
        raise BadFrame(f"the index of {_LABEL} needs a level for each tag, named after it")
    has_tag = sets.index.to_frame(index=False)
    for name in has_tag.columns:
        if len(has_tag) and not pd.api.types.is_bool_dtype(has_tag[name]):
            dtype = dtype_text(has_tag[name])
            raise BadFrame(f"level {name!r} of {_LABEL} is {dtype}, not True or False")
    return has_tag, sets.fillna(0).to_numpy(np.int64)


def _select(has_tag: pd.DataFrame, songs: Ints, max_combinations: int, max_tags: int) -> Sets:
    flags = has_tag.to_numpy(bool)
    tag_songs = songs @ flags
    order = np.argsort(-tag_songs, kind="stable")
    chosen = order[:max_tags]
    combinations, codes = np.unique(flags[:, chosen], axis=0, return_inverse=True)
    counts = np.bincount(codes, songs).astype(np.int64)
    # equal counts: fewer tags first, then the more frequent tags
    ranks = np.lexsort((*(~combinations.T)[::-1], combinations.sum(axis=1), -counts))
    ranks = ranks[counts[ranks] > 0]
    visible, hidden = ranks[:max_combinations], ranks[max_combinations:]
    tags = [str(has_tag.columns[index]) for index in chosen]
    numbers = len(order) - len(chosen), len(hidden), int(counts[hidden].sum())
    columns, total = combinations[visible], int(songs.sum())
    return Sets(tags, tag_songs[chosen], columns, counts[visible], total, *numbers)


def _draw_bars(ax: Axes, sets: Sets) -> None:
    x = np.arange(len(sets.songs))
    colors = [figure.BLUE if flags.any() else figure.GREY for flags in sets.has_tag]
    bars = ax.bar(x, sets.songs, width=0.62, color=colors)
    # long numbers are wider than their bars: write them vertically
    is_long = sets.songs.max() >= _LONG_NUMBER
    style: dict[str, Any] = {"rotation": 90 if is_long else 0, "color": figure.text_color(ax)}
    ax.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=figure.SMALL, **style)
    top = sets.songs.max() * (1.35 if is_long else 1.12)
    ax.set(xlim=(-0.6, max(len(x), 6) - 0.4), xticks=[], ylim=(0, top))
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.set_ylabel("songs", fontsize=figure.TEXT, color=figure.text_color(ax))
    ax.spines["bottom"].set_visible(False)


def _draw_dots(ax: Axes, sets: Sets) -> None:
    tags, combinations = len(sets.tags), len(sets.songs)
    row_chart.shade_rows(ax, tags)
    color = figure.text_color(ax)
    ax.plot(*np.nonzero(~sets.has_tag), "o", ms=5.5, color=figure.GREY, alpha=0.25, mew=0)
    for column, flags in enumerate(sets.has_tag):
        rows = np.nonzero(flags)[0]
        ax.plot([column] * len(rows), rows, color=color, lw=1.6)
    ax.plot(*np.nonzero(sets.has_tag), "o", ms=7, color=color, mew=0)
    figure.hide_axes(ax)
    ax.set(xlim=(-0.6, max(combinations, 6) - 0.4), ylim=(tags - 0.5, -0.5))


def _draw_sizes(ax: Axes, sets: Sets) -> None:
    row_chart.shade_rows(ax, len(sets.tags))
    ax.barh(range(len(sets.tags)), sets.tag_songs, height=0.55, color=figure.SKY)
    labels = shorten_labels(sets.tags, 1.7, figure.TEXT)
    numbered = zip(labels, sets.tag_songs, strict=True)
    row_chart.name_rows(ax, [f"{label} ({size:,})" for label, size in numbered])
    ax.set(xlim=(0, max(sets.tag_songs.max(), 1)), xticks=[])
    ax.spines["bottom"].set_visible(False)


def _explain(ax: Axes, bars: Axes, sets: Sets) -> None:
    figure.title(bars, "Songs with exactly these tags")
    notes = []
    if not sets.has_tag.any(axis=1).all():
        notes.append("no dot, grey bar: none of these tags")
    if sets.hidden_combinations:
        share = percent(sets.hidden_songs / sets.total_songs)
        hidden = markup.plural(sets.hidden_combinations, "more combination")
        notes.append(f"{hidden} not drawn ({markup.plural(sets.hidden_songs, 'song')}, {share})")
    if sets.hidden_tags:
        verb = "is" if sets.hidden_tags == 1 else "are"
        tags = markup.plural(len(sets.tags), "most frequent tag")
        notes.append(f"the {tags}; {sets.hidden_tags:,} more {verb} ignored")
    total = markup.plural(sets.total_songs, "song")
    figure.explain_below(ax, f"{total}; (n): all songs with the tag", *notes)
