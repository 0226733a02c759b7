"""The tables of what an analysis is given: a table as it is, or those of a run, a library, jobs."""

import dataclasses
from collections.abc import Iterable
from typing import Any, TypeAlias

import pandas as pd

from musicapi_nb import frames
from musicapi_nb.errors import BadFrame, InvalidArgument
from musicapi_nb.frames.arrow_tables import Table, as_pandas
from musicapi_nb.frames.inputs import HasFrames, has_frames

Source: TypeAlias = Table | frames.Replies | HasFrames
"""A table, or what `songs_frame` accepts: a run (with its factors), a library, jobs, songs.

A table is a pandas DataFrame, or another table with the Arrow PyCapsule interface, such as a polars
DataFrame.
"""

_OUTCOME_TABLES = ("songs", "durations", "cells", "tasks")


def table_of(source: Any, name: str) -> pd.DataFrame:
    """Return the frame `name` of a source.

    A table is converted to a pandas DataFrame; a Dask table is returned as it is.
    """
    table: pd.DataFrame
    source = as_pandas(source, name)
    if hasattr(source, "columns"):
        table = source
    elif has_frames(source):
        table = source.result_frame(name)
    else:
        _refuse_values(source, name)
        table = getattr(frames, f"{name}_frame")(source)
    return table


def _refuse_values(source: Any, name: str) -> None:
    """Refuse a text or number, and a list of them: such a text is a column, hardly a reply."""
    first = source[0] if isinstance(source, list | tuple) and source else source
    if first is None or isinstance(first, str | bytes | int | float):
        raise InvalidArgument(
            f"{name} is a {type(source).__name__}, not a DataFrame or what frames are made of: a "
            "run, a library, jobs, tasks or songs"
        )


def frames_of(source: Any) -> frames.Frames:
    """Return the six frames of what `songs_frame` accepts, read once."""
    _refuse_values(source, "source")
    return frames.flatten(source)


def songs_and_tags(songs: Any, tags: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables; `tags` may be None if `songs` is not a table."""
    songs = as_pandas(songs, "songs")
    if tags is not None:
        return table_of(songs, "songs"), table_of(tags, "tags")
    if hasattr(songs, "columns"):
        raise InvalidArgument("a table of songs needs its table of tags, too: run.tags()")
    _refuse_values(songs, "songs")
    both = frames.flatten(songs)
    return both.songs, both.tags


def tags_and_songs(tags: Any, songs: Any) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return both tables; `songs` stays None for a table of tags alone."""
    tags = as_pandas(tags, "tags")
    if songs is None and not hasattr(tags, "columns"):
        _refuse_values(tags, "tags")
        both = frames.flatten(tags)
        return both.tags, both.songs
    return table_of(tags, "tags"), None if songs is None else table_of(songs, "songs")


def table_with(source: Any, columns: Iterable[Any]) -> pd.DataFrame:
    """Return a table, or the first frame of a source that has these columns, else its songs.

    The frames are songs, durations, the cells of an experiment, tasks, and songs with what was
    measured in their sound.
    """
    source = as_pandas(source, "the table")
    if hasattr(source, "columns"):
        return table_of(source, "songs")
    names = set(columns)
    kinds = [kind for kind in _OUTCOME_TABLES if kind != "cells" or has_frames(source)]
    tables = (table_of(source, kind) for kind in kinds)
    songs = next(tables)
    if names <= set(songs.columns):
        return songs
    table = next((table for table in tables if names <= set(table.columns)), None)
    return _with_measures(source, songs, names) if table is None else table


def _with_measures(source: Any, songs: pd.DataFrame, columns: set[Any]) -> pd.DataFrame:
    """Return the table of songs, with their measured values if these are in `columns`.

    If a column is nowhere, all measured ones are there, for the message that lists them. BadFrame
    if `audio_features` would measure it.
    """
    measures = table_of(source, "measures")  # of the same songs
    if len(measures) != len(songs):
        return songs
    measured = [name for name in measures if name not in songs]
    if columns <= {*songs, *measured}:
        measured = [name for name in measured if name in columns]
    elif features := sorted(_feature_names() & columns - {*songs, *measured}):
        raise BadFrame(
            f"{features[0]!r} was not measured in these songs yet: mnb.audio_features(...) "
            "measures and stores it"
        )
    return pd.concat([songs, measures[measured]], axis=1)


def _feature_names() -> set[str]:
    from musicapi_nb.audio.features import AudioFeatures  # noqa: PLC0415 - needed for errors alone

    return {field.name for field in dataclasses.fields(AudioFeatures)}
