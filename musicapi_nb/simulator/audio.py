"""A song's audio: composed, played, mixed and encoded when it is first asked for."""

import io
import itertools
import math
from collections.abc import Sequence
from random import Random
from typing import Literal

import numpy as np
import soundfile

from musicapi_nb.simulator.composition import Score, compose
from musicapi_nb.simulator.drums import stroke
from musicapi_nb.simulator.genres import character
from musicapi_nb.simulator.m4a import to_m4a
from musicapi_nb.simulator.synth import GAINS, RATE, VOICES, Samples, frequency

AudioFormat = Literal["mp3", "m4a", "wav"]

CONTENT_TYPES: dict[AudioFormat, str] = {
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "wav": "audio/wav",
}

_PEAK = 0.85
_FADE_OUT = 1.8
_BLOCK = 1 << 18
"""Frames convolved at once: a power of two, much longer than the echo."""
_ROOM_SECONDS = 1.3
_JOINT = 0.02
"""Seconds over which two pieces are blended."""


def frames(duration: float) -> int:
    """Give the number of sample frames of a duration (s)."""
    return round(duration * RATE)


def render(
    seed: str,
    tags: Sequence[str],
    duration: float,
    *,
    instrumental: bool,
    parts: frozenset[str] | None = None,
) -> Samples:
    """Play a song: float32 of shape (frames, 2), peak below 1, exactly ``duration`` seconds.

    ``parts`` leaves only these voices and drums, as loud as they are among the others.
    """
    rng = Random(f"{seed}/audio")
    played = character(tags, rng, instrumental=instrumental)
    score = compose(played, duration, rng)
    room = rng.randrange(2**32)
    wet = np.float32(played.style.wet)

    def mixed(score: Score) -> Samples:
        dry = _mix(score, frames(duration))
        return dry * (1 - wet / 2) + _room(dry, room) * wet

    whole = mixed(score)
    gain = _gain(whole, played.style.level)
    return _mastered(whole if parts is None else mixed(_only(score, parts)), gain)


def join(pieces: Sequence[Samples]) -> Samples:
    """Set pieces one after the other, each faded in and out so briefly that nothing clicks."""
    edge = int(_JOINT * RATE / 2)
    faded = [piece.copy() for piece in pieces]
    for before, after in itertools.pairwise(faded):
        out, into = before[-edge:], after[:edge]
        out *= np.linspace(1, 0, len(out), dtype=np.float32)[:, None]
        into *= np.linspace(0, 1, len(into), dtype=np.float32)[:, None]
    return np.concatenate(faded)


def encode(samples: Samples, form: AudioFormat) -> bytes:
    """Write a file: MP3 at a variable rate, the same in the boxes of an M4A, or 16-bit WAV."""
    if form == "m4a":
        return to_m4a(encode(samples, "mp3"), len(samples), RATE)
    file = io.BytesIO()
    if form == "wav":
        soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    else:
        soundfile.write(file, samples, RATE, format="MP3", compression_level=0.7)
    return file.getvalue()


def _mix(score: Score, count: int) -> Samples:
    """Lay all notes and strokes out in stereo; equal ones are played once."""
    out = np.zeros((2, count), dtype=np.float32)
    played: dict[tuple[str, int, int], Samples] = {}
    for note in score.notes:
        # Lengths to a sixtieth of a second: more notes are alike, nobody hears it.
        key = (note.voice, note.pitch, max(2, round(note.length * 60)))
        if key not in played:
            wave = VOICES[note.voice](frequency(note.pitch), key[2] / 60)
            played[key] = wave * np.float32(GAINS[note.voice])
        _lay(out, played[key], note.start, note.velocity, note.pan)
    kit: dict[str, tuple[Samples, float]] = {}
    for hit in score.hits:
        if hit.drum not in kit:
            kit[hit.drum] = stroke(hit.drum)
        wave, pan = kit[hit.drum]
        _lay(out, wave, hit.start, hit.velocity, pan)
    return np.ascontiguousarray(out.T)


def _lay(out: Samples, wave: Samples, start: float, velocity: float, pan: float) -> None:
    first = int(start * RATE)
    part = wave[: max(0, out.shape[1] - first)]
    angle = (pan + 1) * math.pi / 4
    for channel, gain in enumerate((math.cos(angle), math.sin(angle))):
        out[channel, first : first + len(part)] += part * np.float32(velocity * gain)


def _room(dry: Samples, seed: int) -> Samples:
    """Convolve with the echo of a room: noise that fades, duller as it does; block by block."""
    length = int(_ROOM_SECONDS * RATE)
    t = np.arange(length) / RATE
    noise = np.random.default_rng(seed).standard_normal((2, length))
    hertz = np.fft.rfftfreq(length, 1 / RATE)
    colour = 1 / (1 + (hertz / 4200) ** 2) / (1 + (180 / np.maximum(hertz, 1)) ** 2)
    echo = np.fft.irfft(np.fft.rfft(noise) * colour, length) * np.exp(-4.8 * t)
    echo[:, : int(0.012 * RATE)] = 0
    echo *= 0.9 / np.sqrt(np.sum(echo**2, axis=1, keepdims=True))
    spectrum = np.fft.rfft(echo.astype(np.float32), _BLOCK)
    step = _BLOCK - length
    out = np.zeros((2, len(dry) + _BLOCK), dtype=np.float32)
    for first in range(0, len(dry), step):
        block = np.fft.rfft(np.ascontiguousarray(dry[first : first + step].T), _BLOCK)
        out[:, first : first + _BLOCK] += np.fft.irfft(block * spectrum, _BLOCK)
    return np.ascontiguousarray(out[:, : len(dry)].T)


def _only(score: Score, parts: frozenset[str]) -> Score:
    return Score(
        [note for note in score.notes if note.voice in parts],
        [hit for hit in score.hits if hit.drum in parts],
    )


def _gain(mixed: Samples, level: float) -> float:
    """Say what brings a piece to its loudness (dBFS RMS)."""
    rms = math.sqrt(float(np.mean(np.square(_centred(mixed), dtype=np.float64))))
    return float(10 ** (level / 20) / max(rms, 1e-9))


def _centred(mixed: Samples) -> Samples:
    mean = mixed.mean(axis=0, dtype=np.float64)
    return np.asarray(mixed - mean.astype(np.float32), dtype=np.float32)


def _mastered(mixed: Samples, gain: float) -> Samples:
    """Bring the piece to its loudness, round off peaks, fade in and out."""
    mixed = _centred(mixed)
    # tanh leaves quiet passages alone and lets nothing through above its ceiling.
    out = np.tanh(mixed * np.float32(gain / _PEAK)) * np.float32(_PEAK)
    edge = min(len(out) // 4, int(0.01 * RATE))
    fade = min(len(out) // 2, int(_FADE_OUT * RATE))
    out[:edge] *= np.linspace(0, 1, edge, dtype=np.float32)[:, None]
    out[len(out) - fade :] *= (
        np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32))[:, None] ** 2
    )
    return np.asarray(out, dtype=np.float32)
