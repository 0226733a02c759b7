"""plots.sound_adherence: shares that follow the requested sound, and each song's tempo."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from musicapi_nb import markup
from musicapi_nb.analysis._sound_adherence import sound_adherence as measure_adherence
from musicapi_nb.analysis._sound_matches import sound_matches
from musicapi_nb.analysis.array_types import Floats
from musicapi_nb.analysis.sound_relations import TEMPO_TOLERANCE
from musicapi_nb.analysis.source_tables import Source
from musicapi_nb.plots import figure, row_chart

_MAX_ROWS = 24
_ROW_INCHES = 0.52
_GAP_INCHES = 1.05
_TEMPO_INCHES = 3.4
_MIN_TEMPO_INCHES = 1.5
_OFFSET = 0.13
_SPREAD = 0.02  # of the points of one request, on the logarithmic axis
_LINES = {"double": (2.0, "double"), "exact": (1.0, "as requested"), "half": (0.5, "half")}
_DOTS = {
    "exact": (figure.BLUE, "o", "within 4 %"),
    **dict.fromkeys(("half", "double"), (figure.ORANGE, "s", "half or double")),
    "": (figure.GREY, "^", "other"),
}
_SHARES = {
    "followed": ("low", "high", figure.BLUE, "o", -_OFFSET),
    "related": ("related_low", "related_high", figure.ORANGE, "s", _OFFSET),
}


@figure.plot
def sound_adherence(
    songs: Source,
    *,
    by: str | Sequence[str] | None = None,
    top: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how many songs have the sound that was requested, and the tempo of each.

    `songs` is a run, anything else that `sound_matches` accepts, or its table. The first panel has
    the table of `sound_adherence`: a row for each property, or for each combination of levels of
    `by` and property, in the table's order, with intervals; a short line marks the share that
    chance would reach. The second panel, if any song requested a tempo, has a point for each song,
    with lines at half the tempo, the requested one and double. The panels are the `child_axes` of
    the result. `top` limits the rows to the first ones (default: 24, or as many as fit on the given
    axes); a note counts the others. Errors are those of `sound_adherence`.
    """
    matches = sound_matches(songs)
    table = measure_adherence(matches, by=by)
    if table.empty:
        return figure.empty_plot(ax, "no songs")
    tempi = matches[matches["tempo_relation"].notna()]
    names = table.columns[: list(table.columns).index("property")].astype(str).tolist()
    limit = _rows_that_fit(ax, with_tempi=not tempi.empty)
    visible = table.head(top or limit)
    heights = [_ROW_INCHES * len(visible), *([_TEMPO_INCHES] if len(tempi) else [])]
    ax = figure.new_axes(ax, 1.5 + sum(heights) + _GAP_INCHES * (len(heights) - 1))
    panels = figure.stack_panels(ax, heights, _GAP_INCHES)
    _draw_shares(panels[0], visible, names, len(table))
    if len(tempi):
        _draw_tempi(panels[1], tempi)
    return ax


def _rows_that_fit(ax: Axes | None, *, with_tempi: bool) -> int:
    if ax is None:
        return _MAX_ROWS
    inches = figure.panels_inches(ax) - (_MIN_TEMPO_INCHES + _GAP_INCHES) * with_tempi
    return max(1, min(_MAX_ROWS, int(inches / (_ROW_INCHES * 0.8))))


