"""Stores the files of finished songs in the library: downloaded, decoded, named by their hash."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from musicapi_nb.client.download import fetch, suffix_of
from musicapi_nb.client.transport import Transport
from musicapi_nb.errors import DownloadFailed, MusicAPIError
from musicapi_nb.ledger_types import Media, MediaStore
from musicapi_nb.tasks import Song, Task

MAX_FILE_BYTES = 500_000_000
_MEDIA: tuple[Media, ...] = ("audio", "image")
# libsndfile reads no AAC: such a file is only checked by its first bytes.
_UNDECODABLE = frozenset({".m4a"})
# A file may be a little shorter or longer than the stated duration: by seconds or by a share.
_TOLERANCE_SECONDS, _TOLERANCE_SHARE = 2.0, 0.05
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class MediaArchiver:
    """Downloads songs' files into `store`, and polls their task if a link has expired."""

    transport: Transport
    store: MediaStore
    poll: Callable[[Task], Awaitable[Task]]

    async def archive(self, task: Task) -> None:
        """Download audio and cover of each finished song that the store lacks.

        Failures are logged, and the library's `missing_files` lists them: the songs are paid for
        and can be downloaded later.
        """
        for song in task.songs:
            for media in _MEDIA:
                if song.state != "succeeded" or not getattr(song, f"{media}_url"):
                    continue
                try:
                    await self._archive_file(task, song, media)
                except (MusicAPIError, OSError) as error:
                    reason = getattr(error, "message", error)  # its advice may be about requests
                    _log.warning("%s of %s is not in the library: %s", media, song.id, reason)

    async def _archive_file(self, task: Task, song: Song, media: Media) -> None:
        if await asyncio.to_thread(self.store.file_of, song, media) is not None:
            return
        path = self.store.temporary_path()
        try:
            try:
                await self._fetch(song, media, path)
            except DownloadFailed as error:
                renewed = await self._renew_link(task, song, media) if error.status else None
                if renewed is None:
                    raise
                await self._fetch(renewed, media, path)
            await asyncio.to_thread(_store_file, self.store, song, media, path)
        finally:
            path.unlink(missing_ok=True)

    async def _fetch(self, song: Song, media: Media, path: Path) -> None:
        url = getattr(song, f"{media}_url")
        await fetch(self.transport, url, path, media=media, max_bytes=MAX_FILE_BYTES)

    async def _renew_link(self, task: Task, song: Song, media: Media) -> Song | None:
        """Poll the task again and return the song with a fresh link, or None."""
        key = (song.id, song.position)
        for renewed in (await self.poll(task)).songs:
            if (renewed.id, renewed.position) == key and getattr(renewed, f"{media}_url"):
                return renewed
        return None


def _store_file(store: MediaStore, song: Song, media: Media, path: Path) -> None:
    with path.open("rb") as file:
        suffix = suffix_of(file.read(16), media) or ""
    if media == "audio" and suffix not in _UNDECODABLE:
        check_audio(path, song.duration)
    store.attach(song, media, store.add_file(path, suffix))


def check_audio(path: Path, duration: float | None) -> None:
    """Decode a file to its end, and compare its length with the stated duration in seconds.

    Raise `DownloadFailed` if it cannot be decoded, or is much shorter or longer than stated.
    """
    import soundfile  # noqa: PLC0415 - needed only to archive files

    try:
        with soundfile.SoundFile(path) as audio:
            rate, frames = audio.samplerate, 0
            for block in audio.blocks(blocksize=1 << 20, dtype="int16"):
                frames += len(block)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise DownloadFailed(f"the audio cannot be decoded ({error})") from None
    seconds = frames / rate
    tolerance = max(_TOLERANCE_SECONDS, _TOLERANCE_SHARE * (duration or 0.0))
    if duration is not None and abs(seconds - duration) > tolerance:
        raise DownloadFailed(f"the audio lasts {seconds:.1f} s instead of {duration:.1f} s")
