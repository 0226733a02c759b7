"""Stores the files of finished songs in the library: downloaded, decoded, named by their hash."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
import math
from collections.abc import Awaitable, Callable
from pathlib import Path

from musicapi_nb.client.download import fetch
from musicapi_nb.client.file_type import read_head, suffix_of
from musicapi_nb.client.transport import Transport
from musicapi_nb.errors import ClientClosed, DownloadFailed, MusicAPIError
from musicapi_nb.ledger_types import Ledger, Media, MediaStore
from musicapi_nb.tasks import Song, Task

MAX_FILE_BYTES = 500_000_000
_MEDIA: tuple[Media, ...] = ("audio", "image")
# libsndfile reads no AAC: such a file is only checked by its first bytes.
_UNDECODABLE = frozenset({".m4a", ".aac"})
# A file may be a little shorter or longer than the stated duration: by seconds or by a share.
_TOLERANCE_SECONDS, _TOLERANCE_SHARE = 2.0, 0.05
_BLOCK_SAMPLES = 1 << 20
_MAX_SAMPLES = 1_500_000_000  # four hours of stereo: a small file can hold days of silence
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
        and can be downloaded later. Closing the client is no failure.
        """
        for song in task.songs:
            for media in _MEDIA:
                if song.state != "succeeded" or not getattr(song, f"{media}_url"):
                    continue
                try:
                    await self._archive_file(task, song, media)
                except (MusicAPIError, OSError) as error:
                    if self.transport.closed or isinstance(error, ClientClosed):
                        _log.info("resume() downloads the files of %s that are missing", song.id)
                        return
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


def tasks_without_files(ledger: Ledger, *, simulated: bool) -> list[Task]:
    """Return the finished tasks in a ledger that lack a file."""
    missing = [file.entry for file in ledger.missing_files()]
    entries = {entry.id for entry in missing if entry.simulated is simulated}
    return [ledger.task(entry) for entry in sorted(entries)]


def _store_file(store: MediaStore, song: Song, media: Media, path: Path) -> None:
    suffix = suffix_of(read_head(path), media) or ""
    # libsndfile skips bytes before the first MPEG frame only in a file of this name.
    named = path.rename(path.with_suffix(suffix))
    try:
        if media == "audio" and suffix not in _UNDECODABLE:
            note = check_audio(named, song.duration)
            if note:
                _log.warning("%s of %s is in the library, but %s", media, song.id, note)
        store.attach(song, media, store.add_file(named, suffix))
    finally:
        named.unlink(missing_ok=True)


def check_audio(path: Path, duration: float | None) -> str:
    """Decode a file; return a note if its length differs from the stated seconds, else "".

    The file is not refused for that: the statement may be wrong. Raise `DownloadFailed` if it
    cannot be decoded.
    """
    seconds, _ = decode(path)
    if duration is None or math.isclose(
        seconds, duration, rel_tol=_TOLERANCE_SHARE, abs_tol=_TOLERANCE_SECONDS
    ):
        return ""
    return f"the audio lasts {seconds:.1f} s instead of the stated {duration:.1f} s"


def decode(path: Path) -> tuple[float, str]:
    """Decode a sound file, up to `_MAX_SAMPLES`; return its seconds and a hash of its samples.

    Raise `DownloadFailed` if it cannot be decoded.
    """
    import soundfile  # noqa: PLC0415 - needed only to archive files

    digest, frames = hashlib.sha256(), 0
    try:
        with soundfile.SoundFile(path) as audio:
            size = max(1, _BLOCK_SAMPLES // audio.channels)
            most = _MAX_SAMPLES // audio.channels
            for block in audio.blocks(blocksize=size, frames=most, dtype="int16"):
                frames += len(block)
                digest.update(block)
            return frames / audio.samplerate, digest.hexdigest()
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        raise DownloadFailed(f"the audio cannot be decoded ({error})") from None
