"""Adherence: which requested tags were kept, dropped and added, per song and per factor level."""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Ints
from musicapi_nb.analysis.checks import as_frame, check_level, level_names, no_conflict, require
from musicapi_nb.analysis.clusters import cluster_codes, row_codes, sum_by_code
from musicapi_nb.analysis.partitions import map_reduce
from musicapi_nb.analysis.ratio_estimator import SUMS, ratio_sums, ratios
from musicapi_nb.analysis.song_keys import SONGS, TAGS, tagged_songs
from musicapi_nb.analysis.tag_matching import Match, match_tags, split_tags
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.builders import TEXT
from musicapi_nb.tasks.tags import unique_tags

RequestedTags: TypeAlias = str | Mapping[Any, Any] | pd.Series

_KEYS = ("task_id", "song_id")
_FATES = {"tag": "str", "returned": "str", "fate": "str"}
_COUNTS = ("requested", "returned", "kept", "dropped", "added")
_MEASURES = ("recall", "precision", "jaccard")
_BY_LEVEL = {
    "measure": "str",
    **dict.fromkeys(("estimate", "low", "high"), "float64"),
    **dict.fromkeys(("tasks", "songs"), "int64"),
}


def tag_fates(
    songs: pd.DataFrame, tags: pd.DataFrame, *, requested: RequestedTags, match: Match = "tag"
) -> pd.DataFrame:
    """List the requested tags of each song as kept or dropped, then its added tags.

    Songs that did not succeed are left out; `.attrs["songs_left_out"]` counts them. If songs have
    no column `state`, those without any tag are left out. Repeats within a song count once.
    BadFrame is raised if a column is missing or of a wrong kind, or a song has several rows.

    Parameters
    ----------
    songs, tags
        From `songs_frame` and `tags_frame`, or an experiment's `run.songs()` and `run.tags()`.
    requested
        The column of `songs` with the requested tags ("prompt", or a factor), or a mapping or
        Series to them from `song_id` or from `cell`. A text is split at commas, semicolons and
        line ends; a list of texts is taken as is; a missing value requests nothing.
    match
        "tag": a requested tag is kept if it was returned, ignoring case, white space, hyphens for
        spaces, and Unicode compatibility forms (NFKC). "words": if all its words occur within one
        returned tag, such as "jazz" in "spy jazz"; one returned tag can keep several requested
        ones. A function (requested, returned) -> bool: as many tags are kept as can be matched to
        distinct returned tags.

    Returns
    -------
    pd.DataFrame
        The columns of `songs` before `task_id` (cell, block, take, factors), then `task_id,
        song_id` (str), `tag` (str: as requested; added tags as returned), `returned` (str: as
        returned; missing for dropped tags), `fate` (str: "kept", "dropped" or "added").
    """
    matched = _match_songs(songs, tags, requested, match, result_columns=_FATES)
    fates = [song.fates() for song in matched.songs]
    keys = matched.keys.loc[np.repeat(matched.keys.index, list(map(len, fates)))]
    columns = pd.DataFrame(itertools.chain.from_iterable(fates), columns=list(_FATES))
    result = pd.concat([keys.reset_index(drop=True), as_frame(columns, _FATES)], axis=1)
    result.attrs["songs_left_out"] = len(songs) - len(matched.keys)
    return result


