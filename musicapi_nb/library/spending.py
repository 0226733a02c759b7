"""Credits as the ledger recorded them."""

from __future__ import annotations

import dataclasses

from musicapi_nb.library.database import Database


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
        Possibly charged.
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
        parts = [f"{self.spent:,} credits spent"]
        parts += [f"{self.refunded:,} refunded"] if self.refunded else []
        parts += [f"{self.uncertain:,} uncertain"] if self.uncertain else []
        parts += [f"{self.unpriced:,} without a known price"] if self.unpriced else []
        return ", ".join(parts)


def read_account(database: Database, *, simulated: bool) -> Account:
    """Sum up the purchases of the service, or of simulators."""
    (row,) = database.rows(
        """
        SELECT
            coalesce(sum(price) FILTER (WHERE state IN ('accepted', 'reposting', 'done')
                OR (state = 'failed' AND refunded IS NOT 1)), 0),
            coalesce(sum(price) FILTER (WHERE state = 'failed' AND refunded IS 1), 0),
            coalesce(sum(price) FILTER (WHERE state IN ('uncertain', 'sending')), 0),
            count(*) FILTER (WHERE price IS NULL
                AND state NOT IN ('planned', 'not_run', 'refused'))
        FROM entries WHERE simulated = ?
        """,
        simulated,
    )
    return Account(*row)
