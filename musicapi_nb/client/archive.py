"""Stores the files of finished songs in the library: downloaded, decoded, named by their hash."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from musicapi_nb.client.download import fetch
from musicapi_nb.client.file_type import read_head, suffix_of
from musicapi_nb.client.sound import UNDECODABLE, check_audio
from musicapi_nb.client.transport import Transport
from musicapi_nb.errors import ClientClosed, DownloadFailed, MusicAPIError, Unreachable
from musicapi_nb.ledger_types import Ledger, Media, MediaStore
from musicapi_nb.tasks import Song, Task

MAX_FILE_BYTES = 500_000_000
_MEDIA: tuple[Media, ...] = ("audio", "image")
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
            except (DownloadFailed, Unreachable) as error:
                # The host of a link may be gone, as a simulator's of an earlier kernel.
                ended = error.status is not None or isinstance(error, Unreachable)
                renewed = await self._renew_link(task, song, media) if ended else None
                if renewed is None:
                    raise
                await self._fetch(renewed, media, path)
            await asyncio.to_thread(store_file, self.store, song, media, path)
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


def tasks_without_files(
    ledger: Ledger, *, simulated: bool, entries: Collection[int] | None = None
) -> list[Task]:
    """Return the finished tasks in a ledger, of all or some entries, that lack a file."""
    lacking = {
        file.entry.id for file in ledger.missing_files() if file.entry.simulated is simulated
    }
    numbers = lacking if entries is None else lacking.intersection(entries)
    return [ledger.task(number) for number in sorted(numbers)]


def store_file(store: MediaStore, song: Song, media: Media, path: Path) -> None:
    """Check a downloaded file and move it into a store as a song's; DownloadFailed if damaged."""
    suffix = suffix_of(read_head(path), media) or ""
    # libsndfile skips bytes before the first MPEG frame only in a file of this name.
    named = path.rename(path.with_suffix(suffix))
    try:
        note = ""
        if media == "audio" and suffix not in UNDECODABLE:
            note = check_audio(named, song.duration)
        store.attach(song, media, store.add_file(named, suffix), note)
        if note:
            _log.warning("%s of %s is in the library, but %s", media, song.id, note)
    finally:
        named.unlink(missing_ok=True)
