"""Parses the line and the body of a %%song cell into a request. No I/O."""

import contextlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines import (
    Field,
    Request,
    custom,
    default_operation,
    nuro,
    operation_summary,
    operations,
)
from musicapi_nb.engines.arguments import field_name, similar_field
from musicapi_nb.engines.values import parse_seconds
from musicapi_nb.errors import InvalidRequest, Problem
from musicapi_nb.tasks.tags import split_at_commas
from musicapi_nb.widgets.form.wording import name_of, read_extra

_MAGIC = "%%song"
_SWITCH_VALUES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_COMMON_OPTIONS = ("take", "extra", "help")
_MAX_CHOICES = 9  # shown in the help


def parse_song_cell(line: str, body: str = "") -> tuple[Request, int]:
    """Parse a `%%song` cell into a request and its take number.

    The line names an engine or an operation, followed by options: the fields of its declaration.
    The body goes to the first active field of the operation's `text_fields`. InvalidRequest if
    the line is malformed or the request is invalid.
    """
    candidates, options = _parse_line(line)
    take = _parse_take(options.pop("take", "1"))
    extra = options.pop("extra", None)
    unknown = [name for name in options if not any(map(_has_option(name), candidates))]
    if unknown:
        raise _invalid(*(_unknown_option(name, candidates) for name in unknown))
    fitting = [kind for kind in candidates if all(_has_option(name)(kind) for name in options)]
    built = [_build_request(operation, options, extra, body) for operation in fitting]
    requests = [request for request in built if request is not None]
    if not requests:
        names = ", ".join(f"--{name}" for name in options) or "a text"
        message = f"no operation of {_label(candidates)} accepts {names} and this body"
        raise _invalid(Problem("", message))
    valid = [request for request in requests if not _count_errors(request)]
    if len(valid) > 1:
        choices = " or ".join(f"{_MAGIC} {name_of(type(request))}" for request in valid)
        raise _invalid(Problem("", f"several operations match; choose {choices}"))
    default = default_operation(fitting)
    request = min(
        requests, key=lambda request: (_count_errors(request), type(request) is not default)
    )
    request.check()
    return request, take


def wants_help(line: str) -> bool:
    """Whether a line is empty or contains --help or -h."""
    return not line.strip() or any(part in {"--help", "-h"} for part in line.split())


def help_text(line: str) -> str:
    """Return the help of `%%song`, of an engine, or of an operation, whichever the line names."""
    names = [part for part in line.split() if not part.startswith("-")]
    if not names:
        return (
            f"{_MAGIC} ENGINE [--field value ...]\n"
            "the rest of the cell holds the lyrics or the prompt\n"
            f"ENGINE: {_text_engines()}, or an operation such as sonic.Create\n"
            f"{_MAGIC} ENGINE --help lists its options"
        )
    candidates = find_operations(names[0])
    if len(candidates) == 1:
        return _operation_help(candidates[0])
    names = [name_of(operation) for operation in candidates]
    lines = [
        f"{_MAGIC} {name:<{max(map(len, names))}}  {operation_summary(operation)}"
        for name, operation in zip(names, candidates, strict=True)
    ]
    hint = f"{_MAGIC} OPERATION --help lists the options of each; those of the default one:"
    return "\n".join([*lines, "", hint, "", _operation_help(default_operation(candidates))])


def _operation_help(operation: type[Request]) -> str:
    lines = [f"{_MAGIC} {name_of(operation)}  {markup.format_credits(operation().price())}"]
    if operation.text_fields:
        lines.append(f"  the cell's text: {' or '.join(operation.text_fields)}")
    for name, field in operation.fields().items():
        required = " (required)" if field.required and field.preset is None else ""
        label = f"{field.label}: " if field.label else ""
        lines.append(f"  --{name}{_value_help(field)}{required}  {label}{field.help}")
    lines.append("  --take N  buys new songs; with a library, each take is bought once")
    lines.append("  --extra JSON  fields that this version does not declare")
    return "\n".join(lines)


def _value_help(field: Field) -> str:
    if field.kind == "switch":
        return " [true|false]"
    if field.choices:
        ellipsis = "|…" if len(field.choices) > _MAX_CHOICES else ""
        return f" {'|'.join(field.choices[:_MAX_CHOICES])}{ellipsis}"
    return f" {field.kind.upper().replace(' ', '-')}"


def _parse_line(line: str) -> tuple[Sequence[type[Request]], dict[str, str]]:
    try:
        name, *parts = shlex.split(line)
    except ValueError as error:
        raise _invalid(Problem("", f"the line cannot be parsed ({error})")) from None
    options: dict[str, str] = {}
    while parts:
        part = parts.pop(0)
        if not part.startswith("--"):
            raise _invalid(Problem(part, "is not an option; quote a value of several words"))
        option, equals, value = part[2:].partition("=")
        if not equals and parts and not parts[0].startswith("--"):
            value = parts.pop(0)
        option = option.replace("-", "_")
        if option in options:
            raise _invalid(Problem(f"--{option}", "is duplicated"))
        options[option] = value
    return find_operations(name), options


