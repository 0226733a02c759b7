"""Keeps the files of finished songs in the library: fetched, decoded, named by their hash."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from musicapi_nb.client.download import fetch, suffix_of
from musicapi_nb.errors import DownloadFailed, MusicAPIError
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb.client.download import Media
    from musicapi_nb.client.transport import Transport

LARGEST_FILE = 500_000_000
_MEDIA: tuple[Media, ...] = ("audio", "image")
# libsndfile reads no AAC; such a file is known by its first bytes alone.
_UNDECODABLE = frozenset({".m4a"})
# A rendered file may end a little before or after the stated length.
_SECONDS_OFF, _SHARE_OFF = 2.0, 0.05
_log = logging.getLogger(__name__)


class MediaStore(Protocol):
    """Where files go; `library.Library` fulfils it."""

    def incoming(self, suffix: str = "") -> Path: ...
    def add_file(self, source: Path, suffix: str) -> Any: ...
    def attach(self, song: Song, media: Media, file: Any) -> None: ...
    def file_of(self, song: Song, media: Media = "audio") -> Path | None: ...


@dataclasses.dataclass(frozen=True, slots=True)
class MediaArchiver:
    """Fetches by `transport`, puts files on `shelf`, asks for fresh links by `poll`."""

    transport: Transport
    shelf: MediaStore
    poll: Callable[[Task], Awaitable[Task]]

    async def archive(self, task: Task) -> None:
        """Fetch the audio and the cover of each finished song that the shelf has not.

        A dead link is asked for anew send, by polling the task. What cannot be had is logged,
        and stays in the library's `missing_files`: the songs were made all the same.
        """
        for song in task.songs:
            for media in _MEDIA:
                if song.state != "succeeded" or not getattr(song, f"{media}_url"):
                    continue
                try:
                    await self._keep(task, song, media)
                except (MusicAPIError, OSError) as error:
                    _log.warning("%s of %s is not in the library: %s", media, song.id, error)

    async def _keep(self, task: Task, song: Song, media: Media) -> None:
        if await asyncio.to_thread(self.shelf.file_of, song, media) is not None:
            return
        beside = self.shelf.incoming()
        try:
            try:
                await self._fetch(song, media, beside)
            except DownloadFailed as error:
                fresh = await self._fresh(task, song, media) if error.status else None
                if fresh is None:
                    raise
                await self._fetch(fresh, media, beside)
            await asyncio.to_thread(_shelve, self.shelf, song, media, beside)
        finally:
            beside.unlink(missing_ok=True)

    async def _fetch(self, song: Song, media: Media, beside: Path) -> None:
        url = getattr(song, f"{media}_url")
        await fetch(self.transport, url, beside, media=media, max_bytes=LARGEST_FILE)

    async def _fresh(self, task: Task, song: Song, media: Media) -> Song | None:
        """The same song as the service tells it now; None when it is gone, or has no link."""
        now = await self.poll(task)
        same = (one for one in now.songs if (one.id, one.position) == (song.id, song.position))
        fresh = next(same, None)
        return fresh if fresh is not None and getattr(fresh, f"{media}_url") else None


def _shelve(shelf: MediaStore, song: Song, media: Media, beside: Path) -> None:
    with beside.open("rb") as file:
        suffix = suffix_of(file.read(16), media) or ""
    if media == "audio" and suffix not in _UNDECODABLE:
        check_audio(beside, song.duration)
    shelf.attach(song, media, shelf.add_file(beside, suffix))


def check_audio(path: Path, stated: float | None) -> None:
    """Decode a file to its end, and compare its length with the stated seconds.

    Raises
    ------
    DownloadFailed
        It cannot be decoded, or is much shorter or longer than stated.
    """
    import soundfile  # noqa: PLC0415 - only who keeps files needs it

    try:
        with soundfile.SoundFile(path) as audio:
            rate, frames = audio.samplerate, 0
            for block in audio.blocks(blocksize=1 << 20, dtype="int16"):
                frames += len(block)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise DownloadFailed(f"the audio cannot be decoded ({error})") from None
    seconds = frames / rate
    if stated is not None and abs(seconds - stated) > max(_SECONDS_OFF, _SHARE_OFF * stated):
        raise DownloadFailed(f"the audio lasts {seconds:.1f} s, {stated:.1f} s were stated")
