"""The shipped vocabulary of tags: categories, near synonyms, and spellings of one tag.

Two files of the folder `vocabulary`: `tags.txt` is the project's own list; `genres.txt` is the
list of genres of beets 2.14 (its plugin lastgenre), with its MIT licence beside it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from musicapi_nb.tasks.tag_words import FRACTION, join_words, tag_words

_FOLDER = Path(__file__).parent / "vocabulary"
_SPELLING = "spelling"
_DECADE = re.compile(r"\d{3}0s")
_TEMPO = re.compile(r"\d+bpm")
_NUMBERS = re.compile(rf"\d+{FRACTION}\d+|(?:[a-g]|[acdfg]sharp)(?:major|minor)")
CATEGORIES = ("genre", "mood", "instrument", "era", "tempo", "voice")
OTHER = "other"


class Entry(NamedTuple):
    """A tag of the vocabulary: its spelling, its category, and the name of its near synonyms."""

    spelling: str
    category: str
    group: str


@functools.cache
def spellings() -> Mapping[str, str]:
    """Return the joined words of other spellings, with those of the tag that they spell."""
    pairs = {}
    for section, names in _read_groups():
        if section == _SPELLING:
            first, *others = (join_words(tag_words(name)) for name in names)
            pairs.update(dict.fromkeys(others, first))
            pairs.pop(first, None)
    return pairs


def key_of_words(words: tuple[str, ...]) -> str:
    """Return the key of the tag with these words (see `tag_words`)."""
    joined = join_words(words)
    return spellings().get(joined, joined)


@functools.cache
def entries() -> Mapping[str, Entry]:
    """Return the vocabulary by key, without spellings."""
    table: dict[str, Entry] = {}
    genres = (_FOLDER / "genres.txt").read_text(encoding="utf-8").splitlines()
    groups = [*_read_groups(), *(("genre", [name]) for name in genres)]
    for category, names in groups:
        if category != _SPELLING:
            for name in names:
                key = key_of_words(tag_words(name))
                table.setdefault(key, Entry(name, category, names[0]))
    return table


def _read_groups() -> Iterator[tuple[str, list[str]]]:
    section = ""
    for line in (_FOLDER / "tags.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            yield section, [name for part in line.split(";") if (name := part.strip())]


def is_number_tag(word: str) -> bool:
    """Return whether a word of `tag_words` is a decade, a tempo, a metre or a key."""
    return any(pattern.fullmatch(word) for pattern in (_DECADE, _TEMPO, _NUMBERS))


@functools.lru_cache(maxsize=65536)
def find_entry(tag: str) -> Entry | None:
    """Return the entry of a tag, else of its last words: "raspy vocals" are vocals."""
    words, table = tag_words(tag), entries()
    for start in range(len(words)):
        rest = words[start:]
        if (entry := table.get(key_of_words(rest))) is not None:
            return entry
        if len(rest) == 1 and _DECADE.fullmatch(rest[0]):
            return Entry(rest[0], "era", rest[0])
        if len(rest) == 1 and _TEMPO.fullmatch(rest[0]):
            return Entry(rest[0], "tempo", rest[0])
    return None


def tag_category(tag: str) -> str:
    """Return the category of a tag: genre, mood, instrument, era, tempo, voice or other.

    Spelling does not matter. A tag that is not in the vocabulary has the category of its last
    words that are: "melodic techno" is a genre, "raspy vocals" are a voice. Decades and tempi in
    beats per minute are understood. The vocabulary is the project's own list, with the genres of
    beets (MIT licence).

    >>> tag_category("Synths"), tag_category("'80s"), tag_category("rain")
    ('instrument', 'era', 'other')
    """
    entry = find_entry(tag)
    return entry.category if entry else OTHER


def tag_group(tag: str) -> str:
    """Return the name of the near synonyms, or the family of genres, that a tag is one of.

    A tag that is in no group is returned as it is.

    >>> tag_group("cheerful"), tag_group("joyful"), tag_group("kazoo")
    ('happy', 'happy', 'kazoo')
    """
    entry = entries().get(key_of_words(tag_words(tag)))
    return entry.group if entry else tag
