"""Media files: named by their hash, complete or absent, and verified."""

import asyncio
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from musicapi_nb import tasks
from musicapi_nb.client import MusicAPI
from musicapi_nb.errors import InvalidArgument, LibraryError, LibraryFull
from musicapi_nb.library import Library
from musicapi_nb.tasks import Song
from tests.library.helpers import (
    acknowledged,
    buy,
    looked,
    python,
    read_line,
    rebuilt_is_the_same,
    song,
)
from tests.raw_http_server import CLIP, DONE, KEY, Connection, once_each, peer, reply, until


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened


def write_file(folder: Path, content: bytes = b"ID3 a song", name: str = "a.tmp") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_file_is_stored_under_its_hash(library: Library, tmp_path: Path) -> None:
    source = write_file(tmp_path)
    file = library.add_file(source, ".MP3")
    digest = hashlib.sha256(b"ID3 a song").hexdigest()
    assert (file.sha256, file.size) == (digest, 10)
    assert file.path == library.path / "files" / digest[:2] / f"{digest}.mp3"
    assert file.path.read_bytes() == b"ID3 a song"
    assert not source.exists()


def test_equal_bytes_are_one_file(library: Library, tmp_path: Path) -> None:
    first = library.add_file(write_file(tmp_path), ".mp3")
    inode = first.path.stat().st_ino
    source = write_file(tmp_path)
    assert library.add_file(source, ".mp3") == first
    assert first.path.stat().st_ino == inode
    assert not source.exists()


def test_truncated_file_is_replaced(library: Library, tmp_path: Path) -> None:
    first = library.add_file(write_file(tmp_path), ".mp3")
    os.truncate(first.path, 3)
    assert library.add_file(write_file(tmp_path), ".mp3") == first
    assert first.path.read_bytes() == b"ID3 a song"


def test_incoming_file_is_on_the_same_disk(library: Library) -> None:
    path = library.temporary_path(".mp3")
    path.write_bytes(b"song")
    assert path.is_relative_to(library.path)
    assert library.add_file(path, ".mp3").path.read_bytes() == b"song"
    assert list((library.path / "files" / "incoming").iterdir()) == []


