"""Studio: songs of 32 or 130 seconds. Replies show how the service rewrote the tags."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import ActiveWhen, Availability, Price, Request, range_problems
from musicapi_nb.engines.sources import STUDIO, Source
from musicapi_nb.errors import Problem

_REGULAR = {"mode": "regular"}
MODELS = ("studio130-v1.5", "studio32-v1.5")


class _Studio(Request, frozen=True, kw_only=True):
    """Fields that all four modes share; the four default strengths are from the docs' example."""

    path: ClassVar[str] = "/api/v1/studio/create"
    songs: ClassVar[int | None] = 2
    cost: ClassVar[Price | None] = Price(15, dt.date(2025, 2, 18), "docs doc-5540371")
    fields_source: ClassVar[Source | None] = STUDIO
    text_fields: ClassVar[tuple[str, ...]] = ("prompt",)
    tag_fields: ClassVar[tuple[str, ...]] = ("prompt",)
    negative_tag_fields: ClassVar[tuple[str, ...]] = ("negative_prompt",)
    availability: ClassVar[Availability | None] = Availability(
        "unavailable",
        "the service has listed studio as unavailable since early 2025",
        "docs.musicapi.ai navigation, 2025",
    )

    prompt: Annotated[
        str | None, Field("Description of the song, including tags.", "long text", required=True)
    ] = None
    model_type: Annotated[
        str | None,
        Field(
            "The model: songs of 130 or 32 seconds.",
            "choice",
            required=True,
            choices=MODELS,
            allow_other=True,
        ),
    ] = None
    negative_prompt: Annotated[str | None, Field("What to avoid.", "long text")] = None
    seed: Annotated[int | None, Field("Random seed; -1 picks one.", "integer", minimum=-1)] = None
    bypass_prompt_optimization: Annotated[
        bool | None, Field("Use the prompt as it is, without rewriting it.", "switch")
    ] = None
    prompt_strength: Annotated[
        float | None, Field("How closely to follow the prompt (0 to 1).", "fraction")
    ] = 0.5
    clarity_strength: Annotated[float | None, Field("Clarity of sound (0 to 1).", "fraction")] = (
        0.25
    )
    lyrics_strength: Annotated[
        float | None, Field("How closely to follow the lyrics (0 to 1).", "fraction")
    ] = 0.5
    generation_quality: Annotated[
        float | None, Field("Higher quality, lower speed (0 to 1).", "fraction")
    ] = 0.75
    song_section_start: Annotated[
        float | None, Field("Its start within a full song (0 to 1).", "fraction")
    ] = None
    song_section_end: Annotated[
        float | None, Field("Its end within a full song (0 to 1).", "fraction")
    ] = None
    lyrics_placement_start: Annotated[
        float | None, Field("Where the lyrics start in the song (0 to 1).", "fraction")
    ] = None
    lyrics_placement_end: Annotated[
        float | None, Field("Where the lyrics end in the song (0 to 1).", "fraction")
    ] = None

    def rules(self) -> Iterator[Problem]:
        for name in ("song_section", "lyrics_placement"):
            yield from range_problems(self, f"{name}_start", f"{name}_end")


class Description(_Studio, frozen=True, kw_only=True):
    """Make two songs from a description; the service writes the lyrics."""

    constants: ClassVar[Mapping[str, Any]] = {"lyrics_type": "generate", "config": _REGULAR}


class Custom(_Studio, frozen=True, kw_only=True):
    """Make two songs with your lyrics."""

    constants: ClassVar[Mapping[str, Any]] = {"lyrics_type": "user", "config": _REGULAR}
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics", "prompt")

    lyrics: Annotated[str | None, Field("The lyrics.", "long text", required=True)] = None


class Instrumental(_Studio, frozen=True, kw_only=True):
    """Make two songs without vocals."""

    constants: ClassVar[Mapping[str, Any]] = {"lyrics_type": "instrumental", "config": _REGULAR}


class Extend(_Studio, frozen=True, kw_only=True):
    """Add music after (continuation) or before (precede) an earlier song."""

    constants: ClassVar[Mapping[str, Any]] = {"config": {}}  # `body` fills it
    active_when: ClassVar[ActiveWhen] = {"lyrics": {"lyrics_type": ("user",)}}
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics", "prompt")

    mode: Annotated[
        str | None,
        Field(
            "Where the new section goes.",
            "choice",
            required=True,
            choices=("continuation", "precede"),
        ),
    ] = "continuation"
    song_id: Annotated[str | None, Field("The song to extend.", "clip", required=True)] = None
    context_length: Annotated[
        float | None, Field("Seconds of the song to use as context.", "seconds")
    ] = None
    lyrics_type: Annotated[
        str | None,
        Field(
            "Who writes the lyrics.",
            "choice",
            required=True,
            choices=("generate", "user", "instrumental"),
        ),
    ] = "generate"
    lyrics: Annotated[str | None, Field("The lyrics, if lyrics_type is user.", "long text")] = None

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        if self.lyrics_type == "user" and is_missing(self.lyrics):
            yield Problem("lyrics", "is required when lyrics_type is 'user'")

    def body(self) -> dict[str, Any]:
        body = super().body()
        config = {"mode": body.pop("mode", None), "source": {"song_id": body.pop("song_id", None)}}
        if "context_length" in body:
            config["context_length"] = body.pop("context_length")
        return {**body, "config": config}
