"""Onsets and tempo of mono sound."""

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from musicapi_nb.audio.spectrum import frequencies, magnitude_blocks

_WINDOW_SECONDS = 0.045
_FRAMES_PER_SECOND = 100
_BANDS, _LOWEST_BAND, _HIGHEST_BAND = 48, 40.0, 10_500.0  # Hz
_RANGE_DB = 60.0  # below the loudest band of the song, nothing counts
_RISE_FRAMES = 2  # an attack lasts about so long
_LOCAL_SECONDS = 1.0
_LOWEST_BPM, _HIGHEST_BPM = 40.0, 240.0
# Ellis (2007), "Beat tracking by dynamic programming", Journal of New Music Research 36: people
# count music at about 120 bpm; the preference falls with the distance in octaves.
_PREFERRED_BPM, _PREFERENCE_OCTAVES = 120.0, 0.7
_TEMPO_STEPS = 1_200
_RATIOS = (0.5, 2.0, 2 / 3, 1.5)
_LONGEST_MULTIPLE = 32
_NO_PULSE, _CLEAR_PULSE = 0.1, 0.5
"""Autocorrelation at the beat of sound without a beat (noise, speech), and with a plain one."""
_ONSET_DB = 1.5
"""Rise over its surroundings, mean of the bands, that makes an onset."""
_ONSET_FRAMES = 3


class Onsets(NamedTuple):
    """Strength of onsets: the mean rise of the bands in dB, at `rate` frames a second."""

    strength: NDArray[np.float64]
    rate: float


class Tempo(NamedTuple):
    """A tempo in bpm, its confidence from 0 to 1, and other tempi at which it could be counted."""

    bpm: float
    confidence: float
    candidates: tuple[float, ...]


def measure_onsets(mono: NDArray[np.float32], rate: int) -> Onsets:
    """Measure how strongly new sounds set in (spectral flux of 48 mel bands in dB)."""
    hop = round(rate / _FRAMES_PER_SECOND)
    size = fft.next_fast_len(round(_WINDOW_SECONDS * rate))
    bands = _mel_bands(size, rate)
    blocks = magnitude_blocks(mono, size, hop)
    power = np.concatenate([np.square(block) @ bands for block in blocks])
    floor = power.max() * 10 ** (-_RANGE_DB / 10)
    if not floor > 0:
        return Onsets(np.zeros(len(power)), rate / hop)
    before = np.full((_RISE_FRAMES, power.shape[1]), floor)
    decibels = 10 * np.log10(np.maximum(np.concatenate([before, power]), floor))
    rises = np.maximum(0.0, decibels[_RISE_FRAMES:] - decibels[:-_RISE_FRAMES])
    strength = rises.mean(axis=1).astype(np.float64)
    width = round(_LOCAL_SECONDS * rate / hop) | 1
    local = np.convolve(strength, np.ones(width) / width, mode="same")
    return Onsets(np.maximum(0.0, strength - local), rate / hop)


def onset_rate(onsets: Onsets) -> float:
    """Return the number of onsets in a second."""
    strength = np.pad(onsets.strength, 1)  # the first frame can be a peak
    peaks, _ = signal.find_peaks(strength, height=_ONSET_DB, distance=_ONSET_FRAMES)
    return len(peaks) / (len(onsets.strength) / onsets.rate)


def estimate_tempo(onsets: Onsets) -> Tempo | None:
    """Estimate the tempo from the autocorrelation of the onsets; None without a regular pulse."""
    correlation = _autocorrelation(onsets.strength)
    if len(correlation) < 2 * onsets.rate * 60 / _LOWEST_BPM:
        return None
    tempi = np.geomspace(_LOWEST_BPM, _HIGHEST_BPM, _TEMPO_STEPS)
    pulses = np.interp(60 * onsets.rate / tempi, np.arange(len(correlation)), correlation)
    octaves = np.log2(tempi / _PREFERRED_BPM)
    salience = pulses * np.exp(-0.5 * np.square(octaves / _PREFERENCE_OCTAVES))
    best = int(salience.argmax())
    confidence = (pulses[best] - _NO_PULSE) / (_CLEAR_PULSE - _NO_PULSE)
    if confidence <= 0:
        return None
    lag = _refined_lag(correlation, 60 * onsets.rate / float(tempi[best]))
    bpm = 60 * onsets.rate / lag
    others = [bpm * ratio for ratio in _RATIOS]
    candidates = tuple(other for other in others if _LOWEST_BPM <= other <= _HIGHEST_BPM)
    return Tempo(bpm, min(1.0, float(confidence)), candidates)


def _autocorrelation(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the autocorrelation of each lag below half the length; 1 at lag 0."""
    count = len(strength)
    centred = strength - strength.mean()
    spectrum = fft.rfft(centred, 2 * count)
    products = fft.irfft(np.square(np.abs(spectrum)))[: count // 2]
    if not products[0] > 0:
        return np.zeros(0)
    means = products / (count - np.arange(len(products)))
    return np.asarray(means / means[0], dtype=np.float64)


def _refined_lag(correlation: NDArray[np.float64], lag: float) -> float:
    """Return a lag in frames, refined at its multiples: an error there is divided."""
    pulse, multiple = 0.0, 1
    while multiple <= _LONGEST_MULTIPLE:
        near = round(lag * multiple)
        reach = max(2, round(lag / 8))
        if near + reach + 1 >= len(correlation):
            break
        window = correlation[near - reach : near + reach + 1]
        top = near - reach + int(window.argmax())
        if correlation[top] < pulse / 2:
            break
        pulse = max(pulse, float(correlation[top]))
        lag = (top + _vertex(*map(float, correlation[top - 1 : top + 2]))) / multiple
        multiple *= 2
    return lag


def _vertex(left: float, middle: float, right: float) -> float:
    """Return where a parabola through three neighbours is highest, -0.5 to 0.5 from the middle."""
    bend = left - 2 * middle + right
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * (left - right) / bend))


@functools.cache
def _mel_bands(size: int, rate: int) -> NDArray[np.float32]:
    """Return triangular bands of the mel scale: weights of shape (bins, bands), each sums to 1."""
    highest = min(_HIGHEST_BAND, 0.98 * rate / 2)
    mels = np.linspace(_mel(_LOWEST_BAND), _mel(highest), _BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    hertz = frequencies(size, rate)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(weights / np.maximum(weights.sum(axis=0), 1e-9), dtype=np.float32)


def _mel(hertz: float) -> float:
    """Convert a frequency to the mel scale (O'Shaughnessy 1987)."""
    return 2595 * math.log10(1 + hertz / 700)
