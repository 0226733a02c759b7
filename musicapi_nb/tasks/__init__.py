"""Replies of the service as Task and Song, with one vocabulary for all engines. No I/O."""

from musicapi_nb.tasks import html as _html  # noqa: F401 - registers how Song and Task are shown
from musicapi_nb.tasks.parse import parse_submit_reply, parse_task
from musicapi_nb.tasks.parse_batch import update_parts
from musicapi_nb.tasks.parse_songs import mark_failed
from musicapi_nb.tasks.reply_search import find_task_id
from musicapi_nb.tasks.song import Issue, Replacement, Song, State
from musicapi_nb.tasks.stored_reply import StoredReply
from musicapi_nb.tasks.task import Task

__all__ = [
    "Issue",
    "Replacement",
    "Song",
    "State",
    "StoredReply",
    "Task",
    "find_task_id",
    "mark_failed",
    "parse_submit_reply",
    "parse_task",
    "update_parts",
]
