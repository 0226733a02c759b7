"""Compose a song from its tags and seed: its style, chords, bass, melody and drums. No I/O."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from musicapi_nb.simulator.vocabulary import GENRES, INSTRUMENTS, MOODS, Mood

DRUMS: dict[str, int] = {"kick": 36, "snare": 38, "hat": 42}
"""Drum to its General MIDI key."""
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_PROGRESSIONS = {
    "major": ("0453", "5304", "0534", "0304", "1405", "0514"),
    "minor": ("0526", "0356", "0656", "0265", "0362", "0536"),
}
"""Scale degrees from 0, one chord a bar."""
KEYS: Mapping[str, tuple[str, ...]] = {
    mode: tuple(f"{name} {mode}" for name in _NAMES) for mode in _SCALES
}
"""The keys of each mode by their tonic, in semitones above C."""
_ENDING = 1.5
"""Seconds at the end for the last chord to ring."""

# Patterns have a character for each sixteenth of a bar: "." goes on, other characters start a note.
# Drums: x is loud, o soft. Chords: x is all notes, a digit one of them. Bass: steps above the root.
_ROWS = """
pop     x.....x.x....... ....x.......x... x.o.x.o.x.o.x.o. x...x...x...x... 0.......0...4...
rock    x.....x.x.x..... ....x.......x... x.x.x.x.x.x.x.x. x...x...x...x... 0.0.0.0.0.0.0.0.
swing   o.......o....... ................ x...x.o.x...x.o. ..x...x...x...x. 0...2...4...5...
bossa   x.....oox.....oo ................ o.ooo.ooo.ooo.oo x.....x.....x... 0.....4.4.....0.
funk    x..x....x.x..o.. ....x..o.o..x..o xoxoxoxoxoxoxoxo x.....x.....x... 0.0.0.0.0.0.0.0.
house   x...x...x...x... ....x.......x... ..x...x...x...x. ..x...x...x...x. ..0...0...0...4.
techno  x...x...x...x... ................ ..x...x...x...xo ..x...x...x...x. ..0...0...0...4.
breaks  x.........x..... ....x..o.o..x... x.o.x.o.x.o.x.o. x............... 0.......0...4...
hiphop  x..o....x.x..... ....x.......x... o.o.o.o.o.o.o.o. x............... 0.....4.4.....0.
onedrop ........x....... ........x....... o.x.o.x.o.x.o.x. ..x...x...x...x. 0.....4.4.....0.
brush   o.......o....... ................ o.o.o.o.o.o.o.o. 0.1.2.1.2.1.2.1. 0.......0...4...
none    ................ ................ ................ 0.1.2.1.2.1.2.1. 0.......0...4...
"""
_GROOVES = {name: patterns for name, *patterns in map(str.split, _ROWS.strip().splitlines())}
"""The patterns of kick, snare, hat, chords and bass."""
_LAST_BAR = ("", "", "", "x", "0", "")
_RHYTHMS = ("x...x.x.........", "..x.x...x.x.....", "x.x.x.....x.x...", "x.....x.x.......")
_LOWEST_CHORD, _LOWEST_BASS, _LOWEST_LEAD, _LOWEST_DEEP_VOICE = 53, 34, 60, 45
"""MIDI pitches: chords and basses move within the octave above, leads within two."""


class Style(NamedTuple):
    """One way to play.

    ``bpm`` is a range; ``groove`` names patterns; ``chords``, ``bass`` and
    ``lead`` name timbres of ``recording.py``; ``minor`` is the chance of a minor key; ``level`` is
    the loudness in dBFS (RMS).
    """

    bpm: tuple[float, float]
    groove: str
    chords: str
    bass: str
    lead: str
    minor: float
    level: float


_STYLES = """
pop       96 118  pop     piano    finger  voice    0.25 -16.5
rock      104 144 rock    electric finger  electric 0.45 -15.5
jazz      84 124  swing   piano    upright reed     0.4  -20
swing     128 168 swing   piano    upright brass    0.2  -18
bossa     112 136 bossa   guitar   upright flute    0.4  -19.5
blues     72 100  pop     electric finger  electric 0.5  -18
soul      68 96   pop     rhodes   finger  voice    0.45 -18
funk      102 120 funk    rhodes   finger  synth    0.6  -16.5
house     118 128 house   synth    sub     synth    0.6  -15.5
techno    126 138 techno  synth    sub     synth    0.9  -15
breaks    160 174 breaks  pad      sub     synth    0.75 -15.5
hiphop    82 96   hiphop  rhodes   sub     reed     0.75 -16.5
lofi      68 84   hiphop  rhodes   finger  marimba  0.5  -20
reggae    70 84   onedrop organ    finger  voice    0.35 -17.5
folk      88 116  brush   guitar   finger  voice    0.35 -19.5
synthwave 88 112  house   pad      sub     synth    0.7  -16.5
ambient   58 72   none    pad      sub     harp     0.4  -21.5
classical 66 96   none    piano    cello   strings  0.5  -21
"""


STYLES: Mapping[str, Style] = {
    name: Style((float(low), float(high)), groove, chords, bass, lead, float(minor), float(level))
    for name, low, high, groove, chords, bass, lead, minor, level in map(
        str.split, _STYLES.strip().splitlines()
    )
}
_SUNG = frozenset(
    ("female vocals", "male vocals", "duet", "vocal harmonies", "vocal jazz", "choir")
)


def style_of(tags: Sequence[str], *, instrumental: bool) -> Style:
    """Choose how a song is played: the first genre among its tags, changed by the other tags."""
    style = STYLES[next((GENRES[tag].style for tag in tags if tag in GENRES), "pop")]
    valence, energy = mood_of(tags)
    instruments = [INSTRUMENTS[tag] for tag in tags if tag in INSTRUMENTS]
    lead = instruments[0] if instruments else "voice" if _SUNG & set(tags) else style.lead
    low, high = style.bpm
    return style._replace(
        bpm=(low * (1 + 0.16 * energy), high * (1 + 0.16 * energy)),
        lead="flute" if instrumental and lead == "voice" else lead,
        minor=min(0.95, max(0.05, style.minor - 0.5 * valence)),
        level=min(-14.5, max(-23.0, style.level + 1.5 * energy)),
    )


def mood_of(tags: Sequence[str]) -> Mood:
    """Average the moods among the tags; valence and energy are 0 without any."""
    moods = [MOODS[tag] for tag in tags if tag in MOODS] or [Mood(0, 0)]
    valence, energy = (sum(axis) / len(moods) for axis in zip(*moods, strict=True))
    return Mood(valence, energy)


class Note(NamedTuple):
    """One note; times are in seconds, pitches MIDI numbers, velocities 0 to 1.

    ``part`` is the timbre or drum that plays it.
    """

    start: float
    length: float
    pitch: int
    velocity: float
    part: str


class Chord(NamedTuple):
    """One chord by its name, such as "Am", and its time in seconds."""

    start: float
    end: float
    name: str


@dataclass(slots=True)
class Score:
    """A composed song: tempo, key, chords, notes, and loudness in dBFS (RMS)."""

    bpm: float
    key: str
    level: float
    chords: list[Chord] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def compose(
    style: Style,
    seconds: float,
    rng: Random,
    *,
    deep: bool,
    bpm: float | None = None,
    key: str | None = None,
) -> Score:
    """Write a piece of ``seconds`` in a constant tempo that ends on its tonic chord.

    ``deep`` makes a singer's voice a low one. A tempo and a key that are None are drawn.
    """
    drawn_bpm = round(rng.uniform(*style.bpm), 1)
    mode = "minor" if rng.random() < style.minor else "major"
    tonic = rng.randrange(12)
    if key is not None:
        mode = key.split()[1]
        tonic = KEYS[mode].index(key)
    bpm = drawn_bpm if bpm is None else bpm
    score = Score(bpm, KEYS[mode][tonic], style.level)
    bar_seconds = 240 / bpm
    bars = max(0, int((seconds - _ENDING) / bar_seconds))
    sections = rng.sample(_PROGRESSIONS[mode], k=2)
    melodies = [_melody(rng) for _ in range(2)]
    lowest_lead = _LOWEST_DEEP_VOICE if deep and style.lead == "voice" else _LOWEST_LEAD
    for bar in range(bars + 1):
        last, start = bar == bars, bar * bar_seconds
        end = seconds if last else start + bar_seconds
        degree = 0 if last else int(sections[bar // 4 % 2][bar % 4])
        scale = [tonic + _SCALES[mode][step % 7] for step in range(degree, degree + 7)]
        triad = scale[:5:2]
        score.chords.append(Chord(start, end, _chord_name(triad)))
        lead = [_above(lowest_lead, pitch) for pitch in triad]
        patterns = _LAST_BAR if last else (*_GROOVES[style.groove], melodies[bar % 2])
        parts = (*DRUMS, style.chords, style.bass, style.lead)
        pitches = (
            *([pitch] for pitch in DRUMS.values()),
            sorted(_above(_LOWEST_CHORD, pitch) for pitch in triad),
            [_above(_LOWEST_BASS, pitch) for pitch in scale],
            [*lead, *(pitch + 12 for pitch in lead)],
        )
        for part, pattern, choice in zip(parts, patterns, pitches, strict=True):
            for share, length, stroke in _strokes(pattern):
                for pitch in [choice[int(stroke)]] if stroke.isdigit() else choice:
                    velocity = (0.45 if stroke == "o" else 0.8) * rng.uniform(0.85, 1.0)
                    first, ring = start + share * (end - start), length * (end - start)
                    score.notes.append(Note(first, ring, pitch, velocity, part))
    return score


def _strokes(pattern: str) -> Iterator[tuple[float, float, str]]:
    """Yield start and length, as shares of a bar, and character of each note of a pattern."""
    starts = [index for index, character in enumerate(pattern) if character != "."]
    for start, end in itertools.pairwise([*starts, 16]):
        yield start / 16, 0.94 * (end - start) / 16, pattern[start]


def _melody(rng: Random) -> str:
    """Draw the pattern of a melody; its digits are notes of the chord in two octaves."""
    rhythm = rng.choice(_RHYTHMS)
    return "".join(str(rng.randrange(6)) if stroke == "x" else "." for stroke in rhythm)


def _above(lowest: int, pitch: int) -> int:
    """Return the pitch of the same name within the octave above ``lowest``."""
    return lowest + (pitch - lowest) % 12


def _chord_name(triad: list[int]) -> str:
    root, third, fifth = triad
    intervals = (third - root) % 12, (fifth - root) % 12
    return _NAMES[root % 12] + {(3, 6): "dim", (3, 7): "m", (4, 7): ""}[intervals]
