"""Tags as text: splitting what the service wrote, and deciding when two tags are the same.

This is the one normalizer: tables, cards and the gallery compare tags by `tag_key`. No I/O.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from musicapi_nb.tasks.tag_vocabulary import key_of_words
from musicapi_nb.tasks.tag_words import tag_words

_OTHER_SEPARATORS = re.compile(r"[;|\n\r、，；｜،؛]")
_CACHED_LENGTH = 500  # longer texts are whole descriptions, too large to keep many of
_MAX_JOINS = 4  # joined words may be another word: "c/m" is the key C minor


def split_at_commas(text: str) -> tuple[str, ...]:
    """Split a text at commas, as the service separates tags; outer white space is removed."""
    parts = (part.strip() for part in text.split(","))
    return tuple(part for part in parts if part)


def split_tags(text: str) -> tuple[str, ...]:
    """Split the text of a song's tags at commas, semicolons, bars and line ends.

    The service separates tags by commas; some requests come back with the separators they had.
    """
    return split_at_commas(_OTHER_SEPARATORS.sub(",", text))


def tag_key(tag: str) -> str:
    """Return the key by which tags are compared: equal for all spellings of one tag.

    The words of `tag_words`, joined, and looked up among the spellings of the vocabulary. A tag
    without letters and digits is its own key. `tag_key` of a key is the key.
    """
    return _cached_key(tag) if len(tag) < _CACHED_LENGTH else _key(tag)


def _key(tag: str) -> str:
    key = key_of_words(tag_words(tag)) or " ".join(tag.split())
    for _ in range(_MAX_JOINS):
        joined = key_of_words(tag_words(key)) or key
        if joined == key:
            break
        key = joined
    return key


_cached_key = functools.lru_cache(maxsize=65536)(_key)


def unique_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Drop repeated tags (same `tag_key`); the first spelling is kept."""
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(tag_key(tag), tag)
    return tuple(first.values())
