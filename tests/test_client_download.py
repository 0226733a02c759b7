"""download: a file appears complete or not at all, and leaves nothing else."""

import asyncio
import errno
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from musicapi_nb.client import MusicAPI
from musicapi_nb.client.file_type import suffix_of
from musicapi_nb.errors import DownloadFailed, MusicAPIError, ServerError, Unreachable
from musicapi_nb.ledger_types import Media
from musicapi_nb.simulator import Simulator
from musicapi_nb.tasks import Song
from tests.raw_http_server import (
    AGES,
    SONG,
    Connection,
    answers,
    client,
    names,
    once_each,
    peer,
    reply,
    timeless,
    until,
)

SOUND = b"ID3\x04" + bytes(range(256)) * 4000
KEPT = b"RIFF....WAVE an older take"


def cut(number: int) -> bytes:
    complete = reply(SOUND)
    return complete[: complete.index(b"\r\n\r\n") + 4 + number]


def chunked(*chunks: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)


@pytest.fixture
def old_file(tmp_path: Path) -> Iterator[Path]:
    """An existing file that must survive, without others."""
    path = tmp_path / "song.mp3"
    path.write_bytes(KEPT)
    yield path
    assert path.read_bytes() == KEPT
    assert names(tmp_path) == [path.name]


async def assert_refused(
    api: MusicAPI, url: str, to: Path, *, max_bytes: int = 500_000_000
) -> MusicAPIError:
    with pytest.raises(MusicAPIError) as caught:
        await api.download(url, to, max_bytes=max_bytes)
    assert "\n" not in str(caught.value)
    assert not caught.value.may_have_cost
    return caught.value


@pytest.fixture
async def offline_client() -> AsyncIterator[MusicAPI]:
    async with client("http://127.0.0.1:1", simulated=True) as api:  # files of any local server
        yield api


# --- complete ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        reply(SOUND),
        chunked(SOUND[:1], SOUND[1:7], SOUND[7:], b""),
        b"HTTP/1.0 200 OK\r\n\r\n" + SOUND,
    ],
    ids=range(3),
)
async def test_file_is_downloaded_completely(
    data: bytes, tmp_path: Path, offline_client: MusicAPI
) -> None:
    async with peer(once_each(data)) as server:
        to = tmp_path / "new" / "folder" / "song.mp3"
        assert await offline_client.download(f"{server.url}/x.mp3", to) == to
    assert to.read_bytes() == SOUND
    assert names(to.parent) == ["song.mp3"]


async def test_start_in_small_pieces_is_recognized(
    tmp_path: Path, offline_client: MusicAPI
) -> None:
    async def dribble(connection: Connection) -> None:
        await connection.request()
        data = reply(b"RIFF\0\0\0\0WAVEfmt ")
        await connection.send(data[:-16])
        for size in range(16, 0, -1):
            await connection.send(data[len(data) - size :][:1])
            for _ in range(20):  # each byte arrives separately
                await asyncio.sleep(0)

    async with peer(dribble) as server:
        path = await offline_client.download(f"{server.url}/a", tmp_path)
    assert path.name == "a.wav"


async def test_existing_file_is_replaced(tmp_path: Path, offline_client: MusicAPI) -> None:
    to = tmp_path / "song.mp3"
    to.write_bytes(KEPT)
    async with peer(answers(reply(SOUND))) as server:
        await offline_client.download(f"{server.url}/x", to)
    assert to.read_bytes() == SOUND
    assert names(tmp_path) == ["song.mp3"]


async def test_redirect_is_followed(tmp_path: Path, offline_client: MusicAPI) -> None:
    async with peer(answers(reply(SOUND))) as other:
        away = reply(b"", 302, {"Location": f"{other.url}/y.mp3"})
        async with peer(answers(away)) as server:
            path = await offline_client.download(f"{server.url}/x.mp3", tmp_path)
    assert path.read_bytes() == SOUND