def adherence(  # noqa: PLR0913 - all but two are keywords
    songs: pd.DataFrame,
    tags: pd.DataFrame,
    *,
    requested: RequestedTags,
    by: str | Sequence[str] | None = None,
    match: Match = "tag",
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Measure how well songs have the requested tags, per song or per factor level.

    With k of a requested tags kept, and u of n returned tags added: recall = k / a,
    precision = (n - u) / n, jaccard = k / (a + u); each is missing where its denominator is 0.
    Songs, requested tags and matching are as for `tag_fates`.

    With `by`, each measure is the mean over the level's songs where it is defined. Songs of one
    task are not independent: intervals use the variance between tasks (Wilson's interval with the
    variance of a ratio over clusters, see `ratios`) and are missing for a single task. Dask tables
    are counted by partition. Errors are as for `tag_fates`; BadFrame is also raised if `by` is not
    a column or a task is missing.

    Parameters
    ----------
    by
        Columns of `songs`: one row for each combination of their levels and measure.
    cluster
        The column of `songs` that identifies independent units; default `cell`, else `task_id`,
        else `reply`.
    level
        Confidence level of the intervals.

    Returns
    -------
    pd.DataFrame
        Without `by`: the columns of `songs` before `task_id`, then `task_id, song_id` (str),
        `requested, returned, kept, dropped, added` (int64), `recall, precision, jaccard`
        (float64). With `by`: its columns, levels in their order of occurrence, then `measure`
        (str), `estimate, low, high` (float64), `tasks, songs` (int64: where it is defined).
    """
    if by is None:
        matched = _match_songs(songs, tags, requested, match, result_columns=(*_COUNTS, *_MEASURES))
        result = pd.concat([matched.keys, matched.measures()], axis=1)
        result.attrs["songs_left_out"] = len(songs) - len(matched.keys)
        return result
    names = level_names(by, _BY_LEVEL)
    level = check_level(level)
    count = functools.partial(
        _count_levels, requested=requested, names=names, match=match, cluster=cluster
    )
    sums = map_reduce(count, songs, tags, keys=[*range(len(names)), "measure"])
    estimate, low, high = ratios(sums, level, max_cases=sums["tags"])
    sums = sums.assign(estimate=estimate, low=low, high=high, songs=sums["cases"])
    levels = sums[list(range(len(names)))].set_axis(pd.Index(names), axis=1)
    # Dask tables have another string dtype
    is_text = {name: isinstance(songs.dtypes[name], pd.StringDtype) for name in names}
    levels = levels.astype({name: TEXT if is_text[name] else songs.dtypes[name] for name in names})
    return pd.concat([levels, as_frame(sums, _BY_LEVEL)], axis=1)


def _count_levels(  # noqa: PLR0913 - the options of adherence
    songs: pd.DataFrame,
    tags: pd.DataFrame,
    *,
    requested: RequestedTags,
    names: list[str],
    match: Match,
    cluster: str | None,
) -> pd.DataFrame:
    """Sum each measure by level: `SUMS` of its values, and `tags`, its denominators.

    The columns of levels are numbered, since a factor may have any name.
    """
    require(songs, dict.fromkeys(names, "key"), SONGS)
    matched = _match_songs(songs, tags, requested, match)
    tasks = cluster_codes(songs.iloc[matched.rows], cluster, SONGS)
    by = songs[names].set_axis(range(len(names)), axis=1).reset_index(drop=True)
    codes, levels = row_codes(by)
    measures = matched.measures()
    denominators = {
        "recall": measures["requested"],
        "precision": measures["returned"],
        "jaccard": measures["requested"] + measures["added"],
    }
    parts = []
    for measure, denominator in denominators.items():
        values = measures[measure].to_numpy()
        defined = ~np.isnan(values)
        group, ones = codes[matched.rows][defined], np.ones(int(defined.sum()))
        sums = ratio_sums(group, tasks[defined], values[defined], ones, len(levels))
        total = sum_by_code(group, denominator.to_numpy()[defined], len(levels))
        parts.append(levels.assign(measure=measure, **sums, tags=total))
    # a stable sort by position keeps the measures of a level together
    counts = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    return counts[[*by, "measure", *SUMS, "tags"]]


class _Song(NamedTuple):
    """Tags of a song without repeats; for each requested one the index of the returned one."""

    requested: tuple[str, ...]
    returned: tuple[str, ...]
    matches: tuple[int | None, ...]

    def fates(self) -> Sequence[tuple[str | None, ...]]:
        """Return the tag, the returned tag and the fate of each requested and each added tag."""
        returned = enumerate(self.returned)
        return [
            (tag, None, "dropped") if index is None else (tag, self.returned[index], "kept")
            for tag, index in zip(self.requested, self.matches, strict=True)
        ] + [(tag, tag, "added") for index, tag in returned if index not in self.matches]

    def counts(self) -> tuple[int, ...]:
        kept = sum(index is not None for index in self.matches)
        added = len(self.returned) - len(set(self.matches) - {None})
        return len(self.requested), len(self.returned), kept, len(self.requested) - kept, added


class _MatchedSongs(NamedTuple):
    """Songs that succeeded: row numbers in the table, key columns, tags."""

    rows: Ints
    keys: pd.DataFrame
    songs: list[_Song]

    def measures(self) -> pd.DataFrame:
        rows = [song.counts() for song in self.songs]
        counts = pd.DataFrame(rows, columns=list(_COUNTS), dtype="int64")
        recall = counts["kept"] / counts["requested"]
        precision = (counts["returned"] - counts["added"]) / counts["returned"]
        jaccard = counts["kept"] / (counts["requested"] + counts["added"])
        return counts.assign(recall=recall, precision=precision, jaccard=jaccard)


def _match_songs(
    songs: pd.DataFrame,
    tags: pd.DataFrame,
    requested: RequestedTags,
    match: Match,
    result_columns: Iterable[str] = (),
) -> _MatchedSongs:
    require(songs, dict.fromkeys(_KEYS, "key"), SONGS)
    require(tags, {**dict.fromkeys(_KEYS, "key"), "tag": "text"}, TAGS)
    codes = tagged_songs(songs, tags)
    rows = np.flatnonzero(codes.has_tags)
    judged = songs.iloc[rows].reset_index(drop=True)
    lead = list(judged.columns[: list(judged.columns).index("task_id")])
    no_conflict(lead, [*_KEYS, *result_columns], SONGS)
    names = [name for name in _KEYS if name not in lead]
    keys = pd.concat([judged[lead], judged[names].astype(dict.fromkeys(names, TEXT))], axis=1)
    present = tags["tag"].notna().to_numpy(dtype=bool)
    texts = tags["tag"][present].astype(str)
    returned = texts.groupby(codes.tag_song[present]).agg(list).to_dict()
    matched, song_tags = [], requested_tags(judged, requested)
    for song, code in zip(song_tags, codes.song[rows].tolist(), strict=True):
        pair = unique_tags(song), unique_tags(returned.get(code, []))
        matched.append(_Song(*pair, match_tags(*pair, match)))
    return _MatchedSongs(rows, keys, matched)


def requested_tags(songs: pd.DataFrame, requested: RequestedTags) -> list[tuple[str, ...]]:
    """Return the requested tags of each row of songs, with repeats."""
    if isinstance(requested, str):
        require(songs, {requested: "any"}, SONGS)
        return [split_tags(text, f"column {requested!r}: ") for text in songs[requested]]
    if not isinstance(requested, Mapping | pd.Series):
        raise InvalidArgument(
            "requested must be the name of a column of songs, or a mapping or Series from song_id "
            f"or cell to the requested tags, not an object of type {type(requested).__name__}"
        )
    texts = dict(requested.items())
    names = [name for name in ("cell", "song_id") if name in songs.columns]
    missing = {name: [key for key in songs[name] if key not in texts] for name in names}
    name = min(names, key=lambda name: len(missing[name]))
    if missing[name]:
        raise BadFrame(
            f"requested has no entry for {len(missing[name])} of {len(songs)} songs, such as "
            f"{name} {missing[name][0]!r}; use None for songs that requested nothing"
        )
    return [split_tags(texts[key], f"{name} {key!r}: ") for key in songs[name]]
