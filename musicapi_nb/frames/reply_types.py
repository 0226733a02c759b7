"""The two replies that come in bulk, finished songs of sonic and studio: which field goes where.

A reply is read by these tables only if it holds nothing unknown and nothing unfinished.
`tasks.parse_task` reads all others, and would read these alike: tests compare the two.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

How: TypeAlias = Literal["text", "unix", "iso", "length", "list", "joined", "steps", "rest", "same"]


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One field of a reply.

    Attributes
    ----------
    how
        How its values are read: as text, as unix seconds, as ISO 8601, as a length in seconds, as
        tags (a list, or one text), as steps of rewriting; "rest" has no column of its own and is
        written down again as it came; "same" is the same in all replies of a layout.
    column
        The column that has it.
    rest
        Whether it is written down among the rest as well.
    among
        The values that are understood; any if there are none here.
    """

    how: How
    column: str | None = None
    rest: bool = False
    among: tuple[Any, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """How the fields of one kind of reply are read.

    Attributes
    ----------
    task, song
        Fields of the reply by their path, and of each song by their names.
    songs
        The path of the list of songs.
    needed
        Fields without which a reply might be another kind's.
    always
        What is the same in all finished songs and their tasks, column by column.
    """

    task: Mapping[str, Field]
    song: Mapping[str, Field]
    songs: str
    needed: frozenset[str]
    always: Mapping[tuple[str, str], Any]


REST = Field("rest")


def _text(column: str | None = None, *, rest: bool = False) -> Field:
    return Field("text", column, rest=rest)


def _rest(*names: str) -> dict[str, Field]:
    return dict.fromkeys(names, REST)


def _of(engine: str) -> dict[tuple[str, str], Any]:
    return {
        (table, name): value
        for table in ("tasks", "songs")
        for name, value in (("engine", engine), ("state", "succeeded"))
    }


STUDIO = Shape(
    songs="data.data.songs",
    task={
        **_rest("data.action", "data.notify_hook"),
        "code": _text(rest=True),
        "message": _text(rest=True),
        "data.task_id": _text("task_id"),
        "data.status": Field("same", "state_word", among=("SUCCESS",)),
        "data.fail_reason": _text(),
        "data.submit_time": Field("unix", "submitted_at"),
        "data.start_time": Field("unix", "started_at"),
        "data.finish_time": Field("unix", "finished_at"),
        "data.progress": Field("same", "progress", among=("100%", None)),
    },
    song={
        **_rest(
            "artist",
            "artist_image",
            "attribution",
            "audio_conditioning_type",
            "description",
            "disliked",
            "error_code",
            "error_id",
            "generation_id",
            "liked",
            "likes",
            "original_song_path",
            "plays",
            "publishable",
            "published_at",
            "user_id",
            "user_tags",
        ),
        "id": _text("song_id"),
        "tags": Field("list"),
        "title": _text("title"),
        "lyrics": _text("lyrics"),
        "prompt": _text("prompt"),
        "duration": Field("length", "duration"),
        "finished": Field("same", among=(True,)),
        "song_path": _text("audio_url"),
        "created_at": Field("iso", "created_at"),
        "error_type": Field("same", among=("", None)),
        "image_path": _text("image_url"),
        "video_path": _text("video_url"),
        "error_detail": Field("same", among=("", None)),
        "replaced_tags": Field("steps"),
    },
    needed=frozenset({"data.status", "finished"}),
    always=_of("studio"),
)

SONIC = Shape(
    songs="data",
    task={
        "code": Field("same", rest=True, among=(200,)),
        "message": _text(rest=True),
        "task_id": _text("task_id", rest=True),
    },
    song={
        **_rest("negative_tags", "style_weight", "weirdness_constraint"),
        "clip_id": _text("song_id"),
        "state": Field("same", "state_word", among=("succeeded",)),
        "title": _text("title"),
        "tags": Field("joined", "tags_text"),
        "lyrics": _text("lyrics"),
        "image_url": _text("image_url"),
        "audio_url": _text("audio_url"),
        "video_url": _text("video_url"),
        "created_at": Field("iso", "created_at"),
        "gpt_description_prompt": _text("prompt"),
        "mv": _text("model"),
        "duration": Field("length", "duration"),
    },
    needed=frozenset({"state", "tags"}),
    always=_of("sonic"),
)

SHAPES: Sequence[Shape] = (STUDIO, SONIC)
