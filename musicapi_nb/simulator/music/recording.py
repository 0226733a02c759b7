"""A song's audio: composed, played, levelled and encoded when it is first requested."""

import io
import math
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
import soundfile

from musicapi_nb.simulator.music.composition import Score, compose
from musicapi_nb.simulator.music.styles import character
from musicapi_nb.simulator.music.synthesis import RATE, Samples, mix

AudioFormat = Literal["mp3", "wav"]
CONTENT_TYPES: dict[AudioFormat, str] = {"mp3": "audio/mpeg", "wav": "audio/wav"}

_PEAK = 0.85
_FADE_IN, _FADE_OUT = 0.01, 1.8


@dataclass(frozen=True, slots=True)
class Recording:
    """A performance composed from a seed; equal fields sound equal.

    A longer recording with the same seed and tags starts as the shorter one does. ``parts`` limits
    it to these instruments and drums (a stem); None plays all.
    """

    seed: str
    tags: tuple[str, ...]
    seconds: float
    instrumental: bool
    parts: frozenset[str] | None = None


def frames(seconds: float) -> int:
    """Return the number of sample frames of a duration in seconds."""
    return round(seconds * RATE)


def score_of(recording: Recording) -> Score:
    """Return the tempo, key, chords and notes of a recording."""
    score, _ = _compose(recording)
    if recording.parts is not None:
        score.notes = [note for note in score.notes if note.part in recording.parts]
    return score


def samples_of(recording: Recording) -> Samples:
    """Play a recording: float32 of shape (frames, 2), peak at most 0.85.

    The stems of a recording add up to it.
    """
    score, level = _compose(recording)
    samples = mix(score.notes, frames(recording.seconds))
    gain = _gain(samples, level)
    if recording.parts is not None:
        samples = mix(score_of(recording).notes, len(samples))
    return _fade(samples * np.float32(gain))


def encode(samples: Samples, audio_format: AudioFormat) -> bytes:
    """Write a file: MP3 at a variable rate, or 16-bit WAV."""
    file = io.BytesIO()
    if audio_format == "wav":
        soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    else:
        soundfile.write(file, samples, RATE, format="MP3", compression_level=0.7)
    return file.getvalue()


def _compose(recording: Recording) -> tuple[Score, float]:
    """Return the score of a performance and its loudness in dBFS (RMS)."""
    rng = Random(f"{recording.seed}/audio")
    played = character(recording.tags, rng, instrumental=recording.instrumental)
    return compose(played, recording.seconds, rng), played.style.level


def _gain(samples: Samples, level: float) -> float:
    """Return the factor for a loudness of ``level`` dBFS (RMS), lower where the peak limits it."""
    rms = math.sqrt(float(np.mean(np.square(samples, dtype=np.float64))))
    peak = float(np.max(np.abs(samples), initial=0.0))
    return min(10 ** (level / 20) / max(rms, 1e-9), _PEAK / max(peak, 1e-9))


def _fade(samples: Samples) -> Samples:
    rise = min(len(samples) // 4, frames(_FADE_IN))
    fall = min(len(samples) // 2, frames(_FADE_OUT))
    samples[:rise] *= np.linspace(0, 1, rise, dtype=np.float32)[:, None]
    curve = np.cos(np.linspace(0, np.pi / 2, fall, dtype=np.float32)) ** 2
    samples[len(samples) - fall :] *= curve[:, None]
    return samples
