"""Tags as text: splitting a text into tags, and deciding when two tags are the same. No I/O."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable


def split_at_commas(text: str) -> tuple[str, ...]:
    """Split a text at commas, as the service separates tags; outer white space is removed."""
    parts = (part.strip() for part in text.split(","))
    return tuple(part for part in parts if part)


@functools.lru_cache(maxsize=65536)
def split_tag_text(text: str) -> tuple[str, ...]:
    """Split a text that a person wrote at commas, semicolons and line ends.

    Runs of white space inside a tag become one space.
    """
    parts = (" ".join(part.split()) for part in re.split(r"[,;\n\r]", text))
    return tuple(part for part in parts if part)


@functools.lru_cache(maxsize=65536)
def normalize_tag(tag: str) -> str:
    """Return a tag in NFKC form, case-folded, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", tag).casefold().split())


@functools.lru_cache(maxsize=65536)
def match_key(tag: str) -> str:
    """Return the key by which tags are compared: `normalize_tag`, with hyphens as spaces.

    "Lo-Fi" and "lo fi" have the same key.
    """
    normalized = normalize_tag(tag)
    return " ".join(re.sub(r"[-\u2010\u2011]", " ", normalized).split()) or normalized


def unique_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Drop repeated tags (same `match_key`); the first spelling is kept."""
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(match_key(tag), tag)
    return tuple(first.values())
