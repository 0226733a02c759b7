"""Audio at a public URL: register, extend or cover it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from musicapi_nb.engines.fields import Field
from musicapi_nb.engines.request import Price, ReplyKind, Request
from musicapi_nb.engines.sonic.generation import AudioWeight, AutoConcat, Length, Music
from musicapi_nb.engines.sources import CLIENTS, SDK, SIBLING, UPLOAD, UPLOAD_MUSIC, Source


class Upload(Request, frozen=True, kw_only=True):
    """Register audio at a public URL as a clip; the reply has its `clip_id`.

    MP3 or WAV, up to 8 minutes. The service downloads it, which takes about 20 s.
    """

    path: ClassVar[str] = "/api/v1/sonic/upload"
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(2, *CLIENTS)
    fields_source: ClassVar[Source | None] = UPLOAD

    url: Annotated[str | None, Field("Public URL of the audio.", "url", required=True)] = None


class _Uploaded(Music, frozen=True, kw_only=True):
    fields_source: ClassVar[Source | None] = UPLOAD_MUSIC

    url: Annotated[str | None, Field("Public URL of the audio.", "url", required=True)] = None
    audio_weight: AudioWeight = None
    duration: Length = None


class UploadExtend(_Uploaded, frozen=True, kw_only=True):
    """Register audio at a public URL and continue it from a given second."""

    path: ClassVar[str] = "/api/v1/sonic/upload-extend"
    cost: ClassVar[Price | None] = Price(10, *SIBLING, is_assumption=True)

    continue_at: Annotated[
        float | None,
        Field(
            "Second of the audio to continue from.",
            "seconds",
            advice_if_missing="is required by the docs, but not by the vendor's SDK",
        ),
    ] = None
    auto_concat: AutoConcat = None


class UploadCover(_Uploaded, frozen=True, kw_only=True):
    """Register audio at a public URL and re-sing it in another style."""

    path: ClassVar[str] = "/api/v1/sonic/upload-cover"
    cost: ClassVar[Price | None] = Price(14, *SIBLING, is_assumption=True)

    auto_concat: Annotated[
        bool | None, Field("Also join the cover with its source.", "switch", source=SDK)
    ] = None
