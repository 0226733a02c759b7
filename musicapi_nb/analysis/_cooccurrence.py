"""Which tags songs have, which occur together, and which exact sets of tags."""

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Ints
from musicapi_nb.analysis.checks import as_frame, check_level, check_top, names_of, require
from musicapi_nb.analysis.clusters import cluster_codes, sum_by_code
from musicapi_nb.analysis.partitions import map_reduce
from musicapi_nb.analysis.ratio_estimator import SUMS, cluster_sums, ratios
from musicapi_nb.analysis.song_keys import TAGS, song_codes
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.builders import TEXT

_TAG_COUNTS = {
    "tag": "str",
    **dict.fromkeys(("songs", "tasks"), "int64"),
    **dict.fromkeys(("share", "low", "high"), "float64"),
}
_PAIRS = {
    **dict.fromkeys(("tag", "other_tag"), "str"),
    **dict.fromkeys(("songs", "tag_songs", "other_songs", "joint_songs"), "int64"),
    **dict.fromkeys(("support", "lift", "conditional", "low", "high"), "float64"),
}
_SUM_KEYS = ("scope", "tag", "other_tag")
_ALL_SONGS, _ONE_TAG, _TWO_TAGS = "all songs", "one tag", "two tags"
_NO_CLUSTER = ""


