"""Instruments: functions from a pitch to samples, built of sines. Mono float32, peak about 1.

A sum of partials needs no filter and cannot alias below ``RATE / 2``, which keeps this short.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Weights = Mapping[int, float] | Mapping[float, float]
"""Loudness of each partial, by its multiple of the fundamental."""

RATE = 24_000
_HIGHEST = 11_000.0
_TAU = np.float32(2 * np.pi)


def frequency(pitch: int) -> float:
    """Hertz of a MIDI pitch."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))


def partials(
    hertz: float,
    seconds: float,
    weights: Weights,
    *,
    decay: float = 0.0,
    damping: float = 0.0,
    vibrato: float = 0.0,
) -> Samples:
    """Sum sines at multiples of ``hertz``.

    Each fades by ``decay`` plus ``damping`` times its multiple (1/s); ``vibrato`` is the depth as a
    share of the pitch, setting in after a moment.
    """
    t = np.arange(int(seconds * RATE), dtype=np.float32) / np.float32(RATE)
    phase = _TAU * np.float32(hertz) * t
    if vibrato:
        onset = np.minimum(t / 0.35, 1) ** 2
        phase = phase + np.float32(vibrato * hertz / 5.3) * onset * (1 - np.cos(_TAU * 5.3 * t))
    out = np.zeros_like(t)
    for multiple, weight in weights.items():
        if hertz * multiple > _HIGHEST:
            continue
        wave = np.sin(phase * np.float32(multiple))
        if decay or damping:
            wave *= np.exp(-np.float32(decay + damping * multiple) * t)
        out += np.float32(weight) * wave
    return out


def shaped(wave: Samples, attack: float, release: float) -> Samples:
    """Fade in and out (seconds), so that nothing clicks."""
    rise = min(len(wave) // 2, max(1, int(attack * RATE)))
    fall = min(len(wave) - rise, max(1, int(release * RATE)))
    wave[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise, dtype=np.float32)) ** 2
    wave[len(wave) - fall :] *= np.cos(np.linspace(0, np.pi / 2, fall, dtype=np.float32)) ** 2
    return wave


def _harmonics(count: int, slope: float, *, odd: bool = False) -> dict[float, float]:
    weights = {float(n): n**-slope for n in range(1, count + 1, 2 if odd else 1)}
    return {n: weight / sum(weights.values()) * 1.6 for n, weight in weights.items()}


def piano(hertz: float, seconds: float) -> Samples:
    """Struck strings: upper partials are slightly sharp and die sooner."""
    weights = {n * (1 + 0.0004 * n * n): n**-1.35 * 0.55 for n in range(1, 11)}
    wave = partials(hertz, seconds + 0.5, weights, decay=0.9, damping=0.55 + hertz / 900)
    return shaped(wave, 0.004, 0.35)


def rhodes(hertz: float, seconds: float) -> Samples:
    """A tine: a round tone with a bell at the start."""
    body = partials(hertz, seconds + 0.4, {1: 0.8, 2: 0.22, 3: 0.06}, decay=0.75, damping=0.15)
    bell = partials(hertz, seconds + 0.4, {7.0: 0.1, 11.0: 0.03}, decay=9)
    return shaped(body + bell, 0.005, 0.25)


def organ(hertz: float, seconds: float) -> Samples:
    """Drawbars."""
    weights = {0.5: 0.25, 1: 0.5, 2: 0.28, 3: 0.16, 4: 0.1, 6: 0.05}
    return shaped(partials(hertz, seconds + 0.06, weights, vibrato=0.003), 0.015, 0.06)


def guitar(hertz: float, seconds: float) -> Samples:
    """A plucked nylon string; plucking near the middle takes partials away."""
    weights = {n: abs(np.sin(n * np.pi * 0.23)) * n**-1.1 * 0.8 for n in range(1, 12)}
    wave = partials(hertz, seconds + 0.5, weights, decay=1.6, damping=0.6 + hertz / 1500)
    return shaped(wave, 0.003, 0.3)


def electric(hertz: float, seconds: float) -> Samples:
    """An amplifier driven a little."""
    wave = partials(
        hertz, seconds + 0.15, _harmonics(9, 1.1), decay=0.7, damping=0.12, vibrato=0.002
    )
    return shaped(np.tanh(wave * np.float32(1.5)) * np.float32(0.6), 0.006, 0.12)


def harp(hertz: float, seconds: float) -> Samples:
    """A long, clear pluck."""
    wave = partials(
        hertz, seconds + 1.0, {1: 0.75, 2: 0.2, 3: 0.08, 5: 0.02}, decay=1.4, damping=0.8
    )
    return shaped(wave, 0.004, 0.7)


def marimba(hertz: float, seconds: float) -> Samples:
    """Wooden bars: the fourth and tenth partial, quickly gone."""
    wave = partials(hertz, max(seconds, 0.4) + 0.3, {1: 0.85}, decay=4.5)
    wave += partials(hertz, max(seconds, 0.4) + 0.3, {3.9: 0.2, 9.2: 0.05}, decay=16)
    return shaped(wave, 0.003, 0.2)


def strings(hertz: float, seconds: float) -> Samples:
    """Several bows that do not quite agree."""
    weights = _harmonics(9, 1.35)
    wave = sum(
        (
            partials(hertz * tune, seconds + 0.5, weights, vibrato=0.0025)
            for tune in (0.9965, 1.0, 1.0035)
        ),
        start=np.zeros(int((seconds + 0.5) * RATE), dtype=np.float32),
    )
    return shaped(wave * np.float32(0.36), min(0.28, seconds / 2), 0.45)


