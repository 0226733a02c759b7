"""Watch libraries for changes, also by other kernels, and update the widgets that show them."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Mapping
from typing import Protocol, TypeAlias

from musicapi_nb.library import Library, Rating

_SECONDS = 0.5
_log = logging.getLogger(__name__)
_COARSEST_TIME = 0.1  # seconds between two file times; Linux has 4 to 10 ms
Signature: TypeAlias = tuple[tuple[int, int], ...]
_UNSETTLED: Signature = ()
# A commit writes to one of them. Looking at them takes no lock of the database.
_FILES = ("library.sqlite", "library.sqlite-wal")


class Watcher(Protocol):
    """A widget that shows songs of a library."""

    def library_changed(self, ratings: Mapping[str, Rating]) -> None:
        """Show the change; `ratings` are all of the library, by song key.

        Called on the watching thread, which all widgets share.
        """


def _signature(library: Library) -> Signature:
    """Return a value that is another one after each commit.

    File times are coarse, so another commit may follow within the same one. Of files that were
    written just now, no value is returned: the next look takes them for changed once more.
    """
    signature = []
    for name in _FILES:
        with contextlib.suppress(OSError):  # no such file, or not now
            stat = os.stat(library.path / name)  # noqa: PTH116 - twice a second
            if abs(time.time() - stat.st_mtime) < _COARSEST_TIME:
                return _UNSETTLED
            signature.append((stat.st_mtime_ns, stat.st_size))
    return tuple(signature)


class LibraryWatch:
    """One thread that looks at the libraries of all widgets; it ends when there is none left."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        # Reentrant, because deleting a widget removes it, possibly while the lock is held.
        self._lock = threading.RLock()
        self._watched: dict[weakref.ref[Watcher], Library] = {}
        self._signatures: dict[weakref.ref[Watcher], Signature] = {}
        self._thread: threading.Thread | None = None

    def add(self, watcher: Watcher, library: Library) -> None:
        """Call the watcher's `library_changed` soon, and after each change, until `remove`."""
        reference = weakref.ref(watcher)
        with self._lock:
            self._watched[reference] = library
            self._signatures[reference] = _UNSETTLED  # it may have changed since it was read
            if self._thread is None or not self._thread.is_alive():
                name = "musicapi_nb library watch"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()

    def remove(self, watcher: Watcher) -> None:
        with self._lock:
            self._forget(weakref.ref(watcher))

    def _forget(self, reference: weakref.ref[Watcher]) -> None:
        self._watched.pop(reference, None)
        self._signatures.pop(reference, None)

    def _is_outdated(self, reference: weakref.ref[Watcher], signature: Signature) -> bool:
        stored = self._signatures.get(reference)
        return stored is not None and (stored != signature or signature == _UNSETTLED)

    def _run(self) -> None:
        while True:
            time.sleep(self._seconds)
            with self._lock:
                for reference in list(self._watched):
                    if reference() is None:
                        self._forget(reference)
                watched = dict(self._watched)
                if not watched:
                    self._thread = None
                    return
            for library in set(watched.values()):
                signature = _signature(library)
                outdated = [
                    reference
                    for reference in watched
                    if watched[reference] is library and self._is_outdated(reference, signature)
                ]
                if outdated:
                    self._signatures.update(dict.fromkeys(outdated, signature))
                    _report(outdated, library)


def _report(references: list[weakref.ref[Watcher]], library: Library) -> None:
    """Tell widgets about a change. The ratings are read once, however many widgets there are."""
    try:
        ratings = {rating.key: rating for rating in library.ratings()}
        for reference in references:
            if (watcher := reference()) is not None:
                watcher.library_changed(ratings)
    except Exception:  # noqa: BLE001 - the library may just have been closed
        _log.debug("a change of %s cannot be shown", library.path, exc_info=True)


library_watch = LibraryWatch()
