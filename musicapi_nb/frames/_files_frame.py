"""The files that a library has of songs, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from musicapi_nb.frames import schema
from musicapi_nb.frames.arrow_tables import Table, as_pandas
from musicapi_nb.frames.frames import songs_frame
from musicapi_nb.frames.inputs import HasFrames, Replies, has_frames
from musicapi_nb.frames.measures import library_of, song_columns, songs_of_rows
from musicapi_nb.tasks import Song

_LINKS = {"audio": "audio_url", "image": "image_url"}  # what a library downloads


class _File(Protocol):
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def path(self) -> Path: ...


class HasFiles(Protocol):
    """A library, as far as its files are concerned."""

    def files_of(self, songs: Sequence[Song]) -> Sequence[Mapping[str, tuple[_File, str, bool]]]:
        """Return, for each song, its files by media: file, note, and whether it is complete."""


class _FileRow(NamedTuple):
    """A row of the table: a file of the song in this row of the table of songs."""

    song: int
    media: str
    path: str | None
    size: int | None
    sha256: str | None
    note: str
    missing: bool


@schema.document_columns(schema.FILES)
def files_frame(source: Replies | HasFrames | Table) -> pd.DataFrame:
    """Return a table of the files of songs: one row per file, in the order of `songs_frame`.

    The input is as for `measures_frame`: an experiment (a run), a library, jobs, tasks or songs; or
    rows of `songs_frame`. Files come from the library itself, else from that of the open session
    which has the songs. Columns: those of a run (cell, block, take and the factors) or those in
    front of `task_id` in a table; then `task_id`, `song_id`, `song_position` and `simulated`, as in
    `songs_frame`; then those below. A finished song with a link whose file is not in the library
    has a row, too, that says `missing`; `api.resume()` downloads it. The paths of audio files, as
    another column of a table of songs:

        files = mnb.files_frame(songs)
        audio = files[files["media"] == "audio"].set_index(["task_id", "song_position"])["path"]
        songs.join(audio, on=["task_id", "song_position"])

    Raises
    ------
    InvalidArgument
        The input is none of these, or a table without `task_id`, `song_id` or `song_position`.
    """
    table = as_pandas(source, "source")
    if isinstance(table, pd.DataFrame):
        return join_files(table, library_of(None, table))
    if has_frames(source):
        return source.result_frame("files")
    songs = songs_frame(table)
    return join_files(songs, library_of(source, songs))


def join_files(rows: pd.DataFrame, library: HasFiles | None) -> pd.DataFrame:
    """Return a row for each file of the songs of a table, preceded by the columns that name it."""
    lead = song_columns(rows)
    stored = library.files_of(songs_of_rows(rows)) if library is not None else [{}] * len(lead)
    files = list(_file_rows(stored, _linked(rows)))
    of_song = lead.iloc[np.array([file.song for file in files], dtype=int)].reset_index(drop=True)
    return pd.concat([of_song, schema.build_frame(schema.FILES, files)], axis=1)


def _linked(rows: pd.DataFrame) -> list[set[str]]:
    """Return the media of each finished song for which it has a link."""
    finished = rows["state"] == "succeeded" if "state" in rows.columns else False
    linked: list[set[str]] = [set() for _ in range(len(rows))]
    for media, name in _LINKS.items():
        if name in rows.columns:
            for number in np.flatnonzero(rows[name].notna() & finished):
                linked[number].add(media)
    return linked


def _file_rows(
    stored: Iterable[Mapping[str, tuple[_File, str, bool]]], linked: Sequence[set[str]]
) -> Iterator[_FileRow]:
    for number, files in enumerate(stored):
        for media in sorted(files.keys() | linked[number]):
            if media not in files:
                yield _FileRow(number, media, None, None, None, "", missing=True)
                continue
            file, note, complete = files[media]
            path = str(file.path) if complete else None
            yield _FileRow(number, media, path, file.size, file.sha256, note, not complete)
