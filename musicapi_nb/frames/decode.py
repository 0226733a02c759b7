"""A batch of replies as Arrow columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from musicapi_nb.frames.inputs import Item, parse_reply
from musicapi_nb.frames.reply_types import TypedTask, decode_reply, decode_stored, nonblank
from musicapi_nb.frames.schema import SONGS, TASKS, IssueRow, SongRow, array
from musicapi_nb.tasks import StoredReply

if TYPE_CHECKING:
    import pyarrow as pa

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


def read_batch(
    items: Iterable[Item], keys: Collection[Key]
) -> tuple[dict[Key, pa.Array], list[IssueRow]]:
    """Return the columns `keys` of some replies, in their order, and the issues found in them."""
    tasks: list[Any] = []
    songs: list[SongRow] = []
    issues: list[IssueRow] = []
    for item in items:
        if typed := _decode(item.reply):
            task, rows = typed
            tasks.append(task)
            songs += rows
            continue
        parsed = parse_reply(item)
        issues += [IssueRow(parsed, issue) for issue in parsed.issues]
        if parsed.task is not None:
            tasks.append(parsed.task)
            songs += [
                SongRow(parsed.task, song, song.position, song.extra) for song in parsed.task.songs
            ]
    lists = _lists([row.song for row in songs]) if any(key[0] == "lists" for key in keys) else {}
    return {key: _column(key, tasks, songs, lists) for key in keys}, issues


def _decode(reply: Any) -> tuple[TypedTask, list[SongRow]] | None:
    try:
        if isinstance(reply, bytes | str):
            return decode_reply(reply)
        if isinstance(reply, StoredReply):
            return decode_stored(reply)
    except Exception:  # noqa: BLE001, S110 - whatever is wrong with a reply, `tasks.parse_task` names it
        pass
    return None


def _column(
    key: Key, tasks: Sequence[Any], songs: Sequence[SongRow], lists: Mapping[str, Sequence[Any]]
) -> pa.Array:
    table, name = key
    if table == "lists":
        return array(DTYPES[key], lists[name])
    cells = map(SONGS[name].cell, songs) if table == "songs" else map(TASKS[name].cell, tasks)
    if DTYPES[key] == "str":
        return array("str", [text if text and not text.isspace() else None for text in cells])
    return array(DTYPES[key], list(cells))


def _lists(songs: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Return the tags of all songs, and their replacements, one after the other."""
    tags = [song.tags or () for song in songs]
    replacements = [song.replacements for song in songs]
    steps = list(chain.from_iterable(replacements))
    step_tags = [step.tags or () for step in steps]
    return {
        "tags_per_song": list(map(len, tags)),
        "tag": list(chain.from_iterable(tags)),
        "steps_per_song": list(map(len, replacements)),
        "source": [step.source or None for step in steps],
        "type": [nonblank(step.type) for step in steps],
        "tags_per_step": list(map(len, step_tags)),
        "step_tag": list(chain.from_iterable(step_tags)),
    }
