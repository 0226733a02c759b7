"""export(): write a library's songs to a folder or a ZIP, for other programs."""

import contextlib
import datetime as dt
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from musicapi_nb import __version__, markup
from musicapi_nb.client.file_type import read_head, suffix_of
from musicapi_nb.errors import ExportFailed, InvalidArgument, MusicAPIError
from musicapi_nb.exports import playlist, provenance
from musicapi_nb.exports._lrc import lrc
from musicapi_nb.exports.folder import (
    MANIFEST,
    METADATA,
    PLAYLIST,
    TABLES,
    Folder,
    sha256,
    staging_folder,
)
from musicapi_nb.exports.origin import origin_text, title_key
from musicapi_nb.exports.result import ExportedSong, ExportResult, Outcome
from musicapi_nb.exports.selection import LibraryIndex, Selection, requested_fields, select_songs
from musicapi_nb.extras import require_extra
from musicapi_nb.library import Library
from musicapi_nb.library.media_files import song_key
from musicapi_nb.paths import absolute_path
from musicapi_nb.tasks import Song, Task

_IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
_TITLE_LENGTH = 80
_COMPRESSED = frozenset({".mp3", ".m4a", ".aac", ".flac", ".ogg", ".parquet"})


def export(
    path: str | os.PathLike[str],
    songs: Any,
    *,
    library: Library | None = None,
    metadata: bool = False,
) -> ExportResult:
    """Write songs of a library as files for other programs, to a folder or a ZIP.

    Each finished song becomes three files, named after its title in a form that every file system
    accepts: the audio with title, tags (as genre), lyrics, cover, date and ids inside, and with
    tempo and key if these were measured; `.lrc` with the time of each word, if the library has its
    aligned lyrics (`sonic/aligned-lyrics`); and `.json` with its provenance: the request as sent,
    the requested and returned model, ids, times and hashes, all measured values, but never the key.
    The export also has `songs.m3u8`, the tables as CSV and Parquet in `tables/` (an experiment's
    with its factors; that of songs with what was measured), and `export.json` with the names and
    hashes of all files.

    A second export into the same folder skips intact files and replaces changed, damaged and
    missing ones; a ZIP is rewritten as a whole. Files that are not from an export are never
    replaced, and the library is not changed. Each file, and each ZIP, appears complete or not at
    all. A song whose audio is missing or damaged does not stop the others, and one whose file
    cannot hold tags is written without them, with a note.

    Needs the extra `export`.

    Parameters
    ----------
    path
        A folder, created if missing; or a file that ends in `.zip`.
    songs
        A library, or as for `mnb.gallery`: tasks, songs, jobs, an experiment, a gallery, an
        iterable of these, or rows of `songs_frame`.
    library
        The library that has the files; by default that of `songs`, or of the open session.
    metadata
        Whether to write `metadata.jsonl`, with a JSON object for each song: its row of the table of
        songs, and the name of its audio file as `file_name`. Hugging Face's
        `datasets.load_dataset("audiofolder", ...)` reads it. If the folder already has such a file,
        it is always updated.

    Raises
    ------
    InvalidArgument
        `songs` has no songs or no library; the path is inside the library or holds something else.
    ExportFailed
        The path cannot be written.
    """
    require_extra("export")
    selection = select_songs(songs, library)
    target = absolute_path(path)
    # Unlike Path.resolve, realpath accepts symbolic links in a loop; writing then fails.
    real = Path(os.path.realpath(target))
    if real.is_relative_to(os.path.realpath(selection.index.library.path)):
        raise InvalidArgument(f"{target} is inside the library; choose a folder next to it")
    is_zip = target.suffix.lower() == ".zip"
    if target.exists() and not target.is_dir() and not is_zip:
        raise InvalidArgument(f"{target} is a file; pass a folder, or a name that ends in .zip")
    try:
        write = _to_zip if is_zip else _to_folder
        return write(target, selection, metadata=metadata)
    except OSError as error:
        path = error.filename or target
        raise ExportFailed(f"cannot write {path} ({error.strerror or error})") from error


