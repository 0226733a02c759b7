"""How each style is played: tempo, rhythm, instruments, loudness. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from musicapi_nb.simulator.vocabulary import GENRES, INSTRUMENTS, MOODS, Mood

Mode = Literal["major", "minor"]


@dataclass(frozen=True, slots=True)
class Style:
    """One way to play.

    ``bpm`` is a range; ``beat``, ``comping`` and ``bassline`` name patterns of ``composition.py``;
    ``chords``, ``bass`` and ``lead`` name timbres of ``synthesis.py``; ``swing`` delays every
    second eighth by that share of an eighth; ``minor`` is the chance of a minor key; ``level`` is
    the loudness in dBFS (RMS); ``sevenths`` adds a fourth note to the chords.
    """

    bpm: tuple[int, int]
    beat: str
    chords: str
    bass: str
    lead: str
    comping: str
    bassline: str
    swing: float
    minor: float
    level: float
    sevenths: bool


_STYLES = """
pop       96 118  pop     piano    finger  voice    pulse    roots    0    0.25 -16.5
rock      104 144 rock    electric finger  electric pulse    eighths  0    0.45 -15.5
jazz      84 124  swing   piano    upright reed     offbeat  walking  0.3  0.4  -20   sevenths
swing     128 168 swing   piano    upright brass    offbeat  walking  0.33 0.2  -18   sevenths
bossa     112 136 bossa   guitar   upright flute    bossa    fifths   0    0.4  -19.5 sevenths
blues     72 100  pop     electric finger  electric offbeat  walking  0.33 0.5  -18   sevenths
soul      68 96   pop     rhodes   finger  voice    bossa    fifths   0.12 0.45 -18   sevenths
funk      102 120 funk    rhodes   finger  synth    bossa    eighths  0.06 0.6  -16.5 sevenths
house     118 128 house   synth    sub     synth    offbeat  offbeat  0    0.6  -15.5
techno    126 138 techno  synth    sub     synth    offbeat  offbeat  0    0.9  -15
breaks    160 174 breaks  pad      sub     synth    long     roots    0    0.75 -15.5
hiphop    82 96   hiphop  rhodes   sub     reed     long     fifths   0.14 0.75 -16.5 sevenths
lofi      68 84   hiphop  rhodes   finger  marimba  long     roots    0.18 0.5  -20   sevenths
reggae    70 84   onedrop organ    finger  voice    offbeat  fifths   0.1  0.35 -17.5
folk      88 116  brush   guitar   finger  voice    arpeggio roots    0    0.35 -19.5
synthwave 88 112  house   pad      sub     synth    long     eighths  0    0.7  -16.5
ambient   58 72   none    pad      sub     harp     long     roots    0    0.4  -21.5 sevenths
classical 66 96   none    piano    cello   strings  arpeggio roots    0    0.5  -21
"""


def _style(line: str) -> tuple[str, Style]:
    name, low, high, beat, chords, bass, lead, comping, bassline, *numbers = line.split()
    swing, minor, level = map(float, numbers[:3])
    bpm, sevenths = (int(low), int(high)), "sevenths" in numbers
    timbres = (beat, chords, bass, lead, comping, bassline)
    return name, Style(bpm, *timbres, swing, minor, level, sevenths)


STYLES: Mapping[str, Style] = dict(_style(line) for line in _STYLES.strip().splitlines())

_SUNG = frozenset(
    ("female vocals", "male vocals", "duet", "vocal harmonies", "vocal jazz", "choir")
)
_TEMPO_BY_ENERGY = 0.16
_LEVEL_BY_ENERGY = 1.5
_LEVELS = (-23.0, -14.5)


@dataclass(frozen=True, slots=True)
class Character:
    """A style adapted to the moods and instruments among the tags.

    ``tonic`` is the pitch class of the key, 0 (C) to 11; ``deep`` says that the singer is a low
    voice.
    """

    style: Style
    bpm: float
    mode: Mode
    tonic: int
    deep: bool


def character(tags: Sequence[str], rng: Random, *, instrumental: bool) -> Character:
    """Choose how a song with these tags is played; its first known genre sets the style."""
    style = STYLES[next((GENRES[tag].style for tag in tags if tag in GENRES), "pop")]
    valence, energy = mood_of(tags)
    instruments = [INSTRUMENTS[tag] for tag in tags if tag in INSTRUMENTS]
    lead = instruments[0] if instruments else "voice" if _SUNG & set(tags) else style.lead
    if instrumental and lead == "voice":
        lead = "flute" if style.sevenths else "marimba"
    low, high = _LEVELS
    level = min(high, max(low, style.level + _LEVEL_BY_ENERGY * energy))
    minor = min(0.95, max(0.05, style.minor - 0.5 * valence))
    bpm = rng.uniform(*style.bpm) * (1 + _TEMPO_BY_ENERGY * energy)
    return Character(
        style=replace(style, level=level, lead=lead),
        bpm=round(bpm, 1),
        mode="minor" if rng.random() < minor else "major",
        tonic=rng.randrange(12),
        deep="male vocals" in tags or ("female vocals" not in tags and rng.random() < 0.5),  # noqa: PLR2004 - even odds
    )


def mood_of(tags: Sequence[str]) -> Mood:
    """Average the moods among the tags; valence and energy are 0 without any."""
    moods = [MOODS[tag] for tag in tags if tag in MOODS]
    count = max(len(moods), 1)
    valence, energy = (sum(axis) / count for axis in zip(*moods, strict=True)) if moods else (0, 0)
    return Mood(valence, energy)
