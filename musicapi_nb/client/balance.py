"""The account's balance."""

from __future__ import annotations

import dataclasses
from typing import Any

from musicapi_nb import markup
from musicapi_nb.errors import UnexpectedReply
from musicapi_nb.tasks.json_reader import as_number


@dataclasses.dataclass(frozen=True, slots=True)
class Balance:
    """Credits of the subscription, and extra credits that were bought in packs."""

    credits: float
    extra_credits: float

    def __repr__(self) -> str:
        extra = f" ({self.extra_credits:,.10g} extra)" if self.extra_credits else ""
        return f"{markup.format_credits(self.total)}{extra}"

    @property
    def total(self) -> float:
        """All credits that can be spent (extra credits need an active subscription)."""
        return self.credits + self.extra_credits


def parse_balance(payload: Any) -> Balance:
    """Parse a reply about credits. Raise `UnexpectedReply` if it has no balance."""
    fields = payload if isinstance(payload, dict) else {}
    extra = fields.get("extra_credits")
    credits_ = as_number(fields.get("credits"))
    extra_credits = as_number(0 if extra is None else extra)
    if credits_ is None or extra_credits is None:
        raise UnexpectedReply("the reply has no balance", body=payload)
    return Balance(credits_, extra_credits)
