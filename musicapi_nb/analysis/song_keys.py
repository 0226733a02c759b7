"""Which rows are of one song, which songs have tags to judge, and whether they have a tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from musicapi_nb.analysis.checks import require
from musicapi_nb.errors import BadFrame
from musicapi_nb.tasks.tags import match_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    Named = tuple[pd.DataFrame, str]

SONGS = "songs (of songs_frame or run.songs())"
TAGS = "tags (of tags_frame or run.tags())"
_KEYS = ("cell", "task_id", "song_id")


def song_codes(*tables: Named) -> list[Ints]:
    """Number songs alike in all tables, from 0 in the order in which they come: (rows,) each.

    What tells songs apart are all of cell, task_id and song_id that every table has. A table comes
    with what it is called.

    Raises
    ------
    BadFrame
        A table has no `song_id`, or what is a number in one is a text in another, as where only
        one was read from a CSV file.
    """
    for frame, what in tables:
        require(frame, {"song_id": "key"}, what)
    names = _shared(*tables)
    for frame, what in tables:
        require(frame, dict.fromkeys(names, "key"), what)
    for name in names:
        _of_one_kind(name, tables)
    rows = pd.concat([frame[names] for frame, _ in tables], ignore_index=True)
    codes = rows.groupby(names, dropna=False, sort=False, observed=True).ngroup()
    ends = np.cumsum([len(frame) for frame, _ in tables])
    return np.split(codes.to_numpy().astype("int64"), ends[:-1])


def require_distinct(songs: Named, song: Ints, judged: Flags, *others: Named) -> None:
    """See to it that each song has one row among those which are judged.

    Raises
    ------
    BadFrame
        It has several.
    """
    found, times = np.unique(song[judged], return_counts=True)
    if not (times > 1).any():
        return
    frame, what = songs
    row = frame.iloc[int(np.flatnonzero(judged & (song == found[times > 1][0]))[0])]
    key = {name: None if pd.isna(row[name]) else row[name] for name in _shared(songs, *others)}
    shown = ", ".join(f"{name} {_shown(value)}" for name, value in key.items())
    raise BadFrame(
        f"{int(times[times > 1][0])} rows of {what} have {shown}, so what is said of which song is "
        "not known: leave out what is there twice (drop_duplicates), or songs without an id"
    )


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def require_unique(frame: pd.DataFrame, what: str) -> None:
    """See to it that a table of a row a song has none twice, as of a task that was asked for twice.

    Raises
    ------
    BadFrame
        Two rows name the same song.
    """
    if "song_id" not in frame.columns:
        return
    require(frame, {"song_id": "key"}, what)
    known = frame["song_id"].notna()
    if not frame["song_id"][known].is_unique:  # perhaps of different tasks
        (song,) = song_codes((frame, what))
        require_distinct((frame, what), song, known.to_numpy(dtype=bool))


def _shared(*tables: Named) -> list[str]:
    return [name for name in _KEYS if all(name in frame.columns for frame, _ in tables)]


def _of_one_kind(name: str, tables: Sequence[Named]) -> None:
    kinds = {
        _is_number(frame[name]): (frame[name].dtype, what)
        for frame, what in tables
        if frame[name].notna().any()
    }
    if len(kinds) > 1:
        is_, of = zip(*kinds.values(), strict=True)
        raise BadFrame(
            f"column {name!r} is {is_[0]} in {of[0]} and {is_[1]} in {of[1]}, so no song of one is "
            "found in the other: make both of one kind (astype)"
        )


def _is_number(column: pd.Series) -> bool:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if types.is_object_dtype(dtype):
        return types.infer_dtype(column, skipna=True) in {"integer", "floating"}
    return types.is_numeric_dtype(dtype)


class Tagged(NamedTuple):
    """Songs by number: `song` of each row of songs, `tagged` of each row of tags; and `judged`.

    `judged` says of each row of songs whether its tags say something: a song that failed has none
    to speak of.
    """

    song: Ints
    tagged: Ints
    judged: Flags

    @property
    def number(self) -> int:
        return int(max(self.song.max(initial=-1), self.tagged.max(initial=-1))) + 1


def tagged_songs(songs: pd.DataFrame, tags: pd.DataFrame, what: str = SONGS) -> Tagged:
    """Find the songs that can be judged by their tags, and whose each row of tags is.

    Judged are songs whose `state` is "succeeded", and without a `state` those that have any tag.

    Raises
    ------
    BadFrame
        As for `numbered`; the tags are no text; or two songs that are judged cannot be told apart.
    """
    require(tags, {"tag": "text"}, TAGS)
    song, tagged = song_codes((songs, what), (tags, TAGS))
    if "state" in songs.columns:
        require(songs, {"state": "key"}, what)
        judged = songs["state"].isin(["succeeded"]).to_numpy(dtype=bool)
    else:
        judged = np.isin(song, tagged[tags["tag"].notna().to_numpy(dtype=bool)])
    require_distinct((songs, what), song, judged, (tags, TAGS))
    return Tagged(song, tagged, judged)


def presence_values(
    songs: pd.DataFrame, tags: pd.DataFrame, wanted: Sequence[str], what: str = SONGS
) -> dict[str, Floats]:
    """Say 1 or 0 for each wanted tag: (rows of songs,); missing where a song is not judged.

    Raises
    ------
    BadFrame
        As for `tagged_songs`.
    """
    found = tagged_songs(songs, tags, what)
    spelled = np.array([match_key(tag) if isinstance(tag, str) else "" for tag in tags["tag"]])
    values = {}
    for tag in wanted:
        has = np.bincount(found.tagged[spelled == match_key(tag)], minlength=found.number) > 0
        values[tag] = np.where(found.judged, has[found.song].astype("float64"), np.nan)
    return values
