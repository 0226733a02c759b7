"""Operations declared outside the package: checks of their classes, and their place in a library.

A class of a notebook cell is defined again whenever its cell runs, and is missing in a kernel in
which it did not run. A library therefore stores what such a class declared with each request.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, TypeAlias

import msgspec

from musicapi_nb.engines.fields import Field, Kind
from musicapi_nb.errors import InvalidArgument, Problem

_Class: TypeAlias = type[Any]
CLASSES: dict[tuple[str, str], _Class] = {}
"""Custom operations by engine and operation; the class defined last."""
DECLARED: dict[tuple[str, str], _Class] = {}
"""The package's operations by engine and operation."""
_PLACEHOLDERS: dict[tuple[str, str, str], _Class] = {}
"""Classes that `find` made, by engine, operation and declaration."""

_PACKAGE = __name__.partition(".")[0]
_PATH = re.compile(r"/api/v1/([\w-]+)(/[\w-]+)+")
_STORED = ("path", "constants", "songs", "reply", "webhook", "poll_by_repost")
_FIELD_EXAMPLE = '{}: Annotated[str | None, Field(help="...")] = None'


def is_custom(namespace: Mapping[str, Any]) -> bool:
    """Return whether a class body is outside the package."""
    return str(namespace.get("__module__")).partition(".")[0] != _PACKAGE


def complete(cls: _Class, body: Mapping[str, Any]) -> None:
    """Name the operation after the class, and the engine as in the path, unless they have names."""
    cls.custom = is_custom(body) or cls.custom
    if hasattr(cls, "path") and "operation" not in body:
        cls.operation = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
    if not hasattr(cls, "engine") and (engine := _engine_of_path(cls)):
        cls.engine = engine
    is_base = cls.__name__.startswith("_") or not hasattr(cls, "engine")
    if not (is_base or cls.custom):
        DECLARED[cls.engine, cls.operation] = cls


def _engine_of_path(cls: _Class) -> str | None:
    path = getattr(cls, "path", None)
    match = _PATH.fullmatch(path) if isinstance(path, str) else None
    return match and match[1]


def register(cls: _Class, base: _Class, body: Mapping[str, Any]) -> None:
    """Check the class of a custom operation, so that `find` returns it.

    Raises
    ------
    InvalidArgument
        The declaration is incomplete or contradictory; the message lists all problems.
    """
    problems = [*_class_problems(cls, base, body)]
    problems = problems or [*_path_problems(cls, body)] or [*_name_problems(cls)]
    if problems:
        raise invalid(cls.__name__, "; ".join(map(str, problems)))
    CLASSES[cls.engine, cls.operation] = cls


def invalid(name: str, message: str) -> InvalidArgument:
    """Return the error about the class of a custom operation."""
    return InvalidArgument(f"class {name} is not a valid operation: {message}")


def _path_problems(cls: _Class, body: Mapping[str, Any]) -> Iterator[Problem]:
    engine = _engine_of_path(cls)
    if engine is None:
        value = repr(cls.path) if hasattr(cls, "path") else "missing"
        yield Problem("path", f"is {value}; it should be like '/api/v1/sonic/create'")
    elif ("engine" in body or "path" in body) and cls.engine != engine:
        message = f"is {cls.engine!r}, but the path is that of {engine!r}; leave the engine out"
        yield Problem("engine", message)


