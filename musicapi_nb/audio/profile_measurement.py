"""Measure the profile of a sound file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from musicapi_nb.audio.decoding import MAX_SECONDS, check_samples, open_sound, read_blocks
from musicapi_nb.audio.levels import Decimator
from musicapi_nb.audio.onsets import mel_bands
from musicapi_nb.audio.profile import BITS_PER_SECOND, COEFFICIENTS, NOTES_PER_SECOND, Profile
from musicapi_nb.audio.spectrum import frequencies, magnitude_blocks
from musicapi_nb.audio.tonality import measure_notes
from musicapi_nb.errors import NoAudio

_MIN_RATE = 8_000  # Hz
_MIN_SECONDS = 1.0
_TIMBRE_SECONDS = 0.043
_RANGE = 1e-6  # of the power of the loudest band; anything below -60 dB is encoding noise
_QUIET = 1e-5  # frames with less than this share of the power of the loudest do not count
# 32 differences of neighbouring bands, of frames of 0.37 s, as in Haitsma and Kalker
_PRINT_SECONDS, _LOWEST, _HIGHEST, _BANDS = 0.372, 300.0, 2_000.0, 33


def measure_profile(source: Path | bytes) -> Profile:
    """Measure the profile of a sound file, or of its content, decoded once.

    NoAudio if it cannot be decoded, is silent, shorter than 1 s or longer than half an hour, or has
    less than 8,000 samples a second, or samples that are not numbers.
    """
    mono, rate = _read_mono(source)
    if len(mono) < _MIN_SECONDS * rate:
        raise NoAudio(f"the audio is {len(mono) / rate:.2f} s long, which is too short to compare")
    if not np.abs(mono).max() > 0:
        raise NoAudio("the audio is silent")
    notes = measure_notes(mono, rate)
    return Profile(
        notes=_average(notes.strength, notes.rate / NOTES_PER_SECOND).astype(np.float32),
        timbre=_timbre(mono, rate),
        bits=_fingerprint(mono, rate),
    )


def _read_mono(source: Path | bytes) -> tuple[NDArray[np.float32], int]:
    """Decode a sound to mono at about 24,000 Hz."""
    with open_sound(source) as file:
        if file.samplerate < _MIN_RATE:
            raise NoAudio(f"the audio has {file.samplerate:,} samples a second: too few to compare")
        limit = int(MAX_SECONDS * file.samplerate)
        decimator, frames = Decimator(file.samplerate), 0
        for block in read_blocks(file, limit + 1):
            check_samples(block)
            decimator.add(block.mean(axis=1))
            frames += len(block)
    if frames > limit:
        raise NoAudio(f"the audio is longer than {MAX_SECONDS:,.0f} s, the limit for comparisons")
    return decimator.samples, decimator.rate


def _average(strength: NDArray[np.float64], frames: float) -> NDArray[np.float64]:
    """Return shares of notes, averaged over `frames` frames each: (averages, 12)."""
    group = (np.arange(len(strength)) / frames).astype(int)
    sums = np.zeros((group[-1] + 1, 12))
    np.add.at(sums, group, strength)
    totals = sums.sum(axis=1, keepdims=True)
    quiet = totals < _QUIET * totals.max()
    return np.where(quiet, 0.0, sums / np.where(quiet, 1.0, totals))


def _timbre(mono: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    size = fft.next_fast_len(round(_TIMBRE_SECONDS * rate))
    bands, _ = mel_bands(size, rate)
    blocks = magnitude_blocks(mono, size, size)
    power = np.concatenate([np.square(block) @ bands for block in blocks])
    totals = power.sum(axis=1)
    power = power[totals > _QUIET * totals.max()]
    decibels = 10 * np.log10(np.maximum(power, _RANGE * power.max()))
    cepstrum = fft.dct(decibels, type=2, norm="ortho", axis=1)[:, 1 : COEFFICIENTS + 1]
    return np.vstack([cepstrum.mean(axis=0), np.cov(cepstrum.T, ddof=0)]).astype(np.float32)


def _fingerprint(mono: NDArray[np.float32], rate: int) -> NDArray[np.uint32]:
    size = fft.next_fast_len(round(_PRINT_SECONDS * rate))
    edges = np.geomspace(_LOWEST, _HIGHEST, _BANDS + 1)
    bins = np.searchsorted(frequencies(size, rate), edges)
    blocks = magnitude_blocks(mono, size, round(rate / BITS_PER_SECOND))
    energies = [
        np.add.reduceat(np.square(block[:, : bins[-1]]), bins[:-1], axis=1) for block in blocks
    ]
    rises = np.diff(np.diff(np.concatenate(energies), axis=1), axis=0) > 0
    return np.packbits(rises, axis=1).view(">u4")[:, 0].astype(np.uint32)
