"""Requested tags, and which returned tag matches each of them. No I/O."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import networkx as nx
import pandas as pd

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.tasks.json_reader import clean
from musicapi_nb.tasks.tags import match_key, split_tag_text

Match: TypeAlias = Literal["tag", "words"] | Callable[[str, str], bool]


def split_tags(requested: Any, location: str = "") -> tuple[str, ...]:
    """Return tags: a text is split at commas, semicolons and line ends, a list is taken as is.

    White space is collapsed, empty tags are left out; a missing value has no tags. Anything else
    raises InvalidArgument, with the `location` before the message.
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
        f"{location}requested tags must be a text or a list of texts, not "
        f"{type(requested).__name__}"
    )


def match_tags(
    requested: tuple[str, ...], returned: tuple[str, ...], match: Match
) -> tuple[int | None, ...]:
    """Return the index of the returned tag that matches each requested tag, or None.

    Neither list may contain repeats (see `unique_tags`).
    """
    if callable(match):
        return _maximum_matching(requested, returned, match)
    if match not in {"tag", "words"}:
        raise InvalidArgument(
            f'match must be "tag", "words" or a function of two tags, not {match!r}'
        )
    indexes = {match_key(tag): index for index, tag in enumerate(returned)}
    exact = tuple(indexes.get(match_key(tag)) for tag in requested)
    if match == "tag":
        return exact
    word_sets = [set(match_key(tag).split()) for tag in returned]
    matches = []
    for tag, index in zip(requested, exact, strict=True):
        holders = (i for i, wider in enumerate(word_sets) if set(match_key(tag).split()) <= wider)
        matches.append(next(holders, None) if index is None else index)
    return tuple(matches)


def _maximum_matching(
    requested: tuple[str, ...], returned: tuple[str, ...], match: Callable[[str, str], bool]
) -> tuple[int | None, ...]:
    """Match as many requested tags as possible to distinct returned tags."""
    pairs = itertools.product(enumerate(requested), enumerate(returned))
    # a returned tag is the node ~index, below 0
    graph = nx.Graph((row, ~index) for (row, text), (index, tag) in pairs if match(text, tag))
    matching = nx.bipartite.hopcroft_karp_matching(graph, [row for row in graph if row >= 0])
    return tuple(~matching[row] if row in matching else None for row in range(len(requested)))
