"""What a person thinks of songs: stars and a note, on disk when the call returns."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING, TypeAlias, cast

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.library import events
from musicapi_nb.library.media_files import key_of, song_key
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.json_reader import clean

if TYPE_CHECKING:
    from musicapi_nb.library.database import Database
    from musicapi_nb.library.process_lock import ProcessLock

MOST_STARS = 5
LONGEST_NOTE = 4_000


@dataclasses.dataclass(frozen=True, slots=True)
class Rating:
    """What was last said of a song.

    Attributes
    ----------
    song_id, task_id, position
        Which song it is: the service's clip id, its task, its place in the task from 0.
    stars
        1 to 5; None: a note alone.
    note
        "" where there is none.
    at
        When it was said, an aware instant.
    """

    song_id: str | None
    task_id: str | None
    position: int
    stars: int | None
    note: str
    at: dt.datetime
    simulated: bool = False

    @property
    def key(self) -> str:
        """The song's name in a library, as `song_key` has it."""
        return key_of(self.song_id, self.task_id, self.position, simulated=self.simulated)

    @property
    def empty(self) -> bool:
        """Whether nothing is said any more."""
        return self.stars is None and not self.note


def rated(song: Song, before: Rating | None, stars: int | None, note: str | None) -> Rating:
    """What is said of a song from now on; see `Ratings.rate`.

    Raises
    ------
    InvalidArgument
        No such number of stars, no text, or one that is too long.
    """
    if stars is not None and (
        isinstance(stars, bool) or not isinstance(stars, int) or not 0 <= stars <= MOST_STARS
    ):
        raise InvalidArgument(f"a rating is 1 to {MOST_STARS}, or 0 for none, not {stars!r:.40}")
    if note is not None and (not isinstance(note, str) or len(note) > LONGEST_NOTE):
        raise InvalidArgument(f"a note is a text of at most {LONGEST_NOTE:,} characters")
    kept_stars, kept_note = (before.stars, before.note) if before else (None, "")
    return Rating(
        song_id=song.id,
        task_id=song.task_id,
        position=song.position,
        stars=kept_stars if stars is None else stars or None,
        note=kept_note if note is None else clean(note.strip()),
        at=dt.datetime.now(dt.UTC),
        simulated=song.simulated,
    )


class Ratings:
    """The ratings and notes of a `Library`."""

    _database: Database
    _process_lock: ProcessLock

    def rate(self, song: Song, stars: int | None = None, *, note: str | None = None) -> Rating:
        """Rate a song; on disk, also after a loss of power, when this returns.

        Parameters
        ----------
        stars
            1 to 5; 0 takes the stars back; None leaves them as they are.
        note
            A text of at most 4,000 characters; "" takes the note back; None leaves it.

        Raises
        ------
        InvalidArgument
            What cannot be a rating or a note, or a song without id and task.
        LibraryError
            It could not be written; what was said before still stands.
        """
        if song.id is None and song.task_id is None:
            raise InvalidArgument(
                "this song has neither id nor task, so nothing can be kept by them"
            )
        with self._database.write(durable=True):
            before = self.rating(song)
            now = rated(song, before, stars, note)
            if before is None and now.empty:
                return now
            if before is None or (before.stars, before.note) != (now.stars, now.note):
                data = {
                    "song": song_key(song),
                    "song_id": now.song_id,
                    "task_id": now.task_id,
                    "position": now.position,
                    "simulated": now.simulated,
                    "stars": now.stars,
                    "note": now.note,
                }
                with self._database.write() as connection:
                    events.append_unbound(connection, "rated", data, owner=self._process_lock.id)
        return self.rating(song) or now

    def rating(self, song: Song) -> Rating | None:
        """What was last said of a song; None where nothing stands."""
        rows = self._database.rows(f"{_SELECT} WHERE song=?", song_key(song))
        return _rating(cast("_Row", rows[0])) if rows else None

    def ratings(self) -> list[Rating]:
        """All that is said of songs, in the order in which it was said."""
        return [
            _rating(cast("_Row", row))
            for row in self._database.rows(f"{_SELECT} ORDER BY at, song")
        ]


_SELECT = "SELECT song_id, task_id, position, stars, note, at, simulated FROM ratings"


_Row: TypeAlias = tuple[str | None, str | None, int, int | None, str, float, int]


def _rating(row: _Row) -> Rating:
    song_id, task_id, position, stars, note, at, simulated = row
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    return Rating(song_id, task_id, position, stars, note, moment, bool(simulated))
