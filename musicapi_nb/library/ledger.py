"""The steps that guard money: claim, and what became of it. Each is one transaction."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from musicapi_nb.engines import Request, model_of
from musicapi_nb.errors import (
    InvalidTransition,
    LibraryError,
    MusicAPIError,
    OverBudget,
    UncertainPurchase,
    UnknownPrice,
)
from musicapi_nb.library import events
from musicapi_nb.library._request_key import from_json, key_of_json, request_key, to_json
from musicapi_nb.library.entry import allowed
from musicapi_nb.library.notifications import NotificationResult, match_entry
from musicapi_nb.library.serialize import kept, raw_text, written
from musicapi_nb.tasks import StoredReply, Task

if TYPE_CHECKING:
    from musicapi_nb.library.database import Database
    from musicapi_nb.library.entry import Entry, EntryState
    from musicapi_nb.library.notifications import Notification
    from musicapi_nb.library.process_lock import ProcessLock

_CHUNK = 128
_MOST_RECENT = 256
# States of a paid request that has no reply yet.
_LEAVING: tuple[EntryState, ...] = ("sending", "reposting")
_BOUGHT = frozenset({"accepted", "done", "failed"})
_HEARD = "its reply was lost, and its webhook came"
_DIED = "the process that sent it ended before the reply was recorded"


@dataclasses.dataclass(frozen=True, slots=True)
class Claim:
    """What is to be done about a request.

    Attributes
    ----------
    kind
        "buy": it is yours to send, `sending` is on disk. "repost": it is yours to send once more,
        `asking` is on disk. "have": it was bought before, `task` is what came of it. "join": it
        is under way, at the service when `task` is there, else being sent by an opened library.
        "uncertain": it may have been bought, a person has to say.
    entry
        The entry of the ledger that all of this is about.
    """

    kind: Literal["buy", "repost", "have", "join", "uncertain"]
    entry: Entry
    task: Task | None = None

    @property
    def task_id(self) -> str | None:
        """The service's id of the task to wait for, where there is one."""
        return self.entry.task_id


