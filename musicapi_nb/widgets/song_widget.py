"""Base class of the widgets that play and rate songs; they differ in their layout."""

import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeAlias

import traitlets

from musicapi_nb import markup
from musicapi_nb.errors import InvalidArgument, MusicAPIError, NoAudio
from musicapi_nb.library import Library, Rating
from musicapi_nb.library.ratings import new_rating
from musicapi_nb.tasks import Song
from musicapi_nb.widgets import song_audio, song_data
from musicapi_nb.widgets.base import LiveWidget
from musicapi_nb.widgets.songs_of import songs_of

Fetch: TypeAlias = Callable[[Song], Future[song_audio.Audio]]
PAGE_SIZE = 24  # songs whose details are sent at once
_LATEST = 5_000  # purchases of a library: filters and search run in the page, on all songs
_PEAK_BUCKETS = 240
_MAX_MESSAGE = 1_000
_FOLDER = Path(__file__).parent
_PARTS = ("text", "tags", "store", "waveform", "controls", "player_bar", "player", "song_view")
SONG_MODULES = (_FOLDER / "dom.js", *(_FOLDER / "song_parts" / f"{name}.js" for name in _PARTS))
"""JavaScript of every song widget; its own modules come after them in `join_modules`."""
SONG_STYLES = _FOLDER / "song_parts" / "songs.css"


@dataclasses.dataclass(frozen=True)
class _SongRef:
    """A song of the list as it was at one `refresh`; indices change meaning with the next."""

    index: int
    generation: int


