"""Producer: one song per request, from a sound or lyrics; extended, covered and replaced songs.

Variations and swaps are retired (410).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from musicapi_nb.engines import sources
from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import Price, Request, range_problems
from musicapi_nb.errors import Problem

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

_Clip: TypeAlias = Annotated[str | None, Field("The clip.", "clip", required=True)]
_Model: TypeAlias = Annotated[
    str | None,
    Field(
        f"The model; default {MODEL}.",
        "choice",
        choices=(MODEL, *OLDER),
        allow_other=True,
        renderers=dict.fromkeys(("", *OLDER), MODEL),
    ),
]
_Title: TypeAlias = Annotated[
    str | None, Field("The title.", limit=80, source=sources.PRODUCER_2025)
]


def _ignored(text: str, minimum: float | None = None) -> Field:
    return Field(f"{text} (ignored).", "fraction", minimum=minimum, advice_if_set=_IGNORED)


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

    sound: Annotated[str | None, Field("The sound: styles, instruments.", "long text")] = None
    lyrics: Annotated[str | None, Field("The lyrics.", "long text", limit=5000)] = None
    title: _Title = None
    mv: _Model = None
    make_instrumental: Annotated[
        bool | None,
        Field(
            "No vocals (ignored).",
            "switch",
            advice_if_set=f'{_IGNORED}; leave out lyrics and write "no vocals" in the sound',
        ),
    ] = None
    seed: Annotated[str | int | None, Field("Random seed.", "text or integer")] = None
    sound_strength: Annotated[
        float | None, _ignored("How closely to follow the sound, 0.2 to 1", minimum=0.2)
    ] = None
    lyrics_strength: Annotated[
        float | None, _ignored("How closely to follow the lyrics, 0 to 1")
    ] = None
    weirdness: Annotated[float | None, _ignored("How unusual the result may be, 0 to 1")] = None
    bpm: Annotated[float | None, Field("Beats per minute.", "number", source=sources.SDK)] = None
    length: Annotated[
        int | None,
        Field(
            "Length in whole seconds, of the new part if there is one (then default 60).",
            "integer",
            minimum=1,
            maximum=240,
        ),
    ] = None


class Create(_Music, frozen=True, kw_only=True):
    """Make one song from a sound, lyrics or both."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "create_music"}

    cover_url: Annotated[
        str | None, Field("Public URL of audio to start from.", "url", source=sources.PRODUCER_2025)
    ] = None
    cover_strength: Annotated[
        float | None,
        Field(
            "How closely to follow that audio (0.2 to 1).",
            "fraction",
            minimum=0.2,
            source=sources.PRODUCER_2025,
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        if is_missing(self.sound) and is_missing(self.lyrics):
            yield Problem("sound", "is required unless lyrics are given: describe the song")
        if self.cover_strength is not None and is_missing(self.cover_url):
            yield Problem("cover_strength", "has no effect without cover_url", hard=False)


class _FromClip(_Music, frozen=True, kw_only=True):
    """Fields of operations on a section of an earlier song."""

    text_fields: ClassVar[tuple[str, ...]] = ("instruction", "lyrics", "sound")

    clip_id: _Clip = None
    starts_at: Annotated[
        float | None,
        Field("Second of the clip where the new section starts.", "seconds", required=True),
    ] = None
    instruction: Annotated[str | None, Field("What to play there, in words.", "long text")] = None

    def rules(self) -> Iterator[Problem]:
        if all(is_missing(text) for text in (self.instruction, self.sound, self.lyrics)):
            yield Problem("instruction", "is recommended by the docs", hard=False)


class Extend(_FromClip, frozen=True, kw_only=True):
    """Continue a song from a given second."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_music"}

    extend_s: Annotated[float | None, Field("Seconds to add.", "seconds", source=sources.SDK)] = (
        None
    )


class ExtendUpload(Extend, frozen=True, kw_only=True):
    """Continue a clip registered with `Upload`."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_upload_music"}


class Replace(_FromClip, frozen=True, kw_only=True):
    """Regenerate one section of a song."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "replace_music"}

    ends_at: Annotated[
        float | None,
        Field("Second of the clip where the new section ends.", "seconds", required=True),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        yield from range_problems(self, "starts_at", "ends_at")


class ReplaceUpload(Replace, frozen=True, kw_only=True):
    """Regenerate one section of a clip registered with `Upload`."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "replace_upload_music"}


class Cover(_Producer, frozen=True, kw_only=True):
    """Sing a song in another style."""

    path: ClassVar[str] = "/api/v1/producer/create"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "cover_music"}
    cost: ClassVar[Price | None] = Price(12, *sources.LIKE_CREATE, is_assumption=True)
    text_fields: ClassVar[tuple[str, ...]] = ("instruction",)
    tag_fields: ClassVar[tuple[str, ...]] = ("instruction",)
    fields_source: ClassVar[sources.Source | None] = sources.PRODUCER_COVER

    clip_id: _Clip = None
    instruction: Annotated[
        str | None, Field("The new style, in words.", "long text", required=True)
    ] = None
    strength: Annotated[
        float | None, Field("How far to depart from the clip (0 to 1); default 0.5.", "fraction")
    ] = None
    title: _Title = None
    mv: _Model = None


class CoverUpload(Cover, frozen=True, kw_only=True):
    """Sing a clip registered with `Upload` in another style."""

    constants: ClassVar[Mapping[str, Any]] = {"task_type": "cover_upload_music"}


class _File(_Producer, frozen=True, kw_only=True):
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(2, *sources.CLIENTS)
    fields_source: ClassVar[sources.Source | None] = sources.PRODUCER_2025


class Upload(_File, frozen=True, kw_only=True):
    """Register audio at a public URL as a clip, which is the result of its task."""

    path: ClassVar[str] = "/api/v1/producer/upload"

    audio_url: Annotated[str | None, Field("Public URL of the audio.", "url", required=True)] = None


class Download(_File, frozen=True, kw_only=True):
    """Get a link to a clip as MP3 or WAV, which is the result of its task."""

    path: ClassVar[str] = "/api/v1/producer/download"

    clip_id: _Clip = None
    format: Annotated[str | None, Field("The format.", "choice", choices=("mp3", "wav"))] = None
