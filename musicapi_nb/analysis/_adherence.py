"""Adherence: what became of the requested tags, per song and per factor level."""

import functools
import itertools
import operator
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
from musicapi_nb.analysis.source_tables import Source, songs_and_tags
from musicapi_nb.analysis.tag_matching import Match, TagReader
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.tasks.tag_fates import FATES, TagFate
from musicapi_nb.tasks.tag_reader import Tag

RequestedTags: TypeAlias = str | Mapping[Any, Any] | pd.Series

_KEYS = ("task_id", "song_id")
_FATES = {"tag": "str", "returned": "str", "fate": "str"}
_COUNTS = ("requested", "returned", *FATES)
_MEASURES = ("recall", "precision", "jaccard", "avoidance")
_BY_LEVEL = {
    "measure": "str",
    **dict.fromkeys(("estimate", "low", "high"), "float64"),
    **dict.fromkeys(("tasks", "songs"), "int64"),
}


def tag_fates(  # noqa: PLR0913 - all but two are keywords
    songs: Source,
    tags: Source | None = None,
    *,
    requested_tags: RequestedTags = "requested_tags",
    negative_tags: RequestedTags | None = None,
    match: Match = "tag",
    aliases: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """List what became of the requested tags of each song, then its added tags.

    - "kept": the tag was returned, in any spelling.
    - "split": all its words were returned, as several tags ("slow jazz" as "slow" and "jazz").
    - "dropped": it was not returned.
    - "avoided", "violated": it should not come ("no drums"), and did not, or did.
    - "added": it was returned, but not requested.

    Case, accents, dashes, plurals, joined and parted words, and spellings of decades, keys and
    tempi do not matter; "D&B" is "drum and bass" (see the guide Tags). Songs that did not succeed
    are left out; `.attrs["songs_left_out"]` counts them. If songs have no column `state`, those
    without any tag are left out. Repeats within a song count once. BadFrame is raised if a column
    is missing or of a wrong kind, a song has several rows, or no song requested any tag.

    Parameters
    ----------
    songs, tags
        A run, or whatever else `songs_frame` accepts. Or two tables: of `songs_frame` and
        `tags_frame`, or an experiment's `run.songs()` and `run.tags()`.
    requested_tags
        The column of `songs` with the requested tags, or a mapping or Series to them from
        `song_id` or from `cell`. A text is split at the separators of all scripts; a sentence is
        read by the vocabulary of returned tags, longest first; a list of texts is taken as is; a
        missing value requests nothing.
    negative_tags
        Tags that should not come, in the same way; default: the column `negative_tags`, if there
        is one.
    match
        "tag": equal spellings. "words": a tag is also kept if all its words occur within one
        returned tag, such as "jazz" in "spy jazz"; one returned tag can keep several requested
        ones. A function (requested, returned) -> bool: as many tags are kept as can be matched to
        distinct returned tags; none is split.
    aliases
        Tags and the tag that each stands for, such as {"boom bap": "hip hop"}.

    Returns
    -------
    pd.DataFrame
        The columns of `songs` before `task_id` (cell, block, take, factors), then `task_id,
        song_id` (str), `tag` (str: as requested; added tags as returned), `returned` (str: as
        returned, several tags joined by commas; missing if none was), `fate` (str).
    """
    songs, tags = songs_and_tags(songs, tags)
    matched = _match_songs(
        songs, tags, _Requests(requested_tags, negative_tags, match, aliases), _FATES
    )
    matched.require_requests()
    fates = [song.rows() for song in matched.songs]
    keys = matched.keys.loc[np.repeat(matched.keys.index, list(map(len, fates)))]
    columns = pd.DataFrame(itertools.chain.from_iterable(fates), columns=list(_FATES))
    result = pd.concat([keys.reset_index(drop=True), as_frame(columns, _FATES)], axis=1)
    result.attrs["songs_left_out"] = len(songs) - len(matched.keys)
    return result


def adherence(  # noqa: PLR0913 - all but two are keywords
    songs: Source,
    tags: Source | None = None,
    *,
    requested_tags: RequestedTags = "requested_tags",
    negative_tags: RequestedTags | None = None,
    by: str | Sequence[str] | None = None,
    match: Match = "tag",
    aliases: Mapping[str, str] | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Measure how well songs have the requested tags, per song or per factor level.

    With k of a requested tags kept or split, and u of n returned tags added: recall = k / a,
    precision = (n - u) / n, jaccard = k / (a + u). Tags that should not come are not among these
    a; avoidance is the share of them that did not come. Each measure is missing where its
    denominator is 0. Songs, requested tags and matching are as for `tag_fates`.

    With `by`, each measure is the mean over the level's songs where it is defined. Songs of one
    task are not independent: intervals use the variance between tasks (Wilson's interval with the
    variance of a ratio over clusters, see `ratios`) and are missing for a single task. Dask tables
    are counted by partition. Errors are as for `tag_fates`; BadFrame is also raised if `by` is not
    a column or a task is missing.

    With `by`, it needs the extra `analysis`.

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
        `requested, returned, kept, split, dropped, avoided, violated, added` (int64: all but the
        second sum to the requested and the added tags), `recall, precision, jaccard, avoidance`
        (float64). With `by`: its columns, levels in their order of occurrence, then `measure`
        (str; avoidance only if a tag should not come), `estimate, low, high` (float64), `tasks,
        songs` (int64: where it is defined).
    """
    if by is not None:
        require_extra("analysis")
    songs, tags = songs_and_tags(songs, tags)
    requests = _Requests(requested_tags, negative_tags, match, aliases)
    if by is None:
        matched = _match_songs(songs, tags, requests, (*_COUNTS, *_MEASURES))
        matched.require_requests()
        result = pd.concat([matched.keys, matched.measures()], axis=1)
        result.attrs["songs_left_out"] = len(songs) - len(matched.keys)
        return result
    names = level_names(by, _BY_LEVEL)
    level = check_level(level)
    if hasattr(tags, "to_delayed"):  # a Dask table: sentences need the tags of all songs
        spellings = map_reduce(_count_spellings, tags, keys=["tag"])
        requests = requests._replace(returned=spellings["tag"].tolist())
    count = functools.partial(_count_levels, requests=requests, names=names, cluster=cluster)
    sums = map_reduce(count, songs, tags, keys=[*range(len(names)), "measure"])
    total = sums.groupby("measure")["tags"].sum()
    if total.get("precision", 0) and not (total["recall"] or total["avoidance"]):
        raise no_requests(requested_tags)
    if not total.get("avoidance", 0):
        sums = sums[sums["measure"] != "avoidance"].reset_index(drop=True)
    estimate, low, high = ratios(sums, level, max_cases=sums["tags"])
    sums = sums.assign(estimate=estimate, low=low, high=high, songs=sums["cases"])
    levels = sums[list(range(len(names)))].set_axis(pd.Index(names), axis=1)
    # Dask tables have another string dtype
    is_text = {name: isinstance(songs.dtypes[name], pd.StringDtype) for name in names}
    levels = levels.astype({name: TEXT if is_text[name] else songs.dtypes[name] for name in names})
    return pd.concat([levels, as_frame(sums, _BY_LEVEL)], axis=1)


def _count_spellings(tags: pd.DataFrame) -> pd.DataFrame:
    require(tags, {"tag": "text"}, TAGS)
    spellings = tags["tag"].dropna().astype(TEXT)
    return pd.DataFrame({"tag": spellings.unique(), "songs": 1}).astype({"tag": TEXT})


def _count_levels(
    songs: pd.DataFrame,
    tags: pd.DataFrame,
    *,
    requests: "_Requests",
    names: list[str],
    cluster: str | None,
) -> pd.DataFrame:
    """Sum each measure by level: `SUMS` of its values, and `tags`, its denominators.

    The columns of levels are numbered, since a factor may have any name.
    """
    require(songs, dict.fromkeys(names, "key"), SONGS)
    matched = _match_songs(songs, tags, requests)
    tasks = cluster_codes(songs.iloc[matched.rows], cluster, SONGS)
    by = songs[names].set_axis(range(len(names)), axis=1).reset_index(drop=True)
    codes, levels = row_codes(by)
    measures = matched.measures()
    parts = []
    for measure, denominator in _denominators(measures).items():
        values = measures[measure].to_numpy()
        defined = ~np.isnan(values)
        group, ones = codes[matched.rows][defined], np.ones(int(defined.sum()))
        sums = ratio_sums(group, tasks[defined], values[defined], ones, len(levels))
        total = sum_by_code(group, denominator.to_numpy()[defined], len(levels))
        parts.append(levels.assign(measure=measure, **sums, tags=total))
    # a stable sort by position keeps the measures of a level together
    counts = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
    return counts[[*by, "measure", *SUMS, "tags"]]


class _Requests(NamedTuple):
    """What to read of the requests, and how to match it; `returned` are the tags of all songs."""

    requested: RequestedTags
    negative: RequestedTags | None
    match: Match
    aliases: Mapping[str, str] | None
    returned: Sequence[str] | None = None


class _Song(NamedTuple):
    """The tags of a song without repeats, and the fates of the requested and added ones."""

    returned: tuple[str, ...]
    fates: list[TagFate]

    def rows(self) -> list[tuple[str | None, ...]]:
        """Return the tag, the returned tags and the fate of each requested and each added tag."""
        return [
            (
                fate.tag,
                ", ".join(self.returned[index] for index in fate.returned) or None,
                fate.fate,
            )
            for fate in self.fates
        ]

    def counts(self) -> tuple[int, ...]:
        fates = [fate.fate for fate in self.fates]
        numbers = [fates.count(fate) for fate in FATES]
        return len(fates) - fates.count("added"), len(self.returned), *numbers


class _MatchedSongs(NamedTuple):
    """Songs that succeeded: row numbers in the table, key columns, tags."""

    requests: _Requests
    rows: Ints
    keys: pd.DataFrame
    songs: list[_Song]

    def measures(self) -> pd.DataFrame:
        rows = [song.counts() for song in self.songs]
        counts = pd.DataFrame(rows, columns=list(_COUNTS), dtype="int64")
        hits = counts["kept"] + counts["split"]
        numerators = {
            "recall": hits,
            "precision": counts["returned"] - counts["added"],
            "jaccard": hits,
            "avoidance": counts["avoided"],
        }
        totals = _denominators(counts)
        return counts.assign(**{name: numerators[name] / totals[name] for name in _MEASURES})

    def require_requests(self) -> None:
        """Raise BadFrame if songs have tags, but none of them requested any."""
        fates = [fate.fate for song in self.songs for fate in song.fates]
        if fates and fates.count("added") == len(fates):
            raise no_requests(self.requests.requested)


def _denominators(counts: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the number of tags that each measure of `_MEASURES` is a share of, (songs,) each."""
    positive = counts["kept"] + counts["split"] + counts["dropped"]
    return {
        "recall": positive,
        "precision": counts["returned"],
        "jaccard": positive + counts["added"],
        "avoidance": counts["avoided"] + counts["violated"],
    }


def no_requests(requested: RequestedTags) -> BadFrame:
    """Return the error about songs that have tags, none of which was requested."""
    source = f"column {requested!r}" if isinstance(requested, str) else "requested_tags"
    return BadFrame(
        f"{source} has no tags for any song, so nothing can be compared: replies alone do not "
        "always state the request. Pass requested_tags=..., the column with the requested tags or "
        "a mapping to them from song_id or cell"
    )


def _match_songs(
    songs: pd.DataFrame, tags: pd.DataFrame, requests: _Requests, result_columns: Iterable[str] = ()
) -> _MatchedSongs:
    require(songs, dict.fromkeys(_KEYS, "key"), SONGS)
    require(tags, {**dict.fromkeys(_KEYS, "key"), "tag": "text"}, TAGS)
    codes = tagged_songs(songs, tags)
    rows = np.flatnonzero(codes.has_tags)
    songs = songs.iloc[rows].reset_index(drop=True)
    factors = list(songs.columns[: list(songs.columns).index("task_id")])
    no_conflict(factors, [*_KEYS, *result_columns], SONGS)
    names = [name for name in _KEYS if name not in factors]
    keys = pd.concat([songs[factors], songs[names].astype(dict.fromkeys(names, TEXT))], axis=1)
    present = tags["tag"].notna().to_numpy(dtype=bool)
    texts = tags["tag"][present].astype(TEXT)
    returned = texts.groupby(codes.tag_song[present]).agg(list).to_dict()
    vocabulary = texts.unique().tolist() if requests.returned is None else requests.returned
    reader = TagReader(vocabulary, requests.match, requests.aliases)
    requested = read_requests(songs, requests.requested, reader)
    negative = requests.negative
    if negative is None and "negative_tags" in songs.columns:
        negative = "negative_tags"
    if negative is not None:
        negative_tags = read_requests(songs, negative, reader, negative=True)
        requested = list(map(operator.add, requested, negative_tags))
    matched = []
    for tags_of_song, code in zip(requested, codes.song[rows].tolist(), strict=True):
        unique = reader.unique_tags(returned.get(code, []))
        matched.append(_Song(unique, reader.fates(tags_of_song, unique)))
    return _MatchedSongs(requests, rows, keys, matched)


def read_requests(
    songs: pd.DataFrame, requested: RequestedTags, reader: TagReader, *, negative: bool = False
) -> list[list[Tag]]:
    """Return the requested tags, or those that should not come, of each row of songs."""
    argument = "negative_tags" if negative else "requested_tags"
    if isinstance(requested, str):
        require(songs, {requested: "any"}, SONGS)
        location = f"column {requested!r}: "
        return [reader.read(text, location, negative=negative) for text in songs[requested]]
    if not isinstance(requested, Mapping | pd.Series):
        raise InvalidArgument(
            f"{argument} must be the name of a column of songs, or a mapping or Series from "
            f"song_id or cell to the tags, not an object of type {type(requested).__name__}"
        )
    texts = dict(requested.items())
    names = [name for name in ("cell", "song_id") if name in songs.columns]
    missing = {name: [key for key in songs[name] if key not in texts] for name in names}
    name = min(names, key=lambda name: len(missing[name]))
    if missing[name]:
        raise BadFrame(
            f"{argument} has no entry for {len(missing[name])} of {len(songs)} songs, such as "
            f"{name} {missing[name][0]!r}; use None for songs that requested nothing"
        )
    return [reader.read(texts[key], f"{name} {key!r}: ", negative=negative) for key in songs[name]]
