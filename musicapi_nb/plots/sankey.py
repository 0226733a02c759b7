"""plots.substitutions: what asked words became, from step to step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path

from musicapi_nb.analysis.checks import require
from musicapi_nb.plots import figure
from musicapi_nb.plots.sankey_layout import ADDED, DROPPED, MORE, flow
from musicapi_nb.plots.text import number_of, percent, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from musicapi_nb.analysis.checks import ColumnKind
    from musicapi_nb.plots.sankey_layout import Flow, Node, Ribbon

WHAT = "the table of substitutions (substitutions(steps, ...))"
_COLUMNS: Mapping[str, ColumnKind] = {
    "step": "number",
    "source": "text",
    "target": "text",
    "kind": "text",
    "count": "number",
    "cases": "number",
    "share": "number",
    "low": "number",
    "high": "number",
}
_MOST = 12
_GAP = 0.21
_UNIT_ROW = 0.25
_PITCH = 2.9
_BAR = 0.09
_ENDS = 3.2
_ROOM_FOR_SHARES = 2.3
_ROOM_FOR_WORDS = 0.12
_HAIR = 0.012
_LOOKS = {
    "kept": (figure.GREEN, "kept"),
    "rewritten": (figure.PURPLE, "rewritten"),
    "dropped": (figure.RED, "dropped"),
    "added": (figure.BLUE, "added"),
    "several": (figure.GREY, "several of these"),
}


class NodeBox(NamedTuple):
    """Where a node stands, in inches from the top left."""

    x: float
    top: float
    height: float


@figure.with_style
def substitutions(frame: pd.DataFrame, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `substitutions` as a flow: from what was asked over the steps to the tags.

    A ribbon is as thick as its count, and has the table's share and interval written on it where
    there is room. A tag that is thicker than what leaves it ended there in some songs; the blue
    part under it is tags that it brought along (rows "added" with a source).
    `top` limits the tags of a column: the 12 most frequent, or as many as fit on axes that are
    given; the others stand together as "n more tags".

    Raises
    ------
    BadFrame
        The table lacks a column, or has it in another kind.
    """
    figure.check_top(top)
    require(frame, _COLUMNS, WHAT)
    if frame.empty or not (frame["count"] > 0).any():
        return figure.empty_plot(ax, "the table of substitutions has no rows")
    found = flow(frame, top or max(1, figure.rows_that_fit(ax, 0.34, _MOST + 3) - 3))
    longest = max(map(len, found.columns))
    own = ax is None
    tall = longest * (_GAP + _UNIT_ROW) + 0.6
    ax = figure.new_axes(ax, tall + 1.3, _PITCH * (len(found.columns) - 1) + _ENDS)
    figure.hide_axes(ax)
    _explain(ax, found)
    if own:
        wide = _PITCH * (len(found.columns) - 1) + _BAR
    else:
        wide, tall = figure.size_inches(ax)
        tall -= 0.2
    ax.set(xlim=(0, wide), ylim=(tall, -0.3))
    _draw(ax, found, wide, tall)
    return ax


def _draw(ax: Axes, found: Flow, wide: float, tall: float) -> None:
    pitch = (wide - _BAR) / (len(found.columns) - 1)
    scale = _scale(found, tall)
    spots = _spots(found, pitch, scale)
    for ribbon, left, right, thick in _ribbon_paths(found, spots, scale):
        _draw_ribbon(
            ax,
            ribbon,
            (pitch * ribbon.column + _BAR, left),
            (pitch * (ribbon.column + 1), right),
            thick,
        )
    for at, column in enumerate(found.columns):
        _head(ax, pitch * at, _heading(found.first_step + at), _side(at, found))
        for node in column:
            brought = found.brought[at].get(node, 0.0)
            words = _name(node, found.more[at], _room(at, found, pitch))
            name = f"{words} ({found.counts[at][node]:,.0f})"
            spot = spots[at][node]
            _draw_node(ax, node, name, spot, _side(at, found))
            low = Rectangle(
                (spot.x, spot.top + spot.height - brought * scale),
                _BAR,
                brought * scale,
                fc=figure.BLUE,
                lw=0,
                zorder=3,
            )
            ax.add_patch(low)


def _scale(found: Flow, tall: float) -> float:
    """Inches a time, so that the fullest column fits with a line of words for each node."""
    return min(
        max(tall - len(column) * _GAP, 0.2) / max(sum(column.values()), 1e-9)
        for column in found.columns
    )


def _spots(found: Flow, pitch: float, scale: float) -> list[dict[Node, NodeBox]]:
    made = []
    for at, column in enumerate(found.columns):
        y = _GAP / 2
        spots = {}
        for node, size in column.items():
            spots[node] = NodeBox(pitch * at, y, max(size * scale, _HAIR))
            y += size * scale + _GAP
        made.append(spots)
    return made


