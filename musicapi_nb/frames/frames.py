"""The frames: what was given, as rows, under the columns of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from musicapi_nb.errors import InvalidArgument
from musicapi_nb.frames.flattener import Columns
from musicapi_nb.frames.schema import (
    DURATIONS,
    ISSUES,
    RATINGS,
    SONGS,
    STEPS,
    TAGS,
    TASKS,
    build_frame,
    document_columns,
)

if TYPE_CHECKING:
    import pandas as pd

    from musicapi_nb.frames.inputs import Replies
    from musicapi_nb.frames.schema import Rated


@document_columns(TASKS)
def tasks_frame(replies: Replies) -> pd.DataFrame:
    """Make a table of tasks: one row for every reply that was understood, in the given order.

    All six frames take the same input: a Task, a raw reply as dict, str or bytes, an iterable of
    these (mixed as they come; an iterator serves one frame only), a library, or the path of an
    .ndjson or .ndjson.gz file with one reply a line, or of a .parquet file of raw replies (see
    `write_parquet`); `flatten` makes all six at once. They keep
    their columns and dtypes whatever is given, also for no rows. What is unfinished or absent is
    missing, never 0 or "". A reply that was not understood is a row of `issues_frame`, and the
    other frames carry on with the rest.

    >>> tasks_frame(["{}", {"task_id": "t1", "message": "success"}])[["task_id", "state"]]
      task_id    state
    0      t1  pending

    Raises
    ------
    InvalidArgument
        What was given is none of the above (also a TypeError).
    FileNotFoundError
        There is no such file.
    """
    return _only("tasks", replies)


@document_columns(SONGS)
def songs_frame(replies: Replies) -> pd.DataFrame:
    """Make a table of songs: one row for every song (or text of a lyrics reply) in any state.

    The input is as for `tasks_frame`.

    >>> songs_frame({"code": 200, "data": [{"clip_id": "c1", "duration": "104.88"}]}).duration
    0    104.88
    Name: duration, dtype: float64
    """
    return _only("songs", replies)


@document_columns(TAGS)
def tags_frame(replies: Replies) -> pd.DataFrame:
    """Make a table of tags: one row for every tag of every song, in the service's order.

    The input is as for `tasks_frame`.

    >>> tags_frame({"data": [{"clip_id": "c1", "tags": "jazz, spy"}]})[["song_id", "tag"]]
      song_id   tag
    0      c1  jazz
    1      c1   spy
    """
    return _only("tags", replies)


@document_columns(STEPS)
def replaced_tags_frame(replies: Replies) -> pd.DataFrame:
    """Make a table of how tags were rewritten: one row for every tag of every step (studio only).

    The service rewrites the asked tags step by step; the first step's source is the asked text, a
    later one's may be the joined result of the step before. A step that left no tags is one row
    with a missing position and tag. The input is as for `tasks_frame`.

    >>> step = {"jazz, spy": {"tags": ["jazz", "spy jazz"], "type": "tags"}}
    >>> song = {"id": "s1", "replaced_tags": step}
    >>> reply = {"code": "success", "data": {"status": "SUCCESS", "data": {"songs": [song]}}}
    >>> replaced_tags_frame(reply)[["step", "source", "position", "tag"]]
       step     source  position       tag
    0     0  jazz, spy         0      jazz
    1     0  jazz, spy         1  spy jazz
    """
    return _only("replaced_tags", replies)


@document_columns(DURATIONS)
def durations_frame(replies: Replies) -> pd.DataFrame:
    """Make a table of lengths in seconds: one row for every song, with the times of its task.

    Only studio states when a task was submitted, started and finished; elsewhere these are
    missing. The input is as for `tasks_frame`.

    >>> durations_frame({"data": [{"clip_id": "c1", "duration": 179}]})[["song_id", "duration"]]
      song_id  duration
    0      c1     179.0
    """
    return _only("durations", replies)


@document_columns(ISSUES)
def issues_frame(replies: Replies) -> pd.DataFrame:
    """Make a table of what was not understood: whole replies, and odd parts of the others.

    An empty frame says that every reply was read to the end. The input is as for `tasks_frame`.

    >>> issues_frame(["<html>busy</html>"])[["reply", "message"]]
       reply                              message
    0      0  the reply is an HTML page, not JSON
    """
    return _only("issues", replies)


class HasRatings(Protocol):
    """What knows what a person said of songs: a library, a gallery."""

    def ratings(self) -> Iterable[Rated]: ...


@document_columns(RATINGS)
def ratings_frame(rated: HasRatings) -> pd.DataFrame:
    """Make a table of ratings and notes: one row for each song of which something is said.

    It is made of a library or of a gallery. Its first three columns name a song as `songs_frame`
    does, so that it can be joined to that one:

        songs.merge(ratings, how="left", on=["task_id", "song_id", "song_position", "simulated"])

    Raises
    ------
    InvalidArgument
        What was given has no ratings.
    """
    if not callable(getattr(type(rated), "ratings", None)):
        raise InvalidArgument(
            f"this is a {type(rated).__name__}; ratings are asked of a library or of a gallery"
        )
    return build_frame(RATINGS, rated.ratings())


def _only(name: str, replies: Replies) -> pd.DataFrame:
    columns = Columns((name,))
    columns.add(replies)
    return columns.frame(name)
