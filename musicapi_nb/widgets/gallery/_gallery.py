"""Gallery: songs to look through, play and rate, a page at a time, in one widget."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from musicapi_nb import markup
from musicapi_nb.errors import InvalidArgument, MusicAPIError, NoAudio
from musicapi_nb.library.media_files import song_key
from musicapi_nb.library.ratings import rated
from musicapi_nb.tasks import Song
from musicapi_nb.widgets import song_audio
from musicapi_nb.widgets.base import LiveWidget
from musicapi_nb.widgets.gallery import html, page_data
from musicapi_nb.widgets.songs_of import songs_of

if TYPE_CHECKING:
    from musicapi_nb.library import Library, Rating
    from musicapi_nb.widgets.gallery.saved_page import SavedPage
    from musicapi_nb.widgets.song_audio import Audio

    Fetch = Callable[[Song], Future[Audio]]

PAGE = 24
_BUCKETS = 240
_HERE = Path(__file__).parent


def gallery(
    what: Any, *, library: Library | None = None, fetch: Fetch | None = None, title: str = ""
) -> Gallery:
    """Show songs to look through, play and rate: see `Gallery`.

    Parameters
    ----------
    what
        Tasks, songs, jobs, raw replies, an iterable of these, an experiment or a library.
    library
        Where ratings are kept and files are looked for; an experiment and a library bring
        theirs. Without any, ratings last as long as this gallery.
    fetch
        How to get the audio behind a link where the browser cannot; `api.gallery()` brings it.
    title
        What stands above it.

    Raises
    ------
    InvalidArgument
        What was given holds no songs.
    """
    return Gallery(what, library=library, fetch=fetch, title=title)


class Gallery(LiveWidget):
    """Songs by pages of 24, to be filtered, sorted, grouped by factors, played and rated.

    Audio comes from the library's file when there is one, else from the song's link. Stars and
    notes are in the library before the page calls them stored. With the focus on a song: space
    plays and pauses, the arrows go to the song before and after, with shift they seek, 1 to 5
    rate, 0 takes the rating back.
    """

    _esm = _HERE / "gallery.js"
    _css = _HERE / "gallery.css"
    _songs = traitlets.Dict().tag(sync=True)
    _rated = traitlets.Dict().tag(sync=True)
    _view = traitlets.Dict().tag(sync=True)

    def __init__(
        self, what: Any, *, library: Library | None = None, fetch: Fetch | None, title: str = ""
    ) -> None:
        self._what, self._library, self._fetch, self._title = what, library, fetch, title
        self._session: dict[int, Rating] = {}
        self._peaks: dict[int, bytes] = {}
        self._generation = 0
        self._worker: concurrent.futures.ThreadPoolExecutor | None = None
        self.collection = songs_of(what, library)
        super().__init__(**self._state())
        self.on_msg(self._receive)

    # --- what is shown ---------------------------------------------------------------------

    def refresh(self) -> None:
        """Look again at the experiment or library that it was made of."""
        if not self.collection.refreshable:
            return
        self.collection = songs_of(self._what, self._library)
        self._generation += 1
        self._peaks.clear()
        state = self._state()
        with self.hold_sync():
            self._rated = state["_rated"]
            self._songs = state["_songs"]

    @property
    def view(self) -> Mapping[str, Any]:
        """What the page shows now: page (from 0), found (songs that pass the filters), filters."""
        return dict(self._view)

    def rating(self, index: int) -> Rating | None:
        """What is said of the song at a place in the list, from 0."""
        shown = self.collection
        if shown.library is None:
            return self._session.get(index)
        return shown.library.rating(shown.items[index].song)

    def ratings(self) -> list[Rating]:
        """What is said of the songs in this gallery: `mnb.ratings_frame(gallery)` is a table."""
        return list(self._said().values())

    def save_page(self, path: str | Path, **named: Any) -> SavedPage:
        """Write these songs as one page to listen to: see `mnb.save_page`."""
        from musicapi_nb.widgets.gallery.saved_page import save_page  # noqa: PLC0415 - only who saves needs it

        return save_page(path, self, **{"title": self._title, **named})

    def _said(self) -> dict[int, Rating]:
        shown = self.collection
        if shown.library is None:
            return {at: one for at, one in self._session.items() if not one.empty}
        known = {one.key: one for one in shown.library.ratings()}
        keys = ((at, song_key(item.song)) for at, item in enumerate(shown.items))
        return {at: known[key] for at, key in keys if key in known}

    def _state(self) -> dict[str, Any]:
        shown, said = self.collection, self._said()
        first = range(min(PAGE, len(shown.items)))
        songs = {
            **page_data.columns(shown),
            "generation": self._generation,
            "heading": markup.one_line(self._title),
            "without": shown.without_songs,
            "live": shown.refreshable,
            "fetches": self._fetch is not None,
            "kept": _kept(shown.library),
            "details": {
                str(at): page_data.detail(shown.items[at], shown.library, said.get(at))
                for at in first
            },
        }
        return {"_songs": songs, "_rated": {str(at): _mark(one) for at, one in said.items()}}

    # --- what the page asks ----------------------------------------------------------------

    def _receive(self, _: Any, message: Any, __: Any) -> None:
        """Answer the page; nothing raised here would be seen anywhere, so it is told there."""
        try:
            self._answer(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs on the page
            known = isinstance(error, MusicAPIError)
            words = str(error) if known else f"{type(error).__name__}: {error}"
            self.send({"type": "problem", "about": message, "message": words[:1_000]})

    def _answer(self, message: Any) -> None:
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "refresh":
            self.refresh()
        elif kind in {"page", "rate", "audio", "peaks"}:
            if message.get("generation") != self._generation:
                raise InvalidArgument("the list has changed meanwhile; try again")
            getattr(self, f"_on_{kind}")(message)
        else:
            raise InvalidArgument(f"the page sent something unknown: {message!r:.80}")

    def _index(self, message: Mapping[str, Any]) -> int:
        index = message.get("index")
        if not isinstance(index, int) or not 0 <= index < len(self.collection.items):
            raise InvalidArgument(f"there is no song {index!r:.40} in this gallery")
        return index

    def _on_page(self, message: Mapping[str, Any]) -> None:
        shown, wanted = self.collection, message.get("indices")
        if not isinstance(wanted, list):
            raise InvalidArgument("a page is a list of numbers")
        details = {}
        for index in wanted[:PAGE]:
            at = self._index({"index": index})
            details[str(at)] = page_data.detail(shown.items[at], shown.library, self.rating(at))
        self.send({"type": "page", "generation": self._generation, "details": details})

    def _on_rate(self, message: Mapping[str, Any]) -> None:
        at, stars, note = self._index(message), message.get("stars"), message.get("note")
        before, problem = None, ""
        try:
            before = self.rating(at)
            now: Rating | None = self._rate(at, stars, note)
        except MusicAPIError as error:
            now, problem = before, str(error)
        mark = _mark(now)
        if self._rated.get(str(at)) != mark:
            self._rated = {**self._rated, str(at): mark}
        self.send(
            {
                "type": "rated",
                "generation": self._generation,
                "index": at,
                "mark": mark,
                "note": now.note if now else "",
                "problem": problem,
                "of": "note" if stars is None else "stars",
            }
        )

    def _rate(self, at: int, stars: Any, note: Any) -> Rating:
        shown = self.collection
        song = shown.items[at].song
        if song.state != "succeeded":
            raise InvalidArgument("there is nothing to rate: this song was not made")
        if shown.library is not None:
            return shown.library.rate(song, stars, note=note)
        self._session[at] = rated(song, self._session.get(at), stars, note)
        return self._session[at]

    # --- sound -----------------------------------------------------------------------------

    def _on_audio(self, message: Mapping[str, Any]) -> None:
        self._beside(self._send_audio, self._index(message), self._generation)

    def _on_peaks(self, message: Mapping[str, Any]) -> None:
        self._beside(self._send_peaks, self._index(message), self._generation)

    def _beside(self, work: Callable[..., None], at: int, *given: Any) -> None:
        """Do it on a thread: reading and decoding take longer than a click should."""
        if self._worker is None:
            self._worker = concurrent.futures.ThreadPoolExecutor(1, "musicapi_nb gallery")
        self._worker.submit(self._told, work, at, *given)

    def _told(self, work: Callable[..., None], at: int, *given: Any) -> None:
        try:
            work(at, *given)
        except Exception as error:  # noqa: BLE001 - as _receive
            self._silent(at, given[0], error)

    def _silent(self, at: int, generation: int, error: BaseException) -> None:
        words = str(error) if isinstance(error, MusicAPIError) else repr(error)
        self.send(
            {"type": "silent", "generation": generation, "index": at, "message": words[:1_000]}
        )

    def _send_audio(self, at: int, generation: int) -> None:
        shown = self.collection
        if generation != self._generation:
            return
        song = shown.items[at].song
        found = song_audio.stored_audio(song, shown.library)
        if found is not None:
            self._deliver(at, generation, found)
        elif self._fetch is not None and song.audio_url:
            self._fetch(song).add_done_callback(
                lambda done: self._beside(self._fetched, at, generation, done)
            )
        else:
            why = (
                song_audio.no_audio_reason(song)
                or "the browser cannot reach its link, or the link is dead"
            )
            raise NoAudio(why)

    def _fetched(self, at: int, generation: int, done: Future[Audio]) -> None:
        self._deliver(at, generation, done.result())

    def _deliver(self, at: int, generation: int, found: Audio) -> None:
        self.send(
            {"type": "audio", "generation": generation, "index": at, "media": found.media_type},
            buffers=[found.content],
        )
        self._draw(at, generation, found)

    def _send_peaks(self, at: int, generation: int) -> None:
        if generation != self._generation:
            return
        shown = self.collection
        if at in self._peaks:
            self._draw(at, generation, None)
        elif (found := song_audio.stored_audio(shown.items[at].song, shown.library)) is not None:
            self._draw(at, generation, found)
        elif self._fetch is not None and song_audio.playable_url(shown.items[at].song):
            self._fetch(shown.items[at].song).add_done_callback(
                lambda done: self._beside(self._drawn, at, generation, done)
            )

    def _drawn(self, at: int, generation: int, done: Future[Audio]) -> None:
        if done.exception() is None:  # else the player will say so
            self._draw(at, generation, done.result())

    def _draw(self, at: int, generation: int, found: Audio | None) -> None:
        if at not in self._peaks and found is not None:
            try:
                self._peaks[at] = song_audio.peaks(found, _BUCKETS).tobytes()
            except NoAudio:  # it may be played all the same; there is nothing to draw
                self._peaks[at] = b""
        self.send(
            {"type": "peaks", "generation": generation, "index": at}, buffers=[self._peaks[at]]
        )

    def close(self) -> None:
        """End the widget, and what it is still reading."""
        if self._worker is not None:
            self._worker.shutdown(wait=False, cancel_futures=True)
        super().close()

    # --- how it shows itself where it is not live ------------------------------------------

    def __repr__(self) -> str:
        return html.line(self.collection, self._said())

    def _repr_html_(self) -> str:
        return html.html(self.collection, self._said(), self._title, PAGE)


def _mark(rating: Rating | None) -> list[int]:
    """Stars (0: none), and whether there is a note."""
    return [rating.stars or 0, int(bool(rating.note))] if rating else [0, 0]


def _kept(library: Library | None) -> str:
    return markup.one_line(library.path.name) if library is not None else ""
