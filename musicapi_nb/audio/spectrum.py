"""Short-time spectra of mono sound, in a bounded memory."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

_FRAMES_AT_ONCE = 1_024
_WINDOW_SECONDS = 0.085
_LOWEST, _HIGHEST = 20.0, 10_500.0  # Hz; every usual sample rate has these
VOICE_BAND = (200.0, 4_000.0)
"""Hz in which most of the energy of a singing voice lies, whatever else sounds there."""
_QUIET = 1e-6  # frames with less than this share of the power of the loudest do not count


class Timbre(NamedTuple):
    """Median spectral centroid in Hz, and share of the energy in the band of voices."""

    brightness: float
    vocal_share: float


def measure_timbre(mono: NDArray[np.float32], rate: int) -> Timbre | None:
    """Measure the spectrum from 20 Hz to 10.5 kHz; None for silence.

    A frame's centroid is the mean of the frequencies, weighted by magnitude. Frames more than 60 dB
    below the loudest do not count.
    """
    size = round(_WINDOW_SECONDS * rate)
    hertz = frequencies(size, rate)
    audible = (hertz >= _LOWEST) & (hertz <= _HIGHEST)
    hertz = hertz[audible]
    voice = (hertz >= VOICE_BAND[0]) & (hertz <= VOICE_BAND[1])
    centroids, powers, voice_powers = [], [], []
    for block in magnitude_blocks(mono, size, size // 2):
        magnitudes = block[:, audible]
        power = np.square(magnitudes)
        centroids.append(magnitudes @ hertz / np.maximum(magnitudes.sum(axis=1), 1e-12))
        powers.append(power.sum(axis=1))
        voice_powers.append(power[:, voice].sum(axis=1))
    power, voice_power = np.concatenate(powers), np.concatenate(voice_powers)
    if not power.max() > 0:
        return None
    loud = power > _QUIET * power.max()
    return Timbre(
        brightness=float(np.median(np.concatenate(centroids)[loud])),
        vocal_share=float(voice_power.sum(dtype=np.float64) / power.sum(dtype=np.float64)),
    )


def magnitude_blocks(
    mono: NDArray[np.float32], size: int, hop: int
) -> Iterator[NDArray[np.float32]]:
    """Yield magnitudes of shape (frames, size // 2 + 1), some frames at a time.

    A frame has `size` samples and starts `hop` samples after the frame before it; the first is
    centred on the first sample. A sine of amplitude 1 has the magnitude 1.
    """
    padded = np.pad(mono, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    window = signal.windows.hann(size, sym=False).astype(np.float32)
    window *= np.float32(2 / window.sum())
    for first in range(0, len(frames), _FRAMES_AT_ONCE):
        yield np.abs(fft.rfft(frames[first : first + _FRAMES_AT_ONCE] * window, axis=1))


def frequencies(size: int, rate: int) -> NDArray[np.float64]:
    """Return the frequencies in Hz of the bins of a spectrum of `size` samples."""
    return np.asarray(fft.rfftfreq(size, 1 / rate), dtype=np.float64)
