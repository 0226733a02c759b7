"""What a text asks of the sound of a song: tempo, length, and whether anyone sings. No I/O.

Only clear statements are read, since a wrong one would count against the songs. Keys are read by
`musical_keys`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from musicapi_nb.tasks.tag_reader import read_negative_tags, read_tags
from musicapi_nb.tasks.tags import tag_key

_SLOWEST, _FASTEST = 20.0, 400.0
_SHORTEST, _LONGEST = 5.0, 900.0
_LETTERS_BEFORE = 24
_DASHES = re.compile("[\u2010-\u2015\u2212\ufe58\ufe63~\u223c\u301c]")

_NUMBER = r"\d{2,3}(?:\.\d{1,2})?"
_UNIT = r"[ -]?(?:bpm|b\.p\.m\b|beats? ?(?:per|a|/) ?min(?:ute)?)s?(?![a-z])"
_JOIN = r" ?(?P<join>-|to|and|or|/|→|->|>) ?"
_ABOUT = r"(?:(?:of|at|is|around|about|approx(?:imately|\.)?|circa|ca\.?|roughly) ?|[:=≈-] ?)*"
_TEMPO = re.compile(
    rf"(?<![\w.#])(?<!\d,)(?:(?P<low>{_NUMBER})(?:{_UNIT})?{_JOIN})?(?P<bpm>{_NUMBER}){_UNIT}"
    rf"|(?:\b(?:bpm|tempo)|♩) ?{_ABOUT}(?:(?P<low2>{_NUMBER}) ?(?P<join2>-|to) ?)?"
    rf"(?P<bpm2>{_NUMBER})(?:{_UNIT})?(?![\w%/]|\.\d| ?/)",
    re.IGNORECASE,
)
_LIMIT_BEFORE = re.compile(
    r"(?:\b(?:no|not|never|avoid|without|under|below|over|above|beyond|max|maximum|min|minimum|least"
    r"|most|up to|than|until)|[<>≤≥])[ .:]*$",
    re.IGNORECASE,
)
_LIMIT_AFTER = re.compile(
    r" ?(?:\+|or (?:slower|faster|less|more|below|above|higher|lower)|max\b|min\b|minimum|maximum"
    r"|and (?:up|above|below)|at (?:most|least))",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\bbetween (?:about )?$", re.IGNORECASE)
_FROM = re.compile(r"\bfrom (?:about )?$", re.IGNORECASE)

_NOUN = r"(?:song|track|piece|tune|jingle|loop|instrumental|version|edit|cut|composition)"
_ADJECTIVE = r"(?:(?!the\b|in\b|into\b|of\b|this\b|intro\b|outro\b|solo\b|fade\b)[\w-]+ ){0,2}?"


def _length(name: str) -> str:
    """Return the pattern of minutes, seconds or both; `name` starts the names of its groups."""
    return (
        rf"(?:(?P<{name}_minutes>\d{{1,2}}(?:\.\d+)?)[ -]?(?:minutes?|mins?)"
        rf"(?:,? (?:and )?(?P<{name}_rest>\d{{1,2}})[ -]?(?:seconds?|secs?|s))?"
        rf"|(?P<{name}_seconds>\d{{1,3}}(?:\.\d+)?)[ -]?(?:seconds?|secs?))\b"
    )


def _clock(name: str) -> str:
    """Return the pattern of minutes and seconds such as 2:30."""
    return rf"(?P<{name}_clock>\d{{1,2}}:[0-5]\d)\b(?!:)"


_ABOUT_LENGTH = r"(?:about |around |approx\.? |ca\.? |- ?)?"
_WHOLE_TAG = rf"(?:^|[,;|\n.(]) ?{_ABOUT_LENGTH}{_length('tag')} ?(?=$|[,;|\n.)])"
_LABELLED = (
    rf"\b(?:length|duration|runtime|running time)(?: ?[:=] ?| of | is | ){_ABOUT_LENGTH}"
    rf"(?:{_length('label')}|{_clock('label')}|(?P<short_seconds>\d{{2,3}}) ?s\b)"
)
_LONG = (
    rf"(?<![\w.:])(?<!\d,)(?:{_length('long')}|{_clock('long')})"
    r" (?:long\b|in (?:length|duration)\b)"
)
_BEFORE_NOUN = (
    r"(?<![\w.:])(?<!\d,)(?:(?P<song_minutes>\d{1,2}(?:\.\d+)?)[ -]?min(?:ute)?"
    rf"|(?P<song_seconds>\d{{1,3}})[ -]?sec(?:ond)?)[ -]{_ADJECTIVE}{_NOUN}\b"
)
_LENGTHS = tuple(
    re.compile(pattern, re.IGNORECASE) for pattern in (_WHOLE_TAG, _LABELLED, _LONG, _BEFORE_NOUN)
)

_INSTRUMENTAL = re.compile(
    r"(?<![\w-])(?:instrumental|纯音乐|純音樂)(?![\w-])"
    r"(?! (?:\w+ )?(?:breaks?|breakdowns?|intros?|outros?|solos?|bridges?|interludes?|sections?"
    r"|passages?|parts?|hooks?|openings?|endings?|codas?|preludes?|verses?|chorus(?:es)?|fills?"
    r"|introduction|lead-in)\b)",
    re.IGNORECASE,
)
_NOT_INSTRUMENTAL = re.compile(
    r"\b(?:no|not|not an|non|never|without|without any|avoid|mostly|partly|partially|half|semi"
    r"|almost|nearly)[ -]?$",
    re.IGNORECASE,
)
_SINGING = frozenset(
    map(tag_key, ("vocals", "singing", "sung vocals", "Gesang", "人声", "voces", "voix", "voci"))
)


class Tempo(NamedTuple):
    """Beats a minute, from `low` to `high`; they are equal if one figure is requested."""

    low: float
    high: float

    def __str__(self) -> str:
        return (
            f"{self.low:g} bpm" if self.low == self.high else f"{self.low:g} to {self.high:g} bpm"
        )


class TempoMention(NamedTuple):
    """A tempo that a text names, and the words that name it."""

    tempo: Tempo
    text: str


class LengthMention(NamedTuple):
    """A length in seconds that a text names, and the words that name it."""

    seconds: float
    text: str


def plain_text(text: str) -> str:
    """Return a text in compatibility form, with single spaces and plain dashes; case stays."""
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    return re.sub(r"[^\S\n]+", " ", _DASHES.sub("-", text)).strip()


def find_tempi(text: str) -> Iterator[TempoMention]:
    """Yield the tempi in beats a minute that a plain text names, in order.

    "90-100 bpm" and "between 90 and 100 bpm" are a range; "from 90 to 120 bpm", "90 or 120 bpm" and
    "90/120 bpm" are two tempi. Limits ("under 100 bpm", "140+ bpm") and words ("slow", "allegro")
    are not read: the ranges of tempo words differ between books and metronomes.
    """
    for match in _TEMPO.finditer(text):
        before = _words_before(match)
        if _LIMIT_BEFORE.search(before) or _LIMIT_AFTER.match(text, match.end()):
            continue
        high = float(match["bpm"] or match["bpm2"])
        low = float(match["low"] or match["low2"] or high)
        join = (match["join"] or match["join2"] or "").lower()
        figures = sorted({bpm for bpm in (low, high) if _SLOWEST <= bpm <= _FASTEST})
        is_range = join in {"-", "to"} and not _FROM.search(before)
        is_range |= join == "and" and bool(_BETWEEN.search(before))
        if is_range and figures:
            yield TempoMention(Tempo(figures[0], figures[-1]), match[0].strip())
        else:
            yield from (TempoMention(Tempo(bpm, bpm), match[0].strip()) for bpm in figures)


def find_lengths(text: str) -> Iterator[LengthMention]:
    """Yield the lengths that a plain text asks of the whole song.

    A length is a tag of its own ("3 minutes"), has a label ("duration: 2:30") or describes the song
    ("a 90-second jingle", "3 minutes long"). "The drums enter after 30 seconds" is none.
    """
    for pattern in _LENGTHS:
        for match in pattern.finditer(text):
            if _LIMIT_BEFORE.search(_words_before(match)):
                continue
            groups = match.groupdict().items()
            numbers = {name.split("_")[1]: value for name, value in groups if value is not None}
            minutes, _, clock_seconds = numbers.get("clock", "0:0").partition(":")
            seconds = 60 * float(numbers.get("minutes", minutes))
            seconds += float(numbers.get("seconds", numbers.get("rest", clock_seconds)))
            if _SHORTEST <= seconds <= _LONGEST:
                yield LengthMention(seconds, match[0].strip(" ,;|\n.("))


def find_instrumental(text: str) -> str | None:
    """Return the words of a plain text that ask for a song without singing, else None.

    "instrumental" counts, also within a tag ("instrumental hip hop"), but not of a part of the song
    ("instrumental break"); so do "no vocals", "without singing" and the like. "no lyrics" does not:
    a voice can sing without words.
    """
    for match in _INSTRUMENTAL.finditer(text):
        if not _NOT_INSTRUMENTAL.search(_words_before(match)):
            return match[0]
    tags = read_tags(text, {})
    return next((tag.text for tag in tags if tag.negated and tag.key in _SINGING), None)


def find_avoided(text: str) -> tuple[bool, str] | None:
    """Return whether tags to avoid ask for an instrumental (they avoid vocals), and the tag.

    False if they avoid instrumentals; None if they mention neither.
    """
    for tag in read_negative_tags(text, {}):
        if tag.key in _SINGING:
            return True, tag.text
        if tag.key == tag_key("instrumental"):
            return False, tag.text
    return None


def _words_before(match: re.Match[str]) -> str:
    """Return the letters before a match, as many as its limits and negations need."""
    return match.string[max(0, match.start() - _LETTERS_BEFORE) : match.start()]


def is_instrumental_mark(lyrics: str) -> bool:
    """Return whether lyrics are nothing but marks in brackets, one of them "[Instrumental]"."""
    marks = re.findall(r"\[([^\]\n]*)\]", lyrics)
    rest = re.sub(r"\[[^\]\n]*\]", "", lyrics)
    return not rest.strip() and any(mark.strip().casefold() == "instrumental" for mark in marks)
