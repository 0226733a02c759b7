"""The words of a tag in one spelling, so that tags can be compared. No I/O."""

from __future__ import annotations

import re
import unicodedata

from musicapi_nb.tasks.musical_keys import Key, read_key, replace_foreign_keys

FRACTION = "\N{FRACTION SLASH}"
"""Stands between the numbers of a metre; everywhere else a slash separates tags."""

# Marks that a spelling may leave out: accents, Arabic and Hebrew vowel points. In other scripts
# (Devanagari, Thai, Japanese) marks are letters of their own and stay.
_MARKS = re.compile(
    "[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]"
)
# Letters that NFKD does not take apart, and Persian forms of Arabic letters.
_LETTERS = str.maketrans(
    {
        "ø": "o",
        "æ": "ae",
        "œ": "oe",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ı": "i",
        "ک": "ك",
        "ی": "ي",
        "ى": "ي",
        **dict.fromkeys("™®©", " "),
        **dict.fromkeys("‘’‛´`ʼʹ′＇", "'"),
        FRACTION: "/",
        "∕": "/",
    }
)
_TONIC_WORDS = (
    *("c", "csharp", "d", "dsharp", "e", "f"),
    *("fsharp", "g", "gsharp", "a", "asharp", "b"),
)
"""The word of each tonic; tonics of equal pitch have one word."""
_SPELLED_KEY = re.compile(
    r"\b(?!a (?:major|minor) key)"
    r"([a-g])[ -]?(#|♯|♭|b(?=[ -]?m)|sharp|flat)?[ -]?(major|minor|maj|min)\b"
)
_SIGNED_KEY = re.compile(r"\b([a-g])(#|♯|♭)(m|)(?!\w)")
_WHOLE_KEY = re.compile(r"([a-g])[ -]?(#|♯|♭|b|sharp|flat)?[ -]?(m|)")
_TEMPO = re.compile(
    r"\b(\d{2,3})(?:\.0+)? ?(?:bpm|beats? (?:per|a|/) ?minute|beats?/min)\b"
    r"|(?:\b(?:bpm|tempo)|♩) ?[:=]? ?(\d{2,3})\b(?! ?bpm)"
)
_METRE = re.compile(r"(?<![\w/])(\d{1,2}) ?/ ?(\d{1,2})(?![\w/])")
_DECADE = re.compile(r"(?<!\w)'?(1[5-9]|20|)(\d0)(?:(?:'?s|ies|er(?: jahre)?|-?[ех])(?!\w)|年代)")
_CENTURIES = {"00": "20", "10": "20"}  # of a decade without one; the others are of the 20th
_DECADES = {
    "twenties": "1920s",
    "thirties": "1930s",
    "forties": "1940s",
    "fifties": "1950s",
    "sixties": "1960s",
    "seventies": "1970s",
    "eighties": "1980s",
    "nineties": "1990s",
    "noughties": "2000s",
    "aughts": "2000s",
}
_AND = re.compile(r"&|(?<=\w)[ ]?'n'[ ]?(?=\w)|(?<=\w) (?:'n|n') (?=\w)")
_INITIALS = re.compile(r"\b(?:\w\.){2,}")
_PLURAL = re.compile(r"[a-z]{4,}")
_NOT_PLURAL = ("ss", "us", "is", "blues", "series", "lens", "chaos")
# Forms of one word, inside any tag. A form that others are joined with ("synthpop") is the result.
_FORMS = {
    **dict.fromkeys(("voice", "vox", "vocalist", "singer"), "vocal"),
    **dict.fromkeys(("synthesizer", "synthesiser"), "synth"),
    "men": "male",
    "man": "male",
    "women": "female",
    "woman": "female",
    "sax": "saxophone",
    "theater": "theatre",
    "und": "and",
}
_GENERIC = frozenset({"music", "style", "genre", "vibe", "sound", "feel", "only"})
"""Words that add nothing at the end of a tag: "jazz music" is "jazz"."""
_AROUND_NUMBERS = frozenset(
    {"in", "the", "key", "of", "scale", "tempo", "time", "signature", "at", "metre", "meter"}
)
_NUMBERS = re.compile(rf"\d+bpm|\d+{FRACTION}\d+|(?:[a-g]|[acdfg]sharp)(?:major|minor)")


