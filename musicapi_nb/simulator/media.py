"""The simulator's file server: audio, MIDI and covers with byte ranges, without a key.

numpy, soundfile and mido are loaded with the first file, so that a simulator is ready at once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from aiohttp import web

from musicapi_nb.simulator.music import midi, recording
from musicapi_nb.simulator.music.composition import mood_of
from musicapi_nb.simulator.tasks import Song

CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}


class File(NamedTuple):
    """The content behind a link."""

    content: bytes
    content_type: str


class Files:
    """Renders each file once, in a thread, and keeps the latest ``most``."""

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._files: OrderedDict[str, asyncio.Future[File]] = OrderedDict()

    async def file(self, kind: str, song: Song, file_format: str) -> File | None:
        """Return a song's file; None if there is none of this kind and format."""
        make: Callable[[], File]
        if kind == "image":
            make = partial(cover_file, song)
        elif (kind, file_format) == ("midi", "mid"):
            make = partial(midi_file, song)
        elif kind in ("audio", "stream") and file_format in recording.CONTENT_TYPES:
            make = partial(audio_file, song, file_format)
        else:
            return None
        name = f"{kind}/{song.song_id}.{file_format}"
        if name not in self._files:
            self._files[name] = asyncio.get_running_loop().run_in_executor(None, make)
        self._files.move_to_end(name)
        while len(self._files) > self._most:
            self._files.popitem(last=False)
        # Another request may wait for the same file: a client that leaves must not cancel it.
        return await asyncio.shield(self._files[name])


def audio_file(song: Song, audio_format: recording.AudioFormat) -> File:
    from musicapi_nb.simulator.music import synthesis  # noqa: PLC0415 - loads numpy and soundfile

    content = synthesis.encode(synthesis.samples_of(song.recording), audio_format)
    return File(content, recording.CONTENT_TYPES[audio_format])


def cover_file(song: Song) -> File:
    from musicapi_nb.simulator.music import cover_art  # noqa: PLC0415 - loads numpy

    content = cover_art.cover(song.recording.seed, *mood_of(song.tags))
    return File(content, cover_art.CONTENT_TYPE)


def midi_file(song: Song) -> File:
    return File(midi.midi(song.recording), "audio/midi")


def preflight() -> web.Response:
    """Answer a browser's CORS preflight request."""
    allowed = {"Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "*"}
    return web.Response(status=204, headers={**CORS, **allowed})


def file_response(request: web.Request, file: File) -> web.Response:
    """Answer with a file, or with the part that a Range header requests."""
    headers = {**CORS, "Accept-Ranges": "bytes", "Content-Type": file.content_type}
    size = len(file.content)
    try:
        byte_range = request.http_range
    except ValueError:
        byte_range = slice(None, None, 1)
    if byte_range.start is None and byte_range.stop is None:
        return web.Response(body=file.content, headers=headers)
    first, after, _ = byte_range.indices(size)
    if first >= after:
        headers["Content-Range"] = f"bytes */{size}"
        return web.Response(status=416, headers=headers)
    headers["Content-Range"] = f"bytes {first}-{after - 1}/{size}"
    return web.Response(status=206, body=file.content[first:after], headers=headers)
