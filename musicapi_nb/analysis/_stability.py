"""Stability: how similar the songs of a repeated prompt are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.checks import (
    as_frame,
    check_level,
    finite_values,
    level_names,
    no_conflict,
    require,
)
from musicapi_nb.analysis.clusters import cluster_codes, row_codes, sum_by_code
from musicapi_nb.analysis.pair_means import mean_of_pairs
from musicapi_nb.analysis.song_keys import SONGS, tagged_songs
from musicapi_nb.analysis.source_tables import Source, songs_and_tags
from musicapi_nb.analysis.variance_components import nested_sums
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.arrow_tables import Table, as_pandas
from musicapi_nb.tasks.tags import tag_key

_COLUMNS = {
    **dict.fromkeys(("tasks", "songs"), "int64"),
    **dict.fromkeys(("jaccard_within", "jaccard_within_low", "jaccard_within_high"), "float64"),
    **dict.fromkeys(("jaccard_between", "jaccard_between_low", "jaccard_between_high"), "float64"),
    "common_tags": "int64",
    **dict.fromkeys(("duration_sd_within", "duration_sd_between"), "float64"),
}

_LIKENESS = {
    **{
        f"likeness_{pairs}{bound}": "float64"
        for pairs in ("within", "between")
        for bound in ("", "_low", "_high")
    },
    "likeness_pairs": "int64",
}
_PAIRS = "likeness (of mnb.likeness(songs, within='request'))"


def stability(  # noqa: PLR0913 - all but two are keywords
    songs: Source,
    tags: Source | None = None,
    *,
    by: str | Sequence[str],
    likeness: Table | None = None,
    cluster: str | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare the songs of each prompt with each other, within a task and between tasks.

    The similarity of two songs is the Jaccard index of their tags (Jaccard, New Phytol. 11,
    1912): shared tags / tags of either, ignoring spelling (see `tasks.tags.tag_key`). Means are
    over pairs of songs of one task (`jaccard_within`) or of two tasks (`jaccard_between`). A
    higher first mean shows that two songs of a task are not two independent repeats. Only songs
    that succeeded and have tags are compared.

    Intervals use the jackknife over tasks (Arvesen, Ann. Math. Stat. 40, 1969) in Wilson's form,
    with Student's t; they need 3 tasks. The page Statistics of the docs reports their coverage.
    BadFrame is raised if columns are missing or of another kind, a song has several rows, or `by`
    names a column of the result.

    Needs the extra `analysis`.

    Parameters
    ----------
    songs
        A run, or whatever else `songs_frame` accepts. Or a table: one row for each song with the
        columns of `by` and `duration`, such as `run.songs()`.
    tags
        Rows of `tags_frame` of these songs; needed beside a table.
    by
        The factor or factors that make a prompt.
    likeness
        Pairs of these songs with their measured likeness, from `mnb.likeness(songs,
        within="request")`: its means are added. Pairs of songs of two prompts do not count.
    cluster
        The column that identifies tasks; default `cell`, else `task_id`, else `reply`.

    Returns
    -------
    pandas.DataFrame
        One row for each prompt, in order of occurrence: the columns of `by`, `tasks, songs`
        (int64; that succeeded), `jaccard_within, jaccard_within_low, jaccard_within_high,
        jaccard_between, jaccard_between_low, jaccard_between_high` (float64; missing without such
        a pair), `common_tags` (int64: tags that all songs have), `duration_sd_within,
        duration_sd_between` (float64, seconds: square roots of the components of `variance`,
        negative ones as 0). With `likeness`: `likeness_within, likeness_within_low,
        likeness_within_high, likeness_between, likeness_between_low, likeness_between_high`
        (float64) and `likeness_pairs` (int64).
    """
    require_extra("analysis")
    names = level_names(by, _COLUMNS)
    songs, tags = songs_and_tags(songs, tags)
    check_level(level)
    require(songs, {**dict.fromkeys(names, "key"), "duration": "number"}, SONGS)
    task = cluster_codes(songs, cluster, SONGS)
    prompt, prompts = row_codes(songs[names])
    tagged = _read_songs(songs, tags, task, prompt)
    rows = [_compare_songs(tagged, number, level) for number in range(len(prompts))]
    table = as_frame(pd.DataFrame(rows, columns=list(_COLUMNS)), _COLUMNS)
    parts = [prompts.reset_index(drop=True), table]
    if likeness is not None:
        no_conflict(names, _LIKENESS, "by")
        pairs = as_pandas(likeness, "likeness")
        parts.append(_mean_likeness(songs, pairs, task, prompt, level))
    return pd.concat(parts, axis=1)


class _Songs(NamedTuple):
    """Songs that succeeded, sorted by prompt, then task: tasks, seconds, and tag codes.

    The songs of prompt p are prompt_start[p]:prompt_start[p + 1].
    """

    prompt_start: Ints
    task: Ints
    duration: Floats
    tags: list[Ints]


def _read_songs(songs: pd.DataFrame, tags: pd.DataFrame, task: Ints, prompt: Ints) -> _Songs:
    codes = tagged_songs(songs, tags)
    rows = np.flatnonzero(codes.has_tags)
    order = rows[np.lexsort((codes.song[rows], task[rows], prompt[rows]))]
    position = np.full(codes.number, -1)
    position[codes.song[order]] = np.arange(len(order))
    present = tags["tag"].notna().to_numpy() & (position[codes.tag_song] >= 0)
    spelling, spellings = pd.factorize(tags["tag"][present])
    tag, _ = pd.factorize(np.array([tag_key(text) for text in spellings], dtype=object))
    song = position[codes.tag_song[present]]
    pairs = np.unique(np.column_stack([song, tag[spelling]]).astype("int64"), axis=0)
    ends = np.searchsorted(pairs[:, 0], np.arange(1, len(order)))
    prompts = int(prompt.max(initial=-1)) + 1
    return _Songs(
        np.searchsorted(prompt[order], np.arange(prompts + 1)),
        task[order],
        finite_values(songs["duration"])[order],
        np.split(pairs[:, 1], ends) if len(order) else [],
    )


