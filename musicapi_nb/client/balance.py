"""The account's balance, and how it is read from a reply."""

from __future__ import annotations

import dataclasses
from typing import Any

from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.json_reader import as_number


@dataclasses.dataclass(frozen=True, slots=True)
class Balance:
    """Credits of the account: the subscription's, and those bought in packs."""

    credits: float
    extra_credits: float

    @property
    def total(self) -> float:
        """All that can be spent (bought credits need an active subscription)."""
        return self.credits + self.extra_credits


def read_balance(payload: Any) -> Balance:
    """Read a reply about credits.

    Raises
    ------
    UnexpectedReply
        It holds no balance.
    """
    figures = payload if isinstance(payload, dict) else {}
    extra = figures.get("extra_credits")
    first, second = as_number(figures.get("credits")), as_number(0 if extra is None else extra)
    if first is None or second is None:
        raise UnexpectedReply("the reply holds no balance", body=payload)
    return Balance(first, second)
