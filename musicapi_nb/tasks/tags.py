"""Tags as text: how a text of them is read, and which tags are one and the same. Pure."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable


@functools.lru_cache(maxsize=65536)
def split_tag_text(text: str) -> tuple[str, ...]:
    """Split a text at commas, semicolons and line ends; white space is collapsed."""
    parts = (" ".join(part.split()) for part in re.split(r"[,;\n\r]", text))
    return tuple(part for part in parts if part)


@functools.lru_cache(maxsize=65536)
def normalize_tag(tag: str) -> str:
    """One spelling of a tag: NFKC, without case, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", tag).casefold().split())


@functools.lru_cache(maxsize=65536)
def match_key(tag: str) -> str:
    """`normalize_tag`, and a hyphen is a space: "Lo-Fi" and "lo fi" are one tag."""
    return " ".join(re.sub(r"[-\u2010\u2011]", " ", normalize_tag(tag)).split()) or normalize_tag(
        tag
    )


def unique_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags without repeats (`match_key`), in the spelling that came first."""
    first: dict[str, str] = {}
    for tag in tags:
        first.setdefault(match_key(tag), tag)
    return tuple(first.values())
