"""The public names of modules: what Tab offers, and what a wrong name is answered. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from musicapi_nb.short_traceback import ShortTraceback

# Functions of the package that people look for as methods of what holds songs, by the names that
# they try. The braces stand for that object.
_SONG_FUNCTIONS = (
    *("adherence", "adjusted_means", "dose_response", "drift", "durations_frame", "effects"),
    *("files_frame", "flatten", "issues_frame", "likeness", "measures_frame", "ratings_frame"),
    *("replaced_tags_frame", "save_page", "songs_frame", "sound_adherence", "sound_matches"),
    *("stability", "sung_lines", "sung_lyrics", "tags_frame", "tasks_frame", "variance"),
)
_AUDIO_FEATURES = (
    *("audio_features", "features", "tempo", "key", "loudness", "lufs", "brightness", "onset_rate"),
    *("stereo_width", "analyze", "analyse"),
)
_FUNCTIONS = {
    **{name: f"mnb.{name}({{}})" for name in _SONG_FUNCTIONS},
    **dict.fromkeys(_AUDIO_FEATURES, "mnb.audio_features({})"),
    **dict.fromkeys(("cost", "costs", "price", "prices", "spent"), "mnb.costs({})"),
    **dict.fromkeys(("similar", "similarity", "duplicate", "duplicates"), "mnb.likeness({})"),
    **dict.fromkeys(("file", "files", "path", "paths"), "mnb.files_frame({})"),
    **dict.fromkeys(("df", "frame", "table", "to_csv", "to_frame"), "mnb.songs_frame({})"),
    "measures": "mnb.measures_frame({})",
    "measure": "mnb.measure({}, function, name=...)",
    "report": "mnb.report(run)",
}


_SIMILARITY = 0.7  # of difflib: "tags_fate" is near to "tag_fates", but "costs" not to "close"


class UnknownName(ShortTraceback, AttributeError):
    """A module or an object does not have this name; the message suggests another."""


def similar_name(name: str, names: Iterable[str]) -> str | None:
    """Return the name that differs in case or spelling alone; None if none is near."""
    import difflib  # noqa: PLC0415 - needed for wrong names alone

    by_lower = {known.lower(): known for known in names if not known.startswith("_")}
    lower = name.lower()
    near = difflib.get_close_matches(lower, by_lower, n=1, cutoff=_SIMILARITY)
    return by_lower.get(lower) or (by_lower[near[0]] if near else None)


def missing_name(
    owner: str,
    name: str,
    names: Iterable[str],
    hints: Mapping[str, str] | None = None,
    *,
    songs: str = "",
) -> UnknownName:
    """Return the error about a name that an object does not have, with a suggestion.

    `hints` are the suggestions for names that people try. `songs` is what functions of the package
    that read songs, which people look for here, are called with.
    """
    if name.startswith("_"):  # asked by Python, copy, IPython ...
        return UnknownName(f"{owner} has no attribute {name!r}")
    lower = name.lower()
    function = _FUNCTIONS.get(lower, "").format(songs) if songs else ""
    near = (hints or {}).get(lower) or function or similar_name(name, names)
    hint = f"; did you mean {near}?" if near else ""
    return UnknownName(f"{owner} has no attribute {name!r}{hint}")


def public_names(
    module: str, names: Iterable[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a module that has these public names.

    Type checkers should not see the first: they would take any name for one of the module.
    """
    listed = sorted(names)

    def get_missing(name: str) -> Any:
        raise missing_name(module, name, listed)

    return get_missing, lambda: listed
