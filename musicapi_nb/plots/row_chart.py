"""Charts with one row for each level: their labels, their sample sizes, what did not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from musicapi_nb.errors import BadFrame
from musicapi_nb.plots import figure
from musicapi_nb.plots.text import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

JOINT = " \N{MIDDLE DOT} "
MISSING = "(missing)"


class Group(NamedTuple):
    """The rows of one level, or of one combination of levels."""

    name: str
    rows: pd.DataFrame


def groups(frame: pd.DataFrame, by: Sequence[str]) -> list[Group]:
    """Rows by level, in the order of the levels: a categorical's own, else as they come."""
    if not by:
        return [Group("all", frame)]
    # a missing level is a level too
    keys = list(by)
    found = frame.groupby(keys, sort=_is_ordered(frame, keys), dropna=False, observed=True)
    return [Group(JOINT.join(map(level, key)), rows) for key, rows in found]


def _is_ordered(frame: pd.DataFrame, by: Sequence[str]) -> bool:
    return all(isinstance(frame[name].dtype, pd.CategoricalDtype) for name in by)


def level(value: Any) -> str:
    is_missing = pd.api.types.is_scalar(value) and bool(pd.isna(value))
    return MISSING if is_missing else str(value)


def columns(by: str | Sequence[str] | None) -> list[str]:
    """Names of columns as they may be given: none, one, or several."""
    if by is None:
        return []
    return [by] if isinstance(by, str) else list(by)


def before(frame: pd.DataFrame, column: str, what: str) -> list[str]:
    """The columns that stand before one: by these the table was made."""
    found = [str(name) for name in frame.columns[: list(frame.columns).index(column)]]
    if not found:
        raise BadFrame(f"{what} has no column of levels before {column!r}")
    return found


def name_rows(ax: Axes, places: Sequence[float], names: Sequence[str], inches: float) -> None:
    """Write each row's name at its left."""
    shown = labels(names, inches, figure.TEXT)
    ax.set_yticks(list(places), shown, parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def write_beside(
    ax: Axes, place: float, words: str, *, at: float = 1.02, quiet: bool = True
) -> None:
    """Write a row's facts at its right."""
    ax.text(
        at,
        place,
        words,
        transform=ax.get_yaxis_transform(),
        va="center",
        fontsize=figure.SMALL,
        color=figure.text_color(ax),
        alpha=0.75 if quiet else 1,
        clip_on=False,
        linespacing=1.35,
    )


def shade_rows(ax: Axes, places: Sequence[float], half: float) -> None:
    """Shade every second row, so that the eye finds its way from the name to the facts."""
    for place in list(places)[1::2]:
        ax.axhspan(place - half, place + half, color=figure.GREY, alpha=0.07, lw=0, zorder=0)
