"""A batch of replies as columns: known layouts all at once, all others by `tasks.parse_task`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from musicapi_nb.frames.builders import grown
from musicapi_nb.frames.inputs import parse_reply
from musicapi_nb.frames.layouts import BEHIND, Unknown, find, learn
from musicapi_nb.frames.scan import scan
from musicapi_nb.frames.schema import SONGS, TASKS, IssueRow, SongRow
from musicapi_nb.frames.values import columns
from musicapi_nb.tasks import StoredReply
from musicapi_nb.tasks.json_reader import clean

if TYPE_CHECKING:
    from musicapi_nb.frames.arrays import Numbers
    from musicapi_nb.frames.inputs import Item
    from musicapi_nb.frames.layouts import Found, Layout
    from musicapi_nb.frames.values import Columns

Key: TypeAlias = tuple[str, str]
"""A column: its table and its name."""

_LIST_ROWS: Mapping[str, str] = {
    "per_song": "song",
    "tag": "tag",
    "per_song_steps": "song",
    "source": "step",
    "type": "step",
    "per_step": "step",
    "made": "made",
}
DTYPES: Mapping[Key, str] = {
    **{("lists", name): "int64" if name.startswith("per_") else "str" for name in _LIST_ROWS},
    **{("songs", name): column.dtype for name, column in SONGS.items()},
    **{("tasks", name): column.dtype for name, column in TASKS.items()},
}
_ARROW = {dtype: grown(dtype).arrow for dtype in set(DTYPES.values())}
_UNSAID: Mapping[str, Any] = {"int64": 0, "bool": False}
_TASK_ID = ("tasks", "task_id")
_BEFORE = ("task_id", "operation", "expected", "simulated", "request")
_MOST_LAYOUTS = 32
_TRIES = 2  # in each batch, of learning one more layout


class _Part(NamedTuple):
    """Replies that were read together: their places, each one's songs, and their columns."""

    places: Numbers
    songs_of: Numbers
    columns: Columns


def read_batch(
    given: Sequence[Item], wanted: Collection[Key], layouts: list[Layout]
) -> tuple[dict[Key, pa.Array | int], list[IssueRow]]:
    """Read some replies: the wanted columns, and what was not understood.

    Of a column that says nothing, there is the number of its rows. `layouts` are those that are
    known; what is learned is added.
    """
    parts = list(_by_layout(given, layouts))
    issues: list[IssueRow] = []
    if sum(len(part.places) for part in parts) < len(given):
        known = set().union(*(part.places.tolist() for part in parts))
        left = [(place, item) for place, item in enumerate(given) if place not in known]
        part, issues = _plainly(left, wanted)
        parts.append(part)
    made: dict[Key, pa.Array | int] = {}
    if len(parts) == 1:
        made |= {key: column for key, column in parts[0].columns.items() if key in wanted}
    made |= {key: _joined(key, parts) for key in wanted if key not in made}
    if len(parts) > 1:
        places, songs_of = (np.concatenate(each) for each in list(zip(*parts, strict=True))[:2])
        made = _ordered(made, places, songs_of)
    return made, issues


def _by_layout(given: Sequence[Item], layouts: list[Layout]) -> Iterator[_Part]:
    texts = [each if type(each := item.given) is bytes else _as_bytes(each) for item in given]
    left = np.array([place for place, text in enumerate(texts) if text is not None])
    scanned = scan([text or b"" for text in texts], BEHIND)
    kept = any(type(item.given) is StoredReply for item in given)
    tried = number = 0
    while len(left):
        if number < len(layouts):
            if (found := find(layouts[number], scanned, left)) is not None:
                others = np.ones(len(texts), bool)
                others[found.rows] = False
                left = left[others[left]]
                yield from _understood(found, given if kept else ())
            number += 1
        elif tried < _TRIES and number < _MOST_LAYOUTS:
            tried += 1
            try:
                layouts.append(learn(texts[left[0]] or b""))
            except Unknown:
                left = left[1:]
        else:
            return


def _as_bytes(given: Any) -> bytes | None:
    if isinstance(given, StoredReply):
        given = given.raw
    if isinstance(given, str):
        try:
            return given.encode()
        except UnicodeEncodeError:
            return None
    return given if isinstance(given, bytes) else None


def _understood(found: Found | None, given: Sequence[Item]) -> Iterator[_Part]:
    """Those of some replies in which nothing is odd; `given` if some of them are `StoredReply`."""
    while found is not None:
        made, odd = columns(found)
        kept = [given[row].given for row in found.rows] if given else []
        if any(isinstance(each, StoredReply) for each in kept):
            own = made[_TASK_ID].to_pylist() if _TASK_ID in made else [None] * len(kept)
            odd |= [_says_else(*each, found.layout) for each in zip(kept, own, strict=True)]
        if not odd.any():
            if kept and isinstance(kept[0], StoredReply):
                made = {**made, **_known(kept, made, found.layout.songs)}
            songs_of = np.full(len(found.rows), found.layout.songs)
            yield _Part(found.rows, songs_of, made)
            return
        found = find(found.layout, found.scan, found.rows[~odd])


