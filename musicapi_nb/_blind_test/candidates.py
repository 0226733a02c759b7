"""Find the songs that a blind test may draw, and their levels of the compared factor."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from musicapi_nb._blind_test.design import Candidate
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.arrow_tables import as_pandas
from musicapi_nb.library import Library
from musicapi_nb.library.media_files import song_key
from musicapi_nb.tasks import Song
from musicapi_nb.widgets.song_audio import no_audio_reason
from musicapi_nb.widgets.songs_of import SongCollection, SongItem, level_text, songs_of


class ExcludedSong(NamedTuple):
    """A song that cannot be in the test (its key, or the id of a task without songs), and why."""

    song: str
    reason: str


class Candidates(NamedTuple):
    """Songs that may be drawn (`songs` by key), songs that may not, and a default test name."""

    candidates: tuple[Candidate, ...]
    songs: Mapping[str, Song]
    excluded: tuple[ExcludedSong, ...]
    library: Library
    name: str


def find_candidates(source: Any, factor: str, library: Library | None = None) -> Candidates:
    """Collect the songs of a source and their levels of a factor.

    A factor is a factor of the experiment, a column of the frame, or else a field of the requests.
    InvalidArgument if there are no songs, no such factor, or no library to keep answers in.
    """
    if not isinstance(factor, str) or not factor:
        raise InvalidArgument(f"factor must be a name such as 'mv', not {factor!r:.40}")
    source = as_pandas(source, "source")
    if hasattr(source, "columns") and factor in source.columns:
        # songs_of() reads the columns before task_id as factors
        source = source[[factor, *(name for name in source.columns if name != factor)]]
    collection = songs_of(source, library)
    if not isinstance(collection.library, Library):
        raise InvalidArgument("a blind test stores its answers in a library: pass library=...")
    levels, covariates = _levels(collection, factor)
    candidates: dict[str, Candidate] = {}
    songs: dict[str, Song] = {}
    excluded: list[ExcludedSong] = []
    for item, fields in zip(collection.items, levels, strict=True):
        key = song_key(item.song)
        task_id = item.task.id if item.task else item.song.task_id
        if reason := _exclusion_reason(item, fields, factor):
            is_placeholder = item.task is not None and not item.task.songs
            excluded.append(ExcludedSong(task_id or key if is_placeholder else key, reason))
        elif key not in candidates:
            shared = (*(fields.get(name, "") for name in covariates), item.block)
            candidates[key] = Candidate(key, task_id or key, fields[factor], shared)
            songs[key] = item.song
    name = _default_name(source, collection, factor)
    return Candidates(tuple(candidates.values()), songs, tuple(excluded), collection.library, name)


def _levels(collection: SongCollection, factor: str) -> tuple[list[Mapping[str, str]], list[str]]:
    """Return factors (else request fields) of each song, and the names of the covariates."""
    if collection.factors:
        levels = [item.levels for item in collection.items]
        covariates = names = list(collection.factors)
    else:
        levels = [_request_fields(item) for item in collection.items]
        names = sorted({name for fields in levels for name in fields})
        covariates = [name for name in names if len({row.get(name) for row in levels}) > 1]
    if names and factor not in names:
        raise InvalidArgument(f"there is no factor {factor!r}; there are: {', '.join(names)}")
    return levels, [name for name in covariates if name != factor]


def _request_fields(item: SongItem) -> dict[str, str]:
    """Return engine, operation and the fields of a song's request as text."""
    if (request := item.request) is None and item.task is None:
        return {}
    fields = msgspec.structs.asdict(request) if request else {}
    texts = {name: level_text(value) for name, value in fields.items()}
    made_by = item.task or request
    return {
        "engine": getattr(made_by, "engine", None) or "",
        "operation": getattr(made_by, "operation", None) or "",
        **texts,
    }


def _exclusion_reason(item: SongItem, fields: Mapping[str, str], factor: str) -> str:
    song = item.song
    if song.engine == "lyrics" or song.state != "succeeded":
        return no_audio_reason(song) or f"its state is {song.state}"
    return "" if factor in fields else f"its level of {factor} is unknown"


def _default_name(source: Any, collection: SongCollection, factor: str) -> str:
    if collection.experiment is not None:
        return f"{collection.experiment.name} by {factor}"
    if isinstance(source, Library):
        return f"library by {factor}"
    keys = sorted(
        song_key(item.song) for item in collection.items if item.task is None or item.task.songs
    )
    digest = hashlib.sha256("\n".join(keys).encode("utf-8", "replace")).hexdigest()
    return f"{factor} {digest[:8]}"
