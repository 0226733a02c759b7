"""Axes of seconds, written as minutes and seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from musicapi_nb import markup
from musicapi_nb.plots import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_FEW_SECONDS = 6
_MOST_TICKS = 8


def seconds(ax: Axes, low: float, high: float) -> None:
    """Let the horizontal axis run from low to high seconds, with ticks at round times."""
    high = max(high, low + 1e-3)
    pad = 0.02 * (high - low)
    ax.set_xlim(low - pad, high + pad)
    ax.grid(axis="x", color=figure.GREY, alpha=0.18, lw=0.7)
    if high - low < _FEW_SECONDS:
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g} s"))
        return
    fitting = [step for step in _STEPS if (high - low) / step <= _MOST_TICKS]
    step = fitting[0] if fitting else (high - low) // (_MOST_TICKS * 86400) * 86400 + 86400
    ax.xaxis.set_major_locator(MultipleLocator(step))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: format_mmss(x)))


def format_mmss(value: float) -> str:
    """Seconds as m:ss; below zero too, where an axis begins a little before it."""
    return (
        markup.format_duration(value)
        if value >= 0
        else f"\N{MINUS SIGN}{markup.format_duration(-value)}"
    )
