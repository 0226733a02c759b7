"""Escape text and check URLs from outside, so that they are safe in a page. No I/O."""

import base64
import functools
import html
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, TypeVar
from urllib.parse import quote, urlsplit

MediaType: TypeAlias = Literal[
    "image/png", "image/jpeg", "image/webp", "audio/mpeg", "audio/mp4", "audio/ogg", "audio/wav"
]

SENTENCE_LIMIT: Final = 1_000
TITLE_LIMIT: Final = 120
URL_LIMIT: Final = 8_192
MUTED: Final = "opacity:.68"
_Self = TypeVar("_Self")


class Html(str):
    """Markup built by this package. Concatenation and formatting give a plain `str`."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)


class DataUrl(str):
    """A ``data:`` URL made by :func:`data_url`; no other ``data:`` URL is ever used."""

    __slots__ = ()


class LocalFile(str):
    """The relative URL of a file next to a saved page, made by :func:`local_file`."""

    __slots__ = ()


EMPTY: Final = Html()


@functools.singledispatch
def render(value: Any) -> str:
    """Return the HTML of an object; `@render.register` adds a function for a type.

    It lets a data class have `_repr_html_` without importing the module that draws its card.
    """
    raise TypeError(f"{type(value).__name__} has no HTML representation")


_LINE_ENDS: Final = re.compile("\r\n|[\r\u2028\u2029]")
_REORDERS: Final = re.compile("[\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]")
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u2064"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
# Emoji and some scripts need several in a row; the longest sequence in use (a flag) has seven.
_INVISIBLE_RUN: Final = re.compile(f"([{_INVISIBLE}]{{8}})[{_INVISIBLE}]+")
_BLANK: Final = re.compile(f"[\\s\u2800\u202a-\u202e\u2066-\u206f{_INVISIBLE}]*")
_NOT_VISIBLE: Final = re.compile(f"{_REORDERS.pattern}|{_UNPRINTABLE.pattern}|[{_INVISIBLE}]")
_MARKS_PER_LETTER: Final = 4
# JupyterLab and exported pages typeset $...$ and \(...\) anywhere, except inside these classes
# (MathJax 3, MathJax 2). A song called "$5 or $6" is not a formula.
_MATH: Final = re.compile(r"[$\\]")
_NO_MATH: Final = "mathjax_ignore tex2jax_ignore"


def _limit_accents(value: str) -> str:
    """Keep the first accents of each letter, so that stacked ones cannot cover other lines."""
    letters, marks = [], 0
    for letter in value:
        if unicodedata.combining(letter):
            marks += 1
        elif unicodedata.category(letter) not in {"Mn", "Me", "Cf"}:
            marks = 0
        if marks <= _MARKS_PER_LETTER:
            letters.append(letter)
    return "".join(letters)


def _sanitize(value: str) -> str:
    """Remove direction overrides, and replace control characters by U+FFFD."""
    value = _LINE_ENDS.sub("\n", value)
    value = _UNPRINTABLE.sub("\ufffd", _REORDERS.sub("", value))
    return value if value.isascii() else _limit_accents(_INVISIBLE_RUN.sub(r"\1", value))


def _shorten(value: str, limit: int) -> tuple[str, bool]:
    """Sanitize a text and cut it at `limit`; return it, and whether it was cut."""
    if len(value) <= limit and value.isascii() and value.isprintable():
        return value, False
    head = value[: 4 * limit]
    clean = _sanitize(head)
    cut = len(head) < len(value) or len(clean) > limit
    return (clean[:limit].rstrip() + "…" if cut else clean), cut


def text(value: str, limit: int = SENTENCE_LIMIT) -> Html:
    """Escape a text; :class:`Html` is returned unchanged.

    A text longer than `limit` is cut, with a note. Direction overrides are removed and non-ASCII
    text is isolated, so that it cannot reorder its surroundings. Nothing is typeset as a formula.
    """
    if isinstance(value, Html):
        return value
    content, cut = _shorten(str(value), limit)
    escaped = Html(html.escape(content))
    if _MATH.search(content):
        escaped = element("span", escaped, **{"class": _NO_MATH})
    if not content.isascii():
        escaped = element("bdi", escaped)
    if cut:
        note = f" (cut; {len(value):,} characters in total)"
        # Not muted: the surrounding text may be, and twice would be too faint.
        escaped = join(escaped, element("span", note, style="font-weight:400"))
    return escaped


def one_line(value: str, limit: int = SENTENCE_LIMIT) -> str:
    """Return a text for a terminal or log: one line, no control characters, cut at `limit`."""
    return " ".join(_shorten(str(value), limit)[0].split())


def strip_invisible(value: str) -> str:
    """Remove invisible characters and direction marks."""
    return _NOT_VISIBLE.sub("", value)


def is_blank(value: str | None) -> bool:
    """Return whether a text is None, empty, or only spaces and invisible characters."""
    return value is None or _BLANK.fullmatch(value) is not None


def join(*parts: str, separator: str = "") -> Html:
    """Join parts, escaping those that are not :class:`Html`; empty parts are skipped."""
    return Html(
        html.escape(plain_attribute(separator)).join(str(text(part)) for part in parts if part)
    )


def muted(value: str) -> Html:
    """Return a text in a fainter shade of the theme's text color."""
    return element("span", text(value), style=MUTED)