def test_file_from_another_disk_is_copied(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def raise_exdev(path: Path, target: Path) -> Path:
        if library.path not in path.parents:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", raise_exdev)
    source = write_file(tmp_path)
    assert library.add_file(source, ".mp3").path.read_bytes() == b"ID3 a song"
    assert not source.exists()
    assert list((library.path / "files" / "incoming").iterdir()) == []


def test_full_disk_is_reported_and_leaves_nothing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_enospc(path: Path, _: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "replace", raise_enospc)
    source = write_file(tmp_path)
    with pytest.raises(LibraryFull, match="Free some disk space"):
        library.add_file(source, ".mp3")
    assert source.exists()
    assert [path for path in (library.path / "files").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("suffix", ["", "mp3", "./x", ".mp3/..", ".m p", "." + "x" * 9])
def test_invalid_suffix_is_refused(library: Library, tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InvalidArgument, match="suffix"):
        library.add_file(write_file(tmp_path), suffix)


def test_missing_source_is_reported(library: Library, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="No such file"):
        library.add_file(tmp_path / "none", ".mp3")


def test_latest_attached_file_counts(library: Library, tmp_path: Path) -> None:
    (item, two) = looked(acknowledged(song())).songs
    assert library.file_of(item) is None
    first = library.add_file(write_file(tmp_path), ".mp3")
    library.attach(item, "audio", first)
    library.attach(item, "audio", first)
    assert library.file_of(item, "audio") == library.file_of("c") == first.path
    assert library.file_of(item, "image") is None
    assert library.file_of(two) is None
    second = library.add_file(write_file(tmp_path, b"another"), ".mp3")
    library.attach(item, "audio", second)
    assert library.file_of(item) == second.path
    assert [event.kind for event in library.events()] == ["attached", "attached"]
    rebuilt_is_the_same(library)


def test_simulated_and_unnamed_songs_have_separate_files(library: Library, tmp_path: Path) -> None:
    real = tasks.Song(id="c")
    unnamed = tasks.Song(task_id="t", position=1)
    pretended = tasks.Song(id="c", simulated=True)
    for number, item in enumerate((real, unnamed, pretended)):
        library.attach(
            item, "audio", library.add_file(write_file(tmp_path, b"%d" % number), ".mp3")
        )
    paths = [library.file_of(item) for item in (real, unnamed, pretended)]
    assert [path.read_bytes() for path in paths if path] == [b"0", b"1", b"2"]


def test_missing_files_lists_files_of_finished_songs(library: Library, tmp_path: Path) -> None:
    claim = buy(library, song())
    assert library.missing_files() == []
    done = looked(acknowledged(song()))
    library.record_poll(claim.entry.id, done)
    missing = library.missing_files()
    assert [(item.song.id, item.media, item.url) for item in missing] == [
        ("c", "audio", CLIP["audio_url"]),
        ("d", "audio", CLIP["audio_url"]),
    ]
    assert {item.entry.id for item in missing} == {claim.entry.id}
    file = library.add_file(write_file(tmp_path), ".mp3")
    library.attach(done.songs[0], "audio", file)
    assert [item.song.id for item in library.missing_files()] == ["d"]
    file.path.unlink()
    assert [item.song.id for item in library.missing_files()] == ["c", "d"]
    assert library.missing_files(("image",)) == []


def test_verify_reads_every_byte(library: Library, tmp_path: Path) -> None:
    refs = [
        library.add_file(write_file(tmp_path, b"song %d" % number), ".mp3") for number in range(4)
    ]
    for number, ref in enumerate(refs):
        library.attach(f"s{number}", "audio", ref)
    assert library.verify() == []
    refs[0].path.unlink()
    refs[1].path.write_bytes(b"song")
    refs[2].path.write_bytes(b"sonG 2")
    paths = {item.song: item.problem for item in library.verify()}
    assert paths == {"s0": "is missing", "s1": "has 4 of 6 bytes", "s2": "has changed content"}
    assert library.file_of("s1") is None


def test_unfinished_files_of_ended_processes_are_deleted(tmp_path: Path) -> None:
    code = """
import sys
from musicapi_nb.library import Library
library = Library(sys.argv[1])
path = library.temporary_path(".mp3")
path.write_bytes(b"half")
print(path, flush=True)
sys.stdin.readline()
"""
    other = python(code, str(tmp_path))
    half = Path(read_line(other))
    with Library(tmp_path) as library:
        mine = library.temporary_path()
        mine.write_bytes(b"also half")
        with Library(tmp_path):
            assert (half.exists(), mine.exists()) == (True, True)
        other.kill()
        other.communicate()
        with Library(tmp_path):
            assert (half.exists(), mine.exists()) == (False, True)


async def test_opening_keeps_files_that_another_library_downloads(library: Library) -> None:
    content, go = reply(b"ID3" + bytes(5000)), asyncio.Event()

    async def answer_slowly(connection: Connection) -> None:
        await connection.request()
        await connection.send(content[:2500])
        await go.wait()
        await connection.send(content[2500:])

    incoming = library.path / "files" / "incoming"
    async with peer(answer_slowly) as server, MusicAPI(KEY, base_url=server.url) as api:
        fetching = asyncio.create_task(
            api.download(f"{server.url}/a.mp3", library.temporary_path())
        )
        await until(lambda: list(incoming.iterdir()))
        with Library(library.path):
            (half,) = incoming.iterdir()
            assert half.name.startswith(
                library._process_lock.id
            )  # deleted when that process has ended
        go.set()
        path = await fetching
    assert path.stat().st_size == 5003


async def test_library_never_contains_the_key(tmp_path: Path) -> None:
    """Replies are stored without the key, even if a server echoes it."""
    echoing = [
        reply({**DONE, "seen": KEY}),
        reply({"error": f"Bad key {KEY}"}, 401),
        reply({"error": f"Bad words {KEY}"}, 400),
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{" + json.dumps(KEY).encode(),
    ]
    with Library(tmp_path / "l") as library:
        for number, echo in enumerate(echoing):
            async with (
                peer(once_each(echo)) as server,
                MusicAPI(KEY, base_url=server.url, pace=0) as api,
            ):
                request = song(str(number))
                claim = library.claim(request)
                (outcome,) = await asyncio.gather(api.submit(request), return_exceptions=True)
                if isinstance(outcome, tasks.Task):
                    library.record_accepted(claim.entry.id, outcome)
                else:
                    assert isinstance(outcome, Exception)
                    library.record_uncertain(claim.entry.id, outcome)
        assert library.counts() == {"uncertain": 3, "done": 1}
        texts = repr(library) + library._repr_html_() + repr(library.events())
    held = _everything(tmp_path)
    spellings = (KEY, json.dumps(KEY)[1:-1], "KEY-4711", "sk_live")
    assert b"[key]" in held
    for spelling in spellings:
        assert spelling.encode() not in held
        assert spelling not in texts


def _everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


# --- songs by their id ----------------------------------------------------------------------


def attach(library: Library, of: Song | str, content: bytes) -> Path:
    file = library.add_file(write_file(library.path, content), ".mp3")
    library.attach(of, "audio", file)
    return file.path


def test_ids_of_simulated_songs_are_those_of_songs(library: Library) -> None:
    made = buy(library, song(), simulated=True).entry.id
    library.record_poll(made, looked(acknowledged(song())))
    first, second = library.task(made).songs
    assert (first.id, first.simulated) == ("c", True)
    path = attach(library, first, b"sound")
    assert path == library.file_of("c") == library.intact_file_of("c") == library.media("c").audio
    assert attach(library, "d", b"more") == library.file_of(second)
    library.rate("c", 4)
    assert library.rating("c") == library.rating(first)
    assert [library.holds(name) for name in "cde"] == [True, True, False]
    with pytest.raises(InvalidArgument, match="no song 'e'"):
        library.rate("e", 1)


def test_an_id_is_the_services_song_before_a_simulators(library: Library) -> None:
    for simulated in (True, False):
        entry = buy(library, song(), simulated=simulated).entry.id
        library.record_poll(entry, looked(acknowledged(song())))
    simulated_song, real_song = (task.songs[0] for task in library.tasks())
    library.rate(simulated_song, 4)
    library.rate("c", 2)
    path = attach(library, "c", b"sound")
    assert library.rating("c") == library.rating(real_song)
    assert library.file_of("c") == library.file_of(real_song) == path
    assert library.file_of(simulated_song) is None
