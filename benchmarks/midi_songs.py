"""Random songs as MIDI files, with other patterns than the simulator's; used by audio_sounds.py.

Tempi of 62 to 169 bpm, equally likely on a logarithmic scale; chords last two, four or eight beats.
Some songs have no drums, sevenths, swing or notes that are up to some 20 ms early or late.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import mido

if TYPE_CHECKING:
    from random import Random

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
DEGREES = {
    "major": ((0, 4, 5, 3), (0, 5, 3, 4), (1, 4, 0, 0), (0, 3, 0, 4), (5, 3, 0, 4), (0, 2, 3, 4)),
    "minor": ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 4), (0, 3, 6, 2), (0, 0, 3, 4)),
}
"""Mode to progressions: scale degrees of the chords, from 0."""
# Kick, snare and hat; a character is a sixteenth of a bar.
_DRUMS = (
    ("x.......x.......", "....x.......x...", "x.x.x.x.x.x.x.x."),
    ("x..x..x...x.....", "....x..x....x...", "x.xxx.xxx.xxx.xx"),
    ("x...x...x...x...", "....x.......x...", "..x...x...x...x."),
    ("x.....x...x.....", "....x.......x.x.", "xxxxxxxxxxxxxxxx"),
    ("................", "................", "................"),
    ("x.........x.....", "........x.......", "x...x...x...x..."),
)
_DRUM_PITCHES, _DRUM_VELOCITIES = (36, 38, 42), (105, 100, 70)
_CHORD_RHYTHMS = ((0, 4, 8, 12), (0, 8), (0, 3, 6, 10, 12), (0, 2, 4, 6, 8, 10, 12, 14), (0,))
_BASS_RHYTHMS = ((0, 8), (0, 4, 8, 12), (0, 6, 8))
_CHORD_BEATS = (2, 2, 4, 4, 4, 4, 8, 8)
_PROGRAMS = (
    (0, 1, 4, 11, 16, 24, 25, 27, 48, 50, 89),  # chords
    (32, 33, 34, 38, 43),  # bass
    (0, 11, 22, 40, 52, 53, 56, 65, 71, 73, 80),  # melody
)
_CHORDS, _BASS, _MELODY, _DRUM_CHANNEL = 0, 1, 2, 9
_TICKS = 480
_SECONDS = 30


class Song(NamedTuple):
    """A MIDI file, its tempo in bpm and its key, such as "A minor"."""

    file: mido.MidiFile
    bpm: float
    key: str


class _Style(NamedTuple):
    """What a song draws once; `jitter` is in ticks, `chord_beats` the length of its chords."""

    tonic: int
    mode: str
    sections: list[tuple[int, ...]]
    chord_beats: int
    chord_rhythm: tuple[int, ...]
    drums: tuple[str, str, str]
    melodies: list[list[bool]]
    swings: bool
    sevenths: bool
    jitter: int


class _Player:
    """Collects notes; times and lengths are in sixteenths of a bar."""

    def __init__(self, rng: Random, style: _Style) -> None:
        self._rng, self._style = rng, style
        self.events: list[tuple[int, mido.Message]] = [
            (0, mido.Message("program_change", channel=channel, program=rng.choice(programs)))
            for channel, programs in enumerate(_PROGRAMS)
        ]

    def play(self, channel: int, start: float, length: float, pitch: int, velocity: float) -> None:
        late = 1 / 3 if self._style.swings and start % 4 == 2 else 0.0
        tick = max(0, int((start + late) * _TICKS / 4 + self._rng.gauss(0, self._style.jitter)))
        velocity = int(velocity * self._rng.uniform(0.85, 1))
        note = {"channel": channel, "note": pitch}
        self.events.append((tick, mido.Message("note_on", velocity=velocity, **note)))
        end = tick + max(1, int(length * _TICKS / 4))
        self.events.append((end, mido.Message("note_off", **note)))


def compose(rng: Random) -> Song:
    """Write a song of about 30 s."""
    bpm = round(2 ** rng.uniform(5.95, 7.4), 1)
    mode = rng.choice(list(SCALES))
    style = _Style(
        tonic=rng.randrange(12),
        mode=mode,
        sections=[rng.choice(DEGREES[mode]) for _ in range(2)],
        chord_beats=rng.choice(_CHORD_BEATS),
        chord_rhythm=rng.choice(_CHORD_RHYTHMS),
        drums=rng.choice(_DRUMS),
        melodies=[[rng.random() < 0.45 for _ in range(8)] for _ in range(2)],
        swings=rng.random() < 0.2,
        sevenths=rng.random() < 0.3,
        jitter=rng.choice((0, 6, 12)),
    )
    player = _Player(rng, style)
    bars = int(_SECONDS / (240 / bpm))
    for bar in range(bars):
        _play_bar(player, rng, style, bar)
    tonic_chord = _chord(rng, style, 0)[:3]
    for pitch in tonic_chord:
        player.play(_CHORDS, 16 * bars, 15, above(52, pitch), 80)
    player.play(_BASS, 16 * bars, 16, above(33, tonic_chord[0]), 95)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))])
    now = 0
    for tick, message in sorted(player.events, key=lambda event: event[0]):
        track.append(message.copy(time=tick - now))
        now = tick
    file = mido.MidiFile(ticks_per_beat=_TICKS, tracks=[track])
    return Song(file, bpm, f"{TONICS[style.tonic]} {mode}")


def _play_bar(player: _Player, rng: Random, style: _Style, bar: int) -> None:
    first, section = 16 * bar, bar // 4 % 2
    halves = [
        _chord(rng, style, style.sections[section][beat // style.chord_beats % 4])
        for beat in (4 * bar, 4 * bar + 2)
    ]
    for start, end in itertools.pairwise([*style.chord_rhythm, 16]):
        for pitch in halves[start // 8]:
            player.play(_CHORDS, first + start, 0.95 * (end - start), above(52, pitch), 80)
    for start in rng.choice(_BASS_RHYTHMS):
        root, _, fifth = halves[start // 8][:3]
        pitch = root if start in {0, 8} else rng.choice((root, fifth))
        player.play(_BASS, first + start, 6, above(33, pitch), 95)
    for pattern, pitch, velocity in zip(style.drums, _DRUM_PITCHES, _DRUM_VELOCITIES, strict=True):
        for start, stroke in enumerate(pattern):
            if stroke == "x":
                player.play(_DRUM_CHANNEL, first + start, 1, pitch, velocity - 10 * (start % 4 > 0))
    for eighth, sounds in enumerate(style.melodies[section]):
        in_chord = eighth % 2 == 0 and rng.random() < 0.6
        scale_note = style.tonic + rng.choice(SCALES[style.mode])
        pitch = rng.choice(halves[eighth // 4][:3]) if in_chord else scale_note
        if sounds:
            player.play(_MELODY, first + 2 * eighth, 2, above(64, pitch), 88)


def _chord(rng: Random, style: _Style, degree: int) -> list[int]:
    """Return the notes of a chord, its root first; the fifth chord of minor is mostly major."""
    scale = SCALES[style.mode]
    notes = [style.tonic + scale[(degree + third) % 7] for third in (0, 2, 4, 6)]
    if style.mode == "minor" and degree == 4 and rng.random() < 0.7:
        notes[1] += 1
    return notes if style.sevenths else notes[:3]


def above(lowest: int, pitch: int) -> int:
    """Return the pitch of the same name within the octave above `lowest`."""
    return lowest + (pitch - lowest) % 12
