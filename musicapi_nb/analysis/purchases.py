"""Read the cost and the results of each task of a run, a library, jobs or a table."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb import frames
from musicapi_nb.analysis._adherence import adherence
from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.checks import finite_values, require
from musicapi_nb.analysis.clusters import cluster_codes, row_codes, sum_by_code
from musicapi_nb.analysis.source_tables import frames_of
from musicapi_nb.errors import BadFrame
from musicapi_nb.frames.arrow_tables import as_pandas
from musicapi_nb.frames.inputs import has_frames
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library import Library

LABEL = "the table (songs_frame or run.frame())"
_KEYS = ("cell", "task_id", "reply")
_SONG_KEYS = ["task_id", "song_id", "song_position", "simulated"]
_TAG_COLUMNS = ["task_id", "song_id", "state", "requested_tags", "negative_tags"]
# of tasks, and of the ledger
_ENDED = ("succeeded", "done", "failed")
_IN_DOUBT = ("sending", "uncertain")
_NOT_BOUGHT = ("planned", "not_run", "refused", *_IN_DOUBT)
_PAID = ("accepted", "reposting")
_SECONDS_PER_HOUR = 3600.0


class Purchases(NamedTuple):
    """One row for each task, or part of a task in a level, and for each purchase in doubt.

    Attributes
    ----------
    figures
        Columns of float64, NaN where unknown: `credits, refunded, in_doubt, songs, rated, liked,
        kept_tags, hours`. Flags: `bought` (false for a purchase in doubt), `ended, failed`.
    levels
        The columns of `by`.
    factors
        The columns of an experiment's cell and its factors.
    task
        The task of each row, as a number.
    """

    figures: pd.DataFrame
    levels: pd.DataFrame
    factors: pd.DataFrame
    task: Ints


class _Tables(NamedTuple):
    """Tasks and their songs, and how many requested tags each song has kept, (songs,)."""

    tasks: pd.DataFrame
    songs: pd.DataFrame
    kept_tags: Floats


def read_purchases(source: Any, by: Sequence[str], stars: int) -> Purchases:
    """Read purchases. `by` are columns of tasks or songs; liked songs have `stars` or more.

    A column that only songs have gives each task the value of its first song.
    """
    source = as_pandas(source, "source")
    if not hasattr(source, "columns"):
        purchases = _of_tables(_read_tables(source), by, stars)
        return _with_doubts(purchases, source, by) if isinstance(source, Library) else purchases
    require(source, {"credits": "number", **dict.fromkeys(by, "key")}, LABEL)
    _refuse_mixture(source, by)
    if {"song_id", "song_position"} & {*source.columns}:
        return _of_songs(source, by, stars)
    if "expected" in source.columns:
        raise BadFrame(
            "a table of tasks_frame counts failed songs, too: pass the tasks or the library, or "
            "the table of songs_frame or run.frame()"
        )
    figures = _task_figures(source)
    songs = _numbers(source, "songs")
    unknown = np.full(len(source), np.nan)
    for name in ("rated", "liked", "kept_tags", "hours"):
        figures[name] = unknown
    rows = np.arange(len(source))
    return Purchases(figures.assign(songs=songs), source[[*by]], _factor_columns(source), rows)


def _read_tables(source: Any) -> _Tables:
    if has_frames(source) and not isinstance(source, Library):  # an experiment
        tasks, songs, tags = map(source.result_frame, ("cells", "songs", "tags"))
    else:
        tasks, songs, tags, _, _, _ = frames_of(source)
        if callable(getattr(type(source), "ratings", None)):
            stars = frames.ratings_frame(source)[[*_SONG_KEYS, "rating"]]
            songs = songs.merge(stars, how="left", on=_SONG_KEYS)
    return _Tables(tasks, songs, _kept_tags(songs, tags))


def _kept_tags(songs: pd.DataFrame, tags: pd.DataFrame) -> Floats:
    """Count the requested tags that each song kept, whole or split: (songs,).

    NaN for songs that did not succeed, request no tags, or return none.
    """
    result = np.full(len(songs), np.nan)
    keys = ["task_id", "song_id"]
    returned = pd.MultiIndex.from_frame(tags[keys].drop_duplicates().astype(TEXT))
    names = pd.MultiIndex.from_frame(songs[keys].astype(TEXT))
    compared = names.isin(returned) & songs["state"].eq("succeeded").to_numpy(dtype=bool)
    compared &= songs["requested_tags"].notna().to_numpy(dtype=bool)
    if compared.any():
        counts = adherence(songs.loc[compared, _TAG_COLUMNS], tags[[*keys, "tag"]])
        result[compared] = (counts["kept"] + counts["split"]).to_numpy("float64")
    return result


def _of_tables(tables: _Tables, by: Sequence[str], stars: int) -> Purchases:
    tasks, songs, _ = tables
    _refuse_mixture(tasks, by)
    keys = [name for name in _KEYS if name in tasks.columns and name in songs.columns]
    codes = cluster_codes(pd.concat([tasks[keys], songs[keys]], ignore_index=True))
    row = np.full(int(codes.max(initial=-1)) + 1, -1)
    row[codes[: len(tasks)]] = np.arange(len(tasks))
    task = row[codes[len(tasks) :]]
    figures = _task_figures(tasks)
    for name, values in _song_figures(songs, tables.kept_tags, stars).items():
        unknown = name != "songs" and bool(np.isnan(values).all())
        figures[name] = np.nan if unknown else sum_by_code(task, values, len(tasks))
    if "engine" in tasks.columns:  # a failed task counts where others show which tags they kept
        engines = songs["engine"][np.isfinite(tables.kept_tags)].unique()
        alone = figures["songs"].eq(0).to_numpy() & ~tasks["engine"].isin(engines).to_numpy()
        figures["kept_tags"] = figures["kept_tags"].mask(alone)
    if missing := [name for name in by if not {name} & {*tasks.columns, *songs.columns}]:
        both = pd.concat([tasks, songs[songs.columns.difference(tasks.columns)]], axis=1)
        require(both, dict.fromkeys(missing, "key"), "the table of tasks and their songs")
    of_songs = songs[[name for name in by if name not in tasks.columns]]
    first = of_songs.reset_index(drop=True).groupby(task).first().reindex(range(len(tasks)))
    columns = pd.concat([tasks.reset_index(drop=True), first], axis=1)
    require(columns, dict.fromkeys(by, "key"), "the table of tasks")
    return Purchases(figures, columns[[*by]], _factor_columns(tasks), np.arange(len(tasks)))


def _of_songs(songs: pd.DataFrame, by: Sequence[str], stars: int) -> Purchases:
    """Sum the songs of a table by task and level; it has no tasks without songs."""
    groups = songs[[*by]].set_axis(range(len(by)), axis=1).reset_index(drop=True)
    task = cluster_codes(songs, None, LABEL)
    row, first = row_codes(groups.assign(task=task))
    kept_tags = np.full(len(songs), np.nan)
    figures = pd.DataFrame(
        {
            name: sum_by_code(row, values, len(first))
            for name, values in _song_figures(songs, kept_tags, stars).items()
        }
    )
    credits_ = songs["credits"].reset_index(drop=True).groupby(row).sum(min_count=1)
    figures["credits"] = finite_values(credits_)
    delivered = figures["songs"].to_numpy() > 0
    figures["refunded"] = figures["in_doubt"] = np.nan
    figures = figures.assign(bought=True, ended=delivered, failed=~delivered)
    rows = first.index.to_numpy()
    return Purchases(figures, songs[[*by]].iloc[rows], _factor_columns(songs, rows), task[rows])


def _task_figures(tasks: pd.DataFrame) -> pd.DataFrame:
    """Return credits and flags of each task, or of each cell of an experiment."""
    credits_, price = _numbers(tasks, "credits"), _numbers(tasks, "price")
    everything = pd.Series(data=True, index=tasks.index)
    states = tasks["state"] if "state" in tasks.columns else None
    ended = everything if states is None else states.isin(_ENDED)
    bought = everything if states is None else ~states.isin(_NOT_BOUGHT)
    failed = ~everything if states is None else states.eq("failed")
    in_doubt = np.zeros(len(tasks))
    if states is not None:
        credits_ = np.where(states.isin(_PAID) & np.isnan(credits_), price, credits_)
        in_doubt = np.where(states.isin(_IN_DOUBT), price, 0.0)
    refunded = np.full(len(tasks), np.nan)
    if {"refunded", "price"} <= {*tasks.columns}:
        refunded = np.where(tasks["refunded"].eq(True).fillna(value=False).astype(bool), price, 0.0)
    figures = {
        "credits": np.where(bought, credits_, 0.0),
        "refunded": np.nan_to_num(refunded) if "refunded" in tasks.columns else refunded,
        "in_doubt": np.nan_to_num(in_doubt),
        "bought": bought.to_numpy(dtype=bool),
        "ended": ended.to_numpy(dtype=bool),
        "failed": failed.to_numpy(dtype=bool),
    }
    return pd.DataFrame(figures)


def _song_figures(songs: pd.DataFrame, kept_tags: Floats, stars: int) -> dict[str, Floats]:
    """Return what each row of songs counts, (songs,) each; those of lyrics have no song."""
    delivered = np.ones(len(songs), dtype=bool)
    if "state" in songs.columns:
        delivered = songs["state"].eq("succeeded").to_numpy(dtype=bool)
    if "engine" in songs.columns:
        delivered = delivered & songs["engine"].ne("lyrics").to_numpy(dtype=bool)
    rating = _numbers(songs, "rating")
    has_rating = ~np.isnan(rating)
    figures = {
        "rated": has_rating.astype("float64"),
        "liked": (np.nan_to_num(rating) >= stars).astype("float64"),
        "kept_tags": kept_tags,
        "hours": _numbers(songs, "duration") / _SECONDS_PER_HOUR,
    }
    figures = {name: np.where(delivered, values, 0.0) for name, values in figures.items()}
    for name, values in (("kept_tags", kept_tags), ("liked", rating), ("rated", rating)):
        if np.isnan(values).all():  # nothing is known about any song
            figures[name] = np.full(len(songs), np.nan)
    return {"songs": delivered.astype("float64"), **figures}


def _with_doubts(purchases: Purchases, library: Library, by: Sequence[str]) -> Purchases:
    """Add what may have been charged beside the tasks of a library."""
    bought = [entry for entry in library.entries() if entry.may_be_charged]
    _refuse_mixture(pd.DataFrame({"simulated": [entry.simulated for entry in bought]}), by)
    entries = [entry for entry in bought if entry.in_doubt]
    number = len(entries)
    if not number:
        return purchases
    figures: dict[str, Any] = {str(name): np.zeros(number) for name in purchases.figures}
    figures |= dict.fromkeys(("bought", "ended", "failed"), np.zeros(number, dtype=bool))
    figures["in_doubt"] = np.array([entry.in_doubt for entry in entries], dtype="float64")
    columns = {
        name: [getattr(entry, name) for entry in entries]
        for name in ("engine", "operation", "model", "simulated")
        if name in purchases.levels
    }
    levels = pd.DataFrame(columns, index=range(number)).reindex(columns=purchases.levels.columns)
    parts = [purchases.figures, pd.DataFrame(figures)]
    return Purchases(
        pd.concat(parts, ignore_index=True),
        pd.concat([purchases.levels.reset_index(drop=True), levels], ignore_index=True),
        purchases.factors.reset_index(drop=True).reindex(range(len(purchases.figures) + number)),
        np.arange(len(purchases.figures) + number),
    )


def _refuse_mixture(table: pd.DataFrame, by: Sequence[str]) -> None:
    """Raise BadFrame if credits of the service and of a simulator would be added up."""
    if "simulated" not in table.columns or "simulated" in by:
        return
    if table["simulated"].any() and not table["simulated"].all():
        raise BadFrame(
            "this holds purchases of the service and of a simulator, whose credits do not add up: "
            "pass by='simulated', or a table of one kind, such as tasks[~tasks['simulated']]"
        )


def _factor_columns(table: pd.DataFrame, rows: Any = slice(None)) -> pd.DataFrame:
    """Return the columns of an experiment's table before the first result."""
    names = list(table.columns)
    end = min((names.index(name) for name in ("task_id", "state") if name in names), default=0)
    factors: pd.DataFrame = table.iloc[rows, :end].reset_index(drop=True)
    return factors


def _numbers(table: pd.DataFrame, name: str) -> Floats:
    """Return a column as floats, (rows,); NaN if the table does not have it."""
    if name not in table.columns:
        return np.full(len(table), np.nan)
    require(table, {name: "number"}, LABEL)
    return finite_values(table[name])
