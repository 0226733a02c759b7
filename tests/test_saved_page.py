"""The listening page: whole, self-contained, within its size, and honest about what it left out."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import musicapi_nb as mnb
from musicapi_nb import tasks
from musicapi_nb.errors import InvalidArgument, MusicAPIError, PageTooLarge
from musicapi_nb.library import Library
from tests.browser import hostile
from tests.library.world import acknowledged, buy, looked, song
from tests.test_gallery import made, put, wave


class Sources(HTMLParser):
    """What a page loads, by its elements, and every element that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.players: list[str] = []
        self.pictures: list[str] = []
        self.policy = ""
        self.tags: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        if tag == "audio":
            self.players.append(given["src"])
        elif tag == "img":
            self.pictures.append(given["src"])
        elif given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "data" / "my library")


def test_players_use_the_librarys_files_by_a_relative_path(
    library: Library, tmp_path: Path
) -> None:
    songs = made(2)
    content = wave()
    put(library, songs[0].songs[0], content)
    target = tmp_path / "pages" / "deep" / "songs.html"

    saved = mnb.save_page(target, songs, library=library)

    found = Sources(target)
    assert found.players[0].startswith("./../../data/my%20library/files/")
    path = target.parent / found.players[0].replace("%20", " ")
    assert path.read_bytes() == content
    assert found.players[1:] == [each.audio_url for task in songs for each in task.songs][1:]
    assert (saved.songs, saved.embedded, saved.beside, saved.linked) == (4, 0, 1, 3)
    assert saved.size == target.stat().st_size
    assert [path.name for path in target.parent.iterdir()] == ["songs.html"]
    assert str(tmp_path) not in target.read_text(encoding="utf-8")


def test_embedded_audio_is_in_the_page_and_what_is_not_is_named(
    library: Library, tmp_path: Path
) -> None:
    songs = made(1)
    put(library, songs[0].songs[0], wave())
    target = tmp_path / "songs.html"

    saved = mnb.save_page(target, songs, library=library, embed=True)

    first, second = Sources(target).players
    kind, _, text = first.partition(";base64,")
    assert kind == "data:audio/wav"
    assert base64.b64decode(text) == wave()
    assert second == songs[0].songs[1].audio_url
    assert saved.left_out == (("Song 0b", "the library has no file of it"),)
    assert "Song 0b: the library has no file" in str(saved)
    assert "Song 0b" in saved._repr_html_()


def test_a_page_that_would_be_too_large_is_not_written(library: Library, tmp_path: Path) -> None:
    songs = made(2)
    for at in (0, 1):
        put(library, songs[at].songs[0], wave(at + 2))
    target = tmp_path / "songs.html"
    target.write_text("what was there")
    with pytest.raises(PageTooLarge, match=r"at least 0\.1 MB, and 0\.1 MB are allowed"):
        mnb.save_page(target, songs, library=library, embed=True, max_bytes=90_000)
    with pytest.raises(PageTooLarge, match="allowed"):
        mnb.save_page(target, songs, max_bytes=1_000)
    assert target.read_text() == "what was there"
    assert mnb.save_page(target, songs, library=library, embed=True).embedded == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "songs.html"]


def test_hostile_songs_are_words_on_it(tmp_path: Path) -> None:
    target = tmp_path / "songs.html"
    mnb.save_page(
        target, [tasks.parse_task(reply) for reply in hostile.replies()], title=hostile.TEXTS[0]
    )
    found = Sources(target)
    assert found.tags.isdisjoint({"script", "iframe", "svg", "form", "base", "object", "button"})
    assert all(re.match("https?://", url) for url in found.players + found.pictures)
    assert "default-src 'none'" in found.policy
    assert "file:" not in found.policy
    assert "script-src" not in found.policy
    assert "&lt;script&gt;" in target.read_text(encoding="utf-8")


def test_a_gallery_saves_its_ratings_with_it(tmp_path: Path) -> None:
    shown = mnb.gallery(made(1), title="Mine")
    shown._rate(0, 5, "the one")
    saved = shown.save_page(tmp_path / "songs.html")
    text = saved.path.read_text(encoding="utf-8")
    assert "<title>Mine</title>" in text
    assert text.count("rated 5 of 5") == 1
    assert text.count("the one") == 2  # below its card, and in the table
    assert "All songs as a table" in text


def test_what_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="is a folder"):
        mnb.save_page(tmp_path, made(1))
    (tmp_path / "file").write_text("")
    with pytest.raises(MusicAPIError, match="cannot be written"):
        mnb.save_page(tmp_path / "file" / "songs.html", made(1))
    assert mnb.save_page(tmp_path / "empty.html", []).songs == 0


def test_a_library_saves_its_ratings_too(library: Library, tmp_path: Path) -> None:
    request = song()
    claim = buy(library, request)
    library.record_poll(claim.entry.id, looked(acknowledged(request)))
    library.rate(library.tasks()[0].songs[1], 2)
    saved = mnb.save_page(tmp_path / "songs.html", library)
    assert saved.path.read_text(encoding="utf-8").count("rated 2 of 5") == 1
