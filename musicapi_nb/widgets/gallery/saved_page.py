"""save_page: write songs to one HTML page that opens from disk, without network or scripts."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from musicapi_nb import markup
from musicapi_nb.errors import InvalidArgument, MusicAPIError, NoAudio, PageTooLarge
from musicapi_nb.frames.parquet import write_atomically
from musicapi_nb.library.html import format_bytes
from musicapi_nb.paths import absolute_path
from musicapi_nb.tasks.card_media import MediaUrls
from musicapi_nb.tasks.json_reader import clean
from musicapi_nb.tasks.song_actions import SongMedia
from musicapi_nb.widgets import song_audio
from musicapi_nb.widgets.gallery.html import card, count_text, table
from musicapi_nb.widgets.song_measures import measured_texts
from musicapi_nb.widgets.songs_of import SongCollection, SongItem, songs_of

if TYPE_CHECKING:
    from musicapi_nb.library import Library

_MAX_PAGE_BYTES = 100_000_000
_EMBEDDABLE = frozenset(get_args(markup.MediaType))


@dataclasses.dataclass(frozen=True, slots=True)
class SavedPage:
    """A page that was written: its size in bytes, and numbers of its songs."""

    path: Path
    size: int
    songs: int
    embedded: int  # play from the page itself
    beside: int  # play from the library's files next to it
    linked: int  # play from their web links
    left_out: tuple[tuple[str, str], ...] = ()  # title and reason of those not embedded

    def __str__(self) -> str:
        sources = {
            "in the page": self.embedded,
            "from the library's files": self.beside,
            "from the web": self.linked,
        }
        plays = ", ".join(f"{number:,} {source}" for source, number in sources.items() if number)
        lines = "".join(f"\n- {title}: {reason}" for title, reason in self.left_out)
        return clean(  # a path may have half of a surrogate pair
            f"{self.path} ({format_bytes(self.size)}): {self.songs:,} songs; "
            f"audio: {plays or 'none'}{f'; not embedded:{lines}' if lines else ''}"
        )

    @markup.html_repr
    def _repr_html_(self) -> str:
        return markup.notice(str(self), "warn" if self.left_out else "good")


def save_page(  # noqa: PLR0913 - all but two are options
    path: str | os.PathLike[str],
    source: Any,
    *,
    title: str = "",
    embed: bool = False,
    max_bytes: int = _MAX_PAGE_BYTES,
    library: Library | None = None,
) -> SavedPage:
    """Write one HTML page with songs to listen to: cards, players, and a table of the factors.

    The page needs no script. A player takes its audio from the page itself (with `embed`), else
    from the library's file if page and library are on one disk (by a relative path: move them
    together), else from the song's link.

    Parameters
    ----------
    path
        File to write; an existing one is replaced once the new page is complete.
    source
        As for `mnb.gallery`, or a gallery.
    embed
        Put the library's audio and small covers into the page, as `data:` URLs (a third larger
        than the files).
    max_bytes
        Largest allowed size of the page.
    library
        Library of files and ratings, if `source` has none.

    Raises
    ------
    PageTooLarge
        The page would exceed `max_bytes`; nothing was written.
    InvalidArgument
        `source` holds no songs, or `path` is a URL, a folder or a file other than a web page.
    """
    collection = songs_of(source, library)
    target = page_path(path)
    ratings = getattr(source, "ratings_by_index", collection.ratings)()  # a gallery has its own
    links = _PageLinks(collection, target.parent, max_bytes, embed=embed)
    measured = measured_texts(collection.library, [item.song for item in collection.items])
    cards = [
        card(item, links.urls(item), ratings.get(index), measured[index])
        for index, item in enumerate(collection.items)
    ]
    rows = table(collection, ratings, range(len(collection.items)))
    content = markup.page(
        title or "Songs to listen to",
        markup.caption(count_text(collection), collection.name, collection.note or None),
        markup.cards(cards) if cards else markup.notice("There are no songs to show."),
        markup.collapsible("All songs as a table", rows) if cards else markup.EMPTY,
        files=links.uses_files,
    ).encode("utf-8", "replace")
    if len(content) > max_bytes:
        raise _too_large_error(len(content), max_bytes)
    write_page(target, content)
    return SavedPage(
        path=target,
        size=len(content),
        songs=len(collection.items),
        embedded=links.sources.count("page"),
        beside=links.sources.count("file"),
        linked=links.sources.count("link"),
        left_out=tuple(links.left_out),
    )


def page_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a page to write; InvalidArgument for a URL or a folder."""
    target = absolute_path(path)
    if target.is_dir():
        raise InvalidArgument(f"{target} is a folder; name a file, such as 'songs.html'")
    return target


