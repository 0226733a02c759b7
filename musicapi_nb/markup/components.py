"""Small blocks: words for figures, badges, chips, notices, bars, folded text and tables."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Literal, TypeAlias

from musicapi_nb.markup.escape import EMPTY, MUTED, TITLE_LIMIT, Html, element, is_blank, join, text

Tone: TypeAlias = Literal["neutral", "good", "info", "warn", "bad"]
TagMark: TypeAlias = Literal["plain", "kept", "added", "dropped"]
Cell: TypeAlias = str | float | datetime | None


TAG_LIMIT: Final = 60
TAGS_LIMIT: Final = 40
LYRICS_LIMIT: Final = 20_000

LINE: Final = "rgba(128,128,128,.28)"
SURFACE: Final = "rgba(128,128,128,.10)"
_INK: Final[dict[Tone, str]] = {
    "neutral": "128,128,128",
    "good": "46,160,67",
    "info": "56,132,244",
    "warn": "210,153,34",
    "bad": "219,68,68",
}
_TAG_MARKS: Final[dict[TagMark, tuple[str, Tone]]] = {
    "plain": ("", "neutral"),
    "kept": ("✓", "good"),
    "added": ("+", "info"),
    "dropped": ("\u2212", "bad"),  # the minus sign, as wide as the plus
}
_MONTHS: Final = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
]
# word-wrap, not overflow-wrap or word-break:break-word: the sanitiser is known to keep this one.
WRAP: Final = "word-wrap:break-word;min-width:0"
# The sanitiser drops this one; then the figures of a proportional font merely do not line up.
_FIGURES: Final = "font-variant-numeric:tabular-nums"

_TWO_DECIMALS_SAY_LITTLE: Final = 0.1
_SHORT_FACT: Final = 24


def format_duration(seconds: float | None) -> str:
    """Say a number of seconds as ``2:11`` or ``1:02:11``; nothing if missing or not a duration."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return ""
    whole, second = divmod(round(seconds), 60)
    hour, minute = divmod(whole, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def format_datetime(when: datetime | None) -> str:
    """Say an instant as ``22 Nov 2024, 01:48``, on the clock that it carries."""
    if when is None:
        return ""
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}, {when.hour:02}:{when.minute:02}"


def format_credits(amount: float | None) -> str:
    """Say a number of credits; a price that is not known is said so, and is never 0."""
    if amount is None or not math.isfinite(amount):
        return "credits unknown"
    return f"{_figure(amount)} credit{'' if amount == 1 else 's'}"


def _figure(value: float) -> str:
    if isinstance(value, int) or value == round(value):
        return f"{value:,.0f}"
    if abs(value) < _TWO_DECIMALS_SAY_LITTLE:
        return f"{value:.2g}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def facts(*parts: str | None) -> Html:
    """Put short facts on one line, parted by middle dots; missing ones are left out.

    A line too narrow for them is broken between facts, not inside a short one.
    """
    shown = (text(part, TITLE_LIMIT) for part in parts if part and not is_blank(part))
    whole = (
        element("span", part, style="white-space:nowrap") if len(part) <= _SHORT_FACT else part
        for part in shown
    )
    return join(*whole, separator=" · ")


def caption(*parts: str | None) -> Html:
    """Put short facts on a quiet line of their own, below what they are about."""
    words = facts(*parts)
    return element("div", words, style=f"font-size:12.5px;{MUTED};{WRAP}") if words else EMPTY


def badge(label: str, tone: Tone = "neutral") -> Html:
    """Show one word or two about a state; the tone only underlines what the words say."""
    ink = _INK[tone]
    return element(
        "span",
        text(label, TAG_LIMIT),
        style="display:inline-block;max-width:100%;box-sizing:border-box;padding:1px 7px;"
        f"font-size:11px;line-height:16px;border:1px solid rgba({ink},.5);border-radius:5px;"
        f"background:rgba({ink},.14);{WRAP}",
    )


def chip(label: str, fate: TagMark = "plain") -> Html:
    """Show one tag; what became of it is told by a sign and a tooltip besides the colour."""
    sign, tone = _TAG_MARKS[fate]
    shown = text("(blank)" if is_blank(label) else label, TAG_LIMIT)
    if fate == "dropped":
        shown = element("span", shown, style="text-decoration:line-through")
    surface = f"rgba({_INK[tone]},{'.10' if fate == 'plain' else '.17'})"
    named = {} if fate == "plain" else {"title": fate}
    return element(
        "span",
        Html(f"{sign} " if sign else ""),
        shown,
        style="display:inline-block;max-width:100%;box-sizing:border-box;padding:2px 9px;"
        f"font-size:12.5px;line-height:17px;border-radius:11px;background:{surface};{WRAP}",
        **named,
    )


