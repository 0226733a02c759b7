"""What a person names: an engine, an operation, or a line of options, read by the declarations."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines import (
    Field,
    Request,
    default_operation,
    nuro,
    operation_summary,
    operations,
)
from musicapi_nb.errors import InvalidArgument, InvalidRequest, Problem
from musicapi_nb.tasks.tags import split_at_commas

_SONG = "%%song"
_SWITCHED = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_OWN = ("take", "extra", "help")


def form_operations(
    what: type[Request] | Request | ModuleType | None,
) -> tuple[tuple[type[Request], ...], Request | None]:
    """Give the operations that a form is to offer, and the request that it starts from.

    Raises
    ------
    InvalidArgument
        It names none.
    """
    if isinstance(what, Request):
        return (type(what),), what
    if isinstance(what, type) and issubclass(what, Request):
        return (what,), None
    wanted = tuple(
        kind for kind in operations() if what is None or getattr(what, kind.__name__, None) is kind
    )
    if not wanted:
        raise InvalidArgument(
            f"a form is made of an operation, a request or an engine, not of {what!r:.60}"
        )
    return wanted, None


def parse_song_cell(line: str, body: str = "") -> tuple[Request, int]:
    """Read the line and the body of a `%%song` cell.

    The line names an engine or an operation, then options: the fields of its declaration.
    The body goes where the operation's `words` say.

    Returns
    -------
    The request, checked, and its take.

    Raises
    ------
    InvalidRequest
        The line cannot be understood, or what it asks for has hard problems; nothing was sent.
    """
    kinds, options = _read_line(line)
    take = _take(options.pop("take", "1"))
    options.pop("help", None)
    extra = options.pop("extra", None)
    unknown = [name for name in options if not any(name in kind.fields() for kind in kinds)]
    if unknown:
        raise _refused(*(Problem(f"--{name}", _no_option(name, kinds)) for name in unknown))
    made = [
        _request(kind, options, extra, body)
        for kind in kinds
        if options.keys() <= kind.fields().keys()
    ]
    found = [request for request in made if request is not None]
    if not found:
        names = ", ".join(f"--{name}" for name in options) or "a text"
        raise _refused(Problem("", f"no operation of {_named(kinds)} takes {names} and this body"))
    good = [request for request in found if not _hard(request)]
    if len(good) > 1:
        fit = " or ".join(f"{_SONG} {_name(type(request))}" for request in good)
        raise _refused(Problem("", f"several operations fit; say {fit}"))
    request = good[0] if good else min(found, key=_hard)
    request.check()
    return request, take


def wants_help(line: str) -> bool:
    """Whether a line asks for help, or says nothing."""
    return not line.strip() or any(part in {"--help", "-h"} for part in line.split())


def help_text(line: str) -> str:
    """Say what a `%%song` line may hold: all engines, an engine's operations, or one's options."""
    named = [part for part in line.split() if not part.startswith("-")][:1]
    if not named:
        engines = dict.fromkeys(kind.engine for kind in operations() if kind.text_fields)
        return (
            f"{_SONG} ENGINE [--field value ...]\n"
            "the cell below it holds the lyrics, or what the song is to be\n"
            f"ENGINE: {', '.join(engines)}, or an operation such as sonic.Create\n"
            f"{_SONG} ENGINE --help lists its options"
        )
    kinds = _kinds(named[0])
    if len(kinds) == 1:
        return _help(kinds[0])
    wide = max(len(_name(kind)) for kind in kinds)
    listed = [f"{_SONG} {_name(kind):<{wide}}  {operation_summary(kind)}" for kind in kinds]
    more = f"{_SONG} OPERATION --help lists the options of each; the usual one's are:"
    return "\n".join([*listed, "", more, "", _help(default_operation(kinds))])


def _help(kind: type[Request]) -> str:
    lines = [f"{_SONG} {_name(kind)}  {markup.format_credits(kind().price())}"]
    if kind.text_fields:
        lines.append(f"  the cell's text: {' or '.join(kind.text_fields)}")
    for name, field in kind.fields().items():
        needed = " (needed)" if field.required else ""
        lines.append(f"  --{name}{_value(field)}{needed}  {field.help}")
    lines.append("  --take N  buys another; the same take is bought once where there is a library")
    lines.append("  --extra JSON  fields that this version does not know")
    return "\n".join(lines)


def _value(field: Field) -> str:
    if field.kind == "switch":
        return " [true|false]"
    if field.choices:
        shown = field.choices[:9]
        return f" {'|'.join(shown)}{'|…' if len(field.choices) > len(shown) else ''}"
    return f" {field.kind.upper().replace(' ', '-')}"


# --- the line -------------------------------------------------------------------------------


def _read_line(line: str) -> tuple[Sequence[type[Request]], dict[str, str]]:
    try:
        first, *parts = shlex.split(line)
    except ValueError as error:
        raise _refused(Problem("", f"the line cannot be read ({error})")) from None
    options: dict[str, str] = {}
    at = 0
    while at < len(parts):
        word, at = parts[at], at + 1
        if not word.startswith("--"):
            raise _refused(Problem(word, "is no option; a value of several words needs quotes"))
        name, equals, value = word[2:].partition("=")
        if not equals:
            given = at < len(parts) and not parts[at].startswith("--")
            value = parts[at] if given else ""
            at += given
        name = name.replace("-", "_")
        if name in options:
            raise _refused(Problem(f"--{name}", "is given twice"))
        options[name] = value
    return _kinds(first), options


def _kinds(name: str) -> Sequence[type[Request]]:
    engine, _, operation = name.partition(".")
    kinds = [
        kind
        for kind in operations()
        if kind.engine == engine and operation in {"", kind.operation, kind.__name__}
    ]
    if not kinds:
        known = ", ".join(dict.fromkeys(kind.engine for kind in operations() if kind.text_fields))
        raise _refused(Problem(name, f"is no engine or operation; there are {known}"))
    return kinds if operation else [kind for kind in kinds if kind.text_fields] or kinds


def _take(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise _refused(Problem("--take", f"should be a whole number from 1 on, not {text!r}"))
    return int(text)


# --- the request ----------------------------------------------------------------------------


def _request(
    kind: type[Request], options: Mapping[str, str], extra: str | None, body: str
) -> Request | None:
    """Make a request of an operation; None where the body has no place in it."""
    fields = kind.fields()
    values = {name: _parsed(name, fields[name], text) for name, text in options.items()}
    values |= _implied(kind, values)
    if body.strip():
        free = (name for name in kind.text_fields if name not in values)
        place = next((name for name in free if _agrees(kind, name, values)), None)
        if place is None:
            return None
        values[place] = body.rstrip("\n")
        values |= _implied(kind, values)
    return kind(**values, extra=_extra(extra))


def _implied(kind: type[Request], values: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the mode in which the given fields are of use, where nobody has chosen one."""
    return {
        other: allowed[0]
        for name in values
        for other, allowed in kind.active_when.get(name, {}).items()
        if other not in values and allowed[0] is not None
    }


