"""All exceptions of the package. No I/O."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from musicapi_nb.public_names import public_names
from musicapi_nb.short_traceback import ShortTraceback


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a request, or one piece of advice about it.

    Attributes
    ----------
    field
        Name of the request's field; "" if the problem concerns the whole request.
    message
        What is wrong and how to fix it.
    hard
        True: the service is known to refuse this, so the request is not sent. False: advice.
    warn
        True for advice about credits that would be wasted; it is displayed as a warning.
    """

    field: str
    message: str
    hard: bool = True
    warn: bool = False

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


_MAY_HAVE_COST = (
    "It may have cost credits, or not; it was not sent twice. See api.library, or compare "
    "api.credits() with your earlier balance before you send it again."
)


class MusicAPIError(ShortTraceback, Exception):
    """Base class of all exceptions of this package.

    In IPython its traceback is short: your line, and the error. `%tb` shows the whole one.

    Parameters
    ----------
    message
        What happened, in one line. `str(error)` adds the possible cost and the class's `advice`.
    status
        HTTP status of the reply, if there was one.
    request_id
        The service's id of the HTTP exchange (`x-request-id`, `x-vercel-id` or `cf-ray`).
    body
        Body of the reply, unchanged (bytes, text or decoded JSON).
    may_have_cost
        True if credits may have been charged although the outcome is unknown.
    """

    advice: str = ""
    _names_request_id = True
    retry_after: float | None = None
    """Seconds to wait before the next attempt, if the reply states them."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        body: Any = None,
        may_have_cost: bool = False,
    ) -> None:
        self.set_message(message)
        self.status = status
        self.request_id = request_id
        self.body = body
        self.may_have_cost = may_have_cost

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), *self.args), vars(self)

    def set_message(self, message: str) -> None:
        """Replace the message, also in `args`; halves of surrogate pairs become "?"."""
        self.message: str = _printable(message)
        self.args: tuple[Any, ...] = (self.message,)

    def __str__(self) -> str:
        message = self.message.rstrip(". ")
        parts = [message if message.endswith("?") else f"{message}."]
        if self.may_have_cost:
            parts.append(_MAY_HAVE_COST)
        if self.advice:
            parts.append(self.advice)
        if self.request_id and self._names_request_id:
            parts.append(f"(request id {_printable(self.request_id)})")
        return " ".join(parts)


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()


def _restore(kind: type[MusicAPIError], *args: Any) -> MusicAPIError:
    """Make an error for pickle, which sets its attributes: each class has other parameters."""
    error = kind.__new__(kind)
    error.args = args
    return error


class InvalidRequest(MusicAPIError, ValueError):
    """The request has problems; it was not sent and cost nothing."""

    def __init__(self, subject: str, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        messages = "; ".join(str(problem) for problem in self.problems)
        super().__init__(f"{subject} was not sent and cost nothing: {messages}")


class InvalidPlan(InvalidRequest):
    """A plan has problems; none of its requests was sent and it cost nothing.

    `problems` has each problem once. `rows` has, for each, the numbers of the cells (`order`) or
    frame rows with that problem, ascending; empty if it concerns the whole plan.
    """

    def __init__(self, problems: Mapping[Problem, Sequence[int]], noun: str = "request") -> None:
        described = [
            dataclasses.replace(problem, message=f"{problem.message}{_format_rows(noun, rows)}")
            for problem, rows in problems.items()
        ]
        super().__init__("the plan", described)
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.rows: tuple[tuple[int, ...], ...] = tuple(tuple(rows) for rows in problems.values())


def _format_rows(noun: str, rows: Sequence[int]) -> str:
    """Format row numbers with their ranges merged: " (cells 0 to 3, 7)"."""
    ranges: list[list[int]] = []
    for row in rows:
        if ranges and row == ranges[-1][-1] + 1:
            ranges[-1][1:] = [row]
        else:
            ranges.append([row])
    text = ", ".join(" to ".join(str(end) for end in ends) for ends in ranges)
    return f" ({noun}{'s' if len(rows) > 1 else ''} {text})" if ranges else ""


class InvalidArgument(MusicAPIError, TypeError):
    """An argument has a type or value that is not accepted; the message lists those that are."""


def refuse_copy(live: object, _protocol: object = None) -> NoReturn:
    """Raise an error: the `__reduce_ex__` of objects with connections or locks of this process."""
    name = type(live).__name__
    raise InvalidArgument(
        f"a {name} has connections of this process and cannot be copied or sent to another one; "
        "make one there, and send requests, tasks and songs"
    )


class Unauthorized(MusicAPIError):
    """401: the API key is missing or unknown."""

    advice = "Set MUSICAPI_KEY or pass connect(key=...); the MusicAPI dashboard shows your key."


class RejectedRequest(MusicAPIError, ValueError):
    """400 and other 4xx: the service did not accept the request; nothing was charged."""

    advice = "Nothing was charged. Change the request."


class TaskNotFound(MusicAPIError, LookupError):
    """The service does not know this task id (HTTP 400, or 404 from nuro)."""

    advice = (
        "Check the id, the engine, and that the key is the one that submitted the task. If the "
        "service has dropped the task, call api.library.resolve(entry, charged=True or False)."
    )


class RetiredOperation(RejectedRequest):
    """410: the service no longer offers this engine or operation."""

    advice = "Nothing was charged. Choose another operation."


class Forbidden(MusicAPIError):
    """403 for any other reason; see the message."""

    advice = "Nothing was charged."


class OutOfCredits(Forbidden):
    """403: the balance does not cover the price."""

    advice = "Nothing was charged."
    _names_request_id = False  # nobody needs to look for the cause


class NoSubscription(Forbidden):
    """403: the account has no active subscription."""

    advice = "Nothing was charged. Check your subscription in the MusicAPI dashboard."


class ContentRefused(Forbidden):
    """403: the service refused the lyrics or the description because of their content."""

    advice = "Nothing was charged. Change the text; the same text will be refused again."


class RateLimited(MusicAPIError):
    """429: too many requests."""

    advice = "Nothing was charged. Wait a moment and send fewer requests at once."


class ServerError(MusicAPIError):
    """5xx: the service or a proxy in front of it failed."""


class TaskFailed(MusicAPIError):
    """The service reports that the task failed.

    `refunded` is True or False if the service says so, else None.
    """

    def __init__(self, message: str, *, refunded: bool | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        self.refunded = refunded


class UnexpectedReply(MusicAPIError):
    """The body is not JSON, is truncated, or has an unknown shape; see `body`."""


class Unreachable(MusicAPIError, ConnectionError):
    """The service could not be reached."""

    advice = "Check the network. If only a proxy leads out: connect(proxy=...), or HTTPS_PROXY."


class CertificateRefused(Unreachable):
    """The certificate of the service, or of a proxy that replaces it, is not trusted here."""

    advice = (
        "Nothing was sent. If your organization has its own certificate authority, set "
        "SSL_CERT_FILE to its PEM file, or pass connect(ssl=...)."
    )


class LostReply(MusicAPIError, ConnectionError):
    """A paid request was sent, but its reply did not arrive."""


class UncertainPurchase(MusicAPIError):
    """The take may already have been bought: its reply was lost and it is not resolved yet.

    `entry` is the id of its ledger entry.
    """

    def __init__(self, message: str, *, entry: int) -> None:
        super().__init__(message)
        self.entry = entry
        self.advice: str = (
            f"Nothing was sent. Resolve it: api.library.resolve({entry}, charged=True) or False; "
            "with task_id=... from your dashboard; or with before=..., after=... (your balances). "
            "Or buy another version: take=..."
        )


class WaitTimeout(MusicAPIError, TimeoutError):
    """The deadline of a wait has passed; the tasks continue at the service.

    `task` is the latest known state of the task, None without one.
    """

    advice = "It is not lost: wait for it again."

    def __init__(self, message: str, *, task: Any = None) -> None:
        super().__init__(message)
        self.task = task


class DownloadFailed(MusicAPIError):
    """A file arrived incomplete, is not audio or an image, or is too large; nothing was saved."""


class PublishFailed(MusicAPIError):
    """A local file could not be copied to a place where the service can fetch it."""

    advice = "Nothing was charged."


class ClientClosed(MusicAPIError):
    """The client or library has been closed."""

    advice = "Create a new one, or call connect() again."


class NestingRefused(MusicAPIError, RuntimeError):
    """A nested event loop would break cells in this environment; nothing was patched."""

    advice = (
        "Use `await job` or job.result() instead, or pip install 'nest-asyncio2>=1.7.3' and "
        "restart the kernel."
    )


class MissingExtra(MusicAPIError, ImportError):
    """Packages of an extra are not installed; nothing was computed, written or sent."""


class OldDependency(MusicAPIError, ImportError):
    """A package is installed in a version that is too old; nothing was sent."""


class MissingFile(MusicAPIError, FileNotFoundError):
    """There is no file, or no file of replies, at this path."""


class UnreadableFile(MusicAPIError, OSError):
    """A file may not be read, is damaged, or is of another type than its name says."""


class LibraryError(MusicAPIError):
    """The library on disk could not complete the operation; nothing was sent for it."""


class LibraryReadOnly(LibraryError):
    """The library's folder or database is not writable."""

    advice = "Make the folder writable, or open a library in another folder: Library(path)."


