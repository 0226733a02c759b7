"""Map-reduce: counts of a table, or summed over the partitions of a Dask table."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from musicapi_nb.errors import BadFrame


def map_reduce(
    count: Callable[..., pd.DataFrame], *tables: Any, keys: Sequence[Any]
) -> pd.DataFrame:
    """Apply `count` to the tables, or to each partition, and sum its result over equal `keys`.

    `count` returns one row for each combination of the key columns; its other columns are sums.
    Dask tables are counted by the workers; only the counts travel, so `count` must be picklable.
    It gets the partitions with the same index together: all rows of a task must be in partitions
    with the same index. BadFrame is raised if the numbers of partitions differ. Rows come in the
    order in which their keys first occur.
    """
    is_dask = [callable(getattr(table, "to_delayed", None)) for table in tables]
    if not any(is_dask):
        return count(*tables)
    if not all(is_dask):
        raise BadFrame("either all tables must be Dask tables, or none")
    partitions = [table.to_delayed() for table in tables]
    numbers = [len(parts) for parts in partitions]
    if len(set(numbers)) > 1:
        raise BadFrame(
            f"these tables have {' and '.join(map(str, numbers))} partitions; all must have as "
            "many, with the rows of a task in the partition with the same index"
        )
    # imported here: dask is an extra, installed wherever a Dask table exists
    dask: Any = importlib.import_module("dask")
    counts = [dask.delayed(count)(*parts) for parts in zip(*partitions, strict=True)]
    return sum_by_key(list(dask.compute(*counts)), keys)


def sum_by_key(counts: Sequence[pd.DataFrame], keys: Sequence[Any]) -> pd.DataFrame:
    """Concatenate tables and sum the rows that have equal keys."""
    rows = pd.concat(counts, ignore_index=True)
    return rows.groupby(list(keys), sort=False, dropna=False, as_index=False, observed=True).sum()
