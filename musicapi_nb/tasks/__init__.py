"""Replies of the service as Task and Song, with one vocabulary for all engines. No I/O."""

from musicapi_nb.tasks import html as _html  # noqa: F401 - registers how Song and Task are shown
from musicapi_nb.tasks.parse import parse_submit_reply as parse_submit_reply
from musicapi_nb.tasks.parse import parse_task as parse_task
from musicapi_nb.tasks.parse_batch import update_parts as update_parts
from musicapi_nb.tasks.parse_songs import mark_failed as mark_failed
from musicapi_nb.tasks.reply_search import find_task_id as find_task_id
from musicapi_nb.tasks.song import STATE_LABELS as STATE_LABELS
from musicapi_nb.tasks.song import Issue as Issue
from musicapi_nb.tasks.song import Replacement as Replacement
from musicapi_nb.tasks.song import Song as Song
from musicapi_nb.tasks.song import State as State
from musicapi_nb.tasks.song_tuple import Songs as Songs
from musicapi_nb.tasks.stored_reply import StoredReply as StoredReply
from musicapi_nb.tasks.task import Task as Task
from musicapi_nb.tasks.task import Tasks as Tasks
from musicapi_nb.tasks.task import task_list as task_list
from musicapi_nb.tasks.task import tasks_of_songs as tasks_of_songs
