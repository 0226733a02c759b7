"""The steps of a purchase, from claim to outcome. Each is one transaction."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from musicapi_nb.engines import Request, model_of
from musicapi_nb.errors import InvalidTransition, MusicAPIError, UncertainPurchase
from musicapi_nb.ledger_types import Claim, Entry, EntryState, PurchaseTerms
from musicapi_nb.library import events, stored_tasks
from musicapi_nb.library._request_key import key_of_json, request_key, to_json
from musicapi_nb.library.adoption import adopt_task, purchase_of_task, supersede_adopted
from musicapi_nb.library.budgets import release_repost, reserve_credits, reserve_repost
from musicapi_nb.library.database import Database
from musicapi_nb.library.entry import is_allowed
from musicapi_nb.library.notifications import Notification, NotificationResult, match_entry
from musicapi_nb.library.process_lock import ProcessLock
from musicapi_nb.library.resolve import Credits, nothing_to_resolve, resolution_event
from musicapi_nb.tasks import Task

DEFAULT_TERMS = PurchaseTerms()
_AWAITING_REPLY: tuple[EntryState, ...] = ("sending", "reposting")  # paid, no reply yet
_BOUGHT = frozenset({"accepted", "done", "failed"})
_PROCESS_ENDED = "the process that sent it ended before the reply was recorded"


class Ledger:
    """The purchases in one database. Methods may be called from any thread."""

    def __init__(self, database: Database, process_lock: ProcessLock) -> None:
        self._database = database
        self._process_lock = process_lock

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all calls in the block one transaction: all are written, or none."""
        with self._database.write(durable=True):
            yield

    # --- planned purchases -----------------------------------------------------------------

    def plan(self, request: Request, terms: PurchaseTerms = DEFAULT_TERMS) -> Entry:
        """Record a purchase that is intended. An active entry of the same key is returned as is."""
        with self._database.write() as connection:
            request_json = to_json(request)
            key = key_of_json(request_json, terms.take)
            entry = self._active_entry(connection, key, terms)
            if entry is None:
                data = _new_entry(request, request_json, key, terms)
                data |= {"experiment": terms.experiment, "price": request.price()}
                entry = self._append(connection, "planned", data, None)
            self._link_cell(connection, entry, terms)
            return entry

    def record_skipped(self, entry: int, reason: str) -> Entry:
        """Record that a planned purchase will not be made (budget, cancel)."""
        return self._append_step(entry, "not_run", {"note": reason})

    # --- claims ----------------------------------------------------------------------------

    def find(self, request: Request, terms: PurchaseTerms = DEFAULT_TERMS) -> Claim | None:
        """Return what `claim` would, but None if that would buy."""
        with self._database.write() as connection:
            entry = self._current_entry(connection, request_key(request, terms.take), terms)
            if entry is None or entry.state == "planned":
                return None
            return self._claim_for(connection, entry)

    def claim(self, request: Request, terms: PurchaseTerms = DEFAULT_TERMS) -> Claim:
        """Decide, once for all threads and processes, what to do about a request.

        If the claim says "buy", the step `sending` is on disk and the credits are reserved in every
        budget. Send the request, then call `record_accepted`, `record_refused`, `record_uncertain`
        or `record_unsent`.

        Raises
        ------
        OverBudget
            A budget does not cover the price. Nothing was written.
        UnknownPrice
            The price is unknown, and a budget assumes none. Nothing was written.
        LibraryError
            The library was deleted, moved or replaced while it was open. Nothing was written.
        """
        with self._database.write(durable=True) as connection:
            request_json = to_json(request)
            key = key_of_json(request_json, terms.take)
            entry = self._current_entry(connection, key, terms)
            if entry is not None and entry.state != "planned":
                claim = self._claim_for(connection, entry)
                self._link_cell(connection, entry, terms)
                return claim
            self._database.check_in_place()
            if terms.experiment is not None:
                self._check_not_charged(connection, key, terms)
            budgets = tuple(dict.fromkeys(terms.budgets))
            data: dict[str, Any] = {
                "price": request.price(),
                "reserve": reserve_credits(connection, request, budgets),
                "budgets": list(budgets),
                "experiment": terms.experiment,
            }
            if entry is None:
                data |= _new_entry(request, request_json, key, terms)
            entry = self._append(connection, "sending", data, entry)
            self._link_cell(connection, entry, terms)
            return Claim("buy", entry)

    def claim_repost(self, request: Request, terms: PurchaseTerms = DEFAULT_TERMS) -> Claim:
        """Decide whether to send a request again that was answered "not ready".

        If the claim says "repost", the step `reposting` is on disk. Send the same request, then
        call `record_poll`, `record_uncertain` or `record_unchanged`. Whether a repost is charged is
        unknown: the budgets of the purchase have to cover each, else `OverBudget` is raised. Raise
        `InvalidTransition` if it was never bought with this library.
        """
        with self._database.write(durable=True) as connection:
            key = request_key(request, terms.take)
            entry = self._active_entry(connection, key, terms)
            entry = entry or events.latest_ended(connection, key, simulated=terms.simulated)
            if entry is None or entry.state == "planned":
                raise InvalidTransition(
                    f"the library has no purchase of {request.engine}.{request.operation} "
                    f"(take {terms.take}) to ask for again; buy it with run()"
                )
            if entry.state == "accepted" and entry.task_id is None:
                self._database.check_in_place()
                data = reserve_repost(connection, request, entry)
                return Claim("repost", self._append(connection, "reposting", data, entry))
            return self._claim_for(connection, entry)

    def undo_claim(self, claim: Claim) -> None:
        """Undo a claim whose caller was cancelled, unless its entry has changed since."""
        if claim.kind not in {"buy", "repost"}:
            return
        with self._database.write(durable=True) as connection:
            if events.entry(connection, claim.entry.id) == claim.entry:
                if claim.kind == "buy":
                    self._append(connection, "unsent", {"note": "it was never sent"}, claim.entry)
                else:
                    self.record_unchanged(claim.entry.id)

    def _current_entry(
        self, connection: sqlite3.Connection, key: str, terms: PurchaseTerms
    ) -> Entry | None:
        """Return the entry that decides whether to buy.

        It is the active one, or one that failed and may have been charged, until a person settles
        it. Unless failures are to be retried, it can be any that has ended.
        """
        entry = self._active_entry(connection, key, terms)
        if entry is None or entry.state == "planned":
            ended = events.latest_ended(connection, key, simulated=terms.simulated)
            if ended is not None and (
                not terms.retry_failed
                or (terms.experiment is None and events.is_unsettled(connection, ended))
            ):
                return ended
        return entry

    def _active_entry(
        self, connection: sqlite3.Connection, key: str, terms: PurchaseTerms
    ) -> Entry | None:
        where = "WHERE request_key=? AND simulated=? AND active=1"
        entry = next(iter(events.entries(connection, where, key, terms.simulated)), None)
        if entry is None or entry.state not in _AWAITING_REPLY:
            return entry
        if entry.owner is not None and self._process_lock.is_alive(entry.owner):
            return entry
        return self._append(connection, "uncertain", {"note": _PROCESS_ENDED}, entry)

    def _check_not_charged(
        self, connection: sqlite3.Connection, key: str, terms: PurchaseTerms
    ) -> None:
        """Raise if it was charged and failed, perhaps in another kernel a moment ago."""
        entry = events.latest_ended(connection, key, simulated=terms.simulated)
        if entry is not None and entry.failed_and_charged:
            raise UncertainPurchase(
                f"{entry.name} (take {entry.take}) was bought and failed, and no refund was "
                f"reported (entry {entry.id})",
                entry=entry.id,
            )

    def _claim_for(self, connection: sqlite3.Connection, entry: Entry) -> Claim:
        """Return the claim on an entry that need not be bought."""
        if entry.state == "uncertain":
            return Claim("uncertain", entry)
        if entry.state == "sending":
            return Claim("join", entry)
        task = stored_tasks.task_of(connection, entry)
        return Claim("join" if entry.state in {"accepted", "reposting"} else "have", entry, task)

    def _link_cell(
        self, connection: sqlite3.Connection, entry: Entry, terms: PurchaseTerms
    ) -> None:
        """Record that a plan cell has this entry, unless the entry itself names the experiment."""
        if terms.experiment in {None, entry.experiment}:
            return
        data = {"experiment": terms.experiment, "cell": entry.request_key, "entry": entry.id}
        cells = "SELECT 1 FROM cells WHERE experiment=:experiment AND cell=:cell AND entry=:entry"
        if not connection.execute(cells, data).fetchone():
            events.append_unbound(connection, "cell", data, owner=self._process_lock.id)

    # --- outcomes --------------------------------------------------------------------------

    def record_accepted(self, entry: int, task: Task) -> Entry:
        """Record the task that the service created; also for an uncertain purchase. Durable."""
        with self._database.write(durable=True) as connection:
            before = events.require_entry(connection, entry)
            if before.task_id is not None and before.task_id == task.id:  # its webhook came first
                return self._record_poll(connection, before, task) if task.finished else before
            if not is_allowed(before, "accepted"):
                raise InvalidTransition(
                    f"entry {entry} is {before.state}, but its task {task.id} was accepted; keep "
                    "that id"
                )
            data, raw = stored_tasks.to_event(task), stored_tasks.raw_text(task)
            accepted = self._append(connection, "accepted", data, before, raw)
            return self._record_poll(connection, accepted, task) if task.finished else accepted

    def record_poll(self, entry: int, task: Task) -> Entry:
        """Record the result of a poll: unfinished, done or failed, with the raw reply."""
        with self._database.write() as connection:
            before = events.require_entry(connection, entry)
            if before.adopted and before.state == "not_run":  # a purchase took its place meanwhile
                before = purchase_of_task(connection, before) or before
            return self._record_poll(connection, before, task)

    def _record_poll(self, connection: sqlite3.Connection, entry: Entry, task: Task) -> Entry:
        data, raw = stored_tasks.to_event(task), stored_tasks.raw_text(task)
        if entry.failed_and_charged and task.refunded not in {None, entry.refunded}:
            kind = "refunded" if task.refunded else "charged"
            return self._append(connection, kind, data, entry, raw)
        if entry.state in {"done", "failed"}:  # two kernels may poll the same task
            return entry
        kind = "polled"
        if task.finished:
            kind = "done" if task.state == "succeeded" else "failed"
        elif raw is not None and entry.reply_event is not None:
            query = "SELECT 1 FROM events WHERE id=? AND raw=?"
            raw = None if connection.execute(query, (entry.reply_event, raw)).fetchone() else raw
        return self._append(connection, kind, data, entry, raw)

    def apply_notification(
        self, notification: Notification, read: Callable[[Task], Task]
    ) -> NotificationResult:
        """Record an unsolicited report of the service, such as a webhook. Durable.

        A purchase that is uncertain or still being sent becomes accepted. A repeated report changes
        nothing, nor does one about a task that has ended. `read` returns the reported task, given
        the task as the ledger has it.
        """
        with self._database.write(durable=True) as connection:
            match = match_entry(connection, notification)
            entry = match.entry
            if match.kind != "recorded" or entry is None:
                return match
            base = stored_tasks.base_task(entry, stored_tasks.request_of(connection, entry))
            task = read(base)
            if entry.task_id is not None:
                query = "SELECT 1 FROM events WHERE entry=? AND raw=?"
                if connection.execute(query, (entry.id, stored_tasks.raw_text(task))).fetchone():
                    return NotificationResult("unchanged", entry)
            elif entry.failed_and_charged:  # a person settled it, before its songs came after all
                is_new = adopt_task(self._database, connection, self._process_lock.id, task)
                return NotificationResult("recorded" if is_new else "unchanged", entry)
            else:
                if not is_allowed(entry, "accepted"):
                    return NotificationResult("conflict", entry)
                lost = entry.state == "uncertain"
                note = "its reply was lost, and its webhook came" if lost else None
                data = {"task_id": notification.task_id, "note": note}
                entry = self._append(connection, "accepted", data, entry)
            latest = self._record_poll(connection, entry, task)
            return NotificationResult("unchanged" if latest is entry else "recorded", latest)

    def record_refused(self, entry: int, error: MusicAPIError) -> Entry:
        """Record that the service refused: nothing was charged, budgets get the credits back."""
        data = stored_tasks.error_to_event(error)
        return self._append_step(entry, "refused", data, durable=True)

    def record_uncertain(self, entry: int, error: BaseException) -> Entry:
        """Record that the reply was lost or not understood, with its body. Durable.

        The request may have been charged and is never resent.
        """
        with self._database.write(durable=True) as connection:
            before = events.require_entry(connection, entry)
            if before.state in _BOUGHT and before.task_id is not None:
                return before  # its webhook came before its reply was lost
            data = stored_tasks.error_to_event(error)
            return self._append(connection, "uncertain", data, before)

    def record_unchanged(self, entry: int) -> Entry:
        """Record that a repost changed nothing: it was refused or never sent."""
        with self._database.write() as connection:
            before = events.require_entry(connection, entry)
            if before.state == "accepted":  # its repost was settled, and released, meanwhile
                return before
            return self._append(connection, "polled", release_repost(connection, before), before)

    def record_unsent(self, entry: int, error: BaseException) -> Entry:
        """Record that the request provably never reached the service."""
        message = stored_tasks.error_to_event(error)["note"]
        return self._append_step(entry, "unsent", {"note": f"it was never sent: {message}"})

    def resolve(
        self,
        entry: int,
        *,
        task_id: str | None = None,
        before: Credits | None = None,
        after: Credits | None = None,
        charged: bool | None = None,
    ) -> Entry:
        """Settle an uncertain purchase. Give one of three kinds of evidence.

        Parameters
        ----------
        task_id
            The id of its task, for example from the dashboard. The task is then waited for.
        before, after
            The balance before it was sent and after its reply was lost. If it fell by the price,
            the purchase was charged; if it did not change, it was not. Anything else is refused.
        charged
            Your statement. Also for a failed purchase without a reported refund, and for an
            accepted one that the service has forgotten, which is then no longer waited for. If the
            reply to a repost was lost and it was not charged, the purchase is accepted again.

        Raises
        ------
        InvalidTransition
            The evidence settles nothing, or there is nothing to settle.
        InvalidArgument
            The evidence is of another type.
        """
        with self._database.write(durable=True) as connection:
            current = events.require_entry(connection, entry)
            if current.state == "failed" and not events.is_unsettled(connection, current):
                raise nothing_to_resolve(current)
            kind, data = resolution_event(
                current, task_id=task_id, before=before, after=after, charged=charged
            )
            if kind == "accepted" and task_id is None:  # the repost was not charged
                data |= release_repost(connection, current)
            return self._append(connection, kind, data, current)

    def recover(self) -> None:
        """Mark purchases as uncertain that ended processes were sending."""
        if self._database.read_only:
            return
        owners = self._database.rows(
            "SELECT DISTINCT owner FROM entries WHERE state IN ('sending', 'reposting') "
            "AND ended_at IS NULL"
        )
        ended = {owner for (owner,) in owners if not self._process_lock.is_alive(owner)}
        if not ended:
            return
        with self._database.write() as connection:
            for state in _AWAITING_REPLY:
                for entry in events.entries_in_state(connection, state):
                    if entry.owner in ended:
                        self._append(connection, "uncertain", {"note": _PROCESS_ENDED}, entry)

    # --- events ----------------------------------------------------------------------------

    def _append_step(
        self, number: int, kind: str, data: dict[str, Any], *, durable: bool = False
    ) -> Entry:
        with self._database.write(durable=durable) as connection:
            return self._append(connection, kind, data, events.require_entry(connection, number))

    def _append(
        self,
        connection: sqlite3.Connection,
        kind: str,
        data: dict[str, Any],
        entry: Entry | None,
        raw: str | None = None,
    ) -> Entry:
        """Append an event; return the entry after it."""
        fields = {name: value for name, value in data.items() if value is not None}
        owner = self._process_lock.id
        after = events.append_to(connection, kind, fields, entry, owner=owner, raw=raw)
        if entry is not None and after.task_id != entry.task_id:
            supersede_adopted(connection, after, owner)
        return after


def _new_entry(
    request: Request, request_json: dict[str, Any], key: str, terms: PurchaseTerms
) -> dict[str, Any]:
    return {
        "request_key": key,
        "request": request_json,
        "take": terms.take,
        "simulated": terms.simulated,
        "model": model_of(request),
    }
