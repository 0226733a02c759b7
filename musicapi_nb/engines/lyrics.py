"""Lyrics: two texts from a short description."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, ClassVar

from musicapi_nb.engines.fields import Field
from musicapi_nb.engines.request import Group, Price, ReplyKind, Request
from musicapi_nb.engines.sources import LYRICS, Source
from musicapi_nb.public_names import public_names

__all__ = ["Make"]


class Make(Request, frozen=True, kw_only=True):
    """Write two lyrics with titles.

    The reply is immediate.
    """

    engine: ClassVar[str] = "lyrics"
    group: ClassVar[Group] = "Texts and account"
    action: ClassVar[str] = "Write lyrics"
    path: ClassVar[str] = "/api/v1/sonic/lyrics"
    reply: ClassVar[ReplyKind] = "immediate"
    songs: ClassVar[int | None] = 2
    cost: ClassVar[Price | None] = Price(2, dt.date(2026, 10, 7), "musicapi.ai/ai-lyrics-api")
    fields_source: ClassVar[Source | None] = LYRICS
    text_fields: ClassVar[tuple[str, ...]] = ("description",)
    description_field: ClassVar[str | None] = "description"

    description: Annotated[
        str | None,
        Field(
            "Say what the lyrics are about.",
            "long text",
            label="Description",
            example="rain on a tin roof",
            required=True,
            limit=120,
        ),
    ] = None


if not TYPE_CHECKING:
    __getattr__, __dir__ = public_names(__name__, __all__)
