"""Budgets: limits in credits that purchases are reserved against."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from musicapi_nb.engines import Request
from musicapi_nb.engines.values import whole_number
from musicapi_nb.errors import InvalidArgument, LibraryError, OverBudget, UnknownPrice
from musicapi_nb.ledger_types import Entry
from musicapi_nb.tasks.json_reader import clean

_MAX_CREDITS = 10**15  # SQLite adds up 64 bits


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """A limit in credits, and the credits `held`: spent, under way or possibly spent.

    `assume` is counted for a request of unknown price; None: such requests are refused.
    """

    name: str
    credits: int
    held: int
    assume: int | None = None

    @property
    def remaining(self) -> int:
        return max(self.credits - self.held, 0)


def budget_event(name: str, credits_: Any, assume: Any) -> dict[str, Any]:
    """Return the data of an event that sets a budget; InvalidArgument for other values."""
    numbers = [whole_number(value) for value in (credits_, assume) if value is not None]
    valid = all(number is not None and number <= _MAX_CREDITS for number in numbers)
    if not name or name != clean(name) or credits_ is None or not valid:
        raise InvalidArgument("a budget needs a name and a number of credits, 0 or more")
    return {"name": name, "credits": numbers[0], "assume": None if assume is None else numbers[1]}


def budgets(connection: sqlite3.Connection) -> dict[str, Budget]:
    """Return all budgets by name."""
    rows = connection.execute("SELECT name, credits, held, assume FROM budgets ORDER BY name")
    return {row[0]: Budget(*row) for row in rows}


def reserve_credits(connection: sqlite3.Connection, request: Request, names: Sequence[str]) -> int:
    """Return the credits to hold for a request, once every budget covers them."""
    operation = f"{request.engine}.{request.operation}"
    available = budgets(connection) if names else {}
    price = request.price()
    credits_ = 0 if price is None else whole_number(price)
    if credits_ is None or credits_ > _MAX_CREDITS:  # a class of the user may compute it
        raise InvalidArgument(f"the price of {operation} is {price!r:.40}, not a number of credits")
    for name in names:
        if name not in available:
            raise LibraryError(f"there is no budget {name!r}; create it with set_budget")
        if price is None and (assume := available[name].assume) is not None:
            credits_ = max(credits_, assume)
        elif price is None:
            assumed = request.assumed_price()
            raise UnknownPrice(
                f"the price of {operation} is unknown, and budget {name!r} assumes none"
                + (f"; set_budget accepts {assumed.proposal}" if assumed else "")
            )
    for name in names:
        budget = available[name]
        if budget.held + credits_ > budget.credits:
            raise OverBudget(
                f"not enough in the budget {name!r}: {operation} needs {credits_:,} credits, "
                f"{max(budget.credits - budget.held, 0):,} of {budget.credits:,} are left"
            )
    return credits_


def reserve_repost(
    connection: sqlite3.Connection, request: Request, entry: Entry
) -> dict[str, Any]:
    """Return what an event stores so that budgets and account count one more repost.

    `OverBudget` if a budget does not cover it: the service may charge each.
    """
    try:
        credits_ = reserve_credits(connection, request, entry.budgets)
    except OverBudget as error:
        message = f"{error.message}. It is bought, but the service may charge each repetition"
        error.set_message(message)
        raise
    return {"reserve": entry.reserve + credits_, "repost": credits_} if credits_ else {}


def release_repost(connection: sqlite3.Connection, entry: Entry) -> dict[str, Any]:
    """Return what an event stores if the last repost was not charged."""
    query = "SELECT data FROM events WHERE entry=? AND kind='reposting' ORDER BY id DESC LIMIT 1"
    row = connection.execute(query, (entry.id,)).fetchone()
    credits_ = json.loads(row[0]).get("repost", 0) if row else 0
    return {"reserve": entry.reserve - credits_} if credits_ else {}
