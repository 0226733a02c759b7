"""Tempo, notes, files, stems, aligned lyrics and voices of clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, TypeAlias

from musicapi_nb.engines import sources
from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import Availability, Price, ReplyKind, Request, range_problems
from musicapi_nb.engines.sonic.generation import Clip
from musicapi_nb.errors import Problem


class _Immediate(Request, frozen=True, kw_only=True):
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(1, *sources.CLIENTS)
    fields_source: ClassVar[sources.Source | None] = sources.SDK


class _OfClip(_Immediate, frozen=True, kw_only=True):
    clip_id: Clip = None


class Bpm(_OfClip, frozen=True, kw_only=True):
    """Measure the tempo (mean, maximum, minimum) of a clip, preferably less than a day old."""

    path: ClassVar[str] = "/api/v1/sonic/bpm"


class AlignedLyrics(_OfClip, frozen=True, kw_only=True):
    """Find the time of each word of a clip's lyrics; repeating it is free."""

    path: ClassVar[str] = "/api/v1/sonic/aligned-lyrics"


class Midi(_OfClip, frozen=True, kw_only=True):
    """Transcribe a clip's notes; the reply has them and a link to a MIDI file."""

    path: ClassVar[str] = "/api/v1/sonic/midi"
    fields_source: ClassVar[sources.Source | None] = sources.CLIP_TOOLS
    poll_by_repost: ClassVar[bool] = True


class Wav(_OfClip, frozen=True, kw_only=True):
    """Get a link to a clip as WAV."""

    path: ClassVar[str] = "/api/v1/sonic/wav"
    fields_source: ClassVar[sources.Source | None] = sources.CLIP_TOOLS
    cost: ClassVar[Price | None] = Price(2, *sources.CLIENTS)
    poll_by_repost: ClassVar[bool] = True


class Download(_OfClip, frozen=True, kw_only=True):
    """Get links to a clip in several formats at one price, while its source still exists."""

    path: ClassVar[str] = "/api/v1/sonic/download"
    cost: ClassVar[Price | None] = Price(2, *sources.SIBLING, is_assumption=True)
    fields_source: ClassVar[sources.Source | None] = sources.CLIENTS
    poll_by_repost: ClassVar[bool] = True

    formats: Annotated[
        Sequence[str] | None,
        Field("The formats.", "choices", required=True, choices=("mp3", "m4a", "wav"), min_items=1),
    ] = None


class StemsBasic(Request, frozen=True, kw_only=True):
    """Separate a clip into a few tracks: 2 (docs of 2025) or 4 (docs of 2026)."""

    path: ClassVar[str] = "/api/v1/sonic/stems/basic"
    cost: ClassVar[Price | None] = Price(30, *sources.CLIENTS)
    fields_source: ClassVar[sources.Source | None] = sources.CLIP_TOOLS

    clip_id: Clip = None


class StemsFull(StemsBasic, frozen=True, kw_only=True):
    """Separate a clip into many tracks: 12 (docs of 2025) or 24 (docs of 2026)."""

    path: ClassVar[str] = "/api/v1/sonic/stems/full"
    cost: ClassVar[Price | None] = Price(75, *sources.CLIENTS)


class UpsampleTags(_Immediate, frozen=True, kw_only=True):
    """Expand a few tags into a fuller description of a style."""

    path: ClassVar[str] = "/api/v1/sonic/upsample-tags"

    tags: Annotated[str | None, Field("The tags, comma-separated.", "tags", required=True)] = None


_Start: TypeAlias = Annotated[
    float | None, Field("Second of the clip where the vocals start.", "seconds")
]
_End: TypeAlias = Annotated[
    float | None, Field("Second of the clip where the vocals end.", "seconds")
]


class CreatePersona(_Immediate, frozen=True, kw_only=True):
    """Create a persona from a clip; the reply has its `persona_id`.

    The newer docs name the fields `clip_id` and `describe`, the older ones `continue_clip_id` and
    `description`. The clip should be less than a day old.
    """

    path: ClassVar[str] = "/api/v1/sonic/persona"
    availability: ClassVar[Availability | None] = Availability(
        "retired elsewhere",
        "the sibling host lists it as unavailable, as these docs did in 2025; CreateVoice makes "
        "personas too",
        "docs of the sibling host, 2026",
    )

    name: Annotated[
        str | None, Field("The persona's name.", required=True, limit=80, source=sources.PERSONA)
    ] = None
    clip_id: Annotated[str | None, Field("The clip to take the voice from.", "clip")] = None
    describe: Annotated[str | None, Field("A description of it.", "long text")] = None
    continue_clip_id: Annotated[
        str | None, Field("Older name of clip_id.", "clip", source=sources.PERSONA)
    ] = None
    description: Annotated[
        str | None, Field("Older name of describe.", "long text", limit=200, source=sources.PERSONA)
    ] = None
    styles: Annotated[str | None, Field("Its styles, comma-separated.", "tags", limit=2000)] = None
    vox_audio_id: Annotated[str | None, Field("The vocals to use, from `Vox`.")] = None
    vocal_start_s: _Start = None
    vocal_end_s: _End = None

    def rules(self) -> Iterator[Problem]:
        if is_missing(self.clip_id) and is_missing(self.continue_clip_id):
            yield Problem("clip_id", "is required: the clip to take the voice from")
        if self.clip_id is not None and self.continue_clip_id is not None:
            yield Problem("continue_clip_id", "is the older name of clip_id; give only one of them")
        yield from range_problems(self, "vocal_start_s", "vocal_end_s")


class CreateVoice(Request, frozen=True, kw_only=True):
    """Create a persona from a recording; the result of its task is the `persona_id`.

    MP3 or WAV, longer than 10 s, one clear speaker.
    """

    path: ClassVar[str] = "/api/v1/sonic/create-voice"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(4, *sources.VOICE)
    fields_source: ClassVar[sources.Source | None] = sources.VOICE
    webhook: ClassVar[bool] = True

    audio_url: Annotated[
        str | None,
        Field("Public URL of the recording.", "url", required=True, source=sources.SIBLING_CLIENTS),
    ] = None


class Vox(_OfClip, frozen=True, kw_only=True):
    """Extract the vocals of a section of at most 30 s; the clip should be less than a day old."""

    path: ClassVar[str] = "/api/v1/sonic/vox"

    vocal_start_s: _Start = None
    vocal_end_s: _End = None

    def rules(self) -> Iterator[Problem]:
        yield from range_problems(self, "vocal_start_s", "vocal_end_s", limit=30)
