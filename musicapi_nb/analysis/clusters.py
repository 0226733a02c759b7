"""Integer codes for rows: the task that a song belongs to, and the levels of a factor."""

import numpy as np
import pandas as pd

from musicapi_nb.analysis.array_types import Floats, Ints
from musicapi_nb.analysis.checks import require
from musicapi_nb.errors import BadFrame

NONE, BLANK = "(none)", "(blank)"


def cluster_codes(frame: pd.DataFrame, cluster: str | None = None, label: str = "frame") -> Ints:
    """Number the independent units (tasks) of a table's rows, sorted by name: (rows,).

    The songs of a task are not independent, so tasks are the units. They are identified by the
    column `cluster`; default `cell` if there is one (an experiment gives each task a cell, even
    before the service has named it), else `task_id`, or `reply` where that is missing. BadFrame is
    raised if the column is missing or has missing values, or if several tasks share a `cell`.
    """
    name = cluster or next((name for name in ("cell", "task_id") if name in frame.columns), None)
    if name is None:
        available = ", ".join(map(str, frame.columns)) or "none"
        raise BadFrame(
            f"{label} has no 'cell' or 'task_id' column (its columns are {available}); "
            "pass cluster='...', the column that identifies tasks"
        )
    require(frame, {name: "key"}, label)
    codes = _name_codes(frame[name])
    unnamed = codes < 0
    if cluster is None and name == "task_id" and unnamed.any() and "reply" in frame.columns:
        require(frame, {"reply": "key"}, label)
        replies = _name_codes(frame["reply"][unnamed])
        codes[unnamed] = np.where(replies < 0, -1, replies + codes.max() + 1)
    if number := int((codes < 0).sum()):
        raise BadFrame(
            f"{number} of {len(frame)} rows of {label} have no {name!r}, so their task is unknown; "
            "drop them, or pass cluster='...', another column that identifies tasks"
        )
    if cluster is None and name == "cell" and "task_id" in frame.columns:
        require(frame, {"task_id": "key"}, label)
        pairs = frame[["cell", "task_id"]].dropna().drop_duplicates()
        if len(repeated := pairs["cell"][pairs["cell"].duplicated()]):
            raise BadFrame(
                f"cell {repeated.iloc[0]} of {label} has several tasks, which happens when tables "
                "of several experiments are concatenated: pass cluster='task_id'"
            )
    return codes


def _name_codes(column: pd.Series) -> Ints:
    """Number the values of a column, sorted by name; -1 where missing."""
    if column.dtype == object:
        column = column.map(str, na_action="ignore")
    codes, _ = pd.factorize(column, sort=True)
    return codes.astype("int64")


def level_codes(frame: pd.DataFrame, factor: str) -> tuple[Ints, list[str]]:
    """Number a factor's levels in their order of occurrence: (rows,), and the levels' names.

    Categories keep their order. A missing value is the level "(none)", since an experiment may
    leave a field out; a blank text is "(blank)".
    """
    column = frame[factor]
    texts = [
        NONE if missing else (str(value) if str(value).strip() else BLANK)
        for value, missing in zip(column, column.isna(), strict=True)
    ]
    names = list(dict.fromkeys(texts))
    if isinstance(column.dtype, pd.CategoricalDtype):
        order = {str(name): index for index, name in enumerate(column.cat.categories)}
        names.sort(key=lambda name: order.get(name, len(order)))
    codes = {name: index for index, name in enumerate(names)}
    return np.array([codes[text] for text in texts], dtype="int64"), names


def row_codes(frame: pd.DataFrame) -> tuple[Ints, pd.DataFrame]:
    """Number the distinct rows of a table in their order of occurrence: (rows,), and list them."""
    groups = frame.groupby(list(frame), sort=False, dropna=False, observed=True)
    codes = groups.ngroup().to_numpy().astype("int64")
    return codes, frame[~pd.Series(codes).duplicated().to_numpy()]


def sum_by_code(codes: Ints, values: Floats, number: int = 0) -> Floats:
    """Sum the values of each code: (at least `number`,)."""
    sums: Floats = np.bincount(codes, values, number).astype("float64")
    return sums
