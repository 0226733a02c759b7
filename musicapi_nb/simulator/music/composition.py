"""Compose a song from its character and seed: chords, bass, melody and drums. No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from musicapi_nb.simulator.music.styles import Character, Mode

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

# Patterns have a character for each sixteenth of a bar: "." goes on, other characters start a note.
_CHORDS = {  # x: all notes of the chord, a digit: one of them
    "long": "x...............",
    "pulse": "x...x...x...x...",
    "bossa": "x.....x.....x...",
    "offbeat": "..x...x...x...x.",
    "arpeggio": "0.1.2.1.2.1.2.1.",
}
_BASSES = {  # scale steps above the root of the chord
    "roots": "0.......0...4...",
    "eighths": "0.0.0.0.0.0.0.0.",
    "fifths": "0.....4.4.....0.",
    "offbeat": "..0...0...0...4.",
    "walking": "0...2...4...5...",
}
_MELODIES = (
    "x...x.x.........",
    "..x.x...x.x.....",
    "x.x.x.....x.x...",
    "x.....x.x.......",
    "x...............",
)
_BEATS = {  # kick, snare, hat; x: loud, o: soft
    "pop": ("x.....x.x.......", "....x.......x...", "x.o.x.o.x.o.x.o."),
    "rock": ("x.....x.x.x.....", "....x.......x...", "x.x.x.x.x.x.x.x."),
    "swing": ("o.......o.......", "................", "x...x.o.x...x.o."),
    "bossa": ("x.....oox.....oo", "................", "o.ooo.ooo.ooo.oo"),
    "funk": ("x..x....x.x..o..", "....x..o.o..x..o", "xoxoxoxoxoxoxoxo"),
    "house": ("x...x...x...x...", "....x.......x...", "..x...x...x...x."),
    "techno": ("x...x...x...x...", "................", "..x...x...x...xo"),
    "breaks": ("x.........x.....", "....x..o.o..x...", "x.o.x.o.x.o.x.o."),
    "hiphop": ("x..o....x.x.....", "....x.......x...", "o.o.o.o.o.o.o.o."),
    "onedrop": ("........x.......", "........x.......", "o.x.o.x.o.x.o.x."),
    "brush": ("o.......o.......", "................", "o.o.o.o.o.o.o.o."),
    "none": ("................", "................", "................"),
}
_LOWEST_CHORD, _LOWEST_BASS, _LOWEST_LEAD, _LOWEST_DEEP_VOICE = 53, 34, 60, 45
"""MIDI pitches: chords, basses and leads move within the octave or two above."""
_LEAD_STEPS = 11


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
        self.character, self.style = character, character.style
        self.seconds = seconds
        self.rng = rng
        self.sixteenth = 15 / character.bpm
        self.score = Score(character.bpm, f"{_NAMES[character.tonic]} {character.mode}")
        self.lead_degree = 2

    def write(self) -> Score:
        sections = self.rng.sample(_PROGRESSIONS[self.character.mode], k=2)
        melodies = [self.rng.choices(_MELODIES, k=2) for _ in sections]
        bars = max(1, round((self.seconds - _ENDING) / (16 * self.sixteenth)))
        for bar in range(bars):
            section = bar // 4 % 2
            degree = int(sections[section][bar % 4])
            self._add_chord(bar, degree, _CHORDS[self.style.comping])
            self._add_bass(bar, degree, _BASSES[self.style.bassline])
            self._add_melody(bar, degree, melodies[section][bar % 2])
            for drum, pattern in zip(DRUMS, _BEATS[self.style.beat], strict=True):
                for time, _, stroke in self._strokes(bar, pattern):
                    self._add(time, 0.1, DRUMS[drum], 0.9 if stroke == "x" else 0.45, drum)
        self._add_chord(bars, 0, _CHORDS["long"])
        self._add_bass(bars, 0, "0...............")
        return self.score

    def _add_chord(self, bar: int, degree: int, pattern: str) -> None:
        start, end = (16 * number * self.sixteenth for number in (bar, bar + 1))
        if start < self.seconds:
            chord = Chord(start, min(end, self.seconds), self._chord_name(degree))
            self.score.chords.append(chord)
        steps = (0, 2, 4, 6) if self.style.sevenths else (0, 2, 4)
        above = ((self._pitch(degree + step, 0) - _LOWEST_CHORD) % 12 for step in steps)
        pitches = sorted(_LOWEST_CHORD + step for step in above)
        for time, length, stroke in self._strokes(bar, pattern):
            for pitch in pitches if stroke == "x" else [pitches[int(stroke)]]:
                self._add(time, length, pitch, 0.6, self.style.chords)

    def _add_bass(self, bar: int, degree: int, pattern: str) -> None:
        root = self._pitch(degree, 0)
        lowest = _LOWEST_BASS + (root - _LOWEST_BASS) % 12
        for time, length, step in self._strokes(bar, pattern):
            pitch = lowest + self._pitch(degree + int(step), 0) - root
            self._add(time, length, pitch, 0.74, self.style.bass)

    def _add_melody(self, bar: int, degree: int, pattern: str) -> None:
        deep = self.style.lead == "voice" and self.character.deep
        lowest = _LOWEST_DEEP_VOICE if deep else _LOWEST_LEAD
        chord = [step for step in range(_LEAD_STEPS) if (step - degree) % 7 in (0, 2, 4)]
        for index, (time, length, _) in enumerate(self._strokes(bar, pattern)):
            step = self.rng.choice((-2, -1, -1, 0, 1, 1, 2))
            target = max(0, min(_LEAD_STEPS, self.lead_degree + step))
            if index % 2 == 0:
                target = min(chord, key=lambda note: abs(note - target))
            self.lead_degree = target
            self._add(time, length, self._pitch(target, lowest), 0.7, self.style.lead)

    def _pitch(self, degree: int, lowest: int) -> int:
        """Return the MIDI pitch of a scale degree counted from the first tonic above lowest."""
        octave, step = divmod(degree, 7)
        tonic = lowest + (self.character.tonic - lowest) % 12
        return tonic + 12 * octave + _SCALES[self.character.mode][step]

    def _chord_name(self, degree: int) -> str:
        root, third, fifth, seventh = (self._pitch(degree + step, 0) for step in (0, 2, 4, 6))
        quality = {(3, 6): "dim", (3, 7): "m", (4, 7): ""}[third - root, fifth - root]
        suffix = ("7" if seventh - root == 10 else "maj7") if self.style.sevenths else ""  # noqa: PLR2004 - semitones
        return _NAMES[root % 12] + quality + suffix

    def _strokes(self, bar: int, pattern: str) -> Iterator[tuple[float, float, str]]:
        """Yield start and length (seconds) and character of each note of a pattern."""
        starts = [index for index, character in enumerate(pattern) if character != "."]
        for start, end in zip(starts, (*starts[1:], 16), strict=False):
            swing = self.style.swing if start % 4 == 2 else 0.0  # noqa: PLR2004 - off-beat eighth
            time = (16 * bar + start + 2 * swing) * self.sixteenth
            yield time, 0.94 * (end - start) * self.sixteenth, pattern[start]

    def _add(self, start: float, length: float, pitch: int, velocity: float, part: str) -> None:
        """Add a note of slightly varied velocity, cut at the end of the song."""
        if start < self.seconds:
            velocity *= self.rng.uniform(0.92, 1.0)
            note = Note(start, min(length, self.seconds - start), pitch, velocity, part)
            self.score.notes.append(note)
