"""The states of an entry, and which events lead from one to another. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from musicapi_nb.errors import InvalidArgument, InvalidTransition
from musicapi_nb.ledger_types import Entry, EntryState

STATES: tuple[EntryState, ...] = get_args(EntryState)
OPEN_STATES: frozenset[EntryState] = frozenset(
    {"planned", "sending", "accepted", "reposting", "uncertain"}
)
"""States of entries that have not ended."""
ACTIVE_STATES: frozenset[EntryState] = OPEN_STATES | {"done"}
"""A request key has at most one entry in these states, and is not bought again."""

# kind of event: the states it may follow (None: no entry yet), the state it leads to
_TRANSITIONS: Mapping[str, tuple[frozenset[EntryState | None], EntryState]] = {
    "planned": (frozenset({None}), "planned"),
    "sending": (frozenset({None, "planned"}), "sending"),
    "accepted": (frozenset({"sending", "uncertain"}), "accepted"),
    # accepted without a task: the same request is sent again, and may be charged again
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
    # bought elsewhere: the state is that of the adopted reply; again for a later reply
    "adopted": (frozenset({None, "accepted", "done", "failed"}), "accepted"),
    "superseded": (frozenset({"accepted", "done", "failed"}), "not_run"),
}
_COSTS = frozenset({"price", "reserve"})
_OF_ADOPTED = frozenset({"adopted", "superseded"})
_ADOPTED_STATES: Mapping[str, EntryState] = {"succeeded": "done", "failed": "failed"}
_ENDS = frozenset(
    {"done", "failed", "refused", "unsent", "not_run", "charged", "refunded", "superseded"}
)
# The field of the entry that holds the time of an event.
_TIME_FIELDS = {
    "planned": "planned_at",
    "sending": "sent_at",
    "accepted": "accepted_at",
    "polled": "polled_at",
}
# Fields of an event that are copied to the entry.
_COPIED_FIELDS = frozenset(
    {"task_id", "note", "refunded", "price", "reserve", "budgets", "experiment"}
)


class Event(msgspec.Struct, frozen=True):
    """One row of the ledger; never changed, never deleted.

    `recorded_at` is unix seconds. `entry` is None if it concerns no purchase (a budget, a file).
    `raw` is the service's reply as JSON text, if it differs from the previous one.
    """

    id: int
    recorded_at: float
    kind: str
    entry: int | None = None
    owner: str | None = None
    data: Mapping[str, Any] = {}
    raw: str | None = None

    @property
    def identity(self) -> tuple[str | None, int]:
        """Who wrote it, and its number in the library where that was: the same in every copy."""
        return self.owner, self.data.get("origin", self.id)


def is_allowed(entry: Entry | None, kind: str) -> bool:
    """Return whether an event of this kind may follow."""
    if entry is not None and kind in _OF_ADOPTED and not entry.adopted:
        return False  # a purchase is never changed by what is adopted
    return (entry.state if entry else None) in _TRANSITIONS[kind][0]


def check_allowed(entry: Entry | None, kind: str) -> None:
    """Raise `InvalidTransition` if an event of this kind may not follow."""
    if not is_allowed(entry, kind):
        state = f"entry {entry.id} is {entry.state}" if entry else "there is no entry"
        raise InvalidTransition(f"{state}; {kind!r} cannot follow")


def apply_event(entry: Entry | None, event: Event) -> tuple[Entry, dict[str, Any]]:
    """Return the entry after an event, and the fields that the event changed."""
    check_allowed(entry, event.kind)
    before = entry or _new_entry(event)
    state = _TRANSITIONS[event.kind][1]
    ends = event.kind in _ENDS
    if event.kind == "adopted":
        state = _ADOPTED_STATES.get(event.data.get("state", ""), state)
        ends = state != "accepted"
    values: dict[str, Any] = {"state": state, "owner": event.owner}
    values |= {
        name: value
        for name, value in event.data.items()
        if name in _COPIED_FIELDS and value is not None
    }
    if "budgets" in values:
        values["budgets"] = tuple(values["budgets"])
    if before.experiment is not None:  # the first experiment stays
        values.pop("experiment", None)
    if before.adopted:  # what was paid elsewhere is not counted, also if a later reply shows it
        values = {name: value for name, value in values.items() if name not in _COSTS}
    if event.raw is not None:
        values["reply_event"] = event.id
    if ends:
        values["ended_at"] = event.recorded_at
    elif event.kind in _TIME_FIELDS:
        values[_TIME_FIELDS[event.kind]] = event.recorded_at
    changes = {name: value for name, value in values.items() if value != getattr(before, name)}
    return msgspec.structs.replace(before, **changes), changes


def _new_entry(event: Event) -> Entry:
    data = event.data
    request = data.get("request", data)  # an adopted task may have none
    if event.entry is None:
        raise InvalidTransition(f"event {event.id} of kind {event.kind!r} names no entry")
    return Entry(
        id=event.entry,
        request_key=data["request_key"],
        engine=request["engine"],
        operation=request["operation"],
        model=data.get("model"),
        take=data.get("take", 1),
        simulated=bool(data.get("simulated", False)),
        state="planned",
        request_event=event.id,
    )


def states_of(state: EntryState | None, default: Sequence[EntryState]) -> Sequence[EntryState]:
    """Return the states that a query is about; InvalidArgument if `state` is none."""
    if state is None:
        return default
    if state not in STATES:
        raise InvalidArgument(f"{state!r} is not a state; the states are {', '.join(STATES)}")
    return (state,)
