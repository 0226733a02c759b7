"""One control for each kind of field: its data for the page, and its value in Python. No I/O."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from musicapi_nb import markup
from musicapi_nb.engines import Field
from musicapi_nb.engines.request import Segment
from musicapi_nb.engines.values import parse_seconds
from musicapi_nb.errors import InvalidRequest
from musicapi_nb.tasks.tags import split_at_commas

_MINUTE = 60


class Unreadable(ValueError):
    """A typed text cannot be parsed; the message gives the reason to the user."""


class ControlKind(NamedTuple):
    """How one kind of field is edited, with the kind of control in form.js.

    `write` converts a field's value to the control's raw value, and `read` converts it back or
    raises ValueError. `options` are further data for the page, or a function of field and raw
    value that returns them.
    """

    control: str
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    options: dict[str, Any] | Callable[[Field, Any], dict[str, Any]] | None = None


def control_kind(field: Field) -> ControlKind:
    """Return how a field is edited."""
    if field.kind == "requests":
        read = functools.partial(_read_requests, field.item)
        return ControlKind("long", _write_requests, read, _REQUESTS_HINT)
    if is_mode(field):
        return _KINDS["switch"]._replace(control="tabs", options=_modes)
    return _KINDS.get(field.kind, _TEXT)


def is_mode(field: Field) -> bool:
    """Return whether a field chooses between two modes, drawn as tabs."""
    return field.kind == "switch" and bool(field.option_labels)


def number_or_none(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def song_ids(raw: str) -> list[str]:
    """Return the ids in the value of a song control."""
    return list(split_at_commas(raw))


def format_seconds(value: float) -> str:
    """Return a duration as a person types it: "30 s", "2:30", "1:05.5"."""
    if not 0 <= value < float("inf"):
        return str(value)
    minutes, seconds = divmod(value, _MINUTE)
    if not minutes:
        return f"{seconds:g} s"
    if value % 1:
        return f"{minutes:.0f}:{seconds:06.3f}".rstrip("0")
    return markup.format_duration(value)


def _write_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _read_text(raw: str) -> str | None:
    return raw if raw.strip() else None


def _read_integer(raw: str) -> int | None:
    try:
        return int(raw) if raw.strip() else None
    except ValueError:
        raise Unreadable("A whole number, please.") from None


def _read_number(raw: str) -> float | None:
    if not raw.strip():
        return None
    try:
        return int(raw)
    except ValueError:
        pass
    try:
        return float(raw.replace(",", "."))
    except ValueError:
        raise Unreadable("A number, please.") from None


def _write_seconds(value: Any) -> str:
    number = number_or_none(value)
    return _write_text(value) if number is None else format_seconds(number)


def _read_seconds(raw: str) -> float | None:
    try:
        return parse_seconds(raw) if raw.strip() else None
    except ValueError:
        raise Unreadable("A number of seconds, please: 30, or 2:30.") from None


def _read_whole_seconds(raw: str) -> float | None:
    if isinstance(value := _read_seconds(raw), float):
        raise Unreadable("A whole number of seconds, please: 30, or 2:30.")
    return value


def _range(field: Field, raw: float | None) -> dict[str, Any]:
    """Return the ends of the slider, wide enough for an initial value beyond the limits."""
    low = 0.0 if field.minimum is None else field.minimum
    high = 1.0 if field.maximum is None else field.maximum
    value = low if raw is None else raw
    return {"low": min(low, value), "high": max(high, value)}


def _label(field: Field, choice: Any) -> str:
    label = field.option_labels.get(choice, choice)
    renderer = field.renderers.get(choice)
    return f"{label} (made by {renderer})" if renderer else label


def _modes(field: Field, _: object) -> dict[str, Any]:
    return {"options": [[value, field.option_labels[value]] for value in (False, True)]}


def _choices(field: Field, raw: list[str]) -> dict[str, Any]:
    choices = dict.fromkeys([*field.choices, *raw])
    return {"options": [[choice, _label(field, choice)] for choice in choices]}


def _options(field: Field, raw: str) -> dict[str, Any]:
    unset = "Choose one" if field.required else field.option_labels.get(None, "Automatic")
    if renderer := field.renderers.get(""):
        unset = f"{unset} ({renderer})"
    values = filter(None, dict.fromkeys([*field.choices, raw]))
    options = [["", unset], *([value, _label(field, value)] for value in values)]
    return {"options": options, "other": field.allow_other}


def _songs(field: Field, _: object) -> dict[str, Any]:
    hint = "Search your songs, or paste an id"
    return {"placeholder": hint, "many": field.kind == "clips"}


def _as_list(value: Any) -> list[str]:
    return list(map(str, value)) if isinstance(value, list | tuple) else []


def _write_segments(value: Any) -> str:
    parts = value if isinstance(value, list | tuple) else ()
    return "\n".join(f"{part.name} {part.duration}" for part in parts if isinstance(part, Segment))


def _read_segments(raw: str) -> list[Segment] | None:
    lines = [line.split() for line in raw.splitlines() if line.strip()]
    try:
        return [Segment(name=name, duration=int(seconds)) for name, seconds in lines] or None
    except ValueError:
        raise Unreadable("One section per line, please: its name and seconds, verse 20.") from None


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
        raise Unreadable(f"{label} is not valid JSON{place}.") from None
    if not isinstance(values, dict):
        raise Unreadable(f'{label} should be a JSON object: {{"custom_mode": false, ...}}.')
    try:
        return request_type(**values)
    except InvalidRequest as error:
        raise Unreadable(f"{label}: {'; '.join(map(str, error.problems))}.") from None


_TEXT = ControlKind("text", _write_text, _read_text)
_REQUESTS_HINT = {"placeholder": 'one JSON object per line\n{"custom_mode": false, ...}'}
_KINDS: Mapping[str, ControlKind] = {
    "long text": ControlKind("long", _write_text, _read_text),
    "choice": ControlKind("choice", _write_text, lambda raw: raw or None, _options),
    "switch": ControlKind("switch", lambda value: value is True, lambda raw: raw),
    "fraction": ControlKind("fraction", number_or_none, lambda raw: raw, _range),
    "integer": ControlKind("text", _write_text, _read_integer, {"numeric": True}),
    "number": ControlKind("text", _write_text, _read_number, {"numeric": True}),
    "seconds": ControlKind("text", _write_seconds, _read_seconds),
    "whole seconds": ControlKind("text", _write_seconds, _read_whole_seconds),
    "clip": ControlKind("songs", _write_text, _read_text, _songs),
    "clips": ControlKind("songs", _write_text, lambda raw: song_ids(raw) or None, _songs),
    "choices": ControlKind("choices", _as_list, lambda raw: _as_list(raw) or None, _choices),
    "segments": ControlKind("long", _write_segments, _read_segments),
}
