"""From a song's character and seed to notes: chords, bass, melody and drums. No I/O."""

from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from musicapi_nb.simulator.music.styles import Character, Mode

BEATS = 4
"""Beats of a bar."""
DRUMS: dict[str, int] = {"kick": 36, "snare": 38, "hat": 42}
"""Drum to its General MIDI key."""
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SCALES: dict[Mode, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
}
_PROGRESSIONS: dict[Mode, tuple[str, ...]] = {
    "major": ("0453", "5304", "0534", "0304", "1405", "0514"),
    "minor": ("0526", "0356", "0656", "0265", "0362", "0536"),
}
"""Scale degrees from 0, one chord a bar."""
_ENDING = 1.5
"""Seconds at the end for the last chord to ring."""

_BEATS: dict[str, str] = {
    # sixteen sixteenths of kick, snare and hat: x loud, o soft, . silent
    "pop": "x.....x.x....... ....x.......x... x.o.x.o.x.o.x.o.",
    "rock": "x.....x.x.x..... ....x.......x... x.x.x.x.x.x.x.x.",
    "swing": "o.......o....... ................ x...x.o.x...x.o.",
    "bossa": "x.....oox.....oo ................ o.ooo.ooo.ooo.oo",
    "funk": "x..x....x.x..o.. ....x..o.o..x..o xoxoxoxoxoxoxoxo",
    "house": "x...x...x...x... ....x.......x... ..x...x...x...x.",
    "techno": "x...x...x...x... ................ ..x...x...x...xo",
    "breaks": "x.........x..... ....x..o.o..x... x.o.x.o.x.o.x.o.",
    "hiphop": "x..o....x.x..... ....x.......x... o.o.o.o.o.o.o.o.",
    "onedrop": "........x....... ........x....... o.x.o.x.o.x.o.x.",
    "brush": "o.......o....... ................ o.o.o.o.o.o.o.o.",
    "none": "................ ................ ................",
}
_COMPING: dict[str, tuple[tuple[float, float], ...]] = {
    # (beat, length in beats) of each time that the chord is struck in a bar
    "long": ((0, 4),),
    "pulse": ((0, 1), (1, 1), (2, 1), (3, 1)),
    "bossa": ((0, 0.8), (1.5, 0.8), (3, 0.8)),
    "offbeat": ((0.5, 0.4), (1.5, 0.4), (2.5, 0.4), (3.5, 0.4)),
}
_BASSLINES: dict[str, tuple[tuple[float, float, int], ...]] = {
    # (beat, length in beats, scale steps above the root)
    "roots": ((0, 1.9, 0), (2, 0.9, 0), (3, 0.9, 4)),
    "eighths": tuple((beat / 2, 0.45, 0) for beat in range(8)),
    "fifths": ((0, 1.3, 0), (1.5, 0.5, 4), (2, 1.3, 4), (3.5, 0.5, 0)),
    "offbeat": ((0.5, 0.4, 0), (1.5, 0.4, 0), (2.5, 0.4, 0), (3.5, 0.4, 4)),
    "walking": ((0, 0.95, 0), (1, 0.95, 2), (2, 0.95, 4), (3, 0.95, 5)),
}
_RHYTHMS: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, 1), (1, 0.5), (1.5, 1.5)),
    ((0.5, 0.5), (1, 1), (2, 0.5), (2.5, 1.5)),
    ((0, 0.5), (0.5, 0.5), (1, 1), (2.5, 0.5), (3, 1)),
    ((0, 1.5), (1.5, 0.5), (2, 2)),
    ((0, 3),),
)
_LOWEST_CHORD, _LOWEST_BASS, _LOWEST_LEAD, _LOWEST_DEEP_VOICE = 53, 34, 60, 45
"""MIDI pitches: chords, basses and leads move within the octave or two above."""
_LEAD_STEPS = 11


class Note(NamedTuple):
    """One note: seconds, seconds, MIDI pitch, loudness 0 to 1, and the timbre or drum."""

    start: float
    length: float
    pitch: int
    velocity: float
    part: str


class Chord(NamedTuple):
    """One chord by its name, such as "Am7", and its time in seconds."""

    start: float
    end: float
    name: str


@dataclass(slots=True)
class Score:
    """A composed song: tempo, key, chords and notes."""

    bpm: float
    key: str
    chords: list[Chord] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def compose(character: Character, seconds: float, rng: Random) -> Score:
    """Write a piece of ``seconds`` in a constant tempo that ends on its tonic chord."""
    return _Composer(character, seconds, rng).write()


