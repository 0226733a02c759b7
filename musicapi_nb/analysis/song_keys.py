"""Which rows of several tables are of one song, and which songs have which tags."""

import numbers
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Flags, Floats, Ints
from musicapi_nb.analysis.checks import dtype_text, require
from musicapi_nb.analysis.clusters import row_codes
from musicapi_nb.errors import BadFrame
from musicapi_nb.tasks.tags import tag_key

NamedTable: TypeAlias = tuple[pd.DataFrame, str]

SONGS = "songs (of songs_frame or run.songs())"
TAGS = "tags (of tags_frame or run.tags())"
_KEYS = ("cell", "task_id", "song_id")


def song_codes(*tables: NamedTable) -> list[Ints]:
    """Number songs alike in all tables, from 0 in their order of occurrence: (rows,) each.

    Songs are identified by those of cell, task_id and song_id that every table has. Each table
    comes with its label for error messages. BadFrame is raised if a table has no `song_id`, or if
    a key is a number in one table and text in another (for example, one read from a CSV file).
    """
    for frame, label in tables:
        require(frame, {"song_id": "key"}, label)
    names = _shared_keys(*tables)
    for frame, label in tables:
        require(frame, dict.fromkeys(names, "key"), label)
    for name in names:
        _require_same_kind(name, tables)
    codes, _ = row_codes(_join_keys([frame[names] for frame, _ in tables]))
    return np.split(codes, np.cumsum([len(frame) for frame, _ in tables])[:-1])


def _join_keys(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate tables of the same columns; columns of different dtypes as objects.

    pandas 2 ignores the dtype of empty columns when it concatenates, and warns.
    """
    mixed = [name for name in frames[0] if len({frame[name].dtype for frame in frames}) > 1]
    objects = dict.fromkeys(mixed, object)
    parts = [frame.astype(objects) for frame in frames] if mixed else frames
    return pd.concat(parts, ignore_index=True)


def require_distinct(songs: NamedTable, codes: Ints, selected: Flags, *others: NamedTable) -> None:
    """Raise BadFrame if a song has several selected rows; `codes` are those of `song_codes`."""
    repeated, counts = np.unique(codes[selected], return_counts=True)
    repeated, counts = repeated[counts > 1], counts[counts > 1]
    if not len(repeated):
        return
    frame, label = songs
    row = frame[_shared_keys(songs, *others)][selected & (codes == repeated[0])].iloc[[0]]
    (key,) = row.astype(object).where(row.notna(), None).to_dict("records")
    text = ", ".join(f"{name} {value!r}" for name, value in key.items())
    raise BadFrame(
        f"{int(counts[0])} rows of {label} have {text}, so this song is duplicated: drop "
        "duplicated rows (drop_duplicates), or songs without an id"
    )


def require_unique(frame: pd.DataFrame, label: str) -> None:
    """Require unique songs, for tables of one row a song: raise BadFrame for a duplicate."""
    if "song_id" not in frame.columns:
        return
    require(frame, {"song_id": "key"}, label)
    has_id = frame["song_id"].notna()
    if not frame["song_id"][has_id].is_unique:  # perhaps of different tasks
        (codes,) = song_codes((frame, label))
        require_distinct((frame, label), codes, has_id.to_numpy(dtype=bool))


def _shared_keys(*tables: NamedTable) -> list[str]:
    return [name for name in _KEYS if all(name in frame.columns for frame, _ in tables)]


def _require_same_kind(name: str, tables: Sequence[NamedTable]) -> None:
    columns = [(frame[name], label) for frame, label in tables if frame[name].notna().any()]
    kinds = {
        isinstance(column.dropna().iloc[0], numbers.Number): (dtype_text(column), label)
        for column, label in columns
    }
    if len(kinds) > 1:
        (dtype, label), (other_dtype, other_label) = kinds.values()
        raise BadFrame(
            f"column {name!r} is {dtype} in {label} and {other_dtype} in {other_label}, so songs "
            "cannot be matched: convert one of them (astype)"
        )


class TaggedSongs(NamedTuple):
    """Song codes of the rows of songs (`song`) and of tags (`tag_song`).

    `has_tags` marks rows of songs that can be judged by their tags.
    """

    song: Ints
    tag_song: Ints
    has_tags: Flags

    @property
    def number(self) -> int:
        return int(max(self.song.max(initial=-1), self.tag_song.max(initial=-1))) + 1


def tagged_songs(songs: pd.DataFrame, tags: pd.DataFrame, label: str = SONGS) -> TaggedSongs:
    """Match songs and tags, and find the songs that can be judged by their tags.

    These are songs whose `state` is "succeeded"; without that column, songs with any tag. Each
    must have a single row.
    """
    require(tags, {"tag": "text"}, TAGS)
    song, tag_song = song_codes((songs, label), (tags, TAGS))
    if "state" in songs.columns:
        require(songs, {"state": "key"}, label)
        has_tags = songs["state"].isin(["succeeded"]).to_numpy(dtype=bool)
    else:
        has_tags = np.isin(song, tag_song[tags["tag"].notna().to_numpy(dtype=bool)])
    require_distinct((songs, label), song, has_tags, (tags, TAGS))
    return TaggedSongs(song, tag_song, has_tags)


def presence_values(
    songs: pd.DataFrame, tags: pd.DataFrame, presence: Sequence[str], label: str = SONGS
) -> dict[str, Floats]:
    """Return 1 or 0 for each tag of `presence`, (songs,); NaN for songs that failed."""
    matched = tagged_songs(songs, tags, label)
    keys = np.array([tag_key(tag) if isinstance(tag, str) else "" for tag in tags["tag"]])
    values = {}
    for tag in presence:
        holders = matched.tag_song[keys == tag_key(tag)]
        has_tag = np.bincount(holders, minlength=matched.number) > 0
        values[tag] = np.where(matched.has_tags, has_tag[matched.song].astype("float64"), np.nan)
    return values
