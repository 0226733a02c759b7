"""Account: the credit balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from musicapi_nb.engines.request import Group, Price, ReplyKind, Request
from musicapi_nb.engines.sources import BALANCE, Source
from musicapi_nb.public_names import public_names

__all__ = ["Credits"]


class Credits(Request, frozen=True, kw_only=True):
    """Read the credit balance, which is free."""

    engine: ClassVar[str] = "account"
    group: ClassVar[Group] = "Texts and account"
    action: ClassVar[str] = "Read the balance"
    path: ClassVar[str] = "/api/v1/get-credits"
    method: ClassVar[Literal["POST", "GET"]] = "GET"
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 0
    cost: ClassVar[Price | None] = Price(0, *BALANCE)
    fields_source: ClassVar[Source | None] = BALANCE


if not TYPE_CHECKING:
    __getattr__, __dir__ = public_names(__name__, __all__)
