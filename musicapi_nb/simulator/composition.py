"""From a song's character and seed to notes: form, chords, bass, melody and drums. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from musicapi_nb.simulator.genres import JAZZ_PROGRESSIONS, PROGRESSIONS, Character

_BEATS = 4
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_ENDING = 2.6
"""Seconds kept for the last chord to ring."""


class Note(NamedTuple):
    """Seconds, MIDI pitch, loudness 0 to 1, the voice that plays it, and its place -1 to 1."""

    start: float
    length: float
    pitch: int
    velocity: float
    voice: str
    pan: float


class Hit(NamedTuple):
    """One stroke of the drums."""

    start: float
    drum: str
    velocity: float


@dataclass(slots=True)
class Score:
    """Everything to be played."""

    notes: list[Note] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    bpm: float = 0.0
    """The tempo that it is played at."""


DRUMS: dict[str, dict[str, str]] = {
    # Sixteen sixteenths a bar: x loud, o soft, . nothing.
    "pop": {"kick": "x.....x.x.......", "snare": "....x.......x...", "hat": "x.o.x.o.x.o.x.o."},
    "rock": {"kick": "x.....x.x.x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
    "ride": {"kick": "o.......o.......", "ride": "x...x.o.x...x.o.", "pedal": "....x.......x..."},
    "shuffle": {
        "kick": "x.......x.o.....",
        "snare": "....x.......x...",
        "ride": "x.o.x.o.x.o.x.o.",
    },
    "bossa": {"kick": "x.....oox.....oo", "rim": "x.....x.....x...", "shaker": "oooooooooooooooo"},
    "funk": {"kick": "x..x....x.x..o..", "snare": "....x..o.o..x..o", "hat": "xoxoxoxoxoxoxoxo"},
    "house": {"kick": "x...x...x...x...", "clap": "....x.......x...", "open": "..x...x...x...x."},
    "techno": {"kick": "x...x...x...x...", "hat": "..x...x...x...xo", "rim": "...o..o....o..o."},
    "breaks": {"kick": "x.........x.....", "snare": "....x..o.o..x...", "hat": "x.o.x.o.x.o.x.o."},
    "boombap": {"kick": "x..o....x.x.....", "snare": "....x.......x...", "hat": "x.o.x.o.x.o.x.oo"},
    "lofi": {"kick": "x.....o...x.....", "rim": "....x.......x...", "hat": "o.o.o.o.o.o.o.o."},
    "onedrop": {"kick": "........x.......", "rim": "........x.......", "hat": "o.x.o.x.o.x.o.x."},
    "brush": {"kick": "o.......o.......", "shaker": "x.o.x.o.x.o.x.o."},
    "gated": {"kick": "x...x...x...x...", "gate": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
    "none": {},
}

_COMPING = {
    # (beat, length in beats) of each time the chord is struck in a bar
    "pulse": ((0, 1), (1, 1), (2, 1), (3, 1)),
    "long": ((0, 4),),
    "eighths": (
        (0, 0.5),
        (0.5, 0.5),
        (1, 0.5),
        (1.5, 0.5),
        (2, 0.5),
        (2.5, 0.5),
        (3, 0.5),
        (3.5, 0.5),
    ),
    "charleston": ((0, 0.8), (1.5, 1.2)),
    "bossa": ((0, 0.8), (1.5, 0.8), (3, 0.8)),
    "syncopated": ((0, 0.7), (1.5, 0.4), (2.5, 1.2)),
    "offbeat": ((0.5, 0.4), (1.5, 0.4), (2.5, 0.4), (3.5, 0.4)),
    "stab": ((0.75, 0.3), (2.5, 0.3)),
    "skank": ((1, 0.3), (3, 0.3)),
}

_BASSLINES = {
    # (beat, length, step above the root in scale degrees)
    "roots": ((0, 1.9, 0), (2, 0.9, 0), (3, 0.9, 4)),
    "eighths": tuple((beat / 2, 0.45, 0) for beat in range(8)),
    "bossa": ((0, 1.3, 0), (1.5, 0.5, 4), (2, 1.3, 4), (3.5, 0.5, 0)),
    "syncopated": ((0, 0.7, 0), (1.5, 0.4, 0), (2.5, 0.4, 4), (3, 0.4, 7), (3.5, 0.4, 6)),
    "offbeat": ((0.5, 0.4, 0), (1.5, 0.4, 0), (2.5, 0.4, 0), (3.5, 0.4, 4)),
    "sixteenths": tuple((step / 4, 0.2, 0) for step in range(16) if step % 4),
    "long": ((0, 3.9, 0),),
}

_REGISTERS = {
    "voice": 58,
    "reed": 57,
    "electric": 57,
    "brass": 59,
    "strings": 62,
    "flute": 66,
    "harp": 66,
    "marimba": 64,
}
_LOWEST_STEP, _HIGHEST_STEP = -3, 9
"""The reach of a melody, in steps of the scale from its tonic."""
_CONSONANT = 0.85
"""Share of the strong beats on which the melody seeks a note of the chord."""
_TO_CHORD = ((0,), (-1, 1), (0,), (-1, 1), (0,), (-1,), (1,))
"""By the step above the chord's root: how to reach its root, third or fifth."""

