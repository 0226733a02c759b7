"""DataFrames of an experiment: cells with their factors, states, failures and songs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd

from musicapi_nb import frames
from musicapi_nb.audio.units import LABELS as SOUND_LABELS
from musicapi_nb.experiment.progress import UNDER_WAY, CellState
from musicapi_nb.frames._files_frame import join_files
from musicapi_nb.frames.measures import join_measures
from musicapi_nb.frames.schema import FILES, RATINGS, build_frame
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library import Library, Rating
from musicapi_nb.plan import Plan
from musicapi_nb.tasks import Task
from musicapi_nb.tasks.json_reader import clean

CELL_COLUMNS = ("cell", "block", "take")
_FAILED: Mapping[str, bool] = {"done": False, "failed": True}
_STATES: Mapping[str, tuple[Any, Callable[[CellState], Any]]] = {
    "state": (TEXT, lambda cell: cell.state),
    "failed": ("boolean", lambda cell: _FAILED.get(cell.state)),
    "price": ("Int64", lambda cell: cell.price),
    "credits": ("Int64", lambda cell: cell.spent if cell.state in _FAILED else None),
    "refunded": ("boolean", lambda cell: cell.refunded),
    "bought_before": ("bool", lambda cell: cell.bought_before),
    "reason": (TEXT, lambda cell: clean(cell.reason) if cell.reason else None),
    "task_id": (TEXT, lambda cell: clean(cell.task_id) if cell.task_id else None),
    "entry": ("Int64", lambda cell: cell.entry),
}
_STALLED = UNDER_WAY - {"uncertain"}  # failures only while no run is under way
_FRAMES: Mapping[str, Callable[[Any], pd.DataFrame]] = {
    "tasks": frames.tasks_frame,
    "songs": frames.songs_frame,
    "tags": frames.tags_frame,
    "replaced_tags": frames.replaced_tags_frame,
    "durations": frames.durations_frame,
}
_SONG_KEYS = ["task_id", "song_id", "song_position", "simulated"]


def cells_frame(plan: Plan) -> pd.DataFrame:
    """Return one row per cell, in order: cell, block, take and the factors.

    A factor named like a column of any result frame is called `<name>_requested`.
    """
    rows = plan.frame()[["order", "block", "take", *plan.factors]]
    rows.columns = pd.Index([*CELL_COLUMNS, *factor_columns(plan).values()])
    return rows.astype(dict.fromkeys(CELL_COLUMNS, "int64"))


def join_library(name: str, songs: pd.DataFrame, library: Library) -> pd.DataFrame:
    """Return what a library has of songs: "files" or "measures"; ClientClosed if it is closed."""
    return join_files(songs, library) if name == "files" else join_measures(songs, library)


def factor_columns(plan: Plan) -> dict[str, str]:
    """Return the column of each factor."""
    reserved = {*CELL_COLUMNS, *_STATES, "songs", "may_have_cost", "what_to_do"}
    reserved |= {str(name) for make in _FRAMES.values() for name in make([]).columns}
    # a requested tempo must not pass for the measured one
    reserved |= {*RATINGS, *FILES, *SOUND_LABELS}
    return {name: f"{name}_requested" if name in reserved else name for name in plan.factors}


def table_columns() -> dict[str, set[str]]:
    """Return the columns of results in the tables of an experiment: songs, durations, frame."""
    return {
        "songs": {*map(str, frames.songs_frame([]).columns), "rating"},
        "durations": {str(name) for name in frames.durations_frame([]).columns},
        "frame": {*_STATES, "songs"},
    }


def result_frame(
    name: str, plan: Plan, tasks: Mapping[int, Task], ratings: Iterable[Rating]
) -> pd.DataFrame:
    """Return a frame of tasks, keyed by cell index, with the columns of `cells_frame` first.

    That of songs has their ratings as a last column; "ratings" are those of these songs.
    """
    if name == "issues":
        return frames.issues_frame(tasks.values())
    if name == "ratings":
        songs = result_frame("songs", plan, tasks, ())
        factors = songs.columns[: list(songs.columns).index("task_id")]
        rated = build_frame(RATINGS, ratings)
        return songs[[*factors, *_SONG_KEYS]].merge(rated, on=_SONG_KEYS)
    frame = _cells_first(_FRAMES[name], plan, tasks)
    if name == "songs":
        stars = build_frame(RATINGS, ratings)[[*_SONG_KEYS, "rating"]]
        frame = frame.merge(stars, how="left", on=_SONG_KEYS)
    return frame


def _cells_first(
    make: Callable[[Any], pd.DataFrame], plan: Plan, tasks: Mapping[int, Task]
) -> pd.DataFrame:
    # The cell index is the key: a task may have no id, so it stands in for it in `make`.
    frame = make([msgspec.structs.replace(task, id=str(index)) for index, task in tasks.items()])
    frame = frame.drop(columns="reply")  # which is a cell here
    cells = frame["task_id"].astype("int64")
    task_ids = {index: clean(task.id) if task.id else None for index, task in tasks.items()}
    frame["task_id"] = pd.Series([task_ids[index] for index in cells], dtype=TEXT)
    return _join_cells(plan, cells.tolist(), frame)


def _join_cells(plan: Plan, indexes: Sequence[int], frame: pd.DataFrame) -> pd.DataFrame:
    """Put the columns of the cells with these indexes in front of the rows of a frame."""
    cells = cells_frame(plan).iloc[list(indexes)].reset_index(drop=True)
    return pd.concat([cells, frame.reset_index(drop=True)], axis=1)


def states_frame(
    plan: Plan, states: Sequence[CellState], tasks: Mapping[int, Task]
) -> pd.DataFrame:
    """Return one row per cell with its state; `songs` counts the finished songs."""
    frame = pd.DataFrame(
        {
            name: pd.Series([value(state) for state in states], dtype=dtype)
            for name, (dtype, value) in _STATES.items()
        }
    )
    songs = [tasks[index].songs if index in tasks else () for index in range(len(states))]
    counts = [sum(song.state == "succeeded" for song in of_task) for of_task in songs]
    frame.insert(1, "songs", pd.Series(counts, dtype="int64"))
    return _join_cells(plan, range(len(states)), frame)


def failures_frame(plan: Plan, states: Sequence[CellState], *, running: bool) -> pd.DataFrame:
    """Return one row for each cell without songs, with advice on what to do."""
    stalled = frozenset() if running else _STALLED
    failed = [
        index for index, state in enumerate(states) if state.is_failure or state.state in stalled
    ]
    cells = [states[index] for index in failed]
    advice = [states[index].what_to_do(plan.cells[index]) for index in failed]
    columns = {
        "state": pd.Series([cell.state for cell in cells], dtype=TEXT),
        "reason": pd.Series([_reason(cell) for cell in cells], dtype=TEXT),
        "may_have_cost": pd.Series([cell.may_have_cost for cell in cells], dtype="bool"),
        "what_to_do": pd.Series(advice, dtype=TEXT),
        "task_id": pd.Series([clean(cell.task_id or "") or None for cell in cells], dtype=TEXT),
        "entry": pd.Series([cell.entry for cell in cells], dtype="Int64"),
    }
    return _join_cells(plan, failed, pd.DataFrame(columns))


def _reason(cell: CellState) -> str:
    if not cell.reason and cell.state in _STALLED:
        return "not being polled right now"
    return clean(cell.reason or "") or "no reason given"
