"""export(): write a library's songs to a folder or a ZIP, for other programs."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from musicapi_nb import markup
from musicapi_nb.errors import ExportFailed, InvalidArgument, MusicAPIError, Untaggable
from musicapi_nb.exports import audio_tags, playlist, provenance, zip_archive
from musicapi_nb.exports._lrc import lrc
from musicapi_nb.exports.folder import MANIFEST, PLAYLIST, STAGE, TABLES, Folder, sha256, sweep
from musicapi_nb.exports.result import ExportedSong, ExportResult, Outcome
from musicapi_nb.exports.selection import LibraryIndex, Selection, requested_fields, select_songs
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song, Task

_IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
_TITLE_LENGTH = 80


def export(
    path: str | os.PathLike[str], songs: Any, *, library: Library | None = None
) -> ExportResult:
    """Write songs of a library as files for other programs, to a folder or a ZIP.

    Each finished song becomes three files, named after its title in a form that every file system
    accepts: the audio with title, tags (as genre), lyrics, cover, date and ids inside; `.lrc` with
    the time of each word, if the library has its aligned lyrics (`sonic/aligned-lyrics`); and
    `.json` with its provenance: the request as sent, the requested and returned model, ids, times
    and hashes, but never the key. The export also has `songs.m3u8`, the tables as CSV and Parquet
    in `tables/` (an experiment's with its factors), and `export.json` with the names and hashes of
    all files.

    A second export into the same folder skips intact files and replaces changed, damaged and
    missing ones; a ZIP is rewritten as a whole. Files that are not from an export are never
    replaced, and the library is not changed. Each file, and each ZIP, appears complete or not at
    all.

    Parameters
    ----------
    path
        A folder, created if missing; or a file that ends in `.zip`.
    songs
        A library, or as for `mnb.gallery`: tasks, songs, jobs, an experiment, a gallery, an
        iterable of these, or rows of `songs_frame`.
    library
        The library that has the files, if `songs` does not come with one.

    Returns
    -------
    ExportResult
        The files written, skipped and replaced, and the failures: a song whose audio is missing
        or damaged does not stop the others.

    Raises
    ------
    InvalidArgument
        `songs` has no songs or no library; the path is inside the library or holds something else.
    ExportFailed
        The path cannot be written.
    """
    selection = select_songs(songs, library)
    target = Path(path).expanduser().absolute()
    if target.resolve().is_relative_to(selection.library.path.resolve()):
        raise InvalidArgument(f"{target} is inside the library; choose a folder next to it")
    with _write_errors(target):
        if target.suffix.lower() == ".zip":
            return _to_zip(target, selection)
        if target.exists() and not target.is_dir():
            raise InvalidArgument(f"{target} is a file; give a folder, or a name ending in .zip")
        return _to_folder(target, selection)


@contextlib.contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        path = error.filename or target
        raise ExportFailed(f"cannot write {path} ({error.strerror or error})") from error


def _to_zip(target: Path, selection: Selection) -> ExportResult:
    zip_archive.check_replaceable(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    with tempfile.TemporaryDirectory(prefix=STAGE, dir=target.parent) as stage:
        folder, packed = Path(stage) / "songs", Path(stage) / "zip"
        result = _to_folder(folder, selection)
        song_files = (name for song in result.songs for name in song.files)
        zip_archive.pack(folder, [*song_files, *result.shared_files], packed)
        packed.replace(target)
    size = target.stat().st_size
    return ExportResult(target, result.songs, result.shared_files, size, result.notes)


def _to_folder(target: Path, selection: Selection) -> ExportResult:
    with contextlib.closing(Folder(target)) as folder:
        writer = _SongWriter(folder, selection.index)
        songs = [writer.write(key, *pair) for key, pair in selection.songs.items()]
        shared_files = _write_shared(folder, selection, songs, writer.notes)
    failed = [ExportedSong(title, "failed", reason=reason) for title, reason in selection.skipped]
    names = (*(name for song in songs for name in song.files), *shared_files)
    size = sum((target / name).stat().st_size for name in names)
    return ExportResult(target, (*songs, *failed), shared_files, size, tuple(writer.notes))


def _write_shared(
    folder: Folder, selection: Selection, songs: list[ExportedSong], notes: list[tuple[str, str]]
) -> tuple[str, ...]:
    """Write the playlist, the tables and the manifest, and return their names."""
    exported = [
        (song, task, result.files[0])
        for (song, task), result in zip(selection.songs.values(), songs, strict=True)
        if result.files
    ]
    text = playlist.playlist((song, name) for song, _, name in exported)
    (folder.stage / PLAYLIST).write_text(text, encoding="utf-8", newline="\n")
    names = {(task.id, song.position): name for song, task, name in exported}
    playlist.write_tables(folder.stage / TABLES, playlist.make_tables(selection, names))
    staged = [folder.stage / PLAYLIST, *sorted((folder.stage / TABLES).iterdir())]
    shared = [path.relative_to(folder.stage).as_posix() for path in staged]
    foreign = folder.commit_shared(staged)
    notes += [(name, "not replaced: this file is not from an export") for name in foreign]
    return (*(name for name in shared if name not in foreign), MANIFEST)


class _SongWriter:
    """Writes the files of single songs into a folder."""

    def __init__(self, folder: Folder, index: LibraryIndex) -> None:
        self._folder, self._index, self._library = folder, index, index.library
        self.notes: list[tuple[str, str]] = []

    def write(self, key: str, song: Song, task: Task) -> ExportedSong:
        title = markup.one_line(song.title or "", _TITLE_LENGTH) or "(untitled)"
        source = self._library.file_of(song)
        if source is None:
            return ExportedSong(title, "failed", reason=self._missing_reason(song, task))
        stem = self._folder.stem_of(key, song.title)
        timed, record = self._texts(key, song, task)
        tags = audio_tags.tags_of(song, record["model"]["returned"] or record["model"]["requested"])
        cover = self._library.file_of(song, "image")
        cover_name = cover.name if cover else ""
        fingerprint = provenance.fingerprint(record, timed, tags, source.name, cover_name)
        lrc_names = (f"{stem}.lrc",) if timed else ()
        names = (f"{stem}{source.suffix}", *lrc_names, f"{stem}.json")
        if self._folder.is_intact(key, fingerprint):
            return ExportedSong(title, "skipped", names)
        audio, *texts, record_file = (self._folder.stage / name for name in names)
        try:
            shutil.copyfile(source, audio)
            if sha256(audio) != source.stem:  # a library file is named by its hash
                raise Untaggable("its file in the library is damaged; see library.verify()")
            media_type = _IMAGES.get(cover.suffix, "") if cover else ""
            audio_tags.write_tags(audio, tags, self._read_cover(title, cover), media_type)
        except MusicAPIError as error:
            audio.unlink(missing_ok=True)
            return ExportedSong(title, "failed", reason=error.message)
        for path in texts:
            path.write_text(timed, encoding="utf-8", newline="\n")
        record |= {
            "files": {path.name: sha256(path) for path in (audio, *texts)},
            "source": {"audio_sha256": source.stem},
            "fingerprint": fingerprint,
            "package": provenance.package(),
            "exported_at": dt.datetime.now(dt.UTC),
        }
        record_file.write_text(provenance.to_json(record), encoding="utf-8", newline="\n")
        outcome: Outcome = "replaced" if self._folder.record(key) else "written"
        # The record first: it shows which song the other files belong to.
        self._folder.commit([record_file, audio, *texts])
        return ExportedSong(title, outcome, names)

    def _missing_reason(self, song: Song, task: Task) -> str:
        entry, reason = self._index.entry(song, task), "the library has no complete audio file"
        if entry is None or task.request is None:
            return reason
        take = f", take={entry.take}" if entry.take != 1 else ""
        call = f"api.run(api.library.request({entry.id}){take})"
        return f"{reason}; {call} downloads it and costs nothing"

    def _texts(self, key: str, song: Song, task: Task) -> tuple[str, dict[str, Any]]:
        """Return the LRC text ("" without aligned lyrics), and the record without its files."""
        entry = self._index.entry(song, task)
        alignment = self._index.alignments.get((song.id or "", song.simulated), ())
        timed = lrc(alignment, song.lyrics, title=song.title, seconds=song.duration)
        stored = entry and task.request is None
        fields = requested_fields(self._library, entry) if entry and stored else {}
        return timed, provenance.provenance(key, song, task, entry, fields)

    def _read_cover(self, title: str, path: Path | None) -> bytes | None:
        if path is None or path.suffix not in _IMAGES:
            return None
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != path.stem:
            self.notes.append((title, "its cover in the library is damaged and was omitted"))
            return None
        return content
