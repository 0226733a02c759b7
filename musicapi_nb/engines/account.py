"""Account: the credit balance.

Facts: docs.musicapi.ai/get-credits and credits-usage-guide, 2025-05 and 2025-06.
"""

from __future__ import annotations

import datetime as dt
from typing import ClassVar, Literal

from musicapi_nb.engines.request import Price, ReplyKind, Request

__all__ = ["Credits"]


class Credits(Request, frozen=True, kw_only=True):
    """Read the credit balance; free of charge."""

    engine: ClassVar[str] = "account"
    operation: ClassVar[str] = "credits"
    path: ClassVar[str] = "/api/v1/get-credits"
    method: ClassVar[Literal["POST", "GET"]] = "GET"
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(
        0, dt.date(2025, 5, 26), "docs get-credits names no price for reading"
    )