def _to_zip(target: Path, selection: Selection, *, metadata: bool) -> ExportResult:
    _check_replaceable(target)
    with staging_folder(target.parent) as stage:
        folder, packed = stage / "songs", stage / "zip"
        result = _to_folder(folder, selection, metadata=metadata)
        song_files = (name for song in result.songs for name in song.files)
        _pack(folder, [*song_files, *result.shared_files], packed)
        packed.replace(target)
    size = target.stat().st_size
    return ExportResult(target, result.songs, result.shared_files, size, result.notes)


def _check_replaceable(path: Path) -> None:
    """Raise InvalidArgument if a path exists and is not the ZIP of an earlier export."""
    if not path.exists():
        return
    manifest = None
    # Besides BadZipFile, a damaged ZIP raises errors of zlib, KeyError, EOFError and others.
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as packed:
        manifest = json.loads(packed.read(MANIFEST))
    if not isinstance(manifest, dict) or manifest.get("format") != provenance.FORMAT:
        message = "exists and is not an export of this package; use another name"
        raise InvalidArgument(f"{path} {message}")


def _pack(folder: Path, names: Iterable[str], path: Path) -> None:
    with zipfile.ZipFile(path, "w", strict_timestamps=False) as packed:
        for name in names:
            is_compressed = Path(name).suffix in _COMPRESSED
            method = zipfile.ZIP_STORED if is_compressed else zipfile.ZIP_DEFLATED
            packed.write(folder / name, name, method)
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _to_folder(target: Path, selection: Selection, *, metadata: bool) -> ExportResult:
    with staging_folder(target) as stage:
        folder = Folder(target, stage)
        titles = Counter(title_key(song) for song, _ in selection.songs.values())
        writer = _SongWriter(folder, selection.index, titles)
        older = len(folder.records.keys() - selection.songs.keys())
        songs = [writer.write(key, *pair) for key, pair in selection.songs.items()]
        metadata = metadata or METADATA in folder.files  # an outdated file would be misleading
        shared_files, foreign = _write_shared(folder, selection, songs, metadata=metadata)
    note = "not replaced: this file is not from an export"
    notes = (*writer.notes, *((name, note) for name in foreign))
    failed = [ExportedSong(title, "failed", reason=reason) for title, reason in selection.skipped]
    names = (*(name for song in songs for name in song.files), *shared_files)
    size = sum((target / name).stat().st_size for name in names)
    return ExportResult(target, (*songs, *failed), shared_files, size, notes, older)


def _write_shared(
    folder: Folder, selection: Selection, songs: list[ExportedSong], *, metadata: bool
) -> tuple[tuple[str, ...], list[str]]:
    """Write the playlist, the tables and the manifest.

    Returns
    -------
    The names of these files, and those names that files from elsewhere have.
    """
    exported = [
        (song, task, result.files[0])
        for (song, task), result in zip(selection.songs.values(), songs, strict=True)
        if result.files
    ]
    text = playlist.playlist((song, name) for song, _, name in exported)
    (folder.stage / PLAYLIST).write_text(text, encoding="utf-8", errors="replace", newline="\n")
    names = {(task.id, song.position): name for song, task, name in exported}
    tables = playlist.make_tables(selection, names)
    playlist.write_tables(folder.stage / TABLES, tables)
    staged = [folder.stage / PLAYLIST, *sorted((folder.stage / TABLES).iterdir())]
    if metadata:
        staged.append(folder.stage / METADATA)
        playlist.write_metadata(staged[-1], tables["songs"])
    shared = [path.relative_to(folder.stage).as_posix() for path in staged]
    foreign = folder.commit_shared(staged)
    return (*(name for name in shared if name not in foreign), MANIFEST), foreign


