"""Decode a sound file once, block by block, and measure what needs its full sample rate."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from musicapi_nb.audio.decoding import MAX_SECONDS, check_samples, open_sound, read_blocks
from musicapi_nb.audio.loudness import PeakMeter, PowerMeter, integrated_loudness, loudness_range
from musicapi_nb.errors import NoAudio

SILENCE = 0.001
"""Magnitude below which samples are silent: -60 dBFS."""
_FULL_SCALE = 32_767 / 32_768
_INAUDIBLE = 1e-6  # magnitude: -120 dBFS
_CLIPPED_RUN = 3
"""Samples in a row at full scale that count as clipped; the peak of a sine has fewer."""
_MIN_RATE = 8_000  # Hz
_MIN_SECONDS = 0.4  # of a gating block of loudness
_USUAL_RATE = 24_000  # Hz, of the mono sound; the actual rate is a fraction of the file's


class Levels(NamedTuple):
    """Levels of a sound file, and its sound in mono at a lower rate.

    `AudioFeatures` describes the fields before `mono`, which is float32 of shape (frames,) at
    `rate` Hz.
    """

    seconds: float
    loudness: float | None
    loudness_range: float | None
    true_peak: float | None
    silence_start: float
    silence_end: float
    clipped_share: float
    stereo_width: float | None
    mono: NDArray[np.float32]
    rate: int


def measure_levels(source: Path | bytes) -> Levels:
    """Decode a sound file, or its content, from its start to its end and measure its levels.

    NoAudio if it cannot be decoded, is shorter than 0.4 s or longer than `MAX_SECONDS`, has less
    than 8,000 samples a second, or samples that are not numbers.
    """
    with open_sound(source) as file:
        rate, channels = file.samplerate, file.channels
        if rate < _MIN_RATE:
            raise NoAudio(f"the audio has {rate:,} samples a second: too few to measure")
        limit = int(MAX_SECONDS * rate)
        power, peak, decimator = (
            PowerMeter(rate, channels),
            PeakMeter(rate, channels),
            Decimator(rate),
        )
        frames, clipped, first, last, middle, side = 0, 0, None, None, 0.0, 0.0
        for block in read_blocks(file, limit + 1):
            check_samples(block)
            power.add(block)
            peak.add(block)
            decimator.add(block.mean(axis=1))
            magnitudes = np.abs(block)
            clipped += _count_clipped(magnitudes)
            sounding = np.flatnonzero(magnitudes.max(axis=1) >= SILENCE)
            if len(sounding):
                first = frames + sounding[0] if first is None else first
                last = frames + sounding[-1]
            left, right = block[:, 0].astype(np.float64), block[:, min(1, channels - 1)]
            middle += float(np.square(left + right).sum())
            side += float(np.square(left - right).sum())
            frames += len(block)
        if frames > limit:
            raise NoAudio(f"the audio is longer than {MAX_SECONDS:,.0f} s, the limit for measuring")
    seconds = frames / rate
    if seconds < _MIN_SECONDS:
        raise NoAudio(f"the audio is {seconds:.2f} s long, which is too short to measure")
    lufs, true_peak = integrated_loudness(power.powers), peak.finish()
    return Levels(
        seconds=seconds,
        loudness=lufs if math.isfinite(lufs) else None,
        loudness_range=loudness_range(power.powers),
        true_peak=20 * math.log10(true_peak) if true_peak else None,
        silence_start=seconds if first is None else float(first / rate),
        silence_end=seconds if last is None else float((frames - 1 - last) / rate),
        clipped_share=clipped / (frames * channels),
        stereo_width=side / (middle + side) if middle + side else None,
        mono=_without_offset(decimator.samples),
        rate=decimator.rate,
    )


def _without_offset(mono: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract the mean, an inaudible offset whose start and end would count as onsets."""
    mono = mono - mono.mean(dtype=np.float64).astype(np.float32)
    mono[np.abs(mono) < _INAUDIBLE] = 0.0
    return mono


def _count_clipped(magnitudes: NDArray[np.float32]) -> int:
    """Count samples in runs at full scale; a run across two blocks may lose its shorter part."""
    full = magnitudes >= _FULL_SCALE
    if not full.any():
        return 0
    edges = np.diff(np.pad(full, ((1, 1), (0, 0))).astype(np.int8), axis=0).T
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return int(lengths[lengths >= _CLIPPED_RUN].sum())


class Decimator:
    """Lowers the rate of mono sound that arrives in blocks, by a whole factor."""

    def __init__(self, rate: int) -> None:
        self._factor = max(1, round(rate / _USUAL_RATE))
        self.rate = rate // self._factor
        self._filter = signal.cheby1(8, 0.05, 0.8 / self._factor, output="sos")
        self._state = np.zeros((len(self._filter), 2), dtype=np.float32)
        self._skip = 0
        self._blocks: list[NDArray[np.float32]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        if self._factor > 1:
            block, self._state = signal.sosfilt(self._filter, block, zi=self._state)
            block, self._skip = (
                block[self._skip :: self._factor],
                (self._skip - len(block)) % self._factor,
            )
        self._blocks.append(block.astype(np.float32))

    @property
    def samples(self) -> NDArray[np.float32]:
        return np.concatenate([np.zeros(0, dtype=np.float32), *self._blocks])
