"""How each style is played: tempo, feel, harmony, who plays. Data for the composition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType
from typing import Literal

from musicapi_nb.simulator.vocabulary import GENRES, INSTRUMENTS, MOODS, Mood

Mode = Literal["major", "minor"]


@dataclass(frozen=True, slots=True)
class Style:
    """One way to play.

    ``bpm`` is a range; ``swing`` delays every second eighth by that part of an eighth;
    ``minor`` is the chance of a minor key; ``level`` is the loudness in dBFS (RMS); ``wet`` the
    share of reverb; ``sevenths`` whether chords have four notes; voices are named as in synth.py.
    """

    bpm: tuple[int, int]
    drums: str
    chords: str
    bass: str
    lead: str
    comping: str
    bassline: str
    swing: float = 0.0
    minor: float = 0.4
    level: float = -18.0
    wet: float = 0.2
    sevenths: bool = False
    pad: str = ""


STYLES: Mapping[str, Style] = MappingProxyType(
    {
        "pop": Style(
            (96, 118),
            "pop",
            "piano",
            "finger",
            "voice",
            "pulse",
            "roots",
            minor=0.25,
            level=-16.5,
            pad="strings",
        ),
        "rock": Style(
            (104, 144),
            "rock",
            "electric",
            "pick",
            "electric",
            "eighths",
            "eighths",
            minor=0.45,
            level=-15.5,
            wet=0.15,
        ),
        "jazz": Style(
            (84, 124),
            "ride",
            "piano",
            "upright",
            "reed",
            "charleston",
            "walking",
            swing=0.3,
            minor=0.4,
            level=-20.0,
            wet=0.24,
            sevenths=True,
        ),
        "swing": Style(
            (128, 168),
            "ride",
            "piano",
            "upright",
            "brass",
            "charleston",
            "walking",
            swing=0.33,
            minor=0.2,
            level=-18.0,
            wet=0.2,
            sevenths=True,
        ),
        "bossa": Style(
            (112, 136),
            "bossa",
            "guitar",
            "upright",
            "flute",
            "bossa",
            "bossa",
            minor=0.4,
            level=-19.5,
            wet=0.22,
            sevenths=True,
        ),
        "blues": Style(
            (72, 100),
            "shuffle",
            "electric",
            "finger",
            "electric",
            "charleston",
            "walking",
            swing=0.33,
            minor=0.5,
            level=-18.0,
            sevenths=True,
        ),
        "soul": Style(
            (68, 96),
            "pop",
            "rhodes",
            "finger",
            "voice",
            "syncopated",
            "syncopated",
            swing=0.12,
            minor=0.45,
            level=-18.0,
            wet=0.22,
            sevenths=True,
            pad="organ",
        ),
        "funk": Style(
            (102, 120),
            "funk",
            "rhodes",
            "finger",
            "synth",
            "syncopated",
            "syncopated",
            swing=0.06,
            minor=0.6,
            level=-16.5,
            wet=0.14,
            sevenths=True,
        ),
        "house": Style(
            (118, 128),
            "house",
            "synth",
            "sub",
            "synth",
            "offbeat",
            "offbeat",
            minor=0.6,
            level=-15.5,
            wet=0.2,
            pad="strings",
        ),
        "techno": Style(
            (126, 138),
            "techno",
            "synth",
            "sub",
            "synth",
            "stab",
            "sixteenths",
            minor=0.9,
            level=-15.0,
            wet=0.2,
            pad="pad",
        ),
        "breaks": Style(
            (160, 174),
            "breaks",
            "rhodes",
            "sub",
            "synth",
            "long",
            "roots",
            minor=0.75,
            level=-15.5,
            wet=0.25,
            pad="pad",
        ),
        "hiphop": Style(
            (82, 96),
            "boombap",
            "rhodes",
            "sub",
            "reed",
            "long",
            "syncopated",
            swing=0.14,
            minor=0.75,
            level=-16.5,
            wet=0.16,
            sevenths=True,
        ),
        "lofi": Style(
            (68, 84),
            "lofi",
            "rhodes",
            "finger",
            "marimba",
            "long",
            "roots",
            swing=0.18,
            minor=0.5,
            level=-20.0,
            wet=0.22,
            sevenths=True,
        ),
        "reggae": Style(
            (70, 84),
            "onedrop",
            "organ",
            "finger",
            "voice",
            "skank",
            "syncopated",
            swing=0.1,
            minor=0.35,
            level=-17.5,
            wet=0.22,
        ),
        "folk": Style(
            (88, 116),
            "brush",
            "guitar",
            "finger",
            "voice",
            "picking",
            "roots",
            minor=0.35,
            level=-19.5,
            wet=0.18,
        ),
        "synthwave": Style(
            (88, 112),
            "gated",
            "pad",
            "sub",
            "synth",
            "long",
            "eighths",
            minor=0.7,
            level=-16.5,
            wet=0.3,
            pad="strings",
        ),
        "ambient": Style(
            (58, 72),
            "none",
            "pad",
            "sub",
            "harp",
            "long",
            "long",
            minor=0.4,
            level=-21.5,
            wet=0.45,
            sevenths=True,
            pad="strings",
        ),
        "classical": Style(
            (66, 96),
            "none",
            "piano",
            "cello",
            "strings",
            "picking",
            "long",
            minor=0.5,
            level=-21.0,
            wet=0.32,
            pad="strings",
        ),
    }
)

PROGRESSIONS: Mapping[Mode, tuple[tuple[int, ...], ...]] = MappingProxyType(
    {
        "major": (
            (0, 4, 5, 3),
            (5, 3, 0, 4),
            (0, 5, 3, 4),
            (0, 3, 0, 4),
            (0, 2, 3, 4),
            (3, 0, 4, 5),
        ),
        "minor": (
            (0, 5, 2, 6),
            (0, 3, 5, 6),
            (0, 6, 5, 6),
            (0, 2, 6, 5),
            (0, 5, 3, 6),
            (5, 6, 0, 0),
        ),
    }
)
"""Scale degrees from 0, one chord a bar."""

JAZZ_PROGRESSIONS: Mapping[Mode, tuple[tuple[int, ...], ...]] = MappingProxyType(
    {
        "major": ((1, 4, 0, 5), (0, 5, 1, 4), (2, 5, 1, 4), (3, 2, 1, 0)),
        "minor": ((0, 3, 6, 2), (0, 5, 3, 6), (3, 6, 2, 5), (0, 6, 5, 4)),
    }
)
"""For styles with sevenths: turnarounds in fourths."""

_SINGERS = frozenset(
    ("female vocals", "male vocals", "duet", "vocal harmonies", "vocal jazz", "choir")
)
_TEMPO_BY_ENERGY = 0.16
_QUIETEST, _LOUDEST = -23.0, -14.5


@dataclass(frozen=True, slots=True)
class Character:
    """A style with what the moods and instruments among the tags made of it."""

    style: Style
    valence: float
    energy: float
    bpm: float
    mode: Mode
    tonic: int
    deep: bool
    """Whether a singing voice is a low one."""


def character(tags: Sequence[str], rng: Random, *, instrumental: bool) -> Character:
    """Choose how a song with these tags is played; the first known genre leads."""
    style = STYLES[next((GENRES[tag].style for tag in tags if tag in GENRES), "pop")]
    valence, energy = mood_of(tags)
    played = [INSTRUMENTS[tag] for tag in tags if tag in INSTRUMENTS]
    if played:
        style = replace(style, lead=played[0])
    elif _SINGERS & set(tags):
        style = replace(style, lead="voice")
    if instrumental and style.lead == "voice":
        style = replace(style, lead="flute" if style.sevenths else "marimba")
    level = min(_LOUDEST, max(_QUIETEST, style.level + 1.5 * energy))
    minor = min(0.95, max(0.05, style.minor - 0.5 * valence))
    bpm = rng.uniform(*style.bpm) * (1 + _TEMPO_BY_ENERGY * energy)
    return Character(
        style=replace(style, level=level),
        valence=valence,
        energy=energy,
        bpm=round(bpm, 1),
        mode="minor" if rng.random() < minor else "major",
        tonic=rng.randrange(12),
        deep="male vocals" in tags or ("female vocals" not in tags and rng.random() < 0.5),  # noqa: PLR2004 - even odds
    )


def mood_of(tags: Sequence[str]) -> Mood:
    """Average valence and energy of the moods among the tags; 0 and 0 where there are none."""
    moods = [MOODS[tag] for tag in tags if tag in MOODS]
    count = max(len(moods), 1)
    return Mood(
        sum(each.valence for each in moods) / count, sum(each.energy for each in moods) / count
    )
