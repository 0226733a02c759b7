"""Paths that users give: nothing is written elsewhere, and nothing replaced without a word."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import musicapi_nb as mnb
from musicapi_nb.errors import DownloadFailed, ExportFailed, InvalidArgument
from musicapi_nb.library import Library
from musicapi_nb.library.default_folder import default_folder
from musicapi_nb.paths import local_path, short_path
from tests.exports.songs import add, inside
from tests.raw_http_server import answers, client, names, peer, reply

FIRST, SECOND = b"ID3 the first song", b"ID3 the second song"
POSIX = pytest.mark.skipif(os.name == "nt", reason="such paths are right on Windows")
WAV = b"RIFF\0\0\0\0WAVEfmt "


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, which is the home folder too."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    return folder


async def _download(to: Any, *replies: bytes) -> list[Path]:
    async with peer(answers(*map(reply, replies))) as server, client(server.url) as api:
        return [
            await api.download(f"{server.url}/{index}/a.mp3", to) for index in range(len(replies))
        ]


@pytest.mark.parametrize(
    ("to", "folder"),
    [
        ("songs/", "songs"),
        ("~/songs/", "songs"),
        ("a/b c/", "a/b c"),
        ("songs.mp3/", "songs.mp3"),
        (".", "."),
        (f"x{os.sep}", "x"),
    ],
)
async def test_folder_gets_every_song(here: Path, to: str, folder: str) -> None:
    paths = await _download(to, FIRST, SECOND)
    assert [path.read_bytes() for path in paths] == [FIRST, SECOND]
    assert {path.resolve().parent for path in paths} == {(here / folder).resolve()}
    assert len(names(here / folder)) == 2


@pytest.mark.parametrize("to", ["~/new/song.mp3", Path("~/new/song.mp3"), "new/song.mp3"])
async def test_missing_folder_of_a_file_is_made(here: Path, to: Any) -> None:
    (path,) = await _download(to, FIRST)
    assert path.absolute() == here / "new" / "song.mp3"
    assert path.read_bytes() == FIRST


@pytest.mark.parametrize(
    "to",
    [
        "https://cdn.example/songs/",
        "s3://bucket/songs/",
        "file:///tmp/song.mp3",
        Path("https://cdn.example/song.mp3"),
        "~no-such-user-4711/song.mp3",
        "data:audio/mpeg;base64,SUQz",
        "",
        " ",
        pytest.param("C:\\songs\\a.mp3", marks=POSIX),
        pytest.param(r"\\server\songs\a.mp3", marks=POSIX),
        b"song.mp3",
        None,
        3,
    ],
    ids=str,
)
async def test_other_than_a_path_is_refused(here: Path, to: Any) -> None:
    with pytest.raises(InvalidArgument):
        await _download(to, FIRST)
    assert names(here) == []


async def test_slash_behind_a_file_is_refused(here: Path) -> None:
    (here / "song.mp3").write_bytes(FIRST)
    with pytest.raises(DownloadFailed, match="cannot write"):
        await _download("song.mp3/", SECOND)
    assert (here / "song.mp3").read_bytes() == FIRST


async def test_replaced_file_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    await _download("songs", FIRST, FIRST)
    assert caplog.text == ""
    await _download("songs", SECOND)
    assert "songs was replaced" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "is_wrong"),
    [
        ("tune.mp3", WAV, True),
        ("tune.flac", WAV, True),
        ("tune.PNG", FIRST, True),
        ("tune.WAV", WAV, False),
        ("tune", WAV, False),
        ("tune.v2", FIRST, False),
    ],
)
async def test_name_of_another_type_is_a_warning(
    caplog: pytest.LogCaptureFixture, name: str, content: bytes, *, is_wrong: bool
) -> None:
    (path,) = await _download(name, content)
    assert path.read_bytes() == content
    assert ("the content of" in caplog.text) is is_wrong


@pytest.mark.parametrize("url", ["s3://bucket/x", "https://example.com/x", "file:///x/y"])
def test_nothing_is_written_to_the_path_of_a_url(here: Path, tmp_path: Path, url: str) -> None:
    with Library(tmp_path / "library") as library:
        add(library, "Rain")
        writes: list[Callable[[], Any]] = [
            lambda: mnb.export(url, library),
            lambda: mnb.export(f"{url}.zip", library),
            lambda: mnb.write_parquet(mnb.flatten(library), url),
            lambda: mnb.gallery(library).save_page(f"{url}.html"),
            lambda: Library(url),
            lambda: mnb.connect(library=url),
        ]
        for write in writes:
            with pytest.raises(InvalidArgument, match="is a URL"):
                write()
    assert names(here) == []


@pytest.mark.parametrize("content", ["a,b\n1,2\n", '{"cells": []}', "\ufeff# notes"])
def test_page_replaces_only_a_page(tmp_path: Path, content: str) -> None:
    with Library(tmp_path / "library") as library:
        add(library, "Rain")
        gallery = mnb.gallery(library)
        page, other = tmp_path / "page.html", tmp_path / "other"
        gallery.save_page(page)
        gallery.save_page(page)
        other.write_text(content, encoding="utf-8")
        with pytest.raises(InvalidArgument, match="is not a web page"):
            gallery.save_page(other)
    assert other.read_text(encoding="utf-8") == content


@pytest.mark.parametrize("path", ["C:/songs", "a:b", "a\\b", "x/https:/y", "songs"])
def test_drives_and_colons_are_no_urls(path: str) -> None:
    assert local_path(path) == Path(path)


def _foreign(path: Path) -> None:
    pd.DataFrame({"mine": [1]}).to_parquet(path / "songs.parquet")


def _in_the_way(path: Path) -> None:
    path.rmdir()
    path.write_text("mine", encoding="utf-8")


@pytest.mark.parametrize(
    ("prepare", "frames", "error"),
    [
        (_foreign, mnb.flatten([]), InvalidArgument),
        (_in_the_way, mnb.flatten([]), ExportFailed),
        (Path.exists, None, InvalidArgument),
    ],
)
def test_tables_replace_only_tables_of_frames(
    tmp_path: Path, prepare: Callable[[Path], Any], frames: Any, error: type[Exception]
) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    prepare(folder)
    before = folder.read_bytes() if folder.is_file() else inside(folder)
    with pytest.raises(error):
        mnb.write_parquet(frames, folder)
    assert (folder.read_bytes() if folder.is_file() else inside(folder)) == before


def test_tables_are_replaced_also_if_they_are_damaged(tmp_path: Path) -> None:
    mnb.write_parquet(mnb.flatten([]), tmp_path)
    (tmp_path / "songs.parquet").write_bytes(b"")
    mnb.write_parquet(mnb.flatten([]), tmp_path)
    assert mnb.read_parquet(tmp_path).songs.empty


@POSIX
def test_deleted_working_directory_is_named(tmp_path: Path, here: Path) -> None:
    with Library(tmp_path / "library") as library:
        add(library, "Rain")
        gallery = mnb.gallery(library)
        here.rmdir()
        for write in (
            lambda: Library("x"),
            lambda: mnb.connect(library="x"),
            lambda: mnb.export("x", library),
            lambda: gallery.save_page("x.html"),
        ):
            with pytest.raises(InvalidArgument, match="was deleted"):
                write()
        assert default_folder("x") == here / "x"  # that of the home folder


def test_home_folder_is_shown_as_a_tilde(here: Path) -> None:
    assert short_path(here / "musicapi-library") == str(Path("~", "musicapi-library"))
    assert short_path(here.parent / "other") == str(here.parent / "other")
