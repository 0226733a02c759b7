"""What a song's audio is made from: seed, tags and length, and the instruments that play it."""

from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

from musicapi_nb.simulator.music.composition import DRUMS, Score, compose, style_of

AudioFormat = Literal["mp3", "wav"]
CONTENT_TYPES: dict[AudioFormat, str] = {"mp3": "audio/mpeg", "wav": "audio/wav"}


class Timbre(NamedTuple):
    """One instrument.

    ``attack`` and ``release`` are in seconds, ``decay`` in 1/s (times the partial's number),
    ``pan`` runs from -1 (left) to 1 (right), ``partials`` are the weights of the multiples of the
    pitch from 1.
    """

    program: int
    label: str
    gain: float
    pan: float
    attack: float
    release: float
    decay: float
    partials: tuple[float, ...]


_TIMBRES = """
piano     0 Piano           0.40 -0.20 0.004 0.35 0.70 .6 .25 .14 .09 .06 .04
rhodes    4 Electric_Piano  0.40  0.20 0.005 0.25 0.50 .8 .22 .06 .02
organ    16 Organ           0.22  0.30 0.015 0.06 0    .5 .28 .16 .10 0 .05
guitar   24 Acoustic_Guitar 0.40  0.30 0.003 0.30 1.10 .55 .35 .16 .1 .06 .03
electric 27 Electric_Guitar 0.26 -0.30 0.006 0.12 0.30 .5 .3 .2 .13 .1 .07
harp     46 Harp            0.42  0.25 0.004 0.70 1.20 .75 .2 .08 .02
marimba  12 Marimba         0.48 -0.25 0.003 0.20 3.50 .85 0 0 .2
strings  48 Strings         0.26  0.15 0.200 0.45 0    .6 .3 .2 .12 .08 .05
pad      89 Synth_Pad       0.26 -0.15 0.300 0.60 0    .7 .25 .1 .05
synth    81 Synth_Lead      0.30  0.10 0.006 0.10 0.60 .5 .27 .18 .13 .1 .08
reed     65 Reed            0.34  0.15 0.045 0.09 0    .6 .3 .25 .12 .08 .04
brass    61 Brass           0.34  0.20 0.040 0.08 0    .45 .4 .3 .2 .1 .05
flute    73 Flute           0.36  0.20 0.050 0.10 0    .8 .16 .05
voice    54 Synth_Voice     0.44  0.00 0.070 0.13 0    .6 .4 .12 .05 .03
finger   33 Bass_Guitar     0.42  0.00 0.006 0.06 0.90 .8 .35 .15 .07
upright  32 Upright_Bass    0.46  0.00 0.012 0.14 1.30 .85 .3 .12 .05
cello    42 Cello           0.36  0.10 0.120 0.28 0    .6 .3 .15 .1 .05
sub      38 Synth_Bass      0.36  0.00 0.008 0.05 0.30 .8 .3 .14 .06
"""


def _timbre(program: str, label: str, *numbers: str) -> Timbre:
    gain, pan, attack, release, decay, *partials = map(float, numbers)
    name = label.replace("_", " ")
    return Timbre(int(program), name, gain, pan, attack, release, decay, tuple(partials))


TIMBRES: dict[str, Timbre] = {
    name: _timbre(*values) for name, *values in map(str.split, _TIMBRES.strip().splitlines())
}
"""Instrument to its sound, its General MIDI program (from 0) and the name that replies show."""
PARTS: frozenset[str] = frozenset((*TIMBRES, *DRUMS))
"""Everything that can play a note."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A performance composed from a seed; equal fields sound equal.

    A longer recording with the same seed and tags starts as the shorter one does. ``parts`` limits
    it to these instruments and drums (a stem); None plays all. ``bpm`` and ``key`` (such as
    "A minor") follow a request; None is drawn.
    """

    seed: str
    tags: tuple[str, ...]
    seconds: float
    instrumental: bool
    parts: frozenset[str] | None = None
    bpm: float | None = None
    key: str | None = None


def score_of(recording: Recording) -> Score:
    """Return the tempo, key, chords and notes of a recording."""
    score = performance(recording)
    if recording.parts is not None:
        score.notes = [note for note in score.notes if note.part in recording.parts]
    return score


def performance(recording: Recording) -> Score:
    """Return the score of a recording with the notes of all parts."""
    rng, tags = Random(f"{recording.seed}/audio"), recording.tags
    style = style_of(tags, instrumental=recording.instrumental)
    deep = "male vocals" in tags or ("female vocals" not in tags and rng.random() < 0.5)  # noqa: PLR2004 - even odds
    return compose(style, recording.seconds, rng, deep=deep, bpm=recording.bpm, key=recording.key)
