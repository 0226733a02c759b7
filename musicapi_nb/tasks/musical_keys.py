"""Musical keys: spellings in a text, and how one key relates to another. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, TypeAlias

Mode: TypeAlias = Literal["major", "minor"]
KeyRelation: TypeAlias = Literal["exact", "relative", "fifth", "parallel", "other"]

_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_NATURALS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_SIGNS = {"#": 1, "♯": 1, "sharp": 1, "升": 1, "b": -1, "♭": -1, "flat": -1, "降": -1}
_MODES: dict[str, Mode] = {
    **dict.fromkeys(("major", "maj", "大调", "大調", "长调", "長調"), "major"),
    **dict.fromkeys(("minor", "min", "m", "小调", "小調", "短调", "短調"), "minor"),
}
_TONICS = 12
_FIFTHS = (5, 7)
_RELATIVE_MAJOR = 3  # semitones above the tonic of a minor key

_SIGN = r"(?:[ -]?(#|♯|♭|sharp|flat)|(b))?"
_SPELLED = re.compile(
    rf"(?<![\w#♯♭'-])([a-g]){_SIGN}(?P<gap>[ -]?)(?:natural |harmonic |melodic )?"
    r"(?P<mode>major|minor|maj|min)\b(?!'| ?(?:6|7|9|11|13)\b| chords?\b)",
    re.IGNORECASE,
)
_GERMAN = re.compile(r"(?<![\w-])([a-h])(is|es|s)?[ -]?(dur|moll)\b", re.IGNORECASE)
_CHINESE = re.compile(r"([升降])?(?<![A-Za-z])([A-Ga-g])([#♯♭b])?\s?([大小长短長][调調])")
_SHORT = re.compile(r"(?<![\w#♯♭'.-])([A-G])([#♯♭b])?m(?![\w#♯♭'])")
_TONIC_ALONE = re.compile(
    rf"\b(?:key|tonality)(?: signature)?(?: ?[:=] ?| of | is | )([a-g]){_SIGN}(?![\w#♯♭'])"
    r"(?![ -]?(?:(?:natural|harmonic|melodic) )?(?:major|minor|maj|min|dur|moll)\b)"
    r"(?![ -]?(?:dorian|phrygian|lydian|mixolydian|locrian|aeolian|ionian|blues)\b)",
    re.IGNORECASE,
)
_CHORD = re.compile(r"[A-G][#♯♭b]?(?:m|maj|min|dim|aug|sus)?\d{0,2}")
_SEPARATOR = re.compile(r"[,;|/\n(){}\[\]。、]|\s-\s|(?<=\w)[.!?](?=\s|$)")
_TEMPO = re.compile(r"\b\d{2,3}(?:\.\d+)? ?bpm\b|\bbpm ?[:=]? ?\d{2,3}\b", re.IGNORECASE)
_KEY_BEFORE = re.compile(
    r"(?:^|\b(?:in|key|of|key ?[:=]|key is|tonality|scale of)) ?$", re.IGNORECASE
)
_ARTICLE_BEFORE = re.compile(
    r"(?<!\bkey )\b(?:of|by|with|from|as|for|like|is|was|such|what|on|into) $", re.IGNORECASE
)
_NEGATED = re.compile(r"\b(?:no|not|not in|never|without|avoid|except)\s*$", re.IGNORECASE)
_NO_TONIC = re.compile(r"\b(?:plan|side|vitamin|grade|class|option)\s*$", re.IGNORECASE)
_GOES_ON = re.compile(
    r" *(?:$|(?:at|with|tempo|bpm|around|about|♩)\b|[\d~@]"
    r"|(?:or|and|to) [a-g](?:#|♯|♭|b|-?sharp|-?flat)?[ -]?(?:m|major|minor|maj|min)\b)",
    re.IGNORECASE,
)
_GERMAN_SIGNS = {None: 0, "is": 1, "es": -1, "s": -1}


class Key(NamedTuple):
    """A key: its tonic in semitones above C, 0 to 11, and its mode."""

    tonic: int
    mode: Mode

    @property
    def name(self) -> str:
        """The name in one spelling, such as "A minor" or "F# major"."""
        return f"{_NAMES[self.tonic]} {self.mode}"


class KeyMention(NamedTuple):
    """A key that a text names, and the words that name it."""

    key: Key
    text: str


def key_relation(requested: Key, measured: Key) -> KeyRelation:
    """Return how a measured key relates to the requested one.

    "relative": the same notes (A minor, C major). "fifth": the same mode, a fifth above or below.
    "parallel": the same tonic, the other mode. These are the near misses that the evaluation of
    key detection at MIREX gives part of the points for.
    """
    if requested == measured:
        return "exact"
    distance = (measured.tonic - requested.tonic) % _TONICS
    if requested.mode == measured.mode:
        return "fifth" if distance in _FIFTHS else "other"
    if distance == 0:
        return "parallel"
    expected = _RELATIVE_MAJOR if requested.mode == "minor" else _TONICS - _RELATIVE_MAJOR
    return "relative" if distance == expected else "other"


def read_key(letter: str, sign: str | None, mode: str) -> Key:
    """Return the key of a letter, an accidental such as "#" or "flat", and a word for the mode."""
    tonic = _NATURALS[letter.lower()] + _SIGNS.get((sign or "").lower(), 0)
    return Key(tonic % _TONICS, _MODES[mode.lower()])


def find_keys(text: str) -> Iterator[KeyMention]:
    """Yield the keys that a text names, in no order and perhaps repeated.

    The letter A is also an article, and "Am" a word: "a minor setback", "in a major way" and "I Am"
    name no key, "in a minor" and "Am, 90 bpm" do. "key of C" alone is C major, as musicians say.
    Modes other than major and minor, lists of chords and keys to avoid are not read. German names
    count as such: "h-moll" is B minor, "B-Dur" B flat major.
    """
    for pattern, read in ((_GERMAN, _german), (_CHINESE, _chinese), (_TONIC_ALONE, _tonic_alone)):
        for match in pattern.finditer(text):
            key = read(match)
            if key is not None and not _NEGATED.search(text[: match.start()]):
                yield KeyMention(key, match[0])
    for part in _SEPARATOR.split(text):
        for match in _SPELLED.finditer(part):
            before, after = part[: match.start()], part[match.end() :]
            excluded = _NEGATED.search(before) or _NO_TONIC.search(before)
            if not excluded and (match[1] not in "aA" or _is_tonic_a(match, before, after)):
                key = read_key(match[1], match[2] or match[3], match["mode"])
                yield KeyMention(key, match[0])
    yield from _short_keys(text)


def replace_foreign_keys(text: str, replacement: Callable[[Key], str]) -> str:
    """Replace keys that have German or Chinese names, such as "h-moll", which is B minor."""

    def german(match: re.Match[str]) -> str:
        key = _german(match)
        return match[0] if key is None else replacement(key)

    return _CHINESE.sub(lambda match: replacement(_chinese(match)), _GERMAN.sub(german, text))


def parse_key(text: str) -> Key | None:
    """Read a text that is a key and nothing else, such as "A minor" or "F#m"; None otherwise."""
    text = " ".join(text.split())
    if match := _SHORT.fullmatch(text):
        return read_key(match[1], match[2], "minor")
    if match := _SPELLED.fullmatch(text):
        return read_key(match[1], match[2] or match[3], match["mode"])
    return _german(match) if (match := _GERMAN.fullmatch(text)) else None


def _german(match: re.Match[str]) -> Key | None:
    letter, sign = match[1].lower(), match[2].lower() if match[2] else None
    if sign == "s" and letter not in "ae":
        return None
    tonic = {"h": 11, "b": 10}.get(letter, _NATURALS.get(letter, 0)) + _GERMAN_SIGNS[sign]
    return Key(tonic % _TONICS, "major" if match[3].lower() == "dur" else "minor")


def _chinese(match: re.Match[str]) -> Key:
    return read_key(match[2], match[1] or match[3], match[4])


def _tonic_alone(match: re.Match[str]) -> Key | None:
    """Read "key of C"; of "key of a ..." only the capital letter, or the end of the text."""
    after = match.string[match.end() :].strip()
    is_article = match[1] == "a" and not (match[2] or match[3]) and after[:1].isalpha()
    return None if is_article else read_key(match[1], match[2] or match[3], "major")


def _is_tonic_a(match: re.Match[str], before: str, after: str) -> bool:
    """Return whether the A of "A minor" is a note, and not the article."""
    if match["gap"] != " " or match[2] or match[3]:
        return True  # "A-minor", "Amin", "Ab minor"
    goes_on = bool(_GOES_ON.match(after))
    if goes_on and _KEY_BEFORE.search(before):
        return True
    # a capital amid small letters is a note; at the start and in titles, it says nothing
    mode, next_word = match["mode"], after.strip()
    is_title = mode.istitle() and next_word[:1].isupper()
    is_phrase = bool(next_word[:1].isalpha() and not goes_on and _ARTICLE_BEFORE.search(before))
    is_amid = match[1] == "A" and bool(before.strip()) and not mode.isupper()
    return is_amid and not is_title and not is_phrase


def _short_keys(text: str) -> Iterator[KeyMention]:
    """Read "Am" where it is a whole tag or follows "in" or "key", and "F#m" anywhere."""
    parts = [" ".join(_TEMPO.sub(" ", part).split()) for part in _SEPARATOR.split(text)]
    chords = {part for part in parts if _CHORD.fullmatch(part)}
    for part in parts:
        pieces = part.split()
        listed = len(chords) > 1 or sum(bool(_CHORD.fullmatch(piece)) for piece in pieces) > 1
        for match in _SHORT.finditer(part):
            before, after = part[: match.start()], part[match.end() :]
            is_clear = bool(match[2]) or (not before.strip() and not after.strip())
            is_clear |= bool(re.search(r"\b(?:in|key|key of|key ?[:=]) ?$", before, re.IGNORECASE))
            if is_clear and not listed and not _NEGATED.search(before):
                yield KeyMention(read_key(match[1], match[2], "minor"), match[0])
