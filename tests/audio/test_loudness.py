"""Loudness by ITU-R BS.1770-4, loudness range by EBU Tech 3342, true peak by EBU Tech 3341."""

import math

import numpy as np
import pyloudnorm
import pytest
from numpy.typing import NDArray

from musicapi_nb.audio.loudness import (
    PeakMeter,
    PowerMeter,
    integrated_loudness,
    k_weighting,
    loudness,
    loudness_range,
)
from tests.test_song_audio import RATE, tone


def test_loudness_matches_standard() -> None:
    # BS.1770-4, annex 1: a 997 Hz sine at full scale in one channel is -3.01 LKFS.
    assert loudness(tone(), RATE) == pytest.approx(-3.01, abs=0.05)
    assert loudness(tone(channels=2), RATE) == pytest.approx(0.0, abs=0.05)
    assert loudness(tone(level=0.1), RATE) == pytest.approx(-23.01, abs=0.05)
    assert loudness(tone()[::2][:100], RATE) < 0
    assert loudness(tone(level=0.0), RATE) == -np.inf


def test_filters_are_those_of_the_standard() -> None:
    # BS.1770-4, annex 1, tables 1 and 2: for 48 kHz
    shelf, high_pass = k_weighting(48_000)
    numerator, denominator = shelf[:3], shelf[3:]
    assert numerator == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285])
    assert denominator == pytest.approx([1.0, -1.69065929318241, 0.73248077421585])
    assert high_pass == pytest.approx([1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621])


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_loudness_agrees_with_pyloudnorm(rate: int) -> None:
    noise = 0.1 * np.random.default_rng(rate).standard_normal((6 * rate, 2))
    noise *= np.linspace(0, 1, len(noise))[:, None] ** 2  # its start is below the gate
    expected = pyloudnorm.Meter(rate).integrated_loudness(noise)
    assert loudness(noise.astype(np.float32), rate) == pytest.approx(expected, abs=0.15)


def test_surrounding_silence_does_not_change_loudness() -> None:
    silence = np.zeros((10 * RATE, 1), dtype=np.float32)
    padded = np.concatenate([silence, tone(10), silence])
    assert loudness(padded, RATE) == pytest.approx(-3.01, abs=0.3)


def test_blocks_add_up_to_the_whole() -> None:
    samples = (0.2 * np.random.default_rng(1).standard_normal((2 * RATE, 2))).astype(np.float32)
    power, peak = PowerMeter(RATE, 2), PeakMeter(RATE, 2)
    whole_peak = PeakMeter(RATE, 2)
    for block in np.array_split(samples, [7, 10_000, 10_001, 54_321]):
        power.add(block)
        peak.add(block)
    whole_peak.add(samples)
    assert integrated_loudness(power.powers) == pytest.approx(loudness(samples, RATE), abs=1e-6)
    assert peak.finish() == pytest.approx(whole_peak.finish(), rel=1e-6)


def power_of(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    meter = PowerMeter(RATE, samples.shape[1])
    meter.add(samples)
    return meter.powers


@pytest.mark.parametrize(("first", "second", "expected"), [(-20, -30, 10), (-20, -15, 5)])
def test_loudness_range_matches_standard(first: float, second: float, expected: float) -> None:
    # EBU Tech 3342, table 1, cases 1 and 2: 20 s of a 1 kHz sine in both channels at each level
    parts = [tone(20, 1_000, 10 ** (level / 20), channels=2) for level in (first, second)]
    assert loudness_range(power_of(np.concatenate(parts))) == pytest.approx(expected, abs=1.0)
    assert loudness_range(power_of(parts[0])) == pytest.approx(0.0, abs=0.01)
    assert loudness_range(power_of(parts[0][: 2 * RATE])) is None


@pytest.mark.parametrize(("divisor", "degrees"), [(4, 0), (4, 45), (6, 60), (8, 67.5)])
def test_true_peak_matches_standard(divisor: int, degrees: float) -> None:
    # EBU Tech 3341, table 1, cases 15 to 18: -6 dBTP, +0.2 or -0.4 dB, whatever the samples hit
    phase = 2 * np.pi * np.arange(RATE) / divisor + math.radians(degrees)
    meter = PeakMeter(RATE, 1)
    meter.add((0.5 * np.sin(phase) * np.hanning(RATE))[:, None].astype(np.float32))
    assert -6.4 <= 20 * math.log10(meter.finish()) <= -5.8