@pytest.mark.parametrize(
    "broken",
    [
        cut(0),
        cut(3),
        cut(100_000),
        cut(len(SOUND) - 1),
        b"",
        chunked(SOUND[:999]),
        chunked(SOUND),  # the last chunk is missing
        reply(b"", 503),
    ],
    ids=range(8),
)
async def test_interrupted_download_is_repeated(
    broken: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline_client: MusicAPI
) -> None:
    timeless(offline_client, monkeypatch)
    async with peer(once_each(broken, broken, reply(SOUND))) as server:
        path = await offline_client.download(f"{server.url}/x.mp3", tmp_path)
    assert path.read_bytes() == SOUND
    assert names(tmp_path) == ["x.mp3"]


# --- incomplete ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (cut(100_000), Unreachable),
        (chunked(SOUND), Unreachable),
        (b"", Unreachable),
        (reply(b"", 503), ServerError),
        (reply(b"", 404), DownloadFailed),
        (reply(b"", 403), DownloadFailed),
        (reply(SOUND, 206), DownloadFailed),
        (reply(b"", 204), DownloadFailed),
        (reply(b""), DownloadFailed),
        (reply(b"ID"), DownloadFailed),
        (reply(b"<!DOCTYPE html><p>Please sign in"), DownloadFailed),
        (reply({"error": "expired"}), DownloadFailed),
        (reply(b"", 302, {"Location": "/again", "Connection": "close"}), DownloadFailed),
        (reply(b"", 302, {"Location": "file:///etc/passwd"}), DownloadFailed),
        (reply(b"", 302, {"Location": "http://[::1"}), DownloadFailed),
        (reply(SOUND, 200, {"Content-Encoding": "gzip"}), Unreachable),
    ],
    ids=range(16),
)
async def test_failed_download_keeps_the_old_file(
    data: bytes,
    kind: type[MusicAPIError],
    old_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    offline_client: MusicAPI,
) -> None:
    timeless(offline_client, monkeypatch)
    async with peer(once_each(data)) as server:
        error = await assert_refused(offline_client, f"{server.url}/x.mp3?signature=abc", old_file)
    assert type(error) is kind
    assert "signature" not in str(error)
    assert f"{server.url}/x.mp3" in str(error)
    assert len(server.requests) <= 10


async def test_too_large_file_is_refused(old_file: Path, offline_client: MusicAPI) -> None:
    async def endless(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await connection.send(b"10000\r\nID3" + b"\0" * 65533 + b"\r\n")

    for behaviour in (answers(reply(SOUND)), endless):
        async with peer(behaviour) as server:
            error = await assert_refused(
                offline_client, f"{server.url}/x", old_file, max_bytes=100_000
            )
        assert isinstance(error, DownloadFailed)
        assert "larger than 100,000 bytes" in str(error)
        assert len(server.requests) == 1


async def test_file_of_exactly_the_limit_is_accepted(
    tmp_path: Path, offline_client: MusicAPI
) -> None:
    async with peer(answers(reply(SOUND))) as server:
        await offline_client.download(f"{server.url}/x", tmp_path, max_bytes=len(SOUND))
    assert names(tmp_path) == ["x.mp3"]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:audio/wav;base64,AAAA",
        "ftp://host/x.mp3",
        "//host/x.mp3",
        "x.mp3",
        "",
        "http://[::1",
        "http://",
        "https://:80/x",
        "http://host:99999/x",
    ],
)
async def test_non_web_url_is_refused(
    url: str, old_file: Path, monkeypatch: pytest.MonkeyPatch, offline_client: MusicAPI
) -> None:
    timeless(offline_client, monkeypatch)
    error = await assert_refused(offline_client, url, old_file)
    assert isinstance(error, DownloadFailed)


@pytest.mark.parametrize("host", [".example", "a..example", "a" * 64 + ".example"])
async def test_name_that_no_host_has_is_refused(
    host: str, old_file: Path, monkeypatch: pytest.MonkeyPatch, offline_client: MusicAPI
) -> None:
    timeless(offline_client, monkeypatch)
    away = reply(b"", 302, {"Location": f"http://{host}/x.mp3"})
    async with peer(answers(away)) as server:
        for url in (f"http://{host}/x.mp3", f"{server.url}/x.mp3"):
            await assert_refused(offline_client, url, old_file)


