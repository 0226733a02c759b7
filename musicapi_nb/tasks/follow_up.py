"""What can be asked about a song next: the request for it, with what is known filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from musicapi_nb.engines import Field, Request, operations
from musicapi_nb.engines.request import canonical_model
from musicapi_nb.errors import InvalidRequest, Problem

if TYPE_CHECKING:
    from musicapi_nb.tasks.models import Song

_UPLOADED = "_upload"
_CLIP_KINDS = ("clip", "clips")
_SINGS_THE_SAME = frozenset({"cover", "cover_upload", "replace_section"})


def follow_up(
    song: Song, operation: str, given: Mapping[str, Any], others: Sequence[Song] = ()
) -> Request:
    """Make the request of an operation on a song.

    What is given wins over what is filled in, also None: that field is then not sent.

    Raises
    ------
    InvalidRequest
        The song is not ready for it, or its engine has no such operation for its kind of clip.
    """
    name = f"{song.engine or 'song'}.{operation}"
    for each in (song, *others):
        if (problem := _not_ready(each)) is not None:
            raise InvalidRequest(name, [problem])
    kind = _kind_of(song, operation)
    if kind is None:
        offered = ", ".join(sorted(_offered(song))) or "nothing"
        what = "an uploaded clip" if song.uploaded else "a song"
        words = f"{song.engine or 'its engine'} makes no such thing of {what}; it offers {offered}"
        raise InvalidRequest(name, [Problem("", words)])
    return kind(**dict(_known(song, kind, others, given), **given))


def _not_ready(song: Song) -> Problem | None:
    if song.id is None:
        return Problem("", "the song has no id, which a request about it needs")
    if song.state in {"pending", "running"}:
        return Problem("", "the song is not finished; wait for its task first")
    if song.state == "failed":
        return Problem("", "the song failed; there is nothing to go on from")
    return None


def _kinds(song: Song) -> Iterator[type[Request]]:
    """The operations of a song's engine that want a clip."""
    for kind in operations():
        if kind.engine == song.engine and _clip_field(kind) is not None:
            yield kind


def _clip_field(kind: type[Request]) -> tuple[str, Field] | None:
    fields = kind.fields().items()
    return next(((name, field) for name, field in fields if field.kind in _CLIP_KINDS), None)


def _kind_of(song: Song, operation: str) -> type[Request] | None:
    found = {kind.operation: kind for kind in _kinds(song)}
    uploaded = found.get(f"{operation}{_UPLOADED}") if song.uploaded else None
    return uploaded or found.get(operation)


def _offered(song: Song) -> set[str]:
    return {kind.operation.removesuffix(_UPLOADED) for kind in _kinds(song)}


def _known(
    song: Song, kind: type[Request], others: Sequence[Song], given: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """The fields of an operation that a song answers."""
    fields = kind.fields()
    if (clip := _clip_field(kind)) is not None:
        name, field = clip
        yield name, song.id if field.kind == "clip" else tuple(each.id for each in (song, *others))
    known: dict[str, Any] = {"continue_at": song.duration, "name": song.title}
    if (model := canonical_model(song.model)) in (fields["mv"].choices if "mv" in fields else ()):
        known["mv"] = model
    if given.get("custom_mode", True):  # else a description says what these would
        known |= {"custom_mode": True, "title": song.title, "tags": song.tags_text}
        known |= {"prompt": song.lyrics} if kind.operation in _SINGS_THE_SAME else {}
    for name, value in known.items():
        if name in fields and value not in (None, ""):
            yield name, value
