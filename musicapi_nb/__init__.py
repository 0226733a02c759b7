"""Jupyter toolkit for MusicAPI: request songs, wait for them, play them, analyze them."""

from __future__ import annotations

import sys

# pip checks the version of Python, but a checkout does not. Python 3.8 must be able to parse this
# file.
if sys.version_info < (3, 11):  # noqa: UP036 - see above
    _message = (
        f"musicapi_nb needs Python 3.11 or newer, and this is Python {sys.version.split()[0]}: "
        "run it with a newer version, such as python3.12"
    )
    raise SystemExit(_message) if sys.argv[:1] == ["-m"] else ImportError(_message)

import importlib
from typing import Any

from musicapi_nb.public_names import missing_name

# The public names by module. Each is imported when it is first used, so that `import musicapi_nb`
# loads neither aiohttp nor pandas. `scripts/public_stub.py` writes them to __init__.pyi, for type
# checkers and editors.
PUBLIC_NAMES = {
    "musicapi_nb": "errors plots webhooks",
    "musicapi_nb._blind_test.answers": "preferences_frame",
    "musicapi_nb._blind_test.preference": "preference",
    "musicapi_nb._blind_test.widget": "blind_test",
    "musicapi_nb._report.comparison_report": "report",
    "musicapi_nb.analysis._adherence": "adherence tag_fates",
    "musicapi_nb.analysis._adjusted_means": "adjusted_means",
    "musicapi_nb.analysis._cooccurrence": "cooccurrence exclusive_sets tag_counts",
    "musicapi_nb.analysis._costs": "costs",
    "musicapi_nb.analysis._dose_response": "dose_response",
    "musicapi_nb.analysis._drift": "drift",
    "musicapi_nb.analysis._effects": "effects",
    "musicapi_nb.analysis._near_misses": "near_misses",
    "musicapi_nb.analysis._sound_adherence": "sound_adherence",
    "musicapi_nb.analysis._sound_matches": "sound_matches",
    "musicapi_nb.analysis._stability": "stability",
    "musicapi_nb.analysis._substitutions": "substitution_graph substitutions",
    "musicapi_nb.analysis.variance_components": "variance",
    "musicapi_nb.client": "MusicAPI publish",
    "musicapi_nb.engines": """
        Field Price Request account lyrics nuro operations producer riffusion sonic studio
    """,
    "musicapi_nb.errors": "MusicAPIError",
    "musicapi_nb.experiment": "Experiment StopRule",
    "musicapi_nb.exports": "export lrc",
    "musicapi_nb.frames": """
        Flattener dask_frames durations_frame files_frame flatten issues_frame measures_frame
        ratings_frame read_parquet replaced_tags_frame songs_frame tags_frame tasks_frame
        write_parquet
    """,
    "musicapi_nb.library": "Library",
    "musicapi_nb.measures._audio_features": "audio_features",
    "musicapi_nb.measures._likeness": "likeness",
    "musicapi_nb.measures._measure": "measure",
    "musicapi_nb.measures._sung_lyrics": "sung_lines sung_lyrics",
    "musicapi_nb.notebook": "Job connect enable_nested_asyncio form",
    "musicapi_nb.notebook.magics": "load_ipython_extension",
    "musicapi_nb.plan": "Plan repeats_needed",
    "musicapi_nb.tasks": "Song Task",
    "musicapi_nb.tasks.tag_vocabulary": "tag_category tag_group",
    "musicapi_nb.widgets.compare": "compare",
    "musicapi_nb.widgets.gallery": "gallery show",
    "musicapi_nb.widgets.gallery.saved_page": "save_page",
    "musicapi_nb.widgets.monitor": "monitor progress_bar",
}
# What people try here, and where it is.
_SESSION_NAMES = {
    **dict.fromkeys(("run", "create", "generate", "make", "song"), "connect().run"),
    **dict.fromkeys(("credits", "balance"), "connect().credits"),
    "songs": "connect().songs",
    "adopt": "connect().adopt",
    "merge": "connect().library.merge",
    **{verb: f"song.{verb}(...)" for verb in ("play", "rate", "save", "extend", "cover", "stems")},
}
_MODULE_OF = {name: module for module, names in PUBLIC_NAMES.items() for name in names.split()}
__all__ = sorted(_MODULE_OF)  # noqa: PLE0605 - generated from the table above


def __getattr__(name: str) -> Any:
    if name == "__version__":
        globals()[name] = _version()
        return globals()[name]
    if name not in _MODULE_OF:
        raise missing_name(__name__, name, __dir__(), _SESSION_NAMES, songs="songs")
    module = _MODULE_OF[name]
    if module == __name__:
        return _import(f"{module}.{name}")
    value = getattr(_import(module), name)
    globals()[name] = value
    return value


def _import(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except Exception:  # another package may be too old
        from musicapi_nb.requirements import old_dependency  # noqa: PLC0415 - rarely needed

        if error := old_dependency():
            raise error from None
        raise


def _version() -> str:
    """Return the installed version, or "0+unknown" if the files were only copied."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - takes 8 ms

    try:
        return version(__name__)
    except PackageNotFoundError:
        return "0+unknown"


def __dir__() -> list[str]:
    return [name for name in __all__ if name != "load_ipython_extension"]  # for %load_ext alone
