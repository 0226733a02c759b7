"""Riffusion: two songs per request. Deprecated; producer is its successor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar

from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import (
    ActiveWhen,
    Availability,
    Group,
    Price,
    ReplyKind,
    Request,
    range_problems,
)
from musicapi_nb.engines.sources import CREDITS, RIFFUSION, SDK, Source
from musicapi_nb.errors import Problem
from musicapi_nb.public_names import public_names

__all__ = ["Create", "Upload"]


MODELS = ("FUZZ-1.1 Pro", "FUZZ-1.1", "FUZZ-1.0 Pro", "FUZZ-1.0")
TASKS = (
    "create_music",
    "extend_music",
    "extend_upload_music",
    "cover_music",
    "cover_upload_music",
    "replace_music",
    "replace_upload_music",
    "swap_music_sound",
    "swap_upload_music_sound",
    "swap_music_vocals",
    "swap_upload_music_vocals",
)
_FROM_CLIP = TASKS[1:]
_EXTENDS = ("extend_music", "extend_upload_music")
_REPLACES = ("replace_music", "replace_upload_music")
_REPLACED_BY = Availability(
    "deprecated",
    "the docs mark riffusion as deprecated; producer is its successor",
    "docs.musicapi.ai, riffusion pages",
)


class Create(Request, frozen=True, kw_only=True):
    """Make two songs, new ones or from an earlier song.

    `task_type` chooses.
    """

    path: ClassVar[str] = "/api/v1/riffusion/create"
    songs: ClassVar[int | None] = 2
    cost: ClassVar[Price | None] = Price(12, *CREDITS)
    fields_source: ClassVar[Source | None] = RIFFUSION
    availability: ClassVar[Availability | None] = _REPLACED_BY
    active_when: ClassVar[ActiveWhen] = {
        **{name: {"custom_mode": (True,)} for name in ("lyrics", "sound", "title")},
        "prompt": {"custom_mode": (False,)},
        "continue_clip_id": {"task_type": _FROM_CLIP},
        "continue_at": {"task_type": _EXTENDS},
        **{name: {"task_type": _REPLACES} for name in ("replace_start_time", "replace_end_time")},
    }
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics", "prompt")
    description_field: ClassVar[str | None] = "prompt"
    tag_fields: ClassVar[tuple[str, ...]] = ("sound", "prompt")

    task_type: Annotated[
        str | None,
        Field(
            "What to make.",
            "choice",
            label="Task",
            required=True,
            choices=TASKS,
            option_labels={task: task.replace("_", " ").capitalize() for task in TASKS},
        ),
    ] = "create_music"
    custom_mode: Annotated[
        bool | None,
        Field(
            "Whether you describe the song (False) or write its lyrics (True).",
            "switch",
            label="Mode",
            option_labels={False: "Describe the song", True: "Write the lyrics"},
            required=True,
        ),
    ] = None
    mv: Annotated[
        str | None,
        Field(
            "Which model makes the song.",
            "choice",
            label="Model",
            synonyms=("model",),
            choices=MODELS,
            allow_other=True,
        ),
    ] = None
    lyrics: Annotated[
        str | None,
        Field(
            "Your words, with [Verse], [Chorus].",
            "long text",
            label="Lyrics",
            example="[Verse]\nRain on a tin roof",
            limit=3000,
            source=SDK,
        ),
    ] = None
    sound: Annotated[
        str | None,
        Field(
            "Styles, instruments and moods, separated by commas.",
            "tags",
            label="Styles",
            synonyms=("tags", "styles", "style", "genre"),
            example="slow jazz, brushed drums",
            limit=200,
            source=SDK,
        ),
    ] = None
    title: Annotated[
        str | None, Field("The title of the song.", label="Title", example="Tin Roof")
    ] = None
    prompt: Annotated[
        str | None,
        Field(
            "Say what the song should be like.",
            "long text",
            label="Description",
            synonyms=("description",),
            example="rain on a tin roof, slow jazz",
            limit=200,
            source=SDK,
        ),
    ] = None
    make_instrumental: Annotated[
        bool | None,
        Field(
            "Make the song without a singer.",
            "switch",
            label="Instrumental (no vocals)",
            synonyms=("instrumental",),
        ),
    ] = None
    vocal_variation: Annotated[
        float | None,
        Field(
            "How much the voice may vary.",
            "fraction",
            label="Voice variation",
            source=SDK,
            advanced=True,
        ),
    ] = None
    continue_clip_id: Annotated[
        str | None, Field("The song to start from.", "clip", label="Song")
    ] = None
    continue_at: Annotated[
        int | None,
        Field(
            "Where in the song the new part starts.",
            "whole seconds",
            label="Continue at",
            example="1:45",
            minimum=0,
        ),
    ] = None
    replace_start_time: Annotated[
        float | None,
        Field(
            "Where the section to replace starts.",
            "seconds",
            label="Section from",
            example="0:30",
            source=SDK,
        ),
    ] = None
    replace_end_time: Annotated[
        float | None,
        Field(
            "Where the section to replace ends.",
            "seconds",
            label="Section to",
            example="0:50",
            source=SDK,
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        if self.custom_mode is False and is_missing(self.prompt):
            message = "is required when custom_mode is False: say what the song should be like"
            yield Problem("prompt", message)
        texts = (self.lyrics, self.sound)
        if self.custom_mode is True and all(is_missing(text) for text in texts):
            yield Problem("lyrics", "or sound normally describes the song", hard=False)
        if self.task_type in _FROM_CLIP and is_missing(self.continue_clip_id):
            message = f"is normally required for {self.task_type}"
            yield Problem("continue_clip_id", message, hard=False)
        yield from range_problems(self, "replace_start_time", "replace_end_time")


class Upload(Request, frozen=True, kw_only=True):
    """Upload audio by its public link.

    The reply has its `clip_id`.
    """

    group: ClassVar[Group] = "Upload audio, make voices"
    action: ClassVar[str] = "Upload"

    path: ClassVar[str] = "/api/v1/riffusion/upload"
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    fields_source: ClassVar[Source | None] = SDK
    availability: ClassVar[Availability | None] = _REPLACED_BY

    url: Annotated[
        str | None,
        Field(
            "A public link to the audio.",
            "url",
            label="Link to the audio",
            example="https://example.org/tune.mp3",
            required=True,
        ),
    ] = None


if not TYPE_CHECKING:
    __getattr__, __dir__ = public_names(__name__, __all__)
