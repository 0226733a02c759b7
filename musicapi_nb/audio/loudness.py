"""Loudness by ITU-R BS.1770-4, loudness range by EBU Tech 3342, true peak by BS.1770-4 annex 2."""

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import signal

STEP_SECONDS = 0.1
"""Powers are averaged over steps of 100 ms; a gating block of 400 ms is four of them."""
_BLOCK_STEPS = 4
_SHORT_TERM_STEPS = 30  # 3 s
_ABSOLUTE_GATE, _RELATIVE_GATE, _RANGE_GATE = -70.0, -10.0, -20.0
_RANGE_PERCENTILES = (10, 95)
_OFFSET = -0.691
# Annex 1, tables 1 and 2, as the analogue filters whose bilinear transform at 48 kHz they are
# (natural frequency in Hz, quality, gain in dB of the shelf): so that they fit every sample rate.
_SHELF_HERTZ, _SHELF_QUALITY, _SHELF_DB = 1_681.974450955533, 0.7071752369554196, 3.999843853973347
_HIGH_PASS_HERTZ, _HIGH_PASS_QUALITY = 38.13547087602444, 0.5003270373238773
_SHELF_BAND_EXPONENT = 0.4996667741545416
_HIGHEST_SHARE = 0.45  # of the sample rate: no filter can turn at more than half of it
# Weights of the channels in WAV order (table 3 of annex 1; the LFE channel does not count).
_SURROUND = 1.41
_CHANNEL_WEIGHTS = {
    4: (1.0, 1.0, _SURROUND, _SURROUND),
    5: (1.0, 1.0, 1.0, _SURROUND, _SURROUND),
    6: (1.0, 1.0, 1.0, 0.0, _SURROUND, _SURROUND),
}
_PEAK_RATE, _PEAK_FACTOR = 192_000, 4  # annex 2 samples four times as often, 192 kHz at most
_PEAK_TAPS = 12  # input samples on which each value between them depends


@functools.cache
def k_weighting(rate: int) -> NDArray[np.float64]:
    """Return the K-weighting at a sample rate in Hz: second-order sections of shape (2, 6)."""
    k = math.tan(math.pi * min(_SHELF_HERTZ / rate, _HIGHEST_SHARE))
    high = 10 ** (_SHELF_DB / 20)
    band = high**_SHELF_BAND_EXPONENT
    shelf = [
        high + band * k / _SHELF_QUALITY + k * k,
        2 * (k * k - high),
        high - band * k / _SHELF_QUALITY + k * k,
        1 + k / _SHELF_QUALITY + k * k,
        2 * (k * k - 1),
        1 - k / _SHELF_QUALITY + k * k,
    ]
    k = math.tan(math.pi * _HIGH_PASS_HERTZ / rate)
    norm = 1 + k / _HIGH_PASS_QUALITY + k * k
    high_pass = [1, -2, 1, 1, 2 * (k * k - 1) / norm, (1 - k / _HIGH_PASS_QUALITY + k * k) / norm]
    return np.array([np.divide(shelf, shelf[3]), high_pass])


class PowerMeter:
    """Sums up the K-weighted power of sound that arrives in blocks.

    Parameters
    ----------
    rate
        Sample rate in Hz.
    channels
        Number of channels, in the order of a WAV file.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._filter = k_weighting(rate)
        self._state = np.zeros((len(self._filter), 2, channels))
        self._weights = np.array(_CHANNEL_WEIGHTS.get(channels, (1.0,) * channels))
        self._step = max(1, round(STEP_SECONDS * rate))
        self._rest = np.zeros(0)
        self._powers: list[NDArray[np.float64]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Measure the next samples, of shape (frames, channels), full scale 1.0."""
        weighted, self._state = signal.sosfilt(
            self._filter, block.astype(np.float64), axis=0, zi=self._state
        )
        power = np.concatenate([self._rest, np.square(weighted) @ self._weights])
        complete = len(power) // self._step * self._step
        self._powers.append(power[:complete].reshape(-1, self._step).mean(axis=1))
        self._rest = power[complete:]

    @property
    def powers(self) -> NDArray[np.float64]:
        """The mean square of each complete step of 100 ms."""
        return np.concatenate([np.zeros(0), *self._powers])


def integrated_loudness(powers: NDArray[np.float64]) -> float:
    """Return the gated loudness in LUFS of the powers of steps; -inf for silence."""
    blocks = _moving_mean(powers, _BLOCK_STEPS)
    loud = blocks[_lufs(blocks) > _ABSOLUTE_GATE]
    if not len(loud):
        return -math.inf
    gated = loud[_lufs(loud) > _lufs(loud.mean()) + _RELATIVE_GATE]
    return float(_lufs(gated.mean()))


def loudness_range(powers: NDArray[np.float64]) -> float | None:
    """Return the loudness range in LU (EBU Tech 3342); None below 3 s, and for silence."""
    if len(powers) < _SHORT_TERM_STEPS:
        return None
    blocks = _moving_mean(powers, _SHORT_TERM_STEPS)
    loud = blocks[_lufs(blocks) > _ABSOLUTE_GATE]
    if not len(loud):
        return None
    gated = _lufs(loud[_lufs(loud) > _lufs(loud.mean()) + _RANGE_GATE])
    low, high = np.percentile(gated, _RANGE_PERCENTILES)
    return float(high - low)


def loudness(samples: NDArray[np.float32], rate: int) -> float:
    """Measure gated loudness in LUFS (ITU-R BS.1770-4); -inf for silence.

    `samples` has shape (frames, channels), full scale 1.0; `rate` is in frames per second.
    """
    missing = max(0, round(STEP_SECONDS * rate) - len(samples))
    meter = PowerMeter(rate, samples.shape[1])
    meter.add(np.pad(samples, ((0, missing), (0, 0))))
    return integrated_loudness(meter.powers)


def _moving_mean(powers: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    width = min(width, len(powers))
    if not width:
        return powers
    windows = np.lib.stride_tricks.sliding_window_view(powers, width)
    return np.asarray(windows.mean(axis=1), dtype=np.float64)


def _lufs(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(_OFFSET + 10 * np.log10(power), dtype=np.float64)


class PeakMeter:
    """Finds the true peak of sound that arrives in blocks, of shape (frames, channels)."""

    def __init__(self, rate: int, channels: int) -> None:
        self._factor = max(1, min(_PEAK_FACTOR, math.ceil(_PEAK_RATE / rate)))
        self._past = np.zeros((_PEAK_TAPS, channels), dtype=np.float32)
        self._peak = 0.0

    def add(self, block: NDArray[np.float32]) -> None:
        """Measure the next samples, full scale 1.0."""
        joined = np.concatenate([self._past, block])
        self._past = joined[-_PEAK_TAPS:]
        if self._factor > 1:
            taps = _interpolation(self._factor)
            # Only values between samples: at the ends the filter sees a step.
            edge = len(taps) - 1
            joined = signal.upfirdn(taps, joined, self._factor, axis=0)[edge:-edge]
        self._peak = max(self._peak, float(np.abs(joined).max(initial=0.0)))

    def finish(self) -> float:
        """Return the largest magnitude, of samples and between them; full scale is 1.0."""
        self.add(np.zeros((_PEAK_TAPS, self._past.shape[1]), dtype=np.float32))
        return self._peak


@functools.cache
def _interpolation(factor: int) -> NDArray[np.float32]:
    """Return a filter that inserts `factor` - 1 values between samples."""
    taps = factor * signal.firwin(_PEAK_TAPS * factor + 1, 1 / factor, window=("kaiser", 5.0))
    return np.asarray(taps, dtype=np.float32)
