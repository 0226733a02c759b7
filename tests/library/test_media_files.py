"""Files are named by what they hold, whole or not there, and found again."""

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
from tests.library.world import acknowledged, buy, looked, python, rebuilt_is_the_same, said, song
from tests.raw_http_server import CLIP, DONE, KEY, Connection, once_each, peer, reply, until


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library") as opened:
        yield opened


def a_file(folder: Path, content: bytes = b"ID3 a song", name: str = "a.tmp") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_file_is_moved_in_under_its_hash(library: Library, tmp_path: Path) -> None:
    source = a_file(tmp_path)
    file = library.add_file(source, ".MP3")
    digest = hashlib.sha256(b"ID3 a song").hexdigest()
    assert (file.sha256, file.size) == (digest, 10)
    assert file.path == library.path / "files" / digest[:2] / f"{digest}.mp3"
    assert file.path.read_bytes() == b"ID3 a song"
    assert not source.exists()


def test_the_same_bytes_are_one_file(library: Library, tmp_path: Path) -> None:
    first = library.add_file(a_file(tmp_path), ".mp3")
    inode = first.path.stat().st_ino
    source = a_file(tmp_path)
    assert library.add_file(source, ".mp3") == first
    assert first.path.stat().st_ino == inode
    assert not source.exists()


def test_a_file_that_was_cut_off_is_replaced(library: Library, tmp_path: Path) -> None:
    first = library.add_file(a_file(tmp_path), ".mp3")
    os.truncate(first.path, 3)
    assert library.add_file(a_file(tmp_path), ".mp3") == first
    assert first.path.read_bytes() == b"ID3 a song"


def test_what_is_written_beside_is_on_the_same_disk(library: Library) -> None:
    path = library.incoming(".mp3")
    path.write_bytes(b"song")
    assert path.is_relative_to(library.path)
    assert library.add_file(path, ".mp3").path.read_bytes() == b"song"
    assert list((library.path / "files" / "incoming").iterdir()) == []


