"""Producer: one song for a call from a sound or lyrics, continued, or with a section replaced.

Facts: docs.musicapi.ai (producer create, api-450367154, api-450367170; 2025 to 2026) and
musicapi-sdk 0.1.0, which says that cover, variation and swap are answered with 410; prices as
published by clients on 2026-10-07.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

from musicapi_nb.engines.request import Field, Price, Request, is_missing
from musicapi_nb.errors import Problem

__all__ = ["Create", "Download", "Extend", "ExtendUpload", "Replace", "ReplaceUpload", "Upload"]

MODELS = (
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


def _price(credits_: int) -> Price:
    return Price(credits_, dt.date(2026, 10, 7), "public client of api.musicapi.ai")


class _Producer(Request, frozen=True, kw_only=True):
    engine: ClassVar[str] = "producer"


class _Music(_Producer, frozen=True, kw_only=True):
    """What the task types of the one endpoint share."""

    path: ClassVar[str] = "/api/v1/producer/create"
    songs: ClassVar[int | None] = 1
    cost: ClassVar[Price | None] = _price(12)
    webhook: ClassVar[bool] = True
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics", "sound")

    sound: Annotated[
        str | None, Field(kind="long text", help="What it is to sound like: styles, instruments.")
    ] = None
    lyrics: Annotated[str | None, Field(kind="long text", help="The lyrics.")] = None
    title: Annotated[str | None, Field(limit=80, help="The title.")] = None
    mv: Annotated[
        str | None,
        Field(
            kind="choice", choices=MODELS, allow_other=True, help="The model; FUZZ-2.0 if left out."
        ),
    ] = None
    make_instrumental: Annotated[bool | None, Field(kind="switch", help="No vocals.")] = None
    seed: Annotated[str | None, Field(help="A seed, as text.")] = None
    sound_strength: Annotated[
        float | None,
        Field(kind="fraction", minimum=0.2, help="How closely to follow the sound: 0.2 to 1."),
    ] = None
    lyrics_strength: Annotated[
        float | None, Field(kind="fraction", help="How closely to follow the lyrics.")
    ] = None
    weirdness: Annotated[
        float | None, Field(kind="fraction", help="How far to leave the ordinary.")
    ] = None
    bpm: Annotated[int | None, Field(kind="integer", help="Beats per minute.")] = None
    length: Annotated[
        int | None,
        Field(kind="integer", minimum=1, maximum=240, help="Length to aim at, in whole seconds."),
    ] = None

    def rules(self) -> Iterator[Problem]:
        if is_missing(self.sound) and is_missing(self.lyrics):
            yield Problem("sound", "is needed, or lyrics: say what the song is to be")


class Create(_Music, frozen=True, kw_only=True):
    """Make one song from a sound, lyrics or both."""

    operation: ClassVar[str] = "create"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "create_music"}

    cover_url: Annotated[
        str | None, Field(kind="url", help="Audio to start from: reachable from the internet.")
    ] = None
    cover_strength: Annotated[
        float | None,
        Field(kind="fraction", minimum=0.2, help="How closely to follow that audio: 0.2 to 1."),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        if self.cover_strength is not None and is_missing(self.cover_url):
            yield Problem("cover_strength", "says nothing without cover_url", hard=False)


class _FromClip(_Music, frozen=True, kw_only=True):
    """A song made of an earlier one."""

    clip_id: _Clip = None
    starts_at: Annotated[
        float | None, Field(kind="seconds", help="Where in the clip the new part begins.")
    ] = None
    instruction: Annotated[
        str | None, Field(kind="long text", help="What is to change, in words.")
    ] = None


class Extend(_FromClip, frozen=True, kw_only=True):
    """Continue a song."""

    operation: ClassVar[str] = "extend"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_music"}

    extend_s: Annotated[float | None, Field(kind="seconds", help="By how many seconds.")] = None


class ExtendUpload(Extend, frozen=True, kw_only=True):
    """Continue a clip that came from `Upload`."""

    operation: ClassVar[str] = "extend_upload"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "extend_upload_music"}


class Replace(_FromClip, frozen=True, kw_only=True):
    """Make one section of a song anew."""

    operation: ClassVar[str] = "replace"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "replace_music"}

    ends_at: Annotated[
        float | None, Field(kind="seconds", help="Where in the clip the new part ends.")
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        for name in ("starts_at", "ends_at"):
            if getattr(self, name) is None:
                yield Problem(name, "usually says which section is to be replaced", hard=False)
        start, end = self.starts_at, self.ends_at
        if isinstance(start, int | float) and isinstance(end, int | float) and not end > start:
            yield Problem("ends_at", "should be later than starts_at")


class ReplaceUpload(Replace, frozen=True, kw_only=True):
    """Make one section of a clip anew that came from `Upload`."""

    operation: ClassVar[str] = "replace_upload"
    constants: ClassVar[Mapping[str, Any]] = {"task_type": "replace_upload_music"}


class Upload(_Producer, frozen=True, kw_only=True):
    """Register audio at a public address as a clip; its task ends with the clip."""

    operation: ClassVar[str] = "upload"
    path: ClassVar[str] = "/api/v1/producer/upload"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = _price(2)

    audio_url: Annotated[
        str | None,
        Field(kind="url", required=True, help="Where the audio is: reachable from the internet."),
    ] = None


class Download(_Producer, frozen=True, kw_only=True):
    """Get a link to a clip as MP3 or WAV; its task ends with the link."""

    operation: ClassVar[str] = "download"
    path: ClassVar[str] = "/api/v1/producer/download"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = _price(2)

    clip_id: _Clip = None
    format: Annotated[
        str | None, Field(kind="choice", choices=("mp3", "wav"), help="The format.")
    ] = None
