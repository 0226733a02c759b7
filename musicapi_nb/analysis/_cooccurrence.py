"""Which tags songs have, which together, and which sets of them alone."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb.analysis.checks import names_of, require
from musicapi_nb.analysis.clusters import cluster_codes, sum_by_code
from musicapi_nb.analysis.partitions import map_reduce
from musicapi_nb.analysis.ratio_estimator import SUMS, as_frame, check_level, ratios
from musicapi_nb.analysis.song_keys import TAGS, song_codes
from musicapi_nb.errors import BadFrame, InvalidArgument

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

_COUNTS = {
    "tag": "str",
    "songs": "int64",
    "tasks": "int64",
    "share": "float64",
    "low": "float64",
    "high": "float64",
}
_PAIRS = {
    "tag": "str",
    "other_tag": "str",
    "songs": "int64",
    "tag_songs": "int64",
    "other_songs": "int64",
    "joint_songs": "int64",
    "support": "float64",
    "lift": "float64",
    "conditional": "float64",
    "low": "float64",
    "high": "float64",
}
# of a row of sums: all songs, those with a tag, those with two (the other way round: a row too)
_ALL, _ONE, _TWO = 0, 1, 2


def tag_counts(
    tags: pd.DataFrame, *, cluster: str | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Count the songs that have each tag, most frequent first.

    All songs are those of the table, which has no songs without a tag. A tag counts once a song,
    in the spelling that it has. Intervals are as for `adherence`; tables in parts
    (dask.dataframe) are counted where the parts are.

    Returns
    -------
    pd.DataFrame
        tag : str
        songs, tasks : int64
            That have it.
        share, low, high : float64
            Of all songs, with its interval.

    Raises
    ------
    BadFrame
        A column is missing or of a wrong kind, or a task or song is not known.
    """
    level = check_level(level)
    sums = map_reduce(functools.partial(_counted, cluster=cluster, pairs=False), tags).reset_index()
    found = _single(sums)
    every = sums[sums["what"] == _ALL].iloc[0]
    ratio = {
        "tasks": every["tasks"],
        "hits": found["hits"],
        "cases": every["cases"],
        "hits2": found["hits2"],
        "cross": found["cross"],
        "cases2": every["cases2"],
    }
    whole = {name: np.broadcast_to(values, len(found)) for name, values in ratio.items()}
    share, low, high = ratios(whole, level)
    return as_frame(
        {
            "tag": found["tag"],
            "songs": found["hits"],
            "tasks": found["tasks"],
            "share": share,
            "low": low,
            "high": high,
        },
        _COUNTS,
    )


