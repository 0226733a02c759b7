"""From which songs a request makes new ones, in words. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from musicapi_nb.engines import Request

_PHRASES = {
    "add_instrumental": "Instruments added to",
    "add_vocals": "Vocals added to",
    "concat": "Joins",
    "cover": "Cover of",
    "extend": "Extends",
    "mashup": "Mix of",
    "remaster": "Remaster of",
    "replace": "New section in",
    "replace_section": "New section in",
    "sample": "Samples",
    "stems_basic": "Track of",
    "stems_full": "Track of",
    "vox": "Vocals of",
}
_MAX_TITLES = 3


def source_ids(request: Request) -> tuple[str, ...]:
    """Return the ids of the songs that a request is about."""
    for name, field in request.fields().items():
        value = getattr(request, name)
        if field.kind == "clip" and isinstance(value, str):
            return (value,)
        if field.kind == "clips" and isinstance(value, list | tuple):
            return tuple(item for item in value if isinstance(item, str))
    return ()


def derivation(request: Request | None, titles: Mapping[str, str]) -> str:
    """Say what a song was made from, such as "Cover of Rain on Tin Roof"; "" if from nothing.

    `titles` are those of the songs that are known, by id.
    """
    if request is None or not (ids := source_ids(request)):
        return ""
    operation = request.operation.removesuffix("_upload")
    phrase = _PHRASES.get(operation, "Extends" if operation == "create" else "Made from")
    names = [titles.get(song_id, "another song") for song_id in ids[:_MAX_TITLES]]
    return f"{phrase} {', '.join(names)}{', …' if len(ids) > _MAX_TITLES else ''}"
