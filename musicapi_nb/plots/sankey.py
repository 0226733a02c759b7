"""plots.substitutions: a Sankey diagram of how requested tags are rewritten, step by step."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.patches import Patch, PathPatch, Rectangle
from matplotlib.path import Path

from musicapi_nb import markup
from musicapi_nb.analysis.checks import require
from musicapi_nb.frames.arrow_tables import Table
from musicapi_nb.plots import figure
from musicapi_nb.plots.sankey_layout import ADDED, DROPPED, MORE, Flow, Node, Ribbon, flow
from musicapi_nb.plots.text import percent, shorten

_LABEL = "the table of substitutions (substitutions(steps, ...))"
_TEXTS = ("source", "target", "kind")
_NUMBERS = ("step", "count", "cases", "share", "low", "high")
_MAX_TAGS = 12
# inches
_NODE_GAP, _NODE_HEIGHT, _MIN_NODE_HEIGHT, _NODE_WIDTH = 0.21, 0.25, 0.012, 0.09
_PITCH, _MARGINS = 2.9, 3.2
_TEXT_OFFSET = 0.06
_MIN_SHARE_WIDTH, _MIN_SHARE_HEIGHT = 2.3, 0.12
_KINDS = {
    "kept": (figure.GREEN, "kept"),
    "rewritten": (figure.PURPLE, "rewritten"),
    "dropped": (figure.RED, "dropped"),
    "added": (figure.BLUE, "added"),
    "several": (figure.GREY, "several of these"),
}
_NODE_COLORS = {ADDED: figure.BLUE, DROPPED: figure.RED, MORE: figure.GREY}


@figure.plot
def substitutions(frame: Table, *, top: int | None = None, ax: Axes | None = None) -> Axes:
    """Draw the table of `substitutions` as a Sankey diagram, from the requested text to the tags.

    The thickness of a ribbon is its count; the table's share and interval are written on it if
    they fit. A tag that is higher than its outgoing ribbons was not rewritten again in some songs;
    the blue part below it is the tags that it added (rows "added" with a source). `top` limits the
    tags of a column to the most frequent ones (default: 12, or as many as fit on the given axes);
    the others are joined as "n more tags". BadFrame is raised if a column is missing or of
    another kind.
    """
    frame = require(
        frame, {**dict.fromkeys(_TEXTS, "text"), **dict.fromkeys(_NUMBERS, "number")}, _LABEL
    )
    if frame.empty or not (frame["count"] > 0).any():
        return figure.empty_plot(ax, "the table of substitutions has no rows")
    diagram = flow(frame, top or max(1, figure.rows_that_fit(ax, 0.34, _MAX_TAGS + 3) - 3))
    width = _PITCH * (len(diagram.columns) - 1)
    height = max(map(len, diagram.columns)) * (_NODE_GAP + _NODE_HEIGHT) + 0.6
    is_new = ax is None
    ax = figure.new_axes(ax, height + 1.3, width + _MARGINS)
    figure.hide_axes(ax)
    _explain(ax, diagram)
    width += _NODE_WIDTH
    if not is_new:
        width, available = figure.size_inches(ax)
        height = available - 0.2
    ax.set(xlim=(0, width), ylim=(height, -0.3))
    _draw(ax, diagram, width, height)
    return ax


def _draw(ax: Axes, diagram: Flow, width: float, height: float) -> None:
    pitch = (width - _NODE_WIDTH) / (len(diagram.columns) - 1)
    # the fullest column fits with a line of text for each node
    scale = min(
        max(height - len(column) * _NODE_GAP, 0.2) / max(sum(column.values()), 1e-9)
        for column in diagram.columns
    )
    tops = _node_tops(diagram, scale)
    _draw_ribbons(ax, diagram.ribbons, tops, scale, pitch)
    for index, column in enumerate(diagram.columns):
        side = {0: "first", len(diagram.columns) - 1: "last"}.get(index, "inner")
        x = pitch * index
        _write_heading(ax, x, diagram.first_step + index, side)
        # inner names leave room for the shares on ribbons
        name_width = max(0.4, pitch * 0.42) if side == "inner" else _MARGINS / 2 - 0.25
        for node, size in column.items():
            y, height = tops[index][node], max(size * scale, _MIN_NODE_HEIGHT)
            added = diagram.added[index].get(node, 0.0) * scale
            _draw_node(ax, node, (x, y, height), added)
            name = _node_name(node, diagram.hidden[index], name_width)
            text = f"{name} ({diagram.counts[index][node]:,.0f})"
            _write_name(ax, node, text, (x, y + height / 2), side)


def _node_tops(diagram: Flow, scale: float) -> list[dict[Node, float]]:
    """Return the top of each node of each column, in inches."""
    tops = []
    for column in diagram.columns:
        heights = (size * scale + _NODE_GAP for size in column.values())
        tops.append(dict(zip(column, accumulate(heights, initial=_NODE_GAP / 2), strict=False)))
    return tops


def _draw_ribbons(
    ax: Axes, ribbons: Sequence[Ribbon], tops: list[dict[Node, float]], scale: float, pitch: float
) -> None:
    """Stack the ribbons at both ends, in the order of their other ends; added tags come last."""

    def stack(side: Literal["source", "target"], order: Callable[[Ribbon], Any]) -> list[float]:
        free = [dict(column) for column in tops]
        ends = [0.0] * len(ribbons)
        for index in sorted(range(len(ribbons)), key=lambda index: order(ribbons[index])):
            column = free[ribbons[index].column + (side == "target")]
            node = getattr(ribbons[index], side)
            ends[index] = column[node]
            column[node] += ribbons[index].weight * scale
        return ends

    left = stack(
        "source", lambda ribbon: (ribbon.kind == "added", tops[ribbon.column + 1][ribbon.target])
    )
    right = stack("target", lambda ribbon: tops[ribbon.column][ribbon.source])
    for ribbon, y0, y1 in zip(ribbons, left, right, strict=True):
        x = pitch * ribbon.column + _NODE_WIDTH
        _draw_ribbon(ax, ribbon, (x, x + pitch - _NODE_WIDTH), (y0, y1), ribbon.weight * scale)


def _draw_ribbon(
    ax: Axes, ribbon: Ribbon, x: tuple[float, float], y: tuple[float, float], thickness: float
) -> None:
    (x0, x1), (y0, y1) = x, y
    middle = (x0 + x1) / 2
    upper = [(x0, y0), (middle, y0), (middle, y1), (x1, y1)]
    lower = [(x, y + thickness) for x, y in reversed(upper)]
    curve = [Path.CURVE4] * 3
    codes = [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY]
    color, _ = _KINDS.get(ribbon.kind, _KINDS["several"])
    shape = Path([*upper, *lower, (x0, y0)], codes)
    ax.add_patch(PathPatch(shape, fc=color, alpha=0.4, lw=0))
    fits = thickness >= _MIN_SHARE_HEIGHT and x1 - x0 >= _MIN_SHARE_WIDTH - _NODE_WIDTH
    if fits and math.isfinite(ribbon.share):
        text = percent(ribbon.share)
        if math.isfinite(ribbon.low) and math.isfinite(ribbon.high):
            text += f" [{100 * ribbon.low:.0f}, {100 * ribbon.high:.0f}]"
        style = {"ha": "right", "va": "center_baseline", "fontsize": figure.SMALL - 0.5}
        figure.write(ax, x1 - _TEXT_OFFSET, y1 + thickness / 2, text, **style)


def _node_name(node: Node, hidden: int, inches: float) -> str:
    names = {ADDED: "added", DROPPED: "dropped", MORE: markup.plural(hidden, "more tag")}
    return names.get(node) or shorten(node[1], inches, figure.TEXT)


def _draw_node(ax: Axes, node: Node, box: tuple[float, float, float], added: float) -> None:
    x, top, height = box
    color = _NODE_COLORS.get(node, figure.text_color(ax))
    bottom = top + height - added
    for y, part, fill in ((top, height, color), (bottom, added, figure.BLUE)):
        ax.add_patch(Rectangle((x, y), _NODE_WIDTH, part, fc=fill, lw=0, zorder=3))


def _write_name(ax: Axes, node: Node, text: str, position: tuple[float, float], side: str) -> None:
    x, y = position
    is_first = side == "first"
    # text over ribbons has a translucent background
    background = figure.background_color(ax)
    veil = {"fc": background, "alpha": 0.65, "lw": 0, "boxstyle": "square,pad=0.1"}
    figure.write(
        ax,
        x - _TEXT_OFFSET if is_first else x + _NODE_WIDTH + _TEXT_OFFSET,
        y,
        text,
        ha="right" if is_first else "left",
        va="center_baseline",
        zorder=4,
        clip_on=False,
        fontstyle="normal" if node[0] == "tag" else "italic",
        bbox=veil if side == "inner" else None,
    )


def _write_heading(ax: Axes, x: float, step: int, side: str) -> None:
    """Name a column: the source text of the table's next step."""
    names = {-1: "requested", 0: "as understood", 1: "after rewriting"}
    text = names.get(step, f"after rewriting {step}")
    is_first = side == "first"
    x += _NODE_WIDTH if is_first else _NODE_WIDTH + _TEXT_OFFSET
    style = {"ha": "right" if is_first else "left", "fontweight": "bold", "clip_on": False}
    figure.write(ax, x, -0.12, text, **style)


def _explain(ax: Axes, diagram: Flow) -> None:
    kinds = {ribbon.kind for ribbon in diagram.ribbons}
    handles = [
        Patch(fc=color, alpha=0.6, label=label)
        for kind, (color, label) in _KINDS.items()
        if kind in kinds
    ]
    has_inner_columns = len(diagram.columns) > 2  # noqa: PLR2004 - the first and the last
    figure.title(ax, "Substitutions of tags", above=18)
    figure.legend(ax, handles, columns=5)
    figure.explain_below(
        ax,
        "",
        "(n): occurrences; on a ribbon: its share [interval] in percent",
        "blue part of a tag: other tags that it added" if any(diagram.added) else "",
        "a tag without a ribbon: kept as it is" if has_inner_columns else "",
    )
