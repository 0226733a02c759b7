"""Opening a library: paths, permissions, full disks, damage, versions."""

import contextlib
import encodings.idna  # noqa: F401 - loaded before this process gives up its rights
import functools
import os
import random
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from musicapi_nb.errors import (
    ClientClosed,
    ContentRefused,
    LibraryDamaged,
    LibraryError,
    LibraryFull,
    LibraryLocked,
    LibraryReadOnly,
    LibraryTooNew,
    LostReply,
)
from musicapi_nb.library import Library, default_folder
from musicapi_nb.library.database import Database, check_kind, migrate
from musicapi_nb.library.migrations import STEPS
from musicapi_nb.notebook import connect
from musicapi_nb.simulator import Simulator
from tests.library.helpers import acknowledged, buy, looked, rebuilt_is_the_same, song

NOBODY = 65534


def filled_library(path: Path, number: int = 30) -> Path:
    """Create and close a library with finished songs; return the path of its database."""
    with Library(path) as library:
        for index in range(number):
            request = song(str(index))
            claim = buy(library, request, f"t{index}")
            library.record_poll(claim.entry.id, looked(acknowledged(request, f"t{index}")))
    return path / "library.sqlite"


def all_bytes(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file())


def test_new_library_is_ignored_by_git(tmp_path: Path) -> None:
    with Library(tmp_path / "some" / "where") as library:
        assert library.counts() == {}
    names = sorted(path.name for path in (tmp_path / "some" / "where").iterdir())
    assert names == [".gitignore", "files", "library.sqlite", "open"]
    assert (tmp_path / "some" / "where" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_default_path_is_fixed_when_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Library("musicapi-library").close()
    with Library() as library:
        monkeypatch.chdir("/")
        (tmp_path / "a").write_bytes(b"song")
        file = library.add_file(tmp_path / "a", ".mp3")
        library.attach("s", "audio", file)
        assert library.file_of("s") == file.path
        assert file.path.is_relative_to(tmp_path / "musicapi-library" / "files")
        assert f"<Library {tmp_path / 'musicapi-library'}: empty" in repr(library)


def test_default_library_is_found_from_any_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    for folder in (tmp_path / "work", home / "work" / "deep", tmp_path, Path("/")):
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(folder)
        with Library() as library:
            assert library.path == home / "musicapi-library"


@pytest.mark.parametrize("below", ["", "sub", "sub/deep"])
def test_library_of_a_project_is_used_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Library(tmp_path / "project" / "musicapi-library").close()
    (tmp_path / "project" / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / "project" / below)
    assert default_folder() == tmp_path / "project" / "musicapi-library"
    assert default_folder("musicapi-library-host").parent == tmp_path / "home"


def test_empty_folder_of_that_name_is_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "musicapi-library").mkdir()
    monkeypatch.chdir(tmp_path)
    assert default_folder() == tmp_path / "home" / "musicapi-library"


def test_folder_with_other_files_stays_visible_to_git(tmp_path: Path) -> None:
    (tmp_path / "notebook.ipynb").write_text("{}", encoding="utf-8")
    Library(tmp_path).close()
    assert not (tmp_path / ".gitignore").exists()


def test_moved_library_works_and_contains_no_path(tmp_path: Path) -> None:
    filled_library(tmp_path / "before")
    with Library(tmp_path / "before") as library:
        (tmp_path / "a").write_bytes(b"song")
        library.attach("s", "audio", library.add_file(tmp_path / "a", ".mp3"))
        entries = library.entries()
    (tmp_path / "deep").mkdir()
    (tmp_path / "before").rename(tmp_path / "deep" / "after")
    assert str(tmp_path).encode() not in all_bytes(tmp_path / "deep")
    with Library(tmp_path / "deep" / "after") as library:
        assert library.entries() == entries
        path = library.file_of("s")
        assert path is not None
        assert path.read_bytes() == b"song"
        assert library.verify() == []


def test_closed_library_raises(tmp_path: Path) -> None:
    library = Library(tmp_path / "l")
    library.close()
    library.close()
    with pytest.raises(ClientClosed):
        library.claim(song())
    with pytest.raises(ClientClosed):
        library.tasks()
    with pytest.raises(ClientClosed):
        library.add_file(tmp_path / "a", ".mp3")
    assert "closed" in repr(library)
    assert "closed" in library._repr_html_()


