"""The songs that a form offers to build on: the latest ones of the session's library."""

import itertools
import logging
from collections.abc import Callable, Sequence

from musicapi_nb import markup
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.markup.escape import TITLE_LIMIT, plain_attribute
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.song_actions import media_of

_SEARCHED = 2_000  # the latest songs
_LISTED = 20
_TAGS_LIMIT = 80
_log = logging.getLogger(__name__)


class SongPicker:
    """Searches the latest songs of a session, newest first."""

    def __init__(self, latest: Callable[[int], Sequence[Song]]) -> None:
        self._latest = latest
        self._songs: Sequence[Song] = ()

    def find(self, text: str, engine: str) -> list[dict[str, str]]:
        """Return the latest songs of an engine whose title, tags or id contain each word.

        The songs are read again if there is no word, which is when a search begins.
        """
        words = text.casefold().split()
        if not (words and self._songs):
            self._songs = self._latest(_SEARCHED)
        matches = (
            song
            for song in self._songs
            if song.engine == engine and song.id and song.state == "succeeded"
            if all(word in _searched(song) for word in words)
        )
        return [_describe(song) for song in itertools.islice(matches, _LISTED)]

    def describe(self, song_id: str) -> dict[str, str]:
        """Return what the page shows of a song; of an unknown one, its id."""
        if not (matches := self._with_id(song_id)):
            self._songs = self._latest(_SEARCHED)
            matches = self._with_id(song_id)
        if matches:
            return _describe(matches[0])
        return {"id": song_id, "title": plain_attribute(song_id, TITLE_LIMIT), "facts": ""}

    def _with_id(self, song_id: str) -> list[Song]:
        return [song for song in self._songs if song.id == song_id]


def _searched(song: Song) -> str:
    return f"{song.title or ''} {' '.join(song.tags or ())} {song.id}".casefold()


def _describe(song: Song) -> dict[str, str]:
    title = song.title or ""
    tags = markup.one_line(", ".join(song.tags or ()), _TAGS_LIMIT)
    facts = (markup.format_duration(song.duration), markup.format_local_time(song.created_at), tags)
    return {
        "id": song.id or "",
        "title": "(untitled)" if markup.is_blank(title) else plain_attribute(title, TITLE_LIMIT),
        "facts": " · ".join(filter(None, facts)),
        "cover": _cover(song),
        "gradient": markup.gradient(song.id or ""),
    }


def _cover(song: Song) -> str:
    """Return the URL of a song's cover, of the library's file if there is one."""
    try:
        cover = media_of(song).cover or song.image_url
    except (MusicAPIError, OSError) as error:  # a song can be chosen without its picture
        _log.info("no cover of %s: %s", song.id, error)
        cover = None
    return markup.media_url(cover, local=song.simulated) or ""
