"""Tasks and raw replies as pandas DataFrames with fixed columns."""

import importlib
from typing import TYPE_CHECKING, Any

from musicapi_nb.requirements import import_table_packages

import_table_packages()

if TYPE_CHECKING:
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

if not TYPE_CHECKING:
    # A thread loads this package early. If it imported its modules here, and a cell one of them at
    # the same time, each would wait for the other, and Python would give one a module half made.
    _NAMES = {
        "_files_frame": {"files_frame"},
        "dask": {"dask_frames"},
        "flattener": {"Flattener", "Frames", "flatten"},
        "inputs": {"Replies", "Reply"},
        "measures": {"measures_frame"},
        "parquet": {"read_parquet", "write_parquet"},
    }
    _MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name not in __all__:  # perhaps a module, which Python then imports
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_MODULE_OF.get(name, 'frames')}")
        return getattr(module, name)

    def __dir__() -> list[str]:
        return __all__