def pad(hertz: float, seconds: float) -> Samples:
    """Two soft oscillators that beat slowly."""
    wave = partials(hertz * 0.997, seconds + 0.8, _harmonics(6, 1.7))
    wave += partials(hertz * 1.003, seconds + 0.8, _harmonics(6, 1.7))
    return shaped(wave * np.float32(0.5), min(0.5, seconds / 2), 0.75)


def synth(hertz: float, seconds: float) -> Samples:
    """Saws that close like a filter does."""
    weights = _harmonics(12, 1.05)
    wave = partials(hertz * 0.998, seconds + 0.12, weights, decay=0.8, damping=0.35)
    wave += partials(hertz * 1.003, seconds + 0.12, weights, decay=0.8, damping=0.35)
    return shaped(wave * np.float32(0.5), 0.006, 0.1)


def reed(hertz: float, seconds: float) -> Samples:
    """A breathy reed."""
    weights = {1: 0.62, 2: 0.3, 3: 0.27, 4: 0.12, 5: 0.09, 6: 0.04, 7: 0.03}
    return shaped(partials(hertz, seconds + 0.08, weights, vibrato=0.004), 0.045, 0.09)


def brass(hertz: float, seconds: float) -> Samples:
    """Brass opens as it sounds."""
    wave = partials(hertz, seconds + 0.1, _harmonics(4, 0.9), vibrato=0.002)
    bright = shaped(partials(hertz, seconds + 0.1, {5: 0.1, 6: 0.08, 7: 0.05}), 0.12, 0.1)
    return shaped(wave * np.float32(0.75) + bright, 0.03, 0.08)


def flute(hertz: float, seconds: float) -> Samples:
    """Nearly a sine."""
    return shaped(
        partials(hertz, seconds + 0.1, {1: 0.8, 2: 0.16, 3: 0.05}, vibrato=0.004), 0.05, 0.1
    )


_VOWELS = ((730.0, 1090.0, 2440.0), (570.0, 840.0, 2410.0), (500.0, 1750.0, 2450.0))
_SPREAD = (90.0, 120.0, 180.0)


def voice(hertz: float, seconds: float) -> Samples:
    """A wordless singer: harmonics under the formants of a vowel that the pitch picks."""
    formants = _VOWELS[round(hertz) % len(_VOWELS)]
    weights: dict[float, float] = {}
    for n in range(1, max(2, int(4200 / hertz)) + 1):
        peaks = zip(formants, _SPREAD, (1.0, 0.55, 0.25), strict=True)
        gain = sum(g / (1 + ((n * hertz - f) / w) ** 2) for f, w, g in peaks)
        weights[float(n)] = (gain + 0.12 / n) * n**-0.35
    total = sum(weights.values())
    weights = {n: weight / total * 1.1 for n, weight in weights.items()}
    return shaped(partials(hertz, seconds + 0.12, weights, vibrato=0.007), 0.07, 0.13)


def finger(hertz: float, seconds: float) -> Samples:
    """An electric bass under a finger."""
    weights = {1: 0.8, 2: 0.35, 3: 0.15, 4: 0.07, 5: 0.03}
    return shaped(partials(hertz, seconds + 0.06, weights, decay=0.9, damping=0.9), 0.006, 0.06)


def pick(hertz: float, seconds: float) -> Samples:
    """An electric bass with a plectrum."""
    wave = partials(hertz, seconds + 0.05, _harmonics(8, 1.1), decay=0.8, damping=0.5)
    return shaped(wave, 0.004, 0.05)


def upright(hertz: float, seconds: float) -> Samples:
    """A double bass, plucked."""
    weights = {1: 0.85, 2: 0.3, 3: 0.12, 4: 0.05}
    return shaped(partials(hertz, seconds + 0.15, weights, decay=1.6, damping=1.1), 0.012, 0.14)


def cello(hertz: float, seconds: float) -> Samples:
    """A bowed bass."""
    return shaped(partials(hertz, seconds + 0.3, _harmonics(8, 1.4), vibrato=0.0025), 0.12, 0.28)


def sub(hertz: float, seconds: float) -> Samples:
    """A synthesiser's bass with enough overtones for small loudspeakers."""
    wave = partials(
        hertz, seconds + 0.05, {1: 0.8, 2: 0.3, 3: 0.14, 4: 0.06}, decay=0.3, damping=0.4
    )
    return shaped(wave, 0.008, 0.05)


VOICES: Mapping[str, Callable[[float, float], Samples]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            piano,
            rhodes,
            organ,
            guitar,
            electric,
            harp,
            marimba,
            strings,
            pad,
            synth,
            reed,
            brass,
            flute,
            voice,
            finger,
            pick,
            upright,
            cello,
            sub,
        )
    }
)

GAINS: Mapping[str, float] = MappingProxyType(
    {
        "piano": 0.42,
        "rhodes": 0.42,
        "organ": 0.26,
        "guitar": 0.42,
        "electric": 0.3,
        "harp": 0.46,
        "marimba": 0.5,
        "strings": 0.24,
        "pad": 0.3,
        "synth": 0.36,
        "reed": 0.36,
        "brass": 0.36,
        "flute": 0.36,
        "voice": 0.5,
        "finger": 0.4,
        "pick": 0.38,
        "upright": 0.46,
        "cello": 0.36,
        "sub": 0.33,
    }
)
"""How loud each is in the mix."""
