"""Tempo, notes, files, stems, aligned lyrics and voices of songs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, TypeAlias

from musicapi_nb.engines import sources
from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import (
    Availability,
    Group,
    Price,
    ReplyKind,
    Request,
    range_problems,
)
from musicapi_nb.engines.sonic.generation import Clip
from musicapi_nb.errors import Problem


class _Immediate(Request, frozen=True, kw_only=True):
    group: ClassVar[Group] = "Take songs apart"
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(1, *sources.CLIENTS)
    fields_source: ClassVar[sources.Source | None] = sources.SDK


class _OfClip(_Immediate, frozen=True, kw_only=True):
    clip_id: Clip = None


class Bpm(_OfClip, frozen=True, kw_only=True):
    """Measure the tempo of a song.

    The reply has the mean, the maximum and the minimum. The song should be less than a day old.
    """

    action: ClassVar[str] = "Measure the tempo"

    path: ClassVar[str] = "/api/v1/sonic/bpm"


class AlignedLyrics(_OfClip, frozen=True, kw_only=True):
    """Find the time of each word of a song's lyrics.

    Repeating it is free.
    """

    action: ClassVar[str] = "Time the lyrics"

    path: ClassVar[str] = "/api/v1/sonic/aligned-lyrics"


class Midi(_OfClip, frozen=True, kw_only=True):
    """Get the notes of a song as MIDI.

    The reply has the notes and a link to a MIDI file.
    """

    action: ClassVar[str] = "Get the notes"

    path: ClassVar[str] = "/api/v1/sonic/midi"
    fields_source: ClassVar[sources.Source | None] = sources.CLIP_TOOLS
    poll_by_repost: ClassVar[bool] = True


class Wav(_OfClip, frozen=True, kw_only=True):
    """Get a song as WAV.

    The reply has a link.
    """

    action: ClassVar[str] = "Get the WAV"

    path: ClassVar[str] = "/api/v1/sonic/wav"
    fields_source: ClassVar[sources.Source | None] = sources.CLIP_TOOLS
    cost: ClassVar[Price | None] = Price(2, *sources.CLIENTS)
    poll_by_repost: ClassVar[bool] = True


class Download(_OfClip, frozen=True, kw_only=True):
    """Get a song in several formats at one price.

    The reply has links. It works while the service still has the song's source.
    """

    action: ClassVar[str] = "Get the files"

    path: ClassVar[str] = "/api/v1/sonic/download"
    cost: ClassVar[Price | None] = Price(2, *sources.SIBLING, is_assumption=True)
    fields_source: ClassVar[sources.Source | None] = sources.CLIENTS
    poll_by_repost: ClassVar[bool] = True

    formats: Annotated[
        Sequence[str] | None,
        Field(
            "The kinds of file to get.",
            "choices",
            label="Formats",
            required=True,
            choices=("mp3", "m4a", "wav"),
            option_labels={"mp3": "MP3", "m4a": "M4A", "wav": "WAV"},
            min_items=1,
        ),
    ] = None


class StemsBasic(Request, frozen=True, kw_only=True):
    """Separate a song into a few tracks, such as vocals and drums.

    2 tracks by the docs of 2025, 4 by those of 2026.
    """

    group: ClassVar[Group] = "Take songs apart"
    action: ClassVar[str] = "Separate the tracks"

    path: ClassVar[str] = "/api/v1/sonic/stems/basic"
    cost: ClassVar[Price | None] = Price(30, *sources.CLIENTS)
    fields_source: ClassVar[sources.Source | None] = sources.CLIP_TOOLS

    clip_id: Clip = None


class StemsFull(StemsBasic, frozen=True, kw_only=True):
    """Separate a song into many tracks, one for each instrument.

    12 tracks by the docs of 2025, 24 by those of 2026.
    """

    path: ClassVar[str] = "/api/v1/sonic/stems/full"
    cost: ClassVar[Price | None] = Price(75, *sources.CLIENTS)


class UpsampleTags(_Immediate, frozen=True, kw_only=True):
    """Turn a few styles into a fuller description."""

    group: ClassVar[Group] = "Texts and account"
    action: ClassVar[str] = "Describe the styles"

    path: ClassVar[str] = "/api/v1/sonic/upsample-tags"

    tags: Annotated[
        str | None,
        Field(
            "The styles to describe, separated by commas.",
            "tags",
            label="Styles",
            example="slow jazz, brushed drums",
            required=True,
        ),
    ] = None


_Start: TypeAlias = Annotated[
    float | None,
    Field("Where the vocals start in the song.", "seconds", label="Vocals from", example="0:30"),
]
_End: TypeAlias = Annotated[
    float | None,
    Field("Where the vocals end in the song.", "seconds", label="Vocals to", example="0:50"),
]


class CreatePersona(_Immediate, frozen=True, kw_only=True):
    """Make a voice (persona) from a song.

    The reply has its `persona_id`. The newer docs name the fields `clip_id` and `describe`, the
    older ones `continue_clip_id` and `description`. The song should be less than a day old.
    """

    group: ClassVar[Group] = "Upload audio, make voices"
    action: ClassVar[str] = "Make the voice"

    path: ClassVar[str] = "/api/v1/sonic/persona"
    availability: ClassVar[Availability | None] = Availability(
        "may be gone",
        "the sibling host lists it as unavailable, as these docs did in 2025; CreateVoice makes "
        "personas too",
        "docs of the sibling host, 2026",
    )

    name: Annotated[
        str | None,
        Field(
            "A name for the voice.",
            label="Name",
            example="Ada",
            required=True,
            limit=80,
            source=sources.PERSONA,
        ),
    ] = None
    clip_id: Annotated[str | None, Field("The song with the voice.", "clip", label="Song")] = None
    describe: Annotated[
        str | None, Field("Say what the voice is like.", "long text", label="Description")
    ] = None
    continue_clip_id: Annotated[
        str | None,
        Field(
            "The same as Song, under its older name.",
            "clip",
            label="Song (older name)",
            source=sources.PERSONA,
            advanced=True,
        ),
    ] = None
    description: Annotated[
        str | None,
        Field(
            "The same as Description, under its older name.",
            "long text",
            label="Description (older name)",
            limit=200,
            source=sources.PERSONA,
            advanced=True,
        ),
    ] = None
    styles: Annotated[
        str | None,
        Field(
            "The styles the voice sings in, separated by commas.",
            "tags",
            label="Styles",
            example="slow jazz, bossa nova",
            limit=2000,
        ),
    ] = None
    vox_audio_id: Annotated[
        str | None,
        Field("The id of vocals that Vox extracted.", label="Vocals (id)", advanced=True),
    ] = None
    vocal_start_s: _Start = None
    vocal_end_s: _End = None

    def rules(self) -> Iterator[Problem]:
        if is_missing(self.clip_id) and is_missing(self.continue_clip_id):
            yield Problem("clip_id", "is required: the song with the voice")
        if self.clip_id is not None and self.continue_clip_id is not None:
            yield Problem("continue_clip_id", "is the older name of clip_id; give only one of them")
        yield from range_problems(self, "vocal_start_s", "vocal_end_s")


class CreateVoice(Request, frozen=True, kw_only=True):
    """Make a voice (persona) from a recording.

    MP3 or WAV, longer than 10 s, one clear speaker. The result of its task is the `persona_id`.
    """

    group: ClassVar[Group] = "Upload audio, make voices"
    action: ClassVar[str] = "Make the voice"

    path: ClassVar[str] = "/api/v1/sonic/create-voice"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(4, *sources.VOICE)
    fields_source: ClassVar[sources.Source | None] = sources.VOICE
    webhook: ClassVar[bool] = True

    audio_url: Annotated[
        str | None,
        Field(
            "A public link to the recording.",
            "url",
            label="Link to the recording",
            example="https://example.org/voice.mp3",
            required=True,
            source=sources.SIBLING_CLIENTS,
        ),
    ] = None


class Vox(_OfClip, frozen=True, kw_only=True):
    """Extract the vocals of a section of a song.

    The section is at most 30 s long. The song should be less than a day old.
    """

    action: ClassVar[str] = "Extract the vocals"

    path: ClassVar[str] = "/api/v1/sonic/vox"

    vocal_start_s: _Start = None
    vocal_end_s: _End = None

    def rules(self) -> Iterator[Problem]:
        yield from range_problems(self, "vocal_start_s", "vocal_end_s", limit=30)
