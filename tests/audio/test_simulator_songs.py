"""Songs of the simulator, whose tempo and key are known; benchmarks/audio.py measures 200."""

import pytest

from musicapi_nb.audio.extraction import extract_features
from musicapi_nb.simulator.music.recording import Recording, score_of
from musicapi_nb.simulator.music.synthesis import encode, samples_of


@pytest.mark.parametrize("style", ["pop", "jazz", "house", "folk"])
def test_features_of_a_song_are_those_it_was_composed_with(style: str) -> None:
    song = Recording(f"test of audio/{style}", (style,), 20.0, instrumental=False)
    score, samples = score_of(song), samples_of(song)
    measured = extract_features(encode(samples, "mp3"))
    assert measured.seconds == pytest.approx(20.0, abs=0.05)
    assert measured.tempo == pytest.approx(score.bpm, rel=0.005)
    assert measured.key == score.key
    assert measured.onset_rate is not None
    assert 0.5 < measured.onset_rate < 12
