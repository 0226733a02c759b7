"""A simulator that runs by itself, for as many kernels as like: is it there, how fast is it."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from musicapi_nb.client.transport import checked_url
from musicapi_nb.errors import UnexpectedReply, Unreachable

_PATIENCE = 10.0


async def probe_simulator(address: str) -> tuple[str, float]:
    """Ask what listens at an address; return its base URL and the speed of its clock.

    Raises
    ------
    InvalidRequest
        It is no address.
    Unreachable
        Nothing answers.
    UnexpectedReply
        What answers is not a simulator.
    """
    base = checked_url(address)
    try:
        told = await _asked(base)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unreachable(
            f"no simulator answers at {base} ({type(error).__name__}); start one with "
            "python -m musicapi_nb.simulator, which prints its address"
        ) from error
    speed = told.get("speed") if isinstance(told, dict) and "simulator" in told else None
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not speed > 0:
        raise UnexpectedReply(f"what listens at {base} is no simulator of musicapi_nb", body=told)
    return base, float(speed)


async def _asked(base: str) -> Any:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{base}/", allow_redirects=False) as reply,
    ):
        try:
            return await reply.json(content_type=None)
        except (ValueError, asyncio.IncompleteReadError):
            return None
