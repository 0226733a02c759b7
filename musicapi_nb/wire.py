"""Between values and bytes: a request to a call, a reply to a payload or an error. Pure."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email.utils
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote

from musicapi_nb.engines import Request
from musicapi_nb.errors import (
    InvalidRequest,
    MusicAPIError,
    Problem,
    ServerError,
    TaskFailed,
    UnexpectedReply,
    classify,
)

_REQUEST_IDS = ("x-request-id", "x-vercel-id", "cf-ray")
_WORDS = ("error", "message", "detail")
_LONGEST_WORDS = 500
# 4xx by which a server or proxy says that it gave up on the exchange, not on the request.
_UNDECIDED = frozenset({HTTPStatus.REQUEST_TIMEOUT, 499})


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, without host and key."""

    method: Literal["GET", "POST"]
    path: str
    # not in what a verbose traceback shows: it holds the secret of webhooks
    body: bytes | None = dataclasses.field(default=None, repr=False)
    poll_by_repost: bool = False
    """Whether its reply may say "not ready", and the same call is how to ask again."""

    @property
    def paid(self) -> bool:
        """Whether sending it may cost credits: it is sent twice only if the first never left.

        Or (`poll_by_repost`) if the reply to the first said "not ready".
        """
        return self.method != "GET"

    def with_fields(self, fields: Mapping[str, Any]) -> Call:
        """Return the call with further fields in its body."""
        if not fields or self.body is None:
            return self
        body = {**json.loads(self.body), **fields}
        return dataclasses.replace(self, body=json.dumps(body, allow_nan=False).encode())


def submit_call(request: Request) -> Call:
    """Write a request as a call.

    Raises
    ------
    InvalidRequest
        The request has hard problems; all are listed.
    """
    request.check()
    if request.method == "GET":
        return Call("GET", request.path)
    text = json.dumps(request.body(), allow_nan=False).encode()
    return Call("POST", request.path, text, request.poll_by_repost)


def poll_call(engine: str | None, task_id: str | None) -> Call:
    """Write the question how a task is doing.

    Raises
    ------
    InvalidRequest
        The engine or the id is missing or blank.
    """
    parts = {"engine": _segment(engine), "task_id": _segment(task_id)}
    missing = [
        Problem(name, "is needed to ask about a task") for name, part in parts.items() if not part
    ]
    if missing:
        raise InvalidRequest("the question about a task", missing)
    return Call("GET", f"/api/v1/{parts['engine']}/task/{parts['task_id']}")


def _segment(value: str | None) -> str | None:
    """Quote one segment of a path; None for what can be none."""
    if not isinstance(value, str) or not value.strip() or value in {".", ".."}:
        return None
    return quote(value, safe="", errors="replace")  # halves of surrogate pairs have no bytes


def decode(body: bytes | str) -> Any:
    """Decode JSON, also where it holds NaN or halves of surrogate pairs.

    Raises
    ------
    UnexpectedReply
        It is no JSON: empty, cut off, a page, nested beyond measure; `body` keeps it.
    """
    text = body.decode("utf-8-sig", "replace") if isinstance(body, bytes) else body
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnexpectedReply(f"the reply is {_not_json(text)}, not JSON", body=body) from None


def _not_json(text: str) -> str:
    start = text.lstrip()[:200].lower()
    if not start:
        return "empty"
    if start.startswith("<"):
        title = re.search(r"<title[^>]*>([^<]{1,100})", text, re.IGNORECASE)
        return f"an HTML page ({_one_line(title[1])})" if title else "an HTML page"
    if start[0] in '{["':
        return "cut off or garbled"
    return f"the text {_one_line(text)[:60]!r}"


def _one_line(text: str) -> str:
    """A text for an error's one line: no breaks, no control characters, no halves of pairs."""
    printable = (character if character.isprintable() else " " for character in text)
    return " ".join("".join(printable).split())


