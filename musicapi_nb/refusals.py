"""Which error a refusal of the service is, by HTTP status and message. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from musicapi_nb import errors

# Alternatives where an engine, or a kind of task, is answered 410: docs producer pages, riffusion
# (producer succeeds it), musicapi-sdk 0.1.0 (task types that producer still has).
_ALTERNATIVES: Mapping[str, str] = {
    "riffusion": "its successor is the engine producer",
    "producer": "create, extend and replace still work there, including for uploads",
    "nuro": "use sonic or producer instead",
    "studio": "use sonic or producer instead",
}

ErrorClass: TypeAlias = type[errors.MusicAPIError]


def replacement_for(path: str) -> str | None:
    """Suggest a replacement for a retired operation, given its URL path; None if unknown."""
    return next((text for engine, text in _ALTERNATIVES.items() if f"/{engine}/" in path), None)


# The message is tested before the status: 400 and 403 have several meanings, which only the text
# distinguishes. Documented messages: docs error-handling, 2025.
_BY_MESSAGE: tuple[tuple[frozenset[int], re.Pattern[str], ErrorClass], ...] = tuple(
    (frozenset(statuses), re.compile(pattern, re.IGNORECASE), error)
    for statuses, pattern, error in (
        ({400, 404}, r"task (was )?not found|task not exist|missing task id", errors.TaskNotFound),
        ({402, 403}, r"subscription", errors.NoSubscription),
        (
            {402, 403},
            r"credits? .*not enough|not enough .*credits?|insufficient",
            errors.OutOfCredits,
        ),
        ({403}, r"usage limit|qps limit|queue is full", errors.RateLimited),
        (
            {403},
            r"lyrics|copyright|inappropriate|moderation|artist name|producer tag|description",
            errors.ContentRefused,
        ),
        ({429}, r"", errors.RateLimited),
        ({500, 502, 503, 504}, r"task failed", errors.TaskFailed),
    )
)

_BY_STATUS: dict[int, ErrorClass] = {
    401: errors.Unauthorized,
    402: errors.OutOfCredits,
    403: errors.Forbidden,
    410: errors.RetiredOperation,
    429: errors.RateLimited,
}


def classify(status: int, message: str) -> ErrorClass:
    """Return the error class for an HTTP status and the message of the reply.

    Statuses below 200 and 3xx give `UnexpectedReply`: the service documents none of them.
    """
    for statuses, pattern, error in _BY_MESSAGE:
        if status in statuses and pattern.search(message):
            return error
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:  # noqa: PLR2004 - HTTP status classes
        return errors.ServerError
    return errors.RejectedRequest if status >= 400 else errors.UnexpectedReply  # noqa: PLR2004
