"""The functions that make one frame each."""

from collections.abc import Iterable
from typing import Any, Protocol

import pandas as pd

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames import schema
from musicapi_nb.frames.flattener import Columns, Polls
from musicapi_nb.frames.inputs import HasFrames, Replies, has_frames, refuse_words
from musicapi_nb.frames.no_problems import say_if_empty


@schema.document_columns(schema.TASKS)
def tasks_frame(replies: Replies | HasFrames, *, polls: Polls = "last") -> pd.DataFrame:
    """Return a table of tasks: one row per task, in the order of the replies that were understood.

    All six frames accept the same input: a task, a song, a job, a raw reply as dict, str or bytes,
    an iterable of these in any mix (an iterator can be read only once), a library, or the path of
    a file or of a folder of files. An experiment (a run) has its factors as first columns; within
    a list, it counts as its tasks. Songs without their task make a row of it, after the others.

    A text or a file may hold one reply, a JSON list of replies, or one reply per
    line (.ndjson, .jsonl, .json), in any encoding of JSON, also packed with gzip; a .parquet file
    holds raw replies (see `write_parquet`). `flatten` makes all six frames at once.

    Otherwise columns and dtypes are the same for every input, also without rows (pandas 2.2 calls
    the dtype str "string"). Unfinished or absent values are missing, never 0 or "". A reply, or a
    part of a file, that was not understood is a row of `issues_frame`; the other frames contain
    the rest.

    >>> tasks_frame(["{}", {"task_id": "t1", "message": "success"}])[["task_id", "state", "reply"]]
      task_id    state reply
    0      t1  pending     1

    Parameters
    ----------
    polls
        "last": of several replies about one task, the last one is used, but a finished state comes
        before an unfinished one. A reply without task id is about the same task as another one
        that has all of its clips. "all": each reply is used.

    Raises
    ------
    InvalidArgument
        The input is none of the above (also a TypeError).
    MissingFile
        There is no such file, or no file of replies in the folder (also a FileNotFoundError).
    """
    return _frame("tasks", replies, polls)


@schema.document_columns(schema.SONGS)
def songs_frame(replies: Replies | HasFrames, *, polls: Polls = "last") -> pd.DataFrame:
    """Return a table of songs: one row per song (or text of a lyrics reply), in any state.

    Arguments are as for `tasks_frame`.

    >>> songs_frame({"code": 200, "data": [{"clip_id": "c1", "duration": "104.88"}]}).duration
    0    104.88
    Name: duration, dtype: float64
    """
    return _frame("songs", replies, polls)


@schema.document_columns(schema.TAGS)
def tags_frame(replies: Replies | HasFrames, *, polls: Polls = "last") -> pd.DataFrame:
    """Return a table of tags: one row per tag of each song, in the service's order.

    Arguments are as for `tasks_frame`.

    >>> tags_frame({"data": [{"clip_id": "c1", "tags": "jazz, spy"}]})[["song_id", "tag"]]
      song_id   tag
    0      c1  jazz
    1      c1   spy
    """
    return _frame("tags", replies, polls)


@schema.document_columns(schema.STEPS)
def replaced_tags_frame(replies: Replies | HasFrames, *, polls: Polls = "last") -> pd.DataFrame:
    """Return a table of rewritten tags: one row per tag of each rewriting step (studio only).

    The service rewrites the requested tags step by step. The source of the first step is the
    requested text; that of a later step may be the joined tags of the step before. A step that
    left no tags is one row with missing position and tag. Arguments are as for `tasks_frame`.

    >>> step = {"jazz, spy": {"tags": ["jazz", "spy jazz"], "type": "tags"}}
    >>> song = {"id": "s1", "replaced_tags": step}
    >>> reply = {"code": "success", "data": {"status": "SUCCESS", "data": {"songs": [song]}}}
    >>> replaced_tags_frame(reply)[["step", "source", "position", "tag"]]
       step     source  position       tag
    0     0  jazz, spy         0      jazz
    1     0  jazz, spy         1  spy jazz
    """
    return _frame("replaced_tags", replies, polls)


@schema.document_columns(schema.DURATIONS)
def durations_frame(replies: Replies | HasFrames, *, polls: Polls = "last") -> pd.DataFrame:
    """Return a table of lengths in seconds: one row per song, with the times of its task.

    Only studio states when a task was submitted, started and finished; the times of other engines
    are missing. Arguments are as for `tasks_frame`.

    >>> durations_frame({"data": [{"clip_id": "c1", "duration": 179}]})[["song_id", "duration"]]
      song_id  duration
    0      c1     179.0
    """
    return _frame("durations", replies, polls)


@schema.document_columns(schema.ISSUES)
def issues_frame(replies: Replies | HasFrames) -> pd.DataFrame:
    """Return a table of the replies, or parts of replies, that were not understood.

    If it is empty ("No problems."), every reply was understood completely. All replies about a
    task are included; the input is as for `tasks_frame`.

    >>> issues_frame(["<html>busy</html>"])[["reply", "message"]]
      reply                              message
    0     0  the reply is an HTML page, not JSON
    """
    return say_if_empty(_frame("issues", replies, "all"))


class HasRatings(Protocol):
    """Anything with a method `ratings` that returns a list: a library or a gallery."""

    def ratings(self) -> Iterable[Any]: ...


@schema.document_columns(schema.RATINGS)
def ratings_frame(source: HasRatings | HasFrames) -> pd.DataFrame:
    """Return a table of ratings and notes: one row per song that has either.

    `source` is a library, a gallery or an experiment. The columns `task_id`, `song_id` and
    `song_position` name a song as in `songs_frame`, so that the two can be joined:

        songs.merge(ratings, how="left", on=["task_id", "song_id", "song_position", "simulated"])

    Raises
    ------
    InvalidArgument
        `source` has no ratings.
    """
    if has_frames(source):
        return source.result_frame("ratings")
    method = getattr(type(source), "ratings", None)
    if not callable(method):
        raise InvalidArgument(
            f"ratings come from a library, a gallery or an experiment, not from a "
            f"{type(source).__name__}"
        )
    return schema.build_frame(schema.RATINGS, method(source))


def _frame(name: str, replies: Replies | HasFrames, polls: Polls) -> pd.DataFrame:
    if has_frames(replies):
        return replies.result_frame(name)
    if name != "issues":
        refuse_words(replies)
    columns = Columns((name,), polls)
    columns.add(replies)
    return columns.frame(name)