def test_a_file_of_another_disk_is_copied_whole(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def between_disks(path: Path, target: Path) -> Path:
        if library.path not in path.parents:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", between_disks)
    source = a_file(tmp_path)
    assert library.add_file(source, ".mp3").path.read_bytes() == b"ID3 a song"
    assert not source.exists()
    assert list((library.path / "files" / "incoming").iterdir()) == []


def test_a_disk_without_room_is_told_and_leaves_nothing(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(Path, "replace", full)
    source = a_file(tmp_path)
    with pytest.raises(LibraryFull, match="Free some disk space"):
        library.add_file(source, ".mp3")
    assert source.exists()
    assert [path for path in (library.path / "files").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("suffix", ["", "mp3", "./x", ".mp3/..", ".m p", "." + "x" * 9])
def test_a_suffix_is_a_suffix(library: Library, tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InvalidArgument, match="suffix"):
        library.add_file(a_file(tmp_path), suffix)


def test_a_missing_source_is_told(library: Library, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="No such file"):
        library.add_file(tmp_path / "none", ".mp3")


def test_songs_have_files_and_the_last_word_counts(library: Library, tmp_path: Path) -> None:
    (one, two) = looked(acknowledged(song())).songs
    assert library.file_of(one) is None
    first = library.add_file(a_file(tmp_path), ".mp3")
    library.attach(one, "audio", first)
    library.attach(one, "audio", first)
    assert library.file_of(one, "audio") == library.file_of("c") == first.path
    assert library.file_of(one, "image") is None
    assert library.file_of(two) is None
    second = library.add_file(a_file(tmp_path, b"another"), ".mp3")
    library.attach(one, "audio", second)
    assert library.file_of(one) == second.path
    assert [event.kind for event in library.events()] == ["attached", "attached"]
    rebuilt_is_the_same(library)


def test_simulated_songs_and_nameless_ones_have_files_of_their_own(
    library: Library, tmp_path: Path
) -> None:
    real = tasks.Song(id="c")
    unnamed = tasks.Song(task_id="t", position=1)
    pretended = tasks.Song(id="c", simulated=True)
    for number, one in enumerate((real, unnamed, pretended)):
        library.attach(one, "audio", library.add_file(a_file(tmp_path, b"%d" % number), ".mp3"))
    found = [library.file_of(one) for one in (real, unnamed, pretended)]
    assert [path.read_bytes() for path in found if path] == [b"0", b"1", b"2"]


def test_missing_files_are_those_of_finished_songs(library: Library, tmp_path: Path) -> None:
    claim = buy(library, song())
    assert library.missing_files() == []
    done = looked(acknowledged(song()))
    library.record_poll(claim.entry.id, done)
    missing = library.missing_files()
    assert [(one.song.id, one.media, one.url) for one in missing] == [
        ("c", "audio", CLIP["audio_url"]),
        ("d", "audio", CLIP["audio_url"]),
    ]
    assert {one.entry.id for one in missing} == {claim.entry.id}
    file = library.add_file(a_file(tmp_path), ".mp3")
    library.attach(done.songs[0], "audio", file)
    assert [one.song.id for one in library.missing_files()] == ["d"]
    file.path.unlink()
    assert [one.song.id for one in library.missing_files()] == ["c", "d"]
    assert library.missing_files(("image",)) == []


def test_verify_reads_every_byte(library: Library, tmp_path: Path) -> None:
    refs = [library.add_file(a_file(tmp_path, b"song %d" % at), ".mp3") for at in range(4)]
    for at, ref in enumerate(refs):
        library.attach(f"s{at}", "audio", ref)
    assert library.verify() == []
    refs[0].path.unlink()
    refs[1].path.write_bytes(b"song")
    refs[2].path.write_bytes(b"sonG 2")
    found = {one.song: one.problem for one in library.verify()}
    assert found == {"s0": "is missing", "s1": "has 4 of 6 bytes", "s2": "has changed content"}
    assert library.file_of("s1") is None


def test_half_written_files_of_dead_processes_are_swept_away(tmp_path: Path) -> None:
    code = """
import sys
from musicapi_nb.library import Library
library = Library(sys.argv[1])
path = library.incoming(".mp3")
path.write_bytes(b"half")
print(path, flush=True)
sys.stdin.readline()
"""
    other = python(code, str(tmp_path))
    half = Path(said(other))
    with Library(tmp_path) as library:
        mine = library.incoming()
        mine.write_bytes(b"also half")
        with Library(tmp_path):
            assert (half.exists(), mine.exists()) == (True, True)
        other.kill()
        other.communicate()
        with Library(tmp_path):
            assert (half.exists(), mine.exists()) == (False, True)


async def test_opening_a_library_leaves_alone_what_another_is_fetching(library: Library) -> None:
    whole, go = reply(b"ID3" + bytes(5000)), asyncio.Event()

    async def slowly(connection: Connection) -> None:
        await connection.request()
        await connection.send(whole[:2500])
        await go.wait()
        await connection.send(whole[2500:])

    incoming = library.path / "files" / "incoming"
    async with peer(slowly) as here, MusicAPI(KEY, base_url=here.url) as api:
        fetching = asyncio.create_task(api.download(f"{here.url}/a.mp3", library.incoming()))
        await until(lambda: list(incoming.iterdir()))
        with Library(library.path):
            (half,) = incoming.iterdir()
            assert half.name.startswith(
                library._process_lock.id
            )  # so that it goes when its owner dies
        go.set()
        path = await fetching
    assert path.stat().st_size == 5003


async def test_the_key_is_never_in_it(tmp_path: Path) -> None:
    """All that a client gets back is written down, also from a server that repeats the key."""
    echoing = [
        reply({**DONE, "seen": KEY}),
        reply({"error": f"Bad key {KEY}"}, 401),
        reply({"error": f"Bad words {KEY}"}, 400),
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{" + json.dumps(KEY).encode(),
    ]
    with Library(tmp_path / "l") as library:
        for number, echo in enumerate(echoing):
            async with (
                peer(once_each(echo)) as here,
                MusicAPI(KEY, base_url=here.url, pace=0) as api,
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
        shown = repr(library) + library._repr_html_() + repr(library.events())
    held = _everything(tmp_path)
    spellings = (KEY, json.dumps(KEY)[1:-1], "KEY-4711", "sk_live")
    assert b"[key]" in held
    for spelling in spellings:
        assert spelling.encode() not in held
        assert spelling not in shown


def _everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
