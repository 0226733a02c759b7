"""All frames in one pass: replies to columns, batch by batch, and frames of these at any time."""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from musicapi_nb.frames.builders import DictionaryBuilder, column_builder, text_values
from musicapi_nb.frames.decode import DTYPES, read_batch
from musicapi_nb.frames.inputs import iter_items, progress_meter
from musicapi_nb.frames.schema import DURATIONS, ISSUES, SONGS, TASKS, build_frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from musicapi_nb.frames.decode import Key
    from musicapi_nb.frames.inputs import Replies
    from musicapi_nb.frames.schema import IssueRow

    Counts = NDArray[np.int64]

_BATCH = 256  # its objects fit in the processor cache


class Frames(NamedTuple):
    """All frames of the same replies."""

    tasks: pd.DataFrame
    songs: pd.DataFrame
    tags: pd.DataFrame
    replaced_tags: pd.DataFrame
    durations: pd.DataFrame
    issues: pd.DataFrame


def flatten(replies: Replies) -> Frames:
    """Make all six frames in one pass; the input is as for `tasks_frame`.

    >>> frames = flatten({"data": [{"clip_id": "c1", "tags": "jazz, spy"}]})
    >>> len(frames.songs), list(frames.tags["tag"])
    (1, ['jazz', 'spy'])
    """
    flattener = Flattener()
    flattener.add(replies)
    return flattener.frames()


class Flattener:
    """Frames that grow: add replies as they come, look at all of them at any time.

    What was added is not read again, and a frame stays as it is when more is added.

    >>> flattener = Flattener()
    >>> flattener.add({"data": [{"clip_id": "c1", "tags": "jazz"}]})
    >>> flattener.add({"data": [{"clip_id": "c2", "tags": "spy"}]})
    >>> list(flattener.frames().tags["tag"])
    ['jazz', 'spy']
    """

    def __init__(self) -> None:
        self._columns = Columns(Frames._fields)

    def add(self, replies: Replies) -> None:
        """Append replies; the input is as for `tasks_frame`.

        Raises
        ------
        InvalidArgument
            As `tasks_frame`; batches before the item that it names were added.
        """
        self._columns.add(replies)

    def frames(self) -> Frames:
        """All frames of what was added so far."""
        return Frames(*map(self._columns.frame, Frames._fields))


class Columns:
    """The columns that the wanted frames are made of."""

    def __init__(self, wanted: Collection[str]) -> None:
        keys = set().union(*(_NEEDED[name] for name in wanted))
        self._columns = {key: column_builder(dtype) for key, dtype in DTYPES.items() if key in keys}
        self._issues: list[IssueRow] = []
        self._replies = 0
        self._coded: defaultdict[Key, DictionaryBuilder] = defaultdict(DictionaryBuilder)

    def add(self, replies: Replies) -> None:
        earlier, share = self._replies, progress_meter(replies)
        unread = iter_items(replies)
        with _garbage_collection_paused():
            while batch := list(itertools.islice(unread, _BATCH)):
                columns, issues = read_batch(batch, self._columns)
                self._replies += len(batch)
                ahead = (earlier + (self._replies - earlier) / share(batch)) / self._replies
                for key, column in columns.items():
                    self._columns[key].extend(column, ahead)
                self._issues += issues

    def frame(self, name: str) -> pd.DataFrame:
        """One of the wanted frames, as it is now."""
        if name == "issues":
            return build_frame(ISSUES, self._issues)
        make = {"tags": self._tags, "replaced_tags": self._steps, "durations": self._durations}
        columns = make[name]() if name in make else self._table(name)
        return pd.DataFrame(columns, copy=False)

    def _table(self, table: str) -> dict[str, Any]:
        return {
            name: column.values() for (of, name), column in self._columns.items() if of == table
        }

    def _durations(self) -> dict[str, Any]:
        songs = self._numbers("tasks", "songs")
        return {
            name: self._columns["songs", name].values()
            if ("songs", name) in self._columns
            else self._numbers("tasks", name).repeat(songs)
            for name in DURATIONS
        }

    def _tags(self) -> dict[str, Any]:
        each = self._numbers("lists", "tags_per_song")
        song = _owners(each)
        return {
            **self._ids(each, song),
            "position": _places(each),
            "tag": self._columns["lists", "tag"].values(),
        }

    def _steps(self) -> dict[str, Any]:
        steps, tags = (
            self._numbers("lists", "steps_per_song"),
            self._numbers("lists", "tags_per_step"),
        )
        each = np.maximum(tags, 1)  # a step that left no tag is a row too: its source would be lost
        song, step = _owners(steps), _owners(each)
        none = np.zeros(len(step), bool)
        made = self._texts("lists", "step_tag")
        if not tags.all():
            none = (tags == 0).take(step)
            made = made.take(pa.array(np.cumsum(~none) - 1, mask=none))
        return {
            **{name: ids.take(step) for name, ids in self._ids(steps, song).items()},
            "step": _places(steps).take(step),
            "source": self._coded_text("lists", "source", each, step),
            "type": self._coded_text("lists", "type", each, step),
            "position": pd.arrays.IntegerArray(_places(each), none),
            "tag": text_values(made),
        }

    def _ids(self, each: Counts, song: Counts) -> dict[str, pd.Categorical]:
        return {
            name: self._coded_text("songs", name, each, song) for name in ("task_id", "song_id")
        }

    def _coded_text(self, table: str, name: str, each: Counts, owner: Counts) -> pd.Categorical:
        """A text for each of its rows, as a category."""
        texts = self._texts(table, name)
        if each.all():
            codes, dtype = self._coded[table, name].append(texts)
        else:  # what has no row is no category
            codes, dtype = DictionaryBuilder().append(texts.filter(pa.array(each > 0)))
            owner = (np.cumsum(each > 0) - 1).take(owner)
        return pd.Categorical.from_codes(codes.take(owner), dtype=dtype, validate=False)

    def _numbers(self, table: str, name: str) -> NDArray[Any]:
        return self._columns[table, name].array()

    def _texts(self, table: str, name: str) -> pa.Array:
        return self._columns[table, name].array()


_LISTS = {key for key in DTYPES if key[0] == "lists"}
_IDS = {("songs", "task_id"), ("songs", "song_id")}
_NEEDED: dict[str, set[Key]] = {
    "tasks": {("tasks", name) for name in TASKS},
    "songs": {("songs", name) for name in SONGS},
    "tags": _LISTS | _IDS,
    "replaced_tags": _LISTS | _IDS,
    "durations": {("songs" if name in SONGS else "tasks", name) for name in DURATIONS}
    | {("tasks", "songs")},
    "issues": set(),
}


def _owners(counts: Counts) -> Counts:
    """0, 1, 2 ..., each as often as its count says."""
    return np.arange(len(counts)).repeat(counts)


def _places(counts: Counts) -> Counts:
    """0, 1, 2 ... for each count, one after the other."""
    counts = counts[counts > 0]
    places = np.ones(counts.sum(), "int64")
    places[:1] = 0
    places[counts[:-1].cumsum()] = 1 - counts[:-1]
    return places.cumsum(out=places)


@contextlib.contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """What a batch makes and drops has no cycles; to look for some takes a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