def _says_else(kept: Any, own: str | None, layout: Layout) -> bool:
    """Whether a reply beside what is known of its task is not read as it is alone."""
    if not isinstance(kept, StoredReply):
        return True
    known, alone = kept.base, layout.same
    return (
        known.engine != alone["tasks", "engine"]
        or known.expected not in {None, layout.songs}
        or (known.id is not None and own is not None and known.id != own)
        or any(value != alone.get(("tasks", name)) for name, value in kept.overrides.items())
    )


def _known(kept: Sequence[StoredReply], made: Columns, songs: int) -> Columns:
    """The columns of what was known of tasks before their replies."""
    tasks = [each.base for each in kept]
    found = {
        ("tasks", name): pa.array(TASKS[name].cells(tasks), _ARROW[TASKS[name].dtype])
        for name in _BEFORE
    }
    if _TASK_ID in made:
        found[_TASK_ID] = pc.coalesce(found[_TASK_ID], made[_TASK_ID])
    of_song = pa.array(np.arange(len(kept)).repeat(songs))
    return found | {
        ("songs", name): found["tasks", name].take(of_song) for name in _BEFORE if name in SONGS
    }


def _plainly(
    given: Sequence[tuple[int, Item]], wanted: Collection[Key]
) -> tuple[_Part, list[IssueRow]]:
    """Read replies of any shape, one by one."""
    found = [parse_reply(item) for _, item in given]
    issues = [IssueRow(each, issue) for each in found for issue in each.issues]
    places = [place for (place, _), each in zip(given, found, strict=True) if each.task is not None]
    tasks = [each.task for each in found if each.task is not None]
    songs = [SongRow(task, song) for task in tasks for song in task.songs]
    steps = [step for _, song in songs for step in song.replacements]
    cells: dict[str, dict[str, Callable[[], list[Any]]]] = {
        "tasks": {name: partial(column.cells, tasks) for name, column in TASKS.items()},
        "songs": {name: partial(column.cells, songs) for name, column in SONGS.items()},
        "lists": {
            "per_song": lambda: [len(song.tags) for _, song in songs],
            "tag": lambda: [clean(tag) for _, song in songs for tag in song.tags],
            "per_song_steps": lambda: [len(song.replacements) for _, song in songs],
            "source": lambda: [clean(step.source) or None for step in steps],
            "type": lambda: [clean(step.type) if step.type else None for step in steps],
            "per_step": lambda: [len(step.tags) for step in steps],
            "made": lambda: [clean(tag) for step in steps for tag in step.tags],
        },
    }
    arrays = {key: pa.array(cells[key[0]][key[1]](), _ARROW[DTYPES[key]]) for key in wanted}
    songs_of = np.array([len(task.songs) for task in tasks], "int64")
    return _Part(np.array(places, "int64"), songs_of, arrays), issues


def _joined(key: Key, parts: Sequence[_Part]) -> pa.Array | int:
    """A column of all parts, or how many rows it has where none says anything."""
    found = [part.columns.get(key) for part in parts]
    rows = [part.songs_of.sum() if key[0] == "songs" else len(part.places) for part in parts]
    if not any(column is not None for column in found):
        return int(sum(rows))
    unsaid = pa.scalar(_UNSAID.get(DTYPES[key]), _ARROW[DTYPES[key]])
    return pa.concat_arrays(
        pa.repeat(unsaid, count) if column is None else column
        for column, count in zip(found, rows, strict=True)
    )


def _ordered(
    columns: dict[Key, pa.Array | int], places: Numbers, songs_of: Numbers
) -> dict[Key, pa.Array | int]:
    """Put rows that were read shape by shape into the order of their replies."""

    def each(name: str) -> Numbers:
        counts = columns.get(("lists", name), 0)
        return np.zeros(0, "int64") if isinstance(counts, int) else counts.to_numpy()

    of = {"task": places, "song": places.repeat(songs_of)}
    if ("lists", "per_song") in columns:
        of["tag"] = of["song"].repeat(each("per_song"))
        of["step"] = of["song"].repeat(each("per_song_steps"))
        of["made"] = of["step"].repeat(each("per_step"))
    order = {kind: pa.array(np.argsort(at, kind="stable")) for kind, at in of.items()}
    return {
        key: rows if isinstance(rows, int) else rows.take(order[_row_kind(key)])
        for key, rows in columns.items()
    }


def _row_kind(key: Key) -> str:
    """What a column has one row of."""
    table, name = key
    return _LIST_ROWS[name] if table == "lists" else table.removesuffix("s")
