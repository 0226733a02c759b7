"""What can go wrong: one root error, its family, and the table from status and words to class."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or unwise, about a request.

    Attributes
    ----------
    field
        Name of the request's field; "" when the problem belongs to the request as a whole.
    message
        What is wrong and how to mend it, as a sentence.
    hard
        True: the service is known to refuse this, nothing is sent. False: advice.
    """

    field: str
    message: str
    hard: bool = True

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


_DOUBT = (
    "It may have cost credits and was not sent again: compare api.credits() with the balance "
    "before, and only then ask again."
)


class MusicAPIError(Exception):
    """The root of the family: `except MusicAPIError` always suffices.

    Parameters
    ----------
    message
        What happened, in one line. The way out (`advice`) and the possible cost are added.
    status
        HTTP status of the reply, where there was one.
    request_id
        The service's id of the exchange (`x-request-id`, `x-vercel-id` or `cf-ray`).
    body
        The reply's body as it came (bytes, text or decoded JSON).
    may_have_cost
        True when credits may have been spent by a request whose outcome is not known.

    Attributes
    ----------
    retry_after
        Seconds to wait that the service named in its reply, or None.
    """

    advice: ClassVar[str] = ""
    retry_after: float | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        body: Any = None,
        may_have_cost: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.request_id = request_id
        self.body = body
        self.may_have_cost = may_have_cost

    def set_message(self, message: str) -> None:
        """Replace the message, also in `args`."""
        self.message = message
        self.args = (message,)

    def __str__(self) -> str:
        parts = [self.message.rstrip(". ") + "."]
        if self.may_have_cost:
            parts.append(_DOUBT)
        if self.advice:
            parts.append(self.advice)
        if self.request_id:
            parts.append(f"(request id {self.request_id})")
        return " ".join(parts)


