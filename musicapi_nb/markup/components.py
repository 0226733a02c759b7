"""Formatted values, and blocks: badges, chips, tables, players, cards. No I/O."""

import colorsys
import hashlib
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from musicapi_nb.markup.escape import (
    EMPTY,
    MUTED,
    TITLE_LIMIT,
    DataUrl,
    Html,
    LocalFile,
    element,
    is_blank,
    join,
    media_url,
    muted,
    plain_attribute,
    text,
    web_url,
)

Tone: TypeAlias = Literal["neutral", "good", "info", "warn", "bad"]
TagMark: TypeAlias = Literal["plain", "kept", "split", "added", "dropped"]
Cell: TypeAlias = str | float | datetime | None


TAG_LIMIT: Final = 60
TAGS_LIMIT: Final = 40
LYRICS_LIMIT: Final = 20_000

LINE: Final = "rgba(128,128,128,.28)"
SURFACE: Final = "rgba(128,128,128,.10)"
_COLORS: Final[dict[Tone, str]] = {
    "neutral": "128,128,128",
    "good": "46,160,67",
    "info": "56,132,244",
    "warn": "210,153,34",
    "bad": "219,68,68",
}
_TAG_MARKS: Final[dict[TagMark, tuple[str, Tone]]] = {
    "plain": ("", "neutral"),
    "kept": ("✓", "good"),
    "split": ("½", "good"),
    "added": ("+", "info"),
    "dropped": ("\u2212", "bad"),  # the minus sign, as wide as the plus
}
# word-wrap, because sanitizers keep it; they drop overflow-wrap and word-break: break-word.
WRAP: Final = "word-wrap:break-word;min-width:0"
# Sanitizers drop this; then digits merely do not line up.
_FIGURES: Final = "font-variant-numeric:tabular-nums"

_HIDDEN: Final = ";padding:0;border:0;font-size:0;line-height:0"  # but screen readers have it
_MIN_FOR_TWO_DECIMALS: Final = 0.1
_MAX_UNBROKEN: Final = 24
# Units of an estimate: name, seconds, and the least seconds given in it.
_ESTIMATE_UNITS: Final = (("h", 3600, 7200.0), ("min", 60, 90.0), ("s", 1, 0.0))
_FACTS: Final = f"margin:3px 0 0;font-size:12.5px;line-height:1.45;{MUTED}"


