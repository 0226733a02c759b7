"""A batch of replies as columns: known shapes by their types, all others by `tasks.read`."""

from __future__ import annotations

import itertools
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from musicapi_nb.frames.columns import SONGS, TASKS, IssueRow, SongRow
from musicapi_nb.frames.escapes import has_blank
from musicapi_nb.frames.growing import grown
from musicapi_nb.frames.reading import read_one
from musicapi_nb.frames.shapes import SHAPES, Lists, Odd
from musicapi_nb.tasks.part import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from musicapi_nb.frames.reading import Item
    from musicapi_nb.frames.shapes import Cells, Shape

    Counts = NDArray[np.int64]

Key: TypeAlias = tuple[str, str]
"""A column: its table and its name."""

DTYPES: Mapping[Key, str] = {
    **{("lists", name): "int64" if name.startswith("per_") else "str" for name in Lists._fields},
    **{("songs", name): column.dtype for name, column in SONGS.items()},
    **{("tasks", name): column.dtype for name, column in TASKS.items()},
}
_ARROW = {dtype: grown(dtype).arrow for dtype in set(DTYPES.values())}
_UNSAID: Mapping[str, Any] = {"int64": 0, "bool": False}
_LIST_ROWS: Mapping[str, str] = {
    "per_song": "song", "tag": "tag", "per_song_steps": "song", "source": "step", "type": "step",
    "per_step": "step", "made": "made",
}  # fmt: skip
_TAGS = {("lists", "tag"), ("lists", "made")}


class Batch:
    """What was read of some replies."""

    def __init__(self, wanted: Collection[Key]) -> None:
        self._cells: dict[Key, list[Any]] = {key: [] for key in wanted}
        self._closed: dict[Key, list[pa.Array]] = {key: [] for key in wanted}
        self._rows = {"tasks": 0, "songs": 0, "lists": 0}
        self.songs_of: list[int] = []  # each task's songs
        self.issues: list[IssueRow] = []

    def read(self, given: Iterable[Item]) -> list[bool]:
        """Read replies of any shape; tell which were understood."""
        found = [read_one(item) for item in given]
        self.issues += [IssueRow(each, issue) for each in found for issue in each.issues]
        tasks = [each.task for each in found if each.task is not None]
        songs = [SongRow(task, song) for task in tasks for song in task.songs]
        steps = [step for _, song in songs for step in song.replacements]
        for name, column in TASKS.items():
            self._say(("tasks", name), column.cells, tasks)
        for name, of_song in SONGS.items():
            self._say(("songs", name), of_song.cells, songs)
        self._list(
            Lists(
                per_song=[len(song.tags) for _, song in songs],
                tag=[clean(tag) for _, song in songs for tag in song.tags],
                per_song_steps=[len(song.replacements) for _, song in songs],
                source=[clean(step.source) or None for step in steps],
                type=[clean(step.type) if step.type else None for step in steps],
                per_step=[len(step.tags) for step in steps],
                made=[clean(tag) for step in steps for tag in step.tags],
            )
        )
        self._end([len(task.songs) for task in tasks])
        return [each.task is not None for each in found]

    def take(self, shape: Shape[Any, Any], replies: Sequence[Any]) -> None:
        """Take decoded replies of one shape."""
        songs_of = [shape.songs_of(reply) for reply in replies]
        songs = list(chain.from_iterable(songs_of))
        counts = [len(each) for each in songs_of]
        for name, make in shape.tasks.items():
            self._say(("tasks", name), make, replies)
        for name, make in shape.songs.items():
            self._say(("songs", name), make, songs)
        ids = shape.tasks["task_id"](replies)
        self._say(("tasks", "songs"), _as_given, counts)
        self._say(("songs", "task_id"), chain.from_iterable, map(repeat, ids, counts))
        self._say(("songs", "song_position"), chain.from_iterable, map(range, counts))
        self._list(shape.lists(songs))
        self._end(counts)

    def _list(self, lists: Lists) -> None:
        for name, cells in zip(Lists._fields, lists, strict=True):
            self._say(("lists", name), _as_given, cells)

    def _say(self, key: Key, make: Callable[[Any], Cells], values: Any) -> None:
        """Append a column's cells, made of values, if it is wanted."""
        if key not in self._cells:
            return
        self._fill(key)
        cells = make(values)
        if isinstance(cells, pa.Array):
            self._close(key)
            self._closed[key].append(cells)
        else:
            self._cells[key] += cells

    def _fill(self, key: Key) -> None:
        """Write down that earlier rows say nothing."""
        written = len(self._cells[key]) + sum(map(len, self._closed[key]))
        self._cells[key] += repeat(_UNSAID.get(DTYPES[key]), self._rows[key[0]] - written)

    def _close(self, key: Key) -> None:
        """Turn the cells so far into an array."""
        cells = self._cells[key]
        if cells:
            self._closed[key].append(pa.array(cells, _ARROW[DTYPES[key]]))
            cells.clear()

    def _end(self, songs_of: Sequence[int]) -> None:
        self.songs_of += songs_of
        self._rows["tasks"] += len(songs_of)
        self._rows["songs"] += sum(songs_of)

    def columns(self) -> dict[Key, pa.Array | int]:
        """Each column, or how many rows it has where none says anything."""
        return {key: self._column(key) for key in self._cells}

    def _column(self, key: Key) -> pa.Array | int:
        rows, cells, closed = self._rows[key[0]], self._cells[key], self._closed[key]
        if not cells and not closed:
            return rows
        self._fill(key)
        self._close(key)
        return closed[0] if len(closed) == 1 else pa.concat_arrays(closed)