def _agrees(kind: type[Request], name: str, values: Mapping[str, Any]) -> bool:
    wanted = kind.active_when.get(name, {})
    return all(values[other] in allowed for other, allowed in wanted.items() if other in values)


def _parsed(name: str, field: Field, text: str) -> Any:
    """Read an option's value; what cannot be read stays text, and the request's checks say so."""
    if field.kind == "switch":
        return _SWITCHED.get(text.lower(), text) if text else True
    if not text:
        raise _refused(Problem(f"--{name}", "needs a value"))
    if field.kind in {"integer", "number", "seconds", "fraction"}:
        return _number(text)
    if field.kind in {"choices", "clips", "segments", "requests"}:
        return _list(name, field, text)
    return text


def _list(name: str, field: Field, text: str) -> Any:
    if field.kind == "requests":
        return _requests(name, field, text)
    parts = list(split_at_commas(text))
    if field.kind != "segments":
        return parts
    pairs = [part.replace(":", " ").split() for part in parts]
    try:
        return [nuro.Segment(name=part, duration=int(seconds)) for part, seconds in pairs]
    except ValueError:
        return text


def _requests(name: str, field: Field, text: str) -> Any:
    """Read requests written as a JSON list of their fields."""
    try:
        each = json.loads(text)
    except (ValueError, RecursionError):
        problem = Problem(
            f"--{name}", "is no JSON; it is a list: '[{\"custom_mode\": false, ...}]'"
        )
        raise _refused(problem) from None
    if field.item is None or not isinstance(each, list):
        return text
    return [field.item(**fields) if isinstance(fields, dict) else fields for fields in each]


def _number(text: str) -> float | str:
    for make in (int, float):
        try:
            return make(text)
        except ValueError:
            continue
    return text


def _extra(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text) if text is not None else {}
    except (ValueError, RecursionError) as error:
        raise _refused(Problem("--extra", f"is no JSON: {error}")) from None
    if not isinstance(value, dict):
        raise _refused(Problem("--extra", 'should be a JSON object: {"name": "value"}'))
    return value


def _hard(request: Request) -> int:
    return sum(problem.hard for problem in request.problems())


def _name(kind: type[Request]) -> str:
    return f"{kind.engine}.{kind.__name__}"


def _named(kinds: Sequence[type[Request]]) -> str:
    return kinds[0].engine if len(kinds) > 1 else _name(kinds[0])


def _no_option(name: str, kinds: Sequence[type[Request]]) -> str:
    import difflib  # noqa: PLC0415 - only for a word that was misspelt

    known = dict.fromkeys(field for kind in kinds for field in (*kind.fields(), *_OWN))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean --{near[0]}? " if near else ""
    return f"no such option; {hint}{_SONG} {_named(kinds)} --help lists them"


def _refused(*problems: Problem) -> InvalidRequest:
    return InvalidRequest(_SONG, problems)