class Ledger:
    """The steps of purchases, in one database, by one owner."""

    def __init__(self, store: Database, owner: ProcessLock) -> None:
        self._database = store
        self._process_lock = owner
        # What the last steps left of their entries, to spare the next step a look.
        self._recent: dict[int, Entry] = {}
        self._generation = -1

    def plan(
        self,
        request: Request,
        take: int,
        *,
        simulated: bool,
        experiment: str | None,
        cell: str | None,
    ) -> Entry:
        with self._database.write() as connection:
            asked = to_json(request)
            name = key_of_json(asked, take)
            known = self._active_entry(connection, name, simulated=simulated)
            if known is None:
                data = {
                    "request_key": name,
                    "request": asked,
                    "take": take,
                    "simulated": simulated,
                    "model": model_of(request),
                    "price": request.price(),
                    "experiment": experiment,
                    "cell": cell,
                }
                known = self._write(connection, "planned", data, None)
            self._link_cell(connection, known, experiment, cell)
            return known

    def find(
        self, request: Request, take: int, *, simulated: bool, retry_failed: bool
    ) -> Claim | None:
        with self._database.write() as connection:
            name = request_key(request, take)
            known = self._current_entry(
                connection, name, simulated=simulated, retry_failed=retry_failed
            )
            if known is None or known.state == "planned":
                return None
            return self._claim_for(connection, known)

    def next_take(self, request: Request, first: int, *, simulated: bool) -> int:
        with self._database.write():  # one transaction for all takes
            take = first
            while claim := self.find(request, take, simulated=simulated, retry_failed=True):
                if claim.kind == "uncertain":
                    break
                take += 1
            return take

    def claim(  # noqa: PLR0913 - as Library.claim
        self,
        request: Request,
        take: int,
        *,
        simulated: bool,
        budgets: Sequence[str],
        experiment: str | None,
        cell: str | None,
        retry_failed: bool,
    ) -> Claim:
        with self._database.write(durable=True) as connection:
            asked = to_json(request)
            name = key_of_json(asked, take)
            known = self._current_entry(
                connection, name, simulated=simulated, retry_failed=retry_failed
            )
            if known is not None and known.state != "planned":
                found = self._claim_for(connection, known)
                self._link_cell(connection, found.entry, experiment, cell)
                return found
            if experiment is not None:
                self._check_not_paid(connection, name, simulated=simulated)
            reserve = _reserve(connection, request, budgets)
            data: dict[str, Any] = {
                "price": request.price(),
                "reserve": reserve,
                "budgets": list(budgets),
                "experiment": experiment,
                "cell": cell,
            }
            if known is None:
                data |= {
                    "request_key": name,
                    "request": asked,
                    "take": take,
                    "simulated": simulated,
                    "model": model_of(request),
                }
            bought = self._write(connection, "sending", data, known)
            self._link_cell(connection, bought, experiment, cell)
            return Claim("buy", bought)

    def claim_repost(self, request: Request, take: int, *, simulated: bool) -> Claim:
        with self._database.write(durable=True) as connection:
            name = request_key(request, take)
            known = self._active_entry(connection, name, simulated=simulated)
            known = known or self._ended(connection, name, simulated=simulated)
            if known is None or known.state == "planned":
                raise InvalidTransition(
                    f"the library knows no {request.engine}.{request.operation} (take {take}) that "
                    "could be asked for again; buy it here with run()"
                )
            if known.state == "accepted" and known.task_id is None:
                return Claim("repost", self._write(connection, "reposting", {}, known))
            return self._claim_for(connection, known)

    def _current_entry(
        self, connection: sqlite3.Connection, name: str, *, simulated: bool, retry_failed: bool
    ) -> Entry | None:
        """The entry that says whether to buy: one that lives, or (not `again`) that has ended."""
        known = self._active_entry(connection, name, simulated=simulated)
        if not retry_failed and (known is None or known.state == "planned"):
            return self._ended(connection, name, simulated=simulated) or known
        return known

    def _active_entry(
        self, connection: sqlite3.Connection, name: str, *, simulated: bool
    ) -> Entry | None:
        where = "WHERE request_key=? AND simulated=? AND live=1"
        known = next(iter(events.entries(connection, where, name, simulated)), None)
        if known is not None and known.state in _LEAVING and not self._alive(known):
            return self._write(connection, "uncertain", {"note": _DIED}, known)
        return known

    @staticmethod
    def _ended(connection: sqlite3.Connection, name: str, *, simulated: bool) -> Entry | None:
        where = (
            "WHERE request_key=? AND simulated=? AND live IS NULL "
            "AND state IN ('failed', 'refused') ORDER BY id DESC LIMIT 1"
        )
        return next(iter(events.entries(connection, where, name, simulated)), None)

    def _check_not_paid(
        self, connection: sqlite3.Connection, name: str, *, simulated: bool
    ) -> None:
        """Refuse an experiment what was paid for and failed, perhaps in another kernel just now."""
        last = self._ended(connection, name, simulated=simulated)
        if last is not None and last.state == "failed" and last.refunded is not True:
            raise UncertainPurchase(
                f"{last.name} (take {last.take}) was bought and failed, and nobody said that its "
                f"credits came back (entry {last.id})",
                entry=last.id,
            )

    def _alive(self, known: Entry) -> bool:
        return known.owner is not None and self._process_lock.is_alive(known.owner)

    def _claim_for(self, connection: sqlite3.Connection, known: Entry) -> Claim:
        if known.state == "uncertain":
            return Claim("uncertain", known)
        if known.state == "sending":
            return Claim("join", known)
        task = task_of(connection, known)
        under_way = known.state in {"accepted", "reposting"}
        return Claim("join" if under_way else "have", known, task)

    def _link_cell(
        self, connection: sqlite3.Connection, known: Entry, experiment: str | None, cell: str | None
    ) -> None:
        """Note that a cell of an experiment is this entry, unless the entry says so itself."""
        cell = cell or known.request_key
        if experiment is None or (known.experiment, known.cell or known.request_key) == (
            experiment,
            cell,
        ):
            return
        row = connection.execute(
            "SELECT entry FROM cells WHERE experiment=? AND cell=?", (experiment, cell)
        ).fetchone()
        if row != (known.id,):
            data = {"experiment": experiment, "cell": cell, "entry": known.id}
            events.append_unbound(connection, "cell", data, owner=self._process_lock.id)

    def _write(
        self,
        connection: sqlite3.Connection,
        kind: str,
        data: dict[str, Any],
        about: Entry | None,
        raw: str | None = None,
    ) -> Entry:
        said = {name: value for name, value in data.items() if value is not None}
        now = events.append_to(connection, kind, said, about, owner=self._process_lock.id, raw=raw)
        if now.ended_at is not None:
            self._recent.pop(now.id, None)
        elif self._generation == self._database.generation:
            if len(self._recent) >= _MOST_RECENT:
                self._recent.clear()
            self._recent[now.id] = now
        return now

    def _known(self, connection: sqlite3.Connection, number: int) -> Entry:
        """The entry within a transaction."""
        if self._generation != self._database.generation:
            self._recent.clear()
            self._generation = self._database.generation
        return self._recent.get(number) or require_entry(connection, number)

    def step(self, number: int, kind: str, data: dict[str, Any], *, durable: bool = False) -> Entry:
        """Write one event about an entry."""
        with self._database.write(durable=durable) as connection:
            return self._write(connection, kind, data, self._known(connection, number))

    def record_accepted(self, number: int, task: Task) -> Entry:
        with self._database.write(durable=True) as connection:
            known = self._known(connection, number)
            if known.task_id is not None and known.task_id == task.id:
                return known  # its webhook came before this
            if not allowed(known, "accepted"):
                raise InvalidTransition(
                    f"entry {number} is {known.state}, and now its task {task.id} was accepted; "
                    "keep that id"
                )
            known = self._write(connection, "accepted", written(task), known, raw_text(task))
            return self._seen(connection, known, task) if task.finished else known

    def record_poll(self, number: int, task: Task) -> Entry:
        with self._database.write() as connection:
            return self._seen(connection, self._known(connection, number), task)

    def _seen(self, connection: sqlite3.Connection, known: Entry, task: Task) -> Entry:
        if known.state == "failed" and known.refunded is None and task.refunded is not None:
            kind = "refunded" if task.refunded else "charged"
            return self._write(connection, kind, written(task), known, raw_text(task))
        if known.state in {"done", "failed"}:  # two kernels may look at the same end
            return known
        kind = "polled"
        if task.finished:
            kind = "done" if task.state == "succeeded" else "failed"
        raw = raw_text(task)
        if raw is not None and known.reply is not None and not task.finished:
            same = "SELECT 1 FROM events WHERE id=? AND raw=?"
            raw = None if connection.execute(same, (known.reply, raw)).fetchone() else raw
        return self._write(connection, kind, written(task), known, raw)

    def apply_notification(
        self, word: Notification, read: Callable[[Task], Task]
    ) -> NotificationResult:
        with self._database.write(durable=True) as connection:
            found = match_entry(connection, word)
            known = found.entry
            if found.kind != "noted" or known is None:
                return found
            request = request_of(connection, known)
            if known.task_id is None:
                if not allowed(known, "accepted"):
                    return NotificationResult("other", known)
                note = _HEARD if known.state == "uncertain" else None
                data = {"task_id": word.task_id, "note": note}
                known = self._write(connection, "accepted", data, known)
            now = self._seen(connection, known, read(kept(known, request, {}, None).base))
            return NotificationResult("same" if now is known else "noted", now)

    def record_refused(self, number: int, error: MusicAPIError) -> Entry:
        return self.step(number, "refused", {"note": _said(error)})

    def record_uncertain(self, number: int, error: BaseException) -> Entry:
        with self._database.write(durable=True) as connection:
            known = self._known(connection, number)
            if known.state in _BOUGHT and known.task_id is not None:
                return known  # its webhook came before its reply was lost
            return self._write(connection, "uncertain", {"note": _said(error)}, known)

    def record_unchanged(self, number: int) -> Entry:
        return self.step(number, "polled", {})

    def record_unsent(self, number: int, error: BaseException | None) -> Entry:
        note = f"it never left: {_said(error)}" if error else "it never left"
        return self.step(number, "unsent", {"note": note})

    def recover(self) -> int:
        """Call uncertain what dead owners were sending; return how many that were."""
        owners = self._database.rows(
            "SELECT DISTINCT owner FROM entries WHERE state IN ('sending', 'reposting') "
            "AND ended_at IS NULL"
        )
        dead = [owner for (owner,) in owners if not self._process_lock.is_alive(owner)]
        found = 0
        if dead:
            with self._database.write() as connection:
                for state in _LEAVING:
                    for known in events.in_state(connection, state):
                        if known.owner in dead:
                            self._write(connection, "uncertain", {"note": _DIED}, known)
                            found += 1
        return found


