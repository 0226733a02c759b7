"""Requests that an earlier simulator carried out, which this one can carry out again. No I/O.

All random choices about a request depend on the id of its result (the task, the uploaded clip, the
persona), so that a request and this id give the same songs again.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

from musicapi_nb.simulator.tasks import Song

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX_DEPTH = 20  # levels of a body


class PastSong(NamedTuple):
    """What is recorded of a song."""

    song_id: str
    title: str
    tags: tuple[str, ...]
    lyrics: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRequest:
    """A request as it was sent to an earlier simulator.

    ``request_id`` is the id of its result, ``path`` the part below ``/api/v1/``, ``submitted_at``
    a real instant in unix seconds, ``songs`` what is recorded of its songs, and ``items`` has the
    accepted requests of a batch.
    """

    request_id: str
    path: str
    body: Mapping[str, Any]
    submitted_at: float
    songs: tuple[PastSong, ...] = ()
    items: tuple["PastRequest", ...] = ()


Archive: TypeAlias = Callable[[str], PastRequest | None]
"""Returns the request that made the task, song or persona of an id; called in a thread."""


def ids_in(value: Any, depth: int = _MAX_DEPTH) -> Iterator[str]:
    """Yield the ids in the texts of a JSON value."""
    if isinstance(value, str):
        yield from _ID.findall(value)
    elif isinstance(value, Mapping | list) and depth:
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from ids_in(item, depth - 1)


def as_recorded(songs: tuple[Song, ...], recorded: Sequence[PastSong]) -> tuple[Song, ...]:
    """Return songs with the recorded properties, as another version may make them otherwise.

    A record is of the song with its id; if no song has a recorded id, of the one in its place.
    """
    by_id = {record.song_id: record for record in recorded}
    if not any(song.song_id in by_id for song in songs):
        by_id = {song.song_id: record for song, record in zip(songs, recorded, strict=False)}
    return tuple(
        _as_recorded(song, by_id[song.song_id]) if song.song_id in by_id else song for song in songs
    )


def _as_recorded(song: Song, record: PastSong) -> Song:
    return replace(
        song,
        song_id=record.song_id,
        title=record.title,
        tags=record.tags,
        lyrics=record.lyrics,
        recording=replace(song.recording, seconds=record.seconds),
    )
