"""Uncertain purchases settled by a person: with a task id, two balances, or a word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from musicapi_nb.errors import InvalidTransition

if TYPE_CHECKING:
    from musicapi_nb.library.entry import Entry


class HasTotal(Protocol):
    """A balance, such as `await api.credits()` gives."""

    @property
    def total(self) -> float:
        """All credits of the account."""


Credits: TypeAlias = HasTotal | float
Settled: TypeAlias = tuple[str, dict[str, Any]]


def resolution_event(
    entry: Entry,
    *,
    task_id: str | None,
    before: Credits | None,
    after: Credits | None,
    charged: bool | None,
) -> Settled:
    """The event (kind and data) that settles an entry.

    Raises
    ------
    InvalidTransition
        The entry is not open to doubt, not exactly one of the three ways is given, or the
        balances prove neither.
    """
    ways = [task_id is not None, before is not None or after is not None, charged is not None]
    if sum(ways) != 1 or (before is None) != (after is None):
        raise InvalidTransition("give one of: task_id=; before= and after=; charged=True or False")
    if not _doubtful(entry) or (task_id is not None and entry.state != "uncertain"):
        raise InvalidTransition(f"entry {entry.id} is {entry.state}; there is nothing to resolve")
    if task_id is not None:
        if not task_id.strip():
            raise InvalidTransition("the task id is blank")
        return "accepted", {"task_id": task_id, "note": "resolved by its task id"}
    if before is not None and after is not None:
        return _by_balance(entry, _total(before) - _total(after))
    return _settled(entry, charged=bool(charged), note="resolved by a person's word")


def _doubtful(entry: Entry) -> bool:
    unsaid = entry.state == "failed" and entry.refunded is None
    return unsaid or entry.state in {"uncertain", "accepted"}


def _total(balance: Credits) -> float:
    return balance if isinstance(balance, int | float) else balance.total


def _by_balance(entry: Entry, difference: float) -> Settled:
    note = f"resolved by the balance, which fell by {difference:g}"
    if difference == 0:
        return _settled(entry, charged=False, note=note)
    if entry.price is None and difference > 0 and float(difference).is_integer():
        kind, data = _settled(entry, charged=True, note=note)
        return kind, {**data, "price": int(difference), "reserve": int(difference)}
    if difference == entry.price:
        return _settled(entry, charged=True, note=note)
    raise InvalidTransition(
        f"the balance fell by {difference:g}, the price is {entry.price}: that proves neither. "
        "Other requests may have been charged meanwhile; say charged=True or False yourself"
    )


def _settled(entry: Entry, *, charged: bool, note: str) -> Settled:
    if charged:
        return "charged", {"refunded": False, "note": note}
    if entry.state == "uncertain" and entry.accepted_at is not None:
        # what was lost is a repeat: the first was accepted, and goes on being asked for
        return "accepted", {"note": f"its last repeat was not charged, {note}"}
    if entry.state in {"failed", "accepted"}:
        return "refunded", {"refunded": True, "note": note}
    return "refused", {"note": note}
