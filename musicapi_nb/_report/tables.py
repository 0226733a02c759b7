"""The tables that a report reads of a run, a library or a table of songs; nothing is measured."""

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from musicapi_nb._blind_test.answers import ANSWERS, LETTERS, preferences_frame
from musicapi_nb._report.outcomes import RATED_WELL, TableName
from musicapi_nb.analysis._adherence import adherence
from musicapi_nb.analysis._sound_matches import sound_matches
from musicapi_nb.analysis.checks import require
from musicapi_nb.analysis.clusters import level_codes
from musicapi_nb.analysis.model_frame import plan_factors
from musicapi_nb.analysis.source_tables import table_of
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.experiment import Experiment
from musicapi_nb.experiment.frames import factor_columns
from musicapi_nb.frames import measures_frame, ratings_frame
from musicapi_nb.frames.arrow_tables import Table, as_pandas
from musicapi_nb.frames.measures import column_names
from musicapi_nb.frames.schema import build_frame
from musicapi_nb.library import Library

_WELL = 4  # stars
_SONG_KEYS = ["task_id", "song_id", "song_position", "simulated"]
_IDS = ("task_id", "song_id")
_UNWATCHED = 600.0  # seconds without a poll before the end: nobody was waiting


class ReportTables(NamedTuple):
    """The tables of a report, and the factors that it compares.

    `columns` has the column of each factor by its name in the plan, `levels` those that occur.
    """

    frames: dict[TableName, pd.DataFrame]
    columns: dict[str, str]
    levels: dict[str, list[str]]
    experiment: Experiment | None

    @property
    def songs(self) -> pd.DataFrame:
        return self.frames["songs"]


def read_tables(source: Any, factor: str | None, answers: Table | None) -> ReportTables:
    """Read the tables of a source.

    `answers` of a blind test default to those that the library has about songs of the source.
    InvalidArgument if the source has no factor, or not this one.
    """
    source = as_pandas(source, "source")
    experiment = getattr(source, "experiment", source)
    experiment = experiment if isinstance(experiment, Experiment) else None
    songs = table_of(experiment or source, "songs")
    require(songs, {}, "the table of songs")
    column_names(songs)
    if answers is not None:
        answers = require(answers, {}, "answers")
    requests = None if experiment is None else _request_table(experiment)
    if not len(songs) and (requests is None or not requests["failed"].notna().any()):
        raise InvalidArgument("there are no songs yet to report on")
    library = source if isinstance(source, Library) else getattr(experiment, "library", None)
    if isinstance(source, Library):
        stars = ratings_frame(source)[[*_SONG_KEYS, "rating"]]
        songs = songs.merge(stars, how="left", on=_SONG_KEYS)
    columns = _factor_columns(songs if requests is None else requests, experiment, factor)
    if experiment is None and not set(columns.values()) <= set(plan_factors(songs)):
        rest = [name for name in songs.columns if name not in columns.values()]
        songs = songs[[*columns.values(), *rest]]
    frames: dict[TableName, pd.DataFrame] = {"songs": _with_outcomes(songs)}
    if not hasattr(source, "columns"):
        derived = _derived_tables(songs, experiment or source)
        frames |= {name: _with_factors(table, songs, columns) for name, table in derived.items()}
    if requests is not None:
        frames["requests"] = requests
    frames, levels = _with_ordered_levels(frames, columns, experiment)
    if answers is None and isinstance(library, Library):
        answers = _answers_about(songs, library)
    frames["answers"] = build_frame(ANSWERS, ()) if answers is None else answers
    return ReportTables(frames, columns, levels, experiment)


def _with_outcomes(songs: pd.DataFrame) -> pd.DataFrame:
    """Return songs with whether they are rated well, and how many songs their credits are for."""
    if "rating" in songs.columns:
        well = (songs["rating"] >= _WELL).astype("boolean").mask(songs["rating"].isna())
        songs = songs.assign(**{RATED_WELL: well})
    if "credits" in songs.columns and "songs" not in songs.columns:
        succeeded = songs["state"].eq("succeeded") if "state" in songs.columns else True
        songs = songs.assign(songs=pd.Series(succeeded, songs.index).astype("int64"))
    return songs


def _factor_columns(
    rows: pd.DataFrame, experiment: Experiment | None, factor: str | None
) -> dict[str, str]:
    """Return the column of each factor to compare, in rows of songs or requests."""
    if experiment is not None:
        columns = factor_columns(experiment.plan)
    else:
        columns = {name: name for name in plan_factors(rows)}
    if not isinstance(factor, str | None):
        raise InvalidArgument(f"factor must be one name, not {factor!r:.60}")
    if factor is None:
        several = {name: column for name, column in columns.items() if _levels(rows, column) > 1}
        if not several:
            names = ", ".join(columns) or "none"
            raise InvalidArgument(
                "there is no factor with several levels to compare; name a column with "
                f"factor='...', such as 'model' (factors of the songs: {names})"
            )
        return several
    column = columns.get(factor, factor)
    if column not in rows.columns:
        names = ", ".join(columns) or ", ".join(map(str, rows.columns))
        raise InvalidArgument(
            f"factor {factor!r:.60} is not a column of the songs; there are {names}"
        )
    require(rows, {column: "key"}, "the table of songs")
    if (number := _levels(rows, column)) < 2:  # noqa: PLR2004 - a comparison needs two
        raise InvalidArgument(
            f"factor {factor!r:.60} has {number or 'no'} level{'' if number else 's'}; a report "
            "compares two or more"
        )
    return {factor: column}