class _Composer:
    def __init__(self, character: Character, seconds: float, rng: Random) -> None:
        self.character = character
        self.style = character.style
        self.seconds = seconds
        self.rng = rng
        self.beat = 60 / character.bpm
        self.score = Score(character.bpm, f"{_NAMES[character.tonic]} {character.mode}")
        verse, chorus = rng.sample(_PROGRESSIONS[character.mode], k=2)
        self.progressions = {"verse": verse, "chorus": chorus}
        self.rhythms = {section: rng.choices(_RHYTHMS, k=2) for section in self.progressions}
        self.lead_degree = 2

    def write(self) -> Score:
        bars = max(1, round((self.seconds - _ENDING) / (BEATS * self.beat)))
        intro = 0 if bars < 4 else 1 if bars < 10 else 2  # noqa: PLR2004 - bars of a short piece
        for bar in range(bars):
            section = "chorus" if (bar - intro) // 4 % 2 and bar >= intro else "verse"
            degree = int(self.progressions[section][bar % 4])
            self._add_chord(bar, degree, 0.68 if section == "chorus" else 0.55)
            if bar >= intro:
                self._add_bass(bar, degree)
                self._add_melody(bar, degree, section)
                self._add_drums(bar, 1.0 if section == "chorus" else 0.85)
        self._add_ending(bars)
        return self.score

    def _pitch(self, degree: int, lowest: int) -> int:
        """Return the MIDI pitch of a scale degree counted from the first tonic above lowest."""
        octave, step = divmod(degree, 7)
        tonic = lowest + (self.character.tonic - lowest) % 12
        return tonic + 12 * octave + _SCALES[self.character.mode][step]

    def _chord_pitches(self, degree: int) -> list[int]:
        """Return the chord's notes within one octave, so that chords follow each other closely."""
        steps = (0, 2, 4, 6) if self.style.sevenths else (0, 2, 4)
        pitches = (self._pitch(degree + step, 0) for step in steps)
        return sorted(_LOWEST_CHORD + (pitch - _LOWEST_CHORD) % 12 for pitch in pitches)

    def _chord_name(self, degree: int) -> str:
        root, third, fifth, seventh = (self._pitch(degree + step, 0) for step in (0, 2, 4, 6))
        quality = {(3, 6): "dim", (3, 7): "m", (4, 7): ""}[third - root, fifth - root]
        suffix = ("7" if seventh - root == 10 else "maj7") if self.style.sevenths else ""  # noqa: PLR2004 - semitones
        return _NAMES[root % 12] + quality + suffix

    def _add_chord(self, bar: int, degree: int, velocity: float) -> None:
        start, end = self._time(bar, 0), self._time(bar + 1, 0)
        if start < self.seconds:
            chord = Chord(start, min(end, self.seconds), self._chord_name(degree))
            self.score.chords.append(chord)
        pitches = self._chord_pitches(degree)
        if self.style.comping == "arpeggio":
            for eighth in range(2 * BEATS):
                order = (0, 1, 2, 1, len(pitches) - 1, 1, 2, 1)
                pitch = pitches[order[eighth]]
                self._add(self._time(bar, eighth / 2), 1.6, pitch, velocity, self.style.chords)
            return
        for beat, length in _COMPING[self.style.comping]:
            for pitch in pitches:
                self._add(self._time(bar, beat), length, pitch, velocity, self.style.chords)

    def _add_bass(self, bar: int, degree: int) -> None:
        root = self._pitch(degree, 0) % 12
        lowest = _LOWEST_BASS + (root - _LOWEST_BASS) % 12
        for beat, length, step in _BASSLINES[self.style.bassline]:
            pitch = lowest + self._pitch(degree + step, 0) - self._pitch(degree, 0)
            self._add(self._time(bar, beat), length, pitch, 0.74, self.style.bass)

    def _add_melody(self, bar: int, degree: int, section: str) -> None:
        deep = self.style.lead == "voice" and self.character.deep
        lowest = _LOWEST_DEEP_VOICE if deep else _LOWEST_LEAD
        for beat, length in self.rhythms[section][bar % 2]:
            step = self.rng.choice((-2, -1, -1, 0, 1, 1, 2))
            self.lead_degree = max(0, min(_LEAD_STEPS, self.lead_degree + step))
            if beat % 2 == 0:  # a strong beat takes the nearest note of the chord
                notes = [note for note in range(_LEAD_STEPS) if (note - degree) % 7 in (0, 2, 4)]
                self.lead_degree = min(notes, key=lambda note: abs(note - self.lead_degree))
            pitch = self._pitch(self.lead_degree, lowest)
            self._add(self._time(bar, beat), 0.94 * length, pitch, 0.7, self.style.lead)

    def _add_drums(self, bar: int, gain: float) -> None:
        for (drum, key), pattern in zip(
            DRUMS.items(), _BEATS[self.style.beat].split(), strict=True
        ):
            for sixteenth, stroke in enumerate(pattern):
                if stroke != ".":
                    velocity = gain * (0.9 if stroke == "x" else 0.45)
                    self._add(self._time(bar, sixteenth / 4), 0.1 / self.beat, key, velocity, drum)

    def _add_ending(self, bar: int) -> None:
        remaining = (self.seconds - self._time(bar, 0)) / self.beat
        if remaining <= 0:
            return
        self.score.chords.append(Chord(self._time(bar, 0), self.seconds, self._chord_name(0)))
        for pitch in self._chord_pitches(0):
            self._add(self._time(bar, 0), remaining, pitch, 0.6, self.style.chords)
        root = self._pitch(0, _LOWEST_BASS)
        self._add(self._time(bar, 0), remaining, root, 0.7, self.style.bass)

    def _time(self, bar: int, beat: float) -> float:
        delay = self.style.swing / 2 if beat % 1 == 0.5 else 0.0  # noqa: PLR2004 - off-beat eighth
        return (bar * BEATS + beat + delay) * self.beat

    def _add(self, start: float, length: float, pitch: int, velocity: float, part: str) -> None:
        """Add a note of ``length`` beats at ``start`` seconds, cut at the end of the song."""
        if start < self.seconds:
            velocity *= self.rng.uniform(0.92, 1.0)
            seconds = min(length * self.beat, self.seconds - start)
            self.score.notes.append(Note(start, seconds, pitch, velocity, part))
