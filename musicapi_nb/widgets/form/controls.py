"""One control for each kind of field: what it shows, and what its raw value means. Pure."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from musicapi_nb.engines import Field, Request
from musicapi_nb.engines.request import Segment
from musicapi_nb.errors import InvalidRequest, Problem
from musicapi_nb.tasks.tags import split_at_commas

_SOURCES = {"clip", "clips", "requests", "url"}  # what an operation is about: it comes first
_WIDE = {"long text", "tags", "segments", "choices"} | _SOURCES
_LEFT_OUT = "left to the service"


class Control:
    """One field of a request as a person types it.

    A value that came with the request is given back as it was, until the person changes it.

    Attributes
    ----------
    raw
        What the front end's control holds: text, a bool, a number or None, a list of texts.
    touched
        Whether the person has changed it.
    """

    def __init__(self, name: str, field: Field, value: Any) -> None:
        self.name = name
        self.field = field
        self.label = label_of(name)
        self.touched = False
        self._kind = _kind(field)
        is_switch = field.kind == "switch"
        self._given = False if is_switch and value is None and field.required else value
        self._off = None if self._given is None else False
        self.raw = self._start = self._kind.write(self._given)

    def type(self, raw: Any) -> None:
        """Take what a person has typed; what is of another type than the control's is none."""
        if isinstance(raw, type(self._start)) or (self.field.kind == "fraction" and _number(raw)):
            self.touched = True
            self.raw = raw

    def read(self) -> Any:
        """Give the field's value: None for what is left out, the text itself for what is odd."""
        if self.raw == self._start:
            return self._given
        value = self._kind.read(self.raw)
        return self._off if value is False else value

    def spec(self) -> dict[str, Any]:
        """Say what the front end is to draw."""
        return {
            "name": self.name,
            "label": self.label,
            "control": self._kind.control,
            "wide": self.field.kind in _WIDE,
            **self._kind.more(self.field, self._start),
        }

    def _count(self, value: Any) -> int:
        """How long a text is, or how many a list has: a line each while it cannot be read."""
        if isinstance(value, str) and self.field.max_items is not None:
            return sum(1 for line in value.splitlines() if line.strip())
        return len(value) if isinstance(value, str | list | tuple) else 0

    def state(
        self, problems: Sequence[Problem], model: str | None, *, shown: bool
    ) -> dict[str, Any]:
        """Say what stands below it: what is wrong in the place of the help, and how long it is."""
        value = self.read()
        hard = [problem for problem in problems if problem.hard]
        blamed = bool(hard) and (self.touched or value not in (None, ""))
        why = self._kind.why(self.raw) if isinstance(value, str) and hard else ""
        said = why or " ".join(_sentence(problem.message) for problem in (hard or problems))
        count = self._count(value)
        most = self.field.max_items or self.field.limit_for(model)
        tags = self.field.kind == "tags" and not said and isinstance(value, str)
        return {
            "shown": shown,
            "said": said or self.field.help,
            "tone": "bad" if blamed else "warn" if said else "",
            "count": "" if most is None else f"{count:,} / {most:,}",
            "over": most is not None and count > most,
            "chips": list(split_at_commas(value)) if tags else [],
        }


def label_of(name: str) -> str:
    """Name a field for people: "custom_mode" is "Custom mode", "start_s" is "Start (seconds)"."""
    words = name.removesuffix("_s").replace("_", " ").capitalize()
    return f"{words} (seconds)" if name.endswith("_s") else words


def in_order(kind: type[Request]) -> Mapping[str, Field]:
    """The fields as a person fills them in: what is needed, the words, the long, the short."""

    def place(name: str) -> int:
        field = kind.fields()[name]
        if name in kind.text_fields:
            return 1
        if field.required and field.kind in _SOURCES:
            return 0
        if field.kind in _WIDE:
            return 2
        return 0 if field.required else 3

    return {name: kind.fields()[name] for name in sorted(kind.fields(), key=place)}


def can_take(field: Field, value: Any) -> bool:
    """Whether a value that was typed for a field of this name and kind may stand in this one."""
    if field.kind == "choice" and not field.allow_other:
        return value is None or value in field.choices
    if field.kind == "choices":
        return all(item in field.choices for item in value or ())
    return True


def _number(raw: Any) -> bool:
    return raw is None or (isinstance(raw, int | float) and not isinstance(raw, bool))


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."


# --- the kinds ------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind is drawn, how a value becomes what the control holds, and back."""

    control: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    more: Callable[[Field, Any], dict[str, Any]] = lambda _field, _raw: {}
    why: Callable[[str], str] = lambda _raw: ""  # what cannot be read in it


def _kind(field: Field) -> _Kind:
    if field.kind == "choice" and field.allow_other:
        return _OPEN_CHOICE
    if field.kind == "requests":
        return dataclasses.replace(
            _REQUESTS,
            read=functools.partial(_read_requests, field),
            why=functools.partial(_why_no_requests, field),
        )
    return _KINDS.get(field.kind, _TEXT)


