"""The gallery widget: browse, play and rate songs, one page at a time."""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import traitlets
from IPython.display import display

from musicapi_nb import markup
from musicapi_nb.library import Library
from musicapi_nb.markup.escape import element
from musicapi_nb.widgets.base import join_modules, join_styles
from musicapi_nb.widgets.gallery.html import gallery_html, summary_line
from musicapi_nb.widgets.gallery.saved_page import SavedPage, save_page
from musicapi_nb.widgets.song_data import newest_first
from musicapi_nb.widgets.song_widget import PAGE_SIZE, SONG_MODULES, SONG_STYLES, Fetch, SongWidget

_FOLDER = Path(__file__).parent
MODULES = (
    *SONG_MODULES,
    *(_FOLDER / f"{name}.js" for name in ("filter", "toolbar", "card", "in_place", "view")),
)


class Gallery(SongWidget):
    """Songs in pages of 24, as a list or cards, to filter, sort, group by factor, play and rate.

    Audio comes from the library's file if there is one, else from the song's link. The page
    reports stars and notes as saved only after the library has saved them. Keys on a focused
    song: space plays and pauses, the arrows move to the songs around it, with shift they
    seek, 1 to 5 rate, 0 clears the rating, M opens the menu: save, extend, cover, stems, copy the
    code. `collection` has the songs, factors and library. Without `toolbar`, there are no filters,
    and the songs keep their order.
    """

    _esm = join_modules(*MODULES)
    _css = join_styles(SONG_STYLES, _FOLDER / "gallery.css")
    _in_place = traitlets.Unicode().tag(sync=True)

    def __init__(  # noqa: PLR0913 - independent settings
        self,
        source: Any,
        *,
        library: Library | None = None,
        fetch: Fetch | None = None,
        title: str = "",
        toolbar: bool = True,
        in_place: bool = False,
    ) -> None:
        self._title, self._toolbar = title, toolbar
        name = uuid.uuid4().hex if in_place else ""
        traits = {"model_id": name, "_in_place": name} if in_place else {}
        super().__init__(source, library=library, fetch=fetch, **traits)

    def frame(self, cards: markup.Html) -> markup.Html:
        """Mark static cards, in whose place the page shows this gallery; it is `in_place`.

        The output stays static HTML. A page without the widget shows the cards: a saved notebook,
        one that is not trusted, or one whose kernel has ended.
        """
        return element("div", cards, **{"data-musicapi-songs": self._in_place})

    def _ipython_display_(self) -> None:
        super()._ipython_display_()
        view = {"version_major": 2, "version_minor": 0, "model_id": self._forms.model_id}
        bundle = {"application/vnd.jupyter.widget-view+json": view, "text/html": ""}
        display({**bundle, "text/plain": ""}, raw=True)

    @property
    def view(self) -> Mapping[str, Any]:
        """Current view of the page: page (from 0), matches (songs that pass), and filters."""
        return dict(self._view)

    def save_page(self, path: str | Path, **options: Any) -> SavedPage:
        """Write these songs to an HTML page: see `mnb.save_page`."""
        return save_page(path, self, **{"title": self._title, **options})

    def _song_data(self) -> dict[str, Any]:
        return {
            **super()._song_data(),
            "toolbar": self._toolbar,
            "heading": markup.one_line(self._title),
            "without_songs": self.collection.without_songs,
        }

    def _first_songs(self) -> Sequence[int]:
        return newest_first(self.collection) if self._toolbar else super()._first_songs()

    @markup.safe_repr
    def __repr__(self) -> str:
        return summary_line(self.collection, self.ratings_by_index())

    def _repr_html_(self) -> str:
        ratings, order = self.ratings_by_index(), self._first_songs()[:PAGE_SIZE]
        title = self._title or ("Gallery" if self._toolbar else "")
        return str(gallery_html(self.collection, ratings, title, order))


def show(source: Any, *, library: Library | None = None, title: str = "") -> Gallery:
    """Show a few songs to play and rate, without filters: see `gallery`.

    Their audio, covers and ratings are those of the library of the open connection.
    """
    return Gallery(source, library=library, title=title, toolbar=False)


def gallery(
    source: Any, *, library: Library | None = None, fetch: Fetch | None = None, title: str = ""
) -> Gallery:
    """Show songs to browse, play and rate: see `Gallery`.

    Parameters
    ----------
    source
        Tasks, songs, jobs, raw replies, an iterable of these, an experiment, a library (its
        latest 5,000 purchases), or rows of `songs_frame`.
    library
        Library of ratings and files; by default that of the experiment or of the open connection.
        Without a library, ratings last as long as this gallery.
    fetch
        Downloads a song whose link the browser cannot reach; by default the open connection does.
    title
        Heading of the gallery.

    Raises
    ------
    InvalidArgument
        `source` holds no songs.
    """
    return Gallery(source, library=library, fetch=fetch, title=title)
