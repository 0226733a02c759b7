"""plots.dose_response: the line of each outcome over the doses of a numeric factor."""

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from musicapi_nb import markup
from musicapi_nb.analysis.checks import ColumnKind, require
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plots import figure
from musicapi_nb.plots.text import outcome_text, shorten, to_drawable

_LABEL = "the table of dose_response (dose_response(frame, factor, ...))"
_MEANS = "the table of adjusted_means (adjusted_means(frame, factor, ...))"
_NUMBERS = (
    *("slope", "low", "high", "p_adjusted", "p_linear", "mean", "mean_dose"),
    *("lowest", "highest", "doses", "songs", "tasks"),
)
_MEANS_NUMBERS = ("mean", "low", "high")
_PANEL_INCHES, _GAP_INCHES = 1.8, 0.75
_MIN_PANEL_INCHES = 1.2
_MAX_OUTCOMES = 6
_MIN_P = 0.05  # of a slope that counts as a response
_SLOPES = ("low", "slope", "high")


@figure.plot
def dose_response(
    frame: Table, means: Table | None = None, *, top: int | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the table of `dose_response`, one panel for each outcome.

    The line is the estimated response, the band the interval of its slope; it is solid if the
    adjusted p of the slope is below 0.05, else dashed. `means`, the table of `adjusted_means` of
    the same factor and outcomes, adds the mean of each dose with its interval. Several outcomes are
    the `child_axes` of the result. `top` limits them to the first ones (default: 6, or as many as
    fit on the given axes); a note counts the others. BadFrame is raised if a column is missing or
    of another kind.
    """
    texts: dict[str, ColumnKind] = {"factor": "text", "outcome": "text"}
    frame = require(frame, {**texts, **dict.fromkeys(_NUMBERS, "number")}, _LABEL)
    if means is not None:
        texts = {"level": "text", "outcome": "text"}
        means = require(means, {**texts, **dict.fromkeys(_MEANS_NUMBERS, "number")}, _MEANS)
    if frame.empty:
        return figure.empty_plot(ax, "the table of dose_response has no rows")
    limit = figure.rows_that_fit(ax, _MIN_PANEL_INCHES + _GAP_INCHES, _MAX_OUTCOMES)
    visible = frame.head(top or limit)
    heights = [_PANEL_INCHES] * len(visible)
    ax = figure.new_axes(ax, sum(heights) + _GAP_INCHES * (len(visible) - 1) + 1.4)
    panels = figure.stack_panels(ax, heights, _GAP_INCHES)
    for panel, (_, row) in zip(panels, visible.iterrows(), strict=True):
        _draw_line(panel, row)
        if means is not None:
            _draw_means(panel, means[means["outcome"] == row["outcome"]])
        _note(panel, row)
    factor = to_drawable(visible["factor"].iloc[0])
    figure.title(panels[0], f"Response to {factor}")
    hidden = markup.plural(len(frame) - len(visible), "more outcome")
    figure.explain_below(
        panels[-1],
        factor,
        "band: interval of the slope; dashed: its adjusted p is not below 0.05",
        f"and {hidden} not drawn" if len(frame) > len(visible) else "",
    )
    return ax


def _draw_line(ax: Axes, row: pd.Series) -> None:
    doses = np.linspace(float(row["lowest"]), float(row["highest"]), 50)
    offsets = doses - float(row["mean_dose"])
    low, slope, high = (float(row["mean"]) + float(row[name]) * offsets for name in _SLOPES)
    if np.isfinite(slope).all():
        is_clear = row["p_adjusted"] < _MIN_P
        ax.plot(doses, slope, color=figure.BLUE, lw=2.2, ls="-" if is_clear else (0, (4, 2)))
    if np.isfinite(low).all() and np.isfinite(high).all():
        ends = np.minimum(low, high), np.maximum(low, high)
        ax.fill_between(doses, *ends, color=figure.BLUE, alpha=0.2, lw=0)
    ax.margins(0.06, 0.12)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    outcome = str(row["outcome"])
    if outcome == "duration" or outcome.endswith("_seconds"):
        ax.yaxis.set_major_formatter(lambda y, _: figure.format_mmss(y))
    ax.grid(color=figure.GREY, alpha=0.18, lw=0.7)
    style: dict[str, Any] = {"fontsize": figure.TEXT, "color": figure.text_color(ax)}
    ax.set_ylabel(shorten(outcome_text(outcome), 1.4, figure.TEXT), **style)


def _draw_means(ax: Axes, means: pd.DataFrame) -> None:
    doses = pd.to_numeric(means["level"], errors="coerce").to_numpy(float)
    figures = means[list(_MEANS_NUMBERS)].to_numpy(float)
    for dose, (mean, low, high) in zip(doses, figures, strict=True):
        if not math.isfinite(dose) or not math.isfinite(mean):
            continue
        if math.isfinite(low) and math.isfinite(high):
            ax.plot([dose, dose], [low, high], color=figure.text_color(ax), lw=1.4)
        edge: dict[str, Any] = {"mec": figure.background_color(ax), "mew": 0.8}
        ax.plot(dose, mean, "o", color=figure.text_color(ax), ms=6, **edge)


def _note(ax: Axes, row: pd.Series) -> None:
    low, slope, high = (float(row[name]) for name in _SLOPES)
    lines = ["no slope"]
    if math.isfinite(slope):
        p = float(row["p_adjusted"])
        lines = [
            f"{_signed(slope)} per unit",
            f"[{_signed(low)}, {_signed(high)}]",
            "p < 0.001" if p < 0.001 else f"p {p:.2g}",  # noqa: PLR2004 - the limit as written
        ]
        if row["p_linear"] < _MIN_P:
            lines.append("not a line")
    lines.append(markup.plural(row["tasks"], "task"))
    style = {"fontsize": figure.SMALL, "alpha": 0.75, "linespacing": 1.4, "clip_on": False}
    figure.write(ax, 1.02, 0.5, "\n".join(lines), transform=ax.transAxes, **style)


def _signed(value: float) -> str:
    if not math.isfinite(value):
        return "?" if math.isnan(value) else "\N{INFINITY}"
    return f"{value:+.3g}".replace("-", "\N{MINUS SIGN}")