def _draw_shares(ax: Axes, table: pd.DataFrame, by: Sequence[str], rows: int) -> None:
    row_chart.shade_rows(ax, len(table))
    names = []
    for y, (_, row) in enumerate(table.iterrows()):
        names.append(
            row_chart.SEPARATOR.join(row_chart.level_text(row[n]) for n in ["property", *by])
        )
        for name, (low, high, color, marker, offset) in _SHARES.items():
            figures = [float(row[column]) for column in (name, low, high)]
            row_chart.draw_interval(ax, y + offset, figures, color, marker)
        if math.isfinite(row["chance"]):
            ends = [y - 2.4 * _OFFSET, y + 2.4 * _OFFSET]
            ax.plot([row["chance"]] * 2, ends, color=figure.text_color(ax), lw=1.6, alpha=0.7)
        row_chart.write_beside(ax, y, _note(row))
    row_chart.name_rows(ax, names)
    ax.set_xlim(-0.02, 1.02)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    figure.grid(ax)
    ink = figure.text_color(ax)
    legend = [
        Line2D([], [], color=figure.BLUE, marker="o", lw=2, ms=6, label="as requested"),
        Line2D([], [], color=figure.ORANGE, marker="s", lw=2, ms=6, label="or nearly"),
        Line2D([], [], color=ink, marker="|", ls="", ms=9, mew=1.6, label="by chance"),
    ]
    figure.legend(ax, legend, figure.legend_columns(ax, len(legend), 1.4))
    columns = figure.legend_columns(ax, len(legend), 1.4)
    figure.title(ax, "Requested and measured sound", above=3 + 13.5 * math.ceil(3 / columns))
    hidden = markup.plural(rows - len(table), "more row")
    note = f"and {hidden} not drawn" if rows > len(table) else ""
    figure.explain_below(ax, "share of songs; lines are intervals", note)


def _note(row: pd.Series) -> str:
    """Return how many songs were compared and not, and by how much they are off."""
    songs = markup.plural(row["songs"], "song")
    unknown = f", {row['unknown']} unknown" if row["unknown"] else ""
    lines = [f"{songs}{unknown}"]
    if math.isfinite(row["deviation"]):
        lines.append(f"median {row['deviation']:.2g} {row['unit']} off")
    return "\n".join(lines)


def _draw_tempi(ax: Axes, songs: pd.DataFrame) -> None:
    requested = songs["requested_tempo"].to_numpy(float)
    measured = songs["measured_tempo"].to_numpy(float)
    relation = songs["tempo_relation"]
    ends = np.array([requested.min() / 1.08, requested.max() * 1.08])
    ink = figure.text_color(ax)
    tolerance = 1 + TEMPO_TOLERANCE
    ax.fill_between(ends, ends / tolerance, ends * tolerance, color=figure.BLUE, alpha=0.16, lw=0)
    for name, (ratio, label) in _LINES.items():
        ax.plot(ends, ratio * ends, color=ink, lw=1, alpha=0.6, ls="-" if name == "exact" else "--")
        options = {"fontsize": figure.SMALL, "alpha": 0.75, "clip_on": False}
        figure.write(ax, ends[1] * 1.01, ratio * ends[1], label, **options)
    style: dict[str, Any] = {"ls": "", "ms": 6, "alpha": 0.8, "mec": figure.background_color(ax)}
    handles = []
    # songs of one request stand side by side
    beside = requested * np.exp(_SPREAD * _centred_ranks(requested))
    for names in (["exact"], ["half", "double"], [""]):
        color, marker, label = _DOTS[names[0]]
        rows = relation.isin(names) if names != [""] else ~relation.isin(_DOTS)
        (dots,) = ax.plot(
            beside[rows], measured[rows], marker=marker, color=color, mew=0.6, **style
        )
        dots.set_label(f"{label}: {int(rows.sum())}")
        handles.append(dots)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(*ends)
    low, high = min(measured.min(), ends[0] / 2), max(measured.max(), ends[1] * 2)
    ax.set_ylim(low / 1.08, high * 1.08)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    ax.grid(color=figure.GREY, alpha=0.18, lw=0.7)
    text: dict[str, Any] = {"fontsize": figure.TEXT, "color": ink}
    ax.set_ylabel("measured, bpm", **text)
    figure.legend(ax, handles, figure.legend_columns(ax, len(handles), 1.5))
    figure.explain_below(ax, "requested tempo, bpm; each point is a song")


def _centred_ranks(values: Floats) -> Floats:
    """Return the place of each value among equal ones, from -1 to 1."""
    series = pd.Series(values)
    rank = series.groupby(series).cumcount()
    count = series.groupby(series).transform("size")
    return ((2 * rank - count + 1) / count).to_numpy(float)
