"""Reading requested tags from what a person wrote: lists in any script, sentences, negations.

The text is only read for analysis and display; requests are sent as they were written. No I/O.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from musicapi_nb.tasks.tag_vocabulary import entries, is_number_tag, key_of_words
from musicapi_nb.tasks.tag_words import FRACTION, tag_words
from musicapi_nb.tasks.tags import tag_key

_MAX_WORDS = 8  # of a tag that is looked for in a sentence
_LIST_WORDS, _PART_WORDS = 4, 3
"""A text of more words is read as a sentence; a longer part of one is no tag if it is unknown."""

_EMOJI = "\U0001f000-\U0001faff\u2600-\u2668\u266a-\u266c\u2670-\u27bf\u2b00-\u2bff\u200d\ufe0f"
_SEPARATORS = re.compile(
    r"[,;|\n\r\t\v\f\x1c-\x1e\x85\u2028\u2029、，；｜،؛፣፤՝߸᠂᠈﹐﹑﹔｡。।॥•·・･●▪‣◦¦‖│…"
    rf"«»„“”\"‹›「」『』【】〈〉《》\[\]{{}}<>＂［］｛｝＜＞*{_EMOJI}]+"
    r"|(?:^|(?<=\s))[-\u2010-\u2015]+(?=\s|$)|(?<=\w\w)\.(?=\s|$)|[!?！？]+(?=\s|$)"
    r"|(?:^|(?<=\s)|(?<=\w\w))[#＃](?=\w)|'\s'"
)
_SOFT_SEPARATORS = re.compile(r"(?<!\d)\s*[/／+＋()（）]\s*|\s*[/／+＋()（）]\s*(?!\d)")
_LABEL = re.compile(
    r"\s*(?:(?:sub)?genres?|styles?(?: of music)?|moods?|instruments?|instrumentation|vocals?|era"
    r"|tempo|key|tags?|vibes?|bpm|time signature|风格|ジャンル|género|genre musical)\s*[:：=]\s*"
    r"(?!\s*\d)",
    re.IGNORECASE,
)
_SPACES = re.compile(r"[^\S\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")  # all but line ends
_COLON = re.compile(r"\s*[:：](?!\s*\d)\s*")
_CJK = re.compile(
    "[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]+"
)


def _words(text: str) -> frozenset[str]:
    """Return words of a list as `tag_words` spells them."""
    return frozenset(tag_words(word)[0] for word in text.split())


_ARTICLES = _words(
    "a an the some any my your very really that which is are it its this these un una el la los "
    "las le les une des der die das ein eine einen einem einer il lo gli uno um uma os as het een"
)
_OPENERS = _words(
    "a an the i make create write give please want generate compose play un una une ein eine uma"
)
"""First words of a sentence, which is then read as one up to its end."""
_CONNECTORS = _words(
    "and with plus featuring feat ft y e con et avec mit com en met och med и с 和 与 與 的 と の "
    "で w but yet over alongside و مع"
)
_OR = _words("or nor oder ou o either neither")
_PREPOSITIONS = _words(
    "of in for at by from like on under to into about as through during while when where has have "
    "having should must can will be being de del di da do du von vom zu im aus para por per pour "
    "sur dans в на для"
)
_NEGATORS = _words(
    "no not non without sans ohne kein keine keinen sin senza sem zonder без minus except avoid "
    "excluding exclude never dont lacking bez utan uden χωρις बिना بدون بلا בלי ללא 无 無 "
    "nessun nessuna ningun pas"
)
_NEGATIVE_ENDS = ("なし", "無し", "抜き", "없이", "없음", "없는")
_STOPS = _ARTICLES | _CONNECTORS | _OR | _PREPOSITIONS
_PARTS_OF_DECADES = _words("early mid late")
_NO_TAGS = _words(
    "song track tune piece beat mix blend touch hint something recording number composition "
    "lied cancion chanson canzone musica musique musik lot bit kind sort type feeling "
    "atmosphere production 歌 曲"
)
"""Nouns that a sentence is about, and that name no tag."""


class Tag(NamedTuple):
    """A requested tag: as written, its key, and whether it should not come."""

    text: str
    key: str
    negated: bool = False


class _Unit(NamedTuple):
    """Consecutive words of a sentence: a known tag with its key, or one other word."""

    words: tuple[str, ...]
    key: str | None


def split_text(text: str) -> Iterator[str]:
    """Split a text at the separators of all scripts, brackets, quotes, hash tags and emoji.

    The text has single spaces.
    """
    for part in _SEPARATORS.split(text):
        label = _LABEL.match(part)
        for piece in _COLON.split(part[label.end() :] if label else part):
            stripped = " ".join(piece.split()).strip("'.‘’ ")
            if label and stripped.casefold() in {"none", "no"}:
                stripped = f"no {label[0].strip(' :：=')}"
            if stripped:
                yield f"'{stripped}" if re.match(r"'\d", piece.strip()) else stripped


def negation_of(text: str) -> str | None:
    """Return the words after "no" of a tag such as "no drums" or "without vocals", else None."""
    words = tag_words(text)
    if len(words) > 1 and words[0] in _NEGATORS and key_of_words(words) not in entries():
        return " ".join(words[1:])
    if len(words) > 1 and words[-1] == "free" and key_of_words(words) not in entries():
        return " ".join(words[:-1])
    joined = "".join(words)
    for end in _NEGATIVE_ENDS:
        if joined.endswith(end) and len(joined) > len(end):
            return joined.removesuffix(end)
    for start in ("没有", "沒有", "不要", "无", "無"):
        if joined.startswith(start) and len(joined) > len(start):
            return joined.removeprefix(start)
    return None


def read_tags(text: str, known: Mapping[str, str]) -> tuple[Tag, ...]:
    """Read the tags that a text requests, in order, without repeats.

    Parts between separators are tags. A part in which words such as "with", "and" or "a" connect
    others, or of more than four words, is a sentence: of it, the longest tags are read that are in
    `known` (spellings by key: the tags that were returned) or in the shipped vocabulary. "no",
    "without" and the like negate the tags after them.
    """
    text = _SPACES.sub(" ", text)
    first = re.match(r"\W*(\w+)", text)
    is_sentence = first is not None and first[1].casefold() in _OPENERS and " " in text.strip()
    vocabulary = _Vocabulary(known)
    tags = [
        tag
        for part in split_text(text)
        for tag in _read_part(part, vocabulary, is_sentence=is_sentence)
    ]
    return unique(tags)


def read_negative_tags(text: str, known: Mapping[str, str]) -> tuple[Tag, ...]:
    """Read the tags that should not come from a text that lists them, as `negative_tags` does."""
    tags = read_tags(text, known)
    return unique(
        tag if tag.negated else Tag(f"no {tag.text}", tag.key, negated=True) for tag in tags
    )


def unique(tags: Iterable[Tag]) -> tuple[Tag, ...]:
    """Drop repeated tags; the first spelling is kept."""
    first: dict[tuple[str, bool], Tag] = {}
    for tag in tags:
        first.setdefault((tag.key, tag.negated), tag)
    return tuple(first.values())


def cover_words(
    words: tuple[str, ...], keys: Container[str], skip: Container[str]
) -> tuple[str, ...]:
    """Return the keys of the tags that together have all words, without those to skip.

    From the left, each tag takes as many words as possible. Empty if words are left over.
    """
    parts: list[str] = []
    start = 0
    while start < len(words):
        ends = range(min(len(words), start + _MAX_WORDS), start, -1)
        spans = ((end, key_of_words(words[start:end])) for end in ends)
        end, key = next((span for span in spans if span[1] in keys), (start + 1, None))
        if key is not None:
            parts.append(key)
        elif words[start] not in skip:
            return ()
        start = end
    return tuple(dict.fromkeys(parts))


class _Vocabulary(NamedTuple):
    """The tags that were returned, by key, and the shipped ones."""

    known: Mapping[str, str]

    def spelling(self, words: tuple[str, ...]) -> str | None:
        """Return the spelling of the tag with these words, None if it is unknown."""
        key = key_of_words(words)
        if key in self.known:
            return self.known[key]
        if key in entries():
            return entries()[key].spelling
        return words[0] if len(words) == 1 and is_number_tag(words[0]) else None

    def has(self, words: tuple[str, ...]) -> bool:
        """Return whether words of a sentence are a tag, and not merely a link to one."""
        key = key_of_words(words)
        is_shipped = key in entries()
        if key in self.known:
            return is_shipped or (_STOPS | _NEGATORS).isdisjoint((words[0], words[-1]))
        if is_shipped and (len(words) > 1 or words[0] not in _NO_TAGS):
            # a compound that the service returns in parts is read as these parts
            return not cover_words(words, self.known, skip=_NO_TAGS)
        return len(words) == 1 and is_number_tag(words[0])


def _read_part(part: str, vocabulary: _Vocabulary, *, is_sentence: bool) -> Iterator[Tag]:
    words = tag_words(part)
    if not words:
        return
    negated = negation_of(part)
    if negated is None and vocabulary.spelling(words) is not None:
        yield Tag(part, tag_key(part))
        return
    pieces = [piece for piece in _SOFT_SEPARATORS.split(part) if piece]
    if len(pieces) > 1 and FRACTION not in "".join(words):
        for piece in pieces:
            yield from _read_part(piece, vocabulary, is_sentence=is_sentence)
        return
    if negated and len(negated.split()) <= _PART_WORDS and not _STOPS & set(negated.split()):
        yield Tag(part, tag_key(negated), negated=True)
        return
    units = _find_units(_single_words(words), vocabulary)
    others = {unit.words[0] for unit in units if unit.key is None}
    is_sentence |= len(words) > _LIST_WORDS or bool(others & (_STOPS | _NEGATORS))
    if is_sentence:
        tags = list(_read_units(units, vocabulary))
    else:
        tags = list(_read_numbers(words, vocabulary))
    yield from tags or [Tag(part, tag_key(part))]


def _read_numbers(words: tuple[str, ...], vocabulary: _Vocabulary) -> Iterator[Tag]:
    """Part a decade, tempo, metre or key from the other words of a tag, such as "90s soul"."""
    numbers = [word for word in words if is_number_tag(word)]
    others = tuple(word for word in words if word not in {*numbers, *_PARTS_OF_DECADES})
    if numbers and others:
        for before, word in itertools.pairwise(("", *words)):
            if word in numbers:
                part = (
                    (before, word) if key_of_words((before, word)) in vocabulary.known else (word,)
                )
                yield Tag(_text(part, vocabulary), key_of_words(part))
        yield Tag(_text(others, vocabulary), key_of_words(others))


def _single_words(words: tuple[str, ...]) -> list[str]:
    """Return words, of scripts without spaces single characters."""
    return [piece for word in words for piece in _CJK.findall(word)]


def _find_units(words: list[str], vocabulary: _Vocabulary) -> list[_Unit]:
    """Find known tags in a sentence, longest first."""
    units, start = [], 0
    while start < len(words):
        for end in range(min(start + _MAX_WORDS, len(words)), start, -1):
            phrase = tuple(words[start:end])
            if vocabulary.has(phrase):
                units.append(_Unit(phrase, key_of_words(phrase)))
                break
        else:
            end = start + 1
            units.append(_Unit((words[start],), None))
        start = end
    return units


class _Part(NamedTuple):
    """A part of a sentence between linking words; in a phrase, it follows a preposition."""

    units: list[_Unit]
    negated: bool = False
    in_phrase: bool = False

    def tags(self, vocabulary: _Vocabulary) -> Iterator[Tag]:
        """Read the known tags, or all words of a part that should not come."""
        words = tuple(word for unit in self.units for word in unit.words)
        if not self.negated:
            known = (unit.words for unit in self.units if unit.key is not None)
            yield from (Tag(_text(tag, vocabulary), key_of_words(tag)) for tag in known)
        elif 0 < len(words) <= _PART_WORDS:
            yield Tag(f"no {_text(words, vocabulary)}", key_of_words(words), negated=True)

    def unknown_tag(self, vocabulary: _Vocabulary) -> Iterator[Tag]:
        """Read a short part without known tags as one tag."""
        words = tuple(word for unit in self.units for word in unit.words)
        is_short = len(words) <= _PART_WORDS and not self.in_phrase
        if is_short and not _NO_TAGS.issuperset(words):
            yield Tag(_text(words, vocabulary), key_of_words(words))


def _read_units(units: list[_Unit], vocabulary: _Vocabulary) -> Iterator[Tag]:
    """Read the tags of a sentence; unknown short parts are tags if other parts are known."""
    parts = _split_units(units)
    some_known = any(unit.key is not None for unit in units)
    for part in parts:
        is_known = part.negated or any(unit.key is not None for unit in part.units)
        if is_known:
            yield from part.tags(vocabulary)
        elif some_known:
            yield from part.unknown_tag(vocabulary)


def _split_units(units: list[_Unit]) -> list[_Part]:
    """Split a sentence at its linking words, which are left out."""
    parts = [_Part([])]
    for unit in units:
        word, last = unit.words[0], parts[-1]
        if unit.key is not None or not (_STOPS | _NEGATORS) & {word}:
            last.units.append(unit)
        elif word in _NEGATORS:
            parts.append(_Part([], negated=True))
        elif word in _OR:
            parts.append(last._replace(units=[]))
        elif word in _CONNECTORS:
            parts.append(_Part([], negated=last.negated and word == "and"))
        elif word in _PREPOSITIONS:
            parts.append(_Part([], last.negated, in_phrase=True))
    return parts


def _text(words: tuple[str, ...], vocabulary: _Vocabulary) -> str:
    return vocabulary.spelling(words) or " ".join(words)
