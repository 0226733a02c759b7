"""What became of the requested tags of one song. No I/O."""

from __future__ import annotations

import functools

from musicapi_nb.tasks.song import Song
from musicapi_nb.tasks.tag_fates import TagFate, tag_fates
from musicapi_nb.tasks.tag_reader import read_negative_tags, read_tags
from musicapi_nb.tasks.tags import tag_key, unique_tags


def song_fates(song: Song) -> tuple[TagFate, ...]:
    """Return the fates of a song's requested and returned tags, as `tag_fates` decides them.

    Indexes are those of `unique_tags(song.tags)`. Without returned tags, or if none are known to
    have been requested, there are no fates.
    """
    text, negative = song.requested_tags, song.negative_tags
    if not (text or negative) or not song.tags:
        return ()
    return _fates(text or "", negative or "", tuple(song.tags))


@functools.lru_cache(maxsize=10_000)  # a widget asks twice for each of its songs
def _fates(text: str, negative: str, tags: tuple[str, ...]) -> tuple[TagFate, ...]:
    returned = unique_tags(tags)
    known = {tag_key(tag): tag for tag in returned}
    requested = (*read_tags(text, known), *read_negative_tags(negative, known))
    return tuple(tag_fates(requested, returned))


def kept_share(song: Song) -> float | None:
    """Return which share of the requested tags came back, whole or split; None without any."""
    fates = [fate.fate for fate in song_fates(song)]
    kept = fates.count("kept") + fates.count("split")
    number = kept + fates.count("dropped")
    return kept / number if number else None
