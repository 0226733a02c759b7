"""Words on pictures: hostile or long text made into short labels that the fonts here can draw."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Sequence

from matplotlib import font_manager
from matplotlib.textpath import TextToPath

# DejaVu Sans comes with matplotlib; the others are taken where a system has them. Fonts of
# coloured bitmaps (Noto Color Emoji, Apple Color Emoji) are not here: matplotlib cannot draw them.
_WANTED = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Emoji",
    "Segoe UI Emoji",
    "Segoe UI Symbol",
    "Symbola",
)
_MOST_MARKS = 2
_LEAST = 0.005  # a share below it would be written as 0 %
_UNDRAWABLE = "\N{WHITE SQUARE}"
_CUT = "\N{HORIZONTAL ELLIPSIS}"


@functools.cache
def fonts() -> tuple[str, ...]:
    """Families that are installed here, the first that has a letter draws it."""
    here = set(font_manager.fontManager.get_font_names())
    return tuple(name for name in _WANTED if name in here)


@functools.cache
def _files() -> tuple[str, ...]:
    found = (font_manager.findfont(font_manager.FontProperties(family=[name])) for name in fonts())
    return tuple(str(path) for path in found)


@functools.lru_cache(maxsize=4096)
def _is_drawable(letter: str) -> bool:
    return any(font_manager.get_font(path).get_char_index(ord(letter)) for path in _files())


def drawable(text: object) -> str:
    """Write a text in one line, of letters that the fonts here have.

    Control and format characters go, white space becomes one blank, and what no font has is named
    if it is a symbol ("[saxophone]") or becomes an empty square.
    """
    letters: list[str] = []
    marks = 0
    for letter in unicodedata.normalize("NFC", str(text)):
        kind = unicodedata.category(letter)
        marks = marks + 1 if kind in {"Mn", "Me"} else 0
        if letter.isspace():
            letters.append(" ")
        elif kind[0] != "C" and marks <= _MOST_MARKS:
            letters.append(letter if _is_drawable(letter) else _stand_in(letter, kind))
    return " ".join("".join(letters).split()) or "(no text)"


def _stand_in(letter: str, kind: str) -> str:
    if kind == "So":
        return f"[{unicodedata.name(letter, 'symbol').lower()}]"
    return "" if kind in {"Mn", "Me", "Sk"} else _UNDRAWABLE


def width(text: str, size: float) -> float:
    """How wide a drawable text is, in inches, at a size in points."""
    font = font_manager.FontProperties(family=list(fonts()), size=size)
    # TextToPath measures at its own size and scales: the unit is the point
    wide, _, _ = _MEASURE.get_text_width_height_descent(text, font, ismath=False)
    return float(wide) / 72


_MEASURE = TextToPath()


def shortened(text: object, inches: float, size: float) -> str:
    """Make a text drawable, and no wider than so many inches: its middle goes."""
    whole = drawable(text)
    # a long text is not measured whole: no letter that is worth reading is thinner than this
    most = max(4, int(inches * 72 / (size * 0.2)))
    if len(whole) <= most and width(whole, size) <= inches:
        return whole
    fits, fails = 1, min(len(whole), most)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if width(_cut(whole, middle), size) <= inches:
            fits = middle
        else:
            fails = middle
    return _cut(whole, fits)


def _cut(text: str, letters: int) -> str:
    tail = letters // 3
    return text[: letters - tail].rstrip() + _CUT + (text[-tail:].lstrip() if tail else "")


def labels(texts: Iterable[object], inches: float, size: float) -> list[str]:
    """Shorten texts so that different ones stay different."""
    given = list(texts)
    short = [shortened(text, inches, size) for text in given]
    seen: dict[str, list[object]] = {}
    for text, label in zip(given, short, strict=True):
        others = seen.setdefault(label, [])
        if text not in others:
            others.append(text)
    return [
        label if (at := seen[label].index(text)) == 0 else f"{label} #{at + 1}"
        for text, label in zip(given, short, strict=True)
    ]


def number_of(number: float, one: str, many: str = "") -> str:
    """A count with its word: "1 song", "1,204 songs"."""
    return f"{number:,.0f} {one if number == 1 else many or one + 's'}"


def percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= _LEAST or share == 0 else "< 1 %"


def counts(*given: tuple[str, Sequence[float]]) -> str:
    """Counts that may differ between what stands in one row: "12 tasks, 22 to 24 songs"."""
    note = []
    for one, numbers in given:
        low, high = min(numbers), max(numbers)
        note.append(number_of(high, one) if low == high else f"{low:,} to {number_of(high, one)}")
    return ", ".join(note)