def _ribbon_paths(
    found: Flow, spots: list[dict[Node, NodeBox]], scale: float
) -> list[tuple[Ribbon, float, float, float]]:
    """Each ribbon with its top at its left and right end, and its thickness, in inches."""
    starts: dict[tuple[Ribbon, str], float] = {}
    for side in ("source", "target"):
        used: dict[tuple[int, Node], float] = {}
        for ribbon in sorted(found.ribbons, key=lambda one: _rank(one, side, spots)):
            ahead = 0 if side == "source" else 1
            node = getattr(ribbon, side)
            key = (ribbon.column + ahead, node)
            y = used.get(key, spots[key[0]][node].top)
            starts[ribbon, side] = y
            used[key] = y + ribbon.times * scale
    return [
        (ribbon, starts[ribbon, "source"], starts[ribbon, "target"], ribbon.times * scale)
        for ribbon in found.ribbons
    ]


def _rank(ribbon: Ribbon, side: str, spots: list[dict[Node, NodeBox]]) -> tuple[bool, float]:
    """At each end, ribbons leave in the order of where they go; what a tag brought comes last."""
    if side == "source":
        return ribbon.kind == "added", spots[ribbon.column + 1][ribbon.target].top
    return False, spots[ribbon.column][ribbon.source].top


def _draw_ribbon(
    ax: Axes, ribbon: Ribbon, left: tuple[float, float], right: tuple[float, float], thick: float
) -> None:
    (x0, y0), (x1, y1) = left, right
    middle = (x0 + x1) / 2
    outline = [
        (x0, y0),
        (middle, y0),
        (middle, y1),
        (x1, y1),
        (x1, y1 + thick),
        (middle, y1 + thick),
        (middle, y0 + thick),
        (x0, y0 + thick),
        (x0, y0),
    ]
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    colour, _ = _LOOKS.get(ribbon.kind, _LOOKS["several"])
    ax.add_patch(PathPatch(Path(outline, codes), fc=colour, alpha=0.4, lw=0))
    if (
        thick >= _ROOM_FOR_WORDS
        and x1 - x0 >= _ROOM_FOR_SHARES - _BAR
        and math.isfinite(ribbon.share)
    ):
        words = f"{percent(ribbon.share)}"
        if math.isfinite(ribbon.low) and math.isfinite(ribbon.high):
            words += f" [{100 * ribbon.low:.0f}, {100 * ribbon.high:.0f}]"
        ax.text(
            x1 - 0.06,
            y1 + thick / 2,
            words,
            ha="right",
            va="center_baseline",
            fontsize=figure.SMALL - 0.5,
            color=figure.text_color(ax),
        )


def _side(at: int, found: Flow) -> str:
    return {0: "first", len(found.columns) - 1: "last"}.get(at, "inner")


def _room(at: int, found: Flow, pitch: float) -> float:
    """Inches for a node's name: an inner one must leave room for the shares on ribbons."""
    return max(0.4, pitch * 0.42) if _side(at, found) == "inner" else _ENDS / 2 - 0.25


def _name(node: Node, more: int, inches: float) -> str:
    words = {ADDED: "added", DROPPED: "dropped", MORE: number_of(more, "more tag")}
    return words.get(node) or shortened(node[1], inches, figure.TEXT)


def _draw_node(ax: Axes, node: Node, name: str, spot: NodeBox, side: str) -> None:
    colour = {ADDED: figure.BLUE, DROPPED: figure.RED, MORE: figure.GREY}.get(
        node, figure.text_color(ax)
    )
    ax.add_patch(Rectangle((spot.x, spot.top), _BAR, spot.height, fc=colour, lw=0, zorder=3))
    x = spot.x - 0.06 if side == "first" else spot.x + _BAR + 0.06
    # a name over ribbons stands on a veil
    veil = {"fc": figure.background_color(ax), "alpha": 0.65, "lw": 0, "boxstyle": "square,pad=0.1"}
    ax.text(
        x,
        spot.top + spot.height / 2,
        name,
        ha="right" if side == "first" else "left",
        va="center_baseline",
        fontsize=figure.TEXT,
        color=figure.text_color(ax),
        zorder=4,
        clip_on=False,
        fontstyle="normal" if node[0] == "tag" else "italic",
        bbox=veil if side == "inner" else None,
    )


def _heading(step: int) -> str:
    """What stands before a step of the table, which counts from 0."""
    return {-1: "asked", 0: "first read"}.get(step, f"after step {step - 1}")


def _head(ax: Axes, x: float, words: str, side: str) -> None:
    is_first = side == "first"
    ax.text(
        x + (_BAR if is_first else _BAR + 0.06),
        -0.12,
        words,
        va="center",
        ha="right" if is_first else "left",
        fontsize=figure.TEXT,
        fontweight="bold",
        color=figure.text_color(ax),
        clip_on=False,
    )


def _explain(ax: Axes, found: Flow) -> None:
    kinds = {ribbon.kind for ribbon in found.ribbons}
    used = [look for kind, look in _LOOKS.items() if kind in kinds]
    keys = [Patch(fc=colour, alpha=0.6, label=words) for colour, words in used]
    is_chain = any(_side(at, found) == "inner" for at in range(len(found.columns)))
    figure.title(ax, "What became of the words", above=18)
    figure.legend(ax, keys, columns=5)
    figure.explain_below(
        ax,
        "",
        "(n): how often; on a ribbon: its share [interval] in percent",
        "blue part of a tag: others that it brought with it" if any(found.brought) else "",
        "what ends without a ribbon was not rewritten again" if is_chain else "",
    )
