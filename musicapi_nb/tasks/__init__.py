"""Replies of the service as Task and Song: one vocabulary for all engines. Pure."""

from musicapi_nb.tasks.batch import with_parts
from musicapi_nb.tasks.kept import Kept
from musicapi_nb.tasks.read import accepted, read
from musicapi_nb.tasks.songs import failed
from musicapi_nb.tasks.values import Issue, Replacement, Song, State, Task

__all__ = [
    "Issue", "Kept", "Replacement", "Song", "State", "Task", "accepted", "failed", "read",
    "with_parts",
]  # fmt: skip
