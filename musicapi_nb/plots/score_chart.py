"""plots.preference: scores of a blind test, and each pair of levels, with intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from musicapi_nb import markup
from musicapi_nb.analysis.checks import require
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import percent, shorten_labels

_SCORES = "the table of scores (preference(...).scores)"
_PAIRS = "the table of pairs (preference(...).pairs)"
_NUMBERS = ("low", "high", "answers")
_MAX_ROWS = 24
_ROW_INCHES = 0.36
_GAP_INCHES = 0.95
_LEVEL_INCHES = 0.82  # of each level in the name of a pair
_CLEAR_P = 0.05
_MINUS = "\N{MINUS SIGN}"


@figure.plot
def preference(
    scores: Table, pairs: Table | None = None, *, top: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the results of a blind test: `preference(...).scores`, and `.pairs` in a second panel.

    Points are the estimates, lines their intervals. A score is relative to the mean of the levels.
    A pair is the difference of two scores; its point is filled if its adjusted p is below 0.05.
    `top` limits the levels to the best and the pairs to those with the smallest p (default: 24
    each, or as many as fit on the given axes); notes count the others. With both tables the panels
    are the `child_axes` of the result. BadFrame is raised if a column is missing or of another
    kind.
    """
    scores = require(
        scores, {"level": "text", **dict.fromkeys(("score", "tasks", *_NUMBERS), "number")}, _SCORES
    )
    if pairs is not None:
        names = ("difference", "share", "p_adjusted", *_NUMBERS)
        pairs = require(
            pairs,
            {**dict.fromkeys(("level", "versus"), "text"), **dict.fromkeys(names, "number")},
            _PAIRS,
        )
    if scores["score"].notna().sum() == 0:
        return figure.empty_plot(ax, "no answers compare two levels")
    pairs = None if pairs is None or pairs.empty else pairs
    best = scores.sort_values("score", ascending=False, kind="stable")
    limit = top or _rows_that_fit(ax, len(best), 0 if pairs is None else len(pairs))
    visible = best[:limit]
    clearest = None if pairs is None else _smallest_p(pairs, limit)
    heights = [len(rows) * _ROW_INCHES for rows in (visible, clearest) if rows is not None]
    ax = figure.new_axes(ax, sum(heights) + _GAP_INCHES * (len(heights) - 1) + 1.2)
    panels = figure.stack_panels(ax, heights, _GAP_INCHES)
    _draw_scores(panels[0], visible, len(best))
    if pairs is not None and clearest is not None:
        _draw_pairs(panels[1], clearest, len(pairs), list(best["level"]))
    return ax


def _rows_that_fit(ax: Axes | None, levels: int, pairs: int) -> int:
    """Return how many rows each panel may have on the given axes."""
    if ax is None:
        return _MAX_ROWS
    available = figure.size_inches(ax)[1] - (_GAP_INCHES if pairs else 0)
    fitting = [
        number
        for number in range(1, _MAX_ROWS + 1)
        if (min(levels, number) + min(pairs, number)) * _ROW_INCHES <= available
    ]
    return max(fitting, default=1)


def _smallest_p(pairs: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return the rows with the smallest p, in the table's order."""
    order = np.argsort(pairs["p_adjusted"].to_numpy("float64", na_value=math.nan), kind="stable")
    return pairs.iloc[np.sort(order[:number])]


def _draw_scores(ax: Axes, rows: pd.DataFrame, total: int) -> None:
    _begin(ax, [row_chart.level_text(level) for level in rows["level"]])
    for y, row in enumerate(rows.to_dict("records")):
        sizes = f"{markup.plural(row['answers'], 'answer')}, {markup.plural(row['tasks'], 'task')}"
        _draw_row(ax, y, (row["score"], row["low"], row["high"]), "", sizes, filled=True)
    note = f"; the best {len(rows)} of {total}" if total > len(rows) else ""
    figure.title(ax, "Preference")
    _finish(ax, "score in log-odds, 0 is the mean of all levels" + note)


def _draw_pairs(ax: Axes, rows: pd.DataFrame, total: int, levels: Sequence[Any]) -> None:
    texts = [row_chart.level_text(level) for level in dict.fromkeys((*levels, *rows["versus"]))]
    labels = dict(zip(texts, shorten_labels(texts, _LEVEL_INCHES, figure.TEXT), strict=True))
    _begin(ax, [_pair_name(labels, row) for row in rows.to_dict("records")])
    for y, row in enumerate(rows.to_dict("records")):
        p = float(row["p_adjusted"])
        share = "never compared" if pd.isna(row["share"]) else f"won {percent(row['share'])}"
        sizes = f"{share} of {markup.plural(row['answers'], 'answer')}"
        sizes = share if pd.isna(row["share"]) else sizes
        interval = (row["difference"], row["low"], row["high"])
        _draw_row(ax, y, interval, f", {_format_p(p)}", sizes, filled=p < _CLEAR_P)
    style: dict[str, Any] = {"color": figure.BLUE, "marker": "o", "lw": 2, "ms": 7, "mew": 1.6}
    clear = Line2D([], [], mfc=figure.BLUE, label="adjusted p below 0.05", **style)
    unclear = Line2D([], [], mfc=figure.background_color(ax), label="not below", **style)
    figure.legend(ax, [clear, unclear])
    hidden = total - len(rows)
    note = f"the pairs with the smallest p, and {markup.plural(hidden, 'more pair')} not drawn"
    label = "difference of scores; p is adjusted for the number of pairs"
    _finish(ax, label, note if hidden else "")


def _pair_name(labels: Mapping[str, str], row: Mapping[Any, Any]) -> str:
    better, worse = (labels[row_chart.level_text(row[name])] for name in ("level", "versus"))
    return f"{better} against {worse}"


def _begin(ax: Axes, names: Sequence[str]) -> None:
    row_chart.shade_rows(ax, len(names))
    ax.axvline(0, color=figure.text_color(ax), lw=1, alpha=0.6)
    row_chart.name_rows(ax, names)


def _draw_row(  # noqa: PLR0913 - what a row shows
    ax: Axes, y: float, interval: tuple[Any, Any, Any], p: str, sizes: str, *, filled: bool
) -> None:
    estimate, low, high = (math.nan if pd.isna(value) else float(value) for value in interval)
    if not math.isfinite(estimate):
        row_chart.write_beside(ax, y, f"no score\n{sizes}")
        return
    has_interval = math.isfinite(low) and math.isfinite(high)
    if has_interval:
        ax.plot([low, high], [y, y], color=figure.BLUE, lw=2, solid_capstyle="butt")
    fill = figure.BLUE if filled else figure.background_color(ax)
    ax.plot(estimate, y, "o", ms=7, color=figure.BLUE, mew=1.6, mec=figure.BLUE, mfc=fill)
    bounds = f"[{_signed(low)}, {_signed(high)}]" if has_interval else "no interval"
    row_chart.write_beside(
        ax, y, f"{_signed(estimate)} {bounds}{p if has_interval else ''}\n{sizes}"
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", _MINUS)


def _format_p(p: float) -> str:
    if math.isnan(p):
        return "no p"
    return "p < 0.001" if p < 0.001 else f"p {p:.2g}"  # noqa: PLR2004 - the limit as written


def _finish(ax: Axes, label: str, note: str = "") -> None:
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, -0.5), max(high, 0.5))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:+g}".replace("-", _MINUS) if x else "0")
    figure.grid(ax)
    figure.explain_below(ax, label, note)
