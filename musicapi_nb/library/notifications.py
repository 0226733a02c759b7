"""Notifications: unsolicited reports of the service, and the purchase that each is about."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from typing import Literal

from musicapi_nb.ledger_types import Entry
from musicapi_nb.library import events


@dataclasses.dataclass(frozen=True, slots=True)
class NotificationResult:
    """What a notification changed, and the purchase in its new state.

    "recorded": the ledger has changed. "unchanged": it had all of it. "unknown": the library has no
    such purchase. "conflict": the purchase has another task, or the task another purchase; nothing
    was changed.
    """

    kind: Literal["recorded", "unchanged", "unknown", "conflict"]
    entry: Entry | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Notification:
    """An unsolicited notification: task id and engine (None if absent).

    `entry` is the purchase it names, and `verify` returns whether it may name that one.
    """

    task_id: str
    engine: str | None = None
    entry: int | None = None
    verify: Callable[[Entry], bool] = lambda _: False


def match_entry(connection: sqlite3.Connection, notification: Notification) -> NotificationResult:
    """Find the purchase; the result is "recorded" if the notification can be about it."""
    task_id, engine = notification.task_id, notification.engine
    entries = events.entries(connection, "WHERE task_id=? AND state != 'not_run'", task_id)
    if notification.entry is None:  # its webhook URL names no purchase
        candidates = [entry for entry in entries if engine in {None, entry.engine}]
        entry = candidates[0] if len(candidates) == 1 else None
    else:
        entry = events.entry(connection, notification.entry)
        entry = entry if entry is not None and notification.verify(entry) else None
    if entry is None:
        return NotificationResult("unknown")
    conflict = any(
        (other.engine, other.simulated) == (entry.engine, entry.simulated) and other.id != entry.id
        for other in entries
        if not other.adopted  # else the purchase takes its place
    )
    if conflict or engine not in {None, entry.engine} or entry.task_id not in {None, task_id}:
        return NotificationResult("conflict", entry)
    return NotificationResult("recorded", entry)
