"""Likeness of sounds: one recording is known again, takes are alike, other songs are not."""

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import musicapi_nb as mnb
from musicapi_nb.audio.profile import VERSION, Profile
from musicapi_nb.audio.profile_comparison import Comparison, compare, prepare
from musicapi_nb.audio.profile_measurement import measure_profile
from musicapi_nb.errors import InvalidArgument, NoAudio
from musicapi_nb.library import Library, Measure, Measurement
from musicapi_nb.simulator.music.recording import Recording
from musicapi_nb.simulator.music.synthesis import samples_of
from tests.library.helpers import acknowledged, buy, looked, song

RATE = 24_000
SECONDS = 8.0
Samples = NDArray[np.float32]


def encoded(samples: Samples, file_format: str = "mp3", rate: int = RATE, **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=file_format, **options)
    return file.getvalue()


def recording(seed: str, tag: str) -> Samples:
    return samples_of(Recording(seed, (tag,), SECONDS, instrumental=True))


def chords(roots: list[int], brightness: float = 0.5) -> Samples:
    """Play major chords on these MIDI notes, a second each, by another synthesiser."""
    time = np.arange(RATE) / RATE
    parts = []
    for root in roots:
        wave = np.zeros(RATE)
        for step in (0, 4, 7):
            hertz = 440 * 2 ** ((root + step - 69) / 12)
            for partial in range(1, 9):
                wave += brightness**partial * np.sin(2 * math.pi * partial * hertz * time)
        parts.append(wave * np.exp(-2 * time))
    return (0.1 * np.concatenate(parts)).astype(np.float32)


def compared(first: bytes, second: bytes) -> Comparison:
    return compare(*(prepare(measure_profile(sound)) for sound in (first, second)))


@pytest.fixture(scope="module")
def jazz() -> Samples:
    return recording("one", "jazz")


