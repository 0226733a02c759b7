"""What a client tells its caller: progress, and of tasks that nobody waits for any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

from musicapi_nb.engines import Request
from musicapi_nb.tasks import Task

ProgressCallback: TypeAlias = "Callable[[Task], None]"
_log = logging.getLogger(__name__)


def name(task: Task) -> str:
    return (
        f"{task.name} (take {task.take})"
        if task.poll_by_repost
        else f"{task.engine} task {task.id}"
    )


def notify(progress: ProgressCallback | None, task: Task) -> None:
    """Call a progress callback; an error of its own must not cost anybody the paid task."""
    if progress is None:
        return
    try:
        progress(task)
    except Exception:  # noqa: BLE001 - whatever a person's own function raises
        _log.exception("The progress callback failed for %s", name(task))


def unfinished(task: Task, deadline: float) -> str:
    ready = sum(song.finished for song in task.songs)
    share = f", {ready} of {task.expected} songs ready" if task.expected else ""
    what = name(task) if task.poll_by_repost else f"task {task.id}"
    return f"{what} is not finished after {deadline:g} s ({task.state}{share})"


def log_orphaned_request(
    sending: asyncio.Task[Task], request: Request, progress: ProgressCallback | None
) -> None:
    """Tell what became of a request whose caller was cancelled while it was under way."""
    what = f"{request.engine}.{request.operation}"
    if sending.cancelled():
        _log.warning("The loop ended while %s was sent: it may have cost credits", what)
    elif (error := sending.exception()) is not None:
        _log.warning("%s, whose caller was cancelled, ended in: %s", what, error)
    elif progress is None:
        _log.warning("Accepted after its caller was cancelled: %s", name(sending.result()))


def log_abandoned_task(task: Task) -> None:
    _log.warning("Nobody waits any more for %s, which goes on", name(task))
