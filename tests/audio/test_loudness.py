"""Loudness by ITU-R BS.1770-4."""

import numpy as np
import pytest

from musicapi_nb.audio.loudness import loudness
from tests.test_song_audio import RATE, tone


def test_loudness_matches_standard() -> None:
    # BS.1770-4, annex 1: a 997 Hz sine at full scale in one channel is -3.01 LKFS.
    assert loudness(tone(), RATE) == pytest.approx(-3.01, abs=0.05)
    assert loudness(tone(channels=2), RATE) == pytest.approx(0.0, abs=0.05)
    assert loudness(tone(level=0.1), RATE) == pytest.approx(-23.01, abs=0.05)
    assert loudness(tone()[::2][:100], RATE) < 0
    assert loudness(tone(level=0.0), RATE) == -np.inf


def test_surrounding_silence_does_not_change_loudness() -> None:
    silence = np.zeros((10 * RATE, 1), dtype=np.float32)
    padded = np.concatenate([silence, tone(10), silence])
    assert loudness(padded, RATE) == pytest.approx(-3.01, abs=0.3)