def _said(error: BaseException | None) -> str:
    return error.message if isinstance(error, MusicAPIError) else f"{error!r:.300}"


def require_entry(connection: sqlite3.Connection, number: int) -> Entry:
    known = events.entry(connection, number)
    if known is None:
        raise InvalidTransition(f"the library has no entry {number}")
    return known


def request_of(connection: sqlite3.Connection, known: Entry) -> Request | None:
    (data,) = connection.execute("SELECT data FROM events WHERE id=?", (known.asked,)).fetchone()
    return from_json(json.loads(data)["request"])


_WITH_REPLIES = """
    SELECT entries.id, asked.data, last.data, reply.raw FROM entries
    JOIN events AS asked ON asked.id = entries.asked
    LEFT JOIN events AS reply ON reply.id = entries.reply
    LEFT JOIN events AS last ON last.id = (
        SELECT max(id) FROM events WHERE entry = entries.id
        AND kind IN ('accepted', 'polled', 'done', 'failed', 'refused', 'charged')
    )
    WHERE entries.id IN (SELECT value FROM json_each(?))
"""


def task_of(connection: sqlite3.Connection, known: Entry) -> Task:
    """The task as last seen, made again from the ledger."""
    ((_, *written_down),) = connection.execute(_WITH_REPLIES, (f"[{known.id}]",))
    return _kept(known, *written_down).task()


