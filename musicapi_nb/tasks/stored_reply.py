"""StoredReply: a reply as the library stores it. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.parse import parse_task
from musicapi_nb.tasks.task import Task


class StoredReply(NamedTuple):
    """An unparsed reply about a task.

    Attributes
    ----------
    base
        The task as it was known before the reply.
    raw
        The reply as JSON text; None if there was none.
    overrides
        Attributes of `Task` that the reply alone does not give; they take precedence.
    """

    base: Task
    raw: str | None
    overrides: Mapping[str, Any]

    def task(self) -> Task:
        """Parse the reply and return the task in its latest state."""
        payload = json.loads(self.raw) if self.raw is not None else None
        try:
            task = self.base if payload is None else parse_task(payload, task=self.base)
        except UnexpectedReply:  # a failure that only the HTTP status showed
            task = replace(self.base, raw=payload)
        # the ledger has the price at the time of the purchase, also of a batch
        facts = {**self.overrides, "price": self.base.price}
        if any(getattr(task, name) != value for name, value in facts.items()):
            task = replace(task, **facts)
        return task
