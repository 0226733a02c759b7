"""What events make of an entry of the ledger: states, steps, and what a budget holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from musicapi_nb.errors import InvalidTransition

EntryState: TypeAlias = Literal[
    "planned",
    "sending",
    "accepted",
    "reposting",
    "done",
    "failed",
    "refused",
    "uncertain",
    "not_run",
]
STATES: tuple[EntryState, ...] = get_args(EntryState)
OPEN_STATES: frozenset[EntryState] = frozenset(
    {"planned", "sending", "accepted", "reposting", "uncertain"}
)
"""What something may still come of."""
ACTIVE_STATES: frozenset[EntryState] = OPEN_STATES | {"done"}
"""Of one request_key at most one entry is in any of these: it is not bought again."""

# kind of event: the states it may follow (None: no entry yet), the state it leads to
_STEPS: Mapping[str, tuple[frozenset[EntryState | None], EntryState]] = {
    "planned": (frozenset({None}), "planned"),
    "sending": (frozenset({None, "planned"}), "sending"),
    "accepted": (frozenset({"sending", "uncertain"}), "accepted"),
    # accepted without a task: the same request is how to ask again, and may be charged again
    "reposting": (frozenset({"accepted"}), "reposting"),
    "polled": (frozenset({"accepted", "reposting"}), "accepted"),
    "done": (frozenset({"accepted", "reposting"}), "done"),
    "failed": (frozenset({"accepted", "reposting"}), "failed"),
    "refused": (frozenset({"sending", "uncertain"}), "refused"),
    "uncertain": (frozenset({"sending", "reposting"}), "uncertain"),
    "unsent": (frozenset({"sending"}), "not_run"),
    "not_run": (frozenset({"planned"}), "not_run"),
    "charged": (frozenset({"uncertain", "failed", "accepted"}), "failed"),
    "refunded": (frozenset({"failed", "accepted"}), "failed"),
}
_ENDS = frozenset({"done", "failed", "refused", "unsent", "not_run", "charged", "refunded"})

_MOMENTS = {
    **dict.fromkeys(_ENDS, "ended_at"),
    "planned": "planned_at",
    "sending": "sent_at",
    "accepted": "accepted_at",
    "polled": "polled_at",
}
# What an event says of its entry in these words, the entry says from then on.
_SAID = frozenset(
    {"task_id", "note", "refunded", "price", "reserve", "budgets", "experiment", "cell"}
)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ledger; never changed, never deleted.

    `at` is unix seconds; `entry` None: it is about no purchase (a budget, a file). `raw` is the
    service's reply, as JSON text, where it says something new.
    """

    id: int
    at: float
    kind: str
    entry: int | None = None
    owner: str | None = None
    data: Mapping[str, Any] = {}
    raw: str | None = None


class Entry(msgspec.Struct, frozen=True):
    """The present state of one purchase, as its events make it.

    Attributes
    ----------
    request_key, take
        What is bought (see `request_key`).
    experiment, cell
        Which cell of which experiment asked for it first.
    price
        Credits; None where it is not known. `reserve` is what budgets count for it.
    owner
        The opened library that last wrote a step of it.
    planned_at, sent_at, accepted_at, polled_at, ended_at
        Unix seconds; `polled_at` is the last look that found it unfinished.
    refunded
        Of a failed one: whether the credits came back; None where nobody said so.
    note
        Why it is refused, failed, uncertain, not run; how it was resolved.
    asked, reply
        The events that hold the request, and the last reply.
    """

    id: int
    asked: int
    request_key: str
    engine: str
    operation: str
    state: EntryState
    model: str | None = None
    take: int = 1
    simulated: bool = False
    experiment: str | None = None
    cell: str | None = None
    price: int | None = None
    reserve: int = 0
    budgets: tuple[str, ...] = ()
    owner: str | None = None
    task_id: str | None = None
    refunded: bool | None = None
    planned_at: float | None = None
    sent_at: float | None = None
    accepted_at: float | None = None
    polled_at: float | None = None
    ended_at: float | None = None
    note: str | None = None
    reply: int | None = None

    @property
    def name(self) -> str:
        """Engine and operation, such as "sonic.create"."""
        return f"{self.engine}.{self.operation}"

    @property
    def held(self) -> int:
        """Credits that budgets count for it: spent, under way, or perhaps spent."""
        if self.state in {"sending", "accepted", "reposting", "done", "uncertain"}:
            return self.reserve
        return self.reserve if self.state == "failed" and self.refunded is not True else 0


def allowed(entry: Entry | None, kind: str) -> bool:
    """Whether an event of this kind may follow."""
    return (entry.state if entry else None) in _STEPS[kind][0]


def check(entry: Entry | None, kind: str) -> None:
    """Raise `InvalidTransition` if an event of this kind cannot follow."""
    if not allowed(entry, kind):
        where = f"entry {entry.id} is {entry.state}" if entry else "there is no entry"
        raise InvalidTransition(f"{where}; {kind!r} cannot follow")


def apply_event(entry: Entry | None, event: Event) -> tuple[Entry, dict[str, Any]]:
    """The entry once the event has happened, and what of it the event made different.

    Raises
    ------
    InvalidTransition
        The event cannot follow in this state.
    """
    check(entry, event.kind)
    before = entry or _new(event)
    found: dict[str, Any] = {"state": _STEPS[event.kind][1], "owner": event.owner}
    found |= {
        name: value for name, value in event.data.items() if name in _SAID and value is not None
    }
    if "budgets" in found:
        found["budgets"] = tuple(found["budgets"])
    if before.experiment is not None:  # whoever asked first
        found.pop("experiment", None)
        found.pop("cell", None)
    if event.raw is not None:
        found["reply"] = event.id
    if event.kind in _MOMENTS:
        found[_MOMENTS[event.kind]] = event.at
    changed = {name: value for name, value in found.items() if value != getattr(before, name)}
    return msgspec.structs.replace(before, **changed), changed


def _new(event: Event) -> Entry:
    data, request = event.data, event.data["request"]
    if event.entry is None:
        raise InvalidTransition(f"event {event.id} of kind {event.kind!r} names no entry")
    return Entry(
        id=event.entry,
        request_key=data["request_key"],
        engine=request["engine"],
        operation=request["operation"],
        model=data.get("model"),
        take=data["take"],
        simulated=bool(data.get("simulated", False)),
        state="planned",
        asked=event.id,
    )
