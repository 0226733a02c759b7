"""Loads pandas and the tables while the first song of a notebook is made.

The first table is then there at once. Scripts and services that make no table do not pay for it.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading

from musicapi_nb.short_traceback import is_in_ipython
from musicapi_nb.tasks import tag_vocabulary

_MODULES = (
    "numpy",
    "pyarrow",
    "pandas",
    "musicapi_nb.frames.frames",
    "musicapi_nb.analysis._adherence",
    "scipy.special",  # for the intervals of the first analysis
)
_MAX_WAIT = 10.0
"""Seconds that a fork waits for the thread, should it ever hang."""
_log = logging.getLogger(__name__)
_lock = threading.Lock()
_thread: threading.Thread | None = None


def load_tables_early() -> None:
    """Load tables, analyses and the tag vocabulary on a thread, once in a kernel.

    Outside of IPython it does nothing. The thread is no daemon: Python waits for it at exit, since
    a thread that is halted while it initializes a library may abort the process.
    """
    global _thread  # noqa: PLW0603 - a process loads its modules once
    if not is_in_ipython():
        return
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_load, name="musicapi_nb tables", daemon=False)
            _thread.start()


def _load() -> None:
    for module in _MODULES:
        if not threading.main_thread().is_alive():  # Python is exiting
            return
        try:
            importlib.import_module(module)
        except Exception:  # noqa: BLE001 - whoever needs the module gets the error
            _log.debug("%s cannot be loaded", module, exc_info=True)
    tag_vocabulary.entries()  # are kept once read


def _wait() -> None:
    """Wait until nothing is being loaded: a forked child would inherit the locks of its imports."""
    if _thread is not None and _thread is not threading.current_thread():
        _thread.join(_MAX_WAIT)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_wait)
