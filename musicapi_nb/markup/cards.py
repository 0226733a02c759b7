"""Links, pictures, players, cards, and whole HTML pages. No I/O."""

import colorsys
import hashlib
import html
from collections.abc import Iterable
from typing import Final

from musicapi_nb.markup.components import LINE, WRAP
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

_FACTS: Final = f"margin:3px 0 0;font-size:12.5px;line-height:1.45;{MUTED}"
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src http: https: data:; "
    "media-src http: https: data:; base-uri 'none'; form-action 'none'"
)
_PAGE_STYLE: Final = """
:root { color-scheme: light dark; background: #fff; color: #1f2328 }
body { margin: 22px; font: 14px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
h1 { margin: 0 0 18px; font-size: 16px; font-weight: 600; overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) { :root { background: #111418; color: #e6e8eb } }
@media (max-width: 480px) { body { margin: 14px } }
"""


def link(label: str, url: str | None) -> Html:
    """Return a link to an http(s) URL; for any other URL, the label and a note."""
    href = web_url(url)
    if href is None:
        return join(text(label), muted(" (link not shown)"))
    return element("a", label, href=href, target="_blank", rel="noopener noreferrer")


def player(url: str | None, label: str = "this song") -> Html:
    """Return a player that loads nothing before it is played; without a usable URL, a note."""
    src = media_url(url)
    if src is None:
        message = "No audio." if is_blank(url) else "No audio: its URL cannot be opened."
        return element("div", message, style=f"font-size:12.5px;{MUTED}")
    name = plain_attribute(label)
    # Code hosts strip the player but keep its content, so a link remains.
    fallback = EMPTY if isinstance(url, DataUrl | LocalFile) else link(f"Listen to {name}", src)
    style, title = "display:block;width:100%;height:36px", f"Play {name}"
    options = {"controls": "", "preload": "none", "src": src, "title": title}
    return element("audio", fallback, style=style, **options)


def gradient(seed: str) -> str:
    """Return a CSS gradient, derived from `seed`, as a placeholder for a picture."""
    digest = hashlib.blake2b(seed.encode("utf-8", "replace"), digest_size=2).digest()
    hue = int.from_bytes(digest, "big") / 65_536
    colors = (colorsys.hls_to_rgb(hue, 0.58, 0.42), colorsys.hls_to_rgb(hue + 0.14, 0.36, 0.42))
    stops = (",".join(str(round(255 * part)) for part in color) for color in colors)
    return f"linear-gradient(135deg,rgb({next(stops)}),rgb({next(stops)}))"


def cover(url: str | None, seed: str, title: str | None = None) -> Html:
    """Return a square picture; if it is missing or does not load, the gradient of `seed` shows."""
    box = (
        "flex:none;width:96px;height:96px;overflow:hidden;border-radius:10px;"
        f"background-image:{gradient(seed)}"
    )
    src = media_url(url)
    if src is None:
        return element("div", style=box)
    alt = "Cover" if title is None or is_blank(title) else f"Cover of {plain_attribute(title)}"
    # A picture that fails to load is one line high and fits below the spacer, outside the box, so
    # the gradient shows. A loaded picture is taller and wraps to the top of the next column.
    columns = "display:flex;flex-direction:column;flex-wrap:wrap;align-content:flex-start"
    line = "flex:none;width:96px;height:auto;overflow:hidden;white-space:nowrap"
    style = f"display:block;{line};font-size:11px;line-height:16px"
    picture = element("img", src=src, alt=alt, style=style)
    spacer = element("div", style="flex:none;width:0;height:100px")
    wrapping = element("div", spacer, picture, style=f"{columns};height:125px")
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

    Empty blocks are skipped. A card is at most 420 px wide; a `wide` one fills its container.
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
        style=f"box-sizing:border-box;max-width:{'100%' if wide else '420px'};padding:14px;"
        f"border:1px solid {LINE};border-radius:14px;font-size:14px;line-height:1.4;{WRAP}",
    )


def cards(items: Iterable[Html]) -> Html:
    """Arrange cards in as many columns of equal width as fit."""
    columns = "display:grid;grid-template-columns:repeat(auto-fill,minmax(280px,360px))"
    return element("div", *items, style=f"{columns};gap:18px;align-items:flex-start")


def page(title: str, *blocks: str, files: bool = False) -> str:
    """Return a complete HTML document that cannot run scripts.

    It can load media from the web, and from the disk only with `files`.
    """
    policy = _POLICY.replace(" data:;", " data: file:;") if files else _POLICY
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{html.escape(plain_attribute(title))}</title>\n<style>{_PAGE_STYLE}</style>\n</head>\n"
        f"<body>\n{element('h1', text(title, TITLE_LIMIT))}\n{stack(*blocks)}\n</body>\n</html>\n"
    )