class _SongWriter:
    """Writes the files of single songs into a folder."""

    def __init__(self, folder: Folder, index: LibraryIndex, titles: Counter[str]) -> None:
        self._folder, self._index, self._library = folder, index, index.library
        self._titles = titles
        self.notes: list[tuple[str, str]] = []
        self._file_notes = {
            note.song: note.note for note in index.library.file_notes() if note.media == "audio"
        }

    def write(self, key: str, song: Song, task: Task) -> ExportedSong:
        """Write the files of a song; a fault in them is its own, a full disk is not."""
        title = markup.one_line(song.title or "", _TITLE_LENGTH) or "(untitled)"
        source = self._library.file_of(song)
        if source is None:
            return ExportedSong(title, "failed", reason=self._missing_reason(song, task))
        try:
            return self._write(key, song, task, title, source)
        except OSError as error:
            if error.filename is None or Path(error.filename) != source:
                raise
            reason = f"its file in the library cannot be read ({error.strerror or error})"
        except MusicAPIError as error:
            reason = error.message
        except Exception as error:  # noqa: BLE001 - of a library that reads foreign files
            reason = f"{source.name} cannot be exported ({type(error).__name__}: {error})"
        return ExportedSong(title, "failed", reason=reason)

    def _write(self, key: str, song: Song, task: Task, title: str, source: Path) -> ExportedSong:
        from musicapi_nb.exports import audio_tags  # noqa: PLC0415 - loads mutagen

        note = self._file_notes.get(song_key(song))
        if note is not None:
            self.notes.append((title, note))
        shared = self._titles[title_key(song)] > 1
        stem = self._folder.stem_of(key, song.title, origin_text(song, task), shared=shared)
        (values,) = self._library.measured_values([song])
        measured = {name: value for name, value in values.items() if value is not None}
        timed, record = self._texts(key, song, task)
        record |= {"measured": measured} if measured else {}
        model = record["model"]["returned"] or record["model"]["requested"]
        tags = audio_tags.tags_of(song, model, measured)
        cover = self._library.file_of(song, "image")
        cover_name = cover.name if cover else ""
        fingerprint = provenance.fingerprint(record, timed, tags, source.name, cover_name)
        lrc_names = (f"{stem}.lrc",) if timed else ()
        names = (f"{stem}{source.suffix}", *lrc_names, f"{stem}.json")
        if self._folder.is_intact(key, fingerprint):
            return ExportedSong(title, "skipped", names)
        if sha256(source) != source.stem:  # a library file is named by its hash
            reason = "its file in the library is damaged; see library.verify()"
            return ExportedSong(title, "failed", reason=reason)
        if suffix_of(read_head(source), "audio") is None:
            return ExportedSong(title, "failed", reason="its file in the library is not audio")
        audio, *texts, record_file = (self._folder.stage / name for name in names)
        media_type = _IMAGES.get(cover.suffix, "") if cover else ""
        picture = self._read_cover(title, cover)
        if reason := audio_tags.copy_with_tags(source, audio, tags, picture, media_type):
            self.notes.append((title, f"written without tags: {reason}"))
        for path in texts:
            path.write_text(timed, encoding="utf-8", errors="replace", newline="\n")
        record |= {
            "files": {path.name: sha256(path) for path in (audio, *texts)},
            "source": {"audio_sha256": source.stem} | ({"note": note} if note else {}),
            "fingerprint": fingerprint,
            "package": {"name": "musicapi_nb", "version": __version__},
            "exported_at": dt.datetime.now(dt.UTC),
        }
        record_file.write_text(
            provenance.to_json(record), encoding="utf-8", errors="replace", newline="\n"
        )
        outcome: Outcome = "replaced" if key in self._folder.records else "written"
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
        if sha256(path) != path.stem:
            self.notes.append((title, "its cover in the library is damaged and was omitted"))
            return None
        return path.read_bytes()
