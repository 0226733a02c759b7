"""The aligned lyrics of songs: from answers of aligned-lyrics, and those that a library has."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from musicapi_nb.library import Entry, Library
from musicapi_nb.tasks import Task

Alignments: TypeAlias = Mapping[tuple[str, bool], list[Any]]
"""Items `{word, start_s, end_s, p_align, success}` by the id of a song, and if it is simulated."""

_OPERATION = "aligned_lyrics"


def library_alignments(library: Library, entries: Iterable[Entry] | None = None) -> Alignments:
    """Return the latest alignment of each song that a library has one of.

    `entries` are those of the library, if they were read already.
    """
    entries = library.entries("done") if entries is None else entries
    bought = (e for e in entries if e.operation == _OPERATION and e.state == "done")
    return task_alignments(library.task(entry.id) for entry in bought)


def task_alignments(tasks: Iterable[Task]) -> Alignments:
    """Return the alignments in the answers of tasks; other tasks have none."""
    return {key: items for task in tasks for key, items in _alignment_of(task)}


def _alignment_of(task: Task) -> Iterator[tuple[tuple[str, bool], list[Any]]]:
    clip = getattr(task.request, "clip_id", None)
    items = alignment_in(task)
    if isinstance(clip, str) and items is not None:
        yield (clip, task.simulated), items


def alignment_in(task: Task) -> list[Any] | None:
    """Return the alignment in the answer of a task; None if it has none."""
    items = task.answer.get("alignment")
    return items if isinstance(items, list) else None
