"""Tell an embedded simulator what earlier ones did, as far as the library has recorded it."""

from __future__ import annotations

from musicapi_nb.ledger_types import Entry
from musicapi_nb.library import Library
from musicapi_nb.simulator import PastRequest, PastSong
from musicapi_nb.tasks import Task

_API = "/api/v1/"
_UNDER_WAY_OR_DONE = frozenset({"accepted", "reposting", "done"})


def past_request(library: Library, name: str) -> PastRequest | None:
    """Return the request that made the task, song, clip or persona of an id; None if unknown."""
    found = library.task_with(name, simulated=True)
    if found is None or found[0].state not in _UNDER_WAY_OR_DONE:
        return None
    entry, task = found
    if task.parts and name != task.id:  # a song of a batch, or one of its tasks
        songs = ((part, song.id) for part in task.parts for song in part.songs)
        parts = {song_id: part for part, song_id in songs} | {part.id: part for part in task.parts}
        task = parts.get(name, task)
    return _past(entry, task)


def _past(entry: Entry, task: Task) -> PastRequest | None:
    request_id = task.id or task.answer.get("clip_id") or task.answer.get("persona_id")
    if task.request is None or not isinstance(request_id, str):
        return None
    items = (_past(entry, part) for part in task.parts)
    return PastRequest(
        request_id=request_id,
        path=task.request.path.removeprefix(_API),
        body=task.request.body(),
        submitted_at=entry.accepted_at or entry.sent_at or 0.0,
        songs=tuple(
            PastSong(song.id, song.title or "", song.tags, song.lyrics or "", song.duration)
            for song in task.songs
            if song.id is not None and song.duration is not None
        ),
        items=tuple(item for item in items if item is not None),
    )
