"""The tables of an experiment: cells with their factors, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import pandas as pd

from musicapi_nb import frames
from musicapi_nb.tasks import Task
from musicapi_nb.tasks.json_reader import clean

if TYPE_CHECKING:
    from musicapi_nb.experiment.progress import CellState
    from musicapi_nb.plan import Plan

OWN = ("cell", "block", "take")
_STATES: Mapping[str, tuple[str, Callable[[CellState], Any]]] = {
    "state": ("str", lambda cell: cell.state),
    "price": ("Int64", lambda cell: cell.price),
    "refunded": ("boolean", lambda cell: cell.refunded),
    "bought_before": ("bool", lambda cell: cell.before),
    "why": ("str", lambda cell: clean(cell.reason) if cell.reason else None),
    "task_id": ("str", lambda cell: clean(cell.task_id) if cell.task_id else None),
    "entry": ("Int64", lambda cell: cell.entry),
}


def cells_frame(plan: Plan) -> pd.DataFrame:
    """Cell, block, take and the factors: one row a cell, in order.

    A factor whose name is a column of the result frames is called `<name>_asked`, in all of them.
    """
    rows = plan.frame()
    rows = rows[["order", "block", "take", *plan.factors]]
    taken = _taken()
    names = {name: f"{name}_asked" if name in taken else name for name in plan.factors}
    rows.columns = pd.Index([*OWN, *names.values()])
    return rows.astype(dict.fromkeys(OWN, "int64"))


def _taken() -> frozenset[str]:
    shown = (
        frames.songs_frame,
        frames.tags_frame,
        frames.replaced_tags_frame,
        frames.durations_frame,
    )
    columns = [name for frame in shown for name in frame([]).columns]
    return frozenset({*OWN, *columns, *_STATES, "songs", "reason", "may_have_cost", "what_to_do"})


def joined(
    make: Callable[[Iterable[Task]], pd.DataFrame], plan: Plan, tasks: Mapping[int, Task]
) -> pd.DataFrame:
    """Make a frame of tasks, by the number of their cell, with the cells' columns before it."""
    # Joined by the cell's number: not every task has an id of its own.
    frame = make([msgspec.structs.replace(task, id=str(at)) for at, task in tasks.items()])
    numbers = frame["task_id"].astype("int64")
    ids = {at: clean(task.id) if task.id else None for at, task in tasks.items()}
    frame["task_id"] = pd.Series([ids[at] for at in numbers], dtype="str")
    return _beside(cells_frame(plan), numbers.tolist(), frame)


def _beside(cells: pd.DataFrame, numbers: Sequence[int], frame: pd.DataFrame) -> pd.DataFrame:
    left = cells.iloc[list(numbers)].reset_index(drop=True)
    return pd.concat([left, frame.reset_index(drop=True)], axis=1)


def states_frame(
    plan: Plan, states: Sequence[CellState], tasks: Mapping[int, Task]
) -> pd.DataFrame:
    """One row a cell with its state; `songs` counts those that are ready."""
    frame = pd.DataFrame(
        {
            name: pd.Series([value(each) for each in states], dtype=dtype)
            for name, (dtype, value) in _STATES.items()
        }
    )
    ready = [_ready(tasks.get(at)) for at in range(len(states))]
    frame.insert(1, "songs", pd.Series(ready, dtype="int64"))
    return _beside(cells_frame(plan), range(len(states)), frame)


def _ready(task: Task | None) -> int:
    return sum(song.state == "succeeded" for song in task.songs) if task else 0


def failures_frame(plan: Plan, states: Sequence[CellState], *, running: bool) -> pd.DataFrame:
    """One row for each cell that did not end in songs, with what to do about it."""
    numbers = [at for at, each in enumerate(states) if _failed(each, running=running)]
    found = [states[at] for at in numbers]
    advice = [states[at].what_to_do(plan.cells[at]) for at in numbers]
    columns = {
        "state": pd.Series([each.state for each in found], dtype="str"),
        "reason": pd.Series([_reason(each) for each in found], dtype="str"),
        "may_have_cost": pd.Series([each.may_have_cost for each in found], dtype="bool"),
        "what_to_do": pd.Series(advice, dtype="str"),
        "task_id": pd.Series([clean(each.task_id or "") or None for each in found], dtype="str"),
        "entry": pd.Series([each.entry for each in found], dtype="Int64"),
    }
    return _beside(cells_frame(plan), numbers, pd.DataFrame(columns))


def _failed(cell: CellState, *, running: bool) -> bool:
    return cell.is_failure or (not running and cell.state in {"sending", "accepted", "reposting"})


def _reason(cell: CellState) -> str:
    if cell.reason:
        return clean(cell.reason) or "no reason was given"
    if cell.state in {"sending", "accepted", "reposting"}:
        return "nobody waits for it at the moment"
    return "no reason was given"
