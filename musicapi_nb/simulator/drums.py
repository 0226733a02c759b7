"""The drum kit: each stroke made of a falling sine and of noise that was given a colour."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from musicapi_nb.simulator.synth import RATE, Samples, shaped


def _noise(seconds: float, low: float, high: float, decay: float, seed: int) -> Samples:
    """Noise between two frequencies (Hz), fading by ``decay`` (1/s)."""
    count = int(seconds * RATE)
    white = np.random.default_rng(seed).standard_normal(count)
    hertz = np.fft.rfftfreq(count, 1 / RATE)
    colour = 1 / (1 + (low / np.maximum(hertz, 1)) ** 4) / (1 + (hertz / high) ** 4)
    wave = np.fft.irfft(np.fft.rfft(white) * colour, count)
    wave *= np.exp(-decay * np.arange(count) / RATE) / np.max(np.abs(wave))
    return wave.astype(np.float32)


def _thump(seconds: float, start: float, end: float, fall: float, decay: float) -> Samples:
    """Sound a sine that falls from ``start`` to ``end`` Hz."""
    t = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * (end * t + (start - end) * (1 - np.exp(-fall * t)) / fall)
    return (np.sin(phase) * np.exp(-decay * t)).astype(np.float32)


def _kick() -> Samples:
    return shaped(_thump(0.35, 150, 48, 32, 10), 0.002, 0.08)


def _snare() -> Samples:
    body = _thump(0.24, 240, 180, 20, 22) * np.float32(0.5)
    return shaped(body + _noise(0.24, 900, 8500, 20, 1) * np.float32(0.5), 0.001, 0.06)


def _gate() -> Samples:
    """Make the big snare whose room is cut off."""
    body = _thump(0.32, 220, 165, 20, 12) * np.float32(0.5)
    return shaped(body + _noise(0.32, 500, 7000, 5, 2) * np.float32(0.42), 0.001, 0.05)


def _clap() -> Samples:
    wave = _noise(0.26, 900, 6500, 18, 3)
    out = wave.copy()
    for delay in (0.011, 0.023):
        shift = int(delay * RATE)
        out[shift:] += wave[: len(wave) - shift]
    return shaped(out * np.float32(0.4), 0.001, 0.08)


def _hat() -> Samples:
    return shaped(_noise(0.07, 6500, 14000, 60, 4), 0.001, 0.02)


def _open() -> Samples:
    return shaped(_noise(0.24, 6000, 13500, 14, 5), 0.001, 0.08)


def _pedal() -> Samples:
    return shaped(_noise(0.1, 4500, 11000, 45, 6), 0.001, 0.03)


def _ride() -> Samples:
    ping = sum(
        (_thump(0.7, hertz, hertz, 1, 7) for hertz in (3130.0, 4270.0, 5410.0)),
        start=np.zeros(int(0.7 * RATE), dtype=np.float32),
    )
    return shaped(
        ping * np.float32(0.09) + _noise(0.7, 5000, 12000, 8, 7) * np.float32(0.5), 0.001, 0.3
    )


def _rim() -> Samples:
    return shaped(_thump(0.06, 1750, 1650, 40, 70) + _noise(0.06, 1500, 6000, 90, 8), 0.001, 0.02)


def _shaker() -> Samples:
    return shaped(_noise(0.09, 4500, 11000, 30, 9), 0.018, 0.04)


def _tom() -> Samples:
    return shaped(_thump(0.35, 170, 105, 14, 9), 0.002, 0.1)


KIT: Mapping[str, tuple[Callable[[], Samples], float, float]] = MappingProxyType(
    {
        "kick": (_kick, 0.72, 0.0),
        "snare": (_snare, 0.6, 0.05),
        "gate": (_gate, 0.55, 0.0),
        "clap": (_clap, 0.5, -0.05),
        "hat": (_hat, 0.3, 0.3),
        "open": (_open, 0.28, 0.3),
        "pedal": (_pedal, 0.24, 0.3),
        "ride": (_ride, 0.3, -0.3),
        "rim": (_rim, 0.26, 0.15),
        "shaker": (_shaker, 0.22, -0.35),
        "tom": (_tom, 0.45, -0.2),
    }
)


def stroke(drum: str) -> tuple[Samples, float]:
    """One stroke at its loudness in the mix, and its place between left (-1) and right (1)."""
    make, gain, pan = KIT[drum]
    return make() * np.float32(gain), pan
