"""export: songs of a library as files for everything else, in a folder or a ZIP."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from musicapi_nb import markup
from musicapi_nb.errors import ExportFailed, InvalidArgument, MusicAPIError, Untaggable
from musicapi_nb.exports import audio_tags, playlist, provenance, zip_archive
from musicapi_nb.exports._lrc import lrc
from musicapi_nb.exports.folder import MANIFEST, PLAYLIST, STAGE, TABLES, Folder, digest, sweep
from musicapi_nb.exports.result import ExportedSong, ExportResult
from musicapi_nb.exports.selection import asked, choose
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb.exports.result import Outcome
    from musicapi_nb.exports.selection import Chosen, Known
    from musicapi_nb.library import Library

_IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
_CHUNK = 1 << 20
_TITLE = 80  # characters shown
_NO_AUDIO = "the library has no whole audio of it"


def export(
    path: str | os.PathLike[str], what: Any, *, library: Library | None = None
) -> ExportResult:
    """Write songs of a library as files that other programs take, to a folder or a ZIP.

    Each finished song becomes its audio, named by its title so that any file system takes it, with
    title, tags (as genre), lyrics, cover, date and ids inside; `.lrc` with the time of each word,
    where the library has its aligned lyrics (`sonic/aligned-lyrics`); and `.json`, its provenance:
    the request as sent, model asked and returned, ids, times, hashes, never the key. Beside them
    lie `songs.m3u8`, the tables as CSV and Parquet in `tables/` (an experiment's with its
    factors), and `export.json`, the names and hashes of all files.

    Exported again, what is whole is skipped, what was changed, damaged or deleted is replaced.
    Files of another origin are never replaced, nor is the library touched. Each file appears whole
    or not at all, a ZIP too.

    Parameters
    ----------
    path
        A folder, made if there is none; or a file that ends in `.zip`, which then holds the songs
        of this export alone.
    what
        A library, or as for `mnb.gallery`: tasks, songs, jobs, an experiment, a gallery, any
        iterable of these; also rows of `songs_frame`, filtered as you like.
    library
        Where the files are, if `what` does not bring one.

    Returns
    -------
    Exported
        What was written, skipped and replaced, and what failed and why: a song whose audio the
        library lacks, or whose file is damaged, never stops the others.

    Raises
    ------
    InvalidArgument
        What was given holds no songs; no library is known; the path is the library's own or
        holds something else.
    ExportFailed
        The path cannot be written.
    """
    chosen = choose(what, library)
    target = Path(path).expanduser().absolute()
    if target.resolve().is_relative_to(chosen.library.path.resolve()):
        raise InvalidArgument(f"{target} is the library's own; name a folder beside it")
    with _told(target):
        if target.suffix.lower() == ".zip":
            return _to_zip(target, chosen)
        if target.exists() and not target.is_dir():
            raise InvalidArgument(f"{target} is a file; name a folder, or a file that ends in .zip")
        return _to_folder(target, chosen)


@contextlib.contextmanager
def _told(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or target
        raise ExportFailed(f"cannot write {where} ({error.strerror or error})") from error


def _to_zip(target: Path, chosen: Chosen) -> ExportResult:
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    with tempfile.TemporaryDirectory(prefix=STAGE, dir=target.parent) as beside:
        folder = Path(beside) / "songs"
        before = zip_archive.unpack(target, folder, chosen.songs)
        made = _to_folder(folder, chosen)
        inside = [*(name for song in made.songs for name in song.files), *made.shared_files]
        after = {name: digest(folder / name) for name in inside}
        if before != after:
            zip_archive.pack(folder, inside, Path(beside) / "zip")
            (Path(beside) / "zip").replace(target)
    return ExportResult(target, made.songs, made.shared_files, target.stat().st_size, made.notes)


def _to_folder(target: Path, chosen: Chosen) -> ExportResult:
    with contextlib.closing(Folder(target)) as folder:
        writer = _Writer(folder, chosen.known)
        songs = [writer.song(key, *each) for key, each in chosen.songs.items()]
        beside = _beside(folder, chosen, songs, writer.notes)
    left_out = [ExportedSong(title, "failed", reason=reason) for title, reason in chosen.left_out]
    names = (*(name for song in songs for name in song.files), *beside)
    size = sum((target / name).stat().st_size for name in names)
    return ExportResult(target, (*songs, *left_out), beside, size, tuple(writer.notes))


def _beside(
    folder: Folder, chosen: Chosen, songs: list[ExportedSong], notes: list[tuple[str, str]]
) -> tuple[str, ...]:
    """Write what is not one song's; return the names."""
    pairs = list(zip(chosen.songs.values(), songs, strict=True))
    there = [(song, made.files[0]) for (song, _), made in pairs if made.files]
    (folder.stage / PLAYLIST).write_text(playlist.playlist(there), encoding="utf-8", newline="\n")
    names = {(task.id, song.position): made.files[0] for (song, task), made in pairs if made.files}
    playlist.write_frames(folder.stage / TABLES, playlist.tables(chosen, names))
    staged = [folder.stage / PLAYLIST, *sorted((folder.stage / TABLES).iterdir())]
    shared = [path.relative_to(folder.stage).as_posix() for path in staged]
    foreign = folder.put_shared(staged)
    reason = "a file of another origin has this name, and was left as it is"
    notes += [(name, reason) for name in foreign]
    return (*(name for name in shared if name not in foreign), MANIFEST)


