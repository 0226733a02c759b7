"""Requested tags of songs, and which returned tag matches each of them. No I/O."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import pandas as pd

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.tasks.json_reader import clean
from musicapi_nb.tasks.tag_fates import TagFate, tag_fates
from musicapi_nb.tasks.tag_reader import Tag, read_negative_tags, read_tags, unique
from musicapi_nb.tasks.tag_words import tag_words
from musicapi_nb.tasks.tags import tag_key

Match: TypeAlias = Literal["tag", "words"] | Callable[[str, str], bool]


class TagReader:
    """Reads requested tags by the vocabulary of the returned ones, and finds their fates.

    `returned` are the tags of all songs; `aliases` names tags by which others are replaced before
    they are compared.
    """

    def __init__(
        self, returned: Iterable[str], match: Match, aliases: Mapping[str, str] | None
    ) -> None:
        if callable(match):
            require_extra("analysis")  # networkx matches as many tags as possible
        elif match not in {"tag", "words"}:
            raise InvalidArgument(
                f'match must be "tag", "words" or a function of two tags, not {match!r}'
            )
        self._match = match
        self._names = _check_aliases(aliases)
        self._vocabulary = {tag_key(tag): tag for tag in [*returned, *(aliases or {})]}
        self._texts: dict[tuple[str, bool], tuple[Tag, ...]] = {}

    def read(self, requested: Any, location: str = "", *, negative: bool = False) -> list[Tag]:
        """Return the requested tags of a text (see `read_tags`), or of a list of tags as they are.

        `negative` reads tags that should not come. A missing value has no tags; anything else
        raises InvalidArgument, with the `location` before the message.
        """
        if isinstance(requested, str):
            return list(self._read_text(clean(requested), negative=negative))
        if isinstance(requested, Iterable) and not isinstance(requested, bytes | bytearray):
            items = list(requested)
            if all(isinstance(item, str) for item in items):
                texts = (" ".join(clean(item).split()) for item in items)
                return [Tag(text, tag_key(text), negative) for text in texts if text]
        elif pd.isna(requested):
            return []
        raise InvalidArgument(
            f"{location}requested tags must be a text or a list of texts, not "
            f"{type(requested).__name__}"
        )

    def _read_text(self, text: str, *, negative: bool) -> tuple[Tag, ...]:
        if (text, negative) not in self._texts:
            read = read_negative_tags if negative else read_tags
            self._texts[text, negative] = read(text, self._vocabulary)
        return self._texts[text, negative]

    def unique_tags(self, tags: Iterable[str]) -> tuple[str, ...]:
        """Drop repeated returned tags; the first spelling is kept."""
        first: dict[str, str] = {}
        for tag in tags:
            first.setdefault(tag_key(self._name(tag)), tag)
        return tuple(first.values())

    def fates(self, requested: Iterable[Tag], returned: Sequence[str]) -> list[TagFate]:
        """Return the fate of each requested tag, then the added ones; see `tag_fates`.

        `returned` has no repeats (see `unique_tags`).
        """
        names = [self._name(tag) for tag in returned]
        tags = [self._rename(tag) for tag in requested]
        fates = self._fates(unique(tags), names)
        return [
            fate._replace(tag=returned[fate.returned[0]]) if fate.fate == "added" else fate
            for fate in fates
        ]

    def _fates(self, requested: Sequence[Tag], returned: Sequence[str]) -> list[TagFate]:
        fates = tag_fates(requested, returned)
        if self._match == "tag":
            return fates
        texts = [tag.text for tag in requested if not tag.negated]
        matches = iter(match_tags(texts, returned, self._match))
        for row, tag in enumerate(requested):
            if not tag.negated and (index := next(matches)) is not None:
                fates[row] = TagFate(tag.text, (index,), "kept")
            elif not tag.negated and callable(self._match):
                fates[row] = TagFate(tag.text, (), "dropped")
        fates = fates[: len(requested)]
        used = {index for fate in fates if fate.fate != "violated" for index in fate.returned}
        added = (index for index in range(len(returned)) if index not in used)
        return fates + [TagFate(returned[index], (index,), "added") for index in added]

    def _name(self, tag: str) -> str:
        return self._names.get(tag_key(tag), tag) if self._names else tag

    def _rename(self, tag: Tag) -> Tag:
        name = self._names.get(tag.key)
        return tag if name is None else tag._replace(key=tag_key(name))


def _check_aliases(aliases: Mapping[str, str] | None) -> dict[str, str]:
    """Return the names by the keys of their aliases, or raise InvalidArgument."""
    if aliases is None:
        return {}
    if not isinstance(aliases, Mapping):
        raise InvalidArgument(
            "aliases must be a mapping from tags to the tags that they stand for, such as "
            f'{{"boom bap": "hip hop"}}, not an object of type {type(aliases).__name__}'
        )
    for pair in aliases.items():
        if not all(isinstance(text, str) and text.strip() for text in pair):
            raise InvalidArgument(f"aliases must map texts to texts, not {pair!r:.80}")
    names = {tag_key(alias): name for alias, name in aliases.items()}
    for name in names.values():
        if tag_key(name) in names and tag_key(names[tag_key(name)]) != tag_key(name):
            raise InvalidArgument(
                f"aliases map to {name!r}, which is an alias itself: map each one to its final tag"
            )
    return names


def match_tags(
    requested: Sequence[str], returned: Sequence[str], match: Match
) -> tuple[int | None, ...]:
    """Return the index of the returned tag that matches each requested tag, or None.

    Neither list may contain repeats. "words" finds a tag with all words of the requested one.
    """
    if callable(match):
        return _maximum_matching(requested, returned, match)
    indexes = {tag_key(tag): index for index, tag in enumerate(returned)}
    word_sets = [set(tag_words(tag)) for tag in returned]
    matches = []
    for tag in requested:
        words = set(tag_words(tag))
        holders = (i for i, wider in enumerate(word_sets) if words and words <= wider)
        exact = indexes.get(tag_key(tag))
        matches.append(next(holders, None) if exact is None else exact)
    return tuple(matches)


def _maximum_matching(
    requested: Sequence[str], returned: Sequence[str], match: Callable[[str, str], bool]
) -> tuple[int | None, ...]:
    """Match as many requested tags as possible to distinct returned tags."""
    import networkx as nx  # noqa: PLC0415 - slow to load, and seldom needed

    pairs = itertools.product(enumerate(requested), enumerate(returned))
    # a returned tag is the node ~index, below 0
    graph = nx.Graph((row, ~index) for (row, text), (index, tag) in pairs if match(text, tag))
    matching = nx.bipartite.hopcroft_karp_matching(graph, [row for row in graph if row >= 0])
    return tuple(~matching[row] if row in matching else None for row in range(len(requested)))
