"""What an open session can do with a song of its own; sessions register here.

A song is a plain value without a connection. This module lets its card, and its methods that need
a connection, find the session that has the song, without importing the modules above.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from musicapi_nb import markup
from musicapi_nb.engines import Request
from musicapi_nb.errors import ClientClosed

Song: TypeAlias = Any
"""A `tasks.Song`; its module imports this one."""


@dataclasses.dataclass(frozen=True, slots=True)
class SongMedia:
    """The files that a library has of a song.

    Attributes
    ----------
    cover
        A small picture; None if the library has none, or it cannot be decoded.
    audio, image, video
        Paths of complete files.
    """

    cover: markup.DataUrl | None = None
    audio: Path | None = None
    image: Path | None = None
    video: Path | None = None


class SongActions(Protocol):
    """An open session, as far as its songs are concerned."""

    @property
    def simulated(self) -> bool: ...

    @property
    def library(self) -> object:
        """The session's library, which the modules above know; None without one."""

    def holds(self, song: Song) -> bool:
        """Return whether the session's library has the song."""

    def media(self, song: Song) -> SongMedia:
        """Return the files that the session's library has of a song."""

    def title_of(self, song_id: str) -> str | None:
        """Return the title of a song of the session's library; None if it is unknown."""

    def sound_text(self, song: Song) -> str:
        """Return the main values measured in a song, such as "92 bpm · A minor"; "" without any."""

    def save_song(self, song: Song, to: Path | str) -> Path:
        """Write the song's audio to a file or into a folder: see `Song.save`."""

    def show_player(self, song: Song) -> Any:
        """Return a widget that plays the song."""

    def rate_song(self, song: Song, stars: int | None, note: str | None) -> Any:
        """Store stars and a note in the session's library: see `Song.rate`."""

    def fetch_audio(self, song: Song) -> Future[Any]:
        """Download the sound behind a song's link, for a player that cannot."""

    def form(self, start: Request) -> object:
        """Return the form of a request, filled in."""


_registered: tuple[SongActions, ...] = ()
"""Open sessions; the one connected last comes first. Replaced as a whole, for other threads."""


def register(actions: SongActions) -> None:
    """Make a session the first that songs are looked for in."""
    global _registered  # noqa: PLW0603 - replaced as a whole
    _registered = (actions, *(other for other in _registered if other is not actions))


def unregister(actions: SongActions) -> None:
    """Forget a session, which is about to close."""
    global _registered  # noqa: PLW0603 - as above
    _registered = tuple(other for other in _registered if other is not actions)


def actions_of(song: Song) -> SongActions | None:
    """Return the open session that a song belongs to; None without one.

    Simulated songs belong to sessions with a simulator, others to those with the service. Among
    several, it is the one whose library has the song, else the one connected last.
    """
    sessions = [actions for actions in _registered if actions.simulated is song.simulated]
    owners = (actions for actions in sessions if actions.holds(song))
    return next(owners, sessions[0] if sessions else None)


def latest_session() -> SongActions | None:
    """Return the session that was connected last, and is open; None without one."""
    return _registered[0] if _registered else None


def session_of(song: Song) -> SongActions:
    """Return the open session that a song belongs to; ClientClosed without one."""
    if (actions := actions_of(song)) is None:
        kind = "a simulated song" if song.simulated else "a song of the service"
        raise ClientClosed(f"No session is open for {kind}. Open one first: api = mnb.connect()")
    return actions


def media_of(song: Song) -> SongMedia:
    """Return the files that the library of the song's session has of it; none without a session."""
    actions = actions_of(song)
    return SongMedia() if actions is None else actions.media(song)


def sound_text_of(song: Song) -> str:
    """Return the main values that the library of a song's session has measured; "" without any."""
    actions = actions_of(song)
    return "" if actions is None else actions.sound_text(song)


def titles_of(song: Song, song_ids: Iterable[str]) -> dict[str, str]:
    """Return the titles, by id, of those songs that the library of a song's session has."""
    actions = actions_of(song)
    if actions is None:
        return {}
    titles = ((song_id, actions.title_of(song_id)) for song_id in song_ids)
    return {song_id: title for song_id, title in titles if title}


def _forget_all() -> None:
    global _registered  # noqa: PLW0603 - as above
    _registered = ()


if hasattr(os, "register_at_fork"):  # the sessions' threads run in the parent process only
    os.register_at_fork(after_in_child=_forget_all)