def _as_given(cells: Cells) -> Cells:
    return cells


def read_batch(
    given: Sequence[Item], wanted: Collection[Key]
) -> tuple[dict[Key, pa.Array | int], list[IssueRow]]:
    """Read some replies: the wanted columns, and what was not understood.

    Of a column that says nothing, there is the number of its rows.
    """
    try:
        return _typed(given, wanted)
    except Odd:
        batch = Batch(wanted)
        batch.read(given)
        return batch.columns(), batch.issues


def _typed(
    given: Sequence[Item], wanted: Collection[Key]
) -> tuple[dict[Key, pa.Array | int], list[IssueRow]]:
    batch = Batch(wanted)
    places: list[int] = []
    groups: dict[Shape[Any, Any] | None, tuple[list[int], list[Any]]] = {}
    for place, (shape, value) in enumerate(_decoded(given)):
        at, values = groups.setdefault(shape, ([], []))
        at.append(place)
        values.append(value)
    for shape, (at, values) in groups.items():
        if shape is None:
            places += itertools.compress(at, batch.read(values))
        else:
            batch.take(shape, values)
            places += at
    columns = batch.columns()
    if any(_has_blank(columns.get(key, 0)) for key in _TAGS):
        raise Odd
    if len(groups) > 1:
        columns = _ordered(columns, np.array(places, "int64"), np.array(batch.songs_of, "int64"))
    return columns, batch.issues


def _ordered(
    columns: dict[Key, pa.Array | int], places: Counts, songs_of: Counts
) -> dict[Key, pa.Array | int]:
    """Put rows that were read shape by shape into the order of their replies."""

    def each(name: str) -> Counts:
        counts = columns.get(("lists", name), 0)
        return np.zeros(0, "int64") if isinstance(counts, int) else counts.to_numpy()

    of = {"task": places, "song": places.repeat(songs_of)}
    if ("lists", "per_song") in columns:
        of["tag"] = of["song"].repeat(each("per_song"))
        of["step"] = of["song"].repeat(each("per_song_steps"))
        of["made"] = of["step"].repeat(each("per_step"))
    order = {kind: pa.array(np.argsort(at, kind="stable")) for kind, at in of.items()}
    return {key: rows if isinstance(rows, int) else rows.take(order[_row_kind(key)])
            for key, rows in columns.items()}  # fmt: skip


def _row_kind(key: Key) -> str:
    """What a column has one row of."""
    table, name = key
    return _LIST_ROWS[name] if table == "lists" else table.removesuffix("s")


def _has_blank(tags: pa.Array | int) -> bool:
    """Such a tag is left out by `tasks.read`."""
    return not isinstance(tags, int) and has_blank(tags)


def _decoded(given: Iterable[Item]) -> Iterator[tuple[Shape[Any, Any] | None, Any]]:
    """Each reply with the shape that it has, or as it was given with None."""
    shapes = list(SHAPES)
    for item in given:
        if isinstance(item.given, bytes | str):
            for shape in shapes:
                try:
                    yield shape, shape.decode(item.given)
                except (Odd, msgspec.MsgspecError, ValueError, RecursionError):
                    continue
                if shape is not shapes[0]:  # the next one is likely to be of it too
                    shapes.remove(shape)
                    shapes.insert(0, shape)
                break
            else:
                yield None, item
        else:
            yield None, item
