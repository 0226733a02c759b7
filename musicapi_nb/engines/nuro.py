"""Nuro: one song or one instrumental per request, in Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from musicapi_nb.engines.fields import Field
from musicapi_nb.engines.request import ActiveWhen, Availability, Price, Request, Segment
from musicapi_nb.engines.sources import NURO, Source
from musicapi_nb.errors import Problem
from musicapi_nb.public_names import public_names

__all__ = ["Instrumental", "Segment", "Vocal"]


def _names(text: str) -> tuple[str, ...]:
    """Split a list of names at commas."""
    return tuple(name.strip() for name in text.split(","))


GENRES = _names("""
Folk, Pop, Rock, Chinese Style, Hip Hop/Rap, R&B/Soul, Punk, Electronic, Jazz, Reggae, DJ, Pop Punk,
Disco, Future Bass, Pop Rap, Trap Rap, R&B Rap, Chinoiserie Electronic, GuFeng Music, Pop Rock,
Jazz Pop, Bossa Nova, Contemporary R&B
""")
MOODS = _names("""
Happy, Dynamic/Energetic, Sentimental/Melancholic/Lonely, Inspirational/Hopeful, Nostalgic/Memory,
Excited, Sorrow/Sad, Chill, Romantic, Miss, Groovy/Funky, Dreamy/Ethereal, Calm/Relaxing
""")
TIMBRES = _names("""
Warm, Bright, Husky, Electrified voice, Sweet_AUDIO_TIMBRE, Cute_AUDIO_TIMBRE, Loud and sonorous,
Powerful, Sexy/Lazy
""")

# Background music: lists of the docs, and of a third party's copy of them.
BGM_GENRES = _names("""
corporate, dance/edm, orchestral, chill out, rock, hip hop, folk, funk, ambient, holiday, jazz,
kids, world, travel, commercial, advertising, driving, cinematic, upbeat, epic, inspiring, business,
video game, dark, pop, trailer, modern, electronic, documentary, soundtrack, fashion, acoustic,
movie, tv, high tech, industrial, dance, video, vlog, marketing, game, radio, promotional, sports,
party, summer, beauty
""")
BGM_MOODS = _names("""
positive, uplifting, energetic, happy, bright, optimistic, hopeful, cool, dreamy, fun, light,
powerful, calm, confident, joyful, dramatic, peaceful, playful, soft, groovy, reflective, easy,
relaxed, lively, smooth, romantic, intense, elegant, mellow, emotional, sentimental, cheerful happy,
contemplative, soothing, proud, passionate, sweet, mystical, tranquil, cheerful, casual, beautiful,
ethereal, melancholy, sad, aggressive, haunting, adventure, serene, sincere, funky, funny
""")
BGM_INSTRUMENTS = _names("""
piano, drums, guitar, percussion, synth, electric guitar, acoustic guitar, bass guitar, brass,
violin, cello, flute, organ, trumpet, ukulele, saxophone, double bass, harp, glockenspiel,
synthesizer, keyboard, marimba, bass, banjo, strings
""")
BGM_THEMES = _names("""
inspirational, motivational, achievement, discovery, every day, love, technology, lifestyle,
journey, meditation, drama, children, hope, fantasy, holiday, health, family, real estate, media,
kids, science, education, progress, world, vacation, training, christmas, sales
""")
MIN_LYRICS = 300
MAX_SECONDS_V1 = 60
MIN_SECONDS_V2, MAX_SECONDS_V2 = 30, 120
MAX_TEXT_V2 = 200
MIN_SEGMENT = 5
SEGMENTS = ("intro", "verse", "chorus", "inst", "bridge", "outro")


class _Nuro(Request, frozen=True, kw_only=True):
    path: ClassVar[str] = "/api/v1/nuro/create"
    songs: ClassVar[int | None] = 1
    webhook: ClassVar[bool] = True
    cost: ClassVar[Price | None] = Price(10, *NURO)
    fields_source: ClassVar[Source | None] = NURO
    availability: ClassVar[Availability | None] = Availability(
        "may be gone",
        "deprecated, and retired (410) on the sibling host; it may be retired here too",
        "docs of the sibling host, 2026",
    )


class Vocal(_Nuro, frozen=True, kw_only=True):
    """Make one song with your lyrics.

    The service chooses what you leave out.
    """

    constants: ClassVar[Mapping[str, Any]] = {"type": "vocal"}
    text_fields: ClassVar[tuple[str, ...]] = ("lyrics",)
    tag_fields: ClassVar[tuple[str, ...]] = ("genre", "mood", "timbre")

    lyrics: Annotated[
        str | None,
        Field(
            "Your words, from 300 to 2,000 characters.",
            "long text",
            label="Lyrics",
            example="[Verse]\nRain on a tin roof",
            required=True,
            limit=2000,
        ),
    ] = None
    gender: Annotated[
        str | None,
        Field(
            "Who sings.",
            "choice",
            label="Voice",
            choices=("Female", "Male"),
            option_labels={None: "Automatic"},
        ),
    ] = None
    genre: Annotated[
        str | None, Field("The style of the song.", "choice", label="Genre", choices=GENRES)
    ] = None
    mood: Annotated[
        str | None, Field("The mood of the song.", "choice", label="Mood", choices=MOODS)
    ] = None
    timbre: Annotated[
        str | None,
        Field(
            "The sound of the voice.",
            "choice",
            label="Timbre",
            choices=TIMBRES,
            option_labels={"Sweet_AUDIO_TIMBRE": "Sweet", "Cute_AUDIO_TIMBRE": "Cute"},
        ),
    ] = None
    duration: Annotated[
        int | None,
        Field(
            "The length of the song, from 30 s to 4 min.",
            "whole seconds",
            label="Length",
            synonyms=("length", "seconds"),
            example="2:30",
            minimum=30,
            maximum=240,
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        if isinstance(self.lyrics, str) and 0 < len(self.lyrics.strip()) < MIN_LYRICS:
            message = f"the docs ask for at least {MIN_LYRICS} characters"
            yield Problem("lyrics", message, hard=False)


class Instrumental(_Nuro, frozen=True, kw_only=True):
    """Make one instrumental.

    Version 1.0 (the default) has genre, mood, instrument and theme; "v2.0" has a duration or
    `segments` instead.
    """

    constants: ClassVar[Mapping[str, Any]] = {"type": "bgm"}
    active_when: ClassVar[ActiveWhen] = {
        **{name: {"version": (None, "v1.0")} for name in ("genre", "mood", "instrument", "theme")},
        "segments": {"version": ("v2.0",)},
    }
    text_fields: ClassVar[tuple[str, ...]] = ("description",)
    description_field: ClassVar[str | None] = "description"
    tag_fields: ClassVar[tuple[str, ...]] = ("genre", "mood", "instrument", "theme", "description")

    description: Annotated[
        str | None,
        Field(
            "Say what the music should be like.",
            "long text",
            label="Description",
            example="calm piano, rain outside",
            required=True,
        ),
    ] = None
    version: Annotated[
        str | None,
        Field(
            "1.0 has genre, mood, instruments and themes; 2.0 has sections.",
            "choice",
            label="Version",
            choices=("v1.0", "v2.0"),
            option_labels={None: "Automatic (1.0)", "v1.0": "1.0", "v2.0": "2.0"},
        ),
    ] = None
    duration: Annotated[
        int | None,
        Field(
            "The length: up to 1 min in version 1.0, from 30 s to 2 min in version 2.0.",
            "whole seconds",
            label="Length",
            synonyms=("length", "seconds"),
            example="0:45",
            minimum=1,
            maximum=120,
        ),
    ] = None
    genre: Annotated[
        Sequence[str] | None,
        Field("Up to five genres.", "choices", label="Genres", choices=BGM_GENRES, max_items=5),
    ] = None
    mood: Annotated[
        Sequence[str] | None,
        Field("Up to five moods.", "choices", label="Moods", choices=BGM_MOODS, max_items=5),
    ] = None
    instrument: Annotated[
        Sequence[str] | None,
        Field(
            "Up to five instruments.",
            "choices",
            label="Instruments",
            choices=BGM_INSTRUMENTS,
            max_items=5,
        ),
    ] = None
    theme: Annotated[
        Sequence[str] | None,
        Field("Up to five themes.", "choices", label="Themes", choices=BGM_THEMES, max_items=5),
    ] = None
    segments: Annotated[
        Sequence[Segment] | None,
        Field(
            "The sections in order: 5 to 120 s each, 30 to 120 s in total.",
            "segments",
            label="Sections",
            example="intro 10\nverse 20",
            item=Segment,
        ),
    ] = None

    def rules(self) -> Iterator[Problem]:
        yield from self._rules_v2() if self.version == "v2.0" else self._rules_v1()

    def _rules_v1(self) -> Iterator[Problem]:
        if self.segments is not None:
            yield Problem("segments", 'need version="v2.0"')
        if isinstance(self.duration, int) and self.duration > MAX_SECONDS_V1:
            yield Problem("duration", f"is at most {MAX_SECONDS_V1} s in v1.0")

    def _rules_v2(self) -> Iterator[Problem]:
        if isinstance(self.description, str) and len(self.description) >= MAX_TEXT_V2:
            yield Problem("description", f"should have fewer than {MAX_TEXT_V2} characters in v2.0")
        for name in ("genre", "mood", "instrument", "theme"):
            if getattr(self, name) is not None:
                yield Problem(name, "is ignored by v2.0; put it in the description", hard=False)
        if not isinstance(self.segments, list | tuple):
            if isinstance(self.duration, int) and self.duration < MIN_SECONDS_V2:
                yield Problem("duration", f"is at least {MIN_SECONDS_V2} s in v2.0")
            return
        if self.duration is not None:
            yield Problem("duration", "is given by the segments; leave it out")
        yield from self._segment_rules()

    def _segment_rules(self) -> Iterator[Problem]:
        parts = [part for part in self.segments or () if isinstance(part, Segment)]
        for part in parts:
            if part.name not in SEGMENTS:
                yield Problem("segments", f"{part.name!r} is not one of {', '.join(SEGMENTS)}")
            is_integer = isinstance(part.duration, int)
            if not is_integer or not MIN_SEGMENT <= part.duration <= MAX_SECONDS_V2:
                message = f"{part.name}: {MIN_SEGMENT} to {MAX_SECONDS_V2} whole seconds each"
                yield Problem("segments", message)
        total = sum(part.duration for part in parts if isinstance(part.duration, int))
        if not MIN_SECONDS_V2 <= total <= MAX_SECONDS_V2:
            allowed = f"{MIN_SECONDS_V2} to {MAX_SECONDS_V2}"
            yield Problem("segments", f"have {total} s in total; {allowed} are allowed")


if not TYPE_CHECKING:
    __getattr__, __dir__ = public_names(__name__, __all__)
