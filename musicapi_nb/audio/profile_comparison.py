"""How alike two sounds are, by their profiles: harmony, timbre, and whether they are one recording.

Harmony is that of Ellis and Poliner, "Identifying cover songs with chroma features and dynamic
programming beat tracking" (ICASSP 2007), in seconds instead of beats. Timbre is the affinity of
Bhattacharyya (Bull. Calcutta Math. Soc. 35, 1943) of two normal distributions of cepstral
coefficients, which describe the timbre of a song as in Mandel and Ellis, "Song-level features and
support vector machines for music classification" (ISMIR 2005).
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicapi_nb.audio.profile import BITS_PER_SECOND, Profile

_MIN_OVERLAP = 0.6  # of the shorter song
_VARIANCE = 10.0  # dB^2, added to those of the coefficients: smaller ones are not heard
_MAX_SHIFT_SECONDS = 3.0
_MIN_SECONDS, _OVERLAP_OF_SHORT = 3.0, 0.9  # of sound in common; of shorter ones this share
_LONGEST_DIFFERENCE = 3.5  # s in length, of one recording
_DUPLICATE = 0.3
"""One recording differs in fewer bits: up to a quarter if it is encoded again, shifted by half a
frame and at another level. Other songs differ in 0.34 of them and more, mostly in a half. Haitsma
and Kalker take 0.35."""
_ONES = np.array([number.bit_count() for number in range(256)], dtype=np.uint8)
_HARMONY_OF_DUPLICATES = 0.6  # of one recording it is at least this; it saves comparing bits
_TIMBRE_WEIGHT = 2 / 3


class Comparison(NamedTuple):
    """How alike two sounds are; all but the two integers are from 0 to 1.

    Attributes
    ----------
    harmony
        How alike the notes are in their course, at the best transposition and shift.
    transposition
        Semitones by which the first song's notes are moved up to be those of the second, -5 to 6.
    timbre
        How alike the distributions of spectral shapes are.
    likeness
        Two thirds timbre, one third harmony; 1 for a duplicate.
    duplicate
        Whether both are the same recording, also encoded, louder or shifted by up to 3 s.
    """

    harmony: float
    transposition: int
    timbre: float
    likeness: float
    duplicate: bool


class Comparable(NamedTuple):
    """A profile, prepared for many comparisons: `prepare` it once."""

    notes: NDArray[np.float64]
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    log_determinant: float
    bits: NDArray[np.uint32]


def prepare(profile: Profile) -> Comparable:
    """Return what `compare` takes."""
    notes = profile.notes.astype(np.float64)
    sounding = notes.any(axis=1)
    if sounding.any():  # without what stays the same, such as the scale
        notes[sounding] -= notes[sounding].mean(axis=0)
    lengths = np.linalg.norm(notes, axis=1, keepdims=True)
    covariance = profile.timbre[1:].astype(np.float64)
    covariance += _VARIANCE * np.eye(len(covariance))
    return Comparable(
        notes=notes / np.maximum(lengths, 1e-9),
        mean=profile.timbre[0].astype(np.float64),
        covariance=covariance,
        log_determinant=float(np.linalg.slogdet(covariance)[1]),
        bits=profile.bits,
    )


def compare(first: Comparable, second: Comparable) -> Comparison:
    """Compare two sounds."""
    harmony, transposition = _harmony(first.notes, second.notes)
    timbre = _timbre_affinity(first, second)
    duplicate = harmony >= _HARMONY_OF_DUPLICATES and _is_duplicate(first.bits, second.bits)
    likeness = _TIMBRE_WEIGHT * timbre + (1 - _TIMBRE_WEIGHT) * harmony
    return Comparison(harmony, transposition, timbre, 1.0 if duplicate else likeness, duplicate)


def _harmony(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, int]:
    """Return the highest mean cosine of notes, and the transposition at which it is reached.

    The cross-correlation of both axes is computed at once: notes are a circle, time is not.
    """
    from scipy import fft  # noqa: PLC0415 - slow to load

    shorter = min(len(first), len(second))
    size = fft.next_fast_len(len(first) + len(second), real=True)
    spectra = [fft.rfft2(notes.T, (12, size)) for notes in (first, second)]
    products = fft.irfft2(np.conj(spectra[0]) * spectra[1], (12, size))
    lag = np.arange(size)
    lag = np.where(lag > size // 2, lag - size, lag)
    overlap = np.minimum(len(first) + np.minimum(lag, 0), len(second) - np.maximum(lag, 0))
    overlap = np.minimum(overlap, shorter)
    allowed = overlap >= max(1.0, _MIN_OVERLAP * shorter)
    cosines = products[:, allowed] / overlap[allowed]
    step = int(cosines.max(axis=1).argmax())
    return float(np.clip(cosines[step].max(), 0.0, 1.0)), step - 12 if step > 6 else step  # noqa: PLR2004 - half of an octave


def _timbre_affinity(first: Comparable, second: Comparable) -> float:
    middle = (first.covariance + second.covariance) / 2
    difference = first.mean - second.mean
    means = float(difference @ np.linalg.solve(middle, difference)) / 8
    determinants = float(np.linalg.slogdet(middle)[1])
    spreads = (determinants - (first.log_determinant + second.log_determinant) / 2) / 2
    return min(1.0, math.exp(-means - spreads))


def _is_duplicate(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> bool:
    """Return whether fingerprints differ in few bits at a shift that lets the songs overlap."""
    if abs(len(first) - len(second)) > _LONGEST_DIFFERENCE * BITS_PER_SECOND:
        return False
    reach = round(_MAX_SHIFT_SECONDS * BITS_PER_SECOND)
    shorter = min(len(first), len(second))
    least = max(1.0, min(_MIN_SECONDS * BITS_PER_SECOND, _OVERLAP_OF_SHORT * shorter))
    for lag in range(-reach, reach + 1):
        ours, theirs = first[max(lag, 0) :], second[max(-lag, 0) :]
        number = min(len(ours), len(theirs))
        if number < least:
            continue
        different = int(_ONES[(ours[:number] ^ theirs[:number]).view(np.uint8)].sum())
        if different < _DUPLICATE * 32 * number:
            return True
    return False
