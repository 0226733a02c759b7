"""Which replies of a log are the latest about their task."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from musicapi_nb.frames.builders import POOL, fill_missing
from musicapi_nb.tasks.song import FINAL

Flags: TypeAlias = NDArray[np.bool_]
_FINAL = pa.array(sorted(FINAL), pa.large_string())


def latest_replies(
    task_ids: pa.Array, states: pa.Array, song_counts: NDArray[np.int64], song_ids: pa.Array
) -> Flags | None:
    """Return True for each reply but those that another one replaces, (replies,); None if all are.

    Of replies with the same task id, one remains; and a reply without that id is about the same
    task if all of its clips recur in another. A finished state comes before an unfinished one, a
    reply that names its task before one that does not, and otherwise the later one.

    Parameters
    ----------
    task_ids, states, song_counts
        Of each reply, in their order.
    song_ids
        Of the songs of all replies in turn.
    """
    if _are_distinct(task_ids) and _are_distinct(song_ids):
        return None
    task, clip = _codes(task_ids), _codes(song_ids)
    named = task >= 0
    is_final = pc.is_in(states, value_set=_FINAL).to_numpy(zero_copy_only=False)
    order = np.lexsort((named, is_final))  # stable
    rank = np.empty(len(order), "int64")
    rank[order] = np.arange(len(order))
    latest = ~named
    latest[named] = _greatest(task[named], rank[named]) == rank[named]
    # the best of the replies that have each clip
    reply = np.repeat(np.arange(len(rank)), song_counts)
    compared = latest[reply] & (clip >= 0)
    best = np.full(len(clip), -1)
    best[compared] = _greatest(clip[compared], rank[reply[compared]])
    with_songs = np.flatnonzero(song_counts)
    if len(with_songs):
        starts = (np.cumsum(song_counts) - song_counts)[with_songs]
        first, last = (extreme.reduceat(best, starts) for extreme in (np.minimum, np.maximum))
        other = order[first]
        replaced = (first == last) & (first > rank[with_songs])
        replaced &= ~(named[with_songs] & named[other])  # two tasks that list one clip
        latest[with_songs[replaced]] = False
    return None if latest.all() else latest


def _are_distinct(texts: pa.Array) -> bool:
    distinct = len(pc.unique(texts, memory_pool=POOL)) - bool(texts.null_count)
    return bool(distinct == len(texts) - texts.null_count)


def _codes(texts: pa.Array) -> NDArray[Any]:
    """Number the texts, -1 where missing."""
    return fill_missing(pc.dictionary_encode(texts, memory_pool=POOL).indices, -1)


def _greatest(codes: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Return for each row the greatest value of the rows of its code."""
    greatest = np.full(int(codes.max(initial=-1)) + 1, -1)
    np.maximum.at(greatest, codes, values)
    of_rows: NDArray[Any] = greatest[codes]
    return of_rows
