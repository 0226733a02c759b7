"""A database that was moved or replaced while open, or that lost purchases: nothing is sent."""

import functools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from musicapi_nb import MusicAPI
from musicapi_nb.errors import LibraryDamaged, LibraryError
from musicapi_nb.library import Library
from musicapi_nb.notebook import connect
from musicapi_nb.simulator import Simulator
from tests.library.helpers import acknowledged, buy, python, read_line, song
from tests.raw_http_server import TASK_ID, Connection, client, peer, reply

KEY = "k" * 20


def _database_files(folder: Path) -> list[Path]:
    return list(folder.glob("library.sqlite*"))


def _delete_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def _delete_database(folder: Path) -> None:
    for path in _database_files(folder):
        path.unlink()


def _delete_wal(folder: Path) -> None:
    (folder / "library.sqlite-wal").unlink()


def _move_folder(folder: Path) -> None:
    folder.rename(folder.with_name("moved"))


def _replace_by_a_copy(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)


def _replace_the_database_alone(folder: Path) -> None:
    shutil.copy(folder / "library.sqlite", folder / "new")
    (folder / "new").replace(folder / "library.sqlite")


def _replace_shared_memory(folder: Path) -> None:
    (folder / "library.sqlite-shm").unlink()
    (folder / "library.sqlite-shm").write_bytes(b"")


