"""What a form says: its head, what is still to do, and the offer on its button. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from musicapi_nb import markup
from musicapi_nb.engines import Request, operation_summary
from musicapi_nb.errors import Problem
from musicapi_nb.widgets.form.controls import label_of


def head(kind: type[Request], *, simulated: bool) -> dict[str, Any]:
    """Name the operation, and say at once whether it costs money and whether it still exists."""
    badges = [["simulated", ""] if simulated else ["paid", "warn"]]
    if kind.availability:
        badges.append([kind.availability.status, "bad"])
    return {"title": name_of(kind), "badges": badges, "gist": operation_summary(kind)}


def choices(operations: Sequence[type[Request]], kind: type[Request]) -> dict[str, Any]:
    """The engines and, of the chosen one, the operations; each as value and label."""
    engines = dict.fromkeys(each.engine for each in operations)
    own = [each for each in operations if each.engine == kind.engine]
    return {
        "engine": kind.engine,
        "engines": [[name, name] for name in engines],
        "operation": kind.operation,
        "operations": [
            [each.operation, f"{each.__name__}: {operation_summary(each).rstrip('.')}"]
            for each in own
        ],
    }


def name_of(kind: type[Request]) -> str:
    """Spell an operation as code does: "sonic.Create"."""
    return f"{kind.engine}.{kind.__name__}"


def summary(problems: Sequence[Problem], fields: Collection[str]) -> list[list[str]]:
    """What belongs to no field, and the fields that hold the button back; text and tone."""
    own = [each for each in problems if each.field not in fields]
    hard = dict.fromkeys(
        label_of(each.field) for each in problems if each.hard and each.field in fields
    )
    said = [[str(each), "bad" if each.hard else "warn"] for each in own]
    return [*said, [f"Still to do: {', '.join(hard)}.", ""]] if hard else said


def offer(request: Request, balance: float | None) -> str:
    """What the button says: what comes of it, the price, and the balance after it."""
    price, songs = request.price(), _songs(request)
    what = f"Make {songs} song{'' if songs == 1 else 's'}" if songs else "Send"
    if price is None:
        left = "" if balance is None else f" · {balance:,.0f} left now"
        return f"{what}, price unknown{left}"
    if price == 0:
        return f"{what}, costs nothing"
    said = f"{what} for {markup.format_credits(price)}"
    if balance is None:
        return said
    if balance < price:
        return f"{said} · only {balance:,.0f} left"
    return f"{said} · {balance - price:,.0f} left after"


def _songs(request: Request) -> int:
    """How many songs come of it: of a list of requests, those of its items."""
    if request.reply != "task":
        return 0
    items = [
        item
        for name, field in request.fields().items()
        if field.kind == "requests" and isinstance(getattr(request, name), list | tuple)
        for item in getattr(request, name)
        if isinstance(item, Request)
    ]
    return sum(map(_songs, items)) if items else request.songs or 0


def read_extra(text: str) -> tuple[dict[str, Any], list[Problem]]:
    """Read the fields that the form does not know, as JSON; and what is wrong with them."""
    if not text.strip():
        return {}, []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, [Problem("extra", f"is no JSON: {error}")]
    if not isinstance(value, dict):
        return {}, [Problem("extra", 'should be a JSON object: {"name": "value"}')]
    return value, []