class _Characters(dict[int, str]):
    """For `str.translate`: letters, digits and marks stay, other characters become spaces."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        # format characters (joiners, directions, soft hyphens) do not part words
        result = character if kind[0] in "LNM" or character == FRACTION else " "
        self[code] = "" if kind == "Cf" else result
        return self[code]


_CHARACTERS = _Characters()


def tag_words(text: str) -> tuple[str, ...]:
    """Return the words of a tag in one spelling; none if it has no letter and no digit.

    Compatibility forms, case, accents, punctuation, symbols and emoji are removed; dashes and
    underscores part words; & and 'n' are "and"; plurals are singular; "80s" and "eighties" are
    "1980s". A key, a tempo and a metre are one word each: "Am" and "A minor" are "aminor",
    enharmonic keys are one, "120 BPM" is "120bpm". A last word such as "music" is left out.
    Takes time in proportion to the length of the text.
    """
    text = _fold(text)
    if (key := _WHOLE_KEY.fullmatch(text.strip(" .!"))) and any(key.groups()[1:]):
        return (_key_word(key),)
    text = _DECADE.sub(_decade, text)
    text = _TEMPO.sub(lambda match: f" {match[1] or match[2]}bpm ", text)
    text = _METRE.sub(rf" \1{FRACTION}\2 ", text)
    text = replace_foreign_keys(text, lambda key: f" {_word_of(key)} ")
    text = _SIGNED_KEY.sub(_key_word, _SPELLED_KEY.sub(_key_word, text))
    text = _INITIALS.sub(lambda match: match[0].replace(".", ""), text)
    text = _AND.sub(" and ", text).replace("'", "")
    words = [_word(word) for word in text.translate(_CHARACTERS).split()]
    for index in range(1, len(words) - 1):
        words[index] = "and" if words[index] == "n" else words[index]
    while len(words) > 1 and words[-1] in _GENERIC:
        words.pop()
    numbers = [word for word in words if word not in _AROUND_NUMBERS]
    if len(numbers) == 1 and _NUMBERS.fullmatch(numbers[0]):
        return (numbers[0],)
    return tuple(words)


def join_words(words: tuple[str, ...] | list[str]) -> str:
    """Return words without spaces, so that joined and parted spellings are equal."""
    joined = "".join(words)
    return _word(joined if len(words) == 1 else joined.replace(FRACTION, ""))


def _fold(text: str) -> str:
    """Return a text without marks, in lower case, with single spaces and plain dashes."""
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS)).casefold()
    text = _MARKS.sub("", unicodedata.normalize("NFKD", text)).translate(_LETTERS)
    text = re.sub(r"[\u2010-\u2015\u2212\ufe58\ufe63]", "-", unicodedata.normalize("NFC", text))
    return re.sub(r"[\s_]+", " ", text)


def _key_word(match: re.Match[str]) -> str:
    letter, sign, mode = match.groups()
    key = read_key(letter, sign, mode or "major")
    # "F#" alone has no mode
    return _word_of(key) if mode else _TONIC_WORDS[key.tonic]


def _word_of(key: Key) -> str:
    return _TONIC_WORDS[key.tonic] + key.mode


def _decade(match: re.Match[str]) -> str:
    century = match[1] or _CENTURIES.get(match[2], "19")
    return f" {century}{match[2]}s "


def _word(word: str) -> str:
    if word in _DECADES:
        return _DECADES[word]
    if _PLURAL.fullmatch(word) and word.endswith("s") and not word.endswith(_NOT_PLURAL):
        word = word[:-1]
        if word.endswith(("che", "she", "xe", "sse", "zze")):
            word = word[:-1]
        elif word.endswith("ie"):
            word = f"{word[:-2]}y"
    elif re.fullmatch(r"\d{3}s", word):  # "808s"
        word = word[:-1]
    return _FORMS.get(word, word)
