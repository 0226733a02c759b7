"""Tasks and raw replies as pandas DataFrames with fixed columns."""

from musicapi_nb.requirements import import_table_packages

import_table_packages()

from musicapi_nb.frames._files_frame import files_frame
from musicapi_nb.frames.dask import dask_frames
from musicapi_nb.frames.flattener import Flattener, Frames, flatten
from musicapi_nb.frames.frames import (
    durations_frame,
    issues_frame,
    ratings_frame,
    replaced_tags_frame,
    songs_frame,
    tags_frame,
    tasks_frame,
)
from musicapi_nb.frames.inputs import Replies, Reply
from musicapi_nb.frames.measures import measures_frame
from musicapi_nb.frames.parquet import read_parquet, write_parquet

__all__ = [
    "Flattener",
    "Frames",
    "Replies",
    "Reply",
    "dask_frames",
    "durations_frame",
    "files_frame",
    "flatten",
    "issues_frame",
    "measures_frame",
    "ratings_frame",
    "read_parquet",
    "replaced_tags_frame",
    "songs_frame",
    "tags_frame",
    "tasks_frame",
    "write_parquet",
]
