"""What was asked, as tags, and which returned tags answer which asked ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import pandas as pd

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.tasks.json_reader import clean
from musicapi_nb.tasks.tags import match_key, split_tag_text

Match: TypeAlias = Literal["tag", "words"] | Callable[[str, str], bool]


def split_tags(requested: Any) -> tuple[str, ...]:
    """Split what was asked into tags: a text at commas, semicolons and line ends; a list is taken.

    White space is collapsed, empty parts are left out; a missing value asks for nothing.

    Raises
    ------
    InvalidArgument
        It is neither a text nor a list of texts.
    """
    if isinstance(requested, str):
        return split_tag_text(clean(requested))
    if isinstance(requested, Iterable) and not isinstance(requested, bytes | bytearray):
        items = list(requested)
        if all(isinstance(item, str) for item in items):
            return tuple(tag for item in items if (tag := " ".join(clean(item).split())))
    elif pd.isna(requested):
        return ()
    raise InvalidArgument(
        f"asked tags are a text or a list of texts, not {type(requested).__name__}"
    )


def answers(
    requested: tuple[str, ...], returned: tuple[str, ...], match: Match
) -> tuple[int | None, ...]:
    """Which of the returned tags answers each asked one; both without repeats (`distinct`).

    Raises
    ------
    InvalidArgument
        `match` is neither "tag", "words" nor callable.
    """
    if match == "tag":
        places = {match_key(tag): at for at, tag in enumerate(returned)}
        return tuple(places.get(match_key(tag)) for tag in requested)
    if match == "words":
        return _by_words(requested, returned)
    if not callable(match):
        raise InvalidArgument(f'match is {match!r}; it is "tag", "words" or a function of two tags')
    return _most(
        [[at for at, tag in enumerate(returned) if match(each, tag)] for each in requested]
    )


def _by_words(requested: tuple[str, ...], returned: tuple[str, ...]) -> tuple[int | None, ...]:
    places = {match_key(tag): at for at, tag in enumerate(returned)}
    words = [set(match_key(tag).split()) for tag in returned]
    found = []
    for tag in requested:
        wanted = set(match_key(tag).split())
        within = next((at for at, has in enumerate(words) if wanted <= has), None)
        found.append(places.get(match_key(tag), within))
    return tuple(found)


def _most(choices: list[list[int]]) -> tuple[int | None, ...]:
    """Give as many as can be a place of their own (augmenting paths: Kuhn, 1955)."""
    holder: dict[int, int] = {}

    def placed(one: int, tried: set[int]) -> bool:
        for at in choices[one]:
            if at not in tried:
                tried.add(at)
                if at not in holder or placed(holder[at], tried):
                    holder[at] = one
                    return True
        return False

    for one in range(len(choices)):
        placed(one, set())
    place = {one: at for at, one in holder.items()}
    return tuple(place.get(one) for one in range(len(choices)))
