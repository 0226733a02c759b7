"""The files of songs in a library: add them, find them, small copies of covers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from musicapi_nb.errors import ClientClosed
from musicapi_nb.ledger_types import FileRef, Media
from musicapi_nb.library import events
from musicapi_nb.library.database import Database
from musicapi_nb.library.media_files import (
    FileNote,
    MediaFiles,
    attachment,
    damage,
    file_notes,
    is_complete,
    keys_of,
    song_key,
)
from musicapi_nb.library.process_lock import ProcessLock
from musicapi_nb.library.stored_tasks import song_with
from musicapi_nb.library.thumbnails import thumbnail
from musicapi_nb.paths import local_path
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.song_actions import SongMedia


class SongFiles:
    """The part of a library that has files; `Library` opens it.

    A song can be named by its id; if the service and a simulator each have one of this id, it is
    the service's.
    """

    _database: Database
    _process_lock: ProcessLock
    _files: MediaFiles
    _closed: bool

    def temporary_path(self, suffix: str = "") -> Path:
        """Return an unused path in the library, to write a file to; `add_file` moves it in."""
        return self._files.temporary_path(suffix)

    def add_file(self, source: str | os.PathLike[str], suffix: str) -> FileRef:
        """Move a file into the library under the hash of its bytes. It may be there already."""
        if self._closed:
            raise ClientClosed("the library is closed")
        return self._files.add(local_path(source), suffix)

    def attach(self, song: Song | str, media: Media, file: FileRef, note: str = "") -> None:
        """Record that a file is a song's audio, image or video, with a note; the latest counts."""
        data = attachment(self._named_song(song), media, file, note)
        with self._database.write() as connection:
            if note or self._attached_file(song, media) != file:
                events.append_unbound(connection, "attached", data, owner=self._process_lock.id)

    def _named_song(self, song: Song | str) -> Song | str:
        """Return the song of the library with this id; the id itself if there is none."""
        if isinstance(song, str):
            named = song_with(self._database, song)
            return song if named is None else named
        return song

    def file_notes(self) -> list[FileNote]:
        """Return notes about files, such as a length that differs from the reply."""
        return file_notes(self._database)

    def file_of(self, song: Song | str, media: Media = "audio") -> Path | None:
        """Return the path of a song's file; None if it is missing or incomplete."""
        ref = self._attached_file(song, media)
        return ref.path if ref is not None and is_complete(ref) else None

    def intact_file_of(self, song: Song | str, media: Media = "audio") -> Path | None:
        """Return the path of a song's file after reading it; None if it is missing or damaged."""
        ref = self._attached_file(song, media)
        return ref.path if ref is not None and damage(ref) is None else None

    def files_of(self, songs: Sequence[Song]) -> list[dict[str, tuple[FileRef, str, bool]]]:
        """Return, for each song, its files by media: file, note, and whether it is complete."""
        query = (
            "SELECT song, media, sha256, size, suffix, note FROM attachments "
            "WHERE song IN (SELECT value FROM json_each(?))"
        )
        files: dict[str, dict[str, tuple[FileRef, str, bool]]] = {}
        for key, media, *columns, note in self._database.rows(
            query, json.dumps([song_key(song) for song in songs])
        ):
            ref = self._files.ref(*columns)
            files.setdefault(key, {})[media] = (ref, note, is_complete(ref))
        return [files.get(song_key(song), {}) for song in songs]

    def media(self, song: Song | str) -> SongMedia:
        """Return the paths of a song's complete files, and a small copy of its cover."""
        image = self.file_of(song, "image")
        cover = None if image is None else thumbnail(image)
        return SongMedia(cover, self.file_of(song), image, self.file_of(song, "video"))

    def _attached_file(self, song: Song | str, media: Media) -> FileRef | None:
        query = "SELECT sha256, size, suffix FROM attachments WHERE song=? AND media=?"
        for key in keys_of(song):
            if rows := self._database.rows(query, key, media):
                return self._files.ref(*rows[0])
        return None
