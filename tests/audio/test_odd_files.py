"""Files that no song should be, but that a folder can hold: a clear NoAudio, or honest values."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicapi_nb.audio import levels
from musicapi_nb.audio.extraction import extract_features
from musicapi_nb.audio.features import AudioFeatures
from musicapi_nb.audio.profile_measurement import measure_profile
from musicapi_nb.errors import NoAudio
from tests.audio.sounds import RATE, Samples, chords, clicks, encode, noise, tone

C_MAJOR = ((48, 60, 64, 67), (53, 60, 65, 69), (55, 59, 62, 67), (48, 60, 64, 67))


def music(rate: int = RATE) -> Samples:
    """Return 12 s of chords with clicks at 100 bpm, resampled by repetition or omission."""
    samples = np.tile(chords(*C_MAJOR, seconds=0.6), 5) + 0.5 * clicks(100, 12)
    positions = np.arange(12 * rate) * RATE / rate
    return np.interp(positions, np.arange(len(samples)), samples)


def is_music(measured: AudioFeatures) -> bool:
    return measured.key == "C major" and measured.tempo == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("rate", [8_000, 11_025, 48_000, 96_000, 192_000])
def test_sample_rate_changes_little(rate: int) -> None:
    measured = extract_features(encode(music(rate), rate))
    assert is_music(measured)
    assert measured.seconds == 12.0
    usual = extract_features(encode(music()))
    assert measured.loudness == pytest.approx(usual.loudness, abs=0.5)


def test_channels_beyond_two_count_for_loudness_by_bs_1770() -> None:
    # Table 3 of annex 1: the surround channels have 1.41 times the weight, the LFE channel none.
    silent = np.zeros((5 * RATE, 6))
    loudness = []
    for channel in range(6):
        samples = silent.copy()
        samples[:, channel] = tone(997, 5)
        loudness.append(extract_features(encode(samples)).loudness)
    front = -3.01 - 6.02
    assert loudness[:3] == pytest.approx([front] * 3, abs=0.1)
    assert loudness[3] is None
    assert loudness[4:] == pytest.approx([front + 10 * np.log10(1.41)] * 2, abs=0.1)


def test_opposite_channels_have_a_width_but_no_sound_in_the_middle() -> None:
    measured = extract_features(encode(np.stack([music(), -music()], axis=1)))
    assert measured.stereo_width == 1.0
    assert measured.loudness is not None
    assert (measured.tempo, measured.key, measured.brightness) == (None, None, None)


def test_offset_is_no_sound() -> None:
    measured = extract_features(encode(np.full(3 * RATE, 0.3)))
    assert (measured.tempo, measured.key, measured.brightness) == (None, None, None)
    with_offset, without = (extract_features(encode(0.5 * music() + by)) for by in (0.2, 0.0))
    assert is_music(with_offset)
    assert with_offset.onset_rate == without.onset_rate


def test_strokes_at_random_times_have_no_confident_tempo() -> None:
    rng = np.random.default_rng(1)
    samples = np.zeros(20 * RATE)
    stroke = np.exp(-np.arange(RATE // 20) / 150) * rng.standard_normal(RATE // 20)
    for first in rng.integers(0, 19 * RATE, 60):
        samples[first : first + len(stroke)] += 0.5 * stroke
    measured = extract_features(encode(samples))
    assert (measured.tempo_confidence or 0.0) < 0.1
    assert measured.key is None
    assert measured.onset_rate == pytest.approx(3, abs=0.5)


def test_short_sound_has_no_tempo() -> None:
    measured = extract_features(encode(music()[: RATE // 2]))
    assert measured.seconds == pytest.approx(0.5, abs=0.001)
    assert (measured.tempo, measured.loudness_range) == (None, None)


def test_end_of_a_cut_mp3_is_the_end_of_its_sound() -> None:
    content = encode(music(), file_format="MP3")
    measured = extract_features(content[: len(content) // 2])
    assert 4 < measured.seconds < 8
    assert measured.key == "C major"


def test_header_that_claims_days_changes_nothing() -> None:
    content = bytearray(encode(music()))
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", 0xFFFF_FFF0)
    assert is_music(extract_features(bytes(content)))
    flac = bytearray(encode(music(), file_format="FLAC"))
    fields = int.from_bytes(flac[18:26], "big") >> 36 << 36 | (1 << 36) - 1
    flac[18:26] = fields.to_bytes(8, "big")  # RFC 9639, section 8.2: total samples
    try:
        assert is_music(extract_features(bytes(flac)))
    except NoAudio as error:
        assert "cannot be decoded" in str(error)  # noqa: PT017 - libsndfile may refuse it


def test_sound_beyond_the_longest_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "MAX_SECONDS", 10.0)
    assert is_music(extract_features(encode(music()[: 10 * RATE])))
    with pytest.raises(NoAudio, match=r"longer than 10 s"):
        extract_features(encode(music()))


@pytest.mark.parametrize("seed", range(3))
def test_damaged_file_gives_values_or_no_audio(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for file_format in ("MP3", "FLAC", "WAV"):
        content = bytearray(encode(noise(3), file_format=file_format))
        for place in rng.integers(0, len(content), 40):
            content[place] = rng.integers(0, 256)
        try:
            measured = extract_features(bytes(content))
        except NoAudio:
            continue
        assert measured.seconds <= 3.2
        assert (measured.tempo_confidence or 0.0) < 0.3


def test_path_is_not_in_the_message(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp3"
    path.write_text("no sound", encoding="utf-8")
    with pytest.raises(NoAudio) as caught:
        extract_features(path)
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(NoAudio):
        extract_features(tmp_path / "missing.mp3")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("measure", [extract_features, measure_profile])
def test_samples_that_no_sound_has_are_damage(
    measure: Callable[[bytes], object], value: float
) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.full(RATE, value), RATE, format="WAV", subtype="FLOAT")
    with pytest.raises(NoAudio, match="not numbers"):
        measure(file.getvalue())