async def test_song_without_a_file_is_explained(tmp_path: Path, offline_client: MusicAPI) -> None:
    for song, message in (
        (Song(state="running", audio_url="https://audiopipe.suno.ai/?item_id=c"), "not finished"),
        (Song(state="failed"), "no audio link"),
    ):
        with pytest.raises(DownloadFailed, match=message):
            await offline_client.download(song, tmp_path)
    with pytest.raises(DownloadFailed, match="no video link"):
        await offline_client.download(Song(state="succeeded"), tmp_path, media="video")
    assert names(tmp_path) == []


# --- the disk ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b/rain.mp3", "rain.mp3"),
        ("/rain.wav", "rain.mp3"),
        ("/rain", "rain.mp3"),
        ("/", "file.mp3"),
        ("", "file.mp3"),
        ("/?item_id=7", "file.mp3"),
        ("/.mp3", "_mp3.mp3"),
        ("/..%2F..%2Fetc%2Fcron.d%2Fevil.mp3", "evil.mp3"),
        ("/%2e%2e", "_.mp3"),
        ("/..%5C..%5Cx.mp3", "_x.mp3"),
        ("/a%00b%0d%0a.mp3", "a_b_.mp3"),
        ("/C:evil.mp3", "C_evil.mp3"),
        ("/-rf%20~.mp3", "-rf_.mp3"),
        ("/" + "%F0%90%8D%88" * 200 + ".mp3", "_.mp3"),
        ("/" + "x" * 500 + ".mp3", "x" * 80 + ".mp3"),
    ],
    ids=range(15),
)
async def test_file_in_a_folder_gets_a_safe_name(
    path: str, name: str, tmp_path: Path, offline_client: MusicAPI
) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    async with peer(answers(reply(SOUND))) as server:
        target = await offline_client.download(server.url + path, folder)
    assert target == folder / name
    assert names(folder) == [name]
    assert names(tmp_path) == ["inner"]


async def test_files_of_one_name_are_both_kept(tmp_path: Path, offline_client: MusicAPI) -> None:
    other = b"ID3 another song"
    async with peer(answers(reply(SOUND), reply(other), reply(SOUND), reply(other))) as server:
        path = [
            await offline_client.download(f"{server.url}/{n}/audio.mp3", tmp_path)
            for n in (1, 2, 1, 2)
        ]
    assert [path.read_bytes() for path in path] == [SOUND, other, SOUND, other]
    assert len(names(tmp_path)) == 2
    assert path[0].name == "audio.mp3"


@pytest.fixture
def full_disk() -> Path:
    """A folder in which every write fails because the disk is full."""
    path = Path("/dev/full")
    if sys.platform != "linux":
        pytest.skip("only Linux has /dev/full")
    assert path.exists()
    return path


async def test_unusable_target_folder_is_a_clear_error(
    tmp_path: Path, offline_client: MusicAPI
) -> None:
    (tmp_path / "file").write_bytes(KEPT)
    async with peer(answers(reply(SOUND))) as server:
        for to in (
            tmp_path / "file" / "song.mp3",
            tmp_path / ("x" * 300) / "song.mp3",
            *([Path("/proc/no-such-folder/song.mp3")] if sys.platform == "linux" else []),
        ):
            with pytest.raises(DownloadFailed, match="cannot write") as caught:
                await offline_client.download(f"{server.url}/x.mp3", to)
            assert str(to.parent) in str(caught.value)
        assert server.requests == []
        with pytest.raises(DownloadFailed, match="cannot write"):
            await offline_client.download(f"{server.url}/x.mp3", tmp_path / ("x" * 300))
    assert names(tmp_path) == ["file"]


async def test_full_disk_is_not_mistaken_for_a_network_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full_disk: Path, offline_client: MusicAPI
) -> None:
    def fail_to_create(_: Path) -> Path:
        (tmp_path / "full").symlink_to(full_disk)
        return tmp_path / "full"

    monkeypatch.setattr("musicapi_nb.client.download._temporary", fail_to_create)
    async with peer(answers(reply(SOUND))) as server:
        with pytest.raises(DownloadFailed, match=os.strerror(errno.ENOSPC)):
            await offline_client.download(f"{server.url}/x.mp3", tmp_path / "song.mp3")
    assert len(server.requests) == 1
    assert names(tmp_path) == []


