"""A song's audio: composed, played, levelled and encoded when it is first requested."""

import io
import math
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np
import soundfile

from musicapi_nb.simulator.music.composition import Score, compose
from musicapi_nb.simulator.music.styles import style_of
from musicapi_nb.simulator.music.synthesis import RATE, Samples, fade, mix

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
    return compose(style, recording.seconds, rng, deep=deep)
