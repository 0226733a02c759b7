"""Features of sounds whose tempo, key and levels are known."""

import dataclasses
import io

import numpy as np
import pytest
import soundfile

from musicapi_nb.audio.extraction import extract_features
from musicapi_nb.audio.features import AudioFeatures
from musicapi_nb.errors import NoAudio
from tests.audio.sounds import RATE, chords, clicks, encode, noise, tone

C, F, G, A_MINOR = (48, 60, 64, 67), (53, 60, 65, 69), (55, 59, 62, 67), (57, 60, 64, 69)


def features(samples: np.ndarray, **options: object) -> AudioFeatures:
    return extract_features(encode(samples, **options))  # type: ignore[arg-type]  # rate, format


@pytest.mark.parametrize("bpm", [71.3, 93.7, 118.0, 147.9])
def test_tempo_of_clicks_is_exact(bpm: float) -> None:
    measured = features(clicks(bpm))
    assert measured.tempo == pytest.approx(bpm, rel=0.002)
    assert measured.tempo_confidence is not None
    assert measured.tempo_confidence > 0.25  # nothing but clicks: they could be counted otherwise
    for octave in (bpm / 2, bpm * 2):
        nearest = min(abs(other / octave - 1) for other in measured.tempo_candidates)
        assert (nearest < 0.002) == (40 <= octave <= 240)
    assert measured.onset_rate == pytest.approx(int(15 * bpm / 60) / 15, abs=0.01)


def test_key_is_that_of_chords() -> None:
    measured = features(chords(C, F, G, C, A_MINOR, F, G, C))
    assert measured.key == "C major"
    assert measured.key_confidence is not None
    assert measured.key_confidence > 0.5
    lower = [tuple(pitch - 3 for pitch in chord) for chord in (A_MINOR, F, A_MINOR, C, A_MINOR)]
    assert features(chords(*lower)).key == "F# minor"


def test_noise_has_no_tempo_and_no_key() -> None:
    measured = features(noise())
    assert measured.tempo is None
    assert measured.tempo_candidates == ()
    assert measured.key is None
    assert measured.onset_rate is not None
    assert measured.onset_rate < 0.2


def test_silence_has_only_a_duration() -> None:
    values = dataclasses.asdict(features(np.zeros(3 * RATE)))
    missing = {name for name, value in values.items() if value in {None, ()}}
    assert values["seconds"] == values["silence_start"] == values["silence_end"] == 3.0
    assert set(values) - missing == {"seconds", "silence_start", "silence_end", "clipped_share"}


@pytest.mark.parametrize("file_format", ["WAV", "FLAC", "MP3"])
def test_levels_are_those_of_the_samples(file_format: str) -> None:
    silence = np.zeros((RATE, 2))
    left = np.stack([tone(997, 3, 0.5), np.zeros(3 * RATE)], axis=1)
    measured = features(
        np.concatenate([silence, left, silence[: RATE // 2]]), file_format=file_format
    )
    assert measured.seconds == pytest.approx(4.5, abs=0.05)
    assert measured.silence_start == pytest.approx(1.0, abs=0.05)
    assert measured.silence_end == pytest.approx(0.5, abs=0.05)
    # BS.1770-4, annex 1: a sine at 997 Hz and full scale in one channel has -3.01 LUFS.
    assert measured.loudness == pytest.approx(-3.01 - 6.02, abs=0.5)
    assert measured.true_peak == pytest.approx(-6.02, abs=0.2)
    assert measured.stereo_width == pytest.approx(0.5, abs=0.01)
    assert measured.brightness == pytest.approx(997, rel=0.05)
    assert measured.vocal_share == pytest.approx(1.0, abs=0.01)
    assert measured.clipped_share == 0.0


def test_clipped_share_counts_runs_at_full_scale() -> None:
    assert features(tone(997, 2, 1.0)).clipped_share == 0.0
    # A sine of amplitude 2 is above full scale for two thirds of its time.
    assert features(np.clip(tone(100, 2, 2.0), -1, 1)).clipped_share == pytest.approx(
        2 / 3, abs=0.02
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be decoded"),
        (b"ID3 and then nothing", "cannot be decoded"),
        (encode(tone(seconds=0.0)), "too short"),
        (encode(tone(seconds=0.2)), "too short"),
        (encode(np.full(RATE, np.nan)), "not numbers"),
        (encode(tone(), rate=4_000), "too few to measure"),
    ],
    # Not the files themselves: they contain the time, and workers must agree on the names of tests.
    ids=["empty", "text", "no sound", "short", "no numbers", "low rate"],
)
def test_invalid_audio_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(NoAudio, match=reason):
        extract_features(content)


def test_blocks_of_an_mp3_are_continuous(capfd: pytest.CaptureFixture[str]) -> None:
    content = encode(chords(C, F, G, C, seconds=4.0), file_format="MP3")
    whole, _ = soundfile.read(io.BytesIO(content))
    assert extract_features(content).seconds == len(whole) / RATE
    assert capfd.readouterr().err == ""