@pytest.mark.parametrize("moment", ["before the reply", "amid the file"])
async def test_cancelled_download_leaves_nothing(
    moment: str, tmp_path: Path, offline_client: MusicAPI
) -> None:
    arrived = asyncio.Event()

    async def half_write(connection: Connection) -> None:
        await connection.request()
        if moment == "amid the file":
            await connection.send(cut(500_000))
        arrived.set()
        await connection.drain()

    async with peer(half_write) as server:
        downloading = asyncio.create_task(
            offline_client.download(f"{server.url}/x", tmp_path / "song.mp3")
        )
        await arrived.wait()
        await until(lambda: names(tmp_path) or moment == "before the reply")
        for _ in range(3):  # cancelled twice
            downloading.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await downloading
    await asyncio.get_running_loop().shutdown_default_executor()
    assert names(tmp_path) == []


async def test_download_cancelled_at_once_leaves_nothing(
    tmp_path: Path, offline_client: MusicAPI
) -> None:
    async with peer(answers(reply(SOUND))) as server:
        for steps in range(60):
            downloading = asyncio.create_task(
                offline_client.download(f"{server.url}/x.mp3", tmp_path)
            )
            for _ in range(steps):
                await asyncio.sleep(0)
            downloading.cancel()
            await asyncio.gather(downloading, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_default_executor()
    assert set(names(tmp_path)) <= {"x.mp3"}


async def test_simultaneous_downloads_leave_one_complete_file(
    tmp_path: Path, offline_client: MusicAPI
) -> None:
    async with peer(answers(reply(SOUND))) as server:
        to = tmp_path / "song.mp3"
        await asyncio.gather(*(offline_client.download(f"{server.url}/x", to) for _ in range(10)))
    assert to.read_bytes() == SOUND
    assert names(tmp_path) == ["song.mp3"]


# --- file types -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "media", "suffix"),
    [
        (b"ID3\x04\0\0", "audio", ".mp3"),
        (b"\xff\xfb\x90\x64", "audio", ".mp3"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "audio", ".wav"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "audio", None),
        (b"\0\0\0\x20ftypM4A ", "audio", ".m4a"),
        (b"fLaC", "audio", ".flac"),
        (b"OggS", "audio", ".ogg"),
        (b"\xff\xd8\xff\xe0", "image", ".jpg"),
        (b"\x89PNG\r\n\x1a\n", "image", ".png"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image", ".webp"),
        (b"<svg onload=alert(1)>", "image", None),
        (b"\0\0\0\x20ftypisom", "video", ".mp4"),
        (b"\x1aE\xdf\xa3", "video", ".webm"),
        (b"ID3", "image", None),
        (b"", "audio", None),
    ],
)
def test_first_bytes_determine_the_suffix(head: bytes, media: Media, suffix: str | None) -> None:
    assert suffix_of(head, media) == suffix


# --- against the simulator -----------------------------------------------------------------


async def test_song_and_cover_are_downloaded(tmp_path: Path) -> None:
    async with Simulator(speed=20_000, seconds=(1, 1)) as sim, client(sim.url, speed=20_000) as api:
        (song, _) = (await api.run(SONG, deadline=AGES)).songs
        sound = await api.download(song, tmp_path)
        cover = await api.download(song, tmp_path / "cover", media="image")
    assert sound.stem == song.title
    assert suffix_of(sound.read_bytes(), "audio") == sound.suffix
    assert suffix_of(cover.read_bytes(), "image")
    assert names(tmp_path) == sorted([sound.name, "cover"])


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("truncated_download", None),
        ("media_error", None),
        ("redirect_media", None),
        ("wrong_type_download", DownloadFailed),
        ("dead_link", DownloadFailed),
    ],
)
async def test_file_server_fault_is_handled(
    fault: str, kind: type[MusicAPIError] | None, tmp_path: Path
) -> None:
    async with Simulator(speed=20_000, seconds=(1, 1)) as sim, client(sim.url, speed=20_000) as api:
        task = await api.run(SONG, deadline=AGES)
        sim.faults.arm(fault)
        if kind is not None:
            with pytest.raises(kind):
                await api.download(task.songs[0], tmp_path)
            assert names(tmp_path) == []
            task = await api.poll(task)  # a fresh link
        path = await api.download(task.songs[0], tmp_path)
    assert names(tmp_path) == [path.name]