_RHYTHMS: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, 1), (1, 0.5), (1.5, 1.5)),
    ((0.5, 0.5), (1, 1), (2, 0.5), (2.5, 1.5)),
    ((0, 0.5), (0.5, 0.5), (1, 1), (2.5, 0.5), (3, 1)),
    ((0, 1.5), (1.5, 0.5), (2, 2)),
    ((1, 0.5), (1.5, 0.5), (2, 1), (3, 1)),
    ((0, 3),),
)
_ENDINGS: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0, 1), (1, 2.5)),
    ((0, 0.5), (0.5, 2.5)),
    ((0, 3.5),),
)


def compose(character: Character, seconds: float, rng: Random) -> Score:
    """Write a piece that fills ``seconds`` and comes to rest on its tonic."""
    return _Writer(character, seconds, rng).write()


class _Writer:
    """One piece being written; times are kept in beats until a note is put down."""

    def __init__(self, character: Character, seconds: float, rng: Random) -> None:
        self.character = character
        self.style = character.style
        self.rng = rng
        self.score = Score()
        self.scale = _SCALES[character.mode]
        bar = _BEATS * 60 / character.bpm
        self.bars = max(2, round((seconds - _ENDING) / bar))
        # The tempo gives a little, so that the last bar ends where the piece is to end.
        self.beat = max(seconds - _ENDING, seconds * 0.7) / (self.bars * _BEATS)
        self.score.bpm = 60 / self.beat
        table = JAZZ_PROGRESSIONS if self.style.sevenths else PROGRESSIONS
        verse, chorus = rng.sample(table[character.mode], k=2)
        self.progressions = {"verse": verse, "chorus": chorus}
        self.motifs = {name: self._motif() for name in self.progressions}
        self.top = self._register()

    def write(self) -> Score:
        voicing: tuple[int, ...] = ()
        for bar, section in enumerate(_form(self.bars)):
            part = "chorus" if section == "chorus" else "verse"
            progression = self.progressions[part]
            degree = progression[bar % len(progression)]
            voicing = self._voice(degree, voicing)
            self._chords(bar, voicing, section)
            if section != "intro":
                self._bass(bar, degree)
            if section in ("verse", "chorus"):
                self._melody(bar, degree, part)
            self._drums(bar, section)
        self._close(voicing)
        return self.score

    def _pitch(self, degree: int, around: int) -> int:
        """Give the MIDI pitch of a scale degree, in the octave whose tonic lies near ``around``."""
        octave, step = divmod(degree, len(self.scale))
        tonic = around + (self.character.tonic - around + 6) % 12 - 6
        return tonic + 12 * octave + self.scale[step]

    def _register(self) -> int:
        """MIDI pitch near which the melody's tonic lies; it may rise an octave and a third."""
        if self.style.lead == "voice" and self.character.deep:
            return 47
        return _REGISTERS.get(self.style.lead, 62)

    def _voice(self, degree: int, before: Sequence[int]) -> tuple[int, ...]:
        """Choose the inversion that moves least from the chord before."""
        size = 4 if self.style.sevenths else 3
        chord = [self._pitch(degree + 2 * step, 53) for step in range(size)]
        choices = []
        for turn in range(size):
            notes = sorted([*chord[turn:], *(note + 12 for note in chord[:turn])])
            choices += [[note + shift for note in notes] for shift in (-12, 0)]
        middle = before or (57, 60, 64, 67)
        centre = sum(middle) / len(middle)
        best = min(choices, key=lambda notes: (_distance(notes, centre), notes))
        return tuple(best)

    def _chords(self, bar: int, voicing: Sequence[int], section: str) -> None:
        loud = {"intro": 0.5, "verse": 0.55, "chorus": 0.68}.get(section, 0.5)
        if self.style.comping == "picking":
            order = (0, 1, 2, 1, len(voicing) - 1, 1, 2, 1)
            for step, index in enumerate(order):
                self._put(bar, step / 2, 1.6, voicing[index], loud * 0.95, voice=self.style.chords)
        else:
            for beat, length in _COMPING[self.style.comping]:
                for rank, pitch in enumerate(voicing):
                    self._put(
                        bar, beat, length, pitch, loud, voice=self.style.chords, strum=rank * 0.008
                    )
        if self.style.pad and section in ("chorus", "intro"):
            for rank, pitch in enumerate(voicing):
                self._put(bar, 0, 4, pitch, 0.3, voice=self.style.pad, pan=(-0.5, 0.5)[rank % 2])

    def _bass(self, bar: int, degree: int) -> None:
        root = self._pitch(degree, 38)
        while root > 46:  # noqa: PLR2004 - B flat, where a bass stops sounding like one
            root -= 12
        if self.style.bassline == "walking":
            for quarter, step in enumerate((0, 2, 4, self.rng.choice((5, 6, 3)))):
                pitch = root + self._pitch(degree + step, 38) - self._pitch(degree, 38)
                self._put(
                    bar,
                    quarter,
                    0.95,
                    pitch,
                    0.72 + 0.05 * self.rng.random(),
                    voice=self.style.bass,
                )
            return
        for beat, length, step in _BASSLINES[self.style.bassline]:
            pitch = root + self._pitch(degree + step, 38) - self._pitch(degree, 38)
            self._put(bar, beat, length, pitch, 0.74, voice=self.style.bass)

    def _motif(self) -> tuple[tuple[float, float, int], ...]:
        """Write two bars of melody as (beat, length, steps from the last note): a call, a reply."""
        call = self.rng.choice(_RHYTHMS)
        answer = self.rng.choice(_ENDINGS)
        rhythm = [*call, *((beat + _BEATS, length) for beat, length in answer)]
        return tuple(
            (beat, length, self.rng.choice((-2, -1, -1, 0, 1, 1, 2))) for beat, length in rhythm
        )

    def _melody(self, bar: int, degree: int, part: str) -> None:
        half = bar % 2
        steps = [
            (beat - half * _BEATS, length, move)
            for beat, length, move in self.motifs[part]
            if half * _BEATS <= beat < (half + 1) * _BEATS
        ]
        at = degree + self.rng.choice((2, 4, 7) if part == "chorus" else (0, 2, 4))
        at -= 7 if at > _HIGHEST_STEP else 0
        for index, (beat, length, move) in enumerate(steps):
            if index:
                at += move
            if beat in (0, 2) and self.rng.random() < _CONSONANT:
                at += self.rng.choice(_TO_CHORD[(at - degree) % 7])
            at = max(_LOWEST_STEP, min(_HIGHEST_STEP, at))
            loud = 0.66 if part == "verse" else 0.74
            self._put(
                bar, beat, length * 0.94, self._pitch(at, self.top), loud, voice=self.style.lead
            )

    def _drums(self, bar: int, section: str) -> None:
        if section == "intro":
            return
        gain = 0.8 if section == "verse" else 1.0
        for drum, pattern in DRUMS[self.style.drums].items():
            for step, mark in enumerate(pattern):
                if mark == ".":
                    continue
                loud = (0.9 if mark == "x" else 0.45) * gain * self.rng.uniform(0.88, 1.0)
                start = self._seconds(bar, step / 4) + self.rng.uniform(-0.003, 0.003)
                self.score.hits.append(Hit(max(0.0, start), drum, loud))
        if bar % 8 == 7 and self.style.drums not in ("none", "ride", "bossa", "brush"):  # noqa: PLR2004 - every eighth bar
            for step in (12, 13, 14, 15):
                self.score.hits.append(Hit(self._seconds(bar, step / 4), "tom", 0.4 + step / 40))

    def _close(self, voicing: Sequence[int]) -> None:
        last = self._voice(0, voicing)
        for rank, pitch in enumerate(last):
            self._put(self.bars, 0, 4, pitch, 0.6, voice=self.style.chords, strum=rank * 0.03)
        self._put(self.bars, 0, 4, self._pitch(0, 38), 0.7, voice=self.style.bass)

    def _seconds(self, bar: int, beat: float) -> float:
        late = self.style.swing / 2 if round(beat * 4) % 4 == 2 else 0.0  # noqa: PLR2004 - the off-beat eighth
        return (bar * _BEATS + beat + late) * self.beat

    def _put(
        self,
        bar: int,
        beat: float,
        length: float,
        pitch: int,
        velocity: float,
        *,
        voice: str,
        strum: float = 0.0,
        pan: float | None = None,
    ) -> None:
        start = self._seconds(bar, beat) + strum + self.rng.uniform(0, 0.006)
        place = _PANS.get(voice, 0.0) if pan is None else pan
        loud = velocity * self.rng.uniform(0.94, 1.0)
        self.score.notes.append(Note(start, length * self.beat, pitch, loud, voice, place))


_PANS = {
    "piano": -0.2,
    "guitar": 0.3,
    "rhodes": 0.2,
    "electric": -0.3,
    "organ": 0.3,
    "reed": 0.15,
    "flute": 0.2,
    "marimba": -0.25,
    "harp": 0.25,
    "brass": 0.2,
    "synth": 0.1,
}


def _form(bars: int) -> Iterator[str]:
    """Name the section of each bar: an introduction, then verses and choruses of four."""
    intro = 2 if bars >= 10 else 1  # noqa: PLR2004 - short pieces have no time for more
    yield from ["intro"] * intro
    for bar in range(bars - intro):
        yield "chorus" if bar // 4 % 2 else "verse"


def _distance(notes: Sequence[int], centre: float) -> float:
    return abs(sum(notes) / len(notes) - centre) + 0.5 * abs(sum(notes) / len(notes) - 61)
