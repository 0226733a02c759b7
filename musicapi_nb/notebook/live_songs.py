"""Songs in the output of a cell: static cards, in whose place the page shows a live gallery.

The output is static HTML, as everywhere, and names a gallery that is not displayed itself: see
`Gallery.frame`. So a saved notebook has the static cards, and they are back when the kernel ends.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from musicapi_nb import markup
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.tasks import Song, Songs, Task
from musicapi_nb.tasks.html import task_html
from musicapi_nb.tasks.song_actions import SongActions, actions_of
from musicapi_nb.tasks.task import Tasks
from musicapi_nb.widgets.host import host

if TYPE_CHECKING:
    from musicapi_nb.widgets.gallery import Gallery

Value: TypeAlias = Song | Songs | Task
MAX_LIVE = 100  # galleries of a kernel; the cards of older ones are static again
_log = logging.getLogger(__name__)
_lock = threading.Lock()  # a job that ends makes a gallery on the background thread
# The values are kept so that no other one gets their identity.
_galleries: OrderedDict[int, tuple[Value, SongActions, Gallery]] = OrderedDict()


def add_live_songs(shell: Any) -> None:
    """Let an IPython shell, if there is one, show songs and tasks live."""
    formatters = getattr(getattr(shell, "display_formatter", None), "formatters", {})
    if (formatter := formatters.get("text/html")) is not None:
        for kind in (Song, Songs, Task, Tasks):
            formatter.for_type(kind, live_html)


def live_html(value: Any) -> str:
    """Return the HTML of songs, a task or tasks; live where the page can show the widget."""
    if isinstance(value, Tasks):
        return str(markup.stack(*(markup.Html(live_html(task)) for task in value))) or _html(value)
    gallery = _gallery_of(value) if isinstance(value, Song | Songs | Task) else None
    if gallery is None:
        return _html(value)
    if isinstance(value, Task):
        return str(task_html(value, gallery.frame))
    return str(gallery.frame(markup.Html(_html(value))))


def _html(value: Any) -> str:
    return str(value._repr_html_())


def _gallery_of(value: Value) -> Gallery | None:
    """Return the gallery of songs that an open session owns and that will not change any more."""
    songs = _songs_of(value)
    finished = all(song.finished for song in songs)
    sounding = any(song.state == "succeeded" and song.engine != "lyrics" for song in songs)
    if host() not in {"jupyter", "voila"} or not finished or not sounding:
        return None
    session = actions_of(songs[0])
    if session is None:
        return None
    try:
        with _lock:
            return _open_gallery(value, session)
    except MusicAPIError as error:
        _log.warning("songs cannot be shown live: %s", error)
        return None
    except Exception:  # noqa: BLE001 - a card is shown even if its library cannot be read
        _log.warning("songs cannot be shown live", exc_info=True)
        return None


def _songs_of(value: Value) -> Sequence[Song]:
    if isinstance(value, Task):
        return value.songs if value.finished else ()
    return (value,) if isinstance(value, Song) else value


def _open_gallery(value: Value, session: SongActions) -> Gallery:
    """Return the gallery of a value; one for all outputs that show it, in one session."""
    from musicapi_nb.widgets.gallery import Gallery  # noqa: PLC0415 - loads ipywidgets, pandas

    _, owner, gallery = _galleries.pop(id(value), (None, None, None))
    if gallery is None or owner is not session:
        if gallery is not None:
            gallery.close()
        gallery = Gallery(value, toolbar=False, in_place=True)
    _galleries[id(value)] = value, session, gallery
    while len(_galleries) > MAX_LIVE:
        _galleries.popitem(last=False)[1][2].close()
    return gallery
