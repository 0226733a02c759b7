"""Which tags songs have, which occur together, and which exact sets of tags."""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.checks import as_frame, check_level, check_top, names_of, require
from musicapi_nb.analysis.clusters import cluster_codes, sum_by_code
from musicapi_nb.analysis.families import adjust_p_values
from musicapi_nb.analysis.hypergeometric import fisher_p
from musicapi_nb.analysis.partitions import map_reduce
from musicapi_nb.analysis.ratio_estimator import SUMS, cluster_sums, ratios
from musicapi_nb.analysis.song_keys import SONGS, TAGS, require_distinct, song_codes
from musicapi_nb.analysis.source_tables import Source, tags_and_songs
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.tasks.tag_vocabulary import tag_category, tag_group
from musicapi_nb.tasks.tags import tag_key, unique_tags

By: TypeAlias = Literal["tag", "category", "group"]

_TAG_COUNTS = {
    "tag": "str",
    **dict.fromkeys(("songs", "tasks"), "int64"),
    **dict.fromkeys(("share", "low", "high"), "float64"),
}
_PAIRS = {
    **dict.fromkeys(("tag", "other_tag"), "str"),
    **dict.fromkeys(("songs", "tag_songs", "other_songs", "joint_songs"), "int64"),
    **dict.fromkeys(("support", "conditional", "low", "high"), "float64"),
    **dict.fromkeys(("lift", "lift_low", "lift_high", "p", "p_adjusted"), "float64"),
}
_SUM_KEYS = ("scope", "tag", "other_tag")
_ALL_SONGS, _ONE_TAG, _TWO_TAGS = "all songs", "one tag", "two tags"
_SPELLING = "spelling"
_NO_CLUSTER = ""
_MEETING_TOP = 50  # of these tags, pairs that never meet are listed, too
_KEYS: Mapping[By, Callable[[str], str]] = {
    "tag": tag_key,
    "category": tag_category,
    "group": tag_group,
}


