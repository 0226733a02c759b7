"""Reads the arguments of a new request: text, synonyms, presets, implied mode. No I/O."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from musicapi_nb.engines.fields import Field, is_missing
from musicapi_nb.errors import InvalidRequest, Problem

MODE = "custom_mode"
"""The field that follows from the texts: False with a description, True with lyrics."""


def read_arguments(kind: Any, args: Sequence[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by field of a call such as `sonic.Create("slow jazz", model="sonic-v6")`.

    Fields that are left out get their preset, and the mode that the texts imply. A field that is
    passed as None stays unset: so do those of a stored request.

    Raises
    ------
    InvalidRequest
        A name is not a field, a field is given twice, or a value without a name has no field.
    """
    problems = [] if not args else [*_positional_problems(kind, args)]
    fields, synonyms = kind.__struct_fields__, field_synonyms(kind)
    resolved: dict[str, Any] = {}
    names: dict[str, str] = {}
    if args and not problems:
        resolved[kind.description_field], names[kind.description_field] = args[0], "a text"
    for name, value in values.items():
        field = name if name in fields else synonyms.get(name)
        if field is None:
            problems.append(Problem(name, unknown_field(kind, name)))
        elif field in resolved:
            problems.append(Problem(field, f"is given as {names[field]} and as {name}; give one"))
        else:
            resolved[field], names[field] = value, name
    if problems:
        raise InvalidRequest(operation_name(kind), problems)
    return {**_presets(kind), **_implied_mode(kind, resolved), **resolved}


def operation_name(kind: Any) -> str:
    """Return the name of an operation in code, such as "sonic.Create"."""
    return f"{kind.engine}.{kind.__name__}" if hasattr(kind, "engine") else kind.__name__


@functools.cache
def field_synonyms(kind: Any) -> Mapping[str, str]:
    """Return the field of each synonym. A field's own name is never a synonym of another."""
    fields: Mapping[str, Field] = kind.fields()
    return {
        synonym: name
        for name, field in fields.items()
        for synonym in field.synonyms
        if synonym not in fields
    }


def field_name(kind: Any, name: str) -> str:
    """Return the field that a name or synonym stands for; an unknown name stays as it is."""
    return name if name in kind.fields() else field_synonyms(kind).get(name, name)


def similar_field(kind: Any, name: str) -> str | None:
    """Return the field whose name or synonym is nearest to a misspelled one; None if none is."""
    import difflib  # noqa: PLC0415 - needed for wrong names alone

    names = [*kind.fields(), *field_synonyms(kind)]
    near = difflib.get_close_matches(name.lower(), names, n=1)
    return field_name(kind, near[0]) if near else None


def unknown_field(kind: Any, name: str) -> str:
    """Return the message about a name that is not a field."""
    near = similar_field(kind, name)
    hint = f"did you mean {near}? " if near else ""
    return f"no such field; {hint}Pass fields newer than this version as extra={{{name!r}: ...}}"


def _positional_problems(kind: Any, args: Sequence[Any]) -> Iterable[Problem]:
    if kind.description_field is None:
        names = [name for name, field in kind.fields().items() if field.required]
        names = names or list(kind.fields()) or ["extra"]
        arguments = ", ".join(f"{name}=..." for name in names[:3])
        example = f"{operation_name(kind)}({arguments})"
        yield Problem("", f"fields are passed by name: {example}")
    elif len(args) > 1 or not isinstance(args[0], str):
        example = f'{operation_name(kind)}("slow jazz", title="Rain")'
        yield Problem("", f"takes one text, then fields by name: {example}")


@functools.cache
def _presets(kind: Any) -> Mapping[str, Any]:
    fields: Mapping[str, Field] = kind.fields()
    return {name: field.preset for name, field in fields.items() if field.preset is not None}


def _implied_mode(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mode that the texts imply: description or lyrics.

    Nothing, so that the request is refused, if both are given, or neither.
    """
    mode = kind.fields().get(MODE)
    if mode is None or not mode.required:  # else a request would change that was valid without it
        return {}
    names = {name for name, value in values.items() if not is_missing(value)}
    descriptions, texts = _texts_by_mode(kind)
    described, written = not names.isdisjoint(descriptions), not names.isdisjoint(texts)
    if described or written:
        return {MODE: written} if described != written else {}
    return {} if names.isdisjoint(kind.tag_fields) else {MODE: True}


def missing_mode(request: Any) -> str:
    """Return the message about a mode that is neither given nor implied by the texts."""
    descriptions, texts = _texts_by_mode(request.__class__)
    named = [name for name in request.fields() if not is_missing(getattr(request, name))]
    description = next((name for name in named if name in descriptions), None)
    text = next((name for name in named if name in texts), None)
    if description and text:
        return f"is required: True to use {text}, False to use {description}; or give one of them"
    description, text = (
        next(name for name in request.text_fields if name in fields)
        for fields in (descriptions, texts)
    )
    return f"is required, or a text that implies it: {description}=... or {text}=..."


@functools.cache
def _texts_by_mode(kind: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return the fields of the description, and those of lyrics."""
    modes = {name: modes.get(MODE, ()) for name, modes in kind.active_when.items()}
    descriptions = frozenset(name for name, allowed in modes.items() if allowed == (False,))
    written = {name for name, allowed in modes.items() if allowed == (True,)}
    return descriptions, frozenset(written | {*kind.text_fields}) - descriptions