# --- read-only -----------------------------------------------------------------------------


@contextlib.contextmanager
def without_permissions(path: Path) -> Iterator[None]:
    """Act as an ordinary user: file modes do not restrict the superuser."""
    if sys.platform == "win32":
        pytest.skip("file modes of Windows do not protect a folder")
    if os.geteuid() != 0:
        yield
        return
    search = 0o011  # the group stays that of the superuser
    for parent in path.parents:  # they stay searchable: tests of other workers share them
        mode = parent.stat().st_mode
        if mode & search != search:
            parent.chmod(mode | search)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_unusable_folder_is_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with (
        without_permissions(tmp_path / "l"),
        pytest.raises(LibraryReadOnly, match="Make the folder"),
    ):
        Library(tmp_path / "l")
    tmp_path.chmod(0o755)
    assert not (tmp_path / "l").exists()


@contextlib.contextmanager
def shut_library(path: Path, part: str) -> Iterator[None]:
    """Take away the permission to write to the folder, the database or all files."""
    for file in [path, *path.rglob("*")]:
        mode = 0o777 if file.is_dir() else 0o666
        shut = part == "all" or file == {"folder": path, "database": path / "library.sqlite"}[part]
        file.chmod(mode & ~0o222 if shut else mode)
    try:
        with without_permissions(path / "x"):
            yield
    finally:
        for file in [path, *path.rglob("*")]:
            file.chmod(0o755)


@pytest.mark.parametrize("part", ["folder", "database", "all"])
def test_read_only_library_is_open_for_reading(tmp_path: Path, part: str) -> None:
    database = filled_library(tmp_path / "l", 3)
    with Library(tmp_path / "l") as library:
        (tmp_path / "a").write_bytes(b"song")
        library.attach("s", "audio", library.add_file(tmp_path / "a", ".mp3"))
    before = database.read_bytes()
    names = sorted((tmp_path / "l").rglob("*"))
    with shut_library(tmp_path / "l", part), Library(tmp_path / "l", lock_timeout=0.1) as library:
        assert library.counts() == {"done": 3}
        assert len(library.tasks()) == 3
        assert library.verify() == []
        assert library.file_of("s") is not None
        assert "can only be read" in repr(library)
        assert "can only be read" in library._repr_html_()
        for refused in (
            lambda: library.claim(song("new")),
            lambda: library.find(song("0")),
            lambda: library.set_budget("b", 1),
            lambda: library.plan(song("planned")),
            lambda: library.rate_limits.reserve("r", 1),
            lambda: library.rate(library.tasks()[0].songs[0], 5),
        ):
            with pytest.raises(LibraryReadOnly, match="can only be read"):
                refused()
    assert database.read_bytes() == before
    if part != "database":  # SQLite creates -wal and -shm where it can
        assert sorted((tmp_path / "l").rglob("*")) == names
    with Library(tmp_path / "l") as library:
        assert library.counts() == {"done": 3}


def test_read_only_library_of_an_older_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "l").mkdir()
    database = tmp_path / "l" / "library.sqlite"
    Database(database, lock_timeout=1, steps=STEPS[:1]).close()
    with contextlib.closing(sqlite3.connect(database)) as older:
        assert older.execute("PRAGMA user_version").fetchone() == (1,)
    before = database.read_bytes()
    with shut_library(tmp_path / "l", "all"), Library(tmp_path / "l") as library:
        assert library.counts() == {}
        assert "can only be read" in repr(library)
    assert database.read_bytes() == before


