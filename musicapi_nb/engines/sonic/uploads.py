"""Audio from a public address: as a clip, or continued or covered in the same request.

Facts: docs.musicapi.ai (upload-music; upload-extend and upload-cover, late 2025) and
musicapi-sdk 0.1.0. No price of the two that upload and render is published.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from musicapi_nb.engines.request import Field, Price, Request
from musicapi_nb.engines.sonic.generation import AudioWeight, AutoConcat, Length, Music, priced


class Upload(Request, frozen=True, kw_only=True):
    """Register audio at a public address as a clip; the reply holds its `clip_id`.

    MP3 or WAV, up to 8 minutes; the service fetches it, which takes about 20 s.
    """

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "upload"
    path: ClassVar[str] = "/api/v1/sonic/upload"
    reply: ClassVar[Literal["task", "immediate"]] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = priced(2)

    url: Annotated[
        str | None,
        Field(kind="url", required=True, help="Where the audio is: reachable from the internet."),
    ] = None


class _Uploaded(Music, frozen=True, kw_only=True):
    cost: ClassVar[Price | None] = None

    url: Annotated[
        str | None,
        Field(kind="url", required=True, help="Where the audio is: reachable from the internet."),
    ] = None
    audio_weight: AudioWeight = None
    duration: Length = None


class UploadExtend(_Uploaded, frozen=True, kw_only=True):
    """Register audio at a public address and continue it from a moment on."""

    operation: ClassVar[str] = "upload_extend"
    path: ClassVar[str] = "/api/v1/sonic/upload-extend"

    continue_at: Annotated[
        float | None,
        Field(kind="seconds", required=True, help="Where in the audio the continuation begins."),
    ] = None
    auto_concat: AutoConcat = None


class UploadCover(_Uploaded, frozen=True, kw_only=True):
    """Register audio at a public address and sing it anew in another style."""

    operation: ClassVar[str] = "upload_cover"
    path: ClassVar[str] = "/api/v1/sonic/upload-cover"
