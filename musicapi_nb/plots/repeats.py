"""plots.variance and plots.stability: how alike the songs of a task are."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from musicapi_nb import markup
from musicapi_nb.analysis.checks import require
from musicapi_nb.errors import BadFrame
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plots import figure, row_chart
from musicapi_nb.plots.text import outcome_text, to_drawable

_VARIANCE = "the table of variance (variance(frame, outcomes))"
_STABILITY = "the table of stability (stability(songs, tags, by=...))"
_VARIANCE_NUMBERS = (
    *("icc", "low", "high", "effective_songs", "effective_songs_low", "effective_songs_high"),
    *("tasks", "songs"),
)
_MEASURES = {
    "jaccard_within": (figure.BLUE, "o", "songs of the same task"),
    "jaccard_between": (figure.RED, "s", "songs of different tasks"),
}
_LIKENESS = ("likeness_within", "likeness_between")
_WITH_LIKENESS = {
    "jaccard_within": (figure.BLUE, "o", "tags: songs of the same task"),
    "jaccard_between": (figure.RED, "s", "tags: songs of different tasks"),
    "likeness_within": (figure.GREEN, "^", "sound: songs of the same task"),
    "likeness_between": (figure.ORANGE, "D", "sound: songs of different tasks"),
}
_STABILITY_NUMBERS = (
    *(f"{name}{end}" for name in _MEASURES for end in ("", "_low", "_high")),
    *("tasks", "songs", "common_tags"),
)
_MAX_ROWS = 24
_ROW_INCHES = 0.46
_OFFSET = 0.13
_LIKENESS_INCHES, _LIKENESS_OFFSET = 0.6, 0.09  # of rows with four lines


@figure.plot
def variance(frame: Table, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `variance`: the correlation of the songs of a task, for each outcome.

    Points are the correlations (`icc`), lines their intervals. At 0, songs of a task are as
    independent as those of different tasks; at 1, they are the same. The note beside a row says
    how many independent songs the songs of a task are worth. `top` limits the outcomes to the first
    ones (default: 24, or as many as fit on the given axes); a note counts the others. BadFrame is
    raised if a column is missing or of another kind.
    """
    frame = require(
        frame, {"outcome": "text", **dict.fromkeys(_VARIANCE_NUMBERS, "number")}, _VARIANCE
    )
    if frame.empty:
        return figure.empty_plot(ax, "the table of variance has no rows")
    visible = frame.head(top or _rows_that_fit(ax))
    ax = figure.new_axes(ax, 1.5 + _ROW_INCHES * len(visible))
    row_chart.shade_rows(ax, len(visible))
    for position in (0, 1):
        ax.axvline(position, color=figure.text_color(ax), lw=1, alpha=0.6)
    for y, (_, row) in enumerate(visible.iterrows()):
        figures = tuple(float(row[name]) for name in ("icc", "low", "high"))
        row_chart.draw_interval(ax, y, figures, figure.BLUE, "o")
        worth = [_songs_text(float(row[f"effective_songs{end}"])) for end in ("", "_low", "_high")]
        note = f"worth {worth[0]} songs [{worth[1]}, {worth[2]}]"
        note = note if math.isfinite(figures[0]) else "no estimate"
        row_chart.write_beside(ax, y, f"{note}\n{_sizes_text(row)}")
    row_chart.name_rows(ax, [outcome_text(name) for name in visible["outcome"]])
    lows = [low for low in (*visible["low"], *visible["icc"]) if math.isfinite(low)]
    ax.set_xlim(min(-0.05, *lows, 0.0) - 0.04, 1.05)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    figure.grid(ax)
    figure.title(ax, "Are the songs of a task independent?")
    hidden = markup.plural(len(frame) - len(visible), "more outcome")
    figure.explain_below(
        ax,
        "correlation of the songs of a task; lines are intervals",
        "0: as different as songs of different tasks; 1: the same",
        f"and {hidden} not drawn" if len(frame) > len(visible) else "",
    )
    return ax


@figure.plot
def stability(frame: Table, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `stability`: how similar songs are, prompt by prompt.

    Points are mean Jaccard indices (shared tags of all tags of two songs) and, if the table has it,
    the mean likeness of their sound; lines are intervals. `top` limits the prompts to the first
    ones (default: 24, or as many as fit on the given axes); a note counts the others. BadFrame is
    raised if a column is missing or of another kind.
    """
    frame = require(frame, dict.fromkeys(_STABILITY_NUMBERS, "number"), _STABILITY)
    by = frame.columns[: list(frame.columns).index("tasks")].astype(str).tolist()
    if not by:
        raise BadFrame(f"{_STABILITY} has no column of levels before 'tasks'")
    if frame.empty:
        return figure.empty_plot(ax, "the table of stability has no rows")
    has_likeness = {*_LIKENESS} <= {*frame.columns}
    measures = _WITH_LIKENESS if has_likeness else _MEASURES
    inches = _LIKENESS_INCHES if has_likeness else _ROW_INCHES
    step = _LIKENESS_OFFSET if has_likeness else _OFFSET
    visible = frame.head(top or _rows_that_fit(ax, inches))
    ax = figure.new_axes(ax, 1.8 + inches * len(visible))
    row_chart.shade_rows(ax, len(visible))
    names = []
    for y, (_, row) in enumerate(visible.iterrows()):
        names.append(row_chart.SEPARATOR.join(row_chart.level_text(row[name]) for name in by))
        for index, (name, (color, marker, _)) in enumerate(measures.items()):
            offset = step * (2 * index + 1 - len(measures))
            figures = tuple(float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
            row_chart.draw_interval(ax, y + offset, figures, color, marker)
        common = markup.plural(row["common_tags"], "tag") + " in every song"
        row_chart.write_beside(ax, y, f"{_sizes_text(row)}\n{common}")
    row_chart.name_rows(ax, names)
    ax.set_xlim(-0.02, 1.02)
    figure.grid(ax)
    lines = [
        Line2D([], [], color=color, marker=marker, lw=2, ms=6, label=meaning)
        for color, marker, meaning in measures.values()
    ]
    columns = min(2, figure.legend_columns(ax, len(lines), 2.6))
    figure.legend(ax, lines, columns)
    above = 3 + 13 * math.ceil(len(lines) / columns)
    subject = "songs" if has_likeness else "tags"
    figure.title(ax, f"Similarity of {subject} by {to_drawable(', '.join(by))}", above=above)
    note = row_chart.hidden_levels_note(len(frame), len(visible))
    figure.explain_below(
        ax,
        "shared of all tags of two songs (Jaccard index); lines are intervals",
        "sound: likeness of two songs" if has_likeness else "",
        note,
    )
    return ax


def _rows_that_fit(ax: Axes | None, row_inches: float = _ROW_INCHES) -> int:
    """Return how many rows fit between the title and the notes."""
    if ax is None:
        return _MAX_ROWS
    return max(1, min(_MAX_ROWS, int(figure.panels_inches(ax) / (row_inches * 0.8))))


def _songs_text(number: float) -> str:
    if math.isnan(number):
        return "?"
    return f"{number:.1f}" if math.isfinite(number) else "\N{INFINITY}"


def _sizes_text(row: pd.Series) -> str:
    return f"{markup.plural(row['tasks'], 'task')}, {markup.plural(row['songs'], 'song')}"
