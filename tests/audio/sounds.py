"""Sounds made for tests, and files of them."""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 22_050
Samples = NDArray[np.float64]


def encode(samples: Samples, rate: int = RATE, file_format: str = "WAV") -> bytes:
    file = io.BytesIO()
    options = {"subtype": "FLOAT"} if file_format == "WAV" else {}
    soundfile.write(file, samples, rate, format=file_format, **options)
    return file.getvalue()


def seconds_of(seconds: float, rate: int = RATE) -> Samples:
    """Return the times of the samples of a sound, in seconds."""
    return np.arange(round(seconds * rate)) / rate


def tone(hertz: float = 440.0, seconds: float = 2.0, level: float = 0.5) -> Samples:
    return level * np.sin(2 * np.pi * hertz * seconds_of(seconds))


def noise(seconds: float = 10.0, level: float = 0.1) -> Samples:
    return level * np.random.default_rng(1).standard_normal(round(seconds * RATE))


def clicks(bpm: float, seconds: float = 15.0) -> Samples:
    """Play a short decaying tone on every beat, the first of four beats louder."""
    samples = np.zeros(round(seconds * RATE))
    click = tone(1_500, 0.05) * np.exp(-80 * seconds_of(0.05))
    for beat in range(int(seconds * bpm / 60)):
        first = round(beat * 60 / bpm * RATE)
        room = samples[first : first + len(click)]
        room += click[: len(room)] * (1.0 if beat % 4 == 0 else 0.6)
    return samples


def chords(*names: tuple[int, ...], seconds: float = 1.0) -> Samples:
    """Play chords of MIDI pitches, one after another, with six overtones."""
    time = seconds_of(seconds)
    envelope = np.minimum(1, time / 0.02) * np.exp(-time)
    return np.concatenate(
        [
            envelope
            * sum(
                0.08
                / overtone
                * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * overtone * time)
                for pitch in pitches
                for overtone in range(1, 7)
            )
            for pitches in names
        ]
    )
