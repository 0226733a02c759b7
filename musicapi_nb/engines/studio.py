"""Studio: songs of 32 or 130 seconds. Replies show how the service rewrote the tags."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.engines.request import (
    ActiveWhen,
    Availability,
    Group,
    Price,
    Request,
    range_problems,
)
from musicapi_nb.engines.sources import STUDIO, Source
from musicapi_nb.errors import Problem
from musicapi_nb.public_names import public_names

__all__ = ["Custom", "Description", "Extend", "Instrumental"]


_REGULAR = {"mode": "regular"}
MODELS = ("studio130-v1.5", "studio32-v1.5")


def _strength(help_: str, label: str) -> Field:
    return Field(help_, "fraction", label=label, advanced=True)


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
        "not offered now",
        "the service has listed studio as unavailable since early 2025",
        "docs.musicapi.ai navigation, 2025",
    )

    prompt: Annotated[
        str | None,
        Field(
            "Say what the song should be like, with its styles.",
            "long text",
            label="Description",
            synonyms=("description",),
            example="rain on a tin roof, slow jazz",
            required=True,
        ),
    ] = None
    model_type: Annotated[
        str | None,
        Field(
            "Which model makes the song: of 130 or of 32 seconds.",
            "choice",
            label="Model",
            option_labels={
                "studio130-v1.5": "studio130-v1.5 (2:10)",
                "studio32-v1.5": "studio32-v1.5 (0:32)",
            },
            required=True,
            synonyms=("model", "mv"),
            choices=MODELS,
            allow_other=True,
        ),
    ] = None
    negative_prompt: Annotated[
        str | None,
        Field(
            "Say what the song should not be like.", "long text", label="To avoid", advanced=True
        ),
    ] = None
    seed: Annotated[
        int | None,
        Field(
            "A number that makes a result repeatable; -1 picks one.",
            "integer",
            label="Seed",
            minimum=-1,
            advanced=True,
        ),
    ] = None
    bypass_prompt_optimization: Annotated[
        bool | None,
        Field(
            "Without this, the service rewrites the description.",
            "switch",
            label="Use the description as it is",
            advanced=True,
        ),
    ] = None
    prompt_strength: Annotated[
        float | None, _strength("How closely to follow the description.", "Description influence")
    ] = 0.5
    clarity_strength: Annotated[
        float | None, _strength("How clear the sound should be.", "Clarity")
    ] = 0.25
    lyrics_strength: Annotated[
        float | None, _strength("How closely to follow the lyrics.", "Lyrics influence")
    ] = 0.5
    generation_quality: Annotated[
        float | None, _strength("Higher quality takes longer.", "Quality")
    ] = 0.75
    song_section_start: Annotated[
        float | None, _strength("Where it would start in a full song.", "Part of a song: from")
    ] = None
    song_section_end: Annotated[
        float | None, _strength("Where it would end in a full song.", "Part of a song: to")
    ] = None
    lyrics_placement_start: Annotated[
        float | None, _strength("Where in the song the lyrics start.", "Lyrics from")
    ] = None
    lyrics_placement_end: Annotated[
        float | None, _strength("Where in the song the lyrics end.", "Lyrics to")
    ] = None

    def rules(self) -> Iterator[Problem]:
        for name in ("song_section", "lyrics_placement"):
            yield from range_problems(self, f"{name}_start", f"{name}_end")


class Description(_Studio, frozen=True, kw_only=True):
    """Make two songs from a description.

    The service writes the lyrics.
    """

    constants: ClassVar[Mapping[str, Any]] = {"lyrics_type": "generate", "config": _REGULAR}
    description_field: ClassVar[str | None] = "prompt"


class Custom(_Studio, frozen=True, kw_only=True):
    """Make two songs with your lyrics."""

    constants: ClassVar[Mapping[str, Any]] = {"lyrics_type": "user", "config": _REGULAR}
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics", "prompt")

    lyrics: Annotated[
        str | None,
        Field(
            "Your words, with [Verse], [Chorus].",
            "long text",
            label="Lyrics",
            example="[Verse]\nRain on a tin roof",
            required=True,
        ),
    ] = None


class Instrumental(_Studio, frozen=True, kw_only=True):
    """Make two songs without vocals."""

    constants: ClassVar[Mapping[str, Any]] = {"lyrics_type": "instrumental", "config": _REGULAR}
    description_field: ClassVar[str | None] = "prompt"


class Extend(_Studio, frozen=True, kw_only=True):
    """Extend a song at its end or its beginning."""

    group: ClassVar[Group] = "Continue or change songs"

    constants: ClassVar[Mapping[str, Any]] = {"config": {}}  # `body` fills it
    active_when: ClassVar[ActiveWhen] = {"lyrics": {"lyrics_type": ("user",)}}
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics", "prompt")

    mode: Annotated[
        str | None,
        Field(
            "Where the new part goes.",
            "choice",
            label="Place",
            option_labels={"continuation": "After the song", "precede": "Before the song"},
            required=True,
            choices=("continuation", "precede"),
        ),
    ] = "continuation"
    song_id: Annotated[
        str | None, Field("The song to extend.", "clip", label="Song", required=True)
    ] = None
    context_length: Annotated[
        float | None,
        Field(
            "How much of the song to listen to.",
            "seconds",
            label="Context",
            example="0:30",
            advanced=True,
        ),
    ] = None
    lyrics_type: Annotated[
        str | None,
        Field(
            "Who writes the lyrics.",
            "choice",
            label="Lyrics by",
            option_labels={"generate": "The service", "user": "Me", "instrumental": "No vocals"},
            required=True,
            choices=("generate", "user", "instrumental"),
        ),
    ] = "generate"
    lyrics: Annotated[
        str | None, Field("Your words, with [Verse], [Chorus].", "long text", label="Lyrics")
    ] = None

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


if not TYPE_CHECKING:
    __getattr__, __dir__ = public_names(__name__, __all__)