def find_operations(name: str) -> Sequence[type[Request]]:
    """Return the operations of an engine that take a text, or the operation of this name.

    InvalidRequest if there is none.
    """
    engine, _, suffix = name.partition(".")
    matches = [
        operation
        for operation in (*operations(), *(custom.CLASSES.values() if suffix else ()))
        if operation.engine == engine and suffix in {"", operation.operation, operation.__name__}
    ]
    if not matches:
        raise _invalid(Problem(name, f"is not an engine or operation; engines: {_text_engines()}"))
    return matches if suffix else [match for match in matches if match.text_fields] or matches


def _text_engines() -> str:
    return ", ".join(dict.fromkeys(kind.engine for kind in operations() if kind.text_fields))


def _parse_take(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise _invalid(Problem("--take", f"should be a whole number >= 1, not {text!r}"))
    return int(text)


def _build_request(
    operation: type[Request], options: Mapping[str, str], extra: str | None, body: str
) -> Request | None:
    """Build a request; return None if the operation has no field for the body."""
    fields = operation.fields()
    values: dict[str, Any] = {}
    for option, text in options.items():
        name = field_name(operation, option)
        if name in values:
            raise _invalid(Problem(f"--{option}", f"is --{name}, which is there twice"))
        values[name] = parse_value(option, fields[name], text)
    values |= _implied_modes(operation, values)
    if body.strip():
        free = (name for name in operation.text_fields if name not in values)
        target = next((name for name in free if _is_allowed(operation, name, values)), None)
        if target is None:
            return None
        values[target] = body.rstrip("\n")
        values |= _implied_modes(operation, values)
    undeclared, problems = read_extra(extra or "")
    if problems:
        raise _invalid(Problem("--extra", problems[0].message))
    return operation(**values, extra=undeclared)


def _implied_modes(operation: type[Request], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the modes that activate the given fields, where the line does not set them."""
    return {
        mode: allowed[0]
        for name in values
        for mode, allowed in operation.active_when.get(name, {}).items()
        if mode not in values and allowed[0] is not None
    }


def _is_allowed(operation: type[Request], name: str, values: Mapping[str, Any]) -> bool:
    """Return whether a field has an effect; the request's checks report a malformed switch."""
    fields, modes = operation.fields(), operation.active_when.get(name, {})
    return all(
        values[mode] in allowed
        or (fields[mode].kind == "switch" and values[mode] not in (True, False))
        for mode, allowed in modes.items()
        if mode in values
    )


def parse_value(name: str, field: Field, text: str) -> Any:
    """Parse the text of an option into the value of its field.

    Malformed values stay text, which the request's checks report. InvalidRequest for an empty
    text, and for requests that are not JSON.
    """
    if field.kind == "switch":
        return _SWITCH_VALUES.get(text.lower(), text) if text else True
    if not text:
        raise _invalid(Problem(f"--{name}", "needs a value"))
    if field.kind in {"seconds", "whole seconds"}:
        with contextlib.suppress(ValueError):
            return parse_seconds(text)
    if field.is_whole or field.kind in {"number", "seconds", "fraction"}:
        return _parse_number(text)
    if field.kind == "requests":
        return _parse_requests(name, field, text)
    if field.kind not in {"choices", "clips", "segments"}:
        return text
    parts = list(split_at_commas(text))
    return _parse_segments(parts) or text if field.kind == "segments" else parts


def _parse_segments(parts: Sequence[str]) -> list[nuro.Segment]:
    """Parse parts such as "intro:10"; return an empty list if one is malformed."""
    pairs = [part.replace(":", " ").split() for part in parts]
    try:
        return [nuro.Segment(name=name, duration=int(seconds)) for name, seconds in pairs]
    except ValueError:
        return []


def _parse_requests(name: str, field: Field, text: str) -> Any:
    """Parse a JSON list of requests; malformed values stay as they are, as in `parse_value`."""
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        message = "is not JSON; write a list: '[{\"custom_mode\": false, ...}]'"
        raise _invalid(Problem(f"--{name}", message)) from None
    if field.item is None or not isinstance(items, list):
        return text
    return [field.item(**item) if isinstance(item, dict) else item for item in items]


def _parse_number(text: str) -> float | str:
    for number_type in (int, float):
        with contextlib.suppress(ValueError):
            return number_type(text)
    return text


def _has_option(option: str) -> Callable[[type[Request]], bool]:
    return lambda operation: field_name(operation, option) in operation.fields()


def _count_errors(request: Request) -> int:
    return sum(problem.hard for problem in request.problems())


def _label(candidates: Sequence[type[Request]]) -> str:
    return candidates[0].engine if len(candidates) > 1 else name_of(candidates[0])


def _unknown_option(name: str, candidates: Sequence[type[Request]]) -> Problem:
    import difflib  # noqa: PLC0415 - needed for wrong names alone

    fields = (similar_field(operation, name) for operation in candidates)
    common = difflib.get_close_matches(name, _COMMON_OPTIONS, n=1)
    near = next((field for field in (*common, *fields) if field), None)
    hint = f"did you mean --{near}? " if near else ""
    message = f"no such option; {hint}{_MAGIC} {_label(candidates)} --help lists them"
    return Problem(f"--{name}", message)


def _invalid(*problems: Problem) -> InvalidRequest:
    return InvalidRequest(_MAGIC, problems)