def cooccurrence(
    tags: pd.DataFrame,
    *,
    min_songs: int = 1,
    top: int | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Count the songs that have two tags together, for each ordered pair of tags that do.

    support = joint_songs / songs; conditional = joint_songs / tag_songs, the share of the songs
    with `tag` that have `other_tag` too; lift = conditional / (other_songs / songs), 1 where tags
    are independent. Songs, spellings, intervals and parts are as for `tag_counts`.

    Parameters
    ----------
    min_songs
        Only pairs that so many songs have.
    top
        Only pairs of the so many most frequent tags.

    Returns
    -------
    pd.DataFrame
        By frequency of `tag`, then by `joint_songs`:
        tag, other_tag : str
        songs : int64
            All songs.
        tag_songs, other_songs, joint_songs : int64
            Songs with the one, the other, both.
        support, lift, conditional : float64
        low, high : float64
            The interval of `conditional`, over tasks with `tag`; missing for one task alone.

    Raises
    ------
    BadFrame
        As for `tag_counts`.
    InvalidArgument
        `top` is no number of tags.
    """
    level = check_level(level)
    _check(top)
    sums = map_reduce(functools.partial(_counted, cluster=cluster, pairs=True), tags).reset_index()
    ranked = _single(sums)["tag"]
    chosen = ranked if top is None else ranked.head(top)
    place = pd.Series(np.arange(len(chosen)), index=chosen.to_numpy())
    both = sums[(sums["what"] == _TWO) & (sums["hits"] >= min_songs)]
    if top is not None:
        both = both[both["tag"].isin(chosen) & both["other_tag"].isin(chosen)]
    one = both["tag"].map(place).to_numpy("int64")
    other = both["other_tag"].map(place).to_numpy("int64")
    order = np.lexsort((other, -both["hits"].to_numpy(), one))
    both, one, other = both.iloc[order], one[order], other[order]
    alone = _single(sums)
    own = {name: alone[name].to_numpy()[one] for name in ("tasks", "hits", "hits2")}
    ratio = {
        "tasks": own["tasks"],
        "hits": both["hits"],
        "cases": own["hits"],
        "hits2": both["hits2"],
        "cross": both["cross"],
        "cases2": own["hits2"],
    }
    conditional, low, high = ratios(ratio, level)
    songs = float(sums["cases"][sums["what"] == _ALL].iloc[0])
    joint, others = both["hits"].to_numpy(), alone["hits"].to_numpy()[other]
    return as_frame(
        {
            "tag": both["tag"].to_numpy(),
            "other_tag": both["other_tag"].to_numpy(),
            "songs": np.full(len(both), songs),
            "tag_songs": own["hits"],
            "other_songs": others,
            "joint_songs": joint,
            "support": joint / max(songs, 1.0),
            "lift": conditional * songs / others,
            "conditional": conditional,
            "low": low,
            "high": high,
        },
        _PAIRS,
    )


def exclusive_sets(
    tags: pd.DataFrame, *, top: int = 10, among: Iterable[str] | None = None
) -> pd.Series[int]:
    """Count how many songs have exactly these of the chosen tags, and none of the other chosen.

    Each song of the table is in one set; the set of songs with none of the chosen tags is one too.
    Tables in parts (dask.dataframe) are counted where the parts are, in two rounds.

    Parameters
    ----------
    top
        The so many most frequent tags are chosen.
    among
        These tags are chosen instead.

    Returns
    -------
    pd.Series
        "songs" : int64, largest set first. The index has one level of bool a chosen tag, of its
        name, as libraries of UpSet plots expect; it has one level without a name if there is none.

    Raises
    ------
    BadFrame
        As for `tag_counts`.
    InvalidArgument
        `among` is no list of tags, or `top` no number of them.
    """
    _check(top)
    if isinstance(among, str):
        raise InvalidArgument(f"among is the text {among!r}; it is a list of tags")
    if among is None:
        count = functools.partial(_counted, cluster=_NO_TASKS, pairs=False)
        chosen = _single(map_reduce(count, tags).reset_index())["tag"].head(top).tolist()
    else:
        chosen = names_of(among, "among")
    sums = map_reduce(functools.partial(_sets, among=chosen), tags)
    found = sums[sums["songs"] > 0].reset_index()
    size = found["set"].str.count("1")
    order = pd.DataFrame({"songs": -found["songs"], "size": size, "set": found["set"]})
    order["set"] = order["set"].str.replace("1", " ")  # what has the first tags comes first
    found = found.loc[order.sort_values(["songs", "size", "set"]).index]
    levels: list[Any] = [
        np.array([text[at] == "1" for text in found["set"]], dtype=bool)
        for at in range(len(chosen))
    ]
    if not levels:
        found = found.head(0)
    index = pd.MultiIndex.from_arrays(levels or [[]], names=chosen or [None])
    return pd.Series(found["songs"].to_numpy("int64"), index=index, name="songs")


def _check(top: int | None) -> None:
    if top is not None and (not isinstance(top, int) or top < 0):
        raise InvalidArgument(f"top is {top!r}; it is a number of tags, from 0")


# --- counting -------------------------------------------------------------------------------

_NO_TASKS = ""


class _Had(NamedTuple):
    """Rows of (song, tag) without repeats, by number, in the order of songs; and songs' tasks."""

    song: Ints
    tag: Ints
    names: pd.Index[Any]
    task: Ints


def _had(tags: pd.DataFrame, cluster: str | None) -> _Had:
    require(tags, {"task_id": "key", "song_id": "key", "tag": "text"}, TAGS)
    own = tags[tags["tag"].notna()]
    names = [name for name in ("cell", "task_id", "song_id") if name in own.columns]
    if (unknown := int(own[names].isna().all(axis=1).sum())) > 0:
        raise BadFrame(f"{unknown} of {len(own)} rows of {TAGS} name neither task nor song")
    (songs,) = song_codes((own, TAGS))
    if cluster == _NO_TASKS:
        codes = np.zeros(len(own), dtype=np.int64)
    else:
        codes = cluster_codes(own, cluster, TAGS)
    number, found = pd.factorize(own["tag"].astype("str"))
    width = max(len(found), 1)
    rows, first = np.unique(songs * width + number, return_index=True)
    task = np.zeros(int(songs.max(initial=-1)) + 1, dtype=np.int64)
    task[songs] = codes
    return _Had(rows // width, number[first].astype(np.int64), pd.Index(found, dtype="str"), task)


def _counted(tags: pd.DataFrame, *, cluster: str | None, pairs: bool) -> pd.DataFrame:
    """The sums over tasks behind shares: of all songs, of those with a tag, of those with two."""
    had = _had(tags, cluster)
    tasks = int(had.task.max(initial=-1)) + 1
    size = sum_by_code(had.task, np.ones(len(had.task)), tasks)
    whole = pd.DataFrame(
        [[float((size > 0).sum()), 0.0, size.sum(), 0.0, 0.0, (size**2).sum()]], columns=list(SUMS)
    )
    key, hits = _times(had.tag * max(tasks, 1) + had.task[had.song])
    tag, task = key // max(tasks, 1), key % max(tasks, 1)
    single = _summed(tag, hits, size[task], len(had.names))
    none = np.full(len(had.names) + 1, -1, dtype=np.int64)
    parts, firsts, seconds = [whole, single], [none[:1], np.arange(len(had.names))], [none]
    if pairs:
        both, one, other = _pairs(had, max(tasks, 1), key, hits)
        parts.append(both)
        firsts.append(one)
        seconds.append(other)
    what = np.repeat(np.arange(len(parts)), [len(each) for each in parts])
    # -1 stands for no tag: the last name
    names = had.names.append(pd.Index([""], dtype="str"))
    index = pd.MultiIndex.from_arrays(
        [what, names.take(np.concatenate(firsts)), names.take(np.concatenate(seconds))],
        names=["what", "tag", "other_tag"],
    )
    return pd.concat(parts, ignore_index=True).set_index(index)


def _times(keys: Ints) -> tuple[Ints, Floats]:
    found, times = np.unique(keys, return_counts=True)
    return found, times.astype(np.float64)


def _summed(group: Ints, hits: Floats, of: Floats, groups: int) -> pd.DataFrame:
    """Sums over the tasks in which there are hits; tasks without are in no sum of these."""
    each = (np.ones(len(hits)), hits, of, hits * hits, hits * of, of * of)
    return pd.DataFrame(
        {name: sum_by_code(group, values, groups) for name, values in zip(SUMS, each, strict=True)}
    )


def _pairs(had: _Had, tasks: int, keys: Ints, hits: Floats) -> tuple[pd.DataFrame, Ints, Ints]:
    """The sums of ordered pairs, and the tags of each; `keys`: (tag, task), with their songs."""
    one, other = _beside(had.song)
    width = len(had.names)
    low, high = np.minimum(had.tag[one], had.tag[other]), np.maximum(had.tag[one], had.tag[other])
    found, times = _times((low * width + high) * tasks + had.task[had.song[one]])
    pair, task = found // tasks, found % tasks
    names, at = np.unique(pair, return_inverse=True)
    ways = []
    for tag in (pair // width, pair % width):
        songs = hits[np.searchsorted(keys, tag * tasks + task)]
        ways.append(_summed(at, times, songs, len(names)))
    low, high = names // width, names % width
    both = pd.concat(ways, ignore_index=True)
    return both, np.concatenate([low, high]), np.concatenate([high, low])


def _beside(song: Ints) -> tuple[Ints, Ints]:
    """Each two rows of one song, once; rows are in the order of songs."""
    _, begin, size = np.unique(song, return_index=True, return_counts=True)
    after = np.repeat(begin + size, size) - np.arange(len(song)) - 1
    one = np.repeat(np.arange(len(song)), after)
    within = np.arange(len(one)) - np.repeat(np.cumsum(after) - after, after)
    return one, one + 1 + within


def _single(sums: pd.DataFrame) -> pd.DataFrame:
    """The rows of single tags, most frequent first."""
    rows = sums[sums["what"] == _ONE]
    return rows.sort_values(["hits", "tag"], ascending=[False, True]).reset_index(drop=True)


def _sets(tags: pd.DataFrame, *, among: list[str]) -> pd.DataFrame:
    """How many songs have each set of the tags, written as "1" and "0" for each of them."""
    had = _had(tags, _NO_TASKS)
    places = {name: at for at, name in enumerate(among)}
    place = np.array([places.get(name, -1) for name in had.names], dtype=np.int64)[had.tag]
    has = np.zeros((len(had.task), len(among)), dtype=np.uint8)
    has[had.song[place >= 0], place[place >= 0]] = 1
    found, songs = np.unique(has, axis=0, return_counts=True)
    texts = ["".join(map(str, row)) for row in found.tolist()]
    index = pd.Index(texts, dtype="str", name="set")
    return pd.DataFrame({"songs": songs.astype("int64")}, index=index)
