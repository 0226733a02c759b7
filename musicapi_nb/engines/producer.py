"""Producer: one song per request, from a sound or lyrics; extended, covered and replaced songs.

Variations and swaps are retired (410).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from musicapi_nb.engines import sources
from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import Group, Price, Request, range_problems
from musicapi_nb.errors import Problem
from musicapi_nb.public_names import public_names

__all__ = [
    "Cover",
    "CoverUpload",
    "Create",
    "Download",
    "Extend",
    "ExtendUpload",
    "Replace",
    "ReplaceUpload",
    "Upload",
]


MODEL = "Lyria 3 Pro"
"""The default, and since 2026-04 the renderer of the older ids."""
OLDER = (
    "Lyria 3 preview",
    "FUZZ-3-Demo",
    "FUZZ-2.0",
    "FUZZ-2.0 Pro",
    "FUZZ-2.0 Raw",
    "FUZZ-1.1 Pro",
    "FUZZ-1.1",
    "FUZZ-1.0 Pro",
    "FUZZ-1.0",
    "FUZZ-0.8",
)
_IGNORED = "has no effect: the service has ignored it since 2026-04"

_Clip: TypeAlias = Annotated[
    str | None, Field("The song to work on.", "clip", label="Song", required=True)
]
_Model: TypeAlias = Annotated[
    str | None,
    Field(
        f"Which model makes the song; {MODEL} unless you choose.",
        "choice",
        label="Model",
        synonyms=("model",),
        choices=(MODEL, *OLDER),
        allow_other=True,
        renderers=dict.fromkeys(("", *OLDER), MODEL),
    ),
]
_Title: TypeAlias = Annotated[
    str | None,
    Field(
        "The title of the song.",
        label="Title",
        example="Tin Roof",
        limit=80,
        source=sources.PRODUCER_2025,
    ),
]


def _ignored(help_: str, label: str, minimum: float | None = None) -> Field:
    return Field(
        help_, "fraction", label=label, minimum=minimum, advice_if_set=_IGNORED, advanced=True
    )


class _Producer(Request, frozen=True, kw_only=True):
    songs: ClassVar[int | None] = 1
    webhook: ClassVar[bool] = True
    fields_source: ClassVar[sources.Source | None] = sources.PRODUCER


class _Music(_Producer, frozen=True, kw_only=True):
    """Fields that the task types of the endpoint share."""

    path: ClassVar[str] = "/api/v1/producer/create"
    cost: ClassVar[Price | None] = Price(12, *sources.CLIENTS)
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics", "sound")
    tag_fields: ClassVar[tuple[str, ...]] = ("sound",)

    sound: Annotated[
        str | None,
        Field(
            "Say what the song should sound like: styles, instruments.",
            "long text",
            label="Sound",
            synonyms=("description", "tags", "styles", "style", "genre"),
            example="slow jazz, brushed drums",
        ),
    ] = None
    lyrics: Annotated[
        str | None,
        Field(
            "Your words, with [Verse], [Chorus].",
            "long text",
            label="Lyrics",
            example="[Verse]\nRain on a tin roof",
            limit=5000,
        ),
    ] = None
    title: _Title = None
    mv: _Model = None
    make_instrumental: Annotated[
        bool | None,
        Field(
            "Ignored by the service.",
            "switch",
            label="Instrumental (no vocals)",
            synonyms=("instrumental",),
            advanced=True,
            advice_if_set=f'{_IGNORED}; leave out lyrics and write "no vocals" in the sound',
        ),
    ] = None
    seed: Annotated[
        str | int | None,
        Field(
            "A text or number that makes a result repeatable.",
            "text or integer",
            label="Seed",
            advanced=True,
        ),
    ] = None
    sound_strength: Annotated[
        float | None, _ignored("Ignored by the service.", "Sound influence", minimum=0.2)
    ] = None
    lyrics_strength: Annotated[
        float | None, _ignored("Ignored by the service.", "Lyrics influence")
    ] = None
    weirdness: Annotated[float | None, _ignored("Ignored by the service.", "Weirdness")] = None
    bpm: Annotated[
        float | None,
        Field(
            "Beats per minute.",
            "number",
            label="Tempo",
            example="92",
            source=sources.SDK,
            advanced=True,
        ),
    ] = None
    length: Annotated[
        int | None,
        Field(
            "The length of the song, or of the part to add (1 min unless you choose).",
            "whole seconds",
            label="Length",
            synonyms=("duration", "seconds"),
            example="2:30",
            advanced=True,
            minimum=1,
            maximum=240,
        ),
    ] = None


class Create(_Music, frozen=True, kw_only=True):
    """Make one song from a sound, lyrics or both."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "create_music"}
    description_field: ClassVar[str | None] = "sound"

    cover_url: Annotated[
        str | None,
        Field(
            "A public link to audio to start from.",
            "url",
            label="Link to audio",
            example="https://example.org/tune.mp3",
            source=sources.PRODUCER_2025,
            advanced=True,
        ),
    ] = None
    cover_strength: Annotated[
        float | None,
        Field(
            "How closely to follow that audio.",
            "fraction",
            label="Audio influence",
            advanced=True,
            minimum=0.2,
            source=sources.PRODUCER_2025,
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        if is_missing(self.sound) and is_missing(self.lyrics):
            yield Problem(
                "sound", "is required unless lyrics are given: say what the song should sound like"
            )
        if self.cover_strength is not None and is_missing(self.cover_url):
            yield Problem("cover_strength", "has no effect without cover_url", hard=False)


class _FromClip(_Music, frozen=True, kw_only=True):
    """Fields of operations on a section of an earlier song."""

    group: ClassVar[Group] = "Continue or change songs"
    text_fields: ClassVar[tuple[str, ...]] = ("instruction", "lyrics", "sound")

    clip_id: _Clip = None
    starts_at: Annotated[
        float | None,
        Field(
            "Where in the song the new part starts.",
            "seconds",
            label="New part from",
            example="1:45",
            required=True,
        ),
    ] = None
    instruction: Annotated[
        str | None, Field("Say what should happen there.", "long text", label="Instruction")
    ] = None

    def rules(self) -> Iterator[Problem]:
        if all(is_missing(text) for text in (self.instruction, self.sound, self.lyrics)):
            yield Problem(
                "instruction", "may be wanted by the service: its docs recommend it", hard=False
            )


class Extend(_FromClip, frozen=True, kw_only=True):
    """Extend a song from a given time."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_music"}

    extend_s: Annotated[
        float | None,
        Field(
            "How much to add.", "seconds", label="Length to add", example="1:00", source=sources.SDK
        ),
    ] = None


class ExtendUpload(Extend, frozen=True, kw_only=True):
    """Extend an uploaded song from a given time.

    The song was registered with `Upload`.
    """

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_upload_music"}


class Replace(_FromClip, frozen=True, kw_only=True):
    """Make a section of a song again."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "replace_music"}

    ends_at: Annotated[
        float | None,
        Field(
            "Where in the song the new part ends.",
            "seconds",
            label="New part to",
            example="2:05",
            required=True,
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        yield from range_problems(self, "starts_at", "ends_at")


class ReplaceUpload(Replace, frozen=True, kw_only=True):
    """Make a section of an uploaded song again.

    The song was registered with `Upload`.
    """

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "replace_upload_music"}


class Cover(_Producer, frozen=True, kw_only=True):
    """Cover a song in another style."""

    group: ClassVar[Group] = "Continue or change songs"
    path: ClassVar[str] = "/api/v1/producer/create"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "cover_music"}
    cost: ClassVar[Price | None] = Price(12, *sources.LIKE_CREATE, is_assumption=True)
    text_fields: ClassVar[tuple[str, ...]] = ("instruction",)
    tag_fields: ClassVar[tuple[str, ...]] = ("instruction",)
    fields_source: ClassVar[sources.Source | None] = sources.PRODUCER_COVER

    clip_id: _Clip = None
    instruction: Annotated[
        str | None,
        Field(
            "Say what the new style is.",
            "long text",
            label="Instruction",
            example="as spy jazz, with a trumpet",
            required=True,
        ),
    ] = None
    strength: Annotated[
        float | None,
        Field(
            "How far to depart from the song; 0.5 unless you choose.",
            "fraction",
            label="Strength",
            advanced=True,
        ),
    ] = None
    title: _Title = None
    mv: _Model = None


class CoverUpload(Cover, frozen=True, kw_only=True):
    """Cover an uploaded song in another style.

    The song was registered with `Upload`.
    """

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "cover_upload_music"}


class _File(_Producer, frozen=True, kw_only=True):
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(2, *sources.CLIENTS)
    fields_source: ClassVar[sources.Source | None] = sources.PRODUCER_2025


class Upload(_File, frozen=True, kw_only=True):
    """Upload audio by its public link.

    The result of its task is a song to extend, cover or replace a section of.
    """

    group: ClassVar[Group] = "Upload audio, make voices"
    action: ClassVar[str] = "Upload"

    path: ClassVar[str] = "/api/v1/producer/upload"

    audio_url: Annotated[
        str | None,
        Field(
            "A public link to the audio.",
            "url",
            label="Link to the audio",
            example="https://example.org/tune.mp3",
            required=True,
        ),
    ] = None


class Download(_File, frozen=True, kw_only=True):
    """Get a song as MP3 or WAV.

    The result of its task is a link.
    """

    group: ClassVar[Group] = "Take songs apart"
    action: ClassVar[str] = "Get the file"

    path: ClassVar[str] = "/api/v1/producer/download"

    clip_id: _Clip = None
    format: Annotated[
        str | None,
        Field(
            "The kind of file.",
            "choice",
            label="Format",
            choices=("mp3", "wav"),
            option_labels={"mp3": "MP3", "wav": "WAV"},
        ),
    ] = None


if not TYPE_CHECKING:
    __getattr__, __dir__ = public_names(__name__, __all__)
