"""Replies of the service as Task and Song: one vocabulary for all engines. Pure."""

from musicapi_nb.tasks.models import Issue, Replacement, Song, State, Task
from musicapi_nb.tasks.parse import parse_submit_reply, parse_task
from musicapi_nb.tasks.parse_batch import with_parts
from musicapi_nb.tasks.parse_songs import mark_failed
from musicapi_nb.tasks.stored_reply import StoredReply

__all__ = [
    "Issue",
    "Replacement",
    "Song",
    "State",
    "StoredReply",
    "Task",
    "mark_failed",
    "parse_submit_reply",
    "parse_task",
    "with_parts",
]