def tag_counts(
    tags: pd.DataFrame, *, cluster: str | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Count the songs that have each tag, most frequent first.

    The table has no songs without tags, so `share` is of the songs that have any. A tag counts once
    a song, in its exact spelling. Intervals are as for `adherence`; Dask tables are counted by
    partition. BadFrame is raised if a column is missing or of a wrong kind, or a task or song is
    missing.

    Returns
    -------
    pd.DataFrame
        `tag` (str), `songs, tasks` (int64: those that have it), `share, low, high` (float64: the
        share of all songs, with its interval).
    """
    level = check_level(level)
    count = functools.partial(_count_songs, cluster=cluster, pairs=False)
    sums = map_reduce(count, tags, keys=_SUM_KEYS)
    rows, total = _by_frequency(sums), sums[sums["scope"] == _ALL_SONGS].iloc[0]
    # tasks without the tag add cases, but no hits
    over_all = rows.assign(tasks=total["tasks"], cases=total["cases"], cases2=total["cases2"])
    share, low, high = ratios(over_all, level)
    return as_frame(rows.assign(songs=rows["hits"], share=share, low=low, high=high), _TAG_COUNTS)


def cooccurrence(
    tags: pd.DataFrame,
    *,
    min_songs: int = 1,
    top: int | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Count the songs that have both tags, for each ordered pair of tags that occurs.

    support = joint_songs / songs; conditional = joint_songs / tag_songs, the share of the songs
    with `tag` that have `other_tag` too; lift = conditional / (other_songs / songs), 1 where tags
    are independent. Songs, spellings, intervals, Dask tables and errors are as for `tag_counts`.

    Parameters
    ----------
    min_songs
        Leave out pairs of fewer songs.
    top
        Only pairs of this many most frequent tags.

    Returns
    -------
    pd.DataFrame
        By frequency of `tag`, then by `joint_songs`: `tag, other_tag` (str), `songs` (int64: all),
        `tag_songs, other_songs, joint_songs` (int64: with the first tag, the second, both),
        `support, lift, conditional` (float64), `low, high` (float64: interval of `conditional`,
        over tasks with `tag`; missing for a single task).
    """
    level = check_level(level)
    check_top(top, 0)
    count = functools.partial(_count_songs, cluster=cluster, pairs=True)
    sums = map_reduce(count, tags, keys=_SUM_KEYS)
    single = _by_frequency(sums)
    rank = pd.Series(np.arange(len(single)), index=single["tag"].to_numpy())
    pairs = sums[(sums["scope"] == _TWO_TAGS) & (sums["hits"] >= min_songs)]
    first, second = (pairs[name].map(rank).to_numpy("int64") for name in ("tag", "other_tag"))
    order = np.lexsort((second, -pairs["hits"].to_numpy(), first))
    if top is not None:
        order = order[np.maximum(first, second)[order] < top]
    pairs, first, second = pairs.iloc[order], first[order], second[order]
    tag = single.iloc[first].set_index(pairs.index)
    of_tag = {"tasks": tag["tasks"], "cases": tag["hits"], "cases2": tag["hits2"]}
    conditional, low, high = ratios(pairs.assign(**of_tag), level)
    songs = float(sums["cases"][sums["scope"] == _ALL_SONGS].iloc[0])
    other_songs = single["hits"].to_numpy()[second]
    table = pairs.assign(
        songs=songs,
        tag_songs=tag["hits"],
        other_songs=other_songs,
        joint_songs=pairs["hits"],
        support=pairs["hits"] / max(songs, 1.0),
        lift=conditional * songs / other_songs,
        conditional=conditional,
        low=low,
        high=high,
    )
    return as_frame(table.reset_index(drop=True), _PAIRS)


def exclusive_sets(
    tags: pd.DataFrame, *, top: int = 10, among: Iterable[str] | None = None
) -> pd.Series:
    """Count the songs that have exactly each set of the chosen tags.

    Each song of the table is in one set; songs with none of the chosen tags are a set too. Dask
    tables are counted by partition, in two rounds. Errors are as for `tag_counts`.

    Parameters
    ----------
    top
        Choose this many most frequent tags.
    among
        Choose these tags instead.

    Returns
    -------
    pd.Series
        "songs" : int64, largest set first. The index has one bool level for each chosen tag,
        named after it, as UpSet libraries expect; one unnamed level if no tag is chosen.
    """
    check_top(top, 0)
    if isinstance(among, str):
        raise InvalidArgument(f"among must be a list of tags, not the text {among!r}")
    if among is None:
        count = functools.partial(_count_songs, cluster=_NO_CLUSTER, pairs=False)
        sums = map_reduce(count, tags, keys=_SUM_KEYS)
        chosen = _by_frequency(sums)["tag"].head(top).tolist()
    else:
        chosen = names_of(among, "among")
    if not chosen:
        empty = pd.MultiIndex.from_arrays([[]], names=[None])
        return pd.Series([0], name="songs")[:0].set_axis(empty)
    columns = list(range(len(chosen)))
    sets = map_reduce(functools.partial(_count_sets, among=chosen), tags, keys=columns)
    # equal counts: fewer tags first, then the sets with the first tags
    by: list[Any] = ["songs", "size", *columns]
    sets = sets.assign(size=sets[columns].sum(axis=1)).sort_values(
        by, ascending=[False, True, *[False] * len(columns)]
    )
    index = pd.MultiIndex.from_frame(sets[columns].astype(bool), names=chosen)
    return pd.Series(sets["songs"].to_numpy("int64"), index=index, name="songs")


def _read_rows(tags: pd.DataFrame, cluster: str | None) -> tuple[pd.DataFrame, pd.Index, Ints]:
    """Return distinct `song, tag` rows as codes, by song; tag names; the task of each song."""
    require(tags, {"task_id": "key", "song_id": "key", "tag": "text"}, TAGS)
    tags = tags[tags["tag"].notna()]
    keys = [name for name in ("cell", "task_id", "song_id") if name in tags.columns]
    if (number := int(tags[keys].isna().all(axis=1).sum())) > 0:
        raise BadFrame(f"{number} of {len(tags)} rows of {TAGS} have neither task nor song")
    (songs,) = song_codes((tags, TAGS))
    tasks = 0 if cluster == _NO_CLUSTER else cluster_codes(tags, cluster, TAGS)
    codes, names = pd.factorize(tags["tag"].astype(TEXT))
    rows = np.unique(np.column_stack([songs, codes]), axis=0)
    task = np.zeros(int(songs.max(initial=-1)) + 1, dtype="int64")
    task[songs] = tasks
    return pd.DataFrame(rows, columns=["song", "tag"]), pd.Index(names, dtype=TEXT), task


def _count_songs(tags: pd.DataFrame, *, cluster: str | None, pairs: bool) -> pd.DataFrame:
    """Sum songs over tasks: of all songs, of those with each tag, of those with each pair of tags.

    `SUMS` of a tag: hits are a task's songs with it, cases all its songs; of a pair: hits are its
    songs with both, cases those with the first. Tasks without hits are not in these sums.
    """
    rows, names, task = _read_rows(tags, cluster)
    rows["task"] = task[rows["song"]]
    task_songs = sum_by_code(task, np.ones(len(task)))
    zeros = np.zeros(len(task_songs), dtype="int64")
    total = pd.DataFrame(cluster_sums(zeros, 0 * task_songs, task_songs, 1))
    single = rows.groupby(["tag", "task"], as_index=False).size()
    tag, hits = single["tag"].to_numpy("int64"), single["size"].to_numpy("float64")
    sums = cluster_sums(tag, hits, task_songs[single["task"]], len(names))
    parts = [
        total.assign(scope=_ALL_SONGS, tag="", other_tag=""),
        pd.DataFrame(sums).assign(scope=_ONE_TAG, tag=names, other_tag=""),
    ]
    if pairs:
        parts.append(_count_pairs(rows, single, names))
    counts = pd.concat(parts, ignore_index=True)[[*_SUM_KEYS, *SUMS]]
    return counts.astype({"tag": TEXT, "other_tag": TEXT})


def _count_pairs(frame: pd.DataFrame, single: pd.DataFrame, names: pd.Index) -> pd.DataFrame:
    pairs = frame.merge(frame[["song", "tag"]], on="song", suffixes=("", "_other"))
    pairs = pairs[pairs["tag"] != pairs["tag_other"]]
    pairs = pairs.groupby(["tag", "tag_other", "task"], as_index=False).size()
    pairs = pairs.merge(single, on=["tag", "task"], suffixes=("", "_single"))
    groups = pairs.groupby(["tag", "tag_other"])
    hits, cases = (pairs[name].to_numpy("float64") for name in ("size", "size_single"))
    sums = cluster_sums(groups.ngroup().to_numpy().astype("int64"), hits, cases, groups.ngroups)
    tags = pairs[["tag", "tag_other"]].drop_duplicates().sort_values(["tag", "tag_other"])
    first, second = (names.take(tags[name].to_numpy()) for name in tags)
    return pd.DataFrame(sums).assign(scope=_TWO_TAGS, tag=first, other_tag=second)


def _by_frequency(sums: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of single tags, most frequent first."""
    rows = sums[sums["scope"] == _ONE_TAG]
    return rows.sort_values(["hits", "tag"], ascending=[False, True]).reset_index(drop=True)


def _count_sets(tags: pd.DataFrame, *, among: list[str]) -> pd.DataFrame:
    """Count the songs with each set of tags; a bool column, by number, for each tag."""
    rows, names, task = _read_rows(tags, _NO_CLUSTER)
    number = pd.Index(among).get_indexer(names)[rows["tag"]]
    has_tag = np.zeros((len(task), len(among)), dtype=bool)
    has_tag[rows["song"][number >= 0], number[number >= 0]] = True
    sets, songs = np.unique(has_tag, axis=0, return_counts=True)
    return pd.DataFrame(sets).assign(songs=songs.astype("int64"))