def format_duration(seconds: float | None) -> str:
    """Format seconds as ``2:11`` or ``1:02:11``; "" for None, negative or non-finite values."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return ""
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def format_estimate(low: float, high: float | None = None) -> str:
    """Format an estimated time, or a range: ``about 2 to 4 min``, ``about 40 s``, ``up to 3 h``."""
    high = low if high is None else high
    unit, size = next((unit, size) for unit, size, least in _ESTIMATE_UNITS if high >= least)
    first, last = round(low / size), max(round(high / size), 1)
    if first in {0, last}:
        return f"{'about' if first or low == high else 'up to'} {last} {unit}"
    return f"about {first} to {last} {unit}"


def format_datetime(when: datetime | None) -> str:
    """Format a time as ``22 Nov 2024, 01:48`` in its own time zone."""
    if when is None:
        return ""
    month = when.ctime()[4:7]  # English, whatever the locale
    return f"{when.day} {month} {when.year}, {when.hour:02}:{when.minute:02}"


def format_local_time(when: datetime | None, now: datetime | None = None) -> str:
    """Format a time as ``29 Nov, 14:05`` in this computer's time zone, with the year if it is past.

    Not as "today": a saved notebook shows it tomorrow as well.
    """
    if when is None:
        return ""
    try:
        local = when.astimezone()
    except (OverflowError, ValueError, OSError):  # a reply may state the year 1 or 9999
        local = when
    text = format_datetime(local)
    is_this_year = local.year == (now or datetime.now(UTC)).astimezone().year
    return text.replace(f" {local.year},", ",") if is_this_year else text


def plural(count: float, noun: str, nouns: str | None = None) -> str:
    """Format a number with its noun: ``1 request``, ``2 requests``, ``3 entries``."""
    return f"{_format_number(count)} {noun if count == 1 else nouns or f'{noun}s'}"


def format_credits(amount: float | None) -> str:
    """Format a number of credits; an unknown price is never shown as 0."""
    if amount is None or not math.isfinite(amount):
        return "credits unknown"
    return plural(amount, "credit")


def _format_number(value: float) -> str:
    if isinstance(value, int) or value == round(value):
        return f"{value:,.0f}"
    if abs(value) < _MIN_FOR_TWO_DECIMALS:
        return f"{value:.2g}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def facts(*parts: str | None) -> Html:
    """Join short facts with middle dots; missing ones are skipped.

    Lines break between facts, not inside a short one.
    """
    texts = [text(part, TITLE_LIMIT) for part in parts if part and not is_blank(part)]
    for index, part in enumerate(texts):
        if len(part) <= _MAX_UNBROKEN:
            texts[index] = element("span", part, style="white-space:nowrap")
    return join(*texts, separator=" · ")


def caption(*parts: str | None) -> Html:
    """Return short facts as a muted line, to go below a block."""
    line = facts(*parts)
    return element("div", line, style=f"font-size:12.5px;{MUTED};{WRAP}") if line else EMPTY


def badge(label: str, tone: Tone = "neutral") -> Html:
    """Return a label of one or two words; the color of the tone only supports the text."""
    color = _COLORS[tone]
    return element(
        "span",
        text(label, TAG_LIMIT),
        style="display:inline-block;max-width:100%;box-sizing:border-box;padding:1px 7px;"
        f"font-size:11px;line-height:16px;border:1px solid rgba({color},.5);border-radius:5px;"
        f"background:rgba({color},.14);{WRAP}",
    )


def chip(label: str, mark: TagMark = "plain") -> Html:
    """Return one tag; its mark is shown by sign, tooltip and color."""
    sign, tone = _TAG_MARKS[mark]
    tag = text("(blank)" if is_blank(label) else label, TAG_LIMIT)
    if mark == "dropped":
        tag = element("span", tag, style="text-decoration:line-through")
    surface = f"rgba({_COLORS[tone]},{'.10' if mark == 'plain' else '.17'})"
    tooltip = {} if mark == "plain" else {"title": mark}
    return element(
        "span",
        Html(f"{sign} " if sign else ""),
        tag,
        style="display:inline-block;max-width:100%;box-sizing:border-box;padding:2px 9px;"
        f"font-size:12.5px;line-height:17px;border-radius:11px;background:{surface};{WRAP}",
        **tooltip,
    )


def chips(tags: Iterable[str | tuple[str, TagMark]]) -> Html:
    """Return tags in order, with a legend of the signs that occur."""
    pairs: list[tuple[str, TagMark]] = [
        (tag, "plain") if isinstance(tag, str) else tag for tag in tags
    ]
    if not pairs:
        return EMPTY
    items = [chip(label, mark) for label, mark in pairs[:TAGS_LIMIT]]
    if len(pairs) > TAGS_LIMIT:
        rest = f"and {len(pairs) - TAGS_LIMIT:,} more"
        items.append(element("span", rest, style=f"padding:2px 4px;font-size:12.5px;{MUTED}"))
    row = element("div", *items, style=f"display:flex;flex-wrap:wrap;gap:5px;{WRAP}")
    present = {mark for _, mark in pairs}
    legend = [
        f"{sign} {fate}" for fate, (sign, _) in _TAG_MARKS.items() if sign and fate in present
    ]
    if not legend:
        return row
    explanation = element("div", facts(*legend), style=f"margin:4px 0 0;font-size:11px;{MUTED}")
    return element("div", row, explanation)


def notice(message: str, tone: Tone = "info") -> Html:
    """Return a message of whole sentences; line breaks are kept."""
    color = _COLORS[tone]
    return element(
        "div",
        text(message),
        style=f"padding:8px 12px;font-size:12.5px;line-height:1.5;white-space:pre-line;"
        f"border-left:3px solid rgba({color},.85);border-radius:3px 8px 8px 3px;"
        f"background:rgba({color},.10);{WRAP}",
    )


def progress(fraction: float | None, label: str = "") -> Html:
    """Return a static progress bar (0 to 1); None means unknown."""
    is_known = fraction is not None and math.isfinite(fraction)
    share = min(max(fraction or 0.0, 0.0), 1.0) if is_known else 0.0
    edge = "solid rgba(128,128,128,0)" if is_known else f"dashed rgba({_COLORS['info']},.6)"
    fill = (
        f"width:{share:.1%};height:100%;border-radius:999px;background:rgba({_COLORS['info']},.85)"
    )
    label_block = element("span", text(label), style=WRAP)
    figure = f"{math.floor(share * 100)}%" if is_known else EMPTY
    percent = element("span", figure, style="flex:none")
    line = "display:flex;justify-content:space-between;gap:14px;font-size:12.5px"
    head = element("div", label_block, percent, style=f"{line};{MUTED};{_FIGURES}")
    bar = (
        f"box-sizing:border-box;height:8px;margin:5px 0 0;overflow:hidden;border:1px {edge};"
        "border-radius:999px;background:rgba(128,128,128,.18)"
    )
    return element("div", head, element("div", element("div", style=fill), style=bar))


def collapsible(summary: str, *body: str) -> Html:
    """Return blocks that are hidden until the reader opens the summary line."""
    head = f"cursor:pointer;font-size:12.5px;{MUTED}"
    content = element("div", *body, style="margin:8px 0 0")
    return element("details", element("summary", text(summary), style=head), content)


def verbatim(value: str, limit: int = LYRICS_LIMIT) -> Html:
    """Return a long text with its line breaks, in a scrolling box."""
    style = (
        "max-height:280px;overflow:auto;padding:8px 12px;font-size:12.5px;line-height:1.55;"
        f"white-space:pre-wrap;border-radius:10px;background:{SURFACE};{WRAP}"
    )
    return element("div", text(value, limit), style=style, dir="auto")


def lyrics(value: str | None) -> Html:
    """Return lyrics as a collapsed block; nothing for an instrumental."""
    return EMPTY if value is None or is_blank(value) else collapsible("Lyrics", verbatim(value))


def _cell(value: Cell) -> Html:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return element("span", "\u2013", title="missing", style=MUTED)
    if isinstance(value, bool):
        return Html("yes" if value else "no")
    if isinstance(value, datetime):
        return text(format_datetime(value))
    if isinstance(value, int | float):
        return text(_format_number(value) if math.isfinite(value) else str(value))
    return text(value)


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def table(  # noqa: PLR0913 - how a table may look
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    caption: str = "",
    limit: int = 100,
    *,
    row_heads: bool = False,
    show_head: bool = True,
) -> Html:
    """Return a small table: numbers aligned right, missing values as a dash.

    With `row_heads`, the first cell of a row is its head. Without `show_head`, only screen readers
    have the names of columns.

    Raises
    ------
    ValueError
        A row does not have one cell per column.
    """
    lines = [[cell for _, cell in zip(columns, row, strict=True)] for row in rows]
    edge = f"padding:4px 14px 4px 0;vertical-align:top;border:0;border-bottom:1px solid {LINE};"
    sides = []
    for index in range(len(columns)):
        cells = [line[index] for line in lines if line[index] is not None]
        side = "right" if cells and all(map(_is_number, cells)) else "left"
        sides.append(f"{edge}text-align:{side}")

    def row(cells: Iterable[Html]) -> Html:
        return element("tr", *cells, style="background:transparent")

    style_of_head = f";font-weight:400;{MUTED}" if show_head else _HIDDEN
    head = row(
        element("th", text(name), scope="col", style=side + style_of_head)
        for name, side in zip(columns, sides, strict=True)
    )

    def body_cell(index: int, cell: Cell) -> Html:
        if row_heads and index == 0:
            return element("th", _cell(cell), scope="row", style=f"{sides[0]};font-weight:400")
        return element("td", _cell(cell), style=sides[index])

    body = [row(body_cell(*part) for part in enumerate(line)) for line in lines[:limit]]
    count = f"the first {limit:,} of {len(lines):,} rows" if len(lines) > limit else ""
    if head_line := facts(caption, count):
        head_line = element("div", head_line, style=f"margin:0 0 4px;font-size:12.5px;{MUTED}")
    style = f"margin:0;border:0;border-collapse:collapse;font-size:12.5px;{_FIGURES}"
    content = element("table", element("thead", head), element("tbody", *body), style=style)
    return element("div", head_line, content, style="max-width:100%;overflow:auto")


def link(label: str, url: str | None) -> Html:
    """Return a link to an http(s) URL; for any other URL, the label and a note."""
    href = web_url(url)
    if href is None:
        return join(text(label), muted(" (link not shown)"))
    return element("a", label, href=href, target="_blank", rel="noopener noreferrer")


def player(url: str | None, label: str = "this song", *, local: bool = False) -> Html:
    """Return a player that fetches nothing before it is played; without a usable URL, a note.

    For `local`, see `media_url`.
    """
    src = media_url(url, local=local)
    if src is None:
        message = "No audio." if is_blank(url) else "No audio: its URL cannot be opened."
        return element("div", message, style=f"font-size:12.5px;{MUTED}")
    name = plain_attribute(label)
    # Code hosts strip the player but keep its content, so a link remains.
    fallback = EMPTY if isinstance(url, DataUrl | LocalFile) else link(f"Listen to {name}", src)
    style, title = "display:block;width:100%;height:36px", f"Play {name}"
    preload = "metadata" if isinstance(url, DataUrl) else "none"  # it is in the page already
    options = {"controls": "", "preload": preload, "src": src, "title": title}
    return element("audio", fallback, style=style, **options)


def gradient(seed: str) -> str:
    """Return a CSS gradient, derived from `seed`, as a placeholder for a picture."""
    digest = hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=2).digest()
    hue = int.from_bytes(digest, "big") / 65_536
    colors = (colorsys.hls_to_rgb(hue, 0.58, 0.42), colorsys.hls_to_rgb(hue + 0.14, 0.36, 0.42))
    stops = (",".join(str(round(255 * part)) for part in color) for color in colors)
    return f"linear-gradient(135deg,rgb({next(stops)}),rgb({next(stops)}))"


def cover(
    url: str | None, seed: str, title: str | None = None, *, local: bool = False, size: int = 96
) -> Html:
    """Return a square picture; if it is missing or does not load, the gradient of `seed` shows.

    For `local`, see `media_url`; `size` is in pixels.
    """
    box = (
        f"flex:none;width:{size}px;height:{size}px;overflow:hidden;border-radius:10px;"
        f"background-image:{gradient(seed)}"
    )
    src = media_url(url, local=local)
    if src is None:
        return element("div", style=box)
    alt = "Cover" if title is None or is_blank(title) else f"Cover of {plain_attribute(title)}"
    # A picture that fails to load is one line high and fits below the spacer, outside the box, so
    # the gradient shows. A loaded picture is taller and wraps to the top of the next column.
    columns = "display:flex;flex-direction:column;flex-wrap:wrap;align-content:flex-start"
    line = f"flex:none;width:{size}px;height:auto;overflow:hidden;white-space:nowrap"
    style = f"display:block;{line};font-size:11px;line-height:16px"
    picture = element("img", src=src, alt=alt, style=style)
    spacer = element("div", style=f"flex:none;width:0;height:{size + 4}px")
    wrapping = element("div", spacer, picture, style=f"{columns};height:{size + 29}px")
    return element("div", wrapping, style=box)


def stack(*blocks: str) -> Html:
    """Stack blocks vertically; empty ones are skipped."""
    items = [element("div", block, style=WRAP) for block in blocks if block]
    if not items:
        return EMPTY
    return element("div", *items, style=f"display:flex;flex-direction:column;gap:12px;{WRAP}")


def card(
    title: str | None,
    *body: str,
    facts: str = "",
    badges: Iterable[Html] = (),
    cover: Html = EMPTY,
    wide: bool = False,
) -> Html:
    """Return a card: title, facts and badges, and below them the blocks of `body`.

    Empty blocks are skipped. A card is at most 420 px wide, a `wide` one 720 px.
    """
    name = text("(untitled)" if title is None or is_blank(title) else title, TITLE_LIMIT)
    marks = list(badges)
    row = f"display:flex;flex-wrap:wrap;gap:5px;margin:8px 0 0;{WRAP}"
    head = element(
        "div",
        element("div", name, style=f"font-size:16px;font-weight:600;line-height:1.3;{WRAP}"),
        element("div", text(facts, TITLE_LIMIT), style=f"{_FACTS};{WRAP}") if facts else EMPTY,
        element("div", *marks, style=row) if marks else EMPTY,
        style=f"flex:1 1 0;{WRAP}",
    )
    header = f"display:flex;align-items:flex-start;gap:14px;{WRAP}"
    return element(
        "div",
        stack(element("div", cover, head, style=header), *body),
        style=f"box-sizing:border-box;max-width:{'720px' if wide else '420px'};padding:14px;"
        f"border:1px solid {LINE};border-radius:14px;font-size:14px;line-height:1.4;{WRAP}",
    )


def cards(items: Iterable[Html]) -> Html:
    """Arrange cards in as many columns of equal width as fit; those of one row are equally high."""
    columns = "display:grid;grid-template-columns:repeat(auto-fill,minmax(280px,360px))"
    return element("div", *items, style=f"{columns};gap:18px")
