"""The data of songs that a widget sends to the page: columns of all, details of visible ones."""

import hashlib
from collections.abc import Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.library import Rating
from musicapi_nb.library.media_files import song_key
from musicapi_nb.markup.escape import plain_attribute
from musicapi_nb.tasks import STATE_LABELS, Song
from musicapi_nb.tasks.derivation import derivation
from musicapi_nb.tasks.html import position_text, tag_marks
from musicapi_nb.tasks.song_actions import SongMedia
from musicapi_nb.widgets.song_audio import no_audio_reason, playable_url
from musicapi_nb.widgets.song_measures import measure_columns, measured_texts
from musicapi_nb.widgets.song_menu import menu_items
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
        "key": [_key(song) for song in songs],
        "title": [item.title for item in items],
        "seconds": [None if song.duration is None else round(song.duration, 1) for song in songs],
        "state": [song.state for song in songs],
        "state_labels": STATE_LABELS,
        "model": [markup.one_line(item.model, _TEXT_LIMIT) for item in items],
        "playable": [int(song.state == "succeeded" and song.engine != "lyrics") for song in songs],
        "date": dates(collection),
        "sources": _sources(collection),
        "simulated": [int(song.simulated) for song in songs],
        "measures": measure_columns(collection.library),
        "measured": _measured(collection),
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


def _key(song: Song) -> str:
    """Return a short name of a song, by which the page finds it in a new list."""
    name = song_key(song) if song.id or song.task_id else ""
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=5).hexdigest()


def dates(collection: SongCollection) -> list[int | None]:
    """Return when each song was made, in seconds since 1970: all songs of a task at one time.

    Without a time of the song, it is that of its task; None without either.
    """
    first: dict[str, int] = {}  # by task id
    times = []
    for item in collection.items:
        moment = item.song.created_at or (item.task and item.task.submitted_at)
        seconds = int(moment.timestamp()) if moment else None
        if seconds is not None and item.song.task_id:
            seconds = first.setdefault(item.song.task_id, seconds)
        times.append(seconds)
    return times


def newest_first(collection: SongCollection) -> list[int]:
    """Return the indices of the songs, newest first; songs without a time come last."""
    times = dates(collection)
    return sorted(range(len(times)), key=lambda index: -(times[index] or 0))


def _sources(collection: SongCollection) -> dict[str, str]:
    """Return what songs were made from, by index, of those that were made from others."""
    titles = {item.song.id: item.title for item in collection.items if item.song.id}
    texts = (derivation(item.song.request, titles) for item in collection.items)
    return {str(index): plain_attribute(text) for index, text in enumerate(texts) if text}


def _measured(collection: SongCollection) -> dict[str, str]:
    """Return the lines of measured values, by index, of the songs that have any."""
    texts = measured_texts(collection.library, [item.song for item in collection.items])
    return {str(index): text for index, text in enumerate(texts) if text}


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


def detail(
    item: SongItem, media: SongMedia, rating: Rating | None, measured: str
) -> dict[str, Any]:
    """Return the data of one card that is not in the columns: cover, audio, note, lyrics, menu.

    `media` are the files of the song, which are preferred to its links. `measured` is the line of
    its measured values as it is now; the columns have it as it was when the songs were read.
    """
    song = item.song
    in_library = song.state == "succeeded" and media.audio is not None
    no_audio = "" if in_library else _no_audio_text(item)
    lyrics = "" if markup.is_blank(song.lyrics) else song.lyrics or ""
    return {
        "gradient": markup.gradient(song.id or f"{song.task_id}/{song.position}"),
        "cover": markup.media_url(media.cover or song.image_url, local=song.simulated),
        "audio": "file" if in_library else "" if no_audio else "link",
        "url": None if in_library or no_audio else playable_url(song),
        "no_audio": plain_attribute(no_audio),
        "note": rating.note if rating else "",
        "lyrics": plain_attribute(lyrics, _LYRICS_LIMIT),
        "measured": measured,
        "menu": menu_items(song, has_audio=not no_audio),
    }


def _no_audio_text(item: SongItem) -> str:
    """Return why a song cannot be played, and whether its credits were refunded."""
    reason = no_audio_reason(item.song)
    if item.song.state != "failed" or item.task is None or item.task.refunded is None:
        return reason
    refund = "were refunded" if item.task.refunded else "were not refunded"
    return f"{reason.rstrip('.')}. The credits {refund}."
