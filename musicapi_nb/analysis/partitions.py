"""Reducing: sums counted over a table, or over each part of a table that is in many parts."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pandas as pd

from musicapi_nb.errors import BadFrame


def map_reduce(count: Callable[..., pd.DataFrame], *frames: Any) -> pd.DataFrame:
    """Count the sums of tables: a frame whose index says what is counted, its columns how often.

    Tables in parts (dask.dataframe) are counted part by part where the parts are, and the sums of
    equal index added up, in the order in which they first come; no rows are gathered. `count`
    gets the parts of one number together, so all rows of a task must be in parts of one number.
    It is sent to the workers: what it holds must be picklable.

    Raises
    ------
    BadFrame
        Some tables are in parts and others are not, or in another number of parts.
    """
    split = [callable(getattr(frame, "to_delayed", None)) for frame in frames]
    if not any(split):
        return count(*frames)
    if not all(split):
        raise BadFrame("some of these tables are in parts and some are not: give all in parts")
    parts = [frame.to_delayed() for frame in frames]
    numbers = [len(each) for each in parts]
    if len(set(numbers)) > 1:
        raise BadFrame(
            f"these tables are in {' and '.join(map(str, numbers))} parts; the rows of a task "
            "must be in parts of the same number, so there must be as many of each"
        )
    # loaded here only: it is an extra, and whoever has a table in parts has it
    dask: Any = importlib.import_module("dask")
    counts = [dask.delayed(count)(*together) for together in zip(*parts, strict=True)]
    return sum_by_index(list(dask.compute(*counts)))


def sum_by_index(sums: list[pd.DataFrame]) -> pd.DataFrame:
    """Add the sums of parts up, by their index."""
    names = list(sums[0].index.names)
    rows = pd.concat([each.reset_index() for each in sums], ignore_index=True)
    return rows.groupby(names, sort=False, dropna=False).sum()