@pytest.mark.parametrize(
    "harm",
    [
        _delete_folder,
        _delete_database,
        _delete_wal,
        _move_folder,
        _replace_by_a_copy,
        _replace_the_database_alone,
        _replace_shared_memory,
    ],
)
async def test_purchase_is_refused_before_anything_is_sent(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    async with Simulator(speed=200) as simulator:
        with Library(tmp_path / "l") as library:
            async with MusicAPI(
                KEY, base_url=simulator.url, speed=200, pace=0, simulated=True, ledger=library
            ) as api:
                await api.run(song("before"))
                assert library.notice == ""
                harm(tmp_path / "l")
                with pytest.raises(LibraryError, match="deleted, moved or replaced"):
                    await api.run(song("after"))
                assert "deleted, moved or replaced" in repr(library)
                assert "deleted, moved or replaced" in library._repr_html_()
        assert len(simulator.request_log.posts) == 1


def test_relinked_folder_is_another_library(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Library(tmp_path / name).close()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "one")
    with Library(link) as library:
        link.unlink()
        link.symlink_to(tmp_path / "two")
        with Library(tmp_path / "two"), pytest.raises(LibraryError, match="replaced"):
            library.claim(song())


def test_session_shows_its_library_and_that_it_is_gone(tmp_path: Path) -> None:
    session = connect(simulator=Simulator(speed=200), library=tmp_path / "l")
    try:
        assert f"Library: {tmp_path / 'l'}" in repr(session)
        assert "refused" not in repr(session)
        _delete_folder(tmp_path / "l")
        assert "Purchases are refused" in repr(session)
        assert "Purchases are refused" in session._repr_html_()
    finally:
        session.close()


def test_outcome_of_a_moved_library_is_still_recorded(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        claim = library.claim(song())
        _move_folder(tmp_path / "l")
        library.record_accepted(claim.entry.id, acknowledged(song(), "kept"))
    assert not (tmp_path / "l").exists()
    with Library(tmp_path / "moved") as library:
        assert [entry.task_id for entry in library.entries()] == ["kept"]


# --- a database that lost purchases ----------------------------------------------------------


def _killed_library(folder: Path) -> None:
    """Fill a library whose process is killed, so that its last steps are in the WAL alone."""
    code = (
        "import sys; from tests.library.helpers import *; library = Library(sys.argv[1]); "
        "buy(library, song('1')); print('ready', flush=True); sys.stdin.read()"
    )
    process = python(code, str(folder))
    assert read_line(process) == "ready"
    process.kill()
    process.communicate()


def test_killed_library_opens(tmp_path: Path) -> None:
    _killed_library(tmp_path / "l")
    with Library(tmp_path / "l") as library:
        assert library.counts() == {"accepted": 1}


def test_lost_wal_is_noticed(tmp_path: Path) -> None:
    _killed_library(tmp_path / "l")
    (tmp_path / "l" / "library.sqlite-wal").unlink()
    with pytest.raises(LibraryDamaged, match=r"lost purchases.*library\.mark"):
        Library(tmp_path / "l")


@pytest.mark.parametrize("case", ["deleted", "older", "other", "empty", "diverged"])
def test_other_database_is_noticed_before_anything_is_changed(tmp_path: Path, case: str) -> None:
    folder, old = tmp_path / "l", tmp_path / "old"
    with Library(folder) as library:
        buy(library, song("1"), "t1")
    shutil.copytree(folder, old)
    with Library(folder) as library:
        buy(library, song("2"), "t2")
    database = folder / "library.sqlite"
    if case == "deleted":
        database.unlink()
    if case == "empty":
        os.truncate(database, 0)
    if case == "diverged":  # it has as many events, and other ones
        with Library(old) as library:
            buy(library, song("3"), "t3")
            buy(library, song("4"), "t4")
    if case in {"older", "diverged"}:
        shutil.copy(old / "library.sqlite", database)
    if case == "other":
        with Library(tmp_path / "other"):
            pass
        shutil.copy(tmp_path / "other" / "library.sqlite", database)
    content = database.read_bytes() if database.exists() else b""
    for _ in range(2):
        with pytest.raises(LibraryDamaged, match="bought again"):
            Library(folder)
    assert database.read_bytes() == content
    (folder / "library.mark").unlink()  # as the message says
    with Library(folder) as library:
        assert library.claim(song("2")).kind == "buy"


def _add_song(library: Library, prompt: str) -> None:
    buy(library, song(prompt), prompt)
    path = library.temporary_path()
    path.write_bytes(prompt.encode())
    library.attach(prompt, "audio", library.add_file(path, ".mp3"))


def _no_mark(folder: Path) -> None:
    (folder / "library.mark").unlink()


def _older_database(folder: Path) -> None:
    _no_mark(folder)
    shutil.copy(folder.with_name("old") / "library.sqlite", folder / "library.sqlite")


def _no_database(folder: Path) -> None:
    _no_mark(folder)
    _delete_database(folder)


def _other_files(folder: Path) -> None:
    _older_database(folder)
    shutil.copytree(folder.with_name("other") / "files", folder / "files", dirs_exist_ok=True)


def _copied_without_its_mark(folder: Path) -> None:
    copy = folder.with_name("copy")
    shutil.copytree(folder, copy, copy_function=shutil.copyfile)  # the files are new
    shutil.rmtree(folder)
    copy.rename(folder)
    _no_mark(folder)


def _left_by_a_crash(folder: Path) -> None:
    (folder / "files" / "ab").mkdir()
    (folder / "files" / "ab" / f"{'ab' * 32}.mp3").write_bytes(b"ID3")


@pytest.mark.parametrize(
    ("harm", "unknown"),
    [
        (_older_database, 1),
        (_other_files, 2),
        (_no_database, 2),
        (_no_mark, 0),
        (_copied_without_its_mark, 0),
        (_left_by_a_crash, 0),
    ],
)
def test_database_that_may_be_an_older_copy_draws_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Callable[[Path], None], unknown: int
) -> None:
    folder = tmp_path / "l"
    with Library(folder) as library:
        _add_song(library, "1")
    shutil.copytree(folder, tmp_path / "old")
    with Library(folder) as library:
        _add_song(library, "2")
    with Library(tmp_path / "other") as library:
        _add_song(library, "3")
    harm(folder)
    assert caplog.records == []
    with Library(folder) as library:
        warnings = [record.getMessage() for record in caplog.records]
        _add_song(library, "4")
    assert len(warnings) == bool(unknown)
    if unknown:
        assert f"does not know {unknown} of the files beside it" in warnings[0]
        assert "may have been restored" in warnings[0]
        assert "would buy them again" in warnings[0]
    caplog.clear()
    with Library(folder) as library:
        assert "4" in {entry.task_id for entry in library.entries()}
    assert caplog.records == []


def test_unreadable_mark_is_replaced(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        (tmp_path / "l" / "library.mark").write_bytes(b"?")
        buy(library, song())
    with Library(tmp_path / "l") as library:
        assert library.counts() == {"accepted": 1}


async def test_database_file_alone_has_the_purchases_of_an_open_library(tmp_path: Path) -> None:
    with Library(tmp_path / "l") as library:
        for number in range(3):
            await library.commit(functools.partial(library.claim, song(str(number))))
        library._group_commit.close()  # after the checkpoint
        (tmp_path / "copy").mkdir()
        shutil.copy(tmp_path / "l" / "library.sqlite", tmp_path / "copy")
        with Library(tmp_path / "copy") as copy:
            assert len(copy.entries()) >= 1


# --- between the check and the reply ---------------------------------------------------------


@pytest.mark.parametrize("harm", [_delete_folder, _replace_by_a_copy, _move_folder])
async def test_outcome_of_a_library_that_left_during_the_call_is_logged(
    tmp_path: Path, harm: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def behave(connection: Connection) -> None:
        await connection.request()
        harm(tmp_path / "l")
        await connection.send(reply())

    with Library(tmp_path / "l") as library:
        async with peer(behave) as server, client(server.url, ledger=library) as api:
            assert (await api.submit(song())).id == TASK_ID
            assert server.posts == 1
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert TASK_ID in record.getMessage()
    assert "deleted, moved or replaced" in record.getMessage()


def test_nothing_follows_a_commit_that_could_fail(tmp_path: Path) -> None:
    with Library(tmp_path) as library:
        statements: list[str] = []
        library._database.connection.set_trace_callback(statements.append)
        claim = library.claim(song())
        assert statements[-1] == "COMMIT"
        mark = (tmp_path / "library.mark").read_bytes()
        assert int(mark.split()[0]) == library.events(claim.entry.id)[-1].id
