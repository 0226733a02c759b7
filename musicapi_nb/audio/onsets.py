"""When sounds set in: the rise of the bands of a mono sound."""

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
_HIGHEST_BASS = 200.0  # Hz
_RANGE_DB = 60.0  # below the loudest band of the song, nothing counts
_RISE_FRAMES = 2  # about the length of an attack
_LOCAL_SECONDS = 1.0
_ONSET_DB = 1.5  # rise over its surroundings that makes an onset
_ONSET_FRAMES = 3


class Onsets(NamedTuple):
    """Strength of onsets, at `rate` frames a second: the rise in dB, over that of a second around.

    `strength` is the mean of all bands, `bass` that of the bands below 200 Hz.
    """

    strength: NDArray[np.float64]
    bass: NDArray[np.float64]
    rate: float


def measure_onsets(mono: NDArray[np.float32], rate: int) -> Onsets:
    """Measure how strongly sounds set in (spectral flux of 48 mel bands in dB)."""
    hop = round(rate / _FRAMES_PER_SECOND)
    size = fft.next_fast_len(round(_WINDOW_SECONDS * rate))
    bands, centres = mel_bands(size, rate)
    blocks = magnitude_blocks(mono, size, hop)
    power = np.concatenate([np.square(block) @ bands for block in blocks])
    floor = power.max() * 10 ** (-_RANGE_DB / 10)
    if not floor > 0:
        return Onsets(np.zeros(len(power)), np.zeros(len(power)), rate / hop)
    before = np.full((_RISE_FRAMES, power.shape[1]), floor)
    decibels = 10 * np.log10(np.maximum(np.concatenate([before, power]), floor))
    rises = np.maximum(0.0, decibels[_RISE_FRAMES:] - decibels[:-_RISE_FRAMES])
    width = round(_LOCAL_SECONDS * rate / hop)
    return Onsets(
        strength=above_local_mean(rises.mean(axis=1), width),
        bass=above_local_mean(rises[:, centres < _HIGHEST_BASS].mean(axis=1), width),
        rate=rate / hop,
    )


def above_local_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Return by how much each value exceeds the mean of the `width` values around it, or 0."""
    width |= 1
    local = np.convolve(np.pad(values, width // 2), np.ones(width) / width, mode="valid")
    return np.asarray(np.maximum(0.0, values - local), dtype=np.float64)


def onset_rate(onsets: Onsets) -> float:
    """Return the number of onsets in a second."""
    strength = np.pad(onsets.strength, 1)  # the first frame can be a peak
    peaks, _ = signal.find_peaks(strength, height=_ONSET_DB, distance=_ONSET_FRAMES)
    return len(peaks) / (len(onsets.strength) / onsets.rate)


@functools.cache
def mel_bands(size: int, rate: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return triangular bands of the mel scale: weights (bins, bands), and centres in Hz.

    The weights of a band sum to 1.
    """
    highest = min(_HIGHEST_BAND, 0.98 * rate / 2)
    mels = np.linspace(_mel(_LOWEST_BAND), _mel(highest), _BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    hertz = frequencies(size, rate)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights /= np.maximum(weights.sum(axis=0), 1e-9)
    return weights.astype(np.float32), edges[1:-1]


def _mel(hertz: float) -> float:
    """Convert a frequency to the mel scale (O'Shaughnessy 1987)."""
    return 2595 * math.log10(1 + hertz / 700)