def _levels(rows: pd.DataFrame, column: str) -> int:
    return int(rows[column].nunique(dropna=False)) if column in rows.columns else 0


def _with_ordered_levels(
    frames: dict[TableName, pd.DataFrame], columns: dict[str, str], experiment: Experiment | None
) -> tuple[dict[TableName, pd.DataFrame], dict[str, list[str]]]:
    """Return the tables with factors as categories, and the levels of each factor that occur.

    They are in the order of the plan, else of the songs: a plan is bought in random order, and
    tables may lack songs.
    """
    result, listed = dict(frames), {}
    for factor, column in columns.items():
        levels = experiment.plan.factors.get(factor, ()) if experiment else ()
        planned = level_codes(pd.DataFrame({column: [*levels]}, dtype=object), column)[1]
        coded = {
            name: level_codes(frame, column)
            for name, frame in frames.items()
            if column in frame.columns
        }
        present = dict.fromkeys(text for _, texts in coded.values() for text in texts)
        listed[factor] = [text for text in dict.fromkeys((*planned, *present)) if text in present]
        for name, (codes, texts) in coded.items():
            values = pd.Categorical([texts[code] for code in codes], listed[factor])
            result[name] = result[name].assign(**{column: values})
    return result, listed


def _derived_tables(songs: pd.DataFrame, source: Any) -> dict[TableName, pd.DataFrame]:
    """Return what became of requested tags and sounds, and all measures, of each song.

    A table is left out if no song requested any, or nothing was measured.
    """
    makers: dict[TableName, Callable[[], pd.DataFrame]] = {
        "tags": lambda: adherence(songs, table_of(source, "tags")),
        "sound": lambda: sound_matches(source),
        "measures": lambda: measures_frame(source),
    }
    tables: dict[TableName, pd.DataFrame] = {}
    for name, make in makers.items():
        with contextlib.suppress(BadFrame):
            tables[name] = make()
    return tables


def _with_factors(
    table: pd.DataFrame, songs: pd.DataFrame, columns: dict[str, str]
) -> pd.DataFrame:
    """Return a table of songs with the factors in front, which that of a library does not have."""
    missing = [column for column in columns.values() if column not in table.columns]
    if not missing:
        return table
    factors = songs[[*missing, *_IDS]].drop_duplicates(list(_IDS))
    return factors.merge(table, on=list(_IDS))


def _request_table(experiment: Experiment) -> pd.DataFrame:
    """Return the cells of an experiment, with the seconds from acceptance to the end."""
    cells = experiment.frame()
    stated = experiment.result_frame("durations")
    times = stated.groupby("cell")["total_seconds"].first().reindex(cells["cell"]).to_numpy()
    if np.isnan(times.astype("float64")).all():
        times = observed_times(experiment.library, cells["entry"].tolist())
    return cells.assign(waiting_seconds=times)


def observed_times(library: Library, numbers: Sequence[Any]) -> Any:
    """Return the seconds from acceptance to the poll that found a purchase done, else NaN.

    A purchase that nobody polled for ten minutes before has no waiting time, and a simulated one
    has none either: the clock of a simulator is another.
    """
    entries = {entry.id: entry for entry in library.entries("done")}
    times = np.full(len(numbers), np.nan)
    for index, number in enumerate(numbers):
        entry = None if pd.isna(number) else entries.get(int(number))
        if entry is None or entry.simulated or not (entry.accepted_at and entry.ended_at):
            continue
        last = max(entry.polled_at or entry.accepted_at, entry.accepted_at)
        if entry.ended_at - last <= _UNWATCHED:
            times[index] = max(entry.ended_at - entry.accepted_at, 0.0)
    return times


def _answers_about(songs: pd.DataFrame, library: Library) -> pd.DataFrame:
    """Return the answers whose songs are all among these."""
    answers = preferences_frame(library)
    tasks = set(songs["task_id"].dropna().astype(str))
    columns = [answers[f"task_{letter}"] for letter in LETTERS]
    among = [column.isna() | column.isin(tasks) for column in columns]
    return answers[np.logical_and.reduce([part.to_numpy(bool) for part in among])]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dicts."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def dates_of(songs: pd.DataFrame) -> tuple[dt.datetime, dt.datetime] | None:
    """Return when the first and the last song were made, if the replies say so."""
    if "created_at" not in songs.columns or not songs["created_at"].notna().any():
        return None
    times = pd.to_datetime(songs["created_at"], utc=True)
    return times.min().to_pydatetime(), times.max().to_pydatetime()
