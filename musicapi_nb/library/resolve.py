"""How a person settles an uncertain purchase: by task id, two balances or a statement. No I/O."""

from __future__ import annotations

import math
from typing import Any, Protocol, TypeAlias

from musicapi_nb.engines.values import plain_value
from musicapi_nb.errors import InvalidArgument, InvalidTransition
from musicapi_nb.ledger_types import Entry


class HasTotal(Protocol):
    """A balance, such as `await api.credits()` returns."""

    @property
    def total(self) -> float:
        """All credits of the account."""


Credits: TypeAlias = HasTotal | float
Resolution: TypeAlias = tuple[str, dict[str, Any]]


def resolution_event(
    entry: Entry,
    *,
    task_id: str | None,
    before: Credits | None,
    after: Credits | None,
    charged: bool | None,
) -> Resolution:
    """Return the event (kind and data) that settles an entry.

    Raise `InvalidTransition` if the entry is not in doubt, not exactly one kind of evidence is
    given, or the balances do not prove anything; `InvalidArgument` for a value of another type.
    """
    charged = plain_value(charged)
    if not isinstance(charged, bool | None):
        raise InvalidArgument(f"charged must be True or False, not {charged!r:.40}")
    evidence = [task_id is not None, before is not None or after is not None, charged is not None]
    if sum(evidence) != 1 or (before is None) != (after is None):
        raise InvalidTransition(
            "pass one of: task_id=...; before=... and after=...; charged=True or False"
        )
    in_doubt = entry.failed_and_charged or entry.state in {"uncertain", "accepted"}
    if not in_doubt or (task_id is not None and entry.state != "uncertain"):
        raise nothing_to_resolve(entry)
    if entry.adopted and charged is None:
        raise InvalidTransition(
            f"entry {entry.id} was adopted, and no price of it is recorded: pass charged=True or "
            "False, if it is to be waited for no longer"
        )
    if task_id is not None:
        if not isinstance(task_id, str):
            raise InvalidArgument(f"task_id must be a text such as 'd3b0...', not {task_id!r:.40}")
        if not task_id.strip():
            raise InvalidTransition("the task id is blank")
        return "accepted", {"task_id": task_id, "note": "resolved by its task id"}
    if before is not None and after is not None:
        return _by_balance(entry, _total(before) - _total(after))
    return _event(entry, charged=bool(charged), note="resolved by a person's statement")


def nothing_to_resolve(entry: Entry) -> InvalidTransition:
    return InvalidTransition(f"entry {entry.id} is {entry.state}; there is nothing to resolve")


def _total(balance: Credits) -> float:
    total = plain_value(getattr(balance, "total", balance))
    if isinstance(total, bool) or not isinstance(total, int | float) or not math.isfinite(total):
        raise InvalidArgument(
            f"a balance must be a number or the result of api.credits(), not {balance!r:.40}"
        )
    return total


def _by_balance(entry: Entry, difference: float) -> Resolution:
    note = f"resolved by the balance, which fell by {difference:g}"
    if difference == 0:
        return _event(entry, charged=False, note=note)
    if entry.price is None and difference > 0 and float(difference).is_integer():
        kind, data = _event(entry, charged=True, note=note)
        return kind, {**data, "price": int(difference), "reserve": int(difference)}
    if difference == entry.price:
        return _event(entry, charged=True, note=note)
    raise InvalidTransition(
        f"the balance fell by {difference:g} but the price is {entry.price}, which proves neither. "
        "Other requests may have been charged in between; state charged=True or False"
    )


def _event(entry: Entry, *, charged: bool, note: str) -> Resolution:
    if charged:
        return "charged", {"refunded": False, "note": note}
    if entry.state == "uncertain" and entry.accepted_at is not None:
        # The lost reply is that of a repost: the purchase was accepted, and is waited for again.
        return "accepted", {"note": f"its last repost was not charged, {note}"}
    if entry.state in {"failed", "accepted"}:
        return "refunded", {"refunded": True, "note": note}
    return "refused", {"note": note}
