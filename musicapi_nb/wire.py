"""Convert requests to HTTP calls, and HTTP replies to payloads or errors. No I/O."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email.utils
import json
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from musicapi_nb.engines import Request
from musicapi_nb.engines.arguments import operation_name
from musicapi_nb.errors import (
    InvalidArgument,
    InvalidRequest,
    MusicAPIError,
    Problem,
    ServerError,
    TaskFailed,
    UnexpectedReply,
)
from musicapi_nb.refusals import classify

_REQUEST_ID_HEADERS = ("x-request-id", "x-vercel-id", "cf-ray")
MESSAGE_FIELDS = ("error", "message", "detail", "msg", "errors")
_CODE_FIELDS = ("code", "status", "statusCode", "status_code")
_FAILURE_WORDS = frozenset({"error", "fail", "failed", "failure"})
_FLAG_FIELDS = ("success", "ok")
REFUSAL_FIELDS = frozenset(
    {*MESSAGE_FIELDS, *_CODE_FIELDS, *_FLAG_FIELDS, "type", "retriable", "timestamp", "path"}
)
"""A reply of these fields alone has nothing that was bought."""
_MAX_MESSAGE = 500
_LONG_PAUSE = 60.0  # seconds that a message mentions
_MAX_BITS = 64  # of an integer that is an id or a code
# 4xx statuses of a server or proxy that gave up on the connection and did not refuse the request
_NO_REFUSAL = frozenset({HTTPStatus.REQUEST_TIMEOUT, 499})


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, without host and API key."""

    method: Literal["GET", "POST"]
    path: str
    # not in the repr, which tracebacks may show: it can contain the webhook secret
    body: bytes | None = dataclasses.field(default=None, repr=False)
    poll_by_repost: bool = False
    """True if the reply may be "not ready", and the call is then repeated."""

    @property
    def paid(self) -> bool:
        """True if it may cost credits.

        Such a call is sent again only if it provably never left or was refused, or, with
        `poll_by_repost`, if its reply was "not ready".
        """
        return self.method != "GET"

    def with_fields(self, fields: Mapping[str, Any]) -> Call:
        """Return the call with further fields in its body."""
        if not fields or self.body is None:
            return self
        body = {**json.loads(self.body), **fields}
        return dataclasses.replace(self, body=json.dumps(body, allow_nan=False).encode())


def check_request(request: Request) -> None:
    """Raise InvalidArgument if it is not a request, InvalidRequest if it has errors."""
    if isinstance(request, type) and issubclass(request, Request):
        name = operation_name(request)
        raise InvalidArgument(f"{name} is an operation; a request of it is {name}(...)")
    if not isinstance(request, Request):
        raise InvalidArgument(
            f"a request is needed, such as sonic.Create(...), not {request!r:.60}"
        )
    request.check()


def submit_call(request: Request) -> Call:
    """Check a request (see `check_request`) and return the call that submits it."""
    check_request(request)
    if request.method == "GET":
        return Call("GET", request.path)
    text = json.dumps(request.body(), allow_nan=False).encode()
    return Call("POST", request.path, text, request.poll_by_repost)


def poll_call(engine: str | None, task_id: str | None) -> Call:
    """Return the call that reads the state of a task.

    Raises
    ------
    InvalidRequest
        The engine or the id is missing or blank.
    """
    segments = {"engine": _segment(engine), "task_id": _segment(task_id)}
    missing = [name for name, segment in segments.items() if not segment]
    if missing:
        problems = [Problem(name, "is required to poll a task") for name in missing]
        raise InvalidRequest("the poll", problems)
    return Call("GET", f"/api/v1/{segments['engine']}/task/{segments['task_id']}")


def _segment(value: str | None) -> str | None:
    """Quote a path segment; None if the value is not a usable one."""
    if not isinstance(value, str) or not value.strip() or value in {".", ".."}:
        return None
    return quote(value, safe="", errors="replace")  # lone surrogates cannot be encoded


def decode(body: bytes | str) -> Any:
    """Decode JSON in UTF-8, UTF-16 or UTF-32; NaN and lone surrogates are accepted.

    Raises
    ------
    UnexpectedReply
        The text is not JSON: empty, truncated, an HTML page, or nested too deeply.
    """
    text = _text_of(body) if isinstance(body, bytes) else body
    try:
        return json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        raise UnexpectedReply(f"the reply is {_not_json(text)}, not JSON", body=body) from None


