"""Files of any common type are recognized by their whole signature, and stored."""

import contextlib
import io
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import musicapi_nb as mnb
from musicapi_nb.client.file_type import suffix_of
from musicapi_nb.ledger_types import Media
from musicapi_nb.library import Library
from musicapi_nb.library.database import Database
from musicapi_nb.library.media_files import file_notes
from tests.library.helpers import rebuilt_is_the_same
from tests.raw_http_server import ACK, CLIP, SONG, Connection, client, peer, reply

ID3 = b"ID3\x04\0\0\0\0\0\x05abcde"
ADTS = (b"\xff\xf1\x50\x80\x02\x1f\xfc" + bytes(9)) * 4


def sound(kind: str, rate: int = 22_050, **options: str) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * rate)
    soundfile.write(file, noise, rate, format=kind, **options)
    return file.getvalue()


SOUNDS = {
    "MPEG-1": (sound("MP3", 44_100), ".mp3"),
    "MPEG-2": (sound("MP3"), ".mp3"),
    "MPEG-2.5": (sound("MP3", 11_025), ".mp3"),
    "MPEG-2.5 of 8 kHz": (sound("MP3", 8_000), ".mp3"),
    "a zero before the first frame": (b"\0" + sound("MP3", 48_000), ".mp3"),
    "text before the first frame": (b"Words and words" * 500 + sound("MP3"), ".mp3"),
    "ID3, then zeros": (ID3 + bytes(300) + sound("MP3"), ".mp3"),
    "two ID3 tags": (ID3 + ID3 + sound("MP3", 16_000), ".mp3"),
    "ID3 before FLAC": (ID3 + sound("FLAC"), ".flac"),
    "AIFF": (sound("AIFF"), ".aiff"),
    "compressed AIFF": (sound("AIFF", subtype="ULAW"), ".aiff"),
    "big-endian WAV": (sound("WAV", endian="BIG"), ".wav"),
    "64-bit WAV": (sound("RF64"), ".wav"),
    "Opus": (sound("OGG", 48_000, subtype="OPUS"), ".ogg"),
    "AAC": (ADTS, ".aac"),
    "ID3 before AAC": (ID3 + ADTS, ".aac"),
}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as library:
        yield library


async def _archive(library: Library, audio: bytes, duration: float = 2.0) -> Path | None:
    """Buy a song with this audio; return its file in the library."""

    async def serve(connection: Connection) -> None:
        while (request := await connection.request()) is not None:
            if b" /audio" in request:
                await connection.send(reply(audio))
            elif request.startswith(b"POST"):
                await connection.send(reply(ACK))
            else:
                song = {**CLIP, "audio_url": f"{server.url}/audio", "duration": duration}
                songs = [song, {**song, "clip_id": "d"}]
                await connection.send(reply({"code": 200, "message": "success", "data": songs}))

    async with peer(serve) as server, client(server.url, ledger=library) as api:
        task = await api.run(SONG)
    return library.file_of(task.songs[0])


@pytest.mark.parametrize(("audio", "suffix"), SOUNDS.values(), ids=SOUNDS.keys())
async def test_sound_of_any_type_is_stored(library: Library, audio: bytes, suffix: str) -> None:
    assert suffix_of(audio, "audio") == suffix
    path = await _archive(library, audio)
    assert path is not None
    assert path.suffix == suffix
    assert path.read_bytes() == audio
    assert library.missing_files() == []


@pytest.mark.parametrize("duration", [100.0, 4.5, 86_400.0])
async def test_wrong_stated_duration_is_a_warning(
    library: Library, caplog: pytest.LogCaptureFixture, duration: float
) -> None:
    assert await _archive(library, sound("WAV"), duration) is not None
    assert f"lasts 2.0 s instead of the stated {duration:.1f} s" in caplog.text
    assert "not in the library" not in caplog.text
    note = f"the audio lasts 2.0 s instead of the stated {duration:.1f} s"
    assert [(item.media, item.note) for item in library.file_notes()] == [("audio", note)] * 2
    assert note in library._repr_html_()
    assert "2 odd files" in repr(library)
    result = mnb.export(library.path.with_name("songs"), library)
    assert result.notes == (("Rain", note), ("Rain", note))
    assert note in next(iter(result.path.glob("Rain*.json"))).read_text(encoding="utf-8")
    assert mnb.export(result.path, library).notes == result.notes
    rebuilt_is_the_same(library)


async def test_file_of_the_stated_length_has_no_note(library: Library) -> None:
    await _archive(library, sound("WAV"), 2.1)
    assert library.file_notes() == []
    assert "odd file" not in repr(library)


async def test_library_of_an_earlier_version_has_no_notes(library: Library) -> None:
    await _archive(library, sound("WAV"), 9.0)
    library.close()
    with contextlib.closing(sqlite3.connect(library.path / "library.sqlite")) as connection:
        connection.executescript(
            "DROP INDEX attachments_with_notes; ALTER TABLE attachments DROP COLUMN note;"
            "DROP VIEW current_measures; DROP TABLE measures; DROP TABLE measurements;"
            "PRAGMA user_version=2"
        )
    database = Database(library.path / "library.sqlite", lock_timeout=1, read_only=True)
    assert file_notes(database) == []
    database.close()
    with Library(library.path) as again:
        assert again.file_notes() == []
        again.rebuild()
        assert len(again.file_notes()) == 2


@pytest.mark.parametrize(
    ("content", "media"),
    [
        (b"RIFF\x24\0\0\0AVI LIST", "audio"),
        (b"junkjunkWAVEfmt ", "audio"),
        (b"FORM\0\0\0\x24ILBM", "audio"),
        (b"\0\0\0\x18ftypavif", "audio"),
        (b"\0\0\0\x18ftypheic", "audio"),
        (b"OggS" + bytes(24) + b"\x80theora", "audio"),
        ("\ufeffThis is text.".encode("utf-16-le") * 50, "audio"),
        ("\ufeffThis is text.".encode("utf-16-be") * 50, "audio"),
        (b"\xff\xfb\x90\x64" + b"not followed by a frame" * 99, "audio"),
        (b"\xff" * 5000, "audio"),
        (b"<html>Link expired \xff\xfb\x90</html>" * 200, "audio"),
        (b"GIF85a", "image"),
        (b"junkjunkWEBP", "image"),
        (b"\0\0\0\x20ftypM4A ", "video"),
    ],
)
def test_part_of_a_signature_is_not_enough(content: bytes, media: Media) -> None:
    assert suffix_of(content, media) is None
