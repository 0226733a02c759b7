"""What is read from a clip or made of it as it is: beats, notes, files, stems, timed lyrics.

Facts: docs.musicapi.ai (get wav, get midi, stems-basic; 2025 to 2026), public clients of the
sibling host and musicapi-sdk 0.1.0. No price of the download is published.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from musicapi_nb.engines.request import Field, Price, Request
from musicapi_nb.engines.sonic.generation import Clip, priced


class _OfClip(Request, frozen=True, kw_only=True):
    """Answered at once, from one clip."""

    engine: ClassVar[str] = "sonic"
    reply: ClassVar[Literal["task", "immediate"]] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = priced(1)

    clip_id: Clip = None


class Bpm(_OfClip, frozen=True, kw_only=True):
    """Count the beats per minute of a clip, best less than a day old: mean, most and least."""

    operation: ClassVar[str] = "bpm"
    path: ClassVar[str] = "/api/v1/sonic/bpm"


class AlignedLyrics(_OfClip, frozen=True, kw_only=True):
    """Time each word of a clip's lyrics; asked again, it costs nothing."""

    operation: ClassVar[str] = "aligned_lyrics"
    path: ClassVar[str] = "/api/v1/sonic/aligned-lyrics"


class Midi(_OfClip, frozen=True, kw_only=True):
    """Write down a clip's notes; the reply holds them and a link to a MIDI file."""

    operation: ClassVar[str] = "midi"
    path: ClassVar[str] = "/api/v1/sonic/midi"
    poll_by_repost: ClassVar[bool] = True


class Wav(_OfClip, frozen=True, kw_only=True):
    """Get a link to a clip as WAV."""

    operation: ClassVar[str] = "wav"
    path: ClassVar[str] = "/api/v1/sonic/wav"
    cost: ClassVar[Price | None] = priced(2)
    poll_by_repost: ClassVar[bool] = True


class Download(_OfClip, frozen=True, kw_only=True):
    """Get links to a clip in several formats, as long as the service has its source."""

    operation: ClassVar[str] = "download"
    path: ClassVar[str] = "/api/v1/sonic/download"
    cost: ClassVar[Price | None] = None
    poll_by_repost: ClassVar[bool] = True

    formats: Annotated[
        Sequence[str] | None,
        Field(
            kind="choices",
            required=True,
            choices=("mp3", "m4a", "wav"),
            min_items=1,
            help="The formats wanted.",
        ),
    ] = None


class StemsBasic(Request, frozen=True, kw_only=True):
    """Separate a clip into a few tracks: 2 by the docs of 2025, 4 by those of 2026."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "stems_basic"
    path: ClassVar[str] = "/api/v1/sonic/stems/basic"
    cost: ClassVar[Price | None] = priced(30)

    clip_id: Clip = None


class StemsFull(StemsBasic, frozen=True, kw_only=True):
    """Separate a clip into many tracks: 12 by the docs of 2025, 24 by those of 2026."""

    operation: ClassVar[str] = "stems_full"
    path: ClassVar[str] = "/api/v1/sonic/stems/full"
    cost: ClassVar[Price | None] = priced(75)


class UpsampleTags(Request, frozen=True, kw_only=True):
    """Make a fuller description of a style out of a few tags."""

    engine: ClassVar[str] = "sonic"
    operation: ClassVar[str] = "upsample_tags"
    path: ClassVar[str] = "/api/v1/sonic/upsample-tags"
    reply: ClassVar[Literal["task", "immediate"]] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = priced(1)

    tags: Annotated[
        str | None, Field(kind="tags", required=True, help="The tags, comma-separated.")
    ] = None
