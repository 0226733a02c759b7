"""Base class of the widgets that play and rate songs; they differ in their layout."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeAlias

import ipywidgets
import traitlets

from musicapi_nb import markup
from musicapi_nb.errors import InvalidArgument, MusicAPIError, NoAudio
from musicapi_nb.library import Library, Rating
from musicapi_nb.library.ratings import new_rating
from musicapi_nb.tasks import Song
from musicapi_nb.tasks.song_actions import actions_of
from musicapi_nb.widgets import song_audio, song_data, song_menu
from musicapi_nb.widgets.base import LiveWidget
from musicapi_nb.widgets.library_watch import library_watch
from musicapi_nb.widgets.song_measures import MeasuredLines, measure_columns, measure_values
from musicapi_nb.widgets.songs_of import SongCollection, count_finished, songs_of

Fetch: TypeAlias = Callable[[Song], Future[song_audio.Audio]]
PAGE_SIZE = 24  # songs whose details are sent at once
_LATEST = 5_000  # purchases of a library: filters and search run in the page, on all songs
_PEAK_BUCKETS = 240
_MAX_MESSAGE = 1_000
_FOLDER = Path(__file__).parent
_PARTS = (
    "text",
    "tags",
    "store",
    "waveform",
    "controls",
    "menu",
    "player_bar",
    "player",
    "song_view",
)
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
    songs, factors and library. Without a library, it is that of the open session of the songs.
    Ratings that are made elsewhere appear by themselves, and new songs are announced.

    A subclass joins `SONG_MODULES` and its own modules to `_esm`; the class of its page extends
    `SongView` of song_parts/song_view.js.
    """

    _songs = traitlets.Dict().tag(sync=True)
    _ratings = traitlets.Dict().tag(sync=True)
    _view = traitlets.Dict().tag(sync=True)
    # The generation that new songs came after. A message would be lost until the page is there,
    # and voila shows a page after its cells have run.
    _outdated = traitlets.Int(-1).tag(sync=True)
    _forms: Any = None  # a widget is also closed if its songs cannot be read

    def __init__(
        self, source: Any, *, library: Library | None, fetch: Fetch | None, **traits: Any
    ) -> None:
        self._source, self._library, self._fetch = source, library, fetch
        self._session_ratings: dict[int, Rating] = {}  # without a library
        self._peaks: dict[_SongRef, bytes] = {}
        self._measured = MeasuredLines()
        self._generation = 0
        self.collection: SongCollection = self._read_songs()
        self._open_forms: list[Any] = []
        self._forms = ipywidgets.VBox()  # the forms of menu items, below the songs
        self._forms_class = f"mnb-forms-{self._forms.model_id}"
        self._forms.add_class(self._forms_class)
        super().__init__(
            _ratings=_marks(self.ratings_by_index()), _songs=self._song_data(), **traits
        )
        self.on_msg(self._receive)
        if self.collection.library is not None:
            library_watch.add(self, self.collection.library)

    def close(self) -> None:
        """Close the widget; it does not notice changes of the library any more."""
        library_watch.remove(self)
        if self._forms is not None:
            for widget in (self._forms.layout, self._forms, self.layout):
                widget.close()
        super().close()

    def _read_songs(self) -> SongCollection:
        collection = songs_of(self._source, self._library, latest=_LATEST)
        if not collection.items:
            return collection
        session = actions_of(collection.items[0].song)
        if session is None:
            return collection
        self._fetch = self._fetch or session.fetch_audio
        library = collection.library
        if library is None and isinstance(session.library, Library):
            library = session.library
        return dataclasses.replace(collection, library=library)

    def refresh(self) -> None:
        """Read the experiment or library again, to show new songs."""
        if not self.collection.refreshable:
            return
        self.collection = self._read_songs()
        self._generation += 1
        self._peaks.clear()
        with self.hold_sync():
            self._ratings, self._songs = _marks(self.ratings_by_index()), self._song_data()

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

    def _song_data(self) -> dict[str, Any]:
        """Return the data of all songs, and the details of those that are shown first."""
        library = self.collection.library
        self._measured.start(library)
        first = self._first_songs()[:PAGE_SIZE]
        return {
            **song_data.columns(self.collection),
            "generation": self._generation,
            "can_fetch": self._fetch is not None,
            "forms": self._forms_class,
            "forms_model": self._forms.model_id,
            "library": "" if library is None else markup.one_line(library.path.name),
            "note": self.collection.note,
            "refreshable": self.collection.refreshable,
            "details": self._details(first),
        }

    def _first_songs(self) -> Sequence[int]:
        """Return the indices of the songs in the order in which they are shown first."""
        return range(len(self.collection.items))

    def _details(self, indices: Sequence[int]) -> dict[str, Any]:
        items, ratings = self.collection.items, self.ratings_by_index()
        measured = self._measured.read(self.collection, indices)
        return {
            str(index): song_data.detail(
                items[index],
                self.collection.media(items[index].song),
                ratings.get(index),
                measured[index],
            )
            for index in indices
        }

    # --- changes of the library

    def library_changed(self, stored: Mapping[str, Rating]) -> None:
        """Show ratings made elsewhere and new measured values, and announce new songs.

        Changes of songs are sent as messages: sending the whole state again would draw all songs
        anew. The state has them, too, for pages that are opened later.
        """
        before, ratings = self._ratings, self.collection.ratings(stored)
        marks = _marks(ratings)
        if marks != before:
            self._ratings = marks
            changed = [
                index for index in {*before, *marks} if before.get(index) != marks.get(index)
            ]
            notes = {key: getattr(ratings.get(int(key)), "note", "") for key in changed}
            for key, note in notes.items():
                self._songs["details"].get(key, {})["note"] = note
            self.send({"type": "notes", "generation": self._generation, "notes": notes})
        library, experiment = self.collection.library, self.collection.experiment
        if (measured := self._measured.changes(self.collection)) is not None:
            changes = {"measured": measured, "measures": measure_columns(library)}
            self._songs["measures"] = changes["measures"]
            lines = {str(index): line for index, line in measured.items()}
            # a new dictionary: another thread may be sending the old one
            self._songs["measured"] = {**self._songs["measured"], **lines}
            for index, line in lines.items():
                self._songs["details"].get(index, {})["measured"] = line
            self.send({"type": "measured", "generation": self._generation, **changes})
        if library is None or not self.collection.refreshable:
            return
        if count_finished(library, experiment) != self.collection.finished:
            self._outdated = self._generation

    # --- requests of the page

    def _receive(self, _: Any, request: Any, __: Any) -> None:
        """Answer the page. An exception raised here would be invisible, so it is sent instead."""
        try:
            self._answer(request)
        except Exception as error:  # noqa: BLE001 - see the docstring
            self.send({"type": "problem", "request": request, "message": _error_text(error)})

    def _answer(self, request: Any) -> None:
        kind = request.get("type") if isinstance(request, dict) else None
        answers = {
            "page": self._on_page,
            "values": self._on_values,
            "rate": self._on_rate,
            "audio": self._on_audio,
            "peaks": self._on_peaks,
            "save": self._on_save,
            "code": self._on_code,
            "form": self._on_form,
        }
        if kind == "refresh":
            if request.get("generation") == self._generation:  # else another view did it
                self.refresh()
        elif kind not in answers:
            raise InvalidArgument(f"the page sent an unknown request: {request!r:.80}")
        elif request.get("generation") != self._generation:
            raise InvalidArgument("the list has changed; try again")
        else:
            answers[kind](request)

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

    def _on_values(self, request: Mapping[str, Any]) -> None:
        """Send the values of a measure, by which the page sorts."""
        library, name = self.collection.library, request.get("name")
        if library is None or not isinstance(name, str):
            raise InvalidArgument(f"there is no measure {name!r:.80} of these songs")
        values = measure_values(library, [item.song for item in self.collection.items], name)
        message = {"type": "values", "generation": self._generation, "name": name}
        self.send({**message, "values": values})

    # --- menu

    def _on_code(self, request: Mapping[str, Any]) -> None:
        ref = _SongRef(self._index(request), self._generation)
        item = self.collection.items[ref.index]
        self._reply("code", ref, code=song_menu.code_of(item.song, item.task))

    def _on_form(self, request: Mapping[str, Any]) -> None:
        """Open the form of a menu item below the songs; the form's button buys, not this.

        It replaces the one before, unless that one has bought songs and shows them.
        """
        ref = _SongRef(self._index(request), self._generation)
        form = song_menu.form_of(self.collection.items[ref.index].song, request.get("action"))
        bought = (earlier for earlier in self._open_forms if earlier.job is not None)
        self._open_forms = [form, *bought]
        self._forms.children = [form.widget for form in self._open_forms]
        self._reply("form", ref, code=f"api.form({form.request!r})")

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

    def _on_audio(self, request: Mapping[str, Any]) -> None:
        ref = _SongRef(self._index(request), self._generation)
        self._queue(ref, lambda: self._with_audio(ref, self._deliver))

    def _on_save(self, request: Mapping[str, Any]) -> None:
        ref = _SongRef(self._index(request), self._generation)
        self._queue(ref, lambda: self._with_audio(ref, self._send_file, "not_saved"), "not_saved")

    def _on_peaks(self, request: Mapping[str, Any]) -> None:
        ref = _SongRef(self._index(request), self._generation)
        self._queue(ref, lambda: self._send_peaks(ref))

    def _queue(self, ref: _SongRef, work: Callable[[], None], failure: str = "no_audio") -> None:
        def run() -> None:
            if ref.generation != self._generation:
                return
            try:
                work()
            except Exception as error:  # noqa: BLE001 - as in _receive
                self._reply(failure, ref, message=_error_text(error))

        self._in_worker(run)

    def _with_audio(
        self,
        ref: _SongRef,
        use: Callable[[_SongRef, song_audio.Audio], None],
        failure: str = "no_audio",
    ) -> None:
        """Pass a song's audio to a function: now if the library has it, else once it is here."""
        song = self.collection.items[ref.index].song
        audio = self._stored_audio(song)
        if audio is not None:
            use(ref, audio)
        elif self._fetch is not None and song.audio_url:
            future = self._fetch(song)
            future.add_done_callback(
                lambda _: self._queue(ref, lambda: use(ref, future.result()), failure)
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

    def _send_file(self, ref: _SongRef, audio: song_audio.Audio) -> None:
        name = song_menu.file_name(self.collection.items[ref.index].song, audio.content)
        self._reply("save", ref, [audio.content], name=name, media_type=audio.media_type)

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


def _marks(ratings: Mapping[int, Rating]) -> dict[str, list[int]]:
    return {str(index): _mark(rating) for index, rating in ratings.items()}


def _mark(rating: Rating | None) -> list[int]:
    """Return the stars (0: none) and whether there is a note."""
    return [rating.stars or 0, int(bool(rating.note))] if rating else [0, 0]


def _error_text(error: Exception) -> str:
    text = str(error) if isinstance(error, MusicAPIError) else f"{type(error).__name__}: {error}"
    return text[:_MAX_MESSAGE]
