"""The Jupyter toolkit for MusicAPI: ask for songs, wait, look, tabulate."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from musicapi_nb import errors
from musicapi_nb.client import MusicAPI
from musicapi_nb.engines import account, lyrics, nuro, operations, sonic, studio
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.notebook import Job, connect, enable_nested_asyncio
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb.frames import (
        durations_frame,
        issues_frame,
        replaced_tags_frame,
        songs_frame,
        tags_frame,
        tasks_frame,
    )

__all__ = [
    "Job",
    "MusicAPI",
    "MusicAPIError",
    "Song",
    "Task",
    "account",
    "connect",
    "durations_frame",
    "enable_nested_asyncio",
    "errors",
    "issues_frame",
    "lyrics",
    "nuro",
    "operations",
    "replaced_tags_frame",
    "songs_frame",
    "sonic",
    "studio",
    "tags_frame",
    "tasks_frame",
]


def __getattr__(name: str) -> Any:
    """Load the frames, and pandas with them, when one is first asked for."""
    if name in __all__ and name.endswith("_frame"):
        return getattr(importlib.import_module("musicapi_nb.frames"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
