"""A reply as a library keeps it: what was known of its task, and the reply as it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.parse import read

if TYPE_CHECKING:
    from musicapi_nb.tasks.models import Task


class Kept(NamedTuple):
    """The reply about a task, not read yet.

    Attributes
    ----------
    known
        The task as it was known without the reply.
    raw
        The reply, as JSON text; None: there was none.
    said
        What a reply alone does not say, by the names of `Task`: it wins.
    """

    known: Task
    raw: str | None
    said: Mapping[str, Any]

    def task(self) -> Task:
        """Make the task again, as it was last seen."""
        payload = json.loads(self.raw) if self.raw is not None else None
        try:
            task = self.known if payload is None else read(payload, task=self.known)
        except UnexpectedReply:  # a reply that was told to be a failure by its status
            task = msgspec.structs.replace(self.known, raw=payload)
        if any(getattr(task, name) != value for name, value in self.said.items()):
            task = msgspec.structs.replace(task, **self.said)
        return task
