"""What a gallery sends to the page: columns of all songs, details of the songs of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.markup.escape import attribute
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.html import tag_marks
from musicapi_nb.widgets import song_audio

if TYPE_CHECKING:
    from musicapi_nb.library import Library, Rating
    from musicapi_nb.widgets.songs_of import SongCollection, SongItem

_TAG_LIMIT, _TAGS_LIMIT = 60, 40
_LYRICS_LIMIT = 6_000
_FATES: dict[markup.TagMark, int] = {"plain": 0, "kept": 1, "added": 2, "dropped": 3}


def columns(shown: SongCollection) -> dict[str, Any]:
    """The light facts of all songs, by columns: what is filtered, sorted and grouped by.

    `tags` holds for each song 4 x the tag's number in `tag_words`, plus its fate: 0 as it is,
    1 kept, 2 added, 3 dropped.
    """
    items = shown.items
    tag_words: dict[str, int] = {}  # as they came: what is shown of two may be the same
    return {
        "title": [item.title for item in items],
        "seconds": [
            None if item.song.duration is None else round(item.song.duration, 1) for item in items
        ],
        "state": [item.song.state for item in items],
        "model": [markup.one_line(item.model, _TAG_LIMIT) for item in items],
        "heard": [
            int(item.song.state == "succeeded" and item.song.engine != "lyrics") for item in items
        ],
        "made": [_date(item.song) for item in items],
        "simulated": [int(item.song.simulated) for item in items],
        "words": [int(not markup.is_blank(item.song.lyrics)) for item in items],
        "place": [_place(item) for item in items],
        "tags": [_tags(item, tag_words) for item in items],
        "tag_words": [_word(tag) for tag in tag_words],
        "factors": [
            _factor(name, levels, items)
            for name, levels in shown.factors.items()
            if len(levels) > 1
        ],
    }


def _date(song: Song) -> str:
    return markup.format_datetime(song.created_at).partition(",")[0]


def _place(item: SongItem) -> str:
    many = len(item.task.songs) if item.task else 0
    return f"{item.song.position + 1} of {many}" if many > 1 else ""


def _tags(item: SongItem, known: dict[str, int]) -> list[int]:
    found = []
    for each in list(tag_marks(item.song, item.task))[:_TAGS_LIMIT]:
        tag = each if isinstance(each, str) else each[0]
        fate = 0 if isinstance(each, str) else _FATES[each[1]]
        found.append(4 * known.setdefault(tag, len(known)) + fate)
    return found


def _word(tag: str) -> str:
    return "(blank)" if markup.is_blank(tag) else markup.one_line(tag, _TAG_LIMIT)


def _factor(name: str, levels: Sequence[str], items: Sequence[SongItem]) -> dict[str, Any]:
    numbers = {level: number for number, level in enumerate(levels)}
    return {
        "name": markup.one_line(name, _TAG_LIMIT),
        "levels": list(levels),
        "of": [numbers.get(item.levels.get(name, ""), -1) for item in items],
    }


def detail(item: SongItem, library: Library | None, rating: Rating | None) -> dict[str, Any]:
    """What a card shows besides: facts, picture, where its audio is or why there is none."""
    song = item.song
    on_file = song.state == "succeeded" and library is not None and library.file_of(song)
    why = "" if on_file else song_audio.no_audio_reason(song)
    lyrics = song.lyrics if song.lyrics and not markup.is_blank(song.lyrics) else ""
    return {
        "gradient": markup.gradient(item.seed),
        "cover": _picture(song),
        "audio": "file" if on_file else "" if why else "link",
        "url": None if on_file or why else song_audio.playable_url(song),
        "why": attribute(why),
        "note": rating.note if rating else "",
        "lyrics": attribute(lyrics, _LYRICS_LIMIT),
    }


def _picture(song: Song) -> str | None:
    return markup.web_url(song.image_url)