def tasks_of(store: Database, found: Sequence[Entry]) -> Iterator[tuple[Entry, Task]]:
    """Make many tasks again; nobody's step waits while replies are read."""
    return ((known, reply.task()) for known, reply in replies_of(store, found))


def replies_of(store: Database, found: Sequence[Entry]) -> Iterator[tuple[Entry, StoredReply]]:
    for start in range(0, len(found), _CHUNK):
        chunk = {known.id: known for known in found[start : start + _CHUNK]}
        rows = {row[0]: row[1:] for row in store.rows(_WITH_REPLIES, str(list(chunk)))}
        for number, known in chunk.items():
            yield known, _kept(known, *rows[number])


def _kept(known: Entry, asked: str, last: str | None, raw: str | None) -> StoredReply:
    data = json.loads(last) if last else {}
    if known.state in {"failed", "refused", "not_run"}:
        data |= {"state": "failed", "fail_reason": known.note}
        data |= {"refunded": known.refunded} if known.refunded is not None else {}
    return kept(known, from_json(json.loads(asked)["request"]), data, raw)


def _reserve(connection: sqlite3.Connection, request: Request, budgets: Sequence[str]) -> int:
    """Check that every budget covers the price; return the credits to hold."""
    what = f"{request.engine}.{request.operation}"
    found = [_budget(connection, name) for name in budgets]
    price = request.price()
    if price is None:
        unwilling = [name for name, _, assume, _ in found if assume is None]
        if unwilling:
            raise UnknownPrice(
                f"the price of {what} is not known, and {unwilling[0]!r} is a budget"
            )
        price = max((assume for _, _, assume, _ in found if assume is not None), default=0)
    for name, limit, _, held in found:
        if held + price > limit:
            raise OverBudget(
                f"{what} costs {price} credits; of the {limit} of {name!r}, {held} are taken"
            )
    return price


def _budget(connection: sqlite3.Connection, name: str) -> tuple[str, int, int | None, int]:
    row = connection.execute(
        "SELECT name, credits, assume, held FROM budgets WHERE name=?", (name,)
    ).fetchone()
    if row is None:
        raise LibraryError(f"there is no budget {name!r}; make it with set_budget")
    found: tuple[str, int, int | None, int] = row
    return found
