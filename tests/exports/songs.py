"""Helpers that add songs with audio files to a library, for tests of exports."""

import io
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from musicapi_nb import sonic, tasks
from musicapi_nb.engines import Request
from musicapi_nb.library import Library
from tests.library.helpers import acknowledged, buy, looked, song

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63680000008200817c0d2f0e0000000049454e44ae426082"
)
FORMATS = {".mp3": "MP3", ".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}
RATE = 8_000


def sound(suffix: str = ".wav", seconds: float = 0.3) -> bytes:
    if suffix == ".m4a":
        return _mp4(seconds)
    file = io.BytesIO()
    wave = 0.3 * np.sin(np.arange(int(RATE * seconds)) / 9)
    soundfile.write(file, wave, RATE, format=FORMATS[suffix])
    return file.getvalue()


def _mp4(seconds: float) -> bytes:
    """Return a minimal MP4 with a sound track, because no encoder is available."""

    def atom(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), name) + content

    media = atom(b"mdhd", struct.pack(">6I", 0, 0, 0, 1000, int(seconds * 1000), 0))
    media += atom(b"hdlr", bytes(8) + b"soun" + bytes(12))
    ftyp = atom(b"ftyp", b"M4A " + bytes(4))
    return ftyp + atom(b"moov", atom(b"trak", atom(b"mdia", media))) + atom(b"mdat", b"sound")


def add(
    library: Library,
    *titles: str | None,
    suffix: str = ".wav",
    request: Request | None = None,
    experiment: str | None = None,
    **fields: Any,
) -> list[str]:
    """Buy one finished task with songs of these titles; return their ids."""
    number = len(library.entries())
    ids = [f"clip-{number}-{index}" for index in range(len(titles))]
    clip = {
        "state": "succeeded",
        "tags": "jazz, spy",
        "lyrics": "[Verse]\nRain on tin",
        "audio_url": "https://cdn.example/a",
        "image_url": "https://cdn.example/a.jpg",
        "created_at": "2026-10-07T12:30:01.500Z",
        "mv": "chirp-v5",
        "duration": 0.3,
    }
    clips = [
        {**clip, **fields, "clip_id": name, "title": title}
        for name, title in zip(ids, titles, strict=True)
    ]
    request = request or song(f"rain {number}")
    claim = buy(library, request, f"task-{number}", experiment=experiment)
    reply = {"code": 200, "data": clips}
    library.record_poll(claim.entry.id, looked(acknowledged(request, f"task-{number}"), reply))
    for index, name in enumerate(ids):
        attach(library, name, "audio", sound(suffix, 0.3 + index / 10), suffix)
        attach(library, name, "image", PNG, ".png")
    return ids


def attach(
    library: Library, name: str, media: Literal["audio", "image"], content: bytes, suffix: str
) -> None:
    path = library.temporary_path(suffix)
    path.write_bytes(content)
    library.attach(name, media, library.add_file(path, suffix))


def align(library: Library, clip: str, *items: tuple[str, float, float]) -> None:
    """Add an answer of aligned-lyrics to the library."""
    request = sonic.AlignedLyrics(clip_id=clip)
    alignment = [
        {"word": word, "start_s": start, "end_s": end, "p_align": 0.9, "success": True}
        for word, start, end in items
    ]
    reply = {"code": 200, "message": "success", "data": {"alignment": alignment}}
    claim = library.claim(request)
    library.record_accepted(claim.entry.id, tasks.parse_submit_reply(reply, request))


def inside(folder: Path) -> dict[str, bytes]:
    """Return the content of all files in a folder by relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
