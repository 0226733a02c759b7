"""The Jupyter toolkit for MusicAPI: ask for songs, wait, look, tabulate."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from musicapi_nb import errors
from musicapi_nb.client import MusicAPI, publish
from musicapi_nb.engines import (
    account,
    lyrics,
    nuro,
    operations,
    producer,
    riffusion,
    sonic,
    studio,
)
from musicapi_nb.errors import MusicAPIError
from musicapi_nb.notebook import Job, connect, enable_nested_asyncio, form
from musicapi_nb.tasks import Song, Task

if TYPE_CHECKING:
    from musicapi_nb import plots, webhooks
    from musicapi_nb._blind_test.answers import preferences_frame
    from musicapi_nb._blind_test.preference import preference
    from musicapi_nb._blind_test.widget import blind_test
    from musicapi_nb.analysis import (
        adherence,
        cooccurrence,
        effects,
        exclusive_sets,
        stability,
        substitution_graph,
        substitutions,
        tag_counts,
        tag_fates,
        variance,
    )
    from musicapi_nb.experiment import Experiment
    from musicapi_nb.exports import export, lrc
    from musicapi_nb.frames import (
        Flattener,
        dask_frames,
        durations_frame,
        flatten,
        issues_frame,
        ratings_frame,
        read_parquet,
        replaced_tags_frame,
        songs_frame,
        tags_frame,
        tasks_frame,
        write_parquet,
    )
    from musicapi_nb.library import Library
    from musicapi_nb.plan import Plan
    from musicapi_nb.widgets.gallery import gallery
    from musicapi_nb.widgets.gallery.saved_page import save_page
    from musicapi_nb.widgets.monitor import monitor, progress_bar

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
    "adherence",
    "blind_test",
    "connect",
    "cooccurrence",
    "dask_frames",
    "durations_frame",
    "effects",
    "enable_nested_asyncio",
    "errors",
    "exclusive_sets",
    "export",
    "flatten",
    "form",
    "gallery",
    "issues_frame",
    "load_ipython_extension",
    "lrc",
    "lyrics",
    "monitor",
    "nuro",
    "operations",
    "plots",
    "preference",
    "preferences_frame",
    "producer",
    "progress_bar",
    "publish",
    "ratings_frame",
    "read_parquet",
    "replaced_tags_frame",
    "riffusion",
    "save_page",
    "songs_frame",
    "sonic",
    "stability",
    "studio",
    "substitution_graph",
    "substitutions",
    "tag_counts",
    "tag_fates",
    "tags_frame",
    "tasks_frame",
    "variance",
    "webhooks",
    "write_parquet",
]


# What loads pandas, numpy, SQLite or matplotlib is loaded when it is first asked for.
_LATER = {
    name: module
    for module, names in {
        "musicapi_nb._blind_test.answers": "preferences_frame",
        "musicapi_nb._blind_test.preference": "preference",
        "musicapi_nb._blind_test.widget": "blind_test",
        "musicapi_nb.analysis": """
            adherence cooccurrence effects exclusive_sets stability
            substitution_graph substitutions tag_counts tag_fates variance
        """,
        "musicapi_nb.experiment": "Experiment",
        "musicapi_nb.exports": "export lrc",
        "musicapi_nb.frames": """
            Flattener dask_frames durations_frame flatten issues_frame ratings_frame read_parquet
            replaced_tags_frame songs_frame tags_frame tasks_frame write_parquet
        """,
        "musicapi_nb.library": "Library",
        "musicapi_nb.plan": "Plan",
        "musicapi_nb.widgets.gallery": "gallery",
        "musicapi_nb.widgets.monitor": "monitor progress_bar",
        "musicapi_nb.widgets.gallery.saved_page": "save_page",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name in {"plots", "webhooks"}:
        return importlib.import_module(f"musicapi_nb.{name}")
    if name in _LATER:
        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext musicapi_nb` gives a shell the magics %%song and %songs."""
    importlib.import_module("musicapi_nb.notebook.magics").register(shell)
