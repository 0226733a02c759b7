"""Asked against returned tags: what was kept, dropped and added, per song and per factor level."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from musicapi_nb.analysis.checks import level_names, require, require_no_conflict
from musicapi_nb.analysis.clusters import cluster_codes
from musicapi_nb.analysis.partitions import map_reduce
from musicapi_nb.analysis.ratio_estimator import (
    SUMS,
    as_frame,
    as_text,
    check_level,
    ratio_sums,
    ratios,
)
from musicapi_nb.analysis.song_keys import SONGS, TAGS, tagged_songs
from musicapi_nb.analysis.tag_matching import answers, split_tags
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.tasks.tags import unique_tags

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from musicapi_nb.analysis.tag_matching import Match

    Ints = NDArray[np.int64]

RequestedTags: TypeAlias = str | Mapping[Any, Any] | pd.Series

_KEYS = ("task_id", "song_id")
_FATES = {"tag": "str", "returned": "str", "fate": "str"}
_COUNTS = ("requested", "returned", "kept", "dropped", "added")
_MEASURES = ("recall", "precision", "jaccard")
_BY_SONG = dict.fromkeys(_COUNTS, "int64") | dict.fromkeys(_MEASURES, "float64")
_BY_LEVEL = {
    "measure": "str",
    "estimate": "float64",
    "low": "float64",
    "high": "float64",
    "tasks": "int64",
    "songs": "int64",
}


class _Song(NamedTuple):
    """A song's asked and returned tags without repeats, and which answers which."""

    requested: tuple[str, ...]
    returned: tuple[str, ...]
    answer: tuple[int | None, ...]

    def counts(self) -> tuple[int, ...]:
        kept = sum(at is not None for at in self.answer)
        added = len(self.returned) - len(set(self.answer) - {None})
        return len(self.requested), len(self.returned), kept, len(self.requested) - kept, added


def tag_fates(
    songs: pd.DataFrame, tags: pd.DataFrame, *, requested: RequestedTags, match: Match = "tag"
) -> pd.DataFrame:
    """Tell of each song which asked tags were kept and dropped, and which were added.

    Songs that did not succeed have no tags to judge and are left out; `.attrs["songs_left_out"]`
    says how many. Where songs have no column `state`, those without any tag are left out. Repeats
    within a song, asked or returned, count once. The rows of a song are its asked tags in their
    order, then those added.

    Parameters
    ----------
    songs, tags
        Of `songs_frame` and `tags_frame`, or an experiment's `run.songs()` and `run.tags()`.
    requested
        The column of `songs` with what was asked ("prompt", "tags_asked", a factor), or a mapping
        (or Series) to it from the song's `song_id`, or from its `cell`. A text is split at commas,
        semicolons and line ends; a list of texts is taken as it is; missing: nothing was asked.
    match
        "tag": an asked tag is kept if it was returned, where case, white space, hyphens for
        spaces and forms of a letter (Unicode NFKC) make no difference. "words": if all its words
        occur within one returned tag, as "jazz" does in "spy jazz"; one returned tag may so keep
        several asked ones. A function of (asked, returned) that says whether they are one: as
        many are kept as can have a returned tag of their own.

    Returns
    -------
    pd.DataFrame
        The columns of `songs` that stand before `task_id` (cell, block, take, factors), then
        task_id, song_id : str
        tag : str
            As it was asked; as it was returned if it was added.
        returned : str
            As it was returned; missing if it was dropped.
        fate : str
            "kept", "dropped" or "added".

    Raises
    ------
    BadFrame
        A column is missing or of a wrong kind, or two songs cannot be told apart.
    InvalidArgument
        `requested` or `match` is none of the above.
    """
    judged = _judged(songs, tags, requested, match, taken=_FATES)
    rows: list[int] = []
    cells: list[tuple[str, str | None, str]] = []
    for at, song in enumerate(judged.songs):
        before = len(cells)
        for tag, answer in zip(song.requested, song.answer, strict=True):
            if answer is None:
                cells.append((tag, None, "dropped"))
            else:
                cells.append((tag, song.returned[answer], "kept"))
        used = set(song.answer)
        cells += [(tag, tag, "added") for at, tag in enumerate(song.returned) if at not in used]
        rows += [at] * (len(cells) - before)
    columns: Sequence[Sequence[Any]] = list(zip(*cells, strict=True)) or [(), (), ()]
    own = as_frame(dict(zip(_FATES, columns, strict=True)), _FATES)
    found = pd.concat([judged.keys.iloc[rows].reset_index(drop=True), own], axis=1)
    found.attrs["songs_left_out"] = len(songs) - len(judged.keys)
    return found


