"""Strings and addresses that were not written here, made safe to stand in a page."""

import base64
import functools
import html
import re
import unicodedata
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, urlsplit

MediaType: TypeAlias = Literal[
    "image/png", "image/jpeg", "image/webp", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav"
]

SENTENCE_LIMIT: Final = 1_000
TITLE_LIMIT: Final = 120
URL_LIMIT: Final = 8_192
MUTED: Final = "opacity:.68"


class Html(str):
    """Markup that a block of this module built; concatenation and formatting give plain text."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


class DataUrl(str):
    """A ``data:`` address that :func:`data_url` made; no other ``data:`` address is ever shown."""

    __slots__ = ()


class LocalFile(str):
    """The address of a file beside a saved page, that :func:`local_file` made."""

    __slots__ = ()


EMPTY: Final = Html()


@functools.singledispatch
def render(value: Any) -> str:
    """Return the HTML of an object; `@render.register` adds a function for a type.

    It lets a data class have `_repr_html_` without importing the module that draws its card.
    """
    raise TypeError(f"{type(value).__name__} has no HTML representation")


_REORDERS: Final = re.compile("[\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]")
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2064"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
# Emoji and several scripts need a few in a row; the longest in use, a flag's, are seven.
_FLOOD: Final = re.compile(f"([{_INVISIBLE}]{{8}})[{_INVISIBLE}]+")
_BLANK: Final = re.compile(f"[\\s\u2800\u202a-\u202e\u2066-\u206f{_INVISIBLE}]*")
_UNSEEN: Final = re.compile(f"{_REORDERS.pattern}|{_UNPRINTABLE.pattern}|[{_INVISIBLE}]")
_MARKS_PER_LETTER: Final = 4
# JupyterLab and exported pages typeset $...$ and \(...\) anywhere in HTML, but not in these
# classes (MathJax 3, MathJax 2): a song called "$5 or $6" is no formula.
_MATH: Final = re.compile(r"[$\\]")
_NO_MATH: Final = "mathjax_ignore tex2jax_ignore"


def _few_marks(value: str) -> str:
    """Keep the first accents of a letter, so that no pile of them covers the lines around it."""
    kept, marks = [], 0
    for letter in value:
        if unicodedata.combining(letter):
            marks += 1
        elif unicodedata.category(letter) not in {"Mn", "Me", "Cf"}:
            marks = 0
        if marks <= _MARKS_PER_LETTER:
            kept.append(letter)
    return "".join(kept)


def _tamed(value: str) -> str:
    """Drop what could turn the page around it; show what cannot be drawn as U+FFFD."""
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    value = value.replace("\u2028", "\n").replace("\u2029", "\n")
    value = _UNPRINTABLE.sub("\ufffd", _REORDERS.sub("", value))
    return value if value.isascii() else _few_marks(_FLOOD.sub(r"\1", value))


def _shown(value: str, limit: int) -> tuple[str, bool]:
    """Give the part of a text to be shown, and whether any was left off."""
    if len(value) <= limit and value.isascii() and value.isprintable():
        return value, False
    head = value[: 4 * limit]
    tamed = _tamed(head)
    cut = len(head) < len(value) or len(tamed) > limit
    return (tamed[:limit].rstrip() + "…" if cut else tamed), cut


def text(value: str, limit: int = SENTENCE_LIMIT) -> Html:
    """Escape a text; :class:`Html` passes unchanged.

    Beyond `limit` characters it is cut, and says so. Controls that turn the direction of writing
    are dropped and anything beyond ASCII is isolated, so that no text can reorder its neighbours;
    nothing is typeset as a formula.
    """
    if isinstance(value, Html):
        return value
    shown, cut = _shown(str(value), limit)
    escaped = Html(html.escape(shown))
    if _MATH.search(shown):
        escaped = element("span", escaped, **{"class": _NO_MATH})
    if not shown.isascii():
        escaped = element("bdi", escaped)
    if cut:
        note = f" (cut, {len(value):,} characters in all)"
        # Not set back: the text around it may be already, and twice would be too faint to read.
        escaped = join(escaped, element("span", note, style="font-weight:400"))
    return escaped


def one_line(value: str, limit: int = SENTENCE_LIMIT) -> str:
    """Tame a text for a terminal or a log: one line, no control characters, cut at `limit`."""
    return " ".join(_shown(str(value), limit)[0].split())


def strip_invisible(value: str) -> str:
    """Leave out what shows nothing or turns the text around it, such as marks of direction."""
    return _UNSEEN.sub("", value)


def is_blank(value: str | None) -> bool:
    """Tell whether a text shows nothing: none, empty, or only spaces and invisible characters."""
    return value is None or _BLANK.fullmatch(value) is not None


def join(*parts: str, separator: str = "") -> Html:
    """Put parts side by side, escaped unless built here; empty parts take no separator."""
    return Html(html.escape(attribute(separator)).join(str(text(part)) for part in parts if part))


def muted(value: str) -> Html:
    """Set words back, without leaving the theme's own ink."""
    return element("span", text(value), style=MUTED)


def element(tag: str, *children: str, style: str = "", **attributes: str) -> Html:
    """Write one element; the names are this package's own, values and children are escaped."""
    named = {"style": style, **attributes} if style else attributes
    written = "".join(f' {name}="{html.escape(value)}"' for name, value in named.items())
    if tag == "img":
        return Html(f"<{tag}{written}>")
    inside = "".join(str(text(child)) for child in children)
    return Html(f"<{tag}{written}>{inside}</{tag}>")


def attribute(value: str, limit: int = TITLE_LIMIT) -> str:
    """Tame and cut a text for use inside an attribute, which :func:`element` escapes."""
    return _shown(str(value), limit)[0]


_WEB: Final = re.compile(r"https?://[^/?#@\s]+(?:[/?#]\S*)?", re.IGNORECASE)
_HOST: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?|[0-9a-f]*:[0-9a-f:.]*", re.IGNORECASE
)
_MADE_HERE: Final = re.compile(
    r"data:(?:image/(?:png|jpeg|webp)|audio/(?:mpeg|mp4|ogg|wav));base64,[A-Za-z0-9+/]+={0,2}"
)


def data_url(content: bytes, media_type: MediaType) -> DataUrl:
    """Put a picture or sound that we made ourselves into an address of its own."""
    address = DataUrl(f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}")
    if _MADE_HERE.fullmatch(address) is None:
        size = len(content)
        raise ValueError(f"not a picture or sound that can be shown: {size} bytes, {media_type}")
    return address


def local_file(path: str) -> LocalFile:
    """Write a relative path, with ``/`` between its parts, as an address for a saved page."""
    return LocalFile(f"./{quote(path)}")


def web_url(url: str | None) -> str | None:
    """Give back an absolute http or https address, or None for anything else.

    Refused: other schemes, relative and protocol-relative addresses, user names before the host,
    hosts that are not plain ASCII, white space, backslashes, quotes and invisible characters
    anywhere, and what cannot be parsed.
    """
    if url is None or len(url) > URL_LIMIT or not url.isprintable() or _WEB.fullmatch(url) is None:
        return None
    if any(sign in url for sign in '\\"<>`'):
        return None
    try:
        parts = urlsplit(url)
        port_is_known = parts.port is None or parts.port > 0
    except ValueError:
        return None
    host = parts.hostname or ""
    return url if port_is_known and _HOST.fullmatch(host) else None


def source(url: str | None) -> str | None:
    """Give back an address that a picture or player may load, or None."""
    if isinstance(url, DataUrl):
        return url if _MADE_HERE.fullmatch(url) else None
    return url if isinstance(url, LocalFile) else web_url(url)
