"""Probes a standalone simulator for its address and clock speed."""

from __future__ import annotations

import asyncio
import contextlib

import aiohttp

from musicapi_nb.client.transport import parse_base_url
from musicapi_nb.errors import UnexpectedReply, Unreachable

_TIMEOUT = aiohttp.ClientTimeout(total=10.0)


async def probe_simulator(address: str) -> tuple[str, float]:
    """Return the base URL and clock speed of the simulator at an address.

    Unreachable if nothing answers, UnexpectedReply if something other than a simulator does.
    """
    base, reply = parse_base_url(address), None
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{base}/", allow_redirects=False) as response,
        ):
            with contextlib.suppress(ValueError, asyncio.IncompleteReadError):
                reply = await response.json(content_type=None)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unreachable(
            f"no simulator answers at {base} ({type(error).__name__}); start one with "
            "python -m musicapi_nb.simulator, which prints its address"
        ) from error
    speed = reply.get("speed") if isinstance(reply, dict) and "simulator" in reply else None
    if isinstance(speed, bool) or not isinstance(speed, int | float) or not speed > 0:
        raise UnexpectedReply(f"the server at {base} is not a musicapi_nb simulator", body=reply)
    return base, float(speed)
