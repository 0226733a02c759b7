"""Effects: how the levels of a factor change durations, waiting times, ratings and tags."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.bootstrap import (
    MIN_TASKS,
    Measure,
    Resamples,
    Sums,
    bootstrap_interval,
    permutation_p,
    resample,
)
from musicapi_nb.analysis.checks import as_frame, check_level, finite_values, names_of, require
from musicapi_nb.analysis.clusters import cluster_codes, level_codes, sum_by_code
from musicapi_nb.analysis.contrasts import (
    Correction,
    Share,
    adjust_p_values,
    difference_interval,
    ratio_interval,
)
from musicapi_nb.analysis.ratio_estimator import cluster_sums, ratios
from musicapi_nb.analysis.song_keys import presence_values, require_unique
from musicapi_nb.errors import BadFrame, InvalidArgument

_COLUMNS = {
    **dict.fromkeys(("factor", "level", "baseline", "outcome", "measure"), "str"),
    **dict.fromkeys(("estimate", "low", "high", "p", "p_adjusted"), "float64"),
    **dict.fromkeys(("mean", "baseline_mean"), "float64"),
    **dict.fromkeys(("songs", "tasks", "baseline_songs", "baseline_tasks"), "int64"),
    "missing_songs": "int64",
}
_LABEL = "the frame of effects"


def effects(  # noqa: PLR0913 - all but two are keywords
    frame: pd.DataFrame,
    factor: str,
    *,
    outcomes: Sequence[str] = ("duration",),
    tags: pd.DataFrame | None = None,
    presence: Sequence[str] = (),
    baseline: Any = None,
    measure: Measure = "difference",
    level: float = 0.95,
    correction: Correction | None = "holm",
    cluster: str | None = None,
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate the effect of each level of a factor, against a baseline level.

    Levels are compared by means over songs, or by shares of songs that have a tag. The two songs
    of a task are not independent, so intervals and p-values treat tasks as the sampled units.

    - Intervals of means: the studentised cluster bootstrap (bootstrap-t). Missing with fewer than
      3 tasks in either level.
    - Intervals of shares: combined from the cluster-robust Wilson intervals of the two shares
      (see `ratios`), differences by Newcombe (1998), ratios by Donner and Zou (2012).
    - `p`: levels are permuted over the tasks of the two levels, within the `block` if the frame
      has one (and no task is in two); see `permutation_p`. Missing if nothing can be permuted.
    - `p_adjusted` is corrected for all rows of the table.

    The page Statistics of the docs reports how often these intervals covered the true effect.
    Other factors are not adjusted for: in a balanced plan they only widen the intervals. To
    estimate the effect at one level of another factor, select its rows beforehand. BadFrame is
    raised if columns are missing or not numeric, a task has songs of two levels, a song has several
    rows, or the baseline does not occur.

    Parameters
    ----------
    frame
        One row for each song with the factor's column, such as `run.songs()`, `run.durations()`,
        or a table joined with `ratings_frame`. A missing level is the level "(none)".
    outcomes
        Numeric columns. Songs without a finite value (below 1e100) are left out and counted as
        `missing_songs`.
    tags, presence
        Rows of `tags_frame` of these songs, and the tags whose presence is an outcome, ignoring
        case, hyphens and white space. Presence is defined for songs whose `state` is "succeeded";
        if the frame has no `state`, for songs that have any tag.
    baseline
        A level; default: the first one in the frame (of categories: the first that occurs).
    measure
        "difference", or "ratio" (missing if the baseline's mean is 0, or either is negative).
    correction
        "holm", "bh" (Benjamini and Hochberg) or None.
    cluster
        The column that identifies tasks; default `cell`, else `task_id`, else `reply`.
    draws, seed
        Number of resamples and of permutations, and their seed.

    Returns
    -------
    pandas.DataFrame
        One row for each outcome and level but the baseline: `factor, level, baseline, outcome,
        measure` (str; `outcome` is a column, or "tag: ..."), `estimate, low, high, p, p_adjusted,
        mean, baseline_mean` (float64; in units of the outcome, shares 0 to 1), `songs, tasks,
        baseline_songs, baseline_tasks, missing_songs` (int64; the last of both levels).
    """
    outcomes, presence = names_of(outcomes, "outcomes"), names_of(presence, "presence")
    if measure not in get_args(Measure):
        raise InvalidArgument(f'measure must be "difference" or "ratio", not {measure!r}')
    if correction is not None and correction not in get_args(Correction):
        raise InvalidArgument(f'correction must be "holm", "bh" or None, not {correction!r}')
    if not isinstance(draws, int) or draws < 1:
        raise InvalidArgument(f"draws must be a whole number >= 1, such as 2000, not {draws!r}")
    if bool(presence) != (tags is not None):
        raise InvalidArgument("presence=[...] and tags=run.tags() must be given together")
    check_level(level)
    if not isinstance(factor, str):
        raise InvalidArgument(f"factor must be the name of one column, not {factor!r}")
    require(frame, {factor: "key", **dict.fromkeys(outcomes, "number")}, _LABEL)
    require_unique(frame, _LABEL)
    tasks = _read_tasks(frame, factor, cluster)
    base = _baseline_code(tasks.names, baseline, factor)
    settings = _Settings(measure, level, draws, seed)
    estimators = [_Outcome(tasks, name, finite_values(frame[name]), settings) for name in outcomes]
    if tags is not None:
        for tag, values in presence_values(frame, tags, presence, _LABEL).items():
            estimators.append(_Presence(tasks, f"tag: {tag}", values, settings))
    levels = [level for level in range(len(tasks.names)) if level != base]
    rows = [outcome.compare(level, base) for outcome in estimators for level in levels]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    table["p_adjusted"] = adjust_p_values(table["p"].to_numpy("float64"), correction)
    return as_frame(table, _COLUMNS)


