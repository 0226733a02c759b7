"""A batch of replies as columns: known shapes by their types, all others by `tasks.read`."""

from __future__ import annotations

import itertools
from itertools import chain, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import pyarrow as pa

from musicapi_nb.frames.columns import SONGS, TASKS, IssueRow, SongRow
from musicapi_nb.frames.escapes import has_blank
from musicapi_nb.frames.growing import grown
from musicapi_nb.frames.reading import read_one
from musicapi_nb.frames.shapes import SHAPES, Lists, Odd, joined
from musicapi_nb.tasks.part import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from musicapi_nb.frames.reading import Item
    from musicapi_nb.frames.shapes import Cells, Shape
    from musicapi_nb.tasks import Task

Key: TypeAlias = tuple[str, str]
"""A column: its table and its name."""

DTYPES: Mapping[Key, str] = {
    **{("lists", name): "int64" if name.startswith("per_") else "str" for name in Lists._fields},
    **{("songs", name): column.dtype for name, column in SONGS.items()},
    **{("tasks", name): column.dtype for name, column in TASKS.items()},
}
_ARROW = {dtype: grown(dtype).arrow for dtype in set(DTYPES.values())}
_UNSAID: Mapping[str, Any] = {"int64": 0, "bool": False}
_TAGS = {("lists", "tag"), ("lists", "made")}


class Batch:
    """What was read of some replies."""

    def __init__(self, wanted: Collection[Key]) -> None:
        self._cells: dict[Key, list[Any]] = {key: [] for key in wanted}
        self._closed: dict[Key, list[pa.Array]] = {key: [] for key in wanted}
        self._rows = {"tasks": 0, "songs": 0, "lists": 0}
        self.issues: list[IssueRow] = []

    def read(self, given: Iterable[Item]) -> None:
        """Read replies of any shape."""
        tasks: list[Task] = []
        for item in given:
            found = read_one(item)
            self.issues += [IssueRow(found, issue) for issue in found.issues]
            if found.task is not None:
                tasks.append(found.task)
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
        self._end(len(tasks), len(songs))

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
        lists = shape.lists(songs)
        self._list(lists)
        if "tags_text" not in shape.songs:
            self._say(("songs", "tags_text"), lambda tags: joined(*tags), lists[:2])
        self._end(len(replies), len(songs))

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

    def _end(self, tasks: int, songs: int) -> None:
        self._rows["tasks"] += tasks
        self._rows["songs"] += songs

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
    for shape, run in itertools.groupby(_decoded(given), itemgetter(0)):
        found = [value for _, value in run]
        if shape is None:
            batch.read(found)
        else:
            batch.take(shape, found)
    columns = batch.columns()
    if any(_has_blank(columns.get(key, 0)) for key in _TAGS):
        raise Odd
    return columns, batch.issues


def _has_blank(tags: pa.Array | int) -> bool:
    """Such a tag is left out by `tasks.read`."""
    return not isinstance(tags, int) and has_blank(tags)


def _decoded(given: Iterable[Item]) -> Iterable[tuple[Shape[Any, Any] | None, Any]]:
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
