"""Tempo: the period of the onsets, and which of its multiples people would count as the beat."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from musicapi_nb.audio.onsets import Onsets, above_local_mean
from musicapi_nb.audio.tonality import Notes

LOWEST_BPM, HIGHEST_BPM = 40.0, 240.0
# Ellis (2007), "Beat tracking by dynamic programming", Journal of New Music Research 36: people
# count music at about 120 bpm; the preference falls with the distance in octaves.
_PREFERRED_BPM, _PREFERENCE_OCTAVES = 120.0, 0.7
_TEMPO_STEPS = 1_200
# Tempi at which the same onsets can be counted, of the one with the strongest pulse.
_RATIOS = (1.0, 0.5, 2.0, 2 / 3, 1.5, 0.75, 4 / 3)
# Music repeats itself, its bass above all, with the bar of four beats, and chords change with the
# bar rather than within it (Goto 2001, "An audio-based real-time beat tracking system for music
# with or without drum-sounds", Journal of New Music Research 30). The weights are those of a
# conditional logit model of 300 songs by two synthesizers and 40 click tracks, none of which is in
# benchmarks/audio.py.
_BEAT_OCTAVES = 0.43
_BEAT_WEIGHT, _BAR_WEIGHT, _BASS_WEIGHT, _CHORD_WEIGHT, _HALF_BAR_WEIGHT = 4.7, 3.6, 4.6, 4.0, -1.7
_BAR_BEATS = 4
_CHORD_SECONDS = 0.4
_CHORD_LOCAL_SECONDS = 2.0
_QUIET = 0.1  # with notes below this share of the strongest, no chord changes
_NEARBY = 0.02  # share of a lag within which its pulse may lie
_REFINEMENT = 0.04  # share of a lag within which the peaks of its multiples are searched
_LONGEST_MULTIPLE = 32
_NO_PULSE, _CLEAR_PULSE = 0.15, 0.4
"""Autocorrelation at the beat or bar of noise and speech at most, and of a plain beat."""


class Tempo(NamedTuple):
    """A tempo in bpm, its confidence from 0 to 1, and other tempi at which it could be counted."""

    bpm: float
    confidence: float
    candidates: tuple[float, ...]


class _Autocorrelation(NamedTuple):
    """Autocorrelation of lags from 0 to half the length of a series of `rate` values a second."""

    values: NDArray[np.float64]
    rate: float

    def near(self, seconds: float) -> float:
        """Return the highest autocorrelation within 2 % of a lag; 0 beyond the longest."""
        lag = round(seconds * self.rate)
        reach = max(1, round(_NEARBY * seconds * self.rate))
        values = self.values[max(1, lag - reach) : lag + reach + 1]
        return float(values.max()) if len(values) > reach else 0.0


def estimate_tempo(onsets: Onsets, notes: Notes) -> Tempo | None:
    """Estimate the tempo; None without a regular pulse.

    The period with the highest autocorrelation is found first, with a preference for those near
    120 bpm, then which of its multiples is the beat.
    """
    pulse = _autocorrelation(onsets.strength, onsets.rate)
    if len(pulse.values) < 2 * 60 * pulse.rate / LOWEST_BPM:
        return None
    bass = _autocorrelation(onsets.bass, onsets.rate)
    chords = _autocorrelation(_chord_changes(notes), notes.rate)
    strongest = _strongest_pulse(pulse)
    tempi = [bpm for ratio in _RATIOS if LOWEST_BPM <= (bpm := ratio * strongest) <= HIGHEST_BPM]
    saliences = np.array([_salience(bpm, pulse, bass, chords) for bpm in tempi])
    best = int(saliences.argmax())
    beat = 60 / tempi[best]
    clearest = max(beat, _BAR_BEATS * beat, key=pulse.near)
    clearness = (pulse.near(clearest) - _NO_PULSE) / (_CLEAR_PULSE - _NO_PULSE)
    if clearness <= 0:
        return None
    bpm = tempi[best] * clearest / _refined(pulse, clearest)
    share = 1 / np.exp(saliences - saliences[best]).sum()
    others = np.argsort(-saliences)[1:]
    candidates = tuple(float(bpm * tempi[index] / tempi[best]) for index in others)
    return Tempo(bpm, float(min(1.0, clearness) * share), candidates)


def _strongest_pulse(pulse: _Autocorrelation) -> float:
    tempi = np.geomspace(LOWEST_BPM, HIGHEST_BPM, _TEMPO_STEPS)
    lags = 60 * pulse.rate / tempi
    strengths = np.interp(lags, np.arange(len(pulse.values)), pulse.values)
    octaves = np.log2(tempi / _PREFERRED_BPM)
    weighted = strengths * np.exp(-0.5 * np.square(octaves / _PREFERENCE_OCTAVES))
    return float(tempi[weighted.argmax()])


def _salience(
    bpm: float, pulse: _Autocorrelation, bass: _Autocorrelation, chords: _Autocorrelation
) -> float:
    """Return how well a tempo explains a song; differences are logarithms of odds."""
    octaves = np.log2(bpm / _PREFERRED_BPM)
    beat = 60 / bpm
    bar = _BAR_BEATS * beat
    return float(
        -0.5 * (octaves / _BEAT_OCTAVES) ** 2
        + _BEAT_WEIGHT * pulse.near(beat)
        + _BAR_WEIGHT * pulse.near(bar)
        + _BASS_WEIGHT * bass.near(bar)
        + _CHORD_WEIGHT * chords.near(bar)
        + _HALF_BAR_WEIGHT * chords.near(bar / 2)
    )


def _chord_changes(notes: Notes) -> NDArray[np.float64]:
    """Return how much the notes of the next 0.4 s differ from those of the last, in each frame."""
    width = max(1, round(_CHORD_SECONDS * notes.rate))
    sums = np.cumsum(np.pad(notes.strength, ((width + 1, width), (0, 0))), axis=0)
    means = sums[width:] - sums[:-width]
    past, future = means[: len(notes.strength)], means[width : width + len(notes.strength)]
    products = np.linalg.norm(past, axis=1) * np.linalg.norm(future, axis=1)
    changes = 1 - (past * future).sum(axis=1) / np.maximum(products, 1e-9)
    changes[products <= _QUIET**2 * products.max(initial=0.0)] = 0
    return above_local_mean(changes, round(_CHORD_LOCAL_SECONDS * notes.rate))


def _autocorrelation(strength: NDArray[np.float64], rate: float) -> _Autocorrelation:
    count = len(strength)
    centred = strength - strength.mean()
    spectrum = fft.rfft(centred, fft.next_fast_len(2 * count))
    products = fft.irfft(np.square(np.abs(spectrum)))[: count // 2]
    if not len(products) or not products[0] > 0:
        return _Autocorrelation(np.zeros(0), rate)
    means = products / (count - np.arange(len(products)))
    return _Autocorrelation(np.asarray(means / means[0], dtype=np.float64), rate)


def _refined(pulse: _Autocorrelation, seconds: float) -> float:
    """Return a lag in seconds, refined at its multiples: an error there is divided."""
    values, lag, highest, multiple = pulse.values, seconds * pulse.rate, 0.0, 1
    while multiple <= _LONGEST_MULTIPLE:
        near, reach = round(lag * multiple), max(2, round(_REFINEMENT * lag))
        window = values[max(1, near - reach) : near + reach + 1]
        top = max(1, near - reach) + int(window.argmax()) if len(window) else len(values)
        if top + 1 >= len(values) or values[top] < highest / 2:
            break
        highest = max(highest, float(values[top]))
        lag = (top + _vertex(*map(float, values[top - 1 : top + 2]))) / multiple
        multiple *= 2
    return lag / pulse.rate


def _vertex(left: float, middle: float, right: float) -> float:
    """Return where a parabola through three neighbours is highest, -0.5 to 0.5 from the middle."""
    bend = left - 2 * middle + right
    return 0.0 if bend >= 0 else max(-0.5, min(0.5, 0.5 * (left - right) / bend))
