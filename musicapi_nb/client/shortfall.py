"""Says in the error how many credits a refused purchase needed, and how many are left."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from musicapi_nb.client.balance import Balance
from musicapi_nb.engines import Request
from musicapi_nb.errors import MusicAPIError, OutOfCredits

_SECONDS = 10.0


@contextlib.asynccontextmanager
async def name_shortfall(
    request: Request, ask: Callable[[], Awaitable[Balance]]
) -> AsyncIterator[None]:
    """Say the price, and the balance that `ask` returns, in an `OutOfCredits` error.

    The purchase was refused and recorded before; asking is free.
    """
    try:
        yield
    except OutOfCredits as error:
        price = request.price()
        with contextlib.suppress(MusicAPIError, TimeoutError):
            left = (await asyncio.wait_for(ask(), _SECONDS)).total
            if price is not None and left < price:
                error.set_message(f"Not enough credits: {price:,} needed, {left:,.10g} left")
        raise