def chips(tags: Iterable[str | tuple[str, TagMark]]) -> Html:
    """Show tags in their order; a line below explains the signs that occur."""
    pairs: list[tuple[str, TagMark]] = [
        (tag, "plain") if isinstance(tag, str) else tag for tag in tags
    ]
    if not pairs:
        return EMPTY
    shown = [chip(label, fate) for label, fate in pairs[:TAGS_LIMIT]]
    if len(pairs) > TAGS_LIMIT:
        more = f"and {len(pairs) - TAGS_LIMIT:,} more"
        shown.append(element("span", more, style=f"padding:2px 4px;font-size:12.5px;{MUTED}"))
    row = element("div", *shown, style=f"display:flex;flex-wrap:wrap;gap:5px;{WRAP}")
    present = {fate for _, fate in pairs}
    legend = [
        f"{sign} {fate}" for fate, (sign, _) in _TAG_MARKS.items() if sign and fate in present
    ]
    if not legend:
        return row
    words = element("div", facts(*legend), style=f"margin:4px 0 0;font-size:11px;{MUTED}")
    return element("div", row, words)


def notice(message: str, tone: Tone = "info") -> Html:
    """Show whole sentences that a person can act on; line breaks are kept."""
    ink = _INK[tone]
    return element(
        "div",
        text(message),
        style=f"padding:8px 12px;font-size:12.5px;line-height:1.5;white-space:pre-line;"
        f"border-left:3px solid rgba({ink},.85);border-radius:3px 8px 8px 3px;"
        f"background:rgba({ink},.10);{WRAP}",
    )


def progress(fraction: float | None, label: str = "") -> Html:
    """Show how far something has come (0 to 1) as it was when shown; None where nobody knows."""
    known = fraction is not None and math.isfinite(fraction)
    share = min(max(fraction or 0.0, 0.0), 1.0) if known else 0.0
    edge = "solid rgba(128,128,128,0)" if known else f"dashed rgba({_INK['info']},.6)"
    fill = f"width:{share:.1%};height:100%;border-radius:999px;background:rgba({_INK['info']},.85)"
    words = element("span", text(label), style=WRAP)
    figure = element("span", f"{math.floor(share * 100)}%" if known else EMPTY, style="flex:none")
    line = (
        f"display:flex;justify-content:space-between;gap:14px;font-size:12.5px;{MUTED};{_FIGURES}"
    )
    bar = (
        f"box-sizing:border-box;height:8px;margin:5px 0 0;overflow:hidden;border:1px {edge};"
        "border-radius:999px;background:rgba(128,128,128,.18)"
    )
    return element(
        "div",
        element("div", words, figure, style=line),
        element("div", element("div", style=fill), style=bar),
    )


def collapsible(summary: str, *body: str) -> Html:
    """Put blocks behind a line that opens them."""
    head = f"cursor:pointer;font-size:12.5px;{MUTED}"
    inside = element("div", *body, style="margin:8px 0 0")
    return element("details", element("summary", text(summary), style=head), inside)


def verbatim(value: str, limit: int = LYRICS_LIMIT) -> Html:
    """Show a long text with its own line breaks, in a box that scrolls."""
    style = (
        "max-height:280px;overflow:auto;padding:8px 12px;font-size:12.5px;line-height:1.55;"
        f"white-space:pre-wrap;border-radius:10px;background:{SURFACE};{WRAP}"
    )
    return element("div", text(value, limit), style=style, dir="auto")


def lyrics(words: str | None) -> Html:
    """Show lyrics folded away, spaces and line breaks kept; nothing for an instrumental."""
    return EMPTY if words is None or is_blank(words) else collapsible("Lyrics", verbatim(words))


def _cell(value: Cell) -> Html:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return element("span", "\u2013", title="missing", style=MUTED)
    if isinstance(value, bool):
        return Html("yes" if value else "no")
    if isinstance(value, datetime):
        return text(format_datetime(value))
    if isinstance(value, int | float):
        return text(_figure(value) if math.isfinite(value) else str(value))
    return text(value)


def _all_numbers(cells: Sequence[Cell]) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(
        isinstance(cell, int | float) and not isinstance(cell, bool) for cell in known
    )


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str = "", limit: int = 100
) -> Html:
    """Show a small table: numbers to the right, missing values as a dash.

    Raises
    ------
    ValueError
        A row has another number of cells than there are columns.
    """
    lines = [[cell for _, cell in zip(columns, row, strict=True)] for row in rows]
    numeric = [_all_numbers([line[at] for line in lines]) for at in range(len(columns))]
    edge = f"padding:4px 14px 4px 0;vertical-align:top;border:0;border-bottom:1px solid {LINE};"
    sides = [edge + f"text-align:{'right' if right else 'left'}" for right in numeric]
    head = [
        element("th", text(name), scope="col", style=f"{side};font-weight:400;{MUTED}")
        for name, side in zip(columns, sides, strict=True)
    ]
    body = [
        element(
            "tr",
            *(element("td", _cell(line[at]), style=side) for at, side in enumerate(sides)),
            style="background:transparent",
        )
        for line in lines[:limit]
    ]
    more = f"the first {limit:,} of {len(lines):,} rows" if len(lines) > limit else ""
    words = facts(caption, more)
    return element(
        "div",
        element("div", words, style=f"margin:0 0 4px;font-size:12.5px;{MUTED}") if words else EMPTY,
        element(
            "table",
            element("thead", element("tr", *head, style="background:transparent")),
            element("tbody", *body),
            style=f"margin:0;border:0;border-collapse:collapse;font-size:12.5px;{_FIGURES}",
        ),
        style="max-width:100%;overflow:auto",
    )
