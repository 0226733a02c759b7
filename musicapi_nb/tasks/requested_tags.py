"""The tags that were requested of a song, and those that it should avoid, as texts. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musicapi_nb.engines import Request


def requested_tags(song: Any, request: Request | None) -> str | None:
    """Return the requested tags as the service read them, else as they were requested.

    `song` is a `Song`, or what a decoded reply has in its place. A reply shows what the service
    read as the source of its first rewriting, or as the description that the song was made from;
    of these, the request's own fields come second.
    """
    source = next(iter(song.replacements)).source if song.replacements else None
    text = source or (request.text_of(request.tag_fields) if request else None) or song.prompt
    return text if isinstance(text, str) and not text.isspace() else None


def negative_tags(extra: Mapping[str, Any], request: Request | None) -> str | None:
    """Return the tags that a song should avoid, as requested, else as the reply repeats them.

    `extra` has the reply's fields that are no attribute of a song.
    """
    text = request.text_of(request.negative_tag_fields) if request else None
    text = text or extra.get("negative_tags")
    return text if isinstance(text, str) and text and not text.isspace() else None
