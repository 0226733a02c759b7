"""Frames of many files as Dask DataFrames, for all cores or a cluster."""

import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from musicapi_nb.errors import InvalidArgument, MissingExtra
from musicapi_nb.frames.flattener import Columns, Frames
from musicapi_nb.frames.inputs import SUFFIXES
from musicapi_nb.paths import local_path

Paths: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def dask_frames(paths: Paths) -> Frames:
    """Return the six frames of files of replies as Dask DataFrames, one partition per file.

    Nothing is read until a result is computed, and then by the workers: those of a cluster need
    the files under the same paths. All replies of one task belong in one file, because counts of
    tasks are made file by file. `adherence(by=...)`, `substitutions`, `tag_counts`,
    `cooccurrence` and `exclusive_sets` accept these frames and gather only sums, not rows.

        frames = dask_frames("replies/")
        cooccurrence(frames.tags)
        frames.songs.compute()         # the same rows as flatten() of all files in turn

    Parameters
    ----------
    paths
        A folder (its .ndjson, .ndjson.gz and .parquet files, by name, without subfolders), one
        such file, or several.

    Raises
    ------
    FileNotFoundError
        A file does not exist, or the folder has no file of replies.
    MissingExtra
        Dask is not installed.
    """
    try:
        import dask  # noqa: PLC0415
        import dask.dataframe as dd  # noqa: PLC0415 - an extra, and slow to load
        from dask.dataframe.utils import clear_known_categories  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtra("Dask", "scale") from error
    files = _files(paths)
    frames: list[Any] = []
    for name in Frames._fields:
        meta = clear_known_categories(_frame(None, name=name))
        partition = functools.partial(_frame, name=name)
        with dask.config.set({"dataframe.convert-string": False}):  # they are Arrow strings already
            frames.append(dd.from_map(partition, files, meta=meta, label=f"replies-{name}"))
    return Frames(*frames)


def _files(paths: Any) -> list[str]:
    if isinstance(paths, str) or hasattr(paths, "__fspath__"):
        folder = local_path(paths)
        files = [folder]
        if folder.is_dir():
            files = sorted(
                file for file in folder.iterdir() if file.name.lower().endswith(SUFFIXES)
            )
        if not files:
            suffixes = ", ".join(SUFFIXES)
            raise FileNotFoundError(f"{folder} contains no file of replies ({suffixes})")
    elif isinstance(paths, Iterable):
        files = [local_path(path) for path in paths]
    else:
        raise InvalidArgument(f"expected a path or several paths, got {type(paths).__name__}")
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist or is not a file")
    return [str(path.absolute()) for path in files]


def _frame(path: str | None, *, name: str) -> pd.DataFrame:
    columns = Columns((name,))
    columns.add([] if path is None else Path(path))
    return columns.frame(name)
