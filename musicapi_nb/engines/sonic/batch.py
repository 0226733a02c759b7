"""Several creates in one request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

from musicapi_nb.engines.fields import Field
from musicapi_nb.engines.request import Price, Request
from musicapi_nb.engines.sonic.create import Create
from musicapi_nb.engines.sources import BATCH, Source
from musicapi_nb.errors import Problem


class Batch(Request, frozen=True, kw_only=True):
    """Submit up to ten creates at once; each has its own task and can fail separately.

    The reply has a `batch_id` and the tasks. Price and number of songs are the sum of its items.
    An item can name its own webhook: `Create(..., extra={"webhook_url": "https://..."})`.
    """

    path: ClassVar[str] = "/api/v1/sonic/batch"
    cost: ClassVar[Price | None] = Create.cost
    fields_source: ClassVar[Source | None] = BATCH

    items: Annotated[
        Sequence[Create] | None,
        Field("The creates.", "requests", required=True, item=Create, min_items=1, max_items=10),
    ] = None

    def rules(self) -> Iterator[Problem]:
        for index, item in enumerate(self._creates()):
            for problem in item.problems():
                yield Problem("items", f"[{index}] {problem}", problem.hard)

    def price(self) -> int | None:
        """Return the credits for all items; None if there are none."""
        prices = [item.price() for item in self._creates()]
        if not prices or None in prices:
            return None
        return sum(price for price in prices if price is not None)

    def body(self) -> dict[str, Any]:
        return {**super().body(), "items": [item.body() for item in self._creates()]}

    def _creates(self) -> list[Create]:
        items = self.items if isinstance(self.items, list | tuple) else ()
        return [item for item in items if isinstance(item, Create)]
