"""Files named by what they hold: written beside, moved into place, found damaged if they are."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from musicapi_nb.errors import InvalidArgument, LibraryError, LibraryFull, LibraryReadOnly
from musicapi_nb.tasks import Song

if TYPE_CHECKING:
    from musicapi_nb.library.process_lock import ProcessLock

_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclasses.dataclass(frozen=True, slots=True)
class FileRef:
    """A file of the library: the hash of its bytes, their number, and where it is now."""

    sha256: str
    size: int
    path: Path

    @property
    def suffix(self) -> str:
        return self.path.suffix


@contextlib.contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Turn what the system raises about a path of the library into an error of the family."""
    try:
        yield
    except OSError as error:
        words = f"{error.strerror or error}: {path}"
        if error.errno in _READ_ONLY:
            raise LibraryReadOnly(f"the library cannot be written ({words})") from error
        if error.errno in _FULL:
            raise LibraryFull(f"the library has no room left ({words})") from error
        raise LibraryError(f"the library could not be used ({words})") from error


def song_key(song: Song | str) -> str:
    """The name by which files belong to a song: its id, else its task and position."""
    if isinstance(song, str):
        return song
    return key_of(song.id, song.task_id, song.position, simulated=song.simulated)


def key_of(song_id: str | None, task_id: str | None, position: int, *, simulated: bool) -> str:
    """As `song_key`, from the parts of a song."""
    name = song_id or f"{task_id}/{position}"
    return f"simulated:{name}" if simulated else name


class Files:
    """The folder of files.

    Parameters
    ----------
    folder
        Made when there is none.
    owner
        Whose unfinished files these are; those of the dead are swept away.
    """

    def __init__(self, folder: Path, owner: ProcessLock) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._process_lock = owner
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            if not owner.is_alive(left.name.partition("-")[0]):
                left.unlink(missing_ok=True)

    def incoming(self, suffix: str = "") -> Path:
        """A path, not taken yet, to write a file to before it is added."""
        return self._incoming / f"{self._process_lock.id}-{secrets.token_hex(6)}{suffix}"

    def ref(self, sha256: str, size: int, suffix: str) -> FileRef:
        return FileRef(sha256, size, self._folder / sha256[:2] / f"{sha256}{suffix}")

    def add(self, source: Path, suffix: str) -> FileRef:
        """Move a file in under the hash of its bytes; one that is there already stays."""
        suffix = suffix.lower()
        if not _SUFFIX.fullmatch(suffix):
            raise InvalidArgument(
                f"a file's suffix is a dot and letters, such as '.mp3', not {suffix!r}"
            )
        with on_disk(source):
            ref = self.ref(*_hashed(source), suffix)
            if not is_whole(ref):
                ref.path.parent.mkdir(exist_ok=True)
                self._move(source, ref.path)
            source.unlink(missing_ok=True)
        return ref

    def _move(self, source: Path, target: Path) -> None:
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            beside = self.incoming()  # from another disk: copied whole first
            try:
                shutil.copyfile(source, beside)
                _sync(beside)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)
        _sync(target.parent)
        _sync(target.parent.parent)

    def on_disk(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self._folder.rglob("*") if path.is_file())


def _hashed(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    _sync(path)
    return digest, size


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, outlive a loss of power."""
    if os.name == "nt" and path.is_dir():  # there, folders cannot be opened
        return
    file = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def is_whole(ref: FileRef) -> bool:
    """Whether the file is there with all its bytes (their number alone)."""
    try:
        return ref.path.stat().st_size == ref.size
    except OSError:
        return False


def damage(ref: FileRef) -> str | None:
    """What is wrong with a file, every byte of it read; None when nothing is."""
    try:
        with ref.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    if size != ref.size:
        return f"has {size:,} of {ref.size:,} bytes"
    return None if digest == ref.sha256 else "holds other bytes than it was given"