def write_page(target: Path, content: bytes) -> None:
    """Write a page; an existing file is replaced if it is a page, once the new one is complete."""
    try:
        is_named_page = target.suffix.lower() in {".html", ".htm"} or not target.exists()
        if not is_named_page and not target.read_bytes().startswith(b"<!DOCTYPE html>"):
            raise InvalidArgument(f"{target} exists and is not a web page; use another name")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, lambda path: path.write_bytes(content))
    except OSError as error:
        raise MusicAPIError(f"the page cannot be written ({error.strerror}: {target})") from None


class _PageLinks:
    """Chooses the audio and cover URLs of the songs of one page of at most `limit` bytes."""

    def __init__(
        self, collection: SongCollection, folder: Path, limit: int, *, embed: bool
    ) -> None:
        self._files, self._folder, self._limit, self._embed = (
            collection.media,
            folder,
            limit,
            embed,
        )
        self._used = 0  # bytes of embedded files
        self.sources: list[str] = []  # "page", "file" or "link" for each song with audio
        self.left_out: list[tuple[str, str]] = []
        self.uses_files = False

    def urls(self, item: SongItem) -> MediaUrls:
        """Return the URLs of a song that work on this page."""
        song = item.song
        if song.state != "succeeded" or song.engine == "lyrics":
            return MediaUrls(song.audio_url, song.image_url)
        media = self._files(song)
        cover = self._cover_url(media) or song.image_url
        return MediaUrls(self._audio_url(item, media.audio), cover)

    def _audio_url(self, item: SongItem, path: Path | None) -> str | None:
        song = item.song
        if self._embed:
            try:
                url = self._embedded_audio(path)
            except NoAudio as error:
                self.left_out.append((item.title, error.message))
            else:
                self.sources.append("page")
                return url
        elif path is not None and (file_url := self._relative_url(path)):
            self.sources.append("file")
            return file_url
        if link := song_audio.playable_url(song):
            self.sources.append("link")
        return link

    def _embedded_audio(self, path: Path | None) -> str:
        if path is None:
            raise NoAudio("the library has no file of it")
        self._reserve(path.stat().st_size)
        audio = song_audio.read_audio(path, self._limit)
        if audio.media_type not in _EMBEDDABLE:
            raise NoAudio(f"{audio.media_type} cannot be embedded in a page")
        return markup.data_url(audio.content, audio.media_type)  # type: ignore[arg-type]  # checked above

    def _reserve(self, size: int) -> None:
        """Count a file's size in base64, before it is read; raise if it does not fit."""
        self._reserve_characters((size + 2) // 3 * 4)

    def _reserve_characters(self, number: int) -> None:
        self._used += number
        if self._used > self._limit:
            raise _too_large_error(self._used, self._limit, at_least=True)

    def _relative_url(self, path: Path) -> str | None:
        try:
            relative = os.path.relpath(path.resolve(), self._folder.resolve())
        except ValueError:  # on Windows: another drive
            return None
        self.uses_files = True
        return markup.local_file(Path(relative).as_posix())

    def _cover_url(self, media: SongMedia) -> str | None:
        if not self._embed:
            return None if media.image is None else self._relative_url(media.image)
        if media.cover is not None:
            self._reserve_characters(len(media.cover))
        return media.cover


def _too_large_error(size: int, limit: int, *, at_least: bool = False) -> PageTooLarge:
    qualifier = "at least " if at_least else ""
    return PageTooLarge(
        f"the page would have {qualifier}{size / 1e6:,.1f} MB; the limit is {limit / 1e6:,.1f} MB"
    )
