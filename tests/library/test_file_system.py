"""Libraries on network folders, on cloud drives, and of several users."""

import errno
import mmap
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb.errors import LibraryError
from musicapi_nb.library import Library, file_system
from musicapi_nb.library.file_system import has_shared_memory, is_windows_share, network_type
from tests.library.helpers import buy, song

MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:40 / /home rw,relatime - nfs4 server:/home rw,vers=4.2
24 23 8:2 / /home/local rw - xfs /dev/sdb rw
25 22 0:41 / /mnt/my\040drive rw - fuse.rclone remote: rw
26 22 0:42 / /mnt/share rw - cifs //server/share rw
27 22 8:3 / /mnt/usb rw - fuseblk /dev/sdc1 rw
29 22 0:44 / /mnt/M\u00fcsik rw - nfs4 server:/a rw
30 22 0:45 / /mnt/wide\u3000space rw - nfs4 server:/b rw
31 22 0:46 / /mnt/latin\udcfc rw - nfs4 server:/c rw
28 22 0:43 / /mnt/share rw - tmpfs tmpfs rw
""".strip()
MOUNTS = (
    MOUNTS.replace(r"\u00fc", "\u00fc").replace(r"\u3000", "\u3000").replace(r"\udcfc", "\udcfc")
)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/srv", None),
        ("/home", "nfs4"),
        ("/home/ann/work", "nfs4"),
        ("/home/local/ann", None),
        ("/homes", None),
        ("/mnt/my drive/songs", "fuse.rclone"),
        ("/mnt/usb", None),
        ("/mnt/M\u00fcsik", "nfs4"),
        ("/mnt/wide\u3000space", "nfs4"),
        ("/mnt/latin\udcfc", "nfs4"),
        ("/mnt/share", None),  # the later mount hides the earlier one
    ],
)
def test_network_folders_are_recognized(tmp_path: Path, folder: str, expected: str | None) -> None:
    if sys.platform == "win32":
        pytest.skip("these are paths of Linux")
    (tmp_path / "mounts").write_bytes(os.fsencode(MOUNTS))
    assert network_type(Path(folder), tmp_path / "mounts") == expected


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (r"\\server\share\library", True),
        (r"\\?\UNC\server\share\library", True),
        (r"\\?\C:\a very long path", False),
        (r"\\.\D:\library", False),
        (r"C:\Users\ann\library", False),
        ("/home/ann/library", False),
    ],
)
def test_shares_of_windows_are_network_folders(folder: str, expected: bool) -> None:  # noqa: FBT001 - parametrised
    assert is_windows_share(folder) == expected


def test_unknown_mounts_count_as_local(tmp_path: Path) -> None:
    assert network_type(tmp_path, tmp_path / "missing") is None


def journal_mode(library: Library) -> Any:
    return library._database.rows("PRAGMA journal_mode")[0][0]


def test_network_folder_has_no_wal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library(tmp_path / "l") as library:  # on the server, where the folder is local
        assert journal_mode(library) == "wal"
        buy(library, song("1"))
    monkeypatch.setattr(file_system, "network_type", lambda _: "nfs4")
    with Library(tmp_path / "l") as one, Library(tmp_path / "l") as two:
        assert journal_mode(one) == journal_mode(two) == "delete"
        buy(one, song("2"), "t2")
        assert two.claim(song("2")).kind == "join"
        buy(two, song("3"), "t3")
        assert one.counts() == {"accepted": 3}
        assert one.notice == ""
        (tmp_path / "l" / "library.sqlite").rename(tmp_path / "l" / "old")
        with pytest.raises(LibraryError, match="moved"):
            one.claim(song("4"))


def test_folder_without_shared_memory_has_no_wal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    assert has_shared_memory(tmp_path)
    monkeypatch.setattr(mmap, "mmap", refuse)
    assert not has_shared_memory(tmp_path)
    with Library(tmp_path / "l") as library:
        assert journal_mode(library) == "delete"


@pytest.mark.parametrize("name", ["lockf", "flock"])
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_folder_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has locks on all file systems")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(f"fcntl.{name}", refuse)
    with pytest.raises(LibraryError, match=r"cannot be locked.*network folders.*local disk"):
        Library(tmp_path / "l")
    assert not (tmp_path / "l" / "library.sqlite").exists()


@pytest.mark.parametrize("mode", [0o666, 0o600], ids=["readable lock", "unreadable lock"])
def test_other_user_opens_a_shared_library(tmp_path: Path, mode: int) -> None:
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only the superuser of a Unix can become another user")
    for folder in (tmp_path, *tmp_path.parents):
        folder.chmod(folder.stat().st_mode | 0o011)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o2777)
    umask = os.umask(0)
    try:
        with Library(tmp_path / "shared" / "l") as library:
            claim = library.claim(song("1"))
            lock = library.path / "open" / f"{library._process_lock.id}.lock"
            lock.chmod(mode)
            os.setegid(65534)
            os.seteuid(65534)
            try:
                with Library(library.path) as other:
                    assert other.notice == ""
                    assert other.entry(claim.entry.id).state == "sending"
                    assert other.claim(song("1")).kind == "join"
                    buy(other, song("2"), "t2")
            finally:
                os.seteuid(0)
                os.setegid(0)
            assert library.counts() == {"sending": 1, "accepted": 1}
    finally:
        os.umask(umask)