def test_a_recording_is_known_again(jazz: Samples) -> None:
    original = encoded(jazz)
    late = np.concatenate([np.zeros((int(0.13 * RATE), 2), np.float32), jazz])
    versions = {
        "another format": encoded(jazz, "ogg"),
        "few bits": encoded(jazz, bitrate_mode="CONSTANT", compression_level=0.8),
        "12 dB less": encoded(jazz * np.float32(0.25), "wav"),
        "130 ms later": encoded(late),
        "350 ms cut off, mono": encoded(jazz[int(0.35 * RATE) :].mean(axis=1)),
        "half of the rate": encoded(jazz[::2], "wav", RATE // 2),
    }
    for name, version in versions.items():
        result = compared(original, version)
        assert result.duplicate, name
        assert (result.likeness, result.transposition) == (1.0, 0), name
        assert result.harmony > 0.85, name
    assert not compared(original, encoded(jazz[: len(jazz) // 2])).duplicate  # an excerpt


def test_takes_are_more_alike_than_other_styles_and_no_duplicates(jazz: Samples) -> None:
    take = compared(encoded(jazz), encoded(recording("two", "jazz")))
    other = compared(encoded(jazz), encoded(recording("two", "ambient")))
    assert not take.duplicate
    assert not other.duplicate
    assert other.likeness < take.likeness < 1
    assert other.timbre < 0.2 < take.timbre


def test_transposition_and_timbre_are_distinguished() -> None:
    roots = [60, 65, 67, 60, 57, 62, 67, 60]
    original = encoded(chords(roots), "wav")
    higher = compared(original, encoded(chords([root + 3 for root in roots]), "wav"))
    assert higher.transposition == 3
    assert higher.harmony > 0.95
    assert not higher.duplicate
    lower = compared(original, encoded(chords([root - 2 for root in roots]), "wav"))
    assert lower.transposition == -2
    dull = compared(original, encoded(chords(roots, 0.2), "wav"))
    assert dull.transposition == 0
    assert dull.harmony > 0.95
    assert dull.timbre < higher.timbre
    others = compared(original, encoded(chords([62, 61, 69, 70, 58, 63, 66, 68]), "wav"))
    assert others.harmony < 0.8


def test_short_sounds_are_duplicates_only_of_themselves() -> None:
    short = [encoded(chords(roots), "wav") for roots in ([60, 65], [62, 57])]
    assert compared(short[0], short[0]).duplicate
    assert not compared(*short).duplicate


def test_noise_and_clicks_are_compared_too() -> None:
    rng = np.random.default_rng(0)
    noises = [rng.normal(0, 0.1, 8 * RATE).astype(np.float32) for _ in range(2)]
    clicks = np.zeros(8 * RATE, np.float32)
    clicks[:: RATE // 2] = 0.9
    same_kind = compared(*(encoded(noise, "wav") for noise in noises))
    assert not same_kind.duplicate
    assert same_kind.timbre > 0.9
    assert compared(encoded(noises[0], "wav"), encoded(clicks, "wav")).timbre < same_kind.timbre


def test_profiles_are_texts(jazz: Samples) -> None:
    profile = measure_profile(encoded(jazz))
    text = profile.to_text()
    assert len(text) < 6_000
    again = Profile.from_text(text)
    np.testing.assert_array_equal(again.bits, profile.bits)
    np.testing.assert_array_equal(again.timbre, profile.timbre)
    np.testing.assert_allclose(again.notes, profile.notes, atol=1 / 500)
    other_shape = profile._replace(notes=profile.notes[:, :5]).to_text()
    for wrong in ("", "x", "bm90IGFuIGFyY2hpdmU=", text[: len(text) // 2], other_shape):
        with pytest.raises(ValueError, match="not a profile"):
            Profile.from_text(wrong)
    silent, short = np.zeros(3 * RATE, np.float32), np.ones(RATE // 2, np.float32)
    for sound in (encoded(silent, "wav"), encoded(short, "wav"), b"not a sound"):
        with pytest.raises(NoAudio):
            measure_profile(sound)


@pytest.fixture
def library(tmp_path: Path, jazz: Samples) -> Iterator[Library]:
    """Hold two takes of a request, whose first song is twice the same, and another request."""
    sounds = [jazz, jazz * np.float32(0.5), recording("two", "jazz"), recording("three", "jazz")]
    with Library(tmp_path / "library") as library:
        requests = [(song("one"), 1), (song("one"), 2), (song("two"), 1)]
        for number, (request, take) in enumerate(requests):
            entry = buy(library, request, f"t{number}", take=take).entry.id
            task = looked(acknowledged(request, f"t{number}"), _done(f"s{number}"))
            library.record_poll(entry, task)
            for item, sound in zip(library.task(entry).songs, sounds[2 * number :], strict=False):
                file = library.temporary_path(".wav")
                file.write_bytes(encoded(sound, "wav"))
                library.attach(item, "audio", library.add_file(file, ".wav"))
        yield library


def _done(name: str) -> dict[str, Any]:
    clip = {"state": "succeeded", "title": name, "audio_url": "https://127.0.0.1:9/a.mp3"}
    return {"code": 200, "data": [{**clip, "clip_id": f"{name}{letter}"} for letter in "ab"]}


def test_likeness_of_pairs_of_songs(library: Library) -> None:
    options: dict[str, Any] = {"progress": False, "workers": 1}
    table = mnb.likeness(library, **options)
    assert table[["song_id", "other_song_id"]].to_numpy().tolist() == [
        ["s0a", "s0b"],
        ["s1a", "s1b"],
        ["s2a", "s2b"],
    ]
    assert table["duplicate"].tolist()[:2] == [True, False]
    assert table["likeness"].tolist()[0] == 1.0
    assert table["same_task"].all()
    assert table["same_request"].all()
    assert table.iloc[2][["harmony", "timbre", "duplicate"]].isna().all()  # no sound, no session
    assert "URL is not safe" in table["issue"].tolist()[2]
    takes = mnb.likeness(library, within="request", **options)
    assert len(takes) == 6 + 1
    assert takes["same_task"].sum() == 3
    everything = mnb.likeness(library, within=None, **options)
    assert len(everything) == 15
    assert everything["same_request"].sum() == 7
    # a second call decodes nothing: profiles are stored, and no table shows them
    assert "_profile" not in mnb.measures_frame(library)
    (measure,) = library.measures()
    assert (measure.name, dict(measure.columns)) == ("likeness", {})
    file = library.file_of(library.task(1).songs[0])
    assert file is not None
    damaged = Measurement(file.stem, {"_profile": "x"})
    library.store_measurements(Measure("likeness", VERSION), [damaged])
    again = mnb.likeness(library, **options)
    assert again["issue"].tolist()[0] == "the profile in the library is damaged"
    with pytest.raises(InvalidArgument, match="within"):
        mnb.likeness(library, within="album")  # type: ignore[arg-type]  # the mistake itself
    with pytest.raises(InvalidArgument, match="name must be"):
        mnb.measure(library, str, name="_hidden")


def test_likeness_of_files(tmp_path: Path, jazz: Samples) -> None:
    (tmp_path / "a.mp3").write_bytes(encoded(jazz))
    (tmp_path / "b.ogg").write_bytes(encoded(jazz, "ogg"))
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    table = mnb.likeness(tmp_path, progress=False, workers=1)
    names = [[Path(path).name for path in row] for row in table[["path", "other_path"]].to_numpy()]
    assert names == [["a.mp3", "b.ogg"], ["a.mp3", "c.wav"], ["b.ogg", "c.wav"]]
    assert table["duplicate"].tolist()[0] is True
    assert table["issue"].notna().tolist() == [False, True, True]
    assert table["same_request"].isna().all()
    assert mnb.likeness([], progress=False).empty
