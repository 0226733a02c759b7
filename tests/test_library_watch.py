"""The thread that looks at the libraries of widgets."""

import threading
import weakref
from collections.abc import Mapping
from pathlib import Path

from musicapi_nb.library import Library, Rating
from musicapi_nb.widgets.library_watch import LibraryWatch


class Widget:
    """A watcher that is closed when it is deleted, as widgets of ipywidgets are."""

    def __init__(self, watch: LibraryWatch, library: Library) -> None:
        self.watch = watch
        self.called = threading.Event()
        watch.add(self, library)

    def library_changed(self, ratings: Mapping[str, Rating]) -> None:
        del ratings
        self.called.set()

    def close(self) -> None:
        self.watch.remove(self)

    def __del__(self) -> None:
        self.close()


def test_thread_survives_holding_the_last_reference_to_a_closed_widget(tmp_path: Path) -> None:
    watch = LibraryWatch(seconds=0.001)
    with Library(tmp_path) as library:
        for _ in range(20):
            widget = Widget(watch, library)
            called = widget.called
            assert called.wait(30)
            widget.close()
            del widget
        other = threading.Thread(target=Widget, args=(watch, library), daemon=True)
        other.start()
        other.join(30)
        assert not other.is_alive()


def test_watching_does_not_keep_a_widget_alive(tmp_path: Path) -> None:
    watch = LibraryWatch(seconds=0.001)
    with Library(tmp_path) as library:
        kept, dropped = Widget(watch, library), Widget(watch, library)
        assert dropped.called.wait(30)
        deleted = threading.Event()
        weakref.finalize(dropped, deleted.set)
        del dropped
        assert deleted.wait(30)
        kept.close()
