"""What the file system below a library can do: file locks, shared memory."""

from __future__ import annotations

import mmap
import re
import sys
import tempfile
from pathlib import Path

from musicapi_nb.errors import LibraryError

# Types in /proc/self/mountinfo of folders that other machines write as well, and of cloud drives.
_NETWORK_TYPES = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "drvfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "ocfs2", "prl_fs", "smb3", "smbfs", "vboxsf", "virtiofs"}
)
_LOCAL_FUSE = frozenset({"fuseblk", "fuse.fuse-overlayfs", "fuse.lxcfs", "fuse.mergerfs"})
_SHARE = re.compile(r"\\\\[^?.\\]|\\\\\?\\UNC\\")  # "\\server\share", "\\?\UNC\server\share"
_ESCAPED = re.compile(r"\\([0-7]{3})")  # "\\040" is a space


def is_windows_share(path: str) -> bool:
    """Return whether an absolute Windows path is on a network share."""
    return _SHARE.match(path) is not None


def network_type(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Return the type of the network file system of a folder; None if it is local or unknown."""
    path = folder.resolve()
    if is_windows_share(str(path)):
        return "smb"
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # only Linux has this file
        return None
    longest, name = -1, ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = Path(_ESCAPED.sub(lambda code: chr(int(code[1], 8)), fields.split(" ")[4]))
        if path.is_relative_to(point) and len(point.parts) >= longest:
            longest, name = len(point.parts), rest.split()[0]
    is_fuse = name.startswith("fuse") and name not in _LOCAL_FUSE
    return name if is_fuse or name in _NETWORK_TYPES else None


def has_shared_memory(folder: Path) -> bool:
    """Return whether SQLite can use a write-ahead log in a folder, which needs shared memory.

    On a network folder it cannot: the memory would not be shared with other machines. Raise
    LibraryError if files cannot be locked, and OSError if none can be created.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")
        file.flush()
        _check_locks(file.fileno(), folder)
        try:
            mmap.mmap(file.fileno(), 1).close()
        except OSError:
            return False
    return network_type(folder) is None


def _check_locks(file: int, folder: Path) -> None:
    if sys.platform == "win32":
        return  # files can be locked on all file systems
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        for lock in (fcntl.lockf, fcntl.flock):
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock(file, fcntl.LOCK_UN)
    except OSError as error:
        name = f" ({kind})" if (kind := network_type(folder)) else ""
        raise LibraryError(
            f"files in {folder} cannot be locked ({error.strerror}), as on some network "
            f"folders and cloud drives{name}. Two programs could buy the same song twice. "
            "Keep the library on a local disk: connect(library='/a/local/folder')"
        ) from error
