"""Requests from the command line: an operation, a text, and fields as NAME=VALUE or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from musicapi_nb.engines import Request, default_operation, operations
from musicapi_nb.engines.arguments import field_name, operation_name
from musicapi_nb.errors import InvalidArgument, InvalidRequest, MissingFile, Problem, UnreadableFile
from musicapi_nb.notebook.song_magic_parser import find_operations, parse_value
from musicapi_nb.paths import local_path
from musicapi_nb.widgets.form.wording import read_extra


def add_operation_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", help="such as sonic (default), studio, nuro, producer")
    parser.add_argument("--operation", help="such as Create (default), Extend, Cover")
    parser.add_argument(
        "--set",
        dest="fields",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of the request, such as mv=sonic-v6; may be repeated",
    )


def operation_of(engine: str | None, operation: str | None) -> type[Request]:
    """Return an operation by the names of `--engine` and `--operation`; by default sonic.Create."""
    if not engine and not operation:
        return default_operation(operations())
    name = operation or ""
    if "." not in name:
        engine = engine or default_operation(operations()).engine
        name = f"{engine}.{operation}" if operation else engine
    try:
        return default_operation(find_operations(name))
    except InvalidRequest as error:
        raise InvalidArgument("; ".join(map(str, error.problems))) from None


def build_request(args: argparse.Namespace) -> Request:
    """Make the request of `run`; InvalidRequest or InvalidArgument says what is wrong."""
    values = read_request_file(args.request) if args.request else {}
    engine, operation = values.pop("engine", None), values.pop("operation", None)
    kind = operation_of(args.engine or engine, args.operation or operation)
    values |= parse_fields(kind, args.fields)
    request = kind(*([args.text] if args.text is not None else []), **values)
    request.check()
    return request


def parse_fields(kind: type[Request], texts: Sequence[str]) -> dict[str, Any]:
    """Return the values of `--set NAME=VALUE`, by name."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidArgument(f"--set takes NAME=VALUE, such as mv=sonic-v6, not {text!r:.60}")
        if name in values:
            raise InvalidArgument(f"--set {name} is repeated; set it once")
        values[name] = parse_field(kind, name, value)
    return values


def parse_field(kind: type[Request], name: str, text: str) -> Any:
    """Parse the text of a field; an unknown field stays text, which the request refuses."""
    if name == "extra":
        undeclared, problems = read_extra(text)
        if problems:
            raise InvalidRequest(operation_name(kind), [Problem(name, problems[0].message)])
        return undeclared
    field = kind.fields().get(field_name(kind, name))
    if field is None:
        return text
    try:
        return parse_value(name, field, text)
    except InvalidRequest as error:
        problems = [Problem(name, problem.message) for problem in error.problems]
        raise InvalidRequest(operation_name(kind), problems) from None


def read_request_file(path: str) -> dict[str, Any]:
    """Return the JSON object in a file, or on standard input for "-"."""
    try:
        text = sys.stdin.read() if path == "-" else local_path(path).read_text("utf-8")
        values = json.loads(text)
    except FileNotFoundError:
        raise MissingFile(f"there is no file {path}") from None
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError):
        raise UnreadableFile(f"{path} is not JSON, such as {_EXAMPLE}") from None
    if not isinstance(values, Mapping):
        raise UnreadableFile(f"{path} is not one JSON object, such as {_EXAMPLE}")
    for name in ("engine", "operation"):
        if not isinstance(values.get(name, ""), str):
            raise UnreadableFile(f"{path}: {name} is not a text, such as {_EXAMPLE}")
    return dict(values)


_EXAMPLE = '{"engine": "sonic", "operation": "Create", "description": "slow jazz"}'
