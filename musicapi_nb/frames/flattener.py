"""`Flattener`: replies to columns, batch by batch, and the six frames of these columns."""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.builders import DictionaryBuilder, TextBuilder, column_builder, empty_array
from musicapi_nb.frames.decode import DTYPES, read_batch
from musicapi_nb.frames.inputs import has_frames, iter_items
from musicapi_nb.frames.polls import latest_replies
from musicapi_nb.frames.schema import DURATIONS, ISSUES, SONGS, STEPS, TAGS, TASKS, build_frame
from musicapi_nb.frames.text_dtype import text_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from musicapi_nb.frames.decode import Key
    from musicapi_nb.frames.inputs import HasFrames, Replies
    from musicapi_nb.frames.schema import IssueRow

    Counts = NDArray[np.int64]
    Flags = NDArray[np.bool_]

Polls: TypeAlias = Literal["last", "all"]
"""Which replies about the same task are rows: the last, or all of them."""
_BATCH = 128  # decoded objects of more replies would leave the processor cache


class Frames(NamedTuple):
    """The six frames of the same replies."""

    tasks: pd.DataFrame
    songs: pd.DataFrame
    tags: pd.DataFrame
    replaced_tags: pd.DataFrame
    durations: pd.DataFrame
    issues: pd.DataFrame


def flatten(replies: Replies | HasFrames, *, polls: Polls = "last") -> Frames:
    """Return all six frames of some replies, read once; arguments are as for `tasks_frame`.

    >>> frames = flatten({"data": [{"clip_id": "c1", "tags": "jazz, spy"}]})
    >>> len(frames.songs), list(frames.tags["tag"])
    (1, ['jazz', 'spy'])
    """
    if has_frames(replies):
        return Frames(*map(replies.result_frame, Frames._fields))
    flattener = Flattener(polls=polls)
    flattener.add(replies)
    return flattener.frames()


class Columns:
    """The growing columns that the frames of these names need."""

    def __init__(self, frame_names: Collection[str], polls: Polls) -> None:
        if polls not in get_args(Polls):
            raise InvalidArgument(f'polls must be "last" or "all", not {polls!r:.80}')
        keys = set().union(*(_KEYS[name] for name in frame_names))
        if polls == "last" and keys:
            keys.update(_POLL_KEYS)
        self._columns = {key: column_builder(dtype) for key, dtype in DTYPES.items() if key in keys}
        self._issues: list[IssueRow] = []
        self._replies = 0
        self._numbers = itertools.count()
        self._polls = polls
        self._latest: tuple[int, Flags | None] = (0, None)  # of the first replies
        self._dictionaries: defaultdict[Key, DictionaryBuilder] = defaultdict(DictionaryBuilder)

    def add(self, replies: Replies) -> None:
        """Append replies; the input is as for `tasks_frame`.

        Raises
        ------
        InvalidArgument
            As `tasks_frame`. Complete batches of replies before the invalid item stay added.
        """
        items = iter_items(replies, self._numbers)
        expected = self._replies + (len(replies) if isinstance(replies, list | tuple) else 0)
        with _pause_garbage_collection():
            while batch := list(itertools.islice(items, _BATCH)):
                columns, issues = read_batch(batch, self._columns)
                self._replies += len(batch)
                growth = expected / self._replies
                for key, column in columns.items():
                    self._columns[key].extend(column, growth)
                self._issues += issues

    def frame(self, name: str) -> pd.DataFrame:
        """Return one of the frames, of all replies added so far."""
        if name == "issues":
            return build_frame(ISSUES, self._issues)
        makers = {"tags": self._tags, "replaced_tags": self._steps, "durations": self._durations}
        columns = makers[name]() if name in makers else self._table(name)
        return pd.DataFrame(columns, copy=False)

    def _table(self, table: str) -> dict[str, Any]:
        names = SONGS if table == "songs" else TASKS
        return {name: self._values(table, name) for name in names}

    def _durations(self) -> dict[str, Any]:
        songs_per_task = self._array("tasks", "songs")
        return {
            name: self._values("songs", name)
            if ("songs", name) in self._columns
            else self._array("tasks", name).repeat(songs_per_task)
            for name in DURATIONS
        }

    def _tags(self) -> dict[str, Any]:
        tags_per_song = self._array("lists", "tags_per_song")
        columns = {
            **self._song_ids(tags_per_song),
            "position": _positions(tags_per_song),
            "tag": self._values("lists", "tag"),
        }
        return {name: columns[name] for name in TAGS}

    def _steps(self) -> dict[str, Any]:
        steps_per_song = self._array("lists", "steps_per_song")
        tags_per_step = self._array("lists", "tags_per_step")
        tags = self._array("lists", "step_tag")
        rows_per_step = np.maximum(tags_per_step, 1)  # a step without tags is a row, too
        no_tag = (tags_per_step == 0).repeat(rows_per_step)
        if no_tag.any():
            tags = tags.take(pa.array(np.cumsum(~no_tag) - 1, mask=no_tag))
        columns = {
            **self._song_ids(steps_per_song, rows_per_step),
            "step": _positions(steps_per_song).repeat(rows_per_step),
            "source": self._repeated_text("lists", "source", rows_per_step),
            "type": self._repeated_text("lists", "type", rows_per_step),
            "position": pd.arrays.IntegerArray(_positions(rows_per_step), no_tag),
            "tag": text_values(tags),
        }
        return {name: columns[name] for name in STEPS}

    def _song_ids(self, *counts: Counts) -> dict[str, pd.Categorical]:
        return {name: self._repeated_text("songs", name, *counts) for name in _SONG_IDS}

    def _repeated_text(self, table: str, name: str, *counts: Counts) -> pd.Categorical:
        """Return a text column as a categorical, its rows repeated by each of `counts` in turn."""
        texts, used = self._array(table, name), counts[0] > 0
        if used.all() and self._latest_replies() is None:
            codes, dtype = self._dictionaries[table, name].append(texts)
        else:  # a text without rows is no category
            codes = np.full(len(texts), -1, "int32")
            codes[used], dtype = DictionaryBuilder().append(texts.filter(pa.array(used)))
        for count in counts:
            codes = codes.repeat(count)
        return pd.Categorical.from_codes(codes, dtype=dtype, validate=False)

    def _values(self, table: str, name: str) -> Any:
        """Return a column as a pandas array."""
        column, rows = self._columns[table, name], self._rows(_unit(table, name))
        if isinstance(column, TextBuilder):
            return text_values(self._array(table, name))
        values = column.values()
        return values if rows is None else values[rows]

    def _array(self, table: str, name: str) -> Any:
        """Return a column as an Arrow array (text) or a numpy array."""
        array, rows = self._columns[table, name].array(), self._rows(_unit(table, name))
        if rows is None:
            return array
        return array.filter(pa.array(rows)) if isinstance(array, pa.Array) else array[rows]

    def _rows(self, unit: str) -> Flags | None:
        """Return which rows of a unit belong to the frames; None for all of them."""
        latest = self._latest_replies()
        if latest is None or unit == "task":
            return latest
        outer, counts = _UNITS[unit]
        rows = self._rows(outer)
        return None if rows is None else rows.repeat(self._columns[counts].array())

    def _latest_replies(self) -> Flags | None:
        if self._polls == "all":
            return None
        if self._latest[0] != self._replies:
            columns = (self._columns[key].array() for key in _POLL_KEYS)
            self._latest = self._replies, latest_replies(*columns)
        return self._latest[1]