def tag_counts(
    tags: Source,
    *,
    songs: Source | None = None,
    by: By = "tag",
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Count the songs that have each tag, most frequent first.

    A tag counts once a song, whatever its spelling; the most frequent one names it. Intervals are
    as for `adherence`; Dask tables are counted by partition. BadFrame is raised if a column is
    missing or of a wrong kind, or a task or song is missing.

    Needs the extra `analysis`.

    Parameters
    ----------
    tags
        A run, or whatever else `songs_frame` accepts, then with all its songs. Or a table, such as
        `run.tags()`.
    songs
        From `songs_frame`: `share` is of its songs that succeeded, also those without tags.
        Without it, the share is of the songs that have any tag.
    by
        "tag"; or count the songs that have a tag of each "category" (see `tag_category`), or
        "group" of near synonyms (see `tag_group`).

    Returns
    -------
    pd.DataFrame
        `tag` (str; the category or group), `songs, tasks` (int64: those that have it), `share,
        low, high` (float64: the share of all songs, with its interval).
    """
    require_extra("analysis")
    level = check_level(level)
    tags, songs = tags_and_songs(tags, songs)
    sums = _sum_songs(tags, songs, by=by, cluster=cluster)
    rows, total = _by_frequency(sums), sums[sums["scope"] == _ALL_SONGS].iloc[0]
    # tasks without the tag add cases, but no hits
    over_all = rows.assign(tasks=total["tasks"], cases=total["cases"], cases2=total["cases2"])
    share, low, high = ratios(over_all, level)
    return as_frame(
        rows.assign(tag=rows["name"], songs=rows["hits"], share=share, low=low, high=high),
        _TAG_COUNTS,
    )


def cooccurrence(  # noqa: PLR0913 - all but one are keywords
    tags: Source,
    *,
    songs: Source | None = None,
    by: By = "tag",
    min_songs: int = 0,
    top: int | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Count the songs that have both tags, for each ordered pair of tags.

    support = joint_songs / songs; conditional = joint_songs / tag_songs, the share of the songs
    with `tag` that have `other_tag` too; lift = conditional / (other_songs / songs), 1 where tags
    are independent. Songs, spellings, intervals, Dask tables and errors are as for `tag_counts`.
    The interval of lift is that of `conditional`, divided by other_songs / songs.

    `p` tests whether two tags are independent: Fisher's exact test (two-sided, twice the smaller
    tail) with counts divided by the design effect 1 + (m - 1) r s, for m songs a task, within which
    two songs correlate by r in the one tag and by s in the other (Rao and Scott, Ann. Stat. 12,
    1984). `p_adjusted` is corrected for all pairs of the table (Benjamini and Hochberg): of the
    pairs with p_adjusted <= 0.05, at most 5 % are expected to be independent.

    Needs the extra `analysis`.

    Parameters
    ----------
    min_songs
        Leave out pairs of fewer songs.
    top
        Only pairs of this many most frequent tags, also those that never meet. By default, pairs
        that never meet are listed for the 50 most frequent tags.

    Returns
    -------
    pd.DataFrame
        By frequency of `tag`, then by `joint_songs`: `tag, other_tag` (str), `songs` (int64: all),
        `tag_songs, other_songs, joint_songs` (int64: with the first tag, the second, both),
        `support, conditional` (float64), `low, high` (float64: interval of `conditional`, over
        tasks with `tag`; missing for a single task), `lift, lift_low, lift_high, p, p_adjusted`
        (float64).
    """
    require_extra("analysis")
    level = check_level(level)
    check_top(top, 0)
    tags, songs = tags_and_songs(tags, songs)
    sums = _sum_songs(tags, songs, by=by, cluster=cluster, pairs=True)
    single, total = _by_frequency(sums), sums[sums["scope"] == _ALL_SONGS].iloc[0]
    pairs = _list_pairs(sums, single, top)
    pairs = pairs[pairs["hits"] >= min_songs].reset_index(drop=True)
    first, second = pairs["first"].to_numpy("int64"), pairs["second"].to_numpy("int64")
    tag = single.iloc[first].reset_index(drop=True)
    of_tag = {"tasks": tag["tasks"], "cases": tag["hits"], "cases2": tag["hits2"]}
    conditional, low, high = ratios(pairs.assign(**of_tag), level)
    number = float(total["cases"])
    other_songs = single["hits"].to_numpy()[second]
    overall = other_songs / max(number, 1.0)
    p = _independence_p(pairs, single, total)
    table = pairs.assign(
        tag=tag["name"],
        other_tag=single["name"].to_numpy()[second],
        songs=number,
        tag_songs=tag["hits"],
        other_songs=other_songs,
        joint_songs=pairs["hits"],
        support=pairs["hits"] / max(number, 1.0),
        conditional=conditional,
        low=low,
        high=high,
        lift=conditional / overall,
        lift_low=low / overall,
        lift_high=high / overall,
        p=p,
        p_adjusted=_adjust_pairs(p, first, second),
    )
    return as_frame(table, _PAIRS)


def _list_pairs(sums: pd.DataFrame, single: pd.DataFrame, top: int | None) -> pd.DataFrame:
    """Return pairs in the order of the result, by rank: first, second; and their `SUMS`.

    Pairs of frequent tags that never meet are rows of zeros.
    """
    rank = pd.Series(np.arange(len(single)), index=single["tag"].to_numpy())
    pairs = sums[sums["scope"] == _TWO_TAGS]
    first, second = (pairs[name].map(rank).to_numpy("int64") for name in ("tag", "other_tag"))
    pairs = pairs[list(SUMS)].assign(first=first, second=second)
    if top is not None:
        pairs = pairs[np.maximum(first, second) < top]
    number = min(_MEETING_TOP if top is None else top, len(single))
    grid = np.argwhere(~np.eye(number, dtype=bool)) @ [len(single), 1]
    meeting = pairs["first"].to_numpy() * len(single) + pairs["second"].to_numpy()
    codes = np.setdiff1d(grid, meeting)
    first, second = np.divmod(codes, max(len(single), 1))
    apart = pd.DataFrame({"first": first, "second": second})
    pairs = pd.concat([pairs, apart], ignore_index=True).fillna(0.0)
    order = np.lexsort((pairs["second"], -pairs["hits"], pairs["first"]))
    return pairs.iloc[order].reset_index(drop=True)


def _independence_p(pairs: pd.DataFrame, single: pd.DataFrame, total: "pd.Series[Any]") -> Floats:
    """Return p of the test that the tags of each pair are independent; NaN for a single task."""
    number, spread = float(total["cases"]), float(total["cases2"])
    if total["tasks"] < 2 or not len(pairs):  # noqa: PLR2004 - the spread of tasks is unknown
        return np.full(len(pairs), math.nan)
    counts = single["hits"].to_numpy("float64")
    share = counts / number
    within = single["hits2"] - 2 * share * single["cross"] + share**2 * spread
    variance = share * (1 - share)
    # the mean product of two songs of a task, of which there are `spread - number` ordered pairs
    product = (within.to_numpy("float64") - number * variance) / max(spread - number, 1.0)
    correlation = np.clip(product / np.maximum(variance, 1e-12), 0.0, 1.0)
    first, second = pairs["first"].to_numpy("int64"), pairs["second"].to_numpy("int64")
    effect = 1 + (spread / number - 1) * correlation[first] * correlation[second]
    joint, tag, other = pairs["hits"].to_numpy("float64"), counts[first], counts[second]
    size = np.maximum(np.floor(number / effect), 1.0)
    tag, other = (np.minimum(np.ceil(n / effect), size) for n in (tag, other))
    # fractions of a case count towards independence
    is_many = joint * number >= counts[first] * counts[second]
    joint = np.where(is_many, np.floor(joint / effect), np.ceil(joint / effect))
    joint = np.clip(joint, np.maximum(tag + other - size, 0.0), np.minimum(tag, other))
    return fisher_p(joint, size, tag, other)


def _adjust_pairs(p: Floats, first: Ints, second: Ints) -> Floats:
    """Correct p for all pairs; the two orders of a pair are one test."""
    codes = np.column_stack([np.minimum(first, second), np.maximum(first, second)])
    _, row, pair = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    adjusted: Floats = adjust_p_values(p[row], "bh")[pair.reshape(-1)]
    return adjusted


def exclusive_sets(
    tags: Source, *, songs: Source | None = None, top: int = 10, among: Iterable[str] | None = None
) -> pd.Series:
    """Count the songs that have exactly each set of the chosen tags.

    Each song is in one set; songs with none of the chosen tags are a set too. Songs and errors are
    as for `tag_counts`. Dask tables are counted by partition, in two rounds.

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
    tags, songs = tags_and_songs(tags, songs)
    if among is None:
        sums = _sum_songs(tags, songs, cluster=_NO_CLUSTER)
        chosen = _by_frequency(sums)["name"].head(top).tolist()
    else:
        chosen = list(unique_tags(names_of(among, "among")))
    if not chosen:
        empty = pd.MultiIndex.from_arrays([[]], names=[None])
        return pd.Series([0], name="songs")[:0].set_axis(empty)
    columns = list(range(len(chosen)))
    tables = (tags,) if songs is None else (tags, songs)
    sets = map_reduce(functools.partial(_count_sets, among=chosen), *tables, keys=columns)
    # equal counts: fewer tags first, then the sets with the first tags
    by: list[Any] = ["songs", "size", *columns]
    sets = sets.assign(size=sets[columns].sum(axis=1)).sort_values(
        by, ascending=[False, True, *[False] * len(columns)]
    )
    index = pd.MultiIndex.from_frame(sets[columns].astype(bool), names=chosen)
    return pd.Series(sets["songs"].to_numpy("int64"), index=index, name="songs")


def _read_rows(
    tags: pd.DataFrame, songs: pd.DataFrame | None, cluster: str | None, by: By
) -> tuple[pd.DataFrame, pd.DataFrame, Ints]:
    """Return distinct rows `song, tag` (codes, by song), `tag, spelling, songs`, and song tasks.

    The first table has a code of a key for each tag; the second counts its spellings, by key.
    """
    require(tags, {"task_id": "key", "song_id": "key", "tag": "text"}, TAGS)
    tags = tags[tags["tag"].notna()]
    keys = [name for name in ("cell", "task_id", "song_id") if name in tags.columns]
    if (number := int(tags[keys].isna().all(axis=1).sum())) > 0:
        raise BadFrame(f"{number} of {len(tags)} rows of {TAGS} have neither task nor song")
    if songs is None:
        (song,) = song_codes((tags, TAGS))
        owners, owner_song = tags, song
    else:
        judged = songs
        if "state" in songs.columns:
            require(songs, {"state": "key"}, SONGS)
            judged = songs[songs["state"].isin(["succeeded"]).to_numpy(dtype=bool)]
        owner_song, song = song_codes((judged, SONGS), (tags, TAGS))
        everything = np.ones(len(judged), dtype=bool)
        require_distinct((judged, SONGS), owner_song, everything, (tags, TAGS))
        is_judged = np.isin(song, owner_song)  # their codes come first: 0, 1, 2, ...
        owners, tags, song = judged, tags[is_judged], song[is_judged]
    label = TAGS if songs is None else SONGS
    tasks = 0 if cluster == _NO_CLUSTER else cluster_codes(owners, cluster, label)
    task = np.zeros(int(owner_song.max(initial=-1)) + 1, dtype="int64")
    task[owner_song] = tasks
    codes, spellings = pd.factorize(tags["tag"].astype(TEXT))
    names = pd.Index([_KEYS[by](text) for text in spellings], dtype=TEXT)
    key_codes, _ = pd.factorize(names)
    rows = np.unique(np.column_stack([song, key_codes[codes]]).astype("int64"), axis=0)
    counts = np.bincount(codes, minlength=len(spellings))
    spelling_counts = pd.DataFrame({"tag": names, "other_tag": list(spellings), "hits": counts})
    if by != "tag":
        spelling_counts["other_tag"] = spelling_counts["tag"]
    return pd.DataFrame(rows, columns=["song", "tag"]), spelling_counts, task


def _sum_songs(
    tags: pd.DataFrame,
    songs: pd.DataFrame | None,
    *,
    cluster: str | None,
    by: By = "tag",
    pairs: bool = False,
) -> pd.DataFrame:
    if by not in get_args(By):
        raise InvalidArgument(f'by must be "tag", "category" or "group", not {by!r:.80}')
    count = functools.partial(_count_songs, cluster=cluster, by=by, pairs=pairs)
    return map_reduce(count, *((tags,) if songs is None else (tags, songs)), keys=_SUM_KEYS)


def _count_songs(
    tags: pd.DataFrame,
    songs: pd.DataFrame | None = None,
    *,
    cluster: str | None,
    by: By,
    pairs: bool,
) -> pd.DataFrame:
    """Sum songs over tasks: of all songs, of those with each tag, of those with each pair of tags.

    `SUMS` of a tag: hits are a task's songs with it, cases all its songs; of a pair: hits are its
    songs with both, cases those with the first. Tasks without hits are not in these sums. Tags are
    keys; rows of the scope "spelling" count how often each is spelled in which way.
    """
    rows, spellings, task = _read_rows(tags, songs, cluster, by)
    names = pd.Index(spellings["tag"].unique(), dtype=TEXT)
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
        spellings.assign(scope=_SPELLING, **dict.fromkeys(set(SUMS) - {"hits"}, 0.0)),
    ]
    if pairs:
        parts.append(_count_pairs(rows, single, names))
    counts = pd.concat(parts, ignore_index=True)[[*_SUM_KEYS, *SUMS]]
    return counts.astype({"tag": TEXT, "other_tag": TEXT, **dict.fromkeys(SUMS, "float64")})


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
    """Return the rows of single tags, most frequent first; `name` is its most frequent spelling."""
    spellings = sums[sums["scope"] == _SPELLING]
    spellings = spellings.sort_values(["hits", "other_tag"], ascending=[False, True])
    names = spellings.drop_duplicates("tag").set_index("tag")["other_tag"]
    rows = sums[sums["scope"] == _ONE_TAG]
    rows = rows.assign(name=rows["tag"].map(names).astype(TEXT))
    return rows.sort_values(["hits", "name"], ascending=[False, True]).reset_index(drop=True)


def _count_sets(
    tags: pd.DataFrame, songs: pd.DataFrame | None = None, *, among: list[str]
) -> pd.DataFrame:
    """Count the songs with each set of tags; a bool column, by number, for each tag."""
    rows, spellings, task = _read_rows(tags, songs, _NO_CLUSTER, "tag")
    names = pd.Index(spellings["tag"].unique(), dtype=TEXT)
    keys = [tag_key(tag) for tag in among]
    number = np.array([keys.index(name) if name in keys else -1 for name in names], dtype="int64")
    column = number[rows["tag"]]
    has_tag = np.zeros((len(task), len(among)), dtype=bool)
    has_tag[rows["song"][column >= 0], column[column >= 0]] = True
    sets, counts = np.unique(has_tag, axis=0, return_counts=True)
    return pd.DataFrame(sets).assign(songs=counts.astype("int64"))
