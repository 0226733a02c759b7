"""Key and mode of mono sound: peaks of its spectrum compared with profiles of the keys."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from musicapi_nb.audio.spectrum import frequencies, magnitude_blocks

TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_WINDOW_SAMPLES = 8_192  # at 24,000 Hz: 0.34 s, which tells semitones apart from about 60 Hz
_USUAL_RATE = 24_000
_LOWEST, _HIGHEST = 60.0, 2_000.0  # Hz; above, most peaks are overtones
_FRAMES_PER_SECOND = 10
_COMPRESSION = 0.5  # exponent of magnitudes, so that quiet notes count too
_QUIET = 0.01  # frames with less than this share of the loudest frame do not count
_BASS_NOTE = 52  # MIDI pitch E3; notes below count twice, for basses play the roots of chords
PROFILES = {
    "major": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
    ),
    "minor": (
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
        (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
    ),
}
"""Mode to how well the twelve notes from the tonic up fit, and how often they are written.

The first by listeners (Krumhansl and Kessler 1982, Psychological Review 89, "Tracing the dynamic
changes in perceived tonal organization"), the second in scores (Albrecht and Shanahan 2013, Music
Perception 31, "The use of large corpora to train a new type of key-finding algorithm").
"""
_NO_FIT, _GOOD_FIT, _CLEAR_MARGIN = 0.6, 0.8, 0.15


class Key(NamedTuple):
    """A key such as "A minor", its confidence from 0 to 1, and the key that fits next best."""

    name: str
    confidence: float
    runner_up: str


class Notes(NamedTuple):
    """Strength of the twelve notes from C, shape (frames, 12), at `rate` frames a second."""

    strength: NDArray[np.float64]
    rate: float


def measure_notes(mono: NDArray[np.float32], rate: int) -> Notes:
    """Measure how strong each of the twelve notes is, in any octave.

    Peaks of the spectrum count for the nearest semitone, in the tuning of the song itself.
    """
    hop = round(rate / _FRAMES_PER_SECOND)
    size = round(_WINDOW_SAMPLES * rate / _USUAL_RATE)
    hertz = frequencies(size, rate)
    low, high = np.searchsorted(hertz, [_LOWEST, _HIGHEST])
    frames, pitches, weights, count = [], [], [], 0
    for block in magnitude_blocks(mono, size, hop):
        left, middle, right = (block[:, low + step : high + step] for step in (-1, 0, 1))
        frame, column = np.nonzero((middle > left) & (middle >= right) & (middle > 0))
        bins = low + column + _vertices(*(part[frame, column] for part in (left, middle, right)))
        frames.append(count + frame)
        pitches.append(69 + 12 * np.log2(bins * rate / size / 440))
        weights.append(middle[frame, column].astype(np.float64))
        count += len(block)
    pitch, weight = np.concatenate(pitches), np.concatenate(weights)
    tuning = np.angle((weight * np.exp(2j * np.pi * pitch)).sum()) / (2 * np.pi)
    note = np.round(pitch - tuning).astype(int)
    centred = np.square(np.cos(np.pi * (pitch - tuning - note)))
    emphasis = np.where(note < _BASS_NOTE, 2.0, 1.0)
    strength = np.zeros((count, 12))
    np.add.at(
        strength, (np.concatenate(frames), note % 12), weight**_COMPRESSION * centred * emphasis
    )
    return Notes(strength, rate / hop)


def _vertices(
    left: NDArray[np.float32], middle: NDArray[np.float32], right: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return where parabolas through the logarithms of three neighbours are highest."""
    low, top, high = (np.log(np.maximum(part, 1e-12)) for part in (left, middle, right))
    bend = np.minimum(low - 2 * top + high, -1e-9)
    return np.asarray(np.clip(0.5 * (low - high) / bend, -0.5, 0.5), dtype=np.float64)


def key_fits(shares: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean correlation of each key's profiles with the shares of the twelve notes."""
    return {
        f"{tonic} {mode}": float(
            np.mean([np.corrcoef(np.roll(profile, step), shares)[0, 1] for profile in profiles])
        )
        for mode, profiles in PROFILES.items()
        for step, tonic in enumerate(TONICS)
    }


def estimate_key(notes: Notes) -> Key | None:
    """Return the key whose profile correlates best with the strengths of notes; None if none fits.

    The confidence is the product of how well it fits (0 at a correlation of 0.6, which noise and
    speech do not reach, 1 from 0.8) and how clearly (0.5 if the next key fits as well, 1 if its
    correlation is lower by 0.15). It is not a probability.
    """
    totals = notes.strength.sum(axis=1)
    if not totals.any():
        return None
    loud = totals > _QUIET * totals.max()
    shares = (notes.strength[loud] / totals[loud, None]).mean(axis=0)
    fits = key_fits(shares)
    best, second = sorted(fits, key=lambda name: fits[name], reverse=True)[:2]
    fit = (fits[best] - _NO_FIT) / (_GOOD_FIT - _NO_FIT)
    if not fit > 0:
        return None
    clearness = min(1.0, (fits[best] - fits[second]) / _CLEAR_MARGIN)
    return Key(best, min(1.0, fit) * (0.5 + 0.5 * clearness), second)