class _Settings(NamedTuple):
    measure: Measure
    level: float
    draws: int
    seed: int


class _Tasks(NamedTuple):
    """Codes of each row's task and level, and of each task's level and block; names of levels.

    `rank` orders the levels by their first task, so that seeds do not depend on names.
    """

    factor: str
    task: Ints
    level: Ints
    task_level: Ints
    task_block: Ints
    names: list[str]
    rank: Ints


def _read_tasks(frame: pd.DataFrame, factor: str, cluster: str | None) -> _Tasks:
    task = cluster_codes(frame, cluster, _LABEL)
    level, names = level_codes(frame, factor)
    task_level = _first_by_task(task, level)
    if (mixed := np.flatnonzero(task_level[task] != level)).size:
        row = int(mixed[0])
        raise BadFrame(
            f"a task has songs of {factor} {names[task_level[task[row]]]!r} and "
            f"{names[level[row]]!r}; a level consists of whole tasks (is cluster= the right "
            "column?)"
        )
    task_block = np.zeros_like(task_level)
    if "block" in frame.columns and factor != "block":
        require(frame, {"block": "key"}, _LABEL)
        block = pd.factorize(frame["block"], sort=True)[0].astype("int64")
        first_block = _first_by_task(task, block)
        task_block = first_block if (first_block[task] == block).all() else task_block
    rank = np.argsort(np.argsort(np.unique(task_level, return_index=True)[1]))
    return _Tasks(factor, task, level, task_level, task_block, names, rank)


def _first_by_task(task: Ints, values: Ints) -> Ints:
    """Return the value of the first row of each task."""
    first = np.zeros(int(task.max(initial=-1)) + 1, dtype="int64")
    first[task[::-1]] = values[::-1]
    return first


def _baseline_code(names: Sequence[str], baseline: Any, factor: str) -> int:
    if baseline is None or not names:
        return 0
    if str(baseline) not in names:
        raise BadFrame(f"{factor} has no level {baseline!r}; it has {', '.join(names)}")
    return names.index(str(baseline))


class _Outcome:
    """One outcome summed by task; each level is resampled once for all comparisons."""

    def __init__(self, tasks: _Tasks, name: str, values: Floats, settings: _Settings) -> None:
        self._tasks, self._name, self._settings = tasks, name, settings
        finite = np.isfinite(values)
        task, number = tasks.task[finite], len(tasks.task_level)
        self._missing = np.bincount(tasks.level[~finite], minlength=len(tasks.names))
        self._total = sum_by_code(task, values[finite], number)
        self._songs = sum_by_code(task, np.ones(len(task)), number)
        self._resamples: dict[int, Resamples] = {}

    def compare(self, level: int, base: int) -> tuple[Any, ...]:
        """Return the row of a level, in the order of `_COLUMNS`; p is not yet adjusted."""
        sums, base_sums = self._sums(level), self._sums(base)
        mean, base_mean = sums.mean, base_sums.mean
        estimate = mean - base_mean
        if self._settings.measure == "ratio":
            estimate = mean / base_mean if mean >= 0 and base_mean > 0 else math.nan
        interval = (math.nan, math.nan) if math.isnan(estimate) else self._interval(level, base)
        names = self._tasks.factor, self._tasks.names[level], self._tasks.names[base]
        numbers = estimate, *interval, *[self._p(level, base)] * 2, mean, base_mean
        sizes = sums.songs.sum(), len(sums.songs), base_sums.songs.sum(), len(base_sums.songs)
        missing = self._missing[[level, base]].sum()
        return (*names, self._name, self._settings.measure, *numbers, *sizes, missing)

    def _sums(self, level: int) -> Sums:
        mask = (self._tasks.task_level == level) & (self._songs > 0)
        return Sums(self._total[mask], self._songs[mask], self._tasks.task_block[mask])

    def _interval(self, level: int, base: int) -> tuple[float, float]:
        if min(len(self._sums(level).songs), len(self._sums(base).songs)) < MIN_TASKS:
            return math.nan, math.nan
        for code in {level, base} - self._resamples.keys():
            seed = (self._settings.seed, 0, int(self._tasks.rank[code]))
            self._resamples[code] = resample(self._sums(code), self._settings.draws, seed)
        pair = self._resamples[level], self._resamples[base]
        return bootstrap_interval(*pair, self._settings.measure, self._settings.level)

    def _p(self, level: int, base: int) -> float:
        ranks = {int(self._tasks.rank[code]): code for code in (level, base)}
        first, second = (self._sums(ranks[rank]) for rank in sorted(ranks))
        if not (len(first.songs) and len(second.songs)):
            return math.nan
        seed = (self._settings.seed, 1, *sorted(ranks))
        return permutation_p(first, second, self._settings.draws, seed)


class _Presence(_Outcome):
    """The share of songs with a tag; intervals combine those of the two shares."""

    def _interval(self, level: int, base: int) -> tuple[float, float]:
        is_ratio = self._settings.measure == "ratio"
        combine = ratio_interval if is_ratio else difference_interval
        return combine(self._shares[level], self._shares[base])

    @functools.cached_property
    def _shares(self) -> list[Share]:
        codes = self._tasks.task_level
        sums = cluster_sums(codes, self._total, self._songs, len(self._tasks.names))
        columns = ratios(sums, self._settings.level)
        return [Share(*map(float, values)) for values in zip(*columns, strict=True)]
