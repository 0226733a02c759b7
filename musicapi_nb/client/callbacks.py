"""Progress callbacks, and log lines about tasks without a waiting caller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

from musicapi_nb.ledger_types import Claim
from musicapi_nb.tasks import Task

ProgressCallback: TypeAlias = Callable[[Task], None]
_log = logging.getLogger(__name__)


def task_name(task: Task) -> str:
    """Name a task for a message: by its id or, if it has none, by its request."""
    if task.poll_by_repost:
        return f"{task.name} (take {task.take})"
    return f"{task.engine} task {task.id}"


def notify(progress: ProgressCallback | None, task: Task) -> None:
    """Call a progress callback. Its exceptions are logged, so that the paid task is not lost."""
    if progress is None:
        return
    try:
        progress(task)
    except Exception:  # noqa: BLE001 - the callback is the user's
        _log.exception("The progress callback failed for %s", task_name(task))


def timeout_message(task: Task, deadline: float) -> str:
    ready = sum(song.finished for song in task.songs)
    share = f", {ready} of {task.expected} songs ready" if task.expected else ""
    issues = f"; not understood: {task.issues[0].message}" if task.issues else ""
    name = task_name(task) if task.poll_by_repost else f"task {task.id}"
    return f"{name} is not finished after {deadline:g} s ({task.state}{share}{issues})"


def log_orphaned_request(
    sending: asyncio.Task[Task] | asyncio.Task[Claim],
    operation: str,
    progress: ProgressCallback | None,
) -> None:
    """Log the outcome of a request whose caller was cancelled while it was under way."""
    if sending.cancelled():
        _log.warning(
            "The event loop ended before the reply to %s came: it may have cost credits; see the "
            "library",
            operation,
        )
        return
    if (error := sending.exception()) is not None:
        _log.warning("%s, whose caller was cancelled, failed: %s", operation, error)
        return
    result = sending.result()
    task = result.task if isinstance(result, Claim) else result
    if progress is None and task is not None:
        _log.warning("Accepted after its caller was cancelled: %s", task_name(task))


def log_abandoned_task(task: Task) -> None:
    _log.warning("%s is still running but nothing is waiting for it", task_name(task))
