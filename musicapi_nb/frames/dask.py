"""Frames of many files as Dask DataFrames, for all cores or a cluster."""

import functools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.extras import require_extra
from musicapi_nb.frames.files import find_files
from musicapi_nb.frames.flattener import Columns, Frames, Polls
from musicapi_nb.paths import local_path

Paths: TypeAlias = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def dask_frames(paths: Paths, *, polls: Polls = "last") -> Frames:
    """Return the six frames of files of replies as Dask DataFrames, one partition per file.

    Nothing is read until a result is computed, and then by the workers: those of a cluster need
    the files under the same paths. All replies of one task belong in one file, because counts of
    tasks are made file by file. `adherence(by=...)`, `substitutions`, `tag_counts`,
    `cooccurrence` and `exclusive_sets` accept these frames and gather only sums, not rows.

        frames = dask_frames("replies/")
        cooccurrence(frames.tags)
        frames.songs.compute()         # the same rows as flatten() of all files in turn

    Needs the extra `scale`.

    Parameters
    ----------
    paths
        A file or a folder, as for `tasks_frame`, or several.
    polls
        As for `tasks_frame`, file by file.

    Raises
    ------
    MissingFile
        A file does not exist, or the folder has no file of replies.
    MissingExtra
        The extra `scale` is not installed.
    """
    require_extra("scale")
    import dask  # noqa: PLC0415
    import dask.dataframe as dd  # noqa: PLC0415 - an extra, and slow to load
    from dask.dataframe.utils import clear_known_categories  # noqa: PLC0415

    files = [str(file.absolute()) for path in _paths(paths) for file in find_files(path)]
    frames: list[Any] = []
    for name in Frames._fields:
        meta = clear_known_categories(_frame(None, name=name, polls=polls))
        partition = functools.partial(_frame, name=name, polls=polls)
        with dask.config.set({"dataframe.convert-string": False}):  # they are Arrow strings already
            frames.append(dd.from_map(partition, files, meta=meta, label=f"replies-{name}"))
    return Frames(*frames)


def _paths(paths: Any) -> list[Path]:
    if isinstance(paths, str | os.PathLike):
        return [local_path(paths)]
    if isinstance(paths, Iterable):
        return [local_path(path) for path in paths]
    raise InvalidArgument(f"expected a path or several paths, got {type(paths).__name__}")


def _frame(path: str | None, *, name: str, polls: Polls) -> pd.DataFrame:
    columns = Columns((name,), polls)
    columns.add([] if path is None else Path(path))
    return columns.frame(name)