def _text_of(body: bytes) -> str:
    """Decode bytes that may be JSON; bytes in no encoding of JSON are read as UTF-8."""
    try:
        return body.decode(json.detect_encoding(body))
    except UnicodeDecodeError:
        return body.decode("utf-8", "replace")


def _not_json(text: str) -> str:
    start = text.lstrip()[:200].lower()
    if not start:
        return "empty"
    if start.startswith("<"):
        title = re.search(r"<title[^>]*>([^<]{1,100})", text, re.IGNORECASE)
        return f"an HTML page ({_one_line(title[1])})" if title else "an HTML page"
    if start[0] in '{["':
        return "truncated or garbled"
    return f"the text {_one_line(text)[:60]!r}"


def _one_line(text: str) -> str:
    """Remove line breaks, control characters and lone surrogates."""
    printable = (character if character.isprintable() else " " for character in text)
    return " ".join("".join(printable).split())


def read_response(  # noqa: PLR0913 - a reply and the properties of its call
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    paid: bool = False,
    poll_by_repost: bool = False,
    now: float = 0.0,
) -> Any:
    """Return the payload of a reply, or raise the error that it reports.

    If an operation runs in steps and one step was done, an error status is returned as a payload:
    the task failed, but the completed step may have cost credits.

    Parameters
    ----------
    status, headers, body
        The reply; header names in lower case.
    paid
        True for the reply to a paid call. An unknown outcome then sets `may_have_cost`.
    poll_by_repost
        True if "not ready" is a valid reply, as a 202 or as plain text.
    now
        Unix time in seconds, to interpret a Retry-After date.

    Raises
    ------
    MusicAPIError
        Its class depends on status and message (see `refusals.classify`).
    """
    if status == HTTPStatus.ACCEPTED and (
        poll_by_repost or not paid
    ):  # "not ready", whatever the body
        return _decode_object(body)
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP status classes
        try:
            return decode(body)
        except UnexpectedReply as error:
            if poll_by_repost and (text := _plain_text(body)):
                return {"message": text}
            raise UnexpectedReply(
                error.message,
                status=status,
                request_id=_request_id(headers),
                body=body,
                may_have_cost=paid,
            ) from None
    if paid and refuses(status) and _step_done(body):  # that step may have cost credits
        return decode(body)
    raise _error(status, headers, body, paid=paid, now=now)


def _step_done(body: bytes) -> bool:
    """Return whether an error body lists a step that succeeded."""
    steps = _decode_object(body).get("steps")
    results = steps.values() if isinstance(steps, dict) else ()
    return any(isinstance(step, dict) and step.get("success") is True for step in results)


def _decode_object(body: bytes) -> dict[str, Any]:
    """Decode a JSON object; empty if the body is anything else."""
    try:
        payload = decode(body)
    except UnexpectedReply:
        return {}
    return payload if isinstance(payload, dict) else {}


def _request_id(headers: Mapping[str, str]) -> str | None:
    values = (_one_line(headers.get(name, "")) for name in _REQUEST_ID_HEADERS)
    return next((value for value in values if value), None)


def refuses(status: int) -> bool:
    """Return whether a status means that the request was refused, and so cost nothing."""
    return 400 <= status < 500 and status not in _NO_REFUSAL  # noqa: PLR2004 - as above


def refusal_in(
    payload: Any, status: int, headers: Mapping[str, str], body: bytes, now: float
) -> MusicAPIError | None:
    """Return the refusal in a reply with HTTP 200; None if it is not certainly a refusal.

    It is one if the reply names a code that `refuses` and has, beside messages, no other content.
    Its `status` is that of HTTP, so that it is not sent again as after a real 429.
    """
    if not isinstance(payload, dict) or not payload.keys() <= REFUSAL_FIELDS | {"data"}:
        return None
    codes, words = _codes_in(payload)
    if payload.get("data") or payload.get("success") is True or words - _FAILURE_WORDS:
        return None
    if not codes or not all(map(refuses, codes)):
        return None
    refusal = _error(codes[0], headers, body, paid=False, now=now)
    refusal.set_message(f"{refusal.message.rstrip('. ')} (inside a reply of HTTP {status})")
    refusal.status = status
    return refusal


def denies_success(payload: Any) -> bool:
    """Return whether a reply reports a failure: `error`, a code, `success: false`."""
    if not isinstance(payload, dict):
        return False
    codes, words = _codes_in(payload)
    words |= {scalar_text(payload[name]).lower() for name in _FLAG_FIELDS if name in payload}
    return (
        bool(payload.get("error") or payload.get("errors"))
        or any(code >= HTTPStatus.BAD_REQUEST for code in codes)
        or not words.isdisjoint(_FAILURE_WORDS | {"false"})
    )


