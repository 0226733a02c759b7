"""What was measured in the sound of songs, as columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import pandas as pd

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.arrow_tables import Table, as_pandas
from musicapi_nb.frames.frames import songs_frame
from musicapi_nb.frames.inputs import HasFrames, Replies, has_frames
from musicapi_nb.frames.schema import Column
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.song_actions import actions_of

KEYS = ("task_id", "song_id", "song_position", "simulated")


class _Measure(Protocol):
    @property
    def columns(self) -> Mapping[str, str | None]: ...


class HasMeasures(Protocol):
    """A library, as far as its measures are concerned."""

    def measures(self) -> Sequence[_Measure]: ...
    def measured_values(self, songs: Sequence[Song]) -> Sequence[Mapping[str, Any]]: ...


def measures_frame(source: Replies | HasFrames | Table) -> pd.DataFrame:
    """Return a table of all that was measured in the sound of songs: one row per song.

    `audio_features` and `measure` store what they compute in the library; this reads it, and
    computes nothing. Each measure is shown in the version that was used last.

    The rows are those of `songs_frame`, in its order, for the same input: an experiment (a run), a
    library, jobs, tasks or songs; or rows of `songs_frame` (also as a table of polars or DuckDB, as
    in all functions that take rows). Values come from the source if it is a library, otherwise from
    the library of the open session that has the songs. Songs without an audio file in it, and those
    not measured yet, have missing values.

    Columns: those of a run (cell, block, take and the factors) or those in front of `task_id` in a
    table; then `task_id`, `song_id`, `song_position` and `simulated`, as in `songs_frame`; then
    the measured ones. Whole numbers are Int64, other numbers float64, texts str, yes and no
    boolean. A measured column named like a factor is called `<name>_measured`.

    Raises
    ------
    InvalidArgument
        The input is none of these, or a table without `task_id`, `song_id` or `song_position`, or
        with two columns of one name.
    """
    table = as_pandas(source, "source")
    if isinstance(table, pd.DataFrame):
        return join_measures(table, library_of(None, table))
    if has_frames(source):
        return source.result_frame("measures")
    songs = songs_frame(table)
    return join_measures(songs, library_of(source, songs))


def join_measures(rows: pd.DataFrame, library: HasMeasures | None) -> pd.DataFrame:
    """Return the columns that name the songs of a table, and those that a library has measured."""
    lead = song_columns(rows)
    measures = [] if library is None else library.measures()
    songs = songs_of_rows(rows)
    values = [{} for _ in songs] if library is None else library.measured_values(songs)
    dtypes = {name: dtype for item in measures for name, dtype in item.columns.items()}
    return add_measured(lead, values, dtypes)


def add_measured(
    songs: pd.DataFrame, values: Sequence[Mapping[str, Any]], dtypes: Mapping[str, str | None]
) -> pd.DataFrame:
    """Return a table of songs with measured columns of these pandas dtypes behind its own.

    Without a value so far, the dtype is float64.
    """
    measured = value_table(values, dtypes).set_axis(songs.index, axis=0)
    return pd.concat([songs, rename_measured(measured, songs.columns)], axis=1)


def rename_measured(measured: pd.DataFrame, used: Iterable[Any]) -> pd.DataFrame:
    """Return a table with the names that are `used` elsewhere, as by a factor, made different.

    They get the ending "_measured", again if that name is used, too.
    """
    others = {*used}
    names = {*others, *measured.columns}
    renamed = {}
    for name in measured.columns:
        if name not in others:
            continue
        new = f"{name}_measured"
        while new in names:
            new = f"{new}_measured"
        renamed[name] = new
        names.add(new)
    return measured.rename(columns=renamed)


def value_table(
    values: Iterable[Mapping[str, Any]], dtypes: Mapping[str, str | None]
) -> pd.DataFrame:
    """Return measured values as columns of these pandas dtypes, without a value as float64."""
    rows = list(values)
    return pd.DataFrame(
        {name: _column(name, dtype or "float64").values(rows) for name, dtype in dtypes.items()},
        index=range(len(rows)),
    )


def song_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a table up to `task_id`, such as factors, and those of the song."""
    names = column_names(rows)
    if missing := [name for name in KEYS[:3] if name not in names]:
        raise InvalidArgument(
            f"a table must identify songs by the columns {', '.join(KEYS[:3])}, as songs_frame "
            f"does; this one lacks {', '.join(missing)}"
        )
    before = [name for name in names[: names.index("task_id")] if name not in KEYS]
    lead = rows.set_axis(names, axis=1)[[*before, *(name for name in KEYS if name in names)]]
    return lead.reset_index(drop=True)


def column_names(rows: pd.DataFrame) -> list[str]:
    """Return the names of columns as texts; InvalidArgument if two are equal."""
    names = [str(name) for name in rows.columns]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InvalidArgument(f"the table has {names.count(repeated[0])} columns {repeated[0]!r}")
    return names


def songs_of_rows(rows: pd.DataFrame) -> list[Song]:
    """Return the songs that rows name, as far as a library needs to know them."""
    column_names(rows)
    columns = [
        rows[name].astype(object).where(rows[name].notna(), None) if name in rows.columns else None
        for name in KEYS
    ]
    filled = [[None] * len(rows) if column is None else column.tolist() for column in columns]
    return [
        Song(id=song_id, task_id=task_id, position=position, simulated=bool(simulated))
        for task_id, song_id, position, simulated in zip(*filled, strict=True)
    ]


def _column(name: str, dtype: str) -> Column[Mapping[str, Any]]:
    def cell(values: Mapping[str, Any]) -> Any:
        value = values.get(name)
        if value is None:
            return None
        # a measure may return texts, numbers, and yes or no for different songs
        return str(value) if dtype == "str" else float(value) if dtype == "float64" else value

    return Column(dtype, cell, "")


def library_of(source: Any, songs: pd.DataFrame) -> Any:
    """Return the source if it is a library, else the library of the session that has the songs."""
    library = source
    if source is None or not callable(getattr(type(source), "measured_values", None)):
        first = songs_of_rows(songs.head(1))
        session = actions_of(first[0]) if first else None
        library = session.library if session else None
    return library
