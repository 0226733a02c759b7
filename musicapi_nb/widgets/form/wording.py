"""Texts of the form: its head, open problems, and the label of the button. No I/O."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines import Request, operation_summary
from musicapi_nb.errors import Problem
from musicapi_nb.widgets.form.controls import label_of


def head(operation: type[Request], *, simulated: bool) -> dict[str, Any]:
    """Return title, badges (paid or simulated, availability) and description of an operation."""
    badges = [["simulated", ""] if simulated else ["paid", "warn"]]
    if operation.availability:
        badges.append([operation.availability.status, "bad"])
    return {
        "title": name_of(operation),
        "badges": badges,
        "description": operation_summary(operation),
    }


def choices(operations: Sequence[type[Request]], selected: type[Request]) -> dict[str, Any]:
    """Return the engines and the selected engine's operations, each as value and label."""
    engines = dict.fromkeys(operation.engine for operation in operations)
    labels = [
        [operation.operation, f"{operation.__name__}: {operation_summary(operation).rstrip('.')}"]
        for operation in operations
        if operation.engine == selected.engine
    ]
    return {
        "engine": selected.engine,
        "engines": [[name, name] for name in engines],
        "operation": selected.operation,
        "operations": labels,
    }


def name_of(operation: type[Request]) -> str:
    """Return the operation's name in code, such as "sonic.Create"."""
    return f"{operation.engine}.{operation.__name__}"


def summary(problems: Sequence[Problem], fields: Collection[str]) -> list[list[str]]:
    """Return text and tone of problems without a field, then the fields that block the button."""
    lines = [
        [str(problem), "bad" if problem.hard else "warn"]
        for problem in problems
        if problem.field not in fields
    ]
    blocking = dict.fromkeys(
        label_of(problem.field) for problem in problems if problem.hard and problem.field in fields
    )
    return [*lines, [f"Still to do: {', '.join(blocking)}.", ""]] if blocking else lines


def button_label(request: Request, balance: float | None) -> str:
    """Return the action, its price, and the balance afterwards (if `balance` is known)."""
    price, songs = request.price(), _song_count(request)
    action = f"Make {songs} song{'' if songs == 1 else 's'}" if songs else "Send"
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


def _song_count(request: Request) -> int:
    """Return how many songs a request makes; a list of requests makes those of its items."""
    if request.reply != "task":
        return 0
    values = (getattr(request, name) for name, field in request.fields().items() if field.item)
    lists = (value for value in values if isinstance(value, list | tuple))
    items = [item for value in lists for item in value if isinstance(item, Request)]
    return sum(map(_song_count, items)) if items else request.songs or 0


def read_extra(text: str) -> tuple[dict[str, Any], list[Problem]]:
    """Parse the JSON of "Other fields"; return the fields and the problems."""
    if not text.strip():
        return {}, []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, [Problem("extra", f"is not valid JSON: {error}")]
    if not isinstance(value, dict):
        return {}, [Problem("extra", 'should be a JSON object: {"name": "value"}')]
    return value, []
