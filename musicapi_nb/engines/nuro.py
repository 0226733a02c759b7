"""Nuro: one song or one piece of background music for a call, in Chinese or English.

Facts: docs.musicapi.ai (create-nuro-music, create-nuro-bgm, nuro-instruction), 2025.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from musicapi_nb.engines.request import Availability, Field, Price, Request, Segment
from musicapi_nb.errors import Problem

__all__ = ["Instrumental", "Segment", "Vocal"]

GENRES = (
    "Folk",
    "Pop",
    "Rock",
    "Chinese Style",
    "Hip Hop/Rap",
    "R&B/Soul",
    "Punk",
    "Electronic",
    "Jazz",
    "Reggae",
    "DJ",
    "Pop Punk",
    "Disco",
    "Future Bass",
    "Pop Rap",
    "Trap Rap",
    "R&B Rap",
    "Chinoiserie Electronic",
    "GuFeng Music",
    "Pop Rock",
    "Jazz Pop",
    "Bossa Nova",
    "Contemporary R&B",
)
MOODS = (
    "Happy",
    "Dynamic/Energetic",
    "Sentimental/Melancholic/Lonely",
    "Inspirational/Hopeful",
    "Nostalgic/Memory",
    "Excited",
    "Sorrow/Sad",
    "Chill",
    "Romantic",
    "Miss",
    "Groovy/Funky",
    "Dreamy/Ethereal",
    "Calm/Relaxing",
)
TIMBRES = (
    "Warm",
    "Bright",
    "Husky",
    "Electrified voice",
    "Sweet_AUDIO_TIMBRE",
    "Cute_AUDIO_TIMBRE",
    "Loud and sonorous",
    "Powerful",
    "Sexy/Lazy",
)

# Background music; the lists as the docs and a copy of them give them.
BGM_GENRES = (
    "corporate",
    "dance/edm",
    "orchestral",
    "chill out",
    "rock",
    "hip hop",
    "folk",
    "funk",
    "ambient",
    "holiday",
    "jazz",
    "kids",
    "world",
    "travel",
    "commercial",
    "advertising",
    "driving",
    "cinematic",
    "upbeat",
    "epic",
    "inspiring",
    "business",
    "video game",
    "dark",
    "pop",
    "trailer",
    "modern",
    "electronic",
    "documentary",
    "soundtrack",
    "fashion",
    "acoustic",
    "movie",
    "tv",
    "high tech",
    "industrial",
    "dance",
    "video",
    "vlog",
    "marketing",
    "game",
    "radio",
    "promotional",
    "sports",
    "party",
    "summer",
    "beauty",
)
BGM_MOODS = (
    "positive",
    "uplifting",
    "energetic",
    "happy",
    "bright",
    "optimistic",
    "hopeful",
    "cool",
    "dreamy",
    "fun",
    "light",
    "powerful",
    "calm",
    "confident",
    "joyful",
    "dramatic",
    "peaceful",
    "playful",
    "soft",
    "groovy",
    "reflective",
    "easy",
    "relaxed",
    "lively",
    "smooth",
    "romantic",
    "intense",
    "elegant",
    "mellow",
    "emotional",
    "sentimental",
    "cheerful happy",
    "contemplative",
    "soothing",
    "proud",
    "passionate",
    "sweet",
    "mystical",
    "tranquil",
    "cheerful",
    "casual",
    "beautiful",
    "ethereal",
    "melancholy",
    "sad",
    "aggressive",
    "haunting",
    "adventure",
    "serene",
    "sincere",
    "funky",
    "funny",
)
BGM_INSTRUMENTS = (
    "piano",
    "drums",
    "guitar",
    "percussion",
    "synth",
    "electric guitar",
    "acoustic guitar",
    "bass guitar",
    "brass",
    "violin",
    "cello",
    "flute",
    "organ",
    "trumpet",
    "ukulele",
    "saxophone",
    "double bass",
    "harp",
    "glockenspiel",
    "synthesizer",
    "keyboard",
    "marimba",
    "bass",
    "banjo",
    "strings",
)
BGM_THEMES = (
    "inspirational",
    "motivational",
    "achievement",
    "discovery",
    "every day",
    "love",
    "technology",
    "lifestyle",
    "journey",
    "meditation",
    "drama",
    "children",
    "hope",
    "fantasy",
    "holiday",
    "health",
    "family",
    "real estate",
    "media",
    "kids",
    "science",
    "education",
    "progress",
    "world",
    "vacation",
    "training",
    "christmas",
    "sales",
)
SHORT_LYRICS = 300
FIRST_LONGEST = 60
SECOND_SHORTEST, SECOND_LONGEST = 30, 120
SECOND_TEXT = 200
PART_SHORTEST = 5
SEGMENTS = ("intro", "verse", "chorus", "inst", "bridge", "outro")


class _Nuro(Request, frozen=True, kw_only=True):
    engine: ClassVar[str] = "nuro"
    path: ClassVar[str] = "/api/v1/nuro/create"
    songs: ClassVar[int | None] = 1
    webhook: ClassVar[bool] = True
    cost: ClassVar[Price | None] = Price(10, dt.date(2025, 3, 26), "docs nuro-instruction")
    availability: ClassVar[Availability | None] = Availability(
        "retired elsewhere",
        "marked deprecated, and answered with 410 on a sister host; it may be gone here too",
        "docs of the sibling host, 2026",
    )


class Vocal(_Nuro, frozen=True, kw_only=True):
    """One song with your lyrics; what is left out is chosen by the service."""

    operation: ClassVar[str] = "vocal"
    constants: ClassVar[Mapping[str, Any]] = {"type": "vocal"}
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics",)

    lyrics: Annotated[
        str | None,
        Field(kind="long text", required=True, limit=2000, help="The lyrics, 300 to 2000 letters."),
    ] = None
    gender: Annotated[
        str | None, Field(kind="choice", choices=("Female", "Male"), help="Whose voice.")
    ] = None
    genre: Annotated[str | None, Field(kind="choice", choices=GENRES, help="The genre.")] = None
    mood: Annotated[str | None, Field(kind="choice", choices=MOODS, help="The mood.")] = None
    timbre: Annotated[
        str | None, Field(kind="choice", choices=TIMBRES, help="The colour of the voice.")
    ] = None
    duration: Annotated[
        int | None, Field(kind="integer", minimum=30, maximum=240, help="Length in seconds.")
    ] = None

    def rules(self) -> Iterator[Problem]:
        if isinstance(self.lyrics, str) and 0 < len(self.lyrics.strip()) < SHORT_LYRICS:
            yield Problem(
                "lyrics", f"the instructions ask for at least {SHORT_LYRICS} letters", hard=False
            )


class Instrumental(_Nuro, frozen=True, kw_only=True):
    """One piece of background music.

    Version 1.0 (when `version` is left out) takes genre, mood, instrument and theme; "v2.0"
    takes a duration or `segments` instead.
    """

    operation: ClassVar[str] = "instrumental"
    constants: ClassVar[Mapping[str, Any]] = {"type": "bgm"}
    active_when: ClassVar[Mapping[str, Mapping[str, tuple[Any, ...]]]] = {
        **{name: {"version": (None, "v1.0")} for name in ("genre", "mood", "instrument", "theme")},
        "segments": {"version": ("v2.0",)},
    }
    text_fields: ClassVar[tuple[str, ...]] = ("description",)

    description: Annotated[
        str | None, Field(kind="long text", required=True, help="What the music is to be.")
    ] = None
    version: Annotated[
        str | None,
        Field(kind="choice", choices=("v1.0", "v2.0"), help="Of the model; v1.0 if left out."),
    ] = None
    duration: Annotated[
        int | None,
        Field(
            kind="integer",
            minimum=1,
            maximum=120,
            help="Length in seconds: v1.0 1 to 60, v2.0 30 to 120.",
        ),
    ] = None
    genre: Annotated[
        Sequence[str] | None,
        Field(kind="choices", choices=BGM_GENRES, max_items=5, help="Genres (v1.0)."),
    ] = None
    mood: Annotated[
        Sequence[str] | None,
        Field(kind="choices", choices=BGM_MOODS, max_items=5, help="Moods (v1.0)."),
    ] = None
    instrument: Annotated[
        Sequence[str] | None,
        Field(kind="choices", choices=BGM_INSTRUMENTS, max_items=5, help="Instruments (v1.0)."),
    ] = None
    theme: Annotated[
        Sequence[str] | None,
        Field(kind="choices", choices=BGM_THEMES, max_items=5, help="Themes (v1.0)."),
    ] = None
    segments: Annotated[
        Sequence[Segment] | None,
        Field(
            kind="segments",
            item=Segment,
            help="The parts in order, 5 to 120 s each, 30 to 120 in all (v2.0).",
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from self._second_version() if self.version == "v2.0" else self._first_version()

    def _first_version(self) -> Iterator[Problem]:
        if self.segments is not None:
            yield Problem("segments", 'need version="v2.0"')
        if isinstance(self.duration, int) and self.duration > FIRST_LONGEST:
            yield Problem("duration", f"is at most {FIRST_LONGEST} s in v1.0")

    def _second_version(self) -> Iterator[Problem]:
        if isinstance(self.description, str) and len(self.description) >= SECOND_TEXT:
            yield Problem("description", f"should have fewer than {SECOND_TEXT} characters in v2.0")
        for name in ("genre", "mood", "instrument", "theme"):
            if getattr(self, name) is not None:
                yield Problem(name, "is not used by v2.0; say it in the description", hard=False)
        if not isinstance(self.segments, list | tuple):
            if isinstance(self.duration, int) and self.duration < SECOND_SHORTEST:
                yield Problem("duration", f"is at least {SECOND_SHORTEST} s in v2.0")
            return
        if self.duration is not None:
            yield Problem("duration", "is the sum of the segments; leave it out")
        yield from self._segments([part for part in self.segments if isinstance(part, Segment)])

    def _segments(self, parts: Sequence[Segment]) -> Iterator[Problem]:
        for part in parts:
            if part.name not in SEGMENTS:
                yield Problem("segments", f"{part.name!r} is none of {', '.join(SEGMENTS)}")
            if (
                not isinstance(part.duration, int)
                or not PART_SHORTEST <= part.duration <= SECOND_LONGEST
            ):
                yield Problem(
                    "segments",
                    f"{part.name}: {PART_SHORTEST} to {SECOND_LONGEST} whole seconds each",
                )
        total = sum(part.duration for part in parts if isinstance(part.duration, int))
        if not SECOND_SHORTEST <= total <= SECOND_LONGEST:
            yield Problem(
                "segments",
                f"last {total} s in all; {SECOND_SHORTEST} to {SECOND_LONGEST} are allowed",
            )
