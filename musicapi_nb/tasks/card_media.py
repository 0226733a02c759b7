"""Choose what the cards of one output play and show: the library's file, else the link."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from musicapi_nb import markup
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.tasks.song import Song
from musicapi_nb.tasks.song_actions import SongMedia, media_of

MAX_EMBEDDED_SONG: Final = 1_000_000
"""Bytes of the largest sound file that a card contains; a few minutes of speech, no long song."""
MAX_EMBEDDED_OUTPUT: Final = 3_000_000
"""Bytes of the sound files that the cards of one output contain; in a notebook a third more."""

AUDIO_TYPES: Final[dict[str, markup.MediaType]] = {
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".wav": "audio/wav",
}
_IN_LIBRARY: Final = "The link may have ended; the file is in your library: api.gallery() plays it."
_log = logging.getLogger(__name__)


class MediaUrls(NamedTuple):
    """The URLs of a song's sound and cover, and a sentence about the sound."""

    audio: str | None
    cover: str | None
    note: str = ""


class CardMedia:
    """Chooses the media of the songs of one output, within `MAX_EMBEDDED_OUTPUT`.

    `files` returns the files that a library has of a song; by default the library of the session
    that the song belongs to.
    """

    def __init__(self, files: Callable[[Song], SongMedia] = media_of) -> None:
        self._files = files
        self._free = MAX_EMBEDDED_OUTPUT

    def urls(self, song: Song) -> MediaUrls:
        """Return the URLs of a song; if its sound cannot be embedded, also say where it is."""
        if song.state != "succeeded" or song.engine == "lyrics":
            return MediaUrls(song.audio_url, song.image_url)
        try:
            media = self._files(song)
            cover = media.cover or song.image_url
            if media.audio is None:
                return MediaUrls(song.audio_url, cover)
            if (audio := self._embed(media.audio)) is None:
                return MediaUrls(song.audio_url, cover, _IN_LIBRARY)
        except (MusicAPIError, OSError) as error:  # a card is shown even if its library is not
            _log.warning("the library's files of %s cannot be read: %s", song.id, error)
            return MediaUrls(song.audio_url, song.image_url)
        return MediaUrls(audio, cover)

    def _embed(self, path: Path) -> markup.DataUrl | None:
        """Return the content of a sound file as a URL; None if it is too large for this output."""
        media_type, size = AUDIO_TYPES.get(path.suffix), path.stat().st_size
        if media_type is None or not 0 < size <= min(MAX_EMBEDDED_SONG, self._free):
            return None
        self._free -= size
        return markup.data_url(path.read_bytes(), media_type)
