"""Tests of export() with audio files that differ from what their headers say."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mutagen
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import musicapi_nb as mnb
from musicapi_nb.audio.decoding import read_blocks
from musicapi_nb.exports.audio_tags import Tags, copy_with_tags, tags_of
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song
from tests.exports.songs import PNG, add, attach, sound

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
    "only the sound is endless": (_wav(0xFFFFFFF0, len(sound()) - 44), ".wav"),
    "shorter than the sound": (_wav(1_000, 2_000), ".wav"),
    "bytes behind the sound": (sound() + b"left by a recorder", ".wav"),
    "bytes before the sound": (b"\0" * 700 + sound(".mp3"), ".mp3"),
    "cut FLAC": (sound(".flac")[:-200], ".flac"),
    "cut Ogg": (sound(".ogg", 20.0)[:-200], ".ogg"),
    "Ogg without a whole page": (sound(".ogg")[:-200], ".ogg"),
    "FLAC of unknown length": (sound(".flac")[:21] + bytes(5) + sound(".flac")[26:], ".flac"),
}


def _samples(path: Path) -> tuple[int, bytes]:
    """Read the rate and the samples of a file to its end, whatever length its header states.

    `soundfile.read` makes an array of that length first; of an Ogg file without an end libsndfile
    may state 2**63 - 1 frames.
    """
    with soundfile.SoundFile(path) as file:
        return file.samplerate, b"".join(block.tobytes() for block in read_blocks(file, 1 << 30))


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
        recorded = _samples(source)
    except soundfile.LibsndfileError:
        assert untagged
    else:
        assert _samples(path) == recorded
    assert mnb.export(tmp_path / "songs", library).counts == {"skipped": 2}


# --- WAV headers ---------------------------------------------------------------------------

LIST = b"LIST\x0e\0\0\0INFOINAM\2\0\0\0A\0"
RECORDED = sound()  # 44 bytes of header
SAMPLES = RECORDED[44:]
FORMAT = RECORDED[12:36]


def _riff(*chunks: bytes, form: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", len(body) if size is None else size) + body


def _data(content: bytes = SAMPLES, size: int | None = None) -> bytes:
    return b"data" + struct.pack("<I", len(content) if size is None else size) + content


def _long(data_size: int) -> bytes:
    return b"ds64\x1c\0\0\0" + struct.pack("<QQQI", 0, data_size, 0, 0)


def _encoded(subtype: str, frames: int = 1_001, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(frames) / 9), 8_000, format=kind, subtype=subtype)
    return file.getvalue()


def _streamed(content: bytes) -> bytes:
    """Replace the sizes of file and sound by placeholders."""
    start = content.index(b"data") + 4
    return content[:4] + b"\xff" * 4 + content[8:start] + b"\xff" * 4 + content[start + 4 :]


BIT8 = _encoded("PCM_U8")
WAVS = {
    "all ones": _wav(0xFFFFFFFF, 0xFFFFFFFF),
    "largest signed": _wav(0x7FFFFFFF, 0x7FFFFFFF),
    "two billion": _wav(2_000_000_036, 2_000_000_000),
    "zeros": _wav(0, 0),
    "no size of the file": _riff(FORMAT, _data(), size=0),
    "tags before the sound": _riff(FORMAT, LIST, _data(size=0xFFFFFFFF), size=0xFFFFFFFF),
    "tags after the sound": _riff(FORMAT, _data(), LIST, size=0xFFFFFFFF),
    "more than there is": _riff(FORMAT, _data(SAMPLES[:-1_000], len(SAMPLES))),
    "bytes behind the sound": _riff(FORMAT, _data()) + b"\0\1 left by a recorder",
    "ID3v1 behind the sound": _riff(FORMAT, _data()) + b"TAG" + bytes(125),
    "64-bit sizes": _encoded("PCM_16", kind="RF64"),
    "64-bit sizes, right": _riff(
        _long(len(SAMPLES)), FORMAT, _data(size=0xFFFFFFFF), form=b"RF64", size=0xFFFFFFFF
    ),
    "64-bit sizes, too large": _riff(
        _long(1 << 60), FORMAT, _data(size=0xFFFFFFFF), form=b"RF64", size=0xFFFFFFFF
    ),
    "8 bits, odd, padded": BIT8,
    "8 bits, odd, without padding": BIT8[:-1],
    "8 bits, odd, then tags": _riff(BIT8[12:-1], LIST),
    "8 bits, odd, padded, then tags": _riff(BIT8[12:], LIST, size=0),
    "24 bits, streamed": _streamed(_encoded("PCM_24", 999)),
    "float, streamed": _streamed(_encoded("FLOAT")),
    "ADPCM, streamed": _streamed(_encoded("IMA_ADPCM")),
    "telephone, streamed": _streamed(_encoded("ULAW")),
}


def _sizes(content: bytes) -> list[tuple[bytes, int]]:
    """Return the chunks of a WAV file; assert that all sizes are right."""
    assert content[:4] == b"RIFF"
    assert struct.unpack("<I", content[4:8])[0] == len(content) - 8
    chunks, position = [], 12
    while position < len(content):
        name, size = struct.unpack("<4sI", content[position : position + 8])
        chunks.append((name, size))
        position += 8 + size + size % 2
    assert position == len(content)
    return chunks


@pytest.mark.parametrize("content", WAVS.values(), ids=WAVS.keys())
def test_wav_is_exported_with_right_sizes_and_tags(
    library: Library, tmp_path: Path, content: bytes
) -> None:
    (odd,) = add(library, "Odd")
    attach(library, odd, "audio", content, ".wav")
    source = library.file_of(odd)

    result = mnb.export(tmp_path / "songs", library)

    assert result.notes == ()
    path = tmp_path / "songs" / "Odd.wav"
    assert mutagen.File(path).tags["TIT2"] == "Odd"
    names = [name for name, _ in _sizes(path.read_bytes())]
    assert {b"fmt ", b"data"} < set(names)
    assert (b"LIST" in names) == (LIST in content)
    samples, rate = soundfile.read(source, dtype="int32")
    if not len(samples):  # libsndfile reads nothing where no size is stated
        samples, rate = soundfile.read(io.BytesIO(RECORDED), dtype="int32")
    written, written_rate = soundfile.read(path, dtype="int32")
    assert (written_rate, written.tobytes()) == (rate, samples.tobytes())
    assert len(samples) > 900


NOT_UNDERSTOOD = {
    "big-endian": (_encoded("PCM_16").replace(b"RIFF", b"RIFX"), "neither"),
    "no format": (_riff(_data()), "header is not understood"),
    "two in a row": (RECORDED * 2, "cannot be decoded"),
    "no sound": (_riff(FORMAT, LIST), "header is not understood"),
    "a cut header": (RECORDED[:30], "header is not understood"),
    "an unknown coding": (RECORDED[:20] + b"\xee\xee" + RECORDED[22:], "cannot be decoded"),
}


@pytest.mark.parametrize(("content", "reason"), NOT_UNDERSTOOD.values(), ids=NOT_UNDERSTOOD.keys())
def test_unreadable_wav_is_exported_unchanged(
    library: Library, tmp_path: Path, content: bytes, reason: str
) -> None:
    (odd, _) = add(library, "Odd", "Good")
    attach(library, odd, "audio", content, ".wav")
    result = mnb.export(tmp_path / "songs", library)
    assert result.counts == {"written": 2}
    assert (tmp_path / "songs" / "Odd.wav").read_bytes() == content
    ((title, note),) = result.notes
    assert (title, note[:21]) == ("Odd", "written without tags:")
    assert reason in note


# --- other kinds ---------------------------------------------------------------------------

APE = b"APETAGEX" + struct.pack("<4I8x", 2000, 46, 1, 0x80000000)
APE += struct.pack("<2I", 3, 0) + b"Title\0Ape" + APE[:20].replace(b"\0\0\0\x80", b"\0\0\0\0")
ID3V1 = b"TAG" + b"Old title".ljust(125, b"\0")
ID3V2 = b"ID3\x04\0\0\0\0\0\x16TIT2\0\0\0\x0c\0\0\x03An old song"
MP3 = _encoded("MPEG_LAYER_III", 8_000, "MP3")
AIFF = _encoded("PCM_16", kind="AIFF")
START = AIFF.index(b"SSND")
KINDS = {
    "ID3v2 before and ID3v1 after": (ID3V2 + MP3 + ID3V1, ".mp3"),
    "APE and ID3v1 after": (MP3 + APE + ID3V1, ".mp3"),
    "ID3v2, zeros, APE": (ID3V2 + bytes(300) + MP3 + APE, ".mp3"),
    "zeros before the first frame": (bytes(900) + MP3, ".mp3"),
    "text before the first frame": (b"Words " * 500 + MP3, ".mp3"),
    "two ID3v2": (ID3V2 + ID3V2 + MP3, ".mp3"),
    "AIFF": (AIFF, ".aiff"),
    "compressed AIFF": (_encoded("ULAW", kind="AIFF"), ".aiff"),
    "streamed AIFF": (
        AIFF[:4] + bytes(4) + AIFF[8 : START + 4] + bytes(4) + AIFF[START + 8 :],
        ".aiff",
    ),
    "AIFF with too large a size": (AIFF[:4] + b"\x7f" * 4 + AIFF[8:], ".aiff"),
    "AIFF with bytes behind it": (AIFF + b"left by a recorder", ".aiff"),
    "ID3 before FLAC": (ID3V2 + _encoded("PCM_16", kind="FLAC"), ".flac"),
    "ID3v1 after FLAC": (_encoded("PCM_24", kind="FLAC") + ID3V1, ".flac"),
    "Opus": (_encoded("OPUS", 8_000, "OGG"), ".ogg"),
    "Ogg with bytes behind it": (_encoded("VORBIS", 8_000, "OGG") + b"more", ".ogg"),
    "two Ogg in a row": (_encoded("VORBIS", 8_000, "OGG") * 2, ".ogg"),
}


@pytest.mark.parametrize(("content", "suffix"), KINDS.values(), ids=KINDS.keys())
def test_tags_never_change_the_sound(tmp_path: Path, content: bytes, suffix: str) -> None:
    _check_copy(tmp_path, content, suffix)


@pytest.mark.parametrize("rate", [44_100, 32_000, 22_050, 16_000, 11_025, 8_000])
def test_mp3_of_each_version_is_tagged(tmp_path: Path, rate: int) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(rate) / 9), rate, format="MP3")
    assert _check_copy(tmp_path, file.getvalue(), ".mp3") == ""


def _check_copy(folder: Path, content: bytes, suffix: str) -> str:
    """Copy a file with tags; assert that it sounds the same, or is the same and a reason given."""
    source, target = folder / f"source{suffix}", folder / f"target{suffix}"
    source.write_bytes(content)
    reason = copy_with_tags(source, target, TAGS, PNG, "image/png")
    if reason:
        assert target.read_bytes() == content
        return reason
    assert _decoded(target) == _decoded(source)
    return reason


def _decoded(path: Path) -> tuple[int, bytes | str]:
    with soundfile.SoundFile(path) as file:  # a damaged header may state any number of frames
        try:
            samples = file.read(min(file.frames, 1_000_000), dtype="int32")
        except soundfile.LibsndfileError as error:  # it cannot seek to the stated end
            return file.samplerate, str(error)
        return file.samplerate, samples.tobytes()


TAGS = Tags("A new title", "jazz", "Words", "2026-10-07T12:30:01", {"MUSICAPI_SONG_ID": "s"})


def test_aac_without_a_container_is_not_tagged(tmp_path: Path) -> None:
    frame = b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)
    assert "AAC without a container" in _check_copy(tmp_path, frame * 4, ".aac")


@pytest.mark.parametrize("kind", ["WAV", "MP3", "AIFF", "FLAC", "OGG"])
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_file_keeps_its_sound(kind: str, tmp_path: Path, data: st.DataObject) -> None:
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(3_000) / 9), 8_000, format=kind)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, min(len(content), 250) - 1))
        value = data.draw(st.sampled_from([b"\0", b"\xff", b"\x7f\xff\xff\xff", b"data", b"\1"]))
        content[place : place + len(value)] = value
    _check_copy(tmp_path, bytes(content), f".{kind.lower()}")


def test_wrong_length_in_the_header_stays_wrong(tmp_path: Path) -> None:
    content = bytearray(_encoded("PCM_16", 3_000, "FLAC"))
    content[21] = 0xFF  # the first bits of the number of samples, and the last of their size
    _check_copy(tmp_path, bytes(content), ".flac")


def test_one_faulty_file_does_not_stop_an_export(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(library, "First", "Second", "Third")

    def fail(song: Song, *others: Any) -> Tags:
        if song.title == "Second":
            raise struct.error("unpack requires a buffer of 4 bytes")
        return tags_of(song, *others)

    monkeypatch.setattr("musicapi_nb.exports.audio_tags.tags_of", fail)
    result = mnb.export(tmp_path / "songs", library)
    assert result.counts == {"written": 2, "failed": 1}
    (failed,) = result.failed
    assert failed.title == "Second"
    assert "cannot be exported (error: unpack requires a buffer" in failed.reason


# --- MP4 -----------------------------------------------------------------------------------


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


def _atom(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def test_fragmented_mp4_is_exported_unchanged(tmp_path: Path) -> None:
    header = _atom(b"tfhd", struct.pack(">IIQ", 1, 1, 400))
    fragment = _atom(b"moof", _atom(b"traf", header)) + _atom(b"mdat", b"more")
    assert "in fragments" in _check_copy(tmp_path, sound(".m4a") + fragment, ".m4a")


@pytest.mark.parametrize(("name", "code"), [(b"stco", "I"), (b"co64", "Q")])
def test_mp4_offsets_move_with_the_sound(tmp_path: Path, name: bytes, code: str) -> None:
    content = sound(".m4a")
    start = content.index(b"moov") - 4
    moov = content[start + 8 : content.index(b"mdat") - 4]

    def with_offset(offset: int) -> bytes:
        table = _atom(name, struct.pack(f">II{code}", 0, 1, offset))
        return content[:start] + _atom(b"moov", moov + _atom(b"trak", table)) + content[-13:]

    source = with_offset(len(with_offset(0)) - 5)  # where the sound begins
    assert source.endswith(b"mdatsound")
    (tmp_path / "a.m4a").write_bytes(source)
    assert copy_with_tags(tmp_path / "a.m4a", tmp_path / "b.m4a", TAGS, PNG, "image/png") == ""
    written = (tmp_path / "b.m4a").read_bytes()
    place = written.index(name) + 12
    (offset,) = struct.unpack(f">{code}", written[place : place + struct.calcsize(code)])
    assert written[offset : offset + 5] == b"sound"
