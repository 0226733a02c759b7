"""Tests of export() with audio files that differ from what their headers say."""

import struct
from collections.abc import Iterator
from pathlib import Path

import mutagen
import pytest
import soundfile

import musicapi_nb as mnb
from musicapi_nb.library import Library
from tests.exports.songs import add, attach, sound

DATA_SIZE = 40  # offset in a WAV file of 44 bytes of header


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


def _wav(riff: int, data: int) -> bytes:
    content = bytearray(sound(".wav"))
    content[4:8], content[DATA_SIZE : DATA_SIZE + 4] = (
        struct.pack("<I", riff),
        struct.pack("<I", data),
    )
    return bytes(content)


ODD = {
    "all ones": (_wav(0xFFFFFFFF, 0xFFFFFFFF), ".wav"),
    "largest signed": (_wav(0x7FFFFFFF, 0x7FFFFFFF), ".wav"),
    "two billion": (_wav(2_000_000_036, 2_000_000_000), ".wav"),
    "zeros": (_wav(0, 0), ".wav"),
    "only the sound is endless": (_wav(0xFFFFFFF0, len(sound()) - 44), ".wav"),
    "shorter than the sound": (_wav(1_000, 2_000), ".wav"),
    "bytes behind the sound": (sound() + b"left by a recorder", ".wav"),
    "bytes before the sound": (b"\0" * 700 + sound(".mp3"), ".mp3"),
    "cut FLAC": (sound(".flac")[:-200], ".flac"),
    "cut Ogg": (sound(".ogg")[:-200], ".ogg"),
    "FLAC of unknown length": (sound(".flac")[:21] + bytes(5) + sound(".flac")[26:], ".flac"),
}


@pytest.mark.parametrize(("content", "suffix"), ODD.values(), ids=ODD.keys())
def test_odd_file_keeps_its_sound_and_stops_no_other(
    library: Library, tmp_path: Path, content: bytes, suffix: str
) -> None:
    (odd, _) = add(library, "Odd", "Good")
    attach(library, odd, "audio", content, suffix)

    result = mnb.export(tmp_path / "songs", library)

    assert result.counts == {"written": 2}
    assert mutagen.File(tmp_path / "songs" / "Good.wav").tags["TIT2"] == "Good"
    path = tmp_path / "songs" / f"Odd{suffix}"
    untagged = path.read_bytes() == content
    assert [title for title, _ in result.notes] == ["Odd"] * untagged
    assert all("written without tags" in message for _, message in result.notes)
    source = library.file_of(odd)
    assert source is not None
    try:
        samples, rate = soundfile.read(source)
    except soundfile.LibsndfileError:
        assert untagged
    else:
        written, written_rate = soundfile.read(path)
        assert (written_rate, written.tobytes()) == (rate, samples.tobytes())
    assert mnb.export(tmp_path / "songs", library).counts == {"skipped": 2}


@pytest.mark.parametrize("placeholder", [0xFFFFFFFF, 0x7FFFFFFF])
def test_streamed_wav_is_exported_without_tags(
    library: Library, tmp_path: Path, placeholder: int
) -> None:
    (clip,) = add(library, "Streamed")
    attach(library, clip, "audio", _wav(placeholder, placeholder), ".wav")
    result = mnb.export(tmp_path / "songs.zip", library)
    assert result.counts == {"written": 1}
    assert "Streamed: written without tags" in repr(result)


@pytest.mark.parametrize("size", [0, 13, 12, 5_000, 0xFFFFFFFF])
def test_odd_mp4_keeps_its_sound(library: Library, tmp_path: Path, size: int) -> None:
    content = sound(".m4a")
    start = content.index(b"mdat") - 4
    content = content[:start] + struct.pack(">I", size) + content[start + 4 :]
    (odd, _) = add(library, "Odd", "Good")
    attach(library, odd, "audio", content, ".m4a")

    result = mnb.export(tmp_path / "songs", library)

    assert result.counts == {"written": 2}
    written = (tmp_path / "songs" / "Odd.m4a").read_bytes()
    assert written == content or written.endswith(content[start:])
    assert (written == content) == bool(result.notes)
