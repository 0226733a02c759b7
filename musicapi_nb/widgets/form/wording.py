"""Texts of the form: its head, messages, open problems, and the label of the button. No I/O."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines import Field, Request, operation_summary
from musicapi_nb.engines.fields import label_of
from musicapi_nb.errors import Problem

_SETTING = re.compile(r"""\b([a-z]\w*)(?:=(True|False|'[^']*'|"[^"]*"))?""")


def head(operation: type[Request], *, simulated: bool) -> dict[str, Any]:
    """Return title, name and badges (paid or simulated, status) of an operation."""
    badges = [["simulated", ""] if simulated else ["paid", "warn"]]
    if operation.availability:
        badges.append([operation.availability.status, "bad"])
    name = name_of(operation)
    return {"title": _title(operation) or name, "name": name, "badges": badges}


def _title(operation: type[Request]) -> str:
    return operation_summary(operation).rstrip(".")


def choices(operations: Sequence[type[Request]], selected: type[Request]) -> dict[str, Any]:
    """Return the engines, and the selected engine's operations as value, label and group."""
    engines = dict.fromkeys(operation.engine for operation in operations)
    labels = [
        [operation.operation, _title(operation) or operation.__name__, operation.group]
        for operation in operations
        if operation.engine == selected.engine
    ]
    return {
        "engine": selected.engine,
        "engines": [[name, name, ""] for name in engines],
        "operation": selected.operation,
        "operations": labels,
    }


def name_of(operation: type[Request]) -> str:
    """Return the operation's name in code, such as "sonic.Create"."""
    return f"{operation.engine}.{operation.__name__}"


def sentences(problems: Sequence[Problem], fields: Mapping[str, Field]) -> str:
    """Return the messages of problems as sentences that name fields by their labels."""
    return " ".join(_sentence(_with_labels(problem.message, fields)) for problem in problems)


def request_for(problem: Problem, field: Field, fields: Mapping[str, Field]) -> str:
    """Return a hint for an empty field: a part of its problem, or its help text."""
    wish = problem.message.partition(": ")[2]
    return _sentence(_with_labels(wish, fields)) if wish else field.help


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."


def _with_labels(message: str, fields: Mapping[str, Field]) -> str:
    """Replace wire names, and settings such as `custom_mode=True`, by the labels of the form.

    A name that is also a word, such as `title`, is only replaced in a setting.
    """

    def replace(match: re.Match[str]) -> str:
        name, value = match.groups()
        if name not in fields or (value is None and "_" not in name):
            return match[0]
        texts = {repr(key): text for key, text in fields[name].option_labels.items()}
        value = value and value.replace('"', "'")
        return f"“{texts.get(value, label_of(name, fields[name]))}”"

    return _SETTING.sub(replace, message)


def summary(
    problems: Sequence[Problem], blockers: Mapping[str, Collection[str]], fields: Collection[str]
) -> list[list[str]]:
    """Return text and tone of problems without a field, then the fields that block the button.

    `blockers` are labels of fields by the reason for which they block it.
    """
    lines = [
        [_line(problem), "bad" if problem.hard else "warn"]
        for problem in problems
        if problem.field not in fields
    ]
    reasons = (f"{reason}: {', '.join(labels)}." for reason, labels in blockers.items())
    text = " · ".join(reasons)
    return [*lines, [text, ""]] if text else lines


def _line(problem: Problem) -> str:
    subject = "Extra fields: " if problem.field == "extra" else ""
    return subject + problem.message if subject else _sentence(str(problem))


def button_label(request: Request, balance: float | None) -> str:
    """Return the action, its price, and the balance afterwards (if `balance` is known)."""
    price = request.price()
    action = request.action or _make(request)
    if price is None:
        left = "" if balance is None else f" · {balance:,.0f} left now"
        assumed = request.assumed_price()
        sibling = f" (perhaps {assumed.credits})" if assumed else ""
        return f"{action}, price unknown{sibling}{left}"
    if price == 0:
        return f"{action}, costs nothing"
    offer = f"{action} for {markup.format_credits(price)}"
    if balance is None:
        return offer
    if balance < price:
        return f"{offer} · only {balance:,.0f} left"
    return f"{offer} · {balance - price:,.0f} left after"


def _make(request: Request) -> str:
    if request.reply != "task" or request.songs == 0:
        return "Send"
    songs = _song_count(request)
    if not songs:
        return "Make songs"
    return f"Make {songs} song{'' if songs == 1 else 's'}"


def _song_count(request: Request) -> int:
    """Return how many songs a request makes; a list of requests makes those of its items."""
    if request.reply != "task":
        return 0
    values = (getattr(request, name) for name, field in request.fields().items() if field.item)
    lists = (value for value in values if isinstance(value, list | tuple))
    items = [item for value in lists for item in value if isinstance(item, Request)]
    return sum(map(_song_count, items)) if items else request.songs or 0


def read_extra(text: str) -> tuple[dict[str, Any], list[Problem]]:
    """Parse the JSON of "Extra fields"; return the fields and the problems."""
    if not text.strip():
        return {}, []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, [Problem("extra", f"is not valid JSON: {error}")]
    if not isinstance(value, dict):
        return {}, [Problem("extra", 'should be a JSON object: {"name": "value"}')]
    return value, []
