"""Which rows belong together: songs of one task, and levels of a factor, as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from musicapi_nb.analysis.checks import require
from musicapi_nb.errors import BadFrame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NONE, BLANK = "(none)", "(blank)"


def cluster_codes(frame: pd.DataFrame, cluster: str | None = None, what: str = "frame") -> Ints:
    """Number the clusters of a table's rows, from 0, in the order of their names: (rows,).

    A cluster is what was drawn independently: a task, since its songs are not. It is the column
    `cell` where there is one (an experiment gives every task a cell of its own, whether or not
    the service has named it), else `task_id`, or the column that `cluster` names.

    Raises
    ------
    BadFrame
        The column is not there or has missing values, or tables of several experiments were put
        together, so that different tasks have one `cell`.
    """
    name = cluster or next((name for name in ("cell", "task_id") if name in frame.columns), None)
    if name is None:
        has = ", ".join(map(str, frame.columns)) or "none"
        raise BadFrame(
            f"{what} tells no tasks: it has neither 'cell' nor 'task_id' (its columns are {has}); "
            "name the column that tells which songs belong together: cluster='...'"
        )
    require(frame, {name: "key"}, what)
    column = frame[name]
    if number := int(column.isna().sum()):
        raise BadFrame(
            f"{number} of {len(frame)} rows of {what} have no {name!r}, so which songs belong "
            "together is not known; leave them out, or name a column that tells: cluster='...'"
        )
    codes, _ = pd.factorize(column.astype(str) if column.dtype == object else column, sort=True)
    if cluster is None and name == "cell" and "task_id" in frame.columns:
        _one_task_each(frame, what)
    return codes.astype("int64")


def _one_task_each(frame: pd.DataFrame, what: str) -> None:
    require(frame, {"task_id": "key"}, what)
    pairs = frame[["cell", "task_id"]].dropna().drop_duplicates()
    twice = pairs["cell"][pairs["cell"].duplicated()]
    if len(twice):
        raise BadFrame(
            f"cell {twice.iloc[0]} of {what} has several tasks, as where tables of several "
            "experiments are put together: say cluster='task_id'"
        )


def level_codes(frame: pd.DataFrame, factor: str) -> tuple[Ints, list[str]]:
    """Number a factor's levels, from 0, in the order in which they come: (rows,), and their names.

    A category's order is kept. A missing value is a level too, "(none)": an experiment may ask
    with and without a field. A blank text is "(blank)".
    """
    column = frame[factor]
    categories = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else None
    words = [
        NONE if missing else (str(value) if str(value).strip() else BLANK)
        for value, missing in zip(column, column.isna(), strict=True)
    ]
    names = list(dict.fromkeys(words))
    if categories is not None:
        order = {str(name): at for at, name in enumerate(categories)}
        names.sort(key=lambda name: order.get(name, len(order)))
    numbers = {name: at for at, name in enumerate(names)}
    return np.array([numbers[word] for word in words], dtype="int64"), names


def sum_by_code(at: Ints, values: Floats, number: int = 0) -> Floats:
    """Sum the values of each number; at least `number` sums."""
    found: Floats = np.bincount(at, values, number).astype("float64")
    return found