def _class_problems(cls: _Class, base: _Class, body: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield problems of fields and attributes; the annotations of `base` state the types."""
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
    except NameError as error:
        yield Problem("", f"an annotation cannot be resolved ({error})")
        return
    attributes = {
        name: typing.get_args(hint)[0]
        for name, hint in typing.get_type_hints(base, include_extras=True).items()
        if typing.get_origin(hint) is ClassVar
    }
    for field in msgspec.structs.fields(cls):
        if field.name != "extra":
            yield from _field_problems(field, hints[field.name], {*attributes, *dir(base)})
    for name, value in body.items():
        if name in attributes and name not in cls.__struct_fields__:
            yield from _attribute_problems(name, value, attributes[name])
        elif name not in cls.__struct_fields__ and not (
            name.startswith("_") or callable(value) or isinstance(value, property | classmethod)
        ):
            import difflib  # noqa: PLC0415 - needed for wrong names alone

            near = " or ".join(difflib.get_close_matches(name, attributes))
            hint = f"meant is perhaps {near}" if near else f"write {_FIELD_EXAMPLE.format(name)}"
            yield Problem(name, f"is neither a field nor an attribute of Request; {hint}")


def _field_problems(
    field: msgspec.structs.FieldInfo, hint: Any, reserved: set[str]
) -> Iterator[Problem]:
    declared = [part for part in getattr(hint, "__metadata__", ()) if isinstance(part, Field)]
    if field.name in reserved:
        yield Problem(field.name, "is an attribute of Request: set it without an annotation")
    elif typing.get_origin(hint) is not Annotated or not declared:
        yield Problem(field.name, f"has no Field; write {_FIELD_EXAMPLE.format(field.name)}")
    elif field.required or isinstance(field.default, Field):
        yield Problem(field.name, f"has no default; write {_FIELD_EXAMPLE.format(field.name)}")
    elif declared[0].kind not in typing.get_args(Kind):
        kinds = ", ".join(typing.get_args(Kind))
        yield Problem(field.name, f"has kind {declared[0].kind!r}; the kinds are {kinds}")


def _attribute_problems(name: str, value: Any, expected: Any) -> Iterator[Problem]:
    try:
        msgspec.convert(value, expected, from_attributes=True)
        json.dumps(msgspec.to_builtins(value), allow_nan=False)
    except (TypeError, ValueError):  # msgspec.ValidationError is a ValueError
        readable = re.sub(r"\b[\w.]+\.", "", str(expected))
        yield Problem(name, f"is {value!r:.60}; it should be {readable}")


def _name_problems(cls: _Class) -> Iterator[Problem]:
    for attribute in ("text_fields", "active_when", "tag_fields", "negative_tag_fields"):
        for name in getattr(cls, attribute):
            if name not in cls.__struct_fields__:
                yield Problem(attribute, f"{name!r} is not a field of the class")
    if cls.description_field not in {None, *cls.__struct_fields__}:
        yield Problem("description_field", f"{cls.description_field!r} is not a field of the class")
    declared = DECLARED.get((cls.engine, cls.operation))
    if declared and (declared.path, declared.constants) != (cls.path, cls.constants):
        yield Problem(
            "operation",
            f"{cls.engine}.{cls.operation} is {cls.engine}.{declared.__name__} of the package; "
            f"name yours otherwise, such as operation = 'my_{cls.operation}'",
        )


# --- in a library ----------------------------------------------------------------------------


def declaration(request: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the class of a request declares, as JSON values for `find`.

    `fields` are the request's set fields. What `body` makes of them (a default, a field inside
    another) is in `changes`; None stands for a name that is not sent.
    """
    cls = type(request)
    values = {"name": cls.__name__, **{name: getattr(cls, name) for name in _STORED}}
    declared: dict[str, Any] = msgspec.to_builtins(values)
    plain, body = {**declared["constants"], **fields}, request.body()
    changes = {name: value for name, value in body.items() if plain.get(name) != value}
    return declared | {"changes": changes | {name: None for name in plain if name not in body}}


def find(base: _Class, engine: str, operation: str, stored: Mapping[str, Any]) -> _Class:
    """Return the class of a stored custom operation.

    If none was defined in this process, or it sends something else, it is a class without fields
    that keeps all values in `extra`, and is sent, polled or repeated like the original.
    """
    cls = CLASSES.get((engine, operation))
    if cls is not None:
        constants = msgspec.to_builtins(cls.constants)
        if {"path": cls.path, "constants": constants} == identity(stored):
            return cls
    key = engine, operation, json.dumps(stored, sort_keys=True)
    if key not in _PLACEHOLDERS:
        changes = stored["changes"]

        def body(request: Any) -> dict[str, Any]:
            sent: dict[str, Any] = {**base.body(request), **changes}
            return {name: sent[name] for name in sent if changes.get(name, "") is not None}

        values = {name: stored[name] for name in _STORED}
        values |= {"engine": engine, "operation": operation, "custom": True, "body": body}
        metaclass: Any = type(base)
        _PLACEHOLDERS[key] = metaclass(stored["name"], (base,), values | {"__module__": __name__})
    return _PLACEHOLDERS[key]


def identity(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a declaration that distinguishes its requests from those of others."""
    return {"path": stored["path"], "constants": stored["constants"]}
