"""The idempotency key of a purchase (hash of request and take), and requests as JSON."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from musicapi_nb.engines import Request, custom, operations
from musicapi_nb.engines.request import restore
from musicapi_nb.errors import InvalidRequest, Problem

_MAX_TAKE = 2**63 - 1  # SQLite stores no larger number
_UNCHANGED_TYPES = frozenset({str, int, bool})
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def request_key(request: Request, take: int = 1) -> str:
    """Return the key of a purchase: 64 hexadecimal digits, equal in all processes and versions.

    It is the hash of engine, operation, the fields that are set (also in `extra`) and the take.
    Constants of an operation (`task_type`) follow from its name and are not hashed, except with a
    custom operation, whose name alone does not tell what is sent: there path and constants are.

    Raises
    ------
    InvalidRequest
        The take is not a whole number, 1 or more.
    """
    return key_of_json(to_json(request), take)


def key_of_json(request_json: Mapping[str, Any], take: int) -> str:
    """As `request_key`, for a request in the form of `to_json`."""
    if isinstance(take, bool) or not isinstance(take, int) or not 1 <= take <= _MAX_TAKE:
        problem = Problem("take", f"must be a whole number, 1 or more, not {take!r:.40}")
        raise InvalidRequest(f"{request_json['engine']}.{request_json['operation']}", [problem])
    identity = {**request_json, "take": take}
    if "declaration" in identity:
        identity["declaration"] = custom.identity(identity["declaration"])
    text = _ENCODER.encode(_canonical(identity))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _canonical(value: Any) -> Any:
    """Write equal numbers alike: 1.0 as 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {
            str(name): item if type(item) in _UNCHANGED_TYPES else _canonical(item)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return value


def to_json(request: Request) -> dict[str, Any]:
    """Convert a request to JSON values, for `from_json`."""
    values = ((name, getattr(request, name)) for name in request.fields())
    fields = msgspec.to_builtins({name: value for name, value in values if value is not None})
    fields |= request.extra
    request_json = {"engine": request.engine, "operation": request.operation, "fields": fields}
    if request.custom:
        request_json["declaration"] = custom.declaration(request, fields)
    return request_json


@functools.cache
def _operations() -> Mapping[tuple[str, str], type[Request]]:
    return {(operation.engine, operation.operation): operation for operation in operations()}


def from_json(request_json: Any) -> Request | None:
    """Restore a request; return None if this version does not know its operation.

    Fields that this version does not know are restored in `extra`; so are all fields of a custom
    operation whose class is not defined in this process.
    """
    name = request_json["engine"], request_json["operation"]
    operation: type[Request] | None = (
        custom.find(Request, *name, request_json["declaration"])
        if "declaration" in request_json
        else _operations().get(name)
    )
    if operation is None:
        return None
    return restore(operation, request_json["fields"])
