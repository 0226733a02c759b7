"""The Jupyter toolkit for MusicAPI: ask for songs, wait, look, tabulate."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from musicapi_nb import errors
from musicapi_nb.client import MusicAPI
from musicapi_nb.engines import account, lyrics, nuro, operations, sonic, studio
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.notebook import Job, connect, enable_nested_asyncio, form
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb.analysis import preference, preferences_frame
    from musicapi_nb.experiment import Experiment
    from musicapi_nb.frames import (
        Flattener,
        durations_frame,
        flatten,
        issues_frame,
        ratings_frame,
        replaced_tags_frame,
        songs_frame,
        tags_frame,
        tasks_frame,
    )
    from musicapi_nb.library import Library
    from musicapi_nb.plan import Plan
    from musicapi_nb.widgets.blind import blind_test
    from musicapi_nb.widgets.gallery import gallery
    from musicapi_nb.widgets.monitor import monitor, progress_bar
    from musicapi_nb.widgets.page import save_page

__all__ = [
    "Experiment",
    "Flattener",
    "Job",
    "Library",
    "MusicAPI",
    "MusicAPIError",
    "Plan",
    "Song",
    "Task",
    "account",
    "blind_test",
    "connect",
    "durations_frame",
    "enable_nested_asyncio",
    "errors",
    "flatten",
    "form",
    "gallery",
    "issues_frame",
    "load_ipython_extension",
    "lyrics",
    "monitor",
    "nuro",
    "operations",
    "preference",
    "preferences_frame",
    "progress_bar",
    "ratings_frame",
    "replaced_tags_frame",
    "save_page",
    "songs_frame",
    "sonic",
    "studio",
    "tags_frame",
    "tasks_frame",
]


# What loads pandas, numpy or SQLite is loaded when it is first asked for.
_LATER = {
    "Experiment": "musicapi_nb.experiment",
    "Library": "musicapi_nb.library",
    "Plan": "musicapi_nb.plan",
    "blind_test": "musicapi_nb.widgets.blind",
    "monitor": "musicapi_nb.widgets.monitor",
    "progress_bar": "musicapi_nb.widgets.monitor",
    "gallery": "musicapi_nb.widgets.gallery",
    "save_page": "musicapi_nb.widgets.page",
    **{name: "musicapi_nb.frames" for name in __all__ if name.endswith("_frame")},
    "Flattener": "musicapi_nb.frames",
    "flatten": "musicapi_nb.frames",
    "preference": "musicapi_nb.analysis",
    "preferences_frame": "musicapi_nb.analysis",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext musicapi_nb` gives a shell the magics %%song and %songs."""
    importlib.import_module("musicapi_nb.notebook.magics").register(shell)