def read_response(  # noqa: PLR0913 - a reply, and what is known of the call
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    paid: bool = False,
    poll_by_repost: bool = False,
    now: float = 0.0,
) -> Any:
    """Read a reply: return its payload, or raise the error that it is.

    Of an operation in several steps an error is a payload where one of the steps was done: it
    tells of a task that failed, after what may have been charged.

    Parameters
    ----------
    status, headers, body
        As they came; the names of `headers` in lower case.
    paid
        Whether it answers a paid call: an outcome that is not known then `may_have_cost`.
    poll_by_repost
        Whether "not ready" is one of its answers: as a 202, or as a text that is no JSON.
    now
        Unix time in seconds, for a Retry-After that is a date.

    Raises
    ------
    MusicAPIError
        Of the class that status and words mean (see `errors.classify`).
    """
    if status == HTTPStatus.ACCEPTED and (
        poll_by_repost or not paid
    ):  # "keep asking", whatever the body
        return _decoded_or({}, body)
    if 200 <= status < 300:  # noqa: PLR2004 - the HTTP classes are their own names
        try:
            return decode(body)
        except UnexpectedReply as error:
            if poll_by_repost and (words := _plain_words(body)):
                return {"message": words}
            raise UnexpectedReply(
                error.message,
                status=status,
                request_id=_id_of(headers),
                body=body,
                may_have_cost=paid,
            ) from None
    if paid and refuses(status) and _did_a_step(body):  # no refusal: that step may have cost
        return decode(body)
    raise _error(status, headers, body, paid=paid, now=now)


def _did_a_step(body: bytes) -> bool:
    """Whether an error is one step's, of several, and another one was done."""
    steps = _decoded_or({}, body).get("steps")
    told = steps.values() if isinstance(steps, dict) else ()
    return any(isinstance(step, dict) and step.get("success") is True for step in told)


def _decoded_or(default: Any, body: bytes) -> Any:
    try:
        payload = decode(body)
    except UnexpectedReply:
        return default
    return payload if isinstance(payload, dict) else default


def _id_of(headers: Mapping[str, str]) -> str | None:
    named = (_one_line(headers.get(name, "")) for name in _REQUEST_IDS)
    return next((value for value in named if value), None)


def refuses(status: int) -> bool:
    """Whether a status says that the request itself was refused, and so cost nothing."""
    return 400 <= status < 500 and status not in _UNDECIDED  # noqa: PLR2004 - as above


def _error(
    status: int, headers: Mapping[str, str], body: bytes, *, paid: bool, now: float
) -> MusicAPIError:
    words = words_of(body)
    kind, refunded = classify(status, words), _refunded(body)
    if kind is ServerError and refunded and not paid:  # nuro tells a poll so that a task failed
        kind = TaskFailed
    said = f": {words.rstrip('. ')}" if words else ""
    error = kind(
        f"the service answered {status} {_phrase(status)}{said}",
        status=status,
        request_id=_id_of(headers),
        body=body,
        may_have_cost=paid and not refuses(status),
    )
    error.retry_after = retry_after(headers, now)
    if isinstance(error, TaskFailed):
        error.refunded = refunded or (True if "refund" in words.lower() else None)
    return error


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no known status)"


def words_of(body: bytes) -> str:
    """What an error body says, whichever of the known shapes it has; at most 500 characters."""
    try:
        said = _said(decode(body))
    except UnexpectedReply:
        text = body.decode("utf-8-sig", "replace").strip()
        said = _plain_words(body) or (_not_json(text) if text else "")
    return _one_line(said[: 2 * _LONGEST_WORDS])[:_LONGEST_WORDS]


def _plain_words(body: bytes) -> str:
    """A body that is neither JSON, nor a part of it, nor a page; "" for anything else."""
    text = body.decode("utf-8-sig", "replace").strip()
    return text if text[:1] not in {"<", "{", "[", '"', ""} else ""


def _refunded(body: bytes) -> bool:
    """Whether an error body says that credits were given back."""
    return _decoded_or({}, body).get("refund_processed") is True


def _said(value: Any, depth: int = 3) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, dict) and depth:
        said = (_said(value.get(name), depth - 1) for name in _WORDS)
        return next((words for words in said if words), "")
    return ""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait that the reply names (as seconds or as an HTTP date), never below 0."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        if moment.tzinfo is None:  # "-0000", or no zone at all: HTTP knows only GMT
            moment = moment.replace(tzinfo=dt.UTC)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