class SongWidget(LiveWidget):
    """A widget of songs: it answers the page's requests for details, audio, peaks and ratings.

    Audio comes from the library's file if there is one, else from the song's link. The page
    reports stars and notes as saved only after the library has saved them. `collection` has the
    songs, factors and library.

    A subclass joins `SONG_MODULES` and its own modules to `_esm`; the class of its page extends
    `SongView` of song_parts/song_view.js.
    """

    _songs = traitlets.Dict().tag(sync=True)
    _ratings = traitlets.Dict().tag(sync=True)
    _view = traitlets.Dict().tag(sync=True)

    def __init__(
        self, source: Any, *, library: Library | None, fetch: Fetch | None, **traits: Any
    ) -> None:
        self._source, self._library, self._fetch = source, library, fetch
        self._session_ratings: dict[int, Rating] = {}  # without a library
        self._peaks: dict[_SongRef, bytes] = {}
        self._generation = 0
        self.collection = songs_of(source, library, latest=_LATEST)
        super().__init__(_ratings=self._marks(), _songs=self._song_data(), **traits)
        self.on_msg(self._receive)

    def refresh(self) -> None:
        """Read the experiment or library again, to show new songs."""
        if not self.collection.refreshable:
            return
        self.collection = songs_of(self._source, self._library, latest=_LATEST)
        self._generation += 1
        self._peaks.clear()
        with self.hold_sync():
            self._ratings, self._songs = self._marks(), self._song_data()

    def rating(self, index: int) -> Rating | None:
        """Return the rating of the song at an index of the list, from 0."""
        library = self.collection.library
        if library is None:
            return self._session_ratings.get(index)
        return library.rating(self.collection.items[index].song)

    def ratings(self) -> list[Rating]:
        """Return the ratings of these songs; `mnb.ratings_frame` makes a table of a widget's."""
        return list(self.ratings_by_index().values())

    def ratings_by_index(self) -> dict[int, Rating]:
        """Return the ratings of these songs by their index in the list, from 0."""
        if self.collection.library is not None:
            return self.collection.ratings()
        ratings = self._session_ratings.items()
        return {index: rating for index, rating in ratings if not rating.empty}

    def _marks(self) -> dict[str, list[int]]:
        ratings = self.ratings_by_index()
        return {str(index): _mark(rating) for index, rating in ratings.items()}

    def _song_data(self) -> dict[str, Any]:
        """Return the data of all songs, and the details of those that are shown first."""
        library = self.collection.library
        first = range(min(PAGE_SIZE, len(self.collection.items)))
        return {
            **song_data.columns(self.collection),
            "generation": self._generation,
            "can_fetch": self._fetch is not None,
            "library": "" if library is None else markup.one_line(library.path.name),
            "details": self._details(first),
        }

    def _details(self, indices: list[int] | range) -> dict[str, Any]:
        items, ratings = self.collection.items, self.ratings_by_index()
        return {
            str(index): song_data.detail(
                items[index], self.collection.media(items[index].song), ratings.get(index)
            )
            for index in indices
        }

    # --- requests of the page

    def _receive(self, _: Any, request: Any, __: Any) -> None:
        """Answer the page. An exception raised here would be invisible, so it is sent instead."""
        try:
            self._answer(request)
        except Exception as error:  # noqa: BLE001 - see the docstring
            self.send({"type": "problem", "request": request, "message": _error_text(error)})

    def _answer(self, request: Any) -> None:
        kind = request.get("type") if isinstance(request, dict) else None
        if kind == "refresh":
            self.refresh()
        elif kind not in {"page", "rate", "audio", "peaks"}:
            raise InvalidArgument(f"the page sent an unknown request: {request!r:.80}")
        elif request.get("generation") != self._generation:
            raise InvalidArgument("the list has changed; try again")
        elif kind == "page":
            self._on_page(request)
        elif kind == "rate":
            self._on_rate(request)
        else:
            ref = _SongRef(self._index(request), self._generation)
            send = self._send_audio if kind == "audio" else self._send_peaks
            self._queue(ref, lambda: send(ref))

    def _reply(
        self, kind: str, ref: _SongRef, buffers: list[bytes] | None = None, **content: Any
    ) -> None:
        message = {"type": kind, "generation": ref.generation, "index": ref.index, **content}
        self.send(message, buffers=buffers)

    def _index(self, request: Mapping[str, Any]) -> int:
        index = request.get("index")
        if not isinstance(index, int) or not 0 <= index < len(self.collection.items):
            raise InvalidArgument(f"there is no song {index!r:.40} in this list")
        return index

    def _on_page(self, request: Mapping[str, Any]) -> None:
        if not isinstance(indices := request.get("indices"), list):
            raise InvalidArgument("a page is a list of song indices")
        valid = [self._index({"index": index}) for index in indices[:PAGE_SIZE]]
        message = {"type": "page", "generation": self._generation}
        self.send({**message, "details": self._details(valid)})

    # --- ratings

    def _on_rate(self, request: Mapping[str, Any]) -> None:
        index, stars, note = self._index(request), request.get("stars"), request.get("note")
        rating, problem = None, ""
        try:
            rating = self.rating(index)
            rating = self._rate(index, stars, note)
        except MusicAPIError as error:
            problem = str(error)
        mark = _mark(rating)
        if self._ratings.get(str(index)) != mark:
            self._ratings = {**self._ratings, str(index): mark}
        self._reply(
            "rating",
            _SongRef(index, self._generation),
            mark=mark,
            note=rating.note if rating else "",
            problem=problem,
            field="note" if stars is None else "stars",
        )

    def _rate(self, index: int, stars: Any, note: Any) -> Rating:
        song, library = self.collection.items[index].song, self.collection.library
        if song.state != "succeeded":
            raise InvalidArgument("this song cannot be rated: it was not made")
        if library is not None:
            return library.rate(song, stars, note=note)
        rating = new_rating(song, self._session_ratings.get(index), stars, note)
        self._session_ratings[index] = rating
        return rating

    # --- audio

    def _queue(self, ref: _SongRef, work: Callable[[], None]) -> None:
        def run() -> None:
            if ref.generation != self._generation:
                return
            try:
                work()
            except Exception as error:  # noqa: BLE001 - as in _receive
                self._reply("no_audio", ref, message=_error_text(error))

        self._in_worker(run)

    def _send_audio(self, ref: _SongRef) -> None:
        song = self.collection.items[ref.index].song
        audio = self._stored_audio(song)
        if audio is not None:
            self._deliver(ref, audio)
        elif self._fetch is not None and song.audio_url:
            future = self._fetch(song)
            future.add_done_callback(
                lambda _: self._queue(ref, lambda: self._deliver(ref, future.result()))
            )
        else:
            unreachable = "the browser cannot reach the song's link, or the link is dead"
            raise NoAudio(song_audio.no_audio_reason(song) or unreachable)

    def _stored_audio(self, song: Song) -> song_audio.Audio | None:
        path = self.collection.media(song).audio
        return None if path is None else song_audio.read_audio(path, song_audio.MAX_BYTES)

    def _deliver(self, ref: _SongRef, audio: song_audio.Audio) -> None:
        self._reply("audio", ref, [audio.content], media_type=audio.media_type)
        self._reply_peaks(ref, audio)

    def _send_peaks(self, ref: _SongRef) -> None:
        song, audio = self.collection.items[ref.index].song, None
        if ref not in self._peaks:
            audio = self._stored_audio(song)
        if audio is not None or ref in self._peaks:
            self._reply_peaks(ref, audio)
        elif self._fetch is not None and song_audio.playable_url(song):
            future = self._fetch(song)

            def send() -> None:
                if future.exception() is None:  # else the player reports it when it is used
                    self._reply_peaks(ref, future.result())

            future.add_done_callback(lambda _: self._queue(ref, send))

    def _reply_peaks(self, ref: _SongRef, audio: song_audio.Audio | None) -> None:
        if ref not in self._peaks and audio is not None:
            try:
                self._peaks[ref] = song_audio.peaks(audio, _PEAK_BUCKETS).tobytes()
            except NoAudio:  # the browser may still be able to play it
                self._peaks[ref] = b""
        self._reply("peaks", ref, [self._peaks[ref]])


def _mark(rating: Rating | None) -> list[int]:
    """Return the stars (0: none) and whether there is a note."""
    return [rating.stars or 0, int(bool(rating.note))] if rating else [0, 0]


def _error_text(error: Exception) -> str:
    text = str(error) if isinstance(error, MusicAPIError) else f"{type(error).__name__}: {error}"
    return text[:_MAX_MESSAGE]
