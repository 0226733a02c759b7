"""save_page: one page to listen to, that opens from disk with no network."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from musicapi_nb import markup
from musicapi_nb.errors import InvalidArgument, MusicAPIError, NoAudio, PageTooLarge
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.html import song_card
from musicapi_nb.widgets import song_audio
from musicapi_nb.widgets.gallery import html
from musicapi_nb.widgets.songs_of import SongCollection, songs_of

if TYPE_CHECKING:
    from musicapi_nb.library import Library, Rating
    from musicapi_nb.widgets.songs_of import SongItem

MOST_BYTES = 100_000_000
_LARGEST_COVER = 2_000_000
_EMBEDDED = frozenset(get_args(markup.MediaType))
_IMAGES: Mapping[str, markup.MediaType] = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}


@dataclasses.dataclass(frozen=True, slots=True)
class SavedPage:
    """A page that was written.

    Attributes
    ----------
    size
        Its bytes.
    songs, embedded, beside, linked
        How many songs it shows, and how many of them play from the page itself, from files of
        the library beside it, from their links on the web.
    left_out
        Songs whose audio could not be put where it was asked for, and why.
    """

    path: Path
    size: int
    songs: int
    embedded: int
    beside: int
    linked: int
    left_out: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        where = (
            (self.embedded, "in the page"),
            (self.beside, "from the library's files"),
            (self.linked, "from the web"),
        )
        plays = ", ".join(f"{number:,} {words}" for number, words in where if number)
        left = "".join(f"\n- {title}: {why}" for title, why in self.left_out)
        return (
            f"{self.path} ({self.size / 1e6:.1f} MB): {self.songs:,} songs; "
            f"audio: {plays or 'none'}{f'; left out:{left}' if left else ''}"
        )

    def _repr_html_(self) -> str:
        return markup.notice(str(self), "warn" if self.left_out else "good")


def save_page(  # noqa: PLR0913 - each is a choice of its own
    path: str | os.PathLike[str],
    what: Any,
    *,
    title: str = "",
    embed: bool = False,
    max_bytes: int = MOST_BYTES,
    library: Library | None = None,
) -> SavedPage:
    """Write one page with songs to listen to: cards, players, and a table of the factors.

    It needs no script and no other page. A player finds its audio in this order: in the page
    itself (`embed`), in the library's file where the page and the library lie on one disk (by a
    relative path: keep both where they are to each other), at the song's link.

    Parameters
    ----------
    path
        The file to write; one that is there is replaced when the new one is whole.
    what
        As for `mnb.gallery`; also a gallery.
    embed
        Whether audio and covers that the library has are put into the page, as `data:` addresses
        (a third larger than the files).
    max_bytes
        The page may have so many bytes at most.
    library
        Where files and ratings are, if `what` does not bring one.

    Raises
    ------
    PageTooLarge
        Nothing was written.
    InvalidArgument
        What was given holds no songs.
    """
    shown = songs_of(what, library)
    target = Path(path).expanduser().absolute()
    if target.is_dir():
        raise InvalidArgument(f"{target} is a folder; name a file, such as 'songs.html'")
    said = _said(what, shown)
    sources = _Sources(shown.library, target.parent, max_bytes if embed else None)
    cards = [_card(item, said.get(at), sources) for at, item in enumerate(shown.items)]
    written = markup.page(
        title or "Songs to listen to",
        markup.caption(html.counts(shown), shown.name),
        markup.cards(cards) if cards else markup.notice("There are no songs to show."),
        _table(shown, said),
        files=sources.files,
    ).encode("utf-8", "replace")
    if len(written) > max_bytes:
        raise _too_large(len(written), max_bytes)
    _write(target, written)
    places = sources.places
    return SavedPage(
        path=target,
        size=len(written),
        songs=len(shown.items),
        embedded=places.count("page"),
        beside=places.count("file"),
        linked=places.count("link"),
        left_out=tuple(sources.left_out),
    )


def _said(what: Any, shown: SongCollection) -> Mapping[int, Rating]:
    if isinstance(getattr(what, "collection", None), SongCollection):  # a gallery has its own
        found = {at: what.rating(at) for at in range(len(shown.items))}
    elif shown.library is not None:
        found = {at: shown.library.rating(item.song) for at, item in enumerate(shown.items)}
    else:
        found = {}
    return {at: rating for at, rating in found.items() if rating is not None}


def _table(shown: SongCollection, said: Mapping[int, Rating]) -> markup.Html:
    if not shown.items:
        return markup.EMPTY
    return markup.collapsible("All songs as a table", html.table(shown.items, said, shown))


def _card(item: SongItem, rating: Rating | None, sources: _Sources) -> markup.Html:
    song = sources.placed(item)
    return markup.stack(
        song_card(song, item.task),
        markup.caption(*html.levels(item)),
        markup.caption(html.stars(rating), rating.note if rating else None),
    )


class _Sources:
    """Where the players of one page find their audio; None as `room`: nothing is embedded."""

    def __init__(self, library: Library | None, folder: Path, room: int | None) -> None:
        self._library, self._folder, self._room, self._limit = library, folder, room, room
        self.places: list[str] = []
        self.files = False  # whether anything is loaded from beside the page
        self.left_out: list[tuple[str, str]] = []

    def placed(self, item: SongItem) -> Song:
        """The song with addresses that this page may use."""
        song = item.song
        if song.state != "succeeded" or song.engine == "lyrics":
            return song
        image = self._image(song) or song.image_url
        return msgspec.structs.replace(song, audio_url=self._audio(item), image_url=image)

    def _audio(self, item: SongItem) -> str | None:
        song = item.song
        path = self._library.file_of(song) if self._library is not None else None
        if self._room is not None:
            if address := self._embedded(item, path):
                self.places.append("page")
                return address
        elif path is not None and (beside := self._beside(path)):
            self.places.append("file")
            return beside
        address = song_audio.playable_url(song)
        if address:
            self.places.append("link")
        return address

    def _embedded(self, item: SongItem, path: Path | None) -> str | None:
        if path is None or self._library is None:
            self.left_out.append((item.title, "the library has no file of it"))
            return None
        self._take(path.stat().st_size)
        try:
            sound = song_audio.stored_audio(item.song, self._library, max_bytes=self._limit or 0)
        except NoAudio as error:
            self.left_out.append((item.title, error.message))
            return None
        if sound is None or sound.media_type not in _EMBEDDED:
            kind = sound.media_type if sound else "nothing"
            self.left_out.append((item.title, f"{kind} cannot be put into a page"))
            return None
        return markup.data_url(sound.content, sound.media_type)  # type: ignore[arg-type]  # one of them

    def _take(self, size: int) -> None:
        """Make sure, before a file is read, that what it becomes still fits."""
        self._room = (self._room or 0) - (size + 2) // 3 * 4
        if self._room < 0 and self._limit is not None:
            raise _too_large(self._limit - self._room, self._limit, at_least=True)

    def _beside(self, path: Path) -> str | None:
        try:
            relative = os.path.relpath(path.resolve(), self._folder.resolve())
        except ValueError:  # on Windows: another drive
            return None
        self.files = True
        return markup.local_file(Path(relative).as_posix())

    def _image(self, song: Song) -> str | None:
        path = self._library.file_of(song, "image") if self._library is not None else None
        kind = _IMAGES.get(path.suffix) if path else None
        if path is None or kind is None:
            return None
        if self._room is None:
            return self._beside(path)
        if (size := path.stat().st_size) > min(_LARGEST_COVER, self._room * 3 // 4):
            return None
        self._take(size)
        return markup.data_url(path.read_bytes(), kind)


def _too_large(size: int, limit: int, *, at_least: bool = False) -> PageTooLarge:
    words = "at least " if at_least else ""
    return PageTooLarge(
        f"the page would have {words}{size / 1e6:,.1f} MB, and {limit / 1e6:,.1f} MB are allowed"
    )


def _write(target: Path, content: bytes) -> None:
    beside = target.parent / f".{target.name}-{secrets.token_hex(4)}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        beside.replace(target)
    except OSError as error:
        raise MusicAPIError(f"the page cannot be written ({error.strerror}: {target})") from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
