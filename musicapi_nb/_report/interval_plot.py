"""Small plots of intervals as HTML boxes, which an untrusted notebook keeps, unlike SVG. No I/O."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from musicapi_nb.markup import EMPTY, Html
from musicapi_nb.markup.escape import element

_WIDTH, _HEIGHT = 92, 18  # pixels
_BAR, _DOT = 5, 9
_COLOR = "rgba(56,132,244,.85)"
_BAR_COLOR = "rgba(56,132,244,.5)"
_BAND_COLOR = "rgba(128,128,128,.22)"
_LINE_COLOR = "rgba(128,128,128,.85)"
_PADDING = 0.06  # of the axis, on each side


class Axis(NamedTuple):
    """The common axis of the plots of an outcome, in its units."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Return the place of a value in percent, within the axis."""
        span = self.high - self.low
        share = (value - self.low) / span
        return 100 * min(max(share, 0.0), 1.0)


def axis_of(values: Iterable[float], minimum: float = -math.inf, maximum: float = math.inf) -> Axis:
    """Return an axis of all finite values that does not go beyond `minimum` and `maximum`.

    If all are equal, it is one point.
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    padding = _PADDING * (high - low)
    return Axis(max(low - padding, minimum), min(high + padding, maximum))


def interval_plot(
    axis: Axis,
    estimate: float,
    bounds: tuple[float, float],
    *,
    reference: float | None = None,
    band: float = math.nan,
) -> Html:
    """Draw an estimate as a dot and its interval as a bar.

    `reference` is marked by a line; `band` is shaded to both sides of it. On an axis of one point
    there is nothing to draw.
    """
    if axis.low == axis.high:
        return EMPTY
    layers = []
    if reference is not None and math.isfinite(band):
        layers.append(_box(axis, reference - band, reference + band, _HEIGHT, _BAND_COLOR))
    if reference is not None:
        layers.append(_mark(axis, reference, 1, _HEIGHT, _LINE_COLOR))
    if all(map(math.isfinite, bounds)):
        layers.append(_box(axis, *bounds, _BAR, _BAR_COLOR))
    if math.isfinite(estimate):
        layers.append(_mark(axis, estimate, _DOT, _DOT, _COLOR))
    if not layers:
        return EMPTY
    rows = [_layer(layer, is_first=index == 0) for index, layer in enumerate(layers)]
    return element("div", *rows, style=f"width:{_WIDTH}px;height:{_HEIGHT}px;overflow:hidden")


def axis_labels(low: str, high: str) -> Html:
    """Return the ends of an axis as the head of a column of plots."""
    style = f"display:flex;justify-content:space-between;width:{_WIDTH}px"
    return element("div", element("span", low), element("span", high), style=style)


def _layer(content: Html, *, is_first: bool) -> Html:
    margin = "0" if is_first else f"-{_HEIGHT}px 0 0"
    return element("div", content, style=f"display:flex;height:{_HEIGHT}px;margin:{margin}")


def _box(axis: Axis, low: float, high: float, height: int, color: str) -> Html:
    left, right = axis.percent(low), axis.percent(high)
    return element(
        "div",
        style=f"flex:none;width:{max(right - left, 0.5):.1f}%;height:{height}px;"
        f"margin:{(_HEIGHT - height) // 2}px 0 0 {left:.1f}%;background:{color};"
        f"border-radius:{2 if height < _HEIGHT else 0}px",
    )


def _mark(axis: Axis, value: float, width: int, height: int, color: str) -> Html:
    """Draw a mark around a place: in a box without width, moved left by half of its own."""
    mark = element(
        "div",
        style=f"width:{width}px;height:{height}px;margin:0 0 0 -{width // 2}px;"
        f"background:{color};border-radius:{width if width > 1 else 0}px",
    )
    top = (_HEIGHT - height) // 2
    return element(
        "div", mark, style=f"flex:none;width:0;margin:{top}px 0 0 {axis.percent(value):.1f}%"
    )