def _as_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _read_text(raw: str) -> str | None:
    return raw if raw.strip() else None


def _read_whole(raw: str) -> int | str | None:
    try:
        return int(raw)
    except ValueError:
        return _read_text(raw)


def _read_number(raw: str) -> float | str | None:
    whole = _read_whole(raw)
    if not isinstance(whole, str):
        return whole
    try:
        return float(raw)
    except ValueError:
        return whole


def _write_fraction(value: Any) -> float | None:
    return value if _number(value) else None


def _span(field: Field, raw: float | None) -> dict[str, Any]:
    low = 0.0 if field.minimum is None else field.minimum
    high = 1.0 if field.maximum is None else field.maximum
    at = low if raw is None else raw
    return {"low": min(low, at), "high": max(high, at)}  # an odd value is shown, not bent


def _options(field: Field, raw: str) -> dict[str, Any]:
    first = "choose one" if field.required else _LEFT_OUT
    known = [*field.choices, *([raw] if raw and raw not in field.choices else [])]
    return {"options": [["", first], *([each, each] for each in known)]}


def _list(value: Any) -> list[str]:
    return list(map(str, value)) if isinstance(value, list | tuple) else []


def _all_choices(field: Field, raw: list[str]) -> dict[str, Any]:
    return {"choices": [*field.choices, *(each for each in raw if each not in field.choices)]}


def _write_segments(value: Any) -> str:
    parts = value if isinstance(value, list | tuple) else ()
    return "\n".join(f"{part.name} {part.duration}" for part in parts if isinstance(part, Segment))


def _read_segments(raw: str) -> list[Segment] | str | None:
    lines = [line.split() for line in raw.splitlines() if line.strip()]
    try:
        parts = [Segment(name=name, duration=int(seconds)) for name, seconds in lines]
    except ValueError:
        return raw
    return parts or None


def _read_list(raw: str) -> list[str] | None:
    return list(split_at_commas(raw)) or None


def _write_requests(value: Any) -> str:
    parts = value if isinstance(value, list | tuple) else ()
    lines = (msgspec.to_builtins(part) for part in parts if isinstance(part, msgspec.Struct))
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)


def _read_requests(field: Field, raw: str) -> list[Any] | str | None:
    try:
        return _requests(field, raw) or None
    except ValueError:
        return raw


def _why_no_requests(field: Field, raw: str) -> str:
    try:
        _requests(field, raw)
    except ValueError as error:
        return str(error)
    return ""


def _requests(field: Field, raw: str) -> list[Any]:
    """Read a request a line; ValueError says which line is none, and why."""
    assert field.item is not None  # noqa: S101 - the kind is declared with one
    found = []
    for number, line in enumerate(raw.splitlines(), 1):
        if line.strip():
            found.append(_one_request(field.item, line, f"Line {number}"))
    return found


def _one_request(kind: Callable[..., Any], line: str, where: str) -> Any:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is no JSON from character {error.pos + 1} on.") from None
    except (ValueError, RecursionError):
        raise ValueError(f"{where} is no JSON that can be read.") from None
    if not isinstance(values, dict):
        raise ValueError(f'{where} should be a JSON object: {{"custom_mode": false, ...}}.')  # noqa: TRY004 - a person typed it
    try:
        return kind(**values)
    except InvalidRequest as error:
        raise ValueError(f"{where}: {'; '.join(map(str, error.problems))}.") from None


_TEXT = _Kind("text", _as_text, _read_text)
_REQUESTS = _Kind(
    "long",
    _write_requests,
    _read_text,
    lambda _field, _raw: {
        "placeholder": 'a line for each: its fields as JSON\n{"custom_mode": false, ...}'
    },
)
_OPEN_CHOICE = _Kind(
    "text",
    _as_text,
    _read_text,
    lambda field, _: {"choices": field.choices, "placeholder": "choose one, or type another"},
)
_KINDS: Mapping[str, _Kind] = {
    "long text": _Kind("long", _as_text, _read_text),
    "choice": _Kind("choice", _as_text, lambda raw: raw or None, _options),
    "switch": _Kind("switch", lambda value: value is True, lambda raw: raw),
    "fraction": _Kind("fraction", _write_fraction, lambda raw: raw, _span),
    "integer": _Kind("text", _as_text, _read_whole, lambda _field, _raw: {"numeric": True}),
    "number": _Kind("text", _as_text, _read_number, lambda _field, _raw: {"numeric": True}),
    "seconds": _Kind("text", _as_text, _read_number, lambda _field, _raw: {"numeric": True}),
    "clips": _Kind(
        "text", _as_text, _read_list, lambda _field, _raw: {"placeholder": "ids, comma-separated"}
    ),
    "choices": _Kind("choices", _list, lambda raw: _list(raw) or None, _all_choices),
    "segments": _Kind(
        "long",
        _write_segments,
        _read_segments,
        lambda _field, _raw: {
            "placeholder": "a line for each part: its name and its seconds\nverse 20"
        },
    ),
}