class Flattener(Columns):
    """Frames that grow: add replies at any time, and get all frames at any time.

    Added replies are not read again. Adding does not change frames that were returned before.
    `polls` is as for `tasks_frame`.

    >>> flattener = Flattener()
    >>> flattener.add({"data": [{"clip_id": "c1", "tags": "jazz"}]})
    >>> flattener.add({"data": [{"clip_id": "c2", "tags": "spy"}]})
    >>> list(flattener.frames().tags["tag"])
    ['jazz', 'spy']
    """

    def __init__(self, *, polls: Polls = "last") -> None:
        super().__init__(Frames._fields, polls)

    def frames(self) -> Frames:
        """Return the frames of all replies added so far."""
        return Frames(*map(self.frame, Frames._fields))


_LISTS = {key for key in DTYPES if key[0] == "lists"}
_SONG_IDS = ("task_id", "song_id", "reply")
_LIST_KEYS = _LISTS | {("songs", name) for name in _SONG_IDS}
_KEYS: dict[str, set[Key]] = {
    "tasks": {("tasks", name) for name in TASKS},
    "songs": {("songs", name) for name in SONGS},
    "tags": _LIST_KEYS,
    "replaced_tags": _LIST_KEYS,
    "durations": {("songs" if name in SONGS else "tasks", name) for name in DURATIONS}
    | {("tasks", "songs")},
    "issues": set(),
}
# the arguments of `latest_replies`
_POLL_KEYS: dict[Key, None] = dict.fromkeys(
    [("tasks", "task_id"), ("tasks", "state"), ("tasks", "songs"), ("songs", "song_id")]
)
# for what each unit but a task is counted, and where
_UNITS: dict[str, tuple[str, Key]] = {
    "song": ("task", ("tasks", "songs")),
    "tag": ("song", ("lists", "tags_per_song")),
    "step": ("song", ("lists", "steps_per_song")),
    "step_tag": ("step", ("lists", "tags_per_step")),
}
_LIST_UNITS = {
    "tags_per_song": "song",
    "steps_per_song": "song",
    "tag": "tag",
    "step_tag": "step_tag",
}


def _unit(table: str, name: str) -> str:
    """Return the unit of the rows of a column."""
    return _LIST_UNITS.get(name, "step") if table == "lists" else table[:-1]


def _positions(counts: Counts) -> Counts:
    """Return 0, 1, ... count - 1 for each count, joined."""
    counts = counts[counts > 0]
    steps = empty_array(int(counts.sum()), "int64")
    steps[:] = 1
    steps[:1] = 0
    steps[counts[:-1].cumsum()] = 1 - counts[:-1]
    return steps.cumsum(out=steps)


@contextlib.contextmanager
def _pause_garbage_collection() -> Iterator[None]:
    """Pause it while batches are read: they leave no cycles, and the searches take time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
