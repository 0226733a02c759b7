"""The simulator's file server: audio and covers, made when asked for, with ranges and no key."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np
from aiohttp import web

from musicapi_nb.simulator import audio, covers, midi
from musicapi_nb.simulator.genres import mood_of
from musicapi_nb.simulator.songs import played_tags
from musicapi_nb.simulator.synth import Samples
from musicapi_nb.simulator.tasks import Song

CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*"}
_CACHE_BYTES = 96 * 2**20


class File(NamedTuple):
    """What a link leads to."""

    content: bytes
    content_type: str


class Files:
    """Renders off the event loop, each file once, and keeps the latest while memory allows."""

    def __init__(self, executor: Executor, most_bytes: int = _CACHE_BYTES) -> None:
        self._executor = executor
        self._most = most_bytes
        self._kept: OrderedDict[str, File] = OrderedDict()
        self._size = 0
        self._under_way: dict[str, asyncio.Future[File]] = {}

    async def audio(self, song: Song, form: audio.AudioFormat) -> File:
        """Give a song's sound file."""
        return await self._file(f"{form}/{song.song_id}", lambda: sound(song, form))

    async def midi(self, song: Song) -> File:
        """Give a song's notes."""
        return await self._file(f"midi/{song.song_id}", lambda: File(midi.midi(song), "audio/midi"))

    async def image(self, song: Song) -> File:
        """Give a song's cover."""
        return await self._file(f"image/{song.song_id}", lambda: picture(song))

    async def _file(self, name: str, make: Callable[[], File]) -> File:
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        if name not in self._under_way:
            loop = asyncio.get_running_loop()
            self._under_way[name] = loop.run_in_executor(self._executor, make)
            self._under_way[name].add_done_callback(lambda made: self._keep(name, made))
        # A listener who leaves must not stop the rendering that another waits for.
        return await asyncio.shield(self._under_way[name])

    def _keep(self, name: str, made: asyncio.Future[File]) -> None:
        del self._under_way[name]
        if made.cancelled() or made.exception() is not None:
            return
        self._kept[name] = made.result()
        self._size += len(made.result().content)
        while self._size > self._most and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped.content)


def sound(song: Song, form: audio.AudioFormat) -> File:
    """Play and encode a song."""
    return File(audio.encode(samples(song), form), audio.CONTENT_TYPES[form])


def samples(song: Song, parts: frozenset[str] | None = None) -> Samples:
    """Play a song, or some of its voices and drums; what is made of pieces, piece by piece."""
    if "of" in song.details:
        return samples(song.details["of"], song.details["parts"])
    if "pieces" not in song.details:
        return audio.render(
            song.seed, played_tags(song), song.duration, instrumental=song.instrumental, parts=parts
        )
    played = audio.join(
        [
            samples(piece, parts)[audio.frames(first) : audio.frames(last)]
            for piece, first, last in song.details["pieces"]
        ]
    )
    missing = audio.frames(song.duration) - len(played)  # pieces are cut at whole samples
    return np.pad(played, ((0, max(0, missing)), (0, 0)))[: audio.frames(song.duration)]


def picture(song: Song) -> File:
    """Paint a song's cover."""
    return File(covers.cover(song.seed, *mood_of(song.tags)), covers.CONTENT_TYPE)


def preflight() -> web.Response:
    """Answer a browser that asks whether it may read files from another page."""
    allowed = {"Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "*"}
    return web.Response(status=204, headers={**CORS, **allowed})


def served(request: web.Request, file: File) -> web.Response:
    """Answer with a file, or with the part of it that a Range header asks for."""
    headers = {**CORS, "Accept-Ranges": "bytes", "Content-Type": file.content_type}
    size = len(file.content)
    try:
        asked = request.http_range
    except ValueError:
        asked = slice(None, None, 1)
    if asked.start is None and asked.stop is None:
        return web.Response(body=file.content, headers=headers)
    first, after, _ = asked.indices(size)
    if first >= after:
        headers["Content-Range"] = f"bytes */{size}"
        return web.Response(status=416, headers=headers)
    headers["Content-Range"] = f"bytes {first}-{after - 1}/{size}"
    return web.Response(status=206, body=file.content[first:after], headers=headers)
