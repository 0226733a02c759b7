"""What became of the requested tags of a song: the one place where fates are decided. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from musicapi_nb.tasks.tag_reader import Tag, cover_words, negation_of
from musicapi_nb.tasks.tag_vocabulary import key_of_words, tag_category
from musicapi_nb.tasks.tag_words import tag_words
from musicapi_nb.tasks.tags import tag_key

Fate: TypeAlias = Literal["kept", "split", "dropped", "avoided", "violated", "added"]
FATES: tuple[Fate, ...] = ("kept", "split", "dropped", "avoided", "violated", "added")
_INSTRUMENTAL, _VOCAL = "instrumental", "vocal"
_LINKING_WORDS = frozenset({"and", "with"})


class TagFate(NamedTuple):
    """A requested or added tag, the indexes of the returned tags that it is in, and its fate."""

    tag: str
    returned: tuple[int, ...]
    fate: Fate


def tag_fates(requested: Sequence[Tag], returned: Sequence[str]) -> list[TagFate]:
    """Decide the fate of each requested tag, then list the added ones.

    - "kept": it was returned, in any spelling.
    - "split": all its words were returned, as several tags ("slow jazz" as "slow" and "jazz").
    - "dropped": it was not returned.
    - "avoided", "violated": it should not come, and did not, or did. "acoustic guitar" violates
      "no guitar"; "instrumental" is the same as "no vocals".
    - "added": it was returned, but not requested.

    Neither list may contain repeats (see `read_tags` and `unique_tags`).
    """
    keys: dict[str, int] = {}
    denials: dict[str, int] = {}
    for index, tag in enumerate(returned):
        negated = negation_of(tag)
        if negated is None:
            keys.setdefault(tag_key(tag), index)
        else:
            denials.setdefault(tag_key(negated), index)
    fates = [
        _fate_of_negated(tag, returned, keys, denials)
        if tag.negated
        else _fate_of_requested(tag, keys, denials)
        for tag in requested
    ]
    used = {index for fate in fates if fate.fate != "violated" for index in fate.returned}
    added = (index for index in range(len(returned)) if index not in used)
    return fates + [TagFate(returned[index], (index,), "added") for index in added]


def _fate_of_requested(tag: Tag, keys: dict[str, int], denials: dict[str, int]) -> TagFate:
    index = keys.get(tag.key)
    if index is None and tag.key == _INSTRUMENTAL:
        index = denials.get(_VOCAL)
    if index is not None:
        return TagFate(tag.text, (index,), "kept")
    parts = cover_words(tag_words(tag.text), keys, _LINKING_WORDS)
    if len(parts) > 1:
        return TagFate(tag.text, tuple(keys[key] for key in parts), "split")
    return TagFate(tag.text, (), "dropped")


def _fate_of_negated(
    tag: Tag, returned: Sequence[str], keys: dict[str, int], denials: dict[str, int]
) -> TagFate:
    index = next((i for key, i in keys.items() if _is_kind_of(returned[i], tag.key)), None)
    if index is not None:
        return TagFate(tag.text, (index,), "violated")
    index = denials.get(tag.key, keys.get(_INSTRUMENTAL) if tag.key == _VOCAL else None)
    return TagFate(tag.text, () if index is None else (index,), "avoided")


def _is_kind_of(tag: str, key: str) -> bool:
    """Return whether a tag is, or ends in, another: "acoustic guitar" is a kind of "guitar".

    A genre is a kind of genres only: "drum and bass" is no bass.
    """
    words = tag_words(tag)
    starts = [start for start in range(len(words)) if key_of_words(words[start:]) == key]
    if not starts:
        return False
    return starts[0] == 0 or tag_category(tag) != "genre" or tag_category(key) == "genre"
