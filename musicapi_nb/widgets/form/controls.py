"""One control for each kind of field: its data for the page, and its value in Python. No I/O."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from musicapi_nb.engines import Field, Request
from musicapi_nb.engines.request import Segment
from musicapi_nb.errors import InvalidRequest, Problem
from musicapi_nb.tasks.tags import split_at_commas

_SOURCE_KINDS = {"clip", "clips", "requests", "url"}  # what an operation works on: comes first
_WIDE_KINDS = {"long text", "tags", "segments", "choices"} | _SOURCE_KINDS


class Control:
    """One field of a request as a person edits it, and whether it was `touched`.

    `raw` is the control's value in the page: text, bool, number or None, or a list of texts. The
    initial value is returned unchanged until the person changes it.
    """

    def __init__(self, name: str, field: Field, value: Any) -> None:
        self.name = name
        self.field = field
        self.touched = False
        self._kind = _kind(field)
        self._initial = _default(field) if value is None else value
        self._off = None if self._initial is None else False
        self.raw = self._initial_raw = self._kind.write(self._initial)

    def type(self, raw: Any) -> None:
        """Take a typed value; ignore one of a type that this control does not produce."""
        is_fraction = self.field.kind == "fraction" and raw == _number_or_none(raw)
        if isinstance(raw, type(self._initial_raw)) or is_fraction:
            self.touched = True
            self.raw = raw

    def read(self) -> Any:
        """Return the field's value: None if left out, the typed text if it cannot be parsed."""
        return self._parse()[0]

    def _parse(self) -> tuple[Any, str]:
        """Return the field's value, and the reason if the typed text cannot be parsed."""
        if self.raw == self._initial_raw:
            return self._initial, ""
        try:
            value = self._kind.read(self.raw)
        except ValueError as error:
            return self.raw, str(error) if isinstance(error, _Unreadable) else ""
        return (self._off if value is False else value), ""

    def spec(self) -> dict[str, Any]:
        """Return what the page needs to draw the control."""
        options = self._kind.options
        return {
            "name": self.name,
            "label": label_of(self.name),
            "control": self._kind.control,
            "wide": self.field.kind in _WIDE_KINDS,
            **(options(self.field, self._initial_raw) if callable(options) else options or {}),
        }

    def state(
        self, problems: Sequence[Problem], model: str | None, *, is_active: bool
    ) -> dict[str, Any]:
        """Return the message below the control (a problem replaces the help) and the length."""
        value, reason = self._parse()
        problems = [problem for problem in problems if problem.field == self.name]
        errors = [problem for problem in problems if problem.hard]
        is_wrong = bool(errors) and (self.touched or value not in (None, ""))
        message = (errors and reason) or " ".join(
            _sentence(p.message) for p in (errors or problems)
        )
        count = self._count(value)
        limit = self.field.max_items or self.field.limit_for(model)
        has_chips = self.field.kind == "tags" and not message and isinstance(value, str)
        return {
            "shown": is_active,
            "message": message or self.field.help,
            "tone": "bad" if is_wrong else "warn" if message else "",
            "count": "" if limit is None else f"{count:,} / {limit:,}",
            "over": limit is not None and count > limit,
            "chips": list(split_at_commas(value)) if has_chips else [],
        }

    def _count(self, value: Any) -> int:
        """Return the length of a text or list; of a list that cannot be parsed, its lines."""
        if isinstance(value, str) and self.field.max_items is not None:
            return sum(1 for line in value.splitlines() if line.strip())
        return len(value) if isinstance(value, str | list | tuple) else 0


def _default(field: Field) -> Any:
    """Return what a control without a value starts with: the newest model, or "off"."""
    if field.kind == "switch" and (field.required or field.advice_if_missing):
        return False
    return field.choices[0] if field.required and field.allow_other else None


def label_of(name: str) -> str:
    """Return a field's label: "Custom mode" of "custom_mode", "Start (seconds)" of "start_s"."""
    label = name.removesuffix("_s").replace("_", " ").capitalize()
    return f"{label} (seconds)" if name.endswith("_s") else label


def fields_in_order(operation: type[Request]) -> Mapping[str, Field]:
    """Return the fields in display order: required, texts, wide controls, optional."""

    def rank(name: str) -> int:
        field = operation.fields()[name]
        if name in operation.text_fields:
            return 1
        if field.required and field.kind in _SOURCE_KINDS:
            return 0
        if field.kind in _WIDE_KINDS:
            return 2
        return 0 if field.required else 3

    return {name: operation.fields()[name] for name in sorted(operation.fields(), key=rank)}


def can_take(field: Field, value: Any) -> bool:
    """Return whether a field can hold a value that was typed into another of the same kind."""
    if field.kind == "choice":
        return value is None or value in field.choices
    if field.kind == "choices":
        return all(item in field.choices for item in value or ())
    return True