def test_connections_are_closed_if_a_migration_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "library.sqlite"
    Database(path, lock_timeout=1, steps=STEPS[:1]).close()
    connect, connections = sqlite3.connect, list[sqlite3.Connection]()

    def record(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connections.append(connect(*arguments, **options))
        return connections[-1]

    monkeypatch.setattr(sqlite3, "connect", record)
    with pytest.raises(LibraryError):
        Database(path, lock_timeout=1, read_only=True, steps=[STEPS[0], "no SQL;"])
    assert len(connections) == 2
    for connection in connections:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


async def test_session_on_a_read_only_library_buys_nothing(tmp_path: Path) -> None:
    filled_library(tmp_path / "l", 3)
    with shut_library(tmp_path / "l", "all"):
        session = connect(simulator=Simulator(speed=200), library=tmp_path / "l")
        try:
            assert "Purchases are refused" in repr(session)
            with pytest.raises(LibraryReadOnly, match="can only be read"):
                await session.run(song("new"))
            assert session.simulator is not None
            assert session.simulator.request_log.posts == []
        finally:
            session.close()


def test_open_library_of_another_user_can_be_read(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as writer:
        buy(writer, song("1"))
        with shut_library(tmp_path / "l", "all"), Library(tmp_path / "l") as reader:
            assert reader.counts() == {"accepted": 1}


def test_last_steps_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    database = filled_library(tmp_path / "l", 1)
    database.with_name("library.sqlite-wal").write_bytes(b"steps of a killed process")
    with (
        shut_library(tmp_path / "l", "all"),
        pytest.raises(LibraryReadOnly, match="copy the whole folder"),
    ):
        Library(tmp_path / "l")


def test_path_of_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("a file", encoding="utf-8")
    with pytest.raises(LibraryError):
        Library(tmp_path / "l")


# --- full or locked ------------------------------------------------------------------------


def test_full_disk_leaves_complete_steps(tmp_path: Path) -> None:
    filled_library(tmp_path / "l", 1)
    with Library(tmp_path / "l") as library:
        connection = library._database.connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + 2}")
        claimed = 0

        def check() -> None:
            nonlocal claimed
            while claimed < 1000:
                library.claim(song(f"full {claimed}"))
                claimed += 1

        with pytest.raises(LibraryFull, match="Nothing was sent"):
            check()
        assert library.counts() == {"sending": claimed, "done": 1}
        rebuilt = library.events()
        assert sum(event.kind == "sending" for event in rebuilt) == claimed + 1
        connection.execute("PRAGMA max_page_count=100000")
        assert library.claim(song(f"full {claimed}")).kind == "buy"
        rebuilt_is_the_same(library)


def test_locked_database_is_reported(tmp_path: Path) -> None:
    database = filled_library(tmp_path / "l", 1)
    with (
        contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other,
        Library(tmp_path / "l", lock_timeout=0.02) as library,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LibraryLocked, match=r"library\.sqlite"):
            library.claim(song())
        with pytest.raises(LibraryLocked):
            Library(tmp_path / "l", lock_timeout=0.02)
        assert library.counts() == {"done": 1}
        other.execute("ROLLBACK")
        assert library.claim(song()).kind == "buy"


# --- damaged, foreign or newer -------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_database_is_reported(tmp_path: Path, share: float) -> None:
    database = filled_library(tmp_path / "l")
    size = int(database.stat().st_size * share)
    os.truncate(database, size)
    with pytest.raises(LibraryDamaged, match="recover"):
        Library(tmp_path / "l")
    assert database.stat().st_size == size


def test_text_file_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").write_text("once upon a time " * 100, encoding="utf-8")
    with pytest.raises(LibraryDamaged):
        Library(tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_corrupt_pages_are_reported_or_harmless(tmp_path: Path, seed: int) -> None:
    database = filled_library(tmp_path / "l")
    draw = random.Random(seed)  # noqa: S311 - no secret
    content = bytearray(database.read_bytes())
    for _ in range(3):
        index = draw.randrange(len(content) - 300)
        content[index : index + 300] = draw.randbytes(300)
    database.write_bytes(content)
    with contextlib.suppress(LibraryError), Library(tmp_path / "l") as library:
        library.entries()


def test_opening_reads_as_much_of_a_large_library_as_of_a_small_one(tmp_path: Path) -> None:
    costs = []
    for number in (30, 300):
        database = filled_library(tmp_path / str(number), number)
        instructions: list[int] = []
        with contextlib.closing(Database(database, lock_timeout=1)) as opened:
            opened.connection.set_progress_handler(functools.partial(instructions.append, 1), 1)
            opened._check(opened.connection, len(STEPS))
        costs.append(len(instructions))
    assert 0 < costs[1] <= 1.2 * costs[0]


def test_damage_that_opening_does_not_meet_is_found(tmp_path: Path) -> None:
    database = filled_library(tmp_path / "l", 100)
    content = bytearray(database.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    database.write_bytes(content)
    with Library(tmp_path / "l") as library, pytest.raises(LibraryDamaged):
        library.verify()


def test_database_of_another_program_is_not_changed(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "library.sqlite")) as other:
        other.execute("CREATE TABLE events (mine TEXT)")
        other.commit()
    before = (tmp_path / "library.sqlite").read_bytes()
    with pytest.raises(LibraryDamaged, match="another program"):
        Library(tmp_path)
    assert (tmp_path / "library.sqlite").read_bytes() == before


def test_migration_keeps_all_entries(tmp_path: Path) -> None:
    database = filled_library(tmp_path / "l", 3)
    with Library(tmp_path / "l") as library:
        before = library.entries()
    newer = Database(
        database,
        lock_timeout=1,
        steps=(*STEPS, "ALTER TABLE entries ADD COLUMN stars INTEGER;\nCREATE TABLE more (x);"),
    )
    assert newer.rows("SELECT id, stars FROM entries") == [(entry.id, None) for entry in before]
    assert newer.rows("PRAGMA user_version") == [(len(STEPS) + 1,)]
    newer.close()
    content = database.read_bytes()
    with pytest.raises(LibraryTooNew, match="Upgrade"):
        Library(tmp_path / "l")
    assert database.read_bytes() == content


def test_events_and_entries_copied_by_sql_make_a_library(tmp_path: Path) -> None:
    database = filled_library(tmp_path / "new", 3)
    with Library(tmp_path / "new") as library:
        library.record_refused(library.claim(song("refused")).entry.id, ContentRefused("no"))
        library.record_uncertain(library.claim(song("lost")).entry.id, LostReply("lost"))
        library.plan(song("planned"))
        before = library.entries()
    (tmp_path / "old").mkdir()
    old = Database(tmp_path / "old" / "library.sqlite", lock_timeout=1, steps=STEPS[:1])
    with contextlib.closing(old):
        old.rows("ATTACH ? AS new", str(database))
        columns = ", ".join(name for _, name, *_ in old.rows("PRAGMA table_info(entries)"))
        with old.write() as connection:
            connection.execute("INSERT INTO events SELECT * FROM new.events")
            connection.execute(f"INSERT INTO entries SELECT {columns} FROM new.entries")  # noqa: S608 - names of columns

    with Library(tmp_path / "old") as library:
        assert library.entries() == before
        assert library.claim(song("lost")).kind == "uncertain"
        rebuilt_is_the_same(library)
        assert library.claim(song("refused")).kind == "buy"
        rebuilt_is_the_same(library)


def test_failed_migration_changes_nothing(tmp_path: Path) -> None:
    database = filled_library(tmp_path / "l", 3)
    steps = (*STEPS, "CREATE TABLE more (x);\nCREATE TABLE events (x);")
    with pytest.raises(LibraryError, match="already exists"):
        Database(database, lock_timeout=1, steps=steps)
    with Library(tmp_path / "l") as library:
        assert library.counts() == {"done": 3}
        assert library._database.rows("SELECT 1 FROM sqlite_schema WHERE name='more'") == []


def test_events_cannot_be_changed(tmp_path: Path) -> None:
    database = filled_library(tmp_path / "l", 1)
    with contextlib.closing(sqlite3.connect(database)) as other:
        for attempt in ("UPDATE events SET at=0", "DELETE FROM events"):
            with pytest.raises(sqlite3.IntegrityError, match="events are never"):
                other.execute(attempt)


def test_key_has_one_active_entry_in_sql(tmp_path: Path) -> None:
    database = filled_library(tmp_path / "l", 1)
    with contextlib.closing(sqlite3.connect(database)) as other:
        row = other.execute("SELECT * FROM entries").fetchone()
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            other.execute(
                f"INSERT INTO entries VALUES ({', '.join('?' * len(row))})",  # noqa: S608 - marks
                (row[0] + 1, *row[1:]),
            )


def test_library_created_while_it_is_opened_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("PRAGMA journal_mode=WAL")

        def create_library(statement: str) -> None:
            if "sqlite_schema" in statement:
                connection.set_trace_callback(None)
                other.execute("BEGIN IMMEDIATE")
                migrate(other, STEPS)
                other.execute("COMMIT")

        connection.set_trace_callback(create_library)
        check_kind(connection, path, len(STEPS))
        assert other.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        check_kind(connection, path, len(STEPS))


def test_copy_is_an_independent_library(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        library.claim(song())
        shutil.copytree(tmp_path / "l", tmp_path / "copy")
        with Library(tmp_path / "copy") as copy:
            assert copy.claim(song()).kind == "uncertain"
        assert library.claim(song()).kind == "join"
