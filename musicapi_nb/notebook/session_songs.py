"""SessionSongs: what a session does with a song of its own, and which of its names are listed."""

from __future__ import annotations

import abc
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.ledger_types import Media
from musicapi_nb.notebook.job import Job
from musicapi_nb.public_names import missing_name
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.song_actions import SongMedia

if TYPE_CHECKING:
    from musicapi_nb.library import Library, Rating
    from musicapi_nb.widgets.gallery import Gallery

# not listed: see `song_actions`
_FOR_SONGS = ("holds", "media", "rate_song", "save_song", "show_player", "sound_text", "title_of")
# What people try, and what it is called.
_OTHER_NAMES = {
    **dict.fromkeys(("create", "generate", "make", "song", "request", "submit"), "api.run(...)"),
    "plan": "mnb.Plan, and api.experiment(name, plan)",
    "save": "api.export(folder), or api.download(song, folder)",
    **dict.fromkeys(("add", "import_", "import_songs", "load"), "api.adopt(...)"),
    **dict.fromkeys(("combine", "merge"), "api.library.merge(folder)"),
}


class SessionSongs(abc.ABC):
    """The part of a session that songs find through `tasks.song_actions`."""

    library: Library | None
    simulated: bool

    if not TYPE_CHECKING:  # else any name would be one of a session

        def __getattr__(self, name: str) -> Any:
            raise missing_name("api", name, dir(self), _OTHER_NAMES, songs="api.library")

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if name not in _FOR_SONGS]

    @abc.abstractmethod
    def download(self, source: Song | str, to: Path | str, *, media: Media = "audio") -> Job[Path]:
        """Download a file of a song."""

    def holds(self, song: Song) -> bool:
        """Return whether the library has a song."""
        return self.library is not None and self.library.holds(song)

    def media(self, song: Song) -> SongMedia:
        """Return the files that the library has of a song."""
        return SongMedia() if self.library is None else self.library.media(song)

    def sound_text(self, song: Song) -> str:
        """Return the main values that the library has measured in a song; "" without any."""
        from musicapi_nb.widgets.song_measures import measured_texts  # noqa: PLC0415 - as above

        return measured_texts(self.library, [song])[0]

    def title_of(self, song_id: str) -> str | None:
        """Return the title of a song of the library by its id; None if it is unknown."""
        if self.library is None:
            return None
        if song_id not in self._titles:
            _, task = self.library.task_with(song_id, simulated=self.simulated) or (None, None)
            songs = task.songs if task else ()
            title = next((song.title for song in songs if song.id == song_id), None)
            self._titles[song_id] = title
        return self._titles[song_id]

    @functools.cached_property
    def _titles(self) -> dict[str, str | None]:
        """Titles by id: cards of songs under way are drawn every second, a look-up takes 0.1 s."""
        return {}

    def save_song(self, song: Song, to: Path | str) -> Path:
        """Write a song's audio to a file or into a folder, and wait until it is there."""
        return self.download(song, to).result()

    def show_player(self, song: Song) -> Gallery:
        """Return a widget that plays one song."""
        from musicapi_nb.widgets.gallery import show  # noqa: PLC0415 - loads ipywidgets

        return show(song, library=self.library)

    def rate_song(self, song: Song, stars: int | None, note: str | None) -> Rating:
        """Store stars and a note in the library."""
        if self.library is None:
            raise InvalidArgument(
                'Ratings are stored in a library, and none is open: mnb.connect(library="my-songs")'
            )
        return self.library.rate(song, stars, note=note)