def scalar_text(value: Any) -> str:
    """Convert a value of a reply to text.

    Return "" for lists, objects and huge integers, whose conversion may fail: Python limits the
    depth of the first and the digits of the last.
    """
    if isinstance(value, list | dict):
        return ""
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return ""
    return str(value)


def _codes_in(payload: Mapping[str, Any]) -> tuple[list[int], set[str]]:
    """Return the codes of three digits in a reply, and what else its code fields have."""
    error = payload.get("error")
    holders = [payload, error] if isinstance(error, dict) else [payload]
    fields = [(holder, name) for holder in holders for name in _CODE_FIELDS if name in holder]
    values = [scalar_text(holder[name]) for holder, name in fields]
    codes = [int(value) for value in values if re.fullmatch("[0-9]{3}", value)]
    return codes, {value.lower() for value in values if not re.fullmatch("[0-9]{3}", value)}


def _error(
    status: int, headers: Mapping[str, str], body: bytes, *, paid: bool, now: float
) -> MusicAPIError:
    message = message_of(body)
    error_class, refunded = classify(status, message), _is_refunded(body)
    if 300 <= status < 400 and (target := _host_of(headers.get("location", ""))):  # noqa: PLR2004
        message = f"it redirects to {target}, where nothing was sent; see base_url"
    if (
        error_class is ServerError and refunded and not paid
    ):  # nuro's reply to polling a failed task
        error_class = TaskFailed
    detail = f": {message.rstrip('. ')}" if message else ""
    pause = retry_after(headers, now)
    if pause is not None and pause > _LONG_PAUSE:
        detail += f"; it asks to wait {dt.timedelta(seconds=round(pause))}"
    error = error_class(
        f"the service answered {status} {_phrase(status)}{detail}{retriable_note(body)}",
        status=status,
        request_id=_request_id(headers),
        body=body,
        may_have_cost=paid and not refuses(status),
    )
    error.retry_after = pause
    if isinstance(error, TaskFailed):
        error.refunded = refunded or (True if "refund" in message.lower() else None)
    return error


def _host_of(url: str) -> str:
    """Return scheme and host of a URL; "" if it has none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return _one_line(f"{parts.scheme}://{parts.hostname}")[:100] if parts.hostname else ""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(unknown status)"


def message_of(body: bytes) -> str:
    """Return the message of an error body in any known shape, cut to 500 characters."""
    try:
        message = find_message(decode(body))
    except UnexpectedReply:
        text = body.decode("utf-8-sig", "replace").strip()
        message = _plain_text(body) or (_not_json(text) if text else "")
    return _one_line(message[: 2 * _MAX_MESSAGE])[:_MAX_MESSAGE]


def _plain_text(body: bytes) -> str:
    """Return a body that is plain text; "" for (partial) JSON or HTML."""
    text = body.decode("utf-8-sig", "replace").strip()
    return text if text[:1] not in {"<", "{", "[", '"', ""} else ""


def _is_refunded(body: bytes) -> bool:
    """Return whether an error body reports a refund."""
    return _decode_object(body).get("refund_processed") is True


def find_message(value: Any, depth: int = 4) -> str:
    """Return the message in a decoded error body of any known shape; "" if it has none."""
    if isinstance(value, str):
        return value.strip()
    parts: Iterable[Any] = ()
    if isinstance(value, dict) and depth:
        parts = map(value.get, MESSAGE_FIELDS)
    elif isinstance(value, list) and depth:  # of validation errors: {"detail": [{"msg": "..."}]}
        parts = value[:1]
    messages = (find_message(part, depth - 1) for part in parts)
    return next((message for message in messages if message), "")


def retriable_note(body: bytes | Mapping[str, Any]) -> str:
    """Return " (retriable)" or " (not retriable)" if an error body says so, else "".

    It is only shown: what is sent again depends on whether the first was refused.
    """
    fields = _decode_object(body) if isinstance(body, bytes) else body
    notes = {True: " (retriable, the service says)", False: " (not retriable, the service says)"}
    flag = fields.get("retriable")
    return notes[flag] if isinstance(flag, bool) else ""


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait from a Retry-After header (seconds or HTTP date), or None."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value)
    try:
        time = email.utils.parsedate_to_datetime(value)
        if time.tzinfo is None:  # "-0000" or no zone: HTTP dates are always GMT
            time = time.replace(tzinfo=dt.UTC)
        return max(0.0, time.timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
