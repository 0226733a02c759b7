"""Frames over many files, on Dask: on all cores, or on a cluster."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicapi_nb.errors import InvalidArgument, MissingExtra
from musicapi_nb.frames import io
from musicapi_nb.frames.flattener import Columns, Frames

if TYPE_CHECKING:
    import pandas as pd


def dask_frames(given: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> Frames:
    """Make the six frames of a folder's files of replies as Dask DataFrames, a partition a file.

    Nothing is read until something is computed, and then by the workers, so that a cluster's
    workers have to reach the files under the same paths. All replies of one task belong in one
    file: what is counted by tasks is counted file by file. `adherence(by=...)`, `substitutions`,
    `tag_counts`, `cooccurrence` and `exclusive_sets` take these frames as they take local ones,
    and gather sums, not rows.

        frames = dask_frames("replies/")
        cooccurrence(frames.tags)
        frames.songs.compute()         # the same as flatten() of all files, one after the other

    Parameters
    ----------
    given
        A folder (its files that end in .ndjson, .ndjson.gz or .parquet, by name; not those in
        folders within), or paths of such files.

    Raises
    ------
    FileNotFoundError
        There is no such file, or the folder has none.
    MissingExtra
        Dask is not installed.
    """
    try:
        import dask  # noqa: PLC0415
        import dask.dataframe as dd  # noqa: PLC0415 - an extra, and slow to load
        from dask.dataframe.utils import clear_known_categories  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("Dask", "scale") from error
    paths = _paths(given)
    made: list[Any] = []
    for name in Frames._fields:
        meta = clear_known_categories(_frame(None, name=name))
        part = functools.partial(_frame, name=name)
        with dask.config.set({"dataframe.convert-string": False}):  # they are Arrow's already
            made.append(dd.from_map(part, paths, meta=meta, label=f"replies-{name}"))
    return Frames(*made)


def _paths(given: Any) -> list[str]:
    if isinstance(given, str) or hasattr(given, "__fspath__"):
        folder = Path(given).expanduser()
        found = [folder]
        if folder.is_dir():
            found = sorted(path for path in folder.iterdir() if io.of_replies(path))
        if not found:
            raise FileNotFoundError(f"{folder} has no file of replies ({', '.join(io.SUFFIXES)})")
    elif isinstance(given, Iterable):
        found = [Path(path).expanduser() for path in given]
    else:
        raise InvalidArgument(f"this is a {type(given).__name__}, no path and no list of paths")
    for path in found:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
    return [str(path.absolute()) for path in found]


def _frame(path: str | None, *, name: str) -> pd.DataFrame:
    columns = Columns((name,))
    columns.add([] if path is None else Path(path))
    return columns.frame(name)
