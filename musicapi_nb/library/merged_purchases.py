"""The purchases of another library: which of them this library has, and copies of the others."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from musicapi_nb.ledger_types import FREE_STATES, Entry
from musicapi_nb.library import events
from musicapi_nb.library._request_key import key_of_json
from musicapi_nb.library.adoption import supersede_adopted
from musicapi_nb.library.entry import ACTIVE_STATES, Event, apply_event, is_allowed
from musicapi_nb.library.process_lock import ProcessLock

_BEING_SENT = "the merged library recorded no reply to it"
_BOUGHT_THERE = "it was bought in the library that was merged"


class RenumberedTake(NamedTuple):
    """A take that both libraries had bought: that of the other one has a number of its own now."""

    operation: str
    take: int
    new_take: int
    entry: int


class _News(NamedTuple):
    """An event that this library lacks, and by how much it changed the credits of reposts."""

    event: Event
    reposts: int


@dataclasses.dataclass(slots=True)
class PurchaseMerger:
    """Merges the purchases of `source` into `target`, in the open transaction of that.

    A purchase is the same in both if its step `sending` is, as in a copy of a library, or its task
    is; it is then counted once. A merge never turns a purchase that may have been charged into one
    that was not, and leaves alone what an open library is sending.
    """

    source: sqlite3.Connection
    target: sqlite3.Connection
    process_lock: ProcessLock  # of the target
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    takes: list[RenumberedTake] = dataclasses.field(default_factory=list)
    _entries: dict[int, Entry] = dataclasses.field(default_factory=dict)  # by source number
    _groups: defaultdict[tuple[str, bool], list[Entry]] = dataclasses.field(
        default_factory=lambda: defaultdict(list)
    )
    _matches: dict[int, int] = dataclasses.field(default_factory=dict)  # number, by source number
    _keys: dict[tuple[str, bool], tuple[str, int]] = dataclasses.field(default_factory=dict)
    _new_keys: set[str] = dataclasses.field(default_factory=set)  # of renumbered takes
    _given_up: list[Entry] = dataclasses.field(default_factory=list)  # planned, bought there

    @property
    def owner(self) -> str:
        return self.process_lock.id

    def merge(self) -> None:
        """Merge all purchases, and the plan cells that have them."""
        others = events.entries(self.source, "WHERE request_key != '' ORDER BY id")
        numbers = {identity: number for number, identity in _identities(self.target).items()}
        for number, identity in _identities(self.source).items():
            if identity in numbers:
                self._matches[number] = numbers[identity]
        for other in others:
            self._groups[other.request_key, other.simulated].append(other)
        for other in others:
            self._entries[other.id] = self._merge(other)
        self._merge_cells()

    def _merge(self, other: Entry) -> Entry:
        """Return the entry of a purchase in this library, after adding its new events."""
        if other.id in self._matches:
            entry = events.require_entry(self.target, self._matches[other.id])
            if self._is_being_sent(entry) or not (news := self._news(entry, other)):
                self.unchanged += 1
                return entry
            latest = self._update(entry, news)
            if latest.may_be_charged or not other.may_be_charged:
                self.updated += latest is not entry
                self.unchanged += latest is entry
                return latest
        elif (twin := self._twin(other)) is not None:
            self.unchanged += 1
            return twin
        self.new += 1
        return self._copy(other)

    def _twin(self, other: Entry) -> Entry | None:
        """Return the purchase here with the same task, or the one that was planned in both."""
        if other.state == "planned":
            return self._active(other.request_key, other)
        of_task = "WHERE task_id=? AND simulated=? AND engine=? AND request_key != ''"
        parameters = (other.task_id, other.simulated, other.engine)
        twins = events.entries(self.target, of_task, *parameters)
        twins = [twin for twin in twins if twin.may_be_charged]
        if other.simulated and twins:  # simulators of one seed give the same ids to any request
            request = _request(self.source, other)
            twins = [twin for twin in twins if _request(self.target, twin) == request]
        return next(iter(twins), None)

    def _is_being_sent(self, entry: Entry) -> bool:
        """Return whether this library still expects the reply; the copy is then merged later."""
        owner = entry.owner if entry.state in {"sending", "reposting"} else None
        return owner is not None and self.process_lock.is_alive(owner)

    def _news(self, entry: Entry, other: Entry) -> list[_News]:
        """Return the events of a purchase that this library lacks.

        There are none if it only became uncertain there, as in an older copy of this library: the
        reply that was lost there may be here.
        """
        present = {event.identity for event in events.events(self.target, entry.id)}
        news: list[_News] = []
        before: Entry | None = None
        for event in list(events.events(self.source, other.id)):
            after, _ = apply_event(before, event)
            if event.identity not in present:
                priced = "price" in event.data  # then its reserve is that of the purchase
                reposts = 0 if before is None or priced else after.reserve - before.reserve
                news.append(_News(event, reposts))
            before = after
        return news if any(event.kind != "uncertain" for event, _ in news) else []

    def _update(self, entry: Entry, news: Sequence[_News]) -> Entry:
        """Append the events of a purchase that may follow.

        But for those after which it could be bought again, such as what a person stated there.
        """
        for event, reposts in news:
            if not is_allowed(entry, event.kind):
                continue
            stated = event.kind == "charged" and "state" not in event.data  # else a reply said so
            frees = stated or not apply_event(entry, event)[0].may_be_charged
            if entry.may_be_charged and frees:
                break
            # both libraries may have reposted: the credits of all of their reposts are counted
            changes = {"reserve": entry.reserve + reposts} if reposts else {}
            entry = self._append(event, entry, **changes)
        return self._settle(entry)

    def _copy(self, other: Entry) -> Entry:
        key, take = self._key_of(other)
        entry: Entry | None = None
        for event in list(events.events(self.source, other.id)):
            changes = {"request_key": key, "take": take} if entry is None else {}
            entry = self._append(event, entry, **changes)
        assert entry is not None  # noqa: S101 - an entry has events
        if take != other.take:
            self.takes.append(RenumberedTake(other.name, other.take, take, entry.id))
        return self._settle(entry)

    def _append(self, event: Event, entry: Entry | None, **changes: object) -> Entry:
        data = {**event.data, "origin": event.identity[1], **changes}
        return events.append_to(
            self.target,
            event.kind,
            data,
            entry,
            owner=event.owner or self.owner,
            raw=event.raw,
            at=event.recorded_at,
        )

    def _settle(self, entry: Entry) -> Entry:
        """Mark a purchase as uncertain that ended while it was sent; hide its adopted task."""
        if entry.state in {"sending", "reposting"}:
            data = {"note": _BEING_SENT}
            entry = events.append_to(self.target, "uncertain", data, entry, owner=self.owner)
        supersede_adopted(self.target, entry, self.owner)
        return entry

    # --- request keys ----------------------------------------------------------------------

    def _active(self, key: str, other: Entry) -> Entry | None:
        where = "WHERE request_key=? AND simulated=? AND active=1"
        return next(iter(events.entries(self.target, where, key, other.simulated)), None)

    def _key_of(self, other: Entry) -> tuple[str, int]:
        """Return request key and take of a copied purchase, the same for all tries of its request.

        They stay as they are, unless this library has bought that take. It then is the next one
        that neither library has, so that each purchase is found by its request and a take.
        """
        name = other.request_key, other.simulated
        if name not in self._keys:
            self._keys[name] = self._new_key(other, self._groups[name])
        return self._keys[name]

    def _new_key(self, other: Entry, group: list[Entry]) -> tuple[str, int]:
        matched = {
            self._matches[entry.id]: entry.id for entry in group if entry.id in self._matches
        }
        keys = {other.request_key: other.take}
        if matched:  # an earlier merge may have given it another take
            earlier = events.require_entry(self.target, next(reversed(matched)))
            keys.setdefault(earlier.request_key, earlier.take)
        for key, take in keys.items():
            if any(entry.may_be_charged for entry in group):
                self._give_up_plan(key, other)
            if self._active(key, other) is None and not self._blocks(key, other, group, matched):
                return key, take
        return self._next_take(other)

    def _give_up_plan(self, key: str, other: Entry) -> None:
        """Mark a planned purchase as not run: one of the other library takes its place."""
        active = self._active(key, other)
        if active is not None and active.state == "planned":
            data = {"note": _BOUGHT_THERE}
            self._given_up.append(active)
            events.append_to(self.target, "not_run", data, active, owner=self.owner)

    def _blocks(self, key: str, other: Entry, group: list[Entry], matched: dict[int, int]) -> bool:
        """Return whether a purchase that failed and may be charged has to stay the latest here.

        Being the latest, it is not bought again until a person settles it. Only tries that were
        made after it in the other library, too, may follow it. `matched` has the numbers there.
        """
        if any(entry.state in ACTIVE_STATES - {"planned"} for entry in group):
            return False  # that one then is not bought again
        where = "WHERE request_key=? AND simulated=? AND state='failed'"
        failed = events.entries(self.target, where, key, other.simulated)
        return any(
            events.is_unsettled(self.target, entry) and matched.get(entry.id, other.id) >= other.id
            for entry in failed
        )

    def _next_take(self, other: Entry) -> tuple[str, int]:
        request = _request(self.source, other)
        take = 1
        while not self._is_free(key := key_of_json(request, take), other):
            take += 1
        self._new_keys.add(key)
        self._give_up_plan(key, other)
        return key, take

    def _is_free(self, key: str, other: Entry) -> bool:
        """Return whether no purchase of either library has this key, or will get it.

        A take of the other library may be another take here. Its number is free then, and has to
        be used for one that was bought: running it is to buy nothing, as there.
        """
        name = key, other.simulated
        group = self._groups.get(name, [])
        here = events.entries(self.target, "WHERE request_key=? AND simulated=?", *name)
        bought = any(
            entry.may_be_charged and entry.id not in self._matches
            for entry in self._groups[other.request_key, other.simulated]
        )
        was_bought = any(entry.may_be_charged for entry in group)
        return (
            key not in self._new_keys
            and all(bought and entry.id in self._matches for entry in group)
            and all(was_bought and entry.state in FREE_STATES for entry in here)
        )

    # --- plan cells ------------------------------------------------------------------------

    def _merge_cells(self) -> None:
        for experiment, cell, number in self.source.execute(
            "SELECT experiment, cell, entry FROM cells ORDER BY experiment, cell"
        ):
            query = "SELECT 1 FROM cells WHERE experiment=? AND cell=?"
            if (
                number in self._entries
                and not self.target.execute(query, (experiment, cell)).fetchone()
            ):
                self._link(experiment, cell, self._entries[number])
        for planned in self._given_up:
            bought = self._active(planned.request_key, planned)
            query = "SELECT experiment, cell FROM cells WHERE entry=?"
            for experiment, cell in self.target.execute(query, (planned.id,)).fetchall():
                if bought is not None:
                    self._link(experiment, cell, bought)

    def _link(self, experiment: str, cell: str, entry: Entry) -> None:
        data = {"experiment": experiment, "cell": cell, "entry": entry.id}
        events.append_unbound(self.target, "cell", data, owner=self.owner)


def _request(connection: sqlite3.Connection, entry: Entry) -> dict[str, Any]:
    """Return the request of a purchase, as its first event has it."""
    query = "SELECT data FROM events WHERE id=?"
    (data,) = connection.execute(query, (entry.request_event,)).fetchone()
    request: dict[str, Any] = json.loads(data)["request"]
    return request


def _identities(connection: sqlite3.Connection) -> dict[int, tuple[str | None, int]]:
    """Return what identifies each purchase: its step `sending`, or its plan if it was not sent."""
    rows = connection.execute(
        "SELECT entry, owner, coalesce(json_extract(data, '$.origin'), id) FROM events "
        "WHERE kind IN ('planned', 'sending') ORDER BY id"
    )
    return {entry: (owner, number) for entry, owner, number in rows}
