"""Counts, credits and render times of all purchases of a library, and which have ended."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from musicapi_nb import markup
from musicapi_nb.ledger_types import EntryState, RenderTime
from musicapi_nb.library.database import Database
from musicapi_nb.library.entry import STATES

# of the entries that have ended, which triggers count, and of the others
_TOTALS = """
    SELECT * FROM totals UNION ALL
    SELECT simulated, state, refunded IS 1, count(*), coalesce(sum(price), 0),
        sum(price IS NULL AND request_key != ''),
        coalesce(sum(max(reserve - price, 0)), 0)
    FROM entries WHERE ended_at IS NULL GROUP BY 1, 2, 3
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """Credits as recorded in the ledger.

    Attributes
    ----------
    spent
        Charged and not refunded: done, under way, or failed without a reported refund.
    refunded
        Charged and refunded.
    uncertain
        Possibly charged: purchases whose reply was lost, and each repost of the others.
    unpriced
        Number of purchases without a known price; they are in none of the sums. An operation that
        failed in one of several steps is among them: its note lists the completed steps, and only
        two balances (`Library.resolve`) show what was charged for those.
    """

    spent: int = 0
    refunded: int = 0
    uncertain: int = 0
    unpriced: int = 0

    def __str__(self) -> str:
        parts = [f"{markup.format_credits(self.spent)} spent"]
        parts += [f"{self.refunded:,} refunded"] if self.refunded else []
        parts += [f"{self.uncertain:,} uncertain"] if self.uncertain else []
        parts += [f"{self.unpriced:,} without a known price"] if self.unpriced else []
        return ", ".join(parts)


def account(database: Database, *, simulated: bool) -> Account:
    """Sum up the purchases of the service, or of simulators."""
    (row,) = database.rows(
        f"""
        SELECT
            coalesce(sum(credits) FILTER (WHERE state IN ('accepted', 'reposting', 'done')
                OR (state = 'failed' AND NOT refunded)), 0),
            coalesce(sum(credits) FILTER (WHERE state = 'failed' AND refunded), 0),
            coalesce(sum(credits) FILTER (WHERE state IN ('uncertain', 'sending')), 0)
            + coalesce(sum(repost_credits) FILTER (
                WHERE state IN ('accepted', 'reposting', 'done', 'uncertain')
                OR (state = 'failed' AND NOT refunded)), 0),
            coalesce(sum(unpriced) FILTER (
                WHERE state NOT IN ('planned', 'not_run', 'refused')), 0)
        FROM ({_TOTALS}) WHERE simulated = ?
        """,  # noqa: S608 - our own names
        simulated,
    )
    return Account(*row)


def counts(database: Database, experiment: str | None) -> dict[EntryState, int]:
    """Return the number of purchases in each state, uncertain ones first.

    Of several tries of a request that were refused or not sent, only the last one counts; an
    adopted task whose place a purchase has taken does not.
    """
    if experiment is None:
        rows = database.rows(f"SELECT state, sum(purchases) FROM ({_TOTALS}) GROUP BY state")  # noqa: S608
    else:
        rows = database.rows(
            "SELECT state, count(*) FROM entries "
            "WHERE id IN (SELECT entry FROM cells WHERE experiment=?) GROUP BY state",
            experiment,
        )
    by_state: dict[EntryState, int] = dict(rows)
    if by_state.keys() & {"not_run", "refused"}:
        in_experiment = "AND id IN (SELECT entry FROM cells WHERE experiment=?)"
        last_tries = database.rows(
            f"""
            SELECT state, count(*) FROM entries AS try
            WHERE state IN ('not_run', 'refused') {in_experiment if experiment else ""}
            AND request_key != ''
            AND id = (SELECT max(id) FROM entries WHERE request_key = try.request_key
                AND simulated = try.simulated)
            GROUP BY state
            """,  # noqa: S608 - our own names
            *([experiment] if experiment else []),
        )
        by_state["not_run"] = by_state["refused"] = 0
        by_state.update(last_tries)
    ordered = sorted(STATES, key=lambda state: state != "uncertain")
    return {state: by_state[state] for state in ordered if by_state.get(state)}


def disk_used(database: Database) -> int:
    """Return the bytes of the songs' files, as recorded when they were added."""
    return int(database.rows("SELECT bytes FROM disk_use")[0][0])


def render_times(
    database: Database, engine: str, operation: str, *, simulated: bool
) -> list[RenderTime]:
    """Return the latest 1,000 render times of an operation, oldest first."""
    rows = database.rows(
        "SELECT accepted_at, polled_at, ended_at, model FROM entries WHERE engine=? "
        "AND operation=? AND simulated=? AND state='done' AND accepted_at IS NOT NULL "
        "ORDER BY ended_at DESC LIMIT 1000",  # older ones say little: the service changes
        *(engine, operation, simulated),
    )
    return [
        RenderTime(max((polled or start) - start, 0.0), max(end - start, 0.0), model)
        for start, polled, end, model in reversed(rows)
    ]


def finished_entries(database: Database, entries: Sequence[int]) -> list[int]:
    """Return those of the given entries that have ended."""
    sql = (
        "SELECT id FROM entries WHERE ended_at IS NOT NULL "
        "AND id IN (SELECT value FROM json_each(?))"
    )
    return [number for (number,) in database.rows(sql, json.dumps(entries))]


def has_task(database: Database, task_id: str | None, *, simulated: bool) -> bool:
    """Return whether an entry has this task."""
    sql = "SELECT 1 FROM entries WHERE task_id=? AND simulated=? LIMIT 1"
    return bool(database.rows(sql, task_id, simulated))
