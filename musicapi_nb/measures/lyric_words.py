"""Lyrics as lines of words that can be compared: without marks, case, punctuation. No I/O."""

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u00b4`\uff07\u2032", "'"))
# Scripts that put no space between words; code points from The Unicode Standard, Blocks.txt.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),  # iteration mark, zero
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana extensions
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),  # Han, compatibility
    (0x20000, 0x3FFFF),  # Han, extensions
)
_ACCENTS = (0x0300, 0x036F)
_LATIN_AND_GREEK = ((0x0041, 0x02AF), (0x0370, 0x03FF))  # base letters, once decomposed
# Vowel signs that are usually not written: Hebrew points; Arabic marks and the letter stretcher.
_OPTIONAL_SIGNS = ((0x0591, 0x05C7), (0x064B, 0x065F), (0x0670, 0x0670), (0x0640, 0x0640))

# The classes exclude what opens a pair, so that no text takes quadratic time.
_OPENING, _CLOSING = r"\[\u3010\u3014\uff3b", r"\]\u3011\u3015\uff3d"  # also of East Asian texts
_BRACKETS = re.compile(
    rf"[{_OPENING}][^{_OPENING}{_CLOSING}\n]*[{_CLOSING}]|\*[^*\n]+\*"  # [Verse] or *claps*
)
_PARENTHESES = re.compile(r"\(([^()\n]*)\)")
_SECTION = (
    r"(?:(?:pre|post|first|last|final|instrumental|vocal)[\s-]*)*"
    r"(?:verse|chorus|refrain|bridge|intro|outro|interlude|instrumental)"
)
_DIRECTION = (  # words that could be a line of lyrics, too
    r"(?:(?:(?:guitar|piano|drum|sax|bass|synth|instrumental|repeat|final)[\s-]*)*"
    r"(?:hook|break|breakdown|drop|solo|repeat|chorus|verse)|fade[\s-]*(?:out|in))"
)
_TIMES = r"x\s*\d+|\d+\s*x"
_NUMBER = rf"(?:\s*(?:{_TIMES}|\d+|[ivx]+))?"
_HEADING = re.compile(rf"{_SECTION}{_NUMBER}\s*:?|{_DIRECTION}{_NUMBER}\s*:", re.IGNORECASE)
_ASIDE = re.compile(rf"(?:{_SECTION}|{_DIRECTION}){_NUMBER}|{_TIMES}", re.IGNORECASE)
_AROUND_HEADING = " \t#-[]*"


class LyricWord(NamedTuple):
    """A word, or a character of a script without spaces: how it is compared, and where it is.

    `line` is an index of lines of the text, `offset` that of its first character.
    """

    key: str
    line: int
    offset: int


def lyric_words(text: str) -> list[LyricWord]:
    """Return the words of lyrics in order, as they are compared.

    Not words: what is in square brackets or between asterisks; and section names that are all of a
    line or of a pair of parentheses, such as "Chorus:" and "(guitar solo)". Other parentheses are
    sung by backing voices, so their words count.

    Words are compared without case, punctuation, apostrophes (don't = dont), accents of Latin and
    Greek letters, and optional vowel signs of Hebrew and Arabic. Hyphens separate words. In scripts
    without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each character is a word. `text`
    is the result of `comparable_text`.
    """
    words = []
    offset = 0
    for index, line in enumerate(text.split("\n")):
        words += [
            LyricWord(key, index, offset + start) for key, start in _keys(_without_marks(line))
        ]
        offset += len(line) + 1
    return words


def comparable_text(text: str) -> str:
    """Return a text with one form of each character (NFKC) and of apostrophes and line ends."""
    lines = re.sub(r"\r\n?|[\u2028\u2029\v\f]", "\n", text)
    return unicodedata.normalize("NFKC", lines.translate(_APOSTROPHES))


def shown_text(text: str) -> str:
    """Return a part of lyrics on one line and without section marks, to be shown."""
    return " ".join(" ".join(map(_without_marks, text.split("\n"))).split())


def is_unspaced(key: str) -> bool:
    """Return whether a key is a character of a script without spaces."""
    return _in_ranges(key[0], _UNSPACED)


def mostly_unspaced(keys: Sequence[str]) -> bool:
    """Return whether most words are characters of scripts without spaces."""
    return sum(map(is_unspaced, keys)) * 2 > len(keys)


def _without_marks(line: str) -> str:
    """Replace text that is not sung by spaces, which keeps the positions of other characters."""
    line = _BRACKETS.sub(_blank, line)
    line = _PARENTHESES.sub(
        lambda group: _blank(group) if _ASIDE.fullmatch(group[1].strip()) else group[0], line
    )
    return " " * len(line) if _HEADING.fullmatch(line.strip(_AROUND_HEADING)) else line


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _keys(line: str) -> list[tuple[str, int]]:
    """Split a line into words: their keys, and their starts in the line."""
    words: list[tuple[str, int]] = []
    start, letters = 0, ""
    for index, letter in enumerate(f"{line} "):
        kind = _kind(letter)
        if kind == "skipped":
            continue
        if letters and (kind == "mark" or (kind == "letter" and not is_unspaced(letters))):
            letters += letter
            continue
        if key := word_key(letters):
            words.append((key, start))
        start, letters = index, letter if kind in {"letter", "character"} else ""
    return words


@functools.lru_cache(maxsize=4096)
def _kind(letter: str) -> str:
    """Return whether a character is a letter, a word of its own, a mark on one, or skipped."""
    category = unicodedata.category(letter)
    if category[0] in "LN":
        return "character" if _in_ranges(letter, _UNSPACED) else "letter"
    if category[0] == "M":
        return "mark"
    return "skipped" if letter == "'" or category == "Cf" else "space"


@functools.lru_cache(maxsize=8192)
def word_key(word: str) -> str:
    """Return a word in the form in which it is compared; "" if nothing is left of it."""
    letters, base = [], ""
    for letter in unicodedata.normalize("NFD", word.casefold()):
        if _in_ranges(letter, (_ACCENTS,)):
            if _in_ranges(base or "A", _LATIN_AND_GREEK):
                continue
        else:
            base = letter
        if not _in_ranges(letter, _OPTIONAL_SIGNS):
            letters.append(letter)
    return unicodedata.normalize("NFC", "".join(letters))


def _in_ranges(letter: str, ranges: Iterable[tuple[int, int]]) -> bool:
    return any(first <= ord(letter) <= last for first, last in ranges)