def adherence(  # noqa: PLR0913 - what is asked, of what, how it is matched and summed up
    songs: pd.DataFrame,
    tags: pd.DataFrame,
    *,
    requested: RequestedTags,
    by: str | Sequence[str] | None = None,
    match: Match = "tag",
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Measure how far songs have the tags that were asked for, per song or per factor level.

    With k of a tags asked kept, and n returned tags of which u were added:
    recall = k / a, precision = (n - u) / n, jaccard = k / (a + u). Without anything asked recall
    is missing, without anything returned precision is, and without both jaccard. Songs, asked and
    matching are as for `tag_fates`.

    By level each measure is the mean over the level's songs in which it is defined. Songs of one
    task are not independent, so intervals come from the variance between tasks (`ratios`: that of
    a ratio over clusters, with Wilson's bounds); one task alone has none. Tables in parts
    (dask.dataframe) are counted where the parts are.

    Parameters
    ----------
    by
        Column or columns of `songs`: one row a level (or combination of levels) and measure.
    cluster
        The column of `songs` that tells what is independent, instead of `cell` or `task_id`.
    level
        Of the intervals.

    Returns
    -------
    pd.DataFrame
        Without `by`: the columns of `songs` that stand before `task_id`, then
        task_id, song_id : str
        requested, returned, kept, dropped, added : int64
        recall, precision, jaccard : float64

        With `by`: its columns, levels in the order in which they come, then
        measure : str
            "recall", "precision", "jaccard".
        estimate, low, high : float64
        tasks, songs : int64
            Those in which the measure is defined.

    Raises
    ------
    BadFrame, InvalidArgument
        As for `tag_fates`; `by` is no column; a task is not known.
    """
    if by is None:
        return _by_song(songs, tags, requested, match)
    names = level_names(by, _BY_LEVEL)
    level = check_level(level)
    counted = functools.partial(
        _counted, requested=requested, names=names, match=match, cluster=cluster
    )
    sums = map_reduce(counted, songs, tags).reset_index()
    estimate, low, high = ratios(sums, level, most=sums["tags"])
    own = {
        "measure": sums["measure"],
        "estimate": estimate,
        "low": low,
        "high": high,
        "tasks": sums["tasks"],
        "songs": sums["cases"],
    }
    levels = sums[list(range(len(names)))].set_axis(pd.Index(names), axis=1)
    levels = levels.astype({name: as_text(songs.dtypes[name]) for name in names})
    return pd.concat([levels, as_frame(own, _BY_LEVEL)], axis=1)


def _by_song(
    songs: pd.DataFrame, tags: pd.DataFrame, requested: RequestedTags, match: Match
) -> pd.DataFrame:
    judged = _judged(songs, tags, requested, match, taken=_BY_SONG)
    found = pd.concat([judged.keys, judged.measures()], axis=1)
    found.attrs["songs_left_out"] = len(songs) - len(judged.keys)
    return found


def _counted(  # noqa: PLR0913 - as adherence
    songs: pd.DataFrame,
    tags: pd.DataFrame,
    *,
    requested: RequestedTags,
    names: list[str],
    match: Match,
    cluster: str | None,
) -> pd.DataFrame:
    """Sums by level and measure: of the measure's values (`SUMS`) and of the tags behind them.

    The levels are named by their places: a factor may have any name.
    """
    require(songs, dict.fromkeys(names, "key"), SONGS)
    judged = _judged(songs, tags, requested, match)
    own = songs.iloc[judged.rows]
    codes = cluster_codes(own, cluster, SONGS)
    by = songs[names].set_axis(range(len(names)), axis=1).reset_index(drop=True)
    keys = list(by.columns)
    levels = by.groupby(keys, sort=False, dropna=False, observed=True).ngroup().to_numpy()
    first = by.iloc[np.unique(levels, return_index=True)[1]]
    found = judged.measures()
    cases = {
        "recall": found["requested"],
        "precision": found["returned"],
        "jaccard": found["requested"] + found["added"],
    }
    parts = []
    for measure in _MEASURES:
        defined = found[measure].notna().to_numpy()
        group, tasks = levels[judged.rows][defined].astype(np.int64), codes[defined]
        values = found[measure].to_numpy()[defined]
        sums = ratio_sums(group, tasks, values, np.ones(len(values)), len(first))
        behind = np.bincount(group, cases[measure].to_numpy()[defined], len(first))
        parts.append(first.assign(measure=measure, **sums, tags=behind))
    # the measures of a level stand together
    order = np.arange(len(first) * len(parts)).reshape(len(parts), -1).T.ravel()
    return pd.concat(parts).iloc[order].set_index([*keys, "measure"])[[*SUMS, "tags"]]


# --- songs and their tags -------------------------------------------------------------------


class _Judged(NamedTuple):
    """The songs that succeeded: their places in the frame, their keys, their tags."""

    rows: Ints
    keys: pd.DataFrame
    songs: list[_Song]

    def measures(self) -> pd.DataFrame:
        counts = np.array([song.counts() for song in self.songs], dtype="int64").reshape(-1, 5)
        requested, returned, kept, _, added = counts.T.astype(float)
        shares = ((kept, requested), (returned - added, returned), (kept, requested + added))
        values = {
            name: np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
            for name, (part, whole) in zip(_MEASURES, shares, strict=True)
        }
        return as_frame(dict(zip(_COUNTS, counts.T, strict=True)) | values, _BY_SONG)


def _judged(
    songs: pd.DataFrame,
    tags: pd.DataFrame,
    requested: RequestedTags,
    match: Match,
    taken: Iterable[str] = (),
) -> _Judged:
    require(songs, dict.fromkeys(_KEYS, "key"), SONGS)
    require(tags, {**dict.fromkeys(_KEYS, "key"), "tag": "text"}, TAGS)
    found = tagged_songs(songs, tags)
    rows = np.flatnonzero(found.judged)
    own = songs.iloc[rows].reset_index(drop=True)
    lead = list(own.columns[: list(own.columns).index("task_id")])
    require_no_conflict(lead, [*_KEYS, *taken], SONGS)
    returned: list[list[str]] = [[] for _ in range(found.number)]
    has = tags["tag"].notna().to_numpy(dtype=bool)
    for song, tag in zip(found.tagged[has].tolist(), tags["tag"][has].astype(str), strict=True):
        returned[song].append(tag)
    names = [name for name in _KEYS if name not in lead]
    keys = pd.concat([own[lead], own[names].astype(dict.fromkeys(names, "str"))], axis=1)
    texts = zip(requested_tags(own, requested), found.song[rows].tolist(), strict=True)
    return _Judged(rows, keys, [_song(text, returned[song], match) for text, song in texts])


def _song(requested: tuple[str, ...], returned: list[str], match: Match) -> _Song:
    wanted, got = unique_tags(requested), unique_tags(returned)
    return _Song(wanted, got, answers(wanted, got, match))


def requested_tags(songs: pd.DataFrame, requested: RequestedTags) -> list[tuple[str, ...]]:
    if isinstance(requested, str):
        require(songs, {requested: "any"}, SONGS)
        return [_readable(text, f"column {requested!r}") for text in songs[requested]]
    if not isinstance(requested, Mapping | pd.Series):
        raise InvalidArgument(
            f"requested is a {type(requested).__name__}; it is the name of a column of songs, or a "
            "mapping or Series from song_id or cell to what was asked"
        )
    known = dict(requested.items())
    names = [name for name in ("cell", "song_id") if name in songs.columns]
    lacking = {name: [key for key in songs[name] if key not in known] for name in names}
    name = min(names, key=lambda name: len(lacking[name]))
    if lacking[name]:
        raise BadFrame(
            f"requested has no entry for {len(lacking[name])} of {len(songs)} songs, such as "
            f"{name} {lacking[name][0]!r}; name what asked for nothing with None"
        )
    return [_readable(known[key], f"{name} {key!r}") for key in songs[name]]


def _readable(text: Any, where: str) -> tuple[str, ...]:
    try:
        return split_tags(text)
    except InvalidArgument as error:
        raise InvalidArgument(f"{where}: {error}") from None