class _Writer:
    """Writes songs of a library into a folder, one by one."""

    def __init__(self, folder: Folder, known: Known) -> None:
        self._folder, self._known, self._library = folder, known, known.library
        self.notes: list[tuple[str, str]] = []

    def song(self, key: str, song: Song, task: Task) -> ExportedSong:
        title = markup.one_line(song.title or "", _TITLE) or "(untitled)"
        source = self._library.file_of(song)
        if source is None:
            return ExportedSong(title, "failed", reason=f"{_NO_AUDIO}{self._way_out(song, task)}")
        stem = self._folder.stem_of(key, song.title)
        timed, record = self._texts(key, song, task)
        tags = audio_tags.tags_of(song, record["model"]["returned"] or record["model"]["asked"])
        cover = self._library.file_of(song, "image")
        recipe = provenance.recipe(record, timed, tags, source.name, cover.name if cover else "")
        names = (f"{stem}{source.suffix}", *((f"{stem}.lrc",) if timed else ()), f"{stem}.json")
        if self._folder.is_whole(key, recipe):
            return ExportedSong(title, "skipped", names)
        audio, *others = (self._folder.stage / name for name in names)
        try:
            _copy(source, audio)
            picture = self._cover(title, cover)
            audio_tags.write_tags(
                audio, tags, picture, _IMAGES.get(cover.suffix, "") if cover else ""
            )
        except MusicAPIError as error:
            audio.unlink(missing_ok=True)
            return ExportedSong(title, "failed", reason=error.message)
        written = {names[0]: digest(audio)}
        if timed:
            others[0].write_text(timed, encoding="utf-8", newline="\n")
            written[names[1]] = digest(others[0])
        record |= {
            "files": written,
            "source": {"audio_sha256": source.stem},
            "recipe": recipe,
            "package": provenance.package(),
            "exported_at": dt.datetime.now(dt.UTC),
        }
        others[-1].write_text(provenance.text(record), encoding="utf-8", newline="\n")
        outcome: Outcome = "replaced" if self._folder.record(key) else "written"
        self._folder.put([others[-1], audio, *others[:-1]])
        return ExportedSong(title, outcome, names)

    def _way_out(self, song: Song, task: Task) -> str:
        entry = self._known.entry(song, task)
        if entry is None or task.request is None:
            return ""
        take = f", take={entry.take}" if entry.take != 1 else ""
        return f"; api.run(api.library.request({entry.id}){take}) fetches it and costs nothing"

    def _texts(self, key: str, song: Song, task: Task) -> tuple[str, dict[str, Any]]:
        """The timed lyrics ("" where there are none), and the record without files."""
        entry = self._known.entry(song, task)
        alignment = self._known.alignments.get((song.id or "", song.simulated), ())
        timed = lrc(alignment, song.lyrics, title=song.title, seconds=song.duration)
        fields = asked(self._library, entry) if entry and task.request is None else {}
        return timed, provenance.provenance(key, song, task, entry, fields)

    def _cover(self, title: str, path: Path | None) -> bytes | None:
        if path is None or path.suffix not in _IMAGES:
            return None
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != path.stem:
            self.notes.append((title, "its cover in the library is damaged, and was left out"))
            return None
        return content


def _copy(source: Path, target: Path) -> None:
    """Copy a file of the library, whose name is the hash of its bytes, and check that it is."""
    digest_ = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        while chunk := read.read(_CHUNK):
            digest_.update(chunk)
            write.write(chunk)
    if digest_.hexdigest() != source.stem:
        raise Untaggable("its file in the library is damaged; see library.verify()")
