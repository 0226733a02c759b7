"""Replies of the service as Task and Song: one vocabulary for all engines. Pure."""

from musicapi_nb.tasks.models import Issue, Replacement, Song, State, Task
from musicapi_nb.tasks.parse import accepted, read
from musicapi_nb.tasks.parse_batch import with_parts
from musicapi_nb.tasks.parse_songs import failed
from musicapi_nb.tasks.stored_reply import Kept

__all__ = [
    "Issue",
    "Kept",
    "Replacement",
    "Song",
    "State",
    "Task",
    "accepted",
    "failed",
    "read",
    "with_parts",
]
