"""Plays a recording by sums of sines and noise, levels it, and encodes it when requested."""

import functools
import io
import math
from collections.abc import Iterable

import numpy as np
import soundfile
from numpy.typing import NDArray

from musicapi_nb.simulator.music.composition import DRUMS, Note
from musicapi_nb.simulator.music.recording import (
    TIMBRES,
    AudioFormat,
    Recording,
    performance,
    score_of,
)

_PEAK = 0.85
_FADE_IN, _FADE_OUT = 0.01, 1.8
Samples = NDArray[np.float32]
RATE = 24_000
"""Sample frames a second."""
_HIGHEST = 11_000.0
"""Hertz; partials above would alias or be inaudible."""
_LENGTHS_PER_SECOND = 60
"""Notes are played in lengths of a sixtieth of a second, so that more of them are equal."""


def frames(seconds: float) -> int:
    """Return the number of sample frames of a duration in seconds."""
    return round(seconds * RATE)


def samples_of(recording: Recording) -> Samples:
    """Play a recording: float32 of shape (frames, 2), peak at most 0.85.

    The stems of a recording add up to it.
    """
    score = performance(recording)
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