class LibraryFull(LibraryError):
    """The disk is full; the operation was rolled back."""

    advice = "Nothing was sent. Free some disk space, then run it again."


class LibraryLocked(LibraryError):
    """Another program has locked the library's database for too long."""

    advice = "Close other programs that use it, or wait longer: Library(..., lock_timeout=...)."


class LibraryDamaged(LibraryError):
    """The library's database is damaged, or the file is not a library."""

    advice = (
        "Nothing was changed. Keep a copy of the folder; `sqlite3 library.sqlite .recover` saves "
        "what is readable, and Library(path) in another folder starts a new one."
    )


class LibraryTooNew(LibraryError):
    """A newer version of this package created the library."""

    advice = "Nothing was changed. Upgrade: pip install -U musicapi_nb."


class InvalidTransition(LibraryError, ValueError):
    """A ledger entry cannot change from its current state to the requested one."""


class OverBudget(LibraryError):
    """A budget or spend limit does not cover the price; nothing was sent."""

    advice = "Nothing was sent. Raise the limit or request less."


class UnknownPrice(OverBudget):
    """A budget cannot cover a request whose price is unknown; nothing was sent."""

    advice = "Nothing was sent. Give the budget a price to assume for unpriced requests."


class BadFrame(MusicAPIError, ValueError):
    """A DataFrame lacks a required column, or the column has the wrong type."""


class NothingToCompare(MusicAPIError, ValueError):
    """There are too few songs, or too few factor levels, for a comparison."""


class NoAudio(MusicAPIError, LookupError):
    """A song has no audio, or its audio cannot be read; see the message."""


class Untaggable(MusicAPIError):
    """A file is damaged, or is not audio that can hold tags."""


class ExportFailed(MusicAPIError):
    """The folder or ZIP file could not be written; the library is unchanged."""

    advice = "Files exported before that are complete. Fix the cause and run it again."


class PageTooLarge(MusicAPIError, ValueError):
    """The page would exceed the size limit; nothing was written."""

    advice = "Raise max_bytes, pass fewer songs, or omit embed so that players use the files."


if not TYPE_CHECKING:
    __all__ = [
        name
        for name, value in globals().items()
        if isinstance(value, type) and value.__module__ == __name__
    ]
    __getattr__, __dir__ = public_names(__name__, __all__)