def element(tag: str, *children: str, style: str = "", **attributes: str) -> Html:
    """Return one element; attribute values and children are escaped, names are not."""
    pairs = {"style": style, **attributes} if style else attributes
    listed = "".join(f' {name}="{html.escape(value)}"' for name, value in pairs.items())
    if tag == "img":
        return Html(f"<{tag}{listed}>")
    content = "".join(str(text(child)) for child in children)
    return Html(f"<{tag}{listed}>{content}</{tag}>")


def plain_attribute(value: str, limit: int = TITLE_LIMIT) -> str:
    """Sanitize and cut a text for an attribute; :func:`element` escapes it."""
    return _shorten(str(value), limit)[0]


_WEB: Final = re.compile(r"https?://[^/?#@\s]+(?:[/?#]\S*)?", re.IGNORECASE)
_HOST: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?|[0-9a-f]*:[0-9a-f:.]*", re.IGNORECASE
)
_DATA_URL: Final = re.compile(
    r"data:(?:image/(?:png|jpeg|webp)|audio/(?:mpeg|mp4|ogg|wav));base64,[A-Za-z0-9+/]+={0,2}"
)


def data_url(content: bytes, media_type: MediaType) -> DataUrl:
    """Return a ``data:`` URL with a picture or sound that this package made."""
    url = DataUrl(f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}")
    if _DATA_URL.fullmatch(url) is None:
        size = len(content)
        raise ValueError(f"not a picture or sound that can be embedded: {size} bytes, {media_type}")
    return url


def local_file(path: str) -> LocalFile:
    """Return a relative path with ``/`` separators as a URL for a saved page."""
    return LocalFile(f"./{quote(path)}")


def web_url(url: str | None) -> str | None:
    """Return an absolute http or https URL unchanged, or None for anything else.

    Rejected: other schemes, relative and protocol-relative URLs, user names, non-ASCII hosts,
    white space, backslashes, quotes and invisible characters anywhere, and malformed URLs.
    """
    if url is None or len(url) > URL_LIMIT or not url.isprintable() or _WEB.fullmatch(url) is None:
        return None
    if any(char in url for char in '\\"<>`'):
        return None
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return None
    host = parts.hostname or ""
    return url if port_is_valid and _HOST.fullmatch(host) else None


def is_private(host: str) -> bool:
    """Return whether a host name or IP address belongs to this machine or a private network."""
    name = host.partition("%")[0].rstrip(".").lower()  # without the zone of an IPv6 address
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        last = name.rpartition(".")[2]
        # Browsers and resolvers read 0x7f.1 and 2130706433 as IPv4 addresses.
        return "." not in name or last in _PRIVATE_DOMAINS or _NUMBER.fullmatch(last) is not None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return address.is_multicast or not address.is_global


_PRIVATE_DOMAINS: Final = frozenset({"localhost", "local", "internal", "lan", "home", "test"})
_NUMBER: Final = re.compile("[0-9]+|0x[0-9a-f]*")


def media_url(url: str | None, *, local: bool = False) -> str | None:
    """Return a URL that a picture or player may load, or None.

    Private addresses are refused: whoever opens the page would ask their own network. With `local`,
    for a simulator, they are accepted.
    """
    if isinstance(url, DataUrl):
        return url if _DATA_URL.fullmatch(url) else None
    if isinstance(url, LocalFile):
        return url
    address = web_url(url)
    if address is None or local or not is_private(urlsplit(address).hostname or ""):
        return address
    return None


def html_repr(method: Callable[[_Self], str]) -> Callable[[_Self], str]:
    """Decorate a `_repr_html_` to return a plain `str`: marimo shows no subclass such as Html."""

    @functools.wraps(method)
    def html_of(self: _Self) -> str:
        return str(method(self))

    return html_of


def safe_repr(method: Callable[[_Self], str]) -> Callable[[_Self], str]:
    """Decorate a `__repr__`, so that an object whose `__init__` raised has one in a traceback."""

    @functools.wraps(method)
    def text(self: _Self) -> str:
        try:
            return method(self)
        except AttributeError as error:
            if error.obj is not self:
                raise
            return f"<{type(self).__name__}: not initialized>"

    return text