class InvalidRequest(MusicAPIError, ValueError):
    """The request has problems; it was not sent and cost nothing."""

    def __init__(self, what: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        listed = "; ".join(str(problem) for problem in self.problems)
        super().__init__(f"{what} was not sent and cost nothing: {listed}")


class InvalidPlan(InvalidRequest):
    """A plan has problems; nothing of it was sent and it cost nothing.

    Attributes
    ----------
    problems
        Each problem once, however many cells have it.
    places
        For each problem the places that have it (a cell's `order`, a frame's row), ascending;
        none where it is the plan's own.
    """

    def __init__(self, problems: Mapping[Problem, Sequence[int]], place: str = "cell") -> None:
        said = [
            dataclasses.replace(problem, message=f"{problem.message}{_at(place, places)}")
            for problem, places in problems.items()
        ]
        super().__init__("the plan", said)
        self.problems = tuple(problems)
        self.places = tuple(tuple(places) for places in problems.values())


def _at(place: str, places: Sequence[int]) -> str:
    """Name places in a few words: " (cells 0 to 3, 7)"."""
    runs: list[list[int]] = []
    for number in places:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    said = ", ".join(" to ".join(str(end) for end in run) for run in runs)
    return f" ({place}{'s' if len(places) > 1 else ''} {said})" if runs else ""


class InvalidArgument(MusicAPIError, TypeError):
    """An argument is of a kind that cannot be used; the message says what can be given."""


class Unauthorized(MusicAPIError):
    """401: no key, or one that the service does not know."""

    advice = "Set MUSICAPI_KEY, or give connect(key=...), a key from the MusicAPI dashboard."


class RejectedRequest(MusicAPIError, ValueError):
    """400 and its like: the service did not accept what was asked; nothing was charged."""

    advice = "Nothing was charged; change the request."


class TaskNotFound(MusicAPIError, LookupError):
    """The service does not know this task id (HTTP 400, or 404 on nuro)."""

    advice = (
        "Check the id, its engine, and that the key is the one that asked for it. What the service "
        "has forgotten is settled in a library by library.resolve(entry, charged=True or False)."
    )


class RetiredOperation(RejectedRequest):
    """410: the engine or this kind of task is no longer offered."""

    advice = "Nothing was charged; choose another operation."


class Forbidden(MusicAPIError):
    """403 for a reason that this version does not know; see the message."""

    advice = "Nothing was charged."


class OutOfCredits(Forbidden):
    """403: the balance does not cover the price."""

    advice = "Nothing was charged. Buy credits, or ask for less."


class NoSubscription(Forbidden):
    """403: the account has no active subscription."""

    advice = "Nothing was charged. Check the renewal in the MusicAPI dashboard."


class ContentRefused(Forbidden):
    """403: the lyrics or the description were refused for what they say."""

    advice = "Nothing was charged. Change the text; sending it again will not help."


class RateLimited(MusicAPIError):
    """429: too many requests."""

    advice = "Nothing was charged. Wait a little, and ask for fewer at once."


class ServerError(MusicAPIError):
    """5xx: the service, or a proxy before it, failed."""


class TaskFailed(MusicAPIError):
    """The service says that the task came to nothing.

    `refunded` is True or False where the service says so, else None.
    """

    def __init__(self, message: str, *, refunded: bool | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.refunded = refunded


class UnexpectedReply(MusicAPIError):
    """The body is not JSON, is cut off, or has no known shape; `body` keeps it."""


class Unreachable(MusicAPIError, ConnectionError):
    """The service could not be reached."""

    advice = "Check the network and the base URL."


class LostReply(MusicAPIError, ConnectionError):
    """A paid request may have arrived, but its reply did not."""


class UncertainPurchase(MusicAPIError):
    """The take may have been bought already: its reply was lost, and nobody has settled it.

    `entry` is its number in the ledger.
    """

    advice = (
        "Nothing was sent. Settle it with library.resolve(entry, charged=True or False), "
        "task_id=..., or before=..., after=... (balances); or ask for another take."
    )

    def __init__(self, message: str, *, entry: int) -> None:
        super().__init__(message)
        self.entry = entry


class WaitTimeout(MusicAPIError, TimeoutError):
    """The wait's deadline has passed; the task goes on at the service.

    `task` is the task as last seen.
    """

    advice = "It was paid for and is not lost: wait for the same task again."

    def __init__(self, message: str, *, task: Any = None) -> None:
        super().__init__(message)
        self.task = task


class DownloadFailed(MusicAPIError):
    """A file did not arrive whole, is not what it should be, or is too large; none was kept."""


class PublishFailed(MusicAPIError):
    """A local file is not where the service could fetch it."""

    advice = "Nothing was paid."


class ClientClosed(MusicAPIError):
    """The client has been closed."""

    advice = "Make a new one, or call connect() again."


class NestingRefused(MusicAPIError, RuntimeError):
    """A nested event loop would lose cells here; nothing was patched."""

    advice = (
        "You may not need it: await a job, or call job.result(). Else: pip install 'nest-asyncio2"
        ">=1.7.3', and restart the kernel."
    )


class MissingExtra(MusicAPIError, ImportError):
    """A package is needed that is installed only when asked for."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"this needs {package}, which is not installed: pip install 'musicapi_nb[{extra}]'"
        )


class LibraryError(MusicAPIError):
    """The library on disk cannot do what was asked; nothing was sent for it."""


class LibraryReadOnly(LibraryError):
    """The library's folder or database cannot be written."""

    advice = "Make the folder writable, or open a library elsewhere: Library(path)."


class LibraryFull(LibraryError):
    """There is no room left on the disk; the step that needed it left nothing behind."""

    advice = "Nothing was sent. Make room on the disk, then run it again."


class LibraryLocked(LibraryError):
    """Another program has held the library's database for too long."""

    advice = "Close what else has library.sqlite open, or give Library(..., lock_timeout=...) more."


class LibraryDamaged(LibraryError):
    """The library's database is damaged, or is no library."""

    advice = (
        "Nothing was changed. Keep a copy of the folder; `sqlite3 library.sqlite .recover` saves "
        "what can be read, and Library(path) elsewhere starts a new one."
    )


class LibraryTooNew(LibraryError):
    """A newer version of this package made the library."""

    advice = "Nothing was changed. Upgrade: pip install -U musicapi_nb."


class InvalidTransition(LibraryError, ValueError):
    """An entry of the library cannot take this step from the state that it is in."""


class OverBudget(LibraryError):
    """A budget or spend limit does not cover the price; nothing was sent."""

    advice = "Nothing was sent. Raise the limit, or ask for less."


class UnknownPrice(OverBudget):
    """A budget cannot cover a price that is not known; nothing was sent."""

    advice = "Nothing was sent. Let the budget assume a price for what has none."


class BadFrame(MusicAPIError, ValueError):
    """A table lacks a column that is needed, or has it in a kind that cannot be used."""


class NothingToCompare(MusicAPIError, ValueError):
    """There are not enough songs, or not of two levels, for a comparison."""


class NoAudio(MusicAPIError, LookupError):
    """A song has no audio that can be had, or none that can be read; it says why."""


class Untaggable(MusicAPIError):
    """A file is no audio that can carry tags, or is damaged."""


class ExportFailed(MusicAPIError):
    """The folder or the ZIP cannot be written; the library is as it was."""

    advice = "What was exported so far is whole: mend that and run it again."


class PageTooLarge(MusicAPIError, ValueError):
    """The page would have more bytes than were allowed; nothing was written."""

    advice = "Raise max_bytes, give fewer songs, or leave embed out: players then use the files."


# What is living where an engine, or a kind of its tasks, is answered 410: docs producer pages and
# riffusion's (whose successor producer is), musicapi-sdk 0.1.0 (producer's living task types).
_LIVING: Mapping[str, str] = {
    "riffusion": "its successor is the engine producer",
    "producer": "create, extend and replace are living there, also of uploads",
    "nuro": "sonic and producer are living",
    "studio": "sonic and producer are living",
}

ErrorClass: TypeAlias = type[MusicAPIError]


def replacement_for(path: str) -> str | None:
    """What to ask for in the place of a retired operation, by the path that it had."""
    return next((words for engine, words in _LIVING.items() if f"/{engine}/" in path), None)


# Words first: 400 and 403 each carry several meanings that only the text tells apart.
# Documented wordings: docs error-handling, 2025; see engines for the limits they speak of.
_BY_WORDS: tuple[tuple[frozenset[int], re.Pattern[str], ErrorClass], ...] = tuple(
    (frozenset(statuses), re.compile(words, re.IGNORECASE), error)
    for statuses, words, error in (
        ({400, 404}, r"task (was )?not found|task not exist|missing task id", TaskNotFound),
        ({402, 403}, r"subscription", NoSubscription),
        ({402, 403}, r"credits? .*not enough|not enough .*credits?|insufficient", OutOfCredits),
        ({403}, r"usage limit|qps limit|queue is full", RateLimited),
        (
            {403},
            r"lyrics|copyright|inappropriate|moderation|artist name|producer tag|description",
            ContentRefused,
        ),
        ({429}, r"", RateLimited),
        ({500, 502, 503, 504}, r"task failed", TaskFailed),
    )
)

_BY_STATUS: dict[int, ErrorClass] = {
    401: Unauthorized,
    402: OutOfCredits,
    403: Forbidden,
    410: RetiredOperation,
    429: RateLimited,
}


def classify(status: int, words: str) -> ErrorClass:
    """Return the class of the family that an HTTP status and the reply's words mean.

    Any status below 200 or in 3xx is an `UnexpectedReply`: the service documents none.
    """
    for statuses, pattern, error in _BY_WORDS:
        if status in statuses and pattern.search(words):
            return error
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 400 <= status < 500:  # noqa: PLR2004 - the HTTP classes are their own names
        return RejectedRequest
    if status >= 500:  # noqa: PLR2004
        return ServerError
    return UnexpectedReply
