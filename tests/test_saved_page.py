"""Saved pages: players, embedded audio, size limit, escaping, ratings."""

import base64
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import musicapi_nb as mnb
from musicapi_nb import tasks
from musicapi_nb.errors import InvalidArgument, MusicAPIError, PageTooLarge
from musicapi_nb.library import Library
from tests.browser import hostile
from tests.library.helpers import acknowledged, buy, looked, song
from tests.test_gallery import finished_tasks, store_audio, wav_bytes


class PageParser(HTMLParser):
    """Collects the URLs that a page loads, and its tags."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.players: list[str] = []
        self.pictures: list[str] = []
        self.policy = ""
        self.tags: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if tag == "audio":
            self.players.append(attributes["src"])
        elif tag == "img":
            self.pictures.append(attributes["src"])
        elif attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "data" / "my library") as opened:
        yield opened


def test_players_use_library_files_by_relative_path(library: Library, tmp_path: Path) -> None:
    songs = finished_tasks(2)
    content = wav_bytes()
    store_audio(library, songs[0].songs[0], content)
    target = tmp_path / "pages" / "deep" / "songs.html"

    saved = mnb.save_page(target, songs, library=library)

    parser = PageParser(target)
    assert parser.players[0].startswith("./../../data/my%20library/files/")
    path = target.parent / parser.players[0].replace("%20", " ")
    assert path.read_bytes() == content
    assert parser.players[1:] == [song.audio_url for task in songs for song in task.songs][1:]
    assert (saved.songs, saved.embedded, saved.beside, saved.linked) == (4, 0, 1, 3)
    assert saved.size == target.stat().st_size
    assert [path.name for path in target.parent.iterdir()] == ["songs.html"]
    assert str(tmp_path) not in target.read_text(encoding="utf-8")


def test_audio_is_embedded_and_missing_audio_is_named(library: Library, tmp_path: Path) -> None:
    songs = finished_tasks(1)
    store_audio(library, songs[0].songs[0], wav_bytes())
    target = tmp_path / "songs.html"

    saved = mnb.save_page(target, songs, library=library, embed=True)

    first, second = PageParser(target).players
    media_type, _, text = first.partition(";base64,")
    assert media_type == "data:audio/wav"
    assert base64.b64decode(text) == wav_bytes()
    assert second == songs[0].songs[1].audio_url
    assert saved.left_out == (("Song 0b", "the library has no file of it"),)
    assert "Song 0b: the library has no file" in str(saved)
    assert "Song 0b" in saved._repr_html_()


def test_too_large_page_is_not_written(library: Library, tmp_path: Path) -> None:
    songs = finished_tasks(2)
    for index in (0, 1):
        store_audio(library, songs[index].songs[0], wav_bytes(index + 2))
    target = tmp_path / "songs.html"
    target.write_text("old content", encoding="utf-8")
    with pytest.raises(PageTooLarge, match=r"at least 0\.1 MB; the limit is 0\.1 MB"):
        mnb.save_page(target, songs, library=library, embed=True, max_bytes=90_000)
    with pytest.raises(PageTooLarge, match="limit"):
        mnb.save_page(target, songs, max_bytes=1_000)
    assert target.read_text(encoding="utf-8") == "old content"
    assert mnb.save_page(target, songs, library=library, embed=True).embedded == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "songs.html"]


def test_hostile_songs_are_escaped_on_page(tmp_path: Path) -> None:
    target = tmp_path / "songs.html"
    mnb.save_page(
        target, [tasks.parse_task(reply) for reply in hostile.replies()], title=hostile.TEXTS[0]
    )
    parser = PageParser(target)
    assert parser.tags.isdisjoint({"script", "iframe", "svg", "form", "base", "object", "button"})
    assert all(re.match("https?://", url) for url in parser.players + parser.pictures)
    assert "default-src 'none'" in parser.policy
    assert "file:" not in parser.policy
    assert "script-src" not in parser.policy
    assert "&lt;script&gt;" in target.read_text(encoding="utf-8")


def test_gallery_page_has_ratings(tmp_path: Path) -> None:
    widget = mnb.gallery(finished_tasks(1), title="Mine")
    widget._rate(0, 5, "the one")
    saved = widget.save_page(tmp_path / "songs.html")
    text = saved.path.read_text(encoding="utf-8")
    assert "<title>Mine</title>" in text
    assert text.count("rated 5 of 5") == 1
    assert text.count("the one") == 2  # below its card, and in the table
    assert "All songs as a table" in text


def test_unwritable_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="is a folder"):
        mnb.save_page(tmp_path, finished_tasks(1))
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(MusicAPIError, match="cannot be written"):
        mnb.save_page(tmp_path / "file" / "songs.html", finished_tasks(1))
    assert mnb.save_page(tmp_path / "empty.html", []).songs == 0


def test_library_page_has_ratings(library: Library, tmp_path: Path) -> None:
    request = song()
    claim = buy(library, request)
    library.record_poll(claim.entry.id, looked(acknowledged(request)))
    library.rate(library.tasks()[0].songs[1], 2)
    saved = mnb.save_page(tmp_path / "songs.html", library)
    assert saved.path.read_text(encoding="utf-8").count("rated 2 of 5") == 1
