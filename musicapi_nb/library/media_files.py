"""Media files, named by the hash of their bytes and moved into place once complete."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from musicapi_nb.errors import InvalidArgument, LibraryError, LibraryFull, LibraryReadOnly
from musicapi_nb.ledger_types import FileRef, Media
from musicapi_nb.library.database import Database
from musicapi_nb.library.process_lock import ProcessLock
from musicapi_nb.tasks import Song

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_NAME = re.compile(r"[0-9a-f]{64}")
_OLDER_COPY = (
    "%s: the database does not know %s of the files beside it, and there is no library.mark. "
    "An older copy of the database may have been restored. Purchases made after that copy cannot "
    "be known, and running them again would buy them again. If you have a later copy, close this "
    "library and restore the whole folder; else compare your balance before you buy."
)
_log = logging.getLogger(__name__)
_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn OSError about a path of the library into LibraryError or a subclass."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}: {path}"
        if error.errno in _READ_ONLY:
            raise LibraryReadOnly(f"the library cannot be written ({reason})") from error
        if error.errno in _FULL:
            raise LibraryFull(f"the library is out of disk space ({reason})") from error
        raise LibraryError(f"the library cannot be used ({reason})") from error


def song_key(song: Song | str) -> str:
    """Return the key under which a library has files of a song: its id, or task and position."""
    if isinstance(song, str):
        return song
    return key_of(song.id, song.task_id, song.position, simulated=song.simulated)


def keys_of(song: Song | str) -> tuple[str, ...]:
    """Return the keys to look a song up by: of an id, that of the service's song comes first.

    A key of `song_key` is accepted like an id.
    """
    if isinstance(song, str):
        return song, key_of(song, None, 0, simulated=True)
    return (song_key(song),)


def key_of(song_id: str | None, task_id: str | None, position: int, *, simulated: bool) -> str:
    """As `song_key`, from the attributes of a song."""
    name = song_id or f"{task_id}/{position}"
    return f"simulated:{name}" if simulated else name


def attachment(song: Song | str, media: Media, file: FileRef, note: str) -> dict[str, Any]:
    """Return the data of an event that makes a file a song's."""
    data = {"song": song_key(song), "media": media, "sha256": file.sha256, "size": file.size}
    return {**data, "suffix": file.suffix, **({"note": note} if note else {})}


@dataclasses.dataclass(frozen=True, slots=True)
class FileNote:
    """What is odd about a song's file (by song key), such as a length other than stated."""

    song: str
    media: str
    note: str


def file_notes(database: Database) -> list[FileNote]:
    """Return the notes on files, by song."""
    query = "SELECT song, media, note FROM attachments WHERE note != '' ORDER BY song, media"
    return [FileNote(*row) for row in database.rows(query)]


@dataclasses.dataclass(frozen=True, slots=True)
class DamagedFile:
    """A file that is missing or damaged, the song it belongs to, and the damage."""

    song: str
    media: str
    file: FileRef
    problem: str


class MediaFiles:
    """The folder of media files. `process_lock` marks the unfinished files of this library."""

    def __init__(self, folder: Path, process_lock: ProcessLock) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._process_lock = process_lock

    def prepare(self, database: Database) -> None:
        """Create the folder if it does not exist; delete unfinished files of ended processes.

        Warn if the database may be an older copy.
        """
        self._incoming.mkdir(parents=True, exist_ok=True)
        for path in self._incoming.iterdir():
            if not self._process_lock.is_alive(path.name.partition("-")[0]):
                with contextlib.suppress(OSError):  # of another user
                    path.unlink()
        if not database.has_mark:
            self._warn_if_older(database)

    def _warn_if_older(self, database: Database) -> None:
        """Warn of files that a database without its mark does not know, and write the mark."""
        names = {path.stem for path in self._folder.glob("??/*") if _NAME.fullmatch(path.stem)}
        if unknown := names - {name for (name,) in database.rows("SELECT sha256 FROM files")}:
            _log.warning(_OLDER_COPY, database.path.parent, len(unknown))
            with database.write(durable=True):  # that writes the mark
                pass

    def temporary_path(self, suffix: str = "") -> Path:
        """Return an unused path to write a file to before it is added."""
        return self._incoming / f"{self._process_lock.id}-{secrets.token_hex(6)}{suffix}"

    def ref(self, sha256: str, size: int, suffix: str) -> FileRef:
        return FileRef(sha256, size, self._folder / sha256[:2] / f"{sha256}{suffix}")

    def add(self, source: Path, suffix: str) -> FileRef:
        """Move a file into the folder under the hash of its bytes, unless it is there already."""
        suffix = suffix.lower()
        if not _SUFFIX.fullmatch(suffix):
            raise InvalidArgument(
                f"a file suffix must be a dot and letters, such as '.mp3', not {suffix!r}"
            )
        with disk_errors(source):
            ref = self.ref(*_digest(source), suffix)
            _sync(source)
            if not is_complete(ref):
                ref.path.parent.mkdir(exist_ok=True)
                self._move(source, ref.path)
            source.unlink(missing_ok=True)
        return ref

    def copy(self, other: FileRef) -> FileRef | None:
        """Copy a file of another library, unless it is there; None if it is missing or damaged."""
        if not _NAME.fullmatch(other.sha256) or not _SUFFIX.fullmatch(other.suffix):
            return None  # they are texts of another library, and become a path
        ref = self.ref(other.sha256, other.size, other.suffix)
        if is_complete(ref):
            return ref
        copy = self.temporary_path(other.suffix)
        try:
            with disk_errors(copy):
                shutil.copyfile(other.path, copy)
                if _digest(copy) != (other.sha256, other.size):
                    return None
                _sync(copy)
                ref.path.parent.mkdir(exist_ok=True)
                self._move(copy, ref.path)
        except LibraryError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise
        finally:
            copy.unlink(missing_ok=True)
        return ref

    def _move(self, source: Path, target: Path) -> None:
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            copy = self.temporary_path()  # on another disk: copy it first
            try:
                shutil.copyfile(source, copy)
                _sync(copy)
                copy.replace(target)
            finally:
                copy.unlink(missing_ok=True)
        _sync(target.parent)
        _sync(target.parent.parent)


def _digest(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file's bytes, and its size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def _sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power failure."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open folders
        return
    file = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def is_complete(ref: FileRef) -> bool:
    """Return whether the file exists with its full size (the content is not read)."""
    try:
        return ref.path.stat().st_size == ref.size
    except OSError:
        return False


def damage(ref: FileRef) -> str | None:
    """Read a file and describe its damage; None if there is none."""
    try:
        digest, size = _digest(ref.path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if size != ref.size:
        return f"has {size:,} of {ref.size:,} bytes"
    return None if digest == ref.sha256 else "has changed content"
