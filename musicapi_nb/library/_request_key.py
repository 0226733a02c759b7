"""What is bought, as a name that stays: the hash of a request and its take; requests as JSON."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from musicapi_nb.engines import Request, operations
from musicapi_nb.errors import InvalidRequest, Problem

_PLAIN = frozenset({str, int, bool})
_CANON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def request_key(request: Request, take: int = 1) -> str:
    """Name what is bought: 64 hexadecimal digits, the same in every process and version.

    Hashed are engine, operation, the fields that are set (those passed by `extra` too) and the
    take. What an operation fixes (`task_type`) follows from its name and is left out.

    Raises
    ------
    InvalidRequest
        The take is no whole number from 1 on.
    """
    return key_of_json(to_json(request), take)


def key_of_json(written: Mapping[str, Any], take: int) -> str:
    """As `request_key`, of a request as `to_json` writes it."""
    if isinstance(take, bool) or not isinstance(take, int) or take < 1:
        problem = Problem("take", f"should be a whole number from 1 on, not {take!r:.40}")
        raise InvalidRequest(f"{written['engine']}.{written['operation']}", [problem])
    what = _canonical({**written, "take": take})
    return hashlib.sha256(_CANON.encode(what).encode("ascii")).hexdigest()


def _canonical(value: Any) -> Any:
    """Spell equal numbers alike: 1.0 is 1 on the wire of any JSON library."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {
            str(name): item if type(item) in _PLAIN else _canonical(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return value


def to_json(request: Request) -> dict[str, Any]:
    """Write a request so that `from_json` makes it again."""
    values = ((name, getattr(request, name)) for name in request.fields())
    given = msgspec.to_builtins({name: value for name, value in values if value is not None})
    return {
        "engine": request.engine,
        "operation": request.operation,
        "fields": {**given, **request.extra},
    }


@functools.cache
def _kinds() -> Mapping[tuple[str, str], type[Request]]:
    return {(kind.engine, kind.operation): kind for kind in operations()}


def from_json(written: Any) -> Request | None:
    """Make the request again; None where this version does not know its operation.

    A field that this version does not know comes back in `extra`.
    """
    kind = _kinds().get((written["engine"], written["operation"]))
    if kind is None:
        return None
    fields: dict[str, Any] = written["fields"]
    known = {name: fields.get(name) for name in kind.fields()}  # None: said not to be sent
    extra = {name: value for name, value in fields.items() if name not in known}
    try:
        return msgspec.convert({**known, "extra": extra}, kind)
    except msgspec.ValidationError:  # made with a value of another type, which the class allows
        return kind(**known, extra=extra)