def _number_or_none(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."


class _Unreadable(ValueError):
    """A typed text cannot be parsed; the message gives the reason to the user."""


class _Kind(NamedTuple):
    """How one kind of field is edited, with the kind of control in form.js.

    `write` converts a field's value to the control's raw value, and `read` converts it back or
    raises ValueError. `options` are further data for the page, or a function of field and raw
    value that returns them.
    """

    control: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    options: dict[str, Any] | Callable[[Field, Any], dict[str, Any]] | None = None


def _kind(field: Field) -> _Kind:
    if field.kind == "requests":
        read = functools.partial(_read_requests, field.item)
        return _Kind("long", _write_requests, read, _REQUESTS_HINT)
    if field.kind == "choice" and field.allow_other:
        hint = {"choices": field.choices, "placeholder": "choose one, or type another"}
        return _TEXT._replace(options=hint)
    return _KINDS.get(field.kind, _TEXT)


def _write_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _read_text(raw: str) -> str | None:
    return raw if raw.strip() else None


def _read_integer(raw: str) -> int | None:
    return int(raw) if raw.strip() else None


def _read_number(raw: str) -> float | None:
    try:
        return _read_integer(raw)
    except ValueError:
        return float(raw)


def _range(field: Field, raw: float | None) -> dict[str, Any]:
    """Return the ends of the slider, wide enough for an initial value beyond the limits."""
    low = 0.0 if field.minimum is None else field.minimum
    high = 1.0 if field.maximum is None else field.maximum
    value = low if raw is None else raw
    return {"low": min(low, value), "high": max(high, value)}


def _choices(field: Field, raw: list[str]) -> dict[str, Any]:
    return {"choices": list(dict.fromkeys([*field.choices, *raw]))}


def _options(field: Field, raw: str) -> dict[str, Any]:
    empty = "choose one" if field.required else "service's default"
    values = filter(None, dict.fromkeys([*field.choices, raw]))
    return {"options": [["", empty], *([value, value] for value in values)]}


def _as_list(value: Any) -> list[str]:
    return list(map(str, value)) if isinstance(value, list | tuple) else []


def _write_segments(value: Any) -> str:
    parts = value if isinstance(value, list | tuple) else ()
    return "\n".join(f"{part.name} {part.duration}" for part in parts if isinstance(part, Segment))


def _read_segments(raw: str) -> list[Segment] | None:
    lines = [line.split() for line in raw.splitlines() if line.strip()]
    return [Segment(name=name, duration=int(seconds)) for name, seconds in lines] or None


def _write_requests(value: Any) -> str:
    requests = value if isinstance(value, list | tuple) else ()
    items = (item for item in requests if isinstance(item, msgspec.Struct))
    return "\n".join(json.dumps(msgspec.to_builtins(item), ensure_ascii=False) for item in items)


def _read_requests(request_type: Any, raw: str) -> list[Any] | None:
    lines = [(number, line) for number, line in enumerate(raw.splitlines(), 1) if line.strip()]
    return [_read_request(request_type, line, f"Line {number}") for number, line in lines] or None


def _read_request(request_type: Any, line: str, label: str) -> Any:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        place = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise _Unreadable(f"{label} is not valid JSON{place}.") from None
    if not isinstance(values, dict):
        raise _Unreadable(f'{label} should be a JSON object: {{"custom_mode": false, ...}}.')
    try:
        return request_type(**values)
    except InvalidRequest as error:
        raise _Unreadable(f"{label}: {'; '.join(map(str, error.problems))}.") from None


_TEXT = _Kind("text", _write_text, _read_text)
_NUMBER = _Kind("text", _write_text, _read_number, {"numeric": True})
_CLIPS_HINT = {"placeholder": "ids, comma-separated"}
_SEGMENTS_HINT = {"placeholder": "one part per line: name and seconds\nverse 20"}
_REQUESTS_HINT = {"placeholder": 'one JSON object per line\n{"custom_mode": false, ...}'}
_KINDS: Mapping[str, _Kind] = {
    "long text": _Kind("long", _write_text, _read_text),
    "choice": _Kind("choice", _write_text, lambda raw: raw or None, _options),
    "switch": _Kind("switch", lambda value: value is True, lambda raw: raw),
    "fraction": _Kind("fraction", _number_or_none, lambda raw: raw, _range),
    "integer": _Kind("text", _write_text, _read_integer, {"numeric": True}),
    "whole seconds": _Kind("text", _write_text, _read_integer, {"numeric": True}),
    "number": _NUMBER,
    "seconds": _NUMBER,
    "clips": _Kind(
        "text", _write_text, lambda raw: list(split_at_commas(raw)) or None, _CLIPS_HINT
    ),
    "choices": _Kind("choices", _as_list, lambda raw: _as_list(raw) or None, _choices),
    "segments": _Kind("long", _write_segments, _read_segments, _SEGMENTS_HINT),
}
