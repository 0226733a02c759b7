"""When a call is sent again, how often, and after what delay."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

from musicapi_nb.errors import (
    CertificateRefused,
    MusicAPIError,
    RateLimited,
    ServerError,
    UnexpectedReply,
    Unreachable,
)

_Result = TypeVar("_Result")
_ATTEMPTS = 5
_MAX_429_RETRIES = 8
# Seconds: the first delay doubles up to the longest; a Retry-After counts up to its own limit.
_FIRST_DELAY, _LONGEST_DELAY, _LONGEST_RETRY_AFTER = 0.5, 30.0, 60.0
_DEFAULT_429_DELAY = 3.0  # of the service's clock
LONGEST_PAUSE = 300.0
"""Real seconds. A refusal that asks for a longer pause is an error at once."""


def is_transient(error: MusicAPIError, *, paid: bool = False) -> bool:
    """Return whether the same call may be sent again and could then succeed.

    A paid call may be sent again only if it never reached the service.
    """
    if isinstance(error, CertificateRefused):
        return False
    if paid:
        return isinstance(error, Unreachable)
    return isinstance(error, Unreachable | RateLimited | ServerError | UnexpectedReply)


class RetryPolicy:
    """The retries of all calls of one client. Delays are divided by the `speed` of its service."""

    def __init__(self, speed: float) -> None:
        self.speed = speed

    async def sleep(self, seconds: float) -> None:
        """Wait for some seconds of the service's clock."""
        await asyncio.sleep(seconds / self.speed)

    async def call(
        self,
        send: Callable[[], Awaitable[_Result]],
        *,
        paid: bool = False,
        throttle: Callable[[float], Awaitable[None]] | None = None,
    ) -> _Result:
        """Send, and send again after an error that `is_transient`, five times at most.

        `throttle` pauses all who share the rate limit, for some real seconds. With it, also a paid
        call that was refused by a 429 is sent again, up to eight times, unless the pause would be
        longer than `LONGEST_PAUSE`. `send` then waits for a slot.
        """
        failures = refusals = 0
        while True:
            try:
                return await send()
            except MusicAPIError as error:
                if throttle is not None and _is_429(error):
                    refusals += 1
                    seconds = self.seconds_to_pause(error)
                    await throttle(seconds)
                    if refusals > _MAX_429_RETRIES or seconds > LONGEST_PAUSE:
                        raise
                    continue
                failures += 1
                if failures == _ATTEMPTS or not is_transient(error, paid=paid):
                    raise
                await self.sleep(_delay(error, failures))

    def seconds_to_pause(self, error: MusicAPIError) -> float:
        """Return for how many real seconds nobody should send after a refusal."""
        if error.retry_after is None:
            return _DEFAULT_429_DELAY / self.speed
        return error.retry_after


def _is_429(error: MusicAPIError) -> bool:
    return isinstance(error, RateLimited) and error.status == HTTPStatus.TOO_MANY_REQUESTS


def _delay(error: MusicAPIError, failures: int) -> float:
    """Return the seconds until the next attempt, with jitter."""
    if error.retry_after is not None:
        return min(error.retry_after, _LONGEST_RETRY_AFTER) + random.uniform(0.0, _FIRST_DELAY)  # noqa: S311
    delay = min(_FIRST_DELAY * 2.0**failures, _LONGEST_DELAY)
    return delay * random.uniform(0.5, 1.0)  # noqa: S311
