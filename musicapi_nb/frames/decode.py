"""A batch of replies as Arrow columns."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, TypeAlias

import pyarrow as pa

from musicapi_nb.frames.inputs import Item, ParsedReply, parse_reply, split_item
from musicapi_nb.frames.reply_types import TASK_CELLS, Rows, decode_reply, decode_stored, nonblank
from musicapi_nb.frames.schema import SONGS, TASKS, IssueRow, SongRow, array
from musicapi_nb.tasks import StoredReply, Task

Key: TypeAlias = tuple[str, str]
"""A column: its table and its name. The table "lists" has the tags and replacements of songs."""

_LISTS: Mapping[str, str] = {
    "tags_per_song": "int64",
    "tag": "str",
    "steps_per_song": "int64",
    "source": "str",
    "type": "str",
    "tags_per_step": "int64",
    "step_tag": "str",
}
DTYPES: Mapping[Key, str] = {
    **{("tasks", name): column.dtype for name, column in TASKS.items()},
    **{("songs", name): column.dtype for name, column in SONGS.items()},
    **{("lists", name): dtype for name, dtype in _LISTS.items()},
}
_NEVER_BLANK = {"engine", "operation", "state", "request", "extra", "reply"}  # not the service's
_SONG_CELLS = {name: column for name, column in SONGS.items() if column.source is not None}


def read_batch(
    items: Iterable[Item], keys: Collection[Key]
) -> tuple[dict[Key, pa.Array], list[IssueRow]]:
    """Return the columns `keys` of some replies, in their order, and the issues found in them."""
    task_rows: list[Sequence[Any]] = []
    song_rows: list[Sequence[Any]] = []
    songs: list[Any] = []
    issues: list[IssueRow] = []
    origins: list[str] = []
    song_origins: list[str] = []
    for (origin, reply), decoded in _decode_items(items):
        rows = decoded
        if rows is None:
            parsed = parse_reply((origin, reply))
            issues += [IssueRow(parsed, issue) for issue in parsed.issues]
            if parsed.task is None:
                continue
            rows = _rows(parsed.task)
        elif rows.issues:
            raw = reply.raw if isinstance(reply, StoredReply) else reply
            parsed = ParsedReply(origin, raw, None, rows.task[0], rows.issues)
            issues += [IssueRow(parsed, issue) for issue in rows.issues]
        origins.append(origin)
        song_origins += [origin] * len(rows.song_rows)
        task_rows.append(rows.task)
        song_rows += rows.song_rows
        songs += rows.songs
    columns = {
        **_transpose("tasks", TASK_CELLS, task_rows),
        **_transpose("songs", _SONG_CELLS, song_rows),
        **_lists(songs),
        ("tasks", "reply"): origins,
        ("songs", "reply"): song_origins,
    }
    return {key: _array(key, columns[key]) for key in keys}, issues


def _decode_items(items: Iterable[Item]) -> Iterator[tuple[Item, Rows | None]]:
    """Yield each reply of these texts and other items, and its rows as `_decode`."""
    for item in items:
        rows = _decode(item[1])
        if rows is not None:
            yield item, rows
            continue
        for part in split_item(item):
            yield part, _decode(part[1]) if part[1] is not item[1] else None


def _decode(reply: Any) -> Rows | None:
    """Return the rows of a bulk reply, or None for any other reply."""
    try:
        if isinstance(reply, bytes | str):
            return decode_reply(reply)
        if isinstance(reply, StoredReply):
            return decode_stored(reply)
    except Exception:  # noqa: BLE001, S110 - the parser will name what is wrong
        pass
    return None


def _rows(task: Task) -> Rows:
    song_rows = [
        [column.cell(SongRow(task, song)) for column in _SONG_CELLS.values()] for song in task.songs
    ]
    return Rows([column.cell(task) for column in TASK_CELLS.values()], song_rows, task.songs)


def _transpose(
    table: str, names: Iterable[str], rows: Sequence[Sequence[Any]]
) -> dict[Key, Sequence[Any]]:
    columns = zip(*rows, strict=True) if rows else repeat(())
    return {(table, name): column for name, column in zip(names, columns, strict=False)}


def _array(key: Key, cells: Sequence[Any]) -> pa.Array:
    table, name = key
    # Blank tags are filtered before.
    may_be_blank = DTYPES[key] == "str" and table != "lists" and name not in _NEVER_BLANK
    if may_be_blank and (not all(cells) or any(map(str.isspace, cells))):
        cells = [text if text and not text.isspace() else None for text in cells]
    return array(DTYPES[key], cells)


def _lists(songs: Sequence[Any]) -> dict[Key, Sequence[Any]]:
    """Return the tags of all songs, and their replacements, one after the other."""
    tags = [song.tags or () for song in songs]
    replacements = [song.replacements for song in songs]
    steps = list(chain.from_iterable(replacements))
    step_tags = [step.tags or () for step in steps]
    return {
        ("lists", "tags_per_song"): list(map(len, tags)),
        ("lists", "tag"): list(chain.from_iterable(tags)),
        ("lists", "steps_per_song"): list(map(len, replacements)),
        ("lists", "source"): [step.source or None for step in steps],
        ("lists", "type"): [nonblank(step.type) for step in steps],
        ("lists", "tags_per_step"): list(map(len, step_tags)),
        ("lists", "step_tag"): list(chain.from_iterable(step_tags)),
    }
