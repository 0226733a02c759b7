"""Text on plots: short labels, drawable with the installed fonts, from hostile or long text."""

import functools
import logging
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.textpath import TextToPath

from musicapi_nb import markup
from musicapi_nb.audio.units import LABELS, label_text

# DejaVu Sans comes with matplotlib; the others are used where installed. Fonts of coloured bitmaps
# (Noto Color Emoji, Apple Color Emoji) are not listed: matplotlib cannot draw them.
_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Zen Hei",
    "IPAexGothic",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Tamil",
    "Noto Sans Thai",
    "Noto Emoji",
    "Segoe UI Emoji",
    "Segoe UI Symbol",
    "Symbola",
)
_EAST_ASIAN = frozenset(
    [
        *("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"),
        *("FULLWIDTH", "HALFWIDTH", "IDEOGRAPHIC"),
    ]
)
"""The first words of the Unicode names of East Asian letters."""
_MAX_MARKS = 2  # combining marks of one letter
_MIN_PERCENT_SHARE = 0.005  # smaller shares would round to 0 %
_UNDRAWABLE = "\N{WHITE SQUARE}"
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_TEXT_TO_PATH = TextToPath()
_log = logging.getLogger(__name__)


@functools.cache
def fonts() -> tuple[str, ...]:
    """Return the installed font families; the first one that has a letter draws it."""
    installed = set(font_manager.fontManager.get_font_names())
    return tuple(name for name in _FONTS if name in installed)


@functools.cache
def _font_files() -> tuple[str, ...]:
    properties = (font_manager.FontProperties(family=[name]) for name in fonts())
    return tuple(str(font_manager.findfont(font)) for font in properties)


@functools.lru_cache(maxsize=4096)
def _is_drawable(letter: str) -> bool:
    return any(font_manager.get_font(path).get_char_index(ord(letter)) for path in _font_files())


def to_drawable(text: object) -> str:
    """Return a text as one line of letters that the installed fonts have.

    Control and format characters are removed and white space is collapsed. A letter without a
    font becomes its name if it is a symbol ("[saxophone]"), else an empty square, and a logged
    warning says once which package has a font.
    """
    letters: list[str] = []
    marks = 0
    for letter in unicodedata.normalize("NFC", str(text)):
        category = unicodedata.category(letter)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if letter.isspace():
            letters.append(" ")
        elif category[0] != "C" and marks <= _MAX_MARKS:
            letters.append(letter if _is_drawable(letter) else _substitute(letter, category))
    return " ".join("".join(letters).split()) or "(no text)"


def _substitute(letter: str, category: str) -> str:
    if category == "So":
        return f"[{unicodedata.name(letter, 'symbol').lower()}]"
    if category in {"Mn", "Me", "Sk"}:
        return ""
    script = unicodedata.name(letter, "unknown").split()[0]
    if script in _EAST_ASIAN:
        python = "mplfonts (then run `mplfonts init`) or, for Japanese, matplotlib-fontja"
        _warn_of_missing_font("East Asian", f"fonts-noto-cjk, or from PyPI {python}")
    else:
        _warn_of_missing_font(script.title(), "fonts-noto-core")
    return _UNDRAWABLE


@functools.cache
def _warn_of_missing_font(script: str, package: str) -> None:
    """Log once for each script which package to install."""
    _log.warning(
        "Plots show %s letters as empty squares, because no installed font has them. Install the "
        "Debian or Ubuntu package %s. Then delete the fontlist files in %s and restart the kernel.",
        *(script, package, mpl.get_cachedir()),
    )


def width(text: str, size: float) -> float:
    """Return the width in inches of a drawable text of a size in points."""
    font = font_manager.FontProperties(family=list(fonts()), size=size)
    points, _, _ = _TEXT_TO_PATH.get_text_width_height_descent(text, font, ismath=False)
    return float(points) / 72


def shorten(text: object, inches: float, size: float) -> str:
    """Return a drawable text of at most this width; its middle is omitted if necessary."""
    full = to_drawable(text)
    # bounds the texts that are measured: no readable letter is thinner than this
    max_letters = max(4, int(inches * 72 / (size * 0.2)))
    if len(full) <= max_letters and width(full, size) <= inches:
        return full
    numbers = range(1, min(len(full), max_letters))
    fitting = bisect_right(numbers, inches, key=lambda n: width(_without_middle(full, n), size))
    return _without_middle(full, max(fitting, 1))


def _without_middle(text: str, letters: int) -> str:
    tail = letters // 3
    return text[: letters - tail].rstrip() + _ELLIPSIS + (text[-tail:].lstrip() if tail else "")


def shorten_labels(texts: Iterable[str], inches: float, size: float) -> list[str]:
    """Shorten texts, numbering different ones that became equal."""
    numbers: dict[str, dict[str, int]] = {}
    labels = []
    for text in texts:
        label = shorten(text, inches, size)
        same_label = numbers.setdefault(label, {})
        number = same_label.setdefault(text, len(same_label) + 1)
        labels.append(label if number == 1 else f"{label} #{number}")
    return labels


def outcome_text(outcome: object) -> str:
    """Return the name of an outcome; of a column of audio features "Tempo (bpm)" and the like."""
    name = str(outcome)
    return label_text(name) if name in LABELS else name


def percent(share: float) -> str:
    """Return a share in percent: "25 %"."""
    is_small = 0 < share < _MIN_PERCENT_SHARE
    return "< 1 %" if is_small else f"{share:.0%}".replace("%", " %")


def format_counts(*counts: tuple[str, Sequence[float]]) -> str:
    """Return ranges of numbers with their nouns: "12 tasks, 22 to 24 songs"."""
    texts = []
    for noun, numbers in counts:
        low, high = min(numbers), max(numbers)
        texts.append(f"{low:,} to " * (low < high) + markup.plural(high, noun))
    return ", ".join(texts)
