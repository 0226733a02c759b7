"""Which songs have tags to judge, and whether they have a certain one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb.analysis.checks import BadFrame, require
from musicapi_nb.analysis.matching import folded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_SONGS, _TAGS = "the frame of songs", "the frame of tags"


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


def tagged_songs(songs: pd.DataFrame, tags: pd.DataFrame) -> Tagged:
    """Number songs alike in both tables, by all of cell, task_id and song_id that both have.

    Judged are songs whose `state` is "succeeded", and without a `state` those that have any tag.

    Raises
    ------
    BadFrame
        The tables have no `song_id`, or two songs that are judged cannot be told apart by it.
    """
    require(songs, {"song_id": "any"}, _SONGS)
    require(tags, {"song_id": "any", "tag": "text"}, _TAGS)
    keys = [name for name in ("cell", "task_id", "song_id")
            if name in songs.columns and name in tags.columns]  # fmt: skip
    state = [name for name in ("state",) if name in songs.columns]
    require(songs, dict.fromkeys([*keys, *state], "any"), _SONGS)
    require(tags, dict.fromkeys(keys, "any"), _TAGS)
    both = pd.concat([songs[keys], tags[keys]], ignore_index=True)
    groups = both.groupby(keys, dropna=False, sort=False, observed=True).ngroup()
    codes = groups.to_numpy().astype("int64")
    song, tagged = codes[: len(songs)], codes[len(songs) :]
    if state:
        judged = songs["state"].isin(["succeeded"]).to_numpy(dtype=bool)
    else:
        judged = np.isin(song, tagged)
    if twice := int(judged.sum()) - len(np.unique(song[judged])):
        raise BadFrame(
            f"{twice} rows of {_SONGS} have the {', '.join(keys)} of another row, so whose tags "
            "are whose is not known: leave out what is there twice (drop_duplicates), or songs "
            "without an id"
        )
    return Tagged(song, tagged, judged)


def presence_values(
    songs: pd.DataFrame, tags: pd.DataFrame, wanted: Sequence[str]
) -> dict[str, Floats]:
    """Say 1 or 0 for each wanted tag: (rows of songs,); missing where a song is not judged.

    Raises
    ------
    BadFrame
        As for `tagged_songs`.
    """
    found = tagged_songs(songs, tags)
    spelled = np.array([folded(tag) if isinstance(tag, str) else "" for tag in tags["tag"]])
    values = {}
    for tag in wanted:
        has = np.bincount(found.tagged[spelled == folded(tag)], minlength=found.number) > 0
        values[tag] = np.where(found.judged, has[found.song].astype("float64"), np.nan)
    return values
