"""A reply as a library keeps it: what was base of its task, and the reply as it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.parse import parse_task

if TYPE_CHECKING:
    from musicapi_nb.tasks.models import Task


class StoredReply(NamedTuple):
    """The reply about a task, not read yet.

    Attributes
    ----------
    base
        The task as it was base without the reply.
    raw
        The reply, as JSON text; None: there was none.
    overrides
        What a reply alone does not say, by the names of `Task`: it wins.
    """

    base: Task
    raw: str | None
    overrides: Mapping[str, Any]

    def task(self) -> Task:
        """Make the task again, as it was last seen."""
        payload = json.loads(self.raw) if self.raw is not None else None
        try:
            task = self.base if payload is None else parse_task(payload, task=self.base)
        except UnexpectedReply:  # a reply that was told to be a failure by its status
            task = msgspec.structs.replace(self.base, raw=payload)
        if any(getattr(task, name) != value for name, value in self.overrides.items()):
            task = msgspec.structs.replace(task, **self.overrides)
        return task
