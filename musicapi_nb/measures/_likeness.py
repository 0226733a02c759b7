"""`likeness`: how alike the sounds of songs are, pair by pair."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import pandas as pd

from musicapi_nb.audio.profile import VERSION, Profile
from musicapi_nb.audio.profile_comparison import Comparable, Comparison, compare, prepare
from musicapi_nb.errors import InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.arrow_tables import as_pandas
from musicapi_nb.frames.measures import KEYS, rename_measured, value_table
from musicapi_nb.library import Library, Measure, request_key
from musicapi_nb.measures.engine import Options, measure_sounds
from musicapi_nb.measures.sound_files import find_sound_files
from musicapi_nb.measures.worker import Method
from musicapi_nb.widgets.songs_of import songs_of

Within: TypeAlias = Literal["task", "request"]
NAME, _PROFILE = "likeness", "_profile"
_DAMAGED = "the profile in the library is damaged"
_SONG = ("task_id", "song_id", "song_position", "title")
_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("same_task", "same_request"), "boolean"),
    "harmony": "float64",
    "transposition": "Int64",
    **dict.fromkeys(("timbre", "likeness"), "float64"),
    "duplicate": "boolean",
    "issue": "str",
}


class _Origin(NamedTuple):
    """The task of a song, and the key of the request that made it; None if not known."""

    task: tuple[Any, Any] | None = None
    request: str | None = None


def likeness(  # noqa: PLR0913 - all but the first are options
    songs: Any,
    *,
    within: Within | None = "task",
    library: Library | None = None,
    workers: int | None = None,
    progress: bool = True,
    client: Any = None,
) -> pd.DataFrame:
    """Compare the sounds of songs, pair by pair: harmony, timbre, and whether one is the other.

    Is the second song of a pair just the first again? `mnb.likeness(run)["duplicate"].any()`

    Each sound is decoded once: its profile of some kilobytes is stored in the library, like a
    measure (see `measure`). The docs say how the figures are computed, and how well they
    tell takes from other songs.

    Needs the extra `audio`.

    Parameters
    ----------
    songs
        As for `measure`. Of files and folders, all pairs are compared.
    within
        Which pairs: "task", of the songs of one task; "request", also of the takes of one request;
        None, all pairs of songs: 1,000 songs are 500,000 pairs, about a minute.
    library, workers, progress, client
        As for `measure`.

    Returns
    -------
    pandas.DataFrame
        One row for each pair, each song with those after it. Columns: those of a run (cell, block,
        take and the factors) of the first song; its `task_id, song_id, song_position, title`, and
        those of the second one as `other_task_id` and so on (of files, `path, other_path`); then

        - `same_task, same_request` (boolean; missing if the request is not known);
        - `harmony` (float64, 0 to 1): how alike the sequences of notes are, in any key and from any
          start; `transposition` (Int64): by how many semitones the second one is higher, -5 to 6;
        - `timbre` (float64, 0 to 1): how alike the distributions of spectral shapes are;
        - `likeness` (float64, 0 to 1): two thirds timbre, one third harmony; 1 for a duplicate;
        - `duplicate` (boolean): both are the same recording of about the same length, also encoded
          again, at another level or shifted by up to 3 s;
        - `issue` (str): why the values are missing: what is the matter with either sound.

        A column named like a factor is called `<name>_measured`.

    Raises
    ------
    InvalidArgument, MissingFile
        As `measure`.
    """
    require_extra("audio")
    if within is not None and within not in get_args(Within):
        raise InvalidArgument(f'within must be "task", "request" or None, not {within!r:.40}')
    songs = as_pandas(songs, "songs")
    source = list(songs) if isinstance(songs, Iterator) else songs
    options = Options(library, workers, progress, client)
    method = Method(NAME, _read_profile, prefix=False)
    table = measure_sounds(source, method, Measure(NAME, VERSION, {_PROFILE: "str"}), options)
    if find_sound_files(source) is not None:
        names, origins = ["path"], [_Origin()] * len(table)
        within = None
    else:
        names, made_by = list(_SONG), _requests(source, library)
        origins = [
            _Origin((key[0], key[-1]) if key[0] else None, made_by.get(key)) for key in _keys(table)
        ]
    return _pair_table(table, names, list(_pairs(origins, within)), origins)


def _read_profile(path: Path) -> dict[str, str]:
    from musicapi_nb.audio.profile_measurement import measure_profile  # noqa: PLC0415 - loads scipy

    return {_PROFILE: measure_profile(path).to_text()}


def _keys(table: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows = table[list(KEYS)].astype(object)
    return list(rows.where(rows.notna(), None).itertuples(index=False, name=None))


def _requests(source: Any, library: Library | None) -> dict[tuple[Any, ...], str]:
    """Return the key of the request of each song, without its take."""
    items = songs_of(source, library).items
    songs = [(item.song, item.request) for item in items]
    return {
        (song.task_id, song.id, song.position, song.simulated): request_key(request, 1)
        for song, request in songs
        if request is not None
    }


def _pairs(origins: Sequence[_Origin], within: Within | None) -> Iterator[tuple[int, int]]:
    """Yield the positions of the songs of each pair; a song of unknown origin is alone."""
    if within is None:
        yield from itertools.combinations(range(len(origins)), 2)
        return
    groups: dict[Any, list[int]] = {}
    for row, origin in enumerate(origins):
        group = (origin.request if within == "request" else None) or origin.task or row
        groups.setdefault(group, []).append(row)
    for rows in groups.values():
        yield from itertools.combinations(rows, 2)


def _pair_table(
    table: pd.DataFrame,
    names: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    origins: Sequence[_Origin],
) -> pd.DataFrame:
    *_, profile, issue = table.columns  # a factor may have these names, too
    profiles = [_comparable(text) for text in table[profile]]
    issues = table[issue].astype(object).where(table[issue].notna(), None).tolist()
    for index, text in enumerate(table[profile]):
        if isinstance(text, str) and profiles[index] is None:
            issues[index] = _DAMAGED
    values = []
    for first, second in pairs:
        row: dict[str, Any] = {
            "same_task": _equal(origins[first].task, origins[second].task),
            "same_request": _equal(origins[first].request, origins[second].request),
            "issue": issues[first] or issues[second],
        }
        ours, theirs = profiles[first], profiles[second]
        if ours is not None and theirs is not None:
            row |= dict(zip(Comparison._fields, compare(ours, theirs), strict=True))
        values.append(row)
    firsts, seconds = ([pair[side] for pair in pairs] for side in (0, 1))
    lead = [name for name in table.columns if name not in {*KEYS, "title", "path", issue, profile}]
    left = table[[*lead, *names]].iloc[firsts].reset_index(drop=True)
    right = table[list(names)].iloc[seconds].reset_index(drop=True).add_prefix("other_")
    compared = pd.concat([right, value_table(values, _COLUMNS)], axis=1)
    return pd.concat([left, rename_measured(compared, left.columns)], axis=1)


def _comparable(text: Any) -> Comparable | None:
    """Return a stored profile, prepared; None without one, or if it is damaged."""
    try:
        return prepare(Profile.from_text(text)) if isinstance(text, str) else None
    except ValueError:
        return None


def _equal(first: Any, second: Any) -> bool | None:
    return None if first is None or second is None else bool(first == second)
