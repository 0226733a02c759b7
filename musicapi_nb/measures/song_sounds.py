"""Songs as rows of a table and as sound files: of the library, else behind their link."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pandas as pd

from musicapi_nb import markup
from musicapi_nb.client.archive import store_file
from musicapi_nb.client.file_type import suffix_of
from musicapi_nb.errors import LibraryError, MusicAPIError
from musicapi_nb.experiment.frames import cells_frame
from musicapi_nb.frames.measures import KEYS, song_columns
from musicapi_nb.frames.schema import SONGS, SongRow, build_frame
from musicapi_nb.frames.text_dtype import TEXT
from musicapi_nb.library import Library
from musicapi_nb.measures.sound_files import hash_file
from musicapi_nb.tasks import Song, Task
from musicapi_nb.tasks.song_actions import actions_of
from musicapi_nb.widgets.song_audio import no_audio_reason
from musicapi_nb.widgets.songs_of import SongCollection

_DOWNLOADS = 4  # at a time
_NO_SESSION = "no file in the library, and no session is open to download it"
_COLUMNS = {name: SONGS[name] for name in (*KEYS, "title")}


class Sound(NamedTuple):
    """The sound of a row: a file and its SHA-256, or an issue. A temporary file is deleted."""

    row: int
    path: Path | None = None
    sha256: str = ""
    issue: str = ""
    temporary: bool = False


Sounds: TypeAlias = Generator[Sound | None, None, None]
"""The sounds of rows in any order; None if the next one is not there yet."""


def song_table(collection: SongCollection, source: Any) -> pd.DataFrame:
    """Return the factors, `task_id`, `song_id`, `song_position`, `simulated` and title of songs.

    Factors of an experiment are as in its tables, with cell, block and take; those in the rows of
    a table are as there.
    """
    rows = [
        SongRow(item.task or Task(id=item.song.task_id), item.song) for item in collection.items
    ]
    songs = build_frame(_COLUMNS, rows)
    if isinstance(source, pd.DataFrame):
        lead = song_columns(source)
        return pd.concat([lead[[name for name in lead if name not in songs]], songs], axis=1)
    if collection.experiment is not None:
        cells = cells_frame(collection.experiment.plan)
        indexes = [item.cell for item in collection.items if item.cell is not None]  # all of them
        return pd.concat([cells.iloc[indexes].reset_index(drop=True), songs], axis=1)
    items = collection.items
    levels = {
        name: pd.Series([item.levels.get(name) for item in items], dtype=TEXT)
        for name in collection.factors
    }
    factors = pd.DataFrame(levels, index=songs.index)
    renamed = {name: f"{name}_requested" for name in factors if name in songs}
    return pd.concat([factors.rename(columns=renamed), songs], axis=1)


def song_sounds(songs: Sequence[Song], library: Library | None, folder: Path) -> Sounds:
    """Yield the sound of each song; those of the library first. None: a download takes time.

    Downloads that the library does not take are written into `folder`.
    """
    missing = []
    for row, song in enumerate(songs):
        path = None if library is None else library.file_of(song)
        if path is not None:
            yield Sound(row, path, path.stem)  # files are named by their hash
        elif reason := no_audio_reason(song):
            yield Sound(row, issue=_one_line(reason))
        else:
            missing.append((row, song))
    yield from _download(missing, library, folder)


def _download(songs: Sequence[tuple[int, Song]], library: Library | None, folder: Path) -> Sounds:
    waiting = deque(songs)
    running: list[tuple[int, Song, Future[Any]]] = []
    try:
        while waiting or running:
            while waiting and len(running) < _DOWNLOADS:
                row, song = waiting.popleft()
                session = actions_of(song)
                if session is None:
                    yield Sound(row, issue=_NO_SESSION)
                    continue
                running.append((row, song, session.fetch_audio(song)))
            ended = [download for download in running if download[2].done()]
            running = [download for download in running if download not in ended]
            for row, song, future in ended:
                try:
                    yield _save(row, song, future.result().content, library, folder)
                except MusicAPIError as error:
                    yield Sound(row, issue=_one_line(error.message))
            if running and not ended:
                yield None
    finally:
        for _, _, future in running:
            future.cancel()


def _save(row: int, song: Song, content: bytes, library: Library | None, folder: Path) -> Sound:
    """Write downloaded sound into the library, if it has the song and can be written."""
    if library is not None and library.holds(song):
        path = library.temporary_path()
        try:
            path.write_bytes(content)
            store_file(library, song, "audio", path)
        except (LibraryError, OSError):  # it can only be read, or its disk is full
            path.unlink(missing_ok=True)
        if (stored := library.file_of(song)) is not None:
            return Sound(row, stored, stored.stem)
    path = folder / f"{row}{suffix_of(content, 'audio') or ''}"
    path.write_bytes(content)
    return Sound(row, path, hash_file(path), temporary=True)


def _one_line(text: str) -> str:
    return markup.one_line(text, 500)
