"""Tempo, notes, files, stems and aligned lyrics of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from musicapi_nb.engines.fields import Field
from musicapi_nb.engines.request import Price, ReplyKind, Request
from musicapi_nb.engines.sonic.generation import Clip
from musicapi_nb.engines.sources import CLIENTS, CLIP_TOOLS, SDK, SIBLING, Source


class _OfClip(Request, frozen=True, kw_only=True):
    """Fields of operations on one clip with an immediate reply."""

    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(1, *CLIENTS)
    fields_source: ClassVar[Source | None] = CLIP_TOOLS

    clip_id: Clip = None


class Bpm(_OfClip, frozen=True, kw_only=True):
    """Measure the tempo (mean, maximum, minimum) of a clip, preferably less than a day old."""

    path: ClassVar[str] = "/api/v1/sonic/bpm"
    fields_source: ClassVar[Source | None] = SDK


class AlignedLyrics(_OfClip, frozen=True, kw_only=True):
    """Find the time of each word of a clip's lyrics; repeating it is free."""

    path: ClassVar[str] = "/api/v1/sonic/aligned-lyrics"
    fields_source: ClassVar[Source | None] = SDK


class Midi(_OfClip, frozen=True, kw_only=True):
    """Transcribe a clip's notes; the reply has them and a link to a MIDI file."""

    path: ClassVar[str] = "/api/v1/sonic/midi"
    poll_by_repost: ClassVar[bool] = True


class Wav(_OfClip, frozen=True, kw_only=True):
    """Get a link to a clip as WAV."""

    path: ClassVar[str] = "/api/v1/sonic/wav"
    cost: ClassVar[Price | None] = Price(2, *CLIENTS)
    poll_by_repost: ClassVar[bool] = True


class Download(_OfClip, frozen=True, kw_only=True):
    """Get links to a clip in several formats at one price, while its source still exists."""

    path: ClassVar[str] = "/api/v1/sonic/download"
    cost: ClassVar[Price | None] = Price(2, *SIBLING, is_assumption=True)
    fields_source: ClassVar[Source | None] = CLIENTS
    poll_by_repost: ClassVar[bool] = True

    formats: Annotated[
        Sequence[str] | None,
        Field("The formats.", "choices", required=True, choices=("mp3", "m4a", "wav"), min_items=1),
    ] = None


class StemsBasic(Request, frozen=True, kw_only=True):
    """Separate a clip into a few tracks: 2 (docs of 2025) or 4 (docs of 2026)."""

    path: ClassVar[str] = "/api/v1/sonic/stems/basic"
    cost: ClassVar[Price | None] = Price(30, *CLIENTS)
    fields_source: ClassVar[Source | None] = CLIP_TOOLS

    clip_id: Clip = None


class StemsFull(StemsBasic, frozen=True, kw_only=True):
    """Separate a clip into many tracks: 12 (docs of 2025) or 24 (docs of 2026)."""

    path: ClassVar[str] = "/api/v1/sonic/stems/full"
    cost: ClassVar[Price | None] = Price(75, *CLIENTS)


class UpsampleTags(Request, frozen=True, kw_only=True):
    """Expand a few tags into a fuller description of a style."""

    path: ClassVar[str] = "/api/v1/sonic/upsample-tags"
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(1, *CLIENTS)
    fields_source: ClassVar[Source | None] = SDK

    tags: Annotated[str | None, Field("The tags, comma-separated.", "tags", required=True)] = None
