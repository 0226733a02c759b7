"""A song's audio: composed, played by sums of sines and noise, levelled, encoded when requested."""

import functools
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from musicapi_nb.simulator.music.composition import DRUMS, Note, Score, compose, style_of

AudioFormat = Literal["mp3", "wav"]
CONTENT_TYPES: dict[AudioFormat, str] = {"mp3": "audio/mpeg", "wav": "audio/wav"}

_PEAK = 0.85
_FADE_IN, _FADE_OUT = 0.01, 1.8
Samples = NDArray[np.float32]
RATE = 24_000
"""Sample frames a second."""
_HIGHEST = 11_000.0
"""Hertz; partials above would alias or be inaudible."""
_LENGTHS_PER_SECOND = 60
"""Notes are played in lengths of a sixtieth of a second, so that more of them are equal."""


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


def frames(seconds: float) -> int:
    """Return the number of sample frames of a duration in seconds."""
    return round(seconds * RATE)


def score_of(recording: Recording) -> Score:
    """Return the tempo, key, chords and notes of a recording."""
    score = _performance(recording)
    if recording.parts is not None:
        score.notes = [note for note in score.notes if note.part in recording.parts]
    return score


def samples_of(recording: Recording) -> Samples:
    """Play a recording: float32 of shape (frames, 2), peak at most 0.85.

    The stems of a recording add up to it.
    """
    score = _performance(recording)
    samples = mix(score.notes, frames(recording.seconds))
    rms = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64))))
    peak = float(np.max(np.abs(samples), initial=0.0))
    gain = min(10 ** (score.level / 20) / max(rms, 1e-9), _PEAK / max(peak, 1e-9))
    if recording.parts is not None:
        samples = mix(score_of(recording).notes, len(samples))
    samples *= np.float32(gain)
    for channel in samples.T:
        fade(channel, _FADE_IN, _FADE_OUT)
    return samples


def encode(samples: Samples, audio_format: AudioFormat) -> bytes:
    """Write a file: MP3 at a variable rate, or 16-bit WAV."""
    file = io.BytesIO()
    options = {"subtype": "PCM_16"} if audio_format == "wav" else {"compression_level": 0.7}
    soundfile.write(file, samples, RATE, format=audio_format, **options)
    return file.getvalue()


def _performance(recording: Recording) -> Score:
    rng, tags = Random(f"{recording.seed}/audio"), recording.tags
    style = style_of(tags, instrumental=recording.instrumental)
    deep = "male vocals" in tags or ("female vocals" not in tags and rng.random() < 0.5)  # noqa: PLR2004 - even odds
    return compose(style, recording.seconds, rng, deep=deep, bpm=recording.bpm, key=recording.key)


def mix(notes: Iterable[Note], frames: int) -> Samples:
    """Play notes in stereo: float32 of shape (frames, 2), not yet levelled.

    Linear: the mixes of disjoint sets of notes add up to the mix of all.
    """
    out = np.zeros((frames, 2), dtype=np.float32)
    waves: dict[tuple[str, int, int], Samples] = {}
    for note in notes:
        key = (note.part, note.pitch, max(2, round(note.length * _LENGTHS_PER_SECOND)))
        if key not in waves:
            waves[key] = _drum(note.part) if note.part in DRUMS else _tone(*key)
        first = round(note.start * RATE)
        wave = waves[key][: max(0, frames - first)]
        pan = TIMBRES[note.part].pan if note.part in TIMBRES else 0.0
        angle = (pan + 1) * math.pi / 4
        gains = np.array([math.cos(angle), math.sin(angle)], dtype=np.float32)
        out[first : first + len(wave)] += wave[:, None] * (gains * np.float32(note.velocity))
    return out


def _tone(part: str, pitch: int, length: int) -> Samples:
    timbre = TIMBRES[part]
    hertz = 440.0 * 2 ** ((pitch - 69) / 12)
    seconds = length / _LENGTHS_PER_SECOND + timbre.release
    time = np.arange(round(seconds * RATE), dtype=np.float32) / np.float32(RATE)
    phase = np.float32(2 * np.pi * hertz) * time
    wave = np.zeros_like(time)
    for number, weight in enumerate(timbre.partials, start=1):
        if weight and hertz * number < _HIGHEST:
            partial = np.float32(timbre.gain * weight) * np.sin(np.float32(number) * phase)
            wave += partial * np.exp(np.float32(-timbre.decay * number) * time)
    return fade(wave, timbre.attack, timbre.release)


@functools.cache
def _drum(drum: str) -> Samples:
    """Play one stroke: a kick falls in pitch, a snare adds noise, a hat is bright noise."""
    time = np.arange(round(0.3 * RATE)) / RATE
    noise = np.random.default_rng(DRUMS[drum]).standard_normal(len(time) + 1)
    if drum == "kick":
        cycles = 48 * time + 3 * (1 - np.exp(-32 * time))
        wave = 0.8 * np.sin(2 * np.pi * cycles) * np.exp(-10 * time)
    elif drum == "snare":
        tone = np.sin(2 * np.pi * 190 * time) * np.exp(-22 * time)
        wave = 0.35 * tone + 0.14 * noise[1:] * np.exp(-20 * time)
    else:
        wave = 0.06 * np.diff(noise) * np.exp(-60 * time)  # differences keep the high frequencies
    return fade(wave.astype(np.float32), 0.001, 0.06)


def fade(wave: Samples, attack: float, release: float) -> Samples:
    """Fade in and out (seconds) in place, so that nothing clicks."""
    rise = min(len(wave) // 2, max(1, round(attack * RATE)))
    fall = min(len(wave) - rise, max(1, round(release * RATE)))
    wave[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise, dtype=np.float32)) ** 2
    wave[len(wave) - fall :] *= np.cos(np.linspace(0, np.pi / 2, fall, dtype=np.float32)) ** 2
    return wave
