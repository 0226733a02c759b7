"""Which processes are alive: file locks that the operating system releases when they end."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
import weakref
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    _HOLD, _PROBE, _PROBE_FLAGS = msvcrt.LK_LOCK, msvcrt.LK_NBLCK, os.O_RDWR

    def _lock(file: int, mode: int) -> bool:
        try:
            msvcrt.locking(file, mode, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    # Probes are shared, so that simultaneous ones do not mistake each other for the owner.
    _HOLD, _PROBE, _PROBE_FLAGS = fcntl.LOCK_EX, fcntl.LOCK_SH | fcntl.LOCK_NB, os.O_RDONLY

    # flock, not lockf: the lock belongs to the open file. Two libraries of one process see each
    # other, and closing another handle of the file does not release it.
    def _lock(file: int, mode: int) -> bool:
        try:
            fcntl.flock(file, mode)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return False
            raise
        return True


_opened: weakref.WeakSet[ProcessLock] = weakref.WeakSet()


class ProcessLock:
    """The lock of one open library; while it is held, other processes consider that library alive.

    Raise OSError if its file cannot be created. A library that is open for reading has none.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._folder = folder
        self._file: int | None = None
        if read_only:
            self.id: str = ""
            return
        folder.mkdir(exist_ok=True)
        while True:
            self.id = secrets.token_hex(8)
            # Other users of a shared library have to read it, to see whether it is locked.
            self._file = os.open(self._path(self.id), os.O_RDWR | os.O_CREAT, 0o666)
            if _lock(self._file, _HOLD) and self._is_in_place(self._file):
                break
            os.close(self._file)  # another process deleted it before it was locked
        _opened.add(self)

    def _path(self, owner: str) -> Path:
        return self._folder / f"{owner}.lock"

    def _is_in_place(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self._path(self.id).stat())
        except FileNotFoundError:
            return False

    def is_alive(self, owner: str) -> bool:
        """Return whether the open library with this id still exists; else delete its lock file."""
        if owner == self.id:
            return self._file is not None
        try:
            file = os.open(self._path(owner), _PROBE_FLAGS)
        except FileNotFoundError:
            return False
        except PermissionError:  # of another user: it cannot be known to have ended
            return True
        try:
            released = _lock(file, _PROBE)
        finally:
            os.close(file)
        if released:
            self._remove(owner)
        return not released

    def _remove(self, owner: str) -> None:
        with contextlib.suppress(OSError):  # Windows keeps it while it is open anywhere
            self._path(owner).unlink()

    def close(self) -> None:
        if self._file is not None:
            self.close_in_child()
            self._remove(self.id)

    def close_in_child(self) -> None:
        """Close a forked child's copy of the file; the parent keeps the lock."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _after_fork() -> None:
    for process_lock in list(_opened):
        process_lock.close_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
