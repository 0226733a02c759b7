"""What the service says of a task unasked, and which purchase that is about."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from musicapi_nb.library import events

if TYPE_CHECKING:
    from musicapi_nb.library.entry import Entry


@dataclasses.dataclass(frozen=True, slots=True)
class NotificationResult:
    """What became of word from the service.

    Attributes
    ----------
    kind
        "noted": it is written down. "same": the ledger knew all of it. "unknown": the library
        has no such purchase. "other": the purchase is another task's, or the task another
        purchase's; nothing was changed.
    entry
        The purchase that it is about, as it is now.
    """

    kind: Literal["noted", "same", "unknown", "other"]
    entry: Entry | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Notification:
    """Notification from the service: of which task, of which engine (None: not said).

    `entry` is the purchase that it names, `proven` says whether that is its true name.
    """

    task_id: str
    engine: str | None = None
    entry: int | None = None
    proven: Callable[[Entry], bool] = lambda _: False


def match_entry(connection: sqlite3.Connection, word: Notification) -> NotificationResult:
    """Find the purchase: "noted" if there is one that the word can be about."""
    same = events.entries(connection, "WHERE task_id=?", word.task_id)
    if word.entry is None:  # it was asked for without an address of its own
        same = [each for each in same if word.engine in {None, each.engine}]
        known = same[0] if len(same) == 1 else None
    else:
        known = events.entry(connection, word.entry)
        known = known if known is not None and word.proven(known) else None
    if known is None:
        return NotificationResult("unknown")
    others = any(
        (each.engine, each.simulated) == (known.engine, known.simulated) and each.id != known.id
        for each in same
    )
    if others or word.engine not in {None, known.engine}:
        return NotificationResult("other", known)
    return NotificationResult("noted" if known.task_id in {None, word.task_id} else "other", known)
