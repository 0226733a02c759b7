"""Ratings of songs: stars and a note."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines.values import whole_number
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.library import events
from musicapi_nb.library.database import Database
from musicapi_nb.library.media_files import key_of, keys_of, song_key
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.json_reader import clean

MAX_STARS = 5
STAR = "\u2605"
MAX_NOTE_LENGTH = 4_000
_SELECT = "SELECT song_id, task_id, position, stars, note, at, simulated FROM ratings"


@dataclasses.dataclass(frozen=True, slots=True)
class Rating:
    """The rating of a song: the service's clip id, its task, and its position there from 0.

    `stars` are 1 to 5, or None if there is only a note; `note` is "" without one. `at` is when it
    was rated, with time zone. `title` is known right after rating a song only.
    """

    song_id: str | None
    task_id: str | None
    position: int
    stars: int | None
    note: str
    at: dt.datetime
    simulated: bool = False
    title: str | None = dataclasses.field(default=None, compare=False)

    def __repr__(self) -> str:
        stars = STAR * (self.stars or 0) or "no stars"
        parts = (stars, self.title or self.song_id, f"({self.note})" if self.note else "")
        return markup.one_line(" ".join(part for part in parts if part))

    @property
    def key(self) -> str:
        """The song's key in a library (see `song_key`)."""
        return key_of(self.song_id, self.task_id, self.position, simulated=self.simulated)

    @property
    def empty(self) -> bool:
        """Whether it has neither stars nor a note."""
        return self.stars is None and not self.note


def rate(database: Database, owner: str, song: Song, stars: int | None, note: str | None) -> Rating:
    """Store a rating, durably; see `Library.rate`."""
    if song.id is None and song.task_id is None:
        raise InvalidArgument("this song has no id and no task id, so it cannot be rated")
    with database.write(durable=True) as connection:
        before = rating_of(database, song)
        rating = new_rating(song, before, stars, note)
        if before is None and rating.empty:
            return rating
        if before is not None and (before.stars, before.note) == (rating.stars, rating.note):
            return dataclasses.replace(before, title=song.title)
        data = {"song": song_key(song), **dataclasses.asdict(rating)}
        del data["at"], data["title"]  # the event has its own time, the song its title
        events.append_unbound(connection, "rated", data, owner=owner)
    return dataclasses.replace(rating_of(database, song) or rating, title=song.title)


def new_rating(song: Song, before: Rating | None, stars: int | None, note: str | None) -> Rating:
    """Return the rating of a song after a change; see `Library.rate`."""
    number = None if stars is None else whole_number(stars)  # a column with gaps has floats
    if stars is not None and (number is None or number > MAX_STARS):
        raise InvalidArgument(f"stars must be 1 to {MAX_STARS}, or 0 for none, not {stars!r:.40}")
    if note is not None and (not isinstance(note, str) or len(note) > MAX_NOTE_LENGTH):
        raise InvalidArgument(f"a note must be a text of at most {MAX_NOTE_LENGTH:,} characters")
    before_stars, before_note = (before.stars, before.note) if before else (None, "")
    return Rating(
        song_id=song.id,
        task_id=song.task_id,
        position=song.position,
        stars=before_stars if number is None else number or None,
        note=before_note if note is None else clean(note.strip()),
        at=dt.datetime.now(dt.UTC),
        simulated=song.simulated,
        title=song.title,
    )


def rating_of(database: Database, song: Song | str) -> Rating | None:
    for key in keys_of(song):
        if rows := database.rows(f"{_SELECT} WHERE song=?", key):
            return _from_row(rows[0])
    return None


def all_ratings(database: Database) -> list[Rating]:
    """Return all ratings, oldest first."""
    return [_from_row(row) for row in database.rows(f"{_SELECT} ORDER BY at, song")]


def _from_row(row: tuple[Any, ...]) -> Rating:
    song_id, task_id, position, stars, note, at, simulated = row
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    return Rating(song_id, task_id, position, stars, note, moment, bool(simulated))