def _compare_songs(songs: _Songs, prompt: int, level: float) -> tuple[float, ...]:
    """Return the row of one prompt, in the order of `_COLUMNS`."""
    rows = slice(songs.prompt_start[prompt], songs.prompt_start[prompt + 1])
    task, duration = songs.task[rows], songs.duration[rows]
    finite = np.isfinite(duration)
    seconds = nested_sums(duration[finite], task[finite], np.zeros(int(finite.sum()), "int64"))
    has_tags = np.array([len(tags) > 0 for tags in songs.tags[rows]], dtype=bool)
    sets = [tags for tags in songs.tags[rows] if len(tags)]
    counts = np.unique(np.concatenate(sets), return_counts=True)[1] if sets else np.zeros(0)
    return (
        len(np.unique(task)),
        len(task),
        *_mean_similarities(sets, task[has_tags], level),
        int((counts == len(sets)).sum()),
        *np.sqrt(np.maximum([seconds.within, seconds.between], 0.0)),
    )


def _mean_similarities(sets: Sequence[Ints], task: Ints, level: float) -> tuple[float, ...]:
    """Return the mean Jaccard index within and between tasks, each with its bounds.

    `sets` are sorted by task.
    """
    tasks, codes = np.unique(task, return_inverse=True)
    songs = sum_by_code(codes, np.ones(len(codes)), len(tasks))
    within, between = _sum_similarities(sets, codes)
    result = mean_of_pairs(within, songs * (songs - 1), 1, level)
    return (*result, *mean_of_pairs(between, songs * (songs.sum() - songs), 2, level))


def _mean_likeness(
    songs: pd.DataFrame, pairs: pd.DataFrame, task: Ints, prompt: Ints, level: float
) -> pd.DataFrame:
    """Return the columns `_LIKENESS`, a row for each prompt.

    Songs are the rows of `songs` with these task and song ids; pairs of others are left out.
    """
    keys = ["task_id", "song_id"]
    require(pairs, dict.fromkeys([*keys, *(f"other_{name}" for name in keys)], "key"), _PAIRS)
    require(pairs, {"likeness": "number"}, _PAIRS)
    require(songs, dict.fromkeys(keys, "key"), SONGS)
    rows = pd.Series(np.arange(len(songs)), pd.MultiIndex.from_frame(songs[keys]))
    rows = rows[~rows.index.duplicated()]
    sides = [
        rows.reindex(pd.MultiIndex.from_arrays([pairs[f"{lead}{name}"] for name in keys]))
        for lead in ("", "other_")
    ]
    first, second = (finite_values(side) for side in sides)
    values = finite_values(pairs["likeness"])
    compared = np.isfinite(first) & np.isfinite(second) & np.isfinite(values)
    first, second = first[compared].astype(int), second[compared].astype(int)
    values = values[compared]
    table = []
    for number in range(int(prompt.max(initial=-1)) + 1):
        inside = (prompt[first] == number) & (prompt[second] == number)
        tasks = task[first[inside]], task[second[inside]]
        table.append((*_likeness_of(*tasks, values[inside], level), int(inside.sum())))
    return as_frame(pd.DataFrame(table, columns=list(_LIKENESS)), _LIKENESS)


def _likeness_of(first: Ints, second: Ints, values: Floats, level: float) -> tuple[float, ...]:
    """Return the mean over pairs within and between tasks, each with its bounds."""
    tasks, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
    sides = np.split(codes, 2)
    within = sides[0] == sides[1]
    result: list[float] = []
    for chosen, tasks_per_pair in ((within, 1), (~within, 2)):
        ends = np.concatenate([side[chosen] for side in sides[:tasks_per_pair]])
        weights = np.tile(values[chosen], tasks_per_pair)
        total = sum_by_code(ends, weights, len(tasks))
        number = sum_by_code(ends, np.ones(len(ends)), len(tasks))
        result += mean_of_pairs(total, number, tasks_per_pair, level)
    return tuple(result)


def _sum_similarities(sets: Sequence[Ints], task: Ints) -> tuple[Floats, Floats]:
    """Sum each task's Jaccard indices with its own songs and with others: (tasks,) each."""
    within, between = np.zeros((2, int(task.max(initial=-1)) + 1))
    if not len(sets):
        return within, between
    sizes = np.array([len(tags) for tags in sets])
    _, tag = np.unique(np.concatenate(sets), return_inverse=True)
    song = np.repeat(np.arange(len(sets)), sizes)
    holders = np.split(song[np.argsort(tag, kind="stable")], np.cumsum(np.bincount(tag))[:-1])
    task_start = np.searchsorted(task, np.arange(len(within) + 1))
    for number, tags in enumerate(np.split(tag, np.cumsum(sizes)[:-1])):
        joint = np.concatenate([holders[code] for code in tags])
        shared = np.bincount(joint, minlength=len(sets))
        index = shared / (sizes[number] + sizes - shared)
        code = task[number]
        same_task = index[task_start[code] : task_start[code + 1]].sum()
        within[code] += same_task - 1  # without the song itself
        between[code] += index.sum() - same_task
    return within, between
