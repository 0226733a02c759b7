"""The data that a gallery sends to the page: columns of all songs, details of visible ones."""

from collections.abc import Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.library import Rating
from musicapi_nb.markup.escape import plain_attribute
from musicapi_nb.tasks.html import position_text, tag_marks
from musicapi_nb.tasks.song_actions import SongMedia
from musicapi_nb.widgets.song_audio import no_audio_reason, playable_url
from musicapi_nb.widgets.songs_of import SongCollection, SongItem

_TEXT_LIMIT, _LYRICS_LIMIT = 60, 6_000
_MAX_TAGS = 40
_FATE_CODES: dict[markup.TagMark, int] = {
    "plain": 0,
    "kept": 1,
    "split": 2,
    "added": 3,
    "dropped": 4,
}


def columns(collection: SongCollection) -> dict[str, Any]:
    """Return the columns by which the page filters, sorts and groups; one element per song.

    `tags` holds for each song a list of codes: 8 x index in `tag_names`, plus 0 (plain), 1 (kept),
    2 (split), 3 (added) or 4 (dropped).
    """
    items, songs = collection.items, [item.song for item in collection.items]
    tag_codes: dict[str, int] = {}  # by raw tag: two different tags may look the same
    return {
        "title": [item.title for item in items],
        "seconds": [None if song.duration is None else round(song.duration, 1) for song in songs],
        "state": [song.state for song in songs],
        "model": [markup.one_line(item.model, _TEXT_LIMIT) for item in items],
        "playable": [int(song.state == "succeeded" and song.engine != "lyrics") for song in songs],
        "created": [markup.format_datetime(song.created_at).partition(",")[0] for song in songs],
        "simulated": [int(song.simulated) for song in songs],
        "has_lyrics": [int(not markup.is_blank(song.lyrics)) for song in songs],
        "position": [position_text(item.song, item.task) for item in items],
        "tags": [_tags(item, tag_codes) for item in items],
        "tag_names": [
            "(blank)" if markup.is_blank(tag) else markup.one_line(tag, _TEXT_LIMIT)
            for tag in tag_codes
        ],
        "factors": [
            _factor(name, levels, items)
            for name, levels in collection.factors.items()
            if len(levels) > 1
        ],
    }


def _tags(item: SongItem, tag_codes: dict[str, int]) -> list[int]:
    codes = []
    for mark in list(tag_marks(item.song))[:_MAX_TAGS]:
        tag = mark if isinstance(mark, str) else mark[0]
        fate: markup.TagMark = "plain" if isinstance(mark, str) else mark[1]
        codes.append(8 * tag_codes.setdefault(tag, len(tag_codes)) + _FATE_CODES[fate])
    return codes


def _factor(name: str, levels: Sequence[str], items: Sequence[SongItem]) -> dict[str, Any]:
    level_indices = {level: index for index, level in enumerate(levels)}
    return {
        "name": markup.one_line(name, _TEXT_LIMIT),
        "levels": list(levels),
        "level_indices": [level_indices.get(item.levels.get(name, ""), -1) for item in items],
    }


def detail(item: SongItem, media: SongMedia, rating: Rating | None) -> dict[str, Any]:
    """Return the data of one card that is not in the columns: cover, audio, note, lyrics.

    `media` are the files of the song, which are preferred to its links.
    """
    song = item.song
    in_library = song.state == "succeeded" and media.audio is not None
    no_audio = "" if in_library else no_audio_reason(song)
    lyrics = "" if markup.is_blank(song.lyrics) else song.lyrics or ""
    return {
        "gradient": markup.gradient(song.id or f"{song.task_id}/{song.position}"),
        "cover": markup.media_url(media.cover or song.image_url, local=song.simulated),
        "audio": "file" if in_library else "" if no_audio else "link",
        "url": None if in_library or no_audio else playable_url(song),
        "no_audio": plain_attribute(no_audio),
        "note": rating.note if rating else "",
        "lyrics": plain_attribute(lyrics, _LYRICS_LIMIT),
    }
