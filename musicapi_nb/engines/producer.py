"""Producer: one song per request, from a sound or lyrics; extended, covered and replaced songs.

Facts: docs.musicapi.ai (producer-api-overview, api-450367154, api-450367170, api-460957729; 2026)
and musicapi-sdk 0.1.0; variation and swap are retired (410). Prices: published clients, 2026-10-07.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import Price, Request
from musicapi_nb.errors import Problem

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

_Clip: TypeAlias = Annotated[str | None, Field(kind="clip", required=True, help="The clip.")]

_Model: TypeAlias = Annotated[
    str | None,
    Field(
        kind="choice",
        choices=(MODEL, *OLDER),
        allow_other=True,
        renderers=dict.fromkeys(("", *OLDER), MODEL),
        help=f"The model; default {MODEL}.",
    ),
]


def _price(credits_: int) -> Price:
    return Price(credits_, dt.date(2026, 10, 7), "public client of api.musicapi.ai")


class _Producer(Request, frozen=True, kw_only=True):
    engine: ClassVar[str] = "producer"


class _Music(_Producer, frozen=True, kw_only=True):
    """Fields that all task types of the endpoint share."""

    path: ClassVar[str] = "/api/v1/producer/create"
    songs: ClassVar[int | None] = 1
    cost: ClassVar[Price | None] = _price(12)
    webhook: ClassVar[bool] = True
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics", "sound")

    sound: Annotated[
        str | None, Field(kind="long text", help="The sound: styles, instruments.")
    ] = None
    lyrics: Annotated[str | None, Field(kind="long text", help="The lyrics.")] = None
    title: Annotated[str | None, Field(limit=80, help="The title.")] = None
    mv: _Model = None
    make_instrumental: Annotated[bool | None, Field(kind="switch", help="No vocals.")] = None
    seed: Annotated[str | None, Field(help="Random seed, as text.")] = None
    sound_strength: Annotated[
        float | None,
        Field(kind="fraction", minimum=0.2, help="How closely to follow the sound (0.2 to 1)."),
    ] = None
    lyrics_strength: Annotated[
        float | None, Field(kind="fraction", help="How closely to follow the lyrics (0 to 1).")
    ] = None
    weirdness: Annotated[
        float | None, Field(kind="fraction", help="How unusual the result may be (0 to 1).")
    ] = None
    bpm: Annotated[int | None, Field(kind="integer", help="Beats per minute.")] = None
    length: Annotated[
        int | None,
        Field(kind="integer", minimum=1, maximum=240, help="Target length in whole seconds."),
    ] = None

    def rules(self) -> Iterator[Problem]:
        if is_missing(self.sound) and is_missing(self.lyrics):
            yield Problem("sound", "is required unless lyrics are given: describe the song")


class Create(_Music, frozen=True, kw_only=True):
    """Make one song from a sound, lyrics or both."""

    operation: ClassVar[str] = "create"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "create_music"}

    cover_url: Annotated[
        str | None, Field(kind="url", help="Public URL of audio to start from.")
    ] = None
    cover_strength: Annotated[
        float | None,
        Field(kind="fraction", minimum=0.2, help="How closely to follow that audio (0.2 to 1)."),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        if self.cover_strength is not None and is_missing(self.cover_url):
            yield Problem("cover_strength", "has no effect without cover_url", hard=False)


class _FromClip(_Music, frozen=True, kw_only=True):
    """Fields of operations on an earlier song."""

    clip_id: _Clip = None
    starts_at: Annotated[
        float | None, Field(kind="seconds", help="Second of the clip where the new section starts.")
    ] = None
    instruction: Annotated[
        str | None, Field(kind="long text", help="What to change, in words.")
    ] = None


class Extend(_FromClip, frozen=True, kw_only=True):
    """Continue a song."""

    operation: ClassVar[str] = "extend"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_music"}

    extend_s: Annotated[float | None, Field(kind="seconds", help="Seconds to add.")] = None


class ExtendUpload(Extend, frozen=True, kw_only=True):
    """Continue a clip registered with `Upload`."""

    operation: ClassVar[str] = "extend_upload"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_upload_music"}


class Replace(_FromClip, frozen=True, kw_only=True):
    """Regenerate one section of a song."""

    operation: ClassVar[str] = "replace"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "replace_music"}

    ends_at: Annotated[
        float | None, Field(kind="seconds", help="Second of the clip where the new section ends.")
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        for name in ("starts_at", "ends_at"):
            if getattr(self, name) is None:
                yield Problem(name, "normally states the section to replace", hard=False)
        start, end = self.starts_at, self.ends_at
        if isinstance(start, int | float) and isinstance(end, int | float) and not end > start:
            yield Problem("ends_at", "should be later than starts_at")


class ReplaceUpload(Replace, frozen=True, kw_only=True):
    """Regenerate one section of a clip registered with `Upload`."""

    operation: ClassVar[str] = "replace_upload"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "replace_upload_music"}


class Cover(_Producer, frozen=True, kw_only=True):
    """Sing a song in another style."""

    operation: ClassVar[str] = "cover"
    path: ClassVar[str] = "/api/v1/producer/create"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "cover_music"}
    songs: ClassVar[int | None] = 1
    cost: ClassVar[Price | None] = _price(12)
    webhook: ClassVar[bool] = True
    text_fields: ClassVar[tuple[str, ...]] = ("instruction",)

    clip_id: _Clip = None
    instruction: Annotated[
        str | None, Field(kind="long text", required=True, help="The new style, in words.")
    ] = None
    strength: Annotated[
        float | None,
        Field(kind="fraction", help="How far to depart from the clip (0 to 1); default 0.5."),
    ] = None
    title: Annotated[str | None, Field(limit=80, help="The title.")] = None
    mv: _Model = None


class CoverUpload(Cover, frozen=True, kw_only=True):
    """Sing a clip registered with `Upload` in another style."""

    operation: ClassVar[str] = "cover_upload"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "cover_upload_music"}


class Upload(_Producer, frozen=True, kw_only=True):
    """Register audio at a public URL as a clip, which is the result of its task."""

    operation: ClassVar[str] = "upload"
    path: ClassVar[str] = "/api/v1/producer/upload"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = _price(2)

    audio_url: Annotated[
        str | None, Field(kind="url", required=True, help="Public URL of the audio.")
    ] = None


class Download(_Producer, frozen=True, kw_only=True):
    """Get a link to a clip as MP3 or WAV, which is the result of its task."""

    operation: ClassVar[str] = "download"
    path: ClassVar[str] = "/api/v1/producer/download"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = _price(2)

    clip_id: _Clip = None
    format: Annotated[
        str | None, Field(kind="choice", choices=("mp3", "wav"), help="The format.")
    ] = None
